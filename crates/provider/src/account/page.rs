//! The account's page with its forms: what apps do with JSON, for people without the wallet and without a script.
//!
//! Each form carries the sealed login, which opens only in the browser that began it: no other site can send one. What is done to a device, and
//! making a code, are the functions behind the JSON endpoints, and so are their rules. Does not: show a code twice.

use std::sync::Arc;

use authenticator::Reason;
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::UnixTime;
use oidc::{
    authorization::{AuthorizationError, redirect_with},
    form::Form,
    scope::{Claim, ClaimSet},
};
use serde::Deserialize;
use vault::StateKind;

use super::{BlockCodeEntry, ConsentEntry, DeviceEntry, DeviceKind, begun, history::enter, read};
use crate::{
    authorize::frame,
    consent::Authenticated,
    core::{Core, StepProblem},
    devices, extend,
    pages::{self, AccountPage, CardLine, CodePage, ConsentLine, DeviceLine, Language, MadeCode, Notice, Stands},
    people,
    support::prefers_html,
    tenant::Tenant,
};

/// What the page shows of her overview.
#[derive(Deserialize)]
struct Read {
    consents: Vec<ConsentEntry>,
    devices: Vec<DeviceEntry>,
    block_code: Option<BlockCodeEntry>,
    blocked_at: Option<u64>,
    cards: Vec<CardLine>,
}

/// The page once the person is known.
pub(crate) async fn home(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    query: Option<&str>,
    authenticated: Authenticated,
    notice: Notice,
) -> Result<Response, StepProblem> {
    let login = seal(core, &authenticated)?;
    let performed = authenticated.login.performed.clone();
    let answer = read(core, tenant, authenticated).await?;
    let read: Read = serde_json::from_slice(&answer).map_err(StepProblem::failed)?;
    let language = Language::from_headers(headers);
    let blocked_at = read.blocked_at.map(UnixTime);
    let consents = read.consents.into_iter().map(|entry| consent_line(language, entry));
    let devices = read.devices.into_iter().map(|entry| device_line(entry, blocked_at));
    Ok(pages::page(
        StatusCode::OK,
        &AccountPage {
            frame: frame(core, tenant, headers, query),
            authenticator_link: None,
            login: Some(&login),
            consents: consents.collect(),
            devices: devices.collect(),
            may_unlock: devices::may_unlock(&performed, blocked_at),
            block_code: read.block_code.map(|code| MadeCode {
                set_at: code.set_at,
                made_on: people::day(UnixTime(code.set_at)),
            }),
            may_replace_code: devices::may_replace_code(&performed),
            cards: read.cards,
            notice,
            time: extend::frame_address(tenant, tenant.issuer(), &login),
        },
    ))
}

fn seal(core: &Core, authenticated: &Authenticated) -> Result<String, StepProblem> {
    let Authenticated { capability, login } = authenticated;
    Ok(core.seal_login(capability, StateKind::Authenticated, core.now(), &login.to_bytes())?)
}

fn consent_line(language: Language, entry: ConsentEntry) -> ConsentLine {
    let shared: ClaimSet = entry.shared.iter().filter_map(|name| Claim::parse(name)).collect();
    ConsentLine {
        shared: shared.iter().map(|claim| pages::claim_label(language, claim)).collect(),
        decided_on: people::day(UnixTime(entry.decided_at)),
        id: entry.id,
        service: entry.service,
    }
}

fn device_line(entry: DeviceEntry, blocked_at: Option<UnixTime>) -> DeviceLine {
    // Of those that are not free: what no card has confirmed since.
    let is_blocked = blocked_at.is_some_and(|at| UnixTime(entry.confirmed_at) <= at);
    DeviceLine {
        is_passkey: entry.kind == DeviceKind::Passkey,
        valid_until: entry.valid_until.map(|time| people::day(UnixTime(time))),
        last_used: entry.last_used.map(|time| people::day(UnixTime(time))),
        stands: match (entry.locked, is_blocked) {
            (false, _) => Stands::Free,
            (true, false) => Stands::Locked,
            (true, true) => Stands::Blocked,
        },
        id: entry.id,
        name: entry.name,
    }
}

