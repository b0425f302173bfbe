//! Where a vault's keys come from: roots that derive every tenant's, or a bundle that holds the keys of named tenants only.

use std::fmt;

use store::TenantId;

use crate::Generation;
use crate::hierarchy::{KeyMaterial, Purpose, Root};
use crate::tenant_bundle::TenantBundle;

/// This instance holds no such key: the tenant is another instance's, or the generation was given up or is not known yet.
/// The key is not forbidden here, it is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this instance holds no key of that tenant and generation")]
pub struct KeyAbsent;

impl KeyAbsent {
    /// Stable name for events.
    #[must_use]
    pub const fn code(self) -> &'static str {
        "vault.key_absent"
    }
}

/// A key that outlives the root it came from.
pub(crate) struct CarriedKey {
    pub tenant: TenantId,
    pub purpose: Purpose,
    pub key: KeyMaterial,
}

/// Roots by the generation they begin with, oldest first, and what was carried over from roots that are gone.
pub(crate) struct Roots {
    /// Never empty.
    epochs: Vec<(Generation, Root)>,
    carried: Vec<CarriedKey>,
}

impl Roots {
    pub fn only(root: Root) -> Self {
        Self {
            epochs: vec![(Generation::FIRST, root)],
            carried: Vec::new(),
        }
    }

    /// Older roots, then the newest, which begins with `first`.
    pub fn following(
        mut older: Vec<(Generation, Root)>,
        carried: Vec<CarriedKey>,
        first: Generation,
        root: Root,
    ) -> Self {
        older.sort_by_key(|(generation, _)| *generation);
        older.push((first, root));
        Self { epochs: older, carried }
    }

    pub fn epochs(&self) -> &[(Generation, Root)] {
        &self.epochs
    }

    pub fn carried(&self) -> &[CarriedKey] {
        &self.carried
    }

    /// The newest root and the generation it begins with.
    pub fn newest(&self) -> Option<&(Generation, Root)> {
        self.epochs.last()
    }

    fn derive(&self, tenant: TenantId, generation: Generation, purpose: Purpose) -> Result<KeyMaterial, KeyAbsent> {
        if purpose.never_changes() {
            let carried = self
                .carried
                .iter()
                .find(|key| key.tenant == tenant && key.purpose == purpose);
            return match (carried, self.epochs.first()) {
                (Some(carried), _) => Ok(carried.key.duplicate()),
                (None, Some((_, oldest))) => Ok(oldest.derive(tenant, Generation::FIRST, purpose)),
                (None, None) => Err(KeyAbsent),
            };
        }
        let (_, root) = self
            .epochs
            .iter()
            .rev()
            .find(|(first, _)| *first <= generation)
            .ok_or(KeyAbsent)?;
        Ok(root.derive(tenant, generation, purpose))
    }
}

/// Where keys come from.
pub(crate) enum KeySource {
    /// A `root` instance: everything can be derived.
    Roots(Roots),
    /// A `serve` instance: what is not in a bundle is not in this process.
    Bundles(Vec<TenantBundle>),
}

impl KeySource {
    pub fn key(&self, tenant: TenantId, generation: Generation, purpose: Purpose) -> Result<KeyMaterial, KeyAbsent> {
        match self {
            Self::Roots(roots) => roots.derive(tenant, generation, purpose),
            Self::Bundles(bundles) => bundles
                .iter()
                .find(|bundle| bundle.tenant() == tenant)
                .and_then(|bundle| bundle.key(generation, purpose))
                .map(KeyMaterial::duplicate)
                .ok_or(KeyAbsent),
        }
    }

    pub const fn roots(&self) -> Option<&Roots> {
        match self {
            Self::Roots(roots) => Some(roots),
            Self::Bundles(_) => None,
        }
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySource")
    }
}
