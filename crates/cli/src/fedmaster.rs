//! `healthid fedmaster`: run a Federation Master, and register participants with one whose registration is open.

use std::{io::Write as _, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use fedmaster::registration::{FormFormat, ParticipantType, RegistrationForm, parse_forms};
use http::Method;
use jose::{json, jwk::JwkSet};
use serde_json::Value;
use transport::{HttpClient, HttpResponse};

use crate::trust::Trust;

/// Run a Federation Master, and register participants with one.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a Federation Master alone, from a configuration file.
    Serve {
        /// The configuration file, TOML.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Register a participant, or replace its registration; a rejected one is explained by the rule it breaks.
    ///
    /// Example: healthid fedmaster register --entity-id https://localhost:9001 --name "My service" --keys entity-keys.json
    /// --redirect-uri http://localhost:9000/return --scope openid --scope urn:telematik:versicherter
    #[command(visible_alias = "update")]
    Register(Box<Register>),
    /// List the participants.
    List(At),
    /// Fetch a participant's statement now and say what is wrong with it.
    Check {
        /// Its entity identifier.
        entity_id: String,
        #[command(flatten)]
        at: At,
    },
    /// Remove a participant. Statements already issued about it end within a day (A_23087).
    Remove {
        /// Its entity identifier.
        entity_id: String,
        #[command(flatten)]
        at: At,
    },
}

/// Which Federation Master.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// Its entity identifier; the running sandbox's where this is left out. Its registration has to be open, as the sandbox's is.
    #[arg(long, value_name = "URL")]
    master: Option<String>,
    #[command(flatten)]
    trust: Trust,
}

/// A Federation Master that can be called.
struct Master {
    client: HttpClient,
    url: String,
}

/// A participant, by a file or by its members.
#[derive(Debug, Args)]
pub(crate) struct Register {
    #[command(flatten)]
    at: At,
    /// File with one form or several (.toml or .json), instead of the members below.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["entity_id", "name", "keys", "redirect_uri", "scope"])]
    file: Option<PathBuf>,
    /// Its entity identifier.
    #[arg(long, value_name = "URL", required_unless_present = "file")]
    entity_id: Option<String>,
    /// What it is.
    #[arg(long = "type", value_name = "TYPE", default_value = "rp")]
    kind: Kind,
    /// Name of the organisation.
    #[arg(long, required_unless_present = "file")]
    name: Option<String>,
    /// File with its public entity keys, a JWK set.
    #[arg(long, value_name = "FILE", required_unless_present = "file")]
    keys: Option<PathBuf>,
    /// A redirect URI of a service; several are fine.
    #[arg(long, value_name = "URL")]
    redirect_uri: Vec<String>,
    /// A scope of a service; several are fine.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
}

/// What a participant is.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// A service (Fachdienst).
    Rp,
    /// An identity provider.
    Idp,
}

pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve { config } => serve(&config).await,
        Command::Register(options) => register(&options).await,
        Command::List(at) => {
            let master = at.master().await?;
            show(&master.client.get(&master.url("/registration"), &[]).await?)
        }
        Command::Check { entity_id, at } => {
            let master = at.master().await?;
            let url = master.about("/registration/check", &entity_id)?;
            show(&master.client.send(Method::POST, &url, &[], Vec::new().into()).await?)
        }
        Command::Remove { entity_id, at } => {
            let master = at.master().await?;
            let url = master.about("/registration", &entity_id)?;
            show(&master.client.send(Method::DELETE, &url, &[], Vec::new().into()).await?)
        }
    }
}

impl At {
    async fn master(&self) -> Result<Master> {
        let believed = self.trust.decide().await?;
        let url = match (&self.master, &believed.sandbox) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(sandbox)) => sandbox.master.clone(),
            (None, None) => bail!(
                "no sandbox runs here; start one with `healthid sandbox`, or name a Federation Master with --master"
            ),
        };
        Ok(Master {
            client: believed.client,
            url,
        })
    }
}

impl Master {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn about(&self, path: &str, entity_id: &str) -> Result<String> {
        let mut url = url::Url::parse(&self.url(path)).with_context(|| self.url.clone())?;
        url.query_pairs_mut().append_pair("entity_id", entity_id);
        Ok(url.into())
    }
}

async fn serve(config: &std::path::Path) -> Result<()> {
    let text = std::fs::read_to_string(config).with_context(|| config.display().to_string())?;
    let config = fedmaster::Config::parse(&text).with_context(|| config.display().to_string())?;
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    fedmaster::serve(config, async {
        let _ = tokio::signal::ctrl_c().await;
    })
    .await?;
    Ok(())
}

async fn register(options: &Register) -> Result<()> {
    let forms = forms(options)?;
    let master = options.at.master().await?;
    for form in forms {
        let url = master.url("/registration");
        show(&master.client.post_json(&url, &form, &[]).await?)?;
    }
    Ok(())
}

fn forms(options: &Register) -> Result<Vec<RegistrationForm>> {
    if let Some(path) = &options.file {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => FormFormat::Toml,
            _ => FormFormat::Json,
        };
        return parse_forms(&text, format).with_context(|| path.display().to_string());
    }
    // clap demands these three where there is no file.
    let (Some(entity_id), Some(name), Some(keys)) = (&options.entity_id, &options.name, &options.keys) else {
        bail!("--entity-id, --name and --keys are needed, or --file");
    };
    let text = std::fs::read(keys).with_context(|| keys.display().to_string())?;
    let value = json::parse(&text, &json::DEFAULT).with_context(|| keys.display().to_string())?;
    let kind = match options.kind {
        Kind::Rp => ParticipantType::RelyingParty,
        Kind::Idp => ParticipantType::IdentityProvider,
    };
    let mut form = RegistrationForm::new(entity_id, kind, name);
    form.keys = Some(JwkSet::from_value(&value).with_context(|| keys.display().to_string())?);
    if matches!(options.kind, Kind::Rp) {
        form.redirect_uris = Some(options.redirect_uri.clone());
        form.scopes = Some(options.scope.clone());
    }
    Ok(vec![form])
}

/// Prints an answer; a refusal with every finding becomes the error.
fn show(answer: &HttpResponse) -> Result<()> {
    let body: Value = answer.json().unwrap_or(Value::Null);
    if answer.is_success() {
        let text = if body.is_null() {
            "done".to_owned()
        } else {
            serde_json::to_string_pretty(&body)?
        };
        return writeln!(std::io::stdout(), "{text}").context("standard output");
    }
    let description = body.get("error_description").and_then(Value::as_str);
    let findings = body.get("findings").and_then(Value::as_array);
    let mut message = match (findings, description) {
        (Some(_), _) => "refused".to_owned(),
        (None, Some(description)) => description.to_owned(),
        (None, None) => format!("status {}", answer.status),
    };
    for finding in findings.into_iter().flatten() {
        let member = |name| finding.get(name).and_then(Value::as_str).unwrap_or("-");
        message.push_str(&format!(
            "\n  {}: {}, found {} ({})",
            member("member"),
            member("expected"),
            member("found"),
            member("source")
        ));
    }
    bail!("{message}")
}
