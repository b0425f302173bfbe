//! Passkeys: `POST /devices/passkey` (what to ask the browser for), and the passkeys within `POST /devices` and `POST /auth/device`.
//!
//! Nothing is kept between question and answer: challenges follow from what is sealed or signed, and a passkey's user handle is its device's
//! handle. So she types no name.

use std::sync::Arc;

use authenticator::{
    challenge::VerifiedChallenge,
    device::{DeviceError, DeviceKey, VerifiedAssertion},
    passkey::{self, Assertion, CreationOptions, Party, PasskeyError, Registration, RegistrationRequest, Rules},
};
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::{UnixTime, base64url};
use serde::{Deserialize, Serialize};

use crate::{
    authenticate,
    consent::{self, Authenticated},
    core::{Core, StepProblem},
    devices::{self, Finding},
    people::NamedDevice,
    rng,
    support::json_response,
    tenant::Tenant,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OptionsRequest {
    client_id: String,
    login: String,
}

#[derive(Serialize)]
struct OptionsAnswer {
    /// `PublicKeyCredentialCreationOptionsJSON`; `user.id` is the device's handle.
    options: CreationOptions,
}

/// A passkey, as `navigator.credentials.create()` made it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MadePasskey {
    /// `user.id` of the options.
    device: String,
    credential_id: String,
    client_data: String,
    attestation_object: String,
}

/// A passkey's answer, as `navigator.credentials.get()` gave it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyAnswer {
    credential_id: String,
    client_data: String,
    authenticator_data: String,
    signature: String,
    user_handle: String,
}

/// Says what to ask the browser for.
pub(crate) async fn options(core: &Core, tenant: &Arc<Tenant>, body: &Bytes) -> Response {
    match creation_options(core, tenant, body).await {
        Ok(answer) => json_response(StatusCode::OK, &answer),
        Err(problem) => core.problem("binding_refused", problem).into_json(),
    }
}

async fn creation_options(core: &Core, tenant: &Arc<Tenant>, body: &Bytes) -> Result<OptionsAnswer, StepProblem> {
    let request: OptionsRequest = authenticate::read(body)?;
    let Authenticated { capability, login } = consent::open_authenticated(
        core,
        tenant,
        &request.client_id,
        &request.login,
        &HeaderMap::new(),
        core.now(),
    )?;
    let party = party(tenant)?;
    let handle = passkey::user_handle(capability.person_id().as_bytes(), &rng::bytes(&*core.rng));
    let insurer = &tenant.settings.organization_name;
    let mut known = Vec::new();
    for (_, device) in devices::all(core, tenant, capability).await? {
        known.extend(device?.credential_id().map(str::to_owned));
    }
    Ok(OptionsAnswer {
        options: CreationOptions::new(&party, insurer, &login.request.login_id.0, &handle, known),
    })
}

/// The site of this insurer's pages, where it offers passkeys.
fn party(tenant: &Tenant) -> Result<Party, StepProblem> {
    tenant
        .settings
        .policy
        .offers_passkeys()
        .then(|| Party::of(&tenant.settings.browser_base))
        .flatten()
        .ok_or_else(|| PasskeyError::NotAdmitted.into())
}

fn bytes(member: &'static str, text: &str) -> Result<Vec<u8>, StepProblem> {
    base64url::decode(text)
        .map_err(|_| StepProblem::invalid(format_args!("member 'passkey.{member}': expected base64url")))
}

/// A verified passkey, not stored yet, and why it is of its class.
pub(crate) fn register(
    tenant: &Tenant,
    authenticated: &Authenticated,
    name: String,
    consented_to_substantial: bool,
    made: &MadePasskey,
    now: UnixTime,
) -> Result<(DeviceKey, Vec<Finding>), StepProblem> {
    let party = party(tenant)?;
    let person_id = *authenticated.capability.person_id().as_bytes();
    let handle = base64url::decode_array::<32>(&made.device).ok();
    let device_id = handle
        .as_ref()
        .and_then(|handle| handle.strip_prefix(&person_id))
        .and_then(|device| <[u8; 16]>::try_from(device).ok())
        .ok_or_else(|| {
            StepProblem::invalid("member 'passkey.device': expected user.id of the options for this login")
        })?;
    let request = RegistrationRequest {
        device_id,
        person_id,
        name,
        consented_to_substantial,
    };
    let registration = Registration {
        credential_id: bytes("credential_id", &made.credential_id)?,
        client_data: bytes("client_data", &made.client_data)?,
        attestation_object: bytes("attestation_object", &made.attestation_object)?,
    };
    let phones = tenant.settings.attestation.as_ref();
    let trust = phones.map(|phones| (phones.trust.current(), phones.policy.status_list_max_age_seconds));
    let rules = Rules {
        policy: &tenant.settings.policy,
        android_status: trust.as_ref().and_then(|(trust, most)| {
            let list = trust.android_status.as_ref();
            list.filter(|list| list.fetched_at() <= now && now.seconds_since(list.fetched_at()) <= *most)
        }),
    };
    let registered = passkey::register(
        &request,
        &registration,
        &party,
        &authenticated.login.request.login_id.0,
        &authenticated.login.performed,
        &rules,
        now,
    )?;
    let failed = registered.failed.iter().map(|check| Finding {
        check: check.code(),
        outcome: "failed",
        class: None,
    });
    let findings = failed.collect();
    Ok((registered.device, findings))
}

impl PasskeyAnswer {
    /// The handle of the device it says it is; one that leads to nobody where it has not even a handle's form.
    pub(crate) fn handle(&self) -> [u8; 32] {
        base64url::decode_array(&self.user_handle).unwrap_or_default()
    }

    /// Verifies it with what the handle leads to. The inner error is about the device, which only its holder may learn about; the outer one is
    /// about the message, whosever it is.
    pub(crate) fn verify(
        &self,
        tenant: &Tenant,
        challenge: &VerifiedChallenge,
        named: &NamedDevice,
        now: UnixTime,
    ) -> Result<Result<VerifiedAssertion, DeviceError>, StepProblem> {
        let assertion = Assertion {
            credential_id: bytes("credential_id", &self.credential_id)?,
            client_data: bytes("client_data", &self.client_data)?,
            authenticator_data: bytes("authenticator_data", &self.authenticator_data)?,
            signature: bytes("signature", &self.signature)?,
            user_handle: self.handle(),
        };
        let (party, policy) = (party(tenant)?, &tenant.settings.policy);
        match passkey::verify(&assertion, challenge, &named.key, &party, policy, now) {
            Ok(verified) => Ok(Ok(verified)),
            Err(PasskeyError::NotBound) => Ok(Err(DeviceError::Signature)),
            Err(PasskeyError::Cloned) => Ok(Err(DeviceError::Counter)),
            Err(PasskeyError::Device(error)) => Ok(Err(error)),
            Err(error) => Err(error.into()),
        }
    }
}

impl From<PasskeyError> for StepProblem {
    fn from(error: PasskeyError) -> Self {
        match error {
            PasskeyError::Binding(error) => error.into(),
            PasskeyError::NotAdmitted | PasskeyError::Statement(_) | PasskeyError::BackupFlags => {
                Self::denied(error.reason(), error)
            }
            error => Self::invalid_because(error.reason(), error),
        }
    }
}
