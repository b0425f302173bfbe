//! A federation in a table, for tests: a Federation Master, one provider with everything it signs, and its mTLS endpoints on loopback.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Form, Json, Router};
use federation::chain::TrustAnchor;
use federation::idp_list::{self, IdpEntry};
use federation::metadata::{FederationEntity, OpenIdProvider};
use federation::profile::{self, FederationMasterEndpoints, Participant};
use federation::{EntityId, Schemes, signed_keys, statement};
use http::StatusCode;
use jose::jwk::{Jwk, JwkSet, KeyUse};
use jose::jws::{self, SigningHeader};
use jose::{Signer as _, SoftwareKey, UnixTime, base64url, jwe};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use transport::{
    AddressRule, ClientCertificates, ConnectionInfo, Fetch, FetchError, FetchFuture, Fetched, Roots, Server, ServerTls,
    TlsIdentity,
};

use crate::client::{
    Connections, KeyPurpose, KeyRing, LoginOptions, LoginSession, LoginStart, RelyingParty, RelyingPartyConfig,
};

pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);
pub(crate) const MASTER: &str = "https://fm.example";
pub(crate) const ISSUER: &str = "https://idp.example/109900019";
pub(crate) const SERVICE: &str = "https://service.example";
pub(crate) const RETURN: &str = "https://service.example/return";
pub(crate) const DAY: u64 = 86_400;

pub(crate) fn id(text: &str) -> EntityId {
    EntityId::parse(text, Schemes::HttpsOnly).unwrap()
}

/// A key that belongs to this name, the same in every run.
pub(crate) fn key(kid: &str) -> SoftwareKey {
    let mut scalar = [0x22; 32];
    let number = kid
        .bytes()
        .fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    scalar[28..].copy_from_slice(&number.to_be_bytes());
    SoftwareKey::from_scalar(kid, &scalar).unwrap()
}

/// A certificate for a key, self-signed: nobody looks at its issuer.
pub(crate) fn certificate(key: &SoftwareKey) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Musterkasse");
    let pair = KeyPair::try_from(key.to_pkcs8_der().as_slice()).unwrap();
    params.self_signed(&pair).unwrap().der().to_vec()
}

/// What the federation is like; tests change single fields before or between logins.
pub(crate) struct World {
    pub(crate) now: UnixTime,
    /// Signs for the Federation Master.
    pub(crate) master_key: String,
    /// What the Federation Master says the provider's key is.
    pub(crate) vouched_key: String,
    /// Signs the provider's own statement.
    pub(crate) own_key: String,
    /// Signs the provider's key set.
    pub(crate) key_set_key: String,
    /// The token keys in the key set.
    pub(crate) token_keys: Vec<String>,
    pub(crate) versions: Vec<String>,
    pub(crate) lifetime_seconds: u64,
    pub(crate) authorization_endpoint: String,
    pub(crate) registered: bool,
    /// Answers instead of the usual ones, by the beginning of the URL.
    pub(crate) instead: HashMap<String, Result<Fetched, FetchError>>,
    pub(crate) fetched: Vec<String>,
    /// Answers of the PAR endpoint before it says yes.
    pub(crate) push_refusals: Vec<(u16, Value)>,
    pub(crate) push_answer: (u16, Value),
    /// Forms received at PAR and token endpoint.
    pub(crate) pushed: Vec<HashMap<String, String>>,
    pub(crate) redeemed: Vec<HashMap<String, String>>,
    /// Certificates shown there.
    pub(crate) shown: Vec<Vec<u8>>,
    pub(crate) token_answer: (u16, Value),
}

/// The federation and the endpoints.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) world: Arc<Mutex<World>>,
    port: u16,
    roots: Roots,
}

