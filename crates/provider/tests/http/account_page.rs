//! The account's page for people without the wallet: looking after devices and making the block code by forms alone, under the rules of the JSON
//! endpoints.

use authenticator::Reason;
use serde_json::json;
use transport::HttpResponse;

use crate::common::{Account, Device, HIGH_CLASS, Harness, Insurer, Person, Service, wire};

struct World {
    harness: Harness,
    service: Service,
    ada: Person,
}

/// What a form sends.
type Fields<'a> = &'a [(&'a str, &'a str)];

impl World {
    async fn new() -> Self {
        let harness = Harness::start().await;
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

    async fn shown(&self, account: &Account, language: &str) -> HttpResponse {
        let url = super::authorize::consent_url(self.at(), &self.at().issuer, &account.login);
        let headers = [
            ("cookie", account.cookie.as_str()),
            ("accept", "text/html"),
            ("accept-language", language),
        ];
        self.harness.browser().get(&url, &headers).await.unwrap()
    }

    async fn page(&self, account: &Account, language: &str) -> String {
        wire::page(&self.shown(account, language).await, 200, language)
    }

    /// Sends a form of the page as a browser does.
    async fn send(&self, cookie: &str, path: &str, fields: Fields<'_>) -> HttpResponse {
        let url = format!("{}{path}", self.at().issuer);
        let headers = [("cookie", cookie), ("accept", "text/html"), ("accept-language", "de")];
        self.harness.browser().post_form(&url, fields, &headers).await.unwrap()
    }

    async fn manage(&self, account: &Account, device: &str, action: &str) -> HttpResponse {
        let fields = [
            ("login", account.login.as_str()),
            ("device", device),
            ("action", action),
        ];
        self.send(&account.cookie, "/account/devices", &fields).await
    }

    async fn rename(&self, account: &Account, device: &str, name: &str) -> HttpResponse {
        let fields = [
            ("login", account.login.as_str()),
            ("device", device),
            ("action", "rename"),
            ("name", name),
        ];
        self.send(&account.cookie, "/account/devices", &fields).await
    }

    /// How often her history says this.
    async fn entries(&self, event: &str) -> usize {
        let history = self.harness.read_history(self.at(), &self.account().await).await;
        assert_eq!(history["chain"]["ok"], true);
        let entries = history["entries"].as_array().unwrap();
        entries.iter().filter(|entry| entry["event"] == event).count()
    }

    async fn make_code(&self, account: &Account, instead_of: &str) -> HttpResponse {
        let fields = [("login", account.login.as_str()), ("instead_of", instead_of)];
        self.send(&account.cookie, "/account/block-code", &fields).await
    }

    async fn block(&self, code: &str) -> HttpResponse {
        self.harness.api(self.at(), "/block", &json!({"code": code})).await
    }

    async fn device_answer(&self, device: &mut Device) -> HttpResponse {
        let push = self.service.request(&self.harness);
        let challenged = self.harness.challenged(self.at(), &self.service, &push).await;
        self.harness.answer_with_device(self.at(), &challenged, device).await
    }

    fn code_on(&self, page: &str) -> String {
        let (_, tail) = page.split_once("id=\"block-code\">").unwrap();
        let (code, _) = tail.split_once('<').unwrap();
        assert!(!tail[code.len()..].contains(code), "told once");
        self.harness.secret(code.to_owned())
    }
}

const NEEDS_CARD: &str = "Dafür brauchen Sie Ihre Gesundheitskarte.";

#[tokio::test]
async fn a_device_is_locked_and_unlocked_by_its_forms() {
    let world = World::new().await;
    let (mut device, mut other) = (world.bound().await, world.bound().await);
    let account = world.account().await;
    let page = world.page(&account, "de").await;
    assert!(!page.contains("Gesperrt") && page.contains("<dt>Art</dt><dd>App auf einem Gerät</dd>"));
    // What the page sends, and nothing else.
    let mark = "action=\"".to_owned() + &world.at().issuer + "/account/devices\"";
    let login = world.harness.secret(wire::attribute(
        &page[page.find(&mark).unwrap()..],
        "name=\"login\"",
        "value",
    ));
    let id = wire::attribute(&page[page.find(&mark).unwrap()..], "name=\"device\"", "value");
    assert!([&device.handle, &other.handle].contains(&&id));
    let fields = [
        ("login", login.as_str()),
        ("device", &device.handle),
        ("action", "lock"),
    ];
    let locked = wire::page(
        &world.send(&account.cookie, "/account/devices", &fields).await,
        200,
        "de",
    );
    assert!(locked.contains("Die Änderung gilt ab sofort") && locked.contains("Gesperrt"));
    assert_eq!(locked.matches("value=\"unlock\"").count(), 1);
    assert_eq!(locked.matches("value=\"lock\"").count(), 1);
    wire::assert_reason(&world.device_answer(&mut device).await, Reason::DeviceLocked);
    assert_eq!(world.device_answer(&mut other).await.status, 200);
    let free = wire::page(&world.manage(&account, &device.handle, "unlock").await, 200, "de");
    assert!(!free.contains("Gesperrt"));
    assert_eq!(world.device_answer(&mut device).await.status, 200);
}

#[tokio::test]
async fn each_device_is_shown_with_its_kind_its_day_and_what_stands_against_it_in_both_languages() {
    let world = World::new().await;
    let device = world.bound().await;
    world.harness.passkey(world.at(), &world.ada, 0, true).await;
    let account = world.account().await;
    wire::page(&world.manage(&account, &device.handle, "lock").await, 200, "de");
    for (language, words) in [
        (
            "de",
            [
                "<dd>App auf einem Gerät</dd>",
                "<dd>Passkey</dd>",
                ">Gesperrt<",
                "<dt>Zuletzt benutzt</dt><dd>Noch nie</dd>",
                "<dt>Karte wieder nötig ab</dt><dd>21. Dezember 2026</dd>",
                "<dt>Gültig bis</dt><dd>31. Juli 2031</dd>",
            ],
        ),
        (
            "en",
            [
                "<dd>App on a device</dd>",
                "<dd>Passkey</dd>",
                ">Locked<",
                "<dt>Last used</dt><dd>Not yet</dd>",
                "<dt>Card needed again from</dt><dd>21 December 2026</dd>",
                "<dt>Valid until</dt><dd>31 July 2031</dd>",
            ],
        ),
    ] {
        let page = world.page(&account, language).await;
        for word in words {
            assert!(page.contains(word), "{word}");
        }
    }
    let code = world.code_on(&wire::page(&world.make_code(&account, "none").await, 200, "de"));
    world.harness.clock.advance(1);
    wire::json(&world.block(&code).await, 200);
    world.harness.clock.advance(1);
    let account = world.account().await;
    for (language, blocked) in [
        ("de", "Mit dem Sperr-Code gesperrt"),
        ("en", "Locked with the block code"),
    ] {
        let page = world.page(&account, language).await;
        assert_eq!(page.matches(blocked).count(), 2);
    }
}

#[tokio::test]
async fn without_the_card_the_page_says_in_a_sentence_what_needs_it() {
    let world = World::new().await;
    let (mut device, mut other) = (world.bound().await, world.bound().await);
    let by_device = world.harness.account_by_device(world.at(), &mut other).await;
    wire::page(&world.manage(&by_device, &device.handle, "lock").await, 200, "de");
    // The first code may be made without the card, another one may not.
    let code = world.code_on(&wire::page(&world.make_code(&by_device, "none").await, 200, "de"));
    for (language, unlock, replace) in [
        (
            "de",
            "Freigeben können Sie das Gerät nur mit Ihrer Karte.",
            "Einen neuen Sperr-Code erstellen Sie nur mit Ihrer Karte.",
        ),
        (
            "en",
            "You can unlock the device only with your card.",
            "You can make a new block code only with your card.",
        ),
    ] {
        let page = world.page(&by_device, language).await;
        assert!(page.contains(unlock) && page.contains(replace));
        assert!(!page.contains("value=\"unlock\"") && !page.contains("instead_of"));
    }
    // Who sends the forms all the same is told so, and nothing is done.
    let refused = wire::page(&world.manage(&by_device, &device.handle, "unlock").await, 403, "de");
    assert!(refused.contains(NEEDS_CARD));
    let set_at = world.account().await.overview["block_code"]["set_at"].to_string();
    let refused = wire::page(&world.make_code(&by_device, &set_at).await, 403, "de");
    assert!(refused.contains(NEEDS_CARD));
    wire::assert_reason(&world.device_answer(&mut device).await, Reason::DeviceLocked);
    wire::json(&world.block(&code).await, 200);
}

#[tokio::test]
async fn a_card_login_from_before_the_block_is_shown_no_form_that_unlocks() {
    let world = World::new().await;
    let device = world.bound().await;
    let before = world.account().await;
    let code = world.code_on(&wire::page(&world.make_code(&before, "none").await, 200, "de"));
    world.harness.clock.advance(1);
    wire::json(&world.block(&code).await, 200);
    assert!(!world.page(&before, "de").await.contains("value=\"unlock\""));
    let refused = wire::page(&world.manage(&before, &device.handle, "unlock").await, 403, "de");
    assert!(refused.contains(NEEDS_CARD));
    world.harness.clock.advance(1);
    let after = world.account().await;
    assert!(world.page(&after, "de").await.contains("value=\"unlock\""));
    wire::page(&world.manage(&after, &device.handle, "unlock").await, 200, "de");
}

#[tokio::test]
async fn a_code_is_shown_once_and_loading_its_page_again_makes_no_other() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let account = world.account().await;
    let begin = world.page(&account, "de").await;
    assert!(begin.contains("Sie haben noch keinen Sperr-Code."));
    assert_eq!(wire::attribute(&begin, "name=\"instead_of\"", "value"), "none");
    let made = wire::page(&world.make_code(&account, "none").await, 200, "de");
    let code = world.code_on(&made);
    assert!(made.contains(&format!("{}/block", world.at().issuer)) && made.contains("drucken"));
    // Loaded again, and looked at again.
    let again = wire::page(&world.make_code(&account, "none").await, 200, "de");
    let back = wire::attribute(&made, "class=\"button\"", "href");
    let headers = [("cookie", account.cookie.as_str()), ("accept-language", "de")];
    let back = wire::page(&world.harness.browser().get(&back, &headers).await.unwrap(), 200, "de");
    // Who pressed the button twice is told why she sees none.
    let why = "Ihr Sperr-Code ist schon erstellt.";
    assert!(again.contains(why) && !back.contains(why));
    for page in [&again, &back] {
        assert!(!page.contains(&code) && page.contains("Sie haben einen Sperr-Code vom 21. November 2026."));
    }
    // Another one on purpose: the one before is nobody's then.
    let instead_of = wire::attribute(&back, "name=\"instead_of\"", "value");
    let next = world.code_on(&wire::page(&world.make_code(&account, &instead_of).await, 200, "de"));
    assert_ne!(next, code);
    wire::assert_reason(&world.block(&code).await, Reason::NotFound);
    wire::json(&world.block(&next).await, 200);
    wire::assert_reason(&world.device_answer(&mut device).await, Reason::DeviceBlocked);
}

