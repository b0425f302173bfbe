//! Keys roll over without a failed login (digest 2.7; A_22655-02, A_22861).

use federation::{signed_keys, statement};
use jose::jwk::JwkSet;
use provider::{KEYS_KEPT_SECONDS, RolloverStep};
use serde_json::Value;
use vault::KeyRole;

use crate::common::{Harness, OpenedToken, Person, Service, Setup, federation::id, part};

async fn text(harness: &Harness, path: &str) -> String {
    let url = format!("{}{path}", harness.path.issuer);
    harness.app().get(&url, &[]).await.unwrap().text()
}

fn keys(document: &Value) -> JwkSet {
    JwkSet::from_value(document).unwrap()
}

/// What a service that follows every rule would do with a login right now: statement, key set and token verify, from the entity keys that
/// the Federation Master has registered.
async fn assert_a_service_can_verify(
    harness: &Harness,
    service: &Service,
    person: &Person,
    registered: &JwkSet,
) -> OpenedToken {
    let now = jose::UnixTime(harness.clock_now());
    let parsed = statement::parse(&text(harness, "/.well-known/openid-federation").await).unwrap();
    assert!(parsed.verify_with(registered, now).is_ok());
    let set = text(harness, "/jwks").await;
    let parsed = signed_keys::parse(&set).unwrap();
    assert!(parsed.verify(&id(&harness.path.issuer), registered, now).is_ok());
    let token = harness.login(&harness.path, service, person).await;
    let published = keys(&part(&set, 1));
    assert!(token.is_signed_by(published.by_kid(&token.kid).unwrap()));
    token
}

async fn registered(harness: &Harness) -> JwkSet {
    JwkSet::new(harness.provider.entity_keys(&harness.path.issuer).await.unwrap())
}

#[tokio::test]
async fn the_entity_key_rolls_over_while_logins_go_on() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let issuer = harness.path.issuer.clone();
    let first = registered(&harness).await;
    let role = KeyRole::EntityStatement;
    harness
        .provider
        .roll_over(&issuer, role, RolloverStep::Publish)
        .await
        .unwrap();
    // The next key is announced in the statement, which the old one still signs: time to register it.
    let statement = part(&text(&harness, "/.well-known/openid-federation").await, 1);
    assert_eq!(statement["jwks"]["keys"].as_array().unwrap().len(), 2);
    assert_a_service_can_verify(&harness, &service, &ada, &first).await;
    let both = registered(&harness).await;
    assert_eq!(both.keys.len(), 2);
    harness.clock.advance(24 * 3600);
    harness
        .provider
        .roll_over(&issuer, role, RolloverStep::Switch)
        .await
        .unwrap();
    assert_a_service_can_verify(&harness, &service, &ada, &both).await;
    let kid = part(&text(&harness, "/.well-known/openid-federation").await, 0)["kid"].clone();
    assert_ne!(kid, first.keys[0].kid.clone().unwrap());
    harness.clock.advance(24 * 3600);
    harness
        .provider
        .roll_over(&issuer, role, RolloverStep::Retire)
        .await
        .unwrap();
    let last = registered(&harness).await;
    assert_eq!(last.keys.len(), 1);
    assert_eq!(last.keys[0].kid.clone().unwrap(), kid);
    assert_a_service_can_verify(&harness, &service, &ada, &last).await;
}

#[tokio::test]
async fn the_token_key_rolls_over_while_logins_go_on() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let issuer = harness.path.issuer.clone();
    let entity = registered(&harness).await;
    let first = assert_a_service_can_verify(&harness, &service, &ada, &entity).await;
    let mut kid = first.kid.clone();
    for round in 0..2 {
        let role = KeyRole::IdToken;
        harness
            .provider
            .roll_over(&issuer, role, RolloverStep::Publish)
            .await
            .unwrap();
        let set = part(&text(&harness, "/jwks").await, 1);
        // Entity key first, each token key with its certificate.
        let shown = set["keys"].as_array().unwrap();
        assert_eq!(shown.len(), 3 + round);
        assert!(shown[0].get("x5c").is_none() && shown[1..].iter().all(|key| key["x5c"].is_array()));
        let still = assert_a_service_can_verify(&harness, &service, &ada, &entity).await;
        assert_eq!(still.kid, kid);
        harness.clock.advance(3600);
        // A code issued before the switch is redeemed after it.
        let push = service.request(&harness);
        let code = harness.code(&harness.path, &service, &push, &ada).await;
        harness
            .provider
            .roll_over(&issuer, role, RolloverStep::Switch)
            .await
            .unwrap();
        let token = harness.redeemed(&harness.path, &service, &push, &code).await;
        assert_ne!(token.kid, kid);
        assert_ne!(token.certificate, first.certificate);
        // Who has the old token can still verify it.
        let published = keys(&part(&text(&harness, "/jwks").await, 1));
        assert!(first.is_signed_by(published.by_kid(&first.kid).unwrap()));
        kid = assert_a_service_can_verify(&harness, &service, &ada, &entity).await.kid;
    }
    harness.clock.advance(3600);
    harness
        .provider
        .roll_over(&issuer, KeyRole::IdToken, RolloverStep::Retire)
        .await
        .unwrap();
    let set = part(&text(&harness, "/jwks").await, 1);
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    assert_a_service_can_verify(&harness, &service, &ada, &entity).await;
}

