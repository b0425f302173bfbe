//! Revocation lists (RFC 5280 §5), version 2, complete lists only.

use std::collections::BTreeSet;

use der::Decode;
use der::asn1::ObjectIdentifier;
use jose::UnixTime;
use x509_cert::crl::CertificateList;

use super::x509::{self, Signed};

/// Largest list read: 16 MiB, some 400,000 entries.
pub const MAX_CRL_BYTES: usize = 16 * 1024 * 1024;
/// How far `thisUpdate` may lie in the future, in seconds: clocks of two machines differ.
pub const CRL_CLOCK_SKEW_SECONDS: u64 = 300;

const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");

/// Why a revocation list is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// No list in DER or PEM, or longer than [`MAX_CRL_BYTES`].
    #[error(
        "revocation list: expected a CertificateList in DER or PEM, at most {MAX_CRL_BYTES} bytes (RFC 5280 section 5.1)"
    )]
    Malformed,
    /// Without an end it could be replayed for ever.
    #[error("revocation list: nextUpdate is missing (RFC 5280 section 5.1.2.5)")]
    NextUpdateMissing,
    /// A delta list, an indirect list, or another extension this crate does not understand.
    #[error("revocation list: unknown critical extension; only complete, direct lists are read (RFC 5280 section 5.2)")]
    CriticalExtension,
    /// No trusted authority of this name may sign lists.
    #[error("revocation list: the issuer is no trusted authority with keyUsage cRLSign")]
    UnknownIssuer,
    /// The signature does not verify with the authority's key.
    #[error("revocation list: the signature is not the authority's ecdsa-with-SHA256 signature")]
    Signature,
    /// Its `thisUpdate` is before that of the list held.
    #[error("revocation list: older than the one held")]
    Older,
}

/// A list whose signature is not yet checked.
pub(crate) struct UnverifiedCrl {
    pub issuer: Vec<u8>,
    pub signed: Signed,
    pub list: RevocationList,
}

/// Serial numbers revoked by one authority, and how long that is the last word.
pub(crate) struct RevocationList {
    pub this_update: UnixTime,
    next_update: UnixTime,
    serials: BTreeSet<Vec<u8>>,
}

impl UnverifiedCrl {
    /// Reads DER. Total.
    pub fn parse(der: &[u8]) -> Result<Self, CrlError> {
        if der.len() > MAX_CRL_BYTES {
            return Err(CrlError::Malformed);
        }
        let list: CertificateList = CertificateList::from_der(der).map_err(|_| CrlError::Malformed)?;
        let signed = Signed::new(
            der,
            &list.tbs_cert_list.signature,
            &list.signature_algorithm,
            list.signature,
        )
        .map_err(|_| CrlError::Malformed)?;
        let body = list.tbs_cert_list;
        let extensions = x509::by_identifier(body.crl_extensions.as_ref()).ok_or(CrlError::Malformed)?;
        let unknown = |oid: &ObjectIdentifier| *oid != CRL_NUMBER && *oid != AUTHORITY_KEY_IDENTIFIER;
        if extensions.iter().any(|(oid, (critical, _))| *critical && unknown(oid)) {
            return Err(CrlError::CriticalExtension);
        }
        let next_update = body.next_update.ok_or(CrlError::NextUpdateMissing)?;
        let mut serials = BTreeSet::new();
        for entry in body.revoked_certificates.into_iter().flatten() {
            if entry
                .crl_entry_extensions
                .iter()
                .flatten()
                .any(|extension| extension.critical)
            {
                return Err(CrlError::CriticalExtension);
            }
            serials.insert(x509::serial(entry.serial_number.as_bytes()));
        }
        Ok(Self {
            issuer: x509::name_der(&body.issuer).map_err(|_| CrlError::Malformed)?,
            signed,
            list: RevocationList {
                this_update: x509::unix_time(body.this_update),
                next_update: x509::unix_time(next_update),
                serials,
            },
        })
    }
}

impl RevocationList {
    /// Whether the list is the last word at `now`.
    pub fn is_current(&self, now: UnixTime) -> bool {
        self.this_update <= now.plus_seconds(CRL_CLOCK_SKEW_SECONDS) && now <= self.next_update
    }

    /// Whether the serial number (without leading zeros) is revoked.
    pub fn contains(&self, serial: &[u8]) -> bool {
        self.serials.contains(serial)
    }
}
