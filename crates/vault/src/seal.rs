//! Sealing a record: AES-256-GCM under a key that is used for one write only.
//!
//! The key is HKDF(K, salt) with a salt of HMAC(K', fresh randomness ‖ associated data ‖ plaintext). A machine that was
//! cloned or rewound repeats its randomness; the salt then still differs wherever the message differs, so no key meets two
//! messages (`tee.md` 4.3, hedged form). The nonce is therefore constant.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use store::{Condition, Key, SealedBytes, UnixSeconds, Write};
use zeroize::Zeroizing;

use crate::error::{OpenError, SealError};
use crate::hierarchy::{KEY_BYTES, KeyMaterial, derive, derive_salted};
use crate::random::random_array;
use crate::secret_memory::Secret;

/// Bytes of the salt in front of the ciphertext.
const SALT_BYTES: usize = 32;
/// Bytes of the authentication tag behind it.
const TAG_BYTES: usize = 16;
/// What sealing adds.
pub(crate) const OVERHEAD_BYTES: usize = SALT_BYTES + TAG_BYTES;
/// Bytes in front of padded content that say how long it is.
pub(crate) const LENGTH_BYTES: usize = 2;

/// A change that is ready for the store: the write, and the condition that makes it the version it was sealed as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedChange {
    /// Must be among the conditions of the commit.
    pub condition: Condition,
    /// The write.
    pub write: Write,
}

impl SealedChange {
    /// A put over the stored version (`None`: nothing is stored).
    pub(crate) fn put(key: Key, stored: Option<u64>, sealed: Vec<u8>, expires_at: Option<UnixSeconds>) -> Self {
        let condition = match stored {
            None => Condition::Absent(key),
            Some(version) => Condition::VersionIs(key, version),
        };
        let sealed = SealedBytes::from_sealed(sealed);
        Self {
            condition,
            write: Write::Put {
                key,
                sealed,
                expires_at,
            },
        }
    }
}

/// Appends salt, ciphertext and tag to `out`.
pub(crate) fn seal_into(
    out: &mut Vec<u8>,
    key: &KeyMaterial,
    associated_data: &[u8],
    plaintext: &[u8],
) -> Result<(), SealError> {
    #[cfg(feature = "count-work")]
    crate::work::count(|work| work.sealed += 1);
    let salt = hedged_salt(key, &random_array(), associated_data, plaintext);
    seal_with_salt(out, key, &salt, associated_data, plaintext)
}

fn seal_with_salt(
    out: &mut Vec<u8>,
    key: &KeyMaterial,
    salt: &[u8; SALT_BYTES],
    associated_data: &[u8],
    plaintext: &[u8],
) -> Result<(), SealError> {
    out.reserve(OVERHEAD_BYTES + plaintext.len());
    out.extend_from_slice(salt);
    let start = out.len();
    out.extend_from_slice(plaintext);
    let sealed = write_key(key, salt).and_then(|cipher| {
        cipher.seal_in_place_separate_tag(constant_nonce(), Aad::from(associated_data), &mut out[start..])
    });
    match sealed {
        Ok(tag) => {
            out.extend_from_slice(tag.as_ref());
            Ok(())
        }
        Err(_) => {
            out.truncate(start); // the plaintext must not be taken for ciphertext
            Err(SealError::Failed)
        }
    }
}

/// Opens what [`seal_into`] appended.
pub(crate) fn open(key: &KeyMaterial, associated_data: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    #[cfg(feature = "count-work")]
    crate::work::count(|work| work.opened += 1);
    let (salt, ciphertext) = sealed.split_first_chunk::<SALT_BYTES>().ok_or(OpenError::TooShort)?;
    if ciphertext.len() < TAG_BYTES {
        return Err(OpenError::TooShort);
    }
    let mut content = Zeroizing::new(ciphertext.to_vec());
    let length = write_key(key, salt)
        .and_then(|cipher| {
            let opened = cipher.open_in_place(constant_nonce(), Aad::from(associated_data), &mut content)?;
            Ok(opened.len())
        })
        .map_err(|_| OpenError::NotAuthentic)?;
    content.truncate(length);
    Ok(content)
}

