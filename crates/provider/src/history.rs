//! People's histories: what a login's claim carries is brought there in batches, hours later (`docs/adr/0011-what-rows-tell.md`).
//!
//! The claim is a login's one durable write, and the entry of the person's history is in it from the first: nothing is held back in memory, and
//! a process that dies loses nothing. Once an hour the claims of the hours that are over are opened, in the order of their random ids, and the
//! entries they carry are written where they belong, many at once, with decoys among them. What is written already is left alone; so the same hour
//! may be gone through twice. No claim is dropped before that.
//!
//! Trusted for: where an entry stands and when it was written does not tell which login it is of.
//!
//! Reading is beside it: what is kept and what still waits, and whether it is whole (`docs/adr/0014-history-is-whole.md`).
//!
//! Does not: deliver what it has opened. Opening an entry takes the person's data key, and reading it the right to her scope.

mod accesses;
mod broken_off;
mod chain;
mod entry;
mod reading;
mod waiting;
mod writing;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jose::UnixTime;
use oidc::consent::CODE_LIFETIME_SECONDS;
use oidc::login_state::{AUTHENTICATED_LIFETIME_SECONDS, PENDING_LIFETIME_SECONDS};
use store::{Condition, Key, Kind, MAX_LISTED, MAX_WRITES, Store, StoreError, TenantId, Write};
use vault::{Carried, SealedChange, Vault};

use crate::core::{Committed, Core, StepProblem};
use broken_off::Kept;

pub(crate) use accesses::{Step, declined};
pub(crate) use broken_off::{Keep, keep, put_off};
pub(crate) use entry::{By, Entry, Event};
pub(crate) use reading::{Chain, OpenHistory, SealedHistory, Shown};
pub(crate) use writing::{
    Access, EVENT_DAYS, note, note_beside, note_change, note_once, note_step, record, record_all,
};

const HOUR_SECONDS: u64 = 3_600;
/// Whole hours a claim stays behind the one it was made in: far longer than any code lives, clocks of all sites included.
const CLAIM_HOURS: u64 = 1;
/// A copy of a login that was extended just before the claim goes on for so long (a code waits for two minutes and lives for one), and no copy is
/// extended afterwards.
const LONGEST_COPY_SECONDS: u64 = PENDING_LIFETIME_SECONDS + AUTHENTICATED_LIFETIME_SECONDS + 3 * CODE_LIFETIME_SECONDS;
const _: () = assert!(LONGEST_COPY_SECONDS < CLAIM_HOURS * HOUR_SECONDS);
/// How long after the end of an hour its claims are gone through: requests that began in it have ended.
const LATE_SECONDS: u64 = 300;
/// Entries are written in multiples of this many, decoys included.
const BATCH_STEP: usize = 16;
/// Times a batch is tried again because another instance writes the same.
const ATTEMPTS: u32 = 3;

/// When a claim made now may go. It stands in clear: to the hour, so that it does not tell the second of a login.
pub(crate) const fn claim_expiry(now: UnixTime) -> u64 {
    (now.0 / HOUR_SECONDS + 1 + CLAIM_HOURS) * HOUR_SECONDS
}

/// Whether the hour of a claim with this expiry was over by the end of the hour before this one.
const fn is_closed(expires_at: u64, hour: u64) -> bool {
    expires_at <= (hour + CLAIM_HOURS) * HOUR_SECONDS
}

/// What this process knows of histories that are being written.
#[derive(Default)]
pub(crate) struct History {
    /// Which hour each tenant's claims have been gone through in.
    passed: Mutex<HashMap<TenantId, u64>>,
    turns: writing::Turns,
    waiting: waiting::Waiting,
    broken_off: broken_off::BrokenOff,
}

