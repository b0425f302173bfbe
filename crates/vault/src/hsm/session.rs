//! What is asked of a session, whatever stands behind it.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use store::TenantId;

use super::{HsmError, Pin};
use crate::hierarchy::{KEY_BYTES, KeyMaterial};

/// Most bytes of a wrapping key's label.
pub const MAX_LABEL_BYTES: usize = 32;
/// Bytes of the nonce of a wrapped half.
pub(super) const NONCE_BYTES: usize = 12;
/// Bytes of a wrapped half: itself and a tag of 16.
pub(super) const WRAPPED_BYTES: usize = KEY_BYTES + 16;

/// Identifier of a signing key in the module (`CKA_ID`): 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// The identifier of a tenant's key of one role: SHA-256 over all three. The same key is found by every instance, and no
    /// two tenants' keys meet though they share a module.
    #[must_use]
    pub fn of(tenant: TenantId, role: u8, kid: &str) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(b"healthid/v1/hsm key\0");
        hash.update(tenant.as_bytes());
        hash.update(&[role]);
        hash.update(kid.as_bytes());
        let mut id = [0; 32];
        id.copy_from_slice(hash.finish().as_ref());
        Self(id)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyId")
    }
}

pub(super) enum Request {
    Check,
    GenerateWrappingKey {
        label: String,
    },
    Wrap {
        label: String,
        nonce: [u8; NONCE_BYTES],
        about: Vec<u8>,
        secret: KeyMaterial,
    },
    Unwrap {
        label: String,
        nonce: [u8; NONCE_BYTES],
        about: Vec<u8>,
        sealed: [u8; WRAPPED_BYTES],
    },
    GenerateSigningKey {
        id: KeyId,
    },
    PublicKey {
        id: KeyId,
    },
    Sign {
        id: KeyId,
        hash: [u8; 32],
    },
    DestroySigningKey {
        id: KeyId,
    },
}

impl Request {
    /// Whether asking a second time, after the session was lost in the middle, does what asking once does.
    pub const fn may_be_repeated(&self) -> bool {
        !matches!(
            self,
            Self::GenerateWrappingKey { .. } | Self::GenerateSigningKey { .. } | Self::DestroySigningKey { .. }
        )
    }
}

pub(super) enum Answer {
    Done,
    Wrapped([u8; WRAPPED_BYTES]),
    Secret(KeyMaterial),
    PublicKey([u8; 65]),
    Signature([u8; 64]),
}

/// Why a session did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The request was refused; the session lives.
    Refused(HsmError),
    /// The session is gone.
    Lost,
}

impl From<HsmError> for Trouble {
    fn from(error: HsmError) -> Self {
        Self::Refused(error)
    }
}

/// One session that is logged in. Stays on its thread.
pub(super) trait Session {
    fn perform(&mut self, request: &Request) -> Result<Answer, Trouble>;
}

/// Opens sessions.
pub(super) trait Connector: Send + Sync {
    /// Finds the token, opens a session, logs in.
    fn connect(&self, pin: &Pin) -> Result<Box<dyn Session>, HsmError>;
}

pub(super) fn check_label(label: &str) -> Result<String, HsmError> {
    let fits = (1..=MAX_LABEL_BYTES).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        Ok(label.to_owned())
    } else {
        Err(HsmError::Label)
    }
}
