//! Pushed authorization requests, parameter by parameter (digest 4.2, 4.4, 4.5; A_22651, A_22966, A_22992).

use http::Method;
use serde_json::json;

use super::mutual_tls::form;
use crate::common::{Fields, Harness, Push, Service, members, wire};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Pushes each of these requests, and holds the answers against status, code and a word of the description.
async fn assert_each_refused(
    cases: impl IntoIterator<Item = (Push, u16, &str, &str)>,
    harness: &Harness,
    service: &Service,
) {
    for (push, status, error, word) in cases {
        let answer = service.push(&harness.path, &push).await;
        let refused = wire::assert_refused(&answer, status, error);
        assert!(refused.description.contains(word), "{word}: {}", refused.description);
    }
}

#[tokio::test]
async fn the_answer_has_two_members_and_lives_90_seconds() {
    let harness = Harness::start().await;
    let service = harness.service();
    let body = wire::json(&service.push(&harness.path, &service.request(&harness)).await, 201);
    assert_eq!(members(&body), ["expires_in", "request_uri"]);
    assert_eq!(body["expires_in"], json!(90));
    let other = wire::json(&service.push(&harness.path, &service.request(&harness)).await, 201);
    assert_ne!(body["request_uri"], other["request_uri"]);
}

#[tokio::test]
async fn every_required_parameter_is_missed_by_name() {
    let harness = Harness::start().await;
    let service = harness.service();
    for name in [
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "acr_values",
    ] {
        let request = service.request(&harness);
        for push in [request.clone().without(name), request.with(name, "")] {
            let answer = service.push(&harness.path, &push).await;
            let refused = wire::assert_refused(&answer, 400, "invalid_request");
            assert!(
                refused.description.contains(&format!("'{name}' is missing")),
                "{}",
                refused.description
            );
        }
    }
}

#[tokio::test]
async fn wrong_values_are_refused_with_their_code() {
    let harness = Harness::start().await;
    let service = harness.service();
    let cases = [
        ("response_type", "token", "unsupported_response_type", "response_type"),
        (
            "response_type",
            "code id_token",
            "unsupported_response_type",
            "response_type",
        ),
        ("scope", "openid urn:telematik:unbekannt", "invalid_scope", "scope"),
        ("scope", "urn:telematik:alter", "invalid_scope", "openid"),
        ("scope", "openid  urn:telematik:alter", "invalid_scope", "scope"),
        (
            "redirect_uri",
            "https://record.example/ti/return?x=1",
            "invalid_request",
            "redirect_uri",
        ),
        (
            "redirect_uri",
            "https://record.example/ti/return/",
            "invalid_request",
            "redirect_uri",
        ),
        (
            "redirect_uri",
            "https://record.example/TI/return",
            "invalid_request",
            "redirect_uri",
        ),
        (
            "redirect_uri",
            "https://attacker.example/return",
            "invalid_request",
            "redirect_uri",
        ),
        ("code_challenge_method", "plain", "invalid_request", "S256"),
        ("code_challenge", "zu-kurz", "invalid_request", "code_challenge"),
        ("acr_values", "gematik-ehealth-loa-low", "invalid_request", "acr_values"),
        (
            "acr_values",
            "gematik-ehealth-loa-high gematik-ehealth-loa-substantial",
            "invalid_request",
            "acr_values",
        ),
        ("amr", "urn:telematik:auth:nPA", "invalid_request", "amr"),
        ("amr", "urn:gematik:auth:eID", "invalid_request", "amr"),
        ("prompt", "none login", "invalid_request", "prompt"),
        ("prompt", "create", "invalid_request", "prompt"),
        ("max_age", "-1", "invalid_request", "max_age"),
        ("max_age", "1.5", "invalid_request", "max_age"),
        ("max_age", "bald", "invalid_request", "max_age"),
        ("state", "Zustand-ü", "invalid_request", "state"),
        ("nonce", "zeile\numbruch", "invalid_request", "nonce"),
        ("request_uri", "urn:x", "invalid_request", "request_uri"),
        ("request", "e30.e30.", "invalid_request", "request"),
    ];
    let cases = cases.map(|(name, value, error, word)| (service.request(&harness).with(name, value), 400, error, word));
    assert_each_refused(cases, &harness, &service).await;
    let long = "x".repeat(513);
    for name in ["state", "nonce"] {
        let push = service.request(&harness).with(name, &long);
        assert_each_refused([(push, 400, "invalid_request", name)], &harness, &service).await;
    }
    // 44 characters, a padded hash, a hash in the other alphabet.
    for challenge in [
        "A".repeat(44),
        format!("{}=", "A".repeat(43)),
        format!("+{}", "A".repeat(42)),
    ] {
        let push = service.request(&harness).with("code_challenge", &challenge);
        assert_each_refused([(push, 400, "invalid_request", "code_challenge")], &harness, &service).await;
    }
}

