//! SGX and TDX: the vendor's chain through `dcap-qvl`, a second opinion on the signatures, and our policy.
//!
//! The library judges chains, revocation, collateral and TCB levels with RustCrypto; the three signatures of the quote
//! itself are verified a second time with aws-lc, and every field that a decision uses is read by two parsers. The
//! library's own policy is not used: it would decide about platform flags by defaults we have not chosen.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use dcap_qvl::verify::QuoteVerifier;
use dcap_qvl::{PckCertFlag, QuoteClaims, QuoteCollateralV3, QuotePolicy};
use jose::UnixTime;

use crate::platform::{Evidence, Measurement, Platform, PlatformId};

use super::diagnosis::diagnose;
use super::error::EvidenceError;
use super::policy::{Demand, FlagRule, IntelPolicy, PlatformPolicy, SgxPolicy, TdxPolicy};
use super::quote::{Body, DomainReport, EnclaveReport, Quote};
use super::tcb::TcbStatus;
use super::verified::{CollateralDates, VerifiedEvidence};
use super::x509::Certificate;

/// Most certificates in a chain: platform, authority, root.
const MAX_CERTIFICATES: usize = 3;

/// The root a quote's chain must lead to.
#[derive(Clone)]
pub(super) enum DcapRoot {
    /// Intel's SGX Root CA, pinned in the library.
    Intel,
    /// Another, DER: a simulation's.
    #[cfg(any(test, feature = "simulated"))]
    Other(Vec<u8>),
}

impl DcapRoot {
    fn verifier(&self) -> QuoteVerifier {
        match self {
            Self::Intel => QuoteVerifier::new_prod(),
            #[cfg(any(test, feature = "simulated"))]
            Self::Other(root) => QuoteVerifier::new(root.clone()),
        }
    }
}

pub(super) fn verify(
    evidence: &Evidence,
    root: &DcapRoot,
    policy: &PlatformPolicy,
    now: UnixTime,
) -> Result<VerifiedEvidence, EvidenceError> {
    let quote = Quote::parse(&evidence.report)?;
    check_shape(evidence, &quote)?;
    check_quote_signature(&quote)?;
    let chain = Certificate::parse_pem_chain(quote.certificates, MAX_CERTIFICATES, "PCK certificate chain")?;
    check_quoting_enclave(&quote, &chain)?;
    let collateral = parse_collateral(&evidence.collateral, &chain)?;
    let claims = root
        .verifier()
        .verify_with_policy(quote.whole, &collateral, now.0, &QuotePolicy::claims_only(now.0))
        .map_err(|error| diagnose(&format!("{error:#}"), &quote, &chain, &collateral, now))?;
    check_parsers_agree(&quote, &claims)?;
    let dates = check_dates(&claims, now)?;
    let tcb = status(claims.tcb.status);
    let advisories = advisories(&claims);
    check_platform(&claims, tcb, &advisories, &policy.intel)?;
    match &quote.body {
        Body::Enclave(report) => check_enclave(report, &policy.sgx)?,
        Body::Domain(report) => check_domain(report, &policy.tdx)?,
    }
    Ok(VerifiedEvidence {
        platform: evidence.platform,
        measurement: measurement(evidence.platform, &quote.body),
        report_data: *quote.body.report_data(),
        platform_id: platform_id(&claims)?,
        security_version: match &quote.body {
            Body::Enclave(report) => report.security_version.into(),
            Body::Domain(_) => 0,
        },
        tcb,
        advisories,
        evaluation_number: Some(claims.tcb.eval_data_number),
        dates,
        digest: super::digest_of(evidence.platform, quote.signed),
        boot: Vec::new(),
    })
}

/// The quote is of the platform the evidence claims, and nothing unsigned comes along.
fn check_shape(evidence: &Evidence, quote: &Quote<'_>) -> Result<(), EvidenceError> {
    let fits = match quote.body {
        Body::Enclave(_) => matches!(evidence.platform, Platform::Sgx | Platform::Simulated),
        Body::Domain(_) => evidence.platform == Platform::Tdx,
    };
    if !fits {
        return Err(EvidenceError::Malformed("quote"));
    }
    if !evidence.auxiliary.is_empty() {
        return Err(EvidenceError::NotCanonical("auxiliary part"));
    }
    Ok(())
}

