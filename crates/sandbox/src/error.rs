//! Why a sandbox does not start.

use std::net::SocketAddr;

use crate::cards::CardsError;
use crate::data::DataError;
use crate::pki::PkiError;
use crate::rollover::RolloverError;
use crate::service_keys::ServiceKeysError;

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken.
    #[error("{address}: {error}; another sandbox may be running, try --port-base")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// The port base leaves no room.
    #[error("--port-base must leave room for nine ports, expected 0 or at most 65526")]
    PortBase,
    /// The domain is no name.
    #[error("--domain must be a DNS name of lower-case letters, digits, hyphens and dots")]
    Domain,
    /// A domain needs certificates.
    #[error("--domain needs --https")]
    DomainNeedsHttps,
    /// Plain pages stay on this machine.
    #[error("--listen on another address than 127.0.0.1 needs --https")]
    ListenNeedsHttps,
    /// The data directory.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The freshness register in it.
    #[error(transparent)]
    Freshness(#[from] store::register::RegisterError),
    /// The cards.
    #[error(transparent)]
    Cards(#[from] CardsError),
    /// The authorities.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] transport::TlsError),
    /// A listener.
    #[error(transparent)]
    Server(#[from] transport::ServerError),
    /// The database.
    #[error("database: {0}")]
    Store(#[from] store::StoreError),
    /// An entity identifier.
    #[error(transparent)]
    EntityId(#[from] federation::EntityIdError),
    /// The Federation Master's keys.
    #[error(transparent)]
    MasterKeys(#[from] fedmaster::KeyDirectoryError),
    /// The Federation Master's registry.
    #[error(transparent)]
    Registry(#[from] fedmaster::RegistryError),
    /// A registration.
    #[error(transparent)]
    Register(#[from] fedmaster::RegisterError),
    /// What the sandbox shows of itself.
    #[error(transparent)]
    Evidence(#[from] crate::attestation::EvidenceError),
    /// The push services.
    #[error("--push-host: {0}")]
    Push(#[from] provider::PushSettingsError),
    /// The provider.
    #[error(transparent)]
    Provider(#[from] provider::ProviderError),
    /// The authentication policy.
    #[error(transparent)]
    Policy(authenticator::policy::PolicyError),
    /// A service's keys.
    #[error(transparent)]
    ServiceKeys(#[from] ServiceKeysError),
    /// A service's place in the federation.
    #[error(transparent)]
    Party(#[from] relying_party::client::NewPartyError),
    /// A service's pages.
    #[error(transparent)]
    Demo(#[from] relying_party::demo::DemoServiceError),
    /// The insurers' keys or registrations.
    #[error(transparent)]
    Rollover(#[from] RolloverError),
    /// Something that cannot happen did.
    #[error("{0}; this is a defect of the sandbox")]
    Internal(&'static str),
}
