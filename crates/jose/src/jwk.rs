//! Public keys as the federation publishes them: JSON Web Key and key sets (RFC 7517, RFC 7518 §6.2).
//!
//! Only EC keys on P-256. A published production key once had a coordinate of 33 bytes, so the lengths are exact.
//!
//! **Does not:** compare the first certificate of `x5c` with the coordinates; that needs an X.509 parser and is done
//! by whoever trusts the certificate.

mod set;

use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::base64url::{self, Base64UrlError};
use crate::header::{self, CertificatesError};
use crate::json::{self, JWK_MESSAGE, JsonError};

pub use crate::p256::{P256PublicKey, PublicKeyError};
pub use set::{JwkSet, MAX_KEYS};

/// Greatest length of a `kid`, in bytes.
pub const MAX_KID_BYTES: usize = 512;

/// What a key is for (RFC 7517 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyUse {
    /// `sig`
    Signature,
    /// `enc`
    Encryption,
}

impl KeyUse {
    /// The wire value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "sig",
            Self::Encryption => "enc",
        }
    }
}

/// Why a key or a key set was refused. Carries no value of the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Not a JSON object.
    #[error("key is not an object (RFC 7517 section 4)")]
    NotAnObject,
    /// `d` is present: a private key was published.
    #[error("member `d` is present, expected a public key only (RFC 7518 section 6.2.2)")]
    PrivateMember,
    /// A required member is absent.
    #[error("member `{member}` is missing (RFC 7518 section 6.2.1)")]
    Missing {
        /// The member.
        member: &'static str,
    },
    /// A member is not a string.
    #[error("member `{member}` has the wrong type, expected a string")]
    NotAString {
        /// The member.
        member: &'static str,
    },
    /// `kty` is not `EC`.
    #[error("member `kty` is not supported, expected `EC`")]
    KeyType,
    /// `crv` is not `P-256`.
    #[error("member `crv` is not supported, expected `P-256`")]
    Curve,
    /// `x` or `y` is not exactly 32 bytes of base64url.
    #[error("member `{member}`: {reason} (RFC 7518 section 6.2.1.2)")]
    Coordinate {
        /// `x` or `y`.
        member: &'static str,
        /// What is wrong.
        reason: Base64UrlError,
    },
    /// The coordinates are not a point on the curve.
    #[error("members `x` and `y` are not a point on P-256 (RFC 7518 section 6.2.1)")]
    NotOnCurve,
    /// `use` is neither `sig` nor `enc`.
    #[error("member `use` is not supported, expected `sig` or `enc` (RFC 7517 section 4.2)")]
    UnknownUse,
    /// `kid` is longer than [`MAX_KID_BYTES`].
    #[error("member `kid` is too long, expected at most {MAX_KID_BYTES} bytes")]
    KidTooLong,
    /// `x5c` is not acceptable.
    #[error("member `x5c`: {0}")]
    Certificates(#[from] CertificatesError),
    /// The set has no array `keys`.
    #[error("member `keys` is missing or not an array (RFC 7517 section 5.1)")]
    NoKeys,
    /// More than [`MAX_KEYS`] entries.
    #[error("member `keys` is too long, expected at most {MAX_KEYS} keys")]
    TooManyKeys,
    /// Two keys carry the same `kid`.
    #[error("two keys carry the same `kid`, expected each to have its own (RFC 7517 section 4.5)")]
    DuplicateKid,
    /// One entry of a set is broken.
    #[error("member `keys`, entry {index}: {reason}")]
    Entry {
        /// Position, from 0.
        index: usize,
        /// What is wrong with it.
        reason: Box<JwkError>,
    },
    /// The document is not the JSON we accept.
    #[error("key set: {0}")]
    Json(#[from] JsonError),
}

/// One public key.
///
/// Serialises only the members that are present, in the order `use`, `kid`, `kty`, `crv`, `x`, `y`, `x5c`, `alg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    /// `kid`
    pub kid: Option<String>,
    /// `use`; absent means that the publisher did not restrict the key.
    pub key_use: Option<KeyUse>,
    /// `alg`, as published.
    pub alg: Option<String>,
    /// The point.
    pub key: P256PublicKey,
    /// `x5c`: DER, leaf first. Empty when absent.
    pub x5c: Vec<Vec<u8>>,
}

