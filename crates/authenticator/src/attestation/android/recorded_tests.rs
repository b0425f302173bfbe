//! Chains recorded from real devices, against the parse and the verdicts that were published with them.
//!
//! The files are no part of this repository (`../shared/testdata/android-keyattestation`); without them each test says
//! that it skips.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::status::{KeyStatus, StatusReason};
use super::*;
use crate::attestation::policy::{AttestationPolicy, Check, Verdict};
use crate::attestation::test_pki::{element, integer, octets, sequence};
use crate::attestation::{
    AttestationError, Facts, Statement, Trust, VerifiedKeyAttestation, verify as verify_statement,
};
use crate::policy::AuthenticationPolicy;

mod published;
use published::{NAMES, bytes_of, encoded_list, published_form};

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/testdata/android-keyattestation");
    if folder.join("roots.json").is_file() {
        return Some(folder.join("testdata"));
    }
    println!(
        "SKIPPED: the recorded attestation chains are absent (expected at {})",
        folder.display()
    );
    None
}

/// Every file with this ending below the folder, sorted.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|ending| ending == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn chain(path: &Path) -> Vec<Vec<u8>> {
    let pem = std::fs::read(path).unwrap();
    let certificates = x509_cert::Certificate::load_pem_chain(&pem).unwrap();
    certificates
        .iter()
        .map(|certificate| der::Encode::to_der(certificate).unwrap())
        .collect()
}

fn description(chain: &[Vec<u8>]) -> Result<KeyDescription, DescriptionError> {
    let leaf = Certificate::parse(&chain[0]).unwrap();
    KeyDescription::parse(leaf.extension(ATTESTATION_EXTENSION).unwrap())
}

/// When the device made the key: the moment of enrolment.
fn made_at(description: &KeyDescription) -> UnixTime {
    UnixTime(description.software_enforced.integer(Tag::CREATION_DATE_TIME).unwrap() / 1000)
}

/// The published file without its comments, and without its remark that the tags ascend, which our parser demands.
fn expected(path: &Path) -> Json {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut expected: Json = serde_json::from_str(&lines.collect::<String>()).unwrap();
    for list in ["softwareEnforced", "hardwareEnforced"] {
        let members = expected[list].as_object_mut().unwrap();
        if let Some(ordered) = members.remove("areTagsOrdered") {
            assert_eq!(ordered, json!(true));
        }
    }
    expected
}

#[test]
fn every_recorded_chain_parses_to_the_published_result() {
    let Some(folder) = folder() else { return };
    let mut compared = 0;
    for path in files(&folder, "json") {
        let pem = path.with_extension("pem");
        if !pem.is_file() {
            continue;
        }
        let description = description(&chain(&pem)).unwrap();
        assert_eq!(published_form(&description), expected(&path), "{}", path.display());
        compared += 1;
    }
    assert!(compared >= 20, "only {compared} chains were compared");
}

#[test]
fn every_recorded_chain_is_judged_as_published() {
    let Some(folder) = folder() else { return };
    let mut judged = 0;
    for path in files(&folder, "json") {
        let pem = path.with_extension("pem");
        if !pem.is_file() {
            continue;
        }
        let chain = chain(&pem);
        let now = made_at(&description(&chain).unwrap());
        let verdict = verify_attestation_chain(&chain, &Roots::google(), now).map(|_| ());
        let name = path.to_string_lossy();
        let expected = match () {
            // Signed by the root of Android's software key store, which is no root of ours.
            () if name.contains("marlin") => Err(AndroidError::Chain(ChainError::UnknownRoot)),
            // Made in June 2026 under certificates that ended in May.
            () if name.contains("sony") => Err(AndroidError::Chain(ChainError::Expired { index: 2 })),
            () => Ok(()),
        };
        assert_eq!(verdict, expected, "{name}");
        judged += 1;
    }
    assert!(judged >= 20, "only {judged} chains were judged");
}

#[test]
fn both_google_roots_are_those_published() {
    let published = Roots::google();
    assert_eq!(published.0.len(), 2);
    let Some(folder) = folder() else { return };
    let roots: Vec<String> = serde_json::from_slice(&std::fs::read(folder.join("../roots.json")).unwrap()).unwrap();
    assert_eq!(roots.len(), 2);
    let ours = [
        &include_bytes!("../roots/google-rsa.pem")[..],
        include_bytes!("../roots/google-p384.pem"),
    ];
    for (root, our) in roots.iter().zip(ours) {
        assert_eq!(root.trim_end().as_bytes(), our.trim_ascii_end());
    }
}

