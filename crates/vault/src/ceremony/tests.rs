//! Ceremonies with simulated evidence: real documents, real signatures, real verification, a made-up vendor.

#![allow(clippy::unwrap_used)]

mod cold_start;
mod genesis;
mod key_forward;

use std::path::Path;

use evidence::manifest::{
    ApprovedInstance, ApprovedManifest, InstanceRole, Manifest, Member, OrganisationRole, RoleSet,
};
use evidence::platform::{Measurement, Platform};
use evidence::rehearsal::Rehearsal;
use evidence::simulated::{SimulatedEnclave, SimulatedVendor};
use evidence::verify::{Roots, VerificationTime};
use jose::{SoftwareKey, UnixTime};
use store::TenantId;

use super::transcript::INSTANCE;
use super::*;
use crate::lock::{HsmHalf, UnlockedRoot};
use crate::secret_memory::Secret;
use crate::{KeyAbsent, NamespaceSeed, Vault, tenant_id};
use authenticator::Kvnr;

use OrganisationRole::{Auditor, Insurer, Operator};

const NOW: UnixTime = UnixTime(1_800_000_000);
const NAMESPACE: &str = "de.example";
const BUILD: [u8; 32] = [7; 32];

/// Everybody who takes part, and a manifest in force.
struct World {
    vendor: SimulatedVendor,
    manifest: ApprovedManifest,
    holders: Vec<HolderKeys>,
    _directory: tempfile::TempDir,
}

impl World {
    /// Three of five, with at least one insurer and one auditor.
    fn new() -> Self {
        Self::with(NAMESPACE, 1, |_| ())
    }

    fn with(namespace: &str, number: u64, change: impl FnOnce(&mut Manifest)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let vendor = SimulatedVendor::new(&[1; 32]).unwrap();
        let names = [
            ("auditor", Auditor),
            ("insurer-a", Insurer),
            ("insurer-b", Insurer),
            ("operator-a", Operator),
            ("operator-b", Operator),
        ];
        let holders: Vec<_> = names
            .into_iter()
            .map(|(name, role)| HolderKeys::generate(name, role).unwrap())
            .collect();
        let manifest = approve(directory.path(), &vendor, namespace, number, |manifest| {
            manifest.share_set = share_set(&holders);
            change(manifest);
        });
        Self {
            vendor,
            manifest,
            holders,
            _directory: directory,
        }
    }

    fn evidence(&self, machine: &str, build: [u8; 32], report_data: &[u8; 64]) -> evidence::platform::Evidence {
        let machine = self.vendor.platform(machine).unwrap();
        machine
            .evidence(&SimulatedEnclave::new(build), report_data, NOW)
            .unwrap()
    }

    fn admit(
        &self,
        machine: &str,
        build: [u8; 32],
        report_data: &[u8; 64],
        role: InstanceRole,
    ) -> Result<ApprovedInstance, &'static str> {
        let evidence = self.evidence(machine, build, report_data);
        let roots = Roots::simulated(self.vendor.root_der());
        let clock = VerificationTime { now: NOW, floor: NOW };
        self.manifest
            .verify_and_admit(&evidence, &roots, clock, role)
            .map_err(|error| error.code())
    }

    fn instance(&self, report_data: &[u8; 64], role: InstanceRole) -> ApprovedInstance {
        self.admit("machine", BUILD, report_data, role).unwrap()
    }

    fn attested(&self, offer: &SetupOffer) -> AttestedSetup {
        let instance = self.instance(&offer.report_data(), InstanceRole::Root);
        AttestedSetup::check(offer, &instance, self.manifest.manifest()).unwrap()
    }

    fn cards(&self) -> Vec<HolderCard> {
        self.holders.iter().map(|holder| holder.card().clone()).collect()
    }

    fn genesis(&self) -> (Genesis, AttestedSetup) {
        let setup = Setup::begin(SetupPurpose::Genesis, self.manifest.manifest()).unwrap();
        let attested = self.attested(setup.offer());
        let genesis = setup.run_genesis(&self.cards(), None, b"evidence", NOW).unwrap();
        (genesis, attested)
    }

    fn setup_for_cold_start(&self) -> Setup {
        Setup::begin(SetupPurpose::ColdStart, self.manifest.manifest()).unwrap()
    }
}

fn share_set(holders: &[HolderKeys]) -> RoleSet {
    let member = |holder: &HolderKeys| Member {
        key: holder.card().encryption_key.clone(),
        name: holder.card().name.clone(),
        role: holder.card().role,
    };
    RoleSet {
        at_least: [(Auditor, 1), (Insurer, 1)].into(),
        members: holders.iter().map(member).collect(),
        threshold: 3,
    }
}

fn approve(
    directory: &Path,
    vendor: &SimulatedVendor,
    namespace: &str,
    number: u64,
    change: impl FnOnce(&mut Manifest),
) -> ApprovedManifest {
    let rehearsal = Rehearsal::begin(directory, namespace).unwrap();
    let machine = vendor.platform("machine").unwrap().platform_id().unwrap();
    let begun = NOW.minus_seconds(86_400);
    let measurement = Measurement::Simulated(BUILD);
    let mut manifest = rehearsal.manifest(number, &measurement, (Platform::Simulated, &machine), begun);
    change(&mut manifest);
    let logged = rehearsal.decide(&manifest, begun).unwrap();
    ApprovedManifest::verify(&[logged], &rehearsal.trust(), None, NOW).unwrap()
}

fn half() -> HsmHalf {
    HsmHalf::new(Secret::copy_of(&[9; 32]))
}

fn root_vault(genesis: &Genesis) -> Vault {
    Vault::open(UnlockedRoot::from_locks(&genesis.namespace, &genesis.seed, &half()))
}

fn tenant() -> TenantId {
    tenant_id("https://idp.example")
}

fn donor_setup(world: &World) -> (Setup, AttestedSetup) {
    let setup = Setup::begin(SetupPurpose::KeyForward, world.manifest.manifest()).unwrap();
    let attested = world.attested(setup.offer());
    (setup, attested)
}

fn read_first(transcript: &Transcript) -> Event {
    let text = transcript.to_text();
    let entry = jose::jws::parse(text.lines().next().unwrap(), &jose::json::DEFAULT).unwrap();
    let payload: serde_json::Value = serde_json::from_slice(entry.unverified_payload()).unwrap();
    serde_json::from_value(payload["what"].clone()).unwrap()
}
