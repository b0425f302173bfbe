//! The corner of CBOR (RFC 8949) that attestations use, read strictly.
//!
//! Integers up to 64 bits, byte and text strings, arrays, maps, false, true and null, all of definite length and with
//! the shortest head (RFC 8949 §4.2.1). No tags, floating point, indefinite lengths. A map with a key twice is refused.

/// Deepest nesting of arrays and maps.
pub(crate) const MAX_DEPTH: usize = 6;
/// Most items of one document, counted over all levels.
pub(crate) const MAX_ITEMS: usize = 256;

/// One item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// A number of major type 0 or 1.
    Integer(i128),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A text string.
    Text(&'a str),
    /// An array.
    Array(Vec<Item<'a>>),
    /// A map, in the order received.
    Map(Vec<(Item<'a>, Item<'a>)>),
    /// `false` or `true`.
    Bool(bool),
    /// `null`.
    Null,
}

impl<'a> Item<'a> {
    /// Reads one item that fills `bytes`. Total; `None` for anything else.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (item, rest) = Self::parse_first(bytes)?;
        rest.is_empty().then_some(item)
    }

    /// Reads the item `bytes` begin with, and what is behind it. Total; `None` for anything else.
    pub(crate) fn parse_first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut reader = Reader { rest: bytes, items: 0 };
        let item = reader.item(0)?;
        Some((item, reader.rest))
    }

    /// The member of a map with this text as its key.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        self.value_of(&Item::Text(name))
    }

    /// The member of a map with this number as its key, as COSE has them (RFC 9052 §1.4).
    pub(crate) fn numbered(&self, label: i128) -> Option<&Self> {
        self.value_of(&Item::Integer(label))
    }

    fn value_of(&self, key: &Item<'_>) -> Option<&Self> {
        self.map()?
            .iter()
            .find_map(|(known, value)| (known == key).then_some(value))
    }

    pub(crate) fn map(&self) -> Option<&[(Self, Self)]> {
        match self {
            Self::Map(members) => Some(members),
            _ => None,
        }
    }

    pub(crate) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    items: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// Major type and argument of a head in its shortest form.
    fn head(&mut self) -> Option<(u8, u64)> {
        let first = *self.take(1)?.first()?;
        let (length, least) = match first & 0x1f {
            small @ 0..=23 => return Some((first >> 5, u64::from(small))),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            _ => return None,
        };
        let argument = self
            .take(length)?
            .iter()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        (argument >= least).then_some((first >> 5, argument))
    }

    fn item(&mut self, depth: usize) -> Option<Item<'a>> {
        self.items += 1;
        if depth > MAX_DEPTH || self.items > MAX_ITEMS {
            return None;
        }
        let simple = self.rest.first().is_some_and(|first| first >> 5 == 7);
        let (major, argument) = if simple {
            (7, u64::from(*self.take(1)?.first()? & 0x1f))
        } else {
            self.head()?
        };
        match major {
            0 => Some(Item::Integer(i128::from(argument))),
            1 => Some(Item::Integer(-1 - i128::from(argument))),
            2 => Some(Item::Bytes(self.take(usize::try_from(argument).ok()?)?)),
            3 => {
                let text = self.take(usize::try_from(argument).ok()?)?;
                std::str::from_utf8(text).ok().map(Item::Text)
            }
            // The count is not believed before its items are there.
            4 => (0..argument)
                .map(|_| self.item(depth + 1))
                .collect::<Option<_>>()
                .map(Item::Array),
            5 => {
                let mut members: Vec<(Item<'_>, Item<'_>)> = Vec::new();
                for _ in 0..argument {
                    let key = self.item(depth + 1)?;
                    if members.iter().any(|(known, _)| *known == key) {
                        return None;
                    }
                    members.push((key, self.item(depth + 1)?));
                }
                Some(Item::Map(members))
            }
            7 => match argument {
                20 => Some(Item::Bool(false)),
                21 => Some(Item::Bool(true)),
                22 => Some(Item::Null),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_attestations_use_is_read() {
        let item = Item::parse(b"\xa2\x63fmt\x61x\x01\x82\x43abc\x39\x01\x00").unwrap();
        assert_eq!(item.member("fmt"), Some(&Item::Text("x")));
        let (key, list) = &item.map().unwrap()[1];
        assert_eq!(*key, Item::Integer(1));
        assert_eq!(list.array().unwrap()[0].bytes(), Some(&b"abc"[..]));
        assert_eq!(list.array().unwrap()[1], Item::Integer(-257));
        assert_eq!(Item::parse(b"\xf5"), Some(Item::Bool(true)));
        assert_eq!(Item::parse(b"\xf6"), Some(Item::Null));
        let greatest = [&[0x1b][..], &[0xff; 8]].concat();
        assert_eq!(Item::parse(&greatest), Some(Item::Integer(i128::from(u64::MAX))));
    }

    #[test]
    fn an_item_ends_where_it_ends_and_numbers_are_keys_too() {
        let (item, rest) = Item::parse_first(b"\xa2\x01\x02\x20\x41xrest").unwrap();
        assert_eq!((item.numbered(1), rest), (Some(&Item::Integer(2)), &b"rest"[..]));
        assert_eq!(item.numbered(-1).unwrap().bytes(), Some(&b"x"[..]));
        assert_eq!((item.numbered(2), Item::Null.numbered(1)), (None, None));
        assert!(Item::parse_first(b"\xa1\x01").is_none());
    }

    #[test]
    fn anything_else_is_refused() {
        for (bytes, why) in [
            (&b""[..], "nothing"),
            (b"\x01\x01", "bytes behind the end"),
            (b"\x18\x17", "a longer head than needed"),
            (b"\x19\x00\xff", "a longer head than needed"),
            (b"\x1a\x00\x00\xff\xff", "a longer head than needed"),
            (b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", "a longer head than needed"),
            (b"\x5f\x41a\xff", "indefinite length"),
            (b"\x9f\xff", "indefinite length"),
            (b"\xbf\xff", "indefinite length"),
            (b"\xc0\x61a", "a tag"),
            (b"\xf9\x00\x00", "floating point"),
            (b"\xf8\x20", "another simple value"),
            (b"\xf7", "undefined"),
            (b"\x44abc", "a string that ends too early"),
            (b"\x62\xc3\x28", "text that is not UTF-8"),
            (b"\x82\x01", "an array that ends too early"),
            (b"\xa2\x01\x02\x01\x03", "a key twice"),
            (b"\xa1\x01", "a key without value"),
            (
                b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x00",
                "a count of items that are not there",
            ),
            (
                b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x00",
                "a count of members that are not there",
            ),
            (
                b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff\x00",
                "a length that is not there",
            ),
            (b"\x1c", "a reserved head"),
        ] {
            assert_eq!(Item::parse(bytes), None, "{why}");
        }
    }

    #[test]
    fn nesting_and_number_of_items_are_bounded() {
        let nested = |depth: usize| [vec![0x81; depth], vec![0x00]].concat();
        assert!(Item::parse(&nested(MAX_DEPTH)).is_some());
        assert!(Item::parse(&nested(MAX_DEPTH + 1)).is_none());
        let long = |count: u8| [vec![0x98, count], vec![0x00; usize::from(count)]].concat();
        assert!(Item::parse(&long(255)).is_some());
        assert!(Item::parse(&[vec![0x99, 0x01, 0x00], vec![0x00; 256]].concat()).is_none());
    }
}
