#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    authorization::tests::{performed, request},
    client::tests::{NOW, authenticated, party},
    login_state::Remember,
    scope::ClaimSet,
};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn code() -> AuthorizationCode {
    let request = request();
    AuthorizationCode {
        login_id: request.login_id,
        client: request.client,
        redirect: request.redirect,
        // RFC 7636 appendix B.
        code_challenge: jose::base64url::decode_array("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap(),
        nonce: request.nonce,
        requested: ClaimSet::EMPTY,
        released: ClaimSet::EMPTY,
        performed: performed(),
        device: None,
        version: request.version,
        remember: Remember::No,
        expires_at: NOW.plus_seconds(60),
    }
}

fn body(change: impl Fn(&str) -> Option<String>) -> String {
    let mut body = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("client_id", "https://record.example/ti"),
        ("code", "sealed"),
        ("redirect_uri", "https://record.example/return"),
        ("code_verifier", VERIFIER),
    ] {
        match change(name) {
            Some(changed) if changed == "-" => {}
            Some(changed) => {
                body.append_pair(name, &changed);
            }
            None => {
                body.append_pair(name, value);
            }
        }
    }
    body.finish()
}

fn redeem(body: &str, code: AuthorizationCode, now: UnixTime) -> Result<RedeemableCode, TokenError> {
    let party = party();
    let request = TokenRequest::parse(body.as_bytes())?;
    check(&request, &authenticated(&party), code, now)
}

#[test]
fn the_right_verifier_redeems() {
    let redeemable = redeem(&body(|_| None), code(), NOW).unwrap();
    assert_eq!(redeemable.claimed().code().login_id, code().login_id);
}

#[test]
fn each_missing_parameter_is_named() {
    for missing in ["grant_type", "client_id", "code", "redirect_uri", "code_verifier"] {
        let error = redeem(&body(|name| (name == missing).then(|| "-".into())), code(), NOW).unwrap_err();
        assert_eq!(error, TokenError::Missing(missing));
        assert_eq!(
            (error.refusal().status, error.refusal().code),
            (400, ErrorCode::InvalidRequest)
        );
    }
}

#[test]
fn each_wrong_parameter_is_refused_for_its_own_reason() {
    let cases = [
        (
            "grant_type",
            "client_credentials".to_owned(),
            TokenError::GrantType,
            ErrorCode::UnsupportedGrantType,
        ),
        (
            "grant_type",
            "refresh_token".to_owned(),
            TokenError::GrantType,
            ErrorCode::UnsupportedGrantType,
        ),
        (
            "client_id",
            "https://other.example".to_owned(),
            TokenError::OtherClient,
            ErrorCode::InvalidGrant,
        ),
        (
            "code",
            "x".repeat(2001),
            TokenError::UnknownCode,
            ErrorCode::InvalidGrant,
        ),
        (
            "redirect_uri",
            "https://record.example/return2".to_owned(),
            TokenError::RedirectUri,
            ErrorCode::InvalidGrant,
        ),
        (
            "code_verifier",
            "x".repeat(42),
            TokenError::VerifierShape,
            ErrorCode::InvalidRequest,
        ),
        (
            "code_verifier",
            "x".repeat(129),
            TokenError::VerifierShape,
            ErrorCode::InvalidRequest,
        ),
        (
            "code_verifier",
            "ä".repeat(43),
            TokenError::VerifierShape,
            ErrorCode::InvalidRequest,
        ),
        (
            "code_verifier",
            "x".repeat(43),
            TokenError::Verifier,
            ErrorCode::InvalidGrant,
        ),
    ];
    for (parameter, value, expected, told) in cases {
        let error = redeem(&body(|name| (name == parameter).then(|| value.clone())), code(), NOW).unwrap_err();
        assert_eq!(error, expected, "{parameter}");
        assert_eq!(
            (error.refusal().status, error.refusal().code),
            (400, told),
            "{parameter}"
        );
    }
}

#[test]
fn a_code_lives_sixty_seconds() {
    assert!(redeem(&body(|_| None), code(), NOW.plus_seconds(60)).is_ok());
    assert_eq!(
        redeem(&body(|_| None), code(), NOW.plus_seconds(61)),
        Err(TokenError::ExpiredCode)
    );
}

#[test]
fn a_code_of_another_client_is_refused_even_with_the_right_name() {
    let foreign = AuthorizationCode {
        client: ClientTag::of("https://other.example"),
        ..code()
    };
    assert_eq!(redeem(&body(|_| None), foreign, NOW), Err(TokenError::OtherClient));
}

#[test]
fn a_repeated_parameter_is_refused() {
    let twice = format!("{}&code=other", body(|_| None));
    assert_eq!(
        redeem(&twice, code(), NOW),
        Err(TokenError::Form(FormError::Duplicate("code".into())))
    );
}
