//! Signed notes: text, an empty line, signature lines (C2SP signed-note).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::LogError;
use super::keys::is_note_name;

/// Longest note in bytes.
pub const MAX_NOTE_BYTES: usize = 16 * 1024;
/// Greatest number of signature lines; the format asks for at least 16.
pub const MAX_NOTE_SIGNATURES: usize = 32;
/// Longest signature in bytes, key identifier included. Ours have 68 and 76.
const MAX_SIGNATURE_BYTES: usize = 4096;

/// A note as it came: nothing is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoteSignature {
    pub(super) name: String,
    pub(super) key_id: [u8; 4],
    pub(super) signature: Vec<u8>,
}

impl NoteSignature {
    /// The line, with its newline.
    pub(super) fn line(&self) -> String {
        let bytes = [&self.key_id[..], &self.signature[..]].concat();
        format!("\u{2014} {} {}\n", self.name, STANDARD.encode(bytes))
    }

    fn parse(line: &str) -> Result<Self, LogError> {
        let malformed = |rule| LogError::NoteMalformed { rule };
        let rest = line
            .strip_prefix("\u{2014} ")
            .ok_or(malformed("a signature line begins with a dash and a space"))?;
        let (name, signature) = rest
            .split_once(' ')
            .ok_or(malformed("a signature line has a name and a signature"))?;
        if !is_note_name(name) {
            return Err(malformed("a name is visible ASCII without +"));
        }
        let bytes = STANDARD
            .decode(signature)
            .map_err(|_| malformed("a signature is base64 (RFC 4648 section 4)"))?;
        let (key_id, signature) = bytes
            .split_first_chunk::<4>()
            .filter(|(_, signature)| !signature.is_empty() && signature.len() <= MAX_SIGNATURE_BYTES)
            .ok_or(malformed("a signature has a key identifier and 1 to 4096 bytes"))?;
        Ok(Self {
            name: name.to_owned(),
            key_id: *key_id,
            signature: signature.to_vec(),
        })
    }
}

impl Note {
    /// A note with no signature yet; `text` ends with a newline.
    pub(super) fn unsigned(text: String) -> Self {
        Self {
            text,
            signatures: Vec::new(),
        }
    }

    /// Reads a note with at least one signature line.
    ///
    /// # Errors
    /// [`LogError::NoteMalformed`].
    pub fn parse(note: &str) -> Result<Self, LogError> {
        let malformed = |rule| LogError::NoteMalformed { rule };
        if note.len() > MAX_NOTE_BYTES {
            return Err(malformed("at most 16384 bytes"));
        }
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(malformed("no control characters but newline"));
        }
        // The last empty line separates.
        let (text, signatures) = note
            .rsplit_once("\n\n")
            .ok_or(malformed("text, an empty line, signatures"))?;
        let signatures = signatures
            .strip_suffix('\n')
            .ok_or(malformed("the last line ends with a newline"))?
            .split('\n')
            .map(NoteSignature::parse)
            .take(MAX_NOTE_SIGNATURES + 1)
            .collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > MAX_NOTE_SIGNATURES {
            return Err(malformed("at most 32 signatures"));
        }
        Ok(Self {
            text: format!("{text}\n"),
            signatures,
        })
    }

    /// The note's text with its last newline: what is signed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds signature lines, each once.
    pub(super) fn add(&mut self, signature: NoteSignature) {
        if !self.signatures.contains(&signature) {
            self.signatures.push(signature);
        }
    }

    /// Reads signature lines as a witness answers them, and adds them.
    ///
    /// # Errors
    /// [`LogError::NoteMalformed`].
    pub fn add_lines(&mut self, lines: &str) -> Result<(), LogError> {
        let added = Self::parse(&format!("{}\n{lines}", self.text))?;
        for signature in added.signatures {
            self.add(signature);
        }
        Ok(())
    }

    /// The note as text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = format!("{}\n", self.text);
        for signature in &self.signatures {
            out.push_str(&signature.line());
        }
        out
    }
}
