//! One login, driven: from the address a service sent the person to, to the address she goes back to.

use super::{App, Choice, Clock, Decision, Keystore, Person, RunError, TRIES, Transport};
use crate::flow::{Consent, DeviceRecord, FlowError, HttpRequest, Login, Told, Want};

/// One login at one insurer.
#[derive(Debug)]
pub struct Approval {
    login: Login,
    want: Want,
    /// What she was asked last: the machine waits there after a refusal.
    question: Option<Want>,
    device_offered: DeviceOffered,
    over: bool,
}

/// Whether what is bound here may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeviceOffered {
    Yes,
    No,
}

/// How a login ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// She goes back to this address, whether she approved or declined.
    GoBack {
        /// The service's, or the browser page's.
        address: String,
    },
    /// Nothing is opened here. Where it was begun on another device, that one goes on, or says why not.
    Done,
}

impl Approval {
    /// A login at the insurer with this issuer, from the address a service sent the person to.
    ///
    /// # Errors
    /// [`FlowError::Address`].
    pub fn open(issuer: &str, authorization_url: &str) -> Result<Self, FlowError> {
        Ok(Self::of(Login::open(issuer, authorization_url)?))
    }

    /// Goes on with a login that the provider's page already holds, on this device or another.
    #[must_use]
    pub fn resume(issuer: &str, client_id: &str, login: &str) -> Self {
        Self::of(Login::resume(issuer, client_id, login))
    }

    /// A login to the person's own account.
    pub(crate) fn account(issuer: &str) -> Self {
        Self::of(Login::account(issuer))
    }

    /// A login to the person's own account that only her card can answer.
    pub(super) fn by_card(issuer: &str) -> Self {
        Self {
            device_offered: DeviceOffered::No,
            ..Self::account(issuer)
        }
    }

    fn of((login, want): (Login, Want)) -> Self {
        Self {
            login,
            want,
            question: None,
            device_offered: DeviceOffered::Yes,
            over: false,
        }
    }

    /// The machine.
    pub(crate) const fn login(&self) -> &Login {
        &self.login
    }

    /// Whether it is over: nothing goes on but a new one.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Nothing goes on.
    pub(super) const fn end(&mut self) {
        self.over = true;
    }

