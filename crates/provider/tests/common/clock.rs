//! A clock that stands still until a test moves it, randomness that can be had again, and a store that counts and can be made to fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use jose::UnixTime;
use provider::{clock::Clock, rng::Rng};
use store::{BoxFuture, Condition, Key, Kind, OperationId, Outcome, Row, Store, StoreError, TenantId, Write};

/// 2026-11-21 12:00 UTC: when every test begins.
pub const NOW: UnixTime = UnixTime(1_795_262_400);

/// Tells the time a test has set.
pub struct FrozenClock(AtomicU64);

impl FrozenClock {
    pub fn at(now: UnixTime) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(now.0)))
    }

    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for FrozenClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::SeqCst))
    }
}

/// The same bytes for the same seed (SplitMix64).
pub struct SeededRng(Mutex<u64>);

impl SeededRng {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(seed)))
    }
}

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in bytes {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)) as u8;
        }
    }
}

/// What the store behind the provider does with the next commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// Works.
    Fine,
    /// Writes, and says that it does not know whether it did.
    WritesUnsure,
    /// Writes nothing, and says that it does not know.
    LosesUnsure,
    /// Refuses at once.
    Full,
}

/// Any store, with its commits counted and its disk under the test's control.
pub struct WatchedStore {
    inner: Arc<dyn Store>,
    commits: AtomicUsize,
    disk: Mutex<Disk>,
}

impl WatchedStore {
    pub fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            commits: AtomicUsize::new(0),
            disk: Mutex::new(Disk::Fine),
        })
    }

    /// Commits asked for so far that were to write something.
    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    pub fn set_disk(&self, disk: Disk) {
        *self.disk.lock().unwrap_or_else(PoisonError::into_inner) = disk;
    }
}

impl Store for WatchedStore {
    fn load<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Row>>, StoreError>> {
        self.inner.load(keys)
    }

    fn commit(&self, operation: OperationId, conditions: &[Condition], writes: &[Write]) -> BoxFuture<'_, Outcome> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        let disk = *self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        match disk {
            Disk::Fine => self.inner.commit(operation, conditions, writes),
            Disk::WritesUnsure => {
                let commit = self.inner.commit(operation, conditions, writes);
                Box::pin(async move {
                    match commit.await {
                        Outcome::Committed => Outcome::Unknown(operation),
                        other => other,
                    }
                })
            }
            Disk::LosesUnsure => Box::pin(async move { Outcome::Unknown(operation) }),
            Disk::Full => Box::pin(async { Outcome::Refused(StoreError::Full) }),
        }
    }

    fn outcome_of(&self, operation: OperationId) -> BoxFuture<'_, Option<bool>> {
        self.inner.outcome_of(operation)
    }

    fn list_after<'a>(
        &'a self,
        kind: Kind,
        tenant: TenantId,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Row)>, StoreError>> {
        self.inner.list_after(kind, tenant, prefix, after, limit)
    }

    fn drop_expired(&self, now: store::UnixSeconds) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.drop_expired(now)
    }
}
