//! The Federation Master: trust anchor of the federation, its register of participants and its eye on them.
//!
//! Trusted for: everything below it. Whoever holds its key decides which identity providers and services belong to the federation,
//! and under which keys, redirect URIs and scopes.
//!
//! Does not: see a login, a person or a token. It does not watch certificate transparency yet (AF_10110); the registration holds the
//! TLS keys for it.
//!
//! | Need | Take |
//! |---|---|
//! | the routes, in a process of one's own | [`FederationMaster::router`] |
//! | a process of its own | [`Config`] and [`serve`] |
//! | register, delete, roll a key over | the methods of [`FederationMaster`] |
//! | explain a statement's defects | [`check_participant`] |

mod check;
mod clock;
mod config;
mod durable_file;
mod finding;
mod keys;
mod master;
mod monitor;
mod participant;
mod refusal;
pub mod registration;
mod registry;
mod routes;
mod serve;

#[cfg(test)]
mod fixtures;

pub use check::{CheckContext, MAX_CLIENT_NAME_CHARACTERS, Observed, ParticipantCheck, check_participant};
pub use clock::{Clock, system_clock};
pub use config::{Config, ConfigError, TlsConfig};
pub use finding::{Finding, MAX_FOUND_CHARACTERS, Rule};
pub use keys::{DEFAULT_KID, KeyDirectory, KeyDirectoryError, MAX_MASTER_KEYS, MasterKeys, RolloverError};
pub use master::{
    FETCH_PATH, FederationMaster, IDP_LIST_PATH, LIST_PATH, MasterOptions, OpenRegistration, RegisterError,
};
pub use participant::{MAX_DOWNTIME_SECONDS, Participant, ParticipantState};
pub use refusal::{FederationRefusal, Operation};
pub use registration::{ParticipantType, Profile, Registration, RegistrationForm};
pub use registry::{MAX_PARTICIPANTS, Registered, RegistryError, Storage};
pub use serve::{Prepared, ServeError, prepare, register_file, serve};
