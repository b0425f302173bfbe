//! The wallet's protocol as state machines: no sockets, no clock, no keys, no screen. The one core of every app.
//!
//! A machine says what it wants next ([`Want`]); the app does it and tells what came of it ([`Told`]):
//!
//! ```text
//! let (mut login, mut want) = Login::open(issuer, address)?;
//! loop { let told = app.do(want); want = login.tell(told, now)?; }          until Want::Finished
//! ```
//!
//! | Machine | From | To |
//! |---|---|---|
//! | [`Login`] | the address a service sent the person to, or her account | the address she goes back to |
//! | [`Binding`] | a login that card and PIN answered | a device record |
//! | [`PasskeyBinding`] | the same | a device record |
//! | [`MoveOut`], [`MoveIn`] | an account login the old phone answered | a device record on the new one |
//!
//! Beside them [`Look`] asks what waits for a device, [`Waking`] says where it is woken, and [`PinTry`] tries an app's PIN: one question and one answer each.
//!
//! **Trusted for:** nothing is signed but a challenge that this insurer's key signed for the service the address named, and nothing is
//! released that the person did not decide. **Does not:** keep anything; a device's counter is raised in what the app is told to keep
//! *before* the key signs, so that a crash costs a number and never reuses one.
//!
//! Every step that failed leaves its machine where it can be tried again, if it can be at all: [`FlowError::ends`] tells.

mod binding;
mod card;
mod error;
mod inbox;
mod login;
mod moving;
mod passkey_binding;
mod pin;
#[cfg(test)]
mod reasons;
mod signing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
mod waking;
mod wire;

use serde::{Deserialize, Serialize};

pub use binding::{Attestation, Binding, BindingWish, Bound, DeviceRecord, Finding};
pub use card::{card_message, card_response};
pub use error::FlowError;
pub use inbox::{Found, Look, WaitingRequest};
pub use login::{Login, LoginAddress, MAX_ADDRESS_CHARACTERS};
pub use moving::{Asking, DrawnCode, EndWhy, MoveIn, MoveOut, MoveTold, MoveWant, OfferShown};
pub use passkey_binding::{MadePasskey, PasskeyAnswer, PasskeyBinding};
pub use pin::{PinSecret, PinTry};
pub use waking::Waking;
pub use wire::{ClaimNames, Consent, NetworkOf, OtherDevice, Requested, Service};

/// What a machine wants of the app around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "want", rename_all = "kebab-case")]
pub enum Want {
    /// Send this to the provider over TLS, follow no redirect, and tell the [`Told::Answer`]. Where the network fails there is nothing to
    /// tell: send it again, it means the same a second time.
    Send(HttpRequest),
    /// Show who asks and for what; the person answers with card or device, or declines.
    Choose(Request),
    /// Let the card sign, after the person typed its PIN to it; tell [`Told::CardAnswered`].
    SignWithCard {
        /// The challenge, for [`card_message`].
        challenge: String,
    },
    /// Keep the counter, then let the device's key sign after it verified its user (PIN or biometry); tell [`Told::Signed`].
    SignWithDevice {
        /// Which device.
        device: String,
        /// Its counter from now on. To be kept before the key signs.
        counter: u64,
        /// ASCII to be signed with ES256.
        message: String,
    },
    /// Let a passkey of this site sign, whichever the person chooses; tell [`Told::PasskeyAnswered`].
    SignWithPasskey {
        /// 32 bytes in base64url: the challenge for the authenticator.
        challenge: String,
    },
    /// Let the browser make a passkey; tell [`Told::PasskeyMade`].
    MakePasskey {
        /// `PublicKeyCredentialCreationOptionsJSON`.
        options: serde_json::Value,
    },
    /// Make a P-256 key in the device, of a hardware class where it has one, and tell [`Told::KeyMade`].
    MakeKey {
        /// 32 bytes in base64url to be attested with the key.
        challenge: String,
    },
    /// Let the key just made sign; tell [`Told::Signed`].
    SignWithNewKey {
        /// ASCII to be signed with ES256.
        message: String,
    },
    /// Show what is required and what is voluntary, a switch each; the person decides.
    Decide(Consent),
    /// The login is over: go back to this address.
    GoBack {
        /// The service's, or the browser page's.
        address: String,
    },
    /// The login is over here. Where it was begun on another device, that one goes on, or says why not.
    Done,
    /// The device is bound: keep its record, and show what it is good for.
    Keep(Bound),
}

/// A request to the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// HTTP method.
    pub method: Method,
    /// Whole address.
    pub url: String,
    /// JSON, for a POST.
    pub body: Option<serde_json::Value>,
}

/// HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
}

/// What a person is shown before she answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The service's identifier.
    pub client_id: String,
    /// Who asks. The name is the one the provider signed.
    pub service: Service,
    /// What for.
    pub requested: Requested,
    /// Last second in which this challenge can be answered; the login itself lives longer, and is asked about anew.
    pub expires_at: u64,
    /// Last second of the login itself; `None` where the provider does not say. She is to be warned before, and offered more time.
    #[serde(default)]
    pub ends_at: Option<u64>,
    /// Whether [`Told::MoreTime`] gives her more.
    #[serde(default)]
    pub extendable: bool,
    /// The device it was begun on, where it is not this one: show it with a warning before anything else.
    #[serde(default)]
    pub other_device: Option<OtherDevice>,
}

/// What the app did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "kebab-case")]
pub enum Told {
    /// The provider answered.
    Answer {
        /// HTTP status.
        status: u16,
        /// Body, as text: the provider speaks JSON.
        body: String,
    },
    /// She answers with her health card.
    WithCard,
    /// She answers with a bound device.
    WithDevice(DeviceRecord),
    /// She answers with a passkey. Which, its authenticator knows.
    WithPasskey,
    /// The card signed.
    CardAnswered {
        /// From [`card_response`].
        response: String,
    },
    /// A passkey signed.
    PasskeyAnswered(PasskeyAnswer),
    /// A passkey was made.
    PasskeyMade(MadePasskey),
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attestation: Option<Attestation>,
    },
    /// She releases what is required and these voluntary claims.
    Approve {
        /// By name.
        voluntary: Vec<String>,
        /// Whether the same question need not be asked again.
        remember: bool,
        /// The two digits she reads on the other device; only where the login was begun there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
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

/// Why a person ends a login for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbortWhy {
    /// She did not begin it.
    NotMe,
    /// Somebody is on the phone with her. Nothing is approved for another device for a while.
    PhoneCall,
}
