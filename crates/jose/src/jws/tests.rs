//! RFC 7515 appendix A.3, round trips, and the table of refused tokens.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::SoftwareKey;
use crate::header::{CertificatesError, MAX_HEADER_BYTES};
use crate::json::DEFAULT;
use crate::jwk::Jwk;

/// RFC 7515 appendix A.3.1.
const RFC_TOKEN: &str = concat!(
    "eyJhbGciOiJFUzI1NiJ9",
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
);

fn rfc_key() -> P256PublicKey {
    let key = json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    Jwk::from_value(&key).unwrap().key
}

fn token_with_header(header: &str) -> String {
    format!(
        "{}.e30.{}",
        base64url::encode(header.as_bytes()),
        base64url::encode(&[1; 64])
    )
}

fn refused(token: &str) -> JwsError {
    parse(token, &DEFAULT).unwrap_err()
}

#[test]
fn the_example_of_rfc_7515_verifies() {
    let token = parse(RFC_TOKEN, &DEFAULT).unwrap();
    assert_eq!(token.header().alg, Algorithm::Es256);
    assert_eq!(token.compact(), RFC_TOKEN);
    let verified = token.verify(&rfc_key()).unwrap();
    assert_eq!(
        verified.bytes(),
        b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
    );
    assert_eq!(verified.claims::<serde_json::Value>(&DEFAULT).unwrap()["iss"], "joe");
    assert_eq!(verified.compact(), RFC_TOKEN);
}

#[test]
fn a_changed_token_or_another_key_does_not_verify() {
    let other = SoftwareKey::generate("other").unwrap();
    assert_eq!(
        parse(RFC_TOKEN, &DEFAULT)
            .unwrap()
            .verify(other.public_key())
            .unwrap_err(),
        JwsError::NotVerified
    );
    for (from, to) in [
        ("eyJhbGciOiJFUzI1NiJ9", "eyJhbGciOiJFUzI1NiIgfQ"),
        (".eyJpc3M", ".eyJpc3N"),
        (".DtEh", ".DtEi"),
    ] {
        let changed = RFC_TOKEN.replace(from, to);
        assert_ne!(changed, RFC_TOKEN);
        assert_eq!(
            parse(&changed, &DEFAULT).unwrap().verify(&rfc_key()).unwrap_err(),
            JwsError::NotVerified
        );
    }
    for bytes in [[0u8; 64], [0xff; 64]] {
        let (signed, _) = RFC_TOKEN.rsplit_once('.').unwrap();
        let changed = format!("{signed}.{}", base64url::encode(&bytes));
        assert_eq!(
            parse(&changed, &DEFAULT).unwrap().verify(&rfc_key()).unwrap_err(),
            JwsError::NotVerified
        );
    }
}

