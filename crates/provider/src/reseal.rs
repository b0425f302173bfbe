//! Moving a tenant's records to newer keys while logins run (`docs/operations/keys.md`, "Rotation").
//!
//! Walks all people of a tenant, some at a time, and moves what is old. Whatever was moved is recognised, so a walk that was interrupted is simply
//! begun anew, and two at once do no harm: every change is conditional on the version that was read, and whoever loses reads again.
//!
//! Trusted for: nothing is lost that was not said to be given up. Does not: decide that a rotation is due, or see to it that every instance reads the
//! next generation before one writes it. Both are the operator's.

use std::fmt;
use std::time::Duration;

use store::{Condition, Key, Kind, MAX_LISTED, Row, Write};
use vault::{BackgroundTask, PersonId, PersonScope, Rows, ScopeError, SealedChange};

use crate::{
    Provider,
    core::{Committed, Core, StepProblem},
    tenant::Tenant,
};

/// People between two lines of progress in the log, and between two moments in which others run.
const PEOPLE_AT_A_TIME: usize = 64;
/// Times a record that somebody changes meanwhile is read again before it is left for the next walk.
const ATTEMPTS: u32 = 5;
/// A walk that failed is begun again after this.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(60);

/// What is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Rotation {
    /// Records to the generation in force: people, devices, consents, lookups, signing keys. Entries of the history are written once and stay.
    Wrap,
    /// Lookup records to the index in force.
    Index,
    /// Each person gets a new data key, and her devices and consents move to it. The old one stays beside it, for her history.
    DataKeys,
    /// The old data keys are destroyed, and with them what only they open: entries of the history from before [`DataKeys`](Self::DataKeys).
    FinishDataKeys,
}

impl Rotation {
    /// As commands and log lines name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wrap => "wrap",
            Self::Index => "index",
            Self::DataKeys => "data-keys",
            Self::FinishDataKeys => "finish-data-keys",
        }
    }
}

/// What a walk has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotated {
    /// People looked at.
    pub people: u64,
    /// Records moved.
    pub records: u64,
    /// People and records that did not open, or that others kept changing. The log says which of the two.
    pub left: u64,
}

impl fmt::Display for Rotated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { people, records, left } = self;
        write!(f, "{people} people looked at, {records} records moved, {left} left")
    }
}

