//! `/auth/extend` and `/auth/time`: no login ends because a person is slow (WCAG 2.2.1).
//!
//! Each page of a login has a frame that says how long it still lives, warns her in time, and offers more. More time is the same login sealed
//! again with a later end ([`oidc::extension`]): nothing is written, and single use stays with the claim on its identifier.
//!
//! Trusted for: a login that is over, that another device has decided, or that began before a database was put back gets no more time. From then
//! on every copy of it ends within the lifetimes of its steps, which is before its claim may go (`docs/adr/0002-sealed-login-state.md`).

use std::sync::Arc;

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::UnixTime;
use oidc::{
    authorization::{AuthorizationError, redirect_with},
    extension::{self, Extendable},
    form::Form,
    login_state::{AUTHENTICATED_LIFETIME_SECONDS, BrowserTag, LoginId, PENDING_LIFETIME_SECONDS, PendingLogin},
};
use serde::Deserialize;
use vault::StateKind;

use crate::{
    account,
    authenticate::{self, browser, open_pending},
    authorize::{self, frame, redirect},
    consent::{self, Authenticated},
    core::{Core, StepProblem},
    devices, history,
    limits::Network,
    pages::{self, Notice, TimePage},
    second_device::rendezvous::{Place, Seen},
    support::json_response,
    tenant::Tenant,
};

/// Seconds before its end from which a person is warned: WCAG asks for twenty, and the frame looks every fifteen or thirty.
pub const SOON_SECONDS: u64 = 180;

/// A login in one of the steps in which a person takes her time.
enum Step {
    Pending(PendingLogin),
    Authenticated(Authenticated),
}

impl Step {
    fn open(
        core: &Core,
        tenant: &Tenant,
        headers: &HeaderMap,
        client_id: &str,
        login: &str,
        now: UnixTime,
    ) -> Result<Self, AuthorizationError> {
        match consent::open_authenticated(core, tenant, client_id, login, headers, now) {
            Ok(authenticated) => Ok(Self::Authenticated(authenticated)),
            Err(AuthorizationError::UnknownLogin) => {
                open_pending(core, tenant, client_id, login, now).map(Self::Pending)
            }
            Err(error) => Err(error),
        }
    }

    const fn login_id(&self) -> LoginId {
        match self {
            Self::Pending(pending) => pending.request.login_id,
            Self::Authenticated(authenticated) => authenticated.login.request.login_id,
        }
    }

    const fn expires_at(&self) -> UnixTime {
        match self {
            Self::Pending(pending) => pending.expires_at,
            Self::Authenticated(authenticated) => authenticated.login.expires_at,
        }
    }

    /// When it was sealed first, or extended last.
    fn begun_at(&self) -> UnixTime {
        match self {
            Self::Pending(pending) => pending.expires_at.minus_seconds(PENDING_LIFETIME_SECONDS),
            Self::Authenticated(known) => known.login.expires_at.minus_seconds(AUTHENTICATED_LIFETIME_SECONDS),
        }
    }

    /// Whether whoever asks may have more time.
    fn extendable(&self, tenant: &Tenant, client_id: &str, headers: &HeaderMap, now: UnixTime) -> Extendable {
        let browser = browser(headers);
        match self {
            Self::Pending(pending) => Extendable::pending(client_id, pending, browser, now),
            Self::Authenticated(known) => in_time(tenant, client_id, known, browser, now),
        }
    }
}

/// Whether whoever decides in this browser may have more time.
pub(crate) fn in_time(
    tenant: &Tenant,
    client_id: &str,
    known: &Authenticated,
    browser: Option<BrowserTag>,
    now: UnixTime,
) -> Extendable {
    if is_in_an_app(tenant, client_id, known) {
        return Extendable::No;
    }
    Extendable::authenticated(client_id, &known.login, browser, now)
}

/// The account in an app: a gesture of the device opens it anew, and whoever has copied its login must not keep it open.
fn is_in_an_app(tenant: &Tenant, client_id: &str, known: &Authenticated) -> bool {
    account::is_account(tenant, client_id) && known.login.browser.is_none()
}

/// The login with a later end. Writes nothing.
async fn extended(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    client_id: &str,
    login: &str,
    now: UnixTime,
) -> Result<Step, StepProblem> {
    let step = Step::open(core, tenant, headers, client_id, login, now)?;
    let ledger = core.freshness.of(tenant.id()).await?;
    if step.begun_at().0 < ledger.logins_not_before(&core.vault) {
        // The claim on it may have gone with a database that was put back.
        return Err(StepProblem::login_over());
    }
    if !account::is_account(tenant, client_id)
        && !matches!(Place::of(core, tenant, step.login_id())?.look().await?, Seen::Nothing)
    {
        return Err(StepProblem::login_over());
    }
    let browser = browser(headers);
    let step = match step {
        Step::Pending(pending) => Step::Pending(extension::extend_pending(client_id, pending, browser, now)?),
        Step::Authenticated(known) => {
            devices::check_still_good(core, tenant, &known).await?;
            if is_in_an_app(tenant, client_id, &known) {
                return Err(AuthorizationError::ExtendedEnough.into());
            }
            let Authenticated { capability, login } = known;
            let login = extension::extend_authenticated(client_id, login, browser, now)?;
            history::put_off(core, tenant.id(), login.request.login_id.0, login.expires_at);
            Step::Authenticated(Authenticated { capability, login })
        }
    };
    tracing::info!(event = "login_extended", "a person was given more time");
    Ok(step)
}

