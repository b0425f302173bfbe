//! The one thread that writes.

use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::{Connection, OptionalExtension};
use store::{OperationId, Outcome, StoreError, UnixSeconds};

use crate::apply::{apply, happened};
use crate::error::{surely_not_committed, translate};
use crate::queue::{Answer, Job, Queue};
use crate::tables::{Tables, forget_before, signed, unsigned};

/// The tables as readers know them. A new slot is published before it is committed, and an expired one withdrawn before
/// it is dropped: a reader that fixed its moment first and then takes this list misses no slot of that moment that is
/// still valid, and finds at most one that the moment does not have yet.
#[derive(Debug)]
pub(crate) struct Published(RwLock<Arc<Tables>>);

impl Published {
    pub fn new(tables: Tables) -> Self {
        Self(RwLock::new(Arc::new(tables)))
    }

    pub fn current(&self) -> Arc<Tables> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, tables: &Tables) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tables.clone());
    }
}

pub(crate) struct Writer {
    connection: Connection,
    tables: Tables,
    tables_changed: bool,
    /// Operations that began before this are forgotten.
    forgotten_before: UnixSeconds,
    /// The last COMMIT ended in an error that leaves open whether its record will be found by recovery.
    in_doubt: bool,
    published: Arc<Published>,
}

impl Writer {
    pub fn new(connection: Connection) -> Result<Self, StoreError> {
        let read = || -> rusqlite::Result<(Tables, i64)> {
            let forgotten_before = connection
                .query_row(
                    "SELECT value FROM housekeeping WHERE name = 'forgotten_before'",
                    [],
                    |row| row.get(0),
                )
                .optional()?;
            Ok((Tables::read(&connection)?, forgotten_before.unwrap_or(0)))
        };
        let (tables, forgotten_before) = read().map_err(|error| translate(&error))?;
        let published = Arc::new(Published::new(tables.clone()));
        let forgotten_before = unsigned(forgotten_before);
        Ok(Self {
            connection,
            tables,
            tables_changed: false,
            forgotten_before,
            in_doubt: false,
            published,
        })
    }

