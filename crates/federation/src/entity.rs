//! Entity identifiers and the other URLs of the federation.
//!
//! An [`EntityId`] is compared byte by byte everywhere, so only one spelling of each is accepted: the one a URL parser
//! would write itself. gematik adds: no query, no fragment, no user information, no trailing slash.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use url::{Host, Url};

/// Longest URL accepted anywhere in the federation, in characters (gematik: Federation Master checks).
pub const MAX_URL_LENGTH: usize = 2000;

/// Path under which every entity publishes its configuration (OpenID Federation 1.0 §9).
pub const WELL_KNOWN_PATH: &str = "/.well-known/openid-federation";

/// Which URL schemes are acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schemes {
    /// `https`, as everywhere in production.
    HttpsOnly,
    /// Also `http` to this machine itself: sandbox only.
    LoopbackHttpToo,
}

/// Why a URL is not acceptable. Never repeats the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntityIdError {
    /// Longer than [`MAX_URL_LENGTH`].
    #[error("URL must have at most {MAX_URL_LENGTH} characters")]
    TooLong,
    /// Not an absolute URL with a host.
    #[error("must be an absolute URL with a host (OpenID Federation 1.0 §1.2)")]
    NotAUrl,
    /// Wrong scheme.
    #[error("URL must use the https scheme (OpenID Federation 1.0 §1.2)")]
    Scheme,
    /// Has a user name or password.
    #[error("URL must not contain user information")]
    UserInfo,
    /// Has a query.
    #[error("URL must not contain a query (OpenID Federation 1.0 §1.2)")]
    Query,
    /// Has a fragment.
    #[error("URL must not contain a fragment (OpenID Federation 1.0 §1.2)")]
    Fragment,
    /// Ends with a slash.
    #[error("URL must not end with a slash")]
    TrailingSlash,
    /// Another spelling of the same URL exists: upper case host, default port, dot segments, white space.
    #[error("URL must be written in its normal form (lower case host, no default port, no dot segments)")]
    NotNormal,
}

/// Identifier of an entity of the federation (OpenID Federation 1.0 §1.2), cheap to clone.
///
/// ```
/// use federation::{EntityId, Schemes};
/// let id = EntityId::parse("https://idp.example/107202793", Schemes::HttpsOnly)?;
/// assert_eq!(id.well_known_url(), "https://idp.example/107202793/.well-known/openid-federation");
/// assert!(EntityId::parse("https://idp.example/", Schemes::HttpsOnly).is_err());
/// # Ok::<(), federation::EntityIdError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(Arc<str>);

impl EntityId {
    /// Reads an entity identifier.
    ///
    /// # Errors
    /// [`EntityIdError`], by rule.
    pub fn parse(text: &str, schemes: Schemes) -> Result<Self, EntityIdError> {
        let url = parse_absolute(text, schemes)?;
        if url.query().is_some() {
            return Err(EntityIdError::Query);
        }
        if text.ends_with('/') {
            return Err(EntityIdError::TrailingSlash);
        }
        if url.as_str().trim_end_matches('/') != text {
            return Err(EntityIdError::NotNormal);
        }
        Ok(Self(text.into()))
    }

    /// Where the entity publishes its configuration (OpenID Federation 1.0 §9).
    pub fn well_known_url(&self) -> String {
        format!("{}{WELL_KNOWN_PATH}", self.0)
    }

    /// The host, without port. Never empty.
    pub fn host(&self) -> &str {
        let authority = self.0.split_once("://").map_or(&*self.0, |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or(authority);
        match authority.rsplit_once(':') {
            // An IPv6 address keeps its brackets; a colon inside them is no port.
            Some((host, port)) if !port.ends_with(']') => host,
            _ => authority,
        }
    }

    /// The identifier as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EntityId({})", self.0)
    }
}

impl AsRef<str> for EntityId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for EntityId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// As [`EntityId::parse`] with [`Schemes::HttpsOnly`].
impl<'de> Deserialize<'de> for EntityId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text, Schemes::HttpsOnly).map_err(D::Error::custom)
    }
}

/// Checks the URL of an endpoint or document: absolute, at most [`MAX_URL_LENGTH`], no fragment, no user information
/// (gematik: Federation Master checks on participants). A query is allowed.
///
/// # Errors
/// [`EntityIdError`], by rule.
pub fn check_endpoint(text: &str, schemes: Schemes) -> Result<(), EntityIdError> {
    parse_absolute(text, schemes).map(|_| ())
}

/// Checks a redirect URI as A_27585 wants it: absolute, no query, no fragment, no user information.
///
/// # Errors
/// [`EntityIdError`], by rule.
pub fn check_redirect_uri(text: &str, schemes: Schemes) -> Result<(), EntityIdError> {
    // RFC 3986 §2: a URI is ASCII. Anything else could not stand in a Location header as it is registered.
    if !text.is_ascii() {
        return Err(EntityIdError::NotNormal);
    }
    match parse_absolute(text, schemes)?.query() {
        Some(_) => Err(EntityIdError::Query),
        None => Ok(()),
    }
}

/// Checks the URL of a logo: as [`check_endpoint`], but plain `http` to any host is allowed as well.
///
/// # Errors
/// [`EntityIdError`], by rule.
pub fn check_logo_uri(text: &str) -> Result<(), EntityIdError> {
    match parse_url(text)?.scheme() {
        "https" | "http" => Ok(()),
        _ => Err(EntityIdError::Scheme),
    }
}

