//! Starting and stopping: the whole federation in one process.
//!
//! Order: data and secrets, sockets, authorities, Federation Master, provider, services, people, then everything listens at once. Nothing is
//! answered before all of it is there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use authenticator::policy::{AuthenticationPolicy, DeviceClassRule, DeviceEvidence};
use authenticator::{Acr, Ik};
use axum::Router;
use axum::body::Bytes;
use federation::chain::TrustAnchor;
use federation::{EntityId, Schemes};
use fedmaster::registration::{ParticipantType, RegistrationForm};
use fedmaster::{Clock, FederationMaster, KeyDirectory, MasterOptions, OpenRegistration, Storage};
use jose::UnixTime;
use jose::jwk::P256PublicKey;
use provider::clock::SystemClock;
use provider::rng::SystemRng;
use provider::{Provider, ProviderParts, TenantSettings, TokenCertificates};
use relying_party::client::{Connections, KeyPublication, RelyingParty, RelyingPartyConfig};
use relying_party::demo::{DemoService, DemoServiceConfig};
use store_sqlite::SqliteStore;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use transport::{
    AddressRule, ClientCertificates, Fetch, FetchLimits, Fetcher, HttpClient, Roots, Server, ServerTls, TlsIdentity,
};
use vault::{PersonData, Vault};

use crate::addresses::{Addresses, DEFAULT_PORT_BASE, PageScheme, Ports, host_names};
use crate::cards::{Cards, ForeignCards};
use crate::data::{CA_FILE, DESCRIPTION_FILE, DataDir, DataError, Identity};
use crate::description::Description;
use crate::error::StartError;
use crate::insurers::Insurer;
use crate::people::PEOPLE;
use crate::pki::{ComponentAuthority, KeyAndCertificate, TlsAuthority};
use crate::portal::{self, Portal};
use crate::rollover::{Rollovers, TlsKey};
use crate::services::Service;
use crate::shortcuts::{self, Shortcuts};
use crate::{certificates, pem, service_keys};

/// Addresses in every server certificate.
pub(crate) const LOOPBACK: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
/// The Federation Master looks at all participants this often.
const WATCH_INTERVAL: Duration = Duration::from_secs(60);
/// The provider gives back the space of what expired this often.
const CLEANING_INTERVAL: Duration = Duration::from_secs(300);
/// Services at the signed key set's address.
const SIGNED_KEYS_PATH: &str = "/jwks";

/// What a sandbox may be told.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// First of nine ports; 0 takes free ones.
    pub port_base: u16,
    /// Whether pages are plain HTTP on loopback or HTTPS.
    pub pages: PageScheme,
    /// Domain under which everybody has a name; `localhost` for everybody on the same.
    pub domain: String,
    /// Address to listen on.
    pub listen: IpAddr,
    /// Where data is kept; `None` for a directory that goes with the process.
    pub data: Option<PathBuf>,
    /// Further TLS authorities (PEM) believed when statements of foreign services are fetched.
    pub trusted_authorities: Vec<Vec<u8>>,
    /// Which addresses statements are fetched from.
    pub address_rule: AddressRule,
    /// Cards beside the sandbox's own.
    pub foreign_cards: ForeignCards,
    /// Whether the demo services may be entered by single sign-on.
    pub single_sign_on: bool,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            port_base: DEFAULT_PORT_BASE,
            pages: PageScheme::Http,
            domain: "localhost".to_owned(),
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            data: None,
            trusted_authorities: Vec::new(),
            address_rule: AddressRule::LoopbackAllowed,
            foreign_cards: ForeignCards::default(),
            single_sign_on: false,
        }
    }
}

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

/// The token certificates of the insurers, from the sandbox's component authority.
struct TokenAuthority {
    authority: ComponentAuthority,
    issuers: Vec<(String, Ik)>,
}

impl TokenCertificates for TokenAuthority {
    fn issue(&self, issuer: &str, organization_name: &str, key: &P256PublicKey, now: UnixTime) -> Option<Vec<u8>> {
        let (_, ik) = self.issuers.iter().find(|(known, _)| known == issuer)?;
        self.authority
            .issue_token_certificate(key, organization_name, ik, now)
            .ok()
    }
}

