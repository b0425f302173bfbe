//! The log and its witnesses.

use super::*;

#[test]
fn a_manifest_outside_the_log_is_refused() {
    let fixture = fixture();
    let logged = fixture.house.decide(&fixture.manifest(1), LOGGED).unwrap();
    let mut other = fixture.manifest(1);
    other.measurements[0].version = "0.1.1".to_owned();
    let unlogged = LoggedManifest {
        envelope: fixture.house.approve(&other, &QUORUM).unwrap().encode(),
        ..logged.clone()
    };
    assert_eq!(fixture.verified(unlogged).unwrap_err().code(), "log.not_included");
    let mut elsewhere = logged;
    elsewhere.inclusion.index = 1;
    assert_eq!(fixture.verified(elsewhere).unwrap_err().code(), "log.not_included");
}

#[test]
fn a_checkpoint_of_another_log_or_key_is_refused() {
    let fixture = fixture();
    let logged = fixture.house.decide(&fixture.manifest(1), LOGGED).unwrap();
    let mut trust = fixture.house.trust();
    trust.governance.log.name = "log.example/other".to_owned();
    let refused = ApprovedManifest::verify(std::slice::from_ref(&logged), &trust, None, NOW).unwrap_err();
    assert_eq!(refused.code(), "log.other_log");
    let mut trust = fixture.house.trust();
    trust.governance.log.key = *SigningKey::generate("x").unwrap().public().key.first_chunk().unwrap();
    let refused = ApprovedManifest::verify(&[logged], &trust, None, NOW).unwrap_err();
    assert_eq!(refused.code(), "log.signature_invalid");
}

#[test]
fn a_forked_log_is_refused() {
    // The log's operator shows this verifier a second tree of the same size.
    let fixture = fixture();
    let logged = fixture.house.decide(&fixture.manifest(1), LOGGED).unwrap();
    let mut seen = fixture.verified(logged.clone()).unwrap().seen();
    seen.log.as_mut().unwrap().root[0] ^= 1;
    let verify = |logged: &LoggedManifest, seen: &Seen| {
        ApprovedManifest::verify(std::slice::from_ref(logged), &fixture.house.trust(), Some(seen), NOW)
    };
    assert_eq!(verify(&logged, &seen).unwrap_err().code(), "log.forked");

    // A longer tree that does not contain the one seen.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = LogWriter::open(elsewhere.path(), SigningKey::generate("other.example").unwrap()).unwrap();
    other.append(b"another story").unwrap();
    let forked = Seen {
        log: other.reader().view().unwrap(),
        ..seen
    };
    let mut next = fixture.manifest(2);
    next.previous = seen.hash;
    let mut longer = fixture.house.decide(&next, LOGGED).unwrap();
    longer.consistency = fixture.house.log().reader().prove_consistency(1).unwrap();
    assert_eq!(verify(&longer, &forked).unwrap_err().code(), "log.inconsistent");
    // Who does not remember the tree still remembers the number.
    let forgetful = Seen { log: None, ..forked };
    verify(&longer, &forgetful).unwrap();
    // No proof at all is no better.
    let honest = fixture.verified(logged).unwrap().seen();
    let silent = LoggedManifest {
        consistency: Vec::new(),
        ..longer.clone()
    };
    assert_eq!(verify(&silent, &honest).unwrap_err().code(), "log.inconsistent");
    verify(&longer, &honest).unwrap();
}

#[test]
fn a_missing_witness_is_refused() {
    let fixture = fixture();
    let logged = fixture.house.decide(&fixture.manifest(1), LOGGED).unwrap();
    let keep = |cosignatures: usize| {
        let lines: Vec<&str> = logged.checkpoint.lines().take(5 + cosignatures).collect();
        LoggedManifest {
            checkpoint: lines.join("\n") + "\n",
            ..logged.clone()
        }
    };
    fixture.verified(keep(2)).unwrap();
    let refused = fixture.verified(keep(1)).unwrap_err();
    assert_eq!(refused.code(), "log.too_few_witnesses", "{refused}");
    assert_eq!(fixture.verified(keep(0)).unwrap_err().code(), "log.too_few_witnesses");
}

#[test]
fn a_manifest_waits_its_time_in_the_log_unless_it_is_an_emergency() {
    let fixture = fixture();
    let at = |logged: &LoggedManifest, now| {
        ApprovedManifest::verify(std::slice::from_ref(logged), &fixture.house.trust(), None, now)
    };
    let usual = fixture.house.decide(&fixture.manifest(1), LOGGED).unwrap();
    let refused = at(&usual, NOW.minus_seconds(1)).unwrap_err();
    assert_eq!(refused.code(), "manifest.too_young");
    at(&usual, NOW).unwrap();
    let all = crate::rehearsal::MEMBERS.map(|(name, _)| name);
    let envelope = fixture.house.approve(&fixture.manifest(2), &all).unwrap();
    let urgent = fixture.house.publish(&envelope, LOGGED).unwrap();
    assert!(at(&urgent, LOGGED).unwrap().is_emergency());
    // Not even in an emergency without the log.
    let mut unlogged = urgent;
    unlogged.inclusion.path.clear();
    assert_eq!(at(&unlogged, LOGGED).unwrap_err().code(), "log.not_included");
}

#[test]
fn a_verifier_with_an_old_pin_follows_the_handovers() {
    let fixture = fixture();
    let successors = self::fixture();
    // Manifest 5 hands over to another set, log and witnesses; manifest 9 is theirs.
    let mut handover = fixture.manifest(5);
    handover.governance = successors.house.trust().governance;
    let handover = fixture.house.decide(&handover, LOGGED).unwrap();
    let current = successors.house.decide(&successors.manifest(9), LOGGED).unwrap();
    let pins = fixture.house.trust();
    let verify = |chain: &[LoggedManifest]| ApprovedManifest::verify(chain, &pins, None, NOW);
    let approved = verify(&[handover.clone(), current.clone()]).unwrap();
    assert_eq!(approved.manifest().number, 9);
    assert!(
        verify(std::slice::from_ref(&current)).is_err(),
        "nobody vouches for the successors"
    );
    assert_eq!(verify(&[]).unwrap_err().code(), "manifest.chain_length");
    let long = vec![current.clone(); MAX_HANDOVERS + 1];
    assert_eq!(verify(&long).unwrap_err().code(), "manifest.chain_length");
    let lower = successors.house.decide(&successors.manifest(5), LOGGED).unwrap();
    assert_eq!(verify(&[handover, lower]).unwrap_err().code(), "manifest.number_lower");
}
