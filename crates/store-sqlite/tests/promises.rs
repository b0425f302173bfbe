//! The promises of `store::suite`, kept by SQLite.

use std::sync::Arc;

use store::Store;
use store_sqlite::SqliteStore;

#[test]
fn sqlite_keeps_every_promise() {
    store::suite::run(&|| -> Arc<dyn Store> {
        Arc::new(SqliteStore::open_temporary().expect("temporary store opens"))
    });
}
