//! Device keys (digest 8.5): binding after a card login, and what a bound device can and cannot do.

use jose::SoftwareKey;
use serde_json::{Value, json};

use crate::common::{
    Answered, Challenged, Device, HIGH_CLASS, Harness, Insurer, Person, SUBSTANTIAL_CLASS, Service, wire,
};

/// A card login up to the person.
async fn by_card(harness: &Harness, insurer: &Insurer, service: &Service, person: &Person) -> (Challenged, Answered) {
    let challenged = harness.challenged(insurer, service, &service.request(harness)).await;
    let answer = harness.answer_with_card(insurer, &challenged, person).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    (challenged, answered)
}

#[tokio::test]
async fn a_binding_tells_until_when_the_device_is_good() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    for (class, days) in [(SUBSTANTIAL_CLASS, 1), (HIGH_CLASS, 30)] {
        let (challenged, answered) = by_card(&harness, &harness.path, &service, &ada).await;
        let binding = Device::unbound().binding(&challenged, &answered, class);
        let bound = wire::json(&harness.api(&harness.path, "/devices", &binding).await, 201);
        assert_eq!(bound["valid_until"], json!(harness.clock_now() + days * 86_400));
        assert_eq!(bound["device"].as_str().unwrap().len(), 43);
    }
}

#[tokio::test]
async fn the_login_goes_on_after_a_binding() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let challenged = harness.challenged(&harness.path, &service, &push).await;
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let binding = Device::unbound().binding(&challenged, &answered, HIGH_CLASS);
    wire::json(&harness.api(&harness.path, "/devices", &binding).await, 201);
    let code = harness.approved(&harness.path, &answered, None).await;
    harness.redeemed(&harness.path, &service, &push, &code).await;
}

/// The answer was lost on its way: nothing was bound twice, and no room was taken.
#[tokio::test]
async fn the_same_binding_again_is_answered_with_the_device_that_is_there() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut device = Device::unbound();
    let mut handles = Vec::new();
    for mark in [None, Some(jose::base64url::encode(&[7; 32]))] {
        let (challenged, answered) = by_card(&harness, &harness.path, &service, &ada).await;
        let mut binding = device.binding(&challenged, &answered, HIGH_CLASS);
        if let Some(mark) = mark {
            binding["hardware"] = json!(mark);
        }
        let first = wire::json(&harness.api(&harness.path, "/devices", &binding).await, 201);
        harness.clock.advance(540);
        let again = wire::json(&harness.api(&harness.path, "/devices", &binding).await, 201);
        assert_eq!(again, first);
        handles.push(first["device"].clone());
        // Good for the same login only.
        harness.clock.advance(61);
        wire::assert_refused(
            &harness.api(&harness.path, "/devices", &binding).await,
            400,
            "invalid_request",
        );
        device = Device::unbound();
    }
    assert_ne!(handles[0], handles[1]);
    let account = harness.account(&harness.path, &ada).await;
    assert_eq!(account.devices().len(), 2);
}

#[tokio::test]
async fn the_same_key_in_another_login_is_another_device() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let device = Device::unbound();
    let mut handles = Vec::new();
    for _ in 0..2 {
        let (challenged, answered) = by_card(&harness, &harness.path, &service, &ada).await;
        let binding = device.binding(&challenged, &answered, HIGH_CLASS);
        let bound = wire::json(&harness.api(&harness.path, "/devices", &binding).await, 201);
        handles.push(bound["device"].clone());
        harness.clock.advance(1);
    }
    assert_ne!(handles[0], handles[1]);
}

#[tokio::test]
async fn a_wrong_binding_is_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let (challenged, answered) = by_card(&harness, &harness.path, &service, &ada).await;
    let (other_challenged, _) = by_card(&harness, &harness.path, &service, &ada).await;
    let device = Device::unbound();
    let good = device.binding(&challenged, &answered, HIGH_CLASS);
    let foreign_proof = Device::unbound().binding(&challenged, &answered, HIGH_CLASS)["proof"].clone();
    let other_login = device.binding(&other_challenged, &answered, HIGH_CLASS)["proof"].clone();
    let mut private = good["public_key"].clone();
    private["d"] = good["public_key"]["x"].clone();
    let mut off_curve = good["public_key"].clone();
    off_curve["y"] = good["public_key"]["x"].clone();
    let long_coordinate = jose::base64url::encode(&[1; 33]);
    let mut long = good["public_key"].clone();
    long["x"] = json!(long_coordinate);
    let mut other_curve = good["public_key"].clone();
    other_curve["crv"] = json!("P-384");
    for (member, value, word) in [
        ("class", json!("unknown"), "class"),
        ("class", json!("secure-element"), "attestation"),
        ("class", json!(SUBSTANTIAL_CLASS), "consent"),
        ("name", json!(""), "name"),
        ("name", json!("x".repeat(65)), "name"),
        ("name", json!("zwei\nZeilen"), "name"),
        ("proof", foreign_proof, "not signed"),
        ("proof", other_login, "another challenge_id"),
        ("proof", json!("a.b.c"), "proof"),
        ("proof", json!(answered.login), "proof"),
        ("public_key", json!({}), "public_key"),
        ("public_key", private, "public_key"),
        ("public_key", off_curve, "public_key"),
        ("public_key", long, "public_key"),
        ("public_key", other_curve, "public_key"),
        ("login", json!(challenged.login), "login"),
        ("client_id", json!("https://other.example"), "client_id"),
        ("unknown", json!(1), "body"),
    ] {
        let mut binding = good.clone();
        binding["consent_to_substantial"] = json!(false);
        binding[member] = value;
        let answer = harness.api(&harness.path, "/devices", &binding).await;
        let refused = wire::assert_refused(&answer, 400, "invalid_request");
        assert!(refused.description.contains(word), "{member}: {}", refused.description);
    }
    wire::json(&harness.api(&harness.path, "/devices", &good).await, 201);
}

