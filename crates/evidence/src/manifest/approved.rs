//! From a document to a manifest that counts.

use jose::UnixTime;

use super::{AdmissionError, ApprovedInstance, Envelope, Governance, InstanceRole, Manifest, ManifestError};
use super::{OrganisationRole, admission, canonical_json};
use crate::encoding::sha256;
use crate::platform::Evidence;
use crate::transparency::{InclusionProof, LogReader, LogView, LogWriterError, SignedCheckpoint};
use crate::verify::{Roots, VerificationTime, VerifiedEvidence, verify};

/// Greatest number of manifests between the trusted set and the current one: only manifests that changed the
/// governance are needed.
pub const MAX_HANDOVERS: usize = 16;

/// Whom one believes before reading a manifest: pinned by a verifier, or taken over from the manifest in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The namespace.
    pub namespace: String,
    /// Who decides, which log, which witnesses.
    pub governance: Governance,
}

/// What was seen before and must not be undone. Kept by whoever verifies more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The highest number.
    pub number: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// The tree it was seen in. When given, the way from there to the tree shown must be proven
    /// ([`LoggedManifest::consistency`]): whoever remembers a tree takes that proof from the log's tiles, since whoever
    /// shows a manifest cannot know what others saw.
    pub log: Option<LogView>,
}

/// A manifest as it travels: the log's entry, where it stands, and the log's word for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedManifest {
    /// [`Envelope::encode`].
    pub envelope: Vec<u8>,
    /// Its place in the log and the path to the root.
    pub inclusion: InclusionProof,
    /// The signed note: checkpoint, the log's signature, the witnesses' cosignatures.
    pub checkpoint: String,
    /// Path between the tree seen before and this one; empty when nothing was seen. Filled in by whoever remembers.
    pub consistency: Vec<[u8; 32]>,
}

impl LoggedManifest {
    /// What stands at `index` in a log, with the log's current checkpoint and its cosignatures, and the way from the
    /// tree of `seen_size` entries (0 when nothing was seen). Nothing is verified.
    ///
    /// # Errors
    /// [`LogWriterError`] when there is no such entry or the log is damaged.
    pub fn from_log(log: &LogReader, index: u64, seen_size: u64) -> Result<Self, LogWriterError> {
        Ok(Self {
            envelope: log.entry(index)?,
            inclusion: log.prove_inclusion(index)?,
            checkpoint: log.checkpoint()?.ok_or(LogWriterError::OutOfRange)?,
            consistency: log.prove_consistency(seen_size)?,
        })
    }
}

/// Somebody whose approval was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// The name in the set.
    pub name: String,
    /// For whom it speaks.
    pub role: OrganisationRole,
}

/// A manifest that holds: approved, logged, witnessed, not older than what was seen, valid at the time it was verified.
///
/// Only [`ApprovedManifest::verify`] makes one.
#[derive(Clone, Debug)]
pub struct ApprovedManifest {
    manifest: Manifest,
    hash: [u8; 32],
    approved_by: Vec<SignedBy>,
    witnesses: Vec<String>,
    included_since: UnixTime,
    log: LogView,
    is_emergency: bool,
}

impl ApprovedManifest {
    /// Verifies the current manifest, reached from `trust` over manifests that changed the governance.
    ///
    /// `chain` ends with the current one. Each is approved by the set of the one before (the first by `trust`'s), stands
    /// in that one's log, and has a higher number. Manifests that changed nobody's powers may be left out. A manifest
    /// that is only passed through may have expired; the last must be valid at `now`.
    ///
    /// What this cannot know: whether a newer manifest exists (its validity bounds that), and whether a set that handed
    /// over its powers since conspires again (its forgery would have to stand in the log, and pins that are renewed
    /// stop believing it).
    ///
    /// # Errors
    /// [`ManifestError`], a variant per reason.
    pub fn verify(
        chain: &[LoggedManifest],
        trust: &Trust,
        seen: Option<&Seen>,
        now: UnixTime,
    ) -> Result<Self, ManifestError> {
        let length = ManifestError::ChainLength {
            expected: MAX_HANDOVERS,
        };
        if chain.len() > MAX_HANDOVERS {
            return Err(length);
        }
        let mut trust = trust.clone();
        let mut last: Option<Self> = None;
        for logged in chain {
            let approved = Self::verify_one(logged, &trust, now)?;
            if let Some(before) = &last
                && approved.manifest.number <= before.manifest.number
            {
                return Err(ManifestError::NumberLower {
                    number: approved.manifest.number,
                    seen: before.manifest.number,
                });
            }
            trust = approved.trust();
            last = Some(approved);
        }
        let (Some(approved), Some(logged)) = (last, chain.last()) else {
            return Err(length);
        };
        if let Some(seen) = seen {
            approved.check_not_older(seen, logged)?;
        }
        approved.check_time(now)?;
        Ok(approved)
    }

