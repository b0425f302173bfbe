//! Logins that were broken off: somebody was known, and nothing came of it.
//!
//! Nothing is written before a code is redeemed, so that a login is one durable write. What has begun is held in memory instead, and written down
//! when it can no longer be finished: unless somebody, here or on another instance, has claimed the login meanwhile. A process that ends before
//! forgets them; a login that ends before anybody is known is nobody's, and stands nowhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jose::UnixTime;
use store::TenantId;
use vault::PersonId;

use super::{Entry, note_once};
use crate::core::{Core, StepProblem};

/// Most logins held; further ones are not noted.
const MAX_HELD: usize = 100_000;
/// How long after a login has expired it is written down: a code lives a minute, and requests end.
const SLACK_SECONDS: u64 = 120;

/// A login that has begun.
struct Begun {
    person: PersonId,
    entry: Entry,
}

/// When it is due, at which insurer, and the claim's name.
type Due = (UnixTime, TenantId, [u8; 16]);

#[derive(Default)]
pub(super) struct BrokenOff(Mutex<BTreeMap<Due, Begun>>);

impl BrokenOff {
    fn add(&self, due: UnixTime, tenant: TenantId, login: [u8; 16], begun: Begun) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() < MAX_HELD {
            held.insert((due, tenant, login), begun);
        }
    }

    fn take_due(&self, now: UnixTime, tenant: TenantId) -> Vec<([u8; 16], Begun)> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due: Vec<_> = held
            .range(..(UnixTime(now.0 + 1), TenantId::from_bytes([0; 16]), [0; 16]))
            .map(|(key, _)| *key)
            .filter(|(_, of, _)| *of == tenant)
            .collect();
        due.into_iter()
            .filter_map(|key| held.remove(&key).map(|begun| (key.2, begun)))
            .collect()
    }
}

/// Somebody is known in this login, which nobody can finish after `expires_at`.
pub(crate) fn begun(
    core: &Core,
    tenant: TenantId,
    person: PersonId,
    login: [u8; 16],
    expires_at: UnixTime,
    entry: Entry,
) {
    let due = expires_at.plus_seconds(SLACK_SECONDS);
    core.history.broken_off.add(due, tenant, login, Begun { person, entry });
}

/// Something is to be written down that nobody waits for.
pub(crate) fn later(core: &Core, tenant: TenantId, person: PersonId, entry: Entry) {
    let name = crate::rng::bytes(&*core.rng);
    let begun = Begun { person, entry };
    core.history.broken_off.add(core.now(), tenant, name, begun);
}

/// Writes down what was broken off, and what was left for later.
pub(super) async fn settle(core: &Core, tenant: TenantId) -> Result<(), StepProblem> {
    let mut result = Ok(());
    for (login, begun) in core.history.broken_off.take_due(core.now(), tenant) {
        match note_once(core, tenant, begun.person, login, begun.entry.clone()).await {
            // She has left meanwhile.
            Ok(()) | Err(StepProblem::Refused(_)) => {}
            Err(problem) => {
                core.history.broken_off.add(core.now(), tenant, login, begun);
                result = Err(problem);
            }
        }
    }
    result
}
