//! Expiry and records that are written once.

use super::*;

pub(super) const PROMISES: &[Promise] = list![
    single_use_record_is_written_once,
    single_use_is_noticed_across_slots,
    single_use_record_can_be_deleted_and_claimed_again,
    drop_expired_never_takes_what_is_valid,
    drop_expired_takes_what_expired_a_slot_ago,
    drop_expired_leaves_records_without_expiry,
    drop_expired_may_be_repeated_and_go_back_in_time,
    claim_is_possible_after_the_drop,
];

const DAY: u64 = 24 * 3_600;

fn single_use_record_is_written_once(open: Open<'_>) {
    let store = open();
    must_commit(&*store, &[], &[put_until(login(1), "first", NOW + 60)]);
    let again = commit(
        &*store,
        &[],
        &[put(person(1), "x"), put_until(login(1), "second", NOW + 60)],
    );
    assert_eq!(again, Outcome::Refused(StoreError::WrittenOnce(Kind::SingleUse)));
    assert_eq!(body(&*store, login(1)).as_deref(), Some("first"));
    assert_eq!(load(&*store, person(1)), None);
}

fn single_use_is_noticed_across_slots(open: Open<'_>) {
    let store = open();
    must_commit(
        &*store,
        &[Condition::Absent(login(1))],
        &[put_until(login(1), "first", NOW + 60)],
    );
    for later in [0, 1, 3_600, 7_200, 5 * DAY] {
        let claim = [put_until(login(1), "second", NOW + 61 + later)];
        assert_eq!(
            commit(&*store, &[Condition::Absent(login(1))], &claim),
            Outcome::Conflict(0)
        );
    }
    assert_eq!(body(&*store, login(1)).as_deref(), Some("first"));
    must_commit(&*store, &[Condition::VersionIs(login(1), 1)], &[]);
}

fn single_use_record_can_be_deleted_and_claimed_again(open: Open<'_>) {
    let store = open();
    let claim = [put_until(login(1), "x", NOW + 60)];
    must_commit(&*store, &[Condition::Absent(login(1))], &claim);
    must_commit(&*store, &[], &[Write::Delete(login(1))]);
    must_commit(&*store, &[Condition::Absent(login(1))], &claim);
}

fn drop_expired_never_takes_what_is_valid(open: Open<'_>) {
    let store = open();
    let device = Key::device(TENANT, &group(1), &id(2));
    let audit = Key::audit(TENANT, &group(1), &id(2));
    let writes = [
        put_until(login(1), "x", NOW + 1),
        put_until(login(2), "x", NOW + 3_601),
        put_until(device, "x", NOW + 1),
        put_until(audit, "x", NOW + 1),
    ];
    must_commit(&*store, &[], &writes);
    for now in [0, NOW - 1, NOW] {
        block_on(store.drop_expired(now)).unwrap();
    }
    let rows = block_on(store.load(&[login(1), login(2), device, audit])).unwrap();
    assert!(rows.iter().all(Option::is_some));
}

fn drop_expired_takes_what_expired_a_slot_ago(open: Open<'_>) {
    let store = open();
    let device = Key::device(TENANT, &group(1), &id(2));
    let audit = Key::audit(TENANT, &group(1), &id(2));
    let writes = [
        put_until(login(1), "x", NOW),
        put_until(login(2), "x", NOW + 3_600),
        put_until(device, "x", NOW),
        put_until(audit, "x", NOW),
    ];
    must_commit(&*store, &[], &writes);
    block_on(store.drop_expired(NOW + 3_600)).unwrap();
    assert_eq!(block_on(store.load(&[login(1), device])).unwrap(), [None, None]);
    block_on(store.drop_expired(NOW + 3_600 + 30 * DAY)).unwrap();
    assert_eq!(block_on(store.load(&[login(2), audit])).unwrap(), [None, None]);
    assert_eq!(block_on(store.list(Kind::SingleUse, TENANT, &[], 10)).unwrap(), []);
}

fn drop_expired_leaves_records_without_expiry(open: Open<'_>) {
    let store = open();
    must_commit(&*store, &[], &[put(person(1), "x")]);
    block_on(store.drop_expired(u64::MAX)).unwrap();
    assert_eq!(version(&*store, person(1)), Some(1));
}

fn drop_expired_may_be_repeated_and_go_back_in_time(open: Open<'_>) {
    let store = open();
    must_commit(&*store, &[], &[put_until(login(1), "x", NOW)]);
    for now in [NOW + DAY, NOW + DAY, NOW, 0] {
        block_on(store.drop_expired(now)).unwrap();
        assert_eq!(load(&*store, login(1)), None);
    }
}

fn claim_is_possible_after_the_drop(open: Open<'_>) {
    let store = open();
    must_commit(
        &*store,
        &[Condition::Absent(login(1))],
        &[put_until(login(1), "x", NOW)],
    );
    block_on(store.drop_expired(NOW + DAY)).unwrap();
    let operation = OperationId::new(NOW + DAY, *b"tomorrow");
    let claim = [put_until(login(1), "y", NOW + DAY + 60)];
    let outcome = block_on(store.commit(operation, &[Condition::Absent(login(1))], &claim));
    assert_eq!(outcome, Outcome::Committed);
}
