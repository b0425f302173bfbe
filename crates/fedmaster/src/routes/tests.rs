#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::fixtures::{
    INSURER, MASTER, NOW, Network, SERVICE, claims, decode, id, insurer_metadata, key, keys_of, master_with, options,
    service_form, service_metadata, sign,
};
use crate::keys::DEFAULT_KID;
use crate::master::MasterOptions;
use crate::participant::ParticipantState;

/// Parameters, status, `gematik_code`, and the parameter the description names.
type Case<'a> = (&'a [(&'a str, &'a str)], u16, &'a str, &'a str);

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(super) async fn send(master: &FederationMaster, request: Request<Body>) -> Answer {
    let response = master.router().oneshot(request).await.unwrap();
    Answer {
        status: response.status().as_u16(),
        content_type: response
            .headers()
            .get("content-type")
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default(),
        body: String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap(),
    }
}

pub(super) async fn ask(master: &FederationMaster, path: &str) -> Answer {
    send(master, Request::get(path).body(Body::empty()).unwrap()).await
}

pub(super) fn fetch_path(parameters: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("/federation/fetch?{query}")
}

fn own_statement_body() -> Value {
    json!({
        "iss": MASTER,
        "sub": MASTER,
        "iat": NOW.0,
        "exp": NOW.0 + 86_400,
        "jwks": keys_of(&[DEFAULT_KID]).to_value(),
        "metadata": {"federation_entity": {
            "federation_fetch_endpoint": "https://master.example/federation/fetch",
            "federation_list_endpoint": "https://master.example/federation/list",
            "idp_list_endpoint": "https://master.example/federation/listidps"
        }}
    })
}

#[tokio::test]
async fn own_statement_has_exactly_its_members() {
    let answer = ask(&master_with(options()), "/.well-known/openid-federation").await;
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "application/entity-statement+jwt")
    );
    let (header, body) = decode(&answer.body);
    assert_eq!(
        header,
        json!({"alg": "ES256", "kid": "puk_fedmaster_sig", "typ": "entity-statement+jwt"})
    );
    assert_eq!(body, own_statement_body());
}

#[tokio::test]
async fn statement_about_an_identity_provider_has_exactly_its_members() {
    let answer = ask(
        &master_with(options()),
        &fetch_path(&[("iss", MASTER), ("sub", INSURER)]),
    )
    .await;
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "application/entity-statement+jwt;charset=UTF-8")
    );
    let (header, body) = decode(&answer.body);
    assert_eq!(
        header,
        json!({"alg": "ES256", "kid": "puk_fedmaster_sig", "typ": "entity-statement+jwt"})
    );
    assert_eq!(
        body,
        json!({
            "iss": MASTER,
            "sub": INSURER,
            "iat": NOW.0,
            "exp": NOW.0 + 86_400,
            "jwks": keys_of(&["puk_idp_sig"]).to_value(),
            "metadata": {"openid_provider": {"client_registration_types_supported": ["automatic"]}}
        })
    );
}

#[tokio::test]
async fn statement_about_a_service_carries_redirect_uris_and_scope_and_echoes_the_audience() {
    let master = master_with(options());
    let path = fetch_path(&[("iss", MASTER), ("sub", SERVICE), ("aud", INSURER)]);
    let (_, body) = decode(&ask(&master, &path).await.body);
    assert_eq!(
        body,
        json!({
            "iss": MASTER,
            "sub": SERVICE,
            "aud": INSURER,
            "iat": NOW.0,
            "exp": NOW.0 + 86_400,
            "jwks": keys_of(&["puk_fd_sig"]).to_value(),
            "metadata": {"openid_relying_party": {
                "client_registration_types": ["automatic"],
                "redirect_uris": ["https://record.example/callback"],
                "scope": "openid urn:telematik:versicherter",
                "claims": []
            }}
        })
    );
}

#[tokio::test]
async fn empty_sub_or_the_master_as_sub_gives_the_own_statement() {
    let master = master_with(options());
    for sub in ["", MASTER] {
        let answer = ask(&master, &fetch_path(&[("iss", MASTER), ("sub", sub)])).await;
        assert_eq!(answer.status, 200);
        assert_eq!(decode(&answer.body).1, own_statement_body());
    }
}

