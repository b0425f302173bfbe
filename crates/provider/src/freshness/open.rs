//! Opening a ledger: replay the register, hold the database against it, and make up for what the database has missed.

use jose::UnixTime;
use store::register::{Appended, Head, Step};
use store::{Key, TenantId};
use vault::Vault;
use vault::freshness::{FactName, StepContent, replay};

use super::following::follow;
use super::ledger::{Turn, begin_anew, logins_not_before};
use super::{Change, FreshnessError, Ledger, Parts};
use crate::history::{self, Claims};

/// How much longer than the last flush says is looked back: a flush is several steps where many devices have counted.
const FLUSH_SLACK_SECONDS: u64 = 600;

/// What the database has noted.
struct Noted {
    head: Head,
    row: Option<u64>,
}

async fn noted(parts: &Parts, tenant: TenantId) -> Result<Noted, FreshnessError> {
    let rows = parts
        .store
        .load(&[Vault::head_key(tenant)])
        .await
        .map_err(|error| FreshnessError::Database(error.to_string()))?;
    match rows.into_iter().next().flatten() {
        None => Ok(Noted {
            head: Head {
                counter: 0,
                root: [0; 32],
            },
            row: None,
        }),
        Some(row) => {
            let head = parts
                .vault
                .open_head(tenant, &row)
                .map_err(|error| FreshnessError::Vault(error.to_string()))?;
            Ok(Noted {
                head,
                row: Some(row.version),
            })
        }
    }
}

fn name_of_beginning(parts: &Parts, tenant: TenantId) -> Result<FactName, FreshnessError> {
    logins_not_before(&parts.vault, tenant).map_err(|error| FreshnessError::Vault(error.to_string()))
}

fn bytes_of(steps: &[Step]) -> usize {
    steps.iter().map(|step| step.sealed.len()).sum()
}

/// Opens a tenant's ledger.
pub(super) async fn open(parts: &Parts, tenant: TenantId) -> Result<Ledger, FreshnessError> {
    let steps = parts.register.steps(tenant).await?;
    let (facts, contents) = replay(&parts.vault, tenant, &steps)?;
    let Noted { head, row } = noted(parts, tenant).await?;
    let newest = contents.last().map_or(0, |(head, _)| head.counter);
    if head.counter > newest {
        return Err(FreshnessError::RegisterBehind {
            register: newest,
            database: head.counter,
        });
    }
    let same = |(known, _): &(Head, StepContent)| known.counter != head.counter || known.root == head.root;
    if !contents.iter().all(same) {
        return Err(FreshnessError::OtherHistory(head.counter));
    }
    let mut turn = Turn {
        counter: newest,
        database: head.counter,
        database_row: row,
        bytes: bytes_of(&steps),
        doubt: None,
        owed: Vec::new(),
    };
    let missed: Vec<&(Head, StepContent)> = contents
        .iter()
        .filter(|(step, content)| content.database_was.is_some() && step.counter > head.counter)
        .collect();
    let Some((_, last)) = missed.last() else {
        let ledger = Ledger::new(tenant, facts, turn);
        recount(parts, tenant, &ledger).await?;
        return Ok(ledger);
    };
    // A process that died between register and database leaves the database where its last step found it. So does an old database that lacks
    // exactly one step: they cannot be told apart, and are treated alike.
    let rewound = last.database_was != Some(head.counter);
    let root = facts.root();
    let deletes: Vec<Key> = missed.iter().flat_map(|(_, content)| content.deletes.clone()).collect();
    let mut unique: Vec<Key> = Vec::with_capacity(deletes.len());
    for key in deletes {
        if !unique.contains(&key) {
            unique.push(key);
        }
    }
    let head = Head { counter: newest, root };
    turn.owed = missed.iter().filter_map(|(_, content)| content.entry.clone()).collect();
    for chunk in unique.chunks(StepContent::MAX_DELETES) {
        follow(parts, tenant, &mut turn, head, chunk).await?;
    }
    if unique.is_empty() {
        follow(parts, tenant, &mut turn, head, &[]).await?;
    }
    let ledger = Ledger::new(tenant, facts, turn);
    recount(parts, tenant, &ledger).await?;
    let (missed, deleted) = (missed.len(), unique.len());
    if rewound {
        tracing::error!(
            event = "database_rewound",
            missed,
            deleted,
            "the database is older than the freshness register; what was taken back is taken back again"
        );
    } else {
        tracing::warn!(
            event = "freshness_settled",
            deleted,
            "the database has caught up with the freshness register"
        );
    }
    // A database one step behind may be an older one too, without its claims on logins: whatever login began before now is not worth anything
    // any more.
    let now = parts.clock.now();
    let change = Change {
        facts: vec![(name_of_beginning(parts, tenant)?, now.0)],
        deletes: Vec::new(),
        with_database: true,
    };
    ledger.change(parts, change, None).await?;
    Ok(ledger)
}

/// Counters that devices have shown, and entries that histories have got, since the register was last written to: logins leave them in their claims, in case the process dies before the
/// next flush.
async fn recount(parts: &Parts, tenant: TenantId, ledger: &Ledger) -> Result<(), FreshnessError> {
    let flushed = ledger.completed_at(&parts.vault).saturating_sub(FLUSH_SLACK_SECONDS);
    let since = history::claim_expiry(UnixTime(flushed));
    let mut claims = Claims::of(&*parts.store, &parts.vault, tenant);
    let database = |error: store::StoreError| FreshnessError::Database(error.to_string());
    while let Some(page) = claims.next(|expires_at| expires_at >= since).await.map_err(database)? {
        for (name, counter) in page
            .into_iter()
            .flat_map(|(_, carried)| [carried.counter, carried.head])
            .flatten()
        {
            ledger.recall(name, counter);
        }
    }
    Ok(())
}

/// Begins anew with the facts the register still has.
pub(super) async fn confirm(parts: &Parts, tenant: TenantId) -> Result<(), FreshnessError> {
    let steps = parts.register.steps(tenant).await?;
    let (facts, contents) = replay(&parts.vault, tenant, &steps)?;
    let Noted { head, row } = noted(parts, tenant).await?;
    let newest = contents.last().map_or(0, |(head, _)| head.counter);
    let now = parts.clock.now();
    let mut facts: Vec<(FactName, u64)> = facts.iter().map(|(name, floor)| (*name, floor)).collect();
    let not_before = name_of_beginning(parts, tenant)?;
    facts.retain(|(name, _)| *name != not_before);
    facts.push((not_before, now.0));
    let (map, steps) = begin_anew(parts, tenant, &facts, newest, head.counter)?;
    let counter = steps.last().map_or(newest, |step| step.head.counter);
    match parts.register.replace(tenant, newest, &steps).await {
        Appended::Acknowledged => {}
        Appended::Refused(error) => return Err(error.into()),
        Appended::Elsewhere(_) => return Err(FreshnessError::Elsewhere),
        Appended::Unknown => return Err(FreshnessError::Unknown),
    }
    let missed = contents.into_iter().filter(|(step, _)| step.counter > head.counter);
    let mut turn = Turn {
        counter,
        database: head.counter,
        database_row: row,
        bytes: 0,
        doubt: None,
        owed: missed.filter_map(|(_, content)| content.entry).collect(),
    };
    let head = Head {
        counter,
        root: map.root(),
    };
    follow(parts, tenant, &mut turn, head, &[]).await?;
    tracing::error!(
        event = "freshness_confirmed",
        "an operator has begun the freshness ledger anew; what it had lost is lost"
    );
    Ok(())
}
