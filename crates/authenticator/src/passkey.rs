//! Passkeys (W3C Web Authentication, level 3): the authenticator of the web wallet.
//!
//! Two ceremonies. [`register`] turns what `navigator.credentials.create()` made, in a login answered by card, into a
//! [`crate::device::DeviceKey`]; [`verify`] turns what `navigator.credentials.get()` signed into a login. Nothing is kept
//! between asking and answering: the challenge is derived from what is signed or sealed already
//! ([`registration_challenge`], [`login_challenge`]), and the user handle names the device, so that nobody types a name.
//!
//! Trusted for: the key answered this login, at the insurer's own origin, with user verification, and is not older than
//! the counter seen. That the key cannot leave its authenticator is the maker's word: an attestation, by a model the
//! insurer's policy names, with the backup-eligible bit off. Everything else is a key that may be copied to every phone
//! of a cloud account, and serves the insurer's own pages only ([`crate::policy::DeviceClassRule::own_pages_only`]).
//!
//! Does not: know other algorithms than ES256 and RS256, other attestation formats than `packed`, `tpm`, `apple`,
//! `android-key` and `none` (a format of tomorrow counts as none, a withdrawn one is refused), lists of revoked makers'
//! keys other than Google's, or extensions. Why no library: `docs/adr/0016`.

mod authenticator_data;
mod client_data;
mod cose;
mod error;
mod login;
mod options;
mod policy;
mod registration;
mod statement;
pub mod tpm;

use sha2::{Digest, Sha256};

pub use self::error::PasskeyError;
pub use self::login::{Assertion, verify};
pub use self::options::{CreationOptions, Party};
pub use self::policy::{AllowedAuthenticator, AttestationFormat, PasskeyPolicy, PasskeyPolicyError};
pub use self::registration::{Check, Registered, Registration, RegistrationRequest, Rules, register};
pub use self::statement::StatementError;

/// Largest client data read; a browser writes some 200 bytes.
pub const MAX_CLIENT_DATA_BYTES: usize = 2 * 1024;
/// Largest attestation object read; a chain of three certificates makes about 3 kB.
pub const MAX_ATTESTATION_OBJECT_BYTES: usize = 16 * 1024;
/// Largest authenticator data read.
pub const MAX_AUTHENTICATOR_DATA_BYTES: usize = 4 * 1024;
/// Longest credential identifier (level 3, §4).
pub const MAX_CREDENTIAL_ID_BYTES: usize = 1023;
/// Bytes of a user handle: the person's handle, then the device's.
pub const USER_HANDLE_BYTES: usize = 32;

const REGISTRATION_DOMAIN: &[u8] = b"healthid/passkey-registration/v1\0";
const LOGIN_DOMAIN: &[u8] = b"healthid/passkey-login/v1\0";

/// The challenge of a registration: `SHA-256(domain ‖ login identifier ‖ user handle)`. The handle that the provider
/// drew need not be remembered: the new key signs it.
#[must_use]
pub fn registration_challenge(login_id: &[u8; 16], user_handle: &[u8; USER_HANDLE_BYTES]) -> [u8; 32] {
    hash(&[REGISTRATION_DOMAIN, login_id, user_handle])
}

/// The challenge of a login: `SHA-256(domain ‖ token of the provider's signed challenge)`. Whoever signs it has signed
/// service, request and time.
#[must_use]
pub fn login_challenge(token: &str) -> [u8; 32] {
    hash(&[LOGIN_DOMAIN, token.as_bytes()])
}

/// A passkey's user handle.
#[must_use]
pub fn user_handle(person_id: &[u8; 16], device_id: &[u8; 16]) -> [u8; USER_HANDLE_BYTES] {
    let mut handle = [0; USER_HANDLE_BYTES];
    handle[..16].copy_from_slice(person_id);
    handle[16..].copy_from_slice(device_id);
    handle
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod soft;
#[cfg(test)]
mod tests;
