//! Device keys: what is kept of one, and logging in with it until the card is due again. [`bind`] has a file of its own.
//!
//! The key lives in the person's device and is unlocked there (PIN, biometry). The provider keeps the record
//! [`DeviceKey`] and sees signatures only: at binding over the login's identifier, at each login over
//! `{challenge, decision, time, counter}`.
//!
//! Trusted for: an assertion was made by the bound key, for exactly this challenge, while the card confirmation is
//! recent enough and nothing stands against the device. Does not: store the record, remember what was locked
//! ([`Standing`]), or notice a cloned key before the counter does.

mod binding;
mod key;
mod look;
mod moving;
mod passkey_record;

use std::fmt;

use jose::json::{self, Limits};
use jose::{UnixTime, base64url, jws};
use serde::{Deserialize, Serialize};

use crate::challenge::VerifiedChallenge;
use crate::level::{Acr, Method};
use crate::person::{AuthenticatedPerson, Subject};
use crate::pin::PinShare;
use crate::policy::{AuthenticationPolicy, Performed, Session};

pub use self::binding::{
    BINDING_TYP, BINDING_WINDOW_SECONDS, BindingClaims, BindingError, BindingRequest, ClassEvidence,
    attestation_challenge, bind,
};
pub(crate) use self::binding::{check_consent, check_occasion};
pub(crate) use self::key::{BoundKey, RsaModulus};
pub use self::key::{RSA_EXPONENT, RSA_MODULUS_BYTES};
pub use self::look::{
    LOOK_TYP, LookClaims, LookError, LookPurpose, MAX_ENDPOINT_BYTES, UnverifiedLook, check_may_look, parse_look,
    verify_look,
};
use self::moving::Inherited;
pub use self::moving::{Candidate, Voucher, VoucherError, move_id};
pub(crate) use self::passkey_record::PasskeyRecord;
pub use self::passkey_record::{MAX_KEPT_ID_BYTES, MAX_KEPT_ID_BYTES_WITH_RSA};

/// JOSE header member `typ` of an assertion.
pub const ASSERTION_TYP: &str = "healthid-device-assertion+jwt";
/// Largest assertion or proof read.
pub const LIMITS: Limits = Limits {
    bytes: 12 * 1024,
    depth: 4,
};
/// Longest device name, in characters.
pub const MAX_NAME_CHARS: usize = 64;
/// How far the device's clock may be off, in seconds, either way.
pub const CLOCK_SKEW_SECONDS: u64 = 300;

/// A bound key, as the provider stores it (sealed).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceKey {
    /// Handle of the device.
    pub device_id: [u8; 16],
    /// The person it is bound to.
    pub person_id: [u8; 16],
    key: BoundKey,
    /// What the person calls the device.
    pub name: String,
    /// Device class, a name the policy knows.
    pub class: String,
    /// When the key was bound.
    pub bound_at: UnixTime,
    /// When a card login last confirmed it; the interval of the class counts from here.
    pub confirmed_at: UnixTime,
    /// Whether the person consented, informed, to logins below high with this device (A_27593).
    pub consented_to_substantial: bool,
    /// The last counter seen; the next assertion's must be greater.
    pub counter: u64,
    /// Where the key is a passkey's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passkey: Option<PasskeyRecord>,
    /// Where the app has a PIN: our half of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<PinShare>,
    /// The app's own mark of the phone, which survives a new installation of the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hardware: Option<HardwareMark>,
    /// Where another device vouched for it, and no card has since: it reaches no further than that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inherited: Option<Inherited>,
    /// What was said about it since it was bound: not in the record, which an older database could bring back. Whoever lets it
    /// log in says it with [`DeviceKey::stands`].
    #[serde(skip)]
    standing: Standing,
}

/// An app's own mark of a phone: says that two keys were made by the same app on the same phone. Nothing is proven by it.
#[derive(Clone, PartialEq, Eq)]
pub struct HardwareMark([u8; 32]);

/// What has been said about a device since it was bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// Nothing against it.
    #[default]
    Free,
    /// The person has locked it.
    Locked,
    /// The person's block code has blocked all devices that no card login has confirmed since.
    Blocked,
}

/// The person's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Log in.
    Approve,
    /// Do not.
    Decline,
}

/// Payload of an assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssertionClaims {
    /// The challenge's token.
    pub challenge: String,
    /// The answer.
    pub decision: Decision,
    /// The device's clock.
    pub time: UnixTime,
    /// Counts every assertion of this key.
    pub counter: u64,
}

