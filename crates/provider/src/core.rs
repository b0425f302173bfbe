//! What every endpoint works with: tenants, relying parties, vault, store, clock; and how a failed step is told.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use authenticator::{Reason, device::BindingError, policy::LevelRefusal};
use federation::Schemes;
use jose::{SignError, UnixTime};
use oidc::{
    authorization::AuthorizationError,
    consent::ConsentError,
    refusal::{ErrorCode, Refusal},
    token::TokenError,
};
use store::{Condition, OperationId, Outcome, Store, StoreError, Write};
use vault::{OpenError, PersonCapability, ScopeError, SealError, StateKind, Vault};

use crate::{
    anomalies::Anomalies,
    attestation::Attestation,
    clock::Clock,
    freshness::Ledgers,
    history::History,
    inbox::PushService,
    keys::TokenCertificates,
    limits::LimitSettings,
    nobody::Nobodies,
    relying_parties::RelyingParties,
    rng::{self, Rng},
    support::Problem,
    tenant::{Tenant, Tenants},
};

/// Times a commit whose outcome is unknown is asked about before the peer is told to try again.
const OUTCOME_QUESTIONS: u32 = 3;

/// The provider's parts.
pub(crate) struct Core {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    /// What this instance shows of itself; empty where nothing vouches for it.
    pub(crate) attestation: OnceLock<Arc<Attestation>>,
    /// Without what the freshness ledger says is gone.
    pub(crate) store: Arc<dyn Store>,
    pub(crate) freshness: Arc<Ledgers>,
    pub(crate) history: History,
    pub(crate) nobodies: Nobodies,
    pub(crate) limits: LimitSettings,
    pub(crate) anomalies: Anomalies,
    pub(crate) vault: Arc<Vault>,
    pub(crate) tenants: Tenants,
    pub(crate) relying_parties: RelyingParties,
    pub(crate) token_certificates: Option<Arc<dyn TokenCertificates>>,
    pub(crate) schemes: Schemes,
    /// Wakes phones; `None` where nobody is called.
    pub(crate) push: Option<PushService>,
    pub(crate) invented_people: bool,
}

/// Why a step went no further.
#[derive(Debug)]
pub(crate) enum StepProblem {
    /// The peer or the person asked for something that is not given.
    Refused(Refusal),
    /// The caller has used up an allowance.
    Limited {
        /// Which.
        limit: &'static str,
        /// When there is one more.
        seconds: u64,
        /// What he is told.
        refusal: Refusal,
    },
    /// Something we depend on does not answer; later it may.
    Unavailable(String),
    /// Something of ours failed.
    Failed(String),
}

impl StepProblem {
    /// 400 `invalid_request`.
    pub(crate) fn invalid(description: impl fmt::Display) -> Self {
        Self::Refused(Refusal::invalid_request(description))
    }

    /// 403 `access_denied`: well formed, but not good enough.
    pub(crate) fn denied(reason: Reason, description: impl fmt::Display) -> Self {
        Self::Refused(Refusal::new(403, ErrorCode::AccessDenied, description).because(reason))
    }

    /// 400 `invalid_request`, for a reason a wallet can tell from an error of its own.
    pub(crate) fn invalid_because(reason: Reason, description: impl fmt::Display) -> Self {
        Self::Refused(Refusal::invalid_request(description).because(reason))
    }

    /// The login was completed, declined or aborted.
    pub(crate) fn login_over() -> Self {
        AuthorizationError::EndedLogin.into()
    }

    /// The person has said that somebody is on the phone with her.
    pub(crate) fn cooling_off(seconds: u64) -> Self {
        let description = "after somebody was on the phone nothing is approved for another device for a while";
        Self::Limited {
            limit: "cooling_off",
            seconds,
            refusal: Refusal::new(403, ErrorCode::AccessDenied, description).because(Reason::CoolingOff),
        }
    }

    /// The hardware security module did not do it: nothing was done in its place.
    fn module(code: &'static str, error: impl fmt::Display) -> Self {
        tracing::error!(
            event = "hsm_failed",
            code,
            "the hardware security module did not answer as it should"
        );
        Self::Unavailable(error.to_string())
    }

    /// What the operator is told.
    pub(crate) fn reason(self) -> String {
        match self {
            Self::Refused(refusal) | Self::Limited { refusal, .. } => refusal.description,
            Self::Unavailable(reason) | Self::Failed(reason) => reason,
        }
    }

    /// Something of ours failed. The reason goes to the log and must not hold personal data.
    pub(crate) fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }
}

impl From<AuthorizationError> for StepProblem {
    fn from(error: AuthorizationError) -> Self {
        Self::Refused(error.refusal())
    }
}

impl From<ConsentError> for StepProblem {
    fn from(error: ConsentError) -> Self {
        Self::Refused(error.refusal())
    }
}

impl From<TokenError> for StepProblem {
    fn from(error: TokenError) -> Self {
        Self::Refused(error.refusal())
    }
}

