//! Logins that were broken off: somebody was known, and nothing came of it.
//!
//! Nothing is written before a code is redeemed, so that a login is one durable write. What has begun is held in memory, and forgotten when the login
//! is completed or ended. What is still open after [`KEPT_AFTER_SECONDS`], and everything when the provider stops, is written down: sealed, in a row
//! like any other claim. When it can no longer be finished it comes into the history, unless somebody, here or on another instance, has claimed the
//! login meanwhile; what a process that died has left is found with the hour's claims.
//!
//! Does not: survive a process that is killed before that time, for a login that nobody goes on with. A login that ends before anybody is known is
//! nobody's, and stands nowhere.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jose::UnixTime;
use oidc::login_state::{AUTHENTICATED_LIFETIME_SECONDS, MAX_EXTENSIONS};
use store::{Condition, Key, TenantId, Write};
use vault::{Carried, MAX_BEGUN_BYTES, MAX_EVENT_BYTES, PersonId, SealedChange};

use super::chain::Link;
use super::{Entry, claim_expiry, note_once};
use crate::core::{Committed, Core, StepProblem};
use crate::rng;

/// Most logins held; further ones are not noted.
const MAX_HELD: usize = 100_000;
/// How long after a login has expired it is written down: a code lives a minute, and requests end.
const SLACK_SECONDS: u64 = 120;
/// Seconds after which a login that is still open is kept for the next process. Most are completed by then, and cost nothing.
const KEPT_AFTER_SECONDS: u64 = 60;
/// How long after somebody was known her login may still be completed, with all the time she may be given.
const LONGEST_SECONDS: u64 = AUTHENTICATED_LIFETIME_SECONDS * (1 + MAX_EXTENSIONS as u64) + SLACK_SECONDS;
/// Logins kept with one commit.
const KEPT_AT_ONCE: usize = 32;

const _: () = assert!(16 + 16 + MAX_EVENT_BYTES <= MAX_BEGUN_BYTES);

/// A login that has begun.
#[derive(Clone)]
struct Begun {
    person: PersonId,
    entry: Entry,
    since: UnixTime,
    is_kept: bool,
}

/// As it is kept. It has no number yet: it may never be an entry.
pub(super) struct Kept {
    person: PersonId,
    login: [u8; 16],
    entry: Entry,
}

impl Kept {
    fn to_bytes(&self) -> Vec<u8> {
        let no_number = Link {
            number: 0,
            before: 0,
            unsure: 0,
        };
        let entry = self.entry.encode(no_number);
        [self.person.as_bytes().as_slice(), &self.login, &entry].concat()
    }

    /// `None` for what a newer release has kept.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (person, rest) = bytes.split_first_chunk()?;
        let (login, entry) = rest.split_first_chunk()?;
        Some(Self {
            person: PersonId::from_bytes(*person),
            login: *login,
            entry: Entry::decode(entry)?.0,
        })
    }
}

type Login = [u8; 16];
/// When it is due, at which insurer, and the claim's name.
type Due = (UnixTime, TenantId, Login);

#[derive(Default)]
struct Held {
    by_due: BTreeMap<Due, Begun>,
    due: HashMap<(TenantId, Login), UnixTime>,
}

impl Held {
    fn remove(&mut self, tenant: TenantId, login: Login) -> Option<Begun> {
        let due = self.due.remove(&(tenant, login))?;
        self.by_due.remove(&(due, tenant, login))
    }
}

#[derive(Default)]
pub(super) struct BrokenOff(Mutex<Held>);

