//! The fields of a DCAP quote, read by ourselves: a second opinion beside the library's, and the bytes that are signed.
//!
//! Versions 3 (SGX), 4 and 5 (TDX) as Intel's DCAP libraries document them (`sgx_quote_3.h`, `sgx_quote_4.h`,
//! `sgx_quote_5.h`), with ECDSA over P-256 and the certificate chain of the platform inside. Integers are
//! little-endian. Stricter than the library: nothing may be left over in any nested part.

use crate::platform::Reader;

use super::error::EvidenceError;

const HEADER_BYTES: usize = 48;
/// Longest certificate chain: three certificates are about 3.6 KiB.
const MAX_CHAIN_BYTES: usize = 12 * 1024;
/// The quoting enclave's authentication data has 32 bytes.
const AUTHENTICATION_DATA_BYTES: usize = 32;
/// ECDSA over P-256 with SHA-256.
const KEY_TYPE_P256: u16 = 2;
const TEE_SGX: u32 = 0;
const TEE_TDX: u32 = 0x81;
/// Certification data: PCK certificate chain as PEM.
const CERTIFICATE_CHAIN: u16 = 5;
/// Certification data: the quoting enclave's report, with its own certification data inside.
const QUOTING_ENCLAVE_REPORT: u16 = 6;
/// Version 5 names its body's type: SGX report, TD report of module 1.0, of 1.5, of 1.5 with service domains.
const BODY_TD_10: u16 = 2;
const BODY_TD_15: u16 = 3;
const BODY_TD_15_EXTENDED: u16 = 4;
const ENCLAVE_REPORT_BYTES: usize = 384;
const TD_REPORT_10_BYTES: usize = 584;
const TD_REPORT_15_BYTES: usize = 648;
const TD_REPORT_15_EXTENDED_BYTES: usize = 885;

/// A quote, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quote<'a> {
    /// 3, 4 or 5.
    pub(crate) version: u16,
    /// What the attestation key signed: header and body.
    pub(crate) signed: &'a [u8],
    /// The quote without what follows it.
    pub(crate) whole: &'a [u8],
    pub(crate) body: Body,
    /// ECDSA over `signed`, `r || s`.
    pub(crate) signature: &'a [u8; 64],
    /// The key that made it, `x || y`.
    pub(crate) attestation_key: &'a [u8; 64],
    /// The quoting enclave's own report, which vouches for the attestation key.
    pub(crate) quoting_report: &'a [u8; ENCLAVE_REPORT_BYTES],
    /// ECDSA over `quoting_report` with the platform's key.
    pub(crate) quoting_signature: &'a [u8; 64],
    pub(crate) authentication_data: &'a [u8],
    /// PEM, the platform's certificate first.
    pub(crate) certificates: &'a [u8],
}

/// What the quote is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Enclave(Box<EnclaveReport>),
    Domain(Box<DomainReport>),
}

/// `sgx_report_body_t`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnclaveReport {
    pub(crate) cpu_svn: [u8; 16],
    pub(crate) misc_select: u32,
    pub(crate) attributes: u64,
    pub(crate) xfrm: u64,
    pub(crate) mr_enclave: [u8; 32],
    pub(crate) mr_signer: [u8; 32],
    pub(crate) config_id: [u8; 64],
    pub(crate) product_id: u16,
    pub(crate) security_version: u16,
    pub(crate) config_svn: u16,
    pub(crate) report_data: [u8; 64],
}

/// `sgx_report2_body_t` and its successors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DomainReport {
    pub(crate) tee_tcb_svn: [u8; 16],
    pub(crate) mr_seam: [u8; 48],
    pub(crate) attributes: u64,
    pub(crate) xfam: u64,
    pub(crate) mr_td: [u8; 48],
    pub(crate) mr_config_id: [u8; 48],
    pub(crate) mr_owner: [u8; 48],
    pub(crate) mr_owner_config: [u8; 48],
    pub(crate) rtmr: [[u8; 48]; 4],
    pub(crate) report_data: [u8; 64],
    /// Hash over the service domains bound; zero where the report has no such field.
    pub(crate) mr_service_td: [u8; 48],
    /// The same for those bound after the start, where the report tells.
    pub(crate) current_service_td: [u8; 48],
}

const MALFORMED: EvidenceError = EvidenceError::Malformed("quote");

impl<'a> Quote<'a> {
    /// Reads a quote and checks that nothing but zeros follows it.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, EvidenceError> {
        let mut reader = Reader::new(bytes);
        let (version, domain, body_bytes) = read_header(&mut reader).ok_or(MALFORMED)?;
        let body_start = bytes.len() - reader.rest().len();
        let body = reader.bytes(body_bytes).ok_or(MALFORMED)?;
        let signed = bytes.get(..body_start + body_bytes).ok_or(MALFORMED)?;
        let body = if domain {
            DomainReport::read(body).map(|report| Body::Domain(Box::new(report)))
        } else {
            EnclaveReport::read(body).map(|report| Body::Enclave(Box::new(report)))
        };
        let body = body.ok_or(MALFORMED)?;
        let mut authentication = reader.sized_le().map(Reader::new).ok_or(MALFORMED)?;
        let padding = reader.rest();
        let whole = bytes.get(..bytes.len() - padding.len()).ok_or(MALFORMED)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(EvidenceError::TrailingBytes);
        }
        let parts = read_authentication(&mut authentication, domain).ok_or(MALFORMED)?;
        Ok(Self {
            version,
            signed,
            whole,
            body,
            signature: parts.signature,
            attestation_key: parts.attestation_key,
            quoting_report: parts.quoting_report,
            quoting_signature: parts.quoting_signature,
            authentication_data: parts.authentication_data,
            certificates: parts.certificates,
        })
    }
}

