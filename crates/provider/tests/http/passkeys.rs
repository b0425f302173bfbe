//! Passkeys over HTTP: which class one becomes, where it may enter, and what a wrong one is told.

use authenticator::Reason;
use serde_json::{Value, json};

use crate::common::passkey::{Passkey, SYNCED, binding};
use crate::common::{Challenged, Device, HIGH_CLASS, Harness, wire};

async fn challenged(harness: &Harness) -> (crate::common::Service, crate::common::Push, Challenged) {
    let service = harness.service();
    let push = service.request(harness);
    let challenged = harness.challenged(&harness.path, &service, &push).await;
    (service, push, challenged)
}

#[tokio::test]
async fn a_device_bound_attested_passkey_logs_in_to_a_service_with_consent_and_without_a_name() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    let (mut passkey, bound) = harness.passkey(&harness.path, &ada, 0, true).await;
    assert_eq!((&bound["class"], &bound["findings"]), (&json!("passkey"), &json!([])));
    assert_eq!(bound["valid_until"], json!(harness.clock_now() + 30 * 86_400));
    let service = harness.service();
    let push = service
        .request(&harness)
        .with("acr_values", "gematik-ehealth-loa-substantial");
    let challenged = harness.challenged(&harness.path, &service, &push).await;
    let answer = harness
        .api(&harness.path, "/auth/device", &passkey.answer(&challenged))
        .await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let code = harness.approved(&harness.path, &answered, None).await;
    let token = harness.redeemed(&harness.path, &service, &push, &code).await;
    assert_eq!(token.body["acr"], "gematik-ehealth-loa-substantial");
}

#[tokio::test]
async fn any_other_passkey_enters_the_account_and_no_service() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    for (flags, attested, failed) in [
        (SYNCED, true, "passkey-device-bound"),
        (0, false, "passkey-attestation-format"),
    ] {
        let (mut passkey, bound) = harness.passkey(&harness.path, &ada, flags, attested).await;
        assert_eq!(bound["class"], "passkey-own-pages");
        assert_eq!(
            bound["findings"],
            json!([{"check": failed, "outcome": "failed", "class": null}])
        );
        let (_, _, at_service) = challenged(&harness).await;
        let answer = harness
            .api(&harness.path, "/auth/device", &passkey.answer(&at_service))
            .await;
        wire::assert_refused(&answer, 403, "access_denied");
        wire::assert_reason(&answer, Reason::LevelTooLow);
        let account = harness.app_account_challenge(&harness.path).await;
        let answer = harness
            .api(&harness.path, "/auth/device", &passkey.answer(&account))
            .await;
        harness.read_answer(&account.client_id, &answer);
    }
}

#[tokio::test]
async fn a_copy_is_refused_in_the_account_and_at_a_service_alike() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    for flags in [0, SYNCED] {
        let (mut passkey, _) = harness.passkey(&harness.path, &ada, flags, true).await;
        passkey.counter = 10;
        let account = harness.app_account_challenge(&harness.path).await;
        let answer = harness
            .api(&harness.path, "/auth/device", &passkey.answer_as_it_counts(&account))
            .await;
        harness.read_answer(&account.client_id, &answer);
        for counter in [0, 9, 10] {
            passkey.counter = counter;
            let account = harness.app_account_challenge(&harness.path).await;
            let answer = harness
                .api(&harness.path, "/auth/device", &passkey.answer_as_it_counts(&account))
                .await;
            wire::assert_refused(&answer, 403, "access_denied");
            wire::assert_reason(&answer, Reason::DeviceCloned);
        }
    }
}

#[tokio::test]
async fn an_authenticator_without_counter_may_come_again() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    let (answered, options) = harness.passkey_options(&harness.path, &ada).await;
    let mut passkey = Passkey::of(&options, &harness.path);
    passkey.counter = 0;
    let body = binding(&answered, &passkey.made(&options, true));
    wire::json(&harness.api(&harness.path, "/devices", &body).await, 201);
    for _ in 0..2 {
        let account = harness.app_account_challenge(&harness.path).await;
        let answer = harness
            .api(&harness.path, "/auth/device", &passkey.answer_as_it_counts(&account))
            .await;
        harness.read_answer(&account.client_id, &answer);
    }
}

