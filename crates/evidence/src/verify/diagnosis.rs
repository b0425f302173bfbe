//! Why the library refused a quote, as one of our reasons.
//!
//! It answers with sentences. Nothing is accepted here: the quote is refused already, and what follows only finds its
//! code. Dates, revocation and mismatches are looked up in the material itself; for the rest the sentences of the
//! pinned version are recognised, and what is not recognised stays [`EvidenceError::Refused`].

use dcap_qvl::QuoteCollateralV3;
use jose::UnixTime;
use serde::Deserialize;

use super::dcap::check_domain;
use super::error::EvidenceError;
use super::policy::TdxPolicy;
use super::quote::{Body, Quote};
use super::x509::{Certificate, RevocationList};

/// Most certificates in the chain of a statement's signer.
const MAX_SIGNER_CERTIFICATES: usize = 4;

pub(super) fn diagnose(
    sentence: &str,
    quote: &Quote<'_>,
    chain: &[Certificate],
    collateral: &QuoteCollateralV3,
    now: UnixTime,
) -> EvidenceError {
    by_dates(chain, collateral, now)
        .and_then(|()| by_subject(quote, chain, collateral))
        .and_then(|()| by_revocation(chain, collateral))
        .err()
        .unwrap_or_else(|| by_sentence(sentence, quote))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    id: String,
    issue_date: String,
    next_update: String,
    #[serde(default)]
    fmspc: String,
}

fn by_dates(chain: &[Certificate], collateral: &QuoteCollateralV3, now: UnixTime) -> Result<(), EvidenceError> {
    for (text, name) in [
        (&collateral.tcb_info, "TCB info"),
        (&collateral.qe_identity, "QE identity"),
    ] {
        let statement = parse_statement(text, name)?;
        let (Some(issued), Some(ends)) = (instant(&statement.issue_date), instant(&statement.next_update)) else {
            return Err(EvidenceError::Malformed(name));
        };
        if now < issued {
            return Err(EvidenceError::NotYetValid(name));
        }
        if now > ends {
            return Err(EvidenceError::Expired(name));
        }
    }
    for (der, name) in lists(collateral) {
        RevocationList::parse(der, name)?.check_dates(now)?;
    }
    for (pem, name) in [
        (&collateral.tcb_info_issuer_chain, "TCB signing certificate"),
        (
            &collateral.qe_identity_issuer_chain,
            "QE identity's signing certificate",
        ),
    ] {
        for certificate in Certificate::parse_pem_chain(pem.as_bytes(), MAX_SIGNER_CERTIFICATES, name)? {
            certificate.check_dates(now)?;
        }
    }
    chain.iter().try_for_each(|certificate| certificate.check_dates(now))
}

/// Whether the statements speak about the processor that made the quote.
fn by_subject(quote: &Quote<'_>, chain: &[Certificate], collateral: &QuoteCollateralV3) -> Result<(), EvidenceError> {
    let (tcb, identity) = match quote.body {
        Body::Enclave(_) => ("SGX", "QE"),
        Body::Domain(_) => ("TDX", "TD_QE"),
    };
    let tcb_info = parse_statement(&collateral.tcb_info, "TCB info")?;
    let qe_identity = parse_statement(&collateral.qe_identity, "QE identity")?;
    let leaf = chain.first().ok_or(EvidenceError::Malformed("PCK certificate chain"))?;
    let extension = dcap_qvl::intel::parse_pck_extension(&leaf.to_der()?)
        .map_err(|_| EvidenceError::Malformed("PCK certificate's extension"))?;
    let fmspc: String = extension.fmspc.iter().map(|byte| format!("{byte:02X}")).collect();
    if tcb_info.id != tcb || qe_identity.id != identity || !tcb_info.fmspc.eq_ignore_ascii_case(&fmspc) {
        return Err(EvidenceError::CollateralMismatch);
    }
    Ok(())
}

fn by_revocation(chain: &[Certificate], collateral: &QuoteCollateralV3) -> Result<(), EvidenceError> {
    let mut certificates = chain.to_vec();
    for pem in [&collateral.tcb_info_issuer_chain, &collateral.qe_identity_issuer_chain] {
        certificates.extend(Certificate::parse_pem_chain(
            pem.as_bytes(),
            MAX_SIGNER_CERTIFICATES,
            "signing certificate",
        )?);
    }
    for (der, name) in lists(collateral) {
        if RevocationList::parse(der, name)?.lists_one_it_issued(&certificates) {
            return Err(EvidenceError::Revoked);
        }
    }
    Ok(())
}

/// The sentences of dcap-qvl 0.7.1.
fn by_sentence(sentence: &str, quote: &Quote<'_>) -> EvidenceError {
    let says = |part: &str| sentence.contains(part);
    if says("TCB status is invalid: Revoked") {
        return EvidenceError::TcbRevoked;
    }
    if says("No matching TCB level found") || says("below minimum required from TDX module TCB levels") {
        return EvidenceError::TcbUnknown;
    }
    if says("QE report") || says("QE MRSIGNER") || says("QE ISVPRODID") || says("QE MISCSELECT") {
        return EvidenceError::QuotingEnclave;
    }
    if says("QE ATTRIBUTES")
        || says("QE ISVSVN")
        || says("No TCB levels found in QE Identity")
        || says("Unknown QE vendor ID")
    {
        return EvidenceError::QuotingEnclave;
    }
    if says("TDX module") {
        return EvidenceError::TdxModule;
    }
    if says("Signature is invalid for tcb_info") {
        return EvidenceError::Signature("TCB info");
    }
    if says("Signature is invalid for qe_identity") {
        return EvidenceError::Signature("QE identity");
    }
    if says("Failed to parse root CA CRL") {
        return EvidenceError::Signature("revocation list");
    }
    if says("Failed to verify certificate chain") || says("must be issued directly by the root CA") {
        return EvidenceError::Chain;
    }
    // The library refuses debugging and dangerous attributes last, after everything that makes a quote genuine.
    if says("ebug mode is enabled") || says("TD profiling is enabled") {
        return EvidenceError::Debug;
    }
    if let Body::Domain(report) = &quote.body
        && let Err(error) = check_domain(report, &TdxPolicy::default())
    {
        return error;
    }
    EvidenceError::Refused
}

fn lists(collateral: &QuoteCollateralV3) -> [(&[u8], &'static str); 2] {
    [
        (&collateral.root_ca_crl, "root's revocation list"),
        (&collateral.pck_crl, "PCK revocation list"),
    ]
}

fn parse_statement(text: &str, name: &'static str) -> Result<Statement, EvidenceError> {
    serde_json::from_str(text).map_err(|_| EvidenceError::Malformed(name))
}

/// `2025-06-19T10:56:11Z`, the one form Intel writes.
fn instant(text: &str) -> Option<UnixTime> {
    let time: der::DateTime = text.parse().ok()?;
    Some(UnixTime(time.unix_duration().as_secs()))
}
