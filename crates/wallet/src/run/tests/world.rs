//! An insurer, a phone and a person who do what a test says, and a log of all of them in the order it happened.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use authenticator::challenge::{self, Challenge, Purpose};
use jose::jwk::{JwkSet, KeyUse};
use jose::{Signer as _, SoftwareKey, base64url};
use serde_json::{Value, json};

use crate::flow::{self, OfferShown, OtherDevice};
use crate::run::*;

pub(super) const ISSUER: &str = "https://idp.example/109900019";
pub(super) const SERVICE: &str = "https://epa.example";
pub(super) const NOW: UnixTime = UnixTime(1_750_000_000);

/// Polls once: nothing in these tests waits.
pub(crate) fn run_at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("something waits"),
    }
}

pub(super) type Log = Arc<Mutex<Vec<String>>>;

/// What becomes of one request, by the end of its path.
pub(super) enum Fault {
    /// It does not arrive.
    NotSent(&'static str),
    /// It arrives, and the answer is lost.
    AnswerLost(&'static str),
    /// It is refused with this status and reason.
    Refused(&'static str, u16, &'static str),
}

/// The insurer's provider behind a network with faults.
pub(super) struct Net {
    pub(super) log: Log,
    key: SoftwareKey,
    pub(super) purpose: Purpose,
    pub(super) other_device: bool,
    pub(super) issued: UnixTime,
    /// How a move stands, each time it is asked; bound in the end.
    pub(super) states: Mutex<VecDeque<&'static str>>,
    pub(super) faults: Mutex<VecDeque<Fault>>,
    pub(super) arrived: Mutex<Vec<HttpRequest>>,
}

impl Net {
    fn answer(&self, path: &str, asked: &Value) -> (u16, Value) {
        let account = self.purpose == Purpose::Account;
        let (client_id, name) = if account {
            (ISSUER, "My account")
        } else {
            (SERVICE, "Akte")
        };
        let service = json!({ "name": name });
        let claims = json!({ "essential": ["urn:telematik:claims:id"], "voluntary": ["birthdate"] });
        let body = match path {
            "auth/challenge" => {
                let challenge = Challenge {
                    iss: ISSUER.to_owned(),
                    login_id: [7; 16],
                    client_id: client_id.to_owned(),
                    client_name: name.to_owned(),
                    request_hash: "hash".to_owned(),
                    purpose: self.purpose,
                    iat: self.issued,
                    exp: self.issued.plus_seconds(challenge::LIFETIME_SECONDS),
                };
                let other_device = OtherDevice {
                    browser: "Firefox".to_owned(),
                    system: "Linux".to_owned(),
                    network: None,
                    asked_at: NOW.0,
                };
                json!({
                    "login": "pending",
                    "challenge": challenge::issue(&challenge, &self.key).unwrap(),
                    "service": service,
                    "requested": { "acr": "gematik-ehealth-loa-high", "claims": claims },
                    "other_device": self.other_device.then_some(other_device),
                })
            }
            "auth/jwks" => JwkSet::new(vec![self.key.jwk(KeyUse::Signature)]).to_value(),
            "auth/card" | "auth/device" => json!({
                "login": "authenticated",
                "consent": { "service": service, "essential": claims["essential"], "voluntary": claims["voluntary"] },
            }),
            "auth/consent" if self.other_device => json!({ "redirect": null }),
            "auth/consent" => json!({ "redirect": "https://epa.example/cb?code=x" }),
            "auth/abort" => json!({}),
            "devices" => {
                json!({ "device": "handle", "valid_until": NOW.0 + 1000, "class": "software", "findings": [] })
            }
            "devices/requests" => {
                let signed = asked["look"].is_string();
                let requests = [json!({ "client_id": SERVICE, "login": "waiting", "asked_at": NOW.0 })];
                let mut found = json!({ "requests": requests });
                if signed {
                    found["ticket"] = "new ticket".into();
                }
                found
            }
            "devices/move" => {
                json!({ "offer": "offer", "link": null, "code": null, "move": "held", "expires_at": NOW.0 + 300 })
            }
            "devices/move/accept" => {
                json!({ "ticket": "ticket", "number": "47", "expires_at": NOW.0 + 300, "findings": [] })
            }
            "devices/move/state" => {
                let mut states = self.states.lock().unwrap();
                self.state(states.pop_front().unwrap_or("bound"))
            }
            "devices/move/approve" => self.state("bound"),
            "devices/move/end" => json!({}),
            "devices/pin" | "devices/pin/evaluate" => json!({ "evaluated": GENERATOR, "tries_left": 9 }),
            other => panic!("{other}"),
        };
        (200, body)
    }
}

impl Net {
    /// How a move stands.
    fn state(&self, state: &str) -> Value {
        match state {
            "asked" => {
                let challenge = Challenge {
                    iss: ISSUER.to_owned(),
                    login_id: [8; 16],
                    client_id: ISSUER.to_owned(),
                    client_name: "My account".to_owned(),
                    request_hash: "hash".to_owned(),
                    purpose: Purpose::Move,
                    iat: self.issued,
                    exp: self.issued.plus_seconds(challenge::LIFETIME_SECONDS),
                };
                let asking = json!({
                    "name": "Neues Handy", "class": "software", "level": "gematik-ehealth-loa-substantial",
                    "browser": "Firefox", "system": "Android", "asked_at": NOW.0,
                });
                json!({
                    "state": "asked", "asking": asking, "expires_at": NOW.0 + 300,
                    "challenge": challenge::issue(&challenge, &self.key).unwrap(),
                })
            }
            "bound" => json!({
                "state": "bound", "device": "new handle", "name": "Neues Handy", "class": "software",
                "valid_until": NOW.0 + 1000,
            }),
            other => json!({ "state": other }),
        }
    }
}

/// The generator of P-256, compressed: a point, and nobody's secret.
const GENERATOR: &str = "A2sX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKW";

impl Transport for Net {
    async fn send(&self, request: &HttpRequest) -> Result<Answer, NoAnswer> {
        let path = request.url.strip_prefix(ISSUER).unwrap().trim_start_matches('/');
        let mut faults = self.faults.lock().unwrap();
        let fault = match faults.front() {
            Some(Fault::NotSent(at) | Fault::AnswerLost(at) | Fault::Refused(at, ..)) if *at == path => {
                faults.pop_front()
            }
            _ => None,
        };
        if let Some(Fault::NotSent(_)) = fault {
            return Err(NoAnswer("no network".to_owned()));
        }
        self.log.lock().unwrap().push(format!("arrived {path}"));
        self.arrived.lock().unwrap().push(request.clone());
        let (status, body) = match fault {
            Some(Fault::AnswerLost(_)) => return Err(NoAnswer("timeout".to_owned())),
            Some(Fault::Refused(_, status, reason)) => {
                let description = "refused";
                let body = json!({ "error": "access_denied", "error_description": description, "reason": reason });
                (status, body)
            }
            _ => self.answer(path, request.body.as_ref().unwrap_or(&Value::Null)),
        };
        Ok(Answer {
            status,
            body: body.to_string(),
        })
    }
}

/// A keystore whose steps fail when a test says so.
pub(super) struct Keys {
    log: Log,
    pub(super) record: Option<DeviceRecord>,
    pub(super) ticket: Option<String>,
    key: SoftwareKey,
    made: Option<SoftwareKey>,
    /// Steps that fail next, by name, in this order.
    pub(super) failing: VecDeque<(&'static str, StepError)>,
}

impl Keys {
    fn step(&mut self, name: &str, what: String) -> Result<(), StepError> {
        if self.failing.front().is_some_and(|(failing, _)| *failing == name) {
            return Err(self.failing.pop_front().unwrap().1);
        }
        self.log.lock().unwrap().push(format!("{name}{what}"));
        Ok(())
    }
}

impl Keystore for Keys {
    async fn load(&mut self) -> Result<Option<DeviceRecord>, StepError> {
        self.step("load", String::new())?;
        Ok(self.record.clone())
    }

    async fn count(&mut self, counter: u64) -> Result<(), StepError> {
        self.step("count", format!(" {counter}"))?;
        self.record.as_mut().unwrap().counter = counter;
        Ok(())
    }

    async fn sign(&mut self, message: &str) -> Result<String, StepError> {
        self.step("sign", String::new())?;
        Ok(base64url::encode(&self.key.sign(message.as_bytes()).unwrap()))
    }

    async fn make_key(&mut self, challenge: &str) -> Result<MadeKey, StepError> {
        assert_eq!(base64url::decode(challenge).unwrap().len(), 32);
        self.step("make_key", String::new())?;
        let key = SoftwareKey::generate("device").unwrap();
        let public = key.public_key();
        let (x, y) = (base64url::encode(public.x()), base64url::encode(public.y()));
        self.made = Some(key);
        Ok(MadeKey {
            x,
            y,
            attestation: None,
        })
    }

    async fn sign_with_new_key(&mut self, message: &str) -> Result<String, StepError> {
        self.step("sign_with_new_key", String::new())?;
        let key = self.made.as_ref().unwrap();
        Ok(base64url::encode(&key.sign(message.as_bytes()).unwrap()))
    }

    async fn keep(&mut self, record: &DeviceRecord) -> Result<(), StepError> {
        self.step("keep", format!(" {}", record.device))?;
        self.record = Some(record.clone());
        self.ticket = None;
        self.key = self.made.take().unwrap();
        Ok(())
    }

    async fn ticket(&mut self) -> Result<Option<String>, StepError> {
        self.step("ticket", String::new())?;
        Ok(self.ticket.clone())
    }

    async fn keep_ticket(&mut self, ticket: &str) -> Result<(), StepError> {
        self.step("keep_ticket", format!(" {ticket}"))?;
        self.ticket = Some(ticket.to_owned());
        Ok(())
    }
}

/// The times it is, one after the other; the last one stays.
pub(super) struct Times(pub(super) Mutex<VecDeque<UnixTime>>);

impl Clock for Times {
    fn now(&self) -> UnixTime {
        let mut times = self.0.lock().unwrap();
        if times.len() > 1 {
            times.pop_front().unwrap()
        } else {
            times[0]
        }
    }
}

/// A person with answers in a row.
pub(super) struct Her {
    log: Log,
    pub(super) choices: VecDeque<Choice>,
    pub(super) cards: VecDeque<Result<String, StepError>>,
    pub(super) decisions: VecDeque<Decision>,
}

impl Person for Her {
    async fn choose(&mut self, request: &Request, device: Option<&DeviceRecord>) -> Result<Choice, StepError> {
        let device = device.map_or("nothing", |record| &record.name);
        self.log
            .lock()
            .unwrap()
            .push(format!("choose for {} with {device}", request.service.name));
        self.choices.pop_front().ok_or(StepError::Cancelled)
    }

    async fn hold_card(&mut self, _: &str) -> Result<String, StepError> {
        self.log.lock().unwrap().push("hold_card".to_owned());
        self.cards.pop_front().unwrap_or_else(|| Ok("signed".to_owned()))
    }

    async fn decide(&mut self, consent: &Consent) -> Result<Decision, StepError> {
        self.log
            .lock()
            .unwrap()
            .push(format!("decide for {}", consent.service.name));
        self.decisions.pop_front().ok_or(StepError::Cancelled)
    }
}

pub(super) type World = App<Net, Keys, Times, Her>;

/// A phone that is bound with counter 41, of somebody who chooses nothing yet, for a login to a service.
pub(super) fn world() -> World {
    let log = Log::default();
    App {
        transport: Net {
            log: Arc::clone(&log),
            key: SoftwareKey::generate("challenge-1").unwrap(),
            purpose: Purpose::Login,
            other_device: false,
            issued: NOW,
            states: Mutex::default(),
            faults: Mutex::default(),
            arrived: Mutex::default(),
        },
        keystore: Keys {
            log: Arc::clone(&log),
            record: Some(DeviceRecord {
                issuer: ISSUER.to_owned(),
                device: "old handle".to_owned(),
                name: "Handy".to_owned(),
                valid_until: NOW,
                counter: 41,
            }),
            ticket: None,
            key: SoftwareKey::generate("device").unwrap(),
            made: None,
            failing: VecDeque::new(),
        },
        clock: Times(Mutex::new([NOW].into())),
        person: Her {
            log,
            choices: VecDeque::new(),
            cards: VecDeque::new(),
            decisions: VecDeque::new(),
        },
    }
}

/// The same for a login to her account.
pub(super) fn account_world() -> World {
    let mut world = world();
    world.transport.purpose = Purpose::Account;
    world
}

impl World {
    pub(super) fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.transport.faults.lock().unwrap().extend(faults);
    }

    pub(super) fn states(&self, states: impl IntoIterator<Item = &'static str>) {
        self.transport.states.lock().unwrap().extend(states);
    }

    /// What happened since it was asked last.
    pub(super) fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.transport.log.lock().unwrap())
    }

