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
    /// of older generations can then be opened by nobody: reseal them all first. Every instance must open with the result.
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

type Entries = (Vec<(Generation, Root)>, Vec<CarriedKey>);

fn read(root: &Root, succession: &Succession) -> Result<(Generation, Entries), OpenError> {
    let (head, sealed) = succession.0.split_first_chunk::<5>().ok_or(OpenError::TooShort)?;
    let about = [LABEL, &head[..]].concat();
    let content = seal::open(&root.derive_own(b"succession"), &about, sealed)?;
    let &[_, number @ ..] = head;
    let first = Generation::new(u32::from_be_bytes(number)).ok_or(OpenError::Content)?;
    Ok((first, read_entries(&content).ok_or(OpenError::Content)?))
}

fn read_entries(mut rest: &[u8]) -> Option<Entries> {
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
