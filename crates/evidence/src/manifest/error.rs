//! Why a manifest was refused.

use jose::json::JsonError;

use super::OrganisationRole;
use crate::transparency::LogError;

/// Why a manifest, or the approvals and proofs around it, were refused. Names in it are offices the manifest publishes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON of the document's shape.
    #[error("manifest: {0}")]
    Json(#[from] JsonError),
    /// Understood, but spelled in another way than the canonical one.
    #[error("manifest: not the canonical encoding (RFC 8785)")]
    NotCanonical,
    /// A rule of the document is broken.
    #[error("manifest: `{member}`, expected {expected}")]
    Rule {
        /// The member.
        member: &'static str,
        /// What is expected.
        expected: &'static str,
    },
    /// No manifest at all, or more handovers than are read.
    #[error("manifest: expected 1 to {expected} manifests in the chain")]
    ChainLength {
        /// The limit.
        expected: usize,
    },
    /// Another namespace than the one trusted.
    #[error("manifest: it is for another namespace")]
    OtherNamespace,
    /// Fewer approvals than the threshold of the set before it.
    #[error("manifest: {have} approvals, expected at least {need}")]
    TooFewApprovals {
        /// How many there are.
        have: usize,
        /// How many are needed.
        need: usize,
    },
    /// The approvals lack a role.
    #[error("manifest: not enough approvals of the role {role}")]
    RoleMissing {
        /// The role.
        role: OrganisationRole,
    },
    /// One member approved twice.
    #[error("manifest: `{member}` approves twice")]
    DuplicateSigner {
        /// The member's name.
        member: String,
    },
    /// A signer who is not in the set that decides.
    #[error("manifest: an approval is by somebody outside the set that decides")]
    UnknownSigner,
    /// A signature that is not the member's over this manifest.
    #[error("manifest: the approval of `{member}` does not verify")]
    ApprovalInvalid {
        /// The member's name.
        member: String,
    },
    /// A number that was left behind.
    #[error("manifest: number {number} is lower than {seen}, which was seen before")]
    NumberLower {
        /// This number.
        number: u64,
        /// The number seen.
        seen: u64,
    },
    /// The number seen before, under another hash: two manifests were approved for one number.
    #[error("manifest: number {number} was seen before with another content")]
    NumberReused {
        /// The number.
        number: u64,
    },
    /// The next number, but it names another predecessor than the one seen.
    #[error("manifest: it follows another manifest than the one seen before")]
    OtherPredecessor,
    /// Before its validity.
    #[error("manifest: not valid yet")]
    NotYetValid,
    /// After its validity.
    #[error("manifest: validity is over")]
    Expired,
    /// Not long enough in the log, and too few approvals for an emergency.
    #[error("manifest: in the log for {age_seconds} seconds, expected at least {needed_seconds}")]
    TooYoung {
        /// How long enough witnesses have vouched for it.
        age_seconds: u64,
        /// How long is needed.
        needed_seconds: u64,
    },
    /// The log or its witnesses do not vouch for it.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl ManifestError {
    /// A stable name for logs, verdicts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "manifest.malformed",
            Self::NotCanonical => "manifest.not_canonical",
            Self::Rule { .. } => "manifest.rule_broken",
            Self::ChainLength { .. } => "manifest.chain_length",
            Self::OtherNamespace => "manifest.other_namespace",
            Self::TooFewApprovals { .. } => "manifest.too_few_approvals",
            Self::RoleMissing { .. } => "manifest.role_missing",
            Self::DuplicateSigner { .. } => "manifest.duplicate_signer",
            Self::UnknownSigner => "manifest.unknown_signer",
            Self::ApprovalInvalid { .. } => "manifest.approval_invalid",
            Self::NumberLower { .. } => "manifest.number_lower",
            Self::NumberReused { .. } => "manifest.number_reused",
            Self::OtherPredecessor => "manifest.other_predecessor",
            Self::NotYetValid => "manifest.not_yet_valid",
            Self::Expired => "manifest.expired",
            Self::TooYoung { .. } => "manifest.too_young",
            Self::Log(error) => error.code(),
        }
    }
}
