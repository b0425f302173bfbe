//! Nobody's device: what is opened and verified with where a handle leads to no device, so that the answer costs the same (`tee.md` 4.10).
//!
//! Trusted for: an answer for a handle nobody has, or that is not bound any more, takes the same opens and the same verification as one whose
//! signature is wrong. The result is never looked at.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use authenticator::{Ik, Kvnr, device::DeviceKey};
use jose::base64url;
use serde_json::json;
use store::{Row, TenantId, Write};
use vault::{BackgroundTask, PersonData, PersonId, SealedChange};

use crate::{
    core::{Core, StepProblem},
    people,
    tenant::Tenant,
};

/// Of a number's shape, with a check digit that is wrong: it is nobody's.
const KVNR: &str = "Q000123452";
const IK: &str = "109900019";
const DEVICE_ID: [u8; 16] = [0; 16];

/// Somebody's sealed rows, who is nobody. They stand in no database.
pub(crate) struct Nobody {
    pub(crate) person: PersonId,
    pub(crate) device_id: [u8; 16],
    pub(crate) identity: Row,
    pub(crate) device: Row,
}

/// Each tenant's, made when a device answers there for the first time.
#[derive(Default)]
pub(crate) struct Nobodies(Mutex<HashMap<TenantId, Arc<Nobody>>>);

impl Nobodies {
    pub(crate) async fn of(&self, core: &Core, tenant: &Arc<Tenant>) -> Result<Arc<Nobody>, StepProblem> {
        let made = |nobodies: &Self| {
            let nobodies = nobodies.0.lock().unwrap_or_else(PoisonError::into_inner);
            nobodies.get(&tenant.id()).cloned()
        };
        if let Some(nobody) = made(self) {
            return Ok(nobody);
        }
        // A key nobody signs answers with: ours for challenges.
        let keys = core.tenant_keys(tenant).await?;
        let nobody = Arc::new(make(
            core,
            tenant,
            &keys.challenge_signer().public_key().to_uncompressed(),
        )?);
        let mut nobodies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(nobodies.entry(tenant.id()).or_insert(nobody)))
    }
}

fn make(core: &Core, tenant: &Tenant, point: &[u8]) -> Result<Nobody, StepProblem> {
    let data = PersonData {
        kvnr: Kvnr::parse_shape(KVNR).map_err(StepProblem::failed)?,
        ik: Ik::parse_shape(IK).map_err(StepProblem::failed)?,
        given_name: String::new(),
        family_name: String::new(),
        display_name: String::new(),
        birthdate: String::new(),
        sex: String::new(),
        email: String::new(),
        card_valid_until: String::new(),
    };
    let person = core.vault.create_person(tenant.id(), &data)?;
    let identity = person
        .identity_row()
        .ok_or_else(|| StepProblem::failed("a new person without a record"))?;
    let device: DeviceKey = serde_json::from_value(json!({
        "device_id": DEVICE_ID,
        "person_id": person.id.as_bytes(),
        "key": base64url::encode(point),
        "name": "nobody's",
        "class": "",
        "bound_at": 0,
        "confirmed_at": 0,
        "consented_to_substantial": false,
        "counter": 0,
    }))
    .map_err(StepProblem::failed)?;
    let content = people::write_device(&device)?;
    let at = core.vault.device_key(tenant.id(), &person.id, &DEVICE_ID)?;
    let task = BackgroundTask::Reseal;
    let capability = core.vault.background_capability(tenant.id(), person.id, task);
    let change = core.vault.with_person(capability, &identity, |scope| {
        scope.seal_record(at, None, &scope.plaintext(content), None)
    })??;
    Ok(Nobody {
        person: person.id,
        device_id: DEVICE_ID,
        identity,
        device: row_of(change)?,
    })
}

/// The row a change would become.
fn row_of(change: SealedChange) -> Result<Row, StepProblem> {
    match change.write {
        Write::Put { sealed, expires_at, .. } => Ok(Row {
            version: Row::version_after(None),
            sealed,
            expires_at,
        }),
        Write::Delete(_) => Err(StepProblem::failed("a sealed record is a put")),
    }
}
