//! The wallet's protocol for apps in Kotlin, Swift and Python.
//!
//! A [`Wallet`] runs the protocol over four interfaces that the app implements: [`Transport`], [`Keystore`], [`Clock`], [`Person`]. Below it are the
//! state machines of [`wallet::flow`] themselves, with types that cross the border between languages: an app that wants its own loop makes a [`Login`],
//! does what each [`Want`] says, and tells what came of it. `docs/wallet-core.md` shows both.
//!
//! **Trusted for:** nothing of its own; it only hands on. **Does not:** keep, log or start threads; the machines neither block nor call back.

mod convert;
mod moving;
mod pin;
mod run;

use std::sync::{Arc, Mutex, PoisonError};

use jose::{UnixTime, base64url};
use wallet::flow;

pub use moving::{Asking, Compared, EndWhy, MoveEnd, MoveIn, MoveOut, NewPhone, Offer, OldPhone, Shown};
pub use pin::{PinSecret, PinTry, Unlocked};
pub use run::{
    Answer, Approval, Bound, Choice, Clock, Decision, End, Enrolment, Keystore, NewKey, Person, StepFailed, Transport,
    Unlock, WaitingRequest, Wallet,
};

uniffi::setup_scaffolding!();

/// What the machine wants of the app.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Want {
    /// Send this over TLS, follow no redirect, tell the answer. Where the network fails, send it again.
    Send {
        /// `GET` or `POST`.
        method: String,
        /// Whole address.
        url: String,
        /// JSON, for a POST.
        body: Option<String>,
    },
    /// Show who asks and for what; the person answers with card or device, or declines.
    Choose {
        /// What to show.
        request: Request,
    },
    /// Let the card sign: [`card_message`], [`card_response`].
    SignWithCard {
        /// The challenge.
        challenge: String,
    },
    /// Keep the counter, then let the device's key sign after it verified its user.
    SignWithDevice {
        /// Which device.
        device: String,
        /// Its counter from now on. To be kept before the key signs.
        counter: u64,
        /// ASCII to be signed with ES256.
        message: String,
    },
    /// Let a passkey of the insurer's site sign, whichever the person chooses.
    SignWithPasskey {
        /// 32 bytes in base64url: the challenge for the authenticator.
        challenge: String,
    },
    /// Let the system make a passkey for the insurer's site.
    MakePasskey {
        /// `PublicKeyCredentialCreationOptionsJSON`.
        options: String,
    },
    /// Make a P-256 key in the device.
    MakeKey {
        /// 32 bytes in base64url to be attested with the key.
        challenge: String,
    },
    /// Let the key just made sign.
    SignWithNewKey {
        /// ASCII to be signed with ES256.
        message: String,
    },
    /// Show what is required and what is voluntary; the person decides.
    Decide {
        /// What to show.
        consent: Consent,
    },
    /// The login is over: go back to this address.
    GoBack {
        /// The service's, or the browser page's.
        address: String,
    },
    /// The login is over here. Where it was begun on another device, that one goes on, or says why not.
    Done,
    /// The device is bound: keep its record, and show what it is good for.
    Keep {
        /// To be kept beside the key.
        record: DeviceRecord,
        /// Its class: what the attestation reached, which may be less than was wished for.
        class: String,
        /// Why it reached no stronger class, where it was attested.
        findings: Vec<Finding>,
    },
}

/// What a person is shown before she answers.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Request {
    /// The service's identifier.
    pub client_id: String,
    /// The service's name, as the provider signed it. Text, never markup.
    pub service: String,
    /// Where its logo is.
    pub logo_uri: Option<String>,
    /// Level asked for.
    pub acr: String,
    /// Claims it requires.
    pub essential: Vec<String>,
    /// Claims she may refuse one by one.
    pub voluntary: Vec<String>,
    /// Last second in which this challenge can be answered, since 1970; the login itself lives longer, and is asked about anew.
    pub expires_at: u64,
    /// Last second of the login itself, since 1970, where the provider says so. Warn her before, and offer more time.
    pub ends_at: Option<u64>,
    /// Whether [`Told::MoreTime`] gives her more.
    pub extendable: bool,
    /// The device it was begun on, where it is not this one: show it with a warning before anything else.
    pub other_device: Option<OtherDevice>,
}

