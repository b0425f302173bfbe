//! How this server speaks TLS, and how it asks for client certificates.
//!
//! Trusted for: a client certificate that reaches [`crate::ConnectionInfo`] belongs to a key the peer proved to hold in this
//! handshake, or in the handshake the resumed session stems from. Does not: build chains or compare certificates; with
//! `self_signed_tls_client_auth` (RFC 8705 §2.2) that is done against the registered ones, by the provider.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs::Ticketer, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

use crate::certificate::MAX_CERTIFICATE_BYTES;
use crate::identity::{ServerIdentities, TlsError};
use crate::suites::{CLIENT_SIGNATURE_SCHEMES, PROTOCOL_VERSIONS, crypto_provider};

/// Tickets sent after a TLS 1.3 handshake. One is enough: clients keep connections open, and HTTP/2 needs only one of them.
const TLS13_TICKETS: usize = 1;

/// Longest chain a client may present. `x5c` of a relying party holds exactly one certificate (gematik.md 4.1).
const MAX_CLIENT_CHAIN: usize = 4;

/// Whether clients are asked for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Not asked: the public host.
    None,
    /// Asked with an empty list of certificate authorities, not required, and any certificate accepted whose key the handshake
    /// proves: the host of the PAR and token endpoints (gematik.md 4.1, A_22991).
    RequestAny,
}

/// The TLS side of a listener. Clones share identities, session tickets and configuration.
#[derive(Debug, Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    identities: ServerIdentities,
}

impl ServerTls {
    /// Makes the configuration: TLS 1.2 and 1.3, admitted suites and groups only, HTTP/2 before HTTP/1.1, session tickets.
    ///
    /// Tickets are sealed with keys born here and kept in memory, rotated every six hours by rustls; they carry the client
    /// certificate, so a resumed session still knows it.
    pub fn new(
        identities: impl Into<ServerIdentities>,
        client_certificates: ClientCertificates,
    ) -> Result<Self, TlsError> {
        let identities = identities.into();
        if identities.is_empty() {
            return Err(TlsError::NoIdentity);
        }
        let builder = ServerConfig::builder_with_provider(crypto_provider())
            .with_protocol_versions(PROTOCOL_VERSIONS)
            .map_err(TlsError::Configuration)?;
        let builder = match client_certificates {
            ClientCertificates::None => builder.with_no_client_auth(),
            ClientCertificates::RequestAny => builder.with_client_cert_verifier(Arc::new(ProofOfKey {
                algorithms: crypto_provider().signature_verification_algorithms,
            })),
        };
        let mut config = builder.with_cert_resolver(Arc::new(identities.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = Ticketer::new().map_err(TlsError::Configuration)?;
        config.send_tls13_tickets = TLS13_TICKETS;
        // Without the extended master secret a TLS 1.2 session exports nothing that is its own (RFC 7627 §1), so no
        // evidence could be bound to it. Peers older than that extension (2015) are not served.
        config.require_ems = true;
        // Early data can be replayed (RFC 8446 §8), and a PAR or a code must not be.
        config.max_early_data_size = 0;
        Ok(Self {
            config: Arc::new(config),
            identities,
        })
    }

    /// The rustls configuration, for listeners of one's own making.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// The identities served, to add hosts while running.
    pub fn identities(&self) -> &ServerIdentities {
        &self.identities
    }
}

/// Accepts any client certificate whose private key signed the handshake.
#[derive(Debug)]
struct ProofOfKey {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for ProofOfKey {
    fn client_auth_mandatory(&self) -> bool {
        // A missing certificate is answered by the endpoint in its own words (RFC 6749 §5.2), not by an alert.
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Empty: some clients withhold a self-signed certificate when a list of authorities is given (gematik.md 4.1).
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if end_entity.len() > MAX_CERTIFICATE_BYTES || intermediates.len() >= MAX_CLIENT_CHAIN {
            return Err(CertificateError::BadEncoding.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        CLIENT_SIGNATURE_SCHEMES.to_vec()
    }
}
