#![allow(clippy::unwrap_used)]

use jose::jwk::{JwkSet, KeyUse};
use serde_json::{Map, Value, json};

use super::*;
use crate::chain::{ChainRequest, FetchedStatement, TrustAnchor, resolve};
use crate::fixtures::{self, NOW, id};
use crate::metadata::EntityType;
use crate::profile::client_key_set;
use crate::signed_keys;
use crate::statement::{self, EntityStatement};

type Change<'a> = &'a dyn Fn(&mut Map<String, Value>);
/// A change, and what the refusal has to name.
type Case = (Box<dyn Fn(&mut Map<String, Value>)>, &'static str);

fn nothing(_: &mut Map<String, Value>) {}

/// The chain of the service, its own and the Federation Master's members changed.
fn chain(own: Change<'_>, superior: Change<'_>) -> ResolvedTrustChain {
    let change = |statement: &mut EntityStatement, change: Change<'_>| {
        let metadata = statement.metadata.as_mut().unwrap();
        let mut members = metadata.of("openid_relying_party").unwrap().clone();
        change(&mut members);
        metadata.set("openid_relying_party", members);
    };
    let (mut leaf, mut subordinate) = (fixtures::leaf_statement(), fixtures::subordinate_statement());
    change(&mut leaf, own);
    change(&mut subordinate, superior);
    let issue = |statement: &EntityStatement, kid: &str| {
        FetchedStatement::new("", statement::issue(statement, &fixtures::key(kid)).unwrap())
    };
    let statements = [
        issue(&leaf, "rp"),
        issue(&subordinate, "fm"),
        issue(&fixtures::anchor_statement(), "fm"),
    ];
    let anchor = TrustAnchor {
        entity_id: id("https://fm.example"),
        keys: JwkSet::new(vec![fixtures::key("fm").jwk(KeyUse::Signature)]),
    };
    let subject = id("https://akte.example");
    resolve(
        &ChainRequest::new(&subject, EntityType::OpenIdRelyingParty),
        &statements,
        &[anchor],
        NOW,
    )
    .unwrap()
}

fn key_set(kid: &str, certificate: u8) -> Value {
    let mut tls = fixtures::key("tls").jwk(KeyUse::Signature);
    tls.x5c = vec![fixtures::certificate(certificate)];
    client_key_set(&[tls, fixtures::key(kid).jwk(KeyUse::Encryption)])
}

fn signed_set(subject: &str, keys: &Value, exp: Option<u64>) -> VerifiedKeySet {
    let mut claims = json!({"iss": subject, "iat": NOW.0, "keys": keys["keys"]});
    if let Some(exp) = exp {
        claims["exp"] = json!(exp);
    }
    let compact = fixtures::sign(&fixtures::key("rp"), Some("jwk-set+jwt"), &claims);
    let published = JwkSet::new(vec![fixtures::key("rp").jwk(KeyUse::Signature)]);
    signed_keys::parse(&compact)
        .unwrap()
        .verify(&id(subject), &published, NOW)
        .unwrap()
}

#[test]
fn a_service_is_read_from_its_chain() {
    let party = VerifiedRelyingParty::from_chain(&chain(&nothing, &nothing), None).unwrap();
    assert_eq!(party.client_id(), &id("https://akte.example"));
    assert_eq!(party.name(), "Patientenakte");
    assert_eq!(party.organization_name(), Some("Akte GmbH"));
    assert_eq!(party.logo_uri(), None);
    assert_eq!(party.redirect_uris(), ["https://akte.example/cb"]);
    assert_eq!(party.scopes(), ["openid", "urn:telematik:versicherter"]);
    assert_eq!(party.default_acr_values(), ["gematik-ehealth-loa-high"]);
    assert_eq!(party.tls_certificates(), [fixtures::certificate(1)]);
    assert_eq!(party.encryption_key().kid.as_deref(), Some("enc"));
    assert_eq!(party.expires_at(), fixtures::leaf_statement().exp);
}

