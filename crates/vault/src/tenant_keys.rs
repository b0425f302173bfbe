//! A tenant's keys, kept in secret memory while the process runs.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use store::TenantId;

use crate::generations::Generations;
use crate::hierarchy::{KeyMaterial, Purpose};
use crate::key_source::{KeyAbsent, KeySource};

/// The keys of one tenant at the generations in force.
pub(crate) struct TenantKeyring {
    pub index: KeyMaterial,
    pub older_index: Option<KeyMaterial>,
    pub service: KeyMaterial,
    pub pseudonym: KeyMaterial,
    pub fact_name: KeyMaterial,
    pub row_group: KeyMaterial,
    pub wrap: KeyMaterial,
    pub record: KeyMaterial,
    pub audit: KeyMaterial,
}

impl TenantKeyring {
    fn derive(source: &KeySource, tenant: TenantId, generations: Generations) -> Result<Self, KeyAbsent> {
        let key = |generation, purpose| source.key(tenant, generation, purpose);
        let older_index = generations.older_index.map(|older| key(older, Purpose::Index));
        Ok(Self {
            index: key(generations.index, Purpose::Index)?,
            older_index: older_index.transpose()?,
            service: key(crate::Generation::FIRST, Purpose::Service)?,
            pseudonym: key(crate::Generation::FIRST, Purpose::Pseudonym)?,
            fact_name: key(crate::Generation::FIRST, Purpose::FactName)?,
            row_group: key(crate::Generation::FIRST, Purpose::RowGroup)?,
            wrap: key(generations.sealing, Purpose::Wrap)?,
            record: key(generations.sealing, Purpose::Record)?,
            audit: key(generations.sealing, Purpose::Audit)?,
        })
    }
}

/// Every tenant asked for so far. Tenants come from configuration, so their number is the operator's.
#[derive(Default)]
pub(crate) struct Tenants(RwLock<HashMap<TenantId, Arc<TenantKeyring>>>);

impl Tenants {
    pub fn keyring(
        &self,
        source: &KeySource,
        tenant: TenantId,
        generations: Generations,
    ) -> Result<Arc<TenantKeyring>, KeyAbsent> {
        if let Some(keyring) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&tenant) {
            return Ok(Arc::clone(keyring));
        }
        let keyring = Arc::new(TenantKeyring::derive(source, tenant, generations)?);
        let mut tenants = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(tenants.entry(tenant).or_insert(keyring)))
    }
}
