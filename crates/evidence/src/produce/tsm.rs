//! TDX and SEV-SNP: `configfs-tsm` (Linux `Documentation/ABI/testing/configfs-tsm`).
//!
//! One directory per request. `inblob` is a binary attribute: what is written takes effect when the file is *closed*,
//! and closing reports no error; that it took effect shows in `generation`, which counts the writes. So the generation
//! is read before writing, must be one more after it, and still that after `outblob` and `auxblob` were read.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::io::Errno;

use super::{ProduceError, Producer, ReportData, check_report_data, read_limited};
use crate::platform::{Evidence, MAX_AUXILIARY_BYTES, MAX_REPORT_BYTES, Platform};

/// Attributes other than the blobs are a word or a number.
const MAX_ATTRIBUTE_BYTES: usize = 64;

/// How often a disturbed or busy request is made again, and how long to wait before each.
const ATTEMPTS: u8 = 4;
const PAUSE: Duration = Duration::from_millis(10);

/// How many leftovers of earlier processes are stepped over.
const MAX_LEFTOVERS: u8 = 64;

/// Whose name the next directory gets.
static NEXT_DIRECTORY: AtomicU64 = AtomicU64::new(0);

/// Who brings the certificates of an SEV-SNP report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateSource {
    /// The host, through `auxblob`: none there is an error.
    Host,
    /// Whoever hands the evidence on and staples them to it: `auxblob` may be empty.
    Stapler,
}

/// Produces reports of a confidential virtual machine.
#[derive(Debug)]
pub struct TsmProducer {
    directory: PathBuf,
    driver: Driver,
    certificates: CertificateSource,
}

/// What is behind the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    Tdx,
    Sev,
}

impl TsmProducer {
    /// Asks `directory` (`/sys/kernel/config/tsm/report`) which driver is behind it. SEV-SNP certificates come from the host.
    ///
    /// # Errors
    /// No driver, or one we do not know; for SEV-SNP also when reports of VMPL 0 cannot be had.
    pub fn open(directory: &Path) -> Result<Self, ProduceError> {
        let request = Request::begin(directory)?;
        let driver = request.driver();
        let floor = request.privilege_level_floor();
        request.end()?;
        let driver = driver?;
        match floor? {
            Some(floor) if driver == Driver::Sev && floor > 0 => Err(ProduceError::PrivilegeLevel { floor }),
            _ => Ok(Self {
                directory: directory.to_owned(),
                driver,
                certificates: CertificateSource::Host,
            }),
        }
    }

    /// The same producer with certificates from `source`.
    #[must_use]
    pub const fn with_certificates_from(mut self, source: CertificateSource) -> Self {
        self.certificates = source;
        self
    }

    fn attempt(&self, report_data: &ReportData) -> Result<Evidence, Attempt> {
        let request = Request::begin(&self.directory)?;
        let answer = self.ask(&request, report_data);
        // Whatever the answer was, the directory goes; and not being able to remove it is an error of its own.
        let removed = request.end();
        let evidence = answer?;
        removed.map_err(Attempt::Final)?;
        Ok(evidence)
    }

    fn ask(&self, request: &Request, report_data: &ReportData) -> Result<Evidence, Attempt> {
        // The driver may not change between start and now: the parser was chosen by it.
        if request.driver()? != self.driver {
            return Err(Attempt::Final(ProduceError::UnknownProvider));
        }
        let before = request.generation()?;
        request.write_report_data(report_data)?;
        let expected = before.wrapping_add(1);
        let written = request.generation()?;
        if written == before {
            return Err(Attempt::Final(ProduceError::ReportDataNotTaken));
        }
        let report = request.blob("outblob", MAX_REPORT_BYTES)?;
        let auxiliary = match self.driver {
            Driver::Sev => request.blob("auxblob", MAX_AUXILIARY_BYTES)?,
            Driver::Tdx => Vec::new(),
        };
        if written != expected || request.generation()? != expected {
            return Err(Attempt::Conflict);
        }
        check_report_data(&report, self.driver.report_data_offset(&report), report_data).map_err(Attempt::Final)?;
        if self.driver == Driver::Sev && self.certificates == CertificateSource::Host && auxiliary.is_empty() {
            return Err(Attempt::Final(ProduceError::NoCertificates));
        }
        Ok(Evidence {
            platform: self.driver.platform(),
            report,
            auxiliary,
            collateral: Vec::new(),
        })
    }
}

impl Producer for TsmProducer {
    fn platform(&self) -> Platform {
        self.driver.platform()
    }

    fn produce(&self, report_data: &ReportData) -> Result<Evidence, ProduceError> {
        let mut last = ProduceError::Conflict { attempts: ATTEMPTS };
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(PAUSE);
            }
            match self.attempt(report_data) {
                Ok(evidence) => return Ok(evidence),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Conflict) => last = ProduceError::Conflict { attempts: ATTEMPTS },
                Err(Attempt::Busy) => last = ProduceError::Busy { attempts: ATTEMPTS },
            }
        }
        Err(last)
    }
}

