//! Fixed keys and signed statements: what a fuzzer cannot find by mutation. No secret, no clock.

use std::sync::LazyLock;

use jose::jwk::{JwkSet, KeyUse};
use jose::jws::{self, SigningHeader};
use jose::{SoftwareKey, UnixTime, json};
use serde_json::Value;

/// The moment every target lives in; the seeds' times are around it.
pub const NOW: UnixTime = UnixTime(1_800_000_000);

/// The entities of the seeds, each with its key: `leaf`, `middle`, `anchor`.
static KEYS: LazyLock<[SoftwareKey; 3]> = LazyLock::new(|| {
    [("leaf", 7), ("middle", 8), ("anchor", 9)]
        .map(|(kid, byte)| SoftwareKey::from_scalar(kid, &[byte; 32]).expect("a scalar below the order"))
});

/// One of the three keys.
pub fn key(kid: &str) -> Option<&'static SoftwareKey> {
    KEYS.iter().find(|key| key.kid() == kid)
}

/// The key set of one of the three entities.
pub fn key_set(kid: &str) -> JwkSet {
    JwkSet::new(key(kid).into_iter().map(|key| key.jwk(KeyUse::Signature)).collect())
}

/// Signs a payload with one of the three keys. Where the payload is JSON, a member `jwks` that is the name of a key
/// is replaced by that key's set first, so that the fuzzer need not carry coordinates about.
pub fn sign(payload: &[u8], typ: &str, kid: &str) -> Option<String> {
    let header = SigningHeader {
        typ: Some(typ),
        ..SigningHeader::default()
    };
    let filled = json::parse(payload, &json::DEFAULT).ok().and_then(|mut claims| {
        let jwks = claims.get_mut("jwks")?;
        *jwks = key_set(jwks.as_str()?).to_value();
        Some(Value::to_string(&claims).into_bytes())
    });
    jws::sign(&header, filled.as_deref().unwrap_or(payload), key(kid)?).ok()
}
