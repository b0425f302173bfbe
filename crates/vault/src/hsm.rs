//! The hardware security module (HSM), through PKCS#11: the wrapping key of the root's second lock, and the keys that sign
//! tokens and entity statements (A_22868). Private values never leave it.
//!
//! Sessions are pooled, each on a thread of its own, because PKCS#11 calls block and cannot be cancelled. Every request has a
//! limit of time: a module that is slow costs its callers that much and nothing else. Whatever fails is an error with a code of
//! its own; no request is ever served by a software key instead. When the module is back, the next request is served: a lost
//! session is opened anew, and the library is initialised anew once none of its sessions lives.
//!
//! A wrong PIN is tried once. Modules lock themselves after a few, so nobody tries again until [`Hsm::replace_pin`].
//!
//! Trusted for: the module does what PKCS#11 says about sensitive and non-extractable keys; a key that does not claim to be
//! made inside and never extractable is refused. Its library is foreign code inside this process.
//!
//! Does not: read files or the environment; the PIN comes as bytes.

mod error;
mod pkcs11;
mod pool;
mod session;
mod signer;
mod wrapped_half;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use jose::jwk::P256PublicKey;

pub use error::HsmError;
pub use pkcs11::Library;
pub use session::{KeyId, MAX_LABEL_BYTES};
pub use signer::HsmKey;
pub use wrapped_half::{MAX_WRAPPED_HALF_BYTES, WrappedHalf, WrappedHalfError};

use crate::lock::{HsmHalf, Namespace};
use crate::random::{random, random_array};
use crate::secret_memory::{MAX_SECRET_BYTES, Secret};
use pkcs11::Module;
use pool::Pool;
use session::{Answer, Connector, Request, check_label};

/// Fewest and most sessions of a pool.
pub const SESSIONS: std::ops::RangeInclusive<usize> = 1..=64;
/// Fewest bytes of a PIN.
const MIN_PIN_BYTES: usize = 4;

/// The user PIN of a token, in secret memory. Prints its type only.
pub struct Pin {
    bytes: Secret<MAX_SECRET_BYTES>,
    length: usize,
}

/// A PIN is too short, too long, or no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PIN has {MIN_PIN_BYTES} to {MAX_SECRET_BYTES} bytes of text")]
pub struct PinError;

impl Pin {
    /// Takes a PIN as it stands in its file; one line end behind it is dropped. Wiping the original is the caller's.
    ///
    /// # Errors
    /// [`PinError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, PinError> {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| PinError)?;
        let fits = (MIN_PIN_BYTES..=MAX_SECRET_BYTES).contains(&bytes.len()) && !text.chars().any(char::is_control);
        if !fits {
            return Err(PinError);
        }
        let pin = Secret::written_by(|pin: &mut [u8; MAX_SECRET_BYTES]| pin[..bytes.len()].copy_from_slice(bytes));
        Ok(Self {
            bytes: pin,
            length: bytes.len(),
        })
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin")
    }
}

/// How to reach a token.
#[derive(Debug)]
pub struct HsmAccess {
    /// The PKCS#11 library.
    pub module: PathBuf,
    /// Label of the token: 1 to 32 bytes.
    pub token_label: String,
    /// Its user PIN.
    pub pin: Pin,
    /// Sessions kept open, within [`SESSIONS`].
    pub sessions: usize,
    /// How long one request may take before its caller gets [`HsmError::Slow`].
    pub limit: Duration,
}

/// A token in a hardware security module. One per library and process; shared by reference. Opens its sessions when they are
/// first needed and when they were lost.
pub struct Hsm {
    pool: Pool,
}

impl Hsm {
    /// A pool of sessions. Contacts nothing yet; [`check`](Self::check) does.
    #[must_use]
    pub fn new(access: HsmAccess) -> Self {
        let HsmAccess {
            module,
            token_label,
            pin,
            sessions,
            limit,
        } = access;
        Self::over(Arc::new(Module::new(module, token_label)), pin, sessions, limit)
    }

    fn over(connector: Arc<dyn Connector>, pin: Pin, sessions: usize, limit: Duration) -> Self {
        let sessions = sessions.clamp(*SESSIONS.start(), *SESSIONS.end());
        Self {
            pool: Pool::new(connector, pin, sessions, limit),
        }
    }

    /// Reaches the token and logs in.
    ///
    /// # Errors
    /// [`HsmError`].
    pub fn check(&self) -> Result<(), HsmError> {
        self.done(Request::Check)
    }

