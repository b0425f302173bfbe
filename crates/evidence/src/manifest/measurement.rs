//! What may run: a measurement with where it came from.

use serde::{Deserialize, Serialize};

use super::{InstanceRole, ManifestError, check_list, check_name, rule};
use crate::encoding::{hex_array, hex_bytes};
use crate::platform::{Measurement, Platform};

/// One build that may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedMeasurement {
    /// SHA-256 of the build recipe: toolchain, options, the steps from source to image.
    #[serde(with = "hex_array")]
    pub build_recipe: [u8; 32],
    /// The source commit: 20 bytes (git SHA-1) or 32 bytes (git SHA-256).
    #[serde(with = "hex_bytes")]
    pub commit: Vec<u8>,
    /// What the platform reports for it.
    pub measurement: ListedMeasurement,
    /// The lowest security version (ISVSVN, TDX and SNP guest SVN) that is accepted; 0 where there is none.
    pub minimum_security_version: u32,
    /// What instances of this build may be; sorted.
    pub roles: Vec<InstanceRole>,
    /// The release's name, such as `1.4.0`.
    pub version: String,
}

impl AllowedMeasurement {
    pub(super) fn check(&self) -> Result<(), ManifestError> {
        check_name("version", &self.version)?;
        check_list("roles", &self.roles, |role| *role)?;
        rule(!self.roles.is_empty(), "roles", "at least one")?;
        rule(
            matches!(self.commit.len(), 20 | 32),
            "commit",
            "20 or 32 bytes of hexadecimal",
        )?;
        self.measurement.check()
    }
}

/// A [`Measurement`] as it stands in the manifest. The order of variants is that of their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ListedMeasurement {
    /// AMD SEV-SNP.
    #[serde(rename = "sev-snp")]
    SevSnp {
        /// The launch digest.
        #[serde(with = "hex_array")]
        launch: [u8; 48],
    },
    /// Intel SGX.
    #[serde(rename = "sgx")]
    Sgx {
        /// MRENCLAVE.
        #[serde(with = "hex_array")]
        mr_enclave: [u8; 32],
        /// ISVPRODID.
        product_id: u16,
    },
    /// No hardware at all.
    #[serde(rename = "simulated")]
    Simulated {
        /// Whatever the simulation says.
        #[serde(with = "hex_array")]
        value: [u8; 32],
    },
    /// Intel TDX.
    #[serde(rename = "tdx")]
    Tdx {
        /// MRTD.
        #[serde(with = "hex_array")]
        mr_td: [u8; 48],
        /// RTMR 0.
        #[serde(with = "hex_array")]
        rtmr0: [u8; 48],
        /// RTMR 1.
        #[serde(with = "hex_array")]
        rtmr1: [u8; 48],
        /// RTMR 2.
        #[serde(with = "hex_array")]
        rtmr2: [u8; 48],
        /// RTMR 3.
        #[serde(with = "hex_array")]
        rtmr3: [u8; 48],
    },
    /// A TPM's platform configuration registers.
    #[serde(rename = "vtpm-dev")]
    VtpmDev {
        /// The registers that are compared, SHA-256 bank, sorted; a quote with fewer or more does not match.
        pcrs: Vec<Register>,
    },
}

/// One platform configuration register.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// Its number, 0 to 23.
    pub index: u8,
    /// Its value.
    #[serde(with = "hex_array")]
    pub value: [u8; 32],
}

impl ListedMeasurement {
    /// Which platform it is for.
    #[must_use]
    pub const fn platform(&self) -> Platform {
        match self {
            Self::SevSnp { .. } => Platform::SevSnp,
            Self::Sgx { .. } => Platform::Sgx,
            Self::Simulated { .. } => Platform::Simulated,
            Self::Tdx { .. } => Platform::Tdx,
            Self::VtpmDev { .. } => Platform::VtpmDev,
        }
    }

    /// Whether that is exactly what was measured.
    #[must_use]
    pub fn is(&self, measured: &Measurement) -> bool {
        *self == Self::from(measured)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let Self::VtpmDev { pcrs } = self else { return Ok(()) };
        check_list("pcrs", pcrs, |register| register.index)?;
        rule(
            !pcrs.is_empty() && pcrs.iter().all(|register| register.index < 24),
            "pcrs",
            "registers 0 to 23, at least one",
        )
    }
}

impl From<&Measurement> for ListedMeasurement {
    fn from(measured: &Measurement) -> Self {
        match measured {
            Measurement::Sgx { mr_enclave, product_id } => Self::Sgx {
                mr_enclave: *mr_enclave,
                product_id: *product_id,
            },
            Measurement::Tdx { mr_td, rtmr } => {
                let [rtmr0, rtmr1, rtmr2, rtmr3] = *rtmr;
                Self::Tdx {
                    mr_td: *mr_td,
                    rtmr0,
                    rtmr1,
                    rtmr2,
                    rtmr3,
                }
            }
            Measurement::SevSnp { launch } => Self::SevSnp { launch: *launch },
            Measurement::Tpm { pcrs } => Self::VtpmDev {
                pcrs: pcrs
                    .iter()
                    .map(|(index, value)| Register {
                        index: *index,
                        value: *value,
                    })
                    .collect(),
            },
            Measurement::Simulated(value) => Self::Simulated { value: *value },
        }
    }
}
