//! The store as callers see it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_channel::oneshot;
use store::{
    BoxFuture, Condition, Key, Kind, OperationId, Outcome, Row, Store, StoreError, TenantId, UnixSeconds, Write,
    check_commit, check_list, check_load,
};
use tempfile::TempDir;

use crate::Options;
use crate::queue::{Caller, Job, Queue};
use crate::reader::Readers;
use crate::schema::{FileLock, from_io, open_writer};
use crate::writer::Writer;

/// Records in one SQLite file. Closing (dropping) finishes every commit that was handed over and then completes the
/// file, so that it can be copied.
pub struct SqliteStore {
    queue: Arc<Queue>,
    readers: Readers,
    threads: Vec<JoinHandle<()>>,
    path: PathBuf,
    _lock: FileLock,
    _temporary: Option<TempDir>,
}

impl SqliteStore {
    /// Opens the store in this file, creating it if there is none. Beside it lie `…-wal`, `…-shm` while it is open,
    /// and `….lock`.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it open, [`StoreError::SchemaTooNew`] if a newer release wrote it,
    /// [`StoreError::Corrupt`] if it is no store of ours, [`StoreError::ReadOnly`] and [`StoreError::Failed`] for the
    /// file system.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, Options::default())
    }

    /// [`open`](Self::open) with other than the default options.
    ///
    /// # Errors
    /// As there.
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        Self::start(path.as_ref().to_owned(), options, None)
    }

    /// Opens an empty store in a new temporary directory that is removed with it.
    ///
    /// # Errors
    /// Failures of the file system.
    pub fn open_temporary() -> Result<Self, StoreError> {
        Self::open_temporary_with(Options::default())
    }

    /// [`open_temporary`](Self::open_temporary) with other than the default options.
    ///
    /// # Errors
    /// As there.
    pub fn open_temporary_with(options: Options) -> Result<Self, StoreError> {
        let directory = tempfile::Builder::new()
            .prefix("healthid-")
            .tempdir()
            .map_err(|error| from_io(&error))?;
        Self::start(directory.path().join("store.sqlite"), options, Some(directory))
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn start(path: PathBuf, options: Options, temporary: Option<TempDir>) -> Result<Self, StoreError> {
        let lock = FileLock::acquire(&path)?;
        let writer = Writer::new(open_writer(&path, &options)?)?;
        let queue = Arc::new(Queue::new(options.max_waiting, options.gather));
        let readers = Readers::new(path.clone(), options.clone(), writer.published());
        // Two looks of the deadline thread make a hang: see `Queue::watch`.
        let interval = (options.deadline / 2).max(Duration::from_millis(1));
        let (writers_queue, watchers_queue) = (Arc::clone(&queue), Arc::clone(&queue));
        let threads = [
            spawn("store-writer", move || writer.run(&writers_queue)),
            spawn("store-deadline", move || watchers_queue.watch(interval)),
        ];
        let mut store = Self {
            queue,
            readers,
            threads: Vec::new(),
            path,
            _lock: lock,
            _temporary: temporary,
        };
        for thread in threads {
            store.threads.push(thread?);
        }
        Ok(store)
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| from_io(&error))
}

impl Store for SqliteStore {
    fn load<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Row>>, StoreError>> {
        Box::pin(async move {
            check_load(keys)?;
            self.readers.load(keys)
        })
    }

    fn commit(&self, operation: OperationId, conditions: &[Condition], writes: &[Write]) -> BoxFuture<'_, Outcome> {
        if let Err(error) = check_commit(conditions, writes) {
            return Box::pin(std::future::ready(Outcome::Refused(error)));
        }
        let (caller, outcome) = oneshot::channel();
        let job = Job::Commit {
            operation,
            conditions: conditions.to_vec(),
            writes: writes.to_vec(),
        };
        self.queue.push(job, Caller::Commit(operation, caller));
        Box::pin(async move { outcome.await.unwrap_or(Outcome::Unknown(operation)) })
    }

    fn outcome_of(&self, operation: OperationId) -> BoxFuture<'_, Option<bool>> {
        let (caller, happened) = oneshot::channel();
        self.queue.push(Job::OutcomeOf(operation), Caller::OutcomeOf(caller));
        Box::pin(async move { happened.await.unwrap_or(None) })
    }

    fn list_after<'a>(
        &'a self,
        kind: Kind,
        tenant: TenantId,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Row)>, StoreError>> {
        Box::pin(async move {
            check_list(limit)?;
            self.readers.list(kind, tenant, prefix, after, limit)
        })
    }

    fn drop_expired(&self, now: UnixSeconds) -> BoxFuture<'_, Result<(), StoreError>> {
        let (caller, result) = oneshot::channel();
        self.queue.push(Job::DropExpired(now), Caller::DropExpired(caller));
        Box::pin(async move { result.await.unwrap_or(Err(StoreError::Closed)) })
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(event = "store_failed", "a thread of the store panicked");
            }
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