    /// Another PIN, after the old one was refused.
    pub fn replace_pin(&self, pin: Pin) {
        self.pool.replace_pin(pin);
    }

    /// Makes the AES-256 key that wraps halves: non-extractable, sensitive, for nothing else.
    ///
    /// # Errors
    /// [`HsmError::KeyExists`] if there is a secret key of that label.
    pub fn generate_wrapping_key(&self, label: &str) -> Result<(), HsmError> {
        let label = check_label(label)?;
        self.done(Request::GenerateWrappingKey { label })
    }

    /// A new random half, and the same half wrapped under a key of this module. For genesis, and for a new root.
    ///
    /// # Errors
    /// [`HsmError`].
    pub fn new_half(&self, namespace: &Namespace, label: &str) -> Result<(HsmHalf, WrappedHalf), HsmError> {
        let half = HsmHalf::new(Secret::written_by(|bytes| random(bytes)));
        let wrapped = self.wrap_half(namespace, label, &half)?;
        Ok((half, wrapped))
    }

    /// Wraps a half under a key of this module: another site's, or a newer one. The root stays the same.
    ///
    /// # Errors
    /// [`HsmError::KeyAbsent`], [`HsmError::KeyUnfit`].
    pub fn wrap_half(&self, namespace: &Namespace, label: &str, half: &HsmHalf) -> Result<WrappedHalf, HsmError> {
        let checked = check_label(label)?;
        let nonce = random_array();
        let request = Request::Wrap {
            label: checked,
            nonce,
            about: wrapped_half::associated_data(namespace),
            secret: Secret::copy_of(half.bytes()),
        };
        match self.pool.ask(request)? {
            Answer::Wrapped(sealed) => Ok(WrappedHalf::new(label.to_owned(), nonce, sealed)),
            _ => Err(HsmError::Failed),
        }
    }

    /// Unwraps the half.
    ///
    /// # Errors
    /// [`HsmError::NotUnwrapped`] if it was changed, or wrapped under another key or for another namespace.
    pub fn unwrap_half(&self, namespace: &Namespace, wrapped: &WrappedHalf) -> Result<HsmHalf, HsmError> {
        let request = Request::Unwrap {
            label: check_label(wrapped.key_label())?,
            nonce: *wrapped.nonce(),
            about: wrapped_half::associated_data(namespace),
            sealed: *wrapped.sealed(),
        };
        match self.pool.ask(request)? {
            Answer::Secret(half) => Ok(HsmHalf::new(half)),
            _ => Err(HsmError::Failed),
        }
    }

    /// Makes a P-256 key pair for signing: private key non-extractable, sensitive, for signing only.
    ///
    /// # Errors
    /// [`HsmError::KeyExists`] if there is one of that id.
    pub fn generate_signing_key(&self, id: KeyId) -> Result<P256PublicKey, HsmError> {
        self.public(Request::GenerateSigningKey { id })
    }

    /// The public key of a signing key.
    ///
    /// # Errors
    /// [`HsmError::KeyAbsent`].
    pub fn public_key(&self, id: KeyId) -> Result<P256PublicKey, HsmError> {
        self.public(Request::PublicKey { id })
    }

    /// Signs with ECDSA over the SHA-256 of the message: r ‖ s.
    ///
    /// # Errors
    /// [`HsmError`].
    pub fn sign(&self, id: KeyId, message: &[u8]) -> Result<[u8; 64], HsmError> {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, message).as_ref());
        match self.pool.ask(Request::Sign { id, hash })? {
            Answer::Signature(signature) => Ok(signature),
            _ => Err(HsmError::Failed),
        }
    }

    /// Destroys a signing key: for a retired one, after everything it signed has expired.
    ///
    /// # Errors
    /// [`HsmError::KeyAbsent`].
    pub fn destroy_signing_key(&self, id: KeyId) -> Result<(), HsmError> {
        self.done(Request::DestroySigningKey { id })
    }

    fn public(&self, request: Request) -> Result<P256PublicKey, HsmError> {
        match self.pool.ask(request)? {
            Answer::PublicKey(point) => P256PublicKey::from_uncompressed(&point).map_err(|_| HsmError::KeyUnfit),
            _ => Err(HsmError::Failed),
        }
    }

    fn done(&self, request: Request) -> Result<(), HsmError> {
        match self.pool.ask(request)? {
            Answer::Done => Ok(()),
            _ => Err(HsmError::Failed),
        }
    }
}

impl fmt::Debug for Hsm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hsm")
    }
}

#[cfg(test)]
mod tests;
