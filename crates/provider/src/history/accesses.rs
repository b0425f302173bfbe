//! Which entry each step of a login leaves. The steps call these; what an entry says is decided here.

use std::sync::Arc;

use authenticator::policy::Performed;
use jose::UnixTime;
use oidc::client::RelyingParty;
use oidc::login_state::{AuthenticatedLogin, LoginRequest};
use vault::PersonId;

use super::broken_off::{begun, later};
use super::{Entry, Event, note, note_once};
use crate::account;
use crate::core::{Core, StepProblem};
use crate::tenant::Tenant;

/// What a step is about.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) core: &'a Core,
    pub(crate) tenant: &'a Arc<Tenant>,
    pub(crate) client_id: &'a str,
    pub(crate) person: PersonId,
    pub(crate) now: UnixTime,
}

impl Step<'_> {
    /// An entry that names the service; the account is none.
    async fn entry(&self, event: Event) -> Result<Entry, StepProblem> {
        let entry = Entry::of(event, self.now);
        if account::is_account(self.tenant, self.client_id) {
            return Ok(entry);
        }
        let party = self.core.relying_parties.resolve(self.client_id, self.now).await?;
        Ok(entry.at_service(&party))
    }

    /// Somebody is known. Entering her account is an entry at once; a login is one when a service has its token, or when it can no longer get it.
    pub(crate) async fn known(&self, login: &AuthenticatedLogin) -> Result<(), StepProblem> {
        let Self { core, tenant, .. } = *self;
        let (id, person) = (login.request.login_id.0, self.person);
        let proven = |entry: Entry| entry.proven(&login.performed).with_device(login.device);
        if account::is_account(tenant, self.client_id) {
            let entry = proven(self.entry(Event::AccountOpened).await?);
            return note_once(core, tenant.id(), person, id, entry).await;
        }
        let entry = proven(self.entry(Event::BrokenOff).await?).sharing(login.request.requested());
        begun(core, tenant.id(), person, id, login.expires_at, entry);
        Ok(())
    }

    /// Somebody is known, and what she has proven does not do.
    pub(crate) async fn refused(&self, request: &LoginRequest, performed: &Performed) -> Result<(), StepProblem> {
        let entry = self.entry(Event::Refused).await?;
        let entry = entry.sharing(request.requested()).proven(performed);
        note(self.core, self.tenant.id(), self.person, entry).await
    }

    /// Her device says no.
    pub(crate) async fn declined_by_device(&self, request: &LoginRequest, device: [u8; 16]) -> Result<(), StepProblem> {
        let entry = self.entry(Event::Declined).await?;
        let entry = entry.sharing(request.requested()).about_device(device);
        note_once(self.core, self.tenant.id(), self.person, request.login_id.0, entry).await
    }

    /// Somebody answers for her device who does not have its key, or shows an old counter. Written down later: the answer takes no longer for it.
    pub(crate) fn misused(&self, device: [u8; 16]) {
        let entry = Entry::of(Event::DeviceMisused, self.now).about_device(device);
        later(self.core, self.tenant.id(), self.person, entry);
    }
}

/// She says no. Nobody goes on with this login.
pub(crate) async fn declined(
    core: &Core,
    tenant: &Tenant,
    party: &RelyingParty,
    person: PersonId,
    login: &AuthenticatedLogin,
    now: UnixTime,
) -> Result<(), StepProblem> {
    let entry = Entry::of(Event::Declined, now)
        .at_service(party)
        .sharing(login.request.requested())
        .proven(&login.performed)
        .with_device(login.device);
    note_once(core, tenant.id(), person, login.request.login_id.0, entry).await
}
