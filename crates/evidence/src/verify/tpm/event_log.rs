//! The crypto-agile event log: TCG PC Client Platform Firmware Profile 1.06, chapter 10. Little-endian.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};

use crate::platform::Reader;

/// Longest log. A boot through shim and GRUB logs some tens of KiB.
const MAX_LOG_BYTES: usize = 256 * 1024;
/// Most events.
const MAX_EVENTS: usize = 4096;
/// Longest data of one event: certificates of the boot variables are the longest.
const MAX_EVENT_BYTES: usize = 64 * 1024;
/// Most hash algorithms of a TPM.
const MAX_ALGORITHMS: usize = 8;
/// Longest name taken from a log.
const MAX_NAME_CHARACTERS: usize = 120;
const ALGORITHM_SHA256: u16 = 0x000b;
/// EV_NO_ACTION: information, not extended.
const NO_ACTION: u32 = 3;
/// EV_EVENT_TAG: what the kernel's EFI stub uses for the initial RAM disk and the load options.
const EVENT_TAG: u32 = 6;
/// EV_IPL: what GRUB and systemd-boot use, with a string as data.
const IPL: u32 = 0xd;
const SPECIFICATION: &[u8; 16] = b"Spec ID Event03\0";
const STARTUP_LOCALITY: &[u8; 16] = b"StartupLocality\0";

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// The register.
    pub register: u8,
    /// TCG's event type.
    pub kind: u32,
    /// What it is, as far as the log says: see [`super::super::BootComponent::name`].
    pub name: String,
    /// The SHA-256 that was extended; zero when [`LoggedEvent::extends`] is not.
    pub digest: [u8; 32],
    /// Whether it extended the register: informative events do not.
    pub extends: bool,
    /// The value a register starts with, where the event says so (the locality the TPM was started from).
    start: Option<[u8; 32]>,
}

/// Why bytes are not an event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventLogError {
    /// Longer than any log, or more events.
    #[error("the event log is above its limits")]
    Limit,
    /// The first event does not announce a crypto-agile log.
    #[error("not a crypto-agile event log")]
    Header,
    /// No SHA-256 bank, or an algorithm with two lengths.
    #[error("the event log has no SHA-256 digests")]
    Algorithms,
    /// An event is cut off, names an unknown register or an unknown algorithm, or lacks a SHA-256.
    #[error("event {0} is malformed")]
    Event(usize),
}

impl EventLogError {
    /// The stable code for logs and verdicts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Limit => "evidence.event_log_limit",
            Self::Header => "evidence.event_log_header",
            Self::Algorithms => "evidence.event_log_algorithms",
            Self::Event(_) => "evidence.event_log_event",
        }
    }
}

/// Reads a log as the kernel shows it in `binary_bios_measurements`.
///
/// # Errors
/// [`EventLogError`]: not such a log, above the limits, or cut off.
pub fn parse_event_log(bytes: &[u8]) -> Result<Vec<LoggedEvent>, EventLogError> {
    if bytes.len() > MAX_LOG_BYTES {
        return Err(EventLogError::Limit);
    }
    let mut reader = Reader::new(bytes);
    let algorithms = read_header(&mut reader).ok_or(EventLogError::Header)?;
    if algorithms.get(&ALGORITHM_SHA256) != Some(&32) {
        return Err(EventLogError::Algorithms);
    }
    let mut events = Vec::new();
    while !reader.is_empty() {
        if events.len() == MAX_EVENTS {
            return Err(EventLogError::Limit);
        }
        let event = read_event(&mut reader, &algorithms).ok_or(EventLogError::Event(events.len()))?;
        events.push(event);
    }
    Ok(events)
}

/// The registers the events lead to. A register without events is not in the result.
#[must_use]
pub fn replay(events: &[LoggedEvent]) -> BTreeMap<u8, [u8; 32]> {
    let mut registers = BTreeMap::new();
    for event in events {
        // The start of register 0 counts when nothing went into it before.
        if let Some(start) = event.start {
            registers.entry(event.register).or_insert(start);
        }
        if event.extends {
            // 17 to 22 belong to a late launch and start with ones.
            let start = if (17..=22).contains(&event.register) {
                [0xff; 32]
            } else {
                [0; 32]
            };
            let value = registers.entry(event.register).or_insert(start);
            let extended = digest(&SHA256, &[*value, event.digest].concat());
            value.copy_from_slice(extended.as_ref());
        }
    }
    registers
}

