//! The compact binary form of login states: every byte counts, because the state travels in links and QR codes.
//!
//! Trusted for nothing: whoever opens a sealed state has checked its origin. Reading is total all the same.

use thiserror::Error;

use crate::scope::ClaimSet;

/// Bits a claim set needs.
const CLAIM_BITS: u32 = 10;
const _: () = assert!(ClaimSet::all().bits() >> CLAIM_BITS == 0);

/// A sealed state opened to something that is not a state of this version.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the login state has a form this version does not know")]
pub struct MalformedState;

/// How a text is packed. Random values arrive as base64url, hexadecimal or UUID text, which packs to three quarters or half.
const TEXT_PLAIN: u8 = 0;
const TEXT_BASE64URL: u8 = 1;
const TEXT_HEX: u8 = 2;
const TEXT_UUID: u8 = 3;
/// From this length on, a packed text's length stands behind its first byte.
const LONG_TEXT: u8 = 63;

/// Appends fields.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new(kind: u8) -> Self {
        let mut bytes = Vec::with_capacity(192);
        bytes.push(kind);
        Self(bytes)
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn byte(self, byte: u8) -> Self {
        self.bytes(&[byte])
    }

    pub(crate) fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Two claim sets and a number below 16, in three bytes.
    pub(crate) fn claims(self, one: ClaimSet, other: ClaimSet, number: u8) -> Self {
        let packed =
            u32::from(one.bits()) | u32::from(other.bits()) << CLAIM_BITS | u32::from(number) << (2 * CLAIM_BITS);
        self.bytes(&packed.to_be_bytes()[1..])
    }

    /// A number in as many bytes as it needs, seven bits each, lowest first.
    pub(crate) fn number(mut self, mut value: u64) -> Self {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8)
    }

    /// Seconds since 1970 in four bytes: enough until February 2106.
    pub(crate) fn time(self, time: jose::UnixTime) -> Self {
        self.bytes(&u32::try_from(time.0).unwrap_or(u32::MAX).to_be_bytes())
    }

    /// A time near another one, by its distance: two bytes within two hours.
    pub(crate) fn time_near(self, near: jose::UnixTime, time: jose::UnixTime) -> Self {
        let [near, time] = [near, time].map(|time| i64::from(u32::try_from(time.0).unwrap_or(u32::MAX)));
        let distance = near - time;
        // Zigzag: small distances of either sign become small numbers.
        self.number((distance << 1 ^ distance >> 63) as u64)
    }

    pub(crate) fn text(self, text: &str) -> Self {
        let (packing, packed) = pack(text);
        // Packing in the top two bits, a short length in the others; `LONG_TEXT` stands for a length that follows.
        match u8::try_from(packed.len()) {
            Ok(length) if length < LONG_TEXT => self.byte(packing << 6 | length),
            _ => self.byte(packing << 6 | LONG_TEXT).number(packed.len() as u64),
        }
        .bytes(&packed)
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

fn pack(text: &str) -> (u8, Vec<u8>) {
    if let Some(bytes) = unhex_uuid(text) {
        return (TEXT_UUID, bytes);
    }
    if let Some(bytes) = unhex(text) {
        return (TEXT_HEX, bytes);
    }
    match jose::base64url::decode(text) {
        Ok(bytes) if !bytes.is_empty() => (TEXT_BASE64URL, bytes),
        _ => (TEXT_PLAIN, text.as_bytes().to_vec()),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) {
        return None;
    }
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?))
        .collect()
}

/// A lower-case UUID, `8-4-4-4-12`.
fn unhex_uuid(text: &str) -> Option<Vec<u8>> {
    let dashes = [8, 13, 18, 23];
    if text.len() != 36 || !dashes.iter().all(|at| text.as_bytes()[*at] == b'-') {
        return None;
    }
    unhex(&text.replace('-', "")).filter(|bytes| bytes.len() == 16)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| {
            [
                DIGITS[usize::from(byte >> 4)] as char,
                DIGITS[usize::from(byte & 15)] as char,
            ]
        })
        .collect()
}

