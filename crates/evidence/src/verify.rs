//! Is this evidence genuine, and is the platform good enough?
//!
//! **Trusted for:** a [`VerifiedEvidence`] exists only when the vendor's chain of signatures holds at the stated time,
//! nothing in it is revoked, every byte that is not signed has its one value or no meaning, and the platform meets the
//! [`PlatformPolicy`]. **Does not:** fetch anything, read a clock, know which measurements or machines are ours (that is
//! the manifest's, `crate::manifest`), or prove that the hardware keeps its maker's promise: an attacker with an
//! interposer on the memory bus can extract attestation keys of all three (WireTap, Battering RAM, TEE.fail).

mod dcap;
mod diagnosis;
mod error;
mod policy;
mod quote;
mod roots;
mod snp;
mod tcb;
mod tpm;
mod verified;
mod x509;

#[cfg(test)]
mod tests;

pub use error::EvidenceError;
pub use policy::{Demand, FlagRule, IntelPolicy, PlatformPolicy, SgxPolicy, SnpPolicy, TdxPolicy, TpmPolicy};
pub use roots::Roots;
pub use snp::certificate_table;
pub use tcb::{SnpProduct, SnpTcb, TcbStatus};
pub use tpm::{EventLogError, LoggedEvent, parse_event_log, replay};
pub use verified::{
    BootComponent, BootDifference, CollateralDates, VerificationTime, VerifiedEvidence, boot_differences,
};

use aws_lc_rs::digest::{Context, SHA256};

use crate::platform::{Evidence, MAX_AUXILIARY_BYTES, MAX_COLLATERAL_BYTES, MAX_REPORT_BYTES, Platform};

/// Verifies evidence at a stated time.
///
/// # Errors
/// [`EvidenceError`] with a code per reason; see there.
pub fn verify(
    evidence: &Evidence,
    roots: &Roots,
    policy: &PlatformPolicy,
    clock: VerificationTime,
) -> Result<VerifiedEvidence, EvidenceError> {
    if clock.now < clock.floor {
        return Err(EvidenceError::ClockBelowFloor);
    }
    check_limits(evidence)?;
    let verified = match evidence.platform {
        Platform::Sgx | Platform::Tdx => dcap::verify(evidence, &roots.intel, policy, clock.now)?,
        Platform::SevSnp => snp::verify(evidence, roots, policy, clock.now)?,
        Platform::VtpmDev => tpm::verify(evidence, roots, policy, clock.now)?,
        Platform::Simulated => verify_simulated(evidence, roots, policy, clock)?,
    };
    Ok(verified)
}

/// The name of an evidence that has not been verified: see [`VerifiedEvidence::digest`]. For whoever produces it.
///
/// # Errors
/// [`EvidenceError::Malformed`] when the report is too short to contain what is signed.
pub fn digest(evidence: &Evidence) -> Result<[u8; 32], EvidenceError> {
    check_limits(evidence)?;
    let signed = match evidence.platform {
        Platform::Sgx | Platform::Tdx | Platform::Simulated => quote::Quote::parse(&evidence.report)?.signed,
        Platform::SevSnp => snp::signed_bytes(&evidence.report)?,
        Platform::VtpmDev => {
            let report =
                crate::platform::TpmReport::parse(&evidence.report).ok_or(EvidenceError::Malformed("report"))?;
            return Ok(digest_of(evidence.platform, &report.attest));
        }
    };
    Ok(digest_of(evidence.platform, signed))
}

fn digest_of(platform: Platform, signed: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(b"healthid-evidence-v1\0");
    context.update(platform.name().as_bytes());
    context.update(&[0]);
    context.update(signed);
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

fn check_limits(evidence: &Evidence) -> Result<(), EvidenceError> {
    for (part, limit, name) in [
        (&evidence.report, MAX_REPORT_BYTES, "report"),
        (&evidence.auxiliary, MAX_AUXILIARY_BYTES, "auxiliary part"),
        (&evidence.collateral, MAX_COLLATERAL_BYTES, "collateral"),
    ] {
        if part.len() > limit {
            return Err(EvidenceError::Malformed(name));
        }
    }
    Ok(())
}

#[cfg(any(test, feature = "simulated"))]
fn verify_simulated(
    evidence: &Evidence,
    roots: &Roots,
    policy: &PlatformPolicy,
    clock: VerificationTime,
) -> Result<VerifiedEvidence, EvidenceError> {
    let root = roots.simulated.as_ref().ok_or(EvidenceError::Simulated)?;
    dcap::verify(evidence, root, policy, clock.now)
}

#[cfg(not(any(test, feature = "simulated")))]
fn verify_simulated(
    _: &Evidence,
    _: &Roots,
    _: &PlatformPolicy,
    _: VerificationTime,
) -> Result<VerifiedEvidence, EvidenceError> {
    Err(EvidenceError::Simulated)
}
