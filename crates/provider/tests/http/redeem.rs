//! The token endpoint (digest 6.1, 6.2; A_22653, A_22654, A_22321, A_23007, A_23162, A_22316).

use std::sync::Arc;

use store_sqlite::SqliteStore;

use crate::common::{Disk, Harness, Service, Setup, wire};

#[tokio::test]
async fn every_parameter_is_missed_by_name() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let code = harness.code(&harness.path, &service, &push, &ada).await;
    let url = format!("{}/token", harness.path.mtls);
    let fields = service.redemption(&push, &code);
    for name in ["grant_type", "code", "code_verifier", "client_id", "redirect_uri"] {
        for fields in [fields.clone().without(name), fields.clone().with(name, "")] {
            let refused = wire::assert_refused(&service.post(&url, &fields).await, 400, "invalid_request");
            assert!(refused.description.contains(&format!("'{name}' is missing")));
        }
    }
    // None of that has cost the code.
    harness.redeemed(&harness.path, &service, &push, &code).await;
}

#[tokio::test]
async fn wrong_values_are_refused_and_the_code_stays_good() {
    let harness = Harness::start().await;
    let service = harness.service();
    let other = Service::new("https://other.example");
    other.join(&harness.federation);
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let code = harness.code(&harness.path, &service, &push, &ada).await;
    let url = format!("{}/token", harness.path.mtls);
    let fields = service.redemption(&push, &code);
    let changed = format!("{}{}", &code[..code.len() - 4], "AAAA");
    for (name, value, error) in [
        ("grant_type", "refresh_token", "unsupported_grant_type"),
        ("grant_type", "client_credentials", "unsupported_grant_type"),
        ("grant_type", "password", "unsupported_grant_type"),
        ("code", "unknown", "invalid_grant"),
        ("code", &changed, "invalid_grant"),
        ("code", &code[1..], "invalid_grant"),
        ("code", &"x".repeat(2001), "invalid_grant"),
        ("redirect_uri", "https://record.example/ti/other", "invalid_grant"),
        ("redirect_uri", "https://record.example/ti/return/", "invalid_grant"),
        ("code_verifier", "too-short", "invalid_request"),
        ("code_verifier", &"x".repeat(129), "invalid_request"),
        ("code_verifier", &"ü".repeat(43), "invalid_request"),
    ] {
        let answer = service.post(&url, &fields.clone().with(name, value)).await;
        wire::assert_refused(&answer, 400, error);
    }
    // Another client with its own certificate, under its own name and under the other's.
    let answer = other.redeem(&harness.path, &push, &code).await;
    wire::assert_refused(&answer, 400, "invalid_grant");
    let answer = other.post(&url, &fields).await;
    wire::assert_refused(&answer, 401, "invalid_client");
    // At another insurer.
    let answer = service.redeem(&harness.host, &push, &code).await;
    wire::assert_refused(&answer, 400, "invalid_grant");
    harness.redeemed(&harness.path, &service, &push, &code).await;
}

#[tokio::test]
async fn a_code_is_refused_when_used_twice() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let code = harness.code(&harness.path, &service, &push, &ada).await;
    harness.redeemed(&harness.path, &service, &push, &code).await;
    for _ in 0..2 {
        let answer = service.redeem(&harness.path, &push, &code).await;
        let refused = wire::assert_refused(&answer, 400, "invalid_grant");
        assert!(refused.description.contains("A_23162"));
    }
}

#[tokio::test]
async fn one_login_yields_one_token_however_many_codes_it_yields() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    let first = harness.approved(&harness.path, &answered, None).await;
    let second = harness.approved(&harness.path, &answered, Some(&[])).await;
    assert_ne!(first, second);
    harness.redeemed(&harness.path, &service, &push, &second).await;
    let answer = service.redeem(&harness.path, &push, &first).await;
    wire::assert_refused(&answer, 400, "invalid_grant");
    // A request URI opened twice, in a browser and in the app: still one login.
    let push = service.request(&harness);
    let request_uri = harness.pushed(&harness.path, &service, &push).await;
    let mut codes = Vec::new();
    for _ in 0..2 {
        let answer = harness.challenge(&harness.path, &service.client_id, &request_uri).await;
        let challenged = harness.read_challenge(&service.client_id, &answer);
        let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
        let answered = harness.read_answer(&service.client_id, &answer);
        codes.push(harness.approved(&harness.path, &answered, None).await);
    }
    harness.redeemed(&harness.path, &service, &push, &codes[1]).await;
    let answer = service.redeem(&harness.path, &push, &codes[0]).await;
    wire::assert_refused(&answer, 400, "invalid_grant");
}

