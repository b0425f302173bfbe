//! Finding a person's records: by card, by device, and what she decided before. Everything read here is sealed and stays so.

use std::sync::Arc;

use authenticator::{AuthenticatedPerson, Kvnr, Reason, device::DeviceKey};
use aws_lc_rs::digest;
use jose::{UnixTime, base64url};
use oidc::consent::RememberedConsent;
use serde::{Deserialize, Serialize};
use store::{Key, Kind, Row, TenantId, Write};
use vault::{CapabilityError, DAY_SECONDS, PersonCapability, PersonData, PersonId, Rows, ScopeError, freshness::GONE};

use crate::{
    core::{Committed, Core, StepProblem},
    freshness::{Change, Ledger},
    history::{self, By, Entry, Event},
    tenant::Tenant,
};

/// Most bytes of a service's identifier that are kept in a consent or an event: every row of a kind has one size.
pub(crate) const MAX_IDENTIFIER_BYTES: usize = 200;
/// Most bytes of a service's name that are kept in a consent, as JSON writes them.
pub(crate) const MAX_SERVICE_NAME_BYTES: usize = 96;

/// A service's identifier, as it is kept: a longer one (gematik admits 2000 characters) by its beginning and its SHA-256.
pub(crate) fn kept_identifier(client_id: &str) -> String {
    let plain = |letter: char| !letter.is_control() && !matches!(letter, '"' | '\\');
    if client_id.len() <= MAX_IDENTIFIER_BYTES && client_id.chars().all(plain) {
        return client_id.to_owned();
    }
    let digest = base64url::encode(digest::digest(&digest::SHA256, client_id.as_bytes()).as_ref());
    let beginning = client_id.floor_char_boundary(MAX_IDENTIFIER_BYTES - digest.len() - '…'.len_utf8());
    let beginning: String = client_id[..beginning].chars().filter(|letter| plain(*letter)).collect();
    format!("{beginning}…{digest}")
}

/// As much of a service's name as is kept.
pub(crate) fn kept_name(name: &str) -> &str {
    let mut kept = &name[..name.floor_char_boundary(MAX_SERVICE_NAME_BYTES)];
    while serde_json::to_string(kept).map_or(0, |json| json.len()) > MAX_SERVICE_NAME_BYTES + 2 {
        kept = &kept[..kept.floor_char_boundary(kept.len().saturating_sub(1))];
    }
    kept
}

/// A consent as sealed for the person: the decision, and for which service, so that she can look it up.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentRecord {
    /// The service.
    pub(crate) client_id: String,
    /// Its name when she decided.
    pub(crate) service: String,
    /// [`RememberedConsent::to_bytes`], base64url.
    pub(crate) decision: String,
}

impl ConsentRecord {
    pub(crate) fn decision(&self) -> Option<RememberedConsent> {
        RememberedConsent::from_bytes(&base64url::decode(&self.decision).ok()?)
    }
}

/// The right to a person's record, from what a card or device has proven; `None` where this insurer does not know her.
pub(crate) async fn capability(
    core: &Core,
    tenant: &Tenant,
    proven: &AuthenticatedPerson,
) -> Result<Option<PersonCapability>, StepProblem> {
    let lookup = match proven.kvnr() {
        None => None,
        Some(kvnr) => match find_lookup(core, tenant, kvnr).await? {
            Some((_, row)) => Some(row),
            None => return Ok(None),
        },
    };
    match core.vault.capability_for(tenant.id(), proven, lookup.as_ref()) {
        Ok(capability) => Ok(Some(capability)),
        Err(CapabilityError::OtherPerson) => Ok(None),
        Err(error) => Err(StepProblem::failed(error)),
    }
}

/// A person's lookup record under the index in force or, while people move over, under the older one.
async fn find_lookup(core: &Core, tenant: &Tenant, kvnr: &Kvnr) -> Result<Option<(Key, Row)>, StepProblem> {
    let keys = core.vault.lookup_keys(tenant.id(), kvnr)?;
    let rows = core.store.load(&keys).await?;
    Ok(keys.into_iter().zip(rows).find_map(|(key, row)| Some((key, row?))))
}

async fn load_one(core: &Core, key: Key) -> Result<Option<Row>, StepProblem> {
    Ok(core.store.load(&[key]).await?.into_iter().next().flatten())
}

/// A person's own record.
pub(crate) async fn identity(core: &Core, capability: &PersonCapability) -> Result<Row, StepProblem> {
    let key = capability.person_id().identity_key(capability.tenant());
    load_one(core, key).await?.ok_or_else(account_closed)
}