impl Jwk {
    /// Reads one key from a tree that [`crate::json::parse`] made. Unknown members are ignored (RFC 7517 §4).
    ///
    /// # Errors
    /// [`JwkError`], by rule and member.
    pub fn from_value(value: &Value) -> Result<Self, JwkError> {
        let members = value.as_object().ok_or(JwkError::NotAnObject)?;
        if members.contains_key("d") {
            return Err(JwkError::PrivateMember);
        }
        if required(members, "kty")? != "EC" {
            return Err(JwkError::KeyType);
        }
        if required(members, "crv")? != "P-256" {
            return Err(JwkError::Curve);
        }
        let key = P256PublicKey::from_coordinates(&coordinate(members, "x")?, &coordinate(members, "y")?)
            .map_err(|_| JwkError::NotOnCurve)?;
        let key_use = match optional(members, "use")? {
            None => None,
            Some("sig") => Some(KeyUse::Signature),
            Some("enc") => Some(KeyUse::Encryption),
            Some(_) => return Err(JwkError::UnknownUse),
        };
        let kid = optional(members, "kid")?;
        if kid.is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return Err(JwkError::KidTooLong);
        }
        Ok(Self {
            kid: kid.map(str::to_owned),
            key_use,
            alg: optional(members, "alg")?.map(str::to_owned),
            key,
            x5c: members
                .get("x5c")
                .map(header::certificates)
                .transpose()?
                .unwrap_or_default(),
        })
    }

    /// The key as a tree. Whether members keep their order there is the tree's affair; serialise the key itself where
    /// the order matters.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut members = Map::new();
        self.each_member(|name, member| {
            members.insert(name.to_owned(), member.into_value());
        });
        Value::Object(members)
    }

    /// Whether the publisher admits this purpose: `use` is absent or the same, `alg` is absent or the one algorithm
    /// of ours for it.
    #[must_use]
    pub fn allows(&self, purpose: KeyUse) -> bool {
        let algorithm = match purpose {
            KeyUse::Signature => "ES256",
            KeyUse::Encryption => "ECDH-ES",
        };
        self.key_use.is_none_or(|key_use| key_use == purpose)
            && self.alg.as_deref().is_none_or(|published| published == algorithm)
    }

    fn each_member(&self, mut visit: impl FnMut(&'static str, Member<'_>)) {
        if let Some(key_use) = self.key_use {
            visit("use", Member::Text(key_use.as_str()));
        }
        if let Some(kid) = &self.kid {
            visit("kid", Member::Text(kid));
        }
        visit("kty", Member::Text("EC"));
        visit("crv", Member::Text("P-256"));
        visit("x", Member::Text(&base64url::encode(self.key.x())));
        visit("y", Member::Text(&base64url::encode(self.key.y())));
        if !self.x5c.is_empty() {
            visit(
                "x5c",
                Member::List(self.x5c.iter().map(|der| header::certificate_text(der)).collect()),
            );
        }
        if let Some(alg) = &self.alg {
            visit("alg", Member::Text(alg));
        }
    }
}

enum Member<'a> {
    Text(&'a str),
    List(Vec<String>),
}

impl Member<'_> {
    fn into_value(self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.to_owned()),
            Self::List(list) => Value::Array(list.into_iter().map(Value::String).collect()),
        }
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut outcome = Ok(());
        self.each_member(|name, member| {
            if outcome.is_ok() {
                outcome = match member {
                    Member::Text(text) => map.serialize_entry(name, text),
                    Member::List(list) => map.serialize_entry(name, &list),
                };
            }
        });
        outcome?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tree = tree(deserializer)?;
        Self::from_value(&tree).map_err(|error| D::Error::custom(format_args!("{JWK_MESSAGE}{error}")))
    }
}

/// A tree under this crate's rules, whatever feeds the deserialiser.
fn tree<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    use serde::de::DeserializeSeed as _;

    let refusal = json::Refusal::default();
    json::TreeSeed::new(&refusal, json::Depth::of(&json::DEFAULT))
        .deserialize(deserializer)
        .map_err(|error| match refusal.take() {
            Some(reason) => D::Error::custom(format_args!("{JWK_MESSAGE}{reason}")),
            None => error,
        })
}

fn optional<'a>(members: &'a Map<String, Value>, member: &'static str) -> Result<Option<&'a str>, JwkError> {
    match members.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JwkError::NotAString { member }),
    }
}

fn required<'a>(members: &'a Map<String, Value>, member: &'static str) -> Result<&'a str, JwkError> {
    optional(members, member)?.ok_or(JwkError::Missing { member })
}

fn coordinate(members: &Map<String, Value>, member: &'static str) -> Result<[u8; 32], JwkError> {
    base64url::decode_array(required(members, member)?).map_err(|reason| JwkError::Coordinate { member, reason })
}

#[cfg(test)]
mod tests;
