//! A new phone bound with the old one, without the card: what is bound, how far it reaches, and every way to get one bound that is not hers.

use authenticator::{
    Reason,
    device::{BINDING_TYP, move_id},
    policy::Moving,
};
use jose::{base64url, jwk::KeyUse, jws};
use serde_json::{Value, json};
use transport::HttpResponse;

use crate::common::asking::{FIREFOX, another};
use crate::common::{
    Device, HIGH_CLASS, Harness, Insurer, Person, SUBSTANTIAL_CLASS, Service, Setup, members, part, policy, wire,
};

const DAY: u64 = 86_400;

struct World {
    harness: Harness,
    service: Service,
    ada: Person,
}

/// An offer, as the old phone got it.
struct Offered {
    offer: String,
    held: String,
    body: Value,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::default();
        setup.policy.moving = Moving::On;
        change(&mut setup);
        let harness = Harness::with(setup).await;
        let service = harness.service();
        let ada = harness.ada().await;
        Self { harness, service, ada }
    }

    fn at(&self) -> &Insurer {
        &self.harness.path
    }

    async fn bound(&self, class: &str) -> Device {
        self.harness.bound(self.at(), &self.service, &self.ada, class).await
    }

    /// An account login the device answered just now, in the app.
    async fn account(&self, device: &mut Device) -> String {
        let issuer = &self.at().issuer;
        let body = json!({"client_id": issuer});
        let challenged = self
            .harness
            .read_challenge(issuer, &self.harness.api(self.at(), "/auth/challenge", &body).await);
        let answer = self.harness.answer_with_device(self.at(), &challenged, device).await;
        self.harness.read_answer(issuer, &answer).login
    }

    async fn post(&self, path: &str, body: &Value) -> HttpResponse {
        self.harness.api(self.at(), path, body).await
    }

    async fn ask_for_offer(&self, login: &str) -> HttpResponse {
        self.post("/devices/move", &json!({"login": login})).await
    }

    async fn offered(&self, old: &mut Device) -> Offered {
        let login = self.account(old).await;
        let body = wire::json(&self.ask_for_offer(&login).await, 200);
        assert_eq!(members(&body), ["code", "expires_at", "link", "move", "offer"]);
        Offered {
            offer: self.harness.secret(body["offer"].as_str().unwrap()),
            held: self.harness.secret(body["move"].as_str().unwrap()),
            body,
        }
    }

    async fn accept(&self, offer: &str, new: &Device, class: &str) -> HttpResponse {
        let url = format!("{}/devices/move/accept", self.at().issuer);
        let body = acceptance(offer, new, class);
        self.harness.app().post_json(&url, &body, &[FIREFOX]).await.unwrap()
    }

    /// Accepts, and gives ticket and digits.
    async fn accepted(&self, offered: &Offered, new: &Device) -> (String, String) {
        let body = wire::json(&self.accept(&offered.offer, new, SUBSTANTIAL_CLASS).await, 200);
        assert_eq!(members(&body), ["expires_at", "findings", "number", "ticket"]);
        let text = |member: &str| body[member].as_str().unwrap().to_owned();
        (self.harness.secret(text("ticket")), text("number"))
    }

    async fn state(&self, member: &str, value: &str) -> HttpResponse {
        self.post("/devices/move/state", &json!({member: value})).await
    }

    /// What the old phone is to sign.
    async fn asked(&self, offered: &Offered) -> Value {
        let body = wire::json(&self.state("move", &offered.held).await, 200);
        assert_eq!(body["state"], "asked");
        body
    }

    fn approval(&self, offered: &Offered, asked: &Value, old: &mut Device, number: &str) -> Value {
        let challenge = asked["challenge"].as_str().unwrap();
        let response = old.approve(challenge, jose::UnixTime(self.harness.clock_now()));
        json!({"move": offered.held, "number": number, "device": old.handle, "response": response})
    }

    async fn approve(&self, offered: &Offered, old: &mut Device, number: &str) -> HttpResponse {
        let asked = self.asked(offered).await;
        let body = self.approval(offered, &asked, old, number);
        self.post("/devices/move/approve", &body).await
    }

    /// The whole move.
    async fn moved(&self, old: &mut Device) -> Device {
        let mut new = Device::unbound();
        let offered = self.offered(old).await;
        let (_, number) = self.accepted(&offered, &new).await;
        let bound = wire::json(&self.approve(&offered, old, &number).await, 200);
        new.handle = self.harness.secret(bound["device"].as_str().unwrap());
        new
    }

    async fn devices(&self) -> Vec<Value> {
        let account = self.harness.account(self.at(), &self.ada).await;
        account.overview["devices"].as_array().unwrap().clone()
    }

    async fn events(&self) -> Vec<(String, Value)> {
        let account = self.harness.account(self.at(), &self.ada).await;
        let history = self.harness.read_history(self.at(), &account).await;
        assert_eq!(history["chain"]["ok"], true);
        let entries = history["entries"].as_array().unwrap();
        entries
            .iter()
            .map(|entry| (entry["event"].as_str().unwrap().to_owned(), entry["device"].clone()))
            .collect()
    }
}

