//! Evidence bound to a TLS session, attacked over real handshakes: relay, stolen key, reflection, replay, resumption,
//! and TLS 1.2 without the extended master secret.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Query};
use axum::routing::get;
use common::{Authority, Running, connect, get_on, start};
use evidence::binding::{BindingError, ConnectionProof, Endpoint, InstanceStatement, QuoteAge, Session};
use evidence::manifest::InstanceRole;
use evidence::platform::{Evidence, Platform};
use jose::{SoftwareKey, UnixTime, base64url};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use transport::{
    AddressRule, BoundConnection, ClientCertificates, ConnectionInfo, FetchError, ServerLimits, ServerTls, TlsIdentity,
    TlsSession, public_key_sha256,
};

const NOW: UnixTime = UnixTime(1_800_000_000);
static TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// One instance: its key, its quote, and what it says of itself. That the quote is genuine is other tests' subject.
struct Instance {
    key: SoftwareKey,
    evidence: Evidence,
    statement: InstanceStatement,
}

impl Instance {
    fn new(tls_key_sha256: [u8; 32]) -> Arc<Self> {
        let key = SoftwareKey::generate("instance").unwrap();
        let statement = InstanceStatement {
            boot_id: [1; 32],
            hardening_hash: [2; 32],
            instance_key: key.public_key().clone(),
            lock: "development".to_owned(),
            manifest_hash: [3; 32],
            namespace: "test".to_owned(),
            quote_time: NOW,
            role: InstanceRole::Serve,
            tls_key_sha256,
        };
        let evidence = Evidence {
            platform: Platform::Simulated,
            report: statement.report_data().to_vec(),
            auxiliary: Vec::new(),
            collateral: Vec::new(),
        };
        Arc::new(Self {
            key,
            evidence,
            statement,
        })
    }

    fn prove(&self, session: &Session) -> ConnectionProof {
        ConnectionProof::sign(&self.key, Endpoint::Server, session, &self.evidence).unwrap()
    }

    fn judge(&self, proof: &str, session: &Session) -> Result<(), BindingError> {
        let proof = ConnectionProof {
            signature: base64url::decode_array(proof).unwrap(),
        };
        self.statement
            .verify_session(&proof, Endpoint::Server, session, &self.evidence)
    }
}