/// Where a login was begun that is to be answered here.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct OtherDevice {
    /// Its browser, as people call it; empty where nobody knows.
    pub browser: String,
    /// Its system, as people call it; empty where nobody knows.
    pub system: String,
    /// Whether it is in the same network as this device, where the provider can tell.
    pub in_same_network: Option<bool>,
    /// When its page showed what was scanned, in seconds since 1970.
    pub asked_at: u64,
}

/// Why a person ends a login for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum AbortWhy {
    /// She did not begin it.
    NotMe,
    /// Somebody is on the phone with her.
    PhoneCall,
}

/// What a person decides about.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Consent {
    /// The service's name.
    pub service: String,
    /// Where its logo is.
    pub logo_uri: Option<String>,
    /// Released together or not at all.
    pub essential: Vec<String>,
    /// Each may be refused.
    pub voluntary: Vec<String>,
    /// Whether she answered the same question before and asked to remember it.
    pub remembered: bool,
    /// The device the login was begun on, where it is not this one: the decision then needs the number its page shows.
    pub other_device: Option<OtherDevice>,
    /// Last second in which she can decide, since 1970, where the provider says so.
    pub ends_at: Option<u64>,
    /// Whether [`Told::MoreTime`] gives her more.
    pub extendable: bool,
}

/// A check of the phone that failed.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Finding {
    /// Which, by its code.
    pub check: String,
    /// What came of it: `failed`.
    pub outcome: String,
    /// The device class it was asked for; none where the attestation itself failed.
    pub class: Option<String>,
}

/// What the phone's maker says about a key.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Attestation {
    /// Android Key Attestation.
    AndroidKey {
        /// The key's certificate chain as the key store gives it, leaf first, DER.
        chain: Vec<Vec<u8>>,
    },
    /// Apple App Attest.
    AppleAppAttest {
        /// The attestation object. Its client data hash is the SHA-256 of the challenge and the new key's uncompressed point (97 bytes).
        object: Vec<u8>,
    },
}

/// What an app keeps of a bound device, beside its key.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DeviceRecord {
    /// Where it is bound.
    pub issuer: String,
    /// The provider's name for it.
    pub device: String,
    /// The person's name for it.
    pub name: String,
    /// Last second in which it logs in without the card, since 1970.
    pub valid_until: u64,
    /// Answers given so far.
    pub counter: u64,
}

/// What the app did.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Told {
    /// The provider answered.
    Answer {
        /// HTTP status.
        status: u16,
        /// Body.
        body: String,
    },
    /// She answers with her health card.
    WithCard,
    /// She answers with a bound device.
    WithDevice {
        /// Which.
        record: DeviceRecord,
    },
    /// She answers with a passkey. Which, its authenticator knows.
    WithPasskey,
    /// The card signed.
    CardAnswered {
        /// From [`card_response`].
        response: String,
    },
    /// A passkey signed; each member in base64url.
    PasskeyAnswered {
        /// `rawId`.
        credential_id: String,
        /// `response.clientDataJSON`.
        client_data: String,
        /// `response.authenticatorData`.
        authenticator_data: String,
        /// `response.signature`.
        signature: String,
        /// `response.userHandle`.
        user_handle: String,
    },
    /// A passkey was made; each member in base64url.
    PasskeyMade {
        /// `rawId`.
        credential_id: String,
        /// `response.clientDataJSON`.
        client_data: String,
        /// `response.attestationObject`.
        attestation_object: String,
    },
    /// A device key signed.
    Signed {
        /// r ‖ s, 64 bytes in base64url.
        signature: String,
    },
    /// A key was made.
    KeyMade {
        /// Public coordinate, 32 bytes in base64url.
        x: String,
        /// Public coordinate, 32 bytes in base64url.
        y: String,
        /// What the phone's maker says about the key, where the class needs it.
        attestation: Option<Attestation>,
    },
    /// She releases what is required and these voluntary claims.
    Approve {
        /// By name.
        voluntary: Vec<String>,
        /// Whether the same question need not be asked again.
        remember: bool,
        /// The two digits she reads on the other device; only where the login was begun there.
        number: Option<String>,
    },
    /// She needs more time: asks for a later end of the login, while she looks at the request or decides.
    MoreTime,
    /// She releases nothing.
    Decline,
    /// It is not her login, or somebody tells her on the phone what to do: ends it on both devices.
    Abort {
        /// Which of the two.
        why: AbortWhy,
    },
}

