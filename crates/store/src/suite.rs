//! Every promise of [`Store`] as a check that any backend's tests run.
//!
//! ```
//! # use std::sync::Arc;
//! store::suite::run(&|| Arc::new(store::memory::MemoryStore::new()));
//! ```
//!
//! Durability needs a process that dies: [`crash`] kills one in the middle of its commits and checks what is left.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc)] // these are checks: they report by panicking

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use crate::{
    BlindIndex, BoxFuture, Condition, Key, Kind, OperationId, Outcome, Row, RowGroup, SealedBytes, Store, StoreError,
    TenantId, Write,
};

pub mod crash;
mod expiry;
mod invalid;
mod listing;
mod operations;
mod races;
mod records;

/// Opens a fresh, empty store.
pub type Open<'a> = &'a dyn Fn() -> Arc<dyn Store>;

/// One promise: its sentence and the check.
pub type Promise = (&'static str, fn(Open<'_>));

/// Lists promises as (name of function, function).
macro_rules! list {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name as fn($crate::suite::Open<'_>))),*] };
}
use list;

/// Every promise, in the order of [`run`].
#[must_use]
pub fn promises() -> Vec<Promise> {
    [
        records::PROMISES,
        invalid::PROMISES,
        listing::PROMISES,
        expiry::PROMISES,
        operations::PROMISES,
        races::PROMISES,
    ]
    .concat()
}

/// Checks every promise, each on a fresh store.
///
/// # Panics
/// At the first promise that is broken, after naming it on standard error.
pub fn run(open: Open<'_>) {
    for (name, check) in promises() {
        let named = NameOnPanic(name);
        check(open);
        drop(named);
    }
}

struct NameOnPanic(&'static str);

impl Drop for NameOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("store promise broken: {}", self.0);
        }
    }
}

/// Runs a future on this thread until it is done. No runtime, no timers.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// The second at which every check takes place.
const NOW: u64 = 1_800_000_000;
const TENANT: TenantId = TenantId::from_bytes(*b"tenant number  1");
const OTHER_TENANT: TenantId = TenantId::from_bytes(*b"tenant number  2");

/// A name no other operation of this process has.
fn fresh_operation() -> OperationId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    OperationId::new(NOW, NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes())
}

fn id(number: u64) -> [u8; 16] {
    // Multiplication spreads the keys over the table as random ids would.
    let spread = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    spread.to_be_bytes()
}

fn group(number: u64) -> RowGroup {
    RowGroup::from_keyed_hash(id(number))
}

fn person(number: u64) -> Key {
    Key::identity(TENANT, &id(number))
}

fn login(number: u64) -> Key {
    Key::single_use(TENANT, &id(number))
}

fn sealed(text: &str) -> SealedBytes {
    SealedBytes::from_sealed(text.as_bytes().to_vec())
}

fn put(key: Key, text: &str) -> Write {
    Write::Put {
        key,
        sealed: sealed(text),
        expires_at: None,
    }
}

fn put_until(key: Key, text: &str, expires_at: u64) -> Write {
    Write::Put {
        key,
        sealed: sealed(text),
        expires_at: Some(expires_at),
    }
}

fn commit(store: &dyn Store, conditions: &[Condition], writes: &[Write]) -> Outcome {
    block_on(store.commit(fresh_operation(), conditions, writes))
}

fn must_commit(store: &dyn Store, conditions: &[Condition], writes: &[Write]) {
    assert_eq!(commit(store, conditions, writes), Outcome::Committed);
}

fn load(store: &dyn Store, key: Key) -> Option<Row> {
    block_on(store.load(&[key])).unwrap().pop().unwrap()
}

fn version(store: &dyn Store, key: Key) -> Option<u64> {
    load(store, key).map(|row| row.version)
}

fn body(store: &dyn Store, key: Key) -> Option<String> {
    load(store, key).map(|row| String::from_utf8(row.sealed.as_bytes().to_vec()).unwrap())
}
