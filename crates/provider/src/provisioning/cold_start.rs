//! Cold start: no instance has the seed, and a quorum brings it back into this one.

use std::collections::BTreeSet;

use evidence::manifest::InstanceRole;
use vault::{
    NamespaceSeed,
    ceremony::{ColdStart, PostedShare, Setup, SetupPurpose},
};

use super::{ProvisioningError, Table, exchange::some_name, file, own_setup, wait_for};
use crate::clock::Clock;

/// Most files of shares that are opened.
const MAX_POSTED: usize = 256;

/// Shows evidence for a setup, and takes posted shares until the rule of the genesis is met. What is refused is said and stands in the transcript; the
/// ceremony goes on.
///
/// # Errors
/// [`ProvisioningError`].
pub async fn cold_start(table: &Table<'_>, clock: &dyn Clock) -> Result<NamespaceSeed, ProvisioningError> {
    let now = clock.now();
    table.instance.check_own_admission(InstanceRole::Root, now)?;
    let genesis = table.verified_genesis()?;
    let failed = ProvisioningError::ceremony("cold start");
    let in_force = table.instance.in_force();
    let setup = Setup::begin(SetupPurpose::ColdStart, in_force.approved.manifest()).map_err(&failed)?;
    let offer = setup.offer().clone();
    // Shares for an earlier attempt open in no other: each attempt has a directory.
    let folder = table.exchange.create(&some_name("cold-start-"))?;
    let evidence = table.show(&folder, &offer)?;
    own_setup(table, &offer, &evidence, now)?;
    let mut cold = ColdStart::begin(setup, genesis, &evidence.to_bytes(), now).map_err(&failed)?;
    let what = format!(
        "holders: healthid ceremony share post --key KEY --genesis GENESIS --to {}",
        folder.path().display()
    );
    let mut seen = BTreeSet::new();
    let seed = wait_for(&what, || {
        for name in folder.names("", ".posted.json")? {
            // Read when it is whole; a file that is not yet is looked at again.
            let Ok(content) = folder.read(&name) else { continue };
            if seen.len() >= MAX_POSTED || seen.contains(&content) {
                continue;
            }
            let posted = serde_json::from_slice::<PostedShare>(&content);
            seen.insert(content);
            let Ok(posted) = posted else {
                tracing::warn!(
                    event = "share_refused",
                    code = "exchange.malformed",
                    "a file is no posted share"
                );
                continue;
            };
            match cold.accept(&posted, clock.now()) {
                Ok(()) => tracing::info!(event = "share_accepted", "a holder's share was taken"),
                Err(error) => tracing::warn!(event = "share_refused", code = error.code(), "a share was refused"),
            }
            folder.write(file::TRANSCRIPT, cold.transcript().to_text().as_bytes())?;
        }
        // Too few, or a role that is missing: more may come.
        match cold.finish(clock.now()) {
            Ok((seed, transcript)) => {
                folder.write(file::TRANSCRIPT, transcript.to_text().as_bytes())?;
                Ok(Some(seed))
            }
            Err(_) => Ok(None),
        }
    })
    .await?;
    tracing::warn!(
        event = "ceremony_done",
        kind = "cold start",
        "the seed of the genesis is back"
    );
    Ok(seed)
}
