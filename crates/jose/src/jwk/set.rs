//! A set of public keys, picked from by `kid`.

use serde::de::Error as _;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{JWK_MESSAGE, Jwk, JwkError, KeyUse, tree};
use crate::json::{self, Limits};

/// Greatest number of entries in a set, the skipped ones included.
pub const MAX_KEYS: usize = 32;

/// A key set (RFC 7517 §5). No two keys share a `kid`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JwkSet {
    /// The P-256 keys, in the order they were published.
    pub keys: Vec<Jwk>,
}

impl JwkSet {
    /// A set of these keys.
    #[must_use]
    pub fn new(keys: Vec<Jwk>) -> Self {
        Self { keys }
    }

    /// Reads a set from bytes.
    ///
    /// # Errors
    /// [`JwkError::Json`], and as [`JwkSet::from_value`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, JwkError> {
        Self::from_value(&json::parse(bytes, limits)?)
    }

    /// Reads a set from a tree that [`crate::json::parse`] made.
    ///
    /// Entries of another `kty`, `crv` or `use` than ours are skipped (RFC 7517 §5). A broken P-256 entry, and any
    /// entry with a private member, is an error: silence would only move the failure to the day the key is needed.
    ///
    /// # Errors
    /// [`JwkError`].
    pub fn from_value(value: &Value) -> Result<Self, JwkError> {
        let entries = value
            .as_object()
            .ok_or(JwkError::NotAnObject)?
            .get("keys")
            .and_then(Value::as_array);
        let entries = entries.ok_or(JwkError::NoKeys)?;
        if entries.len() > MAX_KEYS {
            return Err(JwkError::TooManyKeys);
        }
        let mut keys: Vec<Jwk> = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let key = match Jwk::from_value(entry) {
                Ok(key) => key,
                Err(JwkError::KeyType | JwkError::Curve | JwkError::UnknownUse) => continue,
                Err(reason) => {
                    return Err(JwkError::Entry {
                        index,
                        reason: Box::new(reason),
                    });
                }
            };
            if key.kid.is_some() && keys.iter().any(|other| other.kid == key.kid) {
                return Err(JwkError::DuplicateKid);
            }
            keys.push(key);
        }
        Ok(Self { keys })
    }

    /// The set as a tree.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let keys = self.keys.iter().map(Jwk::to_value).collect();
        Value::Object(Map::from_iter([("keys".to_owned(), Value::Array(keys))]))
    }

    /// The key with this identifier, whatever it is for.
    #[must_use]
    pub fn by_kid(&self, kid: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.kid.as_deref() == Some(kid))
    }

    /// The key with this identifier, if its publisher admits this purpose.
    #[must_use]
    pub fn by_kid_for(&self, kid: &str, purpose: KeyUse) -> Option<&Jwk> {
        self.by_kid(kid).filter(|key| key.allows(purpose))
    }
}

impl Serialize for JwkSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut set = serializer.serialize_struct("JwkSet", 1)?;
        set.serialize_field("keys", &self.keys)?;
        set.end()
    }
}

impl<'de> Deserialize<'de> for JwkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tree = tree(deserializer)?;
        Self::from_value(&tree).map_err(|error| D::Error::custom(format_args!("{JWK_MESSAGE}{error}")))
    }
}
