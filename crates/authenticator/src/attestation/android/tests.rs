//! Chains and descriptions of our own making, each wrong in one point.
#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::application::{ApplicationId, Package};
use super::authorizations::VerifiedBootState;
use super::*;
use crate::attestation::test_pki::{
    DAY, NOW, Template, authority, element, end_entity, integer, key, name, octets, sequence, set, signed, tagged,
    titled, writer,
};
use crate::attestation::{MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES};

mod description;

const ROOT: u8 = 1;
const INTERMEDIATE: u8 = 2;
const ATTESTATION: u8 = 3;
const DEVICE: u8 = 4;
const CHALLENGE: [u8; 32] = [7; 32];

/// Parts of a `KeyDescription`, each as DER.
#[derive(Clone)]
struct Parts {
    head: Vec<Vec<u8>>,
    software: Vec<(u32, Vec<u8>)>,
    hardware: Vec<(u32, Vec<u8>)>,
}

impl Parts {
    fn sound() -> Self {
        let level = element(0x0a, &[1]);
        Self {
            head: vec![
                integer(300),
                level.clone(),
                integer(300),
                level,
                octets(&CHALLENGE),
                octets(&[]),
            ],
            software: vec![(701, integer(NOW.0 * 1000)), (709, octets(&application()))],
            hardware: vec![
                (1, set(&[integer(2)])),
                (2, integer(3)),
                (3, integer(256)),
                (10, integer(1)),
                (504, integer(2)),
                (702, integer(0)),
                (704, root_of_trust(&[0xff], 0)),
                (706, integer(202_612)),
            ],
        }
    }

    fn der(&self) -> Vec<u8> {
        let list = |list: &[(u32, Vec<u8>)]| {
            let tags: Vec<Vec<u8>> = list.iter().map(|(number, value)| tagged(*number, value)).collect();
            sequence(&[&tags.concat()])
        };
        sequence(&[&self.head.concat(), &list(&self.software), &list(&self.hardware)])
    }

    fn with_hardware(mut self, number: u32, value: Vec<u8>) -> Self {
        match self.hardware.iter().position(|(known, _)| *known >= number) {
            Some(place) if self.hardware[place].0 == number => self.hardware[place].1 = value,
            Some(place) => self.hardware.insert(place, (number, value)),
            None => self.hardware.push((number, value)),
        }
        self
    }

    fn without_hardware(mut self, number: u32) -> Self {
        self.hardware.retain(|(known, _)| *known != number);
        self
    }

    fn with_head(mut self, index: usize, value: Vec<u8>) -> Self {
        self.head[index] = value;
        self
    }
}

fn application() -> Vec<u8> {
    let package = sequence(&[&octets(b"de.kasse.app"), &integer(12)]);
    sequence(&[&set(&[package]), &set(&[octets(&[9; 32])])])
}

fn root_of_trust(locked: &[u8], state: u8) -> Vec<u8> {
    sequence(&[
        &octets(&[5; 32]),
        &element(0x01, locked),
        &element(0x0a, &[state]),
        &octets(&[6; 32]),
    ])
}

fn attestation_extension(description: &[u8]) -> Vec<u8> {
    writer::extension("1.3.6.1.4.1.11129.2.1.17", false, description)
}

/// Root, intermediate, attestation key, leaf; from the leaf.
fn templates(description: &[u8]) -> Vec<(Template, u8)> {
    let mut leaf = end_entity(&name("Android Keystore Key"), DEVICE, &titled("attestation", "TEE"));
    leaf.extensions.push(attestation_extension(description));
    // What devices write there.
    leaf.not_before = UnixTime(0);
    leaf.not_after = UnixTime(1);
    vec![
        (leaf, ATTESTATION),
        (
            authority(&titled("attestation", "TEE"), ATTESTATION, &name("intermediate")),
            INTERMEDIATE,
        ),
        (authority(&name("intermediate"), INTERMEDIATE, &name("root")), ROOT),
        (authority(&name("root"), ROOT, &name("root")), ROOT),
    ]
}

fn chain_of(templates: &[(Template, u8)]) -> Vec<Vec<u8>> {
    templates.iter().map(|(template, by)| signed(template, *by)).collect()
}

