//! Registration (§7.1): from what `navigator.credentials.create()` made to a bound device.

use jose::UnixTime;

use super::authenticator_data::AuthenticatorData;
use super::client_data::{self, Ceremony};
use super::statement::{Made, Statement};
use super::{MAX_ATTESTATION_OBJECT_BYTES, Party, PasskeyError, hash, registration_challenge, user_handle};
use crate::attestation::ChainError;
use crate::attestation::android::status::StatusList;
use crate::attestation::cbor::Item;
use crate::device::{self, DeviceKey, PasskeyRecord};
use crate::policy::{AuthenticationPolicy, Performed};

/// What the person wants bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationRequest {
    /// Handle the provider drew for the device, with the options.
    pub device_id: [u8; 16],
    /// The person who just logged in by card.
    pub person_id: [u8; 16],
    /// What the person calls the device, at most [`device::MAX_NAME_CHARS`] characters.
    pub name: String,
    /// Whether she consents to logins below high.
    pub consented_to_substantial: bool,
}

/// What the authenticator made, as received.
#[derive(Clone, PartialEq, Eq)]
pub struct Registration {
    /// The credential's identifier.
    pub credential_id: Vec<u8>,
    /// `clientDataJSON`, exactly as received.
    pub client_data: Vec<u8>,
    /// The attestation object, CBOR.
    pub attestation_object: Vec<u8>,
}

/// Prints the type only: the identifier names a person's device.
impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Registration")
    }
}

/// A passkey, bound.
#[derive(Debug)]
pub struct Registered {
    /// To be stored.
    pub device: DeviceKey,
    /// Why it is good for own pages only; empty where it is good for services.
    pub failed: Vec<Check>,
}

/// Whom and what a registration is judged by.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The insurer's policy.
    pub policy: &'a AuthenticationPolicy,
    /// Google's list of attestation keys that are not to be believed any more, as recent as the insurer demands. Without one no statement of
    /// the format `android-key` is believed.
    pub android_status: Option<&'a StatusList>,
}

/// What decides about the class of a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The key cannot leave its authenticator: backup-eligible is off, and a TPM says that it made the key and keeps it.
    DeviceBound,
    /// There is an attestation, in a format and with an algorithm that is read here.
    AttestationFormat,
    /// The policy names the authenticator's model.
    AuthenticatorModel,
    /// The attestation's chain ends at the model's roots. Holds what is wrong.
    AttestationChain(ChainError),
    /// Android says that hardware made the key, to sign, and certified its attestation key for what it claims.
    AttestedHardware,
    /// Google's list of attestation keys is there and names none of the chain.
    AttestationStatus,
}

impl Check {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DeviceBound => "passkey-device-bound",
            Self::AttestationFormat => "passkey-attestation-format",
            Self::AuthenticatorModel => "passkey-authenticator-model",
            Self::AttestationChain(_) => "passkey-attestation-chain",
            Self::AttestedHardware => "passkey-attested-hardware",
            Self::AttestationStatus => "passkey-attestation-status",
        }
    }
}

/// Binds a passkey to the person of a card login.
///
/// # Errors
/// [`PasskeyError`], the first check that fails.
pub fn register(
    request: &RegistrationRequest,
    registration: &Registration,
    party: &Party,
    login_id: &[u8; 16],
    performed: &Performed,
    rules: &Rules<'_>,
    now: UnixTime,
) -> Result<Registered, PasskeyError> {
    device::check_occasion(&request.name, performed, now)?;
    let handle = user_handle(&request.person_id, &request.device_id);
    let challenge = registration_challenge(login_id, &handle);
    client_data::check(
        &registration.client_data,
        Ceremony::Registration,
        &challenge,
        party.origin(),
    )?;
    if registration.attestation_object.len() > MAX_ATTESTATION_OBJECT_BYTES {
        return Err(PasskeyError::AttestationObject);
    }
    let object = Item::parse(&registration.attestation_object).ok_or(PasskeyError::AttestationObject)?;
    let (format, statement, bytes) = members(&object).ok_or(PasskeyError::AttestationObject)?;
    let data = AuthenticatorData::parse(bytes)?;
    data.check(party.rp_id())?;
    let credential = data.attested.as_ref().ok_or(PasskeyError::AuthenticatorData)?;
    if credential.id != registration.credential_id {
        return Err(PasskeyError::CredentialId);
    }
    let client_data_hash = hash(&[&registration.client_data]);
    let made = Made {
        signed: &[bytes, &client_data_hash].concat(),
        client_data_hash: &client_data_hash,
        credential,
    };
    let statement = Statement::verify(format, statement, &made)?;
    let policy = rules.policy;
    let believed = statement.believe(
        |format| policy.passkeys.roots_of(&credential.aaguid, format),
        rules.android_status,
        now,
    );
    let can_leave = data.is_backup_eligible() || statement.says_it_can_leave();
    let can_leave = can_leave.then_some(Check::DeviceBound);
    let failed: Vec<Check> = can_leave.into_iter().chain(believed.err()).collect();
    let class = policy
        .passkey_class(failed.is_empty())
        .ok_or(PasskeyError::NotAdmitted)?;
    device::check_consent(class, request.consented_to_substantial)?;
    let record = PasskeyRecord::new(credential.id, &credential.key, data.is_backup_eligible());
    Ok(Registered {
        device: DeviceKey::of_passkey(request, class, &credential.key, record, data.counter, performed, now),
        failed,
    })
}

fn members<'a, 'b>(object: &'b Item<'a>) -> Option<(&'a str, &'b Item<'a>, &'a [u8])> {
    let Item::Text(format) = object.member("fmt")? else {
        return None;
    };
    let data = object.member("authData")?.bytes()?;
    Some((*format, object.member("attStmt")?, data)).filter(|_| object.map().is_some_and(|map| map.len() == 3))
}
