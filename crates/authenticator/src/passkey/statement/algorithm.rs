//! With what statements are signed.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};

use super::StatementError;
use crate::attestation::KeyKind;
use crate::attestation::x509::Certificate;
use crate::device::BoundKey;
use crate::passkey::cose::{ES256, RS256};

/// An algorithm that is read here; both hash with SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Es256,
    Rs256,
}

impl Algorithm {
    /// `None` for any other: nothing here verifies those, so nothing is believed. RS1 (SHA-1), which older TPMs of Windows sign with, is among them.
    pub(super) fn of(cose: i128) -> Option<Self> {
        match i64::try_from(cose) {
            Ok(ES256) => Some(Self::Es256),
            Ok(RS256) => Some(Self::Rs256),
            _ => None,
        }
    }

    /// That the certified key signed `message`.
    pub(super) fn check(self, leaf: &Certificate, message: &[u8], signature: &[u8]) -> Result<(), StatementError> {
        let algorithm: &'static dyn VerificationAlgorithm = match (self, leaf.key_kind()) {
            (Self::Es256, KeyKind::P256) => &ECDSA_P256_SHA256_ASN1,
            (Self::Rs256, KeyKind::Rsa) => &RSA_PKCS1_2048_8192_SHA256,
            _ => return Err(StatementError::Algorithm),
        };
        UnparsedPublicKey::new(algorithm, leaf.key())
            .verify(message, signature)
            .map_err(|_| StatementError::Signature)
    }

    /// Whether keys like this one sign with it.
    pub(super) const fn is_of(self, key: &BoundKey) -> bool {
        matches!(
            (self, key),
            (Self::Es256, BoundKey::P256(_)) | (Self::Rs256, BoundKey::Rsa(_))
        )
    }
}
