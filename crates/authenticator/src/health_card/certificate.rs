//! The card's authentication certificate C.CH.AUT, read but not believed.

use std::fmt;

use der::Decode;
use der::asn1::ObjectIdentifier;
use jose::UnixTime;
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies, KeyUsage};

use super::admission::{ADMISSION, profession_oids};
use super::x509::{self, BrainpoolKey, Signed};

/// Largest certificate read. Cards of the test PKI have 0.9 KiB.
pub const MAX_CERTIFICATE_BYTES: usize = 4096;

const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
/// Extensions that may be critical because this crate understands them.
const UNDERSTOOD: [ObjectIdentifier; 4] = [KEY_USAGE, BASIC_CONSTRAINTS, CERTIFICATE_POLICIES, ADMISSION];

/// The bytes are no X.509 version 3 certificate in DER, too long, or an extension stands twice or is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "x5c: expected one DER certificate, X.509 version 3, at most {MAX_CERTIFICATE_BYTES} bytes (RFC 5280 section 4.1)"
)]
pub struct CertificateError;

/// What a certificate says, before anybody checked that it may say so. Serves cards and authorities.
///
/// Holds personal data (names, KVNR): `Debug` prints the type only.
pub struct UnverifiedCertificate {
    pub(crate) signed: Signed,
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    pub(crate) key: Option<BrainpoolKey>,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) is_authority: bool,
    pub(crate) policies: Vec<ObjectIdentifier>,
    pub(crate) professions: Option<Vec<ObjectIdentifier>>,
    pub(crate) authority_key_identifier: Option<Vec<u8>>,
    pub(crate) subject_key_identifier: Option<Vec<u8>>,
    pub(crate) unknown_critical_extension: bool,
    organizational_units: Vec<String>,
    common_name: Option<String>,
    issuer_common_name: Option<String>,
    not_before: UnixTime,
    not_after: UnixTime,
}

impl UnverifiedCertificate {
    /// Reads DER. Total: every input gives a value or an error.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError);
        }
        read(der).ok_or(CertificateError)
    }

    /// First second in which the certificate is valid.
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// Last second in which the certificate is valid.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// The subject's common name: on a card, the person's name as of issuance.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The issuer's common name, such as `GEM.EGK-CA51 TEST-ONLY`.
    #[must_use]
    pub fn issuer_common_name(&self) -> Option<&str> {
        self.issuer_common_name.as_deref()
    }

    /// The serial number in lower-case hexadecimal without leading zero bytes.
    #[must_use]
    pub fn serial_hex(&self) -> String {
        self.serial.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The subject's organizational units in the certificate's order. On a card: IK and KVNR, in either order.
    #[must_use]
    pub fn organizational_units(&self) -> &[String] {
        &self.organizational_units
    }

    /// The public point in SEC 1 form, 65 bytes; `None` where the key is not on brainpoolP256r1.
    #[must_use]
    pub fn brainpool_point(&self) -> Option<Vec<u8>> {
        self.key
            .as_ref()
            .map(|key| key.to_sec1_point(false).as_bytes().to_vec())
    }
}

impl fmt::Debug for UnverifiedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedCertificate")
    }
}

fn read(der: &[u8]) -> Option<UnverifiedCertificate> {
    let certificate = Certificate::from_der(der).ok()?;
    let body = certificate.tbs_certificate();
    if body.version() != Version::V3 {
        return None;
    }
    let signed = Signed::new(
        der,
        body.signature(),
        certificate.signature_algorithm(),
        certificate.signature().clone(),
    )
    .ok()?;
    let extensions = x509::by_identifier(body.extensions())?;
    let value = |oid| extensions.get(&oid).map(|(_, value)| *value);
    // An extension that is there but malformed makes the whole certificate malformed, never "absent".
    let key_usage = value(KEY_USAGE)
        .map(|v| x509::decode::<KeyUsage>(v).ok_or(()))
        .transpose()
        .ok()?;
    let constraints = value(BASIC_CONSTRAINTS)
        .map(|v| x509::decode::<BasicConstraints>(v).ok_or(()))
        .transpose()
        .ok()?;
    let policies = value(CERTIFICATE_POLICIES)
        .map(|v| x509::decode::<CertificatePolicies>(v).ok_or(()))
        .transpose()
        .ok()?;
    let professions = value(ADMISSION)
        .map(|v| profession_oids(v).ok_or(()))
        .transpose()
        .ok()?;
    let authority_key_identifier = value(AUTHORITY_KEY_IDENTIFIER)
        .map(|v| x509::decode::<AuthorityKeyIdentifier>(v).ok_or(()))
        .transpose()
        .ok()?
        .and_then(|identifier| identifier.key_identifier)
        .map(|identifier| identifier.as_bytes().to_vec());
    let subject_key_identifier = value(SUBJECT_KEY_IDENTIFIER)
        .map(|v| x509::decode::<der::asn1::OctetString>(v).ok_or(()))
        .transpose()
        .ok()?
        .map(|identifier| identifier.as_bytes().to_vec());
    let unknown_critical_extension = extensions
        .iter()
        .any(|(oid, (critical, _))| *critical && !UNDERSTOOD.contains(oid));
    Some(UnverifiedCertificate {
        signed,
        issuer: x509::name_der(body.issuer()).ok()?,
        subject: x509::name_der(body.subject()).ok()?,
        serial: x509::serial(body.serial_number().as_bytes()),
        key: x509::brainpool_key(body.subject_public_key_info()),
        key_usage,
        is_authority: constraints.is_some_and(|constraints| constraints.ca),
        policies: policies
            .into_iter()
            .flat_map(|p| p.0)
            .map(|policy| policy.policy_identifier)
            .collect(),
        professions,
        authority_key_identifier,
        subject_key_identifier,
        unknown_critical_extension,
        organizational_units: x509::attributes(body.subject(), x509::ORGANIZATIONAL_UNIT),
        common_name: x509::attributes(body.subject(), x509::COMMON_NAME).pop(),
        issuer_common_name: x509::attributes(body.issuer(), x509::COMMON_NAME).pop(),
        not_before: x509::unix_time(body.validity().not_before),
        not_after: x509::unix_time(body.validity().not_after),
    })
}
