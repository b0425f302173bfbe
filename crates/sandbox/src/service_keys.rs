//! The demo services' keys, kept in the data directory so that a restart changes nothing, and so that a tool can act as the service.

use jose::{SoftwareKey, UnixTime, base64url};
use relying_party::client::{
    KeyPurpose, KeyRing, KeyRingError, KeyStage, MAX_CERTIFICATE_DAYS, TlsCredential, TlsCredentialError,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::data::{DataDir, DataError};
use crate::services::Service;

/// A certificate that ends within this time, in seconds, is made anew at the next start.
const RENEW_BEFORE_SECONDS: u64 = 30 * 86_400;

/// Why a service has no keys.
#[derive(Debug, thiserror::Error)]
pub enum ServiceKeysError {
    /// The file.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A key.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
    /// A certificate.
    #[error(transparent)]
    Certificate(#[from] TlsCredentialError),
    /// A key that cannot be read or made.
    #[error(transparent)]
    Key(#[from] jose::KeyError),
    /// The file holds something else.
    #[error("{0}: not the keys of a service")]
    Malformed(String),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    kid: String,
    /// Base64url of PKCS#8 DER.
    private_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

/// The first of each list is the current one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKeys {
    entity: Vec<StoredKey>,
    tls: Vec<StoredKey>,
    encryption: Vec<StoredKey>,
}

fn file(service: Service) -> String {
    format!("services/{}.json", service.word())
}

/// The keys of a service: those kept, or fresh ones that are kept from now on.
///
/// # Errors
/// [`ServiceKeysError`].
pub fn open(data: &DataDir, service: Service, entity_id: &str, now: UnixTime) -> Result<KeyRing, ServiceKeysError> {
    let mut stored = match data.read_json::<StoredKeys>(&file(service))? {
        Some(stored) => stored,
        None => StoredKeys {
            entity: vec![StoredKey::generate("entity", now)?],
            tls: Vec::new(),
            encryption: vec![StoredKey::generate("encryption", now)?],
        },
    };
    let is_current = match stored.tls.first() {
        Some(key) => key
            .credential(service)?
            .validity()
            .contains(now.plus_seconds(RENEW_BEFORE_SECONDS).0),
        None => false,
    };
    if !is_current {
        let key = SoftwareKey::generate(format!("tls-{}", now.0))?;
        let credential = TlsCredential::self_signed(key, entity_id, now, MAX_CERTIFICATE_DAYS)?;
        stored.tls.insert(0, StoredKey::of_credential(&credential));
    }
    data.write_secret_json(&file(service), &stored)?;
    ring(&stored, service, entity_id)
}

/// The keys of a service as they are kept, for a tool that acts as the service. `None` where the service has none yet.
///
/// # Errors
/// [`ServiceKeysError`].
pub fn read(data: &DataDir, service: Service, entity_id: &str) -> Result<Option<KeyRing>, ServiceKeysError> {
    match data.read_json::<StoredKeys>(&file(service))? {
        Some(stored) => ring(&stored, service, entity_id).map(Some),
        None => Ok(None),
    }
}

/// Keeps what a rollover of TLS or encryption keys changed. Keys that wait are not kept: they are made anew.
///
/// # Errors
/// [`ServiceKeysError`].
pub fn keep(data: &DataDir, service: Service, ring: &KeyRing, now: UnixTime) -> Result<(), ServiceKeysError> {
    let Some(mut stored) = data.read_json::<StoredKeys>(&file(service))? else {
        return Err(ServiceKeysError::Malformed(file(service)));
    };
    let status = ring.status();
    let stage = |kid: &str| status.iter().find(|key| key.kid == kid).map(|key| key.stage);
    let current = ring.tls_credential();
    stored
        .tls
        .retain(|key| key.kid != current.kid() && stage(&key.kid) == Some(KeyStage::Previous));
    stored.tls.insert(0, StoredKey::of_credential(&current));
    let mut kids: Vec<String> = ring.decryption_kids(now);
    let is_current = |kid: &String| {
        status
            .iter()
            .any(|key| key.purpose == KeyPurpose::Encryption && key.stage == KeyStage::Current && key.kid == *kid)
    };
    kids.sort_by_key(|kid| !is_current(kid));
    stored.encryption = kids
        .iter()
        .filter(|kid| stage(kid) != Some(KeyStage::Next))
        .filter_map(|kid| ring.decryption_key(kid, now))
        .map(|key| StoredKey::of(&key))
        .collect();
    Ok(data.write_secret_json(&file(service), &stored)?)
}

fn ring(stored: &StoredKeys, service: Service, entity_id: &str) -> Result<KeyRing, ServiceKeysError> {
    let keys = |stored: &[StoredKey]| stored.iter().map(|key| key.key(service)).collect::<Result<Vec<_>, _>>();
    let tls = stored
        .tls
        .iter()
        .map(|key| key.credential(service))
        .collect::<Result<_, _>>()?;
    Ok(KeyRing::of(
        entity_id,
        MAX_CERTIFICATE_DAYS,
        keys(&stored.entity)?,
        tls,
        keys(&stored.encryption)?,
    )?)
}

impl StoredKey {
    fn generate(name: &str, now: UnixTime) -> Result<Self, jose::KeyError> {
        Ok(Self::of(&SoftwareKey::generate(format!("{name}-{}", now.0))?))
    }

    fn of(key: &SoftwareKey) -> Self {
        Self {
            kid: key.kid().to_owned(),
            private_key: base64url::encode(&key.to_pkcs8_der()),
            certificate: None,
        }
    }

    fn of_credential(credential: &TlsCredential) -> Self {
        Self {
            certificate: Some(base64url::encode(credential.certificate())),
            ..Self::of(credential.key())
        }
    }

    fn key(&self, service: Service) -> Result<SoftwareKey, ServiceKeysError> {
        let malformed = |_| ServiceKeysError::Malformed(file(service));
        let der = Zeroizing::new(base64url::decode(&self.private_key).map_err(malformed)?);
        Ok(SoftwareKey::from_pkcs8_der(self.kid.clone(), &der)?)
    }

    fn credential(&self, service: Service) -> Result<TlsCredential, ServiceKeysError> {
        let malformed = || ServiceKeysError::Malformed(file(service));
        let certificate = self.certificate.as_ref().ok_or_else(malformed)?;
        let certificate = base64url::decode(certificate).map_err(|_| malformed())?;
        Ok(TlsCredential::new(self.key(service)?, &certificate)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const ID: &str = "https://localhost:8405";

    fn kids(ring: &KeyRing) -> Vec<(KeyPurpose, KeyStage, String)> {
        ring.status()
            .into_iter()
            .map(|key| (key.purpose, key.stage, key.kid))
            .collect()
    }

    #[test]
    fn a_service_has_the_same_keys_after_a_restart() {
        let data = DataDir::temporary().unwrap();
        assert!(read(&data, Service::Record, ID).unwrap().is_none());
        let first = open(&data, Service::Record, ID, NOW).unwrap();
        let again = open(&data, Service::Record, ID, NOW.plus_seconds(86_400)).unwrap();
        assert_eq!(kids(&first), kids(&again));
        assert_eq!(kids(&first), kids(&read(&data, Service::Record, ID).unwrap().unwrap()));
        assert_eq!(
            first.tls_credential().certificate(),
            again.tls_credential().certificate()
        );
    }

    #[test]
    fn a_certificate_about_to_end_is_followed_by_another_and_stays_published() {
        let data = DataDir::temporary().unwrap();
        let first = open(&data, Service::Record, ID, NOW).unwrap();
        let later = open(&data, Service::Record, ID, NOW.plus_seconds(380 * 86_400)).unwrap();
        assert_ne!(
            first.tls_credential().certificate(),
            later.tls_credential().certificate()
        );
        let published = later
            .status()
            .into_iter()
            .filter(|key| key.purpose == KeyPurpose::Tls)
            .count();
        assert_eq!(published, 2);
    }

    #[test]
    fn rolled_over_keys_are_kept_and_old_encryption_keys_stay_usable() {
        let data = DataDir::temporary().unwrap();
        let ring = open(&data, Service::Record, ID, NOW).unwrap();
        let old = ring.decryption_kids(NOW);
        for purpose in [KeyPurpose::Tls, KeyPurpose::Encryption] {
            ring.add_next(purpose, NOW).unwrap();
            ring.switch(purpose).unwrap();
        }
        keep(&data, Service::Record, &ring, NOW).unwrap();
        let again = read(&data, Service::Record, ID).unwrap().unwrap();
        assert_eq!(
            again.tls_credential().certificate(),
            ring.tls_credential().certificate()
        );
        assert!(again.decryption_key(&old[0], NOW).is_some());
        let current = |ring: &KeyRing| {
            let mut current: Vec<_> = kids(ring)
                .into_iter()
                .filter(|key| key.1 == KeyStage::Current)
                .collect();
            current.sort_by_key(|key| key.2.clone());
            current
        };
        assert_eq!(current(&again), current(&ring));
    }
}
