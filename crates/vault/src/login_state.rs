//! Sealing what a login carries from one request to the next (`performance.md` 3.6): any instance with the root opens it.
//!
//! ```text
//! base64url( form and kind, 1 byte | epoch, 3 bytes | nonce, 12 bytes | ciphertext | tag, 16 bytes )
//! ```
//!
//! AES-256-GCM under a key per tenant and epoch of ten minutes. Form, kind, epoch and tenant are associated data. The
//! nonce is an HMAC over fresh randomness, kind and content, so that a rewound generator repeats no nonce for another
//! message. The generation stands in no state: opening tries the one in force and its neighbours, so that instances may
//! change generations one after the other. Expiry to the second stands in the content and is the caller's check; the epoch only bounds it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use jose::{UnixTime, base64url};
use store::TenantId;

use crate::Generation;
use crate::error::{SealError, StateError};
use crate::generations::Generations;
use crate::hierarchy::{KeyMaterial, Purpose, derive};
use crate::key_source::{KeyAbsent, KeySource};
use crate::random::random_array;

/// Length of an epoch.
const EPOCH_SECONDS: u64 = 600;
/// How far the clocks of two instances may be apart, when one seals and the other opens.
const CLOCK_LEEWAY_SECONDS: u64 = 30;
/// Bytes of form, kind and epoch.
const PREFIX_BYTES: usize = 4;
const TAG_BYTES: usize = 16;
/// What sealing adds, before base64url.
pub const STATE_OVERHEAD_BYTES: usize = PREFIX_BYTES + NONCE_LEN + TAG_BYTES;
/// Most bytes of content: a request with the longest `state` and `nonce` fits.
pub const MAX_STATE_BYTES: usize = 4_096;
/// Keys kept per tenant; older epochs are derived again when asked for.
const MAX_CACHED_EPOCHS: usize = 8;

/// The step a state belongs to. A state of one step is refused at every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateKind {
    /// A pushed authorization request, inside its request URI.
    Pushed,
    /// A login that waits for authentication.
    Pending,
    /// A login that waits for consent.
    Authenticated,
    /// An authorization code.
    Code,
    /// A single sign-on session.
    Session,
    /// A move to a new phone: its offer, and what each of the two phones holds of it.
    Move,
    /// A browser's right to send requests to one phone.
    PhoneRight,
    /// A phone's right to ask what waits for it, without a signature each time.
    LookTicket,
}

impl StateKind {
    const fn code(self) -> u8 {
        match self {
            Self::Pushed => 1,
            Self::Pending => 2,
            Self::Authenticated => 3,
            Self::Code => 4,
            Self::Session => 5,
            Self::Move => 6,
            Self::PhoneRight => 7,
            Self::LookTicket => 8,
        }
    }

    /// The longest any state of this step may live; a bound for keys, not the policy.
    const fn max_lifetime_seconds(self) -> u64 {
        match self {
            Self::Pushed | Self::Code => 600,
            Self::Pending | Self::Authenticated | Self::Move => 1_800,
            // authenticator::policy::MAX_SSO_AGE_SECONDS
            Self::Session => 12 * 3_600,
            Self::PhoneRight => 180 * 24 * 3_600,
            Self::LookTicket => 30 * 24 * 3_600,
        }
    }
}

/// Whether the content begins with the person, as proof of an authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bearing {
    Nothing,
    Person,
}

impl Bearing {
    const fn form(self) -> u8 {
        match self {
            Self::Nothing => 0x10,
            Self::Person => 0x20,
        }
    }
}

/// A sealed state on its way out of a person's scope.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedState(pub(crate) String);

impl SealedState {
    /// The base64url text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The base64url text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for SealedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedState")
    }
}

/// Seals and opens login states of all tenants. Get it from [`crate::Vault::login_states`].
pub struct LoginStateSealer {
    source: Arc<KeySource>,
    generations: Generations,
    tenants: RwLock<HashMap<(TenantId, Generation), Arc<TenantStates>>>,
}

struct TenantStates {
    key: KeyMaterial,
    epochs: RwLock<Vec<(u32, Arc<EpochKeys>)>>,
}

/// In secret memory; the cipher is set up anew for each state.
struct EpochKeys {
    cipher: KeyMaterial,
    nonce: KeyMaterial,
}

