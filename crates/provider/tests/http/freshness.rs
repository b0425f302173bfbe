//! What was taken back stays taken back, whatever becomes of the database (attacks 25, 26, 30, 46).

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use store::Store;
use store::register::FreshnessRegister;
use store_sqlite::{FileRegister, SqliteStore};
use tempfile::TempDir;
use vault::Rows;

use crate::common::{Device, HIGH_CLASS, Harness, Insurer, Person, Service, Setup, logs, wire};

/// A provider on a real database, whose files can be put back to an earlier moment.
struct World {
    harness: Harness,
    service: Service,
    ada: Person,
    database: TempDir,
    register: TempDir,
}

/// A copy of the database files, as a backup takes them.
pub(super) fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for name in ["store.sqlite", "store.sqlite-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.path().join(name)).unwrap();
        }
    }
    to
}

pub(super) fn open(directory: &TempDir) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(directory.path().join("store.sqlite")).unwrap())
}

impl World {
    async fn new() -> Self {
        let (database, register) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let harness = Harness::with(Setup {
            store: open(&database),
            register: Arc::new(FileRegister::open(register.path()).unwrap()),
            ..Setup::default()
        })
        .await;
        let service = harness.service();
        let ada = harness.ada().await;
        Self {
            harness,
            service,
            ada,
            database,
            register,
        }
    }

    fn at(&self) -> &Insurer {
        &self.harness.path
    }

    fn tenant(&self) -> store::TenantId {
        vault::tenant_id(&self.at().issuer)
    }

    /// A copy of the database, for later.
    fn backup(&self) -> TempDir {
        copy(self.database.path())
    }

    /// The provider is stopped, the database is put back, and the provider starts again.
    async fn restore(&mut self, backup: TempDir) {
        self.harness.store.exchange(open(&backup));
        self.database = backup;
        self.restart().await;
    }

    async fn restart(&self) {
        self.harness.restart();
    }

    fn told(&self, event: &str) -> usize {
        logs::told(event)
    }

    async fn bound(&self) -> Device {
        self.harness
            .bound(self.at(), &self.service, &self.ada, HIGH_CLASS)
            .await
    }

    async fn device_answer(&self, device: &mut Device) -> transport::HttpResponse {
        let push = self.service.request(&self.harness);
        let challenged = self.harness.challenged(self.at(), &self.service, &push).await;
        self.harness.answer_with_device(self.at(), &challenged, device).await
    }

    /// A whole login by device.
    async fn log_in(&self, device: &mut Device) {
        let push = self.service.request(&self.harness);
        let answered = self
            .harness
            .authenticated_by_device(self.at(), &self.service, &push, device)
            .await;
        let code = self.harness.approved(self.at(), &answered, None).await;
        self.harness.redeemed(self.at(), &self.service, &push, &code).await;
    }

    async fn remember(&self) {
        let push = self.service.request(&self.harness);
        let answered = self
            .harness
            .authenticated(self.at(), &self.service, &push, &self.ada)
            .await;
        let code = self.harness.approved_and_remembered(self.at(), &answered, &[]).await;
        self.harness.redeemed(self.at(), &self.service, &push, &code).await;
    }

    async fn is_remembered(&self) -> bool {
        let push = self.service.request(&self.harness);
        self.harness
            .authenticated(self.at(), &self.service, &push, &self.ada)
            .await
            .is_remembered()
    }

    async fn take_back_everything(&self) {
        let account = self.harness.account(self.at(), &self.ada).await;
        for id in account.consents() {
            let answer = self
                .harness
                .take_back(self.at(), &account, &json!({"consent": id}))
                .await;
            wire::json(&answer, 200);
        }
        for id in account.devices() {
            let answer = self
                .harness
                .take_back(self.at(), &account, &json!({"device": id}))
                .await;
            wire::json(&answer, 200);
        }
    }
}

