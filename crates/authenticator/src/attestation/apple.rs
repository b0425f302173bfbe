//! Apple App Attest: an unmodified copy of the insurer's app, on a genuine device, vouches for a key.
//!
//! The checks are those of Apple's guide "Validating apps that connect to your server", in its order. An App Attest key
//! signs assertions and nothing else, so it cannot be the device key of our logins (ES256 over JWS). It vouches for
//! that key instead: the client data is `challenge ‖ uncompressed point of the device key` ([`client_data`]).
//! Afterwards, [`assertion`] shows that the same copy of the app still speaks.
//!
//! The receipt (for Apple's fraud metric, a service on the network) is not looked at.

pub mod assertion;

use aws_lc_rs::digest;
use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Reader, SliceReader, Tag as DerTag, Tagged};
use jose::UnixTime;
use jose::jwk::P256PublicKey;

use super::cbor::Item;
use super::roots::Roots;
use super::x509::{Certificate, ChainError, ChainRules, KeyKind, verify_chain};

/// Largest attestation object read; the one Apple publishes has between 5 and 6 kB.
pub const MAX_OBJECT_BYTES: usize = 32 * 1024;
/// OID of the extension with the nonce.
pub const NONCE_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113635.100.8.2");

const FORMAT: &str = "apple-appattest";
const AAGUID_PRODUCTION: &[u8; 16] = b"appattest\0\0\0\0\0\0\0";
const AAGUID_DEVELOPMENT: &[u8; 16] = b"appattestdevelop";

/// Why an attestation object or an assertion is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppleError {
    /// Too long, no CBOR, or not the members of an attestation object.
    #[error(
        "app attest: expected CBOR with fmt, attStmt (x5c, receipt) and authData, at most {MAX_OBJECT_BYTES} bytes"
    )]
    Shape,
    /// Another format.
    #[error("app attest: fmt must be {FORMAT}")]
    Format,
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The certified key is of another kind.
    #[error("app attest: the certified key must be P-256")]
    KeyKind,
    /// No nonce, or not in its form.
    #[error("app attest: extension {NONCE_EXTENSION} must hold one nonce of 32 bytes")]
    NonceMissing,
    /// Another challenge, another device key, or other authenticator data.
    #[error("app attest: the nonce is not of this challenge and key")]
    Nonce,
    /// The authenticator data is too short or names no key.
    #[error("app attest: authData is malformed")]
    AuthenticatorData,
    /// The key identifier in the authenticator data is another.
    #[error("app attest: the credential id is not the SHA-256 of the certified key")]
    KeyIdentifier,
    /// The key has been used before.
    #[error("app attest: the counter must be 0 at attestation")]
    CounterAtAttestation,
    /// Neither production nor development.
    #[error("app attest: aaguid names no environment of App Attest")]
    Environment,
    /// Assertion: of another app.
    #[error("app attest: the assertion is another app's")]
    AnotherApp,
    /// Assertion: seen before, or a clone counts too.
    #[error("app attest: the assertion's counter must be greater than the last one")]
    Counter,
    /// Assertion: not by this key, over this client data.
    #[error("app attest: the assertion's signature is not the attested key's")]
    Signature,
}

impl AppleError {
    /// Stable code for logs and support.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape => "app-attest-shape",
            Self::Format => "app-attest-format",
            Self::Chain(error) => error.code(),
            Self::KeyKind => "key-kind",
            Self::NonceMissing => "app-attest-nonce-missing",
            Self::Nonce => "challenge",
            Self::AuthenticatorData => "app-attest-authenticator-data",
            Self::KeyIdentifier => "app-attest-key-identifier",
            Self::CounterAtAttestation => "app-attest-first-counter",
            Self::Environment => "app-attest-environment",
            Self::AnotherApp => "app-attest-another-app",
            Self::Counter => "app-attest-counter",
            Self::Signature => "app-attest-signature",
        }
    }
}

/// Which of Apple's two services attested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Apps from the store.
    Production,
    /// Apps under development: anybody with a developer account makes these.
    Development,
}

/// What Apple attests: facts for [`super::policy`].
#[derive(Clone, PartialEq, Eq)]
pub struct AppleFacts {
    /// SHA-256 of the app's identifier, `team id.bundle id`.
    pub rp_id_hash: [u8; 32],
    /// Which service attested.
    pub environment: Environment,
    /// The App Attest key, which signs later assertions. Not the device key.
    pub app_attest_key: P256PublicKey,
}

/// Never prints a key.
impl std::fmt::Debug for AppleFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AppleFacts({:?})", self.environment)
    }
}

/// What the app hands to App Attest, hashed with SHA-256, when it vouches for a device key: the challenge, then the
/// key's uncompressed point, 97 bytes.
#[must_use]
pub fn client_data(challenge: &[u8; 32], device_key: &P256PublicKey) -> Vec<u8> {
    [&challenge[..], &device_key.to_uncompressed()].concat()
}

