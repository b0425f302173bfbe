#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    client::tests::{NOW, authenticated, party, party_without_common_version},
    scope::{Claim, ClaimSet},
};

/// An ordinary request as a list, so that a case can change one parameter.
pub(crate) fn parameters() -> Vec<(&'static str, String)> {
    [
        ("client_id", "https://record.example/ti"),
        ("redirect_uri", "https://record.example/return"),
        ("response_type", "code"),
        ("scope", "openid urn:telematik:email urn:telematik:versicherter"),
        ("state", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ("nonce", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("acr_values", "gematik-ehealth-loa-high"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

fn body(parameters: &[(&str, String)]) -> String {
    let mut body = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        body.append_pair(name, value);
    }
    body.finish()
}

fn with(name: &'static str, value: &str) -> String {
    let mut parameters = parameters();
    parameters.retain(|(known, _)| *known != name);
    parameters.push((name, value.to_owned()));
    body(&parameters)
}

fn push_with_expiry(body: &str) -> Result<PushedLogin, PushError> {
    let party = party();
    let request = PushedRequest::parse(body.as_bytes())?;
    decide(&request, &authenticated(&party), LoginId([7; 16]), NOW)
}

fn push(body: &str) -> Result<LoginRequest, PushError> {
    push_with_expiry(body).map(|pushed| pushed.request)
}

#[test]
fn an_ordinary_request_is_remembered_as_asked() {
    let PushedLogin {
        request: login,
        expires_at,
    } = push_with_expiry(&body(&parameters())).unwrap();
    assert_eq!(expires_at, NOW.plus_seconds(90));
    assert_eq!(login.essential, ClaimSet::EMPTY);
    assert!(login.voluntary.contains(Claim::HealthInsuranceNumber) && login.voluntary.contains(Claim::Email));
    assert_eq!(login.version, crate::version::IdTokenVersion::V2);
}

#[test]
fn essential_claims_are_kept_apart_from_what_the_scopes_imply() {
    let login = push(&with(
        "claims",
        r#"{"id_token":{"urn:telematik:claims:id":{"essential":true},"birthdate":null}}"#,
    ))
    .unwrap();
    assert_eq!(login.essential, ClaimSet::EMPTY.with(Claim::HealthInsuranceNumber));
    assert!(login.voluntary.contains(Claim::BirthDate) && login.voluntary.contains(Claim::Insurer));
    assert!(!login.voluntary.contains(Claim::HealthInsuranceNumber));
}

#[test]
fn unknown_parameters_and_hints_are_ignored() {
    for (name, value) in [
        ("foo", "bar"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:self_signed_tls_client_auth",
        ),
        ("amr", "urn:telematik:auth:mEW"),
        ("prompt", "login"),
        ("prompt", "none"),
        ("max_age", "0"),
        ("max_age", "99999999999999999999"),
        ("sso_instance_id", "x"),
        ("acr_values", "gematik-ehealth-loa-substantial"),
    ] {
        assert!(push(&with(name, value)).is_ok(), "{name}={value}");
    }
}

#[test]
fn each_required_parameter_is_missed_by_name() {
    for (missing, _) in parameters() {
        let mut rest = parameters();
        rest.retain(|(name, _)| *name != missing);
        let error = push(&body(&rest)).unwrap_err();
        assert_eq!(error, PushError::Missing(missing));
        assert_eq!(error.refusal().status, 400);
        assert_eq!(
            push(&with(missing, "")).unwrap_err(),
            PushError::Missing(missing),
            "empty counts as missing"
        );
    }
}

#[test]
fn each_broken_parameter_is_refused_for_its_own_reason() {
    let long = "a".repeat(513);
    let too_long_client = format!("https://{}", "a".repeat(2000));
    let cases: Vec<(&'static str, &str, PushError)> = vec![
        ("client_id", &too_long_client, PushError::ClientIdTooLong),
        ("redirect_uri", "https://record.example/return/", PushError::RedirectUri),
        ("redirect_uri", "https://record.example/RETURN", PushError::RedirectUri),
        (
            "redirect_uri",
            "https://record.example/return?x=1",
            PushError::RedirectUri,
        ),
        ("redirect_uri", "https://evil.example/", PushError::RedirectUri),
        ("response_type", "token", PushError::ResponseType),
        ("response_type", "code id_token", PushError::ResponseType),
        ("scope", "openid profile", PushError::ScopeUnknown),
        ("scope", "openid  urn:telematik:email", PushError::ScopeUnknown),
        ("scope", "urn:telematik:email", PushError::ScopeWithoutOpenId),
        (
            "scope",
            "openid urn:telematik:alter",
            PushError::ScopeNotRegistered {
                beyond: ScopeSet::EMPTY.with(Scope::Age),
                registered: party().scopes(),
            },
        ),
        (
            "claims",
            r#"{"id_token":{"urn:telematik:claims:alter":null}}"#,
            PushError::ClaimNotRegistered("urn:telematik:claims:alter"),
        ),
        ("claims", "{}", PushError::Claims(ClaimsError::IdTokenMissing)),
        ("state", &long, PushError::State),
        ("state", "line\nbreak", PushError::State),
        ("nonce", &long, PushError::Nonce),
        ("nonce", "ü", PushError::Nonce),
        ("code_challenge", "short", PushError::CodeChallenge),
        (
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=",
            PushError::CodeChallenge,
        ),
        (
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN",
            PushError::CodeChallenge,
        ),
        ("code_challenge_method", "plain", PushError::CodeChallengeMethod),
        ("code_challenge_method", "s256", PushError::CodeChallengeMethod),
        (
            "acr_values",
            "gematik-ehealth-loa-high gematik-ehealth-loa-substantial",
            PushError::AcrValues,
        ),
        ("acr_values", "high", PushError::AcrValues),
        ("amr", "urn:telematik:auth:nPA", PushError::Amr),
        ("amr", "urn:gematik:auth:eID", PushError::Amr),
        ("prompt", "sometimes", PushError::Prompt(PromptsError::Unknown)),
        ("prompt", "none login", PushError::Prompt(PromptsError::NoneWithOthers)),
        ("max_age", "-1", PushError::MaxAge),
        ("max_age", "1.5", PushError::MaxAge),
        ("max_age", "soon", PushError::MaxAge),
        ("request_uri", "urn:x", PushError::NotHere("request_uri")),
        ("request", "e30.e30.", PushError::NotHere("request")),
    ];
    for (name, value, expected) in cases {
        let error = push(&with(name, value)).unwrap_err();
        assert_eq!(error, expected, "{name}={value}");
        assert_eq!(error.refusal().status, 400, "{name}={value}");
    }
}

#[test]
fn the_codes_told_are_those_of_the_table() {
    let code = |body: &str| push(body).unwrap_err().refusal().code;
    assert_eq!(code(&with("scope", "openid foo")), ErrorCode::InvalidScope);
    assert_eq!(
        code(&with("scope", "openid urn:telematik:alter")),
        ErrorCode::InvalidScope
    );
    assert_eq!(
        code(&with("response_type", "token")),
        ErrorCode::UnsupportedResponseType
    );
    assert_eq!(
        code(&with("redirect_uri", "https://evil.example/")),
        ErrorCode::InvalidRequest
    );
    assert_eq!(
        code(&format!("{}&state=twice", body(&parameters()))),
        ErrorCode::InvalidRequest
    );
}

#[test]
fn without_a_common_version_nothing_is_remembered() {
    let party = party_without_common_version();
    let request = PushedRequest::parse(body(&parameters()).as_bytes()).unwrap();
    let error = decide(&request, &authenticated(&party), LoginId([7; 16]), NOW).unwrap_err();
    assert_eq!(error, PushError::IdTokenVersion);
}

#[test]
fn an_error_never_echoes_what_was_sent() {
    for name in [
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "acr_values",
        "code_challenge",
    ] {
        let error = push(&with(name, "X110411675\u{7}SECRET")).unwrap_err();
        assert!(!error.refusal().description.contains("SECRET"), "{name}: {error}");
    }
}
