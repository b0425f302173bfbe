//! The authenticator API under fire: every body that is not what it has to be is refused, with a reason and without an echo.

use serde_json::{Value, json};
use transport::HttpResponse;

use crate::common::{Harness, Service, part, wire};

const PATHS: [&str; 24] = [
    "/auth/challenge",
    "/auth/card",
    "/auth/device",
    "/auth/abort",
    "/auth/extend",
    "/devices",
    "/devices/passkey",
    "/devices/confirm",
    "/devices/requests",
    "/devices/push",
    "/devices/move",
    "/devices/move/accept",
    "/devices/move/state",
    "/devices/move/approve",
    "/devices/move/end",
    "/devices/pin",
    "/devices/pin/evaluate",
    "/account/overview",
    "/account/revoke",
    "/account/devices",
    "/account/block-code",
    "/account/history",
    "/account/export",
    "/account/erase",
];

async fn post(harness: &Harness, path: &str, body: Vec<u8>) -> HttpResponse {
    let url = format!("{}{path}", harness.path.issuer);
    let headers = [("content-type", "application/json")];
    harness
        .app()
        .send(http::Method::POST, &url, &headers, body.into())
        .await
        .unwrap()
}

/// Serde fills a struct from its members in their order, too.
#[tokio::test]
async fn members_without_names_are_refused_everywhere() {
    let harness = Harness::start().await;
    for path in PATHS.into_iter().chain(["/auth/consent", "/block"]) {
        for body in ["[]", "[\"a\"]", " \n[\"a\",\"b\",\"c\"]", "[null,null]"] {
            let answer = post(&harness, path, body.into()).await;
            let refused = wire::assert_refused(&answer, 400, "invalid_request");
            assert!(
                refused.description.contains("expected an object"),
                "{path} {body}: {}",
                refused.description
            );
        }
    }
}

#[tokio::test]
async fn what_is_no_json_object_of_the_right_form_is_refused_everywhere() {
    let harness = Harness::start().await;
    let secret = harness.secret("Geheim-und-nicht-fuers-Protokoll");
    let deep = format!("{{\"client_id\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    let twice = r#"{"client_id":"a","client_id":"b","login":"x"}"#;
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"text\"".to_vec(),
        b"{".to_vec(),
        b"{}".to_vec(),
        b"{} {}".to_vec(),
        b"{\"client_id\":\"\xff\"}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        deep.into_bytes(),
        twice.as_bytes().to_vec(),
        json!({"client_id": 7, "login": secret}).to_string().into_bytes(),
        json!({secret.as_str(): "x"}).to_string().into_bytes(),
        json!({"client_id": {"x": secret}, "login": [secret]})
            .to_string()
            .into_bytes(),
        vec![b' '; 50 * 1024],
    ];
    for path in PATHS.into_iter().chain(["/auth/consent"]) {
        for body in &bodies {
            let answer = post(&harness, path, body.clone()).await;
            let refused = wire::assert_refused(&answer, 400, "invalid_request");
            assert!(
                !refused.description.contains(&secret),
                "{path}: {}",
                refused.description
            );
        }
        // More than is read at all.
        wire::assert_refused(
            &post(&harness, path, vec![b' '; 70 * 1024]).await,
            413,
            "invalid_request",
        );
    }
}

#[tokio::test]
async fn logins_that_are_none_are_refused_everywhere() {
    let harness = Harness::start().await;
    let service = harness.service();
    let client_id = &service.client_id;
    for login in [
        "",
        "x",
        "A",
        "====",
        &"A".repeat(60),
        &"A".repeat(9000),
        "../../etc",
        "\u{0}",
    ] {
        for (path, body) in [
            ("/auth/challenge", json!({"client_id": client_id, "login": login})),
            (
                "/auth/card",
                json!({"client_id": client_id, "login": login, "response": "a.b.c"}),
            ),
            (
                "/auth/device",
                json!({"client_id": client_id, "login": login, "device": "x", "response": "a.b.c"}),
            ),
            (
                "/auth/consent",
                json!({"client_id": client_id, "login": login, "decision": "approve"}),
            ),
            (
                "/auth/consent",
                json!({"client_id": client_id, "login": login, "decision": "decline"}),
            ),
            (
                "/devices",
                json!({"client_id": client_id, "login": login, "public_key": {}, "name": "x", "class": "x", "proof": "x"}),
            ),
            ("/account/overview", json!({"login": login})),
            ("/account/revoke", json!({"login": login, "consent": "AAAA"})),
        ] {
            let answer = harness.api(&harness.path, path, &body).await;
            wire::assert_refused(&answer, 400, "invalid_request");
        }
    }
}

