//! Everything our own rooms log while the tests run, kept so that tests can search it.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};
use std::thread::ThreadId;

/// The log, and its lines by the support code in them.
#[derive(Default)]
struct Log {
    text: String,
    by_support_code: HashMap<String, Vec<String>>,
    by_thread: HashMap<ThreadId, String>,
}

static LOG: LazyLock<Mutex<Log>> = LazyLock::new(Mutex::default);

fn log() -> MutexGuard<'static, Log> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every room of ours at its most talkative; libraries are the binary's affair.
const FILTER: &str = "off,provider=trace,oidc=trace,authenticator=trace,federation=trace,jose=trace,vault=trace,store=trace,\
    store_sqlite=trace,transport=trace";

struct ToMemory;

impl Write for ToMemory {
    /// One call, one line.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        let mut log = log();
        log.text.push_str(&line);
        log.by_thread
            .entry(std::thread::current().id())
            .or_default()
            .push_str(&line);
        if let Some((_, rest)) = line.split_once("\"support_code\":\"") {
            let lines = log.by_support_code.entry(rest[..9].to_owned()).or_default();
            lines.push(line.trim().to_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to keep what is logged; calling it again changes nothing.
pub fn capture() {
    static BEGIN: Once = Once::new();
    BEGIN.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(FILTER)
            .json()
            .with_writer(|| ToMemory)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// The lines with this support code.
pub fn lines_of(support_code: &str) -> Vec<String> {
    log().by_support_code.get(support_code).cloned().unwrap_or_default()
}

/// How often this event was told on this thread: by this test, where it runs on one.
pub fn told(event: &str) -> usize {
    let mark = format!("\"event\":\"{event}\"");
    let log = log();
    let here = log.by_thread.get(&std::thread::current().id());
    here.map_or(0, |text| text.matches(&mark).count())
}

/// How much has been logged.
pub fn length() -> usize {
    log().text.len()
}

/// What was logged from there on.
pub fn since(from: usize) -> String {
    log().text[from..].to_owned()
}

/// Fails when what was logged from there on holds any of these.
pub fn assert_silent_about<'a>(secrets: impl IntoIterator<Item = &'a String>, from: usize) {
    let log = since(from);
    for secret in secrets {
        if let Some(at) = log.find(secret.as_str()) {
            let line = log[..at].rfind('\n').map_or(0, |start| start + 1);
            let end = log[at..].find('\n').map_or(log.len(), |end| at + end);
            panic!("the log holds a secret: {}", &log[line..end]);
        }
    }
}
