//! The instance in which a ceremony happens, and how others know that it is the right one.

use std::fmt;

use aws_lc_rs::digest::{SHA512, digest};
use evidence::manifest::{ApprovedInstance, InstanceRole, Manifest, RoleSet};
use jose::jwk::P256PublicKey;
use jose::{Signer, SoftwareKey};
use serde::{Deserialize, Serialize};

use super::CeremonyError;
use super::encoding::{Framed, array, point};
use super::hpke_seal::OpeningKey;
use crate::Namespace;
use crate::random::random_array;

/// Which ceremony.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetupPurpose {
    /// The seed is made.
    Genesis,
    /// The seed is restored from shares.
    ColdStart,
    /// Keys are handed on to newcomers.
    KeyForward,
}

impl SetupPurpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::ColdStart => "cold-start",
            Self::KeyForward => "key-forward",
        }
    }
}

/// What the instance publishes about a ceremony. Its evidence carries [`report_data`](Self::report_data) over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupOffer {
    /// Which ceremony.
    pub purpose: SetupPurpose,
    /// The namespace.
    pub namespace: String,
    /// SHA-256 of the manifest it happens under.
    #[serde(with = "array")]
    pub manifest: [u8; 32],
    /// Random: no two ceremonies are alike.
    #[serde(with = "array")]
    pub nonce: [u8; 32],
    /// Shares are sealed to it; made for this ceremony, gone with it, no key the instance lives with.
    #[serde(with = "point")]
    pub setup_key: P256PublicKey,
    /// Signs the transcript.
    #[serde(with = "point")]
    pub transcript_key: P256PublicKey,
}

impl SetupOffer {
    /// SHA-512 over a domain and every member, each framed by its length.
    #[must_use]
    pub fn report_data(&self) -> [u8; 64] {
        let framed = Framed::new("healthid-setup/v1")
            .field(self.purpose.name().as_bytes())
            .field(self.namespace.as_bytes())
            .field(&self.manifest)
            .field(&self.nonce)
            .field(&self.setup_key.to_uncompressed())
            .field(&self.transcript_key.to_uncompressed());
        let mut data = [0; 64];
        data.copy_from_slice(digest(&SHA512, &framed.bytes()).as_ref());
        data
    }
}

/// The instance's side, before anything happened: keys made for this ceremony. `Debug` prints the type only.
pub struct Setup {
    pub(super) offer: SetupOffer,
    pub(super) share_set: RoleSet,
    pub(super) namespace: Namespace,
    pub(super) opening: OpeningKey,
    pub(super) transcript_key: SoftwareKey,
}

impl Setup {
    /// Fresh keys for a ceremony under a manifest, which the caller has verified.
    ///
    /// # Errors
    /// [`CeremonyError::Namespace`].
    pub fn begin(purpose: SetupPurpose, manifest: &Manifest) -> Result<Self, CeremonyError> {
        let namespace = Namespace::parse(&manifest.namespace)?;
        let opening = OpeningKey::generate()?;
        let transcript_key = SoftwareKey::generate(super::transcript::INSTANCE).map_err(|_| CeremonyError::Failed)?;
        Ok(Self {
            offer: SetupOffer {
                purpose,
                namespace: manifest.namespace.clone(),
                manifest: manifest.hash(),
                nonce: random_array(),
                setup_key: opening.public_key().clone(),
                transcript_key: transcript_key.public_key().clone(),
            },
            share_set: manifest.share_set.clone(),
            namespace,
            opening,
            transcript_key,
        })
    }

    /// What to publish, and to bind into the evidence.
    #[must_use]
    pub const fn offer(&self) -> &SetupOffer {
        &self.offer
    }

    /// Signs as the key in the offer that its evidence is bound to: a donor's transcript, and what it seals.
    #[must_use]
    pub const fn signer(&self) -> &dyn Signer {
        &self.transcript_key
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Setup")
    }
}

/// A setup whose keys are those of an admitted `root` instance. Only [`check`](Self::check) makes one.
#[derive(Debug, Clone)]
pub struct AttestedSetup {
    offer: SetupOffer,
    share_set: RoleSet,
}

impl AttestedSetup {
    /// Compares an offer with what the evidence of an admitted instance is bound to. `manifest` is the one that admitted it.
    ///
    /// # Errors
    /// [`CeremonyError::NotBound`], [`CeremonyError::OtherManifest`], [`CeremonyError::OtherNamespace`],
    /// [`CeremonyError::WrongRole`].
    pub fn check(offer: &SetupOffer, instance: &ApprovedInstance, manifest: &Manifest) -> Result<Self, CeremonyError> {
        if instance.role() != InstanceRole::Root {
            return Err(CeremonyError::WrongRole);
        }
        if offer.namespace != instance.namespace() {
            return Err(CeremonyError::OtherNamespace);
        }
        if offer.manifest != instance.manifest_hash() || offer.manifest != manifest.hash() {
            return Err(CeremonyError::OtherManifest);
        }
        if offer.report_data() != *instance.report_data() {
            return Err(CeremonyError::NotBound);
        }
        Ok(Self {
            offer: offer.clone(),
            share_set: manifest.share_set.clone(),
        })
    }

    /// As if it had been attested.
    #[cfg(fuzzing)]
    pub(crate) const fn unattested(offer: SetupOffer, share_set: RoleSet) -> Self {
        Self { offer, share_set }
    }

    /// The offer.
    #[must_use]
    pub const fn offer(&self) -> &SetupOffer {
        &self.offer
    }

    pub(super) const fn share_set(&self) -> &RoleSet {
        &self.share_set
    }
}
