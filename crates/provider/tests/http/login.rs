//! Whole logins and the exact shape of everything on the wire.

use base64::Engine as _;
use jose::jwk::JwkSet;
use provider::clock::Clock;
use serde_json::{Value, json};

use crate::common::{
    HIGH_CLASS, Harness, Insurer, OpenedToken, Person, SUBSTANTIAL_CLASS, Service, members, part, wire,
};

const BODY: [&str; 9] = ["acr", "amr", "aud", "auth_time", "exp", "iat", "iss", "nonce", "sub"];

/// The keys in the signed key set.
async fn published_keys(harness: &Harness, insurer: &Insurer) -> JwkSet {
    let url = format!("{}/jwks", insurer.issuer);
    let compact = harness.app().get(&url, &[]).await.unwrap().text();
    JwkSet::from_value(&part(&compact, 1)).unwrap()
}

/// Headers, lifetimes and signature: the same for every token.
async fn assert_is_a_token(
    harness: &Harness,
    insurer: &Insurer,
    service: &Service,
    token: &OpenedToken,
    version: &str,
) {
    assert_eq!(members(&token.outer), ["alg", "cty", "enc", "epk", "kid", "version"]);
    assert_eq!(token.outer["alg"], "ECDH-ES");
    assert_eq!(token.outer["enc"], "A256GCM");
    assert_eq!(token.outer["cty"], "JWT");
    assert_eq!(token.outer["version"], version);
    assert_eq!(token.outer["kid"], service.encryption[0].kid());
    assert_eq!(members(&token.outer["epk"]), ["crv", "kty", "x", "y"]);
    assert_eq!(members(&token.inner), ["alg", "kid", "typ", "x5c"]);
    assert_eq!(token.inner["alg"], "ES256");
    assert_eq!(token.inner["typ"], "JWT");
    let body = &token.body;
    assert_eq!(body["iss"], json!(insurer.issuer));
    assert_eq!(body["aud"], json!(service.client_id));
    assert_eq!(body["exp"].as_u64().unwrap() - body["iat"].as_u64().unwrap(), 300);
    assert_eq!(body["iat"], json!(harness.clock.now().0));
    assert_eq!(body["amr"].as_array().unwrap().len(), 1);
    assert_eq!(token.sub().len(), 43);
    let keys = published_keys(harness, insurer).await;
    let key = keys.by_kid(&token.kid).unwrap();
    assert!(token.is_signed_by(key));
    assert_eq!(key.x5c, std::slice::from_ref(&token.certificate));
    let x5c = base64::engine::general_purpose::STANDARD.encode(&token.certificate);
    assert_eq!(token.inner["x5c"], json!([x5c]));
}

#[tokio::test]
async fn a_card_login_releases_what_was_asked_for_and_nothing_else() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let pushed = wire::json(&service.push(&harness.path, &push).await, 201);
    assert_eq!(members(&pushed), ["expires_in", "request_uri"]);
    assert_eq!(pushed["expires_in"], 90);
    let request_uri = pushed["request_uri"].as_str().unwrap();
    assert!(request_uri.starts_with("urn:ietf:params:oauth:request_uri:"));

    let response = harness.challenge(&harness.path, &service.client_id, request_uri).await;
    let challenged = harness.read_challenge(&service.client_id, &response);
    assert_eq!(
        challenged.body["service"],
        json!({"name": "Patientenakte", "logo_uri": null})
    );
    assert_eq!(challenged.body["expires_in"], 180);
    assert_eq!(challenged.body["requested"]["acr"], "gematik-ehealth-loa-high");
    assert_eq!(challenged.body["requested"]["claims"]["essential"], json!([]));
    let challenge = part(&challenged.challenge, 1);
    assert_eq!(
        members(&challenge),
        [
            "client_id",
            "client_name",
            "exp",
            "iat",
            "iss",
            "jti",
            "purpose",
            "request_hash"
        ]
    );
    assert_eq!(challenge["purpose"], "login");
    assert_eq!(challenge["client_name"], "Patientenakte");
    assert_eq!(part(&challenged.challenge, 0)["typ"], "healthid-challenge+jwt");

    let response = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &response);
    assert!(!answered.is_remembered());
    assert_eq!(answered.names("essential"), Vec::<&str>::new());
    assert_eq!(answered.names("voluntary").len(), 10);

    let decision = json!({"decision": "approve", "claims": answered.names("voluntary")});
    let redirect = harness.read_redirect(&harness.decide(&harness.path, &answered, &decision).await);
    assert_eq!(redirect.base(), service.redirect_uri);
    assert_eq!(redirect.names(), ["code", "state"]);
    assert_eq!(redirect.value("state").unwrap(), push.fields.value("state"));

    let response = service.redeem(&harness.path, &push, &redirect.code()).await;
    let tokens = wire::json(&response, 200);
    assert_eq!(
        members(&tokens),
        ["access_token", "expires_in", "id_token", "token_type"]
    );
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 300);
    let token = harness.token(&service, &response);
    assert_is_a_token(&harness, &harness.path, &service, &token, "2.0.0").await;
    let mut body = token.body.clone();
    assert_eq!(body["nonce"], json!(push.fields.value("nonce")));
    assert_eq!(body["acr"], "gematik-ehealth-loa-high");
    assert_eq!(body["amr"], json!(["urn:telematik:auth:eGK"]));
    assert_eq!(body["auth_time"], json!(harness.clock.now().0));
    for member in BODY {
        body.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(
        body,
        json!({
            "birthdate": "1984-02-29",
            "urn:telematik:claims:alter": "42",
            "urn:telematik:claims:display_name": "Dr. Ada-Liv Musterfrau-Öztürk",
            "urn:telematik:claims:given_name": "Ada-Liv",
            "urn:telematik:claims:family_name": "Musterfrau-Öztürk",
            "urn:telematik:claims:geschlecht": "D",
            "urn:telematik:claims:email": "ada-liv@post.example",
            "urn:telematik:claims:profession": "1.2.276.0.76.4.49",
            "urn:telematik:claims:id": "Q000123451",
            "urn:telematik:claims:organization": "109900019",
        })
    );
}

