//! The keys of one relying party, and how each kind rolls over without a failed login.
//!
//! | Purpose | next | current | previous | withdrawn |
//! |---|---|---|---|---|
//! | entity | published | published, signs statements | published | – |
//! | TLS | published | published, shown in handshakes | published | – |
//! | encryption | decrypts | published, decrypts | published, decrypts | decrypts until the last statement that named it has expired (A_28209) |
//!
//! The next encryption key is not published: identity providers would encrypt to it at once, before every instance of the service has it.
//! An entity key must be made known to the Federation Master a day before it signs (A_24607); that is the operator's step between
//! [`KeyRing::add_next`] and [`KeyRing::switch`].

mod stage;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jose::jwk::{Jwk, JwkSet, KeyUse};
use jose::{SoftwareKey, UnixTime};

pub use stage::{KeyPurpose, KeyRingError, KeyStage, KeyStatus};

use super::random::key_id;
use super::tls_credential::TlsCredential;

/// Most keys kept for one purpose, whatever their stage.
pub const MAX_KEYS_PER_PURPOSE: usize = 8;
/// Logins that began before a statement expired may still be answered with its key: code (90 s), clocks, and room to spare.
pub const WITHDRAWN_GRACE_SECONDS: u64 = 15 * 60;

#[derive(Clone)]
enum Material {
    Entity(Arc<SoftwareKey>),
    Tls(TlsCredential),
    Encryption(Arc<SoftwareKey>),
}

impl Material {
    fn purpose(&self) -> KeyPurpose {
        match self {
            Self::Entity(_) => KeyPurpose::Entity,
            Self::Tls(_) => KeyPurpose::Tls,
            Self::Encryption(_) => KeyPurpose::Encryption,
        }
    }

    fn kid(&self) -> &str {
        match self {
            Self::Entity(key) | Self::Encryption(key) => key.kid(),
            Self::Tls(credential) => credential.kid(),
        }
    }
}

struct Entry {
    material: Material,
    stage: KeyStage,
    published_since: Option<UnixTime>,
    published_until: Option<UnixTime>,
}

impl Entry {
    fn new(material: Material, stage: KeyStage) -> Self {
        Self {
            material,
            stage,
            published_since: None,
            published_until: None,
        }
    }

    fn is(&self, purpose: KeyPurpose, stage: KeyStage) -> bool {
        self.material.purpose() == purpose && self.stage == stage
    }

    fn is_published(&self) -> bool {
        match (self.material.purpose(), self.stage) {
            (_, KeyStage::Current | KeyStage::Previous) => true,
            (purpose, KeyStage::Next) => purpose != KeyPurpose::Encryption,
            (_, KeyStage::Withdrawn) => false,
        }
    }
}

/// The keys of one relying party. Shared between threads; every method takes effect for all later calls.
pub struct KeyRing {
    common_name: String,
    certificate_days: u32,
    state: Mutex<State>,
}

struct State {
    entries: Vec<Entry>,
    /// Greatest time stamp in a `kid` so far, in milliseconds.
    last_stamp: u64,
    /// Counts changes, so that whoever keeps a document made of the ring notices them.
    generation: u64,
}

/// What the next statement names, taken in one step.
pub(crate) struct Publication {
    pub(crate) signer: Arc<SoftwareKey>,
    pub(crate) entity_keys: JwkSet,
    pub(crate) client_keys: Vec<Jwk>,
}

impl KeyRing {
    /// A ring with one fresh key for each purpose. `common_name` goes into the TLS certificates; they live `certificate_days`
    /// ([`super::MAX_CERTIFICATE_DAYS`] at most).
    ///
    /// # Errors
    /// [`KeyRingError`].
    pub fn generate(common_name: &str, certificate_days: u32, now: UnixTime) -> Result<Self, KeyRingError> {
        let ring = Self {
            common_name: common_name.to_owned(),
            certificate_days,
            state: Mutex::new(State {
                entries: Vec::new(),
                last_stamp: 0,
                generation: 0,
            }),
        };
        for purpose in [KeyPurpose::Entity, KeyPurpose::Tls, KeyPurpose::Encryption] {
            ring.add_next(purpose, now)?;
            ring.switch(purpose)?;
        }
        Ok(ring)
    }

