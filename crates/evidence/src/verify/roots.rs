//! Whom a verifier believes about hardware. Pinned in the binary; never taken from evidence.

use super::dcap::DcapRoot;
use super::snp::{AmdRoot, amd_roots};

/// The roots a verifier believes.
#[derive(Clone)]
pub struct Roots {
    pub(super) intel: DcapRoot,
    pub(super) amd: Vec<AmdRoot>,
    pub(super) tpm: Vec<Vec<u8>>,
    #[cfg(any(test, feature = "simulated"))]
    pub(super) simulated: Option<DcapRoot>,
}

impl Roots {
    /// Intel's SGX root and AMD's roots for Milan, Genoa and Turin. No TPM maker, no simulation.
    #[must_use]
    pub fn vendors() -> Self {
        Self {
            intel: DcapRoot::Intel,
            amd: amd_roots(),
            tpm: Vec::new(),
            #[cfg(any(test, feature = "simulated"))]
            simulated: None,
        }
    }

    /// Also believes a TPM whose attestation key is certified by this DER certificate.
    #[must_use]
    pub fn with_tpm_root(mut self, root_der: Vec<u8>) -> Self {
        self.tpm.push(root_der);
        self
    }

    /// The vendors' roots, and the root of a simulation for [`crate::platform::Platform::Simulated`] only.
    #[cfg(any(test, feature = "simulated"))]
    #[must_use]
    pub fn simulated(root_der: Vec<u8>) -> Self {
        Self {
            simulated: Some(DcapRoot::Other(root_der)),
            ..Self::vendors()
        }
    }

    /// A root in Intel's place, so that the rules for `sgx` and `tdx` can be tried with quotes made here.
    #[cfg(test)]
    pub(crate) fn in_place_of_intel(root_der: Vec<u8>) -> Self {
        Self {
            intel: DcapRoot::Other(root_der),
            ..Self::vendors()
        }
    }

    /// Roots in AMD's place, for the same reason.
    #[cfg(test)]
    pub(super) fn in_place_of_amd(amd: Vec<AmdRoot>) -> Self {
        Self { amd, ..Self::vendors() }
    }
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Roots")
            .field("tpm", &self.tpm.len())
            .finish_non_exhaustive()
    }
}
