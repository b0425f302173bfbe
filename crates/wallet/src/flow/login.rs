//! One login, from the address a service sent the person to until the address she goes back to.

use authenticator::challenge::{self, Purpose, VerifiedChallenge};
use authenticator::device::{ASSERTION_TYP, AssertionClaims, Decision};
use authenticator::passkey::login_challenge;
use jose::jwk::JwkSet;
use jose::{UnixTime, base64url, json};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use super::wire::{AbortAnswer, ChallengeAnswer, DecisionAnswer, LoginAnswer};
use super::{
    AbortWhy, Consent, DeviceRecord, FlowError, HttpRequest, Method, OtherDevice, Request, Told, Want, signing,
};

/// Longest address a phone opens, in characters: app links get no longer in practice.
pub const MAX_ADDRESS_CHARACTERS: usize = 8192;

/// What the address of a login names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginAddress {
    /// The service.
    pub client_id: String,
    /// Which of its requests.
    pub request_uri: String,
}

/// One login at one insurer.
#[derive(Debug)]
pub struct Login {
    issuer: String,
    client_id: String,
    begun: Begun,
    state: State,
}

/// Where a login was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    Here,
    Elsewhere,
}

#[derive(Debug)]
enum State {
    /// The challenge was asked for.
    Challenge,
    /// The keys it may be signed with were asked for.
    Keys { answer: ChallengeAnswer },
    /// She looks at the request.
    Choice(Opened),
    /// The card signs.
    Card(Opened),
    /// A passkey signs.
    Passkey(Opened),
    /// The device's key signs.
    Device {
        opened: Opened,
        device: String,
        message: String,
    },
    /// The answer was sent.
    Answered(Opened),
    /// She decides.
    Consent(Answered),
    /// The decision was sent. `answered` is gone where she declined before she said who she is.
    Decided(Option<Answered>),
    /// It was asked to end the login.
    Aborted(Box<State>),
    /// More time was asked for, while she looked at the request.
    ExtendedChoice(Opened),
    /// More time was asked for, while she decided.
    ExtendedConsent(Answered),
    /// Nothing follows.
    Over,
}

/// A verified challenge.
#[derive(Debug)]
struct Opened {
    login: String,
    challenge: VerifiedChallenge,
    request: Request,
}

/// The provider knows who she is.
#[derive(Debug, Clone)]
struct Answered {
    login: String,
    login_id: [u8; 16],
    consent: Consent,
}

impl LoginAddress {
    /// Reads client and request from an authorization address.
    ///
    /// # Errors
    /// [`FlowError::Address`].
    pub fn parse(authorization_url: &str) -> Result<Self, FlowError> {
        if authorization_url.len() > MAX_ADDRESS_CHARACTERS {
            return Err(FlowError::Address);
        }
        let url = Url::parse(authorization_url).map_err(|_| FlowError::Address)?;
        let one = |name: &str| {
            let mut values = url
                .query_pairs()
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned());
            let value = values.next().filter(|value| !value.is_empty());
            if values.next().is_some() { None } else { value }
        };
        Ok(Self {
            client_id: one("client_id").ok_or(FlowError::Address)?,
            request_uri: one("request_uri").ok_or(FlowError::Address)?,
        })
    }
}

impl Login {
    /// A login at the insurer with this issuer, from the address a service sent the person to.
    ///
    /// # Errors
    /// [`FlowError::Address`].
    pub fn open(issuer: &str, authorization_url: &str) -> Result<(Self, Want), FlowError> {
        let address = LoginAddress::parse(authorization_url)?;
        let body = json!({ "client_id": address.client_id, "request_uri": address.request_uri });
        Ok(Self::begin(issuer, address.client_id, body))
    }

    /// Goes on with a login that the provider's page already holds (`login` from its link to the authenticator).
    #[must_use]
    pub fn resume(issuer: &str, client_id: &str, login: &str) -> (Self, Want) {
        let body = json!({ "client_id": client_id, "login": login });
        Self::begin(issuer, client_id.to_owned(), body)
    }

    /// A login to the person's own account at the insurer: devices, consents.
    #[must_use]
    pub fn account(issuer: &str) -> (Self, Want) {
        let issuer = issuer.trim_end_matches('/');
        Self::begin(issuer, issuer.to_owned(), json!({ "client_id": issuer }))
    }

    fn begin(issuer: &str, client_id: String, body: Value) -> (Self, Want) {
        let login = Self {
            issuer: issuer.trim_end_matches('/').to_owned(),
            client_id,
            begun: Begun::Here,
            state: State::Challenge,
        };
        let want = login.post("auth/challenge", body);
        (login, want)
    }

