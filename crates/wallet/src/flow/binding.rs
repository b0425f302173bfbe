//! Binding a device's key to the person of a card login, so that later logins need no card for a while.

use authenticator::device::{BINDING_TYP, BindingClaims};
use jose::jwk::P256PublicKey;
use jose::{UnixTime, base64url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::login::{out_of_order, post, read};
use super::wire::BindingAnswer;
use super::{FlowError, Login, Told, Want, signing};

/// Sets this use of a login's identifier apart from every other.
const ATTESTATION_DOMAIN: &[u8] = b"healthid/device-attestation/v1\0";

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
    Proof { public_key: Value, message: String },
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
        let mut hash = Sha256::new();
        hash.update(ATTESTATION_DOMAIN);
        hash.update(login_id);
        let binding = Self {
            issuer: login.issuer().to_owned(),
            body: json!({
                "client_id": login.client_id(),
                "login": sealed,
                "name": wish.name,
                "class": wish.class,
                "consent_to_substantial": wish.consent_to_substantial,
            }),
            name: wish.name.to_owned(),
            challenge_id: base64url::encode(login_id),
            state: State::Key,
        };
        let challenge = base64url::encode(&hash.finalize());
        Ok((binding, Want::MakeKey { challenge }))
    }

    /// Tells what came of the last [`Want`], and gets the next.
    ///
    /// # Errors
    /// [`FlowError`].
    pub fn tell(&mut self, told: Told) -> Result<Want, FlowError> {
        match (std::mem::replace(&mut self.state, State::Over), told) {
            (State::Key, Told::KeyMade { x, y }) => {
                let public_key = public_key(&x, &y)?;
                let claims = BindingClaims {
                    challenge_id: self.challenge_id.clone(),
                };
                let message = signing::message(BINDING_TYP, &claims);
                self.state = State::Proof {
                    public_key,
                    message: message.clone(),
                };
                Ok(Want::SignWithNewKey { message })
            }
            (State::Proof { public_key, message }, Told::Signed { signature }) => {
                let mut body = self.body.clone();
                body["public_key"] = public_key;
                body["proof"] = Value::String(signing::token(&message, &signature).ok_or(FlowError::DeviceKey)?);
                self.state = State::Sent;
                Ok(post(&self.issuer, "devices", body))
            }
            (State::Sent, told) => {
                let answer: BindingAnswer = read(told, "devices")?;
                Ok(Want::Keep(DeviceRecord {
                    issuer: self.issuer.clone(),
                    device: answer.device,
                    name: self.name.clone(),
                    valid_until: answer.valid_until,
                    counter: 0,
                }))
            }
            (state, told) => {
                self.state = state;
                Err(out_of_order(&told))
            }
        }
    }
}

/// The key has no name outside this phone; the provider knows it by the device's handle.
fn public_key(x: &str, y: &str) -> Result<Value, FlowError> {
    let coordinate = |text: &str| base64url::decode_array::<32>(text).map_err(|_| FlowError::DeviceKey);
    P256PublicKey::from_coordinates(&coordinate(x)?, &coordinate(y)?).map_err(|_| FlowError::DeviceKey)?;
    Ok(json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "x": x, "y": y }))
}
