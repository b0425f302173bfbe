//! Operation ids: asking how a commit ended, and repeating it safely.

use super::*;
use crate::OPERATION_RETENTION_SECONDS;

pub(super) const PROMISES: &[Promise] = list![
    outcome_can_be_asked_by_operation,
    repeated_operation_changes_nothing,
    repeated_operation_is_committed_although_its_condition_fails_now,
    refused_and_conflicting_operations_are_not_committed,
    conflicting_operation_may_be_tried_again_under_its_id,
    same_id_with_other_content_does_not_write,
    dropped_future_is_decided_and_can_be_asked,
    forgotten_operation_is_neither_confirmed_nor_repeated,
    operations_within_retention_survive_the_drop,
];

fn outcome_can_be_asked_by_operation(open: Open<'_>) {
    let store = open();
    let operation = fresh_operation();
    assert_eq!(block_on(store.outcome_of(operation)), Some(false));
    assert_eq!(
        block_on(store.commit(operation, &[], &[put(person(1), "x")])),
        Outcome::Committed
    );
    assert_eq!(block_on(store.outcome_of(operation)), Some(true));
    assert_eq!(block_on(store.outcome_of(fresh_operation())), Some(false));
}

fn repeated_operation_changes_nothing(open: Open<'_>) {
    let store = open();
    let operation = fresh_operation();
    for _ in 0..3 {
        assert_eq!(
            block_on(store.commit(operation, &[], &[put(person(1), "x")])),
            Outcome::Committed
        );
    }
    assert_eq!(version(&*store, person(1)), Some(1));
}

fn repeated_operation_is_committed_although_its_condition_fails_now(open: Open<'_>) {
    let store = open();
    let operation = fresh_operation();
    let conditions = [Condition::Absent(login(1))];
    let writes = [put_until(login(1), "x", NOW + 60)];
    for _ in 0..2 {
        assert_eq!(
            block_on(store.commit(operation, &conditions, &writes)),
            Outcome::Committed
        );
    }
    assert_eq!(commit(&*store, &conditions, &writes), Outcome::Conflict(0));
}

fn refused_and_conflicting_operations_are_not_committed(open: Open<'_>) {
    let store = open();
    let (conflicting, refused) = (fresh_operation(), fresh_operation());
    let conditions = [Condition::VersionIs(person(1), 1)];
    assert_eq!(
        block_on(store.commit(conflicting, &conditions, &[put(person(1), "x")])),
        Outcome::Conflict(0)
    );
    let outcome = block_on(store.commit(refused, &[], &[put(login(1), "x")]));
    assert!(matches!(outcome, Outcome::Refused(_)));
    assert_eq!(block_on(store.outcome_of(conflicting)), Some(false));
    assert_eq!(block_on(store.outcome_of(refused)), Some(false));
}

fn conflicting_operation_may_be_tried_again_under_its_id(open: Open<'_>) {
    let store = open();
    let operation = fresh_operation();
    let conditions = [Condition::VersionIs(person(1), 1)];
    let writes = [put(person(1), "second")];
    assert_eq!(
        block_on(store.commit(operation, &conditions, &writes)),
        Outcome::Conflict(0)
    );
    must_commit(&*store, &[], &[put(person(1), "first")]);
    assert_eq!(
        block_on(store.commit(operation, &conditions, &writes)),
        Outcome::Committed
    );
    assert_eq!(body(&*store, person(1)).as_deref(), Some("second"));
}

fn same_id_with_other_content_does_not_write(open: Open<'_>) {
    let store = open();
    let operation = fresh_operation();
    assert_eq!(
        block_on(store.commit(operation, &[], &[put(person(1), "x")])),
        Outcome::Committed
    );
    assert_eq!(
        block_on(store.commit(operation, &[], &[put(person(2), "x")])),
        Outcome::Committed
    );
    assert_eq!(load(&*store, person(2)), None);
}

fn dropped_future_is_decided_and_can_be_asked(open: Open<'_>) {
    let store = open();
    for number in 0..20 {
        let operation = fresh_operation();
        drop(store.commit(operation, &[], &[put(person(number), "x")]));
        let happened = block_on(store.outcome_of(operation)).unwrap();
        assert!(happened, "the call hands the work over");
        assert_eq!(version(&*store, person(number)), Some(1));
    }
}

fn forgotten_operation_is_neither_confirmed_nor_repeated(open: Open<'_>) {
    let store = open();
    let operation = OperationId::new(NOW, *b"long ago");
    let never = OperationId::new(NOW, *b"not done");
    assert_eq!(
        block_on(store.commit(operation, &[], &[put(person(1), "x")])),
        Outcome::Committed
    );
    block_on(store.drop_expired(NOW + 3 * OPERATION_RETENTION_SECONDS)).unwrap();
    assert_eq!(block_on(store.outcome_of(operation)), None);
    assert_eq!(block_on(store.outcome_of(never)), None);
    assert_eq!(
        block_on(store.commit(operation, &[], &[put(person(1), "x")])),
        Outcome::Unknown(operation)
    );
    assert_eq!(version(&*store, person(1)), Some(1));
}

fn operations_within_retention_survive_the_drop(open: Open<'_>) {
    let store = open();
    let operation = OperationId::new(NOW, *b"just now");
    assert_eq!(
        block_on(store.commit(operation, &[], &[put(person(1), "x")])),
        Outcome::Committed
    );
    block_on(store.drop_expired(NOW + OPERATION_RETENTION_SECONDS)).unwrap();
    assert_eq!(block_on(store.outcome_of(operation)), Some(true));
}
