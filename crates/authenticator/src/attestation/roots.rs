//! Whom a verifier believes about phones. Pinned in the binary; never taken from a statement.

use super::x509::Certificate;
use crate::health_card::x509::der_or_pem;

/// Roots of one platform. Being configured is what makes them trusted: their own dates and signatures are not looked at.
#[derive(Clone, Default)]
pub struct Roots(pub(super) Vec<Certificate>);

impl Roots {
    /// Google's two roots for Android, as published at `https://android.googleapis.com/attestation/root`: RSA-4096 (a key of
    /// 2016, this certificate of 2022) and ECDSA P-384 (2025, in use since 2026).
    #[must_use]
    pub fn google() -> Self {
        let published = Self::of(&[
            include_bytes!("roots/google-rsa.pem"),
            include_bytes!("roots/google-p384.pem"),
        ]);
        // A test reads both; were one unreadable, nobody would be believed.
        published.unwrap_or_default()
    }

    /// Apple's root for App Attest, as published at
    /// `https://www.apple.com/certificateauthority/Apple_App_Attestation_Root_CA.pem`, SHA-256
    /// `1cb9823ba28ba6ad2d33a006941de2ae4f513ef1d4e831b9f7e0fa7b6242c932`.
    #[must_use]
    pub fn apple() -> Self {
        // As above.
        Self::of(&[include_bytes!("roots/apple-app-attestation.pem")]).unwrap_or_default()
    }

    /// These roots too, each in DER or PEM: for phones of a test. `None` where one is no certificate.
    #[must_use]
    pub fn and(mut self, certificates: &[impl AsRef<[u8]>]) -> Option<Self> {
        let certificates: Vec<&[u8]> = certificates.iter().map(AsRef::as_ref).collect();
        self.0.extend(Self::of(&certificates)?.0);
        Some(self)
    }

    /// Exactly these roots, each in DER or PEM. `None` where one is no certificate.
    #[must_use]
    pub fn of(certificates: &[&[u8]]) -> Option<Self> {
        certificates
            .iter()
            .map(|certificate| Certificate::parse(&der_or_pem(certificate)?))
            .collect::<Option<_>>()
            .map(Self)
    }
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}
