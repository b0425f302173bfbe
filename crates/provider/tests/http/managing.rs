//! Looking after devices: names, locks, early renewal, an app that was installed anew, and a record that moves meanwhile.

use authenticator::Reason;
use serde_json::{Value, json};
use store_sqlite::{FileRegister, SqliteStore};
use transport::HttpResponse;

use crate::common::{
    Account, Answered, Challenged, Device, HIGH_CLASS, Harness, Insurer, Person, SUBSTANTIAL_CLASS, Service, Setup,
    clock::NOW, wire,
};

const DAY: u64 = 86_400;

struct World {
    harness: Harness,
    service: Service,
    ada: Person,
}

impl World {
    async fn new() -> Self {
        Self::on(Harness::start().await).await
    }

    async fn on(harness: Harness) -> Self {
        let service = harness.service();
        let ada = harness.ada().await;
        Self { harness, service, ada }
    }

    fn at(&self) -> &Insurer {
        &self.harness.path
    }

    async fn bound(&self) -> Device {
        self.harness
            .bound(self.at(), &self.service, &self.ada, HIGH_CLASS)
            .await
    }

    async fn by_card(&self) -> (Challenged, Answered) {
        let challenged = self
            .harness
            .challenged(self.at(), &self.service, &self.service.request(&self.harness))
            .await;
        let answer = self.harness.answer_with_card(self.at(), &challenged, &self.ada).await;
        let answered = self.harness.read_answer(&self.service.client_id, &answer);
        (challenged, answered)
    }

    async fn account(&self) -> Account {
        self.harness.account(self.at(), &self.ada).await
    }

    async fn manage(&self, account: &Account, device: &str, action: &str, name: Option<&str>) -> HttpResponse {
        let mut body = json!({"device": device, "action": action});
        if let Some(name) = name {
            body["name"] = json!(name);
        }
        self.harness.ask_account(self.at(), account, "devices", &body).await
    }

    async fn confirm(&self, answered: &Answered, device: &str) -> HttpResponse {
        let body = json!({"client_id": answered.client_id, "login": answered.login, "device": device});
        self.harness.api(self.at(), "/devices/confirm", &body).await
    }

    async fn device_answer(&self, device: &mut Device) -> HttpResponse {
        let challenged = self
            .harness
            .challenged(self.at(), &self.service, &self.service.request(&self.harness))
            .await;
        self.harness.answer_with_device(self.at(), &challenged, device).await
    }

    async fn only_device(&self) -> Value {
        let account = self.account().await;
        assert_eq!(account.devices().len(), 1);
        account.overview["devices"][0].clone()
    }
}

#[tokio::test]
async fn a_device_gets_another_name_and_keeps_everything_else() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let before = world.only_device().await;
    let account = world.account().await;
    let renamed = world
        .manage(&account, &device.handle, "rename", Some("Omas Tablet"))
        .await;
    assert_eq!(wire::json(&renamed, 200), json!({}));
    let mut after = world.only_device().await;
    assert_eq!(after["name"], "Omas Tablet");
    after["name"] = before["name"].clone();
    assert_eq!(after, before);
    assert_eq!(world.device_answer(&mut device).await.status, 200);
}

#[tokio::test]
async fn a_locked_device_logs_in_no_more_until_a_card_login_unlocks_it() {
    let world = World::new().await;
    let (mut device, mut other) = (world.bound().await, world.bound().await);
    // Locked from the other phone, without the card.
    let by_device = world.harness.account_by_device(world.at(), &mut other).await;
    for _ in 0..2 {
        wire::json(&world.manage(&by_device, &device.handle, "lock", None).await, 200);
        wire::assert_reason(&world.device_answer(&mut device).await, Reason::DeviceLocked);
    }
    assert_eq!(world.device_answer(&mut other).await.status, 200);
    let account = world.account().await;
    let devices = account.overview["devices"].as_array().unwrap();
    let locked = |handle: &str| devices.iter().find(|entry| entry["id"] == handle).unwrap()["locked"].clone();
    assert_eq!(
        (locked(&device.handle), locked(&other.handle)),
        (json!(true), json!(false))
    );
    // Unlocking is the card's.
    let refused = world.manage(&by_device, &device.handle, "unlock", None).await;
    wire::assert_reason(&refused, Reason::CardLoginNeeded);
    wire::assert_reason(&world.device_answer(&mut device).await, Reason::DeviceLocked);
    for _ in 0..2 {
        wire::json(&world.manage(&account, &device.handle, "unlock", None).await, 200);
        assert_eq!(world.device_answer(&mut device).await.status, 200);
    }
    // And locked again: the third time counts as the first.
    wire::json(&world.manage(&by_device, &device.handle, "lock", None).await, 200);
    wire::assert_reason(&world.device_answer(&mut device).await, Reason::DeviceLocked);
}

