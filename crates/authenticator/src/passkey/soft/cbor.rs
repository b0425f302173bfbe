//! Writes CBOR.

pub(in super::super) fn head(major: u8, number: usize) -> Vec<u8> {
    let major = major << 5;
    match number {
        0..=23 => vec![major | u8::try_from(number).unwrap()],
        24..=255 => vec![major | 24, u8::try_from(number).unwrap()],
        _ => [&[major | 25][..], &u16::try_from(number).unwrap().to_be_bytes()].concat(),
    }
}

pub(in super::super) fn number(value: i64) -> Vec<u8> {
    if value < 0 {
        head(1, usize::try_from(-1 - value).unwrap())
    } else {
        head(0, usize::try_from(value).unwrap())
    }
}

pub(in super::super) fn bytes(content: &[u8]) -> Vec<u8> {
    [head(2, content.len()), content.to_vec()].concat()
}

pub(in super::super) fn text(content: &str) -> Vec<u8> {
    [head(3, content.len()), content.as_bytes().to_vec()].concat()
}

pub(in super::super) fn map(members: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let members_bytes = members.iter().flat_map(|(key, value)| [key.clone(), value.clone()]);
    [head(5, members.len())]
        .into_iter()
        .chain(members_bytes)
        .collect::<Vec<_>>()
        .concat()
}

/// A map with numbers as keys.
pub(in super::super) fn cose(members: &[(i64, Vec<u8>)]) -> Vec<u8> {
    let members: Vec<_> = members
        .iter()
        .map(|(key, value)| (number(*key), value.clone()))
        .collect();
    map(&members)
}