impl BrokenOff {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, due: UnixTime, tenant: TenantId, login: Login, begun: Begun) {
        let mut held = self.held();
        if held.by_due.len() < MAX_HELD {
            held.remove(tenant, login);
            held.due.insert((tenant, login), due);
            held.by_due.insert((due, tenant, login), begun);
        }
    }

    /// The login was completed or ended.
    pub(super) fn ended(&self, tenant: TenantId, login: Login) {
        self.held().remove(tenant, login);
    }

    fn put_off(&self, tenant: TenantId, login: Login, due: UnixTime) {
        let mut held = self.held();
        if let Some(begun) = held.remove(tenant, login) {
            held.due.insert((tenant, login), due);
            held.by_due.insert((due, tenant, login), begun);
        }
    }

    fn take_due(&self, now: UnixTime, tenant: TenantId) -> Vec<(Login, Begun)> {
        let mut held = self.held();
        let due: Vec<Due> = held
            .by_due
            .range(..(UnixTime(now.0 + 1), TenantId::from_bytes([0; 16]), [0; 16]))
            .map(|(key, _)| *key)
            .filter(|(_, of, _)| *of == tenant)
            .collect();
        due.into_iter()
            .filter_map(|(_, _, login)| Some((login, held.remove(tenant, login)?)))
            .collect()
    }

    /// What has been open since then or longer, and is not kept yet.
    fn open_since(&self, since: UnixTime, tenant: TenantId) -> Vec<Kept> {
        let held = self.held();
        let open = held
            .by_due
            .iter()
            .filter(|((_, of, _), begun)| *of == tenant && begun.since <= since && !begun.is_kept);
        open.map(|((_, _, login), begun)| Kept {
            person: begun.person,
            login: *login,
            entry: begun.entry.clone(),
        })
        .collect()
    }

    fn kept(&self, tenant: TenantId, login: Login) {
        let mut held = self.held();
        if let Some(due) = held.due.get(&(tenant, login)).copied()
            && let Some(begun) = held.by_due.get_mut(&(due, tenant, login))
        {
            begun.is_kept = true;
        }
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
    let since = core.now();
    let begun = Begun {
        person,
        entry,
        since,
        is_kept: false,
    };
    core.history.broken_off.add(due, tenant, login, begun);
}

/// She was given more time: what began ends later. Where another instance holds it, that one writes it down at the first end, and the login is over.
pub(crate) fn put_off(core: &Core, tenant: TenantId, login: [u8; 16], expires_at: UnixTime) {
    let due = expires_at.plus_seconds(SLACK_SECONDS);
    core.history.broken_off.put_off(tenant, login, due);
}

/// Something is to be written down that nobody waits for.
pub(crate) fn later(core: &Core, tenant: TenantId, person: PersonId, entry: Entry) {
    let since = core.now();
    let begun = Begun {
        person,
        entry,
        since,
        is_kept: false,
    };
    core.history
        .broken_off
        .add(since, tenant, rng::bytes(&*core.rng), begun);
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

/// What is kept for the next process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// What has been open for a minute.
    OpenForLong,
    /// Everything: this process ends.
    Everything,
}

/// Keeps logins that are still open. One that another instance has completed is forgotten instead.
pub(crate) async fn keep(core: &Core, tenant: TenantId, what: Keep) -> Result<(), StepProblem> {
    let since = match what {
        Keep::OpenForLong => core.now().minus_seconds(KEPT_AFTER_SECONDS),
        Keep::Everything => core.now(),
    };
    for some in core.history.broken_off.open_since(since, tenant).chunks(KEPT_AT_ONCE) {
        let open = unclaimed(core, tenant, some).await?;
        if write_kept(core, tenant, &open).await? == Committed::Yes {
            for kept in &open {
                core.history.broken_off.kept(tenant, kept.login);
            }
        }
    }
    Ok(())
}

async fn write_kept(core: &Core, tenant: TenantId, open: &[&Kept]) -> Result<Committed, StepProblem> {
    if open.is_empty() {
        return Ok(Committed::Yes);
    }
    // Not later than that of the claim that may still complete it: neither is dropped before the other is looked at.
    let expires_at = claim_expiry(core.now());
    let mut claims = open
        .iter()
        .map(|kept| {
            let carried = Carried {
                begun: Some(kept.to_bytes()),
                ..Carried::default()
            };
            let name = rng::bytes(&*core.rng);
            Ok(core.vault.claim_once(tenant, &name, expires_at, &carried)?)
        })
        .collect::<Result<Vec<SealedChange>, StepProblem>>()?;
    // Random names: in their order nobody sees in which people logged in.
    claims.sort_unstable_by_key(|claim| *claim.write.key());
    let (conditions, writes): (Vec<Condition>, Vec<Write>) =
        claims.into_iter().map(|claim| (claim.condition, claim.write)).unzip();
    core.commit(&conditions, &writes).await
}

