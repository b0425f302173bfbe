//! Signatures: JWS in compact serialisation (RFC 7515), ES256 only (RFC 7518 §3.4).
//!
//! A card's answer is signed with BP256R1; it is parsed here, and verified by the `authenticator` crate, which knows
//! Brainpool. Everything else is refused by name.
//!
//! ```
//! use jose::{SoftwareKey, json, jws};
//!
//! let key = SoftwareKey::generate("2026-1")?;
//! let header = jws::SigningHeader { typ: Some("JWT"), ..Default::default() };
//! let token = jws::sign(&header, br#"{"iss":"https://idp.example"}"#, &key)?;
//!
//! let unverified = jws::parse(&token, &json::DEFAULT)?;
//! assert_eq!(unverified.header().kid.as_deref(), Some("2026-1"));
//! let verified = unverified.verify(key.public_key())?;
//! assert_eq!(verified.bytes(), br#"{"iss":"https://idp.example"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::base64url::{self, Base64UrlError};
use crate::header::{self, HeaderError, RawHeader};
use crate::json::{self, JsonError, Limits};
use crate::jwk::P256PublicKey;
use crate::keys::{SignError, Signer};

/// Bytes of a signature: r ‖ s on a 256-bit curve.
pub const SIGNATURE_BYTES: usize = 64;

/// The algorithms that are parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
    Es256,
    /// ECDSA on brainpoolP256r1 with SHA-256: the health card's (gemSpec_IDP_Dienst).
    Bp256R1,
}

impl Algorithm {
    /// The wire value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Bp256R1 => "BP256R1",
        }
    }
}

/// Why a JWS was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Longer than the limit.
    #[error("JWS is too long, expected at most {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Not three parts.
    #[error("JWS does not have three parts separated by dots (RFC 7515 section 7.1)")]
    NotThreeParts,
    /// The header is not acceptable.
    #[error("JWS {0}")]
    Header(#[from] HeaderError),
    /// An algorithm of another profile.
    #[error("JWS header member `alg` is `{name}`, expected `ES256` (RFC 8725 section 3.1)")]
    AlgorithmRefused {
        /// The registered name, or `unregistered`.
        name: &'static str,
    },
    /// The payload is not base64url.
    #[error("JWS payload: {0}")]
    Payload(Base64UrlError),
    /// The signature is not 64 bytes of base64url.
    #[error("JWS signature: {0} (RFC 7518 section 3.4)")]
    Signature(Base64UrlError),
    /// The signature is not this key's.
    #[error("JWS signature does not verify with the given key (RFC 7515 section 5.2)")]
    NotVerified,
}

/// The protected header. `crit`, `jwk`, `jku`, `x5u`, `zip` and `b64` cannot occur in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// `alg`
    pub alg: Algorithm,
    /// `kid`
    pub kid: Option<String>,
    /// `typ`
    pub typ: Option<String>,
    /// `cty`
    pub cty: Option<String>,
    /// `x5c`: DER, leaf first; not verified. Empty when absent.
    pub x5c: Vec<Vec<u8>>,
    /// All other members; RFC 7515 §4 lets them be ignored.
    pub other: Map<String, Value>,
}

struct Parts {
    token: String,
    signing_input_end: usize,
    header: Header,
    payload: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

/// A well-formed JWS that nobody has verified.
#[derive(Clone)]
pub struct UnverifiedJws(Arc<Parts>);

/// Bytes that the key given to [`UnverifiedJws::verify`] has signed. Nothing else constructs it.
#[derive(Clone)]
pub struct VerifiedPayload(Arc<Parts>);

/// Parses a compact JWS. Nothing is verified.
///
/// # Errors
/// [`JwsError`], every variant but `NotVerified`.
pub fn parse(token: &str, limits: &Limits) -> Result<UnverifiedJws, JwsError> {
    if token.len() > limits.bytes {
        return Err(JwsError::TooLong { limit: limits.bytes });
    }
    let mut segments = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (segments.next(), segments.next(), segments.next(), segments.next())
    else {
        return Err(JwsError::NotThreeParts);
    };
    let signing_input_end = header.len() + 1 + payload.len();
    let RawHeader {
        alg,
        kid,
        typ,
        cty,
        x5c,
        other,
    } = RawHeader::parse(header, limits)?;
    let alg = match alg.as_str() {
        "ES256" => Algorithm::Es256,
        "BP256R1" => Algorithm::Bp256R1,
        other => {
            return Err(JwsError::AlgorithmRefused {
                name: header::algorithm_label(other),
            });
        }
    };
    Ok(UnverifiedJws(Arc::new(Parts {
        signing_input_end,
        header: Header {
            alg,
            kid,
            typ,
            cty,
            x5c,
            other,
        },
        payload: base64url::decode(payload).map_err(JwsError::Payload)?,
        signature: base64url::decode_array(signature).map_err(JwsError::Signature)?,
        token: token.to_owned(),
    })))
}

impl UnverifiedJws {
    /// The header, as claimed.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.0.header
    }

