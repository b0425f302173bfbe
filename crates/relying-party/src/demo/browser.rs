//! What a browser brings along: language, session cookie, where a form was sent from.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use oidc::form::Form;

use super::App;
use super::sessions::{KEY_CHARACTERS, MAX_AGE_SECONDS};
use crate::language::Language;

/// How long a chosen language is remembered, in seconds: a year.
const LANGUAGE_SECONDS: u64 = 365 * 24 * 60 * 60;
/// Longest `Cookie` header read, in bytes.
const MAX_COOKIE_BYTES: usize = 8 * 1024;

/// One request of a browser, as far as every page needs it.
pub(super) struct Visit {
    pub(super) language: Language,
    /// The language was chosen with this request and is to be remembered.
    pub(super) chose_language: bool,
    /// The key in the session cookie; nothing says yet that there is such a session.
    pub(super) session: Option<String>,
    /// Where the language switch leads.
    pub(super) path: String,
}

impl FromRequestParts<Arc<App>> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let query = Form::parse(parts.uri.query().unwrap_or_default().as_bytes()).unwrap_or_default();
        let chosen = query.value("lang").and_then(Language::from_tag);
        let remembered = || cookie(&parts.headers, &app.cookie_name("lang")).and_then(|tag| Language::from_tag(&tag));
        let accepted = parts
            .headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok());
        let language = chosen
            .or_else(remembered)
            .unwrap_or_else(|| Language::preferred(accepted));
        let is_page = parts.method == http::Method::GET && app.switches_language(parts.uri.path());
        Ok(Self {
            language,
            chose_language: chosen.is_some(),
            session: cookie(&parts.headers, &app.cookie_name("session")).filter(|key| key.len() == KEY_CHARACTERS),
            path: if is_page {
                parts.uri.path().to_owned()
            } else {
                "/".to_owned()
            },
        })
    }
}

/// The value of a cookie, of the first one of that name.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter(|value| value.len() <= MAX_COOKIE_BYTES)
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_owned())
}

impl App {
    /// Browsers enforce `__Host-` over https: this host, no subdomain, no plain http.
    pub(super) fn cookie_name(&self, purpose: &str) -> String {
        let prefix = if self.is_https() { "__Host-" } else { "" };
        format!("{prefix}{}-{purpose}", self.personality.id)
    }

    pub(super) fn session_cookie(&self, key: &str) -> Option<HeaderValue> {
        self.cookie("session", key, MAX_AGE_SECONDS)
    }

    pub(super) fn no_session_cookie(&self) -> Option<HeaderValue> {
        self.cookie("session", "", 0)
    }

    pub(super) fn language_cookie(&self, language: Language) -> Option<HeaderValue> {
        self.cookie("lang", language.tag(), LANGUAGE_SECONDS)
    }

    /// Lax: the cookie comes along when the person returns from the provider, and not with forms of other sites.
    fn cookie(&self, purpose: &str, value: &str, seconds: u64) -> Option<HeaderValue> {
        let name = self.cookie_name(purpose);
        let secure = if self.is_https() { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&text).ok()
    }

    /// Whether a form was sent from one of our own pages. Browsers say so; what says nothing is no browser and has no cookie to abuse.
    pub(super) fn is_own_form(&self, headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        match (text("sec-fetch-site"), text("origin")) {
            (Some(site), _) => matches!(site, "same-origin" | "none"),
            (None, Some(origin)) => origin == self.base_url,
            (None, None) => true,
        }
    }
}
