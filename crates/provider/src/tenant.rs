//! Tenants: one insurer each, with its own issuer, keys, brand and rules.
//!
//! Trusted for: a request reaches the tenant its issuer names and no other. A tenant costs memory; its keys are opened when first used.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use authenticator::{
    Ik,
    app_links::{Apps, AppsError, publish::PublishError},
    health_card::CardTrust,
    policy::AuthenticationPolicy,
};
use axum::body::Bytes;
use jose::UnixTime;
use store::TenantId;
use thiserror::Error;
use url::Url;

use crate::{
    app_links::{self, AssociationFiles},
    devices::DeviceAttestation,
    keys::TenantKeys,
    wallet_files::WalletSettings,
};

/// Longest tenant path segment.
const MAX_PATH_BYTES: usize = 64;

/// What the operator says about an insurer.
#[derive(Debug, Clone)]
pub struct TenantSettings {
    /// Issuer: an https URL, with or without one path segment, without trailing slash (gematik digest 2.8).
    pub issuer: String,
    /// Institution codes whose insured persons belong here.
    pub iks: Vec<Ik>,
    /// Name shown in pickers, ≤ 128 characters of the Federation Master's set.
    pub organization_name: String,
    /// The logo, SVG.
    pub logo: Bytes,
    /// Where the browser goes: base of the authorization endpoint. Usually the issuer.
    pub browser_base: String,
    /// Base of the endpoints that ask for a client certificate.
    pub mtls_base: String,
    /// Page or app link that holds the person's authenticator; `None`: the page explains how to open the insurer's app.
    pub authenticator_url: Option<String>,
    /// The web wallet; `None`: it is not served.
    pub wallet: Option<WalletSettings>,
    /// Apps that phones open instead of the browser.
    pub apps: Apps,
    /// Mail addresses of the insurer's support, published in the statement.
    pub contacts: Vec<String>,
    /// Levels, methods, device classes, intervals, single sign-on.
    pub policy: AuthenticationPolicy,
    /// Which attested phones are admitted, and as what; `None`: attestations are refused.
    pub attestation: Option<DeviceAttestation>,
    /// Whose cards are accepted.
    pub card_trust: Arc<CardTrust>,
    /// Entity identifiers of the superiors, in the order to name them: the Federation Master.
    pub authority_hints: Vec<String>,
}

/// Why settings are no tenant.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TenantError {
    /// The issuer's form.
    #[error(
        "issuer '{0}': expected an https URL with at most one path segment and no trailing slash, query, fragment or user info"
    )]
    Issuer(String),
    /// Two tenants share host and path.
    #[error("issuer '{0}' is used by two tenants")]
    Duplicate(String),
    /// A base is no URL.
    #[error("{member} of '{issuer}': expected an absolute URL without trailing slash")]
    Base {
        /// Which member.
        member: &'static str,
        /// Whose.
        issuer: String,
    },
    /// Its apps.
    #[error("apps of '{issuer}': {reason}")]
    Apps {
        /// Whose.
        issuer: String,
        /// Why.
        reason: AppsError,
    },
    /// The files that name the apps of a host.
    #[error("app links of '{host}': {reason}")]
    AppLinks {
        /// Which host.
        host: String,
        /// Why.
        reason: PublishError,
    },
}

/// One insurer, ready to serve.
pub struct Tenant {
    /// What the operator says.
    pub settings: TenantSettings,
    id: TenantId,
    keys: RwLock<Option<Arc<TenantKeys>>>,
    /// Held by whoever loads, makes or moves keys.
    keys_turn: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tenant").field(&self.settings.issuer).finish()
    }
}

impl Tenant {
    /// Identifier in the store and in key derivation; follows from the issuer alone.
    pub const fn id(&self) -> TenantId {
        self.id
    }

    /// Its issuer.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Its keys, if they were opened less than `kept_seconds` ago.
    pub(crate) fn kept_keys(&self, now: UnixTime, kept_seconds: u64) -> Option<Arc<TenantKeys>> {
        let kept = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref()
            .filter(|keys| now < keys.loaded_at().plus_seconds(kept_seconds))
            .cloned()
    }

    /// Waits until nobody else loads, makes or moves this tenant's keys.
    pub(crate) async fn keys_turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.keys_turn.lock().await
    }

    pub(crate) fn keep_keys(&self, keys: Arc<TenantKeys>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    }

    /// The next request opens them again.
    pub(crate) fn forget_keys(&self) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Every tenant, found by host and path.
