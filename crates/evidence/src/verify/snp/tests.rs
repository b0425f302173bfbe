//! Attacks 5 and 6 on SEV-SNP: reports and certificates made here, in AMD's shape under roots of our own.

mod amd;

use jose::UnixTime;

use self::amd::{AMD, CertificateShape, ReportShape};
use super::AmdRoot;
use super::endorsement::{Vcek, certificate_table};
use crate::platform::{Evidence, Platform};
use crate::verify::policy::{Demand, FlagRule, PlatformPolicy};
use crate::verify::tcb::{SnpProduct, SnpTcb};
use crate::verify::tests::recorded;
use crate::verify::{EvidenceError, Roots, VerificationTime, VerifiedEvidence, verify};

/// 21 November 2026.
const NOW: UnixTime = UnixTime(1_795_219_200);
const DAY: u64 = 86_400;
/// What a simulated platform runs.
const TCB: SnpTcb = SnpTcb {
    fmc: 0,
    bootloader: 4,
    tee: 1,
    snp: 23,
    microcode: 72,
};

fn policy() -> PlatformPolicy {
    let mut policy = PlatformPolicy::default();
    policy.snp.tcb_floors = SnpProduct::ALL.map(|product| (product, TCB)).into();
    policy
}

fn judge(evidence: &Evidence, policy: &PlatformPolicy) -> Result<VerifiedEvidence, EvidenceError> {
    let roots = Roots::in_place_of_amd(AMD.roots());
    verify(evidence, &roots, policy, VerificationTime::at(NOW))
}

fn code(evidence: &Evidence, policy: &PlatformPolicy) -> &'static str {
    judge(evidence, policy).map_or_else(|error| error.code(), |_| "accepted")
}

/// Evidence of a report, with the certificate that fits it and a fresh revocation list.
fn evidence(report: &ReportShape) -> Evidence {
    with_certificate(report, &CertificateShape::of(report))
}

fn with_certificate(report: &ReportShape, certificate: &CertificateShape) -> Evidence {
    Evidence {
        platform: Platform::SevSnp,
        report: AMD.report(report),
        auxiliary: certificate_table(&AMD.vcek(certificate)),
        collateral: AMD.list(&[], NOW.minus_seconds(DAY), NOW.plus_seconds(DAY)),
    }
}

fn report() -> ReportShape {
    ReportShape::new(SnpProduct::Genoa, TCB)
}

#[test]
fn reports_of_every_product_and_version_meet_the_strict_policy() {
    for product in SnpProduct::ALL {
        for version in [2, 3, 5] {
            let shape = ReportShape {
                version,
                ..ReportShape::new(product, TCB)
            };
            let verified = judge(&evidence(&shape), &policy()).unwrap();
            assert_eq!(verified.report_data(), &[0xcd; 64]);
            assert_eq!(verified.platform_id().as_bytes(), shape.chip_id);
            assert_eq!(verified.security_version(), 7);
        }
    }
}

#[test]
fn a_certificate_of_another_chip_or_tcb_is_refused() {
    let shape = report();
    let own = CertificateShape::of(&shape);
    let chip = CertificateShape {
        hardware_id: vec![9; 64],
        ..own.clone()
    };
    assert_eq!(
        code(&with_certificate(&shape, &chip), &policy()),
        "evidence.chip_mismatch"
    );
    // The same chip with an identity cut short, as Turin's certificates have it.
    let short = CertificateShape {
        hardware_id: shape.chip_id[..8].to_vec(),
        ..own.clone()
    };
    assert_eq!(
        code(&with_certificate(&shape, &short), &policy()),
        "evidence.chip_mismatch"
    );
    for tcb in [
        SnpTcb { microcode: 73, ..TCB },
        SnpTcb { bootloader: 3, ..TCB },
        SnpTcb { tee: 0, ..TCB },
        SnpTcb { snp: 24, ..TCB },
    ] {
        let other = CertificateShape { tcb, ..own.clone() };
        assert_eq!(
            code(&with_certificate(&shape, &other), &policy()),
            "evidence.tcb_mismatch"
        );
    }
    // A processor that the certificate's product does not have.
    let milan = ReportShape {
        cpu: (0x19, 0x01),
        version: 3,
        ..shape
    };
    assert_eq!(code(&evidence(&milan), &policy()), "evidence.chip_mismatch");
}

#[test]
fn each_of_the_four_versions_must_reach_the_floor() {
    let below = SnpTcb { microcode: 71, ..TCB };
    let shapes = [
        ReportShape {
            current: below,
            ..report()
        },
        ReportShape {
            reported: below,
            ..report()
        },
        ReportShape {
            committed: below,
            ..report()
        },
        ReportShape {
            launch: below,
            ..report()
        },
    ];
    for shape in shapes {
        assert_eq!(
            judge(&evidence(&shape), &policy()),
            Err(EvidenceError::TcbBelowFloor("microcode"))
        );
    }
    let mut unlisted = policy();
    unlisted.snp.tcb_floors.remove(&SnpProduct::Genoa);
    assert_eq!(code(&evidence(&report()), &unlisted), "evidence.product");
}

