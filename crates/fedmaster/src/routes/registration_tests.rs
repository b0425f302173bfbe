#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::tests::{Answer, ask, fetch_path, send};
use crate::fixtures::{MASTER, NOW, Network, claims, master_with, options, service_form, service_metadata, sign};
use crate::master::{FederationMaster, MasterOptions, OpenRegistration};
use crate::registration::Profile;

fn sandbox(network: Option<Arc<Network>>) -> FederationMaster {
    master_with(MasterOptions {
        profile: Profile::Sandbox,
        registration: OpenRegistration::Yes,
        fetcher: network.map(|network| network as Arc<dyn transport::Fetch>),
        ..options()
    })
}

async fn post(master: &FederationMaster, content_type: &str, body: String) -> Answer {
    let request = Request::post("/registration").header("content-type", content_type);
    send(master, request.body(Body::from(body)).unwrap()).await
}

fn app_form() -> Value {
    let mut form = json!(service_form());
    form["entity_id"] = json!("https://app.example");
    form["redirect_uris"] = json!(["http://localhost:3000/callback"]);
    form
}

#[tokio::test]
async fn registration_is_served_only_where_it_is_open() {
    let master = master_with(options());
    assert_eq!(
        post(&master, "application/json", app_form().to_string()).await.status,
        404
    );
    assert_eq!(ask(&master, "/registration").await.status, 404);
}

#[tokio::test]
async fn a_service_registers_is_replaced_read_checked_and_deleted_over_http() {
    let network = Arc::new(Network::default());
    let master = sandbox(Some(network.clone()));
    let answer = post(&master, "application/json; charset=utf-8", app_form().to_string()).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (201, "application/json"));
    let body = answer.json();
    assert_eq!(body["entity_id"], "https://app.example");
    assert_eq!(body["registration"], app_form());
    // Its statement is not there yet; it is registered all the same, and told so.
    assert_eq!(body["state"], "NOT_REACHABLE");
    assert_eq!(body["findings"][0]["rule"], "reachable");
    let path = fetch_path(&[("iss", MASTER), ("sub", "https://app.example")]);
    assert_eq!(ask(&master, &path).await.status, 200);

    let mut metadata = service_metadata();
    metadata["openid_relying_party"]["redirect_uris"] = json!(["http://localhost:3000/callback"]);
    network.serve(
        "https://app.example",
        sign(&claims("https://app.example", "puk_fd_sig", metadata), "puk_fd_sig"),
    );
    let request = Request::post("/registration/check?entity_id=https://app.example");
    let checked = send(&master, request.body(Body::empty()).unwrap()).await.json();
    assert_eq!(
        (&checked["state"], &checked["findings"]),
        (&json!("ACTIVE"), &json!([]))
    );
    assert_eq!(checked["checked_at"], NOW.0);

    assert_eq!(
        post(&master, "application/json", app_form().to_string()).await.status,
        200
    );
    let read = ask(&master, "/registration?entity_id=https://app.example").await;
    assert_eq!(read.json()["registration"], app_form());
    assert_eq!(ask(&master, "/registration").await.json().as_array().unwrap().len(), 3);

    let delete = || {
        Request::delete("/registration?entity_id=https://app.example")
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(send(&master, delete()).await.status, 204);
    assert_eq!(send(&master, delete()).await.status, 404);
    assert_eq!(ask(&master, &path).await.status, 404);
}

#[tokio::test]
async fn a_refused_registration_names_the_rules_it_breaks() {
    let master = sandbox(None);
    let mut form = app_form();
    form["redirect_uris"] = json!(["http://app.example/callback"]);
    form["logo_uri"] = json!("https://app.example/logo.svg");
    let answer = post(&master, "application/json", form.to_string()).await;
    assert_eq!(answer.status, 400);
    let body = answer.json();
    assert_eq!(body["error"], "invalid_registration");
    assert_eq!(
        body["findings"],
        json!([
            {
                "rule": "registration_members",
                "source": "gemSpec_IDP_FedMaster, registration data",
                "member": "logo_uri",
                "expected": "no such member in the registration of a relying party",
                "found": "a value"
            },
            {
                "rule": "redirect_uris",
                "source": "A_27585",
                "member": "redirect_uris[0]",
                "expected": "URL must use the https scheme (OpenID Federation 1.0 §1.2)",
                "found": "http://app.example/callback"
            }
        ])
    );
    assert_eq!(master.participants().len(), 2);
}

#[tokio::test]
async fn bodies_and_parameters_that_are_none_are_refused() {
    let master = sandbox(None);
    assert_eq!(post(&master, "text/plain", app_form().to_string()).await.status, 415);
    for body in ["", "{}", "[]", r#"{"entity_id":"a","entity_id":"b"}"#] {
        let answer = post(&master, "application/json", body.to_owned()).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &json!("invalid_registration")),
            "{body}"
        );
    }
    let mut own = app_form();
    own["entity_id"] = json!(MASTER);
    assert_eq!(post(&master, "application/json", own.to_string()).await.status, 400);
    for query in [
        "entity_id=app",
        "entity_id=",
        "entity_id=https://a.example&entity_id=https://b.example",
    ] {
        assert_eq!(
            ask(&master, &format!("/registration?{query}")).await.status,
            400,
            "{query}"
        );
    }
    assert_eq!(
        ask(&master, "/registration?entity_id=https://unknown.example")
            .await
            .status,
        404
    );
}