#[derive(Debug, Default)]
pub struct Tenants {
    by_path: HashMap<String, Arc<Tenant>>,
    by_host: HashMap<String, Arc<Tenant>>,
    association_files: HashMap<String, AssociationFiles>,
}

impl Tenants {
    /// Checks the settings of all tenants.
    ///
    /// # Errors
    /// [`TenantError`] for the first that cannot be served.
    pub fn new(settings: Vec<TenantSettings>) -> Result<Self, TenantError> {
        let mut tenants = Self {
            association_files: app_links::by_host(settings.iter())?,
            ..Self::default()
        };
        for settings in settings {
            tenants.insert(settings)?;
        }
        Ok(tenants)
    }

    fn insert(&mut self, settings: TenantSettings) -> Result<(), TenantError> {
        let (host, path) =
            parse_issuer(&settings.issuer).ok_or_else(|| TenantError::Issuer(settings.issuer.clone()))?;
        for (member, base) in [
            ("browser_base", &settings.browser_base),
            ("mtls_base", &settings.mtls_base),
        ] {
            if Url::parse(base).is_err() || base.ends_with('/') {
                return Err(TenantError::Base {
                    member,
                    issuer: settings.issuer.clone(),
                });
            }
        }
        let issuer = settings.issuer.clone();
        let tenant = Arc::new(Tenant {
            id: vault::tenant_id(&issuer),
            settings,
            keys: RwLock::default(),
            keys_turn: tokio::sync::Mutex::default(),
        });
        let previous = match path {
            Some(path) => self.by_path.insert(path, tenant),
            None => self.by_host.insert(host, tenant),
        };
        if previous.is_some() {
            return Err(TenantError::Duplicate(issuer));
        }
        Ok(())
    }

    /// The tenant with this path segment.
    pub fn by_path(&self, segment: &str) -> Option<&Arc<Tenant>> {
        self.by_path.get(segment)
    }

    /// The tenant with this host, whatever the port.
    pub fn by_host(&self, host_and_port: &str) -> Option<&Arc<Tenant>> {
        self.by_host.get(&host_of(host_and_port))
    }

    /// The files about apps of this host, whatever the port; `None` where no tenant on it has an app.
    pub(crate) fn association_files(&self, host_and_port: &str) -> Option<&AssociationFiles> {
        self.association_files.get(&host_of(host_and_port))
    }

    /// The tenant with this issuer.
    pub fn by_issuer(&self, issuer: &str) -> Option<&Arc<Tenant>> {
        self.iter().find(|tenant| tenant.issuer() == issuer)
    }

    /// All of them, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.by_path.values().chain(self.by_host.values())
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.by_path.len() + self.by_host.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// In lower case, without the port.
fn host_of(host_and_port: &str) -> String {
    let host = match host_and_port.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host_and_port,
    };
    host.to_ascii_lowercase()
}

/// Host and optional path segment of an issuer.
fn parse_issuer(issuer: &str) -> Option<(String, Option<String>)> {
    let url = Url::parse(issuer).ok()?;
    let clean = url.scheme() == "https"
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && !issuer.ends_with('/')
        // One spelling only: no escapes, no dot segments, no default port.
        && url.as_str().trim_end_matches('/') == issuer;
    let host = url.host_str()?.to_ascii_lowercase();
    let path = url.path().trim_start_matches('/');
    let segment_fits = path.len() <= MAX_PATH_BYTES
        && path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    match (clean && segment_fits, path) {
        (false, _) => None,
        (true, "") => Some((host, None)),
        (true, path) => Some((host, Some(path.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_of_both_forms_are_read() {
        assert_eq!(parse_issuer("https://idp.example"), Some(("idp.example".into(), None)));
        assert_eq!(
            parse_issuer("https://idp.example:8443/109900019"),
            Some(("idp.example".into(), Some("109900019".into())))
        );
    }

    #[test]
    fn other_forms_are_refused() {
        for issuer in [
            "http://idp.example",
            "https://idp.example/",
            "https://idp.example/a/",
            "https://idp.example/a/b",
            "https://idp.example?x=1",
            "https://idp.example#x",
            "https://u@idp.example",
            "https://idp.example/%2e",
            "idp.example",
            "",
        ] {
            assert_eq!(parse_issuer(issuer), None, "{issuer}");
        }
    }
}
