//! Round trips and the table of refused tokens.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::SoftwareKey;
use crate::json::{DEFAULT, JsonError};

const HEADER: EncryptionHeader<'static> = EncryptionHeader {
    kid: "puk_enc",
    cty: Some("JWT"),
    version: Some("2.0.0"),
};

fn key() -> SoftwareKey {
    SoftwareKey::generate("puk_enc").unwrap()
}

fn epk() -> Value {
    let point = key();
    json!({
        "kty": "EC", "crv": "P-256",
        "x": base64url::encode(point.public_key().x()), "y": base64url::encode(point.public_key().y()),
    })
}

fn sound_header() -> Value {
    json!({"alg": "ECDH-ES", "enc": "A256GCM", "kid": "puk_enc", "epk": epk()})
}

fn with(member: &str, value: Value) -> Value {
    let mut header = sound_header();
    header[member] = value;
    header
}

fn without(member: &str) -> Value {
    let mut header = sound_header();
    header.as_object_mut().unwrap().remove(member);
    header
}

fn token_with_header(header: &str) -> String {
    let part = |length: usize| base64url::encode(&vec![1; length]);
    format!(
        "{}..{}.{}.{}",
        base64url::encode(header.as_bytes()),
        part(12),
        part(5),
        part(16)
    )
}

fn refused(token: &str) -> JweError {
    parse(token, &DEFAULT).unwrap_err()
}

#[test]
fn the_header_has_its_members_in_order() {
    let recipient = key();
    let header = |header: &EncryptionHeader<'_>| {
        let token = encrypt(header, recipient.public_key(), b"{}").unwrap();
        let json = base64url::decode(token.split('.').next().unwrap()).unwrap();
        let text = String::from_utf8(json).unwrap();
        let epk = text
            .split_once(r#""x":""#)
            .unwrap()
            .1
            .split_once('}')
            .unwrap()
            .0
            .to_owned();
        text.replace(&epk, "…")
    };
    assert_eq!(
        header(&HEADER),
        r#"{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","kid":"puk_enc","epk":{"kty":"EC","crv":"P-256","x":"…},"version":"2.0.0"}"#
    );
    assert_eq!(
        header(&EncryptionHeader {
            kid: "a\"b",
            cty: None,
            version: None
        }),
        r#"{"alg":"ECDH-ES","enc":"A256GCM","kid":"a\"b","epk":{"kty":"EC","crv":"P-256","x":"…}}"#
    );
}

#[test]
fn the_recipient_decrypts_and_nobody_else() {
    let recipient = key();
    let token = encrypt(&HEADER, recipient.public_key(), b"plaintext").unwrap();
    let parsed = parse(&token, &DEFAULT).unwrap();
    assert_eq!(parsed.header().kid.as_deref(), Some("puk_enc"));
    assert_eq!(parsed.header().cty.as_deref(), Some("JWT"));
    assert_eq!(parsed.header().version.as_deref(), Some("2.0.0"));
    assert_eq!((parsed.header().alg(), parsed.header().enc()), ("ECDH-ES", "A256GCM"));
    assert_eq!(parsed.header().typ, None);
    assert!(parsed.header().apu.is_empty() && parsed.header().apv.is_empty());
    assert_eq!(&*parsed.decrypt(&recipient).unwrap(), b"plaintext");
    assert_eq!(parsed.decrypt(&key()).unwrap_err(), JweError::NotDecrypted);
    assert_eq!(format!("{parsed:?}"), "UnverifiedJwe");
}

#[test]
fn every_token_has_its_own_key_and_nonce() {
    let recipient = key();
    let token = || encrypt(&HEADER, recipient.public_key(), b"same").unwrap();
    let (first, second) = (token(), token());
    for (index, (one, other)) in first.split('.').zip(second.split('.')).enumerate() {
        assert_eq!(one == other, index == 1, "part {index}");
    }
}

#[test]
fn the_parties_names_take_part_in_the_key() {
    // No sender of the profile names the parties, but RFC 7518 section 4.6.1 lets a sender do it.
    let recipient = key();
    let token = encrypt(&HEADER, recipient.public_key(), b"x").unwrap();
    let (header, rest) = token.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&base64url::decode(header).unwrap()).unwrap();
    header["apu"] = json!("QWxpY2U");
    header["apv"] = json!("Qm9i");
    let changed = format!("{}.{rest}", base64url::encode(header.to_string().as_bytes()));
    let parsed = parse(&changed, &DEFAULT).unwrap();
    assert_eq!(
        (&parsed.header().apu[..], &parsed.header().apv[..]),
        (&b"Alice"[..], &b"Bob"[..])
    );
    assert_eq!(parsed.decrypt(&recipient).unwrap_err(), JweError::NotDecrypted);
}