#[test]
fn every_violation_of_the_rules_for_guests_has_its_own_code() {
    let policy_bit = |bit: u32| ReportShape {
        policy: report().policy | 1 << bit,
        ..report()
    };
    let cases = [
        (policy_bit(19), "evidence.debug"),
        (policy_bit(18), "evidence.migration"),
        (policy_bit(16), "evidence.smt"),
        (
            ReportShape {
                platform_info: report().platform_info | 1,
                ..report()
            },
            "evidence.smt",
        ),
        (ReportShape { vmpl: 1, ..report() }, "evidence.vmpl"),
        (
            ReportShape {
                platform_info: 0,
                ..report()
            },
            "evidence.memory_protection",
        ),
        (
            ReportShape {
                chip_id: [0; 64],
                ..report()
            },
            "evidence.platform_id_hidden",
        ),
        (
            ReportShape {
                key_info: 1 << 2,
                ..report()
            },
            "evidence.signing_key",
        ),
        (
            ReportShape {
                key_info: 1 << 1,
                ..report()
            },
            "evidence.signing_key",
        ),
        (
            ReportShape {
                algorithm: 2,
                ..report()
            },
            "evidence.signing_key",
        ),
        (ReportShape { version: 6, ..report() }, "evidence.malformed"),
    ];
    for (position, (shape, expected)) in cases.into_iter().enumerate() {
        assert_eq!(code(&evidence(&shape), &policy()), expected, "case {position}");
    }
    let mut older = policy();
    older.snp.min_abi = (1, 56);
    assert_eq!(code(&evidence(&report()), &older), "evidence.abi");
    let mut newer = policy();
    newer.snp.min_guest_svn = 8;
    assert_eq!(code(&evidence(&report()), &newer), "evidence.security_version");
    let mut hiding = policy();
    hiding.snp.ciphertext_hiding = Demand::Required;
    assert_eq!(
        judge(&evidence(&report()), &hiding),
        Err(EvidenceError::MemoryProtection("ciphertext hiding"))
    );
    let mut host = policy();
    host.snp.host_data = "ee".repeat(32);
    assert_eq!(code(&evidence(&report()), &host), "accepted");
    host.snp.host_data = "ef".repeat(32);
    assert_eq!(code(&evidence(&report()), &host), "evidence.host_configuration");
    let mut threads = policy();
    threads.snp.smt = FlagRule::RefusedWhenSet;
    assert_eq!(code(&evidence(&policy_bit(16)), &threads), "accepted");
}

#[test]
fn revocation_is_demanded_read_and_dated() {
    let good = evidence(&report());
    let with = |collateral| Evidence {
        collateral,
        ..good.clone()
    };
    let (from, until) = (NOW.minus_seconds(DAY), NOW.plus_seconds(DAY));
    assert_eq!(code(&with(Vec::new()), &policy()), "evidence.revocation_list_missing");
    let mut optional = policy();
    optional.snp.revocation_list = Demand::Optional;
    assert_eq!(code(&with(Vec::new()), &optional), "accepted");
    // Where a list is, it counts, demanded or not.
    for policy in [policy(), optional] {
        assert_eq!(code(&with(vec![0x30, 0]), &policy), "evidence.malformed");
        // The signing key's serial number, then the chip's.
        for serial in [amd::ASK_SERIAL, amd::VCEK_SERIAL] {
            let list = AMD.list(&[serial], from, until);
            assert_eq!(code(&with(list), &policy), "evidence.revoked");
        }
        assert_eq!(code(&with(AMD.list(&[99], from, until)), &policy), "accepted");
        let expired = AMD.list(&[], from.minus_seconds(DAY), from);
        assert_eq!(code(&with(expired), &policy), "evidence.revocation_list_expired");
        let early = AMD.list(&[], until, until.plus_seconds(DAY));
        assert_eq!(code(&with(early), &policy), "evidence.not_yet_valid");
        let forged = AMD.list_by_signing_key(from, until);
        assert_eq!(code(&with(forged), &policy), "evidence.signature");
    }
}

#[test]
fn certificates_are_dated_and_lead_to_the_root_of_their_product() {
    let shape = report();
    let own = CertificateShape::of(&shape);
    let ended = CertificateShape {
        not_after: NOW.minus_seconds(1),
        ..own.clone()
    };
    assert_eq!(code(&with_certificate(&shape, &ended), &policy()), "evidence.expired");
    let early = CertificateShape {
        not_before: NOW.plus_seconds(1),
        ..own.clone()
    };
    assert_eq!(
        code(&with_certificate(&shape, &early), &policy()),
        "evidence.not_yet_valid"
    );
    let unknown = CertificateShape {
        product_name: "Venice-A0".to_owned(),
        ..own.clone()
    };
    assert_eq!(code(&with_certificate(&shape, &unknown), &policy()), "evidence.product");
    // AMD's own roots do not know our signing key.
    let genuine = verify(
        &evidence(&shape),
        &Roots::vendors(),
        &policy(),
        VerificationTime::at(NOW),
    );
    assert_eq!(genuine, Err(EvidenceError::Chain));
    let self_made = CertificateShape {
        signed_by_root: true,
        ..own
    };
    assert_eq!(code(&with_certificate(&shape, &self_made), &policy()), "evidence.chain");
}

