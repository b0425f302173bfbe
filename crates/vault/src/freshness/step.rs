//! A step: the facts a change raised, sealed, and what the database has to do with it.

use store::register::{Head, MAX_STEP_BYTES, Step};
use store::{Key, Kind, Row, SealedBytes, TenantId, Write};

use super::{FactMap, FactName};
use crate::associated_data::SCHEMA;
use crate::hierarchy::{KeyMaterial, Purpose};
use crate::seal;
use crate::{Generation, KeyAbsent, OpenError, SealError, SealedChange, Vault};

/// Bytes of one fact.
const FACT_BYTES: usize = 16 + 8;
/// Form, generation: as in front of every sealed record.
const HEADER_BYTES: usize = 5;
/// Where the database keeps its own copy of the head.
const HEAD_ID: &[u8] = b"freshness head";
/// Contents are padded to multiples of this, so that a step's size says little.
const STEP: usize = 128;

/// What one step says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepContent {
    /// Raised floors.
    pub facts: Vec<(FactName, u64)>,
    /// Records that are gone with it: whoever finds the step and not the deletion in the database makes up for it.
    pub deletes: Vec<Key>,
    /// The claim that carries the history's entry of it ([`Vault::claim_once`]): likewise, so that nothing is done that nobody reads of.
    pub entry: Option<Write>,
    /// Where the database takes note of this step in its own commit: the counter it had noted before.
    pub database_was: Option<u64>,
    /// Whether the map begins empty here: everything older is said by this step and those that follow.
    pub begins: bool,
}

impl StepContent {
    /// Most facts in one step.
    pub const MAX_FACTS: usize = (MAX_STEP_BYTES - 4096) / FACT_BYTES;
    /// Most deletions in one step.
    pub const MAX_DELETES: usize = 32;

    fn encode(&self) -> Result<Vec<u8>, SealError> {
        let too_long = |limit, found| SealError::TooLong { limit, found };
        if self.facts.len() > Self::MAX_FACTS {
            return Err(too_long(Self::MAX_FACTS, self.facts.len()));
        }
        let deletes = u8::try_from(self.deletes.len()).map_err(|_| too_long(Self::MAX_DELETES, self.deletes.len()))?;
        if usize::from(deletes) > Self::MAX_DELETES {
            return Err(too_long(Self::MAX_DELETES, self.deletes.len()));
        }
        let count = u32::try_from(self.facts.len()).map_err(|_| SealError::Failed)?;
        let flags = [self.database_was.is_some(), self.begins, self.entry.is_some()];
        let flags = (0..)
            .zip(flags)
            .fold(0, |flags, (bit, is_set)| flags | (u8::from(is_set) << bit));
        let mut bytes = vec![flags];
        bytes.extend_from_slice(&self.database_was.unwrap_or(0).to_be_bytes());
        bytes.extend_from_slice(&count.to_be_bytes());
        for (name, floor) in &self.facts {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(&floor.to_be_bytes());
        }
        bytes.push(deletes);
        for key in &self.deletes {
            bytes.push(kind_code(key.kind()).ok_or(SealError::Failed)?);
            // Ids have at most 64 bytes.
            bytes.push(u8::try_from(key.id().len()).map_err(|_| SealError::Failed)?);
            bytes.extend_from_slice(key.id());
        }
        if let Some(entry) = &self.entry {
            encode_entry(&mut bytes, entry)?;
        }
        bytes.resize(bytes.len().next_multiple_of(STEP), 0);
        Ok(bytes)
    }

