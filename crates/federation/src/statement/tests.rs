#![allow(clippy::unwrap_used)]

use jose::jwk::{JwkSet, KeyUse};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::{self, NOW, tampered};

fn leaf_with(claim: &str, value: Value) -> String {
    tampered(&fixtures::leaf_statement(), &fixtures::key("rp"), claim, value)
}

fn subordinate_with(claim: &str, value: Value) -> String {
    tampered(&fixtures::subordinate_statement(), &fixtures::key("fm"), claim, value)
}

#[test]
fn a_statement_we_issue_is_read_back_and_verified() {
    for (statement, kid) in [
        (fixtures::leaf_statement(), "rp"),
        (fixtures::subordinate_statement(), "fm"),
        (fixtures::anchor_statement(), "fm"),
    ] {
        let key = fixtures::key(kid);
        let compact = issue(&statement, &key).unwrap();
        let keys = JwkSet::new(vec![key.jwk(KeyUse::Signature)]);
        let verified = parse(&compact).unwrap().verify_with(&keys, NOW).unwrap();
        assert_eq!(verified.claims(), &statement);
        assert_eq!((verified.kid(), verified.compact()), (kid, compact.as_str()));
    }
}

#[test]
fn statements_of_the_wrong_shape_are_refused_by_name() {
    let key = fixtures::key("fm").jwk(KeyUse::Signature).to_value();
    let without_kid = {
        let mut key = key.clone();
        key.as_object_mut().unwrap().remove("kid");
        key
    };
    let long_coordinate = {
        let mut key = key.clone();
        key["x"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        key
    };
    let private = {
        let mut key = key.clone();
        key["d"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        key
    };
    let rsa = json!({"kty": "RSA", "kid": "r", "n": "AA", "e": "AQAB"});
    let cases = [
        (leaf_with("iss", json!(null)), "iss"),
        (leaf_with("iss", json!("http://akte.example")), "https"),
        (leaf_with("sub", json!("https://akte.example/")), "sub"),
        (leaf_with("sub", json!(["https://akte.example"])), "sub"),
        (leaf_with("iat", json!(null)), "iat"),
        (leaf_with("iat", json!("1760000000")), "iat"),
        (leaf_with("iat", json!(-1)), "iat"),
        (leaf_with("iat", json!(1.5)), "iat"),
        (leaf_with("exp", json!(null)), "exp"),
        (leaf_with("exp", json!(NOW.0)), "exp must be later"),
        (leaf_with("nbf", json!(true)), "nbf"),
        (leaf_with("jwks", json!(null)), "jwks"),
        (leaf_with("jwks", json!({})), "jwks"),
        (leaf_with("jwks", json!({"keys": []})), "at least one"),
        (leaf_with("jwks", json!({"keys": [rsa]})), "at least one"),
        (leaf_with("jwks", json!({"keys": [without_kid]})), "kid"),
        (leaf_with("jwks", json!({"keys": [key, key]})), "kid"),
        (leaf_with("jwks", json!({"keys": [private]})), "d"),
        (leaf_with("jwks", json!({"keys": [long_coordinate]})), "x"),
        (
            leaf_with("authority_hints", json!([])),
            "authority_hints must not be empty",
        ),
        (
            leaf_with("authority_hints", json!("https://fm.example")),
            "authority_hints",
        ),
        (
            leaf_with("authority_hints", json!(["https://fm.example/"])),
            "authority_hints",
        ),
        (
            leaf_with("authority_hints", json!(vec!["https://fm.example"; 17])),
            "too many",
        ),
        (leaf_with("metadata", json!([])), "metadata"),
        (leaf_with("metadata", json!({"openid_relying_party": []})), "metadata"),
        (
            leaf_with("metadata", json!({"openid_relying_party": {"client_name": null}})),
            "null",
        ),
        (leaf_with("crit", json!(["jti"])), "crit"),
        (leaf_with("crit", json!([])), "crit"),
        (leaf_with("metadata_policy", json!({})), "metadata_policy must not"),
        (
            leaf_with("metadata_policy_crit", json!(["regexp"])),
            "metadata_policy_crit must not",
        ),
        (leaf_with("constraints", json!({})), "constraints must not"),
        (
            leaf_with("source_endpoint", json!("https://fm.example/fetch")),
            "source_endpoint must not",
        ),
        (leaf_with("aud", json!(1)), "aud"),
        (
            subordinate_with("authority_hints", json!(["https://fm.example"])),
            "authority_hints must not",
        ),
        (subordinate_with("trust_marks", json!([])), "trust_marks must not"),
        (subordinate_with("metadata_policy", json!([])), "metadata_policy"),
        (
            subordinate_with("metadata_policy", json!({"openid_relying_party": {"p": {"add": 1}}})),
            "add",
        ),
        (
            subordinate_with("metadata_policy_crit", json!("regexp")),
            "metadata_policy_crit",
        ),
        (subordinate_with("constraints", json!([])), "constraints"),
        (
            subordinate_with("constraints", json!({"max_path_length": -1})),
            "max_path_length",
        ),
        (subordinate_with("source_endpoint", json!(1)), "source_endpoint"),
    ];
    for (compact, named) in cases {
        let error = parse(&compact).unwrap_err().to_string();
        assert!(error.contains(named), "{named}: {error}");
    }
}

#[test]
fn headers_that_break_a_rule_are_refused_by_name() {
    let claims = fixtures::leaf_statement().to_value();
    let body = jose::base64url::encode(claims.to_string().as_bytes());
    let signature = jose::base64url::encode(&[1; 64]);
    let compact = |header: Value| {
        format!(
            "{}.{body}.{signature}",
            jose::base64url::encode(header.to_string().as_bytes())
        )
    };
    let cases = [
        (json!({"alg": "ES256", "kid": "rp"}), "typ"),
        (json!({"alg": "ES256", "kid": "rp", "typ": "JWT"}), "typ"),
        (
            json!({"alg": "ES256", "kid": "rp", "typ": "Entity-Statement+jwt"}),
            "typ",
        ),
        (
            json!({"alg": "ES256", "kid": "rp", "typ": "application/entity-statement+jwt"}),
            "typ",
        ),
        (json!({"alg": "ES256", "typ": TYPE}), "kid"),
        (json!({"alg": "ES256", "typ": TYPE, "kid": ""}), "kid"),
        (json!({"alg": "ES256", "typ": TYPE, "kid": 1}), "kid"),
        (json!({"alg": "none", "typ": TYPE, "kid": "rp"}), "alg"),
        (json!({"alg": "RS256", "typ": TYPE, "kid": "rp"}), "alg"),
        (json!({"alg": "HS256", "typ": TYPE, "kid": "rp"}), "alg"),
        (json!({"alg": "ES384", "typ": TYPE, "kid": "rp"}), "alg"),
        (json!({"alg": "BP256R1", "typ": TYPE, "kid": "rp"}), "alg"),
        (json!({"typ": TYPE, "kid": "rp"}), "alg"),
        (
            json!({"alg": "ES256", "typ": TYPE, "kid": "rp", "crit": ["exp"]}),
            "crit",
        ),
        (json!({"alg": "ES256", "typ": TYPE, "kid": "rp", "jwk": {}}), "jwk"),
        (
            json!({"alg": "ES256", "typ": TYPE, "kid": "rp", "jku": "https://a.example"}),
            "jku",
        ),
        (
            json!({"alg": "ES256", "typ": TYPE, "kid": "rp", "x5u": "https://a.example"}),
            "x5u",
        ),
    ];
    for (header, named) in cases {
        let error = parse(&compact(header.clone())).unwrap_err().to_string();
        assert!(error.contains(named), "{header}: {error}");
    }
}

#[test]
fn payloads_that_are_not_one_json_object_are_refused() {
    let key = fixtures::key("rp");
    let header = SigningHeader {
        typ: Some(TYPE),
        ..SigningHeader::default()
    };
    let sign = |payload: &[u8]| jws::sign(&header, payload, &key).unwrap();
    let nested = format!("{}{}", "[".repeat(20), "]".repeat(20));
    for payload in [
        b"" as &[u8],
        b"{",
        b"[]",
        b"null",
        b"{\"iss\":\"a\",\"iss\":\"b\"}",
        b"{} {}",
        b"\xff",
        nested.as_bytes(),
    ] {
        assert!(parse(&sign(payload)).is_err());
    }
    let oversized = format!("{{\"pad\":\"{}\"}}", "a".repeat(LIMITS.bytes));
    assert!(parse(&sign(oversized.as_bytes())).is_err());
}

#[test]
fn signature_and_times_are_checked_by_name() {
    let published = JwkSet::new(vec![fixtures::key("rp").jwk(KeyUse::Signature)]);
    let statement = fixtures::leaf_statement();
    let verify = |compact: &str, now| parse(compact).unwrap().verify_with(&published, now).map(|_| ());
    let ours = issue(&statement, &fixtures::key("rp")).unwrap();
    let expired_at = statement.exp;

    assert_eq!(verify(&ours, NOW), Ok(()));
    assert_eq!(verify(&ours, NOW.minus_seconds(LEEWAY_SECONDS)), Ok(()));
    assert_eq!(
        verify(&ours, NOW.minus_seconds(LEEWAY_SECONDS + 1)),
        Err(StatementError::IssuedInFuture { ahead_seconds: 61 })
    );
    assert_eq!(verify(&ours, expired_at.minus_seconds(1)), Ok(()));
    assert_eq!(
        verify(&ours, expired_at),
        Err(StatementError::Expired { ago_seconds: 0 })
    );
    assert_eq!(verify(&leaf_with("nbf", json!(NOW.0 + 60)), NOW), Ok(()));
    assert_eq!(
        verify(&leaf_with("nbf", json!(NOW.0 + 61)), NOW),
        Err(StatementError::NotYetValid { ahead_seconds: 61 })
    );

    let forged = issue(&statement, &fixtures::key_of(5, "rp")).unwrap();
    assert_eq!(
        verify(&forged, NOW),
        Err(StatementError::Signature { kid: "rp".into() })
    );
    let unknown = issue(&statement, &fixtures::key("stranger")).unwrap();
    assert_eq!(
        verify(&unknown, NOW),
        Err(StatementError::UnknownKey { known: "\"rp\"".into() })
    );

    let mut for_encryption = published.clone();
    for_encryption.keys[0].key_use = Some(KeyUse::Encryption);
    assert!(parse(&ours).unwrap().verify_with(&for_encryption, NOW).is_err());
}

#[test]
fn a_changed_byte_breaks_the_signature() {
    let ours = issue(&fixtures::leaf_statement(), &fixtures::key("rp")).unwrap();
    let mut parts: Vec<String> = ours.split('.').map(str::to_owned).collect();
    let body = String::from_utf8(jose::base64url::decode(&parts[1]).unwrap()).unwrap();
    parts[1] = jose::base64url::encode(body.replace("Patientenakte", "Patientenxkte").as_bytes());
    let result = parse(&parts.join(".")).unwrap().verify_self(NOW);
    assert!(matches!(result, Err(StatementError::Signature { .. })));
}

#[test]
fn only_a_statement_about_itself_verifies_itself() {
    let subordinate = issue(&fixtures::subordinate_statement(), &fixtures::key("fm")).unwrap();
    assert!(matches!(
        parse(&subordinate).unwrap().verify_self(NOW),
        Err(StatementError::NotSelfIssued)
    ));
    let leaf = issue(&fixtures::leaf_statement(), &fixtures::key("rp")).unwrap();
    let verified = parse(&leaf).unwrap().verify_self(NOW).unwrap();
    assert_eq!(verified.check_own_key(), Ok(()));
    assert_eq!(verified.check_lifetime(MAX_LIFETIME_SECONDS), Ok(()));
    assert!(verified.check_lifetime(60).is_err());
}

#[test]
fn all_claims_survive_the_round_trip() {
    let mut statement = fixtures::subordinate_statement();
    statement.aud = vec!["https://a.example".into(), "https://b.example".into()];
    statement.nbf = Some(NOW);
    statement.source_endpoint = Some("https://fm.example/federation/fetch".into());
    statement.metadata_policy_crit = Some(vec!["regexp".into()]);
    statement.constraints = Some(Constraints {
        max_path_length: Some(1),
        naming: Some(NamingConstraints {
            permitted: Some(vec![".example".into()]),
            excluded: None,
        }),
        allowed_entity_types: Some(vec!["openid_relying_party".into()]),
    });
    let policy = Policy::parse(&json!({"subject_type": {"value": "pairwise"}})).unwrap();
    statement.metadata_policy.insert("openid_relying_party".into(), policy);
    let compact = issue(&statement, &fixtures::key("fm")).unwrap();
    assert_eq!(parse(&compact).unwrap().unverified_claims(), &statement);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[ -~]{0,80}(\\.[ -~]{0,80}){0,3}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_payload_makes_the_parser_panic(
        claim in proptest::sample::select(vec!["iss", "sub", "iat", "exp", "jwks", "authority_hints", "metadata"]),
        value in prop_oneof![
            Just(json!(null)), any::<i64>().prop_map(|n| json!(n)), ".{0,40}".prop_map(|text| json!(text)),
            Just(json!({"keys": [{}]})), Just(json!([[]])), Just(json!({"a": {"b": {}}})),
        ],
    ) {
        let _ = parse(&leaf_with(claim, value));
    }
}
