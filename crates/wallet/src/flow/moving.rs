//! Moving to a new phone with the old one (`docs/adr/0021-moving-with-the-old-phone.md`): [`MoveOut`] on the old phone, [`MoveIn`] on the new one.
//!
//! Before the first of them the app warns: only for a phone in her hand; nobody from the insurer will ever ask her for this.

mod into;
mod out;

use jose::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::login::{body, post, read};
use super::{Attestation, Bound, FlowError, HttpRequest, NetworkOf, PasskeyAnswer, Told, Want};

pub use into::MoveIn;
pub use out::MoveOut;

/// What a machine of a move wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "want", rename_all = "kebab-case")]
pub enum MoveWant {
    /// As [`Want::Send`].
    Send(HttpRequest),
    /// Old phone: show the code, and tell [`MoveTold::Look`] every few seconds.
    ShowOffer(OfferShown),
    /// Old phone: show what asks, and let her type the two digits she reads there; tell [`MoveTold::Number`] or [`MoveTold::End`].
    Compare {
        /// What asks.
        asking: Asking,
        /// Last second in which she can approve.
        expires_at: u64,
    },
    /// Old phone: as [`Want::SignWithDevice`].
    SignWithDevice {
        /// Which device.
        device: String,
        /// Its counter from now on. To be kept before the key signs.
        counter: u64,
        /// ASCII to be signed with ES256.
        message: String,
    },
    /// Old phone: as [`Want::SignWithPasskey`].
    SignWithPasskey {
        /// 32 bytes in base64url.
        challenge: String,
    },
    /// New phone: as [`Want::MakeKey`].
    MakeKey {
        /// 32 bytes in base64url to be attested with the key.
        challenge: String,
    },
    /// New phone: as [`Want::SignWithNewKey`].
    SignWithNewKey {
        /// ASCII to be signed with ES256.
        message: String,
    },
    /// New phone: show the two digits, and tell [`MoveTold::Look`] every few seconds.
    ShowNumber {
        /// The digits.
        number: String,
        /// Last second in which the old phone can approve.
        expires_at: u64,
    },
    /// New phone: it is bound. Keep the record beside the key.
    Keep(Bound),
    /// Old phone: the new one is bound. Ask whether the old one is to be removed.
    Moved {
        /// The new device, as the account names it.
        device: String,
        /// What she calls it.
        name: String,
    },
    /// Old phone: it was ended, nothing is bound.
    Ended,
}

/// What the old phone shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferShown {
    /// For the new phone; where there is no link, its app takes this.
    pub offer: String,
    /// Opens the wallet on the new phone.
    pub link: Option<String>,
    /// The link as a code to be drawn.
    pub code: Option<DrawnCode>,
    /// Last second in which it can be accepted.
    pub expires_at: u64,
}

/// A QR code: dark modules as one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrawnCode {
    /// Modules a side, with the light ones around it.
    pub size: u32,
    /// SVG path data. Draw it black on white.
    pub path: String,
}

/// A phone that asks to be bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// What she calls it. Untrusted text, never markup.
    pub name: String,
    /// Its class.
    pub class: String,
    /// The level it will reach.
    pub level: String,
    /// Its browser; empty where nobody knows.
    pub browser: String,
    /// Its system; empty where nobody knows.
    pub system: String,
    /// Whether it is in the same network as this phone; `None` where the provider cannot tell.
    #[serde(default)]
    pub network: Option<NetworkOf>,
    /// When it asked.
    pub asked_at: u64,
}

/// What the app did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "kebab-case")]
pub enum MoveTold {
    /// The provider answered.
    Answer {
        /// HTTP status.
        status: u16,
        /// Body, as text.
        body: String,
    },
    /// A few seconds have passed.
    Look,
    /// She typed the digits and says yes.
    Number {
        /// Two digits.
        number: String,
        /// The old phone's counter, as it is kept now; any for a passkey.
        counter: u64,
    },
    /// A key signed.
    Signed {
        /// r ‖ s, 64 bytes in base64url.
        signature: String,
    },
    /// A passkey signed.
    PasskeyAnswered(PasskeyAnswer),
    /// She did not unlock the key.
    Decline,
    /// A key was made.
    KeyMade {
        /// Public coordinate, 32 bytes in base64url.
        x: String,
        /// Public coordinate, 32 bytes in base64url.
        y: String,
        /// What the phone's maker says about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attestation: Option<Attestation>,
    },
    /// She ends it.
    End {
        /// Why.
        why: EndWhy,
    },
}

/// Why a person ends a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndWhy {
    /// She does not want it.
    Declined,
    /// That is not her phone.
    NotMe,
    /// Somebody is on the phone with her. No other phone is offered anything for a while.
    PhoneCall,
}

impl MoveTold {
    const fn name(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "answer",
            Self::Look => "look",
            Self::Number { .. } => "number",
            Self::Signed { .. } => "signed",
            Self::PasskeyAnswered(_) => "passkey-answered",
            Self::Decline => "decline",
            Self::KeyMade { .. } => "key-made",
            Self::End { .. } => "end",
        }
    }

    fn out_of_order(&self) -> FlowError {
        FlowError::OutOfOrder { told: self.name() }
    }

    fn body(self) -> Result<String, FlowError> {
        match self {
            Self::Answer { status, body: text } => body(Told::Answer { status, body: text }),
            other => Err(other.out_of_order()),
        }
    }

    fn read<T: serde::de::DeserializeOwned>(self, path: &'static str) -> Result<T, FlowError> {
        match self {
            Self::Answer { status, body } => read(Told::Answer { status, body }, path),
            other => Err(other.out_of_order()),
        }
    }
}

fn send(issuer: &str, path: &str, body: Value) -> MoveWant {
    match post(issuer, path, body) {
        Want::Send(request) => MoveWant::Send(request),
        // `post` makes nothing else.
        _ => MoveWant::Ended,
    }
}

#[derive(Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
enum StateAnswer {
    Open,
    Waiting,
    Asked {
        asking: Asking,
        challenge: String,
        expires_at: u64,
    },
    Bound {
        device: String,
        name: String,
        class: String,
        valid_until: UnixTime,
    },
}
