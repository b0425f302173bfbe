//! Whose approvals count, and which manifest follows which.

use super::*;

#[test]
fn one_approval_too_few_is_refused() {
    let fixture = fixture();
    assert_eq!(
        fixture.refusal(&["auditor-a", "insurer-a"]),
        "manifest.too_few_approvals"
    );
    assert_eq!(fixture.refusal(&[]), "manifest.too_few_approvals");
}

#[test]
fn enough_approvals_without_the_required_roles_are_refused() {
    let fixture = fixture();
    let no_auditor = ["insurer-a", "insurer-b", "manufacturer-a", "operator-a"];
    assert_eq!(fixture.refusal(&no_auditor), "manifest.role_missing");
    let no_insurer = ["auditor-a", "manufacturer-a", "operator-a"];
    assert_eq!(fixture.refusal(&no_insurer), "manifest.role_missing");
}

#[test]
fn a_member_counts_once_however_often_it_signs() {
    let fixture = fixture();
    assert_eq!(
        fixture.refusal(&["auditor-a", "insurer-a", "insurer-a"]),
        "manifest.duplicate_signer"
    );
    // Not even beside a quorum.
    assert_eq!(
        fixture.refusal(&["auditor-a", "insurer-a", "operator-a", "operator-a"]),
        "manifest.duplicate_signer"
    );
}

#[test]
fn a_signer_of_another_set_does_not_count() {
    let fixture = fixture();
    let stranger = self::fixture();
    let manifest = fixture.manifest(1);
    let mut envelope = fixture.house.approve(&manifest, &QUORUM).unwrap();
    // The same name in another set, another key.
    let foreign = Approval::sign(&manifest, "insurer-a", stranger.house.member("insurer-a").unwrap()).unwrap();
    envelope.approvals[1] = foreign.clone();
    let logged = fixture.house.publish(&envelope, LOGGED).unwrap();
    assert_eq!(
        fixture.verified(logged).unwrap_err().code(),
        "manifest.approval_invalid"
    );
    // A name the deciding set does not know.
    let mut unknown = fixture.house.approve(&manifest, &QUORUM).unwrap();
    unknown.approvals.push(Approval {
        member: "zz-insurer".to_owned(),
        ..foreign
    });
    let logged = fixture.house.publish(&unknown, LOGGED).unwrap();
    assert_eq!(fixture.verified(logged).unwrap_err().code(), "manifest.unknown_signer");
}

#[test]
fn the_new_set_does_not_approve_itself() {
    let fixture = fixture();
    let usurper = self::fixture();
    let mut manifest = fixture.manifest(2);
    manifest.governance.manifest_set = usurper.house.trust().governance.manifest_set;
    // Signed by the set the manifest itself brings along.
    let approvals = QUORUM
        .map(|name| Approval::sign(&manifest, name, usurper.house.member(name).unwrap()).unwrap())
        .into();
    let envelope = Envelope::new(manifest, approvals);
    let logged = fixture.house.publish(&envelope, LOGGED).unwrap();
    assert_eq!(
        fixture.verified(logged).unwrap_err().code(),
        "manifest.approval_invalid"
    );
}

#[test]
fn an_approval_is_for_one_manifest_only() {
    let fixture = fixture();
    let mut envelope = fixture.house.approve(&fixture.manifest(1), &QUORUM).unwrap();
    envelope.manifest.measurements[0].build_recipe[0] ^= 1;
    let logged = fixture.house.publish(&envelope, LOGGED).unwrap();
    assert_eq!(
        fixture.verified(logged).unwrap_err().code(),
        "manifest.approval_invalid"
    );
}

#[test]
fn another_namespaces_manifest_is_refused() {
    let fixture = fixture();
    let mut manifest = fixture.manifest(1);
    manifest.namespace = "gesundheitsid-other".to_owned();
    let logged = fixture.house.decide(&manifest, LOGGED).unwrap();
    assert_eq!(fixture.verified(logged).unwrap_err().code(), "manifest.other_namespace");
}

