//! The protocol driven over an app's four interfaces: [`wallet::run`], called back in the app's language.

mod interfaces;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Thread, current, park};

use jose::base64url;
use uniffi::UnexpectedUniFFICallbackError;
use wallet::flow;
use wallet::run::{self, App, StepError};

use self::interfaces::{Her, Keys, Net, Time};
use crate::moving::{MoveIn, MoveOut, NewPhone, OldPhone};
use crate::pin::{Unlocked, draw};
use crate::{AbortWhy, Attestation, Consent, DeviceRecord, Finding, Request, WalletError};

/// One way to the insurer's provider.
#[uniffi::export(foreign)]
pub trait Transport: Send + Sync {
    /// One HTTPS request, over the insurer's TLS authorities only; no redirect is followed. Times out by itself. Whatever is thrown means that no whole
    /// answer came: it is sent again. `method`: `GET` or `POST`; `body`: JSON, for a POST.
    fn send(&self, method: String, url: String, body: Option<String>) -> Result<Answer, StepFailed>;
}

/// What the provider answered.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: String,
}

/// The device's keys: the one in use with its record, and at most one that was made and is not bound yet.
#[uniffi::export(foreign)]
pub trait Keystore: Send + Sync {
    /// The record kept last, with the counter kept last.
    fn load(&self) -> Result<Option<DeviceRecord>, StepFailed>;

    /// Keeps the counter of the record. Durable when it returns: the key signs it afterwards.
    fn count(&self, counter: u64) -> Result<(), StepFailed>;

    /// Lets the key in use sign after it verified its user: ES256 over the message, r ‖ s, 64 bytes.
    fn sign(&self, message: String) -> Result<Vec<u8>, StepFailed>;

    /// Makes a P-256 key beside the one in use, in hardware where there is some, attested over these 32 bytes. One that was made before and not kept is
    /// not needed any more.
    fn make_key(&self, challenge: Vec<u8>) -> Result<NewKey, StepFailed>;

    /// Lets the key just made sign, as `sign`.
    fn sign_with_new_key(&self, message: String) -> Result<Vec<u8>, StepFailed>;

    /// The key just made is bound: it and this record take the place of key, record and ticket before, in one step. Durable when it returns. What is
    /// thrown costs nothing: the next run keeps the same record.
    fn keep(&self, record: DeviceRecord) -> Result<(), StepFailed>;

    /// The ticket kept last for the device in use; none where none was, and after `keep`.
    fn ticket(&self) -> Result<Option<String>, StepFailed>;

    /// Keeps what asks, without the key, what waits for the device in use. Whoever has it reads which services ask, and can end those logins: keep it as
    /// the record.
    fn keep_ticket(&self, ticket: String) -> Result<(), StepFailed>;
}

/// A key that was made.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewKey {
    /// Public coordinate, 32 bytes.
    pub x: Vec<u8>,
    /// Public coordinate, 32 bytes.
    pub y: Vec<u8>,
    /// What the phone's maker says about the key, where the class needs it.
    pub attestation: Option<Attestation>,
}

/// The time of day.
#[uniffi::export(foreign)]
pub trait Clock: Send + Sync {
    /// Now, in seconds since 1970.
    fn now(&self) -> u64;
}

/// The person, through card reader and screen. Each method waits for her.
#[uniffi::export(foreign)]
pub trait Person: Send + Sync {
    /// Shows who asks for what, with a warning first where it was begun on another device; she chooses. `device`: what is bound here, and could answer.
    fn choose(&self, request: Request, device: Option<DeviceRecord>) -> Result<Choice, StepFailed>;

    /// One session with her card: PIN, certificate, `card_message`, signature. Gives the `card_response`.
    fn hold_card(&self, challenge: String) -> Result<String, StepFailed>;

    /// Shows what is required, and a switch for each voluntary claim; she decides.
    fn decide(&self, consent: Consent) -> Result<Decision, StepFailed>;
}

/// Whether asking what waits may let her unlock the device's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Unlock {
    /// Where no ticket is kept, or it is too old: she is looking at the app and expects it.
    IfNeeded,
    /// Not at all: the app asks by itself, every few seconds. `Locked` where only the key could ask.
    Never,
}

/// A login that waits for this device's answer.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct WaitingRequest {
    /// The service's identifier.
    pub client_id: String,
    /// Names this request: with `client_id` for [`Wallet::resume`].
    pub login: String,
    /// When it was sent, in seconds since 1970.
    pub asked_at: u64,
    /// The service's name, for a list; not signed. Text, never markup.
    pub service: Option<String>,
    /// Where its logo is.
    pub logo_uri: Option<String>,
}

/// With what a person answers.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Choice {
    /// Her health card.
    Card,
    /// This device.
    Device,
    /// Not at all.
    Decline,
    /// It is not her login, or somebody tells her on the phone what to do: ends it on both devices.
    Abort {
        /// Which of the two.
        why: AbortWhy,
    },
}