impl Fake {
    /// Starts the endpoints on a free port of this machine.
    pub(crate) async fn start() -> Self {
        let pair = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".into()])
            .unwrap()
            .self_signed(&pair)
            .unwrap();
        let identity = TlsIdentity::new(&[certificate.der().to_vec()], &pair.serialize_der()).unwrap();
        let mut roots = Roots::none();
        roots.add_der(certificate.der()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let world = Arc::new(Mutex::new(World::new()));
        let router = Router::new()
            .route("/par", post(push))
            .route("/token", post(token))
            .with_state(Arc::clone(&world));
        let tls = ServerTls::new(identity, ClientCertificates::RequestAny).unwrap();
        let server = Server::https(listener, tls).unwrap();
        tokio::spawn(server.serve(router, std::future::pending()));
        Self { world, port, roots }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.lock().unwrap());
    }

    pub(crate) fn fetch_count(&self) -> usize {
        self.world.lock().unwrap().fetched.len()
    }

    pub(crate) fn anchor(&self) -> TrustAnchor {
        TrustAnchor {
            entity_id: id(MASTER),
            keys: JwkSet::new(vec![key("fm").jwk(KeyUse::Signature)]),
        }
    }

    pub(crate) fn config(&self) -> RelyingPartyConfig {
        RelyingPartyConfig {
            redirect_uris: vec![RETURN.into(), "https://service.example/other".into()],
            scopes: vec![
                "openid".into(),
                "urn:telematik:versicherter".into(),
                "urn:telematik:email".into(),
            ],
            push_pause: Duration::ZERO,
            ..RelyingPartyConfig::new(id(SERVICE), "Probedienst", self.anchor())
        }
    }

    pub(crate) fn party(&self) -> Arc<RelyingParty> {
        self.party_of(self.config())
    }

    pub(crate) fn party_of(&self, config: RelyingPartyConfig) -> Arc<RelyingParty> {
        let keys = KeyRing::generate(SERVICE, 30, NOW).unwrap();
        let connections = Connections {
            fetch: Arc::new(self.clone()),
            list_fetch: Arc::new(self.clone()),
            roots: self.roots.clone(),
            address_rule: AddressRule::LoopbackAllowed,
            loopback_names: Vec::new(),
        };
        Arc::new(RelyingParty::new(config, keys, connections).unwrap())
    }

    /// A login that has been pushed; the person's part is left out.
    pub(crate) async fn begin(&self, party: &RelyingParty, options: &LoginOptions) -> LoginStart {
        party.begin_login(ISSUER, options, NOW).await.unwrap()
    }

    /// Makes the token endpoint answer with this token.
    pub(crate) fn answer_with(&self, token: String) {
        self.change(|world| {
            world.token_answer = (
                200,
                json!({"id_token": token, "access_token": "x", "token_type": "Bearer", "expires_in": 300}),
            );
        });
    }

    fn answer(&self, url: &str) -> Result<Fetched, FetchError> {
        let mut world = self.world.lock().unwrap();
        world.fetched.push(url.to_owned());
        if let Some((_, answer)) = world
            .instead
            .iter()
            .find(|(beginning, _)| url.starts_with(beginning.as_str()))
        {
            return answer.clone();
        }
        let master_key = key(&world.master_key);
        let about =
            format!("{MASTER}/federation/fetch?iss=https%3A%2F%2Ffm.example&sub=https%3A%2F%2Fidp.example%2F109900019");
        let text = if url == format!("{MASTER}/.well-known/openid-federation") {
            statement::issue(&world.master_statement(), &master_key).unwrap()
        } else if url == about && world.registered {
            statement::issue(&world.statement_about(), &master_key).unwrap()
        } else if url == format!("{MASTER}/federation/listidps") {
            let exp = world.now.plus_seconds(DAY);
            idp_list::issue(&id(MASTER), world.now, exp, &[world.entry()], &master_key).unwrap()
        } else if url == format!("{ISSUER}/.well-known/openid-federation") {
            statement::issue(&world.own_statement(self.port), &key(&world.own_key)).unwrap()
        } else if url == format!("{ISSUER}/jwks") {
            signed_keys::issue(&id(ISSUER), world.now, &world.key_set(), &key(&world.key_set_key)).unwrap()
        } else if url == format!("{ISSUER}/logo.svg") {
            return Ok(Fetched {
                status: 200,
                content_type: Some("image/svg+xml".into()),
                body: "<svg xmlns='http://www.w3.org/2000/svg'/>".into(),
            });
        } else {
            return Ok(Fetched {
                status: 404,
                content_type: None,
                body: Vec::new().into(),
            });
        };
        Ok(Fetched {
            status: 200,
            content_type: None,
            body: text.into(),
        })
    }
}

