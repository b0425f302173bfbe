//! Redeeming a code: one durable commit claims the login, remembers the consent, advances the device and writes the audit entry; then the token is
//! minted inside the person's scope (A_23162, A_22316, A_22323).

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
use vault::{Mint, PersonCapability, PersonClaims, ScopeError, SealedChange, Vault};

use crate::{
    core::{Committed, Core, StepProblem},
    people::{self, ConsentRecord},
    rng,
    tenant::Tenant,
};

/// Seconds a claimed login stays claimed: far longer than any code lives, clocks of all sites included.
const CLAIM_SECONDS: u64 = 3_600;
/// Seconds an audit entry is kept: one year.
const AUDIT_SECONDS: u64 = 365 * 24 * 3_600;
/// Expiry stands in clear beside the person's handle: it tells the day of a login, not its second.
const AUDIT_ROUNDING_SECONDS: u64 = 24 * 3_600;
/// Times the commit is tried again because a record beside the claim has changed meanwhile.
const ATTEMPTS: u32 = 3;

/// Claims a login without a token, so that its code cannot be tried again: the verifier was wrong.
pub(crate) async fn burn(core: &Core, tenant: &Tenant, code: &AuthorizationCode) -> Result<(), StepProblem> {
    let claim = claim(core, tenant, code);
    // A conflict says that it is claimed already: just as good.
    core.commit(&[claim.condition], &[claim.write]).await?;
    Ok(())
}

fn claim(core: &Core, tenant: &Tenant, code: &AuthorizationCode) -> SealedChange {
    Vault::claim_once(tenant.id(), &code.login_id.0, core.now().0 + CLAIM_SECONDS)
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
    device: Option<(Key, Row)>,
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
            .map(|used| Key::device(tenant, person.as_bytes(), &used.device_id));
        keys.extend(device_key);
        let mut rows = core.store.load(&keys).await?.into_iter();
        let identity = rows.next().flatten().ok_or(TokenError::Revoked)?;
        let consent = if code.remember == Remember::Yes {
            rows.next().flatten()
        } else {
            None
        };
        let device = match device_key {
            None => None,
            // A device removed since it answered: the login is void.
            Some(key) => Some((key, rows.next().flatten().ok_or(TokenError::Revoked)?)),
        };
        Ok(Self {
            identity,
            consent_key,
            consent,
            device,
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
        let claim = claim(core, tenant, code);
        let event: [u8; 16] = rng::bytes(&*core.rng);
        let audit_key = Key::audit(tenant.id(), capability.person_id().as_bytes(), &event);
        let audit = encode(&AuditEntry::token_issued(client, code, now))?;
        let consent = match code.remember {
            Remember::Yes => Some(encode(&remembered(client, code, now))?),
            Remember::No => None,
        };
        let sealed = core
            .vault
            .with_person(capability, &self.identity, |scope| -> Result<_, ScopeError> {
                let mut changes = Vec::with_capacity(3);
                let audit = scope.plaintext(audit);
                changes.push(scope.seal_record(audit_key, None, &audit, Some(audit_expiry(now)))?);
                if let Some(consent) = consent {
                    let stored = self.consent.as_ref().map(|row| row.version);
                    let consent = scope.plaintext(consent);
                    changes.push(scope.seal_record(self.consent_key, stored, &consent, None)?);
                }
                if let (Some((key, row)), Some(used)) = (&self.device, code.device) {
                    let device = scope.open_record(key, row)?;
                    if let Some(advanced) = people::advance_device(device.bytes(), used.counter) {
                        let advanced = scope.plaintext(advanced);
                        changes.push(scope.seal_record(*key, Some(row.version), &advanced, None)?);
                    }
                }
                Ok(changes)
            })??;
        let mut conditions = vec![claim.condition];
        let mut writes = vec![claim.write];
        for change in sealed {
            conditions.push(change.condition);
            writes.push(change.write);
        }
        Ok((conditions, writes))
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
        client_id: client.party().client_id().to_owned(),
        service: client.party().name().to_owned(),
        decision: base64url::encode(&decision.to_bytes()),
    }
}

fn audit_expiry(now: UnixTime) -> u64 {
    (now.0 + AUDIT_SECONDS).next_multiple_of(AUDIT_ROUNDING_SECONDS)
}

/// One use of the person's data, sealed for her (A_22323).
#[derive(Serialize)]
struct AuditEntry<'a> {
    event: &'static str,
    at: u64,
    client_id: &'a str,
    /// What was released, as [`oidc::scope::ClaimSet::bits`]; never the values.
    released: u16,
    method: &'static str,
}

impl<'a> AuditEntry<'a> {
    fn token_issued(client: &AuthenticatedClient<'a>, code: &AuthorizationCode, now: UnixTime) -> Self {
        use authenticator::Method;
        Self {
            event: "token_issued",
            at: now.0,
            client_id: client.party().client_id(),
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
    let token = core.vault.with_person(capability, identity, |scope| {
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
    })??;
    Ok(token.into_string())
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