    fn decode(tenant: TenantId, bytes: &[u8]) -> Result<Self, OpenError> {
        let mut rest = bytes;
        let mut take = |length: usize| -> Result<&[u8], OpenError> {
            let (taken, behind) = rest.split_at_checked(length).ok_or(OpenError::Content)?;
            rest = behind;
            Ok(taken)
        };
        let flags = take(1)?[0];
        if flags > 7 {
            return Err(OpenError::Content);
        }
        let database_was = u64::from_be_bytes(take(8)?.try_into().map_err(|_| OpenError::Content)?);
        let count = u32::from_be_bytes(take(4)?.try_into().map_err(|_| OpenError::Content)?);
        let count = usize::try_from(count).map_err(|_| OpenError::Content)?;
        if count > Self::MAX_FACTS {
            return Err(OpenError::Content);
        }
        let mut facts = Vec::with_capacity(count);
        for _ in 0..count {
            let name = FactName(take(16)?.try_into().map_err(|_| OpenError::Content)?);
            let floor = u64::from_be_bytes(take(8)?.try_into().map_err(|_| OpenError::Content)?);
            facts.push((name, floor));
        }
        let mut deletes = Vec::new();
        for _ in 0..take(1)?[0] {
            let kind = kind_of(take(1)?[0]).ok_or(OpenError::Content)?;
            let length = usize::from(take(1)?[0]);
            deletes.push(Key::new(kind, tenant, take(length)?).map_err(|_| OpenError::Content)?);
        }
        let entry = if flags & 4 == 0 {
            None
        } else {
            let claim = take(16)?.try_into().map_err(|_| OpenError::Content)?;
            let expires_at = u64::from_be_bytes(take(8)?.try_into().map_err(|_| OpenError::Content)?);
            let length = u16::from_be_bytes(take(2)?.try_into().map_err(|_| OpenError::Content)?);
            Some(Write::Put {
                key: Key::single_use(tenant, claim),
                sealed: SealedBytes::from_sealed(take(usize::from(length))?.to_vec()),
                expires_at: Some(expires_at),
            })
        };
        if rest.len() >= STEP || rest.iter().any(|byte| *byte != 0) {
            return Err(OpenError::Content);
        }
        Ok(Self {
            facts,
            deletes,
            entry,
            database_was: (flags & 1 != 0).then_some(database_was),
            begins: flags & 2 != 0,
        })
    }
}

/// A claim's id, expiry and sealed bytes. Nothing else comes with a step.
fn encode_entry(bytes: &mut Vec<u8>, entry: &Write) -> Result<(), SealError> {
    let Write::Put {
        key,
        sealed,
        expires_at: Some(expires_at),
    } = entry
    else {
        return Err(SealError::Failed);
    };
    let limit = Kind::SingleUse.max_sealed_bytes();
    if key.kind() != Kind::SingleUse {
        return Err(SealError::Failed);
    }
    let too_long = SealError::TooLong {
        limit,
        found: sealed.len(),
    };
    let length = u16::try_from(sealed.len()).map_err(|_| too_long)?;
    if sealed.len() > limit {
        return Err(too_long);
    }
    bytes.extend_from_slice(key.id());
    bytes.extend_from_slice(&expires_at.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(sealed.as_bytes());
    Ok(())
}

/// What can be deleted with a step.
const fn kind_code(kind: Kind) -> Option<u8> {
    match kind {
        Kind::Identity => Some(1),
        Kind::Lookup => Some(2),
        Kind::Device => Some(3),
        Kind::Consent => Some(4),
        _ => None,
    }
}

const fn kind_of(code: u8) -> Option<Kind> {
    match code {
        1 => Some(Kind::Identity),
        2 => Some(Kind::Lookup),
        3 => Some(Kind::Device),
        4 => Some(Kind::Consent),
        _ => None,
    }
}

/// Why steps do not make a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A step does not open at its place.
    #[error("step {counter} of the freshness ledger: {reason}")]
    Step {
        /// Which.
        counter: u64,
        /// Why.
        reason: OpenError,
    },
    /// The oldest step there is does not begin a ledger: older ones are missing.
    #[error("the freshness ledger begins at step {0}, which is not a beginning")]
    NoBeginning(u64),
    /// A step is missing between two.
    #[error("step {expected} of the freshness ledger is missing")]
    Missing {
        /// The counter that was due.
        expected: u64,
    },
    /// The facts are not those the head speaks of.
    #[error("the facts after step {0} of the freshness ledger are not those of its head")]
    OtherFacts(u64),
}

