//! The files that name the apps of a host, as somebody else's server sends them; the first byte says which.

#![no_main]

use authenticator::app_links::asset_links::{AssetLinks, MAX_FINGERPRINTS, MAX_STATEMENTS};
use authenticator::app_links::component::{Address, Verdict, judge};
use authenticator::app_links::site_association::{MAX_DETAILS, SiteAssociation};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let address = Address {
        path: "/109900019/auth",
        query: "client_id=https%3A%2F%2Fservice.example&request_uri=urn%3Aa",
        fragment: "",
    };
    match data.split_first() {
        Some((b'a', file)) => {
            let Ok(links) = AssetLinks::parse(file) else {
                return;
            };
            assert!(links.apps.len() + links.others <= MAX_STATEMENTS);
            for app in &links.apps {
                assert!(app.fingerprints.len() + app.unreadable_fingerprints <= MAX_FINGERPRINTS);
                assert!(links.of(&app.package).next().is_some());
                let _ = app.rules.as_ref().map(|rules| judge(rules, address));
            }
        }
        Some((_, file)) => {
            let Ok(links) = SiteAssociation::parse(file) else {
                return;
            };
            assert!(links.details.len() <= MAX_DETAILS);
            for app_id in links.app_ids() {
                assert!(links.judge(app_id, address).is_some());
            }
            let named = links.app_ids().any(|app_id| app_id == "ABCDE12345.de.example.app");
            let verdict: Option<Verdict> = links.judge("ABCDE12345.de.example.app", address);
            assert_eq!(verdict.is_some(), named);
        }
        None => {}
    }
});
