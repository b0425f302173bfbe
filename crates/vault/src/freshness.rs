//! Facts that must never go back: a device was revoked, a consent withdrawn, a person deleted; how far a device has counted;
//! how long somebody is locked out; how long her history is.
//!
//! Each fact is a keyed name and a *floor*, a number that only rises. A tenant's facts form a [`FactMap`], whose root is a
//! hash over all of them; each change of it is a sealed *step* in a register outside the database
//! ([`store::register::FreshnessRegister`]). Who replays the steps and arrives at the register's root has every fact.
//!
//! Trusted for: a name tells nobody without the tenant's key whom it is about; a step that was changed, moved to another
//! place or tenant, or left out is noticed when the steps are replayed.
//!
//! Does not: keep anything, know the time, or notice that steps are missing at the *end*: that is the register's promise.

mod map;
mod step;

pub use map::{FactMap, Raised};
pub use step::{ReplayError, StepContent, replay};

use aws_lc_rs::hmac;
use store::{Key, TenantId};

use crate::{KeyAbsent, PersonId, Vault};

/// What a floor is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// [`GONE`]: this person was deleted. Handles are never given out twice.
    PersonErased,
    /// [`GONE`]: this device was removed. Handles are never given out twice.
    DeviceRevoked,
    /// The highest counter this device has shown.
    DeviceCounter,
    /// The second up to which consents given to this service are withdrawn.
    ConsentWithdrawn,
    /// When this subject's allowance is full again, in microseconds since 1970.
    Limit,
    /// The second before which no login may have begun: what became of older ones is not known.
    LoginsNotBefore,
    /// How often this device was locked and unlocked: an odd number says that it is locked.
    DeviceLocked,
    /// The second in which this person's block code was used last.
    DevicesBlocked,
    /// The second in which this person's block code in force was set.
    BlockCode,
    /// How many entries this person's history has had, and until when the newest is kept.
    HistoryHead,
    /// How often the PIN of this device has been tried, and since when that counts.
    PinTries,
}

impl FactKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::PersonErased,
        Self::DeviceRevoked,
        Self::DeviceCounter,
        Self::ConsentWithdrawn,
        Self::Limit,
        Self::LoginsNotBefore,
        Self::DeviceLocked,
        Self::DevicesBlocked,
        Self::BlockCode,
        Self::HistoryHead,
        Self::PinTries,
    ];

    const fn code(self) -> u8 {
        match self {
            Self::PersonErased => 1,
            Self::DeviceRevoked => 2,
            Self::DeviceCounter => 3,
            Self::ConsentWithdrawn => 4,
            Self::Limit => 5,
            Self::LoginsNotBefore => 6,
            Self::DeviceLocked => 7,
            Self::DevicesBlocked => 8,
            Self::BlockCode => 9,
            Self::HistoryHead => 10,
            Self::PinTries => 11,
        }
    }
}

/// The floor of what exists no more.
pub const GONE: u64 = u64::MAX;

/// A fact's name: a keyed hash of what it is about, and its kind. Says nothing without the tenant's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactName([u8; 16]);

impl FactName {
    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// What it is about; `None` for a kind a newer release has added.
    #[must_use]
    pub fn kind(&self) -> Option<FactKind> {
        FactKind::ALL.into_iter().find(|kind| kind.code() == self.0[15])
    }
}

impl std::fmt::Debug for FactName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FactName({:?})", self.kind())
    }
}

impl Vault {
    /// The name of a fact about anything. `about` must have one meaning per kind.
    ///
    /// # Errors
    /// [`KeyAbsent`] if this instance does not hold the tenant's keys.
    pub fn fact_name(&self, tenant: TenantId, kind: FactKind, about: &[&[u8]]) -> Result<FactName, KeyAbsent> {
        #[cfg(feature = "count-work")]
        crate::work::count(|work| work.hashed += 1);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.tenant(tenant)?.fact_name[..]);
        let mut context = hmac::Context::with_key(&key);
        context.update(b"healthid/v1/fact");
        context.update(&[kind.code()]);
        for part in about {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut name = [0; 16];
        name[..15].copy_from_slice(&context.sign().as_ref()[..15]);
        name[15] = kind.code();
        Ok(FactName(name))
    }

