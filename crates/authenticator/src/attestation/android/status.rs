//! Google's list of attestation keys that are not to be believed any more, as parsed data.
//!
//! The list is fetched outside (`https://android.googleapis.com/attestation/status`) and comes here as bytes with the
//! moment of fetching. It is not signed: whoever fetches it must do so over TLS, and whoever may replace it can hide a
//! revocation or invent one.

use std::collections::BTreeMap;

use jose::UnixTime;
use jose::json::{self, Limits};
use serde::Deserialize;

/// Largest list read, in bytes: room for [`MAX_ENTRIES`] entries of 80 bytes.
pub const LIMITS: Limits = Limits {
    bytes: 8 * 1024 * 1024,
    depth: 4,
};
/// Most entries.
pub const MAX_ENTRIES: usize = 100_000;
/// Longest serial number: 20 bytes (RFC 5280 §4.1.2.2), in hexadecimal.
pub const MAX_SERIAL_DIGITS: usize = 40;

/// What the list says about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// For good.
    Revoked,
    /// For now.
    Suspended,
    /// A word of later lists: counts as not to be believed.
    Other,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusReason {
    /// Nothing said.
    Unspecified,
    /// The key leaked.
    KeyCompromise,
    /// The issuer's key leaked.
    CaCompromise,
    /// A newer one is there.
    Superseded,
    /// The device's software is broken.
    SoftwareFlaw,
    /// A word of later lists.
    Other,
}

/// An entry that concerns a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedCertificate {
    /// Status.
    pub status: KeyStatus,
    /// Reason.
    pub reason: StatusReason,
}

/// Why a list is refused. Keep the older one then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatusListError {
    /// Not JSON of the published shape.
    #[error("status list: expected JSON with an object `entries` of at most {} bytes", LIMITS.bytes)]
    Shape,
    /// More than [`MAX_ENTRIES`].
    #[error("status list: more than {MAX_ENTRIES} entries")]
    TooMany,
    /// A name is no serial number.
    #[error("status list: names of entries must be serial numbers in hexadecimal, at most {MAX_SERIAL_DIGITS} digits")]
    Serial,
}

impl StatusListError {
    /// Stable code for logs and support.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape => "status-list-shape",
            Self::TooMany => "status-list-too-many",
            Self::Serial => "status-list-serial",
        }
    }
}

/// A parsed list. Build it once per fetch, share it.
#[derive(Clone)]
pub struct StatusList {
    /// By serial number in lower-case hexadecimal without leading zeros.
    entries: BTreeMap<String, ListedCertificate>,
    fetched_at: UnixTime,
}

/// Unknown members (`comment`, `expires`) are tolerated.
#[derive(Deserialize)]
struct Wire {
    entries: BTreeMap<String, WireEntry>,
}

#[derive(Deserialize)]
struct WireEntry {
    status: String,
    reason: Option<String>,
}

impl StatusList {
    /// Reads a list that was fetched at `fetched_at`. Total.
    ///
    /// # Errors
    /// [`StatusListError`]. One bad entry refuses the list: skipping it could skip a revocation.
    pub fn parse(bytes: &[u8], fetched_at: UnixTime) -> Result<Self, StatusListError> {
        let wire: Wire = json::parse_as(bytes, &LIMITS).map_err(|_| StatusListError::Shape)?;
        if wire.entries.len() > MAX_ENTRIES {
            return Err(StatusListError::TooMany);
        }
        let entries = wire
            .entries
            .into_iter()
            .map(|(serial, entry)| Ok((canonical(&serial)?, entry.into())))
            .collect::<Result<_, StatusListError>>()?;
        Ok(Self { entries, fetched_at })
    }

    /// When it was fetched.
    #[must_use]
    pub fn fetched_at(&self) -> UnixTime {
        self.fetched_at
    }

    /// How many keys it names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it names none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of the first of these serial numbers (big-endian) that has one.
    pub(super) fn listed(&self, serials: &[Vec<u8>]) -> Option<ListedCertificate> {
        serials.iter().find_map(|serial| {
            let hexadecimal: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
            self.entries.get(hexadecimal.trim_start_matches('0')).copied()
        })
    }
}

impl std::fmt::Debug for StatusList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StatusList({} entries)", self.entries.len())
    }
}

