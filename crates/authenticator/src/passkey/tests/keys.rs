//! Keys of passkeys, and what is kept of them.

use jose::SoftwareKey;

use super::super::soft::{Attests, Soft, SoftKey, bytes, cose, number, rsa};
use super::super::*;
use super::attempt;
use crate::device::{DeviceKey, MAX_KEPT_ID_BYTES, MAX_KEPT_ID_BYTES_WITH_RSA};

#[test]
fn a_p256_key_has_one_form() {
    let (x, y) = (bytes(&[1; 32]), bytes(&[2; 32]));
    let right = SoftwareKey::generate("k").unwrap();
    let (own_x, own_y) = (bytes(right.public_key().x()), bytes(right.public_key().y()));
    let members = |kind, algorithm, curve, x: &Vec<u8>, y: &Vec<u8>| {
        vec![
            (1, number(kind)),
            (3, number(algorithm)),
            (-1, number(curve)),
            (-2, x.clone()),
            (-3, y.clone()),
        ]
    };
    let mut more = members(2, -7, 1, &own_x, &own_y);
    more.push((4, vec![0x80]));
    for (why, cose_key) in [
        ("no key type EC2", cose(&members(1, -7, 1, &own_x, &own_y))),
        ("ES384", cose(&members(2, -35, 1, &own_x, &own_y))),
        ("P-384", cose(&members(2, -7, 2, &own_x, &own_y))),
        ("no point of the curve", cose(&members(2, -7, 1, &x, &y))),
        ("a short coordinate", cose(&members(2, -7, 1, &bytes(&[1; 31]), &own_y))),
        ("a compressed point", cose(&members(2, -7, 1, &own_x, &vec![0xf5]))),
        ("a member more", cose(&more)),
        ("a member less", cose(&members(2, -7, 1, &own_x, &own_y)[..4])),
        ("no map", bytes(b"key")),
    ] {
        let refused = attempt(|soft| soft.cose = Some(cose_key));
        assert_eq!(refused.unwrap_err(), PasskeyError::Algorithm, "{why}");
    }
}

#[test]
fn an_rsa_key_has_one_form_and_one_length() {
    let n = SoftKey::modulus(rsa());
    let mut even = n.clone();
    even[255] &= 0xfe;
    let short: Vec<u8> = [&[0x7f], &n[1..]].concat();
    let zero_first = [&[0], &n[..]].concat();
    let members = |kind, algorithm, n: &[u8], e: &[u8]| {
        vec![
            (1, number(kind)),
            (3, number(algorithm)),
            (-1, bytes(n)),
            (-2, bytes(e)),
        ]
    };
    let right = members(3, -257, &n, &[1, 0, 1]);
    assert!(
        attempt(|soft| {
            soft.attests = Attests::None;
            soft.cose = Some(cose(&right));
        })
        .is_ok()
    );
    let mut more = right.clone();
    more.push((4, vec![0x80]));
    for (why, cose_key) in [
        ("no key type RSA", cose(&members(2, -257, &n, &[1, 0, 1]))),
        ("RS1", cose(&members(3, -65_535, &n, &[1, 0, 1]))),
        ("RS384", cose(&members(3, -258, &n, &[1, 0, 1]))),
        ("PS256", cose(&members(3, -37, &n, &[1, 0, 1]))),
        ("exponent 3", cose(&members(3, -257, &n, &[3]))),
        ("a padded exponent", cose(&members(3, -257, &n, &[0, 1, 0, 1]))),
        ("no exponent", cose(&members(3, -257, &n, &[]))),
        ("an even modulus", cose(&members(3, -257, &even, &[1, 0, 1]))),
        ("2047 bits", cose(&members(3, -257, &short, &[1, 0, 1]))),
        ("1024 bits", cose(&members(3, -257, &n[..128], &[1, 0, 1]))),
        (
            "3072 bits",
            cose(&members(3, -257, &[&n[..], &n[..128]].concat(), &[1, 0, 1])),
        ),
        (
            "4096 bits",
            cose(&members(3, -257, &[&n[..], &n[..]].concat(), &[1, 0, 1])),
        ),
        ("a leading zero", cose(&members(3, -257, &zero_first, &[1, 0, 1]))),
        ("no modulus", cose(&members(3, -257, &[], &[1, 0, 1]))),
        ("a member more", cose(&more)),
        ("a member less", cose(&right[..3])),
    ] {
        let refused = attempt(|soft| {
            soft.attests = Attests::None;
            soft.cose = Some(cose_key);
        });
        assert_eq!(refused.unwrap_err(), PasskeyError::Algorithm, "{why}");
    }
}

