//! What time it is.

use jose::UnixTime;

/// Now, by this machine's clock.
pub(crate) fn now() -> UnixTime {
    #[expect(clippy::disallowed_methods, reason = "the command line is where time comes in")]
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    UnixTime(since_1970.as_secs())
}
