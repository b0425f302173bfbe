//! Who belongs to the federation, in memory and, if wished, in a directory.
//!
//! One file holds all participants and is replaced whole at each change: registrations are rare, and a reader never sees half of one.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use federation::EntityId;
use jose::UnixTime;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::check::Observed;
use crate::durable_file::{self, Readers};
use crate::finding::Finding;
use crate::participant::{Participant, ParticipantState};
use crate::registration::{Profile, Registration, RegistrationForm};

/// Most participants of a federation.
pub const MAX_PARTICIPANTS: usize = 10_000;

const FILE: &str = "participants.json";
const VERSION: u32 = 1;

/// Where registrations live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In memory only, gone with the process.
    Memory,
    /// In this directory.
    Directory(PathBuf),
}

/// Why the registry could not be read or changed.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The file system refused.
    #[error("registry: {0}")]
    Io(#[from] io::Error),
    /// The file is not a registry of this version.
    #[error("registry: {FILE} is not readable, expected version {VERSION}: {0}")]
    Malformed(String),
    /// A stored registration breaks a rule of the profile.
    #[error("registry: a stored registration breaks a rule: {0}")]
    Refused(Finding),
    /// More than [`MAX_PARTICIPANTS`].
    #[error("registry: at most {MAX_PARTICIPANTS} participants")]
    Full,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRegistry {
    version: u32,
    participants: Vec<StoredParticipant>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredParticipant {
    registration: RegistrationForm,
    state: ParticipantState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checked_at: Option<UnixTime>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    observed: Option<Observed>,
}

/// What a registration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// The participant is new.
    Created,
    /// Its earlier registration was replaced.
    Replaced,
}

/// The participants.
#[derive(Debug)]
pub(crate) struct Registry {
    storage: Storage,
    participants: BTreeMap<EntityId, Participant>,
}

impl Registry {
    pub(crate) fn open(storage: Storage, profile: Profile) -> Result<Self, RegistryError> {
        let mut participants = BTreeMap::new();
        if let Storage::Directory(directory) = &storage {
            std::fs::create_dir_all(directory)?;
            match std::fs::read(directory.join(FILE)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
                Ok(bytes) => {
                    for participant in read(&bytes, profile)? {
                        participants.insert(participant.registration.entity_id().clone(), participant);
                    }
                }
            }
        }
        Ok(Self { storage, participants })
    }

    pub(crate) fn find(&self, entity_id: &EntityId) -> Option<&Participant> {
        self.participants.get(entity_id)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Participant> {
        self.participants.values()
    }

    /// Takes registrations in, all or none. A participant keeps its state and findings until it is checked again.
    pub(crate) fn register(&mut self, registrations: Vec<Registration>) -> Result<Vec<Registered>, RegistryError> {
        let mut changed = self.participants.clone();
        let mut outcomes = Vec::with_capacity(registrations.len());
        for registration in registrations {
            match changed.get_mut(registration.entity_id()) {
                Some(participant) => {
                    participant.registration = registration;
                    outcomes.push(Registered::Replaced);
                }
                None => {
                    changed.insert(registration.entity_id().clone(), Participant::new(registration));
                    outcomes.push(Registered::Created);
                }
            }
        }
        if changed.len() > MAX_PARTICIPANTS {
            return Err(RegistryError::Full);
        }
        self.commit(changed)?;
        Ok(outcomes)
    }

    /// A deleted participant is unknown from here on (A_23087). Returns whether there was one.
    pub(crate) fn delete(&mut self, entity_id: &EntityId) -> Result<bool, RegistryError> {
        if !self.participants.contains_key(entity_id) {
            return Ok(false);
        }
        let mut changed = self.participants.clone();
        changed.remove(entity_id);
        self.commit(changed)?;
        Ok(true)
    }

    /// Lets `observe` change participants, then writes once, and only if something but the time of the check changed.
    pub(crate) fn observe(
        &mut self,
        observe: impl FnOnce(&mut BTreeMap<EntityId, Participant>),
    ) -> Result<(), RegistryError> {
        let before = self.participants.clone();
        observe(&mut self.participants);
        let unchanged = before.len() == self.participants.len()
            && before.iter().all(|(entity_id, old)| {
                self.participants.get(entity_id).is_some_and(|new| {
                    new.state == old.state && new.findings == old.findings && new.observed == old.observed
                })
            });
        if unchanged {
            Ok(())
        } else {
            self.save(&self.participants)
        }
    }

    /// Durable first, visible second: what was answered survives.
    fn commit(&mut self, changed: BTreeMap<EntityId, Participant>) -> Result<(), RegistryError> {
        self.save(&changed)?;
        self.participants = changed;
        Ok(())
    }

    fn save(&self, participants: &BTreeMap<EntityId, Participant>) -> Result<(), RegistryError> {
        let Storage::Directory(directory) = &self.storage else {
            return Ok(());
        };
        let stored = StoredRegistry {
            version: VERSION,
            participants: participants
                .values()
                .map(|participant| StoredParticipant {
                    registration: participant.registration.form().clone(),
                    state: participant.state,
                    checked_at: participant.checked_at,
                    findings: participant.findings.clone(),
                    observed: participant.observed.clone(),
                })
                .collect(),
        };
        let text = serde_json::to_vec_pretty(&stored).map_err(|error| RegistryError::Malformed(error.to_string()))?;
        durable_file::replace(&directory.join(FILE), &text, Readers::Everyone)?;
        Ok(())
    }
}

fn read(bytes: &[u8], profile: Profile) -> Result<Vec<Participant>, RegistryError> {
    let stored: StoredRegistry =
        serde_json::from_slice(bytes).map_err(|error| RegistryError::Malformed(error.to_string()))?;
    if stored.version != VERSION {
        return Err(RegistryError::Malformed(format!("version {}", stored.version)));
    }
    if stored.participants.len() > MAX_PARTICIPANTS {
        return Err(RegistryError::Full);
    }
    stored
        .participants
        .into_iter()
        .map(|stored| {
            let registration = stored.registration.check(profile).map_err(|findings| {
                findings.into_iter().next().map_or_else(
                    || RegistryError::Malformed("refused".to_owned()),
                    RegistryError::Refused,
                )
            })?;
            Ok(Participant {
                registration,
                state: stored.state,
                checked_at: stored.checked_at,
                findings: stored.findings.into_iter().map(Finding::with_source).collect(),
                observed: stored.observed,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
