//! A real provider with two insurers behind real TLS, a frozen clock, and everything around it under the test's control.
//!
//! One [`Harness`] a test. When it goes, it searches the log for everything secret it has seen.
#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::panic, missing_docs)]

pub mod account;
pub mod asking;
pub mod clock;
pub mod device;
pub mod federation;
pub mod login;
pub mod logs;
pub mod passkey;
pub mod person;
pub mod phones;
pub mod pki;
pub mod service;
pub mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ::federation::Schemes;
use authenticator::{
    Acr, Ik,
    app_links::Apps,
    passkey::{AllowedAuthenticator, AttestationFormat},
    policy::{AuthenticationPolicy, DeviceClassRule, DeviceEvidence},
};
use axum::Router;
use provider::{LimitSettings, Provider, ProviderParts, TenantSettings, WalletSettings, clock::Clock};
use store::{
    Key, Kind, Row, Store,
    memory::MemoryStore,
    register::{FreshnessRegister, MemoryRegister},
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use transport::{AddressRule, ClientCertificates, HttpClient, Server, ServerTls, TlsIdentity};
use vault::{DAY_SECONDS, PersonId, Rows, Vault};

use clock::{FrozenClock, NOW, SeededRng, WatchedStore};
use federation::{FakeFederation, MASTER};
use pki::ComponentAuthority;

pub use account::Account;
pub use clock::Disk;
pub use device::Device;
pub use login::{Answered, Challenged};
pub use person::{Person, crowd};
pub use service::{ALL_SCOPES, Fields, OpenedToken, Push, Service, members, part};
pub use wire::{Redirect, Refused};

/// Host of the insurer whose issuer has no path.
pub const HOST_OF_ITS_OWN: &str = "bkk.localhost";
/// A host that leads to the server and to no insurer.
pub const UNKNOWN_HOST: &str = "nobody.localhost";
/// The insurer whose issuer has a path.
pub const PATH_IK: &str = "109900019";
/// The insurer with a host of its own.
pub const HOST_IK: &str = "109900020";
/// The service of most tests.
pub const RECORD: &str = "https://record.example/ti";
/// Device class of the tests' policy that reaches high and needs no attestation.
pub const HIGH_CLASS: &str = "claimed-high";
/// Device class of the default policy that reaches substantial and needs no attestation.
pub const SUBSTANTIAL_CLASS: &str = "software";

static COUNTER: AtomicU64 = AtomicU64::new(1);

/// A text that no other test uses.
pub fn unique(prefix: &str) -> String {
    let number = COUNTER.fetch_add(1, Ordering::SeqCst);
    format!("{prefix}{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Where one insurer is reached.
#[derive(Debug, Clone)]
pub struct Insurer {
    pub issuer: String,
    pub mtls: String,
    pub ik: &'static str,
}

/// What a test may choose before the provider starts.
pub struct Setup {
    pub store: Arc<dyn Store>,
    pub register: Arc<dyn FreshnessRegister>,
    pub limits: LimitSettings,
    pub policy: AuthenticationPolicy,
    pub attestation: Option<provider::DeviceAttestation>,
    pub authenticator_url: Option<String>,
    pub wallet: Option<WalletSettings>,
    pub push: Option<provider::PushService>,
    /// Whether token keys are certified when they are made.
    pub certified: bool,
    pub clock: Arc<FrozenClock>,
    pub federation: Arc<FakeFederation>,
}

impl Default for Setup {
    fn default() -> Self {
        Self::at(NOW)
    }
}

impl Setup {
    /// Begins at this moment.
    pub fn at(now: jose::UnixTime) -> Self {
        let clock = FrozenClock::at(now);
        Self {
            store: Arc::new(MemoryStore::new()),
            register: Arc::new(MemoryRegister::new()),
            limits: LimitSettings::default(),
            policy: policy(),
            attestation: None,
            authenticator_url: Some("https://wallet.example/card".to_owned()),
            wallet: None,
            push: None,
            certified: true,
            federation: FakeFederation::new(Arc::clone(&clock)),
            clock,
        }
    }
}

/// The default policy, a device class that reaches high without an attestation, and a model of authenticators that is believed.
pub fn policy() -> AuthenticationPolicy {
    let mut policy = AuthenticationPolicy::default();
    policy.device_classes.push(DeviceClassRule {
        name: HIGH_CLASS.to_owned(),
        level: Acr::High,
        reconfirm_after_seconds: 30 * 86_400,
        evidence: DeviceEvidence::Claimed,
        own_pages_only: false,
    });
    policy.passkeys.authenticators.push(AllowedAuthenticator {
        aaguid: "a5a5a5a5-a5a5-a5a5-a5a5-a5a5a5a5a5a5".to_owned(),
        format: AttestationFormat::Packed,
        roots: vec![pki::passkey_maker()],
    });
    policy
}

pub struct Harness {
    pub clock: Arc<FrozenClock>,
    pub federation: Arc<FakeFederation>,
    pub authority: Arc<ComponentAuthority>,
    pub store: Arc<WatchedStore>,
    pub provider: Provider,
    /// The one that serves since the last restart.
    current: RwLock<Provider>,
    served: Arc<RwLock<(Router, Router)>>,
    parts: Box<dyn Fn() -> ProviderParts + Send + Sync>,
    /// The vault of instances started from now on.
    vault: Arc<RwLock<fn() -> Vault>>,
    /// The insurer whose issuer has a path.
    pub path: Insurer,
    /// The insurer with a host of its own.
    pub host: Insurer,
    /// Port of the public host.
    pub port: u16,
    app: HttpClient,
    secrets: Mutex<Vec<String>>,
    /// Where its part of the log begins.
    pub log_begins: usize,
    _running: [oneshot::Sender<()>; 2],
}

impl Harness {
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        logs::capture();
        let log_begins = logs::length();
        let listener = || async { TcpListener::bind("127.0.0.1:0").await.unwrap() };
        let (public, mtls) = (listener().await, listener().await);
        let (public_port, mtls_port) = (public.local_addr().unwrap().port(), mtls.local_addr().unwrap().port());
        let insurer = |host: &str, path: &str, ik| Insurer {
            issuer: format!("https://{host}:{public_port}{path}"),
            mtls: format!("https://{host}:{mtls_port}{path}"),
            ik,
        };
        let path = insurer("localhost", "/109900019", PATH_IK);
        let host = insurer(HOST_OF_ITS_OWN, "", HOST_IK);
        let store = WatchedStore::new(Arc::clone(&setup.store));
        let (clock, federation) = (Arc::clone(&setup.clock), Arc::clone(&setup.federation));
        let authority = Arc::new(ComponentAuthority::default());
        let register = Arc::clone(&setup.register);
        let vault: Arc<RwLock<fn() -> Vault>> = Arc::new(RwLock::new(|| Vault::development([7; 32])));
        let parts = {
            let vault = Arc::clone(&vault);
            let (path, host, store, authority) =
                (path.clone(), host.clone(), Arc::clone(&store), Arc::clone(&authority));
            let (clock, federation) = (Arc::clone(&setup.clock), Arc::clone(&setup.federation));
            move || ProviderParts {
                clock: Arc::clone(&clock) as _,
                rng: SeededRng::new(COUNTER.fetch_add(1, Ordering::SeqCst)),
                store: Arc::clone(&store) as _,
                register: Arc::clone(&register) as _,
                limits: setup.limits,
                vault: Arc::new(vault.read().unwrap_or_else(PoisonError::into_inner)()),
                fetch: Arc::clone(&federation) as _,
                anchors: vec![federation.anchor()],
                schemes: Schemes::HttpsOnly,
                tenants: vec![
                    settings(&path, "Testkasse Nord", &setup),
                    settings(&host, "BKK Test", &setup),
                ],
                token_certificates: setup.certified.then(|| Arc::clone(&authority) as _),
                push: setup.push.clone(),
                invented_people: true,
            }
        };
        let provider = Provider::new(parts()).unwrap();
        let served = Arc::new(RwLock::new((provider.public_router(), provider.mtls_router())));
        let running = [
            serve(
                public,
                ClientCertificates::None,
                switched(Arc::clone(&served), |served| &served.0),
            ),
            serve(
                mtls,
                ClientCertificates::RequestAny,
                switched(Arc::clone(&served), |served| &served.1),
            ),
        ];
        Self {
            clock,
            federation,
            parts: Box::new(parts),
            vault,
            authority,
            store,
            current: RwLock::new(provider.clone()),
            served,
            provider,
            path,
            host,
            port: public_port,
            app: HttpClient::builder(&pki::roots(), AddressRule::LoopbackAllowed)
                .build()
                .unwrap(),
            // Where people come from is nobody's business either.
            secrets: Mutex::new(vec!["127.0.0.1".to_owned()]),
            log_begins,
            _running: running,
        }
    }

    /// Remembers a value that must never stand in the log.
    pub fn secret(&self, value: impl Into<String>) -> String {
        let value = value.into();
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.push(value.clone());
        value
    }

    /// Another instance on the same records, that serves nothing.
    pub fn twin(&self) -> Provider {
        Provider::new((self.parts)()).unwrap()
    }

    /// A vault as the provider's: it knows where people's rows stand.
    pub fn vault(&self) -> Vault {
        Vault::development([7; 32])
    }

    /// A person's rows of one group, as they stand in the database.
    pub async fn rows(&self, at: &Insurer, person: PersonId, rows: Rows) -> Vec<(Key, Row)> {
        let tenant = vault::tenant_id(&at.issuer);
        let kind = match rows {
            Rows::Devices => Kind::Device,
            Rows::Consents => Kind::Consent,
            Rows::EventsUntil(_) => Kind::Audit,
        };
        let group = self.vault().row_group(tenant, &person, rows).unwrap();
        self.store.list(kind, tenant, group.as_bytes(), 100).await.unwrap()
    }

    /// The entries of a person's history from the days around now.
    pub async fn history(&self, at: &Insurer, person: PersonId) -> Vec<(Key, Row)> {
        let today = self.clock_now() / DAY_SECONDS + 365;
        let mut entries = Vec::new();
        for day in today - 1..=today + 2 {
            entries.extend(self.rows(at, person, Rows::EventsUntil(day as u32)).await);
        }
        entries
    }

    /// The one that serves.
    pub fn provider(&self) -> Provider {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops the provider, and starts it again on the same records, register and addresses.
    pub fn restart(&self) {
        let next = self.twin();
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = (next.public_router(), next.mtls_router());
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// Restarts with another vault: the next step of a rotation of keys.
    pub fn restart_with(&self, vault: fn() -> Vault) {
        *self.vault.write().unwrap_or_else(PoisonError::into_inner) = vault;
        self.restart();
    }

    /// The clock's time, in seconds.
    pub fn clock_now(&self) -> u64 {
        self.clock.now().0
    }

    /// A registered service that speaks both token versions.
    pub fn service(&self) -> Service {
        let service = Service::new(RECORD);
        service.join(&self.federation);
        service
    }

    /// A client without cookies and without certificate: an authenticator app.
    pub fn app(&self) -> &HttpClient {
        &self.app
    }

    /// A browser: keeps cookies, does not follow redirects by itself.
    pub fn browser(&self) -> HttpClient {
        HttpClient::builder(&pki::roots(), AddressRule::LoopbackAllowed)
            .keep_cookies()
            .build()
            .unwrap()
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
            logs::assert_silent_about(secrets.iter(), self.log_begins);
        }
    }
}

/// Settings of one insurer.
pub fn settings(insurer: &Insurer, name: &str, setup: &Setup) -> TenantSettings {
    TenantSettings {
        issuer: insurer.issuer.clone(),
        iks: vec![Ik::parse(insurer.ik).unwrap()],
        organization_name: name.to_owned(),
        logo: "<svg xmlns='http://www.w3.org/2000/svg'/>".into(),
        browser_base: insurer.issuer.clone(),
        mtls_base: insurer.mtls.clone(),
        authenticator_url: setup.authenticator_url.clone(),
        wallet: setup.wallet.clone(),
        contacts: vec!["support@kasse.example".to_owned()],
        apps: Apps::default(),
        policy: setup.policy.clone(),
        attestation: setup.attestation.clone(),
        card_trust: pki::card_trust(),
        authority_hints: vec![MASTER.to_owned()],
    }
}

/// Whatever router serves at the moment.
fn switched(served: Arc<RwLock<(Router, Router)>>, which: fn(&(Router, Router)) -> &Router) -> Router {
    Router::new().fallback(move |request: axum::extract::Request| {
        let router = which(&served.read().unwrap_or_else(PoisonError::into_inner)).clone();
        tower::ServiceExt::oneshot(router, request)
    })
}

/// Serves until the sender is dropped.
pub fn serve(listener: TcpListener, certificates: ClientCertificates, router: Router) -> oneshot::Sender<()> {
    serve_as(listener, pki::server_identity(), certificates, router)
}

/// As [`serve`], with this identity.
pub fn serve_as(
    listener: TcpListener,
    identity: TlsIdentity,
    certificates: ClientCertificates,
    router: Router,
) -> oneshot::Sender<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    let tls = ServerTls::new(identity, certificates).unwrap();
    let server = Server::https(listener, tls).unwrap();
    tokio::spawn(server.serve(router, async {
        let _ = stopped.await;
    }));
    stop
}
