//! Genesis: the seed is made, split, sealed to its holders.

use std::fmt;

use jose::UnixTime;

use super::encoding::sha256;
use super::transcript::{Event, Transcript};
use super::{CeremonyError, HolderCard, SealedShare, Setup, SetupPurpose};
use crate::hsm::WrappedHalf;
use crate::shares::{Share, SharePolicy, split};
use crate::{Namespace, NamespaceSeed};

/// What a genesis leaves behind. The seed stays with the instance; everything else is to be handed out.
pub struct Genesis {
    /// The namespace.
    pub namespace: Namespace,
    /// The seed: from now on only here and, split, with the holders.
    pub seed: NamespaceSeed,
    /// One for each holder, in order of their numbers.
    pub shares: Vec<SealedShare>,
    /// What happened, signed. Holders append their acknowledgments.
    pub transcript: Transcript,
}

impl Setup {
    /// Makes the seed and splits it by the rule of the manifest's share set. `cards` are the holders', in any order;
    /// `half` is the other lock's, wrapped, if it is made in the same ceremony; `evidence` is the instance's, as its bytes.
    ///
    /// # Errors
    /// [`CeremonyError::WrongRole`] unless the setup is for a genesis; [`CeremonyError::HolderCard`];
    /// [`CeremonyError::Policy`].
    pub fn run_genesis(
        self,
        cards: &[HolderCard],
        half: Option<&WrappedHalf>,
        evidence: &[u8],
        now: UnixTime,
    ) -> Result<Genesis, CeremonyError> {
        if self.offer.purpose != SetupPurpose::Genesis {
            return Err(CeremonyError::WrongRole);
        }
        let policy = SharePolicy::of_share_set(&self.share_set)?;
        let mut holders = Vec::with_capacity(self.share_set.members.len());
        for member in &self.share_set.members {
            let fits = |card: &&HolderCard| {
                card.name == member.name && card.role == member.role && card.encryption_key == member.key
            };
            let card = cards.iter().find(fits).ok_or_else(|| CeremonyError::HolderCard {
                name: member.name.clone(),
            })?;
            holders.push(card.clone());
        }
        let seed = NamespaceSeed::generate();
        let shares = split(&seed, &policy)?;
        let setup = self.offer.report_data();
        let mut transcript = Transcript::default();
        let mut append = |event| transcript.append(&self.transcript_key, now, event);
        append(Event::SetupBegun {
            offer: self.offer.clone(),
            evidence: sha256(evidence),
        })?;
        append(Event::SeedSplit {
            share_set: self.share_set.clone(),
            holders: holders.clone(),
            share_commitments: shares.iter().map(Share::commitment).collect(),
            seed_commitment: seed.commitment(&self.namespace),
        })?;
        if let Some(half) = half {
            append(Event::HalfWrapped {
                key_label: half.key_label().to_owned(),
                wrapped: sha256(&half.to_bytes()),
            })?;
        }
        let sealed = shares.iter().zip(&holders);
        let shares = sealed
            .map(|(share, card)| SealedShare::seal(share, card, &setup))
            .collect::<Result<_, _>>()?;
        Ok(Genesis {
            namespace: self.namespace,
            seed,
            shares,
            transcript,
        })
    }
}

impl fmt::Debug for Genesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Genesis")
    }
}
