//! Signed key sets: what `signed_jwks_uri` leads to (OpenID Federation 1.0 §5.2.1, gematik: signed_jwks).
//!
//! Ours are an identity provider's token keys, signed with its entity key: header alg, kid, typ `jwk-set+json`; body
//! iss, iat, keys and no `exp`. Services publish theirs in the same form, some with typ `jwk-set+jwt`.

use jose::json::{self, JsonError, Limits};
use jose::jwk::{Jwk, JwkError, JwkSet, KeyUse};
use jose::jws::{self, Algorithm, JwsError, SigningHeader, UnverifiedJws};
use jose::{SignError, Signer, UnixTime};
use serde_json::{Value, json};

use crate::entity::EntityId;
use crate::members::{self, MemberError, Members};
use crate::metadata::{ClientKeys, ClientKeysError};
use crate::statement::{LEEWAY_SECONDS, kids};

/// The `typ` we write.
pub const TYPE: &str = "jwk-set+json";
/// The media type we serve by default.
pub const MEDIA_TYPE: &str = "application/jwk-set+json";
/// The media type of OpenID Federation 1.0, served to those who accept only this one.
pub const MEDIA_TYPE_JWT: &str = "application/jwk-set+jwt";
/// What a set may cost.
pub const LIMITS: Limits = Limits {
    bytes: 128 * 1024,
    depth: 16,
};

/// The `typ` of others' sets; absent is accepted as well.
const ACCEPTED_TYPES: [&str; 2] = [TYPE, "jwk-set+jwt"];

