//! Sessions on threads of their own, and a limit on how long anybody waits for one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::session::{Answer, Connector, Request, Session, Trouble};
use super::{HsmError, Pin};

/// Requests that may wait for each session.
const WAITING_PER_SESSION: usize = 64;

struct Job {
    request: Request,
    reply: SyncSender<Result<Answer, HsmError>>,
    /// Whoever asked has stopped waiting.
    abandoned: Arc<AtomicBool>,
}

pub(super) struct Pool {
    /// `None` only while the pool is dropped.
    jobs: Option<SyncSender<Job>>,
    /// Disconnected once no worker is left.
    ended: Mutex<Receiver<()>>,
    pin: Arc<Mutex<PinGate>>,
    limit: Duration,
}

/// The PIN, and whether it may be tried: all sessions log in one after the other, so that a wrong PIN is tried once and not
/// once by each.
struct PinGate {
    pin: Pin,
    refused: bool,
}

impl Pool {
    pub fn new(connector: Arc<dyn Connector>, pin: Pin, sessions: usize, limit: Duration) -> Self {
        let (jobs, waiting) = sync_channel(sessions * WAITING_PER_SESSION);
        let waiting = Arc::new(Mutex::new(waiting));
        let pin = Arc::new(Mutex::new(PinGate { pin, refused: false }));
        let (working, ended) = sync_channel(0);
        for _ in 0..sessions {
            let (connector, pin) = (Arc::clone(&connector), Arc::clone(&pin));
            let (waiting, working) = (Arc::clone(&waiting), working.clone());
            let work = move || {
                let mut worker = Worker {
                    connector,
                    pin,
                    session: None,
                };
                worker.run(&waiting);
                drop(worker); // closes the session
                drop(working);
            };
            // A thread that cannot be started is a session fewer; with none, every request ends as busy.
            let _ = thread::Builder::new().name("hsm".to_owned()).spawn(work);
        }
        Self {
            jobs: Some(jobs),
            ended: Mutex::new(ended),
            pin,
            limit,
        }
    }

    pub fn ask(&self, request: Request) -> Result<Answer, HsmError> {
        let (reply, answer) = sync_channel(1);
        let abandoned = Arc::new(AtomicBool::new(false));
        let job = Job {
            request,
            reply,
            abandoned: Arc::clone(&abandoned),
        };
        let jobs = self.jobs.as_ref().ok_or(HsmError::Busy)?;
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => HsmError::Busy,
        })?;
        match answer.recv_timeout(self.limit) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                abandoned.store(true, Ordering::Relaxed);
                Err(HsmError::Slow)
            }
            Err(RecvTimeoutError::Disconnected) => Err(HsmError::Failed),
        }
    }

    pub fn replace_pin(&self, pin: Pin) {
        let mut gate = self.pin.lock().unwrap_or_else(PoisonError::into_inner);
        *gate = PinGate { pin, refused: false };
    }
}

impl Drop for Pool {
    /// Waits until the sessions are closed, as long as one request may take: foreign code must not be at work while the
    /// process ends.
    fn drop(&mut self) {
        self.jobs = None;
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(self.limit);
    }
}

struct Worker {
    connector: Arc<dyn Connector>,
    pin: Arc<Mutex<PinGate>>,
    session: Option<Box<dyn Session>>,
}

impl Worker {
    /// Until the pool is dropped.
    fn run(&mut self, waiting: &Mutex<Receiver<Job>>) {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = next else { return };
            if job.abandoned.load(Ordering::Relaxed) {
                continue;
            }
            let answer = self.perform(&job.request);
            let _ = job.reply.try_send(answer); // nobody may be waiting any more
        }
    }

    /// In the session there is, or in a new one if that was lost: once, and only what may be repeated.
    fn perform(&mut self, request: &Request) -> Result<Answer, HsmError> {
        if let Some(session) = &mut self.session {
            match session.perform(request) {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Refused(error)) => return Err(error),
                Err(Trouble::Lost) => self.session = None,
            }
            if !request.may_be_repeated() {
                return Err(HsmError::Gone);
            }
        }
        let mut session = self.connect()?;
        match session.perform(request) {
            Ok(answer) => {
                self.session = Some(session);
                Ok(answer)
            }
            Err(Trouble::Refused(error)) => {
                self.session = Some(session);
                Err(error)
            }
            Err(Trouble::Lost) => Err(HsmError::Gone),
        }
    }

    fn connect(&self) -> Result<Box<dyn Session>, HsmError> {
        let mut gate = self.pin.lock().unwrap_or_else(PoisonError::into_inner);
        if gate.refused {
            return Err(HsmError::PinNotTriedAgain);
        }
        let connected = self.connector.connect(&gate.pin);
        if let Err(HsmError::PinWrong | HsmError::PinLocked) = connected {
            gate.refused = true;
        }
        connected
    }
}
