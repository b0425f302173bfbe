//! Where the two devices of one login meet: one sealed row, for minutes, so that any instance answers either (`docs/adr/0015-where-two-devices-meet.md`).
//!
//! Whoever decides first decides: the row is written under the condition that there is none. Whatever ends a login for both devices claims it in
//! the same commit, so that no code of it is redeemed afterwards.

use authenticator::Reason;
use jose::UnixTime;
use oidc::{
    authorization::AuthorizationError,
    consent::CODE_LIFETIME_SECONDS,
    login_state::{AuthorizationCode, LoginId},
};
use store::{Condition, Key};
use vault::{Carried, PersonCapability, PersonId, SealedChange, StateKind};

use crate::{
    core::{Committed, Core, StepProblem},
    history::{self, Entry},
    tenant::Tenant,
};

/// Seconds the asking browser has to come for what the phone decided. It asks every few seconds; without a script, every twenty.
const MEET_SECONDS: u64 = 120;
/// Seconds the row stays, so that the asking page can say how it ended.
const KEPT_SECONDS: u64 = 900;
/// Times a commit is tried again because the other device came first.
const ATTEMPTS: u32 = 3;

/// How the other device decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// She approved; a code waits.
    Approved,
    /// The code was fetched.
    Fetched,
    /// She declined.
    Declined,
    /// She typed another number.
    NumberWrong,
    /// She had not begun it.
    NotMe,
    /// Somebody was on the phone with her.
    PhoneCall,
}

impl Outcome {
    const ALL: [Self; 6] = [
        Self::Approved,
        Self::Fetched,
        Self::Declined,
        Self::NumberWrong,
        Self::NotMe,
        Self::PhoneCall,
    ];

    const fn byte(self) -> u8 {
        match self {
            Self::Approved => 1,
            Self::Fetched => 2,
            Self::Declined => 3,
            Self::NumberWrong => 4,
            Self::NotMe => 5,
            Self::PhoneCall => 6,
        }
    }
}

/// What is left there.
pub(crate) struct Left {
    pub(crate) outcome: Outcome,
    /// The sealed code of an approval.
    code: String,
    version: u64,
}

/// One login's place.
pub(crate) struct Place<'a> {
    core: &'a Core,
    tenant: &'a Tenant,
    login: LoginId,
    key: Key,
}

/// What both devices see.
pub(crate) enum Seen {
    /// Nobody has decided yet.
    Nothing,
    /// Somebody has.
    Left(Left),
    /// The login was completed or ended without the other device.
    Over,
}

impl<'a> Place<'a> {
    pub(crate) fn of(core: &'a Core, tenant: &'a Tenant, login: LoginId) -> Result<Self, StepProblem> {
        let key = core.vault.rendezvous_key(tenant.id(), &login.0)?;
        Ok(Self {
            core,
            tenant,
            login,
            key,
        })
    }

