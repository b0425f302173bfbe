//! What happened, in the words of those it happened to: signed entries, each naming the hash of the one before.

use evidence::manifest::{InstanceRole, RoleSet};
use jose::jwk::P256PublicKey;
use jose::{Signer, UnixTime, json, jws};
use serde::{Deserialize, Serialize};

use super::encoding::{array, hashes, sha256};
use super::{AttestedSetup, CeremonyError, HolderCard, SetupOffer, SetupPurpose};
use crate::shares::{Share, ShareError, SharePolicy, check_share};
use crate::{Namespace, NamespaceSeed};

/// Most entries.
pub const MAX_ENTRIES: usize = 128;
/// Most bytes of a transcript as text.
const MAX_TEXT_BYTES: usize = MAX_ENTRIES * json::DEFAULT.bytes;
const TYP: &str = "healthid-ceremony+jwt";
/// `kid` of the instance's entries; a holder's entries carry her name.
pub(super) const INSTANCE: &str = "instance";

/// One thing that happened. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// An instance made keys for a ceremony. First of every genesis and cold start.
    SetupBegun {
        /// Its keys, and what for.
        offer: SetupOffer,
        /// SHA-256 of its evidence.
        #[serde(with = "array")]
        evidence: [u8; 32],
    },
    /// The seed was made and split.
    SeedSplit {
        /// By which rule, among whom.
        share_set: RoleSet,
        /// Their cards, in order of their numbers.
        holders: Vec<HolderCard>,
        /// SHA-256 of each share.
        #[serde(with = "hashes")]
        share_commitments: Vec<[u8; 32]>,
        /// By which the seed is recognised.
        #[serde(with = "array")]
        seed_commitment: [u8; 32],
    },
    /// The other lock's half was wrapped.
    HalfWrapped {
        /// Label of the wrapping key.
        key_label: String,
        /// SHA-256 of the wrapped half.
        #[serde(with = "array")]
        wrapped: [u8; 32],
    },
    /// A holder opened her share and found it to be the one that was published. Signed by her.
    ShareAcknowledged {
        /// Her name.
        holder: String,
        /// Her number.
        number: u8,
    },
    /// A posted share was taken.
    ShareAccepted {
        /// Whose.
        holder: String,
        /// Her number.
        number: u8,
    },
    /// A posted share was refused.
    ShareRefused {
        /// Why.
        code: String,
    },
    /// The seed is back.
    SeedRestored {
        /// The one of genesis.
        #[serde(with = "array")]
        seed_commitment: [u8; 32],
        /// Hash of genesis' entry about the split.
        #[serde(with = "array")]
        genesis: [u8; 32],
    },
    /// Keys were sealed to a newcomer.
    KeyForwarded {
        /// What it may be.
        role: InstanceRole,
        /// SHA-256 of its key.
        #[serde(with = "array")]
        to: [u8; 32],
        /// Where it stands.
        site: String,
        /// Number of the manifest that admits it.
        manifest: u64,
    },
    /// A newcomer got nothing.
    ForwardRefused {
        /// Why.
        code: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    number: u32,
    #[serde(with = "array")]
    previous: [u8; 32],
    at: u64,
    what: Event,
}

/// A chain of signed entries: one compact JWS per line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcript {
    entries: Vec<String>,
}

/// Why a transcript is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    /// Empty, too long, or not of signed lines.
    #[error("not a transcript of 1 to {MAX_ENTRIES} signed entries")]
    Malformed,
    /// An entry does not follow the one before it.
    #[error("entry {number} does not follow the one before it")]
    Chain {
        /// Its number, from 0.
        number: usize,
    },
    /// An entry's signature does not verify under the key of whoever must have signed it.
    #[error("entry {number} is not signed by whoever must have signed it")]
    Signature {
        /// Its number.
        number: usize,
    },
    /// An entry has no place where it stands in such a ceremony.
    #[error("entry {number} has no place there")]
    Order {
        /// Its number.
        number: usize,
    },
    /// It tells of another ceremony than the attested one.
    #[error("the transcript is of another ceremony than the attested instance's")]
    OtherSetup,
    /// Share set, holders and commitments are not those of the manifest.
    #[error("share set or holders are not those of the manifest")]
    OtherHolders,
}

