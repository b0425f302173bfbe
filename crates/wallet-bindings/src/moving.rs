//! Moving to a new phone with the old one: [`wallet::run::MoveOut`] and [`wallet::run::MoveIn`], called back in the app's language.

use std::sync::{Arc, Mutex};

use wallet::flow;
use wallet::run::{self, StepError};

use crate::WalletError;
use crate::run::{Bound, StepFailed, TheApp, exclusively, finish};

/// What the old phone shows. Warn her before: only for a phone in her hand; nobody from the insurer will ever ask her for this.
#[uniffi::export(foreign)]
pub trait OldPhone: Send + Sync {
    /// Shows the code, with the warning, and gives back after two or three seconds; at once where she ends it. Called with the same offer until a phone
    /// asks.
    fn show_offer(&self, offer: Offer) -> Result<Shown, StepFailed>;

    /// Shows which phone asks, and lets her type the two digits she reads on it, until `expires_at`: seconds since 1970.
    fn compare(&self, asking: Asking, expires_at: u64) -> Result<Compared, StepFailed>;
}

/// What the new phone shows.
#[uniffi::export(foreign)]
pub trait NewPhone: Send + Sync {
    /// Shows the two digits, and gives back after two or three seconds. Called again until the old phone has decided, by `expires_at` (seconds since
    /// 1970) at the latest.
    fn show_number(&self, number: String, expires_at: u64) -> Result<(), StepFailed>;
}

/// What the old phone offers.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Offer {
    /// For [`Wallet::move_in`](crate::Wallet::move_in) on the new phone.
    pub offer: String,
    /// Opens the insurer's wallet or app there, with members `issuer` and `move`; `move` is the offer.
    pub link: Option<String>,
    /// The link as a QR code: SVG path data, to be drawn black on white.
    pub code_path: Option<String>,
    /// Modules a side of the code, with the light ones around it.
    pub code_size: Option<u32>,
    /// Last second in which it can be accepted, since 1970.
    pub expires_at: u64,
}

/// A phone that asks to be bound.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Asking {
    /// What she calls it. Text, never markup.
    pub name: String,
    /// Its class.
    pub device_class: String,
    /// The level it will reach.
    pub level: String,
    /// Its browser; empty where nobody knows.
    pub browser: String,
    /// Its system; empty where nobody knows.
    pub system: String,
    /// Whether it is in the same network as this phone, where the provider can tell.
    pub in_same_network: Option<bool>,
    /// When it asked, in seconds since 1970.
    pub asked_at: u64,
}

/// Why a person ends a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum EndWhy {
    /// She does not want it.
    Declined,
    /// That is not her phone.
    NotMe,
    /// Somebody is on the phone with her. No other phone is offered anything for a while.
    PhoneCall,
}

/// What became of a code that is shown.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Shown {
    /// It still is: look whether a phone asks.
    Still,
    /// She ends it.
    End {
        /// Why.
        why: EndWhy,
    },
}

/// What she says of a phone that asks.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Compared {
    /// The two digits she read on it. A wrong number ends the move on both phones.
    Number {
        /// Two digits.
        number: String,
    },
    /// She ends it.
    End {
        /// Why.
        why: EndWhy,
    },
}

/// How a move ended on the old phone.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum MoveEnd {
    /// The new phone is bound. Ask whether this one is to be removed.
    Moved {
        /// The new device, as the account names it.
        device: String,
        /// What she calls it.
        name: String,
    },
    /// Nothing is bound: she declined, or ended it.
    Ended,
}

/// The old phone's half.
#[derive(uniffi::Object)]
pub struct MoveOut {
    run: Mutex<run::MoveOut>,
    screen: Mutex<OldScreen>,
    app: Arc<Mutex<TheApp>>,
}

