//! Attack 5: what is genuine and not good enough, each with its own code. Quotes are made here, in Intel's shape and
//! under a root of ours; the code that judges them is the one that judges genuine ones.

use jose::UnixTime;

use crate::platform::{Evidence, Measurement, Platform};
use crate::simulated::{
    CollateralShape, DomainShape, PlatformShape, SimulatedEnclave, SimulatedPlatform, SimulatedVendor,
};
use crate::verify::policy::{FlagRule, PlatformPolicy};
use crate::verify::tcb::TcbStatus;
use crate::verify::{EvidenceError, Roots, VerificationTime, VerifiedEvidence, verify};

const NOW: UnixTime = UnixTime(1_795_000_000);
const REPORT_DATA: [u8; 64] = [0xab; 64];
const DEBUG: u64 = 1 << 1;

fn vendor() -> SimulatedVendor {
    SimulatedVendor::new(&[1; 32]).unwrap()
}

fn judge(
    vendor: &SimulatedVendor,
    evidence: &Evidence,
    policy: &PlatformPolicy,
) -> Result<VerifiedEvidence, EvidenceError> {
    let roots = match evidence.platform {
        Platform::Simulated => Roots::simulated(vendor.root_der()),
        _ => Roots::in_place_of_intel(vendor.root_der()),
    };
    verify(evidence, &roots, policy, VerificationTime::at(NOW))
}

/// An enclave on an ordinary machine.
fn enclave_code(enclave: &SimulatedEnclave, policy: &PlatformPolicy) -> &'static str {
    let vendor = vendor();
    let platform = vendor.platform("first").unwrap();
    let collateral = CollateralShape::fresh(false, platform.shape.fmspc, NOW);
    let evidence = platform.evidence_with(enclave, &REPORT_DATA, &collateral).unwrap();
    judge(&vendor, &evidence, policy).map_or_else(|error| error.code(), |_| "accepted")
}

/// An ordinary enclave on a machine of that shape, about which the vendor says that.
fn platform_code(
    shape: PlatformShape,
    change: impl FnOnce(&mut CollateralShape),
    policy: &PlatformPolicy,
) -> &'static str {
    let vendor = vendor();
    let platform = SimulatedPlatform::new(&vendor, "first", shape).unwrap();
    let mut collateral = CollateralShape::fresh(false, platform.shape.fmspc, NOW);
    change(&mut collateral);
    let enclave = SimulatedEnclave::new([3; 32]);
    let evidence = platform.evidence_with(&enclave, &REPORT_DATA, &collateral).unwrap();
    judge(&vendor, &evidence, policy).map_or_else(|error| error.code(), |_| "accepted")
}

fn domain() -> DomainShape {
    DomainShape {
        mr_signer_seam: [0; 48],
        mr_td: [9; 48],
        rtmr: [[1; 48], [2; 48], [3; 48], [4; 48]],
        attributes: 1 << 28,
        mr_config_id: [0; 48],
        mr_owner: [0; 48],
        mr_owner_config: [0; 48],
    }
}

fn domain_result(domain: &DomainShape, policy: &PlatformPolicy) -> Result<VerifiedEvidence, EvidenceError> {
    let vendor = vendor();
    let platform = vendor.platform("first").unwrap();
    let collateral = CollateralShape::fresh(true, platform.shape.fmspc, NOW);
    let evidence = platform.domain_evidence(domain, &REPORT_DATA, &collateral).unwrap();
    judge(&vendor, &evidence, policy)
}

fn domain_code(domain: &DomainShape) -> &'static str {
    domain_result(domain, &PlatformPolicy::default()).map_or_else(|error| error.code(), |_| "accepted")
}

#[test]
fn a_simulated_enclave_meets_the_strict_policy_and_keeps_its_name() {
    let vendor = vendor();
    let platform = vendor.platform("site-a-1").unwrap();
    let evidence = platform
        .evidence(&SimulatedEnclave::new([3; 32]), &REPORT_DATA, NOW)
        .unwrap();
    let verified = judge(&vendor, &evidence, &PlatformPolicy::default()).unwrap();
    assert_eq!(verified.platform(), Platform::Simulated);
    assert!(!verified.platform().excludes_operator());
    assert_eq!(verified.measurement(), &Measurement::Simulated([3; 32]));
    assert_eq!(verified.report_data(), &REPORT_DATA);
    assert_eq!(verified.platform_id(), &platform.platform_id().unwrap());
    assert_eq!(verified.tcb(), &TcbStatus::UpToDate);
    assert_eq!(verified.security_version(), 1);
    let other = vendor.platform("site-a-2").unwrap();
    assert_ne!(other.platform_id(), platform.platform_id());
    let again = SimulatedVendor::new(&[1; 32]).unwrap();
    assert_eq!(
        again.platform("site-a-1").unwrap().platform_id(),
        platform.platform_id()
    );
}

