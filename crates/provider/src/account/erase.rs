//! `POST /account/erase`: she closes her health ID (GDPR Art. 17). With her record goes the key to everything else of hers.

use std::sync::Arc;

use authenticator::{Method, Reason, policy::Session};
use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::{Deserialize, Serialize};

use super::history::enter;
use crate::{
    authenticate,
    core::{Core, StepProblem},
    history::claim_expiry,
    people,
    support::json_response,
    tenant::Tenant,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Erase {
    login: String,
    /// The word `erase`.
    confirm: String,
}

#[derive(Serialize)]
struct Erased {
    /// Seconds since 1970.
    erased_at: u64,
    kept: Vec<Kept>,
}

/// What is not gone, and why.
#[derive(Serialize)]
struct Kept {
    /// A fixed word.
    what: &'static str,
    why: &'static str,
    /// Seconds since 1970; `None`: it is not for us to say, or has no end.
    until: Option<u64>,
}

/// Closes her health ID. Durable when this answers.
pub(crate) async fn erase(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    match try_erase(core, tenant, headers, body).await {
        Ok(erased) => json_response(StatusCode::OK, &erased),
        Err(problem) => core.problem("account_refused", problem).into_json(),
    }
}

async fn try_erase(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Erased, StepProblem> {
    let request: Erase = authenticate::read(body)?;
    if request.confirm != "erase" {
        return Err(StepProblem::invalid("member 'confirm' must be the word 'erase'"));
    }
    let authenticated = enter(core, tenant, headers, &request.login)?;
    let performed = &authenticated.login.performed;
    let by_card = matches!(performed.method, Method::HealthCard | Method::IdentityCard);
    if !by_card || performed.session != Session::Fresh {
        return Err(StepProblem::denied(
            Reason::CardLoginNeeded,
            "closing a health ID needs a fresh login with the person's own card",
        ));
    }
    let capability = authenticated.capability;
    let person = capability.person_id();
    let identity = people::identity(core, &capability).await?;
    let erasure = core.vault.with_person(capability, &identity, |scope| scope.erase())??;
    people::erase(core, tenant, person, erasure.into_writes()).await?;
    tracing::info!(event = "person_erased", "a person has closed her health ID");
    let now = core.now();
    Ok(Erased {
        erased_at: now.0,
        kept: kept(claim_expiry(now)),
    })
}

/// What stays. None of it can be read as hers by anybody who has no older copy of the database and the provider's keys.
fn kept(claims_until: u64) -> Vec<Kept> {
    vec![
        Kept {
            what: "erasure-mark",
            why: "a keyed number that nobody can trace to you, and that keeps an older copy of the database from bringing your health ID back \
                  (GDPR Art. 17 (1), Art. 32 (1))",
            until: None,
        },
        Kept {
            what: "waiting-entries",
            why: "entries of your history of the last hours that have not been delivered; their key was destroyed, and nobody can read them",
            until: Some(claims_until),
        },
        Kept {
            what: "backups",
            why: "sealed copies of the database that your insurer keeps for recovery, for as long as it keeps backups (GDPR Art. 32 (1) (c)); \
                  the service does not use your record from them",
            until: None,
        },
        Kept {
            what: "insurer-register",
            why: "your insurer's own register of the people it insures, kept for as long as it needs it (SGB V, sections 284 (1) and 288); it is not \
                  part of the health ID",
            until: None,
        },
        Kept {
            what: "services",
            why: "what you shared with services is with them; ask each of them",
            until: None,
        },
    ]
}
