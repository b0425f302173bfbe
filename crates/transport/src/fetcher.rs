//! The guarded fetch of federation documents: entity statements, subordinate statements, signed key sets, lists.
//!
//! Trusted for: connecting only to addresses the [`AddressRule`] admits, judged after resolution and on literals; no redirects, no
//! cookies, no proxy, no credentials; a bounded answer in bounded time. Does not: look at status, content type or content beyond
//! reporting them.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use url::Url;

use crate::address::{AddressClass, AddressRule};
use crate::client_tls::{Roots, client_config};
use crate::identity::TlsError;
use crate::resolver::{AddressRefused, GuardedResolver, Unresolvable};

/// Longest URL that is fetched (the Federation Master's limit too, gematik.md 3.4).
pub const MAX_URL_CHARACTERS: usize = 2000;

/// Idle connections kept for the next fetch from the same peer.
const IDLE_CONNECTIONS_PER_HOST: usize = 2;

/// Size and time one fetch may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// Largest body, in bytes.
    pub max_bytes: usize,
    /// Name resolution, connection and handshake.
    pub connect_timeout: Duration,
    /// The whole fetch.
    pub total_timeout: Duration,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            max_bytes: 256 * 1024,
            connect_timeout: Duration::from_secs(3),
            total_timeout: Duration::from_secs(5),
        }
    }
}

/// Why nothing was fetched. No variant quotes the URL or the answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FetchError {
    /// Not an absolute URL, or longer than [`MAX_URL_CHARACTERS`], or with user information.
    #[error(
        "fetch: URL malformed, expected an absolute URL without user information of at most {MAX_URL_CHARACTERS} characters"
    )]
    MalformedUrl,
    /// Neither https, nor http to this machine where that is admitted.
    #[error("fetch: URL scheme refused, expected https")]
    SchemeRefused,
    /// The name or literal leads to an address that may not be fetched from.
    #[error("fetch: address refused, it is {0}, expected a public address")]
    AddressRefused(AddressClass),
    /// The name has no address.
    #[error("fetch: host name has no address")]
    Unresolvable,
    /// Nobody answered at the address.
    #[error("fetch: connection failed")]
    ConnectionFailed,
    /// The TLS handshake failed; the text is rustls's reason.
    #[error("fetch: TLS handshake failed: {0}")]
    Tls(String),
    /// Connect or total time was over.
    #[error("fetch: no complete answer in time")]
    Timeout,
    /// The body is longer than the limit, in bytes.
    #[error("fetch: answer longer than {0} bytes")]
    TooLarge(usize),
    /// The peer redirects (its status code); redirects are not followed (OpenID Federation 1.0 names exact endpoints).
    #[error("fetch: answer is a redirect ({0}), expected the document itself")]
    Redirect(u16),
    /// Not HTTP, or the connection broke in the middle.
    #[error("fetch: answer is not a complete HTTP response")]
    Broken,
}

/// What came back, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// HTTP status code, never a redirect's.
    pub status: u16,
    /// The Content-Type header as sent, when it is text.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

impl Fetched {
    /// The media type in lower case, without parameters: `application/entity-statement+jwt`.
    pub fn media_type(&self) -> Option<String> {
        let full = self.content_type.as_deref()?;
        let essence = full.split(';').next().unwrap_or(full);
        Some(essence.trim().to_ascii_lowercase())
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The future of one fetch.
pub type FetchFuture<'a> = Pin<Box<dyn Future<Output = Result<Fetched, FetchError>> + Send + 'a>>;

/// Something that fetches documents: the [`Fetcher`], or a table in a test.
pub trait Fetch: Send + Sync {
    /// Fetches `url` with GET; `accept` is the Accept header.
    fn fetch<'a>(&'a self, url: &'a str, accept: &'a str) -> FetchFuture<'a>;
}

/// The fetcher over the network. Clones share connections.
#[derive(Clone)]
pub struct Fetcher {
    client: reqwest::Client,
    resolver: GuardedResolver,
    plain_http: bool,
    limits: FetchLimits,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A fetcher with the default limits. With [`AddressRule::LoopbackAllowed`], plain http is admitted to this machine.
    pub fn new(roots: &Roots, rule: AddressRule) -> Result<Self, TlsError> {
        Self::with_limits(roots, rule, FetchLimits::default(), &[])
    }

