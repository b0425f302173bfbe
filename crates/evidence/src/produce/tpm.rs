//! A TPM 2.0 after a measured boot: a quote over the PCRs of the SHA-256 bank, and the firmware's event log.
//!
//! The attestation key is made anew for each quote, as a primary key of the endorsement hierarchy from a fixed
//! template: the TPM derives the same key each time, so that nothing has to be stored and nothing can be left behind.
//! Four commands are enough (`TPM2_CreatePrimary`, `TPM2_Quote`, `TPM2_PCR_Read`, `TPM2_FlushContext`); there is no TPM library here.
//!
//! **Limits, on purpose:** empty authorisation for the endorsement hierarchy, no sessions with encrypted parameters
//! (whoever sits between us and the TPM can break the quote, not forge one), P-256 and SHA-256 only. Whose key it is
//! says a certificate, which somebody else issued and somebody else brings; without one the verifier refuses.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest;

use super::{ProduceError, Producer, ReportData, read_limited};
use crate::platform::{Evidence, MAX_AUXILIARY_BYTES, Platform, TpmAuxiliary, TpmReport};

mod command;

use command::{Command, REGISTER_PARTS, Response};

/// A TPM's buffer for commands and responses, in bytes.
const MAX_RESPONSE_BYTES: usize = 4096;

/// An emulator that does not answer is gone.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the event log starts inside the auxiliary bytes leaves this much room for certificates.
const MAX_EVENT_LOG_BYTES: usize = MAX_AUXILIARY_BYTES / 2;

/// How to reach the TPM.
#[derive(Debug, Clone)]
pub enum TpmEndpoint {
    /// The resource-managed device `/dev/tpmrm0`: what a process forgot is flushed when it closes the device.
    Device(PathBuf),
    /// The Unix socket of an emulator that speaks plain TPM commands (`swtpm socket --server type=unixio`).
    Socket(PathBuf),
}

/// Produces quotes of a TPM. They say what was started; they keep nobody out.
#[derive(Debug)]
pub struct TpmProducer {
    endpoint: TpmEndpoint,
    event_log: PathBuf,
    certificates: Vec<Vec<u8>>,
    /// One conversation at a time: the emulator accepts one connection.
    conversation: Mutex<()>,
}

impl TpmProducer {
    /// A producer that quotes at `endpoint` and hands out the event log in that file. A missing log is an empty one.
    ///
    /// # Errors
    /// The TPM cannot be reached or does not make the attestation key.
    pub fn open(endpoint: TpmEndpoint, event_log: &Path) -> Result<Self, ProduceError> {
        let producer = Self {
            endpoint,
            event_log: event_log.to_owned(),
            certificates: Vec::new(),
            conversation: Mutex::new(()),
        };
        producer.attestation_key()?;
        Ok(producer)
    }

    /// The same producer handing out these DER certificates: the attestation key's first, without the root.
    #[must_use]
    pub fn with_certificates(mut self, certificates: Vec<Vec<u8>>) -> Self {
        self.certificates = certificates;
        self
    }

    /// The attestation key as an uncompressed point of P-256 (65 bytes): for whoever issues its certificate.
    ///
    /// # Errors
    /// The TPM cannot be reached or does not make the key.
    pub fn attestation_key(&self) -> Result<[u8; 65], ProduceError> {
        self.with_key(|_, _, key| Ok(key))
    }

    /// Makes the key, calls `work` with the connection, its handle and its public point, and flushes the key in any case.
    fn with_key<T>(
        &self,
        work: impl FnOnce(&mut Connection, u32, [u8; 65]) -> Result<T, ProduceError>,
    ) -> Result<T, ProduceError> {
        let _exclusive = self.conversation.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = Connection::open(&self.endpoint)?;
        let created = connection.send(&Command::create_attestation_key())?;
        let (handle, key) = created.attestation_key()?;
        let done = work(&mut connection, handle, key);
        let flushed = connection.send(&Command::flush(handle));
        let done = done?;
        flushed?;
        Ok(done)
    }

