//! Attestation: produce it, verify it, and say what may run.

pub mod profile;
