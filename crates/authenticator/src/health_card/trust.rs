//! Whom the provider believes about cards: authorities with their rules, revocation lists, single revoked cards.
//!
//! gematik publishes its authorities in a signed list (TSL) and answers revocation questions by OCSP; both need the
//! network. This room takes certificates, lists and serial numbers from configuration instead, per authority, and
//! says per authority whether a current list must be there (`docs/deviations.md`).

use std::collections::BTreeSet;
use std::fmt;

use jose::UnixTime;
use serde::{Deserialize, Serialize};

use super::certificate::UnverifiedCertificate;
use super::crl::{CrlError, RevocationList};
use super::x509::{self, BrainpoolKey};

/// Most authorities one trust holds.
pub const MAX_AUTHORITIES: usize = 64;

/// Whether the numbers on an authority's cards must carry right check digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckDigits {
    /// KVNR and IK must have right check digits.
    #[default]
    Required,
    /// The pattern is enough: gematik's published test cards include numbers with wrong check digits.
    ShapeOnly,
}

/// How an authority's revoked cards are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revocation {
    /// A revocation list must be there and current, or its cards are refused.
    #[default]
    ListRequired,
    /// A list is used where there is one (and must then be current); without one, only [`RevokedCard`]s count.
    /// For authorities that answer by OCSP alone.
    ListIfPresent,
}

/// Rules for the cards of one authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthorityRules {
    /// Default: required.
    pub check_digits: CheckDigits,
    /// Default: a current list is required.
    pub revocation: Revocation,
}

impl AuthorityRules {
    /// What gematik's test PKI needs: numbers by shape only, and no revocation list, because it publishes none.
    #[must_use]
    pub const fn gematik_test_pki() -> Self {
        Self {
            check_digits: CheckDigits::ShapeOnly,
            revocation: Revocation::ListIfPresent,
        }
    }
}

/// One card revoked by configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedCard {
    /// Common name of the issuing authority, such as `GEM.EGK-CA51 TEST-ONLY`.
    pub issuer: String,
    /// Serial number in hexadecimal, upper or lower case.
    pub serial: String,
}

/// Why trust material is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// No certificate in DER or PEM.
    #[error("authority: expected one X.509 version 3 certificate in DER or PEM")]
    Malformed,
    /// No authority (basicConstraints CA and keyUsage keyCertSign, RFC 5280 §4.2.1.9, §4.2.1.3).
    #[error("authority: basicConstraints must say CA and keyUsage must contain keyCertSign")]
    NotAnAuthority,
    /// Another curve.
    #[error("authority: the key must be on brainpoolP256r1")]
    Curve,
    /// More than [`MAX_AUTHORITIES`].
    #[error("authorities: at most {MAX_AUTHORITIES}")]
    TooMany,
    /// The list is not acceptable.
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// A serial number is not hexadecimal.
    #[error("revoked: serial must be hexadecimal with an even number of digits")]
    Serial,
}

/// Authorities, lists and revoked cards. Build it once, share it; parsed keys are kept.
#[derive(Default)]
pub struct CardTrust {
    authorities: Vec<Authority>,
    revoked: BTreeSet<(String, Vec<u8>)>,
}

pub(crate) struct Authority {
    pub rules: AuthorityRules,
    pub key: BrainpoolKey,
    pub not_before: UnixTime,
    pub not_after: UnixTime,
    name: Vec<u8>,
    key_identifier: Option<Vec<u8>>,
    may_sign_lists: bool,
    list: Option<RevocationList>,
}

/// What is known about a serial number at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RevocationState {
    Good,
    Revoked,
    NoCurrentList,
}

