//! The configuration file of `healthid-provider`: one TOML file, unknown keys refused, secrets are paths.
//!
//! Every key stands documented in `docs/operations/provider.toml`, which a test reads with this very code.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use authenticator::{
    Ik,
    app_links::Apps,
    attestation::policy::AttestationPolicy,
    health_card::{AuthorityRules, RevokedCard},
    policy::AuthenticationPolicy,
};
use serde::Deserialize;
use thiserror::Error;

use crate::{LimitSettings, PushSettings, WalletSettings, certificates::CertificatesConfig};

mod evidence;
mod files;
mod generations;
mod hardening;
mod load;
mod locks;

pub use evidence::EvidenceConfig;
pub use files::UnreadableFile;
pub(crate) use files::read;
pub use generations::{DataKeysStep, GenerationsConfig};
pub use hardening::{HardeningConfig, Work};
pub use load::{LoadError, Loaded, Prepared};
pub use locks::{HsmConfig, Lock, LockName, VaultConfig};

/// Largest configuration file, in bytes: two thousand tenants with their policies.
pub const MAX_CONFIG_BYTES: usize = 8 * 1024 * 1024;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen.
    pub listen: Listen,
    /// The TLS identity of the addresses above.
    pub tls: Tls,
    /// Which certificates of ours may stand in the transparency log; nobody looks where it is left out.
    #[serde(default)]
    pub certificates: Option<CertificatesConfig>,
    /// Where sealed records are kept.
    pub store: StoreConfig,
    /// Where the freshness register is kept.
    pub freshness: FreshnessConfig,
    /// How often something may happen.
    #[serde(default)]
    pub limits: LimitSettings,
    /// What guards the keys.
    pub vault: VaultConfig,
    /// What this instance shows of itself. Needed by the lock `quorum+hsm`.
    #[serde(default)]
    pub evidence: Option<EvidenceConfig>,
    /// Where a rotation of keys stands; everything at the first generation where left out.
    #[serde(default)]
    pub generations: GenerationsConfig,
    /// The trust anchor.
    pub federation_master: FederationMaster,
    /// Which push services wake phones; no phone is woken where left out.
    #[serde(default)]
    pub push: Option<PushSettings>,
    /// Whose health cards are accepted.
    pub cards: Cards,
    /// Whom to believe about phones. Needed by an insurer's `attestation`.
    #[serde(default)]
    pub attestation: Option<AttestationConfig>,
    /// The insurers.
    pub tenant: Vec<TenantConfig>,
    /// What the process does to itself before it starts. All of it where left out.
    #[serde(default)]
    pub hardening: HardeningConfig,
}

/// Addresses.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// For browsers, authenticators and the federation.
    pub public: SocketAddr,
    /// For pushed requests and tokens: a client certificate is asked for.
    pub mtls: SocketAddr,
}

/// Certificate chain and key, PEM.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key, PKCS#8.
    pub key: PathBuf,
}

/// The embedded store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// The SQLite file; made when it is not there.
    pub path: PathBuf,
}

/// The freshness register: what was taken back, outside the database.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshnessConfig {
    /// A directory of its own, not the database's: best on another disk, backed up by others, and never put back with the database.
    pub directory: PathBuf,
}

/// The trust anchor.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederationMaster {
    /// Its entity identifier.
    pub entity_id: String,
    /// A file with its pinned keys as a JWK set; two during its rollover.
    pub keys: PathBuf,
    /// Files with the TLS roots federation documents are fetched under, PEM.
    pub tls_roots: Vec<PathBuf>,
}

/// Trust in cards.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cards {
    /// The authorities.
    pub authority: Vec<Authority>,
    /// Files with revocation lists, DER or PEM.
    #[serde(default)]
    pub crls: Vec<PathBuf>,
    /// Single cards that are not accepted any more.
    #[serde(default)]
    pub revoked: Vec<RevokedCard>,
}

/// Trust in phones.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestationConfig {
    /// A file with Google's status list, as published. Whoever fetches it replaces the file; it is read again every minute.
    pub status_list: PathBuf,
    /// Files with further roots of Android devices, DER or PEM: for phones of a test. The makers' are built in.
    #[serde(default)]
    pub android_roots: Vec<PathBuf>,
    /// The same for Apple's.
    #[serde(default)]
    pub apple_roots: Vec<PathBuf>,
}