#[test]
fn algorithms_of_other_profiles_are_refused_by_name() {
    for name in [
        "none", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512",
        "ES256K", "EdDSA", "Ed25519", "BP384R1", "dir", "ECDH-ES", "A256GCM",
    ] {
        let error = refused(&token_with_header(&json!({"alg": name}).to_string()));
        assert_eq!(error, JwsError::AlgorithmRefused { name });
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
    for name in ["", "es256", "ES256 ", "None", "nOnE", "X110411675"] {
        let error = refused(&token_with_header(&json!({"alg": name}).to_string()));
        assert_eq!(error, JwsError::AlgorithmRefused { name: "unregistered" }, "{name:?}");
    }
}

#[test]
fn a_brainpool_signature_is_parsed_and_not_verified_as_es256() {
    let token = token_with_header(r#"{"alg":"BP256R1","cty":"NJWT","x5c":["MAA="]}"#);
    let token = parse(&token, &DEFAULT).unwrap();
    assert_eq!(token.header().alg, Algorithm::Bp256R1);
    assert_eq!(token.header().cty.as_deref(), Some("NJWT"));
    assert_eq!(token.header().x5c, [vec![0x30, 0x00]]);
    assert_eq!(
        token.verify(&rfc_key()).unwrap_err(),
        JwsError::AlgorithmRefused { name: "BP256R1" }
    );
}

#[test]
fn members_that_choose_a_key_or_change_the_meaning_are_refused_by_name() {
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("jwk", json!({"kty": "EC"})),
        ("jku", json!("https://attacker.example/jwks")),
        ("x5u", json!("https://attacker.example/cert")),
        ("zip", json!("DEF")),
        ("b64", json!(false)),
        ("b64", json!(null)),
    ] {
        let error = refused(&token_with_header(
            &json!({"alg": "ES256", "kid": "a", member: value}).to_string(),
        ));
        assert_eq!(error, JwsError::Header(HeaderError::Forbidden { member }));
        assert!(error.to_string().contains(&format!("`{member}`")), "{error}");
    }
}

#[test]
fn broken_headers_are_refused() {
    let header = |error| JwsError::Header(error);
    let certificates = |error| JwsError::Header(HeaderError::Certificates(error));
    let duplicate = |member: &str| {
        JwsError::Header(HeaderError::Json(crate::json::JsonError::DuplicateMember {
            member: member.to_owned(),
        }))
    };
    let big = json!(vec![base64_of(4000); 3]);
    for (text, expected) in [
        (r#"{}"#.to_owned(), header(HeaderError::Missing { member: "alg" })),
        (
            r#"{"kid":"a"}"#.to_owned(),
            header(HeaderError::Missing { member: "alg" }),
        ),
        (
            r#"{"alg":256}"#.to_owned(),
            header(HeaderError::NotAString { member: "alg" }),
        ),
        (
            r#"{"alg":null}"#.to_owned(),
            header(HeaderError::NotAString { member: "alg" }),
        ),
        (
            r#"{"alg":"ES256","kid":7}"#.to_owned(),
            header(HeaderError::NotAString { member: "kid" }),
        ),
        (
            r#"{"alg":"ES256","typ":["JWT"]}"#.to_owned(),
            header(HeaderError::NotAString { member: "typ" }),
        ),
        (
            r#"{"alg":"ES256","cty":{}}"#.to_owned(),
            header(HeaderError::NotAString { member: "cty" }),
        ),
        (r#"{"alg":"none","alg":"ES256"}"#.to_owned(), duplicate("alg")),
        (r#"{"alg":"ES256","al\u0067":"none"}"#.to_owned(), duplicate("alg")),
        (r#"{"alg":"ES256","kid":"a","kid":"b"}"#.to_owned(), duplicate("kid")),
        (
            r#"{"alg":"ES256","x5c":["MAA="],"x5c":["MAA="]}"#.to_owned(),
            duplicate("x5c"),
        ),
        (r#"{"alg":"ES256","jti":1,"jti":1}"#.to_owned(), duplicate("jti")),
        (r#"{"alg":"ES256","o":{"p":1,"p":2}}"#.to_owned(), duplicate("p")),
        (
            r#"{"alg":"ES256","x5c":"MAA="}"#.to_owned(),
            certificates(CertificatesError::NotAList),
        ),
        (
            r#"{"alg":"ES256","x5c":[]}"#.to_owned(),
            certificates(CertificatesError::NotAList),
        ),
        (
            r#"{"alg":"ES256","x5c":["MA-_"]}"#.to_owned(),
            certificates(CertificatesError::NotBase64),
        ),
        (
            r#"{"alg":"ES256","x5c":["MAB="]}"#.to_owned(),
            certificates(CertificatesError::NotBase64),
        ),
        (
            r#"{"alg":"ES256","x5c":["AAA="]}"#.to_owned(),
            certificates(CertificatesError::NotDer),
        ),
        (
            r#"{"alg":"ES256","x5c":["MAA=","MAA=","MAA=","MAA=","MAA="]}"#.to_owned(),
            certificates(CertificatesError::TooMany),
        ),
        (
            json!({"alg": "ES256", "x5c": [base64_of(4097)]}).to_string(),
            certificates(CertificatesError::TooLong),
        ),
        (
            json!({"alg": "ES256", "x5c": big}).to_string(),
            header(HeaderError::TooLong),
        ),
        (
            format!(r#"{{"alg":"ES256","n":{}{}}}"#, "[".repeat(16), "]".repeat(16)),
            header(HeaderError::Json(crate::json::JsonError::TooDeep { limit: 16 })),
        ),
    ] {
        assert_eq!(refused(&token_with_header(&text)), expected, "{text:.80}");
    }
    for text in [
        "",
        "[]",
        "\"ES256\"",
        "{\"alg\":\"ES256\"}x",
        "{\"alg\":\"ES256\"",
        "{'alg':'ES256'}",
    ] {
        assert!(
            matches!(
                refused(&token_with_header(text)),
                JwsError::Header(HeaderError::Json(_))
            ),
            "{text}"
        );
    }
    let not_utf8 = format!(
        "{}.e30.{}",
        base64url::encode(b"{\"alg\":\"ES256\",\"kid\":\"\xff\"}"),
        base64url::encode(&[1; 64])
    );
    assert_eq!(
        refused(&not_utf8),
        header(HeaderError::Json(crate::json::JsonError::NotUtf8))
    );
}

/// A SEQUENCE of this many bytes in all, as `x5c` carries it.
fn base64_of(length: usize) -> String {
    header::certificate_text(&sequence(length))
}

fn sequence(length: usize) -> Vec<u8> {
    let [high, low] = u16::try_from(length - 4).unwrap().to_be_bytes();
    [vec![0x30, 0x82, high, low], vec![0; length - 4]].concat()
}

#[test]
fn other_members_are_kept_and_do_no_harm() {
    let token = token_with_header(r#"{"alg":"ES256","typ":"JWT","version":"2.0.0","n":{"a":[1]}}"#);
    let token = parse(&token, &DEFAULT).unwrap();
    assert_eq!(token.header().typ.as_deref(), Some("JWT"));
    assert_eq!(
        serde_json::Value::Object(token.header().other.clone()),
        json!({"version": "2.0.0", "n": {"a": [1]}})
    );
}

#[test]
fn broken_serialisations_are_refused() {
    let signature = base64url::encode(&[1; 64]);
    let header = base64url::encode(br#"{"alg":"ES256"}"#);
    let length = |expected| JwsError::Signature(Base64UrlError::Length { expected });
    for (token, expected) in [
        (String::new(), JwsError::NotThreeParts),
        (header.clone(), JwsError::NotThreeParts),
        (format!("{header}.e30"), JwsError::NotThreeParts),
        (format!("{header}.e30.{signature}."), JwsError::NotThreeParts),
        (format!("{header}.e30.{signature}.e30"), JwsError::NotThreeParts),
        (format!(".{header}.e30.{signature}"), JwsError::NotThreeParts),
        (format!("{header}.e30."), length(64)),
        (format!("{header}.e30.{}", base64url::encode(&[1; 63])), length(64)),
        (format!("{header}.e30.{}", base64url::encode(&[1; 65])), length(64)),
        // DER instead of r and s.
        (format!("{header}.e30.{}", base64url::encode(&[0x30; 70])), length(64)),
        (
            format!("{header}.e30.{signature}="),
            JwsError::Signature(Base64UrlError::Padding),
        ),
        (
            format!("{header}.e30.{}R", &signature[..85]),
            JwsError::Signature(Base64UrlError::NotCanonical),
        ),
        (
            format!("{header}.e31.{signature}"),
            JwsError::Payload(Base64UrlError::NotCanonical),
        ),
        (
            format!("{header}.e30=.{signature}"),
            JwsError::Payload(Base64UrlError::Padding),
        ),
        (
            format!("{header}.e3 0.{signature}"),
            JwsError::Payload(Base64UrlError::Alphabet { offset: 2 }),
        ),
        (
            format!("{header}=.e30.{signature}"),
            JwsError::Header(HeaderError::Base64Url(Base64UrlError::Padding)),
        ),
        (
            format!(" {header}.e30.{signature}"),
            JwsError::Header(HeaderError::Base64Url(Base64UrlError::Alphabet { offset: 0 })),
        ),
        (
            format!("{header}.e30.{signature}\n"),
            JwsError::Signature(Base64UrlError::Alphabet { offset: 86 }),
        ),
        (
            format!("{header}.{}.{signature}", "A".repeat(DEFAULT.bytes)),
            JwsError::TooLong { limit: DEFAULT.bytes },
        ),
        (
            format!(
                "{}.e30.{signature}",
                "A".repeat(base64url::encoded_length(MAX_HEADER_BYTES) + 1)
            ),
            JwsError::Header(HeaderError::TooLong),
        ),
    ] {
        assert_eq!(refused(&token), expected, "{token:.80}");
    }
}

#[test]
fn the_signed_header_has_its_members_in_order() {
    let key = SoftwareKey::generate("k\"1").unwrap();
    let certificates = [vec![0x30, 0x00], vec![0x30, 0x01, 0x00]];
    let header = SigningHeader {
        typ: Some("JWT"),
        cty: Some("a\\b"),
        x5c: &certificates,
        extra: &[("version", "2.0.0"), ("other", "ä\u{1}")],
    };
    let token = sign(&header, b"", &key).unwrap();
    let (first, _) = token.split_once('.').unwrap();
    let expected = r#"{"alg":"ES256","kid":"k\"1","typ":"JWT","cty":"a\\b","x5c":["MAA=","MAEA"],"version":"2.0.0","other":"ä\u0001"}"#;
    assert_eq!(String::from_utf8(base64url::decode(first).unwrap()).unwrap(), expected);
    let verified = parse(&token, &DEFAULT).unwrap().verify(key.public_key()).unwrap();
    assert_eq!(verified.header().kid.as_deref(), Some("k\"1"));
    assert_eq!(verified.header().x5c, certificates);
    assert_eq!(verified.header().other["version"], "2.0.0");
    assert_eq!(verified.bytes(), b"");
}

#[test]
fn extra_members_cannot_replace_ours() {
    let key = SoftwareKey::generate("a").unwrap();
    for member in [
        "alg", "kid", "typ", "cty", "x5c", "crit", "jwk", "jku", "x5u", "zip", "b64",
    ] {
        let header = SigningHeader {
            extra: &[(member, "x")],
            ..Default::default()
        };
        assert_eq!(
            sign(&header, b"{}", &key).unwrap_err(),
            SignError::ReservedHeaderMember { member }
        );
    }
    let header = SigningHeader {
        extra: &[("a", "x"), ("b", "x"), ("a", "y")],
        ..Default::default()
    };
    assert_eq!(
        sign(&header, b"{}", &key).unwrap_err(),
        SignError::DuplicateHeaderMember
    );
}

#[test]
fn debug_shows_no_content() {
    let token = parse(RFC_TOKEN, &DEFAULT).unwrap();
    assert_eq!(
        format!("{token:?} {:?}", token.verify(&rfc_key()).unwrap()),
        "UnverifiedJws VerifiedPayload"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_signed_verifies(
        kid in any::<String>(),
        typ in proptest::option::of(any::<String>()),
        payload in proptest::collection::vec(any::<u8>(), 0..500),
        flipped in any::<proptest::sample::Index>(),
    ) {
        let key = SoftwareKey::generate(kid.clone()).unwrap();
        let header = SigningHeader { typ: typ.as_deref(), ..Default::default() };
        let token = sign(&header, &payload, &key).unwrap();
        let verified = parse(&token, &DEFAULT).unwrap().verify(key.public_key()).unwrap();
        prop_assert_eq!(verified.bytes(), &payload[..]);
        prop_assert_eq!(verified.header().kid.as_deref(), Some(kid.as_str()));
        prop_assert_eq!(&verified.header().typ, &typ);

        // No single changed character verifies.
        let mut changed = token.clone().into_bytes();
        let at = flipped.index(changed.len());
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        if let Ok(parsed) = parse(std::str::from_utf8(&changed).unwrap(), &DEFAULT) {
            prop_assert!(parsed.verify(key.public_key()).is_err());
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(header in ".{0,60}", payload in "[A-Za-z0-9_=-]{0,20}", end in ".{0,90}") {
        let _ = parse(&format!("{header}.{payload}.{end}"), &DEFAULT);
        let _ = parse(&token_with_header(&header), &DEFAULT);
    }
}
