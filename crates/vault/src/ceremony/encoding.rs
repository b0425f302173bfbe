//! Bytes in JSON, and fields framed for digests.

use aws_lc_rs::digest::{SHA256, digest};

/// Fields framed by their lengths (four bytes, big-endian), so that no two lists of fields give the same bytes.
pub(super) struct Framed(Vec<u8>);

impl Framed {
    pub fn new(domain: &str) -> Self {
        Self(Vec::with_capacity(256)).field(domain.as_bytes())
    }

    pub fn field(mut self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        self.0
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// Arrays as base64url.
pub(super) mod array {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer, const N: usize>(bytes: &[u8; N], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&jose::base64url::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(deserializer)?;
        jose::base64url::decode_array(&text).map_err(D::Error::custom)
    }
}

/// Hashes as base64url.
pub(super) mod hashes {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _, ser::SerializeSeq as _};

    pub fn serialize<S: Serializer>(hashes: &[[u8; 32]], serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(hashes.len()))?;
        for hash in hashes {
            list.serialize_element(&jose::base64url::encode(hash))?;
        }
        list.end()
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[u8; 32]>, D::Error> {
        Vec::<String>::deserialize(deserializer)?
            .iter()
            .map(|text| jose::base64url::decode_array(text).map_err(D::Error::custom))
            .collect()
    }
}

/// Bytes as base64url.
pub(super) mod bytes {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&jose::base64url::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        jose::base64url::decode(&text).map_err(D::Error::custom)
    }
}

/// Public keys as base64url of the uncompressed point.
pub(super) mod point {
    use jose::jwk::P256PublicKey;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(key: &P256PublicKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&jose::base64url::encode(&key.to_uncompressed()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<P256PublicKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        let point = jose::base64url::decode(&text).map_err(D::Error::custom)?;
        P256PublicKey::from_uncompressed(&point).map_err(D::Error::custom)
    }
}
