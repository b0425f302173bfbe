//! Wakes the phone a login waits for: one message without content to the push service its browser named (RFC 8030), signed for the insurer
//! (RFC 8292).
//!
//! Trusted for: the push service learns that something waits for a browser it knows, and not what, for whom or at which service; the asking page
//! never waits for it. Does not: try again. A phone that is not woken is told when it looks.

use std::{sync::Arc, time::Duration};

use http::Method;
use jose::{SignError, Signer, UnixTime, base64url, jws};
use serde::{Deserialize, Serialize};
use store::{Condition, Key, Row, TenantId, Write};
use thiserror::Error;
use tokio::sync::Semaphore;
use transport::{AddressRule, HttpClient, HttpClientError, HttpResponse, Roots, TlsError};
use zeroize::Zeroizing;

use super::endpoint::{AllowedHost, Endpoint, EndpointError};
use crate::{
    core::{self, Core, StepProblem},
    tenant::Tenant,
};

/// Most phones that are being woken at once by one instance; one more is not woken.
pub const MAX_WAKING: usize = 64;
/// Most bytes of a push service's answer that are read.
pub const MAX_PUSH_ANSWER_BYTES: usize = 16 * 1024;
/// Seconds a token for a push service holds; RFC 8292 admits a day.
pub const PUSH_TOKEN_SECONDS: u64 = 600;
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
const TOTAL_LIMIT: Duration = Duration::from_secs(6);
/// At the push service a later message takes the place of one it has not given out yet (RFC 8030 section 5.4): the phone is woken once.
const TOPIC: &str = "login";

/// `[push]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushSettings {
    /// Push services that are called: each host with the hosts below it, at port 443, or at the port named.
    pub hosts: Vec<String>,
    /// Whom a push service writes to when something is wrong: `mailto:` or `https:`.
    pub contact: String,
    /// Files with the TLS roots push services are believed under, PEM.
    pub tls_roots: Vec<std::path::PathBuf>,
}

/// Why phones cannot be woken.
#[derive(Debug, Error)]
pub enum PushSettingsError {
    /// Nobody to call.
    #[error(
        "hosts: expected at least one host name in lower case, as 'push.example', with a port only where it is not 443"
    )]
    Hosts,
    /// Nobody to write to.
    #[error("contact: expected a 'mailto:' or 'https:' address")]
    Contact,
    /// The client.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Calls push services. Clones share the client and its limits.
#[derive(Clone)]
pub struct PushService(Arc<Calling>);

struct Calling {
    client: HttpClient,
    hosts: Vec<AllowedHost>,
    contact: String,
    free: Arc<Semaphore>,
}

impl PushService {
    /// Believes `roots` and connects where `rule` admits. Follows no redirect.
    ///
    /// # Errors
    /// [`PushSettingsError`].
    pub fn new(hosts: &[String], contact: &str, roots: &Roots, rule: AddressRule) -> Result<Self, PushSettingsError> {
        let hosts: Option<Vec<AllowedHost>> = hosts.iter().map(|host| AllowedHost::parse(host)).collect();
        let hosts = hosts
            .filter(|hosts| !hosts.is_empty())
            .ok_or(PushSettingsError::Hosts)?;
        let is_address = contact.starts_with("mailto:") || contact.starts_with("https://");
        if !is_address || url::Url::parse(contact).is_err() {
            return Err(PushSettingsError::Contact);
        }
        let client = HttpClient::builder(roots, rule)
            .timeouts(CONNECT_LIMIT, TOTAL_LIMIT)
            .max_bytes(MAX_PUSH_ANSWER_BYTES)
            .build()?;
        Ok(Self(Arc::new(Calling {
            client,
            hosts,
            contact: contact.to_owned(),
            free: Arc::new(Semaphore::new(MAX_WAKING)),
        })))
    }

    pub(super) fn endpoint(&self, text: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::parse(text, &self.0.hosts)
    }
}

