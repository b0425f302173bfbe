//! The sectoral identity provider: HTTP, pages, and the steps from a request to a durable answer.
//!
//! Each endpoint is one file: [`push`](self) → `authorize` → `authenticate` → `consent` → `token`, and beside them `statement`, `devices`, `account`. Every
//! step goes the same way: parse (oidc), load (store), decide (oidc, authenticator), commit (store), open and mint (vault), answer.
//!
//! Trusted for: a code is worth one token; a client is who its handshake proves; personal data is touched only inside the vault's scopes; what is
//! answered is what was decided. Does not: know SQL, hold private keys, choose algorithms, verify signatures itself.

mod abort;
mod account;
mod anomalies;
mod app_links;
mod attestation;
mod authenticate;
mod authorize;
mod browser;
pub mod certificates;
pub mod clock;
pub mod config;
mod consent;
mod core;
mod devices;
pub mod events;
mod extend;
mod freshness;
mod history;
mod inbox;
pub mod instance;
mod keys;
mod limits;
mod mtls;
mod nobody;
mod pages;
mod passkeys;
mod people;
mod pin;
pub mod provisioning;
mod push;
mod redemption;
mod relying_parties;
mod reseal;
pub mod rng;
mod router;
mod second_device;
mod statement;
mod support;
pub mod telemetry;
mod tenant;
mod token;
mod wallet_files;

use std::sync::{Arc, OnceLock};

use authenticator::Kvnr;
use axum::{Router, body::Bytes};
use federation::{Schemes, chain::TrustAnchor};
use oidc::{
    client::ClientTag,
    refusal::{ErrorCode, Refusal},
};
use store::{Store, register::FreshnessRegister};
use thiserror::Error;
use transport::Fetch;
use vault::{KeyRole, PersonData, PersonId, Vault};

use crate::{
    anomalies::Anomalies,
    clock::Clock,
    core::{Core, StepProblem},
    freshness::{FreshStore, Ledgers},
    history::History,
    nobody::Nobodies,
    relying_parties::RelyingParties,
    rng::Rng,
};

pub use attestation::Attestation;
pub use devices::{DeviceAttestation, DeviceTrust, DeviceTrustError, MAX_DEVICES};
pub use freshness::FreshnessError;
pub use inbox::{PushService, PushSettings, PushSettingsError};
pub use keys::{KEYS_KEPT_SECONDS, RolloverStep, TokenCertificates};
pub use limits::{Allowance, LimitSettings};
pub use pages::{STYLE, STYLE_PATH};
pub use relying_parties::{FAILURE_KEPT_SECONDS, RELOAD_PAUSE_SECONDS};
pub use reseal::{Rotated, Rotation, rotate_all};
pub use support::Problem;
pub use tenant::{Tenant, TenantError, TenantSettings, Tenants};
pub use wallet_files::{
    BrandError, Colour, ColourError, Faint, Support as WalletSupport, WalletSettings, WalletSettingsError,
};

/// What a provider is made of.
pub struct ProviderParts {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Names logins, people and errors.
    pub rng: Arc<dyn Rng>,
    /// Keeps sealed records.
    pub store: Arc<dyn Store>,
    /// Witnesses, outside the store, what must never go back.
    pub register: Arc<dyn FreshnessRegister>,
    /// How often something may happen.
    pub limits: LimitSettings,
    /// Keys and personal data.
    pub vault: Arc<Vault>,
    /// Fetches federation documents.
    pub fetch: Arc<dyn Fetch>,
    /// Pinned Federation Masters.
    pub anchors: Vec<TrustAnchor>,
    /// Whether plain http on loopback may appear in federation documents: in a sandbox only.
    pub schemes: Schemes,
    /// The insurers.
    pub tenants: Vec<TenantSettings>,
    /// Certifies token keys made here; `None` where the operator brings certified keys.
    pub token_certificates: Option<Arc<dyn TokenCertificates>>,
    /// Wakes phones that a login waits for; `None`: they are not woken.
    pub push: Option<PushService>,
    /// Whether every page says that people here are invented.
    pub invented_people: bool,
}

/// Why an operation on the provider failed.
#[derive(Debug, Error)]
pub enum ProviderError {
    /// The settings of a tenant.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// No tenant has this issuer.
    #[error("no tenant has the issuer '{0}'")]
    UnknownTenant(String),
    /// What was given cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// Something did not answer or failed; trying again may help.
    #[error("{0}")]
    Failed(String),
}

impl From<StepProblem> for ProviderError {
    fn from(problem: StepProblem) -> Self {
        match problem {
            StepProblem::Refused(refusal) => Self::Invalid(refusal.description),
            StepProblem::Limited { refusal, .. } => Self::Failed(refusal.description),
            StepProblem::Unavailable(reason) | StepProblem::Failed(reason) => Self::Failed(reason),
        }
    }
}

/// A sectoral identity provider. Clones share everything.
#[derive(Clone)]
pub struct Provider(Arc<Core>);

