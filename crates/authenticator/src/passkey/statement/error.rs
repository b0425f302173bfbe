//! Why a statement is not what its format says.

use crate::attestation::android::description::DescriptionError;
use crate::passkey::tpm::TpmError;

/// Why an attestation statement is refused. Sections are those of Web Authentication, level 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Members.
    #[error("passkey: the attestation statement has not the members of its format")]
    Members,
    /// No certificate at the chain's beginning.
    #[error("passkey: the attestation certificate is no X.509 certificate of version 3")]
    Certificate,
    /// The algorithm is not that of the key that signed.
    #[error("passkey: member alg of the attestation statement is not the signing key's algorithm")]
    Algorithm,
    /// The signature.
    #[error("passkey: the attestation's signature is not right")]
    Signature,
    /// About another key.
    #[error("passkey: the attestation is about another key")]
    Key,
    /// The certificate is for another model (`id-fido-gen-ce-aaguid`).
    #[error("passkey: the attestation certificate is for another model of authenticators")]
    Model,
    /// The certificate of a `packed` statement is not of its form (§8.2.1).
    #[error("passkey: the attestation certificate is not of the form of section 8.2.1")]
    PackedCertificate,
    /// Version.
    #[error("passkey: member ver of a tpm statement must be 2.0")]
    TpmVersion,
    /// One of a TPM's structures.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// Over something else.
    #[error("passkey: certInfo.extraData is not the hash of what was made")]
    TpmExtraData,
    /// About another key.
    #[error("passkey: certInfo names another key than pubArea")]
    TpmName,
    /// The subject of a TPM's certificate is not empty (§8.3.1).
    #[error("passkey: the subject of a TPM's attestation certificate must be empty")]
    TpmSubject,
    /// It names no TPM (§8.3.1).
    #[error(
        "passkey: the alternative name of a TPM's attestation certificate must name manufacturer, model and version"
    )]
    TpmAlternativeName,
    /// It is for something else (§8.3.1).
    #[error("passkey: the extended key usage of a TPM's attestation certificate must have 2.23.133.8.3")]
    TpmPurpose,
    /// It is an authority's, or does not say (§8.3.1).
    #[error("passkey: a TPM's attestation certificate must say that it is no authority's")]
    TpmAuthority,
    /// Over something else, or nothing at all (§8.8).
    #[error("passkey: the nonce in Apple's certificate is not that of what was made")]
    AppleNonce,
    /// No description of the key (§8.4).
    #[error("passkey: the certificate has no description of the key by Android")]
    AndroidDescriptionMissing,
    /// A description that is malformed.
    #[error(transparent)]
    AndroidDescription(DescriptionError),
    /// Over something else (§8.4).
    #[error("passkey: Android repeats another challenge than the hash of the client data")]
    AndroidChallenge,
    /// Not for one site only (§8.4).
    #[error("passkey: Android says that every app may use the key (allApplications)")]
    AndroidAllApplications,
    /// Formats that are not taken any more.
    #[error("passkey: attestation formats android-safetynet and fido-u2f are not taken")]
    Withdrawn,
}

impl StatementError {
    /// Stable code for logs and support.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Members => "passkey-statement-members",
            Self::Certificate => "passkey-statement-certificate",
            Self::Algorithm => "passkey-statement-algorithm",
            Self::Signature => "passkey-statement-signature",
            Self::Key => "passkey-statement-key",
            Self::Model => "passkey-statement-model",
            Self::PackedCertificate => "passkey-statement-packed-certificate",
            Self::TpmVersion => "passkey-statement-tpm-version",
            Self::Tpm(TpmError::PublicArea) => "passkey-statement-tpm-public-area",
            Self::Tpm(TpmError::CertInfo) => "passkey-statement-tpm-cert-info",
            Self::Tpm(TpmError::Magic) => "passkey-statement-tpm-magic",
            Self::Tpm(TpmError::Type) => "passkey-statement-tpm-type",
            Self::TpmExtraData => "passkey-statement-tpm-extra-data",
            Self::TpmName => "passkey-statement-tpm-name",
            Self::TpmSubject => "passkey-statement-tpm-subject",
            Self::TpmAlternativeName => "passkey-statement-tpm-alternative-name",
            Self::TpmPurpose => "passkey-statement-tpm-purpose",
            Self::TpmAuthority => "passkey-statement-tpm-authority",
            Self::AppleNonce => "passkey-statement-apple-nonce",
            Self::AndroidDescriptionMissing => "passkey-statement-android-description-missing",
            Self::AndroidDescription(_) => "passkey-statement-android-description",
            Self::AndroidChallenge => "passkey-statement-android-challenge",
            Self::AndroidAllApplications => "passkey-statement-android-all-applications",
            Self::Withdrawn => "passkey-statement-withdrawn",
        }
    }
}
