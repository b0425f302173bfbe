//! A manifest set, a log and its witnesses, all played by one process: for tests, the sandbox and rehearsals of a
//! ceremony. Only with the feature `simulated`, because whoever holds every key of a set decides alone.
//!
//! The documents, signatures, tiles and cosignatures are real and verified by the same code as everybody else's.

use std::collections::BTreeMap;
use std::path::Path;

use jose::{SoftwareKey, UnixTime};

use crate::manifest::{
    AllowedMeasurement, Approval, Envelope, Format, Governance, InstanceRole, ListedMeasurement, LoggedManifest,
    Machine, Manifest, Member, OrganisationRole, RoleSet, Site, Trust,
};
use crate::platform::{Measurement, Platform, PlatformId};
use crate::transparency::{CosignRequest, LogWriter, SigningKey, Witness};
use crate::verify::PlatformPolicy;

/// The people of a rehearsal: two insurers, an auditor, the manufacturer, the operator.
pub const MEMBERS: [(&str, OrganisationRole); 5] = [
    ("auditor-a", OrganisationRole::Auditor),
    ("insurer-a", OrganisationRole::Insurer),
    ("insurer-b", OrganisationRole::Insurer),
    ("manufacturer-a", OrganisationRole::Manufacturer),
    ("operator-a", OrganisationRole::Operator),
];

/// Those of [`MEMBERS`] that are just enough: three, an auditor and an insurer among them.
pub const QUORUM: [&str; 3] = ["auditor-a", "insurer-a", "operator-a"];

/// How long a manifest of a rehearsal stands in the log before it holds.
pub const MINIMUM_INCLUSION_SECONDS: u64 = 3600;

/// What went wrong in a rehearsal, for a test's message.
#[derive(Debug, thiserror::Error)]
#[error("rehearsal: {0}")]
pub struct RehearsalError(String);

fn failed(error: impl std::fmt::Display) -> RehearsalError {
    RehearsalError(error.to_string())
}

/// Everybody who decides, with their keys.
pub struct Rehearsal {
    namespace: String,
    members: BTreeMap<&'static str, SoftwareKey>,
    governance: Governance,
    log: LogWriter,
    witnesses: Vec<Witness>,
}

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Rehearsal")
    }
}

impl Rehearsal {
    /// Fresh keys for everybody; the log and the witnesses' memories lie in `directory`.
    ///
    /// Three members approve, among them an auditor and an insurer; five are an emergency; two of three witnesses
    /// cosign.
    ///
    /// # Errors
    /// When a key or a file cannot be made.
    pub fn begin(directory: &Path, namespace: &str) -> Result<Self, RehearsalError> {
        let log_key = SigningKey::generate("log.rehearsal.example/manifests").map_err(failed)?;
        let log_name = log_key.public().clone();
        let mut witnesses = Vec::new();
        for name in ["a", "b", "c"] {
            let key = SigningKey::generate(&format!("witness-{name}.rehearsal.example")).map_err(failed)?;
            let memory = directory.join(format!("witness-{name}.json"));
            witnesses.push(Witness::new(key, log_name.clone(), memory));
        }
        let mut members = BTreeMap::new();
        let mut listed = Vec::new();
        for (name, role) in MEMBERS {
            let key = SoftwareKey::generate(name).map_err(failed)?;
            listed.push(Member {
                key: key.public_key().clone(),
                name: name.to_owned(),
                role,
            });
            members.insert(name, key);
        }
        let governance = Governance {
            emergency_approvals: 5,
            log: log_name,
            manifest_set: RoleSet {
                at_least: BTreeMap::from([(OrganisationRole::Auditor, 1), (OrganisationRole::Insurer, 1)]),
                members: listed,
                threshold: 3,
            },
            minimum_inclusion_seconds: MINIMUM_INCLUSION_SECONDS,
            witness_threshold: 2,
            witnesses: witnesses.iter().map(|witness| witness.public().clone()).collect(),
        };
        Ok(Self {
            namespace: namespace.to_owned(),
            members,
            governance,
            log: LogWriter::open(directory.join("log"), log_key).map_err(failed)?,
            witnesses,
        })
    }

    /// What a verifier pins.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust {
            namespace: self.namespace.clone(),
            governance: self.governance.clone(),
        }
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &LogWriter {
        &self.log
    }

    /// The witnesses.
    #[must_use]
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// A member's key.
    ///
    /// # Errors
    /// When there is no such member.
    pub fn member(&self, name: &str) -> Result<&SoftwareKey, RehearsalError> {
        self.members.get(name).ok_or_else(|| failed("no such member"))
    }

    /// A manifest that admits one build in both roles on one machine, valid for a year from `from`. Change what you
    /// like before [`Rehearsal::publish`]. The share set is the manifest set.
    #[must_use]
    pub fn manifest(
        &self,
        number: u64,
        measurement: &Measurement,
        machine: (Platform, &PlatformId),
        from: UnixTime,
    ) -> Manifest {
        Manifest {
            format: Format::V1,
            governance: self.governance.clone(),
            measurements: vec![AllowedMeasurement {
                build_recipe: [0xb1; 32],
                commit: vec![0xc0; 20],
                measurement: ListedMeasurement::from(measurement),
                minimum_security_version: 0,
                roles: vec![InstanceRole::Root, InstanceRole::Serve],
                version: "0.1.0".to_owned(),
            }],
            namespace: self.namespace.clone(),
            number,
            platform_policy: PlatformPolicy::default(),
            previous: [0; 32],
            share_set: self.governance.manifest_set.clone(),
            sites: vec![Site {
                machines: vec![Machine {
                    id: machine.1.clone(),
                    platform: machine.0,
                }],
                name: "site-a".to_owned(),
            }],
            valid_from: from,
            valid_until: from.plus_seconds(365 * 86_400),
        }
    }

    /// The named members' approvals.
    ///
    /// # Errors
    /// When there is no such member.
    pub fn approve(&self, manifest: &Manifest, members: &[&str]) -> Result<Envelope, RehearsalError> {
        let approvals = members
            .iter()
            .map(|name| Approval::sign(manifest, name, self.member(name)?).map_err(failed))
            .collect::<Result<_, _>>()?;
        Ok(Envelope::new(manifest.clone(), approvals))
    }

    /// Puts an envelope into the log and has every witness cosign at `at`.
    ///
    /// # Errors
    /// When the log or a witness refuses.
    pub fn publish(&self, envelope: &Envelope, at: UnixTime) -> Result<LoggedManifest, RehearsalError> {
        let index = self.log.append(&envelope.encode()).map_err(failed)?;
        let note = self.log.reader().checkpoint().map_err(failed)?.unwrap_or_default();
        for witness in &self.witnesses {
            let old_size = witness.last().map_err(failed)?.map_or(0, |view| view.size);
            let request = CosignRequest {
                old_size,
                checkpoint: &note,
                consistency: &self.log.reader().prove_consistency(old_size).map_err(failed)?,
            };
            let line = witness.cosign(&request, at).map_err(failed)?;
            self.log.reader().add_cosignature(&line).map_err(failed)?;
        }
        LoggedManifest::from_log(self.log.reader(), index, 0).map_err(failed)
    }

    /// [`Rehearsal::approve`] by a [`QUORUM`] and [`Rehearsal::publish`]. It holds [`MINIMUM_INCLUSION_SECONDS`] later.
    ///
    /// # Errors
    /// As those two.
    pub fn decide(&self, manifest: &Manifest, at: UnixTime) -> Result<LoggedManifest, RehearsalError> {
        self.publish(&self.approve(manifest, &QUORUM)?, at)
    }
}
