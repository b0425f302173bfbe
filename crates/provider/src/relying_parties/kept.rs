//! What is kept of relying parties, and how it may be used: refreshed after 12 hours, discarded after 24, failures remembered briefly
//! (A_23132, A_23133, gematik digest 3.9).

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use federation::chain::{DISCARD_AFTER_SECONDS, REFRESH_AFTER_SECONDS};
use jose::UnixTime;
use oidc::client::{ClientTag, RelyingParty};

use super::{FAILURE_KEPT_SECONDS, RELOAD_PAUSE_SECONDS, ResolveError};

/// Most parties kept; the federation has a few hundred services. Beyond it the ones not verified are forgotten.
const MAX_ENTRIES: usize = 10_000;

/// How a kept party may be used.
pub(super) enum Kept {
    Fresh(Arc<RelyingParty>),
    RefreshDue(Arc<RelyingParty>),
    Failed(ResolveError),
    Nothing,
}

/// Every party asked for.
#[derive(Default)]
pub(super) struct KeptParties {
    entries: RwLock<HashMap<String, Entry>>,
    attempts: AtomicU64,
}

struct Entry {
    state: State,
    /// When it was last fetched or tried to be.
    tried_at: UnixTime,
    /// When it was last fetched again, or tried to be, while known; `None` after the first time.
    reloaded_at: Option<UnixTime>,
    /// Which attempt that was.
    attempt: u64,
}

enum State {
    Known {
        party: Arc<RelyingParty>,
        fetched_at: UnixTime,
        expires_at: UnixTime,
    },
    Failed(ResolveError),
}

impl Entry {
    /// The party, while it must not be discarded.
    fn usable(&self, now: UnixTime) -> Option<(&Arc<RelyingParty>, UnixTime)> {
        match &self.state {
            State::Known {
                party,
                fetched_at,
                expires_at,
            } if now < *expires_at && now < fetched_at.plus_seconds(DISCARD_AFTER_SECONDS) => {
                Some((party, *fetched_at))
            }
            State::Known { .. } | State::Failed(_) => None,
        }
    }

    fn find(&self, now: UnixTime) -> Kept {
        let failed_just_now = now < self.tried_at.plus_seconds(FAILURE_KEPT_SECONDS);
        match (self.usable(now), &self.state) {
            (Some((party, fetched_at)), _)
                if now >= fetched_at.plus_seconds(REFRESH_AFTER_SECONDS) && !failed_just_now =>
            {
                Kept::RefreshDue(Arc::clone(party))
            }
            (Some((party, _)), _) => Kept::Fresh(Arc::clone(party)),
            (None, State::Failed(error)) if failed_just_now => Kept::Failed(error.clone()),
            (None, State::Known { .. } | State::Failed(_)) => Kept::Nothing,
        }
    }
}

/// A rollover leaves return addresses alone, and a new address leaves keys alone. Both at once is another service under the old name.
fn is_another(before: &RelyingParty, after: &RelyingParty) -> bool {
    before.encryption_key().key != after.encryption_key().key
        && !after
            .redirect_uris()
            .any(|uri| before.registered_redirect_uri(uri).is_some())
}

impl KeptParties {
    pub(super) fn find(&self, client_id: &str, now: UnixTime) -> Kept {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(client_id).map_or(Kept::Nothing, |entry| entry.find(now))
    }

    /// Whether a known party may be fetched again out of turn: not right after the last time, whatever came of it. The very first fetch does
    /// not count: a service that rolls its certificate just after we met it is not made to wait.
    pub(super) fn may_reload(&self, client_id: &str, now: UnixTime) -> bool {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(client_id).is_some_and(|entry| {
            let has_paused = |at: UnixTime| now >= at.plus_seconds(RELOAD_PAUSE_SECONDS);
            matches!(entry.state, State::Known { .. }) && entry.reloaded_at.is_none_or(has_paused)
        })
    }

    /// Changes with every attempt to fetch this party.
    pub(super) fn attempt(&self, client_id: &str) -> Option<u64> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(client_id).map(|entry| entry.attempt)
    }

    /// The identifier of a party seen before, by its tag.
    pub(super) fn client_id_of(&self, tag: ClientTag) -> Option<String> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.values().find_map(|entry| match &entry.state {
            State::Known { party, .. } if party.tag() == tag => Some(party.client_id().to_owned()),
            _ => None,
        })
    }

    /// Keeps what came of an attempt.
    pub(super) fn keep(
        &self,
        client_id: &str,
        result: &Result<(Arc<RelyingParty>, UnixTime), ResolveError>,
        now: UnixTime,
    ) {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, entry| entry.usable(now).is_some());
        }
        let state = match result {
            Ok((party, expires_at)) => {
                tracing::info!(event = "relying_party_verified", "relying party verified");
                if let Some(Entry {
                    state: State::Known { party: before, .. },
                    ..
                }) = entries.get(client_id)
                    && is_another(before, party)
                {
                    tracing::warn!(
                        event = "statement_anomaly",
                        "a service changed its keys and its return addresses at once"
                    );
                }
                State::Known {
                    party: Arc::clone(party),
                    fetched_at: now,
                    expires_at: *expires_at,
                }
            }
            Err(error) => {
                tracing::info!(event = "relying_party_refused", reason = %error, "relying party refused");
                // What is still usable is not thrown away because a refresh failed.
                if let Some(entry) = entries.get_mut(client_id)
                    && entry.usable(now).is_some()
                {
                    (entry.tried_at, entry.attempt) = (now, attempt);
                    entry.reloaded_at = Some(now);
                    return;
                }
                State::Failed(error.clone())
            }
        };
        let was_known = entries
            .get(client_id)
            .is_some_and(|entry| matches!(entry.state, State::Known { .. }));
        let entry = Entry {
            state,
            tried_at: now,
            reloaded_at: was_known.then_some(now),
            attempt,
        };
        entries.insert(client_id.to_owned(), entry);
    }
}
