//! `[vault]`: what guards the root key, and where keys come from.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;
use vault::hsm::SESSIONS;

/// What guards the keys. Which members belong to which lock: [`VaultConfig::check`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultConfig {
    /// Which lock.
    pub lock: LockName,
    /// `development`: a file with 64 hexadecimal digits. Whoever reads it can open everything.
    #[serde(default)]
    pub seed: Option<PathBuf>,
    /// `quorum+hsm`: the directory through which an instance gets its keys and hands them on.
    #[serde(default)]
    pub exchange: Option<PathBuf>,
    /// `quorum+hsm`, root instances: the directory a genesis left.
    #[serde(default)]
    pub genesis: Option<PathBuf>,
    /// `quorum+hsm`, root instances: the file with this site's wrapped half; `hsm-half` of `genesis` where it is left out.
    #[serde(default)]
    pub wrapped_half: Option<PathBuf>,
    /// `quorum+hsm`: the hardware security module.
    #[serde(default)]
    pub hsm: Option<HsmConfig>,
}

/// Names of locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum LockName {
    /// A seed in a file.
    #[serde(rename = "development")]
    Development,
    /// A seed that a quorum of holders restores, and a half that only the hardware security module unwraps.
    #[serde(rename = "quorum+hsm")]
    QuorumAndHsm,
}

/// The hardware security module, through PKCS#11.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HsmConfig {
    /// Its PKCS#11 library.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// A file with its user PIN.
    pub pin_file: PathBuf,
    /// Label of the AES key that wraps halves. Made by the genesis.
    #[serde(default = "default_wrapping_key")]
    pub wrapping_key: String,
    /// Sessions kept open: so many signatures at once.
    #[serde(default = "default_sessions")]
    pub sessions: usize,
    /// How long a request may wait for the module.
    #[serde(default = "default_limit")]
    pub limit_milliseconds: u64,
    /// Files and directories its library reads: its own configuration.
    #[serde(default)]
    pub library_reads: Vec<PathBuf>,
    /// Directories its library writes. A module in software keeps its tokens there.
    #[serde(default)]
    pub library_writes: Vec<PathBuf>,
}

fn default_wrapping_key() -> String {
    "healthid-root".to_owned()
}

const fn default_sessions() -> usize {
    4
}

const fn default_limit() -> u64 {
    2_000
}

/// Shortest and longest `limit_milliseconds`.
const LIMIT_MILLISECONDS: std::ops::RangeInclusive<u64> = 50..=30_000;

/// The lock that is configured, with what belongs to it.
#[derive(Debug, Clone, Copy)]
pub enum Lock<'a> {
    /// The seed's file.
    Development(&'a PathBuf),
    /// Where keys come from, and the module.
    QuorumAndHsm {
        /// The exchange directory.
        exchange: &'a PathBuf,
        /// The module.
        hsm: &'a HsmConfig,
    },
}

impl VaultConfig {
    /// That everything the lock needs is there, and nothing that belongs to the other one.
    ///
    /// # Errors
    /// Which member, and what is expected of it.
    pub fn check(&self) -> Result<Lock<'_>, (&'static str, String)> {
        let missing = |member, why: &str| (member, format!("missing: {why}"));
        let other = |member, lock: &str| (member, format!("belongs to another lock than '{lock}': take it out"));
        match self.lock {
            LockName::Development => {
                for (member, is_there) in [
                    ("vault.exchange", self.exchange.is_some()),
                    ("vault.genesis", self.genesis.is_some()),
                    ("vault.wrapped_half", self.wrapped_half.is_some()),
                    ("vault.hsm", self.hsm.is_some()),
                ] {
                    if is_there {
                        return Err(other(member, "development"));
                    }
                }
                let seed = self.seed.as_ref();
                Ok(Lock::Development(seed.ok_or_else(|| {
                    missing("vault.seed", "the lock 'development' reads its seed from a file")
                })?))
            }
            LockName::QuorumAndHsm => {
                if self.seed.is_some() {
                    return Err(other("vault.seed", "quorum+hsm"));
                }
                let exchange = self.exchange.as_ref().ok_or_else(|| {
                    missing(
                        "vault.exchange",
                        "the lock 'quorum+hsm' gets its keys through a directory",
                    )
                })?;
                let hsm = self
                    .hsm
                    .as_ref()
                    .ok_or_else(|| missing("vault.hsm", "the lock 'quorum+hsm' needs a hardware security module"))?;
                hsm.check()?;
                Ok(Lock::QuorumAndHsm { exchange, hsm })
            }
        }
    }
}

impl HsmConfig {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if !SESSIONS.contains(&self.sessions) {
            let expected = format!("expected {} to {}", SESSIONS.start(), SESSIONS.end());
            return Err(("vault.hsm.sessions", expected));
        }
        if !LIMIT_MILLISECONDS.contains(&self.limit_milliseconds) {
            let (least, most) = (LIMIT_MILLISECONDS.start(), LIMIT_MILLISECONDS.end());
            return Err(("vault.hsm.limit_milliseconds", format!("expected {least} to {most}")));
        }
        Ok(())
    }

    /// How long one request may take.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        Duration::from_millis(self.limit_milliseconds)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(text: &str) -> VaultConfig {
        toml::from_str(text).unwrap()
    }

    fn refused(text: &str) -> &'static str {
        config(text).check().unwrap_err().0
    }

    const HSM: &str = "[hsm]\nmodule = \"m.so\"\ntoken = \"t\"\npin_file = \"pin\"\n";

    #[test]
    fn each_lock_has_members_of_its_own_and_none_of_the_others() {
        let quorum = |members: &str| format!("lock = \"quorum+hsm\"\n{members}\n{HSM}");
        assert!(config(&quorum("exchange = \"x\"")).check().is_ok());
        assert!(config("lock = \"development\"\nseed = \"s\"").check().is_ok());
        assert_eq!(refused("lock = \"development\""), "vault.seed");
        assert_eq!(refused(&quorum("")), "vault.exchange");
        assert_eq!(refused("lock = \"quorum+hsm\"\nexchange = \"x\""), "vault.hsm");
        assert_eq!(refused(&quorum("exchange = \"x\"\nseed = \"s\"")), "vault.seed");
        for member in ["exchange", "genesis", "wrapped_half"] {
            let text = format!("lock = \"development\"\nseed = \"s\"\n{member} = \"x\"");
            assert_eq!(refused(&text), format!("vault.{member}"));
        }
        assert_eq!(
            refused(&format!("lock = \"development\"\nseed = \"s\"\n{HSM}")),
            "vault.hsm"
        );
        assert!(toml::from_str::<VaultConfig>("lock = \"quorum\"").is_err());
    }

    #[test]
    fn sessions_and_limits_of_the_module_have_bounds() {
        let with = |line: &str| format!("lock = \"quorum+hsm\"\nexchange = \"x\"\n{HSM}{line}");
        for bad in ["sessions = 0", "sessions = 65"] {
            assert_eq!(refused(&with(bad)), "vault.hsm.sessions");
        }
        for bad in ["limit_milliseconds = 49", "limit_milliseconds = 30001"] {
            assert_eq!(refused(&with(bad)), "vault.hsm.limit_milliseconds");
        }
        assert!(config(&with("sessions = 64")).check().is_ok());
    }
}
