//! Phones whose maker vouches for their keys: attestations of Android and Apple under authorities of our own, made at test time, wrong in one point
//! where a test wants it.

use std::sync::Arc;

use authenticator::attestation::policy::{AndroidApp, AppleApp, AttestationPolicy};
use authenticator::policy::AuthenticationPolicy;
use jose::jwk::P256PublicKey;
use jose::{SoftwareKey, UnixTime, base64url};
use provider::{DeviceAttestation, DeviceTrust};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::Challenged;
use super::clock::NOW;
use super::pki::DAY;
use super::pki::x509::{self, IssuerKey, Template, element, sequence};

const TITLE: x509_cert::der::asn1::ObjectIdentifier = x509_cert::der::asn1::ObjectIdentifier::new_unwrap("2.5.4.12");
const PACKAGE: &str = "de.kasse.app";
const SIGNER: [u8; 32] = [9; 32];

fn key(number: u8) -> IssuerKey {
    IssuerKey::P256(Box::new(SoftwareKey::from_scalar("phones", &[number; 32]).unwrap()))
}

fn name(text: &str) -> Vec<u8> {
    x509::name(&[(x509::COMMON_NAME, text)])
}

fn template(serial: u8, subject: Vec<u8>, issuer: Vec<u8>, spki: Vec<u8>, authority: bool) -> Template {
    let extensions = if authority {
        vec![
            x509::extension("2.5.29.19", true, &sequence(&[&element(0x01, &[0xff])])),
            x509::key_usage(x509::CERTIFICATE_AND_LIST_SIGN),
        ]
    } else {
        Vec::new()
    };
    Template {
        serial: vec![serial],
        issuer,
        not_before: NOW.minus_seconds(DAY),
        not_after: NOW.plus_seconds(90 * DAY),
        subject,
        spki,
        extensions,
    }
}

/// The root of both makers, serial number 1.
fn root() -> Vec<u8> {
    let root = template(1, name("root"), name("root"), key(21).spki(), true);
    x509::certificate(&root, &key(21)).unwrap()
}

/// What an insurer with an app on both platforms demands, and whom it believes: the makers, and the authority of these phones. `listed`: serial
/// numbers of attestation keys on the status list, which was fetched an hour ago.
pub fn attestation(listed: &[u8], change: impl FnOnce(&mut AttestationPolicy)) -> (DeviceAttestation, TempDir) {
    let mut policy = AttestationPolicy {
        android_apps: vec![AndroidApp {
            package: PACKAGE.to_owned(),
            signing_digests: vec!["09".repeat(32)],
            min_version: 10,
            excluded_versions: vec![11],
        }],
        apple_apps: vec![AppleApp {
            team_id: "0352187391".to_owned(),
            bundle_id: PACKAGE.to_owned(),
        }],
        ..AttestationPolicy::default()
    };
    change(&mut policy);
    policy.check(&AuthenticationPolicy::default()).unwrap();
    let entries: serde_json::Map<String, Value> = listed
        .iter()
        .map(|serial| (format!("{serial:x}"), json!({"status": "REVOKED"})))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("status.json");
    std::fs::write(&path, json!({ "entries": entries }).to_string()).unwrap();
    let fetched = std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW.0 - 3_600);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(fetched).unwrap();
    let trust = DeviceTrust::new(&[root()], &[root()], Some(path)).unwrap();
    let attestation = DeviceAttestation {
        policy,
        trust: Arc::new(trust),
    };
    (attestation, directory)
}

/// What is attested over in this login.
pub fn challenge(challenged: &Challenged) -> [u8; 32] {
    let login_id = base64url::decode(&challenged.login_id()).unwrap();
    Sha256::new()
        .chain_update(b"healthid/device-attestation/v1\0")
        .chain_update(login_id)
        .finalize()
        .into()
}

fn tagged(number: u32, content: &[u8]) -> Vec<u8> {
    if number < 31 {
        return element(0xa0 | u8::try_from(number).unwrap(), content);
    }
    let digits = [
        0x80 | u8::try_from(number >> 7).unwrap(),
        u8::try_from(number & 0x7f).unwrap(),
    ];
    let body = element(0xbf, content);
    [&[0xbf][..], &digits, &body[1..]].concat()
}

fn integer(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let mut digits: Vec<u8> = bytes.iter().skip_while(|byte| **byte == 0).copied().collect();
    if digits.first().is_none_or(|first| *first >= 0x80) {
        digits.insert(0, 0);
    }
    element(0x02, &digits)
}

fn set(member: &[u8]) -> Vec<u8> {
    element(0x31, member)
}

/// An Android phone; sound as it comes: a secure element, verified boot, patched this month, asking its user each time.
pub struct Android {
    /// 1: trusted execution environment, 2: `StrongBox`.
    pub level: u8,
    pub locked: bool,
    pub boot_state: u8,
    pub patch_level: u64,
    pub app_version: u64,
    pub unlocking: bool,
    /// Key that signs the leaf in place of the attestation key.
    pub signer: u8,
    /// Name of the root above.
    pub root: &'static str,
    pub until: UnixTime,
}

impl Android {
    pub fn sound() -> Self {
        Self {
            level: 2,
            locked: true,
            boot_state: 0,
            patch_level: 202_611,
            app_version: 12,
            unlocking: true,
            signer: 23,
            root: "root",
            until: NOW.plus_seconds(10 * DAY),
        }
    }

