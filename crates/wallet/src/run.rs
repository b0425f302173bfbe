//! The machines of [`crate::flow`], driven: an app gives a [`Transport`], a [`Keystore`], a [`Clock`] and a [`Person`], and runs.
//!
//! ```text
//! let mut approval = Approval::open(issuer, address)?;
//! let end = approval.run(&mut app).await?;                      // where she goes back to
//! let bound = Enrolment::begin(issuer, wish).run(&mut app).await?;   // None: she declined
//! ```
//!
//! | Runs | From | To |
//! |---|---|---|
//! | [`Approval`] | the address a service sent the person to, or a login another device shows | where she goes back to |
//! | [`Enrolment`] | a login to her account, answered by card | a device record that is kept |
//! | [`requests`] | a bound device | the logins that wait for it, each for [`Approval::resume`] |
//! | [`MoveOut`] | a login to her account, answered by this phone | the word that the new one is bound |
//! | [`MoveIn`] | the offer that the old phone shows | a device record that is kept |
//! | [`set_pin`], [`try_pin`] | a PIN | what it unlocks |
//!
//! **After an error, run again**, unless it is over: the same login goes on. A request whose answer was lost is sent again, a person who was refused
//! is asked again, a record that could not be kept is kept. What a run holds is lost with the process; what lasts is the keystore's.
//!
//! **Trusted for:** the counter is kept before the key signs, and a device record that came is not let go before the keystore has it.
//! **Does not:** wait, time out, open sockets, or go on by itself after an error: the app shows what happened.

mod approval;
mod enrolment;
mod error;
mod inbox;
mod moving;
mod pin;
#[cfg(test)]
pub(crate) mod tests;

use jose::UnixTime;

pub use approval::{Approval, End};
pub use enrolment::{Enrolment, Wish};
pub use error::{NoAnswer, RunError, StepError};
pub use inbox::{Unlock, requests};
pub use moving::{Compared, MoveEnd, MoveIn, MoveOut, NewPhone, OldPhone, Shown};
pub use pin::{set_pin, try_pin};

use crate::flow::{AbortWhy, Attestation, Consent, DeviceRecord, HttpRequest, Request};

/// Times a request is sent in a row before the run stops with [`RunError::Unreachable`].
pub const TRIES: usize = 3;

/// What the app around the core gives: one of each.
#[derive(Debug)]
pub struct App<T, K, C, P> {
    /// The network.
    pub transport: T,
    /// The keys and what is kept of them.
    pub keystore: K,
    /// The time.
    pub clock: C,
    /// Who holds the phone.
    pub person: P,
}

/// One way to the insurer's provider.
pub trait Transport: Sync {
    /// One HTTPS request, over the insurer's TLS authorities only; no redirect is followed. Times out by itself.
    ///
    /// # Errors
    /// [`NoAnswer`] where no whole answer came. Whether the request arrived nobody needs to know: the run sends it again.
    fn send(&self, request: &HttpRequest) -> impl Future<Output = Result<Answer, NoAnswer>> + Send;
}

/// What the provider answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body, as text: the provider speaks JSON.
    pub body: String,
}

/// The device's keys: the one in use with its record, and at most one that was made and is not bound yet.
pub trait Keystore: Send {
    /// The record kept last, with the counter kept last.
    ///
    /// # Errors
    /// [`StepError`].
    fn load(&mut self) -> impl Future<Output = Result<Option<DeviceRecord>, StepError>> + Send;

    /// Keeps the counter of the record. Durable when it returns: the key signs it afterwards.
    ///
    /// # Errors
    /// [`StepError`]; then nothing is signed.
    fn count(&mut self, counter: u64) -> impl Future<Output = Result<(), StepError>> + Send;

    /// Lets the key in use sign after it verified its user: ES256 over the message, r ‖ s in base64url.
    ///
    /// # Errors
    /// [`StepError::Cancelled`] where she does not unlock it.
    fn sign(&mut self, message: &str) -> impl Future<Output = Result<String, StepError>> + Send;

