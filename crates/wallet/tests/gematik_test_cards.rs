//! The cards gematik's test PKI publishes: every valid one logs in, every invalid one is refused for its own reason.
//!
//! The files are no part of this repository (`../shared/testdata/egk`); without them the tests say that they skip.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::path::PathBuf;

use authenticator::challenge::{self, Challenge, Purpose, VerifiedChallenge};
use authenticator::health_card::{
    self, AuthorityRules, CardTrust, CheckDigits, HealthCardError, RevokedCard, TrustError,
};
use authenticator::{AuthenticatedPerson, Ik};
use jose::jwk::{JwkSet, KeyUse};
use jose::{SoftwareKey, UnixTime};
use wallet::card::{ANY_PIN_EXAMPLE, P12Error, VirtualCard};

/// 2026-01-01: the valid cards are valid, and so is their authority.
const NOW: UnixTime = UnixTime(1_767_225_600);

fn file(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/testdata/egk")).join(name);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        println!(
            "SKIPPED: gematik's test card {name} is absent (expected at {})",
            path.display()
        );
    }
    bytes
}

fn challenge() -> VerifiedChallenge {
    let key = SoftwareKey::generate("idp").unwrap();
    let challenge = Challenge {
        iss: "https://idp.example".into(),
        login_id: [7; 16],
        client_id: "https://epa.example".into(),
        client_name: "Patient record".into(),
        request_hash: "aGFzaA".into(),
        purpose: Purpose::Login,
        iat: NOW,
        exp: NOW.plus_seconds(challenge::LIFETIME_SECONDS),
    };
    let token = challenge::issue(&challenge, &key).unwrap();
    challenge::verify(
        &token,
        &JwkSet {
            keys: vec![key.jwk(KeyUse::Signature)],
        },
        NOW,
    )
    .unwrap()
}

/// Insurers of the published cards; the check digit of 899077891 does not fit.
fn insurers() -> Vec<Ik> {
    ["109500969", "999567890", "899077891", "601575519"]
        .map(|ik| Ik::parse_shape(ik).unwrap())
        .to_vec()
}

fn trust(rules: AuthorityRules) -> Option<CardTrust> {
    let mut trust = CardTrust::new();
    trust
        .add_authority(&file("ca/GEM.EGK-CA51_TEST-ONLY.der")?, rules)
        .unwrap();
    Some(trust)
}

fn log_in(name: &str, trust: &CardTrust, insurers: &[Ik]) -> Option<Result<AuthenticatedPerson, HealthCardError>> {
    let mut card = VirtualCard::load_p12(&file(name)?, "00").unwrap();
    let challenge = challenge();
    let answer = card
        .verify_pin(ANY_PIN_EXAMPLE)
        .unwrap()
        .sign_challenge(challenge.token());
    let response = health_card::parse_response(&answer).unwrap();
    Some(health_card::verify(&response, &challenge, trust, insurers, NOW))
}

#[test]
fn every_published_valid_card_logs_in() {
    let Some(trust) = trust(AuthorityRules::gematik_test_pki()) else {
        return;
    };
    for (name, kvnr, ik) in [
        (
            "valid/80276883110000161754-C_CH_AUT_E256.p12",
            "X110675903",
            "999567890",
        ),
        (
            "valid/80276883110000129089-2-C_CH_AUT_E256.p12",
            "X110506918",
            "999567890",
        ),
        (
            "valid/109500969_X114428530-2_c.ch.aut-ecc.p12",
            "X114428530",
            "109500969",
        ),
    ] {
        let Some(result) = log_in(name, &trust, &insurers()) else {
            return;
        };
        let person = result.unwrap();
        assert_eq!(person.kvnr().unwrap().as_str(), kvnr);
        assert_eq!(person.ik().unwrap().as_str(), ik);
    }
}

