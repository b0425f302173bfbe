//! Patterns no single request shows: many people from one network, one person from many networks, many enrolments.
//!
//! Counted in memory, per process and hour, as numbers nobody can turn back into a person or an address (hashes under a key that ends with the
//! process). An anomaly is an event, told once an hour per subject. It refuses nothing by itself: limits do that.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, PoisonError};

use jose::UnixTime;

/// How long is looked back.
const WINDOW_SECONDS: u64 = 3_600;
/// Different people whose logins fail from one network.
pub(crate) const PEOPLE_PER_NETWORK: usize = 10;
/// Different networks one person is asked for from.
pub(crate) const NETWORKS_PER_PERSON: usize = 5;
/// Different people who bind devices from one network.
pub(crate) const ENROLMENTS_PER_NETWORK: usize = 10;
/// How far a device's counter may jump between two logins.
pub(crate) const COUNTER_JUMP: u64 = 10_000;
/// Most subjects watched at once, of each kind; beyond it the oldest half is forgotten.
const MAX_WATCHED: usize = 20_000;

/// Distinct others seen with one subject.
struct Window {
    since: UnixTime,
    others: Vec<u64>,
    told: bool,
}

/// One kind of pattern.
#[derive(Default)]
struct Pattern(Mutex<HashMap<u64, Window>>);

impl Pattern {
    /// Notes that `other` was seen with `subject`; whether that makes `threshold` different ones, for the first time in its hour.
    fn note(&self, subject: u64, other: u64, threshold: usize, now: UnixTime) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |since: UnixTime| now >= since && now < since.plus_seconds(WINDOW_SECONDS);
        if windows.len() >= MAX_WATCHED && !windows.contains_key(&subject) {
            windows.retain(|_, window| fresh(window.since));
            if windows.len() >= MAX_WATCHED {
                let mut begins: Vec<u64> = windows.values().map(|window| window.since.0).collect();
                begins.sort_unstable();
                let middle = begins[begins.len() / 2];
                windows.retain(|_, window| window.since.0 > middle);
            }
        }
        let window = windows.entry(subject).or_insert_with(|| Window {
            since: now,
            others: Vec::new(),
            told: false,
        });
        if !fresh(window.since) {
            *window = Window {
                since: now,
                others: Vec::new(),
                told: false,
            };
        }
        if window.told || window.others.contains(&other) {
            return false;
        }
        window.others.push(other);
        window.told = window.others.len() >= threshold;
        if window.told {
            // What was counted has served its purpose.
            window.others = Vec::new();
        }
        window.told
    }
}

/// Everything watched.
#[derive(Default)]
pub(crate) struct Anomalies {
    hasher: RandomState,
    people_of_network: Pattern,
    networks_of_person: Pattern,
    enrolments_of_network: Pattern,
}

impl Anomalies {
    fn hash(&self, of: impl Hash) -> u64 {
        self.hasher.hash_one(of)
    }

    /// A login of this person failed. `person` is whatever names her: a handle, or what a card says.
    pub(crate) fn login_failed(&self, network: Option<&[u8; 9]>, person: &[u8], now: UnixTime) {
        let Some(network) = network else { return };
        let (network, person) = (self.hash(network), self.hash(person));
        if self.people_of_network.note(network, person, PEOPLE_PER_NETWORK, now) {
            tracing::error!(
                event = "many_people_one_source",
                "logins of many people fail from one network"
            );
        }
        self.asked_for(network, person, now);
    }

    /// This person was authenticated, from wherever.
    pub(crate) fn logged_in(&self, network: Option<&[u8; 9]>, person: &[u8], now: UnixTime) {
        if let Some(network) = network {
            self.asked_for(self.hash(network), self.hash(person), now);
        }
    }

    fn asked_for(&self, network: u64, person: u64, now: UnixTime) {
        if self.networks_of_person.note(person, network, NETWORKS_PER_PERSON, now) {
            tracing::warn!(
                event = "one_person_many_sources",
                "one person is asked for from many networks"
            );
        }
    }

    /// This person bound a device.
    pub(crate) fn enrolled(&self, network: Option<&[u8; 9]>, person: &[u8], now: UnixTime) {
        let Some(network) = network else { return };
        let (network, person) = (self.hash(network), self.hash(person));
        if self
            .enrolments_of_network
            .note(network, person, ENROLMENTS_PER_NETWORK, now)
        {
            tracing::error!(
                event = "mass_enrolment",
                "devices are bound for many people from one network"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixTime = UnixTime(1_795_262_400);

    #[test]
    fn different_ones_count_and_each_hour_tells_once() {
        let pattern = Pattern::default();
        for repeated in 0..5 {
            assert!(!pattern.note(1, 7, 3, T.plus_seconds(repeated)), "the same one again");
        }
        assert!(!pattern.note(1, 8, 3, T));
        assert!(!pattern.note(2, 9, 3, T), "another subject");
        assert!(pattern.note(1, 9, 3, T));
        assert!(!pattern.note(1, 10, 3, T.plus_seconds(3_599)), "told already");
        let next_hour = T.plus_seconds(3_600);
        assert!(!pattern.note(1, 7, 3, next_hour));
        assert!(!pattern.note(1, 8, 3, next_hour));
        assert!(pattern.note(1, 9, 3, next_hour));
    }

    #[test]
    fn what_is_watched_is_bounded() {
        let pattern = Pattern::default();
        for subject in 0..3 * MAX_WATCHED as u64 {
            pattern.note(subject, 1, 3, T.plus_seconds(subject / 1_000));
        }
        let watched = pattern.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert!(watched <= MAX_WATCHED, "{watched}");
        // Under a flood of new subjects a known one still counts.
        let last = 3 * MAX_WATCHED as u64 - 1;
        assert!(!pattern.note(last, 2, 3, T.plus_seconds(60)));
        assert!(pattern.note(last, 3, 3, T.plus_seconds(60)));
    }
}