#[test]
fn redirect_uris_and_scopes_are_the_federation_masters_word() {
    let party = VerifiedRelyingParty::from_chain(
        &chain(
            &|own| {
                own.insert("redirect_uris".into(), json!(["https://evil.example/cb"]));
                own.insert("scope".into(), json!("openid urn:telematik:email"));
            },
            &nothing,
        ),
        None,
    )
    .unwrap();
    assert!(party.has_redirect_uri("https://akte.example/cb"));
    for other in [
        "https://evil.example/cb",
        "https://akte.example/cb/",
        "https://akte.example/CB",
        "",
        "https://akte.example/cb?x",
    ] {
        assert!(!party.has_redirect_uri(other), "{other}");
    }
    assert_eq!(
        party.unregistered_scopes(["openid", "urn:telematik:email", "x"]),
        ["urn:telematik:email", "x"]
    );
    assert!(party.unregistered_scopes(["openid"]).is_empty());
}

#[test]
fn services_that_break_a_rule_are_refused_by_name() {
    let set = |member: &'static str, value: Value| {
        move |members: &mut Map<String, Value>| {
            members.insert(member.into(), value.clone());
        }
    };
    let remove = |member: &'static str| {
        move |members: &mut Map<String, Value>| {
            members.remove(member);
        }
    };
    let only_tls = json!({"keys": [key_set("enc", 1)["keys"][0]]});
    let only_encryption = json!({"keys": [key_set("enc", 1)["keys"][1]]});
    let own: Vec<Case> = vec![
        (Box::new(remove("client_name")), "client_name"),
        (
            Box::new(set("token_endpoint_auth_method", json!("private_key_jwt"))),
            "self_signed_tls_client_auth",
        ),
        (
            Box::new(set("id_token_encrypted_response_enc", json!("A128GCM"))),
            "A256GCM",
        ),
        (Box::new(remove("jwks")), "use sig"),
        (Box::new(set("jwks", json!([]))), "jwks"),
        (Box::new(set("jwks", json!({"keys": []}))), "use sig"),
        (Box::new(set("jwks", only_tls)), "use enc"),
        (Box::new(set("jwks", only_encryption)), "use sig"),
        (
            Box::new(set("ti_features_supported", json!({"id_token_version_supported": []}))),
            "id_token_version",
        ),
        (Box::new(set("logo_uri", json!(1))), "logo_uri"),
    ];
    let superior: Vec<Case> = vec![
        (
            Box::new(set("client_registration_types", json!(["explicit"]))),
            "automatic",
        ),
        (Box::new(set("client_registration_types", json!([]))), "automatic"),
        (Box::new(remove("redirect_uris")), "redirect_uris"),
        (Box::new(remove("scope")), "scope"),
        (Box::new(set("redirect_uris", json!([]))), "redirect_uris"),
        (
            Box::new(set("redirect_uris", json!("https://akte.example/cb"))),
            "redirect_uris",
        ),
        (
            Box::new(set("redirect_uris", json!(["javascript:alert(1)"]))),
            "redirect_uris",
        ),
        (
            Box::new(set("redirect_uris", json!(["http://akte.example/cb"]))),
            "https",
        ),
        (
            Box::new(set("redirect_uris", json!(["https://akte.example/cb#x"]))),
            "fragment",
        ),
        (
            Box::new(set("redirect_uris", json!(["https://u@akte.example/cb"]))),
            "user information",
        ),
        (Box::new(set("redirect_uris", json!(["cb"]))), "absolute"),
        (
            Box::new(set(
                "redirect_uris",
                json!(vec!["https://akte.example"; MAX_REDIRECT_URIS + 1]),
            )),
            "1 to 128",
        ),
        (Box::new(set("scope", json!(["openid"]))), "scope"),
    ];
    for (change, named) in &own {
        let error = VerifiedRelyingParty::from_chain(&chain(change, &nothing), None).unwrap_err();
        assert!(error.to_string().contains(named), "{named}: {error}");
        assert_eq!(error.oauth_error().as_str(), "invalid_client");
    }
    for (change, named) in &superior {
        let error = VerifiedRelyingParty::from_chain(&chain(&nothing, change), None).unwrap_err();
        assert!(error.to_string().contains(named), "{named}: {error}");
    }
}

