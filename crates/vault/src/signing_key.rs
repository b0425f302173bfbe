//! A tenant's signing keys, used through [`jose::Signer`]: in the hardware security module, or made here and stored sealed.
//!
//! A vault with a module makes the keys that sign tokens and entity statements there (A_22868) and refuses a stored software
//! key in their place. Challenges for authenticators are signed by a sealed software key everywhere: nobody outside relies on
//! them, and the module is spared a second signature per login. Under the `development` lock without a module every key is a
//! sealed software key.
//!
//! Several keys of one role stand side by side so that they can roll over without a failed login: a *next* key is
//! published before it signs, a *retired* one stays published until what it signed has expired. Certificates travel with
//! their key.

use std::fmt;
use std::sync::Arc;

use jose::jwk::P256PublicKey;
use jose::{SignError, Signer, SoftwareKey, UnixTime};
use store::{Key, Kind, Row, TenantId};
use zeroize::Zeroizing;

use crate::Vault;
use crate::error::{OpenError, SealError};
use crate::hsm::{HsmKey, KeyId};
use crate::lock::Lock;
use crate::random::{random_array, uuid_v7};
use crate::seal::SealedChange;

/// Most certificates beside a key.
pub const MAX_CERTIFICATES: usize = 4;
/// Most bytes of one certificate (DER).
pub const MAX_CERTIFICATE_BYTES: usize = 4_096;
/// Most bytes of a key identifier: role and identifier together make the record's id.
const MAX_KID_BYTES: usize = store::MAX_ID_BYTES - 1;
/// Form of the sealed content of a software key.
const FORM: u8 = 1;
/// Form of the content that names a key in the hardware security module.
const FORM_HSM: u8 = 2;

/// What a key signs. A key has one role for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyRole {
    /// The entity statement and the signed key set (federation key).
    EntityStatement,
    /// ID tokens.
    IdToken,
    /// Challenges for authenticators.
    Challenge,
}

impl KeyRole {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::EntityStatement, Self::IdToken, Self::Challenge];

    const fn code(self) -> u8 {
        match self {
            Self::EntityStatement => 1,
            Self::IdToken => 2,
            Self::Challenge => 3,
        }
    }

    /// Whether a key of this role belongs into the hardware security module where there is one.
    #[must_use]
    pub const fn belongs_into_hsm(self) -> bool {
        match self {
            Self::EntityStatement | Self::IdToken => true,
            Self::Challenge => false,
        }
    }
}

/// Where a key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyState {
    /// Published, not used yet.
    Next,
    /// Signs.
    Active,
    /// Published so that what it signed can be verified; signs no more.
    Retired,
}

impl KeyState {
    const fn code(self) -> u8 {
        match self {
            Self::Next => 1,
            Self::Active => 2,
            Self::Retired => 3,
        }
    }
}

/// Who holds a private key.
enum Holder {
    Software(SoftwareKey),
    Hsm(HsmKey),
}

impl Holder {
    fn signer(&self) -> &dyn Signer {
        match self {
            Self::Software(key) => key,
            Self::Hsm(key) => key,
        }
    }
}

/// One signing key of a tenant, ready to sign. `Debug` prints the type only.
pub struct TenantKey {
    tenant: TenantId,
    role: KeyRole,
    state: KeyState,
    created_at: UnixTime,
    changed_at: UnixTime,
    certificates: Vec<Vec<u8>>,
    key: Holder,
}