/// The attestation key over header and body, with another implementation than the library's.
fn check_quote_signature(quote: &Quote<'_>) -> Result<(), EvidenceError> {
    let mut point = [4; 65];
    point[1..].copy_from_slice(quote.attestation_key);
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(quote.signed, quote.signature)
        .map_err(|_| EvidenceError::Signature("quote"))
}

/// The platform's key over the quoting enclave's report, which binds the attestation key; likewise.
fn check_quoting_enclave(quote: &Quote<'_>, chain: &[Certificate]) -> Result<(), EvidenceError> {
    let leaf = chain.first().ok_or(EvidenceError::Malformed("PCK certificate chain"))?;
    let vouched = digest(
        &SHA256,
        &[&quote.attestation_key[..], quote.authentication_data].concat(),
    );
    let (bound, rest) = EnclaveReport::read(quote.quoting_report)
        .map(|report| report.report_data)
        .and_then(|data| Some((*data.first_chunk::<32>()?, *data.last_chunk::<32>()?)))
        .ok_or(EvidenceError::Malformed("quoting enclave's report"))?;
    if bound != vouched.as_ref() || rest != [0; 32] {
        return Err(EvidenceError::QuotingEnclave);
    }
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, leaf.public_key())
        .verify(quote.quoting_report, quote.quoting_signature)
        .map_err(|_| EvidenceError::Signature("quoting enclave's report"))
}

/// Intel's collateral in the library's JSON, with the certificate chain replaced by the one just read from the quote:
/// both parsers judge the same certificates.
fn parse_collateral(bytes: &[u8], chain: &[Certificate]) -> Result<QuoteCollateralV3, EvidenceError> {
    let mut collateral: QuoteCollateralV3 =
        serde_json::from_slice(bytes).map_err(|_| EvidenceError::Malformed("collateral"))?;
    collateral.pck_certificate_chain = Some(chain.iter().map(Certificate::to_pem).collect::<Result<_, _>>()?);
    Ok(collateral)
}

/// Every field a decision uses, read by the library and by us.
fn check_parsers_agree(quote: &Quote<'_>, claims: &QuoteClaims) -> Result<(), EvidenceError> {
    let agree = claims.header.version == quote.version
        && match &quote.body {
            Body::Enclave(own) => claims.report.as_sgx().is_some_and(|theirs| {
                theirs.cpu_svn == own.cpu_svn
                    && theirs.misc_select == own.misc_select
                    && theirs.attributes[..] == [own.attributes.to_le_bytes(), own.xfrm.to_le_bytes()].concat()
                    && theirs.mr_enclave == own.mr_enclave
                    && theirs.mr_signer == own.mr_signer
                    && theirs.isv_prod_id == own.product_id
                    && theirs.isv_svn == own.security_version
                    && theirs.report_data == own.report_data
            }),
            Body::Domain(own) => claims.report.as_td10().is_some_and(|theirs| {
                theirs.tee_tcb_svn == own.tee_tcb_svn
                    && theirs.mr_seam == own.mr_seam
                    && theirs.td_attributes == own.attributes.to_le_bytes()
                    && theirs.xfam == own.xfam.to_le_bytes()
                    && theirs.mr_td == own.mr_td
                    && theirs.mr_config_id == own.mr_config_id
                    && theirs.mr_owner == own.mr_owner
                    && theirs.mr_owner_config == own.mr_owner_config
                    && [theirs.rt_mr0, theirs.rt_mr1, theirs.rt_mr2, theirs.rt_mr3] == own.rtmr
                    && theirs.report_data == own.report_data
                    && claims.report.as_td15().map_or([0; 48], |td| td.mr_service_td) == own.mr_service_td
                    && claims.report.as_td15_ex().map_or([0; 48], |td| td.cur_service_td_hash) == own.current_service_td
            }),
        };
    if agree {
        Ok(())
    } else {
        Err(EvidenceError::ParsersDisagree("quote"))
    }
}

