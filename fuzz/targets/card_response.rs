//! What a card or a device answers: tokens as text, payloads in a sound frame, and the card's certificate as DER, which
//! base64 would hide from the fuzzer. Authorities and revocation lists are read too.

#![no_main]

use std::sync::LazyLock;

use authenticator::health_card::{
    self, AuthorityRules, CardTrust, UnverifiedCardResponse, UnverifiedCertificate, parse_response,
};
use authenticator::{Ik, challenge, device};
use healthid_fuzz::{NOW, key, key_set, sign};
use jose::{base64url, json};
use libfuzzer_sys::fuzz_target;

/// An invented authority and the card it issued, in the seeds too.
const AUTHORITY: &[u8] = include_bytes!("../seeds/card_response/authority.der");
const CARD: &[u8] = include_bytes!("../seeds/card_response/card.der");

static TRUST: LazyLock<CardTrust> = LazyLock::new(|| {
    let mut trust = CardTrust::new();
    trust
        .add_authority(AUTHORITY, AuthorityRules::gematik_test_pki())
        .expect("the seed is an authority");
    trust
});
static IKS: LazyLock<Vec<Ik>> = LazyLock::new(|| vec![Ik::parse_shape("109500969").expect("nine digits")]);

fn token(certificate: &[u8], payload: &[u8]) -> String {
    use serde_json::Value;
    let header = serde_json::json!({"alg": "BP256R1", "cty": "NJWT", "x5c": [Value::from(standard(certificate))]});
    let part = |bytes: &[u8]| base64url::encode(bytes);
    format!(
        "{}.{}.{}",
        part(header.to_string().as_bytes()),
        part(payload),
        part(&[1; 64])
    )
}

/// Standard base64 with padding, from the other alphabet.
fn standard(bytes: &[u8]) -> String {
    let mut text = base64url::encode(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

fn judge(response: &UnverifiedCardResponse) {
    if health_card::verify_certificate(response, &TRUST, &IKS, NOW).is_ok() {
        // Only the authority's own bytes under its signature pass.
        assert_eq!(
            response.certificate().serial_hex(),
            UnverifiedCertificate::parse(CARD).expect("seed").serial_hex()
        );
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(response) = parse_response(text) {
            judge(&response);
        }
        let _ = device::parse_assertion(text);
        let _ = device::parse_look(text, device::LookPurpose::Requests);
        let _ = device::parse_look(text, device::LookPurpose::Push);
        let _ = challenge::verify(text, &key_set("leaf"), NOW);
    }
    for token in [token(CARD, data), token(data, br#"{"njwt":"challenge"}"#)] {
        if let Ok(response) = parse_response(&token) {
            judge(&response);
        }
    }
    if let Ok(certificate) = UnverifiedCertificate::parse(data) {
        let _ = (
            certificate.serial_hex(),
            certificate.brainpool_point(),
            certificate.organizational_units().len(),
        );
    }
    let mut trust = CardTrust::new();
    let _ = trust.add_authority(data, AuthorityRules::default());
    let _ = trust.add_authority(AUTHORITY, AuthorityRules::default());
    let _ = trust.add_crl(data);
    if json::parse(data, &json::DEFAULT).is_ok()
        && let Some(token) = sign(data, device::ASSERTION_TYP, "leaf")
    {
        let _ = device::parse_assertion(&token).map(|assertion| assertion.challenge_token().len());
        let _ = sign(data, device::LOOK_TYP, "leaf").map(|token| device::parse_look(&token, device::LookPurpose::Push).is_ok());
        let _ =
            sign(data, challenge::TYP, "leaf").map(|token| challenge::verify(&token, &key_set("leaf"), NOW).is_ok());
        assert!(key("leaf").is_some());
    }
});
