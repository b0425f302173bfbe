//! Binding a device's key to the person of a card login, so that later logins need no card for a while.

use authenticator::device::{BINDING_TYP, BindingClaims, attestation_challenge};
use jose::jwk::P256PublicKey;
use jose::{UnixTime, base64url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::login::{out_of_order, post, read};
use super::wire::BindingAnswer;
use super::{FlowError, Login, Told, Want, signing};

/// What the person wants of the binding.
#[derive(Debug, Clone, Copy)]
pub struct BindingWish<'a> {
    /// Her name for the phone.
    pub name: &'a str,
    /// Device class, a name of the insurer's policy: `software` for phones without attested hardware.
    pub class: &'a str,
    /// Whether she consents, informed, to logins below the level high with it.
    pub consent_to_substantial: bool,
    /// The app's own mark of this phone, 32 bytes in base64url, drawn once and kept where it survives a new installation of the app (the
    /// keychain, an account's backup of this phone). A device bound with the same mark before is replaced.
    pub hardware: Option<&'a str>,
}

/// What the phone's maker says about a key: the formats the provider reads (`authenticator::attestation`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Attestation {
    /// Android Key Attestation.
    AndroidKey {
        /// The key's certificate chain as the key store gives it, leaf first: DER in base64url.
        chain: Vec<String>,
    },
    /// Apple App Attest.
    AppleAppAttest {
        /// The attestation object, base64url. Its client data hash is the SHA-256 of the challenge and the new key's uncompressed point
        /// (97 bytes).
        object: String,
    },
}

/// A check of the phone that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which: a code of `authenticator::attestation::policy::Check`.
    pub check: String,
    /// What came of it: `failed`.
    pub outcome: String,
    /// The device class it was asked for; absent where the attestation itself failed.
    #[serde(default)]
    pub class: Option<String>,
}

/// A device that was bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// To be kept.
    #[serde(flatten)]
    pub record: DeviceRecord,
    /// Its class: what the attestation reached, which may be less than was wished for.
    pub class: String,
    /// Why it reached no stronger class, where it was attested.
    pub findings: Vec<Finding>,
}

/// What an app keeps of a bound device, beside its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Where it is bound.
    pub issuer: String,
    /// The provider's name for it.
    pub device: String,
    /// The person's name for it.
    pub name: String,
    /// Last second in which it logs in without the card, as of the binding.
    pub valid_until: UnixTime,
    /// Answers given so far.
    pub counter: u64,
}

/// One binding.
#[derive(Debug)]
pub struct Binding {
    issuer: String,
    body: Value,
    name: String,
    challenge_id: String,
    state: State,
}

#[derive(Debug)]
enum State {
    Key,
    Proof {
        public_key: Value,
        attestation: Option<Attestation>,
        message: String,
    },
    Sent,
    Over,
}

impl Binding {
    /// A binding in a login that her card answered.
    ///
    /// # Errors
    /// [`FlowError::OutOfOrder`] before the provider knows who she is.
    pub fn begin(login: &Login, wish: &BindingWish<'_>) -> Result<(Self, Want), FlowError> {
        let (Some(sealed), Some(login_id)) = (login.sealed(), login.login_id()) else {
            return Err(FlowError::OutOfOrder { told: "bind" });
        };
        let mut body = json!({
            "client_id": login.client_id(),
            "login": sealed,
            "name": wish.name,
            "class": wish.class,
            "consent_to_substantial": wish.consent_to_substantial,
        });
        if let Some(hardware) = wish.hardware {
            body["hardware"] = Value::from(hardware);
        }
        let binding = Self {
            issuer: login.issuer().to_owned(),
            body,
            name: wish.name.to_owned(),
            challenge_id: base64url::encode(login_id),
            state: State::Key,
        };
        let challenge = base64url::encode(&attestation_challenge(login_id));
        Ok((binding, Want::MakeKey { challenge }))
    }

    /// Tells what came of the last [`Want`], and gets the next.
    ///
    /// # Errors
    /// [`FlowError`].
    pub fn tell(&mut self, told: Told) -> Result<Want, FlowError> {
        match (std::mem::replace(&mut self.state, State::Over), told) {
            (State::Key, Told::KeyMade { x, y, attestation }) => {
                let public_key = public_key(&x, &y)?;
                let claims = BindingClaims {
                    challenge_id: self.challenge_id.clone(),
                };
                let message = signing::message(BINDING_TYP, &claims);
                self.state = State::Proof {
                    public_key,
                    attestation,
                    message: message.clone(),
                };
                Ok(Want::SignWithNewKey { message })
            }
            (
                State::Proof {
                    public_key,
                    attestation,
                    message,
                },
                Told::Signed { signature },
            ) => {
                let mut body = self.body.clone();
                body["public_key"] = public_key;
                if let Some(attestation) = attestation {
                    body["attestation"] = json!(attestation);
                }
                body["proof"] = Value::String(signing::token(&message, &signature).ok_or(FlowError::DeviceKey)?);
                self.state = State::Sent;
                Ok(post(&self.issuer, "devices", body))
            }
            (State::Sent, told) => keep(told, &self.issuer, &self.name),
            (state, told) => {
                self.state = state;
                Err(out_of_order(&told))
            }
        }
    }
}

/// What is to be kept once the provider has bound a device, whatever its key is.
pub(super) fn keep(told: Told, issuer: &str, name: &str) -> Result<Want, FlowError> {
    let answer: BindingAnswer = read(told, "devices")?;
    let record = DeviceRecord {
        issuer: issuer.to_owned(),
        device: answer.device,
        name: name.to_owned(),
        valid_until: answer.valid_until,
        counter: 0,
    };
    Ok(Want::Keep(Bound {
        record,
        class: answer.class,
        findings: answer.findings,
    }))
}

/// The key has no name outside this phone; the provider knows it by the device's handle.
pub(super) fn public_key(x: &str, y: &str) -> Result<Value, FlowError> {
    let coordinate = |text: &str| base64url::decode_array::<32>(text).map_err(|_| FlowError::DeviceKey);
    P256PublicKey::from_coordinates(&coordinate(x)?, &coordinate(y)?).map_err(|_| FlowError::DeviceKey)?;
    Ok(json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "x": x, "y": y }))
}