    /// Makes a P-256 key beside the one in use, in hardware where there is some, attested over the challenge: 32 bytes in base64url.
    /// One that was made before and not kept is not needed any more.
    ///
    /// # Errors
    /// [`StepError`].
    fn make_key(&mut self, challenge: &str) -> impl Future<Output = Result<MadeKey, StepError>> + Send;

    /// Lets the key just made sign, as [`sign`](Self::sign).
    ///
    /// # Errors
    /// [`StepError`].
    fn sign_with_new_key(&mut self, message: &str) -> impl Future<Output = Result<String, StepError>> + Send;

    /// The key just made is bound: it and this record take the place of key, record and ticket before, in one step. Durable when it returns.
    ///
    /// # Errors
    /// [`StepError`]; the next run keeps the same record.
    fn keep(&mut self, record: &DeviceRecord) -> impl Future<Output = Result<(), StepError>> + Send;

    /// The ticket kept last for the device in use; `None` where none was, and after [`keep`](Self::keep).
    ///
    /// # Errors
    /// [`StepError`].
    fn ticket(&mut self) -> impl Future<Output = Result<Option<String>, StepError>> + Send;

    /// Keeps what asks, without the key, what waits for the device in use. Whoever has it reads which services ask, and can end those logins: it
    /// is kept as the record is.
    ///
    /// # Errors
    /// [`StepError`]; then the key is asked again the next time.
    fn keep_ticket(&mut self, ticket: &str) -> impl Future<Output = Result<(), StepError>> + Send;
}

/// A key that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeKey {
    /// Public coordinate, 32 bytes in base64url.
    pub x: String,
    /// Public coordinate, 32 bytes in base64url.
    pub y: String,
    /// What the phone's maker says about the key, where the class needs it.
    pub attestation: Option<Attestation>,
}

/// The time of day.
pub trait Clock: Sync {
    /// Now.
    fn now(&self) -> UnixTime;
}

/// The person, through card reader and screen.
pub trait Person: Send {
    /// Shows who asks for what, with a warning first where it was begun on another device; she chooses. `device`: what is bound here, and could
    /// answer.
    ///
    /// # Errors
    /// [`StepError`].
    fn choose(
        &mut self,
        request: &Request,
        device: Option<&DeviceRecord>,
    ) -> impl Future<Output = Result<Choice, StepError>> + Send;

    /// One session with her card: PIN, certificate, [`card_message`](crate::flow::card_message), signature. Gives the
    /// [`card_response`](crate::flow::card_response).
    ///
    /// # Errors
    /// [`StepError::Cancelled`] where she takes the card away.
    fn hold_card(&mut self, challenge: &str) -> impl Future<Output = Result<String, StepError>> + Send;

    /// Shows what is required, and a switch for each voluntary claim; she decides.
    ///
    /// # Errors
    /// [`StepError`].
    fn decide(&mut self, consent: &Consent) -> impl Future<Output = Result<Decision, StepError>> + Send;
}

/// With what a person answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Her health card.
    Card,
    /// This device.
    Device,
    /// Not at all.
    Decline,
    /// It is not her login, or somebody tells her on the phone what to do: ends it on both devices.
    Abort(AbortWhy),
}

/// What a person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// She releases what is required and these voluntary claims.
    Approve {
        /// By name.
        voluntary: Vec<String>,
        /// Whether the same question need not be asked again.
        remember: bool,
        /// The two digits she reads on the other device; only where the login was begun there.
        number: Option<String>,
    },
    /// She releases nothing.
    Decline,
    /// As [`Choice::Abort`].
    Abort(AbortWhy),
}

impl<T: Transport> Transport for &T {
    async fn send(&self, request: &HttpRequest) -> Result<Answer, NoAnswer> {
        (**self).send(request).await
    }
}