#[tokio::test]
async fn optional_and_unknown_parameters_are_accepted() {
    let harness = Harness::start().await;
    let service = harness.service();
    for (name, value) in [
        ("acr_values", "gematik-ehealth-loa-substantial"),
        ("amr", "urn:telematik:auth:eGK"),
        ("amr", "urn:telematik:auth:mEW"),
        ("amr", "urn:telematik:auth:guest:eGK"),
        ("prompt", "login"),
        ("prompt", "none"),
        ("prompt", "consent"),
        ("prompt", "select_account"),
        ("max_age", "0"),
        ("max_age", "86400"),
        ("max_age", "99999999999999999999"),
        ("ui_locales", "de"),
        ("dpop_jkt", "abc"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:self_signed_tls_client_auth",
        ),
        ("state", &"s".repeat(512)),
        ("nonce", &"n".repeat(512)),
        ("scope", "openid"),
    ] {
        let push = service.request(&harness).with(name, value);
        wire::json(&service.push(&harness.path, &push).await, 201);
    }
}

#[tokio::test]
async fn a_scope_beyond_the_registration_is_named() {
    let harness = Harness::start().await;
    let mut service = Service::new("https://modest.example");
    service.scopes = vec!["openid".to_owned(), "urn:telematik:alter".to_owned()];
    service.join(&harness.federation);
    let beyond = "openid urn:telematik:alter urn:telematik:versicherter";
    let answer = service
        .push(&harness.path, &service.request(&harness).with("scope", beyond))
        .await;
    let refused = wire::assert_refused(&answer, 400, "invalid_scope");
    assert!(refused.description.contains("urn:telematik:versicherter"));
    // What it says of itself does not count: the Federation Master's statement does.
    let mut published = service.published();
    published.party.scope.push("urn:telematik:versicherter".to_owned());
    published
        .party
        .redirect_uris
        .push("https://modest.example/own".to_owned());
    harness.federation.publish(&service.client_id, published);
    harness.clock.advance(25 * 3600);
    let answer = service
        .push(&harness.path, &service.request(&harness).with("scope", beyond))
        .await;
    wire::assert_refused(&answer, 400, "invalid_scope");
    let push = service
        .request(&harness)
        .with("redirect_uri", "https://modest.example/own");
    let answer = service.push(&harness.path, &push).await;
    wire::assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn a_repeated_parameter_is_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    for endpoint in ["par", "token"] {
        let url = format!("{}/{endpoint}", harness.path.mtls);
        for (name, value) in [
            ("client_id", "https://record.example/ti"),
            ("state", "x"),
            ("unbekannt", ""),
        ] {
            let mut fields = service.request(&harness).fields;
            fields.0.push((name.to_owned(), value.to_owned()));
            if name == "unbekannt" {
                fields.0.push((name.to_owned(), value.to_owned()));
            }
            let refused = wire::assert_refused(&service.post(&url, &fields).await, 400, "invalid_request");
            assert!(
                refused
                    .description
                    .contains(&format!("'{name}' is included more than once"))
            );
        }
    }
}

