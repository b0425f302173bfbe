//! `POST /auth/abort`: it is not her login, or somebody tells her on the phone what to do. Ends it for everybody who has a part of it.

use std::sync::Arc;

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use oidc::authorization::AuthorizationError;
use serde::Deserialize;

use crate::{
    authenticate,
    consent::{self, Authenticated},
    core::{Core, StepProblem},
    inbox,
    second_device::{
        self,
        rendezvous::{Outcome, Place},
    },
    support::json_response,
    tenant::Tenant,
};

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Why {
    /// She did not begin it.
    NotMe,
    /// Somebody is on the phone with her.
    PhoneCall,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Abort {
    client_id: String,
    login: String,
    why: Why,
}

/// Answers one call.
pub(crate) async fn abort(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    let result = async {
        let abort: Abort = authenticate::read(body)?;
        end(core, tenant, headers, &abort.client_id, &abort.login, abort.why).await
    };
    match result.await {
        Ok(()) => json_response(StatusCode::OK, &serde_json::Map::new()),
        Err(problem) => core.problem("abort_refused", problem).into_json(),
    }
}

/// Before and after it is known who she is. Only then can she be kept from the next caller's wishes for a while: before, nobody knows whom to keep.
pub(crate) async fn end(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    client_id: &str,
    login: &str,
    why: Why,
) -> Result<(), StepProblem> {
    let now = core.now();
    let outcome = match why {
        Why::NotMe => Outcome::NotMe,
        Why::PhoneCall => Outcome::PhoneCall,
    };
    match consent::open_authenticated(core, tenant, client_id, login, headers, now) {
        Ok(Authenticated { capability, login }) => {
            let person = capability.person_id();
            // Even where the login cannot be ended any more, the next one can be kept from her.
            if why == Why::PhoneCall {
                second_device::cool_off(core, tenant, person).await?;
            }
            // A service that cannot be asked for its name keeps nobody from ending its login.
            let party = core.relying_parties.resolve(client_id, now).await.ok();
            consent::end_elsewhere(core, tenant, party.as_deref(), person, &login, outcome, now).await
        }
        Err(AuthorizationError::UnknownLogin) => {
            let pending = authenticate::open_pending(core, tenant, client_id, login, now)?;
            inbox::answered(core, tenant, pending.asking, outcome).await?;
            let place = Place::of(core, tenant, pending.request.login_id)?;
            place.end(outcome, None).await
        }
        Err(error) => Err(error.into()),
    }
}