impl From<WireEntry> for ListedCertificate {
    fn from(entry: WireEntry) -> Self {
        Self {
            status: match entry.status.as_str() {
                "REVOKED" => KeyStatus::Revoked,
                "SUSPENDED" => KeyStatus::Suspended,
                _ => KeyStatus::Other,
            },
            reason: match entry.reason.as_deref() {
                None | Some("UNSPECIFIED") => StatusReason::Unspecified,
                Some("KEY_COMPROMISE") => StatusReason::KeyCompromise,
                Some("CA_COMPROMISE") => StatusReason::CaCompromise,
                Some("SUPERSEDED") => StatusReason::Superseded,
                Some("SOFTWARE_FLAW") => StatusReason::SoftwareFlaw,
                Some(_) => StatusReason::Other,
            },
        }
    }
}

fn canonical(serial: &str) -> Result<String, StatusListError> {
    let is_hexadecimal = serial.bytes().all(|byte| byte.is_ascii_hexdigit());
    if serial.is_empty() || serial.len() > MAX_SERIAL_DIGITS || !is_hexadecimal {
        return Err(StatusListError::Serial);
    }
    Ok(serial.to_ascii_lowercase().trim_start_matches('0').to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn list(text: &str) -> Result<StatusList, StatusListError> {
        StatusList::parse(text.as_bytes(), NOW)
    }

    #[test]
    fn a_revoked_key_is_found_whatever_zeros_stand_before_its_number() {
        let list = list(
            r#"{"entries":{"2c8cdddfd5e03bfc":{"status":"REVOKED","expires":"2027-11-13","reason":"KEY_COMPROMISE"},
                "00AB":{"status":"SUSPENDED","comment":"x"}}}"#,
        )
        .unwrap();
        assert_eq!(list.len(), 2);
        let revoked = ListedCertificate {
            status: KeyStatus::Revoked,
            reason: StatusReason::KeyCompromise,
        };
        let serial = vec![0x2c, 0x8c, 0xdd, 0xdf, 0xd5, 0xe0, 0x3b, 0xfc];
        assert_eq!(list.listed(&[vec![1], serial]), Some(revoked));
        let suspended = list.listed(&[vec![0xab]]).unwrap();
        assert_eq!(
            (suspended.status, suspended.reason),
            (KeyStatus::Suspended, StatusReason::Unspecified)
        );
        assert_eq!(list.listed(&[vec![0xab, 0x00], vec![0x0a]]), None);
    }

    #[test]
    fn a_word_of_a_later_list_counts_as_not_to_be_believed() {
        let list = list(r#"{"entries":{"0f":{"status":"QUARANTINED","reason":"MOON_PHASE"}},"version":2}"#).unwrap();
        let entry = list.listed(&[vec![0x0f]]).unwrap();
        assert_eq!((entry.status, entry.reason), (KeyStatus::Other, StatusReason::Other));
    }

    #[test]
    fn a_list_of_another_shape_is_refused_as_a_whole() {
        for (text, error) in [
            ("", StatusListError::Shape),
            ("[]", StatusListError::Shape),
            ("{}", StatusListError::Shape),
            (r#"{"entries":[]}"#, StatusListError::Shape),
            (r#"{"entries":{"0f":"REVOKED"}}"#, StatusListError::Shape),
            (
                r#"{"entries":{"0f":{"reason":"KEY_COMPROMISE"}}}"#,
                StatusListError::Shape,
            ),
            (
                r#"{"entries":{"0f":{"status":"REVOKED"},"0f":{"status":"X"}}}"#,
                StatusListError::Shape,
            ),
            (r#"{"entries":{"0f":{"status":[[["deep"]]]}}}"#, StatusListError::Shape),
            (r#"{"entries":{"":{"status":"REVOKED"}}}"#, StatusListError::Serial),
            (r#"{"entries":{"0x0f":{"status":"REVOKED"}}}"#, StatusListError::Serial),
            (r#"{"entries":{"-0f":{"status":"REVOKED"}}}"#, StatusListError::Serial),
            (
                r#"{"entries":{"00000000000000000000000000000000000000001":{"status":"REVOKED"}}}"#,
                StatusListError::Serial,
            ),
        ] {
            assert_eq!(list(text).unwrap_err(), error, "{text}");
        }
        assert!(list(r#"{"entries":{}}"#).unwrap().is_empty());
    }
}