/// The sockets, in the order of the ports; pages' own sockets only where pages are plain.
struct Sockets {
    portal: TcpListener,
    master: TcpListener,
    provider_pages: Option<TcpListener>,
    provider: TcpListener,
    provider_mtls: TcpListener,
    record: TcpListener,
    record_pages: Option<TcpListener>,
    prescription: TcpListener,
    prescription_pages: Option<TcpListener>,
}

impl Sockets {
    /// Binds `wanted`, and says what was bound: 0 gives a free port.
    async fn bind(listen: IpAddr, wanted: Ports, pages: PageScheme) -> Result<(Self, Ports), StartError> {
        let mut bound = Vec::new();
        for (at, port) in wanted.all().into_iter().enumerate() {
            let is_page_socket = matches!(at, 2 | 6 | 8);
            if is_page_socket && pages == PageScheme::Https {
                bound.push((None, port));
                continue;
            }
            let address = SocketAddr::new(listen, port);
            let listener = TcpListener::bind(address)
                .await
                .map_err(|error| StartError::Bind { address, error })?;
            let port = listener
                .local_addr()
                .map_err(|error| StartError::Bind { address, error })?
                .port();
            bound.push((Some(listener), port));
        }
        let mut ports = wanted.all();
        for (port, (_, real)) in ports.iter_mut().zip(&bound) {
            *port = *real;
        }
        let mut listeners = bound.into_iter().map(|(listener, _)| listener);
        let mut next = || listeners.next().flatten();
        let missing = || StartError::Internal("a socket is missing");
        let sockets = Self {
            portal: next().ok_or_else(missing)?,
            master: next().ok_or_else(missing)?,
            provider_pages: next(),
            provider: next().ok_or_else(missing)?,
            provider_mtls: next().ok_or_else(missing)?,
            record: next().ok_or_else(missing)?,
            record_pages: next(),
            prescription: next().ok_or_else(missing)?,
            prescription_pages: next(),
        };
        Ok((sockets, Ports::from_all(ports)))
    }
}

/// The identity and the sockets belong together: what was kept decides where free ports were.
async fn identity_and_sockets(
    options: &SandboxOptions,
    data: &DataDir,
    now: UnixTime,
) -> Result<(Identity, Sockets), StartError> {
    let kept = data.identity()?;
    let wanted = match (&kept, options.port_base) {
        (Some(kept), 0) => kept.ports,
        (_, 0) => Ports::from_all([0; 9]),
        (_, base) if base > u16::MAX - 9 => return Err(StartError::PortBase),
        (_, base) => Ports::from_base(base),
    };
    if let Some(kept) = &kept {
        let mut asked = kept.clone();
        (asked.ports, asked.pages) = (wanted, options.pages);
        asked.domain.clone_from(&options.domain);
        if asked.addresses_in_words() != kept.addresses_in_words() {
            return Err(StartError::Data(DataError::OtherAddresses {
                path: data.path().to_owned(),
                found: kept.addresses_in_words(),
                asked: asked.addresses_in_words(),
            }));
        }
    }
    let (sockets, ports) = Sockets::bind(options.listen, wanted, options.pages).await?;
    match kept {
        Some(kept) => Ok((kept, sockets)),
        None => {
            let identity = Identity::new(now, ports, &options.domain, options.pages);
            data.keep_identity(&identity)?;
            Ok((identity, sockets))
        }
    }
}

/// How everybody here reaches everybody else.
struct Network {
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
    check(&options)?;
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
    let database = data.file("provider.sqlite");
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
        vault: Arc::clone(&vault),
        fetch: network.fetcher()?,
        anchors: vec![anchor.clone()],
        schemes: Schemes::LoopbackHttpToo,
        tenants: tenants(&options, &addresses, &cards, now)?,
        token_certificates: Some(Arc::new(token_authority)),
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
    import_people(&provider, &addresses, &cards, now).await?;

