//! The block code: set once, used by anybody who has it, and undone by the card alone.

use authenticator::Reason;
use provider::Allowance;
use serde_json::json;
use store_sqlite::{FileRegister, SqliteStore};
use transport::HttpResponse;

use crate::common::{Account, Device, HIGH_CLASS, Harness, Insurer, Person, Service, Setup, clock::NOW, wire};

struct World {
    harness: Harness,
    service: Service,
    ada: Person,
}

impl World {
    async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    async fn with(setup: Setup) -> Self {
        let harness = Harness::with(setup).await;
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

    async fn account(&self) -> Account {
        self.harness.account(self.at(), &self.ada).await
    }

    async fn post(&self, account: &Account, path: &str, body: &serde_json::Value) -> HttpResponse {
        let mut body = body.clone();
        body["login"] = json!(account.login);
        let url = format!("{}{path}", self.at().issuer);
        let cookie = [("cookie", account.cookie.as_str())];
        self.harness.app().post_json(&url, &body, &cookie).await.unwrap()
    }

    async fn new_code(&self, account: &Account) -> String {
        let answer = self.post(account, "/account/block-code", &json!({})).await;
        let code = wire::json(&answer, 200)["code"].as_str().unwrap().to_owned();
        self.harness.secret(code)
    }

    async fn block(&self, code: &str) -> HttpResponse {
        self.harness.api(self.at(), "/block", &json!({"code": code})).await
    }

    async fn device_answer(&self, device: &mut Device) -> HttpResponse {
        let push = self.service.request(&self.harness);
        let challenged = self.harness.challenged(self.at(), &self.service, &push).await;
        self.harness.answer_with_device(self.at(), &challenged, device).await
    }

    async fn unlock(&self, account: &Account, device: &Device) -> HttpResponse {
        let body = json!({"device": device.handle, "action": "unlock"});
        self.post(account, "/account/devices", &body).await
    }
}

#[tokio::test]
async fn the_code_blocks_every_device_without_a_login_and_a_later_card_login_unlocks_each() {
    let world = World::new().await;
    let (mut one, mut two) = (world.bound().await, world.bound().await);
    let before = world.account().await;
    assert_eq!(
        (&before.overview["block_code"], &before.overview["blocked_at"]),
        (&json!(null), &json!(null))
    );
    let code = world.new_code(&before).await;
    assert_eq!(world.account().await.overview["block_code"], json!({"set_at": NOW.0}));
    world.harness.clock.advance(100);
    let card_before = world.account().await;
    world.harness.clock.advance(1);
    // As people type it.
    let typed = format!(" {} ", code.to_lowercase().replace('-', " "));
    let blocked = wire::json(&world.block(&typed).await, 200);
    assert_eq!(blocked, json!({"blocked_at": NOW.0 + 101}));
    for device in [&mut one, &mut two] {
        wire::assert_reason(&world.device_answer(device).await, Reason::DeviceBlocked);
    }
    // A card login from before, or of the same second, undoes nothing.
    wire::assert_reason(&world.unlock(&card_before, &one).await, Reason::CardLoginNeeded);
    wire::assert_reason(
        &world.unlock(&world.account().await, &one).await,
        Reason::CardLoginNeeded,
    );
    world.harness.clock.advance(1);
    let account = world.account().await;
    assert_eq!(account.overview["blocked_at"], json!(NOW.0 + 101));
    let entries = account.overview["devices"].as_array().unwrap();
    assert!(entries.iter().all(|entry| entry["locked"] == true));
    wire::json(&world.unlock(&account, &one).await, 200);
    assert_eq!(world.device_answer(&mut one).await.status, 200);
    wire::assert_reason(&world.device_answer(&mut two).await, Reason::DeviceBlocked);
    // A renewal by card does the same, and a device bound afterwards was never blocked.
    let body = json!({"client_id": world.at().issuer, "login": account.login, "device": two.handle});
    let cookieless = world.harness.api(world.at(), "/devices/confirm", &body).await;
    wire::assert_reason(&cookieless, Reason::OtherBrowser);
    wire::json(&world.unlock(&account, &two).await, 200);
    assert_eq!(world.device_answer(&mut two).await.status, 200);
    let mut three = world.bound().await;
    assert_eq!(world.device_answer(&mut three).await.status, 200);
    // The code stays good.
    world.harness.clock.advance(1);
    wire::json(&world.block(&code).await, 200);
    for device in [&mut one, &mut two, &mut three] {
        wire::assert_reason(&world.device_answer(device).await, Reason::DeviceBlocked);
    }
}

#[tokio::test]
async fn whoever_took_the_phone_loses_what_he_has_begun_with_it() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let code = world.new_code(&world.account().await).await;
    let push = world.service.request(&world.harness);
    let answered = world
        .harness
        .authenticated_by_device(world.at(), &world.service, &push, &mut device)
        .await;
    let grant = world.harness.approved(world.at(), &answered, None).await;
    let thief = world.harness.account_by_device(world.at(), &mut device).await;
    // He cannot put a code of his own in the place of hers.
    let refused = world.post(&thief, "/account/block-code", &json!({})).await;
    wire::assert_reason(&refused, Reason::CardLoginNeeded);
    wire::json(&world.block(&code).await, 200);
    let answer = world.service.redeem(world.at(), &push, &grant).await;
    wire::assert_refused(&answer, 400, "invalid_grant");
    let overview = world.harness.overview(world.at(), &thief.cookie, &thief.login).await;
    wire::assert_reason(&overview, Reason::DeviceBlocked);
    // Her card goes on.
    world.harness.login(world.at(), &world.service, &world.ada).await;
}

