#![allow(clippy::unwrap_used)]

use jose::{SoftwareKey, UnixTime};
use proptest::prelude::*;

use super::*;
use crate::manifest::InstanceRole;
use crate::platform::{Evidence, Platform};

const NOW: UnixTime = UnixTime(1_800_000_000);

fn statement() -> InstanceStatement {
    InstanceStatement {
        boot_id: [1; 32],
        hardening_hash: [2; 32],
        instance_key: SoftwareKey::from_scalar("instance", &[7; 32])
            .unwrap()
            .public_key()
            .clone(),
        lock: "quorum+hsm".to_owned(),
        manifest_hash: [3; 32],
        namespace: "gesundheitsid-test".to_owned(),
        quote_time: NOW,
        role: InstanceRole::Serve,
        tls_key_sha256: [4; 32],
    }
}

#[test]
fn every_member_of_a_statement_is_in_its_report_data() {
    let changes: [fn(&mut InstanceStatement); 9] = [
        |statement| statement.boot_id[31] ^= 1,
        |statement| statement.hardening_hash[31] ^= 1,
        |statement| {
            statement.instance_key = SoftwareKey::from_scalar("other", &[8; 32])
                .unwrap()
                .public_key()
                .clone();
        },
        |statement| statement.lock = "development".to_owned(),
        |statement| statement.manifest_hash[31] ^= 1,
        |statement| statement.namespace.push('x'),
        |statement| statement.quote_time = NOW.plus_seconds(1),
        |statement| statement.role = InstanceRole::Root,
        |statement| statement.tls_key_sha256[31] ^= 1,
    ];
    let mut seen = vec![statement().report_data()];
    for change in changes {
        let mut changed = statement();
        change(&mut changed);
        let data = changed.report_data();
        assert!(!seen.contains(&data));
        seen.push(data);
    }
}

#[test]
fn every_input_of_a_join_is_in_its_report_data_and_it_is_no_statement() {
    let join = |namespace: &str, key: &[u8], nonce, manifest, role| {
        join_report_data(namespace, key, &[nonce; 32], &[manifest; 32], role)
    };
    let data = [
        join("a", b"key", 1, 2, InstanceRole::Root),
        join("b", b"key", 1, 2, InstanceRole::Root),
        join("a", b"kez", 1, 2, InstanceRole::Root),
        join("a", b"key", 3, 2, InstanceRole::Root),
        join("a", b"key", 1, 3, InstanceRole::Root),
        join("a", b"key", 1, 2, InstanceRole::Serve),
        // Framed: what moves from one field to the next is another list of fields.
        join("ak", b"ey", 1, 2, InstanceRole::Root),
        statement().report_data(),
    ];
    for (index, one) in data.iter().enumerate() {
        assert!(!data[index + 1..].contains(one), "{index}");
    }
}

#[test]
fn a_quote_may_be_old_but_not_too_old_and_not_from_the_future() {
    let age = QuoteAge { max_seconds: 7200 };
    let at = |now| statement().check_age(age, now).map_err(|error| error.code());
    assert_eq!(at(NOW), Ok(()));
    assert_eq!(at(NOW.plus_seconds(7200)), Ok(()));
    assert_eq!(at(NOW.plus_seconds(7201)), Err("binding.quote_too_old"));
    assert_eq!(at(NOW.minus_seconds(300)), Ok(()), "clocks differ");
    assert_eq!(at(NOW.minus_seconds(301)), Err("binding.quote_in_future"));
}

