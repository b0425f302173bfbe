#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use federation::Schemes;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use jose::UnixTime;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::client::{KeyStage, RelyingPartyConfig};
use crate::fake::{self, Fake, ISSUER, NOW, Recipe, SERVICE};

const BASE: &str = "http://localhost:8406";
const IDP: &str = "idp=https%3A%2F%2Fidp.example%2F109900019";

struct Page {
    status: StatusCode,
    headers: http::HeaderMap,
    body: String,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }

    /// The pair `name=value` of a cookie that was set.
    fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.headers.get_all(header::SET_COOKIE);
        let mut pairs = cookies
            .iter()
            .map(|value| value.to_str().unwrap().split(';').next().unwrap().to_owned());
        pairs.find(|pair| pair.starts_with(&format!("{name}=")))
    }
}

/// A service with the world around it, and a clock to be turned.
struct Stage {
    fake: Fake,
    service: DemoService,
    clock: Arc<AtomicU64>,
}

impl Stage {
    async fn new(personality: Personality) -> Self {
        Self::with(personality, &["https://idp.example"]).await
    }

    async fn with(personality: Personality, origins: &[&str]) -> Self {
        let fake = Fake::start().await;
        let config = RelyingPartyConfig {
            push_pause: std::time::Duration::ZERO,
            ..personality.relying_party_config(fake::id(SERVICE), BASE, fake.anchor(), Schemes::LoopbackHttpToo)
        };
        let clock = Arc::new(AtomicU64::new(NOW.0));
        let reading = Arc::clone(&clock);
        let service = DemoService::new(DemoServiceConfig {
            personality,
            base_url: BASE.into(),
            party: fake.party_of(config),
            clock: Arc::new(move || UnixTime(reading.load(Ordering::Relaxed))),
            login_origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            portal_url: Some("http://localhost:8400/".into()),
        });
        Self {
            fake,
            service: service.unwrap(),
            clock,
        }
    }

