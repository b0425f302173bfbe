//! The certificate in a token's header, read for people: whose it says it is, who says so, until when.
//!
//! Trusted for: nothing beyond reading. The key inside is compared with the verified one; names and dates are shown, not judged.

use jose::UnixTime;
use jose::jwk::P256PublicKey;
use serde::Serialize;
use transport::{certificate_thumbprint_hex, certificate_validity};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

/// Longest name shown, in characters.
const MAX_NAME_CHARACTERS: usize = 300;

/// What a certificate says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateAccount {
    /// Subject, as RFC 4514 writes names.
    pub subject: String,
    /// Issuer, in the same form.
    pub issuer: String,
    /// First second of validity.
    pub not_before: UnixTime,
    /// Last second of validity.
    pub not_after: UnixTime,
    /// SHA-256 of the DER, lower-case hexadecimal.
    pub sha256: String,
}

impl CertificateAccount {
    /// Reads a DER certificate; `None` if it is none.
    pub fn read(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let validity = certificate_validity(der).ok()?;
        let shown = |name: String| {
            name.chars()
                .filter(|c| !c.is_control())
                .take(MAX_NAME_CHARACTERS)
                .collect()
        };
        Some(Self {
            subject: shown(certificate.tbs_certificate().subject().to_string()),
            issuer: shown(certificate.tbs_certificate().issuer().to_string()),
            not_before: UnixTime(validity.not_before),
            not_after: UnixTime(validity.not_after),
            sha256: certificate_thumbprint_hex(der),
        })
    }
}

/// The P-256 key a certificate is for.
pub(crate) fn public_key_of(der: &[u8]) -> Option<P256PublicKey> {
    let certificate = Certificate::from_der(der).ok()?;
    let spki = certificate.tbs_certificate().subject_public_key_info().to_der().ok()?;
    P256PublicKey::from_spki_der(&spki).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jose::SoftwareKey;

    use super::*;
    use crate::client::TlsCredential;

    #[test]
    fn a_certificate_says_whose_it_is_and_for_which_key() {
        let key = SoftwareKey::generate("k").unwrap();
        let public = jose::Signer::public_key(&key).clone();
        let credential = TlsCredential::self_signed(key, "Ärztliche Auskunft", UnixTime(1_800_000_000), 30).unwrap();
        let account = CertificateAccount::read(credential.certificate()).unwrap();
        assert_eq!(account.subject, "CN=Ärztliche Auskunft");
        assert_eq!(account.issuer, account.subject);
        assert_eq!(account.not_after.0 - account.not_before.0 + 1, 30 * 86_400);
        assert_eq!(public_key_of(credential.certificate()), Some(public));
    }

    #[test]
    fn bytes_that_are_no_certificate_are_none() {
        for bytes in [&b""[..], b"\x30\x03\x02\x01\x00", b"certificate"] {
            assert_eq!(CertificateAccount::read(bytes), None);
            assert_eq!(public_key_of(bytes), None);
        }
    }
}
