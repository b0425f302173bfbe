//! Statements that do not fit together, or not in time.
#![allow(clippy::unwrap_used)]

use super::*;

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
