//! Every key rolls over while people log in, and no login fails.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::{run, sandbox};
use sandbox::headless::Headless;
use sandbox::rehearsal::{Rehearsal, RehearsalError};
use sandbox::rollover::RolloverKey;

fn rehearsal(key: RolloverKey, of: &str) -> Rehearsal {
    Rehearsal {
        key,
        of: of.to_owned(),
        workers: 2,
        logins_per_step: 4,
    }
}

#[test]
fn no_key_of_anybody_rolls_over_at_the_cost_of_a_login() {
    run(async {
        for (key, of) in [
            (RolloverKey::Entity, "leuchtturm"),
            (RolloverKey::Token, "kleeblatt"),
            (RolloverKey::Tls, "provider"),
            (RolloverKey::ServiceCertificate, "record"),
            (RolloverKey::ServiceEncryption, "prescription"),
        ] {
            let headless = Arc::new(Headless::with(sandbox()).unwrap());
            let report = rehearsal(key, of).hold(headless, true, |_, _| {}).await.unwrap();
            assert_eq!(report.failed, 0, "{key:?}: {:?}", report.reasons);
            assert_eq!(report.steps.len(), 3);
            assert!(report.succeeded >= 16);
        }
    });
}

#[test]
fn another_process_rehearses_with_the_keys_in_the_data_directory() {
    run(async {
        for (key, of) in [
            (RolloverKey::ServiceCertificate, "prescription"),
            (RolloverKey::Token, "leuchtturm"),
        ] {
            let headless = Arc::new(Headless::at(sandbox().description().clone()).unwrap());
            let report = rehearsal(key, of).hold(headless, false, |_, _| {}).await.unwrap();
            assert_eq!(report.failed, 0, "{key:?}: {:?}", report.reasons);
        }
    });
}

#[test]
fn a_key_nobody_has_cannot_be_rolled_over() {
    run(async {
        for (key, of) in [
            (RolloverKey::Entity, "record"),
            (RolloverKey::ServiceCertificate, "leuchtturm"),
        ] {
            let headless = Arc::new(Headless::with(sandbox()).unwrap());
            let refused = rehearsal(key, of).hold(headless, true, |_, _| {}).await;
            assert!(matches!(refused, Err(RehearsalError::Step { step: "publish", .. })));
        }
    });
}