/// Version, whether the body is a domain's, and the body's length. The vendor id of the quoting enclave is the
/// library's to check; it is signed.
fn read_header(reader: &mut Reader<'_>) -> Option<(u16, bool, usize)> {
    let mut header = Reader::new(reader.bytes(HEADER_BYTES)?);
    let version = header.u16_le()?;
    if header.u16_le()? != KEY_TYPE_P256 {
        return None;
    }
    match (version, header.u32_le()?) {
        (3, TEE_SGX) => Some((version, false, ENCLAVE_REPORT_BYTES)),
        (4, TEE_TDX) => Some((version, true, TD_REPORT_10_BYTES)),
        (5, TEE_TDX) => {
            let kind = reader.u16_le()?;
            let length = usize::try_from(reader.u32_le()?).ok()?;
            let expected = match kind {
                BODY_TD_10 => TD_REPORT_10_BYTES,
                BODY_TD_15 => TD_REPORT_15_BYTES,
                BODY_TD_15_EXTENDED => TD_REPORT_15_EXTENDED_BYTES,
                _ => return None,
            };
            (length == expected).then_some((version, true, length))
        }
        _ => None,
    }
}

struct Authentication<'a> {
    signature: &'a [u8; 64],
    attestation_key: &'a [u8; 64],
    quoting_report: &'a [u8; ENCLAVE_REPORT_BYTES],
    quoting_signature: &'a [u8; 64],
    authentication_data: &'a [u8],
    certificates: &'a [u8],
}

fn read_authentication<'a>(reader: &mut Reader<'a>, nested: bool) -> Option<Authentication<'a>> {
    let signature = reader.array_ref()?;
    let attestation_key = reader.array_ref()?;
    let mut inner = *reader;
    if nested {
        if reader.u16_le()? != QUOTING_ENCLAVE_REPORT {
            return None;
        }
        inner = Reader::new(reader.sized_le()?);
        if !reader.is_empty() {
            return None;
        }
    }
    let quoting_report = inner.array_ref()?;
    let quoting_signature = inner.array_ref()?;
    if usize::from(inner.u16_le()?) != AUTHENTICATION_DATA_BYTES {
        return None;
    }
    let authentication_data = inner.bytes(AUTHENTICATION_DATA_BYTES)?;
    if inner.u16_le()? != CERTIFICATE_CHAIN {
        return None;
    }
    let certificates = inner.sized_le()?;
    (inner.is_empty() && certificates.len() <= MAX_CHAIN_BYTES).then_some(Authentication {
        signature,
        attestation_key,
        quoting_report,
        quoting_signature,
        authentication_data,
        certificates,
    })
}

impl EnclaveReport {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let cpu_svn = reader.array()?;
        let misc_select = reader.u32_le()?;
        reader.bytes(12 + 16)?; // reserved, ISVEXTPRODID
        let (attributes, xfrm) = (reader.u64_le()?, reader.u64_le()?);
        let mr_enclave = reader.array()?;
        reader.bytes(32)?;
        let mr_signer = reader.array()?;
        reader.bytes(32)?;
        let config_id = reader.array()?;
        let (product_id, security_version, config_svn) = (reader.u16_le()?, reader.u16_le()?, reader.u16_le()?);
        reader.bytes(42 + 16)?; // reserved, ISVFAMILYID
        let report_data = reader.array()?;
        reader.is_empty().then_some(Self {
            cpu_svn,
            misc_select,
            attributes,
            xfrm,
            mr_enclave,
            mr_signer,
            config_id,
            product_id,
            security_version,
            config_svn,
            report_data,
        })
    }
}

impl DomainReport {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let tee_tcb_svn = reader.array()?;
        let mr_seam = reader.array()?;
        reader.bytes(48 + 8)?; // MRSIGNERSEAM, SEAMATTRIBUTES: the library compares them with Intel's statement
        let (attributes, xfam) = (reader.u64_le()?, reader.u64_le()?);
        let mr_td = reader.array()?;
        let mr_config_id = reader.array()?;
        let mr_owner = reader.array()?;
        let mr_owner_config = reader.array()?;
        let rtmr = [reader.array()?, reader.array()?, reader.array()?, reader.array()?];
        let report_data = reader.array()?;
        let mut report = Self {
            tee_tcb_svn,
            mr_seam,
            attributes,
            xfam,
            mr_td,
            mr_config_id,
            mr_owner,
            mr_owner_config,
            rtmr,
            report_data,
            mr_service_td: [0; 48],
            current_service_td: [0; 48],
        };
        if bytes.len() >= TD_REPORT_15_BYTES {
            reader.bytes(16)?; // TEE_TCB_SVN2
            report.mr_service_td = reader.array()?;
        }
        if bytes.len() == TD_REPORT_15_EXTENDED_BYTES {
            reader.bytes(1 + 32 + 48 + 48 + 8 + 16 + 16 + 12)?;
            report.current_service_td = reader.array()?;
            reader.bytes(8)?;
        }
        reader.is_empty().then_some(report)
    }
}

impl Body {
    pub(crate) fn report_data(&self) -> &[u8; 64] {
        match self {
            Self::Enclave(report) => &report.report_data,
            Self::Domain(report) => &report.report_data,
        }
    }
}
