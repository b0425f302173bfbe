//! Descriptions, each wrong in one point.
#![allow(clippy::unwrap_used)]
use super::super::application::{ApplicationId, MAX_PACKAGES};
use super::super::authorizations::{MAX_SET, MAX_TAGS, Tag, Value, VerifiedBootState};
use super::super::description::{DescriptionError, KeyDescription, MAX_CHALLENGE_BYTES, MAX_EXTENSION_BYTES};
use super::{Parts, application, root_of_trust};
use crate::attestation::test_pki::{NULL, element, integer, octets, sequence, set};

fn parsed(parts: &Parts) -> Result<KeyDescription, DescriptionError> {
    KeyDescription::parse(&parts.der())
}

#[test]
fn every_version_is_read_and_unknown_tags_are_kept() {
    for version in [1, 2, 3, 4, 100, 200, 300, 400, 500, 10_000] {
        let parts = Parts::sound().with_head(0, integer(version));
        assert_eq!(parsed(&parts).unwrap().attestation_version, version);
    }
    let unknown = sequence(&[&integer(1), &octets(b"new")]);
    let parts = Parts::sound().with_hardware(9_999_999, unknown.clone());
    let list = parsed(&parts).unwrap().hardware_enforced;
    let (tag, value) = list.iter().last().unwrap();
    assert_eq!((tag, value), (Tag(9_999_999), &Value::Unknown(unknown)));
    // Before version 3 the boot had no hash.
    let old = sequence(&[&octets(&[5; 32]), &element(0x01, &[0xff]), &element(0x0a, &[1])]);
    let list = parsed(&Parts::sound().with_hardware(704, old))
        .unwrap()
        .hardware_enforced;
    let root = list.root_of_trust().unwrap();
    assert_eq!(root.verified_boot_state, VerifiedBootState::SelfSigned);
    assert_eq!(root.verified_boot_hash, None);
}

