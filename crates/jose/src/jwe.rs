//! Encryption: JWE in compact serialisation (RFC 7516), ECDH-ES with A256GCM only (RFC 7518 §4.6, §5.3).
//!
//! Direct key agreement: a fresh key pair per token, an empty encrypted key, the content key derived from the shared
//! secret. Decryption proves that the sender knew the recipient's public key, nothing more: who sent it is said by
//! the JWS inside.
//!
//! ```
//! use jose::{SoftwareKey, json, jwe};
//!
//! let recipient = SoftwareKey::generate("puk_enc")?;
//! let header = jwe::EncryptionHeader { kid: "puk_enc", cty: Some("JWT"), version: Some("2.0.0") };
//! let token = jwe::encrypt(&header, recipient.public_key(), b"payload")?;
//!
//! let encrypted = jwe::parse(&token, &json::DEFAULT)?;
//! assert_eq!(encrypted.header().version.as_deref(), Some("2.0.0"));
//! assert_eq!(&*encrypted.decrypt(&recipient)?, b"payload");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, RandomizedNonceKey, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::base64url::{self, Base64UrlError};
use crate::header::{self, HeaderError, RawHeader};
use crate::json::{self, Limits};
use crate::jwk::{Jwk, JwkError, P256PublicKey};
use crate::kdf;
use crate::keys::{self, KeyAgreement, SharedSecret};

/// Bytes of the nonce (RFC 7518 §5.3).
const IV_BYTES: usize = 12;
/// Bytes of the authentication tag (RFC 7518 §5.3).
const TAG_BYTES: usize = 16;
/// Bytes of the content key.
const KEY_BYTES: usize = 32;
/// Greatest length of `apu` and `apv`, decoded.
pub const MAX_PARTY_INFO_BYTES: usize = 256;

/// Why a JWE was refused, or not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    /// Longer than the limit.
    #[error("JWE is too long, expected at most {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Not five parts.
    #[error("JWE does not have five parts separated by dots (RFC 7516 section 7.1)")]
    NotFiveParts,
    /// The header is not acceptable.
    #[error("JWE {0}")]
    Header(#[from] HeaderError),
    /// An `alg` of another profile.
    #[error("JWE header member `alg` is `{name}`, expected `ECDH-ES` (RFC 8725 section 3.1)")]
    AlgorithmRefused {
        /// The registered name, or `unregistered`.
        name: &'static str,
    },
    /// An `enc` of another profile.
    #[error("JWE header member `enc` is `{name}`, expected `A256GCM` (RFC 8725 section 3.1)")]
    EncryptionRefused {
        /// The registered name, or `unregistered`.
        name: &'static str,
    },
    /// `epk` is not a P-256 public key.
    #[error("JWE header member `epk`: {0} (RFC 7518 section 4.6.1.1)")]
    EphemeralKey(JwkError),
    /// `apu` or `apv` is not acceptable.
    #[error(
        "JWE header member `{member}` is not base64url of at most {MAX_PARTY_INFO_BYTES} bytes (RFC 7518 section 4.6.1)"
    )]
    PartyInfo {
        /// `apu` or `apv`.
        member: &'static str,
    },
    /// The second part is not empty.
    #[error("JWE encrypted key is not empty, expected none with `ECDH-ES` (RFC 7516 section 5.2 step 10)")]
    EncryptedKey,
    /// The nonce is not 12 bytes of base64url.
    #[error("JWE initialization vector: {0} (RFC 7518 section 5.3)")]
    InitializationVector(Base64UrlError),
    /// The ciphertext is not base64url.
    #[error("JWE ciphertext: {0}")]
    Ciphertext(Base64UrlError),
    /// The tag is not 16 bytes of base64url.
    #[error("JWE authentication tag: {0} (RFC 7518 section 5.3)")]
    Tag(Base64UrlError),
    /// The key's holder did not agree on a secret.
    #[error("the key agreement failed")]
    KeyAgreement,
    /// Wrong key, or the token was changed.
    #[error("JWE does not decrypt with the given key (RFC 7516 section 5.2)")]
    NotDecrypted,
    /// The cryptography library failed while encrypting.
    #[error("JWE could not be made")]
    Failed,
}