impl TranscriptError {
    /// Stable name for events.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "transcript.malformed",
            Self::Chain { .. } => "transcript.chain",
            Self::Signature { .. } => "transcript.signature",
            Self::Order { .. } => "transcript.order",
            Self::OtherSetup => "transcript.other_setup",
            Self::OtherHolders => "transcript.other_holders",
        }
    }
}

impl Transcript {
    /// Reads lines.
    ///
    /// # Errors
    /// [`TranscriptError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, TranscriptError> {
        let entries: Vec<_> = text
            .lines()
            // Also at the end of the text, where `lines` leaves it: what is written is read as the same.
            .map(|line| line.trim_end_matches('\r'))
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        if text.len() > MAX_TEXT_BYTES || !(1..=MAX_ENTRIES).contains(&entries.len()) {
            return Err(TranscriptError::Malformed);
        }
        Ok(Self { entries })
    }

    /// As lines.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.entries.iter().flat_map(|entry| [entry, "\n"]).collect()
    }

    pub(super) fn append(&mut self, signer: &dyn Signer, at: UnixTime, what: Event) -> Result<(), CeremonyError> {
        if self.entries.len() >= MAX_ENTRIES {
            return Err(TranscriptError::Malformed.into());
        }
        let entry = Entry {
            number: u32::try_from(self.entries.len()).unwrap_or(u32::MAX),
            previous: self.head(),
            at: at.0,
            what,
        };
        let payload = serde_json::to_vec(&entry).map_err(|_| CeremonyError::Failed)?;
        let header = jws::SigningHeader {
            typ: Some(TYP),
            ..Default::default()
        };
        let signed = jws::sign(&header, &payload, signer).map_err(|_| CeremonyError::Failed)?;
        self.entries.push(signed);
        Ok(())
    }

    /// When the first entry says it was written. Nothing is verified: it names the moment as of which evidence and manifest of an old ceremony are
    /// to be judged, since both have ended by the time it is needed. [`verify_transcript`] then says that the attested instance signed it.
    #[must_use]
    pub fn begun_at(&self) -> Option<UnixTime> {
        let first = jws::parse(self.entries.first()?, &json::DEFAULT).ok()?;
        let entry: Entry = json::parse_as(first.unverified_payload(), &json::DEFAULT).ok()?;
        Some(UnixTime(entry.at))
    }

    /// SHA-256 of the last entry; zeros before the first.
    #[must_use]
    pub fn head(&self) -> [u8; 32] {
        self.entries.last().map_or([0; 32], |entry| sha256(entry.as_bytes()))
    }
}

/// An entry whose signature, number, predecessor and time are right.
struct Told {
    at: UnixTime,
    what: Event,
}

/// Reads the chain: the instance's entries under its key, each holder's under the one on her card, which an entry of the
/// instance has brought before.
fn read_chain(transcript: &Transcript, instance: &P256PublicKey) -> Result<Vec<Told>, TranscriptError> {
    let (mut previous, mut told) = ([0; 32], Vec::<Told>::with_capacity(transcript.entries.len()));
    for (number, line) in transcript.entries.iter().enumerate() {
        let entry = jws::parse(line, &json::DEFAULT).map_err(|_| TranscriptError::Malformed)?;
        let kid = entry.header().kid.clone().unwrap_or_default();
        if entry.header().typ.as_deref() != Some(TYP) {
            return Err(TranscriptError::Malformed);
        }
        let holders = told.iter().find_map(|entry| match &entry.what {
            Event::SeedSplit { holders, .. } => Some(holders),
            _ => None,
        });
        let holder = holders.and_then(|holders| holders.iter().find(|card| card.name == kid));
        let key = match holder {
            Some(card) => &card.signature_key,
            None => instance,
        };
        let signature = TranscriptError::Signature { number };
        let verified = entry.verify(key).map_err(|_| signature)?;
        let entry: Entry = verified
            .claims(&json::DEFAULT)
            .map_err(|_| TranscriptError::Malformed)?;
        let by_holder = match &entry.what {
            Event::ShareAcknowledged { holder, .. } => Some(holder),
            _ => None,
        };
        if by_holder.is_some_and(|name| *name != kid) || by_holder.is_some() != holder.is_some() {
            return Err(signature);
        }
        let at = UnixTime(entry.at);
        let follows = usize::try_from(entry.number) == Ok(number)
            && entry.previous == previous
            && told.last().is_none_or(|before| before.at <= at);
        if !follows {
            return Err(TranscriptError::Chain { number });
        }
        previous = sha256(line.as_bytes());
        told.push(Told { at, what: entry.what });
    }
    if told.is_empty() {
        return Err(TranscriptError::Malformed);
    }
    Ok(told)
}

