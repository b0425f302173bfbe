//! Starting and stopping: the whole federation in one process.
//!
//! Order: data and secrets, sockets, authorities, Federation Master, provider, services, people, then everything listens at once. Nothing is
//! answered before all of it is there.

mod listeners;
mod options;
mod parties;
mod sockets;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use evidence::verdict::Pins;
use federation::chain::TrustAnchor;
use federation::{EntityId, Schemes};
use fedmaster::{Clock, FederationMaster, KeyDirectory, MasterOptions, OpenRegistration, Storage};
use jose::UnixTime;
use provider::clock::SystemClock;
use provider::rng::SystemRng;
use provider::{LimitSettings, Provider, ProviderParts, PushService};
use relying_party::demo::DemoService;
use relying_party::demo::EvidenceCheck;
use store_sqlite::{FileRegister, SqliteStore};
use tokio::sync::watch;
use tokio::task::JoinSet;
use transport::{
    AddressRule, ClientCertificates, Fetch, FetchLimits, Fetcher, HttpClient, Roots, ServerTls, TlsIdentity,
};
use vault::Vault;

use crate::addresses::{Addresses, PageScheme, host_names};
use crate::attestation;
use crate::cards::Cards;
use crate::data::{CA_FILE, DESCRIPTION_FILE, DataDir, EVIDENCE_PINS_FILE};
use crate::description::Description;
use crate::error::StartError;
use crate::insurers::Insurer;
use crate::pki::{ComponentAuthority, KeyAndCertificate, TlsAuthority};
use crate::portal::{self, Portal};
use crate::rollover::{Rollovers, TlsKey};
use crate::services::Service;
use crate::shortcuts::{self, Shortcuts};
use crate::watch::{Party, Watch, layer as under_watch};
use crate::{certificates, pem};

use listeners::Listeners;
pub use options::{BuiltFrom, SandboxOptions};
pub(crate) use parties::party_config;
use parties::{TokenAuthority, import_people, register_services, service, tenants};
use sockets::identity_and_sockets;

/// Addresses in every server certificate.
pub(crate) const LOOPBACK: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
/// A sandbox that is running. Dropping it ends it abruptly; [`RunningSandbox::stop`] lets requests finish.
pub struct RunningSandbox {
    description: Description,
    addresses: Addresses,
    cards: Arc<Cards>,
    master: FederationMaster,
    provider: Provider,
    services: [(Service, DemoService); 2],
    roots: Roots,
    clock: Clock,
    stop: watch::Sender<()>,
    tasks: JoinSet<()>,
    /// Last, so that a temporary directory goes when nobody uses it any more.
    data: Arc<DataDir>,
}

impl std::fmt::Debug for RunningSandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunningSandbox({})", self.description.portal)
    }
}

/// Starts sandboxes.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Starts a whole federation; when this returns, everything answers.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(options: SandboxOptions) -> Result<RunningSandbox, StartError> {
        start(options).await
    }
}

impl RunningSandbox {
    /// Where everything is.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The addresses.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The virtual cards.
    #[must_use]
    pub fn cards(&self) -> &Arc<Cards> {
        &self.cards
    }

    /// The Federation Master.
    #[must_use]
    pub fn master(&self) -> &FederationMaster {
        &self.master
    }

    /// The provider of both insurers.
    #[must_use]
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// A demo service.
    #[must_use]
    pub fn service(&self, service: Service) -> &DemoService {
        let [(first, demo), (_, other)] = &self.services;
        if *first == service { demo } else { other }
    }

    /// The TLS authorities its own clients believe.
    #[must_use]
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Its clock.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        (self.clock)()
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> &Arc<DataDir> {
        &self.data
    }

    /// Accepts no more connections, lets requests at work finish, and ends. Kept data is complete afterwards.
    pub async fn stop(self) {
        drop(self.stop);
        let mut tasks = self.tasks;
        while tasks.join_next().await.is_some() {}
    }
}

/// How everybody here reaches everybody else.
pub(crate) struct Network {
    roots: Roots,
    rule: AddressRule,
    host_names: Vec<String>,
}

impl Network {
    fn fetcher(&self) -> Result<Arc<dyn Fetch>, StartError> {
        let fetcher = Fetcher::with_limits(&self.roots, self.rule, FetchLimits::default(), &self.host_names)?;
        Ok(Arc::new(fetcher))
    }
}