#[tokio::test]
async fn every_code_that_is_nobodys_gets_the_same_answer() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let account = world.account().await;
    let replaced = world.new_code(&account).await;
    // In the same second, too.
    let current = world.new_code(&account).await;
    assert_ne!(replaced, current);
    let zoe = Person::zoe();
    world.harness.import(world.at(), &zoe.data()).await;
    let zoes = world.harness.account(world.at(), &zoe).await;
    let of_nobody = world.new_code(&zoes).await;
    let kvnr = zoe.data().kvnr.clone();
    world
        .harness
        .provider()
        .delete_person(&world.at().issuer, &kvnr)
        .await
        .unwrap();
    let mut told = Vec::new();
    for code in [
        "",
        "x",
        "BCDF-GHJK-LMNP",
        &replaced,
        &of_nobody,
        &"B".repeat(13),
        &format!("{current}B"),
    ] {
        let refused = wire::assert_reason(&world.block(code).await, Reason::NotFound);
        told.push((refused.status, refused.error, refused.description));
    }
    assert!(told.windows(2).all(|two| two[0] == two[1]), "{told:?}");
    // At another insurer it is nobody's either.
    let elsewhere = world
        .harness
        .api(&world.harness.host, "/block", &json!({"code": current}))
        .await;
    wire::assert_reason(&elsewhere, Reason::NotFound);
    assert_eq!(world.device_answer(&mut device).await.status, 200);
    wire::json(&world.block(&current).await, 200);
    for body in [
        json!({}),
        json!({"code": 1}),
        json!({"code": current, "login": "x"}),
        json!([]),
    ] {
        let answer = world.harness.api(world.at(), "/block", &body).await;
        wire::assert_reason(&answer, Reason::Malformed);
    }
}

