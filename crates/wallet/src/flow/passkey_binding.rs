//! Binding a passkey to the person of a card login: what a browser's authenticator makes instead of a key of the device.

use authenticator::passkey::{USER_HANDLE_BYTES, registration_challenge};
use jose::base64url;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::binding::keep;
use super::login::{out_of_order, post, read};
use super::wire::PasskeyOptionsAnswer;
use super::{FlowError, Login, Told, Want};

/// A passkey that was made, each member in base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadePasskey {
    /// `rawId`.
    pub credential_id: String,
    /// `response.clientDataJSON`.
    pub client_data: String,
    /// `response.attestationObject`.
    pub attestation_object: String,
}

/// A passkey's answer, each member in base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyAnswer {
    /// `rawId`.
    pub credential_id: String,
    /// `response.clientDataJSON`.
    pub client_data: String,
    /// `response.authenticatorData`.
    pub authenticator_data: String,
    /// `response.signature`.
    pub signature: String,
    /// `response.userHandle`.
    pub user_handle: String,
}

/// One binding of a passkey.
#[derive(Debug)]
pub struct PasskeyBinding {
    issuer: String,
    name: String,
    login_id: [u8; 16],
    body: Value,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The options were asked for.
    Options,
    /// The browser asks the person.
    Passkey {
        device: String,
    },
    /// The passkey was sent.
    Sent,
    Over,
}

impl PasskeyBinding {
    /// A binding in a login that her card answered. `name`: hers for the device; `consent_to_substantial`: whether she consents, informed, to
    /// logins below the level high with it.
    ///
    /// # Errors
    /// [`FlowError::OutOfOrder`] before the provider knows who she is.
    pub fn begin(login: &Login, name: &str, consent_to_substantial: bool) -> Result<(Self, Want), FlowError> {
        let (Some(sealed), Some(login_id)) = (login.sealed(), login.login_id()) else {
            return Err(FlowError::OutOfOrder { told: "bind" });
        };
        let request = json!({ "client_id": login.client_id(), "login": sealed });
        let binding = Self {
            issuer: login.issuer().to_owned(),
            name: name.to_owned(),
            login_id: *login_id,
            body: json!({
                "client_id": login.client_id(),
                "login": sealed,
                "name": name,
                "consent_to_substantial": consent_to_substantial,
            }),
            state: State::Options,
        };
        let want = post(&binding.issuer, "devices/passkey", request);
        Ok((binding, want))
    }

    /// Tells what came of the last [`Want`], and gets the next.
    ///
    /// # Errors
    /// [`FlowError`].
    pub fn tell(&mut self, told: Told) -> Result<Want, FlowError> {
        match (std::mem::replace(&mut self.state, State::Over), told) {
            (State::Options, told) => {
                let answer: PasskeyOptionsAnswer = read(told, "devices/passkey")?;
                let device = self
                    .device_of(&answer.options)
                    .ok_or(FlowError::Answer("devices/passkey"))?;
                self.state = State::Passkey { device };
                Ok(Want::MakePasskey {
                    options: answer.options,
                })
            }
            (State::Passkey { device }, Told::PasskeyMade(made)) => {
                let mut body = self.body.clone();
                body["passkey"] = json!(made);
                body["passkey"]["device"] = Value::String(device);
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

    /// The device these options are for, if their challenge is that of this login and device: nothing else is signed.
    fn device_of(&self, options: &Value) -> Option<String> {
        let device = options["user"]["id"].as_str()?;
        let handle: [u8; USER_HANDLE_BYTES] = base64url::decode_array(device).ok()?;
        let challenge = base64url::encode(&registration_challenge(&self.login_id, &handle));
        (options["challenge"].as_str()? == challenge).then(|| device.to_owned())
    }
}
