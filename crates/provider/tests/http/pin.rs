//! The app's PIN: tried here, never told, and counted where neither the phone's storage nor the database can be put back (ADR 0018).

use std::sync::Arc;

use authenticator::pin::{Blinding, Element, MAX_TRIES};
use serde_json::json;
use store_sqlite::FileRegister;
use tempfile::TempDir;
use transport::HttpResponse;

use super::freshness::{copy, open};
use crate::common::{Device, HIGH_CLASS, Harness, Insurer, Person, Service, Setup, members, wire};

/// The phone's half of a try: what it sends, and the secret that comes of the answer.
fn blinded(harness: &Harness, pin: &str) -> (Blinding, String) {
    let vault = harness.vault();
    let (blinding, element) = Blinding::new(pin.as_bytes(), |bytes| vault.random(bytes)).unwrap();
    (blinding, element.to_text())
}

fn secret(blinding: &Blinding, answer: &HttpResponse) -> Vec<u8> {
    let body = wire::json(answer, 200);
    assert_eq!(members(&body), ["evaluated", "tries_left"]);
    let element = Element::parse(body["evaluated"].as_str().unwrap()).unwrap();
    blinding.finish(element).unwrap().to_vec()
}

struct World {
    harness: Harness,
    service: Service,
    ada: Person,
    database: TempDir,
    _register: TempDir,
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
            _register: register,
        }
    }

    fn at(&self) -> &Insurer {
        &self.harness.path
    }

    async fn bound(&self) -> Device {
        self.harness
            .bound(self.at(), &self.service, &self.ada, HIGH_CLASS)
            .await
    }

    /// Asks for a new PIN with a card login of this person.
    async fn ask_to_set(&self, person: &Person, device: &str, point: &str) -> HttpResponse {
        let answered = self
            .harness
            .authenticated(self.at(), &self.service, &self.service.request(&self.harness), person)
            .await;
        let body = json!({
            "client_id": answered.client_id, "login": answered.login, "device": device, "blinded": point,
        });
        self.harness.api(self.at(), "/devices/pin", &body).await
    }

    /// Sets a PIN, and gives the secret it unlocks.
    async fn set(&self, device: &Device, pin: &str) -> Vec<u8> {
        let (blinding, point) = blinded(&self.harness, pin);
        let answer = self.ask_to_set(&self.ada, &device.handle, &point).await;
        assert_eq!(wire::json(&answer, 200)["tries_left"], json!(MAX_TRIES));
        secret(&blinding, &answer)
    }

    async fn ask(&self, device: &str, point: &str) -> HttpResponse {
        let body = json!({"device": device, "blinded": point});
        self.harness.api(self.at(), "/devices/pin/evaluate", &body).await
    }

    /// Tries a PIN: the secret, and how often there is another try.
    async fn attempt(&self, device: &Device, pin: &str) -> (Vec<u8>, u64) {
        let (blinding, point) = blinded(&self.harness, pin);
        let answer = self.ask(&device.handle, &point).await;
        let left = wire::json(&answer, 200)["tries_left"].as_u64().unwrap();
        (secret(&blinding, &answer), left)
    }

    async fn is_locked(&self, device: &Device) -> bool {
        let (_, point) = blinded(&self.harness, "135790");
        let answer = self.ask(&device.handle, &point).await;
        if answer.status == 200 {
            return false;
        }
        wire::assert_refused(&answer, 403, "access_denied");
        assert_eq!(wire::json(&answer, 403)["reason"], "pin-locked");
        true
    }

    async fn use_up(&self, device: &Device) {
        for left in (0..MAX_TRIES).rev() {
            assert_eq!(self.attempt(device, "000000").await.1, left);
        }
    }

    async fn signed(&self, device: &mut Device) {
        let push = self.service.request(&self.harness);
        self.harness
            .authenticated_by_device(self.at(), &self.service, &push, device)
            .await;
    }
}

#[tokio::test]
async fn the_right_pin_gives_the_secret_and_a_wrong_one_another_and_nobody_tells_which() {
    let world = World::new().await;
    let device = world.bound().await;
    let secret = world.set(&device, "135790").await;
    let (right, left) = world.attempt(&device, "135790").await;
    assert_eq!((right, left), (secret.clone(), MAX_TRIES - 1));
    // Answered in the same way; the server cannot know.
    let (wrong, left) = world.attempt(&device, "135791").await;
    assert_ne!(wrong, secret);
    assert_eq!(left, MAX_TRIES - 2);
}

