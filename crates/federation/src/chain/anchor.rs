//! Trust anchors: keys installed out of band (A_23046), and the anchor's own statement verified with them (A_23413).

use jose::UnixTime;
use jose::jwk::JwkSet;

use super::TrustChainError;
use super::explain::name_of;
use crate::entity::EntityId;
use crate::metadata::{EntityType, FederationEntity};
use crate::statement::{self, StatementError, UnverifiedStatement, VerifiedEntityStatement};

/// An entity that is trusted because its keys were installed here. During a rollover there are several keys, or
/// several anchors with the same identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchor {
    /// The entity.
    pub entity_id: EntityId,
    /// Its pinned keys, each with its `kid`.
    pub keys: JwkSet,
}

/// A trust anchor's own statement, verified with a pinned key.
#[derive(Debug, Clone)]
pub struct VerifiedTrustAnchor {
    statement: VerifiedEntityStatement,
    endpoints: FederationEntity,
}

impl TrustAnchor {
    /// Verifies the anchor's own statement and reads its endpoints: they are never hard-coded.
    ///
    /// # Errors
    /// [`TrustChainError`], by rule.
    pub fn verify_configuration(&self, compact: &str, now: UnixTime) -> Result<VerifiedTrustAnchor, TrustChainError> {
        let parsed = parse(&self.entity_id.well_known_url(), compact)?;
        let claims = parsed.unverified_claims();
        if claims.iss != self.entity_id || !claims.is_configuration() {
            return Err(TrustChainError::WrongSubject {
                subject: self.entity_id.clone(),
            });
        }
        let statement = verify_with_pinned(&parsed, std::slice::from_ref(self), now)?;
        let none = serde_json::Map::new();
        let members = statement
            .claims()
            .metadata_of(EntityType::FederationEntity.as_str())
            .unwrap_or(&none);
        let endpoints =
            FederationEntity::parse(members).map_err(|reason| TrustChainError::TrustAnchorMetadata { reason })?;
        Ok(VerifiedTrustAnchor { statement, endpoints })
    }
}

impl VerifiedTrustAnchor {
    /// The anchor.
    pub fn entity_id(&self) -> &EntityId {
        &self.statement.claims().iss
    }

    /// Its endpoints.
    pub fn endpoints(&self) -> &FederationEntity {
        &self.endpoints
    }

    /// Its keys: those it publishes in the statement that a pinned key signed.
    pub fn keys(&self) -> &JwkSet {
        &self.statement.claims().jwks
    }

    /// When its statement expires.
    pub fn expires_at(&self) -> UnixTime {
        self.statement.claims().exp
    }

    /// The statement itself.
    pub fn statement(&self) -> &VerifiedEntityStatement {
        &self.statement
    }

    /// Verifies what the anchor says about a participant, before anything is fetched from the participant itself.
    ///
    /// # Errors
    /// [`TrustChainError`], by rule.
    pub fn verify_statement_about(
        &self,
        subject: &EntityId,
        compact: &str,
        now: UnixTime,
    ) -> Result<VerifiedEntityStatement, TrustChainError> {
        let parsed = parse(
            self.endpoints.federation_fetch_endpoint.as_deref().unwrap_or_default(),
            compact,
        )?;
        let claims = parsed.unverified_claims();
        if claims.iss != *self.entity_id() {
            return Err(TrustChainError::UnknownTrustAnchor {
                issuer: claims.iss.clone(),
            });
        }
        if claims.sub != *subject {
            return Err(TrustChainError::BrokenLink {
                issuer: claims.iss.clone(),
                expected: subject.clone(),
            });
        }
        verify(&parsed, self.keys(), now)
    }
}

/// Verifies an anchor's own statement with the pinned keys of each anchor of its name, one after the other.
pub(super) fn verify_with_pinned(
    statement: &UnverifiedStatement,
    anchors: &[TrustAnchor],
    now: UnixTime,
) -> Result<VerifiedEntityStatement, TrustChainError> {
    let issuer = &statement.unverified_claims().iss;
    let mut outcome = Err(TrustChainError::UnknownTrustAnchor { issuer: issuer.clone() });
    for anchor in anchors.iter().filter(|anchor| anchor.entity_id == *issuer) {
        outcome = verify(statement, &anchor.keys, now);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

pub(super) fn verify(
    statement: &UnverifiedStatement,
    keys: &JwkSet,
    now: UnixTime,
) -> Result<VerifiedEntityStatement, TrustChainError> {
    statement.verify_with(keys, now).map_err(|reason| at(statement, reason))
}

pub(super) fn at(statement: &UnverifiedStatement, reason: StatementError) -> TrustChainError {
    let claims = statement.unverified_claims();
    TrustChainError::Statement {
        statement: name_of(&claims.iss, &claims.sub),
        reason,
    }
}

pub(super) fn parse(url: &str, compact: &str) -> Result<UnverifiedStatement, TrustChainError> {
    statement::parse(compact).map_err(|reason| TrustChainError::Unreadable {
        url: url.to_owned(),
        reason,
    })
}
