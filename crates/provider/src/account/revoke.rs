//! `POST /account/revoke`: she takes a decision or a device back, on the page or in an app.

use std::sync::Arc;

use authenticator::Reason;
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::base64url;
use oidc::{authorization::AuthorizationError, form::Form};
use serde::Deserialize;
use store::{Key, Kind};
use vault::{PersonId, Rows};

use super::page::{home_again, refused};
use crate::{
    authenticate,
    consent::{self, Authenticated},
    core::{Core, StepProblem},
    devices,
    freshness::Change,
    history::{Entry, Event, note_step},
    limits::Limit,
    support::json_response,
    tenant::Tenant,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    login: String,
    #[serde(default)]
    consent: Option<String>,
    #[serde(default)]
    device: Option<String>,
}

/// What is to be taken back.
enum Named {
    Consent(Key),
    Device([u8; 16], Key),
}

fn named(core: &Core, tenant: &Tenant, person: PersonId, revocation: &Revocation) -> Result<Named, StepProblem> {
    let absent = || StepProblem::invalid_because(Reason::NotFound, "this record does not exist");
    let foreign = || StepProblem::denied(Reason::NotFound, "this record does not belong to this health ID");
    match (&revocation.consent, &revocation.device) {
        (Some(id), None) => {
            let id = base64url::decode(id).map_err(|_| absent())?;
            // Hers begin as nobody else's do: nobody takes back what is somebody else's.
            let hers = core.vault.row_group(tenant.id(), &person, Rows::Consents)?;
            if !id.starts_with(hers.as_bytes()) {
                return Err(foreign());
            }
            let key = Key::new(Kind::Consent, tenant.id(), &id).map_err(|_| absent())?;
            Ok(Named::Consent(key))
        }
        (None, Some(handle)) => {
            let handle = base64url::decode(handle).map_err(|_| absent())?;
            let Some(device) = handle.strip_prefix(person.as_bytes()) else {
                return Err(foreign());
            };
            let device: &[u8; 16] = device.try_into().map_err(|_| absent())?;
            let key = core.vault.device_key(tenant.id(), &person, device)?;
            Ok(Named::Device(*device, key))
        }
        _ => Err(StepProblem::invalid(
            "exactly one of the members 'consent' and 'device' is needed",
        )),
    }
}

/// Takes a consent or a device back. Durable when this returns.
async fn take_back(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    revocation: &Revocation,
) -> Result<Authenticated, StepProblem> {
    let authenticated =
        consent::open_authenticated(core, tenant, tenant.issuer(), &revocation.login, headers, core.now())?;
    devices::check_still_good(core, tenant, &authenticated).await?;
    let (person, now) = (authenticated.capability.person_id(), core.now());
    let named = named(core, tenant, person, revocation)?;
    core.spend(tenant, Limit::AccountChanges, person.as_bytes()).await?;
    let entry = |event| Entry::of(event, now).proven(&authenticated.login.performed);
    match named {
        Named::Consent(key) => {
            let change = Change {
                facts: vec![(core.vault.consent_withdrawn(&key)?, now.0)],
                deletes: vec![key],
                with_database: true,
            };
            note_step(core, tenant.id(), person, entry(Event::ConsentRevoked), change).await?;
            tracing::info!(event = "consent_revoked", "taken back");
        }
        Named::Device(device, at) => {
            let entry = entry(Event::DeviceRemoved).about_device(device);
            devices::remove(core, tenant, person, at, entry).await?;
        }
    }
    Ok(authenticated)
}

/// `POST /account/revoke` with a form.
pub(crate) async fn revoke_on_page(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    let result = async {
        let form = Form::parse(body).map_err(AuthorizationError::from)?;
        let revocation = Revocation {
            login: form
                .value("login")
                .ok_or(AuthorizationError::Missing("login"))?
                .to_owned(),
            consent: form.value("consent").map(str::to_owned),
            device: form.value("device").map(str::to_owned),
        };
        let authenticated = take_back(core, tenant, headers, &revocation).await?;
        home_again(core, tenant, headers, authenticated).await
    };
    match result.await {
        Ok(response) => response,
        Err(problem) => refused(core, tenant, headers, "account_refused", problem),
    }
}

/// `POST /account/revoke` with JSON.
pub(crate) async fn revoke_in_app(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    let result = async {
        let revocation: Revocation = authenticate::read(body)?;
        take_back(core, tenant, headers, &revocation).await
    };
    match result.await {
        Ok(_) => json_response(StatusCode::OK, &serde_json::Map::new()),
        Err(problem) => core.problem("account_refused", problem).into_json(),
    }
}