    /// The payload, as claimed. Use it to find the key, not to decide.
    #[must_use]
    pub fn unverified_payload(&self) -> &[u8] {
        &self.0.payload
    }

    /// What the signature is over (RFC 7515 §5.1 step 5).
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        &self.0.token.as_bytes()[..self.0.signing_input_end]
    }

    /// r ‖ s
    #[must_use]
    pub fn signature(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0.signature
    }

    /// The token itself.
    #[must_use]
    pub fn compact(&self) -> &str {
        &self.0.token
    }

    /// Verifies with ES256. The key is the caller's choice and never comes from the token.
    ///
    /// # Errors
    /// [`JwsError::NotVerified`]; [`JwsError::AlgorithmRefused`] when `alg` is `BP256R1`, which is not P-256.
    pub fn verify(&self, key: &P256PublicKey) -> Result<VerifiedPayload, JwsError> {
        match self.0.header.alg {
            Algorithm::Es256 => {}
            Algorithm::Bp256R1 => return Err(JwsError::AlgorithmRefused { name: "BP256R1" }),
        }
        if key.verifies(self.signing_input(), &self.0.signature) {
            Ok(VerifiedPayload(Arc::clone(&self.0)))
        } else {
            Err(JwsError::NotVerified)
        }
    }
}

impl VerifiedPayload {
    /// The signed bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0.payload
    }

    /// The signed header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.0.header
    }

    /// The token the payload came in.
    #[must_use]
    pub fn compact(&self) -> &str {
        &self.0.token
    }

    /// The payload as `T`, under the rules of [`crate::json`].
    ///
    /// # Errors
    /// [`JsonError`].
    pub fn claims<T: DeserializeOwned>(&self, limits: &Limits) -> Result<T, JsonError> {
        json::parse_as(&self.0.payload, limits)
    }
}

impl fmt::Debug for UnverifiedJws {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UnverifiedJws")
    }
}

impl fmt::Debug for VerifiedPayload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VerifiedPayload")
    }
}

/// What a signer may add to the header; `alg` and `kid` come from the key.
#[derive(Clone, Copy, Debug, Default)]
pub struct SigningHeader<'a> {
    /// `typ`
    pub typ: Option<&'a str>,
    /// `cty`
    pub cty: Option<&'a str>,
    /// `x5c`: DER, leaf first.
    pub x5c: &'a [Vec<u8>],
    /// Further string members, written last.
    pub extra: &'a [(&'a str, &'a str)],
}

/// Signs `payload` with ES256. Header members: `alg`, `kid`, `typ`, `cty`, `x5c`, then the extra ones.
///
/// # Errors
/// [`SignError`].
pub fn sign(header: &SigningHeader<'_>, payload: &[u8], signer: &dyn Signer) -> Result<String, SignError> {
    let json = signing_header(header, signer.kid())?;
    let length = base64url::encoded_length(json.len())
        + base64url::encoded_length(payload.len())
        + base64url::encoded_length(SIGNATURE_BYTES)
        + 2;
    let mut token = String::with_capacity(length);
    base64url::encode_into(&json, &mut token);
    token.push('.');
    base64url::encode_into(payload, &mut token);
    let signature = signer.sign(token.as_bytes())?;
    token.push('.');
    base64url::encode_into(&signature, &mut token);
    Ok(token)
}

fn signing_header(header: &SigningHeader<'_>, kid: &str) -> Result<Vec<u8>, SignError> {
    let certificates: usize = header.x5c.iter().map(|der| der.len() * 4 / 3 + 8).sum();
    let mut json = Vec::with_capacity(128 + certificates);
    json.extend_from_slice(br#"{"alg":"ES256","kid":"#);
    json::push_string(kid, &mut json);
    for (name, value) in [("typ", header.typ), ("cty", header.cty)] {
        if let Some(value) = value {
            push_member(name, value, &mut json);
        }
    }
    for (index, der) in header.x5c.iter().enumerate() {
        json.extend_from_slice(if index == 0 { br#","x5c":[""# } else { br#"",""# });
        json.extend_from_slice(header::certificate_text(der).as_bytes());
    }
    if !header.x5c.is_empty() {
        json.extend_from_slice(br#""]"#);
    }
    for (index, (name, value)) in header.extra.iter().enumerate() {
        if let Some(member) = header::reserved_member(name) {
            return Err(SignError::ReservedHeaderMember { member });
        }
        if header.extra[..index].iter().any(|(earlier, _)| earlier == name) {
            return Err(SignError::DuplicateHeaderMember);
        }
        push_member(name, value, &mut json);
    }
    json.push(b'}');
    Ok(json)
}

fn push_member(name: &str, value: &str, json: &mut Vec<u8>) {
    json.push(b',');
    json::push_string(name, json);
    json.push(b':');
    json::push_string(value, json);
}

#[cfg(test)]
mod tests;
