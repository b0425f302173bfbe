//! What a durable commit and a read cost: CPU of the whole process per operation, and operations per second.
//!
//! `cargo bench -p healthid-store-sqlite`. Absolute values belong to the machine; keep the ratios (`performance.md` 1).

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use store::suite::block_on;
use store::{Condition, Key, OperationId, Outcome, SealedBytes, Store, TenantId, Write};
use store_sqlite::{Options, SqliteStore};

const NOW: u64 = 1_800_000_000;
const TENANT: TenantId = TenantId::from_bytes([1; 16]);
const PEOPLE: u64 = 20_000;

fn id(number: u64) -> [u8; 16] {
    u128::from(number)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        .to_be_bytes()
}

fn put(key: Key, size: usize, expires_at: Option<u64>) -> Write {
    Write::Put {
        key,
        sealed: SealedBytes::from_sealed(vec![0xa5; size]),
        expires_at,
    }
}

fn operation() -> OperationId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    OperationId::new(NOW, id(NEXT.fetch_add(1, Ordering::Relaxed))[..8].try_into().unwrap())
}

/// CPU seconds of all threads that live.
fn cpu_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let nanoseconds: u64 = tasks
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("schedstat")).ok())
        .map(|stat| stat.split(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    nanoseconds as f64 / 1e9
}

fn measure(name: &str, operations: u64, work: impl FnOnce()) {
    let (cpu, wall) = (cpu_seconds(), Instant::now());
    work();
    let (cpu, wall) = (cpu_seconds() - cpu, wall.elapsed().as_secs_f64());
    let (per_second, each) = (operations as f64 / wall, cpu * 1e6 / operations as f64);
    println!("{name:<52} {per_second:>9.0} /s {each:>7.1} us CPU each");
}

/// The commit that redeems a login: one claim.
fn redeem(store: &SqliteStore, number: u64) -> store::BoxFuture<'_, Outcome> {
    let key = Key::single_use(TENANT, &id(number));
    store.commit(
        operation(),
        &[Condition::Absent(key)],
        &[put(key, 0, Some(NOW + 7_200))],
    )
}

fn keep_running(store: &SqliteStore, first: u64, total: u64, parallel: u64) {
    let mut running = std::collections::VecDeque::new();
    for number in first..first + total {
        if running.len() as u64 == parallel {
            let oldest: store::BoxFuture<'_, Outcome> = running.pop_front().unwrap();
            assert_eq!(block_on(oldest), Outcome::Committed);
        }
        running.push_back(redeem(store, number));
    }
    for outcome in running {
        assert_eq!(block_on(outcome), Outcome::Committed);
    }
}

/// Logins arriving by themselves, a given number in each millisecond, as from many people.
fn arriving(store: &SqliteStore, first: u64, total: u64, each_millisecond: u64) {
    let mut running = std::collections::VecDeque::new();
    for number in first..first + total {
        if number % each_millisecond == 0 {
            std::thread::sleep(std::time::Duration::from_micros(900));
        }
        running.push_back(redeem(store, number));
        if running.len() > 500 {
            let oldest: store::BoxFuture<'_, Outcome> = running.pop_front().unwrap();
            assert_eq!(block_on(oldest), Outcome::Committed);
        }
    }
    for outcome in running {
        assert_eq!(block_on(outcome), Outcome::Committed);
    }
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return; // built and started by `cargo test`, but not a test
    }
    let store = SqliteStore::open_temporary().unwrap();
    measure("enrol (record 1.7 KB, lookup), 64 at a time", PEOPLE, || {
        let numbers: Vec<u64> = (0..PEOPLE).collect();
        for some in numbers.chunks(64) {
            let running: Vec<_> = some
                .iter()
                .map(|&number| {
                    let (person, mut index) = (Key::identity(TENANT, &id(number)), [0; 32]);
                    index[..16].copy_from_slice(&id(number));
                    let lookup = Key::lookup(TENANT, &store::BlindIndex::from_keyed_hash(index));
                    let conditions = [Condition::Absent(lookup), Condition::Absent(person)];
                    store.commit(
                        operation(),
                        &conditions,
                        &[put(person, 1_667, None), put(lookup, 69, None)],
                    )
                })
                .collect();
            running
                .into_iter()
                .for_each(|outcome| assert_eq!(block_on(outcome), Outcome::Committed));
        }
    });
    let mut first = 0;
    for _ in 0..2 {
        for (parallel, total) in [(1, 3_000), (4, 6_000), (16, 15_000), (64, 30_000), (256, 30_000)] {
            measure(&format!("redeem a login, {parallel} at a time"), total, || {
                keep_running(&store, first, total, parallel);
            });
            first += total;
        }
    }
    for each_millisecond in [1, 3, 10] {
        for gather in [0, 1, 2, 4] {
            let options = Options {
                gather: std::time::Duration::from_millis(gather),
                ..Options::default()
            };
            let store = SqliteStore::open_temporary_with(options).unwrap();
            let name = format!("redeem, {each_millisecond} arriving each ms, gathering {gather} ms");
            measure(&name, 4_000, || arriving(&store, 0, 4_000, each_millisecond));
        }
    }
    for keys in [1, 2, 8] {
        measure(&format!("load {keys} of {PEOPLE} records of 1.7 KB"), 50_000, || {
            for number in 0..50_000u64 {
                let keys: Vec<_> = (0..keys)
                    .map(|key| Key::identity(TENANT, &id((number + key) * 7_919 % PEOPLE)))
                    .collect();
                assert!(block_on(store.load(&keys)).unwrap().iter().all(Option::is_some));
            }
        });
    }
    measure("floor: wake another thread and be answered", 50_000, || {
        let (ask, asked) = std::sync::mpsc::channel::<std::sync::mpsc::Sender<()>>();
        std::thread::scope(|scope| {
            scope.spawn(move || asked.iter().for_each(|answer| answer.send(()).unwrap()));
            for _ in 0..50_000 {
                let (answer, answered) = std::sync::mpsc::channel();
                ask.send(answer).unwrap();
                answered.recv().unwrap();
            }
            drop(ask);
        });
    });
}
