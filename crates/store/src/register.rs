//! The register: where the head of each tenant's freshness ledger is witnessed, outside the database.
//!
//! A database can be put back to yesterday by whoever runs it. What must not come back with it (a revoked device, a
//! withdrawn consent) is written as a sealed *step* into a register that lies elsewhere: another disk, other sites, other
//! hands. A register keeps the order of the steps and the newest [`Head`]; it reads nothing in them.
//!
//! Trusted for: what it acknowledged comes back, in order, and its newest counter never goes down. Whoever owns a register
//! *and* the database can take both back together; several registers, of which a majority must acknowledge, are a matter
//! of another implementation of the same trait.
//!
//! Does not: know a fact, a person or a key.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{BoxFuture, SealedBytes, TenantId};

/// Most sealed bytes of one step.
pub const MAX_STEP_BYTES: usize = 1 << 20;

/// How far a ledger has come: the number of its newest step, and the hash over everything it holds then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of the step, from 1.
    pub counter: u64,
    /// Root of the map of facts after the step.
    pub root: [u8; 32],
}

/// One sealed step, and the head it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The head after this step.
    pub head: Head,
    /// What the step says; sealed by the room `vault`.
    pub sealed: SealedBytes,
}

/// Why a register did not do what was asked. Every variant means *surely not done*.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// A step is too large.
    #[error("a step of the freshness ledger must have at most {MAX_STEP_BYTES} sealed bytes, not {0}")]
    StepTooLarge(usize),
    /// Counters that do not follow each other.
    #[error("steps of the freshness ledger must follow each other: expected {expected}, found {found}")]
    NotConsecutive {
        /// The counter that was due.
        expected: u64,
        /// The counter given.
        found: u64,
    },
    /// No steps were given.
    #[error("no step was given")]
    Nothing,
    /// Not enough witnesses answer, or the medium does not.
    #[error("the freshness register is out of reach: {0}")]
    Unreachable(String),
    /// What it holds is not what it wrote.
    #[error("the freshness register is damaged: {0}")]
    Damaged(String),
    /// Another process uses it.
    #[error("the freshness register is locked by somebody else")]
    Locked,
}

/// How an append ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Appended {
    /// Durable, and never given back.
    Acknowledged,
    /// Nothing was written: the newest counter is another one (0: there is none). Somebody else has gone on, or this
    /// caller's picture is old.
    Elsewhere(u64),
    /// It may be written or not. Read before anything else is appended.
    Unknown,
    /// Nothing is written and nothing will be.
    Refused(RegisterError),
}

/// A witness of the ledgers of all tenants. Promises, checked by [`suite`]:
///
/// * **Ordered.** Steps come back in the order of their counters, without a gap.
/// * **Forward only.** A step is taken only directly after the newest one; no call lowers the newest counter.
/// * **Durable.** [`Appended::Acknowledged`] is said after the step survives a crash of process and machine.
/// * **Walled.** No call sees or changes another tenant's steps.
pub trait FreshnessRegister: Send + Sync {
    /// Every step kept for this tenant, oldest first.
    ///
    /// # Errors
    /// [`RegisterError`].
    fn steps(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<Step>, RegisterError>>;

    /// Adds steps after the newest one, all or none. `after` is its counter as the caller knows it; 0 for none.
    fn append(&self, tenant: TenantId, after: u64, steps: &[Step]) -> BoxFuture<'_, Appended>;

    /// As [`append`](Self::append), and forgets every older step: the new ones say everything by themselves.
    fn replace(&self, tenant: TenantId, after: u64, steps: &[Step]) -> BoxFuture<'_, Appended>;
}

/// Checks steps that are to follow `after`. Every register calls it first.
///
/// # Errors
/// [`RegisterError`], the first rule broken.
pub fn check_steps(after: u64, steps: &[Step]) -> Result<(), RegisterError> {
    if steps.is_empty() {
        return Err(RegisterError::Nothing);
    }
    for (step, expected) in steps.iter().zip(after.saturating_add(1)..) {
        if step.head.counter != expected {
            let found = step.head.counter;
            return Err(RegisterError::NotConsecutive { expected, found });
        }
        if step.sealed.len() > MAX_STEP_BYTES {
            return Err(RegisterError::StepTooLarge(step.sealed.len()));
        }
    }
    Ok(())
}

/// A register in memory: every promise except durability. For tests, and for a sandbox that says so.
#[derive(Default)]
pub struct MemoryRegister(Mutex<HashMap<TenantId, Vec<Step>>>);

impl MemoryRegister {
    /// An empty register.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<TenantId, Vec<Step>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, tenant: TenantId, after: u64, steps: &[Step], forget: bool) -> Appended {
        if let Err(error) = check_steps(after, steps) {
            return Appended::Refused(error);
        }
        let mut tenants = self.tenants();
        let kept = tenants.entry(tenant).or_default();
        let newest = kept.last().map_or(0, |step| step.head.counter);
        if newest != after {
            return Appended::Elsewhere(newest);
        }
        if forget {
            kept.clear();
        }
        kept.extend_from_slice(steps);
        Appended::Acknowledged
    }
}

