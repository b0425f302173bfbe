//! An app's PIN, tried at the provider without telling it: OPRF(P-256, SHA-256) of RFC 9497, base mode.
//!
//! The phone blinds its PIN, the provider multiplies by a share that only it holds, the phone unblinds: out comes a secret that takes both, PIN and
//! share. What the phone keeps is wrapped with it. So whoever has the phone's storage can try a PIN only at the provider, which counts; and the
//! provider sees a random point, neither the PIN nor whether it was right.
//!
//! Trusted for: a share of one device says nothing about another's; what is no point of the curve, or the point at infinity, is refused.
//!
//! Does not: count (that is the freshness ledger's), or keep somebody who has *both* the share and the phone's storage from trying every PIN there is.

use std::fmt;

use aws_lc_rs::digest;
use hash2curve::ExpandMsgXmd;
use jose::base64url;
use p256::elliptic_curve::PrimeField as _;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{NistP256, NonZeroScalar, ProjectivePoint, PublicKey, Scalar};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a point: SEC 1, compressed.
pub const ELEMENT_BYTES: usize = 33;
/// Bytes of what comes out.
pub const OUTPUT_BYTES: usize = 32;
/// Longest PIN, in bytes.
pub const MAX_PIN_BYTES: usize = 64;
/// How often a PIN may be tried before the card is needed.
pub const MAX_TRIES: u64 = 10;

/// RFC 9497 §4.3: `OPRFV1-`, mode 0, the suite.
const GROUP_DOMAIN: &[u8] = b"HashToGroup-OPRFV1-\x00-P256-SHA256";
/// A draw that is no scalar comes once in 2^32.
const DRAWS: usize = 4;
/// Bits of a floor that count tries.
const TRY_BITS: u32 = 8;

/// Why a PIN is not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// RFC 9497 §4.3, `DeserializeElement`.
    #[error("a point must be 33 bytes, base64url: a compressed point of P-256, and not the one at infinity")]
    Element,
    /// Nothing, or more than there is room for.
    #[error("a PIN must have 1 to {MAX_PIN_BYTES} bytes")]
    Length,
    /// The randomness given does not do.
    #[error("no scalar was drawn")]
    Randomness,
}

impl PinError {
    /// A fixed word for logs and tools.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Element => "pin.element",
            Self::Length => "pin.length",
            Self::Randomness => "pin.randomness",
        }
    }
}

/// A point from the other side: on the curve, and not the one at infinity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Element(ProjectivePoint);

impl Element {
    /// Reads 33 bytes.
    ///
    /// # Errors
    /// [`PinError::Element`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PinError> {
        // SEC 1 knows more forms of the same length; RFC 9497 §4.3 takes the compressed one.
        if bytes.len() != ELEMENT_BYTES || !matches!(bytes, [2 | 3, ..]) {
            return Err(PinError::Element);
        }
        let point = PublicKey::from_sec1_bytes(bytes).map_err(|_| PinError::Element)?;
        Ok(Self(point.to_projective()))
    }

    /// Reads base64url.
    ///
    /// # Errors
    /// [`PinError::Element`].
    pub fn parse(text: &str) -> Result<Self, PinError> {
        let bytes = base64url::decode_array::<ELEMENT_BYTES>(text).map_err(|_| PinError::Element)?;
        Self::from_bytes(&bytes)
    }

    /// The 33 bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; ELEMENT_BYTES] {
        let mut bytes = [0; ELEMENT_BYTES];
        bytes.copy_from_slice(self.0.to_affine().to_sec1_point(true).as_bytes());
        bytes
    }

    /// As on the wire.
    #[must_use]
    pub fn to_text(self) -> String {
        base64url::encode(&self.to_bytes())
    }

    fn times(self, scalar: &Scalar) -> Self {
        Self(self.0 * scalar)
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Element")
    }
}

/// The provider's half: one for each device, kept in its sealed record.
#[derive(Clone, PartialEq, Eq)]
pub struct PinShare(Zeroizing<[u8; 32]>);

impl PinShare {
    /// A new share.
    ///
    /// # Errors
    /// [`PinError::Randomness`].
    pub fn new(random: impl FnMut(&mut [u8; 32])) -> Result<Self, PinError> {
        let scalar = draw(random)?;
        Ok(Self(Zeroizing::new(scalar.to_repr().into())))
    }

    /// `BlindEvaluate` (RFC 9497 §3.3.1).
    ///
    /// # Errors
    /// [`PinError::Randomness`] for a share that is none.
    pub fn evaluate(&self, blinded: Element) -> Result<Element, PinError> {
        let scalar = scalar(&self.0).ok_or(PinError::Randomness)?;
        Ok(blinded.times(&scalar))
    }
}

impl fmt::Debug for PinShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinShare")
    }
}

impl Serialize for PinShare {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url::encode(&self.0[..]))
    }
}

impl<'de> Deserialize<'de> for PinShare {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = base64url::decode_array::<32>(&text).map_err(|_| D::Error::custom("pin: expected 32 bytes"))?;
        let share = Zeroizing::new(bytes);
        scalar(&share).ok_or_else(|| D::Error::custom("pin: expected a scalar"))?;
        Ok(Self(share))
    }
}

