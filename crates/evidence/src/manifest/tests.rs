#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use jose::UnixTime;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::platform::{Measurement, PlatformId};
use crate::rehearsal::{MINIMUM_INCLUSION_SECONDS, QUORUM, Rehearsal};
use crate::transparency::{LogWriter, SigningKey};
use crate::verify::{CollateralDates, TcbStatus, VerifiedEvidence};

/// When manifests are put into the log.
const LOGGED: UnixTime = UnixTime(1_800_000_000);
/// When they hold.
const NOW: UnixTime = LOGGED.plus_seconds(MINIMUM_INCLUSION_SECONDS);

const BUILD: Measurement = Measurement::Sgx {
    mr_enclave: [0x51; 32],
    product_id: 7,
};

fn machine() -> PlatformId {
    PlatformId::new([0xaa; 16]).unwrap()
}

struct Fixture {
    _directory: TempDir,
    house: Rehearsal,
}

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let house = Rehearsal::begin(directory.path(), "gesundheitsid-test").unwrap();
    Fixture {
        _directory: directory,
        house,
    }
}

impl Fixture {
    fn manifest(&self, number: u64) -> Manifest {
        self.house.manifest(number, &BUILD, (Platform::Sgx, &machine()), LOGGED)
    }

    fn verified(&self, logged: LoggedManifest) -> Result<ApprovedManifest, ManifestError> {
        ApprovedManifest::verify(&[logged], &self.house.trust(), None, NOW)
    }

    fn approved(&self, manifest: &Manifest) -> ApprovedManifest {
        self.verified(self.house.decide(manifest, LOGGED).unwrap()).unwrap()
    }

    /// The code that approvals by exactly these members are refused with.
    fn refusal(&self, members: &[&str]) -> &'static str {
        let envelope = self.house.approve(&self.manifest(1), members).unwrap();
        self.verified(self.house.publish(&envelope, LOGGED).unwrap())
            .unwrap_err()
            .code()
    }
}

fn evidence() -> VerifiedEvidence {
    VerifiedEvidence {
        platform: Platform::Sgx,
        measurement: BUILD,
        report_data: [3; 64],
        platform_id: machine(),
        security_version: 4,
        tcb: TcbStatus::UpToDate,
        advisories: Vec::new(),
        evaluation_number: Some(20),
        dates: CollateralDates {
            earliest_issue: UnixTime(0),
            latest_issue: UnixTime(0),
            earliest_expiration: UnixTime(u64::MAX),
        },
        digest: [0; 32],
        boot: Vec::new(),
    }
}

#[test]
fn a_manifest_that_enough_approved_and_that_stands_in_the_log_holds() {
    let fixture = fixture();
    let manifest = fixture.manifest(1);
    let approved = fixture.approved(&manifest);
    assert_eq!(approved.manifest(), &manifest);
    assert_eq!(approved.hash(), manifest.hash());
    let names: Vec<_> = approved
        .approved_by()
        .iter()
        .map(|signer| signer.name.as_str())
        .collect();
    assert_eq!(names, QUORUM);
    assert_eq!(approved.witnesses().len(), 3);
    assert_eq!(approved.included_since(), LOGGED);
    assert!(!approved.is_emergency());
}

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

#[test]
fn an_instance_of_a_listed_build_on_a_listed_machine_is_admitted() {
    let fixture = fixture();
    let approved = fixture.approved(&fixture.manifest(3));
    let instance = approved.admit(&evidence(), InstanceRole::Serve, NOW).unwrap();
    assert_eq!(instance.site(), "site-a");
    assert_eq!(instance.role(), InstanceRole::Serve);
    assert_eq!(instance.report_data(), &[3; 64]);
    assert_eq!(instance.manifest_number(), 3);
    assert_eq!(instance.manifest_hash(), approved.hash());
    assert_eq!(instance.namespace(), "gesundheitsid-test");
    assert_eq!(instance.version(), "0.1.0");
}