#[tokio::test]
async fn a_removed_device_and_a_withdrawn_consent_do_not_come_back_with_yesterdays_database() {
    let mut world = World::new().await;
    let mut device = world.bound().await;
    world.log_in(&mut device).await;
    world.remember().await;
    assert!(world.is_remembered().await);
    let yesterday = world.backup();
    world.harness.clock.advance(5);
    world.take_back_everything().await;
    wire::assert_refused(&world.device_answer(&mut device).await, 403, "access_denied");
    assert_eq!(world.told("database_rewound"), 0);
    // The database is put back with both in it.
    let person = world.harness.import(world.at(), &world.ada.data()).await;
    world.restore(yesterday).await;
    let inside = world.harness.rows(world.at(), person, Rows::Devices);
    assert_eq!(inside.await.len(), 1, "the old file really has the device");
    wire::assert_refused(&world.device_answer(&mut device).await, 403, "access_denied");
    assert!(!world.is_remembered().await);
    let account = world.harness.account(world.at(), &world.ada).await;
    assert!(account.is_empty(), "{}", account.overview);
    assert_eq!(world.told("database_rewound"), 1);
    // The rows have been taken out again, and everything goes on.
    let inside = world.harness.rows(world.at(), person, Rows::Devices);
    assert_eq!(inside.await, []);
    world.harness.clock.advance(1);
    world.remember().await;
    assert!(world.is_remembered().await);
    let mut device = world.bound().await;
    world.log_in(&mut device).await;
    world.restart().await;
    world.log_in(&mut device).await;
    assert_eq!(world.told("database_rewound"), 1, "told once");
}

#[tokio::test]
async fn a_login_that_began_before_the_database_was_put_back_gets_no_more_time() {
    let mut world = World::new().await;
    let challenged = {
        let push = world.service.request(&world.harness);
        world.harness.challenged(world.at(), &world.service, &push).await
    };
    let body = json!({"client_id": world.service.client_id, "login": challenged.login});
    let answer = world.harness.api(world.at(), "/auth/extend", &body).await;
    wire::json(&answer, 200);
    let yesterday = world.backup();
    let mut device = world.bound().await;
    world.log_in(&mut device).await;
    world.take_back_everything().await;
    world.harness.clock.advance(5);
    world.restore(yesterday).await;
    let answer = world.harness.api(world.at(), "/auth/extend", &body).await;
    wire::assert_reason(&answer, authenticator::Reason::LoginOver);
    assert_eq!(world.told("database_rewound") + world.told("freshness_settled"), 1);
}

#[tokio::test]
async fn rows_put_back_one_by_one_are_not_used_either() {
    let world = World::new().await;
    let mut device = world.bound().await;
    world.remember().await;
    let person = world.harness.import(world.at(), &world.ada.data()).await;
    let mut old = world.harness.rows(world.at(), person, Rows::Devices).await;
    old.extend(world.harness.rows(world.at(), person, Rows::Consents).await);
    world.harness.clock.advance(5);
    world.take_back_everything().await;
    for (key, row) in old {
        assert_eq!(row.version, 1);
        let write = store::Write::Put {
            key,
            sealed: row.sealed,
            expires_at: row.expires_at,
        };
        let operation = store::OperationId::new(world.harness.clock_now(), [key.id()[20]; 8]);
        let outcome = world.harness.store.commit(operation, &[], &[write]).await;
        assert_eq!(outcome, store::Outcome::Committed);
    }
    wire::assert_refused(&world.device_answer(&mut device).await, 403, "access_denied");
    assert!(!world.is_remembered().await);
    let account = world.harness.account(world.at(), &world.ada).await;
    assert!(account.is_empty(), "{}", account.overview);
    assert!(world.told("stale_record_ignored") >= 2);
}

