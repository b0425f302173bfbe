//! One tenant's ledger while the process runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use authenticator::{Reason, device::DeviceKey};
use jose::UnixTime;
use store::register::{Appended, Head, Step};
use store::{Key, Kind, TenantId, Write};
use vault::freshness::{FactKind, FactMap, FactName, GONE, Raised, StepContent};
use vault::{KeyAbsent, PersonId, Vault};

use super::following::follow;
use super::{Change, FreshnessError, Parts};

/// A register is written anew when it has grown to several times what its facts need.
const COMPACT_ABOVE_BYTES: usize = 256 * 1024;
const COMPACT_ABOVE_TIMES: usize = 4;
/// Most counters and allowances waiting for a flush.
const MAX_COUNTED: usize = 200_000;
/// When to come again where there is no room to count.
const OVERLOADED_SECONDS: u64 = 30;
/// Bytes of one fact in a step.
const FACT_BYTES: usize = 24;

pub(crate) struct Ledger {
    tenant: TenantId,
    facts: RwLock<FactMap>,
    /// Shown or used since the last flush: counters of devices, and when allowances are full again.
    counters: Mutex<BTreeMap<FactName, u64>>,
    turn: tokio::sync::Mutex<Turn>,
}

/// Where the ledger stands; held by whoever changes it.
pub(super) struct Turn {
    /// Newest step of the register.
    pub(super) counter: u64,
    /// Step the database has noted, and the version of the row that says so.
    pub(super) database: u64,
    pub(super) database_row: Option<u64>,
    /// Bytes in the register.
    pub(super) bytes: usize,
    /// A step the register has not answered for.
    pub(super) doubt: Option<Doubt>,
    /// Entries of histories that came with steps, and that the database does not have yet.
    pub(super) owed: Vec<Write>,
}

/// A step the register has not answered for.
pub(super) struct Doubt {
    head: Head,
    raised: Raised,
    entry: Option<Write>,
}

impl Ledger {
    pub(super) fn new(tenant: TenantId, facts: FactMap, turn: Turn) -> Self {
        Self {
            tenant,
            facts: RwLock::new(facts),
            counters: Mutex::default(),
            turn: tokio::sync::Mutex::new(turn),
        }
    }

    fn facts(&self) -> RwLockReadGuard<'_, FactMap> {
        self.facts.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The floor of a fact, 0 where nothing is known. A name that cannot be made is a fact that cannot be known: then it counts as [`GONE`].
    fn floor(&self, kind: FactKind, name: impl FnOnce() -> Result<FactName, KeyAbsent>) -> u64 {
        let facts = self.facts();
        if facts.knows(kind) {
            name().map_or(GONE, |name| facts.floor(&name))
        } else {
            0
        }
    }

    /// Whether a person was deleted, or a device was removed.
    pub(crate) fn is_gone(&self, vault: &Vault, key: &Key) -> bool {
        match (key.kind(), key.id().first_chunk::<16>()) {
            (Kind::Identity, Some(person)) => {
                self.floor(FactKind::PersonErased, || vault.person_erased(self.tenant, person)) == GONE
            }
            (Kind::Device, _) => self.floor(FactKind::DeviceRevoked, || vault.device_revoked(key)) == GONE,
            _ => false,
        }
    }

    /// Whether a person was deleted.
    pub(crate) fn is_erased(&self, vault: &Vault, person: PersonId) -> bool {
        self.is_gone(vault, &person.identity_key(self.tenant))
    }

    /// Whether a consent decided then still holds.
    pub(crate) fn consent_holds(&self, vault: &Vault, consent: &Key, decided_at: UnixTime) -> bool {
        let withdrawn = self.floor(FactKind::ConsentWithdrawn, || vault.consent_withdrawn(consent));
        decided_at.0 > withdrawn
    }

    /// How far a device has counted, as far as the ledger knows.
    pub(crate) fn device_counter(&self, vault: &Vault, person: PersonId, device: &[u8; 16]) -> u64 {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.is_empty() && !self.facts().knows(FactKind::DeviceCounter) {
            return 0;
        }
        let Ok(name) = vault.device_counter(self.tenant, person, device) else {
            return GONE;
        };
        let shown = counters.get(&name).copied().unwrap_or(0);
        shown.max(self.facts().floor(&name))
    }

    /// How often a device was locked and unlocked. Of a name that cannot be made: an odd number.
    pub(crate) fn locks(&self, vault: &Vault, device: &Key) -> u64 {
        self.floor(FactKind::DeviceLocked, || vault.device_locked(device))
    }

