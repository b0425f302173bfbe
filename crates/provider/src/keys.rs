//! A tenant's signing keys and what is published of them: entity key, token keys with certificate, challenge key (gematik digest 2.6).
//!
//! Keys are born in the vault and stored sealed. During a rollover the next key is published before it signs, and the old one stays published until
//! what it signed has expired: `next` → `active` → `retired` → gone.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use jose::{
    Signer, UnixTime,
    jwk::{Jwk, KeyUse, P256PublicKey},
};
use store::{Kind, MAX_LISTED, Write};
use transport::public_key_thumbprint_hex;
use vault::{Carried, KeyRole, KeyState, SealedChange, TenantKey, TenantSigners};

use crate::{
    core::{Committed, Core, StepProblem},
    tenant::Tenant,
};

/// Seconds after which an instance looks for keys another one has made or moved.
pub const KEYS_KEPT_SECONDS: u64 = 60;
/// Whoever claims this makes a tenant's first keys.
const FIRST_KEYS: &[u8; 16] = b"the first keys..";
/// Seconds the claim stands: far longer than it takes the others to find the keys.
const FIRST_KEYS_SECONDS: u64 = 600;

/// Issues the certificate of a token key, where the provider may ask for it itself: the sandbox's component CA. Elsewhere the operator brings it.
pub trait TokenCertificates: Send + Sync {
    /// A certificate (DER) for the tenant's token key; `None` where it cannot be issued.
    fn issue(&self, issuer: &str, organization_name: &str, key: &P256PublicKey, now: UnixTime) -> Option<Vec<u8>>;
}

/// One tenant's keys, opened.
pub(crate) struct TenantKeys {
    signers: TenantSigners,
    entity: Arc<TenantKey>,
    token: Arc<TenantKey>,
    challenge: Arc<TenantKey>,
    loaded_at: UnixTime,
    statement: Kept,
    key_set: Kept,
}

/// A signed document that is handed out for a while.
#[derive(Default)]
struct Kept(Mutex<Option<(UnixTime, Arc<str>)>>);

impl Kept {
    fn or_sign<E>(
        &self,
        now: UnixTime,
        keep_seconds: u64,
        sign: impl FnOnce() -> Result<String, E>,
    ) -> Result<Arc<str>, E> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((signed_at, document)) = &*kept
            && *signed_at <= now
            && now < signed_at.plus_seconds(keep_seconds)
        {
            return Ok(Arc::clone(document));
        }
        let document: Arc<str> = sign()?.into();
        *kept = Some((now, Arc::clone(&document)));
        Ok(document)
    }
}

impl TenantKeys {
    pub(crate) const fn loaded_at(&self) -> UnixTime {
        self.loaded_at
    }

    /// Signs entity statement and key set.
    pub(crate) fn entity_signer(&self) -> &dyn Signer {
        &*self.entity
    }

    /// Signs ID tokens; with its certificate.
    pub(crate) fn token_key(&self) -> &TenantKey {
        &self.token
    }

    /// Signs challenges.
    pub(crate) fn challenge_signer(&self) -> &dyn Signer {
        &*self.challenge
    }

    fn public(&self, role: KeyRole) -> Vec<Jwk> {
        let jwk = |key: &Arc<TenantKey>| Jwk {
            kid: Some(key.kid().to_owned()),
            key_use: Some(KeyUse::Signature),
            alg: None,
            key: key.public_key().clone(),
            x5c: key.certificates().to_vec(),
        };
        let is_shown = |key: &&Arc<TenantKey>| role != KeyRole::IdToken || is_certified(key);
        self.signers.published(role).filter(is_shown).map(jwk).collect()
    }

    /// Entity keys, for `jwks` of the statement.
    pub(crate) fn entity_keys(&self) -> Vec<Jwk> {
        self.public(KeyRole::EntityStatement)
    }

    /// Entity keys, then token keys: what the signed key set holds.
    pub(crate) fn published(&self) -> Vec<Jwk> {
        let mut keys = self.public(KeyRole::EntityStatement);
        keys.extend(self.public(KeyRole::IdToken));
        keys
    }

    /// Challenge keys, for authenticators.
    pub(crate) fn challenge_keys(&self) -> Vec<Jwk> {
        self.public(KeyRole::Challenge)
    }

    /// The entity statement, signed at most every `keep_seconds`.
    pub(crate) fn statement<E>(
        &self,
        now: UnixTime,
        keep_seconds: u64,
        sign: impl FnOnce() -> Result<String, E>,
    ) -> Result<Arc<str>, E> {
        while_the_module_works(self.entity.is_in_hsm(), || {
            self.statement.or_sign(now, keep_seconds, sign)
        })
    }

