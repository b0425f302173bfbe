//! The key derivation of ECDH-ES (RFC 7518 §4.6.2): the one-step KDF of NIST SP 800-56C with SHA-256.

use aws_lc_rs::kdf::{SskdfDigestAlgorithm, SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};

use crate::keys::SharedSecret;

/// Fills `key` from the shared secret.
///
/// `algorithm_id` is the `enc` value for direct key agreement, `apu` and `apv` are the decoded header members
/// (empty when absent). `None` only when the library refuses, which no input of ours can cause.
pub(crate) fn derive(secret: &SharedSecret, algorithm_id: &[u8], apu: &[u8], apv: &[u8], key: &mut [u8]) -> Option<()> {
    const SHA256: Option<&SskdfDigestAlgorithm> = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256);
    let mut info = Vec::with_capacity(16 + algorithm_id.len() + apu.len() + apv.len());
    for part in [algorithm_id, apu, apv] {
        info.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
        info.extend_from_slice(part);
    }
    let bits = u32::try_from(key.len()).ok()?.checked_mul(8)?;
    info.extend_from_slice(&bits.to_be_bytes());
    sskdf_digest(SHA256?, secret.as_bytes(), &info, key).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::jwk::P256PublicKey;
    use crate::{KeyAgreement as _, SoftwareKey, base64url};

    /// RFC 7518 appendix C: the shared secret Z.
    const Z: [u8; 32] = [
        158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163, 218, 128, 106,
        72, 246, 218, 167, 121, 140, 254, 144, 196,
    ];

    fn private(scalar: &str) -> SoftwareKey {
        SoftwareKey::from_scalar("a", &base64url::decode_array(scalar).unwrap()).unwrap()
    }

    fn public(x: &str, y: &str) -> P256PublicKey {
        P256PublicKey::from_coordinates(
            &base64url::decode_array(x).unwrap(),
            &base64url::decode_array(y).unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn the_agreement_of_rfc_7518_appendix_c_gives_its_secret_from_both_sides() {
        let alice = private("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
        let bob = private("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw");
        let alice_public = public(
            "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
        );
        let bob_public = public(
            "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
            "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
        );
        assert_eq!(alice.public_key(), &alice_public);
        assert_eq!(bob.public_key(), &bob_public);
        assert_eq!(alice.agree(&bob_public).unwrap().as_bytes(), &Z);
        assert_eq!(bob.agree(&alice_public).unwrap().as_bytes(), &Z);
    }

    #[test]
    fn the_derivation_of_rfc_7518_appendix_c_gives_its_key() {
        let secret = SharedSecret::from_bytes(Z);
        let mut key = [0u8; 16];
        derive(&secret, b"A128GCM", b"Alice", b"Bob", &mut key).unwrap();
        assert_eq!(base64url::encode(&key), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn every_input_takes_part_in_the_key() {
        let derived = |id: &[u8], apu: &[u8], apv: &[u8]| {
            let mut key = [0u8; 32];
            derive(&SharedSecret::from_bytes(Z), id, apu, apv, &mut key).unwrap();
            key
        };
        let keys = [
            derived(b"A256GCM", b"", b""),
            derived(b"A128GCM", b"", b""),
            derived(b"A256GCM", b"a", b""),
            derived(b"A256GCM", b"", b"a"),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key));
        }
        assert_eq!(format!("{:?}", SharedSecret::from_bytes(Z)), "SharedSecret");
    }
}
