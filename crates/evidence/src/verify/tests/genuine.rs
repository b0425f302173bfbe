//! Attacks 1 and 9: genuine evidence gives exactly what it says, and two parsers read the same.

use jose::UnixTime;

use super::recorded::{self, Recorded, lenient};
use crate::platform::{Measurement, Platform};
use crate::verify::policy::{FlagRule, PlatformPolicy};
use crate::verify::quote::{Body, Quote};
use crate::verify::tcb::{SnpProduct, SnpTcb, TcbStatus};
use crate::verify::{EvidenceError, Roots, VerifiedEvidence, digest, verify};

fn judge(recorded: &Recorded, policy: &PlatformPolicy) -> Result<VerifiedEvidence, EvidenceError> {
    verify(&recorded.evidence, &Roots::vendors(), policy, recorded.clock())
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the platform of the version 5 sample was started with.
const V5_CONFIG_ID: &str =
    "0151ed70bddb5f12574176b37e3f53bbfc4ba15c33cbddc2d03d90b6de14596cc0000000000000000000000000000000";

#[test]
fn a_genuine_sgx_quote_gives_its_measurement_status_and_advisories() {
    let Some(recorded) = recorded::sgx() else { return };
    let verified = judge(&recorded, &lenient()).unwrap();
    assert_eq!(verified.platform(), Platform::Sgx);
    assert_eq!(
        verified.measurement().to_string(),
        "33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb/0"
    );
    assert_eq!(&verified.report_data()[..13], b"Hello, world!");
    assert_eq!(verified.report_data()[13..], [0; 51]);
    assert_eq!(verified.tcb(), &TcbStatus::ConfigurationAndSwHardeningNeeded);
    assert_eq!(verified.advisories(), ["INTEL-SA-00289", "INTEL-SA-00615"]);
    assert_eq!(verified.evaluation_number(), Some(17));
    assert_eq!(verified.security_version(), 0);
    // A certificate of the processor authority has no instance id: the identity is derived from the PPID.
    assert_eq!(verified.platform_id().as_bytes().len(), 32);
    let dates = verified.collateral_dates();
    assert_eq!(dates.latest_issue, UnixTime(1_750_330_571)); // TCB info, 2025-06-19T10:56:11Z
    assert_eq!(dates.earliest_expiration, UnixTime(1_752_919_278)); // QE identity, 2025-07-19T10:01:18Z
}

#[test]
fn a_genuine_tdx_quote_of_version_4_gives_its_measurement_and_status() {
    let Some(recorded) = recorded::tdx_v4() else { return };
    let verified = judge(&recorded, &lenient()).unwrap();
    let Measurement::Tdx { mr_td, rtmr } = verified.measurement() else {
        panic!("not a domain")
    };
    assert_eq!(
        digits(mr_td),
        "91eb2b44d141d4ece09f0c75c2c53d247a3c68edd7fafe8a3520c942a604a407de03ae6dc5f87f27428b2538873118b7"
    );
    assert_eq!(digits(&rtmr[0])[..16], *"44c0197b39157fdd");
    assert_eq!(digits(&rtmr[1])[..16], *"0084452c01668329");
    assert_eq!(digits(&rtmr[2])[..16], *"d833feef2cd94514");
    assert_eq!(rtmr[3], [0; 48]);
    assert_eq!(digits(verified.report_data())[..16], *"9a9d48e7f6799642");
    assert_eq!(verified.tcb(), &TcbStatus::UpToDate);
    assert!(verified.advisories().is_empty());
    assert_eq!(verified.platform_id().to_string(), "07828474603e7019dc930775ffe8cdd2");
}

#[test]
fn a_genuine_tdx_quote_of_version_5_gives_its_measurement_and_status() {
    let Some(recorded) = recorded::tdx_v5() else { return };
    // Its domain was built with a configuration id of the host's choice, which must be the expected one.
    assert_eq!(
        judge(&recorded, &lenient()),
        Err(EvidenceError::HostConfiguration("MRCONFIGID"))
    );
    let mut policy = lenient();
    policy.tdx.config_id = V5_CONFIG_ID.to_owned();
    let verified = judge(&recorded, &policy).unwrap();
    let Measurement::Tdx { mr_td, rtmr } = verified.measurement() else {
        panic!("not a domain")
    };
    assert_eq!(
        digits(mr_td),
        "2a674327c50218dba880066b349b8d559d749ed68dce33fd651c184a877d084b07a9e583767a7ad5da13ed91deec2b70"
    );
    assert_eq!(digits(&rtmr[3])[..16], *"556d4986cae57e7e");
    assert_eq!(verified.tcb(), &TcbStatus::UpToDate);
    assert!(verified.advisories().is_empty());
    assert_eq!(verified.evaluation_number(), Some(20));
}

#[test]
fn the_strict_policy_says_why_it_refuses_each_recorded_platform() {
    let strict = PlatformPolicy::default();
    let cases = [
        (recorded::sgx(), "evidence.tcb_status"),
        (recorded::tdx_v4(), "evidence.dynamic_platform"),
        (recorded::tdx_v5(), "evidence.dynamic_platform"),
        (recorded::tdx_outdated(), "evidence.tcb_unknown"),
        (recorded::milan(), "evidence.revocation_list_missing"),
    ];
    for (recorded, code) in cases {
        let Some(recorded) = recorded else { continue };
        assert_eq!(judge(&recorded, &strict).unwrap_err().code(), code, "{}", recorded.name);
    }
}

#[test]
fn a_genuine_platform_is_refused_by_each_rule_it_does_not_meet() {
    let Some(recorded) = recorded::sgx() else { return };
    let mut advisory = lenient();
    advisory.intel.rejected_advisories.insert("INTEL-SA-00615".to_owned());
    let mut evaluation = lenient();
    evaluation.intel.min_evaluation_number = 18;
    let mut product = lenient();
    product.sgx.product_id = Some(1);
    let mut version = lenient();
    version.sgx.min_security_version = 1;
    let mut smt = lenient();
    // A certificate of the processor authority does not tell.
    smt.intel.smt = FlagRule::MustBeClear;
    for (policy, code) in [
        (advisory, "evidence.advisory"),
        (evaluation, "evidence.evaluation_number"),
        (product, "evidence.product_id"),
        (version, "evidence.security_version"),
        (smt, "evidence.smt"),
    ] {
        assert_eq!(judge(&recorded, &policy).unwrap_err().code(), code);
    }
}

#[test]
fn a_genuine_milan_report_gives_its_measurement_and_chip() {
    let Some(recorded) = recorded::milan() else { return };
    let verified = judge(&recorded, &lenient()).unwrap();
    assert_eq!(
        verified.measurement().to_string(),
        "7a1e5c266c0108dbc9bb94fa926951320940915d0aafb42464bd88b579ea158d3e1a0dc39b2c60bd95b9c480cd81841f"
    );
    assert_eq!(digits(verified.report_data())[..16], *"d447b55d197491bf");
    assert_eq!(digits(verified.platform_id().as_bytes())[..16], *"d49554ec717f4e5b");
    assert_eq!(verified.platform_id().as_bytes().len(), 64);
    assert_eq!(verified.tcb(), &TcbStatus::AtOrAboveFloor);
    assert_eq!(verified.security_version(), 0);
    // The VCEK ends on 3 April 2030.
    assert_eq!(verified.collateral_dates().earliest_expiration, UnixTime(1_901_474_623));
}

#[test]
fn a_milan_report_one_microcode_below_the_floor_is_refused() {
    let Some(recorded) = recorded::milan() else { return };
    let own = SnpTcb {
        fmc: 0,
        bootloader: 3,
        tee: 0,
        snp: 8,
        microcode: 0x73,
    };
    let with = |floor| {
        let mut policy = lenient();
        policy.snp.tcb_floors = [(SnpProduct::Milan, floor)].into();
        judge(&recorded, &policy).map(|_| ())
    };
    assert_eq!(with(own), Ok(()));
    assert_eq!(
        with(SnpTcb { microcode: 0x74, ..own }),
        Err(EvidenceError::TcbBelowFloor("microcode"))
    );
    assert_eq!(
        with(SnpTcb { bootloader: 4, ..own }),
        Err(EvidenceError::TcbBelowFloor("bootloader"))
    );
    let mut other = lenient();
    other.snp.tcb_floors = [(SnpProduct::Genoa, SnpTcb::default())].into();
    assert_eq!(judge(&recorded, &other), Err(EvidenceError::Product));
}

/// Attack 9. The comparison is part of every verification; here it is seen to be one, on each body both parsers know.
#[test]
fn two_parsers_read_the_same_from_every_recorded_quote() {
    let mut compared = 0;
    let judged = recorded::genuine_quotes().into_iter().chain(recorded::tdx_outdated());
    let reports = judged.map(|recorded| recorded.evidence.report);
    for report in reports.chain(recorded::unjudged_quotes()) {
        let own = Quote::parse(&report).unwrap();
        let theirs = dcap_qvl::quote::Quote::parse(&report).unwrap();
        assert_eq!(own.version, theirs.header.version);
        assert_eq!(own.signed.len(), theirs.signed_length());
        assert_eq!(own.quoting_report, theirs.qe_report());
        assert_eq!(own.certificates, theirs.raw_cert_chain().unwrap());
        match (&own.body, &theirs.report) {
            (Body::Enclave(own), dcap_qvl::quote::Report::SgxEnclave(theirs)) => {
                assert_eq!(own.mr_enclave, theirs.mr_enclave);
                assert_eq!(own.attributes.to_le_bytes(), theirs.attributes[..8]);
                assert_eq!(own.report_data, theirs.report_data);
            }
            (Body::Domain(own), theirs) => {
                let base = theirs.as_td10().unwrap();
                assert_eq!(own.mr_td, base.mr_td);
                assert_eq!(own.rtmr, [base.rt_mr0, base.rt_mr1, base.rt_mr2, base.rt_mr3]);
                assert_eq!(own.attributes.to_le_bytes(), base.td_attributes);
                assert_eq!(own.report_data, base.report_data);
            }
            _ => panic!("the parsers see different bodies"),
        }
        compared += 1;
    }
    assert!(compared == 6 || recorded::sgx().is_none());
}

#[test]
fn a_producer_names_its_evidence_as_a_verifier_does() {
    for recorded in recorded::genuine_quotes().into_iter().chain(recorded::milan()) {
        let mut policy = lenient();
        if recorded.name == "tdx_quote_td15ex" {
            policy.tdx.config_id = V5_CONFIG_ID.to_owned();
        }
        assert_eq!(
            digest(&recorded.evidence).as_ref(),
            Ok(judge(&recorded, &policy).unwrap().digest())
        );
    }
}

#[test]
fn the_vendors_roots_believe_no_simulation_whatever_features_are_on() {
    let Some(mut recorded) = recorded::sgx() else { return };
    recorded.evidence.platform = Platform::Simulated;
    assert_eq!(judge(&recorded, &lenient()), Err(EvidenceError::Simulated));
    for (platform, code) in [
        (Platform::Tdx, "evidence.malformed"),
        (Platform::SevSnp, "evidence.trailing_bytes"),
        (Platform::VtpmDev, "evidence.malformed"),
    ] {
        recorded.evidence.platform = platform;
        assert_eq!(judge(&recorded, &lenient()).unwrap_err().code(), code);
    }
}
