//! More time (WCAG 2.2.1): a login is extended in the browser that began it, ten times in each step, and never once it is over.

use authenticator::Reason;
use oidc::login_state::{AUTHENTICATED_LIFETIME_SECONDS, MAX_EXTENSIONS, PENDING_LIFETIME_SECONDS};
use serde_json::{Value, json};
use transport::{HttpClient, HttpResponse};

use super::authorize::consent_url;
use crate::common::asking::{Asking, done};
use crate::common::{Answered, Challenged, HIGH_CLASS, Harness, Insurer, Redirect, wire};

fn extend_url(insurer: &Insurer, client_id: &str, login: &str) -> String {
    address(insurer, "/auth/extend", client_id, login)
}

fn address(insurer: &Insurer, path: &str, client_id: &str, login: &str) -> String {
    let mut url = url::Url::parse(&format!("{}{path}", insurer.issuer)).unwrap();
    url.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair("login", login);
    url.into()
}

impl Harness {
    /// More time in an app.
    async fn extend(&self, client_id: &str, login: &str) -> HttpResponse {
        let body = json!({"client_id": client_id, "login": login});
        self.api(&self.path, "/auth/extend", &body).await
    }

    async fn extend_in(&self, browser: &HttpClient, client_id: &str, login: &str) -> HttpResponse {
        let body = json!({"client_id": client_id, "login": login});
        let url = format!("{}/auth/extend", self.path.issuer);
        browser.post_json(&url, &body, &[]).await.unwrap()
    }

    /// More time on the page of a browser.
    async fn extended_page(&self, asking: &Asking) -> Asking {
        let url = extend_url(&self.path, &asking.client_id, &asking.login);
        let page = wire::page(&asking.browser.get(&url, &[]).await.unwrap(), 200, "de");
        asking.on(wire::attribute(&page, "<iframe", "src"))
    }

    /// The frame that says how long a login lives.
    async fn time(&self, browser: &HttpClient, client_id: &str, login: &str) -> String {
        let url = address(&self.path, "/auth/time", client_id, login);
        let answer = browser.get(&url, &[]).await.unwrap();
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'self'") && policy.contains("script-src 'self'"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer.text()
    }
}

#[tokio::test]
async fn a_browser_gets_more_time_ten_times_and_the_code_comes_to_it_once() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let first = harness.asking(&harness.path, &service, &push).await;
    let number = first.number().await;
    let commits = harness.store.commits();
    let mut asking = first.on(first.frame.clone());
    for _ in 0..MAX_EXTENSIONS {
        harness.clock.advance(PENDING_LIFETIME_SECONDS - 1);
        let later = harness.extended_page(&asking).await;
        assert_ne!(later.login, asking.login);
        asking = later;
        assert_eq!(
            (asking.state().await.as_str(), asking.number().await),
            ("waiting", number.clone())
        );
    }
    assert_eq!(harness.store.commits(), commits, "nothing is written for it");
    let enough = harness
        .extend_in(&asking.browser, &service.client_id, &asking.login)
        .await;
    wire::assert_reason(&enough, Reason::NoMoreTime);
    let url = extend_url(&harness.path, &service.client_id, &asking.login);
    let page = wire::page(
        &asking.browser.get(&url, &[("accept", "text/html")]).await.unwrap(),
        400,
        "de",
    );
    assert!(page.contains("Mehr Zeit gibt es für diese Anmeldung nicht."), "{page}");
    // The first one has ended so long ago that nothing of it is looked at any more; the last one lives to its last second.
    let ended = first.look().await;
    assert!(
        ended.contains("Diese Anmeldung kennen wir nicht oder nicht mehr."),
        "{ended}"
    );
    harness.clock.advance(PENDING_LIFETIME_SECONDS - 60);
    let answered = harness.on_the_phone(&harness.path, &asking, &ada).await;
    done(&harness.type_number(&harness.path, &answered, &number).await);
    harness.clock.advance(60);
    let code = harness.secret(Redirect::of(&asking.come_back().await).code());
    wire::assert_refused(&asking.come_back().await, 400, "invalid_request");
    harness.redeemed(&harness.path, &service, &push, &code).await;
    wire::assert_refused(&service.redeem(&harness.path, &push, &code).await, 400, "invalid_grant");
}