/// What the sender writes; `alg`, `enc` and `epk` are given.
#[derive(Clone, Copy, Debug)]
pub struct EncryptionHeader<'a> {
    /// The recipient's key.
    pub kid: &'a str,
    /// `cty`; `JWT` for a nested token (RFC 7519 §5.2).
    pub cty: Option<&'a str>,
    /// `version` of the ID token, if it is to be announced (A_27505).
    pub version: Option<&'a str>,
}

/// Encrypts `plaintext` to `recipient` under a fresh key pair. Header members: `alg`, `enc`, `cty`, `kid`, `epk`,
/// `version`.
///
/// # Errors
/// [`JweError::KeyAgreement`], [`JweError::Failed`].
pub fn encrypt(header: &EncryptionHeader<'_>, recipient: &P256PublicKey, plaintext: &[u8]) -> Result<String, JweError> {
    let ephemeral = agreement::PrivateKey::generate(&ECDH_P256).map_err(|_| JweError::Failed)?;
    let point = ephemeral.compute_public_key().map_err(|_| JweError::Failed)?;
    let (x, y) = match point.as_ref() {
        [0x04, coordinates @ ..] if coordinates.len() == 64 => coordinates.split_at(32),
        _ => return Err(JweError::Failed),
    };
    let json = encryption_header(header, x, y);
    let secret = keys::agree(&ephemeral, recipient).map_err(|_| JweError::KeyAgreement)?;
    let key = content_key(&secret, &[], &[])?;

    let length = base64url::encoded_length(json.len())
        + base64url::encoded_length(plaintext.len())
        + base64url::encoded_length(IV_BYTES)
        + base64url::encoded_length(TAG_BYTES)
        + 4;
    let mut token = String::with_capacity(length);
    base64url::encode_into(&json, &mut token);
    let mut sealed = Zeroizing::new(plaintext.to_vec());
    let (iv, tag) = RandomizedNonceKey::new(&AES_256_GCM, &key[..])
        .and_then(|key| key.seal_in_place_separate_tag(Aad::from(token.as_bytes()), &mut sealed))
        .map_err(|_| JweError::Failed)?;
    token.push_str("..");
    base64url::encode_into(iv.as_ref(), &mut token);
    token.push('.');
    base64url::encode_into(&sealed, &mut token);
    token.push('.');
    base64url::encode_into(tag.as_ref(), &mut token);
    Ok(token)
}

