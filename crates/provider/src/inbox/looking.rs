//! `POST /devices/requests`: a phone asks which logins wait for it. Writes nothing, and opens nothing of the person but the record of the device that
//! asks.
//!
//! It asks with a signature of its key ([`authenticator::device::parse_look`]), and from then on for a month with the ticket it got for it: a key
//! that wants its user for each signature is not asked every few seconds. A ticket is good for this question and nothing else.

use std::sync::Arc;

use authenticator::{
    Reason,
    device::{LookError, LookPurpose, UnverifiedLook, check_may_look, parse_look, verify_look},
};
use axum::{body::Bytes, http::StatusCode, response::Response};
use jose::{UnixTime, base64url};
use oidc::login_state::LoginId;
use serde::{Deserialize, Serialize};
use store::Key;
use vault::StateKind;

use super::{TICKET_SECONDS, Waiting, read};
use crate::{
    authenticate::{self, Service},
    core::{Core, StepProblem},
    limits::{Counted, Limit, Network},
    people,
    support::json_response,
    tenant::Tenant,
};

const FORM: u8 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// A look, signed by the device's key.
    #[serde(default)]
    look: Option<String>,
    /// What an earlier answer gave.
    #[serde(default)]
    ticket: Option<String>,
}

#[derive(Serialize)]
struct Found {
    requests: Vec<FoundRequest>,
    /// Asks again without a signature; given for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
}

#[derive(Serialize)]
struct FoundRequest {
    client_id: String,
    login: String,
    asked_at: u64,
    /// Who asks, for a list. What she decides by is the challenge's signed name.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Service>,
}

/// Answers one question.
pub(crate) async fn look(core: &Core, tenant: &Arc<Tenant>, network: Network, body: &Bytes) -> Response {
    match try_look(core, tenant, network, body).await {
        Ok(found) => json_response(StatusCode::OK, &found),
        Err(problem) => core.problem("requests_refused", problem).into_json(),
    }
}

/// Who asks, as he says.
enum Asker {
    Signed(UnverifiedLook),
    Ticket([u8; 32]),
}

impl Asker {
    fn of(core: &Core, tenant: &Tenant, question: &Question, now: UnixTime) -> Result<Self, StepProblem> {
        match (&question.look, &question.ticket) {
            (Some(look), None) => parse_look(look, LookPurpose::Requests)
                .map(Self::Signed)
                .map_err(|error| StepProblem::invalid_because(error.reason(), error)),
            (None, Some(ticket)) => open_ticket(core, tenant, ticket, now).map(Self::Ticket).ok_or_else(|| {
                StepProblem::invalid_because(
                    Reason::LoginUnknown,
                    "member 'ticket': not this provider's, or too old; ask with a signature",
                )
            }),
            _ => Err(StepProblem::invalid(
                "exactly one of the members 'look' and 'ticket' is needed",
            )),
        }
    }

    /// What has not even a handle's form leads to nobody.
    fn handle(&self) -> [u8; 32] {
        match self {
            Self::Signed(look) => base64url::decode_array(look.device()).unwrap_or_default(),
            Self::Ticket(handle) => *handle,
        }
    }
}

fn ticket(core: &Core, tenant: &Tenant, handle: &[u8; 32], now: UnixTime) -> Result<String, StepProblem> {
    let until = now.0 + TICKET_SECONDS;
    let content = [&[FORM], &handle[..], &until.to_be_bytes()].concat();
    Ok(core.seal(tenant, StateKind::LookTicket, now, &content)?)
}

fn open_ticket(core: &Core, tenant: &Tenant, sealed: &str, now: UnixTime) -> Option<[u8; 32]> {
    let content = core.open(tenant, StateKind::LookTicket, now, sealed)?;
    let (&FORM, rest) = content.split_first()? else {
        return None;
    };
    let (handle, until) = rest.split_first_chunk::<32>()?;
    let until = u64::from_be_bytes(until.try_into().ok()?);
    (now.0 <= until).then_some(*handle)
}

