//! How services are verified (digest 3.9; A_22650, A_22649, A_23413, A_23132, A_23133, A_23500).

use std::sync::Arc;

use federation::profile;
use jose::SoftwareKey;
use jose::jwk::KeyUse;
use provider::clock::Clock;
use serde_json::json;

use crate::common::federation::{Broken, MASTER, own_statement, statement_about};
use crate::common::{Harness, Refused, Service, wire};

const HOUR: u64 = 3600;

async fn push_refused(harness: &Harness, service: &Service) -> Refused {
    let answer = service.push(&harness.path, &service.request(harness)).await;
    wire::refused(&answer)
}

async fn push_admitted(harness: &Harness, service: &Service) {
    let answer = service.push(&harness.path, &service.request(harness)).await;
    wire::json(&answer, 201);
}

#[tokio::test]
async fn the_first_push_of_an_unknown_service_succeeds() {
    let harness = Harness::start().await;
    let service = harness.service();
    push_admitted(&harness, &service).await;
    assert_eq!(
        harness.federation.take_fetched(),
        [
            own_statement(MASTER),
            statement_about(&service.client_id),
            own_statement(&service.client_id)
        ]
    );
    push_admitted(&harness, &service).await;
    assert!(harness.federation.take_fetched().is_empty());
}

#[tokio::test]
async fn a_stranger_is_refused_and_nothing_is_fetched_from_his_address() {
    let harness = Harness::start().await;
    for status in [404, 400] {
        let stranger = Service::new(&format!("https://stranger-{status}.example"));
        let about = statement_about(&stranger.client_id);
        harness.federation.break_document(about.clone(), Broken::Status(status));
        harness.federation.take_fetched();
        let refused = push_refused(&harness, &stranger).await;
        assert_eq!(refused.code(), (401, "invalid_client"));
        assert!(refused.description.contains("not registered"));
        let fetched = harness.federation.take_fetched();
        assert!(fetched.iter().all(|url| url.starts_with(MASTER)), "{fetched:?}");
        assert!(fetched.contains(&about));
    }
}

#[tokio::test]
async fn a_registration_takes_effect_within_seconds() {
    let harness = Harness::start().await;
    let service = Service::new("https://new.example");
    assert_eq!(push_refused(&harness, &service).await.code(), (401, "invalid_client"));
    harness.federation.take_fetched();
    service.join(&harness.federation);
    // A failure is remembered for a moment: nobody is asked.
    harness.clock.advance(provider::FAILURE_KEPT_SECONDS - 1);
    assert_eq!(push_refused(&harness, &service).await.code(), (401, "invalid_client"));
    assert!(harness.federation.take_fetched().is_empty());
    harness.clock.advance(1);
    push_admitted(&harness, &service).await;
}

#[tokio::test]
async fn a_silent_federation_master_is_a_reason_to_try_later() {
    let harness = Harness::start().await;
    let service = harness.service();
    for (url, broken) in [
        (own_statement(MASTER), Broken::Timeout),
        (own_statement(MASTER), Broken::Status(503)),
        (own_statement(MASTER), Broken::Document("<html>".to_owned())),
        (statement_about(&service.client_id), Broken::Timeout),
        (statement_about(&service.client_id), Broken::Status(500)),
    ] {
        harness.federation.mend();
        harness.federation.break_document(url, broken);
        harness.clock.advance(60);
        let refused = push_refused(&harness, &service).await;
        assert_eq!(refused.code(), (503, "temporarily_unavailable"));
    }
    harness.federation.mend();
    harness.clock.advance(60);
    push_admitted(&harness, &service).await;
}

