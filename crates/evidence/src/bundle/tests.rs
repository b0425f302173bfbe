#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jose::{SoftwareKey, UnixTime};
use proptest::prelude::*;

use super::*;
use crate::binding::{Endpoint, Session};
use crate::manifest::InstanceRole;
use crate::platform::Platform;

const NOW: UnixTime = UnixTime(1_800_000_000);
const TLS_KEY: [u8; 32] = [2; 32];

fn session(nonce: u8) -> Session {
    Session {
        nonce: [nonce; 32],
        signer_spki_sha256: TLS_KEY,
        exporter: [3; 32],
    }
}

fn quote(report_data: &[u8; 64]) -> Evidence {
    Evidence {
        platform: Platform::Simulated,
        report: report_data.to_vec(),
        auxiliary: Vec::new(),
        collateral: Vec::new(),
    }
}

fn attestor() -> Attestor {
    let settings = AttestorSettings {
        namespace: "gesundheitsid-test".to_owned(),
        role: InstanceRole::Serve,
        boot_id: [1; 32],
        tls_key_sha256: TLS_KEY,
        lock: "development".to_owned(),
        hardening: HardeningProfile::none("a test"),
        manifest_hash: [4; 32],
        manifests: vec![LoggedManifest {
            envelope: b"{}".to_vec(),
            inclusion: InclusionProof {
                index: 5,
                path: vec![[6; 32]; 3],
            },
            checkpoint: "log.example\n1\nroot\n\n".to_owned(),
            consistency: vec![[7; 32]],
        }],
        interval_seconds: 3600,
        max_age_seconds: 5400,
    };
    Attestor::new(settings, Box::new(SoftwareKey::generate("instance").unwrap()))
}

fn produced(report_data: &[u8; 64]) -> Result<Evidence, std::io::Error> {
    Ok(quote(report_data))
}

fn bundle() -> Bundle {
    attestor().answer(&session(1), NOW, produced).unwrap()
}

#[test]
fn ten_thousand_requests_cost_one_quote() {
    // Attack 13: from several threads at once, each request with its own nonce, each answered for its own session.
    let attestor = Arc::new(attestor());
    let quotes = Arc::new(AtomicUsize::new(0));
    let count = |quotes: &AtomicUsize| quotes.load(Ordering::SeqCst);
    let ask = |attestor: &Attestor, quotes: &AtomicUsize, number: u64, now| {
        let mut session = session(1);
        session.nonce[..8].copy_from_slice(&number.to_be_bytes());
        let bundle = attestor.answer(&session, now, |report_data| {
            quotes.fetch_add(1, Ordering::SeqCst);
            produced(report_data)
        })?;
        let bound =
            bundle
                .statement
                .verify_session(&bundle.connection_proof, Endpoint::Server, &session, &bundle.evidence);
        assert_eq!(bound, Ok(()));
        assert_eq!(bundle.evidence.report, bundle.statement.report_data());
        Ok::<_, AttestError>(())
    };
    ask(&attestor, &quotes, 0, NOW).unwrap();
    std::thread::scope(|threads| {
        for thread in 0..4_u64 {
            let (attestor, quotes) = (&attestor, &quotes);
            threads.spawn(move || {
                for number in 0..2_500 {
                    ask(attestor, quotes, thread << 32 | number, NOW.plus_seconds(number)).unwrap();
                }
            });
        }
    });
    assert_eq!(count(&quotes), 1);
    ask(&attestor, &quotes, 0, NOW.plus_seconds(3600)).unwrap();
    assert_eq!(count(&quotes), 2);
}

#[test]
fn a_producer_that_fails_is_asked_once_per_interval_too() {
    let attestor = attestor();
    let attempts = AtomicUsize::new(0);
    let fail = |_: &[u8; 64]| {
        attempts.fetch_add(1, Ordering::SeqCst);
        Err(std::io::Error::other("the platform is busy"))
    };
    let error = attestor.answer(&session(1), NOW, fail).unwrap_err();
    assert_eq!(error.code(), "attest.production");
    for _ in 0..100 {
        let error = attestor.answer(&session(1), NOW.plus_seconds(60), fail).unwrap_err();
        assert_eq!(error.code(), "attest.no_quote");
    }
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    // An old quote is shown while it is young enough.
    attestor.answer(&session(1), NOW.plus_seconds(3600), produced).unwrap();
    attestor.answer(&session(1), NOW.plus_seconds(7200), fail).unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 2);
    let late = attestor.answer(&session(1), NOW.plus_seconds(3600 + 5401), fail);
    assert_eq!(late.unwrap_err().code(), "attest.no_quote");
}

#[test]
fn a_connection_under_another_tls_key_gets_no_proof() {
    let other = Session {
        signer_spki_sha256: [9; 32],
        ..session(1)
    };
    let error = attestor().answer(&other, NOW, produced).unwrap_err();
    assert_eq!(error.code(), "attest.other_tls_key");
}

