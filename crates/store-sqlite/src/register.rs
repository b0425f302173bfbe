//! The freshness register on one machine: a file per tenant, outside the database's directory, written at its end only.
//!
//! ```text
//! "healthid/register/1\n" | tenant, 16 bytes
//! length of sealed, 4 | counter, 8 | root, 32 | sealed | CRC-32 of all of it, 4        once per step
//! ```
//!
//! A step that was being written when the machine stopped is incomplete, was never acknowledged, and is cut off. The
//! checksum finds that and nothing more: that nobody changed a file on purpose is the seal's and the root's affair.
//!
//! Trusted for: what [`store::register`] promises, on a disk that obeys `fdatasync`. One machine's file is one witness:
//! whoever puts back file *and* database together is not noticed. Keep them on different disks, under different hands.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use store::register::{Appended, FreshnessRegister, Head, MAX_STEP_BYTES, RegisterError, Step, check_steps};
use store::{BoxFuture, SealedBytes, StoreError, TenantId};

use crate::schema::FileLock;

const MAGIC: &[u8; 20] = b"healthid/register/1\n";
const HEADER_BYTES: usize = 20 + 16;
/// Length, counter, root.
const FRONT_BYTES: usize = 4 + 8 + 32;
const CHECKSUM_BYTES: usize = 4;

/// A register in a directory of its own.
///
/// Writing waits for the disk on the caller's thread: steps are rare, and an ordinary login writes none.
#[derive(Debug)]
pub struct FileRegister {
    directory: PathBuf,
    /// Where each tenant's file ends; held by whoever writes.
    ends: Mutex<HashMap<TenantId, End>>,
    _lock: FileLock,
}

/// Where a file ends: its newest step, and up to which byte it is whole.
#[derive(Debug, Clone, Copy)]
struct End {
    counter: u64,
    good: u64,
}

impl FileRegister {
    /// Opens a register, making its directory (mode 0700) where there is none.
    ///
    /// # Errors
    /// [`RegisterError::Locked`] where another process has it; [`RegisterError::Unreachable`].
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, RegisterError> {
        let directory = directory.into();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(unreachable)?;
        let lock = FileLock::acquire(&directory.join("register")).map_err(|error| match error {
            StoreError::Locked(_) => RegisterError::Locked,
            error => RegisterError::Unreachable(error.to_string()),
        })?;
        Ok(Self {
            directory,
            ends: Mutex::default(),
            _lock: lock,
        })
    }

    fn path(&self, tenant: TenantId) -> PathBuf {
        let mut name = String::with_capacity(40);
        for byte in tenant.as_bytes() {
            name.push_str(&format!("{byte:02x}"));
        }
        self.directory.join(name + ".steps")
    }

    fn read(&self, tenant: TenantId) -> Result<(Vec<Step>, u64), RegisterError> {
        let mut bytes = Vec::new();
        match File::open(self.path(tenant)) {
            Ok(mut file) => file.read_to_end(&mut bytes).map_err(unreachable)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
            Err(error) => return Err(unreachable(error)),
        };
        let (steps, good) = parse(tenant, &bytes)?;
        Ok((steps, good as u64))
    }

    fn write(&self, tenant: TenantId, after: u64, steps: &[Step], forget: bool) -> Appended {
        if let Err(error) = check_steps(after, steps) {
            return Appended::Refused(error);
        }
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let end = match self.end(&ends, tenant) {
            Ok(end) => end,
            Err(error) => return Appended::Refused(error),
        };
        if end.counter != after {
            return Appended::Elsewhere(end.counter);
        }
        let bytes = encode(steps);
        let (outcome, from) = if forget || end.good == 0 {
            (self.write_anew(tenant, &bytes), MAGIC.len() + tenant.as_bytes().len())
        } else {
            let from = usize::try_from(end.good).unwrap_or(usize::MAX);
            (append_at(&self.path(tenant), end.good, &bytes), from)
        };
        match (&outcome, steps.last()) {
            (Appended::Acknowledged, Some(last)) => {
                let counter = last.head.counter;
                let good = from.saturating_add(bytes.len()) as u64;
                ends.insert(tenant, End { counter, good });
            }
            _ => drop(ends.remove(&tenant)),
        }
        outcome
    }

    /// Where the file ends: as it was left, while it is as long as then; else it is read. Nobody else writes it while it is locked, and a step is
    /// taken for every failed login: reading them all each time would be a gift to whoever fails on purpose.
    fn end(&self, ends: &HashMap<TenantId, End>, tenant: TenantId) -> Result<End, RegisterError> {
        if let Some(end) = ends.get(&tenant)
            && fs::metadata(self.path(tenant)).is_ok_and(|file| file.len() == end.good)
        {
            return Ok(*end);
        }
        let (kept, good) = self.read(tenant)?;
        let counter = kept.last().map_or(0, |step| step.head.counter);
        Ok(End { counter, good })
    }