/// More time for a decision on the consent page, which shows it again with what she chose.
pub(crate) async fn decision(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    client_id: &str,
    login: &str,
    now: UnixTime,
) -> Result<Authenticated, StepProblem> {
    match extended(core, tenant, headers, client_id, login, now).await? {
        Step::Authenticated(authenticated) => Ok(authenticated),
        Step::Pending(_) => Err(AuthorizationError::UnknownLogin.into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoreTime {
    client_id: String,
    login: String,
}

/// `POST /auth/extend` with JSON. The answer is that of the step the login is in, with a later end: a new question, or what to decide.
pub(crate) async fn in_app(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    let result = async {
        let now = core.now();
        let MoreTime { client_id, login } = authenticate::read(body)?;
        match extended(core, tenant, headers, &client_id, &login, now).await? {
            Step::Pending(pending) => {
                let browser = browser(headers);
                let asked = authenticate::ask(core, tenant, network, browser, client_id, pending, now).await?;
                Ok(json_response(StatusCode::OK, &asked))
            }
            Step::Authenticated(known) => {
                let asked = consent::ask(core, tenant, &client_id, known, None, browser(headers), now).await?;
                Ok(json_response(StatusCode::OK, &asked))
            }
        }
    };
    match result.await {
        Ok(response) => response,
        Err(problem) => core.problem("extension_refused", problem).into_json(),
    }
}

fn client_and_login(form: &Form) -> Result<(&str, &str), AuthorizationError> {
    let value = |name| form.value(name).ok_or(AuthorizationError::Missing(name));
    Ok((value("client_id")?, value("login")?))
}

/// `GET /auth/extend`: the page she is on, with more time. Changes nothing here, so it may be asked for again.
pub(crate) async fn on_page(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, query: &str) -> Response {
    match page(core, tenant, headers, query).await {
        Ok(response) => response,
        Err(problem) => core.problem("extension_refused", problem).negotiated(headers),
    }
}

async fn page(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, query: &str) -> Result<Response, StepProblem> {
    let now = core.now();
    let form = Form::parse(query.as_bytes()).map_err(AuthorizationError::from)?;
    let (client_id, login) = client_and_login(&form)?;
    match extended(core, tenant, headers, client_id, login, now).await? {
        Step::Pending(pending) if account::is_account(tenant, client_id) => {
            account::entrance(core, tenant, headers, Some(query), &pending, Notice::None, now)
        }
        Step::Pending(pending) => {
            let party = core.relying_parties.resolve(client_id, now).await?;
            authorize::login_page(core, tenant, headers, query, &party, &pending, now)
        }
        Step::Authenticated(Authenticated { capability, login }) => {
            let sealed = core.seal_login(&capability, StateKind::Authenticated, now, &login.to_bytes())?;
            let address = format!("{}/auth/consent", tenant.settings.browser_base);
            Ok(redirect(&redirect_with(
                &address,
                &[("client_id", client_id), ("login", &sealed)],
            )))
        }
    }
}

/// Where a page of this login finds its frame.
pub(crate) fn frame_address(tenant: &Tenant, client_id: &str, login: &str) -> String {
    let url = format!("{}{}", tenant.settings.browser_base, pages::TIME_PATH);
    redirect_with(&url, &[("client_id", client_id), ("login", login)])
}

/// `GET /auth/time`: how long it lives, in a frame of its own, so that only it is fetched again.
pub(crate) fn show_time(core: &Core, tenant: &Tenant, headers: &HeaderMap, query: &str) -> Response {
    match time_page(core, tenant, headers, query) {
        Ok(response) => response,
        Err(problem) => core.problem("extension_refused", problem).in_frame(headers),
    }
}

fn time_page(core: &Core, tenant: &Tenant, headers: &HeaderMap, query: &str) -> Result<Response, StepProblem> {
    let now = core.now();
    let form = Form::parse(query.as_bytes()).map_err(AuthorizationError::from)?;
    let (client_id, login) = client_and_login(&form)?;
    let (left, extendable, is_decision) = match Step::open(core, tenant, headers, client_id, login, now) {
        Ok(step) => (
            step.expires_at().seconds_since(now),
            step.extendable(tenant, client_id, headers, now),
            matches!(step, Step::Authenticated(_)) && !account::is_account(tenant, client_id),
        ),
        Err(AuthorizationError::ExpiredLogin) => (0, Extendable::No, false),
        Err(error) => return Err(error.into()),
    };
    let url = format!("{}/auth/extend", tenant.settings.browser_base);
    // What she has chosen on the consent page is in a form there: its own button takes it along.
    let extend = (extendable.is_yes() && !is_decision)
        .then(|| redirect_with(&url, &[("client_id", client_id), ("login", login)]));
    Ok(pages::frame_page(
        StatusCode::OK,
        &TimePage {
            frame: frame(core, tenant, headers, None),
            left_seconds: left,
            extend,
            has_button_outside: extendable.is_yes() && is_decision,
        },
    ))
}
