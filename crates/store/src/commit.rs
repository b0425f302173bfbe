//! One atomic step: conditions, writes, an operation id, and how it ended.

use std::fmt;

use crate::{Key, Lifetime, Row, SealedBytes, StoreError, UnixSeconds};

/// Most conditions in one commit.
pub const MAX_CONDITIONS: usize = 64;
/// Most writes in one commit.
pub const MAX_WRITES: usize = 64;
/// How long the outcome of an operation can be asked for, from the second its id names.
pub const OPERATION_RETENTION_SECONDS: u64 = 3_600;

/// Name of one commit, chosen by the caller before the first attempt and used in all of them.
///
/// Carries the second in which the caller began, so that a backend can forget old operations by time slot, and
/// eight random bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId {
    began_at: UnixSeconds,
    random: [u8; 8],
}

impl OperationId {
    /// A new name. `random` must be fresh randomness.
    #[must_use]
    pub const fn new(began_at: UnixSeconds, random: [u8; 8]) -> Self {
        Self { began_at, random }
    }

    /// The second the caller named.
    #[must_use]
    pub const fn began_at(&self) -> UnixSeconds {
        self.began_at
    }

    /// 16 bytes: the second (big endian), then the random bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.began_at.to_be_bytes());
        bytes[8..].copy_from_slice(&self.random);
        bytes
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperationId(")?;
        self.to_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        f.write_str(")")
    }
}

/// What must hold at the moment of commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// No record of this key exists.
    Absent(Key),
    /// The record exists with exactly this version.
    VersionIs(Key, u64),
}

impl Condition {
    /// The key it speaks about.
    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Self::Absent(key) | Self::VersionIs(key, _) => key,
        }
    }

    /// Whether it holds for what is stored under its key.
    #[must_use]
    pub fn holds(&self, stored_version: Option<u64>) -> bool {
        match self {
            Self::Absent(_) => stored_version.is_none(),
            Self::VersionIs(_, expected) => stored_version == Some(*expected),
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Writes the record: version 1 if it was absent, one more than before otherwise. A body sealed for a version
    /// needs the matching condition beside it: [`Condition::Absent`] for 1, [`Condition::VersionIs`] n for n + 1.
    Put {
        /// Key of the record.
        key: Key,
        /// Its new body.
        sealed: SealedBytes,
        /// When it may go; demanded for kinds kept in slots, optional for the others.
        expires_at: Option<UnixSeconds>,
    },
    /// Removes the record; nothing happens if there is none.
    Delete(Key),
}

impl Write {
    /// The key it changes.
    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete(key) => key,
        }
    }
}

/// How a commit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Everything is written and survives a crash of process and machine.
    Committed,
    /// Nothing is written: the condition with this index (the first of the list that failed) did not hold.
    Conflict(usize),
    /// It may be written or not, now or in a moment. Never repeat it under another id: ask
    /// [`Store::outcome_of`](crate::Store::outcome_of), or repeat it under the *same* id.
    Unknown(OperationId),
    /// Nothing is written and nothing will be.
    Refused(StoreError),
}

/// Checks the limits of a commit before any work: sizes, expiry per kind, each key written once. Every backend
/// calls it first.
///
/// # Errors
/// The first rule broken.
pub fn check_commit(conditions: &[Condition], writes: &[Write]) -> Result<(), StoreError> {
    if conditions.len() > MAX_CONDITIONS {
        return Err(too_many("conditions", MAX_CONDITIONS, conditions.len()));
    }
    if writes.len() > MAX_WRITES {
        return Err(too_many("writes", MAX_WRITES, writes.len()));
    }
    for (index, write) in writes.iter().enumerate() {
        if writes[..index].iter().any(|earlier| earlier.key() == write.key()) {
            return Err(StoreError::KeyWrittenTwice(index));
        }
        let Write::Put {
            key,
            sealed,
            expires_at,
        } = write
        else {
            continue;
        };
        let kind = key.kind();
        let limit = kind.max_sealed_bytes();
        if sealed.len() > limit {
            return Err(StoreError::SealedTooLong {
                kind,
                limit,
                found: sealed.len(),
            });
        }
        if matches!(kind.lifetime(), Lifetime::Slots { .. }) && expires_at.is_none() {
            return Err(StoreError::ExpiryMissing(kind));
        }
    }
    Ok(())
}

const fn too_many(what: &'static str, limit: usize, found: usize) -> StoreError {
    StoreError::BatchTooLarge { what, limit, found }
}

impl Row {
    /// The version a [`Write::Put`] gives over this stored version.
    #[must_use]
    pub const fn version_after(stored: Option<u64>) -> u64 {
        match stored {
            None => 1,
            Some(version) => version.saturating_add(1),
        }
    }
}
