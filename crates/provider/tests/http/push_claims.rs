//! The parameter `claims` over HTTP (digest 4.3).

use serde_json::json;

use crate::common::{Harness, Service, wire};

const HIGH: &str = "gematik-ehealth-loa-high";
const GUEST: &str = "urn:telematik:auth:guest:eGK";

#[tokio::test]
async fn what_the_profile_knows_is_accepted() {
    let harness = Harness::start().await;
    let service = harness.service();
    for claims in [
        json!({"id_token": {}}),
        json!({"id_token": {"urn:telematik:claims:email": null}}),
        json!({"id_token": {"urn:telematik:claims:id": {"essential": true}, "birthdate": {"essential": false}}}),
        json!({"id_token": {"acr": {"value": "something-else"}, "amr": {"values": ["urn:telematik:auth:nPA"]}}}),
        json!({"id_token": {"acr": {"essential": true, "value": HIGH}, "amr": {"essential": true, "value": GUEST}}}),
        json!({"id_token": {"acr": {"essential": true, "values": [HIGH, "gematik-ehealth-loa-substantial"]}}}),
        json!({"id_token": {}, "userinfo": {"name": null}}),
    ] {
        let push = service.request(&harness).with("claims", &claims.to_string());
        wire::json(&service.push(&harness.path, &push).await, 201);
    }
}

#[tokio::test]
async fn what_it_does_not_know_is_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let essential =
        |name: &str, value: &str| json!({"id_token": {name: {"essential": true, "value": value}}}).to_string();
    let deep = format!("{{\"id_token\":{}{}}}", "{\"a\":".repeat(40), "}".repeat(40));
    let long = json!({"id_token": {}, "x": "y".repeat(5000)}).to_string();
    for claims in [
        "",
        "claims",
        "[]",
        "{}",
        r#"{"id_token":null}"#,
        r#"{"userinfo":{}}"#,
        r#"{"id_token":{"name":null}}"#,
        r#"{"id_token":{"birthdate":7}}"#,
        r#"{"id_token":{"birthdate":{"essential":"ja"}}}"#,
        r#"{"id_token":{"birthdate":{"value":"1984-02-29"}}}"#,
        r#"{"id_token":{"acr":{"essential":true}}}"#,
        r#"{"id_token":{"birthdate":null,"birthdate":null}}"#,
        r#"{"id_token":{},"id_token":{}}"#,
        &essential("acr", "loa-high"),
        &essential("amr", "urn:telematik:auth:nPA"),
        &deep,
        &long,
    ] {
        // An empty parameter counts as left out (RFC 6749 §3.1).
        if claims.is_empty() {
            continue;
        }
        let push = service.request(&harness).with("claims", claims);
        let answer = service.push(&harness.path, &push).await;
        let refused = wire::assert_refused(&answer, 400, "invalid_request");
        assert!(refused.description.contains("claims"), "{}", refused.description);
    }
}

#[tokio::test]
async fn contradicting_wishes_for_level_and_method_are_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let claims = json!({"id_token": {
        "acr": {"essential": true, "value": HIGH},
        "amr": {"essential": true, "value": "urn:telematik:auth:mEW"},
    }});
    let push = service.request(&harness).with("claims", &claims.to_string());
    let answer = service.push(&harness.path, &push).await;
    wire::assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn claims_reach_no_further_than_the_registered_scopes() {
    let harness = Harness::start().await;
    let mut service = Service::new("https://modest.example");
    service.scopes = vec!["openid".to_owned(), "urn:telematik:alter".to_owned()];
    service.join(&harness.federation);
    let claims = json!({"id_token": {"urn:telematik:claims:id": null}}).to_string();
    let push = service.request(&harness).with("claims", &claims);
    let answer = service.push(&harness.path, &push).await;
    let refused = wire::assert_refused(&answer, 400, "invalid_scope");
    assert!(refused.description.contains("urn:telematik:claims:id"));
}

#[tokio::test]
async fn a_claim_is_asked_for_beside_the_scopes() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let claims = json!({"id_token": {
        "urn:telematik:claims:id": {"essential": true},
        "urn:telematik:claims:email": null,
    }});
    let push = service
        .request(&harness)
        .with("scope", "openid urn:telematik:versicherter")
        .with("claims", &claims.to_string());
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    assert_eq!(answered.names("essential"), ["urn:telematik:claims:id"]);
    assert_eq!(
        answered.names("voluntary"),
        [
            "urn:telematik:claims:email",
            "urn:telematik:claims:profession",
            "urn:telematik:claims:organization"
        ]
    );
}
