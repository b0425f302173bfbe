//! What happens when file, disk or neighbours misbehave.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use store::suite::block_on;
use store::{
    Condition, Key, Kind, OPERATION_RETENTION_SECONDS, OperationId, Outcome, SealedBytes, Store, StoreError, TenantId,
    Write,
};
use store_sqlite::{Options, SCHEMA_VERSION, SqliteStore};
use tempfile::TempDir;

const NOW: u64 = 1_800_000_000;
const TENANT: TenantId = TenantId::from_bytes([1; 16]);

struct Place {
    _directory: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.sqlite");
    Place {
        _directory: directory,
        path,
    }
}

fn operation() -> OperationId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    OperationId::new(NOW, NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes())
}

fn person(number: u8) -> Key {
    Key::identity(TENANT, &[number; 16])
}

fn put(key: Key, size: usize) -> [Write; 1] {
    let expires_at = matches!(key.kind(), Kind::SingleUse | Kind::Audit).then_some(NOW + 60);
    [Write::Put {
        key,
        sealed: SealedBytes::from_sealed(vec![0xa5; size]),
        expires_at,
    }]
}

fn enrol(store: &SqliteStore, number: u8) -> Outcome {
    block_on(store.commit(
        operation(),
        &[Condition::Absent(person(number))],
        &put(person(number), 1_500),
    ))
}

fn is_there(store: &SqliteStore, number: u8) -> bool {
    block_on(store.load(&[person(number)])).unwrap()[0].is_some()
}

fn quick() -> Options {
    Options {
        deadline: Duration::from_millis(20),
        lock_wait: Duration::from_secs(20),
        ..Options::default()
    }
}

