//! Client data (§5.8.1): what the browser says about where and for what a passkey was used.

use jose::{base64url, json};
use serde_json::Value;

use super::{MAX_CLIENT_DATA_BYTES, PasskeyError};

const LIMITS: json::Limits = json::Limits {
    bytes: MAX_CLIENT_DATA_BYTES,
    depth: 3,
};

/// Which of the two ceremonies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ceremony {
    Registration,
    Login,
}

impl Ceremony {
    const fn word(self) -> &'static str {
        match self {
            Self::Registration => "webauthn.create",
            Self::Login => "webauthn.get",
        }
    }
}

/// Steps 5 to 11 of §7.1, 8 to 14 of §7.2. Browsers may add members; those are not looked at.
pub(super) fn check(
    client_data: &[u8],
    ceremony: Ceremony,
    challenge: &[u8; 32],
    origin: &str,
) -> Result<(), PasskeyError> {
    let said = json::parse(client_data, &LIMITS).map_err(|_| PasskeyError::ClientData)?;
    let text = |name: &str| said.get(name).and_then(Value::as_str).ok_or(PasskeyError::ClientData);
    let (is, asked, site) = (text("type")?, text("challenge")?, text("origin")?);
    if is != ceremony.word() {
        return Err(PasskeyError::Type);
    }
    if asked != base64url::encode(challenge) {
        return Err(PasskeyError::Challenge);
    }
    let framed = match said.get("crossOrigin") {
        None | Some(Value::Bool(false)) => said.get("topOrigin").is_some(),
        Some(Value::Bool(true)) => true,
        Some(_) => return Err(PasskeyError::ClientData),
    };
    if site != origin || framed {
        return Err(PasskeyError::Origin);
    }
    Ok(())
}
