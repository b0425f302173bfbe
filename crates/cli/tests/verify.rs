//! `healthid verify` with saved bundles, as somebody types it. Exit code 0 needs a vendor's hardware; the library's own
//! tests reach it with a root in the vendor's place (`evidence::verdict`).
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use evidence::binding::Session;
use evidence::bundle::{Attestor, AttestorSettings, SavedBundle};
use evidence::manifest::InstanceRole;
use evidence::platform::{Measurement, Platform};
use evidence::profile::{ControlState, HardeningProfile};
use evidence::rehearsal::{MINIMUM_INCLUSION_SECONDS, Rehearsal};
use evidence::simulated::{SimulatedEnclave, SimulatedVendor};
use evidence::verdict::Pins;
use jose::{SoftwareKey, UnixTime};

const LOGGED: UnixTime = UnixTime(1_795_000_000);
const NOW: UnixTime = LOGGED.plus_seconds(MINIMUM_INCLUSION_SECONDS);
const BUILD: [u8; 32] = [0x51; 32];
const SESSION: Session = Session {
    nonce: [1; 32],
    signer_spki_sha256: [2; 32],
    exporter: [3; 32],
};

/// Writes `evidence.json` and `pins.json`: an instance of `measured`, under a manifest that lists `BUILD`.
fn save(directory: &Path, measured: [u8; 32], session: Option<Session>) {
    let vendor = SimulatedVendor::new(&[1; 32]).unwrap();
    let platform = vendor.platform("first").unwrap();
    let house = Rehearsal::begin(directory, "test").unwrap();
    let machine = (Platform::Simulated, &platform.platform_id().unwrap());
    let manifest = house.manifest(1, &Measurement::Simulated(BUILD), machine, LOGGED);
    let settings = AttestorSettings {
        namespace: "test".to_owned(),
        role: InstanceRole::Serve,
        boot_id: [9; 32],
        tls_key_sha256: SESSION.signer_spki_sha256,
        lock: "development".to_owned(),
        hardening: HardeningProfile::new(|_| ControlState::Required),
        manifest_hash: manifest.hash(),
        manifests: vec![house.decide(&manifest, LOGGED).unwrap()],
        interval_seconds: 3600,
        max_age_seconds: 5400,
    };
    let key = SoftwareKey::generate("instance").unwrap();
    let bundle = Attestor::new(settings, Box::new(key))
        .answer(&SESSION, NOW, |data| {
            platform.evidence(&SimulatedEnclave::new(measured), data, NOW)
        })
        .unwrap();
    let saved = SavedBundle {
        bundle,
        fetched_at: NOW,
        session: session.map(Into::into),
    };
    std::fs::write(directory.join("evidence.json"), saved.encode()).unwrap();
    let pins = Pins::new(house.trust()).encode(Some(&vendor.root_der()), &[]);
    std::fs::write(directory.join("pins.json"), pins).unwrap();
}

fn verify(directory: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_healthid"))
        .current_dir(directory)
        .arg("verify")
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const SAVED: [&str; 6] = ["--bundle", "evidence.json", "--pins", "pins.json", "--time", "saved"];

#[test]
fn a_simulation_ends_with_3_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    save(directory.path(), BUILD, Some(SESSION));
    let output = verify(directory.path(), &SAVED);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert_eq!(text.lines().count(), 12, "ten lines, an empty one, a sentence: {text}");
    assert!(
        text.ends_with("whoever runs this machine can read everything on it.\n"),
        "{text}"
    );
    assert!(!text.to_lowercase().contains("exclu"), "{text}");
}

#[test]
fn a_build_nobody_approved_ends_with_1() {
    let directory = tempfile::tempdir().unwrap();
    save(directory.path(), [0x52; 32], Some(SESSION));
    let output = verify(directory.path(), &SAVED);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("[admission.measurement_not_listed]"), "{text}");
}

#[test]
fn another_session_in_the_file_ends_with_1() {
    let directory = tempfile::tempdir().unwrap();
    let other = Session {
        exporter: [4; 32],
        ..SESSION
    };
    save(directory.path(), BUILD, Some(other));
    let output = verify(directory.path(), &SAVED);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("[binding.proof_invalid]"));
}

#[test]
fn an_old_file_is_judged_by_todays_clock_unless_a_time_is_stated() {
    let directory = tempfile::tempdir().unwrap();
    save(directory.path(), BUILD, Some(SESSION));
    let stated = (NOW.0 + 10_000).to_string();
    let output = verify(
        directory.path(),
        &["--bundle", "evidence.json", "--pins", "pins.json", "--time", &stated],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("[binding.quote_too_old]"),
        "{}",
        stdout(&output)
    );
    let output = verify(directory.path(), &["--bundle", "evidence.json", "--pins", "pins.json"]);
    assert_ne!(output.status.code(), Some(3), "the clock of today is not the file's");
}

#[test]
fn what_gives_no_verdict_ends_with_2_and_what_is_no_bundle_with_1() {
    let directory = tempfile::tempdir().unwrap();
    save(directory.path(), BUILD, Some(SESSION));
    let missing = verify(directory.path(), &["--bundle", "none.json", "--pins", "pins.json"]);
    assert_eq!(missing.status.code(), Some(2));
    let unpinned = verify(
        directory.path(),
        &["--bundle", "evidence.json", "--pins", "evidence.json"],
    );
    assert_eq!(unpinned.status.code(), Some(2));
    let nobody = verify(directory.path(), &["https://localhost:9/", "--pins", "pins.json"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(nobody.stdout.is_empty() && !nobody.stderr.is_empty());
    let no_bundle = verify(directory.path(), &["--bundle", "pins.json", "--pins", "pins.json"]);
    assert_eq!(no_bundle.status.code(), Some(1));
    // Words that are off.
    assert_eq!(
        verify(directory.path(), &["--pins", "pins.json"]).status.code(),
        Some(2)
    );
}

#[test]
fn what_cannot_be_built_again_decides_nothing_and_keeps_the_warning() {
    let directory = tempfile::tempdir().unwrap();
    save(directory.path(), BUILD, Some(SESSION));
    let output = verify(directory.path(), &[&SAVED[..], &["--rebuild", "."]].concat());
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert_eq!(text.lines().count(), 13, "{text}");
    assert!(text.contains("\nunknown  built again"), "{text}");
    assert!(text.contains("no git repository"), "{text}");
    assert!(
        text.ends_with("whoever runs this machine can read everything on it.\n"),
        "{text}"
    );
}

#[test]
fn what_is_refused_anyway_is_not_built_again() {
    let directory = tempfile::tempdir().unwrap();
    save(directory.path(), [0; 32], Some(SESSION));
    let output = verify(directory.path(), &[&SAVED[..], &["--rebuild", "."]].concat());
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("built again        not tried"), "{text}");
}
