//! The certificate watcher against a simulated transparency feed, with the Federation Master's rule (attack 50).

use jose::{SoftwareKey, UnixTime, base64url};
use provider::certificates::{CertificatesConfig, FeedError, Finding, Logged, Watch, WatchError, decide};
use serde_json::json;
use transport::public_key_thumbprint_hex;

use crate::common::clock::{FrozenClock, NOW};
use crate::common::{logs, pki};

const DOMAIN: &str = "idp.insurer.example";
const LATER: UnixTime = UnixTime(NOW.0 + 86_400);

fn certificate(host: &str, key: &SoftwareKey) -> Vec<u8> {
    pki::server_certificate(host, key, LATER)
}

fn logged(host: &str, certificate: &[u8]) -> Logged {
    Logged {
        domain: host.to_owned(),
        certificate: certificate.to_vec(),
    }
}

fn key() -> SoftwareKey {
    SoftwareKey::generate("tls").unwrap()
}

#[test]
fn only_registered_keys_may_stand_in_the_log_and_ours_must() {
    let (ours, next, foreign) = (key(), key(), key());
    let own = certificate(DOMAIN, &ours);
    let renewed = certificate("idp.insurer.example.", &ours);
    let registered = [&ours, &next].map(|key| public_key_thumbprint_hex(&certificate(DOMAIN, key)).unwrap());
    let ours = logged(DOMAIN, &own);
    let stranger = certificate(DOMAIN, &foreign);
    let expired = pki::server_certificate(DOMAIN, &foreign, UnixTime(NOW.0 - 1));
    let cases = [
        (vec![ours.clone()], vec![]),
        (vec![ours.clone(), logged(DOMAIN, &certificate(DOMAIN, &next))], vec![]),
        (vec![ours.clone(), logged(DOMAIN, &renewed)], vec![]),
        (vec![ours.clone(), logged("other.example", &stranger)], vec![]),
        (vec![ours.clone(), logged(DOMAIN, &expired)], vec![]),
        (vec![], vec![Finding::Missing]),
        (vec![logged(DOMAIN, &renewed)], vec![Finding::Missing]),
        (vec![logged("other.example", &own)], vec![Finding::Missing]),
        (vec![ours.clone(), logged(DOMAIN, &stranger)], vec![Finding::Foreign]),
        (
            vec![ours.clone(), logged("IDP.Insurer.Example", &stranger)],
            vec![Finding::Foreign],
        ),
        (
            vec![ours.clone(), logged("*.insurer.example", &stranger)],
            vec![Finding::Foreign],
        ),
        (vec![ours, logged(DOMAIN, b"no certificate")], vec![Finding::Foreign]),
        (
            vec![logged(DOMAIN, &stranger)],
            vec![Finding::Foreign, Finding::Missing],
        ),
    ];
    for (number, (log, expected)) in cases.into_iter().enumerate() {
        assert_eq!(
            decide(DOMAIN, &registered, &own, &log, NOW.0),
            expected,
            "case {number}"
        );
    }
}

#[test]
fn a_key_is_refused_before_it_is_used_unless_it_is_registered() {
    let (ours, next) = (key(), key());
    let directory = tempfile::tempdir().unwrap();
    let config = |keys: &[String]| CertificatesConfig {
        domain: DOMAIN.to_owned(),
        registered_keys: keys.to_vec(),
        feed: directory.path().join("feed.json"),
    };
    let own = certificate(DOMAIN, &ours);
    let thumbprint = public_key_thumbprint_hex(&own).unwrap();
    let registered = config(std::slice::from_ref(&thumbprint));
    assert!(Watch::new(&registered, &own).is_ok());
    let rolled = certificate(DOMAIN, &next);
    assert_eq!(Watch::new(&registered, &rolled).unwrap_err(), WatchError::NotRegistered);
    let both = config(&[thumbprint.clone(), public_key_thumbprint_hex(&rolled).unwrap()]);
    assert!(Watch::new(&both, &rolled).is_ok());
    assert_eq!(Watch::new(&registered, b"x").unwrap_err(), WatchError::Certificate);
    for keys in [
        vec![],
        vec!["00".to_owned()],
        vec![thumbprint.to_uppercase()],
        vec![thumbprint, String::new()],
    ] {
        assert_eq!(
            Watch::new(&config(&keys), &own).unwrap_err(),
            WatchError::RegisteredKeys
        );
    }
}

#[test]
fn what_the_feed_shows_becomes_an_event() {
    logs::capture();
    let begins = logs::length();
    let (ours, foreign) = (key(), key());
    let directory = tempfile::tempdir().unwrap();
    let feed = directory.path().join("feed.json");
    let own = certificate(DOMAIN, &ours);
    let config = CertificatesConfig {
        domain: DOMAIN.to_owned(),
        registered_keys: vec![public_key_thumbprint_hex(&own).unwrap()],
        feed: feed.clone(),
    };
    let watch = Watch::new(&config, &own).unwrap();
    let clock = FrozenClock::at(NOW);
    let write = |certificates: &[&[u8]]| {
        let entries: Vec<_> = certificates
            .iter()
            .map(|certificate| json!({"domain": DOMAIN, "certificate": base64url::encode(certificate)}))
            .collect();
        std::fs::write(&feed, json!({"entries": entries}).to_string()).unwrap();
    };
    assert_eq!(watch.look(&own, &*clock), Err(FeedError::Unreadable));
    write(&[&own]);
    assert_eq!(watch.look(&own, &*clock), Ok(vec![]));
    write(&[&own, &certificate(DOMAIN, &foreign)]);
    assert_eq!(watch.look(&own, &*clock), Ok(vec![Finding::Foreign]));
    write(&[]);
    assert_eq!(watch.look(&own, &*clock), Ok(vec![Finding::Missing]));
    let log = logs::since(begins);
    for event in [
        "certificate_feed_unreadable",
        "certificates_in_order",
        "certificate_foreign",
        "certificate_missing",
    ] {
        assert!(log.contains(&format!("\"event\":\"{event}\"")), "{event}");
    }
}