#[tokio::test]
async fn a_device_gets_another_name_and_is_removed_by_its_forms_and_she_reads_of_it() {
    let world = World::new().await;
    let (mut device, other) = (world.bound().await, world.bound().await);
    let by_device = world.harness.account_by_device(world.at(), &mut device).await;
    let (name, shown) = ("Omas <Tablet>", "Omas &#60;Tablet&#62;");
    let named = wire::page(&world.rename(&by_device, &other.handle, name).await, 200, "de");
    assert!(named.contains(shown) && named.contains("Die Änderung gilt ab sofort"));
    assert!(named.contains("<dt>Zuletzt benutzt</dt><dd>21. November 2026</dd>"));
    let rest = wire::page(&world.manage(&by_device, &other.handle, "remove").await, 200, "de");
    assert!(!rest.contains(shown) && rest.contains("Die Änderung gilt ab sofort"));
    // Once more, and the one it was: nothing is done, and nothing noted.
    wire::page(&world.manage(&by_device, &other.handle, "remove").await, 200, "de");
    for action in ["lock", "unlock"] {
        let account = world.account().await;
        wire::page(&world.manage(&account, &other.handle, action).await, 400, "de");
    }
    wire::page(&world.rename(&by_device, &other.handle, "x").await, 400, "de");
    // Who takes away what she is in with is outside.
    let outside = wire::page(&world.manage(&by_device, &device.handle, "remove").await, 200, "de");
    assert!(outside.contains("Die Änderung gilt ab sofort") && outside.contains("Anmelden mit der Gesundheitskarte"));
    assert!(!outside.contains("action=\"lock\"") && !outside.contains("Mein Handy"));
    let gone = wire::page(&world.shown(&by_device, "de").await, 403, "de");
    assert!(gone.contains("nicht mit Ihrer GesundheitsID verbunden"), "{gone}");
    for event in ["device-renamed", "device-removed"] {
        let expected = usize::from(event == "device-removed") + 1;
        assert_eq!(world.entries(event).await, expected, "{event}");
    }
}