    /// The signed key set, likewise.
    pub(crate) fn key_set<E>(
        &self,
        now: UnixTime,
        keep_seconds: u64,
        sign: impl FnOnce() -> Result<String, E>,
    ) -> Result<Arc<str>, E> {
        while_the_module_works(self.entity.is_in_hsm(), || {
            self.key_set.or_sign(now, keep_seconds, sign)
        })
    }
}

/// SHA-256 of the public key as certificates have it, hexadecimal.
fn spki_thumbprint(key: &P256PublicKey) -> String {
    let hash = digest::digest(&digest::SHA256, &key.to_spki_der());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which key an operator moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloverStep {
    /// Make the next key and publish it beside the active one; nothing where there is one already. The Federation Master must know a new entity key 24 hours before it signs.
    Publish,
    /// Sign with the next key from now on; the old one stays published.
    Switch,
    /// Take retired keys out of publication. Not before everything they signed has expired.
    Retire,
}

/// A token key waits for its certificate before anybody hears of it.
fn is_certified(key: &TenantKey) -> bool {
    !key.certificates().is_empty()
}

/// Lets other requests go on while this one waits for the hardware security module. What needs no module costs nothing here.
pub(crate) fn while_the_module_works<T>(in_module: bool, work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let has_other_workers =
        || Handle::try_current().is_ok_and(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread);
    if in_module && has_other_workers() {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

impl Core {
    /// A tenant's keys, made the first time they are needed.
    pub(crate) async fn tenant_keys(&self, tenant: &Arc<Tenant>) -> Result<Arc<TenantKeys>, StepProblem> {
        let now = self.now();
        if let Some(keys) = tenant.kept_keys(now, KEYS_KEPT_SECONDS) {
            return Ok(keys);
        }
        let _turn = tenant.keys_turn().await;
        // Somebody else may have loaded them while we waited.
        if let Some(keys) = tenant.kept_keys(now, KEYS_KEPT_SECONDS) {
            return Ok(keys);
        }
        let keys = Arc::new(self.load_or_make_keys(tenant, now).await?);
        tenant.keep_keys(Arc::clone(&keys));
        Ok(keys)
    }

    async fn load_or_make_keys(&self, tenant: &Tenant, now: UnixTime) -> Result<TenantKeys, StepProblem> {
        let mut signers = self.load_keys(tenant).await?;
        let missing: Vec<KeyRole> = KeyRole::ALL
            .into_iter()
            .filter(|role| signers.active(*role).is_none())
            .collect();
        if !missing.is_empty() {
            self.make_first_keys(tenant, &missing, now).await?;
            signers = self.load_keys(tenant).await?;
        }
        let active = |role| {
            signers
                .active(role)
                .cloned()
                .ok_or_else(|| StepProblem::failed("a tenant has no active signing key"))
        };
        Ok(TenantKeys {
            entity: active(KeyRole::EntityStatement)?,
            token: active(KeyRole::IdToken)?,
            challenge: active(KeyRole::Challenge)?,
            signers,
            loaded_at: now,
            statement: Kept::default(),
            key_set: Kept::default(),
        })
    }

    async fn load_keys(&self, tenant: &Tenant) -> Result<TenantSigners, StepProblem> {
        let rows = self.store.list(Kind::TenantKey, tenant.id(), &[], MAX_LISTED).await?;
        Ok(TenantSigners::open(&self.vault, &rows)?)
    }

    /// Makes the first keys of these roles. Of several instances that begin at once, one makes them; the others find them.
    async fn make_first_keys(&self, tenant: &Tenant, roles: &[KeyRole], now: UnixTime) -> Result<(), StepProblem> {
        let until = now.0 + FIRST_KEYS_SECONDS;
        let nothing = Carried::default();
        let mut changes = vec![self.vault.claim_once(tenant.id(), FIRST_KEYS, until, &nothing)?];
        for role in roles {
            let key = self.new_key(tenant, *role, KeyState::Active, now)?;
            changes.push(self.vault.seal_signing_key(&key, None)?);
        }
        match self.commit_changes(changes).await? {
            Committed::Yes | Committed::Conflict(_) => Ok(()),
        }
    }

    fn new_key(
        &self,
        tenant: &Tenant,
        role: KeyRole,
        state: KeyState,
        now: UnixTime,
    ) -> Result<TenantKey, StepProblem> {
        if role == KeyRole::IdToken && self.token_certificates.is_none() {
            return Err(StepProblem::failed(
                "the token key has no certificate of the TI component PKI (C.FD.SIG): make one with `token-key`, have it certified, and name the \
                 certificate in tenant.token_key; or import a key with its certificate",
            ));
        }
        let mut key = self.generate_key(tenant, role, state, now)?;
        if role == KeyRole::IdToken {
            let certificate = self
                .token_certificates
                .as_ref()
                .and_then(|authority| {
                    let name = &tenant.settings.organization_name;
                    authority.issue(tenant.issuer(), name, key.public_key(), now)
                })
                .ok_or_else(|| StepProblem::failed("the authority does not certify the token key"))?;
            key.set_certificates(vec![certificate])?;
        }
        Ok(key)
    }

    fn generate_key(
        &self,
        tenant: &Tenant,
        role: KeyRole,
        state: KeyState,
        now: UnixTime,
    ) -> Result<TenantKey, StepProblem> {
        let in_module = role.belongs_into_hsm() && self.vault.has_hsm();
        let made = while_the_module_works(in_module, || {
            self.vault.generate_signing_key(tenant.id(), role, state, now)
        });
        Ok(made?)
    }

    /// The public half of a token key that waits for its certificate; made where there is none.
    pub(crate) async fn token_key_to_certify(&self, tenant: &Arc<Tenant>) -> Result<P256PublicKey, StepProblem> {
        let _turn = tenant.keys_turn().await;
        let known = self.load_keys(tenant).await?;
        if let Some(waiting) = known.published(KeyRole::IdToken).find(|key| !is_certified(key)) {
            return Ok(waiting.public_key().clone());
        }
        let key = self.generate_key(tenant, KeyRole::IdToken, KeyState::Next, self.now())?;
        self.keep(vec![self.vault.seal_signing_key(&key, None)?]).await?;
        tenant.forget_keys();
        Ok(key.public_key().clone())
    }

    /// Gives the token key that waits for it its certificate: the first one signs from now on, a further one is published as the next.
    pub(crate) async fn certify_token_key(
        &self,
        tenant: &Arc<Tenant>,
        certificate: Vec<u8>,
    ) -> Result<(), StepProblem> {
        let now = self.now();
        let _turn = tenant.keys_turn().await;
        let known = self.load_keys(tenant).await?;
        let mut keys = known.published(KeyRole::IdToken);
        if keys.any(|key| key.certificates().contains(&certificate)) {
            return Ok(());
        }
        let certified = public_key_thumbprint_hex(&certificate).map_err(StepProblem::invalid)?;
        let waiting = known
            .published(KeyRole::IdToken)
            .find(|key| !is_certified(key) && spki_thumbprint(key.public_key()) == certified)
            .ok_or_else(|| {
                StepProblem::invalid(
                    "no token key waits for a certificate over this public key; `token-key` prints the one that does",
                )
            })?;
        let (mut key, version) = self.stored_key(waiting).await?;
        key.set_certificates(vec![certificate])?;
        if known.active(KeyRole::IdToken).is_none() {
            key.set_state(KeyState::Active, now);
        }
        self.keep(vec![self.vault.seal_signing_key(&key, Some(version))?])
            .await?;
        tenant.forget_keys();
        Ok(())
    }

    /// A key as it is stored, to be changed, and its version.
    async fn stored_key(&self, key: &TenantKey) -> Result<(TenantKey, u64), StepProblem> {
        let absent = || StepProblem::failed("a key without record");
        let at = key.store_key().ok_or_else(absent)?;
        let row = self.store.load(&[at]).await?.into_iter().next().flatten();
        let row = row.ok_or_else(absent)?;
        Ok((self.vault.open_signing_key(&at, &row)?, row.version))
    }

    async fn commit_changes(&self, changes: Vec<SealedChange>) -> Result<Committed, StepProblem> {
        let (conditions, writes): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .map(|change| (change.condition, change.write))
            .unzip();
        self.commit(&conditions, &writes).await
    }

    /// Stores all changes or none.
    async fn keep(&self, changes: Vec<SealedChange>) -> Result<(), StepProblem> {
        match self.commit_changes(changes).await? {
            Committed::Yes => Ok(()),
            Committed::Conflict(_) => Err(StepProblem::Unavailable(
                "somebody else is moving these keys".to_owned(),
            )),
        }
    }

    /// Takes over a token key that was made and certified elsewhere.
    pub(crate) async fn import_token_key(
        &self,
        tenant: &Arc<Tenant>,
        pkcs8: &[u8],
        certificate: Vec<u8>,
    ) -> Result<(), StepProblem> {
        let now = self.now();
        let _turn = tenant.keys_turn().await;
        let known = self.load_keys(tenant).await?;
        if known
            .published(KeyRole::IdToken)
            .any(|key| key.certificates().contains(&certificate))
        {
            return Ok(());
        }
        let state = if known.active(KeyRole::IdToken).is_some() {
            KeyState::Next
        } else {
            KeyState::Active
        };
        let mut key = self
            .vault
            .import_signing_key(tenant.id(), KeyRole::IdToken, state, now, None, pkcs8)?;
        key.set_certificates(vec![certificate])?;
        self.keep(vec![self.vault.seal_signing_key(&key, None)?]).await?;
        tenant.forget_keys();
        Ok(())
    }

    /// Moves a tenant's keys of one role one step.
    pub(crate) async fn roll_over(
        &self,
        tenant: &Arc<Tenant>,
        role: KeyRole,
        step: RolloverStep,
    ) -> Result<(), StepProblem> {
        let now = self.now();
        // Whatever is missing is made first, so that there is something to roll.
        self.tenant_keys(tenant).await?;
        let _turn = tenant.keys_turn().await;
        let changes = match step {
            RolloverStep::Publish => {
                let known = self.load_keys(tenant).await?;
                if known.published(role).any(|key| key.state() == KeyState::Next) {
                    return Ok(());
                }
                let key = self.new_key(tenant, role, KeyState::Next, now)?;
                vec![self.vault.seal_signing_key(&key, None)?]
            }
            RolloverStep::Switch => self.switch(tenant, role, now).await?,
            RolloverStep::Retire => return self.retire(tenant, role).await,
        };
        self.keep(changes).await?;
        tenant.forget_keys();
        tracing::info!(event = "key_rollover", ?role, ?step, "key moved");
        Ok(())
    }

    /// The youngest next key signs, and every other that did retires, in one commit: at no moment are there two.
    async fn switch(&self, tenant: &Tenant, role: KeyRole, now: UnixTime) -> Result<Vec<SealedChange>, StepProblem> {
        let signers = self.load_keys(tenant).await?;
        let next = signers
            .published(role)
            .filter(|key| key.state() == KeyState::Next && (role != KeyRole::IdToken || is_certified(key)))
            .max_by_key(|key| key.created_at())
            .ok_or_else(|| StepProblem::invalid("no next key is published; publish one first"))?;
        let mut changes = Vec::new();
        for key in signers.published(role) {
            let state = match key.state() {
                KeyState::Next if key.kid() == next.kid() => KeyState::Active,
                KeyState::Active => KeyState::Retired,
                KeyState::Next | KeyState::Retired => continue,
            };
            let (mut key, version) = self.stored_key(key).await?;
            key.set_state(state, now);
            changes.push(self.vault.seal_signing_key(&key, Some(version))?);
        }
        Ok(changes)
    }

    async fn retire(&self, tenant: &Tenant, role: KeyRole) -> Result<(), StepProblem> {
        let signers = self.load_keys(tenant).await?;
        let retired = || signers.published(role).filter(|key| key.state() == KeyState::Retired);
        let deletions: Vec<Write> = retired().filter_map(|key| key.store_key().map(Write::Delete)).collect();
        for key in retired() {
            match while_the_module_works(key.is_in_hsm(), || self.vault.destroy_signing_key(key)) {
                // Gone already, when a retirement was interrupted before its records were deleted.
                Ok(()) | Err(vault::SealError::Hsm(vault::hsm::HsmError::KeyAbsent)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.commit(&[], &deletions).await?;
        tenant.forget_keys();
        tracing::info!(event = "key_rollover", ?role, step = ?RolloverStep::Retire, "key moved");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{sync::mpsc::channel, time::Duration};

    use super::while_the_module_works;

    #[test]
    fn one_worker_goes_on_while_a_request_waits_for_the_module() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let (answer, answered) = channel();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let waiting = runtime.spawn(async move {
            while_the_module_works(true, || {
                begun.send(()).unwrap();
                answered.recv_timeout(Duration::from_secs(20))
            })
        });
        // On the same worker: it runs only if that is not blocked.
        runtime.spawn(async move {
            has_begun.await.unwrap();
            answer.send(7).unwrap();
        });
        assert_eq!(runtime.block_on(waiting).unwrap(), Ok(7));
    }

    #[test]
    fn where_there_is_no_other_worker_it_is_asked_all_the_same() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(async { while_the_module_works(true, || 7) }), 7);
        assert_eq!(while_the_module_works(true, || 7), 7);
        assert_eq!(while_the_module_works(false, || 7), 7);
    }
}
