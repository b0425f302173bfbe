//! Logins that nobody finishes stand in her history, also when the process ends meanwhile; and a login that is finished costs nothing for it (ADR 0014).

use std::sync::Arc;

use serde_json::{Value, json};
use store::{Kind, Store as _};
use store_sqlite::SqliteStore;

use crate::common::clock::NOW;
use crate::common::{Harness, Insurer, Person, Service, Setup};

const HOUR: u64 = 3_600;

struct World {
    harness: Harness,
    service: Service,
    ada: Person,
}

impl World {
    async fn new() -> Self {
        let harness = Harness::with(Setup {
            store: Arc::new(SqliteStore::open_temporary().unwrap()),
            ..Setup::default()
        })
        .await;
        let service = harness.service();
        let ada = harness.ada().await;
        let world = Self { harness, service, ada };
        // The first login makes the insurer's keys.
        world.harness.login(world.at(), &world.service, &world.ada).await;
        world.harness.provider().flush_freshness().await.unwrap();
        world
    }

    fn at(&self) -> &Insurer {
        &self.harness.path
    }

    /// Somebody is known, and then nothing.
    async fn begins(&self) {
        let push = self.service.request(&self.harness);
        self.harness
            .authenticated(self.at(), &self.service, &push, &self.ada)
            .await;
    }

    /// Claims written since this was asked last: the size of each.
    fn claims(&self) -> Vec<usize> {
        let shapes = self.harness.store.take_shapes().into_iter().flatten();
        shapes
            .filter(|(kind, _)| *kind == Kind::SingleUse)
            .map(|(_, size)| size)
            .collect()
    }

    async fn waits(&self, seconds: u64) {
        self.harness.clock.advance(seconds);
        self.harness.provider().flush_freshness().await.unwrap();
    }

    async fn deliver(&self) {
        self.harness.clock.advance(2 * HOUR + 300);
        self.harness.provider().deliver_history().await.unwrap();
    }

    async fn entries(&self, event: &str) -> Vec<Value> {
        let account = self.harness.account(self.at(), &self.ada).await;
        let history = self.harness.read_history(self.at(), &account).await;
        assert_eq!(history["chain"]["ok"], json!(true));
        let entries = history["entries"].as_array().unwrap();
        entries
            .iter()
            .filter(|entry| entry["event"] == event)
            .cloned()
            .collect()
    }
}

#[tokio::test]
async fn a_login_that_is_finished_within_a_minute_is_one_row_and_no_further_commit() {
    let world = World::new().await;
    world.harness.store.take_shapes();
    let before = world.harness.store.commits();
    let push = world.service.request(&world.harness);
    let code = world.harness.code(world.at(), &world.service, &push, &world.ada).await;
    world.harness.clock.advance(59);
    world.harness.provider().flush_freshness().await.unwrap();
    assert_eq!(
        world.harness.store.commits(),
        before,
        "nothing before the code is redeemed"
    );
    world.harness.redeemed(world.at(), &world.service, &push, &code).await;
    assert_eq!(world.harness.store.commits(), before + 1);
    assert_eq!(world.claims().len(), 1);
    // The next flush notes how far the history goes, as it does without this; later ones, and the time in which it might be broken off, write nothing.
    world.waits(30).await;
    let before = world.harness.store.commits();
    world.harness.store.take_loads();
    for _ in 0..30 {
        world.waits(30).await;
        world.harness.provider().deliver_history().await.unwrap();
    }
    assert_eq!((world.harness.store.commits(), world.claims()), (before, vec![]));
    assert_eq!(world.harness.store.take_loads().concat(), Vec::<Kind>::new());
}

#[tokio::test]
async fn a_login_that_takes_longer_is_kept_in_a_row_like_any_claim_and_may_still_be_finished() {
    let world = World::new().await;
    world.harness.login(world.at(), &world.service, &world.ada).await;
    let size = world.claims().pop().unwrap();
    let push = world.service.request(&world.harness);
    let answered = world
        .harness
        .authenticated(world.at(), &world.service, &push, &world.ada)
        .await;
    for (seconds, rows) in [(59, 0), (1, 1), (30, 0), (400, 0)] {
        world.waits(seconds).await;
        assert_eq!(world.claims(), vec![size; rows], "{seconds}");
    }
    let code = world.harness.approved(world.at(), &answered, None).await;
    world.harness.redeemed(world.at(), &world.service, &push, &code).await;
    world.deliver().await;
    world.harness.restart();
    world.deliver().await;
    assert_eq!(world.entries("login").await.len(), 3);
    assert_eq!(world.entries("broken-off").await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_was_begun_a_minute_before_the_process_was_killed_is_not_forgotten() {
    let world = World::new().await;
    world.begins().await;
    world.waits(60).await;
    // Begun later, and nobody has written it down: this one is lost, and it is the only one.
    world.begins().await;
    let other = world.harness.twin();
    world.harness.restart();
    assert_eq!(world.entries("broken-off").await.len(), 0, "it might still be finished");
    world.deliver().await;
    // Whoever delivers finds it, and it is written once.
    other.deliver_history().await.unwrap();
    world.harness.restart();
    world.deliver().await;
    let broken_off = world.entries("broken-off").await;
    assert_eq!(broken_off.len(), 1);
    assert_eq!(broken_off[0]["at"], json!(NOW.0), "when it was begun");
    assert_eq!(broken_off[0]["service"]["name"], "Patientenakte");
    assert_eq!(broken_off[0]["method"], "health-card");
}

#[tokio::test]
async fn a_provider_that_is_stopped_leaves_every_open_login_to_the_next_one() {
    let world = World::new().await;
    world.begins().await;
    world.begins().await;
    world.harness.provider().before_stopping().await.unwrap();
    world.harness.restart();
    world.harness.clock.advance(24 * HOUR);
    // Off for a day: nothing is dropped that was not looked at.
    world.harness.provider().drop_expired().await.unwrap();
    assert_eq!(world.entries("broken-off").await.len(), 2);
}

#[tokio::test]
async fn a_login_that_was_finished_at_another_instance_is_neither_kept_nor_broken_off() {
    let world = World::new().await;
    let push = world.service.request(&world.harness);
    let code = world.harness.code(world.at(), &world.service, &push, &world.ada).await;
    let first = world.harness.provider();
    world.harness.restart();
    world.harness.redeemed(world.at(), &world.service, &push, &code).await;
    world.claims();
    world.harness.clock.advance(60);
    first.flush_freshness().await.unwrap_or_default();
    first.before_stopping().await.unwrap_or_default();
    assert_eq!(world.claims(), Vec::<usize>::new());
    world.deliver().await;
    assert_eq!(world.entries("broken-off").await.len(), 0);
}

#[tokio::test]
async fn an_open_login_of_somebody_who_has_left_is_nobodys_and_keeps_nothing_from_being_delivered() {
    let world = World::new().await;
    world.begins().await;
    world.harness.provider().before_stopping().await.unwrap();
    let (issuer, kvnr) = (world.at().issuer.clone(), world.ada.data().kvnr.clone());
    assert!(world.harness.provider().delete_person(&issuer, &kvnr).await.unwrap());
    world.harness.restart();
    world.deliver().await;
    world.harness.clock.advance(2 * HOUR);
    world.harness.provider().drop_expired().await.unwrap();
    let tenant = vault::tenant_id(&issuer);
    let rows = world
        .harness
        .store
        .list(Kind::SingleUse, tenant, &[], 100)
        .await
        .unwrap();
    assert_eq!(rows, []);
}
