//! Writes X.509 certificates and revocation lists: DER in, DER out.
//!
//! One small writer for brainpoolP256r1 (cards) and P-256 (everything else), because no library signs for both. It
//! stands alone: the tests of `authenticator` include this file to make certificates that are wrong in one point.

use ecdsa::signature::Signer as _;
use jose::{SoftwareKey, UnixTime};
use sha2::{Digest, Sha256};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{DateTime, Encode};
use x509_cert::time::Time;

/// Why nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PkiError {
    /// Not between 1970 and 9999.
    #[error("pki: a moment cannot be written as an X.509 time")]
    Time,
    /// The key refused.
    #[error("pki: the issuing key did not sign")]
    Signing,
    /// No private key of the curve.
    #[error("pki: not a private key of the expected curve")]
    Key,
}

/// A key that issues certificates: ECDSA with SHA-256.
pub enum IssuerKey {
    /// On brainpoolP256r1; signatures are deterministic (RFC 6979).
    Brainpool(Box<ecdsa::SigningKey<bp256::r1::BrainpoolP256r1>>),
    /// On P-256.
    P256(Box<SoftwareKey>),
}

impl IssuerKey {
    /// DER `SubjectPublicKeyInfo`.
    pub fn spki(&self) -> Vec<u8> {
        match self {
            Self::Brainpool(key) => brainpool_spki(key.verifying_key()),
            Self::P256(key) => key.public_key().to_spki_der(),
        }
    }

    /// DER `Ecdsa-Sig-Value`.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PkiError> {
        let raw: [u8; 64] = match self {
            Self::Brainpool(key) => {
                let signature: bp256::r1::ecdsa::Signature = key.try_sign(message).map_err(|_| PkiError::Signing)?;
                signature
                    .to_bytes()
                    .as_slice()
                    .try_into()
                    .map_err(|_| PkiError::Signing)?
            }
            Self::P256(key) => jose::Signer::sign(&**key, message).map_err(|_| PkiError::Signing)?,
        };
        let (r, s) = raw.split_at(32);
        Ok(sequence(&[&integer(r), &integer(s)]))
    }
}

/// DER `SubjectPublicKeyInfo` of a brainpoolP256r1 key.
pub fn brainpool_spki(key: &ecdsa::VerifyingKey<bp256::r1::BrainpoolP256r1>) -> Vec<u8> {
    let algorithm = sequence(&[&oid(EC_PUBLIC_KEY), &oid(BRAINPOOL_P256_R1)]);
    sequence(&[&algorithm, &bit_string(key.to_sec1_point(false).as_bytes(), 0)])
}

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const BRAINPOOL_P256_R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.7");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// `countryName`; written as PrintableString.
pub const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
/// `organizationName`
pub const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
/// `organizationalUnitName`
pub const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
/// `commonName`
pub const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// `surname`
pub const SURNAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.4");
/// `givenName`
pub const GIVEN_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.42");

/// keyUsage bit digitalSignature, as [`key_usage`] takes it.
pub const DIGITAL_SIGNATURE: u8 = 0b1000_0000;
/// keyUsage bits keyCertSign and cRLSign.
pub const CERTIFICATE_AND_LIST_SIGN: u8 = 0b0000_0110;

/// What a certificate is to say.
#[derive(Clone)]
pub struct Template {
    /// Big-endian, any length up to 20.
    pub serial: Vec<u8>,
    /// DER name.
    pub issuer: Vec<u8>,
    /// First second of validity.
    pub not_before: UnixTime,
    /// Last second of validity.
    pub not_after: UnixTime,
    /// DER name.
    pub subject: Vec<u8>,
    /// DER `SubjectPublicKeyInfo`.
    pub spki: Vec<u8>,
    /// DER extensions, in order.
    pub extensions: Vec<Vec<u8>>,
}

