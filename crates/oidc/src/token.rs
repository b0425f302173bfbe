//! The token endpoint (RFC 6749 §4.1.3, RFC 7636 §4.6, A_22653, A_22321, A_23162).
//!
//! Order: the certificate belongs to the client, then the code. A failed certificate check does not burn the code, a failed verifier does.

use aws_lc_rs::{constant_time, digest};
use jose::UnixTime;
use thiserror::Error;

use crate::{
    client::{AuthenticatedClient, ClientError, ClientTag, RedirectTag},
    form::{Form, FormError},
    login_state::AuthorizationCode,
    refusal::{ErrorCode, Refusal},
};

/// Longest `code` in bytes.
pub const MAX_CODE_BYTES: usize = 2000;
/// Life of an ID token in seconds (A_22316).
pub const ID_TOKEN_LIFETIME_SECONDS: u64 = 300;

/// Why a token request was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    /// The form could not be read.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A required parameter is missing or empty.
    #[error("parameter '{0}' is missing (RFC 6749 section 4.1.3, A_22653)")]
    Missing(&'static str),
    /// Another grant than `authorization_code`.
    #[error("parameter 'grant_type' must be 'authorization_code'")]
    GrantType,
    /// Not 43 to 128 unreserved characters.
    #[error("parameter 'code_verifier' must be 43 to 128 characters of A-Z a-z 0-9 - . _ ~ (RFC 7636 section 4.1)")]
    VerifierShape,
    /// The client could not be authenticated.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Not one of our codes, or changed, or of another tenant, or too old to be opened.
    #[error("parameter 'code' is unknown here or has expired")]
    UnknownCode,
    /// Older than its lifetime (A_23007).
    #[error("parameter 'code' has expired: it lives 60 seconds (A_23007)")]
    ExpiredCode,
    /// The code was issued to another client.
    #[error("parameter 'code' was not issued to this client_id")]
    OtherClient,
    /// Not the redirect URI of the pushed request.
    #[error(
        "parameter 'redirect_uri' differs from the one in the pushed authorization request (RFC 6749 section 4.1.3)"
    )]
    RedirectUri,
    /// The verifier does not hash to the challenge; the code is burnt.
    #[error(
        "parameter 'code_verifier' does not match the code_challenge (RFC 7636 section 4.6, A_22321); the code is used up"
    )]
    Verifier,
    /// A second redemption (A_23162).
    #[error("parameter 'code' has been used already (A_23162)")]
    CodeUsed,
    /// The person's account was closed, or her authentication revoked, after the code was issued.
    #[error("parameter 'code': the authentication behind it has been revoked")]
    Revoked,
}

impl TokenError {
    /// What the peer is told (gematik digest 6.1).
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Client(error) => error.refusal(),
            Self::GrantType => Refusal::new(400, ErrorCode::UnsupportedGrantType, self),
            Self::UnknownCode
            | Self::ExpiredCode
            | Self::OtherClient
            | Self::RedirectUri
            | Self::Verifier
            | Self::CodeUsed
            | Self::Revoked => Refusal::new(400, ErrorCode::InvalidGrant, self),
            Self::Form(_) | Self::Missing(_) | Self::VerifierShape => Refusal::invalid_request(self),
        }
    }
}

/// A well-formed token request. Nothing in it has been checked yet.
#[derive(PartialEq, Eq)]
pub struct TokenRequest {
    /// Who says to be asking.
    pub client_id: String,
    /// The sealed code.
    pub code: String,
    redirect_uri: String,
    code_verifier: String,
}

impl std::fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenRequest")
    }
}

impl TokenRequest {
    /// Reads the form body.
    ///
    /// # Errors
    /// [`TokenError`], the first rule broken.
    pub fn parse(body: &[u8]) -> Result<Self, TokenError> {
        let form = Form::parse(body)?;
        let required = |name: &'static str| form.value(name).ok_or(TokenError::Missing(name));
        if required("grant_type")? != "authorization_code" {
            return Err(TokenError::GrantType);
        }
        let client_id = required("client_id")?;
        let code = required("code")?;
        if code.len() > MAX_CODE_BYTES {
            return Err(TokenError::UnknownCode);
        }
        let redirect_uri = required("redirect_uri")?;
        let code_verifier = required("code_verifier")?;
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if !(43..=128).contains(&code_verifier.len()) || !code_verifier.bytes().all(unreserved) {
            return Err(TokenError::VerifierShape);
        }
        Ok(Self {
            client_id: client_id.to_owned(),
            code: code.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            code_verifier: code_verifier.to_owned(),
        })
    }
}

/// A code that may be redeemed, if nobody did so before.
#[derive(Debug, PartialEq, Eq)]
pub struct RedeemableCode(AuthorizationCode);

/// A code that this request, and no other, has redeemed.
#[derive(Debug, PartialEq, Eq)]
pub struct ConsumedCode(AuthorizationCode);

impl RedeemableCode {
    /// What to claim in the store.
    pub const fn code(&self) -> &AuthorizationCode {
        &self.0
    }

    /// After the store has claimed the login for this request. Call it only with the store's word for it.
    #[must_use]
    pub fn claimed(self) -> ConsumedCode {
        ConsumedCode(self.0)
    }
}

impl ConsumedCode {
    /// What the token is made from.
    pub const fn code(&self) -> &AuthorizationCode {
        &self.0
    }
}

/// Holds a token request against its code.
///
/// # Errors
/// [`TokenError`]; after [`TokenError::Verifier`] the caller claims the login so that the code cannot be tried again.
pub fn check(
    request: &TokenRequest,
    client: &AuthenticatedClient<'_>,
    code: AuthorizationCode,
    now: UnixTime,
) -> Result<RedeemableCode, TokenError> {
    check_client(request, client, &code)?;
    check_lifetime(&code, now)?;
    check_redirect_uri(request, &code)?;
    check_code_verifier(request, &code)?;
    Ok(RedeemableCode(code))
}

fn check_client(
    request: &TokenRequest,
    client: &AuthenticatedClient<'_>,
    code: &AuthorizationCode,
) -> Result<(), TokenError> {
    if code.client == client.party().tag() && code.client == ClientTag::of(&request.client_id) {
        Ok(())
    } else {
        Err(TokenError::OtherClient)
    }
}

fn check_lifetime(code: &AuthorizationCode, now: UnixTime) -> Result<(), TokenError> {
    if now > code.expires_at {
        Err(TokenError::ExpiredCode)
    } else {
        Ok(())
    }
}

/// The string of the pushed request, which was registered then; a registration withdrawn since does not matter for the comparison.
fn check_redirect_uri(request: &TokenRequest, code: &AuthorizationCode) -> Result<(), TokenError> {
    if code.redirect == RedirectTag::of(&request.redirect_uri) {
        Ok(())
    } else {
        Err(TokenError::RedirectUri)
    }
}

fn check_code_verifier(request: &TokenRequest, code: &AuthorizationCode) -> Result<(), TokenError> {
    let hash = digest::digest(&digest::SHA256, request.code_verifier.as_bytes());
    constant_time::verify_slices_are_equal(hash.as_ref(), &code.code_challenge).map_err(|_| TokenError::Verifier)
}

#[cfg(test)]
mod tests;
