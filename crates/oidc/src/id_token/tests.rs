#![allow(clippy::unwrap_used)]
use super::*;
use crate::client::tests::NOW;
use authenticator::{Acr, Amr};
use serde_json::{Value, json};

const ADA: PersonFacts<'_> = PersonFacts {
    birthdate: "1984-02-29",
    display_name: "Dr. Ada-Liv Musterfrau-Öztürk",
    given_name: "Ada-Liv",
    family_name: "Musterfrau-Öztürk",
    sex: "D",
    email: "",
    health_insurance_number: "Q000123451",
    insurer: "109900019",
};

fn outcome() -> LevelOutcome {
    LevelOutcome {
        acr: Acr::High,
        amr: Amr::HealthCard,
        auth_time: NOW.minus_seconds(10),
        states_consent: false,
        states_silent: false,
    }
}

fn token(released: ClaimSet, authentication: &LevelOutcome, person: PersonFacts<'_>) -> Value {
    serde_json::to_value(IdToken {
        iss: "https://idp.example",
        sub: "pseudonym",
        aud: "https://record.example/ti",
        iat: NOW,
        nonce: "nonce",
        authentication,
        released,
        person,
    })
    .unwrap()
}

#[test]
fn without_released_claims_only_the_protocol_members_are_there() {
    assert_eq!(
        token(ClaimSet::EMPTY, &outcome(), ADA),
        json!({
            "iss": "https://idp.example", "sub": "pseudonym", "aud": "https://record.example/ti", "iat": NOW.0, "exp": NOW.0 + 300,
            "nonce": "nonce", "acr": "gematik-ehealth-loa-high", "amr": ["urn:telematik:auth:eGK"], "auth_time": NOW.0 - 10,
        })
    );
}

#[test]
fn each_released_claim_is_a_string_under_its_own_name() {
    let body = token(ClaimSet::all(), &outcome(), ADA);
    for (name, value) in [
        ("birthdate", "1984-02-29"),
        ("urn:telematik:claims:alter", "42"),
        ("urn:telematik:claims:display_name", "Dr. Ada-Liv Musterfrau-Öztürk"),
        ("urn:telematik:claims:given_name", "Ada-Liv"),
        ("urn:telematik:claims:family_name", "Musterfrau-Öztürk"),
        ("urn:telematik:claims:geschlecht", "D"),
        ("urn:telematik:claims:profession", "1.2.276.0.76.4.49"),
        ("urn:telematik:claims:id", "Q000123451"),
        ("urn:telematik:claims:organization", "109900019"),
    ] {
        assert_eq!(body[name], value, "{name}");
    }
    assert_eq!(body.get("urn:telematik:claims:email"), None, "unknown data is left out");
    assert_eq!(body.as_object().unwrap().len(), 9 + 9);
}

#[test]
fn the_health_insurance_number_appears_only_in_the_claim_that_releases_it() {
    let all_but_one = ClaimSet::all().without(ClaimSet::EMPTY.with(Claim::HealthInsuranceNumber));
    assert!(!token(all_but_one, &outcome(), ADA).to_string().contains("Q000123451"));
}

#[test]
fn a_partial_date_of_birth_releases_the_year_and_no_age() {
    let body = token(
        ClaimSet::all(),
        &outcome(),
        PersonFacts {
            birthdate: "1950-00-00",
            ..ADA
        },
    );
    assert_eq!(body["birthdate"], "1950");
    assert_eq!(body.get("urn:telematik:claims:alter"), None);
}

#[test]
fn consent_to_a_lower_level_and_silence_are_stated_where_decided() {
    let lowered = LevelOutcome {
        acr: Acr::Substantial,
        amr: Amr::Other,
        states_consent: true,
        states_silent: true,
        ..outcome()
    };
    let body = token(ClaimSet::EMPTY, &lowered, ADA);
    assert_eq!(body["urn:telematik:auth:consent"], json!(["loa-substantial"]));
    assert_eq!(body["urn:telematik:auth:interactive"], "silent");
}