#[tokio::test]
async fn a_passkey_that_is_not_bound_is_told_no_more_than_a_stranger() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    let (mut passkey, _) = harness.passkey(&harness.path, &ada, 0, true).await;
    let (_, _, at_service) = challenged(&harness).await;
    let good = passkey.answer(&at_service);
    let unknown_handle = jose::base64url::encode(&[7; 32]);
    let mut told = Vec::new();
    for (member, value) in [
        ("user_handle", json!(unknown_handle)),
        ("user_handle", json!("x")),
        ("credential_id", json!("AAAA")),
        ("signature", json!("AAAA")),
    ] {
        let mut wrong = good.clone();
        wrong["passkey"][member] = value;
        let answer = harness.api(&harness.path, "/auth/device", &wrong).await;
        let refused = wire::assert_refused(&answer, 403, "access_denied");
        assert_eq!(refused.reason, Some(Reason::DeviceUnknown), "{member}");
        told.push(refused.description);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    // A removed one is a stranger too.
    let account = harness.account(&harness.path, &ada).await;
    let removal = json!({"device": passkey.user_handle});
    wire::json(&harness.take_back(&harness.path, &account, &removal).await, 200);
    let answer = harness.api(&harness.path, "/auth/device", &good).await;
    wire::assert_reason(&answer, Reason::DeviceUnknown);
}

#[tokio::test]
async fn an_answer_that_was_made_elsewhere_or_for_another_login_is_refused() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    let (mut passkey, _) = harness.passkey(&harness.path, &ada, 0, true).await;
    let (_, _, first) = challenged(&harness).await;
    let (_, _, second) = challenged(&harness).await;
    let mut swapped = passkey.answer(&first);
    swapped["login"] = json!(second.login);
    let mut half = passkey.answer(&first);
    half["challenge"] = json!(second.challenge);
    half["login"] = json!(second.login);
    passkey.origin = "https://evil.example".to_owned();
    let elsewhere = passkey.answer(&first);
    for wrong in [swapped, half, elsewhere] {
        let answer = harness.api(&harness.path, "/auth/device", &wrong).await;
        wire::assert_refused(&answer, 400, "invalid_request");
        wire::assert_reason(&answer, Reason::Malformed);
    }
}