impl Provider {
    /// Puts the parts together. Costs no cryptography: a tenant's keys are opened when first used.
    ///
    /// # Errors
    /// [`ProviderError::Tenant`].
    pub fn new(parts: ProviderParts) -> Result<Self, ProviderError> {
        let freshness = Arc::new(Ledgers::new(freshness::Parts {
            vault: Arc::clone(&parts.vault),
            store: Arc::clone(&parts.store),
            register: parts.register,
            clock: Arc::clone(&parts.clock),
            rng: Arc::clone(&parts.rng),
        }));
        Ok(Self(Arc::new(Core {
            attestation: OnceLock::new(),
            clock: parts.clock,
            rng: parts.rng,
            store: Arc::new(FreshStore::new(parts.store, Arc::clone(&freshness))),
            freshness,
            history: History::default(),
            nobodies: Nobodies::default(),
            limits: parts.limits,
            anomalies: Anomalies::default(),
            vault: parts.vault,
            tenants: Tenants::new(parts.tenants)?,
            relying_parties: RelyingParties::new(parts.anchors, parts.schemes, parts.fetch),
            token_certificates: parts.token_certificates,
            schemes: parts.schemes,
            push: parts.push,
            invented_people: parts.invented_people,
        })))
    }

    /// Everything a browser, an authenticator app and the federation see.
    pub fn public_router(&self) -> Router {
        router::public(Arc::clone(&self.0))
    }

    /// The endpoints that ask for a client certificate: serve them with one requested and none demanded.
    pub fn mtls_router(&self) -> Router {
        router::mtls(Arc::clone(&self.0))
    }

    /// What `/.well-known/healthid-evidence` shows from now on, on every router of this provider. Until then it says that there is nothing. The
    /// first call counts.
    pub fn show_evidence(&self, attestation: impl Into<Arc<Attestation>>) {
        let _ = self.0.attestation.set(attestation.into());
    }

    /// The answer to a request that took too long, for [`transport::Server::with_timeout_answer`].
    pub fn timeout_answer(&self) -> impl Fn() -> http::Response<Bytes> + Send + Sync + use<> {
        let core = Arc::clone(&self.0);
        move || {
            let refusal = Refusal::new(
                408,
                ErrorCode::InvalidRequest,
                "the request took too long to arrive or to be decided",
            );
            core.problem("request_timeout", StepProblem::Refused(refusal))
                .into_oauth_json_bytes()
        }
    }

    /// Refuses something in front of the routers as they would: with log entry and support code.
    pub fn problem(&self, event: &'static str, refusal: Refusal) -> Problem {
        self.0.problem(event, StepProblem::Refused(refusal))
    }

    /// The insurers.
    pub fn tenants(&self) -> &Tenants {
        &self.0.tenants
    }

    /// The identifier of a relying party seen before, by the tag in a sealed login.
    pub fn client_id_of(&self, tag: ClientTag) -> Option<String> {
        self.0.relying_parties.client_id_of(tag)
    }

    fn tenant(&self, issuer: &str) -> Result<&Arc<Tenant>, ProviderError> {
        self.0
            .tenants
            .by_issuer(issuer)
            .ok_or_else(|| ProviderError::UnknownTenant(issuer.to_owned()))
    }

    /// Stores a person the insurer knows, or her changed data. Durable when this returns.
    ///
    /// # Errors
    /// [`ProviderError`]; nothing is changed then.
    pub async fn import_person(&self, issuer: &str, data: PersonData) -> Result<PersonId, ProviderError> {
        let tenant = self.tenant(issuer)?;
        Ok(people::import(&self.0, tenant, &data).await?)
    }

    /// Deletes a person: her record, with the key to everything of hers, and whatever else is hers. Durable when this returns, and an older
    /// database does not bring her back. `false` where there is nobody with this number.
    ///
    /// # Errors
    /// [`ProviderError`]; calling again is always safe.
    pub async fn delete_person(&self, issuer: &str, kvnr: &Kvnr) -> Result<bool, ProviderError> {
        let tenant = self.tenant(issuer)?;
        Ok(people::delete(&self.0, tenant, kvnr).await?)
    }

    /// Opens every tenant's freshness ledger: replays its register, and makes up for what the database has missed. Gives the tenants whose ledger
    /// is not believed, and why; everything about their people is refused.
    pub async fn open_freshness(&self) -> Vec<(String, FreshnessError)> {
        let mut refused = Vec::new();
        for tenant in self.tenants().iter() {
            if let Err(error) = self.0.freshness.of(tenant.id()).await {
                refused.push((tenant.issuer().to_owned(), error));
            }
        }
        refused
    }

    /// Reads again what is said about phones that are not to be believed any more. What cannot be read is said in the log. Call it every minute.
    pub fn look_at_phones(&self) {
        let attestations = self
            .0
            .tenants
            .iter()
            .filter_map(|tenant| tenant.settings.attestation.as_ref());
        for attestation in attestations {
            attestation.trust.look();
        }
    }

