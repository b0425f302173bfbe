//! Entity statements: OpenID Federation 1.0 §3 in gematik's profile (A_22643 and its kin).
//!
//! An entity statement is a JWS, typ `entity-statement+jwt`, alg `ES256`, with a `kid`. About itself it is called an
//! entity configuration, about a subordinate a subordinate statement.
//!
//! Trusted for: a [`VerifiedEntityStatement`] was signed by a key of the set it was verified with, is in its validity
//! period and well formed. Whether that set deserves trust is decided in [`crate::chain`].

mod claims;
mod constraints;
mod error;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jose::json::Limits;
use jose::jwk::{Jwk, JwkSet, KeyUse};
use jose::jws::{self, Algorithm, JwsError, SigningHeader, UnverifiedJws};
use jose::{SignError, Signer, UnixTime};
use serde_json::{Map, Value};

use crate::entity::EntityId;
use crate::metadata::Metadata;
use crate::policy::Policy;

pub use constraints::{Constraints, NamingConstraints};
pub use error::StatementError;

/// The `typ` of an entity statement (OpenID Federation 1.0 §3).
pub const TYPE: &str = "entity-statement+jwt";
/// The media type under which statements are served.
pub const MEDIA_TYPE: &str = "application/entity-statement+jwt";
/// How far a peer's clock may be ahead of ours, in seconds: for `iat` and `nbf`. `exp` gets no grace.
pub const LEEWAY_SECONDS: u64 = 60;
/// Longest life of a participant's own statement, in seconds: 24 h (A_23010, A_23034).
pub const MAX_LIFETIME_SECONDS: u64 = 24 * 60 * 60;
/// Most superiors an entity may name.
pub const MAX_AUTHORITY_HINTS: usize = 16;
/// Most entity types one statement may carry metadata or policy for.
pub const MAX_ENTITY_TYPES: usize = 16;
/// What a statement may cost.
pub const LIMITS: Limits = Limits {
    bytes: 128 * 1024,
    depth: 16,
};

/// The claims of an entity statement.
///
/// As read, members this profile does not know are dropped; as issued, exactly the members that are present here are
/// written.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityStatement {
    /// `iss`: who says this.
    pub iss: EntityId,
    /// `sub`: about whom.
    pub sub: EntityId,
    /// `iat`
    pub iat: UnixTime,
    /// `exp`
    pub exp: UnixTime,
    /// `nbf`: seen in statements of services.
    pub nbf: Option<UnixTime>,
    /// `aud`: for whom; the Federation Master echoes what was asked for. Empty: for everybody.
    pub aud: Vec<String>,
    /// `jwks`: the subject's federation keys.
    pub jwks: JwkSet,
    /// `authority_hints`: the subject's superiors; only in entity configurations.
    pub authority_hints: Option<Vec<EntityId>>,
    /// `metadata`, by entity type.
    pub metadata: Option<Metadata>,
    /// `metadata_policy`, by entity type; only in subordinate statements.
    pub metadata_policy: BTreeMap<String, Policy>,
    /// `metadata_policy_crit`: refused when the chain is resolved, since no operator beyond the standard is known.
    pub metadata_policy_crit: Option<Vec<String>>,
    /// `constraints`; only in subordinate statements.
    pub constraints: Option<Constraints>,
    /// `source_endpoint`; only in subordinate statements.
    pub source_endpoint: Option<String>,
}

impl EntityStatement {
    /// A statement with the claims every one has; the others are absent.
    pub fn new(iss: EntityId, sub: EntityId, iat: UnixTime, lifetime_seconds: u64, jwks: JwkSet) -> Self {
        Self {
            iss,
            sub,
            iat,
            exp: iat.plus_seconds(lifetime_seconds),
            nbf: None,
            aud: Vec::new(),
            jwks,
            authority_hints: None,
            metadata: None,
            metadata_policy: BTreeMap::new(),
            metadata_policy_crit: None,
            constraints: None,
            source_endpoint: None,
        }
    }

    /// True for an entity's statement about itself.
    pub fn is_configuration(&self) -> bool {
        self.iss == self.sub
    }

    /// The payload, as [`issue`] signs it.
    pub fn to_value(&self) -> Value {
        claims::to_value(self)
    }

    /// The metadata of one entity type, empty if there is none.
    pub fn metadata_of(&self, entity_type: &str) -> Option<&Map<String, Value>> {
        self.metadata.as_ref().and_then(|metadata| metadata.of(entity_type))
    }
}

/// A well-formed statement whose signature and times nobody has checked.
#[derive(Clone)]
pub struct UnverifiedStatement {
    jws: UnverifiedJws,
    kid: String,
    claims: EntityStatement,
}

/// A statement that a key of a given set has signed. Nothing else constructs it.
///
/// ```compile_fail
/// fn trusts(_: &federation::statement::VerifiedEntityStatement) {}
/// let unverified = federation::statement::parse("…").unwrap();
/// trusts(&unverified); // not verified: does not compile
/// ```
#[derive(Clone)]
pub struct VerifiedEntityStatement {
    kid: String,
    key: Jwk,
    claims: EntityStatement,
    compact: String,
}

/// Parses a compact statement: header, shape and claims; signature and times are not looked at.
///
/// # Errors
/// [`StatementError`], by rule.
pub fn parse(compact: &str) -> Result<UnverifiedStatement, StatementError> {
    let jws = jws::parse(compact, &LIMITS)?;
    let header = jws.header();
    if header.alg != Algorithm::Es256 {
        return Err(StatementError::Algorithm);
    }
    if header.typ.as_deref() != Some(TYPE) {
        return Err(StatementError::Type);
    }
    let kid = match header.kid.as_deref() {
        Some(kid) if !kid.is_empty() => kid.to_owned(),
        _ => return Err(StatementError::MissingKid),
    };
    let claims = claims::parse(jws.unverified_payload())?;
    Ok(UnverifiedStatement { jws, kid, claims })
}

