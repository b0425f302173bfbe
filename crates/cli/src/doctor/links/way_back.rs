//! The link that leads back: the service's `redirect_uri`, which the insurer's app opens after the login (A_22311).

use std::collections::BTreeSet;

use federation::relying_party::MAX_REDIRECT_URIS;
use federation::statement::{self, MEDIA_TYPE};
use federation::{EntityId, EntityType, Schemes};

use super::address::Address;
use super::file::{Clients, Fetched, System};
use super::finding::{Finding, Weight, shown};
use super::{android, apple};

/// Most hosts that are asked.
const MAX_HOSTS: usize = 8;

/// Looks at every host that links lead back to.
pub(super) async fn findings(clients: &Clients, address: &Address, named: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let uris = match (named, address.parameter("client_id")) {
        ([], None) => {
            findings.push(Finding::note(
                "return.unknown",
                "the way back was not looked at: give the whole authorization address with its client_id, or --return",
            ));
            return findings;
        }
        ([], Some(client_id)) => match redirect_uris(clients, &client_id).await {
            Ok(uris) => uris,
            Err(reason) => {
                findings.push(Finding::note(
                    "return.unknown",
                    format!("the way back was not looked at: {reason}; or give --return"),
                ));
                return findings;
            }
        },
        (named, _) => named.to_vec(),
    };
    let mut hosts = BTreeSet::new();
    for uri in &uris {
        let Ok(back) = Address::parse(uri) else {
            findings.push(Finding::defect(
                "return.address",
                "a redirect_uri that is an https address",
                shown(uri),
                "have the Federation Master register an address that phones can verify",
            ));
            continue;
        };
        if hosts.len() < MAX_HOSTS && hosts.insert((back.host().to_owned(), back.parts().path.to_owned())) {
            findings.extend(one(clients, address, &back).await);
        }
    }
    findings
}

async fn one(clients: &Clients, address: &Address, back: &Address) -> Vec<Finding> {
    let mut findings = back.findings("redirect_uri");
    if back.host() == address.host() {
        findings.push(Finding::defect(
            "return.same-host",
            "the service's links on another host than the insurer's",
            format!("{} for both", shown(back.host())),
            "give the service a host of its own: apps are told apart by hosts, and on iOS a page does not open an app by a link to its own host",
        ));
    }
    let (mut files, mut seen) = (0, Vec::new());
    for system in System::ALL {
        match clients.fetch(back, system, &mut seen).await {
            Fetched::File(file) => {
                files += 1;
                seen.extend(match system {
                    System::Android => android::judge(&file, &[], back),
                    System::Apple => apple::judge(&file, &[], back),
                });
            }
            Fetched::Missing => seen.push(Finding::note(
                "return.no-file",
                format!(
                    "{} names no {} app: the way back leads to the browser, as a web service wants it, and an app does not",
                    shown(back.host()),
                    system.name()
                ),
            )),
            Fetched::Refused => {}
        }
    }
    if files == 0 && seen.iter().all(|finding| finding.weight == Weight::Note) {
        seen = vec![Finding::note(
            "return.browser",
            format!(
                "{} names no app: after the login the browser opens. Right for a web service; an app of the service would not be opened",
                shown(back.host())
            ),
        )];
    }
    findings.extend(seen.into_iter().map(|finding| of_way_back(finding, back)));
    findings
}

/// The same finding, with whose host it is about.
fn of_way_back(mut finding: Finding, back: &Address) -> Finding {
    if finding.weight == Weight::Defect {
        finding.expected = format!("way back ({}): {}", shown(back.host()), finding.expected);
    } else if finding.weight == Weight::Good {
        finding.found = format!("way back ({}): {}", shown(back.host()), finding.found);
    }
    finding
}

/// From the service's own statement, which nobody verified here: `healthid federation check` does.
async fn redirect_uris(clients: &Clients, client_id: &str) -> Result<Vec<String>, String> {
    let entity = EntityId::parse(client_id, Schemes::HttpsOnly).map_err(|error| error.to_string())?;
    let url = entity.well_known_url();
    let answer = clients.believing.get(&url, &[("accept", MEDIA_TYPE)]).await;
    let answer = answer.map_err(|error| format!("{url}: {error}"))?;
    if !answer.is_success() {
        return Err(format!("{url}: status {}", answer.status));
    }
    let parsed = statement::parse(answer.text().trim()).map_err(|error| error.to_string())?;
    let uris: Vec<String> = parsed
        .unverified_claims()
        .metadata_of(EntityType::OpenIdRelyingParty.as_str())
        .and_then(|metadata| metadata.get("redirect_uris")?.as_array())
        .into_iter()
        .flatten()
        .filter_map(|uri| uri.as_str().map(str::to_owned))
        .take(MAX_REDIRECT_URIS)
        .collect();
    if uris.is_empty() {
        return Err(format!("the statement of {entity} names no redirect_uris"));
    }
    Ok(uris)
}
