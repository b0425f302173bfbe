//! Compact JWS around a key that signs elsewhere.

use jose::base64url;
use serde::Serialize;

/// Bytes of a signature on either curve.
const SIGNATURE_BYTES: usize = 64;

/// What the key signs: header and payload, encoded (RFC 7515 §5.1).
pub(super) fn message(typ: &str, claims: &impl Serialize) -> String {
    let header = serde_json::json!({ "alg": "ES256", "typ": typ });
    // Strings and numbers only: serialising cannot fail.
    let payload = serde_json::to_vec(claims).unwrap_or_default();
    let mut message = base64url::encode(header.to_string().as_bytes());
    message.push('.');
    message.push_str(&base64url::encode(&payload));
    message
}

/// The token, from what was signed and the signature, if it is one: r ‖ s in base64url.
pub(super) fn token(message: &str, signature: &str) -> Option<String> {
    base64url::decode_array::<SIGNATURE_BYTES>(signature).ok()?;
    Some(format!("{message}.{signature}"))
}
