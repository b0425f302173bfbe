//! What the parties of a move carry: the offer in the code, the new phone's ticket, and what the old phone holds. Sealed; none of them can be told
//! from another by who has no key, and none opens where another is expected.

use authenticator::Acr;
use jose::UnixTime;
use vault::{PersonCapability, PersonId, StateKind};

use crate::{
    core::{Core, StepProblem},
    tenant::Tenant,
};

const OFFER: u8 = 1;
const TICKET: u8 = 2;
const HELD: u8 = 3;

/// What the old phone shows. It tells whose new phone is to be bound, and gives no right to anything of hers.
pub(super) struct Offer {
    pub(super) person: PersonId,
    /// Most the new device may reach.
    pub(super) level: Acr,
    pub(super) expires_at: UnixTime,
}

impl Offer {
    pub(super) fn seal(&self, core: &Core, tenant: &Tenant, now: UnixTime) -> Result<String, StepProblem> {
        let mut bytes = vec![OFFER];
        bytes.extend_from_slice(self.person.as_bytes());
        bytes.push(level_byte(self.level));
        bytes.extend_from_slice(&self.expires_at.0.to_be_bytes());
        Ok(core.seal(tenant, StateKind::Move, now, &bytes)?)
    }

    /// `None` also where it is too old.
    pub(super) fn open(core: &Core, tenant: &Tenant, now: UnixTime, sealed: &str) -> Option<Self> {
        let bytes = core.open(tenant, StateKind::Move, now, sealed)?;
        let mut fields = Fields::of(OFFER, &bytes)?;
        let offer = Self {
            person: PersonId::from_bytes(fields.take()?),
            level: level(fields.take()?)?,
            expires_at: fields.time()?,
        };
        (fields.0.is_empty() && now <= offer.expires_at).then_some(offer)
    }
}

/// What the new phone asks with: nobody else who saw the offer learns how it stands.
pub(super) struct Ticket {
    pub(super) move_id: [u8; 16],
    /// The device it is for.
    pub(super) device_id: [u8; 16],
}

impl Ticket {
    pub(super) fn seal(&self, core: &Core, tenant: &Tenant, now: UnixTime) -> Result<String, StepProblem> {
        let bytes = [&[TICKET][..], &self.move_id, &self.device_id].concat();
        Ok(core.seal(tenant, StateKind::Move, now, &bytes)?)
    }

    pub(super) fn open(core: &Core, tenant: &Tenant, now: UnixTime, sealed: &str) -> Option<Self> {
        let bytes = core.open(tenant, StateKind::Move, now, sealed)?;
        let mut fields = Fields::of(TICKET, &bytes)?;
        let ticket = Self {
            move_id: fields.take()?,
            device_id: fields.take()?,
        };
        fields.0.is_empty().then_some(ticket)
    }
}

/// What the old phone goes on with, with the right to its person's record.
pub(super) struct Held {
    pub(super) move_id: [u8; 16],
    /// The old device.
    pub(super) device_id: [u8; 16],
    /// Its level.
    pub(super) level: Acr,
    /// When its key answered the login the offer was made in.
    pub(super) answered_at: UnixTime,
    pub(super) expires_at: UnixTime,
}

impl Held {
    pub(super) fn seal(
        &self,
        core: &Core,
        capability: &PersonCapability,
        now: UnixTime,
    ) -> Result<String, StepProblem> {
        let mut bytes = [&[HELD][..], &self.move_id, &self.device_id].concat();
        bytes.push(level_byte(self.level));
        bytes.extend_from_slice(&self.answered_at.0.to_be_bytes());
        bytes.extend_from_slice(&self.expires_at.0.to_be_bytes());
        Ok(core.seal_login(capability, StateKind::Move, now, &bytes)?)
    }

    /// `None` also where it is too old.
    pub(super) fn open(core: &Core, tenant: &Tenant, now: UnixTime, sealed: &str) -> Option<(PersonCapability, Self)> {
        let (capability, bytes) = core.open_login(tenant, StateKind::Move, now, sealed)?;
        let mut fields = Fields::of(HELD, &bytes)?;
        let held = Self {
            move_id: fields.take()?,
            device_id: fields.take()?,
            level: level(fields.take()?)?,
            answered_at: fields.time()?,
            expires_at: fields.time()?,
        };
        (fields.0.is_empty() && now <= held.expires_at).then_some((capability, held))
    }
}

const fn level_byte(level: Acr) -> u8 {
    match level {
        Acr::Substantial => 0,
        Acr::High => 1,
    }
}

const fn level([byte]: [u8; 1]) -> Option<Acr> {
    match byte {
        0 => Some(Acr::Substantial),
        1 => Some(Acr::High),
        _ => None,
    }
}

/// Fields of fixed length, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn of(kind: u8, bytes: &'a [u8]) -> Option<Self> {
        bytes.strip_prefix(&[kind]).map(Self)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn time(&mut self) -> Option<UnixTime> {
        self.take().map(|bytes| UnixTime(u64::from_be_bytes(bytes)))
    }
}
