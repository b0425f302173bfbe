//! A signing key that lives in the module.

use std::fmt;
use std::sync::Arc;

use jose::jwk::P256PublicKey;
use jose::{SignError, Signer};

use super::{Hsm, KeyId};

/// A signing key in a hardware security module. Signs there or not at all.
pub struct HsmKey {
    hsm: Arc<Hsm>,
    id: KeyId,
    kid: String,
    public: P256PublicKey,
}

impl HsmKey {
    pub(crate) const fn new(hsm: Arc<Hsm>, id: KeyId, kid: String, public: P256PublicKey) -> Self {
        Self { hsm, id, kid, public }
    }

    /// Its identifier in the module.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }
}

impl Signer for HsmKey {
    fn kid(&self) -> &str {
        &self.kid
    }

    fn public_key(&self) -> &P256PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        self.hsm
            .sign(self.id, message)
            .map_err(|error| SignError::Holder { code: error.code() })
    }
}

impl fmt::Debug for HsmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HsmKey")
    }
}
