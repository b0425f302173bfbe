//! A store that fails now and then, in every way a store can: refuses, does not know, and panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use store::{
    BoxFuture, Condition, Key, Kind, OperationId, Outcome, Row, Store, StoreError, TenantId, UnixSeconds, Write,
};

/// How a call ends.
enum Fate {
    Fine,
    Refused,
    Panics,
}

/// Any store, with faults in a fixed order.
pub struct Faulty {
    inner: Arc<dyn Store>,
    calls: AtomicU64,
    /// One call in so many fails; 0 for none.
    one_in: AtomicU64,
    /// How many have failed, and how many have panicked.
    pub failed: AtomicU64,
    pub panicked: AtomicU64,
}

impl Faulty {
    pub fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            calls: AtomicU64::new(0),
            one_in: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            panicked: AtomicU64::new(0),
        })
    }

    /// From now on one call in so many fails.
    pub fn fail_one_in(&self, number: u64) {
        self.one_in.store(number, Ordering::SeqCst);
    }

    fn fate(&self) -> Fate {
        let one_in = self.one_in.load(Ordering::SeqCst);
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if one_in == 0 || !call.is_multiple_of(one_in) {
            return Fate::Fine;
        }
        if (call / one_in).is_multiple_of(2) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            Fate::Refused
        } else {
            self.panicked.fetch_add(1, Ordering::SeqCst);
            Fate::Panics
        }
    }
}

impl Store for Faulty {
    #[expect(clippy::panic, reason = "that is what is tried")]
    fn load<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Row>>, StoreError>> {
        match self.fate() {
            Fate::Fine => self.inner.load(keys),
            Fate::Refused => Box::pin(async { Err(StoreError::Failed("injected".to_owned())) }),
            Fate::Panics => Box::pin(async move {
                // With somebody's rows in hand.
                let rows = self.inner.load(keys).await;
                panic!("INJECTED {rows:?}")
            }),
        }
    }

    #[expect(clippy::panic, reason = "that is what is tried")]
    fn commit(&self, operation: OperationId, conditions: &[Condition], writes: &[Write]) -> BoxFuture<'_, Outcome> {
        match self.fate() {
            Fate::Fine => self.inner.commit(operation, conditions, writes),
            Fate::Refused => Box::pin(async { Outcome::Refused(StoreError::Overloaded) }),
            Fate::Panics => Box::pin(async { panic!("INJECTED") }),
        }
    }

    fn outcome_of(&self, operation: OperationId) -> BoxFuture<'_, Option<bool>> {
        self.inner.outcome_of(operation)
    }

    #[expect(clippy::panic, reason = "that is what is tried")]
    fn list_after<'a>(
        &'a self,
        kind: Kind,
        tenant: TenantId,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Row)>, StoreError>> {
        match self.fate() {
            Fate::Fine => self.inner.list_after(kind, tenant, prefix, after, limit),
            Fate::Panics => Box::pin(async { panic!("INJECTED") }),
            Fate::Refused => Box::pin(async { Err(StoreError::Failed("injected".to_owned())) }),
        }
    }

    fn drop_expired(&self, now: UnixSeconds) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.drop_expired(now)
    }
}
