//! Every level of the hierarchy is rotated while people go on logging in.

#![allow(clippy::unwrap_used)]

mod support;

use store::{Condition, Key, Kind, OperationId, Outcome, Row, Store, Write, memory::MemoryStore, suite::block_on};
use support::*;
use vault::{BackgroundTask, Generation, OpenError, PersonId, Rows, ScopeError, SealedChange, StateKind, Vault};

fn generation(number: u32) -> Generation {
    Generation::new(number).unwrap()
}

struct Database {
    store: MemoryStore,
    operations: std::cell::Cell<u64>,
}

impl Database {
    fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            operations: std::cell::Cell::new(0),
        }
    }

    fn commit(&self, conditions: &[Condition], writes: &[Write]) -> Outcome {
        let number = self.operations.get() + 1;
        self.operations.set(number);
        let operation = OperationId::new(NOW.0, number.to_be_bytes());
        block_on(self.store.commit(operation, conditions, writes))
    }

    fn apply(&self, change: SealedChange) -> Outcome {
        self.commit(&[change.condition], &[change.write])
    }

    fn row(&self, key: Key) -> Option<Row> {
        block_on(self.store.load(&[key])).unwrap().remove(0)
    }

    fn create(&self, vault: &Vault, data: &vault::PersonData) -> PersonId {
        let person = vault.create_person(tenant(), data).unwrap();
        assert_eq!(self.commit(&person.conditions, &person.writes), Outcome::Committed);
        person.id
    }
}

/// A login in four steps, as several instances serve it: found by number, opened, an entry written, a session carried on.
fn log_in(database: &Database, finds: &Vault, opens: &Vault, person: PersonId, event: u8) {
    let found = finds
        .lookup_keys(tenant(), &ada().kvnr)
        .unwrap()
        .into_iter()
        .find_map(|key| Some((key, database.row(key)?)))
        .unwrap();
    assert_eq!(finds.open_lookup(&found.0, &found.1), Ok(person));
    let session = finds
        .seal_login(&login(finds, tenant(), person), StateKind::Session, NOW, b"session")
        .unwrap();
    let (capability, _) = opens.open_login(tenant(), StateKind::Session, NOW, &session).unwrap();
    let identity = database.row(person.identity_key(tenant())).unwrap();
    let key = opens.event_key(tenant(), &person, UNTIL_DAY, &[event; 16]).unwrap();
    let entry = opens
        .with_person(capability, &identity, |scope| {
            assert_eq!(scope.claims().given_name(), "Ada");
            scope.seal_record(key, None, &scope.plaintext(vec![event]), Some(NOW.0 + 1_000))
        })
        .unwrap()
        .unwrap();
    assert_eq!(database.apply(entry), Outcome::Committed);
}

fn events(database: &Database, vault: &Vault, person: PersonId) -> Result<Vec<u8>, ScopeError> {
    let identity = database.row(person.identity_key(tenant())).unwrap();
    let hers = vault
        .row_group(tenant(), &person, Rows::EventsUntil(UNTIL_DAY))
        .unwrap();
    let rows = block_on(database.store.list(Kind::Audit, tenant(), hers.as_bytes(), 100)).unwrap();
    let mut found = Vec::new();
    let capability = vault.background_capability(tenant(), person, BackgroundTask::Reseal);
    vault.with_person(capability, &identity, |scope| {
        for (key, row) in &rows {
            found.push(scope.open_record(key, row)?.bytes()[0]);
        }
        Ok::<(), ScopeError>(())
    })??;
    found.sort_unstable();
    Ok(found)
}

#[test]
fn record_keys_are_raised_on_one_instance_after_the_other_without_a_failed_login() {
    let database = Database::new();
    let person = database.create(&vault(), &ada());
    // Each step changes one of two instances: first both read the next generation, then both write it.
    let first = || vault();
    let reading = || vault().reading_up_to(generation(2));
    let second = || vault().at_generation(generation(2));
    let steps: [(Vault, Vault); 5] = [
        (first(), first()),
        (reading(), first()),
        (reading(), reading()),
        (second(), reading()),
        (second(), second()),
    ];
    for (number, (one, other)) in (1_u8..).zip(&steps) {
        log_in(&database, one, other, person, 2 * number);
        log_in(&database, other, one, person, 2 * number + 1);
        for vault in [one, other] {
            assert_eq!(events(&database, vault, person).unwrap().len(), usize::from(number) * 2);
        }
    }
    assert_eq!(second().generations().sealing().number(), 2);
    // Without the first step, the other instance's logins would fail: the order is not a matter of taste.
    let late = events(&database, &first(), person).unwrap_err();
    assert_eq!(
        late,
        ScopeError::Open(OpenError::UnknownGeneration { found: 2, newest: 1 })
    );
}

