//! A headless phone: what an insurer's authenticator app does between "log in" and "back to the service", without a screen.
//!
//! ```text
//! open(address) ─► OpenedLogin ─► answer_with_card | answer_with_device ─► AnsweredLogin ─► approve | decline ─► address to go back to
//! ```
//!
//! The runs are [`crate::run`]'s; this gives them HTTPS, a key in memory, a standing clock and a person who knows beforehand what she answers. The
//! phone belongs to one insurer: it speaks to that issuer only, over the TLS roots its [`transport::HttpClient`] believes.
//!
//! **Does not:** read the clock (`now` is a parameter), keep files, or show anything: the caller asks the person and passes her decision on.

mod account;
mod device;
mod hand;
mod moving;

use jose::UnixTime;
use jose::json;
use serde::Serialize;
use transport::HttpClient;

use crate::card::UnlockedCard;
use crate::flow::{FlowError, HttpRequest, Method, Request};
use crate::run::{self, Answer, App, Approval, Choice, Clock, Enrolment, NoAnswer, Transport, Unlock, Wish};
use device::KeyInMemory;
use hand::Hand;

pub use crate::flow::{
    AbortWhy, Asking, BindingWish, ClaimNames, Consent, EndWhy, MAX_ADDRESS_CHARACTERS, OfferShown, OtherDevice,
    Requested, Service, WaitingRequest,
};
pub use crate::run::{Compared, Decision, End, MoveEnd, NewPhone, OldPhone, RunError as PhoneError, Shown, StepError};
pub use account::{Account, AccountDevice, RememberedConsent, TakeBack};
pub use device::{BoundDevice, DeviceFileError};

/// Media type of the provider's answers.
const ACCEPT_JSON: (&str, &str) = ("accept", "application/json");

/// A phone with one insurer's app.
#[derive(Debug, Clone)]
pub struct Phone {
    client: HttpClient,
    issuer: String,
}

/// A login whose challenge was verified and waits for the person.
#[derive(Debug)]
pub struct OpenedLogin<'p> {
    phone: &'p Phone,
    approval: Approval,
    request: Request,
    now: UnixTime,
}

/// A login of a person the provider now knows; her decision is missing.
#[derive(Debug)]
pub struct AnsweredLogin<'p> {
    phone: &'p Phone,
    approval: Approval,
    consent: Consent,
    now: UnixTime,
}

impl Phone {
    /// A phone with the app of the insurer with this issuer. The client must believe the issuer's TLS roots and hand redirects back.
    #[must_use]
    pub fn new(client: HttpClient, issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        Self {
            client,
            issuer: issuer.trim_end_matches('/').to_owned(),
        }
    }

    /// The insurer's issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Opens the address a service sent the person to: asks for the challenge and verifies it.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn open(&self, authorization_url: &str, now: UnixTime) -> Result<OpenedLogin<'_>, PhoneError> {
        self.begin(Approval::open(&self.issuer, authorization_url)?, now).await
    }

    /// Goes on with a login that the provider's page already holds (`login` from its link to the authenticator).
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn resume(&self, client_id: &str, login: &str, now: UnixTime) -> Result<OpenedLogin<'_>, PhoneError> {
        self.begin(Approval::resume(&self.issuer, client_id, login), now).await
    }

    /// The logins that wait for a device that is bound, oldest first; each goes on with [`resume`](Self::resume). Keep the device afterwards: it may
    /// have a ticket to ask with the next time.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn requests(&self, device: &mut BoundDevice, now: UnixTime) -> Result<Vec<WaitingRequest>, PhoneError> {
        let mut app = self.app(KeyInMemory::of(device), Hand::default(), now);
        run::requests(&mut app, &self.issuer, Unlock::IfNeeded).await
    }

    async fn begin(&self, mut approval: Approval, now: UnixTime) -> Result<OpenedLogin<'_>, PhoneError> {
        let mut app = self.app(KeyInMemory::default(), Hand::default(), now);
        let request = approval.request(&mut app).await?.cloned().ok_or(PhoneError::Over)?;
        Ok(OpenedLogin {
            phone: self,
            approval,
            request,
            now,
        })
    }

    fn app<'a, C: Clock>(
        &'a self,
        keystore: KeyInMemory<'a>,
        person: Hand<'a>,
        clock: C,
    ) -> App<&'a HttpClient, KeyInMemory<'a>, C, Hand<'a>> {
        App {
            transport: &self.client,
            keystore,
            clock,
            person,
        }
    }

    pub(crate) async fn call<T: serde::de::DeserializeOwned>(
        &self,
        path: &'static str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<T, PhoneError> {
        let url = format!("{}/{path}", self.issuer);
        let sent = self.client.post_json(&url, body, &[ACCEPT_JSON]).await;
        let response = sent.map_err(|error| PhoneError::Unreachable(error.to_string()))?;
        if !response.is_success() {
            return Err(FlowError::refused(response.status, &response.text()).into());
        }
        json::parse_as(&response.body, &json::DEFAULT).map_err(|_| FlowError::Answer(path).into())
    }
}

