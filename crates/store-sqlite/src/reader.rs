//! Reading on the caller's thread.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row as SqlRow};
use store::{Key, Kind, Lifetime, MAX_ID_BYTES, Row, SealedBytes, StoreError, TenantId};

use crate::Options;
use crate::error::translate;
use crate::schema::open_reader;
use crate::tables::{Table, Tables, unsigned};
use crate::writer::Published;

/// Most connections kept open while idle. More are opened when more threads read at once.
const MAX_IDLE: usize = 8;

/// Connections for reading, one per reading thread at a time.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    options: Options,
    idle: Mutex<Vec<Connection>>,
    published: Arc<Published>,
}

impl Readers {
    pub fn new(path: PathBuf, options: Options, published: Arc<Published>) -> Self {
        Self {
            path,
            options,
            idle: Mutex::default(),
            published,
        }
    }

    pub fn load(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        let slotted = keys.iter().any(|key| in_slots(key.kind()));
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.read(keys.len() > 1 || slotted, slotted, |connection, tables| {
            keys.iter().map(|key| load_one(connection, tables, key)).collect()
        })
    }

    pub fn list(
        &self,
        kind: Kind,
        tenant: TenantId,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Key, Row)>, StoreError> {
        if prefix.len() > MAX_ID_BYTES {
            return Ok(Vec::new());
        }
        let slotted = in_slots(kind);
        let listing = Listing {
            kind,
            tenant,
            prefix,
            after,
            limit,
        };
        let mut rows = self.read(slotted, slotted, |connection, tables| {
            let mut rows = Vec::new();
            for table in tables.of(kind) {
                rows.extend(list_one(connection, table, &listing)?);
            }
            Ok(rows)
        })?;
        if slotted {
            rows.sort_unstable_by_key(|(key, _)| *key);
            rows.truncate(limit);
        }
        Ok(rows)
    }

    /// Runs a read on an idle connection, inside a transaction if more than one statement must see one moment.
    fn read<T>(
        &self,
        in_transaction: bool,
        slotted: bool,
        read: impl FnOnce(&Connection, &Tables) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path, &self.options)?,
        };
        let result = (|| {
            if !in_transaction {
                return read(&connection, &self.published.current());
            }
            execute(&connection, "BEGIN")?;
            if slotted {
                // Fixes the moment before the list of slots is taken: the list then has every slot of the moment.
                connection
                    .prepare_cached("SELECT version FROM schema_version")?
                    .exists([])?;
            }
            let value = read(&connection, &self.published.current())?;
            execute(&connection, "COMMIT")?;
            Ok(value)
        })();
        // A connection that failed is closed, not kept.
        let value = result.map_err(|error| translate(&error))?;
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
        Ok(value)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_slots(kind: Kind) -> bool {
    matches!(kind.lifetime(), Lifetime::Slots { .. })
}

fn execute(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(|_| ())
}

fn load_one(connection: &Connection, tables: &Tables, key: &Key) -> rusqlite::Result<Option<Row>> {
    for table in tables.of(key.kind()) {
        let row = if_there(connection, table, key.kind(), || {
            let mut statement = connection.prepare_cached(&table.row)?;
            statement
                .query_row((&key.tenant().as_bytes()[..], key.id()), |row| read_row(row, 0))
                .optional()
        })?;
        if let Some(row) = row.flatten() {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// What is to be listed.
struct Listing<'a> {
    kind: Kind,
    tenant: TenantId,
    prefix: &'a [u8],
    after: Option<&'a [u8]>,
    limit: usize,
}

fn list_one(connection: &Connection, table: &Table, listing: &Listing<'_>) -> rusqlite::Result<Vec<(Key, Row)>> {
    let Listing {
        kind,
        tenant,
        prefix,
        after,
        limit,
    } = *listing;
    let rows = if_there(connection, table, kind, || {
        let mut statement = connection.prepare_cached(&table.list)?;
        let least = after.filter(|after| *after > prefix).unwrap_or(prefix);
        // Longer than any id and all ones after the prefix: not below any id with this prefix.
        let mut greatest = [0xff; MAX_ID_BYTES + 1];
        greatest[..prefix.len()].copy_from_slice(prefix);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let bounds = (
            &tenant.as_bytes()[..],
            least,
            &greatest[..],
            after.unwrap_or_default(),
            limit,
        );
        let mut found = statement.query(bounds)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let id = row.get_ref(0)?.as_blob()?;
            let Ok(key) = Key::new(kind, tenant, id) else { continue }; // only in a damaged file
            rows.push((key, read_row(row, 1)?));
        }
        Ok(rows)
    })?;
    Ok(rows.unwrap_or_default())
}

/// Reads one table. `None` if the table is a slot that the moment of this read does not have.
fn if_there<T>(
    connection: &Connection,
    table: &Table,
    kind: Kind,
    read: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    match read() {
        Ok(value) => Ok(Some(value)),
        Err(error) if in_slots(kind) => {
            let mut exists = connection.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = ?1")?;
            if exists.exists([&table.name])? {
                Err(error)
            } else {
                Ok(None)
            }
        }
        Err(error) => Err(error),
    }
}

fn read_row(row: &SqlRow<'_>, first: usize) -> rusqlite::Result<Row> {
    let expires_at: Option<i64> = row.get(first + 1)?;
    Ok(Row {
        version: unsigned(row.get(first)?),
        expires_at: expires_at.map(unsigned),
        sealed: SealedBytes::from_sealed(row.get(first + 2)?),
    })
}