fn acceptance(offer: &str, new: &Device, class: &str) -> Value {
    let mut public_key = new.key.jwk(KeyUse::Signature);
    public_key.kid = None;
    let header = jws::SigningHeader {
        typ: Some(BINDING_TYP),
        ..jws::SigningHeader::default()
    };
    let claims = json!({"challenge_id": base64url::encode(&move_id(offer))});
    json!({
        "offer": offer,
        "name": "Neues Handy",
        "class": class,
        "consent_to_substantial": true,
        "public_key": public_key.to_value(),
        "proof": jws::sign(&header, claims.to_string().as_bytes(), &new.key).unwrap(),
    })
}

#[tokio::test]
async fn a_new_phone_is_bound_with_the_old_one_and_both_log_in() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let before = world.devices().await[0].clone();
    world.harness.clock.advance(3_600);
    let mut new = Device::unbound();
    let offered = world.offered(&mut old).await;
    assert_eq!(offered.body["expires_at"], world.harness.clock_now() + 300);
    let open = wire::json(&world.state("move", &offered.held).await, 200);
    assert_eq!(open, json!({"state": "open"}));
    world.harness.restart();
    let (ticket, number) = world.accepted(&offered, &new).await;
    assert_eq!(
        wire::json(&world.state("ticket", &ticket).await, 200),
        json!({"state": "waiting"})
    );
    let asked = world.asked(&offered).await;
    assert_eq!(
        asked["asking"],
        json!({
            "name": "Neues Handy", "class": "software", "level": "gematik-ehealth-loa-substantial",
            "browser": "Firefox", "system": "Windows", "network": "same", "asked_at": world.harness.clock_now(),
        })
    );
    assert_eq!(part(asked["challenge"].as_str().unwrap(), 1)["purpose"], "move");
    assert_eq!(world.devices().await.len(), 1);
    world.harness.restart();
    let bound = wire::json(&world.approve(&offered, &mut old, &number).await, 200);
    assert_eq!(wire::json(&world.state("ticket", &ticket).await, 200), bound);
    assert_eq!(members(&bound), ["class", "device", "name", "state", "valid_until"]);
    new.handle = bound["device"].as_str().unwrap().to_owned();
    // Its time without the card is what was left of the old one's.
    assert_eq!(bound["valid_until"], before["valid_until"]);
    let devices = world.devices().await;
    let entry = devices.iter().find(|entry| entry["id"] == new.handle.as_str()).unwrap();
    assert_eq!(
        (&entry["confirmed_at"], &entry["valid_until"], &entry["level"]),
        (&before["confirmed_at"], &before["valid_until"], &before["level"])
    );
    let events = world.events().await;
    for (event, device) in [("device-bound", &new.handle), ("device-moved", &old.handle)] {
        assert!(events.contains(&(event.to_owned(), json!(device))), "{event}");
    }
    for device in [&mut old, &mut new] {
        world.account(device).await;
    }
    world.harness.clock.advance(DAY - 3_600 + 1);
    for device in [&mut old, &mut new] {
        let challenged = world
            .harness
            .challenged(world.at(), &world.service, &world.service.request(&world.harness))
            .await;
        let due = world.harness.answer_with_device(world.at(), &challenged, device).await;
        wire::assert_reason(&due, Reason::DeviceDue);
    }
}