    /// The insurer's issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The service's identifier.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The sealed login, once the provider knows who she is: what account, devices and pages go on with.
    #[must_use]
    pub fn sealed(&self) -> Option<&str> {
        self.answered().map(|answered| answered.login.as_str())
    }

    /// Whether nothing follows: it ended, or what was told ended it.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The login's identifier, once the provider knows who she is.
    pub(super) fn login_id(&self) -> Option<&[u8; 16]> {
        self.answered().map(|answered| &answered.login_id)
    }

    fn answered(&self) -> Option<&Answered> {
        match &self.state {
            State::Consent(answered) | State::Decided(Some(answered)) => Some(answered),
            _ => None,
        }
    }

    /// Tells what came of the last [`Want`], and gets the next.
    ///
    /// # Errors
    /// [`FlowError`]. Unless it [ends](FlowError::ends) the login, the machine waits for another answer to the same question.
    pub fn tell(&mut self, told: Told, now: UnixTime) -> Result<Want, FlowError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Challenge => self.challenge_came(told),
            State::Keys { answer } => self.keys_came(answer, told, now),
            State::Choice(opened) => self.choose(opened, told, now),
            State::Card(opened) => self.card_signed(opened, told),
            State::Passkey(opened) => self.passkey_signed(opened, told),
            State::Device {
                opened,
                device,
                message,
            } => self.device_signed(opened, device, message, told),
            State::Answered(opened) => self.answer_came(opened, told),
            State::Consent(answered) => self.decide(answered, told),
            State::Decided(answered) => self.decision_came(answered, told),
            State::Aborted(before) => self.abort_came(before, told),
            State::ExtendedChoice(opened) => match read(told, "auth/extend") {
                Ok(answer) => Ok(self.asked(answer)),
                Err(error) => Err(self.stay(State::Choice(opened), error)),
            },
            State::ExtendedConsent(answered) => match read(told, "auth/extend") {
                Ok(answer) => Ok(self.known(answer, answered.login_id, answered.consent.other_device)),
                Err(error) => Err(self.stay(State::Consent(answered), error)),
            },
            State::Over => Err(out_of_order(&told)),
        }
    }

    fn challenge_came(&mut self, told: Told) -> Result<Want, FlowError> {
        let answer = match read(told, "auth/challenge") {
            Ok(answer) => answer,
            Err(error) => return Err(self.stay(State::Challenge, error)),
        };
        Ok(self.asked(answer))
    }

    fn asked(&mut self, answer: ChallengeAnswer) -> Want {
        self.state = State::Keys { answer };
        Want::Send(HttpRequest {
            method: Method::Get,
            url: format!("{}/auth/jwks", self.issuer),
            body: None,
        })
    }

    fn keys_came(&mut self, answer: ChallengeAnswer, told: Told, now: UnixTime) -> Result<Want, FlowError> {
        let body = match body(told) {
            Ok(body) => body,
            Err(error) => return Err(self.stay(State::Keys { answer }, error)),
        };
        let keys = JwkSet::parse(body.as_bytes(), &json::DEFAULT).map_err(|_| FlowError::Answer("auth/jwks"))?;
        let challenge = challenge::verify(&answer.challenge, &keys, now)?;
        let said = challenge.challenge();
        let purpose = if self.client_id == self.issuer {
            Purpose::Account
        } else {
            Purpose::Login
        };
        if said.iss != self.issuer || said.client_id != self.client_id || said.purpose != purpose {
            return Err(FlowError::ForeignChallenge);
        }
        // The name in the signed challenge is the one to show; the answer beside it only adds the logo.
        if said.client_name != answer.service.name {
            return Err(FlowError::ForeignChallenge);
        }
        let request = Request {
            client_id: self.client_id.clone(),
            service: answer.service,
            requested: answer.requested,
            expires_at: said.exp.0,
            ends_at: answer.expires_at,
            extendable: answer.extendable,
            other_device: answer.other_device,
        };
        if request.other_device.is_some() {
            self.begun = Begun::Elsewhere;
        }
        self.state = State::Choice(Opened {
            login: answer.login,
            challenge,
            request: request.clone(),
        });
        Ok(Want::Choose(request))
    }

    fn choose(&mut self, opened: Opened, told: Told, now: UnixTime) -> Result<Want, FlowError> {
        match told {
            Told::WithCard => {
                let challenge = opened.challenge.token().to_owned();
                self.state = State::Card(opened);
                Ok(Want::SignWithCard { challenge })
            }
            Told::WithPasskey => {
                let challenge = base64url::encode(&login_challenge(opened.challenge.token()));
                self.state = State::Passkey(opened);
                Ok(Want::SignWithPasskey { challenge })
            }
            Told::WithDevice(record) => {
                if record.issuer != self.issuer {
                    return Err(self.stay(State::Choice(opened), FlowError::ForeignDevice));
                }
                Ok(self.sign_with(opened, record, now))
            }
            Told::Decline => {
                let want = self.decision(&opened.login, "decline", &[], false);
                self.state = State::Decided(None);
                Ok(want)
            }
            Told::Abort { why } => Ok(self.abort(State::Choice(opened), why)),
            Told::MoreTime => {
                let want = self.more_time(&opened.login);
                self.state = State::ExtendedChoice(opened);
                Ok(want)
            }
            other => Err(self.stay(State::Choice(opened), out_of_order(&other))),
        }
    }

    fn more_time(&self, login: &str) -> Want {
        let body = json!({ "client_id": self.client_id, "login": login });
        self.post("auth/extend", body)
    }

    fn sign_with(&mut self, opened: Opened, record: DeviceRecord, now: UnixTime) -> Want {
        let counter = record.counter.saturating_add(1);
        let claims = AssertionClaims {
            challenge: opened.challenge.token().to_owned(),
            decision: Decision::Approve,
            time: now,
            counter,
        };
        let message = signing::message(ASSERTION_TYP, &claims);
        self.state = State::Device {
            opened,
            device: record.device.clone(),
            message: message.clone(),
        };
        Want::SignWithDevice {
            device: record.device,
            counter,
            message,
        }
    }

    fn card_signed(&mut self, opened: Opened, told: Told) -> Result<Want, FlowError> {
        let response = match told {
            Told::CardAnswered { response } => response,
            // She takes the card away and chooses again.
            Told::Decline => return Ok(self.ask_again(opened)),
            Told::Abort { why } => return Ok(self.abort(State::Choice(opened), why)),
            other => return Err(self.stay(State::Card(opened), out_of_order(&other))),
        };
        let body = json!({ "client_id": self.client_id, "login": opened.login, "response": response });
        self.state = State::Answered(opened);
        Ok(self.post("auth/card", body))
    }

    fn passkey_signed(&mut self, opened: Opened, told: Told) -> Result<Want, FlowError> {
        let answer = match told {
            Told::PasskeyAnswered(answer) => answer,
            // She cancelled, or there is none here.
            Told::Decline => return Ok(self.ask_again(opened)),
            Told::Abort { why } => return Ok(self.abort(State::Choice(opened), why)),
            other => return Err(self.stay(State::Passkey(opened), out_of_order(&other))),
        };
        let body = json!({
            "client_id": self.client_id,
            "login": opened.login,
            "challenge": opened.challenge.token(),
            "passkey": answer,
        });
        self.state = State::Answered(opened);
        Ok(self.post("auth/device", body))
    }

    fn device_signed(
        &mut self,
        opened: Opened,
        device: String,
        message: String,
        told: Told,
    ) -> Result<Want, FlowError> {
        let response = match told {
            Told::Signed { signature } => match signing::token(&message, &signature) {
                Some(token) => token,
                None => return Err(self.stay(State::Choice(opened), FlowError::DeviceKey)),
            },
            // She did not unlock the key.
            Told::Decline => return Ok(self.ask_again(opened)),
            Told::Abort { why } => return Ok(self.abort(State::Choice(opened), why)),
            other => {
                let state = State::Device {
                    opened,
                    device,
                    message,
                };
                return Err(self.stay(state, out_of_order(&other)));
            }
        };
        let body = json!({
            "client_id": self.client_id,
            "login": opened.login,
            "device": device,
            "response": response,
        });
        self.state = State::Answered(opened);
        Ok(self.post("auth/device", body))
    }

    fn ask_again(&mut self, opened: Opened) -> Want {
        let request = opened.request.clone();
        self.state = State::Choice(opened);
        Want::Choose(request)
    }

    fn answer_came(&mut self, opened: Opened, told: Told) -> Result<Want, FlowError> {
        let answer: LoginAnswer = match read(told, "auth/card or auth/device") {
            Ok(answer) => answer,
            // Another card, or the card instead of the device.
            Err(error) => return Err(self.stay(State::Choice(opened), error)),
        };
        let login_id = opened.challenge.challenge().login_id;
        Ok(self.known(answer, login_id, opened.request.other_device))
    }

    fn known(&mut self, answer: LoginAnswer, login_id: [u8; 16], other_device: Option<OtherDevice>) -> Want {
        let consent = Consent {
            other_device,
            ends_at: answer.expires_at,
            extendable: answer.extendable,
            ..answer.consent
        };
        self.state = State::Consent(Answered {
            login: answer.login,
            login_id,
            consent: consent.clone(),
        });
        Want::Decide(consent)
    }

    fn decide(&mut self, answered: Answered, told: Told) -> Result<Want, FlowError> {
        let want = match told {
            Told::Approve {
                voluntary,
                remember,
                number,
            } => {
                let number = match (self.begun, number) {
                    (Begun::Here, _) => None,
                    (Begun::Elsewhere, Some(number)) if is_two_digits(&number) => Some(number),
                    (Begun::Elsewhere, _) => return Err(self.stay(State::Consent(answered), FlowError::Number)),
                };
                let mut body = self.decision_body(&answered.login, "approve", &voluntary, remember);
                if let Some(number) = number {
                    body["number"] = Value::String(number);
                }
                self.post("auth/consent", body)
            }
            Told::Abort { why } => return Ok(self.abort(State::Consent(answered), why)),
            Told::MoreTime => {
                let want = self.more_time(&answered.login);
                self.state = State::ExtendedConsent(answered);
                return Ok(want);
            }
            Told::Decline => self.decision(&answered.login, "decline", &[], false),
            other => return Err(self.stay(State::Consent(answered), out_of_order(&other))),
        };
        self.state = State::Decided(Some(answered));
        Ok(want)
    }

    fn decision_came(&mut self, answered: Option<Answered>, told: Told) -> Result<Want, FlowError> {
        match (read::<DecisionAnswer>(told, "auth/consent"), answered) {
            (Ok(answer), _) => match (answer.redirect, self.begun) {
                (Some(address), _) => Ok(Want::GoBack { address }),
                (None, Begun::Elsewhere) => Ok(Want::Done),
                (None, Begun::Here) => Err(FlowError::Answer("auth/consent")),
            },
            (Err(error), Some(answered)) => Err(self.stay(State::Consent(answered), error)),
            (Err(error), None) => Err(error),
        }
    }

    /// Asks to end the login for everybody; `before` is where it goes on if that fails.
    fn abort(&mut self, before: State, why: AbortWhy) -> Want {
        let login = match &before {
            State::Choice(opened) => opened.login.as_str(),
            State::Consent(answered) => answered.login.as_str(),
            _ => "",
        };
        let want = self.post(
            "auth/abort",
            json!({ "client_id": self.client_id, "login": login, "why": why }),
        );
        self.state = State::Aborted(Box::new(before));
        want
    }

    fn abort_came(&mut self, before: Box<State>, told: Told) -> Result<Want, FlowError> {
        match read::<AbortAnswer>(told, "auth/abort") {
            Ok(AbortAnswer {}) => Ok(Want::Done),
            Err(error) => Err(self.stay(*before, error)),
        }
    }

    /// The state to wait in after an error, if it does not end the login.
    fn stay(&mut self, state: State, error: FlowError) -> FlowError {
        if !error.ends() {
            self.state = state;
        }
        error
    }

    fn decision(&self, login: &str, decision: &str, claims: &[String], remember: bool) -> Want {
        self.post("auth/consent", self.decision_body(login, decision, claims, remember))
    }

    fn decision_body(&self, login: &str, decision: &str, claims: &[String], remember: bool) -> Value {
        json!({
            "client_id": self.client_id,
            "login": login,
            "decision": decision,
            "claims": claims,
            "remember": remember,
        })
    }

    fn post(&self, path: &str, body: Value) -> Want {
        post(&self.issuer, path, body)
    }
}