impl<'p> OpenedLogin<'p> {
    /// Who asks, as the signed challenge names it.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.request.service
    }

    /// The service's identifier.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.request.client_id
    }

    /// Whether the login goes on in a browser of another device: only an app that shows whose, and takes the number from its screen, should answer.
    #[must_use]
    pub fn is_for_other_device(&self) -> bool {
        self.request.other_device.is_some()
    }

    /// That device, where it is not this one.
    #[must_use]
    pub fn other_device(&self) -> Option<&OtherDevice> {
        self.request.other_device.as_ref()
    }

    /// What it asks for.
    #[must_use]
    pub fn requested(&self) -> &Requested {
        &self.request.requested
    }

    /// Last second in which the challenge can be answered.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        UnixTime(self.request.expires_at)
    }

    /// Answers with a health card that was just unlocked.
    ///
    /// # Errors
    /// [`PhoneError::Flow`] with the provider's reason, among others.
    pub async fn answer_with_card(self, card: &UnlockedCard<'_>) -> Result<AnsweredLogin<'p>, PhoneError> {
        let now = self.now;
        self.answer(KeyInMemory::default(), Hand::with_card(card), now).await
    }

    /// Answers with a bound device. Its counter rises even when the provider refuses: keep the device afterwards either way.
    ///
    /// # Errors
    /// [`PhoneError::Flow`] with the provider's reason (the card is due, for example), among others.
    pub async fn answer_with_device(
        self,
        device: &mut BoundDevice,
        now: UnixTime,
    ) -> Result<AnsweredLogin<'p>, PhoneError> {
        self.answer(KeyInMemory::of(device), Hand::choosing(Choice::Device), now)
            .await
    }

    async fn answer(
        mut self,
        keystore: KeyInMemory<'_>,
        person: Hand<'_>,
        now: UnixTime,
    ) -> Result<AnsweredLogin<'p>, PhoneError> {
        let mut app = self.phone.app(keystore, person, now);
        let consent = self.approval.answer(&mut app).await?.cloned().ok_or(PhoneError::Over)?;
        Ok(AnsweredLogin {
            phone: self.phone,
            approval: self.approval,
            consent,
            now: self.now,
        })
    }

    /// Declines before anybody said who she is; the address to go back to.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn decline(self) -> Result<String, PhoneError> {
        address(self.refuse(Choice::Decline).await?)
    }

    /// The same, also of a login that goes on in a browser of another device.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn decline_anywhere(self) -> Result<End, PhoneError> {
        self.refuse(Choice::Decline).await
    }

    /// Ends the login on both devices: she did not begin it, or somebody is on the phone with her.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn abort(self, why: AbortWhy) -> Result<End, PhoneError> {
        self.refuse(Choice::Abort(why)).await
    }

    async fn refuse(self, choice: Choice) -> Result<End, PhoneError> {
        end(self.phone, self.approval, Hand::choosing(choice), self.now).await
    }
}

impl<'p> AnsweredLogin<'p> {
    /// What the person is asked.
    #[must_use]
    pub fn consent(&self) -> &Consent {
        &self.consent
    }

    /// Releases what is essential and the voluntary claims given, by name; the address to go back to.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn approve(self, voluntary: &[&str], remember: bool) -> Result<String, PhoneError> {
        let voluntary = voluntary.iter().map(|&name| name.to_owned()).collect();
        self.decide(Decision::Approve {
            voluntary,
            remember,
            number: None,
        })
        .await
    }

    /// Releases everything asked for.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn approve_all(self) -> Result<String, PhoneError> {
        let voluntary = self.consent.claims.voluntary.clone();
        self.decide(Decision::Approve {
            voluntary,
            remember: false,
            number: None,
        })
        .await
    }

    /// Releases nothing; the address to go back to.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn decline(self) -> Result<String, PhoneError> {
        self.decide(Decision::Decline).await
    }

    async fn decide(self, decision: Decision) -> Result<String, PhoneError> {
        address(self.end(decision).await?)
    }

    /// Any decision, with the number that another device shows where the login was begun there.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn end(self, decision: Decision) -> Result<End, PhoneError> {
        end(self.phone, self.approval, Hand::deciding(decision), self.now).await
    }

    /// Binds a fresh key of this phone to the person, so that later logins need no card for a while.
    ///
    /// # Errors
    /// [`PhoneError::Flow`] with the provider's reason, among others.
    pub async fn bind_device(self, wish: &BindingWish<'_>) -> Result<BoundDevice, PhoneError> {
        let mut app = self.phone.app(KeyInMemory::default(), Hand::default(), self.now);
        Enrolment::of(self.approval, Wish::from(wish)).run(&mut app).await?;
        app.keystore.into_kept().ok_or(PhoneError::Over)
    }

    /// Service and sealed login, for pages that go on where the phone stopped.
    #[must_use]
    pub fn into_parts(self) -> (String, String) {
        (self.approval.login().client_id().to_owned(), self.sealed().to_owned())
    }

    /// The sealed login. Never empty: the provider has answered.
    fn sealed(&self) -> &str {
        self.approval.login().sealed().unwrap_or_default()
    }
}

async fn end(phone: &Phone, mut approval: Approval, person: Hand<'_>, now: UnixTime) -> Result<End, PhoneError> {
    approval.run(&mut phone.app(KeyInMemory::default(), person, now)).await
}

fn address(end: End) -> Result<String, PhoneError> {
    match end {
        End::GoBack { address } => Ok(address),
        End::Done => Err(PhoneError::Over),
    }
}

impl Transport for HttpClient {
    async fn send(&self, request: &HttpRequest) -> Result<Answer, NoAnswer> {
        let sent = match (request.method, &request.body) {
            (Method::Get, _) => self.get(&request.url, &[ACCEPT_JSON]).await,
            (Method::Post, body) => self.post_json(&request.url, body, &[ACCEPT_JSON]).await,
        };
        let response = sent.map_err(|error| NoAnswer(error.to_string()))?;
        Ok(Answer {
            status: response.status,
            body: response.text(),
        })
    }
}

/// A clock that stands: the phone answers in the moment it was opened.
impl Clock for UnixTime {
    fn now(&self) -> UnixTime {
        *self
    }
}

#[cfg(test)]
mod tests;
