//! Whom the tool believes: public authorities, those named on the command line, and a sandbox that runs on this machine.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use sandbox::description::Description;
use transport::{AddressRule, HttpClient, Roots};

use crate::running::{self, PORTAL};

/// Debian's bundle of public authorities.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Whom to believe.
#[derive(Debug, Clone, Args)]
pub(crate) struct Trust {
    /// Certificate authority to believe over TLS, PEM; several are fine. Public authorities and a running sandbox's own are believed anyway.
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// Portal of a running sandbox, or its data directory: its authority and Federation Master are believed.
    #[arg(long, value_name = "URL|DIR", default_value = PORTAL)]
    at: String,
}

/// Whom was decided to be believed.
pub(crate) struct Believed {
    /// Calls whatever address it is given: the person at the keyboard chose it.
    pub(crate) client: HttpClient,
    /// The authorities.
    pub(crate) roots: Roots,
    /// Only those that everybody believes.
    pub(crate) public: Roots,
    /// The sandbox that runs here, if one does.
    pub(crate) sandbox: Option<Description>,
}

impl Trust {
    /// Reads the authorities and looks for a sandbox. One that was named has to be there; the usual one may be.
    pub(crate) async fn decide(&self) -> Result<Believed> {
        let sandbox = match running::describe(&self.at).await {
            Ok(description) => Some(description),
            Err(_) if self.at == PORTAL => None,
            Err(error) => return Err(error),
        };
        let mut roots = Roots::none();
        // A machine without public authorities still has those named here.
        if let Ok(pem) = std::fs::read(SYSTEM_ROOTS) {
            roots.add_pem(&pem).context(SYSTEM_ROOTS)?;
        }
        let public = roots.clone();
        for path in &self.ca {
            add(&mut roots, path)?;
        }
        if let Some(description) = &sandbox {
            add(&mut roots, &description.ca)?;
        }
        let names = sandbox.as_ref().map(|description| description.host_names.clone());
        let client = HttpClient::builder(&roots, AddressRule::Unrestricted)
            .loopback_names(&names.unwrap_or_default())
            .build()?;
        Ok(Believed {
            client,
            roots,
            public,
            sandbox,
        })
    }
}

fn add(roots: &mut Roots, path: &Path) -> Result<()> {
    let pem = std::fs::read(path).with_context(|| path.display().to_string())?;
    roots.add_pem(&pem).with_context(|| path.display().to_string())
}
