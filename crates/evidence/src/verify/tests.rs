//! Genuine evidence as the libraries ship it, and what becomes of it when it is changed.

mod clock;
mod genuine;
mod policy;
pub(super) mod recorded;
mod revocation;
mod tampering;
