//! The evidence bundle: everything a verifier needs, in one document, answered over the connection it speaks of.
//!
//! `GET https://HOST/.well-known/healthid-evidence?nonce=<base64url of 32 bytes>` answers it as `application/json`, never
//! stored. The connection proof in it was made on that very connection; all the rest may be an hour old.
//!
//! **Trusted for:** nothing. A bundle is a claim until [`crate::verdict::judge`] has judged it, and [`Bundle::parse`]
//! only says that it has the shape of one. An [`Attestor`] makes them and makes at most one quote per interval.

mod attestor;
mod question;
mod saved;

use jose::json::{self, JsonError, Limits};
use serde::{Deserialize, Serialize};

use crate::binding::{ConnectionProof, InstanceStatement, MAX_LOCK_NAME_CHARACTERS};
use crate::encoding::base64url_bytes;
use crate::manifest::{LoggedManifest, MAX_HANDOVERS, MAX_NAME_CHARACTERS};
use crate::platform::{Evidence, ParseEvidenceError};
use crate::profile::{HardeningProfile, ProfileError};
use crate::transparency::{InclusionProof, MAX_ENTRY_BYTES, MAX_NOTE_BYTES, MAX_PROOF_HASHES};

pub use attestor::{AttestError, Attestor, AttestorSettings};
pub use question::{Answer, AnswerError, Question};
pub use saved::{SavedBundle, SavedSession};

/// The path of the evidence endpoint.
pub const EVIDENCE_PATH: &str = "/.well-known/healthid-evidence";

/// Longest bundle in bytes: evidence with collateral, and sixteen full manifests, in base64url.
pub const MAX_BUNDLE_BYTES: usize = 3 * 1024 * 1024;

pub(crate) const LIMITS: Limits = Limits {
    bytes: MAX_BUNDLE_BYTES,
    depth: 8,
};

/// Why a document is not a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not JSON of the bundle's shape.
    #[error("bundle: {0}")]
    Json(#[from] JsonError),
    /// A part is longer or more than allowed.
    #[error("bundle: too much in `{member}`")]
    TooMuch {
        /// The member.
        member: &'static str,
    },
    /// The evidence in it is not encoded evidence.
    #[error("bundle: {0}")]
    Evidence(#[from] ParseEvidenceError),
    /// The hardening profile in it is none.
    #[error("bundle: {0}")]
    Hardening(#[from] ProfileError),
}

impl BundleError {
    /// A stable name for logs and verdicts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "bundle.malformed",
            Self::TooMuch { .. } => "bundle.too_much",
            Self::Evidence(error) => error.code(),
            Self::Hardening(error) => error.code(),
        }
    }
}

/// What an instance shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Over the session the bundle is answered in.
    pub connection_proof: ConnectionProof,
    /// Quote, endorsements, event log, collateral.
    pub evidence: Evidence,
    /// Which hardening controls are in force.
    pub hardening: HardeningProfile,
    /// The current manifest, after those that changed the governance; each with its approvals and the log's word.
    pub manifests: Vec<LoggedManifest>,
    /// What the quote commits to.
    pub statement: InstanceStatement,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Format {
    #[serde(rename = "healthid-evidence/v1")]
    V1,
}

/// The bundle on the wire. Bytes stay bytes: what was hashed or signed is never written anew.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireBundle {
    connection_proof: ConnectionProof,
    evidence: Bytes,
    format: Format,
    hardening: Bytes,
    manifests: Vec<WireManifest>,
    statement: InstanceStatement,
}

/// The manifests of a bundle as a file of their own: what an instance is given to run under and to show.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireManifests {
    format: ManifestsFormat,
    manifests: Vec<WireManifest>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum ManifestsFormat {
    #[serde(rename = "healthid-manifests/v1")]
    V1,
}

