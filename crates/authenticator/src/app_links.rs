//! Verified links: which apps may open the addresses of a host instead of the browser (A_22659 Android, A_22660 iOS; gematik digest 5.1).
//!
//! Two files at the root of the host say it. [`publish`] writes them, [`asset_links`] and [`site_association`] read them as a phone would, for
//! whoever asks why a phone opened the browser.
//!
//! | System | File | Names an app by |
//! |---|---|---|
//! | Android | `/.well-known/assetlinks.json` (Digital Asset Links) | package and SHA-256 of its signing certificates |
//! | iOS | `/.well-known/apple-app-site-association` (Associated Domains) | application identifier: prefix and bundle |
//!
//! **Trusted for:** what is published names these apps and the paths given, nothing else. **Does not:** fetch, and promise what a phone does: that
//! also depends on the app's own manifest or entitlement, which only its maker sees.
//!
//! Before Android 15 a host is given to an app as a whole: apps of several insurers on one host could each open the others' logins, and nothing in the
//! file can prevent that. An insurer with an app of its own should have a host of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

pub mod asset_links;
pub mod component;
pub mod publish;
pub mod site_association;

/// Where Android looks.
pub const ANDROID_PATH: &str = "/.well-known/assetlinks.json";
/// Where Apple's network looks for iOS.
pub const APPLE_PATH: &str = "/.well-known/apple-app-site-association";
/// Media type of both files.
pub const MEDIA_TYPE: &str = "application/json";
/// Largest file Android reads, in bytes (its own statement service).
pub const MAX_ANDROID_BYTES: usize = 1024 * 1024;
/// Largest file iOS reads, in bytes (Apple, "Supporting associated domains").
pub const MAX_APPLE_BYTES: usize = 128 * 1024;
/// The relation that lets an Android app open links.
pub const HANDLE_ALL_URLS: &str = "delegate_permission/common.handle_all_urls";

/// Longest package or bundle name, in bytes.
const MAX_NAME_BYTES: usize = 155;
/// Length of the prefix of an application identifier.
const PREFIX_BYTES: usize = 10;

/// The apps of one insurer, as its operator names them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Apps {
    /// Android apps.
    pub android: Vec<AndroidApp>,
    /// iOS apps.
    pub apple: Vec<AppleAppId>,
}

/// An Android app.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AndroidApp {
    /// Its application ID.
    pub package: PackageName,
    /// The certificates its releases are signed with; with Play App Signing the one that Google signs with.
    pub certificates: Vec<Fingerprint>,
}

/// Why a name is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppsError {
    /// Not an application ID.
    #[error(
        "'{0}' is no Android application ID: expected two or more words of letters, digits and _ that begin with a letter, with dots between them"
    )]
    Package(String),
    /// Not a SHA-256 fingerprint.
    #[error(
        "'{0}' is no SHA-256 fingerprint: expected 32 bytes as hexadecimal digits with colons, as keytool and the Play Console show them (AA:BB:…)"
    )]
    Fingerprint(String),
    /// Not an application identifier.
    #[error(
        "'{0}' is no iOS application identifier: expected a prefix of ten capital letters and digits, a dot, and the bundle identifier (ABCDE12345.de.example.app)"
    )]
    AppleAppId(String),
    /// An app without certificate could be anybody's.
    #[error("the Android app '{0}' names no certificate: every app with this package name would be believed")]
    NoCertificate(PackageName),
    /// Named twice.
    #[error("the app '{0}' is named twice")]
    Twice(String),
}

impl AppsError {
    /// A stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Package(_) => "package",
            Self::Fingerprint(_) => "fingerprint",
            Self::AppleAppId(_) => "apple-app-id",
            Self::NoCertificate(_) => "no-certificate",
            Self::Twice(_) => "twice",
        }
    }
}

impl Apps {
    /// Whether there is no app.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.android.is_empty() && self.apple.is_empty()
    }

    /// What a single name cannot tell.
    ///
    /// # Errors
    /// [`AppsError::NoCertificate`], [`AppsError::Twice`].
    pub fn check(&self) -> Result<(), AppsError> {
        for (at, app) in self.android.iter().enumerate() {
            if app.certificates.is_empty() {
                return Err(AppsError::NoCertificate(app.package.clone()));
            }
            if self.android[..at].iter().any(|other| other.package == app.package) {
                return Err(AppsError::Twice(app.package.to_string()));
            }
        }
        for (at, app) in self.apple.iter().enumerate() {
            if self.apple[..at].contains(app) {
                return Err(AppsError::Twice(app.to_string()));
            }
        }
        Ok(())
    }
}

/// An Android application ID: `de.example.app`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName(String);

impl PackageName {
    /// Reads one.
    ///
    /// # Errors
    /// [`AppsError::Package`].
    pub fn parse(text: &str) -> Result<Self, AppsError> {
        let is_word = |word: &str| {
            word.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let is_name = text.len() <= MAX_NAME_BYTES && text.contains('.') && text.split('.').all(is_word);
        is_name
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| AppsError::Package(shown(text)))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 of an app's signing certificate. Public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Reads one: pairs of hexadecimal digits with colons between them.
    ///
    /// # Errors
    /// [`AppsError::Fingerprint`].
    pub fn parse(text: &str) -> Result<Self, AppsError> {
        let refused = || AppsError::Fingerprint(shown(text));
        let mut pairs = text.split(':');
        let mut bytes = [0; 32];
        for byte in &mut bytes {
            let pair = pairs.next().ok_or_else(refused)?;
            if pair.len() != 2 || !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(refused());
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refused())?;
        }
        match pairs.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(refused()),
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if at == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

/// An iOS application identifier: `ABCDE12345.de.example.app`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppleAppId(String);

impl AppleAppId {
    /// Reads one.
    ///
    /// # Errors
    /// [`AppsError::AppleAppId`].
    pub fn parse(text: &str) -> Result<Self, AppsError> {
        let is_prefix = |prefix: &str| {
            prefix.len() == PREFIX_BYTES && prefix.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        let is_bundle = |bundle: &str| {
            bundle.len() <= MAX_NAME_BYTES
                && bundle.split('.').all(|word| {
                    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                })
        };
        match text.split_once('.') {
            Some((prefix, bundle)) if is_prefix(prefix) && is_bundle(bundle) => Ok(Self(text.to_owned())),
            _ => Err(AppsError::AppleAppId(shown(text))),
        }
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! reads_as_text {
    ($($name:ident),+) => {$(
        impl TryFrom<String> for $name {
            type Error = AppsError;
            fn try_from(text: String) -> Result<Self, AppsError> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }
    )+};
}
reads_as_text!(PackageName, Fingerprint, AppleAppId);

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for AppleAppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody else's text in an error: short, and without what a terminal would obey.
fn shown(text: &str) -> String {
    const MAX_SHOWN_CHARACTERS: usize = 120;
    text.chars()
        .take(MAX_SHOWN_CHARACTERS)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;
