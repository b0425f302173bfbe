//! What waits for the writer, and who waits for an answer.
//!
//! Two lists behind one lock: jobs that have not begun, and the callers of the group that is under way. The writer takes
//! a whole group at once; the deadline thread takes the callers away from a group that hangs and tells them "unknown".

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_channel::oneshot;
use store::{Condition, OperationId, Outcome, StoreError, UnixSeconds, Write};

/// Most jobs in one transaction: bounds the time the first caller waits for the last.
const MAX_GROUP: usize = 512;
/// A group of this size begins without gathering longer: more in it makes each hardly cheaper.
const FULL_GROUP: usize = 64;

/// What to do.
#[derive(Debug)]
pub(crate) enum Job {
    Commit {
        operation: OperationId,
        conditions: Vec<Condition>,
        writes: Vec<Write>,
    },
    OutcomeOf(OperationId),
    DropExpired(UnixSeconds),
}

/// Who is told.
#[derive(Debug)]
pub(crate) enum Caller {
    Commit(OperationId, oneshot::Sender<Outcome>),
    OutcomeOf(oneshot::Sender<Option<bool>>),
    DropExpired(oneshot::Sender<Result<(), StoreError>>),
}

/// What is told.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Commit(Outcome),
    OutcomeOf(Option<bool>),
    DropExpired(Result<(), StoreError>),
}

impl Caller {
    /// Tells the caller; one that has gone away is not missed.
    pub fn tell(self, answer: Answer) {
        match (self, answer) {
            (Self::Commit(_, caller), Answer::Commit(outcome)) => drop(caller.send(outcome)),
            (Self::OutcomeOf(caller), Answer::OutcomeOf(happened)) => drop(caller.send(happened)),
            (Self::DropExpired(caller), Answer::DropExpired(result)) => drop(caller.send(result)),
            (caller, _) => caller.tell_unknown(), // the writer answers in kind; this arm keeps the match total
        }
    }

    /// Tells that the work was begun and nobody knows how it ended.
    pub fn tell_unknown(self) {
        match self {
            Self::Commit(operation, caller) => drop(caller.send(Outcome::Unknown(operation))),
            Self::OutcomeOf(caller) => drop(caller.send(None)),
            Self::DropExpired(caller) => {
                drop(caller.send(Err(StoreError::Failed("no answer within the deadline".to_owned()))));
            }
        }
    }

