//! What the listener speaks, and what it learns of a client, over real handshakes.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::{Authority, NotingResolver, connect, get_on, self_signed, start_default};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use transport::{
    AddressRule, ClientCertificates, ClientIdentity, HttpClient, ServerIdentities, ServerLimits, ServerTls, TlsError,
    TlsIdentity, certificate_thumbprint,
};

static TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

fn client_showing(
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
    resolver: Arc<NotingResolver>,
) -> Arc<ClientConfig> {
    Arc::new(
        ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(authority.root_store())
            .with_client_cert_resolver(resolver),
    )
}

fn client_with(
    authority: &Authority,
    provider: rustls::crypto::CryptoProvider,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    Arc::new(
        ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(authority.root_store())
            .with_no_client_auth(),
    )
}

#[tokio::test]
async fn client_certificate_reaches_the_handler_over_both_versions_with_an_empty_authority_list() {
    let authority = Authority::new();
    let server = start_default(authority.identity(), ClientCertificates::RequestAny).await;
    for versions in [TLS12, TLS13] {
        let (certificate, key) = self_signed();
        let resolver = NotingResolver::new(&certificate, &key);
        let config = client_showing(&authority, versions, Arc::clone(&resolver));
        let mut stream = connect(server.addr, "localhost", config).await.unwrap();
        let seen = get_on(&mut stream, "/whoami").await.unwrap();
        assert_eq!(seen, certificate_thumbprint(&certificate));
        // The CertificateRequest names no authority (gematik.md 4.1).
        assert_eq!(*resolver.hints.lock().unwrap(), Some(0));
        let schemes = resolver.schemes.lock().unwrap();
        assert!(!schemes.is_empty());
        assert!(!schemes.contains(&rustls::SignatureScheme::RSA_PKCS1_SHA1));
        assert!(!schemes.contains(&rustls::SignatureScheme::ECDSA_SHA1_Legacy));
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_let_in_and_seen_as_having_none() {
    let authority = Authority::new();
    let server = start_default(authority.identity(), ClientCertificates::RequestAny).await;
    for versions in [TLS12, TLS13] {
        let config = client_with(&authority, default_provider(), versions);
        let mut stream = connect(server.addr, "localhost", config).await.unwrap();
        assert_eq!(get_on(&mut stream, "/whoami").await.unwrap(), "none");
    }
}

#[tokio::test]
async fn the_public_host_does_not_ask_for_a_certificate() {
    let authority = Authority::new();
    let server = start_default(authority.identity(), ClientCertificates::None).await;
    let (certificate, key) = self_signed();
    let resolver = NotingResolver::new(&certificate, &key);
    let config = client_showing(&authority, TLS13, Arc::clone(&resolver));
    let mut stream = connect(server.addr, "localhost", config).await.unwrap();
    assert_eq!(get_on(&mut stream, "/whoami").await.unwrap(), "none");
    assert_eq!(*resolver.hints.lock().unwrap(), None);
}

#[tokio::test]
async fn odd_self_signed_certificates_are_seen_too() {
    let authority = Authority::new();
    let server = start_default(authority.identity(), ClientCertificates::RequestAny).await;
    let client_key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    // A CA certificate, as `openssl req -x509` makes it, long expired: judged later, by whoever knows the time (GS-A_4662).
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let certificate = params.self_signed(&client_key).unwrap().der().to_vec();
    let resolver = NotingResolver::new(&certificate, &client_key.serialize_der());
    let config = client_showing(&authority, TLS13, resolver);
    let mut stream = connect(server.addr, "localhost", config).await.unwrap();
    let seen = get_on(&mut stream, "/whoami").await.unwrap();
    assert_eq!(seen, certificate_thumbprint(&certificate));
}

#[tokio::test]
async fn a_certificate_whose_key_the_client_does_not_hold_is_refused() {
    let authority = Authority::new();
    let server = start_default(authority.identity(), ClientCertificates::RequestAny).await;
    let (certificate, _) = self_signed();
    let (_, stranger_key) = self_signed();
    for versions in [TLS12, TLS13] {
        let key = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(
            &rustls::pki_types::PrivateKeyDer::try_from(stranger_key.clone()).unwrap(),
        )
        .unwrap();
        let stolen = rustls::sign::CertifiedKey::new(vec![certificate.clone().into()], key);
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(authority.root_store())
            .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(Arc::new(stolen))));
        // With TLS 1.3 the client learns of the alert only when it reads.
        let refused = match connect(server.addr, "localhost", Arc::new(config)).await {
            Err(error) => error.to_string(),
            Ok(mut stream) => get_on(&mut stream, "/whoami").await.unwrap_err().to_string(),
        };
        assert!(refused.contains("alert"), "{refused}");
    }
}

