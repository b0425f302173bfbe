//! The pushed authorization request (RFC 9126, A_22651, A_22966): parse, then check, then decide what to remember.

use authenticator::{Acr, Amr};
use jose::{UnixTime, base64url};
use thiserror::Error;

use crate::{
    claims_request::{ClaimsError, ClaimsRequest},
    client::{AuthenticatedClient, ClientError},
    form::{Form, FormError},
    login_state::{LoginId, LoginRequest, PushedLogin},
    prompt::{Prompts, PromptsError},
    refusal::{ErrorCode, Refusal},
    scope::{Scope, ScopeSet},
};

/// Life of a request URI in seconds (A_22993).
pub const REQUEST_URI_LIFETIME_SECONDS: u64 = 90;
/// The form RFC 9126 §2.2 suggests; what follows is the sealed login state.
pub const REQUEST_URI_PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// Longest `state` in bytes.
pub const MAX_STATE_BYTES: usize = 512;
/// Longest `nonce` in bytes.
pub const MAX_NONCE_BYTES: usize = 512;
/// Longest `client_id` in bytes.
pub const MAX_CLIENT_ID_BYTES: usize = 2000;
/// Largest `max_age` in seconds that is kept apart; more than ten years mean the same.
pub const MAX_MAX_AGE_SECONDS: u32 = 315_360_000;

/// Why a pushed request was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PushError {
    /// The form could not be read.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A required parameter is missing or empty.
    #[error("parameter '{0}' is missing (A_22651)")]
    Missing(&'static str),
    /// RFC 9126 §2.1: no request object here, and no request URI.
    #[error("parameter '{0}' must not be used in a pushed authorization request (RFC 9126 section 2.1)")]
    NotHere(&'static str),
    /// `client_id` is too long.
    #[error(
        "parameter 'client_id' is longer than {MAX_CLIENT_ID_BYTES} bytes; expected the client's entity identifier"
    )]
    ClientIdTooLong,
    /// Another response type than `code`.
    #[error("parameter 'response_type' must be 'code'")]
    ResponseType,
    /// A scope nobody knows.
    #[error(
        "parameter 'scope' holds a scope that does not exist; expected openid and scopes of A_22989-01, separated by single spaces"
    )]
    ScopeUnknown,
    /// `openid` is not among the scopes.
    #[error("parameter 'scope' must contain 'openid' (OpenID Connect Core section 3.1.2.1)")]
    ScopeWithoutOpenId,
    /// More scopes than the Federation Master registered.
    #[error(
        "parameter 'scope' goes beyond the client's registration: '{beyond}' is not registered (registered: '{registered}')"
    )]
    ScopeNotRegistered {
        /// What was asked for too much.
        beyond: ScopeSet,
        /// What may be asked for.
        registered: ScopeSet,
    },
    /// `claims` asks for more than the registered scopes cover.
    #[error("parameter 'claims' asks for '{0}', which no registered scope of the client covers")]
    ClaimNotRegistered(&'static str),
    /// `state` is too long or holds control characters.
    #[error("parameter 'state' must be 1 to {MAX_STATE_BYTES} printable ASCII characters (RFC 6749 appendix A.5)")]
    State,
    /// `nonce` is too long or holds control characters.
    #[error("parameter 'nonce' must be 1 to {MAX_NONCE_BYTES} printable ASCII characters")]
    Nonce,
    /// Not the base64url form of a SHA-256 hash.
    #[error("parameter 'code_challenge' must be the 43 base64url characters of a SHA-256 hash (RFC 7636 section 4.2)")]
    CodeChallenge,
    /// Another method than S256.
    #[error("parameter 'code_challenge_method' must be 'S256'")]
    CodeChallengeMethod,
    /// Not exactly one known level.
    #[error("parameter 'acr_values' must be exactly one of gematik-ehealth-loa-high, gematik-ehealth-loa-substantial")]
    AcrValues,
    /// An unknown method.
    #[error("parameter 'amr' must be one of urn:telematik:auth:eGK, eID, sso, guest:eGK, other, mEW")]
    Amr,
    /// `prompt` could not be read.
    #[error(transparent)]
    Prompt(#[from] PromptsError),
    /// `max_age` is not a number of seconds.
    #[error("parameter 'max_age' must be a whole number of seconds, 0 or more (OpenID Connect Core section 3.1.2.1)")]
    MaxAge,
    /// `claims` could not be read.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// The redirect URI is not registered.
    #[error(
        "parameter 'redirect_uri' is not registered: expected one of the redirect_uris in the Federation Master's statement, character by character"
    )]
    RedirectUri,
    /// No common version.
    #[error(
        "no common ID token version: this provider issues 1.0.0 and 2.0.0 (ti_features_supported.id_token_version_supported)"
    )]
    IdTokenVersion,
    /// The client could not be authenticated.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl PushError {
    /// What the peer is told (gematik digest 4.2, 4.5).
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Client(error) => error.refusal(),
            Self::ResponseType => Refusal::new(400, ErrorCode::UnsupportedResponseType, self),
            Self::ScopeUnknown
            | Self::ScopeWithoutOpenId
            | Self::ScopeNotRegistered { .. }
            | Self::ClaimNotRegistered(_) => Refusal::new(400, ErrorCode::InvalidScope, self),
            Self::Form(_)
            | Self::Missing(_)
            | Self::NotHere(_)
            | Self::ClientIdTooLong
            | Self::State
            | Self::Nonce
            | Self::CodeChallenge
            | Self::CodeChallengeMethod
            | Self::AcrValues
            | Self::Amr
            | Self::Prompt(_)
            | Self::MaxAge
            | Self::Claims(_)
            | Self::RedirectUri
            | Self::IdTokenVersion => Refusal::invalid_request(self),
        }
    }
}

