//! Which path is answered by whom. A tenant is found by the first path segment, or by the host where its issuer has no path.

mod request;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{RawPathParams, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use evidence::bundle::EVIDENCE_PATH;
use oidc::refusal::{ErrorCode, Refusal};
use tower_http::catch_panic::CatchPanicLayer;
use transport::ConnectionInfo;

use crate::{
    abort, account,
    app_links::System,
    attestation, authenticate, authorize, consent,
    core::{Core, StepProblem},
    devices, extend, inbox, pages, passkeys, pin, push,
    rng::Rng,
    second_device, statement,
    support::Problem,
    token, wallet_files,
};
use request::{AtTenant, Body, Host, OauthForm, network, peer};

/// What every handler gets.
type Shared = State<Arc<Core>>;

/// Everything a browser, an authenticator app and the federation see.
pub(crate) fn public(core: Arc<Core>) -> Router {
    mount(
        core,
        &[
            (EVIDENCE_PATH, get(evidence)),
            (System::Android.path(), get(android_links)),
            (System::Apple.path(), get(apple_links)),
        ],
        &[
            ("/.well-known/openid-federation", get(entity_statement)),
            ("/jwks", get(signed_keys)),
            ("/logo.svg", get(logo)),
            (pages::STYLE_PATH, get(style)),
            (wallet_files::BRAND_PATH, get(brand)),
            ("/auth", get(authorization_endpoint)),
            ("/auth/jwks", get(challenge_keys)),
            ("/auth/challenge", post(challenge)),
            ("/auth/card", post(card)),
            ("/auth/device", post(device)),
            ("/auth/consent", get(show_consent).post(decide_consent)),
            ("/auth/abort", post(abort_login)),
            (pages::WAITING_PATH, get(wait_for_phone)),
            (pages::WAITING_SCRIPT_PATH, get(waiting_script)),
            ("/auth/return", post(come_back)),
            ("/auth/phone/send", post(send_to_phone)),
            ("/auth/phone/forget", post(forget_phone)),
            ("/auth/extend", get(extend_page).post(extend_in_app)),
            (pages::TIME_PATH, get(show_time)),
            (pages::TIME_SCRIPT_PATH, get(time_script)),
            ("/devices", post(bind_device)),
            ("/devices/confirm", post(confirm_device)),
            ("/devices/requests", post(waiting_requests)),
            ("/devices/push", post(wake_up)),
            ("/block", get(show_block).post(block)),
            ("/devices/passkey", post(passkey_options)),
            ("/account", get(show_account)),
            ("/account/revoke", post(revoke)),
            ("/account/overview", post(overview)),
            ("/account/devices", post(manage_devices)),
            ("/account/block-code", post(new_block_code)),
            ("/wallet", get(wallet_folder)),
            ("/wallet/", get(wallet_page)),
            ("/wallet/{*file}", get(wallet_file)),
            ("/devices/move", post(offer_move)),
            ("/devices/move/accept", post(accept_move)),
            ("/devices/move/state", post(state_of_move)),
            ("/devices/move/approve", post(approve_move)),
            ("/devices/move/end", post(end_move)),
            ("/devices/pin", post(set_pin)),
            ("/devices/pin/evaluate", post(try_pin)),
            ("/account/history", post(account_history)),
            ("/account/export", post(export)),
            ("/account/erase", post(erase)),
        ],
        Problem::into_json,
    )
    .layer(axum::middleware::from_fn(pages::switch))
}

/// The two endpoints that ask for a client certificate.
pub(crate) fn mtls(core: Arc<Core>) -> Router {
    let of_host = [(EVIDENCE_PATH, get(evidence))];
    let routes = [("/par", post(par)), ("/token", post(token_endpoint))];
    mount(core, &of_host, &routes, Problem::into_oauth_json)
}

/// What is about a host or the instance behind it, once; what is about a tenant twice: below its path, and at the root for tenants that own a host.
/// `tell`: how whoever calls these is told that a step panicked.
fn mount(
    core: Arc<Core>,
    of_host: &[(&str, MethodRouter<Arc<Core>>)],
    routes: &[(&str, MethodRouter<Arc<Core>>)],
    tell: fn(Problem) -> Response,
) -> Router {
    let mut router = Router::new();
    for (path, method) in of_host {
        router = router.route(path, method.clone());
    }
    for (path, method) in routes {
        router = router
            .route(path, method.clone())
            .route(&format!("/{{tenant}}{path}"), method.clone());
    }
    let rng = Arc::clone(&core.rng);
    router
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .with_state(core)
        .layer(CatchPanicLayer::custom(move |_| tell(panicked(&*rng))))
}

/// One request's panic ends that request and nothing else. What it said is not told: it could quote anything.
fn panicked(rng: &dyn Rng) -> Problem {
    Problem::internal("panicked", &"a step panicked", rng)
}

async fn evidence(
    State(core): Shared,
    connection: Option<Extension<ConnectionInfo>>,
    RawQuery(query): RawQuery,
) -> Response {
    let connection = connection.map(|Extension(connection)| connection);
    attestation::evidence(&core, connection, &query.unwrap_or_default()).await
}

async fn android_links(State(core): Shared, Host(host): Host, headers: HeaderMap) -> Response {
    links(&core, host.as_deref(), System::Android, &headers)
}

async fn apple_links(State(core): Shared, Host(host): Host, headers: HeaderMap) -> Response {
    links(&core, host.as_deref(), System::Apple, &headers)
}

fn links(core: &Core, host: Option<&str>, system: System, headers: &HeaderMap) -> Response {
    host.and_then(|host| core.tenants.association_files(host)?.answer(system))
        .unwrap_or_else(|| unknown_path(core, headers))
}

fn unknown_path(core: &Core, headers: &HeaderMap) -> Response {
    let refusal = Refusal::new(404, ErrorCode::NotFound, "nothing is served at this address");
    core.problem("unknown_path", StepProblem::Refused(refusal))
        .negotiated(headers)
}

async fn not_found(State(core): Shared, headers: HeaderMap) -> Response {
    unknown_path(&core, &headers)
}

async fn method_not_allowed(State(core): Shared, headers: HeaderMap) -> Response {
    let refusal = Refusal::new(
        405,
        ErrorCode::InvalidRequest,
        "this address does not answer this HTTP method",
    );
    core.problem("wrong_method", StepProblem::Refused(refusal))
        .negotiated(&headers)
}

async fn entity_statement(State(core): Shared, AtTenant(tenant): AtTenant) -> Response {
    statement::entity_statement(&core, &tenant).await
}

async fn signed_keys(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap) -> Response {
    statement::signed_keys(&core, &tenant, &headers).await
}

async fn challenge_keys(State(core): Shared, AtTenant(tenant): AtTenant) -> Response {
    statement::challenge_keys(&core, &tenant).await
}

async fn logo(AtTenant(tenant): AtTenant) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // A picture and nothing else, whatever the file says.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        ),
    ];
    (StatusCode::OK, headers, tenant.settings.logo.clone()).into_response()
}

