//! Registrations, each wrong in one point; statements have files of their own.

use proptest::prelude::*;
use serde_json::json;

use super::super::soft::{
    AAGUID, AT, Android, Apple, Attests, BE, BS, ED, RP_ID, Tpm, UP, UV, bytes, constraints, map, model_extension,
    subject, text,
};
use super::super::*;
use super::{
    Change, DEVICE, LOGIN, PERSON, attempt, card_login, new_key, party, policy, policy_of, registered, registered_by,
    request, status,
};
use crate::attestation::test_pki::{self, NOW};
use crate::device::BindingError;
use crate::level::Method;
use crate::policy::{AuthenticationPolicy, Performed};

#[test]
fn a_registration_that_is_wrong_in_one_point_is_refused_by_name() {
    let cases: [(&str, Change, PasskeyError); 33] = [
        (
            "type",
            |soft| soft.client_data["type"] = json!("webauthn.get"),
            PasskeyError::Type,
        ),
        (
            "type",
            |soft| soft.client_data["type"] = json!("payment.get"),
            PasskeyError::Type,
        ),
        (
            "challenge",
            |soft| soft.client_data["challenge"] = json!("AAAA"),
            PasskeyError::Challenge,
        ),
        (
            "challenge of another login",
            |soft| {
                let other = registration_challenge(&[8; 16], &user_handle(&PERSON, &DEVICE));
                soft.client_data["challenge"] = json!(jose::base64url::encode(&other));
            },
            PasskeyError::Challenge,
        ),
        (
            "challenge of another device",
            |soft| {
                let other = registration_challenge(&LOGIN, &user_handle(&PERSON, &[3; 16]));
                soft.client_data["challenge"] = json!(jose::base64url::encode(&other));
            },
            PasskeyError::Challenge,
        ),
        (
            "origin",
            |soft| soft.client_data["origin"] = json!("https://idp.example.evil.example"),
            PasskeyError::Origin,
        ),
        (
            "scheme",
            |soft| soft.client_data["origin"] = json!("http://idp.example"),
            PasskeyError::Origin,
        ),
        (
            "port",
            |soft| soft.client_data["origin"] = json!("https://idp.example:8443"),
            PasskeyError::Origin,
        ),
        (
            "subdomain",
            |soft| soft.client_data["origin"] = json!("https://www.idp.example"),
            PasskeyError::Origin,
        ),
        (
            "slash",
            |soft| soft.client_data["origin"] = json!("https://idp.example/"),
            PasskeyError::Origin,
        ),
        (
            "frame",
            |soft| soft.client_data["crossOrigin"] = json!(true),
            PasskeyError::Origin,
        ),
        (
            "framed by",
            |soft| soft.client_data["topOrigin"] = json!("https://a.example"),
            PasskeyError::Origin,
        ),
        (
            "crossOrigin",
            |soft| soft.client_data["crossOrigin"] = json!("no"),
            PasskeyError::ClientData,
        ),
        (
            "no type",
            |soft| soft.client_data["type"] = json!(null),
            PasskeyError::ClientData,
        ),
        (
            "no object",
            |soft| soft.client_data = json!("webauthn.create"),
            PasskeyError::ClientData,
        ),
        (
            "long",
            |soft| soft.client_data["x"] = json!("x".repeat(MAX_CLIENT_DATA_BYTES)),
            PasskeyError::ClientData,
        ),
        ("RP ID", |soft| soft.rp_id = "example".into(), PasskeyError::RpId),
        ("nobody there", |soft| soft.flags = UV, PasskeyError::UserPresence),
        ("not verified", |soft| soft.flags = UP, PasskeyError::UserVerification),
        (
            "backed up, not eligible",
            |soft| soft.flags |= BS,
            PasskeyError::BackupFlags,
        ),
        ("no identifier", |soft| soft.id = Vec::new(), PasskeyError::CredentialId),
        (
            "a long identifier",
            |soft| soft.id = vec![1; 1024],
            PasskeyError::CredentialId,
        ),
        (
            "bytes behind",
            |soft| soft.extensions = vec![0xa0],
            PasskeyError::AuthenticatorData,
        ),
        (
            "no extensions",
            |soft| soft.flags |= ED,
            PasskeyError::AuthenticatorData,
        ),
        (
            "extensions that are no map",
            |soft| {
                soft.flags |= ED;
                soft.extensions = vec![0x80];
            },
            PasskeyError::AuthenticatorData,
        ),
        (
            "a withdrawn format",
            |soft| soft.format = Some("android-safetynet"),
            StatementError::Withdrawn.into(),
        ),
        (
            "a format of authenticators that verify nobody",
            |soft| soft.format = Some("fido-u2f"),
            StatementError::Withdrawn.into(),
        ),
        (
            "another model in the certificate",
            |soft| soft.certificate.extensions[1] = model_extension(&[9; 16], false),
            StatementError::Model.into(),
        ),
        (
            "a critical model",
            |soft| soft.certificate.extensions[1] = model_extension(&AAGUID, true),
            StatementError::Model.into(),
        ),
        (
            "an authority",
            |soft| soft.certificate.extensions[0] = constraints(true),
            StatementError::PackedCertificate.into(),
        ),
        (
            "no constraints",
            |soft| drop(soft.certificate.extensions.remove(0)),
            StatementError::PackedCertificate.into(),
        ),
        (
            "another unit",
            |soft| soft.certificate.subject = subject("Authenticators"),
            StatementError::PackedCertificate.into(),
        ),
        (
            "no country",
            |soft| soft.certificate.subject = test_pki::name("Model 1"),
            StatementError::PackedCertificate.into(),
        ),
    ];
    for (why, change, expected) in cases {
        assert_eq!(attempt(change).unwrap_err(), expected, "{why}");
    }
}

