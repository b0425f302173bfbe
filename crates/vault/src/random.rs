//! Randomness, and identifiers made of it.

use jose::UnixTime;

/// Fills bytes with randomness from the cryptography library's generator (seeded and reseeded from the operating
/// system and the processor).
///
/// # Panics
/// If the library has no randomness: nothing may go on then.
pub fn random(bytes: &mut [u8]) {
    // aws-lc's generator reports failure only when its entropy source is broken; it aborts rather than return.
    #[allow(clippy::expect_used, clippy::disallowed_methods)] // this is where randomness comes from
    aws_lc_rs::rand::fill(bytes).expect("the generator works or the process must end");
}

pub(crate) fn random_array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    random(&mut bytes);
    bytes
}

/// A UUID version 7 (RFC 9562 §5.7) from a time and random bytes, in its usual text form. Names keys so that younger
/// ones sort behind older ones; not a secret.
#[must_use]
pub fn uuid_v7(now: UnixTime, random: [u8; 10]) -> String {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&now.0.saturating_mul(1_000).to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random);
    bytes[6] = bytes[6] & 0x0f | 0x70;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).unwrap_or('0'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_has_version_variant_and_order() {
        let uuid = uuid_v7(UnixTime(1_795_262_400), [0xff; 10]);
        assert_eq!(uuid, "01a1fdfa-4600-7fff-bfff-ffffffffffff");
        assert!(uuid < uuid_v7(UnixTime(1_795_262_401), [0; 10]));
    }

    #[test]
    fn random_bytes_differ() {
        assert_ne!(random_array::<32>(), random_array::<32>());
    }
}
