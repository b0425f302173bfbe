//! The frames around what a TPM shows: the quote with the report data it stands for, and what is needed to read it.

use std::collections::BTreeMap;

use super::encoding::{Reader, write_sized};
use super::evidence::MAX_AUXILIARY_BYTES;

/// Longest TPMS_ATTEST and longest TPMT_SIGNATURE: those of a quote are about 150 and 100 bytes.
const MAX_STRUCTURE_BYTES: usize = 1024;
/// Longest certificate.
const MAX_CERTIFICATE_BYTES: usize = 8 * 1024;
/// Most certificates: attestation key, intermediates. The root is never taken from evidence.
pub const MAX_TPM_CERTIFICATES: usize = 4;

/// The highest register of a PC's TPM.
const MAX_REGISTER: u8 = 23;

/// The report of `vtpm-dev`: a TPM2_Quote over the SHA-256 bank and the report data it was asked for.
///
/// The TPM's `qualifyingData` must be SHA-256 of the 64 bytes of report data: not every TPM takes 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmReport {
    /// What the quote was asked to bind.
    pub report_data: [u8; 64],
    /// The TPMS_ATTEST as the TPM returned it, without the size in front.
    pub attest: Vec<u8>,
    /// The TPMT_SIGNATURE over it: ECDSA with P-256 and SHA-256.
    pub signature: Vec<u8>,
}

impl TpmReport {
    /// Bytes for [`super::Evidence::report`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.report_data.to_vec();
        write_sized(&mut bytes, &self.attest);
        write_sized(&mut bytes, &self.signature);
        bytes
    }

    /// Reads what [`TpmReport::to_bytes`] wrote; `None` when it is not that.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let report = Self {
            report_data: reader.array()?,
            attest: reader.sized(MAX_STRUCTURE_BYTES)?.to_vec(),
            signature: reader.sized(MAX_STRUCTURE_BYTES)?.to_vec(),
        };
        reader.is_empty().then_some(report)
    }
}

/// The auxiliary part of `vtpm-dev`: whose key signed, and the log of what was measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TpmAuxiliary {
    /// DER certificates, the attestation key's first, each issued by the next; without the root.
    pub certificates: Vec<Vec<u8>>,
    /// The firmware's log in the crypto-agile format of the TCG PC Client specification, as the kernel shows it.
    pub event_log: Vec<u8>,
    /// The values of the quoted registers (SHA-256 bank). The quote signs one digest over all of them; with the values,
    /// which it confirms, a verdict can name the register that differs from what the log leads to.
    pub registers: BTreeMap<u8, [u8; 32]>,
}

impl TpmAuxiliary {
    /// Bytes for [`super::Evidence::auxiliary`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::try_from(self.certificates.len()).unwrap_or(u8::MAX)];
        for certificate in &self.certificates {
            write_sized(&mut bytes, certificate);
        }
        write_sized(&mut bytes, &self.event_log);
        for (number, value) in &self.registers {
            bytes.push(*number);
            bytes.extend_from_slice(value);
        }
        bytes
    }

    /// Reads what [`TpmAuxiliary::to_bytes`] wrote; `None` when it is not that.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let count = usize::from(reader.u8()?);
        if count > MAX_TPM_CERTIFICATES {
            return None;
        }
        let certificates = (0..count)
            .map(|_| reader.sized(MAX_CERTIFICATE_BYTES).map(<[u8]>::to_vec))
            .collect::<Option<_>>()?;
        let event_log = reader.sized(MAX_AUXILIARY_BYTES)?.to_vec();
        let mut registers = BTreeMap::new();
        while !reader.is_empty() {
            let number = reader.u8()?;
            // Strictly rising: one encoding per value, and at most as many as there are registers.
            if number > MAX_REGISTER || registers.last_key_value().is_some_and(|(last, _)| *last >= number) {
                return None;
            }
            registers.insert(number, reader.array()?);
        }
        Some(Self {
            certificates,
            event_log,
            registers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_back_and_their_truncations_do_not() {
        let report = TpmReport {
            report_data: [5; 64],
            attest: vec![1; 140],
            signature: vec![2; 72],
        };
        let auxiliary = TpmAuxiliary {
            certificates: vec![vec![3; 400], vec![4; 500]],
            event_log: vec![6; 900],
            registers: BTreeMap::from([(0, [7; 32]), (9, [8; 32])]),
        };
        let (first, second) = (report.to_bytes(), auxiliary.to_bytes());
        assert_eq!(TpmReport::parse(&first), Some(report));
        assert_eq!(TpmAuxiliary::parse(&second), Some(auxiliary));
        for length in 0..first.len() {
            assert_eq!(TpmReport::parse(&first[..length]), None);
        }
        let without_registers = second.len() - 2 * 33;
        for length in
            (0..second.len()).filter(|length| *length < without_registers || (length - without_registers) % 33 != 0)
        {
            assert_eq!(TpmAuxiliary::parse(&second[..length]), None);
        }
        assert_eq!(TpmReport::parse(&[&first[..], &[0]].concat()), None);
        assert_eq!(TpmAuxiliary::parse(&[&second[..], &[0]].concat()), None);
    }

    #[test]
    fn registers_out_of_order_twice_or_unknown_are_refused() {
        let empty = TpmAuxiliary::default().to_bytes();
        let with = |numbers: &[u8]| {
            let registers = numbers
                .iter()
                .flat_map(|number| std::iter::once(*number).chain([1; 32]));
            TpmAuxiliary::parse(&empty.iter().copied().chain(registers).collect::<Vec<_>>())
        };
        assert!(with(&[0, 7, 23]).is_some());
        assert_eq!(with(&[7, 0]), None);
        assert_eq!(with(&[7, 7]), None);
        assert_eq!(with(&[24]), None);
    }

    #[test]
    fn too_many_certificates_are_refused() {
        let auxiliary = TpmAuxiliary {
            certificates: vec![vec![0; 10]; MAX_TPM_CERTIFICATES + 1],
            ..TpmAuxiliary::default()
        };
        assert_eq!(TpmAuxiliary::parse(&auxiliary.to_bytes()), None);
    }
}
