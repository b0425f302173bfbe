#![allow(clippy::unwrap_used)]

use jose::{SoftwareKey, UnixTime};
use tempfile::TempDir;

use super::*;
use crate::binding::Session;
use crate::bundle::{Attestor, AttestorSettings, Bundle, SavedBundle};
use crate::manifest::{ApprovedManifest, InstanceRole, Manifest, Seen};
use crate::platform::{Evidence, Measurement, Platform, PlatformId};
use crate::profile::{Control, ControlState, HardeningProfile, Reason};
use crate::rehearsal::{MINIMUM_INCLUSION_SECONDS, Rehearsal};
use crate::simulated::{CollateralShape, SimulatedEnclave, SimulatedVendor};
use crate::verify::{Roots, TcbStatus};

const LOGGED: UnixTime = UnixTime(1_795_000_000);
const NOW: UnixTime = LOGGED.plus_seconds(MINIMUM_INCLUSION_SECONDS);
const BUILD: [u8; 32] = [0x51; 32];
const SESSION: Session = Session {
    nonce: [1; 32],
    signer_spki_sha256: [2; 32],
    exporter: [3; 32],
};

/// A vendor, a machine, a manifest set with its log, and an instance: everything real but the silicon.
struct Scene {
    _directory: TempDir,
    house: Rehearsal,
    vendor: SimulatedVendor,
    kind: Platform,
    enclave: SimulatedEnclave,
    lock: &'static str,
    hardening: HardeningProfile,
    machine: &'static str,
    tcb: fn(&mut CollateralShape),
    manifest: fn(&mut Manifest),
}

impl Scene {
    /// `Sgx`: quotes in Intel's shape under a root put in Intel's place, which only tests can do. `Simulated`: what the
    /// sandbox does.
    fn new(kind: Platform) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            house: Rehearsal::begin(directory.path(), "gesundheitsid-test").unwrap(),
            _directory: directory,
            vendor: SimulatedVendor::new(&[1; 32]).unwrap(),
            kind,
            enclave: SimulatedEnclave::new(BUILD),
            lock: "quorum+hsm",
            hardening: HardeningProfile::new(|_| ControlState::Required),
            machine: "first",
            tcb: |_| {},
            manifest: |_| {},
        }
    }

    fn machine_id(&self) -> PlatformId {
        self.vendor.platform("first").unwrap().platform_id().unwrap()
    }

    fn evidence(&self, report_data: &[u8; 64]) -> Evidence {
        let platform = self.vendor.platform(self.machine).unwrap();
        let mut collateral = CollateralShape::fresh(false, platform.shape.fmspc, NOW);
        (self.tcb)(&mut collateral);
        let mut evidence = platform.evidence_with(&self.enclave, report_data, &collateral).unwrap();
        evidence.platform = self.kind;
        evidence
    }

    fn bundle(&self) -> Bundle {
        let measurement = match self.kind {
            Platform::Sgx => Measurement::Sgx {
                mr_enclave: BUILD,
                product_id: 0,
            },
            _ => Measurement::Simulated(BUILD),
        };
        let mut manifest = self
            .house
            .manifest(7, &measurement, (self.kind, &self.machine_id()), LOGGED);
        (self.manifest)(&mut manifest);
        let settings = AttestorSettings {
            namespace: manifest.namespace.clone(),
            role: InstanceRole::Serve,
            boot_id: [9; 32],
            tls_key_sha256: SESSION.signer_spki_sha256,
            lock: self.lock.to_owned(),
            hardening: self.hardening.clone(),
            manifest_hash: manifest.hash(),
            manifests: vec![self.house.decide(&manifest, LOGGED).unwrap()],
            interval_seconds: 3600,
            max_age_seconds: 5400,
        };
        let key = SoftwareKey::generate("instance").unwrap();
        Attestor::new(settings, Box::new(key))
            .answer(&SESSION, NOW, |report_data| {
                Ok::<_, std::io::Error>(self.evidence(report_data))
            })
            .unwrap()
    }

    fn pins(&self) -> Pins {
        Pins {
            roots: match self.kind {
                Platform::Sgx => Roots::in_place_of_intel(self.vendor.root_der()),
                _ => Roots::simulated(self.vendor.root_der()),
            },
            ..Pins::new(self.house.trust())
        }
    }

    fn judged(&self, bundle: &Bundle) -> Verdict {
        judge(bundle, &Asked::Here(SESSION), &self.pins(), NOW)
    }

    /// That it is refused in this line with this code.
    #[track_caller]
    fn refused(&self, bundle: &Bundle, subject: Subject, expected: &str) {
        let verdict = self.judged(bundle);
        match verdict.state(subject) {
            Some(State::Refused { code, .. }) => assert_eq!(*code, expected, "{verdict}"),
            other => panic!("{subject:?} is {other:?}, expected {expected}\n{verdict}"),
        }
        assert_eq!(verdict.exit_code(), 1, "{verdict}");
        assert!(verdict.sentence().starts_with("Refused: "), "{verdict}");
        claims_nothing(&verdict);
    }
}