impl ReplayError {
    /// A fixed word for logs and tools.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Step { .. } => "freshness.step_not_authentic",
            Self::NoBeginning(_) => "freshness.no_beginning",
            Self::Missing { .. } => "freshness.step_missing",
            Self::OtherFacts(_) => "freshness.other_facts",
        }
    }
}

/// Replays steps, oldest first: the facts after the newest, and what each step said.
///
/// # Errors
/// [`ReplayError`] at the first step that does not fit.
pub fn replay(
    vault: &Vault,
    tenant: TenantId,
    steps: &[Step],
) -> Result<(FactMap, Vec<(Head, StepContent)>), ReplayError> {
    let mut map = FactMap::new();
    let mut contents: Vec<(Head, StepContent)> = Vec::with_capacity(steps.len());
    for step in steps {
        let counter = step.head.counter;
        if let Some((last, _)) = contents.last() {
            let expected = last.counter.saturating_add(1);
            if counter != expected {
                return Err(ReplayError::Missing { expected });
            }
        }
        let content = vault
            .open_step(tenant, step)
            .map_err(|reason| ReplayError::Step { counter, reason })?;
        if content.begins {
            map = FactMap::new();
        } else if contents.is_empty() {
            return Err(ReplayError::NoBeginning(counter));
        }
        let _ = map.raise(&content.facts);
        if map.root() != step.head.root {
            return Err(ReplayError::OtherFacts(counter));
        }
        contents.push((step.head, content));
    }
    Ok((map, contents))
}

impl Vault {
    /// Seals a step for its place: tenant, counter and root.
    ///
    /// # Errors
    /// [`SealError::TooLong`].
    pub fn seal_step(&self, tenant: TenantId, head: Head, content: &StepContent) -> Result<Step, SealError> {
        let plain = content.encode()?;
        let mut sealed = vec![SCHEMA];
        sealed.extend_from_slice(&self.generation().number().to_be_bytes());
        let key = self.step_key(tenant, self.generation())?;
        seal::seal_into(&mut sealed, &key, &about(tenant, &head, self.generation()), &plain)?;
        Ok(Step {
            head,
            sealed: SealedBytes::from_sealed(sealed),
        })
    }

    /// Opens a step at its place.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_step(&self, tenant: TenantId, step: &Step) -> Result<StepContent, OpenError> {
        let (header, sealed) = step
            .sealed
            .as_bytes()
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(OpenError::TooShort)?;
        let [form, generation @ ..] = *header;
        if form != SCHEMA {
            return Err(OpenError::UnknownForm {
                found: form,
                known: SCHEMA,
            });
        }
        let generation = Generation::new(u32::from_be_bytes(generation)).ok_or(OpenError::NotAuthentic)?;
        let newest = self.generations().readable();
        if generation > newest {
            return Err(OpenError::UnknownGeneration {
                found: generation.number(),
                newest: newest.number(),
            });
        }
        let key = self.step_key(tenant, generation)?;
        let plain = seal::open(&key, &about(tenant, &step.head, generation), sealed)?;
        StepContent::decode(tenant, &plain)
    }

    fn step_key(&self, tenant: TenantId, generation: Generation) -> Result<KeyMaterial, KeyAbsent> {
        self.source().key(tenant, generation, Purpose::FreshnessStep)
    }

    /// Where the database keeps its own copy of a tenant's head.
    #[must_use]
    pub fn head_key(tenant: TenantId) -> Key {
        // The id has a length the kind admits.
        #[allow(clippy::expect_used)]
        Key::new(Kind::Meta, tenant, HEAD_ID).expect("14 bytes are an id")
    }

    /// Seals the database's copy of the head as the next version over the stored one.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal_head(&self, tenant: TenantId, stored: Option<u64>, head: Head) -> Result<SealedChange, SealError> {
        let content = [&head.counter.to_be_bytes()[..], &head.root].concat();
        self.seal_tenant_record(Self::head_key(tenant), stored, &content)
    }

    /// Opens the database's copy of the head.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_head(&self, tenant: TenantId, row: &Row) -> Result<Head, OpenError> {
        let content = self.open_tenant_record(&Self::head_key(tenant), row)?;
        let (counter, root) = content.split_first_chunk().ok_or(OpenError::Content)?;
        Ok(Head {
            counter: u64::from_be_bytes(*counter),
            root: root.try_into().map_err(|_| OpenError::Content)?,
        })
    }
}