/// What a vendor made here vouches for is never taken for hardware: neither under the vendors' roots, nor by another
/// simulation, nor in another platform's name.
#[test]
fn simulated_evidence_is_refused_by_everybody_who_was_not_told_to_believe_it() {
    let vendor = vendor();
    let evidence = vendor
        .platform("first")
        .unwrap()
        .evidence(&SimulatedEnclave::new([3; 32]), &REPORT_DATA, NOW)
        .unwrap();
    let clock = VerificationTime::at(NOW);
    let policy = PlatformPolicy::default();
    assert_eq!(
        verify(&evidence, &Roots::vendors(), &policy, clock),
        Err(EvidenceError::Simulated)
    );
    let mut renamed = evidence.clone();
    renamed.platform = Platform::Sgx;
    for roots in [Roots::vendors(), Roots::simulated(vendor.root_der())] {
        assert!(verify(&renamed, &roots, &policy, clock).is_err());
    }
    let other = SimulatedVendor::new(&[2; 32]).unwrap();
    assert!(verify(&evidence, &Roots::simulated(other.root_der()), &policy, clock).is_err());
}

#[test]
fn every_violation_of_the_rules_for_enclaves_has_its_own_code() {
    let strict = PlatformPolicy::default();
    let plain = SimulatedEnclave::new([3; 32]);
    assert_eq!(enclave_code(&plain, &strict), "accepted");
    let with_attributes = |attributes| SimulatedEnclave {
        attributes,
        ..plain.clone()
    };
    let debug = with_attributes(plain.attributes | DEBUG);
    assert_eq!(enclave_code(&debug, &strict), "evidence.debug");
    // Not even a policy that lists everything lets a debugger in.
    let mut everything = PlatformPolicy::default();
    everything.sgx.allowed_attributes = u64::MAX;
    assert_eq!(enclave_code(&debug, &everything), "evidence.debug");
    for forbidden in [1 << 4, 1 << 5, 1 << 7, 1 << 63] {
        let enclave = with_attributes(plain.attributes | forbidden);
        assert_eq!(enclave_code(&enclave, &strict), "evidence.attributes", "{forbidden:#x}");
    }
    for missing in [1, 1 << 2] {
        let enclave = with_attributes(plain.attributes & !missing);
        assert_eq!(enclave_code(&enclave, &strict), "evidence.attributes", "{missing:#x}");
    }
    let features = SimulatedEnclave {
        misc_select: 1,
        ..plain.clone()
    };
    assert_eq!(enclave_code(&features, &strict), "evidence.features");
    let configured = SimulatedEnclave {
        config_id: [1; 64],
        ..plain.clone()
    };
    assert_eq!(enclave_code(&configured, &strict), "evidence.host_configuration");
    let mut product = PlatformPolicy::default();
    product.sgx.product_id = Some(7);
    assert_eq!(enclave_code(&plain, &product), "evidence.product_id");
    let mut version = PlatformPolicy::default();
    version.sgx.min_security_version = 2;
    assert_eq!(enclave_code(&plain, &version), "evidence.security_version");
    let newer = SimulatedEnclave {
        security_version: 2,
        ..plain
    };
    assert_eq!(enclave_code(&newer, &version), "accepted");
}

#[test]
fn every_violation_of_the_rules_for_platforms_has_its_own_code() {
    let strict = PlatformPolicy::default();
    let shape = PlatformShape::default;
    let nothing = |_: &mut CollateralShape| ();
    assert_eq!(platform_code(shape(), nothing, &strict), "accepted");
    let older = PlatformShape {
        cpu_svn: [1; 16],
        ..shape()
    };
    assert_eq!(platform_code(older.clone(), nothing, &strict), "evidence.tcb_status");
    let oldest = PlatformShape {
        cpu_svn: [0; 16],
        ..shape()
    };
    assert_eq!(platform_code(oldest, nothing, &strict), "evidence.tcb_unknown");
    let mut allowing = PlatformPolicy::default();
    allowing.intel.allowed_statuses.insert(TcbStatus::OutOfDate);
    assert_eq!(platform_code(older.clone(), nothing, &allowing), "accepted");
    allowing.intel.rejected_advisories.insert("INTEL-SA-00000".to_owned());
    assert_eq!(platform_code(older, nothing, &allowing), "evidence.advisory");
    let revoked = |collateral: &mut CollateralShape| collateral.status = TcbStatus::Revoked;
    let mut careless = PlatformPolicy::default();
    careless.intel.allowed_statuses.insert(TcbStatus::Revoked);
    assert_eq!(platform_code(shape(), revoked, &careless), "evidence.tcb_revoked");
    let old_statement = |collateral: &mut CollateralShape| collateral.evaluation_number = 16;
    let mut floor = PlatformPolicy::default();
    floor.intel.min_evaluation_number = 17;
    assert_eq!(
        platform_code(shape(), old_statement, &floor),
        "evidence.evaluation_number"
    );
    assert_eq!(platform_code(shape(), nothing, &floor), "accepted");
    let quoting = |collateral: &mut CollateralShape| collateral.quoting_security_version = 2;
    assert_eq!(platform_code(shape(), quoting, &strict), "evidence.quoting_enclave");
}