impl TenantKey {
    /// The tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// What it signs.
    #[must_use]
    pub const fn role(&self) -> KeyRole {
        self.role
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> KeyState {
        self.state
    }

    /// When it was made or imported.
    #[must_use]
    pub const fn created_at(&self) -> UnixTime {
        self.created_at
    }

    /// When it came into its present state.
    #[must_use]
    pub const fn changed_at(&self) -> UnixTime {
        self.changed_at
    }

    /// Its certificate and those above it, DER, leaf first; empty if it has none.
    #[must_use]
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// Where its record stands.
    #[must_use]
    pub fn store_key(&self) -> Option<Key> {
        store_key(self.tenant, self.role, self.kid())
    }

    /// Whether the private key lives in a hardware security module.
    #[must_use]
    pub const fn is_in_hsm(&self) -> bool {
        matches!(self.key, Holder::Hsm(_))
    }

    /// The same key in another state. Seal it again to keep it.
    pub fn set_state(&mut self, state: KeyState, now: UnixTime) {
        self.state = state;
        self.changed_at = now;
    }

    /// The same key with certificates. Seal it again to keep them.
    ///
    /// # Errors
    /// [`SealError::Certificates`] for too many or too large ones.
    pub fn set_certificates(&mut self, certificates: Vec<Vec<u8>>) -> Result<(), SealError> {
        check_certificates(&certificates)?;
        self.certificates = certificates;
        Ok(())
    }
}

impl Signer for TenantKey {
    fn kid(&self) -> &str {
        self.key.signer().kid()
    }

    fn public_key(&self) -> &P256PublicKey {
        self.key.signer().public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        self.key.signer().sign(message)
    }
}

impl fmt::Debug for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantKey")
    }
}

impl Vault {
    /// Makes a key: in the hardware security module if the role [belongs there](KeyRole::belongs_into_hsm) and there is one, else
    /// here. Its identifier is a UUID version 7 of this moment.
    ///
    /// # Errors
    /// [`SealError::Key`]; [`SealError::Hsm`], and nothing is made in its place;
    /// [`SealError::HsmNeeded`] if the vault's lock is `quorum+hsm` and it was given no module.
    pub fn generate_signing_key(
        &self,
        tenant: TenantId,
        role: KeyRole,
        state: KeyState,
        now: UnixTime,
    ) -> Result<TenantKey, SealError> {
        let kid = uuid_v7(now, random_array());
        let key = match self.hsm() {
            Some(hsm) if role.belongs_into_hsm() => {
                let id = KeyId::of(tenant, role.code(), &kid);
                let public = hsm.generate_signing_key(id)?;
                Holder::Hsm(HsmKey::new(Arc::clone(hsm), id, kid, public))
            }
            _ => {
                self.check_software_key(role)?;
                Holder::Software(SoftwareKey::generate(kid)?)
            }
        };
        Ok(TenantKey {
            tenant,
            role,
            state,
            created_at: now,
            changed_at: now,
            certificates: Vec::new(),
            key,
        })
    }

    /// Takes over a key made elsewhere (PKCS#8), under its own identifier (`None`: a new one).
    ///
    /// # Errors
    /// [`SealError::Key`], [`SealError::Kid`]; [`SealError::HsmNeeded`] for a role that belongs into the hardware security
    /// module where there is one, or must be: a key that was outside never counts as one from inside.
    pub fn import_signing_key(
        &self,
        tenant: TenantId,
        role: KeyRole,
        state: KeyState,
        now: UnixTime,
        kid: Option<&str>,
        pkcs8: &[u8],
    ) -> Result<TenantKey, SealError> {
        self.check_software_key(role)?;
        let kid = kid.map_or_else(|| uuid_v7(now, random_array()), str::to_owned);
        if kid.is_empty() || kid.len() > MAX_KID_BYTES {
            return Err(SealError::Kid { limit: MAX_KID_BYTES });
        }
        let key = Holder::Software(SoftwareKey::from_pkcs8_der(kid, pkcs8)?);
        Ok(TenantKey {
            tenant,
            role,
            state,
            created_at: now,
            changed_at: now,
            certificates: Vec::new(),
            key,
        })
    }

    /// Seals a key as the next version over the stored one (`None`: it is new).
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal_signing_key(&self, key: &TenantKey, stored: Option<u64>) -> Result<SealedChange, SealError> {
        let at = key.store_key().ok_or(SealError::Kid { limit: MAX_KID_BYTES })?;
        self.seal_tenant_record(at, stored, &encode(key))
    }

