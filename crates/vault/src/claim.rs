//! The claim on a login, and what travels in it: whoever commits it first has the login; the rest is brought where it belongs later.
//!
//! A login's only durable write is its claim, under a random id and of one size. The entry of the person's history, how many entries
//! that makes and how far her device has counted are sealed inside it, under a key of the tenant: so whoever watches the database sees that somebody logged
//! in, and not where her rows stand. Within hours all claims of an hour are opened together, and their entries are written in
//! batches (`docs/adr/0011-what-rows-tell.md`).

use store::{Condition, Key, Kind, Row, SealedBytes, TenantId, UnixSeconds, Write};

use crate::error::{OpenError, SealError};
use crate::freshness::FactName;
use crate::random::random;
use crate::records::{HEADER_BYTES, header};
use crate::row_size::{SEALED_EVENT_BYTES, sealed};
use crate::seal::SealedChange;
use crate::{KeyAbsent, Vault};

const FORM: u8 = 2;
const FORM_BEGUN: u8 = 3;
const EVENT_ID_BYTES: usize = 32;
const NAME_BYTES: usize = 16;
const FACT_BYTES: usize = NAME_BYTES + 8;
/// Form, an event's id, expiry and sealed bytes, name and value of a device's counter and of her history's head.
const CONTENT_BYTES: usize = 1 + EVENT_ID_BYTES + 8 + SEALED_EVENT_BYTES + 2 * FACT_BYTES;

/// Most bytes of a login that has begun: form and length stand in front.
pub const MAX_BEGUN_BYTES: usize = CONTENT_BYTES - 3;

const _: () = assert!(sealed(CONTENT_BYTES) <= Kind::SingleUse.max_sealed_bytes());

/// What a claim carries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Carried {
    /// An entry of somebody's history, sealed for her.
    pub event: Option<SealedChange>,
    /// How far a device has counted.
    pub counter: Option<(FactName, u64)>,
    /// How many entries the history has with this one.
    pub head: Option<(FactName, u64)>,
    /// Instead of all these: a login that has begun and may never end, in at most [`MAX_BEGUN_BYTES`] bytes.
    pub begun: Option<Vec<u8>>,
}

impl Vault {
    /// A single-use claim on a login, for the commit that redeems it. Has the same size whatever it carries.
    ///
    /// # Errors
    /// [`SealError`]; [`SealError::TooLong`] for an event that was not sealed as one.
    pub fn claim_once(
        &self,
        tenant: TenantId,
        login: &[u8; 16],
        expires_at: UnixSeconds,
        carried: &Carried,
    ) -> Result<SealedChange, SealError> {
        let content = encode(carried)?;
        let key = Key::single_use(tenant, login);
        let mut change = self.seal_tenant_record(key, None, &content)?;
        if let Write::Put { expires_at: until, .. } = &mut change.write {
            *until = Some(expires_at);
        }
        Ok(change)
    }

    /// Opens a claim.
    ///
    /// # Errors
    /// [`OpenError`] for anything but a claim of this tenant under this id.
    pub fn open_claim(&self, key: &Key, row: &Row) -> Result<Carried, OpenError> {
        if key.kind() != Kind::SingleUse {
            return Err(OpenError::WrongKey { expected: "claim" });
        }
        let content = self.open_tenant_record(key, row)?;
        decode(*key.tenant(), &content).ok_or(OpenError::Content)
    }

    /// An event that is nobody's, not to be told from a real one without the keys: it fills a batch up.
    ///
    /// # Errors
    /// [`KeyAbsent`] if this instance does not hold the tenant's keys.
    pub fn decoy_event(&self, tenant: TenantId, expires_at: UnixSeconds) -> Result<SealedChange, KeyAbsent> {
        self.tenant(tenant)?;
        let mut name = [0; EVENT_ID_BYTES];
        random(&mut name);
        let mut bytes = header(self.generation());
        bytes.resize(SEALED_EVENT_BYTES, 0);
        random(&mut bytes[HEADER_BYTES..]);
        let (group, event) = name.split_at_mut(16);
        group[..4].copy_from_slice(&until_day(expires_at).to_be_bytes());
        let (mut of, mut number) = ([0; 16], [0; 16]);
        of.copy_from_slice(group);
        number.copy_from_slice(event);
        let key = Key::audit(tenant, &store::RowGroup::from_keyed_hash(of), &number);
        Ok(SealedChange::put(key, None, bytes, Some(expires_at)))
    }
}