/// Signs a certificate.
///
/// # Errors
/// [`PkiError`].
pub fn certificate(template: &Template, key: &IssuerKey) -> Result<Vec<u8>, PkiError> {
    let extensions: Vec<&[u8]> = template.extensions.iter().map(Vec::as_slice).collect();
    let body = sequence(&[
        &explicit(0, &integer(&[2])),
        &integer(&template.serial),
        &signature_algorithm(),
        &template.issuer,
        &sequence(&[&time(template.not_before)?, &time(template.not_after)?]),
        &template.subject,
        &template.spki,
        &explicit(3, &sequence(&extensions)),
    ]);
    signed(body, key)
}

/// Signs a revocation list, version 2: each entry a serial number and since when.
///
/// # Errors
/// [`PkiError`].
pub fn revocation_list(
    issuer: &[u8],
    revoked: &[(Vec<u8>, UnixTime)],
    this_update: UnixTime,
    next_update: UnixTime,
    extensions: &[Vec<u8>],
    key: &IssuerKey,
) -> Result<Vec<u8>, PkiError> {
    let entries = revoked
        .iter()
        .map(|(serial, since)| Ok(sequence(&[&integer(serial), &time(*since)?])))
        .collect::<Result<Vec<_>, PkiError>>()?;
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
    // An empty list of entries is left out altogether (RFC 5280 §5.1.2.6).
    let entries = if entries.is_empty() {
        Vec::new()
    } else {
        sequence(&entries)
    };
    let body = sequence(&[
        &integer(&[1]),
        &signature_algorithm(),
        issuer,
        &time(this_update)?,
        &time(next_update)?,
        &entries,
        &explicit(0, &sequence(&extensions)),
    ]);
    signed(body, key)
}

/// A name: one attribute per relative distinguished name, in order.
pub fn name(attributes: &[(ObjectIdentifier, &str)]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(kind, value)| {
            let tag = if *kind == COUNTRY { 0x13 } else { 0x0c };
            element(0x31, &sequence(&[&oid(*kind), &element(tag, value.as_bytes())]))
        })
        .collect();
    sequence(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// Any extension.
pub fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { element(0x01, &[0xff]) } else { Vec::new() };
    // Callers write identifiers as literals; one that is not is left out and refused by every reader.
    let id = ObjectIdentifier::new(id).map(oid).unwrap_or_default();
    sequence(&[&id, &critical, &element(0x04, value)])
}

/// basicConstraints, critical; an authority issues end entities only.
pub fn basic_constraints(authority: bool) -> Vec<u8> {
    let value = if authority {
        sequence(&[&element(0x01, &[0xff]), &integer(&[0])])
    } else {
        sequence(&[])
    };
    extension("2.5.29.19", true, &value)
}

/// keyUsage, critical; `bits` from the most significant: digitalSignature, nonRepudiation, …
pub fn key_usage(bits: u8) -> Vec<u8> {
    let unused = u8::try_from(bits.trailing_zeros().min(7)).unwrap_or(7);
    extension("2.5.29.15", true, &bit_string(&[bits], unused))
}

/// certificatePolicies without qualifiers.
pub fn policies(identifiers: &[&str]) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = identifiers
        .iter()
        .map(|id| sequence(&[&ObjectIdentifier::new(id).map(oid).unwrap_or_default()]))
        .collect();
    extension(
        "2.5.29.32",
        false,
        &sequence(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>()),
    )
}

/// admission (1.3.36.8.3.3) with one profession: its text and its identifier.
pub fn admission(text: &str, profession: &str) -> Vec<u8> {
    let id = ObjectIdentifier::new(profession).map(oid).unwrap_or_default();
    let info = sequence(&[&sequence(&[&element(0x0c, text.as_bytes())]), &sequence(&[&id])]);
    extension(
        "1.3.36.8.3.3",
        false,
        &sequence(&[&sequence(&[&sequence(&[&sequence(&[&info])])])]),
    )
}

/// subjectKeyIdentifier of a key.
pub fn subject_key_identifier(spki: &[u8]) -> Vec<u8> {
    extension("2.5.29.14", false, &element(0x04, &key_identifier(spki)))
}

/// authorityKeyIdentifier naming the issuer's key.
pub fn authority_key_identifier(issuer_spki: &[u8]) -> Vec<u8> {
    extension(
        "2.5.29.35",
        false,
        &sequence(&[&element(0x80, &key_identifier(issuer_spki))]),
    )
}

