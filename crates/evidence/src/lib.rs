//! Attestation: produce it, verify it, and say what may run.

pub mod binding;
pub mod manifest;
pub mod platform;
pub mod profile;
pub mod transparency;
pub mod verify;

mod encoding;
