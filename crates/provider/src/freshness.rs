//! The freshness ledger: what was taken back stays taken back, whatever becomes of the database (`docs/adr/0008-freshness-ledger.md`).
//!
//! Facts stand in memory, and as sealed steps in a register outside the database. Who takes something back writes the step first and changes the
//! database second; a process that dies between the two leaves a step the database does not know, and whoever starts next makes up for it. An
//! ordinary login writes no step and reads no row for it: it asks the facts in memory.
//!
//! Trusted for: a record the ledger says is gone is not handed out, a withdrawn consent does not answer, a counter does not go back, a lockout
//! holds. A register that is *behind* the database is not believed: everything that depends on it is refused until an operator says so.
//!
//! Does not: notice that register and database were both taken back to the same moment. That is for more witnesses than one.

mod following;
mod fresh_store;
mod ledger;
mod open;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jose::UnixTime;
use store::register::{FreshnessRegister, RegisterError};
use store::{Key, Store, StoreError, TenantId, Write};
use thiserror::Error;
use vault::Vault;
use vault::freshness::{FactName, ReplayError};

use crate::clock::Clock;
use crate::core::StepProblem;
use crate::rng::Rng;

pub(crate) use fresh_store::FreshStore;
pub(crate) use ledger::Ledger;

/// Seconds a ledger that could not be opened is not tried again: a broken register is not read on every request.
const FAILURE_KEPT_SECONDS: u64 = 10;

/// Why what depends on the ledger is refused. All of them mean: nothing was taken back, and nothing is handed out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FreshnessError {
    /// The register did not do it.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// Its steps do not make a ledger.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The database knows of later steps than the register.
    #[error(
        "the freshness register is at step {register}, the database has seen step {database}: the register was taken back"
    )]
    RegisterBehind {
        /// Newest step of the register.
        register: u64,
        /// Step the database has noted.
        database: u64,
    },
    /// The database has noted another history.
    #[error("the database has noted another history of the freshness register at step {0}")]
    OtherHistory(u64),
    /// The register may or may not have taken a step.
    #[error("the freshness register has not said whether it took a step")]
    Unknown,
    /// Another instance has gone on.
    #[error("the freshness register has gone on elsewhere")]
    Elsewhere,
    /// The database did not follow.
    #[error("the database did not follow the freshness register: {0}")]
    Database(String),
    /// A step could not be sealed, or the database's copy of the head does not open.
    #[error("freshness ledger: {0}")]
    Vault(String),
}

impl FreshnessError {
    /// A fixed word for logs and tools.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Register(RegisterError::Damaged(_)) => "freshness.register_damaged",
            Self::Register(_) => "freshness.register_unreachable",
            Self::Replay(error) => error.code(),
            Self::RegisterBehind { .. } => "freshness.register_behind",
            Self::OtherHistory(_) => "freshness.other_history",
            Self::Unknown => "freshness.step_unknown",
            Self::Elsewhere => "freshness.step_elsewhere",
            Self::Database(_) => "freshness.database_not_following",
            Self::Vault(_) => "freshness.not_sealed",
        }
    }
}

impl From<FreshnessError> for StepProblem {
    fn from(error: FreshnessError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<FreshnessError> for StoreError {
    fn from(error: FreshnessError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What is to be true from now on, whatever becomes of the database.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Floors to raise.
    pub(crate) facts: Vec<(FactName, u64)>,
    /// Records that go with it.
    pub(crate) deletes: Vec<Key>,
    /// Whether the database notes the step in a commit of its own.
    pub(crate) with_database: bool,
}

/// The ledgers of all tenants, opened when first asked for.
pub(crate) struct Ledgers {
    pub(crate) parts: Parts,
    open: Mutex<HashMap<TenantId, Arc<Place>>>,
}

/// What a ledger works with.
pub(crate) struct Parts {
    pub(crate) vault: Arc<Vault>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) register: Arc<dyn FreshnessRegister>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
}

/// One tenant's ledger, or why there is none.
#[derive(Default)]
struct Place {
    ledger: tokio::sync::OnceCell<Arc<Ledger>>,
    failed: Mutex<Option<(UnixTime, FreshnessError)>>,
}

impl Ledgers {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            parts,
            open: Mutex::default(),
        }
    }

    fn place(&self, tenant: TenantId) -> Arc<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(open.entry(tenant).or_default())
    }

    /// The next call opens it again.
    pub(crate) fn forget(&self, tenant: TenantId) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }

    /// A tenant's ledger; the first call replays it, and makes up for what the database has missed.
    pub(crate) async fn of(&self, tenant: TenantId) -> Result<Arc<Ledger>, FreshnessError> {
        let place = self.place(tenant);
        if let Some(ledger) = place.ledger.get() {
            return Ok(Arc::clone(ledger));
        }
        let now = self.parts.clock.now();
        let failed = place.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, error)) = failed
            && now >= at
            && now < at.plus_seconds(FAILURE_KEPT_SECONDS)
        {
            return Err(error);
        }
        let opened = place
            .ledger
            .get_or_try_init(|| async { open::open(&self.parts, tenant).await.map(Arc::new) })
            .await;
        match opened {
            Ok(ledger) => Ok(Arc::clone(ledger)),
            Err(error) => {
                tracing::error!(event = "freshness_unknown", code = error.code(), detail = %error, "the ledger is not believed");
                *place.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    /// Makes a change true: in the register first, then in the database. Durable when this returns.
    pub(crate) async fn change(&self, tenant: TenantId, change: Change) -> Result<(), FreshnessError> {
        self.change_with(tenant, change, None).await
    }

    /// As [`Self::change`], with the claim that carries the history's entry of it: whoever finds the step in the register and not the entry in the
    /// database writes it. The database notes the step.
    pub(crate) async fn change_with(
        &self,
        tenant: TenantId,
        change: Change,
        entry: Option<Write>,
    ) -> Result<(), FreshnessError> {
        let ledger = self.of(tenant).await?;
        let result = ledger.change(&self.parts, change, entry).await;
        if matches!(result, Err(FreshnessError::Elsewhere)) {
            self.forget(tenant);
        }
        result
    }

    /// Writes down how far devices have counted since the last time.
    pub(crate) async fn flush(&self) -> Result<(), FreshnessError> {
        let open: Vec<Arc<Place>> = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.values().cloned().collect()
        };
        let mut result = Ok(());
        for place in open {
            if let Some(ledger) = place.ledger.get()
                && let Err(error) = ledger.flush(&self.parts).await
            {
                tracing::error!(event = "freshness_not_written", code = error.code(), detail = %error, "counters wait for the next time");
                result = Err(error);
            }
        }
        result
    }

    /// Begins a ledger anew where an operator says that what the register has lost is lost: with the facts it still has, and nothing else.
    pub(crate) async fn confirm(&self, tenant: TenantId) -> Result<(), FreshnessError> {
        open::confirm(&self.parts, tenant).await?;
        self.forget(tenant);
        Ok(())
    }
}
