//! Many at once: one wins, nobody sees a part, one's failure is not another's.

use std::sync::Barrier;
use std::sync::atomic::AtomicBool;

use super::*;

pub(super) const PROMISES: &[Promise] = list![
    of_racing_claims_exactly_one_wins,
    racing_updates_lose_nothing,
    conflict_of_one_does_not_fail_its_neighbours,
    thousand_concurrent_commits_are_all_kept,
    readers_see_all_of_a_commit_or_nothing,
    committed_is_seen_by_the_next_load_of_anyone,
    racing_repetitions_of_one_operation_write_once,
    reading_never_fails_while_slots_come_and_go,
];

const RACERS: usize = 8;

/// Says that it is over when it is dropped, by a panic too: nobody waits for ever for a racer that broke.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs the same thing in several threads that start together.
fn race<T: Send>(run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(RACERS);
    std::thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS)
            .map(|racer| {
                let (run, start) = (&run, &start);
                scope.spawn(move || {
                    start.wait();
                    run(racer)
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

fn of_racing_claims_exactly_one_wins(open: Open<'_>) {
    let store = open();
    for round in 0..50 {
        let key = login(round);
        let outcomes = race(|racer| {
            let text = format!("racer {racer}");
            // Different expiries, so that racers may aim at different slots.
            let expires_at = NOW + 60 + racer as u64 * 3_600;
            let conditions = [Condition::Absent(person(999_999)), Condition::Absent(key)];
            (
                text.clone(),
                commit(&*store, &conditions, &[put_until(key, &text, expires_at)]),
            )
        });
        let (winners, losers): (Vec<_>, Vec<_>) = outcomes
            .into_iter()
            .partition(|(_, outcome)| *outcome == Outcome::Committed);
        assert_eq!(winners.len(), 1);
        assert!(losers.iter().all(|(_, outcome)| *outcome == Outcome::Conflict(1)));
        assert_eq!(body(&*store, key).as_ref(), Some(&winners[0].0));
    }
}

fn racing_updates_lose_nothing(open: Open<'_>) {
    const EACH: u64 = 20;
    const MOST_ATTEMPTS: u64 = EACH * RACERS as u64 + 1;
    let store = open();
    must_commit(&*store, &[], &[put(person(1), "0")]);
    race(|_| {
        for _ in 0..EACH {
            let counted = (0..MOST_ATTEMPTS).any(|_| {
                let row = load(&*store, person(1)).unwrap();
                let count: u64 = std::str::from_utf8(row.sealed.as_bytes()).unwrap().parse().unwrap();
                let condition = [Condition::VersionIs(person(1), row.version)];
                match commit(&*store, &condition, &[put(person(1), &(count + 1).to_string())]) {
                    Outcome::Committed => true,
                    Outcome::Conflict(0) => false,
                    other => panic!("{other:?}"),
                }
            });
            assert!(counted, "somebody always gets on");
        }
    });
    let total = EACH * RACERS as u64;
    assert_eq!(body(&*store, person(1)), Some(total.to_string()));
    assert_eq!(version(&*store, person(1)), Some(total + 1));
}

fn conflict_of_one_does_not_fail_its_neighbours(open: Open<'_>) {
    let store = open();
    must_commit(
        &*store,
        &[],
        &[put(person(0), "taken"), put_until(login(0), "taken", NOW + 60)],
    );
    let mut expected = Vec::new();
    let mut running: Vec<BoxFuture<'_, Outcome>> = Vec::new();
    for number in 1..=90 {
        let (outcome, commit) = match number % 3 {
            0 => (
                Outcome::Conflict(0),
                store.commit(
                    fresh_operation(),
                    &[Condition::Absent(person(0))],
                    &[put(person(number), "x")],
                ),
            ),
            1 => (
                Outcome::Committed,
                store.commit(fresh_operation(), &[], &[put(person(number), "x")]),
            ),
            _ => (
                Outcome::Refused(StoreError::WrittenOnce(Kind::SingleUse)),
                store.commit(
                    fresh_operation(),
                    &[],
                    &[put(person(number), "x"), put_until(login(0), "again", NOW + 60)],
                ),
            ),
        };
        expected.push(outcome);
        running.push(commit);
    }
    let outcomes: Vec<_> = running.into_iter().map(block_on).collect();
    assert_eq!(outcomes, expected);
    for number in 1..=90 {
        assert_eq!(load(&*store, person(number)).is_some(), number % 3 == 1);
    }
}

fn thousand_concurrent_commits_are_all_kept(open: Open<'_>) {
    let store = open();
    let running: Vec<_> = (0..1_000)
        .map(|number| {
            let writes = [
                put(person(number), &number.to_string()),
                put_until(login(number), "x", NOW + 60),
            ];
            store.commit(fresh_operation(), &[Condition::Absent(login(number))], &writes)
        })
        .collect();
    for outcome in running.into_iter().map(block_on) {
        assert_eq!(outcome, Outcome::Committed);
    }
    for number in 0..1_000 {
        assert_eq!(body(&*store, person(number)), Some(number.to_string()));
        assert_eq!(version(&*store, login(number)), Some(1));
    }
}

fn readers_see_all_of_a_commit_or_nothing(open: Open<'_>) {
    let store = open();
    let device = Key::device(TENANT, &group(1), &id(2));
    let done = AtomicBool::new(false);
    must_commit(&*store, &[], &[put(person(1), "0"), put(device, "0")]);
    race(|racer| {
        if racer == 0 {
            let _over = Over(&done);
            for round in 1..=200 {
                let text = format!("{round}");
                must_commit(&*store, &[], &[put(person(1), &text), put(device, &text)]);
            }
        }
        while !done.load(Ordering::Relaxed) {
            let rows = block_on(store.load(&[person(1), device])).unwrap();
            assert_eq!(rows[0], rows[1], "both records of one commit or neither");
        }
    });
}

fn committed_is_seen_by_the_next_load_of_anyone(open: Open<'_>) {
    let store = open();
    race(|racer| {
        for round in 0..30 {
            let key = person(racer as u64 * 1_000 + round);
            must_commit(&*store, &[], &[put(key, "x")]);
            let seen = std::thread::scope(|scope| scope.spawn(|| version(&*store, key)).join().unwrap());
            assert_eq!(seen, Some(1));
        }
    });
}

fn racing_repetitions_of_one_operation_write_once(open: Open<'_>) {
    let store = open();
    for round in 0..20 {
        let operation = fresh_operation();
        let outcomes = race(|_| block_on(store.commit(operation, &[], &[put(person(round), "x")])));
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Committed));
        assert_eq!(version(&*store, person(round)), Some(1));
    }
}

fn reading_never_fails_while_slots_come_and_go(open: Open<'_>) {
    const HOURS: u64 = 60;
    let store = open();
    let done = AtomicBool::new(false);
    // Far ahead: every load looks at its slot too, and it must always be found.
    must_commit(&*store, &[], &[put_until(login(1_000), "kept", NOW + 100 * 24 * 3_600)]);
    race(|racer| {
        if racer == 0 {
            let _over = Over(&done);
            for hour in 0..HOURS {
                let expires_at = NOW + hour * 3_600;
                let operation = OperationId::new(expires_at, hour.to_be_bytes());
                let claim = [put_until(login(hour), "x", expires_at)];
                assert_eq!(block_on(store.commit(operation, &[], &claim)), Outcome::Committed);
                if hour % 3 == 2 {
                    block_on(store.drop_expired(expires_at)).unwrap();
                }
            }
        }
        while !done.load(Ordering::Relaxed) {
            let rows = block_on(store.load(&[login(racer as u64), login(1_000)])).unwrap();
            assert!(rows[1].is_some());
            assert!(
                !block_on(store.list(Kind::SingleUse, TENANT, &[], 1_000))
                    .unwrap()
                    .is_empty()
            );
        }
    });
}
