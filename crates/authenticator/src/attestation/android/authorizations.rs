//! What a key may do and where it lives: the two authorization lists of a `KeyDescription`.
//!
//! A list is kept as what it is, a map from tag number to value. Tags the schema does not know (yet) are preserved as
//! DER and decide nothing.

use std::collections::BTreeMap;

use der::asn1::AnyRef;
use der::{Class, Decode, Encode, Reader, SliceReader, Tag as DerTag, Tagged};

use super::application::ApplicationId;
use super::description::DescriptionError;

/// Most tags of one list; the schema of version 500 knows 47.
pub const MAX_TAGS: usize = 96;
/// Most members of a set of integers; the longest the schema can fill has 7.
pub const MAX_SET: usize = 32;
/// Longest text or digest in a list, in bytes.
pub const MAX_BYTES: usize = 1024;

/// A tag of the authorization list, by its number in the published schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u32);

#[allow(missing_docs, reason = "names and numbers are the schema's")]
impl Tag {
    pub const PURPOSE: Self = Self(1);
    pub const ALGORITHM: Self = Self(2);
    pub const KEY_SIZE: Self = Self(3);
    pub const BLOCK_MODE: Self = Self(4);
    pub const DIGEST: Self = Self(5);
    pub const PADDING: Self = Self(6);
    pub const CALLER_NONCE: Self = Self(7);
    pub const MIN_MAC_LENGTH: Self = Self(8);
    pub const EC_CURVE: Self = Self(10);
    pub const ML_DSA_VARIANT: Self = Self(11);
    pub const RSA_PUBLIC_EXPONENT: Self = Self(200);
    pub const RSA_OAEP_MGF_DIGEST: Self = Self(203);
    pub const ROLLBACK_RESISTANCE: Self = Self(303);
    pub const EARLY_BOOT_ONLY: Self = Self(305);
    pub const ACTIVE_DATE_TIME: Self = Self(400);
    pub const ORIGINATION_EXPIRE_DATE_TIME: Self = Self(401);
    pub const USAGE_EXPIRE_DATE_TIME: Self = Self(402);
    pub const USAGE_COUNT_LIMIT: Self = Self(405);
    pub const NO_AUTH_REQUIRED: Self = Self(503);
    pub const USER_AUTH_TYPE: Self = Self(504);
    pub const AUTH_TIMEOUT: Self = Self(505);
    pub const ALLOW_WHILE_ON_BODY: Self = Self(506);
    pub const TRUSTED_USER_PRESENCE_REQUIRED: Self = Self(507);
    pub const TRUSTED_CONFIRMATION_REQUIRED: Self = Self(508);
    pub const UNLOCKED_DEVICE_REQUIRED: Self = Self(509);
    pub const ALL_APPLICATIONS: Self = Self(600);
    pub const APPLICATION_ID: Self = Self(601);
    pub const CREATION_DATE_TIME: Self = Self(701);
    pub const ORIGIN: Self = Self(702);
    pub const ROLLBACK_RESISTANT: Self = Self(703);
    pub const ROOT_OF_TRUST: Self = Self(704);
    pub const OS_VERSION: Self = Self(705);
    pub const OS_PATCH_LEVEL: Self = Self(706);
    pub const ATTESTATION_APPLICATION_ID: Self = Self(709);
    pub const ATTESTATION_ID_BRAND: Self = Self(710);
    pub const ATTESTATION_ID_DEVICE: Self = Self(711);
    pub const ATTESTATION_ID_PRODUCT: Self = Self(712);
    pub const ATTESTATION_ID_SERIAL: Self = Self(713);
    pub const ATTESTATION_ID_IMEI: Self = Self(714);
    pub const ATTESTATION_ID_MEID: Self = Self(715);
    pub const ATTESTATION_ID_MANUFACTURER: Self = Self(716);
    pub const ATTESTATION_ID_MODEL: Self = Self(717);
    pub const VENDOR_PATCH_LEVEL: Self = Self(718);
    pub const BOOT_PATCH_LEVEL: Self = Self(719);
    pub const DEVICE_UNIQUE_ATTESTATION: Self = Self(720);
    pub const ATTESTATION_ID_SECOND_IMEI: Self = Self(723);
    pub const MODULE_HASH: Self = Self(724);
}

/// Value of a tag.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Present or absent: `NULL`.
    Set,
    /// A number.
    Integer(u64),
    /// `SET OF INTEGER`, in the order received: devices do not sort it.
    Integers(Vec<u64>),
    /// Text or a digest.
    Bytes(Vec<u8>),
    /// How the device started.
    RootOfTrust(RootOfTrust),
    /// Which app asked for the key.
    ApplicationId(ApplicationId),
    /// A tag the schema does not know, as DER inside its explicit tag.
    Unknown(Vec<u8>),
}