    /// Runs to its end. After that it gives the same again.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn run(
        &mut self,
        app: &mut App<impl Transport, impl Keystore, impl Clock, impl Person>,
    ) -> Result<End, RunError> {
        self.advance(app, |_| false).await?;
        match &self.want {
            Want::GoBack { address } => Ok(End::GoBack {
                address: address.clone(),
            }),
            _ => Ok(End::Done),
        }
    }

    /// Runs until the person has to choose; `None` where she did already.
    #[cfg(feature = "headless")]
    pub(crate) async fn request(
        &mut self,
        app: &mut App<impl Transport, impl Keystore, impl Clock, impl Person>,
    ) -> Result<Option<&crate::flow::Request>, RunError> {
        let is_reached = |want: &Want| !matches!(want, Want::Send(_));
        self.advance(app, is_reached).await?;
        Ok(match &self.want {
            Want::Choose(request) => Some(request),
            _ => None,
        })
    }

    /// Runs until the provider knows who she is and she has to decide; `None` where the login ended before: she declined.
    pub(crate) async fn answer(
        &mut self,
        app: &mut App<impl Transport, impl Keystore, impl Clock, impl Person>,
    ) -> Result<Option<&Consent>, RunError> {
        self.advance(app, |want| matches!(want, Want::Decide(_))).await?;
        Ok(match &self.want {
            Want::Decide(consent) => Some(consent),
            _ => None,
        })
    }

    /// Does what is wanted until `is_reached`, or until nothing more follows.
    async fn advance(
        &mut self,
        app: &mut App<impl Transport, impl Keystore, impl Clock, impl Person>,
        is_reached: fn(&Want) -> bool,
    ) -> Result<(), RunError> {
        while !matches!(self.want, Want::GoBack { .. } | Want::Done) && !is_reached(&self.want) {
            if self.over {
                return Err(RunError::Over);
            }
            let told = match self.perform(app).await {
                Ok(told) => told,
                Err(error) => return Err(self.back_to_the_question(error, &app.clock)),
            };
            self.tell(told, &app.clock)?;
        }
        Ok(())
    }

    /// Does what is wanted. Nothing of the machine changes: a future that is dropped here is one that was not begun.
    async fn perform(
        &self,
        app: &mut App<impl Transport, impl Keystore, impl Clock, impl Person>,
    ) -> Result<Told, RunError> {
        match &self.want {
            Want::Send(request) => self.send(&app.transport, request).await,
            Want::Choose(request) => {
                let device = match self.device_offered {
                    DeviceOffered::Yes => self.device_of(app.keystore.load().await?),
                    DeviceOffered::No => None,
                };
                match app.person.choose(request, device.as_ref()).await? {
                    Choice::Card => Ok(Told::WithCard),
                    Choice::Device => device.map(Told::WithDevice).ok_or(RunError::NoDevice),
                    Choice::Decline => Ok(Told::Decline),
                    Choice::Abort(why) => Ok(Told::Abort { why }),
                }
            }
            Want::SignWithCard { challenge } => {
                let response = app.person.hold_card(challenge).await?;
                Ok(Told::CardAnswered { response })
            }
            Want::SignWithDevice { counter, message, .. } => {
                app.keystore.count(*counter).await?;
                let signature = app.keystore.sign(message).await?;
                Ok(Told::Signed { signature })
            }
            Want::Decide(consent) => Ok(match app.person.decide(consent).await? {
                Decision::Approve {
                    voluntary,
                    remember,
                    number,
                } => Told::Approve {
                    voluntary,
                    remember,
                    number,
                },
                Decision::Decline => Told::Decline,
                Decision::Abort(why) => Told::Abort { why },
            }),
            // No login that was not told of a passkey wants one, and bindings are other machines.
            Want::SignWithPasskey { .. }
            | Want::MakePasskey { .. }
            | Want::MakeKey { .. }
            | Want::SignWithNewKey { .. }
            | Want::GoBack { .. }
            | Want::Done
            | Want::Keep(_) => Err(RunError::Over),
        }
    }

    fn device_of(&self, kept: Option<DeviceRecord>) -> Option<DeviceRecord> {
        kept.filter(|record| record.issuer == self.login.issuer())
    }

    async fn send(&self, transport: &impl Transport, request: &HttpRequest) -> Result<Told, RunError> {
        let tries = if self.counts_at_once(request) { 1 } else { TRIES };
        send(transport, request, tries).await
    }

    /// Whether the provider takes this answer once only: in a login to her account it remembers a device's counter as soon as it sees it, and a second
    /// one with it would look like another phone's.
    fn counts_at_once(&self, request: &HttpRequest) -> bool {
        self.login.client_id() == self.login.issuer() && request.url.ends_with("/auth/device")
    }

    fn tell(&mut self, told: Told, clock: &impl Clock) -> Result<(), RunError> {
        match self.login.tell(told, clock.now()) {
            Ok(want) => {
                if matches!(want, Want::Choose(_) | Want::Decide(_)) {
                    self.question = Some(want.clone());
                }
                self.want = want;
                Ok(())
            }
            Err(error) => {
                self.over = error.ends() || self.login.is_over();
                // Before the first question the machine waits for the same answer again.
                if let Some(question) = &self.question {
                    self.want = question.clone();
                }
                Err(error.into())
            }
        }
    }

    /// After a step the app did not do: the machine is told, so that the next run begins with the question before it.
    fn back_to_the_question(&mut self, error: RunError, clock: &impl Clock) -> RunError {
        let told = match (&self.want, &error) {
            (Want::SignWithCard { .. } | Want::SignWithDevice { .. }, RunError::Step(_)) => Told::Decline,
            (Want::Send(request), RunError::Unreachable(_)) if self.counts_at_once(request) => Told::Answer {
                status: 503,
                body: String::new(),
            },
            _ => return error,
        };
        // What the machine says to that, the error says already.
        let _ = self.tell(told, clock);
        error
    }
}

/// Sends, and sends again where the answer was lost.
pub(super) async fn send(transport: &impl Transport, request: &HttpRequest, tries: usize) -> Result<Told, RunError> {
    let mut lost = String::new();
    for _ in 0..tries {
        match transport.send(request).await {
            Ok(answer) => {
                return Ok(Told::Answer {
                    status: answer.status,
                    body: answer.body,
                });
            }
            Err(error) => lost = error.0,
        }
    }
    Err(RunError::Unreachable(lost))
}
