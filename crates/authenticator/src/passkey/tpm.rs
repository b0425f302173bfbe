//! What a TPM 2.0 says about a key: the two structures of a `tpm` statement, read (TPM 2.0 Library, part 2: Structures).
//!
//! Trusted for: total and whole; nothing may follow. Does not: verify a signature, or know other keys than the two kinds
//! that passkeys have.

use aws_lc_rs::digest;
use jose::jwk::P256PublicKey;

use crate::device::{BoundKey, RsaModulus};

/// Largest structure read; one about a key of 2048 bits has some 320 bytes.
pub const MAX_STRUCTURE_BYTES: usize = 1_024;

/// `TPM_GENERATED_VALUE`: the TPM itself wrote what follows, nobody outside can have it signed (part 2, §6.2).
const GENERATED: u32 = 0xff54_4347;
/// `TPM_ST_ATTEST_CERTIFY` (§6.9).
const CERTIFY: u16 = 0x8017;
/// Identifiers of algorithms (§6.3).
const RSA: u16 = 0x0001;
const ECC: u16 = 0x0023;
const NULL: u16 = 0x0010;
const RSASSA: u16 = 0x0014;
const ECDSA: u16 = 0x0018;
const SHA256: u16 = 0x000b;
const SHA384: u16 = 0x000c;
const SHA512: u16 = 0x000d;
/// `TPM_ECC_NIST_P256` (§6.4).
const NIST_P256: u16 = 0x0003;
/// What a zero means (§12.2.3.5), and the only exponent of keys that are bound.
const EXPONENT: u32 = 65_537;
/// Attributes of an object (§8.3): it never leaves this TPM, nor its parent; the TPM made its secret itself.
const FIXED_TPM: u32 = 1 << 1;
const FIXED_PARENT: u32 = 1 << 4;
const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
/// Clock, resets, restarts and whether the clock is safe (§10.11.1), then the version of the firmware.
const CLOCK_AND_FIRMWARE_BYTES: usize = 8 + 4 + 4 + 1 + 8;

/// Why a structure is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TpmError {
    /// No `TPMT_PUBLIC` of a key that passkeys have, or too long.
    #[error("tpm: pubArea must be a TPMT_PUBLIC of an RSA or P-256 signing key, named with SHA-2")]
    PublicArea,
    /// No `TPMS_ATTEST` of its form, or too long.
    #[error("tpm: certInfo must be a TPMS_ATTEST about a certified key")]
    CertInfo,
    /// Not written by a TPM.
    #[error("tpm: certInfo.magic must be TPM_GENERATED_VALUE")]
    Magic,
    /// About something else than a key.
    #[error("tpm: certInfo.type must be TPM_ST_ATTEST_CERTIFY")]
    Type,
}

/// The key itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PublicKey<'a> {
    /// RSA: the modulus, and the exponent as a number.
    Rsa {
        /// Big-endian.
        modulus: &'a [u8],
        /// 65537 where the structure says zero.
        exponent: u32,
    },
    /// A point of P-256.
    P256 {
        /// Big-endian, up to 32 bytes.
        x: &'a [u8],
        /// As `x`.
        y: &'a [u8],
    },
}

impl PublicKey<'_> {
    /// As a key that can be bound; `None` for one of another size or exponent, or no point of the curve.
    pub(super) fn bound(&self) -> Option<BoundKey> {
        match *self {
            Self::Rsa { modulus, exponent } => RsaModulus::new(modulus)
                .filter(|_| exponent == EXPONENT)
                .map(BoundKey::Rsa),
            Self::P256 { x, y } => {
                // A TPM may leave leading zeros out (part 1, annex C.8).
                let whole = |bytes: &[u8]| {
                    let mut coordinate = [0; 32];
                    let start = coordinate.len().checked_sub(bytes.len())?;
                    coordinate.get_mut(start..)?.copy_from_slice(bytes);
                    Some(coordinate)
                };
                let key = P256PublicKey::from_coordinates(&whole(x)?, &whole(y)?);
                key.ok().map(BoundKey::P256)
            }
        }
    }
}

/// `TPMT_PUBLIC` (§12.2.4): a key in a TPM, with what may be done with it.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicArea<'a> {
    bytes: &'a [u8],
    name_algorithm: u16,
    attributes: u32,
    /// The key.
    pub key: PublicKey<'a>,
}

