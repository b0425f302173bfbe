//! Key rollover by HTTP, so that a command can rehearse it in a running sandbox.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::DemoService;
use crate::client::KeyPurpose;

/// A header every changing request must carry, with any value: a page of another site cannot send it without asking first.
pub const REHEARSAL_HEADER: &str = "x-healthid-rehearsal";

/// One step of a rollover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloverStep {
    /// Make the next key.
    Add,
    /// Use it.
    Switch,
    /// Publish the previous ones no longer.
    Retire,
}

pub(super) fn router(service: DemoService) -> Router {
    Router::new()
        .route("/keys", get(keys))
        .route("/keys/{purpose}/{step}", post(roll_over))
        .with_state(service)
}

async fn keys(State(service): State<DemoService>) -> Response {
    axum::Json(service.party().keys().status()).into_response()
}

async fn roll_over(
    State(service): State<DemoService>,
    headers: HeaderMap,
    Path((purpose, step)): Path<(KeyPurpose, RolloverStep)>,
) -> Response {
    if !headers.contains_key(REHEARSAL_HEADER) {
        return refused(StatusCode::FORBIDDEN, &format!("header {REHEARSAL_HEADER} is missing"));
    }
    match service.roll_over(purpose, step) {
        Ok(status) => axum::Json(status).into_response(),
        Err(error) => refused(StatusCode::CONFLICT, &error.to_string()),
    }
}

fn refused(status: StatusCode, description: &str) -> Response {
    (
        status,
        axum::Json(json!({"error": "invalid_request", "error_description": description})),
    )
        .into_response()
}
