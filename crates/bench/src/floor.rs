//! The floor: the requests of a login, answered by bare hyper handlers that do only what no login can avoid.
//!
//! | request | counted as unavoidable |
//! |---|---|
//! | PAR | one sealed state |
//! | challenge | open, ES256 signature of the challenge, seal |
//! | device | open, one read of person and device, opening the device record, ES256 verification, seal |
//! | card | open, one read of the person, two brainpoolP256r1 verifications (certificate, answer), seal |
//! | consent | open, seal (the code) |
//! | token | open, SHA-256 of the verifier, one durable commit of the claim row, one read and opening of the person's record, pseudonym, ES256, ECDH-ES with A256GCM |
//!
//! Left out, because a login *could* do without: routing, form and JSON rules, checks of anything but signatures, digests and seals, level
//! decisions, consent records, the device's counter, the audit entry, logging, timeouts, limits. Same TLS configuration, same bodies in, bodies of like
//! size out. It answers no attacker and must never be served.

mod certificate;
mod handlers;

use std::{
    convert::Infallible,
    future::Future,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use bp256::r1::BrainpoolP256r1;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jose::{
    SoftwareKey, UnixTime, base64url,
    jwk::{JwkSet, KeyUse, P256PublicKey},
};
use store::{OperationId, Outcome, Store, TenantId};
use store_sqlite::SqliteStore;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_rustls::TlsAcceptor;
use transport::ServerTls;
use vault::{BackgroundTask, PersonId, Vault, tenant_id};

use crate::{
    process::{Listeners, Ready},
    product::until,
    world::{TENANTS, World, issuer},
};

struct Floor {
    vault: Vault,
    store: SqliteStore,
    tenant: TenantId,
    issuer: String,
    challenge_key: SoftwareKey,
    token_key: SoftwareKey,
    token_certificate: Vec<u8>,
    recipient: P256PublicKey,
    client_certificate: Vec<u8>,
    card_authority: ecdsa::VerifyingKey<BrainpoolP256r1>,
}

/// Starts the floor, its people and their phones in the store already.
pub async fn start(
    world: &World,
    store: &Path,
    listeners: Listeners,
    stopped: watch::Receiver<()>,
) -> Result<(Ready, JoinHandle<()>)> {
    let issuer = issuer(TENANTS[0]);
    let tenant = tenant_id(&issuer);
    let vault = Vault::development(world.vault_seed());
    let store = SqliteStore::open(store)?;
    let mut devices = Vec::with_capacity(world.people);
    for person in 0..world.people {
        devices.push(bring_in(world, &vault, &store, tenant, person).await?);
    }
    let token_key = SoftwareKey::generate("token-floor")?;
    let ik = authenticator::Ik::parse(TENANTS[0])?;
    let token_certificate = world.component_authority()?.issue_token_certificate(
        token_key.public_key(),
        "Musterkasse",
        &ik,
        world.made_at(),
    )?;
    let card_authority =
        authenticator::health_card::UnverifiedCertificate::parse(world.card_authority()?.certificate())?
            .brainpool_point()
            .context("brainpool")?;
    let floor = Arc::new(Floor {
        vault,
        store,
        tenant,
        issuer,
        challenge_key: SoftwareKey::generate("challenge-floor")?,
        recipient: world.encryption_key()?.public_key().clone(),
        client_certificate: world.client_certificate.clone(),
        card_authority: ecdsa::VerifyingKey::from_sec1_bytes(&card_authority)?,
        token_certificate,
        token_key,
    });
    let ready = Ready {
        public: listeners.public_address,
        mtls: listeners.mtls_address,
        devices,
        token_keys: JwkSet::new(vec![floor.token_key.jwk(KeyUse::Signature)]).to_value(),
        entity_keys: serde_json::Value::Null,
    };
    let (public, mtls) = (Arc::clone(&floor), floor);
    let public = accept(listeners.public, move |request, _| {
        let floor = Arc::clone(&public);
        async move { floor.public(request).await }
    });
    let mtls = accept(listeners.mtls, move |request, certificate| {
        let floor = Arc::clone(&mtls);
        async move { floor.mtls(request, certificate.as_deref()).await }
    });
    let serving = tokio::spawn(async move {
        tokio::select! {
            () = public => {}
            () = mtls => {}
            () = until(stopped) => {}
        }
    });
    Ok((ready, serving))
}

/// Stores a person and her phone; the phone's handle.
async fn bring_in(
    world: &World,
    vault: &Vault,
    store: &SqliteStore,
    tenant: TenantId,
    number: usize,
) -> Result<String> {
    let (mut id, mut device) = ([0; 16], [0; 16]);
    vault.random(&mut id);
    vault.random(&mut device);
    let id = PersonId::from_bytes(id);
    let person = vault.create_person_as(tenant, id, &world.person(number)?)?;
    let row = person.identity_row().context("identity row")?;
    let point = world.device_key(number)?.public_key().to_uncompressed().to_vec();
    let capability = vault.background_capability(tenant, id, BackgroundTask::Import);
    let at = vault.device_key(tenant, &id, &device)?;
    let change = vault.with_person(capability, &row, |scope| {
        let point = scope.plaintext(point);
        scope.seal_record(at, None, &point, None)
    })??;
    let mut writes = person.writes;
    writes.push(change.write);
    let outcome = store.commit(operation(vault), &person.conditions, &writes).await;
    ensure!(outcome == Outcome::Committed, "{outcome:?}");
    Ok(base64url::encode(&[*id.as_bytes(), device].concat()))
}

fn operation(vault: &Vault) -> OperationId {
    let mut name = [0; 8];
    vault.random(&mut name);
    OperationId::new(now().0, name)
}

fn now() -> UnixTime {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime(since_1970.as_secs())
}

/// Accepts connections and serves HTTP/1.1 on each, with nothing around it.
async fn accept<H, F>((listener, tls): (TcpListener, ServerTls), handler: H)
where
    H: Fn(Request<Incoming>, Option<Arc<[u8]>>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send,
{
    let acceptor = TlsAcceptor::from(tls.config());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let (acceptor, handler) = (acceptor.clone(), handler.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let certificate: Option<Arc<[u8]>> = stream
                .get_ref()
                .1
                .peer_certificates()
                .and_then(|chain| chain.first())
                .map(|certificate| Arc::from(certificate.as_ref()));
            let service = service_fn(move |request| {
                let answer = handler(request, certificate.clone());
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