/// Nothing but a trusted verdict may say so, in any of its words.
#[track_caller]
fn claims_nothing(verdict: &Verdict) {
    let text = verdict.to_string().to_lowercase();
    assert!(!text.contains("exclu") && !text.contains("trusted"), "{verdict}");
    assert_ne!(verdict.exit_code(), 0);
}

#[test]
fn with_everything_in_order_on_confidential_hardware_the_verdict_is_trusted() {
    let scene = Scene::new(Platform::Sgx);
    let verdict = scene.judged(&scene.bundle());
    assert_eq!(verdict.overall(), Overall::Trusted, "{verdict}");
    assert_eq!(verdict.exit_code(), 0);
    let subjects: Vec<Subject> = verdict.lines().iter().map(|line| line.subject).collect();
    assert_eq!(subjects, Subject::ALL);
    assert!(
        verdict.lines().iter().all(|line| matches!(line.state, State::Ok(_))),
        "{verdict}"
    );
    let text = verdict.to_string();
    for expected in [
        "auditor-a (auditor), insurer-a (insurer), operator-a (operator)",
        "release 0.1.0, commit c0c0",
        "site-a in gesundheitsid-test",
        "the operator is excluded as far as sgx keeps its promise",
        "witness-a.rehearsal.example",
        "quorum and HSM",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn simulated_evidence_is_never_more_than_simulated() {
    let scene = Scene::new(Platform::Simulated);
    let verdict = scene.judged(&scene.bundle());
    assert_eq!(verdict.exit_code(), 3, "{verdict}");
    assert!(
        verdict
            .sentence()
            .starts_with("Not protected: the evidence is simulated"),
        "{verdict}"
    );
    claims_nothing(&verdict);
    // What does not speak of hardware is judged all the same.
    for subject in [
        Subject::Measurement,
        Subject::Approvals,
        Subject::Log,
        Subject::Tls,
        Subject::Site,
    ] {
        assert!(matches!(verdict.state(subject), Some(State::Ok(_))), "{verdict}");
    }
    for subject in [Subject::Hardware, Subject::Tcb, Subject::Debug] {
        assert!(matches!(verdict.state(subject), Some(State::Unknown(_))), "{verdict}");
    }
}

#[test]
fn a_verifier_that_knows_no_simulation_says_that_it_is_one() {
    let scene = Scene::new(Platform::Simulated);
    let pins = Pins::new(scene.house.trust());
    let verdict = judge(&scene.bundle(), &Asked::Here(SESSION), &pins, NOW);
    assert_eq!(verdict.exit_code(), 3, "{verdict}");
    claims_nothing(&verdict);
}

#[test]
fn a_simulation_passed_off_as_hardware_is_refused() {
    let scene = Scene::new(Platform::Simulated);
    let mut bundle = scene.bundle();
    bundle.evidence.platform = Platform::Sgx;
    // The first thing Intel's root does not vouch for.
    scene.refused(&bundle, Subject::Hardware, "evidence.signature");
}

#[test]
fn a_development_lock_is_unprotected_on_the_best_hardware() {
    let mut scene = Scene::new(Platform::Sgx);
    scene.lock = "development";
    let verdict = scene.judged(&scene.bundle());
    assert_eq!(verdict.exit_code(), 3, "{verdict}");
    assert!(verdict.sentence().contains("development lock"), "{verdict}");
    claims_nothing(&verdict);
    scene.lock = "none";
    scene.refused(&scene.bundle(), Subject::Lock, "lock.unknown");
}

#[test]
fn a_development_platform_claims_nothing_whatever_it_brings() {
    let scene = Scene::new(Platform::Sgx);
    for platform in [Platform::VtpmDev, Platform::Simulated, Platform::Tdx, Platform::SevSnp] {
        let mut bundle = scene.bundle();
        bundle.evidence.platform = platform;
        claims_nothing(&scene.judged(&bundle));
    }
}

#[test]
fn a_bundle_of_another_session_nonce_or_key_is_refused() {
    let scene = Scene::new(Platform::Sgx);
    let bundle = scene.bundle();
    let over = |session: Session, expected: &str| {
        let verdict = judge(&bundle, &Asked::Here(session), &scene.pins(), NOW);
        let state = verdict.state(Subject::Tls);
        assert!(
            matches!(state, Some(State::Refused { code, .. }) if *code == expected),
            "{verdict}"
        );
        assert_eq!(verdict.exit_code(), 1);
    };
    let other = [0xee; 32];
    over(
        Session {
            nonce: other,
            ..SESSION
        },
        "binding.proof_invalid",
    );
    over(
        Session {
            exporter: other,
            ..SESSION
        },
        "binding.proof_invalid",
    );
    over(
        Session {
            signer_spki_sha256: other,
            ..SESSION
        },
        "binding.other_tls_key",
    );
}

#[test]
fn a_statement_that_the_quote_does_not_commit_to_is_refused() {
    let scene = Scene::new(Platform::Sgx);
    // The attacker's own instance key, and a proof made with it.
    let key = SoftwareKey::generate("attacker").unwrap();
    let mut bundle = scene.bundle();
    bundle.statement.instance_key = key.public_key().clone();
    bundle.connection_proof =
        crate::binding::ConnectionProof::sign(&key, crate::binding::Endpoint::Server, &SESSION, &bundle.evidence)
            .unwrap();
    scene.refused(&bundle, Subject::Tls, "binding.report_data");
    let changes: [fn(&mut Bundle); 4] = [
        |bundle| bundle.statement.lock = "quorum+hsm ".to_owned(),
        |bundle| bundle.statement.role = InstanceRole::Root,
        |bundle| bundle.statement.quote_time = NOW.plus_seconds(10),
        |bundle| bundle.statement.namespace = "gesundheitsid-prod".to_owned(),
    ];
    for change in changes {
        let mut bundle = scene.bundle();
        change(&mut bundle);
        scene.refused(&bundle, Subject::Tls, "binding.report_data");
    }
}

#[test]
fn a_development_lock_cannot_be_hidden_on_the_way() {
    let mut scene = Scene::new(Platform::Sgx);
    scene.lock = "development";
    let mut bundle = scene.bundle();
    bundle.statement.lock = "quorum+hsm".to_owned();
    scene.refused(&bundle, Subject::Tls, "binding.report_data");
}

#[test]
fn an_old_quote_is_refused() {
    let scene = Scene::new(Platform::Sgx);
    let bundle = scene.bundle();
    let verdict = judge(&bundle, &Asked::Here(SESSION), &scene.pins(), NOW.plus_seconds(7201));
    assert!(
        matches!(verdict.state(Subject::Tls), Some(State::Refused { code, .. }) if *code == "binding.quote_too_old"),
        "{verdict}"
    );
    assert_eq!(verdict.exit_code(), 1);
}

#[test]
fn a_build_or_machine_that_is_not_listed_is_refused_in_its_line() {
    let mut scene = Scene::new(Platform::Sgx);
    scene.enclave = SimulatedEnclave::new([0x52; 32]);
    scene.refused(
        &scene.bundle(),
        Subject::Measurement,
        "admission.measurement_not_listed",
    );
    let mut scene = Scene::new(Platform::Sgx);
    scene.machine = "second";
    scene.refused(&scene.bundle(), Subject::Site, "admission.machine_not_listed");
    let mut scene = Scene::new(Platform::Sgx);
    scene.manifest = |manifest| manifest.measurements[0].roles = vec![InstanceRole::Root];
    scene.refused(&scene.bundle(), Subject::Measurement, "admission.role_not_allowed");
}

#[test]
fn a_debugged_enclave_is_refused_in_its_line() {
    let mut scene = Scene::new(Platform::Sgx);
    scene.enclave.attributes |= 1 << 1;
    scene.refused(&scene.bundle(), Subject::Debug, "evidence.debug");
}

#[test]
fn an_outdated_machine_is_refused_in_its_line() {
    let mut scene = Scene::new(Platform::Sgx);
    scene.tcb = |collateral| collateral.status = TcbStatus::OutOfDate;
    scene.refused(&scene.bundle(), Subject::Tcb, "evidence.tcb_status");
}

#[test]
fn hardening_that_failed_or_was_exchanged_is_refused() {
    let mut scene = Scene::new(Platform::Sgx);
    let mut bundle = scene.bundle();
    bundle.hardening = HardeningProfile::none("says who");
    scene.refused(&bundle, Subject::Hardening, "hardening.other_profile");
    scene.hardening = scene
        .hardening
        .with(Control::SystemCallFilter, ControlState::Failed(Reason::new("EINVAL")));
    let bundle = scene.bundle();
    scene.refused(&bundle, Subject::Hardening, "hardening.failed");
    assert!(scene.judged(&bundle).sentence().contains("system-call-filter"));
}

#[test]
fn controls_that_are_all_switched_off_are_noticed_where_they_exist() {
    let mut scene = Scene::new(Platform::Simulated);
    scene.hardening = HardeningProfile::none("switched off");
    let verdict = scene.judged(&scene.bundle());
    assert!(
        matches!(verdict.state(Subject::Hardening), Some(State::Unknown(reason)) if reason.contains("none in force")),
        "{verdict}"
    );
    let mut scene = Scene::new(Platform::Sgx);
    scene.hardening = HardeningProfile::none("ENOSYS in the enclave");
    assert_eq!(scene.judged(&scene.bundle()).exit_code(), 0);
}

#[test]
fn without_a_manifest_that_holds_nothing_else_is_believed() {
    let scene = Scene::new(Platform::Sgx);
    let mut bundle = scene.bundle();
    bundle.manifests.clear();
    scene.refused(&bundle, Subject::Approvals, "manifest.chain_length");
    let verdict = scene.judged(&bundle);
    assert!(
        verdict.lines().iter().all(|line| !matches!(line.state, State::Ok(_))),
        "{verdict}"
    );
    let mut bundle = scene.bundle();
    let note = &mut bundle.manifests[0].checkpoint;
    *note = note.lines().take(6).collect::<Vec<_>>().join("\n") + "\n";
    scene.refused(&bundle, Subject::Log, "log.too_few_witnesses");
}

#[test]
fn a_verifier_that_remembers_refuses_to_go_back() {
    let scene = Scene::new(Platform::Sgx);
    let bundle = scene.bundle();
    let approved = ApprovedManifest::verify(&bundle.manifests, &scene.house.trust(), None, NOW).unwrap();
    let seen = Seen {
        number: 8,
        ..approved.seen()
    };
    let pins = Pins {
        seen: Some(seen),
        ..scene.pins()
    };
    let verdict = judge(&bundle, &Asked::Here(SESSION), &pins, NOW);
    assert!(
        matches!(verdict.state(Subject::Approvals), Some(State::Refused { code, .. }) if *code == "manifest.number_lower"),
        "{verdict}"
    );
}

#[test]
fn what_cannot_be_judged_is_left_open() {
    let scene = Scene::new(Platform::Sgx);
    let bundle = scene.bundle();
    let verdict = judge(&bundle, &Asked::Somehow, &scene.pins(), NOW);
    assert_eq!(verdict.exit_code(), 2, "{verdict}");
    claims_nothing(&verdict);
    // Stale endorsements: nobody knows whether the platform was revoked meanwhile.
    let late = NOW.plus_seconds(60 * 86_400);
    let verdict = judge(&bundle, &Asked::Here(SESSION), &scene.pins(), late);
    assert_eq!(verdict.exit_code(), 2, "{verdict}");
    assert!(
        matches!(verdict.state(Subject::Hardware), Some(State::Unknown(reason)) if reason.contains("expired")),
        "{verdict}"
    );
}

#[test]
fn a_saved_bundle_is_judged_again_at_its_time() {
    let scene = Scene::new(Platform::Sgx);
    let saved = SavedBundle {
        bundle: scene.bundle(),
        fetched_at: NOW,
        session: Some(SESSION.into()),
    };
    let read = SavedBundle::parse(&saved.encode()).unwrap();
    assert_eq!(read, saved);
    let asked = Asked::Recorded(read.session.unwrap().into());
    let verdict = judge(&read.bundle, &asked, &scene.pins(), read.fetched_at);
    assert_eq!(verdict.exit_code(), 0, "{verdict}");
    assert!(
        matches!(verdict.state(Subject::Tls), Some(State::Ok(found)) if found.contains("as whoever saved it says")),
        "{verdict}"
    );
}

#[test]
fn pins_are_read_as_they_were_written_and_broken_ones_are_refused() {
    let scene = Scene::new(Platform::Sgx);
    let seen = Seen {
        number: 3,
        hash: [4; 32],
        log: Some(crate::transparency::LogView { root: [5; 32], size: 6 }),
    };
    let pins = Pins {
        seen: Some(seen),
        ..scene.pins()
    };
    let bytes = pins.encode(Some(&scene.vendor.root_der()), &[vec![1, 2, 3]]);
    let read = Pins::parse(&bytes).unwrap();
    assert_eq!(read.trust, pins.trust);
    assert_eq!(read.seen, Some(seen));
    assert_eq!(read.quote_age, pins.quote_age);
    let text = String::from_utf8(bytes).unwrap();
    for (what, changed) in [
        (
            "unknown member",
            text.replacen(r#""namespace""#, r#""extra": 1, "namespace""#, 1),
        ),
        ("no format", text.replacen("healthid-pins/v1", "healthid-pins/v2", 1)),
        (
            "a threshold of 0",
            text.replacen(r#""witness_threshold": 2"#, r#""witness_threshold": 0"#, 1),
        ),
        ("half a file", text[..text.len() / 2].to_owned()),
        ("a root that is no base64url", text.replacen("AQID", "A=", 1)),
    ] {
        assert_ne!(changed, text, "{what}: the case changes nothing");
        assert!(Pins::parse(changed.as_bytes()).is_err(), "{what}");
    }
}

#[test]
fn building_again_takes_trust_away_and_never_gives_it() {
    let confirmed = || State::Ok("the same".to_owned());
    let impossible = || State::Unknown("no compiler".to_owned());
    let different = || State::Refused {
        code: "rebuild.other_program",
        reason: "another program".to_owned(),
    };
    let trusted = Scene::new(Platform::Sgx);
    let simulated = Scene::new(Platform::Simulated);
    let refused = Scene {
        machine: "second",
        ..Scene::new(Platform::Sgx)
    };
    for (scene, state, overall) in [
        (&trusted, confirmed(), Overall::Trusted),
        (&trusted, different(), Overall::Refused),
        (&trusted, impossible(), Overall::Undecided),
        (&simulated, confirmed(), Overall::Unprotected),
        (&simulated, different(), Overall::Refused),
        (&simulated, impossible(), Overall::Undecided),
        (&refused, confirmed(), Overall::Refused),
        (&refused, impossible(), Overall::Refused),
    ] {
        let before = scene.judged(&scene.bundle());
        let verdict = before.clone().with_rebuilt(state.clone());
        assert_eq!(verdict.overall(), overall, "{verdict}");
        assert_eq!(verdict.state(Subject::Rebuilt), Some(&state));
        assert_eq!(verdict.lines().len(), Subject::ALL.len() + 1);
        if overall != Overall::Trusted {
            claims_nothing(&verdict);
        }
        if before.overall() == Overall::Unprotected && overall != Overall::Refused {
            assert!(
                verdict.sentence().contains("whoever runs this machine can read"),
                "{verdict}"
            );
        }
    }
}

#[test]
fn a_verdict_names_the_release_only_where_the_manifest_admits_it() {
    let scene = Scene::new(Platform::Simulated);
    let verdict = scene.judged(&scene.bundle());
    let release = verdict.release().unwrap();
    assert_eq!(release.measurement(), &Measurement::Simulated(BUILD));
    assert_eq!((release.commit().len(), release.build_recipe()[0]), (20, 0xb1));
    let unlisted = Scene {
        enclave: SimulatedEnclave::new([0; 32]),
        ..Scene::new(Platform::Simulated)
    };
    assert_eq!(unlisted.judged(&unlisted.bundle()).release(), None);
}