async fn brand(AtTenant(tenant): AtTenant) -> Response {
    wallet_files::brand_sheet(&tenant)
}

async fn wallet_folder(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    wallet_files::folder(&tenant, query.as_deref()).unwrap_or_else(|| unknown_path(&core, &headers))
}

async fn wallet_page(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap) -> Response {
    wallet_files::file(&core, &tenant, "", &headers).unwrap_or_else(|| unknown_path(&core, &headers))
}

async fn wallet_file(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    path: RawPathParams,
    headers: HeaderMap,
) -> Response {
    let named = path.iter().find(|(name, _)| *name == "file").map(|(_, file)| file);
    named
        .and_then(|file| wallet_files::file(&core, &tenant, file, &headers))
        .unwrap_or_else(|| unknown_path(&core, &headers))
}

async fn style() -> Response {
    pages::style()
}

async fn authorization_endpoint(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    authorize::authorize(&core, &tenant, &headers, query.as_deref().unwrap_or_default()).await
}

async fn challenge(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    authenticate::challenge(&core, &tenant, network(&connection), &headers, &body.0).await
}

async fn abort_login(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap, body: Body) -> Response {
    abort::abort(&core, &tenant, &headers, &body.0).await
}

async fn wait_for_phone(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    second_device::show(&core, &tenant, &headers, &query, network(&connection)).await
}

async fn waiting_script() -> Response {
    pages::waiting_script()
}

async fn extend_page(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    extend::on_page(&core, &tenant, &headers, query.as_deref().unwrap_or_default()).await
}

async fn extend_in_app(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    extend::in_app(&core, &tenant, network(&connection), &headers, &body.0).await
}

async fn show_time(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    extend::show_time(&core, &tenant, &headers, query.as_deref().unwrap_or_default())
}

async fn time_script() -> Response {
    pages::time_script()
}

async fn come_back(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap, body: Body) -> Response {
    second_device::come_back(&core, &tenant, &headers, &body.0).await
}

async fn send_to_phone(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    inbox::send(&core, &tenant, network(&connection), &headers, &body.0).await
}

async fn forget_phone(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap, body: Body) -> Response {
    inbox::forget(&core, &tenant, &headers, &body.0).await
}

async fn waiting_requests(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    body: Body,
) -> Response {
    inbox::look(&core, &tenant, network(&connection), &body.0).await
}

async fn wake_up(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    body: Body,
) -> Response {
    inbox::subscribe(&core, &tenant, network(&connection), &body.0).await
}

async fn card(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    authenticate::card(&core, &tenant, network(&connection), &headers, &body.0).await
}

async fn device(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    authenticate::device(&core, &tenant, network(&connection), &headers, &body.0).await
}

