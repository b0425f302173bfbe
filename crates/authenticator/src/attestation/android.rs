//! Android Key Attestation: the device's secure environment says where a key lives and what may use it.
//!
//! Checks, in this order: the chain up to a pinned root; the attestation extension in the leaf and nowhere else; the
//! extension's form; that StrongBox is claimed only by a key certified for it; the challenge; the key; that the key was
//! made in hardware, to sign. What is left (which security level, boot state, patch level, app, unlock rule suffices)
//! is judged by [`super::policy`].
//!
//! Where the chain's rules come from. The leaf's dates are written by the device and may be nonsense (1970 to 2106), so
//! they do not count; every other certificate's do, at the moment of enrolment: remotely provisioned ones live about
//! two weeks, so a chain cannot be judged later, and phones whose keys were put in at the factory in 2016 have no valid
//! chain since May 2026. The certificate above the leaf is not asked to be an authority: some
//! real devices say `CA:FALSE` there. So that an app cannot use *its* attested key as that certificate and write
//! itself an attestation, a chain with an attestation extension anywhere but in the leaf is refused; keys made to
//! attest other keys (`ATTEST_KEY`) are refused with it.

pub mod application;
pub mod authorizations;
pub mod description;
pub mod status;

use der::asn1::ObjectIdentifier;
use jose::UnixTime;
use jose::jwk::P256PublicKey;

use self::authorizations::Tag;
use self::description::{DescriptionError, KeyDescription, SecurityLevel};
use self::status::{ListedCertificate, StatusList};
use super::cbor::Item;
use super::roots::Roots;
use super::x509::{AnchoredChain, Certificate, ChainError, ChainRules, KeyKind, verify_chain};

/// OID of the attestation extension.
pub const ATTESTATION_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.17");
/// OID of the extension about remote provisioning.
pub const PROVISIONING_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.30");
/// nameConstraints, which certificates of some makers carry; names of people or hosts do not occur here.
const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");

const STRONG_BOX_ROLE: &str = "StrongBox";
const PURPOSE_SIGN: u64 = 2;
const PURPOSE_VERIFY: u64 = 3;
const ALGORITHM_EC: u64 = 3;
const CURVE_P256: u64 = 1;
const ORIGIN_GENERATED: u64 = 0;

/// Why an attestation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AndroidError {
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// No attestation in the leaf.
    #[error("attestation: the leaf has no attestation extension ({ATTESTATION_EXTENSION})")]
    ExtensionMissing,
    /// An attested key issued certificates.
    #[error("attestation: certificate {index} is attested itself; only the leaf may be")]
    ExtensionAboveLeaf {
        /// Which, counted from the leaf.
        index: usize,
    },
    /// The extension.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// The extension about provisioning.
    #[error("attestation: the provisioning extension is not a CBOR map with a number at key 1")]
    ProvisioningInfo,
    /// Another challenge.
    #[error("attestation: it repeats another challenge")]
    Challenge,
    /// An RSA, P-384 or ML-DSA key. Device keys are P-256 because assertions are ES256.
    #[error("attestation: the attested key is {0:?}, expected P-256")]
    KeyKind(KeyKind),
    /// Another key than the one to be bound.
    #[error("attestation: the attested key is not the key to be bound")]
    Key,
    /// The certificate says P-256, the secure environment does not.
    #[error("attestation: algorithm and curve are not EC P-256 in the hardware-enforced list")]
    Algorithm,
    /// Imported or derived: nobody knows where else it lives.
    #[error("attestation: origin must be GENERATED in the hardware-enforced list")]
    Origin,
    /// Usable for more than signatures, or not for them.
    #[error("attestation: purpose must be SIGN, with or without VERIFY, in the hardware-enforced list")]
    Purpose,
    /// Claimed by a key that was not certified for it: a leaked key of a weaker environment could claim anything.
    #[error("attestation: security level StrongBox, but the attestation key is not certified as StrongBox")]
    LevelNotCertified,
    /// The system attests, not the hardware.
    #[error("attestation: security level is Software")]
    SoftwareOnly,
}

