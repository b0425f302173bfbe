//! A person's devices: binding them, looking after them, and blocking them all with a code when they are lost.
//!
//! What must not come back with an older database (that a device was removed, locked or blocked, that a code was replaced) stands in the freshness
//! ledger. What a device *is* stands in its sealed record.

mod attested;
mod binding;
mod blocking;
mod managing;
mod moving;
mod trust;

use authenticator::Reason;
use store::{Key, Kind};
use vault::{PersonCapability, PersonId, RecordFacts, Rows, ScopeError};

use crate::{
    consent::Authenticated,
    core::{Committed, Core, StepProblem},
    history::{self, Entry},
    people,
    tenant::Tenant,
};
use authenticator::device::{BindingError, DeviceKey};

pub use attested::DeviceAttestation;
pub(crate) use binding::{Finding, bind};
pub(crate) use blocking::{block_in_app, block_on_page, block_page, make_code, may_replace_code, new_code};
pub(crate) use managing::{check_still_good, confirm, manage, manage_by_form, may_unlock, remove};
pub(crate) use moving::{accept, approve, end, offer, state};
pub use trust::{DeviceTrust, DeviceTrustError};

/// Most devices one person may bind.
pub const MAX_DEVICES: usize = 16;
/// Times a commit is tried again because a record beside it has changed meanwhile.
const ATTEMPTS: u32 = 3;

fn keep_changing() -> StepProblem {
    StepProblem::Unavailable("the person's records keep changing".to_owned())
}

/// A device of the person, by the handle it calls itself with.
pub(crate) fn named(
    core: &Core,
    tenant: &Tenant,
    person: PersonId,
    handle: &str,
) -> Result<([u8; 16], Key), StepProblem> {
    let handle = jose::base64url::decode_array::<32>(handle).map_err(|_| not_hers())?;
    let device = handle.strip_prefix(person.as_bytes()).ok_or_else(not_hers)?;
    let device: &[u8; 16] = device.try_into().map_err(|_| not_hers())?;
    Ok((*device, core.vault.device_key(tenant.id(), &person, device)?))
}

/// One answer for a device that is somebody else's and for one that is nobody's.
fn not_hers() -> StepProblem {
    StepProblem::invalid_because(
        Reason::NotFound,
        "member 'device': no device of this health ID has this name",
    )
}

fn too_many() -> StepProblem {
    StepProblem::invalid_because(
        Reason::TooManyDevices,
        format_args!("at most {MAX_DEVICES} devices can be bound; remove one first"),
    )
}

/// Every device of the person whose login this is, with where it stands. One that cannot be read is an error of its own.
pub(crate) async fn all(
    core: &Core,
    tenant: &Tenant,
    capability: PersonCapability,
) -> Result<Vec<(Key, Result<DeviceKey, StepProblem>)>, StepProblem> {
    let group = core
        .vault
        .row_group(tenant.id(), &capability.person_id(), Rows::Devices)?;
    let hers = core
        .store
        .list(Kind::Device, tenant.id(), group.as_bytes(), MAX_DEVICES + 1)
        .await?;
    let identity = people::identity(core, &capability).await?;
    let opened = core.vault.with_person(capability, &identity, |scope| {
        let facts = hers.iter().map(|(key, row)| scope.open_record(key, row)?.into_facts());
        facts.collect::<Result<Vec<RecordFacts>, ScopeError>>()
    })??;
    let keys = hers.into_iter().map(|(key, _)| key);
    let devices = opened.iter().map(|facts| people::read_device(facts.bytes()));
    Ok(keys.zip(devices).collect())
}

/// One device as it is, with what stands against it.
async fn read(core: &Core, capability: PersonCapability, at: &Key) -> Result<DeviceKey, StepProblem> {
    let person = capability.person_id();
    let identity = people::identity(core, &capability).await?;
    let row = core.store.load(&[*at]).await?.into_iter().next().flatten();
    let row = row.ok_or_else(not_hers)?;
    let facts = core
        .vault
        .with_person(capability, &identity, |scope| scope.open_record(at, &row)?.into_facts())??;
    let mut device = people::read_device(facts.bytes())?;
    let ledger = core.freshness.of(*at.tenant()).await?;
    ledger.say_standing(&core.vault, person, at, &mut device);
    Ok(device)
}

/// Changes one device's record and writes that it was done. `enter` opens the login each time anew: looking into her record uses up the right to it.
async fn change(
    core: &Core,
    at: &Key,
    enter: impl Fn() -> Result<Authenticated, StepProblem>,
    entry: &Entry,
    change: impl Fn(&mut DeviceKey) -> Result<(), BindingError>,
) -> Result<DeviceKey, StepProblem> {
    for _ in 0..ATTEMPTS {
        let capability = enter()?.capability;
        let person = capability.person_id();
        let identity = people::identity(core, &capability).await?;
        let row = core.store.load(&[*at]).await?.into_iter().next().flatten();
        let row = row.ok_or_else(not_hers)?;
        let facts = core
            .vault
            .with_person(capability, &identity, |scope| scope.open_record(at, &row)?.into_facts())??;
        let mut device = people::read_device(facts.bytes())?;
        change(&mut device)?;
        let content = people::write_device(&device)?;
        let sealed = core.vault.with_person(enter()?.capability, &identity, |scope| {
            scope.seal_record(*at, Some(row.version), &scope.plaintext(content), None)
        })??;
        let noted = history::note_change(core, *at.tenant(), person, &identity, entry.clone(), sealed);
        if noted.await? == Committed::Yes {
            return Ok(device);
        }
    }
    Err(keep_changing())
}
