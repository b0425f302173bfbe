//! Client authentication by the certificate of the real handshake (digest 4.1, RFC 8705 §2.2, A_22991, A_22654).

use base64::Engine as _;
use transport::{HttpResponse, certificate_thumbprint};

use crate::common::clock::NOW;
use crate::common::pki::{ClientCertificate, DAY};
use crate::common::{Fields, Harness, Service, wire};

/// Pushes, and redeems a code that does not exist: what both endpoints say about the certificate.
async fn ask_both(harness: &Harness, service: &Service) -> [HttpResponse; 2] {
    let push = service.request(harness);
    [
        service.push(&harness.path, &push).await,
        service.redeem(&harness.path, &push, "no-code").await,
    ]
}

/// The push succeeds, and the token endpoint comes as far as looking at the code.
fn assert_admitted(answers: &[HttpResponse; 2]) {
    wire::json(&answers[0], 201);
    wire::assert_refused(&answers[1], 400, "invalid_grant");
}

#[tokio::test]
async fn without_a_certificate_nobody_is_a_client() {
    let harness = Harness::start().await;
    let mut service = harness.service();
    service.show(None);
    for answer in ask_both(&harness, &service).await {
        let refused = wire::assert_refused(&answer, 400, "invalid_request");
        assert!(refused.description.contains("no TLS client certificate"));
    }
}

#[tokio::test]
async fn a_wrong_certificate_is_answered_with_the_thumbprints_seen_and_expected() {
    let harness = Harness::start().await;
    let mut service = harness.service();
    let stranger = ClientCertificate::new();
    service.show(Some(&stranger));
    for answer in ask_both(&harness, &service).await {
        let refused = wire::assert_refused(&answer, 401, "invalid_client");
        let seen = certificate_thumbprint(&stranger.der);
        let expected = certificate_thumbprint(&service.certificates[0].der);
        assert!(
            refused
                .description
                .contains(&format!("seen x5t#S256 {seen}, expected {expected}")),
            "{}",
            refused.description
        );
    }
}

#[tokio::test]
async fn another_services_certificate_is_a_wrong_one() {
    let harness = Harness::start().await;
    let mut service = harness.service();
    let other = Service::new("https://other.example");
    other.join(&harness.federation);
    assert_admitted(&ask_both(&harness, &other).await);
    service.show(Some(&other.certificates[0]));
    for answer in ask_both(&harness, &service).await {
        wire::assert_refused(&answer, 401, "invalid_client");
    }
}

#[tokio::test]
async fn every_published_certificate_is_accepted() {
    let harness = Harness::start().await;
    let mut service = Service::new("https://several.example");
    for _ in 0..2 {
        service.certificates.push(ClientCertificate::new());
    }
    service.join(&harness.federation);
    for certificate in service.certificates.clone() {
        service.show(Some(&certificate));
        assert_admitted(&ask_both(&harness, &service).await);
    }
}

#[tokio::test]
async fn a_certificate_outside_its_validity_is_refused() {
    let harness = Harness::start().await;
    for (client_id, certificate) in [
        (
            "https://expired.example",
            ClientCertificate::valid(NOW.minus_seconds(300 * DAY), NOW.minus_seconds(1)),
        ),
        (
            "https://early.example",
            ClientCertificate::valid(NOW.plus_seconds(1), NOW.plus_seconds(300 * DAY)),
        ),
    ] {
        let mut service = Service::new(client_id);
        service.certificates.push(certificate.clone());
        service.join(&harness.federation);
        service.show(Some(&certificate));
        for answer in ask_both(&harness, &service).await {
            let refused = wire::assert_refused(&answer, 401, "invalid_client");
            assert!(refused.description.contains("GS-A_4662"));
        }
    }
}

#[tokio::test]
async fn a_certificate_may_be_used_to_its_last_second() {
    let harness = Harness::start().await;
    let mut service = Service::new("https://last.example");
    let certificate = ClientCertificate::valid(NOW, NOW);
    service.certificates.push(certificate.clone());
    service.join(&harness.federation);
    service.show(Some(&certificate));
    assert_admitted(&ask_both(&harness, &service).await);
}

