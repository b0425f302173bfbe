//! The certificate watcher: every certificate the transparency logs know for our domain must carry a registered key (AF_10110, A_23042).
//!
//! The Federation Master does the same with the keys registered there, and raises the alarm for all; this is the provider's own look, with the same
//! rule. Three findings: a certificate with a *foreign* key, our own certificate *missing* from the log, and our own key *not registered*. The last
//! one keeps a key from being used before the Federation Master knows it.
//!
//! Trusted for: the decision. Does not: verify a log's own signatures or inclusion proofs. The feed is a file that somebody else fills; whoever can
//! keep entries out of it hides them from us, and not from the Federation Master.

use std::path::{Path, PathBuf};

use jose::base64url;
use serde::Deserialize;
use thiserror::Error;
use transport::{certificate_validity, public_key_thumbprint_hex};

use crate::clock::Clock;

/// Largest feed, in bytes.
pub const MAX_FEED_BYTES: usize = 4 * 1024 * 1024;
/// Most entries of a feed.
pub const MAX_ENTRIES: usize = 2_000;

/// `[certificates]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificatesConfig {
    /// Our domain, as certificates name it.
    pub domain: String,
    /// SHA-256 of the public keys (SubjectPublicKeyInfo, DER) registered with the Federation Master, hexadecimal: the one in use and the next one.
    pub registered_keys: Vec<String>,
    /// The transparency feed: a file with `{"entries": [{"domain", "certificate"}]}`, certificates as base64url of DER.
    pub feed: PathBuf,
}

/// A configured watch, checked.
#[derive(Debug, Clone)]
pub struct Watch {
    domain: String,
    registered: Vec<String>,
    feed: PathBuf,
}

/// Why a configuration is no watch, or our key may not be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WatchError {
    /// A registered key's form.
    #[error("registered_keys: expected 64 lower-case hexadecimal digits each, at least one")]
    RegisteredKeys,
    /// Our own certificate.
    #[error("the TLS certificate cannot be read")]
    Certificate,
    /// Our own key is not registered: it must not be used yet.
    #[error("the key of the TLS certificate is not among the registered ones: register it first (AF_10110)")]
    NotRegistered,
}

/// Why a feed says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FeedError {
    /// It is not there.
    #[error("the feed cannot be read")]
    Unreadable,
    /// It is larger than any feed.
    #[error("the feed is larger than admitted")]
    TooLarge,
    /// It has another form.
    #[error("the feed has another form")]
    Malformed,
}

/// One logged certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The name it was logged under.
    pub domain: String,
    /// DER.
    pub certificate: Vec<u8>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A certificate for our domain has a key nobody registered, or cannot be read.
    Foreign,
    /// Our certificate is not in the log.
    Missing,
}

/// Holds the log against the registered keys. `now` in seconds: certificates that have run out are nobody's danger any more.
#[must_use]
pub fn decide(domain: &str, registered: &[String], own: &[u8], logged: &[Logged], now: u64) -> Vec<Finding> {
    let ours = |entry: &&Logged| names(&entry.domain, domain);
    let mut findings = Vec::new();
    let foreign = logged.iter().filter(ours).any(|entry| {
        let expired = certificate_validity(&entry.certificate).is_ok_and(|validity| validity.not_after < now);
        let known = public_key_thumbprint_hex(&entry.certificate).is_ok_and(|key| registered.contains(&key));
        !expired && !known
    });
    if foreign {
        findings.push(Finding::Foreign);
    }
    if !logged.iter().filter(ours).any(|entry| entry.certificate == own) {
        findings.push(Finding::Missing);
    }
    findings
}

