//! A newcomer: asks a root instance for keys, with evidence, and takes them from an attested one only.

use evidence::manifest::InstanceRole;
use serde::{Deserialize, Serialize};
use store::TenantId;
use vault::{
    NamespaceSeed, TenantBundle, Vault,
    ceremony::{AttestedSetup, Forwarded, Join, JoinRequest, SealedForward},
};

use super::{
    Folder, ProvisioningError, Table,
    exchange::{is_plain, some_name},
    malformed, offer, wait_for,
};
use crate::clock::Clock;

/// A donor that began anew forgets its nonces: so often is asked again.
const ATTEMPTS: u32 = 5;

/// What a donor says to a nonce it does not know.
const NONCE_UNKNOWN: &str = "ceremony.nonce_unknown";
/// So often is an answer looked for: half a minute.
const LOOKS_FOR_AN_ANSWER: u32 = 150;

/// Names of the files of a join.
pub(super) const NONCE: &str = "nonce.json";
pub(super) const REQUEST: &str = "request.json";
pub(super) const FORWARD: &str = "forward.json";
pub(super) const REFUSED: &str = "refused.json";

/// A donor's invitation.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invitation {
    /// The donor's directory.
    pub donor: String,
    /// For one request, base64url.
    pub nonce: String,
}

/// A newcomer's request. Its evidence stands beside it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Who invited.
    pub donor: String,
    /// What its evidence is bound to.
    pub request: JoinRequest,
    /// Whose keys, for an instance that serves: the issuer. The newcomer looks at what came; nothing depends on this being true.
    pub issuer: Option<String>,
}

/// A donor's answer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    /// The keys.
    pub sealed: SealedForward,
    /// The donor's signature over them and over the request.
    pub signed: String,
}

/// A donor's refusal. Unsigned: believing a false one costs an attempt.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    /// Why.
    pub code: String,
}

/// The seed, for a root instance.
///
/// # Errors
/// [`ProvisioningError`].
pub async fn join_root(table: &Table<'_>, clock: &dyn Clock) -> Result<NamespaceSeed, ProvisioningError> {
    table.instance.check_own_admission(InstanceRole::Root, clock.now())?;
    let genesis = table.verified_genesis()?;
    match ask(table, InstanceRole::Root, None, clock).await? {
        Forwarded::Seed(seed) if genesis.made(&seed) => Ok(seed),
        Forwarded::Seed(_) => Err(ProvisioningError::OtherKeys("the seed is not the genesis'")),
        Forwarded::Tenant(_) => Err(ProvisioningError::OtherKeys("a tenant's instead of the seed")),
    }
}

/// The keys of these tenants and of no others, for an instance that serves them.
///
/// # Errors
/// [`ProvisioningError`].
pub async fn join_serving(table: &Table<'_>, issuers: &[&str], clock: &dyn Clock) -> Result<Vault, ProvisioningError> {
    table.instance.check_own_admission(InstanceRole::Serve, clock.now())?;
    let mut bundles = Vec::with_capacity(issuers.len());
    for issuer in issuers {
        let forwarded = ask(table, InstanceRole::Serve, Some(issuer), clock).await?;
        bundles.push(bundle_of(forwarded, vault::tenant_id(issuer))?);
    }
    let vault = Vault::from_tenant_bundles(bundles);
    vault.ok_or(ProvisioningError::OtherKeys("tenants' keys of different generations"))
}

fn bundle_of(forwarded: Forwarded, tenant: TenantId) -> Result<TenantBundle, ProvisioningError> {
    match forwarded {
        Forwarded::Tenant(bundle) if bundle.tenant() == tenant => Ok(bundle),
        Forwarded::Tenant(_) => Err(ProvisioningError::OtherKeys("another tenant's")),
        Forwarded::Seed(_) => Err(ProvisioningError::OtherKeys("a seed instead of a tenant's")),
    }
}

