//! What the vault reads after it was opened, or lies sealed in files: a tenant's bundle, what a succession holds, a share, a wrapped half, a holder's
//! key file. Each has one accepted encoding.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vault::ceremony::HolderKeys;
use vault::fuzzing;
use vault::hsm::WrappedHalf;
use vault::{MAX_SUCCESSION_BYTES, Succession};

fuzz_target!(|data: &[u8]| {
    fuzzing::tenant_bundle(data);
    fuzzing::share(data);
    if let Some(entries) = fuzzing::succession(data) {
        assert!(entries <= data.len() / 37, "an entry of fewer bytes than a root has");
    }
    if let Ok(succession) = Succession::parse(data) {
        assert!(data.len() <= MAX_SUCCESSION_BYTES);
        assert_eq!(succession.as_bytes(), data);
    }
    if let Ok(half) = WrappedHalf::parse(data) {
        assert_eq!(half.to_bytes(), data, "a second encoding is accepted");
    }
    if let Ok(keys) = HolderKeys::from_json(data) {
        let again = HolderKeys::from_json(&keys.to_json()).expect("what was written reads back");
        assert_eq!(again.card(), keys.card());
    }
});