#[tokio::test]
async fn a_card_login_works_at_an_insurer_with_its_own_host() {
    let harness = Harness::start().await;
    let service = harness.service();
    let tom = Person::tom();
    harness.import(&harness.host, &tom.data()).await;
    let token = harness.login(&harness.host, &service, &tom).await;
    assert_is_a_token(&harness, &harness.host, &service, &token, "2.0.0").await;
    assert_eq!(token.body["urn:telematik:claims:organization"], "109900020");
}

#[tokio::test]
async fn the_scope_openid_alone_releases_nothing_about_the_person() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness).with("scope", "openid");
    let token = harness.login_with(&harness.path, &service, &push, &ada).await;
    assert_eq!(members(&token.body), BODY);
    assert!(!token.body.to_string().contains(ada.kvnr));
}

#[tokio::test]
async fn the_insurance_number_stands_in_its_claim_only() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let token = harness.login(&harness.path, &service, &ada).await;
    let mut body = token.body.clone();
    assert_eq!(
        body.as_object_mut().unwrap().remove("urn:telematik:claims:id"),
        Some(json!(ada.kvnr))
    );
    for part in [&body, &token.outer, &token.inner] {
        assert!(!part.to_string().contains(ada.kvnr));
    }
    // Nor in any form of it.
    let sub = jose::base64url::decode(token.sub()).unwrap();
    assert!(!sub.windows(10).any(|window| window == ada.kvnr.as_bytes()));
}

#[tokio::test]
async fn sub_is_pairwise_and_never_changes() {
    let harness = Harness::start().await;
    let (ada, zoe) = (harness.ada().await, Person::zoe());
    harness.import(&harness.path, &zoe.data()).await;
    let record = harness.service();
    let other = Service::new("https://prescription.example");
    other.join(&harness.federation);
    let first = harness.login(&harness.path, &record, &ada).await;
    let elsewhere = harness.login(&harness.path, &other, &ada).await;
    let somebody = harness.login(&harness.path, &record, &zoe).await;
    assert_ne!(first.sub(), elsewhere.sub());
    assert_ne!(first.sub(), somebody.sub());
    harness.clock.advance(90 * 86_400);
    // Her data changes: a new name, a new mail address.
    let mut data = ada.data();
    data.family_name = "Neuername-Beispiel".to_owned();
    data.email = String::new();
    harness.import(&harness.path, &data).await;
    let later = harness.login(&harness.path, &record, &ada).await;
    assert_eq!(later.sub(), first.sub());
    assert_eq!(later.body["urn:telematik:claims:family_name"], "Neuername-Beispiel");
}

#[tokio::test]
async fn what_the_insurer_does_not_know_is_left_out() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = Person::ada();
    let mut data = ada.data();
    data.email = String::new();
    data.sex = String::new();
    data.birthdate = "1950-00-00".to_owned();
    harness.import(&harness.path, &data).await;
    let token = harness.login(&harness.path, &service, &ada).await;
    assert_eq!(token.body["birthdate"], "1950");
    for missing in ["email", "geschlecht", "alter"] {
        assert_eq!(token.body[format!("urn:telematik:claims:{missing}")], Value::Null);
    }
}

#[tokio::test]
async fn the_highest_common_token_version_is_issued() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    for (theirs, expected) in [
        (&[][..], "1.0.0"),
        (&["1.0.0"], "1.0.0"),
        (&["2.0.0"], "2.0.0"),
        (&["1.0.0", "2.0.0", "3.0.0"], "2.0.0"),
    ] {
        let service = Service::new(&format!("https://v{}.example", theirs.len())).speaking(theirs);
        service.join(&harness.federation);
        harness.clock.advance(25 * 3600);
        let token = harness.login(&harness.path, &service, &ada).await;
        assert_is_a_token(&harness, &harness.path, &service, &token, expected).await;
        assert_eq!(token.body["amr"], json!(["urn:telematik:auth:eGK"]));
    }
}

