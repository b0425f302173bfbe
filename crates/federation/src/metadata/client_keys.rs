//! The keys of a service: TLS client certificates and encryption keys (A_23183, A_23194).
//!
//! Read from the raw key set, because a TLS certificate may use P-384, whose coordinates no other part of this
//! workspace needs: only the certificate's DER bytes count.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jose::jwk::{Jwk, JwkError, KeyUse, MAX_KEYS};
use serde_json::Value;

/// Longest certificate accepted, in bytes of DER.
pub const MAX_CERTIFICATE_BYTES: usize = 4 * 1024;

/// Why a service's key set is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientKeysError {
    /// No `keys` array.
    #[error("key set must be a JSON object with an array keys (RFC 7517 §5)")]
    NotAKeySet,
    /// More entries than [`MAX_KEYS`].
    #[error("key set must have at most {MAX_KEYS} keys")]
    TooManyKeys,
    /// An entry holds a private key.
    #[error("entry {index} of the key set has member d: a private key must never be published")]
    PrivateKey {
        /// Position, from 0.
        index: usize,
    },
    /// A TLS entry without exactly one certificate.
    #[error("x5c of entry {index} must be an array of exactly one certificate in base64 (A_23183)")]
    Certificate {
        /// Position, from 0.
        index: usize,
    },
    /// An encryption key is broken.
    #[error("entry {index} of the key set, an encryption key: {reason}")]
    EncryptionKey {
        /// Position, from 0.
        index: usize,
        /// What is wrong.
        reason: JwkError,
    },
}

/// What a service's key set holds, in the order it was published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientKeys {
    /// TLS client certificates, DER: entries with `x5c` that are not for encryption.
    pub tls_certificates: Vec<Vec<u8>>,
    /// P-256 keys with `use` `enc`.
    pub encryption_keys: Vec<Jwk>,
}

impl ClientKeys {
    /// Sorts the entries of a key set. Signature keys without certificate (some services publish their federation
    /// key here too) and encryption keys of other types are left out.
    ///
    /// # Errors
    /// [`ClientKeysError`], by entry.
    pub fn parse(jwks: &Value) -> Result<Self, ClientKeysError> {
        let entries = jwks
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(ClientKeysError::NotAKeySet)?;
        if entries.len() > MAX_KEYS {
            return Err(ClientKeysError::TooManyKeys);
        }
        let mut keys = Self::default();
        for (index, entry) in entries.iter().enumerate() {
            keys.add(index, entry)?;
        }
        Ok(keys)
    }

    fn add(&mut self, index: usize, entry: &Value) -> Result<(), ClientKeysError> {
        if entry.get("d").is_some() {
            return Err(ClientKeysError::PrivateKey { index });
        }
        if entry.get("use").and_then(Value::as_str) == Some("enc") {
            match Jwk::from_value(entry) {
                Ok(key) => self.encryption_keys.push(key),
                Err(JwkError::KeyType | JwkError::Curve) => {}
                Err(reason) => return Err(ClientKeysError::EncryptionKey { index, reason }),
            }
        } else if let Some(x5c) = entry.get("x5c") {
            self.tls_certificates
                .push(certificate(x5c).ok_or(ClientKeysError::Certificate { index })?);
        }
        Ok(())
    }

    /// The key an ID token is to be encrypted to: the newest one published (A_28209).
    ///
    /// If every usable key has a UUID of version 7 as `kid` (A_28208), the one with the latest time stamp; otherwise
    /// the first.
    pub fn newest_encryption_key(&self) -> Option<&Jwk> {
        let usable: Vec<&Jwk> = self
            .encryption_keys
            .iter()
            .filter(|key| key.allows(KeyUse::Encryption))
            .collect();
        let stamps: Option<Vec<u64>> = usable.iter().map(|key| time_stamp(key)).collect();
        match stamps {
            // Reversed: the first of equal ones.
            Some(stamps) => usable
                .iter()
                .zip(stamps)
                .rev()
                .max_by_key(|(_, stamp)| *stamp)
                .map(|(key, _)| *key),
            None => usable.first().copied(),
        }
    }
}

/// Milliseconds since 1970 of a UUID of version 7 (RFC 9562 §5.7).
fn time_stamp(key: &Jwk) -> Option<u64> {
    let kid = key.kid.as_deref()?;
    let bytes = kid.as_bytes();
    let shaped = bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            14 => *byte == b'7',
            _ => byte.is_ascii_hexdigit(),
        });
    if !shaped {
        return None;
    }
    let high = u64::from_str_radix(&kid[..8], 16).ok()?;
    let low = u64::from_str_radix(&kid[9..13], 16).ok()?;
    Some(high << 16 | low)
}

