//! How the namespace seed comes into the world, to a new instance, and back after a total loss.
//!
//! * **Genesis**, once: an attested instance makes the seed, splits it by the manifest's rule among the holders
//!   ([`crate::shares`]), seals each share to its holder's key, and keeps it. Each holder's own tool opens the share, compares it
//!   with what was published, and signs that she has it.
//! * **Join**, daily: a new instance shows evidence that binds a fresh key of its own to the donor's nonce. The donor seals to that
//!   key the seed (role `root`) or one tenant's keys (role `serve`), if and only if it has the
//!   [`ApprovedInstance`](evidence::manifest::ApprovedInstance) that only the manifest's admission makes.
//! * **Cold start**, after all instances are gone: holders seal their shares to the setup key of an attested instance. The setup
//!   key is another one than any the instance lives with, and dies with the ceremony.
//!
//! Each leaves a [`Transcript`]: entries signed by the instance's attested key and by the holders, each naming the hash of the
//! one before. [`verify_transcript`] is what a participant runs herself.
//!
//! Sealing is HPKE (RFC 9180): DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, base mode; what it is for stands in
//! `info`.
//!
//! Trusted for: no seed, share or tenant key leaves this process in clear, and none leaves at all but to a key that evidence
//! binds to an admitted instance, or to the holder the manifest names.
//!
//! Does not: verify evidence or manifests (the room `evidence` does), carry messages, or know the time.

mod cold_start;
mod encoding;
mod genesis;
mod holder;
mod hpke_seal;
mod join;
mod setup;
mod transcript;

pub use cold_start::{ColdStart, PostedShare};
pub use genesis::Genesis;
pub use holder::{HolderCard, HolderKeys, SealedShare};
pub use join::{Donor, Forward, Forwarded, Join, JoinRequest, SealedForward};
pub use setup::{AttestedSetup, Setup, SetupOffer, SetupPurpose};
pub use transcript::{
    Event, MAX_ENTRIES, Transcript, TranscriptError, VerifiedTranscript, verify_forwards, verify_transcript,
};

use crate::hsm::HsmError;
use crate::shares::{PolicyError, ShareError};
use crate::{BundleError, KeyAbsent, NamespaceError};

/// Why a ceremony does not go on. Nothing was released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    /// The evidence speaks of other keys, another nonce, manifest, namespace or role than is asked for.
    #[error("the evidence is bound to other keys or another purpose than this request")]
    NotBound,
    /// Another namespace.
    #[error("the instance or manifest belongs to another namespace")]
    OtherNamespace,
    /// The manifest that admits the newcomer is older than one's own.
    #[error("the newcomer is admitted by manifest {found}, the donor is at {own}")]
    OldManifest {
        /// The newcomer's.
        found: u64,
        /// One's own.
        own: u64,
    },
    /// The manifest that admits the instance is not the one that was asked for.
    #[error("the instance is admitted by another manifest than the one in force here")]
    OtherManifest,
    /// The instance is admitted in another role than this needs.
    #[error("the instance is not admitted in the role this needs")]
    WrongRole,
    /// The nonce was not given out here, or was used.
    #[error("the nonce was not given out here or has been used")]
    NonceUnknown,
    /// Not signed by the attested donor, or for another request.
    #[error("the keys are not signed by the attested donor for this request")]
    NotSigned,
    /// A holder's card does not fit the manifest's share set.
    #[error("holder {name}: no card, or one that does not fit the manifest's share set")]
    HolderCard {
        /// The holder's name in the manifest.
        name: String,
    },
    /// The other party's message is not one of this ceremony.
    #[error("not a message of this ceremony")]
    Malformed,
    /// Not sealed to this key, for this purpose, or changed.
    #[error("not sealed to this key for this purpose, or changed")]
    NotOpened,
    /// A manifest's share set is no rule for shares.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A share was refused, or the shares do not suffice.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// A transcript was refused.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// The tenant's keys are not here.
    #[error(transparent)]
    KeyAbsent(#[from] KeyAbsent),
    /// The bundle is none.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The hardware security module.
    #[error(transparent)]
    Hsm(#[from] HsmError),
    /// The namespace's name.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// Signing or sealing failed.
    #[error("signing or sealing failed")]
    Failed,
}

impl CeremonyError {
    /// Stable name for events and transcripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotBound => "ceremony.not_bound",
            Self::OtherNamespace => "ceremony.other_namespace",
            Self::OldManifest { .. } => "ceremony.old_manifest",
            Self::OtherManifest => "ceremony.other_manifest",
            Self::WrongRole => "ceremony.wrong_role",
            Self::NonceUnknown => "ceremony.nonce_unknown",
            Self::NotSigned => "ceremony.not_signed",
            Self::HolderCard { .. } => "ceremony.holder_card",
            Self::Malformed => "ceremony.malformed",
            Self::NotOpened => "ceremony.not_opened",
            Self::Policy(_) => "ceremony.policy",
            Self::Share(error) => error.code(),
            Self::Transcript(error) => error.code(),
            Self::KeyAbsent(error) => error.code(),
            Self::Bundle(error) => error.code(),
            Self::Hsm(error) => error.code(),
            Self::Namespace(_) => "ceremony.namespace",
            Self::Failed => "ceremony.failed",
        }
    }
}

#[cfg(test)]
mod tests;