/// TCG_PCR_EVENT with TCG_EfiSpecIDEvent inside: the algorithms of the log and the lengths of their digests.
fn read_header(reader: &mut Reader<'_>) -> Option<BTreeMap<u16, usize>> {
    if (reader.u32_le()?, reader.u32_le()?) != (0, NO_ACTION) {
        return None;
    }
    reader.bytes(20)?; // the SHA-1 of an event that is not extended
    let mut event = Reader::new(reader.sized_le()?);
    if event.bytes(16)? != SPECIFICATION {
        return None;
    }
    event.bytes(4 + 4)?; // platform class; version, errata, size of UINTN
    let count = usize::try_from(event.u32_le()?).ok()?;
    if count == 0 || count > MAX_ALGORITHMS {
        return None;
    }
    let mut algorithms = BTreeMap::new();
    for _ in 0..count {
        let (algorithm, length) = (event.u16_le()?, usize::from(event.u16_le()?));
        if length > 64 || algorithms.insert(algorithm, length).is_some() {
            return None;
        }
    }
    let vendor = usize::from(event.u8()?);
    event.bytes(vendor)?;
    event.is_empty().then_some(algorithms)
}

/// TCG_PCR_EVENT2.
fn read_event(reader: &mut Reader<'_>, algorithms: &BTreeMap<u16, usize>) -> Option<LoggedEvent> {
    let register = u8::try_from(reader.u32_le()?).ok().filter(|register| *register < 24)?;
    let kind = reader.u32_le()?;
    let count = usize::try_from(reader.u32_le()?).ok()?;
    if count > MAX_ALGORITHMS {
        return None;
    }
    let mut found = None;
    for _ in 0..count {
        let algorithm = reader.u16_le()?;
        let bytes = reader.bytes(*algorithms.get(&algorithm)?)?;
        if algorithm == ALGORITHM_SHA256 && found.replace(bytes.try_into().ok()?).is_some() {
            return None;
        }
    }
    let data = reader.sized_le().filter(|data| data.len() <= MAX_EVENT_BYTES)?;
    let extends = kind != NO_ACTION;
    let start = match data.split_at_checked(16) {
        Some((label, [locality])) if !extends && register == 0 && label == STARTUP_LOCALITY => {
            let mut start = [0; 32];
            start[31] = *locality;
            Some(start)
        }
        _ => None,
    };
    Some(LoggedEvent {
        register,
        kind,
        name: name(kind, data),
        digest: if extends { found? } else { [0; 32] },
        extends,
        start,
    })
}

/// What an event is about: the words in its data where its type has words, else the type's name.
fn name(kind: u32, data: &[u8]) -> String {
    let words = match kind {
        EVENT_TAG => tagged(data),
        IPL => Some(data),
        _ => None,
    };
    if let Some(words) = words.and_then(printable) {
        return words;
    }
    match kind {
        0 => "pre-boot certificate",
        1 | 0x8000_0008 | 0x8000_000a => "firmware",
        NO_ACTION => "information",
        4 => "separator",
        EVENT_TAG => "tagged event",
        7 => "CRTM contents",
        8 => "CRTM version",
        9 => "CPU microcode",
        0xa => "platform configuration",
        0xc => "table of devices",
        IPL => "loader",
        0x8000_0001 => "firmware variable",
        0x8000_0002 | 0x8000_000c => "boot variable",
        0x8000_0003 => "boot application",
        0x8000_0004 => "boot services driver",
        0x8000_0005 => "run-time services driver",
        0x8000_0006 => "partition table",
        0x8000_0007 => "firmware action",
        0x8000_0009 | 0x8000_000b => "firmware tables",
        0x8000_00e0 => "Secure Boot authority",
        _ => "unknown event",
    }
    .to_owned()
}

/// The data of a tagged event: identifier, length, words. Linux writes "Linux initrd" and "LOADED_IMAGE::LoadOptions".
fn tagged(data: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(data);
    reader.u32_le()?;
    reader.sized_le()
}

/// Text up to the first NUL, in UTF-8 or UTF-16; `None` when it is not text. Only printable characters, and not many:
/// it ends up in a verdict.
fn printable(bytes: &[u8]) -> Option<String> {
    let text = match bytes {
        [first, 0, ..] if *first != 0 => {
            let (units, _) = bytes.as_chunks::<2>();
            let units: Vec<u16> = units
                .iter()
                .map(|unit| u16::from_le_bytes(*unit))
                .take_while(|unit| *unit != 0)
                .collect();
            String::from_utf16(&units).ok()?
        }
        _ => {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            std::str::from_utf8(bytes.get(..end)?).ok()?.to_owned()
        }
    };
    let text: String = text
        .chars()
        .filter(|character| !character.is_control())
        .take(MAX_NAME_CHARACTERS)
        .collect();
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}
