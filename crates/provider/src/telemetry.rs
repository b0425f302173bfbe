//! The log of the process: one JSON object a line, with listed fields only.
//!
//! The only writer of lines to standard error. An event whose code is not listed is written as `unlisted_event` without its fields; a field that is
//! not listed is dropped. Libraries are not heard: what they would say was not written with people in mind.

mod panics;

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::events::{FIELDS, is_listed};

pub use panics::quiet_panics;

/// Our rooms; everything else is silent.
const FILTER: &str = "off,provider=info,healthid_provider=info,oidc=info,authenticator=info,federation=info,jose=info,vault=info,store=info,\
    store_sqlite=info,transport=info";

/// Longest text of a field, in bytes.
const MAX_TEXT_BYTES: usize = 500;

/// Begins to log to standard error, and keeps panics from speaking. Call it once, first thing.
pub fn begin() {
    quiet_panics();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(FILTER))
        .with_writer(std::io::stderr)
        .event_format(ListedOnly)
        .init();
}

/// Writes a line with listed fields only.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListedOnly;

impl<S, N> FormatEvent<S, N> for ListedOnly
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut listed = Listed::default();
        event.record(&mut listed);
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let metadata = event.metadata();
        let line = serde_json::json!({
            "timestamp": time,
            "level": metadata.level().as_str(),
            "fields": listed.into_fields(),
            "target": metadata.target(),
        });
        writeln!(writer, "{line}")
    }
}

/// What of an event may be written.
#[derive(Default)]
struct Listed {
    fields: serde_json::Map<String, serde_json::Value>,
}

impl Listed {
    fn keep(&mut self, field: &Field, value: serde_json::Value) {
        if FIELDS.contains(&field.name()) {
            self.fields.insert(field.name().to_owned(), value);
        }
    }

    fn into_fields(self) -> serde_json::Map<String, serde_json::Value> {
        let listed = self
            .fields
            .get("event")
            .and_then(serde_json::Value::as_str)
            .is_some_and(is_listed);
        if listed {
            return self.fields;
        }
        let mut unlisted = serde_json::Map::new();
        unlisted.insert("event".to_owned(), "unlisted_event".into());
        unlisted
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

impl Visit for Listed {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.keep(field, cut(&text).into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, cut(value).into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lines(work: impl FnOnce()) -> Vec<serde_json::Value> {
        let lines = Lines::default();
        let to = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || to.clone())
            .event_format(ListedOnly)
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        let bytes = lines.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn fields_that_are_not_listed_never_leave_the_process() {
        let lines = lines(|| {
            tracing::info!(
                event = "authenticated",
                kvnr = "Q000123451",
                level = "high",
                "authenticated"
            );
            tracing::info!(event = "hello", level = "Q000123451");
            tracing::info!(person = ?"Q000123451", "Q000123451");
            tracing::error!(event = "store_failed", error = %"x".repeat(5_000));
        });
        assert_eq!(lines.len(), 4);
        assert_eq!(
            lines[0]["fields"],
            serde_json::json!({"event": "authenticated", "level": "high", "message": "authenticated"})
        );
        for line in &lines[1..3] {
            assert_eq!(line["fields"], serde_json::json!({"event": "unlisted_event"}));
        }
        assert_eq!(lines[3]["fields"]["error"].as_str().unwrap().len(), MAX_TEXT_BYTES);
        assert!(!serde_json::to_string(&lines).unwrap().contains("Q000123451"));
        assert_eq!(lines[3]["level"], "ERROR");
        assert!(lines[3]["timestamp"].as_str().unwrap().starts_with("20"));
    }

    #[test]
    fn a_line_is_one_line_whatever_stands_in_it() {
        let lines = lines(|| tracing::info!(event = "push_refused", reason = "a\nb\"}\r\n{\"event\":\"started\"}"));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["fields"]["event"], "push_refused");
    }
}