#[tokio::test]
async fn a_federation_master_with_another_key_is_not_believed() {
    let harness = Harness::start().await;
    let service = harness.service();
    let forged = SoftwareKey::generate("puk_fedmaster_sig").unwrap();
    let about = harness
        .federation
        .about(&service.client_id, harness.clock.now(), &forged)
        .unwrap();
    harness
        .federation
        .break_document(statement_about(&service.client_id), Broken::Document(about));
    let refused = push_refused(&harness, &service).await;
    assert_eq!(refused.status, 401);
    assert!(["invalid_client", "missing_trust_anchor"].contains(&refused.error.as_str()));
    // Nothing was fetched from the service's address on such a word.
    let fetched = harness.federation.take_fetched();
    assert!(fetched.iter().all(|url| url.starts_with(MASTER)), "{fetched:?}");
}

#[tokio::test]
async fn a_defective_statement_of_a_service_is_refused_with_its_rule() {
    let harness = Harness::start().await;
    let service = harness.service();
    let client_id = &service.client_id;
    let now = harness.clock.now();
    let own = |iat, signer: Option<&SoftwareKey>| harness.federation.own(client_id, iat, signer).unwrap();
    let foreign = SoftwareKey::generate("entity").unwrap();
    let unknown_kid = SoftwareKey::generate("unknown").unwrap();
    let good = own(now, None);
    let (head, rest) = good.split_once('.').unwrap();
    let none = jose::base64url::encode(br#"{"alg":"none","typ":"entity-statement+jwt"}"#);
    let other = Service::new("https://other.example");
    other.join(&harness.federation);
    let of_another = harness.federation.own(&other.client_id, now, None).unwrap();
    for (name, document) in [
        ("expired", own(now.minus_seconds(13 * HOUR), None)),
        ("from the future", own(now.plus_seconds(HOUR), None)),
        ("signed by a stranger under the right kid", own(now, Some(&foreign))),
        ("signed with an unknown kid", own(now, Some(&unknown_kid))),
        ("unsigned", format!("{head}.{}.", rest.split_once('.').unwrap().0)),
        ("alg none", format!("{none}.{}.", rest.split_once('.').unwrap().0)),
        ("changed", good.replace('.', ".A")),
        ("somebody else's", of_another),
        ("no statement", "<html>".to_owned()),
        ("empty", String::new()),
    ] {
        harness
            .federation
            .break_document(own_statement(client_id), Broken::Document(document));
        harness.clock.advance(provider::FAILURE_KEPT_SECONDS);
        let refused = push_refused(&harness, &service).await;
        assert_eq!(
            refused.code(),
            (401, "invalid_client"),
            "{name}: {}",
            refused.description
        );
    }
    for broken in [Broken::Timeout, Broken::Status(404), Broken::Status(500)] {
        harness.federation.break_document(own_statement(client_id), broken);
        harness.clock.advance(provider::FAILURE_KEPT_SECONDS);
        assert_eq!(push_refused(&harness, &service).await.code(), (401, "invalid_client"));
    }
    harness.federation.mend();
    harness.clock.advance(provider::FAILURE_KEPT_SECONDS);
    push_admitted(&harness, &service).await;
}

#[tokio::test]
async fn a_statement_may_live_24_hours_and_no_longer() {
    let harness = Harness::start().await;
    let service = harness.service();
    for (lifetime, admitted) in [(24 * HOUR, true), (24 * HOUR + 1, false)] {
        let mut published = service.published();
        published.lifetime_seconds = lifetime;
        harness.federation.publish(&service.client_id, published);
        harness.clock.advance(25 * HOUR);
        if admitted {
            push_admitted(&harness, &service).await;
        } else {
            assert_eq!(push_refused(&harness, &service).await.code(), (401, "invalid_client"));
        }
    }
}

#[tokio::test]
async fn a_service_without_usable_keys_is_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let tls = profile::client_key_set(&[]);
    let encryption_only = profile::client_key_set(&[service.encryption[0].jwk(KeyUse::Encryption)]);
    for jwks in [
        None,
        Some(json!({})),
        Some(json!({"keys": "x"})),
        Some(tls),
        Some(encryption_only),
    ] {
        let mut published = service.published();
        published.party.jwks = jwks;
        harness.federation.publish(&service.client_id, published);
        harness.clock.advance(provider::FAILURE_KEPT_SECONDS);
        assert_eq!(push_refused(&harness, &service).await.code(), (401, "invalid_client"));
    }
}

