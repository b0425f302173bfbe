//! Time, as a parameter of the federation master: the machine's clock, or a frozen one in a test.

use std::sync::Arc;

use jose::UnixTime;

/// Something that says what time it is, in seconds since 1970.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// The machine's clock. Before 1970 it says 0.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "the edge at which the federation master learns the time"
        )]
        let now = std::time::SystemTime::now();
        UnixTime(
            now.duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
        )
    })
}