#[test]
fn other_algorithms_are_refused_by_name() {
    for name in [
        "ECDH-ES+A128KW",
        "ECDH-ES+A256KW",
        "RSA-OAEP",
        "RSA-OAEP-256",
        "RSA1_5",
        "A256KW",
        "dir",
        "none",
    ] {
        let error = refused(&token_with_header(&with("alg", json!(name)).to_string()));
        assert_eq!(error, JweError::AlgorithmRefused { name });
    }
    for name in ["A128GCM", "A192GCM", "A128CBC-HS256", "A256CBC-HS512"] {
        let error = refused(&token_with_header(&with("enc", json!(name)).to_string()));
        assert_eq!(error, JweError::EncryptionRefused { name });
    }
    let error = refused(&token_with_header(&with("alg", json!("ecdh-es")).to_string()));
    assert_eq!(error, JweError::AlgorithmRefused { name: "unregistered" });
    let error = refused(&token_with_header(&with("enc", json!("X110411675")).to_string()));
    assert_eq!(error, JweError::EncryptionRefused { name: "unregistered" });
}

#[test]
fn broken_headers_are_refused() {
    use HeaderError as H;
    let key_error = |error| JweError::EphemeralKey(error);
    let with_epk = |member: &str, value: Value| {
        let mut key = epk();
        key[member] = value;
        with("epk", key)
    };
    let long = json!(base64url::encode(&[1; MAX_PARTY_INFO_BYTES + 1]));
    let length = Base64UrlError::Length { expected: 32 };
    for (header, expected) in [
        (without("alg"), H::Missing { member: "alg" }.into()),
        (without("enc"), H::Missing { member: "enc" }.into()),
        (without("epk"), H::Missing { member: "epk" }.into()),
        (with("enc", json!(1)), H::NotAString { member: "enc" }.into()),
        (with("kid", json!(1)), H::NotAString { member: "kid" }.into()),
        (with("cty", json!([])), H::NotAString { member: "cty" }.into()),
        (with("version", json!(2)), H::NotAString { member: "version" }.into()),
        (with("zip", json!("DEF")), H::Forbidden { member: "zip" }.into()),
        (with("crit", json!(["zip"])), H::Forbidden { member: "crit" }.into()),
        (with("jwk", epk()), H::Forbidden { member: "jwk" }.into()),
        (
            with("jku", json!("https://attacker.example")),
            H::Forbidden { member: "jku" }.into(),
        ),
        (
            with("x5u", json!("https://attacker.example")),
            H::Forbidden { member: "x5u" }.into(),
        ),
        (with("epk", json!("text")), key_error(JwkError::NotAnObject)),
        (with_epk("d", json!("AQ")), key_error(JwkError::PrivateMember)),
        (with_epk("kty", json!("OKP")), key_error(JwkError::KeyType)),
        (with_epk("crv", json!("P-384")), key_error(JwkError::Curve)),
        (with_epk("crv", json!("P-521")), key_error(JwkError::Curve)),
        (
            with_epk("x", json!(base64url::encode(&[1; 32]))),
            key_error(JwkError::NotOnCurve),
        ),
        (
            with_epk("x", json!(base64url::encode(&[1; 33]))),
            key_error(JwkError::Coordinate {
                member: "x",
                reason: length,
            }),
        ),
        (
            with_epk("y", json!(base64url::encode(&[1; 31]))),
            key_error(JwkError::Coordinate {
                member: "y",
                reason: length,
            }),
        ),
        (with("apu", json!(1)), JweError::PartyInfo { member: "apu" }),
        (with("apv", json!("QWxpY2U=")), JweError::PartyInfo { member: "apv" }),
        (with("apv", long), JweError::PartyInfo { member: "apv" }),
    ] {
        assert_eq!(refused(&token_with_header(&header.to_string())), expected, "{header}");
    }
    let twice = sound_header()
        .to_string()
        .replace(r#""enc":"#, r#""enc":"A128GCM","enc":"#);
    let duplicate = JsonError::DuplicateMember {
        member: "enc".to_owned(),
    };
    assert_eq!(refused(&token_with_header(&twice)), H::Json(duplicate).into());
}

#[test]
fn broken_serialisations_are_refused() {
    let recipient = key();
    let token = encrypt(&HEADER, recipient.public_key(), b"plaintext").unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let replaced = |index: usize, part: &str| {
        let mut parts = parts.clone();
        parts[index] = part;
        parts.join(".")
    };
    let bytes = |length: usize| base64url::encode(&vec![1; length]);
    let length = |expected| Base64UrlError::Length { expected };
    for (token, expected) in [
        (String::new(), JweError::NotFiveParts),
        (parts[..4].join("."), JweError::NotFiveParts),
        (parts[..3].join("."), JweError::NotFiveParts),
        (format!("{token}."), JweError::NotFiveParts),
        (format!("{token}.AA"), JweError::NotFiveParts),
        (replaced(1, "AA"), JweError::EncryptedKey),
        (replaced(1, &bytes(40)), JweError::EncryptedKey),
        (replaced(2, ""), JweError::InitializationVector(length(12))),
        (replaced(2, &bytes(11)), JweError::InitializationVector(length(12))),
        (replaced(2, &bytes(13)), JweError::InitializationVector(length(12))),
        (replaced(2, &bytes(16)), JweError::InitializationVector(length(12))),
        (replaced(3, "AB"), JweError::Ciphertext(Base64UrlError::NotCanonical)),
        (replaced(3, "AA=="), JweError::Ciphertext(Base64UrlError::Padding)),
        (replaced(4, ""), JweError::Tag(length(16))),
        (replaced(4, &bytes(12)), JweError::Tag(length(16))),
        (replaced(4, &bytes(15)), JweError::Tag(length(16))),
        (replaced(4, &bytes(17)), JweError::Tag(length(16))),
        (
            replaced(4, &format!("{}=", parts[4])),
            JweError::Tag(Base64UrlError::Padding),
        ),
        (
            replaced(0, ""),
            HeaderError::Json(JsonError::Syntax { line: 1, column: 0 }).into(),
        ),
        (
            replaced(3, &"A".repeat(DEFAULT.bytes)),
            JweError::TooLong { limit: DEFAULT.bytes },
        ),
        (replaced(0, &"A".repeat(12_000)), HeaderError::TooLong.into()),
    ] {
        assert_eq!(refused(&token), expected, "{token:.80}");
    }
}

#[test]
fn a_changed_token_does_not_decrypt() {
    let recipient = key();
    let token = encrypt(&HEADER, recipient.public_key(), b"plaintext").unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let header = String::from_utf8(base64url::decode(parts[0]).unwrap()).unwrap();
    for (index, part) in [
        (0, base64url::encode(header.replace("2.0.0", "1.0.0").as_bytes())),
        (0, base64url::encode(header.replace("puk_enc", "puk_eng").as_bytes())),
        (0, base64url::encode(header.replace('}', "} ").as_bytes())),
        (2, base64url::encode(&[0; 12])),
        (3, base64url::encode(b"plaintext")),
        (3, String::new()),
        (4, base64url::encode(&[0; 16])),
    ] {
        let mut parts = parts.clone();
        parts[index] = &part;
        let changed = parse(&parts.join("."), &DEFAULT).unwrap();
        assert_eq!(
            changed.decrypt(&recipient).unwrap_err(),
            JweError::NotDecrypted,
            "part {index}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_encrypted_decrypts(
        kid in any::<String>(),
        cty in proptest::option::of(any::<String>()),
        version in proptest::option::of(any::<String>()),
        plaintext in proptest::collection::vec(any::<u8>(), 0..3000),
    ) {
        let recipient = key();
        let header = EncryptionHeader { kid: &kid, cty: cty.as_deref(), version: version.as_deref() };
        let token = encrypt(&header, recipient.public_key(), &plaintext).unwrap();
        let parsed = parse(&token, &DEFAULT).unwrap();
        prop_assert_eq!(&*parsed.decrypt(&recipient).unwrap(), &plaintext);
        prop_assert_eq!(parsed.header().kid.as_deref(), Some(kid.as_str()));
        prop_assert_eq!(&parsed.header().cty, &cty);
        prop_assert_eq!(&parsed.header().version, &version);
    }

    #[test]
    fn no_text_makes_the_parser_panic(header in ".{0,60}", rest in "[A-Za-z0-9_=.-]{0,60}") {
        let _ = parse(&format!("{header}.{rest}"), &DEFAULT);
        let _ = parse(&token_with_header(&header), &DEFAULT);
    }
}
