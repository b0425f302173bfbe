//! Key rollover of everybody in the sandbox, step by step: what `healthid rehearse rollover` drives while logins run.

use std::sync::{Arc, Mutex, PoisonError};

use fedmaster::registration::{ParticipantType, RegistrationForm, TlsKeyForm};
use fedmaster::{Clock, FederationMaster};
use jose::SoftwareKey;
use jose::jwk::JwkSet;
use provider::Provider;
use relying_party::client::KeyPurpose;
use relying_party::demo::DemoService;
use serde::{Deserialize, Serialize};
use transport::TlsIdentity;
use vault::KeyRole;

use crate::addresses::Addresses;
use crate::data::DataDir;
use crate::insurers::Insurer;
use crate::pki::{KeyAndCertificate, TlsAuthority};
use crate::service_keys;
use crate::services::Service;

/// Which key is rolled over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloverKey {
    /// An insurer's entity key.
    Entity,
    /// An insurer's token-signing key.
    Token,
    /// The provider's TLS key.
    Tls,
    /// A service's TLS client certificate.
    ServiceCertificate,
    /// A service's encryption key.
    ServiceEncryption,
}

impl RolloverKey {
    /// All.
    pub const ALL: [Self; 5] = [
        Self::Entity,
        Self::Token,
        Self::Tls,
        Self::ServiceCertificate,
        Self::ServiceEncryption,
    ];

    /// The word on the command line and in addresses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Token => "token",
            Self::Tls => "tls",
            Self::ServiceCertificate => "service-certificate",
            Self::ServiceEncryption => "service-encryption",
        }
    }
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloverStep {
    /// Make the next key and make it known.
    Publish,
    /// Use it.
    Switch,
    /// Make the old one known no longer.
    Retire,
}

impl RolloverStep {
    /// In order.
    pub const ALL: [Self; 3] = [Self::Publish, Self::Switch, Self::Retire];

    /// The word in addresses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Switch => "switch",
            Self::Retire => "retire",
        }
    }
}

