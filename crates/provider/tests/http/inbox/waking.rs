//! A phone is woken: a push service behind real TLS, that takes down what it is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::{Router, body::Bytes, extract::Request, response::IntoResponse as _};
use http::{HeaderMap, StatusCode};
use jose::{base64url, jwk::P256PublicKey, jws};
use provider::PushService;
use store::{Key, Store as _};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use transport::{AddressRule, ClientCertificates};
use vault::PersonId;

use super::*;
use crate::common::{logs, pki, serve};

const CONTACT: &str = "mailto:idp@insurer.example";

struct Message {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

struct Pushes {
    origin: String,
    messages: mpsc::UnboundedReceiver<Message>,
    status: Arc<AtomicU16>,
    /// One answer for each permit.
    answers: Arc<Semaphore>,
    _running: oneshot::Sender<()>,
}

impl Pushes {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (take, messages) = mpsc::unbounded_channel();
        let status = Arc::new(AtomicU16::new(201));
        let answers = Arc::new(Semaphore::new(1_000));
        let (says, gate) = (Arc::clone(&status), Arc::clone(&answers));
        let router = Router::new().fallback(move |request: Request| {
            let (take, says, gate) = (take.clone(), Arc::clone(&says), Arc::clone(&gate));
            async move {
                let (head, body) = request.into_parts();
                assert_eq!(head.method, http::Method::POST);
                let message = Message {
                    path: head.uri.path().to_owned(),
                    headers: head.headers,
                    body: axum::body::to_bytes(body, 10_000).await.unwrap(),
                };
                let _ = take.send(message);
                gate.acquire().await.unwrap().forget();
                let status = StatusCode::from_u16(says.load(Ordering::SeqCst)).unwrap();
                (status, [("location", "/elsewhere")], "what it says is of no use").into_response()
            }
        });
        Self {
            _running: serve(listener, ClientCertificates::None, router),
            origin,
            messages,
            status,
            answers,
        }
    }

    fn service(&self) -> PushService {
        let host = self.origin.strip_prefix("https://").unwrap().to_owned();
        PushService::new(&[host], CONTACT, &pki::roots(), AddressRule::LoopbackAllowed).unwrap()
    }