    fn description(&self, challenge: &[u8; 32]) -> Vec<u8> {
        let octets = |bytes: &[u8]| element(0x04, bytes);
        let package = sequence(&[&octets(PACKAGE.as_bytes()), &integer(self.app_version)]);
        let application = octets(&sequence(&[&set(&package), &set(&octets(&SIGNER))]));
        let root_of_trust = sequence(&[
            &octets(&[5; 32]),
            &element(0x01, &[if self.locked { 0xff } else { 0x00 }]),
            &element(0x0a, &[self.boot_state]),
            &octets(&[6; 32]),
        ]);
        let unlocking = if self.unlocking {
            tagged(504, &integer(2))
        } else {
            tagged(503, &[0x05, 0x00])
        };
        let hardware = [
            tagged(1, &set(&integer(2))),
            tagged(2, &integer(3)),
            tagged(3, &integer(256)),
            tagged(10, &integer(1)),
            unlocking,
            tagged(702, &integer(0)),
            tagged(704, &root_of_trust),
            tagged(706, &integer(self.patch_level)),
        ];
        let level = element(0x0a, &[self.level]);
        sequence(&[
            &integer(300),
            &level,
            &integer(300),
            &level,
            &octets(challenge),
            &octets(&[]),
            &sequence(&[&tagged(709, &application)]),
            &sequence(&[&hardware.concat()]),
        ])
    }

    /// Member `attestation` of a binding. Serial numbers: root 1, intermediate 2, attestation key 3.
    pub fn attests(&self, challenge: &[u8; 32], device: &P256PublicKey) -> Value {
        let title = if self.level == 2 { "StrongBox" } else { "TEE" };
        let attester = x509::name(&[(TITLE, title), (x509::COMMON_NAME, "attestation")]);
        let mut leaf = template(1, name("key"), attester.clone(), device.to_spki_der(), false);
        let description = self.description(challenge);
        leaf.extensions
            .push(x509::extension("1.3.6.1.4.1.11129.2.1.17", false, &description));
        let mut attestation_key = template(3, attester, name("intermediate"), key(23).spki(), true);
        attestation_key.not_after = self.until;
        let intermediate = template(2, name("intermediate"), name(self.root), key(22).spki(), true);
        let chain = [(leaf, self.signer), (attestation_key, 22), (intermediate, 21)]
            .map(|(template, by)| base64url::encode(&x509::certificate(&template, &key(by)).unwrap()));
        json!({"format": "android-key", "chain": chain})
    }
}

/// An iPhone with the insurer's app; sound as it comes.
pub struct Apple {
    pub app: &'static str,
    pub environment: &'static [u8; 16],
    pub counter: u32,
}

impl Apple {
    pub fn sound() -> Self {
        Self {
            app: "0352187391.de.kasse.app",
            environment: b"appattest\0\0\0\0\0\0\0",
            counter: 0,
        }
    }

    /// Member `attestation` of a binding.
    pub fn attests(&self, challenge: &[u8; 32], device: &P256PublicKey) -> Value {
        let app_attest = SoftwareKey::from_scalar("app-attest", &[24; 32]).unwrap();
        let credential = Sha256::digest(app_attest.public_key().to_uncompressed());
        let data = [
            &Sha256::digest(self.app)[..],
            &[0x40],
            &self.counter.to_be_bytes(),
            self.environment,
            &[0, 32],
            &credential,
            b"\xa0",
        ]
        .concat();
        let client_data = Sha256::digest([&challenge[..], &device.to_uncompressed()].concat());
        let nonce = Sha256::digest([&data[..], &client_data].concat());
        let mut leaf = template(
            4,
            name("credential"),
            name("intermediate"),
            app_attest.public_key().to_spki_der(),
            false,
        );
        let nonce = sequence(&[&element(0xa1, &element(0x04, &nonce))]);
        leaf.extensions
            .push(x509::extension("1.2.840.113635.100.8.2", false, &nonce));
        let intermediate = template(2, name("intermediate"), name("root"), key(22).spki(), true);
        let chain = [(leaf, 22), (intermediate, 21)].map(|(template, by)| {
            let der = x509::certificate(&template, &key(by)).unwrap();
            cbor(2, &der)
        });
        let statement = [
            vec![0xa2],
            cbor(3, b"x5c"),
            vec![0x82],
            chain.concat(),
            cbor(3, b"receipt"),
            cbor(2, b"receipt"),
        ]
        .concat();
        let object = [
            vec![0xa3],
            cbor(3, b"fmt"),
            cbor(3, b"apple-appattest"),
            cbor(3, b"attStmt"),
            statement,
            cbor(3, b"authData"),
            cbor(2, &data),
        ]
        .concat();
        json!({"format": "apple-app-attest", "object": base64url::encode(&object)})
    }
}

/// A byte string (major type 2) or a text (3).
fn cbor(major: u8, content: &[u8]) -> Vec<u8> {
    let major = major << 5;
    let head = match u16::try_from(content.len()).unwrap() {
        small @ 0..=23 => vec![major | u8::try_from(small).unwrap()],
        byte @ 24..=0xff => vec![major | 24, u8::try_from(byte).unwrap()],
        two => [&[major | 25][..], &two.to_be_bytes()].concat(),
    };
    [head, content.to_vec()].concat()
}
