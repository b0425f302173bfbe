//! The two passes over a document: one builds a tree, one only checks.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::{JsonError, Limits};

/// This many names are compared one by one; the rest of a larger object goes into a tree.
const FEW_MEMBERS: usize = 16;

/// Names up to this length are shown in an error.
const LABEL_BYTES: usize = 64;

/// Carries our reason past serde's error type, which only holds text.
#[derive(Default)]
pub(crate) struct Refusal(RefCell<Option<JsonError>>);

impl Refusal {
    pub(crate) fn take(&self) -> Option<JsonError> {
        self.0.borrow_mut().take()
    }

    fn stop<E: serde::de::Error>(&self, reason: JsonError) -> E {
        *self.0.borrow_mut() = Some(reason);
        E::custom("refused")
    }

    pub(crate) fn duplicate<E: serde::de::Error>(&self, name: &str) -> E {
        self.stop(JsonError::DuplicateMember {
            member: member_label(name),
        })
    }
}

/// A member's name as an error may show it: only what looks like a protocol's name, since a document may use
/// anything as a name, a token or a person's number included.
fn member_label(name: &str) -> String {
    let protocol_like = name.len() <= LABEL_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.:#".contains(&byte));
    if protocol_like {
        name.to_owned()
    } else {
        "(unnamed)".to_owned()
    }
}

/// How many levels are left.
#[derive(Clone, Copy)]
pub(crate) struct Depth {
    left: usize,
    limit: usize,
}

impl Depth {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            left: limits.depth,
            limit: limits.depth,
        }
    }

    pub(crate) fn enter<E: serde::de::Error>(self, refusal: &Refusal) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left, ..self }),
            None => Err(refusal.stop(JsonError::TooDeep { limit: self.limit })),
        }
    }
}

/// Builds a [`Value`].
#[derive(Clone, Copy)]
pub(crate) struct TreeSeed<'r> {
    refusal: &'r Refusal,
    depth: Depth,
}

impl<'r> TreeSeed<'r> {
    pub(crate) fn new(refusal: &'r Refusal, depth: Depth) -> Self {
        Self { refusal, depth }
    }
}

impl<'de> DeserializeSeed<'de> for TreeSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TreeSeed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = Self {
            depth: self.depth.enter(self.refusal)?,
            ..self
        };
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = Self {
            depth: self.depth.enter(self.refusal)?,
            ..self
        };
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            match members.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(access.next_value_seed(inner)?);
                }
                Entry::Occupied(entry) => return Err(self.refusal.duplicate(entry.key())),
            }
        }
        Ok(Value::Object(members))
    }
}

/// Checks and builds nothing.
#[derive(Clone, Copy)]
pub(super) struct ScanSeed<'r> {
    refusal: &'r Refusal,
    depth: Depth,
}

impl<'r> ScanSeed<'r> {
    pub(super) fn new(refusal: &'r Refusal, depth: Depth) -> Self {
        Self { refusal, depth }
    }
}

impl<'de> DeserializeSeed<'de> for ScanSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ScanSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let inner = Self {
            depth: self.depth.enter(self.refusal)?,
            ..self
        };
        while access.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let inner = Self {
            depth: self.depth.enter(self.refusal)?,
            ..self
        };
        let mut few: Vec<Cow<'de, str>> = Vec::new();
        let mut many: BTreeSet<Cow<'de, str>> = BTreeSet::new();
        while let Some(name) = access.next_key_seed(NameSeed)? {
            if few.contains(&name) || many.contains(&name) {
                return Err(self.refusal.duplicate(&name));
            }
            if few.len() < FEW_MEMBERS {
                few.push(name);
            } else {
                many.insert(name);
            }
            access.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// A member's name, borrowed where it has no escapes.
pub(crate) struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}
