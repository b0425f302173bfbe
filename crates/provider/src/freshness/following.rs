//! The database follows the register: what is gone goes, what was done is written into people's histories, and the head is noted beside it.

use store::register::Head;
use store::{Condition, Key, MAX_WRITES, TenantId, Write};
use vault::{SealedChange, Vault};

use super::ledger::Turn;
use super::{FreshnessError, Parts};
use crate::core::{self, Committed};

/// Times the database's copy of the head is tried again because somebody else has written it.
const ATTEMPTS: u32 = 3;

/// Commits deletions, the entries that are owed, and the database's copy of the head.
pub(super) async fn follow(
    parts: &Parts,
    tenant: TenantId,
    turn: &mut Turn,
    head: Head,
    deletes: &[Key],
) -> Result<(), FreshnessError> {
    let database = |error: &dyn std::fmt::Display| FreshnessError::Database(error.to_string());
    // The head is noted with the last of them: whoever dies before that leaves a step that is not noted.
    let room = MAX_WRITES - 1 - deletes.len();
    while turn.owed.len() > room {
        pay(parts, turn, None, &[]).await.map_err(|error| database(&error))?;
    }
    for _ in 0..ATTEMPTS {
        let noted = parts
            .vault
            .seal_head(tenant, turn.database_row, head)
            .map_err(|error| FreshnessError::Vault(error.to_string()))?;
        let paid = pay(parts, turn, Some(noted), deletes);
        if paid.await.map_err(|error| database(&error))? == Paid::Yes {
            turn.database = head.counter;
            turn.database_row = Some(turn.database_row.map_or(1, |version| version + 1));
            return Ok(());
        }
        // Another instance on the same database has noted a step.
        let key = Vault::head_key(tenant);
        let rows = parts.store.load(&[key]).await.map_err(|error| database(&error))?;
        turn.database_row = rows.first().and_then(Option::as_ref).map(|row| row.version);
    }
    Err(FreshnessError::Database("it keeps changing".to_owned()))
}

/// How a commit of entries ended.
#[derive(PartialEq, Eq)]
enum Paid {
    Yes,
    /// The head is not the one that was known.
    OtherHead,
}

/// Commits as many of the entries that are owed as one commit takes, and what goes with them.
async fn pay(parts: &Parts, turn: &mut Turn, noted: Option<SealedChange>, deletes: &[Key]) -> Result<Paid, String> {
    loop {
        let count = turn.owed.len().min(MAX_WRITES - 1 - deletes.len());
        let entries = &turn.owed[..count];
        let absent = entries.iter().map(|entry| Condition::Absent(*entry.key()));
        let conditions: Vec<Condition> = absent.chain(noted.as_ref().map(|noted| noted.condition)).collect();
        let writes: Vec<Write> = deletes
            .iter()
            .copied()
            .map(Write::Delete)
            .chain(entries.iter().cloned())
            .chain(noted.as_ref().map(|noted| noted.write.clone()))
            .collect();
        let now = parts.clock.now();
        match core::commit(&*parts.store, &*parts.rng, now, &conditions, &writes).await {
            Ok(Committed::Yes) => {
                turn.owed.drain(..count);
                return Ok(Paid::Yes);
            }
            // An earlier commit has written it, and did not say so.
            Ok(Committed::Conflict(entry)) if entry < count => drop(turn.owed.remove(entry)),
            Ok(Committed::Conflict(_)) => return Ok(Paid::OtherHead),
            Err(problem) => return Err(problem.reason()),
        }
    }
}
