//! Single sign-on, `prompt` and `max_age` (digest 4.2, 6.7, 8.3, 8.5; A_23030, A_27567).

use serde_json::{Value, json};
use transport::{HttpClient, HttpResponse};

use super::authorize::{authorization_url, consent_in_browser, consent_url};
use crate::common::clock::NOW;
use crate::common::{HIGH_CLASS, Harness, Person, Push, RECORD, Redirect, Service, Setup, policy, wire};

const OTHER: &str = "https://other.example";

/// Single sign-on for the record service, and not for the other one; sessions of 15 minutes.
async fn harness() -> Harness {
    let mut policy = policy();
    policy.sso.allowed_clients = vec![RECORD.to_owned()];
    Harness::with(Setup {
        policy,
        ..Setup::default()
    })
    .await
}

async fn open(harness: &Harness, browser: &HttpClient, service: &Service, push: &Push) -> HttpResponse {
    let request_uri = harness.pushed(&harness.path, service, push).await;
    let url = authorization_url(&harness.path, &service.client_id, &request_uri);
    browser.get(&url, &[]).await.unwrap()
}

/// A card login in this browser; gives the code.
async fn card_login(
    harness: &Harness,
    browser: &HttpClient,
    service: &Service,
    push: &Push,
    person: &Person,
) -> String {
    let page = wire::page(&open(harness, browser, service, push).await, 200, "de");
    let login = authenticated(harness, service, &page, person).await;
    consent_in_browser(harness, browser, service, &login).await
}

/// Goes on from the login page with the card.
async fn authenticated(harness: &Harness, service: &Service, page: &str, person: &Person) -> String {
    let link = Redirect::parse(&wire::attribute(page, "class=\"button\"", "href"));
    let body = json!({"client_id": service.client_id, "login": link.value("login").unwrap()});
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    let challenged = harness.read_challenge(&service.client_id, &answer);
    let answer = harness.answer_with_card(&harness.path, &challenged, person).await;
    harness.read_answer(&service.client_id, &answer).login
}

/// Whether the answer is the page that asks for the card.
fn asks_for_the_card(response: &HttpResponse) -> bool {
    response.status == 200 && response.text().contains("https://wallet.example/card")
}

/// Approves on the consent page that came at once, and gives the code.
async fn approve_page(harness: &Harness, browser: &HttpClient, service: &Service, response: &HttpResponse) -> String {
    let page = wire::page(response, 200, "de");
    assert!(!asks_for_the_card(response));
    let login = harness.secret(wire::attribute(&page, "name=\"login\"", "value"));
    consent_in_browser(harness, browser, service, &login).await
}

async fn signed_on(harness: &Harness, service: &Service, ada: &Person) -> HttpClient {
    let browser = harness.browser();
    let push = service.request(harness);
    let code = card_login(harness, &browser, service, &push, ada).await;
    harness.redeemed(&harness.path, service, &push, &code).await;
    browser
}

#[tokio::test]
async fn a_session_stands_for_the_card_and_the_token_says_when_she_really_acted() {
    let harness = harness().await;
    let ada = harness.ada().await;
    for (versions, amr, marker) in [
        (&["1.0.0"][..], "urn:telematik:auth:sso", Value::Null),
        (&["1.0.0", "2.0.0"], "urn:telematik:auth:other", json!("silent")),
    ] {
        let service = Service::new(RECORD).speaking(versions);
        service.join(&harness.federation);
        harness.clock.advance(24 * 3600);
        let browser = signed_on(&harness, &service, &ada).await;
        let acted = harness.clock_now();
        harness.clock.advance(600);
        let push = service.request(&harness);
        let answer = open(&harness, &browser, &service, &push).await;
        let code = approve_page(&harness, &browser, &service, &answer).await;
        let token = harness.redeemed(&harness.path, &service, &push, &code).await;
        assert_eq!(token.body["auth_time"], json!(acted));
        assert_eq!(token.body["iat"], json!(acted + 600));
        assert_eq!(token.body["acr"], "gematik-ehealth-loa-high");
        assert_eq!(token.body["amr"], json!([amr]));
        assert_eq!(token.body["urn:telematik:auth:interactive"], marker);
    }
}

#[tokio::test]
async fn a_session_ends_after_its_time_and_is_not_prolonged_by_use() {
    let harness = harness().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let browser = signed_on(&harness, &service, &ada).await;
    for _ in 0..3 {
        harness.clock.advance(300);
        let push = service.request(&harness);
        let answer = open(&harness, &browser, &service, &push).await;
        approve_page(&harness, &browser, &service, &answer).await;
    }
    assert_eq!(harness.clock_now(), NOW.0 + 900);
    harness.clock.advance(1);
    let answer = open(&harness, &browser, &service, &service.request(&harness)).await;
    assert!(asks_for_the_card(&answer));
}

