//! The reasons in what is not compiled with them: the page for app developers and the web wallet's list.
//!
//! Written with `cargo test -p healthid-wallet --lib reasons -- --ignored write`.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use authenticator::{GoesOn, Reason};

/// Where the generated part of the page begins and ends.
const TABLE: [&str; 2] = ["<!-- reasons -->\n", "<!-- end of reasons -->"];

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn page() -> PathBuf {
    repository("docs/wallet-core.md")
}

fn list() -> PathBuf {
    repository("apps/wallet/src/core/reasons.ts")
}

fn table() -> String {
    let mut table = "| `reason` | What happened | The login |\n|---|---|---|\n".to_owned();
    for reason in Reason::ALL {
        let goes_on = match reason.goes_on() {
            GoesOn::Yes => "goes on",
            GoesOn::No => "is over",
        };
        table += &format!("| `{reason}` | {} | {goes_on} |\n", reason.meaning());
    }
    table
}

fn page_with_table(page: &str) -> String {
    let [begin, end] = TABLE;
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    format!("{before}{begin}{}{end}{after}", table())
}

fn typescript() -> String {
    let lines = |reasons: &mut dyn Iterator<Item = &Reason>| -> String {
        reasons.map(|reason| format!("  '{reason}',\n")).collect()
    };
    format!(
        "/** Why the provider refuses, in words that never change. Written from `authenticator::Reason` in Rust, which says what each means. */\n\n\
         export const REASONS = [\n{}] as const;\n\n\
         export type Reason = (typeof REASONS)[number];\n\n\
         /** After these the login is over. After any other the machine waits for another answer to the same question. */\n\
         export const ENDING: ReadonlySet<Reason> = new Set<Reason>([\n{}]);\n",
        lines(&mut Reason::ALL.iter()),
        lines(&mut Reason::ALL.iter().filter(|reason| reason.goes_on() == GoesOn::No)),
    )
}

#[test]
fn the_page_and_the_web_wallet_know_every_reason() {
    let shown = std::fs::read_to_string(page()).unwrap();
    assert_eq!(shown, page_with_table(&shown));
    assert_eq!(std::fs::read_to_string(list()).unwrap(), typescript());
}

#[test]
#[ignore = "writes docs/wallet-core.md and apps/wallet/src/core/reasons.ts"]
fn write() {
    let shown = std::fs::read_to_string(page()).unwrap();
    std::fs::write(page(), page_with_table(&shown)).unwrap();
    std::fs::write(list(), typescript()).unwrap();
}
