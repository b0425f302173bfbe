//! `POST /devices`: binds a device key to the person of a card login. Acknowledged only when it is durable. The same request again, after an answer
//! that was lost, means the same: it is answered with the device that is there.

use std::sync::Arc;

use authenticator::device::{self, BindingRequest, ClassEvidence, DeviceKey, HardwareMark};
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::{UnixTime, base64url, jwk::Jwk};
use serde::{Deserialize, Serialize};
use store::Key;
use vault::{PersonId, freshness::GONE};

use super::{ATTEMPTS, MAX_DEVICES, all, attested::MadeAttestation, keep_changing, too_many};
use crate::{
    authenticate,
    consent::{self, Authenticated},
    core::{Committed, Core, StepProblem},
    freshness::Change,
    history::{self, Entry, Event},
    limits::{Limit, Network},
    passkeys::{self, MadePasskey},
    people, rng,
    support::json_response,
    tenant::Tenant,
};

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
    /// What its maker says of a device key: then this decides about the class.
    #[serde(default)]
    attestation: Option<MadeAttestation>,
    /// The app's mark of the phone a device key is in, 32 bytes in base64url: what was bound with it before is replaced.
    #[serde(default)]
    hardware: Option<String>,
    /// A passkey, instead of a device key.
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
    /// The class it was asked for; `None` where the statement itself failed.
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
    let (client_id, login) = (&binding.client_id, &binding.login);
    // Only apps bind devices: a login that belongs to a browser is refused here, since no cookie is looked at.
    let enter = || consent::open_authenticated(core, tenant, client_id, login, &HeaderMap::new(), now);
    let authenticated = enter()?;
    let person = authenticated.capability.person_id();
    let is_attested = binding.attestation.is_some();
    if is_attested {
        // Judging one costs something: counted whatever comes of it.
        core.spend(tenant, Limit::Bindings, person.as_bytes()).await?;
    }
    let (device, findings) = made(core, tenant, &authenticated, &binding, now)?;
    let answer = bound(tenant, &device, findings)?;
    let new = New {
        core,
        tenant,
        at: core.vault.device_key(tenant.id(), &person, &device.device_id)?,
        content: people::write_device(&device)?,
        device: &device,
    };
    let others = new.others(enter()?).await?;
    if let Some(there) = &others.same {
        new.revoke(&others.replaced).await?;
        return bound(tenant, there, answer.findings);
    }
    new.check_room(&others)?;
    if !is_attested {
        core.spend(tenant, Limit::Bindings, person.as_bytes()).await?;
    }
    let entry = Entry::of(Event::DeviceBound, now)
        .proven(&authenticated.login.performed)
        .about_device(device.device_id);
    let replaced = new.commit(|| Ok(enter()?), &entry).await?;
    new.revoke(&replaced).await?;
    tracing::info!(event = "device_bound", "device bound");
    core.anomalies
        .enrolled(network.told_apart(&core.limits), person.as_bytes(), now);
    Ok(answer)
}

fn bound(tenant: &Tenant, device: &DeviceKey, findings: Vec<Finding>) -> Result<Bound, StepProblem> {
    let valid_until = device
        .valid_until(&tenant.settings.policy)
        .ok_or_else(|| StepProblem::failed("a class just admitted is not admitted"))?;
    Ok(Bound {
        device: people::device_handle(PersonId::from_bytes(device.person_id), &device.device_id),
        valid_until: valid_until.0,
        class: device.class.clone(),
        findings,
    })
}