#[test]
fn a_build_that_is_not_in_the_manifest_gets_nothing_whoever_made_it() {
    // Attack 23: genuine hardware, a listed machine, the product id and security version of the real thing. The only
    // difference is what was measured, so whoever builds or signs binaries gains nothing by it.
    let fixture = fixture();
    let approved = fixture.approved(&fixture.manifest(1));
    let refused = |measurement| {
        let evidence = VerifiedEvidence {
            measurement,
            ..evidence()
        };
        approved.admit(&evidence, InstanceRole::Serve, NOW).unwrap_err().code()
    };
    let other_build = Measurement::Sgx {
        mr_enclave: [0x52; 32],
        product_id: 7,
    };
    assert_eq!(refused(other_build), "admission.measurement_not_listed");
    let other_product = Measurement::Sgx {
        mr_enclave: [0x51; 32],
        product_id: 8,
    };
    assert_eq!(refused(other_product), "admission.measurement_not_listed");
    // The same digest claimed by a simulation.
    assert_eq!(
        refused(Measurement::Simulated([0x51; 32])),
        "admission.measurement_not_listed"
    );
    let boot = Measurement::Tpm {
        pcrs: BTreeMap::from([(4, [0x51; 32])]),
    };
    assert_eq!(refused(boot), "admission.measurement_not_listed");
}

#[test]
fn every_other_reason_not_to_admit_has_its_own_code() {
    let fixture = fixture();
    let mut manifest = fixture.manifest(1);
    manifest.measurements[0].roles = vec![InstanceRole::Serve];
    manifest.measurements[0].minimum_security_version = 4;
    manifest.platform_policy.intel.min_evaluation_number = 20;
    manifest.platform_policy.intel.rejected_advisories = ["INTEL-SA-00615".to_owned()].into();
    let approved = fixture.approved(&manifest);
    type Change = fn(&mut VerifiedEvidence);
    let judge = |change: Change| {
        let mut evidence = evidence();
        change(&mut evidence);
        approved.admit(&evidence, InstanceRole::Serve, NOW).unwrap_err().code()
    };
    approved.admit(&evidence(), InstanceRole::Serve, NOW).unwrap();
    let cases: [(Change, &str); 6] = [
        (
            |evidence| evidence.platform_id = PlatformId::new([0xab; 16]).unwrap(),
            "admission.machine_not_listed",
        ),
        // The identity of a listed machine, shown by another kind of platform.
        (
            |evidence| evidence.platform = Platform::Tdx,
            "admission.machine_not_listed",
        ),
        (
            |evidence| evidence.security_version = 3,
            "admission.security_version_too_low",
        ),
        (
            |evidence| evidence.tcb = TcbStatus::OutOfDate,
            "admission.tcb_not_accepted",
        ),
        (
            |evidence| evidence.evaluation_number = Some(19),
            "admission.collateral_too_old",
        ),
        (
            |evidence| evidence.advisories = vec!["INTEL-SA-00615".to_owned()],
            "admission.advisory_rejected",
        ),
    ];
    for (change, code) in cases {
        assert_eq!(judge(change), code);
    }
    let root = approved.admit(&evidence(), InstanceRole::Root, NOW).unwrap_err();
    assert_eq!(root.code(), "admission.role_not_allowed");
    let late = approved.manifest().valid_until.plus_seconds(1);
    let expired = approved.admit(&evidence(), InstanceRole::Serve, late).unwrap_err();
    assert_eq!(expired.code(), "manifest.expired");
}

