//! `apple` (§8.8): Apple's anonymous attestation. The certificate is about the key itself and repeats a nonce over what was made.

use aws_lc_rs::digest;

use super::{Made, Statement, StatementError, chain_of};
use crate::attestation::apple::nonce_of;
use crate::attestation::cbor::Item;
use crate::passkey::AttestationFormat;

/// Verification procedure.
pub(super) fn verify<'a>(statement: &Item<'a>, made: &Made<'_>) -> Result<Statement<'a>, StatementError> {
    let (chain, leaf) = chain_of(statement)?;
    let nonce = digest::digest(&digest::SHA256, made.signed);
    if !nonce_of(&leaf).is_ok_and(|said| said == nonce.as_ref()) {
        return Err(StatementError::AppleNonce);
    }
    if !made.credential.key.is_certified_by(&leaf) {
        return Err(StatementError::Key);
    }
    Ok(Statement::Certified {
        chain,
        format: AttestationFormat::Apple,
        is_kept: true,
    })
}
