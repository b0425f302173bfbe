//! Every refusal of the authenticator API says why in a word; services get OAuth's two members and no other.

use authenticator::Reason;
use serde_json::json;

use crate::common::{Device, HIGH_CLASS, Harness, Person, SUBSTANTIAL_CLASS, wire};

#[tokio::test]
async fn a_login_that_does_not_go_on_says_why() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let issuer = &harness.path.issuer;
    let challenged = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let card = |login: &str| json!({"client_id": service.client_id, "login": login, "response": ada.sign(&challenged.challenge)});
    for (path, body, reason) in [
        (
            "/auth/challenge",
            json!({"client_id": service.client_id, "login": "x"}),
            Reason::LoginUnknown,
        ),
        (
            "/auth/challenge",
            json!({"client_id": service.client_id, "request_uri": "urn:ietf:params:oauth:request_uri:x"}),
            Reason::LoginUnknown,
        ),
        (
            "/auth/challenge",
            json!({"client_id": service.client_id}),
            Reason::Malformed,
        ),
        ("/auth/challenge", json!([]), Reason::Malformed),
        ("/auth/card", card("x"), Reason::LoginUnknown),
        ("/auth/card", json!({"client_id": service.client_id}), Reason::Malformed),
        (
            "/auth/consent",
            json!({"client_id": service.client_id, "login": challenged.login, "decision": "approve"}),
            Reason::LoginUnknown,
        ),
        (
            "/auth/consent",
            json!({"client_id": "https://stranger.example", "login": challenged.login, "decision": "approve"}),
            Reason::ServiceUnknown,
        ),
        (
            "/account/overview",
            json!({"login": challenged.login}),
            Reason::LoginUnknown,
        ),
        ("/account/overview", json!({"client_id": issuer}), Reason::Malformed),
        ("/devices", json!({}), Reason::Malformed),
    ] {
        wire::assert_reason(&harness.api(&harness.path, path, &body).await, reason);
    }
    // Whoever came too late is told so: the challenge first, then the login.
    harness.clock.advance(300);
    let late = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    wire::assert_reason(&late, Reason::ChallengeExpired);
    harness.clock.advance(601);
    let late = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    wire::assert_reason(&late, Reason::LoginExpired);
}

#[tokio::test]
async fn a_card_that_does_not_do_says_why() {
    let harness = Harness::start().await;
    let service = harness.service();
    let stranger = Person::tom();
    let challenged = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    // Tom's card was issued by the other insurer.
    let answer = harness.answer_with_card(&harness.path, &challenged, &stranger).await;
    wire::assert_reason(&answer, Reason::CardOtherInsurer);
    // Nobody has imported Ada here.
    let answer = harness
        .answer_with_card(&harness.path, &challenged, &Person::ada())
        .await;
    wire::assert_reason(&answer, Reason::CardUnknown);
    let ada = harness.ada().await;
    let other = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let answer = harness.answer_with_card(&harness.path, &other, &ada).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_device_that_does_not_do_says_why() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mut device = harness.bound(&harness.path, &service, &ada, SUBSTANTIAL_CLASS).await;
    let substantial = service
        .request(&harness)
        .with("acr_values", "gematik-ehealth-loa-substantial");
    let challenged = harness.challenged(&harness.path, &service, &substantial).await;
    let now = harness.clock_now();
    let post = async |device: &Device, decision: &str, seconds: i64, counter: u64| {
        let time = jose::UnixTime(now.checked_add_signed(seconds).unwrap());
        let response = device.assertion(&challenged.challenge, decision, time, counter);
        harness.post_device(&harness.path, &challenged, device, &response).await
    };
    wire::assert_reason(&post(&device, "approve", 0, 0).await, Reason::DeviceCloned);
    wire::assert_reason(&post(&device, "approve", -301, 1).await, Reason::DeviceClock);
    wire::assert_reason(&post(&device, "decline", 0, 1).await, Reason::Declined);
    wire::assert_reason(&post(&Device::unbound(), "approve", 0, 1).await, Reason::DeviceUnknown);
    let claims = json!({"id_token": {"acr": {"essential": true, "value": "gematik-ehealth-loa-high"}}});
    let high = service.request(&harness).with("claims", &claims.to_string());
    let demanding = harness.challenged(&harness.path, &service, &high).await;
    let answer = harness.answer_with_device(&harness.path, &demanding, &mut device).await;
    wire::assert_reason(&answer, Reason::LevelTooLow);
    harness.clock.advance(86_401);
    let later = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let answer = harness.answer_with_device(&harness.path, &later, &mut device).await;
    wire::assert_reason(&answer, Reason::DeviceDue);
}

#[tokio::test]
async fn a_binding_that_is_refused_says_why() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let challenged = harness.challenged(&harness.path, &service, &push).await;
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let good = Device::unbound().binding(&challenged, &answered, HIGH_CLASS);
    for (member, value, reason) in [
        ("class", json!("unknown"), Reason::DeviceNotAdmitted),
        ("class", json!("secure-element"), Reason::AttestationRefused),
        ("class", json!(SUBSTANTIAL_CLASS), Reason::ConsentMissing),
        ("name", json!(""), Reason::Malformed),
    ] {
        let mut binding = good.clone();
        binding["consent_to_substantial"] = json!(false);
        binding[member] = value;
        wire::assert_reason(&harness.api(&harness.path, "/devices", &binding).await, reason);
    }
    harness.clock.advance(601);
    let late = harness.api(&harness.path, "/devices", &good).await;
    assert!(matches!(
        wire::refused(&late).reason,
        Some(Reason::CardLoginNeeded | Reason::LoginExpired)
    ));
}

#[tokio::test]
async fn services_get_the_two_members_of_oauth() {
    let harness = Harness::start().await;
    let service = harness.service();
    let push = service.request(&harness);
    let refused = wire::refused(
        &service
            .push(&harness.path, &push.clone().with("scope", "nonsense"))
            .await,
    );
    assert_eq!(refused.reason, None);
    let refused = wire::refused(&service.redeem(&harness.path, &push, "no code").await);
    assert_eq!(refused.reason, None);
}

#[tokio::test]
async fn pressed_twice_gives_the_same_answer_and_a_finished_login_says_that_it_is() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    // The answer was lost, or she pressed twice: the decision may be sent again, and one code of the two is redeemed.
    let code = harness.approved(&harness.path, &answered, None).await;
    let again = harness.approved(&harness.path, &answered, None).await;
    harness.redeemed(&harness.path, &service, &push, &again).await;
    wire::assert_refused(&service.redeem(&harness.path, &push, &code).await, 400, "invalid_grant");
    // An old tab: the form, and the page asked for again.
    let decision = json!({"decision": "approve", "claims": []});
    let stale = harness.decide(&harness.path, &answered, &decision).await;
    wire::assert_reason(&stale, Reason::LoginOver);
    let mut url = url::Url::parse(&format!("{}/auth/consent", harness.path.issuer)).unwrap();
    url.query_pairs_mut()
        .append_pair("client_id", &service.client_id)
        .append_pair("login", &answered.login);
    for (language, happened, next) in [
        (
            "de",
            "Diese Anmeldung ist schon zu Ende.",
            "Schauen Sie beim Dienst nach",
        ),
        ("en", "This login has ended already.", "Look at the service"),
    ] {
        let headers = [("accept", "text/html"), ("accept-language", language)];
        let page = harness.app().get(url.as_str(), &headers).await.unwrap();
        let page = wire::page(&page, 400, language);
        assert!(page.contains(happened) && page.contains(next), "{page}");
    }
}
