//! Records: what is kept, under which key, and what a backend promises about it.
//!
//! * [`Store`] is the one trait, batch-first: [`load`](Store::load) many keys at once, and
//!   [`commit`](Store::commit) any number of writes under any number of conditions as one atomic
//!   step that is durable before it is acknowledged.
//! * [`Key`], [`SealedBytes`] and [`BlindIndex`] are the only things a backend ever sees. Personal
//!   data reaches this room sealed, and is found by keyed index: the types leave no place for a
//!   name or a health insurance number (`docs/trust.md`).
//! * [`register`] is the witness outside the database: what was taken back stays taken back when the database does not.
//! * [`suite`] holds every promise as an executable check. Each backend's tests call it.
//! * [`memory`] is the smallest backend that keeps every promise except durability; it serves
//!   tests of other rooms.
//!
//! Trusted for: nothing secret. A backend may be read, and its old states may be restored, by whoever runs the
//! machine; sealing (room `vault`) answers for the first and names the second. A backend is relied upon to keep
//! what it acknowledged and to let one of two racing claims win.
//!
//! Does not: decide, encrypt, know the time (callers pass it), or interpret a single byte of a record.

mod commit;
mod error;
mod key;
pub mod memory;
pub mod register;
mod row;
mod store;
pub mod suite;

pub use commit::{
    Condition, MAX_CONDITIONS, MAX_WRITES, OPERATION_RETENTION_SECONDS, OperationId, Outcome, Write, check_commit,
};
pub use error::StoreError;
pub use key::{BlindIndex, Key, Kind, Lifetime, MAX_ID_BYTES, RowGroup, TenantId};
pub use row::{Row, SealedBytes, UnixSeconds};
pub use store::{BoxFuture, MAX_KEYS_PER_LOAD, MAX_LISTED, Store, check_list, check_load};
