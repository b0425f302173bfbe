//! From the root to a tenant's keys: HKDF-SHA-256 (RFC 5869), one label per purpose.
//!
//! ```text
//! root ── tenant, generation, purpose ──> index        keyed index of health insurance numbers; generations of its own
//!                                         service      keyed index of services in consents; never changes
//!                                         wrap         wraps each person's random data key
//!                                         record       records that belong to the tenant itself
//!                                         audit        with her data key: entries of a person's history
//!                                         pseudonym    pairwise subjects; never changes
//!                                         login state  ── epoch ──> AEAD key and nonce key
//!                                         fact name    names of facts that never go back; never changes
//!                                         fresh step   seal of the steps between them
//!                                         row group    what the ids of a person's rows begin with; never changes
//! ```

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use store::TenantId;

use crate::secret_memory::Secret;

/// Bytes of every key here.
pub(crate) const KEY_BYTES: usize = 32;

/// A key in secret memory; wiped when dropped.
pub(crate) type KeyMaterial = Secret<KEY_BYTES>;

/// Number of a tenant's keys of one purpose, from 1. Records name the generation they were sealed under; raising it re-keys
/// what is written from then on, and records move over when they are next written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub(crate) u32);

impl Generation {
    /// The generation a vault begins with.
    pub const FIRST: Self = Self(1);

    /// The generation with this number; `None` for 0.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// What a tenant's key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    Index,
    Service,
    Wrap,
    Record,
    Audit,
    Pseudonym,
    LoginState,
    FactName,
    FreshnessStep,
    RowGroup,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 10] = [
        Self::Index,
        Self::Service,
        Self::Wrap,
        Self::Record,
        Self::Audit,
        Self::Pseudonym,
        Self::LoginState,
        Self::FactName,
        Self::FreshnessStep,
        Self::RowGroup,
    ];

    const fn label(self) -> &'static [u8] {
        match self {
            Self::Index => b"index",
            Self::Service => b"service index",
            Self::Wrap => b"wrap",
            Self::Record => b"record",
            Self::Audit => b"audit",
            Self::Pseudonym => b"pseudonym",
            Self::LoginState => b"login state",
            Self::FactName => b"freshness",
            Self::FreshnessStep => b"freshness step",
            Self::RowGroup => b"row group",
        }
    }

    /// Number in bundles and successions.
    pub const fn code(self) -> u8 {
        match self {
            Self::Index => 1,
            Self::Service => 2,
            Self::Wrap => 3,
            Self::Record => 4,
            Self::Audit => 5,
            Self::Pseudonym => 7,
            Self::LoginState => 8,
            Self::FactName => 9,
            Self::FreshnessStep => 10,
            Self::RowGroup => 11,
        }
    }

    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.code() == code)
    }

    /// Whether what was computed with this key is found again only with the same one: subjects at services, consents of a
    /// person, facts that never go back, where a person's rows stand. Its generation is always the first, under whatever root that was.
    pub const fn never_changes(self) -> bool {
        matches!(self, Self::Service | Self::Pseudonym | Self::FactName | Self::RowGroup)
    }
}

/// The secret everything is derived from: 32 bytes of full entropy.
pub(crate) struct Root(KeyMaterial);

impl Root {
    pub const fn new(seed: KeyMaterial) -> Self {
        Self(seed)
    }

    /// A tenant's key for one purpose. Fields of fixed length first, then the label: no two inputs collide.
    pub fn derive(&self, tenant: TenantId, generation: Generation, purpose: Purpose) -> KeyMaterial {
        let number = generation.0.to_be_bytes();
        self.expand(&[b"healthid/v1/tenant", tenant.as_bytes(), &number, purpose.label()])
    }

    /// A key of the vault itself.
    pub fn derive_own(&self, label: &[u8]) -> KeyMaterial {
        self.expand(&[b"healthid/v1/vault", label])
    }

    fn expand(&self, info: &[&[u8]]) -> KeyMaterial {
        expand(&Salt::new(HKDF_SHA256, b"healthid/v1/root").extract(&self.0[..]), info)
    }

    pub const fn seed(&self) -> &KeyMaterial {
        &self.0
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Root")
    }
}

/// A key derived from a key: HKDF-Expand.
pub(crate) fn derive(key: &KeyMaterial, info: &[&[u8]]) -> KeyMaterial {
    expand(&Prk::new_less_safe(HKDF_SHA256, &key[..]), info)
}

/// A key derived from a secret and a salt that may be chosen by others: full HKDF.
pub(crate) fn derive_salted(secret: &[u8], salt: &[u8], info: &[&[u8]]) -> KeyMaterial {
    expand(&Salt::new(HKDF_SHA256, salt).extract(secret), info)
}

fn expand(prk: &Prk, info: &[&[u8]]) -> KeyMaterial {
    // Fails only for more than 255 blocks; this is one.
    #[allow(clippy::expect_used)]
    Secret::written_by(|key| {
        prk.expand(info, HKDF_SHA256)
            .and_then(|okm| okm.fill(key))
            .expect("one block can be expanded");
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_changes_the_key() {
        let root = |byte| Root::new(Secret::copy_of(&[byte; 32]));
        let [one, two] = [1, 2].map(|byte| TenantId::from_bytes([byte; 16]));
        let mut keys: Vec<_> = Purpose::ALL
            .into_iter()
            .map(|purpose| root(7).derive(one, Generation::FIRST, purpose))
            .collect();
        keys.push(root(7).derive(two, Generation::FIRST, Purpose::Index));
        keys.push(root(7).derive(one, Generation(2), Purpose::Index));
        keys.push(root(8).derive(one, Generation::FIRST, Purpose::Index));
        keys.push(root(7).derive_own(b"index"));
        for (index, key) in keys.iter().enumerate() {
            assert!(keys[..index].iter().all(|other| **other != **key));
        }
    }

    #[test]
    fn derivation_is_hkdf_of_rfc_5869() {
        // Test case 1 of RFC 5869 appendix A, first 32 bytes of its output.
        let input = [0x0b; 22];
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let key = expand(&Salt::new(HKDF_SHA256, &salt).extract(&input), &[&info]);
        let expected = [
            0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36, 0x2f, 0x2a, 0x2d, 0x2d,
            0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56, 0xec, 0xc4, 0xc5, 0xbf,
        ];
        assert_eq!(*key, expected);
    }

    #[test]
    fn codes_of_purposes_are_found_again() {
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::from_code(purpose.code()), Some(purpose));
        }
        assert_eq!(Purpose::from_code(0), None);
    }
}