/// cRLNumber.
pub fn crl_number(number: u64) -> Vec<u8> {
    extension("2.5.29.20", false, &integer(&number.to_be_bytes()))
}

/// subjectAltName with DNS names and addresses.
pub fn subject_alt_name(dns_names: &[&str], addresses: &[std::net::IpAddr]) -> Vec<u8> {
    let names = dns_names.iter().map(|name| element(0x82, name.as_bytes()));
    let addresses = addresses.iter().map(|address| match address {
        std::net::IpAddr::V4(v4) => element(0x87, &v4.octets()),
        std::net::IpAddr::V6(v6) => element(0x87, &v6.octets()),
    });
    let entries: Vec<Vec<u8>> = names.chain(addresses).collect();
    extension(
        "2.5.29.17",
        false,
        &sequence(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>()),
    )
}

/// extendedKeyUsage.
pub fn extended_key_usage(purposes: &[&str]) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = purposes
        .iter()
        .map(|id| ObjectIdentifier::new(id).map(oid).unwrap_or_default())
        .collect();
    extension(
        "2.5.29.37",
        false,
        &sequence(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>()),
    )
}

/// Leftmost 20 bytes of SHA-256 over the point (RFC 7093 §2, method 1).
fn key_identifier(spki: &[u8]) -> Vec<u8> {
    let point = spki.get(spki.len().saturating_sub(65)..).unwrap_or_default();
    Sha256::digest(point).iter().copied().take(20).collect()
}

fn signed(body: Vec<u8>, key: &IssuerKey) -> Result<Vec<u8>, PkiError> {
    let signature = bit_string(&key.sign(&body)?, 0);
    Ok(sequence(&[&body, &signature_algorithm(), &signature]))
}

fn signature_algorithm() -> Vec<u8> {
    sequence(&[&oid(ECDSA_WITH_SHA256)])
}

fn time(moment: UnixTime) -> Result<Vec<u8>, PkiError> {
    let date = DateTime::from_unix_duration(std::time::Duration::from_secs(moment.0)).map_err(|_| PkiError::Time)?;
    Time::from(date).to_der().map_err(|_| PkiError::Time)
}

fn oid(id: ObjectIdentifier) -> Vec<u8> {
    element(0x06, id.as_bytes())
}

fn bit_string(bytes: &[u8], unused: u8) -> Vec<u8> {
    element(0x03, &[&[unused], bytes].concat())
}

/// An unsigned integer, big-endian.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    match bytes.get(zeros..).unwrap_or_default() {
        [] => element(0x02, &[0]),
        digits @ [first, ..] if *first >= 0x80 => element(0x02, &[&[0], digits].concat()),
        digits => element(0x02, digits),
    }
}

fn explicit(number: u8, content: &[u8]) -> Vec<u8> {
    element(0xa0 | number, content)
}

/// A SEQUENCE of elements.
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// Tag, length, value.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let mut der = vec![tag];
    match length.get(zeros..).unwrap_or_default() {
        [] => der.push(0),
        [short] if *short < 0x80 => der.push(*short),
        long => {
            der.push(0x80 | u8::try_from(long.len()).unwrap_or(0));
            der.extend_from_slice(long);
        }
    }
    der.extend_from_slice(content);
    der
}

/// nameConstraints, critical: only these DNS names (with everything below them) and loopback addresses.
pub fn name_constraints(dns_names: &[&str]) -> Vec<u8> {
    let names = dns_names
        .iter()
        .map(|name| sequence(&[&element(0x82, name.as_bytes())]));
    let v4 = sequence(&[&element(0x87, &[127, 0, 0, 0, 255, 0, 0, 0])]);
    let mut v6 = [0u8; 32];
    v6[15] = 1;
    v6[16..].fill(0xff);
    let v6 = sequence(&[&element(0x87, &v6)]);
    let permitted: Vec<u8> = names.chain([v4, v6]).flatten().collect();
    extension("2.5.29.30", true, &sequence(&[&explicit(0, &permitted)]))
}
