//! What the federation reads of an insurer: chapters 2 of the digest, member by member.

use std::sync::Arc;

use federation::{profile::PROVIDER_LIFETIME_SECONDS, signed_keys, statement};
use jose::jwk::JwkSet;
use provider::clock::Clock;
use serde_json::{Value, json};
use store_sqlite::SqliteStore;
use transport::HttpResponse;

use crate::common::{ALL_SCOPES, Disk, Harness, Insurer, Setup, UNKNOWN_HOST, logs, members, part, wire};

async fn get(harness: &Harness, url: &str, headers: &[(&str, &str)]) -> HttpResponse {
    harness.app().get(url, headers).await.unwrap()
}

async fn statement(harness: &Harness, insurer: &Insurer) -> String {
    let url = format!("{}/.well-known/openid-federation", insurer.issuer);
    let response = get(harness, &url, &[]).await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(
        response.header("content-type"),
        Some("application/entity-statement+jwt")
    );
    response.text()
}

async fn key_set(harness: &Harness, insurer: &Insurer) -> String {
    get(harness, &format!("{}/jwks", insurer.issuer), &[]).await.text()
}

fn assert_bare_key(key: &Value) {
    assert_eq!(members(key), ["crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!(
        (&key["use"], &key["kty"], &key["crv"]),
        (&json!("sig"), &json!("EC"), &json!("P-256"))
    );
    for coordinate in ["x", "y"] {
        let bytes = jose::base64url::decode(key[coordinate].as_str().unwrap()).unwrap();
        assert_eq!(bytes.len(), 32, "{coordinate}");
    }
    // A_28208: a UUID of version 7.
    assert_eq!(key["kid"].as_str().unwrap().as_bytes()[14], b'7');
}

#[tokio::test]
async fn the_entity_statement_has_exactly_the_members_of_the_profile() {
    let harness = Harness::start().await;
    for (insurer, name) in [(&harness.path, "Testkasse Nord"), (&harness.host, "BKK Test")] {
        let compact = statement(&harness, insurer).await;
        let (header, body) = (part(&compact, 0), part(&compact, 1));
        assert_eq!(
            header,
            json!({"alg": "ES256", "kid": body["jwks"]["keys"][0]["kid"], "typ": "entity-statement+jwt"})
        );
        assert_eq!(
            members(&body),
            ["authority_hints", "exp", "iat", "iss", "jwks", "metadata", "sub"]
        );
        let (issuer, mtls) = (&insurer.issuer, &insurer.mtls);
        let now = harness.clock.now().0;
        assert_eq!((&body["iss"], &body["sub"]), (&json!(issuer), &json!(issuer)));
        assert_eq!(body["iat"], json!(now));
        assert_eq!(body["exp"], json!(now + PROVIDER_LIFETIME_SECONDS));
        const { assert!(PROVIDER_LIFETIME_SECONDS <= 24 * 3600) };
        assert_eq!(body["authority_hints"], json!(["https://fm.example"]));
        assert_eq!(members(&body["jwks"]), ["keys"]);
        let keys = body["jwks"]["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1);
        assert_bare_key(&keys[0]);
        assert_eq!(
            body["metadata"],
            json!({
                "federation_entity": {"organization_name": name, "contacts": ["support@kasse.example"]},
                "openid_provider": {
                    "issuer": issuer,
                    "signed_jwks_uri": format!("{issuer}/jwks"),
                    "logo_uri": format!("{issuer}/logo.svg"),
                    "authorization_endpoint": format!("{issuer}/auth"),
                    "token_endpoint": format!("{mtls}/token"),
                    "pushed_authorization_request_endpoint": format!("{mtls}/par"),
                    "client_registration_types_supported": ["automatic"],
                    "subject_types_supported": ["pairwise"],
                    "response_types_supported": ["code"],
                    "scopes_supported": ALL_SCOPES,
                    "response_modes_supported": ["query"],
                    "grant_types_supported": ["authorization_code"],
                    "require_pushed_authorization_requests": true,
                    "id_token_signing_alg_values_supported": ["ES256"],
                    "id_token_encryption_alg_values_supported": ["ECDH-ES"],
                    "id_token_encryption_enc_values_supported": ["A256GCM"],
                    "token_endpoint_auth_methods_supported": ["self_signed_tls_client_auth"],
                    "user_type_supported": ["IP"],
                    "ti_features_supported": {"id_token_version_supported": ["1.0.0", "2.0.0"]},
                },
            })
        );
        let parsed = statement::parse(&compact).unwrap();
        assert!(parsed.verify_self(harness.clock.now()).is_ok());
    }
}

#[tokio::test]
async fn the_signed_key_set_begins_with_a_bare_key_and_is_signed_by_the_entity_key() {
    let harness = Harness::start().await;
    let entity = part(&statement(&harness, &harness.path).await, 1)["jwks"].clone();
    let compact = key_set(&harness, &harness.path).await;
    let (header, body) = (part(&compact, 0), part(&compact, 1));
    assert_eq!(
        header,
        json!({"alg": "ES256", "kid": entity["keys"][0]["kid"], "typ": "jwk-set+json"})
    );
    assert_eq!(members(&body), ["iat", "iss", "keys"]);
    assert_eq!(body["iss"], json!(harness.path.issuer));
    assert_eq!(body["iat"], json!(harness.clock.now().0));
    let keys = body["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert_bare_key(&keys[0]);
    assert_eq!(keys[0], entity["keys"][0]);
    assert_eq!(members(&keys[1]), ["crv", "kid", "kty", "use", "x", "x5c", "y"]);
    assert_eq!(keys[1]["use"], "sig");
    assert_eq!(keys[1]["x5c"].as_array().unwrap().len(), 1);
    let issuer = crate::common::federation::id(&harness.path.issuer);
    let entity = JwkSet::from_value(&entity).unwrap();
    let parsed = signed_keys::parse(&compact).unwrap();
    assert!(parsed.verify(&issuer, &entity, harness.clock.now()).is_ok());
}

#[tokio::test]
async fn the_key_sets_media_type_is_negotiated() {
    let harness = Harness::start().await;
    let url = format!("{}/jwks", harness.path.issuer);
    for (accept, expected) in [
        (None, "application/jwk-set+json"),
        (Some("*/*"), "application/jwk-set+json"),
        (Some("application/jwk-set+json"), "application/jwk-set+json"),
        (
            Some("application/jwk-set+json, application/jwk-set+jwt"),
            "application/jwk-set+json",
        ),
        (Some("application/jwk-set+jwt"), "application/jwk-set+jwt"),
    ] {
        let headers: Vec<_> = accept.iter().map(|accept| ("accept", *accept)).collect();
        let response = get(&harness, &url, &headers).await;
        assert_eq!(response.header("content-type"), Some(expected), "{accept:?}");
        assert_eq!(part(&response.text(), 0)["typ"], "jwk-set+json");
    }
}

#[tokio::test]
async fn a_statement_is_signed_again_long_before_it_ends() {
    let harness = Harness::start().await;
    let first = statement(&harness, &harness.path).await;
    assert_eq!(statement(&harness, &harness.path).await, first);
    harness.clock.advance(PROVIDER_LIFETIME_SECONDS / 2);
    let later = part(&statement(&harness, &harness.path).await, 1);
    let left = later["exp"].as_u64().unwrap() - harness.clock.now().0;
    assert!(left >= PROVIDER_LIFETIME_SECONDS / 2, "{left}");
    assert_eq!(later["jwks"], part(&first, 1)["jwks"]);
}

#[tokio::test]
async fn every_insurer_has_keys_of_its_own() {
    let harness = Harness::start().await;
    let one = part(&key_set(&harness, &harness.path).await, 1);
    let other = part(&key_set(&harness, &harness.host).await, 1);
    for key in one["keys"].as_array().unwrap() {
        for foreign in other["keys"].as_array().unwrap() {
            assert_ne!(key["x"], foreign["x"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_first_rush_on_an_insurer_makes_one_key_of_each_role() {
    let harness = Harness::with(Setup {
        store: Arc::new(SqliteStore::open_temporary().unwrap()),
        ..Setup::default()
    })
    .await;
    let rush: Vec<_> = (0..16)
        .map(|_| {
            let (provider, issuer) = (harness.provider.clone(), harness.path.issuer.clone());
            tokio::spawn(async move { provider.entity_keys(&issuer).await.unwrap() })
        })
        .collect();
    let mut seen = Vec::new();
    for keys in rush {
        seen.push(keys.await.unwrap());
    }
    assert!(seen.iter().all(|keys| *keys == seen[0]));
    // What other instances find in the store.
    harness.clock.advance(provider::KEYS_KEPT_SECONDS);
    assert_eq!(
        part(&key_set(&harness, &harness.path).await, 1)["keys"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        harness.provider.entity_keys(&harness.path.issuer).await.unwrap(),
        seen[0]
    );
}

#[tokio::test]
async fn challenge_keys_are_published_for_authenticators() {
    let harness = Harness::start().await;
    let url = format!("{}/auth/jwks", harness.path.issuer);
    let body = wire::json(&get(&harness, &url, &[]).await, 200);
    assert_eq!(members(&body), ["keys"]);
    assert_bare_key(&body["keys"][0]);
    let statement = part(&statement(&harness, &harness.path).await, 1);
    assert_ne!(body["keys"][0], statement["jwks"]["keys"][0]);
}

#[tokio::test]
async fn a_logo_is_a_picture_and_nothing_else() {
    let harness = Harness::start().await;
    let response = get(&harness, &format!("{}/logo.svg", harness.host.issuer), &[]).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("image/svg+xml"));
    assert!(response.header("content-security-policy").unwrap().contains("sandbox"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn what_is_not_served_is_not_found_on_every_host() {
    let harness = Harness::start().await;
    let nobody = format!("https://{UNKNOWN_HOST}:{}", harness.port);
    for url in [
        format!("{}/nothing", harness.path.issuer),
        format!("{}/auth/nothing", harness.host.issuer),
        format!("https://localhost:{}/109900099/jwks", harness.port),
        format!("{nobody}/.well-known/openid-federation"),
        format!("{nobody}/auth"),
        // Endpoints with a client certificate are on the other host only.
        format!("{}/par", harness.path.issuer),
        format!("{}/token", harness.path.issuer),
    ] {
        wire::assert_refused(&get(&harness, &url, &[]).await, 404, "not_found");
    }
    for url in ["/jwks", "/auth", "/account", "/.well-known/openid-federation"] {
        let url = format!("{}{url}", harness.path.mtls);
        wire::assert_refused(&get(&harness, &url, &[]).await, 404, "not_found");
    }
}

#[tokio::test]
async fn a_fault_of_ours_is_told_to_the_operator_and_not_to_the_peer() {
    let harness = Harness::with(Setup {
        certified: false,
        ..Setup::default()
    })
    .await;
    for path in ["/.well-known/openid-federation", "/jwks", "/auth/jwks"] {
        let answer = get(&harness, &format!("{}{path}", harness.path.issuer), &[]).await;
        let refused = wire::assert_refused(&answer, 500, "server_error");
        assert!(!refused.description.contains("certificate"));
        let line = logs::lines_of(&refused.support_code).remove(0);
        assert!(
            line.contains("no certificate of the TI component PKI") && line.contains("ERROR"),
            "{line}"
        );
    }
    // A disk without space: later it may work.
    let harness = Harness::start().await;
    harness.store.set_disk(Disk::Full);
    let answer = get(&harness, &format!("{}/jwks", harness.path.issuer), &[]).await;
    wire::assert_refused(&answer, 503, "temporarily_unavailable");
    harness.store.set_disk(Disk::Fine);
    key_set(&harness, &harness.path).await;
}

#[tokio::test]
async fn a_wrong_method_is_answered_as_json() {
    let harness = Harness::start().await;
    for (method, url) in [
        (http::Method::GET, format!("{}/par", harness.path.mtls)),
        (http::Method::GET, format!("{}/token", harness.path.mtls)),
        (http::Method::PUT, format!("{}/token", harness.host.mtls)),
        (http::Method::POST, format!("{}/auth", harness.path.issuer)),
        (http::Method::GET, format!("{}/auth/card", harness.path.issuer)),
        (http::Method::DELETE, format!("{}/devices", harness.host.issuer)),
        (
            http::Method::POST,
            format!("https://localhost:{}/.well-known/healthid-evidence", harness.port),
        ),
    ] {
        let response = harness.app().send(method, &url, &[], Default::default()).await.unwrap();
        wire::assert_refused(&response, 405, "invalid_request");
    }
}

#[tokio::test]
async fn an_instance_that_nothing_vouches_for_says_so() {
    let harness = Harness::start().await;
    let url = format!("https://localhost:{}/.well-known/healthid-evidence", harness.port);
    let answer = get(&harness, &url, &[]).await;
    let refused = wire::assert_refused(&answer, 404, "not_found");
    assert!(refused.description.contains("no evidence"), "{}", refused.description);
}