#[tokio::test]
async fn a_deleted_person_stays_unreadable_and_may_begin_anew() {
    let mut world = World::new().await;
    let mut device = world.bound().await;
    world.remember().await;
    world.harness.clock.advance(2 * 3_600);
    world.harness.provider().deliver_history().await.unwrap();
    let yesterday = world.backup();
    let kvnr = world.ada.data().kvnr.clone();
    let issuer = world.at().issuer.clone();
    let before = world.harness.import(world.at(), &world.ada.data()).await;
    // The device that was bound, and the login.
    assert_eq!(world.harness.history(world.at(), before).await.len(), 2);
    assert!(world.harness.provider().delete_person(&issuer, &kvnr).await.unwrap());
    assert!(
        !world.harness.provider().delete_person(&issuer, &kvnr).await.unwrap(),
        "once"
    );
    let identity = before.identity_key(world.tenant());
    assert_eq!(world.harness.store.load(&[identity]).await.unwrap(), [None]);
    for rows in [Rows::Devices, Rows::Consents] {
        assert_eq!(world.harness.rows(world.at(), before, rows).await, [], "{rows:?}");
    }
    assert_eq!(world.harness.history(world.at(), before).await, []);
    world.restore(yesterday).await;
    // By card and by device: nobody.
    let push = world.service.request(&world.harness);
    let challenged = world.harness.challenged(world.at(), &world.service, &push).await;
    let answer = world
        .harness
        .answer_with_card(world.at(), &challenged, &world.ada)
        .await;
    wire::assert_refused(&answer, 403, "access_denied");
    wire::assert_refused(&world.device_answer(&mut device).await, 403, "access_denied");
    // One step is missing: that may have been a crash as well, and is treated alike.
    assert_eq!(world.told("freshness_settled"), 1);
    // The insurer may take her in again: as somebody new.
    let after = world.harness.import(world.at(), &world.ada.data()).await;
    assert_ne!(before, after);
    let account = world.harness.account(world.at(), &world.ada).await;
    assert!(account.is_empty(), "{}", account.overview);
    wire::assert_refused(&world.device_answer(&mut device).await, 403, "access_denied");
}

#[tokio::test]
async fn a_device_keeps_counting_where_it_was() {
    let mut world = World::new().await;
    let mut device = world.bound().await;
    let yesterday = world.backup();
    for _ in 0..3 {
        world.log_in(&mut device).await;
    }
    world.harness.provider().flush_freshness().await.unwrap();
    world.restore(yesterday).await;
    world.harness.clock.advance(1);
    // A copy of the key that stopped at an older counter is noticed, although the database has forgotten.
    let mut copied = Device::unbound();
    copied.key = jose::SoftwareKey::from_pkcs8_der("device", &device.key.to_pkcs8_der()).unwrap();
    (copied.handle, copied.counter) = (device.handle.clone(), 1);
    wire::assert_refused(&world.device_answer(&mut copied).await, 403, "access_denied");
    assert_eq!(world.told("device_counter_replayed"), 1);
    // The genuine one goes on.
    world.log_in(&mut device).await;
}

#[tokio::test]
async fn an_older_database_is_noticed_when_nothing_but_logins_by_card_is_missing() {
    let mut world = World::new().await;
    for _ in 0..2 {
        world.harness.login(world.at(), &world.service, &world.ada).await;
        world.harness.provider().flush_freshness().await.unwrap();
        world.harness.clock.advance(30);
    }
    let yesterday = world.backup();
    for _ in 0..2 {
        world.harness.login(world.at(), &world.service, &world.ada).await;
        world.harness.provider().flush_freshness().await.unwrap();
        world.harness.clock.advance(30);
    }
    assert_eq!(world.told("database_rewound"), 0);
    world.restore(yesterday).await;
    world.harness.login(world.at(), &world.service, &world.ada).await;
    assert_eq!(world.told("database_rewound"), 1);
}