#[tokio::test]
async fn nobody_looks_after_what_is_somebody_elses() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let zoe = Person::zoe();
    world.harness.import(world.at(), &zoe.data()).await;
    let hers = world.harness.account(world.at(), &zoe).await;
    for action in ["lock", "unlock", "remove"] {
        wire::page(&world.manage(&hers, &device.handle, action).await, 400, "de");
    }
    wire::page(&world.rename(&hers, &device.handle, "x").await, 400, "de");
    let revoke = [("login", hers.login.as_str()), ("device", &device.handle)];
    wire::page(&world.send(&hers.cookie, "/account/revoke", &revoke).await, 403, "de");
    assert_eq!(world.device_answer(&mut device).await.status, 200);
    assert_eq!(world.account().await.overview["devices"][0]["name"], "Mein Handy");
}

#[tokio::test]
async fn what_is_asked_for_without_a_form_changes_nothing() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let account = world.account().await;
    for (path, rest) in [
        ("/account/devices", format!("&device={}&action=lock", device.handle)),
        ("/account/block-code", "&instead_of=none".to_owned()),
        ("/account/revoke", format!("&device={}", device.handle)),
    ] {
        let url = format!("{}{path}?login={}{rest}", world.at().issuer, account.login);
        let headers = [
            ("cookie", account.cookie.as_str()),
            ("accept", "text/html"),
            ("accept-language", "de"),
        ];
        wire::page(&world.harness.browser().get(&url, &headers).await.unwrap(), 405, "de");
    }
    // Nor does looking at the page.
    for _ in 0..2 {
        world.page(&account, "de").await;
    }
    assert_eq!(world.device_answer(&mut device).await.status, 200);
    assert_eq!(world.account().await.overview["block_code"], json!(null));
}

