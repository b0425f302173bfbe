//! Attacks 4 and 6 with statements of our own: revoked, ended, exchanged.

use dcap_qvl::QuoteCollateralV3;
use jose::UnixTime;

use crate::platform::Evidence;
use crate::simulated::{CollateralShape, PlatformShape, SimulatedEnclave, SimulatedPlatform, SimulatedVendor};
use crate::verify::policy::PlatformPolicy;
use crate::verify::{EvidenceError, Roots, VerificationTime, verify};

const NOW: UnixTime = UnixTime(1_795_000_000);
const DAY: u64 = 86_400;

struct Scene {
    vendor: SimulatedVendor,
}

impl Scene {
    fn new() -> Self {
        Self {
            vendor: SimulatedVendor::new(&[1; 32]).unwrap(),
        }
    }

    fn evidence(&self, shape: PlatformShape, change: impl FnOnce(&mut CollateralShape)) -> Evidence {
        let platform = SimulatedPlatform::new(&self.vendor, "first", shape).unwrap();
        let mut collateral = CollateralShape::fresh(false, platform.shape.fmspc, NOW);
        change(&mut collateral);
        platform
            .evidence_with(&SimulatedEnclave::new([3; 32]), &[0; 64], &collateral)
            .unwrap()
    }

    fn ordinary(&self, change: impl FnOnce(&mut CollateralShape)) -> Evidence {
        self.evidence(PlatformShape::default(), change)
    }

    fn judge_at(&self, evidence: &Evidence, now: UnixTime) -> Result<(), EvidenceError> {
        let roots = Roots::in_place_of_intel(self.vendor.root_der());
        verify(evidence, &roots, &PlatformPolicy::default(), VerificationTime::at(now)).map(|_| ())
    }

    fn judge(&self, evidence: &Evidence) -> Result<(), EvidenceError> {
        self.judge_at(evidence, NOW)
    }
}

/// The same evidence with one part of its collateral exchanged.
fn exchange(evidence: &Evidence, change: impl FnOnce(&mut QuoteCollateralV3)) -> Evidence {
    let mut collateral: QuoteCollateralV3 = serde_json::from_slice(&evidence.collateral).unwrap();
    change(&mut collateral);
    Evidence {
        collateral: serde_json::to_vec(&collateral).unwrap(),
        ..evidence.clone()
    }
}

#[test]
fn a_revoked_platform_authority_or_signer_is_refused() {
    let scene = Scene::new();
    assert_eq!(scene.judge(&scene.ordinary(|_| ())), Ok(()));
    let own = PlatformShape::default().serial;
    assert_eq!(
        scene.judge(&scene.ordinary(|shape| shape.revoked_by_authority = vec![own])),
        Err(EvidenceError::Revoked)
    );
    // The platform authority, the signer of statements, the root itself.
    for serial in [2, 3, 1] {
        let evidence = scene.ordinary(|shape| shape.revoked_by_root = vec![vec![serial]]);
        assert_eq!(
            scene.judge(&evidence).unwrap_err().code(),
            "evidence.revoked",
            "{serial}"
        );
    }
    // Somebody else's certificate, and the root's list naming a number of another issuer's.
    assert_eq!(
        scene.judge(&scene.ordinary(|shape| shape.revoked_by_authority = vec![vec![0x7f]])),
        Ok(())
    );
    assert_eq!(
        scene.judge(&scene.ordinary(|shape| shape.revoked_by_root = vec![PlatformShape::default().serial])),
        Ok(())
    );
}

#[test]
fn four_wrong_clocks_have_four_codes() {
    let scene = Scene::new();
    let evidence = scene.ordinary(|_| ());
    assert_eq!(
        scene.judge_at(&evidence, NOW.minus_seconds(3601)),
        Err(EvidenceError::NotYetValid("TCB info"))
    );
    assert_eq!(
        scene.judge_at(&evidence, NOW.plus_seconds(31 * DAY)),
        Err(EvidenceError::Expired("TCB info"))
    );
    let lists_end_first = scene.ordinary(|shape| shape.list_lifetime_seconds = DAY);
    assert_eq!(scene.judge_at(&lists_end_first, NOW.plus_seconds(DAY / 2)), Ok(()));
    assert_eq!(
        scene.judge_at(&lists_end_first, NOW.plus_seconds(2 * DAY)),
        Err(EvidenceError::RevocationListExpired("root's revocation list"))
    );
    let clock = VerificationTime {
        now: NOW,
        floor: NOW.plus_seconds(1),
    };
    let roots = Roots::in_place_of_intel(scene.vendor.root_der());
    assert_eq!(
        verify(&evidence, &roots, &PlatformPolicy::default(), clock),
        Err(EvidenceError::ClockBelowFloor)
    );
}

