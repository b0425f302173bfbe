//! How much cryptography has been done on this thread: for tests that two ways through the code take the same.
//!
//! Exists with the feature `count-work` only, which no shipped binary has.

use std::cell::Cell;

/// Operations so far, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Records and keys opened, or tried.
    pub opened: u64,
    /// Records sealed.
    pub sealed: u64,
    /// Keyed hashes: indexes, names of rows and of facts.
    pub hashed: u64,
}

thread_local! {
    static DONE: Cell<Work> = const { Cell::new(Work { opened: 0, sealed: 0, hashed: 0 }) };
}

/// What was done on this thread since this was asked last.
#[must_use]
pub fn take() -> Work {
    DONE.take()
}

pub(crate) fn count(change: impl FnOnce(&mut Work)) {
    let mut work = DONE.get();
    change(&mut work);
    DONE.set(work);
}
