//! Why a login does not begin, and why a code is not redeemed.

use transport::{HttpClientError, TlsError};

use super::config::ConfigError;
use super::id_token::IdTokenError;
use super::provider::FederationError;
use super::random::RandomnessError;
use super::refusal::ProviderRefusal;

/// Why there is no relying party.
#[derive(Debug, thiserror::Error)]
pub enum NewPartyError {
    /// The configuration breaks a rule.
    #[error("relying party: {0}")]
    Config(#[from] ConfigError),
    /// The TLS client could not be made.
    #[error("relying party: {0}")]
    Tls(#[from] TlsError),
}

/// Why a login does not begin.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The provider is not to be trusted, or not reachable.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// The redirect URI is not a configured one.
    #[error("redirect_uri is not one of the configured ones")]
    RedirectUri,
    /// The pushed request got no answer.
    #[error("pushed authorization request: {0}")]
    NoAnswer(HttpClientError),
    /// The provider refused it.
    #[error("pushed authorization request: the provider answers {status} {refusal} (after {pushes} tries)")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        refusal: ProviderRefusal,
        /// How often the request was pushed.
        pushes: u32,
    },
    /// The answer is not that of RFC 9126 §2.2.
    #[error(
        "pushed authorization request: answer must have status 201, request_uri and expires_in of 1 to 600 (RFC 9126 section 2.2)"
    )]
    Answer,
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The TLS client certificate could not be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Why a code gives no login.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// The provider is not to be trusted any more, or not reachable.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// The token request got no answer.
    #[error("token request: {0}")]
    NoAnswer(HttpClientError),
    /// The provider refused it.
    #[error("token request: the provider answers {status} {refusal}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        refusal: ProviderRefusal,
    },
    /// The answer is not that of OpenID Connect Core §3.1.3.3.
    #[error("token request: answer must have status 200 and an id_token (OpenID Connect Core section 3.1.3.3)")]
    Answer,
    /// The ID token is refused.
    #[error(transparent)]
    IdToken(#[from] IdTokenError),
    /// The TLS client certificate could not be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl LoginError {
    /// What the provider said, if it was the provider.
    pub fn refusal(&self) -> Option<&ProviderRefusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }
}

impl RedeemError {
    /// What the provider said, if it was the provider.
    pub fn refusal(&self) -> Option<&ProviderRefusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }
}
