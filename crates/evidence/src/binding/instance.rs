//! The instance statement: what one running instance says of itself, under its quote.

use jose::UnixTime;
use jose::jwk::P256PublicKey;
use serde::{Deserialize, Serialize};

use crate::encoding::{Framed, base64url_array, hex_array, p256_key, sha512};
use crate::manifest::{ApprovedInstance, InstanceRole};

const DOMAIN: &str = "healthid-instance/v1";

/// Longest name of a vault's lock.
pub const MAX_LOCK_NAME_CHARACTERS: usize = 32;

/// How far the instance's clock may be ahead of the verifier's.
const CLOCK_LEEWAY_SECONDS: u64 = 300;

/// What an instance commits to in the report data of its quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceStatement {
    /// Random, new at every start.
    #[serde(with = "base64url_array")]
    pub boot_id: [u8; 32],
    /// SHA-256 of the hardening profile's canonical encoding.
    #[serde(with = "hex_array")]
    pub hardening_hash: [u8; 32],
    /// The instance's own signature key, P-256: born at this start, never stored, gone with the process.
    #[serde(with = "p256_key")]
    pub instance_key: P256PublicKey,
    /// The name of the lock on the vault's root: `development` or `quorum+hsm`.
    pub lock: String,
    /// The manifest the instance runs under.
    #[serde(with = "hex_array")]
    pub manifest_hash: [u8; 32],
    /// What its keys belong to.
    pub namespace: String,
    /// When the quote was asked for, by the instance's clock.
    pub quote_time: UnixTime,
    /// What it is there for.
    pub role: InstanceRole,
    /// SHA-256 of the `SubjectPublicKeyInfo` of the domain's TLS key.
    #[serde(with = "hex_array")]
    pub tls_key_sha256: [u8; 32],
}

/// How old a quote may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteAge {
    /// Seconds since [`InstanceStatement::quote_time`].
    pub max_seconds: u64,
}

impl Default for QuoteAge {
    /// Two hours: quotes are renewed hourly.
    fn default() -> Self {
        Self { max_seconds: 7200 }
    }
}

/// Why evidence is not bound to what it was shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// The quote's report data are not those of the statement.
    #[error("binding: the quote is for another statement")]
    ReportData,
    /// The statement is for another namespace than the manifest.
    #[error("binding: the statement is for another namespace")]
    OtherNamespace,
    /// The statement names another manifest.
    #[error("binding: the statement names another manifest")]
    OtherManifest,
    /// The statement names another role than the instance was admitted for.
    #[error("binding: the statement names another role")]
    OtherRole,
    /// The quote is older than allowed.
    #[error("binding: the quote is {age_seconds} seconds old, expected at most {max_seconds}")]
    QuoteTooOld {
        /// Its age.
        age_seconds: u64,
        /// The limit.
        max_seconds: u64,
    },
    /// The quote is from the future.
    #[error("binding: the quote is from the future")]
    QuoteInFuture,
    /// The statement commits to another TLS key than this session's.
    #[error("binding: the statement commits to another TLS key than the connection's")]
    OtherTlsKey,
    /// The connection proof is not the instance key's over this session.
    #[error("binding: the connection proof is not for this session")]
    ProofInvalid,
}

impl BindingError {
    /// A stable name for logs, verdicts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ReportData => "binding.report_data",
            Self::OtherNamespace => "binding.other_namespace",
            Self::OtherManifest => "binding.other_manifest",
            Self::OtherRole => "binding.other_role",
            Self::QuoteTooOld { .. } => "binding.quote_too_old",
            Self::QuoteInFuture => "binding.quote_in_future",
            Self::OtherTlsKey => "binding.other_tls_key",
            Self::ProofInvalid => "binding.proof_invalid",
        }
    }
}

impl InstanceStatement {
    /// The report data of the instance's quote: SHA-512 over every member, each framed by its length.
    #[must_use]
    pub fn report_data(&self) -> [u8; 64] {
        sha512(
            &Framed::new(DOMAIN)
                .field(self.namespace.as_bytes())
                .field(&self.boot_id)
                .field(self.role.as_str().as_bytes())
                .field(&self.instance_key.to_uncompressed())
                .field(&self.tls_key_sha256)
                .field(&self.manifest_hash)
                .field(&self.hardening_hash)
                .field(self.lock.as_bytes())
                .number(self.quote_time.0)
                .bytes(),
        )
    }

    /// That an admitted instance made this statement, and recently.
    ///
    /// The age is the instance's word: its host can stop its clock. What cannot be faked is the connection proof, which
    /// needs the key that only this start of the instance holds.
    ///
    /// # Errors
    /// [`BindingError`].
    pub fn check_by(&self, instance: &ApprovedInstance, age: QuoteAge, now: UnixTime) -> Result<(), BindingError> {
        if *instance.report_data() != self.report_data() {
            return Err(BindingError::ReportData);
        }
        if self.namespace != instance.namespace() {
            return Err(BindingError::OtherNamespace);
        }
        if self.manifest_hash != instance.manifest_hash() {
            return Err(BindingError::OtherManifest);
        }
        if self.role != instance.role() {
            return Err(BindingError::OtherRole);
        }
        self.check_age(age, now)
    }

    /// That the quote is neither too old nor from the future.
    ///
    /// # Errors
    /// [`BindingError::QuoteInFuture`], [`BindingError::QuoteTooOld`].
    pub fn check_age(&self, age: QuoteAge, now: UnixTime) -> Result<(), BindingError> {
        if self.quote_time > now.plus_seconds(CLOCK_LEEWAY_SECONDS) {
            return Err(BindingError::QuoteInFuture);
        }
        let age_seconds = now.seconds_since(self.quote_time);
        if age_seconds > age.max_seconds {
            return Err(BindingError::QuoteTooOld {
                age_seconds,
                max_seconds: age.max_seconds,
            });
        }
        Ok(())
    }
}
