//! Objects and assertions under an authority of our own, each wrong in one point.
//!
//! No object of a real device is among them: none came with a library we use. What is shown is that the checks of
//! Apple's guide are made, not that Apple's encoding has no surprise.
#![allow(clippy::unwrap_used)]
use jose::Signer as _;
use proptest::prelude::*;

use super::assertion::{AttestedApp, MAX_ASSERTION_BYTES, verify_assertion};
use super::*;
use crate::attestation::test_pki::{
    DAY, NOW, Template, authority, element, end_entity, key, name, octets, sequence, signed, writer,
};
use crate::attestation::{AttestationError, Facts, Statement, Trust, verify};

const ROOT: u8 = 1;
const INTERMEDIATE: u8 = 2;
const APP_ATTEST: u8 = 4;
const DEVICE: u8 = 5;
const CHALLENGE: [u8; 32] = [7; 32];
const APP: &[u8] = b"0352187391.de.kasse.app";

fn head(major: u8, length: usize) -> Vec<u8> {
    let major = major << 5;
    match u16::try_from(length).unwrap() {
        small @ 0..=23 => vec![major | u8::try_from(small).unwrap()],
        byte @ 24..=0xff => vec![major | 24, u8::try_from(byte).unwrap()],
        two => [&[major | 25][..], &two.to_be_bytes()].concat(),
    }
}

fn text(text: &str) -> Vec<u8> {
    [head(3, text.len()), text.as_bytes().to_vec()].concat()
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    [head(2, bytes.len()), bytes.to_vec()].concat()
}

fn map(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let members = members.iter().map(|(name, value)| [text(name), value.clone()].concat());
    [head(5, members.len()), members.collect::<Vec<_>>().concat()].concat()
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, items.len()), items.concat()].concat()
}

/// What an object is made of; a test changes one part.
struct Parts {
    format: &'static str,
    client_data: Vec<u8>,
    rp_id_hash: [u8; 32],
    flags: u8,
    counter: u32,
    aaguid: [u8; 16],
    credential_id: Vec<u8>,
    /// `None`: the extension the nonce of the other parts demands.
    nonce_extension: Option<Vec<u8>>,
    leaf: Template,
    intermediate: Template,
}

impl Parts {
    fn sound() -> Self {
        let point = key(APP_ATTEST).public_key().to_uncompressed();
        Self {
            format: FORMAT,
            client_data: client_data(&CHALLENGE, key(DEVICE).public_key()),
            rp_id_hash: sha256(&[APP]),
            flags: FLAG_ATTESTED,
            counter: 0,
            aaguid: *AAGUID_PRODUCTION,
            credential_id: sha256(&[&point]).to_vec(),
            nonce_extension: None,
            leaf: end_entity(&name("credential"), APP_ATTEST, &name("intermediate")),
            intermediate: authority(&name("intermediate"), INTERMEDIATE, &name("root")),
        }
    }

    fn authenticator_data(&self) -> Vec<u8> {
        let length = u16::try_from(self.credential_id.len()).unwrap();
        [
            &self.rp_id_hash[..],
            &[self.flags],
            &self.counter.to_be_bytes(),
            &self.aaguid,
            &length.to_be_bytes(),
            &self.credential_id,
            // The key in COSE form stands here; Apple's guide does not look at it.
            b"\xa0",
        ]
        .concat()
    }

    fn chain(&self, authenticator_data: &[u8]) -> Vec<Vec<u8>> {
        let mut leaf = self.leaf.clone();
        let extension = self
            .nonce_extension
            .clone()
            .unwrap_or_else(|| nonce_extension(&nonce(authenticator_data, &self.client_data)));
        if !extension.is_empty() {
            leaf.extensions.push(extension);
        }
        vec![signed(&leaf, INTERMEDIATE), signed(&self.intermediate, ROOT)]
    }

    fn object(&self) -> Vec<u8> {
        let authenticator_data = self.authenticator_data();
        let chain: Vec<Vec<u8>> = self.chain(&authenticator_data).iter().map(|der| bytes(der)).collect();
        map(&[
            ("fmt", text(self.format)),
            (
                "attStmt",
                map(&[("x5c", array(&chain)), ("receipt", bytes(b"receipt"))]),
            ),
            ("authData", bytes(&authenticator_data)),
        ])
    }
}

