#![allow(clippy::unwrap_used)]
use std::sync::LazyLock;

use ecdsa::signature::Signer as _;
use jose::base64url;
use jose::jwk::{JwkSet, KeyUse};
use jose::{SoftwareKey, jws};
use proptest::prelude::*;

use super::*;
use crate::challenge::{self, Challenge, Purpose};

use crate::certificate_writer::{self as writer, IssuerKey, Template};

type CardKey = ecdsa::SigningKey<bp256::r1::BrainpoolP256r1>;

const NOW: UnixTime = UnixTime(1_800_000_000);
const DAY: u64 = 86_400;
const KVNR: &str = "Q000123451";
const IK: &str = "109900019";

fn key(number: u8) -> CardKey {
    CardKey::from_slice(&[number; 32]).unwrap()
}

fn issuer(number: u8) -> IssuerKey {
    IssuerKey::Brainpool(Box::new(key(number)))
}

fn authority_name() -> Vec<u8> {
    writer::name(&[(writer::COUNTRY, "DE"), (writer::COMMON_NAME, "GEM.EGK-CA98 TEST-ONLY")])
}

fn authority_template() -> Template {
    let spki = issuer(1).spki();
    Template {
        serial: vec![1],
        issuer: authority_name(),
        not_before: NOW.minus_seconds(DAY),
        not_after: NOW.plus_seconds(1000 * DAY),
        subject: authority_name(),
        extensions: vec![
            writer::subject_key_identifier(&spki),
            writer::basic_constraints(true),
            writer::key_usage(writer::CERTIFICATE_AND_LIST_SIGN),
        ],
        spki,
    }
}

fn authority() -> Vec<u8> {
    writer::certificate(&authority_template(), &issuer(1)).unwrap()
}

/// Trusts the authority with a current, empty list.
static TRUST: LazyLock<CardTrust> = LazyLock::new(trust);
/// A card without defect.
static CARD: LazyLock<Vec<u8>> = LazyLock::new(|| writer::certificate(&card_template(), &issuer(1)).unwrap());

fn subject(units: &[&str]) -> Vec<u8> {
    let mut attributes = vec![(writer::COUNTRY, "DE"), (writer::ORGANIZATION, "Testkasse")];
    attributes.extend(units.iter().map(|unit| (writer::ORGANIZATIONAL_UNIT, *unit)));
    attributes.push((writer::COMMON_NAME, "Ada-Liv Musterfrau-Öztürk"));
    writer::name(&attributes)
}

const POLICY: usize = 2;
const ADMISSION: usize = 3;
const CONSTRAINTS: usize = 4;
const USAGE: usize = 5;

