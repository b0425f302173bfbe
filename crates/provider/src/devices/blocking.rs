//! The block code: `POST /account/block-code` sets one, `POST /block` and the page `GET /block` use it without any login.
//!
//! Trusted for: whoever has the code blocks every device of its person, for good until a card login unlocks each, whatever becomes of the database.
//! A code that was replaced opens nothing. Does not: log anybody in, tell whose code it was, or block the card.

use std::sync::Arc;

use authenticator::{Reason, policy::Performed};
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::UnixTime;
use oidc::{
    authorization::AuthorizationError,
    form::Form,
    refusal::{ErrorCode, Refusal},
};
use serde::{Deserialize, Serialize};
use store::Condition;
use vault::{BlockCode, PersonId};

use super::{ATTEMPTS, check_still_good, keep_changing, managing::by_card};
use crate::{
    authenticate,
    authorize::frame,
    consent,
    core::{Committed, Core, StepProblem},
    freshness::Change,
    history::{self, Entry, Event},
    limits::{Counted, Limit, Network},
    pages::{self, BlockPage, BlockState},
    people,
    support::json_response,
    tenant::Tenant,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeWish {
    login: String,
}

#[derive(Serialize)]
struct NewCode {
    /// To be written down: shown this once.
    code: String,
}

/// Sets a code; the one before is worth nothing from then on.
pub(crate) async fn new_code(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    let result = async {
        let wish: CodeWish = authenticate::read(body)?;
        make_code(core, tenant, headers, &wish.login).await
    };
    match result.await {
        Ok(code) => json_response(StatusCode::OK, &NewCode { code: code.written() }),
        Err(problem) => core.problem("account_refused", problem).into_json(),
    }
}

/// Whether this login may put another code in the place of one that is in force.
pub(crate) fn may_replace_code(performed: &Performed) -> bool {
    by_card(performed).is_ok()
}

/// Makes a code for whoever is in her account with this login. Durable when this returns.
pub(crate) async fn make_code(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    login: &str,
) -> Result<BlockCode, StepProblem> {
    let now = core.now();
    let authenticated = consent::open_authenticated(core, tenant, tenant.issuer(), login, headers, now)?;
    check_still_good(core, tenant, &authenticated).await?;
    let capability = authenticated.capability;
    let person = capability.person_id();
    let ledger = core.freshness.of(tenant.id()).await?;
    let before = ledger.block_code_set_at(&core.vault, person);
    let performed = &authenticated.login.performed;
    if before.is_some() && !may_replace_code(performed) {
        // Whoever took her phone would take away what stops him.
        return Err(StepProblem::denied(
            Reason::CardLoginNeeded,
            "another block code needs a login with the health card or identity card",
        ));
    }
    core.spend(tenant, Limit::AccountChanges, person.as_bytes()).await?;
    let mut deletes = Vec::new();
    if let Some(before) = before {
        let code = core.vault.block_code(tenant.id(), person, before)?;
        deletes.push(core.vault.block_code_key(tenant.id(), &code)?);
    }
    for attempt in 0..u64::from(ATTEMPTS) {
        let earliest = before.map_or(now, |before| now.max(before.plus_seconds(1)));
        let set_at = earliest.plus_seconds(attempt);
        let code = core.vault.block_code(tenant.id(), person, set_at)?;
        let way = core.vault.seal_block_code(tenant.id(), &code, person)?;
        let identity = people::identity(core, &capability).await?;
        let conditions = [
            way.condition,
            Condition::VersionIs(person.identity_key(tenant.id()), identity.version),
        ];
        if core.commit(&conditions, &[way.write]).await? != Committed::Yes {
            // Her record has moved, or another code has these letters.
            continue;
        }
        let change = Change {
            facts: vec![(core.vault.block_code_set(tenant.id(), person)?, set_at.0)],
            deletes,
            with_database: true,
        };
        let entry = Entry::of(Event::BlockCodeMade, now).proven(performed);
        history::note_step(core, tenant.id(), person, entry, change).await?;
        tracing::info!(event = "block_code_set", "a person has a new block code");
        return Ok(code);
    }
    Err(keep_changing())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Use {
    code: String,
}

#[derive(Serialize)]
struct Blocked {
    blocked_at: u64,
}

/// `POST /block` with JSON.
pub(crate) async fn block_in_app(core: &Core, tenant: &Arc<Tenant>, network: Network, body: &Bytes) -> Response {
    let result = async {
        let wish: Use = authenticate::read(body)?;
        block(core, tenant, network, &wish.code).await
    };
    match result.await {
        Ok(at) => json_response(StatusCode::OK, &Blocked { blocked_at: at.0 }),
        Err(problem) => core.problem("block_refused", problem).into_json(),
    }
}

/// `GET /block`: for whoever has her code and no phone.
pub(crate) fn block_page(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, query: &str) -> Response {
    let page = BlockPage {
        frame: frame(core, tenant, headers, Some(query)),
        state: BlockState::Asked,
        contacts: &tenant.settings.contacts,
    };
    pages::page(StatusCode::OK, &page)
}

/// `POST /block` with a form.
pub(crate) async fn block_on_page(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    let result = async {
        let form = Form::parse(body).map_err(AuthorizationError::from)?;
        let code = form.value("code").ok_or(AuthorizationError::Missing("code"))?;
        block(core, tenant, network, code).await
    };
    let (status, state) = match result.await {
        Ok(_) => (StatusCode::OK, BlockState::Blocked),
        Err(StepProblem::Refused(refusal)) if refusal.reason == Reason::NotFound => {
            (StatusCode::NOT_FOUND, BlockState::UnknownCode)
        }
        Err(problem) => return core.problem("block_refused", problem).negotiated(headers),
    };
    let page = BlockPage {
        frame: frame(core, tenant, headers, None),
        state,
        contacts: &tenant.settings.contacts,
    };
    pages::page(status, &page)
}

/// Blocks the devices of the person whose code it is. Durable when this returns. Every code that is nobody's gets the same answer: one that has no
/// code's form, one that was never given out, one that was replaced, and one of a person who was deleted.
async fn block(core: &Core, tenant: &Arc<Tenant>, network: Network, code: &str) -> Result<UnixTime, StepProblem> {
    let mut counted: Vec<Counted<'_>> = vec![(Limit::BlockFailures, &[])];
    let network = network.told_apart(&core.limits);
    counted.extend(network.map(|network| (Limit::BlockFailuresByNetwork, &network[..])));
    core.check_room(tenant, &counted).await?;
    let Some(person) = owner(core, tenant, code).await? else {
        core.count_failure(tenant, &counted).await?;
        let refusal = Refusal::new(404, ErrorCode::NotFound, "this block code is not known (any more)");
        return Err(StepProblem::Refused(refusal.because(Reason::NotFound)));
    };
    core.spend(tenant, Limit::AccountChanges, person.as_bytes()).await?;
    let now = core.now();
    let change = Change {
        facts: vec![(core.vault.devices_blocked(tenant.id(), person)?, now.0)],
        ..Change::default()
    };
    history::note_step(core, tenant.id(), person, Entry::of(Event::Blocked, now), change).await?;
    tracing::info!(event = "devices_blocked", "a block code blocked a person's devices");
    Ok(now)
}

/// Whose code in force it is.
async fn owner(core: &Core, tenant: &Arc<Tenant>, code: &str) -> Result<Option<PersonId>, StepProblem> {
    let Some(code) = BlockCode::parse(code) else {
        return Ok(None);
    };
    let key = core.vault.block_code_key(tenant.id(), &code)?;
    let Some(row) = core.store.load(&[key]).await?.into_iter().next().flatten() else {
        return Ok(None);
    };
    let person = core.vault.open_lookup(&key, &row)?;
    let ledger = core.freshness.of(tenant.id()).await?;
    let Some(set_at) = ledger.block_code_set_at(&core.vault, person) else {
        return Ok(None);
    };
    let in_force = core.vault.block_code(tenant.id(), person, set_at)?;
    Ok((in_force.is(&code) && !ledger.is_erased(&core.vault, person)).then_some(person))
}
