//! Redeeming a code: one durable commit claims the login and remembers the consent; the entry of the person's history and how far her device has
//! counted travel in the claim. Then the token is minted inside the person's scope (A_23162, A_22316, A_22323).

use std::sync::Arc;

use authenticator::policy::{LevelOutcome, LevelRequest};
use jose::{UnixTime, base64url, jwe, jws::SigningHeader};
use oidc::{
    client::AuthenticatedClient,
    consent::{CODE_LIFETIME_SECONDS, RememberedConsent},
    id_token::{IdToken, PersonFacts},
    login_state::{AuthorizationCode, Remember},
    token::{ConsumedCode, RedeemableCode, TokenError},
};
use serde::Serialize;
use store::{Key, Row};
use vault::{Mint, PersonCapability, PersonClaims, PersonId, SealedChange};

use crate::{
    core::{Committed, Core, StepProblem},
    history::{self, Access, Entry, Event},
    keys::while_the_module_works,
    people::{self, ConsentRecord, kept_identifier, kept_name},
    tenant::Tenant,
};

/// Times the commit is tried again because a record beside the claim has changed meanwhile.
const ATTEMPTS: u32 = 3;

/// Claims a login without a token, so that its code cannot be tried again: the verifier was wrong. She reads of it.
pub(crate) async fn burn(
    core: &Core,
    tenant: &Tenant,
    client: &AuthenticatedClient<'_>,
    person: PersonId,
    code: &AuthorizationCode,
    now: UnixTime,
) -> Result<(), StepProblem> {
    let entry = entry(Event::Refused, client, code, now);
    // If it is claimed already, or she is gone: just as good.
    match history::note_once(core, tenant.id(), person, code.login_id.0, entry).await {
        Ok(()) | Err(StepProblem::Refused(_)) => Ok(()),
        Err(problem) => Err(problem),
    }
}

/// What she reads of this login.
fn entry(event: Event, client: &AuthenticatedClient<'_>, code: &AuthorizationCode, now: UnixTime) -> Entry {
    Entry::of(event, now)
        .at_service(client.party())
        .sharing(code.released)
        .proven(&code.performed)
        .with_device(code.device)
}

/// Two rights to one record: one to write beside the claim, one to mint after it.
pub(crate) struct Rights {
    pub(crate) to_record: PersonCapability,
    pub(crate) to_mint: PersonCapability,
}

/// Redeems a code, once.
pub(crate) async fn redeem(
    core: &Core,
    tenant: &Arc<Tenant>,
    client: &AuthenticatedClient<'_>,
    redeemable: RedeemableCode,
    mut rights: impl FnMut() -> Result<Rights, StepProblem>,
    now: UnixTime,
) -> Result<String, StepProblem> {
    let outcome = level(tenant, redeemable.code(), now)?;
    let ledger = core.freshness.of(tenant.id()).await?;
    let issued_at = redeemable.code().expires_at.minus_seconds(CODE_LIFETIME_SECONDS);
    if issued_at.0 < ledger.logins_not_before(&core.vault) {
        // The claim on it may have gone with a database that was put back.
        return Err(TokenError::Revoked.into());
    }
    let used = redeemable.code().device;
    for _ in 0..ATTEMPTS {
        let Rights { to_record, to_mint } = rights()?;
        let person = to_mint.person_id();
        if let Some(used) = used {
            let at = core.vault.device_key(tenant.id(), &person, &used.device_id)?;
            let answered_at = redeemable.code().performed.auth_time;
            if ledger.ends_login(&core.vault, person, &at, answered_at).is_some() {
                return Err(TokenError::Revoked.into());
            }
        }
        let records = Records::load(core, client, redeemable.code(), &to_record).await?;
        let consent = records.consent(core, client, redeemable.code(), to_record, now)?;
        let access = Access {
            entry: entry(Event::Login, client, redeemable.code(), now),
            claim: redeemable.code().login_id.0,
            counter: match used {
                Some(used) => Some((
                    core.vault.device_counter(tenant.id(), person, &used.device_id)?,
                    used.counter,
                )),
                None => None,
            },
        };
        let beside = consent.into_iter().collect();
        match history::record(core, tenant.id(), person, &records.identity, &access, beside).await? {
            Committed::Yes => {
                ledger.completed(&core.vault, now);
                if records.consent.is_some() {
                    // The decision before this one, perhaps a wider one, must not come back with an older database.
                    let name = core.vault.consent_withdrawn(&records.consent_key)?;
                    ledger.shown(name, now.0.saturating_sub(1));
                }
                if let Some((name, counter)) = access.counter {
                    ledger.shown(name, counter);
                }
                let sub = core.vault.pseudonym(tenant.id(), &person, client.party().client_id())?;
                return mint(
                    core,
                    tenant,
                    client,
                    &redeemable.claimed(),
                    to_mint,
                    &records.identity,
                    &sub,
                    &outcome,
                    now,
                )
                .await;
            }
            // The claim is the first condition: somebody redeemed this code before.
            Committed::Conflict(0) => return Err(TokenError::CodeUsed.into()),
            Committed::Conflict(_) => {}
        }
    }
    Err(StepProblem::Unavailable(
        "the person's records keep changing".to_owned(),
    ))
}

