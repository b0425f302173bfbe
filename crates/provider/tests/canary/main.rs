//! The canary test (tee.md 5, attack 27): people with numbers, names and addresses of their own go through every flow, under load, and then
//! everything an operator can lay hands on beside the provider's own memory is searched for them.
//!
//! Searched: database files with write-ahead log, freshness register, log and crash output, what a proxy recorded of the traffic, and the memory of
//! that proxy and of a process that reads the database; whatever a killed provider leaves behind in its directory, a core file included. In each the
//! canaries are looked for raw, reversed, as UTF-16 of both orders, as hexadecimal and as base64 at each alignment. The search is shown to find a
//! canary planted in each medium and encoding. There are no metrics yet. Swap is not read: the test fails if the provider was swapped.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../crash/child.rs"]
mod child;
#[path = "../common/mod.rs"]
mod common;
mod helpers;
#[allow(dead_code)]
#[path = "../crash/process.rs"]
mod process;
mod search;

use std::sync::Arc;

use common::{Device, HIGH_CLASS, Insurer, Person, members, wire};
use helpers::{Helper, Orders};
use process::{Canary, Hardened, World};
use search::{ENCODINGS, Encoding, Search};
use serde_json::json;

/// How many people go through every flow at once.
const PEOPLE: usize = 12;

fn canaries() -> Vec<Canary> {
    common::crowd(PEOPLE)
        .into_iter()
        .enumerate()
        .map(|(number, person)| Canary {
            kvnr: person.kvnr.to_owned(),
            card: u8::try_from(101 + number).unwrap(),
            given_name: format!("Kanarienvogel-{number}-Ö"),
            family_name: format!("Gelbgefieder-{number}-ß"),
            email: format!("zwitscher-{number}@kaefig.example"),
        })
        .collect()
}

/// Every flow of one person. Gives what only she and the services know.
async fn every_flow(world: Arc<World>, at: Insurer, canary: Canary) -> Vec<(String, Vec<u8>)> {
    let (harness, service) = (&world.harness, &world.service);
    let mut secrets = Vec::new();
    let kvnr: &'static str = Box::leak(canary.kvnr.clone().into_boxed_str());
    let person = Person::new(kvnr, common::PATH_IK, canary.card);
    // By card, with everything released and remembered.
    let push = service.request(harness);
    let challenged = harness.challenged(&at, service, &push).await;
    let answer = harness.answer_with_card(&at, &challenged, &person).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    // A device of her own on the way.
    let mut device = Device::unbound();
    let name = format!("Telefon von {}", canary.family_name);
    let mut binding = device.binding(&challenged, &answered, HIGH_CLASS);
    binding["name"] = json!(name);
    let bound = wire::json(&harness.api(&at, "/devices", &binding).await, 201);
    assert_eq!(members(&bound), ["device", "valid_until"]);
    device.handle = bound["device"].as_str().unwrap().to_owned();
    let all: Vec<String> = answered
        .names("voluntary")
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let code = harness.approved_and_remembered(&at, &answered, &all).await;
    let token = harness.redeemed(&at, service, &push, &code).await;
    assert_eq!(token.body["urn:telematik:claims:id"], json!(canary.kvnr));
    for (what, secret) in [
        ("code", code.as_str()),
        ("verifier", &push.verifier),
        ("nonce", push.fields.value("nonce")),
        ("state", push.fields.value("state")),
        ("subject", token.sub()),
        ("device name", &name),
    ] {
        secrets.push((what.to_owned(), secret.as_bytes().to_vec()));
    }
    // By device.
    let push = service.request(harness);
    let answered = harness.authenticated_by_device(&at, service, &push, &mut device).await;
    let code = harness.approved(&at, &answered, Some(&[])).await;
    harness.redeemed(&at, service, &push, &code).await;
    // Whatever can go wrong with her number in it.
    let forged = Person::with_card(
        kvnr,
        common::PATH_IK,
        common::pki::forged_card(canary.card, common::PATH_IK, kvnr),
    );
    let challenged = harness.challenged(&at, service, &service.request(harness)).await;
    let answer = harness.answer_with_card(&at, &challenged, &forged).await;
    assert_eq!(answer.status, 403);
    for body in [
        json!({"client_id": canary.kvnr, "login": canary.family_name}),
        json!({canary.email.clone(): canary.kvnr, "response": canary.kvnr}),
    ] {
        for path in [
            "/auth/card",
            "/auth/device",
            "/auth/challenge",
            "/devices",
            "/auth/consent",
        ] {
            let answer = harness.api(&at, path, &body).await;
            assert!((400..500).contains(&answer.status), "{path}");
        }
    }
    let garbled = service.request(harness).with("state", "").with("scope", &canary.kvnr);
    assert!(service.push(&at, &garbled).await.status >= 400);
    let url = format!(
        "{}/auth?client_id={}&request_uri={}",
        at.issuer, canary.kvnr, canary.email
    );
    assert!(harness.app().get(&url, &[]).await.unwrap().status >= 400);
    let url = format!("{}/{}", at.issuer, canary.kvnr);
    assert_eq!(harness.app().get(&url, &[]).await.unwrap().status, 404);
    secrets
}

