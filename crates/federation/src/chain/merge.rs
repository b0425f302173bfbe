//! Metadata of the chain's subject: own members, superior's members, constraints, policy — in this order
//! (OpenID Federation 1.0 §3.1.1, §6.2.3, §6.1.4.2).

use serde_json::{Map, Value};

use super::links::VerifiedLinks;
use super::{ChainRequest, Origin, Step, TrustChainError};
use crate::metadata::{EntityType, Metadata};
use crate::policy::{self, Policy};

pub(super) fn resolve_metadata(
    request: &ChainRequest<'_>,
    links: &VerifiedLinks,
    steps: &mut Vec<Step>,
) -> Result<Metadata, TrustChainError> {
    check_critical_operators(links)?;
    let own = links.leaf.claims().metadata.clone().unwrap_or_default();
    if own.of(request.entity_type.as_str()).is_none() {
        return Err(TrustChainError::EntityTypeMissing {
            subject: request.subject.clone(),
            entity_type: request.entity_type,
        });
    }
    let superior = links.superior_metadata();
    let mut metadata = Metadata::default();
    for entity_type in own.entity_types() {
        let none = Map::new();
        let members = own.of(entity_type).unwrap_or(&none);
        let merged = merge_members(entity_type, members, superior.of(entity_type).unwrap_or(&none), steps);
        metadata.set(entity_type, merged);
    }
    remove_types_not_allowed(request, links, &mut metadata, steps)?;
    let entity_types: Vec<String> = metadata.entity_types().map(str::to_owned).collect();
    for entity_type in entity_types {
        if let Some(members) = metadata.of(&entity_type) {
            let resolved = apply_policy(&entity_type, members, links, steps)?;
            metadata.set(&entity_type, resolved);
        }
    }
    Ok(metadata)
}

/// §3.1.1: the superior's members have precedence over those of the same name. Only for roles the entity claims.
fn merge_members(
    entity_type: &str,
    own: &Map<String, Value>,
    superior: &Map<String, Value>,
    steps: &mut Vec<Step>,
) -> Map<String, Value> {
    let mut merged = own.clone();
    merged.extend(superior.clone());
    for member in merged.keys() {
        let origin = match (own.contains_key(member), superior.contains_key(member)) {
            (true, true) => Origin::SuperiorOverOwn,
            (false, true) => Origin::Superior,
            _ => Origin::Own,
        };
        steps.push(Step::MemberMerged {
            entity_type: entity_type.to_owned(),
            member: member.clone(),
            origin,
        });
    }
    merged
}

/// §6.2.3: before the policy, after the superior's metadata. `federation_entity` always stays.
fn remove_types_not_allowed(
    request: &ChainRequest<'_>,
    links: &VerifiedLinks,
    metadata: &mut Metadata,
    steps: &mut Vec<Step>,
) -> Result<(), TrustChainError> {
    for statement in &links.subordinate {
        let claims = statement.claims();
        let Some(allowed) = claims
            .constraints
            .as_ref()
            .and_then(|set| set.allowed_entity_types.as_ref())
        else {
            continue;
        };
        let stays =
            |name: &str| name == EntityType::FederationEntity.as_str() || allowed.iter().any(|allowed| allowed == name);
        if !stays(request.entity_type.as_str()) {
            return Err(TrustChainError::EntityTypeNotAllowed {
                issuer: claims.iss.clone(),
                entity_type: request.entity_type,
            });
        }
        let removed: Vec<String> = metadata
            .entity_types()
            .filter(|name| !stays(name))
            .map(str::to_owned)
            .collect();
        for entity_type in removed {
            metadata.remove(&entity_type);
            steps.push(Step::EntityTypeRemoved {
                issuer: claims.iss.clone(),
                entity_type,
            });
        }
    }
    Ok(())
}

/// §6.1.4.1: the most superior policy first, then downwards.
fn apply_policy(
    entity_type: &str,
    members: &Map<String, Value>,
    links: &VerifiedLinks,
    steps: &mut Vec<Step>,
) -> Result<Map<String, Value>, TrustChainError> {
    let downwards = links.subordinate.iter().rev().map(|statement| statement.claims());
    let (issuers, policies): (Vec<_>, Vec<Policy>) = downwards
        .filter_map(|claims| Some((&claims.iss, claims.metadata_policy.get(entity_type)?.clone())))
        .unzip();
    let (policy, merged) = policy::combine_explained(&policies).map_err(|reason| TrustChainError::Policy {
        entity_type: entity_type.to_owned(),
        reason,
    })?;
    steps.extend(merged.into_iter().map(|step| Step::PolicyMerged {
        entity_type: entity_type.to_owned(),
        issuer: issuers[step.level].clone(),
        step,
    }));
    let (resolved, applied) = policy
        .apply_explained(members)
        .map_err(|reason| TrustChainError::PolicyViolated {
            entity_type: entity_type.to_owned(),
            reason,
        })?;
    steps.extend(applied.into_iter().map(|step| Step::PolicyApplied {
        entity_type: entity_type.to_owned(),
        step,
    }));
    Ok(resolved)
}

/// §6.1.4.1, §3.1.3: whatever is critical beyond the standard operators is not understood.
fn check_critical_operators(links: &VerifiedLinks) -> Result<(), TrustChainError> {
    for statement in &links.subordinate {
        if let Some(names) = &statement.claims().metadata_policy_crit {
            policy::check_critical(names).map_err(|reason| TrustChainError::Policy {
                entity_type: "every entity type".into(),
                reason,
            })?;
        }
    }
    Ok(())
}
