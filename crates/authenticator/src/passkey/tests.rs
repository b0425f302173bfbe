#![allow(clippy::unwrap_used)]
use jose::jwk::{JwkSet, KeyUse};
use jose::{SoftwareKey, UnixTime};
use proptest::prelude::*;
use serde_json::json;

use super::soft::{
    AAGUID, AT, Attests, BE, BS, ED, ORIGIN, RP_ID, Soft, UP, UV, bytes, constraints, cose, head, maker_root, map,
    model_extension, sign, subject, text,
};
use super::*;
use crate::attestation::ChainError;
use crate::attestation::test_pki::{self, DAY, NOW};
use crate::challenge::{self, Challenge, Purpose, VerifiedChallenge};
use crate::device::{BindingError, DeviceError, DeviceKey};
use crate::level::{Acr, Method};
use crate::policy::{AuthenticationPolicy, Performed, Session};

const LOGIN: [u8; 16] = [7; 16];
const PERSON: [u8; 16] = [2; 16];
const DEVICE: [u8; 16] = [1; 16];

fn party() -> Party {
    Party::of(ORIGIN).unwrap()
}

/// The default policy, and a model it believes.
fn policy() -> AuthenticationPolicy {
    let mut policy = AuthenticationPolicy::default();
    policy.passkeys.authenticators.push(AllowedAuthenticator {
        aaguid: "a5a5a5a5-a5a5-a5a5-a5a5-a5a5a5a5a5a5".to_owned(),
        roots: vec![maker_root()],
    });
    policy.check().unwrap();
    policy
}

fn card_login() -> Performed {
    Performed {
        method: Method::HealthCard,
        level: Acr::High,
        auth_time: NOW,
        consented_to_substantial: false,
        session: Session::Fresh,
    }
}

fn request() -> RegistrationRequest {
    RegistrationRequest {
        device_id: DEVICE,
        person_id: PERSON,
        name: "Ada's key".into(),
        consented_to_substantial: true,
    }
}

/// An authenticator that is asked for a new key.
fn new_key(change: impl FnOnce(&mut Soft)) -> Soft {
    let challenge = registration_challenge(&LOGIN, &user_handle(&PERSON, &DEVICE));
    let mut soft = Soft::new("webauthn.create", &challenge);
    change(&mut soft);
    soft
}

fn registered(registration: &Registration) -> Result<Registered, PasskeyError> {
    register(
        &request(),
        registration,
        &party(),
        &LOGIN,
        &card_login(),
        &policy(),
        NOW,
    )
}

fn attempt(change: impl FnOnce(&mut Soft)) -> Result<Registered, PasskeyError> {
    registered(&new_key(change).registration())
}

#[test]
fn a_key_that_stays_in_a_known_model_is_good_for_services() {
    let registered = attempt(|_| {}).unwrap();
    assert_eq!(registered.device.class, "passkey");
    assert!(registered.device.is_passkey());
    assert!(registered.failed.is_empty());
    assert_eq!((registered.device.counter, registered.device.confirmed_at), (1, NOW));
}