/// A compact JWS with one part exchanged.
fn with_part(compact: &str, number: usize, value: &Value) -> String {
    let mut parts: Vec<String> = compact.split('.').map(str::to_owned).collect();
    parts[number] = jose::base64url::encode(value.to_string().as_bytes());
    parts.join(".")
}

#[tokio::test]
async fn a_cards_answer_of_another_form_is_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let challenged = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let good = ada.sign(&challenged.challenge);
    let header = part(&good, 0);
    let with = |member: &str, value: Value| {
        let mut header = header.clone();
        header[member] = value;
        with_part(&good, 0, &header)
    };
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"});
    let cut = good.rsplit_once('.').unwrap().0;
    for (name, response) in [
        ("alg none", with("alg", json!("none"))),
        ("HS256", with("alg", json!("HS256"))),
        ("RS256", with("alg", json!("RS256"))),
        ("ES256", with("alg", json!("ES256"))),
        ("crit", with("crit", json!(["exp"]))),
        ("jwk", with("jwk", jwk)),
        ("jku", with("jku", json!("https://attacker.example/keys"))),
        ("x5u", with("x5u", json!("https://attacker.example/chain"))),
        ("no certificate", with("x5c", json!([]))),
        (
            "two certificates",
            with("x5c", json!([header["x5c"][0], header["x5c"][0]])),
        ),
        ("no certificate but text", with("x5c", json!(["AAAA"]))),
        ("cty", with("cty", json!("JWT"))),
        (
            "payload",
            with_part(&good, 1, &json!({"njwt": challenged.challenge, "more": 1})),
        ),
        ("other challenge", with_part(&good, 1, &json!({"njwt": "a.b.c"}))),
        ("no signature", format!("{cut}.")),
        ("two parts", cut.to_owned()),
        ("no JWS", "text".to_owned()),
        (
            "a device's",
            crate::common::Device::unbound().assertion(
                &challenged.challenge,
                "approve",
                jose::UnixTime(harness.clock_now()),
                1,
            ),
        ),
    ] {
        let body = json!({"client_id": service.client_id, "login": challenged.login, "response": response});
        let answer = harness.api(&harness.path, "/auth/card", &body).await;
        let refused = wire::assert_refused(&answer, 400, "invalid_request");
        assert!(!refused.description.contains("attacker"), "{name}");
    }
    // A signature that is none of the card's is not a matter of form.
    let (head, signature) = good.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{head}.{other}{}", &signature[1..]);
    let body = json!({"client_id": service.client_id, "login": challenged.login, "response": forged});
    let answer = harness.api(&harness.path, "/auth/card", &body).await;
    wire::assert_refused(&answer, 403, "access_denied");
}

#[tokio::test]
async fn a_challenge_is_asked_for_with_a_request_uri_or_a_login_and_not_with_both() {
    let harness = Harness::start().await;
    let service: Service = harness.service();
    let request_uri = harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
    let client_id = &service.client_id;
    for body in [
        json!({"client_id": client_id}),
        json!({"client_id": client_id, "request_uri": request_uri, "login": "x"}),
        json!({"client_id": client_id, "request_uri": null, "login": null}),
        json!({"request_uri": request_uri}),
        json!({"client_id": client_id, "request_uri": request_uri, "user_id": "Q000123451"}),
    ] {
        let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
}

#[tokio::test]
async fn the_reference_servers_shortcuts_do_nothing_here() {
    let harness = Harness::start().await;
    let service = harness.service();
    harness.ada().await;
    let request_uri = harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
    let url = super::authorize::authorization_url(&harness.path, &service.client_id, &request_uri);
    for shortcut in [
        "user_id=Q000123451",
        "user_id=Q000123451&selected_claims=birthdate&acr_value=gematik-ehealth-loa-high&amr_value=urn:telematik:auth:eGK",
        "device_type=unspecified",
        "app_version=1",
    ] {
        let answer = harness.app().get(&format!("{url}&{shortcut}"), &[]).await.unwrap();
        wire::page(&answer, 200, "de");
        assert!(answer.location().is_none());
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_with_a_support_code() {
    let harness = Harness::start().await;
    let (parts, body) = harness.provider.timeout_answer()().into_parts();
    let answer = HttpResponse {
        status: parts.status.as_u16(),
        headers: parts.headers,
        url: String::new(),
        body,
    };
    wire::assert_refused(&answer, 408, "invalid_request");
}