    async fn send(&self, request: Request<Body>) -> Page {
        let response = self.service.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Page {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    async fn get(&self, path: &str, cookie: &str) -> Page {
        self.send(Request::get(path).header("cookie", cookie).body(Body::empty()).unwrap())
            .await
    }

    async fn post(&self, path: &str, form: &str, cookie: &str) -> Page {
        let request = Request::post(path).header("cookie", cookie).header("origin", BASE);
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// Posts the start form. Returns the session cookie.
    async fn begin(&self, form: &str) -> String {
        let page = self.post("/login", &format!("{IDP}&{form}"), "").await;
        assert!(
            page.status == StatusCode::SEE_OTHER || page.status == StatusCode::OK,
            "{}",
            page.body
        );
        page.cookie("patient-record-session")
            .or(page.cookie("e-prescription-session"))
            .unwrap()
    }

    fn pushed(&self, name: &str) -> String {
        self.fake
            .world
            .lock()
            .unwrap()
            .pushed
            .last()
            .unwrap()
            .get(name)
            .cloned()
            .unwrap_or_default()
    }

    /// Makes the provider answer the last pushed request, and gives the query the browser comes back with.
    fn answer(&self, edit: impl FnOnce(&mut Value)) -> String {
        let session = fake_session(&self.pushed("nonce"), self.service.party());
        let mut recipe = Recipe::of(self.service.party(), &session);
        recipe.body["nonce"] = json!(self.pushed("nonce"));
        edit(&mut recipe.body);
        self.fake.answer_with(recipe.token());
        format!("code=c0de&state={}", self.pushed("state"))
    }

    /// A whole login. Returns the cookie of the person's session.
    async fn log_in(&self, form: &str) -> String {
        let cookie = self.begin(form).await;
        let query = self.answer(|_| {});
        let page = self.get(&format!("/return?{query}"), &cookie).await;
        assert_eq!(
            (page.status, page.header("location")),
            (StatusCode::SEE_OTHER, "/account"),
            "{}",
            page.body
        );
        page.cookie("patient-record-session")
            .or(page.cookie("e-prescription-session"))
            .unwrap()
    }
}

/// Recipes are made for a session; the nonce is set afterwards.
fn fake_session(nonce: &str, party: &Arc<RelyingParty>) -> crate::client::LoginSession {
    let session = json!({
        "issuer": ISSUER, "redirect_uri": format!("{BASE}/return"), "state": "s", "nonce": nonce, "code_verifier": "v",
        "asked": {"acr": "gematik-ehealth-loa-high", "level_rule": "at-least", "amr": null,
            "scopes": party.config().scopes, "claims": null, "prompt": null, "max_age_seconds": null},
        "started_at": NOW.0,
    });
    serde_json::from_value(session).unwrap()
}

/// What axe would look at first: one h1, a language, landmarks, names for everything that can be filled in.
fn check_page(page: &Page, language: &str) {
    let body = &page.body;
    assert!(body.starts_with("<!doctype html>"), "{body}");
    assert!(body.contains(&format!("<html lang=\"{language}\">")), "{body}");
    assert_eq!(page.header("content-language"), language);
    for once in [
        "<h1>",
        "<main ",
        "</main>",
        "<title>",
        "<nav class=\"language-switch\"",
        "<footer ",
    ] {
        assert_eq!(body.matches(once).count(), 1, "{once} in {body}");
    }
    assert!(body.contains("href=\"#main\"") && body.contains("id=\"main\""));
    assert!(!body.contains("<script") && !body.contains("style=") && !body.contains(" onclick"));
    assert!(!body.contains("{{") && !body.contains("{%"));
    for input in body.split("<input ").skip(1) {
        let input = input.split('>').next().unwrap();
        let id = input.split("id=\"").nth(1).and_then(|rest| rest.split('"').next());
        let is_named = match id {
            Some(id) => body.contains(&format!("for=\"{id}\"")),
            None => input.contains("type=\"hidden\"") || body.contains("<label"),
        };
        assert!(is_named, "input without label: {input}");
    }
    for image in body.split("<img ").skip(1) {
        assert!(image.split('>').next().unwrap().contains("alt="));
    }
}

#[tokio::test]
async fn every_page_is_whole_in_both_languages_and_sends_the_strict_headers() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cookie = stage.log_in("").await;
    for path in ["/", "/account", "/token", "/nowhere", "/return"] {
        for language in ["de", "en"] {
            let page = stage.get(&format!("{path}?lang={language}"), &cookie).await;
            check_page(&page, language);
            assert!(
                page.cookie("patient-record-lang")
                    .is_some_and(|pair| pair.ends_with(language))
            );
            assert_eq!(page.header("cache-control"), "no-store");
            assert_eq!(page.header("x-content-type-options"), "nosniff");
            let policy = page.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self'"));
            assert!(policy.ends_with("form-action 'self' https://idp.example"));
        }
    }
}

#[tokio::test]
async fn the_language_is_chosen_remembered_and_otherwise_the_browsers() {
    let stage = Stage::new(Personality::patient_record()).await;
    let accepting = Request::get("/").header("accept-language", "en-GB,en;q=0.9");
    let page = stage.send(accepting.body(Body::empty()).unwrap()).await;
    check_page(&page, "en");
    assert!(page.cookie("patient-record-lang").is_none());
    check_page(&stage.get("/", "patient-record-lang=en").await, "en");
    check_page(&stage.get("/?lang=de", "patient-record-lang=en").await, "de");
    check_page(&stage.get("/?lang=fr", "").await, "de");
    assert!(stage.get("/?lang=de", "").await.body.contains("href=\"/?lang=en\""));
    // The switch never leads to an address that means something only once.
    assert!(
        stage
            .get("/return?lang=de", "")
            .await
            .body
            .contains("href=\"/?lang=en\"")
    );
}

#[tokio::test]
async fn the_start_page_offers_the_insurers_of_the_federation_master() {
    let stage = Stage::new(Personality::e_prescription()).await;
    let page = stage.get("/", "").await;
    check_page(&page, "de");
    assert!(
        page.body.contains("Musterkasse &#60;Nord&#62;") || page.body.contains("Musterkasse &lt;Nord&gt;"),
        "{}",
        page.body
    );
    assert!(page.body.contains(&format!("value=\"{ISSUER}\"")));
    assert!(page.body.contains(&format!("src=\"/logo?{IDP}\"")));
    assert!(page.body.contains("Sandbox:</strong> Erfundene Personen"));
    assert!(!page.body.contains("role=\"search\""));
    let nothing = stage.get("/?q=nichtda", "").await;
    check_page(&nothing, "de");
    assert!(nothing.body.contains("Keine Krankenkasse"));

    let down = Stage::new(Personality::e_prescription()).await;
    down.fake.change(|world| {
        drop(
            world
                .instead
                .insert("https://".into(), Err(transport::FetchError::Timeout)),
        )
    });
    let page = down.get("/", "").await;
    check_page(&page, "de");
    assert!(page.body.contains("role=\"alert\""));
}

#[tokio::test]
async fn a_login_asks_for_what_the_personality_needs() {
    let stage = Stage::new(Personality::e_prescription()).await;
    let page = stage.post("/login", IDP, "").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert!(
        page.header("location")
            .starts_with("https://idp.example/109900019/auth?client_id=")
    );
    let cookie = page.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap();
    assert!(
        cookie.ends_with("; Path=/; Max-Age=28800; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    assert_eq!(stage.pushed("redirect_uri"), "http://localhost:8406/return");
    assert_eq!(stage.pushed("acr_values"), "gematik-ehealth-loa-high");
    assert_eq!(stage.pushed("prompt"), "");
    let claims: Value = serde_json::from_str(&stage.pushed("claims")).unwrap();
    assert_eq!(
        claims["id_token"]["urn:telematik:claims:display_name"]["essential"],
        true
    );
    assert_eq!(claims["id_token"]["acr"]["essential"], true);
}

#[tokio::test]
async fn the_options_of_the_form_reach_the_provider() {
    let stage = Stage::new(Personality::patient_record()).await;
    let form = "level=gematik-ehealth-loa-substantial&method=urn%3Atelematik%3Aauth%3AeGK&fresh=1&consent=1&scopes-chosen=1\
                &scope%3Aurn%3Atelematik%3Aversicherter=1&scope%3Aurn%3Atelematik%3Aunknown=1";
    stage.begin(form).await;
    let expected = [
        ("acr_values", "gematik-ehealth-loa-substantial"),
        ("amr", "urn:telematik:auth:eGK"),
        ("prompt", "login consent"),
        ("max_age", "0"),
        ("scope", "openid urn:telematik:versicherter"),
    ];
    for (name, value) in expected {
        assert_eq!(stage.pushed(name), value, "{name}");
    }
    stage.begin("level=nonsense&method=nonsense").await;
    assert_eq!(stage.pushed("acr_values"), "gematik-ehealth-loa-high");
    assert_eq!(stage.pushed("amr"), "");
}

#[tokio::test]
async fn a_provider_outside_the_policy_is_reached_by_a_link() {
    let stage = Stage::with(Personality::patient_record(), &[]).await;
    let page = stage.post("/login", IDP, "").await;
    check_page(&page, "de");
    assert!(
        page.body
            .contains("href=\"https://idp.example/109900019/auth?client_id=")
    );
    assert!(page.cookie("patient-record-session").is_some());
}

#[tokio::test]
async fn the_person_sees_what_she_released_and_what_not() {
    let stage = Stage::new(Personality::patient_record()).await;
    let begun = stage.begin("").await;
    let query = stage.answer(|body| {
        body["urn:telematik:claims:display_name"] = json!("Dr. Ada-Liv Musterfrau-Öztürk <b>");
        body["urn:telematik:claims:geschlecht"] = json!("D");
    });
    let returned = stage.get(&format!("/return?{query}"), &begun).await;
    let cookie = returned.cookie("patient-record-session").unwrap();
    assert_ne!(cookie, begun, "a new key after the login");
    let page = stage.get("/account", &cookie).await;
    check_page(&page, "de");
    for text in [
        "Guten Tag, Dr. Ada-Liv Musterfrau-Öztürk",
        "Q000123451",
        "divers",
        "Gesundheitskarte mit PIN",
        "pseudonym",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
    assert!(!page.body.contains("<b>"));
    let withheld = page.body.split("Das weiß der Dienst nicht").nth(1).unwrap();
    assert!(withheld.contains("urn:telematik:claims:email") && !withheld.contains("urn:telematik:claims:geschlecht"));
    // The session of before the login is gone.
    assert_eq!(stage.get("/account", &begun).await.header("location"), "/");
    let token = stage.get("/token?lang=en", &cookie).await;
    check_page(&token, "en");
    assert!(token.body.contains("The trust anchor") && token.body.contains("essential"));
}

#[tokio::test]
async fn a_login_ends_only_once_and_only_in_its_own_browser() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cookie = stage.begin("").await;
    let query = stage.answer(|_| {});
    let state = stage.pushed("state");
    let other = stage.begin("").await;
    let unknown = format!("patient-record-session={}", "A".repeat(43));
    let attempts = [
        (query.clone(), String::new()),
        (query.clone(), unknown),
        (query.clone(), other.clone()),
        (query.clone(), format!("{cookie}x")),
        ("code=c0de".into(), cookie.clone()),
        ("code=c0de&state=other".into(), cookie.clone()),
        (
            format!("code=c0de&state={}", "a".repeat(MAX_STATE_CHARACTERS + 1)),
            cookie.clone(),
        ),
        (format!("{query}&state={state}"), cookie.clone()),
    ];
    for (query, cookie) in attempts {
        let page = stage.get(&format!("/return?{query}"), &cookie).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query} {cookie}");
        check_page(&page, "de");
        assert!(page.cookie("patient-record-session").is_none());
    }
    assert!(
        stage.fake.world.lock().unwrap().redeemed.is_empty(),
        "no code was redeemed"
    );
    let good = stage.get(&format!("/return?{query}"), &cookie).await;
    assert_eq!(good.status, StatusCode::SEE_OTHER);
    let replayed = stage.get(&format!("/return?{query}"), &cookie).await;
    assert_eq!(replayed.status, StatusCode::BAD_REQUEST);
    let with_new_session = stage
        .get(
            &format!("/return?{query}"),
            &good.cookie("patient-record-session").unwrap(),
        )
        .await;
    assert_eq!(with_new_session.status, StatusCode::BAD_REQUEST);
    assert_eq!(stage.fake.world.lock().unwrap().redeemed.len(), 1);
}

#[tokio::test]
async fn an_error_of_the_provider_is_told_in_plain_words_with_its_support_code() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cases = [
        ("access_denied", StatusCode::OK, "Sie haben die Anmeldung abgebrochen"),
        (
            "server_error",
            StatusCode::BAD_GATEWAY,
            "Ihre Krankenkasse hat die Anmeldung abgelehnt",
        ),
    ];
    for (error, status, title) in cases {
        let cookie = stage.begin("").await;
        let query = format!(
            "error={error}&error_description=Rule+%3Cb%3E+%28support+code+AB12-CD34%29&state={}",
            stage.pushed("state")
        );
        let page = stage.get(&format!("/return?{query}"), &cookie).await;
        assert_eq!(page.status, status);
        check_page(&page, "de");
        assert!(page.body.contains(title) && page.body.contains("AB12-CD34") && page.body.contains(error));
        assert!(!page.body.contains("<b>"));
        assert_eq!(page.body.matches("support-code").count(), 2);
    }
}

#[tokio::test]
async fn tokens_that_are_not_believed_log_nobody_in() {
    let stage = Stage::new(Personality::e_prescription()).await;
    type Edit = fn(&mut Value);
    let cases: [(Edit, StatusCode, &str); 3] = [
        (
            |body| body["nonce"] = json!("other"),
            StatusCode::BAD_GATEWAY,
            "nicht zu trauen",
        ),
        (
            |body| body["aud"] = json!("https://other.example"),
            StatusCode::BAD_GATEWAY,
            "nicht zu trauen",
        ),
        (
            |body| body["acr"] = json!("gematik-ehealth-loa-substantial"),
            StatusCode::FORBIDDEN,
            "nicht sicher genug",
        ),
    ];
    for (edit, status, words) in cases {
        let cookie = stage.begin("").await;
        let query = stage.answer(edit);
        let page = stage.get(&format!("/return?{query}"), &cookie).await;
        assert_eq!(page.status, status);
        check_page(&page, "de");
        assert!(page.body.contains(words) && !page.body.contains("Q000123451"));
        assert!(stage.get("/account", &cookie).await.body.is_empty());
    }
}

#[tokio::test]
async fn refusals_at_the_push_are_shown() {
    let stage = Stage::new(Personality::patient_record()).await;
    stage.fake.change(|world| {
        world.push_refusals = vec![(
            400,
            json!({"error": "invalid_scope", "error_description": "x (support code AB12-CD34)"}),
        )];
    });
    let page = stage.post("/login", IDP, "").await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    check_page(&page, "de");
    assert!(page.body.contains("invalid_scope") && page.body.contains("AB12-CD34"));

    let unknown = stage.post("/login", "idp=https%3A%2F%2Fevil.example", "").await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert!(unknown.body.contains("nicht bekannt"));
    assert_eq!(stage.post("/login", "", "").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        stage.post("/login", "idp=a&idp=b", "").await.status,
        StatusCode::BAD_REQUEST
    );
    let large = format!("idp={}", "a".repeat(MAX_FORM_BYTES));
    assert_eq!(
        stage.post("/login", &large, "").await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cookie = stage.log_in("").await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:8402"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for path in ["/login", "/logout"] {
            let request = Request::post(path)
                .header("cookie", &cookie)
                .header(name, value)
                .body(Body::from(IDP))
                .unwrap();
            let page = stage.send(request).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} {name}: {value}");
            check_page(&page, "de");
        }
    }
    assert_eq!(stage.get("/account", &cookie).await.status, StatusCode::OK);
    // What changes something is a POST.
    assert_eq!(stage.get("/logout", &cookie).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        stage.get(&format!("/login?{IDP}"), &cookie).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn logging_out_ends_the_session() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cookie = stage.log_in("").await;
    let page = stage.post("/logout", "", &cookie).await;
    assert_eq!(page.header("location"), "/");
    assert_eq!(
        page.cookie("patient-record-session").unwrap(),
        "patient-record-session="
    );
    assert_eq!(stage.get("/account", &cookie).await.header("location"), "/");
    assert_eq!(stage.get("/token", &cookie).await.header("location"), "/");
}

#[tokio::test]
async fn sessions_and_logins_run_out() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cookie = stage.log_in("").await;
    stage.clock.store(NOW.0 + IDLE_SECONDS - 1, Ordering::Relaxed);
    assert_eq!(stage.get("/account", &cookie).await.status, StatusCode::OK);
    stage.clock.store(NOW.0 + 2 * IDLE_SECONDS - 1, Ordering::Relaxed);
    assert_eq!(stage.get("/account", &cookie).await.status, StatusCode::SEE_OTHER);

