//! `healthid manifest`: what may run, decided by several people with files between them and no network.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use evidence::bundle::encode_manifests;
use evidence::manifest::{Approval, ApprovedManifest, Envelope, LoggedManifest, Manifest, diff};
use evidence::transparency::{CosignRequest, LogReader, LogWriter, NamedKey, SigningKey, Witness};
use evidence::verdict::Pins;
use jose::{SoftwareKey, base64url};
use serde_json::json;

use crate::certificate::write_secret;
use crate::clock::now;

/// Longest file read here, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Decide what may run: look, compare, approve, put into the log, cosign, verify. Files only.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key: prints the public half as the manifest writes it.
    ///
    /// Keys in files are for rehearsals; a member of a real set signs with a token of hardware.
    Key {
        /// Whose key.
        kind: Kind,
        /// The member's, log's or witness's name.
        #[arg(long)]
        name: String,
        /// File for the private key, PKCS#8 DER.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print a manifest or an envelope for people: number, hash, who approved.
    Show {
        /// Manifest or envelope.
        file: PathBuf,
    },
    /// Print what changes from one to the other, one line per change. Exit code 0 also when much changes.
    Diff {
        /// The manifest or envelope in force.
        old: PathBuf,
        /// The proposed one.
        new: PathBuf,
    },
    /// Sign a manifest as a member of the set that decides; writes the envelope with this approval added.
    Approve {
        /// Manifest, or an envelope with others' approvals.
        file: PathBuf,
        /// The member's name in the set.
        #[arg(long = "as", value_name = "NAME")]
        member: String,
        /// The member's private key, PKCS#8 DER.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// File for the envelope.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Put an envelope into the log, and sign the new checkpoint.
    Log {
        /// The envelope.
        envelope: PathBuf,
        #[command(flatten)]
        log: LogDirectory,
        /// The log's private key, PKCS#8 DER.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Cosign the log's checkpoint as a witness, if the log has done nothing but grow; adds the line to the checkpoint.
    Cosign {
        #[command(flatten)]
        log: LogDirectory,
        /// The log's public key, base64url.
        #[arg(long, value_name = "KEY")]
        log_key: String,
        /// The witness's name.
        #[arg(long = "as", value_name = "NAME")]
        witness: String,
        /// The witness's private key, PKCS#8 DER.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// What the witness remembers; made by the first call. Never delete it.
        #[arg(long, value_name = "FILE")]
        state: PathBuf,
    },
    /// Write what an instance runs under and shows: the manifests at these entries, each with its approvals and the log's word.
    Export {
        /// Directory of the log, or of a copy.
        #[arg(long, value_name = "DIR")]
        log: PathBuf,
        /// The entry of the manifest in force, counted from 0; before it, those that changed who decides.
        #[arg(long, required = true)]
        entry: Vec<u64>,
        /// Whom to believe: what they would refuse is not written.
        #[arg(long, value_name = "FILE")]
        pins: PathBuf,
        /// File for `evidence.manifests` of the provider's configuration.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Verify that the manifest at an entry of the log holds now: approvals, log, witnesses, time.
    Verify {
        /// Directory of the log, or of a copy.
        #[arg(long, value_name = "DIR")]
        log: PathBuf,
        /// The entry, counted from 0.
        #[arg(long)]
        entry: u64,
        /// Whom to believe.
        #[arg(long, value_name = "FILE")]
        pins: PathBuf,
    },
}

/// Whose key.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// A member of a manifest or share set: P-256.
    Member,
    /// A log: Ed25519.
    Log,
    /// A witness: Ed25519.
    Witness,
}

/// Which log.
#[derive(Debug, Args)]
pub(crate) struct LogDirectory {
    /// Directory of the log, as a web server serves it.
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The log's name: the first line of its checkpoints.
    #[arg(long, value_name = "NAME")]
    log_name: String,
}

pub(crate) fn run(command: Command) -> Result<()> {
    match command {
        Command::Key { kind, name, out } => key(kind, &name, &out),
        Command::Show { file } => show(&envelope(&file)?),
        Command::Diff { old, new } => {
            for line in diff(&envelope(&old)?.manifest, &envelope(&new)?.manifest) {
                say(&line)?;
            }
            Ok(())
        }
        Command::Approve { file, member, key, out } => approve(&envelope(&file)?, &member, &key, &out),
        Command::Log {
            envelope: file,
            log,
            key,
        } => {
            let entry = envelope(&file)?.encode();
            let writer = LogWriter::open(log.log, SigningKey::from_pkcs8(&log.log_name, &read(&key)?)?)?;
            say(&format!("entry {}", writer.append(&entry)?))
        }
        Command::Cosign {
            log,
            log_key,
            witness,
            key,
            state,
        } => {
            let log_key = NamedKey {
                key: base64url::decode_array(&log_key).context("--log-key")?,
                name: log.log_name,
            };
            let reader = LogReader::open(log.log, log_key.clone())?;
            let witness = Witness::new(SigningKey::from_pkcs8(&witness, &read(&key)?)?, log_key, state);
            cosign(&reader, &witness)
        }
        Command::Export { log, entry, pins, out } => {
            let (logged, approved) = holding(log, &entry, &pins)?;
            std::fs::write(&out, encode_manifests(&logged)).with_context(|| out.display().to_string())?;
            say(&format!(
                "manifest {} in force: {}",
                approved.manifest().number,
                out.display()
            ))
        }
        Command::Verify { log, entry, pins } => verify(log, entry, &pins),
    }
}

fn key(kind: Kind, name: &str, out: &Path) -> Result<()> {
    let public = match kind {
        Kind::Member => {
            let key = SoftwareKey::generate(name)?;
            write_secret(out, &key.to_pkcs8_der())?;
            base64url::encode(&key.public_key().to_uncompressed())
        }
        Kind::Log | Kind::Witness => {
            let key = SigningKey::generate(name)?;
            write_secret(out, &key.to_pkcs8()?)?;
            base64url::encode(&key.public().key)
        }
    };
    say(&json!({ "key": public, "name": name }).to_string())
}

fn show(envelope: &Envelope) -> Result<()> {
    let manifest = &envelope.manifest;
    say(&format!("manifest {} of {}", manifest.number, manifest.namespace))?;
    say(&format!("SHA-256 {}", hex(&manifest.hash())))?;
    say(&format!("follows {}", hex(&manifest.previous)))?;
    say(&format!(
        "valid from {} to {}",
        manifest.valid_from.0, manifest.valid_until.0
    ))?;
    for build in &manifest.measurements {
        let measurement = serde_json::to_string(&build.measurement)?;
        say(&format!(
            "build {} from {}: {measurement}",
            build.version,
            hex(&build.commit)
        ))?;
    }
    for site in &manifest.sites {
        say(&format!("site {}: {} machines", site.name, site.machines.len()))?;
    }
    for member in &manifest.governance.manifest_set.members {
        say(&format!("next set: {} ({})", member.name, member.role))?;
    }
    for approval in &envelope.approvals {
        say(&format!("approval, not verified here: {}", approval.member))?;
    }
    Ok(())
}

fn approve(envelope: &Envelope, member: &str, key: &Path, out: &Path) -> Result<()> {
    let key = SoftwareKey::from_pkcs8_der(member, &read(key)?)?;
    let mut approvals = envelope.approvals.clone();
    if approvals.iter().any(|approval| approval.member == member) {
        bail!("{member} has approved already");
    }
    approvals.push(Approval::sign(&envelope.manifest, member, &key)?);
    let approved = Envelope::new(envelope.manifest.clone(), approvals);
    std::fs::write(out, approved.encode()).with_context(|| out.display().to_string())?;
    say(&format!(
        "{} approves manifest {} ({})",
        key.kid(),
        approved.manifest.number,
        hex(&approved.manifest.hash())
    ))
}

fn cosign(log: &LogReader, witness: &Witness) -> Result<()> {
    let checkpoint = log.checkpoint()?.context("the log is empty")?;
    let old_size = witness.last()?.map_or(0, |view| view.size);
    let size = log.view()?.map_or(0, |view| view.size);
    let consistency = if old_size <= size {
        log.prove_consistency(old_size)?
    } else {
        Vec::new()
    };
    let line = witness.cosign(
        &CosignRequest {
            old_size,
            checkpoint: &checkpoint,
            consistency: &consistency,
        },
        now(),
    )?;
    log.add_cosignature(&line)?;
    say(&format!("cosigned {size} entries as {}", witness.public().name))
}

/// The manifests at entries of the log, the last of which holds now.
fn holding(log: PathBuf, entries: &[u64], pins: &Path) -> Result<(Vec<LoggedManifest>, ApprovedManifest)> {
    let pins = Pins::parse(&read(pins)?).with_context(|| pins.display().to_string())?;
    let reader = LogReader::open(log, pins.trust.governance.log.clone())?;
    let seen_size = pins.seen.and_then(|seen| seen.log).map_or(0, |view| view.size);
    let logged = entries
        .iter()
        .map(|entry| LoggedManifest::from_log(&reader, *entry, seen_size))
        .collect::<Result<Vec<_>, _>>()?;
    let approved = ApprovedManifest::verify(&logged, &pins.trust, pins.seen.as_ref(), now())
        .map_err(|error| anyhow::anyhow!("{error} [{}]", error.code()))?;
    Ok((logged, approved))
}

fn verify(log: PathBuf, entry: u64, pins: &Path) -> Result<()> {
    let (_, approved) = holding(log, &[entry], pins)?;
    for signer in approved.approved_by() {
        say(&format!("approved by {} ({})", signer.name, signer.role))?;
    }
    say(&format!("witnessed by {}", approved.witnesses().join(", ")))?;
    say(&format!(
        "manifest {} holds ({})",
        approved.manifest().number,
        hex(&approved.hash())
    ))
}

/// An envelope, or a manifest as an envelope that nobody has approved yet.
fn envelope(file: &Path) -> Result<Envelope> {
    let bytes = read(file)?;
    // Editors end a file with a newline; the canonical encoding has none.
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    match Envelope::parse(bytes) {
        Ok(envelope) => Ok(envelope),
        Err(as_envelope) => match Manifest::parse(bytes) {
            Ok(manifest) => Ok(Envelope::new(manifest, Vec::new())),
            Err(_) if bytes.starts_with(br#"{"approvals""#) => bail!("{}: {as_envelope}", file.display()),
            Err(as_manifest) => bail!("{}: {as_manifest}", file.display()),
        },
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let name = || path.display().to_string();
    if std::fs::metadata(path).with_context(name)?.len() > MAX_FILE_BYTES {
        bail!("{}: longer than {MAX_FILE_BYTES} bytes", path.display());
    }
    std::fs::read(path).with_context(name)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output")
}
