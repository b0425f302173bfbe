//! The lock `quorum+hsm` in the real binary: SoftHSM 2 as the module, an emulated TPM as the platform (profile `vtpm-dev`, which excludes nobody).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs
)]

#[path = "../common/mod.rs"]
mod common;
mod courier;
mod login;
#[path = "../canary/machine.rs"]
#[allow(dead_code)]
mod machine;
#[path = "../canary/neighbours.rs"]
#[allow(dead_code)]
mod neighbours;
mod refusals;
mod site;

use std::fs;

use common::pki;
use evidence::binding::Session;
use evidence::bundle::{Bundle, EVIDENCE_PATH};
use evidence::verdict::{Asked, Overall, Pins, State, Subject, Verdict, judge};
use jose::jwk::JwkSet;
use jose::{base64url, json, jws};
use provider::TokenCertificates;
use serde_json::Value;
use site::{Running, Site, now};
use transport::{AddressRule, BoundConnection, HttpClient, HttpResponse};
use vault::hsm::KeyId;

/// `KeyRole::EntityStatement`, as keys in the module are named after.
const ENTITY_ROLE: u8 = 1;

/// Has the token key certified that the module made, and says so in the configuration.
fn certify(site: &Site) {
    let printed = site.done(&["token-key", &site.issuer()]);
    let again = site.done(&["token-key", &site.issuer()]);
    assert_eq!(printed, again, "the one that waits, not another one");
    assert!(printed.contains("-----BEGIN PUBLIC KEY-----"));
    let jwk: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    let jwk = jose::jwk::Jwk::from_value(&jwk).unwrap();
    let authority = pki::ComponentAuthority::default();
    let certificate = authority.issue("", "Testkasse", &jwk.key, now()).unwrap();
    fs::write(site.at("token-key.der"), certificate).unwrap();
    site.configure(&site.certificate_line());
}

async fn get(site: &Site, path: &str) -> HttpResponse {
    let client = HttpClient::builder(&pki::roots(), AddressRule::LoopbackAllowed)
        .build()
        .unwrap();
    client.get(&format!("{}{path}", site.issuer()), &[]).await.unwrap()
}

/// The entity statement, its signature verified by the key it publishes; that key's identifier.
async fn entity_key(site: &Site) -> String {
    let response = get(site, "/.well-known/openid-federation").await;
    assert_eq!(response.status, 200, "{}", response.text());
    let statement = jws::parse(&response.text(), &json::DEFAULT).unwrap();
    let claims: Value = serde_json::from_slice(statement.unverified_payload()).unwrap();
    let keys = JwkSet::from_value(&claims["jwks"]).unwrap();
    let kid = statement.header().kid.clone().unwrap();
    statement.verify(&keys.by_kid(&kid).unwrap().key).unwrap();
    kid
}

async fn verdict(site: &Site) -> Verdict {
    let mut nonce = [0; 32];
    vault::random(&mut nonce);
    let url = site.issuer();
    let mut connection = BoundConnection::open(&url, &pki::roots(), AddressRule::LoopbackAllowed, &[])
        .await
        .unwrap();
    let path = format!("{EVIDENCE_PATH}?nonce={}", base64url::encode(&nonce));
    let response = connection.get(&path).await.unwrap();
    assert_eq!(response.status, 200, "{}", response.text());
    let session = Session {
        nonce,
        signer_spki_sha256: connection.session().server_spki_sha256().unwrap(),
        exporter: *connection.session().exporter(),
    };
    let pins = Pins::parse(&fs::read(site.at("pins.json")).unwrap()).unwrap();
    judge(
        &Bundle::parse(&response.body).unwrap(),
        &Asked::Here(session),
        &pins,
        now(),
    )
}