/// A transcript of a genesis or cold start that a participant has verified.
#[derive(Debug, Clone)]
pub struct VerifiedTranscript {
    offer: SetupOffer,
    setup: [u8; 64],
    split: Option<Split>,
    acknowledged: Vec<String>,
    accepted: Vec<String>,
    restored: Option<([u8; 32], [u8; 32])>,
}

#[derive(Debug, Clone)]
struct Split {
    hash: [u8; 32],
    policy: SharePolicy,
    holders: Vec<HolderCard>,
    share_commitments: Vec<[u8; 32]>,
    seed_commitment: [u8; 32],
}

/// Verifies a transcript of a genesis or cold start: every signature, the chain, the order of events; that it is the ceremony of
/// this attested instance; and that holders and rule are those of the manifest. A participant's own check.
///
/// # Errors
/// [`TranscriptError`].
pub fn verify_transcript(
    transcript: &Transcript,
    setup: &AttestedSetup,
) -> Result<VerifiedTranscript, TranscriptError> {
    let told = read_chain(transcript, &setup.offer().transcript_key)?;
    let mut entries = told.into_iter().enumerate();
    let offer = match entries.next() {
        Some((
            _,
            Told {
                what: Event::SetupBegun { offer, .. },
                ..
            },
        )) if offer == *setup.offer() => offer,
        Some((
            _,
            Told {
                what: Event::SetupBegun { .. },
                ..
            },
        )) => return Err(TranscriptError::OtherSetup),
        _ => return Err(TranscriptError::Order { number: 0 }),
    };
    let mut verified = VerifiedTranscript {
        setup: offer.report_data(),
        offer,
        split: None,
        acknowledged: Vec::new(),
        accepted: Vec::new(),
        restored: None,
    };
    for (number, entry) in entries {
        let hash = sha256(transcript.entries[number].as_bytes());
        verified.take(number, hash, entry.what, setup)?;
    }
    if verified.offer.purpose == SetupPurpose::Genesis && verified.split.is_none() {
        return Err(TranscriptError::Order { number: 1 });
    }
    Ok(verified)
}

/// Verifies a donor's transcript of key forwards, under the key its own evidence is bound to. The roles, and where to.
///
/// # Errors
/// [`TranscriptError`].
pub fn verify_forwards(transcript: &Transcript, donor: &P256PublicKey) -> Result<Vec<Event>, TranscriptError> {
    let told = read_chain(transcript, donor)?;
    for (number, entry) in told.iter().enumerate() {
        if !matches!(entry.what, Event::KeyForwarded { .. } | Event::ForwardRefused { .. }) {
            return Err(TranscriptError::Order { number });
        }
    }
    Ok(told.into_iter().map(|entry| entry.what).collect())
}