fn session_of(tls: &TlsSession, nonce: [u8; 32]) -> Session {
    Session {
        nonce,
        signer_spki_sha256: tls.server_spki_sha256().unwrap(),
        exporter: *tls.exporter(),
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    nonce: String,
}

/// `/proof?nonce=`: the instance's proof for the very connection it is asked over. `/session`: what the server believes
/// to know of it, in the clear, for these tests only.
fn instance_router(instance: Arc<Instance>) -> Router {
    Router::new()
        .route(
            "/proof",
            get(
                move |Extension(info): Extension<ConnectionInfo>, Query(asked): Query<Asked>| {
                    let nonce = base64url::decode_array(&asked.nonce).unwrap();
                    let session = session_of(&info.tls_session.unwrap(), nonce);
                    let signature = instance.prove(&session).signature;
                    async move { base64url::encode(&signature) }
                },
            ),
        )
        .route(
            "/session",
            get(|Extension(info): Extension<ConnectionInfo>| async move {
                base64url::encode(info.tls_session.unwrap().exporter())
            }),
        )
}

async fn start_instance(identity: TlsIdentity) -> (Running, Arc<Instance>) {
    let instance = Instance::new(public_key_sha256(&identity.certificate()).unwrap());
    let tls = ServerTls::new(identity, ClientCertificates::None).unwrap();
    let running = start(tls, ServerLimits::default(), instance_router(Arc::clone(&instance))).await;
    (running, instance)
}

/// Somebody in between: takes the connection with his own identity, asks the real instance over a connection of his
/// own, and hands on what it answers.
async fn start_relay(identity: TlsIdentity, real: String, authority: &Authority) -> Running {
    let roots = authority.roots();
    let router = Router::new().route(
        "/proof",
        get(move |Query(asked): Query<Asked>| {
            let (real, roots) = (real.clone(), roots.clone());
            async move {
                let mut upstream = open(&real, &roots).await.unwrap();
                let answer = upstream.get(&format!("/proof?nonce={}", asked.nonce)).await.unwrap();
                answer.text()
            }
        }),
    );
    let tls = ServerTls::new(identity, ClientCertificates::None).unwrap();
    start(tls, ServerLimits::default(), router).await
}

async fn open(url: &str, roots: &transport::Roots) -> Result<BoundConnection, FetchError> {
    BoundConnection::open(url, roots, AddressRule::LoopbackAllowed, &[]).await
}

async fn ask(connection: &mut BoundConnection, nonce: [u8; 32]) -> String {
    let path = format!("/proof?nonce={}", base64url::encode(&nonce));
    let answer = connection.get(&path).await.unwrap();
    assert_eq!(answer.status, 200);
    answer.text()
}

fn client(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(transport::crypto_provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(authority.root_store())
        .with_no_client_auth();
    config.enable_early_data = true;
    Arc::new(config)
}

#[test]
fn both_rooms_export_under_one_label() {
    assert_eq!(transport::EXPORTER_LABEL, evidence::binding::EXPORTER_LABEL);
}

#[tokio::test]
async fn both_ends_of_a_session_know_the_same_and_another_session_something_else() {
    let authority = Authority::new();
    let (server, instance) = start_instance(authority.identity()).await;
    let mut exporters = Vec::new();
    for nonce in [[7; 32], [8; 32]] {
        let mut connection = open(&server.url("/"), &authority.roots()).await.unwrap();
        let told = connection.get("/session").await.unwrap().text();
        assert_eq!(told, base64url::encode(connection.session().exporter()));
        let proof = ask(&mut connection, nonce).await;
        let session = session_of(connection.session(), nonce);
        instance.judge(&proof, &session).unwrap();
        exporters.push(*connection.session().exporter());
    }
    assert_ne!(exporters[0], exporters[1]);
    assert_ne!(exporters[0], [0; 32]);
}

#[tokio::test]
async fn evidence_relayed_over_a_connection_with_another_key_is_refused() {
    let authority = Authority::new();
    let (server, instance) = start_instance(authority.identity()).await;
    // The worst case: the man in the middle has a certificate for the name from an authority the client believes.
    let relay = start_relay(authority.identity(), server.url("/"), &authority).await;
    let mut connection = open(&relay.url("/"), &authority.roots()).await.unwrap();
    let nonce = [9; 32];
    let proof = ask(&mut connection, nonce).await;
    let session = session_of(connection.session(), nonce);
    assert_eq!(instance.judge(&proof, &session), Err(BindingError::OtherTlsKey));
    // Were the key's digest not committed to, the exporter would still tell.
    let claimed = Session {
        signer_spki_sha256: instance.statement.tls_key_sha256,
        ..session
    };
    assert_eq!(instance.judge(&proof, &claimed), Err(BindingError::ProofInvalid));
}

#[tokio::test]
async fn evidence_relayed_with_the_stolen_tls_key_is_refused_in_every_other_session() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&["localhost"]);
    let identity = || TlsIdentity::new(std::slice::from_ref(&certificate), &key).unwrap();
    let (server, instance) = start_instance(identity()).await;
    let relay = start_relay(identity(), server.url("/"), &authority).await;
    let mut connection = open(&relay.url("/"), &authority.roots()).await.unwrap();
    let nonce = [9; 32];
    let proof = ask(&mut connection, nonce).await;
    let session = session_of(connection.session(), nonce);
    // The key is the right one: certificates and pins see nothing.
    assert_eq!(session.signer_spki_sha256, instance.statement.tls_key_sha256);
    assert_eq!(instance.judge(&proof, &session), Err(BindingError::ProofInvalid));
}

#[tokio::test]
async fn a_clients_own_proof_sent_back_to_it_is_refused() {
    let authority = Authority::new();
    let (server, instance) = start_instance(authority.identity()).await;
    let connection = open(&server.url("/"), &authority.roots()).await.unwrap();
    let session = session_of(connection.session(), [9; 32]);
    // An instance that is the client here (key forward between instances) proves itself; the other end reflects it.
    let own = ConnectionProof::sign(&instance.key, Endpoint::Client, &session, &instance.evidence).unwrap();
    let judge = |endpoint| {
        instance
            .statement
            .verify_session(&own, endpoint, &session, &instance.evidence)
    };
    assert_eq!(judge(Endpoint::Client), Ok(()));
    assert_eq!(judge(Endpoint::Server), Err(BindingError::ProofInvalid));
}

