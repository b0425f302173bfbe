//! Logins.

use jose::jwk::{JwkSet, KeyUse};
use jose::{SoftwareKey, UnixTime};
use serde_json::json;

use super::super::soft::{AT, Attests, BE, BS, Soft, SoftKey, UP, UV, rsa};
use super::super::*;
use super::{Change, DEVICE, LOGIN, PERSON, new_key, party, policy, registered};
use crate::attestation::test_pki::{DAY, NOW};
use crate::challenge::{self, Challenge, Purpose, VerifiedChallenge};
use crate::device::{DeviceError, DeviceKey};
use crate::level::{Acr, Method};

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
        ("another key", |soft| soft.key = SoftKey::p256(), PasskeyError::NotBound),
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
    let SoftKey::P256(key) = &login.soft.key else {
        panic!("a P-256 key")
    };
    let header = jose::jws::SigningHeader {
        typ: Some(crate::device::ASSERTION_TYP),
        ..Default::default()
    };
    let token = jose::jws::sign(&header, &serde_json::to_vec(&claims).unwrap(), key).unwrap();
    let assertion = crate::device::parse_assertion(&token).unwrap();
    let refused = crate::device::verify(&assertion, &login.challenge, &login.device, &policy(), NOW).unwrap_err();
    assert_eq!(refused, DeviceError::Signature);
}

#[test]
fn an_rsa_passkey_logs_in_as_any_other_and_nobody_in_its_place() {
    let login = Login::new(Purpose::Account, |soft| {
        soft.key = SoftKey::Rsa(rsa());
        soft.attests = Attests::None;
    });
    let good = login.assertion();
    assert_eq!(login.try_with(&good).unwrap().counter, 2);
    let mut flipped = good.clone();
    flipped.signature[255] ^= 1;
    let mut short = good.clone();
    short.signature.pop();
    let mut counted = good.clone();
    counted.authenticator_data[36] = 9;
    let mut by_p256 = good.clone();
    let signed = [&*good.authenticator_data, &hash(&[&good.client_data])].concat();
    by_p256.signature = SoftKey::p256().sign(&signed);
    let mut renamed = good.clone();
    renamed.credential_id = vec![3; 32];
    let mut empty = good;
    empty.signature = Vec::new();
    for changed in [flipped, short, counted, by_p256, renamed, empty] {
        assert_eq!(login.try_with(&changed).unwrap_err(), PasskeyError::NotBound);
    }
    // An RSA signature does not stand in for a P-256 key's.
    let mut other = Login::new(Purpose::Account, |_| {});
    other.soft.key = SoftKey::Rsa(rsa());
    assert_eq!(other.try_with(&other.assertion()).unwrap_err(), PasskeyError::NotBound);
}

#[test]
fn an_rsa_passkey_is_no_device_key() {
    // 1, whose point stands in for an RSA key where a device's signature is verified.
    let mut one = [0; 32];
    one[31] = 1;
    let key = SoftwareKey::from_scalar("nobody", &one).unwrap();
    let login = Login::new(Purpose::Account, |soft| {
        soft.key = SoftKey::Rsa(rsa());
        soft.attests = Attests::None;
    });
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
    let token = jose::jws::sign(&header, &serde_json::to_vec(&claims).unwrap(), &key).unwrap();
    let assertion = crate::device::parse_assertion(&token).unwrap();
    for is_record_whole in [true, false] {
        let mut device = serde_json::to_value(&login.device).unwrap();
        if !is_record_whole {
            device.as_object_mut().unwrap().remove("passkey");
        }
        let device: DeviceKey = serde_json::from_value(device).unwrap();
        let refused = crate::device::verify(&assertion, &login.challenge, &device, &policy(), NOW).unwrap_err();
        assert_eq!(refused, DeviceError::Signature);
    }
}