#[test]
fn people_move_to_a_new_index_while_they_are_found_by_either() {
    let database = Database::new();
    let before = vault();
    let person = database.create(&before, &ada());
    let moving = vault().at_index_generation(generation(2), Some(generation(1)));
    let after = vault().at_index_generation(generation(2), None);
    let kvnr = ada().kvnr.clone();
    log_in(&database, &moving, &moving, person, 1);
    // Somebody new under a number that is taken: refused by the old record as by a new one.
    let taken = moving.create_person(tenant(), &ada()).unwrap();
    assert!(matches!(
        database.commit(&taken.conditions, &taken.writes),
        Outcome::Conflict(_)
    ));

    let [new_key, old_key] = moving.lookup_keys(tenant(), &kvnr).unwrap()[..] else {
        panic!("two")
    };
    assert_eq!(before.lookup_keys(tenant(), &kvnr).unwrap(), [old_key]);
    let row = database.row(old_key).unwrap();
    let moved = moving.move_lookup(tenant(), &kvnr, &old_key, &row).unwrap().unwrap();
    assert_eq!(database.commit(&moved.conditions, &moved.writes), Outcome::Committed);
    assert_eq!(database.row(old_key), None);
    let new_row = database.row(new_key).unwrap();
    assert_eq!(moving.move_lookup(tenant(), &kvnr, &new_key, &new_row), Ok(None));
    log_in(&database, &moving, &moving, person, 2);
    log_in(&database, &after, &moving, person, 3);
    let taken = after.create_person(tenant(), &ada()).unwrap();
    assert!(matches!(
        database.commit(&taken.conditions, &taken.writes),
        Outcome::Conflict(_)
    ));

    let stranger = Key::lookup(tenant(), &after.blind_index(tenant(), &ben().kvnr).unwrap());
    assert!(matches!(
        moving.move_lookup(tenant(), &kvnr, &stranger, &new_row),
        Err(ScopeError::Open(OpenError::WrongKey { .. }))
    ));
    // Deleting her while people move deletes both ways to her.
    let deleted = moving.erase_person(tenant(), person, &kvnr).unwrap();
    assert_eq!(deleted.len(), 3);
}