#[tokio::test]
async fn another_content_type_is_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let push = service.request(&harness);
    let body = form(&push.fields);
    for endpoint in ["par", "token"] {
        let url = format!("{}/{endpoint}", harness.path.mtls);
        for headers in [
            &[("content-type", "application/json")][..],
            &[("content-type", "multipart/form-data; boundary=x")],
            &[("content-type", "text/plain")],
            &[],
        ] {
            let answer = service.send(Method::POST, &url, headers, &body).await;
            let refused = wire::assert_refused(&answer, 400, "invalid_request");
            assert!(refused.description.contains("application/x-www-form-urlencoded"));
        }
    }
    // Media types have no case, and may carry parameters (RFC 9110 §8.3.1).
    let url = format!("{}/par", harness.path.mtls);
    for content_type in [
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded",
    ] {
        let headers = [("content-type", content_type)];
        wire::json(&service.send(Method::POST, &url, &headers, &body).await, 201);
    }
}

#[tokio::test]
async fn broken_and_oversized_bodies_are_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let padding = "a".repeat(17 * 1024);
    let many = (0..70).map(|n| format!("p{n}=1&")).collect::<String>();
    for endpoint in ["par", "token"] {
        let url = format!("{}/{endpoint}", harness.path.mtls);
        for body in [
            "",
            "&&&",
            "state=%",
            "state=%zz",
            "state=%ff%fe",
            "\u{0}",
            &padding,
            &many,
        ] {
            let answer = service.send(Method::POST, &url, &[FORM], body).await;
            wire::assert_refused(&answer, 400, "invalid_request");
        }
        // More than any endpoint reads: cut off before it is received.
        let huge = "a".repeat(70 * 1024);
        let answer = service.send(Method::POST, &url, &[FORM], &huge).await;
        wire::assert_refused(&answer, 413, "invalid_request");
    }
}

#[tokio::test]
async fn an_identifier_that_is_none_is_refused_without_asking_anybody() {
    let harness = Harness::start().await;
    let service = harness.service();
    harness.federation.take_fetched();
    for client_id in [
        "record.example",
        "http://record.example",
        "https://record.example/ti?x=1",
        "https://record.example/ti#x",
        "https://user@record.example/ti",
        "https://record.example/ti/",
        "https://",
        "urn:record",
        "javascript:alert(1)",
        &format!("https://record.example/{}", "x".repeat(2000)),
    ] {
        let push = service.request(&harness).with("client_id", client_id);
        let answer = service.push(&harness.path, &push).await;
        let refused = wire::assert_refused(&answer, 400, "invalid_request");
        assert!(refused.description.contains("client_id"), "{}", refused.description);
    }
    assert!(harness.federation.take_fetched().is_empty());
}

#[tokio::test]
async fn an_error_is_json_also_where_a_page_is_preferred() {
    let harness = Harness::start().await;
    let service = harness.service();
    let url = format!("{}/par", harness.path.mtls);
    let headers = [FORM, ("accept", "text/html")];
    let answer = service.send(Method::POST, &url, &headers, "client_id=x").await;
    wire::assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn a_service_without_a_common_token_version_is_refused() {
    let harness = Harness::start().await;
    let service = Service::new("https://future.example").speaking(&["3.0.0"]);
    service.join(&harness.federation);
    let answer = service.push(&harness.path, &service.request(&harness)).await;
    let refused = wire::assert_refused(&answer, 400, "invalid_request");
    assert!(refused.description.contains("id_token_version_supported"));
}

#[tokio::test]
async fn the_token_endpoint_takes_no_pushed_request_and_the_other_way_round() {
    let harness = Harness::start().await;
    let service = harness.service();
    let push = service.request(&harness);
    let redemption = service.redemption(&push, "code");
    let answer = service.post(&format!("{}/par", harness.path.mtls), &redemption).await;
    wire::assert_refused(&answer, 400, "invalid_request");
    let url = format!("{}/token", harness.path.mtls);
    wire::assert_refused(&service.post(&url, &push.fields).await, 400, "invalid_request");
    wire::assert_refused(&service.post(&url, &Fields::new(&[])).await, 400, "invalid_request");
}
