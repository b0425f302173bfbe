//! Where the keys of the lock `quorum+hsm` come from (tee.md 4.4): the namespace seed lives only in the memory of attested instances, and comes there
//! by a genesis, from a quorum's shares, or from an instance that has it. All through files in a directory: whoever carries them learns nothing.
//!
//! | What | Who | In the exchange directory |
//! |---|---|---|
//! | [`genesis()`] | a root instance, once | `genesis/`: everything a holder needs; she adds her acknowledgement to `transcript` |
//! | [`cold_start()`] | a root instance, when none has the seed | `cold-start-…/`: offer and evidence; holders put `NAME.posted.json` there |
//! | [`join_root`], [`join_serving`] | a root instance, or one that serves | `join-…/`: request and evidence; a donor answers there |
//! | [`Giver`] | every root instance, while it runs | `donor-…/`: offer, evidence, transcript |
//!
//! Trusted for: a seed that is not the genesis' is not used; keys are taken from an attested root instance under the same manifest and given to
//! admitted instances under it, each with an entry in a signed transcript. Does not: decide who is admitted (the room `evidence`), seal (the room
//! `vault`), or keep a courier from losing files.

use std::time::Duration;

use evidence::{manifest::InstanceRole, platform::Evidence};
use jose::UnixTime;
use thiserror::Error;
use vault::{
    Namespace, NamespaceSeed, UnlockedRoot, Vault,
    ceremony::{AttestedSetup, CeremonyError, SetupOffer, Transcript, VerifiedTranscript, verify_transcript},
    hsm::{Hsm, HsmError, WrappedHalf},
};

use crate::{
    clock::Clock,
    instance::{Instance, InstanceError},
};

mod cold_start;
mod exchange;
mod genesis;
mod give;
mod join;

pub use cold_start::cold_start;
pub use exchange::{ExchangeError, Folder};
pub use genesis::genesis;
pub use give::Giver;
pub use join::{join_root, join_serving};

/// How often the directory is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// How often it is said that somebody is waited for.
const REMINDER_LOOKS: u32 = 300;

/// Names of the files of a ceremony: those `healthid ceremony` reads and writes.
mod file {
    pub const MANIFESTS: &str = "manifest.json";
    pub const OFFER: &str = "offer.json";
    pub const EVIDENCE: &str = "evidence";
    pub const TRANSCRIPT: &str = "transcript";
    pub const PINS: &str = "pins.json";
    pub const HALF: &str = "hsm-half";
}

/// Why no keys came, or none were given.
#[derive(Debug, Error)]
pub enum ProvisioningError {
    /// A file.
    #[error("exchange: {0}")]
    Exchange(#[from] ExchangeError),
    /// This instance, or another's evidence.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The hardware security module.
    #[error("hardware security module: {0} [{code}]. {advice}", code = .0.code(), advice = advice(*.0))]
    Hsm(#[from] HsmError),
    /// The ceremony.
    #[error("{what}: {reason} [{}]", .reason.code())]
    Ceremony {
        /// Which part of it.
        what: &'static str,
        /// Why.
        reason: CeremonyError,
    },
    /// A file of the ceremony is none.
    #[error("{0}: not a file of this ceremony")]
    Malformed(String),
    /// A donor's answer.
    #[error(
        "the donor {donor} refuses keys [{code}]. Its transcript says so too; `healthid ceremony verify-transcript` reads it"
    )]
    Refused {
        /// Which.
        donor: String,
        /// Why, in its words.
        code: String,
    },
    /// What came is not what was asked for.
    #[error("the keys that came are not those asked for: {0}")]
    OtherKeys(&'static str),
    /// A root instance wants to know its genesis.
    #[error("vault.genesis: missing: a root instance compares the seed with its genesis")]
    NoGenesis,
}

impl ProvisioningError {
    /// A stable name for events.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exchange(_) => "exchange.file",
            Self::Instance(error) => error.code(),
            Self::Hsm(error) => error.code(),
            Self::Ceremony { reason, .. } => reason.code(),
            Self::Malformed(_) => "exchange.malformed",
            Self::Refused { .. } => "exchange.refused",
            Self::OtherKeys(_) => "exchange.other_keys",
            Self::NoGenesis => "exchange.no_genesis",
        }
    }

    fn ceremony(what: &'static str) -> impl Fn(CeremonyError) -> Self {
        move |reason| Self::Ceremony { what, reason }
    }
}

/// What to do about the module, in one sentence.
#[must_use]
pub const fn advice(error: HsmError) -> &'static str {
    match error {
        HsmError::Module => {
            "Check vault.hsm.module, and that vault.hsm.library_reads and library_writes name every file and directory the library opens"
        }
        HsmError::Gone => {
            "Check that the module is reachable, that vault.hsm.token names its token, and that vault.hsm.library_reads and library_writes name what \
             its library opens"
        }
        HsmError::Slow | HsmError::Busy => "Look at the module and the way to it",
        HsmError::PinWrong | HsmError::PinNotTriedAgain => {
            "Correct vault.hsm.pin_file; it was tried once, so that the token does not lock itself"
        }
        HsmError::PinLocked => "Its security officer must unlock the token",
        HsmError::KeyAbsent => "The token has no such key: is it the right token, and was it restored whole?",
        HsmError::KeyExists => "Take another vault.hsm.wrapping_key, or use the one that is there",
        HsmError::KeyUnfit => "A key that came from outside or could leave is not used: make a new one",
        HsmError::NotUnwrapped => {
            "The wrapped half belongs to another key, token or namespace: take this site's file of this namespace's genesis"
        }
        HsmError::Label => "Correct vault.hsm.wrapping_key",
        HsmError::Failed => "The module's own log says why",
    }
}

