//! Relying parties as the federation vouches for them (A_22650, A_22649, A_23413, A_23132, A_23133).
//!
//! Trusted for: a [`RelyingParty`] handed out here was verified up to the pinned trust anchor, its signed key set included, and none of its
//! statements is older than the rules allow. Nothing is fetched from an address a caller supplied before the Federation Master has said that it
//! knows that address.
//!
//! Kept in memory only: another instance, or this one after a restart, asks the federation again.

mod kept;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use federation::{
    EntityId, EntityType, Schemes,
    chain::{
        ChainRequest, DISCARD_AFTER_SECONDS, FetchedStatement, OAuthErrorCode, REFRESH_AFTER_SECONDS, TrustAnchor,
        TrustChainError, VerifiedTrustAnchor, resolve,
    },
    relying_party::{self, RelyingPartyError, VerifiedRelyingParty},
    signed_keys::{self, SignedKeysError},
};
use jose::UnixTime;
use oidc::{
    client::{ClientTag, RelyingParty},
    refusal::{ErrorCode, Refusal},
};
use thiserror::Error;
use transport::{Fetch, FetchError};
use url::Url;

use crate::core::StepProblem;
use kept::{Kept, KeptParties};

/// Seconds a failure is remembered: long enough to blunt a flood, short enough for a registration that takes effect within minutes.
pub const FAILURE_KEPT_SECONDS: u64 = 10;
/// Seconds between two reloads of one party that a wrong certificate asks for.
pub const RELOAD_PAUSE_SECONDS: u64 = 10;

const ENTITY_STATEMENT: &str = "application/entity-statement+jwt";
const KEY_SETS: &str = "application/jwk-set+json, application/jwk-set+jwt";

/// Why a relying party could not be verified.
#[derive(Debug, Clone, Error)]
pub enum ResolveError {
    /// The client identifier's form.
    #[error("parameter 'client_id' must be the client's entity identifier: {0}")]
    ClientId(String),
    /// The Federation Master does not know it (A_22649).
    #[error("the client is not registered with the Federation Master (A_22649)")]
    Unknown,
    /// The Federation Master does not answer, and nothing is kept.
    #[error("the Federation Master cannot be asked: {0}")]
    FederationMaster(String),
    /// The client's own statement or key set cannot be had.
    #[error("the client's {what} cannot be fetched: {reason}")]
    Party {
        /// Which document.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The chain does not hold.
    #[error("the client's trust chain does not hold: {0}")]
    Chain(Arc<TrustChainError>),
    /// Its signed key set does not hold.
    #[error("the client's signed key set does not hold: {0}")]
    Keys(Arc<SignedKeysError>),
    /// It is in the federation, but not as a relying party of this profile.
    #[error("the client's metadata: {0}")]
    Metadata(Arc<RelyingPartyError>),
}

impl ResolveError {
    /// Whether the Federation Master does not know it, or did not say.
    pub(crate) const fn is_unregistered(&self) -> bool {
        matches!(self, Self::Unknown | Self::FederationMaster(_))
    }

