//! Statements of the format `android-key`: right ones, and each wrong in one point.

use super::super::soft::{Android, Attests, SoftKey, rsa};
use super::super::*;
use super::{attempt, new_key, policy_of, refusal, registered_by, status};
use crate::attestation::ChainError;
use crate::attestation::android::description::DescriptionError;
use crate::attestation::test_pki::{self, NOW, sequence};

fn with(change: impl FnOnce(&mut Android)) -> Attests {
    let mut android = Android::new();
    change(&mut android);
    Attests::Android(android)
}

#[test]
fn a_key_in_the_hardware_of_a_known_phone_is_good_for_services() {
    let registered = attempt(|soft| soft.attests = with(|_| {})).unwrap();
    assert_eq!((&*registered.device.class, &*registered.failed), ("passkey", &[][..]));
}

#[test]
fn what_the_hardware_does_not_vouch_for_is_good_for_own_pages() {
    type Wrong = fn(&mut Android);
    let cases: [(&str, Wrong, Check); 6] = [
        ("in software", |android| android.level = 0, Check::AttestedHardware),
        (
            "a secure element it is not certified for",
            |android| android.level = 2,
            Check::AttestedHardware,
        ),
        ("imported", |android| android.origin = 2, Check::AttestedHardware),
        ("to encrypt", |android| android.purpose = 0, Check::AttestedHardware),
        (
            "another maker",
            |android| android.issuer.issuer = test_pki::name("Somebody"),
            Check::AttestationChain(ChainError::UnknownRoot),
        ),
        (
            "an attestation key that has expired",
            |android| android.issuer.not_after = NOW.minus_seconds(1),
            Check::AttestationChain(ChainError::Expired { index: 1 }),
        ),
    ];
    for (why, change, check) in cases {
        let registered = attempt(|soft| soft.attests = with(change)).unwrap();
        assert_eq!(registered.failed, [check], "{why}");
    }
}

#[test]
fn a_revoked_attestation_key_is_not_believed_nor_one_without_a_list_to_look_it_up_in() {
    let registration = new_key(|soft| soft.attests = with(|_| {})).registration();
    let revoked = status(r#""52":{"status":"REVOKED"}"#);
    let another = status(r#""53":{"status":"REVOKED"}"#);
    let failed = |list| {
        registered_by(&registration, &policy_of(AttestationFormat::AndroidKey), list)
            .unwrap()
            .failed
    };
    assert_eq!(failed(Some(&revoked)), [Check::AttestationStatus]);
    assert_eq!(failed(None), [Check::AttestationStatus]);
    assert_eq!(failed(Some(&another)), []);
}

#[test]
fn an_android_statement_that_is_wrong_in_one_point_is_refused_by_name() {
    type Wrong = fn(&mut Android);
    let cases: [(&str, Wrong, StatementError); 11] = [
        (
            "the other algorithm",
            |android| android.algorithm = Some(-257),
            StatementError::Algorithm,
        ),
        (
            "an algorithm that is not read",
            |android| android.algorithm = Some(-8),
            StatementError::Algorithm,
        ),
        (
            "signature",
            |android| android.signature = Some(vec![0; 70]),
            StatementError::Signature,
        ),
        (
            "signed by another key",
            |android| android.signature = Some(SoftKey::p256().sign(b"signed")),
            StatementError::Signature,
        ),
        (
            "another key",
            |android| android.spki = Some(SoftKey::p256().spki()),
            StatementError::Key,
        ),
        (
            "a key of the other kind",
            |android| android.spki = Some(SoftKey::Rsa(rsa()).spki()),
            StatementError::Key,
        ),
        (
            "another challenge",
            |android| android.challenge = Some(vec![0; 32]),
            StatementError::AndroidChallenge,
        ),
        (
            "no description",
            |android| android.has_description = false,
            StatementError::AndroidDescriptionMissing,
        ),
        (
            "a description that is none",
            |android| android.description = Some(sequence(&[])),
            StatementError::AndroidDescription(DescriptionError::Shape),
        ),
        (
            "for every app, by its software",
            |android| android.all_applications = [true, false],
            StatementError::AndroidAllApplications,
        ),
        (
            "for every app, by its hardware",
            |android| android.all_applications = [false, true],
            StatementError::AndroidAllApplications,
        ),
    ];
    for (why, change, expected) in cases {
        assert_eq!(refusal(with(change), SoftKey::p256()), Some(expected), "{why}");
    }
}
