//! The steps of a resolution, for people: `healthid federation check` and the page that takes a token apart.

use std::fmt;

use jose::UnixTime;
use serde_json::Value;

use crate::entity::EntityId;
use crate::policy::{ApplicationStep, MergeStep};

/// Whose word a metadata member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Only the entity itself names it.
    Own,
    /// Only the superior names it.
    Superior,
    /// Both name it; the superior's value counts.
    SuperiorOverOwn,
}

/// One thing that was done. `Display` is one English sentence; the fields are for pages in other languages.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A statement was received and is well formed.
    Read {
        /// Where it came from.
        url: String,
        /// `iss`
        issuer: EntityId,
        /// `sub`
        subject: EntityId,
    },
    /// A statement's signature and times are in order.
    SignatureVerified {
        /// `iss`
        issuer: EntityId,
        /// `sub`
        subject: EntityId,
        /// The key.
        kid: String,
        /// Who vouches for the key; `None`: it is pinned here.
        vouched_by: Option<EntityId>,
        /// `exp`
        expires_at: UnixTime,
    },
    /// A superior's constraints hold.
    ConstraintsHold {
        /// Who set them.
        issuer: EntityId,
    },
    /// A role was taken away by `allowed_entity_types`.
    EntityTypeRemoved {
        /// Who set the constraint.
        issuer: EntityId,
        /// The role.
        entity_type: String,
    },
    /// A metadata member, and whose value counts.
    MemberMerged {
        /// The role.
        entity_type: String,
        /// The member.
        member: String,
        /// Whose value counts.
        origin: Origin,
    },
    /// A policy operator was contributed.
    PolicyMerged {
        /// The role.
        entity_type: String,
        /// Who contributed it.
        issuer: EntityId,
        /// What it is and what came of it.
        step: MergeStep,
    },
    /// A policy operator was applied.
    PolicyApplied {
        /// The role.
        entity_type: String,
        /// What it did.
        step: ApplicationStep,
    },
    /// Done.
    Resolved {
        /// When the first statement of the chain expires.
        expires_at: UnixTime,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { url, issuer, subject } => {
                write!(out, "read the {} from {url}", name_of(issuer, subject))
            }
            Self::SignatureVerified {
                issuer,
                subject,
                kid,
                vouched_by,
                expires_at,
            } => {
                write!(out, "the {} is signed with key {kid:?}, ", name_of(issuer, subject))?;
                match vouched_by {
                    Some(voucher) => write!(out, "which {voucher} vouches for")?,
                    None => write!(out, "which is pinned as trust anchor")?,
                }
                write!(out, "; valid until {}", expires_at.0)
            }
            Self::ConstraintsHold { issuer } => write!(out, "the constraints of {issuer} hold"),
            Self::EntityTypeRemoved { issuer, entity_type } => {
                write!(out, "{issuer} does not allow {entity_type}: taken away")
            }
            Self::MemberMerged {
                entity_type,
                member,
                origin,
            } => {
                let whose = match origin {
                    Origin::Own => "the entity's own value",
                    Origin::Superior => "the superior's value, the entity has none",
                    Origin::SuperiorOverOwn => "the superior's value wins over the entity's own",
                };
                write!(out, "{entity_type}.{member}: {whose}")
            }
            Self::PolicyMerged {
                entity_type,
                issuer,
                step,
            } => {
                let MergeStep {
                    parameter,
                    operator,
                    superior,
                    subordinate,
                    result,
                    ..
                } = step;
                write!(
                    out,
                    "{entity_type}.{parameter}: {issuer} contributes {operator} {subordinate}"
                )?;
                match superior {
                    Some(superior) => write!(out, ", merged with {superior} into {result}"),
                    None => Ok(()),
                }
            }
            Self::PolicyApplied { entity_type, step } => {
                let ApplicationStep {
                    parameter,
                    operator,
                    before,
                    after,
                } = step;
                write!(out, "{entity_type}.{parameter}: operator {operator} ")?;
                if before == after {
                    return write!(out, "is satisfied by {}", shown(after.as_ref()));
                }
                write!(out, "turns {} into {}", shown(before.as_ref()), shown(after.as_ref()))
            }
            Self::Resolved { expires_at } => write!(out, "the chain is valid until {}", expires_at.0),
        }
    }
}

/// "own statement of A", or "statement of A about B".
pub(super) fn name_of(issuer: &EntityId, subject: &EntityId) -> String {
    if issuer == subject {
        return format!("own statement of {issuer}");
    }
    format!("statement of {issuer} about {subject}")
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "absence".into(), Value::to_string)
}
