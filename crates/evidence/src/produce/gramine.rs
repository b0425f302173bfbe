//! SGX under Gramine 1.9: pseudo-files below `/dev/attestation`.
//!
//! `user_report_data` takes 64 bytes: fewer are padded with zeros, more are cut silently, so exactly 64 are written and
//! read back. `quote` is made while it is read, from whatever `user_report_data` holds then; nothing ties the two, so
//! one lock of the whole process spans write and read. `attestation_type` exists in SGX mode only: under
//! `gramine-direct` the directory holds just `keys`, and that is no attestation.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{ProduceError, Producer, ReportData, check_report_data, read_limited};
use crate::platform::{Evidence, Platform};

/// Longest quote Gramine hands out, in bytes.
pub const MAX_QUOTE_BYTES: usize = 8 * 1024;

/// An attestation type is a word.
const MAX_TYPE_BYTES: usize = 32;

/// Where the report data are in a quote of version 3: 48 bytes of header, then 320 into the enclave's report.
const REPORT_DATA_OFFSET: usize = 48 + 320;

/// The files are one per process, however many producers there are.
static ATTESTATION_FILES: Mutex<()> = Mutex::new(());

/// Produces DCAP quotes of an enclave that runs under Gramine.
#[derive(Debug)]
pub struct GramineProducer {
    directory: PathBuf,
}

impl GramineProducer {
    /// Looks whether `directory` (`/dev/attestation`) offers DCAP quotes.
    ///
    /// # Errors
    /// No attestation type, `none`, or one we do not know.
    pub fn open(directory: &Path) -> Result<Self, ProduceError> {
        let mut file = match File::open(directory.join("attestation_type")) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(ProduceError::NoAttestationType),
            Err(source) => {
                return Err(ProduceError::System {
                    action: "open the attestation type",
                    source,
                });
            }
        };
        let kind = read_limited(&mut file, MAX_TYPE_BYTES, "read the attestation type")?;
        match kind.trim_ascii() {
            b"dcap" => Ok(Self {
                directory: directory.to_owned(),
            }),
            b"none" => Err(ProduceError::AttestationOff),
            _ => Err(ProduceError::UnknownAttestationType),
        }
    }

    fn write_report_data(&self, report_data: &ReportData) -> Result<(), ProduceError> {
        let path = self.directory.join("user_report_data");
        let mut file = OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(ProduceError::system("open the report data"))?;
        // One write of all 64: `write_all` might split it, and each part would be padded with zeros.
        let written = file
            .write(report_data)
            .map_err(ProduceError::system("write the report data"))?;
        // Closing hands the bytes over, and closing tells no error: so they are read back.
        drop(file);
        if written != report_data.len() {
            return Err(ProduceError::ReportDataNotTaken);
        }
        let mut file = File::open(&path).map_err(ProduceError::system("open the report data"))?;
        let taken = match read_limited(&mut file, report_data.len(), "read the report data back") {
            Err(ProduceError::TooLong { .. }) => return Err(ProduceError::ReportDataNotTaken),
            taken => taken?,
        };
        if taken == report_data {
            Ok(())
        } else {
            Err(ProduceError::ReportDataNotTaken)
        }
    }
}

impl Producer for GramineProducer {
    fn platform(&self) -> Platform {
        Platform::Sgx
    }

    fn produce(&self, report_data: &ReportData) -> Result<Evidence, ProduceError> {
        // The lock guards files, not memory: a holder that panicked left nothing behind that the next write does not replace.
        let _exclusive = ATTESTATION_FILES.lock().unwrap_or_else(PoisonError::into_inner);
        self.write_report_data(report_data)?;
        let mut file = File::open(self.directory.join("quote")).map_err(ProduceError::system("open the quote"))?;
        let quote = read_limited(&mut file, MAX_QUOTE_BYTES, "read the quote")?;
        check_report_data(&quote, REPORT_DATA_OFFSET, report_data)?;
        Ok(Evidence {
            platform: Platform::Sgx,
            report: quote,
            auxiliary: Vec::new(),
            collateral: Vec::new(),
        })
    }
}
