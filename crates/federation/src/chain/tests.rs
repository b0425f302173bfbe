#![allow(clippy::unwrap_used)]

use jose::jwk::KeyUse;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::fixtures::{self, NOW, id};
use crate::policy::{Operator, Policy};
use crate::statement::{self, Constraints, EntityStatement, NamingConstraints, StatementError};

const SUBJECT: &str = "https://akte.example";

fn anchor() -> TrustAnchor {
    TrustAnchor {
        entity_id: id("https://fm.example"),
        keys: key_set(&["fm"]),
    }
}

fn key_set(kids: &[&str]) -> JwkSet {
    JwkSet::new(
        kids.iter()
            .map(|kid| fixtures::key(kid).jwk(KeyUse::Signature))
            .collect(),
    )
}

fn signed(statement: &EntityStatement, kid: &str) -> FetchedStatement {
    fetched(statement::issue(statement, &fixtures::key(kid)).unwrap())
}

fn fetched(compact: String) -> FetchedStatement {
    FetchedStatement::new("https://somewhere.example", compact)
}

fn resolve_all(statements: &[FetchedStatement]) -> Result<ResolvedTrustChain, TrustChainError> {
    let subject = id(SUBJECT);
    resolve(
        &ChainRequest::new(&subject, EntityType::OpenIdRelyingParty),
        statements,
        &[anchor()],
        NOW,
    )
}

/// The direct chain, each statement changed by its function.
fn direct(
    leaf: impl FnOnce(&mut EntityStatement),
    subordinate: impl FnOnce(&mut EntityStatement),
    top: impl FnOnce(&mut EntityStatement),
) -> Vec<FetchedStatement> {
    let mut statements = (
        fixtures::leaf_statement(),
        fixtures::subordinate_statement(),
        fixtures::anchor_statement(),
    );
    leaf(&mut statements.0);
    subordinate(&mut statements.1);
    top(&mut statements.2);
    vec![
        signed(&statements.0, "rp"),
        signed(&statements.1, "fm"),
        signed(&statements.2, "fm"),
    ]
}

fn untouched(_: &mut EntityStatement) {}

fn intermediate_id(level: usize) -> EntityId {
    match level {
        0 => id(SUBJECT),
        level => id(&format!("https://int{level}.example")),
    }
}

fn intermediate_kid(level: usize) -> String {
    match level {
        0 => "rp".into(),
        level => format!("int{level}"),
    }
}

/// A chain over `count` intermediates; `change` sees the subordinate statements, the nearest to the leaf as 0.
fn long_chain(count: usize, change: impl Fn(usize, &mut EntityStatement)) -> Vec<FetchedStatement> {
    let mut leaf = fixtures::leaf_statement();
    leaf.authority_hints = Some(vec![if count == 0 {
        id("https://fm.example")
    } else {
        intermediate_id(1)
    }]);
    let mut statements = vec![signed(&leaf, "rp")];
    for level in 0..=count {
        let mut statement = fixtures::subordinate_statement();
        let top = level == count;
        statement.iss = if top {
            id("https://fm.example")
        } else {
            intermediate_id(level + 1)
        };
        statement.sub = intermediate_id(level);
        statement.jwks = key_set(&[&intermediate_kid(level)]);
        if level > 0 {
            statement.metadata = None;
        }
        change(level, &mut statement);
        let signer = if top { "fm".into() } else { intermediate_kid(level + 1) };
        statements.push(signed(&statement, &signer));
    }
    statements.push(signed(&fixtures::anchor_statement(), "fm"));
    statements
}

#[test]
fn a_direct_chain_resolves() {
    let chain = resolve_all(&direct(untouched, untouched, untouched)).unwrap();
    assert_eq!(chain.subject(), &id(SUBJECT));
    assert_eq!(chain.trust_anchor(), &id("https://fm.example"));
    assert_eq!(chain.superiors(), [id("https://fm.example")]);
    assert_eq!(chain.federation_keys(), &key_set(&["rp"]));
    assert_eq!(chain.metadata()["client_name"], "Patientenakte");
    assert_eq!(
        chain.metadata_of(EntityType::FederationEntity).unwrap()["organization_name"],
        "Akte GmbH"
    );
    assert_eq!(chain.metadata_of(EntityType::OpenIdProvider), None);
    assert_eq!(chain.issued_at(), NOW);
}

#[test]
fn a_chain_without_the_anchors_own_statement_resolves_with_the_pinned_key() {
    let mut statements = direct(untouched, untouched, untouched);
    statements.pop();
    assert!(resolve_all(&statements).is_ok());
    let subject = id(SUBJECT);
    let request = ChainRequest::new(&subject, EntityType::OpenIdRelyingParty);
    let stranger = TrustAnchor {
        keys: key_set(&["other"]),
        ..anchor()
    };
    assert!(resolve(&request, &statements, &[stranger], NOW).is_err());
}

#[test]
fn the_superiors_members_win_and_the_others_stay() {
    let chain = resolve_all(&direct(
        |leaf| {
            let mut members = fixtures::relying_party().to_members();
            members.insert("redirect_uris".into(), json!(["https://evil.example/cb"]));
            members.insert("scope".into(), json!("openid urn:telematik:email"));
            leaf.metadata.as_mut().unwrap().set("openid_relying_party", members);
        },
        |subordinate| {
            subordinate
                .metadata
                .as_mut()
                .unwrap()
                .set("oauth_client", json!({"a": 1}).as_object().unwrap().clone());
        },
        untouched,
    ))
    .unwrap();
    assert_eq!(chain.metadata()["redirect_uris"], json!(["https://akte.example/cb"]));
    assert_eq!(chain.metadata()["scope"], "openid urn:telematik:versicherter");
    assert_eq!(chain.metadata()["client_name"], "Patientenakte");
    assert_eq!(
        chain.superior_member("redirect_uris"),
        Some(&json!(["https://akte.example/cb"]))
    );
    assert_eq!(chain.superior_member("client_name"), None);
    // Roles the entity does not claim stay unclaimed (§3.1.1).
    assert_eq!(chain.metadata.of("oauth_client"), None);
}

