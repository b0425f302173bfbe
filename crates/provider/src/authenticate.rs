//! The authenticator's half of a login: `POST /auth/challenge`, `/auth/card`, `/auth/device`.
//!
//! The wire between a provider and its own authenticator is not standardised (gematik digest 8.4); this one is JSON, and every step carries
//! the sealed login of the step before.

mod answering;

use std::sync::Arc;

use authenticator::challenge::{self, Challenge, Purpose, VerifiedChallenge};
use aws_lc_rs::digest;
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::{UnixTime, base64url, json};
use oidc::{
    authorization::{self, AuthorizationError},
    extension::Extendable,
    login_state::{BrowserTag, PENDING_LIFETIME_SECONDS, PendingLogin},
    refusal::{ErrorCode, Refusal},
    scope::ClaimSet,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use vault::StateKind;

use crate::{
    account,
    authorize::open_request,
    browser::BrowserCookie,
    core::{Core, StepProblem},
    limits::Network,
    second_device::{self, OtherDevice, rendezvous},
    support::json_response,
    tenant::Tenant,
};

pub(crate) use answering::{Signed, card, device, not_its_own};

/// Largest JSON body of the authenticator API, in bytes: a card's answer holds a certificate and the challenge twice encoded.
pub const BODY_LIMITS: json::Limits = json::Limits {
    bytes: 48 * 1024,
    depth: 4,
};

/// Reads a JSON body strictly: an object, no duplicate, no unknown member.
pub(crate) fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, StepProblem> {
    // Serde fills a struct from an array, too: members without names.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(StepProblem::invalid("request body: expected an object"));
    }
    json::parse_as(body, &BODY_LIMITS).map_err(|error| StepProblem::invalid(format_args!("request body: {error}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChallengeRequest {
    client_id: String,
    #[serde(default)]
    request_uri: Option<String>,
    #[serde(default)]
    login: Option<String>,
}

/// The service, as the authenticator shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) logo_uri: Option<String>,
}

#[derive(Serialize)]
struct Requested {
    acr: &'static str,
    claims: ClaimNames,
}

/// Claim names, split as the person decides about them.
#[derive(Debug, Serialize)]
pub(crate) struct ClaimNames {
    pub(crate) essential: Vec<&'static str>,
    pub(crate) voluntary: Vec<&'static str>,
}

impl ClaimNames {
    pub(crate) fn of(essential: ClaimSet, voluntary: ClaimSet) -> Self {
        let names = |claims: ClaimSet| claims.iter().map(oidc::scope::Claim::as_str).collect();
        Self {
            essential: names(essential),
            voluntary: names(voluntary),
        }
    }
}

/// What the authenticator asks the person.
#[derive(Serialize)]
pub(crate) struct ChallengeAnswer {
    login: String,
    challenge: String,
    service: Service,
    requested: Requested,
    expires_in: u64,
    /// The last second of the login itself; the challenge ends earlier and is asked for anew.
    expires_at: u64,
    /// Whether she can have more time: `POST /auth/extend`.
    extendable: bool,
    /// The device the login was begun on, where it is another one.
    other_device: Option<OtherDevice>,
}

/// Issues the challenge of one login.
pub(crate) async fn challenge(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    match issue_challenge(core, tenant, network, headers, body).await {
        Ok(answer) => json_response(StatusCode::OK, &answer),
        Err(problem) => core.problem("challenge_refused", problem).into_json(),
    }
}

async fn issue_challenge(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<ChallengeAnswer, StepProblem> {
    let now = core.now();
    let request: ChallengeRequest = read(body)?;
    let client_id = request.client_id;
    let pending = match (request.request_uri, request.login) {
        (Some(request_uri), None) => {
            let sealed = authorization::sealed_part(&request_uri)?;
            PendingLogin {
                request: open_request(core, tenant, &client_id, sealed, now)?,
                browser: None,
                challenge_digest: None,
                asking: None,
                extended: 0,
                expires_at: now.plus_seconds(PENDING_LIFETIME_SECONDS),
            }
        }
        (None, Some(login)) => {
            let pending = open_pending(core, tenant, &client_id, &login, now)?;
            second_device::check_scanned(&pending, now)?;
            if !account::is_account(tenant, &client_id) {
                rendezvous::check_open(core, tenant, pending.request.login_id).await?;
            }
            pending
        }
        // The account has no service that pushed a request first: an app begins it here.
        (None, None) if account::is_account(tenant, &client_id) => account::pending(core, tenant, None, now),
        _ => {
            return Err(StepProblem::invalid(
                "exactly one of the members 'request_uri' and 'login' is needed",
            ));
        }
    };
    let browser = browser(headers);
    ask(core, tenant, network, browser, client_id, pending, now).await
}

/// The browser a request comes from, where it was given a cookie.
pub(crate) fn browser(headers: &HeaderMap) -> Option<BrowserTag> {
    BrowserCookie::from_headers(headers).map(BrowserCookie::tag)
}

/// Asks the person: a fresh challenge for this login.
pub(crate) async fn ask(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    browser: Option<BrowserTag>,
    client_id: String,
    pending: PendingLogin,
    now: UnixTime,
) -> Result<ChallengeAnswer, StepProblem> {
    // Asking for a challenge is asking the person; whoever may not be asked is told so at the authorization endpoint.
    if pending.request.prompts.none() {
        let reason = "prompt=none: the person must not be asked; call the authorization endpoint instead";
        return Err(StepProblem::Refused(Refusal::new(
            403,
            ErrorCode::LoginRequired,
            reason,
        )));
    }
    let (service, purpose) = if account::is_account(tenant, &client_id) {
        (account::service(tenant), Purpose::Account)
    } else {
        let party = core.relying_parties.resolve(&client_id, now).await?;
        let service = Service {
            name: party.name().to_owned(),
            logo_uri: party.logo_uri().map(str::to_owned),
        };
        (service, Purpose::Login)
    };
    let keys = core.tenant_keys(tenant).await?;
    let token = challenge::issue(
        &Challenge {
            iss: tenant.issuer().to_owned(),
            login_id: pending.request.login_id.0,
            client_id: client_id.clone(),
            client_name: service.name.clone(),
            request_hash: request_hash(&pending),
            purpose,
            iat: now,
            exp: now.plus_seconds(challenge::LIFETIME_SECONDS),
        },
        keys.challenge_signer(),
    )
    .map_err(StepProblem::failed)?;
    let pending = PendingLogin {
        challenge_digest: Some(challenge::digest(&token)),
        ..pending
    };
    let other_device = pending
        .asking
        .map(|asking| OtherDevice::seen_from(core, tenant, asking, network))
        .transpose()?;
    Ok(ChallengeAnswer {
        other_device,
        login: core.seal(tenant, StateKind::Pending, now, &pending.to_bytes())?,
        challenge: token,
        service,
        requested: Requested {
            acr: pending.request.essential_acr.unwrap_or(pending.request.acr).as_str(),
            claims: ClaimNames::of(pending.request.essential, pending.request.voluntary),
        },
        expires_in: challenge::LIFETIME_SECONDS,
        expires_at: pending.expires_at.0,
        extendable: Extendable::pending(&client_id, &pending, browser, now).is_yes(),
    })
}

/// Binds a challenge to everything the service asked for.
fn request_hash(pending: &PendingLogin) -> String {
    base64url::encode(digest::digest(&digest::SHA256, &pending.request.to_bytes()).as_ref())
}

pub(crate) fn open_pending(
    core: &Core,
    tenant: &Tenant,
    client_id: &str,
    login: &str,
    now: UnixTime,
) -> Result<PendingLogin, AuthorizationError> {
    let bytes = core
        .open(tenant, StateKind::Pending, now, login)
        .ok_or(AuthorizationError::UnknownLogin)?;
    let pending = PendingLogin::from_bytes(&bytes).map_err(|_| AuthorizationError::UnknownLogin)?;
    authorization::check_pending(client_id, &pending, now)?;
    Ok(pending)
}

/// The answer must be to the challenge issued for this very login.
fn recognise(
    tenant: &Tenant,
    client_id: &str,
    pending: &PendingLogin,
    token: &str,
    now: UnixTime,
) -> Result<VerifiedChallenge, StepProblem> {
    let digest = pending.challenge_digest.ok_or_else(|| {
        StepProblem::invalid("member 'login': no challenge was issued for it; call /auth/challenge first")
    })?;
    let verified = challenge::recognise(token, &digest, now)
        .map_err(|error| StepProblem::invalid_because(error.reason(), error))?;
    let purpose = if account::is_account(tenant, client_id) {
        Purpose::Account
    } else {
        Purpose::Login
    };
    verified
        .check_login(
            tenant.issuer(),
            &pending.request.login_id.0,
            client_id,
            &request_hash(pending),
            purpose,
        )
        .map_err(|error| StepProblem::invalid_because(error.reason(), error))?;
    Ok(verified)
}
