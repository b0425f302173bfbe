//! A login leaves one row behind, of one size; what it carries is brought into the person's history later, and never lost (A_22323, A_23018).

use std::sync::Arc;

use store::{Kind, Store as _};
use store_sqlite::SqliteStore;
use vault::{PersonId, Rows};

use crate::common::{Disk, HIGH_CLASS, Harness, Person, Service, Setup, wire};

const HOUR: u64 = 3_600;

struct World {
    harness: Harness,
    service: Service,
    ada: Person,
    id: PersonId,
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
        let id = harness.import(&harness.path, &ada.data()).await;
        Self {
            harness,
            service,
            ada,
            id,
        }
    }

    async fn log_in(&self) {
        self.harness.login(&self.harness.path, &self.service, &self.ada).await;
    }

    /// How many entries her history has.
    async fn entries(&self) -> usize {
        self.harness.history(&self.harness.path, self.id).await.len()
    }

    /// How many rows all histories of this insurer have.
    async fn rows(&self) -> usize {
        self.all(Kind::Audit).await
    }

    async fn all(&self, kind: Kind) -> usize {
        let tenant = vault::tenant_id(&self.harness.path.issuer);
        self.harness.store.list(kind, tenant, &[], 1_000).await.unwrap().len()
    }

    async fn deliver(&self) -> Result<(), provider::ProviderError> {
        self.harness.provider().deliver_history().await
    }
}

#[tokio::test]
async fn a_login_writes_one_row_of_one_size_however_she_logs_in() {
    let world = World::new().await;
    let (harness, service, path) = (&world.harness, &world.service, &world.harness.path);
    // The first login makes the insurer's keys.
    world.log_in().await;
    let mut device = harness.bound(path, service, &world.ada, HIGH_CLASS).await;
    harness.store.take_shapes();
    world.log_in().await;
    let push = service.request(harness);
    let answered = harness.authenticated_by_device(path, service, &push, &mut device).await;
    let code = harness.approved(path, &answered, None).await;
    harness.redeemed(path, service, &push, &code).await;
    // A wrong verifier burns the code: not a login, and looks like one.
    let push = service.request(harness);
    let code = harness.code(path, service, &push, &world.ada).await;
    let mut wrong = push.clone();
    wrong.verifier = "x".repeat(43);
    wire::assert_refused(&service.redeem(path, &wrong, &code).await, 400, "invalid_grant");
    let shapes = harness.store.take_shapes();
    assert_eq!(shapes.len(), 3);
    let size = shapes[0][0].1;
    assert_eq!(shapes, vec![vec![(Kind::SingleUse, size)]; 3]);
    // A decision to remember stands beside it, in a row of one size whatever was decided and for whom.
    let long = Service::new(&format!("https://{}.example", "l".repeat(60)));
    long.join(&harness.federation);
    let mut sizes = Vec::new();
    for service in [service, &long] {
        let push = service.request(harness);
        let answered = harness.authenticated(path, service, &push, &world.ada).await;
        let code = harness.approved_and_remembered(path, &answered, &[]).await;
        harness.redeemed(path, service, &push, &code).await;
        let shapes = harness.store.take_shapes();
        let [(Kind::SingleUse, claim), (Kind::Consent, consent)] = shapes[0][..] else {
            panic!("{shapes:?}")
        };
        assert_eq!(claim, size);
        sizes.push(consent);
    }
    assert_eq!(sizes[0], sizes[1]);
}

#[tokio::test]
async fn logins_of_an_hour_come_into_the_history_together_when_it_is_over_and_once() {
    let world = World::new().await;
    for _ in 0..3 {
        world.log_in().await;
    }
    // 12:00. Nothing is written for a single login, nor while requests of the hour may still be under way.
    for seconds in [0, HOUR - 1, 1, 299] {
        world.harness.clock.advance(seconds);
        world.deliver().await.unwrap();
        assert_eq!((world.entries().await, world.rows().await), (0, 0));
    }
    world.harness.clock.advance(1);
    world.harness.store.take_shapes();
    world.deliver().await.unwrap();
    assert_eq!(world.entries().await, 3);
    // In one commit, with decoys: how many there were does not show.
    let shapes = world.harness.store.take_shapes();
    assert_eq!(shapes.len(), 1);
    assert_eq!(shapes[0], vec![shapes[0][0]; 16]);
    assert_eq!(shapes[0][0].0, Kind::Audit);
    assert_eq!(world.rows().await, 16);
    // Again, later, and by somebody who does not know that it was done.
    world.deliver().await.unwrap();
    world.harness.clock.advance(HOUR);
    world.deliver().await.unwrap();
    world.harness.restart();
    world.deliver().await.unwrap();
    assert_eq!((world.entries().await, world.rows().await), (3, 16));
}

