//! Writing an entry: numbered, sealed for her, and put into a claim, in one commit with whatever goes with it.
//!
//! Entries of one person are written one after the other, so that each has a number of its own. A number is remembered when its commit is durable;
//! one whose commit was not answered is not used again, and the next entry says that it may be missing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jose::UnixTime;
use store::{Condition, Row, TenantId, Write};
use vault::freshness::FactName;
use vault::{Carried, DAY_SECONDS, PersonId, SealedChange};

use super::chain::{Head, Link};
use super::{Entry, claim_expiry};
use crate::core::{Committed, Core, StepProblem};
use crate::freshness::Change;
use crate::{people, rng};

/// Days an entry of a person's history is kept: one year. Its expiry stands in clear: it tells the day of a login, not its second.
pub(crate) const EVENT_DAYS: u64 = 365;

/// The day until which an entry of this moment is kept.
pub(super) fn until_day(at: UnixTime) -> u32 {
    u32::try_from((at.0 + EVENT_DAYS * DAY_SECONDS).div_ceil(DAY_SECONDS)).unwrap_or(u32::MAX)
}

/// Whose turn it is to write, for each person somebody writes about.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<FactName, Arc<tokio::sync::Mutex<Turn>>>>);

/// What is left over from earlier turns.
#[derive(Default)]
struct Turn {
    /// How many numbers after the head were given out whose commits were not answered.
    unsure: u8,
}

impl Turns {
    fn of(&self, name: FactName) -> Arc<tokio::sync::Mutex<Turn>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(name).or_default())
    }

    /// Forgets who nobody writes about, and nothing is left over from.
    fn forget(&self, name: FactName, turn: Arc<tokio::sync::Mutex<Turn>>) {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and this one: nobody waits, and nobody can begin to while the map is locked.
        let last = Arc::strong_count(&turn) == 2;
        if last && turn.try_lock().is_ok_and(|turn| turn.unsure == 0) {
            turns.remove(&name);
        }
    }
}

/// What is written, and where it waits to be delivered.
pub(crate) struct Access {
    pub(crate) entry: Entry,
    /// The login it is of, claimed with it; or a random name.
    pub(crate) claim: [u8; 16],
    /// How far a device has counted.
    pub(crate) counter: Option<(FactName, u64)>,
}

impl Access {
    /// Of no login.
    pub(crate) fn alone(core: &Core, entry: Entry) -> Self {
        Self {
            entry,
            claim: rng::bytes(&*core.rng),
            counter: None,
        }
    }
}

/// What is done with an entry, in the same commit.
enum Deed {
    /// Records are changed.
    Records(Vec<SealedChange>, Vec<Condition>),
    /// The freshness ledger takes a step, and the database follows. It has room for one entry.
    Step(Change),
}

/// Writes an entry and what goes with it, in one commit. The claim is the commit's first condition. `identity` is her record.
pub(crate) async fn record(
    core: &Core,
    tenant: TenantId,
    person: PersonId,
    identity: &Row,
    access: &Access,
    beside: Vec<SealedChange>,
) -> Result<Committed, StepProblem> {
    record_all(core, tenant, person, identity, std::slice::from_ref(access), beside).await
}

/// As [`record`], for what is more than one entry: all of them, or none. Each has a claim of its own, in this order among the conditions.
pub(crate) async fn record_all(
    core: &Core,
    tenant: TenantId,
    person: PersonId,
    identity: &Row,
    accesses: &[Access],
    beside: Vec<SealedChange>,
) -> Result<Committed, StepProblem> {
    let deed = Deed::Records(beside, Vec::new());
    write(core, tenant, person, identity, accesses, deed).await
}

/// Changes a record of hers and writes that she did, in one commit: both are there, or neither. Her own record, `identity`, must still be the same.
pub(crate) async fn note_change(
    core: &Core,
    tenant: TenantId,
    person: PersonId,
    identity: &Row,
    entry: Entry,
    change: SealedChange,
) -> Result<Committed, StepProblem> {
    let unchanged = Condition::VersionIs(person.identity_key(tenant), identity.version);
    let deed = Deed::Records(vec![change], vec![unchanged]);
    write(core, tenant, person, identity, &[Access::alone(core, entry)], deed).await
}

/// Makes a change of the freshness ledger true and writes that it was made. The entry is in the ledger's step: a process that dies before the
/// database has followed leaves both to whoever starts next. Durable when this returns.
pub(crate) async fn note_step(
    core: &Core,
    tenant: TenantId,
    person: PersonId,
    entry: Entry,
    change: Change,
) -> Result<(), StepProblem> {
    let identity = identity(core, tenant, person).await?;
    let access = [Access::alone(core, entry)];
    write(core, tenant, person, &identity, &access, Deed::Step(change)).await?;
    Ok(())
}

