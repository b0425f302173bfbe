//! The portal: where a newcomer begins, where virtual cards are held to the phone, where services join. Server-rendered, no script.
//!
//! | Path | What |
//! |---|---|
//! | `/` | what this is, where to click, who is there |
//! | `/card` | the authenticator: choose a card, type its PIN; unblock it |
//! | `/terminal/…` | the same cards, for the web wallet of an insurer |
//! | `/tour` | a guided tour of three minutes |
//! | `/statement?entity_id=…` | a participant's entity statement, taken apart |
//! | `/register` | a service of one's own |
//! | `/sandbox.json`, `/ca.pem` | for tools |
//! | `POST /rehearsal/…` | key rollover, for `healthid rehearse` |
//!
//! Trusted for nothing: it plays the authenticator app and its people. It speaks to insurers as an app does, over TLS.

mod card;
mod frame;
mod problem;
mod register;
mod rehearsal;
mod start;
mod statement;
mod terminal;
mod texts;
mod tour;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use federation::chain::TrustAnchor;
use fedmaster::{Clock, FederationMaster};
use transport::{Fetch, HttpClient};

use crate::addresses::Addresses;
use crate::cards::Cards;
use crate::description::Description;
use crate::rollover::Rollovers;
use crate::watch::Watch;

use frame::Frame;

/// Largest form accepted, in bytes.
const MAX_FORM_BYTES: usize = 64 * 1024;
/// Header a changing request of a tool must carry: a page of another site cannot send it without asking first.
pub const TOOL_HEADER: &str = relying_party::demo::REHEARSAL_HEADER;

/// What the portal works with.
pub(crate) struct Portal {
    pub(crate) description: Description,
    pub(crate) addresses: Addresses,
    pub(crate) ca_pem: String,
    pub(crate) cards: Arc<Cards>,
    pub(crate) master: FederationMaster,
    pub(crate) anchor: TrustAnchor,
    pub(crate) client: HttpClient,
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) rollovers: Arc<Rollovers>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) clock: Clock,
}

type Shared = axum::extract::State<Arc<Portal>>;

/// The portal's routes.
pub(crate) fn router(portal: Portal) -> Router {
    Router::new()
        .route("/", get(start::start))
        .route("/card", get(card::choose).post(card::log_in))
        .route("/card/unblock", post(card::unblock))
        .route("/terminal/cards", get(terminal::cards).options(terminal::preflight))
        .route("/terminal/sign", post(terminal::sign).options(terminal::preflight))
        .route(
            "/terminal/unblock",
            post(terminal::unblock).options(terminal::preflight),
        )
        .route("/tour", get(tour::show))
        .route("/statement", get(statement::show))
        .route("/register", get(register::show).post(register::register))
        .route("/sandbox.json", get(description))
        .route("/ca.pem", get(ca))
        .route("/page.css", get(style))
        .route("/icon.svg", get(icon))
        .route("/rehearsal/{key}/{of}/{step}", post(rehearsal::roll_over))
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .with_state(Arc::new(portal))
}

async fn description(portal: Shared) -> impl IntoResponse {
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (headers, axum::Json(portal.description.clone()))
}

async fn ca(portal: Shared) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "application/x-pem-file"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"healthid-sandbox-ca.pem\"",
        ),
    ];
    (headers, portal.ca_pem.clone())
}

async fn style() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, include_str!("../../../assets/page.css"))
}

async fn icon() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, include_str!("../assets/sandbox.svg"))
}

async fn not_found(frame: Frame) -> axum::response::Response {
    problem::not_found(frame)
}
