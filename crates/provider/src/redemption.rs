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
use store::{Condition, Key, Row, Write};
use vault::{Carried, DAY_SECONDS, Mint, PersonCapability, PersonClaims, ScopeError, SealedChange};

use crate::{
    core::{Committed, Core, StepProblem},
    history,
    keys::while_the_module_works,
    people::{self, ConsentRecord, kept_identifier, kept_name},
    rng,
    tenant::Tenant,
};

/// Days an entry of a person's history is kept: one year. Its expiry stands in clear: it tells the day of a login, not its second.
pub(crate) const EVENT_DAYS: u64 = 365;
/// Times the commit is tried again because a record beside the claim has changed meanwhile.
const ATTEMPTS: u32 = 3;

/// Claims a login without a token, so that its code cannot be tried again: the verifier was wrong.
pub(crate) async fn burn(core: &Core, tenant: &Tenant, code: &AuthorizationCode) -> Result<(), StepProblem> {
    let claim = claim(core, tenant, code, &Carried::default())?;
    // A conflict says that it is claimed already: just as good.
    core.commit(&[claim.condition], &[claim.write]).await?;
    Ok(())
}

fn claim(
    core: &Core,
    tenant: &Tenant,
    code: &AuthorizationCode,
    carried: &Carried,
) -> Result<SealedChange, StepProblem> {
    let until = history::claim_expiry(core.now());
    Ok(core.vault.claim_once(tenant.id(), &code.login_id.0, until, carried)?)
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
        let records = Records::load(core, client, redeemable.code(), &to_record).await?;
        let (conditions, writes) = records.changes(core, tenant, client, redeemable.code(), to_record, now)?;
        match core.commit(&conditions, &writes).await? {
            Committed::Yes => {
                ledger.completed(&core.vault, now);
                if records.consent.is_some() {
                    // The decision before this one, perhaps a wider one, must not come back with an older database.
                    let name = core.vault.consent_withdrawn(&records.consent_key)?;
                    ledger.shown(name, now.0.saturating_sub(1));
                }
                if let Some(used) = used {
                    let name = core.vault.device_counter(tenant.id(), person, &used.device_id)?;
                    ledger.shown(name, used.counter);
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

    /// Everything one login changes, for one commit.
    fn changes(
        &self,
        core: &Core,
        tenant: &Tenant,
        client: &AuthenticatedClient<'_>,
        code: &AuthorizationCode,
        capability: PersonCapability,
        now: UnixTime,
    ) -> Result<(Vec<Condition>, Vec<Write>), StepProblem> {
        let person = capability.person_id();
        let until = event_expiry(now);
        let until_day = u32::try_from(until / DAY_SECONDS).map_err(StepProblem::failed)?;
        let event_key = core
            .vault
            .event_key(tenant.id(), &person, until_day, &rng::bytes(&*core.rng))?;
        let event = encode(&HistoryEntry::token_issued(client.party().client_id(), code, now))?;
        let consent = match code.remember {
            Remember::Yes => Some(encode(&remembered(client, code, now))?),
            Remember::No => None,
        };
        let (event, consent) =
            core.vault
                .with_person(capability, &self.identity, |scope| -> Result<_, ScopeError> {
                    let event = scope.plaintext(event);
                    let event = scope.seal_record(event_key, None, &event, Some(until))?;
                    let Some(consent) = consent else {
                        return Ok((event, None));
                    };
                    let stored = self.consent.as_ref().map(|row| row.version);
                    let consent = scope.plaintext(consent);
                    Ok((
                        event,
                        Some(scope.seal_record(self.consent_key, stored, &consent, None)?),
                    ))
                })??;
        let counter = match code.device {
            Some(used) => Some((
                core.vault.device_counter(tenant.id(), person, &used.device_id)?,
                used.counter,
            )),
            None => None,
        };
        let carried = Carried {
            event: Some(event),
            counter,
        };
        let claim = claim(core, tenant, code, &carried)?;
        Ok([claim]
            .into_iter()
            .chain(consent)
            .map(|change| (change.condition, change.write))
            .unzip())
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

fn event_expiry(now: UnixTime) -> u64 {
    (now.0 + EVENT_DAYS * DAY_SECONDS).next_multiple_of(DAY_SECONDS)
}

/// One use of the person's data, sealed for her (A_22323).
#[derive(Serialize)]
struct HistoryEntry {
    event: &'static str,
    at: u64,
    client_id: String,
    /// What was released, as [`oidc::scope::ClaimSet::bits`]; never the values.
    released: u16,
    method: &'static str,
}

impl HistoryEntry {
    fn token_issued(client_id: &str, code: &AuthorizationCode, now: UnixTime) -> Self {
        use authenticator::Method;
        Self {
            event: "token_issued",
            at: now.0,
            client_id: kept_identifier(client_id),
            released: code.released.bits(),
            method: match code.performed.method {
                Method::HealthCard => "health-card",
                Method::GuestHealthCard => "guest-health-card",
                Method::IdentityCard => "identity-card",
                Method::DeviceKey => "device-key",
            },
        }
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