/// Whose failures count.
pub(super) fn counted<'a>(core: &Core, network: &'a Network) -> Vec<Counted<'a>> {
    let mut counted: Vec<Counted<'a>> = vec![(Limit::InsurerFailures, &[])];
    counted.extend(
        network
            .told_apart(&core.limits)
            .map(|network| (Limit::NetworkFailures, &network[..])),
    );
    counted
}

/// Lets the holder of a bound device go on.
pub(super) async fn admit(
    core: &Core,
    tenant: &Tenant,
    counted: &[Counted<'_>],
    is_bound: bool,
    verdict: Result<(), LookError>,
) -> Result<(), StepProblem> {
    match verdict {
        Ok(()) if is_bound => Ok(()),
        // Its holder is told what is wrong; everybody else, that there is no such device. They do not lock hers out: they are counted as a network.
        Err(error) if is_bound && !matches!(error, LookError::Signature | LookError::Elsewhere) => {
            Err(StepProblem::denied(error.reason(), error))
        }
        Ok(()) | Err(_) => {
            core.count_failure(tenant, counted).await?;
            Err(StepProblem::denied(
                Reason::DeviceUnknown,
                "no device is bound under this name (any more), or the look does not bear its signature",
            ))
        }
    }
}

async fn try_look(core: &Core, tenant: &Arc<Tenant>, network: Network, body: &Bytes) -> Result<Found, StepProblem> {
    let counted = counted(core, &network);
    core.check_room(tenant, &counted).await?;
    let now = core.now();
    let question: Question = authenticate::read(body)?;
    let asker = Asker::of(core, tenant, &question, now)?;
    let handle = asker.handle();
    let (person, device) = people::of_handle(&handle);
    let key = core.vault.inbox_key(tenant.id(), &person, &device)?;
    let held = people::held(core, tenant, &handle, &[key]).await?;
    let verdict = match &asker {
        Asker::Signed(look) => verify_look(look, tenant.issuer(), &held.key, now),
        Asker::Ticket(_) => check_may_look(&held.key),
    };
    admit(core, tenant, &counted, held.is_bound, verdict).await?;
    let row = held.beside.into_iter().next().flatten();
    let waiting = read(core, &key, row.as_ref(), now)?;
    let mut requests = Vec::with_capacity(waiting.len());
    for request in still_open(core, tenant, waiting).await? {
        let party = core.relying_parties.resolve(&request.client_id, now).await.ok();
        requests.push(FoundRequest {
            service: party.map(|party| Service {
                name: party.name().to_owned(),
                logo_uri: party.logo_uri().map(str::to_owned),
            }),
            client_id: request.client_id,
            login: request.login,
            asked_at: request.asked_at,
        });
    }
    let ticket = match asker {
        Asker::Signed(_) => Some(ticket(core, tenant, &handle, now)?),
        Asker::Ticket(_) => None,
    };
    Ok(Found { requests, ticket })
}

/// Without what was decided or ended meanwhile. One read for all of them, and none where nothing waits.
async fn still_open(core: &Core, tenant: &Tenant, waiting: Vec<Waiting>) -> Result<Vec<Waiting>, StepProblem> {
    if waiting.is_empty() {
        return Ok(waiting);
    }
    let mut keys = Vec::with_capacity(2 * waiting.len());
    for request in &waiting {
        let LoginId(login) = request
            .login_id()
            .ok_or_else(|| StepProblem::failed("an inbox has an unknown form"))?;
        keys.push(core.vault.rendezvous_key(tenant.id(), &login)?);
        keys.push(Key::single_use(tenant.id(), &login));
    }
    let rows = core.store.load(&keys).await?;
    let is_open = rows.chunks(2).map(|rows| rows.iter().all(Option::is_none));
    let open = waiting.into_iter().zip(is_open);
    Ok(open
        .filter_map(|(request, is_open)| is_open.then_some(request))
        .collect())
}
