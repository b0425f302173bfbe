//! A process is killed in the middle of its commits (`store::suite::crash`). Not run by the standard harness, because
//! this executable also plays the process that is killed: `crash commit-until-killed FILE ROUND`.

use std::process::Command;
use std::sync::Arc;

use store::Store;
use store::suite::crash;
use store_sqlite::SqliteStore;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("commit-until-killed") => {
            let store = SqliteStore::open(&arguments[2]).expect("store opens");
            crash::commit_until_killed(&store, arguments[3].parse().expect("round is a number"));
        }
        Some("--list") => {} // asked by test runners
        _ => {
            let directory = tempfile::tempdir().expect("temporary directory");
            let executable = std::env::current_exe().expect("own path");
            crash::run(
                &directory.path().join("store.sqlite"),
                &|path, round| {
                    let mut child = Command::new(&executable);
                    child.arg("commit-until-killed").arg(path).arg(round.to_string());
                    child
                },
                &|path| -> Arc<dyn Store> { Arc::new(SqliteStore::open(path).expect("store opens after a crash")) },
            );
        }
    }
}