impl FreshnessRegister for MemoryRegister {
    fn steps(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<Step>, RegisterError>> {
        let steps = self.tenants().get(&tenant).cloned().unwrap_or_default();
        Box::pin(std::future::ready(Ok(steps)))
    }

    fn append(&self, tenant: TenantId, after: u64, steps: &[Step]) -> BoxFuture<'_, Appended> {
        Box::pin(std::future::ready(self.add(tenant, after, steps, false)))
    }

    fn replace(&self, tenant: TenantId, after: u64, steps: &[Step]) -> BoxFuture<'_, Appended> {
        Box::pin(std::future::ready(self.add(tenant, after, steps, true)))
    }
}

pub mod suite {
    //! Every promise of [`FreshnessRegister`] as a check; panics with the promise that was broken.
    #![allow(clippy::missing_panics_doc)]

    use super::{Appended, FreshnessRegister, Head, MAX_STEP_BYTES, RegisterError, Step};
    use crate::suite::block_on;
    use crate::{SealedBytes, TenantId};

    fn step(counter: u64, text: &str) -> Step {
        #[allow(clippy::cast_possible_truncation)]
        let root = [counter as u8; 32];
        Step {
            head: Head { counter, root },
            sealed: SealedBytes::from_sealed(text.as_bytes().to_vec()),
        }
    }

    /// Runs every check on a fresh register; `reopen` gives the same one as another process would find it, or the same
    /// object where there is no durability.
    pub fn run<R: FreshnessRegister>(make: &dyn Fn() -> R, reopen: &dyn Fn(R) -> R) {
        let tenant = TenantId::from_bytes([1; 16]);
        let other = TenantId::from_bytes([2; 16]);
        let register = make();
        assert_eq!(block_on(register.steps(tenant)), Ok(Vec::new()), "begins empty");
        let (one, two, three) = (step(1, "one"), step(2, "two"), step(3, "three"));
        let first = [one.clone(), two.clone()];
        assert_eq!(block_on(register.append(tenant, 0, &first)), Appended::Acknowledged);
        assert_eq!(block_on(register.steps(tenant)), Ok(first.to_vec()), "ordered");
        assert_eq!(block_on(register.steps(other)), Ok(Vec::new()), "walled");
        for after in [0, 1] {
            let late = [step(after + 1, "late")];
            assert_eq!(
                block_on(register.append(tenant, after, &late)),
                Appended::Elsewhere(2),
                "forward only"
            );
            assert_eq!(block_on(register.replace(tenant, after, &late)), Appended::Elsewhere(2));
        }
        assert_eq!(
            block_on(register.append(tenant, 3, &[step(4, "gap")])),
            Appended::Elsewhere(2)
        );
        let not_consecutive = |expected, found| Appended::Refused(RegisterError::NotConsecutive { expected, found });
        assert_eq!(
            block_on(register.append(tenant, 2, &[step(4, "gap")])),
            not_consecutive(3, 4)
        );
        assert_eq!(
            block_on(register.append(tenant, 2, &[three.clone(), step(3, "twice")])),
            not_consecutive(4, 3)
        );
        assert_eq!(
            block_on(register.append(tenant, 2, &[])),
            Appended::Refused(RegisterError::Nothing)
        );
        let large = step(3, &"x".repeat(MAX_STEP_BYTES + 1));
        assert_eq!(
            block_on(register.append(tenant, 2, &[large])),
            Appended::Refused(RegisterError::StepTooLarge(MAX_STEP_BYTES + 1))
        );
        let register = reopen(register);
        assert_eq!(
            block_on(register.steps(tenant)),
            Ok(first.to_vec()),
            "refusals write nothing; what was acknowledged stays"
        );
        assert_eq!(
            block_on(register.replace(tenant, 2, std::slice::from_ref(&three))),
            Appended::Acknowledged
        );
        let register = reopen(register);
        assert_eq!(block_on(register.steps(tenant)), Ok(vec![three.clone()]));
        let four = step(4, "");
        assert_eq!(
            block_on(register.append(tenant, 3, std::slice::from_ref(&four))),
            Appended::Acknowledged
        );
        assert_eq!(
            block_on(register.append(other, 0, std::slice::from_ref(&one))),
            Appended::Acknowledged
        );
        let register = reopen(register);
        assert_eq!(block_on(register.steps(tenant)), Ok(vec![three, four]));
        assert_eq!(block_on(register.steps(other)), Ok(vec![one]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_register_keeps_every_promise() {
        suite::run(&MemoryRegister::new, &|register| register);
    }
}
