#![allow(clippy::unwrap_used)]

use federation::relying_party::VerifiedRelyingParty;
use federation::statement;
use serde_json::{Value, json};
use transport::Fetched;

use super::*;
use crate::client::{ConfigError, Document, IdTokenError, KeyPublication, KeyPurpose, LevelRule, claims_parameter};
use crate::fake::{self, DAY, Fake, ISSUER, MASTER, NOW, RETURN, Recipe, SERVICE};

const HOUR: u64 = 3600;

async fn redeem(fake: &Fake, party: &RelyingParty) -> Result<VerifiedIdToken, RedeemError> {
    let session = fake.begin(party, &LoginOptions::default()).await.session;
    fake.answer_with(Recipe::of(party, &session).token());
    let code = session
        .read_callback(&format!("code=c0de&state={}", session.state()))
        .unwrap();
    party.redeem(session, code, NOW).await
}

#[tokio::test]
async fn a_login_pushes_exactly_the_parameters_of_the_profile() {
    let fake = Fake::start().await;
    let party = fake.party();
    let options = LoginOptions {
        scopes: Some(vec!["openid".into(), "urn:telematik:email".into()]),
        claims: Some(claims_parameter(&["urn:telematik:claims:email"], &[])),
        prompt: Some("login".into()),
        max_age_seconds: Some(0),
        amr: Some("urn:telematik:auth:eGK".into()),
        ..LoginOptions::default()
    };
    let login = fake.begin(&party, &options).await;
    assert_eq!((login.pushes, login.expires_in_seconds), (1, 90));
    assert_eq!(
        login.authorization_url,
        "https://idp.example/109900019/auth?client_id=https%3A%2F%2Fservice.example&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Aabc"
    );
    let pushed = fake.world.lock().unwrap().pushed.remove(0);
    let expected = [
        ("client_id", SERVICE),
        ("redirect_uri", RETURN),
        ("response_type", "code"),
        ("scope", "openid urn:telematik:email"),
        ("state", login.session.state()),
        ("nonce", login.session.nonce()),
        ("code_challenge_method", "S256"),
        ("acr_values", "gematik-ehealth-loa-high"),
        ("amr", "urn:telematik:auth:eGK"),
        ("prompt", "login"),
        ("max_age", "0"),
        (
            "claims",
            r#"{"id_token":{"urn:telematik:claims:email":{"essential":true}}}"#,
        ),
    ];
    for (name, value) in expected {
        assert_eq!(pushed.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(pushed["code_challenge"], code_challenge(login.session.code_verifier()));
    assert_eq!(pushed.len(), expected.len() + 1);
}

#[tokio::test]
async fn a_code_becomes_a_verified_token() {
    let fake = Fake::start().await;
    let party = fake.party();
    let token = redeem(&fake, &party).await.unwrap();
    assert_eq!(token.text_claim("urn:telematik:claims:id"), Some("Q000123451"));
    let world = fake.world.lock().unwrap();
    let form = &world.redeemed[0];
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!(
        (
            form["code"].as_str(),
            form["redirect_uri"].as_str(),
            form["client_id"].as_str()
        ),
        ("c0de", RETURN, SERVICE)
    );
    assert_eq!(
        code_challenge(&form["code_verifier"]),
        world.pushed[0]["code_challenge"]
    );
    let own = party.keys().tls_credential();
    assert!(world.shown.iter().all(|shown| shown == own.certificate()) && world.shown.len() == 2);
}

#[tokio::test]
async fn a_provider_that_does_not_know_us_yet_is_asked_again_twice_at_most() {
    let fake = Fake::start().await;
    let party = fake.party();
    let unknown = |status: u16, error: &str| (status, json!({"error": error}));
    fake.change(|world| {
        world.push_refusals = vec![unknown(401, "invalid_client"), unknown(400, "unauthorized_client")]
    });
    assert_eq!(fake.begin(&party, &LoginOptions::default()).await.pushes, 3);
    fake.change(|world| world.push_refusals = vec![unknown(401, "invalid_client"); 4]);
    let refused = party.begin_login(ISSUER, &LoginOptions::default(), NOW).await;
    assert!(
        matches!(
            refused,
            Err(LoginError::Refused {
                status: 401,
                pushes: 3,
                ..
            })
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn other_refusals_are_final_and_keep_their_words() {
    let fake = Fake::start().await;
    let party = fake.party();
    let cases = [
        (
            400,
            json!({"error": "invalid_scope", "error_description": "scope x (support code AB12-CD34)"}),
        ),
        (401, json!({"error": "invalid_request"})),
        (403, json!({"error": "invalid_client"})),
        (500, json!("broken")),
    ];
    for (status, body) in cases {
        fake.change(|world| world.push_refusals = vec![(status, body.clone())]);
        match party.begin_login(ISSUER, &LoginOptions::default(), NOW).await {
            Err(LoginError::Refused {
                status: seen,
                refusal,
                pushes: 1,
            }) => {
                assert_eq!(seen, status);
                assert_eq!(refusal.error, body["error"].as_str().unwrap_or("unknown"));
                assert_eq!(refusal.support_code.is_some(), body.get("error_description").is_some());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn answers_that_are_not_those_of_rfc_9126_are_refused() {
    let fake = Fake::start().await;
    let party = fake.party();
    let answers = [
        json!({}),
        json!([]),
        json!({"request_uri": "urn:x"}),
        json!({"request_uri": "", "expires_in": 90}),
        json!({"request_uri": "a".repeat(2001), "expires_in": 90}),
        json!({"request_uri": "urn:x", "expires_in": 0}),
        json!({"request_uri": "urn:x", "expires_in": 601}),
        json!({"request_uri": "urn:x", "expires_in": "90"}),
    ];
    for answer in answers {
        fake.change(|world| world.push_answer = (201, answer.clone()));
        let refused = party.begin_login(ISSUER, &LoginOptions::default(), NOW).await;
        assert!(matches!(refused, Err(LoginError::Answer)), "{answer}");
    }
}

#[tokio::test]
async fn only_configured_redirect_uris_are_used() {
    let fake = Fake::start().await;
    let party = fake.party();
    let to = |uri: &str| LoginOptions {
        redirect_uri: Some(uri.into()),
        ..LoginOptions::default()
    };
    let login = fake.begin(&party, &to("https://service.example/other")).await;
    assert_eq!(login.session.redirect_uri(), "https://service.example/other");
    for uri in ["https://evil.example/return", "https://service.example/return/", ""] {
        let refused = party.begin_login(ISSUER, &to(uri), NOW).await;
        assert!(matches!(refused, Err(LoginError::RedirectUri)), "{uri}");
    }
}

#[tokio::test]
async fn token_answers_that_are_refusals_or_nonsense_give_no_login() {
    let fake = Fake::start().await;
    let party = fake.party();
    type Expected = fn(&RedeemError) -> bool;
    let cases: [(u16, Value, Expected); 5] = [
        (400, json!({"error": "invalid_grant"}), |e| {
            e.refusal().is_some_and(|refusal| refusal.error == "invalid_grant")
        }),
        (500, json!("x"), |e| {
            e.refusal().is_some_and(|refusal| refusal.error == "unknown")
        }),
        (200, json!({}), |e| matches!(e, RedeemError::Answer)),
        (200, json!({"id_token": 1}), |e| matches!(e, RedeemError::Answer)),
        (200, json!({"id_token": "x"}), |e| {
            matches!(e, RedeemError::IdToken(IdTokenError::Jwe(_)))
        }),
    ];
    for (status, body, expected) in cases {
        fake.change(|world| world.token_answer = (status, body.clone()));
        let session = fake.begin(&party, &LoginOptions::default()).await.session;
        let code = session
            .read_callback(&format!("code=c&state={}", session.state()))
            .unwrap();
        let error = party.redeem(session, code, NOW).await.unwrap_err();
        assert!(expected(&error), "{status} {body}: {error}");
    }
}

#[tokio::test]
async fn a_new_token_key_is_found_by_one_reload() {
    let fake = Fake::start().await;
    let party = fake.party();
    redeem(&fake, &party).await.unwrap();
    let fetched = fake.fetch_count();
    redeem(&fake, &party).await.unwrap();
    assert_eq!(fake.fetch_count(), fetched, "a known provider is not fetched again");

    let session = fake.begin(&party, &LoginOptions::default()).await.session;
    let mut recipe = Recipe::of(&party, &session);
    recipe.signer = fake::key("token-2");
    recipe.x5c = vec![fake::certificate(&recipe.signer)];
    fake.answer_with(recipe.token());
    let code = || {
        session
            .read_callback(&format!("code=c&state={}", session.state()))
            .unwrap()
    };
    let refused = party.redeem(session.clone(), code(), NOW).await;
    assert!(matches!(
        refused,
        Err(RedeemError::IdToken(IdTokenError::UnknownSigner { .. }))
    ));
    fake.change(|world| world.token_keys.push("token-2".into()));
    assert!(party.redeem(session.clone(), code(), NOW).await.is_ok());
}

#[tokio::test]
async fn a_version_announced_since_is_found_by_one_reload() {
    let fake = Fake::start().await;
    fake.change(|world| world.versions = vec!["1.0.0".into()]);
    let party = fake.party();
    let refused = redeem(&fake, &party).await;
    assert!(matches!(
        refused,
        Err(RedeemError::IdToken(IdTokenError::VersionNotAnnounced(_)))
    ));
    fake.change(|world| world.versions = vec!["1.0.0".into(), "2.0.0".into()]);
    assert!(redeem(&fake, &party).await.is_ok());
}

#[tokio::test]
async fn documents_signed_by_the_wrong_key_are_refused() {
    type Change = fn(&mut fake::World);
    let cases: [(&str, Change); 6] = [
        ("the Federation Master's key is not the pinned one", |world| {
            world.master_key = "other".into()
        }),
        ("the Federation Master vouches for another key", |world| {
            world.vouched_key = "other".into()
        }),
        ("the provider's statement is signed by another key", |world| {
            world.own_key = "other".into()
        }),
        ("the key set is signed by another key", |world| {
            world.key_set_key = "other".into()
        }),
        ("the key set is signed by a key of its own", |world| {
            world.key_set_key = "token".into()
        }),
        ("the statement lives longer than a day", |world| {
            world.lifetime_seconds = DAY + 1
        }),
    ];
    for (name, change) in cases {
        let fake = Fake::start().await;
        fake.change(change);
        let refused = fake.party().provider(ISSUER, NOW).await;
        assert!(
            matches!(refused, Err(FederationError::Chain(_) | FederationError::SignedKeys(_))),
            "{name}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn documents_from_another_time_are_refused() {
    for now in [NOW.plus_seconds(DAY), NOW.minus_seconds(61)] {
        let fake = Fake::start().await;
        assert!(
            matches!(fake.party().provider(ISSUER, now).await, Err(FederationError::Chain(_))),
            "{now:?}"
        );
    }
}

#[tokio::test]
async fn nobody_is_fetched_from_before_the_federation_master_knows_him() {
    let fake = Fake::start().await;
    fake.change(|world| world.registered = false);
    let party = fake.party();
    let refused = party.provider(ISSUER, NOW).await;
    assert!(matches!(
        refused,
        Err(FederationError::NotRegistered { status: 404, .. })
    ));
    assert!(
        fake.world
            .lock()
            .unwrap()
            .fetched
            .iter()
            .all(|url| url.starts_with(MASTER))
    );
    for issuer in [
        "http://idp.example",
        "https://idp.example/",
        "https://user@idp.example",
        "idp",
        "",
    ] {
        let refused = party.provider(issuer, NOW).await;
        assert!(matches!(refused, Err(FederationError::Issuer(_))), "{issuer}");
    }
}

#[tokio::test]
async fn answers_that_are_no_documents_are_refused() {
    let document = |status: u16, body: &'static [u8]| Fetched {
        status,
        content_type: None,
        body: body.into(),
    };
    let cases = [
        (MASTER.to_owned(), document(500, b""), Document::MasterStatement),
        (
            format!("{ISSUER}/.well-known"),
            document(404, b""),
            Document::OwnStatement,
        ),
        (format!("{ISSUER}/jwks"), document(503, b""), Document::SignedKeySet),
        (format!("{ISSUER}/jwks"), document(200, b"\xff"), Document::SignedKeySet),
    ];
    for (url, answer, expected) in cases {
        let fake = Fake::start().await;
        fake.change(|world| drop(world.instead.insert(url, Ok(answer))));
        match fake.party().provider(ISSUER, NOW).await {
            Err(FederationError::Status { document, .. } | FederationError::NotText { document }) => {
                assert_eq!(document, expected);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_plain_http_authorization_endpoint_is_for_the_sandbox_only() {
    let fake = Fake::start().await;
    fake.change(|world| world.authorization_endpoint = "http://localhost:8402/auth".into());
    let refused = fake.party().provider(ISSUER, NOW).await;
    assert!(matches!(refused, Err(FederationError::AuthorizationEndpoint(_))));
    let sandbox = RelyingPartyConfig {
        schemes: federation::Schemes::LoopbackHttpToo,
        ..fake.config()
    };
    assert!(fake.party_of(sandbox).provider(ISSUER, NOW).await.is_ok());
}

#[tokio::test]
async fn what_is_old_is_refreshed_used_on_failure_and_discarded_after_a_day() {
    let fake = Fake::start().await;
    let party = fake.party();
    party.provider(ISSUER, NOW).await.unwrap();
    let count = fake.fetch_count();
    party.provider(ISSUER, NOW.plus_seconds(12 * HOUR - 1)).await.unwrap();
    assert_eq!(fake.fetch_count(), count);

    // Everything is down: 12 h old is good enough, 24 h old is not.
    fake.change(|world| {
        drop(
            world
                .instead
                .insert("https://".into(), Err(transport::FetchError::ConnectionFailed)),
        )
    });
    party.provider(ISSUER, NOW.plus_seconds(12 * HOUR)).await.unwrap();
    assert!(fake.fetch_count() > count);
    let refused = party.provider(ISSUER, NOW.plus_seconds(DAY)).await;
    assert!(matches!(
        refused,
        Err(FederationError::Fetch {
            document: Document::MasterStatement,
            ..
        })
    ));

    fake.change(|world| {
        world.instead.clear();
        world.now = NOW.plus_seconds(DAY);
    });
    let provider = party.provider(ISSUER, NOW.plus_seconds(DAY)).await.unwrap();
    assert_eq!(provider.fetched_at(), NOW.plus_seconds(DAY));
}

#[tokio::test]
async fn nothing_is_used_beyond_its_expiry() {
    let fake = Fake::start().await;
    fake.change(|world| world.lifetime_seconds = HOUR);
    let party = fake.party();
    party.provider(ISSUER, NOW).await.unwrap();
    fake.change(|world| {
        drop(
            world
                .instead
                .insert("https://".into(), Err(transport::FetchError::Timeout)),
        )
    });
    assert!(party.provider(ISSUER, NOW.plus_seconds(HOUR - 1)).await.is_ok());
    assert!(party.provider(ISSUER, NOW.plus_seconds(HOUR)).await.is_err());
}

#[tokio::test]
async fn the_federation_masters_new_key_is_found_by_fetching_its_statement_again() {
    let fake = Fake::start().await;
    let mut config = fake.config();
    config
        .trust_anchor
        .keys
        .keys
        .push(fake::key("fm-2").jwk(jose::jwk::KeyUse::Signature));
    let party = fake.party_of(config);
    party.identity_providers(NOW).await.unwrap();
    fake.change(|world| world.master_key = "fm-2".into());
    party.provider(ISSUER, NOW.plus_seconds(MASTER_AGE)).await.unwrap();
}

const MASTER_AGE: u64 = crate::client::MASTER_RELOAD_SECONDS;

#[tokio::test]
async fn the_list_of_providers_is_kept_for_minutes_and_outlives_an_outage() {
    let fake = Fake::start().await;
    let party = fake.party();
    let list = party.identity_providers(NOW).await.unwrap();
    assert_eq!(list.entries()[0].organization_name, "Musterkasse <Nord>");
    let count = fake.fetch_count();
    party.identity_providers(NOW.plus_seconds(60)).await.unwrap();
    assert_eq!(fake.fetch_count(), count);
    fake.change(|world| {
        drop(
            world
                .instead
                .insert("https://".into(), Err(transport::FetchError::Timeout)),
        )
    });
    assert!(party.identity_providers(NOW.plus_seconds(HOUR)).await.is_ok());
    assert!(party.identity_providers(NOW.plus_seconds(DAY)).await.is_err());
}

#[tokio::test]
async fn a_list_signed_by_somebody_else_is_refused() {
    let fake = Fake::start().await;
    let party = fake.party();
    let forged = federation::idp_list::issue(
        &fake::id(MASTER),
        NOW,
        NOW.plus_seconds(DAY),
        &[],
        &fake::impostor("fm"),
    );
    let answer = Fetched {
        status: 200,
        content_type: None,
        body: forged.unwrap().into(),
    };
    fake.change(|world| {
        drop(
            world
                .instead
                .insert(format!("{MASTER}/federation/listidps"), Ok(answer)),
        )
    });
    assert!(matches!(
        party.identity_providers(NOW).await,
        Err(FederationError::IdpList(_))
    ));
}

#[tokio::test]
async fn the_own_statement_is_what_a_provider_verifies() {
    use federation::chain::{ChainRequest, FetchedStatement, resolve};
    use federation::profile::{self, Participant};
    use federation::{EntityType, signed_keys};

    let fake = Fake::start().await;
    let by_reference = KeyPublication::SignedKeySet {
        uri: format!("{SERVICE}/jwks"),
    };
    for publication in [KeyPublication::InStatement, by_reference] {
        let party = fake.party_of(RelyingPartyConfig {
            key_publication: publication.clone(),
            ..fake.config()
        });
        let participant = Participant::OpenIdRelyingParty {
            redirect_uris: party.config().redirect_uris.clone(),
            scopes: party.config().scopes.clone(),
            claims: vec![],
        };
        let keys = party.keys().entity_keys().keys;
        let about = profile::subordinate_statement(
            &fake::id(MASTER),
            party.entity_id(),
            &keys,
            &participant,
            None,
            NOW,
            DAY,
        );
        let statements = [
            FetchedStatement::new("own", party.entity_statement(NOW).unwrap()),
            FetchedStatement::new("about", statement::issue(&about, &fake::key("fm")).unwrap()),
        ];
        let request = ChainRequest::new(party.entity_id(), EntityType::OpenIdRelyingParty);
        let chain = resolve(&request, &statements, &[fake.anchor()], NOW).unwrap();
        let key_set = signed_keys::parse(&party.signed_jwks(NOW).unwrap()).unwrap();
        let key_set = key_set.verify(party.entity_id(), chain.federation_keys(), NOW).unwrap();
        let key_set = (publication != KeyPublication::InStatement).then_some(&key_set);
        let seen = VerifiedRelyingParty::from_chain(&chain, key_set).unwrap();
        assert_eq!(seen.tls_certificates(), [party.keys().tls_credential().certificate()]);
        assert_eq!(seen.id_token_versions(), ["1.0.0", "2.0.0"]);
        assert!(
            party
                .keys()
                .decryption_key(seen.encryption_key().kid.as_deref().unwrap(), NOW)
                .is_some()
        );
    }
}

#[tokio::test]
async fn a_rollover_changes_the_statement_at_once_and_the_certificate_with_the_switch() {
    let fake = Fake::start().await;
    let party = fake.party();
    let before = party.entity_statement(NOW).unwrap();
    assert_eq!(party.entity_statement(NOW).unwrap(), before, "signed once, used again");
    let old = party.keys().tls_credential();
    let next = party.keys().add_next(KeyPurpose::Tls, NOW).unwrap();
    assert_ne!(party.entity_statement(NOW).unwrap(), before);
    redeem(&fake, &party).await.unwrap();
    assert!(
        fake.world
            .lock()
            .unwrap()
            .shown
            .iter()
            .all(|shown| shown == old.certificate())
    );

    party.keys().switch(KeyPurpose::Tls).unwrap();
    fake.change(|world| world.shown.clear());
    redeem(&fake, &party).await.unwrap();
    let new = party.keys().tls_credential();
    assert_eq!(new.kid(), next);
    assert!(
        fake.world
            .lock()
            .unwrap()
            .shown
            .iter()
            .all(|shown| shown == new.certificate())
    );
}

#[tokio::test]
async fn a_login_that_began_before_an_encryption_rollover_ends_well() {
    let fake = Fake::start().await;
    let party = fake.party();
    let session = fake.begin(&party, &LoginOptions::default()).await.session;
    fake.answer_with(Recipe::of(&party, &session).token());
    fake::roll_over(&party, KeyPurpose::Encryption);
    party.keys().retire(KeyPurpose::Encryption, NOW).unwrap();
    let code = session
        .read_callback(&format!("code=c&state={}", session.state()))
        .unwrap();
    assert!(party.redeem(session, code, NOW).await.is_ok());
}

#[tokio::test]
async fn a_broken_configuration_makes_no_party() {
    let fake = Fake::start().await;
    let config = RelyingPartyConfig {
        redirect_uris: vec![],
        ..fake.config()
    };
    let party = fake.party();
    let keys = KeyRing::generate("x", 1, NOW).unwrap();
    let refused = RelyingParty::new(config, keys, party.connections.clone());
    assert!(matches!(refused, Err(NewPartyError::Config(ConfigError::RedirectUris))));
    assert_eq!(LoginOptions::default().level_rule, LevelRule::AtLeast);
}