impl AndroidError {
    /// Stable code for logs and support.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Chain(error) => error.code(),
            Self::ExtensionMissing => "extension-missing",
            Self::ExtensionAboveLeaf { .. } => "extension-above-leaf",
            Self::Description(error) => error.code(),
            Self::ProvisioningInfo => "provisioning-info",
            Self::Challenge => "challenge",
            Self::KeyKind(_) => "key-kind",
            Self::Key => "key",
            Self::Algorithm => "algorithm",
            Self::Origin => "origin",
            Self::Purpose => "purpose",
            Self::LevelNotCertified => "level-not-certified",
            Self::SoftwareOnly => "software-only",
        }
    }
}

/// What the provisioning server says about an attestation key it issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvisioningInfo {
    /// Certificates issued to the device in the last 30 days: a number far above the others' hints at a leaked device.
    pub certificates_issued: u64,
}

/// A chain that ends at a believed root, with what its leaf says. Says nothing yet about *our* key or challenge.
#[derive(Clone)]
pub struct VerifiedChain {
    leaf: Certificate,
    /// Every serial number but the leaf's, which is always 1.
    serials: Vec<Vec<u8>>,
    /// What the leaf says.
    pub description: KeyDescription,
    /// Of the attestation key's certificate; absent where it was put in at the factory.
    pub provisioning: Option<ProvisioningInfo>,
}

impl VerifiedChain {
    /// What kind of key is attested.
    #[must_use]
    pub fn key_kind(&self) -> KeyKind {
        self.leaf.key_kind()
    }

    /// As [`check_hardware_made_it_to_sign`], about what the leaf says.
    pub(crate) fn check_hardware_made_it_to_sign(&self) -> Result<(), AndroidError> {
        check_hardware_made_it_to_sign(&self.description)
    }

    /// What a list says about the chain.
    pub(crate) fn listed(&self, list: &StatusList) -> Option<ListedCertificate> {
        list.listed(&self.serials)
    }
}

impl std::fmt::Debug for VerifiedChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifiedChain")
    }
}

/// What Android attests about a key: facts for [`super::policy`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AndroidFacts {
    /// The description in full.
    pub description: KeyDescription,
    /// About remote provisioning. No policy judges it yet.
    pub provisioning: Option<ProvisioningInfo>,
    /// What the status list says about the chain; `None` where it names none of its certificates.
    pub listed: Option<ListedCertificate>,
    /// When the status list was fetched; `None` where there was none.
    pub status_list_fetched_at: Option<UnixTime>,
}

/// Verifies a chain, leaf first, with or without the root at its end, at the moment of enrolment.
///
/// # Errors
/// [`AndroidError::Chain`], [`AndroidError::ExtensionMissing`], [`AndroidError::ExtensionAboveLeaf`],
/// [`AndroidError::Description`], [`AndroidError::ProvisioningInfo`], [`AndroidError::LevelNotCertified`].
pub fn verify_attestation_chain(
    chain: &[impl AsRef<[u8]>],
    roots: &Roots,
    now: UnixTime,
) -> Result<VerifiedChain, AndroidError> {
    let rules = ChainRules {
        least_length: 2,
        leaf_dates: false,
        without_authority: 2,
        understood: &[NAME_CONSTRAINTS],
    };
    let AnchoredChain {
        leaf,
        above,
        serials_above,
    } = verify_chain(chain, roots, &rules, now)?;
    for (index, certificate) in above.iter().enumerate() {
        if certificate.extension(ATTESTATION_EXTENSION).is_some() {
            return Err(AndroidError::ExtensionAboveLeaf { index: index + 1 });
        }
    }
    let provisioning = above
        .first()
        .and_then(|issuer| issuer.extension(PROVISIONING_EXTENSION))
        .map(provisioning_info)
        .transpose()?;
    let extension = leaf
        .extension(ATTESTATION_EXTENSION)
        .ok_or(AndroidError::ExtensionMissing)?;
    let description = KeyDescription::parse(extension)?;
    check_level_is_certified(&description, above.first())?;
    Ok(VerifiedChain {
        description,
        leaf,
        serials: serials_above,
        provisioning,
    })
}

