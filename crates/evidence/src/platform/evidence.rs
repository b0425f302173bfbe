//! Evidence as it travels: the signed report, what is needed to read it, what is needed to judge it.

use std::fmt;

use super::Platform;
use super::encoding::{Reader, write_sized};

/// Longest report: a TDX quote with its certificate chain is about 5 KiB; Gramine's buffer holds 8 KiB.
pub const MAX_REPORT_BYTES: usize = 16 * 1024;
/// Longest certificate table or event log. A boot through shim, GRUB and a kernel logs some tens of KiB.
pub const MAX_AUXILIARY_BYTES: usize = 256 * 1024;
/// Longest stapled collateral. Intel's, as JSON, is 14 to 25 KiB.
pub const MAX_COLLATERAL_BYTES: usize = 256 * 1024;

/// First bytes of an encoded evidence, with the version of the encoding.
const MAGIC: &[u8; 8] = b"HIDEVID1";

/// What a platform says about what runs on it. A claim: only [`crate::verify::verify`] makes something of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Which kind of platform the rest is to be read as.
    pub platform: Platform,
    /// The signed report: a DCAP quote (`sgx`, `tdx`, `simulated`), an attestation report of 1184 bytes (`sev-snp`),
    /// a [`super::TpmReport`] (`vtpm-dev`).
    pub report: Vec<u8>,
    /// What belongs to the report without being signed by it: the certificate table of the GHCB specification
    /// (`sev-snp`), a [`super::TpmAuxiliary`] (`vtpm-dev`), empty otherwise.
    pub auxiliary: Vec<u8>,
    /// The vendor's stapled statements about the platform: Intel's collateral as JSON (`sgx`, `tdx`, `simulated`), a
    /// DER revocation list or nothing (`sev-snp`), empty otherwise.
    pub collateral: Vec<u8>,
}

/// Why bytes are not an encoded evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseEvidenceError {
    /// The first bytes are not those of this encoding.
    #[error("not an encoded evidence of this version")]
    Magic,
    /// The code of the platform is none of the known.
    #[error("unknown platform")]
    Platform,
    /// A part is cut off or longer than its limit.
    #[error("a part is cut off or above its limit")]
    Length,
    /// Something follows the last part.
    #[error("bytes follow the evidence")]
    TrailingBytes,
}

impl ParseEvidenceError {
    /// The stable code for logs and verdicts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Magic => "evidence.encoding",
            Self::Platform => "evidence.platform",
            Self::Length => "evidence.length",
            Self::TrailingBytes => "evidence.trailing_bytes",
        }
    }
}

impl Evidence {
    /// The one encoding of this evidence; [`Evidence::parse`] reads it back.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let parts = [&self.report, &self.auxiliary, &self.collateral];
        let mut bytes = Vec::with_capacity(MAGIC.len() + 13 + parts.iter().map(|part| part.len()).sum::<usize>());
        bytes.extend_from_slice(MAGIC);
        bytes.push(wire_code(self.platform));
        for part in parts {
            write_sized(&mut bytes, part);
        }
        bytes
    }

    /// Reads what [`Evidence::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`ParseEvidenceError`]: not the encoding, a part above its limit, or bytes left over.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseEvidenceError> {
        let mut reader = Reader::new(bytes);
        if reader.bytes(MAGIC.len()) != Some(MAGIC) {
            return Err(ParseEvidenceError::Magic);
        }
        let code = reader.u8().ok_or(ParseEvidenceError::Length)?;
        let platform = Platform::ALL
            .into_iter()
            .find(|platform| wire_code(*platform) == code)
            .ok_or(ParseEvidenceError::Platform)?;
        let mut part = |limit| {
            reader
                .sized(limit)
                .map(<[u8]>::to_vec)
                .ok_or(ParseEvidenceError::Length)
        };
        let evidence = Self {
            platform,
            report: part(MAX_REPORT_BYTES)?,
            auxiliary: part(MAX_AUXILIARY_BYTES)?,
            collateral: part(MAX_COLLATERAL_BYTES)?,
        };
        if reader.is_empty() {
            Ok(evidence)
        } else {
            Err(ParseEvidenceError::TrailingBytes)
        }
    }
}

/// Lengths only: a report holds the identity of a machine.
impl fmt::Debug for Evidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Evidence")
            .field("platform", &self.platform.name())
            .field("report_bytes", &self.report.len())
            .field("auxiliary_bytes", &self.auxiliary.len())
            .field("collateral_bytes", &self.collateral.len())
            .finish()
    }
}

const fn wire_code(platform: Platform) -> u8 {
    match platform {
        Platform::Sgx => 1,
        Platform::Tdx => 2,
        Platform::SevSnp => 3,
        Platform::VtpmDev => 4,
        Platform::Simulated => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Evidence {
        Evidence {
            platform: Platform::SevSnp,
            report: vec![1; 1184],
            auxiliary: vec![2; 24],
            collateral: Vec::new(),
        }
    }

    #[test]
    fn what_was_written_reads_back() {
        for platform in Platform::ALL {
            let evidence = Evidence { platform, ..sample() };
            assert_eq!(Evidence::parse(&evidence.to_bytes()), Ok(evidence));
        }
    }

    #[test]
    fn every_truncation_and_every_appended_byte_is_refused() {
        let bytes = sample().to_bytes();
        for length in 0..bytes.len() {
            assert!(Evidence::parse(&bytes[..length]).is_err(), "{length}");
        }
        let mut longer = bytes;
        for _ in 0..64 {
            longer.push(0);
            assert_eq!(Evidence::parse(&longer), Err(ParseEvidenceError::TrailingBytes));
        }
    }

    #[test]
    fn unknown_platforms_other_versions_and_long_parts_are_refused() {
        let bytes = sample().to_bytes();
        for code in (0..=255).filter(|code| !(1..=5).contains(code)) {
            let mut changed = bytes.clone();
            changed[8] = code;
            assert_eq!(Evidence::parse(&changed), Err(ParseEvidenceError::Platform));
        }
        let mut other = bytes.clone();
        other[7] = b'2';
        assert_eq!(Evidence::parse(&other), Err(ParseEvidenceError::Magic));
        let long = Evidence {
            report: vec![0; MAX_REPORT_BYTES + 1],
            ..sample()
        };
        assert_eq!(Evidence::parse(&long.to_bytes()), Err(ParseEvidenceError::Length));
        let mut huge = bytes[..9].to_vec();
        huge.extend_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(Evidence::parse(&huge), Err(ParseEvidenceError::Length));
    }

    #[test]
    fn debug_prints_lengths_and_no_content() {
        let text = format!("{:?}", sample());
        assert!(text.contains("1184") && text.len() < 120, "{text}");
    }
}
