//! Listing by prefix.

use super::*;

pub(super) const PROMISES: &[Promise] = list![
    list_gives_one_persons_records_in_order,
    list_is_paged_by_the_last_id,
    list_with_a_prefix_of_all_ones_ends,
    list_knows_ids_of_different_length,
    list_sees_records_in_every_slot,
    list_with_impossible_prefix_is_empty,
];

fn owned_by(owner: u8) -> RowGroup {
    RowGroup::from_keyed_hash([owner; 16])
}

fn ids(store: &dyn Store, kind: Kind, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<Vec<u8>> {
    let rows = block_on(store.list_after(kind, TENANT, prefix, after, limit)).unwrap();
    assert!(
        rows.iter()
            .all(|(key, row)| key.kind() == kind && key.tenant() == &TENANT && row.version == 1)
    );
    rows.into_iter().map(|(key, _)| key.id().to_vec()).collect()
}

fn list_gives_one_persons_records_in_order(open: Open<'_>) {
    let store = open();
    for (owner, device) in [(2, 9), (1, 3), (2, 1), (3, 1), (2, 5)] {
        must_commit(
            &*store,
            &[],
            &[put(Key::device(TENANT, &owned_by(owner), &[device; 16]), "x")],
        );
    }
    let devices: Vec<u8> = ids(&*store, Kind::Device, &[2; 16], None, 100)
        .iter()
        .map(|id| id[16])
        .collect();
    assert_eq!(devices, [1, 5, 9]);
    assert_eq!(ids(&*store, Kind::Device, &[], None, 100).len(), 5);
    assert!(ids(&*store, Kind::Device, &[4; 16], None, 100).is_empty());
    assert!(ids(&*store, Kind::Identity, &[], None, 100).is_empty());
}

fn list_is_paged_by_the_last_id(open: Open<'_>) {
    let store = open();
    for device in 0..25 {
        must_commit(
            &*store,
            &[],
            &[put(Key::device(TENANT, &owned_by(1), &[device; 16]), "x")],
        );
    }
    must_commit(&*store, &[], &[put(Key::device(TENANT, &owned_by(2), &[0; 16]), "x")]);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let page = ids(&*store, Kind::Device, &[1; 16], seen.last().map(Vec::as_slice), 10);
        assert!(page.len() <= 10);
        seen.extend(page);
    }
    let devices: Vec<u8> = seen.iter().map(|id| id[16]).collect();
    assert_eq!(devices, (0..25).collect::<Vec<u8>>());
    // An `after` that lies before everything of the prefix changes nothing.
    assert_eq!(ids(&*store, Kind::Device, &[1; 16], Some(&[0]), 100).len(), 25);
    assert!(ids(&*store, Kind::Device, &[1; 16], Some(&[9; 32]), 100).is_empty());
}

fn list_with_a_prefix_of_all_ones_ends(open: Open<'_>) {
    let store = open();
    let last = Key::device(TENANT, &owned_by(0xff), &[0xff; 16]);
    let other = Key::device(TENANT, &owned_by(0xfe), &[0; 16]);
    must_commit(&*store, &[], &[put(last, "x"), put(other, "x")]);
    assert_eq!(ids(&*store, Kind::Device, &[0xff; 16], None, 10), [vec![0xff; 32]]);
    assert_eq!(ids(&*store, Kind::Device, &[0xff; 32], None, 10), [vec![0xff; 32]]);
}

fn list_knows_ids_of_different_length(open: Open<'_>) {
    let store = open();
    for name in ["b", "a", "ab", "abc", "aa"] {
        must_commit(&*store, &[], &[put(Key::new(Kind::Meta, TENANT, name).unwrap(), "x")]);
    }
    let names = |prefix: &str, after: Option<&[u8]>| ids(&*store, Kind::Meta, prefix.as_bytes(), after, 10);
    assert_eq!(names("", None), [&b"a"[..], b"aa", b"ab", b"abc", b"b"]);
    assert_eq!(names("ab", None), [&b"ab"[..], b"abc"]);
    assert_eq!(names("a", Some(b"aa")), [&b"ab"[..], b"abc"]);
}

fn list_sees_records_in_every_slot(open: Open<'_>) {
    let store = open();
    let month = 31 * 24 * 3_600;
    for event in [4, 1, 3, 2] {
        let key = Key::audit(TENANT, &owned_by(1), &[event; 16]);
        must_commit(&*store, &[], &[put_until(key, "x", NOW + u64::from(5 - event) * month)]);
    }
    let events: Vec<u8> = ids(&*store, Kind::Audit, &[1; 16], None, 10)
        .iter()
        .map(|id| id[16])
        .collect();
    assert_eq!(events, [1, 2, 3, 4]);
    let page = ids(&*store, Kind::Audit, &[1; 16], None, 2);
    let next = ids(&*store, Kind::Audit, &[1; 16], page.last().map(Vec::as_slice), 2);
    assert_eq!(next.iter().map(|id| id[16]).collect::<Vec<_>>(), [3, 4]);
}

fn list_with_impossible_prefix_is_empty(open: Open<'_>) {
    let store = open();
    must_commit(&*store, &[], &[put(person(1), "x")]);
    assert!(ids(&*store, Kind::Identity, &[0; 17], None, 10).is_empty());
    assert!(ids(&*store, Kind::Identity, &[0xff; 1000], None, 10).is_empty());
    assert!(ids(&*store, Kind::Identity, &[], Some(&[0xff; 1000]), 10).is_empty());
}
