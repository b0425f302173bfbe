//! `healthid ceremony`: genesis, shares, join and cold start of a key hierarchy, offline, with files in and out.
//!
//! The instance of a genesis, cold start or join is played by this process, with **simulated** evidence: a rehearsal shows that the procedure, the
//! files and everybody's checks work, and keeps nobody out. What a participant does (`holder-key`, `share`, `verify-transcript`) is the real thing
//! and the same code: whom to believe stands in `pins.json`.

use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use evidence::manifest::{InstanceRole, OrganisationRole};
use vault::ceremony::{
    AttestedSetup, ColdStart, HolderKeys, PostedShare, SealedShare, Setup, SetupPurpose, VerifiedTranscript,
    verify_transcript,
};
use vault::hsm::{Hsm, HsmAccess, Pin, WrappedHalf};
use vault::{Namespace, NamespaceSeed, UnlockedRoot, Vault};

use crate::certificate::write_secret;
use crate::clock::now;

mod files;
mod join;
mod simulation;

use files::{Folder, read, write};
use simulation::{MACHINE, OWN_BUILD, Simulation};

const REHEARSAL: &str = "REHEARSAL with simulated evidence: it shows the procedure and excludes nobody.";

/// Rehearse and check key ceremonies, offline: genesis, shares, join, cold start.
///
/// A whole one, in an empty directory, for each of five holders and with three of their shares:
///   healthid ceremony holder-key --name auditor --role auditor --out .
///   healthid ceremony genesis --card auditor.card.json … --threshold 3 --at-least insurer=1 --at-least auditor=1 --out genesis
///   healthid ceremony share acknowledge --key auditor.key.json --genesis genesis
///   healthid ceremony verify-transcript --at genesis
///   healthid ceremony cold-start --genesis genesis --out cold     (reads names of posted shares, one per line)
///   healthid ceremony share post --key auditor.key.json --genesis genesis --to cold
#[derive(Debug, Subcommand)]
#[command(verbatim_doc_comment)]
pub(crate) enum Command {
    /// Make a holder's keys: NAME.key.json stays with her, NAME.card.json she hands out.
    HolderKey(HolderKey),
    /// Make a namespace seed, split it among holders, and seal each share to its holder's key.
    Genesis(Genesis),
    /// What a holder does with her share.
    #[command(subcommand)]
    Share(Share),
    /// Hand keys to a new instance, and refuse them to those that are not admitted.
    Join(join::Options),
    /// Bring the seed back into a new instance from posted shares, whose files it reads from standard input.
    ColdStart(ColdStartOptions),
    /// Verify a transcript yourself: manifest, evidence, every signature, the chain, holders and rule.
    VerifyTranscript(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct HolderKey {
    /// Her name, as the manifest's share set will have it.
    #[arg(long)]
    name: String,
    /// For whom she holds: auditor, insurer, manufacturer or operator.
    #[arg(long, value_parser = role)]
    role: OrganisationRole,
    /// Directory for both files.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Genesis {
    /// A holder's card; once for each.
    #[arg(long, value_name = "FILE", required = true)]
    card: Vec<PathBuf>,
    /// How many holders it takes.
    #[arg(long, value_name = "N")]
    threshold: u8,
    /// At least so many of a role, as `insurer=1`; several are fine.
    #[arg(long, value_name = "ROLE=N", value_parser = minimum)]
    at_least: Vec<(OrganisationRole, u8)>,
    /// The namespace.
    #[arg(long, default_value = "rehearsal.example")]
    namespace: String,
    /// New directory for everything that comes out.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    hsm: HsmOptions,
}

/// The second lock: a token of a hardware security module, or SoftHSM.
#[derive(Debug, Args)]
pub(crate) struct HsmOptions {
    /// PKCS#11 library. SoftHSM 2 reads SOFTHSM2_CONF from the environment. Left out: the ceremony ends before the root.
    #[arg(long, value_name = "FILE", requires_all = ["hsm_token", "hsm_pin_file"])]
    hsm_module: Option<PathBuf>,
    /// Label of the token.
    #[arg(long, value_name = "LABEL")]
    hsm_token: Option<String>,
    /// File with its user PIN.
    #[arg(long, value_name = "FILE")]
    hsm_pin_file: Option<PathBuf>,
    /// Label of the wrapping key; made if it is not there.
    #[arg(long, value_name = "LABEL", default_value = "healthid-root")]
    hsm_key: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Share {
    /// Verify a genesis, open your share, and sign that it is the one that was published.
    Acknowledge(Acknowledge),
    /// Seal your share anew to the attested instance of a cold start. Prints the file's name.
    Post(Post),
}

#[derive(Debug, Args)]
pub(crate) struct Acknowledge {
    /// Your keys.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The genesis' directory.
    #[arg(long, value_name = "DIR")]
    genesis: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Post {
    /// Your keys.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The genesis' directory.
    #[arg(long, value_name = "DIR")]
    genesis: PathBuf,
    /// The cold start's directory.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ColdStartOptions {
    /// The genesis' directory.
    #[arg(long, value_name = "DIR")]
    genesis: PathBuf,
    /// New directory for offer, evidence and transcript.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    hsm: HsmOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The ceremony's directory.
    #[arg(long, value_name = "DIR")]
    at: PathBuf,
    /// Whom to believe, instead of the directory's own pins.json.
    #[arg(long, value_name = "FILE")]
    pins: Option<PathBuf>,
    /// For a cold start: the genesis it must bring back.
    #[arg(long, value_name = "DIR")]
    genesis: Option<PathBuf>,
}

pub(crate) fn run(command: Command) -> Result<()> {
    match command {
        Command::HolderKey(options) => holder_key(&options),
        Command::Genesis(options) => genesis(&options),
        Command::Share(Share::Acknowledge(options)) => acknowledge(&options),
        Command::Share(Share::Post(options)) => post(&options),
        Command::Join(options) => join::run(&options),
        Command::ColdStart(options) => cold_start(&options),
        Command::VerifyTranscript(options) => verify(&options),
    }
}

fn role(text: &str) -> Result<OrganisationRole, String> {
    serde_json::from_value(text.into()).map_err(|_| "expected auditor, insurer, manufacturer or operator".to_owned())
}

fn minimum(text: &str) -> Result<(OrganisationRole, u8), String> {
    let (name, number) = text.split_once('=').ok_or("expected ROLE=N")?;
    let number = number.parse().map_err(|_| "expected ROLE=N, N a number")?;
    Ok((role(name)?, number))
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output")
}

fn holder_key(options: &HolderKey) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if options.name.is_empty() || !options.name.bytes().all(plain) {
        bail!("a holder's name has letters, digits and hyphens");
    }
    let keys = HolderKeys::generate(&options.name, options.role)?;
    let key = options.out.join(format!("{}.key.json", options.name));
    let card = options.out.join(format!("{}.card.json", options.name));
    if key.exists() {
        bail!("{} exists: a holder's keys are not overwritten", key.display());
    }
    write_secret(&key, &keys.to_json())?;
    write(&card, &serde_json::to_vec_pretty(keys.card())?)?;
    say(&format!("{}: keep it and show it to nobody", key.display()))?;
    say(&format!("{}: for the manifest and the genesis", card.display()))
}

/// The module, if one was named; with its wrapping key if `make`.
fn open_hsm(options: &HsmOptions, make: bool) -> Result<Option<Hsm>> {
    let (Some(module), Some(token), Some(pin)) = (&options.hsm_module, &options.hsm_token, &options.hsm_pin_file)
    else {
        return Ok(None);
    };
    let hsm = Hsm::new(HsmAccess {
        module: module.clone(),
        token_label: token.clone(),
        pin: Pin::parse(&read(pin)?)?,
        sessions: 1,
        limit: Duration::from_secs(30),
    });
    hsm.check()?;
    if make {
        match hsm.generate_wrapping_key(&options.hsm_key) {
            Ok(()) | Err(vault::hsm::HsmError::KeyExists) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(hsm))
}

fn genesis(options: &Genesis) -> Result<()> {
    let namespace = Namespace::parse(&options.namespace)?;
    let mut cards: Vec<vault::ceremony::HolderCard> = Vec::new();
    for file in &options.card {
        let card = serde_json::from_slice(&read(file)?).with_context(|| file.display().to_string())?;
        cards.push(card);
    }
    let folder = Folder::create(&options.out)?;
    let simulation = Simulation::begin(
        &folder,
        &options.namespace,
        &cards,
        options.threshold,
        &options.at_least,
    )?;
    let half = match open_hsm(&options.hsm, true)? {
        Some(hsm) => {
            let (half, wrapped) = hsm.new_half(&namespace, &options.hsm.hsm_key)?;
            folder.write("hsm-half", &wrapped.to_bytes())?;
            Some((half, wrapped))
        }
        None => None,
    };
    let setup = Setup::begin(SetupPurpose::Genesis, simulation.manifest.manifest())?;
    let evidence = simulation.evidence(MACHINE, OWN_BUILD, &setup.offer().report_data())?;
    folder.write_setup(setup.offer(), &evidence)?;
    let wrapped = half.as_ref().map(|(_, wrapped)| wrapped);
    let genesis = setup.run_genesis(&cards, wrapped, &evidence, now())?;
    for share in &genesis.shares {
        folder.write(
            &format!("{}.share.json", share.holder),
            &serde_json::to_vec_pretty(share)?,
        )?;
    }
    folder.write("transcript", genesis.transcript.to_text().as_bytes())?;
    say(REHEARSAL)?;
    say(&format!(
        "{}: {} shares, {} of them open the seed; each holder: healthid ceremony share acknowledge",
        folder.path().display(),
        genesis.shares.len(),
        options.threshold
    ))?;
    if let Some((half, _)) = &half {
        say(&fingerprint(&namespace, &genesis.seed, half))?;
    }
    say("The instance ends with this command, and the seed in it. It is left in the shares alone.")
}

fn fingerprint(namespace: &Namespace, seed: &NamespaceSeed, half: &vault::HsmHalf) -> String {
    let vault = Vault::open(UnlockedRoot::from_locks(namespace, seed, half));
    let fingerprint = vault.root_fingerprint().unwrap_or_default();
    format!("root {fingerprint}, lock {}", vault.lock_name())
}

fn holder(file: &std::path::Path) -> Result<HolderKeys> {
    HolderKeys::from_json(&read(file)?).with_context(|| file.display().to_string())
}

/// A ceremony of the past, verified as of then.
fn verified(folder: &Folder, pins: Option<&PathBuf>) -> Result<(AttestedSetup, VerifiedTranscript)> {
    let transcript = folder.transcript()?;
    let then = transcript.begun_at().context("the transcript has no beginning")?;
    let setup = folder.attested(pins, then)?;
    Ok((setup.clone(), verify_transcript(&transcript, &setup)?))
}

fn acknowledge(options: &Acknowledge) -> Result<()> {
    let keys = holder(&options.key)?;
    let folder = Folder::open(&options.genesis)?;
    let setup = folder.attested(None, now())?;
    let share = own_share(&folder, &keys)?;
    let mut transcript = folder.transcript()?;
    keys.acknowledge(&share, &mut transcript, &setup, now())?;
    folder.write("transcript", transcript.to_text().as_bytes())?;
    say(&format!(
        "{}: the share is the one that was published; signed",
        keys.card().name
    ))
}

fn own_share(folder: &Folder, keys: &HolderKeys) -> Result<SealedShare> {
    let share = folder.read(&format!("{}.share.json", keys.card().name))?;
    Ok(serde_json::from_slice(&share)?)
}

fn post(options: &Post) -> Result<()> {
    let keys = holder(&options.key)?;
    let (genesis, to) = (Folder::open(&options.genesis)?, Folder::open(&options.to)?);
    let (_, transcript) = verified(&genesis, None)?;
    // The genesis' pins, not the cold start's: whoever runs the cold start does not say whom a holder believes.
    let setup = to.attested(Some(&genesis.path().join("pins.json")), now())?;
    let posted = keys.post(&own_share(&genesis, &keys)?, &transcript, &setup)?;
    let name = format!("{}.posted.json", keys.card().name);
    to.write(&name, &serde_json::to_vec_pretty(&posted)?)?;
    say(&to.path().join(name).display().to_string())
}

fn cold_start(options: &ColdStartOptions) -> Result<()> {
    let genesis_folder = Folder::open(&options.genesis)?;
    let (_, genesis) = verified(&genesis_folder, None)?;
    let namespace = Namespace::parse(genesis.namespace())?;
    let folder = Folder::create(&options.out)?;
    let simulation = Simulation::continued(&genesis_folder)?;
    simulation.keep_in(&folder)?;
    let setup = Setup::begin(SetupPurpose::ColdStart, simulation.manifest.manifest())?;
    let evidence = simulation.evidence(MACHINE, OWN_BUILD, &setup.offer().report_data())?;
    folder.write_setup(setup.offer(), &evidence)?;
    let mut cold = ColdStart::begin(setup, genesis, &evidence, now())?;
    say(REHEARSAL)?;
    say(&format!(
        "ready: holders post to {}; name their files, one per line",
        folder.path().display()
    ))?;
    std::io::stdout().flush().context("standard output")?;
    for line in std::io::stdin().lock().lines() {
        let line = line.context("standard input")?;
        let posted: PostedShare = match read(line.trim().as_ref()).map(|json| serde_json::from_slice(&json)) {
            Ok(Ok(posted)) => posted,
            _ => {
                say("refused: not a posted share")?;
                continue;
            }
        };
        match cold.accept(&posted, now()) {
            Ok(()) => say(&format!("accepted: {}", posted.holder))?,
            Err(error) => say(&format!("refused: {} ({})", error, error.code()))?,
        }
        if let Ok((seed, transcript)) = cold.finish(now()) {
            folder.write("transcript", transcript.to_text().as_bytes())?;
            say("the seed is the one of genesis")?;
            return match open_hsm(&options.hsm, false)? {
                Some(hsm) => {
                    let wrapped = WrappedHalf::parse(&genesis_folder.read("hsm-half")?)?;
                    say(&fingerprint(&namespace, &seed, &hsm.unwrap_half(&namespace, &wrapped)?))
                }
                None => say("no hardware security module was named: the root stays closed"),
            };
        }
    }
    folder.write("transcript", cold.transcript().to_text().as_bytes())?;
    let error = cold.finish(now()).err();
    bail!(
        "the seed stays closed: {}",
        error.map_or_else(String::new, |error| error.to_string())
    )
}

fn verify(options: &Verify) -> Result<()> {
    let folder = Folder::open(&options.at)?;
    if folder.offer()?.purpose == SetupPurpose::KeyForward {
        return join::verify(&folder, options.pins.as_ref());
    }
    let (setup, transcript) = verified(&folder, options.pins.as_ref())?;
    say(&format!(
        "instance: admitted as {}, keys bound to its evidence",
        InstanceRole::Root
    ))?;
    if folder.is_simulated(options.pins.as_ref())? {
        say(REHEARSAL)?;
    }
    say(&format!("namespace: {}", setup.offer().namespace))?;
    match transcript.purpose() {
        // Taken above.
        SetupPurpose::KeyForward => {}
        SetupPurpose::Genesis => {
            let holders = transcript.holders().len();
            let acknowledged = transcript.acknowledged();
            say(&format!(
                "acknowledged by {} of {holders}: {}",
                acknowledged.len(),
                acknowledged.join(", ")
            ))?;
        }
        SetupPurpose::ColdStart => {
            say(&format!("shares accepted: {}", transcript.accepted().join(", ")))?;
            let genesis = options
                .genesis
                .as_ref()
                .context("a cold start is verified with --genesis")?;
            let (_, genesis) = verified(&Folder::open(genesis)?, options.pins.as_ref())?;
            if !transcript.restores(&genesis) {
                bail!("the seed of that genesis was not brought back");
            }
            say("the seed of that genesis is back")?;
        }
    }
    say("transcript verified: every signature, the chain, holders and rule")
}