impl From<LevelRefusal> for StepProblem {
    fn from(refusal: LevelRefusal) -> Self {
        Self::denied(refusal.reason(), refusal)
    }
}

impl From<BindingError> for StepProblem {
    fn from(error: BindingError) -> Self {
        Self::invalid_because(error.reason(), error)
    }
}

impl From<StoreError> for StepProblem {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<OpenError> for StepProblem {
    /// A record that does not open is an incident, not the caller's fault.
    fn from(error: OpenError) -> Self {
        tracing::error!(event = "record_not_authentic", %error, "a stored record does not open");
        Self::Failed(format!("a stored record does not open: {error}"))
    }
}

impl From<SealError> for StepProblem {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Hsm(error) => Self::module(error.code(), error),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<SignError> for StepProblem {
    /// Of a key in the hardware security module: later it may sign. No other key signs in its place.
    fn from(error: SignError) -> Self {
        match error {
            SignError::Holder { code } => Self::module(code, error),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<vault::KeyAbsent> for StepProblem {
    /// A tenant of another instance, or a generation nobody gave us: an incident, not the caller's fault.
    fn from(error: vault::KeyAbsent) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ScopeError> for StepProblem {
    fn from(error: ScopeError) -> Self {
        match error {
            ScopeError::Open(error) => error.into(),
            ScopeError::Sign(error) => error.into(),
            error => Self::Failed(error.to_string()),
        }
    }
}

/// How a commit ended, once no question is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Committed {
    /// Durable.
    Yes,
    /// This condition did not hold; nothing was written.
    Conflict(usize),
}

impl Core {
    pub(crate) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// Names a failed step, logs it and gives it a support code.
    pub(crate) fn problem(&self, event: &'static str, problem: StepProblem) -> Problem {
        match problem {
            StepProblem::Refused(refusal) => Problem::new(event, refusal, &*self.rng),
            StepProblem::Limited {
                limit,
                seconds,
                refusal,
            } => Problem::limited(limit, seconds, refusal, &*self.rng),
            StepProblem::Unavailable(reason) => Problem::unavailable(event, &reason, &*self.rng),
            StepProblem::Failed(reason) => Problem::internal(event, &reason, &*self.rng),
        }
    }

    /// Seals a state of a step before authentication.
    pub(crate) fn seal(
        &self,
        tenant: &Tenant,
        kind: StateKind,
        now: UnixTime,
        bytes: &[u8],
    ) -> Result<String, SealError> {
        self.vault.login_states().seal(tenant.id(), kind, now, bytes)
    }

    /// Opens a state of a step before authentication; `None` for anything that is not one of ours, of this tenant, step and time.
    pub(crate) fn open(&self, tenant: &Tenant, kind: StateKind, now: UnixTime, sealed: &str) -> Option<Vec<u8>> {
        self.vault.login_states().open(tenant.id(), kind, now, sealed).ok()
    }

    /// Seals a state of a step after authentication, with the right to the person's record inside.
    pub(crate) fn seal_login(
        &self,
        capability: &PersonCapability,
        kind: StateKind,
        now: UnixTime,
        bytes: &[u8],
    ) -> Result<String, SealError> {
        self.vault.seal_login(capability, kind, now, bytes)
    }

    /// Opens a state of a step after authentication.
    pub(crate) fn open_login(
        &self,
        tenant: &Tenant,
        kind: StateKind,
        now: UnixTime,
        sealed: &str,
    ) -> Option<(PersonCapability, Vec<u8>)> {
        self.vault.open_login(tenant.id(), kind, now, sealed).ok()
    }

    /// Commits once. A commit whose outcome is unknown is asked about by its operation, never repeated blindly.
    pub(crate) async fn commit(&self, conditions: &[Condition], writes: &[Write]) -> Result<Committed, StepProblem> {
        commit(&*self.store, &*self.rng, self.now(), conditions, writes).await
    }
}

/// See [`Core::commit`].
pub(crate) async fn commit(
    store: &dyn Store,
    rng: &dyn Rng,
    now: UnixTime,
    conditions: &[Condition],
    writes: &[Write],
) -> Result<Committed, StepProblem> {
    let operation = OperationId::new(now.0, rng::bytes(rng));
    match store.commit(operation, conditions, writes).await {
        Outcome::Committed => Ok(Committed::Yes),
        Outcome::Conflict(index) => Ok(Committed::Conflict(index)),
        Outcome::Refused(error) => Err(error.into()),
        Outcome::Unknown(operation) => {
            tracing::warn!(event = "commit_unknown", ?operation, "asking how a commit ended");
            for _ in 0..OUTCOME_QUESTIONS {
                if store.outcome_of(operation).await == Some(true) {
                    return Ok(Committed::Yes);
                }
                tokio::task::yield_now().await;
            }
            // It may still come true: whoever asked must not assume that it did not.
            Err(StepProblem::Unavailable("a commit's outcome is not known".to_owned()))
        }
    }
}
