//! `healthid federation check`: one entity, from its own statement up to the trust anchor, with every step said.

use std::{io::Write as _, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use federation::{
    EntityId, EntityType, Schemes,
    chain::{ChainRequest, FetchedStatement, MAX_INTERMEDIATES, ResolvedTrustChain, TrustAnchor, resolve},
    metadata::FederationEntity,
    relying_party::{self, VerifiedRelyingParty},
    signed_keys,
    statement::{self, UnverifiedStatement},
};
use jose::{UnixTime, json, jwk::JwkSet};

use crate::{
    clock::now,
    failure,
    trust::{Believed, Trust},
};

/// What to check, and against whom.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The entity identifier.
    entity: String,
    /// The role it should have. Found out where it is left out.
    #[arg(long = "as", value_name = "ROLE")]
    role: Option<Role>,
    /// File with the trust anchor's pinned keys (JWK set). Without it a running sandbox's Federation Master is pinned; any other anchor's own
    /// statement is believed, and said to be unpinned.
    #[arg(long, value_name = "FILE")]
    anchor_keys: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
}

/// Roles of the federation.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// `openid_provider`
    Provider,
    /// `openid_relying_party`
    RelyingParty,
    /// `federation_entity`
    FederationEntity,
}

impl Role {
    const fn entity_type(self) -> EntityType {
        match self {
            Self::Provider => EntityType::OpenIdProvider,
            Self::RelyingParty => EntityType::OpenIdRelyingParty,
            Self::FederationEntity => EntityType::FederationEntity,
        }
    }
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let mut check = Check {
        believed: options.trust.decide().await?,
        now: now(),
        defects: Vec::new(),
    };
    let subject = EntityId::parse(&options.entity, Schemes::LoopbackHttpToo)?;
    if let Err(error) = check.entity(&subject, &options).await {
        check.defect(&failure::told(&error))?;
    }
    match check.defects.len() {
        0 => say("verified, no defect found"),
        1 => bail!("1 defect"),
        many => bail!("{many} defects"),
    }
}

/// Whether a statement is one of an entity that answers for others and that nobody answers for.
fn is_anchor(own: &UnverifiedStatement) -> bool {
    let claims = own.unverified_claims();
    let fetches = claims
        .metadata_of(EntityType::FederationEntity.as_str())
        .is_some_and(|entity| entity.contains_key("federation_fetch_endpoint"));
    fetches && claims.authority_hints.as_ref().is_none_or(Vec::is_empty)
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output")
}

struct Check {
    believed: Believed,
    now: UnixTime,
    defects: Vec<String>,
}

impl Check {
    /// A defect that was said in fewer words before is not another one.
    fn defect(&mut self, defect: &str) -> Result<()> {
        if self.defects.iter().any(|said| defect.contains(said)) {
            return Ok(());
        }
        self.defects.push(defect.to_owned());
        say(&format!("DEFECT  {defect}"))
    }

    async fn entity(&mut self, subject: &EntityId, options: &Options) -> Result<()> {
        let own = self.fetch(&subject.well_known_url()).await?;
        let parsed = statement::parse(&own.compact)?;
        self.own_statement(&parsed)?;
        if is_anchor(&parsed) {
            // Nobody is above it: what can be checked is its own statement, against the keys that are pinned.
            let verified = self.pin(&own, options)?.verify_configuration(&own.compact, self.now)?;
            say(&format!(
                "trust anchor: names no superior, publishes {} key(s)",
                verified.keys().keys.len()
            ))?;
            return say(&serde_json::to_string_pretty(
                &verified.statement().claims().to_value(),
            )?);
        }
        let (superiors, anchor) = self.climb(subject, &parsed).await?;
        let anchor = self.pin(&anchor, options)?;
        let mut statements = vec![own];
        statements.extend(superiors);
        let role = match options.role {
            Some(role) => role.entity_type(),
            None => find_role(&parsed),
        };
        let request = ChainRequest::new(subject, role);
        let chain = resolve(&request, &statements, &[anchor], self.now)?;
        say("trust chain:")?;
        for step in chain.explain() {
            say(&format!("  {step}"))?;
        }
        say(&format!("resolved {} metadata:", role.as_str()))?;
        say(&serde_json::to_string_pretty(chain.metadata())?)?;
        self.keys(subject, &chain, role).await
    }

    /// Everything that can be said of the statement alone.
    fn own_statement(&mut self, parsed: &UnverifiedStatement) -> Result<()> {
        let claims = parsed.unverified_claims();
        say(&format!(
            "own statement: kid {}, {} key(s), expires in {} s",
            parsed.kid(),
            claims.jwks.keys.len(),
            claims.exp.seconds_since(self.now)
        ))?;
        if let Err(error) = parsed.verify_self(self.now) {
            self.defect(&error.to_string())?;
        }
        Ok(())
    }

