//! From configuration to a provider: reads every file it names, so that a check does all that serving does before it listens.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use authenticator::{health_card::CardTrust, policy::PolicyError};
use axum::body::Bytes;
use federation::{EntityId, Schemes, chain::TrustAnchor};
use jose::{json, jwk::JwkSet};
use store_sqlite::{FileRegister, SqliteStore};
use thiserror::Error;
use transport::{
    AddressRule, ClientCertificates, Fetcher, Roots, ServerIdentities, ServerTls, TlsIdentity,
    public_key_thumbprint_hex,
};
use vault::{
    Vault,
    hsm::{Hsm, HsmAccess, HsmError, Pin, WrappedHalf},
};
use zeroize::Zeroizing;

use super::{
    Cards, Config, FederationMaster, HsmConfig, Lock, LockName, TenantConfig, UnreadableFile,
    evidence::INTERVAL_SECONDS, files::read,
};
use crate::{
    LimitSettings, Provider, ProviderError, ProviderParts, PushService, TenantSettings,
    certificates::Watch,
    clock::{Clock, SystemClock},
    devices::{DeviceAttestation, DeviceTrust},
    instance::{Instance, InstanceError},
    provisioning::advice,
    rng::SystemRng,
};

/// Why a configuration cannot be served.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A file it names cannot be read.
    #[error("{member} ({path}): {reason}")]
    File {
        /// Which key names it.
        member: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A value is not acceptable.
    #[error("{member}: {reason}")]
    Value {
        /// Which key.
        member: &'static str,
        /// Why.
        reason: String,
    },
    /// An insurer's policy.
    #[error("policy of '{issuer}': {reason}")]
    Policy {
        /// Whose.
        issuer: String,
        /// Why.
        reason: PolicyError,
    },
    /// The provider does not accept it.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Nothing vouches for this instance, or its manifest does not hold.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The hardware security module.
    #[error("vault.hsm: {0} [{code}]. {advice}", code = .0.code(), advice = advice(*.0))]
    Hsm(HsmError),
}

impl From<UnreadableFile> for LoadError {
    fn from(file: UnreadableFile) -> Self {
        let UnreadableFile { member, path, reason } = file;
        Self::File { member, path, reason }
    }
}

/// Everything that needs no key.
pub struct Prepared {
    /// TLS of the public address.
    pub public_tls: ServerTls,
    /// TLS of the address that asks for client certificates.
    pub mtls_tls: ServerTls,
    /// The watch over logged certificates, with the one in use.
    pub watch: Option<(Watch, Vec<u8>)>,
    /// SHA-256 of the TLS key's SubjectPublicKeyInfo: quotes commit to it.
    pub tls_key_sha256: [u8; 32],
    token_keys: Vec<ConfiguredTokenKey>,
    limits: LimitSettings,
    anchor: TrustAnchor,
    fetcher: Fetcher,
    push: Option<PushService>,
    store: SqliteStore,
    register: FileRegister,
    tenants: Vec<TenantSettings>,
}

/// A token key's certificate, with the key where it was made elsewhere.
struct ConfiguredTokenKey {
    issuer: String,
    pkcs8: Option<Zeroizing<Vec<u8>>>,
    certificate: Vec<u8>,
}

impl Prepared {
    /// Puts the provider together and takes over configured token keys.
    ///
    /// # Errors
    /// [`LoadError::Provider`].
    pub async fn with_vault(self, vault: Vault) -> Result<Loaded, LoadError> {
        let lock_name = vault.lock_name();
        let provider = Provider::new(ProviderParts {
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
            store: Arc::new(self.store),
            register: Arc::new(self.register),
            limits: self.limits,
            vault: Arc::new(vault),
            fetch: Arc::new(self.fetcher),
            anchors: vec![self.anchor],
            schemes: Schemes::HttpsOnly,
            tenants: self.tenants,
            token_certificates: None,
            push: self.push,
            invented_people: false,
        })?;
        Ok(Loaded {
            provider,
            public_tls: self.public_tls,
            mtls_tls: self.mtls_tls,
            watch: self.watch,
            tls_key_sha256: self.tls_key_sha256,
            lock_name,
            token_keys: self.token_keys,
        })
    }
}