/// Verifies an attestation object over any client data. Enrolment uses [`super::verify`], which makes the client data.
///
/// # Errors
/// [`AppleError`], the first check that fails.
pub fn verify_object(
    object: &[u8],
    client_data: &[u8],
    roots: &Roots,
    now: UnixTime,
) -> Result<AppleFacts, AppleError> {
    if object.len() > MAX_OBJECT_BYTES {
        return Err(AppleError::Shape);
    }
    let object = Item::parse(object).ok_or(AppleError::Shape)?;
    let (chain, authenticator_data) = members(&object)?;
    let rules = ChainRules {
        least_length: 2,
        leaf_dates: true,
        without_authority: 1,
        understood: &[],
    };
    let leaf = verify_chain(&chain, roots, &rules, now)?.leaf;
    let nonce = nonce(authenticator_data, client_data);
    if nonce_of(&leaf)? != nonce {
        return Err(AppleError::Nonce);
    }
    if leaf.key_kind() != KeyKind::P256 {
        return Err(AppleError::KeyKind);
    }
    let app_attest_key = P256PublicKey::from_uncompressed(leaf.key()).map_err(|_| AppleError::KeyKind)?;
    let data = AuthenticatorData::parse(authenticator_data)?;
    let attested = data.attested.ok_or(AppleError::AuthenticatorData)?;
    if data.counter != 0 {
        return Err(AppleError::CounterAtAttestation);
    }
    let environment = match &attested.aaguid {
        AAGUID_PRODUCTION => Environment::Production,
        AAGUID_DEVELOPMENT => Environment::Development,
        _ => return Err(AppleError::Environment),
    };
    if attested.credential_id != sha256(&[&app_attest_key.to_uncompressed()]) {
        return Err(AppleError::KeyIdentifier);
    }
    Ok(AppleFacts {
        rp_id_hash: data.rp_id_hash,
        environment,
        app_attest_key,
    })
}

/// The certificates of `x5c` and the authenticator data.
fn members<'a>(object: &Item<'a>) -> Result<(Vec<&'a [u8]>, &'a [u8]), AppleError> {
    let shape = AppleError::Shape;
    if object.member("fmt").ok_or(shape)? != &Item::Text(FORMAT) {
        return Err(AppleError::Format);
    }
    let statement = object.member("attStmt").ok_or(shape)?;
    statement.member("receipt").and_then(Item::bytes).ok_or(shape)?;
    let chain = statement
        .member("x5c")
        .and_then(Item::array)
        .and_then(|items| items.iter().map(Item::bytes).collect::<Option<Vec<_>>>())
        .ok_or(shape)?;
    let authenticator_data = object.member("authData").and_then(Item::bytes).ok_or(shape)?;
    Ok((chain, authenticator_data))
}

/// `SEQUENCE { [1] EXPLICIT OCTET STRING }`.
pub(crate) fn nonce_of(leaf: &Certificate) -> Result<[u8; 32], AppleError> {
    let missing = AppleError::NonceMissing;
    let extension = leaf.extension(NONCE_EXTENSION).ok_or(missing)?;
    let outer = AnyRef::from_der(extension).map_err(|_| missing)?;
    if outer.tag() != DerTag::Sequence {
        return Err(missing);
    }
    let mut reader = SliceReader::new(outer.value()).map_err(|_| missing)?;
    let tagged = AnyRef::decode(&mut reader).map_err(|_| missing)?;
    let is_first = tagged.tag().is_context_specific() && tagged.tag().number().0 == 1 && tagged.tag().is_constructed();
    let inner = AnyRef::from_der(tagged.value()).map_err(|_| missing)?;
    if !is_first || !reader.is_finished() || inner.tag() != DerTag::OctetString {
        return Err(missing);
    }
    inner.value().try_into().map_err(|_| missing)
}

/// `SHA-256(authData ‖ SHA-256(client data))`.
fn nonce(authenticator_data: &[u8], client_data: &[u8]) -> [u8; 32] {
    sha256(&[authenticator_data, &sha256(&[client_data])])
}

pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// Authenticator data in the form of WebAuthn §6.1.
struct AuthenticatorData {
    rp_id_hash: [u8; 32],
    counter: u32,
    attested: Option<AttestedCredential>,
}

struct AttestedCredential {
    aaguid: [u8; 16],
    credential_id: Vec<u8>,
}

const FLAG_ATTESTED: u8 = 0x40;

impl AuthenticatorData {
    fn parse(bytes: &[u8]) -> Result<Self, AppleError> {
        Self::read(bytes).ok_or(AppleError::AuthenticatorData)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>()?;
        let (flags, rest) = rest.split_first()?;
        let (counter, rest) = rest.split_first_chunk::<4>()?;
        let attested = if flags & FLAG_ATTESTED == 0 {
            None
        } else {
            let (aaguid, rest) = rest.split_first_chunk::<16>()?;
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let credential_id = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
            Some(AttestedCredential {
                aaguid: *aaguid,
                credential_id: credential_id.to_vec(),
            })
        };
        Some(Self {
            rp_id_hash: *rp_id_hash,
            counter: u32::from_be_bytes(*counter),
            attested,
        })
    }
}

#[cfg(test)]
mod tests;
