#![allow(clippy::unwrap_used)]

use store::{Condition, SealedBytes, Write};

use super::*;
use crate::tenant_id;

const NOW: UnixTime = UnixTime(1_800_000_000);

fn vault() -> Vault {
    Vault::development([1; 32])
}

fn tenant() -> TenantId {
    tenant_id("https://idp.example")
}

fn key(role: KeyRole, state: KeyState, at: UnixTime) -> TenantKey {
    vault().generate_signing_key(tenant(), role, state, at).unwrap()
}

fn stored(key: &TenantKey, version: Option<u64>) -> (Key, Row) {
    let change = vault().seal_signing_key(key, version).unwrap();
    let Write::Put {
        key: at,
        sealed,
        expires_at,
    } = change.write
    else {
        panic!("a put")
    };
    (
        at,
        Row {
            version: version.unwrap_or(0) + 1,
            sealed,
            expires_at,
        },
    )
}

#[test]
fn key_is_opened_as_it_was_sealed_and_signs_the_same() {
    let mut key = key(KeyRole::IdToken, KeyState::Next, NOW);
    key.set_certificates(vec![vec![1; 900], vec![2; 1_200]]).unwrap();
    let (at, row) = stored(&key, None);
    let opened = vault().open_signing_key(&at, &row).unwrap();
    assert_eq!(opened.kid(), key.kid());
    assert_eq!(opened.public_key(), key.public_key());
    assert_eq!(opened.certificates(), key.certificates());
    assert_eq!(
        (opened.role(), opened.state(), opened.tenant()),
        (KeyRole::IdToken, KeyState::Next, tenant())
    );
    assert_eq!((opened.created_at(), opened.changed_at()), (NOW, NOW));
    let header = jose::jws::SigningHeader::default();
    let token = jose::jws::sign(&header, b"{}", &opened).unwrap();
    let token = jose::jws::parse(&token, &jose::json::DEFAULT).unwrap();
    assert!(token.verify(key.public_key()).is_ok());
    assert_eq!(token.header().kid.as_deref(), Some(key.kid()));
}

#[test]
fn kid_is_a_uuid_that_sorts_by_age() {
    let (older, younger) = (
        key(KeyRole::IdToken, KeyState::Active, NOW),
        key(KeyRole::IdToken, KeyState::Next, NOW.plus_seconds(1)),
    );
    assert_eq!(older.kid().len(), 36);
    assert_eq!(&older.kid()[14..15], "7");
    assert!(older.kid() < younger.kid());
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (at, row) = stored(&key(KeyRole::IdToken, KeyState::Active, NOW), None);
    for bit in 0..row.sealed.len() * 8 {
        let mut bytes = row.sealed.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let changed = Row {
            sealed: SealedBytes::from_sealed(bytes),
            ..row.clone()
        };
        assert!(vault().open_signing_key(&at, &changed).is_err());
    }
}

#[test]
fn key_is_bound_to_tenant_role_kid_version_and_root() {
    let (key, other) = (
        key(KeyRole::IdToken, KeyState::Active, NOW),
        key(KeyRole::IdToken, KeyState::Active, NOW),
    );
    let (at, row) = stored(&key, None);
    let refused = Err(OpenError::NotAuthentic);
    let open = |at: &Key, row: &Row| vault().open_signing_key(at, row).map(|_| ());
    assert_eq!(open(&at, &row), Ok(()));
    assert_eq!(open(&stored(&other, None).0, &row), refused, "another kid");
    assert_eq!(
        open(&store_key(tenant(), KeyRole::EntityStatement, key.kid()).unwrap(), &row),
        refused,
        "another role"
    );
    assert_eq!(
        open(
            &store_key(tenant_id("https://other.example"), KeyRole::IdToken, key.kid()).unwrap(),
            &row
        ),
        refused
    );
    assert_eq!(
        open(
            &at,
            &Row {
                version: 2,
                ..row.clone()
            }
        ),
        refused,
        "another version"
    );
    assert_eq!(
        Vault::development([2; 32]).open_signing_key(&at, &row).map(|_| ()),
        refused,
        "another root"
    );
}

#[test]
fn record_of_another_kind_or_unknown_role_is_no_key() {
    let (_, row) = stored(&key(KeyRole::IdToken, KeyState::Active, NOW), None);
    for at in [
        Key::new(Kind::Meta, tenant(), [2, b'k']).unwrap(),
        Key::new(Kind::TenantKey, tenant(), [0, b'k']).unwrap(),
        Key::new(Kind::TenantKey, tenant(), [99, b'k']).unwrap(),
        Key::new(Kind::TenantKey, tenant(), [2, 0xff]).unwrap(),
    ] {
        assert!(matches!(
            vault().open_signing_key(&at, &row),
            Err(OpenError::WrongKey { .. })
        ));
    }
}

