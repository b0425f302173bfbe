//! The canary test (tee.md 5, attack 27): people with numbers, names and addresses of their own go through every flow, under load, and then
//! everything an operator can lay hands on beside the provider's own memory is searched for them.
//!
//! The provider is the shipped binary, hardened, on a machine of its own ([`machine`]). Searched: database files with write-ahead log, freshness
//! register, log and crash output, working directory (core files), what a proxy recorded of the traffic, every temporary file, environment and
//! arguments of every process, and the memory of every other process: the proxy, the Federation Master it fetches from, a tool that reads the database.
//! In each the canaries are looked for raw, reversed, as UTF-16 of both orders, as hexadecimal and as base64 at each alignment; each medium is shown to
//! give up a canary that was planted in it. There are no metrics and no traces: the test sees that no descriptor leads anywhere else. Swap is not
//! read: the test fails if the provider was swapped, or is not locked where it may be.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../crash/child.rs"]
mod child;
#[path = "../common/mod.rs"]
mod common;
mod flows;
mod machine;
mod neighbours;
#[allow(dead_code)]
#[path = "../crash/process.rs"]
mod process;
mod search;
mod shipped;
mod sweep;

use std::io::Write as _;

use neighbours::{Neighbour, Orders};
use process::{Canary, World};
use search::{ENCODINGS, Encoding, Search};

/// Somebody each, of one insurer.
fn canaries(number: usize) -> Vec<Canary> {
    common::crowd(number)
        .into_iter()
        .enumerate()
        .map(|(number, person)| Canary {
            kvnr: person.kvnr.to_owned(),
            ik: common::PATH_IK.to_owned(),
            card: u8::try_from(101 + number).unwrap(),
            given_name: format!("Kanarienvogel-{number:02}-Ö"),
            family_name: format!("Gelbgefieder-{number:02}-ß"),
            email: format!("zwitscher-{number:02}@kaefig.example"),
        })
        .collect()
}

/// On the terminal itself: the test harness swallows what a passing test prints.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// On standard output, which whoever started this process reads.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Names of everything that was found, for the message.
fn none(what: &str, found: &[(String, Encoding)]) {
    assert!(found.is_empty(), "{what}: {found:?}");
}

/// Without hardening there would be a core file, and she would be found in it: the test above is not blind.
#[tokio::test]
async fn a_core_file_of_a_provider_that_is_not_hardened_gives_them_away() {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.trim() != "core" && pattern.trim() != "core.%p" {
        return tell(&format!(
            "!! SKIPPED a_core_file_of_a_provider_that_is_not_hardened_gives_them_away: this kernel does not write core files into the working \
             directory ({})",
            pattern.trim()
        ));
    }
    let world = World::new().await;
    let canaries = &canaries(2);
    let outside = tempfile::tempdir().unwrap();
    let log = outside.path().join("provider.log");
    let mut process = world.start_with_canaries(canaries, &log);
    process.crash();
    let search = Search::new(
        canaries
            .iter()
            .map(|canary| ("number".to_owned(), canary.kvnr.as_bytes().to_vec())),
    );
    assert!(
        !search.files(outside.path()).is_empty(),
        "there is a core file, and the numbers just imported are in it"
    );
    none("log", &search.files(&log));
}

#[test]
fn a_planted_canary_is_found_in_every_medium_and_encoding() {
    let canary = "C123456789-Gelbgefieder-ß";
    let search = Search::new([("planted".to_owned(), canary.as_bytes().to_vec())]);
    let directory = tempfile::tempdir().unwrap();
    for encoding in ENCODINGS {
        // With other bytes around it, also across the border of a window.
        let pattern = encoding.encode(canary.as_bytes());
        let offsets: &[usize] = match encoding {
            Encoding::Raw | Encoding::Base64(1) => &[0, 1, 17, (1 << 20) - 5, (1 << 20) - 1],
            _ => &[0, 1, 17],
        };
        for before in offsets.iter().copied() {
            let bytes = [vec![b'x'; before], pattern.clone(), vec![b'y'; 33]].concat();
            let file = directory.path().join("medium");
            std::fs::write(&file, &bytes).unwrap();
            let found = search.files(directory.path());
            assert!(!found.is_empty(), "{encoding:?} {before}");
        }
        let helper = Neighbour::start(&Orders::Hold { bytes: pattern });
        let (found, _) = search.memory(helper.id());
        assert!(!found.is_empty(), "{encoding:?} in memory");
    }
    std::fs::write(directory.path().join("medium"), vec![b'x'; 2 << 20]).unwrap();
    assert_eq!(search.files(directory.path()), []);
}

#[test]
fn base64_is_found_at_every_alignment() {
    use base64::Engine as _;
    let canary = b"C123456789-Gelbgefieder";
    let search = Search::new([("planted".to_owned(), canary.to_vec())]);
    for before in 0..6 {
        for after in 0..4 {
            let bytes = [&vec![0xfb; before][..], canary, &vec![0xfb; after][..]].concat();
            for text in [
                base64::engine::general_purpose::STANDARD.encode(&bytes),
                base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes),
            ] {
                assert!(!search.bytes(text.as_bytes()).is_empty(), "{before} {after}");
            }
        }
    }
}

/// A canary a real database writes in clear is found in its files and in its log.
#[test]
fn a_canary_in_a_real_database_is_found() {
    use store::suite::block_on;
    use store::{Key, Kind, OperationId, Outcome, SealedBytes, Store, TenantId, Write};
    let canary = b"C123456789-Gelbgefieder".to_vec();
    let directory = tempfile::tempdir().unwrap();
    let store = store_sqlite::SqliteStore::open(directory.path().join("store.sqlite")).unwrap();
    let write = Write::Put {
        key: Key::new(Kind::Meta, TenantId::from_bytes([1; 16]), b"planted").unwrap(),
        sealed: SealedBytes::from_sealed(canary.clone()),
        expires_at: None,
    };
    let operation = OperationId::new(common::clock::NOW.0, [1; 8]);
    assert_eq!(block_on(store.commit(operation, &[], &[write])), Outcome::Committed);
    let search = Search::new([("planted".to_owned(), canary)]);
    assert_eq!(search.files(directory.path()), [("planted".to_owned(), Encoding::Raw)]);
}
