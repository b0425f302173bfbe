//! What waits for a device: logins that a browser sent to it (`docs/adr/0020-requests-come-to-the-phone.md`).
//!
//! ```text
//! let look = Look::begin(issuer, &record, now)?;               // with the device's key, then for a month without
//! let want = look.signed(&key.sign(look.message()))?;          // or Look::again(issuer, &ticket)
//! let found = Look::found(app.do(want))?;                      // each goes on with Login::resume(issuer, client_id, login)
//! ```
//!
//! A look has no counter and moves nothing: where it fails, nothing was lost.

use authenticator::device::{LOOK_TYP, LookClaims, LookPurpose};
use jose::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::login::{post, read};
use super::{DeviceRecord, FlowError, Service, Told, Want, signing};

const PATH: &str = "devices/requests";

/// A question to be signed by the device's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    issuer: String,
    message: String,
}

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Oldest first.
    pub requests: Vec<WaitingRequest>,
    /// Asks again without a signature, for a month; given where the device's key signed. To be kept as the device's record is.
    #[serde(default)]
    pub ticket: Option<String>,
}

/// A login that waits for this device's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingRequest {
    /// The service's identifier.
    pub client_id: String,
    /// The sealed login: names this request, and goes on with [`Login::resume`](super::Login::resume).
    pub login: String,
    /// When it was sent, in seconds since 1970.
    pub asked_at: u64,
    /// Who asks, for a list; not signed.
    #[serde(default)]
    pub service: Option<Service>,
}

impl Look {
    /// Asks in the name of a device that is bound at this insurer.
    ///
    /// # Errors
    /// [`FlowError::ForeignDevice`].
    pub fn begin(issuer: &str, record: &DeviceRecord, now: UnixTime) -> Result<Self, FlowError> {
        if record.issuer != issuer {
            return Err(FlowError::ForeignDevice);
        }
        let claims = LookClaims {
            aud: issuer.to_owned(),
            device: record.device.clone(),
            purpose: LookPurpose::Requests,
            endpoint: None,
            time: now,
        };
        Ok(Self {
            issuer: issuer.to_owned(),
            message: signing::message(LOOK_TYP, &claims),
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

    /// Asks again with what an earlier answer gave. Refused with [`authenticator::Reason::LoginUnknown`] once that is too old: then sign.
    #[must_use]
    pub fn again(issuer: &str, ticket: &str) -> Want {
        post(issuer, PATH, json!({ "ticket": ticket }))
    }

    /// Takes the answer to [`Want::Send`].
    ///
    /// # Errors
    /// [`FlowError::Refused`], [`FlowError::Answer`].
    pub fn found(told: Told) -> Result<Found, FlowError> {
        read(told, PATH)
    }
}

/// Plays, recorded: `testdata/inbox.json`. The web wallet's half plays the same (`apps/wallet/src/core/inbox.test.ts`).
///
/// Written with `cargo test -p healthid-wallet --lib inbox -- --ignored write`.
#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::panic)]
    use std::path::PathBuf;

    use authenticator::device::parse_look;

    use super::*;
    use crate::flow::vectors::record;

    const ISSUER: &str = "https://idp.example/109900019";

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Plays {
        issuer: String,
        record: DeviceRecord,
        now: u64,
        message: String,
        signature: String,
        signed: Want,
        ticket: String,
        again: Want,
        answers: Vec<Answered>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Answered {
        told: Told,
        found: Option<Found>,
        /// Code and reason of the error.
        error: Option<(String, Option<String>)>,
    }

    fn answered(told: Told) -> Answered {
        let found = Look::found(told.clone());
        let error = found.as_ref().err().map(|error| {
            let reason = error.reason().map(|reason| reason.as_str().to_owned());
            (error.code().to_owned(), reason)
        });
        Answered {
            told,
            found: found.ok(),
            error,
        }
    }

    fn told(status: u16, body: &serde_json::Value) -> Told {
        Told::Answer {
            status,
            body: body.to_string(),
        }
    }

    fn plays() -> Plays {
        let (now, signature) = (1_750_000_000, jose::base64url::encode(&[7; 64]));
        let look = Look::begin(ISSUER, &record(), UnixTime(now)).unwrap();
        let request = json!({"client_id": "https://epa.example", "login": "sealed", "asked_at": now});
        let named = json!({
            "client_id": "https://epa.example", "login": "other", "asked_at": now,
            "service": {"name": "Akte für alle", "logo_uri": null},
        });
        let refused = |reason: &str| {
            let body = json!({"error": "access_denied", "error_description": "x", "reason": reason});
            told(403, &body)
        };
        let tolds = [
            told(200, &json!({"requests": [], "ticket": "ticket"})),
            told(200, &json!({"requests": [request, named]})),
            told(200, &json!({"requests": [{"client_id": "x", "login": "y"}]})),
            told(200, &json!({"requests": [request, 7]})),
            told(200, &json!({"requests": {}})),
            told(200, &json!({"requests": [], "ticket": 7})),
            told(200, &json!({})),
            told(200, &json!([])),
            refused("device-unknown"),
            refused("device-locked"),
            refused("login-unknown"),
            told(503, &json!("later")),
            Told::Decline,
        ];
        Plays {
            issuer: ISSUER.to_owned(),
            record: record(),
            now,
            message: look.message().to_owned(),
            signed: look.signed(&signature).unwrap(),
            signature,
            ticket: "ticket".to_owned(),
            again: Look::again(ISSUER, "ticket"),
            answers: tolds.into_iter().map(answered).collect(),
        }
    }

    fn file() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/inbox.json")
    }

    #[test]
    fn the_plays_are_what_was_recorded() {
        let recorded: Plays = serde_json::from_slice(&std::fs::read(file()).unwrap()).unwrap();
        assert_eq!(recorded, plays());
        assert_eq!(
            recorded.answers.iter().filter(|answer| answer.found.is_some()).count(),
            2
        );
    }

    #[test]
    #[ignore = "writes testdata/inbox.json"]
    fn write() {
        let mut text = serde_json::to_string_pretty(&plays()).unwrap();
        text.push('\n');
        std::fs::write(file(), text).unwrap();
    }

    #[test]
    fn the_provider_reads_what_was_signed() {
        let Want::Send(request) = plays().signed else {
            panic!("nothing to send")
        };
        let look = parse_look(request.body.unwrap()["look"].as_str().unwrap(), LookPurpose::Requests).unwrap();
        assert_eq!(look.device(), "handle");
    }

    #[test]
    fn a_device_of_another_insurer_and_what_is_no_signature_are_refused() {
        let elsewhere = Look::begin("https://other.example", &record(), UnixTime(1));
        assert_eq!(elsewhere, Err(FlowError::ForeignDevice));
        let look = Look::begin(ISSUER, &record(), UnixTime(1)).unwrap();
        for signature in ["", "x", &jose::base64url::encode(&[7; 63])] {
            assert_eq!(look.signed(signature), Err(FlowError::DeviceKey), "{signature}");
        }
    }
}
