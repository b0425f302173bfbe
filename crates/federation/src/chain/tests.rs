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
fn statements_in_the_wrong_order_or_of_the_wrong_entity_are_refused() {
    let good = direct(untouched, untouched, untouched);
    let (leaf, subordinate, top) = (good[0].clone(), good[1].clone(), good[2].clone());
    let subject = id(SUBJECT);
    let wrong_subject = TrustChainError::WrongSubject {
        subject: subject.clone(),
    };
    let stray = signed(
        &EntityStatement {
            iss: id("https://a.example"),
            sub: id("https://a.example"),
            ..fixtures::leaf_statement()
        },
        "rp",
    );
    let cases = [
        (vec![], TrustChainError::Empty),
        (
            vec![leaf.clone()],
            TrustChainError::NoSubordinateStatement {
                subject: subject.clone(),
            },
        ),
        (
            vec![leaf.clone(), top.clone()],
            TrustChainError::NoSubordinateStatement {
                subject: subject.clone(),
            },
        ),
        (
            vec![subordinate.clone(), leaf.clone(), top.clone()],
            wrong_subject.clone(),
        ),
        (vec![top.clone(), subordinate.clone(), leaf.clone()], wrong_subject),
        (
            vec![leaf.clone(), subordinate.clone(), subordinate.clone(), top.clone()],
            TrustChainError::BrokenLink {
                issuer: id("https://fm.example"),
                expected: id("https://fm.example"),
            },
        ),
        (
            vec![leaf.clone(), subordinate.clone(), top.clone(), top.clone()],
            TrustChainError::Loop {
                entity: id("https://fm.example"),
            },
        ),
        (
            vec![leaf.clone(), subordinate.clone(), stray, top.clone()],
            TrustChainError::Stray {
                entity: id("https://a.example"),
            },
        ),
    ];
    for (statements, expected) in cases {
        assert_eq!(resolve_all(&statements).unwrap_err(), expected);
    }
    assert!(matches!(
        resolve_all(&[leaf, subordinate, fetched("a.b.c".into())]),
        Err(TrustChainError::Unreadable { .. })
    ));
}

#[test]
fn links_that_do_not_fit_are_refused_by_name() {
    let other = || id("https://other.example");
    let cases: Vec<(Vec<FetchedStatement>, TrustChainError)> = vec![
        (
            direct(untouched, |subordinate| subordinate.sub = other(), untouched),
            TrustChainError::BrokenLink {
                issuer: id("https://fm.example"),
                expected: id(SUBJECT),
            },
        ),
        (
            direct(|leaf| leaf.authority_hints = Some(vec![other()]), untouched, untouched),
            TrustChainError::NotASuperior {
                entity: id(SUBJECT),
                superior: id("https://fm.example"),
            },
        ),
        (
            direct(|leaf| leaf.authority_hints = None, untouched, untouched),
            TrustChainError::NotASuperior {
                entity: id(SUBJECT),
                superior: id("https://fm.example"),
            },
        ),
        (
            direct(
                |leaf| leaf.authority_hints = Some(vec![other()]),
                |subordinate| subordinate.iss = other(),
                |top| {
                    top.iss = other();
                    top.sub = other();
                },
            ),
            TrustChainError::UnknownTrustAnchor { issuer: other() },
        ),
        (
            direct(
                |leaf| {
                    leaf.iss = other();
                    leaf.authority_hints = None;
                },
                untouched,
                untouched,
            ),
            TrustChainError::WrongSubject { subject: id(SUBJECT) },
        ),
        (
            direct(
                |leaf| {
                    leaf.metadata.as_mut().unwrap().remove("openid_relying_party");
                },
                untouched,
                untouched,
            ),
            TrustChainError::EntityTypeMissing {
                subject: id(SUBJECT),
                entity_type: EntityType::OpenIdRelyingParty,
            },
        ),
        (
            direct(|leaf| leaf.metadata = None, untouched, untouched),
            TrustChainError::EntityTypeMissing {
                subject: id(SUBJECT),
                entity_type: EntityType::OpenIdRelyingParty,
            },
        ),
    ];
    for (statements, expected) in cases {
        assert_eq!(resolve_all(&statements).unwrap_err(), expected);
    }
}