    pub fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published)
    }

    /// Works until the queue is closed and empty.
    pub fn run(mut self, queue: &Queue) {
        struct Abandon<'a>(&'a Queue);
        impl Drop for Abandon<'_> {
            fn drop(&mut self) {
                self.0.abandon();
            }
        }
        let _abandon = Abandon(queue);
        let mut several = false;
        while let Some(group) = queue.take_group(several) {
            several = group.len() > 1;
            let answers = self.answer(&group);
            for (caller, answer) in queue.finish_group().into_iter().zip(answers) {
                caller.tell(answer);
            }
        }
    }

    fn answer(&mut self, group: &[Job]) -> Vec<Answer> {
        if self.in_doubt
            && let Err(error) = self.resolve_doubt()
        {
            tracing::error!(event = "store_failed", %error, "the log could not be completed after a failed commit");
            return group.iter().map(|job| not_done(job, &error)).collect();
        }
        if let [Job::DropExpired(now)] = group {
            return vec![Answer::DropExpired(
                self.drop_expired(*now).map_err(|error| translate(&error)),
            )];
        }
        match self.transaction(group) {
            Ok(answers) => answers,
            // One caller's work may be what fails: everyone gets an own transaction.
            Err(Failure::NotDone(_)) if group.len() > 1 => group
                .iter()
                .flat_map(|job| self.answer(std::slice::from_ref(job)))
                .collect(),
            Err(Failure::NotDone(error)) => {
                tracing::warn!(event = "store_refused", %error, "commit not done");
                group.iter().map(|job| not_done(job, &error)).collect()
            }
            Err(Failure::InDoubt(error)) => {
                tracing::error!(event = "store_in_doubt", %error, "commit ended in an error");
                group.iter().map(unknown).collect()
            }
        }
    }

    fn transaction(&mut self, group: &[Job]) -> Result<Vec<Answer>, Failure> {
        match self.work(group) {
            Ok(answers) => {
                if std::mem::take(&mut self.tables_changed) {
                    self.published.publish(&self.tables);
                }
                match self.execute("COMMIT") {
                    Ok(()) => Ok(answers),
                    Err(error) => {
                        let certain = surely_not_committed(&error);
                        self.roll_back();
                        self.in_doubt = !certain;
                        let error = translate(&error);
                        Err(if certain {
                            Failure::NotDone(error)
                        } else {
                            Failure::InDoubt(error)
                        })
                    }
                }
            }
            Err(error) => {
                self.roll_back();
                Err(Failure::NotDone(translate(&error)))
            }
        }
    }

    fn work(&mut self, group: &[Job]) -> rusqlite::Result<Vec<Answer>> {
        self.execute("BEGIN IMMEDIATE")?;
        let slots = self.tables.count();
        let mut answers = Vec::with_capacity(group.len());
        for job in group {
            answers.push(match job {
                Job::Commit {
                    operation,
                    conditions,
                    writes,
                } => Answer::Commit(apply(
                    &self.connection,
                    &mut self.tables,
                    self.forgotten_before,
                    *operation,
                    conditions,
                    writes,
                )?),
                Job::OutcomeOf(operation) => Answer::OutcomeOf(self.outcome_of(*operation)?),
                Job::DropExpired(_) => Answer::DropExpired(Err(StoreError::NotBegun)), // never in a group
            });
        }
        self.tables_changed = self.tables.count() != slots;
        Ok(answers)
    }

    fn outcome_of(&self, operation: OperationId) -> rusqlite::Result<Option<bool>> {
        if operation.began_at() < self.forgotten_before {
            return Ok(None);
        }
        happened(&self.connection, &self.tables, operation).map(Some)
    }

    fn drop_expired(&mut self, now: UnixSeconds) -> rusqlite::Result<()> {
        let mut tables = self.tables.clone();
        let expired = tables.remove_expired(now);
        let forgotten_before = forget_before(now).max(self.forgotten_before);
        let work = || -> rusqlite::Result<()> {
            self.execute("BEGIN IMMEDIATE")?;
            for name in &expired {
                self.connection.execute_batch(&format!("DROP TABLE {name}"))?;
            }
            for table in tables.unslotted() {
                let mut statement = self.connection.prepare_cached(&table.expire)?;
                statement.execute([signed(now)])?;
            }
            if forgotten_before > self.forgotten_before {
                self.connection.execute(
                    "INSERT INTO housekeeping (name, value) VALUES ('forgotten_before', ?1) \
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    [signed(forgotten_before)],
                )?;
            }
            self.execute("COMMIT")
        };
        // Readers stop looking at the slots before they go: what is in them has expired.
        self.published.publish(&tables);
        if let Err(error) = work() {
            self.roll_back();
            return Err(error);
        }
        self.tables = tables;
        self.forgotten_before = forgotten_before;
        Ok(())
    }

    fn execute(&self, statement: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(statement)?.execute([]).map(|_| ())
    }

    fn roll_back(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(event = "store_failed", %error, "rollback failed");
        }
        // Slots created in the failed transaction are gone with it.
        match Tables::read(&self.connection) {
            Ok(tables) => self.tables = tables,
            Err(error) => tracing::error!(event = "store_failed", %error, "tables could not be read"),
        }
        self.tables_changed = false;
        self.published.publish(&self.tables);
    }

    /// After a COMMIT that failed in writing or syncing, its record may lie in the log where a crash would revive it.
    /// Moving the log into the database and cutting it off settles that; until it succeeds nothing is written and
    /// nothing is said about operations.
    fn resolve_doubt(&mut self) -> Result<(), StoreError> {
        let blocked: i64 = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| translate(&error))?;
        if blocked != 0 {
            return Err(StoreError::Locked(
                "a reader holds the log after a failed commit".to_owned(),
            ));
        }
        self.in_doubt = false;
        Ok(())
    }
}

enum Failure {
    NotDone(StoreError),
    InDoubt(StoreError),
}

fn not_done(job: &Job, error: &StoreError) -> Answer {
    match job {
        Job::Commit { .. } => Answer::Commit(Outcome::Refused(error.clone())),
        Job::OutcomeOf(_) => Answer::OutcomeOf(None),
        Job::DropExpired(_) => Answer::DropExpired(Err(error.clone())),
    }
}

fn unknown(job: &Job) -> Answer {
    match job {
        Job::Commit { operation, .. } => Answer::Commit(Outcome::Unknown(*operation)),
        Job::OutcomeOf(_) => Answer::OutcomeOf(None),
        Job::DropExpired(_) => Answer::DropExpired(Err(StoreError::NotBegun)),
    }
}
