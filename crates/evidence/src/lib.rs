//! Attestation: produce it, verify it, and say what may run.

pub mod platform;
pub mod profile;
pub mod verify;
