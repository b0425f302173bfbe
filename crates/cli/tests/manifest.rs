//! A whole decision with files between the people: keys, approvals, the log, witnesses, and somebody who verifies.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use evidence::manifest::{Governance, Manifest, Member, OrganisationRole, RoleSet, Trust};
use evidence::platform::{Measurement, Platform, PlatformId};
use evidence::rehearsal::Rehearsal;
use evidence::transparency::NamedKey;
use evidence::verdict::Pins;
use jose::jwk::P256PublicKey;
use jose::{UnixTime, base64url};
use serde_json::Value;

fn manifest(directory: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_healthid"))
        .current_dir(directory)
        .arg("manifest")
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
fn works(directory: &Path, words: &[&str]) -> String {
    let output = manifest(directory, words);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{words:?}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[track_caller]
fn fails(directory: &Path, words: &[&str], reason: &str) {
    let output = manifest(directory, words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words:?}");
    assert!(said.contains(reason), "{words:?}: {said}");
}

/// The public half as the tool prints it, as base64url.
fn make_key(directory: &Path, kind: &str, name: &str) -> String {
    let said = works(
        directory,
        &["key", kind, "--name", name, "--out", &format!("{name}.key")],
    );
    let public: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(public["name"], name);
    public["key"].as_str().unwrap().to_owned()
}

/// Keys for everybody, and what a verifier pins.
fn found(directory: &Path) -> Governance {
    let roles = [
        ("auditor", OrganisationRole::Auditor),
        ("insurer", OrganisationRole::Insurer),
        ("operator", OrganisationRole::Operator),
    ];
    let members = roles.map(|(name, role)| {
        let point: [u8; 65] = base64url::decode_array(&make_key(directory, "member", name)).unwrap();
        Member {
            key: P256PublicKey::from_uncompressed(&point).unwrap(),
            name: name.to_owned(),
            role,
        }
    });
    let named = |kind, name: &str| NamedKey {
        key: base64url::decode_array(&make_key(directory, kind, name)).unwrap(),
        name: name.to_owned(),
    };
    Governance {
        emergency_approvals: 3,
        log: named("log", "log.example"),
        manifest_set: RoleSet {
            at_least: BTreeMap::from([(OrganisationRole::Auditor, 1), (OrganisationRole::Insurer, 1)]),
            members: members.into(),
            threshold: 2,
        },
        minimum_inclusion_seconds: 0,
        witness_threshold: 1,
        witnesses: vec![named("witness", "witness.example")],
    }
}

fn draft(directory: &Path, governance: &Governance, number: u64) -> Manifest {
    let machine = PlatformId::new([7; 16]).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let mut manifest = Rehearsal::begin(scratch.path(), "test").unwrap().manifest(
        number,
        &Measurement::Simulated([0x51; 32]),
        (Platform::Simulated, &machine),
        UnixTime(1_700_000_000),
    );
    manifest.governance = governance.clone();
    manifest.share_set = governance.manifest_set.clone();
    manifest.valid_until = UnixTime(4_000_000_000);
    std::fs::write(directory.join(format!("manifest-{number}.json")), manifest.encode()).unwrap();
    manifest
}

#[test]
fn several_people_decide_with_files_between_them() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let governance = found(directory);
    draft(directory, &governance, 1);
    let trust = Trust {
        namespace: "test".to_owned(),
        governance: governance.clone(),
    };
    std::fs::write(directory.join("pins.json"), Pins::new(trust).encode(None, &[])).unwrap();

    let approve = |file, member: &str, out| {
        let key = format!("{member}.key");
        works(
            directory,
            &["approve", file, "--as", member, "--key", &key, "--out", out],
        )
    };
    approve("manifest-1.json", "auditor", "one.json");
    let again = [
        "approve",
        "one.json",
        "--as",
        "auditor",
        "--key",
        "auditor.key",
        "--out",
        "x",
    ];
    fails(directory, &again, "approved already");
    let log = ["--log", "log", "--log-name", "log.example"];
    let append = |envelope| {
        works(
            directory,
            &[&["log", envelope, "--key", "log.example.key"], &log[..]].concat(),
        )
    };
    let log_key = base64url::encode(&governance.log.key);
    let cosign = [
        &["cosign", "--log-key", &log_key, "--as", "witness.example", "--key"][..],
        &["witness.example.key", "--state", "witness.json"],
        &log,
    ]
    .concat();
    let verify = |entry| ["verify", "--log", "log", "--entry", entry, "--pins", "pins.json"];

    // One approval is not enough, whatever the log says.
    assert_eq!(append("one.json"), "entry 0\n");
    works(directory, &cosign);
    fails(directory, &verify("0"), "[manifest.too_few_approvals]");

    approve("one.json", "insurer", "two.json");
    assert!(works(directory, &["show", "two.json"]).contains("approval, not verified here: insurer"));
    assert_eq!(append("two.json"), "entry 1\n");
    fails(directory, &verify("1"), "[log.too_few_witnesses]");
    works(directory, &cosign);
    let said = works(directory, &verify("1"));
    assert!(
        said.contains("approved by auditor (auditor)") && said.contains("manifest 1 holds"),
        "{said}"
    );

    // What an instance runs under: written only if it holds.
    let export = |entry| {
        [
            "export",
            "--log",
            "log",
            "--entry",
            entry,
            "--pins",
            "pins.json",
            "--out",
            "in-force.json",
        ]
    };
    fails(directory, &export("0"), "[manifest.too_few_approvals]");
    assert!(!directory.join("in-force.json").exists());
    assert!(works(directory, &export("1")).contains("manifest 1 in force"));
    let exported = std::fs::read(directory.join("in-force.json")).unwrap();
    let exported = evidence::bundle::parse_manifests(&exported).unwrap();
    assert_eq!(exported.len(), 1);
    assert_eq!(exported[0].envelope, std::fs::read(directory.join("two.json")).unwrap());

    // The next one, compared before it is signed.
    let mut next = draft(directory, &governance, 2);
    next.measurements[0].version = "0.2.0".to_owned();
    std::fs::write(directory.join("manifest-2.json"), next.encode()).unwrap();
    let changes = works(directory, &["diff", "two.json", "manifest-2.json"]);
    assert_eq!(changes.lines().count(), 2, "{changes}");
    assert!(changes.contains("~ number: 1 -> 2"), "{changes}");
    // A document somebody wrote otherwise is not what was meant.
    std::fs::write(directory.join("pretty.json"), serde_json::to_vec_pretty(&next).unwrap()).unwrap();
    fails(directory, &["show", "pretty.json"], "not the canonical encoding");

    // A log whose past was exchanged finds no witness.
    std::fs::remove_dir_all(directory.join("log")).unwrap();
    append("two.json");
    append("two.json");
    append("two.json");
    fails(directory, &cosign, "forked");
}