#[test]
fn an_old_phones_chain_verified_while_its_certificates_lasted() {
    let Some(folder) = folder() else { return };
    let chain = chain(&folder.join("sony-xperia10-iii/sdk33/TEE_EC.pem"));
    let last_second = UnixTime(1_779_642_111);
    assert!(verify_attestation_chain(&chain, &Roots::google(), last_second).is_ok());
    assert_eq!(
        verify_attestation_chain(&chain, &Roots::google(), last_second.plus_seconds(1)).unwrap_err(),
        AndroidError::Chain(ChainError::Expired { index: 2 })
    );
}

#[test]
fn the_software_key_store_is_refused_even_where_its_root_is_believed() {
    let Some(folder) = folder() else { return };
    let chain = chain(&folder.join("marlin/sdk29/TEE_EC_NONE.pem"));
    let roots = Roots::of(&[chain.last().unwrap()]).unwrap();
    let description = description(&chain).unwrap();
    let verified = verify_attestation_chain(&chain, &roots, made_at(&description)).unwrap();
    assert_eq!(
        check_hardware_made_it_to_sign(&verified.description),
        Err(AndroidError::SoftwareOnly)
    );
}

#[test]
fn the_published_invalid_chains_are_each_refused_for_their_own_reason() {
    let Some(folder) = folder() else { return };
    for (name, parse, verdict) in [
        (
            "malformed_rot_device_locked",
            DescriptionError::RootOfTrust,
            AndroidError::Description(DescriptionError::RootOfTrust),
        ),
        (
            "tags_not_in_ascending_order",
            DescriptionError::TagOrder { tag: 1 },
            // Whoever turned the tags round had no key to sign it again.
            AndroidError::Chain(ChainError::Signature { index: 0 }),
        ),
    ] {
        let chain = chain(&folder.join(format!("invalid/{name}.pem")));
        assert_eq!(description(&chain), Err(parse), "{name}");
        // Both come from keys put in at the factory; at this moment their certificates are valid.
        let refused = verify_attestation_chain(&chain, &Roots::google(), UnixTime(1_740_000_000)).unwrap_err();
        assert_eq!(refused, verdict, "{name}");
    }
    let all = files(&folder.join("invalid"), "pem").len();
    assert_eq!(all, 2, "every published invalid chain is named here");
}

#[test]
fn a_chain_that_signs_with_sha384_under_p256_verifies_and_its_leaf_says_nothing() {
    let Some(folder) = folder() else { return };
    let chain = chain(&folder.join("p256_sha384_intermediate.pem"));
    let roots = Roots::of(&[chain.last().unwrap()]).unwrap();
    // The extension holds an empty octet string: the chain is about signatures only.
    assert_eq!(
        verify_attestation_chain(&chain, &roots, UnixTime(1_800_000_000)).unwrap_err(),
        AndroidError::Description(DescriptionError::Shape)
    );
}

#[test]
fn allow_while_on_body_is_read() {
    let Some(folder) = folder() else { return };
    let description = description(&chain(&folder.join("allow_while_on_body.pem"))).unwrap();
    assert!(description.software_enforced.contains(Tag::ALLOW_WHILE_ON_BODY));
    assert_eq!(description.hardware_enforced.integers(Tag::PURPOSE), [3, 2]);
}

/// The statement of a recorded device, its key and challenge.
fn recorded(name: &str) -> Option<(Vec<Vec<u8>>, KeyDescription)> {
    let chain = chain(&folder()?.join(name));
    let description = description(&chain).unwrap();
    Some((chain, description))
}

#[test]
fn recorded_keys_that_are_not_p256_are_refused_by_their_kind() {
    for (name, kind) in [
        ("akita/sdk34/TEE_RSA_NONE.pem", KeyKind::Rsa),
        ("tokay/sdk37/TEE_MLDSA_RKP.pem", KeyKind::MlDsa),
        ("tokay/sdk37/TEE_MLDSA_FACTORY.pem", KeyKind::MlDsa),
    ] {
        let Some((chain, description)) = recorded(name) else {
            return;
        };
        let verified = verify_attestation_chain(&chain, &Roots::google(), made_at(&description)).unwrap();
        let key = jose::SoftwareKey::from_scalar("other", &[7; 32]).unwrap();
        assert_eq!(verified.key_kind(), kind, "{name}");
        assert_eq!(
            check_key(&verified.leaf, key.public_key()),
            Err(AndroidError::KeyKind(kind))
        );
    }
}