#[tokio::test]
async fn nothing_is_dropped_that_was_not_delivered() {
    let world = World::new().await;
    world.log_in().await;
    world.log_in().await;
    // The provider was off for a day; then its disk refuses.
    world.harness.clock.advance(24 * HOUR);
    world.harness.restart();
    let claims = world.all(Kind::SingleUse).await;
    assert!(claims >= 2);
    for disk in [Disk::Full, Disk::LosesUnsure] {
        world.harness.store.set_disk(disk);
        assert!(world.harness.provider().drop_expired().await.is_err(), "{disk:?}");
        assert_eq!(world.all(Kind::SingleUse).await, claims);
    }
    // It has written, and nobody was told; the process ends there. Who comes next finds it written.
    world.harness.store.set_disk(Disk::WritesUnsure);
    world.deliver().await.unwrap();
    world.harness.restart();
    world.harness.store.set_disk(Disk::Fine);
    world.harness.provider().drop_expired().await.unwrap();
    let entries = world.harness.rows(
        &world.harness.path,
        world.id,
        Rows::EventsUntil(((crate::common::clock::NOW.0 + 366 * 86_400) / 86_400) as u32),
    );
    assert_eq!((entries.await.len(), world.rows().await), (2, 16));
    assert_eq!(world.all(Kind::SingleUse).await, 0);
}

#[tokio::test]
async fn a_claim_that_somebody_changed_costs_its_own_entry_and_no_other() {
    let world = World::new().await;
    for _ in 0..3 {
        world.log_in().await;
    }
    let tenant = vault::tenant_id(&world.harness.path.issuer);
    let claims = world
        .harness
        .store
        .list(Kind::SingleUse, tenant, &[], 10)
        .await
        .unwrap();
    let (key, row) = claims
        .into_iter()
        .find(|(key, row)| {
            let carried = world.harness.vault().open_claim(key, row).unwrap();
            carried.event.is_some()
        })
        .unwrap();
    let mut bytes = row.sealed.as_bytes().to_vec();
    bytes[60] ^= 1;
    let writes = [
        vec![store::Write::Delete(key)],
        vec![store::Write::Put {
            key,
            sealed: store::SealedBytes::from_sealed(bytes),
            expires_at: row.expires_at,
        }],
    ];
    for (number, writes) in (1_u8..).zip(writes) {
        let operation = store::OperationId::new(world.harness.clock_now(), [number; 8]);
        let outcome = world.harness.store.commit(operation, &[], &writes).await;
        assert_eq!(outcome, store::Outcome::Committed);
    }
    let before = crate::common::logs::told("record_not_authentic");
    world.harness.clock.advance(2 * HOUR);
    world.deliver().await.unwrap();
    assert_eq!(world.entries().await, 2);
    assert!(crate::common::logs::told("record_not_authentic") > before);
}

#[tokio::test]
async fn ids_of_rows_show_neither_the_person_nor_which_rows_belong_together() {
    let world = World::new().await;
    let (harness, path) = (&world.harness, &world.harness.path);
    harness.bound(path, &world.service, &world.ada, HIGH_CLASS).await;
    let push = world.service.request(harness);
    let answered = harness.authenticated(path, &world.service, &push, &world.ada).await;
    let code = harness.approved_and_remembered(path, &answered, &[]).await;
    harness.redeemed(path, &world.service, &push, &code).await;
    world.log_in().await;
    harness.clock.advance(25 * HOUR);
    world.log_in().await;
    harness.clock.advance(2 * HOUR);
    world.deliver().await.unwrap();
    let tenant = vault::tenant_id(&path.issuer);
    let mut ids = Vec::new();
    for kind in [Kind::Device, Kind::Consent, Kind::Audit, Kind::SingleUse, Kind::Lookup] {
        let rows = harness.store.list(kind, tenant, &[], 1_000).await.unwrap();
        ids.extend(rows.into_iter().map(|(key, _)| (kind, key.id().to_vec())));
    }
    let hers = harness.history(path, world.id).await.len();
    assert_eq!(hers, 4, "three logins, and the device");
    for (kind, id) in &ids {
        for part in world.id.as_bytes().chunks(8) {
            assert!(!id.windows(8).any(|window| window == part), "{kind:?}");
        }
    }
    // Ids of different kinds, and events of different days, share nothing; events begin with a day, which stands beside them anyway.
    for (at, (kind, id)) in ids.iter().enumerate() {
        for (other_kind, other) in &ids[..at] {
            if kind != other_kind {
                assert!(
                    !id[4..]
                        .windows(8)
                        .any(|part| other.windows(8).any(|theirs| theirs == part))
                );
            }
        }
    }
    let groups: std::collections::BTreeSet<_> = harness
        .history(path, world.id)
        .await
        .iter()
        .map(|(key, _)| key.id()[4..16].to_vec())
        .collect();
    assert_eq!(groups.len(), 2, "one group a day");
}
