//! What evidence is bound to: the keying material of one TLS session, and the key its server showed.
//!
//! The exporter is the same number at both ends of one session and at no other place (RFC 8446 §7.5, RFC 5705). In
//! TLS 1.2 that holds only with the extended master secret (RFC 7627), without which no handshake is made here.

use std::fmt;

use rustls::ConnectionCommon;
use zeroize::Zeroizing;

use crate::certificate::{CertificateError, public_key_sha256};

/// The label keying material is exported under, without context. The same as `evidence::binding::EXPORTER_LABEL`; a
/// test compares them.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-healthid-evidence-v1";

/// One TLS session, as evidence is bound to it. `Debug` and logs never see the keying material: whoever knows it cannot
/// read the session, but could let another session pass for it.
#[derive(Clone)]
pub struct TlsSession {
    exporter: Zeroizing<[u8; 32]>,
    server_certificate: Vec<u8>,
}

impl TlsSession {
    /// `None` when the session exports nothing: before its handshake is over.
    pub(crate) fn of<Side>(connection: &ConnectionCommon<Side>, server_certificate: Vec<u8>) -> Option<Self> {
        let exporter = connection
            .export_keying_material([0_u8; 32], EXPORTER_LABEL, None)
            .ok()?;
        Some(Self {
            exporter: Zeroizing::new(exporter),
            server_certificate,
        })
    }

    /// Keying material exported under [`EXPORTER_LABEL`].
    pub fn exporter(&self) -> &[u8; 32] {
        &self.exporter
    }

    /// SHA-256 of the `SubjectPublicKeyInfo` of the server's certificate.
    ///
    /// At the server it is that of the identity it holds for the name asked for. After a change of identity a resumed
    /// session may remember the one before; the two ends then disagree, and the evidence is refused.
    pub fn server_spki_sha256(&self) -> Result<[u8; 32], CertificateError> {
        public_key_sha256(&self.server_certificate)
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSession")
    }
}
