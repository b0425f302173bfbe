//! What a deployment may choose.

use std::time::Duration;

/// Choices of a deployment. The defaults fit everything from a laptop to a national insurer on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long a caller waits for a commit that has begun before the answer is
    /// [`Unknown`](store::Outcome::Unknown), and for one that has not begun before it is withdrawn. Default 5 s. Checked
    /// at intervals: the answer may come up to half as late again.
    pub deadline: Duration,
    /// How long the writer waits for somebody else's lock on the database (a backup tool). Default 2 s.
    pub lock_wait: Duration,
    /// After a group of several commits, how long the writer lets the next group gather before it begins. Syncing is
    /// what a commit costs, so fewer and larger groups cost less; callers one after the other are never delayed. Default
    /// 2 ms.
    pub gather: Duration,
    /// Most commits waiting; further ones are refused as overload. Default 8192.
    pub max_waiting: usize,
    /// Largest size of the database file in bytes; beyond it the store is full. Default: none.
    pub max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            lock_wait: Duration::from_secs(2),
            gather: Duration::from_millis(2),
            max_waiting: 8_192,
            max_bytes: None,
        }
    }
}