/// Somebody else's write lock, as a careless backup tool takes it.
fn lock(path: &Path) -> Connection {
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[test]
fn data_survives_closing_and_the_file_is_complete_then() {
    let place = place();
    let store = SqliteStore::open(&place.path).unwrap();
    assert_eq!(enrol(&store, 1), Outcome::Committed);
    let handed_over: Vec<_> = (2..200)
        .map(|number| store.commit(operation(), &[], &put(person(number), 100)))
        .collect();
    drop(handed_over);
    drop(store);
    assert!(
        !place.path.with_extension("sqlite-wal").exists(),
        "the log is in the database"
    );
    let store = SqliteStore::open(&place.path).unwrap();
    assert!(
        (1..200).all(|number| is_there(&store, number)),
        "what was handed over is finished before closing"
    );
    assert_eq!(enrol(&store, 1), Outcome::Conflict(0));
}

#[test]
fn temporary_store_leaves_nothing_behind() {
    let store = SqliteStore::open_temporary().unwrap();
    assert_eq!(enrol(&store, 1), Outcome::Committed);
    let directory = store.path().parent().unwrap().to_owned();
    assert!(directory.exists());
    drop(store);
    assert!(!directory.exists());
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let place = place();
    let store = SqliteStore::open(&place.path).unwrap();
    assert_eq!(enrol(&store, 1), Outcome::Committed);
    for file in std::fs::read_dir(place.path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
}

#[test]
fn second_opening_is_refused_until_the_first_is_closed() {
    let place = place();
    let first = SqliteStore::open(&place.path).unwrap();
    assert!(matches!(SqliteStore::open(&place.path), Err(StoreError::Locked(_))));
    drop(first);
    assert!(SqliteStore::open(&place.path).is_ok());
}

#[test]
fn newer_schema_is_refused_and_left_alone() {
    let place = place();
    drop(SqliteStore::open(&place.path).unwrap());
    let other = Connection::open(&place.path).unwrap();
    other
        .execute("INSERT INTO schema_version (version) VALUES (?1)", [SCHEMA_VERSION + 1])
        .unwrap();
    drop(other);
    let error = SqliteStore::open(&place.path).unwrap_err();
    assert_eq!(
        error,
        StoreError::SchemaTooNew {
            found: SCHEMA_VERSION + 1,
            supported: SCHEMA_VERSION
        }
    );
    assert!(error.to_string().contains("use the newer release"));
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let place = place();
    Connection::open(&place.path)
        .unwrap()
        .execute_batch("CREATE TABLE bookmarks (url TEXT)")
        .unwrap();
    let before = std::fs::read(&place.path).unwrap();
    assert!(matches!(SqliteStore::open(&place.path), Err(StoreError::Corrupt(_))));
    assert_eq!(std::fs::read(&place.path).unwrap(), before);
}

#[test]
fn file_that_is_no_database_is_refused_and_left_alone() {
    let place = place();
    let text = "this is a letter, not a database\n".repeat(100);
    std::fs::write(&place.path, &text).unwrap();
    assert!(matches!(SqliteStore::open(&place.path), Err(StoreError::Corrupt(_))));
    assert_eq!(std::fs::read_to_string(&place.path).unwrap(), text);
}

#[test]
fn place_that_does_not_exist_is_a_clear_error() {
    let place = place();
    let error = SqliteStore::open(place.path.join("missing").join("store.sqlite")).unwrap_err();
    assert!(matches!(error, StoreError::Failed(_)), "{error}");
}

#[test]
fn damaged_pages_are_errors_not_answers() {
    let place = place();
    let store = SqliteStore::open(&place.path).unwrap();
    for number in 1..=250 {
        assert_eq!(enrol(&store, number), Outcome::Committed);
    }
    drop(store);
    let mut bytes = std::fs::read(&place.path).unwrap();
    let pages = bytes.len() / 4_096;
    for page in 20..pages {
        bytes[page * 4_096..][..64].fill(0xff);
    }
    std::fs::write(&place.path, bytes).unwrap();
    let store = SqliteStore::open(&place.path).unwrap();
    let damaged = (1..=250)
        .filter(|number| block_on(store.load(&[person(*number)])).is_err())
        .count();
    assert!(damaged > 100, "{damaged}");
    let error = (1..=250)
        .find_map(|number| block_on(store.load(&[person(number)])).err())
        .unwrap();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
}

#[test]
fn full_store_refuses_and_keeps_what_it_has() {
    let options = Options {
        max_bytes: Some(400_000),
        ..Options::default()
    };
    let store = SqliteStore::open_temporary_with(options).unwrap();
    let outcomes: Vec<_> = (0..=255).map(|number| enrol(&store, number)).collect();
    let kept = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Committed)
        .count();
    assert!((50..256).contains(&kept), "{kept}");
    for (number, outcome) in outcomes.iter().enumerate() {
        let there = is_there(&store, u8::try_from(number).unwrap());
        match outcome {
            Outcome::Committed => assert!(there),
            Outcome::Refused(StoreError::Full) => assert!(!there),
            other => panic!("{other:?}"),
        }
    }
    // Full is not broken: what is deleted makes room, and questions are answered.
    let deletions: Vec<_> = (0..60).map(|number| Write::Delete(person(number))).collect();
    assert_eq!(block_on(store.commit(operation(), &[], &deletions)), Outcome::Committed);
    assert_eq!(enrol(&store, 0), Outcome::Committed);
}

#[test]
fn full_store_refuses_a_group_one_by_one() {
    let options = Options {
        max_bytes: Some(400_000),
        ..Options::default()
    };
    let store = SqliteStore::open_temporary_with(options).unwrap();
    let running: Vec<_> = (0..=255)
        .map(|number| store.commit(operation(), &[], &put(person(number), 1_500)))
        .collect();
    let outcomes: Vec<_> = running.into_iter().map(block_on).collect();
    assert!(
        outcomes.contains(&Outcome::Committed),
        "a group that does not fit is tried one by one"
    );
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let there = is_there(&store, u8::try_from(number).unwrap());
        assert_eq!(
            outcome,
            if there {
                Outcome::Committed
            } else {
                Outcome::Refused(StoreError::Full)
            }
        );
    }
}

#[test]
fn somebody_elses_lock_is_waited_for_and_then_named() {
    let options = Options {
        lock_wait: Duration::from_millis(30),
        ..Options::default()
    };
    let store = SqliteStore::open_temporary_with(options).unwrap();
    let other = lock(store.path());
    assert!(matches!(enrol(&store, 1), Outcome::Refused(StoreError::Locked(_))));
    assert!(!is_there(&store, 1), "readers are not locked out");
    drop(other);
    assert_eq!(enrol(&store, 1), Outcome::Committed);
}

#[test]
fn commit_beyond_its_deadline_is_unknown_goes_on_and_can_be_asked() {
    let store = SqliteStore::open_temporary_with(quick()).unwrap();
    let other = lock(store.path());
    let late = operation();
    let outcome = block_on(store.commit(late, &[Condition::Absent(person(1))], &put(person(1), 100)));
    assert_eq!(outcome, Outcome::Unknown(late));
    assert!(!is_there(&store, 1));
    drop(other);
    // Never cancelled: the write ends when it can. Asking waits for it.
    while !is_there(&store, 1) {
        std::thread::yield_now();
    }
    assert_eq!(block_on(store.outcome_of(late)), Some(true));
    assert_eq!(
        block_on(store.commit(late, &[Condition::Absent(person(1))], &put(person(1), 100))),
        Outcome::Committed
    );
}