#[test]
fn data_key_of_a_person_is_rotated_while_she_logs_in() {
    let (database, vault) = (Database::new(), vault());
    let person = database.create(&vault, &ada());
    log_in(&database, &vault, &vault, person, 1);
    log_in(&database, &vault, &vault, person, 2);
    let before = database.row(person.identity_key(tenant())).unwrap();
    let in_scope = |work: &dyn Fn(&vault::PersonScope<'_>) -> Result<Option<SealedChange>, ScopeError>| {
        let identity = database.row(person.identity_key(tenant())).unwrap();
        let capability = vault.background_capability(tenant(), person, BackgroundTask::Reseal);
        vault.with_person(capability, &identity, |scope| work(scope)).unwrap()
    };
    assert_eq!(
        in_scope(&|scope| scope.finish_data_key_rotation()),
        Ok(None),
        "nothing to finish"
    );
    let device = |number: u8| vault.device_key(tenant(), &person, &[number; 16]).unwrap();
    let enrol = |identity: &Row, number: u8| {
        vault
            .with_person(login(&vault, tenant(), person), identity, |scope| {
                scope.seal_record(
                    device(number),
                    None,
                    &scope.plaintext(vec![number]),
                    Some(NOW.0 + 1_000),
                )
            })
            .unwrap()
            .unwrap()
    };
    assert_eq!(database.apply(enrol(&before, 1)), Outcome::Committed);
    // Somebody opened her record before the rotation, and writes after it has begun.
    let late = enrol(&before, 2);
    let begun = in_scope(&|scope| scope.begin_data_key_rotation().map(Some))
        .unwrap()
        .unwrap();
    assert_eq!(database.apply(begun), Outcome::Committed);
    assert_eq!(database.apply(late), Outcome::Committed);
    assert!(matches!(
        in_scope(&|scope| scope.begin_data_key_rotation().map(Some)),
        Err(ScopeError::Purpose(_))
    ));
    log_in(&database, &vault, &vault, person, 3);
    assert_eq!(
        events(&database, &vault, person).unwrap(),
        [1, 2, 3],
        "under either key"
    );

    let hers = vault.row_group(tenant(), &person, Rows::Devices).unwrap();
    let devices = || block_on(database.store.list(Kind::Device, tenant(), hers.as_bytes(), 100)).unwrap();
    let old_rows = devices();
    assert_eq!(old_rows.len(), 2);
    for (key, row) in &old_rows {
        let resealed = in_scope(&|scope| scope.reseal_record(key, row).map(Some))
            .unwrap()
            .unwrap();
        assert!(matches!(&resealed.write, Write::Put { expires_at, .. } if *expires_at == row.expires_at));
        assert_eq!(database.apply(resealed), Outcome::Committed);
    }
    log_in(&database, &vault, &vault, person, 4);
    let finished = in_scope(&|scope| {
        assert!(scope.is_in_data_key_rotation());
        scope.finish_data_key_rotation()
    });
    assert_eq!(database.apply(finished.unwrap().unwrap()), Outcome::Committed);
    log_in(&database, &vault, &vault, person, 5);

    // The old key opens nothing of what stands there now, the new one nothing of what stood there before: her history from
    // before the rotation has expired by then, or is given up.
    let capability = || vault.background_capability(tenant(), person, BackgroundTask::Reseal);
    let identity = database.row(person.identity_key(tenant())).unwrap();
    let now = devices();
    vault
        .with_person(capability(), &before, |scope| {
            assert!(now.iter().all(|(key, row)| scope.open_record(key, row).is_err()));
            assert!(old_rows.iter().all(|(key, row)| scope.open_record(key, row).is_ok()));
        })
        .unwrap();
    vault
        .with_person(capability(), &identity, |scope| {
            assert!(!scope.is_in_data_key_rotation());
            assert!(now.iter().all(|(key, row)| scope.open_record(key, row).is_ok()));
            assert!(old_rows.iter().all(|(key, row)| scope.open_record(key, row).is_err()));
            let event = |number: u8| {
                let key = vault.event_key(tenant(), &person, UNTIL_DAY, &[number; 16]).unwrap();
                scope.open_record(&key, &database.row(key).unwrap()).is_ok()
            };
            assert_eq!([1, 2, 3, 4, 5].map(event), [false, false, true, true, true]);
        })
        .unwrap();
}

#[test]
fn nobody_takes_the_older_data_key_out_of_a_rotation_unnoticed() {
    let vault = vault();
    let person = vault.create_person(tenant(), &ada()).unwrap();
    let capability = || vault.background_capability(tenant(), person.id, BackgroundTask::Reseal);
    let identity = person.identity_row().unwrap();
    let begun = vault
        .with_person(capability(), &identity, |scope| scope.begin_data_key_rotation())
        .unwrap()
        .unwrap();
    let begun = row(&begun);
    assert!(vault.with_person(capability(), &begun, |_| ()).is_ok());
    let bytes = begun.sealed.as_bytes();
    let try_with = |sealed: Vec<u8>| {
        let changed = Row {
            sealed: store::SealedBytes::from_sealed(sealed),
            ..begun.clone()
        };
        vault.with_person(capability(), &changed, |_| ())
    };
    // Form 1 without the second wrapped key; the two keys exchanged; one in both places.
    let (head, current, older, rest) = (&bytes[..5], &bytes[5..85], &bytes[85..165], &bytes[165..]);
    let mut plain = head.to_vec();
    plain[0] = 1;
    assert!(try_with([&plain, current, rest].concat()).is_err());
    assert!(try_with([head, older, current, rest].concat()).is_err());
    assert!(try_with([head, current, current, rest].concat()).is_err());
    assert!(try_with([&plain, current, older, rest].concat()).is_err());
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(try_with(changed).is_err(), "bit {bit}");
    }
    let login = login(&vault, tenant(), person.id);
    let refused = vault.with_person(login, &identity, |scope| scope.begin_data_key_rotation());
    assert!(matches!(refused, Ok(Err(ScopeError::Purpose(_)))), "not in a login");
}
