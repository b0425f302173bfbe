//! Producing evidence: asking the platform to vouch for this process and for 64 bytes it chose.
//!
//! | Platform | Interface | Contract |
//! |---|---|---|
//! | SGX under Gramine | files below `/dev/attestation` | [`GramineProducer`] |
//! | TDX, SEV-SNP | `configfs-tsm` (Linux 6.7 and later) | [`TsmProducer`] |
//! | a TPM after a measured boot | `/dev/tpmrm0`, or a socket of an emulator | [`TpmProducer`] |
//! | none | a made-up vendor | whoever simulates implements [`Producer`] himself: the sandbox does |
//!
//! [`detect`] takes what is there. Simulated evidence is never chosen by itself, and this module cannot make any.
//!
//! **Trusted for:** the evidence returned was produced for exactly the report data given, not for another thread's and
//! not for an earlier request's: each producer looks for the report data in what it got back.
//!
//! **Does not:** verify signatures (a report may still be nonsense), fetch certificates or collateral ([`Evidence`]'s
//! collateral stays empty: who staples it is outside and untrusted), cache, or limit how often it is asked.

use std::{fs::File, io::Read, path::PathBuf};

use thiserror::Error;

use crate::platform::{Evidence, Platform};

mod gramine;
mod tpm;
mod tsm;

pub use gramine::{GramineProducer, MAX_QUOTE_BYTES};
pub use tpm::{TpmEndpoint, TpmProducer};
pub use tsm::{CertificateSource, TsmProducer};

/// What a platform vouches for besides the program: the caller's 64 bytes.
pub type ReportData = [u8; 64];

/// Something that makes evidence about this process.
pub trait Producer: Send + Sync + std::fmt::Debug {
    /// The kind of evidence it makes.
    fn platform(&self) -> Platform;

    /// Evidence that names `report_data`. Blocks: microseconds to a second, by platform.
    ///
    /// # Errors
    /// The platform refused, or answered for other report data.
    fn produce(&self, report_data: &ReportData) -> Result<Evidence, ProduceError>;
}

/// Where the platform's interfaces are.
#[derive(Debug, Clone)]
pub struct PlatformPaths {
    /// Gramine's attestation directory.
    pub attestation: PathBuf,
    /// The report directory of configfs-tsm.
    pub tsm: PathBuf,
    /// The TPM's resource-managed device.
    pub tpm: PathBuf,
    /// The event log the firmware left of a measured boot.
    pub event_log: PathBuf,
}

impl PlatformPaths {
    /// Where Linux and Gramine put them.
    #[must_use]
    pub fn linux() -> Self {
        Self {
            attestation: PathBuf::from("/dev/attestation"),
            tsm: PathBuf::from("/sys/kernel/config/tsm/report"),
            tpm: PathBuf::from("/dev/tpmrm0"),
            event_log: PathBuf::from("/sys/kernel/security/tpm0/binary_bios_measurements"),
        }
    }
}

/// The producer for what is there: SGX before TDX and SEV-SNP before a TPM.
///
/// A directory of Gramine without a usable attestation type is an error, not a reason to look further: whoever starts
/// the enclave in the wrong mode must not end up with weaker evidence instead. A TPM hands out these DER certificates,
/// its attestation key's first ([`TpmProducer::with_certificates`]).
///
/// # Errors
/// [`ProduceError::NothingFound`] where no interface exists; else what the one that exists answered.
pub fn detect(paths: &PlatformPaths, tpm_certificates: Vec<Vec<u8>>) -> Result<Box<dyn Producer>, ProduceError> {
    if paths.attestation.exists() {
        return Ok(Box::new(GramineProducer::open(&paths.attestation)?));
    }
    if paths.tsm.is_dir() {
        return Ok(Box::new(TsmProducer::open(&paths.tsm)?));
    }
    if paths.tpm.exists() {
        let endpoint = TpmEndpoint::Device(paths.tpm.clone());
        let producer = TpmProducer::open(endpoint, &paths.event_log)?;
        return Ok(Box::new(producer.with_certificates(tpm_certificates)));
    }
    Err(ProduceError::NothingFound)
}

