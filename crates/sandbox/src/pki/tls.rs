//! TLS: the sandbox's authority with its server certificates, and self-signed client certificates.

use std::net::IpAddr;

use jose::jwk::P256PublicKey;
use jose::{SoftwareKey, UnixTime};
use zeroize::Zeroizing;

use super::x509::{self, IssuerKey, PkiError, Template};
use super::{DAY_SECONDS, derive_scalar};

/// Validity of a server certificate, in days.
pub const SERVER_CERTIFICATE_DAYS: u64 = 365;
/// Longest validity of a client certificate, in days (A_23185-01).
pub const CLIENT_CERTIFICATE_MAX_DAYS: u64 = 398;

/// Issues server certificates for the sandbox's own names.
///
/// The authority is constrained to the names it was made for and to loopback addresses (RFC 5280 §4.2.1.10), so that
/// somebody who trusts it in a browser trusts it for the sandbox only.
pub struct TlsAuthority {
    key: IssuerKey,
    name: Vec<u8>,
    certificate: Vec<u8>,
}

/// A private key and its certificate.
pub struct KeyAndCertificate {
    /// PKCS#8 DER, unencrypted.
    pub key_pkcs8: Zeroizing<Vec<u8>>,
    /// DER.
    pub certificate: Vec<u8>,
}

impl TlsAuthority {
    /// The authority of a seed for `dns_names` and everything below them. The seed must be secret and random
    /// wherever anybody imports the certificate into a browser.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn from_seed(seed: &[u8; 32], dns_names: &[&str], not_before: UnixTime) -> Result<Self, PkiError> {
        let scalar = derive_scalar(seed, "tls authority");
        let key = SoftwareKey::from_scalar("tls-authority", &scalar).map_err(|_| PkiError::Key)?;
        let key = IssuerKey::P256(Box::new(key));
        let name = x509::name(&[
            (x509::ORGANIZATION, "healthid sandbox NOT-VALID"),
            (x509::COMMON_NAME, "healthid sandbox TLS-CA TEST-ONLY"),
        ]);
        let constraints = x509::name_constraints(dns_names);
        let certificate = super::authority_certificate(&name, &key, not_before, &[], Some(constraints))?;
        Ok(Self { key, name, certificate })
    }

    /// The authority's certificate in DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// A fresh key with a certificate for these names and addresses.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn issue_server(
        &self,
        dns_names: &[&str],
        addresses: &[IpAddr],
        now: UnixTime,
    ) -> Result<KeyAndCertificate, PkiError> {
        let key = SoftwareKey::generate("tls").map_err(|_| PkiError::Key)?;
        let certificate = self.certify_server(key.public_key(), dns_names, addresses, now)?;
        let key_pkcs8 = key.to_pkcs8_der();
        Ok(KeyAndCertificate { key_pkcs8, certificate })
    }

    /// A server certificate for a key held elsewhere. Valid from an hour before `now`.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn certify_server(
        &self,
        public_key: &P256PublicKey,
        dns_names: &[&str],
        addresses: &[IpAddr],
        now: UnixTime,
    ) -> Result<Vec<u8>, PkiError> {
        let spki = public_key.to_spki_der();
        let common_name = dns_names.first().copied().unwrap_or("localhost");
        let template = Template {
            serial: super::serial(&spki, now),
            issuer: self.name.clone(),
            not_before: now.minus_seconds(3600),
            not_after: now.plus_seconds(SERVER_CERTIFICATE_DAYS * DAY_SECONDS),
            subject: x509::name(&[(x509::COMMON_NAME, common_name)]),
            extensions: vec![
                x509::subject_key_identifier(&spki),
                x509::authority_key_identifier(&self.key.spki()),
                x509::subject_alt_name(dns_names, addresses),
                x509::extended_key_usage(&["1.3.6.1.5.5.7.3.1"]),
                x509::basic_constraints(false),
                x509::key_usage(x509::DIGITAL_SIGNATURE),
            ],
            spki,
        };
        x509::certificate(&template, &self.key)
    }
}

/// A self-signed TLS client certificate with a fresh P-256 key, as services authenticate with (RFC 8705 §2.2).
/// `days` beyond [`CLIENT_CERTIFICATE_MAX_DAYS`] are cut. Valid from `now`.
///
/// # Errors
/// [`PkiError`].
pub fn client_certificate(common_name: &str, now: UnixTime, days: u64) -> Result<KeyAndCertificate, PkiError> {
    let key = SoftwareKey::generate("tls-client").map_err(|_| PkiError::Key)?;
    let key_pkcs8 = key.to_pkcs8_der();
    let spki = key.public_key().to_spki_der();
    let name = x509::name(&[(x509::COMMON_NAME, common_name)]);
    let template = Template {
        serial: super::serial(&spki, now),
        issuer: name.clone(),
        not_before: now,
        // The last second counts, so a full number of days would be one second too many.
        not_after: now
            .plus_seconds(days.min(CLIENT_CERTIFICATE_MAX_DAYS) * DAY_SECONDS)
            .minus_seconds(1),
        subject: name,
        extensions: vec![
            x509::subject_key_identifier(&spki),
            x509::extended_key_usage(&["1.3.6.1.5.5.7.3.2"]),
            x509::basic_constraints(false),
            x509::key_usage(x509::DIGITAL_SIGNATURE),
        ],
        spki,
    };
    let certificate = x509::certificate(&template, &IssuerKey::P256(Box::new(key)))?;
    Ok(KeyAndCertificate { key_pkcs8, certificate })
}
