//! What keys are for, where in their lives they stand, and why a step is refused.

use jose::{KeyError, UnixTime};
use serde::{Deserialize, Serialize};

use super::MAX_KEYS_PER_PURPOSE;
use crate::client::random::RandomnessError;
use crate::client::tls_credential::TlsCredentialError;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPurpose {
    /// Signs the entity statement; registered at the Federation Master.
    Entity,
    /// TLS client certificate at PAR and token endpoint.
    Tls,
    /// ID tokens are encrypted to it.
    Encryption,
}

/// Where in its life a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyStage {
    /// Waiting for [`super::KeyRing::switch`].
    Next,
    /// In use.
    Current,
    /// Replaced, still published.
    Previous,
    /// No longer published; only for encryption keys.
    Withdrawn,
}

/// Why a key cannot be rolled over.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// There is one already.
    #[error("a next key of this purpose is waiting already, expected none; switch to it first")]
    NextExists,
    /// There is nothing to switch to.
    #[error("no next key of this purpose, expected one; add it first")]
    NoNext,
    /// There is nothing to retire.
    #[error("no previous key of this purpose, expected one; switch first")]
    NoPrevious,
    /// More than [`MAX_KEYS_PER_PURPOSE`].
    #[error("more than {MAX_KEYS_PER_PURPOSE} keys of one purpose; retire previous ones first")]
    TooMany,
    /// Not exactly one current key for each purpose, or the same `kid` twice.
    #[error("each purpose needs exactly one current key, and each key its own kid")]
    Incomplete,
    /// A key could not be made or read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A TLS certificate could not be made or read.
    #[error(transparent)]
    Tls(#[from] TlsCredentialError),
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
}

/// What is known of one key, without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyStatus {
    /// What it is for.
    pub purpose: KeyPurpose,
    /// Where it stands.
    pub stage: KeyStage,
    /// Its identifier.
    pub kid: String,
    /// When a statement first named it.
    pub published_since: Option<UnixTime>,
    /// When the last statement that named it expires.
    pub published_until: Option<UnixTime>,
    /// `x5t#S256` of its certificate; TLS keys only.
    pub certificate_thumbprint: Option<String>,
    /// Last second of the certificate; TLS keys only.
    pub certificate_not_after: Option<UnixTime>,
}
