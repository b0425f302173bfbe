//! Trust chains: from an entity's own statement to a pinned trust anchor (OpenID Federation 1.0 §4, §6, §10).
//!
//! [`resolve`] takes the statements somebody fetched, verifies them from the anchor down, and merges the metadata: the
//! entity's own members are the base, its superior's win member by member, then the metadata policy of the whole chain
//! is applied. Every step is kept and can be told: [`ResolvedTrustChain::explain`].
//!
//! Trusted for: a [`ResolvedTrustChain`] leads to one of the given anchors, every link is signed by the key its superior
//! vouches for, nothing in it has expired, and every constraint holds. It does not fetch: which statements to get, and
//! from where, is read with [`crate::statement::UnverifiedStatement::unverified_claims`] and [`VerifiedTrustAnchor`].

mod anchor;
mod error;
mod explain;
mod links;
mod merge;
#[cfg(test)]
mod tests;

use jose::UnixTime;
use jose::jwk::JwkSet;
use serde_json::{Map, Value};

use crate::entity::EntityId;
use crate::metadata::{EntityType, Metadata};
use crate::statement::MAX_LIFETIME_SECONDS;

pub use anchor::{TrustAnchor, VerifiedTrustAnchor};
pub use error::{OAuthErrorCode, TrustChainError};
pub use explain::{Origin, Step};

/// Most intermediates between the anchor and the subject of a chain.
pub const MAX_INTERMEDIATES: usize = 4;
/// After this many seconds a statement is fetched anew: 12 h (A_23132, number by analogy with A_23039).
pub const REFRESH_AFTER_SECONDS: u64 = 12 * 60 * 60;
/// After this many seconds a statement is not used any more: 24 h (A_23133, number by analogy with A_23039).
pub const DISCARD_AFTER_SECONDS: u64 = 24 * 60 * 60;

/// Whose rules apply beyond those of OpenID Federation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// gematik's: an entity's own statement lives 24 h at most (A_23010, A_23034).
    #[default]
    Gematik,
    /// None.
    OpenIdFederation,
}

/// Whom to resolve, as what, for whom.
#[derive(Debug, Clone, Copy)]
pub struct ChainRequest<'a> {
    /// The entity.
    pub subject: &'a EntityId,
    /// The role it has to have.
    pub entity_type: EntityType,
    /// Whose rules apply.
    pub profile: Profile,
    /// Who we are: a statement with `aud` has to name us. `None`: any `aud` will do.
    pub audience: Option<&'a EntityId>,
}

impl<'a> ChainRequest<'a> {
    /// Resolve this entity in this role, by gematik's rules, as nobody in particular.
    pub fn new(subject: &'a EntityId, entity_type: EntityType) -> Self {
        Self {
            subject,
            entity_type,
            profile: Profile::Gematik,
            audience: None,
        }
    }

    /// As `audience`.
    #[must_use]
    pub fn for_audience(self, audience: &'a EntityId) -> Self {
        Self {
            audience: Some(audience),
            ..self
        }
    }

    /// By the rules of `profile`.
    #[must_use]
    pub fn under(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }

    fn max_lifetime_seconds(&self) -> u64 {
        match self.profile {
            Profile::Gematik => MAX_LIFETIME_SECONDS,
            Profile::OpenIdFederation => u64::MAX,
        }
    }
}

/// A statement and where it came from.
#[derive(Clone)]
pub struct FetchedStatement {
    /// Where it came from; only told, never used.
    pub url: String,
    /// The statement.
    pub compact: String,
}

impl FetchedStatement {
    /// A statement and where it came from.
    pub fn new(url: impl Into<String>, compact: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            compact: compact.into(),
        }
    }
}

impl std::fmt::Debug for FetchedStatement {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "FetchedStatement({})", self.url)
    }
}

