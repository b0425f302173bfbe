//! Reading and writing bytes with bounds: big-endian lengths for our own frames, little-endian fields for the vendors'.

/// Reads a slice from its start; every step is `None` at the end instead of a panic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(crate) fn array_ref<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16_le(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32_le(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64_le(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u16_be(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32_be(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64_be(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A 32-bit big-endian length of at most `limit`, and so many bytes.
    pub(crate) fn sized(&mut self, limit: usize) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32_be()?).ok()?;
        if length > limit {
            return None;
        }
        self.bytes(length)
    }

    /// A 32-bit little-endian length, and so many bytes.
    pub(crate) fn sized_le(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32_le()?).ok()?;
        self.bytes(length)
    }
}

/// Appends what [`Reader::sized`] reads. The callers' limits are far below 4 GiB.
pub(crate) fn write_sized(output: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    output.extend_from_slice(&length.to_be_bytes());
    output.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::{Reader, write_sized};

    #[test]
    fn reading_past_the_end_is_none_and_takes_nothing() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u32_le(), None);
        assert_eq!(reader.u16_be(), Some(0x0102));
        assert_eq!(reader.u16_le(), None);
        assert_eq!(reader.u8(), Some(3));
        assert!(reader.is_empty());
    }

    #[test]
    fn a_length_above_the_limit_is_refused_although_the_bytes_are_there() {
        let mut bytes = Vec::new();
        write_sized(&mut bytes, &[7; 9]);
        assert_eq!(Reader::new(&bytes).sized(9), Some(&[7; 9][..]));
        assert_eq!(Reader::new(&bytes).sized(8), None);
    }
}