/// What a person decides.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
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
    /// As with [`Choice::Abort`].
    Abort {
        /// Which of the two.
        why: AbortWhy,
    },
}

/// Why an interface of the app did not do its step. Anything else that it throws counts as `Failed`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum StepFailed {
    /// She did not want to: card taken away, key not unlocked, screen closed.
    #[error("cancelled")]
    Cancelled,
    /// It could not be done.
    #[error("{detail}")]
    Failed {
        /// The app's own words: they come back to it in `WalletError`.
        detail: String,
    },
}

/// How a login ended.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum End {
    /// She goes back to this address, whether she approved or declined.
    GoBack {
        /// The service's, or the browser page's.
        address: String,
    },
    /// Nothing is opened here. Where it was begun on another device, that one goes on, or says why not.
    Done,
}

/// A device that was bound, and whose record is kept.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Bound {
    /// What was kept.
    pub record: DeviceRecord,
    /// Its class: what the attestation reached, which may be less than was wished for.
    pub class: String,
    /// Why it reached no stronger class, where it was attested.
    pub findings: Vec<Finding>,
}

pub(crate) type TheApp = App<Net, Keys, Time, Her>;

/// One insurer's app on one phone.
#[derive(uniffi::Object)]
pub struct Wallet {
    issuer: String,
    net: Net,
    app: Arc<Mutex<TheApp>>,
}

#[uniffi::export]
impl Wallet {
    /// Over the app's four interfaces. One run at a time: it holds them until it ends or stops.
    #[uniffi::constructor]
    #[must_use]
    pub fn new(
        issuer: &str,
        transport: Arc<dyn Transport>,
        keystore: Arc<dyn Keystore>,
        clock: Arc<dyn Clock>,
        person: Arc<dyn Person>,
    ) -> Arc<Self> {
        let net = Net(transport);
        let app = App {
            transport: net.clone(),
            keystore: Keys(keystore),
            clock: Time(clock),
            person: Her(person),
        };
        Arc::new(Self {
            issuer: issuer.trim_end_matches('/').to_owned(),
            net,
            app: Arc::new(Mutex::new(app)),
        })
    }

    /// A login from the address a service sent the person to.
    ///
    /// # Errors
    /// [`WalletError::Over`] for an address that is not a login's.
    pub fn approve(&self, authorization_url: &str) -> Result<Arc<Approval>, WalletError> {
        Ok(self.approval(run::Approval::open(&self.issuer, authorization_url)?))
    }

    /// Goes on with a login that the provider's page already holds, on this device or another.
    #[must_use]
    pub fn resume(&self, client_id: &str, login: &str) -> Arc<Approval> {
        self.approval(run::Approval::resume(&self.issuer, client_id, login))
    }

    /// Binds this device, by a login to her account with the card. `device_class`: a name of the insurer's policy. `consent_to_substantial`: whether she
    /// consents, informed, to logins below the level high with this device. `hardware`: the app's own mark of this phone, 32 bytes, kept where it survives
    /// a new installation; a device bound with it before is replaced.
    #[must_use]
    pub fn enrol(
        &self,
        name: String,
        device_class: String,
        consent_to_substantial: bool,
        hardware: Option<Vec<u8>>,
    ) -> Arc<Enrolment> {
        let wish = wish(name, device_class, consent_to_substantial, hardware);
        Arc::new(Enrolment {
            run: Mutex::new(run::Enrolment::begin(&self.issuer, wish)),
            net: self.net.clone(),
            app: Arc::clone(&self.app),
        })
    }

