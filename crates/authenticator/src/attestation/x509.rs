//! Certificates of attestation chains: read strictly, verified with the algorithms that occur, nothing else.
//!
//! Not a general path validation: a chain comes in order, leaf first, and has exactly the shape its platform gives it.
//! What the platforms have in common is here; what they differ in (whose dates count, who may issue) is a parameter.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use der::asn1::{Any, ObjectIdentifier};
use der::{Decode, Encode, Reader, SliceReader};
use jose::UnixTime;
use x509_cert::Version;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::roots::Roots;
use crate::health_card::x509;

/// Largest certificate read; the largest of the recorded chains, with an ML-DSA-65 key, has 2.6 kB.
pub const MAX_CERTIFICATE_BYTES: usize = 8 * 1024;
/// Most certificates of one chain; the longest real one has five.
pub const MAX_CERTIFICATES: usize = 8;

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// id-ml-dsa-44, -65, -87 (FIPS 204).
const ML_DSA: [ObjectIdentifier; 3] = [
    ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17"),
    ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18"),
    ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19"),
];
const TITLE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.12");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

/// Why a chain is refused. `index` counts from the leaf, which is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No certificate, or more than [`MAX_CERTIFICATES`].
    #[error("chain: expected 2 to {MAX_CERTIFICATES} certificates, leaf first")]
    Length,
    /// Not one X.509 version 3 certificate in DER, or longer than [`MAX_CERTIFICATE_BYTES`].
    #[error("chain: certificate {index} is no X.509 version 3 certificate of at most {MAX_CERTIFICATE_BYTES} bytes")]
    Malformed {
        /// Which.
        index: usize,
    },
    /// Not issued by one of the roots.
    #[error("chain: it does not end at a root believed here")]
    UnknownRoot,
    /// The name of the next certificate is not the issuer's.
    #[error("chain: certificate {index} names another issuer than the certificate after it")]
    IssuerName {
        /// Which.
        index: usize,
    },
    /// Signed with an algorithm, or by a kind of key, that no attestation chain needs. ML-DSA is among them.
    #[error(
        "chain: certificate {index} must be signed by ECDSA (P-256, P-384; SHA-256, SHA-384) or RSA PKCS #1 SHA-256"
    )]
    Algorithm {
        /// Which.
        index: usize,
    },
    /// The signature is not the issuer's.
    #[error("chain: the signature of certificate {index} is not its issuer's")]
    Signature {
        /// Which.
        index: usize,
    },
    /// Too early.
    #[error("chain: certificate {index} is not valid yet")]
    NotYetValid {
        /// Which.
        index: usize,
    },
    /// Too late.
    #[error("chain: certificate {index} has expired")]
    Expired {
        /// Which.
        index: usize,
    },
    /// It issued a certificate although it says it may not, or stands further from the leaf than it may.
    #[error("chain: certificate {index} may not issue what is below it (RFC 5280 sections 4.2.1.3, 4.2.1.9)")]
    NotAnAuthority {
        /// Which.
        index: usize,
    },
    /// It demands what is not understood here.
    #[error("chain: certificate {index} has a critical extension that is not understood (RFC 5280 section 4.2)")]
    CriticalExtension {
        /// Which.
        index: usize,
    },
}

impl ChainError {
    /// Stable code for logs and support.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Length => "chain-length",
            Self::Malformed { .. } => "chain-malformed",
            Self::UnknownRoot => "chain-unknown-root",
            Self::IssuerName { .. } => "chain-issuer-name",
            Self::Algorithm { .. } => "chain-algorithm",
            Self::Signature { .. } => "chain-signature",
            Self::NotYetValid { .. } => "chain-not-yet-valid",
            Self::Expired { .. } => "chain-expired",
            Self::NotAnAuthority { .. } => "chain-not-an-authority",
            Self::CriticalExtension { .. } => "chain-critical-extension",
        }
    }
}

