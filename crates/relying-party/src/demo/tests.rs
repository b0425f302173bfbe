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

mod edges;
mod logins;
