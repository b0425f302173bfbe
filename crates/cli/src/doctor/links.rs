//! `healthid doctor links`: why a phone opened the browser instead of the insurer's app.
//!
//! Sees what the phone's maker sees: the files of the host. Does not see what only the app's maker sees: manifest, entitlement, and what the phone
//! remembers; those are told as facts.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use authenticator::app_links::AppleAppId;
use clap::Args;
use transport::{AddressRule, HttpClient};

use crate::trust::Trust;

mod address;
mod android;
mod apple;
mod file;
mod finding;
#[cfg(test)]
mod tests;
mod way_back;

use address::Address;
use android::WantedApp;
use file::{Clients, Fetched, System};
use finding::{Finding, Weight};

/// Say why a phone opened the browser instead of the app: files, certificate, paths, way back.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: healthid doctor links 'https://idp.insurer.example/auth?client_id=...&request_uri=...' --android de.insurer.app --ios ABCDE12345.de.insurer.app"
)]
pub(crate) struct Options {
    /// The authorization address that opened the browser, best with its query: the service's way back is found by its client_id.
    url: String,
    /// The Android app that should have opened, and the SHA-256 of the certificate it is signed with; several are fine.
    #[arg(long, value_name = "PACKAGE[:FINGERPRINT]")]
    android: Vec<WantedApp>,
    /// The iOS app that should have opened: prefix and bundle identifier; several are fine.
    #[arg(long, value_name = "APPID", value_parser = AppleAppId::parse)]
    ios: Vec<AppleAppId>,
    /// An address the service is answered at (redirect_uri), instead of those in its entity statement.
    #[arg(long = "return", value_name = "URL")]
    way_back: Vec<String>,
    #[command(flatten)]
    trust: Trust,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let believed = options.trust.decide().await?;
    let clients = Clients {
        believing: believed.client,
        public: HttpClient::builder(&believed.public, AddressRule::Unrestricted).build()?,
    };
    let address = Address::parse(&options.url)?;
    let findings = examine(&clients, &address, &options).await;
    let mut output = std::io::stdout().lock();
    for finding in &findings {
        writeln!(output, "{finding}").context("standard output")?;
    }
    match findings
        .iter()
        .filter(|finding| finding.weight == Weight::Defect)
        .count()
    {
        0 => Ok(()),
        1 => bail!("1 defect"),
        many => bail!("{many} defects"),
    }
}

/// Everything that can be seen from here, in the order a phone meets it.
async fn examine(clients: &Clients, address: &Address, options: &Options) -> Vec<Finding> {
    let mut findings = address.findings("the address");
    for system in System::ALL {
        // Who asks about one system's app does not want to hear about the other's.
        let (asked, other) = match system {
            System::Android => (options.android.is_empty(), options.ios.is_empty()),
            System::Apple => (options.ios.is_empty(), options.android.is_empty()),
        };
        if asked && !other {
            continue;
        }
        match clients.fetch(address, system, &mut findings).await {
            Fetched::File(file) => findings.extend(match system {
                System::Android => android::judge(&file, &options.android, address),
                System::Apple => apple::judge(&file, &options.ios, address),
            }),
            Fetched::Missing => findings.push(file::missing(system, address)),
            Fetched::Refused => {}
        }
    }
    findings.extend(way_back::findings(clients, address, &options.way_back).await);
    findings.extend(facts(address));
    findings
}

/// What this tool cannot see, and everybody should know.
fn facts(address: &Address) -> [Finding; 3] {
    [
        Finding::note(
            "fact.android",
            "Android verifies a host when the app is installed or updated, and remembers the outcome: after a repair install the app anew. \
             `adb shell pm get-app-links PACKAGE` tells what a phone remembers; a person can switch links off in the app's settings",
        ),
        Finding::note(
            "fact.ios",
            "an iPhone asks Apple's network, not the host; Apple's copy may be a day old, and a phone asks when the app is installed and \
             about once a week. A long press on the link offers the app again after somebody chose the browser",
        ),
        Finding::note(
            "fact.same-host",
            format!(
                "on iOS a link opened from a page of {host} itself stays in the browser: the page that leads to the app has to be on another host than {host}. \
                 An address typed or pasted stays there, too",
                host = finding::shown(address.host())
            ),
        ),
    ]
}