async fn start(options: SandboxOptions) -> Result<RunningSandbox, StartError> {
    options::check(&options)?;
    let clock = fedmaster::system_clock();
    let now = clock();
    let data = Arc::new(match &options.data {
        Some(path) => DataDir::kept(path)?,
        None => DataDir::temporary()?,
    });
    let (identity, sockets) = identity_and_sockets(&options, &data, now).await?;
    let addresses = Addresses::new(identity.ports, &identity.domain, identity.pages);
    let host_names = host_names(&identity.domain);

    // Authorities and the one TLS identity of the provider, another for everybody else.
    let authority = Arc::new(certificates::tls_authority(&identity)?);
    let ca_pem = kept_ca(&data, &authority)?;
    let mut roots = Roots::from_pem(ca_pem.as_bytes())?;
    for trusted in &options.trusted_authorities {
        roots.add_pem(trusted)?;
    }
    let network = Network {
        roots,
        rule: options.address_rule,
        host_names,
    };
    let names: Vec<&str> = network.host_names.iter().map(String::as_str).collect();
    let provider_key = authority.issue_server(&names, &LOOPBACK, now)?;
    let provider_identity = identity_of(&provider_key)?;
    let others_identity = identity_of(&authority.issue_server(&names, &LOOPBACK, now)?)?;

    // The federation.
    let (key_directory, master_keys) = KeyDirectory::open_or_create(data.file("fedmaster/keys"))?;
    let master_id = EntityId::parse(&addresses.master, Schemes::HttpsOnly)?;
    let master = FederationMaster::new(
        MasterOptions {
            registration: OpenRegistration::Yes,
            storage: Storage::Directory(data.file("fedmaster")),
            fetcher: Some(network.fetcher()?),
            key_directory: Some(key_directory),
            ..MasterOptions::new(master_id.clone(), fedmaster::Profile::Sandbox, Arc::clone(&clock))
        },
        master_keys,
    )?;
    let anchor = TrustAnchor {
        entity_id: master_id,
        keys: master.published_keys(),
    };
    let cards = Arc::new(Cards::open(&identity, Arc::clone(&data), &options.foreign_cards)?);
    let vault = Arc::new(Vault::development(*identity.secret("vault")));
    let shown = {
        let seed = *identity.secret("simulated platform");
        let (mut boot_id, lock, clock) = ([0; 32], vault.lock_name(), Arc::clone(&clock));
        let built_from = options.built_from.clone();
        vault::random(&mut boot_id);
        tokio::task::spawn_blocking(move || attestation::attest(&seed, lock, boot_id, built_from.as_ref(), &clock))
            .await
            .map_err(|_| StartError::Internal("the evidence could not be prepared"))??
    };
    data.write_public(EVIDENCE_PINS_FILE, &shown.pins)?;
    let database = data.file("provider.sqlite");
    let register = FileRegister::open(data.file("provider.freshness"))?;
    let store = tokio::task::spawn_blocking(move || SqliteStore::open(database))
        .await
        .map_err(|_| StartError::Internal("the database could not be opened"))??;
    let token_authority = TokenAuthority {
        authority: ComponentAuthority::from_seed(&identity.secret("component authority"), identity.created_at)?,
        issuers: Insurer::ALL
            .into_iter()
            .map(|insurer| (addresses.insurer(insurer).issuer.clone(), insurer.ik()))
            .collect(),
    };
    let provider = Provider::new(ProviderParts {
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        store: Arc::new(store),
        register: Arc::new(register),
        // Everybody here comes from the same machine: a developer's test suite must not lock out the person beside it.
        limits: LimitSettings {
            by_network: false,
            ..LimitSettings::default()
        },
        vault: Arc::clone(&vault),
        fetch: network.fetcher()?,
        anchors: vec![anchor.clone()],
        schemes: Schemes::LoopbackHttpToo,
        tenants: tenants(&options, &addresses, &cards, now)?,
        token_certificates: Some(Arc::new(token_authority)),
        push: push_service(&options.push_hosts, &network)?,
        invented_people: true,
    })?;
    let services = [
        (
            Service::Record,
            service(Service::Record, &addresses, &anchor, &network, &data, &clock)?,
        ),
        (
            Service::Prescription,
            service(Service::Prescription, &addresses, &anchor, &network, &data, &clock)?,
        ),
    ];
    let rollovers = Arc::new(Rollovers::new(
        provider.clone(),
        master.clone(),
        services.clone(),
        addresses.clone(),
        provider_identity.clone(),
        TlsKey::new(provider_key)?,
        Arc::clone(&authority),
        network.host_names.clone(),
        Arc::clone(&data),
        Arc::clone(&clock),
    ));
    rollovers.register_insurers().await?;
    register_services(&master, &services, &addresses).await?;
    for (_, demo) in &services {
        demo.check_evidence(EvidenceCheck {
            pins: Pins::parse(&shown.pins).map_err(|_| StartError::Internal("the evidence pins cannot be read"))?,
            roots: network.roots.clone(),
            address_rule: network.rule,
            loopback_names: network.host_names.clone(),
        });
    }
    import_people(&provider, &addresses, &cards, now).await?;

    let description = Description {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        portal: addresses.portal.clone(),
        card_terminal: addresses.portal.clone(),
        master: addresses.master.clone(),
        master_keys: anchor.keys.clone(),
        insurers: Description::insurers_of(&addresses),
        services: Description::services_of(&addresses),
        ca: data.file(CA_FILE),
        evidence_pins: data.file(EVIDENCE_PINS_FILE),
        data: data.path().to_owned(),
        temporary: data.is_temporary(),
        host_names: network.host_names.clone(),
    };
    let text =
        serde_json::to_vec_pretty(&description).map_err(|_| StartError::Internal("the description is not JSON"))?;
    data.write_public(DESCRIPTION_FILE, &text)?;

    let client = HttpClient::builder(&network.roots, AddressRule::LoopbackAllowed)
        .loopback_names(&network.host_names)
        .build()?;
    let shortcuts = Arc::new(Shortcuts {
        provider: provider.clone(),
        vault,
        cards: Arc::clone(&cards),
        addresses: addresses.clone(),
        client: client.clone(),
        clock: Arc::clone(&clock),
    });
    let watch = Arc::new(Watch::default());
    let portal = portal::router(Portal {
        description: description.clone(),
        addresses: addresses.clone(),
        ca_pem,
        cards: Arc::clone(&cards),
        master: master.clone(),
        anchor,
        client,
        fetch: network.fetcher()?,
        rollovers,
        watch: Arc::clone(&watch),
        clock: Arc::clone(&clock),
    });

    let (stop, stopping) = watch::channel(());
    let mut listeners = Listeners {
        tasks: JoinSet::new(),
        stopping,
    };
    let plain_pages = identity.pages == PageScheme::Http;
    let everybody = ServerTls::new(others_identity, ClientCertificates::None)?;
    let provider_tls = ServerTls::new(provider_identity.clone(), ClientCertificates::None)?;
    let provider_mtls = ServerTls::new(provider_identity, ClientCertificates::RequestAny)?;
    provider.show_evidence(shown.attestation);
    let public = shortcuts::layer(provider.public_router(), shortcuts);
    let public = under_watch(public, &watch, Party::Provider);
    listeners.add(sockets.portal, (!plain_pages).then(|| everybody.clone()), portal)?;
    listeners.add(sockets.master, Some(everybody.clone()), master.router())?;
    listeners.add_provider(sockets.provider, Some(provider_tls), public.clone(), &provider)?;
    listeners.add_provider(
        sockets.provider_mtls,
        Some(provider_mtls),
        under_watch(provider.mtls_router(), &watch, Party::ProviderMtls),
        &provider,
    )?;
    if let Some(socket) = sockets.provider_pages {
        listeners.add_provider(socket, None, public, &provider)?;
    }
    let places = [
        (sockets.record, sockets.record_pages),
        (sockets.prescription, sockets.prescription_pages),
    ];
    for ((_, demo), (socket, pages)) in services.iter().zip(places) {
        let own_pages = under_watch(demo.router(), &watch, Party::Service);
        // Over HTTPS pages and statement share an origin.
        let (statements, own_pages) = match pages {
            Some(_) => (demo.federation_router(), Some(own_pages)),
            None => (demo.federation_router().merge(own_pages), None),
        };
        listeners.add(socket, Some(everybody.clone()), statements)?;
        if let (Some(pages), Some(own_pages)) = (pages, own_pages) {
            listeners.add(pages, None, own_pages)?;
        }
    }
    listeners.watch(master.clone(), provider.clone());
    Ok(RunningSandbox {
        description,
        addresses,
        cards,
        master,
        provider,
        services,
        roots: network.roots,
        clock,
        stop,
        tasks: listeners.tasks,
        data,
    })
}

/// The authority's certificate as it was written first: its key is always the same, its signature is not.
fn kept_ca(data: &DataDir, authority: &TlsAuthority) -> Result<String, StartError> {
    if let Ok(text) = std::fs::read_to_string(data.file(CA_FILE))
        && Roots::from_pem(text.as_bytes()).is_ok()
    {
        return Ok(text);
    }
    let text = pem::encode("CERTIFICATE", authority.certificate());
    data.write_public(CA_FILE, text.as_bytes())?;
    Ok(text)
}

fn push_service(hosts: &[String], network: &Network) -> Result<Option<PushService>, StartError> {
    if hosts.is_empty() {
        return Ok(None);
    }
    Ok(Some(PushService::new(
        hosts,
        "mailto:sandbox@healthid.example",
        &network.roots,
        network.rule,
    )?))
}

fn identity_of(key: &KeyAndCertificate) -> Result<TlsIdentity, StartError> {
    Ok(TlsIdentity::new(
        std::slice::from_ref(&key.certificate),
        &key.key_pkcs8,
    )?)
}
