//! The facts of one tenant, and a hash over all of them.
//!
//! A Merkle tree of 65 536 leaves. A leaf holds the facts whose names begin with its two bytes; empty subtrees are not
//! kept. The root depends on the facts alone, not on how they came: two sites that know the same agree on it.

use std::collections::{BTreeMap, HashMap};

use aws_lc_rs::digest::{Context, SHA256};

use super::{FactKind, FactName};

/// Levels above the leaves.
const DEPTH: u8 = 16;
const EMPTY: [u8; 32] = [0; 32];

/// Facts and their floors.
#[derive(Debug, Clone, Default)]
pub struct FactMap {
    floors: BTreeMap<FactName, u64>,
    /// (level above the leaves, index) -> hash; empty subtrees are absent.
    nodes: HashMap<(u8, u16), [u8; 32]>,
    by_kind: [usize; FactKind::ALL.len()],
}

/// What a change raised, and what it was before: to take it back where a register refuses the step.
#[derive(Debug, Default)]
#[must_use]
pub struct Raised(Vec<(FactName, Option<u64>)>);

impl Raised {
    /// Whether nothing was raised.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FactMap {
    /// No facts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The floor of a fact; 0 where nothing is known.
    #[must_use]
    pub fn floor(&self, name: &FactName) -> u64 {
        self.floors.get(name).copied().unwrap_or(0)
    }

    /// Whether there is any fact of a kind: where there is none, no name needs to be computed.
    #[must_use]
    pub fn knows(&self, kind: FactKind) -> bool {
        self.by_kind[usize::from(kind.code() - 1)] > 0
    }

    /// How many facts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.floors.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.floors.is_empty()
    }

    /// Every fact, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&FactName, u64)> {
        self.floors.iter().map(|(name, floor)| (name, *floor))
    }

    /// The facts of a change that would raise something.
    #[must_use]
    pub fn news(&self, facts: &[(FactName, u64)]) -> Vec<(FactName, u64)> {
        let news = facts.iter().filter(|(name, floor)| *floor > self.floor(name));
        news.copied().collect()
    }

    /// Raises floors; what is as high already stays.
    pub fn raise(&mut self, facts: &[(FactName, u64)]) -> Raised {
        let mut raised = Raised::default();
        for (name, floor) in facts {
            let before = self.floors.get(name).copied();
            if *floor > before.unwrap_or(0) {
                raised.0.push((*name, before));
                self.set(*name, Some(*floor));
            }
        }
        self.hash_again(raised.0.iter().map(|(name, _)| name));
        raised
    }

    /// Takes a change back that was never witnessed.
    pub fn take_back(&mut self, raised: &Raised) {
        for (name, before) in raised.0.iter().rev() {
            self.set(*name, *before);
        }
        self.hash_again(raised.0.iter().map(|(name, _)| name));
    }

    /// Forgets facts. Only for those that have lost their meaning.
    pub fn forget(&mut self, names: &[FactName]) {
        for name in names {
            self.set(*name, None);
        }
        self.hash_again(names.iter());
    }

    /// The hash over every fact.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.node(DEPTH, 0)
    }

    fn set(&mut self, name: FactName, floor: Option<u64>) {
        let before = match floor {
            Some(floor) => self.floors.insert(name, floor),
            None => self.floors.remove(&name),
        };
        if let Some(kind) = name.kind() {
            let count = &mut self.by_kind[usize::from(kind.code() - 1)];
            *count = *count - usize::from(before.is_some()) + usize::from(floor.is_some());
        }
    }

    fn node(&self, level: u8, index: u16) -> [u8; 32] {
        self.nodes.get(&(level, index)).copied().unwrap_or(EMPTY)
    }

    fn keep(&mut self, level: u8, index: u16, hash: [u8; 32]) {
        if hash == EMPTY {
            self.nodes.remove(&(level, index));
        } else {
            self.nodes.insert((level, index), hash);
        }
    }

    fn hash_again<'a>(&mut self, names: impl Iterator<Item = &'a FactName>) {
        let mut dirty: Vec<u16> = names.map(leaf_of).collect();
        dirty.sort_unstable();
        dirty.dedup();
        for leaf in &dirty {
            let hash = self.hash_leaf(*leaf);
            self.keep(0, *leaf, hash);
        }
        for level in 1..=DEPTH {
            dirty.iter_mut().for_each(|index| *index >>= 1);
            dirty.dedup();
            for index in &dirty {
                let (left, right) = (self.node(level - 1, index << 1), self.node(level - 1, (index << 1) | 1));
                let hash = if left == EMPTY && right == EMPTY {
                    EMPTY
                } else {
                    hash(1, &[&left, &right])
                };
                self.keep(level, *index, hash);
            }
        }
    }

    fn hash_leaf(&self, leaf: u16) -> [u8; 32] {
        let (mut first, mut last) = ([0; 16], [0xff; 16]);
        first[..2].copy_from_slice(&leaf.to_be_bytes());
        last[..2].copy_from_slice(&leaf.to_be_bytes());
        let mut context = Context::new(&SHA256);
        context.update(&[0]);
        let mut any = false;
        for (name, floor) in self.floors.range(FactName(first)..=FactName(last)) {
            any = true;
            context.update(name.as_bytes());
            context.update(&floor.to_be_bytes());
        }
        if any { finish(context) } else { EMPTY }
    }
}

