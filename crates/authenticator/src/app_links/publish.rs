//! Writing both files for one host.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{AppleAppId, Apps, Fingerprint, HANDLE_ALL_URLS, MAX_ANDROID_BYTES, MAX_APPLE_BYTES, PackageName, shown};

/// A path that links lead to: without anything that a pattern would take for more than itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkPath(String);

/// What one insurer brings to a host.
#[derive(Debug, Clone)]
pub struct LinkedPaths<'a> {
    /// Its apps.
    pub apps: &'a Apps,
    /// Where they open.
    pub paths: Vec<LinkPath>,
}

/// Why a host's files cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Neither system could name this path.
    #[error("'{0}' cannot stand in a file of app links: expected a path of letters, digits and -._~/")]
    Path(String),
    /// A phone would not read the file.
    #[error("{file} would have {found} bytes, phones read at most {most}: give some insurers hosts of their own")]
    TooLarge {
        /// Which.
        file: &'static str,
        /// Its size in bytes.
        found: usize,
        /// What is read, in bytes.
        most: usize,
    },
}

impl PublishError {
    /// A stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Path(_) => "path",
            Self::TooLarge { .. } => "too-large",
        }
    }
}

impl LinkPath {
    /// Reads one: absolute, percent-encoding excluded, so that the pattern and the path are the same text.
    ///
    /// # Errors
    /// [`PublishError::Path`].
    pub fn parse(path: &str) -> Result<Self, PublishError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        (path.starts_with('/') && path.bytes().all(is_plain))
            .then(|| Self(path.to_owned()))
            .ok_or_else(|| PublishError::Path(shown(path)))
    }
}

/// `assetlinks.json` of a host; `None` where there is no Android app. One statement for each package, whoever brings it.
///
/// Android before 15 gives the host to each app as a whole. From 15 on the rules keep every app to the paths of its own insurers.
///
/// # Errors
/// [`PublishError::TooLarge`].
pub fn asset_links(host: &[LinkedPaths<'_>]) -> Result<Option<Vec<u8>>, PublishError> {
    let mut packages: BTreeMap<&PackageName, (BTreeSet<Fingerprint>, BTreeSet<&LinkPath>)> = BTreeMap::new();
    for linked in host {
        for app in &linked.apps.android {
            let (certificates, paths) = packages.entry(&app.package).or_default();
            certificates.extend(&app.certificates);
            paths.extend(&linked.paths);
        }
    }
    let statements = packages.iter().map(|(package, (certificates, paths))| {
        let mut rules = components(paths);
        rules.push(json!({ "/": "*", "exclude": true }));
        json!({
            "relation": [HANDLE_ALL_URLS],
            "target": {
                "namespace": "android_app",
                "package_name": package,
                "sha256_cert_fingerprints": certificates,
            },
            "relation_extensions": { HANDLE_ALL_URLS: { "dynamic_app_link_components": rules } },
        })
    });
    let statements: Vec<Value> = statements.collect();
    if statements.is_empty() {
        return Ok(None);
    }
    written("assetlinks.json", &Value::Array(statements), MAX_ANDROID_BYTES).map(Some)
}

/// `apple-app-site-association` of a host; `None` where there is no iOS app. One entry for each app, whoever brings it.
///
/// # Errors
/// [`PublishError::TooLarge`].
pub fn site_association(host: &[LinkedPaths<'_>]) -> Result<Option<Vec<u8>>, PublishError> {
    let mut apps: BTreeMap<&AppleAppId, BTreeSet<&LinkPath>> = BTreeMap::new();
    for linked in host {
        for app in &linked.apps.apple {
            apps.entry(app).or_default().extend(&linked.paths);
        }
    }
    let details = apps
        .iter()
        .map(|(app, paths)| json!({ "appIDs": [app], "components": components(paths) }));
    let details: Vec<Value> = details.collect();
    if details.is_empty() {
        return Ok(None);
    }
    let document = json!({ "applinks": { "details": details } });
    written("apple-app-site-association", &document, MAX_APPLE_BYTES).map(Some)
}

fn components(paths: &BTreeSet<&LinkPath>) -> Vec<Value> {
    paths.iter().map(|path| json!({ "/": path.0 })).collect()
}

fn written(file: &'static str, document: &Value, most: usize) -> Result<Vec<u8>, PublishError> {
    let bytes = document.to_string().into_bytes();
    if bytes.len() > most {
        return Err(PublishError::TooLarge {
            file,
            found: bytes.len(),
            most,
        });
    }
    Ok(bytes)
}
