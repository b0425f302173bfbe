//! One caller's commit inside the group's transaction.

use rusqlite::{Connection, OptionalExtension};
use store::{Condition, Key, Kind, Lifetime, OperationId, Outcome, StoreError, UnixSeconds, Write};

use crate::tables::{Tables, operation_slot, signed, slot_of, unsigned};

/// Evaluates conditions and writes. Everything that can end in a refusal or a conflict is asked before the first
/// write, so that no savepoint per caller is needed: an error from SQLite itself fails the whole transaction.
pub(crate) fn apply(
    connection: &Connection,
    tables: &mut Tables,
    forgotten_before: UnixSeconds,
    operation: OperationId,
    conditions: &[Condition],
    writes: &[Write],
) -> rusqlite::Result<Outcome> {
    if operation.began_at() < forgotten_before {
        return Ok(Outcome::Unknown(operation));
    }
    if let Some(refusal) = refuse(connection, tables, conditions, writes)? {
        // The operation's own earlier attempt may be what stands in the way.
        let repeated = happened(connection, tables, operation)?;
        return Ok(if repeated { Outcome::Committed } else { refusal });
    }
    if !record_operation(connection, tables, operation)? {
        return Ok(Outcome::Committed);
    }
    for write in writes {
        match write {
            Write::Put {
                key,
                sealed,
                expires_at,
            } => put(connection, tables, key, sealed.as_bytes(), *expires_at)?,
            Write::Delete(key) => delete(connection, tables, key)?,
        }
    }
    Ok(Outcome::Committed)
}

/// Whether an operation is recorded as committed.
pub(crate) fn happened(connection: &Connection, tables: &Tables, operation: OperationId) -> rusqlite::Result<bool> {
    let Some(table) = tables.for_operation(operation) else {
        return Ok(false);
    };
    let mut statement = connection.prepare_cached(&table.exists)?;
    statement.exists([&operation.to_bytes()[..]])
}

fn refuse(
    connection: &Connection,
    tables: &Tables,
    conditions: &[Condition],
    writes: &[Write],
) -> rusqlite::Result<Option<Outcome>> {
    for (index, condition) in conditions.iter().enumerate() {
        if !condition.holds(version(connection, tables, condition.key())?) {
            return Ok(Some(Outcome::Conflict(index)));
        }
    }
    for write in writes {
        let Write::Put { key, expires_at, .. } = write else {
            continue;
        };
        if !written_once(key.kind()) || conditions.contains(&Condition::Absent(*key)) {
            continue;
        }
        let Some(table) = tables.for_expiry(key.kind(), *expires_at) else {
            continue;
        };
        let mut statement = connection.prepare_cached(&table.version)?;
        if statement.exists((&key.tenant().as_bytes()[..], key.id()))? {
            return Ok(Some(Outcome::Refused(StoreError::WrittenOnce(key.kind()))));
        }
    }
    Ok(None)
}

fn written_once(kind: Kind) -> bool {
    matches!(kind.lifetime(), Lifetime::Slots { .. })
}

fn version(connection: &Connection, tables: &Tables, key: &Key) -> rusqlite::Result<Option<u64>> {
    for table in tables.of(key.kind()) {
        let mut statement = connection.prepare_cached(&table.version)?;
        let found: Option<i64> = statement
            .query_row((&key.tenant().as_bytes()[..], key.id()), |row| row.get(0))
            .optional()?;
        if let Some(version) = found {
            return Ok(Some(unsigned(version)));
        }
    }
    Ok(None)
}

/// Records the operation; `false` if it was recorded before.
fn record_operation(connection: &Connection, tables: &mut Tables, operation: OperationId) -> rusqlite::Result<bool> {
    if tables.for_operation(operation).is_none() {
        tables.create_operation_slot(connection, operation_slot(operation))?;
    }
    let Some(table) = tables.for_operation(operation) else {
        return Ok(true);
    };
    let mut statement = connection.prepare_cached(&table.insert)?;
    Ok(statement.execute([&operation.to_bytes()[..]])? == 1)
}

fn put(
    connection: &Connection,
    tables: &mut Tables,
    key: &Key,
    sealed: &[u8],
    expires_at: Option<UnixSeconds>,
) -> rusqlite::Result<()> {
    if tables.for_expiry(key.kind(), expires_at).is_none() {
        tables.create_slot(connection, key.kind(), slot_of(key.kind(), expires_at.unwrap_or(0)))?;
    }
    let Some(table) = tables.for_expiry(key.kind(), expires_at) else {
        return Ok(());
    };
    let mut statement = connection.prepare_cached(&table.put)?;
    statement.execute((&key.tenant().as_bytes()[..], key.id(), expires_at.map(signed), sealed))?;
    Ok(())
}

fn delete(connection: &Connection, tables: &Tables, key: &Key) -> rusqlite::Result<()> {
    for table in tables.of(key.kind()) {
        let mut statement = connection.prepare_cached(&table.delete)?;
        statement.execute((&key.tenant().as_bytes()[..], key.id()))?;
    }
    Ok(())
}
