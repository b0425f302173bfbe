//! What a record holds: sealed bytes, a version, perhaps an expiry.

use std::fmt;

/// Seconds since 1970-01-01T00:00:00Z. This room knows no clock: callers say what time it is.
pub type UnixSeconds = u64;

/// Bytes that were encrypted before they came here. A backend keeps them and gives them back unread.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SealedBytes(Vec<u8>);

impl SealedBytes {
    /// Takes ciphertext. Called by the room `vault` after sealing and by backends when reading back; nobody else
    /// has a reason to (the repository's lint configuration says so).
    #[must_use]
    pub const fn from_sealed(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The ciphertext.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes at all, as in a marker whose key says everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SealedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedBytes")
    }
}

/// A record as it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// 1 when first written, one more with every later write; starts at 1 again after deletion.
    pub version: u64,
    /// The sealed body.
    pub sealed: SealedBytes,
    /// When the record may go. `None`: it stays until deleted.
    pub expires_at: Option<UnixSeconds>,
}