/// The phone's half of one try.
pub struct Blinding {
    pin: Zeroizing<Vec<u8>>,
    blind: Zeroizing<[u8; 32]>,
}

impl Blinding {
    /// `Blind` (RFC 9497 §3.3.1): what to send, and what to keep until the answer.
    ///
    /// # Errors
    /// [`PinError::Length`], [`PinError::Randomness`].
    pub fn new(pin: &[u8], random: impl FnMut(&mut [u8; 32])) -> Result<(Self, Element), PinError> {
        if pin.is_empty() || pin.len() > MAX_PIN_BYTES {
            return Err(PinError::Length);
        }
        let point = hash2curve::hash_from_bytes::<NistP256, ExpandMsgXmd<Sha256>>(&[pin], &[GROUP_DOMAIN])
            .map_err(|_| PinError::Length)?;
        let blind = draw(random)?;
        let blinding = Self {
            pin: Zeroizing::new(pin.to_vec()),
            blind: Zeroizing::new(blind.to_repr().into()),
        };
        Ok((blinding, Element(point).times(&blind)))
    }

    /// `Finalize` (RFC 9497 §3.3.1): the secret. Another PIN has another one; which is right, only what it unlocks tells.
    ///
    /// # Errors
    /// [`PinError::Randomness`], which cannot happen.
    pub fn finish(&self, evaluated: Element) -> Result<Zeroizing<[u8; OUTPUT_BYTES]>, PinError> {
        let blind = scalar(&self.blind).ok_or(PinError::Randomness)?;
        let inverse = Option::<Scalar>::from(blind.invert()).ok_or(PinError::Randomness)?;
        let unblinded = evaluated.times(&inverse).to_bytes();
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [&self.pin[..], &unblinded] {
            let length = u16::try_from(part.len()).map_err(|_| PinError::Length)?;
            context.update(&length.to_be_bytes());
            context.update(part);
        }
        context.update(b"Finalize");
        let mut output = Zeroizing::new([0; OUTPUT_BYTES]);
        output.copy_from_slice(context.finish().as_ref());
        Ok(output)
    }
}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blinding")
    }
}

fn scalar(bytes: &[u8; 32]) -> Option<Scalar> {
    let scalar = Option::<Scalar>::from(Scalar::from_repr((*bytes).into()))?;
    Option::<NonZeroScalar>::from(NonZeroScalar::new(scalar)).map(|scalar| *scalar)
}

fn draw(mut random: impl FnMut(&mut [u8; 32])) -> Result<Scalar, PinError> {
    let mut bytes = Zeroizing::new([0; 32]);
    for _ in 0..DRAWS {
        random(&mut bytes);
        if let Some(scalar) = scalar(&bytes) {
            return Ok(scalar);
        }
    }
    Err(PinError::Randomness)
}

/// How often a PIN was tried since it was right last. As a floor it only rises: what gives tries back begins a new count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tries {
    count: u64,
    used: u64,
}

impl Tries {
    /// As the freshness ledger keeps it; 0 for none.
    #[must_use]
    pub const fn from_floor(floor: u64) -> Self {
        Self {
            count: floor >> TRY_BITS,
            used: floor & ((1 << TRY_BITS) - 1),
        }
    }

    /// As the freshness ledger keeps it.
    #[must_use]
    pub const fn floor(self) -> u64 {
        (self.count << TRY_BITS) | self.used
    }

    /// One more try; `None` where the card is needed.
    #[must_use]
    pub const fn take(self) -> Option<Self> {
        if self.used >= MAX_TRIES {
            return None;
        }
        Some(Self {
            used: self.used + 1,
            ..self
        })
    }

    /// All tries, again. Nothing changes where none was used.
    #[must_use]
    pub const fn given_back(self) -> Self {
        match self.used {
            0 => self,
            _ => Self {
                count: self.count + 1,
                used: 0,
            },
        }
    }

    /// How many are left.
    #[must_use]
    pub const fn left(self) -> u64 {
        MAX_TRIES.saturating_sub(self.used)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
            .collect()
    }

    fn fixed(text: &str) -> impl FnMut(&mut [u8; 32]) {
        let bytes = hex(text);
        move |out| out.copy_from_slice(&bytes)
    }

    const KEY: &str = "159749d750713afe245d2d39ccfaae8381c53ce92d098a9375ee70739c7ac0bf";
    const BLIND: &str = "3338fa65ec36e0290022b48eb562889d89dbfa691d1cde91517fa222ed7ad364";

