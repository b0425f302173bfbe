//! A Federation Master as a process of its own: real TLS, a real participant, a restart.
#![allow(missing_docs, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::path::Path;

use federation::metadata::FederationEntity;
use federation::{EntityId, Schemes, statement};
use fedmaster::registration::parse_forms;
use fedmaster::{Config, ParticipantState, ServeError, prepare};
use jose::jwk::KeyUse;
use jose::{SoftwareKey, UnixTime};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use transport::{
    AddressRule, ClientCertificates, DrainOutcome, Fetcher, HttpClient, Roots, Server, ServerTls, TlsIdentity,
};

/// A certificate for localhost that is its own authority, and its key, both PEM.
fn certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (certificate.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

struct Files {
    directory: tempfile::TempDir,
    certificate: String,
    private_key: String,
    address: SocketAddr,
}

impl Files {
    fn new() -> Self {
        let (certificate, private_key) = certificate();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("server.pem"), &certificate).unwrap();
        std::fs::write(directory.path().join("server.key"), &private_key).unwrap();
        // The port must be known before the entity identifier is written down.
        let address = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        Self {
            directory,
            certificate,
            private_key,
            address,
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn config(&self, more: &str) -> Config {
        let path = self.path().display();
        Config::parse(&format!(
            r#"
entity_id = "https://localhost:{}"
listen = "{}"
profile = "sandbox"
data_dir = "{path}/data"
roots = "{path}/server.pem"
tls.certificate = "{path}/server.pem"
tls.private_key = "{path}/server.key"
{more}
"#,
            self.address.port(),
            self.address,
        ))
        .unwrap()
    }

    fn roots(&self) -> Roots {
        Roots::from_pem(self.certificate.as_bytes()).unwrap()
    }
}

fn now() -> UnixTime {
    (fedmaster::system_clock())()
}

/// A service at a port of its own that serves its statement; returns its form.
async fn service(files: &Files) -> (serde_json::Value, tokio::task::JoinHandle<DrainOutcome>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let entity_id = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let redirect_uri = format!("{entity_id}/callback");
    let key = SoftwareKey::generate("service").unwrap();
    let jwk = key.jwk(KeyUse::Signature);
    let id = EntityId::parse(&entity_id, Schemes::HttpsOnly).unwrap();
    let master = format!("https://localhost:{}", files.address.port());
    let mut claims = statement::EntityStatement::new(
        id.clone(),
        id,
        now(),
        3600,
        statement::federation_keys(std::slice::from_ref(&jwk)),
    );
    claims.authority_hints = Some(vec![EntityId::parse(&master, Schemes::HttpsOnly).unwrap()]);
    let members = serde_json::json!({
        "client_name": "Testdienst", "scope": "openid", "redirect_uris": [redirect_uri]
    });
    claims.metadata = Some(
        federation::Metadata::default()
            .with(
                federation::EntityType::OpenIdRelyingParty,
                members.as_object().unwrap().clone(),
            )
            .with(
                federation::EntityType::FederationEntity,
                FederationEntity::of_participant("Testdienst").to_members(),
            ),
    );
    let compact = statement::issue(&claims, &key).unwrap();
    let router = axum::Router::new().route(
        "/.well-known/openid-federation",
        axum::routing::get(move || async move { ([("content-type", statement::MEDIA_TYPE)], compact) }),
    );
    let identity = TlsIdentity::from_pem(files.certificate.as_bytes(), files.private_key.as_bytes()).unwrap();
    let tls = ServerTls::new(identity, ClientCertificates::None).unwrap();
    let server = Server::https(listener, tls).unwrap();
    let form = serde_json::json!({
        "entity_id": entity_id, "type": "RP", "organization_name": "Testdienst",
        "keys": {"keys": [jwk]}, "redirect_uris": [redirect_uri], "scopes": ["openid"]
    });
    (form, tokio::spawn(server.serve(router, std::future::pending())))
}

#[tokio::test]
async fn a_service_registers_with_a_running_master_and_is_known_after_a_restart() {
    let files = Files::new();
    let (form, _service) = service(&files).await;
    let master_id = format!("https://localhost:{}", files.address.port());
    let client = HttpClient::builder(&files.roots(), AddressRule::LoopbackAllowed)
        .build()
        .unwrap();
    let fetcher = Fetcher::new(&files.roots(), AddressRule::LoopbackAllowed).unwrap();
    let mut pinned = None;

    for (config, first) in [
        (files.config("open_registration = true"), true),
        (files.config(""), false),
    ] {
        let prepared = prepare(config).unwrap();
        let master = prepared.master.clone();
        // The key is the same after the restart.
        assert_eq!(*pinned.get_or_insert(master.published_keys()), master.published_keys());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(prepared.serve(async move {
            let _ = stopped.await;
        }));
        let own = loop {
            // Until it listens.
            match fetcher
                .fetch(
                    &format!("{master_id}/.well-known/openid-federation"),
                    statement::MEDIA_TYPE,
                )
                .await
            {
                Ok(fetched) => break fetched,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(own.media_type().as_deref(), Some(statement::MEDIA_TYPE));
        let text = String::from_utf8(own.body.to_vec()).unwrap();
        let verified = statement::parse(&text)
            .unwrap()
            .verify_with(&master.published_keys(), now())
            .unwrap();
        let members = verified.claims().metadata_of("federation_entity").unwrap();
        let endpoint = FederationEntity::parse(members)
            .unwrap()
            .federation_fetch_endpoint
            .unwrap();

        if first {
            let answer = client
                .post_json(&format!("{master_id}/registration"), &form, &[])
                .await
                .unwrap();
            assert_eq!(answer.status, 201, "{}", answer.text());
            let body: serde_json::Value = answer.json().unwrap();
            assert_eq!(
                (&body["state"], &body["findings"]),
                (&"ACTIVE".into(), &serde_json::json!([]))
            );
        }
        let sub = form["entity_id"].as_str().unwrap();
        let url = format!("{endpoint}?iss={master_id}&sub={sub}");
        let fetched = fetcher.fetch(&url, statement::MEDIA_TYPE).await.unwrap();
        assert_eq!(fetched.status, 200);
        let text = String::from_utf8(fetched.body.to_vec()).unwrap();
        let about = statement::parse(&text)
            .unwrap()
            .verify_with(&master.published_keys(), now())
            .unwrap();
        assert_eq!(about.claims().sub.as_str(), sub);
        let participant = master.participant(&about.claims().sub).unwrap();
        assert_eq!(participant.state, ParticipantState::Active);

        stop.send(()).unwrap();
        assert_eq!(running.await.unwrap().unwrap(), DrainOutcome::Complete);
    }
}

#[tokio::test]
async fn registrations_from_files_are_taken_in_at_start_or_named() {
    let files = Files::new();
    let (form, _service) = service(&files).await;
    let path = files.path().join("participants.json");
    let config = files.config(&format!("participants = [\"{}\"]", path.display()));

    assert!(matches!(prepare(config.clone()), Err(ServeError::Io { .. })));
    std::fs::write(&path, "[{}]").unwrap();
    assert!(matches!(prepare(config.clone()), Err(ServeError::Form { .. })));
    let mut refused = form.clone();
    refused["redirect_uris"] = serde_json::json!(["http://service.example/"]);
    std::fs::write(&path, refused.to_string()).unwrap();
    let error = prepare(config.clone()).unwrap_err();
    assert!(error.to_string().contains("redirect_uris[0]"), "{error}");
    std::fs::write(&path, form.to_string()).unwrap();
    let prepared = prepare(config).unwrap();
    assert_eq!(prepared.master.participants().len(), 1);

    let forms = parse_forms(&form.to_string(), fedmaster::registration::FormFormat::Json).unwrap();
    assert_eq!(prepared.master.participants()[0].registration.form(), &forms[0]);
}

#[tokio::test]
async fn what_cannot_serve_says_so_before_it_listens() {
    let files = Files::new();
    let mut config = files.config("");
    config.tls = None;
    config.listen = "0.0.0.0:0".to_owned();
    // Plain HTTP beyond this machine.
    let refused = fedmaster::serve(config, std::future::ready(())).await;
    assert!(matches!(refused, Err(ServeError::Server(_))));

    std::fs::write(files.path().join("server.key"), certificate().1).unwrap();
    assert!(matches!(prepare(files.config("")), Err(ServeError::Tls(_))));
}