    fn read_event_log(&self) -> Result<Vec<u8>, ProduceError> {
        match File::open(&self.event_log) {
            Ok(mut file) => read_limited(&mut file, MAX_EVENT_LOG_BYTES, "read the event log"),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(ProduceError::System {
                action: "open the event log",
                source,
            }),
        }
    }
}

impl Producer for TpmProducer {
    fn platform(&self) -> Platform {
        Platform::VtpmDev
    }

    fn produce(&self, report_data: &ReportData) -> Result<Evidence, ProduceError> {
        let qualifying = digest::digest(&digest::SHA256, report_data);
        let quote = Command::quote(qualifying.as_ref());
        let (attest, signature, registers) = self.with_key(|connection, handle, _| {
            let (attest, signature) = connection.send(&quote(handle))?.quote()?;
            let mut registers = BTreeMap::new();
            for part in REGISTER_PARTS {
                let read = connection.send(&Command::read_registers(part.clone()))?;
                registers.extend(read.registers(part)?);
            }
            Ok((attest, signature, registers))
        })?;
        // TPMS_ATTEST carries the qualifying data with its length in front: there is no fixed offset, the signer's name precedes it.
        if !attest
            .windows(qualifying.as_ref().len())
            .any(|window| window == qualifying.as_ref())
        {
            return Err(ProduceError::ForeignReportData);
        }
        let report = TpmReport {
            report_data: *report_data,
            attest,
            signature,
        };
        let auxiliary = TpmAuxiliary {
            certificates: self.certificates.clone(),
            event_log: self.read_event_log()?,
            registers,
        };
        Ok(Evidence {
            platform: Platform::VtpmDev,
            report: report.to_bytes(),
            auxiliary: auxiliary.to_bytes(),
            collateral: Vec::new(),
        })
    }
}

/// An open conversation with a TPM.
enum Connection {
    Device(File),
    Socket(UnixStream),
}

impl Connection {
    fn open(endpoint: &TpmEndpoint) -> Result<Self, ProduceError> {
        let failed = ProduceError::system("open the TPM");
        match endpoint {
            TpmEndpoint::Device(path) => {
                let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
                Ok(Self::Device(file))
            }
            TpmEndpoint::Socket(path) => {
                let set_up = || {
                    let stream = UnixStream::connect(path)?;
                    stream.set_read_timeout(Some(SOCKET_TIMEOUT))?;
                    stream.set_write_timeout(Some(SOCKET_TIMEOUT))?;
                    Ok(stream)
                };
                set_up().map(Self::Socket).map_err(failed)
            }
        }
    }

    fn send(&mut self, command: &Command) -> Result<Response, ProduceError> {
        let bytes = self
            .exchange(command.bytes())
            .map_err(ProduceError::system("talk to the TPM"))?;
        Response::parse(command.name(), bytes)
    }

    fn exchange(&mut self, command: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut answer = vec![0; MAX_RESPONSE_BYTES];
        match self {
            // The device wants the command in one write and gives the answer in one read.
            Self::Device(file) => {
                if file.write(command)? != command.len() {
                    return Err(ErrorKind::WriteZero.into());
                }
                let length = file.read(&mut answer)?;
                answer.truncate(length);
            }
            Self::Socket(stream) => {
                stream.write_all(command)?;
                let (head, rest) = answer.split_at_mut(command::HEADER_BYTES);
                stream.read_exact(head)?;
                let length = command::announced_length(head).ok_or(ErrorKind::InvalidData)?;
                let body = length.checked_sub(head.len()).and_then(|length| rest.get_mut(..length));
                stream.read_exact(body.ok_or(ErrorKind::InvalidData)?)?;
                answer.truncate(length);
            }
        }
        Ok(answer)
    }
}
