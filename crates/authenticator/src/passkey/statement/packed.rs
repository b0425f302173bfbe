//! `packed` (§8.2): the authenticator's own format.

use super::algorithm::Algorithm;
use super::{Made, Statement, StatementError, algorithm_of, bytes_of, chain_of, check_model};
use crate::attestation::cbor::Item;
use crate::attestation::x509::Certificate;
use crate::health_card::x509;
use crate::passkey::AttestationFormat;

const UNIT: &str = "Authenticator Attestation";

/// Verification procedure.
pub(super) fn verify<'a>(statement: &Item<'a>, made: &Made<'_>) -> Result<Statement<'a>, StatementError> {
    let algorithm = Algorithm::of(algorithm_of(statement)?);
    let signature = bytes_of(statement, "sig")?;
    let credential = made.credential;
    if statement.member("x5c").is_none() {
        let algorithm = algorithm.filter(|algorithm| algorithm.is_of(&credential.key));
        algorithm.ok_or(StatementError::Algorithm)?;
        let has_signed = credential.key.has_signed(made.signed, signature);
        return has_signed
            .then_some(Statement::Nothing)
            .ok_or(StatementError::Signature);
    }
    let (chain, leaf) = chain_of(statement)?;
    let Some(algorithm) = algorithm else {
        return Ok(Statement::Nothing);
    };
    algorithm.check(&leaf, made.signed, signature)?;
    check_certificate(&leaf)?;
    check_model(&leaf, &credential.aaguid)?;
    Ok(Statement::Certified {
        chain,
        format: AttestationFormat::Packed,
        is_kept: true,
    })
}

/// §8.2.1. That it has version 3 is parsing's.
fn check_certificate(leaf: &Certificate) -> Result<(), StatementError> {
    let names = |id| leaf.subject_attributes(id);
    let subject = !names(x509::COUNTRY).is_empty()
        && !names(x509::ORGANIZATION).is_empty()
        && !names(x509::COMMON_NAME).is_empty()
        && names(x509::ORGANIZATIONAL_UNIT) == [UNIT];
    let is_right = subject && leaf.is_authority() == Some(false);
    is_right.then_some(()).ok_or(StatementError::PackedCertificate)
}
