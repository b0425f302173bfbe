//! A ceremony's directory.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use evidence::manifest::{ApprovedManifest, InstanceRole, LoggedManifest};
use evidence::platform::Evidence;
use evidence::transparency::InclusionProof;
use evidence::verdict::Pins;
use evidence::verify::VerificationTime;
use jose::base64url;
use serde::{Deserialize, Serialize};
use vault::ceremony::{AttestedSetup, SetupOffer, Transcript};

use crate::clock::now;

/// Longest file, in bytes.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

pub(super) struct Folder(PathBuf);

/// A manifest with the log's word for it, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredManifest {
    envelope: String,
    index: u64,
    path: Vec<String>,
    checkpoint: String,
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>> {
    let told = || file.display().to_string();
    if std::fs::metadata(file).with_context(told)?.len() > MAX_FILE_BYTES {
        bail!("{}: longer than {MAX_FILE_BYTES} bytes", file.display());
    }
    std::fs::read(file).with_context(told)
}

pub(super) fn write(file: &Path, content: &[u8]) -> Result<()> {
    std::fs::write(file, content).with_context(|| file.display().to_string())
}

impl Folder {
    pub fn create(path: &Path) -> Result<Self> {
        std::fs::create_dir(path).with_context(|| format!("{} must be a new directory", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    pub fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            bail!("{} is no directory", path.display());
        }
        Ok(Self(path.to_owned()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        read(&self.0.join(name))
    }

    pub fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        write(&self.0.join(name), content)
    }

    pub fn write_setup(&self, offer: &SetupOffer, evidence: &[u8]) -> Result<()> {
        self.write("offer.json", &serde_json::to_vec_pretty(offer)?)?;
        self.write("evidence", evidence)
    }

    pub fn write_manifest(&self, logged: &LoggedManifest) -> Result<()> {
        let stored = StoredManifest {
            envelope: base64url::encode(&logged.envelope),
            index: logged.inclusion.index,
            path: logged
                .inclusion
                .path
                .iter()
                .map(|hash| base64url::encode(hash))
                .collect(),
            checkpoint: logged.checkpoint.clone(),
        };
        self.write("manifest.json", &serde_json::to_vec_pretty(&stored)?)
    }

    pub fn manifest(&self) -> Result<LoggedManifest> {
        let stored: StoredManifest = serde_json::from_slice(&self.read("manifest.json")?)?;
        let path: Result<Vec<_>, _> = stored.path.iter().map(|hash| base64url::decode_array(hash)).collect();
        Ok(LoggedManifest {
            envelope: base64url::decode(&stored.envelope)?,
            inclusion: InclusionProof {
                index: stored.index,
                path: path?,
            },
            checkpoint: stored.checkpoint,
            consistency: Vec::new(),
        })
    }

    pub fn pins(&self, instead: Option<&PathBuf>) -> Result<Pins> {
        let file = instead.cloned().unwrap_or_else(|| self.0.join("pins.json"));
        Pins::parse(&read(&file)?).with_context(|| file.display().to_string())
    }

    pub fn is_simulated(&self, instead: Option<&PathBuf>) -> Result<bool> {
        let file = instead.cloned().unwrap_or_else(|| self.0.join("pins.json"));
        let pins: serde_json::Value = serde_json::from_slice(&read(&file)?)?;
        Ok(pins.get("simulated_root").is_some_and(|root| !root.is_null()))
    }

    /// The manifest in force, verified under the pins.
    pub fn approved(&self, pins: &Pins) -> Result<ApprovedManifest> {
        let chain = [self.manifest()?];
        Ok(ApprovedManifest::verify(
            &chain,
            &pins.trust,
            pins.seen.as_ref(),
            now(),
        )?)
    }

    /// Verifies manifest and evidence, and that the offer is what the evidence is bound to.
    pub fn attested(&self, pins: Option<&PathBuf>) -> Result<AttestedSetup> {
        let pins = self.pins(pins)?;
        let approved = self.approved(&pins)?;
        let evidence = Evidence::parse(&self.read("evidence")?)?;
        let now = now();
        let clock = VerificationTime {
            now,
            floor: approved.included_since(),
        };
        let instance = approved.verify_and_admit(&evidence, &pins.roots, clock, InstanceRole::Root)?;
        let offer = serde_json::from_slice(&self.read("offer.json")?)?;
        Ok(AttestedSetup::check(&offer, &instance, approved.manifest())?)
    }

    pub fn transcript(&self) -> Result<Transcript> {
        let text = String::from_utf8(self.read("transcript")?)?;
        Ok(Transcript::parse(&text)?)
    }
}
