//! The provider's clock: the only place that reads the time.

use std::time::{SystemTime, UNIX_EPOCH};

use jose::UnixTime;

/// Tells the time. Read once at the top of a request and passed down.
pub trait Clock: Send + Sync {
    /// Seconds since 1970.
    fn now(&self) -> UnixTime;
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        // A clock before 1970 reads as 1970: everything is expired then, nothing is accepted.
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime(since_1970.as_secs())
    }
}
