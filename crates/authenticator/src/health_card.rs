//! Login with health card (eGK) and PIN: the card's answer to a challenge, and whom it identifies.
//!
//! The answer follows the pattern of the central IDP service: a JWS with `alg` `BP256R1`, `cty` `NJWT`, `x5c` with the
//! card's authentication certificate C.CH.AUT, and the payload `{"njwt": "<challenge>"}`. The PIN is checked by the
//! card itself and is never seen here.
//!
//! Checks run in the order certificate (validity, chain, contents, insurer, revocation), then signature, and each has
//! its own refusal. Trusted for: a card of a trusted authority, of an accepted insurer, not revoked, signed exactly
//! this challenge. Does not: ask OCSP, read the TSL, know who is registered.

use std::fmt;

use ecdsa::signature::Verifier;
use jose::json::{self, Limits};
use jose::{UnixTime, jws};
use serde::Deserialize;
use x509_cert::der::asn1::ObjectIdentifier;

use crate::challenge::VerifiedChallenge;
use crate::identifier::{Ik, Kvnr};
use crate::level::{Acr, Method};
use crate::person::{AuthenticatedPerson, Subject};

mod admission;
mod certificate;
mod crl;
mod trust;
pub(crate) mod x509;

pub use certificate::{CertificateError, MAX_CERTIFICATE_BYTES, UnverifiedCertificate};
pub use crl::{CRL_CLOCK_SKEW_SECONDS, CrlError, MAX_CRL_BYTES};
pub use trust::{AuthorityRules, CardTrust, CheckDigits, MAX_AUTHORITIES, Revocation, RevokedCard, TrustError};

use trust::{Authority, RevocationState};

/// JOSE header member `cty` of a card's answer.
pub const CTY: &str = "NJWT";
/// Largest answer read.
pub const LIMITS: Limits = Limits {
    bytes: 20 * 1024,
    depth: 4,
};

/// Policy oid_egk_aut: authentication certificate of a card holder.
const POLICY_EGK_AUT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.276.0.76.4.70");

/// A card's answer, well formed, nothing else.
pub struct UnverifiedCardResponse {
    jws: jws::UnverifiedJws,
    certificate: UnverifiedCertificate,
    challenge: String,
}

/// Why bytes are no card's answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardResponseError {
    /// No JWS of the expected form.
    #[error("card response: {0}")]
    Jws(#[from] jws::JwsError),
    /// Not signed the way cards sign.
    #[error("card response: header alg must be BP256R1")]
    Algorithm,
    /// Content type.
    #[error("card response: header cty must be {CTY}")]
    Cty,
    /// Not exactly one certificate.
    #[error("card response: header x5c must hold exactly the card's certificate")]
    CertificateCount,
    /// The certificate cannot be read.
    #[error("card response: {0}")]
    Certificate(#[from] CertificateError),
    /// Payload.
    #[error("card response: the payload must be an object with exactly the member njwt")]
    Payload,
}

/// Why a well-formed answer does not authenticate anybody. In the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HealthCardError {
    /// Before `notBefore`.
    #[error("certificate: not valid yet (notBefore, RFC 5280 section 4.1.2.5)")]
    NotYetValid,
    /// After `notAfter`.
    #[error("certificate: expired (notAfter, RFC 5280 section 4.1.2.5)")]
    Expired,
    /// The issuer is nobody we trust.
    #[error("certificate: issued by no trusted authority")]
    UnknownAuthority,
    /// The authority itself is outside its validity.
    #[error("certificate: the issuing authority is outside its validity")]
    AuthorityExpired,
    /// The authority did not sign it, or not with ecdsa-with-SHA256.
    #[error("certificate: the signature is not the authority's ecdsa-with-SHA256 signature")]
    CertificateSignature,
    /// The key is on another curve.
    #[error("certificate: the key must be on brainpoolP256r1")]
    Curve,
    /// A critical extension nobody here understands (RFC 5280 §4.2).
    #[error("certificate: unknown critical extension (RFC 5280 section 4.2)")]
    CriticalExtension,
    /// An authority's certificate in a card's place.
    #[error("certificate: basicConstraints must not say CA")]
    IsAuthority,
    /// keyUsage.
    #[error("certificate: keyUsage must contain digitalSignature")]
    KeyUsage,
    /// certificatePolicies.
    #[error("certificate: certificatePolicies must contain 1.2.276.0.76.4.70 (card holder authentication)")]
    Policy,
    /// There is no admission extension.
    #[error("certificate: the admission extension 1.3.36.8.3.3 is missing")]
    AdmissionMissing,
    /// The admission names another profession, or none.
    #[error("certificate: the admission must name 1.2.276.0.76.4.49 (insured person)")]
    Profession,
    /// No organizational unit can be the KVNR.
    #[error("certificate: no organizational unit holds a KVNR")]
    InsuranceNumberMissing,
    /// A unit is there that should be the KVNR, but is none.
    #[error("certificate: an organizational unit is neither an IK nor a well-formed KVNR")]
    InsuranceNumberMalformed,
    /// More than one.
    #[error("certificate: more than one organizational unit holds a KVNR")]
    InsuranceNumberAmbiguous,
    /// No organizational unit is an institution code.
    #[error("certificate: no organizational unit holds an IK")]
    InsurerMissing,
    /// More than one.
    #[error("certificate: more than one organizational unit holds an IK")]
    InsurerAmbiguous,
    /// KVNR or IK with a wrong check digit, where the authority's rules demand right ones.
    #[error("certificate: the check digit of the KVNR or of the IK does not fit")]
    CheckDigit,
    /// Another insurer's card.
    #[error("certificate: the card was issued by another insurer")]
    InsurerNotAccepted,
    /// Revoked.
    #[error("certificate: revoked")]
    Revoked,
    /// Nothing current is known about revocation.
    #[error("certificate: no current revocation list of the authority")]
    RevocationUnknown,
    /// The answer is to another challenge.
    #[error("card response: njwt is not the challenge of this login")]
    ChallengeMismatch,
    /// The card did not sign it.
    #[error("card response: the signature is not the card's")]
    Signature,
}