    /// Says to a device that was read at this key what stands against it.
    pub(crate) fn say_standing(&self, vault: &Vault, person: PersonId, at: &Key, device: &mut DeviceKey) {
        let locked = self.locks(vault, at) % 2 == 1;
        device.stands(locked, self.blocked_at(vault, person));
    }

    /// Why a login that this device answered then is over: the device was removed, locked or blocked since. `None`: it goes on.
    pub(crate) fn ends_login(
        &self,
        vault: &Vault,
        person: PersonId,
        at: &Key,
        answered_at: UnixTime,
    ) -> Option<Reason> {
        if self.is_gone(vault, at) {
            Some(Reason::DeviceUnknown)
        } else if self
            .blocked_at(vault, person)
            .is_some_and(|blocked_at| answered_at <= blocked_at)
        {
            Some(Reason::DeviceBlocked)
        } else if self.locks(vault, at) % 2 == 1 {
            Some(Reason::DeviceLocked)
        } else {
            None
        }
    }

    /// When a person's devices were blocked last; `None` for never.
    pub(crate) fn blocked_at(&self, vault: &Vault, person: PersonId) -> Option<UnixTime> {
        let at = self.floor(FactKind::DevicesBlocked, || vault.devices_blocked(self.tenant, person));
        (at > 0).then_some(UnixTime(at))
    }

    /// When a person's block code in force was set; `None` where she has none.
    pub(crate) fn block_code_set_at(&self, vault: &Vault, person: PersonId) -> Option<UnixTime> {
        let at = self.floor(FactKind::BlockCode, || vault.block_code_set(self.tenant, person));
        (at > 0).then_some(UnixTime(at))
    }

