//! Keys that are read, and the longer list of those that are not.

#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::{Signer as _, SoftwareKey};

/// RFC 7515 appendix A.3.1.
const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

fn sound() -> Value {
    json!({"use": "sig", "kid": "a", "kty": "EC", "crv": "P-256", "x": X, "y": Y})
}

fn with(member: &str, value: Value) -> Value {
    let mut key = sound();
    key[member] = value;
    key
}

fn without(member: &str) -> Value {
    let mut key = sound();
    key.as_object_mut().unwrap().remove(member);
    key
}

#[test]
fn a_sound_key_is_read() {
    let key = Jwk::from_value(&sound()).unwrap();
    assert_eq!(key.kid.as_deref(), Some("a"));
    assert_eq!(key.key_use, Some(KeyUse::Signature));
    assert_eq!(key.key.x(), &base64url::decode_array(X).unwrap());
    assert_eq!(key.key.y(), &base64url::decode_array(Y).unwrap());
    assert!(key.alg.is_none() && key.x5c.is_empty());
}

#[test]
fn a_key_without_a_use_is_read_and_serves_both() {
    let key = Jwk::from_value(&without("use")).unwrap();
    assert_eq!(key.key_use, None);
    assert!(key.allows(KeyUse::Signature) && key.allows(KeyUse::Encryption));
}

#[test]
fn a_key_serves_only_what_its_publisher_admits() {
    let signing = Jwk::from_value(&sound()).unwrap();
    assert!(signing.allows(KeyUse::Signature) && !signing.allows(KeyUse::Encryption));
    let encrypting = Jwk::from_value(&with("use", json!("enc"))).unwrap();
    assert!(!encrypting.allows(KeyUse::Signature) && encrypting.allows(KeyUse::Encryption));
    for alg in ["HS256", "ES384", "ECDH-ES", "BP256R1"] {
        assert!(
            !Jwk::from_value(&with("alg", json!(alg)))
                .unwrap()
                .allows(KeyUse::Signature),
            "{alg}"
        );
    }
    assert!(
        Jwk::from_value(&with("alg", json!("ES256")))
            .unwrap()
            .allows(KeyUse::Signature)
    );
    let mut wrapping = with("alg", json!("ECDH-ES+A256KW"));
    wrapping["use"] = json!("enc");
    assert!(!Jwk::from_value(&wrapping).unwrap().allows(KeyUse::Encryption));
}