#[tokio::test]
async fn two_devices_have_shares_and_tries_of_their_own() {
    let world = World::new().await;
    let (one, other) = (world.bound().await, world.bound().await);
    let secrets = [world.set(&one, "135790").await, world.set(&other, "135790").await];
    assert_ne!(secrets[0], secrets[1]);
    world.use_up(&one).await;
    assert!(world.is_locked(&one).await);
    assert_eq!(
        world.attempt(&other, "135790").await,
        (secrets[1].clone(), MAX_TRIES - 1)
    );
}

#[tokio::test]
async fn after_the_last_try_only_the_card_helps_and_it_makes_a_new_share() {
    let world = World::new().await;
    let device = world.bound().await;
    let before = world.set(&device, "135790").await;
    world.use_up(&device).await;
    // Also the right one.
    assert!(world.is_locked(&device).await);
    world.harness.clock.advance(365 * 86_400 / 12);
    world.harness.restart();
    assert!(world.is_locked(&device).await);
    let after = world.set(&device, "135790").await;
    assert_ne!(before, after);
    assert_eq!(world.attempt(&device, "135790").await, (after, MAX_TRIES - 1));
    // She reads of it.
    let account = world.harness.account(world.at(), &world.ada).await;
    let history = world.harness.read_history(world.at(), &account).await;
    let entries = history["entries"].as_array().unwrap();
    let count = |event: &str| entries.iter().filter(|entry| entry["event"] == event).count();
    assert_eq!((count("pin-locked"), count("pin-reset")), (1, 2));
    let locked = entries.iter().find(|entry| entry["event"] == "pin-locked").unwrap();
    assert_eq!(locked["device"], json!(device.handle));
}

#[tokio::test]
async fn a_signature_of_the_devices_key_gives_the_tries_back_and_nothing_less_does() {
    let world = World::new().await;
    let mut device = world.bound().await;
    world.set(&device, "135790").await;
    for _ in 0..3 {
        world.attempt(&device, "000000").await;
    }
    // Another key's signature, a decline, and a visit by card are no right PIN.
    let stranger = Device {
        handle: device.handle.clone(),
        ..Device::unbound()
    };
    let harness = &world.harness;
    let challenged = harness
        .challenged(world.at(), &world.service, &world.service.request(harness))
        .await;
    let response = stranger.assertion(&challenged.challenge, "approve", jose::UnixTime(harness.clock_now()), 9);
    let answer = harness.post_device(world.at(), &challenged, &stranger, &response).await;
    wire::assert_refused(&answer, 403, "access_denied");
    harness.account(world.at(), &world.ada).await;
    assert_eq!(world.attempt(&device, "000000").await.1, MAX_TRIES - 4);
    world.signed(&mut device).await;
    assert_eq!(world.attempt(&device, "000000").await.1, MAX_TRIES - 1);
    // Also when the instance has told the register, and another one goes on.
    world.signed(&mut device).await;
    harness.provider().flush_freshness().await.unwrap();
    harness.restart();
    assert_eq!(world.attempt(&device, "000000").await.1, MAX_TRIES - 1);
}

#[tokio::test]
async fn neither_yesterdays_database_nor_yesterdays_phone_gives_tries_back() {
    let mut world = World::new().await;
    let device = world.bound().await;
    world.set(&device, "135790").await;
    let backup = copy(world.database.path());
    world.use_up(&device).await;
    // The phone keeps nothing that counts: its handle is all there is to restore.
    let restored = Device {
        handle: device.handle.clone(),
        ..Device::unbound()
    };
    assert!(world.is_locked(&restored).await);
    world.harness.store.exchange(open(&backup));
    world.database = backup;
    world.harness.restart();
    assert!(world.is_locked(&device).await);
    // A process that dies right after an answer has counted it.
    let other = world.bound().await;
    world.set(&other, "135790").await;
    for left in (0..MAX_TRIES).rev() {
        assert_eq!(world.attempt(&other, "000000").await.1, left);
        world.harness.restart();
    }
    assert!(world.is_locked(&other).await);
}

#[tokio::test]
async fn of_many_tries_at_once_no_more_are_answered_than_there_are() {
    let world = World::new().await;
    let device = world.bound().await;
    world.set(&device, "135790").await;
    let point = blinded(&world.harness, "000000").1;
    let asks: Vec<_> = (0..2 * MAX_TRIES).map(|_| world.ask(&device.handle, &point)).collect();
    let mut answered = 0;
    let mut asks: Vec<_> = asks.into_iter().map(Box::pin).collect();
    // All have been sent before the first answer is looked at.
    let all = std::future::poll_fn(move |context| {
        asks.retain_mut(|ask| match ask.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                answered += u64::from(answer.status == 200);
                false
            }
            std::task::Poll::Pending => true,
        });
        if asks.is_empty() {
            std::task::Poll::Ready(answered)
        } else {
            std::task::Poll::Pending
        }
    });
    assert_eq!(all.await, MAX_TRIES);
}

