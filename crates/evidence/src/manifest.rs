//! The manifest: who may run what, where, and who decides that.
//!
//! One document names every measurement that may hold keys, with the source commit and the build recipe it came from,
//! every machine that may run it, what is expected of the machine's firmware, and the two groups of people: the
//! manifest set, who approve the next manifest, and the share set, who hold shares of the namespace seed. Its number
//! only rises. Nothing in this house releases a key without an [`ApprovedManifest`].
//!
//! **Encoding.** The canonical JSON of RFC 8785: members in alphabetical order, no white space, whole numbers below
//! 2^53, ASCII text. A person can read what she signs, and any JSON Canonicalization library rebuilds the bytes. There
//! is one accepted encoding of one manifest: [`Manifest::parse`] encodes again what it understood and refuses the
//! document when a byte differs. Lists that are sets are sorted and free of repetition for the same reason.
//!
//! **Trusted for:** an [`ApprovedManifest`] was approved by enough people of the right roles of the set before it,
//! stands in the log under the log's signature and enough witnesses' cosignatures for long enough, is not lower than
//! what was seen before, and is valid now. An [`ApprovedInstance`] runs a listed measurement on a listed machine.
//!
//! **Does not:** read the clock, fetch anything, or verify evidence (`crate::verify` does). It cannot tell a verifier
//! that was offline for a long time that a newer manifest exists: validity ends are for that.

mod admission;
mod approval;
mod approved;
mod diff;
mod error;
mod measurement;
mod sets;

use serde::{Deserialize, Serialize};

use crate::encoding::{hex_array, sha256};
use crate::platform::{Platform, PlatformId};
use crate::verify::PlatformPolicy;
use jose::UnixTime;
use jose::json::{self, Limits};

pub use admission::{AdmissionError, ApprovedInstance, InstanceRole};
pub use approval::{Approval, Envelope, EnvelopeFormat};
pub use approved::{ApprovedManifest, LoggedManifest, MAX_HANDOVERS, Seen, SignedBy, Trust};
pub use diff::diff;
pub use error::ManifestError;
pub use measurement::{AllowedMeasurement, ListedMeasurement, Register};
pub use sets::{MAX_MEMBERS, Member, OrganisationRole, RoleSet, Shortfall};

use crate::transparency::NamedKey;

/// Longest manifest in bytes. With its approvals it must fit into one entry of the log (65 535 bytes, C2SP tlog-tiles),
/// so that whoever reads the log reads everything that may run.
pub const MAX_MANIFEST_BYTES: usize = 49_152;

/// Greatest number of list members in any list of a manifest.
pub const MAX_LIST: usize = 512;

/// Longest name, version or identifier in a manifest, in characters.
pub const MAX_NAME_CHARACTERS: usize = 100;

const LIMITS: Limits = Limits {
    bytes: MAX_MANIFEST_BYTES,
    depth: 8,
};

/// Greatest whole number that every JSON reader keeps exactly (RFC 8785 §3.2.2.3, RFC 7493 §2.2).
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The version of the document's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// This one.
    #[serde(rename = "healthid-manifest/v1")]
    V1,
}

/// What may run. Plain data: being one proves nothing, being an [`ApprovedManifest`] does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The document's shape.
    pub format: Format,
    /// Who decides about the next manifest, and how the world learns of it.
    pub governance: Governance,
    /// What may run; sorted by platform and value.
    pub measurements: Vec<AllowedMeasurement>,
    /// What the keys belong to, such as `gesundheitsid-prod`. A manifest of one namespace opens nothing of another.
    pub namespace: String,
    /// Strictly rising.
    pub number: u64,
    /// What is expected of every platform beside being genuine: TCB floors, statuses, rejected advisories, flags.
    pub platform_policy: PlatformPolicy,
    /// SHA-256 of the manifest this one follows; zeros in the first.
    #[serde(with = "hex_array")]
    pub previous: [u8; 32],
    /// Who holds shares of the namespace seed. The keys are the members' encryption keys.
    pub share_set: RoleSet,
    /// Where the machines are; sorted by name.
    pub sites: Vec<Site>,
    /// First second of validity.
    pub valid_from: UnixTime,
    /// Last second of validity.
    pub valid_until: UnixTime,
}

/// Who decides about the next manifest, and how the world learns of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Governance {
    /// So many approvals make the minimum time in the log unnecessary. The log and the witnesses stay necessary.
    pub emergency_approvals: u8,
    /// The log every manifest stands in.
    pub log: NamedKey,
    /// Who approves the next manifest. The keys are the members' signature keys.
    pub manifest_set: RoleSet,
    /// How long a manifest must have stood in the log before it holds.
    pub minimum_inclusion_seconds: u64,
    /// How many witnesses must have cosigned the checkpoint.
    pub witness_threshold: u8,
    /// Who watches that the log only grows; sorted by name.
    pub witnesses: Vec<NamedKey>,
}

/// One data centre.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The machines there; sorted.
    pub machines: Vec<Machine>,
    /// Its name, such as `fra`.
    pub name: String,
}

/// One machine, as its evidence identifies it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The platform identity: platform instance id, chip id, or the digest of the TPM's attestation key.
    pub id: PlatformId,
    /// Its kind.
    pub platform: Platform,
}

