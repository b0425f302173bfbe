//! A service of the federation: keys, certificates, pushed requests, redemption, and reading what it was sent.

use std::sync::Arc;

use federation::metadata::OpenIdRelyingParty;
use federation::profile;
use jose::jwk::{Jwk, KeyUse};
use jose::{SoftwareKey, base64url, json, jwe, jws};
use serde_json::Value;
use sha2::{Digest, Sha256};
use transport::{AddressRule, HttpClient, HttpResponse};

use super::federation::{FakeFederation, Published};
use super::pki::{self, ClientCertificate};
use super::{Harness, Insurer, unique};

/// Every scope there is.
pub const ALL_SCOPES: [&str; 9] = [
    "openid",
    "urn:telematik:geburtsdatum",
    "urn:telematik:alter",
    "urn:telematik:display_name",
    "urn:telematik:given_name",
    "urn:telematik:family_name",
    "urn:telematik:geschlecht",
    "urn:telematik:email",
    "urn:telematik:versicherter",
];

/// Form fields in order, with single ones exchanged or left out.
#[derive(Debug, Clone)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    pub fn new(fields: &[(&str, &str)]) -> Self {
        Self(
            fields
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        )
    }

    /// With this value, in place of the one there is.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.to_owned(),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    pub fn value(&self, name: &str) -> &str {
        let (_, value) = self.0.iter().find(|(known, _)| known == name).unwrap();
        value
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

/// A request of a service that was pushed, or is about to be.
#[derive(Debug, Clone)]
pub struct Push {
    pub fields: Fields,
    pub verifier: String,
}

impl Push {
    pub fn with(self, name: &str, value: &str) -> Self {
        Self {
            fields: self.fields.with(name, value),
            ..self
        }
    }

    pub fn without(self, name: &str) -> Self {
        Self {
            fields: self.fields.without(name),
            ..self
        }
    }
}

pub struct Service {
    pub client_id: String,
    pub redirect_uri: String,
    pub entity: Arc<SoftwareKey>,
    pub encryption: Vec<Arc<SoftwareKey>>,
    pub certificates: Vec<ClientCertificate>,
    /// Scopes the Federation Master has registered.
    pub scopes: Vec<String>,
    pub versions: Vec<String>,
    /// Whether keys are published by reference.
    pub by_reference: bool,
    client: HttpClient,
}

fn client_with(certificate: Option<&ClientCertificate>) -> HttpClient {
    let builder = HttpClient::builder(&pki::roots(), AddressRule::LoopbackAllowed);
    match certificate {
        Some(certificate) => builder.identity(certificate.identity.clone()),
        None => builder,
    }
    .build()
    .unwrap()
}

impl Service {
    /// A service that speaks both token versions and is registered for everything.
    pub fn new(client_id: &str) -> Self {
        let certificate = ClientCertificate::new();
        Self {
            client_id: client_id.to_owned(),
            redirect_uri: format!("{client_id}/return"),
            entity: Arc::new(SoftwareKey::generate("entity").unwrap()),
            encryption: vec![Arc::new(SoftwareKey::generate("encryption-1").unwrap())],
            client: client_with(Some(&certificate)),
            certificates: vec![certificate],
            scopes: ALL_SCOPES.map(str::to_owned).to_vec(),
            versions: vec!["1.0.0".to_owned(), "2.0.0".to_owned()],
            by_reference: false,
        }
    }

    /// The same service speaking only these token versions.
    pub fn speaking(mut self, versions: &[&str]) -> Self {
        self.versions = versions.iter().map(|version| (*version).to_owned()).collect();
        self
    }

    /// What it publishes now.
    pub fn published(&self) -> Published {
        let mut keys: Vec<Jwk> = self.encryption.iter().map(|key| key.jwk(KeyUse::Encryption)).collect();
        keys.extend(self.certificates.iter().enumerate().map(|(number, certificate)| Jwk {
            kid: Some(format!("tls-{number}")),
            key_use: Some(KeyUse::Signature),
            alg: None,
            key: certificate.public_key.clone(),
            x5c: vec![certificate.der.clone()],
        }));
        let by_value = !self.by_reference;
        Published {
            entity: Arc::clone(&self.entity),
            registered_key: self.entity.jwk(KeyUse::Signature),
            party: OpenIdRelyingParty {
                client_name: "Patientenakte".to_owned(),
                redirect_uris: vec![self.redirect_uri.clone()],
                scope: self.scopes.clone(),
                id_token_versions: self.versions.clone(),
                jwks: by_value.then(|| profile::client_key_set(&keys)),
                signed_jwks_uri: self.by_reference.then(|| format!("{}/keys", self.client_id)),
                ..OpenIdRelyingParty::default()
            },
            redirect_uris: vec![self.redirect_uri.clone()],
            scopes: self.scopes.clone(),
            signed_keys: self.by_reference.then_some(keys),
            lifetime_seconds: profile::RELYING_PARTY_LIFETIME_SECONDS,
        }
    }

