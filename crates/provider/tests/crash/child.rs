//! The child's half: a provider on a SQLite file, in a process that is made to be killed.
#![allow(clippy::print_stdout)]

use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use federation::Schemes;
use provider::{LimitSettings, Provider, ProviderParts, rng::SystemRng};
use store::register::{Appended, FreshnessRegister, RegisterError, Step};
use store::{BoxFuture, Condition, Key, Kind, OperationId, Outcome, Row, Store, StoreError, TenantId, Write};
use store_sqlite::{FileRegister, SqliteStore};
use tokio::net::TcpListener;
use transport::{ClientCertificates, Fetch, FetchFuture, Fetched};
use vault::Vault;

use super::process::{Halt, Orders};
use crate::common::clock::{FrozenClock, NOW};
use crate::common::federation::FakeFederation;
use crate::common::pki::ComponentAuthority;
use crate::common::{Insurer, PATH_IK, Person, Setup, serve, settings};

/// The documents the parent has signed.
struct Table(HashMap<String, String>);

impl Fetch for Table {
    fn fetch<'a>(&'a self, url: &'a str, _accept: &'a str) -> FetchFuture<'a> {
        let document = self.0.get(url).cloned();
        Box::pin(async move {
            Ok(Fetched {
                status: if document.is_some() { 200 } else { 404 },
                content_type: None,
                body: document.unwrap_or_default().into_bytes().into(),
            })
        })
    }
}

/// Halts at a commit, so that the parent can kill the process right there.
struct HaltingStore {
    inner: SqliteStore,
    armed: Arc<AtomicBool>,
    halt: Option<Halt>,
}

/// As [`HaltingStore`], at a step of the freshness register.
struct HaltingRegister {
    inner: FileRegister,
    armed: Arc<AtomicBool>,
    halt: Option<Halt>,
}

impl FreshnessRegister for HaltingRegister {
    fn steps(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<Step>, RegisterError>> {
        self.inner.steps(tenant)
    }

    fn append(&self, tenant: TenantId, after: u64, steps: &[Step]) -> BoxFuture<'_, Appended> {
        let halt = self.halt.filter(|_| self.armed.load(Ordering::SeqCst));
        if halt != Some(Halt::BeforeStep) {
            let appended = self.inner.append(tenant, after, steps);
            if halt != Some(Halt::AfterStep) {
                return appended;
            }
        }
        Box::pin(async {
            let _ = halt_here().await;
            Appended::Unknown
        })
    }

    fn replace(&self, tenant: TenantId, after: u64, steps: &[Step]) -> BoxFuture<'_, Appended> {
        self.inner.replace(tenant, after, steps)
    }
}

async fn halt_here() -> Outcome {
    println!("@halted");
    std::future::pending().await
}

impl Store for HaltingStore {
    fn load<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Row>>, StoreError>> {
        self.inner.load(keys)
    }

    fn commit(&self, operation: OperationId, conditions: &[Condition], writes: &[Write]) -> BoxFuture<'_, Outcome> {
        let halt = self.halt.filter(|_| self.armed.load(Ordering::SeqCst));
        if halt == Some(Halt::Before) {
            return Box::pin(halt_here());
        }
        let commit = self.inner.commit(operation, conditions, writes);
        Box::pin(async move {
            let outcome = commit.await;
            match halt {
                Some(Halt::After) => halt_here().await,
                _ => outcome,
            }
        })
    }

    fn outcome_of(&self, operation: OperationId) -> BoxFuture<'_, Option<bool>> {
        self.inner.outcome_of(operation)
    }

    fn list_after<'a>(
        &'a self,
        kind: Kind,
        tenant: TenantId,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Row)>, StoreError>> {
        self.inner.list_after(kind, tenant, prefix, after, limit)
    }

    fn drop_expired(&self, now: store::UnixSeconds) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.drop_expired(now)
    }
}

/// The process itself: takes its orders from the first line of its input, and serves until it is killed.
#[test]
#[ignore = "the other tests start it as a process of its own"]
fn provider_process() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    // Started by hand, without orders.
    let Ok(orders) = serde_json::from_str::<Orders>(&line) else {
        return;
    };
    if orders.log {
        provider::telemetry::begin();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(orders));
}

async fn run(orders: Orders) {
    let armed = Arc::new(AtomicBool::new(false));
    let register = HaltingRegister {
        inner: FileRegister::open(&orders.register).unwrap(),
        armed: Arc::clone(&armed),
        halt: orders.halt,
    };
    let store = Arc::new(HaltingStore {
        inner: SqliteStore::open(&orders.store).unwrap(),
        armed: Arc::clone(&armed),
        halt: orders.halt,
    });
    // The same issuer whatever the ports: a restart must find its insurer's records.
    let insurer = Insurer {
        issuer: format!("https://localhost/{PATH_IK}"),
        mtls: format!("https://localhost/{PATH_IK}"),
        ik: PATH_IK,
    };
    let setup = Setup::default();
    let clock = FrozenClock::at(NOW);
    let provider = Provider::new(ProviderParts {
        anchors: vec![FakeFederation::new(Arc::clone(&clock)).anchor()],
        clock: clock as _,
        // Not a seeded one: after a restart the names of logins must be new.
        rng: Arc::new(SystemRng),
        store: Arc::clone(&store) as _,
        register: Arc::new(register),
        limits: LimitSettings::default(),
        vault: Arc::new(Vault::development([7; 32])),
        fetch: Arc::new(Table(orders.documents)),
        schemes: Schemes::HttpsOnly,
        tenants: vec![settings(&insurer, "Testkasse Nord", &setup)],
        token_certificates: Some(Arc::new(ComponentAuthority::default())),
        push: None,
        invented_people: true,
    })
    .unwrap();
    if orders.prepare {
        let ada = Person::ada();
        provider.import_person(&insurer.issuer, ada.data()).await.unwrap();
        for canary in &orders.canaries {
            let data = canary.data();
            provider.import_person(&insurer.issuer, data).await.unwrap();
        }
        provider.entity_keys(&insurer.issuer).await.unwrap();
    }
    armed.store(true, Ordering::SeqCst);
    let (public, mtls) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let ports = [&public, &mtls].map(|listener| listener.local_addr().unwrap().port());
    let _running = [
        serve(public, ClientCertificates::None, provider.public_router()),
        serve(mtls, ClientCertificates::RequestAny, provider.mtls_router()),
    ];
    println!("@ready {} {}", ports[0], ports[1]);
    if orders.delete {
        let kvnr = Person::ada().data().kvnr.clone();
        provider.delete_person(&insurer.issuer, &kvnr).await.unwrap();
    }
    std::future::pending::<()>().await;
}