fn nonce_extension(nonce: &[u8]) -> Vec<u8> {
    let value = sequence(&[&element(0xa1, &octets(nonce))]);
    writer::extension("1.2.840.113635.100.8.2", false, &value)
}

fn roots() -> Roots {
    let root = signed(&authority(&name("root"), ROOT, &name("root")), ROOT);
    Roots::of(&[&root]).unwrap()
}

fn verdict(parts: &Parts) -> Result<AppleFacts, AppleError> {
    let expected = client_data(&CHALLENGE, key(DEVICE).public_key());
    verify_object(&parts.object(), &expected, &roots(), NOW)
}

fn refused(change: impl FnOnce(&mut Parts)) -> AppleError {
    let mut parts = Parts::sound();
    change(&mut parts);
    verdict(&parts).unwrap_err()
}

#[test]
fn a_sound_object_is_verified() {
    let facts = verdict(&Parts::sound()).unwrap();
    assert_eq!(facts.rp_id_hash, sha256(&[APP]));
    assert_eq!(facts.environment, Environment::Production);
    assert_eq!(facts.app_attest_key, *key(APP_ATTEST).public_key());
    let development = Parts {
        aaguid: *AAGUID_DEVELOPMENT,
        ..Parts::sound()
    };
    assert_eq!(verdict(&development).unwrap().environment, Environment::Development);
}

#[test]
fn a_statement_binds_the_device_key_and_the_challenge() {
    let statement = Statement::Apple {
        object: Parts::sound().object(),
    };
    let trust = Trust {
        android: Roots::default(),
        android_status: None,
        apple: roots(),
    };
    let verdict = |challenge, number| verify(&statement, challenge, key(number).public_key(), &trust, NOW);
    let verified = verdict(&CHALLENGE, DEVICE).unwrap();
    assert_eq!(verified.key(), key(DEVICE).public_key());
    assert_eq!(verified.challenge(), &CHALLENGE);
    assert!(matches!(verified.facts(), Facts::Apple(_)));
    let nonce = AttestationError::Apple(AppleError::Nonce);
    assert_eq!(verdict(&[8; 32], DEVICE).unwrap_err(), nonce);
    assert_eq!(verdict(&CHALLENGE, APP_ATTEST).unwrap_err(), nonce);
}

#[test]
fn apples_root_is_read_and_believes_nobody_else() {
    assert_eq!(format!("{:?}", Roots::apple()), "Roots(1)");
    let expected = client_data(&CHALLENGE, key(DEVICE).public_key());
    for roots in [Roots::apple(), Roots::default()] {
        let verdict = verify_object(&Parts::sound().object(), &expected, &roots, NOW);
        assert_eq!(verdict.unwrap_err(), AppleError::Chain(ChainError::UnknownRoot));
    }
}

#[test]
fn apples_root_has_the_published_fingerprint() {
    let pem = include_str!("../roots/apple-app-attestation.pem");
    let (_, der) = der::Document::from_pem(pem.trim_end()).unwrap();
    let fingerprint: String = sha256(&[der.as_bytes()])
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        fingerprint,
        "1cb9823ba28ba6ad2d33a006941de2ae4f513ef1d4e831b9f7e0fa7b6242c932"
    );
}

#[test]
fn objects_with_one_defect_are_refused_by_name() {
    assert_eq!(refused(|p| p.format = "packed"), AppleError::Format);
    assert_eq!(refused(|p| p.client_data = CHALLENGE.to_vec()), AppleError::Nonce);
    assert_eq!(refused(|p| p.counter = 1), AppleError::CounterAtAttestation);
    assert_eq!(refused(|p| p.aaguid = [0; 16]), AppleError::Environment);
    assert_eq!(
        refused(|p| p.aaguid = *b"appattest\0\0\0\0\0\0\x01"),
        AppleError::Environment
    );
    assert_eq!(refused(|p| p.credential_id = vec![0; 32]), AppleError::KeyIdentifier);
    assert_eq!(refused(|p| p.credential_id.truncate(31)), AppleError::KeyIdentifier);
    assert_eq!(refused(|p| p.credential_id.clear()), AppleError::KeyIdentifier);
    assert_eq!(refused(|p| p.flags = 0), AppleError::AuthenticatorData);
    assert_eq!(
        refused(|p| p.nonce_extension = Some(Vec::new())),
        AppleError::NonceMissing
    );
    assert_eq!(
        refused(|p| p.nonce_extension = Some(nonce_extension(&[0; 32]))),
        AppleError::Nonce
    );
    for value in [
        octets(&[0; 32]),
        sequence(&[]),
        sequence(&[&element(0xa2, &octets(&[0; 32]))]),
        sequence(&[&element(0x81, &[0; 32])]),
        sequence(&[&element(0xa1, &octets(&[0; 31]))]),
        sequence(&[&element(0xa1, &octets(&[0; 32])), &element(0xa1, &octets(&[0; 32]))]),
        sequence(&[&element(0xa1, &element(0x0c, &[0; 32]))]),
    ] {
        let extension = writer::extension("1.2.840.113635.100.8.2", false, &value);
        assert_eq!(
            refused(|p| p.nonce_extension = Some(extension)),
            AppleError::NonceMissing,
            "{value:x?}"
        );
    }
}