#[tokio::test]
async fn an_app_gets_a_new_question_and_then_more_time_to_decide() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let mut challenged = harness.challenged(&harness.path, &service, &push).await;
    assert_eq!(
        challenged.body["expires_at"],
        json!(harness.clock_now() + PENDING_LIFETIME_SECONDS)
    );
    let first = challenged.login_id();
    for left in (0..MAX_EXTENSIONS).rev() {
        harness.clock.advance(PENDING_LIFETIME_SECONDS);
        let answer = harness.extend(&service.client_id, &challenged.login).await;
        challenged = harness.read_challenge(&service.client_id, &answer);
        assert_eq!(challenged.login_id(), first);
        assert_eq!(
            challenged.body["expires_at"],
            json!(harness.clock_now() + PENDING_LIFETIME_SECONDS)
        );
        assert_eq!(challenged.body["extendable"], json!(left > 0));
    }
    let answer = harness.extend(&service.client_id, &challenged.login).await;
    wire::assert_reason(&answer, Reason::NoMoreTime);
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let mut answered = harness.read_answer(&service.client_id, &answer);
    for left in (0..MAX_EXTENSIONS).rev() {
        harness.clock.advance(AUTHENTICATED_LIFETIME_SECONDS);
        let answer = harness.extend(&service.client_id, &answered.login).await;
        answered = harness.read_answer(&service.client_id, &answer);
        assert_eq!(answered.body["extendable"], json!(left > 0));
    }
    let answer = harness.extend(&service.client_id, &answered.login).await;
    wire::assert_reason(&answer, Reason::NoMoreTime);
    let code = harness.approved(&harness.path, &answered, None).await;
    let token = harness.redeemed(&harness.path, &service, &push, &code).await;
    // When she authenticated is what it was.
    let known_at = harness.clock_now() - u64::from(MAX_EXTENSIONS) * AUTHENTICATED_LIFETIME_SECONDS;
    assert_eq!(token.body["auth_time"].as_u64().unwrap_or(known_at), known_at);
    harness.clock.advance(AUTHENTICATED_LIFETIME_SECONDS + 1);
    let late = harness.extend(&service.client_id, &answered.login).await;
    wire::assert_reason(&late, Reason::LoginExpired);
}

/// The same login, as it was before it was extended and as it is now.
async fn twice(harness: &Harness, answered: &Answered) -> Answered {
    let answer = harness.extend(&answered.client_id, &answered.login).await;
    harness.read_answer(&answered.client_id, &answer)
}

#[tokio::test]
async fn of_a_login_and_its_extension_one_code_is_redeemed() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    for old_first in [true, false] {
        let push = service.request(&harness);
        let old = harness.authenticated(&harness.path, &service, &push, &ada).await;
        // At the old end.
        harness.clock.advance(AUTHENTICATED_LIFETIME_SECONDS);
        let new = twice(&harness, &old).await;
        let codes = [
            harness.approved(&harness.path, &old, None).await,
            harness.approved(&harness.path, &new, None).await,
        ];
        let [first, second] = if old_first { [0, 1] } else { [1, 0] };
        harness.redeemed(&harness.path, &service, &push, &codes[first]).await;
        let again = service.redeem(&harness.path, &push, &codes[second]).await;
        wire::assert_refused(&again, 400, "invalid_grant");
        let again = service.redeem(&harness.path, &push, &codes[first]).await;
        wire::assert_refused(&again, 400, "invalid_grant");
        // At the new end.
        harness.clock.advance(AUTHENTICATED_LIFETIME_SECONDS);
        let decision = json!({"decision": "approve", "claims": []});
        let late = harness.decide(&harness.path, &new, &decision).await;
        wire::assert_reason(&late, Reason::LoginOver);
        let late = harness.extend(&service.client_id, &new.login).await;
        wire::assert_reason(&late, Reason::LoginOver);
    }
}

