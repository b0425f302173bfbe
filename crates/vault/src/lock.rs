//! The two locks on the root: a namespace seed that only a quorum of holders restores, and a half that only the hardware
//! security module unwraps. The root is derived from both at once; neither alone derives anything.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::hierarchy::{KEY_BYTES, KeyMaterial, Root, derive, derive_salted};
use crate::random::random;
use crate::secret_memory::Secret;

/// Most bytes of a namespace's name.
pub const MAX_NAMESPACE_BYTES: usize = 64;

/// What guards the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// A seed from configuration: whoever reads the machine's files has the root.
    Development,
    /// A quorum's seed and a half from a hardware security module.
    QuorumAndHsm,
}

impl Lock {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::QuorumAndHsm => "quorum+hsm",
        }
    }

    pub const fn code(self) -> u8 {
        match self {
            Self::Development => 1,
            Self::QuorumAndHsm => 2,
        }
    }

    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Development, Self::QuorumAndHsm]
            .into_iter()
            .find(|lock| lock.code() == code)
    }
}

/// Name of a key hierarchy, as the manifest has it: 1 to [`MAX_NAMESPACE_BYTES`] bytes. The same halves in another namespace
/// make another root.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Namespace(String);

/// A namespace's name is empty, too long, or holds other characters than lower-case letters, digits, `.`, `-` and `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a namespace has 1 to {MAX_NAMESPACE_BYTES} lower-case letters, digits, dots, hyphens or underscores")]
pub struct NamespaceError;

impl Namespace {
    /// Takes a name.
    ///
    /// # Errors
    /// [`NamespaceError`].
    pub fn parse(name: &str) -> Result<Self, NamespaceError> {
        let fits = (1..=MAX_NAMESPACE_BYTES).contains(&name.len());
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        if fits && name.bytes().all(plain) {
            Ok(Self(name.to_owned()))
        } else {
            Err(NamespaceError)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The namespace seed (NS): born in the genesis instance, afterwards only in the memory of `root` instances and as shares of
/// its holders. `Debug` prints the type only.
pub struct NamespaceSeed(KeyMaterial);

impl NamespaceSeed {
    pub(crate) fn generate() -> Self {
        Self(Secret::written_by(|bytes| random(bytes)))
    }

    pub(crate) fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(Secret::copy_of(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// A value that says nothing about the seed and by which it is recognised again: published at genesis.
    #[must_use]
    pub fn commitment(&self, namespace: &Namespace) -> [u8; 32] {
        *derive(
            &self.0,
            &[b"healthid/v1/namespace seed commitment", namespace.0.as_bytes()],
        )
    }

    /// Whether this is the seed a commitment was made for.
    #[must_use]
    pub fn is_committed_by(&self, namespace: &Namespace, commitment: &[u8; 32]) -> bool {
        verify_slices_are_equal(&self.commitment(namespace), commitment).is_ok()
    }
}

/// The random half the hardware security module guards. Comes out of [`crate::hsm::Hsm::unwrap_half`] only.
pub struct HsmHalf(KeyMaterial);

impl HsmHalf {
    pub(crate) const fn new(half: KeyMaterial) -> Self {
        Self(half)
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

/// The root, opened by both locks. There is no other way to one, so a vault that names the lock `quorum+hsm` was opened by
/// both.
pub struct UnlockedRoot {
    pub(crate) root: Root,
    pub(crate) lock: Lock,
}

impl UnlockedRoot {
    /// ROOT = HKDF-SHA-256(ikm = NS ‖ hsm half, info = namespace). Depends on no manifest.
    #[must_use]
    pub fn from_locks(namespace: &Namespace, seed: &NamespaceSeed, half: &HsmHalf) -> Self {
        let both = Secret::<{ 2 * KEY_BYTES }>::written_by(|both| {
            both[..KEY_BYTES].copy_from_slice(seed.bytes());
            both[KEY_BYTES..].copy_from_slice(half.bytes());
        });
        let info: [&[u8]; 2] = [b"root", namespace.0.as_bytes()];
        Self {
            root: Root::new(derive_salted(&both[..], b"healthid/v1/quorum+hsm", &info)),
            lock: Lock::QuorumAndHsm,
        }
    }

    pub(crate) fn development(seed: &[u8; KEY_BYTES]) -> Self {
        Self {
            root: Root::new(Secret::copy_of(seed)),
            lock: Lock::Development,
        }
    }
}

macro_rules! debug_by_name {
    ($($name:ident),*) => { $(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )* };
}
debug_by_name!(NamespaceSeed, HsmHalf, UnlockedRoot);
