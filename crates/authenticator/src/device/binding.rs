//! Binding a device's key after a card login.
//!
//! Trusted for: the key signed this login's identifier, the login was her own card's and is fresh, and a class that demands its maker's word is
//! bound with the proof of it ([`AttestedDeviceKey`]) and no other way. Does not: store the record.

use std::fmt;

use aws_lc_rs::digest;
use jose::jwk::P256PublicKey;
use jose::{UnixTime, base64url, jws};
use serde::{Deserialize, Serialize};

use super::{BoundKey, DeviceKey, HardwareMark, LIMITS, MAX_NAME_CHARS, Standing};
use crate::attestation::policy::AttestedDeviceKey;
use crate::level::{Acr, Method};
use crate::policy::{AuthenticationPolicy, DeviceClassRule, DeviceEvidence, Performed, Session};

/// JOSE header member `typ` of a binding proof.
pub const BINDING_TYP: &str = "healthid-device-binding+jwt";
/// Sets the challenge of key attestations apart from every other use of a login's identifier.
const ATTESTATION_DOMAIN: &[u8] = b"healthid/device-attestation/v1\0";
/// How long after a card login a device may be bound to it, in seconds.
pub const BINDING_WINDOW_SECONDS: u64 = 600;

/// What shows that a device is of its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClassEvidence {
    /// The app's word: for classes that ask for no more.
    Claimed {
        /// Name of the class.
        class: String,
    },
    /// The maker's word, judged.
    Attested(AttestedDeviceKey),
}

impl ClassEvidence {
    /// Name of the class it is evidence for.
    #[must_use]
    pub fn class(&self) -> &str {
        match self {
            Self::Claimed { class } => class,
            Self::Attested(key) => key.class(),
        }
    }
}

/// What the person wants bound.
#[derive(Clone, PartialEq, Eq)]
pub struct BindingRequest {
    /// Handle the provider drew for the device.
    pub device_id: [u8; 16],
    /// The person who just logged in by card.
    pub person_id: [u8; 16],
    /// The new key.
    pub public_key: P256PublicKey,
    /// What the person calls the device, at most [`MAX_NAME_CHARS`] characters.
    pub name: String,
    /// Of which class, and what shows it.
    pub evidence: ClassEvidence,
    /// Whether she consents to logins below high.
    pub consented_to_substantial: bool,
    /// The app's mark of the phone.
    pub hardware: Option<HardwareMark>,
}

/// Why a key is not bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// Only a card vouches for a device; a guest's does not.
    #[error("device: binding needs a fresh login with the person's own health card or identity card")]
    CardLoginNeeded,
    /// Too long after the card login.
    #[error("device: binding must happen within {BINDING_WINDOW_SECONDS} seconds of the card login")]
    TooLate,
    /// Name.
    #[error("device: name must have 1 to {MAX_NAME_CHARS} characters and no control characters")]
    Name,
    /// Class.
    #[error("device: class is not admitted by the insurer's policy")]
    Class,
    /// The class demands an attestation.
    #[error("device: this class demands a key attestation")]
    EvidenceMissing,
    /// Another key was attested.
    #[error("device: the attested key is not the key to be bound")]
    AttestedKey,
    /// It was attested in another login.
    #[error("device: the key was attested over another login's challenge")]
    AttestedChallenge,
    /// The class is for passkeys.
    #[error("device: this class is for passkeys")]
    PasskeyClass,
    /// A class below high is useless without the consent.
    #[error("device: this class reaches substantial only, which needs consent_to_substantial")]
    ConsentMissing,
    /// The proof cannot be read or has another form.
    #[error("device: proof must be a JWS with typ {BINDING_TYP} and exactly the member challenge_id")]
    ProofForm,
    /// The proof is over another login.
    #[error("device: proof is over another challenge_id")]
    ProofChallenge,
    /// Not signed with the key to be bound.
    #[error("device: proof is not signed with the key to be bound")]
    ProofSignature,
}

/// Payload of a binding proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BindingClaims {
    /// [`crate::challenge::Challenge::login_id`], base64url.
    pub challenge_id: String,
}

/// What a new key is attested over: SHA-256 of a domain and the login's identifier, so that a statement is good in one login.
#[must_use]
pub fn attestation_challenge(login_id: &[u8; 16]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(ATTESTATION_DOMAIN);
    context.update(login_id);
    let mut challenge = [0; 32];
    challenge.copy_from_slice(context.finish().as_ref());
    challenge
}

