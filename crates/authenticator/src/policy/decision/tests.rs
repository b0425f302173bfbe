#![allow(clippy::unwrap_used)]
use super::*;
use crate::policy::{DeviceClassRule, MethodRule};

const NOW: UnixTime = UnixTime(1_800_000_000);
const SERVICE: &str = "https://epa.example";

fn performed(method: Method, level: Acr) -> Performed {
    Performed {
        method,
        level,
        auth_time: NOW,
        consented_to_substantial: false,
        session: Session::Fresh,
    }
}

fn consented(level: Acr) -> Performed {
    Performed {
        consented_to_substantial: true,
        ..performed(Method::DeviceKey, level)
    }
}

fn asks(acr: &[Acr], acr_demand: Demand) -> LevelRequest {
    LevelRequest {
        client_id: SERVICE.into(),
        acr_values: acr.to_vec(),
        acr_demand,
        ..LevelRequest::default()
    }
}

fn demands_method(amr: Amr) -> LevelRequest {
    LevelRequest {
        amr_values: vec![amr],
        amr_demand: Demand::Essential,
        ..asks(&[Acr::High], Demand::Voluntary)
    }
}

fn sso_policy() -> AuthenticationPolicy {
    let mut policy = AuthenticationPolicy::default();
    policy.sso.allowed_clients.push(SERVICE.into());
    policy
}

#[test]
fn a_card_login_answers_high_whatever_was_asked() {
    let policy = AuthenticationPolicy::default();
    for request in [
        asks(&[Acr::High], Demand::Essential),
        asks(&[Acr::High], Demand::Voluntary),
        asks(&[Acr::Substantial], Demand::Voluntary),
        asks(&[Acr::Substantial], Demand::Essential),
        asks(&[], Demand::Voluntary),
    ] {
        let outcome = policy
            .decide_level(&request, &performed(Method::HealthCard, Acr::High), NOW)
            .unwrap();
        assert_eq!((outcome.acr, outcome.amr), (Acr::High, Amr::HealthCard));
        assert!(!outcome.states_consent && !outcome.states_silent);
    }
}

#[test]
fn essential_high_needs_a_step_up_from_substantial() {
    let policy = AuthenticationPolicy::default();
    let decide = |request| {
        policy
            .decide_level(&request, &consented(Acr::Substantial), NOW)
            .map(|o| (o.acr, o.amr))
    };
    assert_eq!(
        decide(asks(&[Acr::High], Demand::Essential)),
        Err(LevelRefusal::StepUpNeeded)
    );
    assert_eq!(decide(asks(&[], Demand::Essential)), Err(LevelRefusal::StepUpNeeded));
    assert_eq!(
        decide(asks(&[Acr::High], Demand::Voluntary)),
        Ok((Acr::Substantial, Amr::WithConsent))
    );
    assert_eq!(
        decide(asks(&[Acr::High, Acr::Substantial], Demand::Essential)),
        Ok((Acr::Substantial, Amr::WithConsent))
    );
}

#[test]
fn substantial_without_consent_is_refused() {
    let policy = AuthenticationPolicy::default();
    let performed = performed(Method::DeviceKey, Acr::Substantial);
    let refused = policy.decide_level(&asks(&[Acr::Substantial], Demand::Voluntary), &performed, NOW);
    assert_eq!(refused, Err(LevelRefusal::ConsentMissing));
}

#[test]
fn version_2_states_the_consent_and_calls_the_method_other() {
    let request = LevelRequest {
        version: IdTokenVersion::V2,
        ..asks(&[Acr::Substantial], Demand::Voluntary)
    };
    let outcome = AuthenticationPolicy::default()
        .decide_level(&request, &consented(Acr::Substantial), NOW)
        .unwrap();
    assert_eq!(
        (outcome.amr, outcome.states_consent, outcome.states_silent),
        (Amr::Other, true, false)
    );
}

