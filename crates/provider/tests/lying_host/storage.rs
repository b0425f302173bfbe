//! A store that answers loads with garbage when told to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use store::memory::MemoryStore;
use store::{
    BoxFuture, Condition, Key, Kind, OperationId, Outcome, Row, SealedBytes, Store, StoreError, TenantId, UnixSeconds,
    Write,
};

/// What is answered instead of a person's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// One bit of each is another.
    Flipped,
    /// The first half of each: a short read.
    Short,
    /// Nothing in them.
    Empty,
    /// Random-looking bytes of the right length.
    Noise,
    /// Somebody else's row of the same kind.
    SomebodyElses,
    /// The right bytes, as of another version.
    OtherVersion,
    /// There are none.
    Absent,
    /// The disk does not answer.
    Broken,
}

impl Lie {
    pub const ALL: [Self; 8] = [
        Self::Flipped,
        Self::Short,
        Self::Empty,
        Self::Noise,
        Self::SomebodyElses,
        Self::OtherVersion,
        Self::Absent,
        Self::Broken,
    ];

    /// Whether it shows that somebody changed records.
    pub const fn is_noticed_as_forged(self) -> bool {
        !matches!(self, Self::Absent | Self::Broken)
    }

    fn about(self, row: &Row, other: Option<&Row>) -> Option<Row> {
        let bytes = row.sealed.as_bytes();
        let sealed = |bytes: Vec<u8>| {
            Some(Row {
                sealed: SealedBytes::from_sealed(bytes),
                ..row.clone()
            })
        };
        match self {
            Self::Flipped => {
                let mut bytes = bytes.to_vec();
                let middle = bytes.len() / 2;
                *bytes.get_mut(middle)? ^= 1;
                sealed(bytes)
            }
            Self::Short => sealed(bytes[..bytes.len() / 2].to_vec()),
            Self::Empty => sealed(Vec::new()),
            Self::Noise => sealed((0..bytes.len()).map(|at| (at * 167 + 13) as u8).collect()),
            Self::SomebodyElses => other.cloned(),
            Self::OtherVersion => Some(Row {
                version: row.version + 1,
                ..row.clone()
            }),
            Self::Absent | Self::Broken => None,
        }
    }
}

pub struct LyingStore {
    inner: MemoryStore,
    lie: Mutex<Option<Lie>>,
    loads: AtomicUsize,
}

impl LyingStore {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(),
            lie: Mutex::new(None),
            loads: AtomicUsize::new(0),
        })
    }

    pub fn lie(&self, lie: Option<Lie>) {
        *self.lie.lock().unwrap_or_else(PoisonError::into_inner) = lie;
        self.take_loads();
    }

    /// Loads and lists since the last call.
    pub fn take_loads(&self) -> usize {
        self.loads.swap(0, Ordering::SeqCst)
    }

    /// What there is to lie about: people, and what is theirs.
    const fn concerns(kind: Kind) -> bool {
        matches!(kind, Kind::Identity | Kind::Lookup | Kind::Device | Kind::Consent)
    }
}

impl Store for LyingStore {
    fn load<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Row>>, StoreError>> {
        Box::pin(async move {
            self.loads.fetch_add(1, Ordering::SeqCst);
            let mut rows = self.inner.load(keys).await?;
            let Some(lie) = *self.lie.lock().unwrap_or_else(PoisonError::into_inner) else {
                return Ok(rows);
            };
            if lie == Lie::Broken {
                return Err(StoreError::Full);
            }
            for (key, row) in keys.iter().zip(&mut rows) {
                let Some(true_row) = row.as_ref().filter(|_| Self::concerns(key.kind())) else {
                    continue;
                };
                let all = self.inner.list(key.kind(), *key.tenant(), &[], 10).await?;
                let other = all.iter().find(|(other, _)| other != key).map(|(_, row)| row);
                *row = lie.about(true_row, other);
            }
            Ok(rows)
        })
    }

    fn commit(&self, operation: OperationId, conditions: &[Condition], writes: &[Write]) -> BoxFuture<'_, Outcome> {
        self.inner.commit(operation, conditions, writes)
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
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.inner.list_after(kind, tenant, prefix, after, limit)
    }

    fn drop_expired(&self, now: UnixSeconds) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.drop_expired(now)
    }
}