    pub(crate) async fn look(&self) -> Result<Seen, StepProblem> {
        let claim = Key::single_use(self.tenant.id(), &self.login.0);
        let mut rows = self.core.store.load(&[self.key, claim]).await?.into_iter();
        let (left, claimed) = (rows.next().flatten(), rows.next().flatten());
        let Some(row) = left else {
            return Ok(if claimed.is_some() { Seen::Over } else { Seen::Nothing });
        };
        let content = self.core.vault.open_rendezvous(&self.key, &row)?;
        let malformed = || StepProblem::failed("a rendezvous has an unknown form");
        let (&byte, code) = content.split_first().ok_or_else(malformed)?;
        let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.byte() == byte);
        Ok(Seen::Left(Left {
            outcome: outcome.ok_or_else(malformed)?,
            code: String::from_utf8(code.to_vec()).map_err(|_| malformed())?,
            version: row.version,
        }))
    }

    /// Leaves an approval: the code waits for the browser that asked. Twice the same is once.
    pub(crate) async fn approve(
        &self,
        capability: &PersonCapability,
        code: &AuthorizationCode,
        now: UnixTime,
    ) -> Result<(), StepProblem> {
        let sealed = self
            .core
            .seal_login(capability, StateKind::Code, now, &code.to_bytes())?;
        let claim = Key::single_use(self.tenant.id(), &self.login.0);
        let conditions = [Condition::Absent(claim)];
        if self.write(None, Outcome::Approved, &sealed, &conditions).await? == Committed::Yes {
            tracing::info!(event = "approved_elsewhere", "approved for another device");
            return Ok(());
        }
        let Seen::Left(left) = self.look().await? else {
            return Err(StepProblem::login_over());
        };
        match left.outcome {
            // The answer to the first time was lost, or the button was pressed twice.
            Outcome::Approved | Outcome::Fetched => match self.open(&left, now) {
                Some((before, decided))
                    if before.person_id() == capability.person_id()
                        && (decided.released, decided.remember) == (code.released, code.remember) =>
                {
                    Ok(())
                }
                _ => Err(StepProblem::login_over()),
            },
            Outcome::NotMe | Outcome::PhoneCall => Err(StepProblem::invalid_because(
                Reason::Aborted,
                "this login was ended by the person; start again at the service",
            )),
            Outcome::Declined | Outcome::NumberWrong => Err(StepProblem::login_over()),
        }
    }

    /// Ends the login for both devices, for good. What was approved and not fetched yet ends, too. `entry`: whose it was, where that is known, and
    /// what her history says of it, in the same commit. Nothing is done where it had ended in this way before.
    pub(crate) async fn end(&self, outcome: Outcome, entry: Option<(PersonId, Entry)>) -> Result<(), StepProblem> {
        for _ in 0..ATTEMPTS {
            let stored = match self.look().await? {
                Seen::Nothing => None,
                Seen::Left(left) if left.outcome == outcome => return Ok(()),
                Seen::Left(left) if left.outcome == Outcome::Approved => Some(left.version),
                Seen::Left(_) | Seen::Over => return Err(StepProblem::login_over()),
            };
            let change = self.change(stored, outcome, "")?;
            if self.claim(change, entry.clone()).await? == Committed::Yes {
                tracing::info!(event = "ended_elsewhere", kind = ?outcome, "a login was ended for both devices");
                return Ok(());
            }
        }
        Err(StepProblem::login_over())
    }

    /// Takes the code, once.
    pub(crate) async fn fetch(
        &self,
        left: Left,
        now: UnixTime,
    ) -> Result<(PersonCapability, AuthorizationCode), StepProblem> {
        if left.outcome != Outcome::Approved {
            return Err(StepProblem::login_over());
        }
        let (capability, code) = self.open(&left, now).ok_or_else(StepProblem::login_over)?;
        let decided_at = code.expires_at.minus_seconds(CODE_LIFETIME_SECONDS);
        if now > decided_at.plus_seconds(MEET_SECONDS) {
            return Err(AuthorizationError::ExpiredLogin.into());
        }
        let written = self
            .write(Some(left.version), Outcome::Fetched, &left.code, &[])
            .await?;
        match written {
            Committed::Yes => Ok((capability, code)),
            Committed::Conflict(_) => Err(StepProblem::login_over()),
        }
    }

    fn open(&self, left: &Left, now: UnixTime) -> Option<(PersonCapability, AuthorizationCode)> {
        let (capability, bytes) = self.core.open_login(self.tenant, StateKind::Code, now, &left.code)?;
        let code = AuthorizationCode::from_bytes(&bytes).ok()?;
        Some((capability, code))
    }

    async fn write(
        &self,
        stored: Option<u64>,
        outcome: Outcome,
        code: &str,
        conditions: &[Condition],
    ) -> Result<Committed, StepProblem> {
        let change = self.change(stored, outcome, code)?;
        let conditions: Vec<Condition> = [change.condition]
            .into_iter()
            .chain(conditions.iter().cloned())
            .collect();
        self.core.commit(&conditions, &[change.write]).await
    }

    fn change(&self, stored: Option<u64>, outcome: Outcome, code: &str) -> Result<SealedChange, StepProblem> {
        let content = [&[outcome.byte()], code.as_bytes()].concat();
        let until = self.core.now().0 + KEPT_SECONDS;
        Ok(self.core.vault.leave_at_rendezvous(self.key, stored, &content, until)?)
    }

    /// Claims the login, with what is left here.
    async fn claim(&self, change: SealedChange, entry: Option<(PersonId, Entry)>) -> Result<Committed, StepProblem> {
        let (core, tenant, login) = (self.core, self.tenant.id(), self.login.0);
        if let Some((person, entry)) = entry {
            return history::note_beside(core, tenant, person, login, entry, vec![change]).await;
        }
        let expires_at = history::claim_expiry(core.now());
        let claim = core.vault.claim_once(tenant, &login, expires_at, &Carried::default())?;
        core.commit(&[change.condition, claim.condition], &[change.write, claim.write])
            .await
    }
}

/// Refuses a login that was completed or ended already: what is asked of it would lead nowhere.
pub(crate) async fn check_open(core: &Core, tenant: &Tenant, login: LoginId) -> Result<(), StepProblem> {
    let claim = Key::single_use(tenant.id(), &login.0);
    match core.store.load(&[claim]).await?.into_iter().next().flatten() {
        Some(_) => Err(StepProblem::login_over()),
        None => Ok(()),
    }
}
