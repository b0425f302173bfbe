//! Sealing and opening records: a person's claims behind her data key, her other records under it, the tenant's own.

use store::{Key, Kind, Row, TenantId};
use zeroize::Zeroizing;

use crate::associated_data::{self, SCHEMA};
use crate::error::{OpenError, SealError};
use crate::hierarchy::{KeyMaterial, Purpose, derive_salted};
use crate::person::{PersonData, PersonId};
use crate::random::random;
use crate::row_size::{CLAIMS_BYTES, padded};
use crate::seal::{self, OVERHEAD_BYTES, SealedChange};
use crate::secret_memory::Secret;
use crate::{Generation, Vault, person_encoding};

/// Form of a person's record while her records move to a new data key.
const FORM_IN_ROTATION: u8 = 2;
/// Bytes in front of every sealed record: form and generation.
pub(crate) const HEADER_BYTES: usize = 5;
/// Bytes of a wrapped data key.
pub(crate) const WRAPPED_BYTES: usize = 32 + OVERHEAD_BYTES;

/// A person's data key, and the one before it while her records move from that to this.
pub(crate) struct DataKeys {
    pub current: KeyMaterial,
    pub older: Option<KeyMaterial>,
}

pub(crate) struct OpenIdentity {
    pub generation: Generation,
    pub keys: DataKeys,
    pub data: PersonData,
}

pub(crate) struct OpenDataKeys<'a> {
    generation: Generation,
    pub keys: DataKeys,
    sealed: &'a [u8],
}

impl Vault {
    /// Form, generation, wrapped data key, the older one in a rotation, sealed claims.
    pub(crate) fn seal_identity(
        &self,
        tenant: TenantId,
        person: PersonId,
        stored: Option<u64>,
        keys: &DataKeys,
        data: &PersonData,
    ) -> Result<SealedChange, SealError> {
        let key = person.identity_key(tenant);
        let (version, generation) = (Row::version_after(stored), self.generation());
        let room = match &keys.older {
            None => CLAIMS_BYTES,
            Some(_) => CLAIMS_BYTES - WRAPPED_BYTES,
        };
        let content = seal::pad(&person_encoding::encode(data), room)?;
        let wrap = &self.tenant(tenant)?.wrap;
        let mut sealed = header(generation);
        let about_key = associated_data::of_data_key(tenant, person.as_bytes(), generation);
        seal::seal_into(&mut sealed, wrap, &about_key, &keys.current[..])?;
        let about = match &keys.older {
            None => associated_data::of_person_record(&key, person.as_bytes(), version, generation),
            Some(older) => {
                sealed[0] = FORM_IN_ROTATION;
                let about_key = associated_data::of_older_data_key(tenant, person.as_bytes(), generation);
                seal::seal_into(&mut sealed, wrap, &about_key, &older[..])?;
                associated_data::of_claims_in_rotation(&key, person.as_bytes(), version, generation)
            }
        };
        seal::seal_into(&mut sealed, &keys.current, &about, &content)?;
        Ok(SealedChange::put(key, stored, sealed, None))
    }

    pub(crate) fn open_identity(
        &self,
        tenant: TenantId,
        person: PersonId,
        row: &Row,
    ) -> Result<OpenIdentity, OpenError> {
        let OpenDataKeys {
            generation,
            keys,
            sealed,
        } = self.open_data_keys(tenant, person, row)?;
        let key = person.identity_key(tenant);
        let about = match keys.older {
            None => associated_data::of_person_record(&key, person.as_bytes(), row.version, generation),
            Some(_) => associated_data::of_claims_in_rotation(&key, person.as_bytes(), row.version, generation),
        };
        let content = seal::open(&keys.current, &about, sealed)?;
        let data = person_encoding::decode(seal::unpad(&content)?)?;
        Ok(OpenIdentity { generation, keys, data })
    }

