//! The answer, and the certificate in it.
#![allow(clippy::unwrap_used)]

use super::*;

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
