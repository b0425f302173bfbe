//! `/auth/consent`: what the person releases, as a page and for authenticator apps (A_22832, A_22939, A_22990).

use std::sync::Arc;

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::UnixTime;
use oidc::{
    authorization::{self, AuthorizationError, RedirectedError, redirect_with},
    client::RelyingParty,
    consent::{self, ConsentOutcome, Decision},
    form::Form,
    login_state::{AuthenticatedLogin, Remember, SessionState},
    scope::{Claim, ClaimSet, Scope},
};
use serde::{Deserialize, Serialize};
use vault::{PersonCapability, StateKind};

use crate::{
    account,
    authenticate::{self, ClaimNames, Service},
    authorize::{error_location, frame, redirect, redirect_error},
    browser::{self, BrowserCookie},
    core::{Core, StepProblem},
    history,
    pages::{self, ClaimLine, ConsentPage, Language},
    people::ConsentRows,
    support::json_response,
    tenant::Tenant,
};

/// What an authenticator asks the person.
#[derive(Serialize)]
pub(crate) struct Ask {
    login: String,
    consent: AskConsent,
}

#[derive(Serialize)]
struct AskConsent {
    service: Service,
    #[serde(flatten)]
    claims: ClaimNames,
    /// Whether she decided this before and asked to remember it: the authenticator may go on without a question.
    remembered: bool,
}

/// The question that follows an authentication. `rows` are this person's for this service, where they have been read already.
pub(crate) async fn ask(
    core: &Core,
    tenant: &Arc<Tenant>,
    client_id: &str,
    capability: PersonCapability,
    login: &AuthenticatedLogin,
    rows: Option<ConsentRows>,
    now: UnixTime,
) -> Result<Ask, StepProblem> {
    let sealed = core.seal_login(&capability, StateKind::Authenticated, now, &login.to_bytes())?;
    let (service, remembered) = if account::is_account(tenant, client_id) {
        (account::service(tenant), true)
    } else {
        let party = core.relying_parties.resolve(client_id, now).await?;
        let service = Service {
            name: party.name().to_owned(),
            logo_uri: party.logo_uri().map(str::to_owned),
        };
        let rows = match rows {
            Some(rows) => rows,
            None => ConsentRows::load(core, &capability, client_id).await?,
        };
        let remembered = rows.decision(core, capability)?;
        (
            service,
            remembered.and_then(|remembered| remembered.answers(login)).is_some(),
        )
    };
    Ok(Ask {
        login: sealed,
        consent: AskConsent {
            service,
            claims: ClaimNames::of(login.request.essential, login.request.voluntary),
            remembered,
        },
    })
}

/// An authenticated login, with the right to the person's record.
pub(crate) struct Authenticated {
    pub(crate) capability: PersonCapability,
    pub(crate) login: AuthenticatedLogin,
}

/// Opens an authenticated login and holds it against client and browser.
pub(crate) fn open_authenticated(
    core: &Core,
    tenant: &Tenant,
    client_id: &str,
    login: &str,
    headers: &HeaderMap,
    now: UnixTime,
) -> Result<Authenticated, AuthorizationError> {
    let (capability, bytes) = core
        .open_login(tenant, StateKind::Authenticated, now, login)
        .ok_or(AuthorizationError::UnknownLogin)?;
    let login = AuthenticatedLogin::from_bytes(&bytes).map_err(|_| AuthorizationError::UnknownLogin)?;
    let browser = BrowserCookie::from_headers(headers).map(BrowserCookie::tag);
    authorization::check_authenticated(client_id, &login, browser, now)?;
    Ok(Authenticated { capability, login })
}

/// `GET /auth/consent`: the browser comes back from the authenticator.
pub(crate) async fn show(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, query: &str) -> Response {
    match show_or_go_on(core, tenant, headers, query).await {
        Ok(response) => response,
        Err(problem) => core.problem("consent_refused", problem).negotiated(headers),
    }
}

async fn show_or_go_on(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    query: &str,
) -> Result<Response, StepProblem> {
    let now = core.now();
    let form = Form::parse(query.as_bytes()).map_err(AuthorizationError::from)?;
    let (client_id, login) = client_and_login(&form)?;
    let authenticated = open_authenticated(core, tenant, client_id, login, headers, now)?;
    if account::is_account(tenant, client_id) {
        return account::home(core, tenant, headers, Some(query), authenticated, account::Done::No).await;
    }
    let party = core.relying_parties.resolve(client_id, now).await?;
    next(core, tenant, headers, query, &party, authenticated, now).await
}

