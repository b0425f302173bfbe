//! `/auth/consent`: what the person releases, as a page and for authenticator apps (A_22832, A_22939, A_22990).

use std::sync::Arc;

use authenticator::Reason;
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
    login_state::{AuthenticatedLogin, BrowserTag, Remember, SessionState},
    scope::{Claim, ClaimSet, Scope},
};
use serde::{Deserialize, Serialize};
use vault::{PersonCapability, PersonId, StateKind};

use crate::{
    abort::{self, Why},
    account,
    authenticate::{self, ClaimNames, Service},
    authorize::{error_location, frame, redirect, redirect_error},
    browser::{self, BrowserCookie},
    core::{Core, StepProblem},
    devices, extend,
    history::{self, Entry, Event},
    inbox,
    pages::{self, AskingLine, ClaimLine, ConsentPage, Done, DonePage, Language, Notice},
    people::ConsentRows,
    second_device::{
        self,
        rendezvous::{self, Outcome, Place},
    },
    support::json_response,
    tenant::Tenant,
};

/// What an authenticator asks the person.
#[derive(Serialize)]
pub(crate) struct Ask {
    login: String,
    /// The login's last second.
    expires_at: u64,
    /// Whether she can have more time: `POST /auth/extend`.
    extendable: bool,
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
    authenticated: Authenticated,
    rows: Option<ConsentRows>,
    browser: Option<BrowserTag>,
    now: UnixTime,
) -> Result<Ask, StepProblem> {
    let extendable = extend::in_time(tenant, client_id, &authenticated, browser, now).is_yes();
    let Authenticated { capability, login } = authenticated;
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
        // For another device she is asked each time.
        let remembered = remembered.filter(|_| login.asking.is_none());
        (
            service,
            remembered.and_then(|remembered| remembered.answers(&login)).is_some(),
        )
    };
    Ok(Ask {
        login: sealed,
        expires_at: login.expires_at.0,
        extendable,
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
    let form = Form::parse(query.as_bytes()).map_err(AuthorizationError::from);
    let is_of_account = form.as_ref().is_ok_and(|form| {
        form.value("client_id")
            .is_some_and(|client| account::is_account(tenant, client))
    });
    let result = async { show_or_go_on(core, tenant, headers, query, &form?).await };
    match result.await {
        Ok(response) => response,
        Err(problem) if is_of_account => account::refused(core, tenant, headers, "consent_refused", problem),
        Err(problem) => core.problem("consent_refused", problem).negotiated(headers),
    }
}

async fn show_or_go_on(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    query: &str,
    form: &Form,
) -> Result<Response, StepProblem> {
    let now = core.now();
    let (client_id, login) = client_and_login(form)?;
    let authenticated = open_authenticated(core, tenant, client_id, login, headers, now)?;
    if account::is_account(tenant, client_id) {
        devices::check_still_good(core, tenant, &authenticated).await?;
        return account::home(core, tenant, headers, Some(query), authenticated, Notice::None).await;
    }
    rendezvous::check_open(core, tenant, authenticated.login.request.login_id).await?;
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
    let remembered = remembered.filter(|_| login.asking.is_none());
    // Looking up the decision used the right to her record; the sealed login gives it again.
    let (capability, _) = core
        .open_login(tenant, StateKind::Authenticated, now, &sealed)
        .ok_or_else(|| StepProblem::failed("a login sealed just now does not open"))?;
    let authenticated = Authenticated { capability, login };
    let login = &authenticated.login;
    if let Some(decision) = remembered.and_then(|remembered| remembered.answers(login)) {
        return finish_in_browser(core, tenant, party, &authenticated, decision, now).await;
    }
    if login.request.prompts.none() {
        return redirect_error(core, party, &login.request, RedirectedError::ConsentRequired);
    }
    consent_page(core, tenant, headers, Some(query), party, &authenticated, None)
}

/// The question. `chosen`: what she has sent, where the page is shown again.
fn consent_page(
    core: &Core,
    tenant: &Tenant,
    headers: &HeaderMap,
    query: Option<&str>,
    party: &RelyingParty,
    authenticated: &Authenticated,
    chosen: Option<&Form>,
) -> Result<Response, StepProblem> {
    let Authenticated { capability, login } = authenticated;
    let now = core.now();
    let sealed = core.seal_login(capability, StateKind::Authenticated, now, &login.to_bytes())?;
    let language = Language::from_headers(headers);
    let browser = authenticate::browser(headers);
    let client_id = party.client_id();
    let voluntary = lines(language, login.request.voluntary)
        .into_iter()
        .map(|line| ClaimLine {
            is_on: chosen.is_some_and(|form| form.value(&format!("release.{}", line.value)).is_some()),
            ..line
        });
    Ok(pages::page(
        StatusCode::OK,
        &ConsentPage {
            frame: frame(core, tenant, headers, query),
            service: party.name(),
            service_logo: party.logo_uri(),
            client_id,
            essential: lines(language, login.request.essential),
            voluntary: voluntary.collect(),
            lowered: login.performed.level == authenticator::Acr::Substantial,
            asking: login.asking.map(|asking| AskingLine {
                browser: asking.browser.shown(),
                system: asking.system.shown(),
            }),
            time: extend::frame_address(tenant, client_id, &sealed),
            is_extendable: extend::in_time(tenant, client_id, authenticated, browser, now).is_yes(),
            remember: chosen.is_some_and(|form| form.value("remember").is_some()),
            number: chosen.and_then(|form| form.value("number")).unwrap_or_default(),
            login: &sealed,
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
                is_on: false,
            });
        } else {
            lines.extend(of_scope.iter().map(|claim| ClaimLine {
                value: claim.as_str(),
                label: pages::claim_label(language, claim),
                is_on: false,
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
    /// The two digits the other device shows, where the login was begun there.
    #[serde(default)]
    number: Option<String>,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum DecisionWord {
    Approve,
    Decline,
}

#[derive(Serialize)]
struct AppAnswer {
    /// `None`: the device the login was begun on goes on.
    redirect: Option<String>,
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
) -> Result<Option<String>, StepProblem> {
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
    if authenticated.login.asking.is_some() {
        approve_elsewhere(
            core,
            tenant,
            &party,
            &authenticated,
            decision,
            answer.number.as_deref(),
            now,
        )
        .await?;
        return Ok(None);
    }
    finish(core, tenant, &party, &authenticated, decision, now)
        .await
        .map(Some)
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
            if authenticated.login.asking.is_some() {
                let number = form.value("number");
                approve_elsewhere(core, tenant, &party, &authenticated, decision, number, now).await?;
                return Ok(done_page(core, tenant, headers, Done::Approved));
            }
            finish_in_browser(core, tenant, &party, &authenticated, decision, now).await
        }
        Some("more-time") => {
            let authenticated = extend::decision(core, tenant, headers, client_id, login, now).await?;
            consent_page(core, tenant, headers, None, &party, &authenticated, Some(&form))
        }
        Some("decline") => Ok(match decline(core, tenant, headers, &party, login, now).await? {
            Some(location) => redirect(&location),
            None => done_page(core, tenant, headers, Done::Ended),
        }),
        Some(word @ ("not-me" | "phone-call")) => {
            let why = if word == "not-me" { Why::NotMe } else { Why::PhoneCall };
            abort::end(core, tenant, headers, client_id, login, why).await?;
            Ok(done_page(core, tenant, headers, Done::Ended))
        }
        _ => Err(StepProblem::invalid(
            "parameter 'decision' must be 'approve', 'decline', 'more-time', 'not-me' or 'phone-call'",
        )),
    }
}

/// The page on a phone whose login goes on elsewhere, or ended.
fn done_page(core: &Core, tenant: &Tenant, headers: &HeaderMap, done: Done) -> Response {
    pages::page(
        StatusCode::OK,
        &DonePage {
            frame: frame(core, tenant, headers, None),
            done,
        },
    )
}

/// Approves for the device that asked. A wrong number ends the login for both: it is not guessed a second time.
async fn approve_elsewhere(
    core: &Core,
    tenant: &Tenant,
    party: &RelyingParty,
    authenticated: &Authenticated,
    decision: Decision,
    number: Option<&str>,
    now: UnixTime,
) -> Result<(), StepProblem> {
    let Authenticated { capability, login } = authenticated;
    let typed: String = number
        .unwrap_or_default()
        .chars()
        .filter(|typed| !typed.is_whitespace())
        .collect();
    if typed.len() != 2 || !typed.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(StepProblem::invalid(
            "member 'number': expected the two digits that the other device shows",
        ));
    }
    second_device::check_not_cooling_off(core, tenant, capability.person_id()).await?;
    let place = Place::of(core, tenant, login.request.login_id)?;
    if typed != second_device::digits(core, tenant, &login.request.login_id)? {
        let person = capability.person_id();
        end_elsewhere(core, tenant, Some(party), person, login, Outcome::NumberWrong, now).await?;
        return Err(StepProblem::denied(
            Reason::NumberWrong,
            "member 'number' is not what the other device shows; the login has ended there, too",
        ));
    }
    match consent::decide(party.client_id(), login, decision, &tenant.settings.policy, now)? {
        ConsentOutcome::Declined => place.end(Outcome::Declined, None).await,
        ConsentOutcome::Code(code) => place.approve(capability, &code, now).await,
    }
}

/// Declining is possible before and after authentication. `None` where another device goes back to the service.
async fn decline(
    core: &Core,
    tenant: &Tenant,
    headers: &HeaderMap,
    party: &RelyingParty,
    login: &str,
    now: UnixTime,
) -> Result<Option<String>, StepProblem> {
    let (request, asking) = match open_authenticated(core, tenant, party.client_id(), login, headers, now) {
        Ok(Authenticated { capability, login }) => {
            let person = capability.person_id();
            if login.asking.is_some() {
                end_elsewhere(core, tenant, Some(party), person, &login, Outcome::Declined, now).await?;
                return Ok(None);
            }
            history::declined(core, tenant, party, person, &login, now).await?;
            (login.request, None)
        }
        Err(AuthorizationError::UnknownLogin) => {
            let pending = authenticate::open_pending(core, tenant, party.client_id(), login, now)?;
            (pending.request, pending.asking)
        }
        Err(error) => return Err(error.into()),
    };
    if asking.is_some() {
        inbox::answered(core, tenant, asking, Outcome::Declined).await?;
        Place::of(core, tenant, request.login_id)?
            .end(Outcome::Declined, None)
            .await?;
        return Ok(None);
    }
    Ok(Some(error_location(core, party, &request, RedirectedError::Declined)?))
}

/// She ends what another device asks: both are told, and her history.
pub(crate) async fn end_elsewhere(
    core: &Core,
    tenant: &Tenant,
    party: Option<&RelyingParty>,
    person: PersonId,
    login: &AuthenticatedLogin,
    outcome: Outcome,
    now: UnixTime,
) -> Result<(), StepProblem> {
    let event = match outcome {
        Outcome::Declined => Event::Declined,
        Outcome::NumberWrong => Event::Refused,
        Outcome::NotMe => Event::NotMe,
        Outcome::PhoneCall => Event::PhoneCall,
        Outcome::Approved | Outcome::Fetched => return Err(StepProblem::failed("no way to end a login")),
    };
    inbox::answered(core, tenant, login.asking, outcome).await?;
    let entry = Entry::of(event, now)
        .sharing(login.request.requested())
        .proven(&login.performed)
        .with_device(login.device);
    let entry = match party {
        Some(party) => entry.at_service(party),
        None => entry,
    };
    let place = Place::of(core, tenant, login.request.login_id)?;
    place.end(outcome, Some((person, entry))).await
}

/// Turns the person's decision into the address the service is answered at. A login that has ended already gets none: nothing would be got for the
/// code.
async fn finish(
    core: &Core,
    tenant: &Tenant,
    party: &RelyingParty,
    authenticated: &Authenticated,
    decision: Decision,
    now: UnixTime,
) -> Result<String, StepProblem> {
    let Authenticated { capability, login } = authenticated;
    rendezvous::check_open(core, tenant, login.request.login_id).await?;
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
async fn finish_in_browser(
    core: &Core,
    tenant: &Tenant,
    party: &RelyingParty,
    authenticated: &Authenticated,
    decision: Decision,
    now: UnixTime,
) -> Result<Response, StepProblem> {
    let response = redirect(&finish(core, tenant, party, authenticated, decision, now).await?);
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