#[tokio::test]
async fn the_challenge_key_rolls_over_in_the_middle_of_a_login() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let issuer = harness.path.issuer.clone();
    let role = KeyRole::Challenge;
    let push = service.request(&harness);
    let challenged = harness.challenged(&harness.path, &service, &push).await;
    harness
        .provider
        .roll_over(&issuer, role, RolloverStep::Publish)
        .await
        .unwrap();
    harness
        .provider
        .roll_over(&issuer, role, RolloverStep::Switch)
        .await
        .unwrap();
    // The authenticator finds the old key and the new one.
    let published = keys(&serde_json::from_str(&text(&harness, "/auth/jwks").await).unwrap());
    assert_eq!(published.keys.len(), 2);
    for challenge in [
        &challenged.challenge,
        &harness
            .challenged(&harness.path, &service, &service.request(&harness))
            .await
            .challenge,
    ] {
        let now = jose::UnixTime(harness.clock_now());
        assert!(authenticator::challenge::verify(challenge, &published, now).is_ok());
    }
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    harness
        .provider
        .roll_over(&issuer, role, RolloverStep::Retire)
        .await
        .unwrap();
    let code = harness.approved(&harness.path, &answered, None).await;
    harness.redeemed(&harness.path, &service, &push, &code).await;
}

#[tokio::test]
async fn a_switch_without_a_published_key_changes_nothing() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let entity = registered(&harness).await;
    for role in KeyRole::ALL {
        let switched = harness
            .provider
            .roll_over(&harness.path.issuer, role, RolloverStep::Switch)
            .await;
        assert!(switched.unwrap_err().to_string().contains("publish one first"));
        let retired = harness
            .provider
            .roll_over(&harness.path.issuer, role, RolloverStep::Retire)
            .await;
        assert!(retired.is_ok());
    }
    assert_a_service_can_verify(&harness, &service, &ada, &entity).await;
    let nobody = harness
        .provider
        .roll_over("https://nobody.example", KeyRole::IdToken, RolloverStep::Publish)
        .await;
    assert!(nobody.is_err());
}

#[tokio::test]
async fn publishing_twice_publishes_one_next_key() {
    let harness = Harness::start().await;
    for _ in 0..3 {
        let published = harness
            .provider
            .roll_over(&harness.path.issuer, KeyRole::EntityStatement, RolloverStep::Publish)
            .await;
        assert!(published.is_ok());
        assert_eq!(registered(&harness).await.keys.len(), 2);
    }
}

#[tokio::test]
async fn another_instance_takes_part_within_a_minute() {
    let one = Harness::start().await;
    let ada = one.ada().await;
    let service = one.service();
    let entity = registered(&one).await;
    // A second instance of the same insurer on the same records; only its port differs, so it is asked for its keys alone.
    let twin = one.twin();
    let before = twin.entity_keys(&one.path.issuer).await.unwrap();
    assert_eq!(JwkSet::new(before), entity);
    let role = KeyRole::EntityStatement;
    one.provider
        .roll_over(&one.path.issuer, role, RolloverStep::Publish)
        .await
        .unwrap();
    assert_eq!(twin.entity_keys(&one.path.issuer).await.unwrap().len(), 1);
    one.clock.advance(KEYS_KEPT_SECONDS);
    assert_eq!(twin.entity_keys(&one.path.issuer).await.unwrap().len(), 2);
    assert_a_service_can_verify(&one, &service, &ada, &entity).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_instances_that_begin_at_once_agree_on_the_first_keys() {
    let one = Harness::with(Setup {
        store: std::sync::Arc::new(store_sqlite::SqliteStore::open_temporary().unwrap()),
        ..Setup::default()
    })
    .await;
    let twins: Vec<_> = (0..8).map(|_| one.twin()).collect();
    let asked: Vec<_> = twins
        .into_iter()
        .map(|twin| {
            let issuer = one.path.issuer.clone();
            tokio::spawn(async move { twin.entity_keys(&issuer).await.unwrap() })
        })
        .collect();
    let mut seen = Vec::new();
    for keys in asked {
        seen.push(keys.await.unwrap());
    }
    assert!(seen.iter().all(|keys| *keys == seen[0] && keys.len() == 1));
}

#[tokio::test]
async fn certified_keys_from_outside_are_taken_over() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let issuer = harness.path.issuer.clone();
    let key = jose::SoftwareKey::generate("ignored").unwrap();
    let certificate = crate::common::pki::ClientCertificate::new().der;
    let import = || {
        let provider = harness.provider.clone();
        let (issuer, pkcs8, certificate) = (issuer.clone(), key.to_pkcs8_der(), certificate.clone());
        async move { provider.import_token_key(&issuer, &pkcs8, certificate).await }
    };
    // A first one signs at once; the same again changes nothing.
    import().await.unwrap();
    import().await.unwrap();
    let token = harness.login(&harness.path, &service, &ada).await;
    assert_eq!(token.certificate, certificate);
    assert_eq!(harness.authority.issued.load(std::sync::atomic::Ordering::SeqCst), 0);
    let set = part(&text(&harness, "/jwks").await, 1);
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    let broken = harness.provider.import_token_key(&issuer, b"no key", vec![1]).await;
    assert!(broken.is_err());
}
