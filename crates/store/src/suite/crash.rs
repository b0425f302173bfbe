//! Durability: a process is killed in the middle of its commits, again and again, and the store is opened after it.
//!
//! The backend's test executable plays both roles: started by [`run`] as a child it calls [`commit_until_killed`].
//! Killing the process shows that nothing acknowledged was only in its memory and that no batch is half there. It
//! does not show that the disk obeyed: that takes a machine that loses power.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

/// How often the child is started and killed.
const ROUNDS: u64 = 8;
/// Threads of the child that commit at the same time.
const WRITERS: u64 = 4;
/// Batch numbers of one round begin this far after those of the round before.
const ROUND: u64 = 1_000_000;

/// The child's part: commits batches from several threads for as long as it lives, and prints the number of each batch
/// on standard output once it is acknowledged. `round` as given by [`run`].
///
/// # Panics
/// If a commit ends in anything but `Committed`.
pub fn commit_until_killed(store: &dyn Store, round: u64) {
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for number in (round * ROUND + writer..).step_by(WRITERS as usize) {
                    let counter = load(store, counter(writer)).map_or(0, |row| row.version);
                    let condition = match counter {
                        0 => Condition::Absent(self::counter(writer)),
                        version => Condition::VersionIs(self::counter(writer), version),
                    };
                    let conditions = [Condition::Absent(login(number)), condition];
                    let mut writes = batch(number).to_vec();
                    writes.push(put(self::counter(writer), &(counter + 1).to_string()));
                    let outcome = block_on(store.commit(operation(number), &conditions, &writes));
                    assert_eq!(outcome, Outcome::Committed);
                    // One write call per line: lines of several threads do not mix, and a killed child leaves at most
                    // one incomplete line.
                    let line = format!("{number} {writer} {}\n", counter + 1);
                    if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// The parent's part: `start` makes the command that runs [`commit_until_killed`] on the store at a path, in a round.
///
/// # Panics
/// If an acknowledged batch is missing, a batch is there in part, a claim can be made again, a version went back,
/// or the recorded outcome of an operation contradicts its rows.
pub fn run(path: &Path, start: &dyn Fn(&Path, u64) -> Command, open: &dyn Fn(&Path) -> Arc<dyn Store>) {
    let mut acknowledged = BTreeMap::new();
    let mut counters = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = start(path, round).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = 20 + round * 53;
        let mut seen = 0;
        while let Some(Ok(line)) = lines.next() {
            let numbers: Vec<u64> = line.split(' ').map_while(|number| number.parse().ok()).collect();
            let [number, writer, version] = numbers[..] else {
                continue;
            };
            acknowledged.insert(number, ());
            let newest: &mut u64 = counters.entry(writer).or_default();
            *newest = version.max(*newest);
            seen += 1;
            if seen == wanted {
                child.kill().unwrap(); // SIGKILL; what it had printed before is still read
            }
        }
        assert!(
            !child.wait().unwrap().success() && seen >= wanted,
            "the child must live until it is killed"
        );
        let store = open(path);
        check(&*store, round, &acknowledged, &counters);
    }
    eprintln!(
        "killed {ROUNDS} times; {} acknowledged batches, none lost, none in part",
        acknowledged.len()
    );
}

fn check(store: &dyn Store, round: u64, acknowledged: &BTreeMap<u64, ()>, counters: &BTreeMap<u64, u64>) {
    let newest = *acknowledged.keys().next_back().unwrap();
    let unacknowledged = newest..newest + 100 * WRITERS;
    for number in acknowledged
        .keys()
        .copied()
        .chain(round * ROUND..newest)
        .chain(unacknowledged)
    {
        let keys: Vec<Key> = batch(number).iter().map(|write| *write.key()).collect();
        let rows = block_on(store.load(&keys)).unwrap();
        let there = rows.iter().flatten().count();
        assert!(there == 0 || there == keys.len(), "batch {number} is there in part");
        assert!(
            there > 0 || !acknowledged.contains_key(&number),
            "acknowledged batch {number} is lost"
        );
        assert_eq!(block_on(store.outcome_of(operation(number))), Some(there > 0));
        let text = number.to_string();
        assert!(
            rows.iter()
                .flatten()
                .all(|row| row.version == 1 && row.sealed.as_bytes() == text.as_bytes())
        );
    }
    for number in acknowledged.keys().take(50) {
        let claim = commit(
            store,
            &[Condition::Absent(login(*number))],
            &[put_until(login(*number), "x", NOW + 60)],
        );
        assert_eq!(claim, Outcome::Conflict(0), "claim {number} can be made twice");
    }
    for (&writer, &newest) in counters {
        let row = load(store, counter(writer)).unwrap();
        assert!(row.version >= newest, "version of counter {writer} went back");
        assert_eq!(row.sealed.as_bytes(), row.version.to_string().as_bytes());
    }
}

fn counter(writer: u64) -> Key {
    Key::new(Kind::Meta, TENANT, writer.to_be_bytes()).unwrap()
}

fn operation(number: u64) -> OperationId {
    OperationId::new(NOW, (number | 1 << 63).to_be_bytes())
}

fn batch(number: u64) -> [Write; 4] {
    let text = number.to_string();
    let mut index = [0; 32];
    index[..16].copy_from_slice(&id(number));
    [
        put(person(number), &text),
        put(Key::lookup(TENANT, &BlindIndex::from_keyed_hash(index)), &text),
        put(Key::device(TENANT, &group(number), &id(number)), &text),
        put_until(login(number), &text, NOW + 60),
    ]
}
