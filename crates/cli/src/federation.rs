//! `healthid federation`: check an entity, evaluate metadata policies.

use anyhow::Result;
use clap::Subcommand;

mod check;
mod policy;

/// Look into a federation.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch an entity's statement, resolve its chain, print each step and each defect.
    ///
    /// Example: healthid federation check https://localhost:8405
    Check(check::Options),
    /// Evaluate metadata policies: one JSON case a line on standard input, one JSON answer a line on standard output.
    ///
    /// A case is {"policies": [trust anchor's first, then each intermediate's], "metadata": {...}}; the answer is {"merged": {...}, "resolved": {...}}
    /// or {"error": "invalid_policy" | "invalid_metadata", "error_description": "..."} (OpenID Federation 1.0 section 6.1).
    Policy,
}

pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Check(options) => check::run(options).await,
        Command::Policy => policy::run(),
    }
}