type Change = fn(&mut Soft);

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
            |soft| soft.format = "tpm",
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
fn a_registration_that_is_wrong_in_one_point_is_refused_by_name() {
    let cases: [(&str, Change, PasskeyError); 31] = [
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
            "another model in the certificate",
            |soft| soft.certificate.extensions[1] = model_extension(&[9; 16], false),
            PasskeyError::Statement,
        ),
        (
            "a critical model",
            |soft| soft.certificate.extensions[1] = model_extension(&AAGUID, true),
            PasskeyError::Statement,
        ),
        (
            "an authority",
            |soft| soft.certificate.extensions[0] = constraints(true),
            PasskeyError::Statement,
        ),
        (
            "no constraints",
            |soft| drop(soft.certificate.extensions.remove(0)),
            PasskeyError::Statement,
        ),
        (
            "another unit",
            |soft| soft.certificate.subject = subject("Authenticators"),
            PasskeyError::Statement,
        ),
        (
            "no country",
            |soft| soft.certificate.subject = test_pki::name("Model 1"),
            PasskeyError::Statement,
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
fn only_an_es256_key_of_the_usual_form_is_taken() {
    let (x, y) = (bytes(&[1; 32]), bytes(&[2; 32]));
    let right = SoftwareKey::generate("k").unwrap();
    let (own_x, own_y) = (bytes(right.public_key().x()), bytes(right.public_key().y()));
    let members = |kind, algorithm, curve, x: &Vec<u8>, y: &Vec<u8>| {
        vec![
            (1, vec![kind]),
            (3, vec![algorithm]),
            (0x20, vec![curve]),
            (0x21, x.clone()),
            (0x22, y.clone()),
        ]
    };
    let mut more = members(2, 0x26, 1, &own_x, &own_y);
    more.push((0x04, vec![0x80]));
    for (why, cose_key) in [
        ("no key type EC2", cose(&members(1, 0x26, 1, &own_x, &own_y))),
        ("ES384", cose(&members(2, 0x22, 1, &own_x, &own_y))),
        ("P-384", cose(&members(2, 0x26, 2, &own_x, &own_y))),
        ("no point of the curve", cose(&members(2, 0x26, 1, &x, &y))),
        (
            "a short coordinate",
            cose(&members(2, 0x26, 1, &bytes(&[1; 31]), &own_y)),
        ),
        ("a compressed point", cose(&members(2, 0x26, 1, &own_x, &vec![0xf5]))),
        ("a member more", cose(&more)),
        ("a member less", cose(&members(2, 0x26, 1, &own_x, &own_y)[..4])),
        ("no map", bytes(b"key")),
    ] {
        let refused = attempt(|soft| soft.cose = Some(cose_key));
        assert_eq!(refused.unwrap_err(), PasskeyError::Algorithm, "{why}");
    }
}

#[test]
fn a_statement_that_is_not_what_its_format_says_is_refused() {
    let soft = new_key(|_| {});
    let data = soft.authenticator_data(soft.flags | AT);
    let client_data = soft.client_data_bytes();
    let signed = [data.as_slice(), &hash(&[&client_data])].concat();
    let (right, leaf) = (
        sign(&test_pki::key(81), &signed),
        test_pki::signed(&soft.certificate, 80),
    );
    let statement = |algorithm: u8, signature: &[u8], chain: Vec<u8>| {
        map(&[
            (text("alg"), vec![algorithm]),
            (text("sig"), bytes(signature)),
            (text("x5c"), chain),
        ])
    };
    let chain = [head(4, 1), bytes(&leaf)].concat();
    let try_it = |statement: Vec<u8>| {
        registered(&Registration {
            credential_id: soft.id.clone(),
            client_data: client_data.clone(),
            attestation_object: soft.object(statement),
        })
    };
    assert_eq!(
        try_it(statement(0x26, &right, chain.clone())).unwrap().device.class,
        "passkey"
    );
    let by_key = sign(&soft.key, &signed);
    let over_other = sign(&test_pki::key(81), &data);
    for (why, wrong) in [
        ("signed by the new key", statement(0x26, &by_key, chain.clone())),
        ("over something else", statement(0x26, &over_other, chain.clone())),
        ("no certificate", statement(0x26, &right, vec![0x80])),
        (
            "a certificate that is none",
            statement(0x26, &right, [head(4, 1), bytes(b"x")].concat()),
        ),
        ("no algorithm", map(&[(text("sig"), bytes(&right))])),
        ("no signature", map(&[(text("alg"), vec![0x26])])),
        (
            "its own word, by another key",
            map(&[(text("alg"), vec![0x26]), (text("sig"), bytes(&right))]),
        ),
        (
            "its own word, another algorithm",
            map(&[(text("alg"), vec![0x22]), (text("sig"), bytes(&by_key))]),
        ),
    ] {
        assert_eq!(try_it(wrong).unwrap_err(), PasskeyError::Statement, "{why}");
    }
    // An algorithm that is not read is nobody's word.
    let unread = try_it(statement(0x27, &right, chain)).unwrap();
    assert_eq!(unread.failed, [Check::AttestationFormat]);
    // A statement where there must be none.
    let silent = new_key(|soft| soft.attests = Attests::None);
    let spoken = Registration {
        attestation_object: silent.object(map(&[(text("alg"), vec![0x26])])),
        ..silent.registration()
    };
    assert_eq!(registered(&spoken).unwrap_err(), PasskeyError::Statement);
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
        register(request, &registration, &party(), &LOGIN, performed, policy, now).unwrap_err()
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
    let refused = register(&request(), &copied, &party(), &LOGIN, &card, &strict, NOW);
    assert_eq!(refused.unwrap_err(), PasskeyError::NotAdmitted);
}

/// A registered passkey and a challenge for it.
struct Login {
    device: DeviceKey,
    challenge: VerifiedChallenge,
    soft: Soft,
}

fn challenge_for(purpose: Purpose) -> VerifiedChallenge {
    let key = SoftwareKey::generate("idp").unwrap();
    let challenge = Challenge {
        iss: "https://idp.example".into(),
        login_id: LOGIN,
        client_id: "https://epa.example".into(),
        client_name: "Patient record".into(),
        request_hash: "aGFzaA".into(),
        purpose,
        iat: NOW,
        exp: NOW.plus_seconds(challenge::LIFETIME_SECONDS),
    };
    let token = challenge::issue(&challenge, &key).unwrap();
    let keys = JwkSet {
        keys: vec![key.jwk(KeyUse::Signature)],
    };
    challenge::verify(&token, &keys, NOW).unwrap()
}

impl Login {
    fn new(purpose: Purpose, change: impl FnOnce(&mut Soft)) -> Self {
        let made = new_key(change);
        let device = registered(&made.registration()).unwrap().device;
        let challenge = challenge_for(purpose);
        let mut soft = Soft::new("webauthn.get", &login_challenge(challenge.token()));
        soft.key = made.key;
        soft.counter = if made.counter == 0 { 0 } else { made.counter + 1 };
        soft.flags = made.flags;
        Self {
            device,
            challenge,
            soft,
        }
    }

    fn assertion(&self) -> Assertion {
        self.soft.assertion(user_handle(&PERSON, &DEVICE))
    }

    fn try_with(&self, assertion: &Assertion) -> Result<crate::device::VerifiedAssertion, PasskeyError> {
        self.try_at(assertion, NOW)
    }

    fn try_at(&self, assertion: &Assertion, now: UnixTime) -> Result<crate::device::VerifiedAssertion, PasskeyError> {
        verify(assertion, &self.challenge, &self.device, &party(), &policy(), now)
    }
}

#[test]
fn a_device_bound_passkey_logs_in_to_services_at_substantial() {
    let login = Login::new(Purpose::Login, |_| {});
    let verified = login.try_with(&login.assertion()).unwrap();
    assert_eq!((verified.person.level(), verified.counter), (Acr::Substantial, 2));
    assert_eq!(verified.person.person_id(), Some(PERSON));
    let performed = verified.person.performed();
    assert!(performed.consented_to_substantial && performed.method == Method::DeviceKey);
}

#[test]
fn a_synced_passkey_enters_own_pages_and_no_service() {
    let account = Login::new(Purpose::Account, |soft| soft.flags |= BE | BS);
    assert!(account.try_with(&account.assertion()).is_ok());
    let service = Login::new(Purpose::Login, |soft| soft.flags |= BE | BS);
    let refused = service.try_with(&service.assertion()).unwrap_err();
    assert_eq!(refused, PasskeyError::Device(DeviceError::OwnPagesOnly));
}

#[test]
fn an_answer_that_is_wrong_in_one_point_is_refused_by_name() {
    let cases: [(&str, Change, PasskeyError); 11] = [
        (
            "type",
            |soft| soft.client_data["type"] = json!("webauthn.create"),
            PasskeyError::Type,
        ),
        (
            "challenge",
            |soft| soft.client_data["challenge"] = json!("AAAA"),
            PasskeyError::Challenge,
        ),
        (
            "origin",
            |soft| soft.client_data["origin"] = json!("https://epa.example"),
            PasskeyError::Origin,
        ),
        ("RP ID", |soft| soft.rp_id = "epa.example".into(), PasskeyError::RpId),
        ("nobody there", |soft| soft.flags = UV, PasskeyError::UserPresence),
        ("not verified", |soft| soft.flags = UP, PasskeyError::UserVerification),
        ("backed up", |soft| soft.flags |= BS, PasskeyError::BackupFlags),
        ("eligible now", |soft| soft.flags |= BE, PasskeyError::BackupFlags),
        (
            "another credential",
            |soft| soft.id = vec![3; 32],
            PasskeyError::NotBound,
        ),
        (
            "another key",
            |soft| soft.key = SoftwareKey::generate("x").unwrap(),
            PasskeyError::NotBound,
        ),
        ("a key in it", |soft| soft.flags |= AT, PasskeyError::AuthenticatorData),
    ];
    for (why, change, expected) in cases {
        let mut login = Login::new(Purpose::Login, |_| {});
        change(&mut login.soft);
        assert_eq!(login.try_with(&login.assertion()).unwrap_err(), expected, "{why}");
    }
}

#[test]
fn an_answer_that_was_changed_afterwards_is_refused() {
    let login = Login::new(Purpose::Login, |_| {});
    let good = login.assertion();
    let mut counted = good.clone();
    counted.authenticator_data[36] = 9;
    let mut respelled = good.clone();
    respelled.client_data.push(b' ');
    let mut resigned = good.clone();
    resigned.signature.push(0);
    let mut another_person = good.clone();
    another_person.user_handle[0] ^= 1;
    let mut another_device = good;
    another_device.user_handle[31] ^= 1;
    for changed in [counted, respelled, resigned, another_person, another_device] {
        assert_eq!(login.try_with(&changed).unwrap_err(), PasskeyError::NotBound);
    }
}

#[test]
fn a_copy_is_noticed_by_its_counter_and_no_counter_is_no_copy() {
    let mut login = Login::new(Purpose::Login, |soft| soft.counter = 5);
    for (counter, copied) in [(0, true), (4, true), (5, true), (6, false), (u32::MAX, false)] {
        login.soft.counter = counter;
        let outcome = login.try_with(&login.assertion());
        assert_eq!(
            outcome.as_ref().err(),
            copied.then_some(&PasskeyError::Cloned),
            "{counter}"
        );
    }
    let mut uncounted = Login::new(Purpose::Login, |soft| soft.counter = 0);
    assert_eq!(uncounted.try_with(&uncounted.assertion()).unwrap().counter, 0);
    // One that begins to count is no copy; one that stops is.
    uncounted.soft.counter = 3;
    assert_eq!(uncounted.try_with(&uncounted.assertion()).unwrap().counter, 3);
    uncounted.device.counter = 3;
    uncounted.soft.counter = 0;
    assert_eq!(
        uncounted.try_with(&uncounted.assertion()).unwrap_err(),
        PasskeyError::Cloned
    );
}

#[test]
fn the_card_is_due_for_a_passkey_too() {
    let login = Login::new(Purpose::Login, |_| {});
    let assertion = login.assertion();
    assert!(login.try_at(&assertion, NOW.plus_seconds(30 * DAY)).is_ok());
    let refused = login.try_at(&assertion, NOW.plus_seconds(30 * DAY + 1)).unwrap_err();
    assert_eq!(refused, PasskeyError::Device(DeviceError::ReconfirmationDue));
}

#[test]
fn a_passkey_that_is_locked_or_blocked_stays_out() {
    let mut login = Login::new(Purpose::Account, |_| {});
    let assertion = login.assertion();
    login.device.stands(true, None);
    let refused = login.try_with(&assertion).unwrap_err();
    assert_eq!(refused, PasskeyError::Device(DeviceError::Locked));
    login.device.stands(false, Some(NOW));
    let refused = login.try_with(&assertion).unwrap_err();
    assert_eq!(refused, PasskeyError::Device(DeviceError::Blocked));
    login.device.stands(false, None);
    assert!(login.try_with(&assertion).is_ok());
}

#[test]
fn a_device_key_is_no_passkey_and_a_passkey_no_device_key() {
    let login = Login::new(Purpose::Login, |_| {});
    let mut plain = serde_json::to_value(&login.device).unwrap();
    plain.as_object_mut().unwrap().remove("passkey");
    let plain: DeviceKey = serde_json::from_value(plain).unwrap();
    let refused = verify(&login.assertion(), &login.challenge, &plain, &party(), &policy(), NOW).unwrap_err();
    assert_eq!(refused, PasskeyError::NotBound);
    let claims = crate::device::AssertionClaims {
        challenge: login.challenge.token().to_owned(),
        decision: crate::device::Decision::Approve,
        time: NOW,
        counter: 9,
    };
    let header = jose::jws::SigningHeader {
        typ: Some(crate::device::ASSERTION_TYP),
        ..Default::default()
    };
    let token = jose::jws::sign(&header, &serde_json::to_vec(&claims).unwrap(), &login.soft.key).unwrap();
    let assertion = crate::device::parse_assertion(&token).unwrap();
    let refused = crate::device::verify(&assertion, &login.challenge, &login.device, &policy(), NOW).unwrap_err();
    assert_eq!(refused, DeviceError::Signature);
}

#[test]
fn a_record_of_a_passkey_reads_back_and_fits_its_row() {
    let mut device = Login::new(Purpose::Login, |_| {}).device;
    let text = serde_json::to_string(&device).unwrap();
    assert!(serde_json::from_str::<DeviceKey>(&text).unwrap() == device);
    // The longest a name is in JSON: every character escaped, or of four bytes.
    device.name = "𝄞".repeat(crate::device::MAX_NAME_CHARS);
    device.class = "passkey-own-pages".to_owned();
    let length = serde_json::to_string(&device).unwrap().len();
    assert!(length < 700, "{length}");
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
    fn no_bytes_make_it_panic_and_no_flipped_bit_passes(at in 0_usize..2_000, bit in 0_u8..8) {
        let good = new_key(|_| {}).registration();
        let at = at % good.attestation_object.len();
        let with = |attestation_object| Registration { attestation_object, ..good.clone() };
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