#[test]
fn broken_keys_are_refused_by_rule_and_member() {
    use Base64UrlError as B;
    let coordinate = |member, reason| JwkError::Coordinate { member, reason };
    let length = B::Length { expected: 32 };
    let bytes = |length: usize| json!(base64url::encode(&vec![1; length]));
    let x33 = {
        let mut bytes = base64url::decode(X).unwrap();
        bytes.insert(0, 0);
        json!(base64url::encode(&bytes))
    };
    for (key, expected) in [
        (json!("text"), JwkError::NotAnObject),
        (json!([]), JwkError::NotAnObject),
        (json!(null), JwkError::NotAnObject),
        (
            with("d", json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI")),
            JwkError::PrivateMember,
        ),
        (with("d", json!(null)), JwkError::PrivateMember),
        (without("kty"), JwkError::Missing { member: "kty" }),
        (without("crv"), JwkError::Missing { member: "crv" }),
        (without("x"), JwkError::Missing { member: "x" }),
        (without("y"), JwkError::Missing { member: "y" }),
        (with("kty", json!(1)), JwkError::NotAString { member: "kty" }),
        (with("x", json!([])), JwkError::NotAString { member: "x" }),
        (with("y", json!(null)), JwkError::NotAString { member: "y" }),
        (with("kid", json!(7)), JwkError::NotAString { member: "kid" }),
        (with("use", json!(["sig"])), JwkError::NotAString { member: "use" }),
        (with("alg", json!(false)), JwkError::NotAString { member: "alg" }),
        (with("kty", json!("RSA")), JwkError::KeyType),
        (with("kty", json!("oct")), JwkError::KeyType),
        (with("kty", json!("OKP")), JwkError::KeyType),
        (with("kty", json!("ec")), JwkError::KeyType),
        (with("crv", json!("P-384")), JwkError::Curve),
        (with("crv", json!("secp256k1")), JwkError::Curve),
        (with("crv", json!("BP-256")), JwkError::Curve),
        (with("crv", json!("p-256")), JwkError::Curve),
        // A production key of the field had 33 bytes.
        (with("x", x33), coordinate("x", length)),
        (with("x", bytes(31)), coordinate("x", length)),
        (with("y", bytes(33)), coordinate("y", length)),
        (with("y", bytes(31)), coordinate("y", length)),
        (with("y", json!("")), coordinate("y", length)),
        (with("x", json!(format!("{X}="))), coordinate("x", B::Padding)),
        (
            with("x", json!(X.replace('3', "+"))),
            coordinate("x", B::Alphabet { offset: 2 }),
        ),
        (
            with("x", json!(X.replace("VEU", "VEV"))),
            coordinate("x", B::NotCanonical),
        ),
        (with("x", json!(Y)), JwkError::NotOnCurve),
        (with("x", bytes(32)), JwkError::NotOnCurve),
        (with("use", json!("both")), JwkError::UnknownUse),
        (with("kid", json!("k".repeat(MAX_KID_BYTES + 1))), JwkError::KidTooLong),
        (
            with("x5c", json!("MA==")),
            JwkError::Certificates(CertificatesError::NotAList),
        ),
        (
            with("x5c", json!([])),
            JwkError::Certificates(CertificatesError::NotAList),
        ),
        (
            with("x5c", json!([1])),
            JwkError::Certificates(CertificatesError::NotAList),
        ),
        (
            with("x5c", json!(["MAA=", "MAA=", "MAA=", "MAA=", "MAA="])),
            JwkError::Certificates(CertificatesError::TooMany),
        ),
        (
            with("x5c", json!(["MAA"])),
            JwkError::Certificates(CertificatesError::NotBase64),
        ),
        (
            with("x5c", json!(["MA\nA="])),
            JwkError::Certificates(CertificatesError::NotBase64),
        ),
        (
            with("x5c", json!(["MAAA"])),
            JwkError::Certificates(CertificatesError::NotDer),
        ),
        (
            with("x5c", json!([""])),
            JwkError::Certificates(CertificatesError::NotDer),
        ),
        (
            with("x5c", json!(["A".repeat(8000)])),
            JwkError::Certificates(CertificatesError::TooLong),
        ),
    ] {
        assert_eq!(Jwk::from_value(&key), Err(expected), "{key}");
    }
}

#[test]
fn the_point_at_infinity_and_points_off_the_curve_are_refused() {
    assert_eq!(
        P256PublicKey::from_coordinates(&[0; 32], &[0; 32]),
        Err(PublicKeyError::NotOnCurve)
    );
    // The field's prime as a coordinate: 0 in another spelling.
    let prime = *b"\xff\xff\xff\xff\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    assert_eq!(
        P256PublicKey::from_coordinates(&prime, &[1; 32]),
        Err(PublicKeyError::NotOnCurve)
    );
    let key = SoftwareKey::generate("a").unwrap();
    let mut point = key.public_key().to_uncompressed();
    assert_eq!(&P256PublicKey::from_uncompressed(&point).unwrap(), key.public_key());
    for first in [0x00, 0x02, 0x03, 0x06, 0x07] {
        point[0] = first;
        assert_eq!(
            P256PublicKey::from_uncompressed(&point),
            Err(PublicKeyError::NotUncompressed)
        );
    }
    point[0] = 0x04;
    assert_eq!(
        P256PublicKey::from_uncompressed(&point[..64]),
        Err(PublicKeyError::NotUncompressed)
    );
    assert_eq!(
        P256PublicKey::from_uncompressed(&[]),
        Err(PublicKeyError::NotUncompressed)
    );
    assert_eq!(
        P256PublicKey::from_uncompressed(&[&point[..], &[0]].concat()),
        Err(PublicKeyError::NotUncompressed)
    );
    point[64] ^= 1;
    assert_eq!(
        P256PublicKey::from_uncompressed(&point),
        Err(PublicKeyError::NotOnCurve)
    );
}

