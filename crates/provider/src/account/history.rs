//! `POST /account/history`: who has done what with her data, newest first, and whether the list is whole.

use std::sync::Arc;

use axum::{body::Bytes, http::HeaderMap, response::Response};
use serde::{Deserialize, Serialize};
use vault::{PersonCapability, PersonScope, ScopeError};

use crate::{
    authenticate,
    consent::{self, Authenticated},
    core::{Core, StepProblem},
    devices,
    history::{Chain, OpenHistory, SealedHistory, Shown},
    people,
    support::json_as_it_is,
    tenant::Tenant,
};

/// Entries on one page.
const PAGE: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryRequest {
    login: String,
    /// The last entry of the page before.
    #[serde(default)]
    before: Option<String>,
}

#[derive(Serialize)]
struct Page {
    entries: Vec<Shown>,
    /// Whether there are older ones.
    more: bool,
    chain: Chain,
}

/// One page of her history.
pub(crate) async fn history(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    let result = async {
        let request: HistoryRequest = authenticate::read(body)?;
        let rights = || enter(core, tenant, headers, &request.login);
        devices::check_still_good(core, tenant, &rights()?).await?;
        let page = |log: OpenHistory, scope: &PersonScope<'_>| page(log, request.before.as_deref(), scope);
        read_whole(core, rights, page).await
    };
    answer(core, result.await)
}

/// An answer to herself, or why there is none.
pub(super) fn answer(core: &Core, result: Result<Vec<u8>, StepProblem>) -> Response {
    match result {
        Ok(answer) => json_as_it_is(answer),
        Err(problem) => core.problem("account_refused", problem).into_json(),
    }
}

/// Who is in her account with this login.
pub(super) fn enter(
    core: &Core,
    tenant: &Tenant,
    headers: &HeaderMap,
    login: &str,
) -> Result<Authenticated, StepProblem> {
    Ok(consent::open_authenticated(
        core,
        tenant,
        tenant.issuer(),
        login,
        headers,
        core.now(),
    )?)
}

/// What was made of a history, and whether that was whole.
type Made = (Vec<u8>, bool);

/// Opens a person's history and makes an answer to her of it. If it is not whole, the claims of other instances are looked at first.
pub(super) async fn read_whole(
    core: &Core,
    rights: impl Fn() -> Result<Authenticated, StepProblem>,
    make: impl Fn(OpenHistory, &PersonScope<'_>) -> Result<Vec<u8>, ScopeError>,
) -> Result<Vec<u8>, StepProblem> {
    let (answer, whole) = read_once(core, rights()?.capability, &make).await?;
    if whole || !SealedHistory::look_again(core, rights()?.capability.tenant()).await? {
        return Ok(answer);
    }
    Ok(read_once(core, rights()?.capability, &make).await?.0)
}

async fn read_once(
    core: &Core,
    capability: PersonCapability,
    make: impl Fn(OpenHistory, &PersonScope<'_>) -> Result<Vec<u8>, ScopeError>,
) -> Result<Made, StepProblem> {
    let identity = people::identity(core, &capability).await?;
    let log = SealedHistory::load(core, capability.tenant(), capability.person_id()).await?;
    let mut whole = true;
    let answer = core.vault.with_person(capability, &identity, |scope| {
        let log = log.open(scope);
        whole = log.chain.ok;
        scope.answer(|_| make(log, scope))
    })??;
    Ok((answer.into_body(), whole))
}

fn page(log: OpenHistory, before: Option<&str>, scope: &PersonScope<'_>) -> Result<Vec<u8>, ScopeError> {
    let person = scope.person_id();
    let newest = match before {
        None => Some(0),
        Some(before) => log.entries.iter().position(|(id, _)| id == before).map(|at| at + 1),
    };
    // An entry that is not there any more has expired meanwhile, and whatever was before it.
    let rest = newest.map_or(0, |newest| log.entries.len() - newest);
    let skipped = log.entries.len() - rest;
    let page = Page {
        more: rest > PAGE,
        chain: log.chain,
        entries: log
            .entries
            .into_iter()
            .skip(skipped)
            .take(PAGE)
            .map(|(id, entry)| Shown::of(person, id, entry))
            .collect(),
    };
    serde_json::to_vec(&page).map_err(|_| ScopeError::Content)
}
