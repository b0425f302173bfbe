//! Manifests and their envelopes: one accepted encoding each, and whatever is accepted keeps its own rules.

#![no_main]

use evidence::manifest::{Envelope, Manifest, diff};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = Manifest::parse(data) {
        assert_eq!(manifest.encode(), data, "a second encoding is accepted");
        assert!(manifest.check().is_ok(), "a broken rule is accepted");
        assert!(diff(&manifest, &manifest).is_empty(), "a manifest differs from itself");
    }
    if let Ok(envelope) = Envelope::parse(data) {
        assert_eq!(envelope.encode(), data, "a second encoding is accepted");
    }
});
