//! A move to a new phone with the old one, driven: [`MoveOut`] on the old phone, [`MoveIn`] on the new one.
//!
//! The app warns before either begins: only for a phone in her hand; nobody from the insurer will ever ask her for this.

use super::approval::{Approval, send};
use super::{App, Clock, Keystore, Person, RunError, StepError, TRIES, Transport, Wish};
use crate::flow::{
    self, Asking, Bound, DeviceRecord, EndWhy, FlowError, HttpRequest, MoveTold, MoveWant, OfferShown, Told,
};

/// What the old phone shows.
pub trait OldPhone: Send {
    /// Shows the code, with the warning, and gives back after two or three seconds; at once where she ends it. Called with the same offer until a phone
    /// asks.
    ///
    /// # Errors
    /// [`StepError`]; the next run shows it again.
    fn show_offer(&mut self, offer: &OfferShown) -> impl Future<Output = Result<Shown, StepError>> + Send;

    /// Shows which phone asks, and lets her type the two digits she reads on it, until `expires_at`: seconds since 1970.
    ///
    /// # Errors
    /// [`StepError`]; the next run asks again.
    fn compare(&mut self, asking: &Asking, expires_at: u64)
    -> impl Future<Output = Result<Compared, StepError>> + Send;
}

/// What the new phone shows.
pub trait NewPhone: Send {
    /// Shows the two digits, and gives back after two or three seconds. Called again until the old phone has decided, by `expires_at` (seconds since
    /// 1970) at the latest.
    ///
    /// # Errors
    /// [`StepError`]; the next run shows them again.
    fn show_number(&mut self, number: &str, expires_at: u64) -> impl Future<Output = Result<(), StepError>> + Send;
}

/// What became of a code that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// It still is: look whether a phone asks.
    Still,
    /// She ends it.
    End(EndWhy),
}

/// What she says of a phone that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// The two digits she read on it. A wrong number ends the move on both phones.
    Number(String),
    /// She ends it.
    End(EndWhy),
}

/// How a move ended on the old phone.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// The old phone's half, from a login to her account to the word that the new one is bound.
#[derive(Debug)]
pub struct MoveOut {
    approval: Approval,
    state: Out,
    over: bool,
}

#[derive(Debug)]
enum Out {
    /// The provider has not seen this phone's key just now.
    Login,
    /// The machine wants this.
    Moving(Box<(flow::MoveOut, MoveWant)>),
    End(MoveEnd),
}

impl MoveOut {
    /// At the insurer with this issuer. She is asked as for every login to her account, and has to answer with this device.
    #[must_use]
    pub fn begin(issuer: &str) -> Self {
        Self {
            approval: Approval::account(issuer),
            state: Out::Login,
            over: false,
        }
    }

    /// Whether it is over: nothing goes on but a new one.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over || self.approval.is_over()
    }

    /// Runs to its end. After that it gives the same again.
    ///
    /// # Errors
    /// [`RunError`]. Running again looks first how the move stands: what was bound meanwhile is told, and a refused approval is asked about anew.
    pub async fn run(
        &mut self,
        app: &mut App<impl Transport, impl Keystore, impl Clock, impl Person>,
        screen: &mut impl OldPhone,
    ) -> Result<MoveEnd, RunError> {
        if let Out::Moving(moving) = &mut self.state {
            let (machine, want) = &mut **moving;
            // Refused where it has just sent something: then that is sent again.
            if let Ok(look) = machine.tell(MoveTold::Look, app.clock.now()) {
                *want = look;
            }
        }
        loop {
            if self.is_over() && !matches!(self.state, Out::End(_)) {
                return Err(RunError::Over);
            }
            match &mut self.state {
                Out::End(end) => return Ok(end.clone()),
                Out::Login => self.log_in(app).await?,
                Out::Moving(moving) => match &moving.1 {
                    MoveWant::Moved { device, name } => {
                        let (device, name) = (device.clone(), name.clone());
                        self.state = Out::End(MoveEnd::Moved { device, name });
                    }
                    MoveWant::Ended => self.state = Out::End(MoveEnd::Ended),
                    _ => {
                        if let Err(error) = advance_out(moving, app, screen).await {
                            self.over = error.ends() || is_refused_offer(&moving.1, &error);
                            return Err(error);
                        }
                    }
                },
            }
        }
    }

    async fn log_in(
        &mut self,
        app: &mut App<impl Transport, impl Keystore, impl Clock, impl Person>,
    ) -> Result<(), RunError> {
        if self.approval.answer(app).await?.is_none() {
            self.state = Out::End(MoveEnd::Ended);
            return Ok(());
        }
        let record = kept(app).await?;
        let sealed = self.approval.login().sealed().ok_or(RunError::Over)?;
        self.state = Out::Moving(Box::new(flow::MoveOut::begin(sealed, &record, false)));
        Ok(())
    }
}

async fn advance_out<P>(
    moving: &mut (flow::MoveOut, MoveWant),
    app: &mut App<impl Transport, impl Keystore, impl Clock, P>,
    screen: &mut impl OldPhone,
) -> Result<(), RunError> {
    let (machine, want) = moving;
    let told = match perform_out(want, app, screen).await {
        Err(RunError::Step(error)) if matches!(want, MoveWant::SignWithDevice { .. }) => {
            // The machine goes back to the comparison; what it says to that, the error says already.
            if let Ok(compare) = machine.tell(MoveTold::Decline, app.clock.now()) {
                *want = compare;
            }
            return Err(error.into());
        }
        told => told?,
    };
    *want = machine.tell(told, app.clock.now())?;
    Ok(())
}