/// The DER bytes of exactly one certificate; only its outermost frame is looked at here.
fn certificate(x5c: &Value) -> Option<Vec<u8>> {
    let [Value::String(text)] = x5c.as_array()?.as_slice() else {
        return None;
    };
    let der = STANDARD.decode(text).ok()?;
    let framed = match der.as_slice() {
        [0x30, 0x82, high, low, rest @ ..] => rest.len() == usize::from(u16::from_be_bytes([*high, *low])),
        [0x30, 0x81, length, rest @ ..] => rest.len() == usize::from(*length),
        _ => false,
    };
    (framed && der.len() <= MAX_CERTIFICATE_BYTES).then_some(der)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::fixtures;

    const OLD: &str = "01890000-0000-7000-8000-000000000000";
    const NEW: &str = "01990000-0000-7000-8000-000000000000";

    fn encryption(kid: &str) -> Value {
        let mut key = fixtures::key(kid).jwk(KeyUse::Encryption).to_value();
        key["use"] = json!("enc");
        key
    }

    fn tls() -> Value {
        json!({"use": "sig", "kid": "tls", "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA",
            "x5c": [STANDARD.encode(fixtures::certificate(1))]})
    }

    fn newest(keys: Vec<Value>) -> Option<String> {
        let keys = ClientKeys::parse(&json!({"keys": keys})).unwrap();
        keys.newest_encryption_key().and_then(|key| key.kid.clone())
    }

    #[test]
    fn certificates_of_any_curve_are_taken_as_bytes() {
        let keys = ClientKeys::parse(&json!({"keys": [tls(), encryption("e")]})).unwrap();
        assert_eq!(keys.tls_certificates, [fixtures::certificate(1)]);
        assert_eq!(keys.encryption_keys.len(), 1);
    }

    #[test]
    fn broken_key_sets_are_refused() {
        let with = |member: &str, value: Value, mut key: Value| {
            key[member] = value;
            key
        };
        let certificate = STANDARD.encode(fixtures::certificate(1));
        let cases = [
            json!({}),
            json!([]),
            json!({"keys": {}}),
            json!({"keys": vec![tls(); MAX_KEYS + 1]}),
            json!({"keys": [with("d", json!("AA"), tls())]}),
            json!({"keys": [with("d", json!("AA"), encryption("e"))]}),
            json!({"keys": [with("x5c", json!([]), tls())]}),
            json!({"keys": [with("x5c", json!(certificate), tls())]}),
            json!({"keys": [with("x5c", json!([certificate, certificate]), tls())]}),
            json!({"keys": [with("x5c", json!(["!"]), tls())]}),
            json!({"keys": [with("x5c", json!(["AAAA"]), tls())]}),
            json!({"keys": [with("x5c", json!([1]), tls())]}),
            json!({"keys": [with("x", json!("AA"), encryption("e"))]}),
            // 33 bytes: seen in production
            json!({"keys": [with("x", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), encryption("e"))]}),
            json!({"keys": [with("y", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), encryption("e"))]}),
        ];
        for case in cases {
            assert!(ClientKeys::parse(&case).is_err(), "{case}");
        }
    }

    #[test]
    fn keys_for_other_purposes_are_left_out() {
        let rsa = json!({"use": "enc", "kty": "RSA", "n": "AA", "e": "AQAB"});
        let p384 = json!({"use": "enc", "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"});
        let federation = fixtures::key("f").jwk(KeyUse::Signature).to_value();
        let keys = ClientKeys::parse(&json!({"keys": [rsa, p384, federation]})).unwrap();
        assert_eq!(keys, ClientKeys::default());
    }

    #[test]
    fn the_newest_encryption_key_is_chosen() {
        assert_eq!(newest(vec![]), None);
        assert_eq!(newest(vec![encryption("b"), encryption("a")]).unwrap(), "b");
        assert_eq!(newest(vec![encryption(OLD), encryption(NEW)]).unwrap(), NEW);
        assert_eq!(newest(vec![encryption(NEW), encryption(OLD)]).unwrap(), NEW);
        assert_eq!(
            newest(vec![encryption(OLD), encryption("x"), encryption(NEW)]).unwrap(),
            OLD
        );
        assert_eq!(newest(vec![encryption("x"), encryption(NEW)]).unwrap(), "x");
        let mut wrapped = encryption(NEW);
        wrapped["alg"] = json!("ECDH-ES+A256KW");
        assert_eq!(newest(vec![encryption(OLD), wrapped]).unwrap(), OLD);
    }
}