    /// A fetcher with its own limits. `loopback_names` are further host names of this machine (the sandbox's `--domain`); they count
    /// only under [`AddressRule::LoopbackAllowed`] and [`AddressRule::Unrestricted`].
    pub fn with_limits(
        roots: &Roots,
        rule: AddressRule,
        limits: FetchLimits,
        loopback_names: &[String],
    ) -> Result<Self, TlsError> {
        let resolver = GuardedResolver::new(rule, loopback_names);
        #[expect(clippy::disallowed_methods, reason = "this is the guarded client the ban points to")]
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(client_config(roots, None)?)
            .dns_resolver(resolver.clone())
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(limits.connect_timeout)
            .timeout(limits.total_timeout)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST)
            .build()
            .map_err(|_| TlsError::Unreadable("client configuration"))?;
        Ok(Self {
            client,
            resolver,
            plain_http: rule != AddressRule::PublicOnly,
            limits,
        })
    }

    /// Fetches `url` with GET; `accept` is the Accept header.
    pub async fn fetch(&self, url: &str, accept: &str) -> Result<Fetched, FetchError> {
        let url = self.check_url(url)?;
        let mut response = self
            .client
            .get(url)
            .header(http::header::ACCEPT, accept)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        if response.status().is_redirection() {
            return Err(FetchError::Redirect(response.status().as_u16()));
        }
        let limit = self.limits.max_bytes;
        if response.content_length().unwrap_or(0) > limit as u64 {
            return Err(FetchError::TooLarge(limit));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
            if body.len() + chunk.len() > limit {
                return Err(FetchError::TooLarge(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched {
            status: response.status().as_u16(),
            content_type: response
                .headers()
                .get(http::header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            body: body.freeze(),
        })
    }

    fn check_url(&self, url: &str) -> Result<Url, FetchError> {
        if url.len() > MAX_URL_CHARACTERS {
            return Err(FetchError::MalformedUrl);
        }
        let url = Url::parse(url).map_err(|_| FetchError::MalformedUrl)?;
        if !url.username().is_empty() || url.password().is_some() || url.host().is_none() {
            return Err(FetchError::MalformedUrl);
        }
        match url.scheme() {
            "https" => {}
            "http" if self.plain_http && self.resolver.is_this_machine(&url) => {}
            _ => return Err(FetchError::SchemeRefused),
        }
        self.resolver.check_literal(&url).map_err(FetchError::AddressRefused)?;
        Ok(url)
    }
}

impl Fetch for Fetcher {
    fn fetch<'a>(&'a self, url: &'a str, accept: &'a str) -> FetchFuture<'a> {
        Box::pin(Fetcher::fetch(self, url, accept))
    }
}

/// The reason behind a reqwest error, found in its chain of sources.
pub(crate) fn classify(error: &reqwest::Error) -> FetchError {
    if error.is_timeout() {
        return FetchError::Timeout;
    }
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(refused) = current.downcast_ref::<AddressRefused>() {
            return FetchError::AddressRefused(refused.class);
        }
        if current.is::<Unresolvable>() {
            return FetchError::Unresolvable;
        }
        if let Some(tls) = current.downcast_ref::<rustls::Error>() {
            return FetchError::Tls(tls.to_string());
        }
        cause = match current
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            // The source of an io::Error that wraps an error is that error's source: step into it, not over it.
            Some(wrapped) => Some(wrapped),
            None => current.source(),
        };
    }
    if error.is_connect() {
        FetchError::ConnectionFailed
    } else {
        FetchError::Broken
    }
}
