//! Her history: every access is in it, only she reads it, and whoever takes something out of it is noticed (A_22323, ADR 0014).

use serde_json::{Value, json};
use store::{Key, Kind, Outcome, Row, SealedBytes, Store as _, Write};
use tempfile::TempDir;
use vault::{DAY_SECONDS, PersonId};

use super::freshness::{copy, open};
use crate::common::clock::NOW;
use crate::common::{Disk, HIGH_CLASS, Harness, Insurer, Person, Service, Setup, logs, members, wire};

const HOUR: u64 = 3_600;

struct World {
    harness: Harness,
    service: Service,
    ada: Person,
    id: PersonId,
    database: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::at_time(NOW).await
    }

    async fn at_time(now: jose::UnixTime) -> Self {
        let database = tempfile::tempdir().unwrap();
        let harness = Harness::with(Setup {
            store: open(&database),
            ..Setup::at(now)
        })
        .await;
        let service = harness.service();
        let ada = harness.ada().await;
        let id = harness.import(&harness.path, &ada.data()).await;
        Self {
            harness,
            service,
            ada,
            id,
            database,
        }
    }

    fn at(&self) -> &Insurer {
        &self.harness.path
    }

    async fn log_in(&self) {
        self.harness.login(self.at(), &self.service, &self.ada).await;
    }

    /// Her insurer has other data of her: an entry that costs no login.
    async fn changed(&self, number: usize) {
        self.changed_at(&self.harness.provider(), number).await;
    }

    async fn changed_at(&self, provider: &provider::Provider, number: usize) {
        let mut data = self.ada.data();
        data.email = self.harness.secret(format!("ada{number}@post.example"));
        provider.import_person(&self.at().issuer, data).await.unwrap();
    }

    /// Logs in by card to her account, and reads.
    async fn read(&self) -> Value {
        let account = self.harness.account(self.at(), &self.ada).await;
        self.harness.read_history(self.at(), &account).await
    }

    async fn is_whole(&self) -> bool {
        self.read().await["chain"]["ok"].as_bool().unwrap()
    }

    /// The hour is over, and its entries have come into the history.
    async fn deliver(&self) {
        self.harness.clock.advance(2 * HOUR);
        self.harness.provider().deliver_history().await.unwrap();
    }

    async fn rows(&self, kind: Kind) -> Vec<(Key, Row)> {
        let tenant = vault::tenant_id(&self.at().issuer);
        self.harness.store.list(kind, tenant, &[], 1_000).await.unwrap()
    }

    /// Her entries, as they stand in the database.
    async fn entries(&self) -> Vec<(Key, Row)> {
        self.harness.history(self.at(), self.id).await
    }

    /// Whoever has the database writes to it.
    async fn write(&self, write: Write) {
        let mut number = [0; 8];
        self.harness.vault().random(&mut number);
        let operation = store::OperationId::new(self.harness.clock_now(), number);
        let outcome = self.harness.store.commit(operation, &[], &[write]).await;
        assert_eq!(outcome, Outcome::Committed);
    }

    /// Puts a row back, or another in its place.
    async fn put(&self, key: Key, row: &Row) {
        self.write(Write::Delete(key)).await;
        self.write(Write::Put {
            key,
            sealed: row.sealed.clone(),
            expires_at: row.expires_at,
        })
        .await;
    }

    async fn restore(&mut self, backup: TempDir) {
        self.harness.store.exchange(open(&backup));
        self.database = backup;
        self.harness.restart();
    }
}

