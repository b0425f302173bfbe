//! What the sandbox shows of itself: simulated evidence, under a manifest that one process decided alone.
//!
//! Quote, manifest, log, witnesses and connection proof have the real form and are verified by the code that verifies genuine ones. They
//! prove nothing: whoever runs a sandbox holds all the keys and the vault's seed, and the verdict says so (exit code 3).

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest;
use evidence::binding::QuoteAge;
use evidence::bundle::AttestorSettings;
use evidence::manifest::{ApprovedManifest, InstanceRole};
use evidence::platform::{Evidence, Measurement, Platform};
use evidence::produce::{ProduceError, Producer};
use evidence::profile::HardeningProfile;
use evidence::rehearsal::{MINIMUM_INCLUSION_SECONDS, Rehearsal};
use evidence::simulated::{SimulatedEnclave, SimulatedVendor, SimulationError};
use evidence::verdict::Pins;
use evidence::verify::Roots;
use fedmaster::Clock;
use jose::UnixTime;
use provider::Attestation;

use crate::sandbox::BuiltFrom;

/// The namespace of every sandbox.
const NAMESPACE: &str = "healthid-sandbox";
/// The simulated machine.
const MACHINE: &str = "sandbox";
/// Quotes are renewed hourly.
const QUOTE_INTERVAL_SECONDS: u64 = 3_600;
/// An older one is shown no more should renewing fail: before verifiers would refuse it.
const OLDEST_QUOTE_SECONDS: u64 = 5_400;

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// A key or certificate of the simulated platform.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    /// The manifest or its log.
    #[error(transparent)]
    Rehearsal(#[from] evidence::rehearsal::RehearsalError),
    /// The manifest does not hold.
    #[error(transparent)]
    Manifest(#[from] evidence::manifest::ManifestError),
    /// A file, or the program itself, cannot be read.
    #[error("evidence: {0}")]
    File(#[from] io::Error),
    /// A simulated machine has no name.
    #[error("evidence: {0}")]
    Failed(&'static str),
}

/// The instance's evidence, and what a verifier pins to judge it.
pub(crate) struct SandboxEvidence {
    pub(crate) attestation: Attestation,
    /// A pin file.
    pub(crate) pins: Vec<u8>,
}

/// An instance of this program on the simulated machine of `seed`. Blocks: it reads the program once, and a log is written and forgotten.
pub(crate) fn attest(
    seed: &[u8; 32],
    lock: &str,
    boot_id: [u8; 32],
    built_from: Option<&BuiltFrom>,
    clock: &Clock,
) -> Result<SandboxEvidence, EvidenceError> {
    let now = clock();
    let vendor = SimulatedVendor::new(seed)?;
    let measurement = own_measurement()?;
    let machine = vendor
        .platform(MACHINE)?
        .platform_id()
        .map_err(|_| EvidenceError::Failed("the simulated machine has no name"))?;

    let directory = tempfile::tempdir()?;
    let rehearsal = Rehearsal::begin(directory.path(), NAMESPACE)?;
    // Decided long enough ago to hold now.
    let decided_at = now.minus_seconds(MINIMUM_INCLUSION_SECONDS);
    let mut manifest = rehearsal.manifest(
        1,
        &Measurement::Simulated(measurement),
        (Platform::Simulated, &machine),
        decided_at,
    );
    for allowed in &mut manifest.measurements {
        env!("CARGO_PKG_VERSION").clone_into(&mut allowed.version);
        // Zeros say that nobody knows: a build that was not made by the recipe.
        allowed.commit = built_from.map_or_else(|| vec![0; 20], |built| built.commit.clone());
        allowed.build_recipe = built_from.map_or([0; 32], |built| built.recipe);
    }
    let logged = vec![rehearsal.decide(&manifest, decided_at)?];
    let trust = rehearsal.trust();
    let approved = ApprovedManifest::verify(&logged, &trust, None, now)?;

    let pins = Pins {
        roots: Roots::simulated(vendor.root_der()),
        trust,
        seen: None,
        quote_age: QuoteAge::default(),
    };
    let settings = AttestorSettings {
        namespace: NAMESPACE.to_owned(),
        role: InstanceRole::Serve,
        boot_id,
        tls_key_sha256: [0; 32],
        lock: lock.to_owned(),
        hardening: HardeningProfile::none("a sandbox: nothing keeps its neighbours out"),
        manifest_hash: approved.hash(),
        manifests: logged,
        interval_seconds: QUOTE_INTERVAL_SECONDS,
        max_age_seconds: OLDEST_QUOTE_SECONDS,
    };
    let pin_file = pins.encode(Some(&vendor.root_der()), &[]);
    let platform = SandboxPlatform {
        vendor,
        enclave: SimulatedEnclave::new(measurement),
        clock: Arc::clone(clock),
    };
    Ok(SandboxEvidence {
        attestation: Attestation::new(settings, Box::new(platform)),
        pins: pin_file,
    })
}

/// SHA-256 of the running program: what a real platform would measure of it, said by itself.
fn own_measurement() -> Result<[u8; 32], io::Error> {
    static MEASURED: OnceLock<[u8; 32]> = OnceLock::new();
    if let Some(measured) = MEASURED.get() {
        return Ok(*measured);
    }
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut program = std::fs::File::open(std::env::current_exe()?)?;
    let mut piece = vec![0; 1 << 16];
    loop {
        match program.read(&mut piece)? {
            0 => break,
            length => hash.update(&piece[..length]),
        }
    }
    let mut measured = [0; 32];
    measured.copy_from_slice(hash.finish().as_ref());
    Ok(*MEASURED.get_or_init(|| measured))
}

/// A platform that vouches for whatever it is told.
struct SandboxPlatform {
    vendor: SimulatedVendor,
    enclave: SimulatedEnclave,
    clock: Clock,
}

impl std::fmt::Debug for SandboxPlatform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SandboxPlatform")
    }
}

impl Producer for SandboxPlatform {
    fn platform(&self) -> Platform {
        Platform::Simulated
    }

    fn produce(&self, report_data: &[u8; 64]) -> Result<Evidence, ProduceError> {
        let now: UnixTime = (self.clock)();
        self.vendor
            .platform(MACHINE)
            .and_then(|machine| machine.evidence(&self.enclave, report_data, now))
            .map_err(|error| ProduceError::System {
                action: "simulate a quote",
                source: io::Error::other(error),
            })
    }
}
