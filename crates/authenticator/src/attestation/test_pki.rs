//! Certificates and descriptions made at test time, wrong in one point each.
#![allow(clippy::unwrap_used)]

use jose::{SoftwareKey, UnixTime};

pub(crate) use crate::certificate_writer as writer;
pub(crate) use writer::{IssuerKey, Template, element, sequence};

pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);
pub(crate) const DAY: u64 = 86_400;
const TITLE: der::asn1::ObjectIdentifier = der::asn1::ObjectIdentifier::new_unwrap("2.5.4.12");

pub(crate) fn key(number: u8) -> SoftwareKey {
    SoftwareKey::from_scalar("test", &[number; 32]).unwrap()
}

pub(crate) fn issuer(number: u8) -> IssuerKey {
    IssuerKey::P256(Box::new(key(number)))
}

pub(crate) fn name(text: &str) -> Vec<u8> {
    writer::name(&[(writer::COMMON_NAME, text)])
}

/// A name with a title, as attestation keys have it.
pub(crate) fn titled(text: &str, title: &str) -> Vec<u8> {
    writer::name(&[(TITLE, title), (writer::COMMON_NAME, text)])
}

/// A certificate authority's certificate for key `subject_key`, without limit of path length.
pub(crate) fn authority(subject: &[u8], subject_key: u8, issuer_name: &[u8]) -> Template {
    Template {
        extensions: vec![
            writer::extension("2.5.29.19", true, &sequence(&[&element(0x01, &[0xff])])),
            writer::key_usage(writer::CERTIFICATE_AND_LIST_SIGN),
        ],
        ..end_entity(subject, subject_key, issuer_name)
    }
}

/// A certificate for key `subject_key` without extensions.
pub(crate) fn end_entity(subject: &[u8], subject_key: u8, issuer_name: &[u8]) -> Template {
    Template {
        serial: vec![subject_key],
        issuer: issuer_name.to_vec(),
        not_before: NOW.minus_seconds(DAY),
        not_after: NOW.plus_seconds(DAY),
        subject: subject.to_vec(),
        spki: issuer(subject_key).spki(),
        extensions: Vec::new(),
    }
}

pub(crate) fn signed(template: &Template, by: u8) -> Vec<u8> {
    writer::certificate(template, &issuer(by)).unwrap()
}

/// An explicit context-specific tag of any number.
pub(crate) fn tagged(number: u32, content: &[u8]) -> Vec<u8> {
    if number < 31 {
        return element(0xa0 | u8::try_from(number).unwrap(), content);
    }
    let mut digits = vec![u8::try_from(number & 0x7f).unwrap()];
    let mut rest = number >> 7;
    while rest > 0 {
        digits.insert(0, 0x80 | u8::try_from(rest & 0x7f).unwrap());
        rest >>= 7;
    }
    let body = element(0xbf, content);
    [&[0xbf][..], &digits, &body[1..]].concat()
}

pub(crate) fn integer(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let digits = bytes.iter().skip_while(|byte| **byte == 0).copied();
    let mut digits: Vec<u8> = digits.collect();
    if digits.first().is_none_or(|first| *first >= 0x80) {
        digits.insert(0, 0);
    }
    element(0x02, &digits)
}

pub(crate) fn octets(bytes: &[u8]) -> Vec<u8> {
    element(0x04, bytes)
}

pub(crate) fn set(members: &[Vec<u8>]) -> Vec<u8> {
    element(0x31, &members.concat())
}

pub(crate) const NULL: &[u8] = &[0x05, 0x00];
