//! Why a flow does not go on.

use authenticator::{GoesOn, Reason, challenge::ChallengeError};
use jose::json;
use serde::Deserialize;

/// Why a flow does not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// The address is not a login's.
    #[error(
        "address: expected an authorization address with one client_id and one request_uri each (RFC 9126 section 4)"
    )]
    Address,
    /// The provider answered with an error.
    #[error("the provider refused: {error}: {description}")]
    Refused {
        /// HTTP status code.
        status: u16,
        /// The registered error code.
        error: String,
        /// A sentence for developers, with a support code.
        description: String,
        /// What the app makes a sentence of; `None` where the answer names none this version knows.
        reason: Option<Reason>,
        /// What the person reads out to support.
        support_code: Option<String>,
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
    /// The login was begun on another device, and no number of its page was told.
    #[error("number: expected the two digits that the other device shows")]
    Number,
    /// What the card told is no signature.
    #[error("card: expected a signature of 64 bytes")]
    CardSignature,
    /// What the key told is no signature or no point.
    #[error("device: its key did not sign")]
    DeviceKey,
    /// The address of a push service is none that is signed.
    #[error(
        "endpoint: expected an https address of at most {} bytes",
        authenticator::device::MAX_ENDPOINT_BYTES
    )]
    Endpoint,
    /// What was told is not what was wanted.
    #[error("{told}: not what was wanted here")]
    OutOfOrder {
        /// What was told.
        told: &'static str,
    },
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    support_code: Option<String>,
}

impl FlowError {
    /// A stable name, the same in every language.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Refused { .. } => "refused",
            Self::Answer(_) => "answer",
            Self::Challenge(_) => "challenge",
            Self::ForeignChallenge => "foreign-challenge",
            Self::ForeignDevice => "foreign-device",
            Self::Number => "number",
            Self::CardSignature => "card-signature",
            Self::DeviceKey => "device-key",
            Self::Endpoint => "endpoint",
            Self::OutOfOrder { .. } => "out-of-order",
        }
    }

    /// Whether the flow is over. Where it is not, the machine waits for the same again: another card, another decision.
    #[must_use]
    pub fn ends(&self) -> bool {
        match self {
            Self::Refused {
                reason: Some(reason), ..
            } => reason.goes_on() == GoesOn::No,
            // Nobody said why: what is in front of a provider, or a newer one. Too many tries, or trouble there: later, the same answer may do.
            Self::Refused {
                reason: None, status, ..
            } => !(*status == 403 || *status == 429 || *status >= 500),
            Self::ForeignDevice
            | Self::Number
            | Self::CardSignature
            | Self::DeviceKey
            | Self::Endpoint
            | Self::OutOfOrder { .. } => false,
            Self::Address | Self::Answer(_) | Self::Challenge(_) | Self::ForeignChallenge => true,
        }
    }

    /// Why the provider refused, where it said so in a word this version knows.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Refused { reason, .. } => *reason,
            _ => None,
        }
    }

    /// What the person reads out to support, where the provider gave a code.
    #[must_use]
    pub fn support_code(&self) -> Option<&str> {
        match self {
            Self::Refused { support_code, .. } => support_code.as_deref(),
            _ => None,
        }
    }

    pub(crate) fn refused(status: u16, body: &str) -> Self {
        match json::parse_as::<ErrorBody>(body.as_bytes(), &json::DEFAULT) {
            Ok(body) => Self::Refused {
                status,
                error: body.error,
                description: body.error_description,
                reason: body.reason.as_deref().and_then(Reason::parse),
                support_code: body.support_code.filter(|code| is_support_code(code)),
            },
            Err(_) => Self::Refused {
                status,
                error: format!("http_{status}"),
                description: "answered without an error object".to_owned(),
                reason: None,
                support_code: None,
            },
        }
    }
}

/// Four letters, a hyphen, four letters: it is shown as it came, so nothing else is taken for one.
fn is_support_code(text: &str) -> bool {
    let mut groups = text.split('-');
    let four = |group: Option<&str>| {
        group.is_some_and(|group| group.len() == 4 && group.bytes().all(|letter| letter.is_ascii_uppercase()))
    };
    four(groups.next()) && four(groups.next()) && groups.next().is_none()
}
