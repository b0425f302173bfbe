//! An instance on a simulated machine, under manifests a rehearsal decides.
#![allow(clippy::unwrap_used)]

use evidence::bundle::encode_manifests;
use evidence::manifest::{MAX_HANDOVERS, Manifest};
use evidence::platform::Measurement;
use evidence::rehearsal::Rehearsal;
use evidence::simulated::{SimulatedEnclave, SimulatedVendor};

use super::*;

const NOW: UnixTime = UnixTime(1_800_000_000);
const BUILD: [u8; 32] = [7; 32];

struct Machine(SimulatedVendor, [u8; 32]);

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Machine")
    }
}

impl Producer for Machine {
    fn platform(&self) -> Platform {
        Platform::Simulated
    }

    fn produce(&self, report_data: &ReportData) -> Result<Evidence, ProduceError> {
        let machine = self.0.platform("machine").unwrap();
        Ok(machine
            .evidence(&SimulatedEnclave::new(self.1), report_data, NOW)
            .unwrap())
    }
}

/// People who decide, and a directory.
struct World {
    directory: tempfile::TempDir,
    rehearsal: Rehearsal,
    vendor: SimulatedVendor,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            rehearsal: Rehearsal::begin(directory.path(), "de.example").unwrap(),
            vendor: SimulatedVendor::new(&[1; 32]).unwrap(),
            directory,
        }
    }

    fn manifest(&self, number: u64, previous: [u8; 32]) -> Manifest {
        let machine = self.vendor.platform("machine").unwrap().platform_id().unwrap();
        let build = Measurement::Simulated(BUILD);
        let begun = NOW.minus_seconds(86_400);
        let manifest = self
            .rehearsal
            .manifest(number, &build, (Platform::Simulated, &machine), begun);
        Manifest { previous, ..manifest }
    }

    fn decide(&self, manifest: &Manifest) -> LoggedManifest {
        self.rehearsal.decide(manifest, NOW.minus_seconds(86_400)).unwrap()
    }

    /// Puts manifests where the instance reads them.
    fn publish(&self, chain: &[LoggedManifest]) {
        std::fs::write(self.file(), encode_manifests(chain)).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("in-force.json")
    }

    fn instance(&self, build: [u8; 32]) -> Instance {
        let pins = Pins {
            roots: evidence::verify::Roots::simulated(self.vendor.root_der()),
            ..Pins::new(self.rehearsal.trust())
        };
        let chain = parse_manifests(&std::fs::read(self.file()).unwrap()).unwrap();
        let approved = ApprovedManifest::verify(&chain, &pins.trust, None, NOW).unwrap();
        Instance {
            producer: Arc::new(Machine(SimulatedVendor::new(&[1; 32]).unwrap(), build)),
            pins,
            pin_file: Vec::new(),
            manifests: self.file(),
            interval_seconds: 3_600,
            current: RwLock::new(Arc::new(InForce { chain, approved })),
        }
    }
}

fn number(instance: &Instance) -> u64 {
    instance.in_force().approved.manifest().number
}

