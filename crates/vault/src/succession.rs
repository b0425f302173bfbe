//! From one root to the next: what a new seed or a new half of the module's leads to.
//!
//! Keys of a generation come from the root that was in force when the generation began. So a new root begins with a new
//! generation, the old root stays beside it, sealed under the new one, while records are resealed; then it is given up. What
//! must never change (subjects at services, indexes of consents) is carried over, tenant by tenant, sealed under the new root.
//!
//! A new wrapping key in the module is no succession: the same half is wrapped under it ([`crate::hsm::Hsm::wrap_half`]), and
//! the root stays.

use store::TenantId;

use crate::error::OpenError;
use crate::generations::Generations;
use crate::hierarchy::{KEY_BYTES, Purpose, Root};
use crate::key_source::{CarriedKey, KeySource, Roots};
use crate::lock::UnlockedRoot;
use crate::seal;
use crate::secret_memory::Secret;
use crate::{Generation, SealError, Vault};

use zeroize::Zeroizing;

const FORM: u8 = 1;
const ROOT: u8 = 1;
const CARRIED: u8 = 2;
/// Most older roots and carried keys.
const MAX_ENTRIES: usize = 4_096;
/// Most bytes of a sealed succession.
pub const MAX_SUCCESSION_BYTES: usize = 1 + 4 + 48 + MAX_ENTRIES * (1 + 16 + 1 + KEY_BYTES);
const LABEL: &[u8] = b"healthid/v1/succession";

/// Older roots and carried keys, sealed under the newest root: may lie anywhere. Opened by [`Vault::open_with`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession(Vec<u8>);

impl Succession {
    /// As it was written.
    ///
    /// # Errors
    /// [`OpenError::TooShort`], [`OpenError::UnknownForm`], [`OpenError::Content`] if it is longer than
    /// [`MAX_SUCCESSION_BYTES`].
    pub fn parse(bytes: &[u8]) -> Result<Self, OpenError> {
        match bytes.first() {
            None => Err(OpenError::TooShort),
            Some(&FORM) if bytes.len() <= MAX_SUCCESSION_BYTES => Ok(Self(bytes.to_vec())),
            Some(&FORM) => Err(OpenError::Content),
            Some(&found) => Err(OpenError::UnknownForm { found, known: FORM }),
        }
    }

    /// To be stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why there is no succession.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// This vault was opened from a bundle and holds no root.
    #[error("only an instance that holds the root can hand it on")]
    NoRoot,
    /// The new root's generation must be newer than any that is read.
    #[error("a new root begins with a generation above {newest}")]
    Generation {
        /// Newest generation that is read.
        newest: u32,
    },
    /// More roots and tenants than one succession holds.
    #[error("a succession holds at most {MAX_ENTRIES} roots and keys")]
    TooMany,
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A tenant's key is not here.
    #[error(transparent)]
    KeyAbsent(#[from] crate::KeyAbsent),
}

impl Vault {
    /// A vault with a succession: older generations stay readable. The generations to write and read are chosen afterwards.
    ///
    /// # Errors
    /// [`OpenError::NotAuthentic`] if the succession was not sealed under this root.
    pub fn open_with(unlocked: UnlockedRoot, succession: &Succession) -> Result<Self, OpenError> {
        let UnlockedRoot { root, lock } = unlocked;
        let (first, (older, carried)) = read(&root, succession)?;
        let roots = Roots::following(older, carried, first, root);
        Ok(Self::from_source(KeySource::Roots(roots), lock, Generations::FIRST))
    }

    /// Hands this vault's root on to a new one, which begins with the generation `first`. Store the result beside the new
    /// wrapped half; instances open with both ([`open_with`](Self::open_with)), read up to `first`, then seal under it.
    ///
    /// # Errors
    /// [`SuccessionError`].
    pub fn hand_on(&self, next: &UnlockedRoot, first: Generation) -> Result<Succession, SuccessionError> {
        let roots = self.source().roots().ok_or(SuccessionError::NoRoot)?;
        let newest = self.generations().readable;
        let begun = roots.newest().map_or(newest, |(begun, _)| newest.max(*begun));
        if first <= begun {
            return Err(SuccessionError::Generation { newest: begun.number() });
        }
        let older: Vec<_> = roots.epochs().iter().collect();
        let older = older.into_iter().map(|(generation, root)| (*generation, root));
        seal(&next.root, first, older.collect(), roots.carried().iter().collect())
    }

