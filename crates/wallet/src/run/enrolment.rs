//! Binding this device, driven: a login to her account by card, a fresh key, a record that is kept.

use super::approval::{Approval, send};
use super::{App, Clock, Keystore, Person, RunError, TRIES, Transport};
use crate::flow::{Binding, BindingWish, Bound, FlowError, Login, Told, Want};

/// What the person wants of the binding: [`BindingWish`], owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Her name for the phone.
    pub name: String,
    /// Device class, a name of the insurer's policy.
    pub class: String,
    /// Whether she consents, informed, to logins below the level high with it.
    pub consent_to_substantial: bool,
    /// The app's own mark of this phone, 32 bytes in base64url.
    pub hardware: Option<String>,
}

/// One enrolment of this device at one insurer.
#[derive(Debug)]
pub struct Enrolment {
    approval: Approval,
    wish: Wish,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The provider does not know who she is, or a binding was refused.
    Login,
    /// The binding wants this.
    Binding(Box<(Binding, Want)>),
    /// The record is kept.
    Kept(Bound),
}

impl Enrolment {
    /// An enrolment at the insurer with this issuer.
    #[must_use]
    pub fn begin(issuer: &str, wish: Wish) -> Self {
        Self::of(Approval::by_card(issuer), wish)
    }

    /// In a login to her account that is under way.
    pub(crate) const fn of(approval: Approval, wish: Wish) -> Self {
        Self {
            approval,
            wish,
            state: State::Login,
        }
    }

    /// The login it stands in: with [`set_pin`](super::set_pin) it sets a PIN without asking for the card once more.
    #[must_use]
    pub const fn login(&self) -> &Login {
        self.approval.login()
    }

    /// Whether it is over: nothing goes on but a new one.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.approval.is_over()
    }

    /// Runs until the record is kept; `None` where she declined. After that it gives the same again, and keeps nothing.
    ///
    /// # Errors
    /// [`RunError`]. After a refusal of the provider, running again makes another key.
    pub async fn run(
        &mut self,
        app: &mut App<impl Transport, impl Keystore, impl Clock, impl Person>,
    ) -> Result<Option<Bound>, RunError> {
        loop {
            match &mut self.state {
                State::Login => {
                    if self.approval.is_over() {
                        return Err(RunError::Over);
                    }
                    if self.approval.answer(app).await?.is_none() {
                        return Ok(None);
                    }
                    self.state = State::Binding(Box::new(Binding::begin(self.approval.login(), &self.wish.as_wish())?));
                }
                State::Binding(binding) => {
                    let (machine, want) = &mut **binding;
                    if let Want::Keep(bound) = want {
                        app.keystore.keep(&bound.record).await?;
                        self.state = State::Kept(bound.clone());
                        continue;
                    }
                    let told = perform(want, app).await?;
                    match machine.tell(told) {
                        Ok(next) => *want = next,
                        Err(error) => {
                            self.state = State::Login;
                            return Err(self.refused(error));
                        }
                    }
                }
                State::Kept(bound) => return Ok(Some(bound.clone())),
            }
        }
    }

    fn refused(&mut self, error: FlowError) -> RunError {
        if error.ends() {
            self.approval.end();
        }
        error.into()
    }
}

impl Wish {
    pub(super) fn as_wish(&self) -> BindingWish<'_> {
        BindingWish {
            name: &self.name,
            class: &self.class,
            consent_to_substantial: self.consent_to_substantial,
            hardware: self.hardware.as_deref(),
        }
    }
}

impl From<&BindingWish<'_>> for Wish {
    fn from(wish: &BindingWish<'_>) -> Self {
        Self {
            name: wish.name.to_owned(),
            class: wish.class.to_owned(),
            consent_to_substantial: wish.consent_to_substantial,
            hardware: wish.hardware.map(str::to_owned),
        }
    }
}

async fn perform<C, P>(want: &Want, app: &mut App<impl Transport, impl Keystore, C, P>) -> Result<Told, RunError> {
    match want {
        Want::MakeKey { challenge } => {
            let made = app.keystore.make_key(challenge).await?;
            Ok(Told::KeyMade {
                x: made.x,
                y: made.y,
                attestation: made.attestation,
            })
        }
        Want::SignWithNewKey { message } => {
            let signature = app.keystore.sign_with_new_key(message).await?;
            Ok(Told::Signed { signature })
        }
        Want::Send(request) => send(&app.transport, request, TRIES).await,
        // No binding of a device's key wants anything else.
        _ => Err(RunError::Over),
    }
}
