//! A clock that stands still until a test moves it, randomness that can be had again, and a store that counts and can be made to fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

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

    pub fn set(&self, now: UnixTime) {
        self.0.store(now.0, Ordering::SeqCst);
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
    inner: RwLock<Arc<dyn Store>>,
    commits: AtomicUsize,
    loads: Mutex<Vec<Vec<Kind>>>,
    shapes: Mutex<Vec<Vec<(Kind, usize)>>>,
    disk: Mutex<Disk>,
    /// Commits of devices that come too late.
    overtaken: AtomicUsize,
    dies: Mutex<Option<Death>>,
}

/// When a process dies: what it asks of its disk from then on is not done, and it is told nothing.
#[derive(Debug, Clone, Copy)]
struct Death {
    /// After so many commits.
    after: usize,
    /// Whether the next one is still written.
    in_commit: bool,
}

/// What becomes of one commit of a process that dies.
#[derive(PartialEq, Eq)]
enum Fate {
    Lives,
    Writes,
    Nothing,
}

impl WatchedStore {
    pub fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner: RwLock::new(inner),
            commits: AtomicUsize::new(0),
            loads: Mutex::default(),
            shapes: Mutex::default(),
            disk: Mutex::new(Disk::Fine),
            overtaken: AtomicUsize::new(0),
            dies: Mutex::new(None),
        })
    }

    /// Commits asked for so far that were to write something.
    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    /// What commits have put since this was asked last, as somebody sees it who has no key: kinds and sizes.
    pub fn take_shapes(&self) -> Vec<Vec<(Kind, usize)>> {
        std::mem::take(&mut self.shapes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was loaded since this was asked last: the kinds of each load's keys.
    pub fn take_loads(&self) -> Vec<Vec<Kind>> {
        std::mem::take(&mut self.loads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another store stands in its place from now on, as after a restore.
    pub fn exchange(&self, inner: Arc<dyn Store>) {
        *self.inner.write().unwrap_or_else(PoisonError::into_inner) = inner;
    }

    fn inner(&self) -> Arc<dyn Store> {
        Arc::clone(&self.inner.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// So many commits that put a device come too late from now on: somebody else has moved the record their last condition is about.
    pub fn overtake(&self, times: usize) {
        self.overtaken.store(times, Ordering::SeqCst);
    }

    fn is_overtaken(&self, writes: &[Write]) -> bool {
        let puts_device = writes
            .iter()
            .any(|write| matches!(write, Write::Put { key, .. } if key.kind() == Kind::Device));
        let one_less = |times: usize| times.checked_sub(1);
        puts_device
            && self
                .overtaken
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
                .is_ok()
    }

    /// The process dies after so many more commits; `in_commit`: in the one that follows, which is written.
    pub fn die(&self, after: usize, in_commit: bool) {
        *self.dies.lock().unwrap_or_else(PoisonError::into_inner) = Some(Death { after, in_commit });
    }

    /// The next process has a disk that works.
    pub fn revive(&self) {
        *self.dies.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn fate(&self) -> Fate {
        let mut dies = self.dies.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *dies {
            None => Fate::Lives,
            Some(death) if death.after > 0 => {
                death.after -= 1;
                Fate::Lives
            }
            Some(death) if death.in_commit => {
                death.in_commit = false;
                Fate::Writes
            }
            Some(_) => Fate::Nothing,
        }
    }

    fn is_dead(&self) -> bool {
        let dies = self.dies.lock().unwrap_or_else(PoisonError::into_inner);
        dies.is_some_and(|death| death.after == 0)
    }

    pub fn set_disk(&self, disk: Disk) {
        *self.disk.lock().unwrap_or_else(PoisonError::into_inner) = disk;
    }
}

impl Store for WatchedStore {
    fn load<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Row>>, StoreError>> {
        let inner = self.inner();
        let kinds = keys.iter().map(Key::kind).collect();
        self.loads.lock().unwrap_or_else(PoisonError::into_inner).push(kinds);
        Box::pin(async move { inner.load(keys).await })
    }

    fn commit(&self, operation: OperationId, conditions: &[Condition], writes: &[Write]) -> BoxFuture<'_, Outcome> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        let shape = writes.iter().filter_map(|write| match write {
            Write::Put { key, sealed, .. } => Some((key.kind(), sealed.len())),
            Write::Delete(_) => None,
        });
        self.shapes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(shape.collect());
        if self.is_overtaken(writes) {
            let last = conditions.len().saturating_sub(1);
            return Box::pin(async move { Outcome::Conflict(last) });
        }
        let disk = match self.fate() {
            Fate::Lives => *self.disk.lock().unwrap_or_else(PoisonError::into_inner),
            Fate::Writes => Disk::WritesUnsure,
            Fate::Nothing => Disk::LosesUnsure,
        };
        let inner = self.inner();
        let (conditions, writes) = (conditions.to_vec(), writes.to_vec());
        // Handed over by the call itself, as every store promises.
        let commit = tokio::spawn(async move {
            match disk {
                Disk::Fine => inner.commit(operation, &conditions, &writes).await,
                Disk::WritesUnsure => match inner.commit(operation, &conditions, &writes).await {
                    Outcome::Committed => Outcome::Unknown(operation),
                    other => other,
                },
                Disk::LosesUnsure => Outcome::Unknown(operation),
                Disk::Full => Outcome::Refused(StoreError::Full),
            }
        });
        Box::pin(async move { commit.await.unwrap_or(Outcome::Unknown(operation)) })
    }

    fn outcome_of(&self, operation: OperationId) -> BoxFuture<'_, Option<bool>> {
        if self.is_dead() {
            return Box::pin(std::future::ready(None));
        }
        let inner = self.inner();
        Box::pin(async move { inner.outcome_of(operation).await })
    }

    fn list_after<'a>(
        &'a self,
        kind: Kind,
        tenant: TenantId,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Row)>, StoreError>> {
        let inner = self.inner();
        Box::pin(async move { inner.list_after(kind, tenant, prefix, after, limit).await })
    }

    fn drop_expired(&self, now: store::UnixSeconds) -> BoxFuture<'_, Result<(), StoreError>> {
        let inner = self.inner();
        Box::pin(async move { inner.drop_expired(now).await })
    }
}
