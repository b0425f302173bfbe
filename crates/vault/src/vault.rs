//! The vault itself: root, generations, indexes, people.

use std::fmt;
use std::sync::Arc;

use authenticator::Kvnr;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use jose::base64url;
use store::{BlindIndex, Condition, Key, Kind, Row, TenantId, UnixSeconds, Write};
use zeroize::Zeroizing;

use crate::Generation;
use crate::error::{OpenError, ScopeError, SealError};
use crate::generations::Generations;
use crate::hierarchy::KeyMaterial;
use crate::hsm::Hsm;
use crate::key_source::{KeyAbsent, KeySource, Roots};
use crate::lock::{Lock, UnlockedRoot};
use crate::login_state::LoginStateSealer;
use crate::person::{NewPerson, PersonData, PersonId};
use crate::random::{random, random_array};
use crate::records::{DataKeys, random_key};
use crate::scope::RecordFacts;
use crate::seal::SealedChange;
use crate::tenant_keys::{TenantKeyring, Tenants};

/// Keys and personal data. One per process; shared by reference.
pub struct Vault {
    lock: Lock,
    source: Arc<KeySource>,
    generations: Generations,
    tenants: Tenants,
    login_states: LoginStateSealer,
    hsm: Option<Arc<Hsm>>,
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

impl Vault {
    /// A vault under the `development` lock: the root comes from this seed alone, so whoever holds the seed can open
    /// everything. Fit for development, tests and the sandbox; [`lock_name`](Self::lock_name) says so to whoever asks.
    #[must_use]
    pub fn development(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        Self::open(UnlockedRoot::development(&seed))
    }

    /// A vault whose root was opened by both locks. Its token and entity-statement keys want a hardware security module:
    /// give it one with [`with_hsm`](Self::with_hsm).
    #[must_use]
    pub fn open(unlocked: UnlockedRoot) -> Self {
        let UnlockedRoot { root, lock } = unlocked;
        Self::from_source(KeySource::Roots(Roots::only(root)), lock, Generations::FIRST)
    }

    pub(crate) fn from_source(source: KeySource, lock: Lock, generations: Generations) -> Self {
        let source = Arc::new(source);
        Self {
            lock,
            generations,
            tenants: Tenants::default(),
            login_states: LoginStateSealer::new(Arc::clone(&source), generations),
            source,
            hsm: None,
        }
    }

    /// The same vault; its token and entity-statement keys are made and used in this hardware security module.
    #[must_use]
    pub fn with_hsm(mut self, hsm: Arc<Hsm>) -> Self {
        self.hsm = Some(hsm);
        self
    }

    /// The same vault, sealing under a newer key generation. Everything sealed under older ones stays readable.
    #[must_use]
    pub fn at_generation(self, newest: Generation) -> Self {
        let generations = Generations {
            sealing: newest,
            readable: newest,
            ..self.generations
        };
        self.with_generations(generations)
    }

    /// The same vault, reading records up to this generation and sealing as before: the first of the two steps of a rotation,
    /// taken on every instance before any takes the second.
    #[must_use]
    pub fn reading_up_to(self, newest: Generation) -> Self {
        let generations = Generations {
            readable: newest.max(self.generations.sealing),
            ..self.generations
        };
        self.with_generations(generations)
    }

    /// The same vault, finding people by indexes of this generation, and still by those of `older` while lookup records move
    /// over ([`lookup_keys`](Self::lookup_keys), [`move_lookup`](Self::move_lookup)).
    #[must_use]
    pub fn at_index_generation(self, newest: Generation, older: Option<Generation>) -> Self {
        let generations = Generations {
            index: newest,
            older_index: older,
            ..self.generations
        };
        self.with_generations(generations)
    }

    fn with_generations(mut self, generations: Generations) -> Self {
        self.generations = generations;
        self.tenants = Tenants::default();
        self.login_states = LoginStateSealer::new(Arc::clone(&self.source), generations);
        self
    }