/// Signs a statement: header alg, kid, typ; the keys in `jwks` with use, kid, kty, crv, x, y and nothing else.
///
/// # Errors
/// [`SignError`] of the key.
pub fn issue(claims: &EntityStatement, signer: &dyn Signer) -> Result<String, SignError> {
    let header = SigningHeader {
        typ: Some(TYPE),
        ..SigningHeader::default()
    };
    jws::sign(&header, claims.to_value().to_string().as_bytes(), signer)
}

/// Federation keys as they are published: purpose `sig`, without certificate and `alg`.
pub fn federation_keys(keys: &[Jwk]) -> JwkSet {
    let published = |key: &Jwk| Jwk {
        kid: key.kid.clone(),
        key_use: Some(KeyUse::Signature),
        alg: None,
        key: key.key.clone(),
        x5c: Vec::new(),
    };
    JwkSet::new(keys.iter().map(published).collect())
}

impl UnverifiedStatement {
    /// The claims, as claimed: good for finding out whom to ask, not for deciding.
    pub fn unverified_claims(&self) -> &EntityStatement {
        &self.claims
    }

    /// The key the statement says it was signed with.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Verifies an entity configuration with its own keys: proof of possession, not of trust.
    ///
    /// # Errors
    /// [`StatementError`], by rule.
    pub fn verify_self(&self, now: UnixTime) -> Result<VerifiedEntityStatement, StatementError> {
        if !self.claims.is_configuration() {
            return Err(StatementError::NotSelfIssued);
        }
        self.verify_with(&self.claims.jwks, now)
    }

    /// Verifies times and signature with the issuer's keys; the key is chosen by `kid`.
    ///
    /// # Errors
    /// [`StatementError`], by rule.
    pub fn verify_with(&self, keys: &JwkSet, now: UnixTime) -> Result<VerifiedEntityStatement, StatementError> {
        self.check_times(now)?;
        let key = keys
            .by_kid_for(&self.kid, KeyUse::Signature)
            .ok_or_else(|| StatementError::UnknownKey { known: kids(keys) })?;
        match self.jws.verify(&key.key) {
            Ok(_) => Ok(VerifiedEntityStatement {
                kid: self.kid.clone(),
                key: key.clone(),
                claims: self.claims.clone(),
                compact: self.jws.compact().to_owned(),
            }),
            Err(JwsError::NotVerified) => Err(StatementError::Signature { kid: self.kid.clone() }),
            Err(error) => Err(error.into()),
        }
    }

    /// OpenID Federation 1.0 §3.2 (iat, exp), RFC 7519 §4.1.5 (nbf).
    fn check_times(&self, now: UnixTime) -> Result<(), StatementError> {
        let EntityStatement { iat, exp, nbf, .. } = &self.claims;
        let tolerated = now.plus_seconds(LEEWAY_SECONDS);
        if *iat > tolerated {
            return Err(StatementError::IssuedInFuture {
                ahead_seconds: iat.seconds_since(now),
            });
        }
        if let Some(nbf) = nbf.filter(|nbf| *nbf > tolerated) {
            return Err(StatementError::NotYetValid {
                ahead_seconds: nbf.seconds_since(now),
            });
        }
        if *exp <= now {
            return Err(StatementError::Expired {
                ago_seconds: now.seconds_since(*exp),
            });
        }
        Ok(())
    }
}

impl VerifiedEntityStatement {
    /// The claims.
    pub fn claims(&self) -> &EntityStatement {
        &self.claims
    }

    /// The key that signed it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The statement as it was received.
    pub fn compact(&self) -> &str {
        &self.compact
    }

    /// The entity publishes the key that signed its configuration (OpenID Federation 1.0 §10.2, ES\[0\]).
    ///
    /// # Errors
    /// [`StatementError::OwnKeyMissing`].
    pub fn check_own_key(&self) -> Result<(), StatementError> {
        match self.claims.jwks.by_kid(&self.kid) {
            Some(own) if own.key == self.key.key => Ok(()),
            _ => Err(StatementError::OwnKeyMissing),
        }
    }

    /// The statement does not live longer than `limit_seconds` (A_23010, A_23034).
    ///
    /// # Errors
    /// [`StatementError::LivesTooLong`].
    pub fn check_lifetime(&self, limit_seconds: u64) -> Result<(), StatementError> {
        let lifetime_seconds = self.claims.exp.seconds_since(self.claims.iat);
        if lifetime_seconds > limit_seconds {
            return Err(StatementError::LivesTooLong {
                lifetime_seconds,
                limit_seconds,
            });
        }
        Ok(())
    }
}

/// The identifiers of a set, for a message: "one of a, b".
pub(crate) fn kids(keys: &JwkSet) -> String {
    let kids: Vec<String> = keys
        .keys
        .iter()
        .filter_map(|key| key.kid.as_ref().map(|kid| format!("{kid:?}")))
        .collect();
    match kids.as_slice() {
        [] => "none, the set is empty".into(),
        [only] => only.clone(),
        several => format!("one of {}", several.join(", ")),
    }
}

impl std::fmt::Debug for UnverifiedStatement {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("UnverifiedStatement")
    }
}

impl std::fmt::Debug for VerifiedEntityStatement {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "VerifiedEntityStatement({} about {})",
            self.claims.iss, self.claims.sub
        )
    }
}
