//! Who tries too often is sent away, and that holds across restarts and older databases (tee.md 4.8-4.10, attacks 25, 33).

use std::sync::Arc;

use provider::{Allowance, LimitSettings};
use serde_json::json;
use store_sqlite::FileRegister;
use transport::HttpResponse;

use crate::common::{Device, HIGH_CLASS, Harness, Person, Refused, Service, Setup, crowd, logs, wire};

const fn allowance(burst: u32, every_seconds: u64) -> Allowance {
    Allowance {
        burst,
        every_milliseconds: every_seconds * 1_000,
    }
}

fn tight() -> LimitSettings {
    LimitSettings {
        device_failures: allowance(3, 900),
        person_failures: allowance(5, 600),
        network_failures: allowance(100, 10),
        ..LimitSettings::default()
    }
}

async fn with(limits: LimitSettings) -> (Harness, Service, Person) {
    let harness = Harness::with(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let service = harness.service();
    let ada = harness.ada().await;
    (harness, service, ada)
}

/// A 429 as every one must look, and the seconds in it.
fn sent_away(answer: &HttpResponse) -> (Refused, u64) {
    let refused = wire::assert_refused(answer, 429, "temporarily_unavailable");
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(
        refused.description.contains(&format!("{seconds} seconds")),
        "{}",
        refused.description
    );
    (refused, seconds)
}

/// An answer with a signature that is not the device's.
async fn forged(harness: &Harness, service: &Service, device: &Device) -> HttpResponse {
    let push = service.request(harness);
    let challenged = harness.challenged(&harness.path, service, &push).await;
    let stranger = Device::unbound();
    let response = stranger.assertion(
        &challenged.challenge,
        "approve",
        jose::UnixTime(harness.clock_now()),
        99,
    );
    harness.post_device(&harness.path, &challenged, device, &response).await
}

/// An answer of a card to a challenge of its own.
async fn card(harness: &Harness, service: &Service, person: &Person) -> HttpResponse {
    let push = service.request(harness);
    let challenged = harness.challenged(&harness.path, service, &push).await;
    harness.answer_with_card(&harness.path, &challenged, person).await
}

async fn genuine(harness: &Harness, service: &Service, device: &mut Device) -> HttpResponse {
    let push = service.request(harness);
    let challenged = harness.challenged(&harness.path, service, &push).await;
    harness.answer_with_device(&harness.path, &challenged, device).await
}

#[tokio::test]
async fn a_device_that_fails_too_often_is_locked_out_and_the_card_stays_possible() {
    let (harness, service, ada) = with(tight()).await;
    let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    for _ in 0..3 {
        wire::assert_refused(&forged(&harness, &service, &device).await, 403, "access_denied");
    }
    assert_eq!(logs::told("locked_out"), 1);
    // Even the right answer is not looked at any more.
    let (_, seconds) = sent_away(&genuine(&harness, &service, &mut device).await);
    assert_eq!(seconds, 900);
    assert_eq!(logs::told("limited"), 1);
    harness.login(&harness.path, &service, &ada).await;
    // Another device of hers is not concerned, yet.
    let mut other = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    wire::json(&genuine(&harness, &service, &mut other).await, 200);
    harness.clock.advance(899);
    sent_away(&genuine(&harness, &service, &mut device).await);
    harness.clock.advance(1);
    wire::json(&genuine(&harness, &service, &mut device).await, 200);
}

#[tokio::test]
async fn failures_of_all_her_devices_count_for_the_person() {
    let (harness, service, ada) = with(tight()).await;
    let one = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let mut two = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    for device in [&one, &two, &one, &two, &one] {
        wire::assert_refused(&forged(&harness, &service, device).await, 403, "access_denied");
    }
    let (_, seconds) = sent_away(&genuine(&harness, &service, &mut two).await);
    assert_eq!(seconds, 600);
    // Somebody else is not concerned.
    let zoe = Person::zoe();
    harness.import(&harness.path, &zoe.data()).await;
    let mut hers = harness.bound(&harness.path, &service, &zoe, HIGH_CLASS).await;
    wire::json(&genuine(&harness, &service, &mut hers).await, 200);
}

#[tokio::test]
async fn a_lockout_survives_a_restart_without_a_goodbye() {
    let register = tempfile::tempdir().unwrap();
    let harness = Harness::with(Setup {
        limits: tight(),
        register: Arc::new(FileRegister::open(register.path()).unwrap()),
        ..Setup::default()
    })
    .await;
    let (service, ada) = (harness.service(), harness.ada().await);
    let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    for _ in 0..2 {
        wire::assert_refused(&forged(&harness, &service, &device).await, 403, "access_denied");
    }
    harness.restart();
    wire::assert_refused(&forged(&harness, &service, &device).await, 403, "access_denied");
    harness.restart();
    sent_away(&genuine(&harness, &service, &mut device).await);
}

#[tokio::test]
async fn right_answers_use_nothing_up_and_write_nothing() {
    let (harness, service, ada) = with(tight()).await;
    let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    for _ in 0..8 {
        let before = harness.store.commits();
        let push = service.request(&harness);
        let answered = harness
            .authenticated_by_device(&harness.path, &service, &push, &mut device)
            .await;
        let code = harness.approved(&harness.path, &answered, None).await;
        harness.redeemed(&harness.path, &service, &push, &code).await;
        assert_eq!(harness.store.commits(), before + 1, "a login commits once");
    }
}

#[tokio::test]
async fn failing_cards_of_one_network_are_sent_away_together() {
    let (harness, service, _) = with(LimitSettings {
        network_failures: allowance(4, 10),
        ..LimitSettings::default()
    })
    .await;
    // Their insurer does not know them.
    let stranger = Person::zoe();
    harness.secret(stranger.kvnr);
    for _ in 0..4 {
        let answer = card(&harness, &service, &stranger).await;
        wire::assert_refused(&answer, 403, "access_denied");
    }
    let challenged = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let answer = harness.answer_with_card(&harness.path, &challenged, &stranger).await;
    assert_eq!(sent_away(&answer).1, 10);
    harness.clock.advance(10);
    let answer = harness.answer_with_card(&harness.path, &challenged, &stranger).await;
    wire::assert_refused(&answer, 403, "access_denied");
}

#[tokio::test]
async fn where_networks_are_not_told_apart_the_insurers_allowance_counts() {
    let (harness, service, _) = with(LimitSettings {
        by_network: false,
        network_failures: allowance(1, 1_000),
        insurer_failures: allowance(3, 10),
        ..LimitSettings::default()
    })
    .await;
    let stranger = Person::zoe();
    for expected in [403, 403, 403, 429] {
        let answer = card(&harness, &service, &stranger).await;
        assert_eq!(answer.status, expected);
    }
    // Another insurer goes on.
    let tom = Person::tom();
    harness.import(&harness.host, &tom.data()).await;
    harness.login(&harness.host, &service, &tom).await;
}

#[tokio::test]
async fn a_flood_of_pushed_requests_is_one_services_own_affair() {
    let (harness, service, ada) = with(LimitSettings {
        pushes: allowance(5, 1),
        ..LimitSettings::default()
    })
    .await;
    let other = Service::new("https://rezept.example");
    other.join(&harness.federation);
    for _ in 0..5 {
        harness
            .pushed(&harness.path, &service, &service.request(&harness))
            .await;
    }
    let push = service.request(&harness);
    assert_eq!(sent_away(&service.push(&harness.path, &push).await).1, 1);
    harness.login(&harness.path, &other, &ada).await;
    // Who only claims to be it uses nothing of its allowance up.
    let mut impostor = Service::new("https://rezept.example");
    impostor.client_id.clone_from(&other.client_id);
    for _ in 0..6 {
        let answer = impostor.push(&harness.path, &other.request(&harness)).await;
        assert_eq!(answer.status, 401);
    }
    harness.login(&harness.path, &other, &ada).await;
    harness.clock.advance(1);
    harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
}

#[tokio::test]
async fn made_up_services_make_us_ask_the_federation_master_only_so_often() {
    let (harness, service, ada) = with(LimitSettings {
        unknown_services_by_network: allowance(3, 10),
        ..LimitSettings::default()
    })
    .await;
    harness.login(&harness.path, &service, &ada).await;
    // It was unheard of itself.
    harness.clock.advance(10);
    harness.federation.take_fetched();
    let mut sent = Vec::new();
    for number in 0..20 {
        let made_up = format!("https://made-up-{number}.example");
        let push = service.request(&harness).with("client_id", &made_up);
        let answer = service.push(&harness.path, &push).await;
        sent.push(answer.status);
    }
    assert_eq!(sent[..3], [401; 3]);
    assert!(sent[3..].iter().all(|status| *status == 429), "{sent:?}");
    assert_eq!(harness.federation.take_fetched().len(), 3);
    // The token endpoint shares the allowance.
    let push = service.request(&harness);
    let fields = service
        .redemption(&push, "x")
        .with("client_id", "https://made-up.example");
    sent_away(&service.post(&format!("{}/token", harness.path.mtls), &fields).await);
    // Who is known goes on.
    harness.login(&harness.path, &service, &ada).await;
    harness.clock.advance(10);
    let push = service
        .request(&harness)
        .with("client_id", "https://made-up-99.example");
    assert_eq!(service.push(&harness.path, &push).await.status, 401);
}

#[tokio::test]
async fn registered_services_of_one_network_do_not_use_up_each_others_allowance() {
    let (harness, service, _) = with(LimitSettings {
        unknown_services_by_network: allowance(2, 10),
        unknown_services: allowance(2, 10),
        ..LimitSettings::default()
    })
    .await;
    // After a restart nobody is known here; all of them come at once, behind one address.
    harness.restart();
    for number in 0..5 {
        let registered = Service::new(&format!("https://dienst-{number}.example"));
        registered.join(&harness.federation);
        harness
            .pushed(&harness.path, &registered, &registered.request(&harness))
            .await;
    }
    // One it has never heard of uses it up, as before.
    for (number, expected) in [401, 401, 429].into_iter().enumerate() {
        let made_up = format!("https://made-up-{number}.example");
        let push = service.request(&harness).with("client_id", &made_up);
        assert_eq!(service.push(&harness.path, &push).await.status, expected);
    }
    // Then those it has not met yet wait too: whether they are registered would have to be asked.
    let late = Service::new("https://dienst-9.example");
    late.join(&harness.federation);
    sent_away(&late.push(&harness.path, &late.request(&harness)).await);
    harness.clock.advance(10);
    harness.pushed(&harness.path, &late, &late.request(&harness)).await;
}

#[tokio::test]
async fn devices_of_one_person_are_bound_only_so_often() {
    let (harness, service, ada) = with(LimitSettings {
        bindings: allowance(2, 3_600),
        ..LimitSettings::default()
    })
    .await;
    for expected in [201, 201, 429] {
        let challenged = harness
            .challenged(&harness.path, &service, &service.request(&harness))
            .await;
        let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
        let answered = harness.read_answer(&service.client_id, &answer);
        let binding = Device::unbound().binding(&challenged, &answered, HIGH_CLASS);
        let answer = harness.api(&harness.path, "/devices", &binding).await;
        assert_eq!(answer.status, expected);
    }
    // What was counted in memory is written with the flush, and holds after it.
    harness.provider().flush_freshness().await.unwrap();
    harness.restart();
    let challenged = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let binding = Device::unbound().binding(&challenged, &answered, HIGH_CLASS);
    sent_away(&harness.api(&harness.path, "/devices", &binding).await);
}

#[tokio::test]
async fn many_people_from_one_network_are_an_event_and_no_name_is_told() {
    let (harness, service, _) = with(LimitSettings::default()).await;
    for number in 0..10_u8 {
        assert_eq!(logs::told("many_people_one_source"), 0);
        let device = Device {
            handle: harness.secret(jose::base64url::encode(&[number; 32])),
            ..Device::unbound()
        };
        let answer = forged(&harness, &service, &device).await;
        wire::assert_refused(&answer, 403, "access_denied");
    }
    assert_eq!(logs::told("many_people_one_source"), 1);
}

#[tokio::test]
async fn a_replayed_counter_and_a_jumping_one_are_events() {
    let (harness, service, ada) = with(LimitSettings::default()).await;
    let mut device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let push = service.request(&harness);
    let answered = harness
        .authenticated_by_device(&harness.path, &service, &push, &mut device)
        .await;
    let code = harness.approved(&harness.path, &answered, None).await;
    harness.redeemed(&harness.path, &service, &push, &code).await;
    device.counter = 0;
    wire::assert_refused(&genuine(&harness, &service, &mut device).await, 403, "access_denied");
    assert_eq!(
        (
            logs::told("device_counter_replayed"),
            logs::told("device_counter_jumped")
        ),
        (1, 0)
    );
    device.counter = 1_000_000;
    wire::json(&genuine(&harness, &service, &mut device).await, 200);
    assert_eq!(logs::told("device_counter_jumped"), 1);
}

#[tokio::test]
async fn a_page_is_answered_with_a_page_and_says_when_to_come_again() {
    // The one place where a browser meets a limit is an API; its answer follows what the caller prefers.
    let (harness, service, ada) = with(tight()).await;
    let device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    for _ in 0..3 {
        forged(&harness, &service, &device).await;
    }
    let answer = forged(&harness, &service, &device).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = wire::json(&answer, 429);
    assert_eq!(body["error"], json!("temporarily_unavailable"));
}

#[tokio::test]
async fn mass_enrolment_from_one_network_is_an_event() {
    // One network, eleven people: each binds one device.
    let (harness, service, _) = with(LimitSettings::default()).await;
    let people = crowd(11);
    for (number, person) in people.iter().enumerate() {
        assert_eq!(logs::told("mass_enrolment"), usize::from(number >= 10));
        harness.import(&harness.path, &person.data()).await;
        harness.bound(&harness.path, &service, person, HIGH_CLASS).await;
    }
    assert_eq!(logs::told("mass_enrolment"), 1);
}

#[tokio::test]
async fn an_account_is_changed_only_so_often_by_whatever_address() {
    let (harness, service, ada) = with(LimitSettings {
        account_changes: allowance(3, 60),
        ..LimitSettings::default()
    })
    .await;
    let path = &harness.path;
    let device = harness.bound(path, &service, &ada, HIGH_CLASS).await;
    let account = harness.account(path, &ada).await;
    let lock = json!({"device": device.handle, "action": "lock"});
    // A device of hers that never was.
    let mut handle = jose::base64url::decode(&device.handle).unwrap();
    handle[31] ^= 1;
    let unknown = json!({"device": jose::base64url::encode(&handle)});
    let form = [
        ("login", account.login.as_str()),
        ("device", &device.handle),
        ("action", "unlock"),
    ];
    let url = format!("{}/account/devices", path.issuer);
    let headers = [
        ("cookie", account.cookie.as_str()),
        ("accept", "text/html"),
        ("accept-language", "de"),
    ];
    let send = || async { harness.browser().post_form(&url, &form, &headers).await.unwrap() };
    wire::json(&harness.ask_account(path, &account, "devices", &lock).await, 200);
    wire::json(&harness.take_back(path, &account, &unknown).await, 200);
    wire::page(&send().await, 200, "de");
    // One allowance for all of them.
    sent_away(&harness.take_back(path, &account, &unknown).await);
    sent_away(&harness.ask_account(path, &account, "devices", &lock).await);
    sent_away(&harness.ask_account(path, &account, "block-code", &json!({})).await);
    wire::page(&send().await, 429, "de");
    harness.clock.advance(60);
    wire::page(&send().await, 200, "de");
    let history = harness.read_history(path, &account).await;
    let entries = history["entries"].as_array().unwrap();
    // What never was, is removed without a word.
    assert!(
        entries.iter().all(|entry| entry["event"] != "device-removed"),
        "{history}"
    );
}
