//! What an Android device says about a key: `KeyDescription`.

#![no_main]

use authenticator::attestation::android::authorizations::{MAX_TAGS, Tag};
use authenticator::attestation::android::description::{KeyDescription, MAX_CHALLENGE_BYTES};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(description) = KeyDescription::parse(data) else {
        return;
    };
    assert!(description.challenge.len() <= MAX_CHALLENGE_BYTES);
    for list in [&description.software_enforced, &description.hardware_enforced] {
        let tags: Vec<Tag> = list.iter().map(|(tag, _)| tag).collect();
        assert!(tags.len() <= MAX_TAGS && tags.is_sorted());
        let _ = (list.root_of_trust().is_some(), list.application_id().is_some());
    }
    assert!(!format!("{description:?}").is_empty());
});