impl Fetch for Fake {
    fn fetch<'a>(&'a self, url: &'a str, _accept: &'a str) -> FetchFuture<'a> {
        Box::pin(async move { self.answer(url) })
    }
}

impl World {
    fn new() -> Self {
        Self {
            now: NOW,
            master_key: "fm".into(),
            vouched_key: "idp".into(),
            own_key: "idp".into(),
            key_set_key: "idp".into(),
            token_keys: vec!["token".into()],
            versions: vec!["1.0.0".into(), "2.0.0".into()],
            lifetime_seconds: DAY,
            authorization_endpoint: "https://idp.example/109900019/auth".into(),
            registered: true,
            instead: HashMap::new(),
            fetched: Vec::new(),
            push_refusals: Vec::new(),
            push_answer: (
                201,
                json!({"request_uri": "urn:ietf:params:oauth:request_uri:abc", "expires_in": 90}),
            ),
            pushed: Vec::new(),
            redeemed: Vec::new(),
            shown: Vec::new(),
            token_answer: (400, json!({"error": "invalid_grant"})),
        }
    }

    fn master_statement(&self) -> statement::EntityStatement {
        let endpoints = FederationMasterEndpoints {
            fetch: format!("{MASTER}/federation/fetch"),
            list: format!("{MASTER}/federation/list"),
            idp_list: format!("{MASTER}/federation/listidps"),
        };
        let keys = [key(&self.master_key).jwk(KeyUse::Signature)];
        profile::federation_master_statement(&id(MASTER), &keys, &endpoints, self.now, DAY)
    }

    fn statement_about(&self) -> statement::EntityStatement {
        let keys = [key(&self.vouched_key).jwk(KeyUse::Signature)];
        let participant = Participant::OpenIdProvider;
        profile::subordinate_statement(&id(MASTER), &id(ISSUER), &keys, &participant, None, self.now, DAY)
    }

    fn own_statement(&self, port: u16) -> statement::EntityStatement {
        let provider = OpenIdProvider {
            issuer: id(ISSUER),
            signed_jwks_uri: format!("{ISSUER}/jwks"),
            organization_name: None,
            logo_uri: format!("{ISSUER}/logo.svg"),
            authorization_endpoint: self.authorization_endpoint.clone(),
            token_endpoint: format!("https://localhost:{port}/token"),
            pushed_authorization_request_endpoint: format!("https://localhost:{port}/par"),
            scopes_supported: vec!["openid".into()],
            user_type_supported: vec!["IP".into()],
            id_token_versions: self.versions.clone(),
            federation_registration_endpoint: None,
        };
        let entity = FederationEntity::of_participant("Musterkasse");
        let keys = [key(&self.own_key).jwk(KeyUse::Signature)];
        profile::provider_statement(&provider, &entity, &id(MASTER), &keys, self.now, self.lifetime_seconds)
    }

    fn key_set(&self) -> Vec<Jwk> {
        let token_keys = self.token_keys.iter().map(|kid| {
            let key = key(kid);
            Jwk {
                x5c: vec![certificate(&key)],
                ..key.jwk(KeyUse::Signature)
            }
        });
        std::iter::once(key(&self.vouched_key).jwk(KeyUse::Signature))
            .chain(token_keys)
            .collect()
    }

    fn entry(&self) -> IdpEntry {
        IdpEntry {
            iss: id(ISSUER),
            organization_name: "Musterkasse <Nord>".into(),
            logo_uri: format!("{ISSUER}/logo.svg"),
            user_type_supported: "IP".into(),
            pkv: false,
        }
    }
}

type Shared = State<Arc<Mutex<World>>>;

async fn push(
    State(world): Shared,
    Extension(connection): Extension<ConnectionInfo>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let mut world = world.lock().unwrap();
    world.pushed.push(form);
    world
        .shown
        .extend(connection.client_certificate.map(|certificate| certificate.to_vec()));
    let answer = if world.push_refusals.is_empty() {
        world.push_answer.clone()
    } else {
        world.push_refusals.remove(0)
    };
    (StatusCode::from_u16(answer.0).unwrap(), Json(answer.1)).into_response()
}

