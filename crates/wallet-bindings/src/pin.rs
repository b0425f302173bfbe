//! The app's PIN: tried at the provider, which does not learn it.

use std::sync::{Arc, Mutex, PoisonError};

use authenticator::pin::PinError;
use wallet::flow;
use wallet::run::RunError;

use crate::{Login, Told, WalletError, Want};

/// What came of a try.
#[derive(uniffi::Record)]
pub struct Unlocked {
    /// Opens what was wrapped with it, if the PIN was the right one.
    pub secret: Arc<PinSecret>,
    /// Tries left, this one taken. A login that the device's key signs gives all of them back.
    pub tries_left: u64,
}

/// What a PIN of a device unlocks. Wiped when it is let go.
#[derive(uniffi::Object)]
pub struct PinSecret(flow::PinSecret);

#[uniffi::export]
impl PinSecret {
    /// Wraps what the PIN protects: keep only what comes out.
    ///
    /// # Errors
    /// [`WalletError::Failed`] where there is no randomness.
    pub fn wrap(&self, content: Vec<u8>) -> Result<Vec<u8>, WalletError> {
        let mut salt = [0; 16];
        salt.copy_from_slice(&drawn().map_err(|_| no_randomness())?[..16]);
        self.0.wrap(salt, &content).ok_or_else(no_randomness)
    }

    /// Opens what `wrap` made; none where that was not the PIN, or a newer one was set.
    #[must_use]
    pub fn unwrap(&self, kept: Vec<u8>) -> Option<Vec<u8>> {
        self.0.unwrap(&kept).map(|content| content.to_vec())
    }
}

/// One try of a PIN as a machine: for apps that do not run a [`Wallet`](crate::Wallet).
#[derive(uniffi::Object)]
pub struct PinTry {
    want: Want,
    attempt: Mutex<Option<flow::PinTry>>,
}

#[uniffi::export]
impl PinTry {
    /// Tries the PIN of a device, by its handle. Costs a try once it is sent.
    ///
    /// # Errors
    /// [`WalletError::Failed`] for a PIN that is none.
    #[uniffi::constructor]
    pub fn begin(issuer: &str, device: &str, pin: &str) -> Result<Arc<Self>, WalletError> {
        Ok(Self::of(flow::PinTry::begin(issuer, device, pin, draw).map_err(none)?))
    }

    /// Sets a PIN, the first one or a new one, in a login that her card answered just now. What was wrapped before is lost.
    ///
    /// # Errors
    /// [`WalletError::Failed`] for a PIN that is none, [`WalletError::Again`] before the provider knows who she is.
    #[uniffi::constructor]
    pub fn set(login: &Login, device: &str, pin: &str) -> Result<Arc<Self>, WalletError> {
        let step = login.step();
        let machine = &step.machine;
        let sealed = machine.sealed().ok_or(flow::FlowError::OutOfOrder { told: "pin" })?;
        let begun = flow::PinTry::set(machine.issuer(), machine.client_id(), sealed, device, pin, draw);
        Ok(Self::of(begun.map_err(none)?))
    }

    /// What it wants: to be sent.
    #[must_use]
    pub fn want(&self) -> Want {
        self.want.clone()
    }

    /// Tells the answer. Once: then it is over.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn tell(&self, told: Told) -> Result<Unlocked, WalletError> {
        let attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner).take();
        let attempt = attempt.ok_or(flow::FlowError::OutOfOrder { told: "answer" })?;
        Ok(attempt.tell(told.into())?.into())
    }
}

impl PinTry {
    fn of((attempt, want): (flow::PinTry, flow::Want)) -> Arc<Self> {
        Arc::new(Self {
            want: want.into(),
            attempt: Mutex::new(Some(attempt)),
        })
    }
}

impl From<(flow::PinSecret, u64)> for Unlocked {
    fn from((secret, tries_left): (flow::PinSecret, u64)) -> Self {
        Self {
            secret: Arc::new(PinSecret(secret)),
            tries_left,
        }
    }
}

fn none(error: PinError) -> WalletError {
    RunError::Pin(error).into()
}

fn no_randomness() -> WalletError {
    none(PinError::Randomness)
}

/// Randomness for a blinding. Where there is none it stays zero, which no blinding accepts.
pub(crate) fn draw(bytes: &mut [u8; 32]) {
    *bytes = drawn().unwrap_or_default();
}

/// The system's randomness: an app has no vault, and one that draws badly would give its PIN away.
#[expect(
    clippy::disallowed_methods,
    reason = "the phone's half has no other source; a test seeds the core instead"
)]
fn drawn() -> Result<[u8; 32], aws_lc_rs::error::Unspecified> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(bytes)
}
