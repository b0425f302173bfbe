//! `[evidence]`: what this instance shows of itself, and whom it believes about others.

use std::path::PathBuf;

use serde::Deserialize;

/// Evidence. Without this section the provider has none, and says so to whoever asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceConfig {
    /// The manifests to run under and to show, with approvals and the log's word (`healthid manifest export` writes it). Read again while running.
    pub manifests: PathBuf,
    /// Whom to believe about manifests, and which roots about platforms: the file verifiers have (`healthid-pins/v1`).
    pub pins: PathBuf,
    /// The vendor's statements about the platform, stapled to every quote: Intel's collateral as JSON, or AMD's revocation list. Whoever fetches it
    /// replaces the file; it is read at each quote.
    #[serde(default)]
    pub collateral: Option<PathBuf>,
    /// Seconds between quotes.
    #[serde(default = "default_interval")]
    pub interval_seconds: u64,
    /// A TPM's certificates, DER: its attestation key's, then those above it without the root.
    #[serde(default)]
    pub tpm_certificates: Vec<PathBuf>,
    /// The socket of a TPM emulator, instead of looking for a platform. Such evidence is `vtpm-dev`: it keeps nobody out, and says so.
    #[serde(default)]
    pub tpm_emulator: Option<PathBuf>,
}

/// An hour.
const fn default_interval() -> u64 {
    3_600
}

/// Fewest and most seconds between quotes: verifiers refuse evidence older than two hours.
pub(crate) const INTERVAL_SECONDS: std::ops::RangeInclusive<u64> = 60..=3_600;
