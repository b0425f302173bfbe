//! Private keys: what they can do, and one that lives in memory.
//!
//! A signature key and a decryption key are used through two different traits, so that code which was given the one
//! cannot do the other (pain of the field: federation, token and encryption keys confused). The vault, or a hardware
//! module, implements the traits for keys that never leave it.

use std::fmt;

use aws_lc_rs::agreement::{self, ECDH_P256, UnparsedPublicKey};
use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use zeroize::Zeroizing;

use crate::header;
use crate::jwk::{Jwk, KeyUse, P256PublicKey};

/// Why a signature was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key's holder refused or failed.
    #[error("the signing key did not sign")]
    KeyFailed,
    /// The key lives elsewhere, as in a hardware module, and its holder refused or could not be reached.
    #[error("the holder of the signing key did not sign: {code}")]
    Holder {
        /// The holder's stable name for the reason.
        code: &'static str,
    },
    /// An extra header member has a name that this crate writes or refuses.
    #[error("header member `{member}` may not be given as an extra member (RFC 7515 section 4.1)")]
    ReservedHeaderMember {
        /// The name.
        member: &'static str,
    },
    /// An extra header member is given twice.
    #[error("a header member is given twice (RFC 7515 section 4)")]
    DuplicateHeaderMember,
}

/// The shared secret was not computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key agreement failed")]
pub struct AgreementError;

/// Why a private key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a P-256 private key in PKCS#8.
    #[error("not a P-256 private key in PKCS#8 (RFC 5958, RFC 5915)")]
    NotP256Pkcs8,
    /// The scalar is zero or not below the group's order.
    #[error("not a P-256 private scalar, expected 32 bytes, from 1 to the group's order less 1 (SEC 1 section 3.2.1)")]
    NotAScalar,
    /// The cryptography library failed.
    #[error("the key could not be made")]
    Failed,
}

/// Something that signs with ES256.
pub trait Signer: Send + Sync {
    /// The key's identifier, written into `kid`.
    fn kid(&self) -> &str;

    /// The key others verify with.
    fn public_key(&self) -> &P256PublicKey;

    /// ECDSA with P-256 and SHA-256 over `message`: r ‖ s, 32 bytes each (RFC 7518 §3.4).
    ///
    /// # Errors
    /// [`SignError::KeyFailed`], [`SignError::Holder`].
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

/// Something that agrees on a secret with ECDH over P-256.
pub trait KeyAgreement: Send + Sync {
    /// The key's identifier.
    fn kid(&self) -> &str;

    /// The key others encrypt to.
    fn public_key(&self) -> &P256PublicKey;

    /// The shared x coordinate (RFC 7518 §4.6, SP 800-56A §5.7.1.2).
    ///
    /// # Errors
    /// [`AgreementError`].
    fn agree(&self, peer: &P256PublicKey) -> Result<SharedSecret, AgreementError>;
}

/// The x coordinate both sides computed. Wiped when dropped.
pub struct SharedSecret(Zeroizing<[u8; 32]>);

impl SharedSecret {
    /// From a key holder that computes it elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn from_agreement(bytes: &[u8]) -> Result<Self, AgreementError> {
        let mut secret = Zeroizing::new([0u8; 32]);
        if bytes.len() != secret.len() {
            return Err(AgreementError);
        }
        secret.copy_from_slice(bytes);
        Ok(Self(secret))
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SharedSecret")
    }
}

/// Everything in PKCS#8 before the scalar: version, id-ecPublicKey, prime256v1, ECPrivateKey version 1
/// (RFC 5958 §2, RFC 5915 §3).
const PKCS8_BEFORE_SCALAR: [u8; 36] = [
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
    0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20,
];

/// Between the scalar and the point: `[1]`, BIT STRING of 66 bytes.
const PKCS8_BEFORE_POINT: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];

/// A P-256 private key in this process's memory, wiped when dropped.
///
/// One key, one purpose: make separate keys for signing and for decryption and hand each out as the one trait.
pub struct SoftwareKey {
    kid: String,
    public: P256PublicKey,
    // Boxed so that moving the key leaves no copy of the scalar behind.
    scalar: Box<Zeroizing<[u8; 32]>>,
    signing: EcdsaKeyPair,
    agreement: agreement::PrivateKey,
}