#[test]
fn a_certificates_key_survives_the_round_trip() {
    let key = SoftwareKey::generate("a").unwrap();
    let der = key.public_key().to_spki_der();
    assert_eq!(&P256PublicKey::from_spki_der(&der).unwrap(), key.public_key());
    assert_eq!(
        P256PublicKey::from_spki_der(&der[1..]),
        Err(PublicKeyError::NotP256Spki)
    );
    assert_eq!(
        P256PublicKey::from_spki_der(&[&der[..], &[0]].concat()),
        Err(PublicKeyError::NotUncompressed)
    );
    let mut other_curve = der.clone();
    other_curve[22] ^= 1;
    assert_eq!(
        P256PublicKey::from_spki_der(&other_curve),
        Err(PublicKeyError::NotP256Spki)
    );
}

#[test]
fn the_thumbprint_is_that_of_rfc_9449() {
    // RFC 9449 section 6.1 shows `jkt`, the RFC 7638 thumbprint, of the EC key of its section 4.1.
    let key = Jwk::from_value(&json!({
        "kty": "EC", "crv": "P-256",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    }))
    .unwrap();
    assert_eq!(key.key.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    assert_eq!(
        format!("{:?}", key.key),
        "P256PublicKey(0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I)"
    );
}

#[test]
fn only_present_members_are_written_in_their_order() {
    let mut key = Jwk::from_value(&sound()).unwrap();
    let json = |key: &Jwk| serde_json::to_string(key).unwrap();
    assert_eq!(
        json(&key),
        format!(r#"{{"use":"sig","kid":"a","kty":"EC","crv":"P-256","x":"{X}","y":"{Y}"}}"#)
    );
    key.x5c = vec![vec![0x30, 0]];
    key.alg = Some("ES256".to_owned());
    key.key_use = None;
    key.kid = None;
    assert_eq!(
        json(&key),
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","x5c":["MAA="],"alg":"ES256"}}"#)
    );
    assert_eq!(key.to_value(), serde_json::to_value(&key).unwrap());
    assert_eq!(Jwk::from_value(&key.to_value()).unwrap(), key);
    assert_eq!(serde_json::from_str::<Jwk>(&json(&key)).unwrap(), key);
}

#[test]
fn a_set_skips_what_is_not_ours() {
    let set = json!({"other": 1, "keys": [
        {"kty": "RSA", "n": "AQ", "e": "AQAB", "kid": "a"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"},
        with("use", json!("tls")),
        without("use"),
        with("kid", json!("b")),
    ]});
    let set = JwkSet::from_value(&set).unwrap();
    assert_eq!(set.keys.len(), 2);
    assert_eq!(set.by_kid("a").unwrap().key_use, None);
    assert!(set.by_kid_for("a", KeyUse::Encryption).is_some());
    assert!(set.by_kid_for("b", KeyUse::Encryption).is_none());
    assert!(set.by_kid_for("b", KeyUse::Signature).is_some());
    assert!(set.by_kid("c").is_none());
    assert_eq!(
        serde_json::from_str::<JwkSet>(&serde_json::to_string(&set).unwrap()).unwrap(),
        set
    );
    assert_eq!(JwkSet::from_value(&set.to_value()).unwrap(), set);
    assert!(JwkSet::from_value(&json!({"keys": []})).unwrap().keys.is_empty());
}

#[test]
fn broken_sets_are_refused() {
    let entry = |index, reason| JwkError::Entry {
        index,
        reason: Box::new(reason),
    };
    let many =
        |count: usize| json!({"keys": (0..count).map(|kid| with("kid", json!(kid.to_string()))).collect::<Vec<_>>()});
    let rsa = json!({"kty": "RSA"});
    for (set, expected) in [
        (json!([]), JwkError::NotAnObject),
        (json!({}), JwkError::NoKeys),
        (json!({"keys": {}}), JwkError::NoKeys),
        (json!({"keys": null}), JwkError::NoKeys),
        (json!({"keys": [1]}), entry(0, JwkError::NotAnObject)),
        (
            json!({"keys": [rsa, without("x")]}),
            entry(1, JwkError::Missing { member: "x" }),
        ),
        (
            json!({"keys": [{"kty": "RSA", "d": "AQ"}]}),
            entry(0, JwkError::PrivateMember),
        ),
        (
            json!({"keys": [sound(), with("x", json!(Y))]}),
            entry(1, JwkError::NotOnCurve),
        ),
        (json!({"keys": [sound(), sound()]}), JwkError::DuplicateKid),
        (
            json!({"keys": [sound(), with("use", json!("enc"))]}),
            JwkError::DuplicateKid,
        ),
        (many(MAX_KEYS + 1), JwkError::TooManyKeys),
        (json!({"keys": vec![rsa; MAX_KEYS + 1]}), JwkError::TooManyKeys),
    ] {
        assert_eq!(JwkSet::from_value(&set), Err(expected));
    }
    assert_eq!(JwkSet::from_value(&many(MAX_KEYS)).unwrap().keys.len(), MAX_KEYS);
    let twice = format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","x":"{X}","x":"{X}","y":"{Y}"}}]}}"#);
    assert_eq!(
        JwkSet::parse(twice.as_bytes(), &json::DEFAULT),
        Err(JwkError::Json(JsonError::DuplicateMember { member: "x".to_owned() }))
    );
    assert!(
        serde_json::from_str::<JwkSet>(&twice).is_err(),
        "also where serde_json itself would keep the last"
    );
}

#[test]
fn a_broken_key_inside_another_document_is_named() {
    #[derive(Debug, Deserialize)]
    struct Statement {
        #[serde(rename = "jwks")]
        _jwks: JwkSet,
    }
    let text = json!({"jwks": {"keys": [with("x", json!("AA"))]}}).to_string();
    let error = json::parse_as::<Statement>(text.as_bytes(), &json::DEFAULT)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("member `keys`, entry 0: member `x`") && error.contains("exactly 32 bytes"),
        "{error}"
    );
}

#[test]
fn a_software_key_survives_its_seals() {
    let key = SoftwareKey::generate("a").unwrap();
    let again = SoftwareKey::from_pkcs8_der("a", &key.to_pkcs8_der()).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    assert_eq!(*again.to_scalar(), *key.to_scalar());
    let again = SoftwareKey::from_scalar("a", &key.to_scalar()).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    let message = b"message";
    assert!(key.public_key().verifies(message, &again.sign(message).unwrap()));
    assert_eq!(key.jwk(KeyUse::Encryption).key_use, Some(KeyUse::Encryption));
    assert_eq!(format!("{key:?}"), "SoftwareKey");
}

#[test]
fn the_private_key_of_rfc_7515_has_its_public_key() {
    let scalar = base64url::decode_array("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI").unwrap();
    let key = SoftwareKey::from_scalar("a", &scalar).unwrap();
    assert_eq!(base64url::encode(key.public_key().x()), X);
    assert_eq!(base64url::encode(key.public_key().y()), Y);
}

#[test]
fn broken_private_keys_are_refused() {
    use crate::KeyError;
    let order = *b"\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
    for scalar in [[0; 32], order, [0xff; 32]] {
        assert_eq!(
            SoftwareKey::from_scalar("a", &scalar).unwrap_err(),
            KeyError::NotAScalar
        );
    }
    let mut below = order;
    below[31] -= 1;
    assert!(SoftwareKey::from_scalar("a", &below).is_ok());
    let der = SoftwareKey::generate("a").unwrap().to_pkcs8_der();
    let other = SoftwareKey::generate("b").unwrap().to_pkcs8_der();
    let mismatched = [&der[..138 - 64], &other[138 - 64..]].concat();
    for broken in [
        &[][..],
        &der[1..],
        &der[..137],
        b"text",
        &mismatched,
        &[&der[..], &[0]].concat(),
    ] {
        assert_eq!(
            SoftwareKey::from_pkcs8_der("a", broken).unwrap_err(),
            KeyError::NotP256Pkcs8
        );
    }
}