/// Everything that was shown has been issued and has not ended: also what the library does not date (revocation lists'
/// own issue dates, the root).
fn check_dates(claims: &QuoteClaims, now: UnixTime) -> Result<CollateralDates, EvidenceError> {
    let dates = CollateralDates {
        earliest_issue: UnixTime(claims.earliest_issue_date),
        latest_issue: UnixTime(claims.latest_issue_date),
        earliest_expiration: UnixTime(claims.earliest_expiration_date),
    };
    if now < dates.latest_issue {
        return Err(EvidenceError::NotYetValid("collateral"));
    }
    if now > dates.earliest_expiration {
        return Err(EvidenceError::Expired("collateral"));
    }
    Ok(dates)
}

fn check_platform(
    claims: &QuoteClaims,
    tcb: TcbStatus,
    advisories: &[String],
    policy: &IntelPolicy,
) -> Result<(), EvidenceError> {
    if tcb == TcbStatus::Revoked {
        return Err(EvidenceError::TcbRevoked);
    }
    if claims.tcb.eval_data_number < policy.min_evaluation_number {
        return Err(EvidenceError::EvaluationNumber {
            found: claims.tcb.eval_data_number,
            minimum: policy.min_evaluation_number,
        });
    }
    if !policy.allowed_statuses.contains(&tcb) {
        return Err(EvidenceError::TcbStatus(tcb.name()));
    }
    if let Some(rejected) = advisories.iter().find(|id| policy.rejected_advisories.contains(*id)) {
        return Err(EvidenceError::Advisory(rejected.clone()));
    }
    let pck = &claims.platform.pck;
    for (flag, rule, error) in [
        (
            pck.dynamic_platform,
            policy.dynamic_platform,
            EvidenceError::DynamicPlatform,
        ),
        (pck.cached_keys, policy.cached_keys, EvidenceError::CachedKeys),
        (pck.smt_enabled, policy.smt, EvidenceError::Smt),
    ] {
        let accepted = match rule {
            FlagRule::MustBeClear => flag == PckCertFlag::False,
            FlagRule::RefusedWhenSet => flag != PckCertFlag::True,
            FlagRule::Allowed => true,
        };
        if !accepted {
            return Err(error);
        }
    }
    Ok(())
}

/// Attributes are not part of MRENCLAVE, so they are the policy's to decide. Intel SDM vol. 3D, 35.7.
pub(super) fn check_enclave(report: &EnclaveReport, policy: &SgxPolicy) -> Result<(), EvidenceError> {
    if report.attributes & SgxPolicy::DEBUG != 0 {
        return Err(EvidenceError::Debug);
    }
    let required = SgxPolicy::INIT | SgxPolicy::MODE64BIT;
    if report.attributes & !policy.allowed_attributes != 0 || report.attributes & required != required {
        return Err(EvidenceError::Attributes(report.attributes));
    }
    if report.misc_select & !policy.allowed_misc_select != 0 {
        return Err(EvidenceError::Features(report.misc_select.into()));
    }
    if report.config_id != [0; 64] || report.config_svn != 0 {
        return Err(EvidenceError::HostConfiguration("CONFIGID"));
    }
    if let Some(expected) = policy.product_id
        && report.product_id != expected
    {
        return Err(EvidenceError::ProductId {
            found: report.product_id,
            expected,
        });
    }
    if report.security_version < policy.min_security_version {
        return Err(EvidenceError::SecurityVersion {
            found: report.security_version.into(),
            minimum: policy.min_security_version.into(),
        });
    }
    Ok(())
}

