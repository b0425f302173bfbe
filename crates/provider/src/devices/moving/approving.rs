//! The old phone's last word: the two digits and its signature bind the new device, in one commit with the entry in her history and the end of the
//! offer; or it ends the move.

use std::sync::Arc;

use authenticator::{
    Method,
    challenge::{self, Purpose, VerifiedChallenge},
    device::{Candidate, DeviceError, DeviceKey, VerifiedAssertion},
    policy::{Performed, Session},
};
use aws_lc_rs::constant_time;
use axum::{body::Bytes, http::StatusCode, response::Response};
use jose::{UnixTime, jwk::JwkSet};
use serde::Deserialize;
use vault::{PersonCapability, PersonId};

use super::{
    State, accepting, check_in_time, no_offer, over,
    place::{self, Bound, Ended, Left, Place},
    request_hash,
    states::Held,
};
use crate::{
    authenticate::{self, Signed},
    core::{Committed, Core, StepProblem},
    devices::keep_changing,
    history::{self, Access, Entry, Event},
    limits::{Counted, Limit, Network},
    passkeys::PasskeyAnswer,
    people, second_device,
    support::json_response,
    tenant::Tenant,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approval {
    #[serde(rename = "move")]
    held: String,
    /// The two digits the new phone shows.
    number: String,
    /// A device key: its handle, and an assertion over the challenge of `state`.
    #[serde(default)]
    device: Option<String>,
    #[serde(default)]
    response: Option<String>,
    /// A passkey: the challenge's token, and what the browser gave.
    #[serde(default)]
    challenge: Option<String>,
    #[serde(default)]
    passkey: Option<PasskeyAnswer>,
}

/// `POST /devices/move/approve`.
pub(crate) async fn approve(core: &Core, tenant: &Arc<Tenant>, network: Network, body: &Bytes) -> Response {
    match try_approve(core, tenant, network, body).await {
        Ok(state) => json_response(StatusCode::OK, &state),
        Err(problem) => core.problem("move_refused", problem).into_json(),
    }
}

async fn try_approve(core: &Core, tenant: &Arc<Tenant>, network: Network, body: &Bytes) -> Result<State, StepProblem> {
    let now = core.now();
    let answer: Approval = authenticate::read(body)?;
    let (capability, held) = Held::open(core, tenant, now, &answer.held).ok_or_else(no_offer)?;
    let person = capability.person_id();
    let typed = typed(&answer.number)?;
    let place = Place::of(core, tenant, held.move_id)?;
    let (candidate, version) = match place.look_closely().await? {
        Some((Left::Asked { candidate, asks }, version)) => {
            check_in_time(asks, now)?;
            (candidate, version)
        }
        // The answer to the first time was lost.
        Some((Left::Bound(bound), _)) => return Ok(bound.state()),
        Some((left, _)) => return Err(place::ended(&left)),
        None => return Err(StepProblem::invalid("no phone has accepted this offer yet")),
    };
    check_begun_well(core, tenant, person, &held).await?;
    let signed = Signed::of(answer.device, answer.response, answer.challenge, answer.passkey)?;
    let challenge = challenge_of(core, tenant, &held, &candidate, signed.challenge_token(), now).await?;
    let old = Old {
        core,
        tenant,
        person,
        device_id: held.device_id,
    };
    let (old_key, verified) = old.verify(&signed, &challenge, now).await?;
    if constant_time::verify_slices_are_equal(
        typed.as_bytes(),
        accepting::digits(core, tenant, &held.move_id, &candidate)?.as_bytes(),
    )
    .is_err()
    {
        // It is not typed a second time.
        old.end(&place, Ended::NumberWrong).await?;
        return Err(place::ended(&Left::Ended(Ended::NumberWrong)));
    }
    let voucher = old_key.vouch(&tenant.settings.policy, now)?;
    accepting::check_room(core, tenant, person).await?;
    let device = candidate.clone().bind(&voucher, &tenant.settings.policy, now)?;
    let bound = Bound {
        person,
        candidate,
        valid_until: device
            .valid_until(&tenant.settings.policy)
            .ok_or_else(|| StepProblem::failed("a class just admitted is not admitted"))?,
    };
    let performed = Performed {
        method: Method::DeviceKey,
        level: voucher.level,
        auth_time: now,
        consented_to_substantial: device.consented_to_substantial,
        session: Session::Fresh,
    };
    let new = New {
        old: &old,
        place: &place,
        version,
        move_id: held.move_id,
        counter: verified.counter,
        performed: &performed,
    };
    new.commit(capability, &device, &bound, now).await?;
    tracing::info!(event = "device_moved", "an old phone vouched for a new one");
    core.anomalies
        .enrolled(network.told_apart(&core.limits), person.as_bytes(), now);
    Ok(bound.state())
}

/// Two digits, as somebody types them.
fn typed(number: &str) -> Result<String, StepProblem> {
    let typed: String = number.chars().filter(|typed| !typed.is_whitespace()).collect();
    if typed.len() == 2 && typed.bytes().all(|digit| digit.is_ascii_digit()) {
        return Ok(typed);
    }
    Err(StepProblem::invalid(
        "member 'number': expected the two digits that the new phone shows",
    ))
}

/// Nothing has been said against the old device or the person's calls since the offer was made.
async fn check_begun_well(core: &Core, tenant: &Tenant, person: PersonId, held: &Held) -> Result<(), StepProblem> {
    second_device::check_not_cooling_off(core, tenant, person).await?;
    let at = core.vault.device_key(tenant.id(), &person, &held.device_id)?;
    let ledger = core.freshness.of(tenant.id()).await?;
    if held.answered_at.0 < ledger.logins_not_before(&core.vault) {
        // How it ended may have gone with a database that was put back.
        return Err(over("this move was begun before a database was put back; begin again"));
    }
    match ledger.ends_login(&core.vault, person, &at, held.answered_at) {
        None => Ok(()),
        Some(reason) => Err(StepProblem::denied(
            reason,
            "the old phone was removed, locked or blocked since",
        )),
    }
}

/// The challenge must be ours, for this move, and over what asks now.
async fn challenge_of(
    core: &Core,
    tenant: &Arc<Tenant>,
    held: &Held,
    candidate: &Candidate,
    token: &str,
    now: UnixTime,
) -> Result<VerifiedChallenge, StepProblem> {
    let keys = JwkSet::new(core.tenant_keys(tenant).await?.challenge_keys());
    let refused = |error: challenge::ChallengeError| StepProblem::invalid_because(error.reason(), error);
    let verified = challenge::verify(token, &keys, now).map_err(refused)?;
    let issuer = tenant.issuer();
    verified
        .check_login(issuer, &held.move_id, issuer, &request_hash(candidate), Purpose::Move)
        .map_err(refused)?;
    Ok(verified)
}

/// The device that vouches.
struct Old<'a> {
    core: &'a Core,
    tenant: &'a Arc<Tenant>,
    person: PersonId,
    device_id: [u8; 16],
}

