//! What `apple-app-site-association` says of an app and an address.

use authenticator::app_links::AppleAppId;
use authenticator::app_links::component::Verdict;
use authenticator::app_links::site_association::SiteAssociation;

use super::address::Address;
use super::finding::{Finding, list, shown};

/// Looks for these apps; for any where none is named.
pub(super) fn judge(file: &[u8], wanted: &[AppleAppId], address: &Address) -> Vec<Finding> {
    let links = match SiteAssociation::parse(file) {
        Ok(links) => links,
        Err(error) => {
            return vec![Finding::defect(
                "ios.form",
                "an object with applinks.details, an array",
                format!("{error} ({})", error.code()),
                "repair the file, or let the provider serve it",
            )];
        }
    };
    if !wanted.is_empty() {
        return wanted
            .iter()
            .map(|app_id| one(&links, app_id.as_str(), address))
            .collect();
    }
    let mut ids: Vec<&str> = links.app_ids().collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return vec![Finding::defect(
            "ios.no-app",
            "an app in applinks.details",
            "none",
            "name the app by prefix and bundle identifier",
        )];
    }
    let findings: Vec<Finding> = ids.iter().map(|id| one(&links, id, address)).collect();
    // On a shared host each app covers its own insurer; one that covers this address is enough.
    let opens = |finding: &&Finding| finding.code != "ios.path";
    if findings.iter().any(|finding| opens(&finding)) {
        return findings.into_iter().filter(|finding| opens(&finding)).collect();
    }
    findings
}

fn one(links: &SiteAssociation, app_id: &str, address: &Address) -> Finding {
    let path = address.parts().path;
    match links.judge(app_id, address.parts()) {
        None => Finding::defect(
            "ios.app-id",
            format!("{app_id} among the appIDs"),
            list(links.app_ids()),
            "name the app by its application identifier: the prefix is not always the team's, and the bundle identifier has capital letters where the build has them",
        ),
        Some(Verdict::Opens) => Finding::good("", format!("iOS: {} opens {path}", shown(app_id))),
        Some(Verdict::Unclear) => Finding::note(
            "ios.unclear",
            format!(
                "{} stands there without components, or with variables that only a phone can fill in",
                shown(app_id)
            ),
        ),
        Some(verdict) => Finding::defect(
            "ios.path",
            format!("components of {} that cover {path}", shown(app_id)),
            match verdict {
                Verdict::Excluded => "a component excludes it",
                _ => "no component matches it",
            },
            "add the path of the authorization endpoint, before what excludes it; patterns are case-sensitive",
        ),
    }
}
