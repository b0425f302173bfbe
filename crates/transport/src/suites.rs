//! The admitted cryptography of TLS, in one place.
//!
//! gematik.md chapter 9.2 (A_17322, A_17775, GS-A_4385, A_18464, A_18467, A_21275-01): TLS 1.2 and 1.3; ECDHE with AES-GCM only;
//! P-256 and P-384; SHA-256 and stronger in handshake signatures. ChaCha20-Poly1305 is switched off.

use std::sync::{Arc, LazyLock};

use rustls::SignatureScheme;
use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};

/// The protocol versions spoken, newest first. rustls has no older ones to switch off.
pub(crate) static PROTOCOL_VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// The handshake signatures accepted from a client, in order of preference (A_21275-01: SHA-256, SHA-384, SHA-512).
pub(crate) static CLIENT_SIGNATURE_SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// The cryptographic provider every listener and client of this room is built with.
///
/// It is handed to rustls explicitly, so no process-wide default needs to be installed.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider {
            // AES-128 before AES-256: the same admitted strength class for this profile, and less work (A_17775 orders by preference).
            cipher_suites: vec![
                cipher_suite::TLS13_AES_128_GCM_SHA256,
                cipher_suite::TLS13_AES_256_GCM_SHA384,
                cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            ],
            kx_groups: vec![kx_group::SECP256R1, kx_group::SECP384R1],
            ..aws_lc_rs::default_provider()
        })
    });
    Arc::clone(&PROVIDER)
}