#[test]
fn a_bundle_is_read_as_it_was_written() {
    let bundle = bundle();
    assert_eq!(Bundle::parse(&bundle.encode()).unwrap(), bundle);
}

#[test]
fn what_is_not_exactly_a_bundle_is_refused() {
    let text = String::from_utf8(bundle().encode()).unwrap();
    let magic = jose::base64url::encode(b"HIDEVID1\x05");
    let cases = [
        (
            "another version",
            text.replacen("healthid-evidence/v1", "healthid-evidence/v2", 1),
        ),
        (
            "an unknown member",
            text.replacen(r#""format""#, r#""extra":1,"format""#, 1),
        ),
        (
            "a member twice",
            text.replacen(r#""format""#, r#""hardening":"","format""#, 1),
        ),
        ("bytes behind it", format!("{text} {{}}")),
        (
            "padding",
            text.replacen(r#""envelope":"e30""#, r#""envelope":"e30=""#, 1),
        ),
        (
            "another spelling",
            text.replacen(r#""envelope":"e30""#, r#""envelope":"e31""#, 1),
        ),
        (
            "upper-case hashes",
            text.replacen(&"07".repeat(32), &"0A".repeat(32), 1),
        ),
        ("a short hash", text.replacen(&"07".repeat(32), &"07".repeat(31), 1)),
        ("a negative index", text.replacen(r#""index":5"#, r#""index":-5"#, 1)),
        ("a fraction", text.replacen(r#""index":5"#, r#""index":5.0"#, 1)),
        (
            "a role nobody knows",
            text.replacen(r#""role":"serve""#, r#""role":"admin""#, 1),
        ),
        ("cut evidence", text.replacen(&magic, "", 1)),
        ("a long lock", text.replacen("development", &"x".repeat(33), 1)),
        (
            "a long namespace",
            text.replacen("gesundheitsid-test", &"x".repeat(101), 1),
        ),
    ];
    for (what, changed) in cases {
        assert_ne!(changed, text, "{what}: the case changes nothing");
        assert!(Bundle::parse(changed.as_bytes()).is_err(), "{what}");
    }
    for length in (0..text.len()).step_by(7) {
        assert!(Bundle::parse(&text.as_bytes()[..length]).is_err(), "{length}");
    }
}

#[test]
fn more_than_the_limits_is_refused() {
    let refused = |change: fn(&mut Bundle)| {
        let mut bundle = bundle();
        change(&mut bundle);
        Bundle::parse(&bundle.encode()).unwrap_err().code()
    };
    assert_eq!(
        refused(|bundle| bundle.manifests = vec![bundle.manifests[0].clone(); MAX_HANDOVERS + 1]),
        "bundle.too_much"
    );
    assert_eq!(
        refused(|bundle| bundle.manifests[0].envelope = vec![0; MAX_ENTRY_BYTES + 1]),
        "bundle.too_much"
    );
    assert_eq!(
        refused(|bundle| bundle.manifests[0].checkpoint = "x".repeat(MAX_NOTE_BYTES + 1)),
        "bundle.too_much"
    );
    assert_eq!(
        refused(|bundle| bundle.manifests[0].inclusion.path = vec![[0; 32]; MAX_PROOF_HASHES + 1]),
        "bundle.too_much"
    );
    assert_eq!(
        refused(|bundle| bundle.manifests[0].consistency = vec![[0; 32]; MAX_PROOF_HASHES + 1]),
        "bundle.too_much"
    );
    let long = vec![b' '; MAX_BUNDLE_BYTES + 1];
    assert_eq!(Bundle::parse(&long).unwrap_err().code(), "bundle.malformed");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Bundle::parse(&bytes);
        let _ = SavedBundle::parse(&bytes);
    }
}

#[test]
fn manifests_in_a_file_are_those_of_the_bundle_and_nothing_else_is_read() {
    let manifests = bundle().manifests;
    let file = encode_manifests(&manifests);
    assert_eq!(parse_manifests(&file), Ok(manifests.clone()));
    let too_many = encode_manifests(&vec![manifests[0].clone(); MAX_HANDOVERS + 1]);
    assert_eq!(
        parse_manifests(&too_many),
        Err(BundleError::TooMuch { member: "manifests" })
    );
    let mut long = manifests;
    long[0].checkpoint = "x".repeat(MAX_NOTE_BYTES + 1);
    assert_eq!(
        parse_manifests(&encode_manifests(&long)),
        Err(BundleError::TooMuch { member: "checkpoint" })
    );
    let text = String::from_utf8(file).unwrap();
    for bad in [
        text.replace("manifests/v1", "manifests/v2"),
        text.replace("\"index\"", "\"indes\""),
        String::new(),
        String::from_utf8(bundle().encode()).unwrap(),
    ] {
        assert!(
            matches!(parse_manifests(bad.as_bytes()), Err(BundleError::Json(_))),
            "{bad}"
        );
    }
}
