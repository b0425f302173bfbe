//! The pages a person sees at the provider: choose how to log in, decide what to share, look after one's account, errors.
//!
//! Server-rendered, without JavaScript, in German and English. The look is `assets/page.css` of the repository.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::support::{SupportCode, no_store};

mod block;
mod language;
mod texts;

pub use block::{BlockPage, BlockState};
pub use language::Language;
pub(crate) use language::switch;
use texts::Texts;

/// The style sheet every page links to.
pub const STYLE: &str = include_str!("../../../assets/page.css");
/// Where pages find it, below the tenant's browser base.
pub const STYLE_PATH: &str = "/page.css";

/// What every page shows.
pub struct Frame<'a> {
    /// Its language.
    pub language: Language,
    /// Name of the insurer, or of the product where no insurer is known.
    pub insurer: &'a str,
    /// The tenant's browser base, for style and logo.
    pub base: &'a str,
    /// Whether data here is invented, said on every page.
    pub invented: bool,
    /// The query this page was asked for with, so that it can be asked for in another language; `None` for answers to forms.
    pub query: Option<&'a str>,
}

impl Frame<'_> {
    const fn texts(&self) -> &'static Texts {
        texts::of(self.language)
    }
}

/// The first page of a login: who asks, and how to go on.
#[derive(Template)]
#[template(path = "login.html")]
pub struct LoginPage<'a> {
    /// Common parts.
    pub frame: Frame<'a>,
    /// Name of the service.
    pub service: &'a str,
    /// Its logo, if any.
    pub service_logo: Option<&'a str>,
    /// Goes on to the person's authenticator.
    pub authenticator_link: Option<String>,
    /// The login, for declining.
    pub login: &'a str,
    /// Who asks.
    pub client_id: &'a str,
}

/// One line of the consent page.
pub struct ClaimLine {
    /// Form value: the scope behind the switch.
    pub value: &'static str,
    /// What it is, in the person's words.
    pub label: &'static str,
}

/// What the service asks for.
#[derive(Template)]
#[template(path = "consent.html")]
pub struct ConsentPage<'a> {
    /// Common parts.
    pub frame: Frame<'a>,
    /// Name of the service.
    pub service: &'a str,
    /// Its logo, if any.
    pub service_logo: Option<&'a str>,
    /// Who asks.
    pub client_id: &'a str,
    /// The login.
    pub login: &'a str,
    /// Needed.
    pub essential: Vec<ClaimLine>,
    /// Can be switched off.
    pub voluntary: Vec<ClaimLine>,
    /// Whether a lower level was used, which the person agreed to.
    pub lowered: bool,
}

/// One service the person has decided about.
pub struct ConsentLine {
    /// Names the record.
    pub id: String,
    /// The service.
    pub service: String,
    /// What is shared, in words.
    pub shared: Vec<&'static str>,
    /// When she decided, `YYYY-MM-DD`.
    pub decided_on: String,
}

/// One device bound to the person.
pub struct DeviceLine {
    /// Names the record.
    pub id: String,
    /// Her name for it.
    pub name: String,
    /// Card needed again from, `YYYY-MM-DD`.
    pub valid_until: String,
}

/// The person's account.
#[derive(Template)]
#[template(path = "account.html")]
pub struct AccountPage<'a> {
    /// Common parts.
    pub frame: Frame<'a>,
    /// Goes to the authenticator, before the person is known.
    pub authenticator_link: Option<String>,
    /// The authenticated login, once she is.
    pub login: Option<&'a str>,
    /// Decisions remembered.
    pub consents: Vec<ConsentLine>,
    /// Devices bound.
    pub devices: Vec<DeviceLine>,
    /// What was just done.
    pub done: bool,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame<'a>,
    detail: &'a str,
    support_code: String,
}

/// Renders a page with the headers every page has.
pub fn page<T: Template>(status: StatusCode, template: &T) -> Response {
    let Ok(html) = template.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    // No `form-action`: after the decision the browser is sent on to the service, and browsers hold redirects of a form against it.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; img-src 'self' https: http://localhost:* http://127.0.0.1:* data:; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    no_store(headers);
    response
}

/// The style sheet.
pub fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, STYLE).into_response()
}

/// An error as a page.
pub fn problem(language: Language, status: u16, detail: &str, support_code: SupportCode) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    page(
        status,
        &ProblemPage {
            frame: Frame {
                language,
                insurer: "GesundheitsID",
                base: "",
                invented: false,
                query: None,
            },
            detail,
            support_code: support_code.to_string(),
        },
    )
}

/// The words for a scope or claim on a page.
pub fn claim_label(language: Language, claim: oidc::scope::Claim) -> &'static str {
    texts::claim(language, claim)
}

/// The words for a scope on a page: its claims have one switch.
pub fn scope_label(language: Language, scope: oidc::scope::Scope) -> &'static str {
    texts::scope(language, scope)
}
