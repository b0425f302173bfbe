//! The old phone's half.

use authenticator::challenge::{self, Purpose};
use authenticator::device::{ASSERTION_TYP, AssertionClaims, Decision};
use authenticator::passkey::login_challenge;
use jose::json::DEFAULT;
use jose::jwk::JwkSet;
use jose::{UnixTime, base64url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asking, MoveTold, MoveWant, OfferShown, StateAnswer, send};
use crate::flow::login::is_two_digits;
use crate::flow::{DeviceRecord, FlowError, HttpRequest, Method, signing};

#[derive(Deserialize)]
struct OfferAnswer {
    #[serde(flatten)]
    shown: OfferShown,
    #[serde(rename = "move")]
    held: String,
}

/// The old phone's half.
#[derive(Debug)]
pub struct MoveOut {
    issuer: String,
    device: String,
    is_passkey: bool,
    shown: Option<OfferShown>,
    held: String,
    state: Out,
}

#[derive(Debug, Clone)]
enum Out {
    /// The offer was asked for.
    Offer,
    /// It is shown.
    Shown,
    /// It was asked how it stands.
    Looked,
    /// Something asks; the keys its challenge may be signed with were asked for.
    Keys {
        asked: Asked,
    },
    /// She compares.
    Comparing {
        asked: Asked,
    },
    /// The key signs.
    Signing {
        asked: Asked,
        number: String,
        message: String,
    },
    Approved {
        asked: Asked,
    },
    Ending,
    Over,
}

#[derive(Debug, Clone)]
struct Asked {
    asking: Asking,
    challenge: String,
    expires_at: u64,
}

impl Asked {
    fn compare(&self) -> MoveWant {
        MoveWant::Compare {
            asking: self.asking.clone(),
            expires_at: self.expires_at,
        }
    }
}

impl MoveOut {
    /// With an account login that this device answered just now ([`super::super::Login::sealed`]).
    #[must_use]
    pub fn begin(login: &str, device: &DeviceRecord, is_passkey: bool) -> (Self, MoveWant) {
        let want = send(&device.issuer, "devices/move", json!({ "login": login }));
        let machine = Self {
            issuer: device.issuer.clone(),
            device: device.device.clone(),
            is_passkey,
            shown: None,
            held: String::new(),
            state: Out::Offer,
        };
        (machine, want)
    }

    /// Tells what came of the last [`MoveWant`], and gets the next. `now`: seconds since 1970.
    ///
    /// # Errors
    /// [`FlowError`].
    pub fn tell(&mut self, told: MoveTold, now: UnixTime) -> Result<MoveWant, FlowError> {
        let before = std::mem::replace(&mut self.state, Out::Over);
        match self.next(before.clone(), told, now) {
            Ok((state, want)) => {
                self.state = state;
                Ok(want)
            }
            Err(error) => {
                if !error.ends() {
                    self.state = waiting(before, &error);
                }
                Err(error)
            }
        }
    }

    fn next(&mut self, state: Out, told: MoveTold, now: UnixTime) -> Result<(Out, MoveWant), FlowError> {
        match (state, told) {
            (Out::Shown | Out::Comparing { .. } | Out::Signing { .. }, MoveTold::End { why }) => {
                Ok((Out::Ending, self.send("end", json!({ "move": self.held, "why": why }))))
            }
            (Out::Offer, told) => {
                let answer: OfferAnswer = told.read("devices/move")?;
                self.held = answer.held;
                self.shown = Some(answer.shown.clone());
                Ok((Out::Shown, MoveWant::ShowOffer(answer.shown)))
            }
            (Out::Shown | Out::Comparing { .. }, MoveTold::Look) => {
                Ok((Out::Looked, self.send("state", json!({ "move": self.held }))))
            }
            (Out::Looked, told) => self.looked(told),
            (Out::Keys { asked }, told) => self.check(asked, told, now),
            (Out::Comparing { asked }, MoveTold::Number { number, counter }) => self.sign(asked, number, counter, now),
            (Out::Signing { asked, .. }, MoveTold::Decline) => {
                let want = asked.compare();
                Ok((Out::Comparing { asked }, want))
            }
            (Out::Signing { asked, number, message }, MoveTold::Signed { signature }) if !self.is_passkey => {
                let response = signing::token(&message, &signature).ok_or(FlowError::DeviceKey)?;
                let body = json!({
                    "move": self.held, "number": number, "device": self.device, "response": response,
                });
                Ok((Out::Approved { asked }, self.send("approve", body)))
            }
            (Out::Signing { asked, number, .. }, MoveTold::PasskeyAnswered(passkey)) if self.is_passkey => {
                let body = json!({
                    "move": self.held, "number": number, "challenge": asked.challenge, "passkey": passkey,
                });
                Ok((Out::Approved { asked }, self.send("approve", body)))
            }
            (Out::Approved { .. }, told) => match told.read("devices/move/approve")? {
                StateAnswer::Bound { device, name, .. } => Ok((Out::Over, MoveWant::Moved { device, name })),
                _ => Err(FlowError::Answer("devices/move/approve")),
            },
            (Out::Ending, told) => {
                told.read::<Value>("devices/move/end")?;
                Ok((Out::Over, MoveWant::Ended))
            }
            (_, told) => Err(told.out_of_order()),
        }
    }