impl Loaded {
    /// Takes over configured token keys and certificates.
    ///
    /// # Errors
    /// [`LoadError::Provider`].
    pub async fn take_token_keys(&mut self) -> Result<(), LoadError> {
        for key in std::mem::take(&mut self.token_keys) {
            match key.pkcs8 {
                Some(pkcs8) => {
                    let taken = self.provider.import_token_key(&key.issuer, &pkcs8, key.certificate);
                    taken.await?;
                }
                None => self.provider.certify_token_key(&key.issuer, key.certificate).await?,
            }
        }
        Ok(())
    }
}

/// Ready to listen.
pub struct Loaded {
    /// The provider.
    pub provider: Provider,
    /// TLS of the public address.
    pub public_tls: ServerTls,
    /// TLS of the address that asks for client certificates.
    pub mtls_tls: ServerTls,
    /// The watch over logged certificates, with the one in use.
    pub watch: Option<(Watch, Vec<u8>)>,
    /// SHA-256 of the TLS key's SubjectPublicKeyInfo: quotes commit to it.
    pub tls_key_sha256: [u8; 32],
    /// What guards the keys.
    pub lock_name: &'static str,
    token_keys: Vec<ConfiguredTokenKey>,
}

fn value<E: std::fmt::Display>(member: &'static str) -> impl Fn(E) -> LoadError {
    move |reason| LoadError::Value {
        member,
        reason: reason.to_string(),
    }
}

impl Config {
    /// Reads every file and opens the store: everything that needs no key.
    ///
    /// # Errors
    /// [`LoadError`], the first defect.
    pub fn prepare(&self) -> Result<Prepared, LoadError> {
        self.check_card_terminals()?;
        let card_trust = Arc::new(card_trust(&self.cards)?);
        let (anchor, roots) = trust_anchor(&self.federation_master)?;
        let fetcher = Fetcher::new(&roots, AddressRule::PublicOnly).map_err(value("federation_master.tls_roots"))?;
        let store = SqliteStore::open(&self.store.path).map_err(|error| LoadError::File {
            member: "store.path",
            path: self.store.path.clone(),
            reason: error.to_string(),
        })?;
        let register = self.open_register()?;
        let watch = self.watch()?;
        let device_trust = self.device_trust()?;
        let tenants = self
            .tenant
            .iter()
            .map(|tenant| settings(tenant, &card_trust, device_trust.as_ref(), &anchor))
            .collect::<Result<Vec<_>, _>>()?;
        let token_keys = self.tenant.iter().map(|tenant| self.token_key(tenant));
        Ok(Prepared {
            token_keys: token_keys
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect(),
            public_tls: self.server_tls(ClientCertificates::None)?,
            mtls_tls: self.server_tls(ClientCertificates::RequestAny)?,
            tls_key_sha256: tls_key_sha256(&self.tls_identity()?)?,
            limits: self.limits,
            anchor,
            fetcher,
            push: self.push_service()?,
            store,
            register,
            watch,
            tenants,
        })
    }

    /// A virtual card terminal sees PINs and speaks for cards: where people are real, there is none.
    pub(super) fn check_card_terminals(&self) -> Result<(), LoadError> {
        let has_terminal = |tenant: &TenantConfig| {
            tenant
                .wallet
                .as_ref()
                .is_some_and(|wallet| wallet.card_terminal.is_some())
        };
        match self.lock()? {
            Lock::QuorumAndHsm { .. } if self.tenant.iter().any(has_terminal) => {
                Err(value("tenant.wallet.card_terminal")(
                    "only under the lock 'development': a virtual card terminal is for invented people",
                ))
            }
            _ => Ok(()),
        }
    }