    /// What guards the root: `development` or `quorum+hsm`. A vault from a bundle names the lock of the root its keys come from.
    #[must_use]
    pub const fn lock_name(&self) -> &'static str {
        self.lock.name()
    }

    /// Sixteen hexadecimal digits by which people recognise the newest root: derived from it, and says nothing about it.
    /// `None` for a vault from bundles, which holds no root.
    #[must_use]
    pub fn root_fingerprint(&self) -> Option<String> {
        let (_, root) = self.source.roots()?.newest()?;
        let fingerprint = root.derive_own(b"fingerprint");
        Some(fingerprint[..8].iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(crate) const fn lock(&self) -> Lock {
        self.lock
    }

    pub(crate) fn source(&self) -> &KeySource {
        &self.source
    }

    /// Whether it was given a hardware security module: its token and entity-statement keys are there, and what is asked of them waits for it.
    #[must_use]
    pub const fn has_hsm(&self) -> bool {
        self.hsm.is_some()
    }

    pub(crate) const fn hsm(&self) -> Option<&Arc<Hsm>> {
        self.hsm.as_ref()
    }

    /// The generation new records are sealed under.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generations.sealing
    }

    /// The generations in force.
    #[must_use]
    pub const fn generations(&self) -> Generations {
        self.generations
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
    ///
    /// # Errors
    /// [`KeyAbsent`] if this instance does not hold the tenant's keys.
    pub fn blind_index(&self, tenant: TenantId, kvnr: &Kvnr) -> Result<BlindIndex, KeyAbsent> {
        Ok(keyed_index(&self.tenant(tenant)?.index, &[kvnr.as_str().as_bytes()]))
    }

    /// Where a person's lookup record may stand, best first: under the index in force, and under the older one while people
    /// move from that to this. The first that exists is hers.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn lookup_keys(&self, tenant: TenantId, kvnr: &Kvnr) -> Result<Vec<Key>, KeyAbsent> {
        let keys = self.tenant(tenant)?;
        Ok([Some(&keys.index), keys.older_index.as_ref()]
            .into_iter()
            .flatten()
            .map(|index| Key::lookup(tenant, &keyed_index(index, &[kvnr.as_str().as_bytes()])))
            .collect())
    }

    /// Moves a lookup record from the older index to the one in force: a record under the new key, the old one gone, both or
    /// neither. `None` if it stands there already.
    ///
    /// # Errors
    /// [`ScopeError`] if the row is not the one at `found`, or `found` is not among the [`lookup_keys`](Self::lookup_keys).
    pub fn move_lookup(
        &self,
        tenant: TenantId,
        kvnr: &Kvnr,
        found: &Key,
        row: &Row,
    ) -> Result<Option<MovedLookup>, ScopeError> {
        let keys = self.lookup_keys(tenant, kvnr)?;
        match keys.iter().position(|key| key == found) {
            Some(0) => Ok(None),
            Some(_) => {
                let person = self.open_lookup(found, row)?;
                let new = self.seal_lookup(tenant, kvnr, person)?;
                Ok(Some(MovedLookup {
                    conditions: [new.condition, Condition::VersionIs(*found, row.version)],
                    writes: [new.write, Write::Delete(*found)],
                }))
            }
            None => Err(OpenError::WrongKey {
                expected: "lookup record of this number",
            }
            .into()),
        }
    }

    /// The index of a service in a person's consents: keyed and different for each person, so that the table shows neither
    /// which service it is nor who shares it (A_23018). [`consent_key`](Self::consent_key) is where it stands.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn service_index(&self, tenant: TenantId, person: &PersonId, client_id: &str) -> Result<BlindIndex, KeyAbsent> {
        let key = self.tenant(tenant)?;
        Ok(keyed_index(&key.service, &[person.as_bytes(), client_id.as_bytes()]))
    }