    /// Destroys the private key in the hardware security module, if it lives there: for a retired key, before its record is
    /// deleted. Deleting the record of a software key destroys that.
    ///
    /// # Errors
    /// [`SealError::Hsm`].
    pub fn destroy_signing_key(&self, key: &TenantKey) -> Result<(), SealError> {
        match (&key.key, self.hsm()) {
            (Holder::Hsm(key), Some(hsm)) => Ok(hsm.destroy_signing_key(key.id())?),
            (Holder::Hsm(_), None) => Err(SealError::HsmNeeded),
            (Holder::Software(_), _) => Ok(()),
        }
    }

    fn check_software_key(&self, role: KeyRole) -> Result<(), SealError> {
        if role.belongs_into_hsm() && (self.hsm().is_some() || self.lock() == Lock::QuorumAndHsm) {
            return Err(SealError::HsmNeeded);
        }
        Ok(())
    }

    /// Opens a key's record.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::WrongKey`] if the record's key is not that of a signing key.
    pub fn open_signing_key(&self, at: &Key, row: &Row) -> Result<TenantKey, OpenError> {
        let wrong_key = OpenError::WrongKey {
            expected: "signing key",
        };
        let (role, kid) = match (at.kind(), at.id().split_first()) {
            (Kind::TenantKey, Some((role, kid))) => (role, kid),
            _ => return Err(wrong_key),
        };
        let role = KeyRole::ALL
            .into_iter()
            .find(|known| known.code() == *role)
            .ok_or(wrong_key)?;
        let kid = std::str::from_utf8(kid).map_err(|_| wrong_key)?;
        let content = self.open_tenant_record(at, row)?;
        let read = decode(&content).ok_or(OpenError::Content)?;
        let key = match (read.holder, self.hsm()) {
            (StoredHolder::Scalar(scalar), _) => {
                self.check_software_key(role).map_err(|_| OpenError::SoftwareKey)?;
                let key = SoftwareKey::from_scalar(kid, &scalar).map_err(|_| OpenError::Content)?;
                Holder::Software(key)
            }
            (StoredHolder::Hsm(public), Some(hsm)) => {
                let id = KeyId::of(*at.tenant(), role.code(), kid);
                Holder::Hsm(HsmKey::new(Arc::clone(hsm), id, kid.to_owned(), public))
            }
            (StoredHolder::Hsm(_), None) => return Err(OpenError::NoHsm),
        };
        Ok(TenantKey {
            tenant: *at.tenant(),
            role,
            state: read.state,
            created_at: read.created_at,
            changed_at: read.changed_at,
            certificates: read.certificates,
            key,
        })
    }
}

/// Every signing key of one tenant.
#[derive(Debug, Clone, Default)]
pub struct TenantSigners {
    /// By role, then kid: with identifiers made here, oldest first.
    keys: Vec<(Arc<TenantKey>, u64)>,
}