impl VerifiedTranscript {
    fn take(
        &mut self,
        number: usize,
        hash: [u8; 32],
        what: Event,
        setup: &AttestedSetup,
    ) -> Result<(), TranscriptError> {
        let order = TranscriptError::Order { number };
        let genesis = self.offer.purpose == SetupPurpose::Genesis;
        match what {
            Event::SeedSplit {
                share_set,
                holders,
                share_commitments,
                seed_commitment,
            } if genesis && self.split.is_none() => {
                let policy = SharePolicy::of_share_set(&share_set).map_err(|_| TranscriptError::OtherHolders)?;
                let members = share_set.members.iter();
                let same = share_set == *setup.share_set()
                    && holders.len() == share_set.members.len()
                    && share_commitments.len() == holders.len()
                    && members.zip(&holders).all(|(member, card)| {
                        (&member.name, member.role, &member.key) == (&card.name, card.role, &card.encryption_key)
                    });
                if !same {
                    return Err(TranscriptError::OtherHolders);
                }
                self.split = Some(Split {
                    hash,
                    policy,
                    holders,
                    share_commitments,
                    seed_commitment,
                });
            }
            Event::HalfWrapped { .. } if genesis && self.split.is_some() => {}
            Event::ShareAcknowledged { holder, number: of } if genesis => {
                if self.name_of(of) != Some(&*holder) || self.acknowledged.contains(&holder) {
                    return Err(order);
                }
                self.acknowledged.push(holder);
            }
            Event::ShareAccepted { holder, .. } if !genesis && self.restored.is_none() => self.accepted.push(holder),
            Event::ShareRefused { .. } if !genesis => {}
            Event::SeedRestored {
                seed_commitment,
                genesis: of,
            } if !genesis && self.restored.is_none() => self.restored = Some((seed_commitment, of)),
            _ => return Err(order),
        }
        Ok(())
    }

    /// Which ceremony.
    #[must_use]
    pub const fn purpose(&self) -> SetupPurpose {
        self.offer.purpose
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.offer.namespace
    }

    /// The holders who signed that they have their share.
    #[must_use]
    pub fn acknowledged(&self) -> &[String] {
        &self.acknowledged
    }

    /// The holders of a genesis, in order of their numbers.
    #[must_use]
    pub fn holders(&self) -> &[HolderCard] {
        self.split.as_ref().map_or(&[], |split| &split.holders)
    }

    /// The holders whose shares a cold start took.
    #[must_use]
    pub fn accepted(&self) -> &[String] {
        &self.accepted
    }

    /// Whether a cold start brought back the seed of this genesis.
    #[must_use]
    pub fn restores(&self, genesis: &Self) -> bool {
        self.restored == Some((*genesis.seed_commitment(), *genesis.split_hash()))
    }

    /// Whether this is the seed that a genesis made: a seed somebody hands over is worth nothing before.
    #[must_use]
    pub fn made(&self, seed: &NamespaceSeed) -> bool {
        self.split.is_some()
            && Namespace::parse(self.namespace())
                .is_ok_and(|namespace| seed.is_committed_by(&namespace, self.seed_commitment()))
    }

    pub(super) const fn setup(&self) -> &[u8; 64] {
        &self.setup
    }

    pub(super) fn split_hash(&self) -> &[u8; 32] {
        self.split.as_ref().map_or(&[0; 32], |split| &split.hash)
    }

    pub(super) fn seed_commitment(&self) -> &[u8; 32] {
        self.split.as_ref().map_or(&[0; 32], |split| &split.seed_commitment)
    }

    pub(super) fn share_commitments(&self) -> &[[u8; 32]] {
        self.split.as_ref().map_or(&[], |split| &split.share_commitments)
    }

    pub(super) fn policy(&self) -> Result<&SharePolicy, ShareError> {
        self.split
            .as_ref()
            .map(|split| &split.policy)
            .ok_or(ShareError::Malformed)
    }

    pub(super) fn signature_key(&self, holder: &str) -> Option<&P256PublicKey> {
        let card = self.holders().iter().find(|card| card.name == holder)?;
        Some(&card.signature_key)
    }

    pub(super) fn name_of(&self, number: u8) -> Option<&str> {
        let index = usize::from(number).checked_sub(1)?;
        self.holders().get(index).map(|card| &*card.name)
    }

    pub(super) fn check_share(&self, share: &Share) -> Result<(), ShareError> {
        check_share(share, self.policy()?, self.share_commitments())
    }
}