async fn ask(
    table: &Table<'_>,
    role: InstanceRole,
    issuer: Option<&str>,
    clock: &dyn Clock,
) -> Result<Forwarded, ProvisioningError> {
    for _ in 1..ATTEMPTS {
        match ask_once(table, role, issuer, clock).await {
            // Its donor began anew since it invited us.
            Err(ProvisioningError::Refused { code, .. }) if code == NONCE_UNKNOWN => {}
            answer => return answer,
        }
    }
    ask_once(table, role, issuer, clock).await
}

async fn ask_once(
    table: &Table<'_>,
    role: InstanceRole,
    issuer: Option<&str>,
    clock: &dyn Clock,
) -> Result<Forwarded, ProvisioningError> {
    let folder = table.exchange.create(&some_name("join-"))?;
    let answer = converse(table, &folder, role, issuer, clock).await;
    folder.remove();
    answer
}

async fn converse(
    table: &Table<'_>,
    folder: &Folder,
    role: InstanceRole,
    issuer: Option<&str>,
    clock: &dyn Clock,
) -> Result<Forwarded, ProvisioningError> {
    let failed = ProvisioningError::ceremony("join");
    let what = format!(
        "a root instance that looks into {} (start one with: healthid-provider --config FILE root cold-start)",
        table.exchange.path().display()
    );
    let (donor, nonce, name) = wait_for(&what, || invitation(table, folder, clock)).await?;
    let in_force = table.instance.in_force();
    let namespace = &in_force.approved.manifest().namespace;
    let join = Join::begin(namespace, in_force.approved.hash(), nonce, role).map_err(&failed)?;
    let evidence = table.instance.evidence(&join.request().report_data())?;
    folder.write(super::file::EVIDENCE, &evidence.to_bytes())?;
    let asked = Asked {
        donor: name.clone(),
        request: join.request().clone(),
        issuer: issuer.map(str::to_owned),
    };
    folder.write(REQUEST, &serde_json::to_vec_pretty(&asked).unwrap_or_default())?;
    let what = format!("the answer of {name}");
    let mut looks = 0;
    let given = wait_for(&what, || {
        looks += 1;
        if looks > LOOKS_FOR_AN_ANSWER {
            // It has ended since it invited us; who came after it knows nothing of our nonce.
            return Err(ProvisioningError::Refused {
                donor: name.clone(),
                code: NONCE_UNKNOWN.to_owned(),
            });
        }
        answer(folder, &name)
    })
    .await?;
    given
        .sealed
        .check_signed(&given.signed, join.request(), &donor)
        .map_err(&failed)?;
    join.open(&given.sealed).map_err(failed)
}

/// Who invites us, if its evidence says that it is a root instance under the same manifest.
fn invitation(
    table: &Table<'_>,
    folder: &Folder,
    clock: &dyn Clock,
) -> Result<Option<(AttestedSetup, [u8; 32], String)>, ProvisioningError> {
    let Ok(content) = folder.read(NONCE) else {
        return Ok(None);
    };
    // It may be half written.
    let Ok(Invitation { donor, nonce }) = serde_json::from_slice(&content) else {
        return Ok(None);
    };
    let nonce = jose::base64url::decode_array(&nonce).map_err(|_| malformed(folder, NONCE))?;
    if !is_plain(&donor) {
        return Err(malformed(folder, NONCE));
    }
    let (offer, evidence) = offer(&table.exchange.inside(&donor))?;
    let attested = table.instance.attested(&offer, &evidence, clock.now())?;
    Ok(Some((attested, nonce, donor)))
}

fn answer(folder: &Folder, donor: &str) -> Result<Option<Given>, ProvisioningError> {
    if let Ok(content) = folder.read(REFUSED) {
        let Refusal { code } = serde_json::from_slice(&content).map_err(|_| malformed(folder, REFUSED))?;
        // It is printed: nothing but a code.
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte == b'.';
        let code = if code.len() <= 64 && code.bytes().all(plain) {
            code
        } else {
            "unknown".to_owned()
        };
        return Err(ProvisioningError::Refused {
            donor: donor.to_owned(),
            code,
        });
    }
    let Ok(content) = folder.read(FORWARD) else {
        return Ok(None);
    };
    let given = serde_json::from_slice(&content).map_err(|_| malformed(folder, FORWARD))?;
    Ok(Some(given))
}