#[tokio::test]
async fn a_code_lives_60_seconds() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let code = harness.code(&harness.path, &service, &push, &ada).await;
    harness.clock.advance(60);
    harness.redeemed(&harness.path, &service, &push, &code).await;
    for seconds in [61, 3600, 100_000] {
        let push = service.request(&harness);
        let code = harness.code(&harness.path, &service, &push, &ada).await;
        harness.clock.advance(seconds);
        let answer = service.redeem(&harness.path, &push, &code).await;
        wire::assert_refused(&answer, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn a_wrong_verifier_burns_the_code() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let code = harness.code(&harness.path, &service, &push, &ada).await;
    let mut wrong = push.clone();
    wrong.verifier = "x".repeat(43);
    let answer = service.redeem(&harness.path, &wrong, &code).await;
    let refused = wire::assert_refused(&answer, 400, "invalid_grant");
    assert!(refused.description.contains("used up"));
    let answer = service.redeem(&harness.path, &push, &code).await;
    wire::assert_refused(&answer, 400, "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_racing_redemptions_exactly_one_gets_a_token() {
    let harness = Harness::with(Setup {
        store: Arc::new(SqliteStore::open_temporary().unwrap()),
        ..Setup::default()
    })
    .await;
    let service = Arc::new(harness.service());
    let ada = harness.ada().await;
    for remember in [false, true] {
        let push = Arc::new(service.request(&harness));
        let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
        let code = if remember {
            harness.approved_and_remembered(&harness.path, &answered, &[]).await
        } else {
            harness.approved(&harness.path, &answered, None).await
        };
        let path = Arc::new(harness.path.clone());
        let race: Vec<_> = (0..24)
            .map(|_| {
                let (service, push, path, code) =
                    (Arc::clone(&service), Arc::clone(&push), Arc::clone(&path), code.clone());
                tokio::spawn(async move { service.redeem(&path, &push, &code).await })
            })
            .collect();
        let mut tokens = 0;
        for answer in race {
            let answer = answer.await.unwrap();
            if answer.status == 200 {
                harness.token(&service, &answer);
                tokens += 1;
            } else {
                wire::assert_refused(&answer, 400, "invalid_grant");
            }
        }
        assert_eq!(tokens, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_who_log_in_at_the_same_time_do_not_hinder_each_other() {
    let harness = Harness::with(Setup {
        store: Arc::new(SqliteStore::open_temporary().unwrap()),
        ..Setup::default()
    })
    .await;
    let harness = Arc::new(harness);
    let service = Arc::new(harness.service());
    let ada = Arc::new(harness.ada().await);
    // The same person, with a decision to remember each time: the records beside the claim change under each other's hands.
    let logins: Vec<_> = (0..3)
        .map(|_| {
            let (harness, service, ada) = (Arc::clone(&harness), Arc::clone(&service), Arc::clone(&ada));
            tokio::spawn(async move {
                let push = service.request(&harness);
                let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
                let code = harness.approved_and_remembered(&harness.path, &answered, &[]).await;
                harness.redeemed(&harness.path, &service, &push, &code).await;
            })
        })
        .collect();
    for login in logins {
        login.await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_whose_outcome_is_unknown_is_asked_about() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    harness.login(&harness.path, &service, &ada).await;
    // It was written: the token is due.
    let push = service.request(&harness);
    let code = harness.code(&harness.path, &service, &push, &ada).await;
    harness.store.set_disk(Disk::WritesUnsure);
    harness.redeemed(&harness.path, &service, &push, &code).await;
    harness.store.set_disk(Disk::Fine);
    let answer = service.redeem(&harness.path, &push, &code).await;
    wire::assert_refused(&answer, 400, "invalid_grant");
}

#[tokio::test]
async fn a_store_in_trouble_costs_a_retry_and_no_code() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    harness.login(&harness.path, &service, &ada).await;
    for disk in [Disk::LosesUnsure, Disk::Full] {
        let push = service.request(&harness);
        let code = harness.code(&harness.path, &service, &push, &ada).await;
        harness.store.set_disk(disk);
        let answer = service.redeem(&harness.path, &push, &code).await;
        wire::assert_refused(&answer, 503, "temporarily_unavailable");
        harness.store.set_disk(Disk::Fine);
        harness.redeemed(&harness.path, &service, &push, &code).await;
    }
}

#[tokio::test]
async fn an_unknown_client_gets_no_token() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let code = harness.code(&harness.path, &service, &push, &ada).await;
    let stranger = Service::new("https://stranger.example");
    let answer = stranger.redeem(&harness.path, &push, &code).await;
    wire::assert_refused(&answer, 401, "invalid_client");
    harness.redeemed(&harness.path, &service, &push, &code).await;
}
