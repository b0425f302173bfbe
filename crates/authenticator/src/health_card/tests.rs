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

#[test]
fn a_card_signed_by_nobody_we_trust_is_refused() {
    let forged = writer::certificate(&card_template(), &issuer(5)).unwrap();
    assert_eq!(
        log_in_with(&forged, &trust(), NOW).unwrap_err(),
        HealthCardError::CertificateSignature
    );
    let genuine = writer::certificate(&card_template(), &issuer(1)).unwrap();
    let nobody = CardTrust::new();
    assert_eq!(
        log_in_with(&genuine, &nobody, NOW).unwrap_err(),
        HealthCardError::UnknownAuthority
    );
    let mut old = CardTrust::new();
    let expired = Template {
        not_after: NOW.minus_seconds(1),
        ..authority_template()
    };
    old.add_authority(
        &writer::certificate(&expired, &issuer(1)).unwrap(),
        AuthorityRules::default(),
    )
    .unwrap();
    assert_eq!(
        log_in_with(&genuine, &old, NOW).unwrap_err(),
        HealthCardError::AuthorityExpired
    );
}

#[test]
fn an_authority_may_roll_its_key_over() {
    // Two authorities of one name; cards of both log in, with or without a key identifier.
    let mut trust = CardTrust::new();
    let rules = AuthorityRules {
        revocation: Revocation::ListIfPresent,
        ..AuthorityRules::default()
    };
    let new = Template {
        spki: issuer(3).spki(),
        ..authority_template()
    };
    let new = Template {
        extensions: vec![
            writer::subject_key_identifier(&new.spki),
            writer::basic_constraints(true),
            writer::key_usage(writer::CERTIFICATE_AND_LIST_SIGN),
        ],
        ..new
    };
    trust
        .add_authority(&writer::certificate(&new, &issuer(3)).unwrap(), rules)
        .unwrap();
    trust.add_authority(&authority(), rules).unwrap();
    for number in [1, 3] {
        let mut card = card_template();
        card.extensions.remove(1);
        let certificate = writer::certificate(&card, &issuer(number)).unwrap();
        assert!(log_in_with(&certificate, &trust, NOW).is_ok(), "{number}");
    }
}

#[test]
fn a_configured_revocation_counts_without_a_list() {
    let rules = AuthorityRules {
        revocation: Revocation::ListIfPresent,
        ..AuthorityRules::default()
    };
    let certificate = CARD.clone();
    for (issuer, serial, revoked) in [
        ("GEM.EGK-CA98 TEST-ONLY", "9B01", true),
        ("GEM.EGK-CA98 TEST-ONLY", "00009b01", true),
        ("GEM.EGK-CA97 TEST-ONLY", "9b01", false),
        ("GEM.EGK-CA98 TEST-ONLY", "9b02", false),
    ] {
        let mut trust = CardTrust::new();
        trust.add_authority(&authority(), rules).unwrap();
        trust
            .revoke(&RevokedCard {
                issuer: issuer.into(),
                serial: serial.into(),
            })
            .unwrap();
        let refused = log_in_with(&certificate, &trust, NOW).err();
        assert_eq!(
            refused,
            revoked.then_some(HealthCardError::Revoked),
            "{issuer} {serial}"
        );
    }
    for serial in ["", "9b0", "zz", "+9", "é"] {
        let card = RevokedCard {
            issuer: "x".into(),
            serial: serial.into(),
        };
        assert_eq!(CardTrust::new().revoke(&card), Err(TrustError::Serial), "{serial}");
    }
}

#[test]
fn a_revocation_list_is_the_last_word_only_while_it_is_current() {
    let certificate = CARD.clone();
    let mut trust = CardTrust::new();
    trust.add_authority(&authority(), AuthorityRules::default()).unwrap();
    let log_in = |trust: &CardTrust, now| log_in_with(&certificate, trust, now).map(|_| ());
    assert_eq!(log_in(&trust, NOW), Err(HealthCardError::RevocationUnknown));
    let start = NOW.minus_seconds(DAY);
    trust.add_crl(&crl(&[], start, 1, 1)).unwrap();
    assert_eq!(log_in(&trust, NOW), Ok(()));
    assert_eq!(
        log_in(&trust, NOW.plus_seconds(1)),
        Err(HealthCardError::RevocationUnknown)
    );
    trust.add_crl(&crl(&[(vec![0x9b, 0x01], NOW)], NOW, 1, 1)).unwrap();
    assert_eq!(log_in(&trust, NOW), Err(HealthCardError::Revoked));
    // An old list cannot bring the card back.
    assert_eq!(
        trust.add_crl(&crl(&[], start, 9, 1)),
        Err(TrustError::Crl(CrlError::Older))
    );
    assert_eq!(log_in(&trust, NOW), Err(HealthCardError::Revoked));
}