/// The device as it would be stored.
fn made(
    core: &Core,
    tenant: &Tenant,
    authenticated: &Authenticated,
    binding: &Binding,
    now: UnixTime,
) -> Result<(DeviceKey, Vec<Finding>), StepProblem> {
    let consented = binding.consent_to_substantial;
    let key_members = (&binding.public_key, &binding.class, &binding.proof);
    match (key_members, &binding.passkey) {
        ((Some(public_key), Some(class), Some(proof)), None) => {
            let key = Jwk::from_value(public_key)
                .map_err(|error| StepProblem::invalid(format_args!("member 'public_key': {error}")))?
                .key;
            let login_id = &authenticated.login.request.login_id.0;
            let (evidence, findings) = match &binding.attestation {
                Some(made) => made.judge(tenant, login_id, &key, now)?,
                None => (ClassEvidence::Claimed { class: class.clone() }, Vec::new()),
            };
            let request = BindingRequest {
                device_id: rng::bytes(&*core.rng),
                person_id: *authenticated.capability.person_id().as_bytes(),
                public_key: key,
                name: binding.name.clone(),
                evidence,
                consented_to_substantial: consented,
                hardware: binding.hardware.as_deref().map(mark).transpose()?,
            };
            let (policy, performed) = (&tenant.settings.policy, &authenticated.login.performed);
            let device = device::bind(&request, proof, login_id, performed, policy, now)?;
            Ok((device, findings))
        }
        ((None, None, None), Some(made)) if binding.attestation.is_none() && binding.hardware.is_none() => {
            passkeys::register(tenant, authenticated, binding.name.clone(), consented, made, now)
        }
        _ => Err(StepProblem::invalid(
            "either the members 'public_key', 'class' and 'proof' are needed (with or without 'attestation' and 'hardware'), or 'passkey'",
        )),
    }
}

pub(super) fn mark(text: &str) -> Result<HardwareMark, StepProblem> {
    base64url::decode_array(text)
        .map(HardwareMark::new)
        .map_err(|_| StepProblem::invalid("member 'hardware': expected 32 bytes in base64url"))
}

/// A device on its way into the store.
struct New<'a> {
    core: &'a Core,
    tenant: &'a Tenant,
    at: Key,
    content: Vec<u8>,
    device: &'a DeviceKey,
}

/// A person's other devices.
struct Others {
    count: usize,
    /// Bound by the same app on the same phone: the app was installed anew.
    replaced: Vec<Key>,
    /// This very key, bound since the card was used: an answer was lost on its way.
    same: Option<DeviceKey>,
}

impl New<'_> {
    fn person(&self) -> PersonId {
        PersonId::from_bytes(self.device.person_id)
    }

    async fn others(&self, authenticated: Authenticated) -> Result<Others, StepProblem> {
        let hers = all(self.core, self.tenant, authenticated.capability).await?;
        let mut others = Others {
            count: hers.len(),
            replaced: Vec::new(),
            same: None,
        };
        for (key, other) in hers {
            // One that cannot be read is nobody's older entry.
            let Ok(other) = other else {
                continue;
            };
            if other.has_key_of(self.device) && other.bound_at >= self.device.confirmed_at {
                others.same = Some(other);
            } else if self.device.hardware().is_some() && other.hardware() == self.device.hardware() {
                others.replaced.push(key);
            }
        }
        Ok(others)
    }

    fn check_room(&self, others: &Others) -> Result<(), StepProblem> {
        if others.count - others.replaced.len() < MAX_DEVICES {
            return Ok(());
        }
        Err(too_many())
    }

    /// Stores it with the entry of her history, and tells which devices it takes the place of.
    async fn commit(
        &self,
        enter: impl Fn() -> Result<Authenticated, StepProblem>,
        entry: &Entry,
    ) -> Result<Vec<Key>, StepProblem> {
        let core = self.core;
        for _ in 0..ATTEMPTS {
            let others = self.others(enter()?).await?;
            self.check_room(&others)?;
            let capability = enter()?.capability;
            let identity = people::identity(core, &capability).await?;
            let change = core.vault.with_person(capability, &identity, |scope| {
                scope.seal_record(self.at, None, &scope.plaintext(self.content.clone()), None)
            })??;
            let (tenant, person) = (self.tenant.id(), self.person());
            // A closed account gets no device.
            let noted = history::note_change(core, tenant, person, &identity, entry.clone(), change);
            if noted.await? == Committed::Yes {
                return Ok(others.replaced);
            }
        }
        Err(keep_changing())
    }

    /// What it takes the place of is gone for good, before the new one is told.
    async fn revoke(&self, replaced: &[Key]) -> Result<(), StepProblem> {
        if replaced.is_empty() {
            return Ok(());
        }
        let facts = replaced
            .iter()
            .map(|key| Ok((self.core.vault.device_revoked(key)?, GONE)))
            .collect::<Result<_, StepProblem>>()?;
        let change = Change {
            facts,
            deletes: replaced.to_vec(),
            with_database: true,
        };
        self.core.freshness.change(self.tenant.id(), change).await?;
        tracing::info!(
            event = "device_replaced",
            "an app that was installed anew took its old entry's place"
        );
        Ok(())
    }
}
