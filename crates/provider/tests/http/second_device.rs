//! A login that is answered on a phone (A_22744, A_22325-01): the code returns to the browser that asked, once, and nowhere else.

use authenticator::Reason;
use serde_json::json;

use crate::common::asking::{another, done, read_code};
use crate::common::{HIGH_CLASS, Harness, Person, Redirect, wire};

#[tokio::test]
async fn a_phone_approves_and_the_browser_that_asked_is_logged_in() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let asking = harness.asking(&harness.path, &service, &push).await;
    assert_eq!(asking.state().await, "waiting");
    let number = asking.number().await;
    let link = harness.scanned(&asking).await;
    assert_eq!(link.value("issuer"), Some(harness.path.issuer.clone()));
    assert_eq!(link.names(), ["issuer", "client_id", "login"]);
    let challenged = harness.opened(&harness.path, &link).await;
    assert_eq!(
        challenged.body["other_device"],
        json!({"browser": "Firefox", "system": "Windows", "network": "same", "asked_at": harness.clock_now()})
    );
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    assert!(!answered.is_remembered());
    done(&harness.type_number(&harness.path, &answered, &number).await);
    assert_eq!(asking.state().await, "approved");
    let redirect = Redirect::of(&asking.come_back().await);
    assert_eq!(redirect.base(), service.redirect_uri);
    assert_eq!(redirect.names(), ["code", "state"]);
    assert_eq!(redirect.value("state").unwrap(), push.fields.value("state"));
    let code = harness.secret(redirect.code());
    let token = harness.redeemed(&harness.path, &service, &push, &code).await;
    assert_eq!(token.body["nonce"], json!(push.fields.value("nonce")));
    assert_eq!(token.body["urn:telematik:claims:id"], json!("Q000123451"));
    assert_eq!(asking.state().await, "over");
}

#[tokio::test]
async fn a_bound_device_approves_too_and_any_instance_answers() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let push = service.request(&harness);
    let asking = harness.asking(&harness.path, &service, &push).await;
    let number = asking.number().await;
    let link = harness.scanned(&asking).await;
    harness.restart();
    let challenged = harness.opened(&harness.path, &link).await;
    let answer = harness
        .answer_with_device(&harness.path, &challenged, &mut device)
        .await;
    let answered = harness.read_answer(&service.client_id, &answer);
    harness.restart();
    assert_eq!(asking.number().await, number);
    done(&harness.type_number(&harness.path, &answered, &number).await);
    harness.restart();
    let code = harness.secret(Redirect::of(&asking.come_back().await).code());
    harness.redeemed(&harness.path, &service, &push, &code).await;
}

#[tokio::test]
async fn the_code_is_no_larger_than_a_phone_reads() {
    let harness = Harness::start().await;
    let service = harness.service();
    let long = "x".repeat(300);
    let push = service.request(&harness).with("state", &long).with("nonce", &long);
    let asking = harness.asking(&harness.path, &service, &push).await;
    let page = asking.look().await;
    let link = read_code(&page);
    let side: usize = wire::attribute(&page, "<svg", "viewBox")
        .split(' ')
        .nth(2)
        .unwrap()
        .parse()
        .unwrap();
    // Measured: what the service needs for its answer does not make the code finer.
    assert!(
        link.len() <= 500 && side - 8 <= 77,
        "{} bytes, {} modules",
        link.len(),
        side - 8
    );
    harness.secret(Redirect::parse(&link).value("login").unwrap());
}

#[tokio::test]
async fn the_warning_stands_before_the_code_and_both_frames_have_the_insurers_colours() {
    let harness = Harness::start().await;
    let service = harness.service();
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let page = asking.look().await;
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text} in {page}"));
    assert!(at("Nennen Sie diese Zahl niemandem am Telefon.") < at("<svg"));
    let time = asking.frame.replace("/auth/phone?", "/auth/time?");
    let answer = asking.browser.get(&time, &[]).await.unwrap();
    assert!(
        answer
            .header("content-security-policy")
            .unwrap()
            .contains("style-src 'self'")
    );
    for page in [page, answer.text()] {
        let sheet = format!("<link rel=\"stylesheet\" href=\"{}/brand.css\">", harness.path.issuer);
        assert!(page.contains(&sheet), "{page}");
    }
}

#[tokio::test]
async fn a_code_is_answered_for_a_minute_and_the_page_shows_another() {
    let harness = Harness::start().await;
    let service = harness.service();
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let first = harness.scanned(&asking).await;
    let number = asking.number().await;
    harness.clock.advance(60);
    assert_eq!(harness.open(&harness.path, &first).await.status, 200);
    harness.clock.advance(1);
    let late = harness.open(&harness.path, &first).await;
    wire::assert_reason(&late, Reason::LoginExpired);
    // The page goes on for as long as the login lives, with the same number.
    for _ in 0..5 {
        harness.clock.advance(150);
        let next = harness.scanned(&asking).await;
        assert_ne!(next.value("login"), first.value("login"));
        assert_eq!(harness.open(&harness.path, &next).await.status, 200);
        assert_eq!(asking.number().await, number);
    }
    harness.clock.advance(150);
    let page = asking.look().await;
    assert!(page.contains("Die Zeit für diese Anmeldung ist abgelaufen."), "{page}");
}

