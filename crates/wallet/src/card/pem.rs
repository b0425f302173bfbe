//! A card as PEM, for software that plays one itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ecdsa::elliptic_curve::pkcs8::{EncodePrivateKey, LineEnding};
use zeroize::Zeroizing;

use super::{CardError, VirtualCard};

/// Characters of a line (RFC 7468 §2).
const LINE_CHARACTERS: usize = 64;

impl VirtualCard {
    /// Private key (PKCS#8) and certificate, one after the other. Whoever has them needs no PIN.
    ///
    /// # Errors
    /// [`CardError::Key`], if it cannot be encoded.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, CardError> {
        let mut pem = self.key.to_pkcs8_pem(LineEnding::LF).map_err(|_| CardError::Key)?;
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let certificate = STANDARD.encode(&self.certificate);
        for line in certificate.as_bytes().chunks(LINE_CHARACTERS) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        Ok(pem)
    }
}
