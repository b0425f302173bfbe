//! One connection whose TLS session is known to whoever asks over it: for evidence that is bound to the session.
//!
//! [`crate::HttpClient`] keeps a pool and does not tell which session an answer came over. This client opens one
//! connection, speaks HTTP/1.1 on it, never resumes, and refuses TLS 1.2 without the extended master secret.
//!
//! Trusted for: the answer came over the session it reports. Does not: follow redirects, keep cookies, judge answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::address::AddressRule;
use crate::client_tls::{Roots, client_config};
use crate::fetcher::FetchError;
use crate::http_client::HttpResponse;
use crate::resolver::{AddressRefused, GuardedResolver};
use crate::tls_session::TlsSession;

/// Time for connection and handshake, and again for each answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer: an evidence bundle with collateral and manifests.
const MAX_BYTES: usize = 4 * 1024 * 1024;
const HTTPS_PORT: u16 = 443;

/// An open connection.
pub struct BoundConnection {
    session: TlsSession,
    origin: Url,
    host: HeaderValue,
    requests: SendRequest<Empty<Bytes>>,
    driver: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for BoundConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BoundConnection")
    }
}

impl Drop for BoundConnection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl BoundConnection {
    /// Opens a connection to the host of an `https` URL, believing `roots`, where `rule` admits.
    ///
    /// `loopback_names`: further host names of this machine, for rules that admit loopback.
    pub async fn open(
        url: &str,
        roots: &Roots,
        rule: AddressRule,
        loopback_names: &[String],
    ) -> Result<Self, FetchError> {
        let url = Url::parse(url).map_err(|_| FetchError::MalformedUrl)?;
        if url.scheme() != "https" {
            return Err(FetchError::SchemeRefused);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::MalformedUrl);
        }
        let resolver = GuardedResolver::new(rule, loopback_names);
        resolver.check_literal(&url).map_err(FetchError::AddressRefused)?;
        let opened = tokio::time::timeout(TIMEOUT, Self::connect(url, roots, &resolver));
        opened.await.map_err(|_| FetchError::Timeout)?
    }

    async fn connect(url: Url, roots: &Roots, resolver: &GuardedResolver) -> Result<Self, FetchError> {
        let name = server_name(&url)?;
        let host = HeaderValue::from_str(&authority(&url)).map_err(|_| FetchError::MalformedUrl)?;
        let mut config = client_config(roots, None).map_err(|error| FetchError::Tls(error.to_string()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        config.require_ems = true;
        let stream = dial(&url, resolver).await?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .map_err(|error| FetchError::Tls(tls_reason(&error)))?;
        let connection = stream.get_ref().1;
        let certificate = connection
            .peer_certificates()
            .and_then(<[_]>::first)
            .map(|certificate| certificate.as_ref().to_vec())
            .ok_or(FetchError::Broken)?;
        let session = TlsSession::of(connection, certificate).ok_or(FetchError::Broken)?;
        let (requests, connection) = hyper::client::conn::http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| FetchError::Broken)?;
        let driver = tokio::spawn(async move {
            // How the connection ended shows in the answer that did or did not come.
            let _ = connection.await;
        });
        Ok(Self {
            session,
            origin: url,
            host,
            requests,
            driver,
        })
    }

    /// The session every answer of this connection comes over.
    pub fn session(&self) -> &TlsSession {
        &self.session
    }

    /// GET of a path with its query, such as `/.well-known/healthid-evidence?nonce=...`.
    pub async fn get(&mut self, path_and_query: &str) -> Result<HttpResponse, FetchError> {
        let request = Request::get(path_and_query)
            .header(header::HOST, self.host.clone())
            .header(header::ACCEPT, "application/json")
            .body(Empty::new())
            .map_err(|_| FetchError::MalformedUrl)?;
        let url = self.origin.join(path_and_query).map_err(|_| FetchError::MalformedUrl)?;
        let answered = tokio::time::timeout(TIMEOUT, self.answer(request, url));
        answered.await.map_err(|_| FetchError::Timeout)?
    }

    async fn answer(&mut self, request: Request<Empty<Bytes>>, url: Url) -> Result<HttpResponse, FetchError> {
        self.requests.ready().await.map_err(|_| FetchError::Broken)?;
        let response = self
            .requests
            .send_request(request)
            .await
            .map_err(|_| FetchError::Broken)?;
        let (parts, mut incoming) = response.into_parts();
        let mut body = BytesMut::new();
        while let Some(frame) = incoming.frame().await {
            let Ok(data) = frame.map_err(|_| FetchError::Broken)?.into_data() else {
                continue;
            };
            if body.len() + data.len() > MAX_BYTES {
                return Err(FetchError::TooLarge(MAX_BYTES));
            }
            body.extend_from_slice(&data);
        }
        Ok(HttpResponse {
            status: parts.status.as_u16(),
            headers: parts.headers,
            url: url.into(),
            body: body.freeze(),
        })
    }
}

fn server_name(url: &Url) -> Result<ServerName<'static>, FetchError> {
    match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(|_| FetchError::MalformedUrl),
        Some(Host::Ipv4(address)) => Ok(ServerName::from(IpAddr::V4(address))),
        Some(Host::Ipv6(address)) => Ok(ServerName::from(IpAddr::V6(address))),
        None => Err(FetchError::MalformedUrl),
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

async fn dial(url: &Url, resolver: &GuardedResolver) -> Result<TcpStream, FetchError> {
    let port = url.port().unwrap_or(HTTPS_PORT);
    let addresses = match url.host() {
        Some(Host::Ipv4(address)) => vec![SocketAddr::new(address.into(), port)],
        Some(Host::Ipv6(address)) => vec![SocketAddr::new(address.into(), port)],
        Some(Host::Domain(name)) => resolver.addresses(name).await.map_err(|error| {
            error
                .downcast_ref::<AddressRefused>()
                .map_or(FetchError::Unresolvable, |refused| {
                    FetchError::AddressRefused(refused.class)
                })
        })?,
        None => return Err(FetchError::MalformedUrl),
    };
    for address in addresses {
        if let Ok(stream) = TcpStream::connect(SocketAddr::new(address.ip(), port)).await {
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    Err(FetchError::ConnectionFailed)
}

fn tls_reason(error: &std::io::Error) -> String {
    error
        .get_ref()
        .and_then(|source| source.downcast_ref::<rustls::Error>())
        .map_or_else(|| error.kind().to_string(), ToString::to_string)
}