#[tokio::test]
async fn resumption_keeps_the_client_certificate() {
    let authority = Authority::new();
    let server = start_default(authority.identity(), ClientCertificates::RequestAny).await;
    for versions in [TLS12, TLS13] {
        let (certificate, key) = self_signed();
        let resolver = NotingResolver::new(&certificate, &key);
        let config = Arc::new(
            // This room's groups, so that the first handshake needs no HelloRetryRequest.
            ClientConfig::builder_with_provider(transport::crypto_provider())
                .with_protocol_versions(versions)
                .unwrap()
                .with_root_certificates(authority.root_store())
                .with_client_cert_resolver(resolver),
        );
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut stream = connect(server.addr, "localhost", Arc::clone(&config)).await.unwrap();
            let seen = get_on(&mut stream, "/whoami").await.unwrap();
            assert_eq!(seen, certificate_thumbprint(&certificate));
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected));
        }
    }
}

#[tokio::test]
async fn admitted_suites_are_spoken_each() {
    let authority = Authority::new();
    let server = start_default(authority.identity(), ClientCertificates::None).await;
    for (suite, versions) in [
        (cipher_suite::TLS13_AES_128_GCM_SHA256, TLS13),
        (cipher_suite::TLS13_AES_256_GCM_SHA384, TLS13),
        (cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS12),
        (cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS12),
    ] {
        for group in [kx_group::SECP256R1, kx_group::SECP384R1] {
            let provider = rustls::crypto::CryptoProvider {
                cipher_suites: vec![suite],
                kx_groups: vec![group],
                ..default_provider()
            };
            let config = client_with(&authority, provider, versions);
            let stream = connect(server.addr, "localhost", config).await.unwrap();
            let session = stream.get_ref().1;
            assert_eq!(
                session.negotiated_cipher_suite().map(|suite| suite.suite()),
                Some(suite.suite())
            );
        }
    }
}

#[tokio::test]
async fn rsa_server_keys_are_spoken_with_the_rsa_suites() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let identity = TlsIdentity::new(&[certificate.der().to_vec()], &key.serialize_der()).unwrap();
    let server = start_default(identity, ClientCertificates::None).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    for suite in [
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ] {
        let provider = rustls::crypto::CryptoProvider {
            cipher_suites: vec![suite],
            ..default_provider()
        };
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(TLS12)
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        connect(server.addr, "localhost", Arc::new(config)).await.unwrap();
    }
}

#[tokio::test]
async fn suites_and_groups_that_are_not_admitted_are_refused() {
    let authority = Authority::new();
    let server = start_default(authority.identity(), ClientCertificates::None).await;
    let only_suite = |suite| rustls::crypto::CryptoProvider {
        cipher_suites: vec![suite],
        ..default_provider()
    };
    let only_group = |group| rustls::crypto::CryptoProvider {
        kx_groups: vec![group],
        ..default_provider()
    };
    for (provider, versions) in [
        (only_suite(cipher_suite::TLS13_CHACHA20_POLY1305_SHA256), TLS13),
        (
            only_suite(cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
            TLS12,
        ),
        (
            // Admitted, but the server's key is EC.
            only_suite(cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
            TLS12,
        ),
        (only_group(kx_group::X25519), TLS13),
        (only_group(kx_group::X25519), TLS12),
    ] {
        let config = client_with(&authority, provider, versions);
        let error = connect(server.addr, "localhost", config).await.unwrap_err();
        // GS-A_5542: a fatal alert, not a silent close.
        assert!(error.to_string().contains("HandshakeFailure"), "{error}");
    }
}

/// A ClientHello with nothing but a legacy version and one suite of that age (RFC 4346 §7.4.1.2).
fn old_client_hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&version);
    body.extend_from_slice(&[7; 32]); // random
    body.push(0); // session id
    body.extend_from_slice(&[0, 2, 0xc0, 0x09]); // ECDHE_ECDSA_WITH_AES_128_CBC_SHA
    body.extend_from_slice(&[1, 0]); // no compression
    // supported_groups: P-256; ec_point_formats: uncompressed; signature_algorithms: ecdsa_secp256r1_sha256
    let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3];
    body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
    body.extend_from_slice(&extensions);
    let mut handshake = vec![1, 0];
    handshake.extend_from_slice(&(body.len() as u16).to_be_bytes());
    handshake.extend_from_slice(&body);
    let mut record = vec![22];
    record.extend_from_slice(&[3, 1]);
    record.extend_from_slice(&(handshake.len() as u16).to_be_bytes());
    record.extend_from_slice(&handshake);
    record
}

#[tokio::test]
async fn tls_before_1_2_is_refused_with_a_fatal_alert() {
    let authority = Authority::new();
    let server = start_default(authority.identity(), ClientCertificates::None).await;
    for version in [[3, 0], [3, 1], [3, 2]] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(&old_client_hello(version)).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        // An alert record, fatal, protocol_version (RFC 5246 §7.2).
        assert_eq!(answer.first(), Some(&21), "{answer:?}");
        assert_eq!(answer.get(5..7), Some(&[2, 70][..]), "{answer:?}");
    }
}

