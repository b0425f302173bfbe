//! `healthid doctor gramine-manifest`: the switches by which a manifest would let the host in.

use std::{io::Write as _, path::PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::Args;

/// Refuse a Gramine manifest that lets the host into the enclave; one line for each switch.
#[derive(Args)]
pub(crate) struct Options {
    /// The manifest, or its template.
    file: PathBuf,
    /// The security version (isvsvn) of the release before: the manifest's must be above.
    #[arg(long, value_name = "ISVSVN")]
    newer_than: Option<u16>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let file = options.file.display();
    let text = std::fs::read_to_string(&options.file).map_err(|error| anyhow!("{file}: {error}"))?;
    let findings = harden::gramine_manifest::lint(&text, options.newer_than);
    if findings.is_empty() {
        writeln!(std::io::stdout(), "{file}: nothing to refuse")?;
        return Ok(());
    }
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    bail!("{file}:\n{}", lines.join("\n"))
}
