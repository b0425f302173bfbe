//! Which claims hold entries that have not been delivered, by whose they are: so that she reads them without all claims being opened each time.
//!
//! Learned from what this process wrote, and from a look at all claims: the first time anybody reads, when somebody reads and the last look is
//! [`LOOK_SECONDS`] ago, and when an entry turns out to be missing that another process may have written, then at most once in [`PAUSE_SECONDS`].
//! Such a look opens each claim of an insurer of the last one to two hours, as an hourly delivery does. So an entry of another instance may be
//! hidden for five minutes, and none is for longer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jose::UnixTime;
use store::{Key, Kind, Row, RowGroup, TenantId};
use vault::SealedChange;

use super::Claims;
use crate::core::{Core, StepProblem};

/// Seconds after which somebody who reads has all claims of her insurer looked at again.
const LOOK_SECONDS: u64 = 300;
/// Seconds between two such looks where something is missing.
const PAUSE_SECONDS: u64 = 30;

type Group = [u8; 16];
type Claim = [u8; 16];

#[derive(Default)]
struct OfTenant {
    by_group: HashMap<Group, Vec<Claim>>,
    looked_at: Option<UnixTime>,
}

#[derive(Default)]
pub(super) struct Waiting(Mutex<HashMap<TenantId, OfTenant>>);

impl Waiting {
    fn locked(&self) -> MutexGuard<'_, HashMap<TenantId, OfTenant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A claim holds an event with this id.
    pub(super) fn add(&self, tenant: TenantId, event: &[u8], claim: Claim) {
        let Some(group) = event.first_chunk::<16>() else { return };
        let mut tenants = self.locked();
        let claims = tenants.entry(tenant).or_default().by_group.entry(*group).or_default();
        if !claims.contains(&claim) {
            claims.push(claim);
        }
    }

    /// Everything in these claims has been delivered.
    pub(super) fn delivered(&self, tenant: TenantId, delivered: &[(Key, SealedChange)]) {
        let mut tenants = self.locked();
        let Some(of_tenant) = tenants.get_mut(&tenant) else {
            return;
        };
        for (claim, event) in delivered {
            let Some(group) = event.write.key().id().first_chunk::<16>() else {
                continue;
            };
            if let Some(claims) = of_tenant.by_group.get_mut(group) {
                claims.retain(|waiting| waiting[..] != *claim.id());
                if claims.is_empty() {
                    of_tenant.by_group.remove(group);
                }
            }
        }
    }

    /// Looks at all claims, and says whether it did. `again`: something is missing.
    pub(super) async fn look(&self, core: &Core, tenant: TenantId, again: bool) -> Result<bool, StepProblem> {
        let now = core.now();
        {
            let mut tenants = self.locked();
            let of_tenant = tenants.entry(tenant).or_default();
            let pause = if again { PAUSE_SECONDS } else { LOOK_SECONDS };
            let recent = |at: UnixTime| now.seconds_since(at) < pause;
            if of_tenant.looked_at.is_some_and(recent) {
                return Ok(false);
            }
            of_tenant.looked_at = Some(now);
        }
        let mut claims = Claims::of(&*core.freshness.parts.store, &core.vault, tenant);
        loop {
            match claims.next(|_| true).await {
                Ok(Some(page)) => {
                    for (claim, carried) in page {
                        if let (Some(event), Ok(claim)) = (carried.event, claim.id().try_into()) {
                            self.add(tenant, event.write.key().id(), claim);
                        }
                    }
                }
                Ok(None) => return Ok(true),
                Err(error) => {
                    self.locked().entry(tenant).or_default().looked_at = None;
                    return Err(error.into());
                }
            }
        }
    }

    /// The rows of these groups that wait in claims, as they will stand once they are delivered.
    pub(super) async fn of_groups(
        &self,
        core: &Core,
        tenant: TenantId,
        groups: &[RowGroup],
    ) -> Result<Vec<(Key, Row)>, StepProblem> {
        let keys: Vec<Key> = {
            let tenants = self.locked();
            let of_tenant = tenants.get(&tenant);
            let claims = groups
                .iter()
                .filter_map(|group| of_tenant?.by_group.get(group.as_bytes()))
                .flatten();
            claims.map(|claim| Key::single_use(tenant, claim)).collect()
        };
        let mut entries = Vec::new();
        for chunk in keys.chunks(store::MAX_KEYS_PER_LOAD) {
            let rows = core.freshness.parts.store.load(chunk).await?;
            for (key, row) in chunk.iter().zip(rows) {
                let Some(row) = row else { continue };
                match core.vault.open_claim(key, &row) {
                    Ok(carried) => entries.extend(carried.event.and_then(as_row)),
                    // It is missing then, and that shows.
                    Err(error) => {
                        tracing::error!(event = "record_not_authentic", %error, "a claim on a login does not open")
                    }
                }
            }
        }
        Ok(entries)
    }
}

/// An event as it will stand.
fn as_row(event: SealedChange) -> Option<(Key, Row)> {
    match event.write {
        store::Write::Put {
            key,
            sealed,
            expires_at,
        } if key.kind() == Kind::Audit => Some((
            key,
            Row {
                version: Row::version_after(None),
                sealed,
                expires_at,
            },
        )),
        _ => None,
    }
}