/// Never prints an identifier of a device.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Set => "Set",
            Self::Integer(_) => "Integer",
            Self::Integers(_) => "Integers",
            Self::Bytes(_) => "Bytes",
            Self::RootOfTrust(_) => "RootOfTrust",
            Self::ApplicationId(_) => "ApplicationId",
            Self::Unknown(_) => "Unknown",
        })
    }
}

/// How the device started (`RootOfTrust`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootOfTrust {
    /// Digest of the key that verified the system; all zero where none did, empty on some devices.
    pub verified_boot_key: Vec<u8>,
    /// Whether the bootloader refuses other systems.
    pub device_locked: bool,
    /// What the boot found.
    pub verified_boot_state: VerifiedBootState,
    /// Digest of what was verified; absent before version 3.
    pub verified_boot_hash: Option<Vec<u8>>,
}

/// What the boot found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifiedBootState {
    /// The maker's system, whole.
    Verified,
    /// A system verified by a key of the owner.
    SelfSigned,
    /// Nothing was verified: the bootloader is unlocked.
    Unverified,
    /// Verification failed.
    Failed,
}

/// One authorization list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthorizationList(BTreeMap<Tag, Value>);

impl AuthorizationList {
    pub(super) fn parse(list: AnyRef<'_>) -> Result<Self, DescriptionError> {
        if list.tag() != DerTag::Sequence {
            return Err(DescriptionError::Shape);
        }
        let mut reader = SliceReader::new(list.value()).map_err(|_| DescriptionError::Shape)?;
        let mut tags = BTreeMap::new();
        while !reader.is_finished() {
            let element = AnyRef::decode(&mut reader).map_err(|_| DescriptionError::Shape)?;
            let der_tag = element.tag();
            if der_tag.class() != Class::ContextSpecific || !der_tag.is_constructed() {
                return Err(DescriptionError::Shape);
            }
            let tag = Tag(der_tag.number().0);
            // The schema is a SEQUENCE of optional members: any other order is another document.
            if tags.last_key_value().is_some_and(|(last, _)| *last >= tag) {
                return Err(DescriptionError::TagOrder { tag: tag.0 });
            }
            if tags.len() >= MAX_TAGS {
                return Err(DescriptionError::TooMany);
            }
            tags.insert(tag, value(tag, element.value())?);
        }
        Ok(Self(tags))
    }

    /// Tags and values, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Tag, &Value)> {
        self.0.iter().map(|(tag, value)| (*tag, value))
    }

    /// Whether a tag is there.
    #[must_use]
    pub fn contains(&self, tag: Tag) -> bool {
        self.0.contains_key(&tag)
    }

    /// The number of a tag that has one.
    #[must_use]
    pub fn integer(&self, tag: Tag) -> Option<u64> {
        match self.0.get(&tag)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The numbers of a tag that has several; none where it is absent.
    #[must_use]
    pub fn integers(&self, tag: Tag) -> &[u64] {
        match self.0.get(&tag) {
            Some(Value::Integers(numbers)) => numbers,
            _ => &[],
        }
    }

    /// How the device started.
    #[must_use]
    pub fn root_of_trust(&self) -> Option<&RootOfTrust> {
        match self.0.get(&Tag::ROOT_OF_TRUST)? {
            Value::RootOfTrust(root) => Some(root),
            _ => None,
        }
    }

    /// Which app asked for the key.
    #[must_use]
    pub fn application_id(&self) -> Option<&ApplicationId> {
        match self.0.get(&Tag::ATTESTATION_APPLICATION_ID)? {
            Value::ApplicationId(id) => Some(id),
            _ => None,
        }
    }
}

