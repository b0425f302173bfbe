//! The claims of a statement, read and written.

use std::collections::BTreeMap;

use jose::json;
use jose::jwk::JwkSet;
use serde_json::{Map, Value, json};

use super::{
    Constraints, EntityStatement, LIMITS, MAX_AUTHORITY_HINTS, MAX_ENTITY_TYPES, StatementError, federation_keys,
};
use crate::entity::{EntityId, Schemes};
use crate::members::{self, MemberError, Members};
use crate::metadata::Metadata;
use crate::policy::Policy;

const CONFIGURATION: &str = "an entity configuration (iss and sub are equal)";
const SUBORDINATE: &str = "a subordinate statement (iss and sub differ)";

pub(super) fn parse(payload: &[u8]) -> Result<EntityStatement, StatementError> {
    let Value::Object(members) = json::parse(payload, &LIMITS)? else {
        return Err(StatementError::NotAnObject);
    };
    let statement = EntityStatement {
        iss: entity_id(&members, "iss")?,
        sub: entity_id(&members, "sub")?,
        iat: members::time(&members, "iat")?,
        exp: members::time(&members, "exp")?,
        nbf: members::optional_time(&members, "nbf")?,
        aud: audience(&members)?,
        jwks: keys(&members)?,
        authority_hints: authority_hints(&members)?,
        metadata: metadata(&members)?,
        metadata_policy: metadata_policy(&members)?,
        metadata_policy_crit: members::optional_texts(&members, "metadata_policy_crit")?,
        constraints: members::optional_object(&members, "constraints")?
            .map(Constraints::parse)
            .transpose()?,
        source_endpoint: members::optional_text(&members, "source_endpoint")?,
    };
    if statement.exp <= statement.iat {
        return Err(StatementError::ExpiresBeforeIssued);
    }
    check_kind(&statement, &members)?;
    check_critical(&members)?;
    Ok(statement)
}