/// Why a flow does not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum WalletError {
    /// The same step may be tried again: another card, another decision, later.
    #[error("{detail}")]
    Again {
        /// The provider's word for it, where it refused: `docs/wallet-core.md` lists them.
        reason: Option<String>,
        /// What the person reads out to support, where the provider refused.
        support_code: Option<String>,
        /// A sentence for a log, never for a screen. Holds no personal data.
        detail: String,
        /// HTTP status, where the provider refused.
        status: Option<u16>,
    },
    /// The flow is over.
    #[error("{detail}")]
    Over {
        /// The provider's word for it, where it refused: `docs/wallet-core.md` lists them.
        reason: Option<String>,
        /// What the person reads out to support, where the provider refused.
        support_code: Option<String>,
        /// A sentence for a log, never for a screen. Holds no personal data.
        detail: String,
        /// HTTP status, where the provider refused.
        status: Option<u16>,
    },
    /// A [`Wallet`]'s run: the provider could not be reached. Run again: it sends the same.
    #[error("{detail}")]
    Unreachable {
        /// For a log.
        detail: String,
    },
    /// A [`Wallet`]'s run: she did not do her step. Run again: she is asked again.
    #[error("cancelled")]
    Cancelled,
    /// A [`Wallet`]'s run: an interface of the app failed. Run again: it is asked again.
    #[error("{detail}")]
    Failed {
        /// The app's own words.
        detail: String,
    },
    /// A [`Wallet`]'s run: this device is to answer or to ask, and none is bound here. Run again: she is asked again.
    #[error("no device is bound here")]
    NoDevice,
    /// [`Wallet::requests`]: no ticket that still asks is kept, and she was not to be asked for the key. Ask again when she may be.
    #[error("only the device's key can ask what waits")]
    Locked,
    /// Another run of this [`Wallet`] is under way: end that one first.
    #[error("another run is under way")]
    Busy,
}

/// A machine with what it wants.
#[derive(Debug)]
struct Step<M> {
    machine: M,
    want: Want,
}

/// One login at one insurer.
#[derive(Debug, uniffi::Object)]
pub struct Login(Mutex<Step<flow::Login>>);

#[uniffi::export]
impl Login {
    /// A login from the address a service sent the person to.
    ///
    /// # Errors
    /// [`WalletError::Over`] for an address that is not a login's.
    #[uniffi::constructor]
    pub fn open(issuer: &str, authorization_url: &str) -> Result<Arc<Self>, WalletError> {
        let begun = flow::Login::open(issuer, authorization_url)?;
        Ok(Self::of(begun))
    }

    /// Goes on with a login that the provider's page already holds.
    #[uniffi::constructor]
    #[must_use]
    pub fn resume(issuer: &str, client_id: &str, login: &str) -> Arc<Self> {
        Self::of(flow::Login::resume(issuer, client_id, login))
    }

    /// A login to the person's own account: what binding a device begins with.
    #[uniffi::constructor]
    #[must_use]
    pub fn account(issuer: &str) -> Arc<Self> {
        Self::of(flow::Login::account(issuer))
    }

    /// What it wants now.
    #[must_use]
    pub fn want(&self) -> Want {
        self.step().want.clone()
    }