    /// The vault under the lock `development`.
    ///
    /// # Errors
    /// [`LoadError`]; under another lock keys come from elsewhere ([`crate::provisioning`]).
    pub fn development_vault(&self) -> Result<Vault, LoadError> {
        match self.lock()? {
            Lock::Development(seed) => self.generations.applied_to(development_vault(seed)?),
            Lock::QuorumAndHsm { .. } => Err(value("vault.lock")("under 'quorum+hsm' there is no seed to read")),
        }
    }

    /// What guards the root.
    ///
    /// # Errors
    /// [`LoadError::Value`].
    pub fn lock(&self) -> Result<Lock<'_>, LoadError> {
        self.vault
            .check()
            .map_err(|(member, reason)| LoadError::Value { member, reason })
    }

    /// This process as an instance, where something is to vouch for it.
    ///
    /// # Errors
    /// [`LoadError::Instance`]; [`LoadError::Value`] if the lock needs evidence and none is configured.
    pub fn instance(&self) -> Result<Option<Instance>, LoadError> {
        let Some(evidence) = &self.evidence else {
            return match self.lock()? {
                Lock::Development(_) => Ok(None),
                Lock::QuorumAndHsm { .. } => Err(value("evidence")(
                    "missing: under the lock 'quorum+hsm' keys come to attested instances only",
                )),
            };
        };
        if !INTERVAL_SECONDS.contains(&evidence.interval_seconds) {
            let (least, most) = (INTERVAL_SECONDS.start(), INTERVAL_SECONDS.end());
            let expected = format!("expected {least} to {most}");
            return Err(value("evidence.interval_seconds")(expected));
        }
        Ok(Some(Instance::open(evidence, SystemClock.now())?))
    }

    /// The hardware security module, reached and logged in. Blocks.
    ///
    /// # Errors
    /// [`LoadError::Hsm`].
    pub fn open_hsm(&self, config: &HsmConfig) -> Result<Arc<Hsm>, LoadError> {
        let pin = Zeroizing::new(read("vault.hsm.pin_file", &config.pin_file)?);
        let hsm = Hsm::new(HsmAccess {
            module: config.module.clone(),
            token_label: config.token.clone(),
            pin: Pin::parse(&pin).map_err(value("vault.hsm.pin_file"))?,
            sessions: config.sessions,
            limit: config.limit(),
        });
        hsm.check().map_err(LoadError::Hsm)?;
        Ok(Arc::new(hsm))
    }

    /// This site's wrapped half.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn wrapped_half(&self) -> Result<WrappedHalf, LoadError> {
        let member = "vault.wrapped_half";
        let beside = self.vault.genesis.as_ref().map(|genesis| genesis.join("hsm-half"));
        let path = self.vault.wrapped_half.clone().or(beside);
        let path = path.ok_or_else(|| value(member)("missing: a root instance unwraps its half of the root"))?;
        WrappedHalf::parse(&read(member, &path)?).map_err(value(member))
    }

    fn token_key(&self, tenant: &TenantConfig) -> Result<Option<ConfiguredTokenKey>, LoadError> {
        let Some(key) = &tenant.token_key else {
            return Ok(None);
        };
        if key.pkcs8.is_some() && self.vault.lock == LockName::QuorumAndHsm {
            return Err(value("tenant.token_key.pkcs8")(
                "under the lock 'quorum+hsm' token keys are made in the hardware security module: make one with `token-key`, and name its certificate only",
            ));
        }
        let pkcs8 = key.pkcs8.as_ref().map(|path| read("tenant.token_key.pkcs8", path));
        Ok(Some(ConfiguredTokenKey {
            issuer: tenant.issuer.clone(),
            pkcs8: pkcs8.transpose()?.map(Zeroizing::new),
            certificate: read("tenant.token_key.certificate", &key.certificate)?,
        }))
    }

    /// Whom to believe about phones.
    fn device_trust(&self) -> Result<Option<Arc<DeviceTrust>>, LoadError> {
        let Some(config) = &self.attestation else {
            return Ok(None);
        };
        let roots = |member, paths: &[PathBuf]| -> Result<Vec<Vec<u8>>, LoadError> {
            let roots = paths.iter().map(|path| Ok(read(member, path)?));
            roots.collect()
        };
        let android = roots("attestation.android_roots", &config.android_roots)?;
        let apple = roots("attestation.apple_roots", &config.apple_roots)?;
        let trust = DeviceTrust::new(&android, &apple, Some(config.status_list.clone()));
        Ok(Some(Arc::new(trust.map_err(value("attestation"))?)))
    }

    /// Beside the database it would be put back together with it.
    fn open_register(&self) -> Result<FileRegister, LoadError> {
        let member = "freshness.directory";
        let directory = &self.freshness.directory;
        let register = FileRegister::open(directory).map_err(value(member))?;
        let resolved = |path: &Path| {
            let path = if path.as_os_str().is_empty() {
                Path::new(".")
            } else {
                path
            };
            path.canonicalize().map_err(|error| LoadError::File {
                member,
                path: path.to_owned(),
                reason: error.to_string(),
            })
        };
        let database = resolved(self.store.path.parent().unwrap_or(Path::new(".")))?;
        if resolved(directory)?.starts_with(&database) {
            return Err(value(member)(
                "must not lie in the database's directory: it would be put back together with it",
            ));
        }
        Ok(register)
    }

    fn push_service(&self) -> Result<Option<PushService>, LoadError> {
        let Some(config) = &self.push else { return Ok(None) };
        let mut roots = Roots::none();
        for path in &config.tls_roots {
            let pem = read("push.tls_roots", path)?;
            roots.add_pem(&pem).map_err(value("push.tls_roots"))?;
        }
        let service = PushService::new(&config.hosts, &config.contact, &roots, AddressRule::PublicOnly);
        service.map(Some).map_err(value("push"))
    }

    /// A key that is not registered is refused here, before it is used.
    fn watch(&self) -> Result<Option<(Watch, Vec<u8>)>, LoadError> {
        let Some(config) = &self.certificates else {
            return Ok(None);
        };
        let own = self.tls_identity()?.certificate();
        let watch = Watch::new(config, &own).map_err(value("certificates"))?;
        Ok(Some((watch, own)))
    }

    fn tls_identity(&self) -> Result<TlsIdentity, LoadError> {
        let chain = read("tls.certificate", &self.tls.certificate)?;
        let key = read("tls.key", &self.tls.key)?;
        TlsIdentity::from_pem(&chain, &key).map_err(value("tls"))
    }

    fn server_tls(&self, clients: ClientCertificates) -> Result<ServerTls, LoadError> {
        ServerTls::new(ServerIdentities::single(self.tls_identity()?), clients).map_err(value("tls"))
    }
}

