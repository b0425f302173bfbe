//! The bodies and query strings of the provider: forms, pushed requests, token requests, authorization queries, and
//! the login states that travel sealed between them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oidc::authorization::AuthorizationQuery;
use oidc::form::Form;
use oidc::login_state::{AuthenticatedLogin, AuthorizationCode, PendingLogin, PushedLogin, SessionState};
use oidc::push::PushedRequest;
use oidc::token::TokenRequest;

fuzz_target!(|data: &[u8]| {
    let _ = Form::parse(data);
    let _ = PushedRequest::parse(data);
    let _ = TokenRequest::parse(data);
    let _ = AuthorizationQuery::parse(data);

    if let Ok(state) = PushedLogin::from_bytes(data) {
        assert_eq!(PushedLogin::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    }
    if let Ok(state) = PendingLogin::from_bytes(data) {
        assert_eq!(PendingLogin::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    }
    if let Ok(state) = AuthenticatedLogin::from_bytes(data) {
        assert_eq!(AuthenticatedLogin::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    }
    if let Ok(state) = AuthorizationCode::from_bytes(data) {
        assert_eq!(AuthorizationCode::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    }
    if let Ok(state) = SessionState::from_bytes(data) {
        assert_eq!(SessionState::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    }
});