#[tokio::test]
async fn the_claim_outlives_every_copy_that_was_extended_before_it() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    // A claim is kept for the hour after its own: the shortest one is made in an hour's last second.
    let to_the_hour = 3_600 - harness.clock_now() % 3_600;
    harness.clock.advance(to_the_hour + 3_599 - 179);
    let push = service.request(&harness);
    let early = harness.challenged(&harness.path, &service, &push).await;
    let answer = harness.extend(&service.client_id, &early.login).await;
    let late = harness.read_challenge(&service.client_id, &answer);
    harness.clock.advance(179);
    let answer = harness.answer_with_card(&harness.path, &early, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let code = harness.approved(&harness.path, &answered, None).await;
    // Known twice before the claim: the second one goes on as far as it can.
    let answer = harness.answer_with_card(&harness.path, &late, &ada).await;
    let other = twice(&harness, &harness.read_answer(&service.client_id, &answer)).await;
    harness.redeemed(&harness.path, &service, &push, &code).await;
    let mut passed = 0;
    for seconds in [1, 298, 300, 1] {
        harness.clock.advance(seconds);
        passed += seconds;
        harness.provider().deliver_history().await.unwrap();
        for login in [&other.login, &late.login] {
            let answer = harness.extend(&service.client_id, login).await;
            wire::assert_reason(&answer, Reason::LoginOver);
        }
        let decision = json!({"decision": "approve", "claims": []});
        let answer = harness.decide(&harness.path, &other, &decision).await;
        wire::assert_reason(&answer, Reason::LoginOver);
    }
    assert_eq!(passed, AUTHENTICATED_LIFETIME_SECONDS);
}

#[tokio::test]
async fn what_is_over_gets_no_more_time_on_either_device() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    for end in ["approve", "fetch", "decline", "not-me", "phone-call", "wrong"] {
        let asking = harness
            .asking(&harness.path, &service, &service.request(&harness))
            .await;
        let number = asking.number().await;
        let answered = harness.on_the_phone(&harness.path, &asking, &ada).await;
        let link = harness.scanned(&asking).await;
        let opened = harness.opened(&harness.path, &link).await;
        match end {
            "approve" | "fetch" => {
                done(&harness.type_number(&harness.path, &answered, &number).await);
                if end == "fetch" {
                    assert_eq!(asking.come_back().await.status, 302);
                }
            }
            "decline" => {
                let decision = json!({"decision": "decline"});
                done(&harness.decide(&harness.path, &answered, &decision).await);
            }
            "wrong" => {
                let wrong = crate::common::asking::another(&number);
                let answer = harness.type_number(&harness.path, &answered, &wrong).await;
                wire::assert_reason(&answer, Reason::NumberWrong);
            }
            why => {
                let answer = harness
                    .abort(&harness.path, &service.client_id, &answered.login, why)
                    .await;
                assert_eq!(wire::json(&answer, 200), json!({}));
            }
        }
        for answer in [
            harness
                .extend_in(&asking.browser, &service.client_id, &asking.login)
                .await,
            harness.extend(&service.client_id, &answered.login).await,
            harness.extend(&service.client_id, &opened.login).await,
        ] {
            wire::assert_reason(&answer, Reason::LoginOver);
        }
        if end == "phone-call" {
            // Until she may approve again.
            harness.clock.advance(1_801);
        }
    }
}

