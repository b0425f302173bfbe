//! A login that is answered on another device than the one it was begun on (A_22744): the code on the asking page, and what the phone is told.
//!
//! The page shows a QR code and two digits. In the code is a login of its own, without what the service's answer needs: the phone can decide, and
//! get nothing. What it decided waits where the two meet ([`rendezvous`]), and only the browser that asked fetches it, with its cookie and the
//! login it holds (A_22325-01).
//!
//! Trusted for: the code goes to the browser that asked, once; a code read from a photograph is worth nothing after a minute, and a link opened
//! elsewhere never brings a code of the service's there. **Does not** stop somebody who shows a person his own code and makes her type his number:
//! against that stand the words she reads, what the other device is, and that she can end it.

mod frame;
pub(crate) mod qr;
pub(crate) mod rendezvous;

use axum::http::{HeaderMap, header};
use jose::UnixTime;
use oidc::{
    asking_device::{AskingDevice, SendingRight},
    authorization::AuthorizationError,
    login_state::{LoginId, LoginRequest, PendingLogin},
};
use serde::Serialize;
use vault::{PersonId, StateKind, freshness::FactKind};

pub(crate) use frame::{Asked, asked, come_back, frame_address, show};

use crate::{
    authorize::phone_link,
    core::{Core, StepProblem},
    freshness::Change,
    inbox,
    limits::Network,
    tenant::Tenant,
};

/// Seconds a QR code is shown before another takes its place.
pub const SHOWN_SECONDS: u64 = 20;
/// Seconds after which a code that was shown is not answered any more: time to take out a phone, and none to send pictures around.
pub const SCAN_SECONDS: u64 = 60;
/// Seconds nothing is approved for another device after a person has said that somebody is on the phone with her.
pub const COOLING_OFF_SECONDS: u64 = 1_800;

/// What the phone shows of the device that asked.
#[derive(Debug, Serialize)]
pub(crate) struct OtherDevice {
    pub(crate) browser: &'static str,
    pub(crate) system: &'static str,
    /// `same` or `other`; `None` where networks are not told apart.
    pub(crate) network: Option<&'static str>,
    pub(crate) asked_at: u64,
}

impl OtherDevice {
    /// As seen from a device in this network.
    pub(crate) fn seen_from(
        core: &Core,
        tenant: &Tenant,
        asking: AskingDevice,
        network: Network,
    ) -> Result<Self, StepProblem> {
        let here = network_mark(core, tenant, network)?;
        Ok(Self {
            browser: asking.browser.shown(),
            system: asking.system.shown(),
            network: asking
                .network
                .zip(here)
                .map(|(there, here)| if there == here { "same" } else { "other" }),
            asked_at: asking.asked_at.0,
        })
    }
}

/// The login in the code: it can be answered, and holds nothing of the service's that its answer needs.
fn login_to_scan(pending: &PendingLogin, asking: AskingDevice) -> PendingLogin {
    PendingLogin {
        request: LoginRequest {
            nonce: String::new(),
            state: String::new(),
            ..pending.request.clone()
        },
        browser: None,
        challenge_digest: None,
        asking: Some(asking),
        // Each device is given time for itself; without the browser's half this one leads nowhere.
        extended: 0,
        expires_at: pending.expires_at,
    }
}

/// The link in the code.
fn link(
    core: &Core,
    tenant: &Tenant,
    headers: &HeaderMap,
    client_id: &str,
    pending: &PendingLogin,
    network: Network,
    now: UnixTime,
) -> Result<Option<String>, StepProblem> {
    let sealed = phones_half(core, tenant, headers, pending, network, None, now)?;
    Ok(phone_link(tenant, client_id, &sealed))
}

/// The phone's half of a login, sealed: scanned from a code, or sent by a right.
pub(crate) fn phones_half(
    core: &Core,
    tenant: &Tenant,
    headers: &HeaderMap,
    pending: &PendingLogin,
    network: Network,
    sent_by: Option<SendingRight>,
    now: UnixTime,
) -> Result<String, StepProblem> {
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let asking = AskingDevice {
        sent_by,
        ..AskingDevice::new(user_agent, network_mark(core, tenant, network)?, now)
    };
    let login = login_to_scan(pending, asking);
    Ok(core.seal(tenant, StateKind::Pending, now, &login.to_bytes())?)
}

/// A phone has a minute from when the code was shown, and a login it has opened is not handed on as a code.
pub(crate) fn check_scanned(pending: &PendingLogin, now: UnixTime) -> Result<(), AuthorizationError> {
    let Some(asking) = pending.asking else { return Ok(()) };
    // What was sent to the phone itself, nobody has taken a picture of.
    let seconds = match asking.sent_by {
        Some(_) => inbox::WAITING_SECONDS,
        None => SCAN_SECONDS,
    };
    if pending.challenge_digest.is_some() || now > asking.asked_at.plus_seconds(seconds) {
        return Err(AuthorizationError::ExpiredLogin);
    }
    Ok(())
}

/// The digits the asking page shows. They follow from the login under a key of the tenant: nothing is kept, and the code does not tell them.
pub(crate) fn digits(core: &Core, tenant: &Tenant, login: &LoginId) -> Result<String, StepProblem> {
    let mark = core.vault.mark(tenant.id(), &[b"digits", &login.0])?;
    Ok(format!("{:02}", u64::from_be_bytes(mark) % 100))
}

pub(crate) fn network_mark(core: &Core, tenant: &Tenant, network: Network) -> Result<Option<[u8; 8]>, StepProblem> {
    match network.told_apart(&core.limits) {
        Some(network) => Ok(Some(core.vault.mark(tenant.id(), &[b"network", network])?)),
        None => Ok(None),
    }
}

/// From now on nothing is approved for another device in this person's name, for a while. Durable when this returns.
pub(crate) async fn cool_off(core: &Core, tenant: &Tenant, person: PersonId) -> Result<(), StepProblem> {
    let name = core
        .vault
        .fact_name(tenant.id(), FactKind::Limit, &[b"cooling_off", person.as_bytes()])?;
    let until = (core.now().0 + COOLING_OFF_SECONDS).saturating_mul(1_000_000);
    let change = Change {
        facts: vec![(name, until)],
        ..Change::default()
    };
    core.freshness.change(tenant.id(), change).await?;
    tracing::warn!(
        event = "cooling_off_began",
        "somebody was on the phone with a person who was to approve a login"
    );
    Ok(())
}

/// Whether this person may approve for another device now.
pub(crate) async fn check_not_cooling_off(core: &Core, tenant: &Tenant, person: PersonId) -> Result<(), StepProblem> {
    let name = core
        .vault
        .fact_name(tenant.id(), FactKind::Limit, &[b"cooling_off", person.as_bytes()])?;
    let until = core.freshness.of(tenant.id()).await?.limit(&name) / 1_000_000;
    match until.saturating_sub(core.now().0) {
        0 => Ok(()),
        seconds => Err(StepProblem::cooling_off(seconds)),
    }
}
