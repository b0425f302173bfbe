//! Where a device is woken: the address a push service gave it (RFC 8030), and the key that shows the service who wakes (RFC 8292).
//!
//! One sealed row for each device that wants it, of one size under a keyed name. The key is made from the tenant's own key for names: there is
//! nothing to store, every instance that holds the tenant's keys has the same, and it goes where they go. Nobody relies on what it signs but the
//! push services, to which it says that two messages come from the same sender.

use jose::SoftwareKey;
use store::{Key, Kind, Row, UnixSeconds};
use zeroize::Zeroizing;

use crate::Vault;
use crate::error::{OpenError, SealError};
use crate::seal::SealedChange;

/// Most bytes of an address.
pub const MAX_SUBSCRIPTION_BYTES: usize = 1_024;
const PREFIX: &[u8] = b"push/";
/// A hash is no scalar of the curve once in 2³²; then the next one is taken.
const ATTEMPTS: u8 = 8;

impl Vault {
    /// Where the address of the device with this record is kept. Whoever has only the device's row names it too: it goes when the device goes.
    ///
    /// # Errors
    /// [`SealError`] if this instance does not hold the tenant's keys.
    pub fn subscription_key(&self, device: &Key) -> Result<Key, SealError> {
        let tenant = *device.tenant();
        let name = self.keyed(tenant, b"healthid/v1/push", &[device.id()])?;
        let id = [PREFIX, &name[..16]].concat();
        Key::new(Kind::Meta, tenant, id).map_err(|_| SealError::Failed)
    }

    /// The address, for a commit. Has the same size whatever it is.
    ///
    /// # Errors
    /// [`SealError`]; [`SealError::TooLong`] above `MAX_SUBSCRIPTION_BYTES`.
    pub fn keep_subscription(
        &self,
        key: Key,
        stored: Option<u64>,
        endpoint: &str,
        expires_at: UnixSeconds,
    ) -> Result<SealedChange, SealError> {
        self.leave(key, stored, endpoint.as_bytes(), MAX_SUBSCRIPTION_BYTES, expires_at)
    }

    /// The address.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
    pub fn open_subscription(&self, key: &Key, row: &Row) -> Result<Zeroizing<String>, OpenError> {
        let content = self.open_left(key, row)?;
        let endpoint = std::str::from_utf8(&content).map_err(|_| OpenError::Content)?;
        Ok(Zeroizing::new(endpoint.to_owned()))
    }

    /// The tenant's key of RFC 8292.
    ///
    /// # Errors
    /// [`SealError`] if this instance does not hold the tenant's keys.
    pub fn push_signer(&self, tenant: store::TenantId) -> Result<SoftwareKey, SealError> {
        for attempt in 0..ATTEMPTS {
            let scalar = Zeroizing::new(self.keyed(tenant, b"healthid/v1/push-signer", &[&[attempt]])?);
            if let Ok(key) = SoftwareKey::from_scalar("push", &scalar) {
                return Ok(key);
            }
        }
        Err(SealError::Failed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{PersonId, left::row, tenant_id};

    const ENDPOINT: &str = "https://push.example/abc";

    fn key(vault: &Vault, issuer: &str, device: u8) -> Key {
        let person = PersonId::from_bytes([1; 16]);
        let device = vault.device_key(tenant_id(issuer), &person, &[device; 16]).unwrap();
        vault.subscription_key(&device).unwrap()
    }

    #[test]
    fn an_address_is_found_again_has_one_size_and_an_end() {
        let vault = Vault::development([1; 32]);
        let key = key(&vault, "https://one.example", 7);
        let mut sizes = std::collections::BTreeSet::new();
        for endpoint in ["", ENDPOINT, &"x".repeat(MAX_SUBSCRIPTION_BYTES)] {
            let row = row(&vault.keep_subscription(key, None, endpoint, 99).unwrap());
            assert_eq!(row.expires_at, Some(99));
            sizes.insert(row.sealed.len());
            assert_eq!(*vault.open_subscription(&key, &row).unwrap(), endpoint);
        }
        assert_eq!(sizes.len(), 1);
        let too_long = vault.keep_subscription(key, None, &"x".repeat(MAX_SUBSCRIPTION_BYTES + 1), 99);
        assert!(matches!(too_long, Err(SealError::TooLong { .. })));
    }

    #[test]
    fn another_device_tenant_or_root_has_another_row_and_opens_none_of_hers() {
        let vault = Vault::development([1; 32]);
        let hers = key(&vault, "https://one.example", 7);
        let row = row(&vault.keep_subscription(hers, None, ENDPOINT, 99).unwrap());
        for other in [
            key(&vault, "https://one.example", 8),
            key(&vault, "https://two.example", 7),
        ] {
            assert_ne!(hers.id(), other.id());
            assert!(vault.open_subscription(&other, &row).is_err());
        }
        let elsewhere = Vault::development([2; 32]);
        assert_ne!(key(&elsewhere, "https://one.example", 7).id(), hers.id());
        assert!(elsewhere.open_subscription(&hers, &row).is_err());
    }

    #[test]
    fn a_tenants_key_is_the_same_at_every_start_and_nobody_elses() {
        let public = |root: u8, issuer| {
            let vault = Vault::development([root; 32]);
            vault.push_signer(tenant_id(issuer)).unwrap().public_key().thumbprint()
        };
        let hers = public(1, "https://one.example");
        assert_eq!(hers, public(1, "https://one.example"));
        assert_ne!(hers, public(1, "https://two.example"));
        assert_ne!(hers, public(2, "https://one.example"));
    }
}