    /// Bodies that arrived at this path.
    pub(super) fn bodies(&self, path: &str) -> Vec<Value> {
        let arrived = self.transport.arrived.lock().unwrap();
        let at = |request: &&HttpRequest| request.url == format!("{ISSUER}/{path}");
        arrived
            .iter()
            .filter(at)
            .map(|request| request.body.clone().unwrap_or_default())
            .collect()
    }
}

pub(super) fn approval() -> Approval {
    let address = format!("{ISSUER}/auth?client_id=https%3A%2F%2Fepa.example&request_uri=urn%3Aabc");
    Approval::open(ISSUER, &address).unwrap()
}

pub(super) fn enrolment() -> Enrolment {
    Enrolment::begin(ISSUER, wish())
}

pub(super) fn wish() -> Wish {
    Wish {
        name: "Neues Handy".to_owned(),
        class: "software".to_owned(),
        consent_to_substantial: true,
        hardware: None,
    }
}

/// The screen of either phone of a move, with answers in a row.
#[derive(Default)]
pub(super) struct Screen {
    pub(super) shown: Vec<String>,
    pub(super) offers: VecDeque<Result<Shown, StepError>>,
    pub(super) compared: VecDeque<Result<Compared, StepError>>,
    pub(super) numbers: VecDeque<StepError>,
}

impl OldPhone for Screen {
    async fn show_offer(&mut self, offer: &OfferShown) -> Result<Shown, StepError> {
        self.shown.push(offer.offer.clone());
        self.offers.pop_front().unwrap_or(Ok(Shown::Still))
    }

    async fn compare(&mut self, asking: &flow::Asking, _: u64) -> Result<Compared, StepError> {
        self.shown.push(format!("{} on {}", asking.name, asking.system));
        self.compared.pop_front().unwrap_or(Err(StepError::Cancelled))
    }
}

impl NewPhone for Screen {
    async fn show_number(&mut self, number: &str, _: u64) -> Result<(), StepError> {
        self.shown.push(number.to_owned());
        self.numbers.pop_front().map_or(Ok(()), Err)
    }
}

pub(super) fn approve() -> Decision {
    Decision::Approve {
        voluntary: vec!["birthdate".to_owned()],
        remember: false,
        number: None,
    }
}

pub(super) fn failed() -> StepError {
    StepError::Failed("disk full".to_owned())
}
