//! Invented participants and a frozen clock, for the tests of this room.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use federation::{EntityId, Schemes};
use jose::jwk::{JwkSet, KeyUse};
use jose::{SoftwareKey, UnixTime};
use serde_json::{Value, json};
use transport::{Fetch, FetchError, FetchFuture, Fetched};

use crate::clock::Clock;
use crate::keys::{DEFAULT_KID, MasterKeys};
use crate::master::{FederationMaster, MasterOptions};
use crate::registration::{ParticipantType, Profile, RegistrationForm};

pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);
pub(crate) const MASTER: &str = "https://master.example";
pub(crate) const INSURER: &str = "https://insurer.example/109900019";
pub(crate) const SERVICE: &str = "https://record.example";

pub(crate) fn id(text: &str) -> EntityId {
    EntityId::parse(text, Schemes::HttpsOnly).unwrap()
}

pub(crate) fn frozen() -> Clock {
    Arc::new(|| NOW)
}

/// The same key for the same identifier, every time.
pub(crate) fn key(kid: &str) -> SoftwareKey {
    let mut scalar = [7u8; 32];
    for (slot, byte) in scalar.iter_mut().zip(kid.bytes()) {
        *slot = byte;
    }
    SoftwareKey::from_scalar(kid, &scalar).unwrap()
}

pub(crate) fn keys_of(kids: &[&str]) -> JwkSet {
    JwkSet::new(kids.iter().map(|kid| key(kid).jwk(KeyUse::Signature)).collect())
}

pub(crate) fn insurer_form() -> RegistrationForm {
    RegistrationForm {
        keys: Some(keys_of(&["puk_idp_sig"])),
        logo_uri: Some("https://insurer.example/logo.svg".into()),
        user_type_supported: Some("IP".into()),
        ..RegistrationForm::new(INSURER, ParticipantType::IdentityProvider, "Musterkasse Süd")
    }
}

pub(crate) fn service_form() -> RegistrationForm {
    RegistrationForm {
        keys: Some(keys_of(&["puk_fd_sig"])),
        redirect_uris: Some(vec!["https://record.example/callback".into()]),
        scopes: Some(vec!["openid".into(), "urn:telematik:versicherter".into()]),
        ..RegistrationForm::new(SERVICE, ParticipantType::RelyingParty, "Patientenakte")
    }
}

pub(crate) fn options() -> MasterOptions {
    MasterOptions::new(id(MASTER), Profile::Production, frozen())
}

pub(crate) fn master_keys() -> MasterKeys {
    MasterKeys::new(Arc::new(key(DEFAULT_KID)))
}

pub(crate) fn master_with(options: MasterOptions) -> FederationMaster {
    let master = FederationMaster::new(options, master_keys()).unwrap();
    master.register_all(vec![insurer_form(), service_form()]).unwrap();
    master
}

pub(crate) fn insurer_metadata() -> Value {
    json!({
        "openid_provider": {
            "issuer": INSURER,
            "logo_uri": "https://insurer.example/new-logo.svg",
            "authorization_endpoint": "https://insurer.example/auth",
            "token_endpoint": "https://mtls.insurer.example/token",
            "pushed_authorization_request_endpoint": "https://mtls.insurer.example/par"
        },
        "federation_entity": {"organization_name": "Musterkasse Süd und Nord"}
    })
}

pub(crate) fn service_metadata() -> Value {
    json!({
        "openid_relying_party": {
            "client_name": "Patientenakte",
            "redirect_uris": ["https://record.example/callback"],
            "scope": "openid urn:telematik:versicherter"
        },
        "federation_entity": {"organization_name": "Patientenakte"}
    })
}

/// The claims of a participant's own statement.
pub(crate) fn claims(entity_id: &str, kid: &str, metadata: Value) -> Value {
    json!({
        "iss": entity_id,
        "sub": entity_id,
        "iat": NOW.0 - 10,
        "exp": NOW.0 + 3600,
        "jwks": keys_of(&[kid]).to_value(),
        "authority_hints": [MASTER],
        "metadata": metadata
    })
}

/// Signs claims as they are, right or wrong.
pub(crate) fn sign(claims: &Value, kid: &str) -> String {
    sign_as("entity-statement+jwt", claims, &key(kid))
}

pub(crate) fn sign_as(typ: &str, claims: &Value, key: &SoftwareKey) -> String {
    let header = jose::jws::SigningHeader {
        typ: Some(typ),
        ..Default::default()
    };
    jose::jws::sign(&header, claims.to_string().as_bytes(), key).unwrap()
}

/// Header and payload of a compact JWS, unverified.
pub(crate) fn decode(compact: &str) -> (Value, Value) {
    let mut parts = compact
        .split('.')
        .map(|part| serde_json::from_slice(&jose::base64url::decode(part).unwrap_or_default()).unwrap_or(Value::Null));
    (parts.next().unwrap(), parts.next().unwrap())
}

/// A network in a table.
#[derive(Default)]
pub(crate) struct Network(Mutex<HashMap<String, Result<Fetched, FetchError>>>);

impl Network {
    pub(crate) fn serve(&self, entity_id: &str, compact: String) {
        let fetched = Fetched {
            status: 200,
            content_type: Some("application/entity-statement+jwt".into()),
            body: compact.into(),
        };
        self.answer(entity_id, Ok(fetched));
    }

    pub(crate) fn answer(&self, entity_id: &str, outcome: Result<Fetched, FetchError>) {
        let url = format!("{entity_id}/.well-known/openid-federation");
        self.0.lock().unwrap().insert(url, outcome);
    }
}

impl Fetch for Network {
    fn fetch<'a>(&'a self, url: &'a str, accept: &'a str) -> FetchFuture<'a> {
        assert_eq!(accept, "application/entity-statement+jwt");
        let outcome = self
            .0
            .lock()
            .unwrap()
            .get(url)
            .cloned()
            .unwrap_or(Err(FetchError::ConnectionFailed));
        Box::pin(async move { outcome })
    }
}