#[tokio::test]
async fn a_wider_consent_does_not_come_back_after_a_narrower_one() {
    let mut world = World::new().await;
    let decide = async |world: &World, claims: &[&str]| {
        let push = world.service.request(&world.harness);
        let answered = world
            .harness
            .authenticated(world.at(), &world.service, &push, &world.ada)
            .await;
        let code = world
            .harness
            .approved_and_remembered(world.at(), &answered, claims)
            .await;
        world.harness.redeemed(world.at(), &world.service, &push, &code).await;
    };
    decide(&world, &["birthdate", "urn:telematik:claims:email"]).await;
    world.harness.provider().flush_freshness().await.unwrap();
    world.harness.clock.advance(60);
    let yesterday = world.backup();
    decide(&world, &[]).await;
    assert!(world.is_remembered().await);
    world.harness.provider().flush_freshness().await.unwrap();
    assert!(world.is_remembered().await, "the narrower one holds");
    world.restore(yesterday).await;
    world.harness.clock.advance(1);
    assert!(!world.is_remembered().await, "she is asked again");
}

#[tokio::test]
async fn a_code_from_before_the_restore_is_worth_nothing() {
    let mut world = World::new().await;
    world.remember().await;
    let yesterday = world.backup();
    let push = world.service.request(&world.harness);
    let code = world.harness.code(world.at(), &world.service, &push, &world.ada).await;
    world.harness.redeemed(world.at(), &world.service, &push, &code).await;
    world.harness.clock.advance(5);
    world.take_back_everything().await;
    world.restore(yesterday).await;
    // The old database does not know that it was redeemed.
    let answer = world.service.redeem(world.at(), &push, &code).await;
    wire::assert_refused(&answer, 400, "invalid_grant");
    world.restart().await;
    let answer = world.service.redeem(world.at(), &push, &code).await;
    wire::assert_refused(&answer, 400, "invalid_grant");
    // A new login is good.
    world.harness.login(world.at(), &world.service, &world.ada).await;
}

#[tokio::test]
async fn a_register_that_was_put_back_is_not_believed_until_an_operator_says_so() {
    let world = World::new().await;
    let mut device = world.bound().await;
    world.remember().await;
    let file = std::fs::read_dir(world.register.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "steps"));
    assert_eq!(file, None, "nothing was taken back yet");
    world.harness.clock.advance(5);
    world.take_back_everything().await;
    let steps = |world: &World| {
        let mut paths = std::fs::read_dir(world.register.path())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        paths
            .find(|path| path.extension().is_some_and(|extension| extension == "steps"))
            .unwrap()
    };
    let whole = std::fs::read(steps(&world)).unwrap();
    let push = world.service.request(&world.harness);
    let begun = world.harness.challenged(world.at(), &world.service, &push).await;
    // Cut in the middle, one bit changed, and gone.
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    for bytes in [whole[..whole.len() / 2].to_vec(), flipped, Vec::new()] {
        std::fs::remove_file(steps(&world)).unwrap();
        if bytes.is_empty() {
            std::fs::write(world.register.path().join("gone.steps"), b"").unwrap();
        } else {
            let name = whole_name(&world);
            std::fs::write(world.register.path().join(name), &bytes).unwrap();
        }
        world.restart().await;
        wire::assert_refused(&world.try_card().await, 503, "temporarily_unavailable");
        // A login that had begun before is not completed by device either.
        let answer = world.harness.answer_with_device(world.at(), &begun, &mut device).await;
        wire::assert_refused(&answer, 503, "temporarily_unavailable");
        assert!(world.told("freshness_unknown") >= 1);
        // What is about nobody is answered.
        let url = format!("{}/jwks", world.at().issuer);
        assert_eq!(world.harness.app().get(&url, &[]).await.unwrap().status, 200);
        let _ = std::fs::remove_file(world.register.path().join("gone.steps"));
        std::fs::write(world.register.path().join(whole_name(&world)), &whole).unwrap();
    }
    // The right one put back: everything as it was.
    world.restart().await;
    wire::assert_refused(&world.device_answer(&mut device).await, 403, "access_denied");
    assert!(!world.is_remembered().await);
    // Lost for good, and an operator says so.
    std::fs::remove_file(world.register.path().join(whole_name(&world))).unwrap();
    world.restart().await;
    wire::assert_refused(&world.try_card().await, 503, "temporarily_unavailable");
    world
        .harness
        .provider()
        .confirm_freshness(&world.at().issuer)
        .await
        .unwrap();
    assert_eq!(world.told("freshness_confirmed"), 1);
    world.harness.clock.advance(1);
    world.harness.login(world.at(), &world.service, &world.ada).await;
    // This database was not put back: the device is not in it.
    wire::assert_refused(&world.device_answer(&mut device).await, 403, "access_denied");
}

