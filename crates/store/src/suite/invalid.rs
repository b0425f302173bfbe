//! What is refused before any work.

use super::*;
use crate::{MAX_CONDITIONS, MAX_KEYS_PER_LOAD, MAX_LISTED, MAX_WRITES};

pub(super) const PROMISES: &[Promise] = list![
    ids_of_wrong_length_are_refused,
    record_above_its_limit_is_refused_and_nothing_written,
    too_many_writes_are_refused,
    too_many_conditions_are_refused,
    too_many_keys_are_refused,
    too_long_a_listing_is_refused,
    key_written_twice_in_one_commit_is_refused,
    record_in_a_slot_needs_an_expiry,
    largest_batch_is_accepted,
];

fn refused(outcome: Outcome) -> StoreError {
    match outcome {
        Outcome::Refused(error) => error,
        other => panic!("must be refused, was {other:?}"),
    }
}

fn ids_of_wrong_length_are_refused(_: Open<'_>) {
    let wrong: [(Kind, &[usize]); 8] = [
        (Kind::Identity, &[0, 10, 15, 17, 64]),
        (Kind::Lookup, &[0, 10, 16, 31, 33]),
        (Kind::Device, &[0, 16, 31, 33]),
        (Kind::Consent, &[0, 16, 32, 47, 49]),
        (Kind::Audit, &[0, 16, 31, 33]),
        (Kind::SingleUse, &[0, 10, 15, 17, 32]),
        (Kind::TenantKey, &[0, 65]),
        (Kind::Meta, &[0, 65, 1000]),
    ];
    for (kind, lengths) in wrong {
        for &found in lengths {
            let error = Key::new(kind, TENANT, vec![0; found]).unwrap_err();
            assert!(matches!(error, StoreError::IdLength { kind: k, found: f, .. } if k == kind && f == found));
        }
    }
}

fn record_above_its_limit_is_refused_and_nothing_written(open: Open<'_>) {
    let store = open();
    let limit = Kind::Identity.max_sealed_bytes();
    let long = SealedBytes::from_sealed(vec![0; limit + 1]);
    let writes = [
        put(person(1), "x"),
        Write::Put {
            key: person(2),
            sealed: long,
            expires_at: None,
        },
    ];
    let expected = StoreError::SealedTooLong {
        kind: Kind::Identity,
        limit,
        found: limit + 1,
    };
    assert_eq!(refused(commit(&*store, &[], &writes)), expected);
    assert_eq!(load(&*store, person(1)), None);
}

fn too_many_writes_are_refused(open: Open<'_>) {
    let store = open();
    let writes: Vec<_> = (0..=MAX_WRITES as u64).map(|n| put(person(n), "x")).collect();
    assert!(matches!(
        refused(commit(&*store, &[], &writes)),
        StoreError::BatchTooLarge { what: "writes", .. }
    ));
    assert_eq!(load(&*store, person(0)), None);
}

fn too_many_conditions_are_refused(open: Open<'_>) {
    let store = open();
    let conditions: Vec<_> = (0..=MAX_CONDITIONS as u64)
        .map(|n| Condition::Absent(person(n)))
        .collect();
    assert!(matches!(
        refused(commit(&*store, &conditions, &[])),
        StoreError::BatchTooLarge { what: "conditions", .. }
    ));
}

fn too_many_keys_are_refused(open: Open<'_>) {
    let store = open();
    let keys: Vec<_> = (0..=MAX_KEYS_PER_LOAD as u64).map(person).collect();
    assert!(matches!(
        block_on(store.load(&keys)),
        Err(StoreError::BatchTooLarge { what: "keys", .. })
    ));
}

fn too_long_a_listing_is_refused(open: Open<'_>) {
    let store = open();
    for limit in [0, MAX_LISTED + 1, usize::MAX] {
        let listed = block_on(store.list(Kind::Device, TENANT, &[], limit));
        assert!(matches!(
            listed,
            Err(StoreError::BatchTooLarge {
                what: "listed rows",
                ..
            })
        ));
    }
}

fn key_written_twice_in_one_commit_is_refused(open: Open<'_>) {
    let store = open();
    let twice: [[Write; 3]; 2] = [
        [put(person(1), "x"), put(person(2), "x"), put(person(1), "y")],
        [put(person(1), "x"), put(person(2), "x"), Write::Delete(person(1))],
    ];
    for writes in twice {
        assert_eq!(refused(commit(&*store, &[], &writes)), StoreError::KeyWrittenTwice(2));
        assert_eq!(load(&*store, person(1)), None);
    }
}

fn record_in_a_slot_needs_an_expiry(open: Open<'_>) {
    let store = open();
    for key in [login(1), Key::audit(TENANT, &group(1), &id(2))] {
        let error = refused(commit(&*store, &[], &[put(key, "x")]));
        assert_eq!(error, StoreError::ExpiryMissing(key.kind()));
    }
}

fn largest_batch_is_accepted(open: Open<'_>) {
    let store = open();
    let conditions: Vec<_> = (0..MAX_CONDITIONS as u64)
        .map(|n| Condition::Absent(person(n)))
        .collect();
    let writes: Vec<_> = (0..MAX_WRITES as u64).map(|n| put(person(n), "x")).collect();
    must_commit(&*store, &conditions, &writes);
    let keys: Vec<_> = (0..MAX_KEYS_PER_LOAD as u64).map(person).collect();
    let found = block_on(store.load(&keys)).unwrap().into_iter().flatten().count();
    assert_eq!(found, MAX_WRITES);
}