/// A card whose certificate passed every check, at one moment. Constructible only by [`verify_certificate`].
///
/// May be remembered for as long as the provider would accept the revocation state to be stale; the signature over
/// the challenge is checked anew in any case.
pub struct VerifiedCard {
    kvnr: Kvnr,
    ik: Ik,
    key: x509::BrainpoolKey,
    certificate_digest: [u8; 32],
}

/// Reads a card's answer. Total; verifies nothing.
///
/// # Errors
/// [`CardResponseError`].
pub fn parse_response(token: &str) -> Result<UnverifiedCardResponse, CardResponseError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Payload {
        njwt: String,
    }
    let jws = jws::parse(token, &LIMITS)?;
    let header = jws.header();
    if header.alg != jws::Algorithm::Bp256R1 {
        return Err(CardResponseError::Algorithm);
    }
    if header.cty.as_deref() != Some(CTY) {
        return Err(CardResponseError::Cty);
    }
    let [certificate] = header.x5c.as_slice() else {
        return Err(CardResponseError::CertificateCount);
    };
    let certificate = UnverifiedCertificate::parse(certificate)?;
    let Payload { njwt } = json::parse_as(jws.unverified_payload(), &LIMITS).map_err(|_| CardResponseError::Payload)?;
    Ok(UnverifiedCardResponse {
        certificate,
        challenge: njwt,
        jws,
    })
}

impl UnverifiedCardResponse {
    /// The challenge the answer claims to answer: to be verified by [`crate::challenge::verify`].
    #[must_use]
    pub fn challenge_token(&self) -> &str {
        &self.challenge
    }

    /// The card's certificate, not verified.
    #[must_use]
    pub fn certificate(&self) -> &UnverifiedCertificate {
        &self.certificate
    }

    /// SHA-256 of the card's certificate: for rate limits per card, and for finding a remembered [`VerifiedCard`].
    #[must_use]
    pub fn certificate_digest(&self) -> [u8; 32] {
        digest_of(self.jws.header().x5c.first().map(Vec::as_slice).unwrap_or_default())
    }
}

/// Verifies a card's answer completely: certificate first, then the signature over exactly `challenge`.
///
/// # Errors
/// [`HealthCardError`], the first check that fails.
pub fn verify(
    response: &UnverifiedCardResponse,
    challenge: &VerifiedChallenge,
    trust: &CardTrust,
    accepted_iks: &[Ik],
    now: UnixTime,
) -> Result<AuthenticatedPerson, HealthCardError> {
    let card = verify_certificate(response, trust, accepted_iks, now)?;
    verify_with_card(response, challenge, &card, now)
}

/// First half of [`verify`]: everything about the certificate.
///
/// # Errors
/// [`HealthCardError`], up to [`HealthCardError::RevocationUnknown`].
pub fn verify_certificate(
    response: &UnverifiedCardResponse,
    trust: &CardTrust,
    accepted_iks: &[Ik],
    now: UnixTime,
) -> Result<VerifiedCard, HealthCardError> {
    let certificate = &response.certificate;
    check_validity(certificate, now)?;
    let authority = check_chain(certificate, trust, now)?;
    let key = check_contents(certificate)?;
    let (kvnr, ik) = check_identity(certificate, authority)?;
    check_insurer(ik, accepted_iks)?;
    check_revocation(certificate, authority, trust, now)?;
    Ok(VerifiedCard {
        kvnr,
        ik,
        key,
        certificate_digest: response.certificate_digest(),
    })
}

