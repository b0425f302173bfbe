//! The three facts read from a certificate: when it is valid, its fingerprint, its key's fingerprint.
//!
//! Trusted for: arithmetic on bytes that a handshake or a signed statement already vouches for. Does not: verify a signature, build
//! a chain, or know the time. The reader walks only as far as the fields it needs and tolerates the rest, because self-signed
//! certificates of relying parties come from many tools.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use der::Decode;
use der::asn1::{GeneralizedTime, UtcTime};
use thiserror::Error;

/// Longest certificate that is read, in bytes. Ordinary ones have 400 to 2000.
pub const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;

const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Why a certificate could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// Longer than [`MAX_CERTIFICATE_BYTES`].
    #[error("certificate: longer than {MAX_CERTIFICATE_BYTES} bytes")]
    TooLong,
    /// Not the DER of an X.509 certificate (RFC 5280 §4.1).
    #[error("certificate: not DER as RFC 5280 section 4.1 describes, at {0}")]
    Malformed(&'static str),
}

/// The validity period of a certificate (RFC 5280 §4.1.2.5), in seconds since 1970, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateValidity {
    /// First second of validity.
    pub not_before: u64,
    /// Last second of validity.
    pub not_after: u64,
}

impl CertificateValidity {
    /// Whether the certificate is valid at `now` (seconds since 1970). GS-A_4662 asks this of both sides of a mutual handshake.
    pub fn contains(&self, now: u64) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// Reads the validity period of a DER certificate.
pub fn certificate_validity(certificate: &[u8]) -> Result<CertificateValidity, CertificateError> {
    let validity = Fields::read(certificate)?.validity;
    let (not_before, rest) = element(validity, "notBefore")?;
    let (not_after, _) = element(rest, "notAfter")?;
    Ok(CertificateValidity {
        not_before: time(not_before, "notBefore")?,
        not_after: time(not_after, "notAfter")?,
    })
}

/// The `x5t#S256` thumbprint (RFC 8705 §3.1): base64url, without padding, of the SHA-256 of the DER certificate.
pub fn certificate_thumbprint(certificate: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(sha256(certificate))
}

/// The SHA-256 of the DER certificate in lower-case hexadecimal, as command line tools print it.
pub fn certificate_thumbprint_hex(certificate: &[u8]) -> String {
    hexadecimal(&sha256(certificate))
}

/// The SHA-256 of the certificate's `SubjectPublicKeyInfo` in lower-case hexadecimal: the form in which the Federation Master
/// compares TLS keys (AF_10110).
pub fn public_key_thumbprint_hex(certificate: &[u8]) -> Result<String, CertificateError> {
    Ok(hexadecimal(&sha256(Fields::read(certificate)?.public_key)))
}

/// The SHA-256 of the certificate's `SubjectPublicKeyInfo`.
pub fn public_key_sha256(certificate: &[u8]) -> Result<[u8; 32], CertificateError> {
    Ok(sha256(Fields::read(certificate)?.public_key))
}

struct Fields<'a> {
    validity: &'a [u8],
    public_key: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(certificate: &'a [u8]) -> Result<Self, CertificateError> {
        if certificate.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLong);
        }
        let (outer, trailing) = element(certificate, "Certificate")?;
        if !trailing.is_empty() {
            return Err(CertificateError::Malformed("trailing bytes"));
        }
        let (to_be_signed, _) = element(outer.sequence("Certificate")?, "tbsCertificate")?;
        let mut rest = to_be_signed.sequence("tbsCertificate")?;
        let (first, after) = element(rest, "version")?;
        if first.tag == EXPLICIT_VERSION {
            rest = after;
        }
        let (_, rest) = element(rest, "serialNumber")?;
        let (_, rest) = element(rest, "signature")?;
        let (_, rest) = element(rest, "issuer")?;
        let (validity, rest) = element(rest, "validity")?;
        let (_, rest) = element(rest, "subject")?;
        let (public_key, _) = element(rest, "subjectPublicKeyInfo")?;
        public_key.sequence("subjectPublicKeyInfo")?;
        Ok(Self {
            validity: validity.sequence("validity")?,
            public_key: public_key.whole,
        })
    }
}

struct Element<'a> {
    tag: u8,
    whole: &'a [u8],
    content: &'a [u8],
}

impl<'a> Element<'a> {
    fn sequence(&self, place: &'static str) -> Result<&'a [u8], CertificateError> {
        match self.tag {
            SEQUENCE => Ok(self.content),
            _ => Err(CertificateError::Malformed(place)),
        }
    }
}

/// Splits one definite-length DER element off the front. No tag of a certificate's outer fields needs more than one byte, and no
/// length more than two, within [`MAX_CERTIFICATE_BYTES`].
fn element<'a>(bytes: &'a [u8], place: &'static str) -> Result<(Element<'a>, &'a [u8]), CertificateError> {
    let malformed = CertificateError::Malformed(place);
    let (header, length) = match *bytes {
        [_, short, ..] if short < 0x80 => (2, usize::from(short)),
        [_, 0x81, length, ..] if length >= 0x80 => (3, usize::from(length)),
        [_, 0x82, high, low, ..] if high > 0 => (4, usize::from(u16::from_be_bytes([high, low]))),
        _ => return Err(malformed),
    };
    let whole = bytes.get(..header + length).ok_or(malformed)?;
    let rest = bytes.get(header + length..).ok_or(malformed)?;
    let content = whole.get(header..).ok_or(malformed)?;
    let tag = whole.first().copied().ok_or(malformed)?;
    Ok((Element { tag, whole, content }, rest))
}

fn time(element: Element<'_>, place: &'static str) -> Result<u64, CertificateError> {
    let malformed = CertificateError::Malformed(place);
    let moment = match element.tag {
        UTC_TIME => UtcTime::from_der(element.whole)
            .map_err(|_| malformed)?
            .to_unix_duration(),
        GENERALIZED_TIME => GeneralizedTime::from_der(element.whole)
            .map_err(|_| malformed)?
            .to_unix_duration(),
        _ => return Err(malformed),
    };
    Ok(moment.as_secs())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
