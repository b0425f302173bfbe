//! Randomness, and identifiers made of it.

use jose::UnixTime;

/// Fills bytes with randomness from the cryptography library's generator (seeded and reseeded from the operating
/// system and the processor).
///
/// # Panics
/// If the library has no randomness: nothing may go on then.
pub fn random(bytes: &mut [u8]) {
    #[cfg(test)]
    if cloned::fill(bytes) {
        return;
    }
    // aws-lc's generator reports failure only when its entropy source is broken; it aborts rather than return.
    #[allow(clippy::expect_used, clippy::disallowed_methods)] // this is where randomness comes from
    aws_lc_rs::rand::fill(bytes).expect("the generator works or the process must end");
}

pub(crate) fn random_array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    random(&mut bytes);
    bytes
}

/// The same randomness for the libraries that take a generator.
pub(crate) struct VaultRandom;

impl hpke::rand_core::TryRng for VaultRandom {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_be_bytes(random_array()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_be_bytes(random_array()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        random(bytes);
        Ok(())
    }
}

impl hpke::rand_core::TryCryptoRng for VaultRandom {}

#[cfg(test)]
pub(crate) use cloned::with_cloned_state;

/// A machine that was cloned or rewound: this thread's randomness repeats from a given state.
#[cfg(test)]
mod cloned {
    use std::cell::Cell;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// Runs `work` with randomness that depends on `state` and the order of draws only.
    pub(crate) fn with_cloned_state<T>(state: u64, work: impl FnOnce() -> T) -> T {
        STATE.set(Some(state));
        let result = work();
        STATE.set(None);
        result
    }

    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        let Some(mut state) = STATE.get() else {
            return false;
        };
        for byte in bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        STATE.set(Some(state));
        true
    }
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