/// Opens a sealed key without its bytes standing anywhere but in secret memory.
pub(crate) fn open_key(key: &KeyMaterial, associated_data: &[u8], sealed: &[u8]) -> Result<KeyMaterial, OpenError> {
    #[cfg(feature = "count-work")]
    crate::work::count(|work| work.opened += 1);
    let (salt, ciphertext) = sealed.split_first_chunk::<SALT_BYTES>().ok_or(OpenError::TooShort)?;
    let ciphertext: &[u8; KEY_BYTES + TAG_BYTES] = ciphertext.try_into().map_err(|_| OpenError::Content)?;
    let mut buffer = Secret::<{ KEY_BYTES + TAG_BYTES }>::copy_of(ciphertext);
    let opened = write_key(key, salt)
        .and_then(|cipher| {
            let opened = cipher.open_in_place(constant_nonce(), Aad::from(associated_data), buffer.bytes_mut())?;
            opened
                .first_chunk()
                .map(Secret::copy_of)
                .ok_or(aws_lc_rs::error::Unspecified)
        })
        .map_err(|_| OpenError::NotAuthentic)?;
    Ok(opened)
}

fn hedged_salt(
    key: &KeyMaterial,
    randomness: &[u8; SALT_BYTES],
    associated_data: &[u8],
    plaintext: &[u8],
) -> [u8; SALT_BYTES] {
    let hedge = derive(key, &[b"healthid/v1/hedge"]);
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &hedge[..]));
    context.update(randomness);
    context.update(&(associated_data.len() as u64).to_be_bytes());
    context.update(associated_data);
    context.update(plaintext);
    let mut salt = [0; SALT_BYTES];
    salt.copy_from_slice(context.sign().as_ref());
    salt
}

fn write_key(key: &KeyMaterial, salt: &[u8]) -> Result<LessSafeKey, aws_lc_rs::error::Unspecified> {
    let key = derive_salted(&key[..], salt, &[b"healthid/v1/write"]);
    UnboundKey::new(&AES_256_GCM, &key[..]).map(LessSafeKey::new)
}

/// One key, one message: the nonce carries nothing.
fn constant_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// Content in `room` bytes, its length in front and zeros behind, so that its size tells nothing.
pub(crate) fn pad(content: &[u8], room: usize) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let too_long = SealError::TooLong {
        limit: room.saturating_sub(LENGTH_BYTES),
        found: content.len(),
    };
    let length = u16::try_from(content.len()).map_err(|_| too_long)?;
    if LENGTH_BYTES + content.len() > room {
        return Err(too_long);
    }
    let mut padded = Zeroizing::new(Vec::with_capacity(room));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(content);
    padded.resize(room, 0);
    Ok(padded)
}

