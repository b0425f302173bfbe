//! Server certificates of the sandbox's authority for services of one's own, made from the data directory.

use std::net::IpAddr;
use std::path::Path;

use zeroize::Zeroizing;

use crate::data::{DataDir, DataError, Identity};
use crate::pem;
use crate::pki::{PkiError, TlsAuthority};

/// The authority is as old as the sandbox, and an hour.
const AUTHORITY_LEAD_SECONDS: u64 = 3600;

/// A certificate with its key, as PEM.
pub struct ServerCertificate {
    /// The certificate.
    pub certificate_pem: String,
    /// PKCS#8, unencrypted.
    pub key_pem: Zeroizing<String>,
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerCertificate")
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The data directory.
    #[error(transparent)]
    Data(#[from] DataError),
    /// It is none.
    #[error("no sandbox keeps its data there, or not for this user")]
    NoIdentity,
    /// The certificate could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
}

/// The TLS authority of a sandbox.
pub(crate) fn tls_authority(identity: &Identity) -> Result<TlsAuthority, PkiError> {
    let domains: Vec<&str> = match identity.domain.as_str() {
        "localhost" => vec!["localhost"],
        domain => vec!["localhost", domain],
    };
    let seed = identity.secret("tls authority");
    TlsAuthority::from_seed(
        &seed,
        &domains,
        identity.created_at.minus_seconds(AUTHORITY_LEAD_SECONDS),
    )
}

/// Issues a certificate with the authority of the sandbox whose data directory this is.
///
/// # Errors
/// [`CertificateError`].
pub fn issue_server_certificate(
    data: &Path,
    names: &[&str],
    addresses: &[IpAddr],
) -> Result<ServerCertificate, CertificateError> {
    if !data.is_dir() {
        return Err(CertificateError::NoIdentity);
    }
    let identity = DataDir::kept(data)?.identity()?.ok_or(CertificateError::NoIdentity)?;
    let now = fedmaster::system_clock()();
    let issued = tls_authority(&identity)?.issue_server(names, addresses, now)?;
    Ok(ServerCertificate {
        certificate_pem: pem::encode("CERTIFICATE", &issued.certificate),
        key_pem: Zeroizing::new(pem::encode("PRIVATE KEY", &issued.key_pkcs8)),
    })
}