#[tokio::test]
async fn a_lock_ends_what_the_device_has_begun() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let push = world.service.request(&world.harness);
    let answered = world
        .harness
        .authenticated_by_device(world.at(), &world.service, &push, &mut device)
        .await;
    let code = world.harness.approved(world.at(), &answered, None).await;
    let thief = world.harness.account_by_device(world.at(), &mut device).await;
    let account = world.account().await;
    wire::json(&world.manage(&account, &device.handle, "lock", None).await, 200);
    let answer = world.service.redeem(world.at(), &push, &code).await;
    wire::assert_refused(&answer, 400, "invalid_grant");
    for (action, name) in [("rename", Some("x")), ("lock", None), ("remove", None)] {
        let refused = world.manage(&thief, &device.handle, action, name).await;
        wire::assert_reason(&refused, Reason::DeviceLocked);
    }
    for path in ["overview", "history", "export"] {
        let url = format!("{}/account/{path}", world.at().issuer);
        let (body, cookie) = (json!({"login": thief.login}), [("cookie", thief.cookie.as_str())]);
        let refused = world.harness.app().post_json(&url, &body, &cookie).await.unwrap();
        wire::assert_reason(&refused, Reason::DeviceLocked);
    }
    let revoked = world
        .harness
        .take_back(world.at(), &thief, &json!({"device": device.handle}))
        .await;
    wire::assert_reason(&revoked, Reason::DeviceLocked);
}

#[tokio::test]
async fn neither_a_restart_nor_yesterdays_database_undoes_a_lock() {
    let (database, register) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = |path: &std::path::Path| std::sync::Arc::new(SqliteStore::open(path.join("store.sqlite")).unwrap());
    let world = World::on(
        Harness::with(Setup {
            store: open(database.path()),
            register: std::sync::Arc::new(FileRegister::open(register.path()).unwrap()),
            ..Setup::default()
        })
        .await,
    )
    .await;
    let mut device = world.bound().await;
    let backup = tempfile::tempdir().unwrap();
    for name in ["store.sqlite", "store.sqlite-wal"] {
        std::fs::copy(database.path().join(name), backup.path().join(name)).unwrap();
    }
    let account = world.account().await;
    wire::json(&world.manage(&account, &device.handle, "lock", None).await, 200);
    world.harness.restart();
    wire::assert_reason(&world.device_answer(&mut device).await, Reason::DeviceLocked);
    world.harness.store.exchange(open(backup.path()));
    world.harness.restart();
    wire::assert_reason(&world.device_answer(&mut device).await, Reason::DeviceLocked);
}

#[tokio::test]
async fn a_removed_device_is_gone() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let account = world.account().await;
    wire::json(&world.manage(&account, &device.handle, "remove", None).await, 200);
    assert!(world.account().await.devices().is_empty());
    wire::assert_reason(&world.device_answer(&mut device).await, Reason::DeviceUnknown);
    for (action, name) in [("rename", Some("x")), ("lock", None), ("unlock", None)] {
        let refused = world.manage(&account, &device.handle, action, name).await;
        wire::assert_reason(&refused, Reason::NotFound);
    }
}

