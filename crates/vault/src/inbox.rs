//! What waits for a phone: the requests a browser sent it, until it asks for them (`docs/adr/0020-requests-come-to-the-phone.md`).
//!
//! One sealed row for each device that something was sent to, of one size under a keyed name, gone after minutes. As at a
//! [rendezvous](crate::Vault::rendezvous_key), nobody without the key joins it to a device's or a person's rows.

use store::{Key, Kind, Row, TenantId, UnixSeconds};
use zeroize::Zeroizing;

use crate::error::{OpenError, SealError};
use crate::seal::SealedChange;
use crate::{PersonId, Vault};

/// Most bytes that can wait: three requests of services with long identifiers.
pub const MAX_INBOX_BYTES: usize = 3_200;
const PREFIX: &[u8] = b"inbox/";

impl Vault {
    /// Where requests wait for this device.
    ///
    /// # Errors
    /// [`SealError`] if this instance does not hold the tenant's keys.
    pub fn inbox_key(&self, tenant: TenantId, person: &PersonId, device: &[u8; 16]) -> Result<Key, SealError> {
        let name = self.keyed(tenant, b"healthid/v1/inbox", &[person.as_bytes(), device])?;
        let id = [PREFIX, &name[..16]].concat();
        Key::new(Kind::Meta, tenant, id).map_err(|_| SealError::Failed)
    }

    /// What waits there, for a commit. Has the same size whatever it is.
    ///
    /// # Errors
    /// [`SealError`]; [`SealError::TooLong`] above [`MAX_INBOX_BYTES`].
    pub fn leave_in_inbox(
        &self,
        key: Key,
        stored: Option<u64>,
        content: &[u8],
        expires_at: UnixSeconds,
    ) -> Result<SealedChange, SealError> {
        self.leave(key, stored, content, MAX_INBOX_BYTES, expires_at)
    }

    /// What waits there.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
    pub fn open_inbox(&self, key: &Key, row: &Row) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.open_left(key, row)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{left::row, tenant_id};

    const DEVICE: [u8; 16] = [7; 16];

    #[test]
    fn what_waits_is_found_again_has_one_size_and_an_end() {
        let vault = Vault::development([1; 32]);
        let person = PersonId::from_bytes([1; 16]);
        let key = vault
            .inbox_key(tenant_id("https://one.example"), &person, &DEVICE)
            .unwrap();
        let mut sizes = std::collections::BTreeSet::new();
        for content in [&b""[..], b"x", &[3; MAX_INBOX_BYTES]] {
            let row = row(&vault.leave_in_inbox(key, None, content, 99).unwrap());
            assert_eq!(row.expires_at, Some(99));
            sizes.insert(row.sealed.len());
            assert_eq!(vault.open_inbox(&key, &row).unwrap()[..], *content);
        }
        assert_eq!(sizes.len(), 1);
        assert!(sizes.iter().all(|size| *size <= Kind::Meta.max_sealed_bytes()));
        let too_long = vault.leave_in_inbox(key, None, &[0; MAX_INBOX_BYTES + 1], 99);
        assert!(matches!(too_long, Err(SealError::TooLong { .. })));
    }

    #[test]
    fn another_device_person_tenant_or_root_has_another_inbox() {
        let vault = Vault::development([1; 32]);
        let (one, two) = (tenant_id("https://one.example"), tenant_id("https://two.example"));
        let (ada, bea) = (PersonId::from_bytes([1; 16]), PersonId::from_bytes([2; 16]));
        let key = vault.inbox_key(one, &ada, &DEVICE).unwrap();
        let row = row(&vault.leave_in_inbox(key, None, b"x", 99).unwrap());
        for other in [
            vault.inbox_key(one, &ada, &[8; 16]).unwrap(),
            vault.inbox_key(one, &bea, &DEVICE).unwrap(),
            vault.inbox_key(two, &ada, &DEVICE).unwrap(),
            vault.rendezvous_key(one, &DEVICE).unwrap(),
        ] {
            assert_ne!(key.id(), other.id());
            assert!(vault.open_inbox(&other, &row).is_err());
        }
        assert!(Vault::development([2; 32]).open_inbox(&key, &row).is_err());
        // The name holds neither handle.
        assert!(
            !key.id()
                .windows(16)
                .any(|part| part == DEVICE || part == ada.as_bytes())
        );
    }
}
