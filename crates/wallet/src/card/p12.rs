//! Cards from PKCS#12 files: one key on brainpoolP256r1 and its certificate.

use ecdsa::elliptic_curve::pkcs8::DecodePrivateKey;
use p12_keystore::Pkcs12Archive;

use super::{CardError, CardKey, PinRule, VirtualCard};

/// Largest file read.
pub const MAX_P12_BYTES: usize = 64 * 1024;

/// Why a file is no card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum P12Error {
    /// Too large, no PKCS#12, or the password is wrong.
    #[error("card file: expected PKCS#12 of at most {MAX_P12_BYTES} bytes and its password (gematik's test cards: 00)")]
    Unreadable,
    /// No private key on brainpoolP256r1.
    #[error("card file: expected one private key on brainpoolP256r1")]
    Key,
    /// No certificate belongs to the key.
    #[error("card file: expected the certificate of the private key")]
    Certificate,
}

pub(super) fn load(bytes: &[u8], password: &str) -> Result<VirtualCard, P12Error> {
    if bytes.len() > MAX_P12_BYTES {
        return Err(P12Error::Unreadable);
    }
    let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(|_| P12Error::Unreadable)?;
    let key = archive
        .keys
        .iter()
        .find_map(|bag| CardKey::from_pkcs8_der(bag.key.as_der()).ok())
        .ok_or(P12Error::Key)?;
    for certificate in &archive.certs {
        match VirtualCard::assemble(key.clone(), certificate.cert.as_der(), PinRule::Any) {
            Ok(card) => return Ok(card),
            // The file may carry the issuers' certificates too.
            Err(CardError::KeyMismatch | CardError::Certificate) => {}
            Err(_) => return Err(P12Error::Key),
        }
    }
    Err(P12Error::Certificate)
}