    /// A file beside the old one takes its name when it is complete.
    fn write_anew(&self, tenant: TenantId, steps: &[u8]) -> Appended {
        let path = self.path(tenant);
        let beside = path.with_extension("new");
        let prepare = || -> io::Result<()> {
            let mut file = private(OpenOptions::new().write(true).create(true).truncate(true)).open(&beside)?;
            file.write_all(MAGIC)?;
            file.write_all(tenant.as_bytes())?;
            file.write_all(steps)?;
            file.sync_all()
        };
        if let Err(error) = prepare() {
            return Appended::Refused(unreachable(error));
        }
        let publish = || -> io::Result<()> {
            fs::rename(&beside, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        match publish() {
            Ok(()) => Appended::Acknowledged,
            Err(_) => Appended::Unknown,
        }
    }
}

/// Cuts off what was never acknowledged, and writes behind it.
fn append_at(path: &Path, good: u64, steps: &[u8]) -> Appended {
    let open = || -> io::Result<File> {
        let mut file = private(OpenOptions::new().write(true)).open(path)?;
        file.set_len(good)?;
        file.seek(SeekFrom::Start(good))?;
        Ok(file)
    };
    let mut file = match open() {
        Ok(file) => file,
        Err(error) => return Appended::Refused(unreachable(error)),
    };
    match file.write_all(steps).and_then(|()| file.sync_data()) {
        Ok(()) => Appended::Acknowledged,
        // Whatever arrived on the disk may be complete.
        Err(_) => Appended::Unknown,
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` gives it
fn unreachable(error: io::Error) -> RegisterError {
    RegisterError::Unreachable(error.kind().to_string())
}

fn encode(steps: &[Step]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for step in steps {
        let begin = bytes.len();
        // Checked before: a step has at most a mebibyte.
        #[allow(clippy::cast_possible_truncation)]
        bytes.extend_from_slice(&(step.sealed.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&step.head.counter.to_be_bytes());
        bytes.extend_from_slice(&step.head.root);
        bytes.extend_from_slice(step.sealed.as_bytes());
        let checksum = crc32(&bytes[begin..]);
        bytes.extend_from_slice(&checksum.to_be_bytes());
    }
    bytes
}

/// The steps in a file, and up to which byte it is whole.
fn parse(tenant: TenantId, bytes: &[u8]) -> Result<(Vec<Step>, usize), RegisterError> {
    let damaged = |what: &str| RegisterError::Damaged(what.to_owned());
    let header = bytes.get(..HEADER_BYTES).ok_or_else(|| damaged("no header"))?;
    if header[..20] != MAGIC[..] {
        return Err(damaged("another form"));
    }
    if header[20..] != tenant.as_bytes()[..] {
        return Err(damaged("another tenant's file"));
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut at = HEADER_BYTES;
    while at < bytes.len() {
        let Some((step, length)) = parse_step(&bytes[at..]) else {
            // A write that did not end. If more than that is missing, the head in the database is further on and tells.
            break;
        };
        if let Some(last) = steps.last()
            && step.head.counter != last.head.counter.wrapping_add(1)
        {
            return Err(damaged("steps out of order"));
        }
        steps.push(step);
        at += length;
    }
    Ok((steps, at))
}

fn parse_step(bytes: &[u8]) -> Option<(Step, usize)> {
    let front = bytes.get(..FRONT_BYTES)?;
    let length = usize::try_from(u32::from_be_bytes(front[..4].try_into().ok()?)).ok()?;
    if length > MAX_STEP_BYTES {
        return None;
    }
    let end = FRONT_BYTES + length;
    let checksum = bytes.get(end..end + CHECKSUM_BYTES)?;
    if crc32(&bytes[..end]).to_be_bytes() != *checksum {
        return None;
    }
    let head = Head {
        counter: u64::from_be_bytes(front[4..12].try_into().ok()?),
        root: front[12..44].try_into().ok()?,
    };
    let sealed = SealedBytes::from_sealed(bytes[FRONT_BYTES..end].to_vec());
    Some((Step { head, sealed }, end + CHECKSUM_BYTES))
}

/// CRC-32 (IEEE 802.3), bit by bit: steps are short and rare.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

impl FreshnessRegister for FileRegister {
    fn steps(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<Step>, RegisterError>> {
        Box::pin(async move {
            let read = self.read(tenant);
            if read.is_err() {
                let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
                ends.remove(&tenant);
            }
            read.map(|(steps, _)| steps)
        })
    }

    fn append(&self, tenant: TenantId, after: u64, steps: &[Step]) -> BoxFuture<'_, Appended> {
        let outcome = self.write(tenant, after, steps, false);
        Box::pin(std::future::ready(outcome))
    }

    fn replace(&self, tenant: TenantId, after: u64, steps: &[Step]) -> BoxFuture<'_, Appended> {
        let outcome = self.write(tenant, after, steps, true);
        Box::pin(std::future::ready(outcome))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use store::register::suite;
    use store::suite::block_on;

    use super::*;

    fn tenant() -> TenantId {
        TenantId::from_bytes([1; 16])
    }

    fn step(counter: u64) -> Step {
        Step {
            head: Head { counter, root: [3; 32] },
            sealed: SealedBytes::from_sealed(vec![7; 50]),
        }
    }

    #[test]
    fn files_keep_every_promise_of_a_register() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().join("register");
        let make = || FileRegister::open(&at).unwrap();
        suite::run(&make, &|register| {
            drop(register);
            make()
        });
    }

    #[test]
    fn a_file_that_somebody_shortened_or_removed_meanwhile_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let register = FileRegister::open(directory.path()).unwrap();
        for counter in 1..=3 {
            let appended = block_on(register.append(tenant(), counter - 1, &[step(counter)]));
            assert_eq!(appended, Appended::Acknowledged);
        }
        let path = register.path(tenant());
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let appended = block_on(register.append(tenant(), 3, &[step(4)]));
        assert_eq!(appended, Appended::Elsewhere(2));
        assert_eq!(
            block_on(register.append(tenant(), 2, &[step(3)])),
            Appended::Acknowledged
        );
        assert_eq!(block_on(register.steps(tenant())).unwrap().len(), 3);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            block_on(register.append(tenant(), 3, &[step(4)])),
            Appended::Elsewhere(0)
        );
    }

    #[test]
    fn a_step_cut_off_anywhere_is_forgotten_and_the_next_one_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let register = FileRegister::open(directory.path()).unwrap();
        let path = register.path(tenant());
        assert_eq!(
            block_on(register.append(tenant(), 0, &[step(1)])),
            Appended::Acknowledged
        );
        let one = fs::read(&path).unwrap();
        assert_eq!(
            block_on(register.append(tenant(), 1, &[step(2)])),
            Appended::Acknowledged
        );
        let two = fs::read(&path).unwrap();
        for length in one.len()..two.len() {
            fs::write(&path, &two[..length]).unwrap();
            assert_eq!(block_on(register.steps(tenant())).unwrap(), [step(1)]);
        }
        assert_eq!(
            block_on(register.append(tenant(), 1, &[step(2)])),
            Appended::Acknowledged
        );
        assert_eq!(fs::read(&path).unwrap(), two);
    }

    #[test]
    fn a_file_that_is_not_this_tenants_or_not_in_order_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let register = FileRegister::open(directory.path()).unwrap();
        let path = register.path(tenant());
        assert_eq!(
            block_on(register.append(tenant(), 0, &[step(1), step(2), step(3)])),
            Appended::Acknowledged
        );
        let good = fs::read(&path).unwrap();
        let length = (good.len() - HEADER_BYTES) / 3;
        let mut foreign = good.clone();
        foreign[25] ^= 1;
        let mut other_form = good.clone();
        other_form[0] ^= 1;
        let mut gap = good[..HEADER_BYTES + length].to_vec();
        gap.extend_from_slice(&good[HEADER_BYTES + 2 * length..]);
        for bytes in [foreign, other_form, gap, Vec::new(), good[..20].to_vec()] {
            fs::write(&path, &bytes).unwrap();
            let read = block_on(register.steps(tenant()));
            assert!(matches!(read, Err(RegisterError::Damaged(_))), "{read:?}");
            let appended = block_on(register.append(tenant(), 3, &[step(4)]));
            assert!(matches!(appended, Appended::Refused(RegisterError::Damaged(_))));
        }
    }

    #[test]
    fn a_second_process_is_kept_out_and_files_are_for_their_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().join("register");
        let register = FileRegister::open(&at).unwrap();
        assert_eq!(FileRegister::open(&at).unwrap_err(), RegisterError::Locked);
        assert_eq!(
            block_on(register.append(tenant(), 0, &[step(1)])),
            Appended::Acknowledged
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&at), 0o700);
        assert_eq!(mode(&register.path(tenant())), 0o600);
        drop(register);
        FileRegister::open(&at).unwrap();
    }

    #[test]
    fn the_checksum_is_that_of_ieee_802_3() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