#[tokio::test]
async fn only_admitted_services_are_entered_by_session() {
    let harness = harness().await;
    let service = harness.service();
    let other = Service::new(OTHER);
    other.join(&harness.federation);
    let ada = harness.ada().await;
    let browser = signed_on(&harness, &service, &ada).await;
    let answer = open(&harness, &browser, &other, &other.request(&harness)).await;
    assert!(asks_for_the_card(&answer));
    // Another browser has no part in it.
    let answer = open(&harness, &harness.browser(), &service, &service.request(&harness)).await;
    assert!(asks_for_the_card(&answer));
}

#[tokio::test]
async fn without_an_admitted_service_no_session_is_left_behind() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let browser = harness.browser();
    let page = open(&harness, &browser, &service, &service.request(&harness))
        .await
        .text();
    let login = authenticated(&harness, &service, &page, &ada).await;
    let form = [("client_id", RECORD), ("login", &login), ("decision", "approve")];
    let url = format!("{}/auth/consent", harness.path.issuer);
    let answer = browser.post_form(&url, &form, &[]).await.unwrap();
    Redirect::of(&answer);
    assert_eq!(answer.header("set-cookie"), None);
}

#[tokio::test]
async fn a_session_cookie_is_for_the_insurers_pages_only() {
    let harness = harness().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let browser = harness.browser();
    let page = open(&harness, &browser, &service, &service.request(&harness))
        .await
        .text();
    let login = authenticated(&harness, &service, &page, &ada).await;
    let form = [("client_id", RECORD), ("login", &login), ("decision", "approve")];
    let url = format!("{}/auth/consent", harness.path.issuer);
    let answer = browser.post_form(&url, &form, &[]).await.unwrap();
    let cookie = answer.header("set-cookie").unwrap();
    let (sealed, attributes) = cookie.split_once(';').unwrap();
    harness.secret(sealed.strip_prefix("healthid_session=").unwrap());
    assert_eq!(
        attributes,
        " Path=/109900019; HttpOnly; SameSite=Lax; Secure; Max-Age=900"
    );
}

#[tokio::test]
async fn a_fresh_login_is_forced_by_prompt_and_max_age() {
    let harness = harness().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let browser = signed_on(&harness, &service, &ada).await;
    harness.clock.advance(100);
    for (name, value, by_card) in [
        ("prompt", "login", true),
        ("prompt", "select_account", true),
        ("prompt", "login consent", true),
        ("max_age", "0", true),
        ("max_age", "99", true),
        ("max_age", "100", false),
        ("max_age", "9999999", false),
        ("prompt", "consent", false),
    ] {
        let push = service.request(&harness).with(name, value);
        let answer = open(&harness, &browser, &service, &push).await;
        assert_eq!(asks_for_the_card(&answer), by_card, "{name}={value}");
    }
    // Whoever does it anew has a fresh time in the token, however long she reads the consent page.
    let push = service.request(&harness).with("max_age", "0");
    let page = open(&harness, &browser, &service, &push).await.text();
    let login = authenticated(&harness, &service, &page, &ada).await;
    harness.clock.advance(200);
    let code = consent_in_browser(&harness, &browser, &service, &login).await;
    let token = harness.redeemed(&harness.path, &service, &push, &code).await;
    assert_eq!(token.body["auth_time"], json!(NOW.0 + 100));
    assert_eq!(token.body["amr"], json!(["urn:telematik:auth:eGK"]));
}

#[tokio::test]
async fn prompt_none_shows_no_page() {
    let harness = harness().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let silent = || service.request(&harness).with("prompt", "none");
    let assert_answered = |answer: HttpResponse, push: &Push, error: &str| {
        let redirect = Redirect::of(&answer);
        assert_eq!(redirect.base(), service.redirect_uri);
        assert_eq!(redirect.names(), ["error", "error_description", "state"]);
        assert_eq!(redirect.value("error").unwrap(), error);
        wire::support_code_of(&redirect.value("error_description").unwrap());
        assert_eq!(redirect.value("state").unwrap(), push.fields.value("state"));
    };
    let push = silent();
    let answer = open(&harness, &harness.browser(), &service, &push).await;
    assert_answered(answer, &push, "login_required");
    let browser = signed_on(&harness, &service, &ada).await;
    let push = silent();
    let answer = open(&harness, &browser, &service, &push).await;
    assert_answered(answer, &push, "consent_required");
    // Once her decision is remembered, nothing has to be asked.
    let push = service.request(&harness);
    let answer = open(&harness, &browser, &service, &push).await;
    let page = wire::page(&answer, 200, "de");
    let login = wire::attribute(&page, "name=\"login\"", "value");
    let form = [
        ("client_id", RECORD),
        ("login", &login),
        ("decision", "approve"),
        ("remember", "on"),
    ];
    let url = format!("{}/auth/consent", harness.path.issuer);
    let code = Redirect::of(&browser.post_form(&url, &form, &[]).await.unwrap()).code();
    harness.redeemed(&harness.path, &service, &push, &code).await;
    let push = silent();
    let redirect = Redirect::of(&open(&harness, &browser, &service, &push).await);
    harness.redeemed(&harness.path, &service, &push, &redirect.code()).await;
    // And when the session is over, she has to act again.
    harness.clock.advance(901);
    let push = silent();
    let answer = open(&harness, &browser, &service, &push).await;
    assert_answered(answer, &push, "login_required");
}

