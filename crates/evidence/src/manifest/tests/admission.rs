//! Which instances a manifest admits.

use super::*;

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