#[tokio::test]
async fn what_a_phone_has_opened_is_no_code_for_another_phone() {
    let harness = Harness::start().await;
    let service = harness.service();
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let link = harness.scanned(&asking).await;
    let challenged = harness.opened(&harness.path, &link).await;
    // Somebody sends on what lives longer than the code.
    let body = json!({"client_id": service.client_id, "login": challenged.login});
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    wire::assert_reason(&answer, Reason::LoginExpired);
}

#[tokio::test]
async fn a_wrong_number_ends_the_login_on_both_devices() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let asking = harness.asking(&harness.path, &service, &push).await;
    let number = asking.number().await;
    let answered = harness.on_the_phone(&harness.path, &asking, &ada).await;
    // What is no number at all is a slip, and no guess.
    for slip in ["", "7", "777", "x7", "٤٢"] {
        let answer = harness.type_number(&harness.path, &answered, slip).await;
        wire::assert_reason(&answer, Reason::Malformed);
    }
    let decision = json!({"decision": "approve", "claims": []});
    let without = harness.decide(&harness.path, &answered, &decision).await;
    wire::assert_reason(&without, Reason::Malformed);
    let answer = harness.type_number(&harness.path, &answered, &another(&number)).await;
    wire::assert_reason(&answer, Reason::NumberWrong);
    // No second guess, not even the right one; not by another phone, and not after a restart.
    harness.restart();
    let answer = harness.type_number(&harness.path, &answered, &number).await;
    wire::assert_reason(&answer, Reason::LoginOver);
    let answer = harness.type_number(&harness.path, &answered, &another(&number)).await;
    wire::assert_reason(&answer, Reason::NumberWrong);
    assert_eq!(asking.state().await, "number-wrong");
    // The browser that asked goes back to the service with an error, and its own login is over too.
    let redirect = Redirect::of(&asking.come_back().await);
    assert_eq!(redirect.value("error").unwrap(), "access_denied");
    let body = json!({"client_id": service.client_id, "login": asking.login});
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    wire::assert_reason(&answer, Reason::LoginOver);
}

#[tokio::test]
async fn only_the_browser_that_asked_is_told_anything() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let asking = harness.asking(&harness.path, &service, &push).await;
    let other = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let number = asking.number().await;
    let answered = harness.on_the_phone(&harness.path, &asking, &ada).await;
    done(&harness.type_number(&harness.path, &answered, &number).await);
    // Another browser with a cookie of its own, and one without any.
    for stranger in [&other.browser, &harness.browser()] {
        let page = asking.look_with(stranger).await;
        assert!(
            page.contains("in einem anderen Browser begonnen") && !page.contains("/auth/return"),
            "{page}"
        );
        wire::assert_refused(&asking.come_back_with(stranger).await, 400, "invalid_request");
    }
    // The approval was for one login: the other browser still waits.
    assert_eq!(other.state().await, "waiting");
    wire::assert_refused(&other.come_back().await, 400, "invalid_request");
    assert_eq!(asking.come_back().await.status, 302);
}

#[tokio::test]
async fn a_link_opened_elsewhere_brings_no_code_there() {
    let harness = Harness::start().await;
    let service = harness.service();
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let link = harness.scanned(&asking).await;
    let third = harness.browser();
    // The link's login is nobody's page: no frame, no way back.
    let (client_id, login) = (service.client_id.as_str(), link.value("login").unwrap());
    let fields = [("client_id", client_id), ("login", login.as_str())];
    let back = format!("{}/auth/return", harness.path.issuer);
    let answer = third.post_form(&back, &fields, &[]).await.unwrap();
    wire::assert_refused(&answer, 400, "invalid_request");
    // Whoever answers it there approves for the browser that asked, and gets nothing.
    let ada = harness.ada().await;
    let challenged = harness.opened(&harness.path, &link).await;
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(client_id, &answer);
    let mut url = url::Url::parse(&format!("{}/auth/consent", harness.path.issuer)).unwrap();
    url.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair("login", &answered.login);
    let page = wire::page(&third.get(url.as_str(), &[]).await.unwrap(), 200, "de");
    assert!(
        page.contains("Firefox auf Windows") && page.contains("name=\"number\""),
        "{page}"
    );
    let login = wire::attribute(&page, "name=\"login\"", "value");
    harness.secret(login.clone());
    let number = asking.number().await;
    let consent = format!("{}/auth/consent", harness.path.issuer);
    let fields = [
        ("client_id", client_id),
        ("login", login.as_str()),
        ("decision", "approve"),
        ("number", number.as_str()),
    ];
    let page = wire::page(&third.post_form(&consent, &fields, &[]).await.unwrap(), 200, "de");
    assert!(page.contains("Schauen Sie auf das andere Gerät"), "{page}");
    assert_eq!(asking.come_back().await.status, 302);
}