    /// What the peer is told (gematik digest 3.9, 4.5): clients repeat on `invalid_client` (A_23500).
    pub(crate) fn problem(self) -> StepProblem {
        let code = |code: OAuthErrorCode| match code {
            OAuthErrorCode::InvalidRequest => ErrorCode::InvalidRequest,
            OAuthErrorCode::InvalidClient => ErrorCode::InvalidClient,
            OAuthErrorCode::MissingTrustAnchor => ErrorCode::MissingTrustAnchor,
        };
        let refused =
            |code| StepProblem::Refused(Refusal::new(401, code, &self).because(authenticator::Reason::ServiceUnknown));
        match &self {
            Self::ClientId(_) => StepProblem::invalid(&self),
            Self::Unknown | Self::Party { .. } | Self::Keys(_) => refused(ErrorCode::InvalidClient),
            Self::Chain(error) => refused(code(error.oauth_error())),
            Self::Metadata(error) => refused(code(error.oauth_error())),
            Self::FederationMaster(_) => StepProblem::Unavailable(self.to_string()),
        }
    }
}

struct Anchor {
    verified: Arc<VerifiedTrustAnchor>,
    compact: String,
    fetched_at: UnixTime,
}

/// Every relying party seen.
pub struct RelyingParties(Arc<Inner>);

struct Inner {
    anchors: Vec<TrustAnchor>,
    schemes: Schemes,
    fetch: Arc<dyn Fetch>,
    kept: KeptParties,
    anchor: RwLock<Option<Arc<Anchor>>>,
    /// One fetch at a time for one client; everybody else waits for its result.
    under_way: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl RelyingParties {
    /// Verifies up to these anchors: one Federation Master, perhaps with two keys during its rollover.
    pub fn new(anchors: Vec<TrustAnchor>, schemes: Schemes, fetch: Arc<dyn Fetch>) -> Self {
        Self(Arc::new(Inner {
            anchors,
            schemes,
            fetch,
            kept: KeptParties::default(),
            anchor: RwLock::default(),
            under_way: Mutex::default(),
        }))
    }

    /// The party with this identifier. An unknown one is verified within this call.
    pub(crate) async fn resolve(&self, client_id: &str, now: UnixTime) -> Result<Arc<RelyingParty>, StepProblem> {
        self.try_resolve(client_id, now).await.map_err(ResolveError::problem)
    }

    /// As [`resolve`](Self::resolve), with the reason.
    pub(crate) async fn try_resolve(&self, client_id: &str, now: UnixTime) -> Result<Arc<RelyingParty>, ResolveError> {
        match self.0.kept.find(client_id, now) {
            Kept::Fresh(party) => Ok(party),
            Kept::RefreshDue(party) => {
                if !self.0.is_under_way(client_id) {
                    let inner = Arc::clone(&self.0);
                    let client_id = client_id.to_owned();
                    tokio::spawn(async move {
                        // A failed refresh keeps what is there until it has to be discarded.
                        let _ = inner.refresh(&client_id, now).await;
                    });
                }
                Ok(party)
            }
            Kept::Failed(error) => Err(error),
            Kept::Nothing => self.0.refresh(client_id, now).await,
        }
    }

    /// Fetches a known party again because it showed a certificate that `stale` does not have; `None` where that was tried a moment ago, or
    /// failed. Where another request has just fetched it, its result serves this one too.
    pub(crate) async fn reload(&self, stale: &Arc<RelyingParty>, now: UnixTime) -> Option<Arc<RelyingParty>> {
        let client_id = stale.client_id();
        match self.0.kept.find(client_id, now) {
            Kept::Fresh(party) | Kept::RefreshDue(party) if !Arc::ptr_eq(&party, stale) => Some(party),
            _ if self.0.kept.may_reload(client_id, now) => self.0.refresh(client_id, now).await.ok(),
            _ => None,
        }
    }

    /// Whether asking for this party would make us ask the federation.
    pub(crate) fn is_unheard_of(&self, client_id: &str, now: UnixTime) -> bool {
        matches!(self.0.kept.find(client_id, now), Kept::Nothing) && !self.0.is_under_way(client_id)
    }

    /// The identifier of a party seen before, by its tag.
    pub fn client_id_of(&self, tag: ClientTag) -> Option<String> {
        self.0.kept.client_id_of(tag)
    }
}

impl Inner {
    fn is_under_way(&self, client_id: &str) -> bool {
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.contains_key(client_id)
    }

    async fn refresh(&self, client_id: &str, now: UnixTime) -> Result<Arc<RelyingParty>, ResolveError> {
        let seen_before = self.kept.attempt(client_id);
        let lock = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(under_way.entry(client_id.to_owned()).or_default())
        };
        let _turn = lock.lock().await;
        // Somebody else may have tried while we waited.
        if self.kept.attempt(client_id) != seen_before {
            match self.kept.find(client_id, now) {
                Kept::Fresh(party) | Kept::RefreshDue(party) => return Ok(party),
                Kept::Failed(error) => return Err(error),
                Kept::Nothing => {}
            }
        }
        let result = self.verify(client_id, now).await;
        self.kept.keep(client_id, &result, now);
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(client_id);
        result.map(|(party, _)| party)
    }

    /// The order of gematik digest 3.9: shape, Federation Master, its word on the client, and only then the client itself.
    async fn verify(&self, client_id: &str, now: UnixTime) -> Result<(Arc<RelyingParty>, UnixTime), ResolveError> {
        let subject =
            EntityId::parse(client_id, self.schemes).map_err(|error| ResolveError::ClientId(error.to_string()))?;
        let anchor = self.federation_master(now).await?;
        let subordinate = self.ask_federation_master(&anchor, &subject, now).await?;
        let own = self.fetch_own(&subject).await?;
        let statements = [
            own,
            subordinate,
            FetchedStatement::new(anchor.verified.entity_id().well_known_url(), anchor.compact.clone()),
        ];
        let request = ChainRequest::new(&subject, EntityType::OpenIdRelyingParty);
        let chain =
            resolve(&request, &statements, &self.anchors, now).map_err(|error| ResolveError::Chain(Arc::new(error)))?;
        let keys =
            match relying_party::signed_jwks_uri(&chain).map_err(|error| ResolveError::Metadata(Arc::new(error)))? {
                None => None,
                Some(uri) => {
                    let what = "signed key set";
                    let document = self
                        .fetch_text(&uri, KEY_SETS)
                        .await
                        .map_err(|reason| ResolveError::Party { what, reason })?;
                    let keys = signed_keys::parse(&document)
                        .and_then(|keys| keys.verify(&subject, chain.federation_keys(), now))
                        .map_err(|error| ResolveError::Keys(Arc::new(error)))?;
                    Some(keys)
                }
            };
        let verified = VerifiedRelyingParty::from_chain(&chain, keys.as_ref())
            .map_err(|error| ResolveError::Metadata(Arc::new(error)))?;
        Ok((Arc::new(RelyingParty::from_verified(&verified)), verified.expires_at()))
    }

