//! A TLS client key with its self-signed certificate (RFC 8705 §2.2; A_23183, A_23185-01).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jose::jwk::{Jwk, KeyUse};
use jose::{SoftwareKey, UnixTime};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use transport::{
    CertificateError, CertificateValidity, ClientIdentity, TlsError, certificate_thumbprint, certificate_validity,
};

/// Longest life of a TLS client certificate, in days (A_23185-01).
pub const MAX_CERTIFICATE_DAYS: u32 = 398;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;
/// The certificate begins this much earlier than the clock says, for peers whose clocks are behind.
const BACKDATE_SECONDS: u64 = 60 * 60;

/// Why there is no TLS credential.
#[derive(Debug, thiserror::Error)]
pub enum TlsCredentialError {
    /// The life asked for is not 1 to [`MAX_CERTIFICATE_DAYS`] days.
    #[error("TLS client certificate: lifetime must be 1 to {MAX_CERTIFICATE_DAYS} days (A_23185-01)")]
    Lifetime,
    /// The certificate could not be made.
    #[error("TLS client certificate: could not be made")]
    NotMade,
    /// The certificate cannot be read.
    #[error("TLS client certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The key does not belong to the certificate, or TLS cannot use it.
    #[error("TLS client certificate: {0}")]
    Tls(#[from] TlsError),
}

/// Key and self-signed certificate with which a service shows itself at PAR and token endpoint. Cheap to clone.
#[derive(Clone)]
pub struct TlsCredential {
    key: Arc<SoftwareKey>,
    certificate: Arc<[u8]>,
    validity: CertificateValidity,
    identity: ClientIdentity,
}

impl TlsCredential {
    /// Makes a self-signed certificate for a key: subject and issuer `CN=common_name`, valid for `lifetime_days` from an hour before
    /// `now`.
    ///
    /// # Errors
    /// [`TlsCredentialError`].
    pub fn self_signed(
        key: SoftwareKey,
        common_name: &str,
        now: UnixTime,
        lifetime_days: u32,
    ) -> Result<Self, TlsCredentialError> {
        if !(1..=MAX_CERTIFICATE_DAYS).contains(&lifetime_days) {
            return Err(TlsCredentialError::Lifetime);
        }
        let not_before = now.minus_seconds(BACKDATE_SECONDS);
        let not_after = not_before.plus_seconds(u64::from(lifetime_days) * SECONDS_PER_DAY - 1);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(not_before.0);
        params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(not_after.0);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let pair = KeyPair::try_from(key.to_pkcs8_der().as_slice()).map_err(|_| TlsCredentialError::NotMade)?;
        let certificate = params.self_signed(&pair).map_err(|_| TlsCredentialError::NotMade)?;
        Self::new(key, certificate.der())
    }

    /// Takes an existing certificate (DER) with its key.
    ///
    /// # Errors
    /// [`TlsCredentialError::Certificate`], [`TlsCredentialError::Tls`].
    pub fn new(key: SoftwareKey, certificate: &[u8]) -> Result<Self, TlsCredentialError> {
        let validity = certificate_validity(certificate)?;
        let identity = ClientIdentity::new(&[certificate.to_vec()], &key.to_pkcs8_der())?;
        Ok(Self {
            key: Arc::new(key),
            certificate: certificate.into(),
            validity,
            identity,
        })
    }

    /// The key's identifier.
    pub fn kid(&self) -> &str {
        self.key.kid()
    }

    /// The certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// When the certificate is valid (GS-A_4662: the other side checks it too).
    pub fn validity(&self) -> CertificateValidity {
        self.validity
    }

    /// `x5t#S256` of the certificate, as a provider names it when it refuses one.
    pub fn thumbprint(&self) -> String {
        certificate_thumbprint(&self.certificate)
    }

    /// The key as the statement publishes it: `use` `sig`, `x5c` with exactly this certificate.
    pub fn jwk(&self) -> Jwk {
        Jwk {
            x5c: vec![self.certificate.to_vec()],
            ..self.key.jwk(KeyUse::Signature)
        }
    }

    /// For [`transport::HttpClientBuilder::identity`].
    pub fn identity(&self) -> &ClientIdentity {
        &self.identity
    }

    /// The private key, to be kept.
    pub fn key(&self) -> &SoftwareKey {
        &self.key
    }
}

impl fmt::Debug for TlsCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TlsCredential")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    #[test]
    fn a_certificate_is_valid_for_the_days_asked_for_and_carries_its_key() {
        let credential = TlsCredential::self_signed(
            SoftwareKey::generate("tls").unwrap(),
            "https://service.example",
            NOW,
            398,
        )
        .unwrap();
        let validity = credential.validity();
        assert!(validity.contains(NOW.0));
        assert_eq!(validity.not_after - validity.not_before + 1, 398 * SECONDS_PER_DAY);
        let jwk = credential.jwk();
        assert_eq!(jwk.x5c, [credential.certificate()]);
        assert_eq!(jwk.key_use, Some(KeyUse::Signature));
    }

    #[test]
    fn lifetimes_beyond_398_days_and_none_at_all_are_refused() {
        for days in [0, 399] {
            let refused = TlsCredential::self_signed(SoftwareKey::generate("tls").unwrap(), "x", NOW, days);
            assert!(matches!(refused, Err(TlsCredentialError::Lifetime)), "{days}");
        }
    }

    #[test]
    fn a_certificate_of_another_key_is_refused() {
        let own = TlsCredential::self_signed(SoftwareKey::generate("a").unwrap(), "x", NOW, 1).unwrap();
        let refused = TlsCredential::new(SoftwareKey::generate("b").unwrap(), own.certificate());
        assert!(matches!(refused, Err(TlsCredentialError::Tls(_))));
        let broken = TlsCredential::new(SoftwareKey::generate("b").unwrap(), b"no certificate");
        assert!(matches!(broken, Err(TlsCredentialError::Certificate(_))));
    }
}
