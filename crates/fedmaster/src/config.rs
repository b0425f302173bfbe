//! The configuration of a Federation Master that runs by itself: one TOML file, unknown keys refused with the nearest known one.

use std::path::PathBuf;

use federation::{EntityId, Schemes};
use serde::Deserialize;
use thiserror::Error;

use crate::registration::Profile;

/// Keys of the file, for suggestions.
const KEYS: &[&str] = &[
    "entity_id",
    "listen",
    "profile",
    "data_dir",
    "tls",
    "roots",
    "open_registration",
    "participants",
    "lifetime_seconds",
    "check_interval_seconds",
];
const TLS_KEYS: &[&str] = &["certificate", "private_key"];

/// Longest life of a statement that may be configured, in seconds: 7 days, as the gematik MVP had it.
pub const MAX_LIFETIME_SECONDS: u64 = 7 * 24 * 60 * 60;
/// Shortest time between two checks of all participants, in seconds.
pub const MIN_CHECK_INTERVAL_SECONDS: u64 = 10;

/// The configuration.
///
/// ```toml
/// entity_id = "https://localhost:8401"   # the master's identifier; its endpoints are below it
/// listen = "127.0.0.1:8401"              # address and port
/// profile = "sandbox"                    # production | sandbox
/// data_dir = "/var/lib/healthid-fedmaster"  # keys and registrations
/// tls.certificate = "server.pem"         # chain, PEM
/// tls.private_key = "server.key"         # PKCS#8, PEM
/// roots = "/etc/ssl/certs/ca-certificates.crt"  # believed when participants are fetched; without it they are not checked
/// open_registration = false              # POST /registration for everybody: sandbox profile only
/// participants = ["participants.toml"]   # registrations taken in at start
/// lifetime_seconds = 86400               # of statements and lists
/// check_interval_seconds = 3600          # between two checks of all participants
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The master's entity identifier.
    pub entity_id: String,
    /// Address and port to listen on.
    pub listen: String,
    /// Production or sandbox rules.
    #[serde(default = "production")]
    pub profile: Profile,
    /// Directory of keys and registrations.
    pub data_dir: PathBuf,
    /// Certificate and key. Without them plain HTTP is served, on loopback only.
    pub tls: Option<TlsConfig>,
    /// PEM file of the authorities believed when participants are fetched.
    pub roots: Option<PathBuf>,
    /// Whether anybody may register over HTTP.
    #[serde(default)]
    pub open_registration: bool,
    /// Registration files (`.toml` or `.json`) taken in at start.
    #[serde(default)]
    pub participants: Vec<PathBuf>,
    /// Life of statements and lists, in seconds.
    #[serde(default = "one_day")]
    pub lifetime_seconds: u64,
    /// Time between two checks of all participants, in seconds.
    #[serde(default = "one_hour")]
    pub check_interval_seconds: u64,
}

/// Files of the listener's identity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Chain in PEM, the server's certificate first.
    pub certificate: PathBuf,
    /// Private key in PEM.
    pub private_key: PathBuf,
}

const fn production() -> Profile {
    Profile::Production
}

const fn one_day() -> u64 {
    24 * 60 * 60
}

const fn one_hour() -> u64 {
    60 * 60
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A key nobody knows.
    #[error("configuration: unknown key `{key}`{}", suggestion.map(|known| format!(", did you mean `{known}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key.
        key: String,
        /// The nearest known one.
        suggestion: Option<&'static str>,
    },
    /// Not TOML, or a key is missing or has the wrong type.
    #[error("configuration: {0}")]
    Malformed(String),
    /// A value breaks a rule.
    #[error("configuration: {key} must be {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it has to be.
        expected: String,
    },
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let malformed = |error: toml::de::Error| ConfigError::Malformed(error.message().to_owned());
        let table: toml::Table = text.parse().map_err(malformed)?;
        refuse_unknown(&table, KEYS, "")?;
        if let Some(toml::Value::Table(tls)) = table.get("tls") {
            refuse_unknown(tls, TLS_KEYS, "tls.")?;
        }
        let config: Self = toml::from_str(text).map_err(malformed)?;
        config.check()?;
        Ok(config)
    }

    /// The entity identifier, parsed.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn parsed_entity_id(&self) -> Result<EntityId, ConfigError> {
        EntityId::parse(&self.entity_id, Schemes::HttpsOnly).map_err(|error| ConfigError::Value {
            key: "entity_id",
            expected: format!("an entity identifier: {error}"),
        })
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.parsed_entity_id()?;
        if self.listen.parse::<std::net::SocketAddr>().is_err() {
            return Err(ConfigError::Value {
                key: "listen",
                expected: "an address with port, 127.0.0.1:8401".to_owned(),
            });
        }
        if self.open_registration && self.profile == Profile::Production {
            return Err(ConfigError::Value {
                key: "open_registration",
                expected: "false in the production profile".to_owned(),
            });
        }
        if !(60..=MAX_LIFETIME_SECONDS).contains(&self.lifetime_seconds) {
            return Err(ConfigError::Value {
                key: "lifetime_seconds",
                expected: format!("between 60 and {MAX_LIFETIME_SECONDS}"),
            });
        }
        if self.check_interval_seconds < MIN_CHECK_INTERVAL_SECONDS {
            return Err(ConfigError::Value {
                key: "check_interval_seconds",
                expected: format!("at least {MIN_CHECK_INTERVAL_SECONDS}"),
            });
        }
        Ok(())
    }
}

fn refuse_unknown(table: &toml::Table, known: &[&'static str], prefix: &str) -> Result<(), ConfigError> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(ConfigError::UnknownKey {
            key: format!("{prefix}{key}"),
            suggestion: nearest(key, known),
        }),
    }
}

/// The known key with the fewest changes, if it is near at all.
fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    known
        .iter()
        .map(|candidate| (changes(key, candidate), *candidate))
        .min()
        .filter(|(changes, candidate)| *changes <= candidate.len().div_ceil(3))
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance.
fn changes(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let diagonal = row.get(j).copied().unwrap_or(0) + usize::from(a != *b);
            let above = row.get(j + 1).copied().unwrap_or(0) + 1;
            let left = next.get(j).copied().unwrap_or(0) + 1;
            next.push(diagonal.min(above).min(left));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
