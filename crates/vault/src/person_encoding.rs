//! A person's data as bytes: a form number, then number, insurer and texts, each text with its length in front.
//!
//! Binary, because it is short and total to read, and because it gives no structure that could be printed by mistake.

use authenticator::{Ik, Kvnr};
use zeroize::Zeroizing;

use crate::error::OpenError;
use crate::person::{
    MAX_BIRTHDATE_BYTES, MAX_DISPLAY_NAME_BYTES, MAX_EMAIL_BYTES, MAX_NAME_BYTES, MAX_SEX_BYTES, PersonData,
};

const FORM: u8 = 1;
/// Bytes of a health insurance number, and of an institution code.
const KVNR_BYTES: usize = 10;
const IK_BYTES: usize = 9;
/// Most bytes of a person: every text at its longest.
pub(crate) const MAX_ENCODED_BYTES: usize = 1
    + 8 * 2
    + KVNR_BYTES
    + IK_BYTES
    + 2 * MAX_NAME_BYTES
    + MAX_DISPLAY_NAME_BYTES
    + MAX_BIRTHDATE_BYTES
    + MAX_SEX_BYTES
    + MAX_EMAIL_BYTES;

pub(crate) fn encode(person: &PersonData) -> Zeroizing<Vec<u8>> {
    let texts = texts(person);
    let length = 1 + texts.iter().map(|text| 2 + text.len()).sum::<usize>();
    // Exactly as long as needed: growing would leave copies behind in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    bytes.push(FORM);
    for text in texts {
        // Checked by `PersonData::check`: no text comes near 64 KiB.
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
    }
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<PersonData, OpenError> {
    let (&form, mut rest) = bytes.split_first().ok_or(OpenError::Content)?;
    if form != FORM {
        return Err(OpenError::UnknownForm {
            found: form,
            known: FORM,
        });
    }
    let mut text = || -> Result<&str, OpenError> {
        let (length, behind) = rest.split_first_chunk::<2>().ok_or(OpenError::Content)?;
        let (text, behind) = behind
            .split_at_checked(usize::from(u16::from_be_bytes(*length)))
            .ok_or(OpenError::Content)?;
        rest = behind;
        std::str::from_utf8(text).map_err(|_| OpenError::Content)
    };
    // By shape, not by check digit: what was accepted once must stay readable.
    let kvnr = Kvnr::parse_shape(text()?).map_err(|_| OpenError::Content)?;
    let ik = Ik::parse_shape(text()?).map_err(|_| OpenError::Content)?;
    let person = PersonData {
        kvnr,
        ik,
        given_name: text()?.to_owned(),
        family_name: text()?.to_owned(),
        display_name: text()?.to_owned(),
        birthdate: text()?.to_owned(),
        sex: text()?.to_owned(),
        email: text()?.to_owned(),
    };
    if rest.is_empty() {
        Ok(person)
    } else {
        Err(OpenError::Content)
    }
}

fn texts(person: &PersonData) -> [&str; 8] {
    [
        person.kvnr.as_str(),
        person.ik.as_str(),
        &person.given_name,
        &person.family_name,
        &person.display_name,
        &person.birthdate,
        &person.sex,
        &person.email,
    ]
}