/// The one recorded P-256 chain whose challenge has the 32 bytes of ours is Sony's; its certificates were still valid
/// in May 2026.
#[test]
fn a_recorded_device_becomes_a_verified_attestation() {
    let Some((chain, description)) = recorded("sony-xperia10-iii/sdk33/TEE_EC.pem") else {
        return;
    };
    let leaf = Certificate::parse(&chain[0]).unwrap();
    let key = P256PublicKey::from_uncompressed(leaf.key()).unwrap();
    let challenge: [u8; 32] = description.challenge.clone().try_into().unwrap();
    let now = UnixTime(1_779_000_000);
    let list = br#"{"entries":{"1658076833":{"status":"REVOKED","reason":"KEY_COMPROMISE"}}}"#;
    let serial = x509_serial(&chain[1]);
    let revoked = String::from_utf8(list.to_vec()).unwrap().replace("1658076833", &serial);
    let trust = |list: &str| Trust {
        android: Roots::google(),
        android_status: Some(StatusList::parse(list.as_bytes(), now).unwrap()),
        apple: Roots::default(),
    };
    let statement = Statement::Android { chain: chain.clone() };
    let verified = verify_statement(&statement, &challenge, &key, &trust(r#"{"entries":{}}"#), now).unwrap();
    assert_eq!((verified.key(), verified.challenge()), (&key, &challenge));
    let Facts::Android(facts) = verified.facts() else {
        panic!("an Android statement")
    };
    assert_eq!((facts.listed, facts.provisioning), (None, None));

    let verified = verify_statement(&statement, &challenge, &key, &trust(&revoked), now).unwrap();
    let Facts::Android(facts) = verified.facts() else {
        panic!("an Android statement")
    };
    let listed = facts.listed.unwrap();
    assert_eq!(
        (listed.status, listed.reason),
        (KeyStatus::Revoked, StatusReason::KeyCompromise)
    );

    let other = jose::SoftwareKey::from_scalar("other", &[7; 32]).unwrap();
    let empty = trust(r#"{"entries":{}}"#);
    for (challenge, key, error) in [
        ([0; 32], &key, AndroidError::Challenge),
        (challenge, other.public_key(), AndroidError::Key),
    ] {
        let refused = verify_statement(&statement, &challenge, key, &empty, now).unwrap_err();
        assert_eq!(refused, AttestationError::Android(error));
    }
}

fn x509_serial(der: &[u8]) -> String {
    let certificate = <x509_cert::Certificate as der::Decode>::from_der(der).unwrap();
    let serial = certificate.tbs_certificate().serial_number().as_bytes().to_vec();
    serial.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn remote_provisioning_says_how_many_certificates_a_device_was_given() {
    for (name, expected) in [
        ("akita/sdk34/TEE_EC_NONE.pem", Some(8)),
        ("caiman/sdk36/SB_EC_RKP.pem", Some(32)),
        ("tokay/sdk37/TEE_MLDSA_FACTORY.pem", None),
    ] {
        let Some((chain, description)) = recorded(name) else {
            return;
        };
        let verified = verify_attestation_chain(&chain, &Roots::google(), made_at(&description)).unwrap();
        let issued = verified.provisioning.map(|info| info.certificates_issued);
        assert_eq!(issued, expected, "{name}");
    }
}

#[test]
fn no_bit_of_a_recorded_certificate_can_be_turned() {
    let Some((chain, description)) = recorded("tegu/sdk36/SB_EC_2026_ROOT.pem") else {
        return;
    };
    let now = made_at(&description);
    assert!(verify_attestation_chain(&chain, &Roots::google(), now).is_ok());
    // Every third bit of the leaf, every 29th of the others: all of them took seven seconds, once, and passed. The copy
    // of the root is not believed anyway.
    for index in 0..chain.len() - 1 {
        let bits = chain[index].len() * 8;
        for bit in (0..bits).step_by(if index == 0 { 3 } else { 29 }) {
            let mut forged = chain.clone();
            forged[index][bit / 8] ^= 1 << (bit % 8);
            assert!(
                verify_attestation_chain(&forged, &Roots::google(), now).is_err(),
                "certificate {index}, bit {bit}"
            );
        }
    }
}

#[test]
fn certificates_in_another_order_or_left_out_are_refused() {
    let Some((chain, description)) = recorded("caiman/sdk36/TEE_EC_RKP.pem") else {
        return;
    };
    let now = made_at(&description);
    let verdict = |chain: &[Vec<u8>]| verify_attestation_chain(chain, &Roots::google(), now).map(|_| ());
    assert_eq!(verdict(&chain), Ok(()));
    assert_eq!(
        verdict(&chain[..chain.len() - 1]),
        Ok(()),
        "the root itself may be left out"
    );
    for (left_out, error) in [
        (0, AndroidError::ExtensionMissing),
        (1, AndroidError::Chain(ChainError::IssuerName { index: 0 })),
        (2, AndroidError::Chain(ChainError::IssuerName { index: 1 })),
        (3, AndroidError::Chain(ChainError::UnknownRoot)),
    ] {
        let mut shorter = chain.clone();
        shorter.remove(left_out);
        assert_eq!(verdict(&shorter), Err(error), "without {left_out}");
    }
    let reversed: Vec<Vec<u8>> = chain.iter().rev().cloned().collect();
    assert_eq!(verdict(&reversed), Err(AndroidError::Chain(ChainError::UnknownRoot)));
}

/// The published list of every tag has no certificate; written by the schema, it is read back as it was.
#[test]
fn every_published_tag_survives_being_written_and_read() {
    let Some(folder) = folder() else { return };
    let mut expected = expected(&folder.join("complete_authlist.json"));
    let level = element(0x0a, &[1]);
    let der = sequence(&[
        &integer(400),
        &level,
        &integer(400),
        &level,
        &octets(&bytes_of(&expected["attestationChallenge"])),
        &octets(&bytes_of(&expected["uniqueId"])),
        &encoded_list(&expected["softwareEnforced"]),
        &encoded_list(&expected["hardwareEnforced"]),
    ]);
    let read = published_form(&KeyDescription::parse(&der).unwrap());
    let written = expected["softwareEnforced"].as_object_mut().unwrap().len();
    assert_eq!(
        written,
        NAMES.len(),
        "every tag of the file is known here, and the other way round"
    );
    assert_eq!(read, expected);
}

/// A policy for the app that recorded the chains; its keys ask nobody to unlock.
fn recorders_policy() -> AttestationPolicy {
    let text = r#"{
        "classes": [
            {"class": "secure-element", "android": {"security_level": "strong-box", "max_unlock_seconds": null}},
            {"class": "hardware-keystore", "android": {"max_unlock_seconds": null}}
        ],
        "android_apps": [
            {"package": "com.google.android.attestation", "signing_digests": ["SIGNER"]},
            {"package": "com.google.wireless.android.security.attestationverifier.collector", "signing_digests": ["SIGNER"]}
        ]
    }"#;
    let signer = "103938ee4537e59e8ee792f654504fb8346fc6b346d0bbc4415fc339fcfc8ec1";
    let policy: AttestationPolicy = serde_json::from_str(&text.replace("SIGNER", signer)).unwrap();
    policy.check(&AuthenticationPolicy::default()).unwrap();
    policy
}

#[test]
fn recorded_phones_are_graded_by_what_they_say_of_themselves() {
    let unlocked = [Check::VerifiedBoot, Check::LockedBootloader];
    let weaker = [Check::SecurityLevel];
    for (name, class, failed) in [
        ("caiman/sdk36/SB_EC_RKP.pem", Some("secure-element"), &[][..]),
        ("tegu/sdk36/SB_EC_2026_ROOT.pem", Some("secure-element"), &[]),
        ("caiman/sdk36/TEE_EC_RKP.pem", Some("hardware-keystore"), &weaker),
        // Phones of developers, unlocked.
        ("akita/sdk34/TEE_EC_NONE.pem", None, &unlocked),
        ("blueline/sdk28/TEE_EC_NONE.pem", None, &unlocked),
        ("tegu/sdk37/TEE_TRUSTED_CONF.pem", None, &unlocked),
    ] {
        let Some((chain, description)) = recorded(name) else {
            return;
        };
        let now = made_at(&description);
        let verified = verify_attestation_chain(&chain, &Roots::google(), now).unwrap();
        assert_eq!(check_hardware_made_it_to_sign(&verified.description), Ok(()), "{name}");
        // Their challenges are shorter than ours, so that `verify` would refuse them: the facts are put together here.
        let attestation = VerifiedKeyAttestation {
            key: P256PublicKey::from_uncompressed(verified.leaf.key()).unwrap(),
            challenge: [0; 32],
            facts: Facts::Android(AndroidFacts {
                description: verified.description,
                provisioning: verified.provisioning,
                listed: None,
                status_list_fetched_at: Some(now),
            }),
        };
        let judgement = recorders_policy().judge(&Ok(attestation), now);
        let reached = match &judgement.verdict {
            Verdict::Attested(device) => Some(device.class()),
            Verdict::Unattested { .. } | Verdict::Refused => None,
        };
        assert_eq!(reached, class, "{name}");
        let weakest: Vec<Check> = judgement.failed.iter().map(|failed| failed.check).collect();
        for check in failed {
            assert!(weakest.contains(check), "{name}: {check:?}");
        }
        if class.is_none() {
            assert_eq!(judgement.verdict, Verdict::Refused, "{name}");
        } else {
            assert_eq!(weakest, failed, "{name}");
        }
    }
}
