//! Requests that come to the phone: a browser she ticked sends its logins there, only her device is told of them, and what she says of one is held
//! against the browser that sent it.

use authenticator::Reason;
use provider::{Allowance, LimitSettings, WalletSettings};
use serde_json::{Value, json};
use store::Kind;
use transport::{HttpClient, HttpResponse};

use crate::common::asking::{Asking, another, done};
use crate::common::{Answered, Device, HIGH_CLASS, Harness, Insurer, Person, Redirect, Service, Setup, wire};

mod waking;

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;

struct World {
    harness: Harness,
    service: Service,
    ada: Person,
    device: Device,
}

impl World {
    async fn new() -> Self {
        Self::with(LimitSettings::default()).await
    }

    async fn with(limits: LimitSettings) -> Self {
        Self::woken_by(None, limits).await
    }

    async fn woken_by(push: Option<provider::PushService>, limits: LimitSettings) -> Self {
        let harness = Harness::with(Setup {
            wallet: Some(WalletSettings::default()),
            limits,
            push,
            ..Setup::default()
        })
        .await;
        let service = harness.service();
        let ada = harness.ada().await;
        let device = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
        Self {
            harness,
            service,
            ada,
            device,
        }
    }

    fn at(&self) -> &Insurer {
        &self.harness.path
    }

    async fn asking_in(&self, browser: &HttpClient) -> Asking {
        let push = self.service.request(&self.harness);
        self.harness
            .asking_in(browser.clone(), self.at(), &self.service, &push)
            .await
    }

    /// Goes on with a login on the phone, up to the number.
    async fn answer(&mut self, client_id: &str, login: &str) -> Answered {
        let body = json!({"client_id": client_id, "login": login});
        let opened = self.harness.api(self.at(), "/auth/challenge", &body).await;
        let challenged = self.harness.read_challenge(client_id, &opened);
        let path = self.harness.path.clone();
        let answer = self
            .harness
            .answer_with_device(&path, &challenged, &mut self.device)
            .await;
        self.harness.read_answer(client_id, &answer)
    }

    /// A browser whose login the phone approved from the code, with the tick.
    async fn kept(&mut self) -> HttpClient {
        let browser = self.harness.browser();
        let answer = self.approve_from_code(&browser, true).await;
        assert_eq!(answer.status, 302);
        self.harness.secret(cookie_of(&answer).unwrap().0);
        browser
    }

    async fn approve_from_code(&mut self, browser: &HttpClient, tick: bool) -> HttpResponse {
        let asking = self.asking_in(browser).await;
        let number = asking.number().await;
        let link = self.harness.scanned(&asking).await;
        let answered = self
            .answer(&link.value("client_id").unwrap(), &link.value("login").unwrap())
            .await;
        done(&self.harness.type_number(self.at(), &answered, &number).await);
        self.come_back(&asking, tick).await
    }

    async fn come_back(&self, asking: &Asking, tick: bool) -> HttpResponse {
        let mut fields = vec![("client_id", asking.client_id.as_str()), ("login", &asking.login)];
        if tick {
            fields.push(("keep_phone", "yes"));
        }
        let url = format!("{}/auth/return", self.at().issuer);
        asking.browser.post_form(&url, &fields, &[]).await.unwrap()
    }

    async fn post(&self, asking: &Asking, what: &str) -> HttpResponse {
        self.post_with(&asking.browser, asking, what).await
    }

    async fn post_with(&self, browser: &HttpClient, asking: &Asking, what: &str) -> HttpResponse {
        let fields = [("client_id", asking.client_id.as_str()), ("login", &asking.login)];
        let url = format!("{}/auth/phone/{what}", self.at().issuer);
        browser.post_form(&url, &fields, &[]).await.unwrap()
    }

    /// Presses the button, and says what became of it.
    async fn send(&self, asking: &Asking) -> Option<String> {
        Redirect::of(&self.post(asking, "send").await).value("told")
    }

    async fn sent_from(&self, browser: &HttpClient) -> Asking {
        let asking = self.asking_in(browser).await;
        assert_eq!(self.send(&asking).await.as_deref(), Some("sent"));
        asking
    }

    fn signed(&self) -> String {
        let now = self.harness.clock_now();
        self.device.look(&self.at().issuer, &self.device.handle, now)
    }

