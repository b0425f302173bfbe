//! A phone that waits to be bound, as the row of a move holds it: whatever is taken for one comes back as the same bytes, within their limit.

#![no_main]

use std::sync::LazyLock;

use authenticator::device::Candidate;
use authenticator::policy::AuthenticationPolicy;
use libfuzzer_sys::fuzz_target;

static POLICY: LazyLock<AuthenticationPolicy> = LazyLock::new(AuthenticationPolicy::default);

fuzz_target!(|data: &[u8]| {
    let Some(candidate) = Candidate::from_bytes(data, &POLICY) else {
        return;
    };
    assert!(data.len() <= 380, "longer than the row has room for");
    assert_eq!(candidate.to_bytes(), data, "a second encoding is accepted");
    assert!(POLICY.device_classes.iter().any(|class| class.name == candidate.class()));
    assert!((1..=64).contains(&candidate.name().chars().count()));
});
