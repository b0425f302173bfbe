//! Which generations a vault writes and which it reads.
//!
//! Rotation never stops operation because it takes two steps on every instance: first all read the next generation, then all
//! write it. An instance that writes what another cannot read yet would fail that other's logins.

use crate::Generation;

/// Most generations a vault reads at a time; bounds a bundle's size.
pub const MAX_GENERATIONS: u32 = 64;

/// The generations in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generations {
    pub(crate) sealing: Generation,
    pub(crate) readable: Generation,
    pub(crate) index: Generation,
    pub(crate) older_index: Option<Generation>,
}

impl Generations {
    /// Everything at the first.
    pub const FIRST: Self = Self {
        sealing: Generation::FIRST,
        readable: Generation::FIRST,
        index: Generation::FIRST,
        older_index: None,
    };

    /// The generation new records are sealed under.
    #[must_use]
    pub const fn sealing(self) -> Generation {
        self.sealing
    }

    /// The newest generation that is read.
    #[must_use]
    pub const fn readable(self) -> Generation {
        self.readable
    }

    /// The generation new indexes of health insurance numbers are made with.
    #[must_use]
    pub const fn index(self) -> Generation {
        self.index
    }

    /// The index generation people are still moving away from.
    #[must_use]
    pub const fn older_index(self) -> Option<Generation> {
        self.older_index
    }

    /// Those whose login states are opened: the one in force, the one before it, and one that other instances may already
    /// write. A session outlives one raise, not two within its lifetime.
    pub(crate) fn of_login_states(self) -> impl Iterator<Item = Generation> {
        let sealing = self.sealing.0;
        let next = (self.readable.0 > sealing).then(|| sealing + 1);
        let before = sealing.checked_sub(1).filter(|number| *number > 0);
        [Some(sealing), next, before].into_iter().flatten().map(Generation)
    }
}
