//! The attestation report of SEV-SNP, read by ourselves: SEV-SNP Firmware ABI (AMD publication 56860), table 23.

use crate::platform::Reader;
use crate::verify::error::EvidenceError;
use crate::verify::tcb::{SnpProduct, SnpTcb};

/// The whole report.
pub(crate) const REPORT_BYTES: usize = 1184;
/// What is signed of it.
pub(crate) const SIGNED_BYTES: usize = 672;
/// R and S have 72 bytes each in the report, of which a P-384 scalar fills 48.
const SCALAR_BYTES: usize = 48;
const SCALAR_FIELD_BYTES: usize = 72;
/// ECDSA over P-384 with SHA-384.
pub(crate) const ALGORITHM_P384: u32 = 1;

/// The fields a decision needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) version: u32,
    pub(crate) guest_svn: u32,
    pub(crate) policy: u64,
    pub(crate) vmpl: u32,
    pub(crate) algorithm: u32,
    pub(crate) platform_info: u64,
    pub(crate) key_info: u32,
    pub(crate) report_data: [u8; 64],
    pub(crate) measurement: [u8; 48],
    pub(crate) host_data: [u8; 32],
    /// CPUID family and model, since version 3.
    pub(crate) cpu: Option<(u8, u8)>,
    pub(crate) chip_id: [u8; 64],
    current_tcb: [u8; 8],
    reported_tcb: [u8; 8],
    committed_tcb: [u8; 8],
    launch_tcb: [u8; 8],
    /// `r || s`, big-endian.
    pub(crate) signature: [u8; 2 * SCALAR_BYTES],
}

/// The four versions a report speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tcbs {
    /// What runs now.
    pub(crate) current: SnpTcb,
    /// What the host lets the certificate be made for; at most the committed one.
    pub(crate) reported: SnpTcb,
    /// What the host can no longer go back behind.
    pub(crate) committed: SnpTcb,
    /// What ran when the guest started.
    pub(crate) launch: SnpTcb,
}

const MALFORMED: EvidenceError = EvidenceError::Malformed("attestation report");

impl Report {
    /// Reads a report of exactly [`REPORT_BYTES`] whose unused bytes are zero.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, EvidenceError> {
        match bytes.len() {
            0..REPORT_BYTES => Err(MALFORMED),
            REPORT_BYTES => {
                let (report, unused_zero) = Self::read(bytes).ok_or(MALFORMED)?;
                if !unused_zero {
                    return Err(EvidenceError::NotCanonical("attestation report"));
                }
                Ok(report)
            }
            _ => Err(EvidenceError::TrailingBytes),
        }
    }

    /// The report, and whether every byte without a meaning is zero.
    fn read(bytes: &[u8]) -> Option<(Self, bool)> {
        let mut reader = Reader::new(bytes);
        let mut unused: Vec<&[u8]> = Vec::with_capacity(10);
        let (version, guest_svn, policy) = (reader.u32_le()?, reader.u32_le()?, reader.u64_le()?);
        reader.bytes(16 + 16)?; // FAMILY_ID, IMAGE_ID: from the ID block, without meaning here
        let (vmpl, algorithm) = (reader.u32_le()?, reader.u32_le()?);
        let current_tcb = reader.array()?;
        let (platform_info, key_info) = (reader.u64_le()?, reader.u32_le()?);
        unused.push(reader.bytes(4)?);
        let (report_data, measurement, host_data) = (reader.array()?, reader.array()?, reader.array()?);
        reader.bytes(48 + 48 + 32 + 32)?; // ID_KEY_DIGEST, AUTHOR_KEY_DIGEST, REPORT_ID, REPORT_ID_MA
        let reported_tcb = reader.array()?;
        let cpu = if version >= 3 {
            let cpu = (reader.u8()?, reader.u8()?);
            reader.u8()?; // stepping
            unused.push(reader.bytes(21)?);
            Some(cpu)
        } else {
            unused.push(reader.bytes(24)?);
            None
        };
        let chip_id = reader.array()?;
        let committed_tcb = reader.array()?;
        for _ in 0..2 {
            reader.bytes(3)?; // build, minor, major of the current and the committed firmware
            unused.push(reader.bytes(1)?);
        }
        let launch_tcb = reader.array()?;
        if version >= 5 {
            reader.bytes(8 + 8)?; // LAUNCH_MIT_VECTOR, CURRENT_MIT_VECTOR
        }
        let signed_rest = SIGNED_BYTES.checked_sub(REPORT_BYTES - reader.rest().len())?;
        unused.push(reader.bytes(signed_rest)?);
        let mut signature = [0; 2 * SCALAR_BYTES];
        for half in signature.chunks_exact_mut(SCALAR_BYTES) {
            for (byte, little) in half.iter_mut().zip(reader.bytes(SCALAR_BYTES)?.iter().rev()) {
                *byte = *little;
            }
            unused.push(reader.bytes(SCALAR_FIELD_BYTES - SCALAR_BYTES)?);
        }
        unused.push(reader.rest());
        let unused_zero = unused.into_iter().flatten().all(|byte| *byte == 0);
        let report = Self {
            version,
            guest_svn,
            policy,
            vmpl,
            algorithm,
            platform_info,
            key_info,
            report_data,
            measurement,
            host_data,
            cpu,
            chip_id,
            current_tcb,
            reported_tcb,
            committed_tcb,
            launch_tcb,
            signature,
        };
        Some((report, unused_zero))
    }

    /// The four versions, read as the product writes them.
    pub(crate) fn tcbs(&self, product: SnpProduct) -> Result<Tcbs, EvidenceError> {
        Ok(Tcbs {
            current: read_tcb(self.current_tcb, product)?,
            reported: read_tcb(self.reported_tcb, product)?,
            committed: read_tcb(self.committed_tcb, product)?,
            launch: read_tcb(self.launch_tcb, product)?,
        })
    }
}

/// TCB_VERSION: the bytes between the parts have no meaning and must be zero, which the library does not see because
/// it writes them anew before it checks the signature.
fn read_tcb(bytes: [u8; 8], product: SnpProduct) -> Result<SnpTcb, EvidenceError> {
    let (tcb, unused) = match product {
        SnpProduct::Milan | SnpProduct::Genoa => {
            let [bootloader, tee, a, b, c, d, snp, microcode] = bytes;
            let tcb = SnpTcb {
                fmc: 0,
                bootloader,
                tee,
                snp,
                microcode,
            };
            (tcb, a | b | c | d)
        }
        SnpProduct::Turin => {
            let [fmc, bootloader, tee, snp, a, b, c, microcode] = bytes;
            let tcb = SnpTcb {
                fmc,
                bootloader,
                tee,
                snp,
                microcode,
            };
            (tcb, a | b | c)
        }
    };
    if unused == 0 {
        Ok(tcb)
    } else {
        Err(EvidenceError::NotCanonical("TCB version"))
    }
}
