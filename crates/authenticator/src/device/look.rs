//! A bound device asks what waits for it: a signed question that is no answer to any login.
//!
//! Its own `typ` and its own members keep it apart from assertions and binding proofs; it names the provider it is for, the device, what it asks and
//! when. It has no counter: a look moves nothing, so a lost one breaks no later login, and one that is asked again within the clock's tolerance gets
//! what the first one got.
//!
//! Trusted for: whoever asks holds the bound key, nothing stands against the device. Does not: log anybody in, or say that a person was there.

use jose::jws;
use jose::{UnixTime, json};
use serde::{Deserialize, Serialize};

use super::{BoundKey, CLOCK_SKEW_SECONDS, DeviceKey, LIMITS, Standing};

/// JOSE header member `typ` of a look.
pub const LOOK_TYP: &str = "healthid-device-look+jwt";

/// What a device asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookPurpose {
    /// Which logins wait for its answer.
    Requests,
    /// To be woken at an address, or not any more.
    Push,
}

/// Longest address of a push service that is signed, in bytes.
pub const MAX_ENDPOINT_BYTES: usize = 1_024;

/// Payload of a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookClaims {
    /// The provider's issuer.
    pub aud: String,
    /// What the device calls itself with.
    pub device: String,
    /// What it asks.
    pub purpose: LookPurpose,
    /// Where a push service takes messages for it (RFC 8030), with [`LookPurpose::Push`] only; absent there: it is not to be woken any more.
    /// Signed, so that nobody who reads a look sends the device's wake-ups elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The device's clock.
    pub time: UnixTime,
}

/// A look, well formed, nothing else.
#[derive(Debug)]
pub struct UnverifiedLook {
    jws: jws::UnverifiedJws,
    claims: LookClaims,
}

/// Why a look is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookError {
    /// No JWS of the expected form.
    #[error("look: {0}")]
    Jws(#[from] jws::JwsError),
    /// Header.
    #[error("look: header typ must be {LOOK_TYP} and alg ES256")]
    Header,
    /// Payload.
    #[error(
        "look: expected exactly the members aud, device, purpose, time, with the purpose asked for here, and endpoint (at most {MAX_ENDPOINT_BYTES} bytes) with 'push' only"
    )]
    Payload,
    /// Not by this key, or the key is a passkey's, which signs no looks.
    #[error("look: the signature is not the bound key's")]
    Signature,
    /// Signed for another provider.
    #[error("look: aud is not this provider")]
    Elsewhere,
    /// The device's clock is off, or the look is an old one.
    #[error("look: time must be within {CLOCK_SKEW_SECONDS} seconds of the provider's")]
    Clock,
    /// She has locked this device.
    #[error("device: locked in the person's account; a card login unlocks it")]
    Locked,
    /// Her block code has blocked all of her devices.
    #[error("device: blocked with the block code; a card login unlocks it")]
    Blocked,
}

/// Reads a look with this purpose: none is taken for one with another. Total; verifies nothing.
///
/// # Errors
/// [`LookError::Jws`], [`LookError::Header`], [`LookError::Payload`].
pub fn parse_look(token: &str, purpose: LookPurpose) -> Result<UnverifiedLook, LookError> {
    let jws = jws::parse(token, &LIMITS)?;
    let header = jws.header();
    if header.typ.as_deref() != Some(LOOK_TYP) || header.alg != jws::Algorithm::Es256 {
        return Err(LookError::Header);
    }
    let claims: LookClaims = json::parse_as(jws.unverified_payload(), &LIMITS).map_err(|_| LookError::Payload)?;
    let has_endpoint_it_may = match &claims.endpoint {
        Some(endpoint) => purpose == LookPurpose::Push && endpoint.len() <= MAX_ENDPOINT_BYTES,
        None => true,
    };
    if claims.purpose != purpose || !has_endpoint_it_may {
        return Err(LookError::Payload);
    }
    Ok(UnverifiedLook { jws, claims })
}

impl UnverifiedLook {
    /// The device it claims to come from.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.claims.device
    }

    /// Where it wants to be woken, as it says.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.claims.endpoint.as_deref()
    }
}

/// Verifies that a bound device asks. The signature comes first, as at a login: nobody but the key's holder learns anything of the device.
///
/// # Errors
/// [`LookError`], the first check that fails.
pub fn verify_look(look: &UnverifiedLook, issuer: &str, device: &DeviceKey, now: UnixTime) -> Result<(), LookError> {
    let key = device.key.for_jws().ok_or(LookError::Signature)?;
    look.jws.verify(&key).map_err(|_| LookError::Signature)?;
    if device.is_passkey() || !matches!(device.key, BoundKey::P256(_)) {
        return Err(LookError::Signature);
    }
    if look.claims.aud != issuer {
        return Err(LookError::Elsewhere);
    }
    let time = look.claims.time;
    if now.seconds_since(time).max(time.seconds_since(now)) > CLOCK_SKEW_SECONDS {
        return Err(LookError::Clock);
    }
    check_may_look(device)
}

/// Whether a device that is known already may look: what has been locked or blocked since may not.
///
/// # Errors
/// [`LookError::Locked`], [`LookError::Blocked`].
pub fn check_may_look(device: &DeviceKey) -> Result<(), LookError> {
    match device.standing() {
        Standing::Free => Ok(()),
        Standing::Locked => Err(LookError::Locked),
        Standing::Blocked => Err(LookError::Blocked),
    }
}
