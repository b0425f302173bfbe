//! Demo services: a patient record and an e-prescription that people can log in to, with server-rendered pages.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use relying_party::client::{Clock, RelyingParty};
//! # use relying_party::demo::{DemoService, DemoServiceConfig, Personality};
//! # fn serve(party: Arc<RelyingParty>, clock: Clock) -> Result<(), Box<dyn std::error::Error>> {
//! let service = DemoService::new(DemoServiceConfig {
//!     personality: Personality::patient_record(),
//!     base_url: "http://localhost:8406".into(),
//!     party,
//!     clock,
//!     login_origins: vec!["http://localhost:8402".into()],
//!     portal_url: Some("http://localhost:8400/".into()),
//! })?;
//! let pages: axum::Router = service.router();                 // for browsers, at base_url
//! let statements: axum::Router = service.federation_router(); // for the federation, at the entity identifier
//! # Ok(()) }
//! ```
//!
//! Pages: no script, one style sheet of their own, German and English, a strict content security policy.
//!
//! **Trusted for:** a login ends in the browser it began in. **Does not:** hold anything real. It keeps and shows the token, which a service
//! in production does not (A_23050).

mod account;
mod browser;
mod evidence;
mod login;
mod logo;
mod pages;
mod personality;
mod problem;
mod rehearsal;
mod sessions;
mod texts;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use url::Url;

use crate::client::{Clock, KeyPurpose, KeyRingError, KeyStatus, RelyingParty, federation_router};

pub use evidence::EvidenceCheck;
pub use login::{MAX_SHOWN_INSURERS, MAX_STATE_CHARACTERS};
pub use logo::{MAX_KEPT_LOGOS, MAX_LOGO_BYTES};
pub use personality::{ICON_PATH, Localised, Personality, RETURN_PATH};
pub use rehearsal::{REHEARSAL_HEADER, RolloverStep};
pub use sessions::{IDLE_SECONDS, MAX_AGE_SECONDS, MAX_PENDING, MAX_SESSIONS, PENDING_SECONDS};

/// Largest form accepted, in bytes.
pub const MAX_FORM_BYTES: usize = oidc::form::MAX_FORM_BYTES;

/// Why there is no demo service.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DemoServiceError {
    /// `base_url` or one of `login_origins` is no origin.
    #[error("{member} must be an origin such as http://localhost:8406: scheme, host, perhaps a port, nothing behind")]
    Origin {
        /// Which one.
        member: &'static str,
    },
    /// The relying party does not have the return address of the pages.
    #[error("the relying party's redirect_uris must contain {expected}")]
    RedirectUri {
        /// `base_url` and [`RETURN_PATH`].
        expected: String,
    },
    /// The personality's `id` cannot begin a cookie's name.
    #[error("personality.id must be 1 to 40 lower-case letters, digits and hyphens")]
    Id,
}

/// What a demo service is made of.
#[derive(Clone)]
pub struct DemoServiceConfig {
    /// What it is.
    pub personality: Personality,
    /// The origin browsers reach its pages at.
    pub base_url: String,
    /// Its place in the federation; see [`Personality::relying_party_config`].
    pub party: Arc<RelyingParty>,
    /// Tells the time.
    pub clock: Clock,
    /// Origins of the authorization endpoints (and of what they redirect to) that a form may lead to without a page in between. Browsers
    /// check them against the content security policy; providers elsewhere get a page with a link.
    pub login_origins: Vec<String>,
    /// The sandbox's overview, for the footer.
    pub portal_url: Option<String>,
}

/// What every handler knows.
pub(crate) struct App {
    personality: Personality,
    base_url: String,
    party: Arc<RelyingParty>,
    clock: Clock,
    login_origins: Vec<String>,
    portal_url: Option<String>,
    evidence: OnceLock<EvidenceCheck>,
    sessions: sessions::Sessions,
    logos: logo::Logos,
}

/// A demo service, ready to be served.
#[derive(Clone)]
pub struct DemoService {
    app: Arc<App>,
}

