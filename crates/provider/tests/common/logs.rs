//! Everything our own rooms log while the tests run, kept so that tests can search it.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Every room of ours at its most talkative; libraries are the binary's affair.
const FILTER: &str = "off,provider=trace,oidc=trace,authenticator=trace,federation=trace,jose=trace,vault=trace,store=trace,\
    store_sqlite=trace,transport=trace";

struct ToMemory;

impl Write for ToMemory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
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

/// The lines so far that hold this text.
pub fn lines_with(text: &str) -> Vec<String> {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&log)
        .lines()
        .filter(|line| line.contains(text))
        .map(str::to_owned)
        .collect()
}

/// Fails when the log holds any of these.
pub fn assert_silent_about<'a>(secrets: impl IntoIterator<Item = &'a String>) {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let log = String::from_utf8_lossy(&log);
    for secret in secrets {
        if let Some(at) = log.find(secret.as_str()) {
            let line = log[..at].rfind('\n').map_or(0, |start| start + 1);
            let end = log[at..].find('\n').map_or(log.len(), |end| at + end);
            panic!("the log holds a secret: {}", &log[line..end]);
        }
    }
}