#[test]
fn an_rsa_key_vouches_for_itself_with_its_own_algorithm() {
    let own = attempt(|soft| {
        soft.key = SoftKey::Rsa(rsa());
        soft.attests = Attests::Itself;
    });
    assert_eq!(own.unwrap().failed, [Check::AttestationFormat]);
}

fn with_id(key: fn() -> SoftKey, length: usize) -> DeviceKey {
    let made = |soft: &mut Soft| {
        soft.key = key();
        soft.attests = Attests::None;
        soft.id = vec![0x1d; length];
    };
    attempt(made).unwrap().device
}

#[test]
fn an_identifier_is_kept_whole_where_there_is_room_for_it() {
    let rsa_key = || SoftKey::Rsa(rsa());
    for (key, most) in [
        (SoftKey::p256 as fn() -> SoftKey, MAX_KEPT_ID_BYTES),
        (rsa_key, MAX_KEPT_ID_BYTES_WITH_RSA),
    ] {
        let whole = with_id(key, most);
        assert_eq!(
            whole.credential_id(),
            Some(&*jose::base64url::encode(&vec![0x1d; most]))
        );
        for length in [most + 1, MAX_CREDENTIAL_ID_BYTES] {
            assert_eq!(with_id(key, length).credential_id(), None);
        }
    }
}

#[test]
fn a_record_of_a_passkey_reads_back_and_fits_its_row() {
    // `vault::MAX_DEVICE_BYTES`, which this room does not know.
    const ROOM: usize = 1_014;
    let rsa_key = || SoftKey::Rsa(rsa());
    for (key, id) in [
        (SoftKey::p256 as fn() -> SoftKey, MAX_KEPT_ID_BYTES),
        (rsa_key, MAX_KEPT_ID_BYTES_WITH_RSA),
        (rsa_key, MAX_CREDENTIAL_ID_BYTES),
    ] {
        let mut device = with_id(key, id);
        // The longest a record is in JSON: a name of characters of four bytes, handles of three digits each.
        device.name = "𝄞".repeat(crate::device::MAX_NAME_CHARS);
        device.class = "passkey-own-pages".to_owned();
        (device.device_id, device.person_id) = ([255; 16], [255; 16]);
        device.counter = u32::MAX.into();
        let text = serde_json::to_string(&device).unwrap();
        assert!(serde_json::from_str::<DeviceKey>(&text).unwrap() == device);
        assert!(text.len() <= ROOM, "{}", text.len());
    }
}

#[test]
fn a_record_from_before_identifiers_were_kept_still_reads() {
    let device = with_id(SoftKey::p256, 32);
    let mut old = serde_json::to_value(&device).unwrap();
    let record = old["passkey"].as_object_mut().unwrap();
    record.remove("id");
    record.insert(
        "credential".to_owned(),
        jose::base64url::encode(&hash(&[&[0x1d; 32]])).into(),
    );
    let old: DeviceKey = serde_json::from_value(old).unwrap();
    assert!(old.credential_id().is_none() && old.passkey().unwrap().is_of(&[0x1d; 32]));
    assert!(!old.passkey().unwrap().is_of(&[0x1e; 32]));
}