/// What every request for the page names.
fn client_and_login(form: &Form) -> Result<(&str, &str), AuthorizationError> {
    let value = |name| form.value(name).ok_or(AuthorizationError::Missing(name));
    Ok((value("client_id")?, value("login")?))
}

/// Goes on to the service where an earlier decision answers, else asks.
pub(crate) async fn next(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    query: &str,
    party: &RelyingParty,
    authenticated: Authenticated,
    now: UnixTime,
) -> Result<Response, StepProblem> {
    let Authenticated { capability, login } = authenticated;
    let sealed = core.seal_login(&capability, StateKind::Authenticated, now, &login.to_bytes())?;
    let rows = ConsentRows::load(core, &capability, party.client_id()).await?;
    let remembered = rows.decision(core, capability)?;
    if let Some(decision) = remembered.and_then(|remembered| remembered.answers(&login)) {
        // Looking up the decision used the right to her record; the sealed login gives it again.
        let (capability, _) = core
            .open_login(tenant, StateKind::Authenticated, now, &sealed)
            .ok_or_else(|| StepProblem::failed("a login sealed just now does not open"))?;
        let authenticated = Authenticated { capability, login };
        return finish_in_browser(core, tenant, party, &authenticated, decision, now);
    }
    if login.request.prompts.none() {
        return redirect_error(core, party, &login.request, RedirectedError::ConsentRequired);
    }
    let language = Language::from_headers(headers);
    Ok(pages::page(
        StatusCode::OK,
        &ConsentPage {
            frame: frame(core, tenant, headers, Some(query)),
            service: party.name(),
            service_logo: party.logo_uri(),
            client_id: party.client_id(),
            login: &sealed,
            essential: lines(language, login.request.essential),
            voluntary: lines(language, login.request.voluntary),
            lowered: login.performed.level == authenticator::Acr::Substantial,
        },
    ))
}

