//! A browser's right to send requests to one phone: a sealed cookie, and what she has said of its requests.
//!
//! The cookie names the device, sealed for the tenant: nobody reads it but us, and it gives no right to anybody's record. What takes a right away
//! (the device is removed, she said that a request was not hers) stands in the freshness ledger, so neither a copied cookie nor an older database
//! brings it back.

use axum::{http::HeaderMap, response::Response};
use jose::UnixTime;
use oidc::{
    asking_device::{AskingDevice, SendingRight},
    form::Form,
    login_state::AuthorizationCode,
};
use vault::{PersonId, StateKind, freshness::FactKind, freshness::FactName};

use super::{PAUSE_SECONDS, RIGHT_SECONDS};
use crate::{
    browser,
    core::{Core, StepProblem},
    freshness::Change,
    people, rng,
    second_device::rendezvous::Outcome,
    tenant::Tenant,
};

/// Carries a sealed [`Right`].
const COOKIE: &str = "healthid_phone";
/// The form's member that says she ticked it.
const TICK: &str = "keep_phone";
const FORM: u8 = 1;
const HANDLE_BYTES: usize = 32;

/// What a browser holds.
pub(crate) struct Right {
    /// The device's handle.
    pub(super) handle: [u8; HANDLE_BYTES],
    pub(super) name: SendingRight,
    expires_at: UnixTime,
}

/// How a right stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may be used.
    Good,
    /// Not for so many seconds: she declined what it sent last.
    Paused(u64),
    /// Never again: the device is gone, or she said that it was not her.
    Gone,
}

impl Right {
    fn to_bytes(&self) -> Vec<u8> {
        [
            &[FORM],
            &self.handle[..],
            &self.name.0,
            &self.expires_at.0.to_be_bytes(),
        ]
        .concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&form, rest) = bytes.split_first()?;
        let (handle, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_first_chunk()?;
        Some(Self {
            handle: *handle,
            name: SendingRight(*name),
            expires_at: UnixTime(u64::from_be_bytes(rest.try_into().ok()?)),
        })
        .filter(|_| form == FORM)
    }

    pub(super) fn person_and_device(&self) -> (PersonId, [u8; 16]) {
        people::of_handle(&self.handle)
    }

    /// How it stands, as far as the ledger knows: reads no row.
    pub(crate) async fn standing(&self, core: &Core, tenant: &Tenant, now: UnixTime) -> Result<Standing, StepProblem> {
        let (person, device) = self.person_and_device();
        let at = core.vault.device_key(tenant.id(), &person, &device)?;
        let ledger = core.freshness.of(tenant.id()).await?;
        if ledger.is_erased(&core.vault, person) || ledger.is_gone(&core.vault, &at) {
            return Ok(Standing::Gone);
        }
        let until = ledger.limit(&fact(core, tenant, self.name)?) / 1_000_000;
        Ok(match until.saturating_sub(now.0) {
            0 => Standing::Good,
            seconds if seconds <= PAUSE_SECONDS => Standing::Paused(seconds),
            _ => Standing::Gone,
        })
    }
}

fn fact(core: &Core, tenant: &Tenant, name: SendingRight) -> Result<FactName, StepProblem> {
    let parts = [b"sending_right".as_slice(), &name.0];
    Ok(core.vault.fact_name(tenant.id(), FactKind::Limit, &parts)?)
}

/// The right this browser holds, if it holds one of this insurer's that has not expired.
pub(crate) fn of_browser(core: &Core, tenant: &Tenant, headers: &HeaderMap, now: UnixTime) -> Option<Right> {
    let sealed = browser::cookie(headers, COOKIE)?;
    let bytes = core.open(tenant, StateKind::PhoneRight, now, sealed)?;
    Right::from_bytes(&bytes).filter(|right| now <= right.expires_at)
}

/// The browser comes back from a login that a phone approved. Where she ticked it, and the phone has a key that can ask, it may send the next
/// one there.
pub(crate) async fn keep_if_ticked(
    core: &Core,
    tenant: &std::sync::Arc<Tenant>,
    form: &Form,
    person: PersonId,
    code: &AuthorizationCode,
    response: Response,
    now: UnixTime,
) -> Result<Response, StepProblem> {
    let (Some(_), Some(used), Some(_)) = (form.value(TICK), code.device, &tenant.settings.wallet) else {
        return Ok(response);
    };
    let handle = people::to_handle(person, &used.device_id);
    let held = people::held(core, tenant, &handle, &[]).await?;
    // A passkey signs for pages only: nothing could ask in its name.
    if !held.is_bound || held.key.is_passkey() {
        return Ok(response);
    }
    let right = Right {
        handle,
        name: SendingRight(rng::bytes(&*core.rng)),
        expires_at: now.plus_seconds(RIGHT_SECONDS),
    };
    let sealed = core.seal(tenant, StateKind::PhoneRight, now, &right.to_bytes())?;
    tracing::info!(event = "phone_kept", "a browser may send requests to a phone");
    Ok(browser::set_cookie(
        response,
        tenant,
        COOKIE,
        &sealed,
        Some(RIGHT_SECONDS),
    ))
}

/// Takes the cookie away.
pub(super) fn clear(response: Response, tenant: &Tenant) -> Response {
    browser::set_cookie(response, tenant, COOKIE, "", Some(0))
}

/// She has said something of a request that was sent: the right that sent it pauses, or is gone. Durable when this returns.
pub(crate) async fn answered(
    core: &Core,
    tenant: &Tenant,
    asking: Option<AskingDevice>,
    outcome: Outcome,
) -> Result<(), StepProblem> {
    let Some(name) = asking.and_then(|asking| asking.sent_by) else {
        return Ok(());
    };
    match outcome {
        Outcome::Approved | Outcome::Fetched => Ok(()),
        Outcome::Declined | Outcome::NumberWrong => bar(core, tenant, name, PAUSE_SECONDS).await,
        Outcome::NotMe | Outcome::PhoneCall => {
            tracing::warn!(
                event = "sending_right_lost",
                kind = ?outcome,
                "a person said of a request sent to her phone that it was not hers, or that somebody called"
            );
            take_back(core, tenant, name).await
        }
    }
}

/// A right that is not to be used again: said for as long as its cookie could last.
pub(super) async fn take_back(core: &Core, tenant: &Tenant, name: SendingRight) -> Result<(), StepProblem> {
    bar(core, tenant, name, RIGHT_SECONDS).await
}

async fn bar(core: &Core, tenant: &Tenant, name: SendingRight, seconds: u64) -> Result<(), StepProblem> {
    let until = (core.now().0 + seconds).saturating_mul(1_000_000);
    let change = Change {
        facts: vec![(fact(core, tenant, name)?, until)],
        ..Change::default()
    };
    Ok(core.freshness.change(tenant.id(), change).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_survives_its_bytes_and_nothing_else_is_one() {
        let right = Right {
            handle: [3; 32],
            name: SendingRight([7; 8]),
            expires_at: UnixTime(9),
        };
        let bytes = right.to_bytes();
        let read = Right::from_bytes(&bytes).map(|right| (right.handle, right.name, right.expires_at));
        assert_eq!(read, Some(([3; 32], SendingRight([7; 8]), UnixTime(9))));
        for length in 0..bytes.len() {
            assert!(Right::from_bytes(&bytes[..length]).is_none(), "{length}");
        }
        assert!(Right::from_bytes(&[&bytes[..], &[0]].concat()).is_none());
        assert!(Right::from_bytes(&[&[2], &bytes[1..]].concat()).is_none());
    }
}
