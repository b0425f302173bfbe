//! `healthid ceremony join`: a donor and its newcomers, played by one process.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use evidence::manifest::{ApprovedInstance, InstanceRole};
use evidence::platform::Evidence;
use evidence::verdict::Pins;
use evidence::verify::VerificationTime;
use vault::Vault;
use vault::ceremony::{
    AttestedSetup, Donor, Event, Forward, Forwarded, Join, Setup, SetupPurpose, Transcript, verify_forwards,
};

use super::files::Folder;
use super::simulation::{MACHINE, OWN_BUILD, Simulation};
use super::{REHEARSAL, say, verified};
use crate::clock::now;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A genesis' directory, for its manifest, machine and whom to believe.
    #[arg(long, value_name = "DIR")]
    genesis: PathBuf,
    /// What the newcomer may be: `root` gets a seed (made for the rehearsal), `serve` one tenant's keys.
    #[arg(long, value_parser = ["root", "serve"], default_value = "serve")]
    role: String,
    /// New directory for the donor's transcript.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let role = if options.role == "root" {
        InstanceRole::Root
    } else {
        InstanceRole::Serve
    };
    let genesis = Folder::open(&options.genesis)?;
    let (_, transcript) = verified(&genesis, None)?;
    let simulation = Simulation::continued(&genesis)?;
    let folder = Folder::create(&options.out)?;
    simulation.keep_in(&folder)?;
    let manifest = simulation.manifest.manifest();
    let pins = folder.pins(None)?;
    say(REHEARSAL)?;

    // The donor's evidence is bound to the key that signs its transcript and what it seals.
    let setup = Setup::begin(SetupPurpose::KeyForward, manifest)?;
    let evidence = simulation.evidence(MACHINE, OWN_BUILD, &setup.offer().report_data())?;
    folder.write_setup(setup.offer(), &evidence)?;
    let attested = folder.attested(None, now())?;

    let mut random = [0; 32];
    vault::random(&mut random);
    let vault = Vault::development(random);
    let tenant = vault::tenant_id("https://rehearsal.example");
    // The seed of the genesis is in its shares alone; this one is made among the same holders and gone with the process.
    let seed = Setup::begin(SetupPurpose::Genesis, manifest)?
        .run_genesis(transcript.holders(), None, &evidence, now())?
        .seed;
    let what = match role {
        InstanceRole::Root => Forward::Seed(&seed),
        InstanceRole::Serve => Forward::Tenant(&vault, tenant),
    };
    let hash = simulation.manifest.hash();
    let mut donor = Donor::new(&manifest.namespace, hash, manifest.number, setup.signer());
    for (told, machine, build) in [
        ("listed build on a listed machine", MACHINE, OWN_BUILD),
        ("listed build on another machine", "another machine", OWN_BUILD),
        ("another build on a listed machine", MACHINE, [0; 32]),
    ] {
        let join = Join::begin(&manifest.namespace, hash, donor.nonce(), role)?;
        let evidence = simulation.evidence(machine, build, &join.request().report_data())?;
        match admit(&simulation, &pins, &evidence, role) {
            Ok(instance) => {
                let sealed = donor.forward(join.request(), &instance, what, now())?;
                let signed = sealed.sign(join.request(), setup.signer())?;
                sealed.check_signed(&signed, join.request(), &attested)?;
                let got = match join.open(&sealed)? {
                    Forwarded::Seed(_) => "the seed",
                    Forwarded::Tenant(_) => "one tenant's keys",
                };
                say(&format!("{told}: got {got}"))?;
            }
            Err(code) => {
                donor.refuse(code, now())?;
                say(&format!("{told}: refused, {code}"))?;
            }
        }
    }
    folder.write("transcript", donor.transcript().to_text().as_bytes())
}

fn admit(
    simulation: &Simulation,
    pins: &Pins,
    evidence: &[u8],
    role: InstanceRole,
) -> Result<ApprovedInstance, &'static str> {
    let evidence = Evidence::parse(evidence).map_err(|_| "evidence.malformed")?;
    let (now, floor) = (now(), simulation.manifest.included_since());
    let clock = VerificationTime { now, floor };
    let admitted = simulation
        .manifest
        .verify_and_admit(&evidence, &pins.roots, clock, role);
    admitted.map_err(|error| error.code())
}

pub(super) fn verify(folder: &Folder, pins: Option<&PathBuf>) -> Result<()> {
    let transcript: Transcript = folder.transcript()?;
    let then = transcript.begun_at().context("the transcript has no beginning")?;
    let setup: AttestedSetup = folder.attested(pins, then)?;
    let told = verify_forwards(&transcript, &setup.offer().transcript_key)?;
    if folder.is_simulated(pins)? {
        say(REHEARSAL)?;
    }
    for event in &told {
        match event {
            Event::KeyForwarded {
                role, site, manifest, ..
            } => {
                say(&format!(
                    "keys forwarded: role {role}, site {site}, manifest {manifest}"
                ))?;
            }
            Event::ForwardRefused { code } => say(&format!("refused: {code}"))?,
            _ => bail!("an entry has no place there"),
        }
    }
    say("transcript verified: every signature and the chain")
}
