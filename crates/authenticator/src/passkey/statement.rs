//! Attestation statements (§8): what an authenticator's maker says about a key, verified in its format, then believed or not.
//!
//! Two steps. [`Statement::verify`] is the format's own verification procedure: what fails there was made wrong, and the registration is refused.
//! [`Statement::believe`] asks whom the word comes from: what fails there leaves a passkey for the insurer's own pages, and says why.

mod algorithm;
mod android_key;
mod apple;
mod error;
mod packed;
mod tpm;

use der::asn1::{ObjectIdentifier, OctetStringRef};
use jose::UnixTime;

pub use self::error::StatementError;
use super::authenticator_data::AttestedCredential;
use super::registration::Check;
use super::{AttestationFormat, PasskeyError};
use crate::attestation::Roots;
use crate::attestation::android::status::StatusList;
use crate::attestation::cbor::Item;
use crate::attestation::x509::{Certificate, ChainRules, verify_chain};
use crate::health_card::x509;

/// Formats that browsers are asked for.
pub(super) const FORMATS: [&str; 4] = ["packed", "tpm", "apple", "android-key"];

/// `id-fido-gen-ce-aaguid`.
const AAGUID_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.45724.1.1.4");

/// What was made, for a statement to be about.
pub(super) struct Made<'a> {
    /// Authenticator data, then the hash of the client data.
    pub(super) signed: &'a [u8],
    pub(super) client_data_hash: &'a [u8; 32],
    pub(super) credential: &'a AttestedCredential<'a>,
}

/// What an authenticator's maker says about a key. It is right in its format; whom it comes from is not judged yet.
pub(super) enum Statement<'a> {
    /// Signed under this chain, leaf first.
    Certified {
        chain: Vec<&'a [u8]>,
        format: AttestationFormat,
        /// Whether it is said that the key stays where it was made: a TPM can say otherwise.
        is_kept: bool,
    },
    /// Nothing about the maker: no statement, the key's own signature, or a format or algorithm that is not read here.
    Nothing,
}

impl<'a> Statement<'a> {
    /// Verifies a statement about what was made.
    pub(super) fn verify(format: &str, statement: &Item<'a>, made: &Made<'_>) -> Result<Self, PasskeyError> {
        let members = statement.map().ok_or(PasskeyError::AttestationObject)?;
        match format {
            "none" if members.is_empty() => Ok(Self::Nothing),
            "none" => Err(StatementError::Members.into()),
            "packed" => Ok(packed::verify(statement, made)?),
            "tpm" => Ok(tpm::verify(statement, made)?),
            "apple" => Ok(apple::verify(statement, made)?),
            "android-key" => Ok(android_key::verify(statement, made)?),
            // Google's service is shut down; a U2F authenticator does not verify the person.
            "android-safetynet" | "fido-u2f" => Err(StatementError::Withdrawn.into()),
            _ => Ok(Self::Nothing),
        }
    }

    /// Whether the model is one of those named, by its maker's word. `roots_of`: the model's, in a format.
    pub(super) fn believe(
        &self,
        roots_of: impl FnOnce(AttestationFormat) -> Option<Roots>,
        android_status: Option<&StatusList>,
        now: UnixTime,
    ) -> Result<(), Check> {
        let Self::Certified { chain, format, .. } = self else {
            return Err(Check::AttestationFormat);
        };
        let roots = roots_of(*format).ok_or(Check::AuthenticatorModel)?;
        let understood = match format {
            AttestationFormat::Packed | AttestationFormat::Apple => &[][..],
            AttestationFormat::Tpm => &tpm::UNDERSTOOD[..],
            AttestationFormat::AndroidKey => return android_key::believe(chain, &roots, android_status, now),
        };
        let rules = ChainRules {
            least_length: 1,
            leaf_dates: true,
            without_authority: 1,
            understood,
        };
        verify_chain(chain, &roots, &rules, now)
            .map(|_| ())
            .map_err(Check::AttestationChain)
    }

    /// Whether the maker's word, believed or not, is that the key may be elsewhere too.
    pub(super) const fn says_it_can_leave(&self) -> bool {
        matches!(self, Self::Certified { is_kept: false, .. })
    }
}

/// Member `alg`.
fn algorithm_of(statement: &Item<'_>) -> Result<i128, StatementError> {
    match statement.member("alg") {
        Some(Item::Integer(algorithm)) => Ok(*algorithm),
        _ => Err(StatementError::Members),
    }
}

fn bytes_of<'a>(statement: &Item<'a>, name: &str) -> Result<&'a [u8], StatementError> {
    statement
        .member(name)
        .and_then(Item::bytes)
        .ok_or(StatementError::Members)
}

/// Member `x5c` with its leaf.
fn chain_of<'a>(statement: &Item<'a>) -> Result<(Vec<&'a [u8]>, Certificate), StatementError> {
    let chain = statement.member("x5c").and_then(Item::array);
    let chain: Option<Vec<&[u8]>> = chain.and_then(|items| items.iter().map(Item::bytes).collect());
    let chain = chain.ok_or(StatementError::Members)?;
    let leaf = chain.first().and_then(|leaf| Certificate::parse(leaf));
    Ok((chain, leaf.ok_or(StatementError::Certificate)?))
}

/// The certificate is for this model, or says nothing about models (§8.2.1).
fn check_model(leaf: &Certificate, aaguid: &[u8; 16]) -> Result<(), StatementError> {
    let is_of_model = match leaf.extension_with_criticality(AAGUID_EXTENSION) {
        None => true,
        Some((true, _)) => false,
        Some((false, value)) => {
            x509::decode::<&OctetStringRef>(value).is_some_and(|octets| octets.as_bytes() == aaguid)
        }
    };
    is_of_model.then_some(()).ok_or(StatementError::Model)
}
