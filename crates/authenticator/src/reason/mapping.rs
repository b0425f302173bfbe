//! Which refusal is told by which word: one exhaustive match for each decision of this room.

use super::Reason;
use crate::{
    challenge::ChallengeError,
    device::{BindingError, DeviceError, LookError},
    health_card::{CardResponseError, HealthCardError},
    passkey::PasskeyError,
    policy::LevelRefusal,
};

impl ChallengeError {
    /// As wallets are told.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Expired => Reason::ChallengeExpired,
            Self::Jws(_)
            | Self::Typ
            | Self::UnknownKey
            | Self::Members
            | Self::Lifetime
            | Self::FromTheFuture
            | Self::Foreign => Reason::Malformed,
        }
    }
}

impl CardResponseError {
    /// As wallets are told.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            // The app wrapped it, and the card's certificate came from the card.
            Self::Certificate(_) => Reason::CardRefused,
            Self::Jws(_) | Self::Algorithm | Self::Cty | Self::CertificateCount | Self::Payload => Reason::Malformed,
        }
    }
}

impl HealthCardError {
    /// As wallets are told.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NotYetValid | Self::Expired => Reason::CardExpired,
            Self::Revoked => Reason::CardRevoked,
            Self::InsurerNotAccepted => Reason::CardOtherInsurer,
            // Ours, not the card's.
            Self::RevocationUnknown | Self::AuthorityExpired => Reason::Unavailable,
            Self::UnknownAuthority
            | Self::CertificateSignature
            | Self::Curve
            | Self::CriticalExtension
            | Self::IsAuthority
            | Self::KeyUsage
            | Self::Policy
            | Self::AdmissionMissing
            | Self::Profession
            | Self::InsuranceNumberMissing
            | Self::InsuranceNumberMalformed
            | Self::InsuranceNumberAmbiguous
            | Self::InsurerMissing
            | Self::InsurerAmbiguous
            | Self::CheckDigit
            | Self::ChallengeMismatch
            | Self::Signature => Reason::CardRefused,
        }
    }
}

impl DeviceError {
    /// As wallets are told.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Jws(_) | Self::Header | Self::Payload | Self::ChallengeMismatch => Reason::Malformed,
            Self::Signature => Reason::DeviceUnknown,
            Self::Counter => Reason::DeviceCloned,
            Self::Clock => Reason::DeviceClock,
            Self::Declined => Reason::Declined,
            Self::ClassNotAdmitted => Reason::DeviceNotAdmitted,
            Self::ReconfirmationDue => Reason::DeviceDue,
            Self::ConsentMissing => Reason::ConsentMissing,
            Self::OwnPagesOnly => Reason::LevelTooLow,
            Self::Locked => Reason::DeviceLocked,
            Self::Blocked => Reason::DeviceBlocked,
        }
    }
}

impl LookError {
    /// As wallets are told.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Jws(_) | Self::Header | Self::Payload => Reason::Malformed,
            Self::Signature | Self::Elsewhere => Reason::DeviceUnknown,
            Self::Clock => Reason::DeviceClock,
            Self::Locked => Reason::DeviceLocked,
            Self::Blocked => Reason::DeviceBlocked,
        }
    }
}

impl BindingError {
    /// As wallets are told.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::CardLoginNeeded | Self::TooLate => Reason::CardLoginNeeded,
            Self::Class | Self::PasskeyClass => Reason::DeviceNotAdmitted,
            Self::EvidenceMissing | Self::AttestedKey | Self::AttestedChallenge => Reason::AttestationRefused,
            Self::ConsentMissing => Reason::ConsentMissing,
            Self::Name | Self::ProofForm | Self::ProofChallenge | Self::ProofSignature => Reason::Malformed,
        }
    }
}

impl PasskeyError {
    /// As wallets are told.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            // A browser that was asked as it should be does not do these.
            Self::ClientData
            | Self::Type
            | Self::Challenge
            | Self::Origin
            | Self::AuthenticatorData
            | Self::RpId
            | Self::UserPresence
            | Self::UserVerification
            | Self::AttestationObject
            | Self::Algorithm
            | Self::CredentialId => Reason::Malformed,
            Self::Statement(_) | Self::BackupFlags => Reason::AttestationRefused,
            Self::NotAdmitted => Reason::DeviceNotAdmitted,
            Self::NotBound => Reason::DeviceUnknown,
            Self::Cloned => Reason::DeviceCloned,
            Self::Binding(error) => error.reason(),
            Self::Device(error) => error.reason(),
        }
    }
}

impl LevelRefusal {
    /// As wallets are told.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::ConsentMissing => Reason::ConsentMissing,
            Self::MethodNotAdmitted | Self::OtherMethodDemanded | Self::StepUpNeeded | Self::TooOld => {
                Reason::LevelTooLow
            }
        }
    }
}