/// The content of what [`pad`] made.
pub(crate) fn unpad(padded: &[u8]) -> Result<&[u8], OpenError> {
    let (length, rest) = padded.split_first_chunk::<LENGTH_BYTES>().ok_or(OpenError::Content)?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
        .ok_or(OpenError::Content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn key() -> KeyMaterial {
        Secret::copy_of(&[3; 32])
    }

    fn sealed(plaintext: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        seal_into(&mut out, &key(), b"bound to", plaintext).unwrap();
        out
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let sealed = sealed(b"something personal");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                open(&key(), b"bound to", &changed).unwrap_err(),
                OpenError::NotAuthentic
            );
        }
    }

    #[test]
    fn every_truncation_and_extension_is_noticed() {
        let sealed = sealed(b"something personal");
        for length in 0..sealed.len() {
            assert!(open(&key(), b"bound to", &sealed[..length]).is_err());
        }
        assert!(open(&key(), b"bound to", &[&sealed[..], &[0]].concat()).is_err());
    }

    #[test]
    fn other_key_or_other_binding_is_refused() {
        let sealed = sealed(b"x");
        assert_eq!(
            open(&key(), b"bound too", &sealed).unwrap_err(),
            OpenError::NotAuthentic
        );
        assert_eq!(
            open(&Secret::copy_of(&[4; 32]), b"bound to", &sealed).unwrap_err(),
            OpenError::NotAuthentic
        );
    }

    #[test]
    fn repeated_randomness_repeats_no_key_for_another_message() {
        // As after a snapshot was resumed twice.
        let randomness = [9; SALT_BYTES];
        let salt =
            |associated_data: &[u8], plaintext: &[u8]| hedged_salt(&key(), &randomness, associated_data, plaintext);
        assert_eq!(salt(b"a", b"message"), salt(b"a", b"message"));
        let salts = [
            salt(b"a", b"message"),
            salt(b"a", b"Message"),
            salt(b"b", b"message"),
            salt(b"am", b"essage"),
        ];
        for (index, one) in salts.iter().enumerate() {
            assert!(salts[..index].iter().all(|other| other != one));
        }
    }

    #[test]
    fn same_message_is_sealed_differently_each_time() {
        assert_ne!(sealed(b"x"), sealed(b"x"));
    }

    #[test]
    fn padding_has_one_size_and_a_limit() {
        for length in [0, 1, 254, 509, 510] {
            let padded = pad(&vec![1; length], 512).unwrap();
            assert_eq!((padded.len(), unpad(&padded).unwrap().len()), (512, length));
        }
        let error = SealError::TooLong { limit: 510, found: 511 };
        assert_eq!(pad(&[1; 511], 512).unwrap_err(), error);
        assert!(pad(&vec![1; 70_000], 100_000).is_err());
        assert!(pad(&[], 1).is_err());
        assert_eq!(unpad(&[]).unwrap_err(), OpenError::Content);
        assert_eq!(unpad(&[0, 3, 1, 2]).unwrap_err(), OpenError::Content);
    }

    #[test]
    fn no_key_meets_two_messages_though_the_generator_was_cloned() {
        // Attack 29: every sealing draws its randomness twice from the same state, for another message each time. The nonce is
        // constant, so a pair of key and nonce repeats exactly where a salt repeats.
        const MESSAGES: u32 = 100_000;
        let mut salts = std::collections::HashMap::with_capacity(2 * MESSAGES as usize);
        for life in ["before the snapshot", "after it was resumed"] {
            crate::random::with_cloned_state(7, || {
                for number in 0..MESSAGES {
                    let mut message = life.as_bytes().to_vec();
                    message.extend_from_slice(&(number / 2).to_be_bytes()); // each twice, in different versions
                    let about = number.to_be_bytes();
                    let salt = hedged_salt(&key(), &random_array(), &about, &message);
                    if let Some(other) = salts.insert(salt, (about, message.clone())) {
                        assert_eq!(other, (about, message), "one key for two messages");
                    }
                }
            });
        }
        assert_eq!(salts.len(), 2 * MESSAGES as usize);
    }

    #[test]
    fn test_of_the_cloned_generator_would_notice_a_plain_one() {
        // What the salt would be without the hedge: the randomness itself. It repeats, so the test above can fail.
        let drawn = || crate::random::with_cloned_state(7, || [random_array::<32>(), random_array()]);
        assert_eq!(drawn(), drawn());
        assert_ne!(drawn()[0], drawn()[1]);
    }

    #[test]
    fn sealed_key_is_opened_into_secret_memory() {
        let wrapped = sealed(&[5; 32]);
        assert_eq!(*open_key(&key(), b"bound to", &wrapped).unwrap(), [5; 32]);
        for bit in 0..wrapped.len() * 8 {
            let mut changed = wrapped.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                open_key(&key(), b"bound to", &changed).unwrap_err(),
                OpenError::NotAuthentic
            );
        }
        assert_eq!(
            open_key(&key(), b"bound to", &sealed(&[5; 31])).unwrap_err(),
            OpenError::Content
        );
        assert_eq!(
            open_key(&key(), b"bound to", &[0; 10]).unwrap_err(),
            OpenError::TooShort
        );
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(plaintext in proptest::collection::vec(any::<u8>(), 0..600)) {
            let padded = pad(&plaintext, 602).unwrap();
            let opened = open(&key(), b"bound to", &sealed(&padded)).unwrap();
            prop_assert_eq!(unpad(&opened).unwrap(), &plaintext[..]);
        }

        #[test]
        fn arbitrary_bytes_never_open(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(open(&key(), b"bound to", &bytes).is_err());
        }
    }
}
