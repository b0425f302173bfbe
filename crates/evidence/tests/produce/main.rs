//! Producers against stand-ins for the kernel's and Gramine's interfaces: plain directories where a plain directory
//! behaves the same, a mounted FUSE file system where it does not.

#![allow(clippy::unwrap_used)]

mod detect;
mod gramine;
mod mount;
mod tpm;
mod tsm;