/// An assertion, well formed, nothing else.
#[derive(Debug)]
pub struct UnverifiedAssertion {
    jws: jws::UnverifiedJws,
    claims: AssertionClaims,
}

/// A device login that succeeded.
#[derive(Debug)]
pub struct VerifiedAssertion {
    /// Who it was.
    pub person: AuthenticatedPerson,
    /// To be stored in [`DeviceKey::counter`] with the login's commit.
    pub counter: u64,
}

/// Why a device login fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No JWS of the expected form.
    #[error("device response: {0}")]
    Jws(#[from] jws::JwsError),
    /// Header.
    #[error("device response: header typ must be {ASSERTION_TYP} and alg ES256")]
    Header,
    /// Payload.
    #[error("device response: expected exactly the members challenge, decision, time, counter")]
    Payload,
    /// Not over this challenge.
    #[error("device response: challenge is not the challenge of this login")]
    ChallengeMismatch,
    /// Not by this key.
    #[error("device response: the signature is not the bound key's")]
    Signature,
    /// Seen before, or a clone of the key counts too.
    #[error("device response: counter must be greater than the last one")]
    Counter,
    /// The device's clock is off.
    #[error("device response: time must be within {CLOCK_SKEW_SECONDS} seconds of the provider's")]
    Clock,
    /// The person said no.
    #[error("device response: the person declined")]
    Declined,
    /// She has locked this device.
    #[error("device: locked in the person's account; a card login unlocks it")]
    Locked,
    /// Her block code has blocked all of her devices.
    #[error("device: blocked with the block code; a card login unlocks it")]
    Blocked,
    /// The class is not admitted any more.
    #[error("device: its class is no longer admitted by the insurer's policy")]
    ClassNotAdmitted,
    /// Its class is good for the insurer's own pages only, and a service asks.
    #[error("device: it serves the insurer's own pages only, not other services")]
    OwnPagesOnly,
    /// The card is due.
    #[error("device: a card login is due to confirm it again")]
    ReconfirmationDue,
    /// The class reaches substantial only, and the person has not consented to that.
    #[error("device: logins below high need the person's consent")]
    ConsentMissing,
}

/// Reads an assertion. Total; verifies nothing.
///
/// # Errors
/// [`DeviceError::Jws`], [`DeviceError::Header`], [`DeviceError::Payload`].
pub fn parse_assertion(token: &str) -> Result<UnverifiedAssertion, DeviceError> {
    let jws = jws::parse(token, &LIMITS)?;
    let header = jws.header();
    if header.typ.as_deref() != Some(ASSERTION_TYP) || header.alg != jws::Algorithm::Es256 {
        return Err(DeviceError::Header);
    }
    let claims = json::parse_as(jws.unverified_payload(), &LIMITS).map_err(|_| DeviceError::Payload)?;
    Ok(UnverifiedAssertion { jws, claims })
}

impl UnverifiedAssertion {
    /// The challenge it claims to answer.
    #[must_use]
    pub fn challenge_token(&self) -> &str {
        &self.claims.challenge
    }
}

/// Verifies a device login.
///
/// The signature comes first: nobody but the key's holder learns whether a device is due or its class admitted.
///
/// # Errors
/// [`DeviceError`], the first check that fails. After [`DeviceError::ReconfirmationDue`] a card login followed by
/// [`DeviceKey::confirm`] makes the device usable again.
pub fn verify(
    assertion: &UnverifiedAssertion,
    challenge: &VerifiedChallenge,
    device: &DeviceKey,
    policy: &AuthenticationPolicy,
    now: UnixTime,
) -> Result<VerifiedAssertion, DeviceError> {
    let claims = &assertion.claims;
    if claims.challenge != challenge.token() {
        return Err(DeviceError::ChallengeMismatch);
    }
    let key = device.key.for_jws().ok_or(DeviceError::Signature)?;
    assertion.jws.verify(&key).map_err(|_| DeviceError::Signature)?;
    // A passkey's key answers as a passkey.
    if device.is_passkey() || !matches!(device.key, BoundKey::P256(_)) {
        return Err(DeviceError::Signature);
    }
    if claims.counter <= device.counter {
        return Err(DeviceError::Counter);
    }
    if now.seconds_since(claims.time).max(claims.time.seconds_since(now)) > CLOCK_SKEW_SECONDS {
        return Err(DeviceError::Clock);
    }
    if claims.decision == Decision::Decline {
        return Err(DeviceError::Declined);
    }
    let person = device.admit(challenge, policy, now)?;
    Ok(VerifiedAssertion {
        person,
        counter: claims.counter,
    })
}