impl LoginStateSealer {
    pub(crate) fn new(source: Arc<KeySource>, generations: Generations) -> Self {
        Self {
            source,
            generations,
            tenants: RwLock::default(),
        }
    }

    /// Seals content for a step of a tenant's login.
    ///
    /// # Errors
    /// [`SealError::TooLong`] above [`MAX_STATE_BYTES`].
    pub fn seal(&self, tenant: TenantId, kind: StateKind, now: UnixTime, content: &[u8]) -> Result<String, SealError> {
        self.seal_bearing(Bearing::Nothing, tenant, kind, now, &[], content)
    }

    /// Opens what [`seal`](Self::seal) made, for the same tenant and step.
    ///
    /// # Errors
    /// [`StateError`]; nothing of the content is revealed with it.
    pub fn open(&self, tenant: TenantId, kind: StateKind, now: UnixTime, sealed: &str) -> Result<Vec<u8>, StateError> {
        self.open_bearing(Bearing::Nothing, tenant, kind, now, sealed)
    }

    pub(crate) fn seal_bearing(
        &self,
        bearing: Bearing,
        tenant: TenantId,
        kind: StateKind,
        now: UnixTime,
        person: &[u8],
        content: &[u8],
    ) -> Result<String, SealError> {
        if content.len() > MAX_STATE_BYTES {
            return Err(SealError::TooLong {
                limit: MAX_STATE_BYTES,
                found: content.len(),
            });
        }
        let epoch = epoch_at(now);
        let prefix = prefix(bearing, kind, epoch);
        let keys = self.keys(tenant, self.generations.sealing, epoch)?;
        let nonce = hedged_nonce(&keys.nonce, &random_array(), &prefix, person, content);
        let mut sealed = Vec::with_capacity(STATE_OVERHEAD_BYTES + person.len() + content.len());
        sealed.extend_from_slice(&prefix);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(person);
        sealed.extend_from_slice(content);
        let associated_data = associated_data(prefix, tenant);
        let tag = keys
            .cipher()
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data),
                &mut sealed[PREFIX_BYTES + NONCE_LEN..],
            )
            .map_err(|_| SealError::Failed)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(base64url::encode(&sealed))
    }

    pub(crate) fn open_bearing(
        &self,
        bearing: Bearing,
        tenant: TenantId,
        kind: StateKind,
        now: UnixTime,
        sealed: &str,
    ) -> Result<Vec<u8>, StateError> {
        const MAX_SEALED_BYTES: usize = STATE_OVERHEAD_BYTES + crate::capability::PERSON_BYTES + MAX_STATE_BYTES;
        const MAX_CHARACTERS: usize = base64url::encoded_length(MAX_SEALED_BYTES);
        if sealed.len() > MAX_CHARACTERS {
            return Err(StateError::TooLong { limit: MAX_CHARACTERS });
        }
        let mut sealed = base64url::decode(sealed).map_err(|_| StateError::NotBase64Url)?;
        if sealed.len() < STATE_OVERHEAD_BYTES {
            return Err(StateError::TooShort);
        }
        let (&found, rest) = sealed.split_first_chunk::<PREFIX_BYTES>().ok_or(StateError::TooShort)?;
        let (&nonce, _) = rest.split_first_chunk::<NONCE_LEN>().ok_or(StateError::TooShort)?;
        let epoch = check_prefix(found, bearing, kind, now)?;
        let associated_data = associated_data(found, tenant);
        let mut refusal = StateError::NotAuthentic;
        let mut generations = self.generations.of_login_states().peekable();
        while let Some(generation) = generations.next() {
            let keys = match self.keys(tenant, generation, epoch) {
                Ok(keys) => keys,
                Err(absent) if generation == self.generations.sealing => {
                    refusal = absent.into();
                    continue;
                }
                Err(_) => continue,
            };
            // A failed attempt leaves nothing to try the next key on.
            let kept = generations.peek().map(|_| sealed.clone());
            let opened = keys.cipher().open_within(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data),
                &mut sealed,
                PREFIX_BYTES + NONCE_LEN..,
            );
            if let Ok(length) = opened.map(|content| content.len()) {
                sealed.truncate(length);
                return Ok(sealed);
            }
            if let Some(kept) = kept {
                sealed = kept;
            }
        }
        Err(refusal)
    }

    /// The keys of a tenant's epoch, derived once and kept while the epoch is recent.
    fn keys(&self, tenant: TenantId, generation: Generation, epoch: u32) -> Result<Arc<EpochKeys>, KeyAbsent> {
        let states = self.states(tenant, generation)?;
        let cached = states.epochs.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, keys)) = cached.iter().find(|(number, _)| *number == epoch) {
            return Ok(Arc::clone(keys));
        }
        drop(cached);
        let keys = Arc::new(EpochKeys::derive(&states.key, epoch));
        let mut cached = states.epochs.write().unwrap_or_else(PoisonError::into_inner);
        if cached.len() >= MAX_CACHED_EPOCHS
            && let Some(oldest) = (0..cached.len()).min_by_key(|&index| cached[index].0)
        {
            cached.swap_remove(oldest);
        }
        cached.push((epoch, Arc::clone(&keys)));
        Ok(keys)
    }

    fn states(&self, tenant: TenantId, generation: Generation) -> Result<Arc<TenantStates>, KeyAbsent> {
        let at = (tenant, generation);
        if let Some(states) = self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(&at) {
            return Ok(Arc::clone(states));
        }
        let key = self.source.key(tenant, generation, Purpose::LoginState)?;
        let states = Arc::new(TenantStates {
            key,
            epochs: RwLock::default(),
        });
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(tenants.entry(at).or_insert(states)))
    }
}

