//! Certificates and revocation lists, as far as the platforms' own checks need them.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA384, UnparsedPublicKey, VerificationAlgorithm,
};
use der::asn1::ObjectIdentifier;
use der::pem::LineEnding;
use der::{Decode, Encode, EncodePem};
use jose::UnixTime;
use x509_cert::crl::CertificateList;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::ext::pkix::{BasicConstraints, CertificatePolicies, ExtendedKeyUsage, KeyUsage, SubjectAltName};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::error::EvidenceError;

const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// A certificate; its name says in errors which one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    name: &'static str,
    inner: x509_cert::Certificate,
}

impl Certificate {
    pub(crate) fn parse(der: &[u8], name: &'static str) -> Result<Self, EvidenceError> {
        let inner = x509_cert::Certificate::from_der(der).map_err(|_| EvidenceError::Malformed(name))?;
        Ok(Self { name, inner })
    }

    /// A chain of PEM certificates of at most `limit`; a NUL at the end, as Intel writes it, is not part of it.
    pub(crate) fn parse_pem_chain(pem: &[u8], limit: usize, name: &'static str) -> Result<Vec<Self>, EvidenceError> {
        let pem = pem.strip_suffix(&[0]).unwrap_or(pem);
        let chain = x509_cert::Certificate::load_pem_chain(pem).map_err(|_| EvidenceError::Malformed(name))?;
        if chain.is_empty() || chain.len() > limit {
            return Err(EvidenceError::Malformed(name));
        }
        Ok(chain.into_iter().map(|inner| Self { name, inner }).collect())
    }

    pub(crate) fn to_der(&self) -> Result<Vec<u8>, EvidenceError> {
        self.inner.to_der().map_err(|_| EvidenceError::Malformed(self.name))
    }

    /// PEM, as the library wants its chains.
    pub(crate) fn to_pem(&self) -> Result<String, EvidenceError> {
        self.inner
            .to_pem(LineEnding::LF)
            .map_err(|_| EvidenceError::Malformed(self.name))
    }

    /// The bits of the public key: an uncompressed point, or an RSAPublicKey.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.inner
            .tbs_certificate()
            .subject_public_key_info()
            .subject_public_key
            .raw_bytes()
    }

    pub(crate) fn serial_number(&self) -> &[u8] {
        self.inner.tbs_certificate().serial_number().as_bytes()
    }

    pub(crate) fn not_before(&self) -> UnixTime {
        UnixTime(
            self.inner
                .tbs_certificate()
                .validity()
                .not_before
                .to_unix_duration()
                .as_secs(),
        )
    }

    pub(crate) fn not_after(&self) -> UnixTime {
        UnixTime(
            self.inner
                .tbs_certificate()
                .validity()
                .not_after
                .to_unix_duration()
                .as_secs(),
        )
    }

    /// RFC 5280 §4.1.2.5: both ends belong to the validity.
    pub(crate) fn check_dates(&self, now: UnixTime) -> Result<(), EvidenceError> {
        if now < self.not_before() {
            return Err(EvidenceError::NotYetValid(self.name));
        }
        if now > self.not_after() {
            return Err(EvidenceError::Expired(self.name));
        }
        Ok(())
    }

    /// Whether the names fit and the signature verifies with the issuer's key.
    pub(crate) fn is_issued_by(&self, issuer: &Self) -> bool {
        // RFC 5280 §4.1.1.2: the algorithm outside the signature is the one inside.
        self.inner.tbs_certificate().signature() == self.inner.signature_algorithm()
            && self.inner.tbs_certificate().issuer() == issuer.inner.tbs_certificate().subject()
            && self.inner.tbs_certificate().to_der().is_ok_and(|signed| {
                signature_verifies(
                    self.inner.signature_algorithm(),
                    issuer.public_key(),
                    &signed,
                    self.inner.signature().raw_bytes(),
                )
            })
    }

    /// Whether it may issue certificates: RFC 5280 §4.2.1.9, and §4.2.1.3 where it says what its key is for.
    pub(crate) fn is_authority(&self) -> bool {
        let certificate = self.inner.tbs_certificate();
        let may_sign = match certificate.get_extension::<KeyUsage>() {
            Ok(Some((_, usage))) => usage.key_cert_sign(),
            Ok(None) => true,
            Err(_) => false,
        };
        let constraints = self.inner.tbs_certificate().get_extension::<BasicConstraints>();
        may_sign && matches!(constraints, Ok(Some((_, BasicConstraints { ca: true, .. }))))
    }

    /// RFC 5280 §4.2: a critical extension that is not understood makes a certificate unusable. Names of a TPM and
    /// policies are understood to change nothing here.
    pub(crate) fn check_critical_extensions(&self) -> Result<(), EvidenceError> {
        let understood = [
            BasicConstraints::OID,
            KeyUsage::OID,
            ExtendedKeyUsage::OID,
            SubjectAltName::OID,
            CertificatePolicies::OID,
        ];
        let extensions = self.inner.tbs_certificate().extensions().into_iter().flatten();
        if extensions
            .into_iter()
            .any(|extension| extension.critical && !understood.contains(&extension.extn_id))
        {
            return Err(EvidenceError::Chain);
        }
        Ok(())
    }

    /// The content of an extension that is there exactly once.
    pub(crate) fn extension(&self, id: &ObjectIdentifier) -> Result<Option<&[u8]>, EvidenceError> {
        let mut found = self
            .inner
            .tbs_certificate()
            .extensions()
            .into_iter()
            .flatten()
            .filter(|extension| extension.extn_id == *id);
        let first = found.next().map(|extension| extension.extn_value.as_bytes());
        if found.next().is_some() {
            return Err(EvidenceError::Malformed(self.name));
        }
        Ok(first)
    }
}

