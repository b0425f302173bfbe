//! Which sandbox a command works with: one that runs, or one of its own for the while.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use sandbox::cards::ForeignCards;
use sandbox::description::Description;
use sandbox::headless::Headless;
use sandbox::{RunningSandbox, Sandbox, SandboxOptions};
use transport::{AddressRule, HttpClient, Roots};

/// Where the portal of a sandbox is, unless told otherwise.
pub(crate) const PORTAL: &str = "http://localhost:8400";

/// Which sandbox.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// Portal of a running sandbox, or its data directory.
    #[arg(long, value_name = "URL|DIR", default_value = PORTAL)]
    pub(crate) at: String,
    /// Start a sandbox of its own for this command, on free ports, and end it afterwards.
    #[arg(long, conflicts_with = "at")]
    pub(crate) sandbox: bool,
}

/// The sandbox a command works with.
pub(crate) struct Place {
    /// Logs in there.
    pub(crate) headless: Arc<Headless>,
    own: Option<RunningSandbox>,
}

impl Place {
    /// Ends a sandbox of its own.
    pub(crate) async fn leave(self) {
        if let Some(own) = self.own {
            own.stop().await;
        }
    }
}

impl Which {
    /// The sandbox. `cards` are known to one of its own only.
    pub(crate) async fn enter(&self, cards: ForeignCards) -> Result<Place> {
        if self.sandbox {
            let options = SandboxOptions {
                port_base: 0,
                foreign_cards: cards,
                ..SandboxOptions::default()
            };
            let own = Sandbox::start(options).await?;
            return Ok(Place {
                headless: Arc::new(Headless::with(&own)?),
                own: Some(own),
            });
        }
        Ok(Place {
            headless: Arc::new(Headless::at(describe(&self.at).await?)?),
            own: None,
        })
    }
}

/// What a running sandbox says of itself.
pub(crate) async fn describe(at: &str) -> Result<Description> {
    if !at.starts_with("http://") && !at.starts_with("https://") {
        let file = Path::new(at).join(sandbox::data::DESCRIPTION_FILE);
        let bytes =
            std::fs::read(&file).with_context(|| format!("{}: no sandbox keeps its data here", file.display()))?;
        return serde_json::from_slice(&bytes).with_context(|| file.display().to_string());
    }
    if at.starts_with("https://") {
        bail!("--at {at}: for a sandbox with --https give its data directory instead");
    }
    let url = format!("{}/sandbox.json", at.trim_end_matches('/'));
    let client = HttpClient::builder(&Roots::none(), AddressRule::LoopbackAllowed).build()?;
    let answer = client
        .get(&url, &[])
        .await
        .with_context(|| format!("no sandbox answers at {at}; start one with `healthid sandbox`, or add --sandbox"))?;
    if !answer.is_success() {
        bail!("{url}: status {}, this is no sandbox", answer.status);
    }
    answer.json().with_context(|| url)
}