#[tokio::test]
async fn a_guest_leaves_no_session() {
    let harness = harness().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let claims = json!({"id_token": {"amr": {"essential": true, "value": "urn:telematik:auth:guest:eGK"}}});
    let push = service.request(&harness).with("claims", &claims.to_string());
    let browser = harness.browser();
    let code = card_login(&harness, &browser, &service, &push, &ada).await;
    let token = harness.redeemed(&harness.path, &service, &push, &code).await;
    assert_eq!(token.body["amr"], json!(["urn:telematik:auth:guest:eGK"]));
    let answer = open(&harness, &browser, &service, &service.request(&harness)).await;
    assert!(asks_for_the_card(&answer));
}

#[tokio::test]
async fn a_session_does_not_answer_a_demand_for_the_card() {
    let harness = harness().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let browser = signed_on(&harness, &service, &ada).await;
    for amr in ["urn:telematik:auth:eGK", "urn:telematik:auth:guest:eGK"] {
        let claims = json!({"id_token": {"amr": {"essential": true, "value": amr}}});
        let push = service.request(&harness).with("claims", &claims.to_string());
        let answer = open(&harness, &browser, &service, &push).await;
        assert!(asks_for_the_card(&answer), "{amr}");
    }
}

#[tokio::test]
async fn a_session_ends_with_the_device_it_began_with() {
    let harness = harness().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let browser = harness.browser();
    let page = open(&harness, &browser, &service, &service.request(&harness))
        .await
        .text();
    let link = Redirect::parse(&wire::attribute(&page, "class=\"button\"", "href"));
    let body = json!({"client_id": service.client_id, "login": link.value("login").unwrap()});
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    let challenged = harness.read_challenge(&service.client_id, &answer);
    let answer = harness
        .answer_with_device(&harness.path, &challenged, &mut device)
        .await;
    let login = harness.read_answer(&service.client_id, &answer).login;
    consent_in_browser(&harness, &browser, &service, &login).await;
    // The session redeems logins of its own.
    let push = service.request(&harness);
    let answer = open(&harness, &browser, &service, &push).await;
    let code = approve_page(&harness, &browser, &service, &answer).await;
    harness.redeemed(&harness.path, &service, &push, &code).await;
    // She locks the device: nothing goes on in its name, and she is asked for her card. Unlocked by the card it goes on.
    let account = harness.account(&harness.path, &ada).await;
    for (action, asks) in [("lock", true), ("unlock", false)] {
        let what = json!({"device": account.devices()[0], "action": action});
        wire::json(
            &harness.ask_account(&harness.path, &account, "devices", &what).await,
            200,
        );
        let answer = open(&harness, &browser, &service, &service.request(&harness)).await;
        assert_eq!(asks_for_the_card(&answer), asks, "{action}");
    }
    // She takes it back.
    let what = json!({"device": account.devices()[0]});
    wire::json(&harness.take_back(&harness.path, &account, &what).await, 200);
    let answer = open(&harness, &browser, &service, &service.request(&harness)).await;
    assert!(asks_for_the_card(&answer));
}

#[tokio::test]
async fn a_session_of_one_insurer_is_none_at_another() {
    let harness = harness().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let browser = harness.browser();
    let page = open(&harness, &browser, &service, &service.request(&harness))
        .await
        .text();
    let login = authenticated(&harness, &service, &page, &ada).await;
    let url = consent_url(&harness.path, RECORD, &login);
    browser.get(&url, &[]).await.unwrap();
    let form = [("client_id", RECORD), ("login", &login), ("decision", "approve")];
    let url = format!("{}/auth/consent", harness.path.issuer);
    let answer = browser.post_form(&url, &form, &[]).await.unwrap();
    let cookie = answer
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let request_uri = harness
        .pushed(&harness.host, &service, &service.request(&harness))
        .await;
    let url = authorization_url(&harness.host, RECORD, &request_uri);
    let answer = harness.app().get(&url, &[("cookie", &cookie)]).await.unwrap();
    assert!(asks_for_the_card(&answer));
}

#[tokio::test]
async fn a_broken_session_cookie_is_no_session_and_no_error() {
    let harness = harness().await;
    let service = harness.service();
    for cookie in [
        "healthid_session=",
        "healthid_session=AAAA",
        "healthid_session=%%%; healthid_browser=###",
        "healthid_browser=AAAAAAAAAAAAAAAAAAAAAA",
        ";;;=",
    ] {
        let request_uri = harness
            .pushed(&harness.path, &service, &service.request(&harness))
            .await;
        let url = authorization_url(&harness.path, RECORD, &request_uri);
        let answer = harness.app().get(&url, &[("cookie", cookie)]).await.unwrap();
        assert!(asks_for_the_card(&answer), "{cookie}");
    }
}
