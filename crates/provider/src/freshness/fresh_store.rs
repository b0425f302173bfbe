//! The store as the provider's steps see it: without the records the ledger says are gone.

use std::sync::Arc;

use store::{
    BoxFuture, Condition, Key, Kind, OperationId, Outcome, Row, Store, StoreError, TenantId, UnixSeconds, Write,
};

use super::{Ledger, Ledgers};

/// Any store, held against the ledger.
pub(crate) struct FreshStore {
    inner: Arc<dyn Store>,
    ledgers: Arc<Ledgers>,
}

impl FreshStore {
    pub(crate) fn new(inner: Arc<dyn Store>, ledgers: Arc<Ledgers>) -> Self {
        Self { inner, ledgers }
    }

    /// Asked whether or not the database has it: the time of an answer does not tell.
    fn drop_if_gone(&self, ledger: &Ledger, key: &Key, row: Option<&Row>) -> bool {
        let gone = ledger.is_gone(&self.ledgers.parts.vault, key);
        if gone && row.is_some() {
            let kind = key.kind();
            tracing::warn!(
                event = "stale_record_ignored",
                ?kind,
                "the database has a record that was taken back"
            );
        }
        gone
    }
}

/// What the ledger says is gone by its key. A deleted person's other records open with nothing but what stands in her own; whether a consent
/// still holds depends on when it was given.
const fn concerns(kind: Kind) -> bool {
    matches!(kind, Kind::Identity | Kind::Device)
}

impl Store for FreshStore {
    fn load<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Row>>, StoreError>> {
        Box::pin(async move {
            let mut rows = self.inner.load(keys).await?;
            let mut ledger: Option<(TenantId, Arc<Ledger>)> = None;
            for (key, row) in keys.iter().zip(&mut rows) {
                if !concerns(key.kind()) {
                    continue;
                }
                let of_key = match &ledger {
                    Some((tenant, ledger)) if tenant == key.tenant() => Arc::clone(ledger),
                    _ => self.ledgers.of(*key.tenant()).await?,
                };
                if self.drop_if_gone(&of_key, key, row.as_ref()) {
                    *row = None;
                }
                ledger = Some((*key.tenant(), of_key));
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
        Box::pin(async move {
            let mut rows = self.inner.list_after(kind, tenant, prefix, after, limit).await?;
            if concerns(kind) && !rows.is_empty() {
                let ledger = self.ledgers.of(tenant).await?;
                rows.retain(|(key, row)| !self.drop_if_gone(&ledger, key, Some(row)));
            }
            Ok(rows)
        })
    }

    fn drop_expired(&self, now: UnixSeconds) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.drop_expired(now)
    }
}