    /// Gives up every older root: of what came from them, only the keys that never change are kept, for these tenants. Records
    /// of older generations can then be opened by nobody, and indexes of older generations found by nobody: reseal all records
    /// and move all lookups first. Every instance must open with the result.
    ///
    /// # Errors
    /// [`SuccessionError`].
    pub fn give_up_older_roots(&self, tenants: &[TenantId]) -> Result<Succession, SuccessionError> {
        let roots = self.source().roots().ok_or(SuccessionError::NoRoot)?;
        let (first, root) = roots.newest().ok_or(SuccessionError::NoRoot)?;
        let mut carried = Vec::new();
        for tenant in tenants {
            for purpose in Purpose::ALL.into_iter().filter(|purpose| purpose.never_changes()) {
                let key = self.source().key(*tenant, Generation::FIRST, purpose)?;
                carried.push(CarriedKey {
                    tenant: *tenant,
                    purpose,
                    key,
                });
            }
        }
        seal(root, *first, Vec::new(), carried.iter().collect())
    }
}

fn seal(
    root: &Root,
    first: Generation,
    older: Vec<(Generation, &Root)>,
    carried: Vec<&CarriedKey>,
) -> Result<Succession, SuccessionError> {
    if older.len() + carried.len() > MAX_ENTRIES {
        return Err(SuccessionError::TooMany);
    }
    let most = (older.len() + carried.len()) * (1 + 16 + 1 + KEY_BYTES);
    let mut content = Zeroizing::new(Vec::with_capacity(most));
    for (generation, root) in older {
        content.push(ROOT);
        content.extend_from_slice(&generation.number().to_be_bytes());
        content.extend_from_slice(&root.seed()[..]);
    }
    for CarriedKey { tenant, purpose, key } in carried {
        content.push(CARRIED);
        content.extend_from_slice(tenant.as_bytes());
        content.push(purpose.code());
        content.extend_from_slice(&key[..]);
    }
    let mut sealed = vec![FORM];
    sealed.extend_from_slice(&first.number().to_be_bytes());
    let about = [LABEL, &sealed[..]].concat();
    seal::seal_into(&mut sealed, &root.derive_own(b"succession"), &about, &content)?;
    Ok(Succession(sealed))
}

pub(crate) type Entries = (Vec<(Generation, Root)>, Vec<CarriedKey>);

fn read(root: &Root, succession: &Succession) -> Result<(Generation, Entries), OpenError> {
    let (head, sealed) = succession.0.split_first_chunk::<5>().ok_or(OpenError::TooShort)?;
    let about = [LABEL, &head[..]].concat();
    let content = seal::open(&root.derive_own(b"succession"), &about, sealed)?;
    let &[_, number @ ..] = head;
    let first = Generation::new(u32::from_be_bytes(number)).ok_or(OpenError::Content)?;
    Ok((first, read_entries(&content).ok_or(OpenError::Content)?))
}

pub(crate) fn read_entries(mut rest: &[u8]) -> Option<Entries> {
    let (mut older, mut carried) = (Vec::new(), Vec::new());
    while let Some((&kind, behind)) = rest.split_first() {
        match kind {
            ROOT => {
                let (number, behind) = behind.split_first_chunk::<4>()?;
                let (seed, behind) = behind.split_first_chunk::<KEY_BYTES>()?;
                let generation = Generation::new(u32::from_be_bytes(*number))?;
                older.push((generation, Root::new(Secret::copy_of(seed))));
                rest = behind;
            }
            CARRIED => {
                let (tenant, behind) = behind.split_first_chunk::<16>()?;
                let (&purpose, behind) = behind.split_first()?;
                let (key, behind) = behind.split_first_chunk::<KEY_BYTES>()?;
                carried.push(CarriedKey {
                    tenant: TenantId::from_bytes(*tenant),
                    purpose: Purpose::from_code(purpose)?,
                    key: Secret::copy_of(key),
                });
                rest = behind;
            }
            _ => return None,
        }
    }
    Some((older, carried))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use authenticator::{Ik, Kvnr};
    use store::Row;

    use super::*;
    use crate::{BackgroundTask, NewPerson, PersonData, tenant_id};

    fn generation(number: u32) -> Generation {
        Generation::new(number).unwrap()
    }

    fn root(byte: u8) -> UnlockedRoot {
        UnlockedRoot::development(&[byte; 32])
    }

    fn tenant() -> TenantId {
        tenant_id("https://idp.example")
    }

    fn kvnr() -> Kvnr {
        Kvnr::parse("Q000123451").unwrap()
    }

    fn person(vault: &Vault) -> NewPerson {
        let data = PersonData {
            kvnr: kvnr(),
            ik: Ik::parse("109900019").unwrap(),
            given_name: "Ada".to_owned(),
            family_name: String::new(),
            display_name: String::new(),
            birthdate: String::new(),
            sex: String::new(),
            email: String::new(),
            card_valid_until: String::new(),
        };
        vault.create_person(tenant(), &data).unwrap()
    }

    fn opens(vault: &Vault, id: crate::PersonId, row: &Row) -> Result<(), OpenError> {
        let capability = vault.background_capability(tenant(), id, BackgroundTask::Reseal);
        vault.with_person(capability, row, |scope| assert_eq!(scope.claims().given_name(), "Ada"))
    }

    #[test]
    fn root_is_rotated_and_the_old_one_given_up() {
        let old = Vault::open(root(1));
        let ada = person(&old);
        let row = ada.identity_row().unwrap();
        let subject = old.pseudonym(tenant(), &ada.id, "https://epa.example").unwrap();
        let service = old.service_index(tenant(), &ada.id, "https://epa.example").unwrap();

        // The new root begins with generation 2. First every instance reads it, then every instance writes it.
        let succession = old.hand_on(&root(2), generation(2)).unwrap();
        let succession = Succession::parse(succession.as_bytes()).unwrap();
        let open = || Vault::open_with(root(2), &succession).unwrap();
        let (reading, writing) = (open().reading_up_to(generation(2)), open().at_generation(generation(2)));
        opens(&reading, ada.id, &row).unwrap();
        opens(&writing, ada.id, &row).unwrap();
        opens(&reading, ada.id, &person(&writing).identity_row().unwrap()).unwrap_err();
        let new_person = person(&writing);
        opens(&reading, new_person.id, &new_person.identity_row().unwrap()).unwrap();
        for vault in [&reading, &writing] {
            let found = vault.pseudonym(tenant(), &ada.id, "https://epa.example");
            assert_eq!(found.as_ref(), Ok(&subject), "a subject never changes");
            assert_eq!(
                vault.service_index(tenant(), &ada.id, "https://epa.example"),
                Ok(service)
            );
            assert_eq!(vault.blind_index(tenant(), &kvnr()), old.blind_index(tenant(), &kvnr()));
        }

        // Her record moves over; then the old root is given up.
        let capability = writing.background_capability(tenant(), ada.id, BackgroundTask::Reseal);
        let resealed = writing
            .with_person(capability, &row, |scope| scope.reseal_claims())
            .unwrap()
            .unwrap();
        let store::Write::Put { sealed, .. } = resealed.write else {
            panic!("a put")
        };
        let moved = Row {
            version: 2,
            sealed,
            expires_at: None,
        };
        let ended = writing.give_up_older_roots(&[tenant()]).unwrap();
        let after = Vault::open_with(root(2), &ended)
            .unwrap()
            .at_generation(generation(2))
            .at_index_generation(generation(2), None);
        opens(&after, ada.id, &moved).unwrap();
        assert_eq!(
            opens(&after, ada.id, &row),
            Err(OpenError::KeyAbsent(crate::KeyAbsent)),
            "what was not moved is gone"
        );
        assert_eq!(after.pseudonym(tenant(), &ada.id, "https://epa.example"), Ok(subject));
        assert_eq!(
            after.service_index(tenant(), &ada.id, "https://epa.example"),
            Ok(service)
        );
        assert_ne!(after.blind_index(tenant(), &kvnr()), old.blind_index(tenant(), &kvnr()));
        // And once more: what was carried is carried on.
        let third = after.hand_on(&root(3), generation(3)).unwrap();
        let third = Vault::open_with(root(3), &third)
            .unwrap()
            .at_generation(generation(3))
            .at_index_generation(generation(2), None);
        opens(&third, ada.id, &moved).unwrap();
    }

    #[test]
    fn succession_opens_under_its_root_only_and_unchanged() {
        let succession = Vault::open(root(1)).hand_on(&root(2), generation(2)).unwrap();
        for other in [1, 3] {
            assert_eq!(
                Vault::open_with(root(other), &succession).unwrap_err(),
                OpenError::NotAuthentic
            );
        }
        let bytes = succession.as_bytes();
        assert!(!bytes.windows(32).any(|window| window == [1; 32]), "no root in clear");
        for bit in 8..bytes.len() * 8 {
            let mut changed = bytes.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = Succession::parse(&changed).unwrap();
            assert!(Vault::open_with(root(2), &changed).is_err());
        }
        for length in 0..bytes.len() {
            let cut = Succession::parse(&bytes[..length]);
            assert!(cut.is_err() || Vault::open_with(root(2), &cut.unwrap()).is_err());
        }
        assert!(matches!(Succession::parse(&[9]), Err(OpenError::UnknownForm { .. })));
    }

    #[test]
    fn root_is_handed_on_forwards_only_and_by_who_has_it() {
        let vault = Vault::open(root(1)).at_generation(generation(4));
        for number in 1..=4 {
            assert_eq!(
                vault.hand_on(&root(2), generation(number)),
                Err(SuccessionError::Generation { newest: 4 })
            );
        }
        let serving = Vault::from_tenant_bundle(vault.tenant_bundle(tenant()).unwrap());
        assert_eq!(serving.hand_on(&root(2), generation(9)), Err(SuccessionError::NoRoot));
        assert_eq!(serving.give_up_older_roots(&[]), Err(SuccessionError::NoRoot));
    }

    #[test]
    fn same_half_under_another_wrapping_key_is_the_same_root() {
        // A new key in the module rotates no root: what is derived depends on seed, half and namespace only.
        let namespace = crate::Namespace::parse("de.example").unwrap();
        let seed = crate::NamespaceSeed::from_bytes(&[1; 32]);
        let half = || crate::HsmHalf::new(Secret::copy_of(&[2; 32]));
        let open = || Vault::open(UnlockedRoot::from_locks(&namespace, &seed, &half()));
        let one = person(&open());
        opens(&open(), one.id, &one.identity_row().unwrap()).unwrap();
    }
}
