//! Names of tables and the statements on them.
//!
//! Kinds that stay until deleted have one table. Kinds that expire have one table per time slot, created with the first
//! record of the slot and dropped whole. Statement texts are built once per table, so that SQLite's statement cache
//! finds them by text without formatting.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;
use store::{Kind, Lifetime, OPERATION_RETENTION_SECONDS, OperationId, UnixSeconds};

/// Length of a slot of operation ids. An id lives between one retention and one retention plus a slot.
const OPERATION_SLOT_SECONDS: u64 = OPERATION_RETENTION_SECONDS / 2;

/// The statements of one table of records.
#[derive(Debug)]
pub(crate) struct Table {
    pub name: String,
    pub create: String,
    /// (tenant, id) -> version
    pub version: String,
    /// (tenant, id) -> version, expires_at, sealed
    pub row: String,
    /// (tenant, id, expires_at, sealed)
    pub put: String,
    /// (tenant, id)
    pub delete: String,
    /// (tenant, at least, at most, not, limit) -> id, version, expires_at, sealed
    pub list: String,
    /// (now): removes what expired
    pub expire: String,
}

impl Table {
    fn new(name: String, kind: Kind) -> Self {
        let columns = "tenant BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, expires_at INTEGER, \
                       sealed BLOB NOT NULL";
        // Small records live in the index itself; large ones in a plain table beside it, which loads six times faster
        // and takes a quarter less space (spec/performance.md 3.2).
        let create = match kind {
            Kind::Lookup | Kind::SingleUse => {
                format!("CREATE TABLE {name} ({columns}, PRIMARY KEY (tenant, id)) WITHOUT ROWID")
            }
            _ => format!("CREATE TABLE {name} ({columns}); CREATE UNIQUE INDEX {name}_key ON {name} (tenant, id)"),
        };
        let create = match kind.lifetime() {
            Lifetime::Slots { .. } => create,
            Lifetime::UntilDeleted => {
                format!("{create}; CREATE INDEX {name}_expiry ON {name} (expires_at) WHERE expires_at IS NOT NULL")
            }
        };
        let on_conflict = match kind.lifetime() {
            Lifetime::Slots { .. } => "",
            Lifetime::UntilDeleted => {
                " ON CONFLICT (tenant, id) DO UPDATE SET version = version + 1, expires_at = excluded.expires_at, \
                 sealed = excluded.sealed"
            }
        };
        Self {
            version: format!("SELECT version FROM {name} WHERE tenant = ?1 AND id = ?2"),
            row: format!("SELECT version, expires_at, sealed FROM {name} WHERE tenant = ?1 AND id = ?2"),
            put: format!(
                "INSERT INTO {name} (tenant, id, version, expires_at, sealed) VALUES (?1, ?2, 1, ?3, ?4){on_conflict}"
            ),
            delete: format!("DELETE FROM {name} WHERE tenant = ?1 AND id = ?2"),
            list: format!(
                "SELECT id, version, expires_at, sealed FROM {name} \
                 WHERE tenant = ?1 AND id >= ?2 AND id <= ?3 AND id <> ?4 ORDER BY id LIMIT ?5"
            ),
            expire: format!("DELETE FROM {name} WHERE expires_at <= ?1"),
            name,
            create,
        }
    }
}

/// The statements of one table of operation ids.
#[derive(Debug)]
pub(crate) struct OperationTable {
    pub name: String,
    pub create: String,
    /// (id) -> 1
    pub exists: String,
    /// (id)
    pub insert: String,
}

impl OperationTable {
    fn new(name: String) -> Self {
        Self {
            create: format!("CREATE TABLE {name} (id BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID"),
            exists: format!("SELECT 1 FROM {name} WHERE id = ?1"),
            insert: format!("INSERT OR IGNORE INTO {name} (id) VALUES (?1)"),
            name,
        }
    }
}

/// Every table there is. Cloned when a slot comes or goes, and shared as it is otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    fixed: Vec<Option<Arc<Table>>>,
    slots: BTreeMap<(Kind, u64), Arc<Table>>,
    operations: BTreeMap<u64, Arc<OperationTable>>,
}

/// Where the records of a kind with a given expiry belong.
pub(crate) fn slot_of(kind: Kind, expires_at: UnixSeconds) -> u64 {
    match kind.lifetime() {
        Lifetime::Slots { seconds } => expires_at / seconds,
        Lifetime::UntilDeleted => 0,
    }
}

pub(crate) fn operation_slot(operation: OperationId) -> u64 {
    operation.began_at() / OPERATION_SLOT_SECONDS
}