#[tokio::test]
async fn a_form_without_a_good_login_or_from_another_browser_changes_nothing() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let account = world.account().await;
    let mut forged = account.login.clone().into_bytes();
    let middle = forged.len() / 2;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    let push = world.service.request(&world.harness);
    let elsewhere = world
        .harness
        .authenticated(world.at(), &world.service, &push, &world.ada)
        .await;
    let strange = "healthid_browser=AAAAAAAAAAAAAAAAAAAAAA";
    for (cookie, login) in [
        (account.cookie.as_str(), ""),
        (&account.cookie, "x"),
        (&account.cookie, &forged),
        (&account.cookie, &elsewhere.login),
        ("", &account.login),
        (strange, &account.login),
    ] {
        let lock = [("login", login), ("device", &device.handle), ("action", "lock")];
        wire::page(&world.send(cookie, "/account/devices", &lock).await, 400, "de");
        let code = [("login", login), ("instead_of", "none")];
        wire::page(&world.send(cookie, "/account/block-code", &code).await, 400, "de");
    }
    // Too late: she is asked to log in again, here.
    world.harness.clock.advance(601);
    for late in [
        world.manage(&account, &device.handle, "lock").await,
        world.make_code(&account, "none").await,
        world.shown(&account, "de").await,
    ] {
        let page = wire::page(&late, 400, "de");
        assert!(
            page.contains("Melden Sie sich hier noch einmal an.") && !page.contains("zum Dienst"),
            "{page}"
        );
    }
    assert_eq!(world.device_answer(&mut device).await.status, 200);
    let account = world.account().await;
    assert_eq!(account.overview["block_code"], json!(null));
    assert_eq!(account.overview["devices"][0]["locked"], false);
}

#[tokio::test]
async fn malformed_forms_are_refused() {
    let world = World::new().await;
    let device = world.bound().await;
    let account = world.account().await;
    for action in ["", "Lock", "block", "rename", "lock "] {
        wire::page(&world.manage(&account, &device.handle, action).await, 400, "de");
    }
    for name in ["", "zwei\nZeilen", &"x".repeat(65)] {
        wire::page(&world.rename(&account, &device.handle, name).await, 400, "de");
    }
    let twice = [
        ("login", account.login.as_str()),
        ("device", &device.handle),
        ("action", "lock"),
        ("action", "remove"),
    ];
    wire::page(
        &world.send(&account.cookie, "/account/devices", &twice).await,
        400,
        "de",
    );
    for without in 0..3 {
        let mut fields = twice[..3].to_vec();
        fields.remove(without);
        wire::page(
            &world.send(&account.cookie, "/account/devices", &fields).await,
            400,
            "de",
        );
    }
    for handle in ["", "###", "AAAA"] {
        wire::page(&world.manage(&account, handle, "lock").await, 400, "de");
    }
    for instead_of in ["", "None", "-1", "x", "18446744073709551616"] {
        wire::page(&world.make_code(&account, instead_of).await, 400, "de");
    }
    let account = world.account().await;
    assert_eq!(account.overview["block_code"], json!(null));
    assert_eq!(account.overview["devices"][0]["name"], "Mein Handy");
    assert_eq!(account.overview["devices"][0]["locked"], false);
}

#[tokio::test]
async fn whoever_took_the_phone_sees_no_page_any_more_once_it_is_locked() {
    let world = World::new().await;
    let mut device = world.bound().await;
    let thief = world.harness.account_by_device(world.at(), &mut device).await;
    world.page(&thief, "de").await;
    let account = world.account().await;
    wire::page(&world.manage(&account, &device.handle, "lock").await, 200, "de");
    let refused = wire::page(&world.shown(&thief, "de").await, 403, "de");
    assert!(refused.contains("Dieses Gerät ist gesperrt.") && !refused.contains("Mein Handy"));
    let refused = wire::page(&world.make_code(&thief, "none").await, 403, "de");
    assert!(refused.contains("gesperrt"));
    assert_eq!(world.account().await.overview["block_code"], json!(null));
}
