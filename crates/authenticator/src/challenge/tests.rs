#![allow(clippy::unwrap_used)]
use jose::SoftwareKey;
use jose::jwk::KeyUse;

use super::*;

const NOW: UnixTime = UnixTime(1_800_000_000);

fn challenge() -> Challenge {
    Challenge {
        iss: "https://idp.example/109900019".into(),
        login_id: [7; 16],
        client_id: "https://epa.example".into(),
        client_name: "Patient record <demo>".into(),
        request_hash: "aGFzaA".into(),
        purpose: Purpose::Login,
        iat: NOW,
        exp: NOW.plus_seconds(LIFETIME_SECONDS),
    }
}

fn key() -> SoftwareKey {
    SoftwareKey::generate("challenge-1").unwrap()
}

fn keys(key: &SoftwareKey) -> JwkSet {
    JwkSet {
        keys: vec![key.jwk(KeyUse::Signature)],
    }
}

fn refusal(token: &str, key: &SoftwareKey, now: UnixTime) -> ChallengeError {
    verify(token, &keys(key), now).unwrap_err()
}

fn signed(payload: &str, typ: Option<&str>, key: &SoftwareKey) -> String {
    jws::sign(
        &jws::SigningHeader {
            typ,
            ..Default::default()
        },
        payload.as_bytes(),
        key,
    )
    .unwrap()
}

#[test]
fn a_challenge_says_after_verification_what_was_issued() {
    let key = key();
    let token = issue(&challenge(), &key).unwrap();
    let verified = verify(&token, &keys(&key), NOW).unwrap();
    assert_eq!(verified.challenge(), &challenge());
    assert_eq!(peek(&token).unwrap(), challenge());
    let own = challenge();
    let check =
        |id: &[u8; 16], client: &str, hash: &str, purpose| verified.check_login(&own.iss, id, client, hash, purpose);
    assert_eq!(
        check(&own.login_id, &own.client_id, &own.request_hash, Purpose::Login),
        Ok(())
    );
    assert_eq!(
        check(&[8; 16], &own.client_id, &own.request_hash, Purpose::Login),
        Err(ChallengeError::Foreign)
    );
    assert_eq!(
        check(&own.login_id, "https://x", &own.request_hash, Purpose::Login),
        Err(ChallengeError::Foreign)
    );
    assert_eq!(
        check(&own.login_id, &own.client_id, "b3RoZXI", Purpose::Login),
        Err(ChallengeError::Foreign)
    );
    assert_eq!(
        check(&own.login_id, &own.client_id, &own.request_hash, Purpose::Account),
        Err(ChallengeError::Foreign)
    );
}

#[test]
fn a_challenge_lives_for_180_seconds() {
    let key = key();
    let token = issue(&challenge(), &key).unwrap();
    assert!(verify(&token, &keys(&key), NOW.plus_seconds(LIFETIME_SECONDS + LEEWAY_SECONDS)).is_ok());
    let late = NOW.plus_seconds(LIFETIME_SECONDS + LEEWAY_SECONDS + 1);
    assert_eq!(refusal(&token, &key, late), ChallengeError::Expired);
    assert_eq!(
        refusal(&token, &key, NOW.minus_seconds(LEEWAY_SECONDS + 1)),
        ChallengeError::FromTheFuture
    );
    let long = Challenge {
        exp: NOW.plus_seconds(LIFETIME_SECONDS + 1),
        ..challenge()
    };
    assert_eq!(
        refusal(&issue(&long, &key).unwrap(), &key, NOW),
        ChallengeError::Lifetime
    );
}

#[test]
fn only_the_providers_keys_sign_challenges() {
    let own = key();
    let stranger = SoftwareKey::generate("challenge-2").unwrap();
    let impostor = key();
    assert_eq!(
        refusal(&issue(&challenge(), &stranger).unwrap(), &own, NOW),
        ChallengeError::UnknownKey
    );
    let forged = issue(&challenge(), &impostor).unwrap();
    assert_eq!(
        refusal(&forged, &own, NOW),
        ChallengeError::Jws(jws::JwsError::NotVerified)
    );
}

#[test]
fn other_tokens_of_the_provider_are_no_challenges() {
    let key = key();
    let token = issue(&challenge(), &key).unwrap();
    let payload = String::from_utf8(base64url::decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    for typ in [None, Some("JWT"), Some("entity-statement+jwt")] {
        assert_eq!(refusal(&signed(&payload, typ, &key), &key, NOW), ChallengeError::Typ);
    }
    for broken in [
        "{}".to_owned(),
        payload.replace("\"purpose\":\"login\"", "\"purpose\":\"payment\""),
        payload.replace("\"jti\":\"", "\"jti\":\"A"),
        payload.replacen('{', "{\"more\":1,", 1),
        payload.replacen('{', "{\"iss\":\"https://other.example\",", 1),
        payload.replace("\"iat\":18", "\"iat\":-18"),
        payload.replace("client_name", "client-name"),
    ] {
        assert_ne!(broken, payload);
        assert_eq!(
            refusal(&signed(&broken, Some(TYP), &key), &key, NOW),
            ChallengeError::Members,
            "{broken}"
        );
    }
    assert!(matches!(refusal(&"x".repeat(9000), &key, NOW), ChallengeError::Jws(_)));
    assert!(matches!(refusal("", &key, NOW), ChallengeError::Jws(_)));
}

#[test]
fn a_sealed_digest_recognises_exactly_the_token_issued() {
    let key = key();
    let token = issue(&challenge(), &key).unwrap();
    let sealed = digest(&token);
    assert_eq!(recognise(&token, &sealed, NOW).unwrap().challenge(), &challenge());
    assert_eq!(
        recognise(&format!("{token}A"), &sealed, NOW).unwrap_err(),
        ChallengeError::Foreign
    );
    let again = issue(
        &Challenge {
            login_id: [8; 16],
            ..challenge()
        },
        &key,
    )
    .unwrap();
    assert_eq!(recognise(&again, &sealed, NOW).unwrap_err(), ChallengeError::Foreign);
    let late = NOW.plus_seconds(LIFETIME_SECONDS + LEEWAY_SECONDS + 1);
    assert_eq!(recognise(&token, &sealed, late).unwrap_err(), ChallengeError::Expired);
}