/// Never prints a key.
impl std::fmt::Debug for PublicArea<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PublicArea")
    }
}

impl<'a> PublicArea<'a> {
    /// Reads it. Total.
    ///
    /// # Errors
    /// [`TpmError::PublicArea`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TpmError> {
        Self::read(bytes).ok_or(TpmError::PublicArea)
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes)?;
        let kind = reader.u16()?;
        let name_algorithm = reader.u16()?;
        hash_of(name_algorithm)?;
        let attributes = reader.u32()?;
        reader.sized()?; // authPolicy
        // A signing key has no symmetric algorithm (§12.2.3.5, §12.2.3.6).
        let has_none = reader.u16()? == NULL;
        let key = match kind {
            RSA => {
                reader.scheme(RSASSA)?;
                let bits = reader.u16()?;
                let exponent = match reader.u32()? {
                    0 => EXPONENT,
                    exponent => exponent,
                };
                let modulus = reader.sized()?;
                (modulus.len() * 8 == usize::from(bits)).then_some(PublicKey::Rsa { modulus, exponent })?
            }
            ECC => {
                reader.scheme(ECDSA)?;
                let is_p256 = reader.u16()? == NIST_P256;
                let has_no_derivation = reader.u16()? == NULL;
                let (x, y) = (reader.sized()?, reader.sized()?);
                (is_p256 && has_no_derivation).then_some(PublicKey::P256 { x, y })?
            }
            _ => return None,
        };
        (has_none && reader.rest.is_empty()).then_some(Self {
            bytes,
            name_algorithm,
            attributes,
            key,
        })
    }

    /// What the TPM calls it (part 1, §16): the algorithm, then the hash of the structure.
    #[must_use]
    pub fn name(&self) -> Vec<u8> {
        let hashed = hash_of(self.name_algorithm).map(|algorithm| digest::digest(algorithm, self.bytes));
        let hashed = hashed.as_ref().map(AsRef::as_ref).unwrap_or_default();
        [&self.name_algorithm.to_be_bytes(), hashed].concat()
    }

    /// Whether the TPM made the key and never lets it go.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        const KEPT: u32 = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN;
        self.attributes & KEPT == KEPT
    }
}

/// `TPMS_ATTEST` with `TPMS_CERTIFY_INFO` (§10.12.8, §10.12.3): a TPM says that it holds the key of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertInfo<'a> {
    /// What it was asked to repeat.
    pub extra_data: &'a [u8],
    /// Of the key, as [`PublicArea::name`] makes it.
    pub name: &'a [u8],
}

impl<'a> CertInfo<'a> {
    /// Reads it. Total. Who signed it, the clock and the firmware are not looked at (Web Authentication, §8.3).
    ///
    /// # Errors
    /// [`TpmError::CertInfo`], [`TpmError::Magic`], [`TpmError::Type`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TpmError> {
        let shape = TpmError::CertInfo;
        let mut reader = Reader::new(bytes).ok_or(shape)?;
        if reader.u32().ok_or(shape)? != GENERATED {
            return Err(TpmError::Magic);
        }
        if reader.u16().ok_or(shape)? != CERTIFY {
            return Err(TpmError::Type);
        }
        Self::behind_type(&mut reader).ok_or(shape)
    }

    fn behind_type(reader: &mut Reader<'a>) -> Option<Self> {
        reader.sized()?; // qualifiedSigner
        let extra_data = reader.sized()?;
        reader.take(CLOCK_AND_FIRMWARE_BYTES)?;
        let name = reader.sized()?;
        reader.sized()?; // qualifiedName
        reader.rest.is_empty().then_some(Self { extra_data, name })
    }
}

fn hash_of(algorithm: u16) -> Option<&'static digest::Algorithm> {
    match algorithm {
        SHA256 => Some(&digest::SHA256),
        SHA384 => Some(&digest::SHA384),
        SHA512 => Some(&digest::SHA512),
        _ => None,
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        (bytes.len() <= MAX_STRUCTURE_BYTES).then_some(Self { rest: bytes })
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// A `TPM2B`: its length, then that many bytes.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// None chosen yet, or this one with SHA-256.
    fn scheme(&mut self, with_sha256: u16) -> Option<()> {
        match self.u16()? {
            NULL => Some(()),
            scheme if scheme == with_sha256 => (self.u16()? == SHA256).then_some(()),
            _ => None,
        }
    }
}
