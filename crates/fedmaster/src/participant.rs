//! A participant as the registry keeps it: what it registered, how it is doing, what its statement was last seen to say.

use jose::UnixTime;
use serde::{Deserialize, Serialize};

use crate::check::{Observed, ParticipantCheck};
use crate::finding::{Finding, Rule};
use crate::registration::{ParticipantType, Registration};

/// How long a participant may be unreachable before it counts as an error, in seconds.
pub const MAX_DOWNTIME_SECONDS: u64 = 24 * 60 * 60;

/// The state of a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state")]
pub enum ParticipantState {
    /// Belongs to the federation.
    #[serde(rename = "ACTIVE")]
    Active,
    /// Its statement could not be fetched; it still belongs to the federation.
    #[serde(rename = "NOT_REACHABLE")]
    NotReachable {
        /// First failure in a row.
        since: UnixTime,
        /// Down for longer than [`MAX_DOWNTIME_SECONDS`].
        overdue: bool,
    },
    /// Out of the federation until it mends what the findings say: no statement about it is issued.
    #[serde(rename = "LOCKED")]
    Locked {
        /// First offence in a row.
        since: UnixTime,
    },
}

impl ParticipantState {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::NotReachable { .. } => "NOT_REACHABLE",
            Self::Locked { .. } => "LOCKED",
        }
    }

    /// Whether statements about it are issued and lists name it.
    pub const fn is_published(self) -> bool {
        !matches!(self, Self::Locked { .. })
    }
}

/// A participant of the federation.
#[derive(Debug, Clone, PartialEq)]
pub struct Participant {
    /// What it registered.
    pub registration: Registration,
    /// How it is doing.
    pub state: ParticipantState,
    /// When its statement was last asked for.
    pub checked_at: Option<UnixTime>,
    /// What was wrong then.
    pub findings: Vec<Finding>,
    /// What its last good statement said.
    pub observed: Option<Observed>,
}

impl Participant {
    /// A participant that just registered.
    pub fn new(registration: Registration) -> Self {
        Self {
            registration,
            state: ParticipantState::Active,
            checked_at: None,
            findings: Vec::new(),
            observed: None,
        }
    }

    /// Takes in what a fetch of its statement gave. Pure: the new state follows from the old one, the outcome and the time.
    pub fn observe(&mut self, outcome: Result<ParticipantCheck, Finding>, now: UnixTime) {
        self.checked_at = Some(now);
        match outcome {
            Err(unreachable) => {
                self.findings = vec![unreachable];
                self.state = match self.state {
                    // A lock is not lifted by hiding.
                    locked @ ParticipantState::Locked { .. } => locked,
                    ParticipantState::NotReachable { since, .. } => ParticipantState::NotReachable {
                        since,
                        overdue: now.seconds_since(since) > MAX_DOWNTIME_SECONDS,
                    },
                    ParticipantState::Active => ParticipantState::NotReachable {
                        since: now,
                        overdue: false,
                    },
                };
            }
            Ok(check) => {
                self.state = match self.state {
                    _ if self.must_be_locked(&check.findings) => match self.state {
                        locked @ ParticipantState::Locked { .. } => locked,
                        _ => ParticipantState::Locked { since: now },
                    },
                    // Only a statement that proves the offence gone lifts the lock; a broken one proves nothing.
                    locked @ ParticipantState::Locked { .. } if check.observed.is_none() => locked,
                    _ => ParticipantState::Active,
                };
                self.findings = check.findings;
                if check.observed.is_some() {
                    self.observed = check.observed;
                }
            }
        }
    }

    fn must_be_locked(&self, findings: &[Finding]) -> bool {
        self.registration.participant_type() == ParticipantType::RelyingParty
            && findings.iter().any(|finding| Rule::locks(finding.rule))
    }
}

#[cfg(test)]
mod tests;