/// Why a step was not made.
#[derive(Debug, thiserror::Error)]
pub enum RolloverError {
    /// Nobody of this name has such a key.
    #[error("nobody called {0:?} has this key")]
    Unknown(String),
    /// There is nothing to switch to.
    #[error("no next key is published; publish one first")]
    NoNext,
    /// The provider.
    #[error(transparent)]
    Provider(#[from] provider::ProviderError),
    /// The Federation Master.
    #[error(transparent)]
    Registration(#[from] fedmaster::RegisterError),
    /// The service.
    #[error(transparent)]
    Service(#[from] relying_party::client::KeyRingError),
    /// The service's key file.
    #[error(transparent)]
    ServiceKeys(#[from] service_keys::ServiceKeysError),
    /// A certificate.
    #[error(transparent)]
    Pki(#[from] crate::pki::PkiError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] transport::TlsError),
    /// A key.
    #[error(transparent)]
    Key(#[from] jose::KeyError),
}

/// A TLS key with its certificate, as registered.
pub(crate) struct TlsKey {
    pub(crate) key: KeyAndCertificate,
    pub(crate) public_pem: String,
}

impl TlsKey {
    pub(crate) fn new(key: KeyAndCertificate) -> Result<Self, RolloverError> {
        let public = SoftwareKey::from_pkcs8_der("tls", &key.key_pkcs8)?
            .public_key()
            .to_spki_der();
        Ok(Self {
            key,
            public_pem: crate::pem::encode("PUBLIC KEY", &public),
        })
    }
}

struct ProviderTls {
    current: TlsKey,
    next: Option<TlsKey>,
    previous: Option<String>,
}

/// Everybody whose keys can be rolled over.
pub(crate) struct Rollovers {
    pub(crate) provider: Provider,
    pub(crate) master: FederationMaster,
    pub(crate) services: [(Service, DemoService); 2],
    pub(crate) addresses: Addresses,
    pub(crate) identity: TlsIdentity,
    pub(crate) authority: Arc<TlsAuthority>,
    pub(crate) host_names: Vec<String>,
    pub(crate) data: Arc<DataDir>,
    pub(crate) clock: Clock,
    tls: Mutex<ProviderTls>,
}

impl Rollovers {
    #[expect(clippy::too_many_arguments, reason = "made in one place, of everything there is")]
    pub(crate) fn new(
        provider: Provider,
        master: FederationMaster,
        services: [(Service, DemoService); 2],
        addresses: Addresses,
        identity: TlsIdentity,
        current: TlsKey,
        authority: Arc<TlsAuthority>,
        host_names: Vec<String>,
        data: Arc<DataDir>,
        clock: Clock,
    ) -> Self {
        let tls = ProviderTls {
            current,
            next: None,
            previous: None,
        };
        Self {
            provider,
            master,
            services,
            addresses,
            identity,
            authority,
            host_names,
            data,
            clock,
            tls: Mutex::new(tls),
        }
    }

    /// One step for the key of an insurer (`leuchtturm`), of the provider (`provider`) or of a service (`record`).
    pub(crate) async fn step(&self, key: RolloverKey, of: &str, step: RolloverStep) -> Result<(), RolloverError> {
        let unknown = || RolloverError::Unknown(of.to_owned());
        match key {
            RolloverKey::Entity | RolloverKey::Token => {
                let insurer = Insurer::parse(of).ok_or_else(unknown)?;
                let role = if key == RolloverKey::Entity {
                    KeyRole::EntityStatement
                } else {
                    KeyRole::IdToken
                };
                let issuer = &self.addresses.insurer(insurer).issuer;
                let step = match step {
                    RolloverStep::Publish => provider::RolloverStep::Publish,
                    RolloverStep::Switch => provider::RolloverStep::Switch,
                    RolloverStep::Retire => provider::RolloverStep::Retire,
                };
                self.provider.roll_over(issuer, role, step).await?;
                self.register_insurers().await
            }
            RolloverKey::Tls => {
                self.step_tls(step)?;
                self.register_insurers().await
            }
            RolloverKey::ServiceCertificate | RolloverKey::ServiceEncryption => {
                let (service, demo) = self
                    .services
                    .iter()
                    .find(|(service, _)| service.word() == of)
                    .ok_or_else(unknown)?;
                let purpose = if key == RolloverKey::ServiceCertificate {
                    KeyPurpose::Tls
                } else {
                    KeyPurpose::Encryption
                };
                let step = match step {
                    RolloverStep::Publish => relying_party::demo::RolloverStep::Add,
                    RolloverStep::Switch => relying_party::demo::RolloverStep::Switch,
                    RolloverStep::Retire => relying_party::demo::RolloverStep::Retire,
                };
                demo.roll_over(purpose, step)?;
                service_keys::keep(&self.data, *service, demo.party().keys(), (self.clock)())?;
                Ok(())
            }
        }
    }

    fn step_tls(&self, step: RolloverStep) -> Result<(), RolloverError> {
        let mut tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        match step {
            RolloverStep::Publish => {
                let names: Vec<&str> = self.host_names.iter().map(String::as_str).collect();
                let key = self
                    .authority
                    .issue_server(&names, &crate::sandbox::LOOPBACK, (self.clock)())?;
                tls.next = Some(TlsKey::new(key)?);
            }
            RolloverStep::Switch => {
                let next = tls.next.take().ok_or(RolloverError::NoNext)?;
                self.identity
                    .replace(std::slice::from_ref(&next.key.certificate), &next.key.key_pkcs8)?;
                let previous = std::mem::replace(&mut tls.current, next);
                tls.previous = Some(previous.public_pem);
            }
            RolloverStep::Retire => tls.previous = None,
        }
        Ok(())
    }

    /// Hands the insurers' registrations in, with their keys as they are now.
    pub(crate) async fn register_insurers(&self) -> Result<(), RolloverError> {
        let mut forms = Vec::new();
        for insurer in Insurer::ALL {
            let issuer = &self.addresses.insurer(insurer).issuer;
            let keys = self.provider.entity_keys(issuer).await?;
            forms.push(self.form(insurer, keys));
        }
        let master = self.master.clone();
        // Registering waits for the disk.
        let outcome = tokio::task::spawn_blocking(move || master.register_all(forms)).await;
        outcome.unwrap_or_else(|_| Err(fedmaster::RegisterError::Refused(Vec::new())))?;
        Ok(())
    }

    fn form(&self, insurer: Insurer, keys: Vec<jose::jwk::Jwk>) -> RegistrationForm {
        let addresses = self.addresses.insurer(insurer);
        let mut form = RegistrationForm::new(&addresses.issuer, ParticipantType::IdentityProvider, insurer.name());
        form.keys = Some(JwkSet::new(keys));
        form.logo_uri = Some(format!("{}/logo.svg", addresses.issuer));
        form.user_type_supported = Some("IP".to_owned());
        form.contact_email = Some(insurer.contact().to_owned());
        let tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        let pems = [
            Some(&tls.current.public_pem),
            tls.next.as_ref().map(|key| &key.public_pem),
            tls.previous.as_ref(),
        ];
        let hosts: std::collections::BTreeSet<String> = [&addresses.issuer, &addresses.mtls]
            .into_iter()
            .filter_map(|url| Some(url::Url::parse(url).ok()?.host_str()?.to_owned()))
            .collect();
        form.tls_keys = Some(
            hosts
                .iter()
                .flat_map(|host| {
                    pems.iter().flatten().map(|pem| TlsKeyForm {
                        domain: host.clone(),
                        public_key: (*pem).clone(),
                    })
                })
                .collect(),
        );
        form
    }
}
