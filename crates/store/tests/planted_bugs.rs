//! The suite is only worth something if it finds stores that break their promises: each of these breaks one.

#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use store::memory::MemoryStore;
use store::suite::{block_on, promises};
use store::{
    BoxFuture, Condition, Key, Kind, OperationId, Outcome, Row, Store, StoreError, TenantId, UnixSeconds, Write,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    IgnoresConditions,
    IgnoresTheSecondCondition,
    ReportsTheLastFailedCondition,
    ChecksAndWritesInTwoSteps,
    WritesSomeBeforeAConflict,
    WritesOneByOne,
    ForgetsOperations,
    AppliesRepeatedOperations,
    SaysUnknownOperationsHappened,
    StartsWhenPolled,
    OverwritesSingleUse,
    DropsTooEarly,
    NeverDrops,
    MixesTenants,
    ListsOneTooMany,
    ListsWithoutOrder,
    ListIgnoresPrefix,
    NeverCountsVersions,
    AcceptsAnySize,
    LoadsOneByOne,
    AnswersBeforeWriting,
}

const BUGS: [Bug; 21] = [
    Bug::IgnoresConditions,
    Bug::IgnoresTheSecondCondition,
    Bug::ReportsTheLastFailedCondition,
    Bug::ChecksAndWritesInTwoSteps,
    Bug::WritesSomeBeforeAConflict,
    Bug::WritesOneByOne,
    Bug::ForgetsOperations,
    Bug::AppliesRepeatedOperations,
    Bug::SaysUnknownOperationsHappened,
    Bug::StartsWhenPolled,
    Bug::OverwritesSingleUse,
    Bug::DropsTooEarly,
    Bug::NeverDrops,
    Bug::MixesTenants,
    Bug::ListsOneTooMany,
    Bug::ListsWithoutOrder,
    Bug::ListIgnoresPrefix,
    Bug::NeverCountsVersions,
    Bug::AcceptsAnySize,
    Bug::LoadsOneByOne,
    Bug::AnswersBeforeWriting,
];

struct Broken {
    bug: Bug,
    inner: MemoryStore,
    withheld: Mutex<Option<Withheld>>,
}

type Withheld = (OperationId, Vec<Condition>, Vec<Write>);

fn fresh() -> OperationId {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 40);
    OperationId::new(u64::MAX, NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes())
}

fn other_tenant(key: &Key) -> Key {
    Key::new(key.kind(), TenantId::from_bytes([0; 16]), key.id()).unwrap()
}

impl Broken {
    fn now(&self, operation: OperationId, conditions: &[Condition], writes: &[Write]) -> Outcome {
        block_on(self.inner.commit(operation, conditions, writes))
    }

    fn broken(&self, operation: OperationId, conditions: &[Condition], writes: &[Write]) -> Outcome {
        let honest = || self.now(operation, conditions, writes);
        match self.bug {
            Bug::IgnoresConditions => self.now(operation, &[], writes),
            Bug::IgnoresTheSecondCondition => self.now(operation, &conditions[..conditions.len().min(1)], writes),
            Bug::ReportsTheLastFailedCondition => match honest() {
                Outcome::Conflict(_) => Outcome::Conflict(conditions.len() - 1),
                other => other,
            },
            Bug::ChecksAndWritesInTwoSteps => match self.now(fresh(), conditions, &[]) {
                Outcome::Committed => {
                    std::thread::yield_now();
                    self.now(operation, &[], writes)
                }
                other => other,
            },
            Bug::WritesSomeBeforeAConflict => match honest() {
                Outcome::Conflict(index) => {
                    let _ = self.now(fresh(), &[], &writes[..writes.len().min(1)]);
                    Outcome::Conflict(index)
                }
                other => other,
            },
            Bug::WritesOneByOne if writes.len() == 2 => {
                let first = self.now(operation, conditions, &writes[..1]);
                std::thread::yield_now();
                if first == Outcome::Committed {
                    self.now(fresh(), &[], &writes[1..])
                } else {
                    first
                }
            }
            Bug::AppliesRepeatedOperations => match honest() {
                Outcome::Committed => self.now(fresh(), conditions, writes),
                other => other,
            },
            Bug::OverwritesSingleUse => match honest() {
                Outcome::Refused(StoreError::WrittenOnce(_)) => {
                    for write in writes {
                        let _ = self.now(fresh(), &[], &[Write::Delete(*write.key())]);
                    }
                    honest()
                }
                other => other,
            },
            Bug::NeverCountsVersions => {
                for write in writes {
                    if conditions.is_empty() {
                        let _ = self.now(fresh(), &[], &[Write::Delete(*write.key())]);
                    }
                }
                honest()
            }
            Bug::MixesTenants => {
                let moved: Vec<_> = writes
                    .iter()
                    .map(|write| match write {
                        Write::Delete(key) => Write::Delete(other_tenant(key)),
                        Write::Put {
                            key,
                            sealed,
                            expires_at,
                        } => Write::Put {
                            key: other_tenant(key),
                            sealed: sealed.clone(),
                            expires_at: *expires_at,
                        },
                    })
                    .collect();
                self.now(operation, conditions, &moved)
            }
            Bug::AcceptsAnySize => match honest() {
                Outcome::Refused(StoreError::SealedTooLong { .. }) => Outcome::Committed,
                other => other,
            },
            Bug::AnswersBeforeWriting => {
                let withheld = (operation, conditions.to_vec(), writes.to_vec());
                let earlier = self.withheld.lock().unwrap().replace(withheld);
                if let Some((operation, conditions, writes)) = earlier {
                    let _ = self.now(operation, &conditions, &writes);
                }
                Outcome::Committed
            }
            _ => honest(),
        }
    }
}

