//! The new phone's half.

use authenticator::device::{BINDING_TYP, BindingClaims, attestation_challenge, move_id};
use jose::base64url;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MoveTold, MoveWant, StateAnswer, send};
use crate::flow::binding::public_key;
use crate::flow::{Attestation, BindingWish, Bound, DeviceRecord, Finding, FlowError, signing};

/// The new phone's half.
#[derive(Debug)]
pub struct MoveIn {
    issuer: String,
    name: String,
    body: Value,
    move_id: [u8; 16],
    findings: Vec<Finding>,
    state: In,
}

#[derive(Debug, Clone)]
enum In {
    Key,
    Proof {
        public_key: Value,
        attestation: Option<Attestation>,
        message: String,
    },
    Sent,
    Shown(Shown),
    Looked(Shown),
    Over,
}

#[derive(Debug, Clone, Deserialize)]
struct Shown {
    ticket: String,
    number: String,
    expires_at: u64,
}

#[derive(Deserialize)]
struct AcceptAnswer {
    #[serde(flatten)]
    shown: Shown,
    findings: Vec<Finding>,
}

impl MoveIn {
    /// With an offer, from the link's member `move`.
    #[must_use]
    pub fn begin(issuer: &str, offer: &str, wish: &BindingWish<'_>) -> (Self, MoveWant) {
        let issuer = issuer.trim_end_matches('/');
        let mut body = json!({
            "offer": offer,
            "name": wish.name,
            "class": wish.class,
            "consent_to_substantial": wish.consent_to_substantial,
        });
        if let Some(hardware) = wish.hardware {
            body["hardware"] = Value::from(hardware);
        }
        let move_id = move_id(offer);
        let machine = Self {
            issuer: issuer.to_owned(),
            name: wish.name.to_owned(),
            body,
            move_id,
            findings: Vec::new(),
            state: In::Key,
        };
        let challenge = base64url::encode(&attestation_challenge(&move_id));
        (machine, MoveWant::MakeKey { challenge })
    }

    /// Tells what came of the last [`MoveWant`], and gets the next.
    ///
    /// # Errors
    /// [`FlowError`].
    pub fn tell(&mut self, told: MoveTold) -> Result<MoveWant, FlowError> {
        let before = std::mem::replace(&mut self.state, In::Over);
        match self.next(before.clone(), told) {
            Ok((state, want)) => {
                self.state = state;
                Ok(want)
            }
            Err(error) => {
                if !error.ends() {
                    self.state = match before {
                        In::Looked(shown) if !matches!(error, FlowError::OutOfOrder { .. }) => In::Shown(shown),
                        state => state,
                    };
                }
                Err(error)
            }
        }
    }

    fn next(&mut self, state: In, told: MoveTold) -> Result<(In, MoveWant), FlowError> {
        match (state, told) {
            (In::Key, MoveTold::KeyMade { x, y, attestation }) => {
                let claims = BindingClaims {
                    challenge_id: base64url::encode(&self.move_id),
                };
                let message = signing::message(BINDING_TYP, &claims);
                let state = In::Proof {
                    public_key: public_key(&x, &y)?,
                    attestation,
                    message: message.clone(),
                };
                Ok((state, MoveWant::SignWithNewKey { message }))
            }
            (
                In::Proof {
                    public_key,
                    attestation,
                    message,
                },
                MoveTold::Signed { signature },
            ) => {
                let mut body = self.body.clone();
                body["public_key"] = public_key;
                if let Some(attestation) = attestation {
                    body["attestation"] = json!(attestation);
                }
                body["proof"] = Value::String(signing::token(&message, &signature).ok_or(FlowError::DeviceKey)?);
                Ok((In::Sent, send(&self.issuer, "devices/move/accept", body)))
            }
            (In::Sent, told) => {
                let answer: AcceptAnswer = told.read("devices/move/accept")?;
                self.findings = answer.findings;
                Ok(show(answer.shown))
            }
            (In::Shown(shown), MoveTold::Look) => {
                let want = send(&self.issuer, "devices/move/state", json!({ "ticket": shown.ticket }));
                Ok((In::Looked(shown), want))
            }
            (In::Looked(shown), told) => match told.read("devices/move/state")? {
                StateAnswer::Waiting => Ok(show(shown)),
                StateAnswer::Bound {
                    device,
                    class,
                    valid_until,
                    ..
                } => {
                    let record = DeviceRecord {
                        issuer: self.issuer.clone(),
                        device,
                        name: self.name.clone(),
                        valid_until,
                        counter: 0,
                    };
                    let findings = std::mem::take(&mut self.findings);
                    let bound = Bound {
                        record,
                        class,
                        findings,
                    };
                    Ok((In::Over, MoveWant::Keep(bound)))
                }
                _ => Err(FlowError::Answer("devices/move/state")),
            },
            (_, told) => Err(told.out_of_order()),
        }
    }
}

fn show(shown: Shown) -> (In, MoveWant) {
    let want = MoveWant::ShowNumber {
        number: shown.number.clone(),
        expires_at: shown.expires_at,
    };
    (In::Shown(shown), want)
}
