//! The proof that evidence was verified.

use std::collections::BTreeSet;

use jose::UnixTime;

use crate::platform::{Measurement, Platform, PlatformId};

use super::tcb::TcbStatus;

/// When to verify, and the moment that has certainly passed.
///
/// The host controls an enclave's clock. `floor` is the newest of: the build's date, the newest issue date seen in
/// collateral ([`CollateralDates::latest_issue`]), the last log checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerificationTime {
    /// The clock.
    pub now: UnixTime,
    /// A clock before this is wrong.
    pub floor: UnixTime,
}

impl VerificationTime {
    /// A clock with nothing to compare it with: a verifier outside the enclave, or a stated time in offline mode.
    #[must_use]
    pub const fn at(now: UnixTime) -> Self {
        Self {
            now,
            floor: UnixTime(0),
        }
    }
}

/// The validity that all collateral and certificates have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollateralDates {
    /// The oldest issue date among them.
    pub earliest_issue: UnixTime,
    /// The newest issue date among them: it has passed, so it is a floor for the clock from now on.
    pub latest_issue: UnixTime,
    /// The first of them to end: from then on the evidence needs new collateral.
    pub earliest_expiration: UnixTime,
}

/// One component of a measured boot: what the firmware or loader said it measured, and the digest it extended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootComponent {
    /// The register it went into.
    pub register: u8,
    /// What it is: a name from the log ("initrd", "load options"), or the event type's name where the log has none.
    pub name: String,
    /// The SHA-256 that was extended.
    pub digest: [u8; 32],
}

/// Where a boot departs from the expected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootDifference<'a> {
    /// The component is there with another digest.
    Changed {
        /// As expected.
        expected: &'a BootComponent,
        /// As measured.
        found: &'a BootComponent,
    },
    /// An expected component was not measured.
    Missing(&'a BootComponent),
    /// A component was measured that nobody expected.
    Unexpected(&'a BootComponent),
}

/// The first component of each register in which a boot departs from the expected one, registers rising.
///
/// Digests decide; names only tell the reader what a digest stands for.
#[must_use]
pub fn boot_differences<'a>(expected: &'a [BootComponent], found: &'a [BootComponent]) -> Vec<BootDifference<'a>> {
    let registers: BTreeSet<u8> = expected
        .iter()
        .chain(found)
        .map(|component| component.register)
        .collect();
    let of = |components: &'a [BootComponent], register| {
        components
            .iter()
            .filter(move |component| component.register == register)
    };
    let first = |register| {
        let (mut expected, mut found) = (of(expected, register), of(found, register));
        loop {
            match (expected.next(), found.next()) {
                (Some(expected), Some(found)) if expected.digest == found.digest => {}
                (Some(expected), Some(found)) => return Some(BootDifference::Changed { expected, found }),
                (Some(expected), None) => return Some(BootDifference::Missing(expected)),
                (None, Some(found)) => return Some(BootDifference::Unexpected(found)),
                (None, None) => return None,
            }
        }
    };
    registers.into_iter().filter_map(first).collect()
}

/// Proof: these bytes were made by a genuine platform that meets the policy. Made by [`super::verify`] only.
///
/// It does not say that the measurement is one of ours, nor that the machine is: that is the manifest's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedEvidence {
    pub(crate) platform: Platform,
    pub(crate) measurement: Measurement,
    pub(crate) report_data: [u8; 64],
    pub(crate) platform_id: PlatformId,
    pub(crate) security_version: u32,
    pub(crate) tcb: TcbStatus,
    pub(crate) advisories: Vec<String>,
    pub(crate) evaluation_number: Option<u32>,
    pub(crate) dates: CollateralDates,
    pub(crate) digest: [u8; 32],
    pub(crate) boot: Vec<BootComponent>,
}

impl VerifiedEvidence {
    /// The kind of platform.
    #[must_use]
    pub const fn platform(&self) -> Platform {
        self.platform
    }

    /// What runs there.
    #[must_use]
    pub const fn measurement(&self) -> &Measurement {
        &self.measurement
    }

    /// What it bound the evidence to.
    #[must_use]
    pub const fn report_data(&self) -> &[u8; 64] {
        &self.report_data
    }

    /// Which machine.
    #[must_use]
    pub const fn platform_id(&self) -> &PlatformId {
        &self.platform_id
    }

    /// ISVSVN (`sgx`, `simulated`), guest SVN (`sev-snp`), 0 where a platform has none.
    #[must_use]
    pub const fn security_version(&self) -> u32 {
        self.security_version
    }

    /// The vendor's judgement of the platform; the policy allowed it.
    #[must_use]
    pub const fn tcb(&self) -> &TcbStatus {
        &self.tcb
    }

    /// The advisories that apply, as the vendor names them; the policy rejects none of them.
    #[must_use]
    pub fn advisories(&self) -> &[String] {
        &self.advisories
    }

    /// Intel's TCB evaluation data number: how new the judgement is.
    #[must_use]
    pub const fn evaluation_number(&self) -> Option<u32> {
        self.evaluation_number
    }

    /// From when until when the evidence can be verified with what came along.
    #[must_use]
    pub const fn collateral_dates(&self) -> CollateralDates {
        self.dates
    }

    /// The name of this evidence: SHA-256 over the platform's name and the signed bytes.
    ///
    /// Padding, signatures (ECDSA has two for one message) and certificates are not part of it, so that nobody can
    /// make a second name for one accepted evidence. Equal to [`super::digest`] of the evidence it was made from.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// What was measured on the way up (`vtpm-dev`; empty otherwise), in order: lets a verdict name what changed.
    #[must_use]
    pub fn boot_components(&self) -> &[BootComponent] {
        &self.boot
    }
}
