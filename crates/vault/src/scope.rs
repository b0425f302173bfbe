//! One person's data in clear, for as long as one closure runs.

use std::fmt;
use std::marker::PhantomData;

use jose::jwk::P256PublicKey;
use jose::{Signer, UnixTime, jwe, jws};
use store::{Key, Kind, Row, TenantId, UnixSeconds, Write};
use zeroize::Zeroizing;

use crate::capability::{PersonCapability, Purpose};
use crate::error::{OpenError, PersonDataError, ScopeError};
use crate::login_state::{SealedState, StateKind};
use crate::records::{DataKeys, random_key};
use crate::seal::SealedChange;
use crate::{BackgroundTask, Generation, PersonClaims, PersonData, PersonId, Vault, outbound::Outbound};

/// Ties a value to one scope and its thread: invariant, so that no two scopes share it, and not `Send`.
pub(crate) type Brand<'p> = PhantomData<(fn(&'p ()) -> &'p (), *const ())>;

/// One person's data, open. Made by [`Vault::with_person`] and gone, wiped, when its closure ends. Stays on its thread.
pub struct PersonScope<'p> {
    vault: &'p Vault,
    capability: PersonCapability,
    generation: Generation,
    keys: DataKeys,
    identity_version: u64,
    claims: PersonClaims<'p>,
    _scope: Brand<'p>,
}

/// Bytes of one person inside her scope: a record that was opened, or something to be sealed. Wiped when dropped.
pub struct Plaintext<'p> {
    bytes: Zeroizing<Vec<u8>>,
    opened_from: Option<Kind>,
    _scope: Brand<'p>,
}

/// What a device or consent record says, outside the scope: the provider decides by it. Not a person's claims. Wiped when
/// dropped.
pub struct RecordFacts(Zeroizing<Vec<u8>>);

/// A token that only its recipient can read.
pub struct EncryptedToken(String);

/// Something for the eyes of the person herself: goes into the answer to her own request and nowhere else.
pub struct PersonAnswer(Zeroizing<Vec<u8>>);

/// The deletions that end an account. Keyed names, and nothing in them.
#[derive(Debug)]
pub struct Erasure(Vec<Write>);

impl Erasure {
    /// For the commit.
    #[must_use]
    pub fn into_writes(self) -> Vec<Write> {
        self.0
    }
}

/// How a token is signed and for whom it is encrypted.
#[derive(Clone, Copy)]
pub struct Mint<'a> {
    /// Header of the signed token inside.
    pub signing: jws::SigningHeader<'a>,
    /// Who signs.
    pub signer: &'a dyn Signer,
    /// Header of the encrypted token outside.
    pub encryption: jwe::EncryptionHeader<'a>,
    /// Who can read it.
    pub recipient: &'a P256PublicKey,
}

impl Vault {
    /// Opens a person's record and runs `work` with it. What `work` returns must be fit to leave ([`Outbound`]); the record
    /// is wiped afterwards.
    ///
    /// `identity` is the row at [`PersonId::identity_key`] of the capability's person.
    ///
    /// # Errors
    /// [`OpenError`] if the row is not hers, not the version it says, or was changed. Nothing has run then.
    pub fn with_person<R: Outbound>(
        &self,
        capability: PersonCapability,
        identity: &Row,
        work: impl for<'p> FnOnce(&PersonScope<'p>) -> R,
    ) -> Result<R, OpenError> {
        let opened = self.open_identity(capability.tenant, capability.person, identity)?;
        let scope = PersonScope {
            vault: self,
            capability,
            generation: opened.generation,
            keys: opened.keys,
            identity_version: identity.version,
            claims: PersonClaims {
                data: opened.data,
                _scope: PhantomData,
            },
            _scope: PhantomData,
        };
        Ok(work(&scope))
    }
}

impl<'p> PersonScope<'p> {
    /// Her handle.
    #[must_use]
    pub const fn person_id(&self) -> PersonId {
        self.capability.person
    }

