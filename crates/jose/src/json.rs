//! JSON that means one thing only (RFC 8259, with RFC 7493's rule on duplicate members).
//!
//! Two parsers that disagree about a duplicate member are the oldest way to smuggle a claim past a check. So a
//! document is refused when it has a duplicate member at any level, is not UTF-8, is deeper or longer than its
//! limits, or has bytes behind its end. Errors name the rule and the place, never a value.

mod scan;

use std::fmt::Write as _;

use serde::de::{DeserializeOwned, DeserializeSeed as _};
use serde_json::Value;
use serde_json::error::Category;

pub(crate) use scan::{Depth, NameSeed, Refusal, TreeSeed};

/// What a document may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Greatest length in bytes.
    pub bytes: usize,
    /// Greatest number of arrays and objects inside one another; a bare string has depth 0.
    pub depth: usize,
}

/// 64 KiB, 16 levels: more than any statement or token of the federation needs.
pub const DEFAULT: Limits = Limits {
    bytes: 64 * 1024,
    depth: 16,
};

/// Why a document was refused. Carries no value of the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Longer than allowed.
    #[error("document is too long, expected at most {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Not UTF-8 (RFC 8259 §8.1).
    #[error("document is not UTF-8 (RFC 8259 section 8.1)")]
    NotUtf8,
    /// Arrays and objects nested deeper than allowed.
    #[error("document is nested too deep, expected at most {limit} levels")]
    TooDeep {
        /// The limit in levels.
        limit: usize,
    },
    /// A member occurs twice in one object (RFC 7493 §2.3).
    #[error("member `{member}` occurs twice in one object (RFC 7493 section 2.3)")]
    DuplicateMember {
        /// The name, when it looks like a protocol's name, else `(unnamed)`.
        member: String,
    },
    /// Not JSON, or bytes behind its end.
    #[error("document is not JSON: line {line}, column {column}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1; 0 when unknown.
        column: usize,
    },
    /// JSON, but not of the wanted shape.
    #[error("document has the wrong shape: {expected} (line {line}, column {column})")]
    Shape {
        /// What was expected.
        expected: String,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1; 0 when unknown.
        column: usize,
    },
}

/// Parses one document into a tree.
///
/// # Errors
/// [`JsonError`], every variant but `Shape`.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, JsonError> {
    let text = check_text(bytes, limits)?;
    let refusal = Refusal::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    let tree = TreeSeed::new(&refusal, Depth::of(limits))
        .deserialize(&mut reader)
        .map_err(|error| refusal.take().unwrap_or_else(|| describe(&error)))?;
    reader.end().map_err(|error| describe(&error))?;
    Ok(tree)
}

/// Parses one document into `T` without building a tree: one pass checks it, a second one fills `T`.
///
/// # Errors
/// [`JsonError`]; `Shape` says what `T` expected, without quoting the document.
pub fn parse_as<T: DeserializeOwned>(bytes: &[u8], limits: &Limits) -> Result<T, JsonError> {
    let text = check_text(bytes, limits)?;
    check(text, limits)?;
    serde_json::from_str(text).map_err(|error| describe(&error))
}

/// Length and encoding, before anything is looked at.
fn check_text<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, JsonError> {
    if bytes.len() > limits.bytes {
        return Err(JsonError::TooLong { limit: limits.bytes });
    }
    std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)
}

/// All rules of this module, building nothing.
fn check(text: &str, limits: &Limits) -> Result<(), JsonError> {
    let refusal = Refusal::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    scan::ScanSeed::new(&refusal, Depth::of(limits))
        .deserialize(&mut reader)
        .map_err(|error| refusal.take().unwrap_or_else(|| describe(&error)))?;
    reader.end().map_err(|error| describe(&error))
}

/// serde's messages quote the offending value; keep only what the code expected.
pub(crate) fn describe(error: &serde_json::Error) -> JsonError {
    let (line, column) = (error.line(), error.column());
    if error.classify() != Category::Data {
        return JsonError::Syntax { line, column };
    }
    let message = error.to_string();
    let place = format!(" at line {line} column {column}");
    let message = message.strip_suffix(place.as_str()).unwrap_or(&message);
    let mut expected = String::new();
    if message.starts_with("missing field `") || message.starts_with("duplicate field `") {
        // These two name a member of ours, never the sender's text.
        expected.push_str(message);
    } else if message.starts_with(JWK_MESSAGE) {
        expected.push_str(message);
    } else if [
        "invalid type: ",
        "invalid value: ",
        "invalid length ",
        "unknown field ",
        "unknown variant ",
    ]
    .iter()
    .any(|prefix| message.starts_with(prefix))
    {
        match message.rsplit_once(", expected ") {
            Some((_, wanted)) => {
                let _ = write!(expected, "expected {wanted}");
            }
            None => expected.push_str("a member is not allowed here"),
        }
    } else {
        expected.push_str("a member has a value that is not allowed");
    }
    JsonError::Shape { expected, line, column }
}

/// Begins the messages of [`crate::jwk::JwkError`], which quote nothing, when they travel as serde's text.
pub(crate) const JWK_MESSAGE: &str = "JWK: ";

/// Appends `text` as a JSON string with its quotation marks.
pub(crate) fn push_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut clean_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text.as_bytes()[clean_from..at]);
        clean_from = at + 1;
        if byte < 0x20 {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        } else {
            out.extend_from_slice(&[b'\\', byte]);
        }
    }
    out.extend_from_slice(&text.as_bytes()[clean_from..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests;