/// Second half of [`verify`]: that the card signed this challenge.
///
/// # Errors
/// [`HealthCardError::ChallengeMismatch`], [`HealthCardError::Signature`]; the latter also where `card` is not the
/// card of this answer.
pub fn verify_with_card(
    response: &UnverifiedCardResponse,
    challenge: &VerifiedChallenge,
    card: &VerifiedCard,
    now: UnixTime,
) -> Result<AuthenticatedPerson, HealthCardError> {
    if response.challenge != challenge.token() {
        return Err(HealthCardError::ChallengeMismatch);
    }
    if card.certificate_digest != response.certificate_digest() {
        return Err(HealthCardError::Signature);
    }
    let signature =
        x509::BrainpoolSignature::from_slice(response.jws.signature()).map_err(|_| HealthCardError::Signature)?;
    card.key
        .verify(response.jws.signing_input(), &signature)
        .map_err(|_| HealthCardError::Signature)?;
    let subject = Subject::Card {
        kvnr: card.kvnr.clone(),
        ik: card.ik,
    };
    Ok(AuthenticatedPerson::new(
        subject,
        Method::HealthCard,
        Acr::High,
        now,
        false,
    ))
}

fn check_validity(certificate: &UnverifiedCertificate, now: UnixTime) -> Result<(), HealthCardError> {
    if now < certificate.not_before() {
        return Err(HealthCardError::NotYetValid);
    }
    if now > certificate.not_after() {
        return Err(HealthCardError::Expired);
    }
    Ok(())
}

fn check_chain<'a>(
    certificate: &'a UnverifiedCertificate,
    trust: &'a CardTrust,
    now: UnixTime,
) -> Result<&'a Authority, HealthCardError> {
    let mut refusal = HealthCardError::UnknownAuthority;
    for authority in trust.issuers_of(certificate) {
        if now < authority.not_before || now > authority.not_after {
            refusal = HealthCardError::AuthorityExpired;
        } else if certificate.signed.is_signed_by(&authority.key) {
            return Ok(authority);
        } else {
            refusal = HealthCardError::CertificateSignature;
        }
    }
    Err(refusal)
}

fn check_contents(certificate: &UnverifiedCertificate) -> Result<x509::BrainpoolKey, HealthCardError> {
    let key = certificate.key.ok_or(HealthCardError::Curve)?;
    if certificate.unknown_critical_extension {
        return Err(HealthCardError::CriticalExtension);
    }
    if certificate.is_authority {
        return Err(HealthCardError::IsAuthority);
    }
    if !certificate.key_usage.is_some_and(|usage| usage.digital_signature()) {
        return Err(HealthCardError::KeyUsage);
    }
    if !certificate.policies.contains(&POLICY_EGK_AUT) {
        return Err(HealthCardError::Policy);
    }
    let professions = certificate
        .professions
        .as_ref()
        .ok_or(HealthCardError::AdmissionMissing)?;
    if !professions.contains(&admission::INSURED_PERSON) {
        return Err(HealthCardError::Profession);
    }
    Ok(key)
}

/// KVNR and IK from the organizational units, told apart by pattern, never by order (gematik digest 12).
fn check_identity(certificate: &UnverifiedCertificate, authority: &Authority) -> Result<(Kvnr, Ik), HealthCardError> {
    let mut kvnr = None;
    let mut ik = None;
    let mut neither = false;
    for unit in certificate.organizational_units() {
        if let Ok(found) = Kvnr::parse_shape(unit) {
            if kvnr.replace(found).is_some() {
                return Err(HealthCardError::InsuranceNumberAmbiguous);
            }
        } else if let Ok(found) = Ik::parse_shape(unit) {
            if ik.replace(found).is_some() {
                return Err(HealthCardError::InsurerAmbiguous);
            }
        } else {
            neither = true;
        }
    }
    let kvnr = kvnr.ok_or(if neither {
        HealthCardError::InsuranceNumberMalformed
    } else {
        HealthCardError::InsuranceNumberMissing
    })?;
    let ik = ik.ok_or(HealthCardError::InsurerMissing)?;
    let fit = kvnr.check_digit_fits() && ik.check_digit_fits();
    if authority.rules.check_digits == CheckDigits::Required && !fit {
        return Err(HealthCardError::CheckDigit);
    }
    Ok((kvnr, ik))
}

fn check_insurer(ik: Ik, accepted: &[Ik]) -> Result<(), HealthCardError> {
    if accepted.contains(&ik) {
        Ok(())
    } else {
        Err(HealthCardError::InsurerNotAccepted)
    }
}

fn check_revocation(
    certificate: &UnverifiedCertificate,
    authority: &Authority,
    trust: &CardTrust,
    now: UnixTime,
) -> Result<(), HealthCardError> {
    match trust.revocation_state(certificate, authority, now) {
        RevocationState::Good => Ok(()),
        RevocationState::Revoked => Err(HealthCardError::Revoked),
        RevocationState::NoCurrentList => Err(HealthCardError::RevocationUnknown),
    }
}

fn digest_of(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).into()
}

impl fmt::Debug for UnverifiedCardResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedCardResponse")
    }
}

impl fmt::Debug for VerifiedCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifiedCard")
    }
}

#[cfg(test)]
mod tests;