/// One authority.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// A file with its certificate, DER or PEM.
    pub certificate: PathBuf,
    /// Its rules.
    #[serde(default)]
    pub rules: AuthorityRules,
}

/// One insurer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantConfig {
    /// https URL, with or without one path segment.
    pub issuer: String,
    /// Institution codes whose insured persons belong here.
    pub iks: Vec<IkText>,
    /// Shown in pickers.
    pub organization_name: String,
    /// A file with the logo, SVG.
    pub logo: PathBuf,
    /// Base of the endpoints that ask for a client certificate.
    pub mtls_base: String,
    /// Base of pages; the issuer where it is left out.
    #[serde(default)]
    pub browser_base: Option<String>,
    /// App link of the insurer's authenticator.
    #[serde(default)]
    pub authenticator_url: Option<String>,
    /// The web wallet below `browser_base`; not served where left out.
    #[serde(default)]
    pub wallet: Option<WalletSettings>,
    /// Mail addresses of the insurer's support.
    #[serde(default)]
    pub contacts: Vec<String>,
    /// Levels, methods, device classes, intervals, single sign-on.
    #[serde(default)]
    pub policy: AuthenticationPolicy,
    /// Apps that phones open instead of the browser, by verified links.
    #[serde(default)]
    pub apps: Apps,
    /// Which attested phones are admitted, and as what; none where left out.
    #[serde(default)]
    pub attestation: Option<AttestationPolicy>,
    /// The token key's certificate, and the key where it was made elsewhere.
    #[serde(default)]
    pub token_key: Option<TokenKey>,
}

/// A certified token key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// A file with the private key, PKCS#8 DER, where the key was made elsewhere. Left out: the one that `token-key` made.
    #[serde(default)]
    pub pkcs8: Option<PathBuf>,
    /// A file with the certificate (C.FD.SIG), DER.
    pub certificate: PathBuf,
}

/// An institution code, checked while reading.
#[derive(Debug, Clone, Copy)]
pub struct IkText(pub Ik);

impl<'de> Deserialize<'de> for IkText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ik::parse(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Why a file is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// It is too large.
    #[error("{0}: larger than {MAX_CONFIG_BYTES} bytes")]
    TooLarge(PathBuf),
    /// It is not what is expected.
    #[error("{path}: {reason}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where and why, with the nearest key for an unknown one.
        reason: String,
    },
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|reason| ConfigError::Unreadable {
            path: path.to_owned(),
            reason,
        })?;
        if text.len() > MAX_CONFIG_BYTES {
            return Err(ConfigError::TooLarge(path.to_owned()));
        }
        Self::parse(&text).map_err(|reason| ConfigError::Malformed {
            path: path.to_owned(),
            reason,
        })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Where and why, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| with_suggestion(&error.to_string()))
    }
}

