//! A federation in a table: a Federation Master and services, fetched without a network, every document breakable.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use federation::chain::TrustAnchor;
use federation::metadata::{FederationEntity, OpenIdRelyingParty};
use federation::profile::{self, FederationMasterEndpoints, Participant};
use federation::{EntityId, Schemes, signed_keys, statement};
use jose::jwk::{Jwk, JwkSet, KeyUse};
use jose::{SoftwareKey, UnixTime};
use provider::clock::Clock;
use transport::{Fetch, FetchError, FetchFuture, Fetched};
use url::Url;

use super::clock::FrozenClock;

pub const MASTER: &str = "https://fm.example";

/// What one service has published, and what the Federation Master knows of it.
#[derive(Clone)]
pub struct Published {
    pub entity: Arc<SoftwareKey>,
    pub registered_key: Jwk,
    pub party: OpenIdRelyingParty,
    pub redirect_uris: Vec<String>,
    pub scopes: Vec<String>,
    /// What `signed_jwks_uri` leads to.
    pub signed_keys: Option<Vec<Jwk>>,
    pub lifetime_seconds: u64,
}

/// What is answered instead of the right document.
#[derive(Clone)]
pub enum Broken {
    /// This, with 200.
    Document(String),
    /// This status without a body.
    Status(u16),
    /// Nothing comes.
    Timeout,
}

pub struct FakeFederation {
    clock: Arc<FrozenClock>,
    master: SoftwareKey,
    services: Mutex<BTreeMap<String, Published>>,
    broken: Mutex<HashMap<String, Broken>>,
    fetched: Mutex<Vec<String>>,
}

pub fn id(text: &str) -> EntityId {
    EntityId::parse(text, Schemes::HttpsOnly).unwrap()
}

/// Where an entity's own statement is.
pub fn own_statement(entity: &str) -> String {
    format!("{entity}/.well-known/openid-federation")
}

/// Where the Federation Master speaks about an entity.
pub fn statement_about(entity: &str) -> String {
    let mut url = Url::parse(&format!("{MASTER}/federation/fetch")).unwrap();
    url.query_pairs_mut()
        .append_pair("iss", MASTER)
        .append_pair("sub", entity);
    url.into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeFederation {
    pub fn new(clock: Arc<FrozenClock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            master: SoftwareKey::from_scalar("puk_fedmaster_sig", &[21; 32]).unwrap(),
            services: Mutex::default(),
            broken: Mutex::default(),
            fetched: Mutex::default(),
        })
    }

    /// The anchor providers pin.
    pub fn anchor(&self) -> TrustAnchor {
        TrustAnchor {
            entity_id: id(MASTER),
            keys: JwkSet::new(vec![self.master.jwk(KeyUse::Signature)]),
        }
    }

    pub fn publish(&self, client_id: &str, published: Published) {
        lock(&self.services).insert(client_id.to_owned(), published);
    }

    /// The Federation Master forgets the service, which goes on publishing its own statement.
    pub fn break_document(&self, url: String, broken: Broken) {
        lock(&self.broken).insert(url, broken);
    }

    pub fn mend(&self) {
        lock(&self.broken).clear();
    }

    /// The Federation Master answers nothing any more.
    pub fn take_master_down(&self, clients: &[&str]) {
        self.break_document(own_statement(MASTER), Broken::Timeout);
        for client in clients {
            self.break_document(statement_about(client), Broken::Timeout);
        }
    }

    /// Every URL fetched since the last call.
    pub fn take_fetched(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.fetched))
    }

    pub fn master_key(&self) -> &SoftwareKey {
        &self.master
    }

    /// The Federation Master's statement about a service, as of `iat`.
    pub fn about(&self, client_id: &str, iat: UnixTime, signer: &SoftwareKey) -> Option<String> {
        let service = lock(&self.services).get(client_id)?.clone();
        let claims = profile::subordinate_statement(
            &id(MASTER),
            &id(client_id),
            &[service.registered_key],
            &Participant::OpenIdRelyingParty {
                redirect_uris: service.redirect_uris,
                scopes: service.scopes,
                claims: vec![],
            },
            None,
            iat,
            profile::FEDERATION_MASTER_LIFETIME_SECONDS,
        );
        Some(statement::issue(&claims, signer).unwrap())
    }

    /// A service's own statement, as of `iat`.
    pub fn own(&self, client_id: &str, iat: UnixTime, signer: Option<&SoftwareKey>) -> Option<String> {
        let service = lock(&self.services).get(client_id)?.clone();
        let claims = profile::relying_party_statement(
            &id(client_id),
            &service.party,
            &FederationEntity::of_participant("Testdienst"),
            &id(MASTER),
            &[service.entity.jwk(KeyUse::Signature)],
            iat,
            service.lifetime_seconds,
        );
        Some(statement::issue(&claims, signer.unwrap_or(&service.entity)).unwrap())
    }

    /// The right document at this URL, as of now.
    pub fn document(&self, url: &str) -> Option<String> {
        let now = self.clock.now();
        let parsed = Url::parse(url).ok()?;
        if url == own_statement(MASTER) {
            let endpoints = FederationMasterEndpoints {
                fetch: format!("{MASTER}/federation/fetch"),
                list: format!("{MASTER}/federation/list"),
                idp_list: format!("{MASTER}/federation/listidps"),
            };
            let keys = [self.master.jwk(KeyUse::Signature)];
            let lifetime = profile::FEDERATION_MASTER_LIFETIME_SECONDS;
            let claims = profile::federation_master_statement(&id(MASTER), &keys, &endpoints, now, lifetime);
            return Some(statement::issue(&claims, &self.master).unwrap());
        }
        if parsed.host_str() == Some("fm.example") && parsed.path() == "/federation/fetch" {
            let (_, sub) = parsed.query_pairs().find(|(name, _)| name == "sub")?;
            return self.about(&sub, now, &self.master);
        }
        if let Some(client_id) = url.strip_suffix("/.well-known/openid-federation") {
            return self.own(client_id, now, None);
        }
        let client_id = url.strip_suffix("/keys")?;
        let service = lock(&self.services).get(client_id)?.clone();
        Some(signed_keys::issue(&id(client_id), now, &service.signed_keys?, &*service.entity).unwrap())
    }
}

impl Fetch for FakeFederation {
    fn fetch<'a>(&'a self, url: &'a str, _accept: &'a str) -> FetchFuture<'a> {
        Box::pin(async move {
            lock(&self.fetched).push(url.to_owned());
            // As over a network: others run while this one waits.
            tokio::task::yield_now().await;
            let broken = lock(&self.broken).get(url).cloned();
            let (status, body) = match broken {
                Some(Broken::Timeout) => return Err(FetchError::Timeout),
                Some(Broken::Status(status)) => (status, String::new()),
                Some(Broken::Document(document)) => (200, document),
                None => match self.document(url) {
                    Some(document) => (200, document),
                    None => (404, String::new()),
                },
            };
            Ok(Fetched {
                status,
                content_type: Some("application/entity-statement+jwt".to_owned()),
                body: body.into_bytes().into(),
            })
        })
    }
}