fn leaf_of(name: &FactName) -> u16 {
    u16::from_be_bytes([name.0[0], name.0[1]])
}

/// Leaves and nodes hash under different first bytes: none can be taken for the other.
fn hash(form: u8, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(&[form]);
    parts.iter().for_each(|part| context.update(part));
    finish(context)
}

fn finish(context: Context) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn name(bytes: [u8; 2], kind: FactKind) -> FactName {
        let mut name = [7; 16];
        name[..2].copy_from_slice(&bytes);
        name[15] = kind.code();
        FactName(name)
    }

    #[test]
    fn a_floor_only_rises() {
        let mut map = FactMap::new();
        let fact = name([1, 2], FactKind::DeviceCounter);
        assert_eq!((map.floor(&fact), map.root()), (0, EMPTY));
        for (floor, expected) in [(5, 5), (4, 5), (5, 5), (6, 6), (0, 6)] {
            let news = map.news(&[(fact, floor)]);
            assert_eq!(map.raise(&[(fact, floor)]).is_empty(), news.is_empty());
            assert_eq!(map.floor(&fact), expected);
        }
        assert!(map.knows(FactKind::DeviceCounter) && !map.knows(FactKind::Limit));
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn what_is_taken_back_leaves_no_trace() {
        let mut map = FactMap::new();
        let (one, two) = (
            name([1, 2], FactKind::DeviceCounter),
            name([1, 2], FactKind::DeviceRevoked),
        );
        let _ = map.raise(&[(one, 5)]);
        let before = map.root();
        let raised = map.raise(&[(one, 6), (two, 1), (two, 2)]);
        assert_ne!(map.root(), before);
        map.take_back(&raised);
        assert_eq!((map.root(), map.floor(&one), map.floor(&two)), (before, 5, 0));
        assert!(!map.knows(FactKind::DeviceRevoked));
        map.forget(&[one]);
        assert_eq!((map.root(), map.len(), map.nodes.len()), (EMPTY, 0, 0));
    }

    proptest! {
        #[test]
        fn the_root_depends_on_the_facts_and_on_nothing_else(
            facts in proptest::collection::vec((any::<[u8; 2]>(), 1_u64..50), 1..60),
            shuffle in any::<u64>(),
        ) {
            let facts: Vec<_> = facts.into_iter().map(|(bytes, floor)| (name(bytes, FactKind::Limit), floor)).collect();
            let mut at_once = FactMap::new();
            let _ = at_once.raise(&facts);
            let mut one_by_one = FactMap::new();
            let mut order = facts.clone();
            order.sort_by_key(|(name, floor)| (u64::from(name.0[0]) * 31 + floor * 17) ^ shuffle);
            for fact in &order {
                let _ = one_by_one.raise(&[*fact]);
            }
            prop_assert_eq!(at_once.root(), one_by_one.root());
            // Any other floor is another root.
            let (changed, floor) = at_once.iter().next().map(|(name, floor)| (*name, floor)).unwrap();
            let _ = one_by_one.raise(&[(changed, floor + 1)]);
            prop_assert_ne!(at_once.root(), one_by_one.root());
        }
    }
}
