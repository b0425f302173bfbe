//! The vault itself: root, tenant keys, records.

use std::fmt;
use std::sync::Arc;

use authenticator::Kvnr;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use jose::base64url;
use store::{BlindIndex, Key, Kind, Row, TenantId, UnixSeconds, Write};
use zeroize::Zeroizing;

use crate::associated_data::{self, SCHEMA};
use crate::error::{OpenError, ScopeError, SealError};
use crate::hierarchy::{KeyMaterial, Purpose, Root};
use crate::login_state::LoginStateSealer;
use crate::person::{NewPerson, PersonData, PersonId};
use crate::random::{random, random_array};
use crate::scope::RecordFacts;
use crate::seal::{self, OVERHEAD_BYTES, SealedChange};
use crate::tenant_keys::{TenantKeyring, Tenants};
use crate::{Generation, person_encoding};

/// Bytes in front of every sealed record: form and generation.
const HEADER_BYTES: usize = 5;
/// Bytes of a wrapped data key.
const WRAPPED_BYTES: usize = 32 + OVERHEAD_BYTES;
/// Claims are padded to multiples of this, so that a record's size says little about its person.
const IDENTITY_STEP: usize = 512;

/// Keys and personal data. One per process; shared by reference.
pub struct Vault {
    lock: Lock,
    root: Arc<Root>,
    generation: Generation,
    tenants: Tenants,
    login_states: LoginStateSealer,
}

/// What guards the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    /// A seed from configuration: whoever reads the machine's files has the root.
    Development,
}

/// A tenant's identifier in store and key derivation: the first half of SHA-256 over its issuer. Not a secret. An issuer
/// that changes is another tenant: its people would have to be moved.
#[must_use]
pub fn tenant_id(issuer: &str) -> TenantId {
    let mut input = b"healthid/v1/tenant id\0".to_vec();
    input.extend_from_slice(issuer.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest(&SHA256, &input).as_ref()[..16]);
    TenantId::from_bytes(bytes)
}

pub(crate) struct OpenIdentity {
    pub generation: Generation,
    pub data_key: KeyMaterial,
    pub data: PersonData,
}

impl Vault {
    /// A vault under the `development` lock: the root comes from this seed alone, so whoever holds the seed can open
    /// everything. Fit for development, tests and the sandbox; [`lock_name`](Self::lock_name) says so to whoever asks.
    #[must_use]
    pub fn development(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        let root = Arc::new(Root::new(&seed));
        Self {
            lock: Lock::Development,
            generation: Generation::FIRST,
            tenants: Tenants::default(),
            login_states: LoginStateSealer::new(Arc::clone(&root)),
            root,
        }
    }

    /// The same vault, sealing under a newer key generation. Everything sealed under older ones stays readable.
    #[must_use]
    pub fn at_generation(mut self, newest: Generation) -> Self {
        self.generation = newest;
        self.tenants = Tenants::default();
        self
    }