#[uniffi::export]
impl MoveOut {
    /// Runs to its end; waits for network and person, so call it off the screen's thread. After any error but [`WalletError::Over`], running again looks
    /// how the move stands, and goes on.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn run(&self) -> Result<MoveEnd, WalletError> {
        let mut app = exclusively(&self.app)?;
        let (mut run, mut screen) = (exclusively(&self.run)?, exclusively(&self.screen)?);
        let ended = finish(run.run(&mut app, &mut *screen));
        match ended {
            Ok(run::MoveEnd::Moved { device, name }) => Ok(MoveEnd::Moved { device, name }),
            Ok(run::MoveEnd::Ended) => Ok(MoveEnd::Ended),
            Err(error) if run.is_over() => Err(WalletError::from(error).over()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The new phone's half.
#[derive(uniffi::Object)]
pub struct MoveIn {
    run: Mutex<run::MoveIn>,
    screen: Mutex<NewScreen>,
    app: Arc<Mutex<TheApp>>,
}

#[uniffi::export]
impl MoveIn {
    /// Runs until the record is kept. As [`MoveOut::run`]; after a refusal of what this phone brought, running again makes another key.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn run(&self) -> Result<Bound, WalletError> {
        let mut app = exclusively(&self.app)?;
        let (mut run, mut screen) = (exclusively(&self.run)?, exclusively(&self.screen)?);
        let bound = finish(run.run(&mut app, &mut *screen));
        match bound {
            Ok(bound) => Ok(bound.into()),
            Err(error) if run.is_over() => Err(WalletError::from(error).over()),
            Err(error) => Err(error.into()),
        }
    }
}

impl MoveOut {
    pub(crate) fn of(run: run::MoveOut, screen: Arc<dyn OldPhone>, app: Arc<Mutex<TheApp>>) -> Arc<Self> {
        Arc::new(Self {
            run: Mutex::new(run),
            screen: Mutex::new(OldScreen(screen)),
            app,
        })
    }
}

impl MoveIn {
    pub(crate) fn of(run: run::MoveIn, screen: Arc<dyn NewPhone>, app: Arc<Mutex<TheApp>>) -> Arc<Self> {
        Arc::new(Self {
            run: Mutex::new(run),
            screen: Mutex::new(NewScreen(screen)),
            app,
        })
    }
}

struct OldScreen(Arc<dyn OldPhone>);
struct NewScreen(Arc<dyn NewPhone>);

impl run::OldPhone for OldScreen {
    async fn show_offer(&mut self, offer: &flow::OfferShown) -> Result<run::Shown, StepError> {
        Ok(match self.0.show_offer(offer.clone().into())? {
            Shown::Still => run::Shown::Still,
            Shown::End { why } => run::Shown::End(why.into()),
        })
    }

    async fn compare(&mut self, asking: &flow::Asking, expires_at: u64) -> Result<run::Compared, StepError> {
        Ok(match self.0.compare(asking.clone().into(), expires_at)? {
            Compared::Number { number } => run::Compared::Number(number),
            Compared::End { why } => run::Compared::End(why.into()),
        })
    }
}

impl run::NewPhone for NewScreen {
    async fn show_number(&mut self, number: &str, expires_at: u64) -> Result<(), StepError> {
        Ok(self.0.show_number(number.to_owned(), expires_at)?)
    }
}

impl From<flow::OfferShown> for Offer {
    fn from(shown: flow::OfferShown) -> Self {
        let (code_path, code_size) = match shown.code {
            Some(code) => (Some(code.path), Some(code.size)),
            None => (None, None),
        };
        Self {
            offer: shown.offer,
            link: shown.link,
            code_path,
            code_size,
            expires_at: shown.expires_at,
        }
    }
}

impl From<flow::Asking> for Asking {
    fn from(asking: flow::Asking) -> Self {
        Self {
            name: asking.name,
            device_class: asking.class,
            level: asking.level,
            browser: asking.browser,
            system: asking.system,
            in_same_network: asking.network.map(|network| network == flow::NetworkOf::Same),
            asked_at: asking.asked_at,
        }
    }
}

impl From<EndWhy> for flow::EndWhy {
    fn from(why: EndWhy) -> Self {
        match why {
            EndWhy::Declined => Self::Declined,
            EndWhy::NotMe => Self::NotMe,
            EndWhy::PhoneCall => Self::PhoneCall,
        }
    }
}
