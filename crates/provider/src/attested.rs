//! What the binary does about evidence and keys before and while it serves.

use std::{sync::Arc, time::Duration};

use evidence::{manifest::InstanceRole, profile::HardeningProfile};
use provider::{
    Provider,
    clock::{Clock, SystemClock},
    config::{Config, Lock},
    instance::Instance,
    provisioning::{self, Folder, Table},
};
use tokio::task::JoinHandle;
use vault::Vault;

/// How often the manifests are read again, and a quote is renewed that is due.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(60);

/// This process as an instance, and whether its manifest admits it. Where keys depend on it nobody starts without; elsewhere it is said.
pub(crate) fn open(config: &Config) -> Result<Option<Arc<Instance>>, String> {
    let Some(instance) = config.instance().map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    if let Err(error) = instance.check_own_admission(InstanceRole::Serve, SystemClock.now()) {
        match config.lock() {
            Ok(Lock::Development(_)) => {
                tracing::error!(event = "not_admitted", code = error.code(), detail = %error, "whoever verifies will refuse this instance");
            }
            _ => return Err(error.to_string()),
        }
    }
    Ok(Some(Arc::new(instance)))
}

/// The vault: from the seed, or from keys that a root instance hands over. Waits for one.
pub(crate) async fn vault(config: &Config, instance: Option<&Instance>) -> Result<Vault, String> {
    match (config.lock().map_err(|error| error.to_string())?, instance) {
        (Lock::QuorumAndHsm { exchange, hsm }, Some(instance)) => {
            // What is wrong with the module is told before anybody is waited for.
            let hsm = config.open_hsm(hsm).map_err(|error| error.to_string())?;
            let exchange = Folder::open(exchange).map_err(|error| error.to_string())?;
            let table = Table {
                instance,
                exchange: &exchange,
                genesis: None,
            };
            let issuers: Vec<&str> = config.tenant.iter().map(|tenant| tenant.issuer.as_str()).collect();
            let vault = provisioning::join_serving(&table, &issuers, &SystemClock).await;
            Ok(vault.map_err(|error| error.to_string())?.with_hsm(hsm))
        }
        _ => config.development_vault().map_err(|error| error.to_string()),
    }
}

/// Everything a start under `quorum+hsm` does before it waits for keys.
pub(crate) fn check_without_keys(config: &Config, instance: Option<&Instance>) -> Result<String, String> {
    if let Lock::QuorumAndHsm { hsm, .. } = config.lock().map_err(|error| error.to_string())? {
        config.open_hsm(hsm).map_err(|error| error.to_string())?;
    }
    let platform = instance.map_or("none", |instance| instance.platform().name());
    Ok(format!(
        "valid, {} tenant(s), platform {platform}, admitted by the manifest, hardware security module logged in. \
         Not tried, because it needs keys: the freshness ledgers, the tenants' signing keys, token certificates",
        config.tenant.len()
    ))
}

/// Shows evidence from now on. The first quote is made here, so that nobody has to wait for it.
pub(crate) async fn show(
    provider: &Provider,
    instance: Arc<Instance>,
    lock: &str,
    hardening: &HardeningProfile,
    tls_key_sha256: [u8; 32],
) -> Result<JoinHandle<()>, String> {
    let attestation = Arc::new(instance.attestation(InstanceRole::Serve, lock, hardening));
    let quoting = Arc::clone(&attestation);
    let quote = move || quoting.make_quote(tls_key_sha256, SystemClock.now());
    let made = tokio::task::spawn_blocking(quote).await;
    made.map_err(|error| error.to_string())?
        .map_err(|error| format!("evidence: {error} [{}]", error.code()))?;
    provider.show_evidence(Arc::clone(&attestation));
    Ok(tokio::spawn(async move {
        loop {
            tokio::time::sleep(FOLLOW_INTERVAL).await;
            let (instance, attestation) = (Arc::clone(&instance), Arc::clone(&attestation));
            let look = move || {
                let now = SystemClock.now();
                if instance.follow(now) {
                    let in_force = instance.in_force();
                    attestation.show_manifests(in_force.chain.clone(), in_force.approved.hash());
                }
                // At most one attempt per interval, however often it is asked for.
                if let Err(error) = attestation.make_quote(tls_key_sha256, now) {
                    tracing::error!(event = "quote_failed", code = error.code(), detail = %error, "the quote before is shown while it may be");
                }
            };
            let _ = tokio::task::spawn_blocking(look).await;
        }
    }))
}
