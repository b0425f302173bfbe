//! Reading a person's history: everything that is kept, newest first, and whether it is whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use jose::base64url;
use serde::{Deserialize, Serialize};
use store::{Key, Kind, MAX_LISTED, Row, TenantId};
use tokio::task::JoinSet;
use vault::{DAY_SECONDS, PersonId, PersonScope, Rows};

use super::chain::{self, Head, Link};
use super::entry::{Entry, Event, method_word};
use crate::core::{Core, StepProblem};
use crate::people;

/// Days that are asked for at the same time.
const DAYS_AT_A_TIME: usize = 16;

/// The sealed rows of a person's history, and what the freshness ledger says of them.
pub(crate) struct SealedHistory {
    rows: Vec<(Key, Row)>,
    head: Head,
    now: u64,
}

/// Everything that is kept.
pub(crate) struct OpenHistory {
    /// With the id of each, newest first.
    pub(crate) entries: Vec<(String, Entry)>,
    pub(crate) chain: Chain,
}

/// Whether the history is whole.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Chain {
    /// How many entries there were since the health ID was opened, those that have expired included.
    pub(crate) length: u64,
    /// Whether every one is there that has not expired.
    pub(crate) ok: bool,
}

impl SealedHistory {
    /// Reads everything of hers: the days until which entries are kept, one by one, and what waits in claims.
    pub(crate) async fn load(core: &Core, tenant: TenantId, person: PersonId) -> Result<Self, StepProblem> {
        let name = core.vault.history_head(tenant, person)?;
        let waiting = &core.history.waiting;
        waiting.look(core, tenant, false).await?;
        let ledger = core.freshness.of(tenant).await?;
        let head = Head::from_floor(ledger.floor_of(&name));
        let now = core.now().0;
        let today = u32::try_from(now / DAY_SECONDS).unwrap_or(u32::MAX);
        let last = super::writing::until_day(core.now()).max(head.until_day);
        let groups = (today..=last)
            .map(|day| core.vault.row_group(tenant, &person, Rows::EventsUntil(day)))
            .collect::<Result<Vec<_>, _>>()?;
        // What waits is read first: what is delivered meanwhile is found twice, and not missed.
        let mut rows = waiting.of_groups(core, tenant, &groups).await?;
        for some in groups.chunks(DAYS_AT_A_TIME) {
            let mut days = JoinSet::new();
            for group in some {
                let (store, group) = (Arc::clone(&core.freshness.parts.store), *group);
                days.spawn(async move { list(&*store, tenant, group.as_bytes()).await });
            }
            while let Some(of_day) = days.join_next().await {
                rows.extend(of_day.map_err(StepProblem::failed)??);
            }
        }
        let mut seen = BTreeSet::new();
        rows.retain(|(key, _)| seen.insert(key.id().to_vec()));
        Ok(Self { rows, head, now })
    }

    /// Opens it inside her scope. What does not open is missing.
    pub(crate) fn open(&self, scope: &PersonScope<'_>) -> OpenHistory {
        let mut entries: Vec<(Link, [u8; 16], Entry)> = Vec::with_capacity(self.rows.len());
        for (key, row) in &self.rows {
            let opened = scope.open_record(key, row).ok();
            let entry = opened.and_then(|content| Entry::decode(content.bytes()));
            match (entry, key.id().last_chunk::<16>()) {
                (Some((entry, link)), Some(id)) => entries.push((link, *id, entry)),
                _ => tracing::error!(event = "record_not_authentic", "an entry of a history does not open"),
            }
        }
        // Two of one number are by two instances that did not know of each other.
        let place = |(link, id, entry): &(Link, [u8; 16], Entry)| (link.number, entry.at, *id);
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse(place(entry)));
        let links: Vec<Link> = entries.iter().map(|(link, ..)| *link).collect();
        let ok = chain::is_whole(self.head, &links, self.now);
        if !ok {
            tracing::error!(
                event = "history_incomplete",
                "entries of a person's history are missing"
            );
        }
        let length = self.head.number.max(links.first().map_or(0, |link| link.number));
        let entries = entries
            .into_iter()
            .map(|(_, id, entry)| (base64url::encode(&id), entry))
            .collect();
        OpenHistory {
            entries,
            chain: Chain { length, ok },
        }
    }

    /// Looks for what other instances have written and nobody has delivered; `false` where that was done a moment ago.
    pub(crate) async fn look_again(core: &Core, tenant: TenantId) -> Result<bool, StepProblem> {
        core.history.waiting.look(core, tenant, true).await
    }
}

async fn list(store: &dyn store::Store, tenant: TenantId, group: &[u8]) -> Result<Vec<(Key, Row)>, store::StoreError> {
    let mut rows = Vec::new();
    loop {
        let after = rows.last().map(|(key, _): &(Key, Row)| key.id().to_vec());
        let page = store
            .list_after(Kind::Audit, tenant, group, after.as_deref(), MAX_LISTED)
            .await?;
        let ended = page.len() < MAX_LISTED;
        rows.extend(page);
        if ended {
            return Ok(rows);
        }
    }
}

/// An entry as she reads it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    /// Names the entry.
    pub(crate) id: String,
    /// When, in seconds since 1970.
    pub(crate) at: u64,
    pub(crate) event: &'static str,
    pub(crate) service: Option<ShownService>,
    /// Names of what was shared; for a login that was not completed, of what was asked for.
    pub(crate) shared: Vec<&'static str>,
    pub(crate) method: Option<&'static str>,
    pub(crate) level: Option<&'static str>,
    /// As the overview names the device.
    pub(crate) device: Option<String>,
    pub(crate) by: &'static str,
}

/// A service as it was called then.
#[derive(Debug, Serialize)]
pub(crate) struct ShownService {
    pub(crate) client_id: String,
    pub(crate) name: String,
}

impl Shown {
    pub(crate) fn of(person: PersonId, id: String, entry: Entry) -> Self {
        Self {
            id,
            at: entry.at.0,
            event: entry.event.as_str(),
            service: entry.service.map(|(client_id, name)| ShownService { client_id, name }),
            shared: entry.shared.iter().map(oidc::scope::Claim::as_str).collect(),
            method: entry.method.map(method_word),
            level: entry.level.map(authenticator::Acr::as_str),
            device: entry.device.map(|device| people::device_handle(person, &device)),
            by: entry.by.as_str(),
        }
    }
}

impl OpenHistory {
    /// When a device was used last, as far as the history goes back.
    pub(crate) fn last_used(&self, device: &[u8; 16]) -> Option<u64> {
        let used = |entry: &Entry| {
            matches!(entry.event, Event::Login | Event::AccountOpened) && entry.device.as_ref() == Some(device)
        };
        self.entries
            .iter()
            .filter(|(_, entry)| used(entry))
            .map(|(_, entry)| entry.at.0)
            .max()
    }
}
