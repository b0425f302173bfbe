//! What evidence is about: kinds of platforms, measurements of what runs, identities of machines, and evidence as bytes.
//!
//! **Trusted for:** names that are stable (they stand in manifests, bundles and log lines), and a byte format with one
//! encoding per value. **Does not:** judge; what is parsed here is a claim until [`crate::verify::verify`] says otherwise.

mod encoding;
mod evidence;
mod measurement;
mod tpm;

pub use evidence::{Evidence, MAX_AUXILIARY_BYTES, MAX_COLLATERAL_BYTES, MAX_REPORT_BYTES, ParseEvidenceError};
pub use measurement::{MAX_PLATFORM_ID_BYTES, Measurement, ParsePlatformIdError, PlatformId};
pub use tpm::{MAX_TPM_CERTIFICATES, TpmAuxiliary, TpmReport};

pub(crate) use encoding::Reader;

use serde::{Deserialize, Serialize};

/// A kind of platform that can show evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Intel SGX: an enclave, with a DCAP quote of version 3.
    Sgx,
    /// Intel TDX: a trust domain, with a DCAP quote of version 4 or 5.
    Tdx,
    /// AMD SEV-SNP: a confidential virtual machine.
    SevSnp,
    /// A measured boot quoted by a TPM, which may be emulated: says what was started, keeps nobody out.
    VtpmDev,
    /// Evidence made by `evidence::simulated`: says nothing about hardware.
    Simulated,
}

impl Platform {
    /// Every platform, in the order of their codes on the wire.
    pub const ALL: [Self; 5] = [Self::Sgx, Self::Tdx, Self::SevSnp, Self::VtpmDev, Self::Simulated];

    /// The name in manifests, verdicts and log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sgx => "sgx",
            Self::Tdx => "tdx",
            Self::SevSnp => "sev-snp",
            Self::VtpmDev => "vtpm-dev",
            Self::Simulated => "simulated",
        }
    }

    /// The platform of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.name() == name)
    }

    /// Whether this hardware keeps the machine's operator out of the memory of what runs on it, by its maker's promise.
    ///
    /// Never true for [`Platform::VtpmDev`] and [`Platform::Simulated`]: there the operator reads everything.
    #[must_use]
    pub const fn excludes_operator(self) -> bool {
        matches!(self, Self::Sgx | Self::Tdx | Self::SevSnp)
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Platform;

    #[test]
    fn names_are_read_back() {
        for platform in Platform::ALL {
            assert_eq!(Platform::from_name(platform.name()), Some(platform));
            let json = serde_json::to_string(&platform).unwrap();
            assert_eq!(json, format!("\"{}\"", platform.name()));
        }
        assert_eq!(Platform::from_name("SGX"), None);
        assert_eq!(Platform::from_name(""), None);
    }

    #[test]
    fn only_hardware_platforms_are_said_to_exclude_the_operator() {
        let excluding: Vec<_> = Platform::ALL
            .into_iter()
            .filter(|platform| platform.excludes_operator())
            .collect();
        assert_eq!(excluding, [Platform::Sgx, Platform::Tdx, Platform::SevSnp]);
    }
}
