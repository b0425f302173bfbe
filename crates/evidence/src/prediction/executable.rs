//! The digest of an EFI application that firmware measures: Authenticode's, which leaves out checksum and signatures.

use aws_lc_rs::digest::{Context, SHA256};

use super::PredictionError;

/// A kernel has a handful.
const MAX_SECTIONS: usize = 32;
const PE32: u16 = 0x10b;
const PE32_PLUS: u16 = 0x20b;
const SECTION_BYTES: usize = 40;
/// The directory of signatures is the fifth.
const SIGNATURES: usize = 4;

/// SHA-256 over headers without checksum and signature directory, sections in the file's order, and what follows them but for
/// the signatures.
pub(super) fn authenticode(file: &[u8]) -> Result<[u8; 32], PredictionError> {
    let bytes = Bytes(file);
    if file.get(..2) != Some(b"MZ") {
        return Err(PredictionError::Executable("no DOS header"));
    }
    let header = bytes.usize_at(0x3c)?;
    if bytes.range(header, 4)? != b"PE\0\0" {
        return Err(PredictionError::Executable("no PE header"));
    }
    let (sections, optional_size) = (bytes.u16_at(plus(header, 6)?)?, bytes.u16_at(plus(header, 20)?)?);
    let optional = plus(header, 24)?;
    let directories = match bytes.u16_at(optional)? {
        PE32 => plus(optional, 96)?,
        PE32_PLUS => plus(optional, 112)?,
        _ => return Err(PredictionError::Executable("unknown optional header")),
    };
    let count = bytes.usize_at(directories - 4)?;
    if count <= SIGNATURES {
        return Err(PredictionError::Executable("no directory of signatures"));
    }
    let (checksum, signatures) = (plus(optional, 64)?, plus(directories, 8 * SIGNATURES)?);
    let signature_bytes = bytes.usize_at(plus(signatures, 4)?)?;
    let headers = bytes.usize_at(plus(optional, 60)?)?;
    let table = plus(optional, usize::from(optional_size))?;
    let sections = read_sections(&bytes, table, usize::from(sections))?;

    let mut hash = Context::new(&SHA256);
    hash.update(bytes.between(0, checksum)?);
    hash.update(bytes.between(plus(checksum, 4)?, signatures)?);
    hash.update(bytes.between(plus(signatures, 8)?, headers)?);
    let mut hashed = headers;
    for (start, size) in sections {
        hash.update(bytes.range(start, size)?);
        hashed = plus(hashed, size)?;
    }
    // Signatures are last in the file.
    let end = file
        .len()
        .checked_sub(signature_bytes)
        .ok_or(PredictionError::Executable("signatures longer than the file"))?;
    if hashed < end {
        hash.update(bytes.between(hashed, end)?);
    }
    let mut value = [0; 32];
    value.copy_from_slice(hash.finish().as_ref());
    Ok(value)
}

/// Where the sections' bytes are, sorted; empty ones are left out.
fn read_sections(bytes: &Bytes<'_>, table: usize, count: usize) -> Result<Vec<(usize, usize)>, PredictionError> {
    if count > MAX_SECTIONS {
        return Err(PredictionError::Executable("too many sections"));
    }
    let mut sections = Vec::new();
    for number in 0..count {
        let entry = plus(table, number * SECTION_BYTES)?;
        let (size, start) = (bytes.usize_at(plus(entry, 16)?)?, bytes.usize_at(plus(entry, 20)?)?);
        if size > 0 {
            sections.push((start, size));
        }
    }
    sections.sort_unstable();
    Ok(sections)
}

fn plus(one: usize, other: usize) -> Result<usize, PredictionError> {
    one.checked_add(other).ok_or(CUT)
}

const CUT: PredictionError = PredictionError::Executable("it is cut off");

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn range(&self, start: usize, length: usize) -> Result<&'a [u8], PredictionError> {
        self.between(start, plus(start, length)?)
    }

    fn between(&self, start: usize, end: usize) -> Result<&'a [u8], PredictionError> {
        self.0.get(start..end).ok_or(CUT)
    }

    fn u16_at(&self, at: usize) -> Result<u16, PredictionError> {
        let bytes = self.range(at, 2)?.try_into().map_err(|_| CUT)?;
        Ok(u16::from_le_bytes(bytes))
    }

    fn usize_at(&self, at: usize) -> Result<usize, PredictionError> {
        let bytes = self.range(at, 4)?.try_into().map_err(|_| CUT)?;
        usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| CUT)
    }
}
