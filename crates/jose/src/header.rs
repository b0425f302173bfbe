//! What the protected headers of JWS and JWE have in common, read in one pass.
//!
//! A header comes from outside and is read before anything is verified. Members that bring a key along, or change
//! what the other members mean, end the reading (RFC 8725 §3.10; RFC 7515 §4.1.11).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::base64url::{self, Base64UrlError};
use crate::json::{self, Depth, JsonError, Limits, NameSeed, Refusal, TreeSeed};

/// Greatest length of a protected header before base64url, in bytes.
pub const MAX_HEADER_BYTES: usize = 8 * 1024;

/// Greatest number of certificates in `x5c`.
pub const MAX_CERTIFICATES: usize = 4;

/// Greatest length of one certificate's DER, in bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 4 * 1024;

/// Members that choose a key, compress, or change the meaning of others.
const FORBIDDEN: [&str; 6] = ["crit", "jwk", "jku", "x5u", "zip", "b64"];

/// Algorithms that are refused by their name. Everything else is refused as `unregistered`, so that an error never
/// repeats a sender's text.
const KNOWN_ALGORITHMS: [&str; 37] = [
    "none",
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "ES256K",
    "EdDSA",
    "Ed25519",
    "BP256R1",
    "BP384R1",
    "BP512R1",
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "A128KW",
    "A192KW",
    "A256KW",
    "dir",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "ECDH-ES+A192KW",
    "ECDH-ES+A256KW",
    "A128GCM",
    "A192GCM",
    "A256GCM",
    "A128GCMKW",
    "A256GCMKW",
    "A128CBC-HS256",
    "A256CBC-HS512",
];

/// Why a protected header was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Longer than [`MAX_HEADER_BYTES`].
    #[error("header is too long, expected at most {MAX_HEADER_BYTES} bytes")]
    TooLong,
    /// Not base64url.
    #[error("header: {0}")]
    Base64Url(#[from] Base64UrlError),
    /// Not the JSON we accept.
    #[error("header: {0}")]
    Json(JsonError),
    /// A member that chooses a key or changes the meaning of others.
    #[error("header member `{member}` is not allowed (RFC 8725 section 3.10)")]
    Forbidden {
        /// The member.
        member: &'static str,
    },
    /// A required member is absent.
    #[error("header member `{member}` is missing")]
    Missing {
        /// The member.
        member: &'static str,
    },
    /// A member is not a string.
    #[error("header member `{member}` has the wrong type, expected a string")]
    NotAString {
        /// The member.
        member: &'static str,
    },
    /// `x5c` is not acceptable.
    #[error("header member `x5c`: {0}")]
    Certificates(#[from] CertificatesError),
}

/// Why `x5c` was refused (RFC 7515 §4.1.6, RFC 7517 §4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificatesError {
    /// Not an array of strings with at least one entry.
    #[error("certificates are not a list, expected an array of strings with at least one entry")]
    NotAList,
    /// More than [`MAX_CERTIFICATES`].
    #[error("too many certificates, expected at most {MAX_CERTIFICATES}")]
    TooMany,
    /// One is longer than [`MAX_CERTIFICATE_BYTES`].
    #[error("certificate is too long, expected at most {MAX_CERTIFICATE_BYTES} bytes of DER")]
    TooLong,
    /// Not standard base64 with padding (RFC 4648 §4).
    #[error("certificate is not base64, expected the standard alphabet with padding (RFC 4648 section 4)")]
    NotBase64,
    /// The bytes are not one DER SEQUENCE.
    #[error("certificate is not DER, expected one SEQUENCE")]
    NotDer,
}

/// A header's members, `alg` not yet judged.
#[derive(Debug, Default)]
pub(crate) struct RawHeader {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
    pub(crate) cty: Option<String>,
    pub(crate) x5c: Vec<Vec<u8>>,
    pub(crate) other: Map<String, Value>,
}

impl RawHeader {
    /// Reads the first segment of a compact serialisation.
    pub(crate) fn parse(segment: &str, limits: &Limits) -> Result<Self, HeaderError> {
        if segment.len() > base64url::encoded_length(MAX_HEADER_BYTES) {
            return Err(HeaderError::TooLong);
        }
        let bytes = base64url::decode(segment)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| HeaderError::Json(JsonError::NotUtf8))?;
        let refusal = Refusal::default();
        let mut reader = serde_json::Deserializer::from_str(text);
        let visitor = HeaderVisitor {
            refusal: &refusal,
            depth: Depth::of(limits),
        };
        let header = reader
            .deserialize_map(visitor)
            .map_err(|error| HeaderError::Json(refusal.take().unwrap_or_else(|| json::describe(&error))))?;
        reader
            .end()
            .map_err(|error| HeaderError::Json(json::describe(&error)))?;
        header
    }

    /// Takes a string member out of the rest.
    pub(crate) fn take_string(&mut self, member: &'static str) -> Result<Option<String>, HeaderError> {
        self.other.remove(member).map(|value| string(value, member)).transpose()
    }
}