#[test]
fn a_service_without_versions_gets_version_1() {
    let version = |versions: Value, ours: &[&'static str]| {
        let change = |own: &mut Map<String, Value>| {
            own.insert(
                "ti_features_supported".into(),
                json!({"id_token_version_supported": versions}),
            );
        };
        VerifiedRelyingParty::from_chain(&chain(&change, &nothing), None)
            .unwrap()
            .id_token_version(ours)
    };
    let ours = ["1.0.0", "2.0.0"];
    assert_eq!(version(json!(["1.0.0", "2.0.0"]), &ours), Some("2.0.0"));
    assert_eq!(version(json!(["2.0.0", "1.0.0"]), &["1.0.0"]), Some("1.0.0"));
    assert_eq!(version(json!(["3.0.0", "1.0.0"]), &ours), Some("1.0.0"));
    assert_eq!(version(json!(["3.0.0"]), &ours), None);
    assert_eq!(
        version(json!(["1.9.0", "1.10.0"]), &["1.9.0", "1.10.0"]),
        Some("1.10.0")
    );
    let silent = |own: &mut Map<String, Value>| {
        own.remove("ti_features_supported");
    };
    let party = VerifiedRelyingParty::from_chain(&chain(&silent, &nothing), None).unwrap();
    assert_eq!(party.id_token_version(&ours), Some("1.0.0"));
}

#[test]
fn keys_may_come_by_reference() {
    let by_reference = |own: &mut Map<String, Value>| {
        own.remove("jwks");
        own.insert("signed_jwks_uri".into(), json!("https://akte.example/jwks"));
    };
    let chain = chain(&by_reference, &nothing);
    assert_eq!(
        signed_jwks_uri(&chain).unwrap().as_deref(),
        Some("https://akte.example/jwks")
    );
    assert!(matches!(
        VerifiedRelyingParty::from_chain(&chain, None),
        Err(RelyingPartyError::NoTlsCertificate)
    ));
    let set = signed_set("https://akte.example", &key_set("enc2", 2), Some(NOW.0 + 60));
    let party = VerifiedRelyingParty::from_chain(&chain, Some(&set)).unwrap();
    assert_eq!(party.tls_certificates(), [fixtures::certificate(2)]);
    assert_eq!(party.encryption_key().kid.as_deref(), Some("enc2"));
    assert_eq!(party.expires_at(), NOW.plus_seconds(60));
}

#[test]
fn keys_by_value_and_by_reference_are_taken_together() {
    let chain = chain(&nothing, &nothing);
    let set = signed_set("https://akte.example", &key_set("enc2", 2), None);
    let party = VerifiedRelyingParty::from_chain(&chain, Some(&set)).unwrap();
    assert!(party.has_certificate(&fixtures::certificate(1)));
    assert!(party.has_certificate(&fixtures::certificate(2)));
    assert!(!party.has_certificate(&fixtures::certificate(3)));
    assert_eq!(party.encryption_key().kid.as_deref(), Some("enc2"));
    assert_eq!(party.expires_at(), chain.expires_at());
    let same = signed_set("https://akte.example", &key_set("enc", 1), None);
    assert_eq!(
        VerifiedRelyingParty::from_chain(&chain, Some(&same))
            .unwrap()
            .tls_certificates()
            .len(),
        1
    );
}

#[test]
fn keys_of_somebody_else_are_refused() {
    let set = signed_set("https://other.example", &key_set("enc", 1), None);
    let error = VerifiedRelyingParty::from_chain(&chain(&nothing, &nothing), Some(&set)).unwrap_err();
    assert_eq!(
        error,
        RelyingPartyError::ForeignKeys {
            expected: id("https://akte.example")
        }
    );
}

#[test]
fn the_address_of_the_key_set_is_checked_before_it_is_fetched() {
    for uri in [
        json!("http://akte.example/jwks"),
        json!("file:///etc/passwd"),
        json!("/jwks"),
        json!(1),
    ] {
        let change = |own: &mut Map<String, Value>| {
            own.insert("signed_jwks_uri".into(), uri.clone());
        };
        assert!(signed_jwks_uri(&chain(&change, &nothing)).is_err(), "{uri}");
    }
    assert_eq!(signed_jwks_uri(&chain(&nothing, &nothing)), Ok(None));
}