/// Operations that began before this may be forgotten at `now`: the beginning of a slot.
pub(crate) fn forget_before(now: UnixSeconds) -> UnixSeconds {
    now.saturating_sub(OPERATION_RETENTION_SECONDS) / OPERATION_SLOT_SECONDS * OPERATION_SLOT_SECONDS
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Identity => "identity",
        Kind::Lookup => "lookup",
        Kind::Device => "device",
        Kind::Consent => "consent",
        Kind::Audit => "audit",
        Kind::SingleUse => "single_use",
        Kind::TenantKey => "tenant_key",
        Kind::Meta => "meta",
    }
}

impl Tables {
    /// The tables every store has.
    pub fn fixed() -> Self {
        let fixed = Kind::ALL.iter().map(|&kind| match kind.lifetime() {
            Lifetime::UntilDeleted => Some(Arc::new(Table::new(name_of(kind).to_owned(), kind))),
            Lifetime::Slots { .. } => None,
        });
        Self {
            fixed: fixed.collect(),
            slots: BTreeMap::new(),
            operations: BTreeMap::new(),
        }
    }

    /// The fixed tables and the slots that exist.
    pub fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut tables = Self::fixed();
        let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
        let mut names = statement.query([])?;
        while let Some(row) = names.next()? {
            let name: String = row.get(0)?;
            let Some((base, slot)) = name.rsplit_once('_') else {
                continue;
            };
            let Ok(slot) = slot.parse::<u64>() else { continue };
            if base == "operation" {
                tables.operations.insert(slot, Arc::new(OperationTable::new(name)));
            } else if let Some(kind) = Kind::ALL.into_iter().find(|&kind| name_of(kind) == base) {
                tables.slots.insert((kind, slot), Arc::new(Table::new(name, kind)));
            }
        }
        Ok(tables)
    }

    /// The tables in which a record of this kind may lie: one, or every slot.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Arc<Table>> {
        let fixed = Kind::ALL
            .iter()
            .position(|&other| other == kind)
            .and_then(|index| self.fixed[index].as_ref());
        fixed
            .into_iter()
            .chain(self.slots.range((kind, 0)..=(kind, u64::MAX)).map(|(_, table)| table))
    }

    /// How many slots there are.
    pub fn count(&self) -> usize {
        self.slots.len() + self.operations.len()
    }

    /// The fixed tables.
    pub fn unslotted(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.fixed.iter().flatten()
    }

    /// The table for a record with this expiry, if it exists.
    pub fn for_expiry(&self, kind: Kind, expires_at: Option<UnixSeconds>) -> Option<&Arc<Table>> {
        match kind.lifetime() {
            Lifetime::UntilDeleted => self.of(kind).next(),
            Lifetime::Slots { .. } => self.slots.get(&(kind, slot_of(kind, expires_at?))),
        }
    }

    /// The table an operation id belongs to, if it exists.
    pub fn for_operation(&self, operation: OperationId) -> Option<&Arc<OperationTable>> {
        self.operations.get(&operation_slot(operation))
    }

    /// Creates the slot for a record with this expiry.
    pub fn create_slot(&mut self, connection: &Connection, kind: Kind, slot: u64) -> rusqlite::Result<()> {
        let table = Table::new(format!("{}_{slot}", name_of(kind)), kind);
        connection.execute_batch(&table.create)?;
        self.slots.insert((kind, slot), Arc::new(table));
        Ok(())
    }

    /// Creates the slot for an operation id.
    pub fn create_operation_slot(&mut self, connection: &Connection, slot: u64) -> rusqlite::Result<()> {
        let table = OperationTable::new(format!("operation_{slot}"));
        connection.execute_batch(&table.create)?;
        self.operations.insert(slot, Arc::new(table));
        Ok(())
    }

    /// Removes every slot that lies wholly before `now`, and operations that may be forgotten; gives the names of the
    /// tables to drop.
    pub fn remove_expired(&mut self, now: UnixSeconds) -> Vec<String> {
        let mut expired = Vec::new();
        self.slots.retain(|&(kind, slot), table| {
            let Lifetime::Slots { seconds } = kind.lifetime() else {
                return true;
            };
            let keep = slot.saturating_add(1).saturating_mul(seconds) > now;
            if !keep {
                expired.push(table.name.clone());
            }
            keep
        });
        let forget_before = forget_before(now);
        self.operations.retain(|&slot, table| {
            let keep = slot.saturating_mul(OPERATION_SLOT_SECONDS) >= forget_before;
            if !keep {
                expired.push(table.name.clone());
            }
            keep
        });
        expired
    }
}

/// Number of a wire or column integer: SQLite's are signed.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The reverse of [`signed`]; a negative number can only come from a damaged file and reads as 0.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