impl fmt::Debug for LoginStateSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginStateSealer")
    }
}

impl EpochKeys {
    fn derive(key: &KeyMaterial, epoch: u32) -> Self {
        let epoch = epoch.to_be_bytes();
        Self {
            cipher: derive(key, &[b"healthid/v1/state cipher", &epoch]),
            nonce: derive(key, &[b"healthid/v1/state nonce", &epoch]),
        }
    }

    fn cipher(&self) -> LessSafeKey {
        // A key of 32 bytes is what the algorithm takes.
        #[allow(clippy::expect_used)]
        let key = UnboundKey::new(&AES_256_GCM, &self.cipher[..]).expect("the key has the length of the algorithm");
        LessSafeKey::new(key)
    }
}

/// Number of the epoch; three bytes suffice until the year 2288.
fn epoch_at(now: UnixTime) -> u32 {
    u32::try_from(now.0 / EPOCH_SECONDS)
        .unwrap_or(u32::MAX)
        .min(0x00ff_ffff)
}

fn prefix(bearing: Bearing, kind: StateKind, epoch: u32) -> [u8; PREFIX_BYTES] {
    let [_, high, middle, low] = epoch.to_be_bytes();
    [bearing.form() | kind.code(), high, middle, low]
}

fn check_prefix(
    [form, high, middle, low]: [u8; PREFIX_BYTES],
    bearing: Bearing,
    kind: StateKind,
    now: UnixTime,
) -> Result<u32, StateError> {
    if form & 0xf0 != bearing.form() {
        return Err(StateError::UnknownForm);
    }
    if form & 0x0f != kind.code() {
        return Err(StateError::WrongKind);
    }
    let epoch = u32::from_be_bytes([0, high, middle, low]);
    if epoch > epoch_at(now.plus_seconds(CLOCK_LEEWAY_SECONDS)) {
        return Err(StateError::FutureEpoch);
    }
    let oldest = now.minus_seconds(kind.max_lifetime_seconds() + CLOCK_LEEWAY_SECONDS);
    if epoch < epoch_at(oldest) {
        return Err(StateError::TooOld);
    }
    Ok(epoch)
}

fn associated_data(prefix: [u8; PREFIX_BYTES], tenant: TenantId) -> [u8; 16 + PREFIX_BYTES + 16] {
    let mut data = [0; 16 + PREFIX_BYTES + 16];
    data[..16].copy_from_slice(b"healthid/v1/sta\0");
    data[16..20].copy_from_slice(&prefix);
    data[20..].copy_from_slice(tenant.as_bytes());
    data
}

fn hedged_nonce(
    key: &KeyMaterial,
    randomness: &[u8; 16],
    prefix: &[u8; PREFIX_BYTES],
    person: &[u8],
    content: &[u8],
) -> [u8; NONCE_LEN] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key[..]));
    context.update(randomness);
    context.update(prefix);
    context.update(person); // of one length for each form, which is in the prefix
    context.update(content);
    let mut nonce = [0; NONCE_LEN];
    nonce.copy_from_slice(&context.sign().as_ref()[..NONCE_LEN]);
    nonce
}

#[cfg(test)]
mod tests;