#[test]
fn a_proof_is_for_exactly_one_session_end_quote_and_key() {
    let key = SoftwareKey::generate("instance").unwrap();
    let evidence = Evidence {
        platform: Platform::Simulated,
        report: vec![9; 100],
        auxiliary: Vec::new(),
        collateral: Vec::new(),
    };
    let session = Session {
        nonce: [1; 32],
        signer_spki_sha256: [2; 32],
        exporter: [3; 32],
    };
    let proof = ConnectionProof::sign(&key, Endpoint::Server, &session, &evidence).unwrap();
    let judge =
        |endpoint, session: &Session, evidence: &Evidence| proof.verify(key.public_key(), endpoint, session, evidence);
    assert_eq!(judge(Endpoint::Server, &session, &evidence), Ok(()));
    // Collateral may be renewed under the same quote.
    let mut renewed = evidence.clone();
    renewed.collateral = vec![1];
    assert_eq!(judge(Endpoint::Server, &session, &renewed), Ok(()));
    let invalid = Err(BindingError::ProofInvalid);
    assert_eq!(judge(Endpoint::Client, &session, &evidence), invalid);
    let changes: [fn(&mut Session); 3] = [
        |session| session.nonce[0] ^= 1,
        |session| session.signer_spki_sha256[0] ^= 1,
        |session| session.exporter[0] ^= 1,
    ];
    for change in changes {
        let mut other = session;
        change(&mut other);
        assert_eq!(judge(Endpoint::Server, &other, &evidence), invalid);
    }
    let mut other = evidence.clone();
    other.report[0] ^= 1;
    assert_eq!(judge(Endpoint::Server, &session, &other), invalid);
    other = evidence.clone();
    other.platform = Platform::Sgx;
    assert_eq!(judge(Endpoint::Server, &session, &other), invalid);
    let stranger = SoftwareKey::generate("stranger").unwrap();
    let judged = proof.verify(stranger.public_key(), Endpoint::Server, &session, &evidence);
    assert_eq!(judged, invalid);
}

#[test]
fn debug_of_a_session_shows_no_keying_material() {
    let session = Session {
        nonce: [0xab; 32],
        signer_spki_sha256: [0xab; 32],
        exporter: [0xab; 32],
    };
    assert_eq!(format!("{session:?}"), "Session");
}

proptest! {
    /// Attack 13, the pure part: requests at any moments, in any order, with a producer that fails when it likes.
    #[test]
    fn there_is_at_most_one_attempt_per_interval(
        requests in proptest::collection::vec((0_u64..5_000, any::<bool>()), 1..400),
    ) {
        let mut schedule = QuoteSchedule::new(600, 1_200);
        let mut attempts: Vec<u64> = Vec::new();
        for (at, succeeds) in requests {
            let now = NOW.plus_seconds(at);
            if let Ask::Renew(_) = schedule.ask(now) {
                if let Some(last) = attempts.last() {
                    prop_assert!(at >= last + 600, "{at} after {last}");
                }
                attempts.push(at);
                if succeeds {
                    schedule.renewed(at, now);
                }
            }
        }
    }
}

#[test]
fn an_old_quote_is_shown_while_it_may_be_and_no_longer() {
    let mut schedule = QuoteSchedule::new(600, 1_200);
    assert!(matches!(schedule.ask(NOW), Ask::Renew(None)));
    // Somebody is making the first one; everybody else has to wait.
    assert!(matches!(schedule.ask(NOW), Ask::Nothing));
    schedule.renewed("first", NOW);
    assert!(matches!(schedule.ask(NOW.plus_seconds(599)), Ask::Fresh(value) if *value == "first"));
    assert!(matches!(schedule.ask(NOW.plus_seconds(600)), Ask::Renew(Some(value)) if *value == "first"));
    // That attempt failed; the old one serves until its age is over.
    assert!(matches!(schedule.ask(NOW.plus_seconds(1_199)), Ask::Fresh(_)));
    assert!(matches!(schedule.ask(NOW.plus_seconds(1_200)), Ask::Renew(Some(_))));
    assert!(matches!(schedule.ask(NOW.plus_seconds(1_201)), Ask::Nothing));
    // A clock set back brings no earlier attempt.
    assert!(!matches!(schedule.ask(NOW), Ask::Renew(_)));
    schedule.forget();
    assert!(matches!(schedule.ask(NOW), Ask::Renew(None)));
}
