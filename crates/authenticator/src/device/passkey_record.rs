//! What is kept of a passkey beside its key.

use jose::{UnixTime, base64url};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{BoundKey, DeviceKey, Standing};
use crate::passkey::RegistrationRequest;
use crate::policy::{DeviceClassRule, Performed};

/// Longest identifier of a credential with a P-256 key that is kept whole. Of a longer one the SHA-256 is kept: an identifier may have a thousand
/// bytes, a record has room for fewer.
pub const MAX_KEPT_ID_BYTES: usize = 64;
/// As [`MAX_KEPT_ID_BYTES`] beside an RSA key, which leaves less room. Windows makes identifiers of this length.
pub const MAX_KEPT_ID_BYTES_WITH_RSA: usize = 32;

/// A passkey's credential.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyRecord {
    /// The identifier, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Where it is too long: its SHA-256, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    /// Whether the key may be copied by its authenticator's maker. It never changes (Web Authentication, §6.1.3).
    pub(crate) backup_eligible: bool,
}

impl PasskeyRecord {
    pub(crate) fn new(id: &[u8], key: &BoundKey, backup_eligible: bool) -> Self {
        let room = match key {
            BoundKey::P256(_) => MAX_KEPT_ID_BYTES,
            BoundKey::Rsa(_) => MAX_KEPT_ID_BYTES_WITH_RSA,
        };
        let fits = id.len() <= room;
        Self {
            id: fits.then(|| base64url::encode(id)),
            credential: (!fits).then(|| digest(id)),
            backup_eligible,
        }
    }

    /// Whether it is the record of this credential.
    pub(crate) fn is_of(&self, id: &[u8]) -> bool {
        match (&self.id, &self.credential) {
            (Some(known), _) => *known == base64url::encode(id),
            (None, Some(known)) => *known == digest(id),
            (None, None) => false,
        }
    }
}

fn digest(id: &[u8]) -> String {
    base64url::encode(&Sha256::digest(id))
}

impl DeviceKey {
    /// A passkey that was verified.
    pub(crate) fn of_passkey(
        request: &RegistrationRequest,
        class: &DeviceClassRule,
        key: &BoundKey,
        record: PasskeyRecord,
        counter: u32,
        performed: &Performed,
        now: UnixTime,
    ) -> Self {
        Self {
            device_id: request.device_id,
            person_id: request.person_id,
            key: key.clone(),
            name: request.name.clone(),
            class: class.name.clone(),
            bound_at: now,
            confirmed_at: performed.auth_time,
            consented_to_substantial: request.consented_to_substantial,
            counter: counter.into(),
            passkey: Some(record),
            pin: None,
            hardware: None,
            inherited: None,
            standing: Standing::Free,
        }
    }

    /// What is kept of a passkey; `None` where the key is not one's.
    pub(crate) fn passkey(&self) -> Option<&PasskeyRecord> {
        self.passkey.as_ref()
    }

    /// Whether it is a passkey.
    #[must_use]
    pub fn is_passkey(&self) -> bool {
        self.passkey.is_some()
    }

    /// A passkey's identifier, base64url. `None` where it was too long to keep, or kept as a hash by an earlier version.
    #[must_use]
    pub fn credential_id(&self) -> Option<&str> {
        self.passkey.as_ref()?.id.as_deref()
    }
}