    /// Her tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.capability.tenant
    }

    /// What is known about her.
    #[must_use]
    pub const fn claims(&self) -> &PersonClaims<'p> {
        &self.claims
    }

    /// Opens another record of hers: device, consent or audit.
    ///
    /// # Errors
    /// [`OpenError::WrongKey`] if the key is another person's, another tenant's, or of a kind that is not sealed under her
    /// data key; [`OpenError::NotAuthentic`] if the row does not belong to the key and version.
    pub fn open_record(&self, key: &Key, row: &Row) -> Result<Plaintext<'p>, ScopeError> {
        self.check_key(key)?;
        let bytes = self
            .vault
            .open_person_record(&self.keys, key, self.person_id().as_bytes(), row)?;
        Ok(Plaintext {
            bytes,
            opened_from: Some(key.kind()),
            _scope: PhantomData,
        })
    }

    /// Brings bytes into the scope, to be sealed here: a device key from the request, a consent just given.
    #[must_use]
    pub fn plaintext(&self, bytes: Vec<u8>) -> Plaintext<'p> {
        Plaintext {
            bytes: Zeroizing::new(bytes),
            opened_from: None,
            _scope: PhantomData,
        }
    }

    /// Seals a record of hers as the next version over the stored one (`None`: nothing is stored).
    ///
    /// # Errors
    /// [`OpenError::WrongKey`] as in [`open_record`](Self::open_record); [`crate::SealError::TooLong`].
    pub fn seal_record(
        &self,
        key: Key,
        stored: Option<u64>,
        plaintext: &Plaintext<'p>,
        expires_at: Option<UnixSeconds>,
    ) -> Result<SealedChange, ScopeError> {
        self.check_key(&key)?;
        let version = Row::version_after(stored);
        let person = self.person_id();
        let sealed =
            self.vault
                .seal_person_record(&self.keys.current, &key, person.as_bytes(), version, &plaintext.bytes)?;
        Ok(SealedChange::put(key, stored, sealed, expires_at))
    }

    /// Replaces what is known about her. The number must stay: another number is another way to her record, and needs its own
    /// lookup record.
    ///
    /// # Errors
    /// [`ScopeError::Purpose`] unless the capability is for [`BackgroundTask::Import`]; [`PersonDataError`].
    pub fn seal_claims(&self, data: &PersonData) -> Result<SealedChange, ScopeError> {
        if self.capability.purpose != Purpose::Background(BackgroundTask::Import) {
            return Err(ScopeError::Purpose("change claims"));
        }
        data.check()?;
        if data.kvnr != self.claims.data.kvnr {
            return Err(PersonDataError::KvnrChanged.into());
        }
        self.seal_identity(data)
    }

    /// What deletes her ([`Vault::erase_person`]), at her own wish.
    ///
    /// # Errors
    /// [`ScopeError::Purpose`] for a background task.
    pub fn erase(&self) -> Result<Erasure, ScopeError> {
        self.check_login("erase a person")?;
        let writes = self
            .vault
            .erase_person(self.tenant(), self.person_id(), &self.claims.data.kvnr)?;
        Ok(Erasure(writes))
    }

    /// Whether this is what is known about her already.
    #[must_use]
    pub fn is_known(&self, data: &PersonData) -> bool {
        *data == self.claims.data
    }

    /// Seals her record again, unchanged, under the newest key generation.
    ///
    /// # Errors
    /// [`crate::SealError`].
    pub fn reseal_claims(&self) -> Result<SealedChange, ScopeError> {
        self.seal_identity(&self.claims.data)
    }

    /// Whether her record was sealed under an older generation than the newest.
    #[must_use]
    pub fn is_of_older_generation(&self) -> bool {
        self.generation < self.vault.generation()
    }

    /// Begins the rotation of her data key: her record under a new one, the old one beside it. From then on her records are
    /// sealed under the new key and opened under either. Then [`reseal_record`](Self::reseal_record) her devices and consents, and
    /// [`finish_data_key_rotation`](Self::finish_data_key_rotation). Her logins go on meanwhile.
    ///
    /// # Errors
    /// [`ScopeError::Purpose`] unless the capability is for [`BackgroundTask::Reseal`], or while a rotation is under way: a
    /// third key would lose what is still sealed under the first.
    pub fn begin_data_key_rotation(&self) -> Result<SealedChange, ScopeError> {
        self.check_reseal("rotate a data key")?;
        if self.keys.older.is_some() {
            return Err(ScopeError::Purpose(
                "begin a second rotation of a data key before the first is finished",
            ));
        }
        let keys = DataKeys {
            current: random_key(),
            older: Some(self.keys.current.duplicate()),
        };
        self.seal_identity_under(&keys, &self.claims.data)
    }

    /// One of her records, unchanged, under the newest data key and generation. Its expiry stays.
    ///
    /// # Errors
    /// As [`open_record`](Self::open_record) and [`seal_record`](Self::seal_record).
    pub fn reseal_record(&self, key: &Key, row: &Row) -> Result<SealedChange, ScopeError> {
        let plaintext = self.open_record(key, row)?;
        self.seal_record(*key, Some(row.version), &plaintext, row.expires_at)
    }

    /// Ends the rotation: destroys the older data key and with it whatever was not resealed. `None` where there is no rotation.
    /// A login that opened her record before the rotation began may still write under the older key: wait for the longest
    /// request, then reseal once more what is listed. Entries of her history are written once and cannot be resealed: finish
    /// when those from before the rotation have expired, or they are given up.
    ///
    /// # Errors
    /// [`ScopeError::Purpose`] unless the capability is for [`BackgroundTask::Reseal`].
    pub fn finish_data_key_rotation(&self) -> Result<Option<SealedChange>, ScopeError> {
        self.check_reseal("rotate a data key")?;
        if self.keys.older.is_none() {
            return Ok(None);
        }
        let keys = DataKeys {
            current: self.keys.current.duplicate(),
            older: None,
        };
        self.seal_identity_under(&keys, &self.claims.data).map(Some)
    }

    /// Whether her records are on their way from an older data key to her present one.
    #[must_use]
    pub const fn is_in_data_key_rotation(&self) -> bool {
        self.keys.older.is_some()
    }

    fn seal_identity(&self, data: &PersonData) -> Result<SealedChange, ScopeError> {
        self.seal_identity_under(&self.keys, data)
    }

    fn seal_identity_under(&self, keys: &DataKeys, data: &PersonData) -> Result<SealedChange, ScopeError> {
        let stored = Some(self.identity_version);
        Ok(self
            .vault
            .seal_identity(self.tenant(), self.person_id(), stored, keys, data)?)
    }

    pub(crate) const fn vault(&self) -> &Vault {
        self.vault
    }

    pub(crate) fn check_reseal(&self, what: &'static str) -> Result<(), ScopeError> {
        match self.capability.purpose {
            Purpose::Background(BackgroundTask::Reseal) => Ok(()),
            _ => Err(ScopeError::Purpose(what)),
        }
    }

    /// Writes a token about her, signs it, and encrypts it to its recipient. `body` writes the claims; there is no way to sign
    /// given bytes.
    ///
    /// # Errors
    /// [`ScopeError::Purpose`] for a background task; [`ScopeError::Content`] if `body` fails (with whatever error, which is
    /// dropped because it could quote her data); [`ScopeError::Sign`], [`ScopeError::Encrypt`].
    pub fn mint<E>(
        &self,
        mint: &Mint<'_>,
        body: impl FnOnce(&PersonClaims<'p>) -> Result<Vec<u8>, E>,
    ) -> Result<EncryptedToken, ScopeError> {
        self.check_login("mint a token")?;
        let payload = Zeroizing::new(body(&self.claims).map_err(|_| ScopeError::Content)?);
        let signed = Zeroizing::new(jws::sign(&mint.signing, &payload, mint.signer).map_err(ScopeError::Sign)?);
        let token =
            jwe::encrypt(&mint.encryption, mint.recipient, signed.as_bytes()).map_err(|_| ScopeError::Encrypt)?;
        Ok(EncryptedToken(token))
    }

    /// Writes something that goes back to the person herself in the answer to her own request.
    ///
    /// # Errors
    /// [`ScopeError::Purpose`] for a background task; [`ScopeError::Content`] if `body` fails.
    pub fn answer<E>(
        &self,
        body: impl FnOnce(&PersonClaims<'p>) -> Result<Vec<u8>, E>,
    ) -> Result<PersonAnswer, ScopeError> {
        self.check_login("answer")?;
        body(&self.claims)
            .map(|bytes| PersonAnswer(Zeroizing::new(bytes)))
            .map_err(|_| ScopeError::Content)
    }

    /// Seals a login state for her, as [`Vault::seal_login`].
    ///
    /// # Errors
    /// As there.
    pub fn seal_login(&self, kind: StateKind, now: UnixTime, content: &[u8]) -> Result<SealedState, ScopeError> {
        Ok(SealedState(self.vault.seal_login(
            &self.capability,
            kind,
            now,
            content,
        )?))
    }

    fn check_login(&self, what: &'static str) -> Result<(), ScopeError> {
        match self.capability.purpose {
            Purpose::Login => Ok(()),
            Purpose::Background(_) => Err(ScopeError::Purpose(what)),
        }
    }

    fn check_key(&self, key: &Key) -> Result<(), OpenError> {
        if self.vault.is_hers(self.tenant(), &self.person_id(), key)? {
            Ok(())
        } else {
            Err(OpenError::WrongKey {
                expected: "record of this person",
            })
        }
    }
}

impl Plaintext<'_> {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes a device or consent record out of the scope, for the provider to decide by.
    ///
    /// # Errors
    /// [`ScopeError::Purpose`] for any other record, and for bytes that were not opened here.
    pub fn into_facts(self) -> Result<RecordFacts, ScopeError> {
        match self.opened_from {
            Some(Kind::Device | Kind::Consent) => Ok(RecordFacts(self.bytes)),
            _ => Err(ScopeError::Purpose("take this record out of the scope")),
        }
    }
}

impl RecordFacts {
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl EncryptedToken {
    /// The token in compact serialisation.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The token in compact serialisation.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl PersonAnswer {
    /// The bytes of the answer, for the body of the response to her.
    #[must_use]
    pub fn into_body(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0)
    }
}

/// `Debug` prints the type and nothing in it.
macro_rules! debug_by_name {
    ($($name:ident),* $(,)?) => { $(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )* };
}
debug_by_name!(RecordFacts, EncryptedToken, PersonAnswer);
