//! `healthid login`: a whole login without a browser.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use authenticator::Acr;
use clap::Args;
use relying_party::client::{LevelRule, LoginOptions, claims_parameter};
use relying_party::explain::explain;
use sandbox::headless::Headless;
use sandbox::services::Service;
use serde_json::Value;

use crate::person::{Decides, Who};
use crate::running::Which;
use crate::sandbox_command::{CardOptions, read};

/// Log in without a browser: pushed request, card or phone, consent, token; prints the claims as JSON.
///
/// Acts as a demo service of the sandbox and as the person. Exit code 0 only if everything verified: trust chain of the insurer, signed key set,
/// decryption, signature, and every claim that answers the request.
///
/// Examples:
///   healthid login
///   healthid login --sandbox
///   healthid login --service prescription --person fiona --refuse urn:telematik:email
///   healthid login --scope openid --scope urn:telematik:alter --claim urn:telematik:claims:alter
///   healthid login --sandbox --card card.p12 --card-ca GEM.EGK-CA51_TEST-ONLY.der
///   healthid phone bind --person lena --out lena-phone.json && healthid login --device lena-phone.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    #[command(flatten)]
    which: Which,
    /// The service: record (asks for everything) or prescription (asks for little).
    #[arg(long, value_name = "SERVICE", default_value = "record")]
    service: String,
    #[command(flatten)]
    who: Who,
    /// Level asked for: high, substantial, or the wire value.
    #[arg(long, value_name = "LEVEL")]
    acr: Option<String>,
    /// Ask for this scope. May be repeated; left out, for all the service is registered for.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Ask for this claim as essential. May be repeated.
    #[arg(long, value_name = "CLAIM")]
    claim: Vec<String>,
    /// Ask for this claim as voluntary. May be repeated.
    #[arg(long, value_name = "CLAIM")]
    voluntary: Vec<String>,
    /// The whole claims parameter as JSON, instead of --claim and --voluntary.
    #[arg(long, value_name = "JSON", conflicts_with_all = ["claim", "voluntary"])]
    claims: Option<String>,
    /// Oldest authentication accepted, in seconds; 0 forces a fresh one.
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<u64>,
    /// prompt parameter: login, consent, select_account or none.
    #[arg(long, value_name = "PROMPT")]
    prompt: Option<String>,
    /// amr parameter: a wish for a method, such as urn:telematik:auth:eGK.
    #[arg(long, value_name = "METHOD")]
    amr: Option<String>,
    #[command(flatten)]
    decides: Decides,
    /// Authority that issued the card file, DER or PEM; with --sandbox.
    #[arg(long, value_name = "FILE", requires = "sandbox")]
    card_ca: Vec<std::path::PathBuf>,
    /// A card to refuse as revoked: issuer's common name, colon, serial number; with --sandbox.
    #[arg(long, value_name = "ISSUER:SERIAL", requires = "sandbox")]
    revoked_card: Vec<String>,
    /// Print the whole account of the token instead of its claims: every layer, key and check.
    #[arg(long)]
    explain: bool,
}

impl Options {
    fn login_options(&self, service: Service) -> Result<LoginOptions> {
        let acr = self.acr.as_deref().map(level).transpose()?;
        let personality = service.personality();
        let mut options = Headless::options(service, acr);
        if !self.scope.is_empty() {
            options.claims = personality.claims(&self.scope, options.acr);
            options.scopes = Some(self.scope.clone());
        }
        if !self.claim.is_empty() || !self.voluntary.is_empty() {
            let names = |names: &'_ [String]| names.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
            let (essential, voluntary) = (names(&self.claim), names(&self.voluntary));
            options.claims = Some(claims_parameter(
                &essential.lines().collect::<Vec<_>>(),
                &voluntary.lines().collect::<Vec<_>>(),
            ));
        }
        if let Some(text) = &self.claims {
            options.claims = Some(serde_json::from_str::<Value>(text).context("--claims")?);
        }
        if acr == Some(Acr::Substantial) {
            options.level_rule = LevelRule::AtLeast;
        }
        options.max_age_seconds = self.max_age;
        options.prompt.clone_from(&self.prompt);
        options.amr.clone_from(&self.amr);
        Ok(options)
    }
}

fn level(text: &str) -> Result<Acr> {
    match text {
        "high" => Ok(Acr::High),
        "substantial" => Ok(Acr::Substantial),
        _ => Acr::parse(text).with_context(|| format!("--acr {text}: expected high or substantial")),
    }
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let Some(service) = Service::parse(&options.service) else {
        bail!("--service {}: expected record or prescription", options.service);
    };
    let login_options = options.login_options(service)?;
    let insurer = options.who.insurer()?;
    let mut holder = options.who.holder()?;
    let foreign = CardOptions {
        card: options.who.card.iter().cloned().collect(),
        card_password: options.who.card_password.clone(),
        card_ca: options.card_ca.clone(),
        revoked_card: options.revoked_card.clone(),
    };
    // A file that is given as authority too must be readable, whatever the sandbox.
    for path in &options.card_ca {
        read(path)?;
    }
    let place = options.which.enter(foreign.read()?).await?;
    let outcome = place
        .headless
        .log_in(
            service,
            insurer,
            &login_options,
            holder.means(),
            &options.decides.decision(),
        )
        .await;
    holder.keep()?;
    place.leave().await;
    let login = outcome?;
    let text = if options.explain {
        serde_json::to_string_pretty(&explain(&login.token))?
    } else {
        serde_json::to_string_pretty(login.token.claims())?
    };
    writeln!(std::io::stdout(), "{text}").context("standard output")
}
