//! Is this evidence genuine, and is the platform good enough?
//!
//! **Trusted for:** a [`VerifiedEvidence`] exists only when the vendor's chain of signatures holds at the stated time,
//! nothing in it is revoked, every byte that is not signed has its one value or no meaning, and the platform meets the
//! [`PlatformPolicy`]. **Does not:** fetch anything, read a clock, know which measurements or machines are ours (that is
//! the manifest's), or prove that the hardware keeps its maker's promise: an attacker with an
//! interposer on the memory bus can extract attestation keys of all three (WireTap, Battering RAM, TEE.fail).

mod error;
mod policy;
mod roots;
mod tcb;
mod verified;

pub use error::EvidenceError;
pub use policy::{Demand, FlagRule, IntelPolicy, PlatformPolicy, SgxPolicy, SnpPolicy, TdxPolicy, TpmPolicy};
pub use roots::Roots;
pub use tcb::{SnpProduct, SnpTcb, TcbStatus};
pub use verified::{BootComponent, CollateralDates, VerificationTime, VerifiedEvidence};

use crate::platform::{Evidence, MAX_AUXILIARY_BYTES, MAX_COLLATERAL_BYTES, MAX_REPORT_BYTES};

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
    let _ = (roots, policy);
    Err(EvidenceError::NoRoot(evidence.platform))
}

/// The name of an evidence that has not been verified: see [`VerifiedEvidence::digest`]. For whoever produces it.
///
/// # Errors
/// [`EvidenceError::Malformed`] when the report is too short to contain what is signed.
pub fn digest(evidence: &Evidence) -> Result<[u8; 32], EvidenceError> {
    check_limits(evidence)?;
    Err(EvidenceError::Malformed("report"))
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
