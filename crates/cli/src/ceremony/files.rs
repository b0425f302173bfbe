//! A ceremony's directory.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use evidence::bundle::{encode_manifests, parse_manifests};
use evidence::manifest::{ApprovedManifest, InstanceRole, LoggedManifest};
use evidence::platform::Evidence;
use evidence::verdict::Pins;
use evidence::verify::VerificationTime;
use jose::UnixTime;
use vault::ceremony::{AttestedSetup, SetupOffer, Transcript};

/// Longest file, in bytes.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// The manifests the ceremony happens under.
const MANIFESTS: &str = "manifest.json";

pub(super) struct Folder(PathBuf);

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

    pub fn write_manifests(&self, manifests: &[LoggedManifest]) -> Result<()> {
        self.write(MANIFESTS, &encode_manifests(manifests))
    }

    pub fn manifests(&self) -> Result<Vec<LoggedManifest>> {
        parse_manifests(&self.read(MANIFESTS)?).with_context(|| self.0.join(MANIFESTS).display().to_string())
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

    /// The last manifest, verified under the pins, as of a time.
    fn approved(&self, pins: &Pins, at: UnixTime) -> Result<ApprovedManifest> {
        let chain = self.manifests()?;
        Ok(ApprovedManifest::verify(&chain, &pins.trust, pins.seen.as_ref(), at)?)
    }

    /// What the instance offers. Nothing is verified.
    pub fn offer(&self) -> Result<SetupOffer> {
        let offer = serde_json::from_slice(&self.read("offer.json")?);
        offer.with_context(|| self.0.join("offer.json").display().to_string())
    }

    /// Verifies manifest and evidence as of a time, and that the offer is what the evidence is bound to.
    ///
    /// Before anything is entrusted to the instance: as of now. For a ceremony of the past: as of when its transcript began
    /// ([`Transcript::begun_at`]), because evidence and manifest have ended since.
    pub fn attested(&self, pins: Option<&PathBuf>, at: UnixTime) -> Result<AttestedSetup> {
        let pins = self.pins(pins)?;
        let approved = self.approved(&pins, at)?;
        let evidence = Evidence::parse(&self.read("evidence")?)?;
        let clock = VerificationTime {
            now: at,
            floor: approved.included_since(),
        };
        let instance = approved.verify_and_admit(&evidence, &pins.roots, clock, InstanceRole::Root)?;
        Ok(AttestedSetup::check(&self.offer()?, &instance, approved.manifest())?)
    }

    pub fn transcript(&self) -> Result<Transcript> {
        let text = String::from_utf8(self.read("transcript")?)?;
        Ok(Transcript::parse(&text)?)
    }
}
