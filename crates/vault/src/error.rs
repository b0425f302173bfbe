//! Why the vault refuses. No error carries anything of what was sealed.

use crate::hsm::HsmError;
use crate::key_source::KeyAbsent;

/// Why sealed bytes were not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Shorter than any record of this kind.
    #[error("sealed record is too short")]
    TooShort,
    /// Written in a form this release does not know.
    #[error("sealed record has form {found}, this release knows {known}")]
    UnknownForm {
        /// Form found.
        found: u8,
        /// The one known.
        known: u8,
    },
    /// Sealed under a key generation that is newer than any this vault has.
    #[error("sealed record names key generation {found}, this vault has up to {newest}")]
    UnknownGeneration {
        /// Generation found.
        found: u32,
        /// Newest generation here.
        newest: u32,
    },
    /// Changed, or belongs to another tenant, person, kind, id or version, or another root.
    #[error("sealed record is not authentic for this tenant, person, kind, id and version")]
    NotAuthentic,
    /// Authentic, but not of the expected content: written by a release that meant something else.
    #[error("sealed record has unexpected content")]
    Content,
    /// The key to the record belongs to another tenant or kind.
    #[error("the key given is not that of a {expected}")]
    WrongKey {
        /// What was expected.
        expected: &'static str,
    },
    /// This instance holds no key of that tenant or generation.
    #[error(transparent)]
    KeyAbsent(#[from] KeyAbsent),
    /// The record names a key in a hardware security module, and this vault has none.
    #[error("the signing key lives in a hardware security module, and none is configured")]
    NoHsm,
    /// A signing key that must live in the hardware security module is stored as a software key.
    #[error("a signing key of this role must live in the hardware security module, and is a software key")]
    SoftwareKey,
}

impl OpenError {
    /// Stable name for events.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort => "vault.record_too_short",
            Self::UnknownForm { .. } => "vault.record_form_unknown",
            Self::UnknownGeneration { .. } => "vault.record_generation_unknown",
            Self::NotAuthentic => "vault.record_not_authentic",
            Self::Content => "vault.record_content",
            Self::WrongKey { .. } => "vault.record_wrong_key",
            Self::KeyAbsent(absent) => absent.code(),
            Self::NoHsm => "vault.hsm_not_configured",
            Self::SoftwareKey => "vault.software_key_refused",
        }
    }
}

/// Why something was not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// More bytes than the kind admits.
    #[error("at most {limit} bytes can be sealed here, not {found}")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
        /// Bytes given.
        found: usize,
    },
    /// A key could not be made or read.
    #[error("signing key: {0}")]
    Key(#[from] jose::KeyError),
    /// More certificates than admitted, or a larger one.
    #[error("at most {limit} certificates of at most {limit_bytes} bytes each")]
    Certificates {
        /// Most certificates.
        limit: usize,
        /// Most bytes of one.
        limit_bytes: usize,
    },
    /// A key identifier that is empty or too long.
    #[error("kid must have 1 to {limit} bytes")]
    Kid {
        /// Most bytes.
        limit: usize,
    },
    /// The cryptography library failed.
    #[error("sealing failed")]
    Failed,
    /// This instance holds no key of that tenant or generation.
    #[error(transparent)]
    KeyAbsent(#[from] KeyAbsent),
    /// The hardware security module did not do it. Nothing was done in its place.
    #[error(transparent)]
    Hsm(#[from] HsmError),
    /// The key belongs into a hardware security module, and this vault has none, or the key comes from outside.
    #[error("a signing key of this role must be made in the hardware security module")]
    HsmNeeded,
}

impl SealError {
    /// Stable name for events.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong { .. } => "vault.too_long",
            Self::Key(_) => "vault.signing_key",
            Self::Certificates { .. } => "vault.certificates",
            Self::Kid { .. } => "vault.kid",
            Self::Failed => "vault.seal_failed",
            Self::KeyAbsent(absent) => absent.code(),
            Self::Hsm(error) => error.code(),
            Self::HsmNeeded => "vault.hsm_needed",
        }
    }
}

/// Why a sealed login state was not opened. All of them mean: the login begins again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Longer than any state of ours.
    #[error("login state is longer than {limit} characters")]
    TooLong {
        /// The limit in characters.
        limit: usize,
    },
    /// Shorter than the smallest.
    #[error("login state is too short")]
    TooShort,
    /// Not base64url.
    #[error("login state is not base64url")]
    NotBase64Url,
    /// A form this release does not know.
    #[error("login state has an unknown form")]
    UnknownForm,
    /// A state of another step.
    #[error("login state belongs to another step")]
    WrongKind,
    /// Sealed later than now.
    #[error("login state is dated in the future")]
    FutureEpoch,
    /// Sealed so long ago that no state of this step can still be valid.
    #[error("login state is too old")]
    TooOld,
    /// Changed, or sealed for another tenant or under another root.
    #[error("login state is not authentic for this tenant")]
    NotAuthentic,
    /// This instance holds no key of that tenant.
    #[error(transparent)]
    KeyAbsent(#[from] KeyAbsent),
}

/// Why there is no capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    /// The proof is of another person.
    #[error("the person who authenticated is another one")]
    OtherPerson,
    /// The step does not follow an authentication.
    #[error("a login state of this step carries no person")]
    NotAfterAuthentication,
    /// The sealed state was refused.
    #[error(transparent)]
    State(#[from] StateError),
    /// This instance holds no key of that tenant.
    #[error(transparent)]
    KeyAbsent(#[from] KeyAbsent),
}

/// Why personal data is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PersonDataError {
    /// A text is too long.
    #[error("{member} must have at most {limit} bytes")]
    TooLong {
        /// Name of the member.
        member: &'static str,
        /// Most bytes.
        limit: usize,
    },
    /// A text holds control characters.
    #[error("{member} must not hold control characters")]
    ControlCharacter {
        /// Name of the member.
        member: &'static str,
    },
    /// No date of birth.
    #[error("birthdate must be YYYY, YYYY-MM or YYYY-MM-DD, 00 for an unknown month or day")]
    Birthdate,
    /// No sex as insurers hold it.
    #[error("sex must be M, W, X or D")]
    Sex,
    /// No day on which a card ends.
    #[error("card_valid_until must be a day that exists, YYYY-MM-DD")]
    CardValidUntil,
    /// Another number than the record's.
    #[error("kvnr must stay the one of the record")]
    KvnrChanged,
}

/// Why something inside a person's scope failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// A record was not opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something was not sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Personal data was not accepted.
    #[error(transparent)]
    PersonData(#[from] PersonDataError),
    /// This instance holds no key of that tenant or generation.
    #[error(transparent)]
    KeyAbsent(#[from] KeyAbsent),
    /// The capability is not for this.
    #[error("the capability does not allow to {0}")]
    Purpose(&'static str),
    /// The caller's closure failed.
    #[error("the content could not be written")]
    Content,
    /// The token was not signed.
    #[error("token was not signed: {0}")]
    Sign(jose::SignError),
    /// The token was not encrypted.
    #[error("token was not encrypted")]
    Encrypt,
}
