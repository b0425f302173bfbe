//! Google's list of attestation keys that are not to be believed any more.

#![no_main]

use authenticator::attestation::android::status::{MAX_ENTRIES, StatusList};
use healthid_fuzz::NOW;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(list) = StatusList::parse(data, NOW) {
        assert!(list.len() <= MAX_ENTRIES);
        assert_eq!(list.is_empty(), list.len() == 0);
        assert_eq!(list.fetched_at(), NOW);
    }
});
