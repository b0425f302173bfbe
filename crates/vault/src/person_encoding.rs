//! A person's data as bytes: a form number, number and insurer, texts with their lengths in front, the card's last day.
//!
//! Records of form 1 had no such day, and lengths in front of number and insurer too: four bytes, as many as the day takes. So
//! the longest person is as long as ever.
//!
//! Binary, because it is short and total to read, and because it gives no structure that could be printed by mistake.

use authenticator::{Ik, Kvnr};
use zeroize::Zeroizing;

use crate::error::OpenError;
use crate::person::{
    MAX_BIRTHDATE_BYTES, MAX_DISPLAY_NAME_BYTES, MAX_EMAIL_BYTES, MAX_NAME_BYTES, MAX_SEX_BYTES, PersonData, full_date,
};

const FORM: u8 = 2;
const FORM_WITHOUT_CARD: u8 = 1;
/// Bytes of a health insurance number, and of an institution code.
const KVNR_BYTES: usize = 10;
const IK_BYTES: usize = 9;
/// Bytes of a day: year, month, day; all nought where it is unknown.
const DAY_BYTES: usize = 4;
/// Most bytes of a person: every text at its longest.
pub(crate) const MAX_ENCODED_BYTES: usize = 1
    + KVNR_BYTES
    + IK_BYTES
    + 6 * 2
    + 2 * MAX_NAME_BYTES
    + MAX_DISPLAY_NAME_BYTES
    + MAX_BIRTHDATE_BYTES
    + MAX_SEX_BYTES
    + MAX_EMAIL_BYTES
    + DAY_BYTES;

pub(crate) fn encode(person: &PersonData) -> Zeroizing<Vec<u8>> {
    let texts = texts(person);
    let lengths: usize = texts.iter().map(|text| 2 + text.len()).sum();
    let length = 1 + KVNR_BYTES + IK_BYTES + lengths + DAY_BYTES;
    // Exactly as long as needed: growing would leave copies behind in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    bytes.push(FORM);
    bytes.extend_from_slice(person.kvnr.as_str().as_bytes());
    bytes.extend_from_slice(person.ik.as_str().as_bytes());
    for text in texts {
        // Checked by `PersonData::check`: no text comes near 64 KiB.
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
    }
    // Checked as well: a text that is no day is the empty one.
    let (year, month, day) = full_date(&person.card_valid_until).unwrap_or_default();
    let [century, year] = year.to_be_bytes();
    bytes.extend_from_slice(&[century, year, month, day]);
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<PersonData, OpenError> {
    let (&form, mut rest) = bytes.split_first().ok_or(OpenError::Content)?;
    if form != FORM && form != FORM_WITHOUT_CARD {
        return Err(OpenError::UnknownForm {
            found: form,
            known: FORM,
        });
    }
    let rest = &mut rest;
    let (kvnr, ik) = if form == FORM {
        (text(rest, KVNR_BYTES)?, text(rest, IK_BYTES)?)
    } else {
        (measured(rest)?, measured(rest)?)
    };
    let person = PersonData {
        // By shape, not by check digit: what was accepted once must stay readable.
        kvnr: Kvnr::parse_shape(kvnr).map_err(|_| OpenError::Content)?,
        ik: Ik::parse_shape(ik).map_err(|_| OpenError::Content)?,
        given_name: measured(rest)?.to_owned(),
        family_name: measured(rest)?.to_owned(),
        display_name: measured(rest)?.to_owned(),
        birthdate: measured(rest)?.to_owned(),
        sex: measured(rest)?.to_owned(),
        email: measured(rest)?.to_owned(),
        card_valid_until: if form == FORM { day(rest)? } else { String::new() },
    };
    if rest.is_empty() {
        Ok(person)
    } else {
        Err(OpenError::Content)
    }
}

/// The next `length` bytes.
fn text<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a str, OpenError> {
    let (text, behind) = rest.split_at_checked(length).ok_or(OpenError::Content)?;
    *rest = behind;
    std::str::from_utf8(text).map_err(|_| OpenError::Content)
}

/// The next text with its length in front.
fn measured<'a>(rest: &mut &'a [u8]) -> Result<&'a str, OpenError> {
    let (length, behind) = rest.split_first_chunk::<2>().ok_or(OpenError::Content)?;
    *rest = behind;
    text(rest, usize::from(u16::from_be_bytes(*length)))
}