async fn passkey_options(State(core): Shared, AtTenant(tenant): AtTenant, body: Body) -> Response {
    passkeys::options(&core, &tenant, &body.0).await
}

async fn bind_device(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    body: Body,
) -> Response {
    devices::bind(&core, &tenant, network(&connection), &body.0).await
}

async fn confirm_device(State(core): Shared, AtTenant(tenant): AtTenant, body: Body) -> Response {
    devices::confirm(&core, &tenant, &body.0).await
}

async fn offer_move(State(core): Shared, AtTenant(tenant): AtTenant, body: Body) -> Response {
    devices::offer(&core, &tenant, &body.0).await
}

async fn accept_move(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    devices::accept(&core, &tenant, network(&connection), &headers, &body.0).await
}

async fn state_of_move(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    body: Body,
) -> Response {
    devices::state(&core, &tenant, network(&connection), &body.0).await
}

async fn approve_move(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    body: Body,
) -> Response {
    devices::approve(&core, &tenant, network(&connection), &body.0).await
}

async fn end_move(State(core): Shared, AtTenant(tenant): AtTenant, body: Body) -> Response {
    devices::end(&core, &tenant, &body.0).await
}

async fn manage_devices(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap, body: Body) -> Response {
    if body.is_json(&headers) {
        devices::manage(&core, &tenant, &headers, &body.0).await
    } else {
        account::devices_on_page(&core, &tenant, &headers, &body.0).await
    }
}

async fn new_block_code(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap, body: Body) -> Response {
    if body.is_json(&headers) {
        devices::new_code(&core, &tenant, &headers, &body.0).await
    } else {
        account::block_code_on_page(&core, &tenant, &headers, &body.0).await
    }
}

async fn show_block(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    devices::block_page(&core, &tenant, &headers, query.as_deref().unwrap_or_default())
}

async fn block(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if body.is_json(&headers) {
        devices::block_in_app(&core, &tenant, network(&connection), &body.0).await
    } else {
        devices::block_on_page(&core, &tenant, network(&connection), &headers, &body.0).await
    }
}

async fn show_consent(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    consent::show(&core, &tenant, &headers, query.as_deref().unwrap_or_default()).await
}

async fn decide_consent(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap, body: Body) -> Response {
    if body.is_json(&headers) {
        consent::decide_in_app(&core, &tenant, &headers, &body.0).await
    } else {
        consent::decide_on_page(&core, &tenant, &headers, &body.0).await
    }
}

async fn show_account(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    account::begin(&core, &tenant, &headers, query.as_deref().unwrap_or_default())
}

async fn revoke(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap, body: Body) -> Response {
    if body.is_json(&headers) {
        account::revoke_in_app(&core, &tenant, &headers, &body.0).await
    } else {
        account::revoke_on_page(&core, &tenant, &headers, &body.0).await
    }
}

async fn overview(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap, body: Body) -> Response {
    account::overview(&core, &tenant, &headers, &body.0).await
}

async fn account_history(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap, body: Body) -> Response {
    account::history(&core, &tenant, &headers, &body.0).await
}

async fn set_pin(State(core): Shared, AtTenant(tenant): AtTenant, body: Body) -> Response {
    pin::set(&core, &tenant, &body.0).await
}

async fn try_pin(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    body: Body,
) -> Response {
    pin::evaluate(&core, &tenant, network(&connection), &body.0).await
}

async fn export(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap, body: Body) -> Response {
    account::export(&core, &tenant, &headers, &body.0).await
}

async fn erase(State(core): Shared, AtTenant(tenant): AtTenant, headers: HeaderMap, body: Body) -> Response {
    account::erase(&core, &tenant, &headers, &body.0).await
}

async fn par(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    body: OauthForm,
) -> Response {
    push::push(&core, &tenant, &peer(&connection), network(&connection), &body.0).await
}

async fn token_endpoint(
    State(core): Shared,
    AtTenant(tenant): AtTenant,
    connection: Option<Extension<ConnectionInfo>>,
    body: OauthForm,
) -> Response {
    token::token(&core, &tenant, &peer(&connection), network(&connection), &body.0).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SeededRng;
    use tower::ServiceExt as _;

    #[tokio::test]
    #[expect(clippy::panic, reason = "that is what is tested")]
    async fn a_panic_ends_one_request_and_says_nothing() {
        let router: Router = Router::new()
            .route(
                "/",
                get(|| async {
                    if true {
                        panic!("SECRET")
                    }
                }),
            )
            .layer(CatchPanicLayer::custom(|_| panicked(&SeededRng::new(1)).into_json()));
        let request = axum::extract::Request::get("/").body(axum::body::Body::empty());
        let response = router.oneshot(request.unwrap_or_default()).await.unwrap_or_default();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 4096)
            .await
            .unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        assert!(
            body.contains("server_error") && body.contains("support code") && !body.contains("SECRET"),
            "{body}"
        );
    }
}