impl History {
    /// Writes down what was broken off, and brings the entries of hours that are over where they belong, unless this has been done in this hour.
    pub(crate) async fn deliver(&self, core: &Core, tenant: TenantId) -> Result<(), StepProblem> {
        broken_off::settle(core, tenant).await?;
        let hour = core.now().0.saturating_sub(LATE_SECONDS) / HOUR_SECONDS;
        let passed = self.passed().get(&tenant) == Some(&hour);
        if passed {
            return Ok(());
        }
        let mut claims = Claims::of(&*core.freshness.parts.store, &core.vault, tenant);
        let mut entries: Vec<(Key, SealedChange)> = Vec::new();
        let mut kept: Vec<Kept> = Vec::new();
        while let Some(page) = claims.next(|expires_at| is_closed(expires_at, hour)).await? {
            let begun = page.iter().filter_map(|(_, carried)| carried.begun.as_deref());
            kept.extend(begun.filter_map(Kept::from_bytes));
            let events = page.into_iter().map(|(claim, carried)| Some((claim, carried.event?)));
            entries.extend(events.flatten());
            while entries.len() >= MAX_WRITES {
                let rest = entries.split_off(MAX_WRITES);
                self.write(core, tenant, &entries).await?;
                entries = rest;
            }
        }
        self.write(core, tenant, &entries).await?;
        broken_off::settle_kept(core, tenant, &kept).await?;
        self.passed().insert(tenant, hour);
        Ok(())
    }

    async fn write(&self, core: &Core, tenant: TenantId, entries: &[(Key, SealedChange)]) -> Result<(), StepProblem> {
        write(core, tenant, entries).await?;
        self.waiting.delivered(tenant, entries);
        Ok(())
    }

    fn passed(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, u64>> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes those of at most [`MAX_WRITES`] entries that do not stand there yet.
async fn write(core: &Core, tenant: TenantId, entries: &[(Key, SealedChange)]) -> Result<(), StepProblem> {
    for _ in 0..ATTEMPTS {
        let keys: Vec<Key> = entries.iter().map(|(_, entry)| *entry.write.key()).collect();
        let rows = core.freshness.parts.store.load(&keys).await?;
        let missing = entries.iter().zip(rows).filter(|(_, row)| row.is_none());
        let mut batch: Vec<SealedChange> = missing.map(|((_, entry), _)| entry.clone()).collect();
        let Some(SealedChange {
            write: Write::Put {
                expires_at: Some(until),
                ..
            },
            ..
        }) = batch.first()
        else {
            return Ok(());
        };
        let until = *until;
        while !batch.len().is_multiple_of(BATCH_STEP) {
            batch.push(core.vault.decoy_event(tenant, until)?);
        }
        // Keyed and random names: in their order nobody sees which are decoys, or in which order people logged in.
        batch.sort_unstable_by_key(|entry| *entry.write.key());
        let (conditions, writes): (Vec<Condition>, Vec<Write>) =
            batch.into_iter().map(|entry| (entry.condition, entry.write)).unzip();
        if core.commit(&conditions, &writes).await? == Committed::Yes {
            return Ok(());
        }
    }
    Err(StepProblem::Unavailable(
        "another instance is writing the same entries".to_owned(),
    ))
}

/// A tenant's claims, opened page by page.
pub(crate) struct Claims<'a> {
    store: &'a dyn Store,
    vault: &'a Vault,
    tenant: TenantId,
    after: Option<Vec<u8>>,
    ended: bool,
}

impl<'a> Claims<'a> {
    pub(crate) fn of(store: &'a dyn Store, vault: &'a Vault, tenant: TenantId) -> Self {
        Self {
            store,
            vault,
            tenant,
            after: None,
            ended: false,
        }
    }

    /// What the next claims carry, of those whose expiry is wanted. `None` at the end.
    pub(crate) async fn next(
        &mut self,
        wanted: impl Fn(u64) -> bool + Send,
    ) -> Result<Option<Vec<(Key, Carried)>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let (kind, after) = (Kind::SingleUse, self.after.as_deref());
        let rows = self.store.list_after(kind, self.tenant, &[], after, MAX_LISTED).await?;
        self.ended = rows.len() < MAX_LISTED;
        self.after = rows.last().map(|(key, _)| key.id().to_vec());
        let mut page = Vec::new();
        for (key, row) in rows {
            if !row.expires_at.is_some_and(&wanted) {
                continue;
            }
            match self.vault.open_claim(&key, &row) {
                Ok(carried) => page.push((key, carried)),
                // What somebody has changed is lost; what he has not must not be lost with it.
                Err(error) => {
                    tracing::error!(event = "record_not_authentic", %error, "a claim on a login does not open")
                }
            }
        }
        Ok(Some(page))
    }
}