/// Attributes and the host's configuration are not part of MRTD. Intel TDX Module ABI, 3.23.
pub(super) fn check_domain(report: &DomainReport, policy: &TdxPolicy) -> Result<(), EvidenceError> {
    if report.attributes & TdxPolicy::DEBUG_BITS != 0 {
        return Err(EvidenceError::Debug);
    }
    if report.attributes & TdxPolicy::MIGRATABLE & !policy.allowed_attributes != 0 {
        return Err(EvidenceError::Migration);
    }
    if report.mr_service_td != [0; 48] || report.current_service_td != [0; 48] {
        return Err(EvidenceError::ServiceDomain);
    }
    if report.attributes & !policy.allowed_attributes != 0
        || report.attributes & policy.required_attributes != policy.required_attributes
    {
        return Err(EvidenceError::Attributes(report.attributes));
    }
    if !is_written(&report.mr_config_id, &policy.config_id) {
        return Err(EvidenceError::HostConfiguration("MRCONFIGID"));
    }
    if policy.owner_zero == Demand::Required {
        if report.mr_owner != [0; 48] {
            return Err(EvidenceError::HostConfiguration("MROWNER"));
        }
        if report.mr_owner_config != [0; 48] {
            return Err(EvidenceError::HostConfiguration("MROWNERCONFIG"));
        }
    }
    Ok(())
}

/// Whether the policy writes these bytes: hexadecimal digits, or nothing for zeros.
pub(super) fn is_written(bytes: &[u8], digits: &str) -> bool {
    if digits.is_empty() {
        return bytes.iter().all(|byte| *byte == 0);
    }
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text == digits
}

fn measurement(platform: Platform, body: &Body) -> Measurement {
    match body {
        Body::Enclave(report) if platform == Platform::Simulated => Measurement::Simulated(report.mr_enclave),
        Body::Enclave(report) => Measurement::Sgx {
            mr_enclave: report.mr_enclave,
            product_id: report.product_id,
        },
        Body::Domain(report) => Measurement::Tdx {
            mr_td: report.mr_td,
            rtmr: report.rtmr,
        },
    }
}

/// The instance id where Intel's certificate has one; else derived from the PPID, which is a secret of the machine's
/// owner and does not belong into a published manifest.
fn platform_id(claims: &QuoteClaims) -> Result<PlatformId, EvidenceError> {
    let pck = &claims.platform.pck;
    if let Some(instance) = pck.platform_instance_id
        && instance != [0; 16]
    {
        return Ok(PlatformId::new(instance)?);
    }
    if pck.ppid.iter().all(|byte| *byte == 0) {
        return Err(EvidenceError::PlatformIdHidden);
    }
    let derived = digest(&SHA256, &[&b"healthid-ppid-v1\0"[..], &pck.ppid].concat());
    Ok(PlatformId::new(derived.as_ref())?)
}

/// Of the platform, its quoting enclave, and for a domain whose module was updated under it, of both versions.
fn advisories(claims: &QuoteClaims) -> Vec<String> {
    let current = claims
        .platform
        .current_tcb_level
        .iter()
        .flat_map(|level| &level.advisory_ids);
    let all: BTreeSet<_> = claims.tcb.advisory_ids.iter().chain(current).cloned().collect();
    all.into_iter().collect()
}

const fn status(status: dcap_qvl::TcbStatus) -> TcbStatus {
    match status {
        dcap_qvl::TcbStatus::UpToDate => TcbStatus::UpToDate,
        dcap_qvl::TcbStatus::SWHardeningNeeded => TcbStatus::SwHardeningNeeded,
        dcap_qvl::TcbStatus::ConfigurationNeeded => TcbStatus::ConfigurationNeeded,
        dcap_qvl::TcbStatus::ConfigurationAndSWHardeningNeeded => TcbStatus::ConfigurationAndSwHardeningNeeded,
        dcap_qvl::TcbStatus::OutOfDate => TcbStatus::OutOfDate,
        dcap_qvl::TcbStatus::OutOfDateConfigurationNeeded => TcbStatus::OutOfDateConfigurationNeeded,
        dcap_qvl::TcbStatus::TDRelaunchAdvised => TcbStatus::TdRelaunchAdvised,
        dcap_qvl::TcbStatus::TDRelaunchAdvisedConfigurationNeeded => TcbStatus::TdRelaunchAdvisedConfigurationNeeded,
        dcap_qvl::TcbStatus::Revoked => TcbStatus::Revoked,
    }
}
