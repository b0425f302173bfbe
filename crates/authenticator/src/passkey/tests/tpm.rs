//! Statements of the format `tpm`: right ones, and each wrong in one point.

use super::super::soft::{Attests, SoftKey, Tpm, alternative_name, constraints, model_extension, rsa};
use super::super::tpm::{CertInfo, MAX_STRUCTURE_BYTES, PublicArea, TpmError};
use super::super::*;
use super::{attempt, refusal};
use crate::attestation::ChainError;
use crate::attestation::test_pki::{self, NOW, writer};

fn rsa_key() -> SoftKey {
    SoftKey::Rsa(rsa())
}

fn with(change: impl FnOnce(&mut Tpm)) -> Tpm {
    let mut tpm = Tpm::new();
    change(&mut tpm);
    tpm
}

fn as_windows(tpm: &mut Tpm) {
    tpm.rsa_aik = true;
    tpm.algorithm = -257;
}

#[test]
fn a_key_that_a_known_tpm_keeps_is_good_for_services() {
    for key in [rsa_key as fn() -> SoftKey, SoftKey::p256] {
        for tpm in [with(|_| {}), with(as_windows), with(|tpm| tpm.exponent = 65_537)] {
            let registered = attempt(|soft| {
                soft.key = key();
                soft.attests = Attests::Tpm(tpm);
            });
            let registered = registered.unwrap();
            assert_eq!((&*registered.device.class, &*registered.failed), ("passkey", &[][..]));
        }
    }
}

#[test]
fn a_tpm_nobody_vouches_for_and_a_key_it_may_let_go_are_good_for_own_pages() {
    type Wrong = fn(&mut Tpm);
    let cases: [(&str, Wrong, Check); 8] = [
        (
            "not fixed to the TPM",
            |tpm| tpm.attributes &= !(1 << 1),
            Check::DeviceBound,
        ),
        (
            "not fixed to its parent",
            |tpm| tpm.attributes &= !(1 << 4),
            Check::DeviceBound,
        ),
        ("made elsewhere", |tpm| tpm.attributes &= !(1 << 5), Check::DeviceBound),
        (
            "RS1, with SHA-1",
            |tpm| tpm.algorithm = -65_535,
            Check::AttestationFormat,
        ),
        (
            "another maker",
            |tpm| tpm.certificate.issuer = test_pki::name("Somebody"),
            Check::AttestationChain(ChainError::UnknownRoot),
        ),
        (
            "a certificate that has expired",
            |tpm| tpm.certificate.not_after = NOW.minus_seconds(1),
            Check::AttestationChain(ChainError::Expired { index: 0 }),
        ),
        (
            "a certificate that is not valid yet",
            |tpm| tpm.certificate.not_before = NOW.plus_seconds(1),
            Check::AttestationChain(ChainError::NotYetValid { index: 0 }),
        ),
        (
            "a critical extension nobody knows",
            |tpm| {
                tpm.certificate
                    .extensions
                    .push(writer::extension("1.2.3.4", true, &[5, 0]))
            },
            Check::AttestationChain(ChainError::CriticalExtension { index: 0 }),
        ),
    ];
    for (why, change, check) in cases {
        let registered = attempt(|soft| {
            soft.key = rsa_key();
            soft.attests = Attests::Tpm(with(change));
        });
        let registered = registered.unwrap();
        assert_eq!(
            (&*registered.device.class, &*registered.failed),
            ("passkey-own-pages", &[check][..]),
            "{why}"
        );
    }
}

