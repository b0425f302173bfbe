//! The authorization endpoint: which login is meant, and what happens next (A_22257, A_22312-01, RFC 6749 §4.1.1, RFC 9126 §4).

use authenticator::{
    Reason,
    policy::{AuthenticationPolicy, Session},
};
use jose::UnixTime;
use thiserror::Error;

use crate::{
    client::ClientTag,
    form::{Form, FormError},
    login_state::{
        AUTHENTICATED_LIFETIME_SECONDS, AuthenticatedLogin, BrowserTag, LoginRequest, PENDING_LIFETIME_SECONDS,
        PendingLogin, PushedLogin, SessionState,
    },
    push::{MAX_CLIENT_ID_BYTES, REQUEST_URI_PREFIX},
    refusal::{ErrorCode, Refusal},
};

/// Longest `request_uri` in bytes; clients of the profile allow 2000 characters.
pub const MAX_REQUEST_URI_BYTES: usize = 2000;

/// Why a call of the authorization endpoint, or of a later step, was refused. Never answered by a redirect: the address is not verified yet.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AuthorizationError {
    /// The query could not be read.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A required parameter is missing or empty.
    #[error("parameter '{0}' is missing (RFC 9126 section 4)")]
    Missing(&'static str),
    /// A parameter is too long.
    #[error("parameter '{0}' is too long")]
    TooLong(&'static str),
    /// Not one of our request URIs, or changed, or from another tenant, or too old to be opened.
    #[error("parameter 'request_uri' is unknown here or has expired; push the request again (RFC 9126 section 2.2)")]
    UnknownRequestUri,
    /// Older than its lifetime (A_22993).
    #[error("parameter 'request_uri' has expired: it lives 90 seconds (A_22993); push the request again")]
    ExpiredRequestUri,
    /// The request URI belongs to another client.
    #[error("parameter 'client_id' does not belong to this request_uri (RFC 9126 section 4)")]
    OtherClient,
    /// A login handle that is not ours, changed, or too old to be opened.
    #[error("member 'login' is unknown here or has expired; start again at the service")]
    UnknownLogin,
    /// The person took too long.
    #[error("this login has expired; start again at the service")]
    ExpiredLogin,
    /// It was completed, declined or aborted.
    #[error("this login has ended already; start again at the service")]
    EndedLogin,
    /// She has had all the time there is.
    #[error("this login was extended as often as it can be; answer it, or start again at the service")]
    ExtendedEnough,
    /// A login that was scanned and that no phone has opened: whoever has only a picture of the code does not keep it alive.
    #[error("member 'login' was not opened on this device; call /auth/challenge first")]
    NotOpened,
    /// The page was opened in another browser than the one that began the login (A_22325-01).
    #[error("this login was started in another browser; go on there, or start again at the service")]
    OtherBrowser,
}

impl AuthorizationError {
    /// What the peer is told (gematik digest 5).
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Form(_)
            | Self::Missing(_)
            | Self::TooLong(_)
            | Self::UnknownRequestUri
            | Self::ExpiredRequestUri
            | Self::OtherClient
            | Self::UnknownLogin
            | Self::ExpiredLogin
            | Self::EndedLogin
            | Self::ExtendedEnough
            | Self::NotOpened
            | Self::OtherBrowser => Refusal::invalid_request(self).because(self.reason()),
        }
    }

    /// As wallets are told.
    const fn reason(&self) -> Reason {
        match self {
            Self::Form(_) | Self::Missing(_) | Self::TooLong(_) | Self::OtherClient | Self::NotOpened => {
                Reason::Malformed
            }
            Self::ExtendedEnough => Reason::NoMoreTime,
            Self::UnknownRequestUri | Self::UnknownLogin => Reason::LoginUnknown,
            Self::ExpiredRequestUri | Self::ExpiredLogin => Reason::LoginExpired,
            Self::EndedLogin => Reason::LoginOver,
            Self::OtherBrowser => Reason::OtherBrowser,
        }
    }
}

/// A well-formed call of the authorization endpoint.
#[derive(Debug, PartialEq, Eq)]
pub struct AuthorizationQuery {
    /// Who says to be asking.
    pub client_id: String,
    /// What follows [`REQUEST_URI_PREFIX`]: the sealed request.
    pub sealed_request: String,
}

impl AuthorizationQuery {
    /// Reads the query string.
    ///
    /// # Errors
    /// [`AuthorizationError`].
    pub fn parse(query: &[u8]) -> Result<Self, AuthorizationError> {
        let form = Form::parse(query)?;
        let required = |name: &'static str, max: usize| {
            let value = form.value(name).ok_or(AuthorizationError::Missing(name))?;
            if value.len() > max {
                Err(AuthorizationError::TooLong(name))
            } else {
                Ok(value)
            }
        };
        let client_id = required("client_id", MAX_CLIENT_ID_BYTES)?;
        let request_uri = required("request_uri", MAX_REQUEST_URI_BYTES)?;
        let sealed_request = sealed_part(request_uri)?;
        Ok(Self {
            client_id: client_id.to_owned(),
            sealed_request: sealed_request.to_owned(),
        })
    }
}

