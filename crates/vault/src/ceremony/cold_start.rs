//! Cold start: holders bring the seed back into an attested instance.

use std::fmt;

use jose::{SoftwareKey, UnixTime, jws};
use serde::{Deserialize, Serialize};

use super::encoding::{Framed, bytes, sha256};
use super::hpke_seal::seal;
use super::transcript::{Event, Transcript, VerifiedTranscript};
use super::{AttestedSetup, CeremonyError, Setup, SetupPurpose};
use crate::NamespaceSeed;
use crate::shares::{MAX_HOLDERS, SHARE_BYTES, Share, ShareError, combine};

/// Shares of more than this many holders, or the same ones again, are not even opened.
const MAX_POSTED: usize = 4 * MAX_HOLDERS;

/// A share on its way to one attested instance: sealed to its setup key, signed by the holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostedShare {
    /// The holder's name.
    pub holder: String,
    /// HPKE, to the setup key.
    #[serde(with = "bytes")]
    pub sealed: Vec<u8>,
    /// The holder's signature over both and over what they are for: compact JWS.
    pub signed: String,
}

fn info(to: &[u8; 64], genesis: &VerifiedTranscript) -> Vec<u8> {
    Framed::new("healthid-posted-share/v1")
        .field(to)
        .field(genesis.split_hash())
        .bytes()
}

fn header() -> jws::SigningHeader<'static> {
    jws::SigningHeader {
        typ: Some("healthid-posted-share+jwt"),
        ..Default::default()
    }
}

impl PostedShare {
    pub(super) fn seal(
        share: &Share,
        holder: &str,
        signing: &SoftwareKey,
        genesis: &VerifiedTranscript,
        to: &AttestedSetup,
    ) -> Result<Self, CeremonyError> {
        let offer = to.offer();
        if offer.purpose != SetupPurpose::ColdStart {
            return Err(CeremonyError::WrongRole);
        }
        if offer.namespace != genesis.namespace() {
            return Err(CeremonyError::OtherNamespace);
        }
        let info = info(&offer.report_data(), genesis);
        let content = share.to_bytes();
        let sealed = seal(&offer.setup_key, &info, holder.as_bytes(), &content[..])?;
        let signed = jws::sign(&header(), &signed_content(&info, &sealed), signing);
        Ok(Self {
            holder: holder.to_owned(),
            sealed,
            signed: signed.map_err(|_| CeremonyError::Failed)?,
        })
    }
}

/// Hash of what it is for and of the sealed share, as a JSON string.
fn signed_content(info: &[u8], sealed: &[u8]) -> Vec<u8> {
    let hash = sha256(
        &Framed::new("healthid-posted-share/v1 signature")
            .field(info)
            .field(sealed)
            .bytes(),
    );
    format!("{{\"hash\":\"{}\"}}", jose::base64url::encode(&hash)).into_bytes()
}

/// A cold start under way in an attested instance. `Debug` prints the type only.
pub struct ColdStart {
    setup: Setup,
    genesis: VerifiedTranscript,
    shares: Vec<Share>,
    posted: usize,
    transcript: Transcript,
}

impl ColdStart {
    /// Begins: the setup's offer is published with its evidence. `genesis` is the transcript everybody has.
    ///
    /// # Errors
    /// [`CeremonyError::WrongRole`] unless the setup is for a cold start; [`CeremonyError::OtherNamespace`].
    pub fn begin(
        setup: Setup,
        genesis: VerifiedTranscript,
        evidence: &[u8],
        now: UnixTime,
    ) -> Result<Self, CeremonyError> {
        if setup.offer.purpose != SetupPurpose::ColdStart {
            return Err(CeremonyError::WrongRole);
        }
        if setup.offer.namespace != genesis.namespace() {
            return Err(CeremonyError::OtherNamespace);
        }
        let mut transcript = Transcript::default();
        let event = Event::SetupBegun {
            offer: setup.offer.clone(),
            evidence: sha256(evidence),
        };
        transcript.append(&setup.transcript_key, now, event)?;
        Ok(Self {
            setup,
            genesis,
            shares: Vec::new(),
            posted: 0,
            transcript,
        })
    }

    /// Takes a share, or refuses it; either stands in the transcript.
    ///
    /// # Errors
    /// [`CeremonyError::NotOpened`] if it was sealed to another instance, for another ceremony or genesis;
    /// [`CeremonyError::Share`] if it is not the holder's share; [`CeremonyError::Malformed`] if she did not sign it.
    pub fn accept(&mut self, posted: &PostedShare, now: UnixTime) -> Result<(), CeremonyError> {
        let opened = self.open(posted);
        let event = match &opened {
            Ok(share) => Event::ShareAccepted {
                holder: posted.holder.clone(),
                number: share.number(),
            },
            Err(error) => Event::ShareRefused {
                code: error.code().to_owned(),
            },
        };
        if self.posted <= MAX_POSTED {
            self.transcript.append(&self.setup.transcript_key, now, event)?;
        }
        self.shares.push(opened?);
        Ok(())
    }

    fn open(&mut self, posted: &PostedShare) -> Result<Share, CeremonyError> {
        self.posted += 1;
        if self.posted > MAX_POSTED {
            return Err(CeremonyError::Malformed);
        }
        let info = info(&self.setup.offer.report_data(), &self.genesis);
        let key = self
            .genesis
            .signature_key(&posted.holder)
            .ok_or(CeremonyError::Malformed)?;
        let signed = jws::parse(&posted.signed, &jose::json::DEFAULT).map_err(|_| CeremonyError::Malformed)?;
        let right_type = signed.header().typ.as_deref() == header().typ;
        let signed = signed.verify(key).map_err(|_| CeremonyError::Malformed)?;
        let content = self
            .setup
            .opening
            .open(&info, posted.holder.as_bytes(), &posted.sealed)?;
        if !right_type || signed.bytes() != signed_content(&info, &posted.sealed) {
            return Err(CeremonyError::Malformed);
        }
        let content: &[u8; SHARE_BYTES] = content[..].try_into().map_err(|_| ShareError::Malformed)?;
        let share = Share::parse(content)?;
        self.genesis.check_share(&share)?;
        if self.genesis.name_of(share.number()) != Some(&*posted.holder) {
            return Err(ShareError::Wrong { number: share.number() }.into());
        }
        if self.shares.iter().any(|earlier| earlier.number() == share.number()) {
            return Err(ShareError::Twice { number: share.number() }.into());
        }
        Ok(share)
    }

    /// The transcript so far.
    #[must_use]
    pub const fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Restores the seed, equal to the one of genesis, and closes the transcript. The setup key is gone afterwards.
    ///
    /// # Errors
    /// [`CeremonyError::Share`]: too few, a role missing. The ceremony goes on: take more shares and ask again.
    pub fn finish(&mut self, now: UnixTime) -> Result<(NamespaceSeed, Transcript), CeremonyError> {
        let genesis = &self.genesis;
        let is_the_seed = |seed: &NamespaceSeed| seed.is_committed_by(&self.setup.namespace, genesis.seed_commitment());
        let seed = combine(
            &self.shares,
            genesis.policy()?,
            genesis.share_commitments(),
            is_the_seed,
        )?;
        let event = Event::SeedRestored {
            seed_commitment: *genesis.seed_commitment(),
            genesis: *genesis.split_hash(),
        };
        self.transcript.append(&self.setup.transcript_key, now, event)?;
        self.shares.clear();
        Ok((seed, self.transcript.clone()))
    }
}

impl fmt::Debug for ColdStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ColdStart")
    }
}