fn serve(site: &Site, name: &str) -> Running {
    let mut serving = site.start(name, &[]);
    serving.says("\"event\":\"started\"");
    serving
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_come_by_genesis_and_again_from_shares_and_the_same_keys_serve() {
    let Some(site) = Site::new() else { return };
    let mut root = site.genesis();
    let root_says = root.says("root_opened");
    assert!(
        root_says.contains("\"operator_excluded\":false"),
        "a TPM keeps nobody out"
    );
    let fingerprint = root_says
        .lines()
        .find(|line| line.contains("root_opened"))
        .and_then(|line| serde_json::from_str::<Value>(line).ok())
        .unwrap()["fields"]["detail"]
        .as_str()
        .unwrap()
        .to_owned();
    certify(&site);
    let serving = serve(&site, "serving-1");
    assert!(serving.log().contains("\"lock\":\"quorum+hsm\""), "{}", serving.log());
    assert!(
        serving.log().contains("\"operator_excluded\":false"),
        "{}",
        serving.log()
    );
    let kid = entity_key(&site).await;
    let tenant = vault::tenant_id(&site.issuer());
    assert!(
        site.token_holds(&KeyId::of(tenant, ENTITY_ROLE, &kid)),
        "the module has the key that signed"
    );
    assert!(
        !site.token_holds(&KeyId::of(tenant, ENTITY_ROLE, "another")),
        "the search is not blind"
    );

    let judged = verdict(&site).await;
    assert_eq!(judged.overall(), Overall::Unprotected, "{judged}");
    for subject in [
        Subject::Measurement,
        Subject::Approvals,
        Subject::Log,
        Subject::Tls,
        Subject::Site,
    ] {
        assert!(matches!(judged.state(subject), Some(State::Ok(_))), "{judged}");
    }
    assert!(
        judged.sentence().starts_with("Not protected: a measured boot alone"),
        "{judged}"
    );
    assert!(judged.to_string().contains("quorum and HSM, both needed"), "{judged}");

    // All instances are gone; two of three holders are enough, if the auditor is one of them.
    drop((serving, root));
    let mut root = site.cold_start("cold", &[0]);
    root.says("share_accepted");
    site.post(2, &site.newest("cold-start-"));
    let log = root.says("root_opened");
    assert!(log.contains(&fingerprint), "the root of the genesis: {log}");
    root.says("giving_keys");
    let serving = serve(&site, "serving-2");
    assert_eq!(entity_key(&site).await, kid, "nothing was made anew");
    drop(serving);

    // Daily business: another root instance, and then one that serves from its hands.
    let mut second = site.start("second", &["root", "join"]);
    let log = second.says("giving_keys");
    assert!(log.contains(&fingerprint), "{log}");
    drop(root);
    let serving = serve(&site, "serving-3");
    assert_eq!(entity_key(&site).await, kid);
    let checked = serving.log();
    for secret in [site::PIN, &fingerprint] {
        assert!(!checked.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_that_goes_away_while_serving_is_an_error_and_its_return_needs_no_restart() {
    let Some(site) = Site::new() else { return };
    let _root = site.genesis();
    certify(&site);
    // Keys are made before it goes.
    site.done(&["entity-keys", &site.issuer()]);
    let mut serving = serve(&site, "serving");
    fs::rename(site.at("tokens"), site.at("tokens-away")).unwrap();
    fs::create_dir(site.at("tokens")).unwrap();
    let response = get(&site, "/.well-known/openid-federation").await;
    assert_eq!(response.status, 503, "{}", response.text());
    assert!(
        response.text().contains("temporarily_unavailable"),
        "{}",
        response.text()
    );
    let log = serving.says("hsm_failed");
    assert!(log.contains("\"code\":\"hsm."), "{log}");
    // What needs no module goes on.
    assert_eq!(get(&site, "/logo.svg").await.status, 200);
    fs::remove_dir(site.at("tokens")).unwrap();
    fs::rename(site.at("tokens-away"), site.at("tokens")).unwrap();
    // Each of the four sessions finds out when it is asked, and which one is asked is chance: the library is begun anew once none of the lost ones is
    // left.
    let mut refused = 0;
    while get(&site, "/.well-known/openid-federation").await.status != 200 {
        refused += 1;
        assert!(refused < 200, "it never came back: {}", serving.log());
    }
    entity_key(&site).await;
    assert!(serving.is_running());
}
