//! The trait every backend fulfils.

use std::pin::Pin;

use crate::{Condition, Key, Kind, OperationId, Outcome, Row, StoreError, TenantId, UnixSeconds, Write};

/// Most keys in one [`Store::load`].
pub const MAX_KEYS_PER_LOAD: usize = 256;
/// Most rows one [`Store::list`] gives.
pub const MAX_LISTED: usize = 1_000;

/// A boxed future, as trait objects need it. Needs no particular runtime.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A place for records. Implementations coalesce concurrent calls themselves; callers stay simple and call once
/// per decision.
///
/// Promises, each checked by [`crate::suite`]:
///
/// * **Atomic.** A commit's conditions and writes happen at one moment, all or none; nobody sees a part.
/// * **Serial.** Commits behave as if they happened one after the other. Of two that both demand the same key to
///   be absent and write it, one wins and the other gets the index of its failed condition.
/// * **Durable.** [`Outcome::Committed`] is said after the data survives a crash.
/// * **Fresh.** What was committed is seen by every load begun after the answer.
/// * **Once.** A commit under an id that was committed before changes nothing and answers
///   [`Outcome::Committed`] (within [`crate::OPERATION_RETENTION_SECONDS`]).
/// * **Honest.** What may have happened is answered by [`Outcome::Unknown`], never by an error.
/// * **Walled.** No call sees or changes another tenant's records.
pub trait Store: Send + Sync {
    /// Loads records, one answer per key in the order of the keys; `None` is "there is none". All rows come from one
    /// moment. Rows past their expiry may still be there until [`drop_expired`](Self::drop_expired) removed
    /// them: expiry is storage housekeeping, validity is the caller's decision.
    ///
    /// # Errors
    /// [`StoreError::BatchTooLarge`] above [`MAX_KEYS_PER_LOAD`]; failures of the backend.
    fn load<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Row>>, StoreError>>;

    /// Writes everything or nothing, under conditions. An empty list of writes is a pure check.
    ///
    /// The call itself hands the work over: dropping the future does not withdraw it, and nothing cancels a
    /// write that has begun. A backend that gets no answer in time from its disk or server answers
    /// [`Outcome::Unknown`] and lets the write end as it will; [`outcome_of`](Self::outcome_of) tells later.
    ///
    /// An id older than [`crate::OPERATION_RETENTION_SECONDS`] may have been committed and forgotten: nothing is
    /// written and the answer is [`Outcome::Unknown`].
    ///
    /// Versions: see [`Row::version`] and [`Write::Put`]. Kinds kept in slots ([`Kind::lifetime`]) are written once: a
    /// second put of the same key and expiry without [`Condition::Absent`] is refused
    /// ([`StoreError::WrittenOnce`]); with it, the answer is a conflict whatever the expiry.
    fn commit(&self, operation: OperationId, conditions: &[Condition], writes: &[Write]) -> BoxFuture<'_, Outcome>;

    /// Whether the commit of this id happened. Waits for commits handed over earlier.
    ///
    /// `Some(true)`: it is written and durable. `Some(false)`: it is not, and no earlier call will still write
    /// it. `None`: the store cannot say, because it is out of reach or the id is older than
    /// [`crate::OPERATION_RETENTION_SECONDS`].
    fn outcome_of(&self, operation: OperationId) -> BoxFuture<'_, Option<bool>>;

    /// Records of one kind and tenant whose id begins with `prefix`, ordered by id bytes, beginning after the id
    /// `after`, at most `limit` (1 to [`MAX_LISTED`]). To page, give the last id of the previous answer.
    ///
    /// # Errors
    /// [`StoreError::BatchTooLarge`] if the limit is out of range; failures of the backend.
    fn list_after<'a>(
        &'a self,
        kind: Kind,
        tenant: TenantId,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Row)>, StoreError>>;

    /// The first page of [`list_after`](Self::list_after).
    ///
    /// # Errors
    /// As there.
    fn list<'a>(
        &'a self,
        kind: Kind,
        tenant: TenantId,
        prefix: &'a [u8],
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Row)>, StoreError>> {
        self.list_after(kind, tenant, prefix, None, limit)
    }

    /// Gives back the space of what expired: never a record whose `expires_at` is after `now`, and at the latest
    /// those whose whole slot lies before it. Also forgets operations older than their retention. Call it every few minutes
    /// with the current time; calling it late only costs space.
    ///
    /// # Errors
    /// Failures of the backend; calling again is always safe.
    fn drop_expired(&self, now: UnixSeconds) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Checks the limit of a load. Every backend calls it first.
///
/// # Errors
/// [`StoreError::BatchTooLarge`].
pub const fn check_load(keys: &[Key]) -> Result<(), StoreError> {
    if keys.len() > MAX_KEYS_PER_LOAD {
        return Err(StoreError::BatchTooLarge {
            what: "keys",
            limit: MAX_KEYS_PER_LOAD,
            found: keys.len(),
        });
    }
    Ok(())
}

/// Checks the limit of a listing. Every backend calls it first.
///
/// # Errors
/// [`StoreError::BatchTooLarge`] for 0 or more than [`MAX_LISTED`] rows.
pub const fn check_list(limit: usize) -> Result<(), StoreError> {
    if limit == 0 || limit > MAX_LISTED {
        return Err(StoreError::BatchTooLarge {
            what: "listed rows",
            limit: MAX_LISTED,
            found: limit,
        });
    }
    Ok(())
}
