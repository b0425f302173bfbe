//! The client's side of TLS: whom it believes, and who it says it is.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use crate::identity::{TlsError, certified_key, certified_key_from_pem};
use crate::suites::{PROTOCOL_VERSIONS, crypto_provider};

/// The certificate authorities a client believes. Never the system's by default: who is believed is configuration.
#[derive(Clone, Debug)]
pub struct Roots {
    store: RootCertStore,
}

impl Roots {
    /// Believes nobody yet.
    pub fn none() -> Self {
        Self {
            store: RootCertStore::empty(),
        }
    }

    /// Reads every certificate of a PEM text, such as a distribution's bundle.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TlsError> {
        let mut roots = Self::none();
        roots.add_pem(pem)?;
        Ok(roots)
    }

    /// Adds every certificate of a PEM text; an empty text is an error.
    pub fn add_pem(&mut self, pem: &[u8]) -> Result<(), TlsError> {
        let before = self.store.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| TlsError::Unreadable("root PEM"))?;
            self.store
                .add(certificate)
                .map_err(|_| TlsError::Unreadable("root certificate"))?;
        }
        match self.store.len() {
            after if after > before => Ok(()),
            _ => Err(TlsError::NoCertificate),
        }
    }

    /// Adds one DER certificate.
    pub fn add_der(&mut self, certificate: &[u8]) -> Result<(), TlsError> {
        self.store
            .add(CertificateDer::from(certificate.to_vec()))
            .map_err(|_| TlsError::Unreadable("root certificate"))
    }
}

/// The certificate and key a client shows when asked.
#[derive(Clone)]
pub struct ClientIdentity {
    key: Arc<CertifiedKey>,
}

impl ClientIdentity {
    /// From DER: chain with the client's certificate first, and a PKCS#8, SEC 1 or PKCS#1 key.
    pub fn new(chain: &[Vec<u8>], private_key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self {
            key: Arc::new(certified_key(chain, private_key)?),
        })
    }

    /// From PEM texts.
    pub fn from_pem(chain: &[u8], private_key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self {
            key: Arc::new(certified_key_from_pem(chain, private_key)?),
        })
    }

    /// The client's certificate, DER.
    pub fn certificate(&self) -> Vec<u8> {
        // `certified_key` refuses an empty chain.
        self.key
            .cert
            .first()
            .map(|certificate| certificate.as_ref().to_vec())
            .unwrap_or_default()
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientIdentity")
    }
}

pub(crate) fn client_config(roots: &Roots, identity: Option<&ClientIdentity>) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(crypto_provider())
        .with_protocol_versions(PROTOCOL_VERSIONS)
        .map_err(TlsError::Configuration)?
        .with_root_certificates(roots.store.clone());
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        // Shown whatever authorities the server names: the certificate is self-signed (RFC 8705 §2.2).
        Some(identity) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&identity.key))))
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