/// Why there is no evidence.
#[derive(Debug, Error)]
pub enum ProduceError {
    /// None of the interfaces exists.
    #[error("this machine offers no attestation: neither Gramine's files, nor configfs-tsm, nor a TPM")]
    NothingFound,
    /// Gramine runs, but not in an enclave.
    #[error("Gramine offers no attestation type: it does not run in SGX mode")]
    NoAttestationType,
    /// Gramine runs in an enclave whose manifest turns remote attestation off.
    #[error("the attestation type is `none`: the manifest turns remote attestation off")]
    AttestationOff,
    /// A type of attestation we do not know.
    #[error("the attestation type is neither `dcap` nor `none`")]
    UnknownAttestationType,
    /// A driver behind configfs-tsm we do not know.
    #[error("the report provider is neither `tdx_guest` nor `sev_guest`")]
    UnknownProvider,
    /// configfs-tsm is there, but no driver behind it.
    #[error("no driver offers reports through configfs-tsm")]
    NoProvider,
    /// The report data read back are not those written.
    #[error("the platform did not take the report data")]
    ReportDataNotTaken,
    /// The report is for other report data.
    #[error("the report was made for other report data")]
    ForeignReportData,
    /// Somebody else wrote to the same report directory, each time we tried.
    #[error("the report was disturbed by another writer, in each of {attempts} attempts")]
    Conflict {
        /// How often it was tried.
        attempts: u8,
    },
    /// Another report was in work, each time we tried.
    #[error("the platform was busy, in each of {attempts} attempts")]
    Busy {
        /// How often it was tried.
        attempts: u8,
    },
    /// The report is longer than the interface can hand out, or than we take.
    #[error("the report is longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The report is too short to be one.
    #[error("the report is too short")]
    TooShort,
    /// SEV-SNP: the host passed no certificates along.
    #[error("the host passed no certificate table along")]
    NoCertificates,
    /// SEV-SNP: reports of VMPL 0 cannot be had from here.
    #[error("the lowest privilege level to be had is {floor}, not 0")]
    PrivilegeLevel {
        /// The lowest level offered.
        floor: u8,
    },
    /// The TPM answered with an error.
    #[error("the TPM refused {command} with code {code:#x}")]
    TpmRefused {
        /// Which command.
        command: &'static str,
        /// TPM 2.0 part 2, 6.6.3.
        code: u32,
    },
    /// The TPM's answer cannot be read.
    #[error("the TPM's answer to {command} is malformed")]
    TpmAnswer {
        /// Which command.
        command: &'static str,
    },
    /// An operating system error.
    #[error("{action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ProduceError {
    /// A stable code for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NothingFound => "produce.nothing_found",
            Self::NoAttestationType => "produce.no_attestation_type",
            Self::AttestationOff => "produce.attestation_off",
            Self::UnknownAttestationType => "produce.unknown_attestation_type",
            Self::UnknownProvider => "produce.unknown_provider",
            Self::NoProvider => "produce.no_provider",
            Self::ReportDataNotTaken => "produce.report_data_not_taken",
            Self::ForeignReportData => "produce.foreign_report_data",
            Self::Conflict { .. } => "produce.conflict",
            Self::Busy { .. } => "produce.busy",
            Self::TooLong { .. } => "produce.too_long",
            Self::TooShort => "produce.too_short",
            Self::NoCertificates => "produce.no_certificates",
            Self::PrivilegeLevel { .. } => "produce.privilege_level",
            Self::TpmRefused { .. } => "produce.tpm_refused",
            Self::TpmAnswer { .. } => "produce.tpm_answer",
            Self::System { .. } => "produce.system",
        }
    }

    fn system(action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}

/// Everything in a file that may not be longer than `limit` bytes.
fn read_limited(file: &mut File, limit: usize, action: &'static str) -> Result<Vec<u8>, ProduceError> {
    let mut bytes = Vec::new();
    // One more than allowed, to tell "exactly" from "more".
    let ceiling = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(ceiling)
        .read_to_end(&mut bytes)
        .map_err(ProduceError::system(action))?;
    if bytes.len() > limit {
        return Err(ProduceError::TooLong { limit });
    }
    Ok(bytes)
}

/// Whether a report carries `report_data` at `offset`.
fn check_report_data(report: &[u8], offset: usize, report_data: &ReportData) -> Result<(), ProduceError> {
    let found = report
        .get(offset..)
        .and_then(|rest| rest.get(..report_data.len()))
        .ok_or(ProduceError::TooShort)?;
    if found == report_data {
        Ok(())
    } else {
        Err(ProduceError::ForeignReportData)
    }
}
