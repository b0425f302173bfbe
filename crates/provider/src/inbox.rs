//! Requests that come to the phone: a browser that was confirmed with a phone once may send the next login there itself, without a code to scan
//! (`docs/adr/0020-requests-come-to-the-phone.md`).
//!
//! | Step | Where |
//! |---|---|
//! | she ticks it in the asking browser, which then keeps a sealed [`right`] | `POST /auth/return` |
//! | the browser sends a login to the phone: it waits in one sealed row, for minutes | [`send`], `POST /auth/phone/send` |
//! | the phone is woken, where it said that it wants to be | [`subscribe`], `POST /devices/push`; [`waking`] |
//! | the phone asks what waits for it | [`look`], `POST /devices/requests` |
//!
//! From there it is a login that was begun on another device: who asks is shown, the number is typed, she can end it.
//!
//! Trusted for: only the device a right was given for is told of a request, only so many come, and what she says of one is held against the right
//! that sent it. Does not: approve anything, or reach a phone that does not ask.

mod endpoint;
mod looking;
mod right;
mod sending;
mod subscribing;
mod waking;

use jose::{UnixTime, base64url};
use oidc::{asking_device::SendingRight, login_state::LoginId};
use serde::{Deserialize, Serialize};
use store::{Key, Row};

pub(crate) use looking::look;
pub(crate) use right::{Standing, answered, keep_if_ticked, of_browser};
pub(crate) use sending::{forget, send};
pub(crate) use subscribing::subscribe;
pub(crate) use waking::public_key;
pub use waking::{PushService, PushSettings, PushSettingsError};

use crate::core::{Core, StepProblem};

/// Seconds a request waits for its phone: time to find it. Afterwards neither the phone is told of it nor is its login opened any more.
pub const WAITING_SECONDS: u64 = 300;
/// Most requests that wait for one phone, each from another browser.
pub const MAX_WAITING: usize = 3;
/// Longest identifier of a service whose requests are sent, in bytes: one that is longer has no code to scan either.
pub const MAX_CLIENT_ID_BYTES: usize = 512;
/// Seconds a browser may send requests after it was ticked; each browser, until the device is removed or she takes it back.
pub const RIGHT_SECONDS: u64 = 180 * 24 * 3_600;
/// Seconds a browser sends nothing after she declined what it sent, or typed another number.
pub const PAUSE_SECONDS: u64 = 900;
/// Seconds a phone asks with what it was given for a signature. Keys that want their user each time are not asked every few seconds.
pub const TICKET_SECONDS: u64 = 30 * 24 * 3_600;

/// Seconds a phone is woken at an address it named; it names it again when it is opened.
pub const SUBSCRIPTION_SECONDS: u64 = 90 * 24 * 3_600;

/// A request on its way to a phone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    client_id: String,
    /// The phone's half of the login, sealed: what a QR code would hold.
    login: String,
    /// Names the login.
    id: String,
    /// Names the right that sent it.
    right: String,
    asked_at: u64,
}

impl Waiting {
    fn login_id(&self) -> Option<LoginId> {
        base64url::decode_array(&self.id).ok().map(LoginId)
    }

    fn is_of(&self, right: SendingRight) -> bool {
        self.right == base64url::encode(&right.0)
    }
}

/// What waits in a row and has not waited too long.
fn read(core: &Core, key: &Key, row: Option<&Row>, now: UnixTime) -> Result<Vec<Waiting>, StepProblem> {
    let Some(row) = row else { return Ok(Vec::new()) };
    let content = core.vault.open_inbox(key, row)?;
    let mut waiting: Vec<Waiting> =
        serde_json::from_slice(&content).map_err(|_| StepProblem::failed("an inbox has an unknown form"))?;
    waiting.retain(|request| now.0 <= request.asked_at.saturating_add(WAITING_SECONDS));
    Ok(waiting)
}