    /// The logins that browsers sent to this device, oldest first; each goes on with [`resume`](Self::resume). Asks with the ticket that is kept, or lets
    /// the key sign and keeps the ticket that comes for it. Moves nothing: ask when the app is opened, and every few seconds at most while she waits.
    ///
    /// # Errors
    /// [`WalletError::Locked`] where it needs the key and `unlock` says never; [`WalletError::NoDevice`].
    pub fn requests(&self, unlock: Unlock) -> Result<Vec<WaitingRequest>, WalletError> {
        let mut app = exclusively(&self.app)?;
        let found = finish(run::requests(&mut app, &self.issuer, unlock.into()))?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// The old phone's half of a move to a new one, where the insurer allows it: a login to her account that she answers with this phone, and then what
    /// `screen` shows. Warn her before: only for a phone in her hand.
    #[must_use]
    pub fn move_out(&self, screen: Arc<dyn OldPhone>) -> Arc<MoveOut> {
        MoveOut::of(run::MoveOut::begin(&self.issuer), screen, Arc::clone(&self.app))
    }

    /// The new phone's half, with the offer of the old one: member `move` of the link whose `issuer` is this insurer. The others as in
    /// [`enrol`](Self::enrol).
    #[must_use]
    pub fn move_in(
        &self,
        offer: &str,
        name: String,
        device_class: String,
        consent_to_substantial: bool,
        hardware: Option<Vec<u8>>,
        screen: Arc<dyn NewPhone>,
    ) -> Arc<MoveIn> {
        let wish = wish(name, device_class, consent_to_substantial, hardware);
        MoveIn::of(
            run::MoveIn::begin(&self.issuer, offer, wish),
            screen,
            Arc::clone(&self.app),
        )
    }

    /// Tries the PIN of a bound device, by its handle. Costs a try, and asks nobody; may be called from an interface.
    ///
    /// # Errors
    /// [`WalletError`]; after [`WalletError::Unreachable`] the try may have been counted.
    pub fn try_pin(&self, device: &str, pin: &str) -> Result<Unlocked, WalletError> {
        let tried = run::try_pin(&self.net, &self.issuer, device, pin, draw);
        Ok(finish(tried).map(Unlocked::from)?)
    }
}

fn wish(name: String, class: String, consent_to_substantial: bool, hardware: Option<Vec<u8>>) -> run::Wish {
    run::Wish {
        name,
        class,
        consent_to_substantial,
        hardware: hardware.map(|mark| base64url::encode(&mark)),
    }
}

impl Wallet {
    fn approval(&self, run: run::Approval) -> Arc<Approval> {
        Arc::new(Approval {
            run: Mutex::new(run),
            app: Arc::clone(&self.app),
        })
    }
}

/// One login.
#[derive(uniffi::Object)]
pub struct Approval {
    run: Mutex<run::Approval>,
    app: Arc<Mutex<TheApp>>,
}

#[uniffi::export]
impl Approval {
    /// Runs to its end; waits for network and person, so call it off the screen's thread. After any error but [`WalletError::Over`], running again goes on
    /// with the same login.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn run(&self) -> Result<End, WalletError> {
        let mut app = exclusively(&self.app)?;
        let mut approval = exclusively(&self.run)?;
        let ended = finish(approval.run(&mut app));
        match ended {
            Ok(run::End::GoBack { address }) => Ok(End::GoBack { address }),
            Ok(run::End::Done) => Ok(End::Done),
            Err(error) if approval.is_over() => Err(WalletError::from(error).over()),
            Err(error) => Err(error.into()),
        }
    }
}

/// One enrolment of this device.
#[derive(uniffi::Object)]
pub struct Enrolment {
    run: Mutex<run::Enrolment>,
    net: Net,
    app: Arc<Mutex<TheApp>>,
}

#[uniffi::export]
impl Enrolment {
    /// Runs until the record is kept; none where she declined. As [`Approval::run`].
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn run(&self) -> Result<Option<Bound>, WalletError> {
        let mut app = exclusively(&self.app)?;
        let mut enrolment = exclusively(&self.run)?;
        let ended = finish(enrolment.run(&mut app));
        match ended {
            Ok(bound) => Ok(bound.map(Bound::from)),
            Err(error) if enrolment.is_over() => Err(WalletError::from(error).over()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets the PIN of a device of hers, the first one or a new one, in this login with the card: within ten minutes of it. Gives what the PIN unlocks from
    /// now on; what was wrapped before is lost. `device`: the handle of its record.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn set_pin(&self, device: &str, pin: &str) -> Result<Unlocked, WalletError> {
        let enrolment = exclusively(&self.run)?;
        let set = run::set_pin(&self.net, enrolment.login(), device, pin, draw);
        Ok(finish(set).map(Unlocked::from)?)
    }
}

impl From<flow::Bound> for Bound {
    fn from(bound: flow::Bound) -> Self {
        Self {
            record: bound.record.into(),
            class: bound.class,
            findings: bound.findings.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<UnexpectedUniFFICallbackError> for StepFailed {
    fn from(thrown: UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { detail: thrown.reason }
    }
}

impl From<StepFailed> for StepError {
    fn from(failed: StepFailed) -> Self {
        match failed {
            StepFailed::Cancelled => Self::Cancelled,
            StepFailed::Failed { detail } => Self::Failed(detail),
        }
    }
}

/// Whoever holds it is waited for by nobody: a person may think for minutes.
pub(crate) fn exclusively<T>(mutex: &Mutex<T>) -> Result<MutexGuard<'_, T>, WalletError> {
    match mutex.try_lock() {
        Ok(guard) => Ok(guard),
        Err(TryLockError::Poisoned(poisoned)) => Ok(PoisonError::into_inner(poisoned)),
        Err(TryLockError::WouldBlock) => Err(WalletError::Busy),
    }
}

/// Waits for a run. The interfaces of the app block, so it is ready when it is asked first.
pub(crate) fn finish<F: Future>(run: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(current())));
    let mut run = pin!(run);
    loop {
        match run.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => park(),
        }
    }
}
