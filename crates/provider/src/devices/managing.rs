//! `POST /account/devices` and `POST /devices/confirm`: looking after devices that are bound.
//!
//! Trusted for: a lock holds whatever becomes of the database, and only a login with the card takes it away. Does not: end what a device has begun
//! at a service; what it has begun here ends with the lock.

use std::sync::Arc;

use authenticator::{
    Method, Reason,
    device::Standing,
    policy::{Performed, Session},
};
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::UnixTime;
use oidc::{authorization::AuthorizationError, form::Form};
use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value},
};
use store::{Key, Write};
use vault::{PersonId, freshness::GONE};

use super::{change, named, not_hers, read};
use crate::{
    authenticate,
    consent::{self, Authenticated},
    core::{Core, StepProblem},
    freshness::{Change, Ledger},
    history::{self, Entry, Event},
    limits::Limit,
    support::json_response,
    tenant::Tenant,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    login: String,
    device: String,
    action: Action,
    /// The new name: with `rename` and nothing else.
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Rename,
    Lock,
    Unlock,
    Remove,
}

/// Whether a login that a device answered still counts: a device that was removed, locked or blocked since takes its logins with it.
pub(crate) async fn check_still_good(
    core: &Core,
    tenant: &Tenant,
    authenticated: &Authenticated,
) -> Result<(), StepProblem> {
    let Some(used) = authenticated.login.device else {
        return Ok(());
    };
    let person = authenticated.capability.person_id();
    let at = core.vault.device_key(tenant.id(), &person, &used.device_id)?;
    let ledger = core.freshness.of(tenant.id()).await?;
    match ledger.ends_login(&core.vault, person, &at, authenticated.login.performed.auth_time) {
        None => Ok(()),
        Some(reason) => Err(StepProblem::denied(
            reason,
            "this login's device was removed, locked or blocked since",
        )),
    }
}

/// Whether it was the card, just now.
pub(super) fn by_card(performed: &Performed) -> Result<(), StepProblem> {
    let is_card = matches!(performed.method, Method::HealthCard | Method::IdentityCard);
    if is_card && performed.session == Session::Fresh {
        return Ok(());
    }
    Err(StepProblem::denied(
        Reason::CardLoginNeeded,
        "this needs a login with the health card or identity card",
    ))
}

/// A card login from before the block code was used unblocks nothing.
fn is_after_block(performed: &Performed, blocked_at: Option<UnixTime>) -> bool {
    blocked_at.is_none_or(|blocked_at| performed.auth_time > blocked_at)
}

/// Whether this login may unlock devices. `blocked_at`: when the person's block code was used last.
pub(crate) fn may_unlock(performed: &Performed, blocked_at: Option<UnixTime>) -> bool {
    by_card(performed).is_ok() && is_after_block(performed, blocked_at)
}

/// `POST /account/devices`.
pub(crate) async fn manage(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    match try_manage(core, tenant, headers, body).await {
        Ok(()) => json_response(StatusCode::OK, &serde_json::Map::new()),
        Err(problem) => core.problem("account_refused", problem).into_json(),
    }
}

async fn try_manage(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Result<(), StepProblem> {
    carry_out(core, tenant, headers, authenticate::read(body)?).await
}

/// The same by a form of the account's page, with the same fields.
pub(crate) async fn manage_by_form(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    form: &Form,
) -> Result<(), StepProblem> {
    let field = |name| form.value(name).ok_or(AuthorizationError::Missing(name));
    let action: Result<Action, value::Error> = Action::deserialize(field("action")?.into_deserializer());
    let wish = Wish {
        login: field("login")?.to_owned(),
        device: field("device")?.to_owned(),
        action: action
            .map_err(|_| StepProblem::invalid("parameter 'action' must be 'rename', 'lock', 'unlock' or 'remove'"))?,
        name: form.value("name").map(str::to_owned),
    };
    carry_out(core, tenant, headers, wish).await
}

async fn carry_out(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, wish: Wish) -> Result<(), StepProblem> {
    let now = core.now();
    let enter = || {
        Ok(consent::open_authenticated(
            core,
            tenant,
            tenant.issuer(),
            &wish.login,
            headers,
            now,
        )?)
    };
    let authenticated: Authenticated = enter()?;
    check_still_good(core, tenant, &authenticated).await?;
    let person = authenticated.capability.person_id();
    let (id, at) = named(core, tenant, person, &wish.device)?;
    let work = Work {
        core,
        tenant,
        person,
        at,
        ledger: core.freshness.of(tenant.id()).await?,
    };
    if (wish.action == Action::Rename) != wish.name.is_some() {
        return Err(StepProblem::invalid(
            "member 'name': needed for 'rename', and for nothing else",
        ));
    }
    core.spend(tenant, Limit::AccountChanges, person.as_bytes()).await?;
    let performed = &authenticated.login.performed;
    let entry = |event| Entry::of(event, now).proven(performed).about_device(id);
    match (wish.action, &wish.name) {
        (Action::Rename, name) => {
            let name = name.as_deref().unwrap_or_default();
            let entry = entry(Event::DeviceRenamed);
            change(core, &work.at, enter, &entry, |device| device.rename(name)).await?;
            tracing::info!(event = "device_renamed", "a device got another name");
            Ok(())
        }
        (Action::Lock, _) => work.lock(entry(Event::DeviceLocked)).await,
        (Action::Unlock, _) => work.unlock(enter, performed, &entry).await,
        (Action::Remove, _) => remove(core, tenant, person, work.at, entry(Event::DeviceRemoved)).await,
    }
}

/// What is done to one device.
struct Work<'a> {
    core: &'a Core,
    tenant: &'a Tenant,
    person: PersonId,
    at: Key,
    ledger: Arc<Ledger>,
}

