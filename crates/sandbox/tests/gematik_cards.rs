//! The cards gematik's test PKI publishes, through a whole login: every valid one is let in, every invalid one refused for its own reason.
//!
//! The files are no part of this repository (`../shared/testdata/egk`); without them the tests say that they skip.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod common;

use std::path::PathBuf;

use authenticator::health_card::RevokedCard;
use common::{options, run};
use sandbox::cards::{CardFile, ForeignCards, P12_PASSWORD};
use sandbox::headless::{Decision, Headless, HeadlessError, Means};
use sandbox::insurers::Insurer;
use sandbox::services::Service;
use sandbox::{Sandbox, SandboxOptions};
use wallet::flow::FlowError;
use wallet::phone::PhoneError;

const VALID: [(&str, &str); 3] = [
    ("80276883110000161754-C_CH_AUT_E256", "X110675903"),
    ("80276883110000129089-2-C_CH_AUT_E256", "X110506918"),
    ("109500969_X114428530-2_c.ch.aut-ecc", "X114428530"),
];
const INVALID: [(&str, &str); 8] = [
    ("egk-idp-idnumber-a-expired-ecc", "expired"),
    ("egk-idp-idnumber-a-invalid-issuer-53-ecc", "authority"),
    ("versicherter-idp-invalidSignature-ecc-2", "signature"),
    ("egk-idp-profid-null-ecc-2", "admission"),
    ("egk-idp-profid-invoid1-ecc-2", "1.2.276.0.76.4.49"),
    ("egk-idp-idnum-null-ecc-2", "KVNR"),
    ("egk-idp-idnum-invalididnum-ecc-2", "KVNR"),
    ("egk-idp-idnumber-a-revoked-ecc-2", "revoked"),
];

fn file(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/testdata/egk")).join(name);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        println!(
            "SKIPPED: gematik's test card {name} is absent (expected at {})",
            path.display()
        );
    }
    bytes
}

fn cards() -> Option<ForeignCards> {
    let named = |folder: &'static str, name: &str| {
        Some(CardFile {
            label: format!("{name}.p12"),
            bytes: file(&format!("{folder}/{name}.p12"))?,
            password: P12_PASSWORD.to_owned(),
        })
    };
    let valid = VALID.iter().map(|(name, _)| named("valid", name));
    let invalid = INVALID.iter().map(|(name, _)| named("invalid", name));
    Some(ForeignCards {
        authorities: vec![file("ca/GEM.EGK-CA51_TEST-ONLY.der")?],
        // gematik answers for this card by OCSP only, so the refusal has to be configured.
        revoked: vec![RevokedCard {
            issuer: "GEM.EGK-CA51 TEST-ONLY".into(),
            serial: "033EF550AA6817".into(),
        }],
        files: valid.chain(invalid).collect::<Option<_>>()?,
    })
}

#[test]
fn every_published_card_is_let_in_or_refused_as_its_name_says() {
    let Some(foreign_cards) = cards() else {
        return;
    };
    run(async {
        let options = SandboxOptions {
            foreign_cards,
            ..options()
        };
        let running = Sandbox::start(options).await.unwrap();
        let headless = Headless::with(&running).unwrap();
        let login_options = Headless::options(Service::Prescription, None);
        let log_in = async |name: &str| {
            let word = name.to_ascii_lowercase().replace(['_', '.'], "-");
            let means = Means::Person {
                word: &word,
                pin: "123456",
            };
            let (service, decision) = (Service::Prescription, Decision::ApproveAll);
            headless
                .log_in(service, Insurer::Leuchtturm, &login_options, means, &decision)
                .await
        };
        for (name, kvnr) in VALID {
            let login = log_in(name).await.unwrap();
            assert_eq!(login.token.text_claim("urn:telematik:claims:id"), Some(kvnr), "{name}");
        }
        for (name, reason) in INVALID {
            let refused = log_in(name).await.unwrap_err();
            let HeadlessError::Phone(PhoneError::Flow(FlowError::Refused { description, .. })) = &refused else {
                panic!("{name}: {refused}");
            };
            assert!(description.contains(reason), "{name}: {description}");
        }
        running.stop().await;
    });
}
