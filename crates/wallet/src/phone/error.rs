//! Why a login on the phone does not go on.

use authenticator::challenge::ChallengeError;
use jose::json;
use serde::Deserialize;
use transport::HttpClientError;

/// Why a login on the phone does not go on.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// The address is not a login's.
    #[error(
        "address: expected an authorization address with one client_id and one request_uri each (RFC 9126 section 4)"
    )]
    Address,
    /// The provider could not be reached.
    #[error("provider: {0}")]
    Http(#[from] HttpClientError),
    /// The provider answered with an error.
    #[error("the provider refused: {error}: {description}")]
    Refused {
        /// HTTP status code.
        status: u16,
        /// The registered error code.
        error: String,
        /// The reason, with a support code.
        description: String,
    },
    /// The provider's answer is not what its interface promises.
    #[error("{0}: the answer has another form than expected")]
    Answer(&'static str),
    /// The challenge is not genuine or not fresh.
    #[error(transparent)]
    Challenge(#[from] ChallengeError),
    /// The challenge is genuine but for another issuer, service or purpose.
    #[error("challenge: not issued by this insurer for the service the address names")]
    ForeignChallenge,
    /// The device was bound at another insurer.
    #[error("device: bound at another insurer")]
    ForeignDevice,
    /// The device's key did not sign.
    #[error("device: its key did not sign")]
    DeviceKey,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    #[serde(default)]
    error_description: String,
}

pub(super) fn refused(status: u16, body: &[u8]) -> PhoneError {
    match json::parse_as::<ErrorBody>(body, &json::DEFAULT) {
        Ok(body) => PhoneError::Refused {
            status,
            error: body.error,
            description: body.error_description,
        },
        Err(_) => PhoneError::Refused {
            status,
            error: format!("http_{status}"),
            description: "answered without an error object".to_owned(),
        },
    }
}
