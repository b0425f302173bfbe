//! What is known of the federation, kept and refreshed: the Federation Master, the list of identity providers, the providers.
//!
//! Each document is fetched once however many logins wait for it. What is old is refreshed (12 h) and used on if that fails; what is too old
//! (24 h) or expired is not used (A_23039).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use federation::chain::{DISCARD_AFTER_SECONDS, Freshness, REFRESH_AFTER_SECONDS, VerifiedTrustAnchor};
use federation::idp_list::{self, VerifiedIdpList};
use federation::{EntityId, statement};
use jose::UnixTime;
use transport::Fetch;

use super::provider::{Document, FederationError, Loader, TrustedProvider, fetch_text};

/// The list of identity providers is fetched anew after this many seconds.
pub const LIST_REFRESH_SECONDS: u64 = 5 * 60;
/// A Federation Master's statement younger than this is not fetched again because something does not verify with it.
pub const MASTER_RELOAD_SECONDS: u64 = 60;
/// Most providers kept.
pub const MAX_PROVIDERS: usize = idp_list::MAX_ENTRIES;

/// The Federation Master's verified statement.
#[derive(Clone)]
pub(crate) struct Master {
    pub(crate) anchor: Arc<VerifiedTrustAnchor>,
    pub(crate) compact: String,
    fetched_at: UnixTime,
}

impl Master {
    fn freshness(&self, now: UnixTime) -> Freshness {
        if now >= self.anchor.expires_at() || now >= self.fetched_at.plus_seconds(DISCARD_AFTER_SECONDS) {
            Freshness::Discard
        } else if now >= self.fetched_at.plus_seconds(REFRESH_AFTER_SECONDS) {
            Freshness::RefreshDue
        } else {
            Freshness::Fresh
        }
    }
}

struct List {
    list: Arc<VerifiedIdpList>,
    fetched_at: UnixTime,
}

type Slot = Arc<tokio::sync::Mutex<Option<Arc<TrustedProvider>>>>;

pub(crate) struct Directory {
    loader: Loader,
    list_fetch: Arc<dyn Fetch>,
    master: tokio::sync::Mutex<Option<Master>>,
    list: tokio::sync::Mutex<Option<List>>,
    slots: Mutex<HashMap<EntityId, Slot>>,
}

impl Directory {
    pub(crate) fn new(loader: Loader, list_fetch: Arc<dyn Fetch>) -> Self {
        Self {
            loader,
            list_fetch,
            master: tokio::sync::Mutex::new(None),
            list: tokio::sync::Mutex::new(None),
            slots: Mutex::new(HashMap::new()),
        }
    }