    fn say(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

async fn world() -> (World, Pushes) {
    let pushes = Pushes::start().await;
    let limits = LimitSettings {
        phone_requests: Allowance {
            burst: 50,
            every_milliseconds: 1,
        },
        ..LimitSettings::default()
    };
    (World::woken_by(Some(pushes.service()), limits).await, pushes)
}

/// Until this event was told so often.
async fn until(event: &str, times: usize) {
    for _ in 0..500 {
        if logs::told(event) >= times {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{event} was told {} times, expected {times}", logs::told(event));
}

impl World {
    fn wish(&self, endpoint: Option<&str>) -> String {
        let now = self.harness.clock_now();
        self.device.wants_to_be_woken(&self.at().issuer, now, endpoint)
    }

    async fn wake_me(&self, look: &str) -> HttpResponse {
        self.harness
            .api(self.at(), "/devices/push", &json!({ "look": look }))
            .await
    }

    async fn woken_at(&self, endpoint: &str) {
        self.harness.secret(endpoint);
        let kept = wire::json(&self.wake_me(&self.wish(Some(endpoint))).await, 200);
        assert_eq!(kept, json!({"until": self.harness.clock_now() + 90 * DAY}));
    }

    /// Where the address of her phone is kept.
    fn row(&self) -> Key {
        let handle: [u8; 32] = base64url::decode_array(&self.device.handle).unwrap();
        let person = PersonId::from_bytes(handle[..16].try_into().unwrap());
        let device: [u8; 16] = handle[16..].try_into().unwrap();
        let vault = self.harness.vault();
        let tenant = vault::tenant_id(&self.at().issuer);
        let device = vault.device_key(tenant, &person, &device).unwrap();
        vault.subscription_key(&device).unwrap()
    }

    async fn is_kept(&self) -> bool {
        let rows = self.harness.store.load(&[self.row()]).await.unwrap();
        rows[0].is_some()
    }
}

#[tokio::test]
async fn a_phone_that_asked_for_it_is_woken_and_the_message_says_nothing_but_who_sends_it() {
    let (mut world, mut pushes) = world().await;
    let browser = world.kept().await;
    world.woken_at(&format!("{}/wpush/v2/her-phone", pushes.origin)).await;
    world.sent_from(&browser).await;
    let message = pushes.messages.recv().await.unwrap();
    assert_eq!(message.path, "/wpush/v2/her-phone");
    assert!(message.body.is_empty());
    let header = |name: &str| {
        message
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    for (name, value) in [
        ("ttl", "300"),
        ("urgency", "high"),
        ("topic", "login"),
        ("content-length", "0"),
    ] {
        assert_eq!(header(name).as_deref(), Some(value), "{name}");
        assert_eq!(message.headers.get_all(name).iter().count(), 1, "{name}");
    }
    for name in ["content-type", "content-encoding", "cookie", "referer", "user-agent"] {
        assert_eq!(header(name), None, "{name}");
    }
    let authorization = header("authorization").unwrap();
    let (token, key) = authorization
        .strip_prefix("vapid t=")
        .and_then(|rest| rest.split_once(", k="))
        .unwrap();
    let point = base64url::decode(key).unwrap();
    let verified = jws::parse(token, &jose::json::DEFAULT)
        .unwrap()
        .verify(&P256PublicKey::from_uncompressed(&point).unwrap())
        .unwrap();
    assert_eq!(verified.header().typ.as_deref(), Some("JWT"));
    let claims: Value = serde_json::from_slice(verified.bytes()).unwrap();
    let now = world.harness.clock_now();
    assert_eq!(claims, json!({"aud": pushes.origin, "exp": now + 600, "sub": CONTACT}));
    // The browser was told the same key when it subscribed.
    let url = format!("{}/wallet/config.json", world.at().issuer);
    let config: Value = world.harness.app().get(&url, &[]).await.unwrap().json().unwrap();
    assert_eq!(config["push_key"], json!(key));
    until("phone_woken", 1).await;
    assert_eq!(world.found().await.len(), 1);
    // Every instance wakes, and with the same key.
    world.harness.restart();
    world.sent_from(&browser).await;
    let again = pushes.messages.recv().await.unwrap();
    assert!(again.headers["authorization"].to_str().unwrap().ends_with(key));
    logs::assert_silent_about([&token.to_owned(), &world.device.handle], world.harness.log_begins);
}

#[tokio::test]
async fn an_address_that_is_no_named_push_services_is_refused_and_nothing_is_kept() {
    let (world, pushes) = world().await;
    let host = pushes.origin.strip_prefix("https://").unwrap();
    let port = host.rsplit(':').next().unwrap();
    // The wallet has a sentence for a push service that is not called; whatever else is wrong is its own fault.
    let (foreign, wrong) = (Reason::PushServiceUnknown, Reason::Malformed);
    for (endpoint, reason) in [
        (format!("http://{host}/a"), wrong),
        ("https://push.example/a".to_owned(), foreign),
        ("https://localhost/a".to_owned(), foreign),
        (format!("https://evil-{host}/a"), foreign),
        (format!("https://localhost.evil.example:{port}/a"), foreign),
        (format!("https://127.0.0.1:{port}/a"), foreign),
        (format!("https://user@{host}/a"), wrong),
        (format!("https://{host}@evil.example/a"), wrong),
        (format!("https://{host}/a#b"), wrong),
        (format!("https://{host}/{}", "a".repeat(1_024)), wrong),
        (String::new(), wrong),
    ] {
        let answer = world.wake_me(&world.wish(Some(&endpoint))).await;
        assert_eq!(answer.status, 400, "{endpoint}: {}", answer.text());
        wire::assert_reason(&answer, reason);
        assert!(!world.is_kept().await, "{endpoint}");
    }
}

#[tokio::test]
async fn a_phone_that_takes_it_back_is_not_woken() {
    let (mut world, mut pushes) = world().await;
    let browser = world.kept().await;
    world.woken_at(&format!("{}/first", pushes.origin)).await;
    assert_eq!(wire::json(&world.wake_me(&world.wish(None)).await, 200), json!({}));
    assert!(!world.is_kept().await);
    // Again: there is nothing, and that is fine.
    assert_eq!(world.wake_me(&world.wish(None)).await.status, 200);
    world.sent_from(&browser).await;
    world.woken_at(&format!("{}/second", pushes.origin)).await;
    world.woken_at(&format!("{}/third", pushes.origin)).await;
    world.sent_from(&browser).await;
    assert_eq!(pushes.messages.recv().await.unwrap().path, "/third");
    until("phone_woken", 1).await;
    assert!(pushes.messages.try_recv().is_err());
    // Not named again for a quarter of a year.
    world.harness.clock.advance(90 * DAY);
    world.sent_from(&browser).await;
    world.woken_at(&format!("{}/later", pushes.origin)).await;
    world.sent_from(&browser).await;
    assert_eq!(pushes.messages.recv().await.unwrap().path, "/later");
}

#[tokio::test]
async fn an_address_that_is_gone_is_deleted_and_other_refusals_are_not_repeated() {
    let (mut world, mut pushes) = world().await;
    let browser = world.kept().await;
    let mut refused = 0;
    world.woken_at(&format!("{}/a", pushes.origin)).await;
    // 307: a redirect is an answer like others, nobody goes there.
    for status in [307, 401, 413, 429, 500, 503] {
        pushes.say(status);
        world.sent_from(&browser).await;
        assert_eq!(pushes.messages.recv().await.unwrap().path, "/a");
        refused += 1;
        until("phone_not_woken", refused).await;
        assert!(pushes.messages.try_recv().is_err(), "{status}");
        assert!(world.is_kept().await, "{status}");
    }
    for status in [404, 410] {
        world.woken_at(&format!("{}/b", pushes.origin)).await;
        pushes.say(status);
        world.sent_from(&browser).await;
        assert_eq!(pushes.messages.recv().await.unwrap().path, "/b");
        refused += 1;
        until("phone_not_woken", refused).await;
        assert!(!world.is_kept().await, "{status}");
        // The login itself waits as ever.
        assert_eq!(world.found().await.len(), 1);
    }
    assert_eq!(logs::told("phone_woken"), 0);
}

#[tokio::test]
async fn an_address_named_while_the_old_one_ends_is_kept() {
    let (mut world, mut pushes) = world().await;
    let browser = world.kept().await;
    world.woken_at(&format!("{}/old", pushes.origin)).await;
    pushes.say(410);
    pushes.answers.forget_permits(1_000);
    world.sent_from(&browser).await;
    assert_eq!(pushes.messages.recv().await.unwrap().path, "/old");
    world.woken_at(&format!("{}/new", pushes.origin)).await;
    pushes.answers.add_permits(1_000);
    until("phone_not_woken", 1).await;
    assert!(world.is_kept().await);
}

#[tokio::test]
async fn a_push_service_that_hangs_holds_up_nobody() {
    let (mut world, mut pushes) = world().await;
    let browser = world.kept().await;
    world.woken_at(&format!("{}/a", pushes.origin)).await;
    pushes.answers.forget_permits(1_000);
    world.sent_from(&browser).await;
    // The page has its answer, the phone finds the login, and the push service has not answered yet: had anybody waited for it until its time
    // was over, it would never be told that it took the message.
    assert!(pushes.messages.recv().await.is_some());
    assert_eq!(world.found().await.len(), 1);
    assert_eq!((logs::told("phone_woken"), logs::told("phone_not_woken")), (0, 0));
    pushes.answers.add_permits(1);
    until("phone_woken", 1).await;
}

#[tokio::test]
async fn only_the_device_itself_says_where_it_is_woken() {
    let (mut world, pushes) = world().await;
    let endpoint = format!("{}/a", pushes.origin);
    let wish = |world: &World, aud: &str, time| world.device.wants_to_be_woken(aud, time, Some(&endpoint));
    let (issuer, now) = (world.at().issuer.clone(), world.harness.clock_now());
    // What it signed to look is no registration, and the other way round; a ticket is none either.
    assert_eq!(world.wake_me(&world.signed()).await.status, 400);
    let answer = world.ask(&json!({"look": world.wish(Some(&endpoint))})).await;
    assert_eq!(answer.status, 400);
    let found = wire::json(&world.ask(&json!({"look": world.signed()})).await, 200);
    for body in [
        json!({"ticket": found["ticket"]}),
        json!({"ticket": found["ticket"], "endpoint": endpoint}),
        json!({"look": world.wish(None), "endpoint": endpoint}),
        json!({}),
    ] {
        let answer = world.harness.api(world.at(), "/devices/push", &body).await;
        assert_eq!(answer.status, 400, "{body}");
    }
    // Another key, another device's name, another insurer, another time.
    let mut stranger = Device::unbound();
    stranger.handle = world.device.handle.clone();
    let forged = stranger.wants_to_be_woken(&issuer, now, Some(&endpoint));
    wire::assert_reason(&world.wake_me(&forged).await, Reason::DeviceUnknown);
    stranger.handle = base64url::encode(&[9; 32]);
    let unknown = stranger.wants_to_be_woken(&issuer, now, Some(&endpoint));
    wire::assert_reason(&world.wake_me(&unknown).await, Reason::DeviceUnknown);
    let elsewhere = wish(&world, &world.harness.host.issuer, now);
    wire::assert_reason(&world.wake_me(&elsewhere).await, Reason::DeviceUnknown);
    for time in [now - 301, now + 301] {
        assert_eq!(world.wake_me(&wish(&world, &issuer, time)).await.status, 403);
    }
    world.manage("lock").await;
    assert_eq!(world.wake_me(&wish(&world, &issuer, now)).await.status, 403);
    world.manage("unlock").await;
    assert!(!world.is_kept().await);
    assert_eq!(world.wake_me(&wish(&world, &issuer, now)).await.status, 200);
    assert!(world.is_kept().await);
    // Where it was woken goes with the device, and nothing brings it back.
    world.manage("remove").await;
    assert!(!world.is_kept().await);
    wire::assert_reason(&world.wake_me(&wish(&world, &issuer, now)).await, Reason::DeviceUnknown);
    assert!(!world.is_kept().await);
    // By the other address, too.
    let path = world.at().clone();
    world.device = world.harness.bound(&path, &world.service, &world.ada, HIGH_CLASS).await;
    world.woken_at(&endpoint).await;
    assert!(world.is_kept().await);
    let account = world.harness.account(&path, &world.ada).await;
    let device = json!({"device": world.device.handle});
    wire::json(&world.harness.take_back(&path, &account, &device).await, 200);
    assert!(!world.is_kept().await);
    // And with her.
    world.device = world.harness.bound(&path, &world.service, &world.ada, HIGH_CLASS).await;
    world.woken_at(&endpoint).await;
    assert!(world.is_kept().await);
    let provider = world.harness.provider();
    assert!(provider.delete_person(&issuer, &world.ada.data().kvnr).await.unwrap());
    assert!(!world.is_kept().await);
}

#[tokio::test]
async fn where_nobody_is_woken_an_address_is_refused_and_taking_back_is_not() {
    let world = World::new().await;
    let answer = world.wake_me(&world.wish(Some("https://push.example/a"))).await;
    assert_eq!(answer.status, 400);
    wire::assert_reason(&answer, Reason::PushServiceUnknown);
    assert_eq!(world.wake_me(&world.wish(None)).await.status, 200);
}

#[test]
fn settings_that_call_nobody_or_anybody_are_refused() {
    let new = |hosts: &[&str], contact: &str| {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        PushService::new(&hosts, contact, &pki::roots(), AddressRule::PublicOnly).is_ok()
    };
    assert!(new(&["push.example"], CONTACT));
    assert!(new(&["push.example"], "https://insurer.example/contact"));
    for hosts in [
        &[][..],
        &[""],
        &["*"],
        &["push.example", "https://push.example"],
        &["10.0.0.1"],
    ] {
        assert!(!new(hosts, CONTACT), "{hosts:?}");
    }
    for contact in ["", "idp@insurer.example", "http://insurer.example", "mailto"] {
        assert!(!new(&["push.example"], contact), "{contact}");
    }
}