#[tokio::test]
async fn wrong_codes_are_counted_by_network_and_by_insurer() {
    let few = Allowance {
        burst: 3,
        every_milliseconds: 60_000,
    };
    for by_network in [true, false] {
        let mut setup = Setup::default();
        if by_network {
            setup.limits.block_failures_by_network = few;
        } else {
            setup.limits.block_failures = few;
        }
        let world = World::with(setup).await;
        let code = world.new_code(&world.account().await).await;
        for _ in 0..3 {
            wire::assert_reason(&world.block("BCDF-GHJK-LMNP").await, Reason::NotFound);
        }
        let limited = wire::assert_reason(&world.block(&code).await, Reason::TooManyTries);
        assert_eq!(limited.status, 429);
        world.harness.restart();
        wire::assert_reason(&world.block(&code).await, Reason::TooManyTries);
        world.harness.clock.advance(60);
        wire::json(&world.block(&code).await, 200);
        // Right ones use nothing of it up.
        world.harness.clock.advance(60);
        for _ in 0..5 {
            wire::json(&world.block(&code).await, 200);
        }
    }
}

#[tokio::test]
async fn an_older_database_neither_unblocks_nor_brings_a_replaced_code_back() {
    let (database, register) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = |path: &std::path::Path| std::sync::Arc::new(SqliteStore::open(path.join("store.sqlite")).unwrap());
    let world = World::with(Setup {
        store: open(database.path()),
        register: std::sync::Arc::new(FileRegister::open(register.path()).unwrap()),
        ..Setup::default()
    })
    .await;
    let mut device = world.bound().await;
    let account = world.account().await;
    let replaced = world.new_code(&account).await;
    let backup = tempfile::tempdir().unwrap();
    for name in ["store.sqlite", "store.sqlite-wal"] {
        std::fs::copy(database.path().join(name), backup.path().join(name)).unwrap();
    }
    let current = world.new_code(&account).await;
    world.harness.clock.advance(10);
    wire::json(&world.block(&current).await, 200);
    world.harness.store.exchange(open(backup.path()));
    world.harness.restart();
    wire::assert_reason(&world.device_answer(&mut device).await, Reason::DeviceBlocked);
    wire::assert_reason(&world.block(&replaced).await, Reason::NotFound);
    // The way to the newer code went with the database: better none than the older one. She sets another.
    wire::assert_reason(&world.block(&current).await, Reason::NotFound);
    let next = world.new_code(&world.account().await).await;
    wire::json(&world.block(&next).await, 200);
}

#[tokio::test]
async fn the_page_asks_for_the_code_blocks_and_says_what_happens_next() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let code = world.new_code(&world.account().await).await;
    let url = format!("{}/block", world.at().issuer);
    let browser = world.harness.browser();
    for (language, button) in [("de", "Alle Geräte jetzt sperren"), ("en", "Block all devices now")] {
        let headers = [("accept-language", language), ("accept", "text/html")];
        let asked = wire::page(&browser.get(&url, &headers).await.unwrap(), 200, language);
        assert!(asked.contains(button) && asked.contains("support@kasse.example"));
        assert!(!asked.contains("<script"));
        let form = [("code", "BCDF-GHJK-LMNP")];
        let wrong = browser.post_form(&url, &form, &headers).await.unwrap();
        let wrong = wire::page(&wrong, 404, language);
        assert!(wrong.contains("role=\"alert\"") && wrong.contains(button));
    }
    let headers = [("accept-language", "de"), ("accept", "text/html")];
    let done = browser
        .post_form(&url, &[("code", code.as_str())], &headers)
        .await
        .unwrap();
    let done = wire::page(&done, 200, "de");
    assert!(
        done.contains("Alle Ihre Geräte sind gesperrt") && done.contains("<ol>"),
        "{done}"
    );
    assert!(done.contains(&format!("{}/account", world.at().issuer)));
    assert!(!done.contains(&code));
    wire::assert_reason(&world.device_answer(&mut device).await, Reason::DeviceBlocked);
    for body in [&[][..], &[("code", "a"), ("code", "b")]] {
        let answer = browser.post_form(&url, body, &headers).await.unwrap();
        wire::page(&answer, 400, "de");
    }
}
