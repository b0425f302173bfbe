//! `storage`: bytes on disk of one row of each kind, and of one person, as the vault seals them and SQLite keeps them.

use anyhow::{Context, Result, ensure};
use jose::UnixTime;
use store::{BlindIndex, Key, OperationId, Outcome, RowGroup, SealedBytes, Store, TenantId, Write};
use store_sqlite::SqliteStore;
use vault::{BackgroundTask, Carried, DAY_SECONDS, Vault, tenant_id};

use crate::{
    login::now,
    world::{TENANTS, World, issuer},
};

/// Rows of each kind that are written.
const ROWS: usize = 16_384;
/// Rows of one person (`spec/performance.md` 5.3).
const PER_PERSON: [(&str, f64); 4] = [("person", 1.0), ("lookup", 1.0), ("device", 1.5), ("consent", 5.0)];

/// Measures and prints.
pub fn run() -> Result<()> {
    let sizes = sealed_sizes(&World::new(1, now())?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{:10} {:>8} {:>14}", "row", "sealed", "on disk");
    let mut person = 0.0;
    for (name, sealed) in sizes {
        let on_disk = runtime.block_on(on_disk(name, sealed))?;
        println!("{name:10} {sealed:>6} B {on_disk:>12.0} B");
        person += PER_PERSON
            .iter()
            .find(|(of, _)| *of == name)
            .map_or(0.0, |(_, times)| times * on_disk);
    }
    println!(
        "one person with 1.5 devices and 5 decisions: {person:.0} B; 36 million: {:.0} GB",
        person * 36e6 / 1e9
    );
    Ok(())
}

/// What one record of each kind becomes when it is sealed.
fn sealed_sizes(world: &World) -> Result<Vec<(&'static str, usize)>> {
    let vault = Vault::development(world.vault_seed());
    let tenant = tenant_id(&issuer(TENANTS[0]));
    let UnixTime(now) = now();
    let person = vault.create_person(tenant, &world.person(0)?)?;
    let identity = person.identity_row().context("a person's record")?;
    let length = |write: &Write| match write {
        Write::Put { sealed, .. } => sealed.len(),
        Write::Delete(_) => 0,
    };
    let lookup = person
        .writes
        .iter()
        .find(|write| write.key().kind() == store::Kind::Lookup);
    let day = u32::try_from(now / DAY_SECONDS)?;
    let keys = [
        vault.device_key(tenant, &person.id, &[1; 16])?,
        vault.consent_key(tenant, &person.id, "https://epa.example")?,
        vault.event_key(tenant, &person.id, day, &[1; 16])?,
    ];
    let capability = vault.background_capability(tenant, person.id, BackgroundTask::Reseal);
    let (device, consent, event) = vault.with_person(capability, &identity, |scope| {
        let [device, consent, event] =
            keys.map(|key| scope.seal_record(key, None, &scope.plaintext(b"short".to_vec()), Some(now)));
        (device, consent, event)
    })?;
    let (device, consent, event) = (device?, consent?, event?);
    let carried = Carried {
        event: Some(event.clone()),
        ..Carried::default()
    };
    let claim = vault.claim_once(tenant, &[1; 16], now, &carried)?;
    Ok(vec![
        ("person", identity.sealed.len()),
        ("lookup", lookup.map_or(0, length)),
        ("device", length(&device.write)),
        ("consent", length(&consent.write)),
        ("event", length(&event.write)),
        ("claim", length(&claim.write)),
    ])
}

/// Bytes a row of this size takes in a file with nothing else in it.
async fn on_disk(name: &str, sealed: usize) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.sqlite");
    let empty = {
        drop(SqliteStore::open(&path)?);
        std::fs::metadata(&path)?.len()
    };
    let store = SqliteStore::open(&path)?;
    let tenant = TenantId::from_bytes([1; 16]);
    for batch in 0..ROWS / store::MAX_WRITES {
        let writes: Vec<Write> = (0..store::MAX_WRITES)
            .map(|_| Write::Put {
                key: random_key(name, tenant),
                sealed: SealedBytes::from_sealed(vec![0xa5; sealed]),
                expires_at: matches!(name, "event" | "claim").then_some(1_800_000_000),
            })
            .collect();
        let operation = OperationId::new(now().0, (batch as u64).to_be_bytes());
        let outcome = store.commit(operation, &[], &writes).await;
        ensure!(outcome == Outcome::Committed, "{outcome:?}");
    }
    drop(store);
    Ok((std::fs::metadata(&path)?.len() - empty) as f64 / ROWS as f64)
}

fn random_key(name: &str, tenant: TenantId) -> Key {
    let mut bytes = [0; 48];
    vault::random(&mut bytes);
    let (mut one, mut two, mut index) = ([0; 16], [0; 16], [0; 32]);
    one.copy_from_slice(&bytes[..16]);
    two.copy_from_slice(&bytes[16..32]);
    index.copy_from_slice(&bytes[16..]);
    let (group, index) = (RowGroup::from_keyed_hash(one), BlindIndex::from_keyed_hash(index));
    match name {
        "person" => Key::identity(tenant, &one),
        "lookup" => Key::lookup(tenant, &index),
        "device" => Key::device(tenant, &group, &two),
        "consent" => Key::consent(tenant, &group, &index),
        "event" => Key::audit(tenant, &group, &two),
        _ => Key::single_use(tenant, &one),
    }
}