impl SoftwareKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the library has no randomness.
    pub fn generate(kid: impl Into<String>) -> Result<Self, KeyError> {
        let agreement = agreement::PrivateKey::generate(&ECDH_P256).map_err(|_| KeyError::Failed)?;
        let scalar: EcPrivateKeyBin<'_> = agreement.as_be_bytes().map_err(|_| KeyError::Failed)?;
        Self::assemble(kid.into(), scalar.as_ref(), agreement)
    }

    /// From the private scalar, 32 bytes big-endian, as a vault seals it.
    ///
    /// # Errors
    /// [`KeyError::NotAScalar`] when it is zero or too large.
    pub fn from_scalar(kid: impl Into<String>, scalar: &[u8; 32]) -> Result<Self, KeyError> {
        let agreement =
            agreement::PrivateKey::from_private_key(&ECDH_P256, scalar).map_err(|_| KeyError::NotAScalar)?;
        Self::assemble(kid.into(), scalar, agreement).map_err(|_| KeyError::NotAScalar)
    }

    /// From an unencrypted PKCS#8 `PrivateKeyInfo`.
    ///
    /// # Errors
    /// [`KeyError::NotP256Pkcs8`].
    pub fn from_pkcs8_der(kid: impl Into<String>, der: &[u8]) -> Result<Self, KeyError> {
        // The library reads one structure and lets bytes follow it.
        if !header::is_one_sequence(der) {
            return Err(KeyError::NotP256Pkcs8);
        }
        let parsed =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| KeyError::NotP256Pkcs8)?;
        let scalar: EcPrivateKeyBin<'_> = parsed.private_key().as_be_bytes().map_err(|_| KeyError::NotP256Pkcs8)?;
        let agreement =
            agreement::PrivateKey::from_private_key(&ECDH_P256, scalar.as_ref()).map_err(|_| KeyError::NotP256Pkcs8)?;
        Self::assemble(kid.into(), scalar.as_ref(), agreement).map_err(|_| KeyError::NotP256Pkcs8)
    }

    /// The private scalar, 32 bytes big-endian.
    #[must_use]
    pub fn to_scalar(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(**self.scalar)
    }

    /// Unencrypted PKCS#8 DER with the public point, 138 bytes.
    #[must_use]
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        let mut der = Zeroizing::new(Vec::with_capacity(138));
        der.extend_from_slice(&PKCS8_BEFORE_SCALAR);
        der.extend_from_slice(&self.scalar[..]);
        der.extend_from_slice(&PKCS8_BEFORE_POINT);
        der.extend_from_slice(self.public.uncompressed());
        der
    }

    /// The key's identifier.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &P256PublicKey {
        &self.public
    }

    /// The public half as others publish it: `use`, `kid` and the coordinates.
    #[must_use]
    pub fn jwk(&self, key_use: KeyUse) -> Jwk {
        Jwk {
            kid: Some(self.kid.clone()),
            key_use: Some(key_use),
            alg: None,
            key: self.public.clone(),
            x5c: Vec::new(),
        }
    }

    fn assemble(kid: String, scalar: &[u8], agreement: agreement::PrivateKey) -> Result<Self, KeyError> {
        let point = agreement.compute_public_key().map_err(|_| KeyError::Failed)?;
        let public = P256PublicKey::from_uncompressed(point.as_ref()).map_err(|_| KeyError::Failed)?;
        let signing = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            scalar,
            public.uncompressed(),
        )
        .map_err(|_| KeyError::Failed)?;
        let mut kept = Box::new(Zeroizing::new([0u8; 32]));
        if scalar.len() != kept.len() {
            return Err(KeyError::Failed);
        }
        kept.copy_from_slice(scalar);
        Ok(Self {
            kid,
            public,
            scalar: kept,
            signing,
            agreement,
        })
    }
}

impl Signer for SoftwareKey {
    fn kid(&self) -> &str {
        &self.kid
    }

    fn public_key(&self) -> &P256PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        // The library draws the nonce itself and ignores the generator it is given.
        let signature = self
            .signing
            .sign(&SystemRandom::new(), message)
            .map_err(|_| SignError::KeyFailed)?;
        signature.as_ref().try_into().map_err(|_| SignError::KeyFailed)
    }
}

impl KeyAgreement for SoftwareKey {
    fn kid(&self) -> &str {
        &self.kid
    }

    fn public_key(&self) -> &P256PublicKey {
        &self.public
    }

    fn agree(&self, peer: &P256PublicKey) -> Result<SharedSecret, AgreementError> {
        agree(&self.agreement, peer)
    }
}

impl fmt::Debug for SoftwareKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SoftwareKey")
    }
}

pub(crate) fn agree(own: &agreement::PrivateKey, peer: &P256PublicKey) -> Result<SharedSecret, AgreementError> {
    let peer = UnparsedPublicKey::new(&ECDH_P256, peer.uncompressed());
    agreement::agree(own, peer, AgreementError, SharedSecret::from_agreement)
}