    /// The pairwise subject of a person for a sector (A_23197): base64url of HMAC-SHA-256(pseudonym key, sector ‖ 0 ‖ person),
    /// 43 characters. Does not depend on the key generation: it never changes without notice.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn pseudonym(&self, tenant: TenantId, person: &PersonId, sector: &str) -> Result<String, KeyAbsent> {
        let index = keyed_index(
            &self.tenant(tenant)?.pseudonym,
            &[sector.as_bytes(), &[0], person.as_bytes()],
        );
        Ok(base64url::encode(index.as_bytes()))
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
        let keys = DataKeys {
            current: random_key(),
            older: None,
        };
        let identity = self.seal_identity(tenant, id, None, &keys, data)?;
        let lookup = self.seal_lookup(tenant, &data.kvnr, id)?;
        let mut conditions = vec![lookup.condition, identity.condition];
        // Nobody has the number under the older index either.
        conditions.extend(
            self.lookup_keys(tenant, &data.kvnr)?
                .into_iter()
                .skip(1)
                .map(Condition::Absent),
        );
        Ok(NewPerson {
            id,
            conditions,
            writes: vec![identity.write, lookup.write],
        })
    }

    fn seal_lookup(&self, tenant: TenantId, kvnr: &Kvnr, id: PersonId) -> Result<SealedChange, SealError> {
        let key = Key::lookup(tenant, &self.blind_index(tenant, kvnr)?);
        self.seal_tenant_record(key, None, id.as_bytes())
    }

    /// What deletes a person: her record and every way to it. Destroying the record destroys the data key in it, and with it
    /// whatever else was sealed for her, wherever copies lie; her other rows are then only litter.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn erase_person(&self, tenant: TenantId, id: PersonId, kvnr: &Kvnr) -> Result<Vec<Write>, KeyAbsent> {
        let mut writes = vec![Write::Delete(id.identity_key(tenant))];
        writes.extend(self.lookup_keys(tenant, kvnr)?.into_iter().map(Write::Delete));
        Ok(writes)
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
        let opened = self.open_data_keys(tenant, person, identity)?;
        let key = self.device_key(tenant, &person, device)?;
        self.open_person_record(&opened.keys, &key, person.as_bytes(), row)
            .map(RecordFacts::new)
    }

    /// Seals an entry of a person's history. Whoever does something with her data writes it down; reading it takes the right to
    /// her scope.
    ///
    /// # Errors
    /// [`ScopeError`] if `identity` is not her record, or `key` is not where an event of hers stands.
    pub fn seal_entry(
        &self,
        person: PersonId,
        identity: &Row,
        key: Key,
        content: &[u8],
        expires_at: UnixSeconds,
    ) -> Result<SealedChange, ScopeError> {
        let tenant = *key.tenant();
        if key.kind() != Kind::Audit || !self.is_hers(tenant, &person, &key).map_err(OpenError::from)? {
            return Err(OpenError::WrongKey {
                expected: "event of this person",
            }
            .into());
        }
        let keys = self.open_data_keys(tenant, person, identity)?.keys;
        let version = Row::version_after(None);
        let sealed = self.seal_person_record(&keys.current, &key, person.as_bytes(), version, content)?;
        Ok(SealedChange::put(key, None, sealed, Some(expires_at)))
    }

    pub(crate) fn tenant(&self, tenant: TenantId) -> Result<Arc<TenantKeyring>, KeyAbsent> {
        self.tenants.keyring(&self.source, tenant, self.generations)
    }
}

/// A lookup record on its way to the index in force: give both conditions and both writes to one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedLookup {
    /// Nothing stands under the new index, and the old record is the one that was read.
    pub conditions: [Condition; 2],
    /// The record under the new index, and the old one's deletion.
    pub writes: [Write; 2],
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

pub(crate) fn keyed_index(key: &KeyMaterial, parts: &[&[u8]]) -> BlindIndex {
    #[cfg(feature = "count-work")]
    crate::work::count(|work| work.hashed += 1);
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key[..]));
    parts.iter().for_each(|part| context.update(part));
    let mut index = [0; 32];
    index.copy_from_slice(context.sign().as_ref());
    BlindIndex::from_keyed_hash(index)
}