fn events(history: &Value) -> Vec<&str> {
    let entries = history["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_access_stands_in_her_history_with_its_party_and_names_and_no_values() {
    let world = World::new().await;
    let (harness, service, path) = (&world.harness, &world.service, world.at());
    world.log_in().await;
    let push = service.request(harness);
    let answered = harness.authenticated(path, service, &push, &world.ada).await;
    let answer = harness.decide(path, &answered, &json!({"decision": "decline"})).await;
    assert!(harness.read_redirect(&answer).value("error").is_some());
    let device = harness.bound(path, service, &world.ada, HIGH_CLASS).await;
    let push = service.request(harness);
    let answered = harness.authenticated(path, service, &push, &world.ada).await;
    let code = harness.approved_and_remembered(path, &answered, &["birthdate"]).await;
    harness.redeemed(path, service, &push, &code).await;
    let account = harness.account(path, &world.ada).await;
    for what in [
        json!({"consent": account.consents()[0]}),
        json!({"device": device.handle}),
    ] {
        wire::json(&harness.take_back(path, &account, &what).await, 200);
    }
    world.changed(1).await;
    let answer = harness.ask_account(path, &account, "history", &json!({})).await;
    for value in [world.ada.kvnr, "Musterfrau", "1984", "post.example"] {
        assert!(!answer.text().contains(value), "{value}");
    }
    let history = wire::json(&answer, 200);
    assert_eq!(
        events(&history),
        [
            "data-changed",
            "device-removed",
            "consent-revoked",
            "account-opened",
            "login",
            "device-bound",
            "declined",
            "login",
        ]
    );
    assert_eq!(history["chain"], json!({"length": 8, "ok": true}));
    assert_eq!(history["more"], json!(false));
    let mut login = history["entries"][4].clone();
    assert!(login.as_object_mut().unwrap().remove("id").is_some());
    assert_eq!(
        login,
        json!({
            "at": NOW.0,
            "event": "login",
            "by": "you",
            "service": {"client_id": service.client_id, "name": "Patientenakte"},
            "shared": ["birthdate"],
            "method": "health-card",
            "level": "gematik-ehealth-loa-high",
            "device": null,
        })
    );
    let changed = &history["entries"][0];
    assert_eq!(
        (changed["by"].as_str(), &changed["service"]),
        (Some("insurer"), &Value::Null)
    );
    assert_eq!(history["entries"][1]["device"], json!(device.handle));
    // The declined login cannot be gone on with after all.
    assert_eq!(members(&history), ["chain", "entries", "more"]);
}

#[tokio::test]
async fn what_is_declined_stays_declined() {
    let world = World::new().await;
    let (harness, service, path) = (&world.harness, &world.service, world.at());
    let push = service.request(harness);
    let answered = harness.authenticated(path, service, &push, &world.ada).await;
    harness.decide(path, &answered, &json!({"decision": "decline"})).await;
    let answer = harness
        .decide(path, &answered, &json!({"decision": "approve", "claims": []}))
        .await;
    wire::assert_reason(&answer, authenticator::Reason::LoginOver);
}

#[tokio::test]
async fn what_waits_and_what_was_delivered_is_one_history_also_after_a_restart() {
    let world = World::new().await;
    for round in 1..=3 {
        world.log_in().await;
        world.changed(round).await;
        let history = world.read().await;
        assert_eq!(history["chain"], json!({"length": 3 * round, "ok": true}));
        assert_eq!(events(&history).len(), 3 * round);
        // Delivered and not yet dropped, it is there once.
        world.deliver().await;
        if round == 2 {
            world.harness.restart();
        }
    }
    world.harness.provider().flush_freshness().await.unwrap();
    world.harness.restart();
    let history = world.read().await;
    assert_eq!((events(&history).len(), &history["chain"]["ok"]), (10, &json!(true)));
}

#[tokio::test]
async fn a_login_nobody_finished_is_broken_off_and_one_that_was_finished_elsewhere_is_not() {
    let world = World::new().await;
    let (harness, service, path) = (&world.harness, &world.service, world.at());
    // One that ends with the browser's tab, one that is redeemed by another instance.
    let push = service.request(harness);
    harness.authenticated(path, service, &push, &world.ada).await;
    let push = service.request(harness);
    let code = harness.code(path, service, &push, &world.ada).await;
    let first = harness.provider();
    harness.restart();
    harness.redeemed(path, service, &push, &code).await;
    harness.clock.advance(600);
    first.deliver_history().await.unwrap();
    assert_eq!(
        events(&world.read().await),
        ["account-opened", "login"],
        "it could still be finished"
    );
    harness.clock.advance(200);
    first.deliver_history().await.unwrap();
    harness.restart();
    let history = world.read().await;
    // The first instance had not heard of the visit in between: both have the same number, and the later one is shown first.
    assert_eq!(
        events(&history),
        ["account-opened", "account-opened", "broken-off", "login"]
    );
    assert_eq!(history["entries"][2]["service"]["name"], "Patientenakte");
    assert_eq!(history["chain"]["ok"], json!(true));
}

#[tokio::test]
async fn she_reads_of_attempts_with_her_device_and_when_it_was_used_last() {
    let world = World::new().await;
    let (harness, service, path) = (&world.harness, &world.service, world.at());
    let mut device = harness.bound(path, service, &world.ada, HIGH_CLASS).await;
    let account = harness.account(path, &world.ada).await;
    assert_eq!(account.overview["devices"][0]["last_used"], Value::Null);
    harness.clock.advance(60);
    let account = harness.account_by_device(path, &mut device).await;
    assert_eq!(account.overview["devices"][0]["last_used"], json!(NOW.0 + 60));
    let stranger = crate::common::Device {
        handle: device.handle.clone(),
        ..crate::common::Device::unbound()
    };
    let challenged = harness.challenged(path, service, &service.request(harness)).await;
    let response = stranger.assertion(&challenged.challenge, "approve", jose::UnixTime(harness.clock_now()), 9);
    let answer = harness.post_device(path, &challenged, &stranger, &response).await;
    wire::assert_refused(&answer, 403, "access_denied");
    let response = device.assertion(&challenged.challenge, "decline", jose::UnixTime(harness.clock_now()), 9);
    let answer = harness.post_device(path, &challenged, &device, &response).await;
    wire::assert_refused(&answer, 403, "access_denied");
    harness.provider().deliver_history().await.unwrap();
    let history = world.read().await;
    assert_eq!(events(&history)[1..3], ["device-misused", "declined"]);
    assert_eq!(history["entries"][1]["device"], json!(device.handle));
    // Nobody is told that it waits: the wrong answer changed nothing in the database when it came.
    assert_eq!(history["chain"]["ok"], json!(true));
}

#[tokio::test]
async fn a_long_history_is_read_page_by_page() {
    let world = World::new().await;
    for number in 0..110 {
        world.changed(number).await;
    }
    let account = world.harness.account(world.at(), &world.ada).await;
    let mut before = Value::Null;
    let mut ids = Vec::new();
    for (expected, more) in [(50, true), (50, true), (11, false)] {
        let body = json!({"before": before});
        let page = world.harness.ask_account(world.at(), &account, "history", &body).await;
        let page = wire::json(&page, 200);
        let entries = page["entries"].as_array().unwrap();
        assert_eq!((entries.len(), &page["more"]), (expected, &json!(more)));
        assert_eq!(page["chain"], json!({"length": 111, "ok": true}));
        ids.extend(entries.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()));
        before = json!(ids.last());
    }
    let different: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(different.len(), 111);
    // Behind an entry that is not there (any more) there is nothing.
    let body = json!({"before": "AAAAAAAAAAAAAAAAAAAAAA"});
    let page = world.harness.ask_account(world.at(), &account, "history", &body).await;
    assert_eq!(wire::json(&page, 200)["entries"], json!([]));
}