#[tokio::test]
async fn approved_twice_is_once_and_fetched_twice_is_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let asking = harness.asking(&harness.path, &service, &push).await;
    let number = asking.number().await;
    let link = harness.scanned(&asking).await;
    let mut phones = Vec::new();
    for _ in 0..2 {
        let challenged = harness.opened(&harness.path, &link).await;
        let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
        phones.push(harness.read_answer(&service.client_id, &answer));
    }
    done(&harness.type_number(&harness.path, &phones[0], &number).await);
    // The answer was lost: the same decision gives the same answer, another one does not.
    done(&harness.type_number(&harness.path, &phones[0], &number).await);
    let less = json!({"decision": "approve", "claims": [], "number": number});
    let answer = harness.decide(&harness.path, &phones[1], &less).await;
    wire::assert_reason(&answer, Reason::LoginOver);
    let answer = harness.type_number(&harness.path, &phones[1], &another(&number)).await;
    // She is in doubt after all: that ends what was not fetched yet.
    wire::assert_reason(&answer, Reason::NumberWrong);
    assert_eq!(asking.state().await, "number-wrong");

    let asking = harness.asking(&harness.path, &service, &push).await;
    let answered = harness.on_the_phone(&harness.path, &asking, &ada).await;
    let number = asking.number().await;
    done(&harness.type_number(&harness.path, &answered, &number).await);
    let (one, two) = tokio::join!(asking.come_back(), asking.come_back());
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [302, 400]);
    wire::assert_refused(&asking.come_back().await, 400, "invalid_request");
    done(&harness.type_number(&harness.path, &answered, &number).await);
    let late = harness
        .abort(&harness.path, &service.client_id, &answered.login, "not-me")
        .await;
    wire::assert_reason(&late, Reason::LoginOver);
}

#[tokio::test]
async fn an_approval_nobody_comes_for_is_worth_nothing_after_two_minutes() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let number = asking.number().await;
    let answered = harness.on_the_phone(&harness.path, &asking, &ada).await;
    done(&harness.type_number(&harness.path, &answered, &number).await);
    harness.clock.advance(121);
    wire::assert_refused(&asking.come_back().await, 400, "invalid_request");
}

#[tokio::test]
async fn declining_on_the_phone_sends_the_browser_back_with_an_error() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    for known in [false, true] {
        let asking = harness
            .asking(&harness.path, &service, &service.request(&harness))
            .await;
        let login = if known {
            harness.on_the_phone(&harness.path, &asking, &ada).await.login
        } else {
            let link = harness.scanned(&asking).await;
            harness.opened(&harness.path, &link).await.login
        };
        let body = json!({"client_id": service.client_id, "login": login, "decision": "decline"});
        done(&harness.api(&harness.path, "/auth/consent", &body).await);
        // Twice is once.
        done(&harness.api(&harness.path, "/auth/consent", &body).await);
        assert_eq!(asking.state().await, "declined");
        let redirect = Redirect::of(&asking.come_back().await);
        assert_eq!(redirect.value("error").unwrap(), "access_denied");
    }
}

#[tokio::test]
async fn whoever_did_not_begin_it_ends_it_for_everybody() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let number = asking.number().await;
    let answered = harness.on_the_phone(&harness.path, &asking, &ada).await;
    let (client_id, login) = (&service.client_id, &answered.login);
    for (client_id, login, why) in [
        (client_id.as_str(), login.as_str(), "tired"),
        ("https://other.example", login.as_str(), "not-me"),
        (client_id.as_str(), "x", "not-me"),
    ] {
        assert_eq!(harness.abort(&harness.path, client_id, login, why).await.status, 400);
    }
    assert_eq!(asking.state().await, "waiting");
    let answer = harness.abort(&harness.path, client_id, login, "not-me").await;
    assert_eq!(wire::json(&answer, 200), json!({}));
    assert_eq!(asking.state().await, "not-me");
    let answer = harness.type_number(&harness.path, &answered, &number).await;
    wire::assert_reason(&answer, Reason::Aborted);
    // She sees it in her history, once.
    let again = harness.abort(&harness.path, client_id, login, "not-me").await;
    assert_eq!(wire::json(&again, 200), json!({}));
    let account = harness.account(&harness.path, &ada).await;
    let history = harness.read_history(&harness.path, &account).await;
    let events: Vec<_> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["event"])
        .collect();
    assert_eq!(events, ["account-opened", "not-me"]);
    assert_eq!(history["entries"][1]["service"]["client_id"], json!(client_id));
    // She may approve the next one.
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let number = asking.number().await;
    let answered = harness.on_the_phone(&harness.path, &asking, &ada).await;
    done(&harness.type_number(&harness.path, &answered, &number).await);
}

