#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    authorization::tests::{CLIENT, performed, request},
    client::tests::NOW,
    login_state::LoginRequest,
    prompt::Prompts,
    scope::Claim,
};
use authenticator::{Acr, Method, policy::Performed};

fn login() -> AuthenticatedLogin {
    AuthenticatedLogin {
        request: request(),
        browser: None,
        performed: performed(),
        device: None,
        asking: None,
        extended: 0,
        expires_at: NOW,
    }
}

fn approve(voluntary: ClaimSet) -> Decision {
    Decision::Approve {
        voluntary,
        remember: Remember::No,
    }
}

fn decide_now(login: &AuthenticatedLogin, decision: Decision) -> Result<ConsentOutcome, ConsentError> {
    decide(CLIENT, login, decision, &AuthenticationPolicy::default(), NOW)
}

#[test]
fn essential_claims_are_released_and_voluntary_ones_only_where_left_on() {
    for voluntary in [
        ClaimSet::EMPTY,
        ClaimSet::EMPTY.with(Claim::Email),
        login().request.voluntary,
    ] {
        let ConsentOutcome::Code(code) = decide_now(&login(), approve(voluntary)).unwrap() else {
            panic!()
        };
        assert_eq!(code.released, login().request.essential.union(voluntary));
        assert_eq!(code.expires_at, NOW.plus_seconds(60));
    }
}

#[test]
fn nothing_beyond_the_request_can_be_released() {
    for beyond in [Claim::BirthDate, Claim::HealthInsuranceNumber] {
        let error = decide_now(&login(), approve(ClaimSet::EMPTY.with(beyond))).unwrap_err();
        assert_eq!(error, ConsentError::NotRequested(beyond.as_str()));
        assert_eq!(error.refusal().status, 400);
    }
}

#[test]
fn declining_releases_nothing() {
    assert_eq!(
        decide_now(&login(), Decision::Decline).unwrap(),
        ConsentOutcome::Declined
    );
}

#[test]
fn a_login_too_weak_for_the_demand_gets_no_code() {
    let weak = AuthenticatedLogin {
        request: LoginRequest {
            essential_acr: Some(Acr::High),
            ..request()
        },
        performed: Performed {
            method: Method::DeviceKey,
            level: Acr::Substantial,
            consented_to_substantial: true,
            ..performed()
        },
        ..login()
    };
    assert_eq!(
        decide_now(&weak, approve(ClaimSet::EMPTY)),
        Err(ConsentError::Level(LevelRefusal::StepUpNeeded))
    );
}

#[test]
fn a_guest_leaves_no_decision_behind() {
    use crate::claims_request::AmrSet;
    let guest = AuthenticatedLogin {
        request: LoginRequest {
            essential_amr: AmrSet::default().with(authenticator::Amr::GuestHealthCard),
            ..request()
        },
        performed: Performed {
            method: Method::GuestHealthCard,
            ..performed()
        },
        ..login()
    };
    let decision = Decision::Approve {
        voluntary: ClaimSet::EMPTY,
        remember: Remember::Yes,
    };
    let ConsentOutcome::Code(code) = decide_now(&guest, decision).unwrap() else {
        panic!()
    };
    assert_eq!(code.remember, Remember::No);
}

#[test]
fn a_remembered_decision_answers_the_same_question_only() {
    let remembered = RememberedConsent {
        requested: request().requested(),
        released: request().essential.with(Claim::Email),
        decided_at: NOW,
    };
    assert_eq!(
        remembered.answers(&login()),
        Some(approve(ClaimSet::EMPTY.with(Claim::Email)))
    );
    let asks_more = AuthenticatedLogin {
        request: LoginRequest {
            voluntary: request().voluntary.with(Claim::Age),
            ..request()
        },
        ..login()
    };
    let asks_anew = AuthenticatedLogin {
        request: LoginRequest {
            prompts: Prompts::parse("consent").unwrap(),
            ..request()
        },
        ..login()
    };
    let demands_what_was_refused = AuthenticatedLogin {
        request: LoginRequest {
            essential: request().essential.with(Claim::GivenName),
            voluntary: request().voluntary.without(ClaimSet::EMPTY.with(Claim::GivenName)),
            ..request()
        },
        ..login()
    };
    for login in [asks_more, asks_anew, demands_what_was_refused] {
        assert_eq!(remembered.answers(&login), None);
    }
}

#[test]
fn a_remembered_decision_survives_its_record_and_nothing_else_is_one() {
    let remembered = RememberedConsent {
        requested: ClaimSet::all(),
        released: ClaimSet::EMPTY,
        decided_at: NOW,
    };
    assert_eq!(RememberedConsent::from_bytes(&remembered.to_bytes()), Some(remembered));
    for bytes in [&[][..], &[0; 11], &[0; 13], &[0xff; 12]] {
        assert_eq!(RememberedConsent::from_bytes(bytes), None);
    }
}
