//! `POST /auth/card` and `/auth/device`: the answers. Only what `authenticator` verified turns a pending login into an authenticated one.

use std::sync::Arc;

use authenticator::{
    AuthenticatedPerson, Reason,
    challenge::VerifiedChallenge,
    device::{self, DeviceError, UnverifiedAssertion, VerifiedAssertion},
    health_card,
};
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::{UnixTime, base64url};
use oidc::login_state::{AUTHENTICATED_LIFETIME_SECONDS, AuthenticatedLogin, BrowserTag, DeviceUse, PendingLogin};
use serde::Deserialize;
use vault::PersonId;

use super::{browser, open_pending, read, recognise};
use crate::{
    account,
    anomalies::COUNTER_JUMP,
    consent::{self, Authenticated},
    core::{Core, StepProblem},
    history::Step,
    inbox,
    limits::{Counted, Limit, Network},
    passkeys::PasskeyAnswer,
    people::{self, ConsentRows, NamedDevice},
    pin,
    second_device::{self, rendezvous::Outcome},
    support::json_response,
    tenant::Tenant,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardAnswer {
    client_id: String,
    login: String,
    response: String,
}

/// Takes the health card's answer.
pub(crate) async fn card(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    let attempt = Attempt::new(core, tenant, network, headers);
    match verify_card(&attempt, body).await {
        Ok(answer) => json_response(StatusCode::OK, &answer),
        Err(problem) => core.problem("card_refused", problem).into_json(),
    }
}

async fn verify_card(attempt: &Attempt<'_>, body: &Bytes) -> Result<consent::Ask, StepProblem> {
    let Attempt { core, tenant, .. } = *attempt;
    let now = core.now();
    attempt.check(None).await?;
    let answer: CardAnswer = read(body)?;
    let pending = open_pending(core, tenant, &answer.client_id, &answer.login, now)?;
    let response = health_card::parse_response(&answer.response)
        .map_err(|error| StepProblem::invalid_because(error.reason(), error))?;
    let challenge = recognise(tenant, &answer.client_id, &pending, response.challenge_token(), now)?;
    let settings = &tenant.settings;
    let claimed = response.certificate().organizational_units().join("\n");
    let proven = match health_card::verify(&response, &challenge, &settings.card_trust, &settings.iks, now) {
        Ok(proven) => proven,
        Err(error) => {
            return Err(attempt
                .failed(None, claimed.as_bytes(), StepProblem::denied(error.reason(), error))
                .await);
        }
    };
    let wants_guest = pending
        .request
        .essential_amr
        .contains(authenticator::Amr::GuestHealthCard);
    let proven = if wants_guest { proven.into_guest() } else { proven };
    authenticated(attempt, &answer.client_id, pending, &proven, None, now).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceAnswer {
    client_id: String,
    login: String,
    /// A device key: its handle, and an assertion.
    #[serde(default)]
    device: Option<String>,
    #[serde(default)]
    response: Option<String>,
    /// A passkey: the challenge's token, and what the browser gave.
    #[serde(default)]
    challenge: Option<String>,
    #[serde(default)]
    passkey: Option<PasskeyAnswer>,
}

/// What answered.
pub(crate) enum Signed {
    DeviceKey {
        device: String,
        assertion: UnverifiedAssertion,
    },
    Passkey {
        challenge: String,
        answer: PasskeyAnswer,
    },
}

impl Signed {
    /// From the members of the same names, of which those of a device key are needed or those of a passkey.
    pub(crate) fn of(
        device: Option<String>,
        response: Option<String>,
        challenge: Option<String>,
        passkey: Option<PasskeyAnswer>,
    ) -> Result<Self, StepProblem> {
        match (device, response, challenge, passkey) {
            (Some(device), Some(response), None, None) => Ok(Self::DeviceKey {
                device,
                assertion: device::parse_assertion(&response)
                    .map_err(|error| StepProblem::invalid_because(error.reason(), error))?,
            }),
            (None, None, Some(challenge), Some(answer)) => Ok(Self::Passkey { challenge, answer }),
            _ => Err(StepProblem::invalid(
                "either the members 'device' and 'response' are needed, or 'challenge' and 'passkey'",
            )),
        }
    }

    /// What has not even a handle's form leads to nobody.
    pub(crate) fn handle(&self) -> [u8; 32] {
        match self {
            Self::DeviceKey { device, .. } => base64url::decode_array(device).unwrap_or_default(),
            Self::Passkey { answer, .. } => answer.handle(),
        }
    }

    pub(crate) fn challenge_token(&self) -> &str {
        match self {
            Self::DeviceKey { assertion, .. } => assertion.challenge_token(),
            Self::Passkey { challenge, .. } => challenge,
        }
    }

    /// Verifies it with what its handle leads to. The inner error is about the device, the outer one about the message, whosever it is.
    pub(crate) fn verify(
        &self,
        tenant: &Tenant,
        challenge: &VerifiedChallenge,
        named: &NamedDevice,
        now: UnixTime,
    ) -> Result<Result<VerifiedAssertion, DeviceError>, StepProblem> {
        match self {
            Self::DeviceKey { assertion, .. } => {
                let policy = &tenant.settings.policy;
                Ok(device::verify(assertion, challenge, &named.key, policy, now))
            }
            Self::Passkey { answer, .. } => answer.verify(tenant, challenge, named, now),
        }
    }
}

/// Takes a bound device's answer.
pub(crate) async fn device(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    let attempt = Attempt::new(core, tenant, network, headers);
    match verify_device(&attempt, body).await {
        Ok(answer) => json_response(StatusCode::OK, &answer),
        Err(problem) => core.problem("device_refused", problem).into_json(),
    }
}

async fn verify_device(attempt: &Attempt<'_>, body: &Bytes) -> Result<consent::Ask, StepProblem> {
    let Attempt { core, tenant, .. } = *attempt;
    let now = core.now();
    let answer: DeviceAnswer = read(body)?;
    let (client_id, login) = (answer.client_id, answer.login);
    let signed = Signed::of(answer.device, answer.response, answer.challenge, answer.passkey)?;
    let handle = signed.handle();
    attempt.check(Some((&handle, &handle[..16]))).await?;
    let pending = open_pending(core, tenant, &client_id, &login, now)?;
    let challenge = recognise(tenant, &client_id, &pending, signed.challenge_token(), now)?;
    let named = people::device_by_handle(core, tenant, &client_id, &handle).await?;
    let verified = signed.verify(tenant, &challenge, &named, now)?;
    // Whether there is a device by this name is its holder's business: nobody else is told by words, size or time.
    let (verified, rows) = match (verified, named.rows) {
        (Ok(verified), Some(rows)) => (verified, rows),
        (verified, rows) => {
            return Err(attempt
                .device_failed(&client_id, &pending, &handle, verified.err().filter(|_| rows.is_some()))
                .await);
        }
    };
    // An authenticator may count for all its passkeys together.
    if !named.key.is_passkey() && verified.counter.saturating_sub(named.key.counter) > COUNTER_JUMP {
        tracing::warn!(
            event = "device_counter_jumped",
            "a device's counter is far ahead of the last one"
        );
    }
    let used = DeviceUse {
        device_id: named.key.device_id,
        counter: verified.counter,
    };
    let person = PersonId::from_bytes(named.key.person_id);
    pin::was_right(core, tenant, person, &used.device_id).await?;
    let ask = authenticated(attempt, &client_id, pending, &verified.person, Some((used, rows)), now).await?;
    if account::is_account(tenant, &client_id) {
        // No code follows that would carry the counter.
        let name = core.vault.device_counter(tenant.id(), person, &used.device_id)?;
        core.freshness.of(tenant.id()).await?.shown(name, used.counter);
    }
    Ok(ask)
}

/// Somebody's attempt to prove who he is.
struct Attempt<'a> {
    core: &'a Core,
    tenant: &'a Arc<Tenant>,
    network: Network,
    /// The browser it comes from, where it was given a cookie.
    browser: Option<BrowserTag>,
}

impl<'a> Attempt<'a> {
    fn new(core: &'a Core, tenant: &'a Arc<Tenant>, network: Network, headers: &HeaderMap) -> Self {
        Self {
            core,
            tenant,
            network,
            browser: browser(headers),
        }
    }

    fn network(&self) -> Option<&[u8; 9]> {
        self.network.told_apart(&self.core.limits)
    }

    /// Sends him away who has failed too often. `device`: a handle, and whose failures its failures are.
    async fn check(&self, device: Option<(&[u8; 32], &[u8])>) -> Result<(), StepProblem> {
        self.core.check_room(self.tenant, &self.counted(device)).await
    }

    /// Counts a failure, durably, and gives back what to tell. `person` is whatever names her.
    async fn failed(&self, device: Option<(&[u8; 32], &[u8])>, person: &[u8], problem: StepProblem) -> StepProblem {
        self.core
            .anomalies
            .login_failed(self.network(), person, self.core.now());
        let counted = self.core.count_failure(self.tenant, &self.counted(device)).await;
        counted.err().unwrap_or(problem)
    }

    /// An answer for a device that is not its own, or for none (`None`).
    async fn device_failed(
        &self,
        client_id: &str,
        pending: &PendingLogin,
        handle: &[u8; 32],
        error: Option<DeviceError>,
    ) -> StepProblem {
        let person = &handle[..16];
        let (of, device) = people::of_handle(handle);
        let step = Step {
            core: self.core,
            tenant: self.tenant,
            client_id,
            person: of,
            now: self.core.now(),
        };
        match &error {
            Some(DeviceError::Signature | DeviceError::Counter) => step.misused(device),
            Some(DeviceError::Declined) => {
                if let Err(problem) = inbox::answered(self.core, self.tenant, pending.asking, Outcome::Declined).await {
                    return problem;
                }
                if let Err(problem) = step.declined_by_device(&pending.request, device).await {
                    return problem;
                }
            }
            _ => {}
        }
        match error {
            // Who only knows her handle does not lock her devices out: his failures are counted for the device he made up.
            None => self.failed(Some((handle, handle)), person, not_its_own()).await,
            Some(DeviceError::Signature) => self.failed(Some((handle, person)), person, not_its_own()).await,
            Some(error @ DeviceError::Counter) => {
                tracing::error!(
                    event = "device_counter_replayed",
                    "a device shows a counter it has shown before"
                );
                self.failed(
                    Some((handle, person)),
                    person,
                    StepProblem::denied(error.reason(), error),
                )
                .await
            }
            Some(error) => StepProblem::denied(error.reason(), error),
        }
    }

    fn counted<'b>(&'b self, device: Option<(&'b [u8; 32], &'b [u8])>) -> Vec<Counted<'b>> {
        let mut counted: Vec<Counted<'_>> = vec![(Limit::InsurerFailures, &[])];
        counted.extend(self.network().map(|network| (Limit::NetworkFailures, &network[..])));
        if let Some((handle, person)) = device {
            counted.push((Limit::DeviceFailures, handle));
            counted.push((Limit::PersonFailures, person));
        }
        counted
    }
}