    /// Tells that the work was surely not done.
    pub fn tell_not_done(self, error: StoreError) {
        match self {
            Self::Commit(_, caller) => drop(caller.send(Outcome::Refused(error))),
            Self::OutcomeOf(caller) => drop(caller.send(None)),
            Self::DropExpired(caller) => drop(caller.send(Err(error))),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Waiting {
    jobs: VecDeque<(Job, Caller, u64)>,
    under_way: Vec<Caller>,
    /// Counts groups; with `busy` it tells the deadline thread whether the writer moves.
    group: u64,
    busy: bool,
    writer_sleeps: bool,
    writer_gathers: bool,
    /// Counts the deadline thread's looks; a job waiting since two looks ago is overdue.
    look: u64,
    watcher_sleeps: bool,
    closed: bool,
}

/// Shared between callers, writer and deadline thread.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    writer: Condvar,
    watcher: Condvar,
    max_waiting: usize,
    gather: Duration,
}

impl Queue {
    pub fn new(max_waiting: usize, gather: Duration) -> Self {
        Self {
            waiting: Mutex::default(),
            writer: Condvar::new(),
            watcher: Condvar::new(),
            max_waiting,
            gather,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while the lock is held; if it did, the lists are still well formed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a job to the writer, or tells the caller at once why not.
    pub fn push(&self, job: Job, caller: Caller) {
        let mut waiting = self.lock();
        let refusal = if waiting.closed {
            StoreError::Closed
        } else if waiting.jobs.len() >= self.max_waiting {
            StoreError::Overloaded
        } else {
            let look = waiting.look;
            waiting.jobs.push_back((job, caller, look));
            let enough = waiting.writer_gathers && waiting.jobs.len() >= FULL_GROUP;
            let wake_writer = std::mem::take(&mut waiting.writer_sleeps) || enough;
            let wake_watcher = std::mem::take(&mut waiting.watcher_sleeps);
            drop(waiting);
            if wake_writer {
                self.writer.notify_one();
            }
            if wake_watcher {
                self.watcher.notify_one();
            }
            return;
        };
        drop(waiting);
        caller.tell_not_done(refusal);
    }

    /// Waits for work and takes a group of it: commits and questions together, housekeeping alone. `None` when the
    /// store was closed and everything is done. `gather`: callers are many, so let some more join.
    pub fn take_group(&self, gather: bool) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        if gather && !waiting.closed && waiting.jobs.len() < FULL_GROUP {
            waiting.writer_gathers = true;
            let gathers = |waiting: &mut Waiting| !waiting.closed && waiting.jobs.len() < FULL_GROUP;
            let gathered = self.writer.wait_timeout_while(waiting, self.gather, gathers);
            waiting = gathered.unwrap_or_else(PoisonError::into_inner).0;
            waiting.writer_gathers = false;
        }
        while waiting.jobs.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting.writer_sleeps = true;
            waiting = self.writer.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.writer_sleeps = false;
        let mut group = Vec::with_capacity(waiting.jobs.len().min(MAX_GROUP));
        while let Some((job, caller, look)) = waiting.jobs.pop_front() {
            if matches!(job, Job::DropExpired(_)) && !group.is_empty() {
                waiting.jobs.push_front((job, caller, look));
                break;
            }
            let alone = matches!(job, Job::DropExpired(_));
            group.push(job);
            waiting.under_way.push(caller);
            if alone || group.len() == MAX_GROUP {
                break;
            }
        }
        waiting.group += 1;
        waiting.busy = true;
        Some(group)
    }

    /// The callers of the group under way; none if the deadline thread has told them already.
    pub fn finish_group(&self) -> Vec<Caller> {
        let mut waiting = self.lock();
        waiting.busy = false;
        std::mem::take(&mut waiting.under_way)
    }

    /// No further jobs; the writer finishes those that wait.
    pub fn close(&self) {
        self.lock().closed = true;
        self.writer.notify_all();
        self.watcher.notify_all();
    }

    /// The writer is gone: whoever still waits is told.
    pub fn abandon(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        let under_way = std::mem::take(&mut waiting.under_way);
        let jobs = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        self.watcher.notify_all();
        under_way.into_iter().for_each(Caller::tell_unknown);
        jobs.into_iter()
            .for_each(|(_, caller, _)| caller.tell_not_done(StoreError::Closed));
    }

    /// The deadline thread's life: looks every `interval` while there is work, sleeps when there is none. A group seen
    /// at work in two consecutive looks without progress hangs; so does a job that waited through two looks of a
    /// hanging writer.
    pub fn watch(&self, interval: Duration) {
        let mut hanging_since = None;
        let mut waiting = self.lock();
        loop {
            while !waiting.busy && waiting.jobs.is_empty() {
                if waiting.closed {
                    return;
                }
                hanging_since = None;
                waiting.watcher_sleeps = true;
                waiting = self.watcher.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            waiting.watcher_sleeps = false;
            let (guard, timeout) = self
                .watcher
                .wait_timeout(waiting, interval)
                .unwrap_or_else(PoisonError::into_inner);
            waiting = guard;
            if !timeout.timed_out() {
                continue;
            }
            waiting.look += 1;
            let look = waiting.look;
            match hanging_since {
                Some((group, since)) if waiting.busy && waiting.group == group => {
                    if look - since < 2 {
                        continue;
                    }
                    let hanging = std::mem::take(&mut waiting.under_way);
                    let overdue = waiting
                        .jobs
                        .iter()
                        .take_while(|(_, _, entered)| look - entered >= 3)
                        .count();
                    let overdue: Vec<_> = waiting.jobs.drain(..overdue).collect();
                    drop(waiting);
                    hanging.into_iter().for_each(Caller::tell_unknown);
                    overdue
                        .into_iter()
                        .for_each(|(_, caller, _)| caller.tell_not_done(StoreError::NotBegun));
                    waiting = self.lock();
                }
                _ => hanging_since = waiting.busy.then_some((waiting.group, look)),
            }
        }
    }
}