/// What the token says about the authentication. The wishes were met when the code was issued; what is stated is decided from what happened.
fn level(tenant: &Tenant, code: &AuthorizationCode, now: UnixTime) -> Result<LevelOutcome, StepProblem> {
    let stated = LevelRequest {
        acr_values: vec![code.performed.level],
        // A guest login exists only where it was asked for, and that was checked then.
        amr_values: vec![authenticator::Amr::GuestHealthCard],
        version: code.version,
        ..LevelRequest::default()
    };
    // A policy changed since then may not admit it any more.
    tenant
        .settings
        .policy
        .decide_level(&stated, &code.performed, now)
        .map_err(|_| TokenError::Revoked.into())
}

/// The records a redemption reads.
struct Records {
    identity: Row,
    consent_key: Key,
    consent: Option<Row>,
}

impl Records {
    async fn load(
        core: &Core,
        client: &AuthenticatedClient<'_>,
        code: &AuthorizationCode,
        capability: &PersonCapability,
    ) -> Result<Self, StepProblem> {
        let (tenant, person) = (capability.tenant(), capability.person_id());
        let consent_key = people::consent_key(core, tenant, &person, client.party().client_id())?;
        let mut keys = vec![person.identity_key(tenant)];
        if code.remember == Remember::Yes {
            keys.push(consent_key);
        }
        let device_key = code
            .device
            .map(|used| core.vault.device_key(tenant, &person, &used.device_id))
            .transpose()?;
        keys.extend(device_key);
        let mut rows = core.store.load(&keys).await?.into_iter();
        let identity = rows.next().flatten().ok_or(TokenError::Revoked)?;
        let consent = if code.remember == Remember::Yes {
            rows.next().flatten()
        } else {
            None
        };
        if device_key.is_some() && rows.next().flatten().is_none() {
            // A device removed since it answered: the login is void.
            return Err(TokenError::Revoked.into());
        }
        Ok(Self {
            identity,
            consent_key,
            consent,
        })
    }

    /// The decision to be remembered, sealed for her, where she wants that.
    fn consent(
        &self,
        core: &Core,
        client: &AuthenticatedClient<'_>,
        code: &AuthorizationCode,
        capability: PersonCapability,
        now: UnixTime,
    ) -> Result<Option<SealedChange>, StepProblem> {
        if code.remember == Remember::No {
            return Ok(None);
        }
        let consent = encode(&remembered(client, code, now))?;
        let stored = self.consent.as_ref().map(|row| row.version);
        let consent = core.vault.with_person(capability, &self.identity, |scope| {
            scope.seal_record(self.consent_key, stored, &scope.plaintext(consent), None)
        })??;
        Ok(Some(consent))
    }
}

fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, StepProblem> {
    serde_json::to_vec(record).map_err(StepProblem::failed)
}

fn remembered(client: &AuthenticatedClient<'_>, code: &AuthorizationCode, now: UnixTime) -> ConsentRecord {
    let decision = RememberedConsent {
        requested: code.requested,
        released: code.released,
        decided_at: now,
    };
    ConsentRecord {
        client_id: kept_identifier(client.party().client_id()),
        service: kept_name(client.party().name()).to_owned(),
        decision: base64url::encode(&decision.to_bytes()),
    }
}

/// Mints the token for a code that this request has claimed.
#[expect(clippy::too_many_arguments, reason = "each is one part of the token")]
async fn mint(
    core: &Core,
    tenant: &Arc<Tenant>,
    client: &AuthenticatedClient<'_>,
    consumed: &ConsumedCode,
    capability: PersonCapability,
    identity: &Row,
    sub: &str,
    outcome: &LevelOutcome,
    now: UnixTime,
) -> Result<String, StepProblem> {
    let keys = core.tenant_keys(tenant).await?;
    let key = keys.token_key();
    let recipient = client.party().encryption_key();
    let code = consumed.code();
    let mint = Mint {
        signing: SigningHeader {
            typ: Some("JWT"),
            x5c: key.certificates(),
            ..SigningHeader::default()
        },
        signer: key,
        encryption: jwe::EncryptionHeader {
            kid: recipient.kid.as_deref().unwrap_or_default(),
            cty: Some("JWT"),
            version: Some(code.version.as_str()),
        },
        recipient: &recipient.key,
    };
    let minted = while_the_module_works(key.is_in_hsm(), || {
        core.vault.with_person(capability, identity, |scope| {
            scope.mint(&mint, |person| {
                serde_json::to_vec(&IdToken {
                    iss: tenant.issuer(),
                    sub,
                    aud: client.party().client_id(),
                    iat: now,
                    nonce: &code.nonce,
                    authentication: outcome,
                    released: code.released,
                    person: facts(person),
                })
            })
        })
    });
    Ok(minted??.into_string())
}

/// A person's data as the token's body reads it.
pub(crate) fn facts<'a>(person: &'a PersonClaims<'_>) -> PersonFacts<'a> {
    PersonFacts {
        birthdate: person.birthdate(),
        display_name: person.display_name(),
        given_name: person.given_name(),
        family_name: person.family_name(),
        sex: person.sex(),
        email: person.email(),
        health_insurance_number: person.kvnr().as_str(),
        insurer: person.ik().as_str(),
    }
}
