//! Reading members of a JSON object with errors that name the member, its expected type and nothing else.

use jose::UnixTime;
use serde_json::{Map, Value};

use crate::entity::EntityIdError;

/// A member is missing, or is not what it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// The member is not there.
    #[error("member {member} is missing")]
    Missing {
        /// The member.
        member: &'static str,
    },
    /// The member has another JSON type or form.
    #[error("member {member} must be {expected}")]
    Type {
        /// The member.
        member: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// The member is not an acceptable URL.
    #[error("member {member}: {reason}")]
    Url {
        /// The member.
        member: &'static str,
        /// The rule it breaks.
        reason: EntityIdError,
    },
    /// The member has a value the profile does not allow.
    #[error("member {member} must be {expected}")]
    Value {
        /// The member.
        member: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
}

pub(crate) type Members = Map<String, Value>;

pub(crate) const TEXT: &str = "a string";
pub(crate) const TEXTS: &str = "an array of strings";

pub(crate) fn optional_text(members: &Members, member: &'static str) -> Result<Option<String>, MemberError> {
    match members.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(MemberError::Type { member, expected: TEXT }),
    }
}

pub(crate) fn text(members: &Members, member: &'static str) -> Result<String, MemberError> {
    optional_text(members, member)?.ok_or(MemberError::Missing { member })
}

pub(crate) fn optional_texts(members: &Members, member: &'static str) -> Result<Option<Vec<String>>, MemberError> {
    let wrong = MemberError::Type {
        member,
        expected: TEXTS,
    };
    match members.get(member) {
        None => Ok(None),
        Some(Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map(Some)
            .ok_or(wrong),
        Some(_) => Err(wrong),
    }
}

pub(crate) fn texts(members: &Members, member: &'static str) -> Result<Vec<String>, MemberError> {
    optional_texts(members, member)?.ok_or(MemberError::Missing { member })
}

pub(crate) fn optional_flag(members: &Members, member: &'static str) -> Result<Option<bool>, MemberError> {
    match members.get(member) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(MemberError::Type {
            member,
            expected: "true or false",
        }),
    }
}

pub(crate) fn optional_object<'a>(
    members: &'a Members,
    member: &'static str,
) -> Result<Option<&'a Members>, MemberError> {
    match members.get(member) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(MemberError::Type {
            member,
            expected: "a JSON object",
        }),
    }
}

/// Seconds since the epoch. Only whole numbers: no participant sends fractions.
pub(crate) fn optional_time(members: &Members, member: &'static str) -> Result<Option<UnixTime>, MemberError> {
    match members.get(member) {
        None => Ok(None),
        Some(value) => value.as_u64().map(UnixTime).map(Some).ok_or(MemberError::Type {
            member,
            expected: "a whole number of seconds since 1970 (RFC 7519 §2)",
        }),
    }
}

pub(crate) fn time(members: &Members, member: &'static str) -> Result<UnixTime, MemberError> {
    optional_time(members, member)?.ok_or(MemberError::Missing { member })
}