impl TenantSigners {
    /// Opens the records `store.list(Kind::TenantKey, tenant, &[], …)` gave. Keys of roles this release does not know are
    /// skipped.
    ///
    /// # Errors
    /// The first record that does not open.
    pub fn open(vault: &Vault, rows: &[(Key, Row)]) -> Result<Self, OpenError> {
        let mut keys = Vec::with_capacity(rows.len());
        for (at, row) in rows {
            match vault.open_signing_key(at, row) {
                Ok(key) => keys.push((Arc::new(key), row.version)),
                Err(OpenError::WrongKey { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        keys.sort_by(|(one, _), (other, _)| (one.role, one.kid()).cmp(&(other.role, other.kid())));
        Ok(Self { keys })
    }

    /// The key that signs in this role: the youngest active one.
    #[must_use]
    pub fn active(&self, role: KeyRole) -> Option<&Arc<TenantKey>> {
        self.published(role)
            .filter(|key| key.state == KeyState::Active)
            .max_by_key(|key| (key.changed_at, key.created_at))
    }

    /// Every key of this role, in every state: what is published.
    pub fn published(&self, role: KeyRole) -> impl Iterator<Item = &Arc<TenantKey>> {
        self.keys.iter().map(|(key, _)| key).filter(move |key| key.role == role)
    }

    /// The key with this identifier, and the version of its record.
    #[must_use]
    pub fn by_kid(&self, role: KeyRole, kid: &str) -> Option<(&Arc<TenantKey>, u64)> {
        let found = self.keys.iter().find(|(key, _)| key.role == role && key.kid() == kid);
        found.map(|(key, version)| (key, *version))
    }
}

fn store_key(tenant: TenantId, role: KeyRole, kid: &str) -> Option<Key> {
    let mut id = vec![role.code()];
    id.extend_from_slice(kid.as_bytes());
    Key::new(Kind::TenantKey, tenant, id).ok()
}

fn check_certificates(certificates: &[Vec<u8>]) -> Result<(), SealError> {
    let fits = certificates.len() <= MAX_CERTIFICATES
        && certificates
            .iter()
            .all(|certificate| certificate.len() <= MAX_CERTIFICATE_BYTES);
    let error = SealError::Certificates {
        limit: MAX_CERTIFICATES,
        limit_bytes: MAX_CERTIFICATE_BYTES,
    };
    if fits { Ok(()) } else { Err(error) }
}

/// Form, state, two times, the scalar or the public key of a key in the module, then each certificate with its length in
/// front.
fn encode(key: &TenantKey) -> Zeroizing<Vec<u8>> {
    let certificates = key.certificates.iter().map(|certificate| 2 + certificate.len());
    let mut bytes = Zeroizing::new(Vec::with_capacity(18 + 65 + certificates.sum::<usize>()));
    let form = if key.is_in_hsm() { FORM_HSM } else { FORM };
    bytes.extend_from_slice(&[form, key.state.code()]);
    bytes.extend_from_slice(&key.created_at.0.to_be_bytes());
    bytes.extend_from_slice(&key.changed_at.0.to_be_bytes());
    match &key.key {
        Holder::Software(key) => bytes.extend_from_slice(&key.to_scalar()[..]),
        Holder::Hsm(key) => bytes.extend_from_slice(&key.public_key().to_uncompressed()),
    }
    for certificate in &key.certificates {
        // Checked when they were set: at most 4 KiB.
        let length = u16::try_from(certificate.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(certificate);
    }
    bytes
}

struct StoredKey {
    state: KeyState,
    created_at: UnixTime,
    changed_at: UnixTime,
    holder: StoredHolder,
    certificates: Vec<Vec<u8>>,
}

enum StoredHolder {
    Scalar(Zeroizing<[u8; 32]>),
    Hsm(P256PublicKey),
}

fn decode(bytes: &[u8]) -> Option<StoredKey> {
    let (&[form, state], rest) = bytes.split_first_chunk::<2>()?;
    let (created_at, rest) = rest.split_first_chunk::<8>()?;
    let (changed_at, rest) = rest.split_first_chunk::<8>()?;
    let (holder, mut rest) = match form {
        FORM => {
            let (scalar, rest) = rest.split_first_chunk::<32>()?;
            (StoredHolder::Scalar(Zeroizing::new(*scalar)), rest)
        }
        FORM_HSM => {
            let (point, rest) = rest.split_first_chunk::<65>()?;
            (StoredHolder::Hsm(P256PublicKey::from_uncompressed(point).ok()?), rest)
        }
        _ => return None,
    };
    let states = [KeyState::Next, KeyState::Active, KeyState::Retired];
    let state = states.into_iter().find(|known| known.code() == state)?;
    let mut certificates = Vec::new();
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        let (certificate, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        certificates.push(certificate.to_vec());
        rest = behind;
    }
    let [created_at, changed_at] = [created_at, changed_at].map(|time| UnixTime(u64::from_be_bytes(*time)));
    Some(StoredKey {
        state,
        created_at,
        changed_at,
        holder,
        certificates,
    })
}

#[cfg(test)]
mod tests;
