//! The instance's side: answers evidence requests, with at most one quote per interval.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jose::{SignError, Signer, UnixTime};

use super::Bundle;
use crate::binding::{Ask, ConnectionProof, Endpoint, InstanceStatement, QuoteSchedule, Session};
use crate::manifest::{InstanceRole, LoggedManifest};
use crate::platform::Evidence;
use crate::profile::HardeningProfile;

/// What an instance says of itself. Everything here is committed to by its quote.
#[derive(Clone, Debug)]
pub struct AttestorSettings {
    /// The namespace.
    pub namespace: String,
    /// What the instance is there for.
    pub role: InstanceRole,
    /// Random, new at every start.
    pub boot_id: [u8; 32],
    /// SHA-256 of the `SubjectPublicKeyInfo` of the host's TLS key.
    pub tls_key_sha256: [u8; 32],
    /// The vault's lock, as `Vault::lock_name` says.
    pub lock: String,
    /// Which hardening controls are in force.
    pub hardening: HardeningProfile,
    /// The hash of the manifest the instance runs under: the last of `manifests`.
    pub manifest_hash: [u8; 32],
    /// The manifests to show.
    pub manifests: Vec<LoggedManifest>,
    /// Time between quotes: 3600.
    pub interval_seconds: u64,
    /// Until when an older one is shown when a new one fails: less than verifiers allow.
    pub max_age_seconds: u64,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// No quote is there yet, or the last attempt failed and its interval is not over. Ask again later.
    #[error("attest: no quote can be shown now")]
    NoQuote,
    /// The connection came in under another TLS key than the one the quote commits to.
    #[error("attest: the connection has another TLS key than the quote commits to")]
    OtherTlsKey,
    /// The producer failed, and there is no older quote.
    #[error("attest: the quote was not produced: {0}")]
    Production(Box<dyn std::error::Error + Send + Sync>),
    /// The instance key did not sign.
    #[error("attest: {0}")]
    Sign(#[from] SignError),
}

impl AttestError {
    /// A stable name for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoQuote => "attest.no_quote",
            Self::OtherTlsKey => "attest.other_tls_key",
            Self::Production(_) => "attest.production",
            Self::Sign(_) => "attest.sign",
        }
    }
}

struct InstanceQuote {
    statement: InstanceStatement,
    evidence: Evidence,
}

/// One instance under one TLS key. Shared by all requests.
pub struct Attestor {
    settings: AttestorSettings,
    key: Box<dyn Signer>,
    quotes: Mutex<QuoteSchedule<InstanceQuote>>,
}

impl std::fmt::Debug for Attestor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Attestor")
    }
}

impl Attestor {
    /// `key` is the instance key: made at this start, never stored.
    #[must_use]
    pub fn new(settings: AttestorSettings, key: Box<dyn Signer>) -> Self {
        let quotes = QuoteSchedule::new(settings.interval_seconds, settings.max_age_seconds);
        Self {
            settings,
            key,
            quotes: Mutex::new(quotes),
        }
    }

    /// The bundle for one session, whose `signer_spki_sha256` is this server's own key in it.
    ///
    /// `produce` makes a quote over 64 bytes; it is called at most once per interval, whatever it answers, and never
    /// while a lock is held. It may take a second: call this where blocking is allowed.
    ///
    /// # Errors
    /// [`AttestError`].
    pub fn answer<E>(
        &self,
        session: &Session,
        now: UnixTime,
        produce: impl FnOnce(&[u8; 64]) -> Result<Evidence, E>,
    ) -> Result<Bundle, AttestError>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        if session.signer_spki_sha256 != self.settings.tls_key_sha256 {
            return Err(AttestError::OtherTlsKey);
        }
        let quote = self.quote(now, produce)?;
        Ok(Bundle {
            connection_proof: ConnectionProof::sign(&*self.key, Endpoint::Server, session, &quote.evidence)?,
            evidence: quote.evidence.clone(),
            hardening: self.settings.hardening.clone(),
            manifests: self.settings.manifests.clone(),
            statement: quote.statement.clone(),
        })
    }

    fn quote<E>(
        &self,
        now: UnixTime,
        produce: impl FnOnce(&[u8; 64]) -> Result<Evidence, E>,
    ) -> Result<Arc<InstanceQuote>, AttestError>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        // The guard is gone at the end of this statement; requests that come while a quote is made get the old one.
        let asked = self.schedule().ask(now);
        let old = match asked {
            Ask::Fresh(quote) => return Ok(quote),
            Ask::Nothing => return Err(AttestError::NoQuote),
            Ask::Renew(old) => old,
        };
        let statement = self.statement(now);
        match (produce(&statement.report_data()), old) {
            (Ok(evidence), _) => Ok(self.schedule().renewed(InstanceQuote { statement, evidence }, now)),
            (Err(_), Some(old)) => Ok(old),
            (Err(error), None) => Err(AttestError::Production(Box::new(error))),
        }
    }

    fn schedule(&self) -> MutexGuard<'_, QuoteSchedule<InstanceQuote>> {
        // Only whole assignments happen under this lock, so a panic elsewhere leaves it usable.
        self.quotes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn statement(&self, now: UnixTime) -> InstanceStatement {
        let settings = &self.settings;
        InstanceStatement {
            boot_id: settings.boot_id,
            hardening_hash: settings.hardening.hash(),
            instance_key: self.key.public_key().clone(),
            lock: settings.lock.clone(),
            manifest_hash: settings.manifest_hash,
            namespace: settings.namespace.clone(),
            quote_time: now,
            role: settings.role,
            tls_key_sha256: settings.tls_key_sha256,
        }
    }
}
