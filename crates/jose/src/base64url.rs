//! base64url without padding, one spelling per value (RFC 7515 §2, RFC 4648 §3.5 and §5).
//!
//! A second spelling of the same bytes would let one token have two digests, so unused trailing bits must be zero.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, DecodeSliceError};

/// Why a string is not base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Base64UrlError {
    /// The text carries `=`.
    #[error("base64url carries padding, expected none (RFC 7515 section 2)")]
    Padding,
    /// A character outside `A-Z a-z 0-9 - _`.
    #[error("base64url carries a character outside its alphabet at offset {offset} (RFC 4648 section 5)")]
    Alphabet {
        /// Byte offset of the first such character.
        offset: usize,
    },
    /// Unused bits of the last character are not zero.
    #[error("base64url is not canonical: the unused bits of the last character are not zero (RFC 4648 section 3.5)")]
    NotCanonical,
    /// The text ends inside a byte.
    #[error("base64url ends inside a byte")]
    Truncated,
    /// The bytes are fewer or more than the member requires.
    #[error("base64url value is of the wrong length, expected exactly {expected} bytes")]
    Length {
        /// The required number of bytes.
        expected: usize,
    },
}

/// The base64url text of `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the base64url text of `bytes` to `out`.
pub fn encode_into(bytes: &[u8], out: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, out);
}

/// How many characters `bytes` bytes take.
#[must_use]
pub const fn encoded_length(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// The bytes behind `text`.
///
/// # Errors
/// [`Base64UrlError`] when the text is padded, not canonical or not base64url at all.
pub fn decode(text: &str) -> Result<Vec<u8>, Base64UrlError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| refusal(text, error))
}

/// The bytes behind `text`, appended to `out`.
///
/// # Errors
/// As [`decode`]; `out` may then hold a part of the bytes.
pub fn decode_into(text: &str, out: &mut Vec<u8>) -> Result<(), Base64UrlError> {
    URL_SAFE_NO_PAD
        .decode_vec(text, out)
        .map_err(|error| refusal(text, error))
}

/// Exactly `N` bytes.
///
/// # Errors
/// As [`decode`], and [`Base64UrlError::Length`] when there are fewer or more.
pub fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], Base64UrlError> {
    if text.len() != encoded_length(N) {
        // Say what is wrong with the text first: a padded coordinate is a padding mistake, not a length mistake.
        decode(text)?;
        return Err(Base64UrlError::Length { expected: N });
    }
    let mut bytes = [0u8; N];
    match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
        Ok(length) if length == N => Ok(bytes),
        Ok(_) | Err(DecodeSliceError::OutputSliceTooSmall) => Err(Base64UrlError::Length { expected: N }),
        Err(DecodeSliceError::DecodeError(error)) => Err(refusal(text, error)),
    }
}

fn refusal(text: &str, error: DecodeError) -> Base64UrlError {
    // The library reports a wrong length before a wrong character; what stands first in the text is said first here.
    let outside = |byte: u8| !(byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    match text.bytes().enumerate().find(|(_, byte)| outside(*byte)) {
        Some((_, b'=')) => return Base64UrlError::Padding,
        Some((offset, _)) => return Base64UrlError::Alphabet { offset },
        None => {}
    }
    match error {
        DecodeError::InvalidLastSymbol { .. } => Base64UrlError::NotCanonical,
        DecodeError::InvalidLength(_) | DecodeError::InvalidByte(..) => Base64UrlError::Truncated,
        DecodeError::InvalidPadding => Base64UrlError::Padding,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn second_spellings_are_refused() {
        for (text, expected) in [
            ("AA==", Base64UrlError::Padding),
            ("AAA=", Base64UrlError::Padding),
            ("A=AA", Base64UrlError::Padding),
            ("AB", Base64UrlError::NotCanonical),
            ("AAB", Base64UrlError::NotCanonical),
            ("A", Base64UrlError::Truncated),
            ("AAAAA", Base64UrlError::Truncated),
            ("AA+A", Base64UrlError::Alphabet { offset: 2 }),
            ("/AAA", Base64UrlError::Alphabet { offset: 0 }),
            ("AA\nA", Base64UrlError::Alphabet { offset: 2 }),
            (" AAA", Base64UrlError::Alphabet { offset: 0 }),
            ("AAAé", Base64UrlError::Alphabet { offset: 3 }),
        ] {
            assert_eq!(decode(text), Err(expected), "{text:?}");
        }
        assert_eq!(decode(""), Ok(Vec::new()));
    }

    #[test]
    fn a_coordinate_has_exactly_its_length() {
        for length in [0usize, 1, 31, 33, 64] {
            let text = encode(&vec![7; length]);
            assert_eq!(decode_array::<32>(&text), Err(Base64UrlError::Length { expected: 32 }));
        }
        assert_eq!(decode_array::<32>(&encode(&[7; 32])), Ok([7; 32]));
        let padded = format!("{}=", encode(&[7; 32]));
        assert_eq!(decode_array::<32>(&padded), Err(Base64UrlError::Padding));
        let mut last = encode(&[0; 32]);
        last.pop();
        last.push('B');
        assert_eq!(decode_array::<32>(&last), Err(Base64UrlError::NotCanonical));
    }

    proptest! {
        #[test]
        fn bytes_survive_the_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = encode(&bytes);
            prop_assert_eq!(text.len(), encoded_length(bytes.len()));
            prop_assert_eq!(decode(&text).unwrap(), bytes.clone());
            let mut appended = b"before".to_vec();
            decode_into(&text, &mut appended).unwrap();
            prop_assert_eq!(&appended[6..], &bytes[..]);
        }

        #[test]
        fn whatever_decodes_encodes_to_the_same_text(text in "[A-Za-z0-9_=+/-]{0,12}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