#[test]
fn every_published_invalid_card_is_refused_for_its_own_reason() {
    let Some(mut trust) = trust(AuthorityRules::gematik_test_pki()) else {
        return;
    };
    // gematik answers for this card by OCSP only, so the refusal has to be configured.
    let revoked = RevokedCard {
        issuer: "GEM.EGK-CA51 TEST-ONLY".into(),
        serial: "033EF550AA6817".into(),
    };
    trust.revoke(&revoked).unwrap();
    for (name, reason) in [
        ("egk-idp-idnumber-a-expired-ecc", HealthCardError::Expired),
        (
            "egk-idp-idnumber-a-invalid-issuer-53-ecc",
            HealthCardError::UnknownAuthority,
        ),
        (
            "versicherter-idp-invalidSignature-ecc-2",
            HealthCardError::CertificateSignature,
        ),
        ("egk-idp-profid-null-ecc-2", HealthCardError::AdmissionMissing),
        ("egk-idp-profid-invoid1-ecc-2", HealthCardError::Profession),
        ("egk-idp-idnum-null-ecc-2", HealthCardError::InsuranceNumberMissing),
        (
            "egk-idp-idnum-invalididnum-ecc-2",
            HealthCardError::InsuranceNumberMalformed,
        ),
        ("egk-idp-idnumber-a-revoked-ecc-2", HealthCardError::Revoked),
    ] {
        let Some(result) = log_in(&format!("invalid/{name}.p12"), &trust, &insurers()) else {
            return;
        };
        assert_eq!(result.unwrap_err(), reason, "{name}");
    }
}

#[test]
fn a_foreign_insurers_card_is_refused() {
    let Some(trust) = trust(AuthorityRules::gematik_test_pki()) else {
        return;
    };
    let other = [Ik::parse("109900019").unwrap()];
    let name = "valid/80276883110000161754-C_CH_AUT_E256.p12";
    let Some(result) = log_in(name, &trust, &other) else {
        return;
    };
    assert_eq!(result.unwrap_err(), HealthCardError::InsurerNotAccepted);
}

#[test]
fn strict_rules_refuse_the_test_pki_for_what_it_lacks() {
    // One published valid card carries a KVNR whose check digit does not fit.
    let Some(strict_digits) = trust(AuthorityRules {
        check_digits: CheckDigits::Required,
        ..AuthorityRules::gematik_test_pki()
    }) else {
        return;
    };
    let name = "valid/109500969_X114428530-2_c.ch.aut-ecc.p12";
    let Some(result) = log_in(name, &strict_digits, &insurers()) else {
        return;
    };
    assert_eq!(result.unwrap_err(), HealthCardError::CheckDigit);
    // The test PKI publishes no revocation list.
    let Some(strict) = trust(AuthorityRules::default()) else {
        return;
    };
    let name = "valid/80276883110000161754-C_CH_AUT_E256.p12";
    let Some(result) = log_in(name, &strict, &insurers()) else {
        return;
    };
    assert_eq!(result.unwrap_err(), HealthCardError::RevocationUnknown);
}

#[test]
fn authorities_are_read_from_der_and_pem_and_cards_are_none() {
    let Some(pem) = file("ca/GEM.KOMP-CA51-TEST-ONLY.pem") else {
        return;
    };
    let mut trust = CardTrust::new();
    trust.add_authority(&pem, AuthorityRules::default()).unwrap();
    let Some(card) = file("valid/109500969_X114428530-2_c.ch.aut-ecc.p12") else {
        return;
    };
    let card = VirtualCard::load_p12(&card, "00").unwrap();
    let refused = trust.add_authority(card.certificate(), AuthorityRules::default());
    assert_eq!(refused, Err(TrustError::NotAnAuthority));
}

#[test]
fn a_wrong_password_is_refused() {
    let Some(card) = file("valid/109500969_X114428530-2_c.ch.aut-ecc.p12") else {
        return;
    };
    assert_eq!(
        VirtualCard::load_p12(&card, "01").map(|_| ()),
        Err(P12Error::Unreadable)
    );
}
