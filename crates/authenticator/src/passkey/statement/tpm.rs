//! `tpm` (§8.3): a TPM certifies a key it holds. Windows Hello attests with it.

use aws_lc_rs::digest;
use der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectAltName};

use super::algorithm::Algorithm;
use super::{Made, Statement, StatementError, algorithm_of, bytes_of, chain_of, check_model};
use crate::attestation::cbor::Item;
use crate::attestation::x509::Certificate;
use crate::health_card::x509;
use crate::passkey::AttestationFormat;
use crate::passkey::tpm::{CertInfo, PublicArea};

const VERSION: &str = "2.0";
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
/// `tcg-kp-AIKCertificate`.
const AIK_PURPOSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.8.3");
/// Manufacturer, model and version of a TPM (TCG EK Credential Profile 2.0, §3.2.9).
const TPM_ATTRIBUTES: [ObjectIdentifier; 3] = [
    ObjectIdentifier::new_unwrap("2.23.133.2.1"),
    ObjectIdentifier::new_unwrap("2.23.133.2.2"),
    ObjectIdentifier::new_unwrap("2.23.133.2.3"),
];
/// An empty sequence.
const NO_SUBJECT: [u8; 2] = [0x30, 0x00];

/// Critical extensions understood in the chain. A certificate without subject has its alternative name critical (RFC 5280 §4.2.1.6); both it and the
/// purpose are checked in the leaf. No policy is asked for, so any of the chain's will do (RFC 5280 §6.1.1 c).
pub(super) const UNDERSTOOD: [ObjectIdentifier; 3] = [SUBJECT_ALT_NAME, EXTENDED_KEY_USAGE, CERTIFICATE_POLICIES];

/// Verification procedure.
pub(super) fn verify<'a>(statement: &Item<'a>, made: &Made<'_>) -> Result<Statement<'a>, StatementError> {
    if statement.member("ver") != Some(&Item::Text(VERSION)) {
        return Err(StatementError::TpmVersion);
    }
    let algorithm = Algorithm::of(algorithm_of(statement)?);
    let signature = bytes_of(statement, "sig")?;
    let cert_info = bytes_of(statement, "certInfo")?;
    let public_area = bytes_of(statement, "pubArea")?;
    let (chain, leaf) = chain_of(statement)?;
    let Some(algorithm) = algorithm else {
        return Ok(Statement::Nothing);
    };
    check_certificate(&leaf)?;
    check_model(&leaf, &made.credential.aaguid)?;
    let public_area = PublicArea::parse(public_area)?;
    if public_area.key.bound().as_ref() != Some(&made.credential.key) {
        return Err(StatementError::Key);
    }
    let said = CertInfo::parse(cert_info)?;
    if said.extra_data != digest::digest(&digest::SHA256, made.signed).as_ref() {
        return Err(StatementError::TpmExtraData);
    }
    if said.name != public_area.name() {
        return Err(StatementError::TpmName);
    }
    algorithm.check(&leaf, cert_info, signature)?;
    Ok(Statement::Certified {
        chain,
        format: AttestationFormat::Tpm,
        is_kept: public_area.is_kept(),
    })
}

/// §8.3.1. That it has version 3 is parsing's.
fn check_certificate(leaf: &Certificate) -> Result<(), StatementError> {
    if leaf.subject() != NO_SUBJECT {
        return Err(StatementError::TpmSubject);
    }
    if !leaf.extension(SUBJECT_ALT_NAME).is_some_and(names_a_tpm) {
        return Err(StatementError::TpmAlternativeName);
    }
    let purposes = leaf.extension(EXTENDED_KEY_USAGE).and_then(x509::decode);
    if !purposes.is_some_and(|ExtendedKeyUsage(purposes)| purposes.contains(&AIK_PURPOSE)) {
        return Err(StatementError::TpmPurpose);
    }
    if leaf.is_authority() != Some(false) {
        return Err(StatementError::TpmAuthority);
    }
    Ok(())
}

/// Each attribute once and not empty, in one directory name. The manufacturer's form is `id:` and eight hexadecimal digits; which manufacturers are
/// believed, the roots decide.
fn names_a_tpm(extension: &[u8]) -> bool {
    let Some(SubjectAltName(names)) = x509::decode::<SubjectAltName>(extension) else {
        return false;
    };
    let directory = names.iter().find_map(|name| match name {
        GeneralName::DirectoryName(name) => Some(name),
        _ => None,
    });
    let attributes: Option<Vec<String>> = directory.and_then(|name| {
        let one = |id| match x509::attributes(name, id).as_slice() {
            [value] if !value.is_empty() => Some(value.clone()),
            _ => None,
        };
        TPM_ATTRIBUTES.into_iter().map(one).collect()
    });
    attributes.is_some_and(|attributes| {
        let manufacturer = attributes.first().and_then(|text| text.strip_prefix("id:"));
        manufacturer.is_some_and(|id| id.len() == 8 && id.bytes().all(|digit| digit.is_ascii_hexdigit()))
    })
}
