//! What a peer is told when something is refused: a registered error code, an HTTP status and a safe sentence.
//!
//! Inside, every decision has its own error enum with what an operator needs; one exhaustive match per endpoint (`PushError::refusal`,
//! `AuthorizationError::refusal`, `TokenError::refusal`) translates to this.

use authenticator::Reason;
use serde::Serialize;

/// A registered OAuth, OpenID Connect or OpenID Federation error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// RFC 6749 §4.1.2.1: the person or the provider denied the request.
    AccessDenied,
    /// OpenID Connect Core §3.1.2.6.
    ConsentRequired,
    /// OpenID Connect Core §3.1.2.6.
    InteractionRequired,
    /// RFC 6749 §5.2: client authentication failed.
    InvalidClient,
    /// RFC 6749 §5.2: the code is invalid, expired, used, or belongs to another client.
    InvalidGrant,
    /// RFC 6749 §4.1.2.1.
    InvalidRequest,
    /// RFC 6749 §4.1.2.1.
    InvalidScope,
    /// OpenID Connect Core §3.1.2.6.
    LoginRequired,
    /// OpenID Federation 1.0 §8.9: no chain to a trust anchor we trust.
    MissingTrustAnchor,
    /// Unknown path (OpenID Federation 1.0 §8.9).
    NotFound,
    /// RFC 6749 §4.1.2.1.
    ServerError,
    /// RFC 6749 §4.1.2.1: try again later.
    TemporarilyUnavailable,
    /// RFC 6749 §4.1.2.1.
    UnauthorizedClient,
    /// RFC 6749 §5.2.
    UnsupportedGrantType,
    /// RFC 6749 §4.1.2.1.
    UnsupportedResponseType,
}

impl ErrorCode {
    /// The code on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::LoginRequired => "login_required",
            Self::MissingTrustAnchor => "missing_trust_anchor",
            Self::NotFound => "not_found",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }

    /// What an authenticator is told where the decision itself names nothing nearer.
    const fn reason(self) -> Reason {
        match self {
            Self::NotFound => Reason::NotFound,
            Self::ServerError => Reason::Internal,
            Self::TemporarilyUnavailable => Reason::Unavailable,
            Self::InvalidClient | Self::MissingTrustAnchor | Self::UnauthorizedClient => Reason::ServiceUnknown,
            Self::LoginRequired | Self::ConsentRequired | Self::InteractionRequired => Reason::MustNotAsk,
            Self::AccessDenied
            | Self::InvalidGrant
            | Self::InvalidRequest
            | Self::InvalidScope
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType => Reason::Malformed,
        }
    }
}

/// What the peer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Registered code.
    pub code: ErrorCode,
    /// Names the rule, the member and the expected value; printable ASCII without `"` and `\` (RFC 6749 §5.2); never holds personal data.
    pub description: String,
    /// The same for a wallet. Only the authenticator API says it.
    pub reason: Reason,
}

/// The error body of the endpoints other specifications name (gematik digest 4.5, RFC 6749 §5.2): these members and no others.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    /// Registered code.
    pub error: &'a str,
    /// The description, ending with the support code.
    pub error_description: &'a str,
}

/// The error body of the authenticator API: the members of OAuth, and what a wallet makes a sentence of.
#[derive(Debug, Serialize)]
pub struct AuthenticatorErrorBody<'a> {
    /// Registered code.
    pub error: &'a str,
    /// The description, ending with the support code.
    pub error_description: &'a str,
    /// Never changes its meaning.
    pub reason: Reason,
    /// Stands in the provider's log too.
    pub support_code: &'a str,
    /// Seconds until it is worth trying again, as in the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal with this status, code and sentence; characters RFC 6749 §5.2 does not allow are replaced.
    pub fn new(status: u16, code: ErrorCode, description: impl std::fmt::Display) -> Self {
        let description = description
            .to_string()
            .chars()
            .map(|c| match c {
                '"' | '\\' => '\'',
                ' '..='~' => c,
                _ => '?',
            })
            .collect();
        Self {
            status,
            code,
            description,
            reason: code.reason(),
        }
    }

    /// Names the reason nearer than the code does.
    #[must_use]
    pub const fn because(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }

    /// 400 `invalid_request`.
    pub fn invalid_request(description: impl std::fmt::Display) -> Self {
        Self::new(400, ErrorCode::InvalidRequest, description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_keeps_to_the_characters_rfc_6749_allows() {
        let refusal = Refusal::invalid_request("a \"b\" \\ \n ü");
        assert_eq!(refusal.description, "a 'b' ' ? ?");
    }
}