#[tokio::test]
async fn nobody_else_reads_it() {
    let world = World::new().await;
    let (harness, service, path) = (&world.harness, &world.service, world.at());
    let zoe = Person::zoe();
    harness.import(path, &zoe.data()).await;
    world.log_in().await;
    let account = harness.account(path, &zoe).await;
    let history = harness.read_history(path, &account).await;
    assert_eq!(events(&history), ["account-opened"], "her own and nothing of Ada's");
    let answered = harness
        .authenticated(path, service, &service.request(harness), &world.ada)
        .await;
    for body in [
        json!({"login": answered.login}),
        json!({"login": "x"}),
        json!({}),
        json!({"login": account.login, "person": "Z121212125"}),
        json!({"login": account.login, "before": 7}),
    ] {
        let answer = harness.api(path, "/account/history", &body).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
    // Another browser's.
    let body = json!({"login": account.login});
    wire::assert_refused(
        &harness.api(path, "/account/history", &body).await,
        400,
        "invalid_request",
    );
}

#[tokio::test]
async fn each_entry_that_is_taken_away_is_noticed_waiting_or_delivered_and_putting_it_back_heals() {
    let world = World::new().await;
    for number in 0..3 {
        world.log_in().await;
        world.changed(number).await;
    }
    let before = logs::told("history_incomplete");
    let tenant = vault::tenant_id(&world.at().issuer);
    let waiting = world.rows(Kind::SingleUse).await;
    let vault = world.harness.vault();
    for (key, row) in &waiting {
        assert_eq!(key.tenant(), &tenant);
        let hers = vault.open_claim(key, row).unwrap().event.is_some();
        world.write(Write::Delete(*key)).await;
        assert_eq!(world.is_whole().await, !hers);
        world.put(*key, row).await;
    }
    assert!(world.is_whole().await);
    assert!(logs::told("history_incomplete") > before);
    world.deliver().await;
    world.harness.clock.advance(2 * HOUR);
    world.harness.provider().drop_expired().await.unwrap();
    let entries = world.entries().await;
    assert!(entries.len() >= 6);
    for (key, row) in &entries {
        world.write(Write::Delete(*key)).await;
        assert!(!world.is_whole().await);
        world.put(*key, row).await;
    }
    assert!(world.is_whole().await);
}

#[tokio::test]
async fn replacing_exchanging_and_changing_entries_is_noticed() {
    let world = World::new().await;
    let zoe = Person::zoe();
    world.harness.import(world.at(), &zoe.data()).await;
    world.harness.login(world.at(), &world.service, &zoe).await;
    for number in 0..2 {
        world.log_in().await;
        world.changed(number).await;
    }
    world.deliver().await;
    world.harness.clock.advance(2 * HOUR);
    world.harness.provider().drop_expired().await.unwrap();
    let entries = world.entries().await;
    let all = world.rows(Kind::Audit).await;
    let foreign = all
        .iter()
        .find(|(key, _)| entries.iter().all(|(hers, _)| hers != key))
        .unwrap();
    let [(key, row), (_, other)] = &entries[..2] else {
        panic!("two entries")
    };
    let flipped = {
        let mut bytes = row.sealed.as_bytes().to_vec();
        bytes[77] ^= 1;
        Row {
            sealed: SealedBytes::from_sealed(bytes),
            ..row.clone()
        }
    };
    for replaced in [other, &foreign.1, &flipped] {
        world.put(*key, replaced).await;
        assert!(!world.is_whole().await);
    }
    world.put(*key, row).await;
    assert!(world.is_whole().await);
    // A copy under another name adds nothing.
    let mut id = key.id().to_vec();
    id[31] ^= 1;
    world.put(Key::new(Kind::Audit, *key.tenant(), &id).unwrap(), row).await;
    let history = world.read().await;
    assert_eq!(history["chain"]["ok"], json!(true));
    assert_eq!(
        events(&history).len() as u64,
        history["chain"]["length"].as_u64().unwrap()
    );
}

#[tokio::test]
async fn an_older_database_and_one_without_any_entry_are_noticed() {
    let mut world = World::new().await;
    world.log_in().await;
    let backup = copy(world.database.path());
    world.log_in().await;
    world.harness.provider().flush_freshness().await.unwrap();
    world.restore(backup).await;
    let history = world.read().await;
    assert_eq!(history["chain"]["ok"], json!(false));
    assert_eq!(events(&history), ["account-opened", "login"]);
    assert_eq!(history["chain"]["length"], json!(3), "the lost one keeps its number");
    for (key, _) in world.rows(Kind::SingleUse).await {
        world.write(Write::Delete(key)).await;
    }
    world.harness.restart();
    assert!(!world.is_whole().await);
}

#[tokio::test]
async fn an_instance_that_dies_before_it_has_told_the_register_costs_nothing_and_alarms_nobody() {
    let world = World::new().await;
    for number in 0..3 {
        world.log_in().await;
        world.changed(number).await;
        // No flush: what was counted in memory is gone, and the claims still say it.
        world.harness.restart();
    }
    let history = world.read().await;
    assert_eq!(history["chain"], json!({"length": 7, "ok": true}));
    assert_eq!(events(&history).len(), 7);
}

#[tokio::test]
async fn a_provider_that_was_off_for_a_week_alarms_nobody_who_reads_before_it_has_delivered() {
    let world = World::new().await;
    world.log_in().await;
    world.changed(1).await;
    world.harness.clock.advance(7 * DAY_SECONDS);
    world.harness.restart();
    let history = world.read().await;
    assert_eq!(history["chain"], json!({"length": 3, "ok": true}));
    assert_eq!(events(&history), ["account-opened", "data-changed", "login"]);
}

#[tokio::test]
async fn a_commit_the_database_never_answered_alarms_nobody_whether_it_was_written_or_not() {
    let world = World::new().await;
    let (harness, service, path) = (&world.harness, &world.service, world.at());
    for disk in [Disk::LosesUnsure, Disk::WritesUnsure, Disk::Full] {
        let push = service.request(harness);
        let code = harness.code(path, service, &push, &world.ada).await;
        harness.store.set_disk(disk);
        let _ = service.redeem(path, &push, &code).await;
        harness.store.set_disk(Disk::Fine);
        world.log_in().await;
        assert!(world.is_whole().await, "{disk:?}");
        harness.restart();
        assert!(world.is_whole().await, "{disk:?}, after a restart");
    }
}

#[tokio::test]
async fn logins_at_once_have_numbers_of_their_own_and_two_instances_alarm_nobody() {
    let world = World::new().await;
    world.log_in().await;
    tokio::join!(world.log_in(), world.log_in(), world.log_in(), world.log_in());
    let history = world.read().await;
    assert_eq!(history["chain"], json!({"length": 6, "ok": true}));
    // Two that do not know of each other.
    let (one, other) = (world.harness.provider(), world.harness.twin());
    for number in 0..4 {
        world.changed_at(&one, 2 * number).await;
        world.changed_at(&other, 2 * number + 1).await;
        assert!(world.is_whole().await);
        if number == 2 {
            one.flush_freshness().await.unwrap();
            // It has gone on elsewhere; that is noticed, and read again.
            assert!(other.flush_freshness().await.is_err());
        }
    }
    world.harness.clock.advance(300);
    let history = world.read().await;
    assert_eq!(history["chain"]["ok"], json!(true));
    let changes = events(&history)
        .iter()
        .filter(|event| **event == "data-changed")
        .count();
    assert_eq!(changes, 8, "what another instance wrote is read too");
}

#[tokio::test]
async fn what_has_expired_after_a_year_is_no_alarm_and_what_has_not_is() {
    let begin = jose::UnixTime(NOW.0 - 400 * DAY_SECONDS);
    let world = World::at_time(begin).await;
    // Every fifty days one.
    for number in 0..8 {
        world.changed(number).await;
        world.harness.provider().flush_freshness().await.unwrap();
        world.deliver().await;
        world
            .harness
            .clock
            .set(jose::UnixTime(begin.0 + 50 * (number as u64 + 1) * DAY_SECONDS));
        world.harness.provider().drop_expired().await.unwrap();
    }
    world.harness.clock.set(NOW);
    let history = world.read().await;
    assert_eq!(history["chain"], json!({"length": 9, "ok": true}));
    let kept = events(&history).len();
    assert!(
        (8..=9).contains(&kept),
        "those of the last year, and what its partition still holds: {kept}"
    );
    let entries = world.rows(Kind::Audit).await;
    let vault = world.harness.vault();
    let hers = |key: &Key| {
        (0..=400).any(|day| {
            let until = (NOW.0 / DAY_SECONDS + day) as u32;
            let group = vault
                .row_group(*key.tenant(), &world.id, vault::Rows::EventsUntil(until))
                .unwrap();
            key.id().starts_with(group.as_bytes())
        })
    };
    let oldest = entries
        .iter()
        .filter(|(key, row)| hers(key) && row.expires_at.unwrap() > NOW.0)
        .min_by_key(|(_, row)| row.expires_at)
        .unwrap();
    world.write(Write::Delete(oldest.0)).await;
    assert!(!world.is_whole().await);
}

/// Every name of a member in a document, but for those that are names themselves.
fn member_names(value: &Value, names: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                names.insert(name.clone());
                member_names(member, names);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| member_names(value, names)),
        _ => {}
    }
}

