#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    claims_request::AmrSet,
    client::{RedirectTag, tests::NOW},
    login_state::LoginId,
    prompt::Prompts,
    scope::{Claim, ClaimSet},
};
use authenticator::{Acr, IdTokenVersion, Method, policy::Performed};

pub(crate) const CLIENT: &str = "https://record.example/ti";

pub(crate) fn request() -> LoginRequest {
    LoginRequest {
        login_id: LoginId([1; 16]),
        client: ClientTag::of(CLIENT),
        redirect: RedirectTag::of("https://record.example/return"),
        code_challenge: [4; 32],
        nonce: "nonce".into(),
        state: "state".into(),
        essential: ClaimSet::EMPTY.with(Claim::HealthInsuranceNumber),
        voluntary: ClaimSet::EMPTY.with(Claim::Email).with(Claim::GivenName),
        acr: Acr::High,
        essential_acr: None,
        essential_amr: AmrSet::default(),
        prompts: Prompts::default(),
        max_age: None,
        version: IdTokenVersion::V2,
    }
}

fn pushed() -> PushedLogin {
    PushedLogin {
        request: request(),
        expires_at: NOW.plus_seconds(90),
    }
}

pub(crate) fn performed() -> Performed {
    Performed {
        method: Method::HealthCard,
        level: Acr::High,
        auth_time: NOW.minus_seconds(30),
        consented_to_substantial: false,
        session: Session::Fresh,
    }
}

fn session() -> SessionState {
    SessionState {
        performed: performed(),
        device: None,
        expires_at: NOW.plus_seconds(600),
    }
}

fn admitting() -> AuthenticationPolicy {
    let mut policy = AuthenticationPolicy::default();
    policy.sso.allowed_clients.push(CLIENT.to_owned());
    policy
}

#[test]
fn broken_calls_are_refused_for_their_own_reason() {
    let long = format!("client_id=a&request_uri={}", "a".repeat(MAX_REQUEST_URI_BYTES + 1));
    for (query, expected) in [
        (
            "request_uri=urn:ietf:params:oauth:request_uri:x",
            AuthorizationError::Missing("client_id"),
        ),
        ("client_id=a", AuthorizationError::Missing("request_uri")),
        (
            "client_id=a&request_uri=https://evil.example",
            AuthorizationError::UnknownRequestUri,
        ),
        (
            "client_id=a&client_id=b",
            AuthorizationError::Form(FormError::Duplicate("client_id".into())),
        ),
        (&long, AuthorizationError::TooLong("request_uri")),
    ] {
        let error = AuthorizationQuery::parse(query.as_bytes()).unwrap_err();
        assert_eq!(error, expected, "{query}");
        assert_eq!(
            (error.refusal().status, error.refusal().code),
            (400, ErrorCode::InvalidRequest)
        );
    }
}

#[test]
fn a_request_uri_belongs_to_one_client_and_lives_ninety_seconds() {
    assert_eq!(check_request(CLIENT, &pushed(), NOW.plus_seconds(90)), Ok(()));
    assert_eq!(
        check_request(CLIENT, &pushed(), NOW.plus_seconds(91)),
        Err(AuthorizationError::ExpiredRequestUri)
    );
    assert_eq!(
        check_request("https://other.example", &pushed(), NOW),
        Err(AuthorizationError::OtherClient)
    );
}

#[test]
fn a_login_stays_in_the_browser_that_began_it() {
    let login = AuthenticatedLogin {
        request: request(),
        browser: Some(BrowserTag([1; 8])),
        performed: performed(),
        device: None,
        asking: None,
        extended: 0,
        expires_at: NOW,
    };
    assert_eq!(
        check_authenticated(CLIENT, &login, Some(BrowserTag([1; 8])), NOW),
        Ok(())
    );
    for other in [None, Some(BrowserTag([2; 8]))] {
        assert_eq!(
            check_authenticated(CLIENT, &login, other, NOW),
            Err(AuthorizationError::OtherBrowser)
        );
    }
    assert_eq!(
        check_authenticated(CLIENT, &login, Some(BrowserTag([1; 8])), NOW.plus_seconds(1)),
        Err(AuthorizationError::ExpiredLogin)
    );
    let app = AuthenticatedLogin { browser: None, ..login };
    assert_eq!(
        check_authenticated(CLIENT, &app, None, NOW),
        Ok(()),
        "an app receives the answer itself"
    );
}

#[test]
fn a_session_answers_only_where_everything_allows_it() {
    let step = |request, session, policy: &AuthenticationPolicy| {
        decide_next_step(CLIENT, request, Some(session), None, policy, NOW)
    };
    assert!(matches!(
        step(request(), session(), &admitting()),
        NextStep::SignedOn(AuthenticatedLogin { performed: Performed { session: Session::SingleSignOn, auth_time, .. }, .. })
            if auth_time == NOW.minus_seconds(30)
    ));
    let refused = [
        (request(), session(), AuthenticationPolicy::default()),
        (
            LoginRequest {
                prompts: Prompts::parse("login").unwrap(),
                ..request()
            },
            session(),
            admitting(),
        ),
        (
            LoginRequest {
                max_age: Some(0),
                ..request()
            },
            session(),
            admitting(),
        ),
        (
            LoginRequest {
                max_age: Some(29),
                ..request()
            },
            session(),
            admitting(),
        ),
        (
            request(),
            SessionState {
                expires_at: NOW.minus_seconds(1),
                ..session()
            },
            admitting(),
        ),
        (
            request(),
            SessionState {
                performed: Performed {
                    method: Method::GuestHealthCard,
                    ..performed()
                },
                ..session()
            },
            admitting(),
        ),
    ];
    for (request, session, policy) in refused {
        assert!(matches!(step(request, session, &policy), NextStep::Authenticate(_)));
    }
}

#[test]
fn no_page_is_shown_where_none_is_wanted() {
    let request = LoginRequest {
        prompts: Prompts::parse("none").unwrap(),
        ..request()
    };
    assert_eq!(
        decide_next_step(CLIENT, request, None, None, &admitting(), NOW),
        NextStep::LoginRequired
    );
}

#[test]
fn an_answer_is_added_to_the_original_address() {
    assert_eq!(
        redirect_with("https://a.example/r", &[("code", "c"), ("state", "a b&c=d")]),
        "https://a.example/r?code=c&state=a+b%26c%3Dd"
    );
    assert_eq!(
        redirect_with("https://a.example/r?x=1", &[("state", "s")]),
        "https://a.example/r?x=1&state=s"
    );
}