#[test]
fn amr_follows_the_version_table() {
    use Acr::{High, Substantial};
    use IdTokenVersion::{V1, V2};
    use Session::{Fresh, SingleSignOn};
    for (method, level, session, version, expected) in [
        (Method::HealthCard, High, Fresh, V1, Amr::HealthCard),
        (Method::HealthCard, High, Fresh, V2, Amr::HealthCard),
        (Method::IdentityCard, High, Fresh, V1, Amr::IdentityCard),
        (Method::GuestHealthCard, High, Fresh, V2, Amr::GuestHealthCard),
        (Method::DeviceKey, High, Fresh, V1, Amr::Other),
        (Method::DeviceKey, High, Fresh, V2, Amr::Other),
        (Method::DeviceKey, Substantial, Fresh, V1, Amr::WithConsent),
        (Method::DeviceKey, Substantial, Fresh, V2, Amr::Other),
        (Method::HealthCard, High, SingleSignOn, V1, Amr::Sso),
        (Method::HealthCard, High, SingleSignOn, V2, Amr::Other),
        (Method::DeviceKey, Substantial, SingleSignOn, V1, Amr::WithConsent),
        (Method::DeviceKey, Substantial, SingleSignOn, V2, Amr::Other),
    ] {
        assert_eq!(
            amr_for(method, level, session, version),
            expected,
            "{method:?} {level:?} {session:?} {version:?}"
        );
    }
}

#[test]
fn a_demanded_method_excludes_the_others() {
    let policy = AuthenticationPolicy::default();
    let request = demands_method(Amr::HealthCard);
    assert_eq!(policy.permitted_methods(&request), [Method::HealthCard]);
    let other = policy.decide_level(&request, &performed(Method::DeviceKey, Acr::High), NOW);
    assert_eq!(other, Err(LevelRefusal::OtherMethodDemanded));
    assert_eq!(
        policy.permitted_methods(&demands_method(Amr::WithConsent)),
        [Method::DeviceKey]
    );
    assert_eq!(policy.permitted_methods(&demands_method(Amr::Sso)), []);
}

#[test]
fn a_guest_login_happens_only_where_it_is_asked_for() {
    let policy = AuthenticationPolicy::default();
    let guest = performed(Method::GuestHealthCard, Acr::High);
    let plain = asks(&[Acr::High], Demand::Voluntary);
    assert!(!policy.permitted_methods(&plain).contains(&Method::GuestHealthCard));
    assert_eq!(
        policy.decide_level(&plain, &guest, NOW),
        Err(LevelRefusal::OtherMethodDemanded)
    );
    let request = demands_method(Amr::GuestHealthCard);
    assert_eq!(policy.permitted_methods(&request), [Method::GuestHealthCard]);
    assert_eq!(
        policy.decide_level(&request, &guest, NOW).unwrap().amr,
        Amr::GuestHealthCard
    );
}

#[test]
fn a_device_is_not_offered_where_only_high_will_do_and_no_class_reaches_it() {
    let mut policy = AuthenticationPolicy {
        device_classes: DeviceClassRule::defaults().split_off(1),
        ..AuthenticationPolicy::default()
    };
    assert!(
        !policy
            .permitted_methods(&asks(&[Acr::High], Demand::Essential))
            .contains(&Method::DeviceKey)
    );
    assert!(
        policy
            .permitted_methods(&asks(&[Acr::High], Demand::Voluntary))
            .contains(&Method::DeviceKey)
    );
    policy.device_classes.clear();
    assert!(
        !policy
            .permitted_methods(&asks(&[Acr::High], Demand::Voluntary))
            .contains(&Method::DeviceKey)
    );
}

#[test]
fn a_method_the_policy_does_not_offer_or_not_at_this_level_is_refused() {
    let policy = AuthenticationPolicy {
        methods: vec![MethodRule {
            method: Method::HealthCard,
            level: Acr::Substantial,
        }],
        ..AuthenticationPolicy::default()
    };
    let request = asks(&[Acr::High], Demand::Voluntary);
    for performed in [
        performed(Method::DeviceKey, Acr::High),
        performed(Method::HealthCard, Acr::High),
    ] {
        assert_eq!(
            policy.decide_level(&request, &performed, NOW),
            Err(LevelRefusal::MethodNotAdmitted)
        );
    }
}