fn parse_absolute(text: &str, schemes: Schemes) -> Result<Url, EntityIdError> {
    let url = parse_url(text)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if schemes == Schemes::LoopbackHttpToo && is_loopback(&url) => Ok(url),
        _ => Err(EntityIdError::Scheme),
    }
}

fn parse_url(text: &str) -> Result<Url, EntityIdError> {
    if text.chars().count() > MAX_URL_LENGTH {
        return Err(EntityIdError::TooLong);
    }
    // The parser would silently drop or repair these.
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(EntityIdError::NotNormal);
    }
    let url = Url::parse(text).map_err(|_| EntityIdError::NotAUrl)?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(EntityIdError::NotAUrl);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EntityIdError::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(EntityIdError::Fragment);
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(text: &str) -> Result<EntityId, EntityIdError> {
        EntityId::parse(text, Schemes::HttpsOnly)
    }

    #[test]
    fn identifiers_that_break_a_rule_are_refused() {
        let long = format!("https://a.example/{}", "a".repeat(MAX_URL_LENGTH));
        let cases = [
            ("", EntityIdError::NotAUrl),
            ("idp.example", EntityIdError::NotAUrl),
            ("/path", EntityIdError::NotAUrl),
            ("https://", EntityIdError::NotAUrl),
            ("http://idp.example", EntityIdError::Scheme),
            ("http://localhost:8443", EntityIdError::Scheme),
            ("ftp://idp.example", EntityIdError::Scheme),
            ("https://user@idp.example", EntityIdError::UserInfo),
            ("https://user:pw@idp.example", EntityIdError::UserInfo),
            ("https://idp.example?a=b", EntityIdError::Query),
            ("https://idp.example?", EntityIdError::Query),
            ("https://idp.example#a", EntityIdError::Fragment),
            ("https://idp.example#", EntityIdError::Fragment),
            ("https://idp.example/", EntityIdError::TrailingSlash),
            ("https://idp.example/a/", EntityIdError::TrailingSlash),
            ("https://IDP.example", EntityIdError::NotNormal),
            ("HTTPS://idp.example", EntityIdError::NotNormal),
            ("https://idp.example:443", EntityIdError::NotNormal),
            ("https://idp.example/a/../b", EntityIdError::NotNormal),
            ("https://idp.example/ä", EntityIdError::NotNormal),
            ("https://idp.example/a b", EntityIdError::NotNormal),
            (" https://idp.example", EntityIdError::NotNormal),
            ("https://idp.example\n", EntityIdError::NotNormal),
            ("https:\\\\idp.example", EntityIdError::NotNormal),
            ("https:/idp.example", EntityIdError::NotNormal),
            ("https:///idp.example", EntityIdError::NotNormal),
            (long.as_str(), EntityIdError::TooLong),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn identifiers_with_host_port_and_path_are_accepted() {
        let cases = [
            ("https://idp.example", "idp.example"),
            ("https://idp.example:8443", "idp.example"),
            ("https://idp.example/107202793", "idp.example"),
            ("https://idp.example:8443/a/b", "idp.example"),
            ("https://127.0.0.1:8443/a:b", "127.0.0.1"),
            ("https://[::1]:8443", "[::1]"),
            ("https://[::1]", "[::1]"),
        ];
        for (text, host) in cases {
            let id = parse(text).unwrap();
            assert_eq!(id.as_str(), text);
            assert_eq!(id.host(), host);
            assert_eq!(id.well_known_url(), format!("{text}/.well-known/openid-federation"));
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for text in [
            "http://localhost:8400",
            "http://127.0.0.1:8400",
            "http://[::1]:1",
            "http://a.localhost",
        ] {
            assert!(EntityId::parse(text, Schemes::LoopbackHttpToo).is_ok(), "{text}");
            assert!(parse(text).is_err(), "{text}");
        }
        for text in [
            "http://idp.example",
            "http://10.0.0.1",
            "http://localhost.example",
            "http://notlocalhost",
        ] {
            assert!(EntityId::parse(text, Schemes::LoopbackHttpToo).is_err(), "{text}");
        }
    }

    #[test]
    fn redirect_uris_have_no_query_and_endpoints_may() {
        assert!(check_endpoint("https://idp.example/auth?x=1", Schemes::HttpsOnly).is_ok());
        assert!(check_redirect_uri("https://app.example/cb", Schemes::HttpsOnly).is_ok());
        assert!(check_redirect_uri("https://app.example/cb/", Schemes::HttpsOnly).is_ok());
        for text in [
            "https://app.example/cb?x=1",
            "https://app.example/zurück",
            "app:cb",
            "https://app.example/#a",
            "javascript:alert(1)",
        ] {
            assert!(check_redirect_uri(text, Schemes::LoopbackHttpToo).is_err(), "{text}");
        }
    }

    #[test]
    fn logos_may_be_plain_http_but_have_no_fragment() {
        assert!(check_logo_uri("http://logos.example/a.svg").is_ok());
        assert!(check_logo_uri("https://logos.example/a.svg").is_ok());
        for text in ["logo.svg", "data:image/png;base64,AA", "https://logos.example/a.svg#x"] {
            assert!(check_logo_uri(text).is_err(), "{text}");
        }
    }
}
