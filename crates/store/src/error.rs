//! What can go wrong in a store, each reason by itself.

use crate::Kind;

/// Why a store did not do what was asked. Every variant means *surely not done*: where a backend cannot
/// tell, it answers [`Outcome::Unknown`](crate::Outcome::Unknown) instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// An id does not have the length its kind demands.
    #[error("id of a {kind:?} record must have {expected} bytes, not {found}")]
    IdLength {
        /// Kind of the record.
        kind: Kind,
        /// What the kind demands, in words.
        expected: &'static str,
        /// Bytes found.
        found: usize,
    },
    /// A sealed body is longer than its kind admits.
    #[error("sealed {kind:?} record must have at most {limit} bytes, not {found}")]
    SealedTooLong {
        /// Kind of the record.
        kind: Kind,
        /// Most bytes admitted.
        limit: usize,
        /// Bytes found.
        found: usize,
    },
    /// More keys, conditions, writes or rows in one call than admitted.
    #[error("at most {limit} {what} in one call, not {found}")]
    BatchTooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// How many were given.
        found: usize,
    },
    /// One commit writes the same key twice.
    #[error("one commit must write each key at most once; write {0} repeats an earlier key")]
    KeyWrittenTwice(usize),
    /// A record of a kind that is kept in slots carries no expiry.
    #[error("{0:?} record must carry expires_at")]
    ExpiryMissing(Kind),
    /// A record that is written once exists already (condition [`Absent`](crate::Condition::Absent) would have
    /// given a conflict instead).
    #[error("{0:?} record is written once and exists already")]
    WrittenOnce(Kind),
    /// More work is waiting than the backend accepts; nothing was begun.
    #[error("store is overloaded: the queue of commits is full")]
    Overloaded,
    /// The backend did not begin the work within its deadline, and withdrew it.
    #[error("store is busy: the commit was not begun within the deadline")]
    NotBegun,
    /// No space left.
    #[error("store has no space left")]
    Full,
    /// Somebody else holds the store.
    #[error("store is locked by somebody else: {0}")]
    Locked(String),
    /// The stored form is damaged or is no store at all.
    #[error("store is damaged or is not a store: {0}")]
    Corrupt(String),
    /// The store was written by a newer release.
    #[error("store has schema {found}, this release knows up to {supported}; use the newer release")]
    SchemaTooNew {
        /// Version found.
        found: u32,
        /// Newest version known.
        supported: u32,
    },
    /// The store admits no writes (read-only medium or permission).
    #[error("store cannot be written: {0}")]
    ReadOnly(String),
    /// The store was shut down.
    #[error("store is closed")]
    Closed,
    /// Any other failure of file, disk or server.
    #[error("store failed: {0}")]
    Failed(String),
}
