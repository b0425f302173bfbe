//! The admission extension 1.3.36.8.3.3 (ISIS-MTT / Common PKI part 1, gemSpec_PKI): whose profession a certificate
//! states.
//!
//! ```text
//! AdmissionSyntax ::= SEQUENCE { admissionAuthority GeneralName OPTIONAL,
//!                                contentsOfAdmissions SEQUENCE OF Admissions }
//! Admissions      ::= SEQUENCE { [0] admissionAuthority OPTIONAL, [1] namingAuthority OPTIONAL,
//!                                professionInfos SEQUENCE OF ProfessionInfo }
//! ProfessionInfo  ::= SEQUENCE { [0] namingAuthority OPTIONAL, professionItems SEQUENCE OF DirectoryString,
//!                                professionOIDs SEQUENCE OF OBJECT IDENTIFIER OPTIONAL,
//!                                registrationNumber PrintableString OPTIONAL, addProfessionInfo OCTET STRING OPTIONAL }
//! ```

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Reader, SliceReader, Tag};

/// The extension's identifier.
pub(crate) const ADMISSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.36.8.3.3");
/// Profession: insured person (Versicherte/-r).
pub(crate) const INSURED_PERSON: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.276.0.76.4.49");

/// Every profession identifier in the extension's value; `None` where the value is not of the form above.
pub(crate) fn profession_oids(value: &[u8]) -> Option<Vec<ObjectIdentifier>> {
    read(value).ok()
}

fn read(value: &[u8]) -> der::Result<Vec<ObjectIdentifier>> {
    let mut oids = Vec::new();
    let mut reader = SliceReader::new(value)?;
    reader.sequence(|reader| {
        // A GeneralName is context-specific; the contents are a SEQUENCE.
        skip_unless_sequence(reader)?;
        each(reader, |admissions| {
            skip_unless_sequence(admissions)?;
            skip_unless_sequence(admissions)?;
            each(admissions, |profession| {
                skip_unless_sequence(profession)?;
                each(profession, skip)?;
                if !profession.is_finished() && Tag::peek(profession)? == Tag::Sequence {
                    profession.sequence(|list| {
                        while !list.is_finished() {
                            oids.push(ObjectIdentifier::decode(list)?);
                        }
                        Ok::<_, der::Error>(())
                    })?;
                }
                rest(profession)
            })
        })
    })?;
    reader.finish()?;
    Ok(oids)
}

/// Reads a SEQUENCE OF SEQUENCE (or of anything `read` takes), each inner one with `read`.
fn each<'a>(
    reader: &mut SliceReader<'a>,
    mut read: impl FnMut(&mut SliceReader<'a>) -> der::Result<()>,
) -> der::Result<()> {
    reader.sequence(|list| {
        while !list.is_finished() {
            if Tag::peek(list)? == Tag::Sequence {
                list.sequence(&mut read)?;
            } else {
                skip(list)?;
            }
        }
        Ok::<_, der::Error>(())
    })
}

fn skip(reader: &mut SliceReader<'_>) -> der::Result<()> {
    AnyRef::decode(reader).map(|_| ())
}

fn skip_unless_sequence(reader: &mut SliceReader<'_>) -> der::Result<()> {
    if Tag::peek(reader)? == Tag::Sequence {
        Ok(())
    } else {
        skip(reader)
    }
}

fn rest(reader: &mut SliceReader<'_>) -> der::Result<()> {
    while !reader.is_finished() {
        skip(reader)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The value as gematik's test cards carry it: profession text "Versicherte/-r" and one identifier.
    fn insured() -> Vec<u8> {
        let mut value = vec![
            0x30, 0x25, 0x30, 0x23, 0x30, 0x21, 0x30, 0x1f, 0x30, 0x1d, 0x30, 0x10, 0x0c, 0x0e,
        ];
        value.extend_from_slice(b"Versicherte/-r");
        value.extend_from_slice(&[0x30, 0x09, 0x06, 0x07, 0x2a, 0x82, 0x14, 0x00, 0x4c, 0x04, 0x31]);
        value
    }

    #[test]
    fn the_insured_persons_profession_is_found() {
        assert_eq!(profession_oids(&insured()).unwrap(), [INSURED_PERSON]);
    }

    #[test]
    fn every_truncation_is_refused_without_panic() {
        let value = insured();
        for end in 0..value.len() {
            assert_eq!(profession_oids(&value[..end]), None, "{end}");
        }
    }

    #[test]
    fn every_changed_byte_is_survived() {
        let value = insured();
        for index in 0..value.len() {
            for change in [1, 0x20, 0x80, 0xff] {
                let mut changed = value.clone();
                changed[index] ^= change;
                let _ = profession_oids(&changed);
            }
        }
    }

    #[test]
    fn a_profession_without_identifiers_states_none() {
        let value = [0x30, 0x0a, 0x30, 0x08, 0x30, 0x06, 0x30, 0x04, 0x30, 0x02, 0x30, 0x00];
        assert_eq!(profession_oids(&value).unwrap(), []);
        let no_profession = [0x30, 0x08, 0x30, 0x06, 0x30, 0x04, 0x30, 0x02, 0x30, 0x00];
        assert_eq!(profession_oids(&no_profession), None);
    }
}
