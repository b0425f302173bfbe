//! A headless phone: what an insurer's authenticator app does between "log in" and "back to the service", without a screen.
//!
//! ```text
//! open(address) ─► OpenedLogin ─► answer_with_card | answer_with_device ─► AnsweredLogin ─► approve | decline ─► address to go back to
//! ```
//!
//! The phone belongs to one insurer: it speaks to that issuer only, over the TLS roots its [`transport::HttpClient`] believes, and answers
//! a challenge only after it verified that this issuer signed it for the service the address named.
//!
//! **Trusted for:** the card or device key signs nothing but a verified challenge. **Does not:** read the clock (`now` is a parameter),
//! keep files, or show anything: the caller asks the person and passes her decision on.

mod account;
mod device;
mod error;
mod wire;

use authenticator::challenge::{self, Purpose, VerifiedChallenge};
use jose::UnixTime;
use jose::json;
use jose::jwk::JwkSet;
use serde::Serialize;
use serde_json::{Value, json};
use transport::{HttpClient, HttpResponse};
use url::Url;

use crate::card::UnlockedCard;

pub use account::{Account, AccountDevice, RememberedConsent, TakeBack};
pub use device::{BindingWish, BoundDevice, DeviceFileError};
pub use error::PhoneError;
pub use wire::{ClaimNames, Consent, Requested, Service};

/// Longest address a phone opens, in characters: app links get no longer in practice.
pub const MAX_ADDRESS_CHARACTERS: usize = 8192;
/// Media type of the provider's answers.
const ACCEPT_JSON: (&str, &str) = ("accept", "application/json");

/// A phone with one insurer's app.
#[derive(Debug, Clone)]
pub struct Phone {
    client: HttpClient,
    issuer: String,
}

/// What the address of a login names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginAddress {
    /// The service.
    pub client_id: String,
    /// Which of its requests.
    pub request_uri: String,
}

/// A login whose challenge was verified and waits for the person.
#[derive(Debug)]
pub struct OpenedLogin<'p> {
    phone: &'p Phone,
    client_id: String,
    login: String,
    challenge: VerifiedChallenge,
    service: Service,
    requested: Requested,
}

/// A login of a person the provider now knows; her decision is missing.
#[derive(Debug)]
pub struct AnsweredLogin<'p> {
    phone: &'p Phone,
    client_id: String,
    login: String,
    login_id: [u8; 16],
    consent: Consent,
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
        let address = LoginAddress::parse(authorization_url)?;
        let body = json!({ "client_id": address.client_id, "request_uri": address.request_uri });
        self.begin(address.client_id, &body, now).await
    }

    /// Goes on with a login that the provider's page already holds (`login` from its link to the authenticator).
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn resume(&self, client_id: &str, login: &str, now: UnixTime) -> Result<OpenedLogin<'_>, PhoneError> {
        let body = json!({ "client_id": client_id, "login": login });
        self.begin(client_id.to_owned(), &body, now).await
    }

    async fn begin(&self, client_id: String, body: &Value, now: UnixTime) -> Result<OpenedLogin<'_>, PhoneError> {
        let answer: wire::ChallengeAnswer = self.call("auth/challenge", body).await?;
        let keys = self.challenge_keys().await?;
        let challenge = challenge::verify(&answer.challenge, &keys, now)?;
        let said = challenge.challenge();
        let purpose = if client_id == self.issuer {
            Purpose::Account
        } else {
            Purpose::Login
        };
        if said.iss != self.issuer || said.client_id != client_id || said.purpose != purpose {
            return Err(PhoneError::ForeignChallenge);
        }
        // The name in the signed challenge is the one to show; the answer beside it only adds the logo.
        if said.client_name != answer.service.name {
            return Err(PhoneError::ForeignChallenge);
        }
        Ok(OpenedLogin {
            phone: self,
            client_id,
            login: answer.login,
            challenge,
            service: answer.service,
            requested: answer.requested,
        })
    }

    /// The keys the insurer signs challenges with.
    async fn challenge_keys(&self) -> Result<JwkSet, PhoneError> {
        let url = format!("{}/auth/jwks", self.issuer);
        let response = self.client.get(&url, &[ACCEPT_JSON]).await?;
        let response = refusal_or(response)?;
        JwkSet::parse(&response.body, &json::DEFAULT).map_err(|_| PhoneError::Answer("auth/jwks"))
    }

    pub(crate) async fn call<T: serde::de::DeserializeOwned>(
        &self,
        path: &'static str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<T, PhoneError> {
        let url = format!("{}/{path}", self.issuer);
        let response = self.client.post_json(&url, body, &[ACCEPT_JSON]).await?;
        let response = refusal_or(response)?;
        json::parse_as(&response.body, &json::DEFAULT).map_err(|_| PhoneError::Answer(path))
    }
}