#[tokio::test]
async fn a_passkey_gets_no_pin() {
    let world = World::new().await;
    let (passkey, _) = world.harness.passkey(world.at(), &world.ada, 0, true).await;
    let (_, point) = blinded(&world.harness, "135790");
    let answer = world.ask_to_set(&world.ada, &passkey.user_handle, &point).await;
    let refused = wire::assert_refused(&answer, 400, "invalid_request");
    assert!(refused.description.contains("passkey"), "{}", refused.description);
}

#[tokio::test]
async fn points_that_are_none_devices_that_are_not_hers_and_logins_without_card_are_refused() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let good = blinded(&world.harness, "135790").1;
    // No PIN has been set, no such device, no handle: one answer.
    for handle in [&device.handle, &jose::base64url::encode(&[7; 32]), "x"] {
        let answer = world.ask(handle, &good).await;
        wire::assert_refused(&answer, 403, "access_denied");
        assert_eq!(wire::json(&answer, 403)["reason"], "device-unknown");
    }
    world.set(&device, "135790").await;
    let mut off_curve = jose::base64url::decode(&good).unwrap();
    while Element::from_bytes(&off_curve).is_ok() {
        off_curve[20] = off_curve[20].wrapping_add(1);
    }
    let points = [
        String::new(),
        "###".to_owned(),
        jose::base64url::encode(&[0; 33]),
        jose::base64url::encode(&[0]),
        jose::base64url::encode(&off_curve),
        format!("{good}A"),
    ];
    for point in &points {
        let answer = world.ask(&device.handle, point).await;
        wire::assert_refused(&answer, 400, "invalid_request");
        let answer = world.ask_to_set(&world.ada, &device.handle, point).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
    // What is malformed is no try.
    assert_eq!(world.attempt(&device, "135790").await.1, MAX_TRIES - 1);
    let bodies = [
        json!({"device": device.handle}),
        json!({"device": device.handle, "blinded": 7}),
        json!({"device": device.handle, "blinded": good, "pin": "135790"}),
    ];
    for body in bodies {
        let answer = world.harness.api(world.at(), "/devices/pin/evaluate", &body).await;
        wire::assert_refused(&answer, 400, "invalid_request");
    }
    // Somebody else's card sets no PIN for it.
    let zoe = Person::zoe();
    world.harness.import(world.at(), &zoe.data()).await;
    let answer = world.ask_to_set(&zoe, &device.handle, &good).await;
    wire::assert_refused(&answer, 403, "access_denied");
    // Nor does the device itself.
    let push = world.service.request(&world.harness);
    let answered = world
        .harness
        .authenticated_by_device(world.at(), &world.service, &push, &mut device)
        .await;
    let body = json!({
        "client_id": answered.client_id, "login": answered.login, "device": device.handle, "blinded": good,
    });
    let answer = world.harness.api(world.at(), "/devices/pin", &body).await;
    wire::assert_refused(&answer, 403, "access_denied");
    assert_eq!(wire::json(&answer, 403)["reason"], "card-login-needed");
}

/// The browser's half made these, with a library that is not ours.
#[test]
fn what_the_browsers_half_recorded_comes_out_of_ours() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../../wallet/testdata/pin.json")).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert!(vectors.len() >= 4);
    for vector in vectors {
        let text = |member: &str| vector[member].as_str().unwrap();
        let drawn = |member: &str| jose::base64url::decode_array::<32>(text(member)).unwrap();
        let blind = drawn("blind");
        let (attempt, want) =
            wallet::flow::PinTry::begin(text("issuer"), text("device"), text("pin"), |out| *out = blind).unwrap();
        let wallet::flow::Want::Send(request) = want else {
            panic!("{want:?}")
        };
        assert_eq!(request.body.unwrap()["blinded"], text("blinded"));
        let share = authenticator::pin::PinShare::new(|out| *out = drawn("share")).unwrap();
        let evaluated = share.evaluate(Element::parse(text("blinded")).unwrap()).unwrap();
        assert_eq!(evaluated.to_text(), text("evaluated"));
        let told = wallet::flow::Told::Answer {
            status: 200,
            body: json!({"evaluated": text("evaluated"), "tries_left": 9}).to_string(),
        };
        let (secret, _) = attempt.tell(told).unwrap();
        let kept = jose::base64url::decode(text("kept")).unwrap();
        let content = secret.unwrap(&kept).unwrap();
        assert_eq!(jose::base64url::encode(&content), text("content"));
    }
}
