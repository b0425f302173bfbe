//! Assertions of an App Attest key: the attested copy of the app still speaks.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use jose::jwk::P256PublicKey;

use super::{AppleError, AppleFacts, AuthenticatorData, nonce};
use crate::attestation::cbor::Item;

/// Largest assertion read; 37 bytes of data and a signature of at most 72 make about 150.
pub const MAX_ASSERTION_BYTES: usize = 1024;

/// What is kept of an attested app. The counter is to be stored with each accepted assertion, by compare and swap.
#[derive(Clone, PartialEq, Eq)]
pub struct AttestedApp {
    /// The App Attest key.
    pub key: P256PublicKey,
    /// SHA-256 of the app's identifier.
    pub rp_id_hash: [u8; 32],
    /// The last counter seen; 0 after attestation.
    pub counter: u32,
}

impl AttestedApp {
    /// What is to be kept after enrolment.
    #[must_use]
    pub fn new(facts: &AppleFacts) -> Self {
        Self {
            key: facts.app_attest_key.clone(),
            rp_id_hash: facts.rp_id_hash,
            counter: 0,
        }
    }
}

/// Verifies an assertion over `client_data` and returns its counter, to be stored in [`AttestedApp::counter`].
///
/// The client data must hold the provider's challenge; whether it does is the caller's to check.
///
/// # Errors
/// [`AppleError::Shape`], [`AppleError::AuthenticatorData`], [`AppleError::Signature`], [`AppleError::AnotherApp`],
/// [`AppleError::Counter`], in this order: nobody but the key's holder learns about the counter.
pub fn verify_assertion(assertion: &[u8], client_data: &[u8], app: &AttestedApp) -> Result<u32, AppleError> {
    if assertion.len() > MAX_ASSERTION_BYTES {
        return Err(AppleError::Shape);
    }
    let item = Item::parse(assertion).ok_or(AppleError::Shape)?;
    let member = |name| item.member(name).and_then(Item::bytes).ok_or(AppleError::Shape);
    let (signature, authenticator_data) = (member("signature")?, member("authenticatorData")?);
    let data = AuthenticatorData::parse(authenticator_data)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, app.key.to_uncompressed())
        .verify(&nonce(authenticator_data, client_data), signature)
        .map_err(|_| AppleError::Signature)?;
    if data.rp_id_hash != app.rp_id_hash {
        return Err(AppleError::AnotherApp);
    }
    if data.counter <= app.counter {
        return Err(AppleError::Counter);
    }
    Ok(data.counter)
}

/// Never prints a key.
impl std::fmt::Debug for AttestedApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AttestedApp")
    }
}
