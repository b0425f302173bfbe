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
use transport::{AddressRule, ClientCertificates, Fetcher, Roots, ServerIdentities, ServerTls, TlsIdentity};
use vault::Vault;

use super::{Cards, Config, FederationMaster, LockName, TenantConfig, VaultConfig};
use crate::{
    Provider, ProviderError, ProviderParts, TenantSettings, certificates::Watch, clock::SystemClock, rng::SystemRng,
};

/// Largest file the configuration names, in bytes: a bundle of TLS roots.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

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
    /// What guards the keys.
    pub lock_name: &'static str,
}

fn value<E: std::fmt::Display>(member: &'static str) -> impl Fn(E) -> LoadError {
    move |reason| LoadError::Value {
        member,
        reason: reason.to_string(),
    }
}

fn read(member: &'static str, path: &Path) -> Result<Vec<u8>, LoadError> {
    let file = |reason: String| LoadError::File {
        member,
        path: path.to_owned(),
        reason,
    };
    let length = std::fs::metadata(path).map_err(|error| file(error.to_string()))?.len();
    if length > MAX_FILE_BYTES {
        return Err(file(format!("larger than {MAX_FILE_BYTES} bytes")));
    }
    std::fs::read(path).map_err(|error| file(error.to_string()))
}

impl Config {
    /// Reads every file, opens the store, puts the provider together and takes over configured token keys.
    ///
    /// # Errors
    /// [`LoadError`], the first defect.
    pub async fn load(&self) -> Result<Loaded, LoadError> {
        let card_trust = Arc::new(card_trust(&self.cards)?);
        let vault = Arc::new(open_vault(&self.vault)?);
        let lock_name = vault.lock_name();
        let (anchor, roots) = trust_anchor(&self.federation_master)?;
        let fetcher = Fetcher::new(&roots, AddressRule::PublicOnly).map_err(value("federation_master.tls_roots"))?;
        let store = SqliteStore::open(&self.store.path).map_err(|error| LoadError::File {
            member: "store.path",
            path: self.store.path.clone(),
            reason: error.to_string(),
        })?;
        let register = self.open_register()?;
        let watch = self.watch()?;
        let tenants = self
            .tenant
            .iter()
            .map(|tenant| settings(tenant, &card_trust, &anchor))
            .collect::<Result<Vec<_>, _>>()?;
        let provider = Provider::new(ProviderParts {
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
            store: Arc::new(store),
            register: Arc::new(register),
            limits: self.limits,
            vault,
            fetch: Arc::new(fetcher),
            anchors: vec![anchor],
            schemes: Schemes::HttpsOnly,
            tenants,
            token_certificates: None,
            invented_people: false,
        })?;
        for tenant in &self.tenant {
            if let Some(key) = &tenant.token_key {
                let pkcs8 = read("tenant.token_key.pkcs8", &key.pkcs8)?;
                let certificate = read("tenant.token_key.certificate", &key.certificate)?;
                provider.import_token_key(&tenant.issuer, &pkcs8, certificate).await?;
            }
        }
        Ok(Loaded {
            provider,
            public_tls: self.server_tls(ClientCertificates::None)?,
            mtls_tls: self.server_tls(ClientCertificates::RequestAny)?,
            watch,
            lock_name,
        })
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

fn open_vault(config: &VaultConfig) -> Result<Vault, LoadError> {
    let LockName::Development = config.lock;
    let text = read("vault.seed", &config.seed)?;
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
    anchor: &TrustAnchor,
) -> Result<TenantSettings, LoadError> {
    tenant.policy.check().map_err(|reason| LoadError::Policy {
        issuer: tenant.issuer.clone(),
        reason,
    })?;
    federation::metadata::check_organization_name(&tenant.organization_name)
        .map_err(value("tenant.organization_name"))?;
    Ok(TenantSettings {
        issuer: tenant.issuer.clone(),
        iks: tenant.iks.iter().map(|ik| ik.0).collect(),
        organization_name: tenant.organization_name.clone(),
        logo: Bytes::from(read("tenant.logo", &tenant.logo)?),
        browser_base: tenant.browser_base.clone().unwrap_or_else(|| tenant.issuer.clone()),
        mtls_base: tenant.mtls_base.clone(),
        authenticator_url: tenant.authenticator_url.clone(),
        contacts: tenant.contacts.clone(),
        policy: tenant.policy.clone(),
        card_trust: Arc::clone(card_trust),
        authority_hints: vec![anchor.entity_id.as_str().to_owned()],
    })
}