fn roots() -> Roots {
    let root = signed(&authority(&name("root"), ROOT, &name("root")), ROOT);
    Roots::of(&[&root]).unwrap()
}

fn verdict_of(chain: &[Vec<u8>]) -> Result<AndroidFacts, AndroidError> {
    verify(chain, &CHALLENGE, key(DEVICE).public_key(), &roots(), None, NOW)
}

fn verdict(parts: &Parts) -> Result<AndroidFacts, AndroidError> {
    verdict_of(&chain_of(&templates(&parts.der())))
}

/// The verdict on a sound description in a chain changed in one point.
fn chain_verdict(change: impl FnOnce(&mut Vec<(Template, u8)>)) -> Result<(), AndroidError> {
    let mut templates = templates(&Parts::sound().der());
    change(&mut templates);
    verdict_of(&chain_of(&templates)).map(|_| ())
}

#[test]
fn a_sound_attestation_is_verified_whatever_the_leafs_dates_are() {
    let facts = verdict(&Parts::sound()).unwrap();
    let list = &facts.description.hardware_enforced;
    assert_eq!(
        list.root_of_trust().unwrap().verified_boot_state,
        VerifiedBootState::Verified
    );
    let id = facts.description.software_enforced.application_id().unwrap();
    let package = Package {
        name: "de.kasse.app".into(),
        version: 12,
    };
    let expected = ApplicationId {
        packages: vec![package],
        signatures: vec![vec![9; 32]],
    };
    assert_eq!(*id, expected);
    assert_eq!((facts.listed, facts.status_list_fetched_at), (None, None));
}

#[test]
fn google_roots_are_two_and_apples_is_no_root_of_android() {
    assert_eq!(format!("{:?}", Roots::google()), "Roots(2)");
    let chain = chain_of(&templates(&Parts::sound().der()));
    for roots in [Roots::google(), Roots::default()] {
        let refused = verify(&chain, &CHALLENGE, key(DEVICE).public_key(), &roots, None, NOW).unwrap_err();
        assert_eq!(refused, AndroidError::Chain(ChainError::UnknownRoot));
    }
    assert!(Roots::of(&[b"no certificate"]).is_none());
}

#[test]
fn a_chain_with_one_defect_is_refused_by_name() {
    let chain = |error| Err(AndroidError::Chain(error));
    assert_eq!(chain_verdict(|_| ()), Ok(()));
    assert_eq!(
        chain_verdict(|t| t[1].0.not_after = NOW.minus_seconds(1)),
        chain(ChainError::Expired { index: 1 })
    );
    assert_eq!(
        chain_verdict(|t| t[2].0.not_before = NOW.plus_seconds(1)),
        chain(ChainError::NotYetValid { index: 2 })
    );
    assert_eq!(
        chain_verdict(|t| t[3].0.not_after = NOW.minus_seconds(DAY)),
        Ok(()),
        "an anchor has no dates"
    );
    assert_eq!(
        chain_verdict(|t| t[0].0.issuer = name("other")),
        chain(ChainError::IssuerName { index: 0 })
    );
    assert_eq!(
        chain_verdict(|t| t[2].0.issuer = name("other")),
        chain(ChainError::UnknownRoot)
    );
    assert_eq!(chain_verdict(|t| t[0].1 = 9), chain(ChainError::Signature { index: 0 }));
    assert_eq!(chain_verdict(|t| t[2].1 = 9), chain(ChainError::Signature { index: 2 }));
    assert_eq!(
        chain_verdict(|t| t[3] = (authority(&name("root"), 9, &name("root")), 9)),
        chain(ChainError::Signature { index: 3 }),
        "a root of the same name with another key is no copy of ours"
    );
    assert_eq!(
        chain_verdict(|t| t[2].0.extensions = vec![writer::basic_constraints(false)]),
        chain(ChainError::NotAnAuthority { index: 2 })
    );
    assert_eq!(
        chain_verdict(|t| t[2].0.extensions.clear()),
        chain(ChainError::NotAnAuthority { index: 2 })
    );
    assert_eq!(
        chain_verdict(|t| t[2].0.extensions[1] = writer::key_usage(writer::DIGITAL_SIGNATURE)),
        chain(ChainError::NotAnAuthority { index: 2 })
    );
    assert_eq!(
        chain_verdict(|t| t[2].0.extensions[0] = writer::basic_constraints(true)),
        chain(ChainError::NotAnAuthority { index: 2 }),
        "a path length of 0 admits no attestation key below it"
    );
    assert_eq!(
        chain_verdict(|t| t[1].0.extensions = vec![writer::basic_constraints(false)]),
        Ok(()),
        "some real devices say so of the attestation key"
    );
    let critical = |id: &str| writer::extension(id, true, &[0x05, 0x00]);
    assert_eq!(
        chain_verdict(|t| t[1].0.extensions.push(critical("1.2.3.4"))),
        chain(ChainError::CriticalExtension { index: 1 })
    );
    assert_eq!(
        chain_verdict(|t| t[1].0.extensions.push(writer::basic_constraints(true))),
        chain(ChainError::Malformed { index: 1 }),
        "an extension twice"
    );
}