#[tokio::test]
async fn keys_by_reference_are_verified_with_the_registered_key() {
    let harness = Harness::start().await;
    let mut service = Service::new("https://reference.example");
    service.by_reference = true;
    service.join(&harness.federation);
    let keys = format!("{}/keys", service.client_id);
    let ada = harness.ada().await;
    harness.login(&harness.path, &service, &ada).await;
    assert!(harness.federation.take_fetched().contains(&keys));
    let forged = SoftwareKey::generate("entity").unwrap();
    let issuer = crate::common::federation::id(&service.client_id);
    let now = harness.clock.now();
    let stolen = federation::signed_keys::issue(&issuer, now, &service.published().signed_keys.unwrap(), &forged);
    for broken in [
        Broken::Document(stolen.unwrap()),
        Broken::Document("{}".to_owned()),
        Broken::Status(404),
        Broken::Timeout,
    ] {
        harness.clock.advance(24 * HOUR);
        harness.federation.break_document(keys.clone(), broken);
        assert_eq!(push_refused(&harness, &service).await.code(), (401, "invalid_client"));
    }
}

#[tokio::test]
async fn what_is_known_is_refreshed_after_12_hours_and_discarded_after_24() {
    let harness = Harness::start().await;
    let service = harness.service();
    // A statement of 24 hours, so that only the cache's rules count.
    let publish = |service: &Service, name: &str| {
        let mut published = service.published();
        published.lifetime_seconds = 24 * HOUR;
        published.party.client_name = name.to_owned();
        harness.federation.publish(&service.client_id, published);
    };
    publish(&service, "Erster Name");
    push_admitted(&harness, &service).await;
    harness.federation.take_fetched();
    publish(&service, "Zweiter Name");
    harness.clock.advance(12 * HOUR - 1);
    push_admitted(&harness, &service).await;
    assert!(harness.federation.take_fetched().is_empty());
    harness.clock.advance(1);
    push_admitted(&harness, &service).await;
    settled(&harness, &service, "Zweiter Name").await;
    let own: Vec<_> = harness.federation.take_fetched();
    assert_eq!(
        own.iter()
            .filter(|url| **url == own_statement(&service.client_id))
            .count(),
        1
    );
    // A federation that is silent afterwards is no reason to refuse, until 24 hours are over.
    harness.federation.take_master_down(&[&service.client_id]);
    harness.clock.advance(24 * HOUR - 1);
    push_admitted(&harness, &service).await;
    push_admitted(&harness, &service).await;
    harness.clock.advance(1);
    let refused = push_refused(&harness, &service).await;
    assert_eq!(refused.code(), (503, "temporarily_unavailable"));
}