#[tokio::test]
async fn refusals_have_their_code_status_and_shape() {
    let master = master_with(options());
    let long = format!("https://{}.example", "x".repeat(2000));
    let cases: &[Case<'_>] = &[
        (
            &[("iss", "https://other.example"), ("sub", INSURER)],
            400,
            "6000",
            "iss",
        ),
        (&[("iss", "master"), ("sub", INSURER)], 400, "6001", "iss"),
        (&[("iss", ""), ("sub", INSURER)], 400, "6001", "iss"),
        (
            &[("iss", "http://master.example"), ("sub", INSURER)],
            400,
            "6001",
            "iss",
        ),
        (
            &[("iss", "https://master.example/"), ("sub", INSURER)],
            400,
            "6001",
            "iss",
        ),
        (&[("iss", &long), ("sub", INSURER)], 400, "6001", "iss"),
        (
            &[("iss", MASTER), ("iss", MASTER), ("sub", INSURER)],
            400,
            "6001",
            "iss",
        ),
        (&[("iss", MASTER), ("sub", "insurer")], 400, "6010", "sub"),
        (
            &[("iss", MASTER), ("sub", "http://insurer.example")],
            400,
            "6010",
            "sub",
        ),
        (&[("iss", MASTER), ("sub", &long)], 400, "6010", "sub"),
        (
            &[("iss", MASTER), ("sub", INSURER), ("sub", SERVICE)],
            400,
            "6010",
            "sub",
        ),
        (
            &[("iss", MASTER), ("sub", "https://unknown.example")],
            404,
            "6011",
            "sub",
        ),
        (
            &[("iss", MASTER), ("sub", INSURER), ("aud", "insurer")],
            400,
            "6020",
            "aud",
        ),
        (&[("iss", MASTER), ("sub", INSURER), ("aud", "")], 400, "6020", "aud"),
        (
            &[("iss", MASTER), ("sub", INSURER), ("aud", "https://unknown.example")],
            400,
            "6020",
            "aud",
        ),
        (&[("sub", INSURER)], 400, "-1", "iss"),
        (&[("iss", MASTER)], 400, "-1", "sub"),
        (&[], 400, "-1", "iss"),
    ];
    for (parameters, status, code, parameter) in cases {
        let answer = ask(&master, &fetch_path(parameters)).await;
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (*status, "application/json"),
            "{code}"
        );
        // Order of the members as in the gematik's examples.
        assert!(
            answer
                .body
                .starts_with(r#"{"operation":"FETCH","error":"invalid_request","error_description":""#)
        );
        let body = answer.json();
        assert_eq!(body.as_object().unwrap().len(), 6);
        assert_eq!(body["gematik_code"], *code, "{parameters:?}");
        assert_eq!(body["gematik_timestamp"], NOW.0);
        assert_eq!(body["gematik_uuid"].as_str().unwrap().len(), 36);
        let description = body["error_description"].as_str().unwrap();
        assert!(description.contains(&format!("arameter {parameter}")), "{description}");
    }
}

#[tokio::test]
async fn list_names_all_participants_and_filters_by_type() {
    let master = master_with(options());
    let answer = ask(&master, "/federation/list").await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
    assert_eq!(answer.json(), json!([INSURER, SERVICE]));
    for (entity_type, expected) in [
        ("openid_provider", json!([INSURER])),
        ("openid_relying_party", json!([SERVICE])),
        ("federation_entity", json!([INSURER, SERVICE])),
        ("oauth_resource", json!([])),
    ] {
        let answer = ask(&master, &format!("/federation/list?entity_type={entity_type}")).await;
        assert_eq!(answer.json(), expected);
    }
    // OpenID Federation 1.0 §8.2.1.
    for query in [
        "trust_marked=true",
        "trust_mark_type=a",
        "intermediate=true",
        "entity_type=a&entity_type=b",
    ] {
        let answer = ask(&master, &format!("/federation/list?{query}")).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &json!("unsupported_parameter"))
        );
        assert_eq!(answer.json()["operation"], "LIST");
    }
}

#[tokio::test]
async fn idp_list_is_signed_and_has_exactly_its_members() {
    let answer = ask(&master_with(options()), "/federation/listidps").await;
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "application/jwt;charset=UTF-8")
    );
    let (header, body) = decode(&answer.body);
    assert_eq!(
        header,
        json!({"alg": "ES256", "kid": "puk_fedmaster_sig", "typ": "idp-list+jwt"})
    );
    assert_eq!(
        body,
        json!({
            "iss": MASTER,
            "iat": NOW.0,
            "exp": NOW.0 + 86_400,
            "idp_entity": [{
                "iss": INSURER,
                "organization_name": "Musterkasse Süd",
                "logo_uri": "https://insurer.example/logo.svg",
                "user_type_supported": "IP",
                "pkv": false
            }]
        })
    );
    idp_list::parse(&answer.body)
        .unwrap()
        .verify(&id(MASTER), &keys_of(&[DEFAULT_KID]), NOW)
        .unwrap();
}