#[test]
fn a_tpm_statement_that_is_wrong_in_one_point_is_refused_by_name() {
    type Wrong = fn(&mut Tpm);
    let names =
        |tpm: &mut Tpm, attributes: &[(&str, &str)]| tpm.certificate.extensions[2] = alternative_name(attributes);
    type Case = (&'static str, Box<dyn Fn(&mut Tpm)>, StatementError);
    let cases: Vec<Case> = vec![
        (
            "version",
            Box::new(|tpm| tpm.version = "1.2"),
            StatementError::TpmVersion,
        ),
        ("magic", Box::new(|tpm| tpm.magic ^= 1), TpmError::Magic.into()),
        // TPM_ST_ATTEST_QUOTE, TPM_ST_ATTEST_CREATION.
        ("a quote", Box::new(|tpm| tpm.kind = 0x8018), TpmError::Type.into()),
        ("a creation", Box::new(|tpm| tpm.kind = 0x801a), TpmError::Type.into()),
        (
            "extra data",
            Box::new(|tpm| tpm.extra_data = Some(vec![0; 32])),
            StatementError::TpmExtraData,
        ),
        (
            "no extra data",
            Box::new(|tpm| tpm.extra_data = Some(Vec::new())),
            StatementError::TpmExtraData,
        ),
        (
            "name",
            Box::new(|tpm| tpm.name = Some(vec![0; 34])),
            StatementError::TpmName,
        ),
        (
            "a handle as name",
            Box::new(|tpm| tpm.name = Some(vec![0x80, 0, 0, 1])),
            StatementError::TpmName,
        ),
        (
            "bytes behind the information",
            Box::new(|tpm| tpm.behind[1] = vec![0]),
            TpmError::CertInfo.into(),
        ),
        (
            "bytes behind the public area",
            Box::new(|tpm| tpm.behind[0] = vec![0]),
            TpmError::PublicArea.into(),
        ),
        (
            "named with SHA-1",
            Box::new(|tpm| tpm.name_algorithm = 0x0004),
            TpmError::PublicArea.into(),
        ),
        (
            "a symmetric algorithm",
            Box::new(|tpm| tpm.symmetric = 0x0006),
            TpmError::PublicArea.into(),
        ),
        ("exponent 3", Box::new(|tpm| tpm.exponent = 3), StatementError::Key),
        (
            "another key",
            Box::new(|tpm| tpm.area = Some(Tpm::new().public_area(&SoftKey::p256()))),
            StatementError::Key,
        ),
        (
            "the certificate's algorithm",
            Box::new(|tpm| tpm.algorithm = -257),
            StatementError::Algorithm,
        ),
        (
            "the certificate's other algorithm",
            Box::new(|tpm| tpm.rsa_aik = true),
            StatementError::Algorithm,
        ),
        (
            "signature",
            Box::new(|tpm| tpm.signature = Some(vec![0; 70])),
            StatementError::Signature,
        ),
        (
            "a subject",
            Box::new(|tpm| tpm.certificate.subject = test_pki::name("TPM")),
            StatementError::TpmSubject,
        ),
        (
            "no manufacturer",
            Box::new(move |tpm| names(tpm, &[("2.23.133.2.2", "m"), ("2.23.133.2.3", "id:1")])),
            StatementError::TpmAlternativeName,
        ),
        (
            "a manufacturer without its form",
            Box::new(move |tpm| {
                names(
                    tpm,
                    &[
                        ("2.23.133.2.1", "Maker"),
                        ("2.23.133.2.2", "m"),
                        ("2.23.133.2.3", "id:1"),
                    ],
                );
            }),
            StatementError::TpmAlternativeName,
        ),
        (
            "no model",
            Box::new(move |tpm| names(tpm, &[("2.23.133.2.1", "id:FFFFF1D0"), ("2.23.133.2.3", "id:1")])),
            StatementError::TpmAlternativeName,
        ),
        (
            "no version of the TPM",
            Box::new(move |tpm| names(tpm, &[("2.23.133.2.1", "id:FFFFF1D0"), ("2.23.133.2.2", "m")])),
            StatementError::TpmAlternativeName,
        ),
        (
            "a manufacturer twice",
            Box::new(move |tpm| {
                let twice = ("2.23.133.2.1", "id:FFFFF1D0");
                names(tpm, &[twice, twice, ("2.23.133.2.2", "m"), ("2.23.133.2.3", "id:1")]);
            }),
            StatementError::TpmAlternativeName,
        ),
        (
            "no alternative name",
            Box::new(|tpm| drop(tpm.certificate.extensions.remove(2))),
            StatementError::TpmAlternativeName,
        ),
        (
            "a host's name",
            Box::new(|tpm| tpm.certificate.extensions[2] = writer::subject_alt_name(&["tpm.example"], &[])),
            StatementError::TpmAlternativeName,
        ),
        (
            "another purpose",
            Box::new(|tpm| tpm.certificate.extensions[1] = writer::extended_key_usage(&["1.3.6.1.5.5.7.3.1"])),
            StatementError::TpmPurpose,
        ),
        (
            "no purpose",
            Box::new(|tpm| drop(tpm.certificate.extensions.remove(1))),
            StatementError::TpmPurpose,
        ),
        (
            "an authority",
            Box::new(|tpm| tpm.certificate.extensions[0] = constraints(true)),
            StatementError::TpmAuthority,
        ),
        (
            "no constraints",
            Box::new(|tpm| drop(tpm.certificate.extensions.remove(0))),
            StatementError::TpmAuthority,
        ),
        (
            "another model",
            Box::new(|tpm| tpm.certificate.extensions[3] = model_extension(&[9; 16], false)),
            StatementError::Model,
        ),
        (
            "a critical model",
            Box::new(|tpm| tpm.certificate.extensions[3] = model_extension(&[0xa5; 16], true)),
            StatementError::Model,
        ),
    ];
    for (why, change, expected) in cases {
        let mut tpm = Tpm::new();
        change(&mut tpm);
        assert_eq!(refusal(Attests::Tpm(tpm), rsa_key()), Some(expected), "{why}");
    }
    let windows: Wrong = as_windows;
    let by_another = with(|tpm| {
        windows(tpm);
        tpm.signature = Some(vec![1; 256]);
    });
    assert_eq!(
        refusal(Attests::Tpm(by_another), rsa_key()),
        Some(StatementError::Signature)
    );
}

#[test]
fn a_structure_cut_short_is_no_structure() {
    let tpm = Tpm::new();
    for key in [rsa_key(), SoftKey::p256()] {
        let area = tpm.public_area(&key);
        let info = tpm.cert_info(&area, b"signed");
        assert_eq!(
            CertInfo::parse(&info).unwrap().name,
            PublicArea::parse(&area).unwrap().name()
        );
        for length in 0..area.len() {
            assert_eq!(PublicArea::parse(&area[..length]).unwrap_err(), TpmError::PublicArea);
        }
        for length in 0..info.len() {
            assert_eq!(CertInfo::parse(&info[..length]).unwrap_err(), TpmError::CertInfo);
        }
    }
    let long = vec![0; MAX_STRUCTURE_BYTES + 1];
    assert!(PublicArea::parse(&long).is_err() && CertInfo::parse(&long).is_err());
    assert_eq!(
        format!("{:?}", PublicArea::parse(&tpm.public_area(&rsa_key())).unwrap()),
        "PublicArea"
    );
}

#[test]
fn a_scheme_is_none_or_the_keys_own_and_a_coordinate_may_be_short() {
    let tpm = Tpm::new();
    let area = tpm.public_area(&SoftKey::p256());
    // Behind type, name's algorithm, attributes, policy of 32 bytes and symmetric algorithm.
    let scheme = 2 + 2 + 4 + 2 + 32 + 2;
    let with_scheme = |bytes: &[u8]| [&area[..scheme], bytes, &area[scheme + 2..]].concat();
    assert!(PublicArea::parse(&with_scheme(&[0x00, 0x18, 0x00, 0x0b])).is_ok());
    for wrong in [
        &[0x00, 0x18, 0x00, 0x04][..], // ECDSA with SHA-1
        &[0x00, 0x14, 0x00, 0x0b],     // RSASSA
        &[0x00, 0x1a, 0x00, 0x0b],     // ECDAA
        &[0x00, 0x18],
        &[],
    ] {
        assert_eq!(
            PublicArea::parse(&with_scheme(wrong)).unwrap_err(),
            TpmError::PublicArea
        );
    }
    let short = tpm::PublicKey::P256 { x: &[1], y: &[2] };
    assert!(short.bound().is_none(), "no point of the curve");
    let long = tpm::PublicKey::P256 { x: &[0; 33], y: &[2] };
    assert!(long.bound().is_none());
    // One of 256 keys has an x that begins with a zero byte, which a TPM may leave out: whoever has none among a thousand draws wrong numbers.
    let mut scalar = [7; 32];
    let zero_first = (1..=1_000_u16).find_map(|number| {
        scalar[..2].copy_from_slice(&number.to_be_bytes());
        let key = jose::SoftwareKey::from_scalar("test", &scalar).ok()?;
        (key.public_key().x()[0] == 0).then_some(key)
    });
    let key = zero_first.unwrap();
    let (x, y) = (key.public_key().x(), key.public_key().y());
    for (x, is_key) in [(&x[1..], true), (x, true), (&x[2..], false)] {
        assert_eq!(tpm::PublicKey::P256 { x, y }.bound().is_some(), is_key);
    }
}