/// The tenant's key, as browsers and push services take it: an uncompressed point in base64url. `None` where phones are not woken.
pub(crate) fn public_key(core: &Core, tenant: TenantId) -> Option<String> {
    core.push.as_ref()?;
    let signer = core.vault.push_signer(tenant).ok()?;
    Some(base64url::encode(&signer.public_key().to_uncompressed()))
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: String,
    exp: u64,
    sub: &'a str,
}

/// One phone to wake.
struct Waking {
    service: PushService,
    endpoint: Endpoint,
    /// Seconds until it is of no use any more.
    remaining: u64,
}

impl Waking {
    /// `Authorization` of RFC 8292 section 3.
    fn authorization(&self, signer: &dyn Signer, now: UnixTime) -> Result<String, SignError> {
        let claims = Claims {
            aud: self.endpoint.origin(),
            exp: now.0 + PUSH_TOKEN_SECONDS,
            sub: &self.service.0.contact,
        };
        let header = jws::SigningHeader {
            typ: Some("JWT"),
            ..jws::SigningHeader::default()
        };
        let payload = serde_json::to_vec(&claims).map_err(|_| SignError::KeyFailed)?;
        let token = jws::sign(&header, &payload, signer)?;
        let key = base64url::encode(&signer.public_key().to_uncompressed());
        Ok(format!("vapid t={token}, k={key}"))
    }

    async fn call(&self, authorization: &str) -> Result<HttpResponse, HttpClientError> {
        let ttl = self.remaining.to_string();
        let headers = [
            ("authorization", authorization),
            ("ttl", ttl.as_str()),
            ("urgency", "high"),
            ("topic", TOPIC),
            ("content-length", "0"),
        ];
        let body = axum::body::Bytes::new();
        let client = &self.service.0.client;
        client.send(Method::POST, self.endpoint.as_str(), &headers, body).await
    }
}

/// Wakes the phone of this row in the background: nobody waits for it, and nothing that becomes of it is told to anybody but the log.
pub(super) fn wake(core: &Core, tenant: &Arc<Tenant>, key: Key, row: &Row, now: UnixTime, remaining: u64) {
    let Some(service) = core.push.clone() else { return };
    if row.expires_at.is_some_and(|expires_at| expires_at <= now.0) {
        return;
    }
    let Ok(permit) = Arc::clone(&service.0.free).try_acquire_owned() else {
        not_woken("busy");
        return;
    };
    let opened: Result<Zeroizing<String>, _> = core.vault.open_subscription(&key, row);
    let Ok(text) = opened else {
        not_woken("unreadable");
        return;
    };
    // The operator may have taken a host back since.
    let Ok(endpoint) = service.endpoint(&text) else {
        not_woken("host");
        return;
    };
    let waking = Waking {
        service,
        endpoint,
        remaining,
    };
    let (vault, store, rng) = (Arc::clone(&core.vault), Arc::clone(&core.store), Arc::clone(&core.rng));
    let (tenant, version) = (tenant.id(), row.version);
    tokio::spawn(async move {
        let _permit = permit;
        let authorization = vault
            .push_signer(tenant)
            .map_err(StepProblem::from)
            .and_then(|signer| Ok(waking.authorization(&signer, now)?));
        let Ok(authorization) = authorization else {
            not_woken("key");
            return;
        };
        match waking.call(&authorization).await {
            Ok(answer) if answer.is_success() => {
                tracing::info!(
                    event = "phone_woken",
                    "a push service took the message that a login waits"
                );
            }
            Ok(answer) if matches!(answer.status, 404 | 410) => {
                // Unless the phone named another address meanwhile.
                let gone = [Condition::VersionIs(key, version)];
                let deleted = core::commit(&*store, &*rng, now, &gone, &[Write::Delete(key)]).await;
                let kind = if deleted.is_ok() { "gone" } else { "gone-but-kept" };
                not_woken(kind);
            }
            Ok(answer) => tracing::warn!(
                event = "phone_not_woken",
                kind = "refused",
                status = answer.status,
                "a push service did not take a message; it is not sent again"
            ),
            Err(_) => not_woken("no-answer"),
        }
    });
}

fn not_woken(kind: &'static str) {
    tracing::info!(event = "phone_not_woken", kind, "the phone is told when it looks");
}