/// Writes manifests with the log's word for each, as they stand in a bundle: those that changed the governance, then the current one.
#[must_use]
pub fn encode_manifests(manifests: &[LoggedManifest]) -> Vec<u8> {
    let wire = WireManifests {
        format: ManifestsFormat::V1,
        manifests: manifests.iter().map(WireManifest::of).collect(),
    };
    serde_json::to_vec_pretty(&wire).unwrap_or_default()
}

/// Reads what [`encode_manifests`] wrote. Nothing in it is verified.
///
/// # Errors
/// [`BundleError::Json`], [`BundleError::TooMuch`].
pub fn parse_manifests(bytes: &[u8]) -> Result<Vec<LoggedManifest>, BundleError> {
    let wire = json::parse_as::<WireManifests>(bytes, &LIMITS)?;
    check(wire.manifests.len() <= MAX_HANDOVERS, "manifests")?;
    wire.manifests.into_iter().map(WireManifest::open).collect()
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Bytes(#[serde(with = "base64url_bytes")] Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Hash(#[serde(with = "crate::encoding::hex_array")] [u8; 32]);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireManifest {
    checkpoint: String,
    consistency: Vec<Hash>,
    envelope: Bytes,
    index: u64,
    path: Vec<Hash>,
}

impl Bundle {
    /// Reads a bundle. Nothing in it is verified.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        json::parse_as::<WireBundle>(bytes, &LIMITS)?.open()
    }

    /// The document.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(&self.to_wire()).unwrap_or_default()
    }

    pub(crate) fn to_wire(&self) -> WireBundle {
        WireBundle {
            connection_proof: self.connection_proof.clone(),
            evidence: Bytes(self.evidence.to_bytes()),
            format: Format::V1,
            hardening: Bytes(self.hardening.to_bytes()),
            manifests: self.manifests.iter().map(WireManifest::of).collect(),
            statement: self.statement.clone(),
        }
    }
}

impl WireBundle {
    pub(crate) fn open(self) -> Result<Bundle, BundleError> {
        check(self.manifests.len() <= MAX_HANDOVERS, "manifests")?;
        check(self.statement.lock.len() <= MAX_LOCK_NAME_CHARACTERS, "lock")?;
        check(self.statement.namespace.len() <= MAX_NAME_CHARACTERS, "namespace")?;
        Ok(Bundle {
            connection_proof: self.connection_proof,
            evidence: Evidence::parse(&self.evidence.0)?,
            hardening: HardeningProfile::parse(&self.hardening.0)?,
            manifests: self
                .manifests
                .into_iter()
                .map(WireManifest::open)
                .collect::<Result<_, _>>()?,
            statement: self.statement,
        })
    }
}

impl WireManifest {
    fn of(logged: &LoggedManifest) -> Self {
        let hashes = |list: &[[u8; 32]]| list.iter().copied().map(Hash).collect();
        Self {
            checkpoint: logged.checkpoint.clone(),
            consistency: hashes(&logged.consistency),
            envelope: Bytes(logged.envelope.clone()),
            index: logged.inclusion.index,
            path: hashes(&logged.inclusion.path),
        }
    }

    fn open(self) -> Result<LoggedManifest, BundleError> {
        check(self.envelope.0.len() <= MAX_ENTRY_BYTES, "envelope")?;
        check(self.checkpoint.len() <= MAX_NOTE_BYTES, "checkpoint")?;
        check(self.path.len() <= MAX_PROOF_HASHES, "path")?;
        check(self.consistency.len() <= MAX_PROOF_HASHES, "consistency")?;
        let hashes = |list: Vec<Hash>| list.into_iter().map(|hash| hash.0).collect();
        Ok(LoggedManifest {
            envelope: self.envelope.0,
            inclusion: InclusionProof {
                index: self.index,
                path: hashes(self.path),
            },
            checkpoint: self.checkpoint,
            consistency: hashes(self.consistency),
        })
    }
}

fn check(holds: bool, member: &'static str) -> Result<(), BundleError> {
    if holds {
        Ok(())
    } else {
        Err(BundleError::TooMuch { member })
    }
}

#[cfg(test)]
mod tests;
