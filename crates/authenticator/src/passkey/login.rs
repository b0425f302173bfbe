//! Login (§7.2): from what `navigator.credentials.get()` signed to a person.

use jose::UnixTime;

use super::authenticator_data::AuthenticatorData;
use super::client_data::{self, Ceremony};
use super::{Party, PasskeyError, USER_HANDLE_BYTES, hash, login_challenge, user_handle};
use crate::challenge::VerifiedChallenge;
use crate::device::{DeviceKey, VerifiedAssertion};
use crate::policy::AuthenticationPolicy;

/// What the authenticator signed, as received.
#[derive(Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The credential's identifier.
    pub credential_id: Vec<u8>,
    /// `clientDataJSON`, exactly as received.
    pub client_data: Vec<u8>,
    /// Authenticator data, exactly as received.
    pub authenticator_data: Vec<u8>,
    /// ECDSA in DER, or PKCS #1 v1.5.
    pub signature: Vec<u8>,
    /// Which device it is; the authenticator has kept it.
    pub user_handle: [u8; USER_HANDLE_BYTES],
}

/// Prints the type only: the handle names a person.
impl std::fmt::Debug for Assertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Assertion")
    }
}

/// Verifies a login with a passkey. `device` is the one its user handle names, or nobody's.
///
/// What the message says of itself is checked first. Then comes the signature: nobody but the key's holder learns whether
/// the passkey is a copy, is due or may enter here.
///
/// # Errors
/// [`PasskeyError`], the first check that fails.
pub fn verify(
    assertion: &Assertion,
    challenge: &VerifiedChallenge,
    device: &DeviceKey,
    party: &Party,
    policy: &AuthenticationPolicy,
    now: UnixTime,
) -> Result<VerifiedAssertion, PasskeyError> {
    let asked = login_challenge(challenge.token());
    client_data::check(&assertion.client_data, Ceremony::Login, &asked, party.origin())?;
    let data = AuthenticatorData::parse(&assertion.authenticator_data)?;
    data.check(party.rp_id())?;
    if data.attested.is_some() {
        return Err(PasskeyError::AuthenticatorData);
    }
    let signed = [
        assertion.authenticator_data.as_slice(),
        &hash(&[&assertion.client_data]),
    ]
    .concat();
    // Always, whoever's key it is: the time of the answer does not tell whether there is one.
    let has_signed = device.key().has_signed(&signed, &assertion.signature);
    let own_handle = assertion.user_handle == user_handle(&device.person_id, &device.device_id);
    let record = device
        .passkey()
        .filter(|record| record.is_of(&assertion.credential_id))
        .filter(|_| has_signed && own_handle)
        .ok_or(PasskeyError::NotBound)?;
    if record.backup_eligible != data.is_backup_eligible() {
        return Err(PasskeyError::BackupFlags);
    }
    let counter = u64::from(data.counter);
    // Step 22: an authenticator without counter always says 0.
    if counter <= device.counter && (counter, device.counter) != (0, 0) {
        return Err(PasskeyError::Cloned);
    }
    let person = device.admit(challenge, policy, now)?;
    Ok(VerifiedAssertion { person, counter })
}
