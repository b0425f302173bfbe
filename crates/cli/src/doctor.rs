//! `healthid doctor`: checks of what an operator is about to use.

use anyhow::Result;
use clap::Subcommand;

mod gramine_manifest;
mod links;

/// Check what an operator is about to use.
#[derive(Subcommand)]
pub(crate) enum Command {
    GramineManifest(gramine_manifest::Options),
    Links(Box<links::Options>),
}

/// Carries it out.
pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::GramineManifest(options) => gramine_manifest::run(&options),
        Command::Links(options) => links::run(*options).await,
    }
}
