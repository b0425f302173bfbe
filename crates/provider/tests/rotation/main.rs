//! Every level of keys below the root is rotated while people log in, bind devices and look at their accounts.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Device, Disk, HIGH_CLASS, Harness, Person, Service, Setup};
use provider::{Rotated, Rotation};
use store::{Key, Kind, Row, Store, memory::MemoryStore};
use vault::{Generation, Vault};

const PEOPLE: usize = 5;

fn generation(number: u32) -> Generation {
    Generation::new(number).unwrap()
}

fn reading() -> Vault {
    Vault::development([7; 32]).reading_up_to(generation(2))
}

fn moving() -> Vault {
    Vault::development([7; 32])
        .at_generation(generation(2))
        .at_index_generation(generation(2), Some(generation(1)))
}

fn moved() -> Vault {
    Vault::development([7; 32])
        .at_generation(generation(2))
        .at_index_generation(generation(2), None)
}

struct Insured {
    person: Person,
    device: Device,
    sub: String,
}

struct World {
    harness: Harness,
    service: Service,
    store: Arc<MemoryStore>,
}

impl World {
    async fn new() -> (Arc<Self>, Vec<Insured>) {
        let store = Arc::new(MemoryStore::new());
        let setup = Setup {
            store: Arc::clone(&store) as _,
            ..Setup::default()
        };
        let harness = Harness::with(setup).await;
        let service = harness.service();
        let world = Self {
            harness,
            service,
            store,
        };
        let mut insured = Vec::new();
        for person in common::crowd(PEOPLE) {
            insured.push(world.enrol(person).await);
        }
        (Arc::new(world), insured)
    }

    async fn enrol(&self, person: Person) -> Insured {
        let (harness, at) = (&self.harness, &self.harness.path);
        harness.import(at, &person.data()).await;
        let device = harness.bound(at, &self.service, &person, HIGH_CLASS).await;
        let push = self.service.request(harness);
        let answered = harness.authenticated(at, &self.service, &push, &person).await;
        let code = harness.approved_and_remembered(at, &answered, &[]).await;
        let sub = harness.redeemed(at, &self.service, &push, &code).await.sub().to_owned();
        Insured { person, device, sub }
    }

    /// By device, by card, and her account: what was remembered and bound is there, and she is who she was.
    async fn is_well(&self, insured: &mut Insured) {
        let (harness, at) = (&self.harness, &self.harness.path);
        let push = self.service.request(harness);
        let answered = harness
            .authenticated_by_device(at, &self.service, &push, &mut insured.device)
            .await;
        assert!(answered.is_remembered());
        let code = harness.approved(at, &answered, Some(&[])).await;
        let token = harness.redeemed(at, &self.service, &push, &code).await;
        assert_eq!(token.sub(), insured.sub);
        let token = harness.login(at, &self.service, &insured.person).await;
        assert_eq!(token.sub(), insured.sub);
        let account = harness.account(at, &insured.person).await;
        assert_eq!((account.consents().len(), account.devices().len()), (1, 1));
    }

    async fn rotate(&self, what: Rotation) -> Rotated {
        let provider = self.harness.provider();
        provider.rotate(&self.harness.path.issuer, what).await.unwrap()
    }

    async fn rows(&self, kind: Kind) -> Vec<(Key, Row)> {
        let tenant = vault::tenant_id(&self.harness.path.issuer);
        self.store.list(kind, tenant, &[], 1_000).await.unwrap()
    }

