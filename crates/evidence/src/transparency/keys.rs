//! Ed25519 keys with a name, as notes use them.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::encoding::{base64url_array, sha256};
use crate::manifest::{MAX_NAME_CHARACTERS, ManifestError};

/// Signature type of a log's own signature (C2SP signed-note).
pub(super) const TYPE_LOG: u8 = 0x01;
/// Signature type of a witness's timestamped cosignature (C2SP tlog-cosignature).
pub(super) const TYPE_COSIGNATURE: u8 = 0x04;

/// A public Ed25519 key and the name it signs notes under: of a log (then the name is the checkpoint's origin), or of a
/// witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedKey {
    /// 32 bytes (RFC 8032 §5.1.5).
    #[serde(with = "base64url_array")]
    pub key: [u8; 32],
    /// Without white space and `+`, by custom an address without its scheme: `log.example/healthid`.
    pub name: String,
}

impl NamedKey {
    /// The first four bytes of SHA-256 over name, newline, type and key (C2SP signed-note).
    pub(super) fn id(&self, signature_type: u8) -> [u8; 4] {
        let [a, b, c, d, ..] = sha256(&[self.name.as_bytes(), &[b'\n', signature_type], &self.key]);
        [a, b, c, d]
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key)
            .verify(message, signature)
            .is_ok()
    }

    /// Whether the name can stand in a note.
    pub(crate) fn check(&self, member: &'static str) -> Result<(), ManifestError> {
        if is_note_name(&self.name) {
            Ok(())
        } else {
            Err(ManifestError::Rule {
                member,
                expected: "a name of 1 to 100 visible ASCII characters without + \" and \\",
            })
        }
    }
}

pub(super) fn is_note_name(name: &str) -> bool {
    let visible = |byte: u8| (0x21..0x7f).contains(&byte) && !matches!(byte, b'+' | b'"' | b'\\');
    !name.is_empty() && name.len() <= MAX_NAME_CHARACTERS && name.bytes().all(visible)
}

/// A key file, or the name given with it, was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Not an Ed25519 key in PKCS#8 (RFC 8410).
    #[error("not an Ed25519 private key in PKCS#8 (RFC 8410)")]
    NotEd25519Pkcs8,
    /// A name that cannot stand in a note.
    #[error("name: expected 1 to 100 visible ASCII characters without +, \" and \\")]
    Name,
    /// The cryptography library failed.
    #[error("the key could not be made")]
    Failed,
}

/// A private Ed25519 key of a log or a witness, in this process's memory. These are not keys of the identity provider:
/// a witness is somebody else, and a log cannot forge approvals.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: NamedKey,
}

impl SigningKey {
    /// A fresh key under a name.
    ///
    /// # Errors
    /// [`KeyFileError::Name`], [`KeyFileError::Failed`].
    pub fn generate(name: &str) -> Result<Self, KeyFileError> {
        Self::assemble(name, Ed25519KeyPair::generate().map_err(|_| KeyFileError::Failed)?)
    }

    /// From PKCS#8 DER.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn from_pkcs8(name: &str, der: &[u8]) -> Result<Self, KeyFileError> {
        Self::assemble(
            name,
            Ed25519KeyPair::from_pkcs8(der).map_err(|_| KeyFileError::NotEd25519Pkcs8)?,
        )
    }

    /// PKCS#8 DER, version 1: to be kept like any private key.
    ///
    /// # Errors
    /// [`KeyFileError::Failed`].
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let document = self.pair.to_pkcs8v1().map_err(|_| KeyFileError::Failed)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// The public half with its name.
    #[must_use]
    pub fn public(&self) -> &NamedKey {
        &self.public
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        // An Ed25519 signature is 64 bytes (RFC 8032 §5.1.6).
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }

    fn assemble(name: &str, pair: Ed25519KeyPair) -> Result<Self, KeyFileError> {
        if !is_note_name(name) {
            return Err(KeyFileError::Name);
        }
        let key = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| KeyFileError::Failed)?;
        Ok(Self {
            pair,
            public: NamedKey {
                key,
                name: name.to_owned(),
            },
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey")
    }
}
