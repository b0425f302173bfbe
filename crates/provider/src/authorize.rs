//! `GET /auth`: the authorization endpoint (A_22257, A_22312-01, A_22324, A_22325-01, A_22311).
//!
//! A browser gets a page; whoever does not prefer pages gets the same page, or errors as JSON (gematik digest 5). An authenticator app
//! skips this endpoint and begins with `POST /auth/challenge`.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use jose::UnixTime;
use oidc::{
    authorization::{self, AuthorizationError, AuthorizationQuery, NextStep, RedirectedError},
    client::RelyingParty,
    login_state::{LoginRequest, PendingLogin, PushedLogin, SessionState},
    refusal::Refusal,
};
use vault::{PersonCapability, StateKind};

use crate::{
    browser::{self, BrowserCookie},
    consent::{self, Authenticated},
    core::{Core, StepProblem},
    extend,
    pages::{self, Frame, Language, LoginPage},
    tenant::Tenant,
};

/// Answers one call.
pub(crate) async fn authorize(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, query: &str) -> Response {
    match decide(core, tenant, headers, query).await {
        Ok(response) => response,
        Err(problem) => core.problem("authorization_refused", problem).negotiated(headers),
    }
}

async fn decide(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    raw_query: &str,
) -> Result<Response, StepProblem> {
    let now = core.now();
    let query = AuthorizationQuery::parse(raw_query.as_bytes())?;
    let request = open_request(core, tenant, &query.client_id, &query.sealed_request, now)?;
    let party = core.relying_parties.resolve(&query.client_id, now).await?;
    let cookie = BrowserCookie::from_headers(headers).unwrap_or_else(|| BrowserCookie::new(&*core.rng));
    let (capability, session) = current_session(core, tenant, headers, now).await?.unzip();
    let browser = Some(cookie.tag());
    match authorization::decide_next_step(
        &query.client_id,
        request.clone(),
        session,
        browser,
        &tenant.settings.policy,
        now,
    ) {
        NextStep::LoginRequired => redirect_error(core, &party, &request, RedirectedError::LoginRequired),
        NextStep::Authenticate(pending) => {
            let response = login_page(core, tenant, headers, raw_query, &party, &pending, now)?;
            Ok(cookie.set_on(response, tenant))
        }
        NextStep::SignedOn(login) => {
            let capability = capability.ok_or_else(|| StepProblem::failed("a session without a person"))?;
            let authenticated = Authenticated { capability, login };
            let response = consent::next(core, tenant, headers, raw_query, &party, authenticated, now).await?;
            Ok(cookie.set_on(response, tenant))
        }
    }
}

/// The session in this browser. One whose person is gone, or whose device is gone, locked or blocked since, is none: the person authenticates again.
async fn current_session(
    core: &Core,
    tenant: &Tenant,
    headers: &HeaderMap,
    now: UnixTime,
) -> Result<Option<(PersonCapability, SessionState)>, StepProblem> {
    let Some((capability, session)) = browser::session(core, tenant, headers, now) else {
        return Ok(None);
    };
    let person = capability.person_id();
    let mut keys = vec![person.identity_key(tenant.id())];
    if let Some(used) = session.device {
        let at = core.vault.device_key(tenant.id(), &person, &used.device_id)?;
        let ledger = core.freshness.of(tenant.id()).await?;
        let answered_at = session.performed.auth_time;
        if ledger.ends_login(&core.vault, person, &at, answered_at).is_some() {
            return Ok(None);
        }
        keys.push(at);
    }
    let rows = core.store.load(&keys).await?;
    Ok(rows.iter().all(Option::is_some).then_some((capability, session)))
}

/// Opens a request URI's sealed part and holds it against the client.
pub(crate) fn open_request(
    core: &Core,
    tenant: &Tenant,
    client_id: &str,
    sealed: &str,
    now: UnixTime,
) -> Result<LoginRequest, AuthorizationError> {
    let bytes = core
        .open(tenant, StateKind::Pushed, now, sealed)
        .ok_or(AuthorizationError::UnknownRequestUri)?;
    let pushed = PushedLogin::from_bytes(&bytes).map_err(|_| AuthorizationError::UnknownRequestUri)?;
    authorization::check_request(client_id, &pushed, now)?;
    Ok(pushed.request)
}

