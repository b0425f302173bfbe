//! What does not start, and what it says then: each sentence names what to do.

use std::fs;

use crate::site::{PIN, Site, TOKEN};

/// Refused, with these words.
fn refused(site: &Site, words: &[&str], expected: &[&str]) {
    let said = site.refused(words);
    for words in expected {
        assert!(said.contains(words), "expected {words:?} in: {said}");
    }
}

const CHECK: &[&str] = &["--check"];
const COLD: &[&str] = &["root", "cold-start"];

#[test]
fn what_is_wrong_with_module_manifest_or_exchange_is_told_before_anybody_is_waited_for() {
    let Some(site) = Site::new() else { return };
    let checked = site.done(CHECK);
    assert!(checked.contains("valid, 1 tenant(s), platform vtpm-dev"), "{checked}");
    assert!(checked.contains("Not tried, because it needs keys"), "{checked}");

    fs::write(site.at("pin"), "314159\n").unwrap();
    refused(
        &site,
        CHECK,
        &["vault.hsm", "[hsm.pin_wrong]", "Correct vault.hsm.pin_file"],
    );
    fs::write(site.at("pin"), "12").unwrap();
    refused(&site, CHECK, &["vault.hsm.pin_file", "4 to"]);
    fs::write(site.at("pin"), format!("{PIN}\n")).unwrap();

    site.configure(&format!("token = \"{TOKEN}\" => token = \"other\""));
    refused(&site, CHECK, &["[hsm.gone]", "vault.hsm.token"]);
    let tokens = site.at("tokens").display().to_string();
    site.configure(&format!("library_writes = [\"{tokens}\"] => library_writes = []"));
    refused(&site, CHECK, &["[hsm.", "library_writes"]);
    let module = site.module().display().to_string();
    site.configure(&format!("{module} => {module}.not"));
    refused(&site, CHECK, &["vault.hsm.module", "[hsm.module]"]);
    let exchange = site.at("exchange").display().to_string();
    site.configure(&format!("exchange = \"{exchange}\" => exchange = \"{exchange}-not\""));
    refused(
        &site,
        CHECK,
        &["vault.exchange", "must be a directory this user can write"],
    );
    site.configure("lock = \"quorum+hsm\" => lock = \"quorum+hsm\"\u{b}seed = \"s\"");
    refused(&site, CHECK, &["vault.seed", "take it out"]);
    site.configure("[evidence] => [evidence]\u{b}interval_seconds = 9");
    refused(&site, CHECK, &["evidence.interval_seconds", "60 to 3600"]);

    let tpm = site.at("tpm").display().to_string();
    site.configure(&format!("tpm_emulator = \"{tpm}\" => # no emulator"));
    let said = site.refused(CHECK);
    assert!(
        said.contains("/dev/attestation") && said.contains("/sys/kernel/config/tsm/report") && said.contains("/dev/tpmrm0")
            // A machine that has one answers in its own way.
            || said.contains("[produce.")
            || said.contains("admi"),
        "{said}"
    );
    site.configure("");

    refused(&site, COLD, &["vault.wrapped_half", "hsm-half"]);
    site.decide(2, |manifest| {
        manifest.valid_until = manifest.valid_from.plus_seconds(86_400);
    });
    refused(&site, CHECK, &["evidence.manifests", "Bring the manifest in force"]);
    fs::remove_file(site.at("manifests/in-force.json")).unwrap();
    refused(&site, CHECK, &["evidence.manifests", "in-force.json"]);
}

#[test]
fn an_instance_nobody_has_approved_says_what_it_measures_and_gets_nothing() {
    let Some(site) = Site::new() else { return };
    site.decide(2, |manifest| {
        let other = evidence::platform::Measurement::Tpm {
            pcrs: (0..10).map(|number| (number, [1; 32])).collect(),
        };
        manifest.measurements[0].measurement = (&other).into();
    });
    let cards = site.at("cards").display().to_string();
    for words in [CHECK, &["root", "genesis", "--cards", &cards], &[]] {
        refused(
            &site,
            words,
            &[
                "does not admit this instance",
                "[admission.measurement_not_listed]",
                "vtpm-dev",
                "on machine",
            ],
        );
    }
    assert!(!site.at("exchange/genesis").exists());
    site.decide(3, |manifest| manifest.sites[0].machines.clear());
    refused(&site, CHECK, &["[admission.machine_not_listed]"]);
    site.decide(4, |manifest| {
        manifest.measurements[0].roles = vec![evidence::manifest::InstanceRole::Serve];
    });
    site.done(CHECK);
    refused(
        &site,
        &["root", "genesis", "--cards", &cards],
        &["as root", "[admission.role_not_allowed]"],
    );
}

#[test]
fn shares_that_are_too_few_or_foreign_open_nothing_and_the_ceremony_goes_on() {
    let Some(site) = Site::new() else { return };
    drop(site.genesis());
    // The insurer and the operator are two, and no auditor is among them.
    let mut root = site.cold_start("cold", &[1, 2]);
    let folder = site.newest("cold-start-");
    let accepted = |log: &str| log.matches("share_accepted").count();
    while accepted(&root.says("share_accepted")) < 2 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    fs::write(folder.join("nonsense.posted.json"), "{}").unwrap();
    root.says("exchange.malformed");
    // A share for another attempt is of no use to this one.
    let other = site.start("other", COLD);
    let mut elsewhere = site.newest("cold-start-");
    while elsewhere == folder {
        elsewhere = site.newest("cold-start-");
    }
    site.post(0, &elsewhere);
    fs::copy(
        elsewhere.join("auditor.posted.json"),
        folder.join("auditor.posted.json"),
    )
    .unwrap();
    let log = root.says("ceremony.not_opened");
    assert!(!log.contains("root_opened"));
    assert!(!log.contains("ceremony_done"));
    drop(other);
    site.post(0, &folder);
    root.says("giving_keys");
}

#[test]
fn a_half_of_another_namespace_or_a_genesis_that_is_none_is_refused_before_holders_come() {
    let Some(site) = Site::new() else { return };
    drop(site.genesis());
    let half = site.at("exchange/genesis/hsm-half");
    let genuine = fs::read(&half).unwrap();
    let mut changed = genuine.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&half, &changed).unwrap();
    refused(&site, COLD, &["[hsm.not_unwrapped]", "this site's file"]);
    fs::write(&half, &genuine).unwrap();
    // A genesis of other people's, or one that was changed.
    let transcript = site.at("exchange/genesis/transcript");
    let lines = fs::read_to_string(&transcript).unwrap();
    let without_the_first: String = lines.lines().skip(1).map(|line| format!("{line}\n")).collect();
    fs::write(&transcript, without_the_first).unwrap();
    refused(&site, COLD, &["transcript"]);
    fs::write(&transcript, lines).unwrap();
    fs::write(site.at("exchange/genesis/offer.json"), "{}").unwrap();
    refused(&site, COLD, &["offer.json", "not a file of this ceremony"]);
    let cards = site.at("cards").display().to_string();
    refused(
        &site,
        &["root", "genesis", "--cards", &cards],
        &["exchange", "genesis", "exists"],
    );
}
