//! Authorities and revocation.
#![allow(clippy::unwrap_used)]

use super::*;

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