#[test]
fn a_chain_of_the_wrong_length_or_of_no_certificates_is_refused() {
    let chain = chain_of(&templates(&Parts::sound().der()));
    let refused = |chain: &[Vec<u8>]| verdict_of(chain).unwrap_err();
    assert_eq!(refused(&[]), AndroidError::Chain(ChainError::Length));
    assert_eq!(refused(&chain[..1]), AndroidError::Chain(ChainError::Length));
    let long = vec![chain[0].clone(); MAX_CERTIFICATES + 1];
    assert_eq!(refused(&long), AndroidError::Chain(ChainError::Length));
    for (index, bytes) in [
        (0, Vec::new()),
        (1, vec![0x30, 0x00]),
        (2, vec![0; MAX_CERTIFICATE_BYTES + 1]),
        (3, [&chain[3][..], &[0]].concat()),
    ] {
        let mut broken = chain.clone();
        broken[index] = bytes;
        assert_eq!(refused(&broken), AndroidError::Chain(ChainError::Malformed { index }));
    }
}

/// Any other algorithm, ML-DSA among them, ends here; and the name outside the signature must be the one inside.
#[test]
fn an_algorithm_that_is_not_needed_is_refused_by_name() {
    const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let chain = chain_of(&templates(&Parts::sound().der()));
    for (index, last) in [(0, 0x03), (1, 0x03), (1, 0x01), (2, 0x04)] {
        let mut forged = chain.clone();
        let places = forged[index].len() - 8;
        let outer = (0..places).rfind(|place| forged[index][*place..].starts_with(ECDSA_WITH_SHA256));
        let outer = outer.unwrap();
        forged[index][outer + 7] = last;
        assert_eq!(
            verdict_of(&forged).unwrap_err(),
            AndroidError::Chain(ChainError::Algorithm { index })
        );
    }
    // A leaf whose issuer's key is of a kind that signs nothing here.
    let mut templates = templates(&Parts::sound().der());
    let ml_dsa = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12];
    let algorithm = sequence(&[&element(0x06, &ml_dsa)]);
    templates[1].0.spki = sequence(&[&algorithm, &element(0x03, &[0; 1953])]);
    assert_eq!(
        verdict_of(&chain_of(&templates)).unwrap_err(),
        AndroidError::Chain(ChainError::Algorithm { index: 0 })
    );
}