/// Adds the nearest known key to "unknown field `x`, expected one of `a`, `b`".
fn with_suggestion(message: &str) -> String {
    let Some((_, rest)) = message.split_once("unknown field `") else {
        return message.to_owned();
    };
    let mut quoted = rest.split('`').step_by(2);
    let Some(unknown) = quoted.next() else {
        return message.to_owned();
    };
    let nearest = quoted
        .filter(|known| !known.is_empty())
        .map(|known| (distance(unknown, known), known))
        .min();
    match nearest {
        Some((distance, known)) if distance <= unknown.len().div_ceil(2) => {
            format!("{}\ndid you mean `{known}`?", message.trim_end())
        }
        _ => message.to_owned(),
    }
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replace = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    const SAMPLE: &str = include_str!("../../../docs/operations/provider.toml");

    #[test]
    fn the_documented_sample_is_read() {
        let config = Config::parse(SAMPLE).unwrap();
        assert_eq!(config.tenant.len(), 1);
        assert_eq!(config.limits, LimitSettings::default(), "the sample shows the defaults");
        assert!(config.tenant[0].policy.check().is_ok());
    }

    /// The sample with its other lock: comment signs away, prose left out.
    fn sample_for_real_people() -> String {
        let (mut text, mut is_other) = (String::new(), false);
        for line in SAMPLE.lines() {
            is_other = (is_other || line.starts_with("# For real people")) && !line.starts_with("[generations]");
            let uncommented = line
                .strip_prefix("# ")
                .filter(|rest| rest.starts_with('[') || rest.contains(" = "));
            match uncommented {
                Some(line) if is_other => text.push_str(line),
                _ if line.starts_with("lock = ") || line.starts_with("seed = ") || line.starts_with("pkcs8 = ") => {}
                _ => text.push_str(line),
            }
            text.push('\n');
        }
        text
    }

    #[test]
    fn the_documented_lock_of_real_people_is_read_and_shows_the_defaults() {
        let config = Config::parse(&sample_for_real_people()).unwrap();
        let Ok(Lock::QuorumAndHsm { hsm, .. }) = config.vault.check() else {
            panic!("{:?}", config.vault.check().err())
        };
        let least = "module = \"m\"\ntoken = \"t\"\npin_file = \"p\"";
        let default: HsmConfig = toml::from_str(least).unwrap();
        let shown = |hsm: &HsmConfig| (hsm.sessions, hsm.limit_milliseconds, hsm.wrapping_key.clone());
        assert_eq!(shown(hsm), shown(&default));
        let default: EvidenceConfig = toml::from_str("manifests = \"m\"\npins = \"p\"").unwrap();
        let evidence = config.evidence.unwrap();
        assert_eq!(evidence.interval_seconds, default.interval_seconds);
        assert!(evidence::INTERVAL_SECONDS.contains(&evidence.interval_seconds));
        assert!(config.tenant[0].token_key.as_ref().unwrap().pkcs8.is_none());
    }

    /// A sample with its web wallet: comment signs away.
    fn with_wallet(sample: &str) -> String {
        let (before, rest) = sample.split_once("# [tenant.wallet]").unwrap();
        let (wallet, after) = rest.split_once("\n\n").unwrap();
        format!("{before}[tenant.wallet]{}\n\n{after}", wallet.replace("\n# ", "\n"))
    }

    #[test]
    fn a_virtual_card_terminal_is_refused_where_people_are_real() {
        let terminal = |sample: &str| Config::parse(&with_wallet(sample)).unwrap().check_card_terminals();
        assert!(terminal(SAMPLE).is_ok());
        let error = terminal(&sample_for_real_people()).unwrap_err().to_string();
        assert!(
            error.starts_with("tenant.wallet.card_terminal: only under the lock 'development'"),
            "{error}"
        );
        assert!(
            Config::parse(&sample_for_real_people())
                .unwrap()
                .check_card_terminals()
                .is_ok()
        );
    }

    #[test]
    fn the_documented_wallet_is_read() {
        let config = Config::parse(&with_wallet(SAMPLE)).unwrap();
        let wallet = config.tenant[0].wallet.as_ref().unwrap();
        assert!(wallet.support.is_some() && wallet.card_terminal.is_some());
        assert_eq!(wallet.check(), Ok(()));
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_one() {
        let error = Config::parse(&SAMPLE.replace("organization_name", "organisation_name")).unwrap_err();
        assert!(error.contains("unknown field `organisation_name`"), "{error}");
        assert!(error.ends_with("did you mean `organization_name`?"), "{error}");
    }

    #[test]
    fn a_wrong_check_digit_in_an_institution_code_is_refused() {
        let error = Config::parse(&SAMPLE.replace("109900019", "109900018")).unwrap_err();
        assert!(error.contains("iks"), "{error}");
    }

    #[test]
    fn an_app_that_no_phone_could_find_is_refused_with_its_form() {
        for (good, bad, words) in [
            ("de.insurer.app\",", "app\",", "no Android application ID"),
            ("00:11:22:33", "0011:22:33", "no SHA-256 fingerprint"),
            ("ABCDE12345.de", "de", "no iOS application identifier"),
            (
                "app\", certificates",
                "app\", fingerprints",
                "unknown field `fingerprints`",
            ),
        ] {
            assert!(SAMPLE.contains(good), "{good}");
            let error = Config::parse(&SAMPLE.replacen(good, bad, 1)).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