/// Brings logins that were kept, and that nobody can finish any more, into the histories they are of. Those that may have been given more time are
/// kept for another hour.
pub(super) async fn settle_kept(core: &Core, tenant: TenantId, kept: &[Kept]) -> Result<(), StepProblem> {
    for some in kept.chunks(KEPT_AT_ONCE) {
        let (alive, over): (Vec<&Kept>, Vec<&Kept>) = unclaimed(core, tenant, some)
            .await?
            .into_iter()
            .partition(|kept| core.now() <= kept.entry.at.plus_seconds(LONGEST_SECONDS));
        if write_kept(core, tenant, &alive).await? != Committed::Yes {
            return Err(StepProblem::Unavailable("a login begun is being kept".to_owned()));
        }
        for kept in over {
            match note_once(core, tenant, kept.person, kept.login, kept.entry.clone()).await {
                Ok(()) | Err(StepProblem::Refused(_)) => {}
                Err(problem) => return Err(problem),
            }
        }
    }
    Ok(())
}

/// Those of them that nobody has claimed; the others are forgotten.
async fn unclaimed<'a>(core: &Core, tenant: TenantId, some: &'a [Kept]) -> Result<Vec<&'a Kept>, StepProblem> {
    let keys: Vec<Key> = some.iter().map(|kept| Key::single_use(tenant, &kept.login)).collect();
    let rows = core.store.load(&keys).await?;
    let (open, ended): (Vec<_>, Vec<_>) = some.iter().zip(rows).partition(|(_, row)| row.is_none());
    for (kept, _) in ended {
        core.history.broken_off.ended(tenant, kept.login);
    }
    Ok(open.into_iter().map(|(kept, _)| kept).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::history::Event;

    fn kept() -> Kept {
        Kept {
            person: PersonId::from_bytes([1; 16]),
            login: [2; 16],
            entry: Entry::of(Event::BrokenOff, UnixTime(3)).about_device([4; 16]),
        }
    }

    #[test]
    fn what_is_kept_comes_back_and_anything_shorter_or_longer_is_nothing() {
        let bytes = kept().to_bytes();
        let again = Kept::from_bytes(&bytes).unwrap();
        assert_eq!(
            (again.person, again.login, again.entry),
            (kept().person, kept().login, kept().entry)
        );
        for length in 0..bytes.len() {
            assert!(Kept::from_bytes(&bytes[..length]).is_none(), "{length}");
        }
        assert!(Kept::from_bytes(&[&bytes[..], &[0]].concat()).is_none());
    }

    #[test]
    fn a_login_that_has_ended_is_not_held_any_more() {
        let held = BrokenOff::default();
        let (one, other) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        let begun = Begun {
            person: kept().person,
            entry: kept().entry,
            since: UnixTime(5),
            is_kept: false,
        };
        for login in [[1; 16], [2; 16]] {
            held.add(UnixTime(100), one, login, begun.clone());
        }
        held.ended(other, [1; 16]);
        assert_eq!(held.open_since(UnixTime(5), one).len(), 2, "somebody else's");
        assert_eq!(held.open_since(UnixTime(4), one).len(), 0, "not yet for long");
        held.ended(one, [1; 16]);
        held.ended(one, [1; 16]);
        held.kept(one, [2; 16]);
        assert_eq!(held.open_since(UnixTime(5), one).len(), 0);
        assert_eq!(held.take_due(UnixTime(99), one).len(), 0);
        assert_eq!(held.take_due(UnixTime(100), other).len(), 0);
        assert_eq!(held.take_due(UnixTime(100), one).len(), 1);
        assert_eq!(held.take_due(UnixTime(100), one).len(), 0, "once");
    }
}
