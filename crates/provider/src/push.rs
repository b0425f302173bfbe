//! `POST /par`: pushed authorization requests over mutual TLS (RFC 9126, A_22651, A_22966, A_22991, A_22992).

use std::sync::Arc;

use axum::{body::Bytes, http::StatusCode, response::Response};
use jose::UnixTime;
use oidc::{
    client::check_client_certificate,
    login_state::LoginId,
    push::{self, PushError, PushedRequest, REQUEST_URI_LIFETIME_SECONDS, REQUEST_URI_PREFIX},
};
use serde::Serialize;
use vault::StateKind;

use crate::{
    core::{Core, StepProblem},
    limits::{self, Limit, Network},
    mtls::PeerCertificate,
    rng,
    support::json_response,
    tenant::Tenant,
};

/// The success body (A_22992): these members and no others.
#[derive(Serialize)]
struct Pushed {
    request_uri: String,
    expires_in: u64,
}

/// Answers one pushed request.
pub(crate) async fn push(
    core: &Core,
    tenant: &Arc<Tenant>,
    peer: &PeerCertificate,
    network: Network,
    body: &Bytes,
) -> Response {
    match decide(core, tenant, peer, network, body).await {
        Ok(pushed) => json_response(StatusCode::CREATED, &pushed),
        Err(problem) => core.problem("push_refused", problem).into_oauth_json(),
    }
}

async fn decide(
    core: &Core,
    tenant: &Arc<Tenant>,
    peer: &PeerCertificate,
    network: Network,
    body: &Bytes,
) -> Result<Pushed, StepProblem> {
    let now = core.now();
    let request = PushedRequest::parse(body).map_err(|error| StepProblem::Refused(error.refusal()))?;
    let party = limits::resolve(core, tenant, &request.client_id, network, now).await?;
    let pushed = match remember(core, tenant, peer, &request, &party, now) {
        // The party may have rolled its certificate since we read its statement: look once more before refusing.
        Err(StepProblem::Refused(refusal)) if refusal.status == 401 && peer.is_present() => {
            match core.relying_parties.reload(&party, now).await {
                Some(fresh) => remember(core, tenant, peer, &request, &fresh, now),
                None => Err(StepProblem::Refused(refusal)),
            }
        }
        answer => answer,
    }?;
    // Who he is has been proven: nobody uses up another one's allowance.
    core.spend(tenant, Limit::Pushes, request.client_id.as_bytes()).await?;
    Ok(pushed)
}

fn remember(
    core: &Core,
    tenant: &Tenant,
    peer: &PeerCertificate,
    request: &PushedRequest,
    party: &oidc::client::RelyingParty,
    now: UnixTime,
) -> Result<Pushed, StepProblem> {
    let refused = |error: PushError| StepProblem::Refused(error.refusal());
    let client = check_client_certificate(party, peer.presented(), now).map_err(|error| refused(error.into()))?;
    let login_id = LoginId(rng::bytes(&*core.rng));
    let login = push::decide(request, &client, login_id, now).map_err(refused)?;
    let sealed = core.seal(tenant, StateKind::Pushed, now, &login.to_bytes())?;
    Ok(Pushed {
        request_uri: format!("{REQUEST_URI_PREFIX}{sealed}"),
        expires_in: REQUEST_URI_LIFETIME_SECONDS,
    })
}
