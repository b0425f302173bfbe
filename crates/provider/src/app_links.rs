//! The two files by which phones open an insurer's app instead of the browser (A_22659, A_22660; gematik digest 5.1).
//!
//! They stand at the root of every host that a tenant's pages live on. Tenants on one host share its files; each app keeps to the paths of its own
//! insurers, as far as its system knows paths ([`authenticator::app_links`]).

use std::collections::HashMap;

use authenticator::app_links::{
    self,
    publish::{self, LinkPath, LinkedPaths},
};
use axum::{
    body::Bytes,
    http::header,
    response::{IntoResponse, Response},
};
use url::Url;

use crate::tenant::{TenantError, TenantSettings};

/// How long anybody may keep a file, in seconds. Apple's network and Google's keep it longer on their own account.
const CACHED: &str = "public, max-age=3600";

/// The files of one host.
#[derive(Debug, Default)]
pub(crate) struct AssociationFiles {
    android: Option<Bytes>,
    apple: Option<Bytes>,
}

/// Whose links a file is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum System {
    /// Android.
    Android,
    /// iOS.
    Apple,
}

impl System {
    /// Where its phones look.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Android => app_links::ANDROID_PATH,
            Self::Apple => app_links::APPLE_PATH,
        }
    }
}

/// The files of every host that a tenant with an app has its pages on, by host in lower case.
pub(crate) fn by_host<'a>(
    tenants: impl Iterator<Item = &'a TenantSettings>,
) -> Result<HashMap<String, AssociationFiles>, TenantError> {
    let mut hosts: HashMap<String, Vec<LinkedPaths<'a>>> = HashMap::new();
    for tenant in tenants.filter(|tenant| !tenant.apps.is_empty()) {
        let issuer = || tenant.issuer.clone();
        tenant.apps.check().map_err(|reason| TenantError::Apps {
            issuer: issuer(),
            reason,
        })?;
        let base = || TenantError::Base {
            member: "browser_base",
            issuer: issuer(),
        };
        let pages = Url::parse(&tenant.browser_base).map_err(|_| base())?;
        let host = pages.host_str().ok_or_else(base)?.to_ascii_lowercase();
        let paths = paths(tenant, &pages).map_err(|reason| TenantError::AppLinks {
            host: host.clone(),
            reason,
        })?;
        let apps = &tenant.apps;
        hosts.entry(host).or_default().push(LinkedPaths { apps, paths });
    }
    let files = hosts.into_iter().map(|(host, linked)| {
        let refused = |reason| TenantError::AppLinks {
            host: host.clone(),
            reason,
        };
        let files = AssociationFiles {
            android: publish::asset_links(&linked).map_err(refused)?.map(Bytes::from),
            apple: publish::site_association(&linked).map_err(refused)?.map(Bytes::from),
        };
        Ok((host, files))
    });
    files.collect()
}

/// Where the apps open: the authorization endpoint, and the addresses by which the insurer's pages lead to the authenticator, if they are on the same
/// host: the web wallet's, for whoever scans a code with a phone that has the app, and the one configured.
fn paths(tenant: &TenantSettings, pages: &Url) -> Result<Vec<LinkPath>, publish::PublishError> {
    let base = pages.path().trim_end_matches('/');
    let mut paths = vec![LinkPath::parse(&format!("{base}/auth"))?];
    if tenant.wallet.is_some() {
        paths.push(LinkPath::parse(&format!("{base}/wallet/"))?);
    }
    let authenticator = tenant.authenticator_url.as_deref().map(Url::parse);
    if let Some(Ok(authenticator)) = authenticator
        && authenticator.host_str() == pages.host_str()
    {
        paths.push(LinkPath::parse(authenticator.path())?);
    }
    Ok(paths)
}

impl AssociationFiles {
    /// The file, as phones want it: JSON, no redirect.
    pub(crate) fn answer(&self, system: System) -> Option<Response> {
        let file = match system {
            System::Android => &self.android,
            System::Apple => &self.apple,
        };
        let headers = [
            (header::CONTENT_TYPE, app_links::MEDIA_TYPE),
            (header::CACHE_CONTROL, CACHED),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        Some((headers, file.clone()?).into_response())
    }
}