#[test]
fn single_sign_on_is_admitted_only_for_listed_services_in_time() {
    let policy = sso_policy();
    let session = performed(Method::HealthCard, Acr::High);
    let request = asks(&[Acr::High], Demand::Essential);
    let later = |seconds| NOW.plus_seconds(seconds);
    assert_eq!(policy.check_sso(&request, &session, later(900)), Ok(()));
    assert_eq!(
        policy.check_sso(&request, &session, later(901)),
        Err(SsoRefusal::TooOld)
    );
    assert_eq!(
        policy.check_sso(&request, &session, NOW.minus_seconds(1)),
        Err(SsoRefusal::TooOld)
    );
    assert_eq!(
        AuthenticationPolicy::default().check_sso(&request, &session, NOW),
        Err(SsoRefusal::ClientNotAdmitted)
    );
}

#[test]
fn a_fresh_login_demanded_excludes_single_sign_on() {
    let policy = sso_policy();
    let session = performed(Method::HealthCard, Acr::High);
    let prompt = LevelRequest {
        prompt_login: true,
        ..asks(&[Acr::High], Demand::Voluntary)
    };
    let zero = LevelRequest {
        max_age_seconds: Some(0),
        ..asks(&[Acr::High], Demand::Voluntary)
    };
    let ten = LevelRequest {
        max_age_seconds: Some(10),
        ..asks(&[Acr::High], Demand::Voluntary)
    };
    assert_eq!(
        policy.check_sso(&prompt, &session, NOW),
        Err(SsoRefusal::FreshLoginDemanded)
    );
    assert_eq!(
        policy.check_sso(&zero, &session, NOW),
        Err(SsoRefusal::FreshLoginDemanded)
    );
    assert_eq!(
        policy.check_sso(&ten, &session, NOW.plus_seconds(11)),
        Err(SsoRefusal::TooOld)
    );
    assert_eq!(policy.check_sso(&ten, &session, NOW.plus_seconds(10)), Ok(()));
    let silent = Performed {
        session: Session::SingleSignOn,
        ..session
    };
    assert_eq!(policy.decide_level(&prompt, &silent, NOW), Err(LevelRefusal::TooOld));
}

#[test]
fn a_session_weaker_than_asked_or_of_a_guest_is_not_continued() {
    let policy = sso_policy();
    let high = asks(&[Acr::High], Demand::Essential);
    assert_eq!(
        policy.check_sso(&high, &consented(Acr::Substantial), NOW),
        Err(SsoRefusal::TooWeak)
    );
    assert_eq!(
        policy.check_sso(&high, &performed(Method::GuestHealthCard, Acr::High), NOW),
        Err(SsoRefusal::GuestSession)
    );
    let card = LevelRequest {
        client_id: SERVICE.into(),
        ..demands_method(Amr::HealthCard)
    };
    assert_eq!(
        policy.check_sso(&card, &performed(Method::HealthCard, Acr::High), NOW),
        Err(SsoRefusal::TooWeak)
    );
}

#[test]
fn a_session_keeps_the_time_of_the_real_login() {
    let policy = sso_policy();
    let session = Performed {
        session: Session::SingleSignOn,
        ..performed(Method::HealthCard, Acr::High)
    };
    for (version, amr, silent) in [
        (IdTokenVersion::V1, Amr::Sso, false),
        (IdTokenVersion::V2, Amr::Other, true),
    ] {
        let request = LevelRequest {
            version,
            ..asks(&[Acr::High], Demand::Essential)
        };
        let outcome = policy.decide_level(&request, &session, NOW.plus_seconds(60)).unwrap();
        assert_eq!(
            (outcome.amr, outcome.states_silent, outcome.auth_time),
            (amr, silent, NOW)
        );
    }
}

#[test]
fn a_slow_reader_of_the_consent_page_is_still_freshly_logged_in() {
    let request = LevelRequest {
        max_age_seconds: Some(5),
        ..asks(&[Acr::High], Demand::Essential)
    };
    let performed = performed(Method::HealthCard, Acr::High);
    assert!(
        AuthenticationPolicy::default()
            .decide_level(&request, &performed, NOW.plus_seconds(120))
            .is_ok()
    );
}
