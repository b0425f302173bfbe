//! Rows that are left for somebody to find: of one size whatever they say, gone after a while, under keyed names.
//!
//! Also the marks a login compares: short keyed hashes of what must not be kept, an address for example. Who has no key learns nothing from one.

use aws_lc_rs::hmac;
use store::{Key, Row, TenantId, UnixSeconds, Write};
use zeroize::Zeroizing;

use crate::error::{OpenError, SealError};
use crate::seal::SealedChange;
use crate::{KeyAbsent, Vault};

const LENGTH_BYTES: usize = 2;

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

    /// Seals a row, padded to `limit` bytes.
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

    /// What [`leave`](Self::leave) sealed.
    pub(crate) fn open_left(&self, key: &Key, row: &Row) -> Result<Zeroizing<Vec<u8>>, OpenError> {
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

/// The row a change makes, for the tests of all who leave something.
#[cfg(test)]
pub(crate) fn row(change: &SealedChange) -> Row {
    let Write::Put { sealed, expires_at, .. } = &change.write else {
        panic!("nothing was written")
    };
    Row {
        version: 1,
        sealed: sealed.clone(),
        expires_at: *expires_at,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tenant_id;

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