#[test]
fn a_manifest_has_one_encoding_which_is_that_of_rfc_8785() {
    let fixture = fixture();
    let manifest = fixture.manifest(1);
    let bytes = manifest.encode();
    assert_eq!(Manifest::parse(&bytes).unwrap(), manifest);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with(r#"{"format":"healthid-manifest/v1","governance":{"emergency_approvals":5,"#));
    // Another order, white space, another spelling of a string or number, a member that is not known.
    let number_first = format!(r#"{{"number":1,{}"#, text[1..].replacen(r#","number":1"#, "", 1));
    for (what, changed) in [
        ("order", number_first),
        ("white space", text.replacen(":", ": ", 1)),
        ("line end", format!("{text}\n")),
        ("escape", text.replacen("site-a", r"site-\u0061", 1)),
        ("upper case", text.replacen(&"51".repeat(32), &"5A".repeat(32), 1)),
        ("exponent", text.replacen(r#""number":1"#, r#""number":1e0"#, 1)),
        ("sign", text.replacen(r#""number":1"#, r#""number":-1"#, 1)),
        (
            "member",
            text.replacen(r#","number":1"#, r#","note":"x","number":1"#, 1),
        ),
        ("missing", text.replacen(r#","number":1"#, "", 1)),
        ("twice", text.replacen(r#","number":1"#, r#","number":1,"number":1"#, 1)),
        (
            "left out default",
            text.replacen(r#""min_evaluation_number":0,"#, "", 1),
        ),
    ] {
        assert_ne!(changed, text, "{what}: the case changes nothing");
        let code = Manifest::parse(changed.as_bytes()).unwrap_err().code();
        assert!(
            matches!(code, "manifest.malformed" | "manifest.not_canonical"),
            "{what}: {code}"
        );
    }
}

#[test]
fn a_manifest_nobody_could_live_with_is_refused() {
    let fixture = fixture();
    let refused = |what: &str, change: &dyn Fn(&mut Manifest)| {
        let mut manifest = fixture.manifest(1);
        change(&mut manifest);
        let error = Manifest::parse(&manifest.encode()).unwrap_err();
        assert_eq!(error.code(), "manifest.rule_broken", "{what}: {error}");
    };
    refused("number 0", &|m| m.number = 0);
    refused("a number that other readers round", &|m| m.number = 1 << 53);
    refused("no namespace", &|m| m.namespace.clear());
    refused("a namespace that JSON escapes", &|m| m.namespace = "a\"b".to_owned());
    refused("a namespace in another script", &|m| {
        m.namespace = "g\u{0435}sundheit".to_owned()
    });
    refused("ends before it begins", &|m| m.valid_until = LOGGED.minus_seconds(1));
    refused("unreachable threshold", &|m| m.governance.manifest_set.threshold = 6);
    refused("threshold 0", &|m| m.governance.manifest_set.threshold = 0);
    refused("a role nobody has", &|m| {
        m.governance.manifest_set.at_least.insert(OrganisationRole::Auditor, 2);
    });
    refused("roles above the threshold", &|m| m.share_set.threshold = 1);
    refused("nobody", &|m| m.share_set.members.clear());
    refused("unsorted members", &|m| m.share_set.members.reverse());
    refused("a key for two members", &|m| {
        m.share_set.members[1].key = m.share_set.members[0].key.clone();
    });
    refused("no witness needed", &|m| m.governance.witness_threshold = 0);
    refused("more witnesses than there are", &|m| m.governance.witness_threshold = 4);
    refused("a key for two witnesses", &|m| {
        m.governance.witnesses[1].key = m.governance.witnesses[0].key;
    });
    refused("a witness that is the log", &|m| {
        m.governance.witnesses[0].key = m.governance.log.key;
    });
    refused("a log name that no note can carry", &|m| {
        m.governance.log.name = "a b".to_owned()
    });
    refused("an emergency easier than the usual way", &|m| {
        m.governance.emergency_approvals = 2
    });
    refused("an emergency nobody can declare", &|m| {
        m.governance.emergency_approvals = 6
    });
    refused("a machine in two sites", &|m| {
        let mut site = m.sites[0].clone();
        site.name = "site-b".to_owned();
        m.sites.push(site);
    });
    refused("a site twice", &|m| m.sites.push(m.sites[0].clone()));
    refused("a build twice", &|m| m.measurements.push(m.measurements[0].clone()));
    refused("a build without a role", &|m| m.measurements[0].roles.clear());
    refused("a commit of another length", &|m| {
        m.measurements[0].commit = vec![1; 19]
    });
    refused("a register beyond the TPM's", &|m| {
        m.measurements[0].measurement = ListedMeasurement::VtpmDev {
            pcrs: vec![Register {
                index: 24,
                value: [0; 32],
            }],
        };
    });
    refused("host data that is no hexadecimal", &|m| {
        m.platform_policy.snp.host_data = "xx".to_owned()
    });
}

#[test]
fn a_manifest_that_fits_no_log_entry_is_refused() {
    let fixture = fixture();
    let mut manifest = fixture.manifest(1);
    manifest.sites[0].machines = (1..=MAX_LIST as u64)
        .map(|number| Machine {
            id: PlatformId::new([&[7; 56][..], &number.to_be_bytes()].concat()).unwrap(),
            platform: Platform::Sgx,
        })
        .collect();
    assert!(manifest.encode().len() > MAX_MANIFEST_BYTES);
    assert_eq!(
        Manifest::parse(&manifest.encode()).unwrap_err().code(),
        "manifest.malformed"
    );
    let envelope = fixture.house.approve(&manifest, &QUORUM).unwrap();
    assert!(Envelope::parse(&envelope.encode()).is_err());
    manifest.sites[0].machines.truncate(200);
    Manifest::parse(&manifest.encode()).unwrap();
}

#[test]
fn a_diff_names_every_change_and_nothing_else() {
    let fixture = fixture();
    let old = fixture.manifest(6);
    assert_eq!(diff(&old, &old), Vec::<String>::new());
    let mut new = old.clone();
    new.number = 7;
    new.measurements[0].measurement = ListedMeasurement::Sgx {
        mr_enclave: [0x52; 32],
        product_id: 7,
    };
    new.governance.manifest_set.members[0].role = OrganisationRole::Operator;
    new.sites[0].machines[0].id = PlatformId::new([0xab; 16]).unwrap();
    new.share_set.members.pop();
    let lines = diff(&old, &new);
    let starts: Vec<String> = lines
        .iter()
        .map(|line| line.split(": ").next().unwrap().chars().take(60).collect())
        .collect();
    assert_eq!(lines.len(), 7, "{lines:#?}");
    assert_eq!(
        lines[0],
        r#"~ governance.manifest_set.members[auditor-a].role: "auditor" -> "operator""#
    );
    assert!(
        lines[1].starts_with("- measurements[") && lines[1].contains(&"51".repeat(32)),
        "{starts:?}"
    );
    assert!(
        lines[2].starts_with("+ measurements[") && lines[2].contains(&"52".repeat(32)),
        "{starts:?}"
    );
    assert_eq!(lines[3], "~ number: 6 -> 7");
    assert!(lines[4].starts_with("- share_set.members[operator-a]"), "{starts:?}");
    assert!(lines[5].starts_with("- sites[site-a].machines["), "{starts:?}");
    assert!(lines[6].starts_with("+ sites[site-a].machines["), "{starts:?}");
}

fn any_quorum() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(crate::rehearsal::MEMBERS.map(|(name, _)| name).to_vec(), 0..=5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_quorum_is_the_threshold_with_its_roles_and_more_never_hurts(names in any_quorum()) {
        let set = RoleSet {
            at_least: BTreeMap::from([(OrganisationRole::Auditor, 1), (OrganisationRole::Insurer, 1)]),
            members: crate::rehearsal::MEMBERS
                .map(|(name, role)| Member {
                    key: jose::SoftwareKey::generate(name).unwrap().public_key().clone(),
                    name: name.to_owned(),
                    role,
                })
                .into(),
            threshold: 3,
        };
        let spoke: Vec<&Member> = names.iter().map(|name| set.member(name).unwrap()).collect();
        let has = |role| spoke.iter().any(|member| member.role == role);
        let expected = spoke.len() >= 3 && has(OrganisationRole::Auditor) && has(OrganisationRole::Insurer);
        prop_assert_eq!(set.check_quorum(spoke.iter().copied()).is_ok(), expected);
        // Twice the same people are the same people.
        let twice: Vec<&Member> = spoke.iter().chain(&spoke).copied().collect();
        prop_assert_eq!(set.check_quorum(twice).is_ok(), expected);
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Manifest::parse(&bytes);
        let _ = Envelope::parse(&bytes);
    }
}