#[test]
fn chains_over_intermediates_resolve_up_to_the_limit() {
    for count in 0..=MAX_INTERMEDIATES {
        let chain = resolve_all(&long_chain(count, |_, _| {})).unwrap();
        assert_eq!(chain.superiors().len(), count + 1);
        assert_eq!(chain.trust_anchor(), &id("https://fm.example"));
    }
    let too_long = resolve_all(&long_chain(MAX_INTERMEDIATES + 1, |_, _| {}));
    assert_eq!(
        too_long.unwrap_err(),
        TrustChainError::TooLong {
            limit: MAX_INTERMEDIATES
        }
    );
    let absurd = vec![signed(&fixtures::leaf_statement(), "rp"); 100];
    assert_eq!(
        resolve_all(&absurd).unwrap_err(),
        TrustChainError::TooLong {
            limit: MAX_INTERMEDIATES
        }
    );
}

#[test]
fn own_statements_of_intermediates_are_verified_too() {
    let own = |hints: Vec<EntityId>, kid: &str| {
        let mut statement = fixtures::anchor_statement();
        statement.iss = intermediate_id(1);
        statement.sub = intermediate_id(1);
        statement.jwks = key_set(&["int1"]);
        statement.authority_hints = Some(hints);
        signed(&statement, kid)
    };
    let with = |own: FetchedStatement| {
        let mut statements = long_chain(1, |_, _| {});
        statements.insert(2, own);
        resolve_all(&statements)
    };
    assert!(with(own(vec![id("https://fm.example")], "int1")).is_ok());
    assert!(matches!(
        with(own(vec![id("https://other.example")], "int1")),
        Err(TrustChainError::NotASuperior { entity, .. }) if entity == intermediate_id(1)
    ));
    assert!(matches!(
        with(own(vec![id("https://fm.example")], "rp")),
        Err(TrustChainError::Statement { .. })
    ));
}

#[test]
fn the_anchors_keys_may_roll_over() {
    let subject = id(SUBJECT);
    let request = ChainRequest::new(&subject, EntityType::OpenIdRelyingParty);
    // The new key is announced by the old one and signs the statements already.
    let announced = vec![
        signed(&fixtures::leaf_statement(), "rp"),
        signed(&fixtures::subordinate_statement(), "fm2"),
        signed(
            &EntityStatement {
                jwks: key_set(&["fm", "fm2"]),
                ..fixtures::anchor_statement()
            },
            "fm",
        ),
    ];
    assert!(resolve(&request, &announced, &[anchor()], NOW).is_ok());
    // Both keys pinned in one anchor, and as two anchors.
    let switched = vec![
        signed(&fixtures::leaf_statement(), "rp"),
        signed(&fixtures::subordinate_statement(), "fm2"),
        signed(
            &EntityStatement {
                jwks: key_set(&["fm2"]),
                ..fixtures::anchor_statement()
            },
            "fm2",
        ),
    ];
    let both = TrustAnchor {
        keys: key_set(&["fm", "fm2"]),
        ..anchor()
    };
    let second = TrustAnchor {
        keys: key_set(&["fm2"]),
        ..anchor()
    };
    assert!(resolve(&request, &switched, &[both], NOW).is_ok());
    assert!(resolve(&request, &switched, &[anchor(), second], NOW).is_ok());
    assert!(resolve(&request, &switched, &[anchor()], NOW).is_err());
    assert!(resolve(&request, &switched, &[], NOW).is_err());
}

#[test]
fn the_chain_expires_with_its_first_statement() {
    let expiring = [(100, 200, 300), (200, 100, 300), (300, 200, 100)];
    for (leaf_exp, subordinate_exp, anchor_exp) in expiring {
        let statements = direct(
            |leaf| leaf.exp = NOW.plus_seconds(leaf_exp),
            |subordinate| subordinate.exp = NOW.plus_seconds(subordinate_exp),
            |top| top.exp = NOW.plus_seconds(anchor_exp),
        );
        assert_eq!(resolve_all(&statements).unwrap().expires_at(), NOW.plus_seconds(100));
    }
}

#[test]
fn a_chain_is_refreshed_and_discarded_by_the_rules() {
    let chain = resolve_all(&direct(
        |leaf| leaf.exp = NOW.plus_seconds(86_400),
        untouched,
        untouched,
    ))
    .unwrap();
    let hours = |hours: u64| NOW.plus_seconds(hours * 3_600);
    assert_eq!(chain.freshness(NOW, hours(12).minus_seconds(1)), Freshness::Fresh);
    assert_eq!(chain.freshness(NOW, hours(12)), Freshness::RefreshDue);
    assert_eq!(chain.freshness(NOW, hours(24)), Freshness::Discard);
    let short = resolve_all(&direct(|leaf| leaf.exp = hours(2), untouched, untouched)).unwrap();
    assert_eq!(short.freshness(NOW, hours(2).minus_seconds(1)), Freshness::Fresh);
    assert_eq!(short.freshness(NOW, hours(2)), Freshness::Discard);
}

mod links;
mod rules;