fn card_template() -> Template {
    let spki = issuer(2).spki();
    Template {
        serial: vec![0x00, 0x9b, 0x01],
        issuer: authority_name(),
        not_before: NOW.minus_seconds(DAY),
        not_after: NOW.plus_seconds(DAY),
        subject: subject(&[IK, KVNR]),
        extensions: vec![
            writer::subject_key_identifier(&spki),
            writer::authority_key_identifier(&issuer(1).spki()),
            writer::policies(&["1.2.276.0.76.4.163", "1.2.276.0.76.4.70"]),
            writer::admission("Versicherte/-r", "1.2.276.0.76.4.49"),
            writer::basic_constraints(false),
            writer::key_usage(writer::DIGITAL_SIGNATURE),
        ],
        spki,
    }
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

fn compact(header: &serde_json::Value, payload: &serde_json::Value, key: &CardKey) -> String {
    let encode = |value: &serde_json::Value| base64url::encode(value.to_string().as_bytes());
    let input = format!("{}.{}", encode(header), encode(payload));
    let signature: x509::BrainpoolSignature = key.sign(input.as_bytes());
    format!("{input}.{}", base64url::encode(&signature.to_bytes()))
}

fn header(certificate: &[u8]) -> serde_json::Value {
    // Standard base64 with padding, which jose has no writer for.
    let alphabet = base64url::encode(certificate).replace('-', "+").replace('_', "/");
    let padded = format!("{alphabet}{}", "=".repeat((4 - alphabet.len() % 4) % 4));
    serde_json::json!({ "alg": "BP256R1", "cty": "NJWT", "x5c": [padded] })
}

fn response(certificate: &[u8], challenge: &VerifiedChallenge, key: &CardKey) -> UnverifiedCardResponse {
    let payload = serde_json::json!({ "njwt": challenge.token() });
    parse_response(&compact(&header(certificate), &payload, key)).unwrap()
}

fn crl(revoked: &[(Vec<u8>, UnixTime)], this_update: UnixTime, days: u64, by: u8) -> Vec<u8> {
    let extensions = [writer::crl_number(1)];
    let next_update = this_update.plus_seconds(days * DAY);
    writer::revocation_list(
        &authority_name(),
        revoked,
        this_update,
        next_update,
        &extensions,
        &issuer(by),
    )
    .unwrap()
}

fn trust() -> CardTrust {
    let mut trust = CardTrust::new();
    trust.add_authority(&authority(), AuthorityRules::default()).unwrap();
    trust.add_crl(&crl(&[], NOW, 1, 1)).unwrap();
    trust
}

fn log_in_with(certificate: &[u8], trust: &CardTrust, now: UnixTime) -> Result<AuthenticatedPerson, HealthCardError> {
    let challenge = challenge();
    verify(
        &response(certificate, &challenge, &key(2)),
        &challenge,
        trust,
        &[Ik::parse(IK).unwrap()],
        now,
    )
}

/// Logs in with a card that `change` made wrong in one point.
fn log_in(change: impl FnOnce(&mut Template)) -> Result<AuthenticatedPerson, HealthCardError> {
    let mut template = card_template();
    change(&mut template);
    log_in_with(&writer::certificate(&template, &issuer(1)).unwrap(), &TRUST, NOW)
}

#[test]
fn a_good_card_identifies_its_holder_and_insurer() {
    let person = log_in(|_| {}).unwrap();
    assert_eq!(person.kvnr().unwrap().as_str(), KVNR);
    assert_eq!(person.ik().unwrap().as_str(), IK);
    assert_eq!(
        (person.method(), person.level(), person.auth_time()),
        (Method::HealthCard, Acr::High, NOW)
    );
    assert_eq!(person.into_guest().performed().method, Method::GuestHealthCard);
}

#[test]
fn the_order_of_the_organizational_units_does_not_matter() {
    assert!(log_in(|card| card.subject = subject(&[KVNR, IK])).is_ok());
}

#[test]
fn each_defect_has_its_own_refusal() {
    type Change = fn(&mut Template);
    let cases: [(&str, Change, HealthCardError); 22] = [
        (
            "not yet valid",
            |c| c.not_before = NOW.plus_seconds(1),
            HealthCardError::NotYetValid,
        ),
        (
            "expired",
            |c| c.not_after = NOW.minus_seconds(1),
            HealthCardError::Expired,
        ),
        (
            "unknown issuer",
            |c| c.issuer = subject(&[]),
            HealthCardError::UnknownAuthority,
        ),
        (
            "another key of the issuer",
            |c| c.extensions[1] = writer::authority_key_identifier(&issuer(9).spki()),
            HealthCardError::UnknownAuthority,
        ),
        (
            "key on P-256",
            |c| c.spki = SoftwareKey::generate("x").unwrap().public_key().to_spki_der(),
            HealthCardError::Curve,
        ),
        (
            "unknown critical extension",
            |c| c.extensions.push(writer::extension("1.2.3.4", true, &[5, 0])),
            HealthCardError::CriticalExtension,
        ),
        (
            "an authority",
            |c| c.extensions[CONSTRAINTS] = writer::basic_constraints(true),
            HealthCardError::IsAuthority,
        ),
        (
            "no key usage",
            |c| drop(c.extensions.remove(USAGE)),
            HealthCardError::KeyUsage,
        ),
        (
            "usage nonRepudiation",
            |c| c.extensions[USAGE] = writer::key_usage(0b0100_0000),
            HealthCardError::KeyUsage,
        ),
        (
            "no policies",
            |c| drop(c.extensions.remove(POLICY)),
            HealthCardError::Policy,
        ),
        (
            "other policy",
            |c| c.extensions[POLICY] = writer::policies(&["1.2.276.0.76.4.163", "1.2.276.0.76.4.71"]),
            HealthCardError::Policy,
        ),
        (
            "no admission",
            |c| drop(c.extensions.remove(ADMISSION)),
            HealthCardError::AdmissionMissing,
        ),
        (
            "a physician",
            |c| c.extensions[ADMISSION] = writer::admission("Ärztin/Arzt", "1.2.276.0.76.4.30"),
            HealthCardError::Profession,
        ),
        (
            "no KVNR",
            |c| c.subject = subject(&[IK]),
            HealthCardError::InsuranceNumberMissing,
        ),
        (
            "long KVNR",
            |c| c.subject = subject(&[IK, "Q0001234510"]),
            HealthCardError::InsuranceNumberMalformed,
        ),
        (
            "small letter",
            |c| c.subject = subject(&[IK, "q000123451"]),
            HealthCardError::InsuranceNumberMalformed,
        ),
        (
            "two KVNRs",
            |c| c.subject = subject(&[IK, KVNR, "T902100070"]),
            HealthCardError::InsuranceNumberAmbiguous,
        ),
        (
            "no IK",
            |c| c.subject = subject(&[KVNR]),
            HealthCardError::InsurerMissing,
        ),
        (
            "two IKs",
            |c| c.subject = subject(&[IK, "109900020", KVNR]),
            HealthCardError::InsurerAmbiguous,
        ),
        (
            "check digit of the KVNR",
            |c| c.subject = subject(&[IK, "Q000123452"]),
            HealthCardError::CheckDigit,
        ),
        (
            "check digit of the IK",
            |c| c.subject = subject(&["109900018", KVNR]),
            HealthCardError::CheckDigit,
        ),
        (
            "other insurer",
            |c| c.subject = subject(&["109900020", KVNR]),
            HealthCardError::InsurerNotAccepted,
        ),
    ];
    for (name, change, refusal) in cases {
        assert_eq!(log_in(change).unwrap_err(), refusal, "{name}");
    }
}

#[test]
fn checks_run_in_the_named_order() {
    // A card wrong in every point is refused for the first; repaired point by point, for the next.
    let mut card = card_template();
    card.not_after = NOW.minus_seconds(1);
    card.issuer = subject(&[]);
    card.extensions[USAGE] = writer::key_usage(0b0100_0000);
    card.extensions[POLICY] = writer::policies(&["1.2.3"]);
    card.extensions[ADMISSION] = writer::admission("", "1.2.3");
    card.subject = subject(&["109900020"]);
    card.serial = vec![2];
    let mut trust = trust();
    trust.add_crl(&crl(&[(vec![2], NOW)], NOW, 1, 1)).unwrap();
    type Repair = fn(&mut Template);
    let steps: [(HealthCardError, Repair); 8] = [
        (HealthCardError::Expired, |c| c.not_after = NOW),
        (HealthCardError::UnknownAuthority, |c| c.issuer = authority_name()),
        (HealthCardError::KeyUsage, |c| {
            c.extensions[USAGE] = writer::key_usage(writer::DIGITAL_SIGNATURE)
        }),
        (HealthCardError::Policy, |c| {
            c.extensions[POLICY] = writer::policies(&["1.2.276.0.76.4.70"])
        }),
        (HealthCardError::Profession, |c| {
            c.extensions[ADMISSION] = writer::admission("", "1.2.276.0.76.4.49")
        }),
        (HealthCardError::InsuranceNumberMissing, |c| {
            c.subject = subject(&["109900020", KVNR])
        }),
        (HealthCardError::InsurerNotAccepted, |c| {
            c.subject = subject(&[IK, KVNR])
        }),
        (HealthCardError::Revoked, |c| c.serial = vec![3]),
    ];
    let attempt = |card: &Template| {
        // Signed by a stranger's key, so that the challenge's signature would fail too.
        let certificate = writer::certificate(card, &issuer(1)).unwrap();
        let challenge = challenge();
        let response = response(&certificate, &challenge, &key(7));
        verify(&response, &challenge, &trust, &[Ik::parse(IK).unwrap()], NOW).unwrap_err()
    };
    for (refusal, repair) in steps {
        assert_eq!(attempt(&card), refusal);
        repair(&mut card);
    }
    assert_eq!(attempt(&card), HealthCardError::Signature);
}

mod answers;
mod trust;