/// Somebody authenticated, and her record is gone.
pub(crate) fn account_closed() -> StepProblem {
    StepProblem::denied(Reason::AccountClosed, "this health ID has been closed")
}

/// Where a person's decision about a service stands.
pub(crate) fn consent_key(
    core: &Core,
    tenant: TenantId,
    person: &PersonId,
    client_id: &str,
) -> Result<Key, StepProblem> {
    Ok(core.vault.consent_key(tenant, person, client_id)?)
}

/// The rows that say what a person decided about a service before.
pub(crate) struct ConsentRows {
    key: Key,
    identity: Option<Row>,
    consent: Option<Row>,
    ledger: Arc<Ledger>,
}

impl ConsentRows {
    pub(crate) async fn load(core: &Core, capability: &PersonCapability, client_id: &str) -> Result<Self, StepProblem> {
        let (tenant, person) = (capability.tenant(), capability.person_id());
        let key = consent_key(core, tenant, &person, client_id)?;
        let mut rows = core.store.load(&[person.identity_key(tenant), key]).await?.into_iter();
        Ok(Self {
            key,
            identity: rows.next().flatten(),
            consent: rows.next().flatten(),
            ledger: core.freshness.of(tenant).await?,
        })
    }

    /// What she decided; takes the capability, since looking is using it.
    pub(crate) fn decision(
        &self,
        core: &Core,
        capability: PersonCapability,
    ) -> Result<Option<RememberedConsent>, StepProblem> {
        let identity = self.identity.as_ref().ok_or_else(account_closed)?;
        let Some(consent) = &self.consent else {
            return Ok(None);
        };
        let facts = core.vault.with_person(capability, identity, |scope| {
            scope.open_record(&self.key, consent)?.into_facts()
        })??;
        let record: Option<ConsentRecord> = serde_json::from_slice(facts.bytes()).ok();
        let decision = record.and_then(|record| record.decision());
        let holds = |decision: &RememberedConsent| {
            let holds = self.ledger.consent_holds(&core.vault, &self.key, decision.decided_at);
            if !holds {
                let kind = self.key.kind();
                tracing::warn!(
                    event = "stale_record_ignored",
                    ?kind,
                    "the database has a record that was taken back"
                );
            }
            holds
        };
        Ok(decision.filter(holds))
    }
}

/// What a device calls itself with: the person's handle and its own, base64url. Known to the device and to us.
pub(crate) fn device_handle(person: PersonId, device_id: &[u8; 16]) -> String {
    base64url::encode(&to_handle(person, device_id))
}

/// The bytes of a device's handle; [`of_handle`] takes them apart.
pub(crate) fn to_handle(person: PersonId, device_id: &[u8; 16]) -> [u8; 32] {
    let mut handle = [0; 32];
    handle[..16].copy_from_slice(person.as_bytes());
    handle[16..].copy_from_slice(device_id);
    handle
}

/// The device a handle leads to, and what was read with it because the next step asks for it.
pub(crate) struct NamedDevice {
    /// Its key; nobody's where the handle leads nowhere.
    pub(crate) key: DeviceKey,
    /// `None` where no device is bound under this handle.
    pub(crate) rows: Option<ConsentRows>,
}

/// A device and its person, as its handle names both.
pub(crate) fn of_handle(handle: &[u8; 32]) -> (PersonId, [u8; 16]) {
    let (mut person, mut device_id) = ([0; 16], [0; 16]);
    person.copy_from_slice(&handle[..16]);
    device_id.copy_from_slice(&handle[16..]);
    (PersonId::from_bytes(person), device_id)
}

/// What stands where a handle leads.
pub(crate) struct Held {
    /// The device's key, with what stands against it; nobody's where the handle leads nowhere.
    pub(crate) key: DeviceKey,
    /// Whether a device is bound under this handle.
    pub(crate) is_bound: bool,
    /// The person's own record.
    identity: Option<Row>,
    /// What was read beside it, in the order asked for.
    pub(crate) beside: Vec<Option<Row>>,
    ledger: Arc<Ledger>,
}