/// What kind of key a certificate certifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Elliptic curve P-256.
    P256,
    /// Elliptic curve P-384.
    P384,
    /// RSA of any length.
    Rsa,
    /// ML-DSA of any parameter set (FIPS 204).
    MlDsa,
    /// Anything else.
    Other,
}

/// A certificate, well formed, nothing else.
#[derive(Clone)]
pub(crate) struct Certificate {
    /// The signed part exactly as received.
    signed: Vec<u8>,
    /// Algorithm of the signature; `None` where inner and outer differ or parameters are given.
    algorithm: Option<ObjectIdentifier>,
    signature: Vec<u8>,
    issuer: Vec<u8>,
    subject: Vec<u8>,
    spki: Vec<u8>,
    key: Vec<u8>,
    key_kind: KeyKind,
    /// Without leading zeros.
    serial: Vec<u8>,
    not_before: UnixTime,
    not_after: UnixTime,
    /// Titles and organizations in the subject.
    roles: Vec<String>,
    /// Country, organization, unit and common name of the subject, in this order, each as often as it stands there.
    subject_attributes: Vec<(ObjectIdentifier, String)>,
    /// `None` where basicConstraints are absent.
    is_authority: Option<bool>,
    path_length: Option<u8>,
    /// `None` where keyUsage is absent.
    may_sign_certificates: Option<bool>,
    extensions: BTreeMap<ObjectIdentifier, (bool, Vec<u8>)>,
}

