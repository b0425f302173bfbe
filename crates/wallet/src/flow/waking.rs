//! Where a device is woken when a login waits for it, or that it is not any more (`docs/adr/0020-requests-come-to-the-phone.md`).
//!
//! ```text
//! let wish = Waking::at(issuer, &record, &endpoint, now)?;     // or Waking::nowhere(issuer, &record, now)
//! let want = wish.signed(&key.sign(wish.message()))?;          // with the device's key each time: a ticket will not do
//! let until = wish.kept(app.do(want))?;                        // to be said again before then
//! ```
//!
//! Like a look it has no counter and moves nothing: where it fails, nothing was lost but the waking, and the device asks as before.

use authenticator::device::{LOOK_TYP, LookClaims, LookPurpose, MAX_ENDPOINT_BYTES};
use jose::UnixTime;
use serde_json::{Map, Value, json};

use super::login::{post, read};
use super::{DeviceRecord, FlowError, Told, Want, signing};

const PATH: &str = "devices/push";

/// A wish to be signed by the device's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waking {
    issuer: String,
    message: String,
    is_wanted: bool,
}

impl Waking {
    /// To be woken at this address of a push service (RFC 8030): https, of at most [`MAX_ENDPOINT_BYTES`]. Which hosts are called is for the
    /// provider to say: [`authenticator::Reason::PushServiceUnknown`].
    ///
    /// # Errors
    /// [`FlowError::Endpoint`], [`FlowError::ForeignDevice`].
    pub fn at(issuer: &str, record: &DeviceRecord, endpoint: &str, now: UnixTime) -> Result<Self, FlowError> {
        if !endpoint.starts_with("https://") || endpoint.len() > MAX_ENDPOINT_BYTES {
            return Err(FlowError::Endpoint);
        }
        Self::new(issuer, record, Some(endpoint), now)
    }

    /// Not to be woken any more. Said again it means the same.
    ///
    /// # Errors
    /// [`FlowError::ForeignDevice`].
    pub fn nowhere(issuer: &str, record: &DeviceRecord, now: UnixTime) -> Result<Self, FlowError> {
        Self::new(issuer, record, None, now)
    }

    fn new(issuer: &str, record: &DeviceRecord, endpoint: Option<&str>, now: UnixTime) -> Result<Self, FlowError> {
        if record.issuer != issuer {
            return Err(FlowError::ForeignDevice);
        }
        let claims = LookClaims {
            aud: issuer.to_owned(),
            device: record.device.clone(),
            purpose: LookPurpose::Push,
            endpoint: endpoint.map(str::to_owned),
            time: now,
        };
        Ok(Self {
            issuer: issuer.to_owned(),
            message: signing::message(LOOK_TYP, &claims),
            is_wanted: endpoint.is_some(),
        })
    }

    /// ASCII to be signed with ES256.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// With the signature: r ‖ s, 64 bytes in base64url.
    ///
    /// # Errors
    /// [`FlowError::DeviceKey`].
    pub fn signed(&self, signature: &str) -> Result<Want, FlowError> {
        let look = signing::token(&self.message, signature).ok_or(FlowError::DeviceKey)?;
        Ok(post(&self.issuer, PATH, json!({ "look": look })))
    }

    /// Takes the answer to [`Want::Send`]: until when it is woken, in seconds since 1970; `None` where it is not to be any more.
    ///
    /// # Errors
    /// [`FlowError::Refused`], [`FlowError::Answer`], also for the answer to the opposite wish.
    pub fn kept(&self, told: Told) -> Result<Option<u64>, FlowError> {
        let answer: Map<String, Value> = read(told, PATH)?;
        let until = answer.get("until").filter(|until| !until.is_null());
        match (until.map(Value::as_u64), self.is_wanted) {
            (Some(Some(until)), true) => Ok(Some(until)),
            (None, false) => Ok(None),
            _ => Err(FlowError::Answer(PATH)),
        }
    }
}

#[cfg(test)]
mod plays;
