//! Native key attestation: what a phone's maker says about a key, verified at enrolment.
//!
//! Three steps, each a function of bytes, roots, lists and `now`. [`verify`] turns a statement into a
//! [`VerifiedKeyAttestation`], which binds one key to one challenge and carries facts. [`policy`] judges the facts by an
//! insurer's rules and says of which device class the key may become a device, which checks failed, and what still
//! works. [`android::status`] reads the list of attestation keys that are not to be believed any more.
//!
//! # What it proves
//! *Android*: a secure environment (TEE, or a secure element under `StrongBox`) whose attestation key was certified
//! under Google's root made this key, keeps it, lets it sign only, under the unlock rule it states; the device had
//! started as it states, when the key was made; the system states which app asked.
//! *Apple*: an unmodified copy of the named app, on a genuine device, repeated the challenge and vouched for this key.
//! The App Attest key lives in the Secure Enclave; that *our* device key does too is the app's word, not Apple's,
//! because an App Attest key signs nothing but assertions.
//!
//! # What it does not prove
//! That the person holds the phone: only the login's signature and the card say so. That the system is free of
//! malware today: boot state and patch level are those of enrolment. That an attestation key has not leaked: Google's
//! list knows of some, late. That the app shown to the person is the one attested, where the system itself was
//! replaced and lies about it: that is why the boot state comes first. On a phone opened by a hidden flaw, with its
//! bootloader locked, everything here can be true and the system still be owned.
//!
//! # What was decided about libraries
//! `KeyDescription` is read with `der`, chains with `x509-cert` and `aws-lc-rs`: no maintained crate reads them. Of the
//! crates for App Attest, `appattest` 0.1.1 (MIT) was read and not taken: it walks DER by hand with additions that can
//! overflow, believes the last of two equal members, has `unsafe` in its parser and one release by one person. CBOR is
//! a bounded reader of our own (`cbor`): we need six types and no crate for it is in the product otherwise.

pub mod android;
pub mod apple;
pub(crate) mod cbor;
pub mod policy;
mod roots;
pub(crate) mod x509;

use jose::UnixTime;
use jose::jwk::P256PublicKey;

pub use self::android::{AndroidError, AndroidFacts};
pub use self::apple::{AppleError, AppleFacts};
pub use self::roots::Roots;
pub use self::x509::{ChainError, KeyKind, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES};

/// What the app sends, as received.
#[derive(Clone, PartialEq, Eq)]
pub enum Statement {
    /// Android Key Attestation: the certificate chain of the key, DER, leaf first, at most [`MAX_CERTIFICATES`].
    Android {
        /// The chain.
        chain: Vec<Vec<u8>>,
    },
    /// Apple App Attest: the attestation object, CBOR, at most [`apple::MAX_OBJECT_BYTES`].
    Apple {
        /// The object.
        object: Vec<u8>,
    },
}

/// Prints the platform only.
impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Android { .. } => "Android",
            Self::Apple { .. } => "Apple",
        })
    }
}

/// Whom and what a verifier believes.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Roots of Android devices.
    pub android: Roots,
    /// Google's status list; `None` where none was fetched yet, which the policy judges.
    pub android_status: Option<android::status::StatusList>,
    /// Roots of Apple's.
    pub apple: Roots,
}

impl Trust {
    /// The makers' roots, and this status list.
    #[must_use]
    pub fn vendors(android_status: Option<android::status::StatusList>) -> Self {
        Self {
            android: Roots::google(),
            android_status,
            apple: Roots::apple(),
        }
    }
}

/// Why a statement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// Android.
    #[error(transparent)]
    Android(#[from] AndroidError),
    /// Apple.
    #[error(transparent)]
    Apple(#[from] AppleError),
}

impl AttestationError {
    /// Stable code for logs and support.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Android(error) => error.code(),
            Self::Apple(error) => error.code(),
        }
    }
}

/// What the maker attests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facts {
    /// Android.
    Android(AndroidFacts),
    /// Apple.
    Apple(AppleFacts),
}

/// Proof: a statement about this key, over this challenge, that ends at a believed root. Made by [`verify`] only.
///
/// Says what the device claims about itself, not whether that suffices: [`policy::AttestationPolicy::judge`] does.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedKeyAttestation {
    key: P256PublicKey,
    challenge: [u8; 32],
    facts: Facts,
}

/// Never prints a key or an identifier of a device.
impl std::fmt::Debug for VerifiedKeyAttestation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifiedKeyAttestation")
    }
}

impl VerifiedKeyAttestation {
    /// The key attested to.
    #[must_use]
    pub fn key(&self) -> &P256PublicKey {
        &self.key
    }

    /// The provider's nonce it was made for; single use is enforced where the device is stored.
    #[must_use]
    pub fn challenge(&self) -> &[u8; 32] {
        &self.challenge
    }

    /// What is attested.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// Verifies a statement about `key` over `challenge`, at the moment of enrolment.
///
/// # Errors
/// [`AttestationError`], the first check that fails.
pub fn verify(
    statement: &Statement,
    challenge: &[u8; 32],
    key: &P256PublicKey,
    trust: &Trust,
    now: UnixTime,
) -> Result<VerifiedKeyAttestation, AttestationError> {
    let facts = match statement {
        Statement::Android { chain } => {
            let status = trust.android_status.as_ref();
            Facts::Android(android::verify(chain, challenge, key, &trust.android, status, now)?)
        }
        Statement::Apple { object } => {
            let client_data = apple::client_data(challenge, key);
            Facts::Apple(apple::verify_object(object, &client_data, &trust.apple, now)?)
        }
    };
    Ok(VerifiedKeyAttestation {
        key: key.clone(),
        challenge: *challenge,
        facts,
    })
}

#[cfg(test)]
pub(crate) mod test_pki;