/// Why a signed key set is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedKeysError {
    /// Not a JWS we accept.
    #[error("signed key set: {0}")]
    Jws(#[from] JwsError),
    /// The payload is not the JSON we accept.
    #[error("signed key set payload: {0}")]
    Json(#[from] JsonError),
    /// The payload is no object, or a member has the wrong form.
    #[error("signed key set: {0}")]
    Member(#[from] MemberError),
    /// Signed for another algorithm.
    #[error("header member alg must be ES256")]
    Algorithm,
    /// `typ` is something else.
    #[error("header member typ must be jwk-set+json, jwk-set+jwt or absent")]
    Type,
    /// `kid` is absent or empty.
    #[error("header member kid must be a non-empty string")]
    MissingKid,
    /// `kid` names none of the entity's keys.
    #[error("header member kid names no federation key of the entity, expected {known}")]
    UnknownKey {
        /// The identifiers that would have been accepted.
        known: String,
    },
    /// The signature does not verify.
    #[error("signature of the signed key set does not verify with the entity's key {kid:?}")]
    Signature {
        /// The key that was tried.
        kid: String,
    },
    /// `iss`, or `sub` if present, is somebody else.
    #[error("claim {claim} of the signed key set must be {expected}")]
    Issuer {
        /// `iss` or `sub`.
        claim: &'static str,
        /// The entity whose keys these have to be.
        expected: EntityId,
    },
    /// `iat` is in the future.
    #[error("claim iat of the signed key set is {ahead_seconds} s in the future")]
    IssuedInFuture {
        /// How far.
        ahead_seconds: u64,
    },
    /// `exp` has passed.
    #[error("claim exp of the signed key set passed {ago_seconds} s ago")]
    Expired {
        /// How long ago.
        ago_seconds: u64,
    },
}

/// A well-formed signed key set that nobody has verified.
#[derive(Clone)]
pub struct UnverifiedKeySet {
    jws: UnverifiedJws,
    kid: String,
    claims: Members,
}

/// Keys that an entity has signed with one of its federation keys. Nothing else constructs it.
#[derive(Debug, Clone)]
pub struct VerifiedKeySet {
    iss: EntityId,
    kid: String,
    iat: Option<UnixTime>,
    exp: Option<UnixTime>,
    jwks: Value,
}

/// Signs a key set: `iss`, `iat`, `keys`. Keys without certificate come first, because the approval compares the
/// shape of the first one strictly; otherwise the order stays. `alg` is left out of the keys.
///
/// # Errors
/// [`SignError`] of the key.
pub fn issue(iss: &EntityId, iat: UnixTime, keys: &[Jwk], signer: &dyn Signer) -> Result<String, SignError> {
    let (bare, certified): (Vec<&Jwk>, Vec<&Jwk>) = keys.iter().partition(|key| key.x5c.is_empty());
    let keys: Vec<Value> = bare
        .into_iter()
        .chain(certified)
        .map(|key| {
            Jwk {
                alg: None,
                key_use: key.key_use.or(Some(KeyUse::Signature)),
                ..key.clone()
            }
            .to_value()
        })
        .collect();
    let claims = json!({"iss": iss, "iat": iat, "keys": keys});
    let header = SigningHeader {
        typ: Some(TYPE),
        ..SigningHeader::default()
    };
    jws::sign(&header, claims.to_string().as_bytes(), signer)
}

/// The media type to answer with: [`MEDIA_TYPE`], or [`MEDIA_TYPE_JWT`] to somebody who accepts only that.
pub fn negotiate_media_type(accept: Option<&str>) -> &'static str {
    let Some(accept) = accept else { return MEDIA_TYPE };
    let accepted: Vec<&str> = accept
        .split(',')
        .map(|range| range.split(';').next().unwrap_or(range).trim())
        .collect();
    let names = |wanted: &str| accepted.iter().any(|range| range.eq_ignore_ascii_case(wanted));
    if names(MEDIA_TYPE_JWT) && !names(MEDIA_TYPE) && !names("*/*") && !names("application/*") {
        return MEDIA_TYPE_JWT;
    }
    MEDIA_TYPE
}

/// Parses a compact signed key set; the signature is not looked at.
///
/// # Errors
/// [`SignedKeysError`], by rule.
pub fn parse(compact: &str) -> Result<UnverifiedKeySet, SignedKeysError> {
    let jws = jws::parse(compact, &LIMITS)?;
    let header = jws.header();
    if header.alg != Algorithm::Es256 {
        return Err(SignedKeysError::Algorithm);
    }
    if header.typ.as_deref().is_some_and(|typ| !ACCEPTED_TYPES.contains(&typ)) {
        return Err(SignedKeysError::Type);
    }
    let kid = match header.kid.as_deref() {
        Some(kid) if !kid.is_empty() => kid.to_owned(),
        _ => return Err(SignedKeysError::MissingKid),
    };
    let Value::Object(claims) = json::parse(jws.unverified_payload(), &LIMITS)? else {
        return Err(MemberError::Missing { member: "keys" }.into());
    };
    if !claims.get("keys").is_some_and(Value::is_array) {
        return Err(MemberError::Type {
            member: "keys",
            expected: "an array of keys",
        }
        .into());
    }
    Ok(UnverifiedKeySet { jws, kid, claims })
}

impl UnverifiedKeySet {
    /// Verifies with the entity's federation keys: those its superior publishes for it.
    ///
    /// # Errors
    /// [`SignedKeysError`], by rule.
    pub fn verify(
        &self,
        entity: &EntityId,
        federation_keys: &JwkSet,
        now: UnixTime,
    ) -> Result<VerifiedKeySet, SignedKeysError> {
        self.check_issuer(entity)?;
        let iat = members::optional_time(&self.claims, "iat")?;
        if let Some(iat) = iat.filter(|iat| *iat > now.plus_seconds(LEEWAY_SECONDS)) {
            return Err(SignedKeysError::IssuedInFuture {
                ahead_seconds: iat.seconds_since(now),
            });
        }
        let exp = members::optional_time(&self.claims, "exp")?;
        if let Some(exp) = exp.filter(|exp| *exp <= now) {
            return Err(SignedKeysError::Expired {
                ago_seconds: now.seconds_since(exp),
            });
        }
        let key = federation_keys
            .by_kid_for(&self.kid, KeyUse::Signature)
            .ok_or_else(|| SignedKeysError::UnknownKey {
                known: kids(federation_keys),
            })?;
        match self.jws.verify(&key.key) {
            Ok(_) => Ok(VerifiedKeySet {
                iss: entity.clone(),
                kid: self.kid.clone(),
                iat,
                exp,
                jwks: json!({"keys": self.claims.get("keys")}),
            }),
            Err(JwsError::NotVerified) => Err(SignedKeysError::Signature { kid: self.kid.clone() }),
            Err(error) => Err(error.into()),
        }
    }

    fn check_issuer(&self, entity: &EntityId) -> Result<(), SignedKeysError> {
        let wrong = |claim| SignedKeysError::Issuer {
            claim,
            expected: entity.clone(),
        };
        if members::text(&self.claims, "iss")? != entity.as_str() {
            return Err(wrong("iss"));
        }
        match members::optional_text(&self.claims, "sub")? {
            Some(sub) if sub != entity.as_str() => Err(wrong("sub")),
            _ => Ok(()),
        }
    }
}

impl VerifiedKeySet {
    /// Whose keys these are.
    pub fn iss(&self) -> &EntityId {
        &self.iss
    }

    /// The federation key that signed the set.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// `iat`, if given.
    pub fn iat(&self) -> Option<UnixTime> {
        self.iat
    }

    /// `exp`, if given.
    pub fn exp(&self) -> Option<UnixTime> {
        self.exp
    }

    /// The P-256 keys: an identity provider's token keys.
    ///
    /// # Errors
    /// [`JwkError`]: a P-256 key is broken.
    pub fn keys(&self) -> Result<JwkSet, JwkError> {
        JwkSet::from_value(&self.jwks)
    }

    /// A service's TLS certificates and encryption keys.
    ///
    /// # Errors
    /// [`ClientKeysError`], by entry.
    pub fn client_keys(&self) -> Result<ClientKeys, ClientKeysError> {
        ClientKeys::parse(&self.jwks)
    }

    /// The set as it was received: `{"keys": [..]}`.
    pub fn to_value(&self) -> &Value {
        &self.jwks
    }
}

impl std::fmt::Debug for UnverifiedKeySet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("UnverifiedKeySet")
    }
}

#[cfg(test)]
mod tests;
