//! SEV-SNP: chain and report through `sev`, the signature over the raw bytes a second time, and our policy.
//!
//! `sev` writes a report anew before it checks the signature, so it accepts reports with other bytes than the signed
//! ones; and it compares neither chip nor TCB with the certificate, nor dates. All of that is checked here.

mod endorsement;
mod report;

#[cfg(test)]
mod tests;

pub use endorsement::certificate_table;
pub(super) use endorsement::{AmdRoot, amd_roots};

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use jose::UnixTime;
use sev::certs::snp::{Certificate as SevCertificate, Verifiable};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;

use crate::platform::{Evidence, Measurement, Platform, PlatformId};

use super::dcap::is_written;
use super::error::EvidenceError;
use super::policy::{Demand, FlagRule, PlatformPolicy, SnpPolicy};
use super::roots::Roots;
use super::tcb::{SnpProduct, TcbStatus};
use super::verified::VerifiedEvidence;
use endorsement::Vcek;
pub(super) use report::SIGNED_BYTES;
use report::{ALGORITHM_P384, Report, Tcbs};

/// Guest policy: bits 0 to 7 minor, 8 to 15 major of the least firmware ABI.
const POLICY_SMT: u64 = 1 << 16;
const POLICY_MIGRATION_AGENT: u64 = 1 << 18;
const POLICY_DEBUG: u64 = 1 << 19;
/// Platform information.
const PLATFORM_SMT: u64 = 1;
const PLATFORM_CIPHERTEXT_HIDING: u64 = 1 << 4;
const PLATFORM_ALIAS_CHECK: u64 = 1 << 5;
/// Key information: the chip key is masked; which key signed (0 is the VCEK).
const KEY_MASKED: u32 = 1 << 1;
const KEY_KIND: u32 = 0b111 << 2;

pub(super) fn signed_bytes(report: &[u8]) -> Result<&[u8], EvidenceError> {
    report
        .get(..SIGNED_BYTES)
        .ok_or(EvidenceError::Malformed("attestation report"))
}

pub(super) fn verify(
    evidence: &Evidence,
    roots: &Roots,
    policy: &PlatformPolicy,
    now: UnixTime,
) -> Result<VerifiedEvidence, EvidenceError> {
    let policy = &policy.snp;
    let report = Report::parse(&evidence.report)?;
    check_signing_key(&report)?;
    let vcek = Vcek::from_table(&evidence.auxiliary)?;
    check_signature(&evidence.report, &report, &vcek)?;
    let (product, library_vcek, dates) = vcek.verify(&roots.amd, &evidence.collateral, policy.revocation_list, now)?;
    check_library_agrees(&evidence.report, &report, product, &library_vcek)?;
    let tcbs = report.tcbs(product)?;
    check_certificate_is_for(&report, &tcbs, &vcek, product)?;
    check_tcb(&tcbs, product, policy)?;
    check_guest(&report, policy)?;
    Ok(VerifiedEvidence {
        platform: Platform::SevSnp,
        measurement: Measurement::SevSnp {
            launch: report.measurement,
        },
        report_data: report.report_data,
        platform_id: PlatformId::new(report.chip_id)?,
        security_version: report.guest_svn,
        tcb: TcbStatus::AtOrAboveFloor,
        advisories: Vec::new(),
        evaluation_number: None,
        dates,
        digest: super::digest_of(Platform::SevSnp, signed_bytes(&evidence.report)?),
        boot: Vec::new(),
    })
}

/// Signed by the chip's own key, which the host cannot load (as it does a VLEK) and which says which chip it is.
fn check_signing_key(report: &Report) -> Result<(), EvidenceError> {
    if !(2..=5).contains(&report.version) {
        return Err(EvidenceError::Malformed("attestation report"));
    }
    if report.algorithm != ALGORITHM_P384 || report.key_info & (KEY_MASKED | KEY_KIND) != 0 {
        return Err(EvidenceError::SigningKey);
    }
    if report.chip_id == [0; 64] {
        return Err(EvidenceError::PlatformIdHidden);
    }
    Ok(())
}

/// Over the bytes as they came.
fn check_signature(bytes: &[u8], report: &Report, vcek: &Vcek) -> Result<(), EvidenceError> {
    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, vcek.public_key())
        .verify(signed_bytes(bytes)?, &report.signature)
        .map_err(|_| EvidenceError::Signature("attestation report"))
}