    /// The fact that a person was deleted.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn person_erased(&self, tenant: TenantId, person: &[u8; 16]) -> Result<FactName, KeyAbsent> {
        self.fact_name(tenant, FactKind::PersonErased, &[person])
    }

    /// The fact that the device under this key was removed.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn device_revoked(&self, device: &Key) -> Result<FactName, KeyAbsent> {
        self.fact_name(*device.tenant(), FactKind::DeviceRevoked, &[device.id()])
    }

    /// How far a device has counted.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn device_counter(&self, tenant: TenantId, person: PersonId, device: &[u8; 16]) -> Result<FactName, KeyAbsent> {
        self.fact_name(tenant, FactKind::DeviceCounter, &[person.as_bytes(), device])
    }

    /// How often the device under this key was locked and unlocked.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn device_locked(&self, device: &Key) -> Result<FactName, KeyAbsent> {
        self.fact_name(*device.tenant(), FactKind::DeviceLocked, &[device.id()])
    }

    /// When a person's devices were blocked last.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn devices_blocked(&self, tenant: TenantId, person: PersonId) -> Result<FactName, KeyAbsent> {
        self.fact_name(tenant, FactKind::DevicesBlocked, &[person.as_bytes()])
    }

    /// When a person's block code in force was set.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn block_code_set(&self, tenant: TenantId, person: PersonId) -> Result<FactName, KeyAbsent> {
        self.fact_name(tenant, FactKind::BlockCode, &[person.as_bytes()])
    }

    /// How many entries a person's history has had.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn history_head(&self, tenant: TenantId, person: PersonId) -> Result<FactName, KeyAbsent> {
        self.fact_name(tenant, FactKind::HistoryHead, &[person.as_bytes()])
    }

    /// How often the PIN of the device under this key has been tried.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn pin_tries(&self, device: &Key) -> Result<FactName, KeyAbsent> {
        self.fact_name(*device.tenant(), FactKind::PinTries, &[device.id()])
    }

    /// Up to when consents under this key are withdrawn.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn consent_withdrawn(&self, consent: &Key) -> Result<FactName, KeyAbsent> {
        self.fact_name(*consent.tenant(), FactKind::ConsentWithdrawn, &[consent.id()])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tenant_id;

    #[test]
    fn a_name_differs_by_tenant_kind_subject_and_root_and_tells_its_kind() {
        let vault = Vault::development([1; 32]);
        let (one, two) = (tenant_id("https://one.example"), tenant_id("https://two.example"));
        let mut names = vec![
            vault.fact_name(two, FactKind::Limit, &[b"a"]),
            Vault::development([2; 32]).fact_name(one, FactKind::Limit, &[b"a"]),
            vault.fact_name(one, FactKind::Limit, &[b"b"]),
            vault.fact_name(one, FactKind::Limit, &[b"a", b""]),
            vault.fact_name(one, FactKind::Limit, &[b"ab"]),
            vault.fact_name(one, FactKind::Limit, &[b"a", b"b"]),
        ];
        for kind in FactKind::ALL {
            let name = vault.fact_name(one, kind, &[b"a"]).unwrap();
            assert_eq!(name.kind(), Some(kind));
            assert_eq!(name, vault.fact_name(one, kind, &[b"a"]).unwrap());
            names.push(Ok(name));
        }
        let names: Vec<_> = names.into_iter().map(Result::unwrap).collect();
        let without_kind: std::collections::BTreeSet<&[u8]> = names.iter().map(|name| &name.0[..15]).collect();
        assert_eq!(without_kind.len(), names.len());
        assert!(!format!("{names:?}").contains("97"), "a name prints its kind only");
    }
}