#[tokio::test]
async fn she_takes_everything_with_her_in_one_document_that_explains_itself() {
    let world = World::new().await;
    let (harness, service, path) = (&world.harness, &world.service, world.at());
    harness.bound(path, service, &world.ada, HIGH_CLASS).await;
    let push = service.request(harness);
    let answered = harness.authenticated(path, service, &push, &world.ada).await;
    let code = harness.approved_and_remembered(path, &answered, &["birthdate"]).await;
    harness.redeemed(path, service, &push, &code).await;
    let account = harness.account(path, &world.ada).await;
    let answer = harness.ask_account(path, &account, "export", &json!({})).await;
    let mut document = wire::json(&answer, 200);
    assert_eq!(document["format"], "healthid-account-1");
    assert_eq!(document["made_at"], "2026-11-21T12:00:00Z");
    let data = world.ada.data();
    for (member, value) in [
        ("kvnr", data.kvnr.as_str()),
        ("given_name", &data.given_name),
        ("family_name", &data.family_name),
        ("display_name", &data.display_name),
        ("birthdate", &data.birthdate),
        ("sex", &data.sex),
        ("email", &data.email),
        ("ik", path.ik),
    ] {
        assert_eq!(document["person"][member], value, "{member}");
    }
    assert_eq!(document["account"]["cards"][0]["valid_until"], "2031-07-31");
    assert_eq!(document["account"]["devices"][0]["name"], "Mein Handy");
    assert_eq!(document["account"]["devices"][0]["bound_at"], "2026-11-21T12:00:00Z");
    assert_eq!(document["account"]["consents"][0]["shared"], json!(["birthdate"]));
    assert_eq!(
        events(&document["history"]),
        ["exported", "account-opened", "login", "device-bound"]
    );
    assert_eq!(document["history"]["chain"]["ok"], json!(true));
    // Whatever is in it, the document says what it is.
    let meanings = document["meanings"].take();
    document["notice"].take();
    let mut names = std::collections::BTreeSet::new();
    member_names(&document, &mut names);
    for name in names.iter().filter(|name| *name != "meanings") {
        assert!(
            meanings[name]["de"].is_string() && meanings[name]["en"].is_string(),
            "{name}"
        );
    }
    for body in [json!({"all": true}), json!({"before": null})] {
        let answer = harness.ask_account(path, &account, "export", &body).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
}

#[tokio::test]
async fn with_her_card_she_closes_her_health_id_and_nothing_of_hers_can_be_read_any_more() {
    let world = World::new().await;
    let (harness, service, path) = (&world.harness, &world.service, world.at());
    let mut device = harness.bound(path, service, &world.ada, HIGH_CLASS).await;
    let push = service.request(harness);
    let code = harness.code(path, service, &push, &world.ada).await;
    let erase = json!({"confirm": "erase"});
    // Not with a device, not without the word, not for somebody else's login.
    let by_device = harness.account_by_device(path, &mut device).await;
    let answer = harness.ask_account(path, &by_device, "erase", &erase).await;
    wire::assert_refused(&answer, 403, "access_denied");
    assert_eq!(wire::json(&answer, 403)["reason"], "card-login-needed");
    let account = harness.account(path, &world.ada).await;
    for body in [
        json!({}),
        json!({"confirm": "yes"}),
        json!({"confirm": "erase", "kvnr": "x"}),
    ] {
        let answer = harness.ask_account(path, &account, "erase", &body).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
    let erased = wire::json(&harness.ask_account(path, &account, "erase", &erase).await, 200);
    assert_eq!(erased["erased_at"], json!(NOW.0));
    for kept in erased["kept"].as_array().unwrap() {
        assert_eq!(members(kept), ["until", "what", "why"]);
    }
    // Her login, her code, her device and her card lead nowhere.
    for request in ["overview", "history", "export"] {
        let answer = harness.ask_account(path, &account, request, &json!({})).await;
        wire::assert_refused(&answer, 403, "access_denied");
    }
    assert!(service.redeem(path, &push, &code).await.status >= 400);
    let challenged = harness.challenged(path, service, &service.request(harness)).await;
    let answer = harness.answer_with_device(path, &challenged, &mut device).await;
    wire::assert_refused(&answer, 403, "access_denied");
    let answer = harness.answer_with_card(path, &challenged, &world.ada).await;
    wire::assert_refused(&answer, 403, "access_denied");
    for kind in [Kind::Identity, Kind::Lookup, Kind::Device, Kind::Consent] {
        assert_eq!(world.rows(kind).await, [], "{kind:?}");
    }
    assert!(world.entries().await.is_empty());
    // If her insurer brings her again she is somebody new.
    let id = harness.import(path, &world.ada.data()).await;
    assert_ne!(id, world.id);
    assert_eq!(events(&world.read().await), ["account-opened"]);
}
