//! Compact JWS, once as it comes and once with the bytes as its header's JSON, which base64url would hide from the
//! fuzzer. Nothing here verifies with a key of ours.

#![no_main]

use std::sync::LazyLock;

use jose::json::DEFAULT;
use jose::jws;
use jose::{SoftwareKey, base64url};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<SoftwareKey> =
    LazyLock::new(|| SoftwareKey::from_scalar("fuzz", &[7; 32]).expect("a scalar below the order"));

fn judge(token: &str) {
    let Ok(parsed) = jws::parse(token, &DEFAULT) else {
        return;
    };
    assert_eq!(parsed.compact(), token);
    assert!(token.as_bytes().starts_with(parsed.signing_input()));
    for member in [
        "alg", "kid", "typ", "cty", "x5c", "crit", "jwk", "jku", "x5u", "zip", "b64",
    ] {
        assert!(!parsed.header().other.contains_key(member), "{member}");
    }
    assert!(parsed.verify(KEY.public_key()).is_err(), "a forged token verifies");
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        judge(text);
    }
    let signature = base64url::encode(&[1; 64]);
    judge(&format!("{}.e30.{signature}", base64url::encode(data)));
});