/// One line a scope: a person objects to scopes, not to technical members (A_22939). A scope of which only some claims are in this
/// list is shown claim by claim.
fn lines(language: Language, claims: ClaimSet) -> Vec<ClaimLine> {
    let mut lines = Vec::new();
    for scope in Scope::ALL {
        let of_scope = scope.claims().intersection(claims);
        if of_scope.is_empty() {
            continue;
        }
        if of_scope == scope.claims() {
            lines.push(ClaimLine {
                value: scope.as_str(),
                label: pages::scope_label(language, *scope),
            });
        } else {
            lines.extend(of_scope.iter().map(|claim| ClaimLine {
                value: claim.as_str(),
                label: pages::claim_label(language, claim),
            }));
        }
    }
    lines
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppDecision {
    client_id: String,
    login: String,
    decision: DecisionWord,
    #[serde(default)]
    claims: Vec<String>,
    #[serde(default)]
    remember: bool,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum DecisionWord {
    Approve,
    Decline,
}

#[derive(Serialize)]
struct AppAnswer {
    redirect: String,
}

/// `POST /auth/consent` with JSON: an authenticator app brings the person's decision.
pub(crate) async fn decide_in_app(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    match app_decision(core, tenant, headers, body).await {
        Ok(redirect) => json_response(StatusCode::OK, &AppAnswer { redirect }),
        Err(problem) => core.problem("consent_refused", problem).into_json(),
    }
}

async fn app_decision(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<String, StepProblem> {
    let now = core.now();
    let answer: AppDecision = authenticate::read(body)?;
    let party = core.relying_parties.resolve(&answer.client_id, now).await?;
    if answer.decision == DecisionWord::Decline {
        return decline(core, tenant, headers, &party, &answer.login, now).await;
    }
    let authenticated = open_authenticated(core, tenant, &answer.client_id, &answer.login, headers, now)?;
    let voluntary = answer
        .claims
        .iter()
        .map(|name| {
            Claim::parse(name).ok_or_else(|| StepProblem::invalid("member 'claims' holds a claim that does not exist"))
        })
        .collect::<Result<ClaimSet, _>>()?;
    let decision = Decision::Approve {
        voluntary,
        remember: if answer.remember { Remember::Yes } else { Remember::No },
    };
    finish(core, tenant, &party, &authenticated, decision, now)
}

/// `POST /auth/consent` with a form: the page brings the person's decision.
pub(crate) async fn decide_on_page(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    match page_decision(core, tenant, headers, body).await {
        Ok(response) => response,
        Err(problem) => core.problem("consent_refused", problem).negotiated(headers),
    }
}

async fn page_decision(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, StepProblem> {
    let now = core.now();
    let form = Form::parse(body).map_err(AuthorizationError::from)?;
    let (client_id, login) = client_and_login(&form)?;
    let party = core.relying_parties.resolve(client_id, now).await?;
    match form.value("decision") {
        Some("approve") => {
            let authenticated = open_authenticated(core, tenant, client_id, login, headers, now)?;
            let mut voluntary = ClaimSet::EMPTY;
            for name in form.names_with_prefix("release.") {
                let claims = Scope::parse(name)
                    .map(Scope::claims)
                    .or_else(|| Claim::parse(name).map(|claim| ClaimSet::EMPTY.with(claim)))
                    .ok_or_else(|| {
                        StepProblem::invalid("a parameter 'release.*' names nothing that can be released")
                    })?;
                voluntary = voluntary.union(claims);
            }
            let remember = if form.value("remember").is_some() {
                Remember::Yes
            } else {
                Remember::No
            };
            let decision = Decision::Approve { voluntary, remember };
            finish_in_browser(core, tenant, &party, &authenticated, decision, now)
        }
        Some("decline") => decline(core, tenant, headers, &party, login, now)
            .await
            .map(|location| redirect(&location)),
        _ => Err(StepProblem::invalid(
            "parameter 'decision' must be 'approve' or 'decline'",
        )),
    }
}

/// Declining is possible before and after authentication.
async fn decline(
    core: &Core,
    tenant: &Tenant,
    headers: &HeaderMap,
    party: &RelyingParty,
    login: &str,
    now: UnixTime,
) -> Result<String, StepProblem> {
    let request = match open_authenticated(core, tenant, party.client_id(), login, headers, now) {
        Ok(Authenticated { capability, login }) => {
            history::declined(core, tenant, party, capability.person_id(), &login, now).await?;
            login.request
        }
        Err(AuthorizationError::UnknownLogin) => {
            authenticate::open_pending(core, tenant, party.client_id(), login, now)?.request
        }
        Err(error) => return Err(error.into()),
    };
    Ok(error_location(core, party, &request, RedirectedError::Declined)?)
}

/// Turns the person's decision into the address the service is answered at.
fn finish(
    core: &Core,
    tenant: &Tenant,
    party: &RelyingParty,
    authenticated: &Authenticated,
    decision: Decision,
    now: UnixTime,
) -> Result<String, StepProblem> {
    let Authenticated { capability, login } = authenticated;
    match consent::decide(party.client_id(), login, decision, &tenant.settings.policy, now)? {
        ConsentOutcome::Declined => Ok(error_location(core, party, &login.request, RedirectedError::Declined)?),
        ConsentOutcome::Code(code) => {
            let redirect_uri = party
                .redirect_uri(code.redirect)
                .ok_or(AuthorizationError::UnknownRequestUri)?;
            let sealed = core.seal_login(capability, StateKind::Code, now, &code.to_bytes())?;
            tracing::info!(event = "code_issued", "code issued");
            Ok(redirect_with(
                redirect_uri,
                &[("code", &sealed), ("state", &login.request.state)],
            ))
        }
    }
}

/// As [`finish`], for a browser: it is sent on, and keeps a session where some service may use it; never after a guest login.
fn finish_in_browser(
    core: &Core,
    tenant: &Tenant,
    party: &RelyingParty,
    authenticated: &Authenticated,
    decision: Decision,
    now: UnixTime,
) -> Result<Response, StepProblem> {
    let response = redirect(&finish(core, tenant, party, authenticated, decision, now)?);
    let Authenticated { capability, login } = authenticated;
    let sso = &tenant.settings.policy.sso;
    let guest = login.performed.method == authenticator::Method::GuestHealthCard;
    let session = SessionState {
        performed: login.performed.clone(),
        device: login.device,
        expires_at: login.performed.auth_time.plus_seconds(sso.max_age_seconds),
    };
    if guest || sso.allowed_clients.is_empty() || login.browser.is_none() || session.expires_at <= now {
        return Ok(response);
    }
    Ok(browser::set_session(core, response, tenant, capability, &session, now))
}