impl Driver {
    const fn platform(self) -> Platform {
        match self {
            Self::Tdx => Platform::Tdx,
            Self::Sev => Platform::SevSnp,
        }
    }

    /// Where a report of this driver carries the report data.
    fn report_data_offset(self, report: &[u8]) -> usize {
        match self {
            // AMD 56860, table "ATTESTATION_REPORT".
            Self::Sev => 0x50,
            // Header, then 520 into the trust domain's report; version 5 puts its type and size in between.
            Self::Tdx => match report {
                [5, 0, ..] => 48 + 6 + 520,
                _ => 48 + 520,
            },
        }
    }
}

/// How one attempt ended without evidence.
enum Attempt {
    /// Somebody else wrote: try again.
    Conflict,
    /// Another report is in work: try again.
    Busy,
    /// Trying again would not help.
    Final(ProduceError),
}

impl From<ProduceError> for Attempt {
    fn from(error: ProduceError) -> Self {
        match &error {
            ProduceError::System { source, .. } => match Errno::from_io_error(source) {
                Some(Errno::BUSY) => Self::Busy,
                Some(Errno::FBIG) => Self::Final(ProduceError::TooLong {
                    limit: MAX_REPORT_BYTES,
                }),
                _ => Self::Final(error),
            },
            _ => Self::Final(error),
        }
    }
}

/// One report directory, removed when it goes.
struct Request {
    path: PathBuf,
    removed: bool,
}

impl Request {
    fn begin(directory: &Path) -> Result<Self, ProduceError> {
        let process = std::process::id();
        for _ in 0..MAX_LEFTOVERS {
            let number = NEXT_DIRECTORY.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!("healthid-{process}-{number}"));
            match DirBuilder::new().create(&path) {
                Ok(()) => return Ok(Self { path, removed: false }),
                // A process of the same number died here earlier.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => {
                    return Err(ProduceError::NoProvider);
                }
                Err(source) => {
                    return Err(ProduceError::System {
                        action: "make a report directory",
                        source,
                    });
                }
            }
        }
        Err(ProduceError::System {
            action: "make a report directory",
            source: ErrorKind::AlreadyExists.into(),
        })
    }

    fn driver(&self) -> Result<Driver, ProduceError> {
        match self.attribute("provider", "read the report provider")?.as_str() {
            "tdx_guest" => Ok(Driver::Tdx),
            "sev_guest" => Ok(Driver::Sev),
            _ => Err(ProduceError::UnknownProvider),
        }
    }

    fn generation(&self) -> Result<u32, ProduceError> {
        number(
            &self.attribute("generation", "read the generation")?,
            "read the generation",
        )
    }

    /// `None` where the driver knows no privilege levels.
    fn privilege_level_floor(&self) -> Result<Option<u8>, ProduceError> {
        const ACTION: &str = "read the lowest privilege level";
        match self.attribute("privlevel_floor", ACTION) {
            Ok(text) => number(&text, ACTION).map(Some),
            Err(ProduceError::System { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write_report_data(&self, report_data: &ReportData) -> Result<(), ProduceError> {
        const ACTION: &str = "write the report data";
        let mut file = OpenOptions::new()
            .write(true)
            .open(self.path.join("inblob"))
            .map_err(ProduceError::system(ACTION))?;
        file.write_all(report_data).map_err(ProduceError::system(ACTION))
    }

    fn blob(&self, name: &'static str, limit: usize) -> Result<Vec<u8>, ProduceError> {
        let mut file = File::open(self.path.join(name)).map_err(ProduceError::system("open the report"))?;
        read_limited(&mut file, limit, "read the report")
    }

    fn attribute(&self, name: &str, action: &'static str) -> Result<String, ProduceError> {
        let mut file = File::open(self.path.join(name)).map_err(ProduceError::system(action))?;
        let bytes = read_limited(&mut file, MAX_ATTRIBUTE_BYTES, action)?;
        Ok(String::from_utf8_lossy(bytes.trim_ascii()).into_owned())
    }

    fn end(mut self) -> Result<(), ProduceError> {
        self.removed = true;
        std::fs::remove_dir(&self.path).map_err(ProduceError::system("remove the report directory"))
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.removed {
            // Only when a panic passes through: there is nobody left to tell.
            let _ = std::fs::remove_dir(&self.path);
        }
    }
}

fn number<T: std::str::FromStr>(text: &str, action: &'static str) -> Result<T, ProduceError> {
    text.parse().map_err(|_| ProduceError::System {
        action,
        source: ErrorKind::InvalidData.into(),
    })
}