#[tokio::test]
async fn after_a_call_nothing_is_approved_for_another_device_for_half_an_hour() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let other = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let open = harness.on_the_phone(&harness.path, &other, &ada).await;
    let answered = harness.on_the_phone(&harness.path, &asking, &ada).await;
    let number = asking.number().await;
    // She had approved already: what nobody has fetched yet ends, too.
    done(&harness.type_number(&harness.path, &answered, &number).await);
    let answer = harness
        .abort(&harness.path, &service.client_id, &answered.login, "phone-call")
        .await;
    assert_eq!(wire::json(&answer, 200), json!({}));
    assert_eq!(asking.state().await, "phone-call");
    let redirect = Redirect::of(&asking.come_back().await);
    assert_eq!(redirect.value("error").unwrap(), "access_denied");
    // The caller begins another one, or has one open: both wait, whatever is restarted.
    harness.restart();
    let answer = harness.type_number(&harness.path, &open, &other.number().await).await;
    wire::assert_reason(&answer, Reason::CoolingOff);
    let next = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let link = harness.scanned(&next).await;
    let challenged = harness.opened(&harness.path, &link).await;
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    wire::assert_reason(&answer, Reason::CoolingOff);
    // On her own device she logs in as ever, and everybody else is not concerned.
    harness.login(&harness.path, &service, &ada).await;
    harness.clock.advance(1_801);
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let number = asking.number().await;
    let answered = harness.on_the_phone(&harness.path, &asking, &ada).await;
    done(&harness.type_number(&harness.path, &answered, &number).await);
}

#[tokio::test]
async fn the_page_waits_without_a_script_and_with_one() {
    let harness = Harness::start().await;
    let service = harness.service();
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let page = asking.look().await;
    assert!(page.contains("<noscript><meta http-equiv=\"refresh\" content=\"20\"></noscript>"));
    let script = wire::attribute(&page, "<script", "src");
    let answer = harness.app().get(&script, &[]).await.unwrap();
    assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(!page.contains("<script>") && !page.contains("onclick"));
    let english = asking
        .browser
        .get(&asking.frame, &[("accept-language", "en")])
        .await
        .unwrap()
        .text();
    assert!(english.contains("Open the camera on your phone."));
}

#[tokio::test]
async fn a_login_is_ended_for_another_device_with_its_entry_or_not_at_all() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    for (how, event) in [
        ("not-me", "not-me"),
        ("number-wrong", "refused"),
        ("declined", "declined"),
    ] {
        // The process dies before its commit, in it, and after it.
        for (after, in_commit) in [(0, false), (0, true), (1, false)] {
            let asking = harness
                .asking(&harness.path, &service, &service.request(&harness))
                .await;
            let number = another(&asking.number().await);
            let answered = harness.on_the_phone(&harness.path, &asking, &ada).await;
            let end = || async {
                match how {
                    "not-me" => {
                        harness
                            .abort(&harness.path, &service.client_id, &answered.login, how)
                            .await
                    }
                    "declined" => {
                        let decision = json!({"decision": "decline"});
                        harness.decide(&harness.path, &answered, &decision).await
                    }
                    _ => harness.type_number(&harness.path, &answered, &number).await,
                }
            };
            let said = format!("{how}, {after}, {in_commit}");
            let before = entries(&harness, &ada, event).await;
            harness.store.die(after, in_commit);
            let first = end().await.status;
            harness.store.revive();
            harness.restart();
            let is_ended = asking.state().await == how;
            let noted = entries(&harness, &ada, event).await - before;
            assert_eq!(noted, usize::from(is_ended), "{said}");
            assert_eq!(is_ended, (after, in_commit) != (0, false), "{said}");
            assert_eq!(first < 500, after == 1, "{said}");
            // Asked for once more, it is ended, and noted once.
            assert!(end().await.status < 500, "{said}");
            assert_eq!(asking.state().await, how, "{said}");
            assert_eq!(entries(&harness, &ada, event).await - before, 1, "{said}");
        }
    }
}

/// How often her history says this.
async fn entries(harness: &Harness, person: &Person, event: &str) -> usize {
    let account = harness.account(&harness.path, person).await;
    let history = harness.read_history(&harness.path, &account).await;
    assert_eq!(history["chain"]["ok"], true);
    let entries = history["entries"].as_array().unwrap();
    entries.iter().filter(|entry| entry["event"] == event).count()
}
