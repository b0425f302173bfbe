//! The person's own account: which decisions are remembered and which devices are bound. Its page, taking back, her history, a copy of it all and its end: `account/*`.
//!
//! It is entered like a service: the provider itself asks, its issuer is the `client_id`, nothing is released and no code is issued.

mod erase;
mod export;
mod history;
mod page;
mod revoke;

pub(crate) use erase::erase;
pub(crate) use export::export;
pub(crate) use history::history;
pub(crate) use page::{block_code_on_page, devices_on_page, home, refused};
pub(crate) use revoke::{revoke_in_app, revoke_on_page};

use std::sync::Arc;

use authenticator::{Acr, device::Standing};
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jose::{UnixTime, base64url};
use oidc::{
    client::{ClientTag, RedirectTag},
    login_state::{LoginId, LoginRequest, PENDING_LIFETIME_SECONDS, PendingLogin},
    scope::ClaimSet,
};
use serde::{Deserialize, Serialize};
use store::{Key, Kind, Row};
use vault::{PersonCapability, PersonId, PersonScope, Rows, ScopeError, StateKind};

use crate::{
    authenticate::{self, Service},
    authorize::{authenticator_link, frame},
    browser::BrowserCookie,
    consent::{self, Authenticated},
    core::{Core, StepProblem},
    devices, extend,
    freshness::Ledger,
    history::{OpenHistory, SealedHistory},
    pages::{self, AccountPage, Notice},
    people::{self, ConsentRecord},
    rng,
    tenant::Tenant,
};

/// Most consents and devices shown at once.
const MAX_SHOWN: usize = 200;

/// Whether this client is the account itself.
pub(crate) fn is_account(tenant: &Tenant, client_id: &str) -> bool {
    client_id == tenant.issuer()
}

/// The account as authenticators show it.
pub(crate) fn service(tenant: &Tenant) -> Service {
    Service {
        name: tenant.settings.organization_name.clone(),
        logo_uri: Some(format!("{}/logo.svg", tenant.settings.browser_base)),
    }
}

/// `GET /account`: the page before the person is known.
pub(crate) fn begin(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, query: &str) -> Response {
    match begun(core, tenant, headers, Some(query), Notice::None) {
        Ok(page) => page,
        Err(problem) => core.problem("account_failed", problem).negotiated(headers),
    }
}

/// The page before the person is known, with a new login.
fn begun(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    query: Option<&str>,
    notice: Notice,
) -> Result<Response, StepProblem> {
    let now = core.now();
    let cookie = BrowserCookie::from_headers(headers).unwrap_or_else(|| BrowserCookie::new(&*core.rng));
    let pending = pending(core, tenant, Some(cookie), now);
    let page = entrance(core, tenant, headers, query, &pending, notice, now)?;
    Ok(cookie.set_on(page, tenant))
}

/// The page before the person is known.
pub(crate) fn entrance(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    query: Option<&str>,
    pending: &PendingLogin,
    notice: Notice,
    now: UnixTime,
) -> Result<Response, StepProblem> {
    let login = core.seal(tenant, StateKind::Pending, now, &pending.to_bytes())?;
    Ok(pages::page(
        StatusCode::OK,
        &AccountPage {
            frame: frame(core, tenant, headers, query),
            authenticator_link: authenticator_link(tenant, tenant.issuer(), &login),
            login: None,
            consents: Vec::new(),
            devices: Vec::new(),
            may_unlock: false,
            block_code: None,
            may_replace_code: false,
            cards: Vec::new(),
            notice,
            time: extend::frame_address(tenant, tenant.issuer(), &login),
        },
    ))
}

/// A login to the account, bound to a browser where one began it.
pub(crate) fn pending(core: &Core, tenant: &Tenant, cookie: Option<BrowserCookie>, now: UnixTime) -> PendingLogin {
    PendingLogin {
        request: LoginRequest {
            login_id: LoginId(rng::bytes(&*core.rng)),
            client: ClientTag::of(tenant.issuer()),
            redirect: RedirectTag::of(""),
            code_challenge: [0; 32],
            nonce: String::new(),
            state: String::new(),
            essential: ClaimSet::EMPTY,
            voluntary: ClaimSet::EMPTY,
            acr: authenticator::Acr::Substantial,
            essential_acr: None,
            essential_amr: oidc::claims_request::AmrSet::default(),
            prompts: oidc::prompt::Prompts::default(),
            max_age: None,
            version: authenticator::IdTokenVersion::V2,
        },
        browser: cookie.map(BrowserCookie::tag),
        challenge_digest: None,
        asking: None,
        extended: 0,
        expires_at: now.plus_seconds(PENDING_LIFETIME_SECONDS),
    }
}

/// What stands in the account, for the person's eyes.
#[derive(Serialize)]
struct Overview {
    consents: Vec<ConsentEntry>,
    devices: Vec<DeviceEntry>,
    /// Her block code; `null` where she has none.
    block_code: Option<BlockCodeEntry>,
    /// When that code was used last; `null` for never.
    blocked_at: Option<u64>,
    cards: Vec<CardEntry>,
}

#[derive(Serialize, Deserialize)]
struct BlockCodeEntry {
    set_at: u64,
}