#[test]
fn defective_revocation_lists_are_refused() {
    let mut trust = trust();
    let mut refusal = |der: &[u8]| trust.add_crl(der).unwrap_err();
    assert_eq!(refusal(&crl(&[], NOW, 1, 5)), TrustError::Crl(CrlError::Signature));
    assert_eq!(refusal(b""), TrustError::Crl(CrlError::Malformed));
    assert_eq!(
        refusal(b"-----BEGIN X509 CRL-----\nAAAA\n"),
        TrustError::Crl(CrlError::Malformed)
    );
    assert_eq!(refusal(&authority()), TrustError::Crl(CrlError::Malformed));
    let later = NOW.plus_seconds(DAY);
    let list = |name: &[u8], extensions: &[Vec<u8>]| {
        writer::revocation_list(name, &[], NOW, later, extensions, &issuer(1)).unwrap()
    };
    let delta = writer::extension("2.5.29.27", true, &[2, 1, 1]);
    assert_eq!(
        refusal(&list(&authority_name(), &[delta])),
        TrustError::Crl(CrlError::CriticalExtension)
    );
    let number = [writer::crl_number(1)];
    assert_eq!(
        refusal(&list(&subject(&[]), &number)),
        TrustError::Crl(CrlError::UnknownIssuer)
    );
    let good = crl(&[(vec![1], NOW), (vec![2], NOW)], NOW, 1, 1);
    for end in 0..good.len() {
        assert!(trust.add_crl(&good[..end]).is_err(), "{end}");
    }
    assert!(trust.add_crl(&good).is_ok());
}

#[test]
fn only_authorities_are_trusted_as_authorities() {
    let refusal = |template: &Template, number| {
        let certificate = writer::certificate(template, &issuer(number)).unwrap();
        CardTrust::new()
            .add_authority(&certificate, AuthorityRules::default())
            .unwrap_err()
    };
    assert_eq!(refusal(&card_template(), 1), TrustError::NotAnAuthority);
    let mut no_usage = authority_template();
    no_usage.extensions.pop();
    assert_eq!(refusal(&no_usage, 1), TrustError::NotAnAuthority);
    let p256 = SoftwareKey::generate("x").unwrap().public_key().to_spki_der();
    assert_eq!(
        refusal(
            &Template {
                spki: p256,
                ..authority_template()
            },
            1
        ),
        TrustError::Curve
    );
    let malformed = CardTrust::new().add_authority(b"x", AuthorityRules::default());
    assert_eq!(malformed, Err(TrustError::Malformed));
    let mut many = CardTrust::new();
    for _ in 0..MAX_AUTHORITIES {
        many.add_authority(&authority(), AuthorityRules::default()).unwrap();
    }
    assert_eq!(
        many.add_authority(&authority(), AuthorityRules::default()),
        Err(TrustError::TooMany)
    );
}

#[test]
fn an_answer_fits_one_challenge_and_one_card() {
    let certificate = CARD.clone();
    let (trust, iks) = (trust(), [Ik::parse(IK).unwrap()]);
    let (asked, other) = (challenge(), challenge());
    let answer = response(&certificate, &asked, &key(2));
    let refused = verify(&answer, &other, &trust, &iks, NOW).unwrap_err();
    assert_eq!(refused, HealthCardError::ChallengeMismatch);
    let by_stranger = response(&certificate, &asked, &key(6));
    assert_eq!(
        verify(&by_stranger, &asked, &trust, &iks, NOW).unwrap_err(),
        HealthCardError::Signature
    );
    // A remembered card vouches for its own certificate only.
    let remembered = verify_certificate(&answer, &trust, &iks, NOW).unwrap();
    assert!(verify_with_card(&answer, &asked, &remembered, NOW).is_ok());
    let mut twin = card_template();
    twin.serial = vec![9];
    let twin = response(&writer::certificate(&twin, &issuer(1)).unwrap(), &asked, &key(2));
    assert_eq!(
        verify_with_card(&twin, &asked, &remembered, NOW).unwrap_err(),
        HealthCardError::Signature
    );
}