/// The first page of a login.
pub(crate) fn login_page(
    core: &Core,
    tenant: &Tenant,
    headers: &HeaderMap,
    query: &str,
    party: &RelyingParty,
    pending: &PendingLogin,
    now: UnixTime,
) -> Result<Response, StepProblem> {
    let login = core.seal(tenant, StateKind::Pending, now, &pending.to_bytes())?;
    Ok(pages::page(
        StatusCode::OK,
        &LoginPage {
            frame: frame(core, tenant, headers, Some(query)),
            service: party.name(),
            service_logo: party.logo_uri(),
            authenticator_link: authenticator_link(tenant, party.client_id(), &login),
            wallet_link: wallet_link(tenant, party.client_id(), &login),
            waiting: phone_link(tenant, party.client_id(), &login)
                .map(|_| waiting_address(tenant, party.client_id(), &login)),
            time: extend::frame_address(tenant, party.client_id(), &login),
            login: &login,
            client_id: party.client_id(),
        },
    ))
}

/// Where the person's authenticator is, with the login to go on with.
pub(crate) fn authenticator_link(tenant: &Tenant, client_id: &str, login: &str) -> Option<String> {
    let url = tenant.settings.authenticator_url.as_deref()?;
    Some(authorization::redirect_with(
        url,
        &[("issuer", tenant.issuer()), ("client_id", client_id), ("login", login)],
    ))
}

/// The web wallet, with the login to go on with, where this insurer offers it.
fn wallet_link(tenant: &Tenant, client_id: &str, login: &str) -> Option<String> {
    tenant.settings.wallet.as_ref()?;
    let url = format!("{}/wallet/", tenant.settings.browser_base);
    Some(authorization::redirect_with(
        &url,
        &[("issuer", tenant.issuer()), ("client_id", client_id), ("login", login)],
    ))
}

/// What a phone opens: the wallet, which warns her of callers, where there is one.
pub(crate) fn phone_link(tenant: &Tenant, client_id: &str, login: &str) -> Option<String> {
    wallet_link(tenant, client_id, login).or_else(|| authenticator_link(tenant, client_id, login))
}

/// The frame that waits for a phone.
pub(crate) fn waiting_address(tenant: &Tenant, client_id: &str, login: &str) -> String {
    let url = format!("{}{}", tenant.settings.browser_base, pages::WAITING_PATH);
    authorization::redirect_with(&url, &[("client_id", client_id), ("login", login)])
}

/// What every page of this tenant shows.
pub(crate) fn frame<'a>(core: &Core, tenant: &'a Tenant, headers: &HeaderMap, query: Option<&'a str>) -> Frame<'a> {
    Frame {
        language: Language::from_headers(headers),
        insurer: &tenant.settings.organization_name,
        base: &tenant.settings.browser_base,
        invented: core.invented_people,
        query,
    }
}

/// Sends the browser back to the service with an error.
pub(crate) fn redirect_error(
    core: &Core,
    party: &RelyingParty,
    request: &LoginRequest,
    error: RedirectedError,
) -> Result<Response, StepProblem> {
    let location = error_location(core, party, request, error)?;
    Ok(redirect(&location))
}

/// Where the service is told of an error.
pub(crate) fn error_location(
    core: &Core,
    party: &RelyingParty,
    request: &LoginRequest,
    error: RedirectedError,
) -> Result<String, AuthorizationError> {
    // The address was registered when the request was pushed; if it has been withdrawn since, nobody is sent there.
    let redirect_uri = party
        .redirect_uri(request.redirect)
        .ok_or(AuthorizationError::UnknownRequestUri)?;
    let refusal = Refusal::new(StatusCode::FOUND.as_u16(), error.code(), error.description());
    let description = core
        .problem("answered_with_error", StepProblem::Refused(refusal))
        .description();
    Ok(authorization::redirect_with(
        redirect_uri,
        &[
            ("error", error.code().as_str()),
            ("error_description", &description),
            ("state", &request.state),
        ],
    ))
}

/// 302, not kept by anybody.
pub(crate) fn redirect(location: &str) -> Response {
    use axum::response::IntoResponse;
    let mut response = StatusCode::FOUND.into_response();
    let headers = response.headers_mut();
    if let Ok(location) = location.parse() {
        headers.insert(header::LOCATION, location);
    }
    crate::support::no_store(headers);
    response
}
