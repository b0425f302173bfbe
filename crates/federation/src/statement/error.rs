//! Why a statement is refused: one variant per rule, with the claim and what it has to be.

use jose::json::JsonError;
use jose::jwk::JwkError;
use jose::jws::JwsError;

use super::{LEEWAY_SECONDS, TYPE};
use crate::entity::EntityIdError;
use crate::members::MemberError;
use crate::policy::PolicyError;

/// Why a statement is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not a JWS we accept: see the reason.
    #[error("entity statement: {0}")]
    Jws(#[from] JwsError),
    /// The payload is not the JSON we accept.
    #[error("entity statement payload: {0}")]
    Json(#[from] JsonError),
    /// The payload is JSON, but not an object.
    #[error("entity statement payload must be a JSON object (RFC 7519 §4)")]
    NotAnObject,
    /// Signed for another algorithm.
    #[error("header member alg must be ES256")]
    Algorithm,
    /// `typ` is absent or different.
    #[error("header member typ must be {TYPE} (OpenID Federation 1.0 §3)")]
    Type,
    /// `kid` is absent or empty.
    #[error("header member kid must be a non-empty string (OpenID Federation 1.0 §3)")]
    MissingKid,
    /// A claim is missing or has the wrong type.
    #[error("entity statement: {0} (OpenID Federation 1.0 §3.1)")]
    Claim(#[from] MemberError),
    /// `iss`, `sub` or an authority hint is no entity identifier.
    #[error("claim {claim} must be an entity identifier: {reason}")]
    EntityId {
        /// The claim.
        claim: &'static str,
        /// The rule it breaks.
        reason: EntityIdError,
    },
    /// `jwks` is no key set.
    #[error("claim jwks: {0}")]
    Jwks(#[from] JwkError),
    /// `jwks` has no P-256 key.
    #[error("claim jwks must contain at least one P-256 key (A_23337, A_23336)")]
    NoKeys,
    /// A key in `jwks` has no `kid`.
    #[error("every key in claim jwks must have a kid (OpenID Federation 1.0 §3.1.1)")]
    KeyWithoutKid,
    /// `authority_hints` is an empty array.
    #[error("claim authority_hints must not be empty (OpenID Federation 1.0 §3.1.2)")]
    NoAuthorityHints,
    /// More than [`super::MAX_AUTHORITY_HINTS`], or more than [`super::MAX_ENTITY_TYPES`].
    #[error("claim {claim} has too many entries")]
    TooMany {
        /// The claim.
        claim: &'static str,
    },
    /// A claim that belongs in the other kind of statement.
    #[error("claim {claim} must not be in {kind} (OpenID Federation 1.0 §3.1)")]
    UnexpectedClaim {
        /// The claim.
        claim: &'static str,
        /// An entity configuration or a subordinate statement, and how one tells.
        kind: &'static str,
    },
    /// `crit` names claims: none is understood beyond the standard ones, which must not be named.
    #[error("claim crit names a claim that is not understood (OpenID Federation 1.0 §3.1.1)")]
    Critical,
    /// A metadata member is `null`.
    #[error("metadata of an entity type must not contain null (OpenID Federation 1.0 §5)")]
    NullMetadata,
    /// A metadata policy is not acceptable.
    #[error("claim metadata_policy: {0}")]
    Policy(#[from] PolicyError),
    /// `exp` is not after `iat`.
    #[error("claim exp must be later than iat")]
    ExpiresBeforeIssued,
    /// The statement about itself has `iss` and `sub` that differ.
    #[error("claims iss and sub must be equal in an entity configuration (OpenID Federation 1.0 §3.1.1)")]
    NotSelfIssued,
    /// `kid` names no key of the set.
    #[error("header member kid names no key of the issuer, expected {known} (OpenID Federation 1.0 §3.2)")]
    UnknownKey {
        /// The identifiers that would have been accepted.
        known: String,
    },
    /// The signature does not verify.
    #[error("signature does not verify with the issuer's key {kid:?} (OpenID Federation 1.0 §3.2)")]
    Signature {
        /// The key that was tried.
        kid: String,
    },
    /// The key that verified the statement is not among those the entity publishes itself.
    #[error("claim jwks must contain the key that signed the entity configuration (OpenID Federation 1.0 §10.2)")]
    OwnKeyMissing,
    /// `iat` is in the future.
    #[error("claim iat is {ahead_seconds} s in the future, at most {LEEWAY_SECONDS} s are tolerated")]
    IssuedInFuture {
        /// How far.
        ahead_seconds: u64,
    },
    /// `nbf` is in the future.
    #[error("claim nbf is {ahead_seconds} s in the future, at most {LEEWAY_SECONDS} s are tolerated")]
    NotYetValid {
        /// How far.
        ahead_seconds: u64,
    },
    /// `exp` has passed.
    #[error("claim exp passed {ago_seconds} s ago")]
    Expired {
        /// How long ago.
        ago_seconds: u64,
    },
    /// `exp` − `iat` is longer than allowed.
    #[error("exp must be at most {limit_seconds} s after iat, not {lifetime_seconds} s (A_23010, A_23034)")]
    LivesTooLong {
        /// `exp` − `iat`.
        lifetime_seconds: u64,
        /// The limit.
        limit_seconds: u64,
    },
}
