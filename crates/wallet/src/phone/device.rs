//! The phone's own key, bound to its person at one insurer.
//!
//! Openly weak: the key lies in memory and in the file the caller keeps, as good as the phone itself. A real phone holds it in hardware.

use std::fmt;

use jose::{Signer as _, SoftwareKey, UnixTime, base64url};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::flow::DeviceRecord;
use crate::run::{Keystore, MadeKey, StepError};

/// A bound phone: key, counter, handle. Serialises for a file; whoever has the file has the phone.
pub struct BoundDevice {
    record: DeviceRecord,
    key: SoftwareKey,
    /// Asks what waits for it.
    ticket: Option<String>,
}

/// Why a file is no bound device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("device file: expected JSON as `healthid phone bind` writes it")]
pub struct DeviceFileError;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceFile {
    issuer: String,
    device: String,
    name: String,
    valid_until: UnixTime,
    counter: u64,
    /// Base64url of PKCS#8 DER.
    private_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
}

/// The phone's keystore: what is bound, if anything is, and what is being bound.
#[derive(Default)]
pub(super) struct KeyInMemory<'d> {
    bound: Option<&'d mut BoundDevice>,
    made: Option<SoftwareKey>,
    kept: Option<BoundDevice>,
}

impl<'d> KeyInMemory<'d> {
    pub(super) fn of(bound: &'d mut BoundDevice) -> Self {
        Self {
            bound: Some(bound),
            ..Self::default()
        }
    }

    /// What was bound meanwhile.
    pub(super) fn into_kept(self) -> Option<BoundDevice> {
        self.kept
    }
}

impl Keystore for KeyInMemory<'_> {
    async fn load(&mut self) -> Result<Option<DeviceRecord>, StepError> {
        Ok(self.bound.as_ref().map(|device| device.record.clone()))
    }

    async fn count(&mut self, counter: u64) -> Result<(), StepError> {
        let device = self.bound.as_mut().ok_or_else(no_key)?;
        device.record.counter = counter;
        Ok(())
    }

    async fn sign(&mut self, message: &str) -> Result<String, StepError> {
        sign(&self.bound.as_ref().ok_or_else(no_key)?.key, message)
    }

    async fn make_key(&mut self, _challenge: &str) -> Result<MadeKey, StepError> {
        let key = SoftwareKey::generate("device").map_err(|_| no_key())?;
        let public = key.public_key();
        let made = MadeKey {
            x: base64url::encode(public.x()),
            y: base64url::encode(public.y()),
            // A key in memory has no maker who vouches for it.
            attestation: None,
        };
        self.made = Some(key);
        Ok(made)
    }

    async fn sign_with_new_key(&mut self, message: &str) -> Result<String, StepError> {
        sign(self.made.as_ref().ok_or_else(no_key)?, message)
    }

    async fn keep(&mut self, record: &DeviceRecord) -> Result<(), StepError> {
        let key = self.made.take().ok_or_else(no_key)?;
        self.kept = Some(BoundDevice {
            record: record.clone(),
            key,
            ticket: None,
        });
        Ok(())
    }

    async fn ticket(&mut self) -> Result<Option<String>, StepError> {
        Ok(self.bound.as_ref().and_then(|device| device.ticket.clone()))
    }

    async fn keep_ticket(&mut self, ticket: &str) -> Result<(), StepError> {
        let device = self.bound.as_mut().ok_or_else(no_key)?;
        device.ticket = Some(ticket.to_owned());
        Ok(())
    }
}

fn sign(key: &SoftwareKey, message: &str) -> Result<String, StepError> {
    let signature = key.sign(message.as_bytes()).map_err(|_| no_key())?;
    Ok(base64url::encode(&signature))
}

fn no_key() -> StepError {
    StepError::Failed("device: its key did not sign".to_owned())
}

impl BoundDevice {
    /// The provider's name for it.
    #[must_use]
    pub fn handle(&self) -> &str {
        &self.record.device
    }

    /// The insurer's issuer, where it is bound.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.record.issuer
    }

    /// The person's name for it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// Last second in which it logs in without the card, as of the binding.
    #[must_use]
    pub fn valid_until(&self) -> UnixTime {
        self.record.valid_until
    }

    /// As a file's content.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        let record = self.record.clone();
        let file = DeviceFile {
            issuer: record.issuer,
            device: record.device,
            name: record.name,
            valid_until: record.valid_until,
            counter: record.counter,
            private_key: base64url::encode(&self.key.to_pkcs8_der()),
            ticket: self.ticket.clone(),
        };
        // Strings and numbers only: serialising cannot fail.
        Zeroizing::new(serde_json::to_string_pretty(&file).unwrap_or_default())
    }

    /// From a file's content.
    ///
    /// # Errors
    /// [`DeviceFileError`].
    pub fn from_json(text: &str) -> Result<Self, DeviceFileError> {
        let file: DeviceFile =
            jose::json::parse_as(text.as_bytes(), &jose::json::DEFAULT).map_err(|_| DeviceFileError)?;
        let der = Zeroizing::new(base64url::decode(&file.private_key).map_err(|_| DeviceFileError)?);
        Ok(Self {
            record: DeviceRecord {
                issuer: file.issuer,
                device: file.device,
                name: file.name,
                valid_until: file.valid_until,
                counter: file.counter,
            },
            key: SoftwareKey::from_pkcs8_der("device", &der).map_err(|_| DeviceFileError)?,
            ticket: file.ticket,
        })
    }
}

impl fmt::Debug for BoundDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundDevice")
    }
}
