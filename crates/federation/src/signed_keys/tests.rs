#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::{self, NOW};

fn entity() -> EntityId {
    fixtures::id("https://idp.example")
}

fn published() -> JwkSet {
    JwkSet::new(vec![fixtures::key("entity").jwk(KeyUse::Signature)])
}

fn token_key() -> Jwk {
    Jwk {
        x5c: vec![fixtures::certificate(7)],
        alg: Some("ES256".into()),
        ..fixtures::key("token").jwk(KeyUse::Signature)
    }
}

fn signed(typ: Option<&str>, claims: &Value) -> String {
    fixtures::sign(&fixtures::key("entity"), typ, claims)
}

fn claims() -> Value {
    json!({"iss": "https://idp.example", "iat": NOW.0, "keys": [token_key().to_value()]})
}

#[test]
fn our_set_has_exactly_the_expected_shape() {
    let entity_key = fixtures::key("entity");
    let keys = [token_key(), entity_key.jwk(KeyUse::Signature)];
    let compact = issue(&entity(), NOW, &keys, &entity_key).unwrap();
    let (header, body) = fixtures::decode(&compact);
    assert_eq!(header, json!({"alg": "ES256", "kid": "entity", "typ": "jwk-set+json"}));
    assert_eq!(fixtures::names(&body), ["iat", "iss", "keys"]);
    assert_eq!(
        fixtures::names(&body["keys"][0]),
        ["crv", "kid", "kty", "use", "x", "y"]
    );
    assert_eq!(body["keys"][0]["kid"], "entity");
    assert_eq!(
        fixtures::names(&body["keys"][1]),
        ["crv", "kid", "kty", "use", "x", "x5c", "y"]
    );
}

#[test]
fn our_set_verifies_with_the_entity_key() {
    let compact = issue(&entity(), NOW, &[token_key()], &fixtures::key("entity")).unwrap();
    let set = parse(&compact).unwrap().verify(&entity(), &published(), NOW).unwrap();
    assert_eq!(
        set.keys().unwrap().by_kid("token").unwrap().x5c,
        [fixtures::certificate(7)]
    );
    assert_eq!((set.kid(), set.iat(), set.exp()), ("entity", Some(NOW), None));
    assert_eq!(set.client_keys().unwrap().tls_certificates.len(), 1);
}

#[test]
fn sets_of_other_publishers_are_accepted_with_and_without_type() {
    for typ in [None, Some("jwk-set+json"), Some("jwk-set+jwt")] {
        let set = parse(&signed(typ, &claims())).unwrap();
        assert!(set.verify(&entity(), &published(), NOW).is_ok(), "{typ:?}");
    }
}

#[test]
fn defective_sets_are_refused() {
    let with = |claim: &str, value: Value| {
        let mut claims = claims();
        claims[claim] = value;
        signed(Some(TYPE), &claims)
    };
    let other_key = fixtures::sign(&fixtures::key_of(99, "entity"), Some(TYPE), &claims());
    let other_kid = fixtures::sign(&fixtures::key("stranger"), Some(TYPE), &claims());
    let cases = [
        (signed(Some("entity-statement+jwt"), &claims()), "typ"),
        (signed(Some("JWT"), &claims()), "typ"),
        (signed(Some(TYPE), &json!([])), "keys"),
        (with("keys", json!({})), "keys"),
        (with("iss", json!("https://other.example")), "iss"),
        (with("iss", json!(1)), "iss"),
        (with("sub", json!("https://other.example")), "sub"),
        (with("iat", json!(NOW.0 + LEEWAY_SECONDS + 1)), "iat"),
        (with("iat", json!("now")), "iat"),
        (with("exp", json!(NOW.0)), "exp"),
        (other_key, "signature"),
        (other_kid, "kid"),
        ("a.b".into(), "parts"),
    ];
    for (compact, named) in cases {
        let error = parse(&compact)
            .and_then(|set| set.verify(&entity(), &published(), NOW))
            .unwrap_err();
        assert!(error.to_string().contains(named), "{named}: {error}");
    }
}

#[test]
fn a_set_without_p256_keys_still_gives_its_certificates() {
    let mut claims = claims();
    claims["keys"] = json!([{"use": "sig", "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA",
        "x5c": token_key().to_value()["x5c"]}]);
    let set = parse(&signed(None, &claims))
        .unwrap()
        .verify(&entity(), &published(), NOW)
        .unwrap();
    assert!(set.keys().unwrap().keys.is_empty());
    assert_eq!(set.client_keys().unwrap().tls_certificates, [fixtures::certificate(7)]);
}

#[test]
fn the_media_type_is_json_unless_only_jwt_is_accepted() {
    let cases = [
        (None, MEDIA_TYPE),
        (Some("*/*"), MEDIA_TYPE),
        (Some("application/jwk-set+json"), MEDIA_TYPE),
        (Some("application/jwk-set+jwt"), MEDIA_TYPE_JWT),
        (Some("Application/JWK-Set+JWT;q=0.9"), MEDIA_TYPE_JWT),
        (Some("application/jwk-set+jwt, application/jwk-set+json"), MEDIA_TYPE),
        (Some("application/jwk-set+jwt, */*;q=0.1"), MEDIA_TYPE),
        (Some("text/html"), MEDIA_TYPE),
    ];
    for (accept, expected) in cases {
        assert_eq!(negotiate_media_type(accept), expected, "{accept:?}");
    }
}