#[tokio::test]
async fn an_insurer_who_does_not_say_so_moves_nobody() {
    let world = World::with(|setup| setup.policy = policy()).await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let login = world.account(&mut old).await;
    wire::assert_reason(&world.ask_for_offer(&login).await, Reason::CardLoginNeeded);
}

#[tokio::test]
async fn only_the_old_phones_own_answer_of_just_now_makes_an_offer() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    // The card may bind by itself; it vouches for nobody elsewhere.
    let issuer = world.at().issuer.clone();
    let challenge = world.post("/auth/challenge", &json!({"client_id": issuer})).await;
    let challenged = world.harness.read_challenge(&issuer, &challenge);
    let answer = world
        .harness
        .answer_with_card(world.at(), &challenged, &world.ada)
        .await;
    let by_card = world.harness.read_answer(&issuer, &answer).login;
    wire::assert_reason(&world.ask_for_offer(&by_card).await, Reason::LevelTooLow);
    // A login a browser began.
    let account = world.harness.account_by_device(world.at(), &mut old).await;
    wire::assert_reason(&world.ask_for_offer(&account.login).await, Reason::OtherBrowser);
    // A login to a service.
    let push = world.service.request(&world.harness);
    let service = world
        .harness
        .authenticated_by_device(world.at(), &world.service, &push, &mut old)
        .await;
    assert_eq!(world.ask_for_offer(&service.login).await.status, 400);
    for nothing in ["", "x", &by_card[1..]] {
        wire::assert_reason(&world.ask_for_offer(nothing).await, Reason::LoginUnknown);
    }
    // Three minutes, and no longer.
    let login = world.account(&mut old).await;
    world.harness.clock.advance(180);
    assert_eq!(world.ask_for_offer(&login).await.status, 200);
    world.harness.clock.advance(1);
    wire::assert_reason(&world.ask_for_offer(&login).await, Reason::LevelTooLow);
}

#[tokio::test]
async fn a_wrong_number_ends_it_and_is_not_typed_again() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let offered = world.offered(&mut old).await;
    let (ticket, number) = world.accepted(&offered, &Device::unbound()).await;
    for malformed in ["", "4", "123", "ab", "٤٢"] {
        let asked = world.asked(&offered).await;
        let body = world.approval(&offered, &asked, &mut old, malformed);
        wire::assert_reason(&world.post("/devices/move/approve", &body).await, Reason::Malformed);
    }
    let wrong = world.approve(&offered, &mut old, &another(&number)).await;
    wire::assert_reason(&wrong, Reason::NumberWrong);
    for (member, value) in [("ticket", &ticket), ("move", &offered.held)] {
        wire::assert_reason(&world.state(member, value).await, Reason::NumberWrong);
    }
    let again = world
        .accept(&offered.offer, &Device::unbound(), SUBSTANTIAL_CLASS)
        .await;
    wire::assert_reason(&again, Reason::NumberWrong);
    assert_eq!(world.devices().await.len(), 1);
    assert!(
        world
            .events()
            .await
            .contains(&("move-ended".to_owned(), json!(old.handle)))
    );
}