#[test]
fn platform_flags_are_decided_by_the_policy_and_not_by_the_library() {
    let shapes = [
        PlatformShape {
            dynamic_platform: true,
            ..PlatformShape::default()
        },
        PlatformShape {
            cached_keys: true,
            ..PlatformShape::default()
        },
        PlatformShape {
            smt: true,
            ..PlatformShape::default()
        },
    ];
    let codes = ["evidence.dynamic_platform", "evidence.cached_keys", "evidence.smt"];
    for (position, (shape, code)) in shapes.into_iter().zip(codes).enumerate() {
        for rule in [FlagRule::MustBeClear, FlagRule::RefusedWhenSet, FlagRule::Allowed] {
            let mut policy = PlatformPolicy::default();
            let intel = &mut policy.intel;
            *[&mut intel.dynamic_platform, &mut intel.cached_keys, &mut intel.smt][position] = rule;
            let expected = if rule == FlagRule::Allowed { "accepted" } else { code };
            assert_eq!(platform_code(shape.clone(), |_| (), &policy), expected);
        }
    }
}

#[test]
fn every_violation_of_the_rules_for_domains_has_its_own_code() {
    let verified = domain_result(&domain(), &PlatformPolicy::default()).unwrap();
    assert_eq!(
        verified.measurement(),
        &Measurement::Tdx {
            mr_td: [9; 48],
            rtmr: [[1; 48], [2; 48], [3; 48], [4; 48]]
        }
    );
    let with = |attributes| DomainShape { attributes, ..domain() };
    let septve = 1 << 28;
    assert_eq!(domain_code(&with(septve | 1)), "evidence.debug");
    for profiling in [1 << 4, 1 << 5, 1 << 6] {
        assert_eq!(domain_code(&with(septve | profiling)), "evidence.debug");
    }
    assert_eq!(domain_code(&with(septve | 1 << 29)), "evidence.migration");
    assert_eq!(domain_code(&with(0)), "evidence.attributes");
    // Counters that show what runs inside, and a reserved bit.
    assert_eq!(domain_code(&with(septve | 1 << 63)), "evidence.attributes");
    assert_eq!(domain_code(&with(septve | 1 << 40)), "evidence.attributes");
    let module = DomainShape {
        mr_signer_seam: [1; 48],
        ..domain()
    };
    assert_eq!(domain_code(&module), "evidence.tdx_module");
    let mut everything = PlatformPolicy::default();
    everything.tdx.allowed_attributes = u64::MAX;
    everything.tdx.required_attributes = 0;
    for never in [septve | 1, septve | 1 << 29, 0] {
        assert!(domain_result(&with(never), &everything).is_err());
    }
    for (changed, code) in [
        (
            DomainShape {
                mr_config_id: [1; 48],
                ..domain()
            },
            EvidenceError::HostConfiguration("MRCONFIGID"),
        ),
        (
            DomainShape {
                mr_owner: [1; 48],
                ..domain()
            },
            EvidenceError::HostConfiguration("MROWNER"),
        ),
        (
            DomainShape {
                mr_owner_config: [1; 48],
                ..domain()
            },
            EvidenceError::HostConfiguration("MROWNERCONFIG"),
        ),
    ] {
        assert_eq!(domain_result(&changed, &PlatformPolicy::default()), Err(code));
    }
}

/// A policy is data: it survives the manifest's JSON, and unknown members are refused.
#[test]
fn a_policy_reads_back_and_refuses_what_it_does_not_know() {
    let policy = PlatformPolicy::default();
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<PlatformPolicy>(&text).unwrap(), policy);
    assert_eq!(serde_json::from_str::<PlatformPolicy>("{}").unwrap(), policy);
    for unknown in [
        r#"{"sgx":{"allow_debug":true}}"#,
        r#"{"sev":{}}"#,
        r#"{"intel":{"smt":"yes"}}"#,
    ] {
        assert!(serde_json::from_str::<PlatformPolicy>(unknown).is_err(), "{unknown}");
    }
}

#[test]
fn a_machine_that_hides_its_identity_is_refused() {
    let hidden = PlatformShape {
        hidden: true,
        ..PlatformShape::default()
    };
    assert_eq!(
        platform_code(hidden, |_| (), &PlatformPolicy::default()),
        "evidence.platform_id_hidden"
    );
}
