//! A store in memory: every promise of [`Store`] except durability. For tests of other rooms.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    BoxFuture, Condition, Key, Kind, Lifetime, OPERATION_RETENTION_SECONDS, OperationId, Outcome, Row, Store,
    StoreError, TenantId, UnixSeconds, Write, check_commit, check_list, check_load,
};

/// Records in a map behind one lock. Gone when dropped.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<Key, Row>,
    operations: BTreeSet<OperationId>,
    forgotten_before: UnixSeconds,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held can only come from an allocation failure; the maps stay well formed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn version(&self, key: &Key) -> Option<u64> {
        self.rows.get(key).map(|row| row.version)
    }

    fn commit(&mut self, operation: OperationId, conditions: &[Condition], writes: &[Write]) -> Outcome {
        if operation.began_at() < self.forgotten_before {
            return Outcome::Unknown(operation);
        }
        if self.operations.contains(&operation) {
            return Outcome::Committed;
        }
        if let Some(failed) = conditions.iter().position(|c| !c.holds(self.version(c.key()))) {
            return Outcome::Conflict(failed);
        }
        for write in writes {
            let Write::Put { key, .. } = write else {
                continue;
            };
            if matches!(key.kind().lifetime(), Lifetime::Slots { .. }) && self.rows.contains_key(key) {
                return Outcome::Refused(StoreError::WrittenOnce(key.kind()));
            }
        }
        for write in writes {
            match write {
                Write::Put {
                    key,
                    sealed,
                    expires_at,
                } => {
                    let version = Row::version_after(self.version(key));
                    self.rows.insert(
                        *key,
                        Row {
                            version,
                            sealed: sealed.clone(),
                            expires_at: *expires_at,
                        },
                    );
                }
                Write::Delete(key) => {
                    self.rows.remove(key);
                }
            }
        }
        self.operations.insert(operation);
        Outcome::Committed
    }
}

impl Store for MemoryStore {
    fn load<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Row>>, StoreError>> {
        let answer = check_load(keys).map(|()| {
            let state = self.state();
            keys.iter().map(|key| state.rows.get(key).cloned()).collect()
        });
        Box::pin(std::future::ready(answer))
    }

    fn commit(&self, operation: OperationId, conditions: &[Condition], writes: &[Write]) -> BoxFuture<'_, Outcome> {
        let outcome = match check_commit(conditions, writes) {
            Err(error) => Outcome::Refused(error),
            Ok(()) => self.state().commit(operation, conditions, writes),
        };
        Box::pin(std::future::ready(outcome))
    }

    fn outcome_of(&self, operation: OperationId) -> BoxFuture<'_, Option<bool>> {
        let state = self.state();
        let answer = if operation.began_at() < state.forgotten_before {
            None
        } else {
            Some(state.operations.contains(&operation))
        };
        Box::pin(std::future::ready(answer))
    }

    fn list_after<'a>(
        &'a self,
        kind: Kind,
        tenant: TenantId,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Row)>, StoreError>> {
        let answer = check_list(limit).map(|()| {
            let start = match after.filter(|after| *after >= prefix) {
                Some(after) => Key::bound(kind, tenant, after).map(Bound::Excluded),
                None => Key::bound(kind, tenant, prefix).map(Bound::Included),
            };
            let Some(start) = start else {
                return Vec::new();
            };
            let listed = |key: &Key| key.kind() == kind && key.tenant() == &tenant && key.id().starts_with(prefix);
            let state = self.state();
            let rows = state
                .rows
                .range((start, Bound::Unbounded))
                .take_while(|(key, _)| listed(key));
            rows.take(limit).map(|(key, row)| (*key, row.clone())).collect()
        });
        Box::pin(std::future::ready(answer))
    }

    fn drop_expired(&self, now: UnixSeconds) -> BoxFuture<'_, Result<(), StoreError>> {
        let mut state = self.state();
        state
            .rows
            .retain(|_, row| row.expires_at.is_none_or(|expires_at| expires_at > now));
        let forgotten_before = now
            .saturating_sub(OPERATION_RETENTION_SECONDS)
            .max(state.forgotten_before);
        state
            .operations
            .retain(|operation| operation.began_at() >= forgotten_before);
        state.forgotten_before = forgotten_before;
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn memory_keeps_every_promise() {
        crate::suite::run(&|| Arc::new(MemoryStore::new()));
    }
}