#[test]
fn collateral_of_another_processor_or_kind_is_refused() {
    let scene = Scene::new();
    let other = scene.ordinary(|shape| shape.fmspc = [9; 6]);
    assert_eq!(scene.judge(&other), Err(EvidenceError::CollateralMismatch));
    let domains = scene.ordinary(|shape| shape.domain = true);
    assert_eq!(scene.judge(&domains), Err(EvidenceError::CollateralMismatch));
}

#[test]
fn exchanged_parts_of_the_collateral_are_refused() {
    let scene = Scene::new();
    let evidence = scene.ordinary(|_| ());
    let stranger = SimulatedVendor::new(&[2; 32]).unwrap();
    let fmspc = PlatformShape::default().fmspc;
    let theirs = stranger.state(&CollateralShape::fresh(false, fmspc, NOW)).unwrap();
    let newer = scene
        .vendor
        .state(&CollateralShape {
            evaluation_number: 99,
            ..CollateralShape::fresh(false, fmspc, NOW)
        })
        .unwrap();
    let cases: [(&str, Evidence); 8] = [
        (
            "evidence.signature",
            exchange(&evidence, |own| own.tcb_info.clone_from(&newer.tcb_info)),
        ),
        (
            "evidence.signature",
            exchange(&evidence, |own| own.qe_identity.clone_from(&newer.qe_identity)),
        ),
        (
            "evidence.signature",
            exchange(&evidence, |own| own.root_ca_crl.clone_from(&theirs.root_ca_crl)),
        ),
        (
            "evidence.chain",
            exchange(&evidence, |own| own.pck_crl.clone_from(&theirs.pck_crl)),
        ),
        (
            "evidence.chain",
            exchange(&evidence, |own| {
                own.tcb_info.clone_from(&theirs.tcb_info);
                own.tcb_info_signature.clone_from(&theirs.tcb_info_signature);
                own.tcb_info_issuer_chain.clone_from(&theirs.tcb_info_issuer_chain);
            }),
        ),
        (
            "evidence.chain",
            exchange(&evidence, |own| {
                own.qe_identity.clone_from(&theirs.qe_identity);
                own.qe_identity_signature.clone_from(&theirs.qe_identity_signature);
                own.qe_identity_issuer_chain
                    .clone_from(&theirs.qe_identity_issuer_chain);
            }),
        ),
        (
            "evidence.malformed",
            Evidence {
                collateral: b"{}".to_vec(),
                ..evidence.clone()
            },
        ),
        (
            "evidence.malformed",
            Evidence {
                collateral: Vec::new(),
                ..evidence.clone()
            },
        ),
    ];
    for (position, (code, changed)) in cases.into_iter().enumerate() {
        assert_eq!(scene.judge(&changed).unwrap_err().code(), code, "case {position}");
    }
}

/// A chain in the collateral does not stand in for the one in the quote.
#[test]
fn the_platforms_certificate_is_taken_from_the_quote_only() {
    let scene = Scene::new();
    let evidence = exchange(&scene.ordinary(|_| ()), |own| {
        own.pck_certificate_chain = Some("not a certificate".to_owned());
    });
    assert_eq!(scene.judge(&evidence), Ok(()));
}

#[test]
fn a_quote_of_another_machines_key_is_refused() {
    let scene = Scene::new();
    let other = SimulatedPlatform::new(&scene.vendor, "second", PlatformShape::default()).unwrap();
    let collateral = CollateralShape::fresh(false, other.shape.fmspc, NOW);
    let theirs = other
        .evidence_with(&SimulatedEnclave::new([3; 32]), &[0; 64], &collateral)
        .unwrap();
    let mut mixed = scene.ordinary(|_| ());
    // Their certificates behind our signatures: the quoting enclave's report is not signed by that key.
    let start = |report: &[u8]| report.windows(5).position(|window| window == b"-----").unwrap();
    let (own, foreign) = (start(&mixed.report), start(&theirs.report));
    let length = theirs.report.len() - foreign;
    mixed.report.truncate(own);
    mixed.report.extend_from_slice(&theirs.report[foreign..]);
    // Lengths in front of the certificates follow.
    let chain = u32::try_from(length).unwrap();
    mixed.report[own - 4..own].copy_from_slice(&chain.to_le_bytes());
    let authentication = u32::try_from(mixed.report.len() - 436).unwrap();
    mixed.report[432..436].copy_from_slice(&authentication.to_le_bytes());
    assert_eq!(
        scene.judge(&mixed),
        Err(EvidenceError::Signature("quoting enclave's report"))
    );
}
