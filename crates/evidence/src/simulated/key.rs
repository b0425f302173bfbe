//! A signing key derived from a seed, so that several processes can play one vendor.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
};

use super::SimulationError;
use super::der::{bit_string, oid, sequence};

/// A P-256 key.
pub(crate) struct Key {
    scalar: [u8; 32],
    public: Vec<u8>,
}

impl Key {
    /// The key of that label.
    pub(crate) fn derive(seed: &[u8; 32], label: &str) -> Result<Self, SimulationError> {
        let mut scalar = [0; 32];
        let hash = digest(&SHA256, &[&seed[..], b"/", label.as_bytes()].concat());
        scalar.copy_from_slice(hash.as_ref());
        let private = PrivateKey::from_private_key(&ECDH_P256, &scalar).map_err(|_| SimulationError)?;
        let public = private
            .compute_public_key()
            .map_err(|_| SimulationError)?
            .as_ref()
            .to_vec();
        Ok(Self { scalar, public })
    }

    /// The point: `04 || x || y`.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The point without its first byte, as quotes carry it.
    pub(crate) fn coordinates(&self) -> &[u8] {
        self.public.get(1..).unwrap_or_default()
    }

    /// SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> Vec<u8> {
        let algorithm = sequence(&[&oid(&[1, 2, 840, 10045, 2, 1]), &oid(&[1, 2, 840, 10045, 3, 1, 7])]);
        sequence(&[&algorithm, &bit_string(&self.public)])
    }

    /// `r || s`.
    pub(crate) fn sign_fixed(&self, message: &[u8]) -> Result<Vec<u8>, SimulationError> {
        self.sign(&ECDSA_P256_SHA256_FIXED_SIGNING, message)
    }

    /// Wraps what is to be signed with its algorithm and signature: certificates and revocation lists.
    pub(crate) fn seal(&self, to_be_signed: &[u8]) -> Result<Vec<u8>, SimulationError> {
        let signature = self.sign(&ECDSA_P256_SHA256_ASN1_SIGNING, to_be_signed)?;
        Ok(sequence(&[to_be_signed, &ecdsa_sha256(), &bit_string(&signature)]))
    }

    fn sign(&self, algorithm: &'static EcdsaSigningAlgorithm, message: &[u8]) -> Result<Vec<u8>, SimulationError> {
        let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &self.scalar, &self.public)
            .map_err(|_| SimulationError)?;
        let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| SimulationError)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// AlgorithmIdentifier of ECDSA with SHA-256.
pub(crate) fn ecdsa_sha256() -> Vec<u8> {
    sequence(&[&oid(&[1, 2, 840, 10045, 4, 3, 2])])
}
