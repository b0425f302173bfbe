//! Where the two phones of a move meet: one sealed row, for minutes, as two devices of one login do (`docs/adr/0015-where-two-devices-meet.md`). It has the
//! same size and kind of name, so that nobody tells the two apart.
//!
//! The first new phone that asks takes the offer: the row is written under the condition that there is none. Whatever ends it claims the offer in the same
//! commit; so does the commit that binds the new device.

use authenticator::{Reason, device::Candidate};
use jose::UnixTime;
use oidc::asking_device::AskingDevice;
use store::{Condition, Key};
use vault::{PersonId, SealedChange};

use super::over;
use crate::{
    core::{Committed, Core, StepProblem},
    history::{self, Entry},
    tenant::Tenant,
};

/// Seconds the row stays, so that both phones can say how it ended.
const KEPT_SECONDS: u64 = 900;
/// Times a commit is tried again because the other phone came first.
const ATTEMPTS: u32 = 3;

const ASKED: u8 = 16;
const BOUND: u8 = 17;

/// How a move ended without a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// She said no.
    Declined,
    /// She typed another number.
    NumberWrong,
    /// She had not begun it.
    NotMe,
    /// Somebody was on the phone with her.
    PhoneCall,
}

impl Ended {
    const ALL: [Self; 4] = [Self::Declined, Self::NumberWrong, Self::NotMe, Self::PhoneCall];

    const fn byte(self) -> u8 {
        match self {
            Self::Declined => 18,
            Self::NumberWrong => 19,
            Self::NotMe => 20,
            Self::PhoneCall => 21,
        }
    }
}

/// What is left there.
pub(super) enum Left {
    /// A phone asks.
    Asked {
        candidate: Candidate,
        asks: AskingDevice,
    },
    /// It is bound.
    Bound(Bound),
    Ended(Ended),
}

/// A device that was bound by this move.
pub(super) struct Bound {
    pub(super) person: PersonId,
    pub(super) candidate: Candidate,
    pub(super) valid_until: UnixTime,
}

/// What is told of a move that leads nowhere any more.
pub(super) fn ended(left: &Left) -> StepProblem {
    match left {
        Left::Ended(Ended::NumberWrong) => StepProblem::denied(
            Reason::NumberWrong,
            "another number was typed than the new phone shows; this move has ended on both phones",
        ),
        Left::Ended(Ended::NotMe | Ended::PhoneCall) => {
            StepProblem::invalid_because(Reason::Aborted, "this move was ended by the person; nothing was bound")
        }
        Left::Ended(Ended::Declined) => over("the person declined on her old phone; nothing was bound"),
        Left::Asked { .. } | Left::Bound(_) => over("this offer was used; the old phone makes another"),
    }
}

/// One move's place.
pub(super) struct Place<'a> {
    core: &'a Core,
    tenant: &'a Tenant,
    move_id: [u8; 16],
    key: Key,
}

impl<'a> Place<'a> {
    pub(super) fn of(core: &'a Core, tenant: &'a Tenant, move_id: [u8; 16]) -> Result<Self, StepProblem> {
        let key = core.vault.rendezvous_key(tenant.id(), &move_id)?;
        Ok(Self {
            core,
            tenant,
            move_id,
            key,
        })
    }

    /// What is left there; `None` where nothing is yet.
    pub(super) async fn look(&self) -> Result<Option<Left>, StepProblem> {
        Ok(self.look_closely().await?.map(|(left, _)| left))
    }

    /// The same, with the row's version.
    pub(super) async fn look_closely(&self) -> Result<Option<(Left, u64)>, StepProblem> {
        let claim = Key::single_use(self.tenant.id(), &self.move_id);
        let mut rows = self.core.store.load(&[self.key, claim]).await?.into_iter();
        let (left, claimed) = (rows.next().flatten(), rows.next().flatten());
        let Some(row) = left else {
            // The row goes before the claim does.
            return match claimed {
                Some(_) => Err(over("this move is over; the old phone makes another offer")),
                None => Ok(None),
            };
        };
        let content = self.core.vault.open_rendezvous(&self.key, &row)?;
        // A class the insurer does not admit any more ends a move, too.
        let left = self
            .read(&content)
            .ok_or_else(|| over("this move cannot go on; the old phone makes another offer"))?;
        Ok(Some((left, row.version)))
    }

    fn read(&self, content: &[u8]) -> Option<Left> {
        let policy = &self.tenant.settings.policy;
        match content.split_first()? {
            (&ASKED, rest) => {
                let (asks, rest) = AskingDevice::from_bytes(rest).ok()?;
                let candidate = Candidate::from_bytes(rest, policy)?;
                Some(Left::Asked { candidate, asks })
            }
            (&BOUND, rest) => {
                let (person, rest) = rest.split_first_chunk::<16>()?;
                let (valid_until, rest) = rest.split_first_chunk::<8>()?;
                Some(Left::Bound(Bound {
                    person: PersonId::from_bytes(*person),
                    candidate: Candidate::from_bytes(rest, policy)?,
                    valid_until: UnixTime(u64::from_be_bytes(*valid_until)),
                }))
            }
            (byte, []) => Ended::ALL
                .into_iter()
                .find(|ended| ended.byte() == *byte)
                .map(Left::Ended),
            _ => None,
        }
    }

    /// A new phone asks. Whoever came first is given back.
    pub(super) async fn ask(&self, candidate: &Candidate, asks: AskingDevice) -> Result<Left, StepProblem> {
        let content = [&[ASKED][..], &asks.to_bytes(), &candidate.to_bytes()].concat();
        let change = self.change(None, &content)?;
        let claim = Key::single_use(self.tenant.id(), &self.move_id);
        let conditions = [change.condition, Condition::Absent(claim)];
        if self.core.commit(&conditions, &[change.write]).await? == Committed::Yes {
            let candidate = candidate.clone();
            return Ok(Left::Asked { candidate, asks });
        }
        self.look().await?.ok_or_else(super::no_offer)
    }

    /// What the commit that binds the new device writes here.
    pub(super) fn bound(&self, version: u64, bound: &Bound) -> Result<SealedChange, StepProblem> {
        let until = bound.valid_until.0.to_be_bytes();
        let candidate = bound.candidate.to_bytes();
        let content = [&[BOUND][..], bound.person.as_bytes(), &until, &candidate].concat();
        self.change(Some(version), &content)
    }

    /// Ends it for both phones, for good, in one commit with the entry that says so. Nothing is done where it had ended in this way before.
    pub(super) async fn end(&self, how: Ended, person: PersonId, entry: &Entry) -> Result<(), StepProblem> {
        for _ in 0..ATTEMPTS {
            let version = match self.look_closely().await? {
                None => None,
                Some((Left::Asked { .. }, version)) => Some(version),
                Some((Left::Ended(before), _)) if before == how => return Ok(()),
                Some((left, _)) => return Err(ended(&left)),
            };
            let change = vec![self.change(version, &[how.byte()])?];
            let noted = history::note_beside(self.core, self.tenant.id(), person, self.move_id, entry.clone(), change);
            if noted.await? == Committed::Yes {
                tracing::info!(event = "move_ended", kind = ?how, "a move was ended on the old phone");
                return Ok(());
            }
        }
        Err(over("this move is over; the old phone makes another offer"))
    }

    fn change(&self, version: Option<u64>, content: &[u8]) -> Result<SealedChange, StepProblem> {
        let until = self.core.now().0 + KEPT_SECONDS;
        Ok(self.core.vault.leave_at_rendezvous(self.key, version, content, until)?)
    }
}
