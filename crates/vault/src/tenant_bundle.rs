//! The keys of one tenant, on their way to an instance that serves that tenant and no other.

use std::fmt;

use store::TenantId;
use zeroize::Zeroizing;

use crate::generations::{Generations, MAX_GENERATIONS};
use crate::hierarchy::{KEY_BYTES, KeyMaterial, Purpose};
use crate::key_source::{KeyAbsent, KeySource};
use crate::lock::Lock;
use crate::secret_memory::Secret;
use crate::{Generation, Vault};

const FORM: u8 = 1;
const ENTRY_BYTES: usize = 1 + 4 + KEY_BYTES;
/// Form, lock, tenant, four generations, number of keys.
const HEADER_BYTES: usize = 1 + 1 + 16 + 4 * 4 + 2;
/// Most bytes of a bundle, in clear.
pub const MAX_BUNDLE_BYTES: usize = HEADER_BYTES + Purpose::ALL.len() * MAX_GENERATIONS as usize * ENTRY_BYTES;

/// Every key of one tenant, of every generation that is read. Holds nothing another tenant's keys could be derived from.
/// Leaves a `root` instance only sealed to an attested `serve` instance ([`crate::ceremony`]).
pub struct TenantBundle {
    tenant: TenantId,
    lock: Lock,
    generations: Generations,
    keys: Vec<(Purpose, Generation, KeyMaterial)>,
}

/// Not a bundle of this release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a tenant's key bundle of this release")]
pub struct BundleError;

impl BundleError {
    /// Stable name for events.
    #[must_use]
    pub const fn code(self) -> &'static str {
        "vault.bundle_malformed"
    }
}

impl TenantBundle {
    pub(crate) fn collect(
        source: &KeySource,
        lock: Lock,
        tenant: TenantId,
        generations: Generations,
    ) -> Result<Self, KeyAbsent> {
        let mut keys = Vec::new();
        for purpose in Purpose::ALL {
            let newest = match purpose {
                Purpose::Index => generations.index.max(generations.readable),
                _ if purpose.never_changes() => Generation::FIRST,
                _ => generations.readable,
            };
            let oldest = newest.0.saturating_sub(MAX_GENERATIONS - 1).max(1);
            for number in oldest..=newest.0 {
                let generation = Generation(number);
                // Generations of a root that is gone are gone.
                if let Ok(key) = source.key(tenant, generation, purpose) {
                    keys.push((purpose, generation, key));
                }
            }
        }
        let bundle = Self {
            tenant,
            lock,
            generations,
            keys,
        };
        match bundle.key(generations.sealing, Purpose::Wrap) {
            Some(_) => Ok(bundle),
            None => Err(KeyAbsent),
        }
    }

    /// Whose keys these are.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub(crate) fn key(&self, generation: Generation, purpose: Purpose) -> Option<&KeyMaterial> {
        self.keys
            .iter()
            .find(|(of, number, _)| *of == purpose && *number == generation)
            .map(|(_, _, key)| key)
    }

    /// In clear: only to be sealed at once.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER_BYTES + self.keys.len() * ENTRY_BYTES));
        bytes.extend_from_slice(&[FORM, self.lock.code()]);
        bytes.extend_from_slice(self.tenant.as_bytes());
        let Generations {
            sealing,
            readable,
            index,
            older_index,
        } = self.generations;
        for number in [
            sealing.0,
            readable.0,
            index.0,
            older_index.map_or(0, Generation::number),
        ] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        #[allow(clippy::cast_possible_truncation)] // at most 8 purposes of 64 generations
        bytes.extend_from_slice(&(self.keys.len() as u16).to_be_bytes());
        for (purpose, generation, key) in &self.keys {
            bytes.push(purpose.code());
            bytes.extend_from_slice(&generation.0.to_be_bytes());
            bytes.extend_from_slice(&key[..]);
        }
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        Self::read(bytes).ok_or(BundleError)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_BUNDLE_BYTES {
            return None;
        }
        let (&[form, lock], rest) = bytes.split_first_chunk::<2>()?;
        let lock = Lock::from_code(lock).filter(|_| form == FORM)?;
        let (tenant, mut rest) = rest.split_first_chunk::<16>()?;
        let mut numbers = [0; 4];
        for number in &mut numbers {
            let (bytes, behind) = rest.split_first_chunk::<4>()?;
            *number = u32::from_be_bytes(*bytes);
            rest = behind;
        }
        let [sealing, readable, index, older_index] = numbers;
        let generations = Generations {
            sealing: Generation::new(sealing)?,
            readable: Generation::new(readable).filter(|readable| readable.0 >= sealing)?,
            index: Generation::new(index)?,
            older_index: Generation::new(older_index),
        };
        let (count, mut rest) = rest.split_first_chunk::<2>()?;
        if rest.len() != usize::from(u16::from_be_bytes(*count)) * ENTRY_BYTES {
            return None;
        }
        let mut keys = Vec::with_capacity(rest.len() / ENTRY_BYTES);
        while let Some((&purpose, behind)) = rest.split_first() {
            let (generation, behind) = behind.split_first_chunk::<4>()?;
            let (key, behind) = behind.split_first_chunk::<KEY_BYTES>()?;
            let generation = Generation::new(u32::from_be_bytes(*generation))?;
            keys.push((Purpose::from_code(purpose)?, generation, Secret::copy_of(key)));
            rest = behind;
        }
        Some(Self {
            tenant: TenantId::from_bytes(*tenant),
            lock,
            generations,
            keys,
        })
    }
}

impl Vault {
    /// The keys of one tenant, to be sealed to an instance that serves it.
    ///
    /// # Errors
    /// [`KeyAbsent`] if this instance does not hold them itself.
    pub(crate) fn tenant_bundle(&self, tenant: TenantId) -> Result<TenantBundle, KeyAbsent> {
        TenantBundle::collect(self.source(), self.lock(), tenant, self.generations())
    }

    /// A vault that holds these tenants' keys and nothing else: no root, no seed, no other tenant's key, nor anything they
    /// could be derived from. `None` without a bundle, or if their generations or locks differ.
    #[must_use]
    pub fn from_tenant_bundles(bundles: Vec<TenantBundle>) -> Option<Self> {
        let (lock, generations) = bundles.first().map(|bundle| (bundle.lock, bundle.generations))?;
        let alike = bundles
            .iter()
            .all(|bundle| (bundle.lock, bundle.generations) == (lock, generations));
        alike.then(|| Self::from_source(KeySource::Bundles(bundles), lock, generations))
    }

    /// A vault that serves one tenant.
    #[must_use]
    pub fn from_tenant_bundle(bundle: TenantBundle) -> Self {
        let (lock, generations) = (bundle.lock, bundle.generations);
        Self::from_source(KeySource::Bundles(vec![bundle]), lock, generations)
    }
}

impl fmt::Debug for TenantBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantBundle")
    }
}