#[test]
fn answers_of_another_form_are_refused() {
    let certificate = CARD.clone();
    let good = header(&certificate);
    let payload = serde_json::json!({ "njwt": "a.b.c" });
    let refusal = |header: &serde_json::Value, payload: &serde_json::Value| {
        parse_response(&compact(header, payload, &key(2))).unwrap_err()
    };
    let with = |member: &str, value: serde_json::Value| {
        let mut header = good.clone();
        header[member] = value;
        header
    };
    assert_eq!(
        refusal(&with("alg", "ES256".into()), &payload),
        CardResponseError::Algorithm
    );
    assert!(matches!(
        refusal(&with("alg", "none".into()), &payload),
        CardResponseError::Jws(_)
    ));
    assert!(matches!(
        refusal(&with("jwk", serde_json::json!({})), &payload),
        CardResponseError::Jws(_)
    ));
    assert!(matches!(
        refusal(&with("crit", serde_json::json!(["exp"])), &payload),
        CardResponseError::Jws(_)
    ));
    assert_eq!(refusal(&with("cty", "JWT".into()), &payload), CardResponseError::Cty);
    let twice = serde_json::json!([good["x5c"][0], good["x5c"][0]]);
    assert_eq!(
        refusal(&with("x5c", twice), &payload),
        CardResponseError::CertificateCount
    );
    let garbage = header(&[0x30, 0x03, 0x02, 0x01, 0x01]);
    assert_eq!(
        refusal(&garbage, &payload),
        CardResponseError::Certificate(CertificateError)
    );
    for payload in [
        serde_json::json!({}),
        serde_json::json!({ "njwt": 1 }),
        serde_json::json!({ "njwt": "a", "more": 1 }),
        serde_json::json!("a"),
    ] {
        assert_eq!(refusal(&good, &payload), CardResponseError::Payload, "{payload}");
    }
    assert!(matches!(parse_response("").unwrap_err(), CardResponseError::Jws(_)));
    assert!(matches!(
        parse_response(&"a".repeat(30_000)).unwrap_err(),
        CardResponseError::Jws(_)
    ));
}

#[test]
fn a_signature_of_zeros_is_refused() {
    let certificate = CARD.clone();
    let challenge = challenge();
    let token = compact(
        &header(&certificate),
        &serde_json::json!({ "njwt": challenge.token() }),
        &key(2),
    );
    let (input, _) = token.rsplit_once('.').unwrap();
    for byte in [0, 0xff] {
        let forged = format!("{input}.{}", base64url::encode(&[byte; jws::SIGNATURE_BYTES]));
        let response = parse_response(&forged).unwrap();
        let refused = verify(&response, &challenge, &TRUST, &[Ik::parse(IK).unwrap()], NOW).unwrap_err();
        assert_eq!(refused, HealthCardError::Signature);
    }
}

#[test]
fn certificates_with_doubled_or_malformed_extensions_are_no_certificates() {
    type Change = fn(&mut Template);
    let changes: [Change; 4] = [
        |c| c.extensions.push(writer::key_usage(writer::DIGITAL_SIGNATURE)),
        |c| c.extensions[ADMISSION] = writer::extension("1.3.36.8.3.3", false, &[0x30, 0x01]),
        |c| c.extensions[POLICY] = writer::extension("2.5.29.32", false, &[0x05, 0x00]),
        |c| c.extensions[CONSTRAINTS] = writer::extension("2.5.29.19", true, b""),
    ];
    for change in changes {
        let mut card = card_template();
        change(&mut card);
        let certificate = writer::certificate(&card, &issuer(1)).unwrap();
        assert_eq!(
            UnverifiedCertificate::parse(&certificate).unwrap_err(),
            CertificateError
        );
    }
    let mut long = card_template();
    long.extensions
        .push(writer::extension("1.2.3.4", false, &[0; MAX_CERTIFICATE_BYTES]));
    let long = writer::certificate(&long, &issuer(1)).unwrap();
    assert_eq!(UnverifiedCertificate::parse(&long).unwrap_err(), CertificateError);
}

#[test]
fn personal_data_does_not_show_in_debug_output() {
    let certificate = CARD.clone();
    let answer = response(&certificate, &challenge(), &key(2));
    let card = verify_certificate(&answer, &trust(), &[Ik::parse(IK).unwrap()], NOW).unwrap();
    let person = log_in(|_| {}).unwrap();
    let shown = format!(
        "{answer:?} {:?} {card:?} {person:?} {:?}",
        answer.certificate(),
        person.subject()
    );
    assert_eq!(
        shown,
        "UnverifiedCardResponse UnverifiedCertificate VerifiedCard AuthenticatedPerson Subject"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_certificate_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = UnverifiedCertificate::parse(&bytes);
        let _ = parse_response(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_certificate_changed_in_one_byte_never_logs_in(index in 0usize..600, change in 1u8..=255) {
        let mut certificate = CARD.clone();
        let index = index % certificate.len();
        certificate[index] ^= change;
        let challenge = challenge();
        let token = compact(&header(&certificate), &serde_json::json!({ "njwt": challenge.token() }), &key(2));
        if let Ok(response) = parse_response(&token) {
            prop_assert!(verify(&response, &challenge, &TRUST, &[Ik::parse(IK).unwrap()], NOW).is_err());
        }
    }
}