impl Store for Broken {
    fn load<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Row>>, StoreError>> {
        match self.bug {
            Bug::LoadsOneByOne => Box::pin(async move {
                let mut rows = Vec::new();
                for key in keys {
                    rows.extend(block_on(self.inner.load(&[*key]))?);
                    std::thread::yield_now();
                }
                Ok(rows)
            }),
            Bug::MixesTenants => Box::pin(async move {
                let keys: Vec<_> = keys.iter().map(other_tenant).collect();
                block_on(self.inner.load(&keys))
            }),
            _ => self.inner.load(keys),
        }
    }

    fn commit(&self, operation: OperationId, conditions: &[Condition], writes: &[Write]) -> BoxFuture<'_, Outcome> {
        if self.bug == Bug::StartsWhenPolled {
            let (conditions, writes) = (conditions.to_vec(), writes.to_vec());
            return Box::pin(async move { self.now(operation, &conditions, &writes) });
        }
        Box::pin(std::future::ready(self.broken(operation, conditions, writes)))
    }

    fn outcome_of(&self, operation: OperationId) -> BoxFuture<'_, Option<bool>> {
        match self.bug {
            Bug::ForgetsOperations => Box::pin(std::future::ready(Some(false))),
            Bug::SaysUnknownOperationsHappened => Box::pin(std::future::ready(Some(true))),
            _ => self.inner.outcome_of(operation),
        }
    }

    fn list_after<'a>(
        &'a self,
        kind: Kind,
        tenant: TenantId,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Row)>, StoreError>> {
        Box::pin(async move {
            match self.bug {
                Bug::ListsOneTooMany => block_on(self.inner.list_after(kind, tenant, prefix, after, limit + 1)),
                Bug::ListIgnoresPrefix => block_on(self.inner.list_after(kind, tenant, &[], after, limit)),
                Bug::ListsWithoutOrder => {
                    let mut rows = block_on(self.inner.list_after(kind, tenant, prefix, after, limit))?;
                    rows.reverse();
                    Ok(rows)
                }
                _ => block_on(self.inner.list_after(kind, tenant, prefix, after, limit)),
            }
        })
    }

    fn drop_expired(&self, now: UnixSeconds) -> BoxFuture<'_, Result<(), StoreError>> {
        match self.bug {
            Bug::DropsTooEarly => self.inner.drop_expired(now.saturating_add(3_600)),
            Bug::NeverDrops => Box::pin(std::future::ready(Ok(()))),
            _ => self.inner.drop_expired(now),
        }
    }
}

/// The promises this store breaks.
fn broken_promises(bug: Bug) -> Vec<&'static str> {
    let open = || -> Arc<dyn Store> {
        Arc::new(Broken {
            bug,
            inner: MemoryStore::new(),
            withheld: Mutex::default(),
        })
    };
    let breaks = |check: fn(store::suite::Open<'_>)| catch_unwind(AssertUnwindSafe(|| check(&open))).is_err();
    promises()
        .into_iter()
        .filter(|(_, check)| breaks(*check))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn every_planted_bug_is_found() {
    for bug in BUGS {
        // Some bugs show only when threads meet, and a busy machine may keep them apart once.
        assert!(
            (0..5).any(|_| !broken_promises(bug).is_empty()),
            "{bug:?} was not found"
        );
    }
}

#[test]
fn store_without_a_bug_breaks_nothing() {
    assert_eq!(broken_promises(Bug::None), [""; 0]);
}