struct HeaderVisitor<'r> {
    refusal: &'r Refusal,
    depth: Depth,
}

impl<'de> Visitor<'de> for HeaderVisitor<'_> {
    type Value = Result<RawHeader, HeaderError>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let values = TreeSeed::new(self.refusal, self.depth.enter(self.refusal)?);
        let mut header = RawHeader::default();
        let (mut alg, mut x5c) = (None, None);
        // The first problem is reported, but only if the document as a whole is sound.
        let mut problem = None;
        while let Some(name) = access.next_key_seed(NameSeed)? {
            let value = access.next_value_seed(values)?;
            if let Some(member) = FORBIDDEN.iter().find(|member| **member == name) {
                problem = problem.or(Some(HeaderError::Forbidden { member }));
                continue;
            }
            let (slot, member) = match &*name {
                "alg" => (&mut alg, "alg"),
                "kid" => (&mut header.kid, "kid"),
                "typ" => (&mut header.typ, "typ"),
                "cty" => (&mut header.cty, "cty"),
                "x5c" => {
                    if x5c.replace(value).is_some() {
                        return Err(self.refusal.duplicate("x5c"));
                    }
                    continue;
                }
                _ => {
                    if header.other.contains_key(&*name) {
                        return Err(self.refusal.duplicate(&name));
                    }
                    header.other.insert(name.into_owned(), value);
                    continue;
                }
            };
            match string(value, member) {
                Ok(text) => {
                    if slot.replace(text).is_some() {
                        return Err(self.refusal.duplicate(member));
                    }
                }
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        if let Some(problem) = problem {
            return Ok(Err(problem));
        }
        let Some(alg) = alg else {
            return Ok(Err(HeaderError::Missing { member: "alg" }));
        };
        header.alg = alg;
        match x5c.as_ref().map(certificates).transpose() {
            Ok(chain) => header.x5c = chain.unwrap_or_default(),
            Err(error) => return Ok(Err(error.into())),
        }
        Ok(Ok(header))
    }
}

fn string(value: Value, member: &'static str) -> Result<String, HeaderError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(HeaderError::NotAString { member }),
    }
}

/// The name of a refused algorithm as an error may show it.
pub(crate) fn algorithm_label(name: &str) -> &'static str {
    KNOWN_ALGORITHMS
        .iter()
        .find(|known| **known == name)
        .copied()
        .unwrap_or("unregistered")
}

/// Whether the crate writes or refuses this member itself.
pub(crate) fn reserved_member(name: &str) -> Option<&'static str> {
    FORBIDDEN
        .iter()
        .chain(&["alg", "kid", "typ", "cty", "x5c"])
        .find(|member| **member == name)
        .copied()
}

/// The DER certificates of an `x5c` member, leaf first. Only their outermost frame is looked at here.
pub(crate) fn certificates(value: &Value) -> Result<Vec<Vec<u8>>, CertificatesError> {
    let entries = value
        .as_array()
        .filter(|entries| !entries.is_empty())
        .ok_or(CertificatesError::NotAList)?;
    if entries.len() > MAX_CERTIFICATES {
        return Err(CertificatesError::TooMany);
    }
    entries
        .iter()
        .map(|entry| {
            let text = entry.as_str().ok_or(CertificatesError::NotAList)?;
            if text.len() > MAX_CERTIFICATE_BYTES.div_ceil(3) * 4 {
                return Err(CertificatesError::TooLong);
            }
            let der = STANDARD.decode(text).map_err(|_| CertificatesError::NotBase64)?;
            if der.len() > MAX_CERTIFICATE_BYTES {
                return Err(CertificatesError::TooLong);
            }
            if is_one_sequence(&der) {
                Ok(der)
            } else {
                Err(CertificatesError::NotDer)
            }
        })
        .collect()
}

/// The base64 text of one certificate, as `x5c` carries it.
pub(crate) fn certificate_text(der: &[u8]) -> String {
    STANDARD.encode(der)
}

/// One SEQUENCE in minimal length form, nothing behind it (X.690 §8.1.3, §10.1).
pub(crate) fn is_one_sequence(der: &[u8]) -> bool {
    match der {
        [0x30, length @ 0..=0x7f, rest @ ..] => rest.len() == usize::from(*length),
        [0x30, 0x81, length @ 0x80..=0xff, rest @ ..] => rest.len() == usize::from(*length),
        [0x30, 0x82, high @ 1..=0xff, low, rest @ ..] => rest.len() == usize::from(u16::from_be_bytes([*high, *low])),
        _ => false,
    }
}
