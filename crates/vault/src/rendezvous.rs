//! Where two devices of one login meet: what the phone decided, until the browser that asked comes for it.
//!
//! A sealed row of one size under a keyed name, gone after minutes. Everything else of a login travels with its parties; this cannot, since the
//! two devices have no way to each other but us (`docs/adr/0015-where-two-devices-meet.md`).

use store::{Key, Kind, Row, TenantId, UnixSeconds};
use zeroize::Zeroizing;

use crate::Vault;
use crate::error::{OpenError, SealError};
use crate::seal::SealedChange;

/// Most bytes that can be left: a sealed code is shorter.
pub const MAX_RENDEZVOUS_BYTES: usize = 638;
const PREFIX: &[u8] = b"rendezvous/";

impl Vault {
    /// Where a login's devices meet. Nobody without the key joins it to the login's claim.
    ///
    /// # Errors
    /// [`SealError`] if this instance does not hold the tenant's keys.
    pub fn rendezvous_key(&self, tenant: TenantId, login: &[u8; 16]) -> Result<Key, SealError> {
        let name = self.keyed(tenant, b"healthid/v1/rendezvous", &[login])?;
        let id = [PREFIX, &name[..16]].concat();
        Key::new(Kind::Meta, tenant, id).map_err(|_| SealError::Failed)
    }

    /// What is left there, for a commit. Has the same size whatever it is.
    ///
    /// # Errors
    /// [`SealError`]; [`SealError::TooLong`] above [`MAX_RENDEZVOUS_BYTES`].
    pub fn leave_at_rendezvous(
        &self,
        key: Key,
        stored: Option<u64>,
        content: &[u8],
        expires_at: UnixSeconds,
    ) -> Result<SealedChange, SealError> {
        self.leave(key, stored, content, MAX_RENDEZVOUS_BYTES, expires_at)
    }

    /// What was left there.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
    pub fn open_rendezvous(&self, key: &Key, row: &Row) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.open_left(key, row)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{left::row, tenant_id};

    const LOGIN: [u8; 16] = [7; 16];

    #[test]
    fn what_is_left_is_found_again_and_has_one_size() {
        let vault = Vault::development([1; 32]);
        let key = vault.rendezvous_key(tenant_id("https://one.example"), &LOGIN).unwrap();
        let mut sizes = std::collections::BTreeSet::new();
        for content in [&b""[..], b"x", &[3; MAX_RENDEZVOUS_BYTES]] {
            let row = row(&vault.leave_at_rendezvous(key, None, content, 99).unwrap());
            assert_eq!(row.expires_at, Some(99));
            sizes.insert(row.sealed.len());
            assert_eq!(vault.open_rendezvous(&key, &row).unwrap()[..], *content);
        }
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [693]);
        let too_long = vault.leave_at_rendezvous(key, None, &[0; MAX_RENDEZVOUS_BYTES + 1], 99);
        assert!(matches!(too_long, Err(SealError::TooLong { .. })));
    }

    #[test]
    fn a_row_of_another_login_tenant_or_root_does_not_open() {
        let vault = Vault::development([1; 32]);
        let (one, two) = (tenant_id("https://one.example"), tenant_id("https://two.example"));
        let key = vault.rendezvous_key(one, &LOGIN).unwrap();
        let row = row(&vault.leave_at_rendezvous(key, None, b"x", 99).unwrap());
        let other_login = vault.rendezvous_key(one, &[8; 16]).unwrap();
        let other_tenant = vault.rendezvous_key(two, &LOGIN).unwrap();
        assert_ne!(key.id(), other_login.id());
        assert_ne!(key.id(), other_tenant.id());
        assert!(vault.open_rendezvous(&other_login, &row).is_err());
        assert!(vault.open_rendezvous(&other_tenant, &row).is_err());
        assert!(Vault::development([2; 32]).open_rendezvous(&key, &row).is_err());
        let mut changed = row.clone();
        let mut bytes = changed.sealed.as_bytes().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        changed.sealed = store::SealedBytes::from_sealed(bytes);
        assert!(vault.open_rendezvous(&key, &changed).is_err());
        // The name does not hold the login: nobody joins it to the login's claim.
        assert!(!key.id().windows(16).any(|part| part == LOGIN));
    }
}
