//! What `assetlinks.json` says of an app and an address.

use authenticator::app_links::asset_links::{AssetLinks, LinkedApp};
use authenticator::app_links::component::{self, Verdict};
use authenticator::app_links::{Fingerprint, HANDLE_ALL_URLS, PackageName};

use super::address::Address;
use super::finding::{Finding, list};

/// An app that is looked for, as typed: `PACKAGE[:FINGERPRINT]`.
#[derive(Debug, Clone)]
pub(crate) struct WantedApp {
    package: PackageName,
    fingerprint: Option<Fingerprint>,
}

impl std::str::FromStr for WantedApp {
    type Err = authenticator::app_links::AppsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (package, fingerprint) = match text.split_once(':') {
            Some((package, fingerprint)) => (package, Some(Fingerprint::parse(fingerprint)?)),
            None => (text, None),
        };
        Ok(Self {
            package: PackageName::parse(package)?,
            fingerprint,
        })
    }
}

/// Looks for these apps; for any where none is named.
pub(super) fn judge(file: &[u8], wanted: &[WantedApp], address: &Address) -> Vec<Finding> {
    let links = match AssetLinks::parse(file) {
        Ok(links) => links,
        Err(error) => {
            return vec![Finding::defect(
                "android.form",
                "a list of statements (Digital Asset Links); of a list with one that is malformed Android takes none",
                format!("{error} ({})", error.code()),
                "repair the file, or let the provider serve it",
            )];
        }
    };
    if wanted.is_empty() {
        return any(&links, address);
    }
    wanted.iter().flat_map(|wanted| one(&links, wanted, address)).collect()
}

/// Whether anybody's app opens it.
fn any(links: &AssetLinks, address: &Address) -> Vec<Finding> {
    let openers: Vec<&LinkedApp> = links.apps.iter().filter(|app| app.handles_urls).collect();
    if openers.is_empty() {
        return vec![Finding::defect(
            "android.no-app",
            format!("an app with the relation {HANDLE_ALL_URLS}"),
            format!(
                "apps: {}; statements about others: {}",
                list(links.apps.iter().map(|app| app.package.as_str())),
                links.others
            ),
            "name the app, with this relation",
        )];
    }
    openers
        .into_iter()
        .flat_map(|app| certificates(app, None).into_iter().chain(rules(app, address)))
        .collect()
}

fn one(links: &AssetLinks, wanted: &WantedApp, address: &Address) -> Vec<Finding> {
    let package = wanted.package.as_str();
    let statements: Vec<&LinkedApp> = links.of(package).collect();
    if statements.is_empty() {
        return vec![Finding::defect(
            "android.package",
            format!("a statement about {package}"),
            format!("packages: {}", list(links.apps.iter().map(|app| app.package.as_str()))),
            "name the app's application ID exactly as its build has it, suffixes such as .debug and capital letters included",
        )];
    }
    let Some(app) = statements.iter().find(|app| app.handles_urls) else {
        return vec![Finding::defect(
            "android.relation",
            format!("{package} with the relation {HANDLE_ALL_URLS}"),
            "other relations only",
            "add the relation: without it the statement is about something else than links",
        )];
    };
    let mut findings = certificates(app, wanted.fingerprint.as_ref());
    findings.extend(rules(app, address));
    findings
}

fn certificates(app: &LinkedApp, wanted: Option<&Fingerprint>) -> Vec<Finding> {
    let package = list([app.package.as_str()]);
    let mut findings = Vec::new();
    if app.unreadable_fingerprints > 0 {
        findings.push(Finding::defect(
            "android.fingerprint-form",
            format!("SHA-256 fingerprints of {package}: 32 pairs of digits with colons"),
            format!("{} entries of another form", app.unreadable_fingerprints),
            "take SHA-256, not SHA-1, and keep the colons",
        ));
    }
    match wanted {
        Some(wanted) if !app.fingerprints.contains(wanted) => {
            let found: Vec<String> = app.fingerprints.iter().map(ToString::to_string).collect();
            findings.push(Finding::defect(
                "android.fingerprint",
                format!("{package} signed with {wanted}"),
                list(found.iter().map(String::as_str)),
                "with Play App Signing take the fingerprint of Google's key from the Play Console, not that of your upload key; \
                 the phone tells it with `adb shell pm get-app-links`",
            ));
        }
        None if app.fingerprints.is_empty() => findings.push(Finding::defect(
            "android.no-fingerprint",
            format!("the certificate of {package}"),
            "none",
            "add the SHA-256 of the certificate the app is signed with",
        )),
        Some(_) => findings.push(Finding::good(
            "",
            format!("Android: {package} is named, with this certificate"),
        )),
        None => findings.push(Finding::good(
            "",
            format!(
                "Android: {package} is named, with {} certificate(s)",
                app.fingerprints.len()
            ),
        )),
    }
    findings
}

fn rules(app: &LinkedApp, address: &Address) -> Option<Finding> {
    let package = list([app.package.as_str()]);
    let path = address.parts().path;
    let Some(rules) = &app.rules else {
        return Some(Finding::note(
            "android.paths",
            format!(
                "which paths {package} opens stands in its manifest alone: its intent filter has to cover {path}, with android:autoVerify=\"true\""
            ),
        ));
    };
    Some(match component::judge(rules, address.parts()) {
        Verdict::Opens => Finding::good(
            "",
            format!(
                "Android: the file's rules (from Android 15 on) let {package} open {path}; before, its manifest alone decides"
            ),
        ),
        Verdict::Unclear => Finding::note(
            "android.rules-unclear",
            format!("the rules for {package} use variables that only a phone can fill in"),
        ),
        Verdict::Excluded | Verdict::NoMatch => Finding::defect(
            "android.rules",
            format!("dynamic_app_link_components of {package} that cover {path}"),
            "from Android 15 on the rules keep this path in the browser",
            "add the path before the rule that excludes it",
        ),
    })
}
