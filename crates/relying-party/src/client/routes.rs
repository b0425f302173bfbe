//! The addresses the federation asks a service at: its statement, its signed key set.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use federation::entity::WELL_KNOWN_PATH;
use federation::{signed_keys, statement};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jose::{SignError, UnixTime};
use url::Url;

use super::config::KeyPublication;
use super::party::RelyingParty;

/// Tells the time. The library itself never asks; only routes do, once a request.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

#[derive(Clone)]
struct Shared {
    party: Arc<RelyingParty>,
    clock: Clock,
}

/// The routes of a service in the federation, to be served over https under its entity identifier: the entity statement, and the signed
/// key set if the configuration publishes one. Public, without client certificate.
pub fn federation_router(party: Arc<RelyingParty>, clock: Clock) -> Router {
    let base = path_of(party.entity_id().as_str());
    let statement_path = format!("{}{WELL_KNOWN_PATH}", base.trim_end_matches('/'));
    let mut router = Router::new().route(&statement_path, get(entity_statement));
    if let KeyPublication::SignedKeySet { uri } = &party.config().key_publication {
        let path = path_of(uri);
        if path != statement_path {
            router = router.route(&path, get(signed_jwks));
        }
    }
    router.with_state(Shared { party, clock })
}

fn path_of(url: &str) -> String {
    // Entity identifiers and the address of the key set were checked to be absolute URLs; a path never begins a route pattern here.
    Url::parse(url).map_or_else(|_| "/".to_owned(), |url| url.path().replace(['{', '}'], ""))
}

async fn entity_statement(State(shared): State<Shared>) -> Response {
    let now = (shared.clock)();
    document(shared.party.entity_statement(now), statement::MEDIA_TYPE)
}

async fn signed_jwks(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let now = (shared.clock)();
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    document(shared.party.signed_jwks(now), signed_keys::negotiate_media_type(accept))
}

fn document(signed: Result<String, SignError>, media_type: &'static str) -> Response {
    match signed {
        Ok(compact) => ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))], compact).into_response(),
        Err(error) => {
            tracing::error!(event = "relying_party.not_signed", reason = %error);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
