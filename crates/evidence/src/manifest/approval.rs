//! Approvals: the manifest with the signatures of those who want it.

use jose::json::{self, Limits};
use jose::{SignError, Signer};
use serde::{Deserialize, Serialize};

use super::sets::Shortfall;
use super::{MAX_MEMBERS, Manifest, ManifestError, RoleSet, SignedBy, canonical_json, rule};
use crate::encoding::{Framed, base64url_array, es256_verifies};
use crate::transparency::MAX_ENTRY_BYTES;

const LIMITS: Limits = Limits {
    bytes: MAX_ENTRY_BYTES,
    depth: 9,
};

/// Separates these signatures from every other use of a member's key.
const DOMAIN: &str = "healthid-manifest-approval/v1";

/// The version of the envelope's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnvelopeFormat {
    /// This one.
    #[serde(rename = "healthid-manifest-envelope/v1")]
    V1,
}

/// A manifest and who approves it: the entry that goes into the log, so that the log shows who decided.
///
/// The encoding is canonical in the same way as the manifest's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Sorted by member.
    pub approvals: Vec<Approval>,
    /// The envelope's shape.
    pub format: EnvelopeFormat,
    /// What is approved.
    pub manifest: Manifest,
}

/// One member's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The member's name in the set that decides: the one of the manifest before, or the pinned one.
    pub member: String,
    /// ES256, r ‖ s, over [`Approval::message`].
    #[serde(with = "base64url_array")]
    pub signature: [u8; 64],
}

impl Approval {
    /// What a member signs: domain, namespace, number and hash, each framed by its length.
    #[must_use]
    pub fn message(manifest: &Manifest) -> Vec<u8> {
        Framed::new(DOMAIN)
            .field(manifest.namespace.as_bytes())
            .number(manifest.number)
            .field(&manifest.hash())
            .bytes()
    }

    /// Signs a manifest as `member`.
    ///
    /// # Errors
    /// [`SignError`] of the key.
    pub fn sign(manifest: &Manifest, member: &str, key: &dyn Signer) -> Result<Self, SignError> {
        Ok(Self {
            member: member.to_owned(),
            signature: key.sign(&Self::message(manifest))?,
        })
    }
}

impl Envelope {
    /// Puts a manifest and its approvals into their canonical order. Nothing is verified here.
    #[must_use]
    pub fn new(manifest: Manifest, mut approvals: Vec<Approval>) -> Self {
        approvals.sort_by(|left, right| left.member.cmp(&right.member));
        Self {
            approvals,
            format: EnvelopeFormat::V1,
            manifest,
        }
    }

    /// Reads the one canonical encoding. Nothing is verified here.
    ///
    /// # Errors
    /// As [`Manifest::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let envelope: Self = json::parse_as(bytes, &LIMITS)?;
        if envelope.encode() != bytes {
            return Err(ManifestError::NotCanonical);
        }
        rule(envelope.approvals.len() <= MAX_MEMBERS, "approvals", "at most 32")?;
        rule(
            envelope.manifest.encode().len() <= super::MAX_MANIFEST_BYTES,
            "manifest",
            "at most 49152 bytes",
        )?;
        // Equal neighbours are let through to `check_approvals`, which calls them by their name.
        rule(
            envelope
                .approvals
                .is_sorted_by(|left, right| left.member <= right.member),
            "approvals",
            "entries sorted by member",
        )?;
        envelope.manifest.check()?;
        Ok(envelope)
    }

    /// The canonical encoding: the log's entry.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// Every approval is by a member of `set`, verifies, and stands there once; and they are enough.
    ///
    /// One bad approval refuses the whole: whoever hands over a manifest has no reason to add it.
    pub(super) fn check_approvals(&self, set: &RoleSet) -> Result<Vec<SignedBy>, ManifestError> {
        let message = Approval::message(&self.manifest);
        let mut members = Vec::with_capacity(self.approvals.len());
        for approval in &self.approvals {
            let member = set.member(&approval.member).ok_or(ManifestError::UnknownSigner)?;
            let name = || member.name.clone();
            if members.contains(&member) {
                return Err(ManifestError::DuplicateSigner { member: name() });
            }
            if !es256_verifies(&member.key, &message, &approval.signature) {
                return Err(ManifestError::ApprovalInvalid { member: name() });
            }
            members.push(member);
        }
        set.check_quorum(members.iter().copied()).map_err(|short| match short {
            Shortfall::Members { have, need } => ManifestError::TooFewApprovals { have, need },
            Shortfall::Role { role } => ManifestError::RoleMissing { role },
        })?;
        Ok(members
            .into_iter()
            .map(|member| SignedBy {
                name: member.name.clone(),
                role: member.role,
            })
            .collect())
    }
}
