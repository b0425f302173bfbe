//! Bytes as text in JSON, one spelling each, and the two digests of this room.

use aws_lc_rs::digest::{SHA256, SHA512, digest};

/// SHA-256 over the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// SHA-512 of the bytes.
pub(crate) fn sha512(bytes: &[u8]) -> [u8; 64] {
    let mut out = [0; 64];
    out.copy_from_slice(digest(&SHA512, bytes).as_ref());
    out
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// The bytes behind lower-case hexadecimal; `None` for every other spelling.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?))
        .collect()
}

/// Fields framed for a digest or a signature: each with its length before it (four bytes, big-endian), so that no two
/// lists of fields give the same bytes.
pub(crate) struct Framed(Vec<u8>);

impl Framed {
    /// Begins with the domain, framed like every other field.
    pub(crate) fn new(domain: &str) -> Self {
        Self(Vec::with_capacity(256)).field(domain.as_bytes())
    }

    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        // Nothing framed here reaches 4 GiB: every input was limited when it was parsed.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn number(self, number: u64) -> Self {
        self.field(&number.to_be_bytes())
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0
    }
}

/// `serde(with)`: an array as lower-case hexadecimal.
pub(crate) mod hex_array {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer, const N: usize>(bytes: &[u8; N], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::hex(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(deserializer)?;
        super::unhex(&text)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| D::Error::custom("lower-case hexadecimal of the wrong length or alphabet"))
    }
}

/// `serde(with)`: bytes of any length as lower-case hexadecimal.
pub(crate) mod hex_bytes {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::hex(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::unhex(&text).ok_or_else(|| D::Error::custom("not lower-case hexadecimal"))
    }
}

/// `serde(with)`: an array as base64url.
pub(crate) mod base64url_array {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer, const N: usize>(bytes: &[u8; N], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&jose::base64url::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(deserializer)?;
        jose::base64url::decode_array(&text).map_err(D::Error::custom)
    }
}

/// `serde(with)`: bytes of any length as base64url.
pub(crate) mod base64url_bytes {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&jose::base64url::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        jose::base64url::decode(&text).map_err(D::Error::custom)
    }
}

/// `serde(with)`: a P-256 key as base64url of its uncompressed point.
pub(crate) mod p256_key {
    use jose::jwk::P256PublicKey;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(key: &P256PublicKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&jose::base64url::encode(&key.to_uncompressed()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<P256PublicKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        let point: [u8; 65] = jose::base64url::decode_array(&text).map_err(D::Error::custom)?;
        P256PublicKey::from_uncompressed(&point).map_err(D::Error::custom)
    }
}

/// ES256 over `message` (RFC 7518 §3.4).
pub(crate) fn es256_verifies(key: &jose::jwk::P256PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
    aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED, key.to_uncompressed())
        .verify(message, signature)
        .is_ok()
}
