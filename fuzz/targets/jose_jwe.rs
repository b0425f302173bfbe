//! Compact JWE, once as it comes and once with the bytes as its header's JSON. Nothing here decrypts.

#![no_main]

use std::sync::LazyLock;

use jose::json::DEFAULT;
use jose::jwe;
use jose::{SoftwareKey, base64url};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<SoftwareKey> =
    LazyLock::new(|| SoftwareKey::from_scalar("fuzz", &[7; 32]).expect("a scalar below the order"));

fn judge(token: &str) {
    let Ok(parsed) = jwe::parse(token, &DEFAULT) else {
        return;
    };
    assert_eq!(token.split('.').nth(1), Some(""), "an encrypted key passed");
    assert!(parsed.decrypt(&*KEY).is_err(), "a forged token decrypts");
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        judge(text);
    }
    let part = |length: usize| base64url::encode(&vec![1; length]);
    judge(&format!(
        "{}..{}.{}.{}",
        base64url::encode(data),
        part(12),
        part(5),
        part(16)
    ));
});
