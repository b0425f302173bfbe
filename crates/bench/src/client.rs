//! The load: a service and its users as cheap as they can be made, on connections that are kept or made anew.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use transport::crypto_provider;

use crate::world::{ISSUER_HOST, World};

/// One HTTP/1.1 connection over TLS.
pub struct Connection(SendRequest<Full<Bytes>>);

/// Opens connections to one address, each with a full handshake: nothing is resumed.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
    address: SocketAddr,
}

impl Connector {
    /// As a person's phone does: no client certificate.
    pub fn person(world: &World, address: SocketAddr) -> Result<Self> {
        Self::new(builder(world)?.with_no_client_auth(), address)
    }

    /// As the service does: with its self-signed certificate.
    pub fn service(world: &World, address: SocketAddr) -> Result<Self> {
        let key = PrivateKeyDer::try_from(world.client_key.clone()).map_err(anyhow::Error::msg)?;
        let chain = vec![CertificateDer::from(world.client_certificate.clone())];
        Self::new(builder(world)?.with_client_auth_cert(chain, key)?, address)
    }

    fn new(mut config: ClientConfig, address: SocketAddr) -> Result<Self> {
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            address,
        })
    }

    /// Opens one.
    pub async fn open(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(ServerName::try_from("localhost")?, stream).await?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection(sender))
    }
}

fn builder(world: &World) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(world.tls_authority()?.certificate().to_vec()))?;
    Ok(ClientConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots))
}

/// Media type of a body.
#[derive(Debug, Clone, Copy)]
pub enum Media {
    Form,
    Json,
}

impl Connection {
    /// POST, and the whole answer.
    pub async fn post(&mut self, path: &str, media: Media, body: String) -> Result<(StatusCode, Bytes)> {
        let media = match media {
            Media::Form => "application/x-www-form-urlencoded",
            Media::Json => "application/json",
        };
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, ISSUER_HOST)
            .header(header::CONTENT_TYPE, media)
            .header(header::ACCEPT, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        self.send(request).await
    }

    /// GET of what must be there.
    pub async fn get(&mut self, path: &str) -> Result<Bytes> {
        let request = Request::get(path)
            .header(header::HOST, ISSUER_HOST)
            .body(Full::default())?;
        let (status, body) = self.send(request).await?;
        ensure!(status.is_success(), "GET {path}: {status}");
        Ok(body)
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        self.0.ready().await?;
        let response = self.0.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await.context("answer")?.to_bytes();
        Ok((status, body))
    }
}
