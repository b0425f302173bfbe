//! The HTTPS client for peers we talk to on purpose: PAR and token with a client certificate, the authenticator API, pages.
//!
//! Trusted for: believing only the given roots, showing the given certificate, keeping connections open between calls, a bounded
//! answer in bounded time. Does not: judge the answer.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use url::Url;

use crate::address::{AddressClass, AddressRule};
use crate::client_tls::{ClientIdentity, Roots, client_config};
use crate::fetcher::{FetchError, classify};
use crate::identity::TlsError;
use crate::resolver::GuardedResolver;

/// What to do with an answer that redirects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirects {
    /// Hand it to the caller: the login's redirects are the message.
    ReturnToCaller,
    /// Follow at most ten, each under the same address rule.
    Follow,
}

/// How a [`HttpClient`] is put together.
#[derive(Debug, Clone)]
pub struct HttpClientBuilder {
    roots: Roots,
    identity: Option<ClientIdentity>,
    rule: AddressRule,
    loopback_names: Vec<String>,
    redirects: Redirects,
    cookies: bool,
    connect_timeout: Duration,
    total_timeout: Duration,
    max_bytes: usize,
}

impl HttpClientBuilder {
    /// Shows this certificate when a server asks for one.
    pub fn identity(mut self, identity: ClientIdentity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Follows redirects, or not (the default).
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// Keeps cookies between calls, as a browser would. Off by default.
    pub fn keep_cookies(mut self) -> Self {
        self.cookies = true;
        self
    }

    /// Further host names of this machine, for rules that admit loopback.
    pub fn loopback_names(mut self, names: &[String]) -> Self {
        self.loopback_names = names.to_vec();
        self
    }

    /// Time for connection and handshake (default 3 s), and for the whole call (default 10 s).
    pub fn timeouts(mut self, connect: Duration, total: Duration) -> Self {
        self.connect_timeout = connect;
        self.total_timeout = total;
        self
    }

    /// Largest answer in bytes (default 1 MiB).
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Builds the client. Its certificate cannot be exchanged: for a rollover build a new one, because resumed sessions would go on
    /// showing the old certificate.
    pub fn build(self) -> Result<HttpClient, TlsError> {
        let resolver = GuardedResolver::new(self.rule, &self.loopback_names);
        let plain_http = self.rule != AddressRule::PublicOnly;
        let redirects = match self.redirects {
            Redirects::ReturnToCaller => reqwest::redirect::Policy::none(),
            Redirects::Follow => following(resolver.clone(), plain_http),
        };
        #[expect(clippy::disallowed_methods, reason = "this is the guarded client the ban points to")]
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(client_config(&self.roots, self.identity.as_ref())?)
            .dns_resolver(resolver.clone())
            .no_proxy()
            .redirect(redirects)
            .referer(false)
            .cookie_store(self.cookies)
            .connect_timeout(self.connect_timeout)
            .timeout(self.total_timeout)
            .tcp_nodelay(true)
            .build()
            .map_err(|_| TlsError::Unreadable("client configuration"))?;
        Ok(HttpClient {
            client,
            resolver,
            plain_http,
            max_bytes: self.max_bytes,
        })
    }
}

const MAX_REDIRECTS: usize = 10;

fn following(resolver: GuardedResolver, plain_http: bool) -> reqwest::redirect::Policy {
    reqwest::redirect::Policy::custom(move |attempt| {
        if attempt.previous().len() > MAX_REDIRECTS || check_url(&resolver, plain_http, attempt.url()).is_err() {
            attempt.stop()
        } else {
            attempt.follow()
        }
    })
}

/// Why there is no answer. No variant quotes the URL, the request or the answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpClientError {
    /// Not an absolute URL.
    #[error("HTTP client: URL malformed, expected an absolute URL")]
    MalformedUrl,
    /// Neither https, nor http to this machine where that is admitted.
    #[error("HTTP client: URL scheme refused, expected https")]
    SchemeRefused,
    /// The literal leads to an address that is not admitted.
    #[error("HTTP client: address refused, it is {0}")]
    AddressRefused(AddressClass),
    /// A header name or value that HTTP does not admit, or a body that cannot be written as JSON.
    #[error("HTTP client: request cannot be expressed in HTTP")]
    Unsendable,
    /// The call failed on the way; the reasons are those of a fetch.
    #[error(transparent)]
    Failed(FetchError),
    /// The answer's body is not the JSON expected.
    #[error("HTTP client: answer is not the expected JSON")]
    NotTheExpectedJson,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// HTTP status code.
    pub status: u16,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The URL that answered (differs from the one asked after followed redirects).
    pub url: String,
    /// The body.
    pub body: Bytes,
}

