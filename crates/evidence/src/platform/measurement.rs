//! What runs, and on which machine.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use super::Platform;

/// What the platform measured of the software it started: the value a manifest lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measurement {
    /// An enclave.
    Sgx {
        /// SHA-256 over the enclave's pages and their permissions, in loading order.
        mr_enclave: [u8; 32],
        /// ISVPRODID: which of its signer's products the enclave is.
        product_id: u16,
    },
    /// A trust domain.
    Tdx {
        /// SHA-384 over the initial memory: the virtual firmware.
        mr_td: [u8; 48],
        /// The run-time registers: firmware configuration, kernel, initramfs and command line, application.
        rtmr: [[u8; 48]; 4],
    },
    /// A confidential virtual machine.
    SevSnp {
        /// SHA-384 over the initial memory: firmware, and through its hash table kernel, initramfs and command line.
        launch: [u8; 48],
    },
    /// A measured boot.
    Tpm {
        /// The quoted registers of the SHA-256 bank by number.
        pcrs: BTreeMap<u8, [u8; 32]>,
    },
    /// What the simulation was told to be.
    Simulated([u8; 32]),
}

impl Measurement {
    /// The platform that measures like this.
    #[must_use]
    pub const fn platform(&self) -> Platform {
        match self {
            Self::Sgx { .. } => Platform::Sgx,
            Self::Tdx { .. } => Platform::Tdx,
            Self::SevSnp { .. } => Platform::SevSnp,
            Self::Tpm { .. } => Platform::VtpmDev,
            Self::Simulated(_) => Platform::Simulated,
        }
    }
}

/// The value to compare with a release: hexadecimal, parts in their order.
impl fmt::Display for Measurement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sgx { mr_enclave, product_id } => write!(formatter, "{}/{product_id}", hexadecimal(mr_enclave)),
            Self::Tdx { mr_td, rtmr } => {
                write!(formatter, "{}", hexadecimal(mr_td))?;
                rtmr.iter()
                    .try_for_each(|register| write!(formatter, "/{}", hexadecimal(register)))
            }
            Self::SevSnp { launch } => write!(formatter, "{}", hexadecimal(launch)),
            Self::Tpm { pcrs } => {
                for (position, (number, value)) in pcrs.iter().enumerate() {
                    let separator = if position == 0 { "" } else { "/" };
                    write!(formatter, "{separator}pcr{number}:{}", hexadecimal(value))?;
                }
                Ok(())
            }
            Self::Simulated(value) => write!(formatter, "{}", hexadecimal(value)),
        }
    }
}

/// Longest identity of a machine: the chip id of SEV-SNP.
pub const MAX_PLATFORM_ID_BYTES: usize = 64;

/// Which machine: what a manifest lists per site.
///
/// SGX, TDX: the platform instance id (16 bytes) where Intel's certificate names one, else SHA-256 over a label and
/// the PPID (32 bytes). SEV-SNP: the chip id (64 bytes). TPM: SHA-256 of the attestation key. Written as hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlatformId(Vec<u8>);

/// Why something is not the identity of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParsePlatformIdError {
    /// Empty, or longer than [`MAX_PLATFORM_ID_BYTES`].
    #[error("a platform id has 1 to {MAX_PLATFORM_ID_BYTES} bytes")]
    Length,
    /// Not pairs of lower-case hexadecimal digits.
    #[error("a platform id is written in lower-case hexadecimal digits")]
    Digits,
    /// Nothing but zeros: what a platform shows that hides its identity.
    #[error("a platform id is not zero")]
    Zero,
}

impl PlatformId {
    /// From the bytes the hardware shows.
    ///
    /// # Errors
    /// [`ParsePlatformIdError`]: no bytes, too many, or all of them zero.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, ParsePlatformIdError> {
        let bytes = bytes.into();
        if bytes.is_empty() || bytes.len() > MAX_PLATFORM_ID_BYTES {
            return Err(ParsePlatformIdError::Length);
        }
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(ParsePlatformIdError::Zero);
        }
        Ok(Self(bytes))
    }

    /// From hexadecimal digits, as a manifest writes it.
    ///
    /// # Errors
    /// [`ParsePlatformIdError`]: other characters, an odd count, a wrong length, all zero.
    pub fn parse(text: &str) -> Result<Self, ParsePlatformIdError> {
        let digits = text.as_bytes();
        if digits.len() > 2 * MAX_PLATFORM_ID_BYTES {
            return Err(ParsePlatformIdError::Length);
        }
        let (pairs, rest) = digits.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(ParsePlatformIdError::Digits);
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = pairs
            .iter()
            .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
            .collect();
        Self::new(bytes.ok_or(ParsePlatformIdError::Digits)?)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for PlatformId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hexadecimal(&self.0))
    }
}

/// The first four bytes: enough to tell machines of a site apart in a test's message.
impl fmt::Debug for PlatformId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.0.get(..4).unwrap_or(&self.0);
        write!(
            formatter,
            "PlatformId({}.., {} bytes)",
            hexadecimal(start),
            self.0.len()
        )
    }
}

impl TryFrom<String> for PlatformId {
    type Error = ParsePlatformIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PlatformId> for String {
    fn from(id: PlatformId) -> Self {
        id.to_string()
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_ids_read_back_and_have_one_spelling() {
        let id = PlatformId::new([0, 1, 0xab, 0xff]).unwrap();
        assert_eq!(id.to_string(), "0001abff");
        assert_eq!(PlatformId::parse("0001abff"), Ok(id));
        for (text, error) in [
            ("", ParsePlatformIdError::Length),
            ("0", ParsePlatformIdError::Digits),
            ("0001ABFF", ParsePlatformIdError::Digits),
            ("0x01", ParsePlatformIdError::Digits),
            ("00g1", ParsePlatformIdError::Digits),
            ("0000", ParsePlatformIdError::Zero),
            (&"ab".repeat(65), ParsePlatformIdError::Length),
        ] {
            assert_eq!(PlatformId::parse(text), Err(error), "{text}");
        }
        assert!(serde_json::from_str::<PlatformId>("\"00\"").is_err());
    }

    #[test]
    fn measurements_of_different_platforms_are_never_equal() {
        let simulated = Measurement::Simulated([7; 32]);
        let enclave = Measurement::Sgx {
            mr_enclave: [7; 32],
            product_id: 0,
        };
        assert_ne!(simulated, enclave);
        assert_eq!(simulated.platform(), Platform::Simulated);
        assert_eq!(enclave.to_string(), format!("{}/0", "07".repeat(32)));
        let boot = Measurement::Tpm {
            pcrs: BTreeMap::from([(4, [1; 32]), (9, [2; 32])]),
        };
        assert_eq!(
            boot.to_string(),
            format!("pcr4:{}/pcr9:{}", "01".repeat(32), "02".repeat(32))
        );
    }
}