    /// Registers it, or publishes what has changed.
    pub fn join(&self, federation: &FakeFederation) {
        federation.publish(&self.client_id, self.published());
    }

    /// Shows this certificate from now on, or none.
    pub fn show(&mut self, certificate: Option<&ClientCertificate>) {
        self.client = client_with(certificate);
    }

    /// A request for everything it is registered for; fresh state, nonce and verifier.
    pub fn request(&self, harness: &Harness) -> Push {
        let verifier = harness.secret(unique("verifier-0123456789-0123456789-01234567890123456789"));
        let state = harness.secret(unique("state-"));
        let nonce = harness.secret(unique("nonce-"));
        let fields = Fields::new(&[
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("response_type", "code"),
            ("scope", &self.scopes.join(" ")),
            ("state", &state),
            ("nonce", &nonce),
            (
                "code_challenge",
                &base64url::encode(&Sha256::digest(verifier.as_bytes())),
            ),
            ("code_challenge_method", "S256"),
            ("acr_values", "gematik-ehealth-loa-high"),
        ]);
        Push { fields, verifier }
    }

    pub async fn push(&self, insurer: &Insurer, push: &Push) -> HttpResponse {
        self.post(&format!("{}/par", insurer.mtls), &push.fields).await
    }

    pub async fn post(&self, url: &str, fields: &Fields) -> HttpResponse {
        self.client.post_form(url, &fields.pairs(), &[]).await.unwrap()
    }

    pub async fn send(&self, method: http::Method, url: &str, headers: &[(&str, &str)], body: &str) -> HttpResponse {
        let body = body.to_owned().into_bytes().into();
        self.client.send(method, url, headers, body).await.unwrap()
    }

    /// The token request for this code.
    pub fn redemption(&self, push: &Push, code: &str) -> Fields {
        Fields::new(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", &push.verifier),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
        ])
    }

    pub async fn redeem(&self, insurer: &Insurer, push: &Push, code: &str) -> HttpResponse {
        let fields = self.redemption(push, code);
        self.post(&format!("{}/token", insurer.mtls), &fields).await
    }

    /// Redeems; `None` where no answer came.
    pub async fn try_redeem(&self, insurer: &Insurer, fields: &Fields) -> Option<HttpResponse> {
        let url = format!("{}/token", insurer.mtls);
        self.client.post_form(&url, &fields.pairs(), &[]).await.ok()
    }

    /// Decrypts and reads an ID token; the signature is held against the certificate beside it.
    pub fn open(&self, id_token: &str) -> OpenedToken {
        let encrypted = jwe::parse(id_token, &json::DEFAULT).unwrap();
        let kid = encrypted.header().kid.clone();
        let key = self
            .encryption
            .iter()
            .find(|key| Some(key.kid()) == kid.as_deref())
            .unwrap();
        let signed = String::from_utf8(encrypted.decrypt(&**key).unwrap().to_vec()).unwrap();
        let parsed = jws::parse(&signed, &json::DEFAULT).unwrap();
        OpenedToken {
            outer: part(id_token, 0),
            inner: part(&signed, 0),
            body: part(&signed, 1),
            kid: parsed.header().kid.clone().unwrap(),
            certificate: parsed.header().x5c[0].clone(),
            signed: parsed,
        }
    }
}

/// An ID token, taken apart.
pub struct OpenedToken {
    /// JWE header.
    pub outer: Value,
    /// JWS header.
    pub inner: Value,
    pub body: Value,
    pub kid: String,
    pub certificate: Vec<u8>,
    signed: jws::UnverifiedJws,
}

impl OpenedToken {
    /// Whether this key has signed it.
    pub fn is_signed_by(&self, key: &Jwk) -> bool {
        key.kid.as_deref() == Some(&self.kid) && self.signed.verify(&key.key).is_ok()
    }

    pub fn sub(&self) -> &str {
        self.body["sub"].as_str().unwrap()
    }
}

/// One part of a compact JWS or JWE, as JSON.
pub fn part(compact: &str, number: usize) -> Value {
    let part = compact.split('.').nth(number).unwrap();
    serde_json::from_slice(&base64url::decode(part).unwrap()).unwrap()
}

/// The member names of an object, sorted.
pub fn members(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
