//! Where two devices of one login meet: what the phone decided, until the browser that asked comes for it.
//!
//! A sealed row of one size under a keyed name, gone after minutes. Everything else of a login travels with its parties; this cannot, since the
//! two devices have no way to each other but us (`docs/adr/0015-where-two-devices-meet.md`).
//!
//! Also the marks a login compares: short keyed hashes of what must not be kept, an address for example. Who has no key learns nothing from one.

use aws_lc_rs::hmac;
use store::{Key, Kind, Row, TenantId, UnixSeconds, Write};
use zeroize::Zeroizing;

use crate::error::{OpenError, SealError};
use crate::seal::SealedChange;
use crate::{KeyAbsent, Vault};

/// Most bytes that can be left: a sealed code is shorter.
pub const MAX_RENDEZVOUS_BYTES: usize = 638;
const LENGTH_BYTES: usize = 2;
const PREFIX: &[u8] = b"rendezvous/";

impl Vault {
    /// A short keyed hash of parts that must not be kept as they are.
    ///
    /// # Errors
    /// [`KeyAbsent`] if this instance does not hold the tenant's keys.
    pub fn mark(&self, tenant: TenantId, about: &[&[u8]]) -> Result<[u8; 8], KeyAbsent> {
        let mut mark = [0; 8];
        mark.copy_from_slice(&self.keyed(tenant, b"healthid/v1/mark", about)?[..8]);
        Ok(mark)
    }

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

    /// Seals a row of one size that is gone after a while.
    pub(crate) fn leave(
        &self,
        key: Key,
        stored: Option<u64>,
        content: &[u8],
        limit: usize,
        expires_at: UnixSeconds,
    ) -> Result<SealedChange, SealError> {
        let found = content.len();
        let length = u16::try_from(found)
            .ok()
            .filter(|_| found <= limit)
            .ok_or(SealError::TooLong { limit, found })?;
        let mut padded = Zeroizing::new(Vec::with_capacity(LENGTH_BYTES + limit));
        padded.extend_from_slice(&length.to_be_bytes());
        padded.extend_from_slice(content);
        padded.resize(LENGTH_BYTES + limit, 0);
        let mut change = self.seal_tenant_record(key, stored, &padded)?;
        if let Write::Put { expires_at: until, .. } = &mut change.write {
            *until = Some(expires_at);
        }
        Ok(change)
    }

    /// What was left there.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
    pub fn open_rendezvous(&self, key: &Key, row: &Row) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let padded = self.open_tenant_record(key, row)?;
        let (length, rest) = padded.split_first_chunk::<LENGTH_BYTES>().ok_or(OpenError::Content)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let content = rest.get(..length).ok_or(OpenError::Content)?;
        Ok(Zeroizing::new(content.to_vec()))
    }

    pub(crate) fn keyed(&self, tenant: TenantId, purpose: &[u8], about: &[&[u8]]) -> Result<[u8; 32], KeyAbsent> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.tenant(tenant)?.fact_name[..]);
        let mut context = hmac::Context::with_key(&key);
        context.update(purpose);
        for part in about {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut keyed = [0; 32];
        keyed.copy_from_slice(context.sign().as_ref());
        Ok(keyed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tenant_id;

    const LOGIN: [u8; 16] = [7; 16];

    fn row(change: &SealedChange) -> Row {
        let Write::Put { sealed, expires_at, .. } = &change.write else {
            panic!("nothing was written")
        };
        Row {
            version: 1,
            sealed: sealed.clone(),
            expires_at: *expires_at,
        }
    }

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

    #[test]
    fn a_mark_differs_by_tenant_subject_and_root() {
        let vault = Vault::development([1; 32]);
        let (one, two) = (tenant_id("https://one.example"), tenant_id("https://two.example"));
        let marks = [
            vault.mark(one, &[b"a"]),
            vault.mark(two, &[b"a"]),
            vault.mark(one, &[b"b"]),
            vault.mark(one, &[b"a", b""]),
            Vault::development([2; 32]).mark(one, &[b"a"]),
        ];
        let different: std::collections::BTreeSet<_> = marks.iter().map(|mark| *mark.as_ref().unwrap()).collect();
        assert_eq!(different.len(), marks.len());
        assert_eq!(vault.mark(one, &[b"a"]), vault.mark(one, &[b"a"]));
    }
}
