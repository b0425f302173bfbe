//! A root instance: the seed comes, and keys go to whom the manifest admits. It opens no record, no listener, and answers no request.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::Subcommand;
use evidence::manifest::InstanceRole;
use provider::{
    clock::SystemClock,
    config::{Config, Lock},
    provisioning::{self, Folder, Giver, Table},
};
use vault::{Namespace, NamespaceSeed, Vault};

/// Where the namespace seed comes from.
#[derive(Subcommand)]
pub(crate) enum Origin {
    /// It is made here, once for a namespace: split among the manifest's holders, who acknowledge their shares before anything else happens.
    Genesis {
        /// Directory with the holders' cards, NAME.card.json (`healthid ceremony holder-key` makes them).
        #[arg(long, value_name = "DIR")]
        cards: PathBuf,
    },
    /// Holders bring it back, when no instance has it: `healthid ceremony share post`.
    ColdStart,
    /// Another root instance hands it over.
    Join,
}

pub(crate) async fn run(config: &Config, origin: &Origin, is_check: bool) -> Result<(), String> {
    let told = |error: provisioning::ProvisioningError| error.to_string();
    let Lock::QuorumAndHsm { exchange, hsm } = config.lock().map_err(|error| error.to_string())? else {
        return Err("vault.lock: a root instance holds the seed of the lock 'quorum+hsm'".to_owned());
    };
    let (wrapping_key, access) = (&hsm.wrapping_key, hsm);
    let instance = config.instance().map_err(|error| error.to_string())?;
    let instance = instance.ok_or("evidence: missing")?;
    let exchange = Folder::open(exchange).map_err(|error| error.to_string())?;
    let genesis = config.vault.genesis.as_deref().map(Folder::at);
    let table = Table {
        instance: &instance,
        exchange: &exchange,
        genesis: genesis.as_ref(),
    };
    let hsm = config.open_hsm(access).map_err(|error| error.to_string())?;
    let in_force = instance.in_force();
    let namespace = Namespace::parse(&in_force.approved.manifest().namespace).map_err(|error| error.to_string())?;
    // Whatever can be wrong here is told before holders come together.
    let half = match origin {
        Origin::Genesis { .. } => None,
        Origin::ColdStart | Origin::Join => {
            let wrapped = config.wrapped_half().map_err(|error| error.to_string())?;
            let unwrapped = hsm.unwrap_half(&namespace, &wrapped);
            unwrapped.map_err(|error| told(error.into()))?;
            provisioning::check(&table, InstanceRole::Root, &SystemClock).map_err(told)?;
            Some(wrapped)
        }
    };
    if is_check {
        instance
            .check_own_admission(InstanceRole::Root, provider::clock::Clock::now(&SystemClock))
            .map_err(|error| error.to_string())?;
        return crate::print(
            "valid, admitted by the manifest as root, hardware security module logged in. Not tried: whether the seed comes",
        );
    }
    let (seed, vault): (NamespaceSeed, Vault) = match (origin, half) {
        (Origin::Genesis { cards }, _) => {
            let cards = Folder::at(cards);
            let made = provisioning::genesis(&table, &cards, &hsm, wrapping_key, &SystemClock).await;
            let (genesis, vault) = made.map_err(told)?;
            (genesis.seed, vault)
        }
        (Origin::ColdStart, Some(half)) => {
            let seed = provisioning::cold_start(&table, &SystemClock).await.map_err(told)?;
            let vault = provisioning::open_root(&namespace, &seed, &hsm, &half).map_err(told)?;
            (seed, vault)
        }
        (Origin::Join, Some(half)) => {
            let seed = provisioning::join_root(&table, &SystemClock).await.map_err(told)?;
            let vault = provisioning::open_root(&namespace, &seed, &hsm, &half).map_err(told)?;
            (seed, vault)
        }
        (Origin::ColdStart | Origin::Join, None) => return Err("vault.wrapped_half: missing".to_owned()),
    };
    let vault = config
        .generations
        .applied_to(vault)
        .map_err(|error| error.to_string())?;
    // The wrapped half has done its work; a root instance signs nothing.
    drop(hsm);
    crate::announce(vault.lock_name(), Some(instance.platform()), "root");
    tracing::info!(
        event = "root_opened",
        detail = %vault.root_fingerprint().unwrap_or_default(),
        "compare with what the genesis said"
    );
    let issuers: Vec<&str> = config.tenant.iter().map(|tenant| tenant.issuer.as_str()).collect();
    let giver = Giver {
        table,
        seed: &seed,
        vault: &vault,
        issuers: &issuers,
    };
    let is_stopping = Arc::new(AtomicBool::new(false));
    let signalled = Arc::clone(&is_stopping);
    tokio::spawn(async move {
        crate::wait_for_signal().await;
        signalled.store(true, Ordering::Relaxed);
    });
    let given = giver.serve(&SystemClock, || is_stopping.load(Ordering::Relaxed)).await;
    given.map_err(told)
}