    /// Approvals, log and witnesses of one manifest, and how long it has stood there.
    fn verify_one(logged: &LoggedManifest, trust: &Trust, now: UnixTime) -> Result<Self, ManifestError> {
        let governance = &trust.governance;
        let envelope = Envelope::parse(&logged.envelope)?;
        if envelope.manifest.namespace != trust.namespace {
            return Err(ManifestError::OtherNamespace);
        }
        let approved_by = envelope.check_approvals(&governance.manifest_set)?;
        let checkpoint = SignedCheckpoint::parse(&logged.checkpoint)?
            .verify(&governance.log)?
            .cosigned(&governance.witnesses, governance.witness_threshold, now)?;
        checkpoint.check_included(&logged.envelope, &logged.inclusion)?;
        let is_emergency = approved_by.len() >= usize::from(governance.emergency_approvals);
        let included_since = checkpoint.witnessed_since();
        let age_seconds = now.seconds_since(included_since);
        let needed_seconds = governance.minimum_inclusion_seconds;
        if age_seconds < needed_seconds && !is_emergency {
            return Err(ManifestError::TooYoung {
                age_seconds,
                needed_seconds,
            });
        }
        Ok(Self {
            hash: envelope.manifest.hash(),
            manifest: envelope.manifest,
            approved_by,
            witnesses: checkpoint.witnesses().to_vec(),
            included_since,
            log: checkpoint.view(),
            is_emergency,
        })
    }

    fn check_not_older(&self, seen: &Seen, logged: &LoggedManifest) -> Result<(), ManifestError> {
        let number = self.manifest.number;
        if number < seen.number {
            return Err(ManifestError::NumberLower {
                number,
                seen: seen.number,
            });
        }
        if number == seen.number && self.hash != seen.hash {
            return Err(ManifestError::NumberReused { number });
        }
        if number == seen.number.saturating_add(1) && self.manifest.previous != seen.hash {
            return Err(ManifestError::OtherPredecessor);
        }
        match &seen.log {
            None => Ok(()),
            Some(log) => Ok(log.check_consistent(&self.log, &logged.consistency)?),
        }
    }

    /// Whether it is valid at `now`; asked again wherever one is used long after it was verified.
    ///
    /// # Errors
    /// [`ManifestError::NotYetValid`], [`ManifestError::Expired`].
    pub fn check_time(&self, now: UnixTime) -> Result<(), ManifestError> {
        if now < self.manifest.valid_from {
            return Err(ManifestError::NotYetValid);
        }
        if now > self.manifest.valid_until {
            return Err(ManifestError::Expired);
        }
        Ok(())
    }

    /// Whether verified evidence is of an instance that may run as `role` at `now`.
    ///
    /// # Errors
    /// [`AdmissionError`], a variant per reason.
    pub fn admit(
        &self,
        evidence: &VerifiedEvidence,
        role: InstanceRole,
        now: UnixTime,
    ) -> Result<ApprovedInstance, AdmissionError> {
        admission::admit(self, evidence, role, now)
    }

    /// Verifies evidence under this manifest's platform policy and admits the instance: [`crate::verify::verify`] and
    /// [`ApprovedManifest::admit`] in one, so that nobody verifies under another policy by mistake.
    ///
    /// # Errors
    /// [`AdmissionError`]; [`AdmissionError::Evidence`] carries the verifier's reason.
    pub fn verify_and_admit(
        &self,
        evidence: &Evidence,
        roots: &Roots,
        clock: VerificationTime,
        role: InstanceRole,
    ) -> Result<ApprovedInstance, AdmissionError> {
        let verified = verify(evidence, roots, &self.manifest.platform_policy, clock)?;
        self.admit(&verified, role, clock.now)
    }

    /// SHA-256 of the canonical encoding.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The document.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whose approvals were verified.
    #[must_use]
    pub fn approved_by(&self) -> &[SignedBy] {
        &self.approved_by
    }

    /// The witnesses whose cosignatures were verified.
    #[must_use]
    pub fn witnesses(&self) -> &[String] {
        &self.witnesses
    }

    /// Since when enough witnesses vouch that it stands in the log.
    #[must_use]
    pub fn included_since(&self) -> UnixTime {
        self.included_since
    }

    /// Whether it has the approvals of an emergency, which need not wait in the log.
    #[must_use]
    pub fn is_emergency(&self) -> bool {
        self.is_emergency
    }

    /// Whom to believe about the manifest after this one.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust {
            namespace: self.manifest.namespace.clone(),
            governance: self.manifest.governance.clone(),
        }
    }

    /// The tree it was shown in.
    #[must_use]
    pub fn log(&self) -> LogView {
        self.log
    }

    /// What to remember, so that nothing older is accepted later.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen {
            number: self.manifest.number,
            hash: self.hash,
            log: Some(self.log),
        }
    }
}

impl Trust {
    /// A short name for a trust, to compare by eye: SHA-256 over namespace and governance.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let governance = canonical_json(&self.governance);
        sha256(&[self.namespace.as_bytes(), b"\n", &governance])
    }
}
