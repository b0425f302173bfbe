//! PEM (RFC 7468), writing only.

use x509_cert::der::pem::{LineEnding, encode_string};

/// Bytes as PEM text.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    // Fails for labels with hyphens and for lengths beyond usize only.
    encode_string(label, LineEnding::LF, der).unwrap_or_default()
}
