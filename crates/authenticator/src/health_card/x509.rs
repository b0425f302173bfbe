//! What cards, authorities and revocation lists have in common: signed DER and names. Attestation chains of phones use
//! what is not about Brainpool.

use std::collections::BTreeMap;

use der::asn1::{Any, BitString, ObjectIdentifier};
use der::{Decode, Encode, Reader, SliceReader, Tag, Tagged};
use ecdsa::signature::Verifier;
use jose::UnixTime;
use x509_cert::ext::Extensions;
use x509_cert::name::Name;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::Time;

/// Public key of a card or of an authority, on brainpoolP256r1.
pub(crate) type BrainpoolKey = ecdsa::VerifyingKey<bp256::r1::BrainpoolP256r1>;
/// Signature as raw r ‖ s.
pub(crate) type BrainpoolSignature = bp256::r1::ecdsa::Signature;

/// `ecdsa-with-SHA256` (RFC 5758 §3.2).
pub(crate) const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
/// `countryName`.
pub(crate) const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
/// `organizationName`.
pub(crate) const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
/// `organizationalUnitName`.
pub(crate) const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
/// `commonName`.
pub(crate) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Bytes a signer signed, with the algorithm he names, still in DER.
pub(crate) struct Signed {
    /// The first element of the outer sequence, header included, exactly as received.
    pub content: Vec<u8>,
    /// DER `Ecdsa-Sig-Value`.
    pub signature: BitString,
    /// Inner and outer algorithm identifiers agree and are `ecdsa-with-SHA256`.
    pub algorithm_supported: bool,
}

impl Signed {
    /// Takes the first element of the outer sequence in `der` as signed content.
    pub fn new(
        der: &[u8],
        inner: &AlgorithmIdentifierOwned,
        outer: &AlgorithmIdentifierOwned,
        signature: BitString,
    ) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let content = reader.sequence(|reader| {
            let content = reader.tlv_bytes()?.to_vec();
            reader.drain(reader.remaining_len())?;
            Ok::<_, der::Error>(content)
        })?;
        let absent_or_null = outer.parameters.as_ref().is_none_or(Any::is_null);
        let algorithm_supported = inner == outer && outer.oid == ECDSA_WITH_SHA256 && absent_or_null;
        Ok(Self {
            content,
            signature,
            algorithm_supported,
        })
    }

    /// Whether `key` made the signature over the content.
    pub fn is_signed_by(&self, key: &BrainpoolKey) -> bool {
        self.algorithm_supported
            && self
                .signature
                .as_bytes()
                .is_some_and(|der| verifies_der(key, &self.content, der))
    }
}

fn verifies_der(key: &BrainpoolKey, message: &[u8], signature: &[u8]) -> bool {
    bp256::r1::ecdsa::DerSignature::from_bytes(signature)
        .ok()
        .and_then(|der| BrainpoolSignature::try_from(der).ok())
        .is_some_and(|signature| key.verify(message, &signature).is_ok())
}

/// The brainpoolP256r1 key in a `SubjectPublicKeyInfo`; `None` for any other algorithm, curve or a point off the curve.
pub(crate) fn brainpool_key(spki: &SubjectPublicKeyInfoOwned) -> Option<BrainpoolKey> {
    const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const BRAINPOOL_P256_R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.7");
    let curve: ObjectIdentifier = spki.algorithm.parameters.as_ref()?.decode_as().ok()?;
    if spki.algorithm.oid != EC_PUBLIC_KEY || curve != BRAINPOOL_P256_R1 {
        return None;
    }
    BrainpoolKey::from_sec1_bytes(spki.subject_public_key.as_bytes()?).ok()
}

/// Values of one attribute type in a name, in order; values that are not UTF-8 or ASCII text are left out.
pub(crate) fn attributes(name: &Name, oid: ObjectIdentifier) -> Vec<String> {
    name.iter()
        .filter(|attribute| attribute.oid == oid)
        .filter_map(|attribute| text(&attribute.value))
        .collect()
}

fn text(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => {
            std::str::from_utf8(value.value()).ok().map(str::to_owned)
        }
        _ => None,
    }
}

/// The DER of a name: what names are compared by (RFC 5280 §7.1, in the stricter reading of byte equality).
pub(crate) fn name_der(name: &Name) -> der::Result<Vec<u8>> {
    name.to_der()
}

/// A certificate's or list's moment in seconds since 1970.
pub(crate) fn unix_time(time: Time) -> UnixTime {
    UnixTime(time.to_unix_duration().as_secs())
}

/// Extensions by identifier; `None` where one stands twice (RFC 5280 §4.2).
pub(crate) fn by_identifier(extensions: Option<&Extensions>) -> Option<BTreeMap<ObjectIdentifier, (bool, &[u8])>> {
    let mut map = BTreeMap::new();
    for extension in extensions.into_iter().flatten() {
        if map
            .insert(extension.extn_id, (extension.critical, extension.extn_value.as_bytes()))
            .is_some()
        {
            return None;
        }
    }
    Some(map)
}

/// Reads one extension's value.
pub(crate) fn decode<'a, T: Decode<'a>>(value: &'a [u8]) -> Option<T> {
    T::from_der(value).ok()
}

/// DER, from DER or from a PEM block.
pub(crate) fn der_or_pem(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"-----BEGIN ") {
        return Some(bytes.to_vec());
    }
    let text = std::str::from_utf8(bytes).ok()?;
    der::Document::from_pem(text.trim_end())
        .ok()
        .map(|(_, document)| document.into_vec())
}

/// A serial number's bytes without leading zeros, so that an INTEGER's sign byte does not matter.
pub(crate) fn serial(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default().to_vec()
}