    /// Writes down how far devices have counted, and which logins have been open for a minute. Call it every half a minute.
    ///
    /// # Errors
    /// [`ProviderError::Failed`]; nothing is lost, and calling again is always safe.
    pub async fn flush_freshness(&self) -> Result<(), ProviderError> {
        self.write_down(history::Keep::OpenForLong).await
    }

    /// As [`flush_freshness`](Self::flush_freshness), with every login that is still open: what only memory knows is lost with the process. Call it when no
    /// request is in work any more.
    ///
    /// # Errors
    /// [`ProviderError::Failed`].
    pub async fn before_stopping(&self) -> Result<(), ProviderError> {
        self.write_down(history::Keep::Everything).await
    }

    async fn write_down(&self, what: history::Keep) -> Result<(), ProviderError> {
        let flushed = self.0.freshness.flush().await;
        for tenant in self.tenants().iter() {
            history::keep(&self.0, tenant.id(), what).await?;
        }
        flushed.map_err(|error| ProviderError::Failed(error.to_string()))
    }

    /// Begins a tenant's freshness ledger anew, with the facts its register still has: an operator's word that what it has lost is lost.
    ///
    /// # Errors
    /// [`ProviderError::Failed`].
    pub async fn confirm_freshness(&self, issuer: &str) -> Result<(), ProviderError> {
        let tenant = self.tenant(issuer)?;
        let confirmed = self.0.freshness.confirm(tenant.id()).await;
        confirmed.map_err(|error| ProviderError::Failed(error.to_string()))
    }

    /// The public entity keys of a tenant, for registration with the Federation Master. Makes them the first time.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn entity_keys(&self, issuer: &str) -> Result<Vec<jose::jwk::Jwk>, ProviderError> {
        let tenant = self.tenant(issuer)?;
        Ok(self.0.tenant_keys(tenant).await?.entity_keys())
    }

    /// Takes over a token key (PKCS#8) with its certificate (DER). Known ones are left as they are; a first one signs at once, a further one waits
    /// as the next.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn import_token_key(
        &self,
        issuer: &str,
        pkcs8: &[u8],
        certificate: Vec<u8>,
    ) -> Result<(), ProviderError> {
        let tenant = self.tenant(issuer)?;
        Ok(self.0.import_token_key(tenant, pkcs8, certificate).await?)
    }

    /// The public half of a tenant's token key that waits for its certificate (C.FD.SIG); made where none waits, in the hardware security module where
    /// there is one. Nobody hears of it before it is certified.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn token_key_to_certify(&self, issuer: &str) -> Result<jose::jwk::P256PublicKey, ProviderError> {
        let tenant = self.tenant(issuer)?;
        Ok(self.0.token_key_to_certify(tenant).await?)
    }

    /// Gives the token key that waits for it its certificate (DER). A known one is left as it is; the first one signs at once, a further one waits as
    /// the next.
    ///
    /// # Errors
    /// [`ProviderError::Invalid`] if no key waits for a certificate over that public key.
    pub async fn certify_token_key(&self, issuer: &str, certificate: Vec<u8>) -> Result<(), ProviderError> {
        let tenant = self.tenant(issuer)?;
        Ok(self.0.certify_token_key(tenant, certificate).await?)
    }

    /// Moves a tenant's keys of one role one step: publish, switch, retire.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn roll_over(&self, issuer: &str, role: KeyRole, step: RolloverStep) -> Result<(), ProviderError> {
        let tenant = self.tenant(issuer)?;
        Ok(self.0.roll_over(tenant, role, step).await?)
    }

    /// The generations of keys in force.
    pub fn generations(&self) -> vault::Generations {
        self.0.vault.generations()
    }

    /// Moves a tenant's records to newer keys while logins run. Calling it again is always safe; it goes on where it was interrupted.
    ///
    /// # Errors
    /// [`ProviderError::Failed`] if store or register do not answer; what was moved stays moved.
    pub async fn rotate(&self, issuer: &str, what: Rotation) -> Result<Rotated, ProviderError> {
        let tenant = self.tenant(issuer)?;
        Ok(reseal::rotate(&self.0, tenant, what).await?)
    }

    /// Brings the entries that the logins of past hours have left behind into people's histories: once an hour, however often it is called.
    ///
    /// # Errors
    /// [`ProviderError::Failed`]; nothing is lost, and calling again is always safe.
    pub async fn deliver_history(&self) -> Result<(), ProviderError> {
        for tenant in self.tenants().iter() {
            self.0.history.deliver(&self.0, tenant.id()).await?;
        }
        Ok(())
    }

    /// Gives back the space of what expired, after [`deliver_history`](Self::deliver_history): nothing is dropped that was not delivered. Call it
    /// every few minutes.
    ///
    /// # Errors
    /// [`ProviderError::Failed`]; calling again is always safe.
    pub async fn drop_expired(&self) -> Result<(), ProviderError> {
        self.deliver_history().await?;
        let now = self.0.now();
        self.0
            .store
            .drop_expired(now.0)
            .await
            .map_err(|error| ProviderError::Failed(error.to_string()))
    }
}
