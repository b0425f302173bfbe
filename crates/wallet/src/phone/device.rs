//! The phone's own key, bound to its person at one insurer.
//!
//! Openly weak: the key lies in memory and in the file the caller keeps, as good as the phone itself. A real phone holds it in hardware.

use std::fmt;

use authenticator::device::{ASSERTION_TYP, AssertionClaims, BINDING_TYP, BindingClaims, Decision};
use jose::{SoftwareKey, UnixTime, base64url, jws};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Phone, PhoneError, wire};
use jose::jwk::KeyUse;

/// What the person wants of the binding.
#[derive(Debug, Clone, Copy)]
pub struct BindingWish<'a> {
    /// Her name for the phone.
    pub name: &'a str,
    /// Device class, a name of the insurer's policy: `software` for phones without attested hardware.
    pub class: &'a str,
    /// Whether she consents, informed, to logins below the level high with it.
    pub consent_to_substantial: bool,
}

/// A bound phone: key, counter, handle. Serialises for a file; whoever has the file has the phone.
pub struct BoundDevice {
    issuer: String,
    handle: String,
    name: String,
    valid_until: UnixTime,
    counter: u64,
    key: SoftwareKey,
}

/// Why a file is no bound device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("device file: expected JSON as `healthid phone bind` writes it")]
pub struct DeviceFileError;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceFile {
    issuer: String,
    device: String,
    name: String,
    valid_until: UnixTime,
    counter: u64,
    /// Base64url of PKCS#8 DER.
    private_key: String,
}

pub(super) async fn bind(
    phone: &Phone,
    client_id: &str,
    login: &str,
    login_id: &[u8; 16],
    wish: &BindingWish<'_>,
) -> Result<BoundDevice, PhoneError> {
    let key = SoftwareKey::generate("device").map_err(|_| PhoneError::DeviceKey)?;
    let claims = BindingClaims {
        challenge_id: base64url::encode(login_id),
    };
    let mut public_key = key.jwk(KeyUse::Signature);
    // The key has no name outside this phone; the provider knows it by the device's handle.
    public_key.kid = None;
    let body = json!({
        "client_id": client_id,
        "login": login,
        "public_key": public_key.to_value(),
        "name": wish.name,
        "class": wish.class,
        "consent_to_substantial": wish.consent_to_substantial,
        "proof": signed(BINDING_TYP, &claims, &key)?,
    });
    let answer: wire::BindingAnswer = phone.call("devices", &body).await?;
    Ok(BoundDevice {
        issuer: phone.issuer().to_owned(),
        handle: answer.device,
        name: wish.name.to_owned(),
        valid_until: answer.valid_until,
        counter: 0,
        key,
    })
}

fn signed(typ: &str, claims: &impl Serialize, key: &SoftwareKey) -> Result<String, PhoneError> {
    let payload = serde_json::to_vec(claims).map_err(|_| PhoneError::DeviceKey)?;
    let header = jws::SigningHeader {
        typ: Some(typ),
        ..Default::default()
    };
    jws::sign(&header, &payload, key).map_err(|_| PhoneError::DeviceKey)
}

impl BoundDevice {
    /// The insurer it is bound at.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The provider's name for it.
    #[must_use]
    pub fn handle(&self) -> &str {
        &self.handle
    }

    /// The person's name for it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Last second in which it logs in without the card, as of the binding.
    #[must_use]
    pub fn valid_until(&self) -> UnixTime {
        self.valid_until
    }

    /// Approves a challenge. Counts up, so that no answer serves twice.
    pub(super) fn sign_challenge(&mut self, challenge: &str, now: UnixTime) -> Result<String, PhoneError> {
        self.counter += 1;
        let claims = AssertionClaims {
            challenge: challenge.to_owned(),
            decision: Decision::Approve,
            time: now,
            counter: self.counter,
        };
        signed(ASSERTION_TYP, &claims, &self.key)
    }

    /// As a file's content.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        let file = DeviceFile {
            issuer: self.issuer.clone(),
            device: self.handle.clone(),
            name: self.name.clone(),
            valid_until: self.valid_until,
            counter: self.counter,
            private_key: base64url::encode(&self.key.to_pkcs8_der()),
        };
        // Strings and numbers only: serialising cannot fail.
        Zeroizing::new(serde_json::to_string_pretty(&file).unwrap_or_default())
    }

    /// From a file's content.
    ///
    /// # Errors
    /// [`DeviceFileError`].
    pub fn from_json(text: &str) -> Result<Self, DeviceFileError> {
        let file: DeviceFile =
            jose::json::parse_as(text.as_bytes(), &jose::json::DEFAULT).map_err(|_| DeviceFileError)?;
        let der = Zeroizing::new(base64url::decode(&file.private_key).map_err(|_| DeviceFileError)?);
        Ok(Self {
            issuer: file.issuer,
            handle: file.device,
            name: file.name,
            valid_until: file.valid_until,
            counter: file.counter,
            key: SoftwareKey::from_pkcs8_der("device", &der).map_err(|_| DeviceFileError)?,
        })
    }
}

impl fmt::Debug for BoundDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundDevice")
    }
}
