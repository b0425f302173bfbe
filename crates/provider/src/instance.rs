//! This process as an attested instance: the platform that vouches for it, the manifest it runs under, and whether that manifest admits it.
//!
//! Trusted for: an [`Instance`] exists only under a manifest that holds; evidence of others is judged by the same manifest and pins; a newer manifest
//! takes effect only if the one in force leads to it. Does not: choose whom to believe (the pin file says), fetch anything, or decide whether the
//! world believes *us*: a verifier with other pins sees another manifest's hash in our evidence.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use evidence::{
    bundle::{AttestorSettings, BundleError, parse_manifests},
    manifest::{
        AdmissionError, ApprovedInstance, ApprovedManifest, InstanceRole, ListedMeasurement, LoggedManifest,
        ManifestError,
    },
    platform::{Evidence, MAX_COLLATERAL_BYTES, Platform},
    produce::{PlatformPaths, ProduceError, Producer, ReportData, TpmEndpoint, TpmProducer, detect},
    profile::HardeningProfile,
    verdict::{Pins, PinsError},
    verify::{VerificationTime, verify},
};
use jose::UnixTime;
use thiserror::Error;
use vault::ceremony::{AttestedSetup, CeremonyError, SetupOffer};

use crate::{
    Attestation,
    config::{EvidenceConfig, UnreadableFile, read},
};

/// Until when a quote is shown should renewing it fail: before verifiers refuse it (two hours).
const OLDEST_QUOTE_SECONDS: u64 = 5_400;