impl Manifest {
    /// Reads the one canonical encoding.
    ///
    /// # Errors
    /// [`ManifestError::Json`], [`ManifestError::NotCanonical`], or [`ManifestError::Rule`] when a rule of the
    /// document is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = json::parse_as(bytes, &LIMITS)?;
        if manifest.encode() != bytes {
            return Err(ManifestError::NotCanonical);
        }
        manifest.check()?;
        Ok(manifest)
    }

    /// The canonical encoding. Only what [`Manifest::check`] accepts can be parsed again.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// SHA-256 of the canonical encoding: what evidence, approvals and instance statements carry.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        sha256(&[&self.encode()])
    }

    /// The name of the site a machine stands in, when it is listed.
    #[must_use]
    pub fn site_of(&self, platform: Platform, id: &PlatformId) -> Option<&str> {
        self.sites.iter().find_map(|site| {
            site.machines
                .iter()
                .any(|machine| machine.platform == platform && machine.id == *id)
                .then_some(site.name.as_str())
        })
    }

    /// The rules of the document that its shape does not say.
    ///
    /// # Errors
    /// [`ManifestError::Rule`], naming the member and the rule.
    pub fn check(&self) -> Result<(), ManifestError> {
        check_name("namespace", &self.namespace)?;
        check_number("number", self.number)?;
        rule(self.number > 0, "number", "at least 1")?;
        check_number("valid_from", self.valid_from.0)?;
        check_number("valid_until", self.valid_until.0)?;
        rule(
            self.valid_from <= self.valid_until,
            "valid_until",
            "not before valid_from",
        )?;
        self.governance.check()?;
        self.share_set.check("share_set")?;
        self.check_measurements()?;
        self.check_policy()?;
        self.check_sites()
    }

    fn check_measurements(&self) -> Result<(), ManifestError> {
        check_list("measurements", &self.measurements, |entry| entry.measurement.clone())?;
        for entry in &self.measurements {
            entry.check()?;
        }
        Ok(())
    }

    fn check_policy(&self) -> Result<(), ManifestError> {
        let intel = &self.platform_policy.intel;
        rule(
            intel.rejected_advisories.len() <= MAX_LIST,
            "platform_policy",
            "at most 512 advisories",
        )?;
        for advisory in &intel.rejected_advisories {
            check_name("platform_policy", advisory)?;
        }
        for text in [&self.platform_policy.tdx.config_id, &self.platform_policy.snp.host_data] {
            rule(
                crate::encoding::unhex(text).is_some() && text.len() <= 2 * 64,
                "platform_policy",
                "lower-case hexadecimal",
            )?;
        }
        Ok(())
    }

    fn check_sites(&self) -> Result<(), ManifestError> {
        check_list("sites", &self.sites, |site| site.name.clone())?;
        let mut machines: Vec<&Machine> = Vec::new();
        for site in &self.sites {
            check_name("sites", &site.name)?;
            check_list("machines", &site.machines, Clone::clone)?;
            machines.extend(&site.machines);
        }
        let all = machines.len();
        machines.sort_unstable();
        machines.dedup();
        rule(machines.len() == all, "machines", "each machine in one site only")
    }
}

impl Governance {
    pub(crate) fn check(&self) -> Result<(), ManifestError> {
        self.manifest_set.check("manifest_set")?;
        check_number("minimum_inclusion_seconds", self.minimum_inclusion_seconds)?;
        self.log.check("log")?;
        check_list("witnesses", &self.witnesses, |witness| witness.name.clone())?;
        for witness in &self.witnesses {
            witness.check("witnesses")?;
        }
        let mut keys: Vec<_> = self.witnesses.iter().map(|witness| witness.key).collect();
        keys.push(self.log.key);
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        rule(
            keys.len() == all,
            "witnesses",
            "a key of its own for each witness and the log",
        )?;
        rule(
            (1..=self.witnesses.len()).contains(&usize::from(self.witness_threshold)),
            "witness_threshold",
            "from 1 to the number of witnesses",
        )?;
        rule(
            self.emergency_approvals >= self.manifest_set.threshold
                && usize::from(self.emergency_approvals) <= self.manifest_set.members.len(),
            "emergency_approvals",
            "from the threshold to the number of members",
        )
    }
}

/// RFC 8785, for documents without fractions and with the text that [`check_name`] admits.
pub(crate) fn canonical_json(document: &impl Serialize) -> Vec<u8> {
    // Writing into memory cannot fail, and no map of ours has keys that are not text.
    let mut tree = serde_json::to_value(document).unwrap_or_default();
    tree.sort_all_objects();
    serde_json::to_vec(&tree).unwrap_or_default()
}

fn rule(holds: bool, member: &'static str, expected: &'static str) -> Result<(), ManifestError> {
    if holds {
        Ok(())
    } else {
        Err(ManifestError::Rule { member, expected })
    }
}

/// Printable ASCII without quotation marks and backslashes: nothing JSON would write in two ways, nothing that looks
/// like something else.
fn check_name(member: &'static str, text: &str) -> Result<(), ManifestError> {
    let printable = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    rule(
        !text.is_empty() && text.len() <= MAX_NAME_CHARACTERS && text.bytes().all(printable),
        member,
        "text of 1 to 100 printable ASCII characters without \" and \\",
    )
}

fn check_number(member: &'static str, number: u64) -> Result<(), ManifestError> {
    rule(number <= MAX_NUMBER, member, "a whole number below 2^53")
}

/// Short enough, sorted, and without repetition.
fn check_list<T, K: Ord>(member: &'static str, list: &[T], key: impl Fn(&T) -> K) -> Result<(), ManifestError> {
    rule(list.len() <= MAX_LIST, member, "at most 512 entries")?;
    rule(
        list.is_sorted_by(|left, right| key(left) < key(right)),
        member,
        "entries sorted, none twice",
    )
}

#[cfg(test)]
mod tests;