#[test]
fn certificate_tables_are_read_within_their_bounds() {
    let good = evidence(&report());
    let with = |auxiliary: Vec<u8>| Evidence {
        auxiliary,
        ..good.clone()
    };
    assert_eq!(code(&with(Vec::new()), &policy()), "evidence.malformed");
    assert_eq!(code(&with(vec![0; 24]), &policy()), "evidence.malformed");
    for length in 0..48 {
        assert_eq!(
            code(&with(good.auxiliary[..length].to_vec()), &policy()),
            "evidence.malformed"
        );
    }
    for (position, value) in [(16, u32::MAX), (20, u32::MAX), (20, 9000), (16, 100_000)] {
        let mut table = good.auxiliary.clone();
        table[position..position + 4].copy_from_slice(&value.to_le_bytes());
        assert_eq!(
            code(&with(table), &policy()),
            "evidence.malformed",
            "{position} {value}"
        );
    }
    // Two certificates of a chip: whose it is must not be open.
    let entry = good.auxiliary[..24].to_vec();
    let twice = [&entry[..], &good.auxiliary].concat();
    assert_eq!(code(&with(twice), &policy()), "evidence.malformed");
    // Pages are filled up with zeros, and other certificates stand beside: neither matters.
    let padded = [&good.auxiliary[..], &[0; 4096]].concat();
    assert_eq!(code(&with(padded), &policy()), "accepted");
    // The writer of the library writes what we read.
    let written = sev::firmware::host::CertTableEntry::cert_table_to_vec_bytes(&[
        sev::firmware::host::CertTableEntry::new(sev::firmware::host::CertType::ASK, vec![1, 2, 3]),
        sev::firmware::host::CertTableEntry::new(
            sev::firmware::host::CertType::VCEK,
            AMD.vcek(&CertificateShape::of(&report())),
        ),
    ])
    .unwrap();
    assert_eq!(code(&with(written), &policy()), "accepted");
}

/// What AMD's certificates of all three products are verified for once, at the first use.
#[test]
fn a_root_that_did_not_issue_the_signing_key_is_none() {
    use sev::certs::snp::builtin::{genoa, milan, turin};

    assert_eq!(super::amd_roots().len(), SnpProduct::ALL.len());
    let (ark, ask) = (milan::ark().unwrap(), milan::ask().unwrap());
    assert!(AmdRoot::verify(SnpProduct::Milan, &ark, &ask).is_some());
    assert!(AmdRoot::verify(SnpProduct::Milan, &ark, &turin::ask().unwrap()).is_none());
    assert!(AmdRoot::verify(SnpProduct::Milan, &genoa::ark().unwrap(), &ask).is_none());
    assert!(AmdRoot::verify(SnpProduct::Milan, &ask, &ask).is_none());
}

/// Recorded: a Turin chip's certificate under AMD's own root. The package carries no Turin report.
#[test]
fn a_genuine_turin_certificate_leads_to_amds_root() {
    let Some(der) = recorded::turin_vcek() else { return };
    let vcek = Vcek::parse(&der).unwrap();
    // 6 November 2024 to 6 November 2031.
    let at = UnixTime(1_767_225_600);
    let roots = Roots::vendors();
    let (product, _, dates) = vcek.verify(&roots.amd, &[], Demand::Optional, at).unwrap();
    assert_eq!(product, SnpProduct::Turin);
    assert_eq!(vcek.hardware_id, [0x1e, 0x55, 0x0a, 0x8e, 0xe5, 0xcf, 0x9f, 0x4d]);
    assert_eq!(
        vcek.tcb,
        SnpTcb {
            microcode: 9,
            ..SnpTcb::default()
        }
    );
    assert_eq!(dates.earliest_expiration, UnixTime(1_951_766_040));
    let late = vcek.verify(&roots.amd, &[], Demand::Optional, UnixTime(1_951_766_041));
    assert_eq!(late.unwrap_err(), EvidenceError::Expired("VCEK certificate"));
    for position in (0..der.len()).step_by(20) {
        let mut changed = der.clone();
        changed[position] ^= 1 << (position % 8);
        let result = Vcek::parse(&changed).and_then(|vcek| vcek.verify(&roots.amd, &[], Demand::Optional, at));
        assert!(result.is_err(), "{position}");
    }
}