    /// A device has shown this counter, in a login that is durable.
    pub(crate) fn shown(&self, name: FactName, counter: u64) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = counters.entry(name).or_default();
        *shown = counter.max(*shown);
    }

    /// When an allowance is full again, in microseconds since 1970; 0 where nothing is known.
    pub(crate) fn limit(&self, name: &FactName) -> u64 {
        self.floor_of(name)
    }

    /// The floor of a fact, with what no flush has written yet; 0 where nothing is known.
    pub(crate) fn floor_of(&self, name: &FactName) -> u64 {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let used = counters.get(name).copied().unwrap_or(0);
        used.max(self.facts().floor(name))
    }

    /// Takes one of an allowance: `take` says when it is full again then. Under a flood of names the ones that are full again are forgotten first;
    /// if that is not enough, nobody new is admitted.
    pub(crate) fn spend(
        &self,
        name: FactName,
        now: UnixTime,
        take: impl FnOnce(u64) -> Result<u64, u64>,
    ) -> Result<(), u64> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() >= MAX_COUNTED && !counters.contains_key(&name) {
            let now = now.0.saturating_mul(1_000_000);
            counters.retain(|name, used| name.kind() != Some(FactKind::Limit) || *used > now);
            if counters.len() >= MAX_COUNTED {
                return Err(OVERLOADED_SECONDS);
            }
        }
        let used = counters.get(&name).copied().unwrap_or(0).max(self.facts().floor(&name));
        counters.insert(name, take(used)?);
        Ok(())
    }

    /// Takes back what was taken last of an allowance, as far as no flush has written it.
    pub(crate) fn give_back(&self, name: &FactName, every_micros: u64) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = counters.get_mut(name) {
            *used = used.saturating_sub(every_micros);
        }
    }

    /// A login was completed: the next flush says so, and a database from before it will be noticed.
    pub(crate) fn completed(&self, vault: &Vault, now: UnixTime) {
        if let Ok(name) = vault.fact_name(self.tenant, FactKind::LoginsNotBefore, &[b"completed"]) {
            self.shown(name, now.0);
        }
    }

    /// When a login was completed last, as far as the register says; 0 where nothing is known.
    pub(super) fn completed_at(&self, vault: &Vault) -> u64 {
        let name = vault.fact_name(self.tenant, FactKind::LoginsNotBefore, &[b"completed"]);
        name.map_or(0, |name| self.facts().floor(&name))
    }

    /// A claim on a login says that a device has shown this counter; the register may not have heard of it.
    pub(super) fn recall(&self, name: FactName, counter: u64) {
        if self.facts().floor(&name) < counter {
            self.shown(name, counter);
        }
    }

    /// The second before which no login may have begun; 0 for none.
    pub(crate) fn logins_not_before(&self, vault: &Vault) -> u64 {
        self.floor(FactKind::LoginsNotBefore, || logins_not_before(vault, self.tenant))
    }

    /// See [`super::Ledgers::change`].
    pub(super) async fn change(
        &self,
        parts: &Parts,
        mut change: Change,
        entry: Option<Write>,
    ) -> Result<(), FreshnessError> {
        change.with_database |= entry.is_some();
        let mut turn = self.turn.lock().await;
        self.settle_doubt(parts, &mut turn).await?;
        self.write_step(parts, &mut turn, &change, entry).await?;
        if change.with_database {
            self.follow(parts, &mut turn, &change.deletes).await?;
        }
        self.compact_if_due(parts, &mut turn).await;
        Ok(())
    }

    /// The register first. Readers see the facts already while it is asked: that errs on the side of refusing.
    async fn write_step(
        &self,
        parts: &Parts,
        turn: &mut Turn,
        change: &Change,
        entry: Option<Write>,
    ) -> Result<(), FreshnessError> {
        let facts = self.facts().news(&change.facts);
        if facts.is_empty() {
            // Said before; the database may still have to follow.
            turn.owed.extend(entry);
            return Ok(());
        }
        let (raised, root) = {
            let mut map = self.facts.write().unwrap_or_else(PoisonError::into_inner);
            (map.raise(&facts), map.root())
        };
        let head = Head {
            counter: turn.counter + 1,
            root,
        };
        let content = StepContent {
            facts,
            deletes: change.deletes.clone(),
            entry: entry.clone(),
            database_was: change.with_database.then_some(turn.database),
            begins: turn.counter == 0,
        };
        let step = match parts.vault.seal_step(self.tenant, head, &content) {
            Ok(step) => step,
            Err(error) => {
                self.take_back(&raised);
                return Err(FreshnessError::Vault(error.to_string()));
            }
        };
        let bytes = step.sealed.len();
        match parts.register.append(self.tenant, turn.counter, &[step]).await {
            Appended::Acknowledged => {
                turn.counter = head.counter;
                turn.bytes += bytes;
                turn.owed.extend(entry);
                Ok(())
            }
            Appended::Refused(error) => {
                self.take_back(&raised);
                Err(error.into())
            }
            Appended::Elsewhere(_) => {
                self.take_back(&raised);
                Err(FreshnessError::Elsewhere)
            }
            // The facts stay raised: better refused once too often.
            Appended::Unknown => {
                turn.doubt = Some(Doubt { head, raised, entry });
                Err(FreshnessError::Unknown)
            }
        }
    }

    fn take_back(&self, raised: &Raised) {
        self.facts
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take_back(raised);
    }

    /// Asks how the step ended that the register had not answered for.
    async fn settle_doubt(&self, parts: &Parts, turn: &mut Turn) -> Result<(), FreshnessError> {
        let Some(Doubt { head, .. }) = turn.doubt else {
            return Ok(());
        };
        let steps = parts.register.steps(self.tenant).await?;
        let newest = steps.last().map(|step| step.head);
        let counter = newest.map_or(0, |newest| newest.counter);
        if newest == Some(head) {
            turn.counter = head.counter;
            let doubt = turn.doubt.take();
            turn.owed.extend(doubt.and_then(|doubt| doubt.entry));
        } else if counter == turn.counter {
            if let Some(doubt) = turn.doubt.take() {
                self.take_back(&doubt.raised);
            }
        } else {
            return Err(FreshnessError::Elsewhere);
        }
        Ok(())
    }

    /// The database second: what is gone goes, and the head is noted beside it.
    async fn follow(&self, parts: &Parts, turn: &mut Turn, deletes: &[Key]) -> Result<(), FreshnessError> {
        let head = Head {
            counter: turn.counter,
            root: self.facts().root(),
        };
        follow(parts, self.tenant, turn, head, deletes).await
    }

    /// See [`super::Ledgers::flush`].
    pub(super) async fn flush(&self, parts: &Parts) -> Result<(), FreshnessError> {
        loop {
            let facts: Vec<(FactName, u64)> = {
                let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
                // What is full again needs no witness.
                let now = parts.clock.now().0.saturating_mul(1_000_000);
                counters.retain(|name, used| name.kind() != Some(FactKind::Limit) || *used > now);
                let some = counters.iter().take(StepContent::MAX_FACTS);
                some.map(|(name, counter)| (*name, *counter)).collect()
            };
            if facts.is_empty() {
                return self.pay(parts).await;
            }
            let change = Change {
                facts: facts.clone(),
                deletes: Vec::new(),
                with_database: true,
            };
            self.change(parts, change, None).await?;
            let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
            for (name, counter) in facts {
                if counters.get(&name) == Some(&counter) {
                    counters.remove(&name);
                }
            }
        }
    }

    /// Writes the entries the database does not have yet.
    async fn pay(&self, parts: &Parts) -> Result<(), FreshnessError> {
        let mut turn = self.turn.lock().await;
        if turn.owed.is_empty() && turn.doubt.is_none() {
            return Ok(());
        }
        self.settle_doubt(parts, &mut turn).await?;
        self.follow(parts, &mut turn, &[]).await
    }

    /// Writes the register anew where it says the same things many times. Failing costs space only.
    async fn compact_if_due(&self, parts: &Parts, turn: &mut Turn) {
        let needed = self.facts().len() * FACT_BYTES * COMPACT_ABOVE_TIMES;
        // What the register is written anew without must be in the database.
        if turn.bytes < COMPACT_ABOVE_BYTES + needed || !turn.owed.is_empty() {
            return;
        }
        if let Err(error) = self.compact(parts, turn).await {
            tracing::warn!(event = "freshness_not_written", code = error.code(), detail = %error, "the register stays as long as it is");
        }
    }

    pub(super) async fn compact(&self, parts: &Parts, turn: &mut Turn) -> Result<(), FreshnessError> {
        let now_micros = parts.clock.now().0.saturating_mul(1_000_000);
        let spent = |name: &FactName, floor: u64| name.kind() == Some(FactKind::Limit) && floor < now_micros;
        let facts: Vec<(FactName, u64)> = {
            let map = self.facts();
            let kept = map.iter().filter(|(name, floor)| !spent(name, *floor));
            kept.map(|(name, floor)| (*name, floor)).collect()
        };
        let (map, steps) = begin_anew(parts, self.tenant, &facts, turn.counter, turn.database)?;
        let bytes = steps.iter().map(|step| step.sealed.len()).sum();
        let counter = steps.last().map_or(turn.counter, |step| step.head.counter);
        match parts.register.replace(self.tenant, turn.counter, &steps).await {
            Appended::Acknowledged => {}
            Appended::Refused(error) => return Err(error.into()),
            Appended::Elsewhere(_) => return Err(FreshnessError::Elsewhere),
            Appended::Unknown => {
                // Either history says the same; which one it is, the next change asks.
                let head = steps.last().map(|step| step.head);
                turn.doubt = head.map(|head| Doubt {
                    head,
                    raised: Raised::default(),
                    entry: None,
                });
                return Err(FreshnessError::Unknown);
            }
        }
        *self.facts.write().unwrap_or_else(PoisonError::into_inner) = map;
        turn.counter = counter;
        turn.bytes = bytes;
        self.follow(parts, turn, &[]).await
    }
}