#[tokio::test]
async fn of_two_new_phones_the_first_takes_the_offer_and_the_other_learns_nothing() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let offered = world.offered(&mut old).await;
    let (first, second) = (Device::unbound(), Device::unbound());
    let (ticket, number) = world.accepted(&offered, &first).await;
    // The same phone again is told the same: an answer may be lost.
    let (_, same) = world.accepted(&offered, &first).await;
    assert_eq!(same, number);
    let late = world.accept(&offered.offer, &second, SUBSTANTIAL_CLASS).await;
    wire::assert_reason(&late, Reason::MoveOver);
    assert!(!String::from_utf8_lossy(&late.body).contains(&format!("\"{number}\"")));
    // Who copies the first one's request has not its key.
    let mut copied = acceptance(&offered.offer, &first, SUBSTANTIAL_CLASS);
    copied["proof"] = acceptance(&offered.offer, &second, SUBSTANTIAL_CLASS)["proof"].clone();
    wire::assert_reason(&world.post("/devices/move/accept", &copied).await, Reason::Malformed);
    wire::json(&world.approve(&offered, &mut old, &number).await, 200);
    wire::json(&world.state("ticket", &ticket).await, 200);
    for offer_again in [&first, &second] {
        let used = world.accept(&offered.offer, offer_again, SUBSTANTIAL_CLASS).await;
        wire::assert_reason(&used, Reason::MoveOver);
    }
    assert_eq!(world.devices().await.len(), 2);
}

#[tokio::test]
async fn two_phones_at_once_and_two_approvals_at_once_bind_one_device() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let offered = world.offered(&mut old).await;
    let (one, two) = (Device::unbound(), Device::unbound());
    let (first, second) = tokio::join!(
        world.accept(&offered.offer, &one, SUBSTANTIAL_CLASS),
        world.accept(&offered.offer, &two, SUBSTANTIAL_CLASS)
    );
    let (taken, refused) = if first.status == 200 {
        (first, second)
    } else {
        (second, first)
    };
    wire::assert_reason(&refused, Reason::MoveOver);
    let number = wire::json(&taken, 200)["number"].as_str().unwrap().to_owned();
    let asked = world.asked(&offered).await;
    let bodies = [0, 1].map(|_| world.approval(&offered, &asked, &mut old, &number));
    let (first, second) = tokio::join!(
        world.post("/devices/move/approve", &bodies[0]),
        world.post("/devices/move/approve", &bodies[1])
    );
    assert!(first.status == 200 || second.status == 200);
    assert_eq!(world.devices().await.len(), 2);
    // The lost answer is given again, and changes nothing.
    wire::json(&world.post("/devices/move/approve", &bodies[0]).await, 200);
    assert_eq!(world.devices().await.len(), 2);
}

#[tokio::test]
async fn nothing_but_the_old_phones_signature_over_what_asks_approves() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let mut other = world.bound(SUBSTANTIAL_CLASS).await;
    let offered = world.offered(&mut old).await;
    let (_, number) = world.accepted(&offered, &Device::unbound()).await;
    let asked = world.asked(&offered).await;
    let approve = async |body: &Value| world.post("/devices/move/approve", body).await;
    // Another device of hers, under its own name and under the old one's.
    let mut by_other = world.approval(&offered, &asked, &mut other, &number);
    wire::assert_reason(&approve(&by_other).await, Reason::DeviceUnknown);
    by_other["device"] = json!(old.handle);
    wire::assert_reason(&approve(&by_other).await, Reason::DeviceUnknown);
    // A challenge of another move, of a login, and none.
    let elsewhere = world.offered(&mut old).await;
    world.accepted(&elsewhere, &Device::unbound()).await;
    let foreign = world.asked(&elsewhere).await;
    let body = world.approval(&offered, &foreign, &mut old, &number);
    wire::assert_reason(&approve(&body).await, Reason::Malformed);
    let issuer = &world.at().issuer;
    let login = world.post("/auth/challenge", &json!({"client_id": issuer})).await;
    let login = world.harness.read_challenge(issuer, &login);
    let body = world.approval(&offered, &json!({"challenge": login.challenge}), &mut old, &number);
    wire::assert_reason(&approve(&body).await, Reason::Malformed);
    // And what was signed for a move opens no account.
    let mut signed = world.approval(&offered, &asked, &mut old, &number);
    let refused = world
        .harness
        .post_device(world.at(), &login, &old, signed["response"].as_str().unwrap())
        .await;
    wire::assert_reason(&refused, Reason::Malformed);
    // A counter that was shown, a decline, a clock that is off.
    let challenge = asked["challenge"].as_str().unwrap();
    let now = jose::UnixTime(world.harness.clock_now());
    for (response, reason) in [
        (old.assertion(challenge, "approve", now, 1), Reason::DeviceCloned),
        (old.assertion(challenge, "decline", now, 90), Reason::Declined),
        (
            old.assertion(challenge, "approve", now.plus_seconds(301), 90),
            Reason::DeviceClock,
        ),
    ] {
        signed["response"] = json!(response);
        wire::assert_reason(&approve(&signed).await, reason);
    }
    // A challenge is answered for three minutes; the state gives another.
    let late = world.approval(&offered, &asked, &mut old, &number);
    world.harness.clock.advance(191);
    wire::assert_reason(&approve(&late).await, Reason::ChallengeExpired);
    assert_eq!(world.devices().await.len(), 2);
    wire::json(&world.approve(&offered, &mut old, &number).await, 200);
}