pub(super) fn is_two_digits(number: &str) -> bool {
    number.len() == 2 && number.bytes().all(|digit| digit.is_ascii_digit())
}

pub(super) fn post(issuer: &str, path: &str, body: Value) -> Want {
    Want::Send(HttpRequest {
        method: Method::Post,
        url: format!("{issuer}/{path}"),
        body: Some(body),
    })
}

/// The body of a successful answer.
pub(super) fn body(told: Told) -> Result<String, FlowError> {
    match told {
        Told::Answer { status, body } if (200..300).contains(&status) => Ok(body),
        Told::Answer { status, body } => Err(FlowError::refused(status, &body)),
        other => Err(out_of_order(&other)),
    }
}

pub(super) fn read<T: DeserializeOwned>(told: Told, path: &'static str) -> Result<T, FlowError> {
    json::parse_as(body(told)?.as_bytes(), &json::DEFAULT).map_err(|_| FlowError::Answer(path))
}

pub(super) fn out_of_order(told: &Told) -> FlowError {
    let told = match told {
        Told::Answer { .. } => "answer",
        Told::WithCard => "with-card",
        Told::WithDevice(_) => "with-device",
        Told::WithPasskey => "with-passkey",
        Told::CardAnswered { .. } => "card-answered",
        Told::PasskeyAnswered(_) => "passkey-answered",
        Told::PasskeyMade(_) => "passkey-made",
        Told::Signed { .. } => "signed",
        Told::KeyMade { .. } => "key-made",
        Told::Approve { .. } => "approve",
        Told::MoreTime => "more-time",
        Told::Decline => "decline",
        Told::Abort { .. } => "abort",
    };
    FlowError::OutOfOrder { told }
}