/// The extended chain: an app uses its own attested key to attest another key, of which anything can be said.
#[test]
fn an_attested_key_cannot_attest() {
    let mut templates = templates(&Parts::sound().der());
    let mut forged = end_entity(&name("Android Keystore Key"), 5, &name("Android Keystore Key"));
    forged.extensions.push(attestation_extension(&Parts::sound().der()));
    // Dates that count now, because the attested leaf stands where an attestation key stands.
    templates[0].0.not_before = NOW.minus_seconds(DAY);
    templates[0].0.not_after = NOW.plus_seconds(DAY);
    templates.insert(0, (forged, DEVICE));
    let verdict = verify(
        &chain_of(&templates),
        &CHALLENGE,
        key(5).public_key(),
        &roots(),
        None,
        NOW,
    );
    assert_eq!(verdict.unwrap_err(), AndroidError::ExtensionAboveLeaf { index: 1 });

    // Nor one level further down, where the attested key would have to be an authority.
    let mut deeper = end_entity(&name("deeper"), 6, &name("Android Keystore Key"));
    deeper.extensions.push(attestation_extension(&Parts::sound().der()));
    templates[0].0.extensions.clear();
    templates.insert(0, (deeper, 5));
    let verdict = verify(
        &chain_of(&templates),
        &CHALLENGE,
        key(6).public_key(),
        &roots(),
        None,
        NOW,
    );
    assert_eq!(
        verdict.unwrap_err(),
        AndroidError::Chain(ChainError::NotAnAuthority { index: 2 })
    );
}

#[test]
fn the_extension_must_be_in_the_leaf() {
    let mut templates = templates(&Parts::sound().der());
    let extension = templates[0].0.extensions.pop().unwrap();
    assert_eq!(
        verdict_of(&chain_of(&templates)).unwrap_err(),
        AndroidError::ExtensionMissing
    );
    templates[2].0.extensions.push(extension);
    assert_eq!(
        verdict_of(&chain_of(&templates)).unwrap_err(),
        AndroidError::ExtensionAboveLeaf { index: 2 }
    );
}

#[test]
fn challenge_and_key_are_bound() {
    let chain = chain_of(&templates(&Parts::sound().der()));
    let verdict = |challenge, number| verify(&chain, challenge, key(number).public_key(), &roots(), None, NOW);
    assert!(verdict(&CHALLENGE, DEVICE).is_ok());
    assert_eq!(verdict(&[8; 32], DEVICE).unwrap_err(), AndroidError::Challenge);
    assert_eq!(verdict(&CHALLENGE, 5).unwrap_err(), AndroidError::Key);
    for challenge in [vec![], vec![7; 31], vec![7; 33]] {
        let parts = Parts::sound().with_head(4, octets(&challenge));
        let chain = chain_of(&templates(&parts.der()));
        let refused = verify(&chain, &CHALLENGE, key(DEVICE).public_key(), &roots(), None, NOW);
        assert_eq!(refused.unwrap_err(), AndroidError::Challenge);
    }
}

#[test]
fn a_key_the_hardware_did_not_make_to_sign_is_refused() {
    let sound = Parts::sound;
    for (parts, error, why) in [
        (
            sound().with_head(1, element(0x0a, &[0])),
            AndroidError::SoftwareOnly,
            "attested by software",
        ),
        (
            sound().with_head(3, element(0x0a, &[0])),
            AndroidError::SoftwareOnly,
            "kept by software",
        ),
        (
            sound().with_head(1, element(0x0a, &[2])),
            AndroidError::LevelNotCertified,
            "a TEE says StrongBox",
        ),
        (
            sound().with_head(3, element(0x0a, &[2])),
            AndroidError::LevelNotCertified,
            "a TEE says StrongBox",
        ),
        (sound().without_hardware(702), AndroidError::Origin, "no origin"),
        (sound().with_hardware(702, integer(1)), AndroidError::Origin, "derived"),
        (sound().with_hardware(702, integer(2)), AndroidError::Origin, "imported"),
        (
            sound().with_hardware(702, integer(4)),
            AndroidError::Origin,
            "securely imported",
        ),
        (sound().without_hardware(1), AndroidError::Purpose, "no purpose"),
        (
            sound().with_hardware(1, set(&[integer(3)])),
            AndroidError::Purpose,
            "verify only",
        ),
        (
            sound().with_hardware(1, set(&[integer(2), integer(7)])),
            AndroidError::Purpose,
            "may attest keys",
        ),
        (
            sound().with_hardware(1, set(&[integer(2), integer(6)])),
            AndroidError::Purpose,
            "may agree on keys",
        ),
        (sound().with_hardware(2, integer(1)), AndroidError::Algorithm, "RSA"),
        (sound().without_hardware(2), AndroidError::Algorithm, "no algorithm"),
        (sound().with_hardware(10, integer(2)), AndroidError::Algorithm, "P-384"),
        (
            sound().with_hardware(10, integer(4)),
            AndroidError::Algorithm,
            "curve 25519",
        ),
        (
            sound().without_hardware(10).with_hardware(3, integer(384)),
            AndroidError::Algorithm,
            "neither curve nor size",
        ),
    ] {
        assert_eq!(verdict(&parts).unwrap_err(), error, "{why}");
    }
    // What the system says about them does not help.
    let mut moved = sound().without_hardware(702);
    moved.software.push((702, integer(0)));
    moved.software.sort_by_key(|(number, _)| *number);
    assert_eq!(verdict(&moved).unwrap_err(), AndroidError::Origin);
    assert!(
        verdict(&sound().without_hardware(10)).is_ok(),
        "before version 3 there was no curve"
    );
    assert!(verdict(&sound().with_hardware(1, set(&[integer(3), integer(2)]))).is_ok());
}