#[test]
fn a_loop_is_refused() {
    let mut statements = long_chain(2, |level, statement| {
        if level == 1 {
            statement.iss = id(SUBJECT);
        }
    });
    statements.remove(3);
    assert_eq!(
        resolve_all(&statements).unwrap_err(),
        TrustChainError::Loop { entity: id(SUBJECT) }
    );
}

#[test]
fn wrong_signatures_and_times_are_refused_with_the_statements_name() {
    let good = direct(untouched, untouched, untouched);
    let with = |at: usize, statement: FetchedStatement| {
        let mut statements = good.clone();
        statements[at] = statement;
        resolve_all(&statements).unwrap_err()
    };
    let reason = |error: TrustChainError| match error {
        TrustChainError::Statement { reason, .. } => reason,
        other => panic!("{other}"),
    };
    let forger = |kid: &str| fixtures::key_of(77, kid);
    let forged = |statement: &EntityStatement, kid: &str| fetched(statement::issue(statement, &forger(kid)).unwrap());
    let leaf = fixtures::leaf_statement();
    let (subordinate, top) = (fixtures::subordinate_statement(), fixtures::anchor_statement());
    for (at, statement, kid) in [(0, &leaf, "rp"), (1, &subordinate, "fm"), (2, &top, "fm")] {
        assert_eq!(
            reason(with(at, forged(statement, kid))),
            StatementError::Signature { kid: kid.into() }
        );
        let unknown = reason(with(at, signed(statement, "stranger")));
        assert_eq!(
            unknown,
            StatementError::UnknownKey {
                known: format!("{kid:?}")
            }
        );
        let aged = EntityStatement {
            iat: NOW.minus_seconds(100),
            exp: NOW,
            ..statement.clone()
        };
        assert_eq!(
            reason(with(at, signed(&aged, kid))),
            StatementError::Expired { ago_seconds: 0 }
        );
        let future = EntityStatement {
            iat: NOW.plus_seconds(61),
            ..statement.clone()
        };
        assert_eq!(
            reason(with(at, signed(&future, kid))),
            StatementError::IssuedInFuture { ahead_seconds: 61 }
        );
    }
    let text = with(0, forged(&leaf, "rp")).to_string();
    assert!(text.starts_with("own statement of https://akte.example: "), "{text}");
    let text = with(1, forged(&subordinate, "fm")).to_string();
    assert!(
        text.starts_with("statement of https://fm.example about https://akte.example: "),
        "{text}"
    );
}

#[test]
fn only_keys_the_superior_vouches_for_count() {
    // The service signs with a key it publishes itself but the Federation Master does not know.
    let mut leaf = fixtures::leaf_statement();
    leaf.jwks = key_set(&["rp", "rogue"]);
    let statements = vec![
        signed(&leaf, "rogue"),
        signed(&fixtures::subordinate_statement(), "fm"),
        signed(&fixtures::anchor_statement(), "fm"),
    ];
    assert!(matches!(
        resolve_all(&statements),
        Err(TrustChainError::Statement {
            reason: StatementError::UnknownKey { .. },
            ..
        })
    ));
    // And the other way round: the signing key has to be among its own keys too.
    let hidden = direct(|leaf| leaf.jwks = key_set(&["other"]), untouched, untouched);
    assert!(matches!(
        resolve_all(&hidden),
        Err(TrustChainError::Statement {
            reason: StatementError::OwnKeyMissing,
            ..
        })
    ));
}

