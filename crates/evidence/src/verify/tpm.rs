//! A TPM quote and the log of a measured boot: what was started, proven by a TPM that may be emulated.
//!
//! The quote covers the registers, the log explains them. Names in the log are the firmware's and the loader's words and
//! are not signed; the digests are, because replaying them must give the quoted registers.

mod attest;
mod event_log;

#[cfg(test)]
mod tests;

pub use event_log::{EventLogError, LoggedEvent, parse_event_log, replay};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use jose::UnixTime;

use crate::platform::{Evidence, Measurement, Platform, PlatformId, TpmAuxiliary, TpmReport};

use super::error::EvidenceError;
use super::policy::{PlatformPolicy, TpmPolicy};
use super::roots::Roots;
use super::tcb::TcbStatus;
use super::verified::{BootComponent, CollateralDates, VerifiedEvidence};
use super::x509::Certificate;
use attest::{Quote, parse_signature};

const KEY_NAME: &str = "attestation key's certificate";

pub(super) fn verify(
    evidence: &Evidence,
    roots: &Roots,
    policy: &PlatformPolicy,
    now: UnixTime,
) -> Result<VerifiedEvidence, EvidenceError> {
    let report = TpmReport::parse(&evidence.report).ok_or(EvidenceError::Malformed("report"))?;
    let auxiliary = TpmAuxiliary::parse(&evidence.auxiliary).ok_or(EvidenceError::Malformed("auxiliary part"))?;
    if !evidence.collateral.is_empty() {
        return Err(EvidenceError::NotCanonical("collateral"));
    }
    let chain = parse_chain(&auxiliary.certificates)?;
    let key = chain.first().ok_or(EvidenceError::Malformed(KEY_NAME))?;
    check_signature(&report, key)?;
    let dates = check_chain(&chain, &roots.tpm, now)?;
    let quote = Quote::parse(&report.attest)?;
    check_report_data(&report, &quote)?;
    check_registers(&quote, &auxiliary)?;
    let boot = check_log(&auxiliary, &policy.tpm)?;
    Ok(VerifiedEvidence {
        platform: Platform::VtpmDev,
        measurement: Measurement::Tpm {
            pcrs: auxiliary.registers,
        },
        report_data: report.report_data,
        platform_id: PlatformId::new(digest(&SHA256, key.public_key()).as_ref())?,
        security_version: 0,
        tcb: TcbStatus::NotRated,
        advisories: Vec::new(),
        evaluation_number: None,
        dates,
        digest: super::digest_of(Platform::VtpmDev, &report.attest),
        boot,
    })
}

fn parse_chain(certificates: &[Vec<u8>]) -> Result<Vec<Certificate>, EvidenceError> {
    certificates
        .iter()
        .map(|der| Certificate::parse(der, KEY_NAME))
        .collect()
}

fn check_signature(report: &TpmReport, key: &Certificate) -> Result<(), EvidenceError> {
    let signature = parse_signature(&report.signature)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key())
        .verify(&report.attest, &signature)
        .map_err(|_| EvidenceError::Signature("quote"))
}

/// Each certificate issued by the next, the last by a root we know; all of them valid now.
fn check_chain(chain: &[Certificate], roots: &[Vec<u8>], now: UnixTime) -> Result<CollateralDates, EvidenceError> {
    if roots.is_empty() {
        return Err(EvidenceError::NoRoot(Platform::VtpmDev));
    }
    for pair in chain.windows(2) {
        let [subject, issuer] = pair else { continue };
        if !issuer.is_authority() || !subject.is_issued_by(issuer) {
            return Err(EvidenceError::Chain);
        }
    }
    let last = chain.last().ok_or(EvidenceError::Chain)?;
    let root = roots
        .iter()
        .filter_map(|der| Certificate::parse(der, "TPM root").ok())
        .find(|root| root.is_authority() && last.is_issued_by(root))
        .ok_or(EvidenceError::Chain)?;
    let mut dates = CollateralDates {
        earliest_issue: now,
        latest_issue: UnixTime(0),
        earliest_expiration: UnixTime(u64::MAX),
    };
    for certificate in chain.iter().chain([&root]) {
        certificate.check_critical_extensions()?;
        certificate.check_dates(now)?;
        dates.earliest_issue = dates.earliest_issue.min(certificate.not_before());
        dates.latest_issue = dates.latest_issue.max(certificate.not_before());
        dates.earliest_expiration = dates.earliest_expiration.min(certificate.not_after());
    }
    Ok(dates)
}

/// The TPM bound SHA-256 of the report data: [`TpmReport`].
fn check_report_data(report: &TpmReport, quote: &Quote) -> Result<(), EvidenceError> {
    if quote.extra_data == digest(&SHA256, &report.report_data).as_ref() {
        Ok(())
    } else {
        Err(EvidenceError::ReportData)
    }
}

/// The values that came along are the quoted ones: exactly the selected registers, and the digest over them.
fn check_registers(quote: &Quote, auxiliary: &TpmAuxiliary) -> Result<(), EvidenceError> {
    if !quote.selected.iter().eq(auxiliary.registers.keys()) {
        return Err(EvidenceError::Malformed("registers"));
    }
    let values: Vec<u8> = auxiliary.registers.values().flatten().copied().collect();
    if quote.registers_digest == digest(&SHA256, &values).as_ref() {
        Ok(())
    } else {
        Err(EvidenceError::Signature("registers"))
    }
}

/// Every register the policy asks for is quoted, and the log leads to it; so are all others the log speaks about.
fn check_log(auxiliary: &TpmAuxiliary, policy: &TpmPolicy) -> Result<Vec<BootComponent>, EvidenceError> {
    // A machine without a log explains registers that nothing went into.
    let events = match auxiliary.event_log.as_slice() {
        [] => Vec::new(),
        log => parse_event_log(log).map_err(|_| EvidenceError::Malformed("event log"))?,
    };
    let replayed = replay(&events);
    if let Some(missing) = policy
        .required_registers
        .iter()
        .find(|number| !auxiliary.registers.contains_key(number))
    {
        return Err(EvidenceError::RegisterMissing(*missing));
    }
    for (number, value) in &auxiliary.registers {
        let expected = replayed.get(number);
        let explained = match expected {
            Some(expected) => expected == value,
            // Nothing was logged: fine for a register nobody asked for, and for one that was never extended.
            None => !policy.required_registers.contains(number) || *value == [0; 32],
        };
        if !explained {
            return Err(EvidenceError::EventLogReplay(*number));
        }
    }
    Ok(events
        .into_iter()
        .filter(|event| event.extends && auxiliary.registers.contains_key(&event.register))
        .map(|event| BootComponent {
            register: event.register,
            name: event.name,
            digest: event.digest,
        })
        .collect())
}
