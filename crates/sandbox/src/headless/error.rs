//! Why a login without a screen did not succeed.

use std::path::PathBuf;

use relying_party::client::{CallbackError, LoginError, NewPartyError, RedeemError};
use transport::TlsError;
use wallet::card::PinError;
use wallet::phone::PhoneError;
use wallet::provider_check::ProviderCheckError;

use crate::cards::{CardsError, UseError};
use crate::data::DataError;
use crate::description::NoAnchor;
use crate::service_keys::ServiceKeysError;

/// Why a login did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum HeadlessError {
    /// The service could not begin it.
    #[error("pushed authorization request")]
    Begin(#[from] LoginError),
    /// The card.
    #[error("card")]
    Pin(#[from] PinError),
    /// The cards.
    #[error(transparent)]
    Use(#[from] UseError),
    /// The cards.
    #[error(transparent)]
    Cards(#[from] CardsError),
    /// The phone.
    #[error(transparent)]
    Phone(#[from] PhoneError),
    /// The answer brought no code.
    #[error("answer to the service")]
    Callback(#[from] CallbackError),
    /// The token was not given or does not verify.
    #[error("token")]
    Redeem(#[from] RedeemError),
    /// Something essential cannot be refused alone.
    #[error("{0} is essential to this service: it can only be declined as a whole (gematik digest 7.2)")]
    Essential(String),
    /// Nothing of this name was asked for.
    #[error("{0} was not asked for")]
    NotAsked(String),
    /// The data directory of the sandbox.
    #[error("the sandbox's data")]
    Data(#[from] DataError),
    /// The sandbox's data directory is not one.
    #[error("the sandbox's data directory is not readable here; it must run on this machine, as the same user")]
    NoIdentity,
    /// The service's keys.
    #[error(transparent)]
    ServiceKeys(#[from] ServiceKeysError),
    /// The service.
    #[error(transparent)]
    Party(#[from] NewPartyError),
    /// The description.
    #[error(transparent)]
    Anchor(#[from] NoAnchor),
    /// What runs at the provider.
    #[error(transparent)]
    Provider(#[from] ProviderCheckError),
    /// Whom to believe about it.
    #[error("{}: {reason}", file.display())]
    Pins {
        /// The file that says so.
        file: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The authority could not be read.
    #[error("{0}")]
    Authority(String),
}
