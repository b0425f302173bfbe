//! What stays behind after a login: sealed records, and a log without people (A_22323, A_22840, A_23018).

use std::sync::Arc;

use store_sqlite::SqliteStore;

use crate::common::{HIGH_CLASS, Harness, RECORD, Setup, logs};

#[tokio::test]
async fn every_token_issue_is_recorded_for_the_person_and_counted_in_the_log() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let person = harness.import(&harness.path, &ada.data()).await;
    for _ in 1..=3 {
        harness.login(&harness.path, &service, &ada).await;
    }
    // For a year, to the day: the second of a login does not stand in clear.
    let a_year_on = (harness.clock_now() + 365 * 86_400).next_multiple_of(86_400);
    harness.clock.advance(2 * 3_600);
    harness.provider().deliver_history().await.unwrap();
    let entries = harness.history(&harness.path, person).await;
    let kept_until: Vec<Option<u64>> = entries.iter().map(|(_, row)| row.expires_at).collect();
    assert_eq!(kept_until, [Some(a_year_on); 3]);
    assert!(
        logs::since(harness.log_begins)
            .matches("\"event\":\"token_issued\"")
            .count()
            >= 3
    );
    // A redemption that fails leaves no entry.
    let push = service.request(&harness);
    let code = harness.code(&harness.path, &service, &push, &ada).await;
    harness.redeemed(&harness.path, &service, &push, &code).await;
    service.redeem(&harness.path, &push, &code).await;
    harness.clock.advance(2 * 3_600);
    harness.provider().deliver_history().await.unwrap();
    assert_eq!(harness.history(&harness.path, person).await.len(), 4);
}

#[tokio::test]
async fn nothing_about_a_person_or_her_services_stands_readable_in_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let harness = Harness::with(Setup {
        store: Arc::new(SqliteStore::open(directory.path().join("store.sqlite")).unwrap()),
        ..Setup::default()
    })
    .await;
    let service = harness.service();
    let ada = harness.ada().await;
    harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let push = service.request(&harness);
    let answered = harness.authenticated(&harness.path, &service, &push, &ada).await;
    let code = harness.approved_and_remembered(&harness.path, &answered, &[]).await;
    let token = harness.redeemed(&harness.path, &service, &push, &code).await;
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(bytes.len() > 10_000);
    let data = ada.data();
    for secret in [
        ada.kvnr,
        &data.given_name,
        &data.family_name,
        &data.email,
        &data.birthdate,
        "Mein Handy",
        "Patientenakte",
        RECORD,
        "record.example",
        token.sub(),
        push.fields.value("state"),
        push.fields.value("nonce"),
        &code,
    ] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}
