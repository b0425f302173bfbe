//! The provider shows evidence over every TLS connection, and nobody mistakes a sandbox for hardware.
#![allow(clippy::unwrap_used, missing_docs)]

use evidence::binding::Session;
use evidence::bundle::{AnswerError, Bundle, EVIDENCE_PATH};
use evidence::verdict::{Asked, Overall, Pins, State, Subject, Verdict, judge};
use jose::base64url;
use sandbox::insurers::Insurer;
use serde_json::Value;
use transport::{AddressRule, BoundConnection, HttpClient};
use wallet::provider_check::{ProviderCheck, ProviderCheckError};

mod common;

use common::run;

const NONCE: [u8; 32] = [9; 32];

fn pins() -> Pins {
    let file = common::sandbox().data().file("evidence-pins.json");
    Pins::parse(&std::fs::read(file).unwrap()).unwrap()
}

async fn connect(url: &str) -> BoundConnection {
    BoundConnection::open(url, common::sandbox().roots(), AddressRule::LoopbackAllowed, &[])
        .await
        .unwrap()
}

fn session(connection: &BoundConnection) -> Session {
    Session {
        nonce: NONCE,
        signer_spki_sha256: connection.session().server_spki_sha256().unwrap(),
        exporter: *connection.session().exporter(),
    }
}

async fn bundle(connection: &mut BoundConnection) -> Bundle {
    let answer = connection
        .get(&format!("{EVIDENCE_PATH}?nonce={}", base64url::encode(&NONCE)))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    Bundle::parse(&answer.body).unwrap()
}

fn verdict(bundle: &Bundle, connection: &BoundConnection) -> Verdict {
    judge(
        bundle,
        &Asked::Here(session(connection)),
        &pins(),
        common::sandbox().now(),
    )
}

#[test]
fn a_sandbox_is_told_from_hardware_and_bound_to_its_connection() {
    run(async {
        let addresses = common::sandbox().addresses().insurer(Insurer::Leuchtturm);
        for url in [&addresses.issuer, &addresses.mtls] {
            let mut connection = connect(url).await;
            let bundle = bundle(&mut connection).await;
            let verdict = verdict(&bundle, &connection);
            assert_eq!(verdict.overall(), Overall::Unprotected, "{verdict}");
            assert_eq!(verdict.exit_code(), 3);
            for subject in [
                Subject::Measurement,
                Subject::Approvals,
                Subject::Log,
                Subject::Tls,
                Subject::Site,
            ] {
                assert!(matches!(verdict.state(subject), Some(State::Ok(_))), "{verdict}");
            }
            assert!(!verdict.to_string().contains("operator excluded"), "{verdict}");
        }
    });
}

#[test]
fn evidence_of_one_connection_is_refused_on_another() {
    run(async {
        let issuer = &common::sandbox().addresses().insurer(Insurer::Leuchtturm).issuer;
        let (mut one, other) = (connect(issuer).await, connect(issuer).await);
        let bundle = bundle(&mut one).await;
        let verdict = verdict(&bundle, &other);
        assert_eq!(verdict.overall(), Overall::Refused, "{verdict}");
        assert!(
            matches!(
                verdict.state(Subject::Tls),
                Some(State::Refused {
                    code: "binding.proof_invalid",
                    ..
                })
            ),
            "{verdict}"
        );
    });
}

#[test]
fn a_question_without_a_nonce_is_refused_with_its_rule() {
    run(async {
        let client = HttpClient::builder(common::sandbox().roots(), AddressRule::LoopbackAllowed)
            .build()
            .unwrap();
        let issuer = &common::sandbox().addresses().insurer(Insurer::Leuchtturm).issuer;
        let origin = url::Url::parse(issuer).unwrap().origin().ascii_serialization();
        for query in ["", "?nonce=", "?nonce=AAAA", "?nonce=x&nonce=y"] {
            let answer = client
                .get(&format!("{origin}{EVIDENCE_PATH}{query}"), &[])
                .await
                .unwrap();
            assert_eq!(answer.status, 400, "{query}");
            let body: Value = answer.json().unwrap();
            assert_eq!(body["error"], "invalid_request");
            assert!(body["error_description"].as_str().unwrap().contains("nonce"), "{body}");
        }
    });
}

#[test]
fn a_phone_judges_the_provider_before_it_signs_and_stops_where_evidence_is_refused() {
    run(async {
        let sandbox = common::sandbox();
        let issuer = &sandbox.addresses().insurer(Insurer::Leuchtturm).issuer;
        let check = ProviderCheck {
            pins: pins(),
            roots: sandbox.roots().clone(),
            address_rule: AddressRule::LoopbackAllowed,
            loopback_names: Vec::new(),
        };
        let verdict = check.of(issuer, NONCE, sandbox.now()).await.unwrap();
        assert_eq!(verdict.overall(), Overall::Unprotected, "{verdict}");

        // The manifest's validity is over.
        let later = sandbox.now().plus_seconds(3_650 * 86_400);
        let refused = check.of(issuer, NONCE, later).await.unwrap_err();
        assert!(matches!(refused, ProviderCheckError::Refused { .. }), "{refused}");

        // Nobody else's word counts.
        let portal = &sandbox.addresses().master;
        let none = check.of(portal, NONCE, sandbox.now()).await.unwrap_err();
        assert!(
            matches!(
                none,
                ProviderCheckError::Answer(AnswerError::Status { status: 404, .. })
            ),
            "{none}"
        );
    });
}