/// A pushed request that is well formed. Nothing in it has been held against a registration yet.
#[derive(Debug, PartialEq, Eq)]
pub struct PushedRequest {
    /// Who says to be asking.
    pub client_id: String,
    redirect_uri: String,
    scopes: ScopeSet,
    state: String,
    nonce: String,
    code_challenge: [u8; 32],
    acr: Acr,
    prompts: Prompts,
    max_age: Option<u32>,
    claims: ClaimsRequest,
}

impl PushedRequest {
    /// Reads the form body. Unknown parameters are ignored, `amr` and `client_assertion_type` are accepted as hints.
    ///
    /// # Errors
    /// [`PushError`], the first rule broken in the order of A_22651.
    pub fn parse(body: &[u8]) -> Result<Self, PushError> {
        let form = Form::parse(body)?;
        for not_here in ["request_uri", "request"] {
            if form.value(not_here).is_some() {
                return Err(PushError::NotHere(not_here));
            }
        }
        let required = |name: &'static str| form.value(name).ok_or(PushError::Missing(name));
        let client_id = required("client_id")?;
        if client_id.len() > MAX_CLIENT_ID_BYTES {
            return Err(PushError::ClientIdTooLong);
        }
        let redirect_uri = required("redirect_uri")?;
        if required("response_type")? != "code" {
            return Err(PushError::ResponseType);
        }
        let scopes = parse_scopes(required("scope")?)?;
        let state = printable(required("state")?, MAX_STATE_BYTES).ok_or(PushError::State)?;
        let nonce = printable(required("nonce")?, MAX_NONCE_BYTES).ok_or(PushError::Nonce)?;
        let code_challenge =
            base64url::decode_array::<32>(required("code_challenge")?).map_err(|_| PushError::CodeChallenge)?;
        if required("code_challenge_method")? != "S256" {
            return Err(PushError::CodeChallengeMethod);
        }
        let acr = Acr::parse(required("acr_values")?).ok_or(PushError::AcrValues)?;
        if form.value("amr").is_some_and(|amr| Amr::parse(amr).is_none()) {
            return Err(PushError::Amr);
        }
        let prompts = form
            .value("prompt")
            .map(Prompts::parse)
            .transpose()?
            .unwrap_or_default();
        let max_age = form.value("max_age").map(parse_max_age).transpose()?;
        let claims = form
            .value("claims")
            .map(ClaimsRequest::parse)
            .transpose()?
            .unwrap_or_default();
        Ok(Self {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            scopes,
            state: state.to_owned(),
            nonce: nonce.to_owned(),
            code_challenge,
            acr,
            prompts,
            max_age,
            claims,
        })
    }
}

