//! Records, versions, conditions, walls.

use super::*;

pub(super) const PROMISES: &[Promise] = list![
    empty_store_has_nothing,
    record_is_read_back_as_written,
    answers_come_in_the_order_of_the_keys,
    every_kind_keeps_its_own_records,
    largest_record_of_each_kind_is_kept,
    empty_body_is_kept,
    version_counts_writes_and_restarts_after_deletion,
    deleting_what_is_not_there_is_committed,
    absent_holds_only_for_what_is_not_there,
    version_condition_holds_only_for_that_version,
    conflict_names_the_first_failed_condition,
    conflict_writes_nothing_at_all,
    conditions_look_at_the_state_before_the_writes,
    condition_may_speak_of_a_key_that_is_not_written,
    commit_without_writes_is_a_check,
    tenants_never_see_each_other,
];

fn empty_store_has_nothing(open: Open<'_>) {
    let store = open();
    assert_eq!(block_on(store.load(&[])).unwrap(), []);
    assert_eq!(block_on(store.load(&[person(1), login(1)])).unwrap(), [None, None]);
}

fn record_is_read_back_as_written(open: Open<'_>) {
    let store = open();
    let every_byte = SealedBytes::from_sealed((0..=255).collect());
    let key = Key::device(TENANT, &group(1), &id(2));
    let write = Write::Put {
        key,
        sealed: every_byte.clone(),
        expires_at: Some(NOW + 5),
    };
    must_commit(&*store, &[], &[write]);
    assert_eq!(
        load(&*store, key),
        Some(Row {
            version: 1,
            sealed: every_byte,
            expires_at: Some(NOW + 5)
        })
    );
}

fn answers_come_in_the_order_of_the_keys(open: Open<'_>) {
    let store = open();
    let lookup = Key::lookup(TENANT, &BlindIndex::from_keyed_hash([7; 32]));
    must_commit(
        &*store,
        &[],
        &[put(person(1), "one"), put(person(2), "two"), put(lookup, "three")],
    );
    let keys = [lookup, person(9), person(2), person(1), person(2), login(3)];
    let rows = block_on(store.load(&keys)).unwrap();
    let texts: Vec<_> = rows
        .iter()
        .map(|row| row.as_ref().map(|row| row.sealed.as_bytes()))
        .collect();
    let expected: [Option<&[u8]>; 6] = [Some(b"three"), None, Some(b"two"), Some(b"one"), Some(b"two"), None];
    assert_eq!(texts, expected);
}

/// One key of each kind, all with the same leading id bytes.
fn one_of_each_kind(tenant: TenantId) -> [Key; 8] {
    let index = BlindIndex::from_keyed_hash([1; 32]);
    [
        Key::identity(tenant, &[1; 16]),
        Key::lookup(tenant, &index),
        Key::device(tenant, &RowGroup::from_keyed_hash([1; 16]), &[1; 16]),
        Key::consent(tenant, &RowGroup::from_keyed_hash([1; 16]), &index),
        Key::audit(tenant, &RowGroup::from_keyed_hash([1; 16]), &[1; 16]),
        Key::single_use(tenant, &[1; 16]),
        Key::new(Kind::TenantKey, tenant, [1; 16]).unwrap(),
        Key::new(Kind::Meta, tenant, [1; 16]).unwrap(),
    ]
}

fn expiry_of(kind: Kind) -> Option<u64> {
    matches!(kind, Kind::Audit | Kind::SingleUse).then_some(NOW + 60)
}

fn every_kind_keeps_its_own_records(open: Open<'_>) {
    let store = open();
    for key in one_of_each_kind(TENANT) {
        let text = sealed(&format!("{:?}", key.kind()));
        let write = Write::Put {
            key,
            sealed: text,
            expires_at: expiry_of(key.kind()),
        };
        must_commit(&*store, &[Condition::Absent(key)], &[write]);
    }
    for key in one_of_each_kind(TENANT) {
        assert_eq!(body(&*store, key), Some(format!("{:?}", key.kind())));
    }
    let [identity, ..] = one_of_each_kind(TENANT);
    must_commit(&*store, &[], &[Write::Delete(identity)]);
    let rows = block_on(store.load(&one_of_each_kind(TENANT))).unwrap();
    assert_eq!(rows.iter().filter(|row| row.is_none()).count(), 1);
}

fn largest_record_of_each_kind_is_kept(open: Open<'_>) {
    let store = open();
    for key in one_of_each_kind(TENANT) {
        let largest = SealedBytes::from_sealed(vec![0xa5; key.kind().max_sealed_bytes()]);
        let write = Write::Put {
            key,
            sealed: largest.clone(),
            expires_at: expiry_of(key.kind()),
        };
        must_commit(&*store, &[], &[write]);
        assert_eq!(load(&*store, key).unwrap().sealed, largest);
    }
}

fn empty_body_is_kept(open: Open<'_>) {
    let store = open();
    must_commit(&*store, &[], &[put_until(login(1), "", NOW + 60)]);
    assert_eq!(body(&*store, login(1)).as_deref(), Some(""));
}

fn version_counts_writes_and_restarts_after_deletion(open: Open<'_>) {
    let store = open();
    for expected in 1..=3 {
        must_commit(&*store, &[], &[put(person(1), "x")]);
        assert_eq!(version(&*store, person(1)), Some(expected));
    }
    must_commit(&*store, &[], &[Write::Delete(person(1))]);
    assert_eq!(version(&*store, person(1)), None);
    must_commit(&*store, &[Condition::Absent(person(1))], &[put(person(1), "y")]);
    assert_eq!(version(&*store, person(1)), Some(1));
}

