//! The store on one machine: SQLite, embedded.
//!
//! * One thread writes. Everything that waits while a commit is under way joins the next one (group commit): one
//!   transaction and one `fdatasync` for all, yet each caller has its own outcome, because conditions are evaluated one
//!   caller after the other inside the transaction.
//! * Reads run on the caller's thread over a small pool of connections, in one snapshot per call. They never wait for
//!   the writer (write-ahead log).
//! * What expires lies in tables per time slot (`single_use_…`, `audit_…`, `operation_…`) that are dropped whole.
//! * A second process is kept out by a lock file beside the database.
//! * [`FileRegister`] keeps the freshness register in files of their own, for another disk than the database's.
//!
//! Trusted for: what [`store::Store`] promises, on a disk that obeys `fdatasync`. Not trusted with anything secret: it sees
//! sealed bytes, keyed indexes and times, but no one keeps its owner from restoring yesterday's file.
//!
//! Does not: decide, encrypt, read a clock, or retry a write.

mod apply;
mod error;
mod options;
mod queue;
mod reader;
mod register;
mod schema;
mod sqlite;
mod tables;
mod writer;

pub use options::Options;
pub use register::FileRegister;
pub use schema::SCHEMA_VERSION;
pub use sqlite::SqliteStore;
