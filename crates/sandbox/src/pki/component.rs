//! The authority that certifies token-signing keys, `GEM.KOMP-CA99 TEST-ONLY`.
//!
//! On P-256, where gematik's component authorities are on brainpoolP256r1: a relying party that follows `x5c` with an
//! ordinary JOSE library must be able to verify the chain (`docs/deviations.md`).

use authenticator::Ik;
use jose::jwk::P256PublicKey;
use jose::{SoftwareKey, UnixTime};

use super::x509::{self, IssuerKey, PkiError, Template};
use super::{DAY_SECONDS, derive_scalar, shortened};

/// Validity of a token-signing certificate, in days: five years, as observed at a live insurer.
pub const TOKEN_CERTIFICATE_DAYS: u64 = 5 * 365;

/// Issues C.FD.SIG certificates.
pub struct ComponentAuthority {
    key: IssuerKey,
    name: Vec<u8>,
    certificate: Vec<u8>,
}

impl ComponentAuthority {
    /// The authority of a seed. The key is always the same; the signature on its certificate is not, so keep the
    /// certificate where bytes matter, or compare keys.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn from_seed(seed: &[u8; 32], not_before: UnixTime) -> Result<Self, PkiError> {
        let scalar = derive_scalar(seed, "component authority");
        let key = SoftwareKey::from_scalar("component-authority", &scalar).map_err(|_| PkiError::Key)?;
        let key = IssuerKey::P256(Box::new(key));
        let name = x509::name(&[
            (x509::COUNTRY, "DE"),
            (x509::ORGANIZATION, "healthid sandbox NOT-VALID"),
            (x509::COMMON_NAME, "GEM.KOMP-CA99 TEST-ONLY"),
        ]);
        let certificate = super::authority_certificate(&name, &key, not_before, &["1.2.276.0.76.4.163"], None)?;
        Ok(Self { key, name, certificate })
    }

    /// The authority's certificate in DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// A token-signing certificate (C.FD.SIG, role oid_idpd_sek) of fewer than 700 bytes, valid from `not_before`.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn issue_token_certificate(
        &self,
        public_key: &P256PublicKey,
        insurer: &str,
        ik: &Ik,
        not_before: UnixTime,
    ) -> Result<Vec<u8>, PkiError> {
        let spki = public_key.to_spki_der();
        let template = Template {
            serial: super::serial(&spki, not_before),
            issuer: self.name.clone(),
            not_before,
            not_after: not_before.plus_seconds(TOKEN_CERTIFICATE_DAYS * DAY_SECONDS),
            subject: x509::name(&[
                (x509::COUNTRY, "DE"),
                (x509::ORGANIZATION, shortened(insurer)),
                (x509::ORGANIZATIONAL_UNIT, ik.as_str()),
                (x509::COMMON_NAME, shortened(insurer)),
            ]),
            extensions: vec![
                x509::authority_key_identifier(&self.key.spki()),
                x509::policies(&["1.2.276.0.76.4.163", "1.2.276.0.76.4.203"]),
                x509::admission("sektoraler IDP", "1.2.276.0.76.4.307"),
                x509::basic_constraints(false),
                x509::key_usage(x509::DIGITAL_SIGNATURE),
            ],
            spki,
        };
        x509::certificate(&template, &self.key)
    }
}
