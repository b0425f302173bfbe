//! `POST /devices/pin` and `POST /devices/pin/evaluate`: an app's PIN, tried here without being told (`docs/adr/0018-app-pin.md`).
//!
//! The share stands in the device's sealed record. Every evaluation is a try, written to the freshness ledger before it is answered; an answer
//! signed with the device's key gives the tries back, for only the right PIN unlocks it. When none is left, the card makes a new share.
//!
//! Trusted for: no more than [`MAX_TRIES`](authenticator::pin::MAX_TRIES) PINs are tried between two logins with the device or the card, whatever becomes
//! of the phone's storage or of the database.
//!
//! Does not: learn the PIN, or whether it was right.

use std::sync::Arc;

use authenticator::{
    Method, Reason,
    pin::{Element, PinError, PinShare, Tries},
    policy::Session,
};
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::base64url;
use oidc::login_state::AuthenticatedLogin;
use serde::{Deserialize, Serialize};
use store::Key;
use vault::{PersonId, freshness::FactName};

use crate::{
    authenticate,
    consent::{self, Authenticated},
    core::{Committed, Core, StepProblem},
    freshness::Change,
    history::{self, Entry, Event},
    limits::{Counted, Limit, Network},
    people, rng,
    support::json_response,
    tenant::Tenant,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPin {
    client_id: String,
    /// A login answered with the card, just now.
    login: String,
    device: String,
    blinded: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Try {
    device: String,
    blinded: String,
}

#[derive(Serialize)]
struct Evaluated {
    evaluated: String,
    tries_left: u64,
}

/// Where a device stands, by what it calls itself.
struct Named {
    person: PersonId,
    device_id: [u8; 16],
    key: Key,
}

impl Named {
    /// What has not even a handle's form leads to nobody.
    fn of(core: &Core, tenant: &Tenant, handle: &str) -> Result<Self, StepProblem> {
        let handle = base64url::decode_array::<32>(handle).unwrap_or_default();
        let (person, device_id) = people::of_handle(&handle);
        let key = core.vault.device_key(tenant.id(), &person, &device_id)?;
        Ok(Self { person, device_id, key })
    }
}

fn element(text: &str) -> Result<Element, StepProblem> {
    Element::parse(text).map_err(|error| StepProblem::invalid(format_args!("member 'blinded': {error}")))
}

fn failed(error: PinError) -> StepProblem {
    StepProblem::failed(error)
}

/// Makes a new PIN possible: with the card, for a device of hers.
pub(crate) async fn set(core: &Core, tenant: &Arc<Tenant>, body: &Bytes) -> Response {
    match try_set(core, tenant, body).await {
        Ok(evaluated) => json_response(StatusCode::OK, &evaluated),
        Err(problem) => core.problem("pin_refused", problem).into_json(),
    }
}

fn check_card(login: &AuthenticatedLogin) -> Result<(), StepProblem> {
    let by_card = matches!(login.performed.method, Method::HealthCard | Method::IdentityCard);
    if by_card && login.performed.session == Session::Fresh {
        return Ok(());
    }
    Err(StepProblem::denied(
        Reason::CardLoginNeeded,
        "a PIN is set with a fresh login with the person's own card",
    ))
}

async fn try_set(core: &Core, tenant: &Arc<Tenant>, body: &Bytes) -> Result<Evaluated, StepProblem> {
    let now = core.now();
    let request: NewPin = authenticate::read(body)?;
    let blinded = element(&request.blinded)?;
    let Authenticated { capability, login } =
        consent::open_authenticated(core, tenant, &request.client_id, &request.login, &HeaderMap::new(), now)?;
    check_card(&login)?;
    let person = capability.person_id();
    let named = Named::of(core, tenant, &request.device)?;
    if named.person != person {
        return Err(unknown_device());
    }
    let keys = [person.identity_key(tenant.id()), named.key];
    let mut rows = core.store.load(&keys).await?.into_iter();
    let identity = rows.next().flatten().ok_or_else(people::account_closed)?;
    let row = rows.next().flatten().ok_or_else(unknown_device)?;
    let facts = core
        .vault
        .open_device(tenant.id(), person, &identity, &named.device_id, &row)?;
    let mut device = people::read_device(facts.bytes())?;
    if device.is_passkey() {
        return Err(StepProblem::invalid(
            "member 'device': a passkey is unlocked by its authenticator and has no PIN of the app",
        ));
    }
    let share = PinShare::new(|bytes| *bytes = rng::bytes(&*core.rng)).map_err(failed)?;
    let evaluated = share.evaluate(blinded).map_err(failed)?;
    device.pin = Some(share);
    let content = people::write_device(&device)?;
    let change = core.vault.with_person(capability, &identity, |scope| {
        scope.seal_record(named.key, Some(row.version), &scope.plaintext(content), row.expires_at)
    })??;
    let entry = Entry::of(Event::PinReset, now)
        .proven(&login.performed)
        .about_device(named.device_id);
    let noted = history::note_change(core, tenant.id(), person, &identity, entry, change);
    if noted.await? != Committed::Yes {
        return Err(StepProblem::Unavailable(
            "the device's record is being changed".to_owned(),
        ));
    }
    let tries = give_back(core, tenant, &named.key).await?;
    if let Some((name, floor)) = tries {
        let change = Change {
            facts: vec![(name, floor)],
            ..Change::default()
        };
        core.freshness.change(tenant.id(), change).await?;
    }
    tracing::info!(event = "pin_set", "the PIN of a device was set");
    Ok(Evaluated {
        evaluated: evaluated.to_text(),
        tries_left: Tries::default().left(),
    })
}

/// One try.
pub(crate) async fn evaluate(core: &Core, tenant: &Arc<Tenant>, network: Network, body: &Bytes) -> Response {
    match try_evaluate(core, tenant, network, body).await {
        Ok(evaluated) => json_response(StatusCode::OK, &evaluated),
        Err(problem) => core.problem("pin_refused", problem).into_json(),
    }
}

async fn try_evaluate(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    body: &Bytes,
) -> Result<Evaluated, StepProblem> {
    let mut counted: Vec<Counted<'_>> = vec![(Limit::InsurerFailures, &[])];
    counted.extend(
        network
            .told_apart(&core.limits)
            .map(|network| (Limit::NetworkFailures, &network[..])),
    );
    core.check_room(tenant, &counted).await?;
    let request: Try = authenticate::read(body)?;
    let blinded = element(&request.blinded)?;
    let named = Named::of(core, tenant, &request.device)?;
    let keys = [named.person.identity_key(tenant.id()), named.key];
    let mut rows = core.store.load(&keys).await?.into_iter();
    let (Some(identity), Some(row)) = (rows.next().flatten(), rows.next().flatten()) else {
        // Whoever names devices that are none is counted as one who fails to log in.
        core.count_failure(tenant, &counted).await?;
        return Err(unknown_device());
    };
    let facts = core
        .vault
        .open_device(tenant.id(), named.person, &identity, &named.device_id, &row)?;
    let Some(share) = people::read_device(facts.bytes())?.pin else {
        return Err(unknown_device());
    };
    let tries = take(core, tenant, &named).await?;
    let evaluated = share.evaluate(blinded).map_err(failed)?;
    Ok(Evaluated {
        evaluated: evaluated.to_text(),
        tries_left: tries.left(),
    })
}

/// Takes a try. Durable when this returns; of two at once, each takes one.
async fn take(core: &Core, tenant: &Tenant, named: &Named) -> Result<Tries, StepProblem> {
    let ledger = core.freshness.of(tenant.id()).await?;
    let name = core.vault.pin_tries(&named.key)?;
    let mut taken = Tries::default();
    let result = ledger.spend(name, core.now(), |floor| {
        taken = Tries::from_floor(floor).take().ok_or(0_u64)?;
        Ok(taken.floor())
    });
    match result {
        Ok(()) => {}
        Err(0) => {
            return Err(StepProblem::denied(
                Reason::PinLocked,
                "the PIN was tried too often; set a new one with the health card",
            ));
        }
        Err(seconds) => {
            return Err(StepProblem::Unavailable(format!(
                "too many devices are counted; try again in {seconds} seconds"
            )));
        }
    }
    let change = Change {
        facts: vec![(name, taken.floor())],
        ..Change::default()
    };
    if taken.left() > 0 {
        core.freshness.change(tenant.id(), change).await?;
        return Ok(taken);
    }
    let entry = Entry::of(Event::PinLocked, core.now()).about_device(named.device_id);
    history::note_step(core, tenant.id(), named.person, entry, change).await?;
    tracing::warn!(
        event = "pin_locked",
        "a PIN was tried too often; its device needs the card"
    );
    Ok(taken)
}

/// The floor that gives a device's tries back; `None` where none was used.
async fn give_back(core: &Core, tenant: &Tenant, device: &Key) -> Result<Option<(FactName, u64)>, StepProblem> {
    let ledger = core.freshness.of(tenant.id()).await?;
    let name = core.vault.pin_tries(device)?;
    let floor = ledger.floor_of(&name);
    let given = Tries::from_floor(floor).given_back().floor();
    Ok((given > floor).then_some((name, given)))
}

/// The device's key has signed: whoever holds the phone has the right PIN. Written with the next flush; lost with it, tries stay used.
pub(crate) async fn was_right(
    core: &Core,
    tenant: &Tenant,
    person: PersonId,
    device: &[u8; 16],
) -> Result<(), StepProblem> {
    let key = core.vault.device_key(tenant.id(), &person, device)?;
    if let Some((name, floor)) = give_back(core, tenant, &key).await? {
        core.freshness.of(tenant.id()).await?.shown(name, floor);
    }
    Ok(())
}

/// One answer for a device that is not bound, and for one without a PIN.
fn unknown_device() -> StepProblem {
    StepProblem::denied(
        Reason::DeviceUnknown,
        "member 'device': not bound (any more), or it has no PIN; set one with the health card",
    )
}
