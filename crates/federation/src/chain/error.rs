//! Why a chain is refused, and what a client is told.

use crate::entity::EntityId;
use crate::metadata::EntityType;
use crate::policy::{PolicyError, PolicyViolation};
use crate::statement::StatementError;

/// The OAuth error code an authorization server answers with (gematik: failure codes allowed for a service whose
/// statement is defective; `missing_trust_anchor` from OpenID Federation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OAuthErrorCode {
    /// `invalid_request`: the identifier itself is malformed.
    InvalidRequest,
    /// `invalid_client`: the client is not a valid participant.
    InvalidClient,
    /// `missing_trust_anchor`: no way leads from the client to a trust anchor of ours.
    MissingTrustAnchor,
}

impl OAuthErrorCode {
    /// The wire value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::MissingTrustAnchor => "missing_trust_anchor",
        }
    }
}

/// Why a chain does not prove anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustChainError {
    /// There is no statement at all.
    #[error("a trust chain needs the entity's own statement first (OpenID Federation 1.0 §4)")]
    Empty,
    /// More statements than any acceptable chain has.
    #[error("a trust chain must have at most {limit} intermediates")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// A statement is malformed, wrongly signed, expired ….
    #[error("{statement}: {reason}")]
    Statement {
        /// Which one: "statement of A about B" or "own statement of A".
        statement: String,
        /// The rule it breaks.
        reason: StatementError,
    },
    /// A statement could not even be read.
    #[error("statement from {url}: {reason}")]
    Unreadable {
        /// Where it came from.
        url: String,
        /// The rule it breaks.
        reason: StatementError,
    },
    /// The first statement is not the subject's own.
    #[error(
        "the first statement of the chain must be that of {subject} about itself, claims iss and sub (OpenID Federation 1.0 §10.2)"
    )]
    WrongSubject {
        /// The entity the chain has to be about.
        subject: EntityId,
    },
    /// No superior says anything about the subject.
    #[error("no superior has made a statement about {subject} (OpenID Federation 1.0 §4)")]
    NoSubordinateStatement {
        /// The entity.
        subject: EntityId,
    },
    /// Two neighbouring statements do not fit.
    #[error("the statement by {issuer} must be about {expected}, claim sub (OpenID Federation 1.0 §10.2)")]
    BrokenLink {
        /// Who made the upper statement.
        issuer: EntityId,
        /// About whom it has to be.
        expected: EntityId,
    },
    /// An own statement of somebody who is not in the chain.
    #[error("own statement of {entity}, which is not part of the chain")]
    Stray {
        /// The entity.
        entity: EntityId,
    },
    /// The same entity twice.
    #[error("entity {entity} occurs twice in the chain (OpenID Federation 1.0 §10.1)")]
    Loop {
        /// The entity.
        entity: EntityId,
    },
    /// The entity does not name the superior that vouches for it.
    #[error("claim authority_hints of {entity} must name {superior} (OpenID Federation 1.0 §3.2)")]
    NotASuperior {
        /// The entity.
        entity: EntityId,
        /// The superior.
        superior: EntityId,
    },
    /// The chain ends at somebody who is no anchor of ours.
    #[error("the chain ends at {issuer}, which is no configured trust anchor (OpenID Federation 1.0 §10.2)")]
    UnknownTrustAnchor {
        /// Who stands at the upper end.
        issuer: EntityId,
    },
    /// The anchor's own statement lacks an endpoint or is malformed.
    #[error("own statement of the trust anchor: metadata.federation_entity: {reason}")]
    TrustAnchorMetadata {
        /// What is wrong.
        reason: crate::metadata::MemberError,
    },
    /// `aud` names somebody else.
    #[error("{statement}: claim aud must contain {expected}")]
    WrongAudience {
        /// Which statement.
        statement: String,
        /// Who we are.
        expected: EntityId,
    },
    /// `max_path_length` (§6.2.1).
    #[error("{issuer} allows at most {limit} intermediates below it, there are {found} (OpenID Federation 1.0 §6.2.1)")]
    PathTooLong {
        /// Who set the constraint.
        issuer: EntityId,
        /// The limit.
        limit: u64,
        /// How many there are.
        found: u64,
    },
    /// `naming_constraints` (§6.2.2).
    #[error("{issuer} does not permit the name of {entity} (OpenID Federation 1.0 §6.2.2)")]
    NameNotPermitted {
        /// Who set the constraint.
        issuer: EntityId,
        /// Who breaks it.
        entity: EntityId,
    },
    /// `allowed_entity_types` (§6.2.3).
    #[error("{issuer} does not allow entity type {entity_type} below it (OpenID Federation 1.0 §6.2.3)")]
    EntityTypeNotAllowed {
        /// Who set the constraint.
        issuer: EntityId,
        /// The type.
        entity_type: EntityType,
    },
    /// The entity does not play the role.
    #[error("metadata of {subject} must contain {entity_type} (OpenID Federation 1.0 §3.1.1)")]
    EntityTypeMissing {
        /// The entity.
        subject: EntityId,
        /// The role.
        entity_type: EntityType,
    },
    /// The chain's policies are malformed or contradict each other (§6.1.4.1).
    #[error("metadata policy for {entity_type}: {reason}")]
    Policy {
        /// The entity type.
        entity_type: String,
        /// The rule broken.
        reason: PolicyError,
    },
    /// The metadata violates the chain's policy (§6.1.4.2).
    #[error("metadata of {entity_type}: {reason}")]
    PolicyViolated {
        /// The entity type.
        entity_type: String,
        /// The rule broken.
        reason: PolicyViolation,
    },
}

impl TrustChainError {
    /// What a client is told.
    pub fn oauth_error(&self) -> OAuthErrorCode {
        match self {
            Self::Empty
            | Self::NoSubordinateStatement { .. }
            | Self::NotASuperior { .. }
            | Self::UnknownTrustAnchor { .. }
            | Self::TrustAnchorMetadata { .. } => OAuthErrorCode::MissingTrustAnchor,
            Self::TooLong { .. }
            | Self::Statement { .. }
            | Self::Unreadable { .. }
            | Self::WrongSubject { .. }
            | Self::BrokenLink { .. }
            | Self::Stray { .. }
            | Self::Loop { .. }
            | Self::WrongAudience { .. }
            | Self::PathTooLong { .. }
            | Self::NameNotPermitted { .. }
            | Self::EntityTypeNotAllowed { .. }
            | Self::EntityTypeMissing { .. }
            | Self::Policy { .. }
            | Self::PolicyViolated { .. } => OAuthErrorCode::InvalidClient,
        }
    }
}

impl crate::entity::EntityIdError {
    /// What a client with such an identifier is told.
    pub fn oauth_error(&self) -> OAuthErrorCode {
        OAuthErrorCode::InvalidRequest
    }
}
