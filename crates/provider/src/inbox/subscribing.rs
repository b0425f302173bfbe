//! `POST /devices/push`: a phone says where it is to be woken when a login waits for it, or that it is not any more.
//!
//! It says so with a signature over the address. A ticket, which lies in the phone's storage, is not enough: whoever stole one would have the
//! phone's wake-ups sent to himself, and learn when she logs in.

use std::sync::Arc;

use authenticator::{
    Reason,
    device::{LookPurpose, parse_look, verify_look},
};
use axum::{body::Bytes, http::StatusCode, response::Response};
use jose::base64url;
use serde::{Deserialize, Serialize};
use store::Write;

use super::{SUBSCRIPTION_SECONDS, endpoint::EndpointError, looking};
use crate::{
    authenticate,
    core::{Committed, Core, StepProblem},
    limits::{Limit, Network},
    people,
    support::json_response,
    tenant::Tenant,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// Signed by the device's key, with the purpose `push`.
    look: String,
}

#[derive(Serialize)]
struct Kept {
    /// Until then it is woken unless it says so again; absent where it is not woken any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

/// Takes an address, or takes it back.
pub(crate) async fn subscribe(core: &Core, tenant: &Arc<Tenant>, network: Network, body: &Bytes) -> Response {
    match try_subscribe(core, tenant, network, body).await {
        Ok(kept) => json_response(StatusCode::OK, &kept),
        Err(problem) => core.problem("wake_up_refused", problem).into_json(),
    }
}

async fn try_subscribe(core: &Core, tenant: &Arc<Tenant>, network: Network, body: &Bytes) -> Result<Kept, StepProblem> {
    let counted = looking::counted(core, &network);
    core.check_room(tenant, &counted).await?;
    let now = core.now();
    let wish: Wish = authenticate::read(body)?;
    let look = parse_look(&wish.look, LookPurpose::Push)
        .map_err(|error| StepProblem::invalid_because(error.reason(), error))?;
    let handle: [u8; 32] = base64url::decode_array(look.device()).unwrap_or_default();
    let (person, device) = people::of_handle(&handle);
    let at = core.vault.device_key(tenant.id(), &person, &device)?;
    let key = core.vault.subscription_key(&at)?;
    let held = people::held(core, tenant, &handle, &[key]).await?;
    let verdict = verify_look(&look, tenant.issuer(), &held.key, now);
    looking::admit(core, tenant, &counted, held.is_bound, verdict).await?;
    let endpoint = match (look.endpoint(), &core.push) {
        (None, _) => None,
        (Some(_), None) => {
            return Err(StepProblem::invalid_because(
                Reason::PushServiceUnknown,
                "no phone is woken here",
            ));
        }
        (Some(text), Some(service)) => Some(service.endpoint(text).map_err(refusal)?),
    };
    core.spend(tenant, Limit::AccountChanges, person.as_bytes()).await?;
    let Some(endpoint) = endpoint else {
        core.commit(&[], &[Write::Delete(key)]).await?;
        tracing::info!(event = "wake_up_off", "a phone is not woken any more");
        return Ok(Kept { until: None });
    };
    let stored = held.beside.first().and_then(Option::as_ref).map(|row| row.version);
    let until = now.0 + SUBSCRIPTION_SECONDS;
    let change = core.vault.keep_subscription(key, stored, endpoint.as_str(), until)?;
    match core.commit(&[change.condition], &[change.write]).await? {
        Committed::Yes => {
            tracing::info!(event = "wake_up_on", "a phone is woken when a login waits for it");
            Ok(Kept { until: Some(until) })
        }
        Committed::Conflict(_) => Err(StepProblem::Unavailable(
            "the same phone named another address at the same time".to_owned(),
        )),
    }
}

/// A push service that is not called here is nothing the wallet did wrong; an address that is none is.
fn refusal(error: EndpointError) -> StepProblem {
    match error {
        EndpointError::Host => StepProblem::invalid_because(Reason::PushServiceUnknown, error),
        EndpointError::TooLong | EndpointError::Form | EndpointError::Scheme | EndpointError::UserInfo => {
            StepProblem::invalid(error)
        }
    }
}