    fn looked(&self, told: MoveTold) -> Result<(Out, MoveWant), FlowError> {
        match told.read("devices/move/state")? {
            StateAnswer::Open => {
                let shown = self.shown.clone().ok_or(FlowError::Answer("devices/move/state"))?;
                Ok((Out::Shown, MoveWant::ShowOffer(shown)))
            }
            StateAnswer::Asked {
                asking,
                challenge,
                expires_at,
            } => {
                let asked = Asked {
                    asking,
                    challenge,
                    expires_at,
                };
                let want = MoveWant::Send(HttpRequest {
                    method: Method::Get,
                    url: format!("{}/auth/jwks", self.issuer),
                    body: None,
                });
                Ok((Out::Keys { asked }, want))
            }
            StateAnswer::Bound { device, name, .. } => Ok((Out::Over, MoveWant::Moved { device, name })),
            StateAnswer::Waiting => Err(FlowError::Answer("devices/move/state")),
        }
    }

    /// Nothing is shown, and nothing will be signed, that her insurer did not ask for this purpose.
    fn check(&self, asked: Asked, told: MoveTold, now: UnixTime) -> Result<(Out, MoveWant), FlowError> {
        let keys = told.body()?;
        let keys = JwkSet::parse(keys.as_bytes(), &DEFAULT).map_err(|_| FlowError::Answer("auth/jwks"))?;
        let verified = challenge::verify(&asked.challenge, &keys, now)?;
        let said = verified.challenge();
        if said.iss != self.issuer || said.client_id != self.issuer || said.purpose != Purpose::Move {
            return Err(FlowError::ForeignChallenge);
        }
        let want = asked.compare();
        Ok((Out::Comparing { asked }, want))
    }

    fn sign(&self, asked: Asked, number: String, counter: u64, now: UnixTime) -> Result<(Out, MoveWant), FlowError> {
        if !is_two_digits(&number) {
            return Err(FlowError::Number);
        }
        if self.is_passkey {
            let challenge = base64url::encode(&login_challenge(&asked.challenge));
            let state = Out::Signing {
                asked,
                number,
                message: String::new(),
            };
            return Ok((state, MoveWant::SignWithPasskey { challenge }));
        }
        let counter = counter.saturating_add(1);
        let claims = AssertionClaims {
            challenge: asked.challenge.clone(),
            decision: Decision::Approve,
            time: now,
            counter,
        };
        let message = signing::message(ASSERTION_TYP, &claims);
        let want = MoveWant::SignWithDevice {
            device: self.device.clone(),
            counter,
            message: message.clone(),
        };
        Ok((Out::Signing { asked, number, message }, want))
    }

    fn send(&self, step: &str, body: Value) -> MoveWant {
        send(&self.issuer, &format!("devices/move/{step}"), body)
    }
}

/// Where the old phone's half waits after an error that ends nothing.
fn waiting(before: Out, error: &FlowError) -> Out {
    match (before, error) {
        (state, FlowError::OutOfOrder { .. }) => state,
        // A refused approval: she looks again, which brings a new challenge.
        (Out::Approved { asked } | Out::Signing { asked, .. }, _) => Out::Comparing { asked },
        (Out::Looked | Out::Keys { .. }, _) => Out::Shown,
        (state, _) => state,
    }
}
