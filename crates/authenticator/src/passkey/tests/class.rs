//! What a passkey is good for, and why.

use super::super::Check;
use super::super::soft::{Android, Apple, Attests, BE, BS, Tpm, constraints};
use super::{Change, attempt, new_key, policy_of, registered_by, status};
use crate::attestation::ChainError;
use crate::attestation::test_pki::{self, NOW};

#[test]
fn a_key_that_stays_in_a_known_model_is_good_for_services() {
    let registered = attempt(|_| {}).unwrap();
    assert_eq!(registered.device.class, "passkey");
    assert!(registered.device.is_passkey());
    assert!(registered.failed.is_empty());
    assert_eq!((registered.device.counter, registered.device.confirmed_at), (1, NOW));
}

#[test]
fn everything_else_is_good_for_own_pages_and_says_why() {
    let cases: [(&str, Change, Check); 9] = [
        ("a key that may be copied", |soft| soft.flags |= BE, Check::DeviceBound),
        (
            "a key that was copied",
            |soft| soft.flags |= BE | BS,
            Check::DeviceBound,
        ),
        (
            "no attestation",
            |soft| soft.attests = Attests::None,
            Check::AttestationFormat,
        ),
        (
            "its own word",
            |soft| soft.attests = Attests::Itself,
            Check::AttestationFormat,
        ),
        (
            "a format that is not read",
            |soft| soft.format = Some("compound"),
            Check::AttestationFormat,
        ),
        (
            "another model",
            |soft| {
                soft.aaguid = [9; 16];
                soft.certificate.extensions = vec![constraints(false)];
            },
            Check::AuthenticatorModel,
        ),
        (
            "another maker",
            |soft| soft.certificate.issuer = test_pki::name("Somebody"),
            Check::AttestationChain(ChainError::UnknownRoot),
        ),
        (
            "a certificate that has expired",
            |soft| soft.certificate.not_after = NOW.minus_seconds(1),
            Check::AttestationChain(ChainError::Expired { index: 0 }),
        ),
        (
            "a critical extension nobody knows",
            |soft| {
                soft.certificate
                    .extensions
                    .push(test_pki::writer::extension("1.2.3.4", true, &[5, 0]))
            },
            Check::AttestationChain(ChainError::CriticalExtension { index: 0 }),
        ),
    ];
    let copied_unattested = attempt(|soft| {
        soft.flags |= BE;
        soft.attests = Attests::None;
    });
    let both = [Check::DeviceBound, Check::AttestationFormat];
    assert_eq!(copied_unattested.unwrap().failed, both);
    for (why, change, check) in cases {
        let registered = attempt(change).unwrap();
        assert_eq!(registered.device.class, "passkey-own-pages", "{why}");
        assert_eq!(registered.failed, [check], "{why}");
    }
}

#[test]
fn a_model_is_believed_in_its_own_format_only() {
    let formats = [
        Attests::ByMaker,
        Attests::Tpm(Tpm::new()),
        Attests::Apple(Apple::new()),
        Attests::Android(Android::new()),
    ];
    for attests in &formats {
        let made = new_key(|soft| soft.attests = attests.clone()).registration();
        for other in &formats {
            let registered = registered_by(&made, &policy_of(other.format()), Some(&status(""))).unwrap();
            let failed = (attests.format() != other.format()).then_some(Check::AuthenticatorModel);
            assert_eq!(registered.failed, Vec::from_iter(failed));
        }
    }
}
