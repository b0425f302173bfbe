//! The list is what the sources say, and the page is what the list says.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;

/// The rooms whose lines the provider's process writes.
const ROOMS: [&str; 9] = [
    "provider",
    "store",
    "store-sqlite",
    "transport",
    "vault",
    "oidc",
    "authenticator",
    "federation",
    "jose",
];

fn sources() -> Vec<(PathBuf, String)> {
    fn collect(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
                && !path.ends_with("events/table.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                // What follows is compiled for tests only.
                let shipped = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
                found.push((path, shipped));
            }
        }
    }
    let rooms = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    for room in ROOMS {
        collect(&rooms.join(room).join("src"), &mut found);
    }
    assert!(found.len() > 100);
    found
}

/// What stands between the parentheses that begin at `open`.
fn arguments(text: &str, open: usize) -> &str {
    let mut depth = 0;
    let mut in_text = false;
    let mut escaped = false;
    for (at, character) in text[open..].char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return &text[open + 1..open + at];
                }
            }
            _ => {}
        }
    }
    panic!("a macro call without end")
}

/// Arguments at the top level, in order.
fn split(arguments: &str) -> Vec<String> {
    let (mut parts, mut depth, mut in_text, mut escaped) = (vec![String::new()], 0, false, false);
    for character in arguments.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '(' | '[' | '{' if !in_text => depth += 1,
            ')' | ']' | '}' if !in_text => depth -= 1,
            ',' if !in_text && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(character);
    }
    parts
        .iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

/// Every call of a logging macro: its fields, and the event code where it is written out.
fn calls(text: &str) -> Vec<(Vec<String>, Option<String>)> {
    let mut calls = Vec::new();
    for level in ["error", "warn", "info", "debug", "trace", "event"] {
        let mark = format!("tracing::{level}!(");
        for (at, _) in text.match_indices(&mark) {
            let (mut fields, mut code) = (Vec::new(), None);
            for part in split(arguments(text, at + mark.len() - 1)) {
                if part.starts_with('"') {
                    assert!(!part.contains('{'), "a message with a value in it: {part}");
                    continue;
                }
                if part.starts_with("target:") || part.starts_with("Level::") || part.starts_with("tracing::Level") {
                    continue;
                }
                let (name, value) = part
                    .split_once('=')
                    .map_or((part.as_str(), None), |(name, value)| (name, Some(value)));
                let name = name.trim().trim_start_matches(['%', '?']).to_owned();
                if name == "event" {
                    code = value.map(|value| value.trim().trim_matches('"').to_owned());
                }
                fields.push(name);
            }
            calls.push((fields, code));
        }
    }
    calls
}

#[test]
fn every_event_and_field_in_the_sources_is_listed() {
    let mut used = BTreeSet::new();
    let mut number = 0;
    for (path, text) in sources() {
        for (fields, code) in calls(&text) {
            number += 1;
            assert!(
                fields.iter().any(|field| field == "event"),
                "{}: a line without event",
                path.display()
            );
            for field in fields {
                assert!(FIELDS.contains(&field.as_str()), "{}: field '{field}'", path.display());
            }
            used.extend(code);
        }
        // Codes that are given to a function that logs them.
        for mark in [
            "problem(\"",
            "problem(\n            \"",
            "Problem::internal(\"",
            "\"event\".to_owned(), \"",
        ] {
            for (at, _) in text.match_indices(mark) {
                let rest = &text[at + mark.len()..];
                used.insert(rest[..rest.find('"').unwrap()].to_owned());
            }
        }
    }
    assert!(number > 25, "{number}");
    let unlisted: Vec<&String> = used.iter().filter(|code| !is_listed(code)).collect();
    assert!(
        unlisted.is_empty(),
        "used and not listed in events/table.rs: {unlisted:?}"
    );
    let unused: Vec<&str> = EVENTS
        .iter()
        .map(|event| event.code)
        .filter(|code| !used.contains(*code))
        .collect();
    assert!(
        unused.is_empty(),
        "listed in events/table.rs and never used: {unused:?}"
    );
}

#[test]
fn the_search_of_the_sources_finds_what_it_must() {
    let text = r#"tracing::info!(event = "a", %kvnr, name = x(1, "b,)"), "words (of) ours");"#;
    let found = calls(text);
    assert_eq!(
        found,
        [(
            vec!["event".to_owned(), "kvnr".into(), "name".into()],
            Some("a".to_owned())
        )]
    );
    assert!(!FIELDS.contains(&"kvnr") && !FIELDS.contains(&"name") && !is_listed("a"));
}

#[test]
fn no_code_is_listed_twice() {
    let codes: BTreeSet<&str> = EVENTS.iter().map(|event| event.code).collect();
    assert_eq!(codes.len(), EVENTS.len());
    for event in EVENTS {
        assert!(!event.meaning.is_empty() && !event.action.is_empty() && !event.meaning.contains('|'));
    }
}

fn page_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations/events.md")
}

#[test]
fn the_page_of_events_is_current() {
    let written = std::fs::read_to_string(page_path()).unwrap_or_default();
    // Not `assert_eq`: nobody wants to read two pages.
    assert!(
        written == page(),
        "docs/operations/events.md is old: its first lines say how to write it again"
    );
}

#[test]
#[ignore = "writes docs/operations/events.md"]
fn write_the_page() {
    std::fs::write(page_path(), page()).unwrap();
}
