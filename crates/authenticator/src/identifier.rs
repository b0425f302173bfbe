//! Health insurance number (KVNR) and institution code (IK), with their check digits (gematik digest chapter 12).
//!
//! Two ways in, on purpose. `parse` demands the check digit: use it for everything a person or an operator types and
//! for every imported register. `parse_shape` demands only the pattern: use it for what a trusted certificate says,
//! because the authority vouches for it and several of gematik's published test cards carry numbers whose check digit
//! is wrong.
//!
//! A KVNR is personal data: `Debug` prints the type only, there is no `Display` and no serde.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::ZeroizeOnDrop;

/// Unchangeable part of the health insurance number (unveränderbarer Teil der Krankenversichertennummer): one letter
/// A–Z, eight digits, one check digit. Wiped when dropped.
///
/// ```
/// use authenticator::Kvnr;
/// assert_eq!(Kvnr::parse("Q000123451")?.as_str(), "Q000123451");
/// assert!(Kvnr::parse("Q000123452").is_err());
/// # Ok::<(), authenticator::KvnrError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, ZeroizeOnDrop)]
pub struct Kvnr([u8; 10]);

/// Why a text is no KVNR. Never shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KvnrError {
    /// Not one capital letter A–Z followed by nine digits.
    #[error("KVNR: expected one capital letter A-Z and nine digits")]
    Shape,
    /// The tenth character is not the check digit of the nine before it.
    #[error("KVNR: the check digit does not fit")]
    CheckDigit,
}

impl Kvnr {
    /// Reads a KVNR and checks its check digit.
    ///
    /// # Errors
    /// [`KvnrError`] names what is wrong.
    pub fn parse(text: &str) -> Result<Self, KvnrError> {
        let kvnr = Self::parse_shape(text)?;
        if kvnr.check_digit_fits() {
            Ok(kvnr)
        } else {
            Err(KvnrError::CheckDigit)
        }
    }

    /// Reads a KVNR by its pattern alone; see the module's words on when that is right.
    ///
    /// # Errors
    /// [`KvnrError::Shape`].
    pub fn parse_shape(text: &str) -> Result<Self, KvnrError> {
        let bytes: [u8; 10] = text.as_bytes().try_into().map_err(|_| KvnrError::Shape)?;
        let [letter, digits @ ..] = &bytes;
        if letter.is_ascii_uppercase() && digits.iter().all(u8::is_ascii_digit) {
            Ok(Self(bytes))
        } else {
            Err(KvnrError::Shape)
        }
    }

    /// The ten characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII passes `parse_shape`, so the default is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether the check digit fits: the letter becomes two digits 01…26, the ten digits are weighted 1, 2, 1, 2, …,
    /// the cross-sums of the products are added, and the sum modulo 10 is the check digit.
    #[must_use]
    pub fn check_digit_fits(&self) -> bool {
        let [letter, digits @ .., check] = &self.0;
        let number = letter - b'A' + 1;
        let weighted = [number / 10, number % 10]
            .into_iter()
            .chain(digits.iter().map(|digit| digit - b'0'));
        weighted_cross_sum(weighted, [1, 2]) % 10 == u32::from(check - b'0')
    }
}

impl fmt::Debug for Kvnr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kvnr")
    }
}

/// Institution code (Institutionskennzeichen) of an insurer: nine digits, the last is a check digit.
///
/// An IK names an institution, not a person, so serde and `as_str` are free to use; `Debug` prints the type only all
/// the same, because beside a log line it would tell whose insurer a person has.
///
/// ```
/// use authenticator::Ik;
/// assert_eq!(Ik::parse("109900019")?.as_str(), "109900019");
/// assert!(Ik::parse("109900018").is_err());
/// # Ok::<(), authenticator::IkError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ik([u8; 9]);

/// Why a text is no institution code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IkError {
    /// Not exactly nine digits.
    #[error("IK: expected nine digits")]
    Shape,
    /// The ninth digit is not the check digit of the third to eighth.
    #[error("IK: the check digit does not fit")]
    CheckDigit,
}