/// Names of everything that was found, for the message.
fn none(what: &str, found: &[(String, Encoding)]) {
    assert!(found.is_empty(), "{what}: {found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_is_found_outside_the_provider() {
    let world = Arc::new(World::new().await);
    let canaries = canaries();
    let seed: [u8; 32] = provider::rng::bytes(&provider::rng::SystemRng);
    let outside = tempfile::tempdir().unwrap();
    let log = outside.path().join("provider.log");
    let recorded = outside.path().join("recorded");
    let mut process = world.start_with_canaries(&canaries, seed, Hardened::NoCore, &log);
    let ports = process.ports();
    let proxy = Helper::start(&Orders::Record {
        ports: ports.to_vec(),
        file: recorded.clone(),
    });
    let (public, mtls) = proxy.answer.split_once(' ').unwrap();
    let at = Insurer {
        issuer: format!("https://localhost:{public}/{}", common::PATH_IK),
        mtls: format!("https://localhost:{}/{}", mtls.trim(), common::PATH_IK),
        ik: common::PATH_IK,
    };
    let mut flows = tokio::task::JoinSet::new();
    for canary in &canaries {
        flows.spawn(every_flow(Arc::clone(&world), at.clone(), canary.clone()));
    }
    let mut searched_for: Vec<(String, Vec<u8>)> = vec![("seed".to_owned(), seed.to_vec())];
    for canary in &canaries {
        for (what, text) in [
            ("number", &canary.kvnr),
            ("given name", &canary.given_name),
            ("family name", &canary.family_name),
            ("email", &canary.email),
        ] {
            searched_for.push((what.to_owned(), text.as_bytes().to_vec()));
        }
    }
    while let Some(secrets) = flows.join_next().await {
        searched_for.extend(secrets.unwrap());
    }
    let search = Search::new(searched_for);
    let database = world.database_directory().to_owned();
    let reader = Helper::start(&Orders::Read {
        directory: database.clone(),
    });
    // Everything beside the provider, while it runs.
    none("database", &search.files(&database));
    none("register", &search.files(world.register_directory()));
    none("log", &search.files(&log));
    none("traffic", &search.files(&recorded));
    assert!(
        std::fs::metadata(&recorded).unwrap().len() > 100_000,
        "the traffic went that way"
    );
    for (what, helper) in [("proxy", &proxy), ("database tool", &reader)] {
        let (found, bytes) = search.memory(helper.id());
        assert!(bytes > 1_000_000, "{what}: {bytes}");
        none(what, &found);
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let swapped = status
        .lines()
        .find(|line| line.starts_with("VmSwap:"))
        .unwrap_or("VmSwap: 0 kB");
    assert_eq!(swapped.split_whitespace().nth(1), Some("0"), "{swapped}");
    // It ends with a signal that writes a core file where one is allowed.
    process.crash();
    none("what a crash leaves behind", &search.files(outside.path()));
    none("database after the crash", &search.files(&database));
    let left: Vec<_> = std::fs::read_dir(&database)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    let beside = std::fs::read_dir(outside.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    for name in left.into_iter().chain(beside) {
        assert!(!name.to_string_lossy().contains("core"), "{}", name.display());
    }
    assert!(!std::fs::read(&log).unwrap().is_empty(), "there was a log");
}

/// Without hardening there would be a core file, and she would be found in it: the test above is not blind.
#[tokio::test]
async fn a_core_file_of_a_provider_that_is_not_hardened_gives_them_away() {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.trim() != "core" && pattern.trim() != "core.%p" {
        #[allow(clippy::print_stderr)]
        {
            eprintln!(
                "SKIPPED: this kernel does not write core files into the working directory ({})",
                pattern.trim()
            );
        }
        return;
    }
    let world = World::new().await;
    let canaries = &canaries()[..2];
    let outside = tempfile::tempdir().unwrap();
    let log = outside.path().join("provider.log");
    let mut process = world.start_with_canaries(canaries, [9; 32], Hardened::No, &log);
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
        let helper = Helper::start(&Orders::Hold { bytes: pattern });
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