impl Old<'_> {
    /// Its signature: by the device the offer was made with, and no other of hers.
    async fn verify(
        &self,
        signed: &Signed,
        challenge: &VerifiedChallenge,
        now: UnixTime,
    ) -> Result<(DeviceKey, VerifiedAssertion), StepProblem> {
        let Self { core, tenant, .. } = *self;
        let handle = people::to_handle(self.person, &self.device_id);
        let counted: [Counted<'_>; 2] = [
            (Limit::DeviceFailures, &handle),
            (Limit::PersonFailures, self.person.as_bytes()),
        ];
        core.check_room(tenant, &counted).await?;
        let named = people::device_by_handle(core, tenant, tenant.issuer(), &handle).await?;
        if signed.handle() != handle || named.rows.is_none() {
            return Err(authenticate::not_its_own());
        }
        match signed.verify(tenant, challenge, &named, now)? {
            Ok(verified) => Ok((named.key, verified)),
            Err(DeviceError::Signature) => {
                core.count_failure(tenant, &counted).await?;
                Err(authenticate::not_its_own())
            }
            Err(error) => Err(StepProblem::denied(error.reason(), error)),
        }
    }

    /// Ends a move; she reads of it.
    async fn end(&self, place: &Place<'_>, how: Ended) -> Result<(), StepProblem> {
        let event = match how {
            Ended::Declined | Ended::NumberWrong => Event::MoveEnded,
            Ended::NotMe => Event::NotMe,
            Ended::PhoneCall => Event::PhoneCall,
        };
        let entry = Entry::of(event, self.core.now()).about_device(self.device_id);
        place.end(how, self.person, &entry).await
    }
}

