//! The pages a person sees at the provider: choose how to log in, decide what to share, look after one's account, errors.
//!
//! Server-rendered, without JavaScript, in German and English. The look is `assets/page.css` of the repository.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use oidc::refusal::Refusal;

use crate::support::{SupportCode, no_store};

mod account;
mod block;
mod language;
mod reasons;
mod texts;
mod time;

pub use account::{AccountPage, CardLine, CodePage, ConsentLine, DeviceLine, MadeCode, Notice, Stands};
pub use block::{BlockPage, BlockState};
pub use language::Language;
pub(crate) use language::switch;
use texts::Texts;
pub use time::TimePage;

/// The style sheet every page links to.
pub const STYLE: &str = include_str!("../../../assets/page.css");
/// Where pages find it, below the tenant's browser base.
pub const STYLE_PATH: &str = "/page.css";
/// The part of the login page that waits for a phone, below the tenant's browser base.
pub const WAITING_PATH: &str = "/auth/phone";
const WAITING_SCRIPT: &str = include_str!("../../../assets/waiting.js");
/// Where that part finds its script.
pub const WAITING_SCRIPT_PATH: &str = "/waiting.js";

/// The frame that says how long a login still lives, below the tenant's browser base.
pub const TIME_PATH: &str = "/auth/time";
const TIME_SCRIPT: &str = include_str!("../../../assets/time.js");
/// Where that frame finds its script.
pub const TIME_SCRIPT_PATH: &str = "/time.js";

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
    /// Goes on in the insurer's web wallet, here.
    pub wallet_link: Option<String>,
    /// The frame that waits for a phone; `None` where there is nothing a phone could open.
    pub waiting: Option<String>,
    /// The frame that says how long it lives.
    pub time: String,
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
    /// Whether its switch is on.
    pub is_on: bool,
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
    /// Shared where she says so.
    pub voluntary: Vec<ClaimLine>,
    /// Whether a lower level was used, which the person agreed to.
    pub lowered: bool,
    /// The device the login was begun on, where it is another one.
    pub asking: Option<AskingLine>,
    /// The frame that says how long it lives.
    pub time: String,
    /// Whether she can have more time.
    pub is_extendable: bool,
    /// Whether she has chosen to have her decision remembered.
    pub remember: bool,
    /// What she has typed as number.
    pub number: &'a str,
}

/// The device that asked, as people call it; empty where nobody knows.
pub struct AskingLine {
    /// Its browser.
    pub browser: &'static str,
    /// Its system.
    pub system: &'static str,
}

/// How a login stands that is answered on a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Nobody has decided yet.
    ForPhone,
    /// Approved: the browser can go on.
    Approved,
    /// Declined.
    Declined,
    /// Another number was typed.
    NumberWrong,
    /// The person at the phone had not begun it.
    NotMe,
    /// Somebody was on the phone with her.
    PhoneCall,
    /// It went on already, or ended here.
    Over,
}

impl Waiting {
    /// For the script, which shows a new page when this word changes.
    const fn word(self) -> &'static str {
        match self {
            Self::ForPhone => "waiting",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::NumberWrong => "number-wrong",
            Self::NotMe => "not-me",
            Self::PhoneCall => "phone-call",
            Self::Over => "over",
        }
    }
}

/// What a browser may do with the phone it was confirmed with before, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToPhone {
    /// Nothing: this insurer has no wallet that asks.
    No,
    /// It knows no phone; she may tick that it keeps this one.
    New,
    /// It may send this login.
    Offer,
    /// It has.
    Sent,
    /// Not now: too many were sent, or she declined the last one.
    Later,
    /// Not any more: the phone is gone, or she took it back.
    Gone,
}

