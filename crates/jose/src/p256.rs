//! A point on P-256, checked once and then carried about cheaply.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};

use crate::base64url;

/// Bytes of one coordinate.
pub(crate) const COORDINATE_BYTES: usize = 32;

/// Bytes of an uncompressed point: 0x04, x, y (SEC 1 §2.3.3).
pub(crate) const POINT_BYTES: usize = 1 + 2 * COORDINATE_BYTES;

/// `SubjectPublicKeyInfo` up to the point: id-ecPublicKey, prime256v1, BIT STRING of 66 bytes (RFC 5480 §2).
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Why bytes are not a P-256 public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Not 65 bytes beginning with 0x04.
    #[error(
        "public key is not an uncompressed P-256 point, expected 65 bytes beginning with 0x04 (SEC 1 section 2.3.3)"
    )]
    NotUncompressed,
    /// The coordinates do not satisfy the curve's equation.
    #[error("public key is not a point on P-256 (NIST SP 800-56A section 5.6.2.3)")]
    NotOnCurve,
    /// Not the DER of an uncompressed P-256 key.
    #[error("SubjectPublicKeyInfo is not an uncompressed prime256v1 key (RFC 5480 section 2)")]
    NotP256Spki,
}

/// A public key on P-256. Whoever holds one knows that the point is on the curve.
///
/// Cloning shares the parsed key. `Debug` shows the thumbprint.
#[derive(Clone)]
pub struct P256PublicKey(Arc<Point>);

struct Point {
    x: [u8; COORDINATE_BYTES],
    y: [u8; COORDINATE_BYTES],
    uncompressed: [u8; POINT_BYTES],
    parsed: ParsedPublicKey,
}

impl P256PublicKey {
    /// From the two coordinates, big-endian.
    ///
    /// # Errors
    /// [`PublicKeyError::NotOnCurve`].
    pub fn from_coordinates(x: &[u8; 32], y: &[u8; 32]) -> Result<Self, PublicKeyError> {
        let mut uncompressed = [0u8; POINT_BYTES];
        uncompressed[0] = 0x04;
        uncompressed[1..=COORDINATE_BYTES].copy_from_slice(x);
        uncompressed[1 + COORDINATE_BYTES..].copy_from_slice(y);
        let parsed =
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed).map_err(|_| PublicKeyError::NotOnCurve)?;
        Ok(Self(Arc::new(Point {
            x: *x,
            y: *y,
            uncompressed,
            parsed,
        })))
    }

    /// From 65 bytes: 0x04, x, y (SEC 1 §2.3.3).
    ///
    /// # Errors
    /// [`PublicKeyError::NotUncompressed`], [`PublicKeyError::NotOnCurve`].
    pub fn from_uncompressed(point: &[u8]) -> Result<Self, PublicKeyError> {
        let Some((0x04, coordinates)) = point.split_first() else {
            return Err(PublicKeyError::NotUncompressed);
        };
        let (x, y) = coordinates
            .split_first_chunk::<COORDINATE_BYTES>()
            .ok_or(PublicKeyError::NotUncompressed)?;
        let y: &[u8; COORDINATE_BYTES] = y.try_into().map_err(|_| PublicKeyError::NotUncompressed)?;
        Self::from_coordinates(x, y)
    }

    /// From the DER of a `SubjectPublicKeyInfo` as certificates carry it (RFC 5480 §2), uncompressed point only.
    ///
    /// # Errors
    /// [`PublicKeyError`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        Self::from_uncompressed(der.strip_prefix(&SPKI_PREFIX).ok_or(PublicKeyError::NotP256Spki)?)
    }

    /// 65 bytes: 0x04, x, y.
    #[must_use]
    pub fn to_uncompressed(&self) -> [u8; 65] {
        self.0.uncompressed
    }

    /// The DER of the `SubjectPublicKeyInfo`, 91 bytes.
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        [&SPKI_PREFIX[..], &self.0.uncompressed[..]].concat()
    }

    /// The first coordinate, big-endian.
    #[must_use]
    pub fn x(&self) -> &[u8; 32] {
        &self.0.x
    }

    /// The second coordinate, big-endian.
    #[must_use]
    pub fn y(&self) -> &[u8; 32] {
        &self.0.y
    }

    /// The JWK thumbprint with SHA-256, base64url (RFC 7638 §3).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let mut json = String::with_capacity(160);
        json.push_str(r#"{"crv":"P-256","kty":"EC","x":""#);
        base64url::encode_into(&self.0.x, &mut json);
        json.push_str(r#"","y":""#);
        base64url::encode_into(&self.0.y, &mut json);
        json.push_str(r#""}"#);
        base64url::encode(digest(&SHA256, json.as_bytes()).as_ref())
    }

    pub(crate) fn uncompressed(&self) -> &[u8; POINT_BYTES] {
        &self.0.uncompressed
    }

    /// Whether `signature` (r ‖ s) is this key's over `message`: ES256 (RFC 7518 §3.4).
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.parsed.verify_sig(message, signature).is_ok()
    }
}

impl PartialEq for P256PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.uncompressed == other.0.uncompressed
    }
}

impl Eq for P256PublicKey {}

impl Hash for P256PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.uncompressed.hash(state);
    }
}

impl fmt::Debug for P256PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "P256PublicKey({})", self.thumbprint())
    }
}