#[tokio::test]
async fn only_the_browser_that_began_it_extends_it_and_only_what_was_sealed_here() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let asking = harness.asking(&harness.path, &service, &push).await;
    let other = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    for stranger in [&other.browser, &harness.browser()] {
        let answer = harness.extend_in(stranger, &service.client_id, &asking.login).await;
        wire::assert_reason(&answer, Reason::OtherBrowser);
        let url = extend_url(&harness.path, &service.client_id, &asking.login);
        let page = wire::page(
            &stranger.get(&url, &[("accept", "text/html")]).await.unwrap(),
            400,
            "de",
        );
        assert!(page.contains("in einem anderen Browser begonnen"), "{page}");
        let frame = harness.time(stranger, &service.client_id, &asking.login).await;
        assert!(!frame.contains("/auth/extend"), "{frame}");
    }
    // Decided in the browser that began it, too.
    let body = json!({"client_id": service.client_id, "login": asking.login});
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    let challenged = harness.read_challenge(&service.client_id, &answer);
    assert_eq!(
        challenged.body["extendable"],
        json!(false),
        "this app is not that browser"
    );
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let answer = harness.extend(&service.client_id, &answered.login).await;
    wire::assert_reason(&answer, Reason::OtherBrowser);
    let answer = harness
        .extend_in(&asking.browser, &service.client_id, &answered.login)
        .await;
    harness.read_answer(&service.client_id, &answer);

    let code = harness
        .code(&harness.path, &service, &service.request(&harness), &ada)
        .await;
    let mut changed = asking.login.clone().into_bytes();
    let last = changed.last_mut().unwrap();
    *last = if *last == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    let request_uri = harness.pushed(&harness.path, &service, &push).await;
    let pushed = request_uri.rsplit(':').next().unwrap();
    for login in ["", "x", &changed, &asking.login[1..], &code, pushed] {
        let answer = harness.extend_in(&asking.browser, &service.client_id, login).await;
        wire::assert_reason(&answer, Reason::LoginUnknown);
    }
    let elsewhere = json!({"client_id": service.client_id, "login": asking.login});
    let answer = harness.api(&harness.host, "/auth/extend", &elsewhere).await;
    wire::assert_reason(&answer, Reason::LoginUnknown);
    for body in [
        json!({"client_id": "https://stranger.example", "login": asking.login}),
        json!({"login": asking.login}),
        json!({"client_id": service.client_id, "login": asking.login, "seconds": 900}),
        json!([]),
    ] {
        let url = format!("{}/auth/extend", harness.path.issuer);
        let answer = asking.browser.post_json(&url, &body, &[]).await.unwrap();
        wire::assert_reason(&answer, Reason::Malformed);
    }
}

#[tokio::test]
async fn a_stolen_code_is_not_kept_alive_and_no_phone_hands_on_what_it_extended() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let number = asking.number().await;
    let link = harness.scanned(&asking).await;
    let scanned = link.value("login").unwrap();
    for browser in [&asking.browser, &harness.browser()] {
        let answer = harness.extend_in(browser, &service.client_id, &scanned).await;
        wire::assert_reason(&answer, Reason::Malformed);
    }
    // Whoever opened it gets a new question while the code is long gone, and nobody else can open what he holds.
    let opened = harness.opened(&harness.path, &link).await;
    harness.clock.advance(240);
    wire::assert_reason(&harness.open(&harness.path, &link).await, Reason::LoginExpired);
    let late = harness.answer_with_card(&harness.path, &opened, &ada).await;
    wire::assert_reason(&late, Reason::ChallengeExpired);
    let answer = harness.extend(&service.client_id, &opened.login).await;
    let opened = harness.read_challenge(&service.client_id, &answer);
    assert_eq!(opened.body["other_device"]["browser"], json!("Firefox"));
    let body = json!({"client_id": service.client_id, "login": opened.login});
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    wire::assert_reason(&answer, Reason::LoginExpired);
    // The phone's half alone leads nowhere: the browser's ended at its own time.
    let answer = harness.answer_with_card(&harness.path, &opened, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    harness.clock.advance(600);
    let answered = twice(&harness, &answered).await;
    harness.clock.advance(61);
    done(&harness.type_number(&harness.path, &answered, &number).await);
    wire::assert_refused(&asking.come_back().await, 400, "invalid_request");
}

/// The page where she decides, in the browser of a login.
async fn deciding(harness: &Harness, asking: &Asking, person: &crate::common::Person) -> (String, String) {
    let body = json!({"client_id": asking.client_id, "login": asking.login});
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    let challenged: Challenged = harness.read_challenge(&asking.client_id, &answer);
    let answer = harness.answer_with_card(&harness.path, &challenged, person).await;
    let answered = harness.read_answer(&asking.client_id, &answer);
    let url = consent_url(&harness.path, &asking.client_id, &answered.login);
    let page = wire::page(&asking.browser.get(&url, &[]).await.unwrap(), 200, "de");
    let login = harness.secret(wire::attribute(&page, "name=\"login\"", "value"));
    (page, login)
}

