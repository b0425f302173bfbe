//! The new phone's part: it brings its key for an offer, and shows two digits.

use std::sync::Arc;

use authenticator::{
    Acr,
    device::{BindingRequest, Candidate, ClassEvidence, move_id},
};
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use jose::{UnixTime, jwk::Jwk};
use oidc::asking_device::AskingDevice;
use serde::{Deserialize, Serialize};
use store::Kind;
use vault::{PersonId, Rows};

use super::{
    APPROVAL_SECONDS, check_in_time, no_offer, over,
    place::{self, Left, Place},
    states::{Offer, Ticket},
};
use crate::{
    authenticate,
    core::{Core, StepProblem},
    devices::{Finding, MAX_DEVICES, attested::MadeAttestation, binding, too_many},
    limits::{Limit, Network},
    rng, second_device,
    support::json_response,
    tenant::Tenant,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    offer: String,
    name: String,
    class: String,
    public_key: serde_json::Value,
    proof: String,
    #[serde(default)]
    consent_to_substantial: bool,
    #[serde(default)]
    attestation: Option<MadeAttestation>,
    #[serde(default)]
    hardware: Option<String>,
}

#[derive(Serialize)]
struct Accepted {
    /// What the new phone goes on with.
    ticket: String,
    /// The two digits it shows.
    number: String,
    /// Last second in which the old phone can approve.
    expires_at: u64,
    /// Why it reached no stronger class, where it was attested.
    findings: Vec<Finding>,
}

/// `POST /devices/move/accept`.
pub(crate) async fn accept(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    match try_accept(core, tenant, network, headers, body).await {
        Ok(accepted) => json_response(StatusCode::OK, &accepted),
        Err(problem) => core.problem("move_refused", problem).into_json(),
    }
}

async fn try_accept(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Accepted, StepProblem> {
    let now = core.now();
    let wish: Acceptance = authenticate::read(body)?;
    let offer = Offer::open(core, tenant, now, &wish.offer).ok_or_else(no_offer)?;
    let id = move_id(&wish.offer);
    let place = Place::of(core, tenant, id)?;
    let left = place.look().await?;
    if left.is_none() {
        // Judging what it brings costs something: counted whatever comes of it.
        core.spend(tenant, Limit::Bindings, offer.person.as_bytes()).await?;
        check_room(core, tenant, offer.person).await?;
    }
    let (candidate, findings) = wish.candidate(core, tenant, &id, offer.level, now)?;
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let asks = AskingDevice::new(user_agent, second_device::network_mark(core, tenant, network)?, now);
    // The first one takes it. The same one again, whose answer was lost, is told the same.
    let taken = match left {
        None => place.ask(&candidate, asks).await?,
        Some(left) => left,
    };
    let (asked, asks) = match taken {
        Left::Asked { candidate, asks } => (candidate, asks),
        left => return Err(place::ended(&left)),
    };
    check_in_time(asks, now)?;
    if asked.public_key() != candidate.public_key() {
        return Err(over("another phone was faster; the old phone makes another offer"));
    }
    let expires_at = asks.asked_at.plus_seconds(APPROVAL_SECONDS);
    tracing::info!(event = "move_accepted", "a new phone waits for the old one");
    Ok(Accepted {
        number: digits(core, tenant, &id, &asked)?,
        ticket: Ticket {
            move_id: id,
            device_id: *asked.device_id(),
        }
        .seal(core, tenant, now)?,
        expires_at: expires_at.0,
        findings,
    })
}

impl Acceptance {
    fn candidate(
        &self,
        core: &Core,
        tenant: &Tenant,
        id: &[u8; 16],
        level: Acr,
        now: UnixTime,
    ) -> Result<(Candidate, Vec<Finding>), StepProblem> {
        let public_key = Jwk::from_value(&self.public_key)
            .map_err(|error| StepProblem::invalid(format_args!("member 'public_key': {error}")))?
            .key;
        let (evidence, findings) = match &self.attestation {
            Some(made) => made.judge(tenant, id, &public_key, now)?,
            None => {
                let class = self.class.clone();
                (ClassEvidence::Claimed { class }, Vec::new())
            }
        };
        let request = BindingRequest {
            device_id: rng::bytes(&*core.rng),
            // Whose it becomes, the old device's voucher says.
            person_id: [0; 16],
            public_key,
            name: self.name.clone(),
            evidence,
            consented_to_substantial: self.consent_to_substantial,
            hardware: self.hardware.as_deref().map(binding::mark).transpose()?,
        };
        let candidate = Candidate::check(&request, &self.proof, id, level, &tenant.settings.policy)?;
        Ok((candidate, findings))
    }
}

/// The digits the new phone shows. They follow from offer and key under a key of the tenant; whoever has only the offer does not know them.
pub(super) fn digits(
    core: &Core,
    tenant: &Tenant,
    id: &[u8; 16],
    candidate: &Candidate,
) -> Result<String, StepProblem> {
    let key = candidate.public_key().to_uncompressed();
    let mark = core.vault.mark(tenant.id(), &[b"move digits", id, &key])?;
    Ok(format!("{:02}", u64::from_be_bytes(mark) % 100))
}

pub(super) async fn check_room(core: &Core, tenant: &Tenant, person: PersonId) -> Result<(), StepProblem> {
    let group = core.vault.row_group(tenant.id(), &person, Rows::Devices)?;
    let hers = core
        .store
        .list(Kind::Device, tenant.id(), group.as_bytes(), MAX_DEVICES)
        .await?;
    if hers.len() < MAX_DEVICES {
        return Ok(());
    }
    Err(too_many())
}
