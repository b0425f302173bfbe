//! The key derivation of ECDH-ES (RFC 7518 §4.6.2): the one-step KDF of NIST SP 800-56C with SHA-256.

use aws_lc_rs::kdf::{
    SskdfDigestAlgorithm, SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest,
};

use crate::keys::SharedSecret;

/// Fills `key` from the shared secret.
///
/// `algorithm_id` is the `enc` value for direct key agreement, `apu` and `apv` are the decoded header members
/// (empty when absent). `None` only when the library refuses, which no input of ours can cause.
pub(crate) fn derive(
    secret: &SharedSecret,
    algorithm_id: &[u8],
    apu: &[u8],
    apv: &[u8],
    key: &mut [u8],
) -> Option<()> {
    const SHA256: Option<&SskdfDigestAlgorithm> =
        get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256);
    let mut info = Vec::with_capacity(16 + algorithm_id.len() + apu.len() + apv.len());
    for part in [algorithm_id, apu, apv] {
        info.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
        info.extend_from_slice(part);
    }
    let bits = u32::try_from(key.len()).ok()?.checked_mul(8)?;
    info.extend_from_slice(&bits.to_be_bytes());
    sskdf_digest(SHA256?, secret.as_bytes(), &info, key).ok()
}