/// Steps that say these facts and nothing older, after `counter`.
pub(super) fn begin_anew(
    parts: &Parts,
    tenant: TenantId,
    facts: &[(FactName, u64)],
    counter: u64,
    database: u64,
) -> Result<(FactMap, Vec<Step>), FreshnessError> {
    let mut map = FactMap::new();
    let mut steps = Vec::new();
    let mut chunks: Vec<&[(FactName, u64)]> = facts.chunks(StepContent::MAX_FACTS).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    let last = chunks.len() - 1;
    for (number, chunk) in chunks.into_iter().enumerate() {
        let _ = map.raise(chunk);
        let head = Head {
            counter: counter + 1 + number as u64,
            root: map.root(),
        };
        let content = StepContent {
            facts: chunk.to_vec(),
            deletes: Vec::new(),
            entry: None,
            database_was: (number == last).then_some(database),
            begins: number == 0,
        };
        let step = parts
            .vault
            .seal_step(tenant, head, &content)
            .map_err(|error| FreshnessError::Vault(error.to_string()))?;
        steps.push(step);
    }
    Ok((map, steps))
}

pub(super) fn logins_not_before(vault: &Vault, tenant: TenantId) -> Result<FactName, KeyAbsent> {
    vault.fact_name(tenant, FactKind::LoginsNotBefore, &[])
}
