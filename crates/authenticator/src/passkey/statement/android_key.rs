//! `android-key` (§8.4): Android Key Attestation of the passkey's own key, which signs what was made.

use jose::UnixTime;

use super::algorithm::Algorithm;
use super::{Made, Statement, StatementError, algorithm_of, bytes_of, chain_of};
use crate::attestation::android::authorizations::Tag;
use crate::attestation::android::description::KeyDescription;
use crate::attestation::android::status::StatusList;
use crate::attestation::android::{ATTESTATION_EXTENSION, verify_attestation_chain};
use crate::attestation::cbor::Item;
use crate::attestation::{AndroidError, Roots};
use crate::passkey::{AttestationFormat, Check};

/// Verification procedure. What the hardware says about itself is judged by [`believe`].
pub(super) fn verify<'a>(statement: &Item<'a>, made: &Made<'_>) -> Result<Statement<'a>, StatementError> {
    let algorithm = Algorithm::of(algorithm_of(statement)?);
    let signature = bytes_of(statement, "sig")?;
    let (chain, leaf) = chain_of(statement)?;
    let key = &made.credential.key;
    // The key signs itself, and a passkey's key is of one of two algorithms.
    let algorithm = algorithm.filter(|algorithm| algorithm.is_of(key));
    let algorithm = algorithm.ok_or(StatementError::Algorithm)?;
    if !key.is_certified_by(&leaf) {
        return Err(StatementError::Key);
    }
    let extension = leaf.extension(ATTESTATION_EXTENSION);
    let extension = extension.ok_or(StatementError::AndroidDescriptionMissing)?;
    let description = KeyDescription::parse(extension).map_err(StatementError::AndroidDescription)?;
    if description.challenge != made.client_data_hash {
        return Err(StatementError::AndroidChallenge);
    }
    let lists = [&description.software_enforced, &description.hardware_enforced];
    if lists.iter().any(|list| list.contains(Tag::ALL_APPLICATIONS)) {
        return Err(StatementError::AndroidAllApplications);
    }
    algorithm.check(&leaf, made.signed, signature)?;
    Ok(Statement::Certified {
        chain,
        format: AttestationFormat::AndroidKey,
        is_kept: true,
    })
}

/// The chain ends at the roots, hardware made the key to sign (§8.4 leaves it to the relying party whether software may have), and there is a list that
/// names none of its certificates.
pub(super) fn believe(chain: &[&[u8]], roots: &Roots, status: Option<&StatusList>, now: UnixTime) -> Result<(), Check> {
    let verified = verify_attestation_chain(chain, roots, now)
        .and_then(|verified| verified.check_hardware_made_it_to_sign().map(|()| verified))
        .map_err(|error| match error {
            AndroidError::Chain(error) => Check::AttestationChain(error),
            _ => Check::AttestedHardware,
        })?;
    let is_unlisted = status.is_some_and(|list| verified.listed(list).is_none());
    is_unlisted.then_some(()).ok_or(Check::AttestationStatus)
}