/// The day of an expiry, in days since 1970.
pub(crate) fn until_day(expires_at: UnixSeconds) -> u32 {
    u32::try_from(expires_at / crate::row_names::DAY_SECONDS).unwrap_or(u32::MAX)
}

fn encode(carried: &Carried) -> Result<Vec<u8>, SealError> {
    let mut content = Vec::with_capacity(CONTENT_BYTES);
    if let Some(begun) = &carried.begun {
        let too_long = SealError::TooLong {
            limit: MAX_BEGUN_BYTES,
            found: begun.len(),
        };
        if begun.len() > MAX_BEGUN_BYTES || carried.event.is_some() {
            return Err(too_long);
        }
        content.push(FORM_BEGUN);
        content.extend_from_slice(&u16::try_from(begun.len()).map_err(|_| too_long)?.to_be_bytes());
        content.extend_from_slice(begun);
        content.resize(CONTENT_BYTES, 0);
        return Ok(content);
    }
    content.push(FORM);
    match carried.event.as_ref().map(|event| &event.write) {
        Some(Write::Put {
            key,
            sealed,
            expires_at: Some(expires_at),
        }) if key.kind() == Kind::Audit && sealed.len() == SEALED_EVENT_BYTES => {
            content.extend_from_slice(key.id());
            content.extend_from_slice(&expires_at.to_be_bytes());
            content.extend_from_slice(sealed.as_bytes());
        }
        Some(other) => {
            let found = match other {
                Write::Put { sealed, .. } => sealed.len(),
                Write::Delete(_) => 0,
            };
            let limit = SEALED_EVENT_BYTES;
            return Err(SealError::TooLong { limit, found });
        }
        None => content.resize(1 + EVENT_ID_BYTES + 8 + SEALED_EVENT_BYTES, 0),
    }
    for fact in [&carried.counter, &carried.head] {
        let (name, value) = match fact {
            Some((name, value)) => (*name.as_bytes(), *value),
            None => ([0; NAME_BYTES], 0),
        };
        content.extend_from_slice(&name);
        content.extend_from_slice(&value.to_be_bytes());
    }
    Ok(content)
}

fn decode(tenant: TenantId, content: &[u8]) -> Option<Carried> {
    let (&form, rest) = content.split_first()?;
    if form == FORM_BEGUN && content.len() == CONTENT_BYTES {
        let (length, rest) = rest.split_first_chunk()?;
        let begun = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
        return Some(Carried {
            begun: Some(begun.to_vec()),
            ..Carried::default()
        });
    }
    if form != FORM || content.len() != CONTENT_BYTES {
        return None;
    }
    let (id, rest) = rest.split_at_checked(EVENT_ID_BYTES)?;
    let (expires_at, rest) = rest.split_first_chunk::<8>()?;
    let (sealed, rest) = rest.split_at_checked(SEALED_EVENT_BYTES)?;
    let (counter, head) = rest.split_at_checked(FACT_BYTES)?;
    let expires_at = UnixSeconds::from_be_bytes(*expires_at);
    let event = if expires_at == 0 {
        None
    } else {
        let key = Key::new(Kind::Audit, tenant, id).ok()?;
        Some(SealedChange {
            condition: Condition::Absent(key),
            write: Write::Put {
                key,
                sealed: SealedBytes::from_sealed(sealed.to_vec()),
                expires_at: Some(expires_at),
            },
        })
    };
    Some(Carried {
        event,
        counter: decode_fact(counter)?,
        head: decode_fact(head)?,
        begun: None,
    })
}

/// A fact, or that there is none; the outer `None` is no fact's bytes.
fn decode_fact(bytes: &[u8]) -> Option<Option<(FactName, u64)>> {
    let (name, value) = bytes.split_first_chunk::<NAME_BYTES>()?;
    let value = u64::from_be_bytes(value.try_into().ok()?);
    Some((*name != [0; NAME_BYTES]).then(|| (FactName::from_bytes(*name), value)))
}