/// The device with this handle, and the rows beside it that the next step asks for, read at once. Where there is none, the same is done with
/// nobody's: the time of the answer does not tell.
pub(crate) async fn held(
    core: &Core,
    tenant: &Arc<Tenant>,
    handle: &[u8; 32],
    beside: &[Key],
) -> Result<Held, StepProblem> {
    let nobody = core.nobodies.of(core, tenant).await?;
    let (person, device_id) = of_handle(handle);
    let device_at = core.vault.device_key(tenant.id(), &person, &device_id)?;
    let keys: Vec<Key> = [person.identity_key(tenant.id()), device_at]
        .into_iter()
        .chain(beside.iter().copied())
        .collect();
    let mut rows = core.store.load(&keys).await?.into_iter();
    let (identity, device) = (rows.next().flatten(), rows.next().flatten());
    let ledger = core.freshness.of(tenant.id()).await?;
    let (of, device_id, sealed_identity, sealed_device) = match (&identity, &device) {
        (Some(identity), Some(device)) => (person, device_id, identity, device),
        _ => (nobody.person, nobody.device_id, &nobody.identity, &nobody.device),
    };
    let facts = core
        .vault
        .open_device(tenant.id(), of, sealed_identity, &device_id, sealed_device)?;
    let mut key = read_device(facts.bytes())?;
    // The record says where it began; how far it has counted, the ledger knows.
    let counted = ledger.device_counter(&core.vault, of, &device_id);
    key.counter = key.counter.max(counted);
    ledger.say_standing(&core.vault, person, &device_at, &mut key);
    Ok(Held {
        key,
        is_bound: identity.is_some() && device.is_some(),
        identity,
        beside: rows.collect(),
        ledger,
    })
}

/// The device with this handle, with everything the login needs of its person. Where there is none, the same is done with nobody's.
pub(crate) async fn device_by_handle(
    core: &Core,
    tenant: &Arc<Tenant>,
    client_id: &str,
    handle: &[u8; 32],
) -> Result<NamedDevice, StepProblem> {
    let (person, _) = of_handle(handle);
    let key = consent_key(core, tenant.id(), &person, client_id)?;
    let held = held(core, tenant, handle, &[key]).await?;
    let (identity, ledger) = (held.identity, held.ledger);
    let rows = held.is_bound.then_some(ConsentRows {
        key,
        identity,
        consent: held.beside.into_iter().next().flatten(),
        ledger,
    });
    Ok(NamedDevice { key: held.key, rows })
}

/// A device record's content. It does not change with a login: how far the device has counted is the ledger's.
pub(crate) fn write_device(device: &DeviceKey) -> Result<Vec<u8>, StepProblem> {
    serde_json::to_vec(device).map_err(StepProblem::failed)
}

/// Reads what [`write_device`] wrote.
pub(crate) fn read_device(bytes: &[u8]) -> Result<DeviceKey, StepProblem> {
    serde_json::from_slice(bytes).map_err(|_| StepProblem::failed("a device record has an unknown form"))
}

/// Stores a person the insurer knows, or her changed data; under the same number she stays the same person.
pub(crate) async fn import(core: &Core, tenant: &Tenant, data: &PersonData) -> Result<PersonId, StepProblem> {
    if let Some((lookup_key, row)) = find_lookup(core, tenant, &data.kvnr).await? {
        let person = core.vault.open_lookup(&lookup_key, &row)?;
        if !core.freshness.of(tenant.id()).await?.is_erased(&core.vault, person) {
            update(core, tenant, person, data).await?;
            return Ok(person);
        }
        // An older database has brought the way to a deleted record back: what follows makes a new person.
        let litter = [
            Write::Delete(lookup_key),
            Write::Delete(person.identity_key(tenant.id())),
        ];
        core.commit(&[], &litter).await?;
    }
    let person = core.vault.create_person(tenant.id(), data).map_err(invalid_data)?;
    match core.commit(&person.conditions, &person.writes).await? {
        Committed::Yes => Ok(person.id),
        Committed::Conflict(_) => Err(StepProblem::Unavailable(
            "somebody else is importing this person".to_owned(),
        )),
    }
}

async fn update(core: &Core, tenant: &Tenant, person: PersonId, data: &PersonData) -> Result<(), StepProblem> {
    let task = vault::BackgroundTask::Import;
    let capability = core.vault.background_capability(tenant.id(), person, task);
    let row = identity(core, &capability).await?;
    let change = core
        .vault
        .with_person(capability, &row, |scope| {
            scope
                .seal_claims(data)
                .map(|change| (!scope.is_known(data)).then_some(change))
        })?
        .map_err(invalid_data)?;
    // What the insurer says again is not written again.
    let Some(change) = change else { return Ok(()) };
    let entry = Entry::of(Event::DataChanged, core.now()).by(By::Insurer);
    match history::note_change(core, tenant.id(), person, &row, entry, change).await? {
        Committed::Yes => Ok(()),
        Committed::Conflict(_) => Err(StepProblem::Unavailable(
            "somebody else is changing this person".to_owned(),
        )),
    }
}