impl CardTrust {
    /// Trusts nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the authority in `certificate` (DER or PEM) under `rules`. Its own issuer is not consulted: being
    /// configured is what makes it trusted.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn add_authority(&mut self, certificate: &[u8], rules: AuthorityRules) -> Result<(), TrustError> {
        let der = x509::der_or_pem(certificate).ok_or(TrustError::Malformed)?;
        let certificate = UnverifiedCertificate::parse(&der).map_err(|_| TrustError::Malformed)?;
        let usage = certificate.key_usage;
        if !certificate.is_authority || !usage.is_some_and(|usage| usage.key_cert_sign()) {
            return Err(TrustError::NotAnAuthority);
        }
        let key = certificate.key.ok_or(TrustError::Curve)?;
        if self.authorities.len() >= MAX_AUTHORITIES {
            return Err(TrustError::TooMany);
        }
        let not_before = certificate.not_before();
        let not_after = certificate.not_after();
        self.authorities.push(Authority {
            rules,
            key,
            not_before,
            not_after,
            name: certificate.subject,
            key_identifier: certificate.subject_key_identifier,
            may_sign_lists: usage.is_some_and(|usage| usage.crl_sign()),
            list: None,
        });
        Ok(())
    }

    /// Takes a revocation list (DER or PEM) signed by a trusted authority; a newer one replaces the one held.
    ///
    /// # Errors
    /// [`TrustError::Crl`] says why not.
    pub fn add_crl(&mut self, crl: &[u8]) -> Result<(), TrustError> {
        let der = x509::der_or_pem(crl).ok_or(CrlError::Malformed)?;
        let unverified = super::crl::UnverifiedCrl::parse(&der)?;
        let mut issuer_known = false;
        for authority in self
            .authorities
            .iter_mut()
            .filter(|a| a.name == unverified.issuer && a.may_sign_lists)
        {
            issuer_known = true;
            if !unverified.signed.is_signed_by(&authority.key) {
                continue;
            }
            if authority
                .list
                .as_ref()
                .is_some_and(|held| held.this_update > unverified.list.this_update)
            {
                return Err(CrlError::Older.into());
            }
            authority.list = Some(unverified.list);
            return Ok(());
        }
        Err(if issuer_known {
            CrlError::Signature
        } else {
            CrlError::UnknownIssuer
        }
        .into())
    }

    /// Refuses this card from now on, whatever the lists say.
    ///
    /// # Errors
    /// [`TrustError::Serial`].
    pub fn revoke(&mut self, card: &RevokedCard) -> Result<(), TrustError> {
        let serial = hexadecimal(&card.serial).ok_or(TrustError::Serial)?;
        self.revoked.insert((card.issuer.clone(), x509::serial(&serial)));
        Ok(())
    }

    /// Authorities that may have issued `certificate`: same name, and same key identifier where both state one.
    pub(crate) fn issuers_of<'a>(
        &'a self,
        certificate: &'a UnverifiedCertificate,
    ) -> impl Iterator<Item = &'a Authority> {
        self.authorities.iter().filter(|authority| {
            let identifiers = (&authority.key_identifier, &certificate.authority_key_identifier);
            let key_fits = match identifiers {
                (Some(own), Some(stated)) => own == stated,
                _ => true,
            };
            authority.name == certificate.issuer && key_fits
        })
    }

    /// Revocation of `certificate`, issued by `authority`, at `now`.
    pub(crate) fn revocation_state(
        &self,
        certificate: &UnverifiedCertificate,
        authority: &Authority,
        now: UnixTime,
    ) -> RevocationState {
        let configured = certificate
            .issuer_common_name()
            .is_some_and(|issuer| self.revoked.contains(&(issuer.to_owned(), certificate.serial.clone())));
        if configured {
            return RevocationState::Revoked;
        }
        match (&authority.list, authority.rules.revocation) {
            (Some(list), _) if list.contains(&certificate.serial) => RevocationState::Revoked,
            (Some(list), _) if list.is_current(now) => RevocationState::Good,
            (Some(_), _) | (None, Revocation::ListRequired) => RevocationState::NoCurrentList,
            (None, Revocation::ListIfPresent) => RevocationState::Good,
        }
    }
}

impl fmt::Debug for CardTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardTrust({} authorities)", self.authorities.len())
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            let [high, low] = pair else { return None };
            u8::try_from(digit(high)? * 16 + digit(low)?).ok()
        })
        .collect()
}