#[test]
fn a_lower_number_is_refused_after_a_higher_was_seen() {
    let fixture = fixture();
    let old = fixture.house.decide(&fixture.manifest(6), LOGGED).unwrap();
    fixture.verified(old.clone()).unwrap();
    let current = fixture.approved(&fixture.manifest(7));
    let refused = ApprovedManifest::verify(&[old], &fixture.house.trust(), Some(&current.seen()), NOW).unwrap_err();
    assert_eq!(refused, ManifestError::NumberLower { number: 6, seen: 7 });
    assert_eq!(refused.code(), "manifest.number_lower");
}

#[test]
fn the_same_number_with_another_content_is_refused() {
    let fixture = fixture();
    let seen = fixture.approved(&fixture.manifest(7)).seen();
    let mut other = fixture.manifest(7);
    other.measurements[0].version = "0.1.1".to_owned();
    let mut logged = fixture.house.decide(&other, LOGGED).unwrap();
    logged.consistency = fixture
        .house
        .log()
        .reader()
        .prove_consistency(seen.log.unwrap().size)
        .unwrap();
    let refused = ApprovedManifest::verify(&[logged], &fixture.house.trust(), Some(&seen), NOW).unwrap_err();
    assert_eq!(refused.code(), "manifest.number_reused");
    // The same content again is no news and no offence.
    let mut again = fixture.house.decide(&fixture.manifest(7), LOGGED).unwrap();
    again.consistency = fixture
        .house
        .log()
        .reader()
        .prove_consistency(seen.log.unwrap().size)
        .unwrap();
    ApprovedManifest::verify(&[again], &fixture.house.trust(), Some(&seen), NOW).unwrap();
}

#[test]
fn an_upgrade_follows_the_manifest_seen_and_a_downgrade_is_refused() {
    let fixture = fixture();
    let old = fixture.house.decide(&fixture.manifest(7), LOGGED).unwrap();
    let current = fixture.verified(old.clone()).unwrap();
    let mut next = fixture.manifest(8);
    next.measurements[0].version = "0.2.0".to_owned();
    // It names the wrong predecessor: somebody approved beside a manifest this instance never saw.
    let mut beside = fixture.house.decide(&next, LOGGED).unwrap();
    beside.consistency = fixture
        .house
        .log()
        .reader()
        .prove_consistency(current.log().size)
        .unwrap();
    let refused = ApprovedManifest::verify(&[beside], &current.trust(), Some(&current.seen()), NOW).unwrap_err();
    assert_eq!(refused.code(), "manifest.other_predecessor");
    next.previous = current.hash();
    let mut logged = fixture.house.decide(&next, LOGGED).unwrap();
    logged.consistency = fixture
        .house
        .log()
        .reader()
        .prove_consistency(current.log().size)
        .unwrap();
    let upgraded = ApprovedManifest::verify(&[logged], &current.trust(), Some(&current.seen()), NOW).unwrap();
    assert_eq!(upgraded.manifest().number, 8);
    // And back.
    let mut back = old;
    back.consistency = fixture
        .house
        .log()
        .reader()
        .prove_consistency(current.log().size)
        .unwrap();
    let refused = ApprovedManifest::verify(&[back], &upgraded.trust(), Some(&upgraded.seen()), NOW).unwrap_err();
    assert_eq!(refused.code(), "manifest.number_lower");
}

#[test]
fn outside_its_validity_a_manifest_does_not_hold() {
    let fixture = fixture();
    let mut manifest = fixture.manifest(1);
    manifest.valid_from = NOW;
    manifest.valid_until = NOW.plus_seconds(10);
    let logged = fixture.house.decide(&manifest, LOGGED).unwrap();
    let at = |now| ApprovedManifest::verify(std::slice::from_ref(&logged), &fixture.house.trust(), None, now);
    at(NOW).unwrap();
    at(NOW.plus_seconds(10)).unwrap();
    assert_eq!(at(NOW.plus_seconds(11)).unwrap_err().code(), "manifest.expired");
    manifest.valid_from = NOW.plus_seconds(1);
    let logged = fixture.house.decide(&manifest, LOGGED).unwrap();
    assert_eq!(fixture.verified(logged).unwrap_err().code(), "manifest.not_yet_valid");
}