fn about(tenant: TenantId, head: &Head, generation: Generation) -> Vec<u8> {
    let mut about = b"healthid/fre".to_vec();
    about.push(SCHEMA);
    about.extend_from_slice(tenant.as_bytes());
    about.extend_from_slice(&head.counter.to_be_bytes());
    about.extend_from_slice(&head.root);
    about.extend_from_slice(&generation.number().to_be_bytes());
    about
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use store::{RowGroup, Write};

    use super::*;
    use crate::freshness::{FactKind, GONE};
    use crate::tenant_id;

    fn tenant() -> TenantId {
        tenant_id("https://idp.example")
    }

    /// A claim, as far as a step looks at it.
    fn claim() -> Write {
        Write::Put {
            key: Key::single_use(tenant(), &[7; 16]),
            sealed: SealedBytes::from_sealed(vec![8; 541]),
            expires_at: Some(9),
        }
    }

    /// Three steps, as a ledger makes them; the second comes with an entry.
    fn ledger(vault: &Vault) -> Vec<Step> {
        let mut map = FactMap::new();
        let mut steps = Vec::new();
        for counter in 1..=3_u64 {
            let facts = vec![(
                vault
                    .fact_name(tenant(), FactKind::DeviceRevoked, &[&[u8::try_from(counter).unwrap()]])
                    .unwrap(),
                GONE,
            )];
            let _ = map.raise(&facts);
            let content = StepContent {
                facts,
                deletes: vec![Key::device(tenant(), &RowGroup::from_keyed_hash([1; 16]), &[2; 16])],
                entry: (counter == 2).then(claim),
                database_was: Some(counter - 1),
                begins: counter == 1,
            };
            let head = Head {
                counter,
                root: map.root(),
            };
            steps.push(vault.seal_step(tenant(), head, &content).unwrap());
        }
        steps
    }

    #[test]
    fn steps_give_back_every_fact() {
        let vault = Vault::development([1; 32]);
        let steps = ledger(&vault);
        let (map, contents) = replay(&vault, tenant(), &steps).unwrap();
        assert_eq!((map.len(), contents.len()), (3, 3));
        assert_eq!(map.root(), steps[2].head.root);
        assert_eq!(contents[1].1.database_was, Some(1));
        assert_eq!(
            contents[1].1.deletes,
            [Key::device(tenant(), &RowGroup::from_keyed_hash([1; 16]), &[2; 16])]
        );
        let entries: Vec<_> = contents.iter().map(|(_, content)| content.entry.clone()).collect();
        assert_eq!(entries, [None, Some(claim()), None]);
        let (map, contents) = replay(&vault, tenant(), &[]).unwrap();
        assert!(map.is_empty() && contents.is_empty());
        // Under a newer generation they stay readable.
        let newer = Vault::development([1; 32]).at_generation(Generation::new(2).unwrap());
        assert_eq!(replay(&newer, tenant(), &steps).unwrap().0.len(), 3);
        assert_eq!(steps[0].sealed.len(), steps[2].sealed.len());
    }

    #[test]
    fn a_step_left_out_exchanged_or_moved_is_noticed() {
        let vault = Vault::development([1; 32]);
        let steps = ledger(&vault);
        let error = |steps: &[Step]| replay(&vault, tenant(), steps).unwrap_err();
        assert_eq!(error(&steps[1..]), ReplayError::NoBeginning(2));
        assert_eq!(
            error(&[steps[0].clone(), steps[2].clone()]),
            ReplayError::Missing { expected: 2 }
        );
        let mut renumbered = [steps[0].clone(), steps[2].clone()];
        renumbered[1].head.counter = 2;
        let not_authentic = ReplayError::Step {
            counter: 2,
            reason: OpenError::NotAuthentic,
        };
        assert_eq!(error(&renumbered), not_authentic);
        let mut other_root = steps.clone();
        other_root[1].head.root[0] ^= 1;
        assert_eq!(error(&other_root), not_authentic);
        let mut swapped = steps.clone();
        swapped[1].sealed = steps[2].sealed.clone();
        assert_eq!(error(&swapped), not_authentic);
        let elsewhere = replay(&vault, tenant_id("https://other.example"), &steps);
        assert!(matches!(elsewhere, Err(ReplayError::Step { counter: 1, .. })));
        let other_root = replay(&Vault::development([2; 32]), tenant(), &steps);
        assert!(matches!(other_root, Err(ReplayError::Step { counter: 1, .. })));
    }

    #[test]
    fn every_flipped_bit_of_a_step_is_noticed() {
        let vault = Vault::development([1; 32]);
        let step = &ledger(&vault)[0];
        let good = step.sealed.as_bytes();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let step = Step {
                head: step.head,
                sealed: SealedBytes::from_sealed(bytes),
            };
            assert!(vault.open_step(tenant(), &step).is_err(), "{bit}");
        }
        for length in 0..good.len() {
            let step = Step {
                head: step.head,
                sealed: SealedBytes::from_sealed(good[..length].to_vec()),
            };
            assert!(vault.open_step(tenant(), &step).is_err(), "{length}");
        }
    }

    #[test]
    fn the_head_in_the_database_is_bound_to_tenant_and_version() {
        let vault = Vault::development([1; 32]);
        let head = Head {
            counter: 7,
            root: [9; 32],
        };
        let change = vault.seal_head(tenant(), Some(4), head).unwrap();
        let Write::Put { sealed, .. } = change.write else {
            panic!("a put")
        };
        let row = |version| Row {
            version,
            sealed: sealed.clone(),
            expires_at: None,
        };
        assert_eq!(vault.open_head(tenant(), &row(5)), Ok(head));
        assert_eq!(vault.open_head(tenant(), &row(4)), Err(OpenError::NotAuthentic));
        let other = tenant_id("https://other.example");
        assert_eq!(vault.open_head(other, &row(5)), Err(OpenError::NotAuthentic));
    }

    #[test]
    fn a_step_has_limits() {
        let vault = Vault::development([1; 32]);
        let head = Head {
            counter: 1,
            root: [0; 32],
        };
        let name = vault.fact_name(tenant(), FactKind::Limit, &[b"a"]).unwrap();
        let full = StepContent {
            facts: vec![(name, 1); StepContent::MAX_FACTS],
            ..StepContent::default()
        };
        let step = vault.seal_step(tenant(), head, &full).unwrap();
        assert!(step.sealed.len() <= MAX_STEP_BYTES);
        assert_eq!(
            vault.open_step(tenant(), &step).unwrap().facts.len(),
            StepContent::MAX_FACTS
        );
        let device = Key::device(tenant(), &RowGroup::from_keyed_hash([1; 16]), &[2; 16]);
        for content in [
            StepContent {
                facts: vec![(name, 1); StepContent::MAX_FACTS + 1],
                ..StepContent::default()
            },
            StepContent {
                deletes: vec![device; StepContent::MAX_DELETES + 1],
                ..StepContent::default()
            },
            StepContent {
                deletes: vec![Key::single_use(tenant(), &[1; 16])],
                ..StepContent::default()
            },
            StepContent {
                entry: Some(Write::Delete(Key::single_use(tenant(), &[1; 16]))),
                ..StepContent::default()
            },
            StepContent {
                entry: Some(Write::Put {
                    key: device,
                    sealed: SealedBytes::from_sealed(vec![1]),
                    expires_at: Some(1),
                }),
                ..StepContent::default()
            },
            StepContent {
                entry: Some(Write::Put {
                    key: Key::single_use(tenant(), &[1; 16]),
                    sealed: SealedBytes::from_sealed(vec![1; Kind::SingleUse.max_sealed_bytes() + 1]),
                    expires_at: Some(1),
                }),
                ..StepContent::default()
            },
        ] {
            assert!(vault.seal_step(tenant(), head, &content).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_content_makes_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = StepContent::decode(tenant(), &bytes);
        }
    }
}