/// Reads fields.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(kind: u8, bytes: &'a [u8]) -> Result<Self, MalformedState> {
        match bytes.split_first() {
            Some((first, rest)) if *first == kind => Ok(Self(rest)),
            _ => Err(MalformedState),
        }
    }

    /// Without a kind in front.
    pub(crate) const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What was not read.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], MalformedState> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(MalformedState)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], MalformedState> {
        self.take(N)?.try_into().map_err(|_| MalformedState)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, MalformedState> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn claims(&mut self) -> Result<(ClaimSet, ClaimSet, u8), MalformedState> {
        let [high, middle, low] = self.array()?;
        let packed = u32::from_be_bytes([0, high, middle, low]);
        let set = |bits: u32| ClaimSet::from_bits((bits & ((1 << CLAIM_BITS) - 1)) as u16).ok_or(MalformedState);
        Ok((
            set(packed)?,
            set(packed >> CLAIM_BITS)?,
            (packed >> (2 * CLAIM_BITS)) as u8,
        ))
    }

    pub(crate) fn number(&mut self) -> Result<u64, MalformedState> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(MalformedState);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                // One spelling for each number: no zero in front.
                return if byte == 0 && shift > 0 {
                    Err(MalformedState)
                } else {
                    Ok(value)
                };
            }
        }
        Err(MalformedState)
    }

    pub(crate) fn time(&mut self) -> Result<jose::UnixTime, MalformedState> {
        Ok(jose::UnixTime(u32::from_be_bytes(self.array()?).into()))
    }

    pub(crate) fn time_near(&mut self, near: jose::UnixTime) -> Result<jose::UnixTime, MalformedState> {
        let number = self.number()?;
        let distance = (number >> 1) as i64 ^ -((number & 1) as i64);
        let time = i64::try_from(near.0).ok().and_then(|near| near.checked_sub(distance));
        let seconds = time.and_then(|time| u32::try_from(time).ok()).ok_or(MalformedState)?;
        Ok(jose::UnixTime(seconds.into()))
    }

    pub(crate) fn text(&mut self) -> Result<String, MalformedState> {
        let head = self.byte()?;
        let length = match head & LONG_TEXT {
            LONG_TEXT => self.number()?,
            length => length.into(),
        };
        let packed = self.take(usize::try_from(length).map_err(|_| MalformedState)?)?;
        match head >> 6 {
            TEXT_PLAIN => String::from_utf8(packed.to_vec()).map_err(|_| MalformedState),
            TEXT_BASE64URL => Ok(jose::base64url::encode(packed)),
            TEXT_HEX => Ok(hex(packed)),
            _ if packed.len() == 16 => {
                let digits = hex(packed);
                Ok([
                    &digits[..8],
                    &digits[8..12],
                    &digits[12..16],
                    &digits[16..20],
                    &digits[20..],
                ]
                .join("-"))
            }
            _ => Err(MalformedState),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn finish(self) -> Result<(), MalformedState> {
        if self.0.is_empty() { Ok(()) } else { Err(MalformedState) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn round_trip(text: &str) -> (String, usize) {
        let bytes = Writer::new(9).text(text).finish();
        let mut reader = Reader::new(9, &bytes).unwrap();
        let read = reader.text().unwrap();
        reader.finish().unwrap();
        (read, bytes.len())
    }

    #[test]
    fn usual_random_values_shrink() {
        assert_eq!(round_trip("f81d4fae-7dec-11d0-a765-00a0c91e6bf6").1, 2 + 16);
        assert_eq!(round_trip("00112233445566778899aabbccddeeff").1, 2 + 16);
        assert_eq!(round_trip("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").1, 2 + 32);
    }

    proptest! {
        #[test]
        fn every_text_survives(text in "[ -~]{1,512}") {
            prop_assert_eq!(&round_trip(&text).0, &text);
        }

        #[test]
        fn random_looking_texts_survive(text in "[0-9a-f]{1,64}|[A-Za-z0-9_-]{1,64}|[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}") {
            prop_assert_eq!(&round_trip(&text).0, &text);
        }

        #[test]
        fn every_number_and_time_survives(number: u64, near: u32, time: u32) {
            let (near, time) = (jose::UnixTime(near.into()), jose::UnixTime(time.into()));
            let bytes = Writer::new(9).number(number).time(near).time_near(near, time).finish();
            let mut reader = Reader::new(9, &bytes).unwrap();
            prop_assert_eq!(reader.number().unwrap(), number);
            prop_assert_eq!(reader.time().unwrap(), near);
            prop_assert_eq!(reader.time_near(near).unwrap(), time);
            prop_assert!(reader.finish().is_ok());
        }

        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(mut reader) = Reader::new(0, &bytes) {
                let _ = reader.text().and_then(|_| reader.time()).and_then(|_| reader.number());
            }
        }
    }
}