/// §3.1.2 and §3.1.3: some claims belong to one kind of statement only.
fn check_kind(statement: &EntityStatement, members: &Members) -> Result<(), StatementError> {
    let (kind, foreign): (_, &[&'static str]) = if statement.is_configuration() {
        (
            CONFIGURATION,
            &[
                "metadata_policy",
                "metadata_policy_crit",
                "constraints",
                "source_endpoint",
            ],
        )
    } else {
        (
            SUBORDINATE,
            &[
                "authority_hints",
                "trust_anchor_hints",
                "trust_marks",
                "trust_mark_issuers",
                "trust_mark_owners",
            ],
        )
    };
    match foreign.iter().find(|claim| members.contains_key(**claim)) {
        Some(claim) => Err(StatementError::UnexpectedClaim { claim, kind }),
        None => Ok(()),
    }
}

/// §3.1.1, §13.4: whatever `crit` names, we do not understand it.
fn check_critical(members: &Members) -> Result<(), StatementError> {
    match members.get("crit") {
        None => Ok(()),
        Some(_) => Err(StatementError::Critical),
    }
}

fn entity_id(members: &Members, claim: &'static str) -> Result<EntityId, StatementError> {
    parse_entity_id(&members::text(members, claim)?, claim)
}

fn parse_entity_id(text: &str, claim: &'static str) -> Result<EntityId, StatementError> {
    EntityId::parse(text, Schemes::HttpsOnly).map_err(|reason| StatementError::EntityId { claim, reason })
}

fn audience(members: &Members) -> Result<Vec<String>, StatementError> {
    match members.get("aud") {
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        _ => Ok(members::optional_texts(members, "aud")?.unwrap_or_default()),
    }
}

fn keys(members: &Members) -> Result<JwkSet, StatementError> {
    let jwks = members.get("jwks").ok_or(MemberError::Missing { member: "jwks" })?;
    let keys = JwkSet::from_value(jwks)?;
    if keys.keys.is_empty() {
        return Err(StatementError::NoKeys);
    }
    if keys.keys.iter().any(|key| key.kid.as_deref().is_none_or(str::is_empty)) {
        return Err(StatementError::KeyWithoutKid);
    }
    Ok(keys)
}

fn authority_hints(members: &Members) -> Result<Option<Vec<EntityId>>, StatementError> {
    let Some(hints) = members::optional_texts(members, "authority_hints")? else {
        return Ok(None);
    };
    if hints.is_empty() {
        return Err(StatementError::NoAuthorityHints);
    }
    if hints.len() > MAX_AUTHORITY_HINTS {
        return Err(StatementError::TooMany {
            claim: "authority_hints",
        });
    }
    let hints: Result<Vec<EntityId>, StatementError> = hints
        .iter()
        .map(|hint| parse_entity_id(hint, "authority_hints"))
        .collect();
    hints.map(Some)
}

fn metadata(members: &Members) -> Result<Option<Metadata>, StatementError> {
    let Some(types) = members::optional_object(members, "metadata")? else {
        return Ok(None);
    };
    if types.len() > MAX_ENTITY_TYPES {
        return Err(StatementError::TooMany { claim: "metadata" });
    }
    let mut metadata = Metadata::default();
    for (entity_type, parameters) in types {
        let Value::Object(parameters) = parameters else {
            return Err(MemberError::Type {
                member: "metadata",
                expected: "a JSON object of JSON objects, one for each entity type",
            }
            .into());
        };
        if parameters.values().any(Value::is_null) {
            return Err(StatementError::NullMetadata);
        }
        metadata.set(entity_type, parameters.clone());
    }
    Ok(Some(metadata))
}

fn metadata_policy(members: &Members) -> Result<BTreeMap<String, Policy>, StatementError> {
    let Some(types) = members::optional_object(members, "metadata_policy")? else {
        return Ok(BTreeMap::new());
    };
    if types.len() > MAX_ENTITY_TYPES {
        return Err(StatementError::TooMany {
            claim: "metadata_policy",
        });
    }
    types
        .iter()
        .map(|(entity_type, policy)| Ok((entity_type.clone(), Policy::parse(policy)?)))
        .collect()
}

/// Exactly the members that are present.
pub(super) fn to_value(statement: &EntityStatement) -> Value {
    let mut members = Map::new();
    members.insert("iss".into(), json!(statement.iss));
    members.insert("sub".into(), json!(statement.sub));
    members.insert("iat".into(), json!(statement.iat));
    members.insert("exp".into(), json!(statement.exp));
    if let Some(nbf) = statement.nbf {
        members.insert("nbf".into(), json!(nbf));
    }
    match statement.aud.as_slice() {
        [] => {}
        [one] => {
            members.insert("aud".into(), json!(one));
        }
        several => {
            members.insert("aud".into(), json!(several));
        }
    }
    members.insert("jwks".into(), federation_keys(&statement.jwks.keys).to_value());
    if let Some(hints) = &statement.authority_hints {
        members.insert("authority_hints".into(), json!(hints));
    }
    if let Some(metadata) = &statement.metadata {
        members.insert("metadata".into(), metadata.to_value());
    }
    if !statement.metadata_policy.is_empty() {
        let policies: Map<String, Value> = statement
            .metadata_policy
            .iter()
            .map(|(name, policy)| (name.clone(), policy.to_value()))
            .collect();
        members.insert("metadata_policy".into(), Value::Object(policies));
    }
    if let Some(names) = &statement.metadata_policy_crit {
        members.insert("metadata_policy_crit".into(), json!(names));
    }
    if let Some(constraints) = &statement.constraints {
        members.insert("constraints".into(), constraints.to_value());
    }
    if let Some(source_endpoint) = &statement.source_endpoint {
        members.insert("source_endpoint".into(), json!(source_endpoint));
    }
    Value::Object(members)
}