async fn perform_out<P>(
    want: &MoveWant,
    app: &mut App<impl Transport, impl Keystore, impl Clock, P>,
    screen: &mut impl OldPhone,
) -> Result<MoveTold, RunError> {
    match want {
        MoveWant::Send(request) => answer(&app.transport, request).await,
        MoveWant::ShowOffer(offer) => Ok(match screen.show_offer(offer).await? {
            Shown::Still => MoveTold::Look,
            Shown::End(why) => MoveTold::End { why },
        }),
        MoveWant::Compare { asking, expires_at } => match screen.compare(asking, *expires_at).await? {
            Compared::Number(number) => {
                let counter = kept(app).await?.counter;
                Ok(MoveTold::Number { number, counter })
            }
            Compared::End(why) => Ok(MoveTold::End { why }),
        },
        MoveWant::SignWithDevice { counter, message, .. } => {
            app.keystore.count(*counter).await?;
            let signature = app.keystore.sign(message).await?;
            Ok(MoveTold::Signed { signature })
        }
        // The new phone's, and a passkey's.
        _ => Err(RunError::Over),
    }
}

async fn kept<T, C, P>(app: &mut App<T, impl Keystore, C, P>) -> Result<DeviceRecord, RunError> {
    app.keystore.load().await?.ok_or(RunError::NoDevice)
}

/// Whether this login is offered nothing, whatever is tried: another one is needed.
fn is_refused_offer(want: &MoveWant, error: &RunError) -> bool {
    is_sent_to(want, "devices/move") && matches!(error, RunError::Flow(FlowError::Refused { status: 403, .. }))
}

fn is_sent_to(want: &MoveWant, path: &str) -> bool {
    matches!(want, MoveWant::Send(request) if request.url.ends_with(path))
}

async fn answer(transport: &impl Transport, request: &HttpRequest) -> Result<MoveTold, RunError> {
    match send(transport, request, TRIES).await? {
        Told::Answer { status, body } => Ok(MoveTold::Answer { status, body }),
        // A transport tells nothing else.
        _ => Err(RunError::Over),
    }
}

/// The new phone's half, from an offer to a record that is kept.
#[derive(Debug)]
pub struct MoveIn {
    issuer: String,
    offer: String,
    wish: Wish,
    state: In,
    over: bool,
}

#[derive(Debug)]
enum In {
    /// No key was brought for the offer, or it was refused.
    Fresh,
    /// The machine wants this.
    Moving(Box<(flow::MoveIn, MoveWant)>),
    /// The record is kept.
    Kept(Bound),
}

impl MoveIn {
    /// At the insurer with this issuer, with the offer: member `move` of the link that the old phone shows.
    #[must_use]
    pub fn begin(issuer: &str, offer: &str, wish: Wish) -> Self {
        Self {
            issuer: issuer.to_owned(),
            offer: offer.to_owned(),
            wish,
            state: In::Fresh,
            over: false,
        }
    }

    /// Whether it is over: nothing goes on but a new one, with a new offer.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Runs until the record is kept. After that it gives the same again, and keeps nothing.
    ///
    /// # Errors
    /// [`RunError`]. After a refusal of what this phone brought, running again makes another key for the same offer.
    pub async fn run<P>(
        &mut self,
        app: &mut App<impl Transport, impl Keystore, impl Clock, P>,
        screen: &mut impl NewPhone,
    ) -> Result<Bound, RunError> {
        if let In::Moving(moving) = &mut self.state {
            let (machine, want) = &mut **moving;
            if let Ok(look) = machine.tell(MoveTold::Look) {
                *want = look;
            }
        }
        loop {
            match &mut self.state {
                In::Kept(bound) => return Ok(bound.clone()),
                In::Fresh | In::Moving(_) if self.over => return Err(RunError::Over),
                In::Fresh => {
                    let begun = flow::MoveIn::begin(&self.issuer, &self.offer, &self.wish.as_wish());
                    self.state = In::Moving(Box::new(begun));
                }
                In::Moving(moving) => {
                    let (machine, want) = &mut **moving;
                    if let MoveWant::Keep(bound) = want {
                        app.keystore.keep(&bound.record).await?;
                        self.state = In::Kept(bound.clone());
                        continue;
                    }
                    let told = perform_in(want, app, screen).await?;
                    match machine.tell(told) {
                        Ok(next) => *want = next,
                        Err(error) => {
                            self.over = error.ends();
                            if brought_the_wrong_thing(want, &error) {
                                self.state = In::Fresh;
                            }
                            return Err(error.into());
                        }
                    }
                }
            }
        }
    }
}

/// Whether another key or a consent may do. Where the provider is in trouble or in a hurry, the same key may have taken the offer already.
fn brought_the_wrong_thing(want: &MoveWant, error: &FlowError) -> bool {
    let is_judged = match error {
        FlowError::Refused { status, .. } => *status < 500 && *status != 429,
        FlowError::DeviceKey => true,
        _ => false,
    };
    is_judged && !is_sent_to(want, "devices/move/state")
}

async fn perform_in<C, P>(
    want: &MoveWant,
    app: &mut App<impl Transport, impl Keystore, C, P>,
    screen: &mut impl NewPhone,
) -> Result<MoveTold, RunError> {
    match want {
        MoveWant::MakeKey { challenge } => {
            let made = app.keystore.make_key(challenge).await?;
            Ok(MoveTold::KeyMade {
                x: made.x,
                y: made.y,
                attestation: made.attestation,
            })
        }
        MoveWant::SignWithNewKey { message } => {
            let signature = app.keystore.sign_with_new_key(message).await?;
            Ok(MoveTold::Signed { signature })
        }
        MoveWant::Send(request) => answer(&app.transport, request).await,
        MoveWant::ShowNumber { number, expires_at } => {
            screen.show_number(number, *expires_at).await?;
            Ok(MoveTold::Look)
        }
        // The old phone's.
        _ => Err(RunError::Over),
    }
}
