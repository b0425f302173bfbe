#![allow(clippy::unwrap_used)]
use jose::SoftwareKey;
use jose::jwk::{JwkSet, KeyUse};

use super::*;
use crate::attestation::policy::AttestedDeviceKey;
use crate::challenge::{self, Challenge, Purpose};
use crate::policy::{DeviceClassRule, DeviceEvidence};

const NOW: UnixTime = UnixTime(1_800_000_000);
const DAY: u64 = 86_400;
const LOGIN: [u8; 16] = [7; 16];

fn challenge_at(now: UnixTime) -> VerifiedChallenge {
    let key = SoftwareKey::generate("idp").unwrap();
    let challenge = Challenge {
        iss: "https://idp.example".into(),
        login_id: LOGIN,
        client_id: "https://epa.example".into(),
        client_name: "Patient record".into(),
        request_hash: "aGFzaA".into(),
        purpose: Purpose::Login,
        iat: now,
        exp: now.plus_seconds(challenge::LIFETIME_SECONDS),
    };
    let token = challenge::issue(&challenge, &key).unwrap();
    challenge::verify(
        &token,
        &JwkSet {
            keys: vec![key.jwk(KeyUse::Signature)],
        },
        now,
    )
    .unwrap()
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

fn request(key: &SoftwareKey) -> BindingRequest {
    BindingRequest {
        device_id: [1; 16],
        person_id: [2; 16],
        public_key: key.public_key().clone(),
        name: "Ada's phone".into(),
        evidence: claimed("software"),
        consented_to_substantial: true,
        hardware: None,
    }
}

fn claimed(class: &str) -> ClassEvidence {
    ClassEvidence::Claimed { class: class.into() }
}

fn sign<T: Serialize>(typ: &str, claims: &T, key: &SoftwareKey) -> String {
    let header = jws::SigningHeader {
        typ: Some(typ),
        ..Default::default()
    };
    jws::sign(&header, &serde_json::to_vec(claims).unwrap(), key).unwrap()
}

fn proof(key: &SoftwareKey, login_id: &[u8]) -> String {
    sign(
        BINDING_TYP,
        &BindingClaims {
            challenge_id: base64url::encode(login_id),
        },
        key,
    )
}

fn bound(key: &SoftwareKey) -> DeviceKey {
    bind(
        &request(key),
        &proof(key, &LOGIN),
        &LOGIN,
        &card_login(),
        &AuthenticationPolicy::default(),
        NOW,
    )
    .unwrap()
}

struct Login {
    key: SoftwareKey,
    device: DeviceKey,
    policy: AuthenticationPolicy,
    challenge: VerifiedChallenge,
    now: UnixTime,
}

impl Login {
    fn at(now: UnixTime) -> Self {
        let key = SoftwareKey::generate("device").unwrap();
        let policy = AuthenticationPolicy::default();
        Self {
            device: bound(&key),
            key,
            policy,
            challenge: challenge_at(now),
            now,
        }
    }

    fn claims(&self) -> AssertionClaims {
        let challenge = self.challenge.token().to_owned();
        AssertionClaims {
            challenge,
            decision: Decision::Approve,
            time: self.now,
            counter: 1,
        }
    }

    fn verify(&self, claims: &AssertionClaims) -> Result<VerifiedAssertion, DeviceError> {
        let assertion = parse_assertion(&sign(ASSERTION_TYP, claims, &self.key))?;
        verify(&assertion, &self.challenge, &self.device, &self.policy, self.now)
    }
}

#[test]
fn a_bound_device_logs_its_person_in() {
    let login = Login::at(NOW.plus_seconds(DAY));
    let verified = login.verify(&login.claims()).unwrap();
    assert_eq!(verified.counter, 1);
    let person = verified.person;
    assert_eq!((person.method(), person.level()), (Method::DeviceKey, Acr::Substantial));
    assert_eq!((person.person_id(), person.auth_time()), (Some([2; 16]), login.now));
    assert!(person.kvnr().is_none() && person.ik().is_none());
    assert!(person.performed().consented_to_substantial);
}

#[test]
fn a_device_is_refused_when_the_card_is_due_and_welcome_after_confirmation() {
    let mut login = Login::at(NOW.plus_seconds(DAY + 1));
    assert_eq!(
        login.verify(&login.claims()).unwrap_err(),
        DeviceError::ReconfirmationDue
    );
    let device_login = Performed {
        method: Method::DeviceKey,
        ..card_login()
    };
    assert_eq!(login.device.confirm(&device_login), Err(BindingError::CardLoginNeeded));
    let guest = Performed {
        method: Method::GuestHealthCard,
        auth_time: login.now,
        ..card_login()
    };
    assert_eq!(login.device.confirm(&guest), Err(BindingError::CardLoginNeeded));
    login
        .device
        .confirm(&Performed {
            auth_time: login.now,
            ..card_login()
        })
        .unwrap();
    assert_eq!(
        login.device.valid_until(&login.policy),
        Some(login.now.plus_seconds(DAY))
    );
    assert!(login.verify(&login.claims()).is_ok());
}

#[test]
fn an_assertion_counts_once_and_only_for_its_challenge() {
    let mut login = Login::at(NOW);
    let claims = login.claims();
    login.device.counter = login.verify(&claims).unwrap().counter;
    assert_eq!(login.verify(&claims).unwrap_err(), DeviceError::Counter);
    let claims = AssertionClaims { counter: 2, ..claims };
    assert!(login.verify(&claims).is_ok());
    let other = AssertionClaims {
        challenge: challenge_at(NOW).token().to_owned(),
        ..claims
    };
    assert_eq!(login.verify(&other).unwrap_err(), DeviceError::ChallengeMismatch);
}

#[test]
fn declining_and_wrong_clocks_are_refused() {
    let login = Login::at(NOW);
    let declined = AssertionClaims {
        decision: Decision::Decline,
        ..login.claims()
    };
    assert_eq!(login.verify(&declined).unwrap_err(), DeviceError::Declined);
    for time in [
        NOW.plus_seconds(301),
        NOW.minus_seconds(301),
        UnixTime(0),
        UnixTime(u64::MAX),
    ] {
        let claims = AssertionClaims { time, ..login.claims() };
        assert_eq!(login.verify(&claims).unwrap_err(), DeviceError::Clock);
    }
}

#[test]
fn another_key_or_another_kind_of_token_is_refused() {
    let login = Login::at(NOW);
    let stranger = SoftwareKey::generate("device").unwrap();
    let forged = parse_assertion(&sign(ASSERTION_TYP, &login.claims(), &stranger)).unwrap();
    let refused = verify(&forged, &login.challenge, &login.device, &login.policy, NOW).unwrap_err();
    assert_eq!(refused, DeviceError::Signature);
    let parsed = |token: &str| parse_assertion(token).unwrap_err();
    assert_eq!(parsed(&sign("JWT", &login.claims(), &login.key)), DeviceError::Header);
    assert_eq!(
        parsed(&sign(BINDING_TYP, &login.claims(), &login.key)),
        DeviceError::Header
    );
    assert_eq!(
        parsed(&sign(ASSERTION_TYP, &serde_json::json!({"counter": 1}), &login.key)),
        DeviceError::Payload
    );
    assert!(matches!(parsed("a.b"), DeviceError::Jws(_)));
}

#[test]
fn policy_decides_about_bound_devices_at_each_login() {
    let mut login = Login::at(NOW);
    login.policy.device_classes.retain(|class| class.name != "software");
    assert_eq!(
        login.verify(&login.claims()).unwrap_err(),
        DeviceError::ClassNotAdmitted
    );
    login.policy = AuthenticationPolicy::default();
    login.policy.methods.retain(|rule| rule.method != Method::DeviceKey);
    assert_eq!(
        login.verify(&login.claims()).unwrap_err(),
        DeviceError::ClassNotAdmitted
    );
    login.policy = AuthenticationPolicy::default();
    login.device.consented_to_substantial = false;
    assert_eq!(login.verify(&login.claims()).unwrap_err(), DeviceError::ConsentMissing);
}

#[test]
fn a_class_of_the_high_level_reaches_high_without_consent() {
    let mut login = Login::at(NOW);
    let high = DeviceClassRule {
        name: "sandbox".into(),
        level: Acr::High,
        reconfirm_after_seconds: DAY,
        evidence: DeviceEvidence::Claimed,
        own_pages_only: false,
    };
    login.policy.device_classes.push(high);
    login.device.class = "sandbox".into();
    login.device.consented_to_substantial = false;
    assert_eq!(login.verify(&login.claims()).unwrap().person.level(), Acr::High);
}

#[test]
fn only_a_fresh_login_with_ones_own_card_binds() {
    let key = SoftwareKey::generate("device").unwrap();
    let policy = AuthenticationPolicy::default();
    let attempt =
        |performed: Performed, now| bind(&request(&key), &proof(&key, &LOGIN), &LOGIN, &performed, &policy, now);
    for performed in [
        Performed {
            method: Method::GuestHealthCard,
            ..card_login()
        },
        Performed {
            method: Method::DeviceKey,
            ..card_login()
        },
        Performed {
            session: Session::SingleSignOn,
            ..card_login()
        },
    ] {
        assert_eq!(attempt(performed, NOW), Err(BindingError::CardLoginNeeded));
    }
    assert_eq!(attempt(card_login(), NOW.plus_seconds(601)), Err(BindingError::TooLate));
    assert_eq!(attempt(card_login(), NOW.minus_seconds(1)), Err(BindingError::TooLate));
    assert!(attempt(card_login(), NOW.plus_seconds(600)).is_ok());
}

#[test]
fn a_binding_request_is_checked_against_name_class_and_consent() {
    let key = SoftwareKey::generate("device").unwrap();
    let policy = AuthenticationPolicy::default();
    let attempt = |request: BindingRequest| bind(&request, &proof(&key, &LOGIN), &LOGIN, &card_login(), &policy, NOW);
    for name in [String::new(), "x".repeat(65), "line\nbreak".into()] {
        assert_eq!(
            attempt(BindingRequest { name, ..request(&key) }),
            Err(BindingError::Name)
        );
    }
    let class = |class: &str| {
        attempt(BindingRequest {
            evidence: claimed(class),
            ..request(&key)
        })
    };
    assert_eq!(class("toaster"), Err(BindingError::Class));
    assert_eq!(class("secure-element"), Err(BindingError::EvidenceMissing));
    let silent = BindingRequest {
        consented_to_substantial: false,
        ..request(&key)
    };
    assert_eq!(attempt(silent), Err(BindingError::ConsentMissing));
}

#[test]
fn the_proof_is_by_the_new_key_over_this_login() {
    let key = SoftwareKey::generate("device").unwrap();
    let stranger = SoftwareKey::generate("device").unwrap();
    let policy = AuthenticationPolicy::default();
    let attempt = |proof: &str| bind(&request(&key), proof, &LOGIN, &card_login(), &policy, NOW);
    assert_eq!(attempt(&proof(&stranger, &LOGIN)), Err(BindingError::ProofSignature));
    assert_eq!(attempt(&proof(&key, &[8; 16])), Err(BindingError::ProofChallenge));
    assert_eq!(attempt(&proof(&key, b"")), Err(BindingError::ProofChallenge));
    assert_eq!(attempt("not a token"), Err(BindingError::ProofForm));
    let wrong_typ = sign(
        "JWT",
        &BindingClaims {
            challenge_id: base64url::encode(&LOGIN),
        },
        &key,
    );
    assert_eq!(attempt(&wrong_typ), Err(BindingError::ProofForm));
}

#[test]
fn a_record_survives_storage_and_never_shows_itself() {
    let key = SoftwareKey::generate("device").unwrap();
    let device = bound(&key);
    let stored = serde_json::to_string(&device).unwrap();
    let loaded: DeviceKey = serde_json::from_str(&stored).unwrap();
    assert!(loaded == device);
    assert_eq!(format!("{device:?}"), "DeviceKey");
    assert!(
        serde_json::from_str::<DeviceKey>(&stored.replacen("\"key\":\"BA", "\"key\":\"BB", 1)).is_err()
            || !stored.contains("\"key\":\"BA")
    );
}

/// A binding whose class is shown by the maker's word.
fn bound_by_attestation(attested: AttestedDeviceKey, key: &SoftwareKey) -> Result<DeviceKey, BindingError> {
    let request = BindingRequest {
        evidence: ClassEvidence::Attested(attested),
        ..request(key)
    };
    let policy = AuthenticationPolicy::default();
    bind(&request, &proof(key, &LOGIN), &LOGIN, &card_login(), &policy, NOW)
}

#[test]
fn a_class_that_demands_the_makers_word_is_bound_by_a_proof_about_this_key_and_this_login_only() {
    let key = SoftwareKey::generate("device").unwrap();
    let stranger = SoftwareKey::generate("stranger").unwrap();
    let challenge = attestation_challenge(&LOGIN);
    let attested =
        |key: &SoftwareKey, challenge, class| AttestedDeviceKey::unjudged(key.public_key(), challenge, class);
    for (wrong, error) in [
        (
            attested(&stranger, challenge, "secure-element"),
            BindingError::AttestedKey,
        ),
        (
            attested(&key, attestation_challenge(&[8; 16]), "secure-element"),
            BindingError::AttestedChallenge,
        ),
        (
            attested(&key, [0; 32], "secure-element"),
            BindingError::AttestedChallenge,
        ),
        (attested(&key, challenge, "toaster"), BindingError::Class),
    ] {
        assert_eq!(bound_by_attestation(wrong, &key).err(), Some(error));
    }
    for (class, days) in [("secure-element", 184), ("hardware-keystore", 30)] {
        let device = bound_by_attestation(attested(&key, challenge, class), &key).unwrap();
        assert_eq!(device.class, class);
        let until = device.valid_until(&AuthenticationPolicy::default());
        assert_eq!(until, Some(NOW.plus_seconds(days * DAY)));
    }
}

/// The wallet of an app computes it too; a change would make every phone's statement one over another challenge.
#[test]
fn the_challenge_of_an_attestation_is_the_documented_hash() {
    use sha2::Digest as _;
    let expected = sha2::Sha256::new()
        .chain_update(b"healthid/device-attestation/v1")
        .chain_update([0])
        .chain_update(LOGIN)
        .finalize();
    assert_eq!(attestation_challenge(&LOGIN)[..], expected[..]);
    assert_ne!(attestation_challenge(&LOGIN), attestation_challenge(&[8; 16]));
}

#[test]
fn a_device_that_is_locked_or_blocked_does_not_log_in_until_a_card_has_confirmed_it() {
    let mut login = Login::at(NOW.plus_seconds(100));
    login.device.stands(true, None);
    assert_eq!(login.verify(&login.claims()).unwrap_err(), DeviceError::Locked);
    // Blocked in the second of its confirmation, or later.
    for blocked_at in [NOW, NOW.plus_seconds(50)] {
        for locked in [false, true] {
            login.device.stands(locked, Some(blocked_at));
            assert_eq!(login.verify(&login.claims()).unwrap_err(), DeviceError::Blocked);
        }
    }
    let card = |at| Performed {
        auth_time: at,
        ..card_login()
    };
    let blocked_at = NOW.plus_seconds(50);
    for (confirmed_at, standing) in [
        (NOW.plus_seconds(49), Standing::Blocked),
        (blocked_at, Standing::Blocked),
        (NOW.plus_seconds(51), Standing::Free),
    ] {
        login.device.confirm(&card(confirmed_at)).unwrap();
        login.device.stands(false, Some(blocked_at));
        assert_eq!(login.device.standing(), standing);
    }
    assert!(login.verify(&login.claims()).is_ok());
    login.device.stands(false, Some(NOW.minus_seconds(1)));
    assert_eq!(
        login.device.standing(),
        Standing::Free,
        "it was bound after the code was used"
    );
}

#[test]
fn who_does_not_hold_the_key_learns_nothing_about_a_lock() {
    let mut login = Login::at(NOW);
    login.device.stands(true, Some(NOW));
    let claims = login.claims();
    login.key = SoftwareKey::generate("stranger").unwrap();
    assert_eq!(login.verify(&claims).unwrap_err(), DeviceError::Signature);
}

#[test]
fn the_interval_is_admitted_at_its_edges_and_refused_beyond() {
    for (seconds, admitted) in [
        (DAY - 1, false),
        (DAY, true),
        (DAY + 1, true),
        (184 * DAY, true),
        (184 * DAY + 1, false),
    ] {
        let mut policy = AuthenticationPolicy::default();
        policy.device_classes[2].reconfirm_after_seconds = seconds;
        assert_eq!(policy.check().is_ok(), admitted, "{seconds}");
        if !admitted {
            continue;
        }
        for (at, good) in [(seconds - 1, true), (seconds, true), (seconds + 1, false)] {
            let mut login = Login::at(NOW.plus_seconds(at));
            login.policy = policy.clone();
            let expected = if good {
                None
            } else {
                Some(DeviceError::ReconfirmationDue)
            };
            assert_eq!(login.verify(&login.claims()).err(), expected, "{seconds} {at}");
        }
    }
}

#[test]
fn an_early_renewal_counts_from_the_card_login_and_never_goes_back() {
    let policy = AuthenticationPolicy::default();
    let mut device = bound(&SoftwareKey::generate("device").unwrap());
    let card = |at| Performed {
        auth_time: at,
        ..card_login()
    };
    for (at, until) in [
        (NOW.plus_seconds(DAY / 2), DAY / 2 + DAY),
        (NOW.plus_seconds(10), DAY / 2 + DAY),
        (NOW.plus_seconds(9 * DAY), 10 * DAY),
    ] {
        device.confirm(&card(at)).unwrap();
        assert_eq!(device.valid_until(&policy), Some(NOW.plus_seconds(until)));
    }
    for wrong in [
        Performed {
            method: Method::DeviceKey,
            ..card_login()
        },
        Performed {
            method: Method::GuestHealthCard,
            ..card_login()
        },
        Performed {
            session: Session::SingleSignOn,
            ..card_login()
        },
    ] {
        assert_eq!(device.confirm(&wrong), Err(BindingError::CardLoginNeeded));
    }
}

#[test]
fn a_name_is_changed_by_the_rules_it_was_given_by() {
    let mut device = bound(&SoftwareKey::generate("device").unwrap());
    for name in ["", &"x".repeat(65), "line\nbreak", "nul\0"] {
        assert_eq!(device.rename(name), Err(BindingError::Name));
        assert_eq!(device.name, "Ada's phone");
    }
    device.rename(&"ä".repeat(64)).unwrap();
    assert_eq!(device.name.chars().count(), 64);
}

#[test]
fn a_record_from_before_marks_of_phones_is_read_and_a_mark_is_kept() {
    let key = SoftwareKey::generate("device").unwrap();
    let older = bound(&key);
    let stored = serde_json::to_string(&older).unwrap();
    assert!(!stored.contains("hardware") && !stored.contains("standing"), "{stored}");
    assert!(serde_json::from_str::<DeviceKey>(&stored).unwrap().hardware().is_none());
    let mark = HardwareMark::new([9; 32]);
    let marked = DeviceKey {
        hardware: Some(mark.clone()),
        ..older
    };
    let stored = serde_json::to_string(&marked).unwrap();
    assert_eq!(
        serde_json::from_str::<DeviceKey>(&stored).unwrap().hardware(),
        Some(&mark)
    );
    assert_eq!(format!("{mark:?}"), "HardwareMark");
    for broken in ["", "AAAA", &"A".repeat(44)] {
        let stored = stored.replace(&base64url::encode(&[9; 32]), broken);
        assert!(serde_json::from_str::<DeviceKey>(&stored).is_err(), "{broken}");
    }
}

const ISSUER: &str = "https://idp.example";

fn look(time: UnixTime) -> LookClaims {
    LookClaims {
        aud: ISSUER.into(),
        device: "handle".into(),
        purpose: LookPurpose::Requests,
        endpoint: None,
        time,
    }
}

fn looked(claims: &LookClaims, key: &SoftwareKey, device: &DeviceKey) -> Result<(), LookError> {
    let look = parse_look(&sign(LOOK_TYP, claims, key), LookPurpose::Requests).unwrap();
    verify_look(&look, ISSUER, device, NOW)
}

#[test]
fn a_bound_device_may_look_as_often_as_it_likes_and_counts_nothing() {
    let key = SoftwareKey::generate("device").unwrap();
    let device = bound(&key);
    for _ in 0..2 {
        assert_eq!(looked(&look(NOW), &key, &device), Ok(()));
    }
    for off in [NOW.0 - CLOCK_SKEW_SECONDS, NOW.0 + CLOCK_SKEW_SECONDS] {
        assert_eq!(looked(&look(UnixTime(off)), &key, &device), Ok(()));
    }
}

#[test]
fn a_look_by_another_key_for_another_provider_or_at_another_time_is_refused() {
    let (key, stranger) = (
        SoftwareKey::generate("device").unwrap(),
        SoftwareKey::generate("device").unwrap(),
    );
    let device = bound(&key);
    assert_eq!(looked(&look(NOW), &stranger, &device), Err(LookError::Signature));
    let elsewhere = LookClaims {
        aud: "https://idp.example/".into(),
        ..look(NOW)
    };
    assert_eq!(looked(&elsewhere, &key, &device), Err(LookError::Elsewhere));
    // Whoever does not hold the key is told of the signature, whatever else is wrong.
    assert_eq!(looked(&elsewhere, &stranger, &device), Err(LookError::Signature));
    for off in [NOW.0 - CLOCK_SKEW_SECONDS - 1, NOW.0 + CLOCK_SKEW_SECONDS + 1, 0] {
        assert_eq!(looked(&look(UnixTime(off)), &key, &device), Err(LookError::Clock));
    }
    let mut locked = bound(&key);
    locked.stands(true, None);
    assert_eq!(looked(&look(NOW), &key, &locked), Err(LookError::Locked));
    locked.stands(true, Some(NOW));
    assert_eq!(looked(&look(NOW), &key, &locked), Err(LookError::Blocked));
}

#[test]
fn a_look_is_no_login_and_a_login_is_no_look() {
    let key = SoftwareKey::generate("device").unwrap();
    let claims = AssertionClaims {
        challenge: challenge_at(NOW).token().to_owned(),
        decision: Decision::Approve,
        time: NOW,
        counter: 1,
    };
    // Neither under its own name nor under the other's.
    let errors = [
        parse_look(&sign(ASSERTION_TYP, &claims, &key), LookPurpose::Requests).unwrap_err(),
        parse_look(&sign(LOOK_TYP, &claims, &key), LookPurpose::Requests).unwrap_err(),
        parse_look(&sign(BINDING_TYP, &look(NOW), &key), LookPurpose::Requests).unwrap_err(),
        parse_look(&sign("JWT", &look(NOW), &key), LookPurpose::Requests).unwrap_err(),
    ];
    assert_eq!(
        errors,
        [
            LookError::Header,
            LookError::Payload,
            LookError::Header,
            LookError::Header
        ]
    );
    for typ in [LOOK_TYP, ASSERTION_TYP, BINDING_TYP] {
        assert!(parse_assertion(&sign(typ, &look(NOW), &key)).is_err(), "{typ}");
    }
}

#[test]
fn a_look_with_a_member_more_less_or_of_another_kind_is_refused() {
    let key = SoftwareKey::generate("device").unwrap();
    let good = serde_json::to_value(look(NOW)).unwrap();
    let changed = |name: &str, value: serde_json::Value| {
        let mut members = good.clone();
        members[name] = value;
        members
    };
    let mut less = good.clone();
    less.as_object_mut().unwrap().remove("aud");
    for claims in [
        less,
        changed("counter", 1.into()),
        changed("purpose", "login".into()),
        changed("time", "now".into()),
        changed("time", (-1).into()),
        changed("device", serde_json::Value::Null),
        serde_json::json!([]),
    ] {
        assert_eq!(
            parse_look(&sign(LOOK_TYP, &claims, &key), LookPurpose::Requests).unwrap_err(),
            LookError::Payload,
            "{claims}"
        );
    }
    for token in ["", "a.b", "a.b.c"] {
        assert!(
            matches!(parse_look(token, LookPurpose::Requests).unwrap_err(), LookError::Jws(_)),
            "{token}"
        );
    }
}

#[test]
fn a_look_with_one_purpose_is_none_with_the_other() {
    let key = SoftwareKey::generate("k").unwrap();
    let with = |purpose, endpoint: Option<String>| LookClaims {
        purpose,
        endpoint,
        ..look(NOW)
    };
    let read = |claims: &LookClaims, purpose| parse_look(&sign(LOOK_TYP, claims, &key), purpose);
    let endpoint = |length| Some("x".repeat(length));
    let registration = with(LookPurpose::Push, endpoint(MAX_ENDPOINT_BYTES));
    let read_one = read(&registration, LookPurpose::Push).unwrap();
    assert_eq!(read_one.endpoint(), registration.endpoint.as_deref());
    let clearing = read(&with(LookPurpose::Push, None), LookPurpose::Push).unwrap();
    assert_eq!(clearing.endpoint(), None);
    for (claims, purpose) in [
        (with(LookPurpose::Requests, None), LookPurpose::Push),
        (with(LookPurpose::Push, None), LookPurpose::Requests),
        (registration, LookPurpose::Requests),
        (with(LookPurpose::Requests, endpoint(1)), LookPurpose::Requests),
        (
            with(LookPurpose::Push, endpoint(MAX_ENDPOINT_BYTES + 1)),
            LookPurpose::Push,
        ),
    ] {
        assert_eq!(read(&claims, purpose).unwrap_err(), LookError::Payload, "{claims:?}");
    }
}
