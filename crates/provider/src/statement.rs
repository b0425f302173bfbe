//! What the federation reads of a tenant: its entity statement (A_22643, A_22711, A_23010), its signed key set (A_22655-02), its logo; and,
//! for authenticators, the keys that verify challenges.
//!
//! Statements are signed afresh when the kept one is a quarter through its life or the keys have changed, so that nobody ever sees one
//! about to end.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use federation::{
    EntityId,
    metadata::{FederationEntity, OpenIdProvider},
    profile::{PROVIDER_LIFETIME_SECONDS, provider_statement},
    signed_keys, statement,
};
use jose::{UnixTime, jwk::JwkSet};
use oidc::{scope::Scope, version::SUPPORTED_VERSIONS};

use crate::{
    core::{Core, StepProblem},
    keys::TenantKeys,
    support::json_response,
    tenant::Tenant,
};

/// How long a signed document is handed out before it is signed again.
const KEEP_SECONDS: u64 = PROVIDER_LIFETIME_SECONDS / 4;
/// Media type of entity statements (OpenID Federation 1.0 §9).
const ENTITY_STATEMENT: &str = "application/entity-statement+jwt";

/// `GET /.well-known/openid-federation`.
pub(crate) async fn entity_statement(core: &Core, tenant: &Arc<Tenant>) -> Response {
    let now = core.now();
    let document = async {
        let keys = core.tenant_keys(tenant).await?;
        keys.statement(now, KEEP_SECONDS, || sign_statement(core, tenant, &keys, now))
    };
    answer(core, document.await, ENTITY_STATEMENT)
}

/// `GET /jwks`: the `signed_jwks_uri`.
pub(crate) async fn signed_keys(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap) -> Response {
    let now = core.now();
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let document = async {
        let keys = core.tenant_keys(tenant).await?;
        keys.key_set(now, KEEP_SECONDS, || {
            let issuer = entity_id(core, tenant.issuer())?;
            Ok(signed_keys::issue(
                &issuer,
                now,
                &keys.published(),
                keys.entity_signer(),
            )?)
        })
    };
    answer(core, document.await, signed_keys::negotiate_media_type(accept))
}

/// `GET /auth/jwks`: authenticators verify challenges with these.
pub(crate) async fn challenge_keys(core: &Core, tenant: &Arc<Tenant>) -> Response {
    match core.tenant_keys(tenant).await {
        Ok(keys) => json_response(StatusCode::OK, &JwkSet::new(keys.challenge_keys()).to_value()),
        Err(problem) => core.problem("challenge_keys_failed", problem).into_json(),
    }
}

fn answer(core: &Core, document: Result<Arc<str>, StepProblem>, media_type: &'static str) -> Response {
    match document {
        Ok(document) => {
            let mut response = document.as_bytes().to_vec().into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        }
        Err(problem) => core.problem("statement_failed", problem).into_oauth_json(),
    }
}

fn entity_id(core: &Core, text: &str) -> Result<EntityId, StepProblem> {
    EntityId::parse(text, core.schemes).map_err(StepProblem::failed)
}

fn sign_statement(core: &Core, tenant: &Tenant, keys: &TenantKeys, now: UnixTime) -> Result<String, StepProblem> {
    let settings = &tenant.settings;
    let master = settings
        .authority_hints
        .first()
        .ok_or_else(|| StepProblem::failed("the tenant has no authority hint"))?;
    let base = &settings.browser_base;
    let provider = OpenIdProvider {
        issuer: entity_id(core, tenant.issuer())?,
        signed_jwks_uri: format!("{}/jwks", tenant.issuer()),
        organization_name: None,
        logo_uri: format!("{base}/logo.svg"),
        authorization_endpoint: format!("{base}/auth"),
        token_endpoint: format!("{}/token", settings.mtls_base),
        pushed_authorization_request_endpoint: format!("{}/par", settings.mtls_base),
        scopes_supported: Scope::ALL.iter().map(|scope| scope.as_str().to_owned()).collect(),
        user_type_supported: vec!["IP".to_owned()],
        id_token_versions: SUPPORTED_VERSIONS
            .iter()
            .map(|version| version.as_str().to_owned())
            .collect(),
        federation_registration_endpoint: None,
    };
    let mut entity = FederationEntity::of_participant(settings.organization_name.clone());
    entity.contacts = Some(settings.contacts.clone()).filter(|contacts| !contacts.is_empty());
    let claims = provider_statement(
        &provider,
        &entity,
        &entity_id(core, master)?,
        &keys.entity_keys(),
        now,
        PROVIDER_LIFETIME_SECONDS,
    );
    Ok(statement::issue(&claims, keys.entity_signer())?)
}
