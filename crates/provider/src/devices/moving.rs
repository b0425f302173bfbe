//! `POST /devices/move…`: a new phone, bound with the old one instead of the card (`docs/adr/0021-moving-with-the-old-phone.md`).
//!
//! | Step | Who | |
//! |---|---|---|
//! | `/devices/move` | old phone | in an account login its key answered just now: an offer, for a code it shows |
//! | `/devices/move/accept` | new phone | its key, for this offer; the first one takes it. Shows two digits |
//! | `/devices/move/state` | both | how it stands |
//! | `/devices/move/approve` | old phone | the two digits, and a signature over what asks: now the new one is bound |
//! | `/devices/move/end` | old phone | no; or somebody is on the phone with her |
//!
//! Trusted for: nothing is bound without a signature of the old device over this very key, made while nothing stood against it; the new one reaches
//! no further than the old one; an offer binds one device. **Does not** prove that both phones are in one place: whoever makes her type *his* number on
//! *her* phone is bound. So it is the insurer's decision whether there is such a thing at all.

mod accepting;
mod approving;
mod place;
mod states;

use std::sync::Arc;

use authenticator::{
    Reason,
    challenge::{self, Challenge, Purpose},
    device::{Candidate, DeviceKey, VoucherError, move_id},
    policy::Session,
};
use aws_lc_rs::digest;
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::{UnixTime, base64url};
use oidc::{asking_device::AskingDevice, authorization::redirect_with};
use serde::{Deserialize, Serialize};
use vault::PersonCapability;

pub(crate) use self::{
    accepting::accept,
    approving::{approve, end},
};
use self::{
    place::{Bound, Left, Place},
    states::{Held, Offer, Ticket},
};
use super::{managing, read};
use crate::{
    authenticate, consent,
    core::{Core, StepProblem},
    limits::{Limit, Network},
    people,
    second_device::{self, OtherDevice, qr},
    support::json_response,
    tenant::Tenant,
};

/// Seconds an offer is accepted. It can be made anew as often as she likes.
pub const OFFER_SECONDS: u64 = 300;
/// Seconds she has to compare and approve once a phone has accepted.
pub const APPROVAL_SECONDS: u64 = 300;
/// How long ago the old phone's key may have answered the login an offer is made in.
const JUST_NOW_SECONDS: u64 = 180;

impl From<VoucherError> for StepProblem {
    fn from(error: VoucherError) -> Self {
        Self::denied(error.reason(), error)
    }
}

fn over(description: &'static str) -> StepProblem {
    StepProblem::invalid_because(Reason::MoveOver, description)
}

