//! Attestation: produce it, verify it, and say what may run.

pub mod binding;
pub mod bundle;
pub mod manifest;
pub mod platform;
pub mod prediction;
pub mod produce;
pub mod profile;
#[cfg(any(test, feature = "simulated"))]
pub mod rehearsal;
#[cfg(any(test, feature = "simulated"))]
pub mod simulated;
pub mod transparency;
pub mod verdict;
pub mod verify;

mod encoding;
