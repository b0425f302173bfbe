//! A holder: her keys, her card, her share.

use std::fmt;

use evidence::manifest::OrganisationRole;
use jose::jwk::P256PublicKey;
use jose::{SoftwareKey, UnixTime};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::encoding::{Framed, array, bytes, point};
use super::hpke_seal::{OpeningKey, seal};
use super::transcript::{Event, Transcript, VerifiedTranscript, verify_transcript};
use super::{AttestedSetup, CeremonyError, PostedShare};
use crate::shares::{SHARE_BYTES, Share, ShareError};

/// What a holder publishes: the manifest lists her name, role and encryption key; the signature key is for transcripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolderCard {
    /// Her name in the manifest's share set.
    pub name: String,
    /// For whom she holds.
    pub role: OrganisationRole,
    /// P-256, uncompressed point: shares are sealed to it.
    #[serde(with = "point")]
    pub encryption_key: P256PublicKey,
    /// P-256, uncompressed point: verifies what she signs.
    #[serde(with = "point")]
    pub signature_key: P256PublicKey,
}

/// A holder's private keys. `Debug` prints the type only.
pub struct HolderKeys {
    card: HolderCard,
    opening: OpeningKey,
    signing: SoftwareKey,
}

/// [`HolderKeys`] in a file that only its owner reads.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    name: String,
    role: OrganisationRole,
    #[serde(with = "array")]
    encryption_secret: [u8; 32],
    #[serde(with = "array")]
    signature_secret: [u8; 32],
}

/// One holder's share, sealed to her key: may lie anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedShare {
    /// The holder's name.
    pub holder: String,
    /// Her number in the share set, from 1.
    pub number: u8,
    /// HPKE, to her encryption key.
    #[serde(with = "bytes")]
    pub sealed: Vec<u8>,
}

impl SealedShare {
    pub(super) fn seal(share: &Share, to: &HolderCard, setup: &[u8; 64]) -> Result<Self, CeremonyError> {
        let content = share.to_bytes();
        let sealed = seal(&to.encryption_key, &info(setup), to.name.as_bytes(), &content[..])?;
        Ok(Self {
            holder: to.name.clone(),
            number: share.number(),
            sealed,
        })
    }
}

fn info(setup: &[u8; 64]) -> Vec<u8> {
    Framed::new("healthid-share/v1").field(setup).bytes()
}

impl HolderKeys {
    /// Fresh keys.
    ///
    /// # Errors
    /// [`CeremonyError::Failed`].
    pub fn generate(name: &str, role: OrganisationRole) -> Result<Self, CeremonyError> {
        let signing = SoftwareKey::generate(name).map_err(|_| CeremonyError::Failed)?;
        Ok(Self::of(name, role, OpeningKey::generate()?, signing))
    }

    fn of(name: &str, role: OrganisationRole, opening: OpeningKey, signing: SoftwareKey) -> Self {
        let card = HolderCard {
            name: name.to_owned(),
            role,
            encryption_key: opening.public_key().clone(),
            signature_key: signing.public_key().clone(),
        };
        Self { card, opening, signing }
    }

    /// What she publishes.
    #[must_use]
    pub const fn card(&self) -> &HolderCard {
        &self.card
    }

    /// JSON for a file that only its owner reads. In production a smart card or hardware key takes its place.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let stored = Stored {
            name: self.card.name.clone(),
            role: self.card.role,
            encryption_secret: *self.opening.bytes(),
            signature_secret: *self.signing.to_scalar(),
        };
        Zeroizing::new(serde_json::to_vec(&stored).unwrap_or_default())
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// [`CeremonyError::Malformed`].
    pub fn from_json(json: &[u8]) -> Result<Self, CeremonyError> {
        let stored: Stored = serde_json::from_slice(json).map_err(|_| CeremonyError::Malformed)?;
        let signing = SoftwareKey::from_scalar(&stored.name, &stored.signature_secret);
        let signing = signing.map_err(|_| CeremonyError::Malformed)?;
        let opening = OpeningKey::from_bytes(&stored.encryption_secret)?;
        Ok(Self::of(&stored.name, stored.role, opening, signing))
    }

    /// Opens her share and compares it with what genesis published.
    fn open(&self, sealed: &SealedShare, genesis: &VerifiedTranscript) -> Result<Share, CeremonyError> {
        let content = self
            .opening
            .open(&info(genesis.setup()), self.card.name.as_bytes(), &sealed.sealed)?;
        let content: &[u8; SHARE_BYTES] = content[..].try_into().map_err(|_| ShareError::Malformed)?;
        let share = Share::parse(content)?;
        genesis.check_share(&share)?;
        Ok(share)
    }

    /// Verifies a genesis, opens her share, and signs that it is the one that was published: another entry of the transcript.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn acknowledge(
        &self,
        sealed: &SealedShare,
        transcript: &mut Transcript,
        setup: &AttestedSetup,
        now: UnixTime,
    ) -> Result<(), CeremonyError> {
        let genesis = verify_transcript(transcript, setup)?;
        let share = self.open(sealed, &genesis)?;
        let event = Event::ShareAcknowledged {
            holder: self.card.name.clone(),
            number: share.number(),
        };
        transcript.append(&self.signing, now, event)
    }

    /// Seals her share anew to the setup key of an attested instance, for a cold start. What is not attested does not become an
    /// [`AttestedSetup`], so no share goes there.
    ///
    /// # Errors
    /// [`CeremonyError::WrongRole`] if the setup is not one for a cold start.
    pub fn post(
        &self,
        sealed: &SealedShare,
        genesis: &VerifiedTranscript,
        to: &AttestedSetup,
    ) -> Result<PostedShare, CeremonyError> {
        let share = self.open(sealed, genesis)?;
        PostedShare::seal(&share, &self.card.name, &self.signing, genesis, to)
    }
}

impl fmt::Debug for HolderKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HolderKeys")
    }
}