#[tokio::test]
async fn what_one_phone_holds_is_nothing_in_anothers_hands() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let offered = world.offered(&mut old).await;
    let new = Device::unbound();
    let (ticket, number) = world.accepted(&offered, &new).await;
    let asked = world.asked(&offered).await;
    let good = world.approval(&offered, &asked, &mut old, &number);
    for wrong in [&offered.offer, &ticket, &"x".to_owned(), &String::new()] {
        let mut body = good.clone();
        body["move"] = json!(wrong);
        wire::assert_reason(&world.post("/devices/move/approve", &body).await, Reason::MoveOver);
        let body = json!({"move": wrong, "why": "declined"});
        wire::assert_reason(&world.post("/devices/move/end", &body).await, Reason::MoveOver);
        wire::assert_reason(&world.state("move", wrong).await, Reason::MoveOver);
    }
    for wrong in [&offered.offer, &offered.held] {
        wire::assert_reason(&world.state("ticket", wrong).await, Reason::MoveOver);
    }
    for wrong in [&offered.held, &ticket] {
        let refused = world.accept(wrong, &new, SUBSTANTIAL_CLASS).await;
        wire::assert_reason(&refused, Reason::MoveOver);
    }
    // Nor at another insurer.
    let host = &world.harness.host;
    let body = acceptance(&offered.offer, &Device::unbound(), SUBSTANTIAL_CLASS);
    wire::assert_reason(
        &world.harness.api(host, "/devices/move/accept", &body).await,
        Reason::MoveOver,
    );
    for body in [json!({}), json!({"ticket": ticket, "move": offered.held}), json!([])] {
        wire::assert_reason(&world.post("/devices/move/state", &body).await, Reason::Malformed);
    }
    // None of them opens the account.
    for login in [&offered.offer, &offered.held, &ticket] {
        let refused = world.post("/account/overview", &json!({"login": login})).await;
        wire::assert_reason(&refused, Reason::LoginUnknown);
    }
    assert_eq!(world.devices().await.len(), 1);
}

#[tokio::test]
async fn an_offer_and_an_approval_have_five_minutes_each() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let offered = world.offered(&mut old).await;
    world.harness.clock.advance(301);
    let late = world
        .accept(&offered.offer, &Device::unbound(), SUBSTANTIAL_CLASS)
        .await;
    wire::assert_reason(&late, Reason::MoveOver);
    let offered = world.offered(&mut old).await;
    world.harness.clock.advance(300);
    let (ticket, number) = world.accepted(&offered, &Device::unbound()).await;
    world.harness.clock.advance(200);
    let asked = world.asked(&offered).await;
    let body = world.approval(&offered, &asked, &mut old, &number);
    world.harness.clock.advance(101);
    wire::assert_reason(&world.post("/devices/move/approve", &body).await, Reason::MoveOver);
    for (member, value) in [("ticket", &ticket), ("move", &offered.held)] {
        wire::assert_reason(&world.state(member, value).await, Reason::MoveOver);
    }
    assert_eq!(world.devices().await.len(), 1);
}

