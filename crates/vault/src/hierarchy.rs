//! From the root to a tenant's keys: HKDF-SHA-256 (RFC 5869), one label per purpose.
//!
//! ```text
//! root ── tenant, generation, purpose ──> index        keyed index of health insurance numbers
//!                                         service      keyed index of services in consents
//!                                         wrap         wraps each person's random data key
//!                                         record       records that belong to the tenant itself
//!                                         pseudonym    pairwise subjects; its generation never changes
//!                                         login state  ── epoch ──> AEAD key and nonce key
//!                                         freshness    names of facts that never go back, and the seal of their steps
//! ```

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use store::TenantId;
use zeroize::Zeroizing;

/// Bytes of every key here.
pub(crate) const KEY_BYTES: usize = 32;

/// A key in transit between two primitives; wiped when dropped.
pub(crate) type KeyMaterial = Zeroizing<[u8; KEY_BYTES]>;

/// Number of a tenant's wrap, index and record keys, from 1. Records name the generation they were sealed under; raising
/// it re-keys what is written from then on, and records move over when they are next written.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Index,
    Service,
    Wrap,
    Record,
    Pseudonym,
    LoginState,
    Freshness,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Index => b"index",
            Self::Service => b"service index",
            Self::Wrap => b"wrap",
            Self::Record => b"record",
            Self::Pseudonym => b"pseudonym",
            Self::LoginState => b"login state",
            Self::Freshness => b"freshness",
        }
    }
}

/// The secret everything is derived from.
pub(crate) struct Root(Prk);

impl Root {
    /// From 32 bytes of full entropy.
    pub fn new(seed: &[u8; KEY_BYTES]) -> Self {
        Self(Salt::new(HKDF_SHA256, b"healthid/v1/root").extract(seed))
    }

    /// A tenant's key for one purpose. Fields of fixed length first, then the label: no two inputs collide.
    pub fn derive(&self, tenant: TenantId, generation: Generation, purpose: Purpose) -> KeyMaterial {
        let number = generation.0.to_be_bytes();
        expand(
            &self.0,
            &[b"healthid/v1/tenant", tenant.as_bytes(), &number, purpose.label()],
        )
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

/// A key derived from a key and a salt that may be chosen by others: full HKDF.
pub(crate) fn derive_salted(key: &KeyMaterial, salt: &[u8], info: &[&[u8]]) -> KeyMaterial {
    expand(&Salt::new(HKDF_SHA256, salt).extract(&key[..]), info)
}

fn expand(prk: &Prk, info: &[&[u8]]) -> KeyMaterial {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    // Fails only for more than 255 blocks; this is one.
    #[allow(clippy::expect_used)]
    prk.expand(info, HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key[..]))
        .expect("one block can be expanded");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_changes_the_key() {
        let root = Root::new(&[7; 32]);
        let [one, two] = [1, 2].map(|byte| TenantId::from_bytes([byte; 16]));
        let keys = [
            root.derive(one, Generation::FIRST, Purpose::Index),
            root.derive(two, Generation::FIRST, Purpose::Index),
            root.derive(one, Generation(2), Purpose::Index),
            root.derive(one, Generation::FIRST, Purpose::Service),
            root.derive(one, Generation::FIRST, Purpose::Wrap),
            root.derive(one, Generation::FIRST, Purpose::Record),
            root.derive(one, Generation::FIRST, Purpose::Pseudonym),
            root.derive(one, Generation::FIRST, Purpose::LoginState),
            root.derive(one, Generation::FIRST, Purpose::Freshness),
            Root::new(&[8; 32]).derive(one, Generation::FIRST, Purpose::Index),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(keys[..index].iter().all(|other| other != key));
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
}