impl DemoService {
    /// A demo service; nothing is fetched yet.
    ///
    /// # Errors
    /// [`DemoServiceError`].
    pub fn new(config: DemoServiceConfig) -> Result<Self, DemoServiceError> {
        let DemoServiceConfig {
            personality,
            base_url,
            party,
            clock,
            login_origins,
            portal_url,
        } = config;
        check_origin(&base_url, "base_url")?;
        for origin in &login_origins {
            check_origin(origin, "login_origins")?;
        }
        let is_named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=40).contains(&personality.id.len()) || !personality.id.bytes().all(is_named) {
            return Err(DemoServiceError::Id);
        }
        let expected = format!("{base_url}{RETURN_PATH}");
        if !party.config().redirect_uris.contains(&expected) {
            return Err(DemoServiceError::RedirectUri { expected });
        }
        let (evidence, sessions, logos) = Default::default();
        let app = App {
            personality,
            base_url,
            party,
            clock,
            login_origins,
            portal_url,
            evidence,
            sessions,
            logos,
        };
        Ok(Self { app: Arc::new(app) })
    }

    /// Has the token page show what runs at the person's provider. The first call counts.
    pub fn check_evidence(&self, check: EvidenceCheck) {
        let _ = self.app.evidence.set(check);
    }

    /// The pages, for browsers.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(login::start))
            .route("/login", post(login::login))
            .route(RETURN_PATH, get(login::callback))
            .route("/account", get(account::account))
            .route("/token", get(account::token))
            .route("/logout", post(account::logout))
            .route("/logo", get(logo::logo))
            .route("/service.css", get(pages::stylesheet))
            .route(ICON_PATH, get(pages::icon))
            .fallback(pages::not_found)
            .method_not_allowed_fallback(pages::not_found)
            .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
            .layer(middleware::map_response_with_state(
                Arc::clone(&self.app),
                pages::protect,
            ))
            .with_state(Arc::clone(&self.app))
    }

    /// The entity statement and the signed key set, for the federation.
    pub fn federation_router(&self) -> Router {
        federation_router(Arc::clone(&self.app.party), Arc::clone(&self.app.clock))
    }

    /// Key rollover over HTTP, for rehearsals: `GET /keys`, `POST /keys/{purpose}/{step}` with header [`REHEARSAL_HEADER`]. Without any
    /// authentication: to be served on loopback, in a sandbox only.
    pub fn rehearsal_router(&self) -> Router {
        rehearsal::router(self.clone())
    }

    /// Its place in the federation.
    pub fn party(&self) -> &Arc<RelyingParty> {
        &self.app.party
    }

    /// What it is.
    pub fn personality(&self) -> &Personality {
        &self.app.personality
    }

    /// Where browsers reach it.
    pub fn base_url(&self) -> &str {
        &self.app.base_url
    }

    /// One step of a key rollover. Returns all keys as they stand afterwards.
    ///
    /// # Errors
    /// [`KeyRingError`].
    pub fn roll_over(&self, purpose: KeyPurpose, step: RolloverStep) -> Result<Vec<KeyStatus>, KeyRingError> {
        let keys = self.app.party.keys();
        let now = (self.app.clock)();
        match step {
            RolloverStep::Add => drop(keys.add_next(purpose, now)?),
            RolloverStep::Switch => drop(keys.switch(purpose)?),
            RolloverStep::Retire => drop(keys.retire(purpose, now)?),
        }
        Ok(keys.status())
    }
}

impl std::fmt::Debug for DemoService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "DemoService({})", self.app.personality.id)
    }
}

impl App {
    fn is_https(&self) -> bool {
        self.base_url.starts_with("https://")
    }

    /// Pages whose address means the same when it is opened again, so that the language switch can lead there.
    fn switches_language(&self, path: &str) -> bool {
        matches!(path, "/" | "/account" | "/token")
    }
}

fn check_origin(text: &str, member: &'static str) -> Result<(), DemoServiceError> {
    let is_origin =
        Url::parse(text).is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == text);
    if is_origin {
        Ok(())
    } else {
        Err(DemoServiceError::Origin { member })
    }
}

#[cfg(test)]
mod tests;