#[tokio::test]
async fn a_wrong_binding_is_refused() {
    let harness = Harness::start().await;
    let (ada, zoe) = (harness.ada().await, crate::common::Person::zoe());
    harness.import(&harness.path, &zoe.data()).await;
    let (answered, options) = harness.passkey_options(&harness.path, &ada).await;
    let (_, hers) = harness.passkey_options(&harness.path, &zoe).await;
    let (_, later) = harness.passkey_options(&harness.path, &ada).await;
    let passkey = Passkey::of(&options, &harness.path);
    let good = binding(&answered, &passkey.made(&options, true));
    let mut unsure = Passkey::of(&options, &harness.path);
    unsure.flags = 0x01;
    type Change<'a> = Box<dyn Fn(&mut Value) + 'a>;
    let set = |member: &'static str, value: Value| -> Change<'_> { Box::new(move |body| body[member] = value.clone()) };
    let inner = |member: &'static str, value: Value| -> Change<'_> {
        Box::new(move |body| body["passkey"][member] = value.clone())
    };
    let cases: Vec<(&str, Change<'_>, Reason)> = vec![
        ("no name", set("name", json!("")), Reason::Malformed),
        (
            "no consent",
            set("consent_to_substantial", json!(false)),
            Reason::ConsentMissing,
        ),
        ("a class, too", set("class", json!("passkey")), Reason::Malformed),
        ("no passkey", set("passkey", Value::Null), Reason::Malformed),
        (
            "somebody else's handle",
            inner("device", hers["user"]["id"].clone()),
            Reason::Malformed,
        ),
        (
            "another device's handle",
            inner("device", later["user"]["id"].clone()),
            Reason::Malformed,
        ),
        ("no base64url", inner("client_data", json!("=")), Reason::Malformed),
        (
            "no object",
            inner("attestation_object", json!("AAAA")),
            Reason::Malformed,
        ),
        (
            "another credential",
            inner("credential_id", json!("AAAA")),
            Reason::Malformed,
        ),
        ("a member more", inner("transports", json!([])), Reason::Malformed),
        (
            "not verified",
            set("passkey", unsure.made(&options, true)),
            Reason::Malformed,
        ),
        (
            "of another login",
            set("passkey", passkey.made(&later, true)),
            Reason::Malformed,
        ),
    ];
    for (why, change, reason) in cases {
        let mut body = good.clone();
        change(&mut body);
        let answer = harness.api(&harness.path, "/devices", &body).await;
        assert_eq!(wire::refused(&answer).reason, Some(reason), "{why}");
    }
    // A key in software is no passkey, whatever it says.
    let (challenged, by_card) = {
        let (_, _, challenged) = challenged(&harness).await;
        let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
        let answered = harness.read_answer(&challenged.client_id, &answer);
        (challenged, answered)
    };
    for class in ["passkey", "passkey-own-pages"] {
        let body = Device::unbound().binding(&challenged, &by_card, class);
        let answer = harness.api(&harness.path, "/devices", &body).await;
        wire::assert_reason(&answer, Reason::DeviceNotAdmitted);
    }
    let first = wire::json(&harness.api(&harness.path, "/devices", &good).await, 201);
    // The same again is the same device.
    let again = harness.api(&harness.path, "/devices", &good).await;
    assert_eq!(wire::json(&again, 201), first);
    // Another passkey under its handle is not.
    let other = binding(&answered, &Passkey::of(&options, &harness.path).made(&options, true));
    let again = harness.api(&harness.path, "/devices", &other).await;
    wire::assert_refused(&again, 503, "temporarily_unavailable");
}

#[tokio::test]
async fn the_passkeys_she_has_are_named_to_her_and_to_nobody_else_until_she_removes_them() {
    let harness = Harness::start().await;
    let (ada, zoe) = (harness.ada().await, crate::common::Person::zoe());
    harness.import(&harness.path, &zoe.data()).await;
    let named = async |person| {
        let (_, options) = harness.passkey_options(&harness.path, person).await;
        options["excludeCredentials"].clone()
    };
    // A device key is no passkey.
    harness.bound(&harness.path, &harness.service(), &ada, HIGH_CLASS).await;
    assert_eq!(named(&ada).await, json!([]));
    let (passkey, _) = harness.passkey(&harness.path, &ada, 0, true).await;
    let hers = json!([{"type": "public-key", "id": passkey.credential_id()}]);
    assert_eq!((named(&ada).await, named(&zoe).await), (hers, json!([])));
    let account = harness.account(&harness.path, &ada).await;
    let removal = json!({"device": passkey.user_handle});
    wire::json(&harness.take_back(&harness.path, &account, &removal).await, 200);
    assert_eq!(named(&ada).await, json!([]));
}

#[tokio::test]
async fn a_passkey_binds_no_further_device() {
    let harness = Harness::start().await;
    let ada = harness.ada().await;
    let (mut passkey, _) = harness.passkey(&harness.path, &ada, 0, true).await;
    let account = harness.app_account_challenge(&harness.path).await;
    let answer = harness
        .api(&harness.path, "/auth/device", &passkey.answer(&account))
        .await;
    let answered = harness.read_answer(&account.client_id, &answer);
    let body = Device::unbound().binding(&account, &answered, HIGH_CLASS);
    let answer = harness.api(&harness.path, "/devices", &body).await;
    wire::assert_reason(&answer, Reason::CardLoginNeeded);
}