/// One answer for an offer that is none, and for one that is too old.
fn no_offer() -> StepProblem {
    over("this offer is none of this provider's, or too old; the old phone makes another")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfferRequest {
    login: String,
}

#[derive(Serialize)]
struct Offered {
    /// What the new phone accepts.
    offer: String,
    /// Opens the wallet on the new phone; `None` where the insurer has none: its app knows what to do with the offer.
    link: Option<String>,
    /// The link as a QR code; `None` where it is too long for one.
    code: Option<qr::Drawn>,
    /// What the old phone goes on with.
    #[serde(rename = "move")]
    held: String,
    /// Last second in which it can be accepted.
    expires_at: u64,
}

/// `POST /devices/move`.
pub(crate) async fn offer(core: &Core, tenant: &Arc<Tenant>, body: &Bytes) -> Response {
    match try_offer(core, tenant, body).await {
        Ok(offered) => json_response(StatusCode::OK, &offered),
        Err(problem) => core.problem("move_refused", problem).into_json(),
    }
}

async fn try_offer(core: &Core, tenant: &Arc<Tenant>, body: &Bytes) -> Result<Offered, StepProblem> {
    let now = core.now();
    let request: OfferRequest = authenticate::read(body)?;
    // As bindings: a login that belongs to a browser is refused here, since no cookie is looked at.
    let authenticated =
        consent::open_authenticated(core, tenant, tenant.issuer(), &request.login, &HeaderMap::new(), now)?;
    let login = &authenticated.login;
    let just_now = now.seconds_since(login.performed.auth_time) <= JUST_NOW_SECONDS;
    let Some(used) = login
        .device
        .filter(|_| just_now && login.performed.session == Session::Fresh && login.asking.is_none())
    else {
        return Err(StepProblem::denied(
            Reason::LevelTooLow,
            format_args!(
                "this needs an account login that the old phone's own key answered within {JUST_NOW_SECONDS} seconds"
            ),
        ));
    };
    managing::check_still_good(core, tenant, &authenticated).await?;
    let person = authenticated.capability.person_id();
    second_device::check_not_cooling_off(core, tenant, person).await?;
    core.spend(tenant, Limit::AccountChanges, person.as_bytes()).await?;
    let answered_at = login.performed.auth_time;
    let old = old_device(core, tenant, authenticated.capability, &used.device_id).await?;
    let voucher = old.vouch(&tenant.settings.policy, now)?;
    let expires_at = now.plus_seconds(OFFER_SECONDS);
    let offer = Offer {
        person,
        level: voucher.level,
        expires_at,
    };
    let offer = offer.seal(core, tenant, now)?;
    let held = Held {
        move_id: move_id(&offer),
        device_id: used.device_id,
        level: voucher.level,
        answered_at,
        // Whoever accepts in the last second has his time too.
        expires_at: expires_at.plus_seconds(APPROVAL_SECONDS),
    };
    // Reading her record has used the right to it up: the login gives it again.
    let login = consent::open_authenticated(core, tenant, tenant.issuer(), &request.login, &HeaderMap::new(), now)?;
    let link = link(tenant, &offer);
    tracing::info!(event = "move_offered", "an old phone offers to vouch for a new one");
    Ok(Offered {
        code: link.as_deref().and_then(qr::drawn),
        link,
        offer,
        held: held.seal(core, &login.capability, now)?,
        expires_at: expires_at.0,
    })
}

/// What the new phone opens.
fn link(tenant: &Tenant, offer: &str) -> Option<String> {
    let settings = &tenant.settings;
    let url = match (&settings.wallet, &settings.authenticator_url) {
        (Some(_), _) => format!("{}/wallet/", settings.browser_base),
        (None, url) => url.clone()?,
    };
    Some(redirect_with(&url, &[("issuer", tenant.issuer()), ("move", offer)]))
}

/// The old device as it stands now.
async fn old_device(
    core: &Core,
    tenant: &Tenant,
    capability: PersonCapability,
    device_id: &[u8; 16],
) -> Result<DeviceKey, StepProblem> {
    let at = core.vault.device_key(tenant.id(), &capability.person_id(), device_id)?;
    read(core, capability, &at).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateRequest {
    /// The new phone's.
    #[serde(default)]
    ticket: Option<String>,
    /// The old phone's.
    #[serde(default, rename = "move")]
    held: Option<String>,
}

/// How a move stands.
#[derive(Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
enum State {
    /// To the old phone: nobody has accepted yet.
    Open,
    /// To the old phone: this one asks.
    Asked {
        asking: Asking,
        /// To be signed with the old key.
        challenge: String,
        /// Last second in which it can be approved.
        expires_at: u64,
    },
    /// To the new phone: the old one has not decided yet.
    Waiting,
    /// The new device is bound.
    Bound {
        device: String,
        name: String,
        class: String,
        valid_until: u64,
    },
}

/// A new phone, as the old one shows it.
#[derive(Serialize)]
struct Asking {
    name: String,
    class: String,
    level: &'static str,
    #[serde(flatten)]
    seen: OtherDevice,
}

/// `POST /devices/move/state`. Changes nothing.
pub(crate) async fn state(core: &Core, tenant: &Arc<Tenant>, network: Network, body: &Bytes) -> Response {
    match try_state(core, tenant, network, body).await {
        Ok(state) => json_response(StatusCode::OK, &state),
        Err(problem) => core.problem("move_refused", problem).into_json(),
    }
}

async fn try_state(core: &Core, tenant: &Arc<Tenant>, network: Network, body: &Bytes) -> Result<State, StepProblem> {
    let now = core.now();
    let request: StateRequest = authenticate::read(body)?;
    match (request.ticket, request.held) {
        (Some(ticket), None) => {
            let ticket = Ticket::open(core, tenant, now, &ticket).ok_or_else(no_offer)?;
            match Place::of(core, tenant, ticket.move_id)?.look().await? {
                Some(Left::Asked { candidate, asks }) if *candidate.device_id() == ticket.device_id => {
                    check_in_time(asks, now)?;
                    Ok(State::Waiting)
                }
                Some(Left::Bound(bound)) if *bound.candidate.device_id() == ticket.device_id => Ok(bound.state()),
                Some(left @ Left::Ended(_)) => Err(place::ended(&left)),
                _ => Err(no_offer()),
            }
        }
        (None, Some(held)) => {
            let (_, held) = Held::open(core, tenant, now, &held).ok_or_else(no_offer)?;
            match Place::of(core, tenant, held.move_id)?.look().await? {
                None => Ok(State::Open),
                Some(Left::Asked { candidate, asks }) => {
                    check_in_time(asks, now)?;
                    asked(core, tenant, network, &held, &candidate, asks, now).await
                }
                Some(Left::Bound(bound)) => Ok(bound.state()),
                Some(left @ Left::Ended(_)) => Err(place::ended(&left)),
            }
        }
        _ => Err(StepProblem::invalid(
            "exactly one of the members 'ticket' and 'move' is needed",
        )),
    }
}

impl Bound {
    fn state(&self) -> State {
        State::Bound {
            device: people::device_handle(self.person, self.candidate.device_id()),
            name: self.candidate.name().to_owned(),
            class: self.candidate.class().to_owned(),
            valid_until: self.valid_until.0,
        }
    }
}

fn check_in_time(asks: AskingDevice, now: UnixTime) -> Result<(), StepProblem> {
    if now <= asks.asked_at.plus_seconds(APPROVAL_SECONDS) {
        return Ok(());
    }
    Err(over("nobody approved in time; the old phone makes another offer"))
}

/// Asks the old phone: who wants to be bound, and a challenge over exactly that.
async fn asked(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    held: &Held,
    candidate: &Candidate,
    asks: AskingDevice,
    now: UnixTime,
) -> Result<State, StepProblem> {
    let policy = &tenant.settings.policy;
    let class = policy.device_class(candidate.class()).ok_or_else(no_offer)?;
    let keys = core.tenant_keys(tenant).await?;
    let challenge = Challenge {
        iss: tenant.issuer().to_owned(),
        login_id: held.move_id,
        client_id: tenant.issuer().to_owned(),
        client_name: tenant.settings.organization_name.clone(),
        request_hash: request_hash(candidate),
        purpose: Purpose::Move,
        iat: now,
        exp: now.plus_seconds(challenge::LIFETIME_SECONDS),
    };
    Ok(State::Asked {
        asking: Asking {
            name: candidate.name().to_owned(),
            class: candidate.class().to_owned(),
            level: class.level.min(held.level).as_str(),
            seen: OtherDevice::seen_from(core, tenant, asks, network)?,
        },
        challenge: challenge::issue(&challenge, keys.challenge_signer()).map_err(StepProblem::failed)?,
        expires_at: asks.asked_at.plus_seconds(APPROVAL_SECONDS).0,
    })
}

/// Binds a challenge to everything that asks: name, class, key.
fn request_hash(candidate: &Candidate) -> String {
    base64url::encode(digest::digest(&digest::SHA256, &candidate.to_bytes()).as_ref())
}