    async fn ask(&self, body: &Value) -> HttpResponse {
        self.harness.api(self.at(), "/devices/requests", body).await
    }

    async fn found(&self) -> Vec<Value> {
        let mut found = wire::json(&self.ask(&json!({"look": self.signed()})).await, 200);
        self.harness.secret(found["ticket"].as_str().unwrap());
        let requests: Vec<Value> = serde_json::from_value(found["requests"].take()).unwrap();
        for request in &requests {
            self.harness.secret(request["login"].as_str().unwrap());
        }
        requests
    }

    async fn manage(&self, action: &str) {
        let account = self.harness.account(self.at(), &self.ada).await;
        let body = json!({"device": self.device.handle, "action": action});
        let answer = self.harness.ask_account(self.at(), &account, "devices", &body).await;
        wire::json(&answer, 200);
    }
}

/// A login in a browser whose cookies the test writes itself.
struct Begun {
    frame: String,
    login: String,
    cookies: String,
}

impl World {
    async fn begun(&self, insurer: &Insurer, phone: &str) -> Begun {
        let push = self.service.request(&self.harness);
        let request_uri = self.harness.pushed(insurer, &self.service, &push).await;
        let mut url = url::Url::parse(&format!("{}/auth", insurer.issuer)).unwrap();
        url.query_pairs_mut()
            .append_pair("client_id", &self.service.client_id)
            .append_pair("request_uri", &request_uri);
        let answer = self.harness.app().get(url.as_str(), &[]).await.unwrap();
        let browser = answer
            .header("set-cookie")
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let frame = wire::attribute(&wire::page(&answer, 200, "de"), "<iframe", "src");
        Begun {
            login: self.harness.secret(Redirect::parse(&frame).value("login").unwrap()),
            frame,
            cookies: format!("{browser}; healthid_phone={phone}"),
        }
    }

    async fn send_begun(&self, insurer: &Insurer, begun: &Begun) -> Option<String> {
        let fields = [("client_id", self.service.client_id.as_str()), ("login", &begun.login)];
        let url = format!("{}/auth/phone/send", insurer.issuer);
        let headers = [("cookie", begun.cookies.as_str())];
        let answer = self.harness.app().post_form(&url, &fields, &headers).await.unwrap();
        Redirect::of(&answer).value("told")
    }
}

/// The cookie that names the phone, and what is said of it.
fn cookie_of(answer: &HttpResponse) -> Option<(String, String)> {
    let cookies = answer.headers.iter().filter(|(name, _)| name.as_str() == "set-cookie");
    let cookie = cookies
        .filter_map(|(_, value)| value.to_str().ok())
        .find_map(|cookie| cookie.strip_prefix("healthid_phone="))?;
    let (value, rest) = cookie.split_once("; ").unwrap();
    Some((value.to_owned(), rest.to_owned()))
}

async fn offers(asking: &Asking) -> bool {
    asking.look().await.contains("/auth/phone/send")
}

#[tokio::test]
async fn the_second_login_comes_to_the_phone_by_a_button() {
    let mut world = World::new().await;
    let browser = world.kept().await;
    assert_eq!(world.found().await.len(), 0);
    let push = world.service.request(&world.harness);
    let asking = world
        .harness
        .asking_in(browser.clone(), world.at(), &world.service, &push)
        .await;
    assert!(offers(&asking).await);
    assert_eq!(world.send(&asking).await.as_deref(), Some("sent"));
    let answer = asking
        .browser
        .get(&format!("{}&told=sent", asking.frame), &[])
        .await
        .unwrap();
    assert!(answer.text().contains("id=\"sent-to-phone\""));
    let number = asking.number().await;
    // Any instance answers.
    world.harness.restart();
    let found = world.found().await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["client_id"], json!(world.service.client_id));
    assert_eq!(found[0]["asked_at"], json!(world.harness.clock_now()));
    assert!(found[0]["service"]["name"].is_string());
    // Half of the time it waits has passed: a code would be too old.
    world.harness.clock.advance(4 * MINUTE);
    let client_id = world.service.client_id.clone();
    let answered = world.answer(&client_id, found[0]["login"].as_str().unwrap()).await;
    let answer = world
        .harness
        .type_number(world.at(), &answered, &another(&number))
        .await;
    wire::assert_reason(&answer, Reason::NumberWrong);
    // The number is typed as ever: a wrong one ends this login too, and the browser pauses.
    let again = world.asking_in(&browser).await;
    assert_eq!(world.send(&again).await.as_deref(), Some("later"));
    world.harness.clock.advance(15 * MINUTE);
    let push = world.service.request(&world.harness);
    let asking = world
        .harness
        .asking_in(browser, world.at(), &world.service, &push)
        .await;
    assert_eq!(world.send(&asking).await.as_deref(), Some("sent"));
    let number = asking.number().await;
    let found = world.found().await;
    let answered = world.answer(&client_id, found[0]["login"].as_str().unwrap()).await;
    done(&world.harness.type_number(world.at(), &answered, &number).await);
    // What was decided does not wait any more.
    assert_eq!(world.found().await.len(), 0);
    let code = world.harness.secret(Redirect::of(&asking.come_back().await).code());
    world.harness.redeemed(world.at(), &world.service, &push, &code).await;
}

