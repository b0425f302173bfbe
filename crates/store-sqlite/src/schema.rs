//! Opening the file: settings, version, tables.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use store::StoreError;

use crate::Options;
use crate::error::translate;
use crate::tables::{Tables, signed};

/// Version of the tables this release writes. Raised by a migration that the release before can live with (expand),
/// and again when nothing needs the old form any more (contract).
pub const SCHEMA_VERSION: u32 = 1;

/// "HID1": marks the file as ours, so that no other program's database is written to by mistake.
const APPLICATION_ID: i32 = 0x4849_4431;

/// Pages of the writer's and of each reader's cache, in KiB; the operating system caches the file as well.
const WRITER_CACHE_KIB: i32 = 8_192;
const READER_CACHE_KIB: i32 = 1_024;
/// Statements kept prepared per connection: every statement of every table of a few live slots.
const PREPARED_STATEMENTS: usize = 256;

/// Keeps other processes out for as long as it lives. The operating system frees it when the process dies.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    pub fn acquire(database: &Path) -> Result<Self, StoreError> {
        let path = with_suffix(database, ".lock");
        let file = private_file(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked("another process has it open".to_owned())),
            Err(TryLockError::Error(error)) => Err(from_io(&error)),
        }
    }
}

/// Opens the connection of the writer, creating the file and its tables if needed.
pub(crate) fn open_writer(path: &Path, options: &Options) -> Result<Connection, StoreError> {
    drop(private_file(path)?);
    let connection = connect(path, options, WRITER_CACHE_KIB)?;
    prepare(&connection, options).map_err(|error| translate(&error))?;
    check_version(&connection)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(crate) fn open_reader(path: &Path, options: &Options) -> Result<Connection, StoreError> {
    let connection = connect(path, options, READER_CACHE_KIB)?;
    connection
        .pragma_update(None, "query_only", true)
        .map_err(|error| translate(&error))?;
    Ok(connection)
}

fn connect(path: &Path, options: &Options, cache_kib: i32) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(options.lock_wait)?;
        connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
        connection.pragma_update(None, "cache_size", -cache_kib)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(connection)
    };
    open().map_err(|error| translate(&error))
}

fn prepare(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && tables > 0 {
        return Ok(()); // not ours: leave it untouched, check_version refuses it
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: the log is synced before a commit is acknowledged.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    if let Some(max_bytes) = options.max_bytes {
        let page_size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        connection.pragma_update(None, "max_page_count", (signed(max_bytes) / page_size).max(1))?;
    }
    if tables == 0 {
        create(connection)?;
    }
    Ok(())
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.execute_batch(
        "CREATE TABLE schema_version (version INTEGER NOT NULL);
         CREATE TABLE housekeeping (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    )?;
    connection.execute("INSERT INTO schema_version (version) VALUES (?1)", [SCHEMA_VERSION])?;
    for table in Tables::fixed().unslotted() {
        connection.execute_batch(&table.create)?;
    }
    connection.execute_batch("COMMIT")
}

fn check_version(connection: &Connection) -> Result<(), StoreError> {
    let application: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| translate(&error))?;
    if application != APPLICATION_ID {
        return Err(StoreError::Corrupt("the file is another program's database".to_owned()));
    }
    let found: Option<u32> = connection
        .query_row("SELECT max(version) FROM schema_version", [], |row| row.get(0))
        .optional()
        .map_err(|error| translate(&error))?
        .flatten();
    match found {
        None => Err(StoreError::Corrupt("schema_version is empty".to_owned())),
        Some(found) if found > SCHEMA_VERSION => Err(StoreError::SchemaTooNew {
            found,
            supported: SCHEMA_VERSION,
        }),
        Some(_) => Ok(()), // there is one version yet; migrations from older ones go here
    }
}

/// Opens or creates a file that only its owner may read; the write-ahead log inherits the permissions.
fn private_file(path: &Path) -> Result<File, StoreError> {
    let mut open = OpenOptions::new();
    open.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path).map_err(|error| from_io(&error))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(crate) fn from_io(error: &std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::StorageFull => StoreError::Full,
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly(error.to_string())
        }
        _ => StoreError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn commits_are_synced_and_logged_ahead() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.sqlite");
        let writer = open_writer(&path, &Options::default()).unwrap();
        let synchronous: i32 = writer
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap();
        let journal: String = writer
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!((synchronous, journal.as_str()), (2, "wal"), "2 is FULL");
    }

    #[test]
    fn reader_cannot_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.sqlite");
        drop(open_writer(&path, &Options::default()).unwrap());
        let reader = open_reader(&path, &Options::default()).unwrap();
        assert!(reader.execute("DELETE FROM meta", []).is_err());
    }
}
