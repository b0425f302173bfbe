//! Who this server is in a handshake: certificate chain and key, by host name, exchangeable while it runs.
//!
//! Trusted for: a key that matches its certificate. Does not: judge whether the certificate is valid now or chains to anything.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureAlgorithm};
use thiserror::Error;

use crate::suites::crypto_provider;

/// Why TLS material was refused.
#[derive(Debug, Error)]
pub enum TlsError {
    /// No certificate was given; the chain needs at least the end-entity certificate, first.
    #[error("TLS identity: certificate chain is empty, expected the end-entity certificate first")]
    NoCertificate,
    /// The PEM text holds no private key.
    #[error("TLS identity: no private key found, expected PKCS#8, SEC 1 or PKCS#1")]
    NoPrivateKey,
    /// The PEM text or the DER could not be read.
    #[error("TLS material: {0} is not readable")]
    Unreadable(&'static str),
    /// The key does not belong to the certificate.
    #[error("TLS identity: private key does not belong to the certificate")]
    KeyMismatch,
    /// Only ECDSA and RSA keys are admitted (gematik.md 9.2, A_17322).
    #[error("TLS identity: key algorithm not admitted, expected EC on P-256 or P-384, or RSA")]
    AlgorithmNotAdmitted,
    /// A host name that cannot be a server name indication.
    #[error("TLS identity: host is not a DNS name")]
    HostName,
    /// No identity at all was configured.
    #[error("TLS listener: no identity, expected a default or at least one host")]
    NoIdentity,
    /// rustls refused the configuration.
    #[error("TLS configuration: {0}")]
    Configuration(rustls::Error),
}

/// Certificate chain and private key, replaceable while connections are open.
///
/// Clones share the same slot: keep one clone, and [`TlsIdentity::replace`] takes effect for every handshake that begins after it.
/// Connections that are already open, and sessions that are resumed, are not disturbed.
#[derive(Clone)]
pub struct TlsIdentity {
    slot: Arc<RwLock<Arc<CertifiedKey>>>,
}

impl TlsIdentity {
    /// Makes an identity from DER: the chain with the end-entity certificate first, and a PKCS#8, SEC 1 or PKCS#1 private key.
    pub fn new(chain: &[Vec<u8>], private_key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self::from_key(certified_key(chain, private_key)?))
    }

    /// Makes an identity from PEM texts, the chain with the end-entity certificate first.
    pub fn from_pem(chain: &[u8], private_key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self::from_key(certified_key_from_pem(chain, private_key)?))
    }

    /// Exchanges certificate and key for all later handshakes. On an error the old ones stay.
    pub fn replace(&self, chain: &[Vec<u8>], private_key: &[u8]) -> Result<(), TlsError> {
        self.store(certified_key(chain, private_key)?);
        Ok(())
    }

    /// As [`TlsIdentity::replace`], from PEM texts.
    pub fn replace_pem(&self, chain: &[u8], private_key: &[u8]) -> Result<(), TlsError> {
        self.store(certified_key_from_pem(chain, private_key)?);
        Ok(())
    }

    /// The end-entity certificate now in use, DER.
    pub fn certificate(&self) -> Vec<u8> {
        // `certified_key` refuses an empty chain, so there is always a first certificate.
        self.current()
            .cert
            .first()
            .map(|certificate| certificate.as_ref().to_vec())
            .unwrap_or_default()
    }

    pub(crate) fn current(&self) -> Arc<CertifiedKey> {
        // A poisoned lock still holds a whole Arc: the write is one assignment.
        Arc::clone(&self.slot.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn from_key(key: CertifiedKey) -> Self {
        Self {
            slot: Arc::new(RwLock::new(Arc::new(key))),
        }
    }

    fn store(&self, key: CertifiedKey) {
        *self.slot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsIdentity")
    }
}

pub(crate) fn certified_key(chain: &[Vec<u8>], private_key: &[u8]) -> Result<CertifiedKey, TlsError> {
    let chain = chain
        .iter()
        .map(|certificate| CertificateDer::from(certificate.clone()))
        .collect();
    let key = PrivateKeyDer::try_from(private_key)
        .map_err(|_| TlsError::Unreadable("private key"))?
        .clone_key();
    assemble(chain, key)
}

pub(crate) fn certified_key_from_pem(chain: &[u8], private_key: &[u8]) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TlsError::Unreadable("certificate PEM"))?;
    let key = match PrivateKeyDer::from_pem_slice(private_key) {
        Ok(key) => key,
        Err(rustls::pki_types::pem::Error::NoItemsFound) => return Err(TlsError::NoPrivateKey),
        Err(_) => return Err(TlsError::Unreadable("private key PEM")),
    };
    assemble(chain, key)
}

fn assemble(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<CertifiedKey, TlsError> {
    if chain.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    let key = crypto_provider()
        .key_provider
        .load_private_key(key)
        .map_err(|_| TlsError::Unreadable("private key"))?;
    if !matches!(key.algorithm(), SignatureAlgorithm::ECDSA | SignatureAlgorithm::RSA) {
        return Err(TlsError::AlgorithmNotAdmitted);
    }
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(TlsError::KeyMismatch),
        Err(rustls::Error::InvalidCertificate(_)) => Err(TlsError::Unreadable("certificate")),
        Err(error) => Err(TlsError::Configuration(error)),
    }
}

/// The identities of one listener: by server name, with a default for everyone else.
///
/// Clones share the same table, so hosts can be added while the listener runs (a new insurer's host, for example).
#[derive(Clone, Debug)]
pub struct ServerIdentities {
    table: Arc<RwLock<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    default: Option<TlsIdentity>,
    hosts: HashMap<String, TlsIdentity>,
}

impl ServerIdentities {
    /// One identity for every name, and for clients that send none.
    pub fn single(identity: TlsIdentity) -> Self {
        Self {
            table: Arc::new(RwLock::new(Table {
                default: Some(identity),
                hosts: HashMap::new(),
            })),
        }
    }

    /// No default: a handshake without a known server name is refused. Add hosts with [`ServerIdentities::insert`].
    pub fn by_host_only() -> Self {
        Self {
            table: Arc::new(RwLock::new(Table::default())),
        }
    }

    /// Adds or exchanges the identity of one host (DNS name, any case).
    pub fn insert(&self, host: &str, identity: TlsIdentity) -> Result<(), TlsError> {
        let name = rustls::pki_types::DnsName::try_from(host.to_owned()).map_err(|_| TlsError::HostName)?;
        self.table
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .hosts
            .insert(name.as_ref().to_ascii_lowercase(), identity);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.default.is_none() && table.hosts.is_empty()
    }

    /// The certificate shown to whoever asks for `host`, DER.
    pub(crate) fn certificate(&self, host: Option<&str>) -> Option<Vec<u8>> {
        self.find(host).map(|identity| identity.certificate())
    }

    fn find(&self, host: Option<&str>) -> Option<TlsIdentity> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        host.and_then(|host| {
            // rustls hands the name on in lower case mostly, but DNS names compare without case (RFC 6066 §3).
            table
                .hosts
                .get(host)
                .or_else(|| table.hosts.get(&host.to_ascii_lowercase()))
        })
        .or(table.default.as_ref())
        .cloned()
    }
}

impl From<TlsIdentity> for ServerIdentities {
    fn from(identity: TlsIdentity) -> Self {
        Self::single(identity)
    }
}

impl ResolvesServerCert for ServerIdentities {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(client_hello.server_name()).map(|identity| identity.current())
    }
}