/// A new device on its way into the store.
struct New<'a> {
    old: &'a Old<'a>,
    place: &'a Place<'a>,
    /// Of the row where it asks.
    version: u64,
    move_id: [u8; 16],
    /// How far the old one has counted.
    counter: u64,
    performed: &'a Performed,
}

impl New<'_> {
    /// The record, an entry about each of the two devices, how far the old one has counted, and the end of the offer: all of it or nothing.
    async fn commit(
        &self,
        capability: PersonCapability,
        device: &DeviceKey,
        bound: &Bound,
        now: UnixTime,
    ) -> Result<(), StepProblem> {
        let Old {
            core,
            tenant,
            person,
            device_id,
        } = *self.old;
        let identity = people::identity(core, &capability).await?;
        let at = core.vault.device_key(tenant.id(), &person, &device.device_id)?;
        let content = people::write_device(device)?;
        let record = core.vault.with_person(capability, &identity, |scope| {
            scope.seal_record(at, None, &scope.plaintext(content), None)
        })??;
        let counted = core.vault.device_counter(tenant.id(), person, &device_id)?;
        let entry = |event, device| Entry::of(event, now).proven(self.performed).about_device(device);
        let accesses = [
            Access {
                entry: entry(Event::DeviceBound, device.device_id),
                claim: self.move_id,
                counter: Some((counted, self.counter)),
            },
            Access::alone(core, entry(Event::DeviceMoved, device_id)),
        ];
        let beside = vec![record, self.place.bound(self.version, bound)?];
        match history::record_all(core, tenant.id(), person, &identity, &accesses, beside).await? {
            Committed::Yes => {}
            Committed::Conflict(0) => return Err(over("this move is over; the old phone makes another offer")),
            Committed::Conflict(_) => return Err(keep_changing()),
        }
        core.freshness.of(tenant.id()).await?.shown(counted, self.counter);
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    #[serde(rename = "move")]
    held: String,
    why: Why,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Why {
    /// She does not want it.
    Declined,
    /// That is not her phone.
    NotMe,
    /// Somebody is on the phone with her.
    PhoneCall,
}

/// `POST /devices/move/end`.
pub(crate) async fn end(core: &Core, tenant: &Arc<Tenant>, body: &Bytes) -> Response {
    match try_end(core, tenant, body).await {
        Ok(()) => json_response(StatusCode::OK, &serde_json::Map::new()),
        Err(problem) => core.problem("move_refused", problem).into_json(),
    }
}

async fn try_end(core: &Core, tenant: &Arc<Tenant>, body: &Bytes) -> Result<(), StepProblem> {
    let refusal: Refusal = authenticate::read(body)?;
    let (capability, held) = Held::open(core, tenant, core.now(), &refusal.held).ok_or_else(no_offer)?;
    let person = capability.person_id();
    // Even where the move cannot be ended any more, the caller's next wish can be kept from her.
    if refusal.why == Why::PhoneCall {
        second_device::cool_off(core, tenant, person).await?;
    }
    let old = Old {
        core,
        tenant,
        person,
        device_id: held.device_id,
    };
    let how = match refusal.why {
        Why::Declined => Ended::Declined,
        Why::NotMe => Ended::NotMe,
        Why::PhoneCall => Ended::PhoneCall,
    };
    old.end(&Place::of(core, tenant, held.move_id)?, how).await
}