    stage.clock.store(NOW.0, Ordering::Relaxed);
    let cookie = stage.begin("").await;
    let query = stage.answer(|_| {});
    stage.clock.store(NOW.0 + PENDING_SECONDS, Ordering::Relaxed);
    assert_eq!(
        stage.get(&format!("/return?{query}"), &cookie).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn several_tabs_can_log_in_and_the_oldest_gives_way() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cookie = stage.begin("").await;
    let mut states = vec![stage.pushed("state")];
    for _ in 0..MAX_PENDING {
        assert_eq!(stage.post("/login", IDP, &cookie).await.status, StatusCode::SEE_OTHER);
        states.push(stage.pushed("state"));
    }
    let declined = |state: &str| format!("/return?error=access_denied&state={state}");
    assert_eq!(
        stage.get(&declined(&states[0]), &cookie).await.status,
        StatusCode::BAD_REQUEST
    );
    for state in &states[1..] {
        assert_eq!(stage.get(&declined(state), &cookie).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn logos_come_from_the_service_and_only_those_on_the_list() {
    let stage = Stage::new(Personality::patient_record()).await;
    let logo = stage.get(&format!("/logo?{IDP}"), "").await;
    assert_eq!(
        (logo.status, logo.header("content-type")),
        (StatusCode::OK, "image/svg+xml")
    );
    assert!(logo.body.starts_with("<svg xmlns='"));
    assert!(logo.header("content-security-policy").ends_with("sandbox"));
    for path in ["/logo", "/logo?idp=https%3A%2F%2Fevil.example", "/logo?idp=a&idp=b"] {
        let before = stage.fake.fetch_count();
        let placeholder = stage.get(path, "").await;
        assert!(placeholder.body.contains("#d3dae0"), "{path}");
        assert_eq!(stage.fake.fetch_count(), before);
    }
    for (content_type, body) in [("text/html", 1), ("image/png", MAX_LOGO_BYTES + 1)] {
        let stage = Stage::new(Personality::patient_record()).await;
        let answer = transport::Fetched {
            status: 200,
            content_type: Some(content_type.into()),
            body: vec![b'a'; body].into(),
        };
        stage
            .fake
            .change(|world| drop(world.instead.insert(format!("{ISSUER}/logo.svg"), Ok(answer))));
        assert!(
            stage.get(&format!("/logo?{IDP}"), "").await.body.contains("#d3dae0"),
            "{content_type}"
        );
    }
    let icon = stage.get(ICON_PATH, "").await;
    assert_eq!(icon.header("cross-origin-resource-policy"), "cross-origin");
    assert_eq!(
        stage.get("/service.css", "").await.header("content-type"),
        "text/css; charset=utf-8"
    );
}

#[tokio::test]
async fn cookies_over_https_are_bound_to_the_host() {
    let stage = Stage::new(Personality::patient_record()).await;
    let app = Arc::clone(&stage.service.app);
    assert_eq!(app.cookie_name("session"), "patient-record-session");
    let party = Arc::clone(stage.service.party());
    let config = RelyingPartyConfig {
        redirect_uris: vec!["https://akte.example/return".into()],
        ..party.config().clone()
    };
    let service = DemoService::new(DemoServiceConfig {
        personality: Personality::patient_record(),
        base_url: "https://akte.example".into(),
        party: stage.fake.party_of(config),
        clock: Arc::new(|| NOW),
        login_origins: vec![],
        portal_url: None,
    })
    .unwrap();
    let cookie = service.app.session_cookie("k").unwrap();
    assert_eq!(
        cookie.to_str().unwrap(),
        "__Host-patient-record-session=k; Path=/; Max-Age=28800; HttpOnly; SameSite=Lax; Secure"
    );
}

#[tokio::test]
async fn services_that_cannot_work_are_refused() {
    let stage = Stage::new(Personality::patient_record()).await;
    let config = || DemoServiceConfig {
        personality: Personality::patient_record(),
        base_url: BASE.into(),
        party: Arc::clone(stage.service.party()),
        clock: Arc::new(|| NOW),
        login_origins: vec![],
        portal_url: None,
    };
    for base_url in [
        "",
        "localhost:8406",
        "http://localhost:8406/",
        "http://localhost:8406/x",
        "http://LOCALHOST:8406",
    ] {
        let refused = DemoService::new(DemoServiceConfig {
            base_url: base_url.into(),
            ..config()
        });
        assert_eq!(
            refused.unwrap_err(),
            DemoServiceError::Origin { member: "base_url" },
            "{base_url}"
        );
    }
    let origins = DemoService::new(DemoServiceConfig {
        login_origins: vec!["https://a.example/x".into()],
        ..config()
    });
    assert_eq!(
        origins.unwrap_err(),
        DemoServiceError::Origin {
            member: "login_origins"
        }
    );
    let elsewhere = DemoService::new(DemoServiceConfig {
        base_url: "http://localhost:8408".into(),
        ..config()
    });
    assert!(matches!(elsewhere.unwrap_err(), DemoServiceError::RedirectUri { .. }));
    for id in ["", "A", "a b", "a;b"] {
        let personality = Personality {
            id: id.into(),
            ..Personality::patient_record()
        };
        assert_eq!(
            DemoService::new(DemoServiceConfig {
                personality,
                ..config()
            })
            .unwrap_err(),
            DemoServiceError::Id
        );
    }
}

#[tokio::test]
async fn the_federation_finds_the_statement_at_the_entity_identifier() {
    let stage = Stage::new(Personality::patient_record()).await;
    let request = Request::get("/.well-known/openid-federation")
        .body(Body::empty())
        .unwrap();
    let response = stage.service.federation_router().oneshot(request).await.unwrap();
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "application/entity-statement+jwt"
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let statement = federation::statement::parse(std::str::from_utf8(&body).unwrap()).unwrap();
    let statement = statement.verify_self(NOW).unwrap();
    let members = statement.claims().metadata_of("openid_relying_party").unwrap();
    assert_eq!(members["redirect_uris"], json!(["http://localhost:8406/return"]));
    assert_eq!(members["logo_uri"], "http://localhost:8406/icon.svg");
}

#[tokio::test]
async fn a_rollover_can_be_rehearsed_over_http() {
    let stage = Stage::new(Personality::patient_record()).await;
    let call = async |method: &str, path: &str, with_header: bool| {
        let mut request = Request::builder().method(method).uri(path);
        if with_header {
            request = request.header(REHEARSAL_HEADER, "1");
        }
        let router = stage.service.rehearsal_router();
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice::<Value>(&body).unwrap_or_default())
    };
    assert_eq!(call("POST", "/keys/tls/add", false).await.0, StatusCode::FORBIDDEN);
    assert_eq!(call("POST", "/keys/tls/switch", true).await.0, StatusCode::CONFLICT);
    assert_eq!(call("POST", "/keys/other/add", true).await.0, StatusCode::BAD_REQUEST);
    for purpose in ["tls", "encryption", "entity"] {
        for (step, count) in [("add", 4), ("switch", 4), ("retire", 3)] {
            let (status, keys) = call("POST", &format!("/keys/{purpose}/{step}"), true).await;
            assert_eq!(
                (status, keys.as_array().map(Vec::len)),
                (StatusCode::OK, Some(count)),
                "{purpose} {step}: {keys}"
            );
        }
    }
    let (_, keys) = call("GET", "/keys", false).await;
    assert!(keys.as_array().unwrap().iter().all(|key| key["stage"] == "current"));
    assert!(
        stage
            .service
            .party()
            .keys()
            .status()
            .iter()
            .all(|key| key.stage == KeyStage::Current)
    );
    stage.log_in("").await;
}

/// WCAG 2.2: 1.4.3 (text 4.5 : 1) and 1.4.11 (edges of controls, focus 3 : 1), in both colour schemes.
#[test]
fn every_pair_of_colours_of_the_stylesheet_can_be_told_apart() {
    let stylesheet = include_str!("../../../../assets/page.css");
    let schemes: Vec<&str> = stylesheet
        .split(":root {")
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap())
        .collect();
    assert_eq!(schemes.len(), 2);
    let grounds = ["ground", "surface"];
    let notices = ["good-ground", "warn-ground", "bad-ground"];
    for scheme in schemes {
        let colour = |name: &str| luminance(scheme.split(&format!("--{name}: #")).nth(1).unwrap());
        let check = |front: &str, back: &str, least: f64| {
            let (a, b) = (colour(front), colour(back));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= least, "{front} on {back}: {contrast:.2}");
        };
        for back in grounds.into_iter().chain(notices) {
            for front in ["text", "quiet", "accent", "accent-strong"] {
                check(front, back, 4.5);
            }
            check("focus", back, 3.0);
            check("edge", back, 3.0);
        }
        for front in ["good", "warn", "bad"] {
            check(front, &format!("{front}-ground"), 4.5);
            check(front, "ground", 4.5);
        }
        check("on-accent", "accent", 4.5);
        check("on-accent", "accent-strong", 4.5);
    }
}

/// Relative luminance (WCAG 2.2) of the six hexadecimal digits at the front.
fn luminance(text: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&text[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}