fn card_trust(cards: &Cards) -> Result<CardTrust, LoadError> {
    let mut trust = CardTrust::new();
    for authority in &cards.authority {
        let certificate = read("cards.authority.certificate", &authority.certificate)?;
        trust
            .add_authority(&certificate, authority.rules)
            .map_err(value("cards.authority.certificate"))?;
    }
    for path in &cards.crls {
        trust.add_crl(&read("cards.crls", path)?).map_err(value("cards.crls"))?;
    }
    for card in &cards.revoked {
        trust.revoke(card).map_err(value("cards.revoked"))?;
    }
    Ok(trust)
}

/// An insurer's demands on phones, held against its device classes.
fn device_attestation(
    tenant: &TenantConfig,
    trust: Option<&Arc<DeviceTrust>>,
) -> Result<Option<DeviceAttestation>, LoadError> {
    let Some(policy) = &tenant.attestation else {
        return Ok(None);
    };
    policy.check(&tenant.policy).map_err(value("tenant.attestation"))?;
    let trust = trust.ok_or_else(|| {
        value("attestation")("missing: tenant.attestation needs to know whom to believe about phones")
    })?;
    Ok(Some(DeviceAttestation {
        policy: policy.clone(),
        trust: Arc::clone(trust),
    }))
}

fn development_vault(seed: &Path) -> Result<Vault, LoadError> {
    let text = Zeroizing::new(read("vault.seed", seed)?);
    let text = std::str::from_utf8(&text).map(str::trim).unwrap_or_default();
    let digits = || value::<&str>("vault.seed")("expected 64 hexadecimal digits");
    if text.len() != 64 || !text.is_ascii() {
        return Err(digits());
    }
    let mut seed = [0; 32];
    for (at, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| digits())?;
    }
    Ok(Vault::development(seed))
}