impl HttpResponse {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header's value, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The `Location` header.
    pub fn location(&self) -> Option<&str> {
        self.header("location")
    }

    /// The body as text, malformed UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpClientError> {
        serde_json::from_slice(&self.body).map_err(|_| HttpClientError::NotTheExpectedJson)
    }
}

/// An HTTPS client that keeps its connections. Clones share them.
#[derive(Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    resolver: GuardedResolver,
    plain_http: bool,
    max_bytes: usize,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient")
    }
}

impl HttpClient {
    /// Begins a client that believes `roots` and connects where `rule` admits.
    pub fn builder(roots: &Roots, rule: AddressRule) -> HttpClientBuilder {
        HttpClientBuilder {
            roots: roots.clone(),
            identity: None,
            rule,
            loopback_names: Vec::new(),
            redirects: Redirects::ReturnToCaller,
            cookies: false,
            connect_timeout: Duration::from_secs(3),
            total_timeout: Duration::from_secs(10),
            max_bytes: 1024 * 1024,
        }
    }

    /// GET.
    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<HttpResponse, HttpClientError> {
        self.send(Method::GET, url, headers, Bytes::new()).await
    }

    /// POST of `application/x-www-form-urlencoded` fields, in the order given.
    pub async fn post_form(
        &self,
        url: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Result<HttpResponse, HttpClientError> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let headers = with_content_type(headers, "application/x-www-form-urlencoded");
        self.send(Method::POST, url, &headers, Bytes::from(body)).await
    }

    /// POST of a JSON body.
    pub async fn post_json<T: Serialize + ?Sized>(
        &self,
        url: &str,
        body: &T,
        headers: &[(&str, &str)],
    ) -> Result<HttpResponse, HttpClientError> {
        let body = serde_json::to_vec(body).map_err(|_| HttpClientError::Unsendable)?;
        let headers = with_content_type(headers, "application/json");
        self.send(Method::POST, url, &headers, Bytes::from(body)).await
    }

    /// Any method, any body.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<HttpResponse, HttpClientError> {
        let url = Url::parse(url).map_err(|_| HttpClientError::MalformedUrl)?;
        check_url(&self.resolver, self.plain_http, &url)?;
        let mut request = self.client.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(|error| failed(&error))?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > self.max_bytes {
                return Err(HttpClientError::Failed(FetchError::TooLarge(self.max_bytes)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            url: response.url().to_string(),
            body: body.freeze(),
        })
    }
}

fn with_content_type<'a>(headers: &[(&'a str, &'a str)], content_type: &'a str) -> Vec<(&'a str, &'a str)> {
    std::iter::once(("content-type", content_type))
        .chain(headers.iter().copied())
        .collect()
}

fn failed(error: &reqwest::Error) -> HttpClientError {
    if error.is_builder() {
        return HttpClientError::Unsendable;
    }
    HttpClientError::Failed(classify(error))
}

fn check_url(resolver: &GuardedResolver, plain_http: bool, url: &Url) -> Result<(), HttpClientError> {
    match url.scheme() {
        "https" => {}
        "http" if plain_http && resolver.is_this_machine(url) => {}
        _ => return Err(HttpClientError::SchemeRefused),
    }
    resolver.check_literal(url).map_err(HttpClientError::AddressRefused)
}
