//! Two cookies of the provider's own origin: which browser began a login, and who is signed on in it. A third, which phone it may ask, is the
//! [`inbox`](crate::inbox)'s.

use aws_lc_rs::digest;
use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use jose::{UnixTime, base64url};
use oidc::login_state::{BrowserTag, SessionState};
use vault::{PersonCapability, StateKind};

use crate::{
    core::Core,
    rng::{self, Rng},
    tenant::Tenant,
};

/// Binds logins to a browser (A_22325-01). A session cookie: gone when the browser closes.
const BROWSER_COOKIE: &str = "healthid_browser";
/// Carries a sealed [`SessionState`].
const SESSION_COOKIE: &str = "healthid_session";

/// The random name a browser was given.
#[derive(Clone, Copy)]
pub(crate) struct BrowserCookie([u8; 16]);

impl BrowserCookie {
    pub(crate) fn new(rng: &dyn Rng) -> Self {
        Self(rng::bytes(rng))
    }

    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        base64url::decode_array(cookie(headers, BROWSER_COOKIE)?).ok().map(Self)
    }

    /// What sealed logins remember of it.
    pub(crate) fn tag(self) -> BrowserTag {
        let hash = digest::digest(&digest::SHA256, &self.0);
        let mut tag = [0; 8];
        tag.copy_from_slice(&hash.as_ref()[..8]);
        BrowserTag(tag)
    }

    pub(crate) fn set_on(self, response: Response, tenant: &Tenant) -> Response {
        set_cookie(response, tenant, BROWSER_COOKIE, &base64url::encode(&self.0), None)
    }
}

/// The session in this browser, if there is one that opens.
pub(crate) fn session(
    core: &Core,
    tenant: &Tenant,
    headers: &HeaderMap,
    now: UnixTime,
) -> Option<(PersonCapability, SessionState)> {
    let sealed = cookie(headers, SESSION_COOKIE)?;
    let (capability, bytes) = core.open_login(tenant, StateKind::Session, now, sealed)?;
    Some((capability, SessionState::from_bytes(&bytes).ok()?))
}

/// Leaves a session in this browser.
pub(crate) fn set_session(
    core: &Core,
    response: Response,
    tenant: &Tenant,
    capability: &PersonCapability,
    session: &SessionState,
    now: UnixTime,
) -> Response {
    match core.seal_login(capability, StateKind::Session, now, &session.to_bytes()) {
        Ok(sealed) => {
            let lifetime = session.expires_at.seconds_since(now);
            set_cookie(response, tenant, SESSION_COOKIE, &sealed, Some(lifetime))
        }
        // Without a session the person authenticates again: nothing is lost.
        Err(_) => response,
    }
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// `SameSite=Lax`: the browser comes here by a link from the service, and that must find the session.
pub(crate) fn set_cookie(
    mut response: Response,
    tenant: &Tenant,
    name: &str,
    value: &str,
    max_age: Option<u64>,
) -> Response {
    let base = &tenant.settings.browser_base;
    let secure = if base.starts_with("https:") { "; Secure" } else { "" };
    let path = base
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or("/".to_owned(), |(_, path)| format!("/{path}"));
    let max_age = max_age.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
    let cookie = format!("{name}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}{max_age}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