#[tokio::test]
async fn what_is_said_against_the_old_phone_meanwhile_ends_its_word() {
    let world = World::new().await;
    for (action, reason) in [("lock", Reason::DeviceLocked), ("remove", Reason::DeviceUnknown)] {
        let mut old = world.bound(SUBSTANTIAL_CLASS).await;
        let login = world.account(&mut old).await;
        let offered = world.offered(&mut old).await;
        let (_, number) = world.accepted(&offered, &Device::unbound()).await;
        let asked = world.asked(&offered).await;
        let account = world.harness.account(world.at(), &world.ada).await;
        let body = json!({"device": old.handle, "action": action});
        wire::json(
            &world.harness.ask_account(world.at(), &account, "devices", &body).await,
            200,
        );
        wire::assert_reason(&world.ask_for_offer(&login).await, reason);
        let body = world.approval(&offered, &asked, &mut old, &number);
        wire::assert_reason(&world.post("/devices/move/approve", &body).await, reason);
    }
    // The block code, used while the old phone asks.
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let offered = world.offered(&mut old).await;
    let (_, number) = world.accepted(&offered, &Device::unbound()).await;
    let asked = world.asked(&offered).await;
    let account = world.harness.account(world.at(), &world.ada).await;
    let made = world
        .harness
        .ask_account(world.at(), &account, "block-code", &json!({}))
        .await;
    let code = wire::json(&made, 200)["code"].clone();
    world.harness.clock.advance(1);
    wire::json(&world.post("/block", &json!({"code": code})).await, 200);
    let body = world.approval(&offered, &asked, &mut old, &number);
    wire::assert_reason(&world.post("/devices/move/approve", &body).await, Reason::DeviceBlocked);
    assert!(world.devices().await.iter().all(|entry| entry["name"] != "Neues Handy"));
}

#[tokio::test]
async fn the_block_code_blocks_a_new_phone_with_the_old_one() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    world.harness.clock.advance(60);
    let mut new = world.moved(&mut old).await;
    let account = world.harness.account(world.at(), &world.ada).await;
    let made = world
        .harness
        .ask_account(world.at(), &account, "block-code", &json!({}))
        .await;
    let code = wire::json(&made, 200)["code"].clone();
    wire::json(&world.post("/block", &json!({"code": code})).await, 200);
    let issuer = &world.at().issuer;
    let challenge = world.post("/auth/challenge", &json!({"client_id": issuer})).await;
    let challenged = world.harness.read_challenge(issuer, &challenge);
    let refused = world
        .harness
        .answer_with_device(world.at(), &challenged, &mut new)
        .await;
    wire::assert_reason(&refused, Reason::DeviceBlocked);
}

#[tokio::test]
async fn somebody_on_the_phone_ends_it_and_keeps_the_next_offer_away_for_half_an_hour() {
    let world = World::new().await;
    let mut old = world.bound(HIGH_CLASS).await;
    let offered = world.offered(&mut old).await;
    let (ticket, number) = world.accepted(&offered, &Device::unbound()).await;
    let asked = world.asked(&offered).await;
    let second = world.offered(&mut old).await;
    let (_, other_number) = world.accepted(&second, &Device::unbound()).await;
    let body = json!({"move": offered.held, "why": "phone-call"});
    wire::json(&world.post("/devices/move/end", &body).await, 200);
    wire::json(&world.post("/devices/move/end", &body).await, 200);
    wire::assert_reason(&world.state("ticket", &ticket).await, Reason::Aborted);
    let body = world.approval(&offered, &asked, &mut old, &number);
    wire::assert_reason(&world.post("/devices/move/approve", &body).await, Reason::Aborted);
    // What was begun beside it, too.
    wire::assert_reason(
        &world.approve(&second, &mut old, &other_number).await,
        Reason::CoolingOff,
    );
    let login = world.account(&mut old).await;
    wire::assert_reason(&world.ask_for_offer(&login).await, Reason::CoolingOff);
    world.harness.clock.advance(1_801);
    world.moved(&mut old).await;
    let events = world.events().await;
    assert_eq!(events.iter().filter(|(event, _)| event == "phone-call").count(), 1);
}

