//! `healthid doctor`: checks of what an operator is about to use.

use std::{io::Write as _, path::PathBuf};

use clap::Subcommand;

/// Check what an operator is about to use.
#[derive(Subcommand)]
pub enum Command {
    /// Refuse a Gramine manifest that lets the host into the enclave; one line for each switch.
    GramineManifest {
        /// The manifest, or its template.
        file: PathBuf,
        /// The security version (isvsvn) of the release before: the manifest's must be above.
        #[arg(long, value_name = "ISVSVN")]
        newer_than: Option<u16>,
    },
}

/// Carries it out.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let Command::GramineManifest { file, newer_than } = command;
    let text = std::fs::read_to_string(file).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
    let findings = harden::gramine_manifest::lint(&text, *newer_than);
    if findings.is_empty() {
        writeln!(std::io::stdout(), "{}: nothing to refuse", file.display())?;
        return Ok(());
    }
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    anyhow::bail!("{}:\n{}", file.display(), lines.join("\n"))
}