#[tokio::test]
async fn a_device_is_bound_within_ten_minutes_of_the_card_and_never_by_a_device_or_guest() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut bound = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    // By device.
    let challenged = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let answer = harness.answer_with_device(&harness.path, &challenged, &mut bound).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let binding = Device::unbound().binding(&challenged, &answered, HIGH_CLASS);
    let answer = harness.api(&harness.path, "/devices", &binding).await;
    wire::assert_refused(&answer, 400, "invalid_request");
    // By a guest.
    let claims = json!({"id_token": {"amr": {"essential": true, "value": "urn:telematik:auth:guest:eGK"}}});
    let push = service.request(&harness).with("claims", &claims.to_string());
    let challenged = harness.challenged(&harness.path, &service, &push).await;
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let binding = Device::unbound().binding(&challenged, &answered, HIGH_CLASS);
    let answer = harness.api(&harness.path, "/devices", &binding).await;
    wire::assert_refused(&answer, 400, "invalid_request");
    // Too late.
    let (challenged, answered) = by_card(&harness, &harness.path, &service, &ada).await;
    harness.clock.advance(601);
    let binding = Device::unbound().binding(&challenged, &answered, HIGH_CLASS);
    let answer = harness.api(&harness.path, "/devices", &binding).await;
    wire::assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn at_most_sixteen_devices_are_bound() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    for _ in 0..provider::MAX_DEVICES {
        harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    }
    let (challenged, answered) = by_card(&harness, &harness.path, &service, &ada).await;
    let binding = Device::unbound().binding(&challenged, &answered, HIGH_CLASS);
    let answer = harness.api(&harness.path, "/devices", &binding).await;
    let refused = wire::assert_refused(&answer, 400, "invalid_request");
    assert!(refused.description.contains("at most 16"));
}

#[tokio::test]
async fn a_device_needs_the_card_again_when_its_interval_is_over() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut device = harness.bound(&harness.path, &service, &ada, SUBSTANTIAL_CLASS).await;
    let request = || {
        service
            .request(&harness)
            .with("acr_values", "gematik-ehealth-loa-substantial")
    };
    harness.clock.advance(86_400);
    let challenged = harness.challenged(&harness.path, &service, &request()).await;
    let answer = harness
        .answer_with_device(&harness.path, &challenged, &mut device)
        .await;
    harness.read_answer(&service.client_id, &answer);
    harness.clock.advance(1);
    let challenged = harness.challenged(&harness.path, &service, &request()).await;
    let answer = harness
        .answer_with_device(&harness.path, &challenged, &mut device)
        .await;
    let refused = wire::assert_refused(&answer, 403, "access_denied");
    assert!(
        refused.description.contains("card login is due"),
        "{}",
        refused.description
    );
}

#[tokio::test]
async fn a_service_that_demands_high_makes_the_person_take_her_card() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut device = harness.bound(&harness.path, &service, &ada, SUBSTANTIAL_CLASS).await;
    let claims = json!({"id_token": {"acr": {"essential": true, "value": "gematik-ehealth-loa-high"}}});
    let push = service.request(&harness).with("claims", &claims.to_string());
    let challenged = harness.challenged(&harness.path, &service, &push).await;
    let answer = harness
        .answer_with_device(&harness.path, &challenged, &mut device)
        .await;
    let refused = wire::assert_refused(&answer, 403, "access_denied");
    assert!(
        refused.description.contains("card login is needed"),
        "{}",
        refused.description
    );
    // The same login, stepped up.
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let code = harness.approved(&harness.path, &answered, None).await;
    let token = harness.redeemed(&harness.path, &service, &push, &code).await;
    assert_eq!(token.body["acr"], "gematik-ehealth-loa-high");
    assert_eq!(token.body["amr"], json!(["urn:telematik:auth:eGK"]));
    assert_eq!(token.body["urn:telematik:auth:consent"], Value::Null);
}