#[test]
fn a_services_statement_lives_a_day_at_most() {
    let lifetime = |seconds| direct(|leaf| leaf.exp = leaf.iat.plus_seconds(seconds), untouched, untouched);
    assert!(resolve_all(&lifetime(86_400)).is_ok());
    assert!(matches!(
        resolve_all(&lifetime(86_401)),
        Err(TrustChainError::Statement {
            reason: StatementError::LivesTooLong {
                lifetime_seconds: 86_401,
                ..
            },
            ..
        })
    ));
    let subject = id(SUBJECT);
    let request = ChainRequest::new(&subject, EntityType::OpenIdRelyingParty).under(Profile::OpenIdFederation);
    assert!(resolve(&request, &lifetime(1_000_000), &[anchor()], NOW).is_ok());
}

#[test]
fn statements_for_somebody_else_are_refused() {
    let for_us = |aud: Vec<String>| direct(untouched, |subordinate| subordinate.aud = aud, untouched);
    let subject = id(SUBJECT);
    let us = id("https://idp.example");
    let request = ChainRequest::new(&subject, EntityType::OpenIdRelyingParty).for_audience(&us);
    for aud in [
        vec![],
        vec!["https://idp.example".to_owned()],
        vec!["x".into(), "https://idp.example".into()],
    ] {
        assert!(resolve(&request, &for_us(aud), &[anchor()], NOW).is_ok());
    }
    for aud in [
        vec!["https://other.example".to_owned()],
        vec!["https://idp.example/".into()],
    ] {
        let error = resolve(&request, &for_us(aud.clone()), &[anchor()], NOW).unwrap_err();
        assert!(
            matches!(error, TrustChainError::WrongAudience { .. }),
            "{aud:?}: {error}"
        );
    }
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

#[test]
fn constraints_hold_or_the_chain_is_refused() {
    let constrained = |count: usize, at: usize, constraints: Constraints| {
        resolve_all(&long_chain(count, move |level, statement| {
            if level == at {
                statement.constraints = Some(constraints.clone());
            }
        }))
    };
    let length = |limit| Constraints {
        max_path_length: Some(limit),
        ..Constraints::default()
    };
    // The example of §6.2.1: a chain over two intermediates.
    assert!(constrained(2, 2, length(2)).is_ok());
    assert!(constrained(2, 1, length(1)).is_ok());
    assert!(constrained(2, 0, length(0)).is_ok());
    assert_eq!(
        constrained(2, 2, length(1)).unwrap_err(),
        TrustChainError::PathTooLong {
            issuer: id("https://fm.example"),
            limit: 1,
            found: 2
        }
    );
    assert!(matches!(
        constrained(2, 1, length(0)),
        Err(TrustChainError::PathTooLong { found: 1, .. })
    ));

    let permitted = |names: &[&str]| Constraints {
        naming: Some(NamingConstraints {
            permitted: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            excluded: None,
        }),
        ..Constraints::default()
    };
    assert!(constrained(1, 1, permitted(&[".example"])).is_ok());
    assert!(constrained(1, 0, permitted(&["akte.example"])).is_ok());
    assert_eq!(
        constrained(1, 1, permitted(&["akte.example"])).unwrap_err(),
        TrustChainError::NameNotPermitted {
            issuer: id("https://fm.example"),
            entity: id("https://int1.example")
        }
    );

    let types = |names: &[&str]| Constraints {
        allowed_entity_types: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Constraints::default()
    };
    let chain = constrained(0, 0, types(&["openid_relying_party"])).unwrap();
    assert!(chain.metadata_of(EntityType::FederationEntity).is_some());
    assert!(matches!(
        constrained(1, 1, types(&["openid_provider"])),
        Err(TrustChainError::EntityTypeNotAllowed { .. })
    ));
    assert!(matches!(
        constrained(0, 0, types(&[])),
        Err(TrustChainError::EntityTypeNotAllowed { .. })
    ));
}

#[test]
fn a_role_that_is_not_allowed_is_taken_away() {
    let statements = direct(
        |leaf| leaf.metadata.as_mut().unwrap().set("oauth_client", Map::new()),
        |subordinate| {
            subordinate.constraints = Some(Constraints {
                allowed_entity_types: Some(vec!["openid_relying_party".into()]),
                ..Constraints::default()
            });
        },
        untouched,
    );
    let chain = resolve_all(&statements).unwrap();
    assert_eq!(chain.metadata.of("oauth_client"), None);
    let removed = chain
        .explain()
        .iter()
        .any(|step| matches!(step, Step::EntityTypeRemoved { .. }));
    assert!(removed);
}

#[test]
fn the_policies_of_the_whole_chain_are_applied() {
    let policy = |operators: serde_json::Value| Policy::parse(&operators).unwrap();
    let with = |top: serde_json::Value, nearest: serde_json::Value| {
        let (top, nearest) = (policy(top), policy(nearest));
        resolve_all(&long_chain(1, move |level, statement| {
            let policy = if level == 0 { nearest.clone() } else { top.clone() };
            statement.metadata_policy.insert("openid_relying_party".into(), policy);
        }))
    };
    let chain = with(
        json!({"contacts": {"add": ["top@example"]}, "subject_type": {"value": "pairwise"}}),
        json!({"contacts": {"add": ["int@example"]}, "scope": {"subset_of": ["openid"]}}),
    )
    .unwrap();
    assert_eq!(chain.metadata()["contacts"], json!(["top@example", "int@example"]));
    assert_eq!(chain.metadata()["subject_type"], "pairwise");
    assert_eq!(chain.metadata()["scope"], "openid");
    let contributors: Vec<(String, Operator)> = chain
        .explain()
        .iter()
        .filter_map(|step| match step {
            Step::PolicyMerged { issuer, step, .. } => Some((issuer.to_string(), step.operator)),
            _ => None,
        })
        .collect();
    assert_eq!(
        contributors,
        [
            ("https://fm.example".to_owned(), Operator::Add),
            ("https://fm.example".to_owned(), Operator::Value),
            ("https://int1.example".to_owned(), Operator::Add),
            ("https://int1.example".to_owned(), Operator::SubsetOf),
        ]
    );
    assert!(matches!(
        with(json!({"a": {"value": 1}}), json!({"a": {"value": 2}})),
        Err(TrustChainError::Policy { .. })
    ));
    assert!(matches!(
        with(json!({"client_name": {"one_of": ["Andere"]}}), json!({})),
        Err(TrustChainError::PolicyViolated { .. })
    ));
    assert!(matches!(
        with(json!({"policy_uri": {"essential": true}}), json!({})),
        Err(TrustChainError::PolicyViolated { .. })
    ));
}

#[test]
fn critical_policy_operators_are_refused() {
    for names in [vec!["regexp".to_owned()], vec!["value".into()], vec![]] {
        let statements = direct(
            untouched,
            |subordinate| subordinate.metadata_policy_crit = Some(names.clone()),
            untouched,
        );
        assert!(
            matches!(resolve_all(&statements), Err(TrustChainError::Policy { .. })),
            "{names:?}"
        );
    }
}

#[test]
fn every_step_is_told_in_order() {
    let chain = resolve_all(&direct(untouched, untouched, untouched)).unwrap();
    let told: Vec<String> = chain.explain().iter().map(ToString::to_string).collect();
    assert_eq!(
        told[0],
        "read the own statement of https://akte.example from https://somewhere.example"
    );
    let exp = NOW.0 + 86_400;
    assert_eq!(
        told[3],
        format!(
            "the own statement of https://fm.example is signed with key \"fm\", which is pinned as trust anchor; \
             valid until {exp}"
        )
    );
    assert_eq!(
        told[4],
        format!(
            "the statement of https://fm.example about https://akte.example is signed with key \"fm\", \
             which https://fm.example vouches for; valid until {exp}"
        )
    );
    assert!(told.contains(&"openid_relying_party.client_name: the entity's own value".to_owned()));
    assert!(told.contains(&"openid_relying_party.scope: the superior's value wins over the entity's own".to_owned()));
    assert!(told.contains(&"openid_relying_party.claims: the superior's value, the entity has none".to_owned()));
    assert_eq!(
        told.last().unwrap(),
        &format!("the chain is valid until {}", NOW.0 + 43_200)
    );
}

#[test]
fn errors_lead_to_the_right_oauth_code() {
    let subject = id(SUBJECT);
    let cases = [
        (TrustChainError::Empty, "missing_trust_anchor"),
        (
            TrustChainError::UnknownTrustAnchor {
                issuer: subject.clone(),
            },
            "missing_trust_anchor",
        ),
        (
            TrustChainError::NoSubordinateStatement {
                subject: subject.clone(),
            },
            "missing_trust_anchor",
        ),
        (TrustChainError::WrongSubject { subject }, "invalid_client"),
        (TrustChainError::TooLong { limit: 1 }, "invalid_client"),
        (
            TrustChainError::Statement {
                statement: String::new(),
                reason: StatementError::MissingKid,
            },
            "invalid_client",
        ),
    ];
    for (error, code) in cases {
        assert_eq!(error.oauth_error().as_str(), code, "{error}");
    }
    assert_eq!(crate::EntityIdError::Query.oauth_error().as_str(), "invalid_request");
}

#[test]
fn the_anchor_is_verified_before_its_word_is_taken() {
    let compact = |statement: &EntityStatement, kid: &str| statement::issue(statement, &fixtures::key(kid)).unwrap();
    let top = fixtures::anchor_statement();
    let verified = anchor().verify_configuration(&compact(&top, "fm"), NOW).unwrap();
    assert_eq!(
        verified.endpoints().federation_fetch_endpoint.as_deref(),
        Some("https://fm.example/federation/fetch")
    );
    assert_eq!(
        (verified.entity_id(), verified.expires_at()),
        (&id("https://fm.example"), top.exp)
    );
    let subordinate = fixtures::subordinate_statement();
    let about = |subject: &str, compact: &str| verified.verify_statement_about(&id(subject), compact, NOW);
    assert!(about(SUBJECT, &compact(&subordinate, "fm")).is_ok());
    assert!(about("https://other.example", &compact(&subordinate, "fm")).is_err());
    assert!(about(SUBJECT, &compact(&subordinate, "rp")).is_err());
    let foreign = EntityStatement {
        iss: id("https://other.example"),
        ..subordinate
    };
    assert!(about(SUBJECT, &compact(&foreign, "fm")).is_err());
    assert!(about(SUBJECT, &compact(&fixtures::leaf_statement(), "rp")).is_err());

    assert!(anchor().verify_configuration(&compact(&top, "rp"), NOW).is_err());
    assert!(
        anchor()
            .verify_configuration(&compact(&fixtures::leaf_statement(), "rp"), NOW)
            .is_err()
    );
    assert!(anchor().verify_configuration("x", NOW).is_err());
    let mut broken = top;
    let members = json!({"federation_fetch_endpoint": "http://fm.example/fetch"});
    broken
        .metadata
        .as_mut()
        .unwrap()
        .set("federation_entity", members.as_object().unwrap().clone());
    assert!(matches!(
        anchor().verify_configuration(&compact(&broken, "fm"), NOW),
        Err(TrustChainError::TrustAnchorMetadata { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn no_selection_of_statements_passes_but_the_right_one(picks in proptest::collection::vec(0_usize..3, 0..6)) {
        let good = direct(untouched, untouched, untouched);
        let statements: Vec<FetchedStatement> = picks.iter().map(|pick| good[*pick].clone()).collect();
        let right = picks == [0, 1, 2] || picks == [0, 2, 1] || picks == [0, 1];
        prop_assert_eq!(resolve_all(&statements).is_ok(), right);
    }
}
