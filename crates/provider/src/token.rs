//! `POST /token`: one code, one token, one durable commit (A_22653, A_22654, A_22321, A_23162, A_22316, A_22323).

use std::sync::Arc;

use axum::{body::Bytes, http::StatusCode, response::Response};
use jose::{UnixTime, base64url};
use oidc::{
    client::check_client_certificate,
    login_state::AuthorizationCode,
    token::{self, ID_TOKEN_LIFETIME_SECONDS, TokenError, TokenRequest},
};
use serde::Serialize;
use vault::{PersonCapability, StateKind};

use crate::{
    core::{Core, StepProblem},
    limits::{self, Network},
    mtls::PeerCertificate,
    redemption::{self, Rights},
    rng,
    support::json_response,
    tenant::Tenant,
};

/// The success body (gematik digest 6.2): these members and no others.
#[derive(Serialize)]
struct Tokens {
    /// Opaque and good for nothing: the profile wants the member (RFC 6749 §5.1).
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    id_token: String,
}

/// Answers one token request.
pub(crate) async fn token(
    core: &Core,
    tenant: &Arc<Tenant>,
    peer: &PeerCertificate,
    network: Network,
    body: &Bytes,
) -> Response {
    match redeem(core, tenant, peer, network, body).await {
        Ok(tokens) => {
            tracing::info!(event = "token_issued", "token issued");
            json_response(StatusCode::OK, &tokens)
        }
        Err(problem) => core.problem("token_refused", problem).into_oauth_json(),
    }
}

async fn redeem(
    core: &Core,
    tenant: &Arc<Tenant>,
    peer: &PeerCertificate,
    network: Network,
    body: &Bytes,
) -> Result<Tokens, StepProblem> {
    let now = core.now();
    let request = TokenRequest::parse(body)?;
    let mut party = limits::resolve(core, tenant, &request.client_id, network, now).await?;
    if peer.is_present() && check_client_certificate(&party, peer.presented(), now).is_err() {
        // As at the pushed request: the party may have rolled its certificate.
        if let Some(fresh) = core.relying_parties.reload(&party, now).await {
            party = fresh;
        }
    }
    let client = check_client_certificate(&party, peer.presented(), now).map_err(TokenError::from)?;
    let (capability, code) = open_code(core, tenant, &request, now)?;
    let redeemable = match token::check(&request, &client, code.clone(), now) {
        Ok(redeemable) => redeemable,
        Err(error @ TokenError::Verifier) => {
            redemption::burn(core, tenant, &client, capability.person_id(), &code, now).await?;
            return Err(error.into());
        }
        Err(error) => return Err(error.into()),
    };
    // One right is open already; every further one is the sealed code opened again.
    let mut first = Some(capability);
    let mut right = || match first.take() {
        Some(capability) => Ok(capability),
        None => open_code(core, tenant, &request, now).map(|(capability, _)| capability),
    };
    let rights = || -> Result<Rights, StepProblem> {
        Ok(Rights {
            to_record: right()?,
            to_mint: right()?,
        })
    };
    let id_token = redemption::redeem(core, tenant, &client, redeemable, rights, now).await?;
    Ok(Tokens {
        access_token: base64url::encode(&rng::bytes::<16>(&*core.rng)),
        token_type: "Bearer",
        expires_in: ID_TOKEN_LIFETIME_SECONDS,
        id_token,
    })
}

/// A code opens to the right to the person's record and to what was decided.
fn open_code(
    core: &Core,
    tenant: &Tenant,
    request: &TokenRequest,
    now: UnixTime,
) -> Result<(PersonCapability, AuthorizationCode), TokenError> {
    let (capability, bytes) = core
        .open_login(tenant, StateKind::Code, now, &request.code)
        .ok_or(TokenError::UnknownCode)?;
    let code = AuthorizationCode::from_bytes(&bytes).map_err(|_| TokenError::UnknownCode)?;
    Ok((capability, code))
}