#[tokio::test]
async fn on_the_page_what_she_chose_stays() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let asking = harness.asking(&harness.path, &service, &push).await;
    let (page, login) = deciding(&harness, &asking, &ada).await;
    assert!(page.contains("value=\"more-time\"") && page.contains("release.urn:telematik:email"));
    harness.clock.advance(AUTHENTICATED_LIFETIME_SECONDS);
    let consent = format!("{}/auth/consent", harness.path.issuer);
    let fields = [
        ("client_id", service.client_id.as_str()),
        ("login", &login),
        ("decision", "more-time"),
        ("release.urn:telematik:alter", "on"),
        ("remember", "on"),
    ];
    let page = wire::page(
        &asking.browser.post_form(&consent, &fields, &[]).await.unwrap(),
        200,
        "de",
    );
    let is_on = |name: &str| page.contains(&format!("name=\"{name}\" value=\"on\" checked"));
    assert!(is_on("release.urn:telematik:alter") && is_on("remember"), "{page}");
    assert!(!is_on("release.urn:telematik:email"), "{page}");
    let login = harness.secret(wire::attribute(&page, "name=\"login\"", "value"));
    harness.clock.advance(AUTHENTICATED_LIFETIME_SECONDS);
    let fields = [
        ("client_id", service.client_id.as_str()),
        ("login", &login),
        ("decision", "approve"),
        ("release.urn:telematik:alter", "on"),
    ];
    let redirect = Redirect::of(&asking.browser.post_form(&consent, &fields, &[]).await.unwrap());
    let code = harness.secret(redirect.code());
    let token = harness.redeemed(&harness.path, &service, &push, &code).await;
    assert!(token.body.get("urn:telematik:claims:alter").is_some());
    assert_eq!(token.body.get("urn:telematik:claims:email"), None);
    // Another browser's form is refused.
    let (_, login) = deciding(&harness, &harness.asking(&harness.path, &service, &push).await, &ada).await;
    let fields = [
        ("client_id", service.client_id.as_str()),
        ("login", login.as_str()),
        ("decision", "more-time"),
    ];
    let answer = harness.browser().post_form(&consent, &fields, &[]).await.unwrap();
    wire::assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn the_page_says_in_time_that_it_ends_and_needs_no_script_for_it() {
    let harness = Harness::start().await;
    let service = harness.service();
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let look = async |login: &str| {
        let frame = harness.time(&asking.browser, &service.client_id, login).await;
        (wire::attribute(&frame, "<main", "data-state"), frame)
    };
    let (state, frame) = look(&asking.login).await;
    assert_eq!(state, "calm");
    assert!(
        frame.contains("noch 15 Minuten") && frame.contains("http-equiv=\"refresh\""),
        "{frame}"
    );
    assert!(
        frame.contains("target=\"_top\"") && frame.contains("aria-live=\"polite\""),
        "{frame}"
    );
    harness.clock.advance(PENDING_LIFETIME_SECONDS - 180);
    assert_eq!(look(&asking.login).await.0, "calm");
    harness.clock.advance(1);
    let (state, frame) = look(&asking.login).await;
    assert_eq!(state, "soon");
    assert!(frame.contains("Ich brauche mehr Zeit"), "{frame}");
    // Its link is what the button follows.
    let link = wire::attribute(&frame, "class=\"button", "href")
        .replace("&amp;", "&")
        .replace("&#38;", "&");
    let page = wire::page(&asking.browser.get(&link, &[]).await.unwrap(), 200, "de");
    let later = asking.on(wire::attribute(&page, "<iframe", "src"));
    assert_eq!(look(&later.login).await.0, "calm");
    harness.clock.advance(178);
    let (state, frame) = look(&asking.login).await;
    assert_eq!(state, "soon");
    assert!(frame.contains("noch 1 Minute."), "{frame}");
    harness.clock.advance(2);
    let (state, frame) = look(&asking.login).await;
    assert_eq!(state, "over");
    assert!(
        !frame.contains("http-equiv") && !frame.contains("/auth/extend"),
        "{frame}"
    );
    for (client_id, login) in [("", ""), (service.client_id.as_str(), "x")] {
        let frame = harness.time(&asking.browser, client_id, login).await;
        assert!(!frame.contains("/auth/extend"), "{frame}");
    }
}