fn encryption_header(header: &EncryptionHeader<'_>, x: &[u8], y: &[u8]) -> Vec<u8> {
    let mut json = Vec::with_capacity(256);
    json.extend_from_slice(br#"{"alg":"ECDH-ES","enc":"A256GCM""#);
    if let Some(cty) = header.cty {
        json.extend_from_slice(br#","cty":"#);
        json::push_string(cty, &mut json);
    }
    json.extend_from_slice(br#","kid":"#);
    json::push_string(header.kid, &mut json);
    json.extend_from_slice(br#","epk":{"kty":"EC","crv":"P-256","x":""#);
    json.extend_from_slice(base64url::encode(x).as_bytes());
    json.extend_from_slice(br#"","y":""#);
    json.extend_from_slice(base64url::encode(y).as_bytes());
    json.extend_from_slice(br#""}"#);
    if let Some(version) = header.version {
        json.extend_from_slice(br#","version":"#);
        json::push_string(version, &mut json);
    }
    json.push(b'}');
    json
}

fn content_key(secret: &SharedSecret, apu: &[u8], apv: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, JweError> {
    let mut key = Zeroizing::new([0u8; KEY_BYTES]);
    // Direct key agreement: the AlgorithmID is the `enc` value (RFC 7518 §4.6.2).
    kdf::derive(secret, b"A256GCM", apu, apv, &mut key[..]).ok_or(JweError::Failed)?;
    Ok(key)
}

/// The protected header; `alg` is `ECDH-ES` and `enc` is `A256GCM`, or it would not have been parsed. `crit`, `zip`,
/// `jwk`, `jku` and `x5u` cannot occur in it; other members are ignored (RFC 7516 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `kid`: the recipient's key.
    pub kid: Option<String>,
    /// `typ`
    pub typ: Option<String>,
    /// `cty`
    pub cty: Option<String>,
    /// `version` of the ID token (A_27505).
    pub version: Option<String>,
    /// `epk`: the sender's fresh key.
    pub epk: P256PublicKey,
    /// `apu`, decoded; empty when absent.
    pub apu: Vec<u8>,
    /// `apv`, decoded; empty when absent.
    pub apv: Vec<u8>,
}

impl Header {
    /// Always `ECDH-ES`.
    #[must_use]
    pub const fn alg(&self) -> &'static str {
        "ECDH-ES"
    }

    /// Always `A256GCM`.
    #[must_use]
    pub const fn enc(&self) -> &'static str {
        "A256GCM"
    }
}

/// A well-formed JWE that nobody has decrypted; whoever wants to may have made it.
#[derive(Clone)]
pub struct UnverifiedJwe {
    header: Header,
    /// The header as it came: what the tag also covers (RFC 7516 §5.1 step 14).
    protected: String,
    iv: [u8; IV_BYTES],
    ciphertext: Vec<u8>,
    tag: [u8; TAG_BYTES],
}

/// Parses a compact JWE. Nothing is decrypted.
///
/// # Errors
/// [`JweError`].
pub fn parse(token: &str, limits: &Limits) -> Result<UnverifiedJwe, JweError> {
    if token.len() > limits.bytes {
        return Err(JweError::TooLong { limit: limits.bytes });
    }
    let mut segments = token.split('.');
    let (Some(protected), Some(encrypted_key), Some(iv), Some(ciphertext), Some(tag), None) = (
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
    ) else {
        return Err(JweError::NotFiveParts);
    };
    let header = parse_header(protected, limits)?;
    if !encrypted_key.is_empty() {
        return Err(JweError::EncryptedKey);
    }
    Ok(UnverifiedJwe {
        header,
        protected: protected.to_owned(),
        iv: base64url::decode_array(iv).map_err(JweError::InitializationVector)?,
        ciphertext: base64url::decode(ciphertext).map_err(JweError::Ciphertext)?,
        tag: base64url::decode_array(tag).map_err(JweError::Tag)?,
    })
}

fn parse_header(segment: &str, limits: &Limits) -> Result<Header, JweError> {
    let mut raw = RawHeader::parse(segment, limits)?;
    if raw.alg != "ECDH-ES" {
        return Err(JweError::AlgorithmRefused {
            name: header::algorithm_label(&raw.alg),
        });
    }
    let enc = raw.take_string("enc")?.ok_or(HeaderError::Missing { member: "enc" })?;
    if enc != "A256GCM" {
        return Err(JweError::EncryptionRefused {
            name: header::algorithm_label(&enc),
        });
    }
    let epk = raw.other.remove("epk").ok_or(HeaderError::Missing { member: "epk" })?;
    Ok(Header {
        epk: Jwk::from_value(&epk).map_err(JweError::EphemeralKey)?.key,
        version: raw.take_string("version")?,
        apu: party_info(raw.other.remove("apu"), "apu")?,
        apv: party_info(raw.other.remove("apv"), "apv")?,
        kid: raw.kid,
        typ: raw.typ,
        cty: raw.cty,
    })
}

fn party_info(value: Option<Value>, member: &'static str) -> Result<Vec<u8>, JweError> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if text.len() <= base64url::encoded_length(MAX_PARTY_INFO_BYTES) => {
            base64url::decode(&text).map_err(|_| JweError::PartyInfo { member })
        }
        Some(_) => Err(JweError::PartyInfo { member }),
    }
}

impl UnverifiedJwe {
    /// The header, as claimed.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Decrypts. The key is the caller's choice, by [`Header::kid`].
    ///
    /// # Errors
    /// [`JweError::KeyAgreement`], [`JweError::NotDecrypted`].
    pub fn decrypt(&self, recipient: &dyn KeyAgreement) -> Result<Zeroizing<Vec<u8>>, JweError> {
        let secret = recipient.agree(&self.header.epk).map_err(|_| JweError::KeyAgreement)?;
        let key = content_key(&secret, &self.header.apu, &self.header.apv)?;
        let key = UnboundKey::new(&AES_256_GCM, &key[..]).map_err(|_| JweError::Failed)?;
        let mut plaintext = Zeroizing::new(vec![0u8; self.ciphertext.len()]);
        LessSafeKey::new(key)
            .open_separate_gather(
                Nonce::assume_unique_for_key(self.iv),
                Aad::from(self.protected.as_bytes()),
                &self.ciphertext,
                &self.tag,
                &mut plaintext,
            )
            .map_err(|_| JweError::NotDecrypted)?;
        Ok(plaintext)
    }
}

impl fmt::Debug for UnverifiedJwe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UnverifiedJwe")
    }
}

#[cfg(test)]
mod tests;
