//! The attestation extension: `KeyDescription`, OID 1.3.6.1.4.1.11129.2.1.17.
//!
//! One schema for every version (1 to 4, 100 to 500 so far): later ones add tags to the authorization lists, and
//! `verifiedBootHash` came with version 3. A version above those known is read the same way, for a new phone must not
//! be locked out by a number; what it says in tags unknown here is preserved and decides nothing.

use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader, Tag as DerTag, Tagged};

use super::authorizations::{AuthorizationList, octets};

/// Largest extension read; the largest recorded has 426 bytes.
pub const MAX_EXTENSION_BYTES: usize = 4 * 1024;
/// Longest challenge: KeyMint takes no longer one.
pub const MAX_CHALLENGE_BYTES: usize = 128;
/// Longest unique id.
pub const MAX_UNIQUE_ID_BYTES: usize = 64;

/// Where something lives: the key, or who attests to it. Ordered, the strongest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecurityLevel {
    /// In the system itself: whoever owns the system owns the key.
    Software,
    /// In the processor's trusted execution environment.
    TrustedEnvironment,
    /// In a secure element of its own (StrongBox).
    StrongBox,
}

/// What the device says about the key, as read.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyDescription {
    /// Version of the schema.
    pub attestation_version: u64,
    /// Who attests.
    pub attestation_security_level: SecurityLevel,
    /// Version of the key store; its numbering differs between makers.
    pub key_mint_version: u64,
    /// Where the key lives.
    pub key_mint_security_level: SecurityLevel,
    /// What the app was asked to repeat.
    pub challenge: Vec<u8>,
    /// Identifier of the device for one app and month; empty where not asked for.
    pub unique_id: Vec<u8>,
    /// What the system says.
    pub software_enforced: AuthorizationList,
    /// What the secure environment enforces.
    pub hardware_enforced: AuthorizationList,
}

/// Why an extension is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    /// Longer than [`MAX_EXTENSION_BYTES`].
    #[error("key description: longer than {MAX_EXTENSION_BYTES} bytes")]
    TooLong,
    /// Not the sequence of eight members.
    #[error("key description: expected the eight members of KeyDescription in DER")]
    Shape,
    /// A security level that is none.
    #[error("key description: security level must be Software, TrustedEnvironment or StrongBox")]
    SecurityLevel,
    /// More tags than [`super::authorizations::MAX_TAGS`].
    #[error("key description: too many tags in one authorization list")]
    TooMany,
    /// Tags not ascending, or one twice.
    #[error("key description: tag {tag} is out of order; the tags of an authorization list ascend")]
    TagOrder {
        /// The tag that came too late.
        tag: u32,
    },
    /// A tag's value is not of its type.
    #[error("key description: the value of tag {tag} is not of its type")]
    Value {
        /// The tag.
        tag: u32,
    },
    /// `RootOfTrust` is malformed.
    #[error("key description: rootOfTrust must be boot key, locked (0x00 or 0xff), boot state and boot hash")]
    RootOfTrust,
}

impl DescriptionError {
    /// Stable code for logs and support.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "description-too-long",
            Self::Shape => "description-shape",
            Self::SecurityLevel => "description-security-level",
            Self::TooMany => "description-too-many-tags",
            Self::TagOrder { .. } => "description-tag-order",
            Self::Value { .. } => "description-tag-value",
            Self::RootOfTrust => "description-root-of-trust",
        }
    }
}

/// Never prints an identifier of a device.
impl std::fmt::Debug for KeyDescription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyDescription")
            .field("attestation_version", &self.attestation_version)
            .field("attestation_security_level", &self.attestation_security_level)
            .field("key_mint_security_level", &self.key_mint_security_level)
            .field("hardware_enforced", &self.hardware_enforced)
            .finish_non_exhaustive()
    }
}

impl KeyDescription {
    /// Reads the content of the extension. Total; verifies nothing.
    ///
    /// # Errors
    /// [`DescriptionError`], the first defect.
    pub fn parse(extension: &[u8]) -> Result<Self, DescriptionError> {
        if extension.len() > MAX_EXTENSION_BYTES {
            return Err(DescriptionError::TooLong);
        }
        let shape = DescriptionError::Shape;
        let outer = AnyRef::from_der(extension).map_err(|_| shape)?;
        if outer.tag() != DerTag::Sequence {
            return Err(shape);
        }
        let mut reader = SliceReader::new(outer.value()).map_err(|_| shape)?;
        let attestation_version = u64::decode(&mut reader).map_err(|_| shape)?;
        let attestation_security_level = security_level(&mut reader)?;
        let key_mint_version = u64::decode(&mut reader).map_err(|_| shape)?;
        let key_mint_security_level = security_level(&mut reader)?;
        let challenge = bytes(&mut reader, MAX_CHALLENGE_BYTES)?;
        let unique_id = bytes(&mut reader, MAX_UNIQUE_ID_BYTES)?;
        let software_enforced = AuthorizationList::parse(AnyRef::decode(&mut reader).map_err(|_| shape)?)?;
        let hardware_enforced = AuthorizationList::parse(AnyRef::decode(&mut reader).map_err(|_| shape)?)?;
        if !reader.is_finished() || attestation_version == 0 {
            return Err(shape);
        }
        Ok(Self {
            attestation_version,
            attestation_security_level,
            key_mint_version,
            key_mint_security_level,
            challenge,
            unique_id,
            software_enforced,
            hardware_enforced,
        })
    }

    /// The weaker of where the key lives and who says so.
    #[must_use]
    pub fn security_level(&self) -> SecurityLevel {
        self.attestation_security_level.min(self.key_mint_security_level)
    }
}

fn security_level(reader: &mut SliceReader<'_>) -> Result<SecurityLevel, DescriptionError> {
    let element = AnyRef::decode(reader).map_err(|_| DescriptionError::Shape)?;
    match (element.tag(), element.value()) {
        (DerTag::Enumerated, [0]) => Ok(SecurityLevel::Software),
        (DerTag::Enumerated, [1]) => Ok(SecurityLevel::TrustedEnvironment),
        (DerTag::Enumerated, [2]) => Ok(SecurityLevel::StrongBox),
        _ => Err(DescriptionError::SecurityLevel),
    }
}

fn bytes(reader: &mut SliceReader<'_>, limit: usize) -> Result<Vec<u8>, DescriptionError> {
    AnyRef::decode(reader)
        .ok()
        .and_then(octets)
        .filter(|bytes| bytes.len() <= limit)
        .map(<[u8]>::to_vec)
        .ok_or(DescriptionError::Shape)
}
