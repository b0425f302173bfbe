//! An invented federation for tests: a Federation Master `fm.example`, a service `akte.example`, a provider
//! `idp.example`. Keys come from small scalars, so every run sees the same ones.
#![allow(clippy::unwrap_used)]

use jose::jwk::KeyUse;
use jose::jws::{self, SigningHeader};
use jose::{SoftwareKey, UnixTime, base64url};
use serde_json::{Value, json};

use crate::entity::{EntityId, Schemes};
use crate::metadata::{FederationEntity, OpenIdProvider, OpenIdRelyingParty};
use crate::profile::{self, FederationMasterEndpoints, Participant};
use crate::statement::{self, EntityStatement};

/// The moment of all tests.
pub(crate) const NOW: UnixTime = UnixTime(1_760_000_000);

pub(crate) fn id(text: &str) -> EntityId {
    EntityId::parse(text, Schemes::HttpsOnly).unwrap()
}

/// The key that belongs to this name.
pub(crate) fn key(kid: &str) -> SoftwareKey {
    let number = kid
        .bytes()
        .fold(1_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    key_of(number, kid)
}

/// A key with a chosen number and a chosen name.
pub(crate) fn key_of(number: u32, kid: &str) -> SoftwareKey {
    let mut scalar = [0x11; 32];
    scalar[28..].copy_from_slice(&number.to_be_bytes());
    SoftwareKey::from_scalar(kid, &scalar).unwrap()
}

/// Bytes framed like a certificate.
pub(crate) fn certificate(number: u8) -> Vec<u8> {
    let mut der = vec![0x30, 0x82, 0x01, 0x00];
    der.extend([number; 256]);
    der
}

pub(crate) fn sign(signer: &SoftwareKey, typ: Option<&str>, claims: &Value) -> String {
    let header = SigningHeader {
        typ,
        ..SigningHeader::default()
    };
    jws::sign(&header, claims.to_string().as_bytes(), signer).unwrap()
}

/// Header and body of a compact JWS, unverified.
pub(crate) fn decode(compact: &str) -> (Value, Value) {
    let mut parts = compact.split('.').map(|part| base64url::decode(part).unwrap());
    let mut next = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (next(), next())
}

/// The member names of an object, sorted.
pub(crate) fn names(object: &Value) -> Vec<String> {
    let mut names: Vec<String> = object.as_object().unwrap().keys().cloned().collect();
    names.sort_unstable();
    names
}

pub(crate) fn provider() -> OpenIdProvider {
    OpenIdProvider {
        issuer: id("https://idp.example"),
        signed_jwks_uri: "https://idp.example/jwks".into(),
        organization_name: None,
        logo_uri: "https://idp.example/logo.svg".into(),
        authorization_endpoint: "https://idp.example/auth".into(),
        token_endpoint: "https://mtls.idp.example/token".into(),
        pushed_authorization_request_endpoint: "https://mtls.idp.example/par".into(),
        scopes_supported: vec!["openid".into(), "urn:telematik:versicherter".into()],
        user_type_supported: vec!["IP".into()],
        id_token_versions: vec!["1.0.0".into(), "2.0.0".into()],
        federation_registration_endpoint: None,
    }
}

pub(crate) fn relying_party() -> OpenIdRelyingParty {
    let mut tls = key("tls").jwk(KeyUse::Signature);
    tls.x5c = vec![certificate(1)];
    OpenIdRelyingParty {
        client_name: "Patientenakte".into(),
        redirect_uris: vec!["https://akte.example/cb".into()],
        scope: vec!["openid".into(), "urn:telematik:versicherter".into()],
        default_acr_values: vec!["gematik-ehealth-loa-high".into()],
        id_token_versions: vec!["1.0.0".into(), "2.0.0".into()],
        jwks: Some(profile::client_key_set(&[tls, key("enc").jwk(KeyUse::Encryption)])),
        signed_jwks_uri: None,
        organization_name: None,
        logo_uri: None,
    }
}

/// The service's own statement; signed by key `rp`.
pub(crate) fn leaf_statement() -> EntityStatement {
    profile::relying_party_statement(
        &id("https://akte.example"),
        &relying_party(),
        &FederationEntity::of_participant("Akte GmbH"),
        &id("https://fm.example"),
        &[key("rp").jwk(KeyUse::Signature)],
        NOW,
        profile::RELYING_PARTY_LIFETIME_SECONDS,
    )
}

/// The Federation Master's statement about the service; signed by key `fm`.
pub(crate) fn subordinate_statement() -> EntityStatement {
    profile::subordinate_statement(
        &id("https://fm.example"),
        &id("https://akte.example"),
        &[key("rp").jwk(KeyUse::Signature)],
        &Participant::OpenIdRelyingParty {
            redirect_uris: vec!["https://akte.example/cb".into()],
            scopes: vec!["openid".into(), "urn:telematik:versicherter".into()],
            claims: vec![],
        },
        None,
        NOW,
        profile::FEDERATION_MASTER_LIFETIME_SECONDS,
    )
}

/// The Federation Master's own statement; signed by key `fm`.
pub(crate) fn anchor_statement() -> EntityStatement {
    profile::federation_master_statement(
        &id("https://fm.example"),
        &[key("fm").jwk(KeyUse::Signature)],
        &FederationMasterEndpoints {
            fetch: "https://fm.example/federation/fetch".into(),
            list: "https://fm.example/federation/list".into(),
            idp_list: "https://fm.example/federation/listidps".into(),
        },
        NOW,
        profile::FEDERATION_MASTER_LIFETIME_SECONDS,
    )
}

/// A statement's claims with one of them replaced (`null` takes it away), signed anew.
pub(crate) fn tampered(statement: &EntityStatement, signer: &SoftwareKey, claim: &str, value: Value) -> String {
    let mut claims = statement.to_value();
    let members = claims.as_object_mut().unwrap();
    if value == json!(null) {
        members.remove(claim);
    } else {
        members.insert(claim.into(), value);
    }
    sign(signer, Some(statement::TYPE), &claims)
}
