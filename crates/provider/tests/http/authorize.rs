//! The authorization endpoint (digest 5; A_22257, A_22311, A_22324, A_22325-01, A_22993): lifetimes, whose request it is, and how errors look.

use serde_json::json;
use transport::{HttpClient, HttpResponse};

use crate::common::{Harness, Insurer, Redirect, Service, wire};

const HTML: (&str, &str) = (
    "accept",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
);

pub fn authorization_url(insurer: &Insurer, client_id: &str, request_uri: &str) -> String {
    let mut url = url::Url::parse(&format!("{}/auth", insurer.issuer)).unwrap();
    url.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair("request_uri", request_uri);
    url.into()
}

async fn open(client: &HttpClient, insurer: &Insurer, client_id: &str, request_uri: &str) -> HttpResponse {
    let url = authorization_url(insurer, client_id, request_uri);
    client.get(&url, &[]).await.unwrap()
}

#[tokio::test]
async fn a_request_can_be_opened_several_times_while_it_lives() {
    let harness = Harness::start().await;
    let service = harness.service();
    let request_uri = harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
    for seconds in [0, 60, 30] {
        harness.clock.advance(seconds);
        let answer = open(harness.app(), &harness.path, &service.client_id, &request_uri).await;
        let page = wire::page(&answer, 200, "de");
        assert!(page.contains("Patientenakte"));
        let answer = harness.challenge(&harness.path, &service.client_id, &request_uri).await;
        harness.read_challenge(&service.client_id, &answer);
    }
}

#[tokio::test]
async fn a_request_older_than_90_seconds_is_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let request_uri = harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
    for seconds in [91, 1000, 100_000] {
        harness.clock.advance(seconds);
        let answer = open(harness.app(), &harness.path, &service.client_id, &request_uri).await;
        wire::assert_refused(&answer, 400, "invalid_request");
        let answer = harness.challenge(&harness.path, &service.client_id, &request_uri).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
}

#[tokio::test]
async fn unknown_and_changed_request_uris_are_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let good = harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
    let last = good.chars().last().unwrap();
    let changed = format!("{}{}", &good[..good.len() - 1], if last == 'A' { 'B' } else { 'A' });
    let (prefix, sealed) = good.rsplit_once(':').unwrap();
    let first_half = &sealed[..sealed.len() / 2];
    let long = "x".repeat(2001);
    for request_uri in [
        "urn:ietf:params:oauth:request_uri:unknown",
        "urn:ietf:params:oauth:request_uri:",
        "https://record.example/request",
        sealed,
        &changed,
        &format!("{prefix}:{first_half}"),
        &format!("{prefix}:{sealed}{sealed}"),
        &long,
    ] {
        let answer = open(harness.app(), &harness.path, &service.client_id, request_uri).await;
        wire::assert_refused(&answer, 400, "invalid_request");
        let answer = harness.challenge(&harness.path, &service.client_id, request_uri).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
}

#[tokio::test]
async fn a_request_belongs_to_one_client_and_one_insurer() {
    let harness = Harness::start().await;
    let service = harness.service();
    let other = Service::new("https://other.example");
    other.join(&harness.federation);
    let request_uri = harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
    for (insurer, client_id) in [
        (&harness.path, other.client_id.as_str()),
        (&harness.path, "https://unknown.example"),
        (&harness.host, service.client_id.as_str()),
    ] {
        let answer = open(harness.app(), insurer, client_id, &request_uri).await;
        let refused = wire::assert_refused(&answer, 400, "invalid_request");
        assert!(answer.location().is_none());
        assert!(!refused.description.contains("redirect"));
        let answer = harness.challenge(insurer, client_id, &request_uri).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
}

#[tokio::test]
async fn a_missing_or_repeated_parameter_is_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let request_uri = harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
    let auth = format!("{}/auth", harness.path.issuer);
    let whole = authorization_url(&harness.path, &service.client_id, &request_uri);
    for url in [
        auth.clone(),
        format!("{auth}?"),
        format!("{auth}?client_id={}", service.client_id),
        format!("{auth}?request_uri={request_uri}"),
        format!("{auth}?client_id=&request_uri={request_uri}"),
        format!("{whole}&client_id=x"),
        format!("{whole}&state=1&state=2"),
        format!("{whole}&x=%zz"),
    ] {
        let answer = harness.app().get(&url, &[]).await.unwrap();
        wire::assert_refused(&answer, 400, "invalid_request");
    }
}