#[tokio::test]
async fn idp_list_follows_the_providers_own_statement() {
    let network = Arc::new(Network::default());
    network.serve(
        INSURER,
        sign(&claims(INSURER, "puk_idp_sig", insurer_metadata()), "puk_idp_sig"),
    );
    let master = master_with(MasterOptions {
        fetcher: Some(network),
        ..options()
    });
    master.synchronise_all().await.unwrap();
    let (_, body) = decode(&ask(&master, "/federation/listidps").await.body);
    assert_eq!(body["idp_entity"][0]["organization_name"], "Musterkasse Süd und Nord");
    assert_eq!(
        body["idp_entity"][0]["logo_uri"],
        "https://insurer.example/new-logo.svg"
    );
}

#[tokio::test]
async fn deleted_participants_are_unknown_from_the_next_request_on() {
    // A_23087
    let master = master_with(options());
    assert!(master.delete(&id(INSURER)).unwrap());
    let answer = ask(&master, &fetch_path(&[("iss", MASTER), ("sub", INSURER)])).await;
    assert_eq!((answer.status, &answer.json()["gematik_code"]), (404, &json!("6011")));
    assert_eq!(ask(&master, "/federation/list").await.json(), json!([SERVICE]));
    assert_eq!(
        decode(&ask(&master, "/federation/listidps").await.body).1["idp_entity"],
        json!([])
    );
    let aud = ask(
        &master,
        &fetch_path(&[("iss", MASTER), ("sub", SERVICE), ("aud", INSURER)]),
    )
    .await;
    assert_eq!(aud.json()["gematik_code"], "6020");
}

#[tokio::test]
async fn a_service_that_claims_an_unregistered_scope_is_locked_until_it_mends_it() {
    let network = Arc::new(Network::default());
    let mut greedy = claims(SERVICE, "puk_fd_sig", service_metadata());
    greedy["metadata"]["openid_relying_party"]["scope"] = json!("openid urn:telematik:email");
    network.serve(SERVICE, sign(&greedy, "puk_fd_sig"));
    let master = master_with(MasterOptions {
        fetcher: Some(network.clone()),
        ..options()
    });
    master.synchronise_all().await.unwrap();
    let path = fetch_path(&[("iss", MASTER), ("sub", SERVICE)]);
    assert_eq!(ask(&master, &path).await.status, 404);
    assert_eq!(ask(&master, "/federation/list").await.json(), json!([INSURER]));
    // The insurer did not answer; it stays.
    assert!(matches!(
        master.participant(&id(INSURER)).unwrap().state,
        ParticipantState::NotReachable { .. }
    ));

    network.serve(
        SERVICE,
        sign(&claims(SERVICE, "puk_fd_sig", service_metadata()), "puk_fd_sig"),
    );
    master.synchronise(&id(SERVICE)).await.unwrap();
    assert_eq!(ask(&master, &path).await.status, 200);
}

#[tokio::test]
async fn statements_are_published_with_all_keys_of_a_rollover_and_signed_with_one() {
    let master = master_with(options());
    let mut form = service_form();
    form.keys = Some(keys_of(&["puk_fd_sig", "puk_fd_sig_2"]));
    master.register(form).unwrap();
    master.announce_key(Arc::new(key("next"))).unwrap();
    let (header, body) = decode(&ask(&master, "/.well-known/openid-federation").await.body);
    assert_eq!(header["kid"], DEFAULT_KID);
    assert_eq!(body["jwks"], keys_of(&[DEFAULT_KID, "next"]).to_value());

    master.sign_with_key("next").unwrap();
    let compact = ask(&master, &fetch_path(&[("iss", MASTER), ("sub", SERVICE)]))
        .await
        .body;
    let (header, body) = decode(&compact);
    assert_eq!(header["kid"], "next");
    assert_eq!(body["jwks"], keys_of(&["puk_fd_sig", "puk_fd_sig_2"]).to_value());
    statement::parse(&compact)
        .unwrap()
        .verify_with(&master.published_keys(), NOW)
        .unwrap();

    master.retire_key(DEFAULT_KID).unwrap();
    assert_eq!(master.published_keys(), keys_of(&["next"]));
}

#[tokio::test]
async fn a_master_with_a_path_serves_below_it() {
    let entity_id = id("https://master.example/ti/ru");
    let master = master_with(MasterOptions { entity_id, ..options() });
    let (_, body) = decode(&ask(&master, "/ti/ru/.well-known/openid-federation").await.body);
    assert_eq!(
        body["metadata"]["federation_entity"]["federation_fetch_endpoint"],
        "https://master.example/ti/ru/federation/fetch"
    );
    assert_eq!(ask(&master, "/ti/ru/federation/list").await.status, 200);
    assert_eq!(ask(&master, "/federation/list").await.status, 404);
}