#[test]
fn state_changes_travel_through_the_store() {
    let mut key = key(KeyRole::EntityStatement, KeyState::Next, NOW);
    let (at, row) = stored(&key, None);
    key.set_state(KeyState::Active, NOW.plus_seconds(10));
    let change = vault().seal_signing_key(&key, Some(row.version)).unwrap();
    assert_eq!(change.condition, Condition::VersionIs(at, 1));
    let (_, row) = stored(&key, Some(1));
    let opened = vault().open_signing_key(&at, &row).unwrap();
    assert_eq!(
        (opened.state(), opened.changed_at(), opened.created_at()),
        (KeyState::Active, NOW.plus_seconds(10), NOW)
    );
}

#[test]
fn youngest_active_key_signs_and_all_are_published() {
    let keys = [
        key(KeyRole::IdToken, KeyState::Retired, NOW),
        key(KeyRole::IdToken, KeyState::Active, NOW.plus_seconds(1)),
        key(KeyRole::IdToken, KeyState::Active, NOW.plus_seconds(2)),
        key(KeyRole::IdToken, KeyState::Next, NOW.plus_seconds(3)),
        key(KeyRole::EntityStatement, KeyState::Next, NOW),
    ];
    let mut rows: Vec<_> = keys.iter().map(|key| stored(key, None)).collect();
    rows.reverse();
    // A role of a later release does not stop this one.
    rows.push((
        Key::new(Kind::TenantKey, tenant(), [99, b'k']).unwrap(),
        rows[0].1.clone(),
    ));
    let signers = TenantSigners::open(&vault(), &rows).unwrap();
    assert_eq!(signers.active(KeyRole::IdToken).unwrap().kid(), keys[2].kid());
    assert!(
        signers.active(KeyRole::EntityStatement).is_none(),
        "a key that is next signs nothing"
    );
    assert!(signers.active(KeyRole::Challenge).is_none());
    let published: Vec<_> = signers.published(KeyRole::IdToken).map(|key| key.kid()).collect();
    assert_eq!(published, keys[..4].iter().map(|key| key.kid()).collect::<Vec<_>>());
    assert_eq!(signers.by_kid(KeyRole::IdToken, keys[0].kid()).unwrap().1, 1);
    assert!(signers.by_kid(KeyRole::EntityStatement, keys[0].kid()).is_none());
}

#[test]
fn damaged_record_is_an_error_not_a_missing_key() {
    let (at, row) = stored(&key(KeyRole::IdToken, KeyState::Active, NOW), None);
    let damaged = Row { version: 9, ..row };
    assert_eq!(
        TenantSigners::open(&vault(), &[(at, damaged)]).unwrap_err(),
        OpenError::NotAuthentic
    );
}

#[test]
fn imported_key_keeps_its_identifier() {
    let too_long = "k".repeat(64);
    let made_elsewhere = SoftwareKey::generate("puk_idp_sig").unwrap();
    let import =
        |kid, der: &[u8]| vault().import_signing_key(tenant(), KeyRole::IdToken, KeyState::Active, NOW, kid, der);
    let der = made_elsewhere.to_pkcs8_der();
    let imported = import(Some("puk_idp_sig"), &der).unwrap();
    assert_eq!(
        (imported.kid(), imported.public_key()),
        ("puk_idp_sig", made_elsewhere.public_key())
    );
    assert_eq!(import(None, &der).unwrap().kid().len(), 36);
    assert_eq!(import(Some(""), &der).unwrap_err(), SealError::Kid { limit: 63 });
    assert_eq!(import(Some(&too_long), &der).unwrap_err(), SealError::Kid { limit: 63 });
    assert!(matches!(import(None, &der[1..]), Err(SealError::Key(_))));
    let longest = import(Some(&too_long[..63]), &der).unwrap();
    let (at, row) = stored(&longest, None);
    assert!(vault().open_signing_key(&at, &row).is_ok());
}

#[test]
fn certificates_have_limits() {
    let mut key = key(KeyRole::IdToken, KeyState::Active, NOW);
    assert!(matches!(
        key.set_certificates(vec![vec![0; 10]; 5]),
        Err(SealError::Certificates { .. })
    ));
    assert!(matches!(
        key.set_certificates(vec![vec![0; 4_097]]),
        Err(SealError::Certificates { .. })
    ));
    assert!(key.certificates().is_empty());
    key.set_certificates(vec![vec![0; 4_096]; 2]).unwrap();
    assert!(
        matches!(vault().seal_signing_key(&key, None), Err(SealError::TooLong { .. })),
        "the record has a limit too"
    );
}

#[test]
fn debug_prints_the_type_only() {
    let key = key(KeyRole::IdToken, KeyState::Active, NOW);
    assert_eq!(format!("{key:?}"), "TenantKey");
    let signers = TenantSigners::open(&vault(), &[stored(&key, None)]).unwrap();
    assert!(!format!("{signers:?}").contains(key.kid()));
}