#[test]
fn descriptions_with_one_defect_are_refused_by_name() {
    let sound = Parts::sound;
    let value = |tag| DescriptionError::Value { tag };
    let with = |tag, der: Vec<u8>| sound().with_hardware(tag, der);
    let many = |count: u64| set(&vec![integer(1); usize::try_from(count).unwrap()]);
    for (parts, error, why) in [
        (sound().with_head(0, integer(0)), DescriptionError::Shape, "version 0"),
        (
            sound().with_head(0, octets(b"3")),
            DescriptionError::Shape,
            "version is no number",
        ),
        (
            sound().with_head(0, element(0x02, &[0xff])),
            DescriptionError::Shape,
            "negative version",
        ),
        (
            sound().with_head(1, element(0x0a, &[3])),
            DescriptionError::SecurityLevel,
            "level 3",
        ),
        (
            sound().with_head(1, integer(1)),
            DescriptionError::SecurityLevel,
            "level is no enumerated",
        ),
        (
            sound().with_head(3, element(0x0a, &[0, 1])),
            DescriptionError::SecurityLevel,
            "level of two bytes",
        ),
        (
            sound().with_head(4, octets(&[0; MAX_CHALLENGE_BYTES + 1])),
            DescriptionError::Shape,
            "long challenge",
        ),
        (
            sound().with_head(5, integer(0)),
            DescriptionError::Shape,
            "unique id is no octet string",
        ),
        (
            sound().with_head(5, Vec::new()),
            DescriptionError::Shape,
            "seven members",
        ),
        (
            sound().with_head(5, [octets(&[]), octets(&[])].concat()),
            DescriptionError::Shape,
            "nine members",
        ),
        (with(2, octets(b"3")), value(2), "algorithm is no number"),
        (with(2, element(0x02, &[0x80])), value(2), "negative algorithm"),
        (
            with(2, element(0x02, &[0, 1])),
            value(2),
            "a number with a zero before it",
        ),
        (with(2, element(0x02, &[1; 9])), value(2), "a number beyond 64 bits"),
        (
            with(2, [integer(3), integer(3)].concat()),
            value(2),
            "two values in one tag",
        ),
        (with(2, Vec::new()), value(2), "no value"),
        (with(1, integer(2)), value(1), "purposes are no set"),
        (
            with(1, many(u64::try_from(MAX_SET).unwrap() + 1)),
            value(1),
            "too many purposes",
        ),
        (with(503, integer(1)), value(503), "no NULL"),
        (with(503, vec![0x05, 0x01, 0x00]), value(503), "a NULL with content"),
        (with(710, octets(&[b'a'; 1025])), value(710), "a long brand"),
        (with(704, integer(1)), DescriptionError::RootOfTrust, "no sequence"),
        (
            with(704, root_of_trust(&[0x01], 0)),
            DescriptionError::RootOfTrust,
            "a truth that is not 0xff",
        ),
        (
            with(704, root_of_trust(&[0xff], 4)),
            DescriptionError::RootOfTrust,
            "an unknown state",
        ),
        (
            with(704, root_of_trust(&[], 0)),
            DescriptionError::RootOfTrust,
            "an empty truth",
        ),
        (
            with(704, sequence(&[&octets(&[5; 32]), &element(0x01, &[0xff])])),
            DescriptionError::RootOfTrust,
            "no state",
        ),
        (
            with(709, octets(b"\x30\x00")),
            value(709),
            "an application id without sets",
        ),
        (
            with(709, octets(&[application(), vec![0]].concat())),
            value(709),
            "bytes behind it",
        ),
        (
            with(709, application()),
            value(709),
            "an application id outside an octet string",
        ),
        (
            Parts {
                hardware: vec![(2, integer(3)), (1, set(&[integer(2)]))],
                ..sound()
            },
            DescriptionError::TagOrder { tag: 1 },
            "tags descend",
        ),
        (
            Parts {
                hardware: vec![(702, integer(0)), (702, integer(2))],
                ..sound()
            },
            DescriptionError::TagOrder { tag: 702 },
            "a tag twice",
        ),
        (
            Parts {
                hardware: (0..=u32::try_from(MAX_TAGS).unwrap())
                    .map(|index| (1000 + index, NULL.to_vec()))
                    .collect(),
                ..sound()
            },
            DescriptionError::TooMany,
            "too many tags",
        ),
        (
            Parts {
                software: vec![(900, octets(&[0; MAX_EXTENSION_BYTES]))],
                ..sound()
            },
            DescriptionError::TooLong,
            "too long",
        ),
    ] {
        assert_eq!(parsed(&parts).unwrap_err(), error, "{why}");
    }
    let der = sound().der();
    for broken in [&der[..der.len() - 1], &[], &[0x30, 0x80, 0x00, 0x00], b"\x31\x00"] {
        assert_eq!(KeyDescription::parse(broken).unwrap_err(), DescriptionError::Shape);
    }
    assert!(KeyDescription::parse(&[&der[..], &[0]].concat()).is_err());
}

#[test]
fn application_ids_are_bounded() {
    let id = |packages: usize, name: &[u8], version: Vec<u8>, digest: &[u8]| {
        let package = sequence(&[&octets(name), &version]);
        ApplicationId::parse(&sequence(&[&set(&vec![package; packages]), &set(&[octets(digest)])]))
    };
    assert!(id(MAX_PACKAGES, b"a.b", integer(1), &[0; 32]).is_some());
    assert!(id(MAX_PACKAGES + 1, b"a.b", integer(1), &[0; 32]).is_none());
    assert!(id(1, &[b'a'; 257], integer(1), &[0; 32]).is_none());
    assert!(id(1, &[0xff], integer(1), &[0; 32]).is_none(), "not UTF-8");
    assert!(
        id(1, b"a.b", element(0x02, &[0xff]), &[0; 32]).is_none(),
        "negative version"
    );
    assert!(id(1, b"a.b", integer(1), &[0; 65]).is_none());
    assert!(
        id(0, b"", integer(1), &[]).is_some(),
        "the system itself has no signature"
    );
}
