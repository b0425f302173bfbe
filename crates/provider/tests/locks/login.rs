//! A whole login at the real binary under `quorum+hsm`, on a machine of its own with a federation in it (`canary/machine.rs` says how).

use std::fs;

use serde_json::json;
use vault::hsm::KeyId;

use crate::common::federation::{MASTER, own_statement, statement_about};
use crate::common::{self, HIGH_CLASS, Harness, Insurer, PATH_IK, Person, Setup, pki};
use crate::machine;
use crate::neighbours::{Neighbour, Orders};
use crate::site::{Site, now};

/// `KeyRole::IdToken`, as keys in the module are named after.
const TOKEN_ROLE: u8 = 2;

#[test]
fn a_policyholder_logs_in_with_her_card_and_her_token_is_signed_in_the_module() {
    match machine::run("login::on_a_machine_of_its_own") {
        Ok(output) => {
            let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(output.status.success(), "{}\n{}", said[0], said[1]);
            assert!(said[0].contains("1 passed"), "it ran: {}", said[0]);
        }
        Err(reason) => println!(
            "SKIPPED a_policyholder_logs_in_with_her_card_and_her_token_is_signed_in_the_module: no namespaces here ({reason})"
        ),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a_policyholder_logs_in_with_her_card_and_her_token_is_signed_in_the_module runs it on a machine of its own"]
async fn on_a_machine_of_its_own() {
    if !machine::is_here() {
        return;
    }
    let Some(site) = Site::new() else { return };
    let harness = Harness::with(Setup::at(now())).await;
    let mut service = common::Service::new(common::RECORD);
    service.certificates = vec![pki::ClientCertificate::lasting()];
    let certificate = service.certificates[0].clone();
    service.show(Some(&certificate));
    service.join(&harness.federation);
    let documents = [
        own_statement(MASTER),
        statement_about(&service.client_id),
        own_statement(&service.client_id),
    ]
    .map(|url| {
        let document = harness.federation.document(&url).unwrap();
        (url, document)
    });
    let _federation = Neighbour::start(&Orders::Federation {
        address: machine::FEDERATION_ADDRESS.to_owned(),
        documents: documents.into(),
    });
    let keys = harness.federation.anchor().keys.to_value().to_string();
    fs::write(site.at("master.json"), keys).unwrap();

    let _root = site.genesis();
    crate::certify(&site);
    let at = Insurer {
        issuer: site.issuer(),
        mtls: format!("https://localhost:{}", site.ports[1]),
        ik: PATH_IK,
    };
    let classes = format!(
        "[[tenant.policy.device_classes]]\u{b}name = \"{HIGH_CLASS}\"\u{b}level = \"gematik-ehealth-loa-high\"\u{b}reconfirm_after_seconds = 2592000\u{b}\
         evidence = \"claimed\"\u{b}# certificate"
    );
    site.configure(&format!("# certificate => {classes}\n{}", site.certificate_line()));
    let kvnr = common::crowd(1)[0].kvnr;
    let people = json!({
        "kvnr": kvnr, "ik": PATH_IK, "given_name": "Ada", "family_name": "Muster", "display_name": "Ada Muster", "birthdate": "1984-02-29",
        "geschlecht": "W", "email": "ada@example.org",
    });
    fs::write(site.at("people"), format!("{people}\n")).unwrap();
    let taken_in = site.done(&[
        "import-people",
        &site.issuer(),
        &site.at("people").display().to_string(),
    ]);
    assert_eq!(taken_in, "1 people taken in\n");

    let serving = crate::serve(&site, "serving");
    let person = Person::with_card(kvnr, PATH_IK, pki::card_at(now(), 101, PATH_IK, kvnr));
    harness.clock.set(now());
    let token = harness.login(&at, &service, &person).await;
    assert_eq!(token.body["urn:telematik:claims:id"], json!(kvnr));
    let tenant = vault::tenant_id(&site.issuer());
    assert!(
        site.token_holds(&KeyId::of(tenant, TOKEN_ROLE, &token.kid)),
        "the key that signed her token lives in the module"
    );
    assert_eq!(token.certificate, fs::read(site.at("token-key.der")).unwrap());
    assert!(!serving.log().contains(kvnr));
}