#[tokio::test]
async fn saying_no_ends_it_before_and_after_a_phone_has_asked() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    for (why, reason) in [("declined", Reason::MoveOver), ("not-me", Reason::Aborted)] {
        for accepts_first in [false, true] {
            let offered = world.offered(&mut old).await;
            if accepts_first {
                world.accepted(&offered, &Device::unbound()).await;
            }
            let body = json!({"move": offered.held, "why": why});
            wire::json(&world.post("/devices/move/end", &body).await, 200);
            let late = world
                .accept(&offered.offer, &Device::unbound(), SUBSTANTIAL_CLASS)
                .await;
            wire::assert_reason(&late, reason);
            wire::assert_reason(&world.state("move", &offered.held).await, reason);
        }
    }
    // What is bound is not unbound by a no that comes late.
    let offered = world.offered(&mut old).await;
    let (_, number) = world.accepted(&offered, &Device::unbound()).await;
    wire::json(&world.approve(&offered, &mut old, &number).await, 200);
    let body = json!({"move": offered.held, "why": "declined"});
    wire::assert_reason(&world.post("/devices/move/end", &body).await, Reason::MoveOver);
    assert_eq!(world.devices().await.len(), 2);
}

#[tokio::test]
async fn a_phone_that_was_moved_to_moves_no_other_before_the_card_has_confirmed_it() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let mut new = world.moved(&mut old).await;
    let login = world.account(&mut new).await;
    wire::assert_reason(&world.ask_for_offer(&login).await, Reason::CardLoginNeeded);
    let issuer = world.at().issuer.clone();
    let challenge = world.post("/auth/challenge", &json!({"client_id": issuer})).await;
    let challenged = world.harness.read_challenge(&issuer, &challenge);
    let answer = world
        .harness
        .answer_with_card(world.at(), &challenged, &world.ada)
        .await;
    let by_card = world.harness.read_answer(&issuer, &answer).login;
    let body = json!({"client_id": issuer, "login": by_card, "device": new.handle});
    wire::json(&world.post("/devices/confirm", &body).await, 200);
    world.moved(&mut new).await;
    assert_eq!(world.devices().await.len(), 3);
}

#[tokio::test]
async fn a_stronger_class_gives_a_new_phone_no_higher_level_and_no_longer_time() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let until = world.devices().await[0]["valid_until"].clone();
    let offered = world.offered(&mut old).await;
    let new = Device::unbound();
    let accepted = wire::json(&world.accept(&offered.offer, &new, HIGH_CLASS).await, 200);
    let asked = world.asked(&offered).await;
    assert_eq!(asked["asking"]["level"], "gematik-ehealth-loa-substantial");
    let number = accepted["number"].as_str().unwrap();
    let bound = wire::json(&world.approve(&offered, &mut old, number).await, 200);
    assert_eq!((&bound["class"], &bound["valid_until"]), (&json!(HIGH_CLASS), &until));
    let devices = world.devices().await;
    let entry = devices.iter().find(|entry| entry["id"] == bound["device"]).unwrap();
    assert_eq!(entry["level"], "gematik-ehealth-loa-substantial");
    // A class that demands its maker's word gets none here.
    let offered = world.offered(&mut old).await;
    for (class, reason) in [
        ("secure-element", Reason::AttestationRefused),
        ("passkey", Reason::DeviceNotAdmitted),
        ("unheard-of", Reason::DeviceNotAdmitted),
    ] {
        wire::assert_reason(&world.accept(&offered.offer, &Device::unbound(), class).await, reason);
    }
}

#[tokio::test]
async fn no_more_devices_are_bound_by_moving_than_with_the_card() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let offered = world.offered(&mut old).await;
    let (_, number) = world.accepted(&offered, &Device::unbound()).await;
    for _ in 1..provider::MAX_DEVICES {
        world.bound(SUBSTANTIAL_CLASS).await;
    }
    wire::assert_reason(
        &world.approve(&offered, &mut old, &number).await,
        Reason::TooManyDevices,
    );
    let offered = world.offered(&mut old).await;
    let full = world
        .accept(&offered.offer, &Device::unbound(), SUBSTANTIAL_CLASS)
        .await;
    wire::assert_reason(&full, Reason::TooManyDevices);
}