/// Everything an instance needs to get or give keys.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    /// This instance.
    pub instance: &'a Instance,
    /// The exchange directory.
    pub exchange: &'a Folder,
    /// The directory a genesis left.
    pub genesis: Option<&'a Folder>,
}

impl Table<'_> {
    fn namespace(&self) -> Result<Namespace, ProvisioningError> {
        let in_force = self.instance.in_force();
        let name = &in_force.approved.manifest().namespace;
        Namespace::parse(name).map_err(|error| ProvisioningError::ceremony("namespace")(error.into()))
    }

    /// Evidence over a ceremony's offer, both written down.
    fn show(&self, folder: &Folder, offer: &SetupOffer) -> Result<Evidence, ProvisioningError> {
        let evidence = self.instance.evidence(&offer.report_data())?;
        let in_force = self.instance.in_force();
        folder.write(file::MANIFESTS, &evidence::bundle::encode_manifests(&in_force.chain))?;
        folder.write(file::EVIDENCE, &evidence.to_bytes())?;
        folder.write(file::OFFER, &serde_json::to_vec_pretty(offer).unwrap_or_default())?;
        Ok(evidence)
    }

    /// The genesis, verified as of then: its evidence and its manifest have ended since.
    fn verified_genesis(&self) -> Result<VerifiedTranscript, ProvisioningError> {
        let folder = self.genesis.ok_or(ProvisioningError::NoGenesis)?;
        let transcript = transcript(folder)?;
        let then = transcript
            .begun_at()
            .ok_or_else(|| malformed(folder, file::TRANSCRIPT))?;
        let (offer, evidence) = offer(folder)?;
        let manifests = folder.read(file::MANIFESTS)?;
        let setup = self.instance.attested_then(&manifests, &offer, &evidence, then)?;
        let verified = verify_transcript(&transcript, &setup);
        verified.map_err(|error| ProvisioningError::ceremony("the genesis' transcript")(error.into()))
    }
}

/// The root of a namespace, opened by both locks.
///
/// # Errors
/// [`ProvisioningError::Hsm`].
pub fn open_root(
    namespace: &Namespace,
    seed: &NamespaceSeed,
    hsm: &Hsm,
    wrapped: &WrappedHalf,
) -> Result<Vault, ProvisioningError> {
    let half = hsm.unwrap_half(namespace, wrapped)?;
    Ok(Vault::open(UnlockedRoot::from_locks(namespace, seed, &half)))
}

/// Offer and evidence of a ceremony. Nothing is verified.
fn offer(folder: &Folder) -> Result<(SetupOffer, Evidence), ProvisioningError> {
    let offer = serde_json::from_slice(&folder.read(file::OFFER)?).map_err(|_| malformed(folder, file::OFFER))?;
    let evidence = Evidence::parse(&folder.read(file::EVIDENCE)?).map_err(|_| malformed(folder, file::EVIDENCE))?;
    Ok((offer, evidence))
}

fn transcript(folder: &Folder) -> Result<Transcript, ProvisioningError> {
    let malformed = || malformed(folder, file::TRANSCRIPT);
    let text = String::from_utf8(folder.read(file::TRANSCRIPT)?).map_err(|_| malformed())?;
    Transcript::parse(&text).map_err(|_| malformed())
}

fn malformed(folder: &Folder, name: &str) -> ProvisioningError {
    ProvisioningError::Malformed(folder.path().join(name).display().to_string())
}

/// Own evidence for a ceremony, as others will judge it: what they would refuse is refused here.
fn own_setup(
    table: &Table<'_>,
    offer: &SetupOffer,
    evidence: &Evidence,
    now: UnixTime,
) -> Result<AttestedSetup, ProvisioningError> {
    Ok(table.instance.attested(offer, evidence, now)?)
}

/// Looks again and again, and says now and then for whom it waits.
async fn wait_for<T>(
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>, ProvisioningError>,
) -> Result<T, ProvisioningError> {
    for round in 0_u32.. {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if round % REMINDER_LOOKS == 0 {
            tracing::warn!(event = "waiting_for_keys", detail = %what, "not serving yet");
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Err(ProvisioningError::Malformed(what.to_owned()))
}

/// Checks everything that can be checked before any key is there.
///
/// # Errors
/// [`ProvisioningError`].
pub fn check(table: &Table<'_>, role: InstanceRole, clock: &dyn Clock) -> Result<(), ProvisioningError> {
    table.instance.check_own_admission(role, clock.now())?;
    if role == InstanceRole::Root && table.genesis.is_some() {
        table.verified_genesis()?;
    }
    Ok(())
}