#[test]
fn commit_that_was_not_begun_by_its_deadline_is_withdrawn() {
    let store = SqliteStore::open_temporary_with(quick()).unwrap();
    let other = lock(store.path());
    let (begun, waiting) = (operation(), operation());
    let first = store.commit(begun, &[], &put(person(1), 100));
    assert_eq!(block_on(first), Outcome::Unknown(begun));
    let second = store.commit(waiting, &[], &put(person(2), 100));
    assert_eq!(block_on(store.outcome_of(begun)), None, "nobody knows yet");
    assert_eq!(block_on(second), Outcome::Refused(StoreError::NotBegun));
    drop(other);
    while !is_there(&store, 1) {
        std::thread::yield_now();
    }
    assert_eq!(block_on(store.outcome_of(begun)), Some(true));
    assert_eq!(block_on(store.outcome_of(waiting)), Some(false));
    assert!(!is_there(&store, 2), "withdrawn means never");
    assert_eq!(enrol(&store, 2), Outcome::Committed, "and the store goes on");
}

#[test]
fn overload_is_refused_at_once() {
    let options = Options {
        max_waiting: 4,
        ..quick()
    };
    let store = SqliteStore::open_temporary_with(options).unwrap();
    let other = lock(store.path());
    let running: Vec<_> = (0..20)
        .map(|number| store.commit(operation(), &[], &put(person(number), 100)))
        .collect();
    let outcomes: Vec<_> = running.into_iter().map(block_on).collect();
    let overloaded = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Refused(StoreError::Overloaded))
        .count();
    assert!(overloaded >= 11, "{outcomes:?}"); // 4 under way at most, 4 waiting, once more 1 taken between
    drop(other);
}

#[test]
fn operations_are_forgotten_for_good_even_after_a_restart() {
    let place = place();
    let old = operation();
    let store = SqliteStore::open(&place.path).unwrap();
    assert_eq!(
        block_on(store.commit(old, &[], &put(person(1), 100))),
        Outcome::Committed
    );
    drop(store);
    let store = SqliteStore::open(&place.path).unwrap();
    assert_eq!(block_on(store.outcome_of(old)), Some(true));
    block_on(store.drop_expired(NOW + 3 * OPERATION_RETENTION_SECONDS)).unwrap();
    drop(store);
    let store = SqliteStore::open(&place.path).unwrap();
    assert_eq!(block_on(store.outcome_of(old)), None);
    assert_eq!(
        block_on(store.commit(old, &[], &put(person(1), 100))),
        Outcome::Unknown(old)
    );
}

#[test]
fn expired_slots_leave_no_table_behind() {
    let store = SqliteStore::open_temporary().unwrap();
    for hour in 0..5 {
        let key = Key::single_use(TENANT, &[hour; 16]);
        let expires_at = Some(NOW + u64::from(hour) * 3_600);
        let write = Write::Put {
            key,
            sealed: SealedBytes::from_sealed(Vec::new()),
            expires_at,
        };
        assert_eq!(block_on(store.commit(operation(), &[], &[write])), Outcome::Committed);
    }
    let slots = |name: &str| -> i64 {
        let other = Connection::open(store.path()).unwrap();
        let count = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name GLOB ?1 || '_[0-9]*'";
        other.query_row(count, [name], |row| row.get(0)).unwrap()
    };
    assert_eq!((slots("single_use"), slots("operation")), (5, 1));
    block_on(store.drop_expired(NOW + 3 * 3_600)).unwrap();
    assert_eq!((slots("single_use"), slots("operation")), (2, 0));
}

#[test]
fn rolled_back_slot_is_created_again_when_needed() {
    let options = Options {
        max_bytes: Some(400_000),
        ..Options::default()
    };
    let store = SqliteStore::open_temporary_with(options).unwrap();
    while enrol_next(&store) == Outcome::Committed {}
    let claim = |hour: u64| {
        let write = Write::Put {
            key: Key::single_use(TENANT, &[9; 16]),
            sealed: SealedBytes::from_sealed(Vec::new()),
            expires_at: Some(NOW + hour * 3_600),
        };
        block_on(store.commit(operation(), &[Condition::Absent(*write.key())], &[write]))
    };
    assert_eq!(
        claim(1),
        Outcome::Refused(StoreError::Full),
        "there is no page left for a new slot"
    );
    let deletions: Vec<_> = (0..40).map(|number| Write::Delete(person(number))).collect();
    assert_eq!(block_on(store.commit(operation(), &[], &deletions)), Outcome::Committed);
    assert_eq!(claim(1), Outcome::Committed);
    assert_eq!(claim(2), Outcome::Conflict(0));
}

fn enrol_next(store: &SqliteStore) -> Outcome {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    enrol(store, u8::try_from(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap())
}