/// The sealed request inside a request URI.
///
/// # Errors
/// [`AuthorizationError::UnknownRequestUri`] where the URI is none of ours.
pub fn sealed_part(request_uri: &str) -> Result<&str, AuthorizationError> {
    request_uri
        .strip_prefix(REQUEST_URI_PREFIX)
        .ok_or(AuthorizationError::UnknownRequestUri)
}

/// The request URI must belong to the client and be alive. Several calls are fine (browser, then app): single use is enforced at redemption.
///
/// # Errors
/// [`AuthorizationError`].
pub fn check_request(client_id: &str, pushed: &PushedLogin, now: UnixTime) -> Result<(), AuthorizationError> {
    if pushed.request.client != ClientTag::of(client_id) {
        return Err(AuthorizationError::OtherClient);
    }
    if now > pushed.expires_at {
        return Err(AuthorizationError::ExpiredRequestUri);
    }
    Ok(())
}

/// A pending login must belong to the client and be alive.
///
/// # Errors
/// [`AuthorizationError`].
pub fn check_pending(client_id: &str, pending: &PendingLogin, now: UnixTime) -> Result<(), AuthorizationError> {
    check_step(client_id, &pending.request, pending.expires_at, now)
}

/// An authenticated login must belong to the client, be alive, and be in the browser that began it.
///
/// # Errors
/// [`AuthorizationError`].
pub fn check_authenticated(
    client_id: &str,
    login: &AuthenticatedLogin,
    browser: Option<BrowserTag>,
    now: UnixTime,
) -> Result<(), AuthorizationError> {
    check_step(client_id, &login.request, login.expires_at, now)?;
    if login.browser.is_some() && login.browser != browser {
        return Err(AuthorizationError::OtherBrowser);
    }
    Ok(())
}

fn check_step(
    client_id: &str,
    request: &LoginRequest,
    expires_at: UnixTime,
    now: UnixTime,
) -> Result<(), AuthorizationError> {
    if request.client != ClientTag::of(client_id) {
        return Err(AuthorizationError::OtherClient);
    }
    if now > expires_at {
        return Err(AuthorizationError::ExpiredLogin);
    }
    Ok(())
}

/// What happens after a valid call of the authorization endpoint.
#[derive(Debug, PartialEq, Eq)]
pub enum NextStep {
    /// The person has to authenticate.
    Authenticate(PendingLogin),
    /// A session answers for her; consent comes next.
    SignedOn(AuthenticatedLogin),
    /// No page may be shown and nobody is signed on: `login_required` to the service.
    LoginRequired,
}

/// Decides what happens next. A session is used only where policy, `prompt`, `max_age`, level and methods allow it.
pub fn decide_next_step(
    client_id: &str,
    request: LoginRequest,
    session: Option<SessionState>,
    browser: Option<BrowserTag>,
    policy: &AuthenticationPolicy,
    now: UnixTime,
) -> NextStep {
    if let Some(session) = session.filter(|session| now <= session.expires_at) {
        let wishes = request.level_request(client_id);
        if policy.check_sso(&wishes, &session.performed, now).is_ok() {
            let performed = authenticator::policy::Performed {
                session: Session::SingleSignOn,
                ..session.performed
            };
            return NextStep::SignedOn(AuthenticatedLogin {
                request,
                browser,
                performed,
                device: session.device,
                asking: None,
                extended: 0,
                expires_at: now.plus_seconds(AUTHENTICATED_LIFETIME_SECONDS),
            });
        }
    }
    if request.prompts.none() {
        return NextStep::LoginRequired;
    }
    NextStep::Authenticate(PendingLogin {
        request,
        browser,
        challenge_digest: None,
        asking: None,
        extended: 0,
        expires_at: now.plus_seconds(PENDING_LIFETIME_SECONDS),
    })
}

/// An error the service is told by redirect, once the address is verified (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectedError {
    /// The person declined.
    Declined,
    /// `prompt=none` and nobody signed on.
    LoginRequired,
    /// `prompt=none` and consent needed.
    ConsentRequired,
}

impl RedirectedError {
    /// The registered code.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Declined => ErrorCode::AccessDenied,
            Self::LoginRequired => ErrorCode::LoginRequired,
            Self::ConsentRequired => ErrorCode::ConsentRequired,
        }
    }

    /// One sentence for developers and support.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Declined => "the insured person declined",
            Self::LoginRequired => "prompt=none, and the insured person has to authenticate",
            Self::ConsentRequired => "prompt=none, and the insured person has to consent",
        }
    }
}

/// Appends an answer to a verified redirect URI (A_22311): the original address, with the parameters added to its query.
pub fn redirect_with(redirect_uri: &str, parameters: &[(&str, &str)]) -> String {
    let mut location = String::with_capacity(redirect_uri.len() + 400);
    location.push_str(redirect_uri);
    let mut separator = if redirect_uri.contains('?') { '&' } else { '?' };
    for (name, value) in parameters {
        location.push(separator);
        location.push_str(name);
        location.push('=');
        location.extend(form_urlencoded::byte_serialize(value.as_bytes()));
        separator = '&';
    }
    location
}

#[cfg(test)]
pub(crate) mod tests;
