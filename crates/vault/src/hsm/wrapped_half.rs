//! The hardware security module's half of the root, wrapped: may lie anywhere.

use super::MAX_LABEL_BYTES;
use super::session::{NONCE_BYTES, WRAPPED_BYTES, check_label};
use crate::lock::Namespace;

const FORM: u8 = 1;
/// Most bytes of a wrapped half.
pub const MAX_WRAPPED_HALF_BYTES: usize = 2 + MAX_LABEL_BYTES + NONCE_BYTES + WRAPPED_BYTES;

/// A half under AES-256-GCM of a key that never leaves its module, bound to the namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedHalf {
    key_label: String,
    nonce: [u8; NONCE_BYTES],
    sealed: [u8; WRAPPED_BYTES],
}

/// Not a wrapped half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a wrapped half of this release")]
pub struct WrappedHalfError;

impl WrappedHalf {
    pub(super) const fn new(key_label: String, nonce: [u8; NONCE_BYTES], sealed: [u8; WRAPPED_BYTES]) -> Self {
        Self {
            key_label,
            nonce,
            sealed,
        }
    }

    /// Label of the key it is wrapped under.
    #[must_use]
    pub fn key_label(&self) -> &str {
        &self.key_label
    }

    pub(super) const fn nonce(&self) -> &[u8; NONCE_BYTES] {
        &self.nonce
    }

    pub(super) const fn sealed(&self) -> &[u8; WRAPPED_BYTES] {
        &self.sealed
    }

    /// Form, label with its length in front, nonce, sealed half.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MAX_WRAPPED_HALF_BYTES);
        #[allow(clippy::cast_possible_truncation)] // at most 32
        bytes.extend_from_slice(&[FORM, self.key_label.len() as u8]);
        bytes.extend_from_slice(self.key_label.as_bytes());
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.sealed);
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`WrappedHalfError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, WrappedHalfError> {
        Self::read(bytes).ok_or(WrappedHalfError)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (&[form, length], rest) = bytes.split_first_chunk::<2>()?;
        let (label, rest) = rest.split_at_checked(usize::from(length))?;
        let key_label = check_label(std::str::from_utf8(label).ok()?).ok()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let sealed = sealed.try_into().ok()?;
        (form == FORM).then_some(Self {
            key_label,
            nonce: *nonce,
            sealed,
        })
    }
}

pub(super) fn associated_data(namespace: &Namespace) -> Vec<u8> {
    [b"healthid/v1/hsm half\0", namespace.as_str().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_half_is_read_as_it_was_written_and_nothing_else_is() {
        let half = WrappedHalf::new("root-2027".to_owned(), [1; 12], [2; 48]);
        let bytes = half.to_bytes();
        assert_eq!(WrappedHalf::parse(&bytes), Ok(half));
        for length in 0..bytes.len() {
            assert_eq!(WrappedHalf::parse(&bytes[..length]), Err(WrappedHalfError));
        }
        assert!(WrappedHalf::parse(&[&bytes[..], &[0]].concat()).is_err());
        let change = |at: usize, to: u8| {
            let mut changed = bytes.clone();
            changed[at] = to;
            WrappedHalf::parse(&changed)
        };
        assert!(change(0, 2).is_err(), "another form");
        assert!(change(1, 0).is_err(), "no label");
        assert!(change(2, b'\n').is_err(), "a label that is no label");
    }
}