/// Waits until a refresh in the background has been taken over.
async fn settled(harness: &Harness, service: &Service, name: &str) {
    for _ in 0..200 {
        let push = service.request(harness);
        let challenged = harness.challenged(&harness.path, service, &push).await;
        if challenged.body["service"]["name"] == name {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the refresh never ended");
}

#[tokio::test]
async fn a_silent_federation_is_asked_now_and_then_and_not_at_every_request() {
    let harness = Harness::start().await;
    let service = harness.service();
    let mut published = service.published();
    published.lifetime_seconds = 24 * HOUR;
    harness.federation.publish(&service.client_id, published);
    push_admitted(&harness, &service).await;
    harness.clock.advance(13 * HOUR);
    harness.federation.take_master_down(&[&service.client_id]);
    harness.federation.take_fetched();
    for _ in 0..20 {
        push_admitted(&harness, &service).await;
    }
    let asked = harness.federation.take_fetched().len();
    assert!((1..=4).contains(&asked), "{asked}");
    harness.clock.advance(provider::FAILURE_KEPT_SECONDS);
    for _ in 0..20 {
        push_admitted(&harness, &service).await;
    }
    let asked = harness.federation.take_fetched().len();
    assert!((1..=4).contains(&asked), "{asked}");
}

#[tokio::test]
async fn a_kept_statement_is_never_used_beyond_its_own_end() {
    let harness = Harness::start().await;
    let service = harness.service();
    let mut published = service.published();
    published.lifetime_seconds = 600;
    harness.federation.publish(&service.client_id, published);
    push_admitted(&harness, &service).await;
    harness.federation.take_fetched();
    harness.clock.advance(599);
    push_admitted(&harness, &service).await;
    assert!(harness.federation.take_fetched().is_empty());
    harness.clock.advance(1);
    push_admitted(&harness, &service).await;
    assert!(!harness.federation.take_fetched().is_empty());
}

#[tokio::test]
async fn a_service_that_left_the_federation_is_refused_after_a_day_at_most() {
    let harness = Harness::start().await;
    let service = harness.service();
    push_admitted(&harness, &service).await;
    harness
        .federation
        .break_document(statement_about(&service.client_id), Broken::Status(404));
    harness.clock.advance(24 * HOUR);
    assert_eq!(push_refused(&harness, &service).await.code(), (401, "invalid_client"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rush_on_an_unknown_service_asks_the_federation_once() {
    let harness = Arc::new(Harness::start().await);
    let service = Arc::new(harness.service());
    let rush: Vec<_> = (0..20)
        .map(|_| {
            let (harness, service) = (Arc::clone(&harness), Arc::clone(&service));
            tokio::spawn(async move { push_admitted(&harness, &service).await })
        })
        .collect();
    for push in rush {
        push.await.unwrap();
    }
    assert_eq!(harness.federation.take_fetched().len(), 3);
}

#[tokio::test]
async fn an_intruder_who_serves_the_services_statement_cannot_redirect_people_elsewhere() {
    let harness = Harness::start().await;
    let service = harness.service();
    let mut published = service.published();
    published.party.redirect_uris = vec!["https://attacker.example/return".to_owned()];
    harness.federation.publish(&service.client_id, published);
    let push = service
        .request(&harness)
        .with("redirect_uri", "https://attacker.example/return");
    let answer = service.push(&harness.path, &push).await;
    wire::assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn a_redirect_uri_that_fits_no_header_is_none() {
    let harness = Harness::start().await;
    for redirect_uri in [
        "https://record.example/ti/zur\u{fc}ck",
        "https://record.example/ti/return#x",
        "https://user@record.example/return",
        "record://return",
        "/return",
        "",
    ] {
        let service = Service::new("https://record.example/ti");
        let mut published = service.published();
        published.redirect_uris.push(redirect_uri.to_owned());
        harness.federation.publish(&service.client_id, published);
        harness.clock.advance(provider::FAILURE_KEPT_SECONDS);
        assert_eq!(
            push_refused(&harness, &service).await.code(),
            (401, "invalid_client"),
            "{redirect_uri}"
        );
    }
}

#[tokio::test]
async fn a_new_encryption_key_is_used_once_the_statement_is_read_again() {
    let harness = Harness::start().await;
    let mut service = harness.service();
    let ada = harness.ada().await;
    // Named as A_28208 wants, so that the newest can be told.
    let named = |kid: &str| Arc::new(SoftwareKey::generate(kid).unwrap());
    service.encryption = vec![named("01a1fdfa-4600-7000-8000-000000000001")];
    service.join(&harness.federation);
    let first = harness.login(&harness.path, &service, &ada).await;
    assert_eq!(first.outer["kid"], "01a1fdfa-4600-7000-8000-000000000001");
    service.encryption.push(named("01a1fdfb-0000-7000-8000-000000000002"));
    service.join(&harness.federation);
    // Until then the old key is used, which the service still has.
    harness.login(&harness.path, &service, &ada).await;
    harness.clock.advance(24 * HOUR);
    let later = harness.login(&harness.path, &service, &ada).await;
    assert_eq!(later.outer["kid"], "01a1fdfb-0000-7000-8000-000000000002");
}