#[tokio::test]
async fn a_replaced_identity_serves_the_next_handshake_and_leaves_open_connections_alone() {
    let authority = Authority::new();
    let identity = authority.identity();
    let first = identity.certificate();
    let server = start_default(identity.clone(), ClientCertificates::None).await;
    let server_certificate = |stream: &tokio_rustls::client::TlsStream<TcpStream>| {
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let config = || client_with(&authority, default_provider(), TLS13);

    let mut open = connect(server.addr, "localhost", config()).await.unwrap();
    assert_eq!(server_certificate(&open), first);

    let (second, key) = authority.issue(&["localhost"]);
    identity.replace(std::slice::from_ref(&second), &key).unwrap();
    let fresh = connect(server.addr, "localhost", config()).await.unwrap();
    assert_eq!(server_certificate(&fresh), second);
    assert_eq!(get_on(&mut open, "/whoami").await.unwrap(), "none");
}

#[tokio::test]
async fn a_key_that_does_not_belong_is_not_taken_over() {
    let authority = Authority::new();
    let identity = authority.identity();
    let before = identity.certificate();
    let (certificate, _) = authority.issue(&["localhost"]);
    let (_, stranger) = authority.issue(&["localhost"]);
    assert!(matches!(
        identity.replace(std::slice::from_ref(&certificate), &stranger),
        Err(TlsError::KeyMismatch)
    ));
    assert!(matches!(identity.replace(&[], &stranger), Err(TlsError::NoCertificate)));
    assert!(matches!(
        identity.replace(std::slice::from_ref(&certificate), b"no key"),
        Err(TlsError::Unreadable(_))
    ));
    assert!(matches!(identity.replace_pem(b"", b""), Err(TlsError::NoPrivateKey)));
    assert_eq!(identity.certificate(), before);

    let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&ed25519).unwrap();
    assert!(matches!(
        TlsIdentity::new(&[certificate.der().to_vec()], &ed25519.serialize_der()),
        Err(TlsError::AlgorithmNotAdmitted)
    ));
}

#[tokio::test]
async fn each_host_has_its_own_identity_and_unknown_hosts_are_refused_without_a_default() {
    let authority = Authority::new();
    let identities = ServerIdentities::by_host_only();
    assert!(matches!(
        ServerTls::new(identities.clone(), ClientCertificates::None),
        Err(TlsError::NoIdentity)
    ));
    let mut certificates = Vec::new();
    for host in ["one.example", "two.example"] {
        let (certificate, key) = authority.issue(&[host]);
        let identity = TlsIdentity::new(std::slice::from_ref(&certificate), &key).unwrap();
        identities.insert(host, identity).unwrap();
        certificates.push(certificate);
    }
    assert!(matches!(
        identities.insert("not a host", authority.identity()),
        Err(TlsError::HostName)
    ));
    let tls = ServerTls::new(identities, ClientCertificates::None).unwrap();
    let server = common::start(tls, ServerLimits::default(), common::router()).await;
    for (host, expected) in ["one.example", "two.example"].iter().zip(&certificates) {
        let config = client_with(&authority, default_provider(), TLS13);
        let stream = connect(server.addr, host, config).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.peer_certificates().unwrap()[0].as_ref(), expected.as_slice());
        assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    }
    let config = client_with(&authority, default_provider(), TLS13);
    assert!(connect(server.addr, "three.example", config).await.is_err());
}

#[tokio::test]
async fn the_http_client_shows_its_certificate_over_http2_and_keeps_the_connection() {
    let authority = Authority::new();
    let router = axum::Router::new().route(
        "/port",
        axum::routing::get(
            |axum::extract::Extension(info): axum::extract::Extension<transport::ConnectionInfo>,
             request: axum::extract::Request| async move {
                format!(
                    "{:?} {} {}",
                    request.version(),
                    info.peer_addr.port(),
                    info.client_certificate
                        .map_or("none".to_owned(), |der| certificate_thumbprint(&der))
                )
            },
        ),
    );
    let tls = ServerTls::new(authority.identity(), ClientCertificates::RequestAny).unwrap();
    let server = common::start(tls, ServerLimits::default(), router).await;
    let (certificate, key) = self_signed();
    let client = HttpClient::builder(&authority.roots(), AddressRule::LoopbackAllowed)
        .identity(ClientIdentity::new(std::slice::from_ref(&certificate), &key).unwrap())
        .build()
        .unwrap();
    let first = client.get(&server.url("/port"), &[]).await.unwrap().text();
    let second = client.get(&server.url("/port"), &[]).await.unwrap().text();
    assert_eq!(first, second);
    assert!(first.starts_with("HTTP/2.0 "), "{first}");
    assert!(first.ends_with(&certificate_thumbprint(&certificate)));
}
