//! Which instances a manifest admits.

use std::fmt;

use jose::UnixTime;
use serde::{Deserialize, Serialize};

use super::{ApprovedManifest, ManifestError};
use crate::platform::{Measurement, Platform, PlatformId};
use crate::verify::{EvidenceError, PlatformPolicy, TcbStatus, VerifiedEvidence};

/// What an instance is there for (measured into it, and part of its report data).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceRole {
    /// Holds the namespace seed and derives keys; reachable by its peers only.
    Root,
    /// Serves tenants with the keys a root instance gave it.
    Serve,
}

impl InstanceRole {
    /// The wire value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Serve => "serve",
        }
    }
}

impl fmt::Display for InstanceRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why an instance is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// The manifest does not hold any more.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The evidence itself was refused.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// What runs there is not in the manifest, whoever built or signed it.
    #[error("admission: the measurement is not in manifest {number}")]
    MeasurementNotListed {
        /// The manifest's number.
        number: u64,
    },
    /// The machine is not in the manifest.
    #[error("admission: the machine is not in manifest {number}")]
    MachineNotListed {
        /// The manifest's number.
        number: u64,
    },
    /// This build may not have this role.
    #[error("admission: this build may not run as {role}")]
    RoleNotAllowed {
        /// The role asked for.
        role: InstanceRole,
    },
    /// The build's security version is below the manifest's.
    #[error("admission: security version {have}, expected at least {need}")]
    SecurityVersionTooLow {
        /// What the evidence says.
        have: u32,
        /// What the manifest asks for.
        need: u32,
    },
    /// The platform's TCB status is not among the accepted ones.
    #[error("admission: the platform's TCB status is not accepted by the manifest")]
    TcbNotAccepted,
    /// The vendor's judgement of the platform is older than the manifest allows.
    #[error("admission: the platform's TCB was judged by collateral older than the manifest allows")]
    CollateralTooOld,
    /// An advisory applies that the manifest rejects.
    #[error("admission: advisory {advisory} applies")]
    AdvisoryRejected {
        /// Its name.
        advisory: String,
    },
}

impl AdmissionError {
    /// A stable name for logs, verdicts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Manifest(error) => error.code(),
            Self::MeasurementNotListed { .. } => "admission.measurement_not_listed",
            Self::MachineNotListed { .. } => "admission.machine_not_listed",
            Self::RoleNotAllowed { .. } => "admission.role_not_allowed",
            Self::SecurityVersionTooLow { .. } => "admission.security_version_too_low",
            Self::Evidence(error) => error.code(),
            Self::CollateralTooOld => "admission.collateral_too_old",
            Self::TcbNotAccepted => "admission.tcb_not_accepted",
            Self::AdvisoryRejected { .. } => "admission.advisory_rejected",
        }
    }
}

/// An instance whose evidence was verified and which a manifest in force admits, as one role.
///
/// Only [`ApprovedManifest::admit`] makes one. It says nothing yet about who is at the other end of a connection: its
/// [`ApprovedInstance::report_data`] must be compared with what was to be bound.
#[derive(Clone, Debug)]
pub struct ApprovedInstance {
    report_data: [u8; 64],
    site: String,
    role: InstanceRole,
    platform: Platform,
    measurement: Measurement,
    platform_id: PlatformId,
    version: String,
    commit: Vec<u8>,
    build_recipe: [u8; 32],
    manifest_hash: [u8; 32],
    manifest_number: u64,
    namespace: String,
}

impl ApprovedInstance {
    /// What the instance put into its evidence.
    #[must_use]
    pub fn report_data(&self) -> &[u8; 64] {
        &self.report_data
    }

    /// The name of the site its machine stands in.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.site
    }

    /// The role it is admitted for.
    #[must_use]
    pub fn role(&self) -> InstanceRole {
        self.role
    }

    /// The kind of platform.
    #[must_use]
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// What runs.
    #[must_use]
    pub fn measurement(&self) -> &Measurement {
        &self.measurement
    }

    /// The machine.
    #[must_use]
    pub fn platform_id(&self) -> &PlatformId {
        &self.platform_id
    }

    /// The release's name in the manifest.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The source commit in the manifest.
    #[must_use]
    pub fn commit(&self) -> &[u8] {
        &self.commit
    }

    /// SHA-256 of the build recipe in the manifest.
    #[must_use]
    pub fn build_recipe(&self) -> &[u8; 32] {
        &self.build_recipe
    }

    /// The manifest that admits it.
    #[must_use]
    pub fn manifest_hash(&self) -> [u8; 32] {
        self.manifest_hash
    }

    /// That manifest's number.
    #[must_use]
    pub fn manifest_number(&self) -> u64 {
        self.manifest_number
    }

    /// That manifest's namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

pub(super) fn admit(
    approved: &ApprovedManifest,
    evidence: &VerifiedEvidence,
    role: InstanceRole,
    now: UnixTime,
) -> Result<ApprovedInstance, AdmissionError> {
    approved.check_time(now)?;
    let manifest = approved.manifest();
    let number = manifest.number;
    let entry = manifest
        .measurements
        .iter()
        .find(|entry| entry.measurement.is(evidence.measurement()))
        .ok_or(AdmissionError::MeasurementNotListed { number })?;
    let site = manifest
        .site_of(evidence.platform(), evidence.platform_id())
        .ok_or(AdmissionError::MachineNotListed { number })?;
    if !entry.roles.contains(&role) {
        return Err(AdmissionError::RoleNotAllowed { role });
    }
    let (have, need) = (evidence.security_version(), entry.minimum_security_version);
    if have < need {
        return Err(AdmissionError::SecurityVersionTooLow { have, need });
    }
    check_tcb(&manifest.platform_policy, evidence)?;
    Ok(ApprovedInstance {
        report_data: *evidence.report_data(),
        site: site.to_owned(),
        role,
        platform: evidence.platform(),
        measurement: evidence.measurement().clone(),
        platform_id: evidence.platform_id().clone(),
        version: entry.version.clone(),
        commit: entry.commit.clone(),
        build_recipe: entry.build_recipe,
        manifest_hash: approved.hash(),
        manifest_number: number,
        namespace: manifest.namespace.clone(),
    })
}

/// Asked again although [`crate::verify::verify`] asks too: its policy was the caller's, this one is the manifest's.
fn check_tcb(policy: &PlatformPolicy, evidence: &VerifiedEvidence) -> Result<(), AdmissionError> {
    let is_accepted = match evidence.platform() {
        Platform::Sgx | Platform::Tdx | Platform::Simulated => policy.intel.allowed_statuses.contains(evidence.tcb()),
        Platform::SevSnp => *evidence.tcb() == TcbStatus::AtOrAboveFloor,
        Platform::VtpmDev => *evidence.tcb() == TcbStatus::NotRated,
    };
    if !is_accepted {
        return Err(AdmissionError::TcbNotAccepted);
    }
    if evidence
        .evaluation_number()
        .is_some_and(|number| number < policy.intel.min_evaluation_number)
    {
        return Err(AdmissionError::CollateralTooOld);
    }
    match evidence
        .advisories()
        .iter()
        .find(|advisory| policy.intel.rejected_advisories.contains(*advisory))
    {
        None => Ok(()),
        Some(advisory) => Err(AdmissionError::AdvisoryRejected {
            advisory: advisory.clone(),
        }),
    }
}