#[test]
fn strong_box_is_believed_of_keys_certified_for_it() {
    let parts = Parts::sound()
        .with_head(1, element(0x0a, &[2]))
        .with_head(3, element(0x0a, &[2]));
    let mut templates = templates(&parts.der());
    let strong_box = titled("attestation", "StrongBox");
    templates[0].0.issuer.clone_from(&strong_box);
    templates[1].0.subject = strong_box;
    let facts = verdict_of(&chain_of(&templates)).unwrap();
    assert_eq!(facts.description.security_level(), SecurityLevel::StrongBox);
}

#[test]
fn the_status_list_is_asked_about_everything_above_the_leaf() {
    let chain = chain_of(&templates(&Parts::sound().der()));
    let facts = |serial: u8| {
        let text = format!(r#"{{"entries":{{"{serial:x}":{{"status":"REVOKED"}}}}}}"#);
        let list = StatusList::parse(text.as_bytes(), NOW).unwrap();
        verify(&chain, &CHALLENGE, key(DEVICE).public_key(), &roots(), Some(&list), NOW).unwrap()
    };
    for serial in [ATTESTATION, INTERMEDIATE, ROOT] {
        assert!(facts(serial).listed.is_some(), "{serial}");
    }
    assert!(facts(DEVICE).listed.is_none(), "every leaf has the same number");
    assert_eq!(facts(9).status_list_fetched_at, Some(NOW));
}

#[test]
fn provisioning_info_is_read_or_refused() {
    let verdict = |cbor: &[u8]| {
        let mut templates = templates(&Parts::sound().der());
        let extension = writer::extension("1.3.6.1.4.1.11129.2.1.30", false, cbor);
        templates[1].0.extensions.push(extension);
        verdict_of(&chain_of(&templates)).map(|facts| facts.provisioning.map(|info| info.certificates_issued))
    };
    assert_eq!(verdict(b"\xa1\x01\x18\x20"), Ok(Some(32)));
    for cbor in [
        &b""[..],
        b"\xa0",
        b"\xa1\x02\x01",
        b"\xa1\x01\x20",
        b"\xa1\x01\x61a",
        b"\x01",
        b"\xa1\x01\x01\x00",
    ] {
        assert_eq!(verdict(cbor), Err(AndroidError::ProvisioningInfo), "{cbor:x?}");
    }
}

#[test]
fn nothing_that_identifies_a_device_is_printed() {
    let parts = Parts::sound()
        .with_head(5, octets(b"unique-id-of-one"))
        .with_hardware(714, octets(b"490154203237518"));
    let printed = format!("{:?}", verdict(&parts).unwrap());
    let as_numbers = |text: &str| text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    for secret in ["490154203237518", "unique-id-of-one"] {
        assert!(
            !printed.contains(secret) && !printed.contains(&as_numbers(secret)),
            "{printed}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = KeyDescription::parse(&bytes);
        let _ = Certificate::parse(&bytes);
        let _ = provisioning_info(&bytes);
    }

    #[test]
    fn a_description_with_any_byte_changed_is_read_without_panic(place in 0_usize..400, byte in any::<u8>()) {
        let mut der = Parts::sound().der();
        let place = place % der.len();
        der[place] = byte;
        let _ = KeyDescription::parse(&der);
    }
}
