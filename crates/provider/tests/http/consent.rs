//! What the person releases (digest 7.2; A_22832, A_22939, A_22990), and what is remembered of it.

use serde_json::{Value, json};

use super::authorize::{authorization_url, consent_url};
use crate::common::{Answered, Harness, Push, Redirect, Service, wire};

const EMAIL: &str = "urn:telematik:claims:email";
const KVNR: &str = "urn:telematik:claims:id";
const AGE: &str = "urn:telematik:claims:alter";

/// A request for these scopes, with the insurance number essential.
fn request(harness: &Harness, service: &Service) -> Push {
    let claims = json!({"id_token": {KVNR: {"essential": true}}});
    service
        .request(harness)
        .with(
            "scope",
            "openid urn:telematik:email urn:telematik:alter urn:telematik:versicherter",
        )
        .with("claims", &claims.to_string())
}

/// Claims about the person in a token.
fn released(body: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = crate::common::members(body);
    names.retain(|name| name.starts_with("urn:telematik:claims:") || *name == "birthdate");
    names
}

#[tokio::test]
async fn single_claims_can_be_refused_and_the_login_still_succeeds() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    for (granted, expected) in [
        (&[][..], &[KVNR][..]),
        (&[EMAIL], &[EMAIL, KVNR]),
        (&[AGE, EMAIL], &[AGE, EMAIL, KVNR]),
    ] {
        let push = request(&harness, &service);
        let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
        let code = harness.approved(&harness.path, &answered, Some(granted)).await;
        let token = harness.redeemed(&harness.path, &service, &push, &code).await;
        assert_eq!(released(&token.body), expected);
    }
}

#[tokio::test]
async fn everything_voluntary_can_be_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    assert_eq!(answered.names("voluntary").len(), 10);
    let code = harness.approved(&harness.path, &answered, Some(&[])).await;
    let token = harness.redeemed(&harness.path, &service, &push, &code).await;
    assert_eq!(released(&token.body), Vec::<&str>::new());
}

#[tokio::test]
async fn essential_claims_cannot_be_dropped_one_by_one() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let claims = json!({"id_token": {KVNR: {"essential": true}, EMAIL: {"essential": true}}});
    let push = request(&harness, &service).with("claims", &claims.to_string());
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    assert_eq!(answered.names("essential"), [EMAIL, KVNR]);
    // Leaving them out of the selection releases them all the same; naming one of them as a voluntary one is an error.
    let code = harness.approved(&harness.path, &answered, Some(&[])).await;
    let token = harness.redeemed(&harness.path, &service, &push, &code).await;
    assert_eq!(released(&token.body), [EMAIL, KVNR]);
    let push = request(&harness, &service).with("claims", &claims.to_string());
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    let decision = json!({"decision": "approve", "claims": [KVNR]});
    let answer = harness.decide(&harness.path, &answered, &decision).await;
    wire::assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn nothing_can_be_released_that_was_not_asked_for() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = request(&harness, &service);
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    for claims in [
        json!(["birthdate"]),
        json!([EMAIL, "urn:telematik:claims:given_name"]),
        json!(["urn:telematik:claims:unknown"]),
        json!(["sub"]),
        json!([""]),
    ] {
        let decision = json!({"decision": "approve", "claims": claims});
        let answer = harness.decide(&harness.path, &answered, &decision).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
    // The login is still open.
    harness.approved(&harness.path, &answered, None).await;
}

#[tokio::test]
async fn a_malformed_decision_is_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = request(&harness, &service);
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    for decision in [
        json!({}),
        json!({"decision": "maybe"}),
        json!({"decision": true}),
        json!({"decision": "approve", "claims": EMAIL}),
        json!({"decision": "approve", "claims": [7]}),
        json!({"decision": "approve", "remember": "yes"}),
        json!({"decision": "approve", "acr": "gematik-ehealth-loa-high"}),
    ] {
        let answer = harness.decide(&harness.path, &answered, &decision).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
}

/// Logs in by card up to the question.
async fn asked(harness: &Harness, service: &Service, push: &Push) -> Answered {
    let ada = crate::common::Person::ada();
    harness.authenticated(&harness.path, service, push, &ada).await
}

#[tokio::test]
async fn a_decision_is_remembered_for_one_service_and_one_set_of_claims() {
    let harness = Harness::start().await;
    let service = harness.service();
    harness.ada().await;
    let push = request(&harness, &service);
    let answered = asked(&harness, &service, &push).await;
    assert!(!answered.is_remembered());
    let code = harness
        .approved_and_remembered(&harness.path, &answered, &[EMAIL])
        .await;
    // Not yet: it counts with the redemption.
    assert!(
        !asked(&harness, &service, &request(&harness, &service))
            .await
            .is_remembered()
    );
    harness.redeemed(&harness.path, &service, &push, &code).await;
    assert!(
        asked(&harness, &service, &request(&harness, &service))
            .await
            .is_remembered()
    );
    // More, or less, or another service: asked again.
    let more = service.request(&harness);
    assert!(!asked(&harness, &service, &more).await.is_remembered());
    let less = request(&harness, &service).with("scope", "openid urn:telematik:versicherter");
    assert!(!asked(&harness, &service, &less).await.is_remembered());
    let other = Service::new("https://other.example");
    other.join(&harness.federation);
    assert!(
        !asked(&harness, &other, &request(&harness, &other))
            .await
            .is_remembered()
    );
    // The service wants to be sure.
    let sure = request(&harness, &service).with("prompt", "consent");
    assert!(!asked(&harness, &service, &sure).await.is_remembered());
    // The same claims, but now one is essential that she had refused.
    let claims = json!({"id_token": {KVNR: {"essential": true}, AGE: {"essential": true}}});
    let essential = request(&harness, &service).with("claims", &claims.to_string());
    assert!(!asked(&harness, &service, &essential).await.is_remembered());
    // Still there after a long time.
    harness.clock.advance(200 * 86_400);
    harness.provider.drop_expired().await.unwrap();
    assert!(
        asked(&harness, &service, &request(&harness, &service))
            .await
            .is_remembered()
    );
}