async fn write(
    core: &Core,
    tenant: TenantId,
    person: PersonId,
    identity: &Row,
    accesses: &[Access],
    deed: Deed,
) -> Result<Committed, StepProblem> {
    let name = core.vault.history_head(tenant, person)?;
    let turn = core.history.turns.of(name);
    let result = {
        let mut turn = turn.lock().await;
        let ledger = core.freshness.of(tenant).await?;
        let mut head = Head::from_floor(ledger.floor_of(&name));
        let (mut claims, mut waiting) = (Vec::with_capacity(accesses.len()), Vec::with_capacity(accesses.len()));
        let unsure = turn.unsure;
        let mut skipped = unsure;
        for access in accesses {
            // No entry is kept shorter than the one before, whatever the clock does.
            let next = Head {
                number: head.number + 1 + u64::from(skipped),
                until_day: until_day(access.entry.at).max(head.until_day),
            };
            let link = Link {
                number: next.number,
                before: head.until_day,
                unsure: skipped,
            };
            let event_key = core
                .vault
                .event_key(tenant, &person, next.until_day, &rng::bytes(&*core.rng))?;
            let until = u64::from(next.until_day) * DAY_SECONDS;
            let event = core
                .vault
                .seal_entry(person, identity, event_key, &access.entry.encode(link), until)?;
            let carried = Carried {
                event: Some(event),
                counter: access.counter,
                head: Some((name, next.floor())),
                begun: None,
            };
            let expires_at = claim_expiry(core.now());
            claims.push(core.vault.claim_once(tenant, &access.claim, expires_at, &carried)?);
            waiting.push((event_key, access.claim));
            (head, skipped) = (next, 0);
        }
        // Whoever is cancelled while the database works leaves the numbers behind as ones that may be missing.
        let given = u8::try_from(claims.len()).unwrap_or(u8::MAX);
        turn.unsure = unsure.saturating_add(given);
        let committed = commit(core, tenant, claims, deed).await;
        match &committed {
            Ok(Committed::Yes) => {
                turn.unsure = 0;
                ledger.shown(name, head.floor());
                for (event_key, claim) in waiting {
                    core.history.waiting.add(tenant, event_key.id(), claim);
                    core.history.broken_off.ended(tenant, claim);
                }
            }
            Ok(Committed::Conflict(_)) => turn.unsure = unsure,
            Err(_) => {}
        }
        committed
    };
    core.history.turns.forget(name, turn);
    result
}

async fn commit(
    core: &Core,
    tenant: TenantId,
    claims: Vec<SealedChange>,
    deed: Deed,
) -> Result<Committed, StepProblem> {
    match deed {
        Deed::Records(changes, conditions) => {
            let changes = claims.into_iter().chain(changes);
            let (sealed, writes): (Vec<Condition>, Vec<Write>) =
                changes.map(|change| (change.condition, change.write)).unzip();
            core.commit(&[sealed, conditions].concat(), &writes).await
        }
        Deed::Step(change) => {
            let entry = claims.into_iter().next().map(|claim| claim.write);
            core.freshness.change_with(tenant, change, entry).await?;
            Ok(Committed::Yes)
        }
    }
}

async fn identity(core: &Core, tenant: TenantId, person: PersonId) -> Result<Row, StepProblem> {
    let key = person.identity_key(tenant);
    let row = core.store.load(&[key]).await?.into_iter().next().flatten();
    row.ok_or_else(people::account_closed)
}

/// Writes an entry that goes with nothing else. Durable when this returns.
pub(crate) async fn note(core: &Core, tenant: TenantId, person: PersonId, entry: Entry) -> Result<(), StepProblem> {
    let claim = rng::bytes(&*core.rng);
    note_once(core, tenant, person, claim, entry).await
}

/// Writes an entry unless this login has one already: it was redeemed, or ended before. Whoever tries to go on with it is refused from now on.
pub(crate) async fn note_once(
    core: &Core,
    tenant: TenantId,
    person: PersonId,
    claim: [u8; 16],
    entry: Entry,
) -> Result<(), StepProblem> {
    note_beside(core, tenant, person, claim, entry, Vec::new()).await?;
    Ok(())
}

/// The same with what is changed by it, in one commit: all of it, or nothing.
pub(crate) async fn note_beside(
    core: &Core,
    tenant: TenantId,
    person: PersonId,
    claim: [u8; 16],
    entry: Entry,
    beside: Vec<SealedChange>,
) -> Result<Committed, StepProblem> {
    let identity = identity(core, tenant, person).await?;
    let access = Access {
        entry,
        claim,
        counter: None,
    };
    record(core, tenant, person, &identity, &access, beside).await
}