/// An entity whose place in the federation is proven, with its resolved metadata. Nothing but [`resolve`] makes one.
#[derive(Debug, Clone)]
pub struct ResolvedTrustChain {
    subject: EntityId,
    entity_type: EntityType,
    /// The superiors, nearest first; the last is the anchor.
    superiors: Vec<EntityId>,
    federation_keys: JwkSet,
    superior_metadata: Metadata,
    metadata: Metadata,
    issued_at: UnixTime,
    expires_at: UnixTime,
    steps: Vec<Step>,
}

/// What to do with a chain some time after its statements were fetched (A_23132, A_23133).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Use it.
    Fresh,
    /// Use it, and fetch anew.
    RefreshDue,
    /// Do not use it.
    Discard,
}

/// Verifies a chain and resolves its subject's metadata.
///
/// `statements`: first the subject's own, then the subordinate statements from the subject's immediate superior up,
/// then the anchor's own (which may be left out: then only the pinned keys count). Own statements of intermediates may
/// stand anywhere behind the first; they are verified too.
///
/// # Errors
/// [`TrustChainError`], by rule.
pub fn resolve(
    request: &ChainRequest<'_>,
    statements: &[FetchedStatement],
    anchors: &[TrustAnchor],
    now: UnixTime,
) -> Result<ResolvedTrustChain, TrustChainError> {
    let mut steps = Vec::new();
    let links = links::arrange(request, statements, &mut steps)?;
    let verified = links.verify(request, anchors, now, &mut steps)?;
    verified.check_constraints(&mut steps)?;
    let metadata = merge::resolve_metadata(request, &verified, &mut steps)?;
    let expires_at = verified.expires_at();
    steps.push(Step::Resolved { expires_at });
    Ok(ResolvedTrustChain {
        subject: request.subject.clone(),
        entity_type: request.entity_type,
        superiors: verified.superiors(),
        federation_keys: verified.federation_keys().clone(),
        superior_metadata: verified.superior_metadata(),
        metadata,
        issued_at: verified.leaf_issued_at(),
        expires_at,
        steps,
    })
}

impl ResolvedTrustChain {
    /// The entity.
    pub fn subject(&self) -> &EntityId {
        &self.subject
    }

    /// The role it was resolved in.
    pub fn entity_type(&self) -> EntityType {
        self.entity_type
    }

    /// The trust anchor.
    pub fn trust_anchor(&self) -> &EntityId {
        self.superiors.last().unwrap_or(&self.subject)
    }

    /// The superiors, nearest first; the last is the anchor.
    pub fn superiors(&self) -> &[EntityId] {
        &self.superiors
    }

    /// The entity's federation keys, as its immediate superior vouches for them.
    pub fn federation_keys(&self) -> &JwkSet {
        &self.federation_keys
    }

    /// The resolved metadata of the role the chain was resolved in.
    pub fn metadata(&self) -> &Map<String, Value> {
        static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        self.metadata.of(self.entity_type.as_str()).unwrap_or(&NONE)
    }

    /// The resolved metadata of another role of the entity.
    pub fn metadata_of(&self, entity_type: EntityType) -> Option<&Map<String, Value>> {
        self.metadata.of(entity_type.as_str())
    }

    /// The member as the immediate superior states it; what the entity says of itself does not count.
    pub fn superior_member(&self, member: &str) -> Option<&Value> {
        self.superior_metadata
            .of(self.entity_type.as_str())
            .and_then(|members| members.get(member))
    }

    /// When the entity's own statement was issued.
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// When the first statement of the chain expires (§10.4).
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Everything that was done, in order, to be shown to people.
    pub fn explain(&self) -> &[Step] {
        &self.steps
    }

    /// Whether a chain whose oldest statement was fetched at `fetched_at` may still be used.
    pub fn freshness(&self, fetched_at: UnixTime, now: UnixTime) -> Freshness {
        if now >= self.expires_at || now >= fetched_at.plus_seconds(DISCARD_AFTER_SECONDS) {
            Freshness::Discard
        } else if now >= fetched_at.plus_seconds(REFRESH_AFTER_SECONDS) {
            Freshness::RefreshDue
        } else {
            Freshness::Fresh
        }
    }
}