#[tokio::test]
async fn nobody_looks_after_somebody_elses_devices_and_wishes_have_a_form() {
    let world = World::new().await;
    let zoe = Person::zoe();
    world.harness.import(world.at(), &zoe.data()).await;
    let hers = world.bound().await;
    let zoes = world.harness.account(world.at(), &zoe).await;
    let mine = world.account().await;
    for (action, name) in [
        ("rename", Some("x")),
        ("lock", None),
        ("unlock", None),
        ("remove", None),
    ] {
        for handle in [hers.handle.as_str(), "", "x", &"A".repeat(43), &"A".repeat(1_000)] {
            let refused = world.manage(&zoes, handle, action, name).await;
            wire::assert_reason(&refused, Reason::NotFound);
        }
    }
    for (action, name) in [
        ("rename", None),
        ("lock", Some("x")),
        ("unlock", Some("x")),
        ("remove", Some("x")),
        ("rename", Some("")),
        ("rename", Some("zwei\nZeilen")),
        ("block", None),
        ("", None),
    ] {
        let refused = world.manage(&mine, &hers.handle, action, name).await;
        wire::assert_reason(&refused, Reason::Malformed);
    }
    // A login to a service is not one to the account.
    let (_, answered) = world.by_card().await;
    let body = json!({"login": answered.login, "device": hers.handle, "action": "remove"});
    let refused = world.harness.api(world.at(), "/account/devices", &body).await;
    assert_eq!(refused.status, 400);
    assert_eq!(world.only_device().await["locked"], false);
}

#[tokio::test]
async fn a_card_login_renews_a_device_before_its_time_is_over() {
    let world = World::new().await;
    let mut device = world
        .harness
        .bound(world.at(), &world.service, &world.ada, SUBSTANTIAL_CLASS)
        .await;
    let until = |seconds: u64| json!({"valid_until": NOW.0 + seconds});
    world.harness.clock.advance(DAY - 10);
    let (_, answered) = world.by_card().await;
    world.harness.clock.advance(5);
    let confirmed = world.confirm(&answered, &device.handle).await;
    assert_eq!(
        wire::json(&confirmed, 200),
        until(2 * DAY - 10),
        "it counts from the card login"
    );
    let entry = world.only_device().await;
    assert_eq!(entry["confirmed_at"], json!(NOW.0 + DAY - 10));
    assert_eq!(entry["bound_at"], json!(NOW.0));
    assert_eq!(entry["valid_until"], json!(NOW.0 + 2 * DAY - 10));
    let request = || {
        let push = world.service.request(&world.harness);
        push.with("acr_values", "gematik-ehealth-loa-substantial")
    };
    for (at, status) in [(2 * DAY - 10, 200), (2 * DAY - 9, 403)] {
        world.harness.clock.advance(NOW.0 + at - world.harness.clock_now());
        let challenged = world.harness.challenged(world.at(), &world.service, &request()).await;
        let answer = world
            .harness
            .answer_with_device(world.at(), &challenged, &mut device)
            .await;
        assert_eq!(answer.status, status, "{at}");
    }
    // Late is not too late.
    let (_, answered) = world.by_card().await;
    wire::json(&world.confirm(&answered, &device.handle).await, 200);
    let challenged = world.harness.challenged(world.at(), &world.service, &request()).await;
    let answer = world
        .harness
        .answer_with_device(world.at(), &challenged, &mut device)
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn nothing_but_her_own_card_renews_a_device() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let push = world.service.request(&world.harness);
    let by_device = world
        .harness
        .authenticated_by_device(world.at(), &world.service, &push, &mut device)
        .await;
    wire::assert_reason(
        &world.confirm(&by_device, &device.handle).await,
        Reason::CardLoginNeeded,
    );
    let claims = json!({"id_token": {"amr": {"essential": true, "value": "urn:telematik:auth:guest:eGK"}}});
    let push = world
        .service
        .request(&world.harness)
        .with("claims", &claims.to_string());
    let challenged = world.harness.challenged(world.at(), &world.service, &push).await;
    let answer = world
        .harness
        .answer_with_card(world.at(), &challenged, &world.ada)
        .await;
    let guest = world.harness.read_answer(&world.service.client_id, &answer);
    wire::assert_reason(&world.confirm(&guest, &device.handle).await, Reason::CardLoginNeeded);
    let zoe = Person::zoe();
    world.harness.import(world.at(), &zoe.data()).await;
    let push = world.service.request(&world.harness);
    let stranger = world
        .harness
        .authenticated(world.at(), &world.service, &push, &zoe)
        .await;
    wire::assert_reason(&world.confirm(&stranger, &device.handle).await, Reason::NotFound);
    let (_, answered) = world.by_card().await;
    for handle in ["", "x", &"A".repeat(43)] {
        wire::assert_reason(&world.confirm(&answered, handle).await, Reason::NotFound);
    }
}

