//! Evidence asked for and judged over real TLS: an instance, and somebody in between.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Query};
use axum::http::StatusCode;
use axum::routing::get;
use evidence::binding::Session;
use evidence::bundle::{AnswerError, Attestor, AttestorSettings, EVIDENCE_PATH};
use evidence::manifest::InstanceRole;
use evidence::platform::{Measurement, Platform};
use evidence::profile::{ControlState, HardeningProfile};
use evidence::rehearsal::{MINIMUM_INCLUSION_SECONDS, Rehearsal};
use evidence::simulated::{SimulatedEnclave, SimulatedVendor};
use evidence::verdict::{Asked, Pins, State, Subject, Verdict, judge};
use evidence::verify::Roots as HardwareRoots;
use jose::{SoftwareKey, UnixTime, base64url};
use relying_party::evidence::{AskError, ask};
use tokio::net::TcpListener;
use transport::{
    AddressRule, ClientCertificates, ConnectionInfo, Roots, Server, ServerTls, TlsIdentity, public_key_sha256,
};

const LOGGED: UnixTime = UnixTime(1_795_000_000);
const BUILD: [u8; 32] = [0x51; 32];
const NOW: UnixTime = LOGGED.plus_seconds(MINIMUM_INCLUSION_SECONDS);

struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        Self(rcgen::CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn identity(&self) -> TlsIdentity {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        TlsIdentity::new(&[certificate.der().to_vec()], &key.serialize_der()).unwrap()
    }

    fn roots(&self) -> Roots {
        let mut roots = Roots::none();
        roots.add_der(self.0.der()).unwrap();
        roots
    }
}

#[derive(serde::Deserialize)]
struct Asking {
    nonce: String,
}

async fn serve(identity: TlsIdentity, router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls = ServerTls::new(identity, ClientCertificates::None).unwrap();
    let server = Server::https(listener, tls).unwrap();
    let port = server.local_addr().port();
    tokio::spawn(server.serve(router, std::future::pending()));
    format!("https://localhost:{port}/")
}

/// An instance with simulated evidence, as the sandbox runs one.
async fn instance(authority: &Authority, directory: &tempfile::TempDir) -> (String, Pins) {
    let vendor = SimulatedVendor::new(&[1; 32]).unwrap();
    let machine = vendor.platform("first").unwrap().platform_id().unwrap();
    let house = Rehearsal::begin(directory.path(), "test").unwrap();
    let manifest = house.manifest(
        1,
        &Measurement::Simulated(BUILD),
        (Platform::Simulated, &machine),
        LOGGED,
    );
    let identity = authority.identity();
    let settings = AttestorSettings {
        namespace: "test".to_owned(),
        role: InstanceRole::Serve,
        boot_id: [9; 32],
        tls_key_sha256: public_key_sha256(&identity.certificate()).unwrap(),
        lock: "development".to_owned(),
        hardening: HardeningProfile::new(|_| ControlState::Required),
        manifest_hash: manifest.hash(),
        manifests: vec![house.decide(&manifest, LOGGED).unwrap()],
        interval_seconds: 3600,
        max_age_seconds: 5400,
    };
    let attestor = Attestor::new(settings, Box::new(SoftwareKey::generate("instance").unwrap()));
    let pins = Pins {
        roots: HardwareRoots::simulated(vendor.root_der()),
        ..Pins::new(house.trust())
    };
    let instance = Arc::new((attestor, vendor));
    let answer = move |Extension(info): Extension<ConnectionInfo>, Query(asking): Query<Asking>| {
        let instance = Arc::clone(&instance);
        async move { answer(&instance.0, &instance.1, &info, &asking.nonce) }
    };
    (
        serve(identity, Router::new().route(EVIDENCE_PATH, get(answer))).await,
        pins,
    )
}

/// What the endpoint does: this connection's session, the client's nonce, the attestor.
fn answer(
    attestor: &Attestor,
    vendor: &SimulatedVendor,
    info: &ConnectionInfo,
    nonce: &str,
) -> Result<Vec<u8>, StatusCode> {
    let tls = info.tls_session.as_ref().ok_or(StatusCode::NOT_FOUND)?;
    let session = Session {
        nonce: base64url::decode_array(nonce).map_err(|_| StatusCode::BAD_REQUEST)?,
        signer_spki_sha256: tls
            .server_spki_sha256()
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?,
        exporter: *tls.exporter(),
    };
    let platform = vendor
        .platform("first")
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let bundle = attestor
        .answer(&session, NOW, |data| {
            platform.evidence(&SimulatedEnclave::new(BUILD), data, NOW)
        })
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(bundle.encode())
}

async fn judged(url: &str, authority: &Authority, pins: &Pins) -> Verdict {
    let answer = ask(url, &authority.roots(), AddressRule::LoopbackAllowed, &[])
        .await
        .unwrap();
    judge(&answer.bundle, &Asked::Here(answer.session), pins, NOW)
}

#[tokio::test]
async fn an_instance_is_asked_and_judged_over_the_session_it_answers_in() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let (url, pins) = instance(&authority, &directory).await;
    for _ in 0..2 {
        let verdict = judged(&url, &authority, &pins).await;
        assert!(matches!(verdict.state(Subject::Tls), Some(State::Ok(_))), "{verdict}");
        assert_eq!(verdict.exit_code(), 3, "simulated, and nothing refused: {verdict}");
    }
}

#[tokio::test]
async fn a_bundle_handed_on_by_somebody_in_between_is_refused() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let (real, pins) = instance(&authority, &directory).await;
    // Asks the instance for the same nonce over a connection of his own.
    let roots = authority.roots();
    let hand_on = move |Query(asking): Query<Asking>| {
        let (real, roots) = (real.clone(), roots.clone());
        async move {
            let rule = AddressRule::LoopbackAllowed;
            let mut upstream = transport::BoundConnection::open(&real, &roots, rule, &[])
                .await
                .unwrap();
            let path = format!("{EVIDENCE_PATH}?nonce={}", asking.nonce);
            upstream.get(&path).await.unwrap().body
        }
    };
    let url = serve(authority.identity(), Router::new().route(EVIDENCE_PATH, get(hand_on))).await;
    let verdict = judged(&url, &authority, &pins).await;
    assert_eq!(verdict.exit_code(), 1, "{verdict}");
    assert!(
        matches!(
            verdict.state(Subject::Tls),
            Some(State::Refused {
                code: "binding.other_tls_key",
                ..
            })
        ),
        "{verdict}"
    );
}

#[tokio::test]
async fn a_server_without_evidence_or_with_something_else_gives_no_answer() {
    let authority = Authority::new();
    let roots = authority.roots();
    let rule = AddressRule::LoopbackAllowed;
    let silent = serve(authority.identity(), Router::new()).await;
    let error = ask(&silent, &roots, rule, &[]).await.unwrap_err();
    assert!(
        matches!(error, AskError::Answer(AnswerError::Status { status: 404, .. })),
        "{error}"
    );
    let odd = serve(
        authority.identity(),
        Router::new().route(EVIDENCE_PATH, get(|| async { r#"{"trusted":true}"# })),
    )
    .await;
    let error = ask(&odd, &roots, rule, &[]).await.unwrap_err();
    assert!(matches!(error, AskError::Answer(AnswerError::Bundle(_))), "{error}");
}
