//! The person's own account: what is remembered, which devices are bound, and taking either back.

use serde_json::{Value, json};

use crate::common::clock::NOW;
use crate::common::{HIGH_CLASS, Harness, Person, Redirect, Service, members, wire};

/// A login whose decision is remembered.
async fn remembered(harness: &Harness, service: &Service, person: &Person, granted: &[&str]) {
    let push = service.request(harness);
    let answered = harness.authenticated(&harness.path, service, &push, person).await;
    let code = harness.approved_and_remembered(&harness.path, &answered, granted).await;
    harness.redeemed(&harness.path, service, &push, &code).await;
}

async fn is_remembered(harness: &Harness, service: &Service, person: &Person) -> bool {
    let push = service.request(harness);
    harness
        .authenticated(&harness.path, service, &push, person)
        .await
        .is_remembered()
}

#[tokio::test]
async fn a_card_without_a_known_last_day_says_so_and_follows_the_register() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    let mut data = ada.data();
    for (told, shown) in [("", json!(null)), ("2027-01-31", json!("2027-01-31"))] {
        data.card_valid_until = told.to_owned();
        harness.import(&harness.path, &data).await;
        let account = harness.account(&harness.path, &ada).await;
        assert_eq!(account.overview["cards"][0]["valid_until"], shown);
    }
    data.card_valid_until = "2027-02-29".to_owned();
    let refused = harness.provider.import_person(&harness.path.issuer, data).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("card_valid_until") && !refused.contains("2027"),
        "{refused}"
    );
}

#[tokio::test]
async fn she_sees_what_she_shares_and_which_devices_she_uses() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let empty = harness.account(&harness.path, &ada).await;
    let data = ada.data();
    let card = json!({
        "kind": "health-card",
        "insurer": "Testkasse Nord",
        "ik": ada.ik,
        "kvnr": ada.kvnr,
        "name": data.display_name,
        "birthdate": data.birthdate,
        "valid_until": "2031-07-31",
    });
    assert_eq!(empty.overview["cards"], json!([card]));
    assert!(empty.is_empty(), "{}", empty.overview);
    remembered(&harness, &service, &ada, &["birthdate", "urn:telematik:claims:email"]).await;
    harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let account = harness.account(&harness.path, &ada).await;
    let mut consent = account.overview["consents"][0].clone();
    assert!(consent.as_object_mut().unwrap().remove("id").is_some());
    assert_eq!(
        consent,
        json!({
            "client_id": service.client_id,
            "service": "Patientenakte",
            "shared": ["birthdate", "urn:telematik:claims:email"],
            "decided_at": NOW.0,
        })
    );
    let mut device = account.overview["devices"][0].clone();
    assert!(device.as_object_mut().unwrap().remove("id").is_some());
    assert_eq!(
        device,
        json!({
            "name": "Mein Handy",
            "class": HIGH_CLASS,
            "kind": "device-key",
            "level": "gematik-ehealth-loa-high",
            "bound_at": NOW.0,
            "confirmed_at": NOW.0,
            "locked": false,
            "valid_until": NOW.0 + 30 * 86_400,
            "last_used": null,
        })
    );
}

#[tokio::test]
async fn a_consent_taken_back_is_asked_for_again() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    remembered(&harness, &service, &ada, &[]).await;
    assert!(is_remembered(&harness, &service, &ada).await);
    let account = harness.account(&harness.path, &ada).await;
    let what = json!({"consent": account.consents()[0]});
    let answer = harness.take_back(&harness.path, &account, &what).await;
    assert_eq!(wire::json(&answer, 200), json!({}));
    assert!(!is_remembered(&harness, &service, &ada).await);
    let account = harness.account(&harness.path, &ada).await;
    assert_eq!(account.overview["consents"], json!([]));
    // Once more does no harm.
    wire::json(&harness.take_back(&harness.path, &account, &what).await, 200);
}

#[tokio::test]
async fn it_can_be_entered_by_device() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let account = harness.account_by_device(&harness.path, &mut device).await;
    assert_eq!(account.devices().len(), 1);
}

#[tokio::test]
async fn nobody_sees_or_takes_back_what_is_somebody_elses() {
    let harness = Harness::start().await;
    let service = harness.service();
    let (ada, zoe) = (harness.ada().await, Person::zoe());
    harness.import(&harness.path, &zoe.data()).await;
    remembered(&harness, &service, &ada, &[]).await;
    harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let hers = harness.account(&harness.path, &ada).await;
    let mine = harness.account(&harness.path, &zoe).await;
    assert!(mine.is_empty(), "{}", mine.overview);
    for what in [
        json!({"consent": hers.consents()[0]}),
        json!({"device": hers.devices()[0]}),
    ] {
        let answer = harness.take_back(&harness.path, &mine, &what).await;
        wire::assert_refused(&answer, 403, "access_denied");
    }
    assert!(is_remembered(&harness, &service, &ada).await);
    assert_eq!(harness.account(&harness.path, &ada).await.devices(), hers.devices());
}