    let description = Description {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        portal: addresses.portal.clone(),
        master: addresses.master.clone(),
        master_keys: anchor.keys.clone(),
        insurers: Description::insurers_of(&addresses),
        services: Description::services_of(&addresses),
        ca: data.file(CA_FILE),
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
    let public = shortcuts::layer(provider.public_router(), shortcuts);
    listeners.add(sockets.portal, (!plain_pages).then(|| everybody.clone()), portal)?;
    listeners.add(sockets.master, Some(everybody.clone()), master.router())?;
    listeners.add(sockets.provider, Some(provider_tls), public.clone())?;
    listeners.add(sockets.provider_mtls, Some(provider_mtls), provider.mtls_router())?;
    if let Some(socket) = sockets.provider_pages {
        listeners.add(socket, None, public)?;
    }
    let places = [
        (sockets.record, sockets.record_pages),
        (sockets.prescription, sockets.prescription_pages),
    ];
    for ((_, demo), (socket, pages)) in services.iter().zip(places) {
        // Over HTTPS pages and statement share an origin.
        let statements = match pages {
            Some(_) => demo.federation_router(),
            None => demo.federation_router().merge(demo.router()),
        };
        listeners.add(socket, Some(everybody.clone()), statements)?;
        if let Some(pages) = pages {
            listeners.add(pages, None, demo.router())?;
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

fn check(options: &SandboxOptions) -> Result<(), StartError> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if options.domain.len() > 200 || !options.domain.split('.').all(is_label) {
        return Err(StartError::Domain);
    }
    if options.pages == PageScheme::Http && options.domain != "localhost" {
        return Err(StartError::DomainNeedsHttps);
    }
    if options.pages == PageScheme::Http && !options.listen.is_loopback() {
        return Err(StartError::ListenNeedsHttps);
    }
    Ok(())
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

fn identity_of(key: &KeyAndCertificate) -> Result<TlsIdentity, StartError> {
    Ok(TlsIdentity::new(
        std::slice::from_ref(&key.certificate),
        &key.key_pkcs8,
    )?)
}

fn tenants(
    options: &SandboxOptions,
    addresses: &Addresses,
    cards: &Cards,
    now: UnixTime,
) -> Result<Vec<TenantSettings>, StartError> {
    let card_trust = Arc::new(cards.trust(&options.foreign_cards, now)?);
    let mut policy = AuthenticationPolicy {
        device_classes: device_classes(),
        ..AuthenticationPolicy::default()
    };
    if options.single_sign_on {
        policy.sso.allowed_clients = Service::ALL
            .into_iter()
            .map(|service| addresses.service(service).entity_id.clone())
            .collect();
    }
    policy.check().map_err(StartError::Policy)?;
    let tenant = |insurer: Insurer| {
        let mut iks = vec![insurer.ik()];
        if insurer == Insurer::Leuchtturm {
            iks.extend(cards.foreign_iks());
        }
        let own = addresses.insurer(insurer);
        TenantSettings {
            issuer: own.issuer.clone(),
            iks,
            organization_name: insurer.name().to_owned(),
            logo: Bytes::from_static(insurer.logo().as_bytes()),
            browser_base: own.pages.clone(),
            mtls_base: own.mtls.clone(),
            authenticator_url: Some(format!("{}/card", addresses.portal)),
            contacts: vec![insurer.contact().to_owned()],
            policy: policy.clone(),
            card_trust: Arc::clone(&card_trust),
            authority_hints: vec![addresses.master.clone()],
        }
    };
    Ok(Insurer::ALL.map(tenant).into())
}

/// As by default, but here every phone is believed what it claims to be.
fn device_classes() -> Vec<DeviceClassRule> {
    let mut classes = DeviceClassRule::defaults();
    for class in &mut classes {
        class.evidence = DeviceEvidence::Claimed;
    }
    debug_assert!(classes.iter().any(|class| class.level == Acr::High));
    classes
}

/// The configuration of a demo service's place in the federation.
pub(crate) fn party_config(
    service: Service,
    entity_id: EntityId,
    pages: &str,
    anchor: TrustAnchor,
) -> RelyingPartyConfig {
    let personality = service.personality();
    let mut config = personality.relying_party_config(entity_id.clone(), pages, anchor, Schemes::LoopbackHttpToo);
    // Both ways of publishing keys occur in the field; each service shows one.
    if service == Service::Prescription {
        config.key_publication = KeyPublication::SignedKeySet {
            uri: format!("{entity_id}{SIGNED_KEYS_PATH}"),
        };
    }
    config
}

fn service(
    service: Service,
    addresses: &Addresses,
    anchor: &TrustAnchor,
    network: &Network,
    data: &DataDir,
    clock: &Clock,
) -> Result<DemoService, StartError> {
    let own = addresses.service(service);
    let entity_id = EntityId::parse(&own.entity_id, Schemes::HttpsOnly)?;
    let keys = service_keys::open(data, service, &own.entity_id, clock())?;
    let config = party_config(service, entity_id, &own.pages, anchor.clone());
    let connections = Connections::over_network(&network.roots, AddressRule::LoopbackAllowed, &network.host_names)?;
    let party = Arc::new(RelyingParty::new(config, keys, connections)?);
    let mut login_origins: Vec<String> = Insurer::ALL
        .into_iter()
        .filter_map(|insurer| origin(&addresses.insurer(insurer).pages))
        .collect();
    login_origins.dedup();
    Ok(DemoService::new(DemoServiceConfig {
        personality: service.personality(),
        base_url: own.pages.clone(),
        party,
        clock: Arc::clone(clock),
        login_origins,
        portal_url: Some(format!("{}/", addresses.portal)),
    })?)
}

fn origin(url: &str) -> Option<String> {
    Some(url::Url::parse(url).ok()?.origin().ascii_serialization())
}

async fn register_services(
    master: &FederationMaster,
    services: &[(Service, DemoService); 2],
    addresses: &Addresses,
) -> Result<(), StartError> {
    let forms = services
        .iter()
        .map(|(service, demo)| {
            let config = demo.party().config();
            let entity_id = &addresses.service(*service).entity_id;
            let mut form = RegistrationForm::new(
                entity_id,
                ParticipantType::RelyingParty,
                config.organization_name.clone(),
            );
            form.keys = Some(demo.party().keys().entity_keys());
            form.redirect_uris = Some(config.redirect_uris.clone());
            form.scopes = Some(config.scopes.clone());
            form
        })
        .collect();
    let master = master.clone();
    tokio::task::spawn_blocking(move || master.register_all(forms))
        .await
        .map_err(|_| StartError::Internal("the services could not be registered"))??;
    Ok(())
}

/// All at once: the store writes what waits together.
async fn import_people(
    provider: &Provider,
    addresses: &Addresses,
    cards: &Cards,
    now: UnixTime,
) -> Result<(), StartError> {
    let own = PEOPLE.iter().map(|person| (person.insurer, person.data(now)));
    let foreign = cards
        .foreign_people()
        .into_iter()
        .map(|data| (Insurer::Leuchtturm, data));
    let mut imports = JoinSet::new();
    for (insurer, data) in own.chain(foreign) {
        let (provider, issuer) = (provider.clone(), addresses.insurer(insurer).issuer.clone());
        imports.spawn(async move { import(&provider, &issuer, data).await });
    }
    while let Some(outcome) = imports.join_next().await {
        outcome.map_err(|_| StartError::Internal("a person could not be imported"))??;
    }
    Ok(())
}

async fn import(provider: &Provider, issuer: &str, data: PersonData) -> Result<(), StartError> {
    provider.import_person(issuer, data).await?;
    Ok(())
}

struct Listeners {
    tasks: JoinSet<()>,
    stopping: watch::Receiver<()>,
}

impl Listeners {
    fn add(&mut self, socket: TcpListener, tls: Option<ServerTls>, router: Router) -> Result<(), StartError> {
        let server = match tls {
            Some(tls) => Server::https(socket, tls)?,
            None => Server::plain_loopback(socket)?,
        };
        let stopping = stopped(self.stopping.clone());
        self.tasks.spawn(async move {
            server.serve(router, stopping).await;
        });
        Ok(())
    }

    fn watch(&mut self, master: FederationMaster, provider: Provider) {
        let stopping = stopped(self.stopping.clone());
        self.tasks
            .spawn(async move { master.watch(WATCH_INTERVAL, stopping).await });
        let stopping = stopped(self.stopping.clone());
        self.tasks.spawn(async move {
            tokio::pin!(stopping);
            let mut ticks = tokio::time::interval(CLEANING_INTERVAL);
            loop {
                tokio::select! {
                    () = &mut stopping => return,
                    _ = ticks.tick() => if let Err(error) = provider.drop_expired().await {
                        tracing::warn!(event = "sandbox.not_cleaned", reason = %error);
                    },
                }
            }
        });
    }
}

/// Ends when the sender is gone.
async fn stopped(mut stopping: watch::Receiver<()>) {
    while stopping.changed().await.is_ok() {}
}