#[test]
fn a_newer_manifest_is_followed_and_an_older_or_damaged_one_is_not() {
    let world = World::new();
    let first = world.manifest(1, [0; 32]);
    let first_logged = world.decide(&first);
    world.publish(std::slice::from_ref(&first_logged));
    let instance = world.instance(BUILD);
    assert!(!instance.reload(NOW).unwrap(), "nothing has changed");

    let second = world.manifest(2, first.hash());
    let second_logged = world.decide(&second);
    world.publish(std::slice::from_ref(&second_logged));
    assert!(instance.reload(NOW).unwrap());
    assert_eq!(number(&instance), 2);

    world.publish(&[first_logged]);
    assert_eq!(instance.reload(NOW).unwrap_err().code(), "manifest.number_lower");
    let not_the_next = world.decide(&world.manifest(3, [9; 32]));
    world.publish(&[not_the_next]);
    assert_eq!(instance.reload(NOW).unwrap_err().code(), "manifest.other_predecessor");
    let mut ended = world.manifest(3, second.hash());
    ended.valid_until = NOW.minus_seconds(1);
    world.publish(&[world.decide(&ended)]);
    assert_eq!(instance.reload(NOW).unwrap_err().code(), "manifest.expired");
    world.publish(&vec![second_logged.clone(); MAX_HANDOVERS + 1]);
    assert!(instance.reload(NOW).is_err());
    std::fs::write(world.file(), "{}").unwrap();
    assert!(matches!(instance.reload(NOW), Err(InstanceError::Manifests(_))));
    std::fs::remove_file(world.file()).unwrap();
    assert!(matches!(instance.reload(NOW), Err(InstanceError::File(_))));
    assert!(!instance.follow(NOW));
    assert_eq!(number(&instance), 2, "the one before stays");
    world.publish(&[second_logged]);
    let later = NOW.plus_seconds(400 * 86_400);
    assert_eq!(instance.reload(later).unwrap_err().code(), "manifest.expired");
}

#[test]
fn a_manifest_of_other_people_is_not_followed_whatever_it_says() {
    let world = World::new();
    let first = world.manifest(1, [0; 32]);
    world.publish(&[world.decide(&first)]);
    let instance = world.instance(BUILD);
    let others = World::new();
    let theirs = others.decide(&others.manifest(2, first.hash()));
    world.publish(&[theirs]);
    assert!(instance.reload(NOW).is_err());
    assert_eq!(number(&instance), 1);
}

#[test]
fn an_instance_knows_whether_its_manifest_admits_it_and_says_what_it_is() {
    let world = World::new();
    world.publish(&[world.decide(&world.manifest(1, [0; 32]))]);
    let own = world
        .instance(BUILD)
        .check_own_admission(InstanceRole::Serve, NOW)
        .unwrap();
    assert_eq!(own.site(), "site-a");
    let error = world
        .instance([8; 32])
        .check_own_admission(InstanceRole::Serve, NOW)
        .unwrap_err();
    assert_eq!(error.code(), "admission.measurement_not_listed");
    assert!(error.to_string().contains(&"08".repeat(32)), "{error}");
}

#[test]
fn the_first_caller_finds_a_quote_and_other_manifests_get_another_one() {
    let world = World::new();
    let first = world.manifest(1, [0; 32]);
    world.publish(&[world.decide(&first)]);
    let instance = world.instance(BUILD);
    let profile = HardeningProfile::none("a test");
    let attestation = instance.attestation(InstanceRole::Serve, "quorum+hsm", &profile);
    attestation.make_quote([3; 32], NOW).unwrap();
    let shown = attestation.bundle_for([3; 32], NOW).unwrap();
    assert_eq!(shown.statement.manifest_hash, first.hash());
    assert_eq!(shown.statement.lock, "quorum+hsm");
    assert_eq!(*shown.manifests, instance.in_force().chain);

    let second = world.manifest(2, first.hash());
    world.publish(&[world.decide(&second)]);
    assert!(instance.follow(NOW));
    let in_force = instance.in_force();
    attestation.show_manifests(in_force.chain.clone(), in_force.approved.hash());
    let shown = attestation.bundle_for([3; 32], NOW).unwrap();
    assert_eq!(shown.statement.manifest_hash, second.hash());
    assert_eq!(shown.statement.boot_id.len(), 32);
}

#[test]
fn a_machine_without_platform_names_where_it_looked() {
    let nowhere = PlatformPaths {
        attestation: "/nowhere/attestation".into(),
        tsm: "/nowhere/tsm".into(),
        tpm: "/nowhere/tpm".into(),
        event_log: "/nowhere/log".into(),
    };
    let said = InstanceError::NoPlatform(nowhere).to_string();
    for place in ["/nowhere/attestation", "/nowhere/tsm", "/nowhere/tpm"] {
        assert!(said.contains(place), "{said}");
    }
}
