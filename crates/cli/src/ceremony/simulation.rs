//! The instance of a rehearsal: a made-up vendor, a made-up machine, a manifest one process decides about alone.

use anyhow::{Context as _, Result};
use evidence::manifest::{ApprovedManifest, LoggedManifest, Member, OrganisationRole, RoleSet};
use evidence::platform::{Measurement, Platform};
use evidence::rehearsal::Rehearsal;
use evidence::simulated::{SimulatedEnclave, SimulatedVendor};
use evidence::verdict::Pins;
use vault::ceremony::HolderCard;

use super::files::Folder;
use crate::clock::now;

/// The one machine the manifest lists.
pub(super) const MACHINE: &str = "rehearsal machine";
/// The one build it lists.
pub(super) const OWN_BUILD: [u8; 32] = *b"healthid ceremony rehearsal buil";
const SEED: &str = "simulation-seed";

pub(super) struct Simulation {
    vendor: SimulatedVendor,
    seed: [u8; 32],
    logged: LoggedManifest,
    pins: Vec<u8>,
    pub manifest: ApprovedManifest,
}

impl Simulation {
    /// A new vendor and manifest, whose share set are these holders.
    pub fn begin(
        folder: &Folder,
        namespace: &str,
        cards: &[HolderCard],
        threshold: u8,
        at_least: &[(OrganisationRole, u8)],
    ) -> Result<Self> {
        let mut seed = [0; 32];
        vault::random(&mut seed);
        let vendor = SimulatedVendor::new(&seed)?;
        let memories = folder.path().join("rehearsal");
        std::fs::create_dir(&memories).with_context(|| memories.display().to_string())?;
        let rehearsal = Rehearsal::begin(&memories, namespace)?;
        let machine = vendor.platform(MACHINE)?.platform_id()?;
        let begun = now().minus_seconds(2 * 86_400);
        let build = Measurement::Simulated(OWN_BUILD);
        let mut manifest = rehearsal.manifest(1, &build, (Platform::Simulated, &machine), begun);
        let mut members: Vec<_> = cards
            .iter()
            .map(|card| Member {
                key: card.encryption_key.clone(),
                name: card.name.clone(),
                role: card.role,
            })
            .collect();
        members.sort_by(|one, other| one.name.cmp(&other.name));
        manifest.share_set = RoleSet {
            at_least: at_least.iter().copied().collect(),
            members,
            threshold,
        };
        let logged = rehearsal.decide(&manifest, begun)?;
        let pins = Pins::new(rehearsal.trust()).encode(Some(&vendor.root_der()), &[]);
        let simulation = Self::of(vendor, seed, logged, pins)?;
        simulation.keep_in(folder)?;
        Ok(simulation)
    }

    fn of(vendor: SimulatedVendor, seed: [u8; 32], logged: LoggedManifest, pins: Vec<u8>) -> Result<Self> {
        let trust = Pins::parse(&pins)?.trust;
        let manifest = ApprovedManifest::verify(std::slice::from_ref(&logged), &trust, None, now())?;
        Ok(Self {
            vendor,
            seed,
            logged,
            pins,
            manifest,
        })
    }

    /// The same vendor and manifest as in another ceremony's directory.
    pub fn continued(folder: &Folder) -> Result<Self> {
        let seed: [u8; 32] = folder
            .read(SEED)?
            .try_into()
            .ok()
            .context("simulation-seed has 32 bytes")?;
        let vendor = SimulatedVendor::new(&seed)?;
        let logged = folder.manifests()?.pop().context("no manifest")?;
        Self::of(vendor, seed, logged, folder.read("pins.json")?)
    }

    pub fn keep_in(&self, folder: &Folder) -> Result<()> {
        folder.write_manifests(std::slice::from_ref(&self.logged))?;
        folder.write("pins.json", &self.pins)?;
        folder.write(SEED, &self.seed)
    }

    /// Evidence of a build on a machine of this vendor, bound to what it is told to bind.
    pub fn evidence(&self, machine: &str, build: [u8; 32], report_data: &[u8; 64]) -> Result<Vec<u8>> {
        let machine = self.vendor.platform(machine)?;
        let evidence = machine.evidence(&SimulatedEnclave::new(build), report_data, now())?;
        Ok(evidence.to_bytes())
    }
}
