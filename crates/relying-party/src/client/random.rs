//! Unguessable values: state, nonce, PKCE verifier, key identifiers, support codes.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use jose::{UnixTime, base64url};

/// Bytes of randomness in `state`, `nonce` and the PKCE verifier: 256 bit, 43 characters (RFC 7636 §4.1 wants at least 43).
const SECRET_BYTES: usize = 32;

/// Alphabet of support codes: no letters or digits that are confused when read out.
const SUPPORT_ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// The system gave no randomness. Nothing can be done then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random number generator failed")]
pub struct RandomnessError;

#[expect(
    clippy::disallowed_methods,
    reason = "a service's own half: the vault, where the provider's randomness comes from, is not here"
)]
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], RandomnessError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| RandomnessError)?;
    Ok(bytes)
}

/// 43 characters of base64url.
pub(crate) fn secret() -> Result<String, RandomnessError> {
    Ok(base64url::encode(&bytes::<SECRET_BYTES>()?))
}

/// A nonce for evidence.
pub(crate) fn nonce() -> Result<[u8; 32], RandomnessError> {
    bytes()
}

/// The S256 challenge of a PKCE verifier (RFC 7636 §4.2).
pub(crate) fn code_challenge(verifier: &str) -> String {
    base64url::encode(digest(&SHA256, verifier.as_bytes()).as_ref())
}

/// A key identifier: UUID of version 7 (A_28208; RFC 9562 §5.7). `later_than` is the greatest time stamp already given out, in
/// milliseconds; the new one is greater, because identity providers pick the newest encryption key by it.
pub(crate) fn key_id(now: UnixTime, later_than: u64) -> Result<(String, u64), RandomnessError> {
    let milliseconds = now.0.saturating_mul(1000).max(later_than.saturating_add(1)) & 0xffff_ffff_ffff;
    let mut uuid: [u8; 16] = bytes()?;
    uuid[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    uuid[6] = uuid[6] & 0x0f | 0x70;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    Ok((text, milliseconds))
}

/// A support code, `XXXX-XXXX`: 40 bit, stands on the page and in the log.
pub(crate) fn support_code() -> Result<String, RandomnessError> {
    let random: [u8; 8] = bytes()?;
    let code: String = random
        .iter()
        .map(|byte| char::from(SUPPORT_ALPHABET[usize::from(byte & 31)]))
        .collect();
    Ok(format!("{}-{}", &code[..4], &code[4..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_challenge_is_the_example_of_rfc_7636_appendix_b() {
        assert_eq!(
            code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn key_identifiers_are_version_7_and_later_than_the_last() {
        let now = UnixTime(1_700_000_000);
        let (first, stamp) = key_id(now, 0).unwrap();
        let (second, later) = key_id(now, stamp).unwrap();
        assert_eq!(first.len(), 36);
        assert_eq!(first.as_bytes()[14], b'7');
        assert!(matches!(first.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_eq!(stamp, 1_700_000_000_000);
        assert!(later > stamp && second[..13] > first[..13]);
    }

    #[test]
    fn secrets_are_long_enough_and_differ() {
        assert_eq!(secret().unwrap().len(), 43);
        assert_ne!(secret().unwrap(), secret().unwrap());
        let code = support_code().unwrap();
        assert_eq!((code.len(), code.as_bytes()[4]), (9, b'-'));
    }
}