fn parse_scopes(list: &str) -> Result<ScopeSet, PushError> {
    let mut scopes = ScopeSet::EMPTY;
    for name in list.split(' ') {
        scopes = scopes.with(Scope::parse(name).ok_or(PushError::ScopeUnknown)?);
    }
    if !scopes.contains(Scope::OpenId) {
        return Err(PushError::ScopeWithoutOpenId);
    }
    Ok(scopes)
}

/// RFC 6749 appendix A: VSCHAR, `%x20-7E`.
fn printable(text: &str, max_bytes: usize) -> Option<&str> {
    (text.len() <= max_bytes && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))).then_some(text)
}

fn parse_max_age(text: &str) -> Result<u32, PushError> {
    if text.is_empty() || text.len() > 20 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PushError::MaxAge);
    }
    Ok(text
        .parse::<u32>()
        .unwrap_or(MAX_MAX_AGE_SECONDS)
        .min(MAX_MAX_AGE_SECONDS))
}

/// Holds a well-formed request against the client's registration and decides what to remember.
///
/// # Errors
/// [`PushError`]; nothing is remembered then.
pub fn decide(
    request: &PushedRequest,
    client: &AuthenticatedClient<'_>,
    login_id: LoginId,
    now: UnixTime,
) -> Result<PushedLogin, PushError> {
    let party = client.party();
    let redirect = check_redirect_uri(request, client)?;
    check_scopes(request, client)?;
    check_claims(request, client)?;
    let version = party.version().ok_or(PushError::IdTokenVersion)?;
    let essential = request.claims.essential;
    let wished = request.scopes.claims().union(request.claims.voluntary);
    let request = LoginRequest {
        login_id,
        client: party.tag(),
        redirect,
        code_challenge: request.code_challenge,
        nonce: request.nonce.clone(),
        state: request.state.clone(),
        essential,
        voluntary: wished.without(essential),
        acr: request.acr,
        essential_acr: request.claims.essential_acr,
        essential_amr: request.claims.essential_amr,
        prompts: request.prompts,
        max_age: request.max_age,
        version,
    };
    Ok(PushedLogin {
        request,
        expires_at: now.plus_seconds(REQUEST_URI_LIFETIME_SECONDS),
    })
}

/// The redirect URI must be one the Federation Master registered, character by character (gematik digest 3.2, RFC 6749 §3.1.2.3).
fn check_redirect_uri(
    request: &PushedRequest,
    client: &AuthenticatedClient<'_>,
) -> Result<crate::client::RedirectTag, PushError> {
    client
        .party()
        .registered_redirect_uri(&request.redirect_uri)
        .ok_or(PushError::RedirectUri)
}

/// Requested scopes are a subset of the registered ones (A_22966).
fn check_scopes(request: &PushedRequest, client: &AuthenticatedClient<'_>) -> Result<(), PushError> {
    let registered = client.party().scopes().with(Scope::OpenId);
    let beyond = request.scopes.without(registered);
    if beyond.is_empty() {
        Ok(())
    } else {
        Err(PushError::ScopeNotRegistered { beyond, registered })
    }
}

/// `claims` must not reach further than the registered scopes do.
fn check_claims(request: &PushedRequest, client: &AuthenticatedClient<'_>) -> Result<(), PushError> {
    let covered = client.party().scopes().claims();
    let asked = request.claims.essential.union(request.claims.voluntary);
    match asked.without(covered).iter().next() {
        None => Ok(()),
        Some(beyond) => Err(PushError::ClaimNotRegistered(beyond.as_str())),
    }
}

#[cfg(test)]
mod tests;