    /// The data keys in a person's record, and the sealed claims behind them.
    pub(crate) fn open_data_keys<'a>(
        &self,
        tenant: TenantId,
        person: PersonId,
        row: &'a Row,
    ) -> Result<OpenDataKeys<'a>, OpenError> {
        let (form, generation, rest) = self.read_header(row, &[SCHEMA, FORM_IN_ROTATION])?;
        let (current, rest) = rest.split_at_checked(WRAPPED_BYTES).ok_or(OpenError::TooShort)?;
        let keyring = self.tenant(tenant)?;
        let derived;
        let wrap = if generation == self.generation() {
            &keyring.wrap
        } else {
            derived = self.source().key(tenant, generation, Purpose::Wrap)?;
            &derived
        };
        let about_key = associated_data::of_data_key(tenant, person.as_bytes(), generation);
        let current = seal::open_key(wrap, &about_key, current)?;
        let (older, sealed) = if form == FORM_IN_ROTATION {
            let (older, sealed) = rest.split_at_checked(WRAPPED_BYTES).ok_or(OpenError::TooShort)?;
            let about_key = associated_data::of_older_data_key(tenant, person.as_bytes(), generation);
            (Some(seal::open_key(wrap, &about_key, older)?), sealed)
        } else {
            (None, rest)
        };
        let keys = DataKeys { current, older };
        Ok(OpenDataKeys {
            generation,
            keys,
            sealed,
        })
    }

    /// Seals a record under a person's data key; an entry of her history under that and the tenant's audit key.
    pub(crate) fn seal_person_record(
        &self,
        data_key: &KeyMaterial,
        key: &Key,
        person: &[u8; 16],
        version: u64,
        content: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let generation = self.generation();
        let content = seal::pad(content, padded(key.kind()))?;
        let mut sealed = header(generation);
        let about = associated_data::of_person_record(key, person, version, generation);
        if key.kind() == Kind::Audit {
            let audit = audit_key(&self.tenant(*key.tenant())?.audit, data_key);
            seal::seal_into(&mut sealed, &audit, &about, &content)?;
        } else {
            seal::seal_into(&mut sealed, data_key, &about, &content)?;
        }
        Ok(sealed)
    }

    /// Opens what [`seal_person_record`](Self::seal_person_record) sealed, under her data key or the one before it.
    pub(crate) fn open_person_record(
        &self,
        keys: &DataKeys,
        key: &Key,
        person: &[u8; 16],
        row: &Row,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (_, generation, sealed) = self.read_header(row, &[SCHEMA])?;
        let about = associated_data::of_person_record(key, person, row.version, generation);
        let audit = match key.kind() {
            Kind::Audit => Some(self.source().key(*key.tenant(), generation, Purpose::Audit)?),
            _ => None,
        };
        let open = |data_key: &KeyMaterial| match &audit {
            Some(audit) => seal::open(&audit_key(audit, data_key), &about, sealed),
            None => seal::open(data_key, &about, sealed),
        };
        let padded = match (open(&keys.current), &keys.older) {
            (Err(OpenError::NotAuthentic), Some(older)) => open(older)?,
            (opened, _) => opened?,
        };
        Ok(Zeroizing::new(seal::unpad(&padded)?.to_vec()))
    }

    /// Seals a record of the tenant itself.
    pub(crate) fn seal_tenant_record(
        &self,
        key: Key,
        stored: Option<u64>,
        content: &[u8],
    ) -> Result<SealedChange, SealError> {
        let limit = key.kind().max_sealed_bytes() - HEADER_BYTES - OVERHEAD_BYTES;
        if content.len() > limit {
            return Err(SealError::TooLong {
                limit,
                found: content.len(),
            });
        }
        let version = Row::version_after(stored);
        let mut sealed = header(self.generation());
        let about = associated_data::of_tenant_record(&key, version, self.generation());
        seal::seal_into(&mut sealed, &self.tenant(*key.tenant())?.record, &about, content)?;
        Ok(SealedChange::put(key, stored, sealed, None))
    }

    pub(crate) fn open_tenant_record(&self, key: &Key, row: &Row) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (_, generation, sealed) = self.read_header(row, &[SCHEMA])?;
        let about = associated_data::of_tenant_record(key, row.version, generation);
        if generation == self.generation() {
            seal::open(&self.tenant(*key.tenant())?.record, &about, sealed)
        } else {
            let record = self.source().key(*key.tenant(), generation, Purpose::Record)?;
            seal::open(&record, &about, sealed)
        }
    }

    /// Form, generation and what is behind them; the form must be among `forms`.
    fn read_header<'a>(&self, row: &'a Row, forms: &[u8]) -> Result<(u8, Generation, &'a [u8]), OpenError> {
        let (&[form, generation @ ..], sealed) = row
            .sealed
            .as_bytes()
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(OpenError::TooShort)?;
        if !forms.contains(&form) {
            return Err(OpenError::UnknownForm {
                found: form,
                known: SCHEMA,
            });
        }
        // Generation 0 was never given out.
        let generation = Generation::new(u32::from_be_bytes(generation)).ok_or(OpenError::NotAuthentic)?;
        let newest = self.generations().readable;
        if generation > newest {
            return Err(OpenError::UnknownGeneration {
                found: generation.0,
                newest: newest.0,
            });
        }
        Ok((form, generation, sealed))
    }
}

pub(crate) fn header(generation: Generation) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.push(SCHEMA);
    header.extend_from_slice(&generation.0.to_be_bytes());
    header
}

/// A key that both the tenant's audit key and the person's data key are needed for: deleting her destroys her history too.
fn audit_key(audit: &KeyMaterial, data_key: &KeyMaterial) -> KeyMaterial {
    derive_salted(&data_key[..], &audit[..], &[b"healthid/v1/audit entry"])
}

pub(crate) fn random_key() -> KeyMaterial {
    Secret::written_by(|bytes| random(bytes))
}
