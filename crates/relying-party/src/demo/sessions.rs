//! Who is logging in and who is logged in: server memory, keyed by a random cookie.
//!
//! Trusted for: a login that began in one browser ends only there, once; a new key after every login (no session fixation). Does not: survive
//! a restart, or reach another instance.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jose::UnixTime;

use crate::client::{LoginSession, RandomnessError, secret};
use crate::explain::Explanation;

/// Most sessions kept; beyond it, the one longest unused goes.
pub const MAX_SESSIONS: usize = 1000;
/// A session unused for this long, in seconds, is gone.
pub const IDLE_SECONDS: u64 = 30 * 60;
/// Oldest session, in seconds.
pub const MAX_AGE_SECONDS: u64 = 8 * 60 * 60;
/// A login that has not come back by then, in seconds, is forgotten.
pub const PENDING_SECONDS: u64 = 15 * 60;
/// Most logins at once in one browser (tabs); beyond it, the oldest goes.
pub const MAX_PENDING: usize = 4;
/// Length of a key, in characters.
pub(super) const KEY_CHARACTERS: usize = 43;

/// A person who is logged in: what she released, and why it was believed.
pub(super) struct Person {
    pub(super) account: Explanation,
    pub(super) subject: String,
}

struct Session {
    created_at: UnixTime,
    used_at: UnixTime,
    pending: Vec<LoginSession>,
    person: Option<Arc<Person>>,
}

impl Session {
    fn is_over(&self, now: UnixTime) -> bool {
        now.seconds_since(self.used_at) >= IDLE_SECONDS || now.seconds_since(self.created_at) >= MAX_AGE_SECONDS
    }
}

#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    /// Remembers a login that has begun, in the browser's session or in a new one. Returns the key for the cookie.
    pub(super) fn begin(
        &self,
        key: Option<&str>,
        login: LoginSession,
        now: UnixTime,
    ) -> Result<String, RandomnessError> {
        let mut sessions = self.lock(now);
        let key = match key.filter(|key| sessions.contains_key(*key)) {
            Some(key) => key.to_owned(),
            None => add(&mut sessions, None, now)?,
        };
        if let Some(session) = sessions.get_mut(&key) {
            session.used_at = now;
            session
                .pending
                .retain(|login| now.seconds_since(login.started_at()) < PENDING_SECONDS);
            if session.pending.len() >= MAX_PENDING {
                session.pending.remove(0);
            }
            session.pending.push(login);
        }
        Ok(key)
    }

    /// Takes the login this `state` belongs to out of this browser's session: it can be taken once.
    pub(super) fn take(&self, key: &str, state: &str, now: UnixTime) -> Option<LoginSession> {
        let mut sessions = self.lock(now);
        let pending = &mut sessions.get_mut(key)?.pending;
        let at = pending.iter().position(|login| login.owns_state(state))?;
        let login = pending.remove(at);
        (now.seconds_since(login.started_at()) < PENDING_SECONDS).then_some(login)
    }

    /// Ends the browser's session and begins one for this person. Returns the new key.
    pub(super) fn log_in(&self, key: &str, person: Person, now: UnixTime) -> Result<String, RandomnessError> {
        let mut sessions = self.lock(now);
        sessions.remove(key);
        add(&mut sessions, Some(Arc::new(person)), now)
    }

    /// Who is logged in here.
    pub(super) fn person(&self, key: &str, now: UnixTime) -> Option<Arc<Person>> {
        let mut sessions = self.lock(now);
        let session = sessions.get_mut(key)?;
        session.used_at = now;
        session.person.clone()
    }

    /// Ends the session.
    pub(super) fn end(&self, key: &str, now: UnixTime) {
        self.lock(now).remove(key);
    }

    /// The sessions that are not over.
    fn lock(&self, now: UnixTime) -> MutexGuard<'_, HashMap<String, Session>> {
        // A poisoned map is still whole: every change is one insertion or removal.
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| !session.is_over(now));
        sessions
    }
}

fn add(
    sessions: &mut HashMap<String, Session>,
    person: Option<Arc<Person>>,
    now: UnixTime,
) -> Result<String, RandomnessError> {
    if sessions.len() >= MAX_SESSIONS {
        let oldest = sessions
            .iter()
            .min_by_key(|(_, session)| session.used_at)
            .map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            sessions.remove(&oldest);
        }
    }
    let key = secret()?;
    sessions.insert(
        key.clone(),
        Session {
            created_at: now,
            used_at: now,
            pending: Vec::new(),
            person,
        },
    );
    Ok(key)
}