    /// The generation in front of every record of a kind.
    async fn generations(&self, kind: Kind) -> Vec<u32> {
        let rows = self.rows(kind).await;
        assert!(rows.len() >= 3, "{kind:?}");
        let mut found: Vec<u32> = rows
            .iter()
            .map(|(_, row)| u32::from_be_bytes(row.sealed.as_bytes()[1..5].try_into().unwrap()))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// People log in, each one time after the other, until the rotations are through. How often they did.
    async fn busy_during(self: &Arc<Self>, insured: &mut Vec<Insured>, rotations: &[Rotation]) -> Vec<Rotated> {
        let through = Arc::new(AtomicBool::new(false));
        let mut busy = tokio::task::JoinSet::new();
        for mut one in insured.drain(..) {
            let (world, through) = (Arc::clone(self), Arc::clone(&through));
            busy.spawn(async move {
                loop {
                    let last = through.load(Ordering::SeqCst);
                    world.is_well(&mut one).await;
                    if last {
                        return one;
                    }
                }
            });
        }
        tokio::task::yield_now().await;
        let mut rotated = Vec::new();
        for what in rotations {
            rotated.push(self.rotate(*what).await);
        }
        through.store(true, Ordering::SeqCst);
        while let Some(one) = busy.join_next().await {
            insured.push(one.unwrap());
        }
        rotated
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_level_is_rotated_while_people_log_in_and_nobody_notices() {
    let (world, mut insured) = World::new().await;
    let kinds = [
        Kind::Identity,
        Kind::Device,
        Kind::Consent,
        Kind::Lookup,
        Kind::TenantKey,
    ];
    world.harness.restart_with(reading);
    for kind in kinds {
        assert_eq!(world.generations(kind).await, [1], "{kind:?}");
    }
    assert_eq!(world.rotate(Rotation::Wrap).await.records, 0, "nothing is old yet");

    world.harness.restart_with(moving);
    let indexes: Vec<Key> = world.rows(Kind::Lookup).await.into_iter().map(|(key, _)| key).collect();
    let rotated = world
        .busy_during(&mut insured, &[Rotation::Wrap, Rotation::Index, Rotation::DataKeys])
        .await;
    let people = PEOPLE as u64;
    for (what, rotated) in ["wrap", "index", "data keys"].into_iter().zip(&rotated) {
        assert_eq!((rotated.people, rotated.left), (people, 0), "{what}");
        assert!(rotated.records >= people, "{what}: {rotated}");
    }
    for kind in kinds {
        assert_eq!(world.generations(kind).await, [2], "{kind:?}");
    }
    for (key, _) in world.rows(Kind::Lookup).await {
        assert!(!indexes.contains(&key), "nobody is found by the old index");
    }
    // Again: what was moved is recognised.
    for what in [Rotation::Wrap, Rotation::Index] {
        assert_eq!(world.rotate(what).await.records, 0, "{what:?}");
    }

    world.harness.restart_with(moved);
    let rotated = world.busy_during(&mut insured, &[Rotation::FinishDataKeys]).await;
    assert_eq!((rotated[0].people, rotated[0].left), (people, 0));
    // A second device beside the first, under the keys there are now.
    let service = &world.service;
    for one in &mut insured {
        world.is_well(one).await;
        let at = &world.harness.path;
        world.harness.bound(at, service, &one.person, HIGH_CLASS).await;
    }
}

#[tokio::test]
async fn a_rotation_that_was_interrupted_goes_on() {
    let (world, mut insured) = World::new().await;
    world.harness.restart_with(moving);
    let issuer = world.harness.path.issuer.clone();
    for what in [
        Rotation::Wrap,
        Rotation::Index,
        Rotation::DataKeys,
        Rotation::FinishDataKeys,
    ] {
        world.harness.store.set_disk(Disk::Full);
        let stopped = world.harness.provider().rotate(&issuer, what).await;
        assert!(stopped.is_err(), "{what:?}: a full disk stops it");
        // Written, and nobody can say whether: the question who wrote it is answered by reading again.
        world.harness.store.set_disk(Disk::WritesUnsure);
        let _ = world.harness.provider().rotate(&issuer, what).await;
        world.harness.store.set_disk(Disk::Fine);
        let rotated = world.rotate(what).await;
        assert_eq!((rotated.people, rotated.left), (PEOPLE as u64, 0), "{what:?}");
        for one in &mut insured {
            world.is_well(one).await;
        }
    }
}

#[tokio::test]
async fn a_record_that_does_not_open_is_left_and_the_others_are_moved() {
    let (world, _) = World::new().await;
    world.harness.restart_with(moving);
    let (key, row) = world.rows(Kind::Identity).await.remove(0);
    let mut sealed = row.sealed.as_bytes().to_vec();
    *sealed.last_mut().unwrap() ^= 1;
    let broken = store::Write::Put {
        key,
        sealed: store::SealedBytes::from_sealed(sealed),
        expires_at: None,
    };
    let operation = store::OperationId::new(world.harness.clock_now(), [1; 8]);
    let written = world.store.commit(operation, &[], &[broken]).await;
    assert_eq!(written, store::Outcome::Committed);
    for what in [Rotation::Wrap, Rotation::Index, Rotation::DataKeys] {
        let rotated = world.rotate(what).await;
        assert_eq!((rotated.people, rotated.left), (PEOPLE as u64, 1), "{what:?}");
        assert!(rotated.records >= PEOPLE as u64 - 1, "{what:?}");
    }
    assert!(common::logs::told("rotation_left_some") >= 3);
    assert!(common::logs::told("record_not_authentic") >= 1);
}

#[tokio::test]
async fn an_unknown_insurer_has_nothing_to_rotate() {
    let (world, _) = World::new().await;
    let provider = world.harness.provider();
    assert!(provider.rotate("https://nobody.example", Rotation::Wrap).await.is_err());
}