impl DeviceKey {
    /// Whether both are bound with the same key.
    #[must_use]
    pub fn has_key_of(&self, other: &Self) -> bool {
        self.key == other.key
    }

    pub(crate) fn key(&self) -> &BoundKey {
        &self.key
    }

    /// Whether this device, whose key just signed, may enter: what every login with a device needs, whatever signed.
    pub(crate) fn admit(
        &self,
        challenge: &VerifiedChallenge,
        policy: &AuthenticationPolicy,
        now: UnixTime,
    ) -> Result<AuthenticatedPerson, DeviceError> {
        match self.standing {
            Standing::Free => {}
            Standing::Locked => return Err(DeviceError::Locked),
            Standing::Blocked => return Err(DeviceError::Blocked),
        }
        let class = policy.device_class(&self.class).ok_or(DeviceError::ClassNotAdmitted)?;
        let level = self.level(policy).ok_or(DeviceError::ClassNotAdmitted)?;
        if !class.admits(challenge.challenge().purpose) {
            return Err(DeviceError::OwnPagesOnly);
        }
        if now > self.valid_until(policy).ok_or(DeviceError::ClassNotAdmitted)? {
            return Err(DeviceError::ReconfirmationDue);
        }
        if level == Acr::Substantial && !self.consented_to_substantial {
            return Err(DeviceError::ConsentMissing);
        }
        let subject = Subject::Registered {
            person_id: self.person_id,
        };
        let consented = self.consented_to_substantial;
        Ok(AuthenticatedPerson::new(
            subject,
            Method::DeviceKey,
            level,
            now,
            consented,
        ))
    }

    /// The app's mark of the phone it lives in; none where the app gave none.
    #[must_use]
    pub const fn hardware(&self) -> Option<&HardwareMark> {
        self.hardware.as_ref()
    }

    /// What stands against it.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// Says what stands against it. `locked`: by the person; `blocked_at`: when her block code was used last, which
    /// blocks whatever no card login has confirmed since.
    pub fn stands(&mut self, locked: bool, blocked_at: Option<UnixTime>) {
        self.standing = if blocked_at.is_some_and(|blocked_at| self.confirmed_at <= blocked_at) {
            Standing::Blocked
        } else if locked {
            Standing::Locked
        } else {
            Standing::Free
        };
    }

    /// Level its logins reach; `None` where its class is not admitted any more.
    #[must_use]
    pub fn level(&self, policy: &AuthenticationPolicy) -> Option<Acr> {
        let class = policy.device_class(&self.class)?;
        let level = class.level.min(policy.level_of(Method::DeviceKey)?);
        Some(
            self.inherited
                .as_ref()
                .map_or(level, |inherited| level.min(inherited.level)),
        )
    }

    /// Gives it another name.
    ///
    /// # Errors
    /// [`BindingError::Name`].
    pub fn rename(&mut self, name: &str) -> Result<(), BindingError> {
        binding::check_name(name)?;
        name.clone_into(&mut self.name);
        Ok(())
    }

    /// Last second in which the device logs in without the card; `None` where its class is not admitted any more.
    #[must_use]
    pub fn valid_until(&self, policy: &AuthenticationPolicy) -> Option<UnixTime> {
        let class = policy.device_class(&self.class)?;
        let until = self.confirmed_at.plus_seconds(class.reconfirm_after_seconds);
        Some(
            self.inherited
                .as_ref()
                .map_or(until, |inherited| until.min(inherited.until)),
        )
    }

    /// Restarts the interval after a fresh card login of the same person. From then on it stands for itself, whoever vouched for it.
    ///
    /// # Errors
    /// [`BindingError::CardLoginNeeded`] for any other login.
    pub fn confirm(&mut self, performed: &Performed) -> Result<(), BindingError> {
        let by_card = matches!(performed.method, Method::HealthCard | Method::IdentityCard);
        if !by_card || performed.session != Session::Fresh {
            return Err(BindingError::CardLoginNeeded);
        }
        self.confirmed_at = self.confirmed_at.max(performed.auth_time);
        self.inherited = None;
        Ok(())
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey")
    }
}

impl HardwareMark {
    /// Takes the 32 bytes as they are.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for HardwareMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HardwareMark")
    }
}

impl Serialize for HardwareMark {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for HardwareMark {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        base64url::decode_array(&text)
            .map(Self)
            .map_err(|_| D::Error::custom("hardware: expected 32 bytes in base64url"))
    }
}

#[cfg(test)]
mod tests;