/// Verifies that the hardware made `key` to sign, and attests to it over `challenge`.
///
/// # Errors
/// [`AndroidError`], the first check that fails.
pub(super) fn verify(
    chain: &[impl AsRef<[u8]>],
    challenge: &[u8; 32],
    key: &P256PublicKey,
    roots: &Roots,
    status: Option<&StatusList>,
    now: UnixTime,
) -> Result<AndroidFacts, AndroidError> {
    let verified = verify_attestation_chain(chain, roots, now)?;
    let description = &verified.description;
    if description.challenge != challenge {
        return Err(AndroidError::Challenge);
    }
    check_key(&verified.leaf, key)?;
    verified.check_hardware_made_it_to_sign()?;
    Ok(AndroidFacts {
        listed: status.and_then(|list| verified.listed(list)),
        status_list_fetched_at: status.map(StatusList::fetched_at),
        provisioning: verified.provisioning,
        description: verified.description,
    })
}

/// Google certifies keys of secure elements as such, in the title or organization of the certificate above the leaf.
fn check_level_is_certified(description: &KeyDescription, issuer: Option<&Certificate>) -> Result<(), AndroidError> {
    let levels = [
        description.attestation_security_level,
        description.key_mint_security_level,
    ];
    let certified = issuer.is_some_and(|issuer| issuer.roles().iter().any(|role| role == STRONG_BOX_ROLE));
    if levels.contains(&SecurityLevel::StrongBox) && !certified {
        return Err(AndroidError::LevelNotCertified);
    }
    Ok(())
}

fn check_key(leaf: &Certificate, key: &P256PublicKey) -> Result<(), AndroidError> {
    if leaf.key_kind() != KeyKind::P256 {
        return Err(AndroidError::KeyKind(leaf.key_kind()));
    }
    match P256PublicKey::from_uncompressed(leaf.key()) {
        Ok(attested) if attested == *key => Ok(()),
        _ => Err(AndroidError::Key),
    }
}

fn check_hardware_made_it_to_sign(description: &KeyDescription) -> Result<(), AndroidError> {
    if description.security_level() == SecurityLevel::Software {
        return Err(AndroidError::SoftwareOnly);
    }
    let list = &description.hardware_enforced;
    // The curve's tag came with version 3; before that the size says as much.
    let curve = list.integer(Tag::EC_CURVE);
    let is_p256 = curve == Some(CURVE_P256) || (curve.is_none() && list.integer(Tag::KEY_SIZE) == Some(256));
    if list.integer(Tag::ALGORITHM) != Some(ALGORITHM_EC) || !is_p256 {
        return Err(AndroidError::Algorithm);
    }
    if list.integer(Tag::ORIGIN) != Some(ORIGIN_GENERATED) {
        return Err(AndroidError::Origin);
    }
    let purposes = list.integers(Tag::PURPOSE);
    let only_signatures = purposes
        .iter()
        .all(|purpose| [PURPOSE_SIGN, PURPOSE_VERIFY].contains(purpose));
    if !only_signatures || !purposes.contains(&PURPOSE_SIGN) {
        return Err(AndroidError::Purpose);
    }
    Ok(())
}

fn provisioning_info(cbor: &[u8]) -> Result<ProvisioningInfo, AndroidError> {
    Item::parse(cbor)
        .as_ref()
        .and_then(Item::map)
        .and_then(|map| map.iter().find(|(key, _)| *key == Item::Integer(1)))
        .and_then(|(_, value)| match value {
            Item::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        })
        .map(|certificates_issued| ProvisioningInfo { certificates_issued })
        .ok_or(AndroidError::ProvisioningInfo)
}

#[cfg(test)]
mod recorded_tests;
#[cfg(test)]
mod tests;
