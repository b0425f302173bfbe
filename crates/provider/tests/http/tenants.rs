//! Many insurers in one process, and walls between them.

use std::sync::Arc;

use provider::{LimitSettings, Provider, ProviderParts, TenantSettings};
use serde_json::json;
use store::{memory::MemoryStore, register::MemoryRegister};
use vault::Vault;

use crate::common::clock::{NOW, SeededRng, WatchedStore};
use crate::common::pki::ComponentAuthority;
use crate::common::{Harness, Insurer, Person, Setup, settings, wire};

fn parts(setup: &Setup, store: &Arc<WatchedStore>, authority: &Arc<ComponentAuthority>) -> ProviderParts {
    ProviderParts {
        clock: Arc::clone(&setup.clock) as _,
        rng: SeededRng::new(1),
        store: Arc::clone(store) as _,
        register: Arc::new(MemoryRegister::new()),
        limits: LimitSettings::default(),
        vault: Arc::new(Vault::development([7; 32])),
        fetch: Arc::clone(&setup.federation) as _,
        anchors: vec![setup.federation.anchor()],
        schemes: federation::Schemes::HttpsOnly,
        tenants: Vec::new(),
        token_certificates: Some(Arc::clone(authority) as _),
        push: None,
        invented_people: true,
    }
}

/// A provider of these insurers, without a server.
pub fn alone(tenants: Vec<TenantSettings>) -> Provider {
    let store = WatchedStore::new(Arc::new(MemoryStore::new()));
    let mut parts = parts(&Setup::default(), &store, &Arc::default());
    parts.tenants = tenants;
    Provider::new(parts).unwrap()
}

fn insurer(number: usize) -> Insurer {
    Insurer {
        issuer: format!("https://idp.example/{number}"),
        mtls: format!("https://mtls.idp.example/{number}"),
        ik: "109900019",
    }
}

