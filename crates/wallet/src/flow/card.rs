//! What a health card signs: for whoever holds one against an NFC reader.
//!
//! In one session with the card: read the certificate `C.CH.AUT.E256`, make the [`card_message`], let `PrK.CH.AUT.E256` sign its SHA-256 after
//! the PIN, and make the [`card_response`] of both.

use authenticator::health_card::CTY;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jose::base64url;

use super::{FlowError, signing};

/// ASCII whose SHA-256 the card signs with BP256R1: header and payload of the JWS of `authenticator::health_card`.
#[must_use]
pub fn card_message(challenge: &str, certificate: &[u8]) -> String {
    let header = serde_json::json!({
        "alg": "BP256R1",
        "cty": CTY,
        "x5c": [STANDARD.encode(certificate)],
    });
    let payload = serde_json::json!({ "njwt": challenge });
    let mut message = base64url::encode(header.to_string().as_bytes());
    message.push('.');
    message.push_str(&base64url::encode(payload.to_string().as_bytes()));
    message
}

/// The response of [`super::Told::CardAnswered`]. `signature`: r ‖ s, 64 bytes in base64url.
///
/// # Errors
/// [`FlowError::CardSignature`].
pub fn card_response(message: &str, signature: &str) -> Result<String, FlowError> {
    signing::token(message, signature).ok_or(FlowError::CardSignature)
}