    /// What guards the root: `development`.
    #[must_use]
    pub const fn lock_name(&self) -> &'static str {
        match self.lock {
            Lock::Development => "development",
        }
    }

    /// The generation new records are sealed under.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Fills bytes with randomness.
    pub fn random(&self, bytes: &mut [u8]) {
        random(bytes);
    }

    /// Seals and opens login states.
    #[must_use]
    pub const fn login_states(&self) -> &LoginStateSealer {
        &self.login_states
    }

    /// The index under which a health insurance number is found: HMAC-SHA-256 under the tenant's index key. A [`Kvnr`] has
    /// one spelling only, so it is normalised already.
    #[must_use]
    pub fn blind_index(&self, tenant: TenantId, kvnr: &Kvnr) -> BlindIndex {
        keyed_index(&self.tenant(tenant).index, &[kvnr.as_str().as_bytes()])
    }

    /// The index of a service in a person's consents: keyed and different for each person, so that the table shows neither
    /// which service it is nor who shares it (A_23018).
    #[must_use]
    pub fn service_index(&self, tenant: TenantId, person: &PersonId, client_id: &str) -> BlindIndex {
        keyed_index(&self.tenant(tenant).service, &[person.as_bytes(), client_id.as_bytes()])
    }

    /// The pairwise subject of a person for a sector (A_23197): base64url of HMAC-SHA-256(pseudonym key, sector ‖ 0 ‖ person),
    /// 43 characters. Does not depend on the key generation: it never changes without notice.
    #[must_use]
    pub fn pseudonym(&self, tenant: TenantId, person: &PersonId, sector: &str) -> String {
        let index = keyed_index(
            &self.tenant(tenant).pseudonym,
            &[sector.as_bytes(), &[0], person.as_bytes()],
        );
        base64url::encode(index.as_bytes())
    }

    /// A single-use claim on a login, for the commit that redeems it: whoever commits it first wins.
    #[must_use]
    pub fn claim_once(tenant: TenantId, login: &[u8; 16], expires_at: UnixSeconds) -> SealedChange {
        SealedChange::put(Key::single_use(tenant, login), None, Vec::new(), Some(expires_at))
    }

    /// Seals a new person under a handle and a data key drawn for her.
    ///
    /// # Errors
    /// [`crate::PersonDataError`] wrapped in [`ScopeError`] if the data is not acceptable.
    pub fn create_person(&self, tenant: TenantId, data: &PersonData) -> Result<NewPerson, ScopeError> {
        self.create_person_as(tenant, PersonId::from_bytes(random_array()), data)
    }

    /// [`create_person`](Self::create_person) under a given handle: for people whose pseudonyms must survive a new store, as
    /// the sandbox's.
    ///
    /// # Errors
    /// As there.
    pub fn create_person_as(&self, tenant: TenantId, id: PersonId, data: &PersonData) -> Result<NewPerson, ScopeError> {
        data.check()?;
        let data_key = Zeroizing::new(random_array());
        let identity = self.seal_identity(tenant, id, None, &data_key, data)?;
        let lookup = self.seal_lookup(tenant, &data.kvnr, id)?;
        Ok(NewPerson {
            id,
            conditions: vec![lookup.condition, identity.condition],
            writes: vec![identity.write, lookup.write],
        })
    }

    fn seal_lookup(&self, tenant: TenantId, kvnr: &Kvnr, id: PersonId) -> Result<SealedChange, SealError> {
        let key = Key::lookup(tenant, &self.blind_index(tenant, kvnr));
        self.seal_tenant_record(key, None, id.as_bytes())
    }

    /// What deletes a person: her record and the way to it. Destroying the record destroys the data key in it, and with it
    /// whatever else was sealed for her, wherever copies lie; her other rows are then only litter.
    #[must_use]
    pub fn erase_person(&self, tenant: TenantId, id: PersonId, kvnr: &Kvnr) -> [Write; 2] {
        let lookup = Key::lookup(tenant, &self.blind_index(tenant, kvnr));
        [Write::Delete(id.identity_key(tenant)), Write::Delete(lookup)]
    }

    /// Opens a device record before anybody has authenticated: its public key is what her answer is verified with.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_device(
        &self,
        tenant: TenantId,
        person: PersonId,
        identity: &Row,
        device: &[u8; 16],
        row: &Row,
    ) -> Result<RecordFacts, OpenError> {
        let (_, data_key, _) = self.open_data_key(tenant, person, identity)?;
        let key = Key::device(tenant, person.as_bytes(), device);
        open_person_record(&data_key, &key, person.as_bytes(), row).map(RecordFacts::new)
    }

    /// Form, generation, wrapped data key, sealed claims.
    pub(crate) fn seal_identity(
        &self,
        tenant: TenantId,
        person: PersonId,
        stored: Option<u64>,
        data_key: &KeyMaterial,
        data: &PersonData,
    ) -> Result<SealedChange, SealError> {
        let key = person.identity_key(tenant);
        let version = Row::version_after(stored);
        let limit = Kind::Identity.max_sealed_bytes() - HEADER_BYTES - WRAPPED_BYTES - OVERHEAD_BYTES;
        let content = seal::pad(&person_encoding::encode(data), IDENTITY_STEP, limit)?;
        let mut sealed = header(self.generation);
        let about_key = associated_data::of_data_key(tenant, person.as_bytes(), self.generation);
        seal::seal_into(&mut sealed, &self.tenant(tenant).wrap, &about_key, &data_key[..])?;
        let about = associated_data::of_person_record(&key, person.as_bytes(), version, self.generation);
        seal::seal_into(&mut sealed, data_key, &about, &content)?;
        Ok(SealedChange::put(key, stored, sealed, None))
    }

    pub(crate) fn open_identity(
        &self,
        tenant: TenantId,
        person: PersonId,
        row: &Row,
    ) -> Result<OpenIdentity, OpenError> {
        let (generation, data_key, sealed) = self.open_data_key(tenant, person, row)?;
        let key = person.identity_key(tenant);
        let about = associated_data::of_person_record(&key, person.as_bytes(), row.version, generation);
        let content = seal::open(&data_key, &about, sealed)?;
        let data = person_encoding::decode(seal::unpad(&content)?)?;
        Ok(OpenIdentity {
            generation,
            data_key,
            data,
        })
    }

    /// The data key in a person's record, and the sealed claims behind it.
    fn open_data_key<'a>(
        &self,
        tenant: TenantId,
        person: PersonId,
        row: &'a Row,
    ) -> Result<(Generation, KeyMaterial, &'a [u8]), OpenError> {
        let (generation, rest) = self.read_header(row)?;
        let (wrapped, sealed) = rest.split_at_checked(WRAPPED_BYTES).ok_or(OpenError::TooShort)?;
        let about_key = associated_data::of_data_key(tenant, person.as_bytes(), generation);
        let opened = if generation == self.generation {
            seal::open(&self.tenant(tenant).wrap, &about_key, wrapped)?
        } else {
            seal::open(
                &self.root.derive(tenant, generation, Purpose::Wrap),
                &about_key,
                wrapped,
            )?
        };
        let data_key = Zeroizing::new(opened[..].try_into().map_err(|_| OpenError::Content)?);
        Ok((generation, data_key, sealed))
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
        let mut sealed = header(self.generation);
        let about = associated_data::of_tenant_record(&key, version, self.generation);
        seal::seal_into(&mut sealed, &self.tenant(*key.tenant()).record, &about, content)?;
        Ok(SealedChange::put(key, stored, sealed, None))
    }

    pub(crate) fn open_tenant_record(&self, key: &Key, row: &Row) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (generation, sealed) = self.read_header(row)?;
        let about = associated_data::of_tenant_record(key, row.version, generation);
        if generation == self.generation {
            seal::open(&self.tenant(*key.tenant()).record, &about, sealed)
        } else {
            seal::open(
                &self.root.derive(*key.tenant(), generation, Purpose::Record),
                &about,
                sealed,
            )
        }
    }

    fn read_header<'a>(&self, row: &'a Row) -> Result<(Generation, &'a [u8]), OpenError> {
        let (generation, sealed) = read_header(row)?;
        if generation > self.generation {
            return Err(OpenError::UnknownGeneration {
                found: generation.0,
                newest: self.generation.0,
            });
        }
        Ok((generation, sealed))
    }

    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    pub(crate) fn tenant(&self, tenant: TenantId) -> Arc<TenantKeyring> {
        self.tenants.keyring(&self.root, tenant, self.generation)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

fn header(generation: Generation) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.push(SCHEMA);
    header.extend_from_slice(&generation.0.to_be_bytes());
    header
}