/// Deletes a person for good. `false` where there is nobody with this number.
pub(crate) async fn delete(core: &Core, tenant: &Tenant, kvnr: &Kvnr) -> Result<bool, StepProblem> {
    let Some((lookup, row)) = find_lookup(core, tenant, kvnr).await? else {
        return Ok(false);
    };
    let person = core.vault.open_lookup(&lookup, &row)?;
    let erasure = core.vault.erase_person(tenant.id(), person, kvnr)?;
    erase(core, tenant, person, erasure).await?;
    tracing::info!(event = "person_deleted", "a person was deleted");
    Ok(true)
}

/// Takes everything of a person away: with her record goes the key to everything else of hers.
pub(crate) async fn erase(
    core: &Core,
    tenant: &Tenant,
    person: PersonId,
    mut erasure: Vec<Write>,
) -> Result<(), StepProblem> {
    if let Some(set_at) = core
        .freshness
        .of(tenant.id())
        .await?
        .block_code_set_at(&core.vault, person)
    {
        let code = core.vault.block_code(tenant.id(), person, set_at)?;
        erasure.push(Write::Delete(core.vault.block_code_key(tenant.id(), &code)?));
    }
    let change = Change {
        facts: vec![(core.vault.person_erased(tenant.id(), person.as_bytes())?, GONE)],
        deletes: erasure.iter().map(|write| *write.key()).collect(),
        with_database: true,
    };
    core.freshness.change(tenant.id(), change).await?;
    // Without her record nobody reads these; deleting them gives their space back. What still waits to be delivered follows them, unreadable,
    // and expires.
    let today = core.now().0 / DAY_SECONDS;
    let days = today..=today + history::EVENT_DAYS + 1;
    let events = days.filter_map(|day| u32::try_from(day).ok()).map(Rows::EventsUntil);
    for rows in [Rows::Devices, Rows::Consents].into_iter().chain(events) {
        delete_rows(core, tenant.id(), person, rows).await?;
    }
    Ok(())
}

async fn delete_rows(core: &Core, tenant: TenantId, person: PersonId, rows: Rows) -> Result<(), StepProblem> {
    let store = &core.freshness.parts.store;
    let group = core.vault.row_group(tenant, &person, rows)?;
    let kind = match rows {
        Rows::Devices => Kind::Device,
        Rows::Consents => Kind::Consent,
        Rows::EventsUntil(_) => Kind::Audit,
    };
    loop {
        let rows = store
            .list(kind, tenant, group.as_bytes(), store::MAX_WRITES / 2)
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut deletes: Vec<Write> = rows.iter().map(|(key, _)| Write::Delete(*key)).collect();
        if kind == Kind::Device {
            // Where the device was woken goes with it.
            for (device, _) in &rows {
                deletes.push(Write::Delete(core.vault.subscription_key(device)?));
            }
        }
        core.commit(&[], &deletes).await?;
    }
}

fn invalid_data(error: ScopeError) -> StepProblem {
    match error {
        ScopeError::PersonData(error) => StepProblem::invalid(error),
        error => error.into(),
    }
}

/// `YYYY-MM-DD` of a second.
pub(crate) fn day(time: UnixTime) -> String {
    oidc::birthdate::calendar_day(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_kept_whole_where_it_fits_and_by_its_digest_where_not() {
        let long = format!("https://{}.example", "a".repeat(MAX_IDENTIFIER_BYTES - 16));
        assert_eq!(long.len(), MAX_IDENTIFIER_BYTES);
        assert_eq!(kept_identifier(&long), long);
        let longer = [
            format!("{long}b"),
            format!("{long}c"),
            "ä".repeat(1_000),
            "\"".repeat(9),
        ];
        let kept: Vec<String> = longer.iter().map(|id| kept_identifier(id)).collect();
        for (index, kept_one) in kept.iter().enumerate() {
            let json = serde_json::to_string(kept_one).map_or(0, |json| json.len());
            assert!(json <= MAX_IDENTIFIER_BYTES + 2, "{json}");
            assert!(!kept[..index].contains(kept_one), "two services stay two");
        }
        assert!(kept[0].starts_with("https://aaaa"));
    }

    #[test]
    fn a_name_is_kept_as_far_as_there_is_room_for_it() {
        assert_eq!(kept_name("Elektronische Patientenakte"), "Elektronische Patientenakte");
        for long in ["ä".repeat(70), "\"".repeat(70), "\u{1}".repeat(70), "€".repeat(200)] {
            let kept = kept_name(&long);
            let json = serde_json::to_string(kept).map_or(0, |json| json.len());
            assert!(long.starts_with(kept) && json <= MAX_SERVICE_NAME_BYTES + 2 && json > MAX_SERVICE_NAME_BYTES - 6);
        }
    }
}
