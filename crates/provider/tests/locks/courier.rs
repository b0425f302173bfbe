//! Whoever carries the files is hostile: he invents donors and newcomers, repeats answers, and asks for what is not his.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use evidence::bundle::parse_manifests;
use evidence::manifest::{Envelope, InstanceRole, Manifest};
use jose::{SoftwareKey, base64url};
use serde_json::{Value, json};
use vault::ceremony::{Event, Join, JoinRequest, SealedForward, Setup, SetupPurpose, Transcript, verify_forwards};

use crate::site::Site;

const NONCE: [u8; 32] = [9; 32];

fn manifest(site: &Site) -> Manifest {
    let manifests = parse_manifests(&fs::read(site.at("manifests/in-force.json")).unwrap()).unwrap();
    Envelope::parse(&manifests.last().unwrap().envelope).unwrap().manifest
}

fn wait_for(file: &Path) -> Vec<u8> {
    for _ in 0..1_500 {
        if let Ok(content) = fs::read(file) {
            return content;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no {}", file.display());
}

/// A donor of the courier's own, with genuine evidence of this machine over `bound`; the newcomer that asks it.
fn invite(site: &Site, setup: &Setup, bound: &[u8; 64]) -> PathBuf {
    let donor = site.at("exchange/donor-0");
    fs::create_dir_all(&donor).unwrap();
    fs::write(donor.join("offer.json"), serde_json::to_vec(setup.offer()).unwrap()).unwrap();
    fs::write(donor.join("evidence"), site.tpm_evidence(bound).to_bytes()).unwrap();
    let newcomer = site.newest_of("join-", "");
    let invitation = json!({"donor": "donor-0", "nonce": base64url::encode(&NONCE)});
    fs::write(newcomer.join("nonce.json"), invitation.to_string()).unwrap();
    newcomer
}

#[test]
fn keys_from_anybody_but_an_attested_donor_are_not_taken() {
    let Some(site) = Site::new() else { return };
    let begin = || Setup::begin(SetupPurpose::KeyForward, &manifest(&site)).unwrap();

    // An admitted machine, but the keys are signed by somebody else.
    let setup = begin();
    let mut newcomer = site.start("newcomer-1", &[]);
    let folder = invite(&site, &setup, &setup.offer().report_data());
    let asked: Value = serde_json::from_slice(&wait_for(&folder.join("request.json"))).unwrap();
    let request: JoinRequest = serde_json::from_value(asked["request"].clone()).unwrap();
    assert_eq!((request.role, request.nonce), (InstanceRole::Serve, NONCE));
    let sealed = SealedForward { sealed: vec![1; 100] };
    let signed = sealed
        .sign(&request, &SoftwareKey::generate("courier").unwrap())
        .unwrap();
    let given = json!({"sealed": sealed, "signed": signed}).to_string();
    fs::write(folder.join("forward.json"), given).unwrap();
    newcomer.says("[ceremony.not_signed]");

    // Evidence of that machine, made for something else.
    let setup = begin();
    let mut newcomer = site.start("newcomer-2", &[]);
    invite(&site, &setup, &begin().offer().report_data());
    newcomer.says("[ceremony.not_bound]");

    // A ceremony's instance, admitted and attested, that gives no keys.
    let setup = Setup::begin(SetupPurpose::ColdStart, &manifest(&site)).unwrap();
    let mut newcomer = site.start("newcomer-3", &[]);
    let folder = invite(&site, &setup, &setup.offer().report_data());
    let asked: Value = serde_json::from_slice(&wait_for(&folder.join("request.json"))).unwrap();
    let request: JoinRequest = serde_json::from_value(asked["request"].clone()).unwrap();
    let signed = sealed.sign(&request, setup.signer()).unwrap();
    let given = json!({"sealed": sealed, "signed": signed}).to_string();
    fs::write(folder.join("forward.json"), given).unwrap();
    newcomer.says("[ceremony.wrong_role]");

    // A name that leads elsewhere.
    let mut newcomer = site.start("newcomer-4", &[]);
    let folder = site.newest_of("join-", "");
    let elsewhere = json!({"donor": "../elsewhere", "nonce": base64url::encode(&NONCE)});
    fs::write(folder.join("nonce.json"), elsewhere.to_string()).unwrap();
    newcomer.says("not a file of this ceremony");
}

#[test]
fn whoever_asks_without_the_right_evidence_or_for_what_is_not_his_gets_nothing_and_is_written_down() {
    let Some(site) = Site::new() else { return };
    let mut root = site.genesis();
    let donor = site.newest("donor-");
    let donor_name = donor.file_name().unwrap().to_str().unwrap().to_owned();
    let manifest = manifest(&site);
    let mut number = 0;
    let mut ask = |role, issuer: Option<&str>, evidence: &dyn Fn(&JoinRequest) -> Vec<u8>| {
        number += 1;
        let folder = site.at(&format!("exchange/join-{number}"));
        fs::create_dir(&folder).unwrap();
        let nonce = loop {
            // It may be half written.
            if let Ok(invitation) = serde_json::from_slice::<Value>(&wait_for(&folder.join("nonce.json"))) {
                break base64url::decode_array(invitation["nonce"].as_str().unwrap()).unwrap();
            }
        };
        let join = Join::begin(&manifest.namespace, manifest.hash(), nonce, role).unwrap();
        fs::write(folder.join("evidence"), evidence(join.request())).unwrap();
        let asked = json!({"donor": donor_name, "request": join.request(), "issuer": issuer}).to_string();
        fs::write(folder.join(".part"), asked).unwrap();
        fs::rename(folder.join(".part"), folder.join("request.json")).unwrap();
        let refused: Value = serde_json::from_slice(&wait_for(&folder.join("refused.json"))).unwrap();
        assert!(!folder.join("forward.json").exists());
        refused["code"].as_str().unwrap().to_owned()
    };
    let genuine = |request: &JoinRequest| site.tpm_evidence(&request.report_data()).to_bytes();
    let issuer = site.issuer();
    let (serve, root_role) = (InstanceRole::Serve, InstanceRole::Root);
    let codes = [
        ask(serve, Some(&issuer), &|_| b"nothing".to_vec()),
        ask(serve, Some(&issuer), &|_| site.tpm_evidence(&[7; 64]).to_bytes()),
        ask(serve, Some("https://other.example"), &genuine),
        ask(root_role, Some(&issuer), &genuine),
        ask(serve, None, &genuine),
    ];
    let unknown = "exchange.tenant_unknown";
    assert_eq!(
        codes,
        ["evidence.malformed", "ceremony.not_bound", unknown, unknown, unknown]
    );
    // With another's evidence, whose key is another.
    let other = Join::begin(&manifest.namespace, manifest.hash(), NONCE, root_role).unwrap();
    let others = site.tpm_evidence(&other.request().report_data()).to_bytes();
    assert_eq!(ask(root_role, None, &|_| others.clone()), "ceremony.not_bound");

    let log = root.says("keys_refused");
    assert!(!log.contains("keys_given"), "{log}");
    let transcript = Transcript::parse(&fs::read_to_string(donor.join("transcript")).unwrap()).unwrap();
    let offer: vault::ceremony::SetupOffer =
        serde_json::from_slice(&fs::read(donor.join("offer.json")).unwrap()).unwrap();
    let told = verify_forwards(&transcript, &offer.transcript_key).unwrap();
    assert_eq!(told.len(), 6);
    assert!(
        told.iter().all(|event| matches!(event, Event::ForwardRefused { .. })),
        "{told:?}"
    );
    assert!(root.is_running());
}

/// The tool a holder has plays her part: the same files, her own checks.
#[test]
fn a_holder_with_the_command_line_serves_a_real_instance() {
    let tool = std::env::current_exe().unwrap();
    let tool = tool.ancestors().nth(2).unwrap().join("healthid");
    if !tool.exists() {
        println!(
            "SKIPPED a_holder_with_the_command_line_serves_a_real_instance: {} is not built",
            tool.display()
        );
        return;
    }
    let Some(site) = Site::new() else { return };
    let run = |words: &[&str]| {
        let output = std::process::Command::new(&tool)
            .arg("ceremony")
            .args(words)
            .current_dir(site.at(""))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    for holder in &site.holders {
        fs::write(site.at(&format!("{}.key", holder.card().name)), &holder.to_json()[..]).unwrap();
    }
    let cards = site.at("cards").display().to_string();
    let mut root = site.start("genesis", &["root", "genesis", "--cards", &cards]);
    root.says("waiting_for_keys");
    for holder in &site.holders {
        let key = format!("{}.key", holder.card().name);
        run(&["share", "acknowledge", "--key", &key, "--genesis", "exchange/genesis"]);
    }
    root.says("giving_keys");
    let verified = run(&["verify-transcript", "--at", "exchange/genesis"]);
    assert!(verified.contains("acknowledged by 3 of 3"), "{verified}");
    assert!(!verified.contains("REHEARSAL"), "{verified}");
    drop(root);
    let mut root = site.start("cold", &["root", "cold-start"]);
    root.says("waiting_for_keys");
    let to = site.newest("cold-start-").display().to_string();
    for key in ["auditor.key", "operator.key"] {
        run(&[
            "share",
            "post",
            "--key",
            key,
            "--genesis",
            "exchange/genesis",
            "--to",
            &to,
        ]);
    }
    root.says("giving_keys");
    let pins = site.at("pins.json").display().to_string();
    let verified = run(&[
        "verify-transcript",
        "--at",
        &to,
        "--pins",
        &pins,
        "--genesis",
        "exchange/genesis",
    ]);
    assert!(verified.contains("the seed of that genesis is back"), "{verified}");
}