#[tokio::test]
async fn a_new_decision_replaces_the_old_one() {
    let harness = Harness::start().await;
    let service = harness.service();
    harness.ada().await;
    for granted in [&[EMAIL][..], &[AGE], &[]] {
        let push = request(&harness, &service).with("prompt", "consent");
        let answered = asked(&harness, &service, &push).await;
        let code = harness.approved_and_remembered(&harness.path, &answered, granted).await;
        harness.redeemed(&harness.path, &service, &push, &code).await;
        // In a browser the remembered decision answers by itself.
        let push = request(&harness, &service);
        let code = remembered_in_browser(&harness, &service, &push).await;
        let token = harness.redeemed(&harness.path, &service, &push, &code).await;
        let mut expected = [granted, &[KVNR]].concat();
        expected.sort_unstable();
        assert_eq!(released(&token.body), expected);
    }
}

/// A card login in a browser whose consent is remembered: no page, at once back to the service.
async fn remembered_in_browser(harness: &Harness, service: &Service, push: &Push) -> String {
    let ada = crate::common::Person::ada();
    let request_uri = harness.pushed(&harness.path, service, push).await;
    let browser = harness.browser();
    let url = authorization_url(&harness.path, &service.client_id, &request_uri);
    let page = browser.get(&url, &[]).await.unwrap().text();
    let link = Redirect::parse(&wire::attribute(&page, "class=\"button\"", "href"));
    let body = json!({"client_id": service.client_id, "login": link.value("login").unwrap()});
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    let challenged = harness.read_challenge(&service.client_id, &answer);
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    assert!(answered.is_remembered());
    let url = consent_url(&harness.path, &service.client_id, &answered.login);
    harness.secret(Redirect::of(&browser.get(&url, &[]).await.unwrap()).code())
}

#[tokio::test]
async fn a_decision_at_one_insurer_says_nothing_at_another() {
    let harness = Harness::start().await;
    let service = harness.service();
    let tom = crate::common::Person::tom();
    harness.import(&harness.host, &tom.data()).await;
    let ada = harness.ada().await;
    let push = request(&harness, &service);
    let answered = harness.authenticated(&harness.host, &service, &push, &tom).await;
    let code = harness.approved_and_remembered(&harness.host, &answered, &[]).await;
    harness.redeemed(&harness.host, &service, &push, &code).await;
    let push = request(&harness, &service);
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    assert!(!answered.is_remembered());
}

#[tokio::test]
async fn the_page_shows_needed_and_voluntary_apart_in_both_languages() {
    let harness = Harness::start().await;
    let service = harness.service();
    harness.ada().await;
    let push = request(&harness, &service);
    let answered = asked(&harness, &service, &push).await;
    let url = consent_url(&harness.path, &service.client_id, &answered.login);
    for (language, needed, number, email) in [
        ("de", "Wird gebraucht", "Versichertennummer", "E-Mail-Adresse"),
        ("en", "Needed", "Health insurance number", "E-mail address"),
    ] {
        let headers = [("accept-language", language)];
        let page = wire::page(&harness.app().get(&url, &headers).await.unwrap(), 200, language);
        let (before, voluntary) = page.split_once("<fieldset").unwrap();
        assert!(before.contains(needed) && before.contains(number));
        assert!(!voluntary.contains(&format!("<span>{number}</span>")));
        assert!(voluntary.contains(email) && voluntary.contains("name=\"release.urn:telematik:email\""));
        // Article 25(2) GDPR: what nobody chose is not shared, and not remembered.
        assert!(!page.contains("checked"), "{page}");
        // What the insurer knows about her is not shown to whoever holds the address of the page.
        assert!(!page.contains("Q000123451") && !page.contains("Musterfrau"));
    }
}

#[tokio::test]
async fn a_consent_page_of_a_service_that_asks_for_nothing_says_so() {
    let harness = Harness::start().await;
    let service = harness.service();
    harness.ada().await;
    let answered = asked(&harness, &service, &service.request(&harness).with("scope", "openid")).await;
    let url = consent_url(&harness.path, &service.client_id, &answered.login);
    let page = wire::page(&harness.app().get(&url, &[]).await.unwrap(), 200, "de");
    assert!(page.contains("fragt nach keinen Angaben"));
}

#[tokio::test]
async fn records_of_the_longest_service_and_device_names_fit() {
    let harness = Harness::start().await;
    let client_id = format!("https://long.example/{}", "x".repeat(1900));
    let mut service = Service::new(&client_id);
    service.redirect_uri = "https://long.example/return".to_owned();
    let mut published = service.published();
    published.party.client_name = "Ü".repeat(5000);
    harness.federation.publish(&client_id, published);
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let challenged = harness.challenged(&harness.path, &service, &push).await;
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let device = crate::common::Device::unbound();
    let mut binding = device.binding(&challenged, &answered, crate::common::HIGH_CLASS);
    binding["name"] = json!("🏥".repeat(64));
    wire::json(&harness.api(&harness.path, "/devices", &binding).await, 201);
    let voluntary = answered.names("voluntary");
    let code = harness
        .approved_and_remembered(&harness.path, &answered, &voluntary)
        .await;
    harness.redeemed(&harness.path, &service, &push, &code).await;
    let answered = harness
        .authenticated(&harness.path, &service, &service.request(&harness), &ada)
        .await;
    assert!(answered.is_remembered());
}
