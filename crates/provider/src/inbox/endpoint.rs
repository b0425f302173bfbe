//! Where a push service takes messages for a phone: an address that came from the phone, and is called from here.
//!
//! Trusted for: the one thing that is called is an https address at a host the operator named, exactly or below it. An address is taken only as
//! the URL standard writes it, so nothing here and nothing in the client reads it in two ways.

use authenticator::device::MAX_ENDPOINT_BYTES;
use thiserror::Error;
use url::{Host, Url};

/// A host whose addresses are called, as the operator names it: `push.example`, or `push.example:8443` for that port and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AllowedHost {
    name: String,
    port: Option<u16>,
}

impl AllowedHost {
    /// `None` for anything but a host name in lower case, with or without a port.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-' | ':');
        if text.starts_with('.') || !text.chars().all(is_plain) {
            return None;
        }
        let url = Url::parse(&format!("https://{text}/")).ok()?;
        let Some(Host::Domain(name)) = url.host() else {
            return None;
        };
        // As it is written here it is compared: a port that says nothing, or a dot at the end, would never match.
        let is_canonical = url.as_str() == format!("https://{text}/") && !name.ends_with('.');
        is_canonical.then(|| Self {
            name: name.to_owned(),
            port: url.port(),
        })
    }

    fn admits(&self, name: &str, port: Option<u16>) -> bool {
        let is_below = || {
            name.strip_suffix(&self.name)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        };
        self.port == port && (name == self.name || is_below())
    }
}

/// Why an address is not called. No variant quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum EndpointError {
    /// Too long.
    #[error("endpoint: longer than {MAX_ENDPOINT_BYTES} bytes")]
    TooLong,
    /// Not as the URL standard writes it.
    #[error("endpoint: expected an absolute URL as the URL standard writes it, without fragment")]
    Form,
    /// Not https.
    #[error("endpoint: expected https")]
    Scheme,
    /// User information.
    #[error("endpoint: user information is not admitted")]
    UserInfo,
    /// An address, a port or a host nobody has named.
    #[error("endpoint: its host and port are not those of a push service that is called here")]
    Host,
}

/// An address that may be called.
#[derive(Clone)]
pub(super) struct Endpoint(Url);