/// Why there is no instance, or why it does not believe another.
#[derive(Debug, Error)]
pub enum InstanceError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] UnreadableFile),
    /// Nothing on this machine vouches for the process.
    #[error(
        "no platform vouches for this process. Looked for SGX under Gramine ({}), TDX or SEV-SNP ({}), a TPM ({}). \
         On a machine without any there is no evidence: take [evidence] out, which the lock 'quorum+hsm' does not allow",
        .0.attestation.display(), .0.tsm.display(), .0.tpm.display()
    )]
    NoPlatform(PlatformPaths),
    /// The platform did not vouch for it.
    #[error("evidence: {0} [{code}]", code = .0.code())]
    Produce(#[from] ProduceError),
    /// The pin file.
    #[error("evidence.pins: {0}")]
    Pins(#[from] PinsError),
    /// The file of manifests.
    #[error("evidence.manifests: {0} [{code}]", code = .0.code())]
    Manifests(#[from] BundleError),
    /// No manifest holds.
    #[error("evidence.manifests: {0} [{code}]. Bring the manifest in force, with its approvals and the log's current checkpoint", code = .0.code())]
    Manifest(#[from] ManifestError),
    /// The manifest does not admit this instance.
    #[error(
        "the manifest in force does not admit this instance as {role}: {reason} [{}]. This instance is {own}; either the manifest set has not \
         approved this build, machine or role, or this is not the machine or build you think it is", .reason.code()
    )]
    NotAdmitted {
        /// As what.
        role: InstanceRole,
        /// Why.
        reason: AdmissionError,
        /// What this instance measures, and where.
        own: String,
    },
    /// Another instance is not admitted.
    #[error("another instance is not admitted: {0} [{code}]", code = .0.code())]
    OtherNotAdmitted(#[from] AdmissionError),
    /// Its evidence is for something else.
    #[error("another instance's evidence: {0} [{code}]", code = .0.code())]
    OtherNotBound(#[from] CeremonyError),
}

impl InstanceError {
    /// A stable name for events and transcripts.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "instance.file",
            Self::NoPlatform(_) => "produce.nothing_found",
            Self::Produce(error) => error.code(),
            Self::Pins(_) => "instance.pins",
            Self::Manifests(error) => error.code(),
            Self::Manifest(error) => error.code(),
            Self::NotAdmitted { reason, .. } => reason.code(),
            Self::OtherNotAdmitted(error) => error.code(),
            Self::OtherNotBound(error) => error.code(),
        }
    }
}

/// An attested instance.
#[derive(Debug)]
pub struct Instance {
    producer: Arc<dyn Producer>,
    pins: Pins,
    pin_file: Vec<u8>,
    manifests: PathBuf,
    interval_seconds: u64,
    current: RwLock<Arc<InForce>>,
}

/// The manifest in force.
#[derive(Debug)]
pub struct InForce {
    /// The way to it: what is shown to verifiers.
    pub chain: Vec<LoggedManifest>,
    /// Verified.
    pub approved: ApprovedManifest,
}

impl Instance {
    /// Finds the platform and verifies the manifest. Evidence is made once, so that a platform that does not answer is noticed here.
    ///
    /// # Errors
    /// [`InstanceError`].
    pub fn open(config: &EvidenceConfig, now: UnixTime) -> Result<Self, InstanceError> {
        let pin_file = read("evidence.pins", &config.pins)?;
        let pins = Pins::parse(&pin_file)?;
        let chain = parse_manifests(&read("evidence.manifests", &config.manifests)?)?;
        let approved = ApprovedManifest::verify(&chain, &pins.trust, pins.seen.as_ref(), now)?;
        let stapled = Stapled {
            producer: find_platform(config)?,
            collateral: config.collateral.clone(),
        };
        Ok(Self {
            producer: Arc::new(stapled),
            pins,
            pin_file,
            manifests: config.manifests.clone(),
            interval_seconds: config.interval_seconds,
            current: RwLock::new(Arc::new(InForce { chain, approved })),
        })
    }

    /// What vouches for it.
    #[must_use]
    pub fn platform(&self) -> Platform {
        self.producer.platform()
    }

    /// The manifest in force.
    #[must_use]
    pub fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The pin file, as it was read.
    #[must_use]
    pub fn pin_file(&self) -> &[u8] {
        &self.pin_file
    }

    /// Evidence over 64 bytes. Blocks, up to a second.
    ///
    /// # Errors
    /// [`InstanceError::Produce`].
    pub fn evidence(&self, report_data: &ReportData) -> Result<Evidence, InstanceError> {
        Ok(self.producer.produce(report_data)?)
    }

    /// Reads the manifests again, and says in the log what came of it. `true` where others are to be shown now. Call it every minute.
    pub fn follow(&self, now: UnixTime) -> bool {
        let before = self.in_force().approved.manifest().number;
        match self.reload(now) {
            Ok(is_changed) => {
                let number = self.in_force().approved.manifest().number;
                if number != before {
                    tracing::warn!(event = "manifest_followed", detail = %format!("{before} to {number}"), "a newer manifest is in force");
                }
                is_changed
            }
            Err(error) => {
                tracing::error!(event = "manifest_not_followed", code = error.code(), detail = %error, "the manifest before stays");
                false
            }
        }
    }

    /// Reads the manifests again. `true` where others are to be shown now. A newer one must follow from the one in force until now, whatever the pin
    /// file says: who has keys from one manifest does not change sides.
    ///
    /// # Errors
    /// [`InstanceError`]; the old one stays in force.
    pub fn reload(&self, now: UnixTime) -> Result<bool, InstanceError> {
        let before = self.in_force();
        let chain = parse_manifests(&read("evidence.manifests", &self.manifests)?)?;
        if chain == before.chain {
            return Ok(before.approved.check_time(now).map(|()| false)?);
        }
        // A checkpoint of a larger tree brings no proof from ours; the way there is for verifiers with a memory.
        let seen = evidence::manifest::Seen {
            log: None,
            ..before.approved.seen()
        };
        let approved = ApprovedManifest::verify(&chain, &self.pins.trust, Some(&seen), now)?;
        if approved.hash() != before.approved.hash() {
            let trust = before.approved.trust();
            let from = |start: usize| ApprovedManifest::verify(&chain[start..], &trust, Some(&seen), now);
            let directly = from(chain.len().saturating_sub(1));
            if directly.is_err() && !(0..chain.len()).any(|start| from(start).is_ok()) {
                directly?;
            }
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(InForce { chain, approved });
        Ok(true)
    }

    /// That the manifest in force admits this very instance.
    ///
    /// # Errors
    /// [`InstanceError::NotAdmitted`] names what this instance measures and where; [`InstanceError::Produce`].
    pub fn check_own_admission(&self, role: InstanceRole, now: UnixTime) -> Result<ApprovedInstance, InstanceError> {
        // No ceremony and no statement has random report data: this evidence is good for nothing else.
        let mut report_data = [0; 64];
        vault::random(&mut report_data);
        let evidence = self.evidence(&report_data)?;
        let in_force = self.in_force();
        let approved = &in_force.approved;
        let clock = VerificationTime {
            now,
            floor: approved.included_since(),
        };
        let refused = |reason: AdmissionError, own: String| InstanceError::NotAdmitted { role, reason, own };
        let policy = &approved.manifest().platform_policy;
        let verified = verify(&evidence, &self.pins.roots, policy, clock).map_err(|error| {
            refused(
                error.into(),
                format!("a {} whose evidence was refused", self.platform()),
            )
        })?;
        approved.admit(&verified, role, now).map_err(|reason| {
            let text = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
            let measurement = text(serde_json::to_string(&ListedMeasurement::from(verified.measurement())));
            let machine = text(serde_json::to_string(verified.platform_id()));
            refused(reason, format!("{measurement} on machine {machine}"))
        })
    }

    /// Judges another instance's evidence by the manifest in force.
    ///
    /// # Errors
    /// [`InstanceError::OtherNotAdmitted`].
    pub fn admit(
        &self,
        evidence: &Evidence,
        role: InstanceRole,
        now: UnixTime,
    ) -> Result<ApprovedInstance, InstanceError> {
        Ok(admit(&self.in_force().approved, &self.pins, evidence, role, now)?)
    }

    /// That an offer is bound to the evidence of an admitted `root` instance.
    ///
    /// # Errors
    /// [`InstanceError::OtherNotAdmitted`], [`InstanceError::OtherNotBound`].
    pub fn attested(
        &self,
        offer: &SetupOffer,
        evidence: &Evidence,
        now: UnixTime,
    ) -> Result<AttestedSetup, InstanceError> {
        attested(&self.in_force().approved, &self.pins, offer, evidence, now)
    }

    /// The same for a ceremony of the past, under the manifest of then, as of then.
    ///
    /// # Errors
    /// [`InstanceError`].
    pub fn attested_then(
        &self,
        manifests: &[u8],
        offer: &SetupOffer,
        evidence: &Evidence,
        then: UnixTime,
    ) -> Result<AttestedSetup, InstanceError> {
        let chain = parse_manifests(manifests)?;
        let approved = ApprovedManifest::verify(&chain, &self.pins.trust, None, then)?;
        attested(&approved, &self.pins, offer, evidence, then)
    }

    /// What to show at the evidence endpoint.
    #[must_use]
    pub fn attestation(&self, role: InstanceRole, lock: &str, hardening: &HardeningProfile) -> Attestation {
        let mut boot_id = [0; 32];
        vault::random(&mut boot_id);
        let in_force = self.in_force();
        let settings = AttestorSettings {
            namespace: in_force.approved.manifest().namespace.clone(),
            role,
            boot_id,
            tls_key_sha256: [0; 32],
            lock: lock.to_owned(),
            hardening: hardening.clone(),
            manifest_hash: in_force.approved.hash(),
            manifests: in_force.chain.clone(),
            interval_seconds: self.interval_seconds,
            max_age_seconds: OLDEST_QUOTE_SECONDS,
        };
        Attestation::new(settings, Box::new(Shared(Arc::clone(&self.producer))))
    }
}

fn admit(
    approved: &ApprovedManifest,
    pins: &Pins,
    evidence: &Evidence,
    role: InstanceRole,
    now: UnixTime,
) -> Result<ApprovedInstance, AdmissionError> {
    let clock = VerificationTime {
        now,
        floor: approved.included_since(),
    };
    approved.verify_and_admit(evidence, &pins.roots, clock, role)
}

fn attested(
    approved: &ApprovedManifest,
    pins: &Pins,
    offer: &SetupOffer,
    evidence: &Evidence,
    now: UnixTime,
) -> Result<AttestedSetup, InstanceError> {
    let instance = admit(approved, pins, evidence, InstanceRole::Root, now)?;
    Ok(AttestedSetup::check(offer, &instance, approved.manifest())?)
}

fn find_platform(config: &EvidenceConfig) -> Result<Box<dyn Producer>, InstanceError> {
    let certificates = config
        .tpm_certificates
        .iter()
        .map(|path| read("evidence.tpm_certificates", path))
        .collect::<Result<Vec<_>, _>>()?;
    let paths = PlatformPaths::linux();
    if let Some(socket) = &config.tpm_emulator {
        let endpoint = TpmEndpoint::Socket(socket.clone());
        // What firmware measured on this machine is not what the emulator's registers hold.
        let producer = TpmProducer::open(endpoint, Path::new("/nonexistent"))?;
        return Ok(Box::new(producer.with_certificates(certificates)));
    }
    detect(&paths, certificates).map_err(|error| match error {
        ProduceError::NothingFound => InstanceError::NoPlatform(paths),
        error => error.into(),
    })
}

/// A platform, with the vendor's statements from a file beside what it says.
#[derive(Debug)]
struct Stapled {
    producer: Box<dyn Producer>,
    collateral: Option<PathBuf>,
}

impl Producer for Stapled {
    fn platform(&self) -> Platform {
        self.producer.platform()
    }

    fn produce(&self, report_data: &ReportData) -> Result<Evidence, ProduceError> {
        let mut evidence = self.producer.produce(report_data)?;
        if let Some(path) = &self.collateral {
            let collateral = std::fs::read(path).map_err(|source| ProduceError::System {
                action: "read evidence.collateral",
                source,
            })?;
            if collateral.len() > MAX_COLLATERAL_BYTES {
                return Err(ProduceError::TooLong {
                    limit: MAX_COLLATERAL_BYTES,
                });
            }
            evidence.collateral = collateral;
        }
        Ok(evidence)
    }
}

/// The instance's platform, for whoever wants one of its own.
#[derive(Debug)]
struct Shared(Arc<dyn Producer>);

impl Producer for Shared {
    fn platform(&self) -> Platform {
        self.0.platform()
    }

    fn produce(&self, report_data: &ReportData) -> Result<Evidence, ProduceError> {
        self.0.produce(report_data)
    }
}

#[cfg(test)]
mod tests;