/// One answer for a device that is not bound and for a signature that is not its own.
pub(crate) fn not_its_own() -> StepProblem {
    StepProblem::denied(
        Reason::DeviceUnknown,
        "member 'device': not bound (any more), or 'response' does not bear its signature; log in with the health card and bind it again",
    )
}

/// From here on it is known who the person is.
async fn authenticated(
    attempt: &Attempt<'_>,
    client_id: &str,
    pending: PendingLogin,
    proven: &AuthenticatedPerson,
    device: Option<(DeviceUse, ConsentRows)>,
    now: UnixTime,
) -> Result<consent::Ask, StepProblem> {
    let Attempt {
        core,
        tenant,
        network,
        browser,
    } = *attempt;
    let (device, rows) = device.unzip();
    let performed = proven.performed();
    let wishes = pending.request.level_request(client_id);
    let step = |person| Step {
        core,
        tenant,
        client_id,
        person,
        now,
    };
    if let Err(refusal) = tenant.settings.policy.decide_level(&wishes, &performed, now) {
        if let Some(capability) = people::capability(core, tenant, proven).await? {
            let step = step(capability.person_id());
            step.refused(&pending.request, &performed).await?;
        }
        return Err(StepProblem::denied(refusal.reason(), refusal));
    }
    let Some(capability) = people::capability(core, tenant, proven).await? else {
        let problem = StepProblem::denied(
            Reason::CardUnknown,
            "this insurer has no insured person with this card or device",
        );
        let number = proven.kvnr().map_or(&[][..], |kvnr| kvnr.as_str().as_bytes());
        return Err(attempt.failed(None, number, problem).await);
    };
    let person = capability.person_id();
    if pending.asking.is_some() {
        second_device::check_not_cooling_off(core, tenant, person).await?;
    }
    core.anomalies
        .logged_in(network.told_apart(&core.limits), person.as_bytes(), now);
    tracing::info!(event = "authenticated", method = ?performed.method, level = ?performed.level, "authenticated");
    let login = AuthenticatedLogin {
        request: pending.request,
        browser: pending.browser,
        performed,
        device,
        asking: pending.asking,
        extended: 0,
        expires_at: now.plus_seconds(AUTHENTICATED_LIFETIME_SECONDS),
    };
    step(person).known(&login).await?;
    let authenticated = Authenticated { capability, login };
    consent::ask(core, tenant, client_id, authenticated, rows, browser, now).await
}