impl Certificate {
    /// Reads a certificate. Total; verifies nothing. `None` also where an extension stands twice.
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return None;
        }
        let certificate = x509_cert::Certificate::from_der(der).ok()?;
        let body = certificate.tbs_certificate();
        if body.version() != Version::V3 {
            return None;
        }
        let extensions: BTreeMap<_, _> = x509::by_identifier(body.extensions())?
            .into_iter()
            .map(|(id, (critical, value))| (id, (critical, value.to_vec())))
            .collect();
        // An extension that is there but malformed makes the whole certificate malformed, never "absent".
        let value = |id| extensions.get(&id).map(|(_, value): &(bool, Vec<u8>)| value.as_slice());
        let constraints: Option<BasicConstraints> = optional(value(BASIC_CONSTRAINTS))?;
        let usage: Option<KeyUsage> = optional(value(KEY_USAGE))?;
        let outer = certificate.signature_algorithm();
        let sound = body.signature() == outer && outer.parameters.as_ref().is_none_or(Any::is_null);
        let info = body.subject_public_key_info();
        Some(Self {
            signed: first_element(der)?,
            algorithm: sound.then_some(outer.oid),
            signature: certificate.signature().as_bytes()?.to_vec(),
            issuer: x509::name_der(body.issuer()).ok()?,
            subject: x509::name_der(body.subject()).ok()?,
            spki: info.to_der().ok()?,
            key: info.subject_public_key.as_bytes()?.to_vec(),
            key_kind: key_kind(info),
            serial: x509::serial(body.serial_number().as_bytes()),
            not_before: x509::unix_time(body.validity().not_before),
            not_after: x509::unix_time(body.validity().not_after),
            roles: [TITLE, x509::ORGANIZATION]
                .into_iter()
                .flat_map(|id| x509::attributes(body.subject(), id))
                .collect(),
            subject_attributes: [
                x509::COUNTRY,
                x509::ORGANIZATION,
                x509::ORGANIZATIONAL_UNIT,
                x509::COMMON_NAME,
            ]
            .into_iter()
            .flat_map(|id| {
                let values = x509::attributes(body.subject(), id);
                values.into_iter().map(move |value| (id, value))
            })
            .collect(),
            path_length: constraints
                .as_ref()
                .and_then(|constraints| constraints.path_len_constraint),
            is_authority: constraints.map(|constraints| constraints.ca),
            may_sign_certificates: usage.map(|usage| usage.key_cert_sign()),
            extensions,
        })
    }

    /// The content of an extension.
    pub(crate) fn extension(&self, id: ObjectIdentifier) -> Option<&[u8]> {
        self.extensions.get(&id).map(|(_, value)| value.as_slice())
    }

    /// As [`Self::extension`], with whether it is critical.
    pub(crate) fn extension_with_criticality(&self, id: ObjectIdentifier) -> Option<(bool, &[u8])> {
        self.extensions
            .get(&id)
            .map(|(critical, value)| (*critical, value.as_slice()))
    }

    /// The subject's DER.
    pub(crate) fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// Country, organization, unit or common name of the subject.
    pub(crate) fn subject_attributes(&self, id: ObjectIdentifier) -> Vec<&str> {
        let named = self.subject_attributes.iter().filter(|(known, _)| *known == id);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// What basicConstraints say; `None` where they are absent.
    pub(crate) const fn is_authority(&self) -> Option<bool> {
        self.is_authority
    }

    /// Titles and organizations in the subject.
    pub(crate) fn roles(&self) -> &[String] {
        &self.roles
    }

    /// The key's bits: an uncompressed point, or an `RSAPublicKey`.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(crate) fn key_kind(&self) -> KeyKind {
        self.key_kind
    }

    /// Name and key: what makes an anchor the same anchor, whatever its certificate's dates are (RFC 5280 §6.1.1 d).
    fn is_same_authority(&self, other: &Self) -> bool {
        self.subject == other.subject && self.spki == other.spki
    }

    fn check_signature(&self, index: usize, issuer: &Self) -> Result<(), ChainError> {
        let algorithm: &'static dyn VerificationAlgorithm = match (self.algorithm, issuer.key_kind) {
            (Some(ECDSA_WITH_SHA256), KeyKind::P256) => &ECDSA_P256_SHA256_ASN1,
            (Some(ECDSA_WITH_SHA384), KeyKind::P256) => &ECDSA_P256_SHA384_ASN1,
            (Some(ECDSA_WITH_SHA256), KeyKind::P384) => &ECDSA_P384_SHA256_ASN1,
            (Some(ECDSA_WITH_SHA384), KeyKind::P384) => &ECDSA_P384_SHA384_ASN1,
            (Some(SHA256_WITH_RSA), KeyKind::Rsa) => &RSA_PKCS1_2048_8192_SHA256,
            _ => return Err(ChainError::Algorithm { index }),
        };
        UnparsedPublicKey::new(algorithm, &issuer.key)
            .verify(&self.signed, &self.signature)
            .map_err(|_| ChainError::Signature { index })
    }

    /// RFC 5280 §4.1.2.5: both ends belong to the validity.
    fn check_dates(&self, index: usize, now: UnixTime) -> Result<(), ChainError> {
        if now < self.not_before {
            return Err(ChainError::NotYetValid { index });
        }
        if now > self.not_after {
            return Err(ChainError::Expired { index });
        }
        Ok(())
    }

    fn check_is_authority(&self, index: usize) -> Result<(), ChainError> {
        // Between it and the leaf stand `index - 1` others.
        let is_too_far = self.path_length.is_some_and(|limit| index > usize::from(limit) + 1);
        if self.is_authority != Some(true) || self.may_sign_certificates == Some(false) || is_too_far {
            return Err(ChainError::NotAnAuthority { index });
        }
        Ok(())
    }
}

/// How strictly a platform's chain is read.
pub(crate) struct ChainRules<'a> {
    /// How many certificates there are at least.
    pub(crate) least_length: usize,
    /// Whether the leaf's dates count.
    pub(crate) leaf_dates: bool,
    /// How many of the certificates, from the leaf, need not say that they may issue. 1: only the leaf.
    pub(crate) without_authority: usize,
    /// Critical extensions understood beside basicConstraints and keyUsage.
    pub(crate) understood: &'a [ObjectIdentifier],
}

/// A chain up to one of the anchors.
pub(crate) struct AnchoredChain {
    /// The leaf.
    pub(crate) leaf: Certificate,
    /// Those above it and below the anchor.
    pub(crate) above: Vec<Certificate>,
    /// Serial numbers of everything received above the leaf, a copy of the anchor included.
    pub(crate) serials_above: Vec<Vec<u8>>,
}