fn deleting_what_is_not_there_is_committed(open: Open<'_>) {
    let store = open();
    must_commit(&*store, &[], &[Write::Delete(person(1)), Write::Delete(login(1))]);
}

fn absent_holds_only_for_what_is_not_there(open: Open<'_>) {
    let store = open();
    let enrol = [put(person(1), "first")];
    must_commit(&*store, &[Condition::Absent(person(1))], &enrol);
    assert_eq!(
        commit(&*store, &[Condition::Absent(person(1))], &[put(person(1), "second")]),
        Outcome::Conflict(0)
    );
    assert_eq!(body(&*store, person(1)).as_deref(), Some("first"));
}

fn version_condition_holds_only_for_that_version(open: Open<'_>) {
    let store = open();
    let key = person(1);
    let condition = |version| [Condition::VersionIs(key, version)];
    assert_eq!(commit(&*store, &condition(0), &[put(key, "x")]), Outcome::Conflict(0));
    assert_eq!(commit(&*store, &condition(1), &[put(key, "x")]), Outcome::Conflict(0));
    must_commit(&*store, &[], &[put(key, "one")]);
    must_commit(&*store, &condition(1), &[put(key, "two")]);
    for wrong in [0, 1, 3, u64::MAX] {
        assert_eq!(
            commit(&*store, &condition(wrong), &[put(key, "x")]),
            Outcome::Conflict(0)
        );
    }
    must_commit(&*store, &condition(2), &[Write::Delete(key)]);
    assert_eq!(commit(&*store, &condition(2), &[put(key, "x")]), Outcome::Conflict(0));
}

fn conflict_names_the_first_failed_condition(open: Open<'_>) {
    let store = open();
    must_commit(&*store, &[], &[put(person(1), "x"), put(person(2), "x")]);
    let conditions = [
        Condition::VersionIs(person(1), 1),
        Condition::Absent(person(3)),
        Condition::VersionIs(person(2), 7),
        Condition::Absent(person(1)),
    ];
    assert_eq!(commit(&*store, &conditions, &[]), Outcome::Conflict(2));
}

fn conflict_writes_nothing_at_all(open: Open<'_>) {
    let store = open();
    must_commit(&*store, &[], &[put(person(1), "kept"), put(person(2), "kept")]);
    let writes = [
        put(person(3), "new"),
        put(person(1), "changed"),
        Write::Delete(person(2)),
    ];
    assert_eq!(
        commit(&*store, &[Condition::Absent(person(1))], &writes),
        Outcome::Conflict(0)
    );
    assert_eq!(body(&*store, person(1)).as_deref(), Some("kept"));
    assert_eq!(version(&*store, person(2)), Some(1));
    assert_eq!(load(&*store, person(3)), None);
}

fn conditions_look_at_the_state_before_the_writes(open: Open<'_>) {
    let store = open();
    let conditions = [
        Condition::Absent(person(1)),
        Condition::Absent(person(1)),
        Condition::Absent(person(2)),
    ];
    must_commit(&*store, &conditions, &[put(person(1), "x"), put(person(2), "x")]);
}

fn condition_may_speak_of_a_key_that_is_not_written(open: Open<'_>) {
    let store = open();
    must_commit(&*store, &[], &[put(person(1), "device owner")]);
    let device = Key::device(TENANT, &group(1), &id(2));
    must_commit(&*store, &[Condition::VersionIs(person(1), 1)], &[put(device, "bound")]);
    assert_eq!(
        commit(&*store, &[Condition::VersionIs(person(1), 2)], &[Write::Delete(device)]),
        Outcome::Conflict(0)
    );
    assert_eq!(version(&*store, person(1)), Some(1));
}

fn commit_without_writes_is_a_check(open: Open<'_>) {
    let store = open();
    must_commit(&*store, &[], &[]);
    must_commit(&*store, &[Condition::Absent(person(1))], &[]);
    assert_eq!(
        commit(&*store, &[Condition::VersionIs(person(1), 1)], &[]),
        Outcome::Conflict(0)
    );
    assert_eq!(load(&*store, person(1)), None);
}

fn tenants_never_see_each_other(open: Open<'_>) {
    let store = open();
    for key in one_of_each_kind(TENANT) {
        let write = Write::Put {
            key,
            sealed: sealed("first tenant"),
            expires_at: expiry_of(key.kind()),
        };
        must_commit(&*store, &[], &[write]);
    }
    for key in one_of_each_kind(OTHER_TENANT) {
        assert_eq!(load(&*store, key), None);
        assert_eq!(block_on(store.list(key.kind(), OTHER_TENANT, &[], 10)).unwrap(), []);
        must_commit(&*store, &[Condition::Absent(key)], &[Write::Delete(key)]);
        let write = Write::Put {
            key,
            sealed: sealed("second tenant"),
            expires_at: expiry_of(key.kind()),
        };
        must_commit(&*store, &[], &[write]);
    }
    for key in one_of_each_kind(TENANT) {
        assert_eq!(body(&*store, key).as_deref(), Some("first tenant"));
        assert_eq!(block_on(store.list(key.kind(), TENANT, &[], 10)).unwrap().len(), 1);
    }
}
