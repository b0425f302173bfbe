//! The provider as it is shipped: its routers, its store, its log, behind the transport room's servers.

use std::{path::Path, sync::Arc};

use anyhow::Result;
use authenticator::{Ik, app_links::Apps, policy::AuthenticationPolicy};
use federation::Schemes;
use jose::{
    UnixTime,
    jwk::{JwkSet, P256PublicKey},
};
use provider::{
    LimitSettings, Provider, ProviderParts, TenantSettings, TokenCertificates, clock::SystemClock, rng::SystemRng,
};
use sandbox::pki::ComponentAuthority;
use store::Store;
use store_sqlite::{FileRegister, SqliteStore};
use tokio::{sync::watch, task::JoinHandle};
use transport::Server;
use vault::Vault;

use crate::{
    process::{Listeners, Ready},
    world::{MASTER, TENANTS, World, issuer},
};

struct Certificates(ComponentAuthority);

impl TokenCertificates for Certificates {
    fn issue(&self, issuer: &str, name: &str, key: &P256PublicKey, now: UnixTime) -> Option<Vec<u8>> {
        let ik = Ik::parse(issuer.rsplit('/').next()?).ok()?;
        self.0.issue_token_certificate(key, name, &ik, now).ok()
    }
}

/// The provider on this store, with nobody in it.
pub fn provider(world: &World, store: Arc<dyn Store>, register: &Path, limits: LimitSettings) -> Result<Provider> {
    let card_trust = Arc::new(world.card_trust()?);
    let tenants = TENANTS.map(|tenant| -> Result<TenantSettings> {
        Ok(TenantSettings {
            issuer: issuer(tenant),
            iks: vec![Ik::parse(tenant)?],
            organization_name: format!("Musterkasse {tenant}"),
            logo: "<svg xmlns='http://www.w3.org/2000/svg'/>".into(),
            browser_base: issuer(tenant),
            mtls_base: format!("https://mtls.idp.bench.example/{tenant}"),
            authenticator_url: None,
            wallet: None,
            contacts: vec![],
            apps: Apps::default(),
            policy: AuthenticationPolicy::default(),
            attestation: None,
            card_trust: Arc::clone(&card_trust),
            authority_hints: vec![MASTER.to_owned()],
        })
    });
    Ok(Provider::new(ProviderParts {
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        store,
        register: Arc::new(FileRegister::open(register)?),
        limits,
        vault: Arc::new(Vault::development(world.vault_seed())),
        fetch: Arc::new(world.federation()?),
        anchors: vec![world.anchor()?],
        schemes: Schemes::HttpsOnly,
        tenants: tenants.into_iter().collect::<Result<_>>()?,
        token_certificates: Some(Arc::new(Certificates(world.component_authority()?))),
        push: None,
        invented_people: true,
    })?)
}

/// Starts the provider.
pub async fn start(
    world: &World,
    store: &Path,
    import: bool,
    listeners: Listeners,
    stopped: watch::Receiver<()>,
) -> Result<(Ready, JoinHandle<()>)> {
    // As `healthid-provider` does.
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("info"))
        .with_writer(std::io::stderr)
        .json()
        .init();
    let provider = provider(
        world,
        Arc::new(SqliteStore::open(store)?),
        &store.with_extension("register"),
        LimitSettings::default(),
    )?;
    if import {
        for person in 0..world.people {
            provider
                .import_person(&issuer(TENANTS[0]), world.person(person)?)
                .await?;
        }
    }
    let entity_keys = provider.entity_keys(&issuer(TENANTS[0])).await?;
    let ready = Ready {
        public: listeners.public_address,
        mtls: listeners.mtls_address,
        devices: Vec::new(),
        token_keys: serde_json::Value::Null,
        entity_keys: JwkSet::new(entity_keys).to_value(),
    };
    let public = Server::https(listeners.public.0, listeners.public.1)?;
    let mtls = Server::https(listeners.mtls.0, listeners.mtls.1)?;
    let public = tokio::spawn(public.serve(provider.public_router(), until(stopped.clone())));
    let mtls = tokio::spawn(mtls.serve(provider.mtls_router(), until(stopped)));
    let serving = tokio::spawn(async move {
        let _ = tokio::join!(public, mtls);
    });
    Ok((ready, serving))
}

/// Completes when the sender is gone.
pub async fn until(mut stopped: watch::Receiver<()>) {
    while stopped.changed().await.is_ok() {}
}
