//! The part of the login page that waits for the phone. It is a frame of its own, so that only it is fetched again: whoever reads the page around it
//! is not disturbed, with a script or without one.

use std::sync::Arc;

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::UnixTime;
use oidc::{
    authorization::{AuthorizationError, RedirectedError, redirect_with},
    consent::CODE_LIFETIME_SECONDS,
    form::Form,
    login_state::PendingLogin,
};
use vault::StateKind;

use super::{
    digits, link, qr,
    rendezvous::{Outcome, Place, Seen},
};
use crate::{
    authenticate::open_pending,
    authorize::{frame, redirect, redirect_error, waiting_address},
    browser::BrowserCookie,
    core::{Core, StepProblem},
    inbox,
    limits::Network,
    pages::{self, Language, ToPhone, Waiting, WaitingPage},
    tenant::Tenant,
};

/// A login in the browser that began it.
pub(crate) struct Asked<'a> {
    pub(crate) client_id: &'a str,
    sealed: &'a str,
    pub(crate) pending: PendingLogin,
}

/// Only the browser that began a login is told anything of it.
pub(crate) fn asked<'a>(
    core: &Core,
    tenant: &Tenant,
    headers: &HeaderMap,
    form: &'a Form,
    now: UnixTime,
) -> Result<Asked<'a>, AuthorizationError> {
    let value = |name| form.value(name).ok_or(AuthorizationError::Missing(name));
    let (client_id, sealed) = (value("client_id")?, value("login")?);
    let pending = open_pending(core, tenant, client_id, sealed, now)?;
    let cookie = BrowserCookie::from_headers(headers).map(BrowserCookie::tag);
    if pending.browser.is_none() || pending.browser != cookie {
        return Err(AuthorizationError::OtherBrowser);
    }
    Ok(Asked {
        client_id,
        sealed,
        pending,
    })
}

/// Where the frame is, with what became of a request to a phone.
pub(crate) fn frame_address(tenant: &Tenant, asked: &Asked<'_>, told: Option<ToPhone>) -> String {
    let address = waiting_address(tenant, asked.client_id, asked.sealed);
    match told {
        Some(told) => redirect_with(&address, &[("told", told.word())]),
        None => address,
    }
}

/// What the frame says about sending this login to a phone.
async fn to_phone(
    core: &Core,
    tenant: &Tenant,
    headers: &HeaderMap,
    form: &Form,
    now: UnixTime,
) -> Result<ToPhone, StepProblem> {
    if tenant.settings.wallet.is_none() {
        return Ok(ToPhone::No);
    }
    if let Some(told) = form.value("told").and_then(ToPhone::from_word) {
        return Ok(told);
    }
    let Some(right) = inbox::of_browser(core, tenant, headers, now) else {
        return Ok(ToPhone::New);
    };
    Ok(match right.standing(core, tenant, now).await? {
        inbox::Standing::Good => ToPhone::Offer,
        inbox::Standing::Paused(_) => ToPhone::Later,
        inbox::Standing::Gone => ToPhone::New,
    })
}

/// `GET /auth/phone`: how it stands, with a fresh code to scan. Changes nothing.
pub(crate) async fn show(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    query: &str,
    network: Network,
) -> Response {
    match waiting(core, tenant, headers, query, network).await {
        Ok(response) => response,
        Err(problem) => core.problem("waiting_refused", problem).in_frame(headers),
    }
}

async fn waiting(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    query: &str,
    network: Network,
) -> Result<Response, StepProblem> {
    let now = core.now();
    let form = Form::parse(query.as_bytes()).map_err(AuthorizationError::from)?;
    let asked = asked(core, tenant, headers, &form, now)?;
    let party = core.relying_parties.resolve(asked.client_id, now).await?;
    let login = asked.pending.request.login_id;
    let (state, link) = match Place::of(core, tenant, login)?.look().await? {
        Seen::Over => (Waiting::Over, None),
        Seen::Left(left) => (state_of(left.outcome), None),
        Seen::Nothing => {
            let link = link(core, tenant, headers, asked.client_id, &asked.pending, network, now)?;
            (Waiting::ForPhone, link)
        }
    };
    let label = pages::code_label(Language::from_headers(headers));
    let code = link.as_deref().and_then(|link| qr::svg(link, label));
    let digits = digits(core, tenant, &login)?;
    Ok(pages::frame_page(
        StatusCode::OK,
        &WaitingPage {
            frame: frame(core, tenant, headers, None),
            state,
            to_phone: to_phone(core, tenant, headers, &form, now).await?,
            code,
            // Who tries it out has one screen and no camera: a second window plays the phone.
            phone_window: link.as_deref().filter(|_| core.invented_people),
            digits: &digits,
            service: party.name(),
            client_id: asked.client_id,
            login: asked.sealed,
        },
    ))
}

const fn state_of(outcome: Outcome) -> Waiting {
    match outcome {
        Outcome::Approved => Waiting::Approved,
        Outcome::Fetched => Waiting::Over,
        Outcome::Declined => Waiting::Declined,
        Outcome::NumberWrong => Waiting::NumberWrong,
        Outcome::NotMe => Waiting::NotMe,
        Outcome::PhoneCall => Waiting::PhoneCall,
    }
}

/// `POST /auth/return`: the browser that asked goes back to the service, with the code or with an error. The code is given once.
pub(crate) async fn come_back(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    match back(core, tenant, headers, body).await {
        Ok(response) => response,
        Err(problem) => core.problem("return_refused", problem).negotiated(headers),
    }
}

async fn back(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Result<Response, StepProblem> {
    let now = core.now();
    let form = Form::parse(body).map_err(AuthorizationError::from)?;
    let asked = asked(core, tenant, headers, &form, now)?;
    let party = core.relying_parties.resolve(asked.client_id, now).await?;
    let request = &asked.pending.request;
    let place = Place::of(core, tenant, request.login_id)?;
    let left = match place.look().await? {
        Seen::Nothing => return Err(StepProblem::invalid("nothing was decided on the other device yet")),
        Seen::Over => return Err(StepProblem::login_over()),
        Seen::Left(left) => left,
    };
    match left.outcome {
        Outcome::Approved | Outcome::Fetched => {}
        Outcome::Declined | Outcome::NumberWrong | Outcome::NotMe | Outcome::PhoneCall => {
            return redirect_error(core, &party, request, RedirectedError::Declined);
        }
    }
    let (capability, mut code) = place.fetch(left, now).await?;
    // The service's own values were never on the phone: they come from the login in this browser.
    let same = code.client == request.client
        && code.redirect == request.redirect
        && code.code_challenge == request.code_challenge;
    let redirect_uri = party.redirect_uri(request.redirect).filter(|_| same);
    let redirect_uri = redirect_uri.ok_or(AuthorizationError::UnknownRequestUri)?;
    code.nonce.clone_from(&request.nonce);
    code.expires_at = now.plus_seconds(CODE_LIFETIME_SECONDS);
    let sealed = core.seal_login(&capability, StateKind::Code, now, &code.to_bytes())?;
    tracing::info!(event = "code_issued", "code issued");
    let location = redirect_with(redirect_uri, &[("code", &sealed), ("state", &request.state)]);
    let person = capability.person_id();
    inbox::keep_if_ticked(core, tenant, &form, person, &code, redirect(&location), now).await
}