#[tokio::test]
async fn errors_are_json_unless_a_page_is_preferred() {
    let harness = Harness::start().await;
    let url = format!("{}/auth?client_id=x", harness.path.issuer);
    for headers in [&[][..], &[("accept", "*/*")], &[("accept", "application/json")]] {
        let answer = harness.app().get(&url, headers).await.unwrap();
        wire::assert_refused(&answer, 400, "invalid_request");
    }
    for (language, accepted, sentence) in [
        ("de", "de-DE,de;q=0.9,en;q=0.8", "Das hat nicht geklappt"),
        ("en", "en-GB,en;q=0.9", "That did not work"),
        ("de", "tr", "Das hat nicht geklappt"),
    ] {
        for url in [url.clone(), format!("{}/nothing", harness.path.issuer)] {
            let headers = [HTML, ("accept-language", accepted)];
            let answer = harness.app().get(&url, &headers).await.unwrap();
            let status = if url.ends_with("nothing") { 404 } else { 400 };
            let page = wire::page(&answer, status, language);
            assert!(page.contains(sentence), "{page}");
            let code = page.split_once("class=\"support-code\">").unwrap().1;
            wire::assert_stands_in_the_log(&code[..9]);
        }
    }
}

#[tokio::test]
async fn a_page_shows_a_services_name_as_text() {
    let harness = Harness::start().await;
    let service = Service::new("https://markup.example");
    let mut published = service.published();
    published.party.client_name = "<script>alert(1)</script>\u{202e}\" onload=\"x".to_owned();
    published.party.logo_uri = Some("https://markup.example/logo.svg?\"><img src=x>".to_owned());
    harness.federation.publish(&service.client_id, published);
    let request_uri = harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
    let answer = open(harness.app(), &harness.path, &service.client_id, &request_uri).await;
    let page = wire::page(&answer, 200, "de");
    assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains("<img src=x>"));
    assert!(!page.contains("\" onload="));
}

#[tokio::test]
async fn the_login_page_leads_to_the_authenticator_with_the_login_in_hand() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let request_uri = harness.pushed(&harness.path, &service, &push).await;
    let browser = harness.browser();
    let answer = open(&browser, &harness.path, &service.client_id, &request_uri).await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.ends_with("; Path=/109900019; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    let page = wire::page(&answer, 200, "de");
    assert!(page.contains("alle Personen und Karten hier sind erfunden") || page.contains("Testumgebung"));
    let link = Redirect::parse(&wire::attribute(&page, "class=\"button\"", "href"));
    assert_eq!(link.base(), "https://wallet.example/card");
    assert_eq!(link.names(), ["issuer", "client_id", "login"]);
    assert_eq!(link.value("issuer").unwrap(), harness.path.issuer);
    let login = harness.secret(link.value("login").unwrap());

    // The authenticator goes on with that login, and the browser comes back.
    let body = json!({"client_id": service.client_id, "login": login});
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    let challenged = harness.read_challenge(&service.client_id, &answer);
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let code = consent_in_browser(&harness, &browser, &service, &answered.login).await;
    harness.redeemed(&harness.path, &service, &push, &code).await;
}

/// Approves everything on the consent page and gives the code.
pub async fn consent_in_browser(harness: &Harness, browser: &HttpClient, service: &Service, login: &str) -> String {
    let url = consent_url(&harness.path, &service.client_id, login);
    let page = wire::page(&browser.get(&url, &[]).await.unwrap(), 200, "de");
    let login = harness.secret(wire::attribute(&page, "name=\"login\"", "value"));
    let mut fields = vec![
        ("client_id".to_owned(), service.client_id.clone()),
        ("login".to_owned(), login),
        ("decision".to_owned(), "approve".to_owned()),
    ];
    for box_name in page.split("name=\"release.").skip(1) {
        let name = box_name.split('"').next().unwrap();
        fields.push((format!("release.{name}"), "on".to_owned()));
    }
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let url = format!("{}/auth/consent", harness.path.issuer);
    let answer = browser.post_form(&url, &fields, &[]).await.unwrap();
    harness.secret(Redirect::of(&answer).code())
}

pub fn consent_url(insurer: &Insurer, client_id: &str, login: &str) -> String {
    let mut url = url::Url::parse(&format!("{}/auth/consent", insurer.issuer)).unwrap();
    url.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair("login", login);
    url.into()
}