fn parse(body: &Bytes) -> Result<Form, StepProblem> {
    Ok(Form::parse(body).map_err(AuthorizationError::from)?)
}

fn field<'a>(form: &'a Form, name: &'static str) -> Result<&'a str, StepProblem> {
    Ok(form.value(name).ok_or(AuthorizationError::Missing(name))?)
}

/// The page after something was done. Whoever has taken away the device she is in with is outside now.
pub(super) async fn home_again(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    authenticated: Authenticated,
) -> Result<Response, StepProblem> {
    match devices::check_still_good(core, tenant, &authenticated).await {
        Ok(()) => home(core, tenant, headers, None, authenticated, Notice::Done).await,
        Err(StepProblem::Refused(_)) => begun(core, tenant, headers, None, Notice::Done),
        Err(problem) => Err(problem),
    }
}

/// An answer to a browser where something does not go on. No service has sent her here: a login that is too old is begun anew on this page.
pub(crate) fn refused(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    event: &'static str,
    problem: StepProblem,
) -> Response {
    let is_expired = matches!(&problem, StepProblem::Refused(refusal) if refusal.reason == Reason::LoginExpired);
    // It stands in the log either way.
    let problem = core.problem(event, problem);
    if is_expired
        && prefers_html(headers)
        && let Ok(mut page) = begun(core, tenant, headers, None, Notice::Expired)
    {
        *page.status_mut() = StatusCode::BAD_REQUEST;
        return page;
    }
    problem.negotiated(headers)
}

fn answer(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, result: Result<Response, StepProblem>) -> Response {
    result.unwrap_or_else(|problem| refused(core, tenant, headers, "account_refused", problem))
}

/// `POST /account/devices` with a form: names a device anew, locks it, unlocks it, or takes it away.
pub(crate) async fn devices_on_page(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    let result = async {
        let form = parse(body)?;
        devices::manage_by_form(core, tenant, headers, &form).await?;
        let authenticated = enter(core, tenant, headers, field(&form, "login")?)?;
        home_again(core, tenant, headers, authenticated).await
    };
    answer(core, tenant, headers, result.await)
}

/// `POST /account/block-code` with a form: makes a code and shows it, this once.
pub(crate) async fn block_code_on_page(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    let result =
        async {
            let form = parse(body)?;
            let login = field(&form, "login")?;
            let instead_of =
                match field(&form, "instead_of")? {
                    "none" => None,
                    set_at => Some(set_at.parse().map(UnixTime).map_err(|_| {
                        StepProblem::invalid("parameter 'instead_of' must be 'none' or a time in seconds")
                    })?),
                };
            let authenticated = enter(core, tenant, headers, login)?;
            devices::check_still_good(core, tenant, &authenticated).await?;
            let ledger = core.freshness.of(tenant.id()).await?;
            if ledger.block_code_set_at(&core.vault, authenticated.capability.person_id()) != instead_of {
                // The page was loaded again, the button pressed twice, or the page is an old one: the code in force stays good.
                return home(core, tenant, headers, None, authenticated, Notice::CodeMade).await;
            }
            let back = redirect_with(
                &format!("{}/auth/consent", tenant.settings.browser_base),
                &[("client_id", tenant.issuer()), ("login", &seal(core, &authenticated)?)],
            );
            let code = devices::make_code(core, tenant, headers, login).await?;
            Ok(pages::page(
                StatusCode::OK,
                &CodePage {
                    frame: frame(core, tenant, headers, None),
                    code: &code.written(),
                    made_on: people::day(core.now()),
                    back,
                },
            ))
        };
    answer(core, tenant, headers, result.await)
}