    /// A ring of existing keys. The first of each list is the current one, the others are previous ones that stay published (TLS, entity)
    /// and usable (encryption).
    ///
    /// # Errors
    /// [`KeyRingError::Incomplete`], [`KeyRingError::TooMany`].
    pub fn of(
        common_name: &str,
        certificate_days: u32,
        entity: Vec<SoftwareKey>,
        tls: Vec<TlsCredential>,
        encryption: Vec<SoftwareKey>,
    ) -> Result<Self, KeyRingError> {
        if entity.is_empty() || tls.is_empty() || encryption.is_empty() {
            return Err(KeyRingError::Incomplete);
        }
        if [entity.len(), tls.len(), encryption.len()]
            .into_iter()
            .any(|count| count > MAX_KEYS_PER_PURPOSE)
        {
            return Err(KeyRingError::TooMany);
        }
        let stage = |at: usize| if at == 0 { KeyStage::Current } else { KeyStage::Previous };
        let mut entries: Vec<Entry> = Vec::new();
        for (at, key) in entity.into_iter().enumerate() {
            entries.push(Entry::new(Material::Entity(Arc::new(key)), stage(at)));
        }
        for (at, credential) in tls.into_iter().enumerate() {
            entries.push(Entry::new(Material::Tls(credential), stage(at)));
        }
        for (at, key) in encryption.into_iter().enumerate() {
            entries.push(Entry::new(Material::Encryption(Arc::new(key)), stage(at)));
        }
        let mut kids: Vec<&str> = entries.iter().map(|entry| entry.material.kid()).collect();
        kids.sort_unstable();
        if kids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(KeyRingError::Incomplete);
        }
        Ok(Self {
            common_name: common_name.to_owned(),
            certificate_days,
            state: Mutex::new(State {
                entries,
                last_stamp: 0,
                generation: 0,
            }),
        })
    }

    /// Makes the next key of a purpose and returns its `kid`. A TLS or entity key is published from now on.
    ///
    /// # Errors
    /// [`KeyRingError::NextExists`], [`KeyRingError::TooMany`], or the key could not be made.
    pub fn add_next(&self, purpose: KeyPurpose, now: UnixTime) -> Result<String, KeyRingError> {
        let mut state = self.lock();
        if state.entries.iter().any(|entry| entry.is(purpose, KeyStage::Next)) {
            return Err(KeyRingError::NextExists);
        }
        if state
            .entries
            .iter()
            .filter(|entry| entry.material.purpose() == purpose)
            .count()
            >= MAX_KEYS_PER_PURPOSE
        {
            return Err(KeyRingError::TooMany);
        }
        let (kid, stamp) = key_id(now, state.last_stamp)?;
        let key = SoftwareKey::generate(kid.clone())?;
        let material = match purpose {
            KeyPurpose::Entity => Material::Entity(Arc::new(key)),
            KeyPurpose::Encryption => Material::Encryption(Arc::new(key)),
            KeyPurpose::Tls => Material::Tls(TlsCredential::self_signed(
                key,
                &self.common_name,
                now,
                self.certificate_days,
            )?),
        };
        state.last_stamp = stamp;
        state.generation += 1;
        state.entries.push(Entry::new(material, KeyStage::Next));
        Ok(kid)
    }

    /// Uses the next key of a purpose from now on; the current one becomes a previous one. Returns the new current `kid`.
    ///
    /// # Errors
    /// [`KeyRingError::NoNext`].
    pub fn switch(&self, purpose: KeyPurpose) -> Result<String, KeyRingError> {
        let mut state = self.lock();
        if !state.entries.iter().any(|entry| entry.is(purpose, KeyStage::Next)) {
            return Err(KeyRingError::NoNext);
        }
        state.generation += 1;
        let mut current = String::new();
        for entry in state
            .entries
            .iter_mut()
            .filter(|entry| entry.material.purpose() == purpose)
        {
            match entry.stage {
                KeyStage::Current => entry.stage = KeyStage::Previous,
                KeyStage::Next => {
                    entry.stage = KeyStage::Current;
                    current = entry.material.kid().to_owned();
                }
                KeyStage::Previous | KeyStage::Withdrawn => {}
            }
        }
        Ok(current)
    }

    /// Publishes the previous keys of a purpose no longer, and forgets them: TLS and entity keys at once, encryption keys when the last
    /// statement that named them has expired (A_28209). Returns their `kid`s.
    ///
    /// # Errors
    /// [`KeyRingError::NoPrevious`].
    pub fn retire(&self, purpose: KeyPurpose, now: UnixTime) -> Result<Vec<String>, KeyRingError> {
        let mut state = self.lock();
        let mut retired = Vec::new();
        for entry in state
            .entries
            .iter_mut()
            .filter(|entry| entry.is(purpose, KeyStage::Previous))
        {
            entry.stage = KeyStage::Withdrawn;
            retired.push(entry.material.kid().to_owned());
        }
        state.generation += 1;
        state.forget(now);
        if retired.is_empty() {
            Err(KeyRingError::NoPrevious)
        } else {
            Ok(retired)
        }
    }

    /// Grows with every change.
    pub(crate) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// All keys, without their private halves.
    pub fn status(&self) -> Vec<KeyStatus> {
        let state = self.lock();
        state
            .entries
            .iter()
            .map(|entry| {
                let credential = match &entry.material {
                    Material::Tls(credential) => Some(credential),
                    Material::Entity(_) | Material::Encryption(_) => None,
                };
                KeyStatus {
                    purpose: entry.material.purpose(),
                    stage: entry.stage,
                    kid: entry.material.kid().to_owned(),
                    published_since: entry.published_since,
                    published_until: entry.published_until,
                    certificate_thumbprint: credential.map(TlsCredential::thumbprint),
                    certificate_not_after: credential.map(|credential| UnixTime(credential.validity().not_after)),
                }
            })
            .collect()
    }

    /// The entity keys as the Federation Master has to know them: current, next, previous.
    pub fn entity_keys(&self) -> JwkSet {
        JwkSet::new(self.lock().entity_keys())
    }

    /// What is shown in TLS handshakes now.
    pub fn tls_credential(&self) -> TlsCredential {
        let state = self.lock();
        let current = state.entries.iter().find_map(|entry| match &entry.material {
            Material::Tls(credential) if entry.stage == KeyStage::Current => Some(credential.clone()),
            _ => None,
        });
        // Every constructor and every switch leaves exactly one current key for each purpose.
        current.unwrap_or_else(|| unreachable!("a key ring has a current TLS key"))
    }

    /// The private key an ID token with this `kid` is opened with, whatever its stage.
    pub fn decryption_key(&self, kid: &str, now: UnixTime) -> Option<Arc<SoftwareKey>> {
        let mut state = self.lock();
        state.forget(now);
        state.decryption_keys().find(|key| key.kid() == kid).cloned()
    }

    /// The `kid`s an ID token may be encrypted to, for error messages.
    pub fn decryption_kids(&self, now: UnixTime) -> Vec<String> {
        let mut state = self.lock();
        state.forget(now);
        state.decryption_keys().map(|key| key.kid().to_owned()).collect()
    }

    /// Takes what a statement valid until `exp` names, and remembers that it named it.
    pub(crate) fn publish(&self, now: UnixTime, exp: UnixTime) -> Publication {
        let mut state = self.lock();
        state.forget(now);
        for entry in state.entries.iter_mut().filter(|entry| entry.is_published()) {
            entry.published_since.get_or_insert(now);
            entry.published_until = entry.published_until.max(Some(exp));
        }
        Publication {
            signer: state.signer(),
            entity_keys: JwkSet::new(state.entity_keys()),
            client_keys: state.client_keys(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned ring is still whole: every change is one assignment of a stage, or one push.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Current first: readers that look at one key only take the first.
    fn in_order(&self) -> impl Iterator<Item = &Entry> {
        [
            KeyStage::Current,
            KeyStage::Next,
            KeyStage::Previous,
            KeyStage::Withdrawn,
        ]
        .into_iter()
        .flat_map(|stage| self.entries.iter().filter(move |entry| entry.stage == stage))
    }

    fn entity_keys(&self) -> Vec<Jwk> {
        self.in_order()
            .filter(|entry| entry.is_published())
            .filter_map(|entry| match &entry.material {
                Material::Entity(key) => Some(key.jwk(KeyUse::Signature)),
                Material::Tls(_) | Material::Encryption(_) => None,
            })
            .collect()
    }

    fn client_keys(&self) -> Vec<Jwk> {
        self.in_order()
            .filter(|entry| entry.is_published())
            .filter_map(|entry| match &entry.material {
                Material::Tls(credential) => Some(credential.jwk()),
                Material::Encryption(key) => Some(key.jwk(KeyUse::Encryption)),
                Material::Entity(_) => None,
            })
            .collect()
    }

    fn decryption_keys(&self) -> impl Iterator<Item = &Arc<SoftwareKey>> {
        self.in_order().filter_map(|entry| match &entry.material {
            Material::Encryption(key) => Some(key),
            Material::Entity(_) | Material::Tls(_) => None,
        })
    }

    fn signer(&self) -> Arc<SoftwareKey> {
        let current = self.entries.iter().find_map(|entry| match &entry.material {
            Material::Entity(key) if entry.stage == KeyStage::Current => Some(Arc::clone(key)),
            _ => None,
        });
        current.unwrap_or_else(|| unreachable!("a key ring has a current entity key"))
    }

    fn forget(&mut self, now: UnixTime) {
        self.entries
            .retain(|entry| match (entry.stage, entry.material.purpose()) {
                (KeyStage::Withdrawn, KeyPurpose::Encryption) => entry
                    .published_until
                    .is_some_and(|until| now < until.plus_seconds(WITHDRAWN_GRACE_SECONDS)),
                (KeyStage::Withdrawn, KeyPurpose::Tls | KeyPurpose::Entity) => false,
                (KeyStage::Next | KeyStage::Current | KeyStage::Previous, _) => true,
            });
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyRing")
    }
}

#[cfg(test)]
mod tests;