fn read_header(row: &Row) -> Result<(Generation, &[u8]), OpenError> {
    let (&[form, generation @ ..], sealed) = row
        .sealed
        .as_bytes()
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(OpenError::TooShort)?;
    if form != SCHEMA {
        return Err(OpenError::UnknownForm {
            found: form,
            known: SCHEMA,
        });
    }
    let number = u32::from_be_bytes(generation);
    // Generation 0 was never given out.
    let generation = Generation::new(number).ok_or(OpenError::NotAuthentic)?;
    Ok((generation, sealed))
}

/// Seals a record under a person's data key.
pub(crate) fn seal_person_record(
    data_key: &KeyMaterial,
    key: &Key,
    person: &[u8; 16],
    version: u64,
    generation: Generation,
    content: &[u8],
) -> Result<Vec<u8>, SealError> {
    let limit = key.kind().max_sealed_bytes() - HEADER_BYTES - OVERHEAD_BYTES;
    let content = seal::pad(content, padding_step(key.kind()), limit)?;
    let mut sealed = header(generation);
    let about = associated_data::of_person_record(key, person, version, generation);
    seal::seal_into(&mut sealed, data_key, &about, &content)?;
    Ok(sealed)
}

/// Opens what [`seal_person_record`] sealed.
pub(crate) fn open_person_record(
    data_key: &KeyMaterial,
    key: &Key,
    person: &[u8; 16],
    row: &Row,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (generation, sealed) = read_header(row)?;
    let about = associated_data::of_person_record(key, person, row.version, generation);
    let padded = seal::open(data_key, &about, sealed)?;
    Ok(Zeroizing::new(seal::unpad(&padded)?.to_vec()))
}

const fn padding_step(kind: Kind) -> usize {
    match kind {
        Kind::Device => 256,
        _ => 128,
    }
}

fn keyed_index(key: &hmac::Key, parts: &[&[u8]]) -> BlindIndex {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    let mut index = [0; 32];
    index.copy_from_slice(context.sign().as_ref());
    BlindIndex::from_keyed_hash(index)
}