#[tokio::test]
async fn an_old_proof_does_not_answer_a_new_nonce() {
    let authority = Authority::new();
    let (server, instance) = start_instance(authority.identity()).await;
    let mut connection = open(&server.url("/"), &authority.roots()).await.unwrap();
    let old = ask(&mut connection, [1; 32]).await;
    let session = session_of(connection.session(), [2; 32]);
    // Even on the very connection it was made for.
    assert_eq!(instance.judge(&old, &session), Err(BindingError::ProofInvalid));
    let fresh = ask(&mut connection, [2; 32]).await;
    assert_eq!(instance.judge(&fresh, &session), Ok(()));
    // And an old quote does not serve, whatever the connection says.
    let age = QuoteAge::default();
    let late = NOW.plus_seconds(age.max_seconds + 1);
    let refused = instance.statement.check_age(age, late).unwrap_err();
    assert_eq!(refused.code(), "binding.quote_too_old");
}

#[tokio::test]
async fn a_proof_is_for_one_quote() {
    let authority = Authority::new();
    let (server, instance) = start_instance(authority.identity()).await;
    let mut connection = open(&server.url("/"), &authority.roots()).await.unwrap();
    let proof = ask(&mut connection, [1; 32]).await;
    let session = session_of(connection.session(), [1; 32]);
    let mut other = instance.evidence.clone();
    other.report[0] ^= 1;
    let proof = ConnectionProof {
        signature: base64url::decode_array(&proof).unwrap(),
    };
    let judged = instance
        .statement
        .verify_session(&proof, Endpoint::Server, &session, &other);
    assert_eq!(judged, Err(BindingError::ProofInvalid));
}

#[tokio::test]
async fn a_resumed_session_is_freshly_bound_and_early_data_is_not_taken() {
    let authority = Authority::new();
    let (server, instance) = start_instance(authority.identity()).await;
    for versions in [TLS12, TLS13] {
        let config = client(&authority, versions);
        let mut proofs = Vec::new();
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut stream = connect(server.addr, "localhost", Arc::clone(&config)).await.unwrap();
            let tls = stream.get_ref().1;
            assert_eq!(tls.handshake_kind(), Some(kind), "{versions:?}");
            assert!(!tls.is_early_data_accepted());
            let exporter = tls
                .export_keying_material([0; 32], transport::EXPORTER_LABEL, None)
                .unwrap();
            let session = Session {
                nonce: [5; 32],
                signer_spki_sha256: instance.statement.tls_key_sha256,
                exporter,
            };
            let path = format!("/proof?nonce={}", base64url::encode(&session.nonce));
            let proof = get_on(&mut stream, &path).await.unwrap();
            assert_eq!(instance.judge(&proof, &session), Ok(()), "{versions:?}");
            proofs.push((proof, session));
        }
        let [(first, before), (second, after)] = &proofs[..] else {
            panic!("two handshakes");
        };
        assert_ne!(before.exporter, after.exporter, "{versions:?}");
        assert_eq!(instance.judge(first, after), Err(BindingError::ProofInvalid));
        assert_eq!(instance.judge(second, before), Err(BindingError::ProofInvalid));
    }
}

#[tokio::test]
async fn no_ticket_invites_early_data() {
    let authority = Authority::new();
    let tls = ServerTls::new(authority.identity(), ClientCertificates::None).unwrap();
    // rustls admits early data only to sessions it keeps itself, not to those sealed into tickets.
    let (certificate, key) = authority.issue(&["localhost"]);
    let mut inviting = rustls::ServerConfig::builder_with_provider(transport::crypto_provider())
        .with_protocol_versions(TLS13)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key.try_into().unwrap())
        .unwrap();
    inviting.max_early_data_size = 1024;
    // A client offers early data exactly when a ticket admits some; a server that invites shows that it would.
    for (server, expected) in [(tls.config(), false), (Arc::new(inviting), true)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = tokio_rustls::TlsAcceptor::from(server).accept(stream).await.unwrap();
            stream.write_all(b"x").await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let config = client(&authority, TLS13);
        let mut stream = connect(addr, "localhost", Arc::clone(&config)).await.unwrap();
        // The ticket comes before the byte.
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        accepting.await.unwrap();
        let mut again = rustls::ClientConnection::new(config, "localhost".to_owned().try_into().unwrap()).unwrap();
        assert_eq!(again.early_data().is_some(), expected);
    }
}

