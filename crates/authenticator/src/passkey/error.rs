//! Why a passkey is not registered, or does not log in.

use super::statement::StatementError;
use super::{MAX_ATTESTATION_OBJECT_BYTES, MAX_CLIENT_DATA_BYTES};
use crate::device::{BindingError, DeviceError};

/// Why a registration or a login with a passkey is refused. Sections are those of Web Authentication, level 3.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// No JSON with the members of client data, or too long (§5.8.1).
    #[error("passkey: client data must be JSON with type, challenge and origin, at most {MAX_CLIENT_DATA_BYTES} bytes")]
    ClientData,
    /// Made in the other ceremony.
    #[error("passkey: client data has the wrong type (sections 7.1 step 7, 7.2 step 10)")]
    Type,
    /// Over another login.
    #[error("passkey: the challenge is not that of this login")]
    Challenge,
    /// Made on another site, or inside another one.
    #[error("passkey: it was used on another site than the insurer's own")]
    Origin,
    /// No authenticator data of this form (§6.1).
    #[error("passkey: authenticator data is malformed")]
    AuthenticatorData,
    /// For another relying party.
    #[error("passkey: it belongs to another site than the insurer's own (RP ID)")]
    RpId,
    /// Nobody touched it.
    #[error("passkey: nobody was present at the authenticator (flag UP)")]
    UserPresence,
    /// Neither PIN nor biometry.
    #[error("passkey: the authenticator must verify the person (flag UV)")]
    UserVerification,
    /// Backed up, but not eligible for it (§6.1.3); or eligible now and not then.
    #[error("passkey: flags of backup contradict each other or the registration")]
    BackupFlags,
    /// No CBOR with the members of an attestation object, or too long (§6.5.4).
    #[error(
        "passkey: attestation object must be CBOR with fmt, attStmt and authData, at most {MAX_ATTESTATION_OBJECT_BYTES} bytes"
    )]
    AttestationObject,
    /// Another algorithm than asked for.
    #[error("passkey: the key must be ES256 on P-256, or RS256 with 2048 bits and exponent 65537, as asked for")]
    Algorithm,
    /// Longer than the standard admits, empty, or not the one in the authenticator data.
    #[error("passkey: the credential id is not the one the authenticator made")]
    CredentialId,
    /// An attestation statement that is not what its format says (§8).
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The policy has no class for it.
    #[error("passkey: this authenticator is not admitted by the insurer's policy")]
    NotAdmitted,
    /// What stands against any binding.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// No passkey is bound under this user handle, or another one, or it did not sign this.
    #[error("passkey: it is not bound here, or did not sign this")]
    NotBound,
    /// Seen before, or a clone of the key counts too (§6.1.1).
    #[error("passkey: its counter must be greater than the last one: it may have been copied")]
    Cloned,
    /// What stands against any login with this device.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl PasskeyError {
    /// Stable code for logs and support.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ClientData => "passkey-client-data",
            Self::Type => "passkey-type",
            Self::Challenge => "passkey-challenge",
            Self::Origin => "passkey-origin",
            Self::AuthenticatorData => "passkey-authenticator-data",
            Self::RpId => "passkey-rp-id",
            Self::UserPresence => "passkey-user-presence",
            Self::UserVerification => "passkey-user-verification",
            Self::BackupFlags => "passkey-backup-flags",
            Self::AttestationObject => "passkey-attestation-object",
            Self::Algorithm => "passkey-algorithm",
            Self::CredentialId => "passkey-credential-id",
            Self::Statement(error) => error.code(),
            Self::NotAdmitted => "passkey-not-admitted",
            Self::Binding(_) => "passkey-binding",
            Self::NotBound => "passkey-not-bound",
            Self::Cloned => "passkey-cloned",
            Self::Device(_) => "passkey-device",
        }
    }
}