    /// From superior to superior, until one has none: the anchor.
    async fn climb(
        &mut self,
        subject: &EntityId,
        own: &UnverifiedStatement,
    ) -> Result<(Vec<FetchedStatement>, FetchedStatement)> {
        let mut statements = Vec::new();
        let mut below = subject.clone();
        let mut hints = own.unverified_claims().authority_hints.clone().unwrap_or_default();
        for _ in 0..=MAX_INTERMEDIATES {
            let Some(superior) = hints.first().cloned() else {
                break;
            };
            if hints.len() > 1 {
                say(&format!(
                    "{} authority hints; following the first, {superior}",
                    hints.len()
                ))?;
            }
            let superior_own = self.fetch(&superior.well_known_url()).await?;
            let parsed = statement::parse(&superior_own.compact)
                .with_context(|| format!("own statement of the superior {superior}"))?;
            let members = parsed
                .unverified_claims()
                .metadata_of(EntityType::FederationEntity.as_str())
                .cloned()
                .unwrap_or_default();
            let endpoint = FederationEntity::parse(&members)?
                .federation_fetch_endpoint
                .with_context(|| format!("the superior {superior} names no federation_fetch_endpoint"))?;
            let mut url = url::Url::parse(&endpoint)?;
            url.query_pairs_mut()
                .append_pair("iss", superior.as_str())
                .append_pair("sub", below.as_str());
            statements.push(self.fetch(url.as_str()).await?);
            hints = parsed.unverified_claims().authority_hints.clone().unwrap_or_default();
            if hints.is_empty() {
                statements.push(superior_own.clone());
                return Ok((statements, superior_own));
            }
            below = superior;
        }
        if statements.is_empty() {
            bail!(
                "the entity names no superior (authority_hints): it is a trust anchor itself, or belongs to no federation"
            );
        }
        bail!("more than {MAX_INTERMEDIATES} intermediates")
    }

    fn pin(&self, anchor: &FetchedStatement, options: &Options) -> Result<TrustAnchor> {
        let parsed = statement::parse(&anchor.compact)?;
        let entity_id = parsed.unverified_claims().iss.clone();
        let keys = match &options.anchor_keys {
            Some(path) => {
                let text = std::fs::read(path).with_context(|| path.display().to_string())?;
                JwkSet::from_value(&json::parse(&text, &json::DEFAULT)?)?
            }
            None => match &self.believed.sandbox {
                Some(sandbox) if sandbox.master == entity_id.as_str() => sandbox.master_keys.clone(),
                _ => {
                    say(&format!(
                        "note: the keys of {entity_id} are taken from its own statement, not pinned; give --anchor-keys to be sure"
                    ))?;
                    parsed.unverified_claims().jwks.clone()
                }
            },
        };
        Ok(TrustAnchor { entity_id, keys })
    }

    /// The signed key set, and for a service whether a provider could serve it.
    async fn keys(&mut self, subject: &EntityId, chain: &ResolvedTrustChain, role: EntityType) -> Result<()> {
        let uri = match role {
            EntityType::OpenIdProvider => chain
                .metadata()
                .get("signed_jwks_uri")
                .and_then(|uri| uri.as_str())
                .map(str::to_owned),
            EntityType::OpenIdRelyingParty => relying_party::signed_jwks_uri(chain)?,
            EntityType::FederationEntity => None,
        };
        let keys = match uri {
            None => None,
            Some(uri) => {
                let document = self
                    .fetch_as(&uri, "application/jwk-set+json, application/jwk-set+jwt")
                    .await?;
                let keys = signed_keys::parse(&document.compact)?.verify(subject, chain.federation_keys(), self.now)?;
                say(&format!("signed key set: verified with kid {}", keys.kid()))?;
                Some(keys)
            }
        };
        if role == EntityType::OpenIdRelyingParty {
            match VerifiedRelyingParty::from_chain(chain, keys.as_ref()) {
                Ok(party) => say(&format!(
                    "relying party: {} redirect URI(s), {} TLS certificate(s), encryption key {}, ID token versions {}",
                    party.redirect_uris().len(),
                    party.tls_certificates().len(),
                    party.encryption_key().kid.as_deref().unwrap_or("without kid"),
                    party.id_token_versions().join(", ")
                ))?,
                Err(error) => self.defect(&error.to_string())?,
            }
        }
        Ok(())
    }

    async fn fetch(&self, url: &str) -> Result<FetchedStatement> {
        self.fetch_as(url, statement::MEDIA_TYPE).await
    }

    async fn fetch_as(&self, url: &str, accept: &str) -> Result<FetchedStatement> {
        let answer = self
            .believed
            .client
            .get(url, &[("accept", accept)])
            .await
            .with_context(|| url.to_owned())?;
        if !answer.is_success() {
            bail!("{url}: status {}, expected 200", answer.status);
        }
        say(&format!("fetched {url}"))?;
        Ok(FetchedStatement::new(url, answer.text().trim()))
    }
}

fn find_role(parsed: &UnverifiedStatement) -> EntityType {
    [EntityType::OpenIdProvider, EntityType::OpenIdRelyingParty]
        .into_iter()
        .find(|role| parsed.unverified_claims().metadata_of(role.as_str()).is_some())
        .unwrap_or(EntityType::FederationEntity)
}