impl ToPhone {
    /// As the frame's address says it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::New => "new",
            Self::Offer => "offer",
            Self::Sent => "sent",
            Self::Later => "later",
            Self::Gone => "gone",
        }
    }

    /// What became of sending; nothing else is said by an address.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Sent, Self::Later, Self::Gone]
            .into_iter()
            .find(|told| told.word() == word)
    }

    /// Whether she may tick that the next login goes to this phone.
    const fn may_be_kept(self) -> bool {
        matches!(self, Self::New | Self::Gone)
    }
}

/// The part of the login page that waits for a phone.
#[derive(Template)]
#[template(path = "waiting.html")]
pub struct WaitingPage<'a> {
    /// Common parts.
    pub frame: Frame<'a>,
    /// How it stands.
    pub state: Waiting,
    /// What may be done with a phone it knows.
    pub to_phone: ToPhone,
    /// The code to scan, as SVG; `None` where it would be too fine to be read.
    pub code: Option<String>,
    /// Where the code leads, for a second window that plays the phone; only where everybody is invented.
    pub phone_window: Option<&'a str>,
    /// The two digits.
    pub digits: &'a str,
    /// Name of the service.
    pub service: &'a str,
    /// Who asks.
    pub client_id: &'a str,
    /// The login in this browser.
    pub login: &'a str,
}

/// How a login ended on the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Approved: the other device goes on.
    Approved,
    /// Declined or aborted, on both.
    Ended,
}

impl Done {
    const fn is_approved(self) -> bool {
        matches!(self, Self::Approved)
    }
}

/// The last page on a phone whose login goes on elsewhere.
#[derive(Template)]
#[template(path = "done.html")]
pub struct DonePage<'a> {
    /// Common parts.
    pub frame: Frame<'a>,
    /// How it ended.
    pub done: Done,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame<'a>,
    happened: &'static str,
    next: &'static str,
    detail: &'a str,
    support_code: String,
}

/// Renders a page with the headers every page has.
pub fn page<T: Template>(status: StatusCode, template: &T) -> Response {
    rendered(status, template, PAGE_POLICY)
}

/// A page that only a page of ours shows inside it.
pub fn frame_page<T: Template>(status: StatusCode, template: &T) -> Response {
    rendered(status, template, FRAME_POLICY)
}

fn rendered<T: Template>(status: StatusCode, template: &T, policy: &'static str) -> Response {
    let Ok(html) = template.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    no_store(headers);
    response
}

/// No `form-action`: after the decision the browser is sent on to the service, and browsers hold redirects of a form against it.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' https: http://localhost:* http://127.0.0.1:* data:; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'";
const FRAME_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'self'";

/// The script of the part that waits.
pub fn waiting_script() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, WAITING_SCRIPT).into_response()
}

/// The script of the frame that says how long a login still lives.
pub fn time_script() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, TIME_SCRIPT).into_response()
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

/// An error as a page: what happened, what to do, and the code for support. `policy` tells where it is shown.
pub fn problem(language: Language, refusal: &Refusal, support_code: SupportCode, shown: Shown) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (happened, next) = reasons::sentences(language, refusal.reason);
    let page = ProblemPage {
        frame: Frame {
            language,
            insurer: "GesundheitsID",
            base: "",
            invented: false,
            query: None,
        },
        happened,
        next,
        detail: &refusal.description,
        support_code: support_code.to_string(),
    };
    match shown {
        Shown::Alone => self::page(status, &page),
        Shown::InOurFrame => frame_page(status, &page),
    }
}

/// Where a page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// In a window.
    Alone,
    /// Inside a page of ours.
    InOurFrame,
}

/// What a QR code is, for who does not see it.
pub(crate) const fn code_label(language: Language) -> &'static str {
    texts::of(language).qr_label
}

/// The words for a scope or claim on a page.
pub fn claim_label(language: Language, claim: oidc::scope::Claim) -> &'static str {
    texts::claim(language, claim)
}

/// The words for a scope on a page: its claims have one switch.
pub fn scope_label(language: Language, scope: oidc::scope::Scope) -> &'static str {
    texts::scope(language, scope)
}