/// Binds a key to the person of a card login.
///
/// # Errors
/// [`BindingError`], the first check that fails.
pub fn bind(
    request: &BindingRequest,
    proof: &str,
    login_id: &[u8; 16],
    performed: &Performed,
    policy: &AuthenticationPolicy,
    now: UnixTime,
) -> Result<DeviceKey, BindingError> {
    check_occasion(&request.name, performed, now)?;
    let class = check_class(request, login_id, policy)?;
    check_consent(class, request.consented_to_substantial)?;
    check_proof(proof, login_id, &request.public_key)?;
    Ok(DeviceKey {
        device_id: request.device_id,
        person_id: request.person_id,
        key: BoundKey::P256(request.public_key.clone()),
        name: request.name.clone(),
        class: class.name.clone(),
        bound_at: now,
        confirmed_at: performed.auth_time,
        consented_to_substantial: request.consented_to_substantial,
        counter: 0,
        passkey: None,
        pin: None,
        hardware: request.hardware.clone(),
        inherited: None,
        standing: Standing::Free,
    })
}

/// The class, with the evidence it demands.
pub(super) fn check_class<'a>(
    request: &BindingRequest,
    login_id: &[u8; 16],
    policy: &'a AuthenticationPolicy,
) -> Result<&'a DeviceClassRule, BindingError> {
    let class = policy
        .device_class(request.evidence.class())
        .ok_or(BindingError::Class)?;
    match (class.evidence, &request.evidence) {
        (DeviceEvidence::Claimed, ClassEvidence::Claimed { .. }) => Ok(class),
        (DeviceEvidence::Claimed | DeviceEvidence::Attested, ClassEvidence::Attested(attested)) => {
            check_attested(attested, &request.public_key, login_id).map(|()| class)
        }
        (DeviceEvidence::Attested, ClassEvidence::Claimed { .. }) => Err(BindingError::EvidenceMissing),
        (DeviceEvidence::Passkey | DeviceEvidence::AttestedPasskey, _) => Err(BindingError::PasskeyClass),
    }
}

/// The maker's word is about this key, and was given in this login.
fn check_attested(attested: &AttestedDeviceKey, key: &P256PublicKey, login_id: &[u8; 16]) -> Result<(), BindingError> {
    if attested.key() != key {
        return Err(BindingError::AttestedKey);
    }
    if *attested.challenge() != attestation_challenge(login_id) {
        return Err(BindingError::AttestedChallenge);
    }
    Ok(())
}

/// What every binding needs, whatever is bound: a fresh login by card, not long ago, and a name.
pub(crate) fn check_occasion(name: &str, performed: &Performed, now: UnixTime) -> Result<(), BindingError> {
    let by_card = matches!(performed.method, Method::HealthCard | Method::IdentityCard);
    if !by_card || performed.session != Session::Fresh {
        return Err(BindingError::CardLoginNeeded);
    }
    if now < performed.auth_time || now.seconds_since(performed.auth_time) > BINDING_WINDOW_SECONDS {
        return Err(BindingError::TooLate);
    }
    check_name(name)
}

pub(super) fn check_name(name: &str) -> Result<(), BindingError> {
    let fits = (1..=MAX_NAME_CHARS).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(BindingError::Name)
    }
}

/// A class below high is useless without the consent to it.
pub(crate) fn check_consent(class: &DeviceClassRule, consented_to_substantial: bool) -> Result<(), BindingError> {
    check_consent_to(class.level, consented_to_substantial)
}

pub(super) fn check_consent_to(level: Acr, consented_to_substantial: bool) -> Result<(), BindingError> {
    if level == Acr::Substantial && !consented_to_substantial {
        return Err(BindingError::ConsentMissing);
    }
    Ok(())
}

pub(super) fn check_proof(proof: &str, login_id: &[u8; 16], key: &P256PublicKey) -> Result<(), BindingError> {
    let unverified = jws::parse(proof, &LIMITS).map_err(|_| BindingError::ProofForm)?;
    if unverified.header().typ.as_deref() != Some(BINDING_TYP) {
        return Err(BindingError::ProofForm);
    }
    let verified = unverified.verify(key).map_err(|_| BindingError::ProofSignature)?;
    let claims: BindingClaims = verified.claims(&LIMITS).map_err(|_| BindingError::ProofForm)?;
    if claims.challenge_id != base64url::encode(login_id) {
        return Err(BindingError::ProofChallenge);
    }
    Ok(())
}

impl fmt::Debug for BindingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BindingRequest")
    }
}