/// A card she has, as her insurer's register says.
#[derive(Serialize)]
struct CardEntry {
    kind: &'static str,
    insurer: String,
    ik: String,
    kvnr: String,
    name: String,
    birthdate: String,
    /// Its last day, `YYYY-MM-DD`; `null` where the insurer did not say.
    valid_until: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ConsentEntry {
    id: String,
    client_id: String,
    service: String,
    shared: Vec<String>,
    decided_at: u64,
}

#[derive(Serialize, Deserialize)]
struct DeviceEntry {
    id: String,
    name: String,
    class: String,
    kind: DeviceKind,
    /// The level its logins reach, as `acr` names it; `null` where its class is not admitted any more.
    level: Option<Acr>,
    bound_at: u64,
    /// When a card login confirmed it last.
    confirmed_at: u64,
    valid_until: Option<u64>,
    /// Whether it is locked, by hand or by the block code.
    locked: bool,
    /// As far as her history goes back.
    last_used: Option<u64>,
}

/// What a device answers with.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DeviceKind {
    DeviceKey,
    Passkey,
}

async fn list(
    core: &Core,
    tenant: &Tenant,
    person: PersonId,
    kind: Kind,
    rows: Rows,
) -> Result<Vec<(Key, Row)>, StepProblem> {
    let hers = core.vault.row_group(tenant.id(), &person, rows)?;
    Ok(core.store.list(kind, tenant.id(), hers.as_bytes(), MAX_SHOWN).await?)
}

/// The sealed rows of an account.
struct Sealed {
    identity: Row,
    consents: Vec<(Key, Row)>,
    devices: Vec<(Key, Row)>,
    log: SealedHistory,
    ledger: Arc<Ledger>,
}

impl Sealed {
    async fn load(core: &Core, tenant: &Tenant, capability: &PersonCapability) -> Result<Self, StepProblem> {
        let person = capability.person_id();
        Ok(Self {
            identity: people::identity(core, capability).await?,
            consents: list(core, tenant, person, Kind::Consent, Rows::Consents).await?,
            devices: list(core, tenant, person, Kind::Device, Rows::Devices).await?,
            log: SealedHistory::load(core, tenant.id(), person).await?,
            ledger: core.freshness.of(tenant.id()).await?,
        })
    }

    /// Opens everything inside her scope.
    fn open(
        &self,
        core: &Core,
        tenant: &Tenant,
        scope: &PersonScope<'_>,
    ) -> Result<(Overview, OpenHistory), ScopeError> {
        let log = self.log.open(scope);
        let (person, policy, claims) = (scope.person_id(), &tenant.settings.policy, scope.claims());
        let mut overview = Overview {
            consents: Vec::new(),
            devices: Vec::new(),
            block_code: self
                .ledger
                .block_code_set_at(&core.vault, person)
                .map(|set_at| BlockCodeEntry { set_at: set_at.0 }),
            blocked_at: self.ledger.blocked_at(&core.vault, person).map(|at| at.0),
            cards: vec![CardEntry {
                kind: "health-card",
                insurer: tenant.settings.organization_name.clone(),
                ik: claims.ik().as_str().to_owned(),
                kvnr: claims.kvnr().as_str().to_owned(),
                name: claims.display_name().to_owned(),
                birthdate: claims.birthdate().to_owned(),
                valid_until: Some(claims.card_valid_until().to_owned()).filter(|day| !day.is_empty()),
            }],
        };
        for (key, row) in &self.consents {
            let record = scope.open_record(key, row)?;
            let Ok(record) = serde_json::from_slice::<ConsentRecord>(record.bytes()) else {
                continue;
            };
            let Some(decision) = record.decision() else { continue };
            if !self.ledger.consent_holds(&core.vault, key, decision.decided_at) {
                continue;
            }
            overview.consents.push(ConsentEntry {
                id: base64url::encode(key.id()),
                client_id: record.client_id,
                service: record.service,
                shared: decision
                    .released
                    .iter()
                    .map(|claim| claim.as_str().to_owned())
                    .collect(),
                decided_at: decision.decided_at.0,
            });
        }
        for (key, row) in &self.devices {
            let record = scope.open_record(key, row)?;
            let Ok(mut device) = people::read_device(record.bytes()) else {
                continue;
            };
            self.ledger.say_standing(&core.vault, person, key, &mut device);
            overview.devices.push(DeviceEntry {
                id: people::device_handle(person, &device.device_id),
                valid_until: device.valid_until(policy).map(|time| time.0),
                last_used: log.last_used(&device.device_id),
                kind: if device.is_passkey() {
                    DeviceKind::Passkey
                } else {
                    DeviceKind::DeviceKey
                },
                level: device.level(policy),
                confirmed_at: device.confirmed_at.0,
                locked: device.standing() != Standing::Free,
                name: device.name,
                class: device.class,
                bound_at: device.bound_at.0,
            });
        }
        Ok((overview, log))
    }
}

/// Reads everything inside the person's scope; it leaves as an answer to herself.
async fn read(core: &Core, tenant: &Tenant, authenticated: Authenticated) -> Result<Vec<u8>, StepProblem> {
    let capability = authenticated.capability;
    let sealed = Sealed::load(core, tenant, &capability).await?;
    let answer = core.vault.with_person(capability, &sealed.identity, |scope| {
        let (overview, _) = sealed.open(core, tenant, scope)?;
        scope.answer(|_| serde_json::to_vec(&overview))
    })??;
    Ok(answer.into_body())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountRequest {
    login: String,
}

/// `POST /account/overview` with JSON: the account for an app.
pub(crate) async fn overview(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    let result = async {
        let request: AccountRequest = authenticate::read(body)?;
        let authenticated =
            consent::open_authenticated(core, tenant, tenant.issuer(), &request.login, headers, core.now())?;
        devices::check_still_good(core, tenant, &authenticated).await?;
        read(core, tenant, authenticated).await
    };
    history::answer(core, result.await)
}
