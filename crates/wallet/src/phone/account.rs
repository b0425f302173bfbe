//! The person's account at her insurer, through the phone: which devices are bound, what is remembered, taking either back.

use jose::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{AnsweredLogin, OpenedLogin, Phone, PhoneError};
use crate::run::Approval;

/// What stands in the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Decisions remembered.
    pub consents: Vec<RememberedConsent>,
    /// Devices bound.
    pub devices: Vec<AccountDevice>,
}

/// One decision the person asked to remember.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedConsent {
    /// Names the record.
    pub id: String,
    /// The service.
    pub client_id: String,
    /// Its name when she decided.
    pub service: String,
    /// Claims released.
    pub shared: Vec<String>,
    /// When she decided.
    pub decided_at: UnixTime,
}

/// One bound device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDevice {
    /// Names the record.
    pub id: String,
    /// Her name for it.
    pub name: String,
    /// Its class.
    pub class: String,
    /// When it was bound.
    pub bound_at: UnixTime,
    /// Last second without the card; absent where its class is not admitted any more.
    pub valid_until: Option<UnixTime>,
}

/// What to take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeBack<'a> {
    /// A remembered consent, by its record.
    Consent(&'a str),
    /// A bound device, by its record.
    Device(&'a str),
}

impl Phone {
    /// Begins a login to the account itself.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn open_account(&self, now: UnixTime) -> Result<OpenedLogin<'_>, PhoneError> {
        self.begin(Approval::account(&self.issuer), now).await
    }
}

impl AnsweredLogin<'_> {
    /// What stands in the account. Only in a login that [`Phone::open_account`] began.
    ///
    /// # Errors
    /// [`PhoneError::Flow`] in a login to a service, among others.
    pub async fn account(&self) -> Result<Account, PhoneError> {
        self.phone
            .call("account/overview", &json!({ "login": self.sealed() }))
            .await
    }

    /// Takes a consent or a device back; done for good when this returns. Only in a login that [`Phone::open_account`] began.
    ///
    /// # Errors
    /// [`PhoneError::Flow`] where the record is not this person's, among others.
    pub async fn take_back(&self, what: TakeBack<'_>) -> Result<(), PhoneError> {
        let body = match what {
            TakeBack::Consent(id) => json!({ "login": self.sealed(), "consent": id }),
            TakeBack::Device(id) => json!({ "login": self.sealed(), "device": id }),
        };
        let _: serde_json::Map<String, serde_json::Value> = self.phone.call("account/revoke", &body).await?;
        Ok(())
    }
}