#[tokio::test]
async fn nothing_is_kept_without_the_tick_without_a_device_key_or_without_a_wallet() {
    let mut world = World::new().await;
    let browser = world.harness.browser();
    let answer = world.approve_from_code(&browser, false).await;
    assert!(cookie_of(&answer).is_none());
    let asking = world.asking_in(&browser).await;
    let page = asking.look().await;
    assert!(page.contains("name=\"keep_phone\"") && !page.contains("checked") && !page.contains("/auth/phone/send"));
    // The card on the phone: no key that could ask.
    let number = asking.number().await;
    let answered = world.harness.on_the_phone(world.at(), &asking, &world.ada).await;
    done(&world.harness.type_number(world.at(), &answered, &number).await);
    let answer = world.come_back(&asking, true).await;
    assert_eq!(answer.status, 302);
    assert!(cookie_of(&answer).is_none());
    // An insurer without a wallet of its own offers nothing of it.
    let harness = Harness::start().await;
    let service = harness.service();
    let asking = harness
        .asking(&harness.path, &service, &service.request(&harness))
        .await;
    let page = asking.look().await;
    assert!(!page.contains("keep_phone") && !page.contains("/auth/phone/send"));
}

#[tokio::test]
async fn the_cookie_tells_nothing_and_lasts_half_a_year() {
    let mut world = World::new().await;
    let browser = world.harness.browser();
    let answer = world.approve_from_code(&browser, true).await;
    let (value, attributes) = cookie_of(&answer).unwrap();
    assert_eq!(
        attributes,
        format!(
            "Path=/{}; HttpOnly; SameSite=Lax; Secure; Max-Age={}",
            world.at().ik,
            180 * DAY
        )
    );
    let bytes = jose::base64url::decode(&value).unwrap();
    let handle = jose::base64url::decode(&world.device.handle).unwrap();
    for part in [&handle[..16], &handle[16..]] {
        assert!(!bytes.windows(16).any(|window| window == part));
    }
    // Two of one phone have nothing in common but their form and time.
    let (other, _) = cookie_of(&world.approve_from_code(&world.harness.browser(), true).await).unwrap();
    assert_eq!(other.len(), value.len());
    assert_ne!(other[8..], value[8..]);
    world.harness.clock.advance(20 * DAY);
    assert!(offers(&world.asking_in(&browser).await).await);
    world.harness.clock.advance(160 * DAY + 1);
    let asking = world.asking_in(&browser).await;
    assert!(!offers(&asking).await);
    assert_eq!(world.send(&asking).await.as_deref(), Some("gone"));
}