impl World {
    async fn bind_marked(&self, mark: &str) -> HttpResponse {
        let (challenged, answered) = self.by_card().await;
        let mut body = Device::unbound().binding(&challenged, &answered, HIGH_CLASS);
        body["hardware"] = json!(mark);
        self.harness.api(self.at(), "/devices", &body).await
    }
}

#[tokio::test]
async fn an_app_that_was_installed_anew_takes_the_place_of_its_old_entry() {
    let world = World::new().await;
    let (mark, other) = (jose::base64url::encode(&[1; 32]), jose::base64url::encode(&[2; 32]));
    let unmarked = world.bound().await.handle;
    let tablet = wire::json(&world.bind_marked(&other).await, 201)["device"].clone();
    let old = wire::json(&world.bind_marked(&mark).await, 201)["device"].clone();
    let new = wire::json(&world.bind_marked(&mark).await, 201)["device"].clone();
    let account = world.account().await;
    let mut devices = account.devices();
    devices.sort();
    let mut expected = [json!(unmarked), tablet, new].map(|handle| handle.as_str().unwrap().to_owned());
    expected.sort();
    assert_eq!(devices, expected);
    let refused = world.manage(&account, old.as_str().unwrap(), "lock", None).await;
    wire::assert_reason(&refused, Reason::NotFound);
    // The same mark at another person's is another phone's business.
    let zoe = Person::zoe();
    world.harness.import(world.at(), &zoe.data()).await;
    let push = world.service.request(&world.harness);
    let challenged = world.harness.challenged(world.at(), &world.service, &push).await;
    let answer = world.harness.answer_with_card(world.at(), &challenged, &zoe).await;
    let answered = world.harness.read_answer(&world.service.client_id, &answer);
    let mut body = Device::unbound().binding(&challenged, &answered, HIGH_CLASS);
    body["hardware"] = json!(mark);
    wire::json(&world.harness.api(world.at(), "/devices", &body).await, 201);
    assert_eq!(world.account().await.devices().len(), 3);
    for wrong in ["", "AAAA", &jose::base64url::encode(&[1; 33]), "%"] {
        wire::assert_reason(&world.bind_marked(wrong).await, Reason::Malformed);
    }
}

#[tokio::test]
async fn who_has_as_many_devices_as_she_may_still_installs_an_app_anew() {
    let world = World::new().await;
    let mark = jose::base64url::encode(&[1; 32]);
    wire::json(&world.bind_marked(&mark).await, 201);
    for _ in 1..provider::MAX_DEVICES {
        world.bound().await;
    }
    let other = jose::base64url::encode(&[2; 32]);
    wire::assert_reason(&world.bind_marked(&other).await, Reason::TooManyDevices);
    wire::json(&world.bind_marked(&mark).await, 201);
    assert_eq!(world.account().await.devices().len(), provider::MAX_DEVICES);
}

#[tokio::test]
async fn a_record_that_moves_meanwhile_is_met_again_and_not_for_ever() {
    let world = World::new().await;
    world.harness.store.overtake(2);
    let device = world.bound().await;
    let account = world.account().await;
    world.harness.store.overtake(2);
    wire::json(
        &world.manage(&account, &device.handle, "rename", Some("Neu")).await,
        200,
    );
    assert_eq!(world.only_device().await["name"], "Neu");
    let (challenged, answered) = world.by_card().await;
    world.harness.store.overtake(3);
    let body = Device::unbound().binding(&challenged, &answered, HIGH_CLASS);
    let refused = wire::assert_reason(
        &world.harness.api(world.at(), "/devices", &body).await,
        Reason::Unavailable,
    );
    assert_eq!(refused.code(), (503, "temporarily_unavailable"));
    world.harness.store.overtake(3);
    let refused = world.manage(&account, &device.handle, "rename", Some("Neuer")).await;
    wire::assert_reason(&refused, Reason::Unavailable);
    assert_eq!(world.only_device().await["name"], "Neu");
    // The same request goes through afterwards.
    wire::json(&world.harness.api(world.at(), "/devices", &body).await, 201);
}
