//! `POST /devices`: binds a device key to the person of a card login. Acknowledged only when it is durable.

use std::sync::Arc;

use authenticator::{
    Reason,
    device::{self, BindingRequest, ClassEvidence},
};
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::jwk::Jwk;
use serde::{Deserialize, Serialize};
use vault::{PersonId, Rows};

use crate::{
    authenticate, consent,
    core::{Committed, Core, StepProblem},
    history::{self, Entry, Event},
    limits::{Limit, Network},
    passkeys::{self, MadePasskey},
    people, rng,
    support::json_response,
    tenant::Tenant,
};

/// Most devices one person may bind.
pub const MAX_DEVICES: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Binding {
    client_id: String,
    login: String,
    name: String,
    #[serde(default)]
    consent_to_substantial: bool,
    /// A device key: what it is, of which class, and that it is hers.
    #[serde(default)]
    public_key: Option<serde_json::Value>,
    #[serde(default)]
    class: Option<String>,
    #[serde(default)]
    proof: Option<String>,
    /// A passkey, instead of the three.
    #[serde(default)]
    passkey: Option<MadePasskey>,
}

#[derive(Serialize)]
struct Bound {
    /// Names the device in later logins.
    device: String,
    /// Until then it logs in without the card, in seconds since 1970.
    valid_until: u64,
    /// The class it was bound in.
    class: String,
    /// Why it reached no stronger class, where it was attested.
    findings: Vec<Finding>,
}

/// A check of the device that failed.
#[derive(Serialize)]
pub(crate) struct Finding {
    pub(crate) check: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) class: Option<String>,
}

/// Binds one device.
pub(crate) async fn bind(core: &Core, tenant: &Arc<Tenant>, network: Network, body: &Bytes) -> Response {
    match try_bind(core, tenant, network, body).await {
        Ok(bound) => json_response(StatusCode::CREATED, &bound),
        Err(problem) => core.problem("binding_refused", problem).into_json(),
    }
}

async fn try_bind(core: &Core, tenant: &Arc<Tenant>, network: Network, body: &Bytes) -> Result<Bound, StepProblem> {
    let now = core.now();
    let binding: Binding = authenticate::read(body)?;
    // Only apps bind devices: a login that belongs to a browser is refused here, since no cookie is looked at.
    let authenticated =
        consent::open_authenticated(core, tenant, &binding.client_id, &binding.login, &HeaderMap::new(), now)?;
    let person = authenticated.capability.person_id();
    let policy = &tenant.settings.policy;
    let consented = binding.consent_to_substantial;
    let (device, findings) = match (binding.public_key, binding.class, binding.proof, binding.passkey) {
        (Some(public_key), Some(class), Some(proof), None) => {
            let key = Jwk::from_value(&public_key)
                .map_err(|error| StepProblem::invalid(format_args!("member 'public_key': {error}")))?;
            let request = BindingRequest {
                device_id: rng::bytes(&*core.rng),
                person_id: *person.as_bytes(),
                public_key: key.key,
                name: binding.name,
                evidence: ClassEvidence::Claimed { class },
                consented_to_substantial: consented,
                hardware: None,
            };
            let login = &authenticated.login;
            let login_id = &login.request.login_id.0;
            let device = device::bind(&request, &proof, login_id, &login.performed, policy, now)?;
            (device, Vec::new())
        }
        (None, None, None, Some(made)) => {
            passkeys::register(tenant, &authenticated, binding.name, consented, &made, now)?
        }
        _ => {
            return Err(StepProblem::invalid(
                "either the members 'public_key', 'class' and 'proof' are needed, or 'passkey'",
            ));
        }
    };
    let capability = authenticated.capability;
    let valid_until = device
        .valid_until(policy)
        .ok_or_else(|| StepProblem::failed("a class just admitted is not admitted"))?;
    check_room(core, tenant, person).await?;
    core.spend(tenant, Limit::Bindings, person.as_bytes()).await?;
    let identity = people::identity(core, &capability).await?;
    let at = core.vault.device_key(tenant.id(), &person, &device.device_id)?;
    let content = people::write_device(&device)?;
    let change = core.vault.with_person(capability, &identity, |scope| {
        let content = scope.plaintext(content);
        scope.seal_record(at, None, &content, None)
    })??;
    // The person's record must still be there: a closed account gets no device.
    let conditions = [
        change.condition,
        store::Condition::VersionIs(person.identity_key(tenant.id()), identity.version),
    ];
    match core.commit(&conditions, &[change.write]).await? {
        Committed::Yes => {
            tracing::info!(event = "device_bound", "device bound");
            let entry = Entry::of(Event::DeviceBound, now)
                .proven(&authenticated.login.performed)
                .about_device(device.device_id);
            history::note(core, tenant.id(), person, entry).await?;
            core.anomalies
                .enrolled(network.told_apart(&core.limits), person.as_bytes(), now);
            Ok(Bound {
                device: people::device_handle(person, &device.device_id),
                valid_until: valid_until.0,
                class: device.class,
                findings,
            })
        }
        Committed::Conflict(_) => Err(StepProblem::Unavailable(
            "the person's record is being changed".to_owned(),
        )),
    }
}

async fn check_room(core: &Core, tenant: &Tenant, person: PersonId) -> Result<(), StepProblem> {
    let hers = core.vault.row_group(tenant.id(), &person, Rows::Devices)?;
    let devices = core
        .store
        .list(store::Kind::Device, tenant.id(), hers.as_bytes(), MAX_DEVICES + 1)
        .await?;
    if devices.len() >= MAX_DEVICES {
        return Err(StepProblem::invalid_because(
            Reason::TooManyDevices,
            format_args!("at most {MAX_DEVICES} devices can be bound; remove one first"),
        ));
    }
    Ok(())
}
