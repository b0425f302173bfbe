//! Reading `assetlinks.json` (Digital Asset Links, "statement list").

use jose::json::{self, JsonError, Limits};
use serde_json::{Map, Value};

use super::component::{self, Component};
use super::{Fingerprint, HANDLE_ALL_URLS, MAX_ANDROID_BYTES};

/// Most statements that are read.
pub const MAX_STATEMENTS: usize = 4096;
/// Most fingerprints that are read of one statement.
pub const MAX_FINGERPRINTS: usize = 256;

const LIMITS: Limits = Limits {
    bytes: MAX_ANDROID_BYTES,
    depth: 16,
};

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetLinks {
    /// Its statements about Android apps, in order.
    pub apps: Vec<LinkedApp>,
    /// Statements about anything else: web sites, other files.
    pub others: usize,
}

/// A statement about an Android app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedApp {
    /// Its application ID, as it stands there.
    pub package: String,
    /// Whether the app may open links of this host.
    pub handles_urls: bool,
    /// Certificates.
    pub fingerprints: Vec<Fingerprint>,
    /// How many more stand there that are no SHA-256 fingerprints with colons.
    pub unreadable_fingerprints: usize,
    /// Rules for Android 15 and later; `None` where the app's manifest alone decides.
    pub rules: Option<Vec<Component>>,
}

/// Why a phone cannot read the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssetLinksError {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// An object, mostly.
    #[error("the document has to be an array of statements")]
    NotAnArray,
    /// Too long a list.
    #[error("more than {MAX_STATEMENTS} statements")]
    TooMany,
    /// A statement is not as the format wants it; then Android reads none.
    #[error("statement {number}: {malformed}")]
    Statement {
        /// Counted from one.
        number: usize,
        /// What, with the member.
        malformed: &'static str,
    },
}

impl AssetLinksError {
    /// A stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "json",
            Self::NotAnArray => "not-an-array",
            Self::TooMany => "too-many",
            Self::Statement { .. } => "statement",
        }
    }
}

impl AssetLinks {
    /// Reads the file.
    ///
    /// # Errors
    /// [`AssetLinksError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, AssetLinksError> {
        let document = json::parse(bytes, &LIMITS)?;
        let list = document.as_array().ok_or(AssetLinksError::NotAnArray)?;
        if list.len() > MAX_STATEMENTS {
            return Err(AssetLinksError::TooMany);
        }
        let mut links = Self {
            apps: Vec::new(),
            others: 0,
        };
        for (at, value) in list.iter().enumerate() {
            let read = statement(value).map_err(|malformed| AssetLinksError::Statement {
                number: at + 1,
                malformed,
            })?;
            match read {
                Some(app) => links.apps.push(app),
                None => links.others += 1,
            }
        }
        Ok(links)
    }

    /// The statements about a package, in order.
    pub fn of<'a>(&'a self, package: &'a str) -> impl Iterator<Item = &'a LinkedApp> {
        self.apps.iter().filter(move |app| app.package == package)
    }
}

fn statement(value: &Value) -> Result<Option<LinkedApp>, &'static str> {
    let statement = value.as_object().ok_or("has to be an object")?;
    if statement.contains_key("include") {
        return Ok(None);
    }
    let relations = statement
        .get("relation")
        .and_then(Value::as_array)
        .ok_or("relation has to be an array of strings")?;
    if !relations.iter().all(Value::is_string) {
        return Err("relation has to be an array of strings");
    }
    let target = statement
        .get("target")
        .and_then(Value::as_object)
        .ok_or("target has to be an object")?;
    match target.get("namespace").and_then(Value::as_str) {
        None => return Err("target.namespace has to be a string"),
        Some("android_app") => {}
        Some(_) => return Ok(None),
    }
    let (fingerprints, unreadable_fingerprints) = fingerprints(target)?;
    Ok(Some(LinkedApp {
        package: target
            .get("package_name")
            .and_then(Value::as_str)
            .ok_or("target.package_name has to be a string")?
            .to_owned(),
        handles_urls: relations.iter().any(|relation| relation == HANDLE_ALL_URLS),
        fingerprints,
        unreadable_fingerprints,
        rules: rules(statement)?,
    }))
}

fn fingerprints(target: &Map<String, Value>) -> Result<(Vec<Fingerprint>, usize), &'static str> {
    let malformed = "target.sha256_cert_fingerprints has to be an array of strings";
    let list = target
        .get("sha256_cert_fingerprints")
        .and_then(Value::as_array)
        .ok_or(malformed)?;
    if list.len() > MAX_FINGERPRINTS {
        return Err("target.sha256_cert_fingerprints has too many entries");
    }
    let mut read = Vec::new();
    for entry in list {
        if let Ok(fingerprint) = Fingerprint::parse(entry.as_str().ok_or(malformed)?) {
            read.push(fingerprint);
        }
    }
    let unreadable = list.len() - read.len();
    Ok((read, unreadable))
}

fn rules(statement: &Map<String, Value>) -> Result<Option<Vec<Component>>, &'static str> {
    statement
        .get("relation_extensions")
        .and_then(|extensions| extensions.get(HANDLE_ALL_URLS))
        .and_then(|extension| extension.get("dynamic_app_link_components"))
        .map(component::read_list)
        .transpose()
}