#[tokio::test]
async fn a_service_that_demands_the_card_gets_no_device() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let claims = json!({"id_token": {"amr": {"essential": true, "value": "urn:telematik:auth:eGK"}}});
    let push = service.request(&harness).with("claims", &claims.to_string());
    let challenged = harness.challenged(&harness.path, &service, &push).await;
    let answer = harness
        .answer_with_device(&harness.path, &challenged, &mut device)
        .await;
    wire::assert_refused(&answer, 403, "access_denied");
}

#[tokio::test]
async fn answers_that_are_not_the_bound_devices_are_denied() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let other = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let challenged = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let now = harness.clock_now();
    let time = |seconds: i64| jose::UnixTime(now.checked_add_signed(seconds).unwrap());
    let by = |device: &Device, decision: &str, seconds: i64, counter: u64| {
        device.assertion(&challenged.challenge, decision, time(seconds), counter)
    };
    for (name, response, word) in [
        ("another key", by(&other, "approve", 0, 1), "signature"),
        ("counter 0", by(&device, "approve", 0, 0), "counter"),
        ("declined", by(&device, "decline", 0, 1), "declined"),
        ("slow clock", by(&device, "approve", -301, 1), "time"),
        ("fast clock", by(&device, "approve", 301, 1), "time"),
    ] {
        let answer = harness
            .post_device(&harness.path, &challenged, &device, &response)
            .await;
        let refused = wire::assert_refused(&answer, 403, "access_denied");
        assert!(refused.description.contains(word), "{name}: {}", refused.description);
    }
    for handle in ["", "unknown", &"A".repeat(43), &other.handle] {
        let stranger = Device {
            key: SoftwareKey::from_scalar("device", &device.key.to_scalar()).unwrap(),
            handle: handle.to_owned(),
            counter: 0,
        };
        let response = by(&device, "approve", 0, 1);
        let answer = harness
            .post_device(&harness.path, &challenged, &stranger, &response)
            .await;
        wire::assert_refused(&answer, 403, "access_denied");
    }
    // At another insurer it is unknown.
    let foreign = harness
        .challenged(&harness.host, &service, &service.request(&harness))
        .await;
    let response = device.assertion(&foreign.challenge, "approve", time(0), 1);
    let answer = harness.post_device(&harness.host, &foreign, &device, &response).await;
    wire::assert_refused(&answer, 403, "access_denied");
    let answer = harness
        .post_device(&harness.path, &challenged, &device, &by(&device, "approve", 0, 1))
        .await;
    harness.read_answer(&service.client_id, &answer);
}

#[tokio::test]
async fn a_counter_is_good_once() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let now = jose::UnixTime(harness.clock_now());
    let push = service.request(&harness);
    let first = harness.challenged(&harness.path, &service, &push).await;
    let response = device.assertion(&first.challenge, "approve", now, 5);
    let answer = harness.post_device(&harness.path, &first, &device, &response).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let code = harness.approved(&harness.path, &answered, None).await;
    harness.redeemed(&harness.path, &service, &push, &code).await;
    for (counter, status) in [(4, 403), (5, 403), (6, 200)] {
        let challenged = harness
            .challenged(&harness.path, &service, &service.request(&harness))
            .await;
        let response = device.assertion(&challenged.challenge, "approve", now, counter);
        let answer = harness
            .post_device(&harness.path, &challenged, &device, &response)
            .await;
        assert_eq!(answer.status, status, "{counter}");
    }
}

#[tokio::test]
async fn two_logins_with_one_device_may_be_redeemed_in_any_order() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let (one, two) = (service.request(&harness), service.request(&harness));
    let first = harness
        .authenticated_by_device(&harness.path, &service, &one, &mut device)
        .await;
    let second = harness
        .authenticated_by_device(&harness.path, &service, &two, &mut device)
        .await;
    let code = harness.approved(&harness.path, &second, None).await;
    harness.redeemed(&harness.path, &service, &two, &code).await;
    let code = harness.approved(&harness.path, &first, None).await;
    harness.redeemed(&harness.path, &service, &one, &code).await;
}

#[tokio::test]
async fn a_device_removed_between_answer_and_redemption_yields_no_token() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let push = service.request(&harness);
    let answered = harness
        .authenticated_by_device(&harness.path, &service, &push, &mut device)
        .await;
    let code = harness.approved(&harness.path, &answered, None).await;
    let account = harness.account(&harness.path, &ada).await;
    let removed = harness
        .take_back(&harness.path, &account, &json!({"device": account.devices()[0]}))
        .await;
    wire::json(&removed, 200);
    let answer = service.redeem(&harness.path, &push, &code).await;
    let refused = wire::assert_refused(&answer, 400, "invalid_grant");
    assert!(refused.description.contains("revoked"));
    // And it logs in no more.
    let challenged = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let answer = harness
        .answer_with_device(&harness.path, &challenged, &mut device)
        .await;
    wire::assert_refused(&answer, 403, "access_denied");
}