impl Endpoint {
    /// Reads an address. Total.
    pub(super) fn parse(text: &str, allowed: &[AllowedHost]) -> Result<Self, EndpointError> {
        if text.len() > MAX_ENDPOINT_BYTES {
            return Err(EndpointError::TooLong);
        }
        let url = Url::parse(text).map_err(|_| EndpointError::Form)?;
        if url.scheme() != "https" {
            return Err(EndpointError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::UserInfo);
        }
        if url.as_str() != text || url.fragment().is_some() {
            return Err(EndpointError::Form);
        }
        let Some(Host::Domain(name)) = url.host() else {
            return Err(EndpointError::Host);
        };
        if !allowed.iter().any(|host| host.admits(name, url.port())) {
            return Err(EndpointError::Host);
        }
        Ok(Self(url))
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whom a token for it is for (RFC 8292 section 2).
    pub(super) fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Whatever is taken has the form it is trusted for, read again by other means.
    fn endpoint_holds(text: &str) -> bool {
        let allowed: Vec<AllowedHost> = ["push.example", "push.example:8443"]
            .into_iter()
            .filter_map(AllowedHost::parse)
            .collect();
        let Ok(endpoint) = Endpoint::parse(text, &allowed) else {
            return true;
        };
        let (origin, path) = (endpoint.origin(), endpoint.as_str().strip_prefix("https://"));
        let host = origin
            .strip_prefix("https://")
            .map(|host| host.strip_suffix(":8443").unwrap_or(host));
        endpoint.as_str() == text
            && host.is_some_and(|host| host == "push.example" || host.ends_with(".push.example"))
            && path.is_some_and(|path| !path.split('/').next().unwrap_or_default().contains(['@', '\\', '#']))
    }

    fn read(text: &str) -> Result<Endpoint, EndpointError> {
        let allowed = ["push.example", "other.example:8443"].map(|host| AllowedHost::parse(host).unwrap());
        Endpoint::parse(text, &allowed)
    }

    #[test]
    fn an_address_at_or_below_a_named_host_is_taken_and_its_origin_is_who_a_token_is_for() {
        for (text, origin) in [
            ("https://push.example/", "https://push.example"),
            ("https://push.example/wpush/v2/gAAA_-:x", "https://push.example"),
            (
                "https://db5p.push.example/w/?token=BQYAAA%3d%3d",
                "https://db5p.push.example",
            ),
            ("https://other.example:8443/a", "https://other.example:8443"),
        ] {
            let endpoint = read(text).map_err(|error| format!("{text}: {error}")).unwrap();
            assert_eq!((endpoint.as_str(), endpoint.origin().as_str()), (text, origin));
            assert!(endpoint_holds(text));
        }
    }

    #[test]
    fn every_other_address_is_refused_for_its_reason() {
        use EndpointError::{Form, Host, Scheme, TooLong, UserInfo};
        for (text, expected) in [
            ("http://push.example/a", Scheme),
            ("ftp://push.example/a", Scheme),
            ("javascript:alert(1)", Scheme),
            ("push.example/a", Form),
            ("", Form),
            ("//push.example/a", Form),
            ("https://push.example", Form),
            ("https://PUSH.example/a", Form),
            ("HTTPS://push.example/a", Form),
            ("https:push.example/a", Form),
            ("https:\\\\push.example\\a", Form),
            ("https://push.example\\.evil.example/a", Form),
            (" https://push.example/a", Form),
            ("https://push.exa\tmple/a", Form),
            ("https://push.example/a\n", Form),
            ("https://push.example/a/../b", Form),
            ("https://push.example:443/a", Form),
            ("https://push%2eexample/a", Form),
            ("https://push.example/a#b", Form),
            ("https://push.example/a#", Form),
            ("https://user@push.example/a", UserInfo),
            ("https://user:word@push.example/a", UserInfo),
            ("https://push.example@evil.example/a", UserInfo),
            ("https://evil-push.example/a", Host),
            ("https://evilpush.example/a", Host),
            ("https://push.example.evil.example/a", Host),
            ("https://example/a", Host),
            ("https://push.example./a", Host),
            ("https://.push.example/a", Host),
            ("https://push.example:8443/a", Host),
            ("https://other.example/a", Host),
            ("https://other.example:8444/a", Host),
            ("https://127.0.0.1/a", Host),
            ("https://[::1]/a", Host),
            ("https://localhost/a", Host),
        ] {
            assert_eq!(read(text).err(), Some(expected), "{text}");
        }
        let long = |bytes: usize| format!("https://push.example/{}", "a".repeat(bytes - 21));
        assert!(read(&long(MAX_ENDPOINT_BYTES)).is_ok());
        assert_eq!(read(&long(MAX_ENDPOINT_BYTES + 1)).err(), Some(TooLong));
    }

    #[test]
    fn a_host_is_named_as_it_is_compared() {
        for text in ["push.example", "a-b.push.example", "localhost:8443"] {
            assert!(AllowedHost::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            ".",
            ".push.example",
            "push.example.",
            "*.push.example",
            "Push.example",
            "push.example/",
            "https://push.example",
            "push.example:443",
            "push.example:",
            "push.example:x",
            "127.0.0.1",
            "a@push.example",
            "push..example:0x1",
        ] {
            assert_eq!(AllowedHost::parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        /// Addresses that begin well and go wrong.
        #[test]
        fn nothing_that_is_taken_leads_elsewhere(text in "(https?:[/\\\\]{0,3})?[a-z@:.\\\\/%#?\\t\\u{3002}-]{0,6}(push\\.example)?[a-z0-9@:.\\\\/%#?\\n\\u{3002}-]{0,12}") {
            proptest::prop_assert!(endpoint_holds(&text), "{text}");
        }
    }
}