    /// RFC 9497 A.3.1.
    #[test]
    fn the_vectors_of_the_rfc_come_out() {
        for (input, blinded, evaluated, output) in [
            (
                "00",
                "03723a1e5c09b8b9c18d1dcbca29e8007e95f14f4732d9346d490ffc195110368d",
                "030de02ffec47a1fd53efcdd1c6faf5bdc270912b8749e783c7ca75bb412958832",
                "a0b34de5fa4c5b6da07e72af73cc507cceeb48981b97b7285fc375345fe495dd",
            ),
            (
                "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
                "03cc1df781f1c2240a64d1c297b3f3d16262ef5d4cf102734882675c26231b0838",
                "03a0395fe3828f2476ffcd1f4fe540e5a8489322d398be3c4e5a869db7fcb7c52c",
                "c748ca6dd327f0ce85f4ae3a8cd6d4d5390bbb804c9e12dcf94f853fece3dcce",
            ),
        ] {
            let (blinding, element) = Blinding::new(&hex(input), fixed(BLIND)).unwrap();
            assert_eq!(element.to_bytes()[..], hex(blinded));
            let share = PinShare::new(fixed(KEY)).unwrap();
            let answer = share.evaluate(element).unwrap();
            assert_eq!(answer.to_bytes()[..], hex(evaluated));
            assert_eq!(blinding.finish(answer).unwrap()[..], hex(output));
        }
    }

    fn secret(pin: &str, key: &str, blind: &str) -> Vec<u8> {
        let (blinding, element) = Blinding::new(pin.as_bytes(), fixed(blind)).unwrap();
        let answer = PinShare::new(fixed(key)).unwrap().evaluate(element).unwrap();
        blinding.finish(answer).unwrap().to_vec()
    }

    #[test]
    fn the_secret_takes_this_pin_and_this_share_and_no_particular_blinding() {
        let one = secret("135790", KEY, BLIND);
        assert_eq!(one, secret("135790", KEY, KEY), "another blinding, the same secret");
        assert_ne!(one, secret("135791", KEY, BLIND), "another PIN");
        assert_ne!(one, secret("135790", BLIND, BLIND), "another device's share");
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_refused() {
        let good = Blinding::new(b"1", fixed(BLIND)).unwrap().1;
        assert_eq!(Element::parse(&good.to_text()), Ok(good));
        let mut changed = good.to_bytes();
        // Half of all x are on no point: find one.
        while Element::from_bytes(&changed).is_ok() {
            changed[32] ^= 1;
            changed[31] = changed[31].wrapping_add(1);
        }
        let infinity = [0; ELEMENT_BYTES];
        let mut not_reduced = [0xff; ELEMENT_BYTES];
        not_reduced[0] = 2;
        let mut uncompressed = good.to_bytes();
        uncompressed[0] = 4;
        let mut compact = good.to_bytes();
        compact[0] = 5;
        for bytes in [changed, infinity, not_reduced, uncompressed, compact] {
            assert_eq!(Element::from_bytes(&bytes), Err(PinError::Element));
        }
        for length in [0, 1, 32, 34, 65] {
            assert_eq!(Element::from_bytes(&vec![2; length]), Err(PinError::Element));
        }
        for text in ["", "AA", "###", &format!("{}=", good.to_text()), &"A".repeat(44)] {
            assert_eq!(Element::parse(text), Err(PinError::Element));
        }
    }

    #[test]
    fn a_pin_has_a_length_and_randomness_must_be_some() {
        assert_eq!(Blinding::new(b"", fixed(BLIND)).unwrap_err(), PinError::Length);
        assert_eq!(
            Blinding::new(&[b'1'; MAX_PIN_BYTES + 1], fixed(BLIND)).unwrap_err(),
            PinError::Length
        );
        for nothing in [0, 0xff] {
            let none = |out: &mut [u8; 32]| out.fill(nothing);
            assert_eq!(PinShare::new(none).unwrap_err(), PinError::Randomness);
            assert_eq!(Blinding::new(b"1", none).unwrap_err(), PinError::Randomness);
        }
    }

    #[test]
    fn a_share_comes_back_from_its_record_and_nothing_else_is_one() {
        let share = PinShare::new(fixed(KEY)).unwrap();
        let text = serde_json::to_string(&share).unwrap();
        assert_eq!(serde_json::from_str::<PinShare>(&text).unwrap(), share);
        for text in [
            "\"\"".to_owned(),
            "7".to_owned(),
            format!("\"{}\"", base64url::encode(&[0; 32])),
            format!("\"{}\"", base64url::encode(&[0xff; 32])),
        ] {
            assert!(serde_json::from_str::<PinShare>(&text).is_err(), "{text}");
        }
        assert_eq!(format!("{share:?}"), "PinShare");
    }

    #[test]
    fn tries_end_and_come_back_and_their_floor_only_rises() {
        let mut tries = Tries::default();
        assert_eq!(tries.given_back(), tries);
        for left in (0..MAX_TRIES).rev() {
            let next = tries.take().unwrap();
            assert!(next.floor() > tries.floor());
            assert_eq!((next.left(), Tries::from_floor(next.floor())), (left, next));
            tries = next;
        }
        assert_eq!(tries.take(), None);
        let again = tries.given_back();
        assert!(again.floor() > tries.floor());
        assert_eq!(again.left(), MAX_TRIES);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_a_point_that_comes_back_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(element) = Element::from_bytes(&bytes) {
                prop_assert_eq!(&element.to_bytes()[..], &bytes[..]);
            }
        }
    }
}