/// The library's own verification, what it read against what we read, and what it would write against what came.
fn check_library_agrees(
    bytes: &[u8],
    report: &Report,
    product: SnpProduct,
    vcek: &SevCertificate,
) -> Result<(), EvidenceError> {
    let theirs = AttestationReport::from_bytes(bytes).map_err(|_| EvidenceError::Malformed("attestation report"))?;
    (vcek, &theirs)
        .verify()
        .map_err(|_| EvidenceError::Signature("attestation report"))?;
    if theirs.to_bytes().ok().as_ref().map(|written| &written[..]) != Some(bytes) {
        return Err(EvidenceError::NotCanonical("attestation report"));
    }
    let tcbs = report.tcbs(product)?;
    let same = |theirs: &sev::firmware::host::TcbVersion, own: &super::tcb::SnpTcb| {
        (
            theirs.bootloader,
            theirs.tee,
            theirs.snp,
            theirs.microcode,
            theirs.fmc.unwrap_or(0),
        ) == (own.bootloader, own.tee, own.snp, own.microcode, own.fmc)
    };
    let agree = theirs.version == report.version
        && theirs.guest_svn == report.guest_svn
        && u64::from(theirs.policy) == report.policy
        && theirs.vmpl == report.vmpl
        && theirs.report_data == report.report_data
        && theirs.measurement == report.measurement
        && theirs.host_data == report.host_data
        && theirs.chip_id == report.chip_id
        && theirs.cpuid_fam_id.zip(theirs.cpuid_mod_id) == report.cpu
        && same(&theirs.current_tcb, &tcbs.current)
        && same(&theirs.reported_tcb, &tcbs.reported)
        && same(&theirs.committed_tcb, &tcbs.committed)
        && same(&theirs.launch_tcb, &tcbs.launch);
    if agree {
        Ok(())
    } else {
        Err(EvidenceError::ParsersDisagree("attestation report"))
    }
}

/// AMD publication 57230: the VCEK is made for one chip and one TCB, and says which.
fn check_certificate_is_for(
    report: &Report,
    tcbs: &Tcbs,
    vcek: &Vcek,
    product: SnpProduct,
) -> Result<(), EvidenceError> {
    // Turin's chip id has 8 bytes, filled up with zeros in the report.
    let id_bytes = if product == SnpProduct::Turin { 8 } else { 64 };
    let (id, rest) = report.chip_id.split_at(id_bytes);
    if vcek.hardware_id != id || rest.iter().any(|byte| *byte != 0) {
        return Err(EvidenceError::ChipMismatch);
    }
    if vcek.tcb != tcbs.reported {
        return Err(EvidenceError::TcbMismatch);
    }
    if let Some((family, model)) = report.cpu {
        let fits = matches!(
            (sev::Generation::identify_cpu(family, model), product),
            (Ok(sev::Generation::Milan), SnpProduct::Milan)
                | (Ok(sev::Generation::Genoa), SnpProduct::Genoa)
                | (Ok(sev::Generation::Turin), SnpProduct::Turin)
        );
        if !fits {
            return Err(EvidenceError::ChipMismatch);
        }
    }
    Ok(())
}

/// All four: a host may run, report or start guests on an older version than the one it cannot go back behind.
fn check_tcb(tcbs: &Tcbs, product: SnpProduct, policy: &SnpPolicy) -> Result<(), EvidenceError> {
    let floor = policy.tcb_floors.get(&product).ok_or(EvidenceError::Product)?;
    for tcb in [&tcbs.committed, &tcbs.launch, &tcbs.current, &tcbs.reported] {
        if let Some(part) = tcb.part_below(floor) {
            return Err(EvidenceError::TcbBelowFloor(part));
        }
    }
    Ok(())
}

/// The guest policy and the platform's settings are not part of the launch digest.
fn check_guest(report: &Report, policy: &SnpPolicy) -> Result<(), EvidenceError> {
    if report.policy & POLICY_DEBUG != 0 {
        return Err(EvidenceError::Debug);
    }
    if report.policy & POLICY_MIGRATION_AGENT != 0 {
        return Err(EvidenceError::Migration);
    }
    if report.vmpl != 0 {
        return Err(EvidenceError::Vmpl(report.vmpl));
    }
    let smt = match policy.smt {
        // Not only off now: the guest would refuse to start with it on.
        FlagRule::MustBeClear => report.policy & POLICY_SMT != 0 || report.platform_info & PLATFORM_SMT != 0,
        FlagRule::RefusedWhenSet => report.platform_info & PLATFORM_SMT != 0,
        FlagRule::Allowed => false,
    };
    if smt {
        return Err(EvidenceError::Smt);
    }
    let [minor, major, ..] = report.policy.to_le_bytes();
    if (major, minor) < policy.min_abi {
        return Err(EvidenceError::Abi);
    }
    if report.guest_svn < policy.min_guest_svn {
        return Err(EvidenceError::SecurityVersion {
            found: report.guest_svn,
            minimum: policy.min_guest_svn,
        });
    }
    for (demand, bit, name) in [
        (policy.alias_check, PLATFORM_ALIAS_CHECK, "alias check"),
        (
            policy.ciphertext_hiding,
            PLATFORM_CIPHERTEXT_HIDING,
            "ciphertext hiding",
        ),
    ] {
        if demand == Demand::Required && report.platform_info & bit == 0 {
            return Err(EvidenceError::MemoryProtection(name));
        }
    }
    if !policy.host_data.is_empty() && !is_written(&report.host_data, &policy.host_data) {
        return Err(EvidenceError::HostConfiguration("host data"));
    }
    Ok(())
}