#[tokio::test]
async fn malformed_revocations_are_refused() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    let account = harness.account(&harness.path, &ada).await;
    for what in [
        json!({}),
        json!({"consent": "AAAA", "device": "AAAA"}),
        json!({"consent": "###"}),
        json!({"device": "###"}),
        json!({"consent": 7}),
        json!({"device": Value::Null}),
        json!({"consent": "A", "all": true}),
    ] {
        let answer = harness.take_back(&harness.path, &account, &what).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
}

#[tokio::test]
async fn a_login_for_a_service_does_not_open_the_account_and_the_other_way_round() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    let answer = harness.overview(&harness.path, "", &answered.login).await;
    wire::assert_refused(&answer, 400, "invalid_request");
    let account = harness.account(&harness.path, &ada).await;
    // As the service, and as the account itself.
    for client_id in [&service.client_id, &harness.path.issuer] {
        let body = json!({"client_id": client_id, "login": account.login, "decision": "approve"});
        let url = format!("{}/auth/consent", harness.path.issuer);
        let headers = [("cookie", account.cookie.as_str())];
        let answer = harness.app().post_json(&url, &body, &headers).await.unwrap();
        assert!((400..500).contains(&wire::refused(&answer).status));
    }
    // A challenge for the account is none for a service.
    let (_, challenged) = harness.account_challenge(&harness.path).await;
    let mut crossed = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    crossed.challenge = challenged.challenge;
    let answer = harness.answer_with_card(&harness.path, &crossed, &ada).await;
    wire::assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn another_browser_does_not_get_in() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    let account = harness.account(&harness.path, &ada).await;
    for cookie in ["", "healthid_browser=AAAAAAAAAAAAAAAAAAAAAA"] {
        let answer = harness.overview(&harness.path, cookie, &account.login).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
    harness.clock.advance(601);
    let answer = harness.overview(&harness.path, &account.cookie, &account.login).await;
    wire::assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn the_page_lists_everything_and_takes_it_back_without_a_script() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    remembered(&harness, &service, &ada, &["birthdate"]).await;
    harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let account = harness.account(&harness.path, &ada).await;
    let url = super::authorize::consent_url(&harness.path, &harness.path.issuer, &account.login);
    for (language, shared, until, day) in [
        ("de", "Geburtsdatum", "Karte wieder nötig ab", "21. Dezember 2026"),
        ("en", "Date of birth", "Card needed again from", "21 December 2026"),
    ] {
        let headers = [("cookie", account.cookie.as_str()), ("accept-language", language)];
        let page = wire::page(&harness.app().get(&url, &headers).await.unwrap(), 200, language);
        for text in ["Patientenakte", shared, "Mein Handy", until, day] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains(ada.kvnr));
    }
    let headers = [("cookie", account.cookie.as_str())];
    let page = harness.app().get(&url, &headers).await.unwrap().text();
    let login = harness.secret(wire::attribute(&page, "name=\"login\"", "value"));
    let form = [("login", login.as_str()), ("consent", &account.consents()[0])];
    let revoke = format!("{}/account/revoke", harness.path.issuer);
    let answer = harness.app().post_form(&revoke, &form, &headers).await.unwrap();
    let page = wire::page(&answer, 200, "de");
    assert!(page.contains("Die Änderung gilt ab sofort") && !page.contains("Patientenakte"));
    assert!(!is_remembered(&harness, &service, &ada).await);
    // A page is answered with a page.
    let headers = [("cookie", account.cookie.as_str()), ("accept", "text/html")];
    let answer = harness.app().post_form(&revoke, &form[..1], &headers).await.unwrap();
    wire::page(&answer, 400, "de");
    let answer = harness
        .app()
        .post_form(&revoke, &[("consent", "x")], &[])
        .await
        .unwrap();
    wire::assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn names_of_her_devices_are_text() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let challenged = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let mut binding = crate::common::Device::unbound().binding(&challenged, &answered, HIGH_CLASS);
    binding["name"] = json!("<script>x</script>\"'");
    wire::json(&harness.api(&harness.path, "/devices", &binding).await, 201);
    let account = harness.account(&harness.path, &ada).await;
    let url = super::authorize::consent_url(&harness.path, &harness.path.issuer, &account.login);
    let headers = [("cookie", account.cookie.as_str())];
    let page = wire::page(&harness.app().get(&url, &headers).await.unwrap(), 200, "de");
    assert!(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"));
}

#[tokio::test]
async fn the_first_page_binds_the_browser_and_names_no_service() {
    let harness = Harness::start().await;
    let url = format!("{}/account", harness.path.issuer);
    let answer = harness.app().get(&url, &[("accept-language", "en")]).await.unwrap();
    let page = wire::page(&answer, 200, "en");
    assert!(answer.header("set-cookie").unwrap().starts_with("healthid_browser="));
    let link = Redirect::parse(&wire::attribute(&page, "class=\"button\"", "href"));
    assert_eq!(link.value("client_id").unwrap(), harness.path.issuer);
    let (_, challenged) = harness.account_challenge(&harness.path).await;
    assert_eq!(members(&challenged.body["service"]), ["logo_uri", "name"]);
    assert_eq!(challenged.body["service"]["name"], "Testkasse Nord");
}