/// Whether a logged name speaks for the domain: itself, or a wildcard beside it. Names have no case.
fn names(logged: &str, domain: &str) -> bool {
    let logged = logged.trim_end_matches('.');
    logged.eq_ignore_ascii_case(domain)
        || logged.strip_prefix("*.").is_some_and(|parent| {
            domain
                .split_once('.')
                .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
        })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Feed {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    domain: String,
    certificate: String,
}

/// Reads a feed.
///
/// # Errors
/// [`FeedError`].
pub fn parse_feed(bytes: &[u8]) -> Result<Vec<Logged>, FeedError> {
    if bytes.len() > MAX_FEED_BYTES {
        return Err(FeedError::TooLarge);
    }
    let feed: Feed = serde_json::from_slice(bytes).map_err(|_| FeedError::Malformed)?;
    if feed.entries.len() > MAX_ENTRIES {
        return Err(FeedError::TooLarge);
    }
    let logged = feed.entries.into_iter().map(|entry| {
        let certificate = base64url::decode(&entry.certificate).map_err(|_| FeedError::Malformed)?;
        Ok(Logged {
            domain: entry.domain,
            certificate,
        })
    });
    logged.collect()
}

impl Watch {
    /// Checks a configuration, and that our own key is registered: before it is used.
    ///
    /// # Errors
    /// [`WatchError`].
    pub fn new(config: &CertificatesConfig, own: &[u8]) -> Result<Self, WatchError> {
        let well_formed = |key: &String| key.len() == 64 && key.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
        let registered = config.registered_keys.clone();
        if registered.is_empty() || !registered.iter().all(well_formed) {
            return Err(WatchError::RegisteredKeys);
        }
        let key = public_key_thumbprint_hex(own).map_err(|_| WatchError::Certificate)?;
        if !registered.contains(&key) {
            tracing::error!(event = "certificate_key_not_registered", domain = %config.domain, "the key is not used");
            return Err(WatchError::NotRegistered);
        }
        Ok(Self {
            domain: config.domain.clone(),
            registered,
            feed: config.feed.clone(),
        })
    }

    /// Reads the feed once and raises what it finds as events. `own`: the certificate in use, DER.
    ///
    /// # Errors
    /// [`FeedError`].
    pub fn look(&self, own: &[u8], clock: &dyn Clock) -> Result<Vec<Finding>, FeedError> {
        let logged = match read(&self.feed).and_then(|bytes| parse_feed(&bytes)) {
            Ok(logged) => logged,
            Err(error) => {
                tracing::warn!(event = "certificate_feed_unreadable", reason = %error, "foreign certificates are not noticed");
                return Err(error);
            }
        };
        let findings = decide(&self.domain, &self.registered, own, &logged, clock.now().0);
        let domain = &self.domain;
        for finding in &findings {
            match finding {
                Finding::Foreign => {
                    tracing::error!(event = "certificate_foreign", %domain, "a logged certificate has a key nobody registered");
                }
                Finding::Missing => {
                    tracing::error!(event = "certificate_missing", %domain, "our certificate is not in the log");
                }
            }
        }
        if findings.is_empty() {
            tracing::info!(event = "certificates_in_order", %domain, "every logged certificate has a registered key");
        }
        Ok(findings)
    }
}

fn read(feed: &Path) -> Result<Vec<u8>, FeedError> {
    let length = std::fs::metadata(feed).map_err(|_| FeedError::Unreadable)?.len();
    if length > MAX_FEED_BYTES as u64 {
        return Err(FeedError::TooLarge);
    }
    std::fs::read(feed).map_err(|_| FeedError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_speaks_for_itself_and_for_what_a_wildcard_covers() {
        for name in ["idp.example", "IDP.example", "idp.example.", "*.example"] {
            assert!(names(name, "idp.example"), "{name}");
        }
        for name in ["example", "a.idp.example", "*.idp.example", "xidp.example", "", "*"] {
            assert!(!names(name, "idp.example"), "{name}");
        }
    }

    #[test]
    fn feeds_of_another_form_are_refused() {
        assert_eq!(parse_feed(br#"{"entries":[]}"#), Ok(Vec::new()));
        for feed in [
            "",
            "[]",
            "{}",
            r#"{"entries":[{"domain":"a"}]}"#,
            r#"{"entries":[{"domain":"a","certificate":"%%"}]}"#,
            r#"{"entries":{},"more":1}"#,
        ] {
            assert_eq!(parse_feed(feed.as_bytes()), Err(FeedError::Malformed), "{feed}");
        }
        let entry = r#"{"domain":"a","certificate":"AA"}"#;
        let many = format!("{{\"entries\":[{}]}}", vec![entry; MAX_ENTRIES + 1].join(","));
        assert_eq!(parse_feed(many.as_bytes()), Err(FeedError::TooLarge));
        assert_eq!(parse_feed(&vec![b' '; MAX_FEED_BYTES + 1]), Err(FeedError::TooLarge));
    }
}