impl Work<'_> {
    async fn turn(&self, locks: u64, entry: Entry) -> Result<(), StepProblem> {
        let change = Change {
            facts: vec![(self.core.vault.device_locked(&self.at)?, locks)],
            ..Change::default()
        };
        history::note_step(self.core, self.tenant.id(), self.person, entry, change).await
    }

    /// Nothing is done to one that is locked already.
    async fn lock(&self, entry: Entry) -> Result<(), StepProblem> {
        if !is_there(self.core, self.at).await? {
            return Err(not_hers());
        }
        let locks = self.ledger.locks(&self.core.vault, &self.at);
        if locks.is_multiple_of(2) {
            self.turn(locks.saturating_add(1), entry).await?;
            tracing::info!(event = "device_locked", "a device was locked");
        }
        Ok(())
    }

    /// Takes the lock away, and the block code's: then the card login confirms the device, so that it counts from there. Nothing is done where
    /// nothing stands against it.
    async fn unlock(
        &self,
        enter: impl Fn() -> Result<Authenticated, StepProblem>,
        performed: &Performed,
        entry: impl Fn(Event) -> Entry,
    ) -> Result<(), StepProblem> {
        by_card(performed)?;
        self.check_after_block(performed)?;
        let device = read(self.core, enter()?.capability, &self.at).await?;
        let locks = self.ledger.locks(&self.core.vault, &self.at);
        let is_locked = !locks.is_multiple_of(2);
        if device.standing() == Standing::Blocked {
            // Where it was locked by hand, too, this is only the first half.
            let entry = entry(if is_locked {
                Event::DeviceConfirmed
            } else {
                Event::DeviceUnlocked
            });
            change(self.core, &self.at, enter, &entry, |device| device.confirm(performed)).await?;
        }
        if is_locked {
            self.turn(locks.saturating_add(1), entry(Event::DeviceUnlocked)).await?;
        }
        if device.standing() != Standing::Free {
            tracing::info!(event = "device_unlocked", "a device was unlocked with the card");
        }
        Ok(())
    }

    fn check_after_block(&self, performed: &Performed) -> Result<(), StepProblem> {
        if is_after_block(performed, self.ledger.blocked_at(&self.core.vault, self.person)) {
            return Ok(());
        }
        Err(StepProblem::denied(
            Reason::CardLoginNeeded,
            "the devices were blocked since this login: log in with the card again",
        ))
    }
}

/// Takes a device of hers away, for good. Nothing is done where there is none (any more). Durable when this returns.
pub(crate) async fn remove(
    core: &Core,
    tenant: &Tenant,
    person: PersonId,
    at: Key,
    entry: Entry,
) -> Result<(), StepProblem> {
    if !is_there(core, at).await? {
        return Ok(());
    }
    let change = Change {
        facts: vec![(core.vault.device_revoked(&at)?, GONE)],
        deletes: vec![at],
        with_database: true,
    };
    history::note_step(core, tenant.id(), person, entry, change).await?;
    // Where it was woken: nobody looks there any more without the device.
    let woken_at = core.vault.subscription_key(&at)?;
    core.commit(&[], &[Write::Delete(woken_at)]).await?;
    tracing::info!(event = "device_removed", "taken back");
    Ok(())
}

async fn is_there(core: &Core, at: Key) -> Result<bool, StepProblem> {
    Ok(core.store.load(&[at]).await?.into_iter().flatten().next().is_some())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    client_id: String,
    login: String,
    device: String,
}

#[derive(Serialize)]
struct Confirmed {
    /// Until then it logs in without the card, in seconds since 1970.
    valid_until: u64,
}

/// `POST /devices/confirm`: a login with the card starts the device's interval anew, also before it is over.
pub(crate) async fn confirm(core: &Core, tenant: &Arc<Tenant>, body: &Bytes) -> Response {
    match try_confirm(core, tenant, body).await {
        Ok(confirmed) => json_response(StatusCode::OK, &confirmed),
        Err(problem) => core.problem("binding_refused", problem).into_json(),
    }
}

async fn try_confirm(core: &Core, tenant: &Arc<Tenant>, body: &Bytes) -> Result<Confirmed, StepProblem> {
    let wish: Confirmation = authenticate::read(body)?;
    let (client_id, login) = (&wish.client_id, &wish.login);
    let now = core.now();
    // As bindings: only apps confirm devices.
    let enter = || {
        Ok(consent::open_authenticated(
            core,
            tenant,
            client_id,
            login,
            &HeaderMap::new(),
            now,
        )?)
    };
    let authenticated: Authenticated = enter()?;
    let performed = &authenticated.login.performed;
    by_card(performed)?;
    let person = authenticated.capability.person_id();
    let (id, at) = named(core, tenant, person, &wish.device)?;
    let work = Work {
        core,
        tenant,
        person,
        at,
        ledger: core.freshness.of(tenant.id()).await?,
    };
    work.check_after_block(performed)?;
    core.spend(tenant, Limit::AccountChanges, person.as_bytes()).await?;
    let entry = Entry::of(Event::DeviceConfirmed, now)
        .proven(performed)
        .about_device(id);
    let device = change(core, &work.at, enter, &entry, |device| device.confirm(performed)).await?;
    tracing::info!(event = "device_confirmed", "a device's interval began anew");
    let valid_until = device.valid_until(&tenant.settings.policy).ok_or_else(|| {
        StepProblem::denied(
            Reason::DeviceNotAdmitted,
            "the device's class is no longer admitted by the insurer's policy",
        )
    })?;
    Ok(Confirmed {
        valid_until: valid_until.0,
    })
}
