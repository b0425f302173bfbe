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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{OpenError, PersonId, StateKind, tenant_id};
    use authenticator::Kvnr;
    use jose::UnixTime;

    fn one() -> TenantId {
        tenant_id("https://one.example")
    }

    fn other() -> TenantId {
        tenant_id("https://other.example")
    }

    fn root() -> Vault {
        let generation = |number| Generation::new(number).unwrap();
        Vault::development([1; 32])
            .at_generation(generation(3))
            .at_index_generation(generation(2), Some(generation(1)))
    }

    #[test]
    fn attack_34_bundle_holds_no_byte_sequence_of_another_tenants_keys_or_of_the_root() {
        let bytes = root().tenant_bundle(one()).unwrap().to_bytes();
        let holds = |key: &[u8]| bytes.windows(key.len()).any(|window| window == key);
        let root_instance = root();
        let source = root_instance.source();
        for purpose in Purpose::ALL {
            for number in 1..=3 {
                let own = source.key(one(), Generation(number), purpose).unwrap();
                assert!(holds(&own[..]), "{purpose:?} {number}: the search finds what is there");

                let foreign = source.key(other(), Generation(number), purpose).unwrap();
                assert!(!holds(&foreign[..]), "{purpose:?} {number}");
            }
        }
        let (_, root) = source.roots().unwrap().newest().unwrap();
        assert!(!holds(&root.seed()[..]));
        assert!(!holds(&[1; 32]), "the seed");
    }

    #[test]
    fn attack_34_serving_instance_asked_for_another_tenant_says_that_the_key_is_not_here() {
        let bundle = TenantBundle::parse(&root().tenant_bundle(one()).unwrap().to_bytes()).unwrap();
        let serving = Vault::from_tenant_bundle(bundle);
        let kvnr = Kvnr::parse("Q000123451").unwrap();
        let person = PersonId::from_bytes([1; 16]);
        assert_eq!(serving.blind_index(one(), &kvnr), root().blind_index(one(), &kvnr));
        assert_eq!(
            serving.pseudonym(one(), &person, "s"),
            root().pseudonym(one(), &person, "s")
        );
        assert_eq!(serving.lookup_keys(one(), &kvnr), root().lookup_keys(one(), &kvnr));
        assert_eq!(serving.generations(), root().generations());

        assert_eq!(serving.blind_index(other(), &kvnr), Err(KeyAbsent));
        assert_eq!(serving.pseudonym(other(), &person, "s"), Err(KeyAbsent));
        assert_eq!(serving.service_index(other(), &person, "s"), Err(KeyAbsent));
        assert_eq!(serving.erase_person(other(), person, &kvnr), Err(KeyAbsent));
        assert_eq!(serving.tenant_bundle(other()).unwrap_err(), KeyAbsent);
        let now = UnixTime(1_800_000_000);
        let states = serving.login_states();
        assert!(states.seal(one(), StateKind::Pushed, now, b"x").is_ok());
        assert_eq!(
            states.seal(other(), StateKind::Pushed, now, b"x").unwrap_err(),
            crate::SealError::KeyAbsent(KeyAbsent)
        );
        let foreign = root()
            .login_states()
            .seal(other(), StateKind::Pushed, now, b"x")
            .unwrap();
        assert_eq!(
            states.open(other(), StateKind::Pushed, now, &foreign),
            Err(crate::StateError::KeyAbsent(KeyAbsent))
        );
        let key = root()
            .generate_signing_key(other(), crate::KeyRole::Challenge, crate::KeyState::Active, now)
            .unwrap();
        let change = root().seal_signing_key(&key, None).unwrap();
        let store::Write::Put { key: at, sealed, .. } = change.write else {
            panic!("a put")
        };
        let row = store::Row {
            version: 1,
            sealed,
            expires_at: None,
        };
        assert_eq!(
            serving.open_signing_key(&at, &row).unwrap_err(),
            OpenError::KeyAbsent(KeyAbsent)
        );
        assert!(root().open_signing_key(&at, &row).is_ok());
    }

    #[test]
    fn vault_of_several_bundles_wants_them_alike() {
        let bundle = |vault: Vault, tenant| vault.tenant_bundle(tenant).unwrap();
        let both = Vault::from_tenant_bundles(vec![bundle(root(), one()), bundle(root(), other())]).unwrap();
        let kvnr = Kvnr::parse("Q000123451").unwrap();
        for tenant in [one(), other()] {
            assert_eq!(both.blind_index(tenant, &kvnr), root().blind_index(tenant, &kvnr));
        }
        let older = bundle(Vault::development([1; 32]), other());
        assert!(Vault::from_tenant_bundles(vec![bundle(root(), one()), older]).is_none());
        assert!(Vault::from_tenant_bundles(Vec::new()).is_none());
    }

    #[test]
    fn bundle_is_read_as_it_was_written_and_never_panics() {
        let bytes = root().tenant_bundle(one()).unwrap().to_bytes();
        assert!(bytes.len() <= MAX_BUNDLE_BYTES);
        for length in 0..bytes.len() {
            assert!(TenantBundle::parse(&bytes[..length]).is_err());
        }
        let changed = |at: usize, to: u8| {
            let mut changed = bytes.clone();
            changed[at] = to;
            TenantBundle::parse(&changed).is_ok()
        };
        assert!(!changed(0, 2), "another form");
        assert!(!changed(1, 9), "another lock");
        assert!(!changed(HEADER_BYTES, 99), "a purpose of another release");
        assert!(TenantBundle::parse(&vec![1; MAX_BUNDLE_BYTES + 1]).is_err());
        assert_eq!(format!("{:?}", root().tenant_bundle(one()).unwrap()), "TenantBundle");
    }
}