#[tokio::test]
async fn a_login_of_one_browser_cannot_be_finished_in_another() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let request_uri = harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
    let (mine, other) = (harness.browser(), harness.browser());
    let page = open(&mine, &harness.path, &service.client_id, &request_uri)
        .await
        .text();
    // The other browser has a cookie of its own.
    open(&other, &harness.path, &service.client_id, &request_uri).await;
    let link = Redirect::parse(&wire::attribute(&page, "class=\"button\"", "href"));
    let body = json!({"client_id": service.client_id, "login": link.value("login").unwrap()});
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    let challenged = harness.read_challenge(&service.client_id, &answer);
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    for stranger in [&other, harness.app()] {
        let url = consent_url(&harness.path, &service.client_id, &answered.login);
        let answer = stranger.get(&url, &[]).await.unwrap();
        let refused = wire::assert_refused(&answer, 400, "invalid_request");
        assert!(refused.description.contains("another browser"));
        let url = format!("{}/auth/consent", harness.path.issuer);
        let form = [
            ("client_id", service.client_id.as_str()),
            ("login", &answered.login),
            ("decision", "approve"),
        ];
        let answer = stranger.post_form(&url, &form, &[]).await.unwrap();
        wire::assert_refused(&answer, 400, "invalid_request");
    }
    // Nor by the app's way in.
    let answer = harness
        .decide(&harness.path, &answered, &json!({"decision": "approve"}))
        .await;
    wire::assert_refused(&answer, 400, "invalid_request");
    consent_in_browser(&harness, &mine, &service, &answered.login).await;
}

#[tokio::test]
async fn without_an_authenticator_page_the_person_is_told_to_open_her_app() {
    let harness = Harness::with(crate::common::Setup {
        authenticator_url: None,
        ..Default::default()
    })
    .await;
    let service = harness.service();
    let request_uri = harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
    let answer = open(harness.app(), &harness.path, &service.client_id, &request_uri).await;
    let page = wire::page(&answer, 200, "de");
    assert!(page.contains("Öffnen Sie die App Ihrer Krankenkasse"));
}

#[tokio::test]
async fn declining_leads_back_with_access_denied_before_and_after_authentication() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let decline = json!({"decision": "decline"});
    let assert_declined = |redirect: Redirect, state: &str| {
        assert_eq!(redirect.base(), service.redirect_uri);
        assert_eq!(redirect.names(), ["error", "error_description", "state"]);
        assert_eq!(redirect.value("error").unwrap(), "access_denied");
        assert_eq!(redirect.value("state").unwrap(), state);
        let description = redirect.value("error_description").unwrap();
        wire::support_code_of(&description);
    };
    let push = service.request(&harness).with("state", "zwei Worte & mehr=#?");
    let state = push.fields.value("state");
    let challenged = harness.challenged(&harness.path, &service, &push).await;
    let before = crate::common::Answered {
        client_id: challenged.client_id.clone(),
        login: challenged.login.clone(),
        body: json!({}),
    };
    let answer = harness.decide(&harness.path, &before, &decline).await;
    assert_declined(harness.read_redirect(&answer), state);
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let answer = harness.decide(&harness.path, &answered, &decline).await;
    assert_declined(harness.read_redirect(&answer), state);
    // On the page too.
    let url = format!("{}/auth/consent", harness.path.issuer);
    let form = [
        ("client_id", service.client_id.as_str()),
        ("login", &challenged.login),
        ("decision", "decline"),
    ];
    let answer = harness.app().post_form(&url, &form, &[]).await.unwrap();
    assert_declined(Redirect::of(&answer), state);
}

#[tokio::test]
async fn an_address_with_a_query_keeps_it() {
    let harness = Harness::start().await;
    let mut service = Service::new("https://query.example");
    service.redirect_uri = "https://query.example/return?app=1&x=%C3%BC".to_owned();
    service.join(&harness.federation);
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    let answer = harness
        .decide(&harness.path, &answered, &json!({"decision": "approve"}))
        .await;
    let redirect = harness.read_redirect(&answer);
    assert!(
        redirect
            .0
            .as_str()
            .starts_with(&format!("{}&code=", service.redirect_uri))
    );
    assert_eq!(redirect.names(), ["app", "x", "code", "state"]);
    harness.redeemed(&harness.path, &service, &push, &redirect.code()).await;
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_was_withdrawn_since() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut published = service.published();
    published.lifetime_seconds = 60;
    harness.federation.publish(&service.client_id, published.clone());
    let push = service.request(&harness);
    let challenged = harness.challenged(&harness.path, &service, &push).await;
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    published.redirect_uris = vec!["https://record.example/ti/new".to_owned()];
    harness.federation.publish(&service.client_id, published);
    // The statement ends, and the next one lists another address.
    harness.clock.advance(61);
    for decision in ["approve", "decline"] {
        let answer = harness
            .decide(&harness.path, &answered, &json!({"decision": decision}))
            .await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
}