impl LoginAddress {
    /// Reads client and request from an authorization address.
    ///
    /// # Errors
    /// [`PhoneError::Address`].
    pub fn parse(authorization_url: &str) -> Result<Self, PhoneError> {
        if authorization_url.len() > MAX_ADDRESS_CHARACTERS {
            return Err(PhoneError::Address);
        }
        let url = Url::parse(authorization_url).map_err(|_| PhoneError::Address)?;
        let one = |name: &str| {
            let mut values = url
                .query_pairs()
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned());
            let value = values.next().filter(|value| !value.is_empty());
            if values.next().is_some() { None } else { value }
        };
        Ok(Self {
            client_id: one("client_id").ok_or(PhoneError::Address)?,
            request_uri: one("request_uri").ok_or(PhoneError::Address)?,
        })
    }
}

impl<'p> OpenedLogin<'p> {
    /// Who asks, as the signed challenge names it.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The service's identifier.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// What it asks for.
    #[must_use]
    pub fn requested(&self) -> &Requested {
        &self.requested
    }

    /// Last second in which the challenge can be answered.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.challenge.challenge().exp
    }

    /// Answers with a health card that was just unlocked.
    ///
    /// # Errors
    /// [`PhoneError::Refused`] with the provider's reason, among others.
    pub async fn answer_with_card(self, card: &UnlockedCard<'_>) -> Result<AnsweredLogin<'p>, PhoneError> {
        let body = json!({
            "client_id": self.client_id,
            "login": self.login,
            "response": card.sign_challenge(self.challenge.token()),
        });
        let answer: wire::LoginAnswer = self.phone.call("auth/card", &body).await?;
        Ok(self.answered(answer))
    }

    /// Answers with a bound device. Its counter rises even when the provider refuses: keep the device afterwards either way.
    ///
    /// # Errors
    /// [`PhoneError::Refused`] with the provider's reason (the card is due, for example), among others.
    pub async fn answer_with_device(
        self,
        device: &mut BoundDevice,
        now: UnixTime,
    ) -> Result<AnsweredLogin<'p>, PhoneError> {
        if device.issuer() != self.phone.issuer {
            return Err(PhoneError::ForeignDevice);
        }
        let body = json!({
            "client_id": self.client_id,
            "login": self.login,
            "device": device.handle(),
            "response": device.sign_challenge(self.challenge.token(), now)?,
        });
        let answer: wire::LoginAnswer = self.phone.call("auth/device", &body).await?;
        Ok(self.answered(answer))
    }

    /// Declines before anybody said who she is; the address to go back to.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn decline(self) -> Result<String, PhoneError> {
        decide(self.phone, &self.client_id, &self.login, "decline", &[], false).await
    }

    fn answered(self, answer: wire::LoginAnswer) -> AnsweredLogin<'p> {
        AnsweredLogin {
            phone: self.phone,
            login_id: self.challenge.challenge().login_id,
            client_id: self.client_id,
            login: answer.login,
            consent: answer.consent,
        }
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
        decide(self.phone, &self.client_id, &self.login, "approve", voluntary, remember).await
    }

    /// Releases everything asked for.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn approve_all(self) -> Result<String, PhoneError> {
        let voluntary = self.consent.claims.voluntary.clone();
        let voluntary: Vec<&str> = voluntary.iter().map(String::as_str).collect();
        self.approve(&voluntary, false).await
    }

    /// Releases nothing; the address to go back to.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn decline(self) -> Result<String, PhoneError> {
        decide(self.phone, &self.client_id, &self.login, "decline", &[], false).await
    }

    /// Binds a fresh key of this phone to the person, so that later logins need no card for a while. The login goes on afterwards.
    ///
    /// # Errors
    /// [`PhoneError::Refused`] with the provider's reason, among others.
    pub async fn bind_device(&self, wish: &BindingWish<'_>) -> Result<BoundDevice, PhoneError> {
        device::bind(self.phone, &self.client_id, &self.login, &self.login_id, wish).await
    }

    /// Service and sealed login, for pages that go on where the phone stopped.
    #[must_use]
    pub fn into_parts(self) -> (String, String) {
        (self.client_id, self.login)
    }
}

async fn decide(
    phone: &Phone,
    client_id: &str,
    login: &str,
    decision: &str,
    claims: &[&str],
    remember: bool,
) -> Result<String, PhoneError> {
    let body = json!({
        "client_id": client_id,
        "login": login,
        "decision": decision,
        "claims": claims,
        "remember": remember,
    });
    let answer: wire::DecisionAnswer = phone.call("auth/consent", &body).await?;
    Ok(answer.redirect)
}

/// The answer, or what the provider says against it.
fn refusal_or(response: HttpResponse) -> Result<HttpResponse, PhoneError> {
    if response.is_success() {
        return Ok(response);
    }
    Err(error::refused(response.status, &response.body))
}

#[cfg(test)]
mod tests;