fn whole_name(world: &World) -> String {
    let mut name = String::new();
    for byte in world.tenant().as_bytes() {
        name.push_str(&format!("{byte:02x}"));
    }
    name + ".steps"
}

impl World {
    async fn try_card(&self) -> transport::HttpResponse {
        let push = self.service.request(&self.harness);
        let answer = self.service.push(self.at(), &push).await;
        if answer.status != 201 {
            return answer;
        }
        let body = wire::json(&answer, 201);
        let request_uri = body["request_uri"].as_str().unwrap().to_owned();
        let response = self
            .harness
            .challenge(self.at(), &self.service.client_id, &request_uri)
            .await;
        let challenged = self.harness.read_challenge(&self.service.client_id, &response);
        self.harness.answer_with_card(self.at(), &challenged, &self.ada).await
    }
}

#[tokio::test]
async fn nothing_is_taken_back_that_the_register_has_not_taken() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let account = world.harness.account(world.at(), &world.ada).await;
    // The register's directory refuses: whoever asks is not told that it is done.
    let name = whole_name(&world);
    std::fs::create_dir(world.register.path().join(&name)).unwrap();
    let what = json!({"device": account.devices()[0]});
    let answer = world.harness.take_back(world.at(), &account, &what).await;
    wire::assert_refused(&answer, 503, "temporarily_unavailable");
    world.log_in(&mut device).await;
    std::fs::remove_dir(world.register.path().join(&name)).unwrap();
    wire::json(&world.harness.take_back(world.at(), &account, &what).await, 200);
    wire::assert_refused(&world.device_answer(&mut device).await, 403, "access_denied");
}

#[tokio::test]
async fn what_the_register_has_taken_holds_although_the_database_did_not_follow() {
    use crate::common::Disk;
    for disk in [Disk::Full, Disk::LosesUnsure, Disk::WritesUnsure] {
        let world = World::new().await;
        let mut device = world.bound().await;
        let account = world.harness.account(world.at(), &world.ada).await;
        let what = json!({"device": account.devices()[0]});
        world.harness.store.set_disk(disk);
        let answer = world.harness.take_back(world.at(), &account, &what).await;
        match disk {
            Disk::WritesUnsure => drop(wire::json(&answer, 200)),
            _ => drop(wire::assert_refused(&answer, 503, "temporarily_unavailable")),
        }
        world.harness.store.set_disk(Disk::Fine);
        wire::assert_refused(&world.device_answer(&mut device).await, 403, "access_denied");
        // Once more, as her app does: now it is done.
        wire::json(&world.harness.take_back(world.at(), &account, &what).await, 200);
        world.restart().await;
        wire::assert_refused(&world.device_answer(&mut device).await, 403, "access_denied");
        assert_eq!(world.told("database_rewound"), 0, "{disk:?}");
    }
}

#[tokio::test]
async fn a_register_grows_no_longer_than_its_facts_need() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let register: &Path = world.register.path();
    for _ in 0..3 {
        world.log_in(&mut device).await;
        world.harness.provider().flush_freshness().await.unwrap();
    }
    let steps = FileRegister::open(tempfile::tempdir().unwrap().path()).unwrap();
    assert_eq!(steps.steps(world.tenant()).await.unwrap(), []);
    let length = std::fs::metadata(register.join(whole_name(&world))).unwrap().len();
    assert!(length < 2_000, "{length}");
    // An ordinary login writes nothing to it.
    world.log_in(&mut device).await;
    assert_eq!(
        std::fs::metadata(register.join(whole_name(&world))).unwrap().len(),
        length
    );
}
