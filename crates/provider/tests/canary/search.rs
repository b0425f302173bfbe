//! Finding a canary in any medium and any of the encodings in which software is apt to leave it.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// How a text may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    Raw,
    Reversed,
    Utf16Le,
    Utf16Be,
    HexLower,
    HexUpper,
    /// At one of the three alignments, standard alphabet.
    Base64(usize),
    /// Likewise, the alphabet of URLs.
    Base64Url(usize),
}

pub const ENCODINGS: [Encoding; 12] = [
    Encoding::Raw,
    Encoding::Reversed,
    Encoding::Utf16Le,
    Encoding::Utf16Be,
    Encoding::HexLower,
    Encoding::HexUpper,
    Encoding::Base64(0),
    Encoding::Base64(1),
    Encoding::Base64(2),
    Encoding::Base64Url(0),
    Encoding::Base64Url(1),
    Encoding::Base64Url(2),
];

impl Encoding {
    /// The bytes that stand there, whatever stands around them.
    pub fn encode(self, canary: &[u8]) -> Vec<u8> {
        let hex = |upper: bool| {
            let digit = |byte: &u8| {
                if upper {
                    format!("{byte:02X}")
                } else {
                    format!("{byte:02x}")
                }
            };
            canary.iter().map(digit).collect::<String>().into_bytes()
        };
        let utf16 = |bytes: fn(u16) -> [u8; 2]| {
            let text = String::from_utf8_lossy(canary);
            text.encode_utf16().flat_map(bytes).collect()
        };
        match self {
            Self::Raw => canary.to_vec(),
            Self::Reversed => canary.iter().rev().copied().collect(),
            Self::Utf16Le => utf16(u16::to_le_bytes),
            Self::Utf16Be => utf16(u16::to_be_bytes),
            Self::HexLower => hex(false),
            Self::HexUpper => hex(true),
            Self::Base64(alignment) => aligned(alignment, canary, |bytes| STANDARD.encode(bytes)),
            Self::Base64Url(alignment) => aligned(alignment, canary, |bytes| URL_SAFE.encode(bytes)),
        }
    }
}

/// The characters of a base64 text that depend on the canary alone, where it begins at this offset in a group of three.
fn aligned(offset: usize, canary: &[u8], encode: impl Fn(&[u8]) -> String) -> Vec<u8> {
    let text = encode(&[&vec![0; offset], canary].concat());
    let first = (offset * 8).div_ceil(6);
    let last = (offset + canary.len()) * 8 / 6;
    text.as_bytes()[first..last].to_vec()
}

/// What is searched for.
pub struct Search {
    patterns: Vec<(String, Encoding, Vec<u8>)>,
    /// By their first eight bytes.
    begins: HashMap<[u8; 8], Vec<usize>>,
    /// Which pairs of bytes begin a pattern.
    pairs: Vec<bool>,
}

/// Shorter canaries would be found by chance.
const MIN_BYTES: usize = 10;
/// Bytes of a medium that are held at once.
const WINDOW: usize = 1 << 20;

impl Search {
    pub fn new(canaries: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let mut search = Self {
            patterns: Vec::new(),
            begins: HashMap::new(),
            pairs: vec![false; 1 << 16],
        };
        for (name, canary) in canaries {
            assert!(canary.len() >= MIN_BYTES, "{name}");
            for encoding in ENCODINGS {
                let pattern = encoding.encode(&canary);
                if search.patterns.iter().any(|(_, _, known)| *known == pattern) {
                    continue;
                }
                let begin: [u8; 8] = pattern[..8].try_into().unwrap();
                search.pairs[usize::from(u16::from_le_bytes([begin[0], begin[1]]))] = true;
                search.begins.entry(begin).or_default().push(search.patterns.len());
                search.patterns.push((name.clone(), encoding, pattern));
            }
        }
        search
    }

    /// Everything found in these bytes.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<(String, Encoding)> {
        let mut found = Vec::new();
        for at in 0..bytes.len().saturating_sub(7) {
            if !self.pairs[usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))] {
                continue;
            }
            let begin: [u8; 8] = bytes[at..at + 8].try_into().unwrap();
            for pattern in self.begins.get(&begin).into_iter().flatten() {
                let (name, encoding, pattern) = &self.patterns[*pattern];
                let hit = (name.clone(), *encoding);
                if bytes[at..].starts_with(pattern) && !found.contains(&hit) {
                    found.push(hit);
                }
            }
        }
        found
    }

    /// Everything found in a reader, window by window.
    fn reader(&self, reader: &mut impl Read) -> Vec<(String, Encoding)> {
        let longest = self
            .patterns
            .iter()
            .map(|(_, _, pattern)| pattern.len())
            .max()
            .unwrap_or(0);
        let (mut found, mut window) = (Vec::new(), Vec::with_capacity(WINDOW + longest));
        loop {
            let kept = window.len();
            let mut part = reader.take(WINDOW as u64);
            // What cannot be read any more holds nothing for us.
            let read = part.read_to_end(&mut window).unwrap_or(0);
            found.extend(self.bytes(&window));
            if read == 0 && window.len() == kept {
                return found;
            }
            let from = window.len().saturating_sub(longest);
            window.drain(..from);
        }
    }

    /// Everything found in a file, or in every file of a directory.
    pub fn files(&self, path: &Path) -> Vec<(String, Encoding)> {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).unwrap();
            return entries.flat_map(|entry| self.files(&entry.unwrap().path())).collect();
        }
        self.reader(&mut std::fs::File::open(path).unwrap())
    }

    /// Everything found in the memory of a process, and how many bytes were searched.
    pub fn memory(&self, process: u32) -> (Vec<(String, Encoding)>, u64) {
        let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
        let mut memory = std::fs::File::open(format!("/proc/{process}/mem")).unwrap();
        let (mut found, mut searched) = (Vec::new(), 0);
        for line in maps.lines() {
            let mut fields = line.split_whitespace();
            let (Some(range), Some(rights)) = (fields.next(), fields.next()) else {
                continue;
            };
            // Program text is the program's file: nobody has written there.
            let text = rights.starts_with("r-x") && line.contains('/');
            if text || !rights.starts_with('r') || line.ends_with("[vvar]") || line.ends_with("[vsyscall]") {
                continue;
            }
            let (from, to) = range.split_once('-').unwrap();
            let (from, to) = (
                u64::from_str_radix(from, 16).unwrap(),
                u64::from_str_radix(to, 16).unwrap(),
            );
            if memory.seek(SeekFrom::Start(from)).is_err() {
                continue;
            }
            found.extend(self.reader(&mut (&mut memory).take(to - from)));
            searched += to - from;
        }
        (found, searched)
    }
}
