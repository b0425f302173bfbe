//! Statements of the format `apple`: right ones, and each wrong in one point.

use super::super::soft::{Apple, Attests, BE, SoftKey, rsa};
use super::super::*;
use super::{attempt, refusal};
use crate::attestation::ChainError;
use crate::attestation::test_pki::{self, NOW, octets, sequence, tagged, writer};

fn with(change: impl FnOnce(&mut Apple)) -> Attests {
    let mut apple = Apple::new();
    change(&mut apple);
    Attests::Apple(apple)
}

#[test]
fn a_key_that_apple_vouches_for_is_good_for_services_unless_it_is_copied() {
    let registered = attempt(|soft| soft.attests = with(|_| {})).unwrap();
    assert_eq!((&*registered.device.class, &*registered.failed), ("passkey", &[][..]));
    let copied = attempt(|soft| {
        soft.attests = with(|_| {});
        soft.flags |= BE;
    });
    assert_eq!(copied.unwrap().failed, [Check::DeviceBound]);
}

#[test]
fn a_word_that_is_not_apples_is_good_for_own_pages() {
    type Wrong = fn(&mut Apple);
    let cases: [(&str, Wrong, ChainError); 3] = [
        (
            "another authority",
            |apple| apple.certificate.issuer = test_pki::name("Somebody"),
            ChainError::UnknownRoot,
        ),
        (
            "a certificate that has expired",
            |apple| apple.certificate.not_after = NOW.minus_seconds(1),
            ChainError::Expired { index: 0 },
        ),
        (
            "a critical extension nobody knows",
            |apple| {
                apple
                    .certificate
                    .extensions
                    .push(writer::extension("1.2.3.4", true, &[5, 0]))
            },
            ChainError::CriticalExtension { index: 0 },
        ),
    ];
    for (why, change, error) in cases {
        let registered = attempt(|soft| soft.attests = with(change)).unwrap();
        assert_eq!(registered.failed, [Check::AttestationChain(error)], "{why}");
    }
}

#[test]
fn an_apple_statement_that_is_wrong_in_one_point_is_refused_by_name() {
    type Wrong = fn(&mut Apple);
    let cases: [(&str, Wrong, StatementError); 8] = [
        (
            "another nonce",
            |apple| apple.nonce = Some(Apple::nonce(&[0; 32])),
            StatementError::AppleNonce,
        ),
        (
            "a short nonce",
            |apple| apple.nonce = Some(Apple::nonce(&[0; 31])),
            StatementError::AppleNonce,
        ),
        ("no nonce", |apple| apple.has_nonce = false, StatementError::AppleNonce),
        (
            "an empty extension",
            |apple| apple.nonce = Some(Vec::new()),
            StatementError::AppleNonce,
        ),
        (
            "a nonce with another tag",
            |apple| apple.nonce = Some(sequence(&[&tagged(2, &octets(&[0; 32]))])),
            StatementError::AppleNonce,
        ),
        (
            "a bare nonce",
            |apple| apple.nonce = Some(octets(&[0; 32])),
            StatementError::AppleNonce,
        ),
        (
            "another key",
            |apple| apple.spki = Some(SoftKey::p256().spki()),
            StatementError::Key,
        ),
        (
            "a key of the other kind",
            |apple| apple.spki = Some(SoftKey::Rsa(rsa()).spki()),
            StatementError::Key,
        ),
    ];
    for (why, change, expected) in cases {
        assert_eq!(refusal(with(change), SoftKey::p256()), Some(expected), "{why}");
    }
}