#[tokio::test]
async fn a_cookie_that_is_changed_another_insurers_or_none_sends_nothing() {
    let mut world = World::new().await;
    let browser = world.harness.browser();
    let (value, _) = cookie_of(&world.approve_from_code(&browser, true).await).unwrap();
    let mut bytes = jose::base64url::decode(&value).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let changed = jose::base64url::encode(&bytes);
    for (cookie, offered) in [
        (value.as_str(), true),
        (&changed, false),
        (&value[..value.len() - 4], false),
        ("", false),
        (world.device.handle.as_str(), false),
    ] {
        let begun = world.begun(world.at(), cookie).await;
        let answer = world
            .harness
            .app()
            .get(&begun.frame, &[("cookie", &begun.cookies)])
            .await;
        let page = answer.unwrap().text();
        assert_eq!(page.contains("/auth/phone/send"), offered, "{cookie}");
        let told = world.send_begun(world.at(), &begun).await;
        assert_eq!(told.as_deref(), Some(if offered { "sent" } else { "gone" }), "{cookie}");
    }
    assert_eq!(world.found().await.len(), 1);
    // The same cookie at the other insurer of this provider.
    let there = world.harness.host.clone();
    let begun = world.begun(&there, &value).await;
    assert_eq!(world.send_begun(&there, &begun).await.as_deref(), Some("gone"));
    assert_eq!(world.found().await.len(), 1);
}

#[tokio::test]
async fn only_the_browser_that_began_a_login_sends_it() {
    let mut world = World::new().await;
    let browser = world.kept().await;
    let other = world.asking_in(&world.harness.browser()).await;
    // Her browser, with its right, but somebody else's login; and somebody else's browser without one.
    let answer = world.post_with(&browser, &other, "send").await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("in einem anderen Browser begonnen"),
        "{}",
        answer.text()
    );
    assert_eq!(world.send(&other).await.as_deref(), Some("gone"));
    assert_eq!(world.found().await.len(), 0);
    // A login that has ended sends nothing.
    let asking = world.asking_in(&browser).await;
    let link = world.harness.scanned(&asking).await;
    let (client_id, login) = (link.value("client_id").unwrap(), link.value("login").unwrap());
    world.harness.abort(world.at(), &client_id, &login, "not-me").await;
    assert_eq!(world.send(&asking).await, None);
    assert_eq!(world.found().await.len(), 0);
}

#[tokio::test]
async fn a_request_waits_five_minutes_and_no_longer() {
    let mut world = World::new().await;
    let browser = world.kept().await;
    world.sent_from(&browser).await;
    let found = world.found().await;
    world.harness.clock.advance(5 * MINUTE);
    assert_eq!(world.found().await.len(), 1);
    world.harness.clock.advance(1);
    assert_eq!(world.found().await.len(), 0);
    let body = json!({"client_id": found[0]["client_id"], "login": found[0]["login"]});
    let late = world.harness.api(world.at(), "/auth/challenge", &body).await;
    wire::assert_reason(&late, Reason::LoginExpired);
}

#[tokio::test]
async fn a_browser_has_one_request_waiting_and_a_phone_three() {
    let mut world = World::with(LimitSettings {
        phone_requests: Allowance {
            burst: 20,
            every_milliseconds: 1,
        },
        ..LimitSettings::default()
    })
    .await;
    let browser = world.kept().await;
    world.sent_from(&browser).await;
    let first = world.found().await;
    world.harness.clock.advance(1);
    world.sent_from(&browser).await;
    let found = world.found().await;
    assert_eq!(found.len(), 1);
    assert_ne!(found[0]["login"], first[0]["login"]);
    for waiting in 2..=3 {
        let browser = world.kept().await;
        world.sent_from(&browser).await;
        assert_eq!(world.found().await.len(), waiting);
    }
    let browser = world.kept().await;
    let asking = world.asking_in(&browser).await;
    assert_eq!(world.send(&asking).await.as_deref(), Some("later"));
    assert_eq!(world.found().await.len(), 3);
}

#[tokio::test]
async fn a_phone_is_asked_only_so_often_whichever_browsers_ask() {
    let mut world = World::new().await;
    let browsers = [world.kept().await, world.kept().await];
    for attempt in 0..5 {
        world.sent_from(&browsers[attempt % 2]).await;
    }
    for browser in &browsers {
        let asking = world.asking_in(browser).await;
        assert_eq!(world.send(&asking).await.as_deref(), Some("later"));
        // The code goes on.
        assert_eq!(asking.state().await, "waiting");
        world.harness.scanned(&asking).await;
    }
    world.harness.restart();
    world.harness.clock.advance(5 * MINUTE);
    world.sent_from(&browsers[1]).await;
}

