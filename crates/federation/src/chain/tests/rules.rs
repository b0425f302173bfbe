//! Constraints and policies of the whole chain, and what is told of it.
#![allow(clippy::unwrap_used)]

use super::*;

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
