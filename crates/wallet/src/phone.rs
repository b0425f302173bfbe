//! A headless phone: what an insurer's authenticator app does between "log in" and "back to the service", without a screen.
//!
//! ```text
//! open(address) ─► OpenedLogin ─► answer_with_card | answer_with_device ─► AnsweredLogin ─► approve | decline ─► address to go back to
//! ```
//!
//! The protocol is [`crate::flow`]'s; this drives it over HTTPS, with a key in memory. The phone belongs to one insurer: it speaks to that
//! issuer only, over the TLS roots its [`transport::HttpClient`] believes.
//!
//! **Does not:** read the clock (`now` is a parameter), keep files, or show anything: the caller asks the person and passes her decision on.

mod account;
mod device;
mod error;

use jose::UnixTime;
use jose::json;
use serde::Serialize;
use transport::{HttpClient, HttpResponse};

use crate::card::UnlockedCard;
use crate::flow::{Binding, FlowError, HttpRequest, Login, Method, Request, Told, Want};

pub use crate::flow::{BindingWish, ClaimNames, Consent, MAX_ADDRESS_CHARACTERS, Requested, Service};
pub use account::{Account, AccountDevice, RememberedConsent, TakeBack};
pub use device::{BoundDevice, DeviceFileError};
pub use error::PhoneError;

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
    login: Login,
    request: Request,
    now: UnixTime,
}

/// A login of a person the provider now knows; her decision is missing.
#[derive(Debug)]
pub struct AnsweredLogin<'p> {
    phone: &'p Phone,
    login: Login,
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
        self.begin(Login::open(&self.issuer, authorization_url)?, now).await
    }

    /// Goes on with a login that the provider's page already holds (`login` from its link to the authenticator).
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn resume(&self, client_id: &str, login: &str, now: UnixTime) -> Result<OpenedLogin<'_>, PhoneError> {
        self.begin(Login::resume(&self.issuer, client_id, login), now).await
    }

    async fn begin(&self, (mut login, want): (Login, Want), now: UnixTime) -> Result<OpenedLogin<'_>, PhoneError> {
        let Want::Choose(request) = self.drive(&mut login, want, now).await? else {
            return Err(PhoneError::OutOfStep);
        };
        Ok(OpenedLogin {
            phone: self,
            login,
            request,
            now,
        })
    }

    /// Sends until something else is wanted.
    async fn drive(&self, login: &mut Login, mut want: Want, now: UnixTime) -> Result<Want, PhoneError> {
        while let Want::Send(request) = want {
            want = login.tell(self.send(&request).await?, now)?;
        }
        Ok(want)
    }

    async fn send(&self, request: &HttpRequest) -> Result<Told, PhoneError> {
        let response = match (request.method, &request.body) {
            (Method::Get, _) => self.client.get(&request.url, &[ACCEPT_JSON]).await?,
            (Method::Post, body) => self.client.post_json(&request.url, body, &[ACCEPT_JSON]).await?,
        };
        Ok(Told::Answer {
            status: response.status,
            body: response.text(),
        })
    }

    pub(crate) async fn call<T: serde::de::DeserializeOwned>(
        &self,
        path: &'static str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<T, PhoneError> {
        let url = format!("{}/{path}", self.issuer);
        let response: HttpResponse = self.client.post_json(&url, body, &[ACCEPT_JSON]).await?;
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
    pub async fn answer_with_card(mut self, card: &UnlockedCard<'_>) -> Result<AnsweredLogin<'p>, PhoneError> {
        let Want::SignWithCard { challenge } = self.login.tell(Told::WithCard, self.now)? else {
            return Err(PhoneError::OutOfStep);
        };
        let response = card.sign_challenge(&challenge);
        self.answer(Told::CardAnswered { response }).await
    }

    /// Answers with a bound device. Its counter rises even when the provider refuses: keep the device afterwards either way.
    ///
    /// # Errors
    /// [`PhoneError::Flow`] with the provider's reason (the card is due, for example), among others.
    pub async fn answer_with_device(
        mut self,
        device: &mut BoundDevice,
        now: UnixTime,
    ) -> Result<AnsweredLogin<'p>, PhoneError> {
        let with = Told::WithDevice(device.record().clone());
        let Want::SignWithDevice { counter, message, .. } = self.login.tell(with, now)? else {
            return Err(PhoneError::OutOfStep);
        };
        device.count(counter);
        let signature = device.sign(&message)?;
        self.answer(Told::Signed { signature }).await
    }

    async fn answer(mut self, told: Told) -> Result<AnsweredLogin<'p>, PhoneError> {
        let want = self.login.tell(told, self.now)?;
        let Want::Decide(consent) = self.phone.drive(&mut self.login, want, self.now).await? else {
            return Err(PhoneError::OutOfStep);
        };
        Ok(AnsweredLogin {
            phone: self.phone,
            login: self.login,
            consent,
            now: self.now,
        })
    }

    /// Declines before anybody said who she is; the address to go back to.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn decline(self) -> Result<String, PhoneError> {
        go_back(self.phone, self.login, Told::Decline, self.now).await
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
        let told = Told::Approve {
            voluntary,
            remember,
            number: None,
        };
        go_back(self.phone, self.login, told, self.now).await
    }

    /// Releases everything asked for.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn approve_all(self) -> Result<String, PhoneError> {
        let voluntary = self.consent.claims.voluntary.clone();
        let told = Told::Approve {
            voluntary,
            remember: false,
            number: None,
        };
        go_back(self.phone, self.login, told, self.now).await
    }

    /// Releases nothing; the address to go back to.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn decline(self) -> Result<String, PhoneError> {
        go_back(self.phone, self.login, Told::Decline, self.now).await
    }

    /// Binds a fresh key of this phone to the person, so that later logins need no card for a while. The login goes on afterwards.
    ///
    /// # Errors
    /// [`PhoneError::Flow`] with the provider's reason, among others.
    pub async fn bind_device(&self, wish: &BindingWish<'_>) -> Result<BoundDevice, PhoneError> {
        let (mut binding, _) = Binding::begin(&self.login, wish)?;
        let key = device::make_key()?;
        let Want::SignWithNewKey { message } = binding.tell(device::key_made(&key))? else {
            return Err(PhoneError::OutOfStep);
        };
        let signature = device::sign(&key, &message)?;
        let Want::Send(request) = binding.tell(Told::Signed { signature })? else {
            return Err(PhoneError::OutOfStep);
        };
        match binding.tell(self.phone.send(&request).await?)? {
            Want::Keep(bound) => Ok(BoundDevice::new(bound.record, key)),
            _ => Err(PhoneError::OutOfStep),
        }
    }

    /// Service and sealed login, for pages that go on where the phone stopped.
    #[must_use]
    pub fn into_parts(self) -> (String, String) {
        (self.login.client_id().to_owned(), self.sealed().to_owned())
    }

    /// The sealed login. Never empty: the provider has answered.
    fn sealed(&self) -> &str {
        self.login.sealed().unwrap_or_default()
    }
}

async fn go_back(phone: &Phone, mut login: Login, told: Told, now: UnixTime) -> Result<String, PhoneError> {
    let want = login.tell(told, now)?;
    match phone.drive(&mut login, want, now).await? {
        Want::GoBack { address } => Ok(address),
        _ => Err(PhoneError::OutOfStep),
    }
}

#[cfg(test)]
mod tests;