/// Reads and verifies a chain, leaf first, up to one of the anchors; a copy of the anchor at its end is taken off first.
pub(crate) fn verify_chain(
    chain: &[impl AsRef<[u8]>],
    roots: &Roots,
    rules: &ChainRules<'_>,
    now: UnixTime,
) -> Result<AnchoredChain, ChainError> {
    if !(rules.least_length..=MAX_CERTIFICATES).contains(&chain.len()) {
        return Err(ChainError::Length);
    }
    let mut certificates = Vec::with_capacity(chain.len());
    for (index, der) in chain.iter().enumerate() {
        certificates.push(Certificate::parse(der.as_ref()).ok_or(ChainError::Malformed { index })?);
    }
    let serials_above = certificates.iter().skip(1).map(|above| above.serial.clone()).collect();
    // A leaf that is its own anchor stays: its signature is looked at.
    if certificates.len() > 1
        && certificates
            .last()
            .is_some_and(|last| roots.0.iter().any(|anchor| anchor.is_same_authority(last)))
    {
        certificates.pop();
    }
    // From the anchor down: no key is used before somebody believed vouches for it.
    for (index, certificate) in certificates.iter().enumerate().rev() {
        match certificates.get(index + 1) {
            Some(issuer) => {
                if certificate.issuer != issuer.subject {
                    return Err(ChainError::IssuerName { index });
                }
                certificate.check_signature(index, issuer)?;
            }
            None => check_anchored(certificate, index, roots)?,
        }
        if index > 0 || rules.leaf_dates {
            certificate.check_dates(index, now)?;
        }
        if index >= rules.without_authority {
            certificate.check_is_authority(index)?;
        }
        let understands =
            |id: &ObjectIdentifier| *id == BASIC_CONSTRAINTS || *id == KEY_USAGE || rules.understood.contains(id);
        if certificate
            .extensions
            .iter()
            .any(|(id, (critical, _))| *critical && !understands(id))
        {
            return Err(ChainError::CriticalExtension { index });
        }
    }
    let mut certificates = certificates.into_iter();
    Ok(AnchoredChain {
        leaf: certificates.next().ok_or(ChainError::Length)?,
        above: certificates.collect(),
        serials_above,
    })
}

/// Two anchors may share a name; one of them must have signed.
fn check_anchored(certificate: &Certificate, index: usize, roots: &Roots) -> Result<(), ChainError> {
    let mut refusal = ChainError::UnknownRoot;
    for anchor in roots.0.iter().filter(|anchor| anchor.subject == certificate.issuer) {
        match certificate.check_signature(index, anchor) {
            Ok(()) => return Ok(()),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// `Some(None)` where there is nothing, `None` where there is something malformed.
fn optional<'a, T: Decode<'a>>(value: Option<&'a [u8]>) -> Option<Option<T>> {
    value.map_or(Some(None), |value| x509::decode(value).map(Some))
}

/// The first element of the outer sequence, header included, exactly as received: what is signed.
fn first_element(der: &[u8]) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(der).ok()?;
    reader
        .sequence(|reader| {
            let content = reader.tlv_bytes()?.to_vec();
            reader.drain(reader.remaining_len())?;
            Ok::<_, der::Error>(content)
        })
        .ok()
}

fn key_kind(info: &SubjectPublicKeyInfoOwned) -> KeyKind {
    let algorithm = info.algorithm.oid;
    if algorithm == RSA_ENCRYPTION {
        return KeyKind::Rsa;
    }
    if ML_DSA.contains(&algorithm) {
        return KeyKind::MlDsa;
    }
    let curve = info.algorithm.parameters.as_ref().and_then(|any| any.decode_as().ok());
    match curve {
        Some(P256) if algorithm == EC_PUBLIC_KEY => KeyKind::P256,
        Some(P384) if algorithm == EC_PUBLIC_KEY => KeyKind::P384,
        _ => KeyKind::Other,
    }
}
