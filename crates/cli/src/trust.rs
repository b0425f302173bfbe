//! Whom the tool believes over TLS, and how it calls.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use transport::{AddressRule, HttpClient, Roots};

/// Debian's bundle of public authorities.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Whom to believe over TLS.
#[derive(Debug, Clone, Args)]
pub(crate) struct Trust {
    /// Certificate authority to believe, PEM: the sandbox prints where its own is. Public authorities are believed where this is left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

impl Trust {
    /// The authorities.
    pub(crate) fn roots(&self) -> Result<Roots> {
        let path = self.ca.clone().unwrap_or_else(|| PathBuf::from(SYSTEM_ROOTS));
        let pem = match (std::fs::read(&path), &self.ca) {
            (Ok(pem), _) => pem,
            // No public authorities on this machine: everything https will say so.
            (Err(_), None) => return Ok(Roots::none()),
            (Err(error), Some(_)) => return Err(error).with_context(|| path.display().to_string()),
        };
        Roots::from_pem(&pem).with_context(|| path.display().to_string())
    }

    /// A client that calls whatever address it is given: the person at the keyboard chose it.
    pub(crate) fn client(&self) -> Result<HttpClient> {
        Ok(HttpClient::builder(&self.roots()?, AddressRule::Unrestricted).build()?)
    }
}