#[tokio::test]
async fn a_network_sends_only_so_many_to_whichever_phones() {
    let mut world = World::with(LimitSettings {
        phone_requests_by_network: Allowance {
            burst: 1,
            every_milliseconds: 600_000,
        },
        ..LimitSettings::default()
    })
    .await;
    let browser = world.kept().await;
    world.sent_from(&browser).await;
    let asking = world.asking_in(&browser).await;
    assert_eq!(world.send(&asking).await.as_deref(), Some("later"));
}

#[tokio::test]
async fn declined_pauses_the_browser_and_not_me_ends_its_right_for_good() {
    let mut world = World::new().await;
    for (word, pauses) in [("decline", true), ("not-me", false), ("phone-call", false)] {
        let browser = world.kept().await;
        let asking = world.sent_from(&browser).await;
        let found = world.found().await;
        let (client_id, login) = (found[0]["client_id"].clone(), found[0]["login"].clone());
        let answer = match word {
            "decline" => {
                let body = json!({"client_id": client_id, "login": login, "decision": "decline"});
                world.harness.api(world.at(), "/auth/consent", &body).await
            }
            why => {
                let (client_id, login) = (client_id.as_str().unwrap(), login.as_str().unwrap());
                world.harness.abort(world.at(), client_id, login, why).await
            }
        };
        assert_eq!(answer.status, 200, "{word}");
        assert_ne!(asking.state().await, "waiting");
        assert_eq!(world.found().await.len(), 0);
        world.harness.restart();
        let next = world.asking_in(&browser).await;
        let expected = if pauses { "later" } else { "gone" };
        assert_eq!(world.send(&next).await.as_deref(), Some(expected), "{word}");
        world.harness.clock.advance(15 * MINUTE);
        assert_eq!(offers(&world.asking_in(&browser).await).await, pauses, "{word}");
        world.harness.clock.advance(DAY);
    }
}

#[tokio::test]
async fn a_right_that_was_lost_does_not_come_back_with_a_copy_of_its_cookie() {
    let mut world = World::new().await;
    let browser = world.harness.browser();
    let (value, _) = cookie_of(&world.approve_from_code(&browser, true).await).unwrap();
    world.harness.secret(&value);
    let asking = world.asking_in(&browser).await;
    let answer = world.post(&asking, "forget").await;
    let (emptied, attributes) = cookie_of(&answer).unwrap();
    assert!(emptied.is_empty() && attributes.ends_with("Max-Age=0"), "{attributes}");
    let asking = world.asking_in(&browser).await;
    assert!(!offers(&asking).await);
    world.harness.restart();
    let begun = world.begun(world.at(), &value).await;
    assert_eq!(world.send_begun(world.at(), &begun).await.as_deref(), Some("gone"));
    assert_eq!(world.found().await.len(), 0);
}

#[tokio::test]
async fn a_right_ends_with_its_device_and_rests_while_that_is_locked() {
    let mut world = World::new().await;
    let browser = world.kept().await;
    world.sent_from(&browser).await;
    let ticket = wire::json(&world.ask(&json!({"look": world.signed()})).await, 200)["ticket"].clone();
    world.harness.secret(ticket.as_str().unwrap());
    world.manage("lock").await;
    // Neither with a signature nor with what it was given before.
    for body in [json!({"look": world.signed()}), json!({"ticket": ticket})] {
        wire::assert_reason(&world.ask(&body).await, Reason::DeviceLocked);
    }
    let asking = world.asking_in(&browser).await;
    assert_eq!(world.send(&asking).await.as_deref(), Some("later"));
    world.manage("unlock").await;
    world.harness.clock.advance(6 * MINUTE);
    world.sent_from(&browser).await;
    world.manage("remove").await;
    for body in [json!({"look": world.signed()}), json!({"ticket": ticket})] {
        wire::assert_reason(&world.ask(&body).await, Reason::DeviceUnknown);
    }
    let asking = world.asking_in(&browser).await;
    assert!(!offers(&asking).await);
    let answer = world.post(&asking, "send").await;
    assert_eq!(Redirect::of(&answer).value("told").as_deref(), Some("gone"));
    assert!(cookie_of(&answer).unwrap().0.is_empty());
}