/// Every TLS identity of this configuration has the same key.
fn tls_key_sha256(identity: &TlsIdentity) -> Result<[u8; 32], LoadError> {
    let hex = public_key_thumbprint_hex(&identity.certificate()).map_err(value("tls.certificate"))?;
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        let digits = hex.get(2 * at..2 * at + 2).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).map_err(value("tls.certificate"))?;
    }
    Ok(hash)
}

fn trust_anchor(config: &FederationMaster) -> Result<(TrustAnchor, Roots), LoadError> {
    let entity_id =
        EntityId::parse(&config.entity_id, Schemes::HttpsOnly).map_err(value("federation_master.entity_id"))?;
    let keys = read("federation_master.keys", &config.keys)?;
    let keys = json::parse(&keys, &json::DEFAULT).map_err(value("federation_master.keys"))?;
    let keys = JwkSet::from_value(&keys).map_err(value("federation_master.keys"))?;
    let mut roots = Roots::none();
    for path in &config.tls_roots {
        let pem = read("federation_master.tls_roots", path)?;
        roots.add_pem(&pem).map_err(value("federation_master.tls_roots"))?;
    }
    Ok((TrustAnchor { entity_id, keys }, roots))
}

fn settings(
    tenant: &TenantConfig,
    card_trust: &Arc<CardTrust>,
    device_trust: Option<&Arc<DeviceTrust>>,
    anchor: &TrustAnchor,
) -> Result<TenantSettings, LoadError> {
    tenant.policy.check().map_err(|reason| LoadError::Policy {
        issuer: tenant.issuer.clone(),
        reason,
    })?;
    federation::metadata::check_organization_name(&tenant.organization_name)
        .map_err(value("tenant.organization_name"))?;
    let browser_base = tenant.browser_base.clone().unwrap_or_else(|| tenant.issuer.clone());
    if let Some(wallet) = &tenant.wallet {
        wallet.check().map_err(value("tenant.wallet"))?;
    }
    // An insurer with a web wallet and no app of its own sends people to the wallet.
    let own_wallet = || tenant.wallet.as_ref().map(|_| format!("{browser_base}/wallet/"));
    Ok(TenantSettings {
        issuer: tenant.issuer.clone(),
        iks: tenant.iks.iter().map(|ik| ik.0).collect(),
        organization_name: tenant.organization_name.clone(),
        logo: Bytes::from(read("tenant.logo", &tenant.logo)?),
        mtls_base: tenant.mtls_base.clone(),
        authenticator_url: tenant.authenticator_url.clone().or_else(own_wallet),
        wallet: tenant.wallet.clone(),
        browser_base,
        contacts: tenant.contacts.clone(),
        apps: tenant.apps.clone(),
        policy: tenant.policy.clone(),
        attestation: device_attestation(tenant, device_trust)?,
        card_trust: Arc::clone(card_trust),
        authority_hints: vec![anchor.entity_id.as_str().to_owned()],
    })
}