#[tokio::test]
async fn a_device_login_of_level_high_is_named_other_in_both_versions() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    for (client_id, version) in [("https://one.example", "1.0.0"), ("https://two.example", "2.0.0")] {
        let service = Service::new(client_id).speaking(&[version]);
        service.join(&harness.federation);
        let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
        harness.clock.advance(86_400);
        let push = service.request(&harness);
        let answered = harness
            .authenticated_by_device(&harness.path, &service, &push, &mut device)
            .await;
        let code = harness.approved(&harness.path, &answered, None).await;
        let token = harness.redeemed(&harness.path, &service, &push, &code).await;
        assert_is_a_token(&harness, &harness.path, &service, &token, version).await;
        assert_eq!(token.body["acr"], "gematik-ehealth-loa-high");
        assert_eq!(token.body["amr"], json!(["urn:telematik:auth:other"]));
        assert_eq!(token.body["auth_time"], json!(harness.clock.now().0));
        assert_eq!(members(&token.body).len(), BODY.len() + 10);
    }
}

#[tokio::test]
async fn a_device_login_of_level_substantial_states_the_consent_to_it() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    for (client_id, version, amr, marker) in [
        ("https://one.example", "1.0.0", "urn:telematik:auth:mEW", Value::Null),
        (
            "https://two.example",
            "2.0.0",
            "urn:telematik:auth:other",
            json!(["loa-substantial"]),
        ),
    ] {
        let service = Service::new(client_id).speaking(&[version]);
        service.join(&harness.federation);
        let mut device = harness.bound(&harness.path, &service, &ada, SUBSTANTIAL_CLASS).await;
        let push = service.request(&harness).with("scope", "openid");
        let answered = harness
            .authenticated_by_device(&harness.path, &service, &push, &mut device)
            .await;
        let code = harness.approved(&harness.path, &answered, None).await;
        let token = harness.redeemed(&harness.path, &service, &push, &code).await;
        assert_is_a_token(&harness, &harness.path, &service, &token, version).await;
        assert_eq!(token.body["acr"], "gematik-ehealth-loa-substantial");
        assert_eq!(token.body["amr"], json!([amr]));
        assert_eq!(token.body["urn:telematik:auth:consent"], marker);
    }
}

#[tokio::test]
async fn a_card_answers_a_wish_for_substantial_with_high_and_says_so() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service
        .request(&harness)
        .with("acr_values", "gematik-ehealth-loa-substantial");
    let token = harness.login_with(&harness.path, &service, &push, &ada).await;
    assert_eq!(token.body["acr"], "gematik-ehealth-loa-high");
    assert_eq!(token.body["amr"], json!(["urn:telematik:auth:eGK"]));
}

#[tokio::test]
async fn a_guest_login_is_named_as_one() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let claims = json!({"id_token": {
        "acr": {"essential": true, "value": "gematik-ehealth-loa-high"},
        "amr": {"essential": true, "value": "urn:telematik:auth:guest:eGK"},
    }});
    let push = service.request(&harness).with("claims", &claims.to_string());
    let token = harness.login_with(&harness.path, &service, &push, &ada).await;
    assert_eq!(token.body["acr"], "gematik-ehealth-loa-high");
    assert_eq!(token.body["amr"], json!(["urn:telematik:auth:guest:eGK"]));
}

#[tokio::test]
async fn nothing_is_written_before_the_redemption_and_once_then() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    harness.login(&harness.path, &service, &ada).await;
    let before = harness.store.commits();
    let push = service.request(&harness);
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    let code = harness.approved_and_remembered(&harness.path, &answered, &[]).await;
    assert_eq!(harness.store.commits(), before);
    harness.redeemed(&harness.path, &service, &push, &code).await;
    assert_eq!(harness.store.commits(), before + 1);
}

#[tokio::test]
async fn an_ordinary_request_uri_and_code_stay_below_300_characters() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    // As libraries make them: 32 random bytes each, in base64url.
    let push = service
        .request(&harness)
        .with("state", &"s".repeat(43))
        .with("nonce", &"n".repeat(43))
        .with("max_age", "300");
    let request_uri = harness.pushed(&harness.path, &service, &push).await;
    assert!(request_uri.len() < 300, "{}", request_uri.len());
    let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let answered = harness
        .authenticated_by_device(&harness.path, &service, &push, &mut device)
        .await;
    let code = harness.approved_and_remembered(&harness.path, &answered, &[]).await;
    assert!(code.len() < 300, "{}", code.len());
    // The longest admitted ones work too, and stay below what clients take.
    let push = push.with("state", &"s".repeat(512)).with("nonce", &"n".repeat(512));
    let request_uri = harness.pushed(&harness.path, &service, &push).await;
    assert!(request_uri.len() <= 2000, "{}", request_uri.len());
    let code = harness.code(&harness.path, &service, &push, &ada).await;
    let token = harness.redeemed(&harness.path, &service, &push, &code).await;
    assert_eq!(token.body["nonce"].as_str().unwrap().len(), 512);
}