    /// The Federation Master's own statement, kept by the same rules as everybody's (A_23413).
    async fn federation_master(&self, now: UnixTime) -> Result<Arc<Anchor>, ResolveError> {
        let kept = self.anchor.read().unwrap_or_else(PoisonError::into_inner).clone();
        let fresh = |anchor: &Anchor| now < anchor.fetched_at.plus_seconds(REFRESH_AFTER_SECONDS);
        let usable = |anchor: &Anchor| {
            now < anchor.verified.expires_at() && now < anchor.fetched_at.plus_seconds(DISCARD_AFTER_SECONDS)
        };
        if let Some(anchor) = kept.clone().filter(|anchor| fresh(anchor) && usable(anchor)) {
            return Ok(anchor);
        }
        match (self.fetch_federation_master(now).await, kept) {
            (Ok(anchor), _) => {
                let anchor = Arc::new(anchor);
                *self.anchor.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&anchor));
                Ok(anchor)
            }
            (Err(_), Some(anchor)) if usable(&anchor) => Ok(anchor),
            (Err(error), _) => Err(error),
        }
    }

    async fn fetch_federation_master(&self, now: UnixTime) -> Result<Anchor, ResolveError> {
        let mut last = ResolveError::FederationMaster("no trust anchor is configured".to_owned());
        for pinned in &self.anchors {
            let url = pinned.entity_id.well_known_url();
            match self.fetch_text(&url, ENTITY_STATEMENT).await {
                Err(reason) => last = ResolveError::FederationMaster(reason),
                Ok(compact) => match pinned.verify_configuration(&compact, now) {
                    Ok(verified) => {
                        return Ok(Anchor {
                            verified: Arc::new(verified),
                            compact,
                            fetched_at: now,
                        });
                    }
                    Err(error) => last = ResolveError::FederationMaster(error.to_string()),
                },
            }
        }
        Err(last)
    }

    async fn ask_federation_master(
        &self,
        anchor: &Anchor,
        subject: &EntityId,
        now: UnixTime,
    ) -> Result<FetchedStatement, ResolveError> {
        let missing = || ResolveError::FederationMaster("its statement names no federation_fetch_endpoint".to_owned());
        let endpoint = anchor
            .verified
            .endpoints()
            .federation_fetch_endpoint
            .as_deref()
            .ok_or_else(missing)?;
        let mut url = Url::parse(endpoint).map_err(|_| missing())?;
        url.query_pairs_mut()
            .append_pair("iss", anchor.verified.entity_id().as_str())
            .append_pair("sub", subject.as_str());
        let answer = self
            .fetch
            .fetch(url.as_str(), ENTITY_STATEMENT)
            .await
            .map_err(|error| ResolveError::FederationMaster(error.to_string()))?;
        // 404 in production, 400 in the reference implementation (gematik digest 3.4).
        if matches!(answer.status, 400 | 404) {
            return Err(ResolveError::Unknown);
        }
        if !answer.is_success() {
            return Err(ResolveError::FederationMaster(format!(
                "it answered with status {}",
                answer.status
            )));
        }
        let compact = String::from_utf8(answer.body.to_vec())
            .map_err(|_| ResolveError::FederationMaster("its answer is not text".to_owned()))?;
        anchor
            .verified
            .verify_statement_about(subject, compact.trim(), now)
            .map_err(|error| ResolveError::Chain(Arc::new(error)))?;
        Ok(FetchedStatement::new(url, compact.trim()))
    }

    async fn fetch_own(&self, subject: &EntityId) -> Result<FetchedStatement, ResolveError> {
        let url = subject.well_known_url();
        let what = "entity statement";
        let compact = self
            .fetch_text(&url, ENTITY_STATEMENT)
            .await
            .map_err(|reason| ResolveError::Party { what, reason })?;
        Ok(FetchedStatement::new(url, compact))
    }

    async fn fetch_text(&self, url: &str, accept: &str) -> Result<String, String> {
        let answer = self
            .fetch
            .fetch(url, accept)
            .await
            .map_err(|error: FetchError| error.to_string())?;
        if !answer.is_success() {
            return Err(format!("status {}, expected 200", answer.status));
        }
        String::from_utf8(answer.body.to_vec())
            .map(|text| text.trim().to_owned())
            .map_err(|_| "the answer is not text".to_owned())
    }
}
