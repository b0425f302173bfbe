//! A panic says where, and nothing else: its words could quote what was being worked on.

use std::io::Write;
use std::panic;

/// From now on a panic writes `panicked_at` with file, line and column, and neither its words nor a backtrace; where nobody listens to the log, a line
/// on standard error. What catches it goes on as before.
pub fn quiet_panics() {
    panic::set_hook(Box::new(|panic| {
        let (file, line, column) = panic
            .location()
            .map_or(("unknown", 0, 0), |at| (at.file(), at.line(), at.column()));
        if tracing::enabled!(tracing::Level::ERROR) {
            tracing::error!(event = "panicked_at", file, line, column, "a step panicked");
        } else {
            // Nobody reads a broken stderr; there is nothing left to do then.
            let _ = writeln!(
                std::io::stderr(),
                "panicked at {file}:{line}:{column}; its words are left out, they could be about a person"
            );
        }
    }));
}
