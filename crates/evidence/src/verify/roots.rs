//! Whom a verifier believes about hardware. Pinned in the binary; never taken from evidence.
#![allow(dead_code)]

use super::tcb::SnpProduct;

/// The roots a verifier believes.
#[derive(Clone)]
pub struct Roots {
    pub(crate) intel: Vec<u8>,
    pub(crate) amd: Vec<AmdRoot>,
    pub(crate) tpm: Vec<Vec<u8>>,
    #[cfg(any(test, feature = "simulated"))]
    pub(crate) simulated: Option<Vec<u8>>,
}

/// AMD's two certificates of one product: the root key's (ARK) and the signing key's (ASK), DER.
#[derive(Clone)]
pub(crate) struct AmdRoot {
    pub(crate) product: SnpProduct,
    pub(crate) ark: Vec<u8>,
    pub(crate) ask: Vec<u8>,
}

impl Roots {
    /// Intel's SGX root and AMD's roots for Milan, Genoa and Turin. No TPM maker, no simulation.
    #[must_use]
    pub fn vendors() -> Self {
        Self {
            intel: Vec::new(),
            amd: Vec::new(),
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
            simulated: Some(root_der),
            ..Self::vendors()
        }
    }

    /// A root in Intel's place, so that the rules for `sgx` and `tdx` can be tried with quotes made here.
    #[cfg(test)]
    pub(crate) fn in_place_of_intel(root_der: Vec<u8>) -> Self {
        Self {
            intel: root_der,
            ..Self::vendors()
        }
    }

    /// Roots in AMD's place, for the same reason.
    #[cfg(test)]
    pub(crate) fn in_place_of_amd(amd: Vec<AmdRoot>) -> Self {
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