/// A TLS 1.2 ClientHello of RFC 5246 with P-256 and AES-GCM, with or without the extended master secret.
fn client_hello(extended_master_secret: bool) -> Vec<u8> {
    let mut extensions = vec![
        // server_name: localhost
        0x00, 0x00, 0x00, 0x0e, 0x00, 0x0c, 0x00, 0x00, 0x09,
    ];
    extensions.extend_from_slice(b"localhost");
    // supported_groups: secp256r1; ec_point_formats: uncompressed
    extensions.extend_from_slice(&[0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17]);
    extensions.extend_from_slice(&[0x00, 0x0b, 0x00, 0x02, 0x01, 0x00]);
    // signature_algorithms: ecdsa_secp256r1_sha256
    extensions.extend_from_slice(&[0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x04, 0x03]);
    if extended_master_secret {
        extensions.extend_from_slice(&[0x00, 0x17, 0x00, 0x00]);
    }
    let mut hello = vec![0x03, 0x03];
    hello.extend_from_slice(&[0x5a; 32]);
    // No session; ECDHE-ECDSA-AES128-GCM-SHA256 and the renegotiation signal; no compression.
    hello.extend_from_slice(&[0x00, 0x00, 0x04, 0xc0, 0x2b, 0x00, 0xff, 0x01, 0x00]);
    hello.extend_from_slice(&u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend_from_slice(&extensions);
    let length = u16::try_from(hello.len()).unwrap();
    let mut record = vec![0x16, 0x03, 0x01];
    record.extend_from_slice(&(length + 4).to_be_bytes());
    record.extend_from_slice(&[0x01, 0x00]);
    record.extend_from_slice(&length.to_be_bytes());
    record.extend_from_slice(&hello);
    record
}

#[tokio::test]
async fn tls_1_2_without_the_extended_master_secret_is_refused() {
    let authority = Authority::new();
    let (server, _) = start_instance(authority.identity()).await;
    let first_record = async |extended_master_secret| {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(&client_hello(extended_master_secret)).await.unwrap();
        let mut header = [0; 7];
        stream.read_exact(&mut header).await.unwrap();
        header
    };
    // A handshake record with a ServerHello, or a fatal handshake_failure.
    assert_eq!(first_record(true).await[..3], [0x16, 0x03, 0x03]);
    let [content, _, _, _, length, level, alert] = first_record(false).await;
    assert_eq!((content, length, level, alert), (0x15, 2, 2, 40));
}

#[tokio::test]
async fn the_client_that_asks_for_evidence_speaks_the_newest_version_and_only_where_it_may() {
    let authority = Authority::new();
    let (server, _) = start_instance(authority.identity()).await;
    let stream = connect(server.addr, "localhost", client(&authority, TLS13))
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let refused = |url: String, rule| {
        let roots = authority.roots();
        async move { BoundConnection::open(&url, &roots, rule, &[]).await.unwrap_err() }
    };
    let plain = server.url("/").replace("https", "http");
    assert_eq!(
        refused(plain, AddressRule::LoopbackAllowed).await,
        FetchError::SchemeRefused
    );
    let inside = refused(server.url("/"), AddressRule::PublicOnly).await;
    assert!(matches!(inside, FetchError::AddressRefused(_)), "{inside:?}");
    let named = refused("https://somebody@localhost/".to_owned(), AddressRule::LoopbackAllowed).await;
    assert_eq!(named, FetchError::MalformedUrl);
    let stranger = Authority::new();
    let unknown = open(&server.url("/"), &stranger.roots()).await.unwrap_err();
    assert!(matches!(unknown, FetchError::Tls(_)), "{unknown:?}");
}
