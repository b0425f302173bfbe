//! A tenant's derived keys, kept while the process runs.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::hmac;
use store::TenantId;

use crate::Generation;
use crate::hierarchy::{KeyMaterial, Purpose, Root};

/// The keys of one tenant at the newest generation, ready for use.
pub(crate) struct TenantKeyring {
    pub index: hmac::Key,
    pub service: hmac::Key,
    pub pseudonym: hmac::Key,
    pub freshness: hmac::Key,
    pub wrap: KeyMaterial,
    pub record: KeyMaterial,
}

impl TenantKeyring {
    fn derive(root: &Root, tenant: TenantId, generation: Generation) -> Self {
        // Indexes and pseudonyms must lead to the same place for ever: their generation is raised by a migration of its
        // own (a second index column), not by re-keying records.
        let mac = |purpose| hmac::Key::new(hmac::HMAC_SHA256, &root.derive(tenant, Generation::FIRST, purpose)[..]);
        Self {
            index: mac(Purpose::Index),
            service: mac(Purpose::Service),
            pseudonym: mac(Purpose::Pseudonym),
            freshness: mac(Purpose::Freshness),
            wrap: root.derive(tenant, generation, Purpose::Wrap),
            record: root.derive(tenant, generation, Purpose::Record),
        }
    }
}

/// Every tenant asked for so far. Tenants come from configuration, so their number is the operator's.
#[derive(Default)]
pub(crate) struct Tenants(RwLock<HashMap<TenantId, Arc<TenantKeyring>>>);

impl Tenants {
    pub fn keyring(&self, root: &Root, tenant: TenantId, generation: Generation) -> Arc<TenantKeyring> {
        if let Some(keyring) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&tenant) {
            return Arc::clone(keyring);
        }
        let keyring = Arc::new(TenantKeyring::derive(root, tenant, generation));
        Arc::clone(
            self.0
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(tenant)
                .or_insert(keyring),
        )
    }
}