fn value(tag: Tag, der: &[u8]) -> Result<Value, DescriptionError> {
    let malformed = DescriptionError::Value { tag: tag.0 };
    let element = AnyRef::from_der(der).map_err(|_| malformed)?;
    let value = match tag {
        Tag::PURPOSE | Tag::BLOCK_MODE | Tag::DIGEST | Tag::PADDING | Tag::RSA_OAEP_MGF_DIGEST => {
            integers(element).map(Value::Integers)
        }
        Tag::CALLER_NONCE
        | Tag::ROLLBACK_RESISTANCE
        | Tag::EARLY_BOOT_ONLY
        | Tag::NO_AUTH_REQUIRED
        | Tag::ALLOW_WHILE_ON_BODY
        | Tag::TRUSTED_USER_PRESENCE_REQUIRED
        | Tag::TRUSTED_CONFIRMATION_REQUIRED
        | Tag::UNLOCKED_DEVICE_REQUIRED
        | Tag::ALL_APPLICATIONS
        | Tag::ROLLBACK_RESISTANT
        | Tag::DEVICE_UNIQUE_ATTESTATION => (element.is_null() && element.value().is_empty()).then_some(Value::Set),
        Tag::ALGORITHM
        | Tag::KEY_SIZE
        | Tag::MIN_MAC_LENGTH
        | Tag::EC_CURVE
        | Tag::ML_DSA_VARIANT
        | Tag::RSA_PUBLIC_EXPONENT
        | Tag::ACTIVE_DATE_TIME
        | Tag::ORIGINATION_EXPIRE_DATE_TIME
        | Tag::USAGE_EXPIRE_DATE_TIME
        | Tag::USAGE_COUNT_LIMIT
        | Tag::USER_AUTH_TYPE
        | Tag::AUTH_TIMEOUT
        | Tag::CREATION_DATE_TIME
        | Tag::ORIGIN
        | Tag::OS_VERSION
        | Tag::OS_PATCH_LEVEL
        | Tag::VENDOR_PATCH_LEVEL
        | Tag::BOOT_PATCH_LEVEL => element.decode_as::<u64>().ok().map(Value::Integer),
        Tag::ATTESTATION_APPLICATION_ID => octets(element).and_then(ApplicationId::parse).map(Value::ApplicationId),
        Tag::APPLICATION_ID
        | Tag::ATTESTATION_ID_BRAND
        | Tag::ATTESTATION_ID_DEVICE
        | Tag::ATTESTATION_ID_PRODUCT
        | Tag::ATTESTATION_ID_SERIAL
        | Tag::ATTESTATION_ID_IMEI
        | Tag::ATTESTATION_ID_MEID
        | Tag::ATTESTATION_ID_MANUFACTURER
        | Tag::ATTESTATION_ID_MODEL
        | Tag::ATTESTATION_ID_SECOND_IMEI
        | Tag::MODULE_HASH => octets(element)
            .filter(|bytes| bytes.len() <= MAX_BYTES)
            .map(|bytes| Value::Bytes(bytes.to_vec())),
        Tag::ROOT_OF_TRUST => return root_of_trust(element).map(Value::RootOfTrust),
        _ => element.to_der().ok().map(Value::Unknown),
    };
    value.ok_or(malformed)
}

/// The content of an OCTET STRING.
pub(super) fn octets(element: AnyRef<'_>) -> Option<&[u8]> {
    (element.tag() == DerTag::OctetString).then(|| element.value())
}

fn integers(element: AnyRef<'_>) -> Option<Vec<u64>> {
    if element.tag() != DerTag::Set {
        return None;
    }
    let mut reader = SliceReader::new(element.value()).ok()?;
    let mut numbers = Vec::new();
    while !reader.is_finished() {
        if numbers.len() >= MAX_SET {
            return None;
        }
        numbers.push(u64::decode(&mut reader).ok()?);
    }
    Some(numbers)
}

fn root_of_trust(element: AnyRef<'_>) -> Result<RootOfTrust, DescriptionError> {
    let shape = DescriptionError::RootOfTrust;
    if element.tag() != DerTag::Sequence {
        return Err(shape);
    }
    let mut reader = SliceReader::new(element.value()).map_err(|_| shape)?;
    let key = AnyRef::decode(&mut reader).ok().and_then(octets).ok_or(shape)?;
    // DER knows one byte for true, 0xff; anything else is malformed and not "somehow true".
    let device_locked = bool::decode(&mut reader).map_err(|_| shape)?;
    let state = AnyRef::decode(&mut reader).map_err(|_| shape)?;
    let verified_boot_state = match (state.tag(), state.value()) {
        (DerTag::Enumerated, [0]) => VerifiedBootState::Verified,
        (DerTag::Enumerated, [1]) => VerifiedBootState::SelfSigned,
        (DerTag::Enumerated, [2]) => VerifiedBootState::Unverified,
        (DerTag::Enumerated, [3]) => VerifiedBootState::Failed,
        _ => return Err(shape),
    };
    let hash = if reader.is_finished() {
        None
    } else {
        Some(AnyRef::decode(&mut reader).ok().and_then(octets).ok_or(shape)?)
    };
    if !reader.is_finished() || key.len() > MAX_BYTES || hash.is_some_and(|hash| hash.len() > MAX_BYTES) {
        return Err(shape);
    }
    Ok(RootOfTrust {
        verified_boot_key: key.to_vec(),
        device_locked,
        verified_boot_state,
        verified_boot_hash: hash.map(<[u8]>::to_vec),
    })
}