async fn token(
    State(world): Shared,
    Extension(connection): Extension<ConnectionInfo>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let mut world = world.lock().unwrap();
    world.redeemed.push(form);
    world
        .shown
        .extend(connection.client_certificate.map(|certificate| certificate.to_vec()));
    let answer = world.token_answer.clone();
    (StatusCode::from_u16(answer.0).unwrap(), Json(answer.1)).into_response()
}

/// An ID token in the making.
pub(crate) struct Recipe {
    pub(crate) body: Value,
    /// Signs.
    pub(crate) signer: SoftwareKey,
    pub(crate) x5c: Vec<Vec<u8>>,
    /// The inner token, if not signed in the usual way.
    pub(crate) inner: Option<String>,
    pub(crate) recipient: Jwk,
    pub(crate) kid: String,
    pub(crate) cty: Option<String>,
    pub(crate) version: Option<String>,
}

impl Recipe {
    /// A token that stands every check of this login.
    pub(crate) fn of(party: &RelyingParty, session: &LoginSession) -> Self {
        let statement = party.entity_statement(NOW).unwrap();
        let claims: Value =
            serde_json::from_slice(&base64url::decode(statement.split('.').nth(1).unwrap()).unwrap()).unwrap();
        let keys = JwkSet::from_value(&claims["metadata"]["openid_relying_party"]["jwks"]).unwrap();
        let recipient = keys
            .keys
            .into_iter()
            .find(|key| key.key_use == Some(KeyUse::Encryption))
            .unwrap();
        let signer = key("token");
        Self {
            body: json!({
                "iss": ISSUER, "sub": "pseudonym", "aud": SERVICE, "iat": NOW.0, "exp": NOW.0 + 300,
                "nonce": session.nonce(), "acr": "gematik-ehealth-loa-high", "amr": ["urn:telematik:auth:eGK"],
                "auth_time": NOW.0 - 5, "urn:telematik:claims:id": "Q000123451",
                "urn:telematik:claims:profession": "1.2.276.0.76.4.49",
                "urn:telematik:claims:organization": "109900019",
            }),
            x5c: vec![certificate(&signer)],
            signer,
            inner: None,
            kid: recipient.kid.clone().unwrap(),
            recipient,
            cty: Some("JWT".into()),
            version: Some("2.0.0".into()),
        }
    }

    pub(crate) fn inner(&self) -> String {
        let header = SigningHeader {
            typ: Some("JWT"),
            x5c: &self.x5c,
            ..SigningHeader::default()
        };
        jws::sign(&header, self.body.to_string().as_bytes(), &self.signer).unwrap()
    }

    pub(crate) fn token(&self) -> String {
        let inner = self.inner.clone().unwrap_or_else(|| self.inner());
        let header = jwe::EncryptionHeader {
            kid: &self.kid,
            cty: self.cty.as_deref(),
            version: self.version.as_deref(),
        };
        jwe::encrypt(&header, &self.recipient.key, inner.as_bytes()).unwrap()
    }
}

/// A key whose `kid` is another's: the forger's trick.
pub(crate) fn impostor(kid: &str) -> SoftwareKey {
    SoftwareKey::from_scalar(kid, &key("forger").to_scalar()).unwrap()
}

/// A compact JWS with any header, signed with ES256 all the same.
pub(crate) fn with_header(header: &Value, body: &Value, signer: &SoftwareKey) -> String {
    let input = format!(
        "{}.{}",
        base64url::encode(header.to_string().as_bytes()),
        base64url::encode(body.to_string().as_bytes())
    );
    let signature = signer.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", base64url::encode(&signature))
}

/// Rolls one purpose over completely.
pub(crate) fn roll_over(party: &RelyingParty, purpose: KeyPurpose) -> String {
    party.keys().add_next(purpose, NOW).unwrap();
    party.keys().switch(purpose).unwrap()
}
