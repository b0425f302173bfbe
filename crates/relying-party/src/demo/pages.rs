//! The frame all pages share, their headers, and the documents that never change.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::App;
use super::browser::Visit;
use super::problem::{Kind, Problem};
use super::texts::Texts;
use crate::client::support_code;
use crate::language::Language;

const STYLESHEET: &str = include_str!("../../../../assets/page.css");
/// The stylesheet and pictures are asked for again after this many seconds.
const ASSET_CACHE: &str = "public, max-age=300";

/// What every page needs.
pub(super) struct Frame<'a> {
    pub(super) t: &'static Texts,
    pub(super) language: Language,
    pub(super) service: &'a str,
    pub(super) path: &'a str,
    pub(super) portal_url: Option<&'a str>,
}

impl<'a> Frame<'a> {
    pub(super) fn of(app: &'a App, visit: &'a Visit) -> Self {
        Self {
            t: Texts::of(visit.language),
            language: visit.language,
            service: app.personality.name.get(visit.language),
            path: &visit.path,
            portal_url: app.portal_url.as_deref(),
        }
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame<'a>,
    title: &'static str,
    account: &'static str,
    problem: &'a Problem,
    support_code: &'a str,
}

impl ProblemPage<'_> {
    /// Something to show a developer.
    fn has_details(&self) -> bool {
        self.problem.detail.is_some() || self.problem.refusal.is_some()
    }
}

impl App {
    /// Answers with a page.
    pub(super) fn page(&self, visit: &Visit, status: StatusCode, page: &impl Template) -> Response {
        let Ok(html) = page.render() else {
            tracing::error!(event = "service.not_rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let mut response = (status, Html(html)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(visit.language.tag()));
        if visit.chose_language
            && let Some(cookie) = self.language_cookie(visit.language)
        {
            headers.append(header::SET_COOKIE, cookie);
        }
        response
    }

    /// Answers with the page for a problem, and logs it under the same support code.
    pub(super) fn problem(&self, visit: &Visit, problem: Problem) -> Response {
        let code = support_code().unwrap_or_else(|_| "----".to_owned());
        let refusal = problem.refusal.as_ref();
        tracing::warn!(
            event = problem.kind.event(),
            service = %self.personality.id,
            support_code = %code,
            provider_error = refusal.map(|refusal| refusal.error.as_str()),
            provider_support_code = refusal.and_then(|refusal| refusal.support_code.as_deref()),
            reason = problem.detail.as_deref(),
        );
        let page = ProblemPage {
            frame: Frame::of(self, visit),
            title: problem.kind.title(visit.language),
            account: problem.kind.account(visit.language),
            problem: &problem,
            support_code: &code,
        };
        self.page(visit, problem.kind.status(), &page)
    }

    /// No script, nothing from elsewhere. `form-action` is checked along redirects too, so the way to the providers stands in it.
    fn content_security_policy(&self) -> Option<HeaderValue> {
        let mut policy = String::from(
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
        );
        for origin in &self.login_origins {
            policy.push(' ');
            policy.push_str(origin);
        }
        HeaderValue::from_str(&policy).ok()
    }
}

/// Headers of every answer.
pub(super) async fn protect(State(app): State<Arc<App>>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not no-referrer: browsers would then send forms with `Origin: null`, and a form's origin is checked.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Some(policy) = app.content_security_policy() {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    response
}

pub(super) async fn not_found(State(app): State<Arc<App>>, visit: Visit) -> Response {
    app.problem(&visit, Problem::of(Kind::NotFound))
}

pub(super) async fn stylesheet() -> Response {
    asset("text/css; charset=utf-8", STYLESHEET.to_owned())
}

pub(super) async fn icon(State(app): State<Arc<App>>) -> Response {
    picture("image/svg+xml", app.personality.icon.clone().into_bytes())
}

fn asset(content_type: &'static str, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(ASSET_CACHE));
    response
}

/// A picture, and nothing but a picture, even when somebody opens it by itself: an SVG document could hold scripts.
pub(super) fn picture(content_type: &'static str, body: Vec<u8>) -> Response {
    let mut response = asset(content_type, body);
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox"),
    );
    // Providers show the service's picture on their own pages.
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}
