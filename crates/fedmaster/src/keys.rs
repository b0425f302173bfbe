//! The Federation Master's own entity keys: one that signs, and others that are published during a rollover.
//!
//! A rollover has three steps, so that nobody who trusts the master misses it: announce the next key (it is published and can be
//! pinned), sign with it, retire the old one.

mod directory;

use std::sync::Arc;

use jose::Signer;
use jose::jwk::{Jwk, JwkSet, KeyUse};
use thiserror::Error;

pub use directory::{KeyDirectory, KeyDirectoryError};

/// Identifier of the first key (gematik: `puk_fedmaster_sig`).
pub const DEFAULT_KID: &str = "puk_fedmaster_sig";
/// Most keys published at once.
pub const MAX_MASTER_KEYS: usize = 4;

/// Why a key step was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RolloverError {
    /// A key with this `kid` is already published.
    #[error("key rollover: this kid is already published, expected a new one")]
    KidTaken,
    /// No published key has this `kid`.
    #[error("key rollover: no published key has this kid, announce it first")]
    UnknownKid,
    /// The signing key cannot be retired.
    #[error("key rollover: this key signs, sign with another one before it is retired")]
    StillSigning,
    /// More than [`MAX_MASTER_KEYS`].
    #[error("key rollover: at most {MAX_MASTER_KEYS} keys may be published, retire one first")]
    TooMany,
}

/// The keys. Clones share them.
#[derive(Clone)]
pub struct MasterKeys {
    /// The signing one first.
    keys: Vec<Arc<dyn Signer>>,
}

impl MasterKeys {
    /// One key that signs.
    pub fn new(signing: Arc<dyn Signer>) -> Self {
        Self { keys: vec![signing] }
    }

    /// Publishes a further key, which does not sign yet.
    ///
    /// # Errors
    /// [`RolloverError::KidTaken`], [`RolloverError::TooMany`].
    pub fn announce(&mut self, key: Arc<dyn Signer>) -> Result<(), RolloverError> {
        if self.position(key.kid()).is_some() {
            return Err(RolloverError::KidTaken);
        }
        if self.keys.len() >= MAX_MASTER_KEYS {
            return Err(RolloverError::TooMany);
        }
        self.keys.push(key);
        Ok(())
    }

    /// Signs with this published key from now on; the others stay published.
    ///
    /// # Errors
    /// [`RolloverError::UnknownKid`].
    pub fn sign_with(&mut self, kid: &str) -> Result<(), RolloverError> {
        let position = self.position(kid).ok_or(RolloverError::UnknownKid)?;
        let key = self.keys.remove(position);
        self.keys.insert(0, key);
        Ok(())
    }

    /// Takes a key that does not sign out of publication.
    ///
    /// # Errors
    /// [`RolloverError::UnknownKid`], [`RolloverError::StillSigning`].
    pub fn retire(&mut self, kid: &str) -> Result<(), RolloverError> {
        match self.position(kid) {
            None => Err(RolloverError::UnknownKid),
            Some(0) => Err(RolloverError::StillSigning),
            Some(position) => {
                self.keys.remove(position);
                Ok(())
            }
        }
    }

    /// The key that signs.
    pub fn signing(&self) -> Option<&Arc<dyn Signer>> {
        self.keys.first()
    }

    /// The public halves as published, the signing key first: also what others pin as trust anchor.
    pub fn published(&self) -> JwkSet {
        JwkSet::new(
            self.keys
                .iter()
                .map(|key| Jwk {
                    kid: Some(key.kid().to_owned()),
                    key_use: Some(KeyUse::Signature),
                    alg: None,
                    key: key.public_key().clone(),
                    x5c: Vec::new(),
                })
                .collect(),
        )
    }

    fn position(&self, kid: &str) -> Option<usize> {
        self.keys.iter().position(|key| key.kid() == kid)
    }
}

impl std::fmt::Debug for MasterKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MasterKeys")
    }
}

#[cfg(test)]
mod tests;