fn day(rest: &mut &[u8]) -> Result<String, OpenError> {
    let (bytes, behind) = rest.split_first_chunk::<DAY_BYTES>().ok_or(OpenError::Content)?;
    *rest = behind;
    let [century, year, month, day] = *bytes;
    if *bytes == [0; DAY_BYTES] {
        return Ok(String::new());
    }
    let written = format!("{:04}-{month:02}-{day:02}", u16::from_be_bytes([century, year]));
    full_date(&written).map(|_| written).ok_or(OpenError::Content)
}

fn texts(person: &PersonData) -> [&str; 6] {
    [
        &person.given_name,
        &person.family_name,
        &person.display_name,
        &person.birthdate,
        &person.sex,
        &person.email,
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn person() -> PersonData {
        PersonData {
            kvnr: Kvnr::parse("Q000123451").unwrap(),
            ik: Ik::parse("109900019").unwrap(),
            given_name: "Ada".to_owned(),
            family_name: String::new(),
            display_name: "Dr. Ada".to_owned(),
            birthdate: "1984-02-29".to_owned(),
            sex: String::new(),
            email: String::new(),
            card_valid_until: "2028-02-29".to_owned(),
        }
    }

    /// Written by hand, as the first form was.
    fn first_form() -> Vec<u8> {
        let mut bytes = vec![1];
        for text in ["Q000123451", "109900019", "Ada", "", "Dr. Ada", "1984-02-29", "", ""] {
            bytes.extend_from_slice(&[0, u8::try_from(text.len()).unwrap()]);
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }

    #[test]
    fn a_record_from_before_cards_had_a_last_day_is_read() {
        let mut known = person();
        known.card_valid_until.clear();
        assert!(decode(&first_form()).unwrap() == known);
    }

    #[test]
    fn a_day_is_read_as_it_was_written_and_an_unknown_one_too() {
        for day in ["2028-02-29", "0001-01-01", "9999-12-31", ""] {
            let mut known = person();
            known.card_valid_until = day.to_owned();
            assert!(decode(&encode(&known)).unwrap() == known, "{day}");
        }
    }

    #[test]
    fn a_day_that_is_none_is_refused() {
        let good = encode(&person());
        let (rest, _) = good.split_at(good.len() - DAY_BYTES);
        for day in [
            &[][..],
            &[0, 0, 0],
            &[0, 0, 1, 1],
            &[7, 236, 0, 1],
            &[7, 236, 1, 0],
            &[7, 236, 13, 1],
            &[7, 236, 4, 31],
            &[7, 237, 2, 29],
            &[39, 16, 1, 1],
            &[7, 236, 2, 29, 0],
        ] {
            assert!(
                matches!(decode(&[rest, day].concat()), Err(OpenError::Content)),
                "{day:?}"
            );
        }
    }

    #[test]
    fn each_form_ends_where_it_ends() {
        let (first, second) = (first_form(), encode(&person()));
        for whole in [&first[..], &second[..]] {
            for length in 0..whole.len() {
                assert!(decode(&whole[..length]).is_err(), "{length}");
            }
            assert!(decode(&[whole, &[0]].concat()).is_err());
        }
        for form in [0, 3, 255] {
            let other = [&[form], &second[1..]].concat();
            assert!(matches!(decode(&other), Err(OpenError::UnknownForm { found, known: 2 }) if found == form));
        }
    }
}
