//! The app's four interfaces, as the runner's traits.

use std::future::{Future, ready};
use std::sync::Arc;

use jose::{UnixTime, base64url};
use wallet::flow;
use wallet::run::{self, NoAnswer, StepError};

use super::{Answer, Choice, Clock, Decision, Keystore, Person, Transport};
use crate::convert::method_name;

#[derive(Clone)]
pub(crate) struct Net(pub(super) Arc<dyn Transport>);
pub(crate) struct Keys(pub(super) Arc<dyn Keystore>);
pub(crate) struct Time(pub(super) Arc<dyn Clock>);
pub(crate) struct Her(pub(super) Arc<dyn Person>);

impl run::Transport for Net {
    fn send(&self, request: &flow::HttpRequest) -> impl Future<Output = Result<run::Answer, NoAnswer>> + Send {
        let body = request.body.as_ref().map(ToString::to_string);
        let answer = self.0.send(method_name(request.method), request.url.clone(), body);
        let answer = answer.map(|Answer { status, body }| run::Answer { status, body });
        ready(answer.map_err(|failed| NoAnswer(failed.to_string())))
    }
}

impl run::Keystore for Keys {
    async fn load(&mut self) -> Result<Option<flow::DeviceRecord>, StepError> {
        Ok(self.0.load()?.map(Into::into))
    }

    async fn count(&mut self, counter: u64) -> Result<(), StepError> {
        Ok(self.0.count(counter)?)
    }

    async fn sign(&mut self, message: &str) -> Result<String, StepError> {
        Ok(base64url::encode(&self.0.sign(message.to_owned())?))
    }

    async fn make_key(&mut self, challenge: &str) -> Result<run::MadeKey, StepError> {
        let challenge = base64url::decode(challenge).map_err(|_| StepError::Failed("challenge".to_owned()))?;
        let key = self.0.make_key(challenge)?;
        Ok(run::MadeKey {
            x: base64url::encode(&key.x),
            y: base64url::encode(&key.y),
            attestation: key.attestation.map(Into::into),
        })
    }

    async fn sign_with_new_key(&mut self, message: &str) -> Result<String, StepError> {
        Ok(base64url::encode(&self.0.sign_with_new_key(message.to_owned())?))
    }

    async fn keep(&mut self, record: &flow::DeviceRecord) -> Result<(), StepError> {
        Ok(self.0.keep(record.clone().into())?)
    }

    async fn ticket(&mut self) -> Result<Option<String>, StepError> {
        Ok(self.0.ticket()?)
    }

    async fn keep_ticket(&mut self, ticket: &str) -> Result<(), StepError> {
        Ok(self.0.keep_ticket(ticket.to_owned())?)
    }
}

impl run::Clock for Time {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.now())
    }
}

impl run::Person for Her {
    async fn choose(
        &mut self,
        request: &flow::Request,
        device: Option<&flow::DeviceRecord>,
    ) -> Result<run::Choice, StepError> {
        let device = device.cloned().map(Into::into);
        Ok(match self.0.choose(request.clone().into(), device)? {
            Choice::Card => run::Choice::Card,
            Choice::Device => run::Choice::Device,
            Choice::Decline => run::Choice::Decline,
            Choice::Abort { why } => run::Choice::Abort(why.into()),
        })
    }

    async fn hold_card(&mut self, challenge: &str) -> Result<String, StepError> {
        Ok(self.0.hold_card(challenge.to_owned())?)
    }

    async fn decide(&mut self, consent: &flow::Consent) -> Result<run::Decision, StepError> {
        Ok(match self.0.decide(consent.clone().into())? {
            Decision::Approve {
                voluntary,
                remember,
                number,
            } => run::Decision::Approve {
                voluntary,
                remember,
                number,
            },
            Decision::Decline => run::Decision::Decline,
            Decision::Abort { why } => run::Decision::Abort(why.into()),
        })
    }
}
