//! Attestation objects of passkeys, with authenticator data and COSE key inside. Input: length of the credential's identifier, the identifier,
//! the object.

#![no_main]

use std::sync::LazyLock;

use authenticator::passkey::{
    AllowedAuthenticator, AttestationFormat, Party, Registration, RegistrationRequest, Rules, register,
    registration_challenge, user_handle,
};
use authenticator::policy::{AuthenticationPolicy, Performed, Session};
use authenticator::{Acr, Method};
use healthid_fuzz::NOW;
use jose::base64url;
use libfuzzer_sys::fuzz_target;

/// Chromium's, of the seed `packed`.
const ROOT: &str = include_str!("../../crates/sandbox/assets/chromium-virtual-authenticator.pem");
const LOGIN: [u8; 16] = [7; 16];

const FORMATS: [AttestationFormat; 4] = [
    AttestationFormat::Packed,
    AttestationFormat::Tpm,
    AttestationFormat::Apple,
    AttestationFormat::AndroidKey,
];

/// One that believes the model in each format.
static POLICIES: LazyLock<[AuthenticationPolicy; 4]> = LazyLock::new(|| {
    FORMATS.map(|format| {
        let mut policy = AuthenticationPolicy::default();
        policy.passkeys.authenticators.push(AllowedAuthenticator {
            aaguid: "01020304-0506-0708-0102-030405060708".to_owned(),
            format,
            roots: vec![ROOT.to_owned()],
        });
        policy
    })
});

fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_first() else {
        return;
    };
    let Some((id, object)) = rest.split_at_checked(usize::from(*length)) else {
        return;
    };
    let request = RegistrationRequest {
        device_id: [1; 16],
        person_id: [2; 16],
        name: "fuzz".to_owned(),
        consented_to_substantial: true,
    };
    let challenge = registration_challenge(&LOGIN, &user_handle(&request.person_id, &request.device_id));
    let challenge = base64url::encode(&challenge);
    let registration = Registration {
        credential_id: id.to_vec(),
        client_data: format!(r#"{{"type":"webauthn.create","challenge":"{challenge}","origin":"https://localhost"}}"#)
            .into_bytes(),
        attestation_object: object.to_vec(),
    };
    let performed = Performed {
        method: Method::HealthCard,
        level: Acr::High,
        auth_time: NOW,
        consented_to_substantial: false,
        session: Session::Fresh,
    };
    let party = Party::of("https://localhost").expect("a site");
    for policy in &*POLICIES {
        let rules = Rules {
            policy,
            android_status: None,
        };
        if let Ok(registered) = register(&request, &registration, &party, &LOGIN, &performed, &rules, NOW) {
            // Nobody here can sign: what is taken was attested by nobody.
            assert_eq!(registered.device.class, "passkey-own-pages");
            assert!(!registered.failed.is_empty());
        }
    }
});
