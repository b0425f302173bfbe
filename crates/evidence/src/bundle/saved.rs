//! A bundle in a file, to be judged again later or elsewhere.

use jose::UnixTime;
use jose::json;
use serde::{Deserialize, Serialize};

use super::{Bundle, BundleError, LIMITS, WireBundle};
use crate::binding::Session;
use crate::encoding::{base64url_array, hex_array};

/// A bundle with the session it came over, as whoever saved it says.
///
/// The connection proof can be verified again, but that the session really was the saver's is the saver's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedBundle {
    /// The bundle.
    pub bundle: Bundle,
    /// When it was fetched, by the saver's clock.
    pub fetched_at: UnixTime,
    /// The session; `None` when the saver did not keep it.
    pub session: Option<SavedSession>,
}

/// A session in a file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSession {
    /// As [`Session::exporter`].
    #[serde(with = "base64url_array")]
    pub exporter: [u8; 32],
    /// As [`Session::nonce`].
    #[serde(with = "base64url_array")]
    pub nonce: [u8; 32],
    /// As [`Session::signer_spki_sha256`].
    #[serde(with = "hex_array")]
    pub signer_spki_sha256: [u8; 32],
}

impl std::fmt::Debug for SavedSession {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SavedSession")
    }
}

impl From<Session> for SavedSession {
    fn from(session: Session) -> Self {
        Self {
            exporter: session.exporter,
            nonce: session.nonce,
            signer_spki_sha256: session.signer_spki_sha256,
        }
    }
}

impl From<SavedSession> for Session {
    fn from(session: SavedSession) -> Self {
        Self {
            nonce: session.nonce,
            signer_spki_sha256: session.signer_spki_sha256,
            exporter: session.exporter,
        }
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Format {
    #[serde(rename = "healthid-saved-evidence/v1")]
    V1,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    bundle: WireBundle,
    fetched_at: UnixTime,
    format: Format,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<SavedSession>,
}

impl SavedBundle {
    /// Reads a file. Nothing in it is verified.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let wire: Wire = json::parse_as(bytes, &LIMITS)?;
        Ok(Self {
            bundle: wire.bundle.open()?,
            fetched_at: wire.fetched_at,
            session: wire.session,
        })
    }

    /// The file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let wire = Wire {
            bundle: self.bundle.to_wire(),
            fetched_at: self.fetched_at,
            format: Format::V1,
            session: self.session.clone(),
        };
        serde_json::to_vec(&wire).unwrap_or_default()
    }
}
