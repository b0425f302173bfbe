//! Every event code there is, what it means and what to do: a closed list. And every field a log line may have.
//!
//! A line of the log is an event code and fields of fixed names. Nothing else leaves the process on that way: `telemetry` drops fields that are not
//! listed here, and a test reads the sources and refuses a code or field that is not (`every_event_and_field_in_the_sources_is_listed`).
//! `docs/operations/events.md` is written from this list.

mod table;

pub use table::EVENTS;

/// How urgent an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Ordinary work; count it.
    Count,
    /// Look at it in working hours, or when it becomes more.
    Look,
    /// Somebody must look now.
    Alarm,
}

impl Urgency {
    /// As the page says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Look => "look",
            Self::Alarm => "**alarm**",
        }
    }
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// The value of the field `event`.
    pub code: &'static str,
    /// How urgent.
    pub urgency: Urgency,
    /// What has happened.
    pub meaning: &'static str,
    /// What to do.
    pub action: &'static str,
}

/// Fields a log line may have. Each is a number, a fixed word, a random name, or a sentence of ours that names rules and files; none ever holds a
/// person, a token, a key or an address of a caller.
pub const FIELDS: &[&str] = &[
    "event",
    "message",
    // fixed words and numbers
    "code",
    "error",
    "kind",
    "level",
    "limit",
    "lock",
    "method",
    "missed",
    "deleted",
    "people",
    "records",
    "left",
    "operator_excluded",
    "role",
    "status",
    "step",
    "line",
    "column",
    // random names
    "operation",
    "support_code",
    // sentences of ours
    "detail",
    "reason",
    // files and hosts of the operator's own
    "file",
    "domain",
];

/// Whether a code is listed.
pub fn is_listed(code: &str) -> bool {
    EVENTS.iter().any(|event| event.code == code)
}

/// The page for operators.
pub fn page() -> String {
    let mut page = String::from(INTRODUCTION);
    for urgency in [Urgency::Alarm, Urgency::Look, Urgency::Count] {
        page.push_str(match urgency {
            Urgency::Alarm => "\n## Alarms\n\nSomebody must look now.\n",
            Urgency::Look => "\n## To look at\n\nIn working hours, or at once when there are suddenly many.\n",
            Urgency::Count => "\n## Ordinary work\n\nCount them: their rate is the service's pulse.\n",
        });
        page.push_str("\n| Event | Meaning | What to do |\n|---|---|---|\n");
        for event in EVENTS.iter().filter(|event| event.urgency == urgency) {
            page.push_str(&format!(
                "| `{}` | {} | {} |\n",
                event.code, event.meaning, event.action
            ));
        }
    }
    page.push_str("\n## Fields\n\nA line has these fields and no others:\n\n");
    let fields: Vec<String> = FIELDS.iter().map(|field| format!("`{field}`")).collect();
    page.push_str(&fields.join(", "));
    page.push_str(".\n");
    page
}

const INTRODUCTION: &str = "# Events, and what to do\n\n\
<!-- Written from crates/provider/src/events/table.rs; a test holds them together. To write it again:\n     \
UPDATE: cargo test -p healthid-provider --lib events -- --ignored write_the_page -->\n\n\
`healthid-provider` writes one JSON object a line on standard error. `event` is one of the words below and nothing else; the list is closed. No\n\
field names a person, a device, a token, a key or a caller's address, so a line cannot be turned into one. A refusal carries a `support_code`\n\
that the person has seen too.\n\n\
Anomalies are kept in memory per process and begin anew with it; limits and lockouts are kept in the freshness ledger and do not.\n";

#[cfg(test)]
mod tests;
