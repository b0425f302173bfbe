//! Genesis: the seed is born here, and split among the holders of the manifest.

use evidence::manifest::InstanceRole;
use vault::{
    Vault,
    ceremony::{Genesis, HolderCard, Setup, SetupPurpose, verify_transcript},
    hsm::{Hsm, HsmError},
};

use super::{Folder, ProvisioningError, Table, file, open_root, own_setup, transcript, wait_for};
use crate::clock::Clock;

/// Largest holder's card, in bytes, is far below what a file may have; most cards.
const MAX_CARDS: usize = 64;

/// Makes the seed and the module's half, hands out the shares through `genesis/` of the exchange, and waits until every holder has signed that she
/// has hers: before, nothing may be sealed under a root that nobody could bring back.
///
/// # Errors
/// [`ProvisioningError`]; what was made is gone with the process then, and another genesis begins anew.
pub async fn genesis(
    table: &Table<'_>,
    cards: &Folder,
    hsm: &Hsm,
    wrapping_key: &str,
    clock: &dyn Clock,
) -> Result<(Genesis, Vault), ProvisioningError> {
    let now = clock.now();
    table.instance.check_own_admission(InstanceRole::Root, now)?;
    let cards = read_cards(cards)?;
    let namespace = table.namespace()?;
    let failed = ProvisioningError::ceremony("genesis");
    hsm.check()?;
    match hsm.generate_wrapping_key(wrapping_key) {
        Ok(()) | Err(HsmError::KeyExists) => {}
        Err(error) => return Err(error.into()),
    }
    let (_, wrapped) = hsm.new_half(&namespace, wrapping_key)?;
    let in_force = table.instance.in_force();
    let setup = Setup::begin(SetupPurpose::Genesis, in_force.approved.manifest()).map_err(&failed)?;
    let offer = setup.offer().clone();
    let folder = table.exchange.create("genesis")?;
    let evidence = table.show(&folder, &offer)?;
    let attested = own_setup(table, &offer, &evidence, now)?;
    let genesis = setup
        .run_genesis(&cards, Some(&wrapped), &evidence.to_bytes(), now)
        .map_err(&failed)?;
    // Opened here as it will be opened ever after: a half that does not come back is noticed before anybody relies on it.
    let vault = open_root(&namespace, &genesis.seed, hsm, &wrapped)?;
    folder.write(file::PINS, table.instance.pin_file())?;
    folder.write(file::HALF, &wrapped.to_bytes())?;
    for share in &genesis.shares {
        let json = serde_json::to_vec_pretty(share).unwrap_or_default();
        folder.write(&format!("{}.share.json", share.holder), &json)?;
    }
    folder.write(file::TRANSCRIPT, genesis.transcript.to_text().as_bytes())?;
    let holders = genesis.shares.len();
    let what = format!(
        "{holders} holders: healthid ceremony share acknowledge --key KEY --genesis {}",
        folder.path().display()
    );
    wait_for(&what, || {
        // Somebody may be writing to it; what does not verify is looked at again.
        let signed = transcript(&folder)
            .ok()
            .and_then(|now| verify_transcript(&now, &attested).ok());
        Ok(signed.filter(|signed| signed.acknowledged().len() == holders))
    })
    .await?;
    tracing::warn!(
        event = "ceremony_done",
        kind = "genesis",
        detail = %format!("{holders} holders have their shares; keep {} for ever", folder.path().display()),
        "the seed is in this process and in the shares"
    );
    Ok((genesis, vault))
}

fn read_cards(folder: &Folder) -> Result<Vec<HolderCard>, ProvisioningError> {
    let names = folder.names("", ".card.json")?;
    if names.is_empty() || names.len() > MAX_CARDS {
        return Err(ProvisioningError::Malformed(format!(
            "{}: expected the holders' cards, NAME.card.json, 1 to {MAX_CARDS}",
            folder.path().display()
        )));
    }
    names
        .iter()
        .map(|name| {
            serde_json::from_slice(&folder.read(name)?)
                .map_err(|_| ProvisioningError::Malformed(folder.path().join(name).display().to_string()))
        })
        .collect()
}
