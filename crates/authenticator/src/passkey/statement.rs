//! Attestation statements of the formats `packed` (§8.2) and `none` (§8.7).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use der::asn1::{ObjectIdentifier, OctetStringRef};
use jose::UnixTime;

use super::PasskeyError;
use super::authenticator_data::{AttestedCredential, ES256};
use super::registration::Check;
use crate::attestation::Roots;
use crate::attestation::cbor::Item;
use crate::attestation::x509::{Certificate, ChainRules, KeyKind, verify_chain};
use crate::health_card::x509;

/// `id-fido-gen-ce-aaguid`.
const AAGUID_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.45724.1.1.4");
const UNIT: &str = "Authenticator Attestation";

/// What an authenticator's maker says about a key. The signature is right; whom it comes from is not judged yet.
#[derive(Debug)]
pub(super) enum Statement<'a> {
    /// Signed under this chain, leaf first.
    Certified(Vec<&'a [u8]>),
    /// Nothing about the maker: no statement, the key's own signature, or a format that is not read here.
    Nothing,
}

impl<'a> Statement<'a> {
    /// Verifies a statement over `signed`: authenticator data, then the hash of the client data.
    pub(super) fn verify(
        format: &str,
        statement: &Item<'a>,
        signed: &[u8],
        credential: &AttestedCredential<'_>,
    ) -> Result<Self, PasskeyError> {
        let members = statement.map().ok_or(PasskeyError::AttestationObject)?;
        match format {
            "none" if members.is_empty() => Ok(Self::Nothing),
            "none" => Err(PasskeyError::Statement),
            "packed" => Self::packed(statement, signed, credential).ok_or(PasskeyError::Statement),
            _ => Ok(Self::Nothing),
        }
    }

    /// §8.2, verification procedure.
    fn packed(statement: &Item<'a>, signed: &[u8], credential: &AttestedCredential<'_>) -> Option<Self> {
        let Some(Item::Integer(algorithm)) = statement.member("alg") else {
            return None;
        };
        let signature = statement.member("sig")?.bytes()?;
        let verifies = |key: &[u8]| {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
                .verify(signed, signature)
                .is_ok()
        };
        let Some(chain) = statement.member("x5c") else {
            let own = credential.key.to_uncompressed();
            return (*algorithm == ES256 && verifies(&own)).then_some(Self::Nothing);
        };
        let chain: Vec<&[u8]> = chain.array()?.iter().map(Item::bytes).collect::<Option<_>>()?;
        let leaf = Certificate::parse(chain.first()?)?;
        if *algorithm != ES256 || leaf.key_kind() != KeyKind::P256 {
            // Makers sign with other keys too. Nothing here verifies those, so nothing is believed.
            return Some(Self::Nothing);
        }
        (verifies(leaf.key()) && is_attestation_certificate(&leaf, &credential.aaguid))
            .then_some(Self::Certified(chain))
    }

    /// Whether the model is one of those named, by its maker's word.
    pub(super) fn believe(
        &self,
        aaguid: &[u8; 16],
        roots_of: impl FnOnce(&[u8; 16]) -> Option<Roots>,
        now: UnixTime,
    ) -> Result<(), Check> {
        let Self::Certified(chain) = self else {
            return Err(Check::AttestationFormat);
        };
        let roots = roots_of(aaguid).ok_or(Check::AuthenticatorModel)?;
        let rules = ChainRules {
            least_length: 1,
            leaf_dates: true,
            without_authority: 1,
            understood: &[],
        };
        verify_chain(chain, &roots, &rules, now)
            .map(|_| ())
            .map_err(Check::AttestationChain)
    }
}

/// §8.2.1. That it has version 3 is parsing's.
fn is_attestation_certificate(leaf: &Certificate, aaguid: &[u8; 16]) -> bool {
    let names = |id| leaf.subject_attributes(id);
    let subject = !names(x509::COUNTRY).is_empty()
        && !names(x509::ORGANIZATION).is_empty()
        && !names(x509::COMMON_NAME).is_empty()
        && names(x509::ORGANIZATIONAL_UNIT) == [UNIT];
    let model = match leaf.extension_with_criticality(AAGUID_EXTENSION) {
        None => true,
        Some((true, _)) => false,
        Some((false, value)) => {
            x509::decode::<&OctetStringRef>(value).is_some_and(|octets| octets.as_bytes() == aaguid)
        }
    };
    subject && model && leaf.is_authority() == Some(false)
}
