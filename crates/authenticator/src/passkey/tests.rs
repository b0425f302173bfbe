#![allow(clippy::unwrap_used)]
mod android_key;
mod apple;
mod class;
mod keys;
mod login;
mod packed;
mod registration;
mod seeds;
mod tpm;

use super::soft::{Attests, ORIGIN, Soft, maker_root};
use super::*;
use crate::attestation::android::status::StatusList;
use crate::attestation::test_pki::NOW;
use crate::level::{Acr, Method};
use crate::policy::{AuthenticationPolicy, Performed, Session};

const LOGIN: [u8; 16] = [7; 16];
const PERSON: [u8; 16] = [2; 16];
const DEVICE: [u8; 16] = [1; 16];

type Change = fn(&mut Soft);

fn party() -> Party {
    Party::of(ORIGIN).unwrap()
}

/// The default policy, and a model it believes in `packed`.
fn policy() -> AuthenticationPolicy {
    policy_of(AttestationFormat::Packed)
}

/// As [`policy`], in another format.
fn policy_of(format: AttestationFormat) -> AuthenticationPolicy {
    let mut policy = AuthenticationPolicy::default();
    policy.passkeys.authenticators.push(AllowedAuthenticator {
        aaguid: "a5a5a5a5-a5a5-a5a5-a5a5-a5a5a5a5a5a5".to_owned(),
        format,
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

/// Google's list, with these entries.
fn status(entries: &str) -> StatusList {
    StatusList::parse(format!(r#"{{"entries":{{{entries}}}}}"#).as_bytes(), NOW).unwrap()
}

fn registered(registration: &Registration) -> Result<Registered, PasskeyError> {
    registered_by(registration, &policy(), Some(&status("")))
}

fn registered_by(
    registration: &Registration,
    policy: &AuthenticationPolicy,
    android_status: Option<&StatusList>,
) -> Result<Registered, PasskeyError> {
    let rules = Rules { policy, android_status };
    register(&request(), registration, &party(), &LOGIN, &card_login(), &rules, NOW)
}

/// By a policy that believes the model in the format it attests in.
fn attempt(change: impl FnOnce(&mut Soft)) -> Result<Registered, PasskeyError> {
    let soft = new_key(change);
    registered_by(
        &soft.registration(),
        &policy_of(soft.attests.format()),
        Some(&status("")),
    )
}

/// What a statement of a format is refused for; `None` where the format's own procedure finds nothing wrong.
fn refusal(attests: Attests, key: soft::SoftKey) -> Option<StatementError> {
    let outcome = attempt(|soft| {
        soft.key = key;
        soft.attests = attests;
    });
    match outcome {
        Ok(_) => None,
        Err(PasskeyError::Statement(error)) => Some(error),
        Err(error) => panic!("{error}"),
    }
}