/// A list of revoked certificates.
#[derive(Debug, Clone)]
pub(crate) struct RevocationList {
    name: &'static str,
    inner: CertificateList,
}

impl RevocationList {
    pub(crate) fn parse(der: &[u8], name: &'static str) -> Result<Self, EvidenceError> {
        let inner = CertificateList::from_der(der).map_err(|_| EvidenceError::Malformed(name))?;
        Ok(Self { name, inner })
    }

    pub(crate) fn this_update(&self) -> UnixTime {
        UnixTime(self.inner.tbs_cert_list.this_update.to_unix_duration().as_secs())
    }

    /// A list that does not say when the next one comes is never current.
    pub(crate) fn next_update(&self) -> UnixTime {
        let next = self.inner.tbs_cert_list.next_update;
        UnixTime(next.map_or(0, |time| time.to_unix_duration().as_secs()))
    }

    pub(crate) fn check_dates(&self, now: UnixTime) -> Result<(), EvidenceError> {
        if now < self.this_update() {
            return Err(EvidenceError::NotYetValid(self.name));
        }
        // The next list is due at that moment (RFC 5280 §5.1.2.5), and the library counts so.
        if now >= self.next_update() {
            return Err(EvidenceError::RevocationListExpired(self.name));
        }
        Ok(())
    }

    pub(crate) fn is_issued_by(&self, issuer: &Certificate) -> bool {
        self.names(issuer)
            && self.inner.tbs_cert_list.signature == self.inner.signature_algorithm
            && self.inner.tbs_cert_list.to_der().is_ok_and(|signed| {
                signature_verifies(
                    &self.inner.signature_algorithm,
                    issuer.public_key(),
                    &signed,
                    self.inner.signature.raw_bytes(),
                )
            })
    }

    /// Whether it was issued under the issuer's name.
    pub(crate) fn names(&self, issuer: &Certificate) -> bool {
        self.inner.tbs_cert_list.issuer == *issuer.inner.tbs_certificate().subject()
    }

    /// Whether it names the certificate's serial number.
    pub(crate) fn lists(&self, certificate: &Certificate) -> bool {
        self.inner
            .tbs_cert_list
            .revoked_certificates
            .iter()
            .flatten()
            .any(|revoked| revoked.serial_number.as_bytes() == certificate.serial_number())
    }

    /// Whether it names a certificate of the chain that its issuer issued.
    pub(crate) fn lists_one_it_issued(&self, chain: &[Certificate]) -> bool {
        chain.iter().any(|certificate| {
            *certificate.inner.tbs_certificate().issuer() == self.inner.tbs_cert_list.issuer && self.lists(certificate)
        })
    }
}

fn signature_verifies(algorithm: &AlgorithmIdentifierOwned, key: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let algorithm: &'static dyn VerificationAlgorithm = match algorithm.oid {
        ECDSA_SHA256 => &ECDSA_P256_SHA256_ASN1,
        ECDSA_SHA384 => &ECDSA_P384_SHA384_ASN1,
        RSA_SHA256 => &RSA_PKCS1_2048_8192_SHA256,
        RSA_SHA384 => &RSA_PKCS1_2048_8192_SHA384,
        // AMD's parameters: SHA-384, MGF1 with SHA-384, salt of 48 bytes. Others do not verify with this algorithm.
        RSA_PSS => &RSA_PSS_2048_8192_SHA384,
        _ => return false,
    };
    UnparsedPublicKey::new(algorithm, key).verify(signed, signature).is_ok()
}