#[tokio::test]
async fn two_thousand_insurers_begin_without_a_key_and_without_a_signature() {
    let setup = Setup::default();
    let store = WatchedStore::new(Arc::new(MemoryStore::new()));
    let authority = Arc::new(ComponentAuthority::default());
    let mut parts = parts(&setup, &store, &authority);
    parts.tenants = (0..2000)
        .map(|number| settings(&insurer(number), &format!("Kasse {number}"), &setup))
        .collect();
    let provider = Provider::new(parts).unwrap();
    assert_eq!(provider.tenants().len(), 2000);
    assert_eq!(store.commits(), 0);
    assert_eq!(authority.issued.load(std::sync::atomic::Ordering::SeqCst), 0);
    // The first that is asked for something gets its keys, in one commit.
    assert_eq!(provider.entity_keys(&insurer(1234).issuer).await.unwrap().len(), 1);
    assert_eq!(store.commits(), 1);
    assert_eq!(authority.issued.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn insurers_that_cannot_be_told_apart_are_refused() {
    let setup = Setup::default();
    let store = WatchedStore::new(Arc::new(MemoryStore::new()));
    let authority = Arc::new(ComponentAuthority::default());
    let build = |issuers: &[&str]| {
        let mut parts = parts(&setup, &store, &authority);
        parts.tenants = issuers
            .iter()
            .map(|issuer| {
                let insurer = Insurer {
                    issuer: (*issuer).to_owned(),
                    ..insurer(0)
                };
                settings(&insurer, "Kasse", &setup)
            })
            .collect();
        Provider::new(parts).map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(build(&["https://idp.example/1", "https://idp.example/2", "https://idp.example"]).is_ok());
    for issuers in [
        &["https://idp.example/1", "https://idp.example/1"][..],
        &["https://idp.example", "https://IDP.example"],
        &["http://idp.example"],
        &["https://idp.example/a/b"],
        &["https://idp.example/"],
        &["https://idp.example?x"],
    ] {
        assert!(build(issuers).unwrap_err().contains("issuer"), "{issuers:?}");
    }
}

#[tokio::test]
async fn an_insurer_is_found_by_the_host_of_either_http_version_in_any_case_and_port() {
    use tower::ServiceExt as _;

    let harness = Harness::start().await;
    for (host, target, status) in [
        (Some("bkk.localhost"), "/jwks", 200),
        (Some("bkk.localhost:9999"), "/jwks", 200),
        (Some("BKK.Localhost"), "/jwks", 200),
        (None, "https://bkk.localhost/jwks", 200),
        // What the request target says counts more than the header (RFC 9112 section 3.2.2).
        (Some("nobody.example"), "https://bkk.localhost:1/jwks", 200),
        (Some("bkk.localhost"), "https://nobody.example/jwks", 404),
        (Some("bkk.localhost.nobody.example"), "/jwks", 404),
        (Some("localhost"), "/jwks", 404),
        (Some(""), "/jwks", 404),
        (None, "/jwks", 404),
        // With a path in the issuer, the path names the insurer.
        (Some("localhost"), "/109900019/jwks", 200),
        (Some("localhost"), "/109900020/jwks", 404),
    ] {
        let mut request = http::Request::builder().uri(target);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = harness.provider.public_router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{host:?} {target}");
    }
}

#[tokio::test]
async fn nothing_of_one_insurer_is_good_at_another() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let tom = Person::tom();
    harness.import(&harness.host, &tom.data()).await;
    // A card of the other insurer.
    let challenged = harness
        .challenged(&harness.host, &service, &service.request(&harness))
        .await;
    let answer = harness.answer_with_card(&harness.host, &challenged, &ada).await;
    wire::assert_refused(&answer, 403, "access_denied");
    // States of every step.
    let push = service.request(&harness);
    let request_uri = harness.pushed(&harness.path, &service, &push).await;
    let answer = harness.challenge(&harness.host, &service.client_id, &request_uri).await;
    wire::assert_refused(&answer, 400, "invalid_request");
    let challenged = harness.challenged(&harness.path, &service, &push).await;
    let answer = harness.answer_with_card(&harness.host, &challenged, &tom).await;
    wire::assert_refused(&answer, 400, "invalid_request");
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let answer = harness
        .decide(&harness.host, &answered, &json!({"decision": "approve"}))
        .await;
    wire::assert_refused(&answer, 400, "invalid_request");
    let code = harness.approved(&harness.path, &answered, None).await;
    let answer = service.redeem(&harness.host, &push, &code).await;
    wire::assert_refused(&answer, 400, "invalid_grant");
    harness.redeemed(&harness.path, &service, &push, &code).await;
}

#[tokio::test]
async fn the_same_person_has_another_pseudonym_at_another_insurer() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let here = harness.login(&harness.path, &service, &ada).await;
    // She changes her insurer and gets its card.
    let moved = Person::new("Q000123451", crate::common::HOST_IK, 34);
    harness.import(&harness.host, &moved.data()).await;
    let there = harness.login(&harness.host, &service, &moved).await;
    assert_ne!(here.sub(), there.sub());
    assert_eq!(
        here.body["urn:telematik:claims:id"],
        there.body["urn:telematik:claims:id"]
    );
}

#[tokio::test]
async fn importing_somebody_again_keeps_who_she_is() {
    let harness = Harness::start().await;
    let ada = Person::ada();
    let first = harness.import(&harness.path, &ada.data()).await;
    let second = harness.import(&harness.path, &ada.data()).await;
    assert!(first == second);
    let elsewhere = harness
        .provider
        .import_person("https://nobody.example", ada.data())
        .await;
    assert!(elsewhere.is_err());
    let mut wrong = ada.data();
    wrong.birthdate = "29.02.1984".to_owned();
    let refused = harness
        .provider
        .import_person(&harness.path.issuer, wrong)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("birthdate"), "{refused}");
    assert!(!refused.to_string().contains("1984"));
    assert_eq!(harness.clock_now(), NOW.0);
}
