//! Moving records to newer keys, as a background task does it: what is old, and what replaces it.

use store::{Key, Row};

use crate::error::{OpenError, ScopeError};
use crate::records::HEADER_BYTES;
use crate::{MovedLookup, PersonScope, SealedChange, Vault};

/// Where one person's lookup record may stand: keyed indexes, best first. Made in her scope, from her number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupKeys(Vec<Key>);

impl LookupKeys {
    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.0
    }
}

impl Vault {
    /// Whether a record was sealed under an older generation than new ones are. Says so of a row that is no sealed record, too:
    /// whoever opens it finds out.
    #[must_use]
    pub fn is_sealed_under_an_older_generation(&self, row: &Row) -> bool {
        match row.sealed.as_bytes().first_chunk::<HEADER_BYTES>() {
            Some(&[_, number @ ..]) => u32::from_be_bytes(number) < self.generation().number(),
            None => true,
        }
    }

    /// A lookup record, unchanged, under the generation in force. It stays where it is: its index is of another generation.
    ///
    /// # Errors
    /// [`OpenError`] if the row is not the one at `key`; [`ScopeError::Seal`].
    pub fn reseal_lookup(&self, key: &Key, row: &Row) -> Result<SealedChange, ScopeError> {
        let person = self.open_lookup(key, row)?;
        Ok(self.seal_tenant_record(*key, Some(row.version), person.as_bytes())?)
    }
}

impl PersonScope<'_> {
    /// Where her lookup record may stand ([`Vault::lookup_keys`]).
    ///
    /// # Errors
    /// [`ScopeError::Purpose`] unless the capability is for [`crate::BackgroundTask::Reseal`].
    pub fn lookup_keys(&self) -> Result<LookupKeys, ScopeError> {
        self.check_reseal("find a lookup record")?;
        let keys = self.vault().lookup_keys(self.tenant(), self.claims().kvnr())?;
        Ok(LookupKeys(keys))
    }

    /// Moves her lookup record to the index in force ([`Vault::move_lookup`]); `None` if it stands there already.
    ///
    /// # Errors
    /// As there; [`OpenError::WrongKey`] if it leads to somebody else; [`ScopeError::Purpose`] as above.
    pub fn move_lookup(&self, found: &Key, row: &Row) -> Result<Option<MovedLookup>, ScopeError> {
        self.check_reseal("move a lookup record")?;
        if self.vault().open_lookup(found, row)? != self.person_id() {
            return Err(OpenError::WrongKey {
                expected: "lookup record of this person",
            }
            .into());
        }
        let kvnr = self.claims().kvnr();
        self.vault().move_lookup(self.tenant(), kvnr, found, row)
    }
}