#[test]
fn extensions_may_follow() {
    let registered = attempt(|soft| {
        soft.flags |= ED;
        soft.extensions = map(&[(text("hmac-secret"), vec![0xf5])]);
    });
    assert_eq!(registered.unwrap().device.class, "passkey");
}

#[test]
fn what_is_no_attestation_object_is_refused() {
    let good = new_key(|_| {}).registration();
    let data = new_key(|_| {}).authenticator_data(UP | UV | AT);
    for (why, object) in [
        ("nothing", Vec::new()),
        ("no CBOR", b"\xff".to_vec()),
        ("no map", vec![0x80]),
        ("an empty map", map(&[])),
        ("bytes behind", [good.attestation_object.clone(), vec![0]].concat()),
        (
            "no statement",
            map(&[(text("fmt"), text("none")), (text("authData"), bytes(&data))]),
        ),
        (
            "a member more",
            map(&[
                (text("fmt"), text("none")),
                (text("attStmt"), map(&[])),
                (text("authData"), bytes(&data)),
                (text("more"), vec![0]),
            ]),
        ),
        ("too long", vec![0; MAX_ATTESTATION_OBJECT_BYTES + 1]),
    ] {
        let registration = Registration {
            attestation_object: object,
            ..good.clone()
        };
        assert_eq!(
            registered(&registration).unwrap_err(),
            PasskeyError::AttestationObject,
            "{why}"
        );
    }
    let other_id = Registration {
        credential_id: vec![0x1e; 32],
        ..good.clone()
    };
    assert_eq!(registered(&other_id).unwrap_err(), PasskeyError::CredentialId);
    let no_key = map(&[
        (text("fmt"), text("none")),
        (text("attStmt"), map(&[])),
        (text("authData"), bytes(&new_key(|_| {}).authenticator_data(UP | UV))),
    ]);
    let no_key = Registration {
        attestation_object: no_key,
        ..good
    };
    assert_eq!(registered(&no_key).unwrap_err(), PasskeyError::AuthenticatorData);
}

#[test]
fn a_passkey_needs_the_card_a_name_a_consent_and_a_class() {
    let registration = new_key(|_| {}).registration();
    let refused = |request: &RegistrationRequest, performed: &Performed, policy: &AuthenticationPolicy, now| {
        let rules = Rules {
            policy,
            android_status: None,
        };
        register(request, &registration, &party(), &LOGIN, performed, &rules, now).unwrap_err()
    };
    let (policy, card) = (policy(), card_login());
    let by_device = Performed {
        method: Method::DeviceKey,
        ..card.clone()
    };
    let error = refused(&request(), &by_device, &policy, NOW);
    assert_eq!(error, PasskeyError::Binding(BindingError::CardLoginNeeded));
    let error = refused(&request(), &card, &policy, NOW.plus_seconds(601));
    assert_eq!(error, PasskeyError::Binding(BindingError::TooLate));
    let nameless = RegistrationRequest {
        name: String::new(),
        ..request()
    };
    assert_eq!(
        refused(&nameless, &card, &policy, NOW),
        PasskeyError::Binding(BindingError::Name)
    );
    let silent = RegistrationRequest {
        consented_to_substantial: false,
        ..request()
    };
    assert_eq!(
        refused(&silent, &card, &policy, NOW),
        PasskeyError::Binding(BindingError::ConsentMissing)
    );
    let mut none = policy.clone();
    none.device_classes.retain(|class| !class.name.starts_with("passkey"));
    assert_eq!(refused(&request(), &card, &none, NOW), PasskeyError::NotAdmitted);
    let mut strict = policy;
    strict.device_classes.retain(|class| class.name != "passkey-own-pages");
    let copied = new_key(|soft| soft.flags |= BE).registration();
    let refused = registered_by(&copied, &strict, None);
    assert_eq!(refused.unwrap_err(), PasskeyError::NotAdmitted);
}

#[test]
fn challenges_differ_by_use_login_and_device() {
    let handle = user_handle(&PERSON, &DEVICE);
    let all = [
        registration_challenge(&LOGIN, &handle),
        registration_challenge(&[8; 16], &handle),
        registration_challenge(&LOGIN, &user_handle(&DEVICE, &PERSON)),
        login_challenge("a.b.c"),
        login_challenge("a.b.d"),
    ];
    for (index, one) in all.iter().enumerate() {
        assert!(!all[..index].contains(one));
    }
    assert_eq!(RP_ID, party().rp_id());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_make_it_panic_and_no_flipped_bit_passes(format in 0_usize..4, at in 0_usize..4_000, bit in 0_u8..8) {
        let attests = [
            Attests::ByMaker,
            Attests::Tpm(Tpm::new()),
            Attests::Apple(Apple::new()),
            Attests::Android(Android::new()),
        ];
        let policy = policy_of(attests[format].format());
        let good = new_key(|soft| soft.attests = attests[format].clone()).registration();
        let list = status("");
        let registered = |registration: &_| registered_by(registration, &policy, Some(&list));
        let at = at % good.attestation_object.len();
        let with = |attestation_object| Registration { attestation_object, ..good.clone() };
        prop_assert!(registered(&good).unwrap().failed.is_empty());
        let mut flipped = good.attestation_object.clone();
        flipped[at] ^= 1 << bit;
        // A flipped bit may change the words about the maker to words nobody believes, never to others that are believed.
        if let Ok(taken) = registered(&with(flipped)) {
            prop_assert_eq!(taken.device.class.as_str(), "passkey-own-pages");
        }
        let cut = with(good.attestation_object[..at].to_vec());
        prop_assert!(registered(&cut).is_err());
    }
}