    /// Tells what came of it, and gets the next. `now`: seconds since 1970.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn tell(&self, told: Told, now: u64) -> Result<Want, WalletError> {
        let mut step = self.step();
        step.want = step.machine.tell(told.into(), UnixTime(now))?.into();
        Ok(step.want.clone())
    }
}

impl Login {
    fn of((machine, want): (flow::Login, flow::Want)) -> Arc<Self> {
        let want = want.into();
        Arc::new(Self(Mutex::new(Step { machine, want })))
    }

    pub(crate) fn step(&self) -> std::sync::MutexGuard<'_, Step<flow::Login>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One binding of a device's key.
#[derive(Debug, uniffi::Object)]
pub struct Binding(Mutex<Step<flow::Binding>>);

#[uniffi::export]
impl Binding {
    /// In a login that the person's card answered. `class`: a name of the insurer's policy. `consent_to_substantial`: whether she consents,
    /// informed, to logins below the level high with this device. `hardware`: the app's own mark of this phone, 32 bytes, kept where it
    /// survives a new installation; a device bound with it before is replaced.
    ///
    /// # Errors
    /// [`WalletError::Again`] before the provider knows who she is.
    #[uniffi::constructor]
    pub fn begin(
        login: &Login,
        name: &str,
        class: &str,
        consent_to_substantial: bool,
        hardware: Option<Vec<u8>>,
    ) -> Result<Arc<Self>, WalletError> {
        let hardware = hardware.map(|mark| base64url::encode(&mark));
        let wish = flow::BindingWish {
            name,
            class,
            consent_to_substantial,
            hardware: hardware.as_deref(),
        };
        let (machine, want) = flow::Binding::begin(&login.step().machine, &wish)?;
        let want = want.into();
        Ok(Arc::new(Self(Mutex::new(Step { machine, want }))))
    }

    /// What it wants now.
    #[must_use]
    pub fn want(&self) -> Want {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).want.clone()
    }

    /// Tells what came of it, and gets the next.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn tell(&self, told: Told) -> Result<Want, WalletError> {
        let mut step = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        step.want = step.machine.tell(told.into())?.into();
        Ok(step.want.clone())
    }
}

/// One binding of a passkey.
#[derive(Debug, uniffi::Object)]
pub struct PasskeyBinding(Mutex<Step<flow::PasskeyBinding>>);

#[uniffi::export]
impl PasskeyBinding {
    /// In a login that the person's card answered. `consent_to_substantial`: as in [`Binding::begin`].
    ///
    /// # Errors
    /// [`WalletError::Again`] before the provider knows who she is.
    #[uniffi::constructor]
    pub fn begin(login: &Login, name: &str, consent_to_substantial: bool) -> Result<Arc<Self>, WalletError> {
        let (machine, want) = flow::PasskeyBinding::begin(&login.step().machine, name, consent_to_substantial)?;
        let want = want.into();
        Ok(Arc::new(Self(Mutex::new(Step { machine, want }))))
    }

    /// What it wants now.
    #[must_use]
    pub fn want(&self) -> Want {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).want.clone()
    }

    /// Tells what came of it, and gets the next.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn tell(&self, told: Told) -> Result<Want, WalletError> {
        let mut step = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        step.want = step.machine.tell(told.into())?.into();
        Ok(step.want.clone())
    }
}

/// ASCII whose SHA-256 the health card signs with `PrK.CH.AUT.E256`. `certificate`: `C.CH.AUT.E256` in DER, read from the card.
#[uniffi::export]
#[must_use]
pub fn card_message(challenge: &str, certificate: Vec<u8>) -> String {
    flow::card_message(challenge, &certificate)
}

/// The response of [`Told::CardAnswered`]. `signature`: r ‖ s, 64 bytes in base64url.
///
/// # Errors
/// [`WalletError::Again`] where it is no signature.
#[uniffi::export]
pub fn card_response(message: &str, signature: &str) -> Result<String, WalletError> {
    Ok(flow::card_response(message, signature)?)
}