#[test]
fn chains_with_one_defect_are_refused_by_name() {
    let chain = AppleError::Chain;
    assert_eq!(
        refused(|p| p.leaf.not_after = NOW.minus_seconds(1)),
        chain(ChainError::Expired { index: 0 }),
        "the leaf's dates count here"
    );
    assert_eq!(
        refused(|p| p.leaf.not_before = NOW.plus_seconds(1)),
        chain(ChainError::NotYetValid { index: 0 })
    );
    assert_eq!(
        refused(|p| p.intermediate.not_after = NOW.minus_seconds(DAY)),
        chain(ChainError::Expired { index: 1 })
    );
    assert_eq!(
        refused(|p| p.intermediate.extensions.clear()),
        chain(ChainError::NotAnAuthority { index: 1 })
    );
    assert_eq!(
        refused(|p| p.leaf.issuer = name("other")),
        chain(ChainError::IssuerName { index: 0 })
    );
    assert_eq!(
        refused(|p| p.intermediate.issuer = name("other")),
        chain(ChainError::UnknownRoot)
    );
    assert_eq!(
        refused(|p| p.intermediate.spki = key(9).public_key().to_spki_der()),
        chain(ChainError::Signature { index: 0 })
    );
    // A certificate that another app's key signed: an App Attest key is no authority.
    let mut parts = Parts::sound();
    parts.intermediate = end_entity(&name("intermediate"), INTERMEDIATE, &name("root"));
    assert_eq!(
        verdict(&parts).unwrap_err(),
        chain(ChainError::NotAnAuthority { index: 1 })
    );
}

#[test]
fn objects_of_another_shape_are_refused() {
    let sound = Parts::sound();
    let data = sound.authenticator_data();
    let chain: Vec<Vec<u8>> = sound.chain(&data).iter().map(|der| bytes(der)).collect();
    let statement = map(&[("x5c", array(&chain)), ("receipt", bytes(b"r"))]);
    let expected = client_data(&CHALLENGE, key(DEVICE).public_key());
    let verdict = |object: &[u8]| verify_object(object, &expected, &roots(), NOW).map(|_| ());
    let format = || ("fmt", text(FORMAT));
    assert_eq!(
        verdict(&map(&[
            format(),
            ("attStmt", statement.clone()),
            ("authData", bytes(&data))
        ])),
        Ok(())
    );
    for (object, why) in [
        (
            map(&[("attStmt", statement.clone()), ("authData", bytes(&data))]),
            "no fmt",
        ),
        (map(&[format(), ("authData", bytes(&data))]), "no attStmt"),
        (map(&[format(), ("attStmt", statement.clone())]), "no authData"),
        (
            map(&[format(), ("attStmt", statement.clone()), ("authData", text("data"))]),
            "authData is text",
        ),
        (
            map(&[
                format(),
                format(),
                ("attStmt", statement.clone()),
                ("authData", bytes(&data)),
            ]),
            "fmt twice",
        ),
        (
            map(&[
                format(),
                ("attStmt", map(&[("x5c", array(&chain))])),
                ("authData", bytes(&data)),
            ]),
            "no receipt",
        ),
        (
            map(&[
                format(),
                ("attStmt", map(&[("x5c", chain[0].clone()), ("receipt", bytes(b"r"))])),
                ("authData", bytes(&data)),
            ]),
            "x5c is no array",
        ),
        (vec![0; MAX_OBJECT_BYTES + 1], "too long"),
        (Vec::new(), "nothing"),
        ([sound.object(), vec![0]].concat(), "bytes behind the end"),
    ] {
        assert_eq!(verdict(&object), Err(AppleError::Shape), "{why}");
    }
}

