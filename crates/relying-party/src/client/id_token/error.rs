//! Why an ID token is refused.

use authenticator::{Acr, IdTokenVersion};
use federation::EntityId;
use jose::json::JsonError;
use jose::jwe::JweError;
use jose::jws::JwsError;

use super::CLOCK_TOLERANCE_SECONDS;

/// Why an ID token is refused. Holds no value of a claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    /// The outer layer is not what the profile wants, or does not decrypt.
    #[error("ID token: {0}")]
    Jwe(#[from] JweError),
    /// The outer header names no key.
    #[error("ID token: JWE header member kid is missing, expected the kid of our encryption key (gematik digest 6.3)")]
    NoRecipient,
    /// Encrypted to a key we do not have (any more).
    #[error("ID token: JWE header member kid names none of our encryption keys, expected one of {known}")]
    UnknownRecipient {
        /// Our key identifiers.
        known: String,
    },
    /// `cty` is something else.
    #[error("ID token: JWE header member cty must be JWT (RFC 7519 section 5.2)")]
    ContentType,
    /// `version` is not one we know.
    #[error("ID token: JWE header member version must be 1.0.0 or 2.0.0, or absent (A_27505)")]
    UnknownVersion,
    /// `version` is not one the provider's statement announces.
    #[error("ID token: version {} is not announced in the provider's statement, ti_features_supported (A_27505)", .0.as_str())]
    VersionNotAnnounced(IdTokenVersion),
    /// The plaintext is not text.
    #[error("ID token: decrypted content is not a JWS")]
    NotText,
    /// The inner layer is not what the profile wants.
    #[error("ID token: {0}")]
    Jws(#[from] JwsError),
    /// Not ES256.
    #[error("ID token: JWS header member alg must be ES256")]
    Algorithm,
    /// The inner header names no key.
    #[error(
        "ID token: JWS header member kid is missing, expected the kid of the provider's token key (gematik digest 6.4)"
    )]
    NoSigner,
    /// Signed by a key that is not in the provider's signed key set.
    #[error(
        "ID token: JWS header member kid names no signature key of the provider's signed key set, expected one of {known} (A_22861)"
    )]
    UnknownSigner {
        /// The identifiers in the set.
        known: String,
    },
    /// The signature does not verify.
    #[error("ID token: signature does not verify with key {kid:?} of the provider's signed key set")]
    Signature {
        /// The key that was tried.
        kid: String,
    },
    /// `x5c` does not hold the certificate of the key.
    #[error(
        "ID token: JWS header member x5c must hold exactly one certificate, for the key that kid names (gematik digest 6.4)"
    )]
    Certificate,
    /// The body is not the JSON we accept.
    #[error("ID token body: {0}")]
    Json(#[from] JsonError),
    /// A claim is missing or has the wrong type.
    #[error("ID token: claim {claim} must be {expected}")]
    Claim {
        /// The claim.
        claim: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// Issued by somebody else.
    #[error("ID token: claim iss must be {expected} (OpenID Connect Core section 3.1.3.7)")]
    Issuer {
        /// The provider the login began with.
        expected: EntityId,
    },
    /// Meant for somebody else.
    #[error("ID token: claim aud must be {expected} and nobody else (OpenID Connect Core section 3.1.3.7)")]
    Audience {
        /// Our entity identifier.
        expected: EntityId,
    },
    /// Answers another login.
    #[error("ID token: claim nonce is not this login's (OpenID Connect Core section 3.1.3.7)")]
    Nonce,
    /// `iat` or `nbf` is in the future.
    #[error(
        "ID token: claim {claim} is {ahead_seconds} s in the future, at most {CLOCK_TOLERANCE_SECONDS} s are tolerated"
    )]
    InFuture {
        /// `iat`, `nbf` or `auth_time`.
        claim: &'static str,
        /// How far.
        ahead_seconds: u64,
    },
    /// `exp` has passed.
    #[error("ID token: claim exp passed {ago_seconds} s ago, at most {CLOCK_TOLERANCE_SECONDS} s are tolerated")]
    Expired {
        /// How long ago.
        ago_seconds: u64,
    },
    /// The level is lower than asked for.
    #[error("ID token: claim acr is {}, expected at least {} (A_23049)", .reached.as_str(), .asked.as_str())]
    LevelTooLow {
        /// What the token says.
        reached: Acr,
        /// What was asked for.
        asked: Acr,
    },
    /// The authentication is older than asked for.
    #[error(
        "ID token: claim auth_time was {age_seconds} s ago when the login began, max_age was {max_age_seconds} (OpenID Connect Core section 3.1.3.7)"
    )]
    AuthenticationTooOld {
        /// Its age when the login began.
        age_seconds: u64,
        /// What was asked for.
        max_age_seconds: u64,
    },
}

impl IdTokenError {
    /// The provider's statement or key set may have changed since it was fetched: fetch it anew, once (A_22861, A_27505).
    pub fn wants_reload(&self) -> bool {
        matches!(self, Self::UnknownSigner { .. } | Self::VersionNotAnnounced(_))
    }
}
