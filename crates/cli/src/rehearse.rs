//! `healthid rehearse`: what will happen some day, today.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use sandbox::rehearsal::Rehearsal;
use sandbox::rollover::RolloverKey;

use crate::running::Which;

/// Rehearse in the sandbox what production dreads.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Roll a key over while people log in: publish the next one, switch to it, retire the old one. Says whether a login failed.
    ///
    /// Examples:
    ///   healthid rehearse rollover --key token --sandbox
    ///   healthid rehearse rollover --key service-certificate --of prescription
    #[command(verbatim_doc_comment)]
    Rollover(Rollover),
}

/// Roll a key over.
#[derive(Debug, Args)]
pub(crate) struct Rollover {
    /// Which key.
    #[arg(long, value_name = "KEY")]
    key: Key,
    /// Whose: leuchtturm or kleeblatt for entity and token, record or prescription for a service's. Left out, the first of them.
    #[arg(long, value_name = "WHO")]
    of: Option<String>,
    /// Logins at the same time.
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    workers: usize,
    /// Logins that must have ended before each next step.
    #[arg(long, value_name = "NUMBER", default_value_t = 25)]
    logins: usize,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Key {
    /// An insurer's entity key: signs its entity statement.
    Entity,
    /// An insurer's token key: signs ID tokens.
    Token,
    /// The provider's TLS key.
    Tls,
    /// A service's TLS client certificate.
    ServiceCertificate,
    /// A service's encryption key: ID tokens are encrypted to it.
    ServiceEncryption,
}

impl Key {
    const fn of(self) -> (RolloverKey, &'static str) {
        match self {
            Self::Entity => (RolloverKey::Entity, "leuchtturm"),
            Self::Token => (RolloverKey::Token, "leuchtturm"),
            Self::Tls => (RolloverKey::Tls, "provider"),
            Self::ServiceCertificate => (RolloverKey::ServiceCertificate, "record"),
            Self::ServiceEncryption => (RolloverKey::ServiceEncryption, "record"),
        }
    }
}

pub(crate) async fn run(command: Command) -> Result<()> {
    let Command::Rollover(options) = command;
    let (key, default) = options.key.of();
    let of = options.of.as_deref().unwrap_or(default);
    let rehearsal = Rehearsal {
        key,
        of: of.to_owned(),
        workers: options.workers,
        logins_per_step: options.logins,
    };
    let shares_keys = options.which.sandbox;
    let place = options.which.enter(Default::default()).await?;
    let report = rehearsal
        .hold(Arc::clone(&place.headless), shares_keys, |step, logins| {
            // Nobody reads a broken output; the report comes all the same.
            let _ = writeln!(std::io::stdout(), "{:<8} after {logins} logins", step.word());
        })
        .await;
    place.leave().await;
    let report = report?;
    for reason in &report.reasons {
        writeln!(std::io::stderr(), "failed: {reason}").context("standard error")?;
    }
    let (succeeded, failed) = (report.succeeded, report.failed);
    if failed > 0 {
        bail!(
            "{failed} of {} logins failed during the rollover of {of}'s {} key",
            succeeded + failed,
            key.word()
        );
    }
    writeln!(
        std::io::stdout(),
        "{} key of {of} rolled over: {succeeded} logins, none failed",
        key.word()
    )
    .context("standard output")
}