#[test]
fn authenticator_data_that_ends_too_early_is_refused() {
    let data = Parts::sound().authenticator_data();
    let least = 32 + 1 + 4 + 16 + 2 + 32;
    for length in 0..least {
        assert!(AuthenticatorData::parse(&data[..length]).is_err(), "{length}");
    }
    assert!(AuthenticatorData::parse(&data[..least]).is_ok());
}

#[test]
fn no_bit_of_an_object_can_be_turned() {
    let object = Parts::sound().object();
    let expected = client_data(&CHALLENGE, key(DEVICE).public_key());
    let roots = roots();
    // The receipt is not looked at, and that is all.
    let receipt = object.windows(7).position(|window| window == b"receipt").unwrap();
    let content = receipt + 8..receipt + 15;
    for place in (0..object.len()).filter(|place| !content.contains(place)) {
        let mut forged = object.clone();
        forged[place] ^= 1 << (place % 8);
        let verdict = verify_object(&forged, &expected, &roots, NOW);
        assert!(verdict.is_err(), "byte {place}");
    }
}

fn app() -> AttestedApp {
    AttestedApp {
        counter: 3,
        ..AttestedApp::new(&verdict(&Parts::sound()).unwrap())
    }
}

fn assertion_by(number: u8, app: &[u8], counter: u32, client_data: &[u8]) -> Vec<u8> {
    let data = [&sha256(&[app])[..], &[0], &counter.to_be_bytes()].concat();
    let raw = key(number).sign(&nonce(&data, client_data)).unwrap();
    let half = |bytes: &[u8]| {
        let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        let padded = digits.first().is_some_and(|first| *first >= 0x80);
        element(0x02, &[if padded { vec![0] } else { Vec::new() }, digits].concat())
    };
    let signature = sequence(&[&half(&raw[..32]), &half(&raw[32..])]);
    map(&[("signature", bytes(&signature)), ("authenticatorData", bytes(&data))])
}

#[test]
fn an_assertion_is_verified_and_tells_its_counter() {
    let assertion = assertion_by(APP_ATTEST, APP, 4, b"login");
    assert_eq!(verify_assertion(&assertion, b"login", &app()), Ok(4));
    let later = assertion_by(APP_ATTEST, APP, u32::MAX, b"login");
    assert_eq!(verify_assertion(&later, b"login", &app()), Ok(u32::MAX));
}

#[test]
fn assertions_with_one_defect_are_refused_by_name() {
    let verdict = |assertion: &[u8]| verify_assertion(assertion, b"login", &app());
    assert_eq!(
        verdict(&assertion_by(APP_ATTEST, APP, 3, b"login")),
        Err(AppleError::Counter)
    );
    assert_eq!(
        verdict(&assertion_by(APP_ATTEST, APP, 0, b"login")),
        Err(AppleError::Counter)
    );
    assert_eq!(
        verdict(&assertion_by(APP_ATTEST, APP, 4, b"other")),
        Err(AppleError::Signature)
    );
    assert_eq!(
        verdict(&assertion_by(DEVICE, APP, 4, b"login")),
        Err(AppleError::Signature)
    );
    assert_eq!(
        verdict(&assertion_by(APP_ATTEST, b"0352187391.de.other", 4, b"login")),
        Err(AppleError::AnotherApp)
    );
    assert_eq!(verdict(&vec![0; MAX_ASSERTION_BYTES + 1]), Err(AppleError::Shape));
    assert_eq!(verdict(&map(&[("signature", bytes(b"s"))])), Err(AppleError::Shape));
    assert_eq!(
        verdict(&map(&[
            ("signature", bytes(b"s")),
            ("authenticatorData", bytes(&[0; 36]))
        ])),
        Err(AppleError::AuthenticatorData)
    );
    assert_eq!(
        verdict(&map(&[
            ("signature", bytes(b"s")),
            ("authenticatorData", bytes(&[0; 37]))
        ])),
        Err(AppleError::Signature)
    );
    let mut forged = assertion_by(APP_ATTEST, APP, 4, b"login");
    let last = forged.len() - 1;
    forged[last] = 5;
    assert_eq!(
        verdict(&forged),
        Err(AppleError::Signature),
        "a counter turned up by hand"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = verify_object(&bytes, b"", &Roots::default(), NOW);
        let _ = verify_assertion(&bytes, b"", &app());
        let _ = AuthenticatorData::parse(&bytes);
    }
}