#[tokio::test]
async fn a_device_taken_away_gets_no_more_time_and_neither_does_an_apps_account() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let push = service.request(&harness);
    let answered = harness
        .authenticated_by_device(&harness.path, &service, &push, &mut device)
        .await;
    let answered = twice(&harness, &answered).await;
    let account = harness.account(&harness.path, &ada).await;
    let what = json!({"device": account.devices()[0]});
    wire::json(&harness.take_back(&harness.path, &account, &what).await, 200);
    let answer = harness.extend(&service.client_id, &answered.login).await;
    wire::assert_refused(&answer, 403, "access_denied");

    let issuer = harness.path.issuer.clone();
    let body = json!({"client_id": issuer});
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    let challenged = harness.read_challenge(&issuer, &answer);
    let answer = harness.extend(&issuer, &challenged.login).await;
    let challenged = harness.read_challenge(&issuer, &answer);
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&issuer, &answer);
    assert_eq!(answered.body["extendable"], json!(false));
    let answer = harness.extend(&issuer, &answered.login).await;
    wire::assert_reason(&answer, Reason::NoMoreTime);
}

#[tokio::test]
async fn the_account_in_a_browser_is_extended_before_and_after_she_is_known() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    let issuer = harness.path.issuer.clone();
    let browser = harness.browser();
    let page = wire::page(
        &browser.get(&format!("{issuer}/account"), &[]).await.unwrap(),
        200,
        "de",
    );
    let frame = Redirect::parse(&wire::attribute(&page, "<iframe class=\"time", "src"));
    let login = harness.secret(frame.value("login").unwrap());
    harness.clock.advance(PENDING_LIFETIME_SECONDS);
    let url = extend_url(&harness.path, &issuer, &login);
    let page = wire::page(&browser.get(&url, &[]).await.unwrap(), 200, "de");
    let frame = Redirect::parse(&wire::attribute(&page, "<iframe class=\"time", "src"));
    let login = harness.secret(frame.value("login").unwrap());
    let body = json!({"client_id": issuer, "login": login});
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    let challenged = harness.read_challenge(&issuer, &answer);
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&issuer, &answer);
    harness.clock.advance(AUTHENTICATED_LIFETIME_SECONDS);
    let url = extend_url(&harness.path, &issuer, &answered.login);
    let on = Redirect::of(&browser.get(&url, &[]).await.unwrap());
    assert!(on.base().ends_with("/auth/consent"));
    harness.secret(on.value("login").unwrap());
    harness.clock.advance(AUTHENTICATED_LIFETIME_SECONDS);
    let page = wire::page(&browser.get(on.0.as_str(), &[]).await.unwrap(), 200, "de");
    assert!(page.contains("Geräte"), "{page}");
}

#[tokio::test]
async fn a_login_with_more_time_is_not_written_down_as_broken_off_before_its_end() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    harness.clock.advance(AUTHENTICATED_LIFETIME_SECONDS);
    let answered = twice(&harness, &answered).await;
    harness.clock.advance(AUTHENTICATED_LIFETIME_SECONDS);
    harness.provider().deliver_history().await.unwrap();
    let code = harness.approved(&harness.path, &answered, None).await;
    harness.redeemed(&harness.path, &service, &push, &code).await;
    // Another one is left alone.
    let push = service.request(&harness);
    let left = harness.authenticated(&harness.path, &service, &push, &ada).await;
    let left = twice(&harness, &left).await;
    harness.clock.advance(AUTHENTICATED_LIFETIME_SECONDS + 121);
    harness.provider().deliver_history().await.unwrap();
    let late = harness.extend(&service.client_id, &left.login).await;
    wire::assert_reason(&late, Reason::LoginExpired);
    let account = harness.account(&harness.path, &ada).await;
    let history = harness.read_history(&harness.path, &account).await;
    let mut events: Vec<&str> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry: &Value| entry["event"].as_str())
        .collect();
    events.sort_unstable();
    assert_eq!(events, ["account-opened", "broken-off", "login"]);
}
