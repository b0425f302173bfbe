//! Just enough DER to write certificates and revocation lists (X.690, RFC 5280).

use jose::UnixTime;

pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;

/// Tag, length, content.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = content.len().to_be_bytes();
    match content.len() {
        short @ 0..=127 => bytes.push(u8::try_from(short).unwrap_or(0)),
        _ => {
            let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            bytes.push(0x80 | u8::try_from(significant.len()).unwrap_or(0));
            bytes.extend(significant);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// A constructed element of parts.
pub(crate) fn constructed(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag, &parts.concat())
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    constructed(SEQUENCE, parts)
}

/// A non-negative integer from its big-endian bytes.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if content.first().is_none_or(|first| *first >= 0x80) {
        content.insert(0, 0);
    }
    tlv(INTEGER, &content)
}

/// An object identifier from its arcs.
pub(crate) fn oid(arcs: &[u32]) -> Vec<u8> {
    let [first, second, rest @ ..] = arcs else {
        return tlv(OBJECT_IDENTIFIER, &[]);
    };
    let mut content = Vec::new();
    for arc in std::iter::once(&(first * 40 + second)).chain(rest) {
        let groups = (0..5).rev().map(|group| (arc >> (7 * group)) & 0x7f);
        let mut significant: Vec<u8> = groups
            .skip_while(|group| *group == 0)
            .map(|group| u8::try_from(group).unwrap_or(0) | 0x80)
            .collect();
        match significant.last_mut() {
            Some(last) => *last &= 0x7f,
            None => significant.push(0),
        }
        content.extend(significant);
    }
    tlv(OBJECT_IDENTIFIER, &content)
}

pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], bytes].concat())
}

/// A name of one common name.
pub(crate) fn common_name(name: &str) -> Vec<u8> {
    let attribute = sequence(&[&oid(&[2, 5, 4, 3]), &tlv(UTF8_STRING, name.as_bytes())]);
    sequence(&[&constructed(SET, &[&attribute])])
}

/// An extension; critical ones must be understood.
pub(crate) fn extension(id: &[u32], critical: bool, content: &[u8]) -> Vec<u8> {
    let flag = if critical { tlv(BOOLEAN, &[0xff]) } else { Vec::new() };
    sequence(&[&oid(id), &flag, &tlv(OCTET_STRING, content)])
}

/// A moment before 2050, as RFC 5280 §4.1.2.5.1 wants it.
pub(crate) fn utc_time(time: UnixTime) -> Vec<u8> {
    let (year, month, day, hour, minute, second) = civil(time);
    let text = format!("{:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z", year % 100);
    tlv(UTC_TIME, text.as_bytes())
}

/// `2026-11-21T23:00:00Z`.
pub(crate) fn rfc3339(time: UnixTime) -> String {
    let (year, month, day, hour, minute, second) = civil(time);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The civil date of a moment, Gregorian, UTC.
fn civil(time: UnixTime) -> (u64, u64, u64, u64, u64, u64) {
    let (mut days, seconds) = (time.0 / 86_400, time.0 % 86_400);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        // Nobody simulates beyond the year 9999.
        if days < length || year == 9999 {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1, seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_750_330_571, "2025-06-19T10:56:11Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(UnixTime(seconds)), text);
        }
    }

    #[test]
    fn lengths_integers_and_identifiers_are_written_as_x690_wants_them() {
        assert_eq!(tlv(4, &[0; 127])[..2], [4, 127]);
        assert_eq!(tlv(4, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(tlv(4, &[0; 300])[..4], [4, 0x82, 1, 44]);
        assert_eq!(unsigned(&[0, 0]), [2, 1, 0]);
        assert_eq!(unsigned(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(
            oid(&[1, 2, 840, 113_741, 1, 13, 1]),
            [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 13, 1]
        );
    }
}
