//! What every page of the portal has: language, frame, headers.

use std::convert::Infallible;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use relying_party::language::Language;
use url::form_urlencoded;

use super::texts::Texts;

/// Remembers a chosen language. Ports of one host share cookies, so the name says whose it is.
const LANGUAGE_COOKIE: &str = "healthid-portal-lang";
/// For a year, in seconds.
const LANGUAGE_SECONDS: u64 = 365 * 24 * 60 * 60;
/// Longest `Cookie` header read, in bytes.
const MAX_COOKIE_BYTES: usize = 8 * 1024;

/// One visit of a browser: its language, and where the language switch leads.
pub(crate) struct Frame {
    pub(crate) language: Language,
    chosen: Option<Language>,
    path: String,
    query: Vec<(String, String)>,
}

impl<S: Sync> FromRequestParts<S> for Frame {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query: Vec<(String, String)> = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
        let chosen = query
            .iter()
            .find(|(name, _)| name == "lang")
            .and_then(|(_, tag)| Language::from_tag(tag));
        let accepted = parts
            .headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok());
        let language = chosen
            .or_else(|| remembered(&parts.headers))
            .unwrap_or_else(|| Language::preferred(accepted));
        Ok(Self {
            language,
            chosen,
            path: parts.uri.path().to_owned(),
            query: query.into_iter().filter(|(name, _)| name != "lang").collect(),
        })
    }
}

fn remembered(headers: &HeaderMap) -> Option<Language> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter(|value| value.len() <= MAX_COOKIE_BYTES)
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == LANGUAGE_COOKIE)
        .and_then(|(_, tag)| Language::from_tag(tag))
}

impl Frame {
    /// The words of this visit's language.
    pub(crate) const fn t(&self) -> &'static Texts {
        Texts::of(self.language)
    }

    /// A value of the query.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// After a form was sent, the switch leads back to the page the form stood on.
    pub(crate) fn at(mut self, path: &str, query: &[(&str, &str)]) -> Self {
        self.path = path.to_owned();
        self.query = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self
    }

    /// Both languages: tag, name, whether it is this one, where the switch leads.
    pub(crate) fn switch(&self) -> Vec<(&'static str, &'static str, bool, String)> {
        Language::ALL
            .into_iter()
            .map(|language| {
                let query = form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(&self.query)
                    .append_pair("lang", language.tag())
                    .finish();
                let link = format!("{}?{query}", self.path);
                (language.tag(), language.name(), language == self.language, link)
            })
            .collect()
    }
}

/// Renders a page with the headers every page has.
pub(crate) fn page(status: StatusCode, frame: &Frame, template: &impl Template) -> Response {
    let Ok(html) = template.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            // No `form-action`: after the card the browser is sent on to the insurer, and browsers hold redirects of a form against it.
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; img-src 'self' https: http://localhost:* data:; base-uri 'none'; frame-ancestors 'none'",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(language) = frame.chosen {
        let cookie = format!(
            "{LANGUAGE_COOKIE}={}; Path=/; Max-Age={LANGUAGE_SECONDS}; HttpOnly; SameSite=Lax",
            language.tag()
        );
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// 303, so that a form is not sent again.
pub(crate) fn see_other(location: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(header::LOCATION, location);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Whether a form was sent from one of our own pages. Browsers say so; what says nothing is no browser.
pub(crate) fn is_own_form(headers: &HeaderMap, own_origin: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin == own_origin,
        (None, None) => true,
    }
}

/// The fields of a form, in order.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// A field, empty where it is missing.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value.as_str())
    }
}