/// Every tenant, every rotation, each until it was gone through once. What fails is said in the log, and tried again.
pub async fn rotate_all(provider: Provider, rotations: Vec<Rotation>) {
    for what in rotations {
        for tenant in provider.tenants().iter() {
            while let Err(error) = provider.rotate(tenant.issuer(), what).await {
                let kind = what.name();
                tracing::warn!(event = "rotation_failed", kind, detail = %error, "tried again in a while");
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
}

/// Moves everything of a tenant that is old.
///
/// # Errors
/// [`StepProblem::Unavailable`] if store or ledger do not answer: run it again, it goes on.
pub(crate) async fn rotate(core: &Core, tenant: &Tenant, what: Rotation) -> Result<Rotated, StepProblem> {
    let walk = Walk { core, tenant, what };
    let mut rotated = Rotated::default();
    if what == Rotation::Wrap {
        walk.tenants_records(Kind::TenantKey, &mut rotated).await?;
        walk.tenants_records(Kind::Lookup, &mut rotated).await?;
    }
    walk.people(&mut rotated).await?;
    let Rotated { people, records, left } = rotated;
    let kind = what.name();
    if left == 0 {
        tracing::info!(
            event = "rotation_finished",
            kind,
            people,
            records,
            "every record was moved"
        );
    } else {
        tracing::warn!(
            event = "rotation_left_some",
            kind,
            people,
            records,
            left,
            "some records were not moved"
        );
    }
    Ok(rotated)
}

struct Walk<'a> {
    core: &'a Core,
    tenant: &'a Tenant,
    what: Rotation,
}

/// What became of one record or person.
enum Step {
    Moved(u64),
    Left,
}

impl Walk<'_> {
    /// A page of a kind, gone ones included: they mark the way.
    async fn page(&self, kind: Kind, after: Option<&Key>) -> Result<Vec<(Key, Row)>, StepProblem> {
        let store = &self.core.freshness.parts.store;
        let after = after.map(Key::id);
        let page = PEOPLE_AT_A_TIME;
        Ok(store.list_after(kind, self.tenant.id(), &[], after, page).await?)
    }

    /// What holds for one holds for all: a store that does not answer ends the walk, a record that does not open is left.
    fn note(rotated: &mut Rotated, step: Result<Step, StepProblem>) -> Result<(), StepProblem> {
        match step {
            Ok(Step::Moved(records)) => rotated.records += records,
            Ok(Step::Left) | Err(StepProblem::Failed(_)) => rotated.left += 1,
            Err(problem) => return Err(problem),
        }
        Ok(())
    }

    async fn tenants_records(&self, kind: Kind, rotated: &mut Rotated) -> Result<(), StepProblem> {
        let mut last = None;
        loop {
            let rows = self.page(kind, last.as_ref()).await?;
            let Some((key, _)) = rows.last() else { return Ok(()) };
            last = Some(*key);
            for (key, _) in rows {
                Self::note(rotated, self.tenants_record(&key).await)?;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn tenants_record(&self, key: &Key) -> Result<Step, StepProblem> {
        let vault = &self.core.vault;
        for _ in 0..ATTEMPTS {
            let row = self.core.store.load(&[*key]).await?.into_iter().next().flatten();
            let Some(row) = row.filter(|row| vault.is_sealed_under_an_older_generation(row)) else {
                return Ok(Step::Moved(0));
            };
            let change = match key.kind() {
                Kind::Lookup => vault.reseal_lookup(key, &row)?,
                _ => vault.seal_signing_key(&vault.open_signing_key(key, &row)?, Some(row.version))?,
            };
            if self.commit(vec![change]).await? == Committed::Yes {
                return Ok(Step::Moved(1));
            }
        }
        Ok(Step::Left)
    }

    async fn people(&self, rotated: &mut Rotated) -> Result<(), StepProblem> {
        let kind = self.what.name();
        let mut last = None;
        loop {
            let rows = self.page(Kind::Identity, last.as_ref()).await?;
            let Some((key, _)) = rows.last() else { return Ok(()) };
            last = Some(*key);
            for (key, _) in &rows {
                let Ok(person) = key.id().try_into().map(PersonId::from_bytes) else {
                    rotated.left += 1;
                    continue;
                };
                rotated.people += 1;
                Self::note(rotated, self.person(person).await)?;
            }
            let Rotated { people, records, left } = *rotated;
            tracing::info!(
                event = "rotation_progress",
                kind,
                people,
                records,
                left,
                "records move to newer keys"
            );
            tokio::task::yield_now().await;
        }
    }

    async fn person(&self, person: PersonId) -> Result<Step, StepProblem> {
        match self.what {
            Rotation::Index => self.lookup(person).await,
            Rotation::Wrap | Rotation::DataKeys => match self.identity(person).await? {
                Step::Moved(identity) => Ok(match self.belongings(person).await? {
                    Step::Moved(records) => Step::Moved(identity + records),
                    Step::Left => Step::Left,
                }),
                Step::Left => Ok(Step::Left),
            },
            // Last of all the old key: nothing may be left that only it opens, but what is given up.
            Rotation::FinishDataKeys => match self.belongings(person).await? {
                Step::Moved(records) => Ok(match self.identity(person).await? {
                    Step::Moved(identity) => Step::Moved(identity + records),
                    Step::Left => Step::Left,
                }),
                Step::Left => Ok(Step::Left),
            },
        }
    }

    async fn load_identity(&self, person: PersonId) -> Result<Option<Row>, StepProblem> {
        let keys = [person.identity_key(self.tenant.id())];
        Ok(self.core.store.load(&keys).await?.into_iter().next().flatten())
    }

    /// In her scope, for this task.
    fn with_person<R: vault::Outbound>(
        &self,
        person: PersonId,
        identity: &Row,
        work: impl for<'p> FnOnce(&PersonScope<'p>) -> Result<R, ScopeError>,
    ) -> Result<R, StepProblem> {
        let vault = &self.core.vault;
        let capability = vault.background_capability(self.tenant.id(), person, BackgroundTask::Reseal);
        Ok(vault.with_person(capability, identity, work)??)
    }

    async fn commit(&self, changes: Vec<SealedChange>) -> Result<Committed, StepProblem> {
        let (conditions, writes): (Vec<Condition>, Vec<Write>) = changes
            .into_iter()
            .map(|change| (change.condition, change.write))
            .unzip();
        self.core.commit(&conditions, &writes).await
    }

    /// Her own record, with the data keys in it.
    async fn identity(&self, person: PersonId) -> Result<Step, StepProblem> {
        for _ in 0..ATTEMPTS {
            let Some(row) = self.load_identity(person).await? else {
                return Ok(Step::Moved(0));
            };
            let old = self.core.vault.is_sealed_under_an_older_generation(&row);
            if self.what == Rotation::Wrap && !old {
                return Ok(Step::Moved(0));
            }
            let change = self.with_person(person, &row, |scope| match self.what {
                Rotation::Wrap => scope.reseal_claims().map(Some),
                Rotation::DataKeys if scope.is_in_data_key_rotation() => Ok(None),
                Rotation::DataKeys => scope.begin_data_key_rotation().map(Some),
                Rotation::FinishDataKeys => scope.finish_data_key_rotation(),
                Rotation::Index => Ok(None),
            })?;
            let Some(change) = change else {
                return Ok(Step::Moved(0));
            };
            if self.commit(vec![change]).await? == Committed::Yes {
                return Ok(Step::Moved(1));
            }
        }
        Ok(Step::Left)
    }

    /// Her devices and consents.
    async fn belongings(&self, person: PersonId) -> Result<Step, StepProblem> {
        let mut moved = 0;
        for (kind, rows) in [(Kind::Device, Rows::Devices), (Kind::Consent, Rows::Consents)] {
            let hers = self.core.vault.row_group(self.tenant.id(), &person, rows)?;
            let store = &self.core.store;
            let rows = store.list(kind, self.tenant.id(), hers.as_bytes(), MAX_LISTED).await?;
            for (key, _) in rows {
                match self.belonging(person, &key).await? {
                    Step::Moved(records) => moved += records,
                    Step::Left => return Ok(Step::Left),
                }
            }
        }
        Ok(Step::Moved(moved))
    }

    async fn belonging(&self, person: PersonId, key: &Key) -> Result<Step, StepProblem> {
        for _ in 0..ATTEMPTS {
            let keys = [person.identity_key(self.tenant.id()), *key];
            let mut rows = self.core.store.load(&keys).await?.into_iter();
            // Taken back or deleted meanwhile.
            let (Some(identity), Some(row)) = (rows.next().flatten(), rows.next().flatten()) else {
                return Ok(Step::Moved(0));
            };
            let old = self.core.vault.is_sealed_under_an_older_generation(&row);
            let change = self.with_person(person, &identity, |scope| {
                let wanted = old || (self.what != Rotation::Wrap && scope.is_in_data_key_rotation());
                wanted.then(|| scope.reseal_record(key, &row)).transpose()
            })?;
            let Some(change) = change else {
                return Ok(Step::Moved(0));
            };
            if self.commit(vec![change]).await? == Committed::Yes {
                return Ok(Step::Moved(1));
            }
        }
        Ok(Step::Left)
    }

    async fn lookup(&self, person: PersonId) -> Result<Step, StepProblem> {
        for _ in 0..ATTEMPTS {
            let Some(identity) = self.load_identity(person).await? else {
                return Ok(Step::Moved(0));
            };
            let keys = self.with_person(person, &identity, |scope| scope.lookup_keys())?;
            let rows = self.core.store.load(keys.keys()).await?;
            let found = keys.keys().iter().zip(rows).find_map(|(key, row)| Some((key, row?)));
            let Some((key, row)) = found else {
                tracing::error!(
                    event = "record_not_authentic",
                    "a person has no lookup record under any index"
                );
                return Ok(Step::Left);
            };
            let Some(moved) = self.with_person(person, &identity, |scope| scope.move_lookup(key, &row))? else {
                return Ok(Step::Moved(0));
            };
            if self.core.commit(&moved.conditions, &moved.writes).await? == Committed::Yes {
                return Ok(Step::Moved(1));
            }
        }
        Ok(Step::Left)
    }
}