#[tokio::test]
async fn a_certificate_in_a_header_is_never_looked_at() {
    let harness = Harness::start().await;
    let mut service = harness.service();
    let genuine = service.certificates[0].clone();
    service.show(None);
    let base64 = base64::engine::general_purpose::STANDARD.encode(&genuine.der);
    let pem = format!("-----BEGIN CERTIFICATE-----%0A{base64}%0A-----END CERTIFICATE-----%0A");
    let rfc_9440 = format!(":{base64}:");
    let push = service.request(&harness);
    let body = form(&push.fields);
    let url = format!("{}/par", harness.path.mtls);
    for (header, value) in [
        ("x-ssl-cert", &pem),
        ("ssl-client-cert", &pem),
        ("x-client-cert", &pem),
        ("x-forwarded-client-cert", &pem),
        ("client-cert", &rfc_9440),
    ] {
        let headers = [("content-type", "application/x-www-form-urlencoded"), (header, value)];
        let answer = service.send(http::Method::POST, &url, &headers, &body).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
    // Nor does it help a connection that shows another one.
    service.show(Some(&ClientCertificate::new()));
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-ssl-cert", pem.as_str()),
    ];
    let answer = service.send(http::Method::POST, &url, &headers, &body).await;
    wire::assert_refused(&answer, 401, "invalid_client");
}

pub fn form(fields: &Fields) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&fields.0)
        .finish()
}

#[tokio::test]
async fn a_failed_certificate_check_does_not_burn_the_code() {
    let harness = Harness::start().await;
    let mut service = harness.service();
    let ada = harness.ada().await;
    let genuine = service.certificates[0].clone();
    let push = service.request(&harness);
    let code = harness.code(&harness.path, &service, &push, &ada).await;
    service.show(Some(&ClientCertificate::new()));
    let answer = service.redeem(&harness.path, &push, &code).await;
    wire::assert_refused(&answer, 401, "invalid_client");
    service.show(None);
    let answer = service.redeem(&harness.path, &push, &code).await;
    wire::assert_refused(&answer, 400, "invalid_request");
    service.show(Some(&genuine));
    harness.redeemed(&harness.path, &service, &push, &code).await;
}

#[tokio::test]
async fn a_rolled_certificate_works_in_the_same_request_at_both_endpoints() {
    let harness = Harness::start().await;
    let mut service = harness.service();
    let ada = harness.ada().await;
    harness.login(&harness.path, &service, &ada).await;
    // Published beside the old one, used at once.
    service.certificates.push(ClientCertificate::new());
    service.join(&harness.federation);
    service.show(Some(&service.certificates[1].clone()));
    harness.clock.advance(60);
    let push = service.request(&harness);
    let code = harness.code(&harness.path, &service, &push, &ada).await;
    // And once more between push and redemption.
    service.certificates.push(ClientCertificate::new());
    service.join(&harness.federation);
    service.show(Some(&service.certificates[2].clone()));
    harness.clock.advance(30);
    harness.redeemed(&harness.path, &service, &push, &code).await;
}

#[tokio::test]
async fn a_withdrawn_certificate_is_refused_once_the_statement_is_read_again() {
    let harness = Harness::start().await;
    let mut service = harness.service();
    let ada = harness.ada().await;
    let old = service.certificates[0].clone();
    harness.login(&harness.path, &service, &ada).await;
    service.certificates = vec![ClientCertificate::new()];
    service.join(&harness.federation);
    service.show(Some(&service.certificates[0].clone()));
    harness.clock.advance(60);
    assert_admitted(&ask_both(&harness, &service).await);
    service.show(Some(&old));
    for answer in ask_both(&harness, &service).await {
        wire::assert_refused(&answer, 401, "invalid_client");
    }
}

#[tokio::test]
async fn a_wrong_certificate_does_not_make_us_ask_the_federation_again_and_again() {
    let harness = Harness::start().await;
    let mut service = harness.service();
    assert_admitted(&ask_both(&harness, &service).await);
    harness.clock.advance(provider::RELOAD_PAUSE_SECONDS);
    service.show(Some(&ClientCertificate::new()));
    harness.federation.take_fetched();
    for _ in 0..5 {
        for answer in ask_both(&harness, &service).await {
            wire::assert_refused(&answer, 401, "invalid_client");
        }
    }
    // Once: the statement about it, and its own.
    assert_eq!(harness.federation.take_fetched().len(), 2);
}

#[tokio::test]
async fn a_wrong_certificate_does_not_make_us_ask_again_and_again_while_the_federation_is_silent() {
    let harness = Harness::start().await;
    let mut service = harness.service();
    assert_admitted(&ask_both(&harness, &service).await);
    harness.clock.advance(provider::RELOAD_PAUSE_SECONDS);
    harness.federation.take_master_down(&[&service.client_id]);
    service.show(Some(&ClientCertificate::new()));
    harness.federation.take_fetched();
    for _ in 0..5 {
        for answer in ask_both(&harness, &service).await {
            wire::assert_refused(&answer, 401, "invalid_client");
        }
    }
    assert_eq!(harness.federation.take_fetched().len(), 1);
    // What is known stays usable.
    service.show(Some(&service.certificates[0].clone()));
    assert_admitted(&ask_both(&harness, &service).await);
}