    /// The list of identity providers.
    pub(crate) async fn idp_list(&self, now: UnixTime) -> Result<Arc<VerifiedIdpList>, FederationError> {
        let mut kept = self.list.lock().await;
        if let Some(known) = &*kept
            && now < known.list.exp()
            && now < known.fetched_at.plus_seconds(LIST_REFRESH_SECONDS)
        {
            return Ok(Arc::clone(&known.list));
        }
        match (self.fetch_list(now).await, &*kept) {
            (Ok(list), _) => {
                let list = Arc::new(list);
                *kept = Some(List {
                    list: Arc::clone(&list),
                    fetched_at: now,
                });
                Ok(list)
            }
            (Err(error), Some(known)) if now < known.list.exp() => {
                tracing::warn!(event = "relying_party.idp_list_not_refreshed", reason = %error);
                Ok(Arc::clone(&known.list))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// A provider, as fresh as the rules want it.
    pub(crate) async fn provider(
        &self,
        issuer: &EntityId,
        now: UnixTime,
    ) -> Result<Arc<TrustedProvider>, FederationError> {
        let slot = self.slot(issuer);
        let mut kept = slot.lock().await;
        let freshness = kept
            .as_ref()
            .map_or(Freshness::Discard, |provider| provider.freshness(now));
        match (&*kept, freshness) {
            (Some(provider), Freshness::Fresh) => return Ok(Arc::clone(provider)),
            (None, _) | (Some(_), Freshness::RefreshDue | Freshness::Discard) => {}
        }
        match (self.load(issuer, now).await, &*kept) {
            (Ok(provider), _) => {
                *kept = Some(Arc::clone(&provider));
                Ok(provider)
            }
            (Err(error), Some(provider)) if freshness == Freshness::RefreshDue => {
                tracing::warn!(event = "relying_party.provider_not_refreshed", issuer = %issuer, reason = %error);
                Ok(Arc::clone(provider))
            }
            (Err(error), _) => {
                *kept = None;
                drop(kept);
                self.forget_if_empty(issuer);
                Err(error)
            }
        }
    }

    /// The provider, fetched after `stale` was: it signs with a key, or speaks a version, that `stale` does not know (A_22861, A_27505).
    pub(crate) async fn reload(
        &self,
        stale: &Arc<TrustedProvider>,
        now: UnixTime,
    ) -> Result<Arc<TrustedProvider>, FederationError> {
        let slot = self.slot(stale.issuer());
        let mut kept = slot.lock().await;
        if let Some(provider) = &*kept
            && !Arc::ptr_eq(provider, stale)
            && provider.freshness(now) == Freshness::Fresh
        {
            return Ok(Arc::clone(provider));
        }
        let provider = self.load(stale.issuer(), now).await?;
        *kept = Some(Arc::clone(&provider));
        Ok(provider)
    }

    /// The Federation Master may have changed its keys since its statement was fetched: then it is fetched again, once.
    async fn load(&self, issuer: &EntityId, now: UnixTime) -> Result<Arc<TrustedProvider>, FederationError> {
        let master = self.master(now, 0).await?;
        match self.loader.load(issuer, &master, now).await {
            Err(FederationError::Chain(_)) if now >= master.fetched_at.plus_seconds(MASTER_RELOAD_SECONDS) => {
                let master = self.master(now, MASTER_RELOAD_SECONDS).await?;
                self.loader.load(issuer, &master, now).await.map(Arc::new)
            }
            outcome => outcome.map(Arc::new),
        }
    }

    async fn fetch_list(&self, now: UnixTime) -> Result<VerifiedIdpList, FederationError> {
        let master = self.master(now, 0).await?;
        match self.fetch_list_from(&master, now).await {
            Err(FederationError::IdpList(_)) if now >= master.fetched_at.plus_seconds(MASTER_RELOAD_SECONDS) => {
                let master = self.master(now, MASTER_RELOAD_SECONDS).await?;
                self.fetch_list_from(&master, now).await
            }
            outcome => outcome,
        }
    }

    async fn fetch_list_from(&self, master: &Master, now: UnixTime) -> Result<VerifiedIdpList, FederationError> {
        let url = master
            .anchor
            .endpoints()
            .idp_list_endpoint
            .as_deref()
            .ok_or(FederationError::NoEndpoint {
                member: "idp_list_endpoint",
            })?;
        let compact = fetch_text(&*self.list_fetch, Document::IdpList, url, "application/jwt").await?;
        Ok(idp_list::parse(&compact)?.verify(master.anchor.entity_id(), master.anchor.keys(), now)?)
    }

    /// The Federation Master's statement; one older than `not_older_seconds` is fetched anew, unless that is 0.
    async fn master(&self, now: UnixTime, not_older_seconds: u64) -> Result<Master, FederationError> {
        let mut kept = self.master.lock().await;
        let freshness = match &*kept {
            None => Freshness::Discard,
            Some(known) if not_older_seconds > 0 && now >= known.fetched_at.plus_seconds(not_older_seconds) => {
                Freshness::RefreshDue
            }
            Some(known) => known.freshness(now),
        };
        match (&*kept, freshness) {
            (Some(known), Freshness::Fresh) => return Ok(known.clone()),
            (None, _) | (Some(_), Freshness::RefreshDue | Freshness::Discard) => {}
        }
        match (self.fetch_master(now).await, &*kept) {
            (Ok(master), _) => {
                *kept = Some(master.clone());
                Ok(master)
            }
            (Err(error), Some(known)) if freshness == Freshness::RefreshDue => {
                tracing::warn!(event = "relying_party.federation_master_not_refreshed", reason = %error);
                Ok(known.clone())
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn fetch_master(&self, now: UnixTime) -> Result<Master, FederationError> {
        let url = self.loader.anchor.entity_id.well_known_url();
        let compact = fetch_text(
            &*self.loader.fetch,
            Document::MasterStatement,
            &url,
            statement::MEDIA_TYPE,
        )
        .await?;
        let anchor = self.loader.anchor.verify_configuration(&compact, now)?;
        Ok(Master {
            anchor: Arc::new(anchor),
            compact,
            fetched_at: now,
        })
    }

    fn slot(&self, issuer: &EntityId) -> Slot {
        let mut slots = self.slots();
        if !slots.contains_key(issuer) && slots.len() >= MAX_PROVIDERS {
            // Any one will do: it is fetched again when it is needed.
            if let Some(other) = slots.keys().next().cloned() {
                slots.remove(&other);
            }
        }
        Arc::clone(slots.entry(issuer.clone()).or_default())
    }

    /// What is not in the federation leaves no trace: anybody may ask for anything.
    fn forget_if_empty(&self, issuer: &EntityId) {
        let mut slots = self.slots();
        let is_empty = slots
            .get(issuer)
            .is_some_and(|slot| slot.try_lock().is_ok_and(|kept| kept.is_none()));
        if is_empty {
            slots.remove(issuer);
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<EntityId, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