#[tokio::test]
async fn a_blocked_device_is_told_nothing() {
    let mut world = World::new().await;
    let browser = world.kept().await;
    world.sent_from(&browser).await;
    let account = world.harness.account(world.at(), &world.ada).await;
    let made = world
        .harness
        .ask_account(world.at(), &account, "block-code", &json!({}))
        .await;
    let code = world.harness.secret(wire::json(&made, 200)["code"].as_str().unwrap());
    world.harness.clock.advance(1);
    let blocked = world.harness.api(world.at(), "/block", &json!({"code": code})).await;
    wire::json(&blocked, 200);
    wire::assert_reason(
        &world.ask(&json!({"look": world.signed()})).await,
        Reason::DeviceBlocked,
    );
    let asking = world.asking_in(&browser).await;
    assert_eq!(world.send(&asking).await.as_deref(), Some("later"));
}

#[tokio::test]
async fn who_is_not_the_device_learns_nothing_of_it() {
    let mut world = World::new().await;
    let browser = world.kept().await;
    world.sent_from(&browser).await;
    let (issuer, now) = (world.at().issuer.clone(), world.harness.clock_now());
    let (handle, stranger) = (world.device.handle.clone(), Device::unbound());
    let other = world
        .harness
        .bound(world.at(), &world.service, &world.ada, HIGH_CLASS)
        .await;
    let nobody = jose::base64url::encode(&[1; 32]);
    let elsewhere = world.harness.host.issuer.clone();
    let mut answers = Vec::new();
    for look in [
        stranger.look(&issuer, &handle, now),
        stranger.look(&issuer, &nobody, now),
        // Her own other device, in this one's name.
        other.look(&issuer, &handle, now),
        // Signed for the other insurer of this provider.
        world.device.look(&elsewhere, &handle, now),
        // Neither a handle nor a time helps who has no key.
        stranger.look(&issuer, "", now),
        stranger.look(&issuer, &handle, 0),
    ] {
        let answer = world.ask(&json!({"look": look})).await;
        let refused = wire::assert_reason(&answer, Reason::DeviceUnknown);
        answers.push((answer.status, refused.error, refused.description, answer.body.len()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    // The other device has an inbox of its own, at the other insurer there is none.
    let look = other.look(&issuer, &other.handle, now);
    assert_eq!(
        wire::json(&world.ask(&json!({"look": look})).await, 200)["requests"],
        json!([])
    );
    let look = world.device.look(&elsewhere, &handle, now);
    let there = world.harness.host.clone();
    let answer = world
        .harness
        .api(&there, "/devices/requests", &json!({"look": look}))
        .await;
    wire::assert_reason(&answer, Reason::DeviceUnknown);
    assert_eq!(world.found().await.len(), 1);
}

#[tokio::test]
async fn a_look_is_fresh_and_of_its_own_form() {
    let mut world = World::new().await;
    let browser = world.kept().await;
    world.sent_from(&browser).await;
    let (issuer, now, handle) = (
        world.at().issuer.clone(),
        world.harness.clock_now(),
        world.device.handle.clone(),
    );
    for off in [now - 301, now + 301, 0] {
        let answer = world
            .ask(&json!({"look": world.device.look(&issuer, &handle, off)}))
            .await;
        wire::assert_reason(&answer, Reason::DeviceClock);
    }
    // A login's answer is no look.
    let challenged = world
        .harness
        .challenged(world.at(), &world.service, &world.service.request(&world.harness))
        .await;
    let assertion = world
        .device
        .assertion(&challenged.challenge, "approve", jose::UnixTime(now), 99);
    let look = world.signed();
    for body in [
        json!({"look": assertion}),
        json!({"look": "x"}),
        json!({"look": look, "ticket": "x"}),
        json!({"look": look, "device": handle}),
        json!({}),
        json!([]),
    ] {
        wire::assert_reason(&world.ask(&body).await, Reason::Malformed);
    }
    // And a look is no login's answer.
    let answer = world
        .harness
        .post_device(&world.harness.path, &challenged, &world.device, &look)
        .await;
    wire::assert_reason(&answer, Reason::Malformed);
    // Asked again it says the same, and the next login counts as if nobody had asked.
    for _ in 0..2 {
        let found = wire::json(&world.ask(&json!({"look": look})).await, 200);
        assert_eq!(found["requests"].as_array().unwrap().len(), 1);
        world.harness.secret(found["ticket"].as_str().unwrap());
        world.harness.secret(found["requests"][0]["login"].as_str().unwrap());
    }
    let path = world.harness.path.clone();
    let push = world.service.request(&world.harness);
    world
        .harness
        .authenticated_by_device(&path, &world.service, &push, &mut world.device)
        .await;
}

#[tokio::test]
async fn a_ticket_asks_for_a_month_and_opens_nothing_else() {
    let mut world = World::new().await;
    let browser = world.kept().await;
    let first = wire::json(&world.ask(&json!({"look": world.signed()})).await, 200);
    let ticket = world.harness.secret(first["ticket"].as_str().unwrap());
    world.sent_from(&browser).await;
    let found = wire::json(&world.ask(&json!({"ticket": ticket})).await, 200);
    assert_eq!(found["requests"].as_array().unwrap().len(), 1);
    assert!(found.get("ticket").is_none(), "a ticket makes no other");
    world.harness.secret(found["requests"][0]["login"].as_str().unwrap());
    for (path, body) in [
        (
            "/auth/challenge",
            json!({"client_id": world.service.client_id, "login": ticket}),
        ),
        ("/account/overview", json!({"login": ticket})),
    ] {
        wire::assert_reason(&world.harness.api(world.at(), path, &body).await, Reason::LoginUnknown);
    }
    let mut changed = jose::base64url::decode(&ticket).unwrap();
    changed[20] ^= 1;
    let there = world.harness.host.clone();
    let elsewhere = world
        .harness
        .api(&there, "/devices/requests", &json!({"ticket": ticket}))
        .await;
    wire::assert_reason(&elsewhere, Reason::LoginUnknown);
    let login = found["requests"][0]["login"].as_str().unwrap().to_owned();
    for other in [jose::base64url::encode(&changed), login, String::new()] {
        wire::assert_reason(&world.ask(&json!({"ticket": other})).await, Reason::LoginUnknown);
    }
    world.harness.clock.advance(30 * DAY);
    assert_eq!(world.ask(&json!({"ticket": ticket})).await.status, 200);
    world.harness.clock.advance(1);
    wire::assert_reason(&world.ask(&json!({"ticket": ticket})).await, Reason::LoginUnknown);
}

#[tokio::test]
async fn asking_writes_nothing_and_reads_three_rows() {
    let mut world = World::new().await;
    let browser = world.kept().await;
    let look = json!({"look": world.signed()});
    world
        .harness
        .secret(wire::json(&world.ask(&look).await, 200)["ticket"].as_str().unwrap());
    let commits = world.harness.store.commits();
    world.harness.store.take_loads();
    let found = wire::json(&world.ask(&look).await, 200);
    world.harness.secret(found["ticket"].as_str().unwrap());
    assert_eq!(
        world.harness.store.take_loads(),
        [[Kind::Identity, Kind::Device, Kind::Meta]]
    );
    assert_eq!(world.harness.store.commits(), commits);
    world.sent_from(&browser).await;
    let commits = world.harness.store.commits();
    world.found().await;
    assert_eq!(world.harness.store.commits(), commits);
}

#[tokio::test]
async fn a_passkey_gives_no_right_since_it_cannot_ask() {
    let world = World::new().await;
    let path = world.harness.path.clone();
    let (mut key, _) = world.harness.passkey(&path, &world.ada, 0, true).await;
    let push = world
        .service
        .request(&world.harness)
        .with("acr_values", "gematik-ehealth-loa-substantial");
    let asking = world.harness.asking(&path, &world.service, &push).await;
    let number = asking.number().await;
    let link = world.harness.scanned(&asking).await;
    let challenged = world.harness.opened(&path, &link).await;
    let answer = key.answer(&challenged);
    let answer = world.harness.api(&path, "/auth/device", &answer).await;
    let answered = world.harness.read_answer(&challenged.client_id, &answer);
    done(&world.harness.type_number(&path, &answered, &number).await);
    let answer = world.come_back(&asking, true).await;
    assert_eq!(answer.status, 302);
    assert!(cookie_of(&answer).is_none());
}