impl Ik {
    /// Reads an institution code and checks its check digit.
    ///
    /// # Errors
    /// [`IkError`] names what is wrong.
    pub fn parse(text: &str) -> Result<Self, IkError> {
        let ik = Self::parse_shape(text)?;
        if ik.check_digit_fits() {
            Ok(ik)
        } else {
            Err(IkError::CheckDigit)
        }
    }

    /// Reads an institution code by its pattern alone; see the module's words on when that is right.
    ///
    /// # Errors
    /// [`IkError::Shape`].
    pub fn parse_shape(text: &str) -> Result<Self, IkError> {
        let bytes: [u8; 9] = text.as_bytes().try_into().map_err(|_| IkError::Shape)?;
        if bytes.iter().all(u8::is_ascii_digit) {
            Ok(Self(bytes))
        } else {
            Err(IkError::Shape)
        }
    }

    /// The nine digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII passes `parse_shape`, so the default is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether the check digit fits: digits three to eight weighted 2, 1, 2, 1, 2, 1, cross-sums added, modulo 10.
    #[must_use]
    pub fn check_digit_fits(&self) -> bool {
        let [_, _, counted @ .., check] = &self.0;
        weighted_cross_sum(counted.iter().map(|digit| digit - b'0'), [2, 1]) % 10 == u32::from(check - b'0')
    }
}

impl fmt::Debug for Ik {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ik")
    }
}

impl TryFrom<String> for Ik {
    type Error = IkError;

    fn try_from(text: String) -> Result<Self, IkError> {
        Self::parse(&text)
    }
}

impl From<Ik> for String {
    fn from(ik: Ik) -> Self {
        ik.as_str().to_owned()
    }
}

/// Sum of the cross-sums of `digits` weighted alternately with the two weights.
fn weighted_cross_sum(digits: impl Iterator<Item = u8>, weights: [u8; 2]) -> u32 {
    digits
        .zip(weights.into_iter().cycle())
        .map(|(digit, weight)| u32::from(digit * weight))
        .map(|n| n / 10 + n % 10)
        .sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn invented_numbers_with_right_check_digits_are_read() {
        for text in ["Q000123451", "T902100070", "Z121212125"] {
            assert_eq!(Kvnr::parse(text).unwrap().as_str(), text);
        }
        for text in ["109900019", "109900020", "109912342"] {
            assert_eq!(Ik::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn every_other_check_digit_is_refused() {
        let wrong = (0..10)
            .filter(|digit| Kvnr::parse(&format!("Q00012345{digit}")).is_err())
            .count();
        assert_eq!(wrong, 9);
        let wrong = (0..10)
            .filter(|digit| Ik::parse(&format!("10990001{digit}")).is_err())
            .count();
        assert_eq!(wrong, 9);
    }

    #[test]
    fn texts_of_another_shape_are_refused() {
        for text in [
            "",
            "Q00012345",
            "Q0001234511",
            "q000123451",
            "Ä00012345",
            "0000123451",
            "Q00012345x",
            "Q00012345\u{0661}",
            " Q00012345",
        ] {
            assert_eq!(Kvnr::parse(text), Err(KvnrError::Shape), "{text}");
        }
        for text in [
            "",
            "10990001",
            "1099000190",
            "10990001x",
            "１09900019",
            "-09900019",
            "109900019\n",
        ] {
            assert_eq!(Ik::parse(text), Err(IkError::Shape), "{text}");
        }
    }

    #[test]
    fn a_wrong_check_digit_passes_only_as_shape() {
        assert_eq!(Kvnr::parse("Q000123452"), Err(KvnrError::CheckDigit));
        assert!(!Kvnr::parse_shape("Q000123452").unwrap().check_digit_fits());
        assert_eq!(Ik::parse("109900018"), Err(IkError::CheckDigit));
        assert!(!Ik::parse_shape("109900018").unwrap().check_digit_fits());
    }

    #[test]
    fn debug_shows_the_type_only() {
        assert_eq!(format!("{:?}", Kvnr::parse("Q000123451").unwrap()), "Kvnr");
        assert_eq!(format!("{:?}", Ik::parse("109900019").unwrap()), "Ik");
    }

    #[test]
    fn configured_institution_codes_are_checked() {
        assert!(serde_json::from_str::<Ik>("\"109900019\"").is_ok());
        assert!(serde_json::from_str::<Ik>("\"109900018\"").is_err());
    }
}