#[tokio::test]
async fn a_move_that_meets_a_closed_account_binds_nothing() {
    let world = World::new().await;
    let mut old = world.bound(SUBSTANTIAL_CLASS).await;
    let offered = world.offered(&mut old).await;
    let (_, number) = world.accepted(&offered, &Device::unbound()).await;
    let asked = world.asked(&offered).await;
    let account = world.harness.account(world.at(), &world.ada).await;
    let erased = world
        .harness
        .ask_account(world.at(), &account, "erase", &json!({"confirm": "erase"}))
        .await;
    wire::json(&erased, 200);
    let body = world.approval(&offered, &asked, &mut old, &number);
    let refused = world.post("/devices/move/approve", &body).await;
    assert!(refused.status >= 400, "{}", refused.status);
}

/// Where the process dies: before its commit, in it, and after it. Then every deed is done with all that her history says of it, or not at all.
const DEATHS: [(usize, bool); 3] = [(0, false), (0, true), (1, false)];

impl World {
    /// How often her history says each of these.
    async fn counted<const N: usize>(&self, names: [&str; N]) -> [usize; N] {
        let events = self.events().await;
        names.map(|name| events.iter().filter(|(event, _)| event == name).count())
    }

    async fn next_process(&self) {
        self.harness.store.revive();
        self.harness.restart();
    }
}

#[tokio::test]
async fn a_new_phone_is_bound_with_what_is_said_of_both_phones_or_not_at_all() {
    let world = World::new().await;
    let names = ["device-bound", "device-moved"];
    for (after, in_commit) in DEATHS {
        let mut old = world.bound(SUBSTANTIAL_CLASS).await;
        let offered = world.offered(&mut old).await;
        let (_, number) = world.accepted(&offered, &Device::unbound()).await;
        let asked = world.asked(&offered).await;
        let body = world.approval(&offered, &asked, &mut old, &number);
        let (devices, before) = (world.devices().await.len(), world.counted(names).await);
        world.harness.store.die(after, in_commit);
        let told = world.post("/devices/move/approve", &body).await.status == 200;
        world.next_process().await;
        let bound = world.devices().await.len() - devices;
        assert_eq!(
            world.counted(names).await,
            before.map(|count| count + bound),
            "{after}, {in_commit}"
        );
        assert_eq!(bound == 1, (after, in_commit) != (0, false), "{after}, {in_commit}");
        assert_eq!(told, after == 1, "{after}, {in_commit}");
    }
}

#[tokio::test]
async fn a_move_is_ended_with_its_entry_or_not_at_all() {
    let world = World::new().await;
    for (why, name) in [("declined", "move-ended"), ("not-me", "not-me")] {
        for (after, in_commit) in DEATHS {
            let mut old = world.bound(SUBSTANTIAL_CLASS).await;
            let offered = world.offered(&mut old).await;
            let (ticket, _) = world.accepted(&offered, &Device::unbound()).await;
            let before = world.counted([name]).await;
            world.harness.store.die(after, in_commit);
            let body = json!({"move": offered.held, "why": why});
            let told = world.post("/devices/move/end", &body).await.status == 200;
            world.next_process().await;
            let ended = world.state("ticket", &ticket).await.status != 200;
            let counted = world.counted([name]).await;
            assert_eq!(
                counted,
                before.map(|count| count + usize::from(ended)),
                "{why}, {after}, {in_commit}"
            );
            assert_eq!(ended, (after, in_commit) != (0, false), "{why}, {after}, {in_commit}");
            assert_eq!(told, after == 1, "{why}, {after}, {in_commit}");
            // Asked for once more, it is ended, and noted once.
            wire::json(&world.post("/devices/move/end", &body).await, 200);
            assert_eq!(world.counted([name]).await, before.map(|count| count + 1));
        }
    }
}
