//! A certificate authority, a running server and a bare TLS client, for the tests of this room.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Extension;
use axum::routing::{get, post};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use transport::{
    ClientCertificates, ConnectionInfo, DrainOutcome, Roots, Server, ServerLimits, ServerTls, TlsIdentity,
    certificate_thumbprint,
};

pub struct Authority {
    issuer: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        // A name of its own, or a client would try the key of another authority.
        let name = certificate_thumbprint(key.public_key_raw());
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self {
            issuer: rcgen::CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    /// Certificate and PKCS#8 key for these names.
    pub fn issue(&self, names: &[&str]) -> (Vec<u8>, Vec<u8>) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &self.issuer)
            .unwrap();
        (certificate.der().to_vec(), key.serialize_der())
    }

    pub fn identity(&self) -> TlsIdentity {
        let (certificate, key) = self.issue(&["localhost", "127.0.0.1"]);
        TlsIdentity::new(&[certificate], &key).unwrap()
    }

    pub fn roots(&self) -> Roots {
        let mut roots = Roots::none();
        roots.add_der(self.issuer.der()).unwrap();
        roots
    }

    pub fn root_store(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        store.add(self.issuer.der().clone()).unwrap();
        store
    }
}

/// A self-signed certificate as relying parties use them, and its PKCS#8 key.
pub fn self_signed() -> (Vec<u8>, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    (certificate.der().to_vec(), key.serialize_der())
}

pub struct Running {
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<DrainOutcome>,
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.addr.port())
    }

    pub async fn stop(mut self) -> DrainOutcome {
        self.signal_stop();
        self.task.await.unwrap()
    }

    pub fn signal_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    pub async fn outcome(self) -> DrainOutcome {
        self.task.await.unwrap()
    }
}

pub async fn start(tls: ServerTls, limits: ServerLimits, router: Router) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::https(listener, tls).unwrap().with_limits(limits);
    let addr = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(server.serve(router, async move {
        let _ = stopped.await;
    }));
    Running {
        addr,
        stop: Some(stop),
        task,
    }
}

pub async fn start_default(identity: TlsIdentity, certificates: ClientCertificates) -> Running {
    let tls = ServerTls::new(identity, certificates).unwrap();
    start(tls, ServerLimits::default(), router()).await
}

/// `/whoami` answers with the client certificate's thumbprint, or `none`; `/echo` with the body.
pub fn router() -> Router {
    Router::new()
        .route("/whoami", get(whoami))
        .route("/echo", post(|body: axum::body::Bytes| async move { body }))
}

async fn whoami(Extension(info): Extension<ConnectionInfo>) -> String {
    assert!(info.tls);
    assert!(info.peer_addr.ip().is_loopback());
    info.client_certificate
        .map_or("none".to_owned(), |der| certificate_thumbprint(&der))
}

/// Shows one certificate and notes what the server asked for.
#[derive(Debug)]
pub struct NotingResolver {
    key: Arc<CertifiedKey>,
    pub hints: Mutex<Option<usize>>,
    pub schemes: Mutex<Vec<SignatureScheme>>,
}

impl NotingResolver {
    pub fn new(certificate: &[u8], key: &[u8]) -> Arc<Self> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = CertifiedKey::from_der(
            vec![certificate.to_vec().into()],
            rustls::pki_types::PrivateKeyDer::try_from(key.to_vec()).unwrap(),
            &provider,
        )
        .unwrap();
        Arc::new(Self {
            key: Arc::new(key),
            hints: Mutex::new(None),
            schemes: Mutex::new(Vec::new()),
        })
    }
}

impl ResolvesClientCert for NotingResolver {
    fn resolve(&self, root_hint_subjects: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.hints.lock().unwrap() = Some(root_hint_subjects.len());
        *self.schemes.lock().unwrap() = schemes.to_vec();
        Some(Arc::clone(&self.key))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

pub async fn connect(addr: SocketAddr, name: &str, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await?;
    TlsConnector::from(config)
        .connect(name.to_owned().try_into().unwrap(), stream)
        .await
}

/// One HTTP/1.1 GET on an open connection; returns the body. Reads until the body's end, so tickets are taken in as well.
pub async fn get_on(stream: &mut TlsStream<TcpStream>, path: &str) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer).await
        && answer.is_empty()
    {
        return Err(error);
    }
    let answer = String::from_utf8(answer).unwrap();
    Ok(answer.split("\r\n\r\n").nth(1).unwrap_or("").to_owned())
}
