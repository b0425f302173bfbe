//! `POST /auth/phone/send` and `POST /auth/phone/forget`: the asking browser sends its login to the phone it was confirmed with, or forgets the phone.

use std::sync::Arc;

use authenticator::device::check_may_look;
use axum::{body::Bytes, http::HeaderMap, response::Response};
use jose::{UnixTime, base64url};
use oidc::{authorization::AuthorizationError, form::Form};

use super::{
    MAX_CLIENT_ID_BYTES, MAX_WAITING, WAITING_SECONDS, Waiting, read,
    right::{self, Right, Standing},
    waking::wake,
};
use crate::{
    authorize::redirect,
    core::{Committed, Core, StepProblem},
    limits::{Limit, Network},
    pages::ToPhone,
    people,
    second_device::{
        self, Asked,
        rendezvous::{Place, Seen},
    },
    tenant::Tenant,
};

/// Times a commit is tried again because another browser sends to the same phone.
const ATTEMPTS: u32 = 3;

/// Sends one login. Whatever comes of it, the frame goes on with the code to scan.
pub(crate) async fn send(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    match try_send(core, tenant, network, headers, body).await {
        Ok(response) => response,
        Err(problem) => core.problem("sending_refused", problem).in_frame(headers),
    }
}

async fn try_send(
    core: &Core,
    tenant: &Arc<Tenant>,
    network: Network,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, StepProblem> {
    let now = core.now();
    let form = Form::parse(body).map_err(AuthorizationError::from)?;
    let asked = second_device::asked(core, tenant, headers, &form, now)?;
    let back = |told| redirect(&second_device::frame_address(tenant, &asked, told));
    let place = Place::of(core, tenant, asked.pending.request.login_id)?;
    if !matches!(place.look().await?, Seen::Nothing) {
        return Ok(back(None));
    }
    let Some(right) = right::of_browser(core, tenant, headers, now) else {
        return Ok(right::clear(back(Some(ToPhone::Gone)), tenant));
    };
    match right.standing(core, tenant, now).await? {
        Standing::Good => {}
        Standing::Paused(_) => return Ok(back(Some(ToPhone::Later))),
        Standing::Gone => return Ok(right::clear(back(Some(ToPhone::Gone)), tenant)),
    }
    let sending = Sending {
        core,
        tenant,
        right: &right,
        asked: &asked,
        now,
    };
    match sending.spend(network).await {
        Ok(()) => {}
        Err(problem @ StepProblem::Limited { .. }) => {
            // Logged as every allowance that is used up. She reads that the code goes on.
            let _ = core.problem("sending_refused", problem);
            return Ok(back(Some(ToPhone::Later)));
        }
        Err(problem) => return Err(problem),
    }
    let told = sending.leave(headers, network).await?;
    let response = back(Some(told));
    Ok(match told {
        ToPhone::Gone => right::clear(response, tenant),
        _ => response,
    })
}

struct Sending<'a> {
    core: &'a Core,
    tenant: &'a Arc<Tenant>,
    right: &'a Right,
    asked: &'a Asked<'a>,
    now: UnixTime,
}

impl Sending<'_> {
    /// Who is asked too often approves in the end: so many for one phone, whichever browsers send them, and so many from one network.
    async fn spend(&self, network: Network) -> Result<(), StepProblem> {
        let (core, tenant) = (self.core, self.tenant);
        if let Some(network) = network.told_apart(&core.limits) {
            core.spend(tenant, Limit::PhoneRequestsByNetwork, network).await?;
        }
        core.spend(tenant, Limit::PhoneRequests, &self.right.handle).await
    }

    /// Leaves the request where the phone looks. A browser has one waiting: its next takes the place of the one before.
    async fn leave(&self, headers: &HeaderMap, network: Network) -> Result<ToPhone, StepProblem> {
        let (core, tenant, now) = (self.core, self.tenant, self.now);
        let request = &self.asked.pending.request;
        if self.asked.client_id.len() > MAX_CLIENT_ID_BYTES {
            return Ok(ToPhone::Later);
        }
        let by = Some(self.right.name);
        let login = second_device::phones_half(core, tenant, headers, &self.asked.pending, network, by, now)?;
        let (person, device) = self.right.person_and_device();
        let key = core.vault.inbox_key(tenant.id(), &person, &device)?;
        let woken_at = match &core.push {
            Some(_) => {
                let at = core.vault.device_key(tenant.id(), &person, &device)?;
                Some(core.vault.subscription_key(&at)?)
            }
            None => None,
        };
        let beside: Vec<_> = [key].into_iter().chain(woken_at).collect();
        for _ in 0..ATTEMPTS {
            let held = people::held(core, tenant, &self.right.handle, &beside).await?;
            if !held.is_bound {
                return Ok(ToPhone::Gone);
            }
            if check_may_look(&held.key).is_err() {
                return Ok(ToPhone::Later);
            }
            let mut rows = held.beside.into_iter();
            let (row, subscription) = (rows.next().flatten(), rows.next().flatten());
            let mut waiting = read(core, &key, row.as_ref(), now)?;
            waiting.retain(|other| !other.is_of(self.right.name));
            if waiting.len() >= MAX_WAITING {
                return Ok(ToPhone::Later);
            }
            waiting.push(Waiting {
                client_id: self.asked.client_id.to_owned(),
                login: login.clone(),
                id: base64url::encode(&request.login_id.0),
                right: base64url::encode(&self.right.name.0),
                asked_at: now.0,
            });
            let content = serde_json::to_vec(&waiting).map_err(StepProblem::failed)?;
            let stored = row.as_ref().map(|row| row.version);
            let change = core
                .vault
                .leave_in_inbox(key, stored, &content, now.0 + WAITING_SECONDS)?;
            if core.commit(&[change.condition], &[change.write]).await? == Committed::Yes {
                tracing::info!(event = "request_sent", "a login waits for a phone that was not scanned");
                if let Some((key, row)) = woken_at.zip(subscription) {
                    wake(core, tenant, key, &row, now, WAITING_SECONDS);
                }
                return Ok(ToPhone::Sent);
            }
        }
        Ok(ToPhone::Later)
    }
}

/// Forgets the phone: the cookie goes, and a copy of it is worth nothing.
pub(crate) async fn forget(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    let result = async {
        let now = core.now();
        let form = Form::parse(body).map_err(AuthorizationError::from)?;
        let asked = second_device::asked(core, tenant, headers, &form, now)?;
        if let Some(right) = right::of_browser(core, tenant, headers, now) {
            right::take_back(core, tenant, right.name).await?;
            tracing::info!(
                event = "phone_forgotten",
                "a browser forgot the phone it could send requests to"
            );
        }
        let response = redirect(&second_device::frame_address(tenant, &asked, None));
        Ok(right::clear(response, tenant))
    };
    match result.await {
        Ok(response) => response,
        Err(problem) => core.problem("sending_refused", problem).in_frame(headers),
    }
}
